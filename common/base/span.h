#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Borrowed bytes with a length.  All that a peer sends is looked at through
 * spans; there is no terminating NUL and NULs inside are ordinary bytes.
 * {NULL, 0} is a valid, empty span.
 */
struct span {
	const char *p; /* borrowed */
	size_t n;
};

struct span span_of(const char *cstr); /* NULL gives the empty span */
struct span span_bytes(const void *, size_t);

bool span_eq(struct span, const char *cstr);
bool span_caseeq(struct span, const char *cstr); /* ASCII case */
bool span_same(struct span, struct span);
bool span_prefix(struct span, const char *cstr); /* ASCII case */

/* Whether one of the texts, NULL behind the last, is in it; ASCII case. */
bool span_says(struct span, const char *const *texts);

/* Index of the first such byte, or -1. */
ptrdiff_t span_find(struct span, char);

/*
 * Index behind the character that closes what opens at i (a quote, a
 * parenthesis that may hold others, a bracket), 0 when none does.  A
 * backslash takes the next character literally.
 */
size_t span_closed(struct span, size_t i, char shut);

/* The bytes from offset on; empty when offset is past the end. */
struct span span_skip(struct span, size_t);

/* Without leading and trailing blanks (space, tab, CR, LF). */
struct span span_trim(struct span);

/*
 * Cuts the next word (bytes up to a space or tab) off the front of *s,
 * skipping blanks before it.  Returns false when nothing is left.
 */
bool span_word(struct span *s, struct span *word_r);

/* Cuts the part before the first `sep` off *s; false when *s is empty. */
bool span_cut(struct span *s, char sep, struct span *part_r);

/*
 * All of the span as a decimal number, at most max.  False for an empty
 * span, a non-digit or a number over max; *n_r is then untouched.
 */
bool span_number(struct span, uint64_t max, uint64_t *n_r);

/* A NUL-terminated copy, owned by the caller; NULs inside become '?'. */
char *span_dup(struct span);

/* For showing to a person: a copy in which control bytes are escaped
 * (\r \n \t \xHH), cut to max bytes of input.  Owned by the caller. */
char *span_show(struct span, size_t max);

/* printf("%.*s", SPAN(s)) */
#define SPAN(s) ((int)((s).n > 512 ? 512 : (s).n)), ((s).p ? (s).p : "")

#endif
