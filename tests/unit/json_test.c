/*
 * base/json: what is written, and that it is UTF-8 whatever it was.
 */

#include "base/json.h"

#include "base/enc.h"
#include "prng.h"
#include "tap.h"

static const char *
text(struct span s)
{
	static struct buf b;

	buf_clear(&b);
	buf_init(&b, 1024);
	quiet(json_text(&b, NULL, s) == 0, "text");
	return buf_cstr(&b);
}

static void
test_text(void)
{
	static const char nul[] = "a\0b";

	is_str(text(span_of("")), "\"\"", "empty");
	is_str(text(span_of("Ada")), "\"Ada\"", "plain");
	is_str(text(span_of("a\"b\\c/d")), "\"a\\\"b\\\\c/d\"", "quotes");
	is_str(text(span_of("\b\f\n\r\t\x01\x1f\x7f")),
	    "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"", "controls");
	is_str(text(span_bytes(nul, 3)), "\"a\\u0000b\"", "NUL");
	is_str(text(span_of("\xc3\xa9\xf0\x9f\x98\x80")),
	    "\"\xc3\xa9\xf0\x9f\x98\x80\"", "UTF-8 as it is");
	is_str(text(span_of("a\xff\xc3")), "\"a\xef\xbf\xbd\xef\xbf\xbd\"",
	    "what is none");
	is_str(text(span_of("\xed\xa0\x80")),
	    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "nor are surrogates");
	is_str(text(span_of("\xc3(")), "\"\xef\xbf\xbd(\"", "cut short");
}

static void
test_nested(void)
{
	struct buf b;
	int bad = 0;

	buf_init(&b, 1024);
	bad |= json_open(&b, NULL, '{');
	bad |= json_text(&b, "a\"", span_of("x"));
	bad |= json_number(&b, "n", -12);
	bad |= json_open(&b, "list", '[');
	bad |= json_null(&b, NULL);
	bad |= json_bool(&b, NULL, true);
	bad |= json_open(&b, NULL, '{');
	bad |= json_close(&b, '}');
	bad |= json_open(&b, NULL, '[');
	bad |= json_close(&b, ']');
	bad |= json_close(&b, ']');
	bad |= json_bool(&b, "no", false);
	bad |= json_number(&b, "big", INT64_MIN);
	bad |= json_close(&b, '}');
	bad |= buf_putc(&b, '\n');
	bad |= json_open(&b, NULL, '{');
	bad |= json_close(&b, '}');
	is_int(bad, 0, "written");
	is_str(buf_cstr(&b),
	    "{\"a\\\"\":\"x\",\"n\":-12,\"list\":[null,true,{},[]],"
	    "\"no\":false,\"big\":-9223372036854775808}\n{}",
	    "two lines");
	buf_clear(&b);
	buf_init(&b, 4);
	is_int(json_text(&b, "key", span_of("x")), -1, "the limit");
	buf_clear(&b);
}

static void
test_random(void)
{
	char in[64];
	const char *out;
	size_t i, k, n;

	for (i = 0; i < 20000; i++) {
		n = prng(sizeof(in));
		for (k = 0; k < n; k++)
			in[k] = (char)prng(256);
		out = text(span_bytes(in, n));
		quiet(enc_utf8_valid(span_of(out)) &&
			  strcspn(out, "\n\r\t\x01\x1f") == strlen(out),
		    "%zu: valid", i);
	}
	ok(tap_failed == 0, "20,000 random texts");
}

int
main(void)
{
	test_text();
	test_nested();
	test_random();
	return done();
}
