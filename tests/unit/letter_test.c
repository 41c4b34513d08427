/*
 * The second pass over a message: what is refused, what is repaired, and whom
 * it goes to.  Each rule by itself; then messages made to be awkward.
 */

#include <time.h>

#include "base/header.h"
#include "letter_run.h"

#define FROM "From: a@x.org\n"
#define TO "To: b@y.org\n"
#define DATE "Date: Mon, 23 Nov 2026 10:00:00 +0000\n"
#define ID "Message-ID: <1@x.org>\n"
#define REST FROM TO DATE ID

#define MADE_FROM "From: Ada Lovelace <ada@example.org>\n"
#define MADE_TO "To: undisclosed-recipients:;\n"
#define MADE_DATE "Date: Tue, 24 Nov 2026 10:00:00 +0100\n"
#define MADE_ID "Message-ID: <1.u@id.example>\n"

static char bob[] = "b@y.org";
static const struct letter_options usual = {
    .recipients = &(struct words){(char *[]){bob, NULL}, 1},
    .now = 1795510800,
    .zone = 60,
    .unique = "1.u",
    .id_domain = "id.example",
    .domain = "host.example",
    .from = "ada@example.org",
    .from_name = "Ada Lovelace",
};

static struct letter_options
from_header(void)
{
	struct letter_options o = usual;

	o.recipients = NULL;
	o.read_recipients = true;
	return o;
}

/* The header without its empty line, or "!" and what is wrong. */
static const char *
header_with(const char *in, const struct letter_options *o)
{
	static char text[65536];
	struct run r;
	struct buf b;

	run_letter(&r, span_of(in), WHOLE, o);
	buf_init(&b, sizeof(text) - 1);
	if (r.rc == -1)
		buf_printf(&b, "%s%s", err_exit(&r.e) == EX_DATAERR ? "!" : "?",
		    r.e.text);
	else
		run_show(&b, buf_span(&r.letter.header));
	strlcpy(text, buf_cstr(&b), sizeof(text));
	if (r.rc == 0) {
		quiet(b.len > 2 && strcmp(text + b.len - 2, "\n\n") == 0,
		    "an empty line at the end");
		text[b.len - 1] = '\0';
	}
	buf_clear(&b);
	run_clear(&r);
	return text;
}

static const char *
header(const char *in)
{
	return header_with(in, &usual);
}

/* The recipients, with blanks between them. */
static const char *
envelope(const char *in, const struct letter_options *o)
{
	static char text[4096];
	struct run r;
	size_t i;

	run_letter(&r, span_of(in), WHOLE, o);
	snprintf(text, sizeof(text), "%s%s",
	    r.rc == 0                      ? ""
	    : err_exit(&r.e) == EX_DATAERR ? "!"
					   : "?",
	    r.rc == 0 ? "" : r.e.text);
	for (i = 0; r.rc == 0 && i < r.letter.recipients.n; i++) {
		strlcat(text, i > 0 ? " " : "", sizeof(text));
		strlcat(text, r.letter.recipients.v[i], sizeof(text));
	}
	run_clear(&r);
	return text;
}

struct row {
	const char *in, *want;
};

static void
rows(const char *what, const struct row *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		is_str(header(t[i].in), t[i].want, "%s %zu", what, i);
}
#define ROWS(what, t) rows(what, t, sizeof(t) / sizeof((t)[0]))

/* --- the header ---------------------------------------------------------- */

static void
test_kept(void)
{
	static const struct row t[] = {
	    {REST, REST},
	    {"Received: x\nX-A:b\nsubject:  two  blanks \n" REST "\nbody",
		"Received: x\nX-A:b\nsubject:  two  blanks \n" REST},
	    {"Subject: a\n b\n\tc\n" REST, "Subject: a\n b\n\tc\n" REST},
	    {"Subject:\n" REST, "Subject:\n" REST},
	    {"Subject:\n a\n" REST, "Subject:\n a\n" REST},
	    {"X-Bcc: c@z\nComments: a\nComments: b\n" REST,
		"X-Bcc: c@z\nComments: a\nComments: b\n" REST},
	    {"Subject : a\n" REST, "Subject: a\n" REST},
	    {"Subject: a\n \n b\n \t\n" REST, "Subject: a\n b\n" REST},
	    {"From: \"L., A.\" <a@x> (b)\nSender: c@z\n" TO DATE ID,
		"From: \"L., A.\" <a@x> (b)\nSender: c@z\n" TO DATE ID},
	};

	ROWS("kept", t);
}

static void
test_added(void)
{
	static const struct row t[] = {
	    {"hi", MADE_FROM MADE_TO MADE_DATE MADE_ID},
	    {"", MADE_FROM MADE_TO MADE_DATE MADE_ID},
	    {"Subject: x\n",
		"Subject: x\n" MADE_FROM MADE_TO MADE_DATE MADE_ID},
	    {TO DATE ID, TO DATE ID MADE_FROM},
	    {FROM DATE ID, FROM DATE ID MADE_TO},
	    {FROM TO ID, FROM TO ID MADE_DATE},
	    {FROM TO DATE, FROM TO DATE MADE_ID},
	    {"From:\nTo: \nDate:\n \nMessage-ID:\t\nCc:\n",
		MADE_FROM MADE_TO MADE_DATE MADE_ID},
	    {"Cc: c@z\n" FROM DATE ID, "Cc: c@z\n" FROM DATE ID},
	    {"From: x@y\nFrom:\n" TO DATE ID, "From: x@y\n" TO DATE ID},
	};

	ROWS("added", t);
}

