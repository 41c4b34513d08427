/*
 * Addresses: lists as they are written, and what an envelope needs of them.
 */

#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/address.h"
#include "prng.h"
#include "tap.h"

/*
 * All of a list as "[name|address]", names as people read them; '*' in front
 * of an address without domain; "!" and where, at an error.
 */
static const char *
walk(const char *list)
{
	static char out[2048];
	struct address_walk w;
	struct address a;
	struct err e = {0};
	struct buf b, name;
	int rc;

	buf_init(&b, sizeof(out) - 1);
	buf_init(&name, sizeof(out));
	address_walk_init(&w, span_of(list));
	while ((rc = address_next(&w, &a, &e)) == 1) {
		buf_reset(&name);
		address_name(&name, a.name);
		buf_printf(&b, "[%s|%s%.*s]", buf_cstr(&name),
		    a.local ? "*" : "", SPAN(a.text));
	}
	if (rc == -1)
		buf_printf(&b, "%s%zu",
		    e.kind == ERR_MESSAGE && e.code == EX_DATAERR ? "!" : "?",
		    w.at);
	strlcpy(out, buf_cstr(&b), sizeof(out));
	buf_clear(&b);
	buf_clear(&name);
	return out;
}

struct row {
	const char *list, *want;
};

static void
walk_rows(const char *what, const struct row *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		is_str(walk(t[i].list), t[i].want, "%s %zu", what, i);
}
#define WALK_ROWS(what, t) walk_rows(what, t, sizeof(t) / sizeof((t)[0]))

static void
test_plain(void)
{
	static const struct row t[] = {
	    {"", ""},
	    {" \t\r\n ", ""},
	    {"ada@x.org", "[|ada@x.org]"},
	    {" ada@x.org\r\n", "[|ada@x.org]"},
	    {"a@x,b@y", "[|a@x][|b@y]"},
	    {"a@x,\r\n b@y,\r\n\tc@z", "[|a@x][|b@y][|c@z]"},
	    {", ,a@x,, (none) ,b@y,", "[|a@x][|b@y]"},
	    {"a@x; b@y;", "[|a@x][|b@y]"},
	    {"-f@x", "[|-f@x]"},
	    {"a+b=c/d!#$%&'*?^_`{|}~-@x", "[|a+b=c/d!#$%&'*?^_`{|}~-@x]"},
	    {"Ada@X.ORG", "[|Ada@X.ORG]"},
	    {"ada@x.org.", "[|ada@x.org]"},
	    {"ada@[127.0.0.1]", "[|ada@[127.0.0.1]]"},
	    {"ada@[IPv6:::1], b@y", "[|ada@[IPv6:::1]][|b@y]"},
	    {"ada@ [ 10.0. 0.1\r\n ] (x)", "[x|ada@[10.0.0.1]]"},
	    {"bob", "[|*bob]"},
	    {"bob, root", "[|*bob][|*root]"},
	    {"root (Cron Daemon)", "[Cron Daemon|*root]"},
	    {"\"bob\"", "[|*bob]"},
	    {"\xc3\xa9@\xc3\xbc.example", "[|\xc3\xa9@\xc3\xbc.example]"},
	    {"<>", "[|]"},
	    {"< (none) >", "[|]"},
	    {"Nobody <>, a@x", "[Nobody|][|a@x]"},
	};

	WALK_ROWS("plain", t);
}

static void
test_named(void)
{
	static const struct row t[] = {
	    {"<ada@x>", "[|ada@x]"},
	    {"Ada <ada@x>", "[Ada|ada@x]"},
	    {"Ada<ada@x>", "[Ada|ada@x]"},
	    {"Ada  K.\r\n Lovelace <ada@x>", "[Ada K. Lovelace|ada@x]"},
	    {"\"Lovelace, Ada\" <ada@x>", "[Lovelace, Ada|ada@x]"},
	    {"\"a \\\"b\\\" \\\\c\" <a@x>", "[a \"b\" \\c|a@x]"},
	    {"\"A.\" B \"C\" <a@x>", "[A. B C|a@x]"},
	    {"\"A\r\n B\" <a@x>", "[A B|a@x]"},
	    {"A (b <c@d>) C <a@x>", "[A C|a@x]"},
	    {"ada@x.org <ada@x.org>", "[ada@x.org|ada@x.org]"},
	    {"Ada @ home [it's me] \\o/ <a@x>",
		"[Ada @ home [it's me] \\o/|a@x]"},
	    {"ada@x (Ada)", "[Ada|ada@x]"},
	    {"ada@x (Ada (the \\(first\\)) L.)",
		"[Ada (the (first)) L.|ada@x]"},
	    {"(one) ada@x (two)", "[two|ada@x]"},
	    {"(one) ada@x", "[one|ada@x]"},
	    {"ada@x (\r\n Ada\r\n )", "[Ada|ada@x]"},
	    {"<ada@x> (Ada)", "[Ada|ada@x]"},
	    {"A <ada@x> (Ada)", "[A|ada@x]"},
	    {"<ada> , Bob <bob>", "[|*ada][Bob|*bob]"},
	    {"=?utf-8?Q?=C3=A9?= <a@x>", "[=?utf-8?Q?=C3=A9?=|a@x]"},
	    {"\xc3\xa9t\xc3\xa9 <a@x>", "[\xc3\xa9t\xc3\xa9|a@x]"},
	    {"\"a\x01\tb\" <a@x>", "[a  b|a@x]"},
	};

	WALK_ROWS("named", t);
}

