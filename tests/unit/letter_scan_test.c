/*
 * The first pass over a message: line ends, where the header ends, what is in
 * the body; the same in whatever pieces it comes.
 */

#include "letter_run.h"

/* "header|body", or "!line: ..." as far as the row says. */
static const char *
shown(struct span in, size_t piece, bool dot)
{
	static char text[4096];
	struct run r;
	struct buf b;

	run_scan(&r, in, piece, dot);
	buf_init(&b, sizeof(text) - 1);
	if (r.rc == -1)
		buf_printf(&b, "%s%s", err_exit(&r.e) == EX_DATAERR ? "!" : "?",
		    r.e.text);
	else {
		run_show(&b, buf_span(&r.scan.header));
		buf_putc(&b, '|');
		run_show(&b, buf_span(&r.body));
		quiet(r.scan.size == r.body.len, "its size");
	}
	strlcpy(text, buf_cstr(&b), sizeof(text));
	buf_clear(&b);
	run_clear(&r);
	return text;
}

struct row {
	const char *in, *want;
};

static void
rows(const char *what, const struct row *t, size_t n, bool dot)
{
	struct span in;
	size_t i, k;

	for (i = 0; i < n; i++) {
		in = span_of(t[i].in);
		is_str(shown(in, WHOLE, dot), t[i].want, "%s %zu", what, i);
		is_str(shown(in, 1, dot), t[i].want, "%s %zu by byte", what, i);
		for (k = 0; k < 20; k++)
			quiet(strcmp(shown(in, RANDOM, dot), t[i].want) == 0,
			    "%s %zu in pieces", what, i);
	}
}
#define ROWS(what, t, dot) rows(what, t, sizeof(t) / sizeof((t)[0]), dot)

static void
test_line_ends(void)
{
	static const struct row t[] = {
	    {"A: b\r\n\r\nx\r\ny\r\n", "A: b\n|x\ny\n"},
	    {"A: b\n\nx\ny\n", "A: b\n|x\ny\n"},
	    {"A: b\r\rx\ry\r", "A: b\n|x\ny\n"},
	    {"A: b\r\r\nC: d\r\r\n\r\r\nx\r\r\ny", "A: b\nC: d\n|x\ny\n"},
	    {"A: b\r\n\r\nx\r\r\r\ny", "A: b\n|x\n\ny\n"},
	    {"A: b\r\n\r\nx\r\r\r\r\r\ny", "A: b\n|x\n\n\n\ny\n"},
	    {"A: b\r\n\r\nx\n\ry", "A: b\n|x\n\ny\n"},
	    {"A: b\n\r\nx\r\n\ny\n\n", "A: b\n|x\n\ny\n\n"},
	    {"A: b\r\n\r\nx", "A: b\n|x\n"},
	    {"A: b\r\n\r\nx\r", "A: b\n|x\n"},
	    {"A: b\r\n\r\nx\r\r", "A: b\n|x\n\n"},
	    {"A: b\r\n\r\n \t\x01\x7f\xff\r\n", "A: b\n| \t\x01\x7f\xff\n"},
	};

	ROWS("line ends", t, false);
}

static void
test_header_end(void)
{
	static const struct row t[] = {
	    {"", "|"},
	    {"\n", "|"},
	    {"\nhi", "|hi\n"},
	    {"\nSubject: x\n", "|Subject: x\n"},
	    {"hi\n", "|hi\n"},
	    {"hi there\nSubject: x\n\ny\n", "|hi there\nSubject: x\n\ny\n"},
	    {" Subject: x\n", "| Subject: x\n"},
	    {"Subject: x", "Subject: x\n|"},
	    {"Subject: x\n", "Subject: x\n|"},
	    {"Subject: x\n\n", "Subject: x\n|"},
	    {"Subject: x\n\n\n", "Subject: x\n|\n"},
	    {"Subject: x\n y\n\tz\n\nb", "Subject: x\n y\n\tz\n|b\n"},
	    {"Subject: x\n \n\nb", "Subject: x\n \n|b\n"},
	    {"Subject : x\n\nb", "Subject : x\n|b\n"},
	    {"A: b\n\nb", "A: b\n|b\n"},
	    {"A: b\nX-C: d\n", "A: b\nX-C: d\n|"},
	    {"resent-to: x\n", "resent-to: x\n|"},
	    /* what is no header at all */
	    {"Warning: disk full\n", "|Warning: disk full\n"},
	    {"Warning: disk full\non /home\n",
		"|Warning: disk full\non /home\n"},
	    {"Note: a\n  b\nc\n\nd\n", "|Note: a\n  b\nc\n\nd\n"},
	    {"http://x/\n", "|http://x/\n"},
	    /* what was one */
	    {"Subject: x\nno field\n", "!line 2: this is no header field: 'no "
				       "field'; an empty line has to stand "
				       "between the header and the text"},
	    {"A: b\n c\nTo: x\n\x01y\n\nb",
		"!line 4: this is no header field: '\\x01y'; an empty line has "
		"to stand between the header and the text"},
	};

	ROWS("header", t, false);
}