/* From, by the name and the address that are given. */
static void
test_made_from(void)
{
	static const struct {
		const char *from, *name, *want;
	} t[] = {
	    {"a@x", NULL, "a@x"},
	    {"a@x", "", "a@x"},
	    {"a@x", "  ", "a@x"},
	    {"root", NULL, "root@host.example"},
	    {"root", "Cron", "Cron <root@host.example>"},
	    {"\"a@b\"", "A", "A <\"a@b\"@host.example>"},
	    {"a@x", "Ada Lovelace", "Ada Lovelace <a@x>"},
	    {"a@x", "Lovelace, Ada", "\"Lovelace, Ada\" <a@x>"},
	    {"a@x", "A. \"B\" \\C", "\"A. \\\"B\\\" \\\\C\" <a@x>"},
	    {"a@x", "A\r\nBcc: x\x7f", "\"A  Bcc: x\" <a@x>"},
	    {"a@x", "\xc3\x89mile Zola", "=?utf-8?Q?=C3=89mile_Zola?= <a@x>"},
	    {"a@x", "\xc9mile", "=?unknown-8bit?Q?=C9mile?= <a@x>"},
	    {"\xc3\xa9@x", "A", "A <\xc3\xa9@x>"},
	    {"a@\xc3\xa9.x", "A", "A <a@xn--9ca.x>"},
	};
	struct letter_options o = usual;
	char want[200];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		o.from = t[i].from;
		o.from_name = t[i].name;
		snprintf(
		    want, sizeof(want), TO DATE ID "From: %s\n", t[i].want);
		is_str(header_with(TO DATE ID, &o), want, "From %zu", i);
	}
	o.from = "root";
	o.domain = NULL;
	o.from_name = NULL;
	is_str(header_with(TO DATE ID, &o), TO DATE ID "From: root\n",
	    "without a domain");
}

static void
test_dropped(void)
{
	static const struct row t[] = {
	    {"Return-Path: <a@x>\nContent-Length: 5\n" REST, REST},
	    {"Bcc: c@z,\n d@z\n" REST "bcc : e@z\n", REST},
	    {"Resent-Bcc: c@z\nBcc:\n" REST,
		"Resent-Date: Tue, 24 Nov 2026 10:00:00 +0100\n"
		"Resent-From: Ada Lovelace <ada@example.org>\n"
		"Resent-Message-ID: <1.u.resent@id.example>\n" REST},
	    {"Bcc: c@z\n" FROM DATE ID, FROM DATE ID MADE_TO},
	};

	ROWS("dropped", t);
}

static void
test_twice(void)
{
	static const struct row t[] = {
	    {FROM "From: c@z\n", "!line 2: a second From field; the first is "
				 "in line 1"},
	    {"Subject: x\n y\n" DATE "X: y\ndate: x\n",
		"!line 5: a second date field; the first is in line 3"},
	    {"To: c@z\n" REST "To: d@z (D),\n e@z\nTo:\n",
		"To: c@z,\n b@y.org,\n d@z (D),\n e@z\n" FROM DATE ID},
	    {"Cc: c@z\nCC: d@z\nCc: c@z\n" REST, "Cc: c@z,\n d@z\n" REST},
	    {"Reply-To: c@z\nX: y\nReply-To: d@z\n" REST,
		"Reply-To: c@z,\n d@z\nX: y\n" REST},
	    {"Subject: a\nsubject: b\nSubject:  a \n" REST,
		"Subject: a\nX-Duplicate-subject: b\n" REST},
	    {"Sender: a@x\nSender: b@x\n" REST,
		"Sender: a@x\nX-Duplicate-Sender: b@x\n" REST},
	    {REST "Message-ID: <2@x>\nMessage-ID: <1@x.org>\n",
		REST "X-Duplicate-Message-ID: <2@x>\n"},
	    {"Content-Type: text/plain\nContent-Type: text/html\n" REST,
		"Content-Type: text/plain\nX-Duplicate-Content-Type: "
		"text/html\n" REST},
	    {"Received: a\nReceived: a\n" REST,
		"Received: a\nReceived: a\n" REST},
	};

	ROWS("twice", t);
}

