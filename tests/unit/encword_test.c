/*
 * Encoded words: against a decoder that is written after the same RFC.
 */

#include <stdlib.h>

#include "base/enc.h"
#include "base/encword.h"
#include "prng.h"
#include "tap.h"

static const char *
encode(const char *text, size_t column)
{
	static char out[1024];
	struct buf b;

	buf_init(&b, sizeof(out) - 1);
	is_int(encword(&b, span_of(text), column), 0, "encode %s", text);
	strlcpy(out, buf_cstr(&b), sizeof(out));
	buf_clear(&b);
	return out;
}

static void
test_encode(void)
{
	static const char *const t[][2] = {
	    {"", ""},
	    {"a", "=?utf-8?Q?a?="},
	    {"\xc3\xa9t\xc3\xa9", "=?utf-8?B?w6l0w6k=?="},
	    {"gr\xc3\xbc"
	     "n an alle",
		"=?utf-8?Q?gr=C3=BCn_an_alle?="},
	    {"\xc3\xa9 (x) \"y\" =?_,;",
		"=?utf-8?B?w6kgKHgpICJ5IiA9P18sOw==?="},
	    {"gr\xfc\xdf"
	     "e an alle",
		"=?unknown-8bit?Q?gr=FC=DFe_an_alle?="},
	    {"a\r\n\tb", "=?utf-8?B?YQ0KCWI=?="},
	    {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"=?utf-8?B?5pel5pys6Kqe?="},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(encode(t[i][0], 0), t[i][1], "encoded %zu", i);
	is_str(encode("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9",
		   9),
	    "=?utf-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa?="
	    "\r\n =?utf-8?Q?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=C3=A9?=",
	    "a long one");
}

static void
test_is(void)
{
	static const char *const yes[] = {"=?utf-8?Q?a?=", "=?x?b?"
							   "?="};
	static const char *const no[] = {"", "=?", "=?=", "=?x?=", "=?x?Q?a",
	    "=?x?Q?a?=b",
	    "a=?x?Q?a?=", "=?x?Q?a b?=", "=??Q?a?=", "=?x?QQ?a?="};
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		ok(encword_is(span_of(yes[i])), "is %s", yes[i]);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		ok(!encword_is(span_of(no[i])), "is not %s", no[i]);
}

/* The text of one word's last part, appended. */
static bool
decode_word(struct buf *out, bool base64, struct span s)
{
	size_t i;

	if (base64)
		return dec_base64(out, s) == 0;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '_')
			buf_putc(out, ' ');
		else if (s.p[i] != '=')
			buf_putc(out, s.p[i]);
		else if (i + 2 >= s.n ||
			 dec_hex(out, span_bytes(s.p + i + 1, 2)) == -1)
			return false;
		else
			i += 2;
	}
	return true;
}

/* All words of *s; false for anything that is not allowed. */
static bool
decode(struct buf *out, struct span s, size_t column, bool *utf8)
{
	struct span word, charset, coding, content;
	bool whole;
	size_t start;

	while (s.n > 0) {
		word = s;
		while (span_find(word, '\r') != -1)
			word.n = (size_t)span_find(word, '\r');
		if (column + word.n > ENCWORD_LINE || word.n > 75 ||
		    !encword_is(word))
			return false;
		s = span_skip(s, word.n);
		if (s.n > 0 && !span_prefix(s, "\r\n ="))
			return false;
		s = span_skip(s, 3);
		column = 1;
		word = span_bytes(word.p + 2, word.n - 4);
		if (!span_cut(&word, '?', &charset) ||
		    !span_cut(&word, '?', &coding))
			return false;
		content = word;
		*utf8 = span_eq(charset, "utf-8");
		start = out->len;
		if (!decode_word(out, span_eq(coding, "B"), content))
			return false;
		whole = enc_utf8_valid(span_skip(buf_span(out), start));
		if (*utf8 && !whole)
			return false;
	}
	return true;
}

static void
test_random(void)
{
	static const char chars[] = "aaa e_=?\"(\x01\r\n";
	static const char *const wide[] = {
	    "\xc3\xa9", "\xe6\x97\xa5", "\xf0\x9f\x90\x8b", "\xff"};
	struct buf text, out, back;
	size_t i, k, n, column;
	uint32_t share, kinds;
	bool utf8, q = false, b = false;

	buf_init(&text, 4096);
	buf_init(&out, 65536);
	buf_init(&back, 4096);
	for (i = 0; i < 20000; i++) {
		buf_reset(&text);
		buf_reset(&out);
		buf_reset(&back);
		n = prng(200);
		share = prng(5);
		kinds = i % 10 == 0 ? 4 : 3;
		for (k = 0; k < n; k++) {
			if (prng(4) < share)
				buf_puts(&text, wide[prng(kinds)]);
			else
				buf_putc(&text, chars[prng(sizeof(chars) - 1)]);
		}
		column = prng(ENCWORD_LINE - ENCWORD_LEAST + 1);
		encword(&out, buf_span(&text), column);
		utf8 = true;
		quiet(decode(&back, buf_span(&out), column, &utf8),
		    "well-formed: %s", buf_cstr(&out));
		quiet(span_same(buf_span(&back), buf_span(&text)),
		    "comes back: %s", buf_cstr(&out));
		quiet(utf8 == enc_utf8_valid(buf_span(&text)), "its charset");
		q |= strstr(buf_cstr(&out), "?Q?") != NULL;
		b |= strstr(buf_cstr(&out), "?B?") != NULL;
	}
	ok(tap_failed == 0 && q && b, "20,000 random texts");
	buf_clear(&text);
	buf_clear(&out);
	buf_clear(&back);
	buf_init(&out, 20);
	is_int(
	    encword(&out, span_of("too long for it"), 0), -1, "over the limit");
	buf_clear(&out);
}

int
main(void)
{
	test_encode();
	test_is();
	test_random();
	return done();
}
