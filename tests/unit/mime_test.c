/*
 * Messages made fit for SMTP: each structure and encoding as before and after,
 * whatever the pieces it comes in, with the properties of mime_check.h; then
 * real messages.
 *
 * In the tables, '|' stands for CRLF, '~' for an octet over 127, '@' for a
 * line of 1000 x, '#' for that line in quoted-printable, '%' in base64, and
 * '^' if it is broken where four octets are before it.
 */

#include <dirent.h>
#include <stdlib.h>

#include "mime_check.h"
#include "tap.h"

#define S MIME_SEVEN
#define L MIME_LINES
#define T MIME_LABELS

static void
put_line(struct buf *out, size_t col, size_t width, const char *end)
{
	size_t i;

	for (i = 0; i < 1000; i++, col++) {
		if (col > 0 && col % width == 0)
			buf_puts(out, end);
		buf_putc(out, 'x');
	}
}

static void
put_base64(struct buf *out)
{
	size_t i;

	for (i = 0; i < 333; i++)
		buf_puts(out, i > 0 && i % 19 == 0 ? "\r\neHh4" : "eHh4");
	buf_puts(out, "eA==");
}

static void
expand(const char *s, struct buf *out)
{
	buf_init(out, SIZE_MAX / 2);
	for (; *s != '\0'; s++) {
		if (*s == '|')
			buf_puts(out, "\r\n");
		else if (*s == '~')
			buf_putc(out, '\xe9');
		else if (*s == '@')
			put_line(out, 0, 1000, "");
		else if (*s == '#')
			put_line(out, 0, 75, "=\r\n");
		else if (*s == '^')
			put_line(out, 4, 998, "\r\n");
		else if (*s == '%')
			put_base64(out);
		else
			buf_putc(out, *s);
	}
}

#define CTE "Content-Transfer-Encoding: "
#define QP CTE "quoted-printable|"
#define V "MIME-Version: 1.0|"
#define MIXED "Content-Type: multipart/mixed; boundary=b|"
#define INNER "Content-Type: multipart/mixed; boundary=bb|"
#define THIRD "Content-Type: multipart/mixed; boundary=c|"
#define SIGNED "Content-Type: multipart/signed; boundary=bb|"
#define DIGEST "Content-Type: multipart/digest; boundary=b|"
#define MESSAGE "Content-Type: message/rfc822|"
#define DATA "Content-Type: application/x-y|"

struct row {
	const char *name;
	unsigned int purposes;
	const char *in, *out; /* NULL: stays as it is */
};