static void
test_resent(void)
{
	static const struct row t[] = {
	    /* whole already */
	    {"Resent-To: c@z\nResent-From: d@z\nResent-Date: x\n"
	     "Resent-Message-ID: <2@x>\n" REST,
		"Resent-To: c@z\nResent-From: d@z\nResent-Date: x\n"
		"Resent-Message-ID: <2@x>\n" REST},
	    /* the older block is no concern of ours, but for its Bcc */
	    {"Received: r\nResent-To: c@z\nReceived: s\nResent-To: e@z\n"
	     "Resent-From: f@z\nResent-Bcc: g@z\n" REST,
		"Received: r\nResent-Date: Tue, 24 Nov 2026 10:00:00 +0100\n"
		"Resent-From: Ada Lovelace <ada@example.org>\n"
		"Resent-Message-ID: <1.u.resent@id.example>\nResent-To: c@z\n"
		"Received: s\nResent-To: e@z\nResent-From: f@z\n" REST},
	    {"Resent-To: c@z\n" FROM DATE ID,
		"Resent-Date: Tue, 24 Nov 2026 10:00:00 +0100\n"
		"Resent-From: Ada Lovelace <ada@example.org>\n"
		"Resent-Message-ID: <1.u.resent@id.example>\n"
		"Resent-To: c@z\n" FROM DATE ID},
	};

	ROWS("resent", t);
}

static void
test_domains(void)
{
	static const struct row t[] = {
	    {"From: root (Cron Daemon)\nTo: root\n" DATE ID,
		"From: root@host.example (Cron Daemon)\nTo: "
		"root@host.example\n" DATE ID},
	    {"Cc: Bob <bob>, c@z, \"x y\" , T: d, E <e>;\n" REST,
		"Cc: Bob <bob@host.example>, c@z, \"x y\"@host.example , T: "
		"d@host.example, E <e@host.example>;\n" REST},
	    {"Sender: root\nReply-To: <>,\n ada\n" REST,
		"Sender: root@host.example\nReply-To: <>,\n "
		"ada@host.example\n" REST},
	    /* what cannot be read stays */
	    {"Reply-To: bob, Ada <ada\n" REST,
		"Reply-To: bob, Ada <ada\n" REST},
	    {"X-To: bob\n" REST, "X-To: bob\n" REST},
	    {"DKIM-Signature: x\nCc: bob\n" REST,
		"DKIM-Signature: x\nCc: bob\n" REST},
	};
	struct letter_options o = usual;

	ROWS("domains", t);
	o.domain = NULL;
	is_str(header_with("Cc: bob\n" REST, &o), "Cc: bob\n" REST,
	    "without a domain");
}

static void
test_encoded(void)
{
	static const struct row t[] = {
	    {"Subject: Gr\xc3\xbc\xc3\x9f"
	     "e aus Wien\n" REST,
		"Subject: =?utf-8?B?R3LDvMOfZQ==?= aus Wien\n" REST},
	    {"Subject:\xc3\xa9 \xc3\xa9\n" REST,
		"Subject:=?utf-8?B?w6kgw6k=?=\n" REST},
	    {"X-A: a \xc3\xa9\n \xc3\xa9 b\n" REST,
		"X-A: a =?utf-8?B?w6kgw6k=?= b\n" REST},
	    {"Subject: \xe9\n" REST, "Subject: =?unknown-8bit?Q?=E9?=\n" REST},
	    /* blanks beside encoded words would vanish */
	    {"Subject: =?utf-8?Q?a?= \xc3\xa9 =?utf-8?Q?b?=\n" REST,
		"Subject: =?utf-8?Q?a?= =?utf-8?Q?_=C3=A9_?= "
		"=?utf-8?Q?b?=\n" REST},
	    {"Cc: \xc3\x89. Zola <z@x>, \"\xc3\x89, \\\"E\" <e@x>\n" REST,
		"Cc: =?utf-8?B?w4kuIFpvbGE=?= <z@x>, "
		"=?utf-8?B?w4ksICJF?= <e@x>\n" REST},
	    {"Cc:\xc3\x89<z@x>,zola(\xc3\x89)\n" REST,
		"Cc: =?utf-8?B?w4k=?=<z@x>,zola@host.example "
		"(=?utf-8?B?w4k=?=)\n" REST},
	    {"Cc: \xc3\xa9@x, \xc3\xa9: c@z;\n" REST,
		"Cc: \xc3\xa9@x, \xc3\xa9: c@z;\n" REST},
	    /* domains have a name in ASCII, local parts have none */
	    {"Cc: b@\xc3\xa9.x, \xc3\x89 <c@\xc3\x89.x>, d@x\n" REST,
		"Cc: b@xn--9ca.x, =?utf-8?B?w4k=?= <c@xn--9ca.x>, d@x\n" REST},
	    {"Cc: \"b c\" (d) @ \xc3\xa9 . x (\xc3\xa9), \xc3\xa9@\xc3\xa9.x\n" REST,
		"Cc: \"b c\"@xn--9ca.x (=?utf-8?B?w6k=?=), "
		"\xc3\xa9@\xc3\xa9.x\n" REST},
	    {"Cc: b@\xe2\xbf\xb0.x, c\n" REST,
		"Cc: b@\xe2\xbf\xb0.x, c@host.example\n" REST},
	    {"Cc: \xc3\xa9 <x\n" REST, "Cc: \xc3\xa9 <x\n" REST},
	    {"References: <\xc3\xa9@x>\n" REST,
		"References: <\xc3\xa9@x>\n" REST},
	    {"DKIM-Signature: x\nSubject: \xc3\xa9\n" REST,
		"DKIM-Signature: x\nSubject: \xc3\xa9\n" REST},
	    /* folded where the word would stand far right */
	    {"Subject: 0123456789 0123456789 0123456789 012  \xc3\xa9 b\n" REST,
		"Subject: 0123456789 0123456789 0123456789 012\n  "
		"=?utf-8?B?w6k=?= b\n" REST},
	    {"Cc: aaaaaaaaaaaaaaaaaaaa@example.org,\n          "
	     "                                        \xc3\xa9 <b@x>\n" REST,
		"Cc: aaaaaaaaaaaaaaaaaaaa@example.org,\n          "
		"                                        "
		"=?utf-8?B?w6k=?= <b@x>\n" REST},
	};

	ROWS("encoded", t);
}