static void
test_groups(void)
{
	static const struct row t[] = {
	    {"undisclosed-recipients:;", ""},
	    {"Team: a@x, B <b@y>;, c@z", "[|a@x][B|b@y][|c@z]"},
	    {"Team: a@x; Other: b@y;", "[|a@x][|b@y]"},
	    {"\"T: x\" (y): a@x;", "[|a@x]"},
	    {"Team: a@x, b@y", "[|a@x][|b@y]"},
	    {"Team:;, a@x", "[|a@x]"},
	    {"mailto:a@x", "[|a@x]"},
	    {"A: b@x, C: d@y;", "[|b@x]!9"},
	    {":include:/etc/passwd", "!0"},
	    {"a@x: b@y", "!3"},
	};

	WALK_ROWS("group", t);
}

static void
test_obsolete(void)
{
	static const struct row t[] = {
	    {"<@a.org:ada@x>", "[|ada@x]"},
	    {"A < @a.org , , @[b:c] (d): ada@x >", "[A|ada@x]"},
	    {"ada . (b) king @ x . org", "[b|ada.king@x.org]"},
	    {"ada\r\n .king\r\n @x", "[|ada.king@x]"},
	    {"ada(c)@(d)x(e).(f)org(g)", "[g|ada@x.org]"},
	    {"<ada (at) @ x>", "[|ada@x]"},
	    {"\"a b\".c@x", "[|\"a b.c\"@x]"},
	    {"a.\"b\".c@x", "[|a.b.c@x]"},
	};

	WALK_ROWS("obsolete", t);
}

static void
test_quotes(void)
{
	static const struct row t[] = {
	    {"\"ada\"@x", "[|ada@x]"},
	    {"\"a d a\"@x", "[|\"a d a\"@x]"},
	    {"\"a\\d\\a\"@x", "[|ada@x]"},
	    {"\"a\\\"b\\\\c\"@x", "[|\"a\\\"b\\\\c\"@x]"},
	    {"\"a@b\"@x", "[|\"a@b\"@x]"},
	    {"\"a@b\"", "[|*\"a@b\"]"},
	    {"\"a,b\"@x", "[|\"a,b\"@x]"},
	    {"\"\"@x", "[|\"\"@x]"},
	    {"\"a\r\n b\"@x", "[|\"a b\"@x]"},
	    {"a..b@x", "[|\"a..b\"@x]"},
	    {".a@x", "[|\".a\"@x]"},
	    {"a.@x", "[|\"a.\"@x]"},
	    {"\"a..b\"@x", "[|\"a..b\"@x]"},
	    {"\"a.b\"@x", "[|a.b@x]"},
	    {"\"\xc3\xa9 \"@x", "[|\"\xc3\xa9 \"@x]"},
	};

	WALK_ROWS("quotes", t);
}

static void
test_wrong(void)
{
	static const struct row t[] = {
	    {"ada lovelace", "!4"},
	    {"ada lovelace@x", "!4"},
	    {"a@x b@y", "!4"},
	    {"a@x.org b", "!8"},
	    {"a@x@y", "!3"},
	    {"@x", "!0"},
	    {"ok@x, @x", "[|ok@x]!6"},
	    {"a@", "!2"},
	    {"a@, b@x", "!2"},
	    {"a@.x", "!2"},
	    {"a@x..y", "!4"},
	    {"a@x y", "!4"},
	    {"a@\"x\"", "!2"},
	    {"\"a\"b@x", "!3"},
	    {"\"a\" \"b\"@x", "!4"},
	    {"a\\@b@x", "!1"},
	    {"a]@x", "!1"},
	    {"a>@x", "!1"},
	    {"<a@x> b", "!6"},
	    {"<a@x> <b@y>", "!6"},
	    {"<a@x>>", "!5"},
	    {"A <a@x", "!2"},
	    {"A <b <a@x>", "!2"},
	    {"<a@x, b@y>", "!4"},
	    {"<@a>", "!1"},
	    {"\"a@x", "!0"},
	    {"a@x, \"Bob <b@y>", "[|a@x]!5"},
	    {"a@x (b", "!4"},
	    {"(a (b) c@x", "!0"},
	    {"a@[1.2", "!2"},
	    {"a@[1]b", "!5"},
	    {"a@b[1]", "!3"},
	    {"a@[b@c]", "!4"},
	    {"a@[b\\]]", "!4"},
	    {"\\", "!0"},
	};
	struct address_walk w;
	struct address a;
	struct err e = {0};

	WALK_ROWS("wrong", t);
	address_walk_init(&w, span_of("a@x, Bob <b@y, c@z"));
	is_int(address_next(&w, &a, &e), 1, "one is well");
	is_int(address_next(&w, &a, &e), -1, "the next is not");
	is_str(e.text, "'<' is never closed: '<b@y, c@z'", "the text");
	is_int(address_next(&w, &a, &e), 0, "and it is over");
}