static const struct row rows[] = {
    {"nothing", S | L | T, "", NULL},
    {"a header alone", S | L | T, "Subject: a|", NULL},
    {"an end of line alone", S | L | T, "|", NULL},
    {"plain text", S | L | T, V "Subject: a||cafe|", NULL},

    /* text */
    {"8-bit", S, V "A: b||caf~|", V "A: b|" QP "|caf=E9|"},
    {"8-bit, no MIME", S, "A: b||caf~|", "A: b|" V QP "|caf=E9|"},
    {"8-bit, no header", S, "|caf~|", V QP "|caf=E9|"},
    {"8-bit, but short lines", L, V "A: b||caf~|", NULL},
    {"long line", L, V "A: b||@|", V "A: b|" QP "|#|"},
    {"long line, but 7 bits", S, V "A: b||@|", NULL},
    {"label in its place", S, V CTE "8bit|A: b||~|", V QP "A: b||=E9|"},
    {"folded label", S, V CTE "|  (x)| 8BIT (y|\t)|A: b||~|",
	V QP "A: b||=E9|"},
    {"two labels", S, CTE "7bit|" V "content-transfer-encoding: 8bit|A: b||~|",
	QP V "A: b||=E9|"},
    {"no end of line", S, V "A: b||~", V "A: b|" QP "|=E9"},
    {"blanks at line ends", S, V "|~ |a\t|b  |  |c ",
	V QP "|=E9=20|a=09|b =20|"
	     " =20|c=20"},
    {"equals sign", S, V "|~=E9=|", V QP "|=E9=3DE9=3D|"},
    {"From and dots", S, V "|~|From a|>From b|From|Fromage a|.|..|.a|a.|",
	V QP "|=E9|From=20a|>From b|From|Fromage a|=2E|=2E.|=2Ea|a.|"},
    {"dashes", S, V "|~|--b|-- |-|a--|", V QP "|=E9|=2D-b|=2D-=20|=2D|a--|"},
    {"control characters", S, V "|~\x01\x7f\t.|", V QP "|=E9=01=7F\t.|"},
    {"misspelt label", S, V CTE "8-bit||~|", V QP "|=E9|"},
    {"empty label", S, V CTE "||~|", V QP "|=E9|"},
    {"CR and LF alone", L, V "|a\rb\n\r\r|\r", V QP "|a=0Db=0A=0D=0D|=0D"},
    {"private label", S | L | T, V CTE "x-uuencode||~@|", NULL},
    {"message-like", S, V "Content-Type: message/global||A: ~||~|",
	V "Content-Type: message/global|" QP "|A: =E9||=E9|"},
    {"a type that cannot be read", S, V "Content-Type: text||~|",
	V "Content-Type: text|" QP "|=E9|"},

    /* other leaves */
    {"data", S, V DATA CTE "8bit||~~~|~", V DATA CTE "base64||6enpDQrp|"},
    {"data with a long line", L, V DATA CTE "binary||@",
	V DATA CTE "base64||%|"},
    {"binary that is not", L, V DATA CTE "binary||a|", V DATA CTE "7bit||a|"},
    {"binary that is text", T, V CTE "binary||~|", V CTE "8bit||~|"},

    /* encoded already */
    {"quoted-printable", S, V QP "|a=E9~=e|= |~=|= \t|b \t|--|~",
	V QP "|a=E9=E9=3De|=|=E9=|=|b|=2D-|=E9"},
    {"long quoted-printable", L, V QP "|@|", V QP "|#|"},
    {"nothing against quoted-printable", S | L | T, V QP "|--|From a|=|", NULL},
    {"base64", S, V CTE "base64||QU~JD|==- |QQ==|",
	V CTE "base64||QUJD==QQ==|"},

    /* labels */
    {"7bit over 8-bit", T, V CTE "7bit||~|", V CTE "8bit||~|"},
    {"no label over 8-bit", T, "A: b||~|", "A: b|" V CTE "8bit||~|"},
    {"8bit over 7 bits", T | L, V CTE "8bit||a|", NULL},
    {"8bit over 7 bits, and 7 are wanted", S, V CTE "8bit||a|",
	V CTE "7bit||a|"},
    {"parents of 8-bit", T, V MIXED "|--b|" CTE "8bit||~|--b--|",
	V MIXED CTE "8bit||--b|" CTE "8bit||~|--b--|"},
    {"parents of what was encoded", L, V CTE "8bit|" MIXED "|--b||@|--b--|",
	V CTE "7bit|" MIXED "|--b|" QP "|#|--b--|"},
    {"parents of what was encoded, and of 8-bit", L,
	V CTE "binary|" MIXED "|--b||@|--b||~|--b--|",
	V CTE "8bit|" MIXED "|--b|" QP "|#|--b||~|--b--|"},
    {"a message within", S, V MESSAGE CTE "8bit||" CTE "8bit|A: b||~|",
	V MESSAGE CTE "7bit||" QP "A: b|" V "|=E9|"},
    {"8-bit header within", S | T, V MESSAGE "|A: ~||b|",
	V MESSAGE CTE "8bit||A: ~||b|"},
    {"MIME-Version where something below it changes", S, MIXED "|--b||~|--b--|",
	MIXED V "|--b|" QP "|=E9|--b--|"},

    /* structures */
    {"two parts", S, V MIXED "|--b||~|--b|A: b||~ ||--b--||",
	V MIXED "|--b|" QP "|=E9|--b|A: b|" QP "|=E9=20||--b--||"},
    {"data in parts", S, V MIXED "|--b|" DATA "|~|--b--|",
	V MIXED "|--b|" DATA CTE "base64||6Q==|--b--|"},
    {"quotes and blanks", S,
	V "Content-Type: multipart/mixed; x=\"y;\\\" boundary=n\";|"
	  "\tboundary=\"b (1|  )\" ; z||--b (1  ) \t||~|--b (1  )--|",
	V "Content-Type: multipart/mixed; x=\"y;\\\" boundary=n\";|"
	  "\tboundary=\"b (1|  )\" ; z||--b (1  ) \t|" QP "|=E9|--b (1  )--|"},
    {"comments", S,
	V
	"Content-Type:| (a (b) \\) ;) multipart (c) / (d) Mixed (; boundary=n)|"
	" ; (e) BOUNDARY (f) = (g) b(h)||--b||~|--b--|",
	V
	"Content-Type:| (a (b) \\) ;) multipart (c) / (d) Mixed (; boundary=n)|"
	" ; (e) BOUNDARY (f) = (g) b(h)||--b|" QP "|=E9|--b--|"},
    {"no quotes where they should be", S,
	V "Content-Type: multipart/mixed boundary==_b/1;||--=_b/1||~|--=_b/1--",
	V "Content-Type: multipart/mixed boundary==_b/1;||--=_b/1|" QP
	  "|=E9|--=_b/1--"},
    {"one boundary begins with the other", S,
	V MIXED "|--b|" INNER "|--bb||~|--bb||~|--bb--|--b||~|--b--|",
	V MIXED "|--b|" INNER "|--bb|" QP "|=E9|--bb|" QP "|=E9|--bb--|--b|" QP
		"|=E9|--b--|"},
    {"the other way round", S,
	V INNER "|--bb|" MIXED "|--b||~|--b--|--bb||~|--bb--|",
	V INNER "|--bb|" MIXED "|--b|" QP "|=E9|--b--|--bb|" QP "|=E9|--bb--|"},
    {"no boundary, as more follows it", S, V MIXED "|--b||~|--bx|--b- -|--b--|",
	V MIXED "|--b|" QP "|=E9|=2D-bx|=2D-b- -|--b--|"},
    {"an end that is missing", S, V MIXED "|--b||~|",
	V MIXED "|--b|" QP "|=E9|"},
    {"an inner end that is missing", S,
	V MIXED "|--b|" INNER "|--bb||~|--b||~|--b--|",
	V MIXED "|--b|" INNER "|--bb|" QP "|=E9|--b|" QP "|=E9|--b--|"},
    {"prologue and epilogue", S, V MIXED "|a ~|--b|||--b--|~|--b|-~\t@",
	V MIXED "|a ?|--b|||--b--|?| --b| -?\t^"},
    {"prologue, untouched", S, V MIXED "|a @|--b||~|--b--|c|",
	V MIXED "|a @|--b|" QP "|=E9|--b--|c|"},
    {"headers cut by a boundary", S, V MIXED "|--b|A: b|--b|--b||~|--b|C: d",
	V MIXED "|--b|A: b|--b|--b|" QP "|=E9|--b|C: d"},
    {"a digest", S,
	V DIGEST "|--b||A: b||~|--b|" CTE "8bit||A: b||~|--b|"
		 "Content-Type: text/x||~|--b--|",
	V DIGEST "|--b||A: b|" V QP "|=E9|--b|" CTE "7bit||A: b|" V QP
		 "|=E9|--b|Content-Type: text/x|" QP "|=E9|--b--|"},
    {"parts in a message in a part", S,
	V MIXED "|--b|" MESSAGE "|" V INNER "|--bb||~|--bb--|~|--b||~|--b--|",
	V MIXED "|--b|" MESSAGE "|" V INNER "|--bb|" QP "|=E9|--bb--|?|--b|" QP
		"|=E9|--b--|"},
    {"a message that is encoded", L, V MESSAGE QP "|" MIXED "|--b||@|",
	V MESSAGE QP "|Content-Type: multipart/mixed; boundary=3Db||=2D-b||#|"},

    /* what must stay */
    {"signed", S | L, V SIGNED "|~|--bb||~@|--bb--|", NULL},
    {"signed, and its label", S | L | T, V SIGNED "|--bb||~@|--bb--|",
	V SIGNED CTE "8bit||--bb||~@|--bb--|"},
    {"a signed part", S | L | T,
	V MIXED "|--b|" SIGNED "|--bb|" THIRD CTE
		"binary||--c||@~|--c--|--bb--|--b||~|--b--|",
	V MIXED CTE "8bit||--b|" SIGNED CTE "8bit||--bb|" THIRD CTE
		    "binary||--c||@~|--c--|--bb--|--b|" QP "|=E9|--b--|"},
    {"encrypted", S | L,
	V "Content-Type: multipart/encrypted; boundary=b||--b||~|--b--|", NULL},
    {"pkcs7", S | L, V "Content-Type: application/pkcs7-mime||~@|", NULL},
    {"a multipart without a boundary", S | L | T,
	V "Content-Type: multipart/mixed||--b||~@|", NULL},
    {"a boundary that never comes", S | L | T, V MIXED "|~@|", NULL},
    {"partial", S | L | T, V "Content-Type: message/partial||~@|", NULL},
};