static void
test_mime(void)
{
	static const char *const cte = "Content-Transfer-Encoding: 8bit\n";
	static const struct row t[] = {
	    {REST "\n\xc3\xa9",
		REST "MIME-Version: 1.0\nContent-Type: text/plain; "
		     "charset=utf-8\nContent-Transfer-Encoding: 8bit\n"},
	    {REST "\n\xe9",
		REST "MIME-Version: 1.0\nContent-Type: text/plain; "
		     "charset=unknown-8bit\nContent-Transfer-Encoding: 8bit\n"},
	    {REST "Content-Type: text/html\n\n\xc3\xa9",
		REST "Content-Type: text/html\nMIME-Version: 1.0\n"
		     "Content-Transfer-Encoding: 8bit\n"},
	    {REST "Content-Type: text/html\n\nx",
		REST "Content-Type: text/html\n"},
	    {REST "Content-Transfer-Encoding: 7bit\n\nx",
		REST "Content-Transfer-Encoding: 7bit\n"},
	    {REST "Content-Transfer-Encoding: base64\nMIME-Version: 1.0\n"
		  "Content-Type: a/b\n\n\xc3\xa9",
		REST "Content-Transfer-Encoding: base64\nMIME-Version: 1.0\n"
		     "Content-Type: a/b\n"},
	};
	static const char *const narrow[] = {
	    "7bit", " 7BIT ;", "7-bit", "\n 7bit (x)", "binary"};
	static const char *const other[] = {
	    "8bit", "7bitten", "x-7bit", "quoted-printable"};
	char in[1500], want[500];
	size_t i;

	ROWS("MIME", t);
	for (i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++) {
		snprintf(in, sizeof(in),
		    REST
		    "MIME-Version: 1.0\n"
		    "Content-Type: text/plain\nContent-Transfer-Encoding: %s\n"
		    "\n\xc3\xa9",
		    narrow[i]);
		snprintf(want, sizeof(want),
		    REST "MIME-Version: 1.0\n"
			 "Content-Type: text/plain\n%s",
		    cte);
		is_str(header(in), want, "narrow %zu", i);
	}
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		snprintf(want, sizeof(want),
		    REST
		    "MIME-Version: 1.0\n"
		    "Content-Type: text/plain\nContent-Transfer-Encoding: %s\n",
		    other[i]);
		snprintf(in, sizeof(in), "%s\n\xc3\xa9", want);
		is_str(header(in), want, "not narrow %zu", i);
	}
	snprintf(in, sizeof(in), REST "\n%0999d", 1);
	is_str(header(in),
	    REST "MIME-Version: 1.0\nContent-Type: text/plain; "
		 "charset=us-ascii\n",
	    "a long line");
	snprintf(in, sizeof(in), "DKIM-Signature: x\n" REST "\n%0999d", 1);
	is_str(header(in), "DKIM-Signature: x\n" REST,
	    "which is signed, and will not be changed");
}

static void
test_folded(void)
{
	static char in[4000], want[4000];
	struct buf b;
	size_t i;

	/* Words of nine and a blank; up to 78 octets in a line. */
	buf_init(&b, sizeof(in) - 1);
	buf_puts(&b, REST "References:");
	for (i = 0; i < 100; i++)
		buf_puts(&b, " <234567@9");
	strlcpy(in, buf_cstr(&b), sizeof(in));
	buf_reset(&b);
	buf_puts(&b, REST "References:");
	for (i = 0; i < 100; i++)
		buf_puts(&b, i == 6 || (i > 6 && (i - 6) % 7 == 0)
				 ? "\n <234567@9"
				 : " <234567@9");
	buf_putc(&b, '\n');
	strlcpy(want, buf_cstr(&b), sizeof(want));
	is_str(header(in), want, "a line of 1,011 octets");
	snprintf(in, sizeof(in), REST "X: %0995d\n", 1);
	is_str(header(in), in, "998 octets are not too many");
	snprintf(in, sizeof(in), REST "X: %0996d\n", 1);
	snprintf(want, sizeof(want), REST "X:\n %0996d\n", 1);
	is_str(header(in), want, "folded behind the name");
	snprintf(in, sizeof(in), REST "X: a%1000sb\n", "");
	is_str(header(in),
	    "!line 5: a field has over 998 octets without a blank "
	    "where it could be folded",
	    "a gap of 1,000");
	snprintf(in, sizeof(in), REST "X: a%1000s\n", "");
	is_str(header(in), REST "X: a\n", "blanks at the end");
	snprintf(in, sizeof(in), "From x\n" REST "X: a\nX: b\n %0999d\n", 1);
	is_str(header(in),
	    "!line 7: a field has over 998 octets without a blank "
	    "where it could be folded",
	    "no blank");
	buf_clear(&b);
}

