/*
 * Message headers: fields, folds, addresses, where they end, their digest.
 */

#include <stdlib.h>
#include <time.h>

#include "base/header.h"
#include "prng.h"
#include "tap.h"

/* All fields as "[name|body]", up to where the walk stops. */
static const char *
fields(const char *text)
{
	static char out[512];
	struct span rest = span_of(text), name, body;
	size_t n = 0;

	out[0] = '\0';
	while (header_next(&rest, &name, &body) && n < sizeof(out) - 100)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "[%.*s|%.*s]",
		    SPAN(name), SPAN(body));
	return out;
}

static void
test_next(void)
{
	static const char *const t[][2] = {
	    {"", ""},
	    {"\r\nA: b\r\n", ""},
	    {"\nA: b\n", ""},
	    {"A: b", "[A| b]"},
	    {"A: b\n", "[A| b]"},
	    {"A: b\r\nC:d\r\n\r\nE: f", "[A| b][C|d]"},
	    {"A: b\nC:d\n\nE: f", "[A| b][C|d]"},
	    {"A: b\r\r\nC: d\r\r\n\r\r\nE", "[A| b][C| d]"},
	    {"A: b\r\n c\r\n\td\r\nE: f\r\n", "[A| b\r\n c\r\n\td][E| f]"},
	    {"A:\n b\n", "[A|\n b]"},
	    {"A:\n \nB: c\n", "[A|\n ][B| c]"},
	    {"A \t: b\n", "[A| b]"},
	    {"From ada Thu 12:00:01\nA: b\n", "[|From ada Thu 12:00:01][A| b]"},
	    {"junk\n more\nA: b\n", "[|junk\n more][A| b]"},
	    {" first\nA: b\n", "[| first][A| b]"},
	    {": x\nA: b\n", "[|: x][A| b]"},
	    {"\xc3\xa9: x\n", "[|\xc3\xa9: x]"},
	    {"A: b: c\n", "[A| b: c]"},
	    {"A: x\ry\n", "[A| x\ry]"},
	    {"A:\r\n\r\n", "[A|]"},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(fields(t[i][0]), t[i][1], "fields %zu", i);
}

static void
test_find(void)
{
	struct span h = span_of("Received: x\r\nsubject: one\r\n"
				"Subject: two\r\n\r\nTo: body\r\n");
	struct span body = {NULL, 0};

	ok(header_find(h, "Subject", &body), "find in any case");
	is_mem(body.p, body.n, " one", "the first of two");
	ok(!header_find(h, "To", &body), "nothing behind the empty line");
	ok(!header_find(h, "Sub", &body), "no part of a name");
	ok(!header_find(span_of(NULL), "To", &body), "nothing in nothing");
}

static void
test_unfold(void)
{
	static const char *const t[][2] = {
	    {" a", "a"},
	    {" a\r\n b", "a b"},
	    {" a \r\n \t b", "a b"},
	    {" a\n\tb\n c ", "a b c"},
	    {"a  b", "a  b"},
	    {"\r\n a\r\n ", "a"},
	    {"\r\n ", ""},
	    {"", ""},
	    {"a\r\n \r\n b", "a b"},
	    {"a\rb", "a b"},
	    {"a\r\nB: c", "a B: c"},
	};
	struct buf b;
	size_t i;

	buf_init(&b, 100);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_reset(&b);
		header_unfold(&b, span_of(t[i][0]));
		is_str(buf_cstr(&b), t[i][1], "unfold %zu", i);
	}
	buf_clear(&b);
	buf_init(&b, 3);
	is_int(header_unfold(&b, span_of("a\n bcd")), -1, "over the limit");
	buf_clear(&b);
}