static void
test_row(const struct row *r)
{
	static const char *const how[] = {"whole", "by octets", "in pieces"};
	struct buf in, out, want;
	const char *bad;
	enum split i;

	expand(r->in, &in);
	expand(r->out != NULL ? r->out : r->in, &want);
	for (i = WHOLE; i <= RANDOM; i++) {
		bad = check_mime(buf_span(&in), r->purposes, i, &out);
		if (bad == NULL)
			is_mem(out.data, out.len, buf_cstr(&want), "%s, %s",
			    r->name, how[i]);
		else
			ok(false, "%s, %s: %s", r->name, how[i], bad);
		buf_clear(&out);
	}
	buf_clear(&in);
	buf_clear(&want);
}

/* --- facts -------------------------------------------------------------- */

static const char *
facts(struct span in)
{
	static char text[200];
	struct mime *m = scan(in, WHOLE);
	const struct mime_facts *f = mime_facts(m);

	snprintf(text, sizeof(text), "%zu%s%s%s%s%s%s%s%s%s%s", f->parts,
	    f->eight_bit ? " 8" : "", f->long_line ? " long" : "",
	    f->binary ? " binary" : "", f->sealed_eight_bit ? " sealed-8" : "",
	    f->sealed_long_line ? " sealed-long" : "",
	    f->opaque_eight_bit ? " opaque-8" : "",
	    f->opaque_long_line ? " opaque-long" : "",
	    f->header_eight_bit ? " header-8" : "",
	    f->parts_eight_bit ? " parts-8" : "",
	    f->header_long_line ? " header-long" : "");
	mime_free(m);
	return text;
}

