/*
 * Spans: comparing, cutting and reading borrowed bytes.
 */

#include <stdlib.h>

#include "base/span.h"
#include "tap.h"

static void
test_compare(void)
{
	struct span none = {NULL, 0};

	ok(span_of(NULL).n == 0, "span_of(NULL) is empty");
	ok(span_eq(none, "") && span_same(none, span_of("")), "empty is empty");
	ok(span_eq(span_of("ab"), "ab") && !span_eq(span_of("ab"), "abc") &&
		!span_eq(span_of("abc"), "ab"),
	    "eq");
	ok(!span_eq(span_bytes("a\0b", 3), "a"), "a NUL does not end a span");
	ok(span_same(span_bytes("a\0b", 3), span_bytes("a\0b", 3)), "same");
	ok(span_caseeq(span_of("InBox"), "INBOX"), "caseeq");
	ok(span_says(span_of("it is In Use"),
	       (const char *const[]){"x", "in use", NULL}) &&
		!span_says(
		    span_of("in us"), (const char *const[]){"in use", NULL}),
	    "one of these words, anywhere");
	ok(span_prefix(span_of("* ok x"), "* OK") &&
		!span_prefix(span_of("* o"), "* OK"),
	    "prefix");
	is_int(span_find(span_of("abc"), 'c'), 2, "find");
	is_int(span_find(span_of("abc"), 'd'), -1, "find nothing");
	is_int(span_find(none, 'd'), -1, "find in nothing");
}

static void
test_cut(void)
{
	struct span s = span_of(" one\t two "), w;
	struct span t = span_trim(span_of("\r\n x y\t\n"));

	ok(span_word(&s, &w) && span_eq(w, "one"), "first word");
	ok(span_word(&s, &w) && span_eq(w, "two"), "second word");
	ok(!span_word(&s, &w), "no third word");
	is_mem(t.p, t.n, "x y", "trim");
	ok(span_trim(span_of(" \t")).n == 0, "trim to nothing");
	is_int(span_skip(span_of("abc"), 7).n, 0, "skip past the end");
	s = span_of("a,,b");
	ok(span_cut(&s, ',', &w) && span_eq(w, "a"), "cut 1");
	ok(span_cut(&s, ',', &w) && span_eq(w, ""), "cut 2, empty");
	ok(span_cut(&s, ',', &w) && span_eq(w, "b"), "cut 3, no separator");
	ok(!span_cut(&s, ',', &w), "cut 4");
}

static void
test_closed(void)
{
	is_int(span_closed(span_of("x\"a\\\"b\"c"), 1, '"'), 7, "a quote");
	is_int(span_closed(span_of("(a(b)\\)c)d"), 0, ')'), 9, "nested");
	is_int(span_closed(span_of("(a(b)"), 0, ')'), 0, "never closed");
	is_int(span_closed(span_of("\"a\\\""), 0, '"'), 0, "only escaped");
	is_int(span_closed(span_of("a"), 5, ')'), 0, "past the end");
}

static void
test_number(void)
{
	uint64_t v = 7;

	ok(span_number(span_of("0"), 10, &v) && v == 0, "0");
	ok(span_number(span_of("10"), 10, &v) && v == 10, "the most");
	ok(!span_number(span_of("11"), 10, &v) && v == 10, "too much");
	ok(span_number(span_of("18446744073709551615"), UINT64_MAX, &v) &&
		v == UINT64_MAX,
	    "2^64-1");
	ok(!span_number(span_of("18446744073709551616"), UINT64_MAX, &v),
	    "2^64");
	ok(!span_number(span_of("9"), 7, &v), "9 of 7");
	ok(!span_number(span_of(""), 10, &v), "empty");
	ok(!span_number(span_of("-1"), 10, &v), "sign");
	ok(!span_number(span_of("1 "), 10, &v), "blank");
	ok(!span_number(span_bytes("1\0", 2), 10, &v), "NUL");
}

static void
test_copy(void)
{
	char *s = span_dup(span_bytes("a\0b", 3));

	is_str(s, "a?b", "dup replaces NUL");
	free(s);
	s = span_show(span_bytes("\r\n\t\x1b\x00z\x7f", 7), 100);
	is_str(s, "\\r\\n\\t\\x1b\\x00z\\x7f", "show escapes controls");
	free(s);
	s = span_show(span_of("abcdef"), 3);
	is_str(s, "abc...", "show cuts");
	free(s);
}

int
main(void)
{
	test_compare();
	test_cut();
	test_closed();
	test_number();
	test_copy();
	return done();
}