/* A list without any blank can be folded behind its commas. */
static void
test_folded_list(void)
{
	char in[3000];
	struct span h, line;
	struct run r;
	struct buf b;
	size_t i, commas = 0;

	buf_init(&b, sizeof(in) - 1);
	buf_puts(&b, FROM DATE ID "To: 0@x");
	for (i = 1; i < 300; i++)
		buf_printf(&b, ",%zu@x", i);
	run_letter(&r, buf_span(&b), WHOLE, &usual);
	is_int(r.rc, 0, "a list of 300 in a line");
	for (h = buf_span(&r.letter.header); span_cut(&h, '\n', &line);)
		quiet(line.n < 79, "too long: %.*s", SPAN(line));
	h = buf_span(&r.letter.header);
	for (i = strlen(FROM DATE ID); i < h.n; i++)
		commas += h.p[i] == ',';
	is_int(commas, 299, "is folded, and whole");
	run_clear(&r);
	buf_clear(&b);
}

static void
test_limit(void)
{
	size_t n = LETTER_HEADER_MAX - 100;
	char *text = mem_alloc(n + 1);
	struct run r;
	size_t i;

	memset(text, 'x', n);
	memcpy(text, "Subject: ", 9);
	for (i = 400; i < n - 400; i += 400)
		text[i] = ' ';
	run_letter(&r, span_bytes(text, n), WHOLE, &usual);
	is_int(r.rc, -1, "what was added is too much");
	is_str(r.e.text, "the header would be larger than 1 MiB", "says so");
	is_int(r.letter.header.len, 0, "nothing is left");
	run_clear(&r);
	n -= 20000;
	run_letter(&r, span_bytes(text, n), WHOLE, &usual);
	is_int(r.rc, 0, "a little less will do");
	run_clear(&r);
	free(text);
}

/* --- the envelope -------------------------------------------------------- */

static void
test_given(void)
{
	static const struct {
		const char *args[4];
		const char *want;
	} t[] = {
	    {{"bob"}, "bob"},
	    {{"b@y", "c@z"}, "b@y c@z"},
	    {{"b@y, c@z", "Dora <d@z>"}, "b@y c@z d@z"},
	    {{"-f@z"}, "-f@z"},
	    {{"b@y", "b@Y", "B@y"}, "b@y B@y"},
	    {{"c@z", "b@y", "c@z", "bob"}, "c@z b@y bob"},
	    {{"<>"}, "!no recipient: name one as an argument, or have them "
		     "read from the header with -t"},
	    {{""}, "!no recipient: name one as an argument, or have them read "
		   "from the header with -t"},
	    {{"b@y\nc@z"}, "!recipient 'b@y\\nc@z' has a control character in "
			   "it"},
	    {{"b\x01@y"}, "!recipient 'b\\x01@y' has a control character in "
			  "it"},
	    {{"b\xe9@y"}, "!recipient: address 'b\xe9@y' is not UTF-8"},
	    {{"b@y", "c@"}, "!recipient: there is nothing behind the '@'"},
	    {{"b c@y"}, "!recipient: there is no comma in front of this: "
			"'c@y'"},
	};
	struct letter_options o = usual;
	struct words w;
	char longer[100];
	size_t i, k;

	o.recipients = &w;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		words_init(&w);
		for (k = 0; k < 4 && t[i].args[k] != NULL; k++)
			words_add(&w, t[i].args[k]);
		is_str(envelope("To: x@x, y@y\nBcc: z@z\n", &o), t[i].want,
		    "given %zu", i);
		words_clear(&w);
	}
	snprintf(longer, sizeof(longer), "%065d@y", 1);
	words_add(&w, longer);
	ok(strstr(envelope("", &o), "more than 64 octets") != NULL,
	    "a local part of 65");
	words_clear(&w);
}