static void
test_in_front(void)
{
	static const struct row t[] = {
	    {"From ada Mon Nov 23 20:00:00 2026\nSubject: x\n\nb",
		"Subject: x\n|b\n"},
	    {"From ada\r\nTo: x\r\nno\r\n",
		"!line 3: this is no header field: 'no'; an empty line has to "
		"stand between the header and the text"},
	    {"From here\non it is text\n", "|From here\non it is text\n"},
	    {"From here\n\nit is text\n", "|From here\n\nit is text\n"},
	    {"From here\nNote: text\n", "|From here\nNote: text\n"},
	    {"From here\nFrom there\nTo: x\n",
		"|From here\nFrom there\nTo: x\n"},
	    {"From here", "|From here\n"},
	    {"From\n", "|From\n"},
	    {"from here\nTo: x\n", "|from here\nTo: x\n"},
	    {"From: x\n", "From: x\n|"},
	    {"Subject: x\n\nFrom here\n", "Subject: x\n|From here\n"},
	    {"\xef\xbb\xbfSubject: x\n\n\xef\xbb\xbf", "Subject: x\n|"
						       "\xef\xbb\xbf\n"},
	    {"\xef\xbb\xbfhi\n", "|\xef\xbb\xbfhi\n"},
	    {"\xef\xbb\xbf\xef\xbb\xbfTo: x\n", "|\xef\xbb\xbf\xef\xbb\xbfTo: "
						"x\n"},
	};
	struct run r;

	ROWS("in front", t, false);
	run_scan(&r, span_of(t[0].in), WHOLE, false);
	is_int(r.scan.header_line, 2, "the header begins in line 2");
	is_int(r.scan.lines, 4, "of 4");
	run_clear(&r);
}

static void
test_dot(void)
{
	static const struct row t[] = {
	    {"A: b\n\nx\n.\ny\n", "A: b\n|x\n"},
	    {"A: b\r\n\r\nx\r\n.\r\ny\r\n", "A: b\n|x\n"},
	    {"A: b\n\nx\n.", "A: b\n|x\n"},
	    {"A: b\n\nx\n.\r", "A: b\n|x\n"},
	    {"A: b\n\nx\n..\n.y\n .\n. \n.\nz", "A: b\n|x\n..\n.y\n .\n. \n"},
	    {"A: b\n\n.\n", "A: b\n|"},
	    {"To: b\n.\nx\n", "To: b\n|"},
	    {".\nx\n", "|"},
	    {"hi\n.\n", "|hi\n"},
	    {"x.\n.", "|x.\n"},
	    {"A: b\n\nx\n.\ny\rz\r\n", "A: b\n|x\n"},
	};
	static const struct row none[] = {
	    {"A: b\n\nx\n.\ny\n.", "A: b\n|x\n.\ny\n.\n"},
	    {".\nx\n", "|.\nx\n"},
	};
	static const char nul[] = "A: b\n\n.\nx\0y";

	ROWS("dot", t, true);
	ROWS("no dot", none, false);
	is_str(shown(span_bytes(nul, sizeof(nul)), 1, true), "A: b\n|",
	    "nothing behind the dot is looked at");
}

