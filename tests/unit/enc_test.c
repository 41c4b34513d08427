/*
 * Encodings: the vectors of the RFCs, round trips, and what is refused.
 */

#include <stdlib.h>

#include "base/enc.h"
#include "prng.h"
#include "tap.h"

typedef int (*coder)(struct buf *, struct span);

/* What a coder makes of n bytes, NULL when it refuses; valid until the next. */
static const char *
code_bytes(coder f, const void *in, size_t n)
{
	static struct buf b;

	buf_clear(&b);
	buf_init(&b, 4096);
	return f(&b, span_bytes(in, n)) == 0 ? buf_cstr(&b) : NULL;
}

static const char *
code(coder f, const char *in)
{
	return code_bytes(f, in, strlen(in));
}

static void
test_base64(void)
{
	/* RFC 4648 section 10. */
	static const char *const v[][2] = {{"", ""}, {"f", "Zg=="},
	    {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {"Zg",
	    "Zg=", "Zg==Zg==", "Z===", "====", "Zm9v\n", "Zm9 ", "Zm=v",
	    "Zh==", "Zm9=", "Zm9-", "Zm8=\n", "A=AA", "=AAA"};
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		is_str(code(enc_base64, v[i][0]), v[i][1], "base64 %zu", i);
		is_str(code(dec_base64, v[i][1]), v[i][0], "and back %zu", i);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_str(code(dec_base64, bad[i]), NULL, "bad base64 %zu", i);
	is_str(code_bytes(enc_base64, "\xfb\xff\xbf\x00", 4),
	    "+/+/AA==", "all of the alphabet, and NUL");
}

static void
test_hex(void)
{
	is_str(code_bytes(enc_hex, "\x00\x7f\xff\x1a", 4), "007fff1a", "hex");
	is_str(code(dec_hex, "4a4B4c"), "JKL", "either case");
	is_str(code(dec_hex, "4a4"), NULL, "odd");
	is_str(code(dec_hex, "4g"), NULL, "no digit");
	is_str(code(dec_hex, "4:"), NULL, "no digit either");
}

static void
test_percent(void)
{
	is_str(code(enc_percent, "aZ9-._~"), "aZ9-._~", "unreserved");
	is_str(code(enc_percent, "a@b/\xc3\xa9 %"), "a%40b%2F%C3%A9%20%25",
	    "percent");
	is_str(code(dec_percent, "a%40b%2f+"), "a@b/+", "and back");
	is_str(code(dec_percent, "%00"), NULL, "no NUL");
	is_str(code(dec_percent, "%4"), NULL, "cut short");
	is_str(code(dec_percent, "%"), NULL, "cut shorter");
	is_str(code(dec_percent, "%4x"), NULL, "no digit");
}

static void
test_line(void)
{
	static const char in[] = "50% of\r\n\t \x7f\xc3\xa9\0.";
	struct buf b, back;

	buf_init(&b, 100);
	buf_init(&back, 100);
	is_int(enc_line(&b, span_bytes(in, sizeof(in) - 1), NULL), 0, "line");
	is_str(buf_cstr(&b), "50%25 of%0D%0A%09 %7F\xc3\xa9?.", "readable");
	is_int(dec_percent(&back, buf_span(&b)), 0, "and back");
	is_str(buf_cstr(&back), "50% of\r\n\t \x7f\xc3\xa9?.", "as it was");
	buf_reset(&b);
	is_int(enc_line(&b, span_of("a b;c"), " ;"), 0, "more");
	is_str(buf_cstr(&b), "a%20b%3Bc", "what is asked for, too");
	b.max = buf_span(&b).n + 1;
	is_int(enc_line(&b, span_of("%"), NULL), -1, "the limit");
	buf_clear(&b);
	buf_clear(&back);
}

static void
test_utf8(void)
{
	static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf",
	    "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
	    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80", "\xc3", "\xc0\x80",
	    "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
	    "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
	    "\xff", "\xe2\x82", "\xe2\x28\xa1", "a\xc3z"};
	struct span s = span_of("\xe2\x82\xac!");
	uint32_t cp = 0;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(enc_utf8_valid(span_of(good[i])), "valid UTF-8 %zu", i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!enc_utf8_valid(span_of(bad[i])), "invalid UTF-8 %zu", i);
	ok(enc_utf8_next(&s, &cp) && cp == 0x20ac && span_eq(s, "!"), "next");
	ok(enc_utf8_next(&s, &cp) && !enc_utf8_next(&s, &cp) && cp == '!',
	    "and the end");
}

static void
test_utf7(void)
{
	static const char *const v[][2] = {
	    /* RFC 3501 section 5.1.3. */
	    {"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac"
	     "\xe8\xaa\x9e",
		"~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
	    {"\xe2\x98\xba!", "&Jjo-!"},
	    {"", ""},
	    {"INBOX", "INBOX"},
	    {"a&b", "a&-b"},
	    {"&&", "&-&-"},
	    {"Entw\xc3\xbcrfe", "Entw&APw-rfe"},
	    {"\xc3\xbc&\xc3\xbc", "&APw-&-&APw-"},
	    {"\xf0\x9f\x93\xac", "&2D3c7A-"},
	    {"a\tb\x7f", "a&AAk-b&AH8-"},
	};
	static const char *const bad[] = {"&", "&APw", "&Jjo!",
	    "&U,BTFw-&ZeVnLIqe-", "&AGE-", "&APx-", "&APwA-", "&A-", "&AAAA-",
	    "&2D0-", "&3Kw-", "&2D0APw-", "&AP/-", "caf\xc3\xa9", "a\tb",
	    "&AP w-", "&AAA-", "&APw&-", "&ACY-"};
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		is_str(code(enc_utf7, v[i][0]), v[i][1], "utf7 %s", v[i][1]);
		is_str(code(dec_utf7, v[i][1]), v[i][0], "back %s", v[i][1]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_str(code(dec_utf7, bad[i]), NULL, "bad utf7 %zu", i);
	is_str(code(enc_utf7, "\xff"), NULL, "not UTF-8");
	is_str(code_bytes(enc_utf7, "a\0b", 3), NULL, "a NUL");
}

/* Whatever is encoded decodes to itself. */
static void
test_round_trips(void)
{
	static const struct {
		coder enc, dec;
		const char *name, *from;
		uint32_t n;
	} t[] = {
	    {enc_base64, dec_base64, "base64", "\0\1\x7f\x80\xff", 5},
	    {enc_hex, dec_hex, "hex", "\0\1\x7f\x80\xff", 5},
	    {enc_percent, dec_percent, "percent", "a%/\x80\xff", 5},
	};
	char in[64];
	struct buf a, b;
	size_t i, k, n;

	buf_init(&a, 1024);
	buf_init(&b, 1024);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (k = 0; k < 3000; k++) {
			n = prng(sizeof(in));
			prng_text(in, n, t[i].from, t[i].n);
			buf_reset(&a);
			buf_reset(&b);
			quiet(t[i].enc(&a, span_bytes(in, n)) == 0 &&
				  t[i].dec(&b, buf_span(&a)) == 0 &&
				  span_same(buf_span(&b), span_bytes(in, n)),
			    "%s round trip %zu", t[i].name, k);
		}
		ok(tap_failed == 0, "%s: 3,000 random round trips", t[i].name);
	}
	buf_clear(&a);
	buf_clear(&b);
}

/* Text of all sorts of characters there and back; and what decodes is the
 * one encoding of what it decodes to. */
static void
test_utf7_properties(void)
{
	static const char *const chars[] = {"a", "&", "-", "\xc3\xa9", "/",
	    "\xe6\x97\xa5", "\xf0\x9f\x93\xac", "\t"};
	struct buf text, a, b;
	char junk[10];
	size_t i, k;
	int hits = 0;

	buf_init(&text, 1024);
	buf_init(&a, 1024);
	buf_init(&b, 1024);
	for (i = 0; i < 100000; i++) {
		buf_reset(&text);
		buf_reset(&a);
		buf_reset(&b);
		for (k = prng(12); k > 0; k--)
			buf_puts(&text, chars[prng(8)]);
		quiet(enc_utf7(&a, buf_span(&text)) == 0 &&
			  dec_utf7(&b, buf_span(&a)) == 0 &&
			  span_same(buf_span(&b), buf_span(&text)),
		    "utf7 round trip %s", buf_cstr(&text));
		prng_text(junk, k = prng(sizeof(junk)), "&-APwDB,2", 9);
		buf_reset(&a);
		buf_reset(&b);
		if (dec_utf7(&a, span_bytes(junk, k)) == -1)
			continue;
		hits += k > 4;
		quiet(enc_utf7(&b, buf_span(&a)) == 0 &&
			  span_same(buf_span(&b), span_bytes(junk, k)),
		    "utf7 is canonical: %.*s", (int)k, junk);
	}
	ok(tap_failed == 0, "utf7: 100,000 random texts");
	ok(hits > 100, "of which %d random bytes that decode", hits);
	buf_clear(&text);
	buf_clear(&a);
	buf_clear(&b);
}

static void
test_limit(void)
{
	static const coder all[] = {enc_base64, dec_base64, enc_hex, dec_hex,
	    enc_percent, dec_percent, enc_utf7, dec_utf7};
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		buf_init(&b, 3);
		ok(all[i](&b, span_of("abcdabcd")) == -1, "limit of %zu", i);
		ok(buf_span(&b).n <= 3, "is kept");
		buf_clear(&b);
		buf_init(&b, 0);
		ok(all[i](&b, span_bytes(NULL, 0)) == 0, "nothing fits %zu", i);
	}
}

int
main(void)
{
	test_base64();
	test_hex();
	test_percent();
	test_line();
	test_utf8();
	test_utf7();
	test_round_trips();
	test_utf7_properties();
	test_limit();
	code(enc_hex, "");
	return done();
}