static void
test_read(void)
{
	static const struct row t[] = {
	    {"To: b@y\nCc: C <c@z>,\n bob\nBcc: d@z (D)\nReply-To: e@z\n",
		"b@y c@z bob d@z"},
	    {"Bcc: d@z\nTo: b@y\nTo: c@z\nBcc: e@z, b@Y\n", "d@z b@y c@z e@z"},
	    {"To: T: b@y, c@z;, undisclosed-recipients:;\n", "b@y c@z"},
	    {"To: <>, Nobody <>\nBcc: d@z\n", "d@z"},
	    {"To:\nSubject: x\n", "!no recipient: none is in To, Cc or Bcc"},
	    {"To: undisclosed-recipients:;\n",
		"!no recipient: none is in To, Cc or Bcc"},
	    {"Subject: x\nCc: c@z,\n d@z,\n E <e@z\n",
		"!line 4: Cc: '<' is never closed: '<e@z'"},
	    {"Subject: x\nBcc: c@z,\n d\x01@z\n",
		"!line 3: Bcc: address 'd\\x01@z' has a control character in "
		"it"},
	    {"Resent-To: r@z\nTo: b@y\nBcc: c@z\n", "r@z"},
	    {"Resent-To: r@z\nResent-Cc: s@z\nResent-Bcc: t@z\nTo: b@y\n",
		"r@z s@z t@z"},
	    {"Resent-To: r@z\nReceived: x\nResent-Cc: s@z\nTo: b@y\n", "r@z"},
	    {"Resent-From: q@z\nResent-To: r@z\nResent-From: p@z\n"
	     "Resent-Cc: s@z\n",
		"r@z"},
	    {"Received: x\nReceived: y\nResent-To: r@z\nX: y\nResent-Cc: s@z\n",
		"r@z s@z"},
	    {"Resent-To:\nTo: b@y\n", "b@y"},
	    {"Resent-From: q@z\nTo: b@y\n",
		"!no recipient: none is in To, Cc or Bcc"},
	    {"X-To: b@y\n\nTo: c@z\n",
		"!no recipient: none is in To, Cc or Bcc"},
	};
	struct letter_options o = from_header();
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(envelope(t[i].in, &o), t[i].want, "read %zu", i);
	o.recipients = usual.recipients;
	is_str(envelope("To: c@z, b@y.org\n", &o), "b@y.org c@z",
	    "added to those given");
}

static void
test_many(void)
{
	struct letter_options o = from_header();
	struct run r;
	struct buf b;
	size_t i;

	buf_init(&b, LETTER_HEADER_MAX);
	buf_puts(&b, "Bcc: x@y");
	for (i = 0; i < 100000; i++)
		buf_printf(&b, ",b%zu@y", i % 50000);
	run_letter(&r, buf_span(&b), WHOLE, &o);
	is_int(r.letter.recipients.n, 50001,
	    "100,000 recipients, half of them "
	    "twice");
	is_str(r.letter.recipients.v[50000], "b49999@y", "in their order");
	ok(r.letter.recipients.v[50001] == NULL, "with a NULL behind them");
	run_clear(&r);
	buf_clear(&b);
}

/* A header as large as can be takes no time, whatever is in it. */
static void
test_linear(void)
{
	static const char *const runs[][2] = {{"To: ", "\xc3\xa9<a@x>,"},
	    {"To: ", "a@x,"}, {"To: ", "bob,"}, {"To: x", "(\xc3\xa9)"},
	    {"To: ", "(\xc3\xa9) bob ,"}, {"Subject: ", "\xc3\xa9 b "},
	    {"Subject: ", "\xc3\xa9"}, {"Subject: ", "\xe9 \n "},
	    {"Subject: ", "=?a?q?b?= \xc3\xa9 "}, {"Subject: ", "b "},
	    {"To: x\n", "To: a@x\n"}, {"To: x\n", "Cc: a\n"},
	    {"To: x\n", "Subject: a\nSubject: b\n"}, {"To: x\n", "a:\n"},
	    {"To: x\n", "Resent-To: a\n"}, {"To: x\n", "Bcc: \xc3\xa9 <a>\n"},
	    {"To: x\nX: a", " \n"}, {"To: ", "\n"}};
	struct letter_options o = from_header();
	struct run r;
	struct buf b;
	clock_t start;
	size_t i;

	buf_init(&b, LETTER_HEADER_MAX / 2);
	o.recipients = usual.recipients;
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		buf_reset(&b);
		buf_puts(&b, runs[i][0]);
		while (buf_puts(&b, runs[i][1]) == 0)
			;
		start = clock();
		run_letter(&r, buf_span(&b), WHOLE, &o);
		ok((double)(clock() - start) / CLOCKS_PER_SEC < 4,
		    "much of kind %zu: %s", i, r.rc == 0 ? "taken" : r.e.text);
		run_clear(&r);
	}
	buf_clear(&b);
}

static void
test_from_checked(void)
{
	is_str(header("Subject: x\nFrom: a\x01@x\n"),
	    "!line 2: From: address 'a\\x01@x' has a control character in it",
	    "a From that nobody can answer to");
	is_str(header("From: Ada Lovelace\n" TO DATE ID),
	    "From: Ada Lovelace\n" TO DATE ID, "one that cannot be read");
}

/* --- what is told -------------------------------------------------------- */

