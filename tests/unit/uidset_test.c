/*
 * Uid sets against a bitmap, through many random operations.
 */

#include <stdio.h>
#include <stdlib.h>

#include "base/uidset.h"
#include "prng.h"
#include "tap.h"

#define TOP 200 /* members of the model: 1..TOP */

struct model {
	bool in[TOP + 2];
};

/* Sorted, disjoint, not adjacent, and the same members as the model. */
static bool
same(const struct uidset *s, const struct model *m)
{
	uint64_t it = 0, count = 0;
	uint32_t uid, max = 0, got;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->v[i].lo == 0 || s->v[i].lo > s->v[i].hi ||
		    (i > 0 && s->v[i].lo <= (uint64_t)s->v[i - 1].hi + 1))
			return false;
	for (uid = 1; uid <= TOP; uid++) {
		if (uidset_has(s, uid) != m->in[uid])
			return false;
		if (!m->in[uid])
			continue;
		count++;
		max = uid;
		if (!uidset_next(s, &it, &got) || got != uid)
			return false;
	}
	return !uidset_next(s, &it, &got) && uidset_count(s) == count &&
	       uidset_max(s) == max && uidset_empty(s) == (count == 0);
}

static void
set_range(struct model *m, uint32_t lo, uint32_t hi, bool in)
{
	for (; lo <= hi; lo++)
		m->in[lo] = in;
}

static void
random_range(uint32_t *lo, uint32_t *hi)
{
	*lo = 1 + prng(TOP);
	*hi = *lo + prng(prng(4) == 0 ? 60 : 4);
	*hi = *hi < TOP ? *hi : TOP;
}

/* s becomes what t has not, or has too. */
static void
both_ways(struct uidset *s, const struct uidset *t, struct model *m,
    const struct model *k, bool minus)
{
	uint32_t uid;

	if (minus)
		uidset_minus(s, t);
	else
		uidset_meet(s, t);
	for (uid = 1; uid <= TOP; uid++)
		m->in[uid] = m->in[uid] && k->in[uid] != minus;
}

static void
test_model(void)
{
	struct uidset s, t;
	struct model m = {0}, k;
	uint32_t lo, hi;
	int i, n;

	uidset_init(&s);
	for (i = 0; i < 20000; i++) {
		random_range(&lo, &hi);
		if (prng(50) == 0) {
			uidset_init(&t);
			memset(&k, 0, sizeof(k));
			for (n = 0; n < 8; n++) {
				random_range(&lo, &hi);
				uidset_add(&t, lo, hi);
				set_range(&k, lo, hi, true);
				set_range(&m, lo, hi, true);
			}
			uidset_union(&s, &t);
			quiet(same(&t, &k), "union leaves the other, %d", i);
			uidset_clear(&t);
		} else if (prng(50) == 0) {
			uidset_init(&t);
			memset(&k, 0, sizeof(k));
			for (n = 0; n < 20; n++) {
				random_range(&lo, &hi);
				uidset_add(&t, lo, hi);
				set_range(&k, lo, hi, true);
			}
			both_ways(&s, &t, &m, &k, prng(2) == 0);
			quiet(same(&t, &k), "the other is left, %d", i);
			uidset_clear(&t);
		} else if (prng(2) == 0) {
			uidset_add(&s, lo, hi);
			set_range(&m, lo, hi, true);
		} else {
			uidset_del(&s, lo, hi);
			set_range(&m, lo, hi, false);
		}
		quiet(same(&s, &m), "step %d", i);
	}
	uidset_clear(&s);
	ok(tap_failed == 0, "20,000 random operations equal the bitmap");
}

static void
test_edges(void)
{
	struct uidset s;
	uint64_t it = 0;
	uint32_t uid = 0;

	uidset_init(&s);
	is_int(uidset_max(&s), 0, "max of nothing");
	uidset_add(&s, 5, 4);
	uidset_add(&s, 0, 0);
	ok(uidset_empty(&s), "no range, no member");
	uidset_del(&s, 1, UINT32_MAX);
	uidset_add(&s, UINT32_MAX, UINT32_MAX);
	uidset_add(&s, 1, UINT32_MAX - 1);
	is_int(s.n, 1, "the whole is one range");
	is_int(uidset_count(&s), UINT32_MAX, "of all uids");
	ok(uidset_has(&s, UINT32_MAX) && !uidset_has(&s, 0), "0 is none");
	uidset_del(&s, 2, UINT32_MAX - 1);
	is_int(s.n, 2, "split");
	ok(uidset_next(&s, &it, &uid) && uid == 1 &&
		uidset_next(&s, &it, &uid) && uid == UINT32_MAX &&
		!uidset_next(&s, &it, &uid),
	    "both ends");
	uidset_add(&s, 0, 3);
	ok(!uidset_has(&s, 0) && uidset_count(&s) == 4, "0 is cut off");
	uidset_union(&s, &s);
	is_int(uidset_count(&s), 4, "the union with itself");
	uidset_meet(&s, &s);
	is_int(uidset_count(&s), 4, "what it has in common with itself");
	uidset_minus(&s, &s);
	ok(uidset_empty(&s), "all gone");
	uidset_add(&s, 2, UINT32_MAX);
	uidset_minus(&s, &s);
	ok(uidset_empty(&s), "up to the highest");
	uidset_clear(&s);
}

