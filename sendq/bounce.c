/*
 * A report's frame and the parts that programs read: the fields of RFC 3464
 * and the header of the message.
 */

#include "bounce.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/encword.h"
#include "base/header.h"
#include "base/time.h"
#include "bounce_text.h"
#include "mime_code.h"

#define REPLY_MAX 2000

/* --- what is known of a recipient --------------------------------------- */

/* "550", and what follows it; 0: the text begins with no reply's code. */
static unsigned int
reply_code(struct span *reply)
{
	struct span rest = *reply, word;
	uint64_t code;

	if (!span_word(&rest, &word) || word.n != 3 ||
	    !span_number(word, 599, &code) || code < 200)
		return 0;
	*reply = rest;
	return (unsigned int)code;
}

bool
bounce_answered(const struct bounce_rcpt *r)
{
	struct span reply = span_of(r->reply);

	return reply_code(&reply) > 0;
}

/* Whether the word is a status of failure: "5.1.1" (RFC 3463 section 2). */
static bool
is_status(struct span word)
{
	struct span part;
	uint64_t n;
	int i;

	if (word.n > 9 || word.n == 0 || word.p[word.n - 1] == '.' ||
	    (*word.p != '4' && *word.p != '5'))
		return false;
	for (i = 0; i < 3; i++)
		if (!span_cut(&word, '.', &part) || !span_number(part, 999, &n))
			return false;
	return word.n == 0;
}

/* What a code alone tells (RFC 5321 section 4.2.3). */
static const char *
status_of_code(unsigned int code)
{
	static const struct {
		unsigned int code;
		const char *status;
	} known[] = {
	    {421, "4.3.2"},
	    {450, "4.2.0"},
	    {451, "4.3.0"},
	    {452, "4.3.1"},
	    {500, "5.5.2"},
	    {501, "5.5.4"},
	    {502, "5.5.1"},
	    {503, "5.5.1"},
	    {504, "5.5.4"},
	    {551, "5.1.6"},
	    {552, "5.2.2"},
	    {553, "5.1.3"},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code)
			return known[i].status;
	return code >= 500 ? "5.0.0" : code >= 400 ? "4.0.0" : NULL;
}

void
bounce_status(const struct bounce_rcpt *r, char status_r[BOUNCE_STATUS])
{
	static const char *const by_action[] = {
	    [BOUNCE_FAILED] = "5.0.0",
	    [BOUNCE_EXPIRED] = "4.4.7",
	    [BOUNCE_DELAYED] = "4.0.0",
	};
	struct span reply = span_of(r->reply), word;
	unsigned int code = reply_code(&reply);
	const char *status = status_of_code(code);

	if (code >= 400 && span_word(&reply, &word) && is_status(word)) {
		snprintf(status_r, BOUNCE_STATUS, "%.*s", SPAN(word));
		return;
	}
	if (status == NULL || r->action == BOUNCE_EXPIRED)
		status = by_action[r->action];
	snprintf(status_r, BOUNCE_STATUS, "%s", status);
}

/* --- message/delivery-status ---------------------------------------------- */

static int
put_field(struct buf *out, const char *name, const char *type, const char *text)
{
	struct buf clean;
	int rc;

	if (text == NULL)
		return 0;
	buf_init(&clean, REPLY_MAX);
	rc = text_clean(&clean, span_of(text), false, REPLY_MAX);
	if (rc == 0)
		rc = buf_printf(out, "%s:%s", name, type);
	if (rc == 0)
		rc = text_flow(out, buf_span(&clean), " ");
	buf_clear(&clean);
	return rc == 0 ? buf_puts(out, "\r\n") : -1;
}

/*
 * An address beyond ASCII is of another type, which has an escape and thus a
 * few characters to be escaped (RFC 6533 section 3).
 */
static int
put_address(struct buf *out, const char *name, const char *address)
{
	bool ascii = text_is_ascii(span_of(address));
	struct buf clean;
	struct span s;
	int rc;

	if (address == NULL)
		return 0;
	buf_init(&clean, TEXT_WORD_MAX);
	rc = text_clean(&clean, span_of(address), true, TEXT_WORD_MAX);
	if (rc == 0)
		rc = buf_printf(
		    out, "%s: %s; ", name, ascii ? "rfc822" : "utf-8");
	for (s = buf_span(&clean); rc == 0 && s.n > 0; s = span_skip(s, 1)) {
		if (!ascii && memchr(" +=\\", *s.p, 4) != NULL)
			rc = buf_printf(out, "\\x{%02X}", (unsigned int)*s.p);
		else
			rc = buf_putc(out, *s.p);
	}
	buf_clear(&clean);
	return rc == 0 ? buf_puts(out, "\r\n") : -1;
}