static void
test_told(void)
{
	static const char text[] =
	    "Subject: Gr\xc3\xbc\xc3\x9f"
	    "e\n an alle\nFrom: Ada <Ada@x>, b@y\nMessage-ID: <2@x>\n"
	    "Bcc: root,\n c@z\nBcc: \xc3\x89 <e@z>\n";
	struct letter_options o = usual;
	struct run r;
	char *from;

	run_letter(&r, span_of(text), WHOLE, &usual);
	is_str(r.letter.subject,
	    "Gr\xc3\xbc\xc3\x9f"
	    "e an alle",
	    "the subject");
	is_str(r.letter.from, "Ada@x", "whose it is");
	is_str(r.letter.message_id, "<2@x>", "the Message-ID");
	is_str(r.letter.bcc,
	    "Bcc: root@host.example,\r\n c@z\r\n"
	    "Bcc: =?utf-8?B?w4k=?= <e@z>\r\n",
	    "the Bcc");
	ok(!r.letter.utf8, "nothing needs SMTPUTF8");
	ok(r.letter.sealed == NULL, "nothing is signed");
	from = letter_from(&r.scan);
	is_str(from, "Ada@x", "whose it is, beforehand");
	free(from);
	run_clear(&r);

	o.from = "root";
	run_letter(&r, span_of("hi"), WHOLE, &o);
	ok(r.letter.subject == NULL && r.letter.bcc == NULL, "no such fields");
	is_str(r.letter.message_id, "<1.u@id.example>", "the one made");
	is_str(r.letter.from, "root@host.example", "the one added");
	from = letter_from(&r.scan);
	is_str(from, NULL, "which was not there");
	run_clear(&r);

	run_letter(&r, span_of("Resent-From: c@z\nResent-To: d@z\nFrom: a@x"),
	    WHOLE, &usual);
	is_str(r.letter.from, "c@z", "who sent it again");
	run_clear(&r);
	run_letter(&r, span_of("Resent-To: d@z\nFrom: a@x"), WHOLE, &usual);
	is_str(r.letter.from, "ada@example.org", "we do, then");
	run_clear(&r);
	run_letter(&r, span_of("From: x \"<a@x>\nSubject: x"), WHOLE, &usual);
	is_str(r.letter.from, "a@x", "as well as it can be read");
	run_clear(&r);
	run_letter(&r, span_of("From: Ada Lovelace\n"), WHOLE, &usual);
	is_str(r.letter.from, NULL, "or not at all");
	run_clear(&r);
	run_letter(&r, span_of("From: \xc3\xa9@x\n"), WHOLE, &usual);
	ok(r.letter.utf8, "an address needs SMTPUTF8");
	run_clear(&r);
}

static void
test_sealed(void)
{
	static const struct row t[] = {
	    {"Content-Type: Multipart/Signed; boundary=x\n",
		"multipart/signed"},
	    {"Content-Type:\n multipart/encrypted;\n boundary=x\n",
		"multipart/encrypted"},
	    {"Content-Type: application/pkcs7-mime;\n", "application/"
							"pkcs7-mime"},
	    {"Content-Type: application/x-pkcs7-mime\n",
		"application/x-pkcs7-mime"},
	    {"DKIM-Signature: v=1\n", "DKIM-Signature"},
	    {"Content-Type: multipart/signedx\n", NULL},
	    {"Content-Type: text/plain; x=multipart/signed\n", NULL},
	    {"Content-Type: multipart/mixed\n\nDKIM-Signature: x\n", NULL},
	};
	struct run r;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		run_letter(&r, span_of(t[i].in), WHOLE, &usual);
		is_str(r.letter.sealed, t[i].want, "sealed %zu", i);
		run_clear(&r);
	}
}

/* --- whole messages ------------------------------------------------------ */

/* What holds of every header that goes out. */
static void
check_header(struct span h, const char *name)
{
	struct span rest = h, field, body;
	size_t i, start = 0;

	for (i = 0; i < h.n; i++) {
		if (h.p[i] != '\n')
			continue;
		quiet(i > 0 && h.p[i - 1] == '\r', "%s: a LF alone", name);
		quiet(i - start <= 999, "%s: a line too long", name);
		quiet(i - start > 1 || i + 1 == h.n, "%s: an empty line", name);
		start = i + 1;
	}
	for (i = 0; i < h.n; i++)
		quiet(
		    h.p[i] != '\0' &&
			(h.p[i] != '\r' || (i + 1 < h.n && h.p[i + 1] == '\n')),
		    "%s: a CR alone or a NUL", name);
	while (header_next(&rest, &field, &body))
		quiet(field.n > 0 && !span_caseeq(field, "bcc") &&
			  !span_caseeq(field, "resent-bcc") &&
			  !span_caseeq(field, "return-path"),
		    "%s: a field that should not be there", name);
	quiet(rest.n == 2, "%s: the empty line at the end", name);
	quiet(header_find(h, "From", &body) && header_find(h, "Date", &body) &&
		  header_find(h, "Message-ID", &body),
	    "%s: complete", name);
}