static const char *
parsed(const char *text)
{
	static struct buf b;
	struct uidset s;
	bool good;

	buf_clear(&b);
	buf_init(&b, 256);
	uidset_init(&s);
	good = uidset_parse(&s, span_of(text)) == 0;
	if (good)
		uidset_format(&s, 0, 256, &b);
	else if (!uidset_empty(&s))
		buf_puts(&b, "changed");
	uidset_clear(&s);
	return good || b.len > 0 ? buf_cstr(&b) : NULL;
}

static void
test_parse(void)
{
	static const char *const good[][2] = {{"1", "1"}, {"1:3,7", "1:3,7"},
	    {"5:2", "2:5"}, {"7,1:3,4", "1:4,7"}, {"*", "4294967295"},
	    {"9,8,1,7", "1,7:9"}, {"2:*", "2:4294967295"}, {"3:3", "3"},
	    {"*:4294967290", "4294967290:4294967295"}, {"1:9,2:3,4", "1:9"}};
	static const char *const bad[] = {"", "0", "0:1", "1:", ":1", ":", ",",
	    "1,", ",1", "1,,2", "1:2:3", "a", "1 ", " 1", "-1", "4294967296",
	    "1;2", "**", "2,1:x"};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		is_str(parsed(good[i][0]), good[i][1], "%s", good[i][0]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_str(parsed(bad[i]), NULL, "not \"%s\"", bad[i]);
}

/* 100,000 ranges in falling order, and one more. */
static void
test_parse_many(void)
{
	struct uidset s;
	struct buf b;
	uint32_t i;

	uidset_init(&s);
	buf_init(&b, 4 * 1024 * 1024);
	for (i = 100000; i > 0; i--)
		buf_printf(&b, "%s%u", b.len > 0 ? "," : "", 2 * i);
	is_int(uidset_parse(&s, buf_span(&b)), 0, "100,000 ranges");
	is_int(s.n, 100000, "are as many");
	buf_puts(&b, ",1");
	is_int(uidset_parse(&s, buf_span(&b)), -1, "one more is refused");
	is_int(uidset_count(&s), 100000, "and changes nothing");
	buf_clear(&b);
	uidset_clear(&s);
}

/* Formatted in pieces of any length, parsed again: the same set. */
static void
test_format(void)
{
	struct uidset s, t;
	struct buf b;
	uint32_t from, lo, hi;
	size_t max;
	int i, n;

	buf_init(&b, 4096);
	for (i = 0; i < 2000; i++) {
		uidset_init(&s);
		uidset_init(&t);
		for (n = (int)prng(20); n > 0; n--) {
			random_range(&lo, &hi);
			uidset_add(&s, lo << prng(24), hi << 24);
		}
		max = 21 + prng(60);
		for (from = 1, n = 0; from != 0 && n < 1000; n++) {
			buf_reset(&b);
			from = uidset_format(&s, from, max, &b);
			quiet(b.len <= max, "length %zu of %zu", b.len, max);
			quiet(b.len == 0 || uidset_parse(&t, buf_span(&b)) == 0,
			    "parse what was formatted");
		}
		quiet(s.n == t.n && (s.n == 0 || memcmp(s.v, t.v,
						     s.n * sizeof(*s.v)) == 0),
		    "set %d comes back", i);
		uidset_clear(&s);
		uidset_clear(&t);
	}
	buf_clear(&b);
	ok(tap_failed == 0, "2,000 random sets in pieces");
}

static void
test_format_limits(void)
{
	struct uidset s;
	struct buf b;

	uidset_init(&s);
	buf_init(&b, 100);
	uidset_add(&s, 10, 19);
	uidset_add(&s, 30, 30);
	is_int(uidset_format(&s, 15, 8, &b), 0, "from the middle, just so");
	is_str(buf_cstr(&b), "15:19,30", "its text");
	buf_reset(&b);
	is_int(uidset_format(&s, 0, 7, &b), 30, "one byte too few");
	is_str(buf_cstr(&b), "10:19", "what fits");
	buf_reset(&b);
	is_int(uidset_format(&s, 0, 4, &b), 10, "nothing fits");
	is_int(b.len, 0, "nothing there");
	is_int(uidset_format(&s, 31, 100, &b), 0, "nothing left");
	is_int(b.len, 0, "still nothing there");
	b.max = 6;
	is_int(uidset_format(&s, 0, 100, &b), 30, "the buffer's limit counts");
	is_str(buf_cstr(&b), "10:19", "what fits the buffer");
	buf_clear(&b);
	uidset_clear(&s);
}

static const char *
walked(const char *text)
{
	static struct buf b;
	struct uidwalk w = {.rest = span_of(text)};
	uint32_t uid, n = 0;

	buf_clear(&b);
	buf_init(&b, 256);
	while (n++ < 8 && uidwalk_next(&w, &uid))
		buf_printf(&b, "%u ", uid);
	return buf_cstr(&b);
}

static void
test_walk(void)
{
	is_str(walked("304,319:320"), "304 319 320 ", "rising");
	is_str(walked("7,3:5,1"), "7 3 4 5 1 ", "as it is written");
	is_str(walked("5:3"), "3 4 5 ", "a range has no direction");
	is_str(walked("4294967294:*"), "4294967294 4294967295 ", "to the end");
	is_str(
	    walked("1:4294967295"), "1 2 3 4 5 6 7 8 ", "no longer than asked");
	is_str(walked("1,x,2"), "1 ", "up to what is none");
	is_str(walked(""), "", "nothing");
	walked("");
}

int
main(void)
{
	test_walk();
	test_edges();
	test_model();
	test_parse();
	test_parse_many();
	test_format();
	test_format_limits();
	parsed("1");
	return done();
}
