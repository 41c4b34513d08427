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

#endif