static void
test_facts(void)
{
	static const char *const t[][2] = {
	    {"", "1"},
	    {"A: b||c|", "1"},
	    {"A: ~||c|", "1 header-8"},
	    {"A: b||~|", "1 8"},
	    {"A: @||b|", "1 header-long"},
	    {"A: b||@|", "1 long"},
	    {"A: b||@", "1 long"},
	    {CTE "binary||b|", "1 binary"},
	    {MIXED "|~|--b||@|--b--|", "2 8 long"},
	    {MIXED "|--b||--b|A: ~||--b--|", "3 parts-8"},
	    {MIXED "|--b|A: @", "2 header-long"},
	    {MESSAGE "|A: ~|", "2 parts-8"},
	    {SIGNED "|--bb||~|--bb||@|--bb--|",
		"3 8 long sealed-8 sealed-long"},
	    {MIXED "|--b|" SIGNED "|--bb--|--b||~@|", "3 8 long"},
	    {SIGNED "|--bb|" MESSAGE "|" CTE "binary||~|",
		"3 8 binary sealed-8"},
	    {"Content-Type: application/x-pkcs7-mime||~|", "1 8 sealed-8"},
	    {MIXED "|~@|--c||", "1 8 long opaque-8 opaque-long"},
	    {"Content-Type: message/external-body||~|", "1 8 opaque-8"},
	    {CTE "x-y||~|", "1 8 opaque-8"},
	};
	struct buf in;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		expand(t[i][0], &in);
		is_str(facts(buf_span(&in)), t[i][1], "facts %zu", i);
		buf_clear(&in);
	}
}

/* What is left is foretold. */
static void
test_plan(void)
{
	struct mime_plan plan;
	struct buf in;
	struct mime *m;

	expand(V MIXED "|--b|" SIGNED "|--bb||~|--bb--|--b||@|--b--|", &in);
	m = scan(buf_span(&in), WHOLE);
	mime_plan(m, MIME_SEVEN, &plan);
	ok(!plan.changes && plan.eight_bit && plan.long_line,
	    "nothing can be done against signed 8-bit text");
	mime_plan(m, MIME_LINES, &plan);
	ok(plan.changes && plan.eight_bit && !plan.long_line,
	    "but against long lines beside it");
	mime_plan(m, 0, &plan);
	ok(!plan.changes && plan.eight_bit && plan.long_line, "for nothing");
	mime_free(m);
	buf_clear(&in);
}

/* --- limits ------------------------------------------------------------- */

static void
is_checked(const struct buf *in, const char *want, const char *name)
{
	struct buf out;
	const char *bad = check_mime(buf_span(in), S | L | T, RANDOM, &out);

	ok(bad == NULL, "%s%s%s", name, bad != NULL ? ": " : "",
	    bad != NULL ? bad : "");
	is_str(facts(buf_span(in)), want, "%s: what is in it", name);
	buf_clear(&out);
}

