#ifndef BASE_UIDSET_H
#define BASE_UIDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * A set of UIDs (or POP3 message numbers): sorted, disjoint, non-adjacent
 * closed ranges of 1..UINT32_MAX.  Cost is by ranges, not by members.
 */
struct uidrange {
	uint32_t lo, hi; /* lo <= hi */
};

struct uidset {
	struct uidrange *v; /* owned */
	size_t n, cap;
};

void uidset_init(struct uidset *);
void uidset_clear(struct uidset *);
void uidset_add(struct uidset *, uint32_t lo, uint32_t hi); /* lo > hi: none */
void uidset_del(struct uidset *, uint32_t lo, uint32_t hi);
void uidset_union(struct uidset *, const struct uidset *);
void uidset_minus(struct uidset *, const struct uidset *); /* not in both */
void uidset_meet(struct uidset *, const struct uidset *);  /* in both only */
bool uidset_has(const struct uidset *, uint32_t);
bool uidset_empty(const struct uidset *);
uint64_t uidset_count(const struct uidset *);
uint32_t uidset_max(const struct uidset *); /* 0 when empty */

/*
 * Appends "1:3,7" (RFC 9051 sequence-set), at most max_len bytes of it, from
 * member `from` on.  Returns the first member that did not fit, 0 when all
 * did.  Nothing is appended for an empty rest; 21 bytes hold any one range,
 * so with at least that it gets on.
 */
uint32_t uidset_format(
    const struct uidset *, uint32_t from, size_t max_len, struct buf *);

/*
 * Parses a sequence-set; "*" counts as UINT32_MAX; "5:2" is 2:5.  -1 when it
 * is not one (0, empty, junk) or has over 100,000 ranges, and then *s is as it
 * was.  Adds to *s.
 */
int uidset_parse(struct uidset *s, struct span);

/*
 * Members in rising order: *it starts at 0 and is then the member last given,
 * so the set may change in between.  False at the end.
 */
bool uidset_next(const struct uidset *, uint64_t *it, uint32_t *uid_r);

/*
 * The members of a sequence-set in the order in which they are written, where
 * that has a meaning (COPYUID, RFC 4315): "7,3:5" gives 7, 3, 4, 5.  Starts as
 * {.rest = the set}.  False at the end, or where it is none any more.
 */
struct uidwalk {
	struct span rest;
	uint64_t next, end; /* private: of the range in hand */
};
bool uidwalk_next(struct uidwalk *, uint32_t *uid_r);

#endif