static void
test_address(void)
{
	static const char *const t[][2] = {
	    {" ada@x.org", "ada@x.org"},
	    {" <ada@x.org>", "ada@x.org"},
	    {" Ada <ada@x.org>\r\n", "ada@x.org"},
	    {" \"<no@x> \\\" y\" <ada@x.org>", "ada@x.org"},
	    {" (<no@x> (nested\\)) z) ada@x.org (Ada)", "ada@x.org"},
	    {" no@x.org <ada@x.org>", "ada@x.org"},
	    {" ada@x.org, Bob <bob@y.org>", "ada@x.org"},
	    {" Team: ada@x.org, bob@y.org;", "ada@x.org"},
	    {" mailto:ada@x.org", "ada@x.org"},
	    {" \"a b\"@x.org", "\"a b\"@x.org"},
	    {" <\"a> b\"@x.org>", "\"a> b\"@x.org"},
	    {" <@a.org,@b.org:ada@x.org>", "ada@x.org"},
	    {" ada@[IPv6:::1]", "ada@[IPv6:::1]"},
	    {" [list] ada@x.org", "ada@x.org"},
	    {" Ada :( <ada@x.org>", "ada@x.org"},
	    {" x[ <ada@x.org> ]", "ada@x.org"},
	    {" 5\" disks <ada@x.org>", "ada@x.org"},
	    {" a < b <ada@x.org>", "ada@x.org"},
	    {" <ada>", "ada"},
	    {"\r\n <\r\n ada@x.org >", "ada@x.org"},
	    {" Foo <see note> <ada@x.org>", "ada@x.org"},
	    {" <>", ""},
	    {" < >", ""},
	    {" ada@x.org <>", ""},
	    {"", NULL},
	    {" Ada", NULL},
	    {" @", NULL},
	    {" @x", NULL},
	    {" x@", NULL},
	    {" \"ada@x.org\"", NULL},
	    {" (ada@x.org)", NULL},
	    {" <ada@x.org", "ada@x.org"},
	    {" <a@\r\n b>", NULL},
	    {" <a\x01@b>", NULL},
	    {" undisclosed-recipients:;", NULL},
	    {" <\\", NULL},
	    {" \\", NULL},
	};
	struct span a;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = (struct span){NULL, 0};
		is_int(header_address(span_of(t[i][0]), &a), t[i][1] != NULL,
		    "address %zu", i);
		if (t[i][1] != NULL)
			is_mem(a.p, a.n, t[i][1], "is %s", t[i][1]);
	}
}

/* Runs of anything that might nest or never close take no time. */
static void
test_address_linear(void)
{
	static const char *const runs[] = {"(", "<", "\"", "\\\"", "[", "@[",
	    "<\"", "(\\", "a@b ", "<\\", "((\")<"};
	size_t n = 1 << 20, i, k;
	char *big = malloc(n);
	struct span a;
	clock_t start;

	if (big == NULL)
		abort();
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		for (k = 0; k < n; k++)
			big[k] = runs[i][k % strlen(runs[i])];
		start = clock();
		header_address(span_bytes(big, n), &a);
		ok((double)(clock() - start) / CLOCKS_PER_SEC < 2,
		    "a megabyte of %s in linear time", runs[i]);
	}
	free(big);
}

static size_t
scan(const char *p, size_t n, size_t piece)
{
	struct header_scan s;
	size_t i, k, got, sum = 0;

	header_scan_init(&s);
	for (i = 0; i < n; i += k) {
		k = piece < n - i ? piece : n - i;
		got = header_scan_feed(&s, p + i, k);
		sum += got;
		if (got < k)
			break;
	}
	return s.done ? sum : SIZE_MAX;
}

static void
test_scan(void)
{
	static const struct {
		const char *text;
		size_t want;
	} t[] = {
	    {"A: b\r\n\r\nbody", 8},
	    {"A: b\n\nbody", 6},
	    {"A: b\n\n", 6},
	    {"\r\nbody", 2},
	    {"\nbody", 1},
	    {"A: b\r\r\n\r\r\nbody", 10},
	    {"A: b\n \nC\n\n", 10},
	    {"A: b\r\n", SIZE_MAX},
	    {"A: b\r\n\r", SIZE_MAX},
	    {"", SIZE_MAX},
	};
	size_t i, piece;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (piece = 1; piece < 14; piece += 3)
			ok(scan(t[i].text, strlen(t[i].text), piece) ==
				t[i].want,
			    "scan %zu by %zu", i, piece);
}