static void
test_nul(void)
{
	static const char why[] = "there is a NUL in it, and mail cannot carry "
				  "that; send it as an attachment";
	static const struct {
		const char *in;
		size_t n;
		int line;
	} t[] = {
	    {"\0", 1, 1},
	    {"a\0", 2, 1},
	    {"A: b\n\n\nx\0", 9, 4},
	    {"Subject\0: x\n", 12, 1},
	    {"A: b\r\rx\r\0", 9, 4},
	};
	char want[200];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(want, sizeof(want), "!line %d: %s", t[i].line, why);
		is_str(shown(span_bytes(t[i].in, t[i].n), WHOLE, false), want,
		    "NUL %zu", i);
		is_str(shown(span_bytes(t[i].in, t[i].n), 1, false), want,
		    "NUL %zu by byte", i);
	}
}

static void
test_facts(void)
{
	static const struct {
		const char *in;
		bool eight_bit, utf8;
	} t[] = {
	    {"Subject: \xff\n\nx\n", false, true},
	    {"A: b\n\nx \xc3\xa9\n", true, true},
	    {"A: b\n\n\xe6\x97\xa5\xf0\x9f\x90\x8b\xf4\x8f\xbf\xbf\n", true,
		true},
	    {"A: b\n\nx \xe9\n", true, false},
	    {"A: b\n\n\xc3", true, false},
	    {"A: b\n\n\xc3\n\xa9", true, false},
	    {"A: b\n\n\xc3\x61", true, false},
	    {"A: b\n\n\xc0\x80\n", true, false},
	    {"A: b\n\n\xe0\x9f\xbf\n", true, false},
	    {"A: b\n\n\xed\xa0\x80\n", true, false},
	    {"A: b\n\n\xf0\x8f\xbf\xbf\n", true, false},
	    {"A: b\n\n\xf4\x90\x80\x80\n", true, false},
	    {"A: b\n\n\xf5\x80\x80\x80\n", true, false},
	    {"h\xc3\xa9\n", true, true},
	};
	struct run r;
	size_t i, piece;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (piece = 1; piece != 0; piece = piece == 1 ? WHOLE : 0) {
			run_scan(&r, span_of(t[i].in), piece, false);
			ok(r.scan.eight_bit == t[i].eight_bit &&
				r.scan.utf8 == t[i].utf8,
			    "octets %zu", i);
			run_clear(&r);
		}
}

static void
test_long_lines(void)
{
	char text[4000];
	struct run r;
	size_t piece;

	memset(text, 'x', sizeof(text));
	memcpy(text, "A: b\n\n", 6);
	text[6 + 998] = '\n';
	text[6 + 998 + 1 + 999] = '\n';
	text[3600] = '\n';
	for (piece = 1; piece != 0; piece = piece == 1 ? WHOLE : 0) {
		run_scan(&r, span_bytes(text, 1005), piece, false);
		is_int(r.scan.longest, 998, "998 octets");
		is_int(r.scan.long_line, 0, "are not too many");
		run_clear(&r);
		run_scan(&r, span_bytes(text, sizeof(text)), piece, false);
		is_int(r.scan.longest, 1595, "the longest line");
		is_int(r.scan.long_line, 4, "the first that is too long");
		run_clear(&r);
		run_scan(&r, span_bytes(text + 6, 998 + 1 + 999), piece, false);
		is_int(r.scan.long_line, 2, "without header and line end");
		run_clear(&r);
	}
}

/* n octets from a pattern, fed and drained in between; -1 or 0. */
static int
feed_much(struct run *r, const char *begin, const char *pattern, size_t n)
{
	size_t len = strlen(pattern), i;

	*r = (struct run){.rc = 0};
	letter_scan_init(&r->scan, false);
	buf_init(&r->body, LETTER_ROOM(100));
	r->rc =
	    letter_scan_feed(&r->scan, begin, strlen(begin), &r->body, &r->e);
	for (i = 0; i < n && r->rc == 0; i += len) {
		r->rc =
		    letter_scan_feed(&r->scan, pattern, len, &r->body, &r->e);
		buf_reset(&r->body);
	}
	if (r->rc == 0)
		r->rc = letter_scan_end(&r->scan, &r->body, &r->e);
	return r->rc;
}

