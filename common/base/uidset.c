/*
 * Sets of UIDs as sorted ranges: a folder of a million messages is usually a
 * handful of them.
 */

#include "base/uidset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PARSE_MAX 100000

void
uidset_init(struct uidset *s)
{
	*s = (struct uidset){NULL, 0, 0};
}

void
uidset_clear(struct uidset *s)
{
	free(s->v);
	uidset_init(s);
}

static void
make_room(struct uidset *s, size_t n)
{
	if (n <= s->cap)
		return;
	s->cap = s->cap * 2 > n ? s->cap * 2 : n + 4;
	s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
}

/* The first range that does not end before uid; n when all do. */
static size_t
find(const struct uidset *s, uint64_t uid)
{
	size_t a = 0, b = s->n, mid;

	while (a < b) {
		mid = a + (b - a) / 2;
		if (s->v[mid].hi < uid)
			a = mid + 1;
		else
			b = mid;
	}
	return a;
}

/* Puts k ranges in the place of those from i up to j. */
static void
splice(struct uidset *s, size_t i, size_t j, const struct uidrange *r, size_t k)
{
	make_room(s, s->n - (j - i) + k);
	if (j < s->n && i + k != j)
		memmove(s->v + i + k, s->v + j, (s->n - j) * sizeof(*s->v));
	if (k > 0)
		memcpy(s->v + i, r, k * sizeof(*r));
	s->n = s->n - (j - i) + k;
}

void
uidset_add(struct uidset *s, uint32_t lo, uint32_t hi)
{
	struct uidrange r = {lo > 0 ? lo : 1, hi};
	size_t i, j;

	if (r.lo > r.hi)
		return;
	/* All ranges that touch or adjoin the new one melt into it. */
	i = j = find(s, (uint64_t)r.lo - 1);
	for (; j < s->n && s->v[j].lo <= (uint64_t)hi + 1; j++) {
		r.lo = s->v[j].lo < r.lo ? s->v[j].lo : r.lo;
		r.hi = s->v[j].hi > r.hi ? s->v[j].hi : r.hi;
	}
	splice(s, i, j, &r, 1);
}

void
uidset_del(struct uidset *s, uint32_t lo, uint32_t hi)
{
	size_t i = find(s, lo), j = i, k = 0;
	struct uidrange left[2];

	if (lo > hi)
		return;
	while (j < s->n && s->v[j].lo <= hi)
		j++;
	if (i == j)
		return;
	if (s->v[i].lo < lo)
		left[k++] = (struct uidrange){s->v[i].lo, lo - 1};
	if (s->v[j - 1].hi > hi)
		left[k++] = (struct uidrange){hi + 1, s->v[j - 1].hi};
	splice(s, i, j, left, k);
}

/* Adds a range that begins at or after the beginning of the last one. */
static void
push(struct uidset *s, struct uidrange r)
{
	struct uidrange *last = s->n > 0 ? &s->v[s->n - 1] : NULL;

	if (last != NULL && r.lo <= (uint64_t)last->hi + 1) {
		if (r.hi > last->hi)
			last->hi = r.hi;
		return;
	}
	make_room(s, s->n + 1);
	s->v[s->n++] = r;
}

void
uidset_union(struct uidset *s, const struct uidset *t)
{
	size_t i = 0, j = 0;
	struct uidset u;

	if (t->n == 0)
		return;
	uidset_init(&u);
	make_room(&u, s->n + t->n);
	while (i < s->n || j < t->n) {
		if (j == t->n || (i < s->n && s->v[i].lo <= t->v[j].lo))
			push(&u, s->v[i++]);
		else
			push(&u, t->v[j++]);
	}
	uidset_clear(s);
	*s = u;
}

void
uidset_minus(struct uidset *s, const struct uidset *t)
{
	size_t i, j = 0;
	struct uidset left;
	uint64_t lo;

	uidset_init(&left);
	for (i = 0; i < s->n; i++) {
		lo = s->v[i].lo;
		while (j < t->n && t->v[j].hi < lo)
			j++;
		/* One that reaches beyond this range may reach the next. */
		for (; j < t->n && t->v[j].lo <= s->v[i].hi; j++) {
			if (t->v[j].lo > lo)
				push(&left, (struct uidrange){
						(uint32_t)lo, t->v[j].lo - 1});
			lo = (uint64_t)t->v[j].hi + 1;
			if (lo > s->v[i].hi)
				break;
		}
		if (lo <= s->v[i].hi)
			push(
			    &left, (struct uidrange){(uint32_t)lo, s->v[i].hi});
	}
	uidset_clear(s);
	*s = left;
}