static void
test_spans(void)
{
	static const char list[] = "Ada <ada>, bob (B.) (Bob), c . d @ x (C)";
	struct address_walk w;
	struct address a;
	struct err e = {0};

	address_walk_init(&w, span_of(list));
	address_next(&w, &a, &e);
	is_mem(a.spec.p, a.spec.n, "ada", "in brackets");
	ok(a.spec.p == list + 5, "in its place");
	is_mem(a.name.p, a.name.n, "Ada", "a name as written");
	address_next(&w, &a, &e);
	is_mem(a.spec.p, a.spec.n, "bob", "without what is behind it");
	is_mem(a.name.p, a.name.n, "(Bob)", "the last comment");
	address_next(&w, &a, &e);
	is_mem(a.spec.p, a.spec.n, "c . d @ x", "with the blanks in it");
	ok(!a.local, "with a domain");
}

static void
test_one(void)
{
	struct address_walk w;
	struct address a;
	struct err e = {0};

	is_int(address_one(span_of(" Ada <ada@x>, "), &w, &a, &e), 0, "one");
	is_mem(a.text.p, a.text.n, "ada@x", "this one");
	is_int(address_one(span_of("<>"), &w, &a, &e), 0, "the null address");
	is_int(a.text.n, 0, "is empty");
	is_int(address_one(span_of(" , "), &w, &a, &e), -1, "none");
	is_str(e.text, "there is no address in ' , '", "says so");
	is_int(address_one(span_of("a@x, b@y"), &w, &a, &e), -1, "two");
	is_str(
	    e.text, "there is more than one address in 'a@x, b@y'", "and so");
	is_int(
	    address_one(span_of("a@x, b@"), &w, &a, &e), -1, "what is wrong");
	is_int(address_one(span_of("@"), &w, &a, &e), -1, "wrong at once");
}

static void
test_check(void)
{
	static const char *const good[] = {"a@x", "bob", "-a@x", "\"a b\"@x",
	    "\xc3\xa9@x", "\xf0\x9f\x90\x8b@x", "a@[IPv6:::1]"};
	static const char *const bad[] = {"", "a\x01@x", "a\x7f@x",
	    "\"a\tb\"@x", "a\r@x", "a\n@x", "\xe9@x", "a@\xc3", "\xc2\x85@x"};
	char text[300];
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		is_int(address_check(span_of(good[i]), &e), 0, "good %zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(address_check(span_of(bad[i]), &e) == -1 &&
			err_exit(&e) == EX_DATAERR,
		    "bad %zu", i);
	is_int(address_check(span_bytes("a\0b@x", 5), &e), -1, "a NUL");
	memset(text, 'a', sizeof(text));
	text[64] = '@';
	is_int(address_check(span_bytes(text, 254), &e), 0, "64 and 254");
	is_int(address_check(span_bytes(text, 255), &e), -1, "255 in all");
	text[64] = 'a';
	text[65] = '@';
	is_int(address_check(span_bytes(text, 70), &e), -1, "65 in front");
	is_int(address_check(span_bytes(text, 65), &e), -1, "or alone");
	address_check(span_of("a\x01@x"), &e);
	is_str(e.text, "address 'a\\x01@x' has a control character in it",
	    "says what and of which");
}

static void
test_long(void)
{
	char text[5000];
	struct address_walk w;
	struct address a;
	struct err e = {0};

	memset(text, 'a', sizeof(text));
	address_walk_init(&w, span_bytes(text, sizeof(text)));
	is_int(address_next(&w, &a, &e), -1, "a local part of 5,000");
	memcpy(text, "a@", 2);
	address_walk_init(&w, span_bytes(text, sizeof(text)));
	is_int(address_next(&w, &a, &e), -1, "a domain of 5,000");
	memset(text, '\\', sizeof(text));
	text[0] = text[1001] = '"';
	memcpy(text + 1002, "@x", 2);
	address_walk_init(&w, span_bytes(text, 1004));
	is_int(address_next(&w, &a, &e), 1, "500 backslashes");
	is_int(a.text.n, 1004, "remain so many");
	address_walk_init(&w, span_bytes("<a@x>", 5));
	is_int(address_next(&w, &a, &e), 1, "no NUL is needed at the end");
}