static void
test_line_limit(void)
{
	struct mime_plan plan;
	struct buf in;
	struct mime *m;
	size_t n;

	for (n = 997; n <= 999; n++) {
		buf_init(&in, SIZE_MAX / 2);
		buf_puts(&in, "A: b\r\n\r\nc\r\n");
		memset(buf_reserve(&in, n), 'x', n);
		buf_commit(&in, n);
		buf_puts(&in, "\r\n");
		m = scan(buf_span(&in), RANDOM);
		mime_plan(m, MIME_LINES, &plan);
		is_int(plan.changes, n > 998, "a line of %zu", n);
		mime_free(m);
		buf_clear(&in);
	}
}

static void
nest(struct buf *in, unsigned int levels)
{
	unsigned int i;

	buf_init(in, SIZE_MAX / 2);
	for (i = 0; i < levels; i++)
		buf_printf(in,
		    "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n"
		    "--b%u\r\n",
		    i, i);
	buf_puts(in, "\r\n\xe9\r\n");
	for (i = levels; i > 0; i--)
		buf_printf(in, "--b%u--\r\n", i - 1);
}

static void
test_depth(void)
{
	struct buf in;

	nest(&in, MIME_DEPTH_MAX);
	is_checked(&in, "51 8", "as deep as can be");
	buf_clear(&in);
	nest(&in, MIME_DEPTH_MAX + 1);
	is_checked(&in, "51 8 opaque-8", "deeper");
	buf_clear(&in);
	nest(&in, 5000);
	is_checked(&in, "51 8 opaque-8", "deeper than anyone can see");
	buf_clear(&in);
}

static void
test_parts(void)
{
	struct buf in;
	size_t i;

	buf_init(&in, SIZE_MAX / 2);
	buf_puts(&in, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (i = 1; i < MIME_PARTS_MAX; i++)
		buf_puts(&in, "--b\r\n\r\n\xe9\r\n");
	is_checked(&in, "10000 8", "as many parts as can be");
	for (i = 0; i < 100; i++)
		buf_puts(&in, "--b\r\n\r\n\xe9\r\n");
	is_checked(&in, "10001 8 opaque-8", "more");
	buf_puts(&in, "--b--\r\n");
	is_checked(&in, "10001 8 opaque-8", "and their end");
	buf_clear(&in);
}

/* A header of a part that is longer by so much than what is looked at. */
static void
test_header(void)
{
	struct buf in;
	size_t over, i;

	for (over = 0; over < 2; over++) {
		buf_init(&in, SIZE_MAX / 2);
		buf_puts(&in,
		    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		    "--b\r\n");
		for (i = 0; i < MIME_HEADER_MAX / 64 - 1; i++)
			buf_printf(&in, "A:%60zu\r\n", i);
		buf_printf(&in, "A:%*zu\r\n\r\n", over ? 59 : 58, i);
		buf_puts(&in, "\xe9\r\n--b\r\n\r\n\xe9\r\n");
		is_str(facts(buf_span(&in)), over ? "3 8 opaque-8" : "3 8",
		    "as long a header as can be, and longer");
		/* With its label, the other is too long for another pass. */
		if (over)
			is_checked(&in, "3 8 opaque-8", "header too long");
		buf_clear(&in);
	}
}

/* Lines that may be boundaries, up to and over what is held back of them. */
static void
test_boundary(void)
{
	size_t n, blanks;
	struct buf in;
	char b[MIME_BOUNDARY_MAX + 2];

	for (n = MIME_BOUNDARY_MAX; n <= MIME_BOUNDARY_MAX + 1; n++) {
		memset(b, '-', n);
		b[n] = '\0';
		buf_init(&in, SIZE_MAX / 2);
		buf_printf(&in,
		    "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n"
		    "\r\n\xe9\r\n--%s--\r\n",
		    b, b, b);
		is_checked(&in, n > MIME_BOUNDARY_MAX ? "1 8 opaque-8" : "2 8",
		    "a boundary as long as can be, and longer");
		buf_clear(&in);
	}
	for (blanks = 506; blanks < 520; blanks++) {
		buf_init(&in, SIZE_MAX / 2);
		buf_printf(&in,
		    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
		    "--b\r\n\r\n\xe9\r\n--b%*s\r\n\r\n\xe9\r\n--b--",
		    (int)blanks, "");
		is_checked(&in, blanks + 3 < MIME_MARK_MAX ? "3 8" : "2 8",
		    "blanks behind a boundary");
		buf_clear(&in);
	}
}

/* --- messages ----------------------------------------------------------- */

/* As another module makes it. */
static void
put_crlf(struct buf *out, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n')
			i++;
		if (p[i] == '\r' || p[i] == '\n')
			buf_puts(out, "\r\n");
		else
			buf_putc(out, p[i]);
	}
}