static int
put_date(struct buf *out, const char *name, int64_t t, int zone)
{
	char date[TIME_MAIL];

	if (t == 0)
		return 0;
	time_mail(t, zone, date);
	return buf_printf(out, "%s: %s\r\n", name, date);
}

static int
put_rcpt(const struct bounce *b, const struct bounce_rcpt *r, struct buf *out)
{
	char status[BOUNCE_STATUS];

	bounce_status(r, status);
	TRY(buf_puts(out, "\r\n"));
	TRY(put_address(out, "Original-Recipient", r->original));
	TRY(put_address(out, "Final-Recipient", r->address));
	TRY(put_field(out, "Action", "",
	    r->action == BOUNCE_DELAYED ? "delayed" : "failed"));
	TRY(put_field(out, "Status", "", status));
	TRY(put_field(out, "Remote-MTA", " dns;", r->server));
	TRY(put_field(out, "Diagnostic-Code",
	    bounce_answered(r) ? " smtp;" : " x-sendq;", r->reply));
	TRY(put_date(out, "Last-Attempt-Date", r->last, b->zone));
	TRY(put_field(out, "Final-Log-ID", "", b->queue_id));
	if (r->action == BOUNCE_DELAYED)
		TRY(put_date(out, "Will-Retry-Until", r->until, b->zone));
	return 0;
}

static int
put_status(const struct bounce *b, bool utf8, struct buf *out)
{
	size_t i;

	TRY(buf_puts(out, utf8 ? "Content-Type: message/global-delivery-status"
				 "\r\nContent-Transfer-Encoding: 8bit\r\n"
			       : "Content-Type: message/delivery-status\r\n"));
	TRY(buf_puts(out, "Content-Description: Delivery report\r\n\r\n"));
	TRY(put_field(out, "Original-Envelope-Id", "", b->envid));
	TRY(put_field(out, "Reporting-MTA", " dns;", b->host));
	TRY(put_date(out, "Arrival-Date", b->arrived, b->zone));
	for (i = 0; i < b->n; i++)
		TRY(put_rcpt(b, &b->rcpts[i], out));
	return 0;
}

/* --- the message's header ----------------------------------------------- */

/* As many whole fields as are returned. */
static struct span
returned(struct span header)
{
	struct span rest = header, name, body;
	size_t n = 0;

	while (header_next(&rest, &name, &body) &&
	       header.n - rest.n <= BOUNCE_HEADER_MAX)
		n = header.n - rest.n;
	return span_bytes(header.p, n);
}

/*
 * Whether it can stand as it is: lines as SMTP has them, none that may be a
 * boundary, and nothing that a screen takes for a command.
 */
static bool
is_fit(struct span s)
{
	struct span line;
	size_t i;

	if (s.n > 0 && s.p[s.n - 1] != '\n')
		return false;
	while (span_cut(&s, '\n', &line)) {
		if (line.n == 0 || line.p[line.n - 1] != '\r' ||
		    line.n > MIME_LINE_MAX + 1 || span_prefix(line, "--"))
			return false;
		for (i = 0; i + 1 < line.n; i++)
			if (((unsigned char)line.p[i] < ' ' &&
				line.p[i] != '\t') ||
			    line.p[i] == 127)
				return false;
	}
	return true;
}

static int
put_quoted(struct span s, struct buf *out)
{
	struct span line;
	struct mime_code c;
	ptrdiff_t lf;

	mime_code_begin(&c, MIME_CODE_QP);
	while ((lf = span_find(s, '\n')) != -1) {
		line = span_bytes(s.p, (size_t)lf);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		TRY(mime_code_text(&c, line, out));
		TRY(mime_code_eol(&c, out));
		s = span_skip(s, (size_t)lf + 1);
	}
	TRY(mime_code_text(&c, s, out));
	return mime_code_end(&c, true, out);
}

static int
put_original(const struct bounce *b, bool utf8, struct buf *out)
{
	struct span header = returned(b->header);
	bool ascii = text_is_ascii(header), fit = is_fit(header);
	bool valid = enc_utf8_valid(header);

	if (utf8 && valid && fit)
		TRY(buf_puts(out, "Content-Type: message/global-headers\r\n"
				  "Content-Transfer-Encoding: 8bit\r\n"));
	else
		TRY(buf_printf(out, "Content-Type: text/rfc822-headers%s\r\n%s",
		    !ascii && valid ? "; charset=utf-8" : "",
		    ascii && fit ? ""
				 : "Content-Transfer-Encoding: "
				   "quoted-printable\r\n"));
	TRY(buf_puts(out, "Content-Description: The message's header\r\n\r\n"));
	return fit && (ascii || (utf8 && valid)) ? buf_add(out, header)
	                                         : put_quoted(header, out);
}

/* --- the frame ---------------------------------------------------------- */