static void
test_domain(void)
{
	static const char *const t[][2] = {
	    {"a@x.org", "x.org"},
	    {"\"a@b\"@x", "x"},
	    {"\"a@b\"", ""},
	    {"bob", ""},
	    {"", ""},
	    {"a@[IPv6:::1]", "[IPv6:::1]"},
	};
	struct span d;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		d = address_domain(span_of(t[i][0]));
		is_mem(d.p, d.n, t[i][1], "domain of %s", t[i][0]);
	}
}

static int
compare(const char *a, const char *b)
{
	int c = address_compare(span_of(a), span_of(b));

	if ((c < 0) != (address_compare(span_of(b), span_of(a)) > 0))
		return 99;
	return c < 0 ? -1 : c > 0;
}

static void
test_compare(void)
{
	is_int(compare("a@x.org", "a@X.Org"), 0, "a domain in any case");
	is_int(compare("a@x", "A@x"), 1, "a local part as it is");
	is_int(compare("z@a", "a@b"), -1, "domains first");
	is_int(compare("a@x", "ab@x"), -1, "the shorter first");
	is_int(compare("a", "a@x"), -1, "without a domain first");
	is_int(compare("a@x", "a@xx"), -1, "the shorter domain first");
	is_int(compare("", ""), 0, "nothing is nothing");
}

static void
test_match(void)
{
	struct span ada = span_of("Ada@Lovelace.example");

	ok(address_match("ada@lovelace.example", ada), "in either case");
	ok(address_match("*@lovelace.example", ada), "of a domain");
	ok(address_match("ADA@*", ada), "of a name");
	ok(address_match("*", ada), "anything");
	ok(!address_match("ada@lovelace.exampl", ada), "not a part");
	ok(!address_match("*@x.lovelace.example", ada), "not another domain");
	ok(!address_match("ada@xlovelace.example", ada), "not a longer one");
	ok(address_match("inbox@*", span_of("INBOX@x")), "INBOX is no folder");
	ok(!address_match("a*", span_of("")), "nothing");
}

/* Runs of anything that might nest or never close take no time. */
static void
test_linear(void)
{
	static const char *const runs[] = {"(", "<", "\"", "\\\"", "[", "@[",
	    "<\"", "(\\", "a@b ", "<\\", "((\")<", "a@b,", "(a)", "a:", ":;",
	    ",", ".", "a.", "@a,", "<@", "(a)a@b,", "\"\"", "a@b;(", "<a@b>,"};
	size_t n = 1 << 20, i, k;
	char *big = malloc(n);
	struct address_walk w;
	struct address a;
	struct err e;
	clock_t start;

	if (big == NULL)
		abort();
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		for (k = 0; k < n; k++)
			big[k] = runs[i][k % strlen(runs[i])];
		start = clock();
		address_walk_init(&w, span_bytes(big, n));
		while (address_next(&w, &a, &e) == 1)
			;
		ok((double)(clock() - start) / CLOCKS_PER_SEC < 2,
		    "a megabyte of %s in linear time", runs[i]);
	}
	free(big);
}

/* What comes out of a walk, a walk leaves as it is. */
static void
test_normal(void)
{
	static const char chars[] = "ab.@<>,;:()[]\"\\ ";
	char text[24];
	struct address_walk w, again;
	struct address a, b;
	struct err e;
	size_t i, n, found = 0;

	for (i = 0; i < 300000; i++) {
		n = prng(sizeof(text));
		prng_text(text, n, chars, sizeof(chars) - 1);
		address_walk_init(&w, span_bytes(text, n));
		while (address_next(&w, &a, &e) == 1) {
			if (a.text.n == 0)
				continue;
			found++;
			quiet(address_one(a.text, &again, &b, &e) == 0 &&
				  span_same(a.text, b.text) && b.name.n == 0 &&
				  a.local == b.local,
			    "again: %.*s gives %.*s", (int)n, text,
			    SPAN(b.text));
		}
	}
	ok(tap_failed == 0 && found > 10000, "%zu of random lists", found);
}

int
main(void)
{
	test_plain();
	test_named();
	test_groups();
	test_obsolete();
	test_quotes();
	test_wrong();
	test_spans();
	test_one();
	test_check();
	test_long();
	test_domain();
	test_compare();
	test_match();
	test_linear();
	test_normal();
	return done();
}