void
uidset_meet(struct uidset *s, const struct uidset *t)
{
	struct uidset others;

	uidset_init(&others);
	uidset_union(&others, s);
	uidset_minus(&others, t);
	uidset_minus(s, &others);
	uidset_clear(&others);
}

bool
uidset_has(const struct uidset *s, uint32_t uid)
{
	size_t i = find(s, uid);

	return i < s->n && s->v[i].lo <= uid;
}

bool
uidset_empty(const struct uidset *s)
{
	return s->n == 0;
}

uint64_t
uidset_count(const struct uidset *s)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		sum += (uint64_t)s->v[i].hi - s->v[i].lo + 1;
	return sum;
}

uint32_t
uidset_max(const struct uidset *s)
{
	return s->n > 0 ? s->v[s->n - 1].hi : 0;
}

uint32_t
uidset_format(
    const struct uidset *s, uint32_t from, size_t max_len, struct buf *out)
{
	size_t i, used = 0;
	char text[32];
	uint32_t lo;
	int n;

	for (i = find(s, from); i < s->n; i++) {
		lo = s->v[i].lo > from ? s->v[i].lo : from;
		n = snprintf(
		    text, sizeof(text), "%s%u", used > 0 ? "," : "", lo);
		if (s->v[i].hi > lo)
			n += snprintf(text + n, sizeof(text) - (size_t)n, ":%u",
			    s->v[i].hi);
		used += (size_t)n;
		if (used > max_len || buf_append(out, text, (size_t)n) == -1)
			return lo;
	}
	return 0;
}

static bool
parse_uid(struct span s, uint32_t *uid_r)
{
	uint64_t v;

	if (span_eq(s, "*"))
		v = UINT32_MAX;
	else if (!span_number(s, UINT32_MAX, &v) || v == 0)
		return false;
	*uid_r = (uint32_t)v;
	return true;
}

static bool
parse_range(struct span s, struct uidrange *r_r)
{
	ptrdiff_t colon = span_find(s, ':');
	uint32_t a, b;

	if (colon == -1) {
		if (!parse_uid(s, &a))
			return false;
		b = a;
	} else if (!parse_uid(span_bytes(s.p, (size_t)colon), &a) ||
		   !parse_uid(span_skip(s, (size_t)colon + 1), &b))
		return false;
	*r_r = a < b ? (struct uidrange){a, b} : (struct uidrange){b, a};
	return true;
}

static int
by_lo(const void *a, const void *b)
{
	const struct uidrange *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* A sequence-set comes in any order: sorted first, it costs n log n. */
int
uidset_parse(struct uidset *s, struct span in)
{
	struct uidset raw, sorted;
	struct uidrange r;
	struct span part;
	bool good = in.n > 0 && in.p[in.n - 1] != ',';
	size_t i;

	uidset_init(&raw);
	uidset_init(&sorted);
	while (good && span_cut(&in, ',', &part)) {
		good = raw.n < PARSE_MAX && parse_range(part, &r);
		if (good) {
			make_room(&raw, raw.n + 1);
			raw.v[raw.n++] = r;
		}
	}
	if (good) {
		qsort(raw.v, raw.n, sizeof(*raw.v), by_lo);
		for (i = 0; i < raw.n; i++)
			push(&sorted, raw.v[i]);
		uidset_union(s, &sorted);
	}
	uidset_clear(&raw);
	uidset_clear(&sorted);
	return good ? 0 : -1;
}

bool
uidset_next(const struct uidset *s, uint64_t *it, uint32_t *uid_r)
{
	size_t i = find(s, *it + 1);

	if (i == s->n)
		return false;
	*it = s->v[i].lo > *it + 1 ? s->v[i].lo : *it + 1;
	*uid_r = (uint32_t)*it;
	return true;
}

bool
uidwalk_next(struct uidwalk *w, uint32_t *uid_r)
{
	struct uidrange r;
	struct span part;

	if (w->next == w->end) {
		if (!span_cut(&w->rest, ',', &part) || !parse_range(part, &r))
			return false;
		w->next = r.lo;
		w->end = (uint64_t)r.hi + 1;
	}
	*uid_r = (uint32_t)w->next++;
	return true;
}