/* The same in pieces; and what came out is left as it is. */
static void
check_again(const struct run *r, struct span in, const char *name)
{
	struct buf whole;
	struct run again;
	size_t i;

	for (i = 0; i < 5; i++) {
		run_letter(
		    &again, in, i == 0 && in.n < 10000 ? 1 : RANDOM, &usual);
		quiet(again.rc == r->rc, "%s: in pieces", name);
		quiet(span_same(buf_span(&again.letter.header),
			  buf_span(&r->letter.header)) &&
			  span_same(buf_span(&again.body), buf_span(&r->body)),
		    "%s: the same in pieces", name);
		run_clear(&again);
	}
	if (r->rc == -1)
		return;
	buf_init(&whole, r->letter.header.len + r->body.len);
	buf_add(&whole, buf_span(&r->letter.header));
	buf_add(&whole, buf_span(&r->body));
	run_letter(&again, buf_span(&whole), WHOLE, &usual);
	quiet(again.rc == 0, "%s: again: %s", name, again.e.text);
	quiet(span_same(
		  buf_span(&again.letter.header), buf_span(&r->letter.header)),
	    "%s: another header: %s", name, buf_cstr(&again.letter.header));
	quiet(span_same(buf_span(&again.body), buf_span(&r->body)),
	    "%s: another body", name);
	run_clear(&again);
	buf_clear(&whole);
}

static char *
read_mail(const char *name, size_t *n_r)
{
	char path[200], *text = mem_alloc(1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "tests/mail/%s.eml", name);
	if ((f = fopen(path, "rb")) == NULL)
		abort();
	*n_r = fread(text, 1, 1 << 20, f);
	fclose(f);
	return text;
}

static void
test_mail(void)
{
	static const struct {
		const char *name;
		const char *wrong; /* NULL: nothing */
	} t[] = {
	    {"8bit-header", "line 2: From: address"},
	    {"all-bytes", "line 6: there is a NUL"},
	    {"bare-lf-dot", NULL},
	    {"bom", NULL},
	    {"dot-first", NULL},
	    {"dots", NULL},
	    {"empty-body", NULL},
	    {"empty", NULL},
	    {"from-first", NULL},
	    {"from-lines", NULL},
	    {"lone-cr-header", "line 2: this is no header field: 'cr'"},
	    {"lone-cr-last", NULL},
	    {"lone-cr", NULL},
	    {"lone-lf-header", NULL},
	    {"lone-lf", NULL},
	    {"long-header", "line 2: a field has over 998"},
	    {"long-line", NULL},
	    {"no-blank-line", "line 2: this is no header field: 'this"},
	    {"no-body", NULL},
	    {"no-final-newline", NULL},
	    {"no-header", NULL},
	    {"nul-header", "line 1: there is a NUL"},
	    {"nul", "line 6: there is a NUL"},
	    {"only-newline", NULL},
	    {"only-text", NULL},
	};
	struct run r;
	size_t i, n;
	char *text;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		text = read_mail(t[i].name, &n);
		run_letter(&r, span_bytes(text, n), WHOLE, &usual);
		ok(t[i].wrong == NULL
			? r.rc == 0
			: r.rc == -1 && strncmp(r.e.text, t[i].wrong,
					    strlen(t[i].wrong)) == 0,
		    "%s: %s", t[i].name, r.rc == 0 ? "taken" : r.e.text);
		if (r.rc == 0)
			check_header(buf_span(&r.letter.header), t[i].name);
		check_again(&r, span_bytes(text, n), t[i].name);
		run_clear(&r);
		free(text);
	}
	ok(tap_failed == 0, "all of tests/mail");
}

/* Headers put together by chance. */
static void
test_random(void)
{
	static const char *const parts[] = {
	    "From: ", "To: ", "Cc: ", "Bcc: ", "Resent-To: ", "Resent-From: ",
	    "Received: ", "Subject: ", "X-A: ", "Resent-Bcc: ", "Reply-To: ",
	    "Content-Transfer-Encoding: ", "Date:", "a@x", "bob", "\xc3\xa9",
	    "\"q r\"", "(c)", "(\xc3\xa9)", "<", ">", ", ", ";", "7bit", ".",
	    "@", "\"", "\n", "\n", "\n", "\r\n", "\r", "\n ", "\n\t", " ", " ",
	    "\n\n", "\xff", "=?utf-8?Q?a?=", "\\", ":",
	    "                                                       ",
	    "From x\n", "Sender: ", "Return-Path: ", "Resent-Date: ",
	    "DKIM-Signature: x\n"};
	char text[600];
	struct run r;
	size_t i, k, n, taken = 0;

	for (i = 0; i < 30000; i++) {
		text[0] = '\0';
		n = prng(30);
		for (k = 0; k < n; k++)
			strlcat(text,
			    parts[prng(sizeof(parts) / sizeof(parts[0]))],
			    sizeof(text));
		run_letter(&r, span_of(text), WHOLE, &usual);
		taken += r.rc == 0;
		if (r.rc == 0)
			check_header(buf_span(&r.letter.header), text);
		check_again(&r, span_of(text), text);
		run_clear(&r);
	}
	ok(tap_failed == 0 && taken > 5000, "%zu of 30,000 by chance", taken);
}

int
main(void)
{
	test_kept();
	test_added();
	test_made_from();
	test_dropped();
	test_twice();
	test_resent();
	test_domains();
	test_encoded();
	test_mime();
	test_folded();
	test_folded_list();
	test_limit();
	test_given();
	test_read();
	test_many();
	test_linear();
	test_from_checked();
	test_told();
	test_sealed();
	test_mail();
	test_random();
	return done();
}