static void
test_large(void)
{
	static const char line[] = "0123456789 0123456789 0123456789\n";
	size_t mega = 1 << 20;
	struct run r;

	is_int(feed_much(
		   &r, "Subject: x\n", "X-A: 0123456789 01234567\n", 2 * mega),
	    -1, "a header over 1 MiB");
	is_str(
	    r.e.text, "line 40331: the header is larger than 1 MiB", "says so");
	run_clear(&r);
	is_int(feed_much(&r, "Subject: ", "0123456789", 2 * mega), -1,
	    "in one field");
	is_str(r.e.text, "line 1: the header is larger than 1 MiB", "too");
	run_clear(&r);
	is_int(feed_much(&r, "", "0123456789", 2 * mega), 0,
	    "text in one line of 2 MiB");
	is_int(r.scan.longest, 2097160, "is a body");
	is_int(r.scan.size, 2097162, "all of it");
	is_int(r.scan.header.len, 0, "and no header");
	run_clear(&r);
	is_int(
	    feed_much(&r, "", "Note: so it goes on and on and on\n", 2 * mega),
	    0, "as are notes");
	is_int(r.scan.header.len, 0, "of any number");
	is_int(r.scan.longest, 33, "with lines of their own");
	is_int(r.scan.lines * 35, r.scan.size, "every one");
	run_clear(&r);
	is_int(feed_much(&r, "Subject: x\n\n", line, 20 * mega), 0,
	    "a body of 20 MiB");
	is_int(r.scan.size, r.scan.lines * 34 - 2 * 34, "passes through");
	run_clear(&r);
}

static void
test_room(void)
{
	struct letter_scan s;
	struct buf out;
	struct err e;

	letter_scan_init(&s, false);
	buf_init(&out, 10);
	is_int(letter_scan_feed(&s, "A: b\n\n0123456789", 16, &out, &e), 0,
	    "as much as there is room for");
	is_int(letter_scan_feed(&s, "x", 1, &out, &e), -1, "and no more");
	is_int(err_exit(&e), EX_SOFTWARE, "is the caller's mistake");
	letter_scan_clear(&s);
	buf_clear(&out);
}

/*
 * What has made servers see the end of one message and the begin of another
 * (CVE-2023-51764 and kin): after this pass all of it is lines.
 */
static void
test_smuggling(void)
{
	static const char *const t[] = {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r",
	    "\r.\r\n", "\r\n.\r", "\n.\r", "\r\r.\r\r", "\r\n\r.\r\n",
	    "\r\n.\r\r\n", "\r\n.\n\r\n", "\n\r.\n\r", "\r\n\x01.\r\n"};
	char text[100];
	struct run r;
	struct span s;
	size_t i, k;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "To: a\r\n\r\nx%sMAIL FROM:<>\r\n",
		    t[i]);
		run_scan(&r, span_of(text), 1, false);
		s = buf_span(&r.body);
		for (k = 0; k < s.n; k++) {
			if (s.p[k] == '\r')
				quiet(k + 1 < s.n && s.p[k + 1] == '\n',
				    "a CR alone in %zu", i);
			if (s.p[k] == '\n')
				quiet(k > 0 && s.p[k - 1] == '\r',
				    "a LF alone in %zu", i);
		}
		ok(tap_failed == 0 && s.n >= 20, "inert %zu", i);
		run_clear(&r);
	}
}

static void
test_pieces(void)
{
	static const char chars[] = "\r\n\r\n. :TxFo\xc3\xa9";
	char text[48], *want;
	size_t i, k, n;
	bool dot;

	for (i = 0; i < 100000; i++) {
		memcpy(text, "From a\nTo: b\n", 13);
		k = i % 3 == 0 ? 13 : i % 3 == 1 ? 7 : 0;
		n = k + prng((uint32_t)(sizeof(text) - k));
		prng_text(text + k, n - k, chars, sizeof(chars) - 1);
		dot = i % 2 == 0;
		want = mem_strdup(shown(span_bytes(text, n), WHOLE, dot));
		quiet(
		    strcmp(want, shown(span_bytes(text, n), RANDOM, dot)) == 0,
		    "in pieces: %s", want);
		quiet(strchr(want, '#') == NULL, "lines only: %s", want);
		free(want);
	}
	ok(tap_failed == 0, "100,000 random texts in pieces");
}

int
main(void)
{
	test_line_ends();
	test_header_end();
	test_in_front();
	test_dot();
	test_nul();
	test_facts();
	test_long_lines();
	test_large();
	test_room();
	test_smuggling();
	test_pieces();
	return done();
}