static bool
read_message(const char *dir, const char *name, struct buf *out)
{
	char path[4096], block[65536];
	struct buf raw;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((f = fopen(path, "rb")) == NULL)
		return false;
	buf_init(&raw, SIZE_MAX / 2);
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_append(&raw, block, n);
	fclose(f);
	buf_init(out, SIZE_MAX / 2);
	put_crlf(out, raw.data, raw.len);
	buf_clear(&raw);
	return true;
}

static void
check_message(const struct buf *in, const char *name)
{
	const char *bad = NULL;
	unsigned int purposes;
	struct buf out;
	enum split how;

	for (purposes = 0; purposes < 8 && bad == NULL; purposes++)
		for (how = WHOLE; how <= RANDOM && bad == NULL; how++) {
			bad = check_mime(buf_span(in), purposes, how, &out);
			buf_clear(&out);
		}
	ok(bad == NULL, "%s%s%s", name, bad != NULL ? ": " : "",
	    bad != NULL ? bad : "");
}

static void
test_messages(const char *dir)
{
	struct dirent *e;
	struct buf in;
	DIR *d = opendir(dir);

	if (!ok(d != NULL, "messages in %s", dir))
		return;
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".eml") == NULL)
			continue;
		if (ok(read_message(dir, e->d_name, &in), "%s is read",
			e->d_name)) {
			check_message(&in, e->d_name);
			buf_clear(&in);
		}
	}
	closedir(d);
}

/* Made of what messages are made of, in any order. */
static void
test_chance(void)
{
	static const char *const t[] = {"|", "||", "--b|", "--b--|", "--bb|",
	    "--bb--|", "--c|", MIXED, INNER, THIRD, SIGNED, DIGEST, MESSAGE,
	    DATA, "Content-Type: text/x|", CTE "7bit|", CTE "8bit|",
	    CTE "binary|", QP, CTE "base64|", V, "~|", "@|", "a|", "QUJD|",
	    "=E9=|", " |", "=", "From a|", ".|", "|--b||", "|--bb||", "--", "-",
	    "\t", "Content-Type: text/x||", MIXED "|--b|", INNER "|--bb|"};
	struct buf text, in, out;
	const char *bad;
	size_t i, n;

	for (i = 0; i < 3000; i++) {
		buf_init(&text, SIZE_MAX / 2);
		for (n = prng(40); n > 0; n--)
			buf_puts(&text, t[prng(sizeof(t) / sizeof(t[0]))]);
		expand(buf_cstr(&text), &in);
		bad = check_mime(buf_span(&in), prng(8), RANDOM, &out);
		quiet(bad == NULL, "%s: %s", bad, buf_cstr(&text));
		buf_clear(&text);
		buf_clear(&in);
		buf_clear(&out);
	}
	ok(true, "3000 messages by chance");
}

/* The second pass is for the message of the first. */
static void
test_other_message(void)
{
	struct mime *m = scan(span_of("A: b\r\n\r\nc\r\n"), WHOLE);
	struct buf out;

	buf_init(&out, SIZE_MAX / 2);
	is_int(encode_all(m, span_of("A: b\r\n\r\ncd\r\n"), S, WHOLE, &out), -1,
	    "another length");
	is_int(
	    encode_all(m, span_of(MESSAGE), S, WHOLE, &out), -1, "other parts");
	buf_clear(&out);
	buf_init(&out, 5);
	is_int(encode_all(m, span_of("A: b\r\n\r\nc\r\n"), S, WHOLE, &out), -1,
	    "no room");
	buf_clear(&out);
	mime_free(m);
	mime_free(NULL);
}

int
main(void)
{
	const char *dir = getenv("MAILROOM_MAIL");
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		test_row(&rows[i]);
	test_facts();
	test_plan();
	test_line_limit();
	test_depth();
	test_parts();
	test_header();
	test_boundary();
	test_other_message();
	test_chance();
	test_messages("tests/mail");
	if (dir != NULL)
		test_messages(dir);
	return done();
}