static bool
needs_utf8(const struct bounce *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (!text_is_ascii(span_of(b->rcpts[i].address)) ||
		    !text_is_ascii(span_of(b->rcpts[i].original)))
			return true;
	return !text_is_ascii(span_of(b->to));
}

/*
 * Text in the subject, encoded if it has to be: then with the blank that
 * follows it, since blanks between encoded words are not shown.
 */
static int
put_words(struct buf *out, struct span text, bool last)
{
	struct buf s;
	bool fits = text_column(out) + 1 + ENCWORD_LEAST <= ENCWORD_LINE;
	int rc;

	if (text_is_ascii(text))
		return text_flow(out, text, " ");
	buf_init(&s, REPLY_MAX);
	rc = buf_printf(&s, "%.*s%s", SPAN(text), last ? "" : " ");
	if (rc == 0)
		rc = buf_puts(out, fits ? " " : "\r\n ");
	if (rc == 0)
		rc = encword(out, buf_span(&s), text_column(out));
	buf_clear(&s);
	return rc;
}

static int
put_subject(const struct bounce *b, struct buf *out)
{
	bool delayed = b->n > 0 && b->rcpts[0].action == BOUNCE_DELAYED;
	char what[400];
	struct buf was;
	int rc;

	snprintf(what, sizeof(what), "%s %zu recipients:",
	    delayed ? "Delayed on its way to" : "Not delivered to", b->n);
	if (b->n == 1)
		snprintf(what, sizeof(what), "%s %s:",
		    delayed ? "Delayed on its way to" : "Not delivered to",
		    b->rcpts[0].address);
	buf_init(&was, BOUNCE_SUBJECT_MAX);
	rc = bounce_subject(b, &was);
	if (rc == 0)
		rc = buf_puts(out, "Subject:");
	if (rc == 0)
		rc = put_words(out, span_of(what), false);
	if (rc == 0)
		rc = put_words(out, buf_span(&was), true);
	buf_clear(&was);
	return rc == 0 ? buf_puts(out, "\r\n") : -1;
}

/* The report's type is that of its second part (RFC 6522 section 3). */
static int
put_frame(const struct bounce *b, bool utf8, bool ascii, struct buf *out)
{
	TRY(buf_puts(out, "Return-Path: <>\r\n"));
	TRY(put_date(out, "Date", b->now, b->zone));
	TRY(buf_printf(
	    out, "From: Mail system <MAILER-DAEMON@%s>\r\n", b->host));
	TRY(buf_puts(out, "To: <"));
	TRY(text_clean(out, span_of(b->to), true, REPLY_MAX));
	TRY(buf_puts(out, ">\r\n"));
	TRY(put_subject(b, out));
	TRY(buf_printf(out, "Message-ID: <%s@%s>\r\n", b->id, b->host));
	TRY(put_field(out, "In-Reply-To", "", b->message_id));
	TRY(put_field(out, "References", "", b->message_id));
	TRY(buf_puts(out, "Auto-Submitted: auto-replied\r\n"
			  "MIME-Version: 1.0\r\n"));
	TRY(buf_printf(out,
	    "Content-Type: multipart/report;"
	    " report-type=%sdelivery-status;\r\n boundary=\"=_%s\"\r\n",
	    utf8 ? "global-" : "", b->id));
	if (utf8 || !ascii)
		TRY(buf_puts(out, "Content-Transfer-Encoding: 8bit\r\n"));
	return buf_puts(out, "\r\nThis is a report in parts, as MIME has them."
			     "\r\n");
}

static int
put_parts(const struct bounce *b, struct span said, bool utf8, struct buf *out)
{
	bool ascii = text_is_ascii(said);

	TRY(put_frame(b, utf8, ascii, out));
	TRY(buf_printf(out,
	    "\r\n--=_%s\r\nContent-Type: text/plain; charset=%s\r\n%s\r\n",
	    b->id, ascii ? "us-ascii" : "utf-8",
	    ascii ? "" : "Content-Transfer-Encoding: 8bit\r\n"));
	TRY(buf_add(out, said));
	TRY(buf_printf(out, "\r\n--=_%s\r\n", b->id));
	TRY(put_status(b, utf8, out));
	TRY(buf_printf(out, "\r\n--=_%s\r\n", b->id));
	TRY(put_original(b, utf8, out));
	return buf_printf(out, "\r\n--=_%s--\r\n", b->id);
}

int
bounce_compose(const struct bounce *b, struct buf *out)
{
	struct buf said;
	int rc;

	buf_init(&said, buf_room(out));
	rc = bounce_say(b, &said);
	if (rc == 0)
		rc = put_parts(b, buf_span(&said), needs_utf8(b), out);
	buf_clear(&said);
	return rc;
}