static const char *
digest(const char *p, size_t n, size_t piece)
{
	static char out[4][HEADER_DIGEST_HEX];
	static unsigned turn;
	struct header_digest d;
	size_t i, k;

	header_digest_init(&d);
	for (i = 0; i < n; i += k) {
		k = piece < n - i ? piece : n - i;
		header_digest_feed(&d, p + i, k);
	}
	turn = (turn + 1) % 4;
	header_digest_hex(&d, out[turn]);
	return out[turn];
}

static void
test_digest(void)
{
	/* printf 'A: b\nC: d' | sha256sum */
	const char *want = "68033dd1ac480e3639bc66eb186bb58d";
	static const char *const same[] = {"A: b\nC: d\n\n", "A: b\nC: d\n",
	    "A: b\r\nC: d\r\n\r\n", "A: b\r\nC: d", "A: b  \r\nC: d\t\r\n",
	    "A: b\r\r\nC: d\r\r\n\r\r\n", "A: b\n \nC: d\n"};
	static const char *const other[] = {"A: b C: d", "A: b\n C: d",
	    "A:  b\nC: d", " A: b\nC: d", "a: b\nC: d", "A: b\nC: dd", ""};
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		is_str(digest(same[i], strlen(same[i]), 100), want,
		    "the same header %zu", i);
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		ok(strcmp(digest(other[i], strlen(other[i]), 100), want) != 0,
		    "another header %zu", i);
	/* The well-known digest of nothing. */
	is_str(digest("", 0, 1), "e3b0c44298fc1c149afbf4c8996fb924", "empty");
	is_str(digest("\r\n", 2, 1), digest("", 0, 1), "no header at all");
}

static void
test_digest_blanks(void)
{
	char text[5000];
	const char *whole, *bare = digest("A: b", 4, 9);
	size_t n;

	memset(text, ' ', sizeof(text));
	memcpy(text, "A: b", 4);
	text[4 + 1024] = '\n';
	is_str(digest(text, 4 + 1024 + 1, 7), bare, "1,024 blanks are ignored");
	text[4 + 1024] = ' ';
	text[4 + 1025] = '\n';
	ok(strcmp(digest(text, 4 + 1025 + 1, 7), bare) != 0,
	    "of 1,025 some count");
	text[4 + 1025] = ' ';
	whole = digest(text, sizeof(text), sizeof(text));
	for (n = 1; n < sizeof(text); n = n * 3 + 1)
		is_str(digest(text, sizeof(text), n), whole, "by %zu", n);
}

/* However a message is cut into pieces, nothing comes out differently. */
static void
test_pieces(void)
{
	char text[40];
	const char *whole;
	size_t n, len, i, piece;

	for (i = 0; i < 20000; i++) {
		n = prng(sizeof(text));
		prng_text(text, n, "A:b \t\r\n\n", 8);
		piece = 1 + prng(5);
		len = scan(text, n, n > 0 ? n : 1);
		quiet(scan(text, n, piece) == len, "scan %zu", i);
		len = len < n ? len : n;
		whole = digest(text, len, len > 0 ? len : 1);
		quiet(strcmp(whole, digest(text, len, piece)) == 0,
		    "digest %zu", i);
	}
	ok(tap_failed == 0, "20,000 random texts in pieces");
}

int
main(void)
{
	test_next();
	test_find();
	test_unfold();
	test_address();
	test_address_linear();
	test_scan();
	test_digest();
	test_digest_blanks();
	test_pieces();
	return done();
}
