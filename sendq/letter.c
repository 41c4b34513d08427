/*
 * The second pass: the header as it will be sent, and the envelope.
 */

#include "letter.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/address.h"
#include "base/header.h"
#include "base/mem.h"
#include "base/time.h"
#include "letter_parts.h"

/* A header in the making. */
struct maker {
	const struct letter_scan *scan;
	const struct letter_options *opt;
	struct survey survey;
	struct letter *letter; /* what becomes of it */
	struct buf bcc;        /* owned */
	struct buf body;       /* owned: of the field at hand, put together; */
	struct buf field;      /* owned: and rewritten, with its name */
	struct err *e;
};

static bool
has(const struct maker *m, enum field_kind kind)
{
	return m->survey.of[kind].n > 0;
}

static int
too_large(const struct maker *m)
{
	return err_code(m->e, ERR_MESSAGE, EX_DATAERR,
	    "the header would be larger than 1 MiB");
}

/* --- the fields that are there ------------------------------------------- */

/* Of a structured body the first word: "text/plain", "8bit". */
static struct span
first_token(struct span body)
{
	struct span s = span_trim(body);
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == ';' ||
		    s.p[i] == '(')
			break;
	return span_bytes(s.p, i);
}

/* Whether the label says less than what is in the body. */
static bool
is_mislabelled(const struct maker *m, const struct field *f)
{
	struct span label = first_token(f->body);

	return f->kind == FIELD_ENCODING && m->scan->eight_bit &&
	       !has(m, FIELD_DKIM) &&
	       (span_caseeq(label, "7bit") || span_caseeq(label, "7-bit") ||
		   span_caseeq(label, "binary"));
}

/* What others of that kind say goes behind the first. */
static int
put_others(struct maker *m, const struct field *first)
{
	struct field_walk w = {m->survey.header, m->survey.line};
	struct span said = span_trim(first->body), s;
	struct field f;

	while (field_next(&w, &f)) {
		s = span_trim(f.body);
		if (f.kind != first->kind || f.line == first->line || f.blank ||
		    span_same(s, said))
			continue;
		if (buf_puts(&m->body, ",\r\n ") == -1 ||
		    write_clean(&m->body, s) == -1)
			return -1;
	}
	return 0;
}

/* The body as it was meant, into m->body. */
static int
put_body(struct maker *m, const struct field *f)
{
	buf_reset(&m->body);
	if (is_mislabelled(m, f))
		return buf_puts(&m->body, " 8bit");
	if (write_clean(&m->body, f->body) == -1)
		return -1;
	return f->rules & FIELD_MERGE ? put_others(m, f) : 0;
}

/* That body, as it may be sent, behind the name in m->field. */
static int
put_rewritten(struct maker *m, unsigned int rules)
{
	struct span body = buf_span(&m->body);

	/* What is signed may be ugly. */
	if (has(m, FIELD_DKIM))
		return buf_add(&m->field, body);
	if (rules & FIELD_IS_LIST)
		return write_list(&m->field, body, m->opt->domain);
	if ((rules & FIELD_IS_TEXT) && write_wide(body))
		return write_text(&m->field, body);
	return buf_add(&m->field, body);
}

/* m->field, in lines. */
static int
put_lines(struct maker *m, struct buf *to, uint64_t line)
{
	int rc = write_folded(to, buf_span(&m->field));

	if (rc == 1)
		return 0;
	if (rc == -1)
		return too_large(m);
	err_code(m->e, ERR_MESSAGE, EX_DATAERR,
	    "a field has over %d octets without a blank where it could be "
	    "folded",
	    LETTER_LINE_MAX);
	if (line > 0)
		err_prefix(m->e, "line %llu", (unsigned long long)line);
	return -1;
}

static int
put_field(struct maker *m, const struct field *f)
{
	const struct survey_of *of = &m->survey.of[f->kind];
	bool later = of->n > 1 && of->line != f->line;
	bool again = later && (f->rules & FIELD_ONCE);
	unsigned int rules = again ? FIELD_IS_TEXT : f->rules;

	if ((f->rules & FIELD_DROPPED) ||
	    (f->blank && (f->rules & FIELD_FILLED)) ||
	    (later && (f->rules & FIELD_MERGE)) ||
	    (again && span_same(span_trim(f->body), span_trim(of->body))))
		return 0;
	buf_reset(&m->field);
	if (put_body(m, f) == -1 ||
	    buf_puts(&m->field, again ? "X-Duplicate-" : "") == -1 ||
	    buf_add(&m->field, f->name) == -1 ||
	    buf_putc(&m->field, ':') == -1 || put_rewritten(m, rules) == -1)
		return too_large(m);
	return put_lines(
	    m, f->rules & FIELD_HIDDEN ? &m->bcc : &m->letter->header, f->line);
}

/* --- the fields that lack ------------------------------------------------ */

static int
put_made(struct maker *m, const char *name, const char *body)
{
	buf_reset(&m->field);
	if (buf_printf(&m->field, "%s: %s", name, body) == -1)
		return too_large(m);
	return put_lines(m, &m->letter->header, 0);
}

static int
put_from(struct maker *m, const char *name)
{
	buf_reset(&m->field);
	if (buf_printf(&m->field, "%s: ", name) == -1 ||
	    write_mailbox(&m->field, m->opt->from_name, m->opt->from,
		m->opt->domain) == -1)
		return too_large(m);
	return put_lines(m, &m->letter->header, 0);
}

static int
put_date(struct maker *m, const char *name)
{
	char date[TIME_MAIL];

	time_mail(m->opt->now, m->opt->zone, date);
	return put_made(m, name, date);
}

static int
put_id(struct maker *m, const char *name, const char *part)
{
	char *id =
	    mem_printf("<%s%s@%s>", m->opt->unique, part, m->opt->id_domain);
	int rc = put_made(m, name, id);

	free(id);
	return rc;
}

/* In front of the newest Resent- block (RFC 5322 section 3.6.6). */
static int
complete_resent(struct maker *m)
{
	if (!has(m, FIELD_RESENT_DATE) && put_date(m, "Resent-Date") == -1)
		return -1;
	if (!has(m, FIELD_RESENT_FROM) && put_from(m, "Resent-From") == -1)
		return -1;
	if (has(m, FIELD_RESENT_MESSAGE_ID))
		return 0;
	return put_id(m, "Resent-Message-ID", ".resent");
}

static int
complete_mime(struct maker *m)
{
	const struct letter_scan *s = m->scan;

	if (!s->eight_bit && (s->long_line == 0 || m->letter->sealed != NULL))
		return 0;
	if (!has(m, FIELD_MIME_VERSION) &&
	    put_made(m, "MIME-Version", "1.0") == -1)
		return -1;
	if (!has(m, FIELD_CONTENT_TYPE) &&
	    put_made(m, "Content-Type",
		!s->eight_bit ? "text/plain; charset=us-ascii"
		: s->utf8     ? "text/plain; charset=utf-8"
			      : "text/plain; charset=unknown-8bit") == -1)
		return -1;
	if (!s->eight_bit || has(m, FIELD_ENCODING))
		return 0;
	return put_made(m, "Content-Transfer-Encoding", "8bit");
}

static int
complete(struct maker *m)
{
	bool seen = has(m, FIELD_TO) || has(m, FIELD_CC) ||
	            has(m, FIELD_RESENT_TO) || has(m, FIELD_RESENT_CC);

	if (!has(m, FIELD_FROM) && put_from(m, "From") == -1)
		return -1;
	if (!seen && put_made(m, "To", "undisclosed-recipients:;") == -1)
		return -1;
	if (!has(m, FIELD_DATE) && put_date(m, "Date") == -1)
		return -1;
	if (!has(m, FIELD_MESSAGE_ID) && put_id(m, "Message-ID", "") == -1)
		return -1;
	return complete_mime(m);
}

/* --- the whole ----------------------------------------------------------- */

static const char *
sealed_by(const struct maker *m)
{
	static const char *const types[] = {"multipart/signed",
	    "multipart/encrypted", "application/pkcs7-mime",
	    "application/x-pkcs7-mime"};
	struct span type = first_token(m->survey.of[FIELD_CONTENT_TYPE].body);
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (span_caseeq(type, types[i]))
			return types[i];
	}
	return has(m, FIELD_DKIM) ? "DKIM-Signature" : NULL;
}

/* An address that nobody can answer to is no sender's. */
static int
check_from(struct maker *m)
{
	const struct survey_of *of = &m->survey.of[FIELD_FROM];
	struct address_walk w;
	struct address a;
	struct err unread;

	address_walk_init(&w, of->body);
	while (address_next(&w, &a, &unread) == 1) {
		if (a.text.n > 0 && address_check(a.text, m->e) == -1)
			return err_prefix(m->e, "line %llu: From",
			    (unsigned long long)of->line);
	}
	return 0;
}

static int
write_header(struct maker *m)
{
	struct field_walk w = {m->survey.header, m->survey.line};
	struct field f;

	while (field_next(&w, &f)) {
		if (f.at == m->survey.resent && complete_resent(m) == -1)
			return -1;
		if (put_field(m, &f) == -1)
			return -1;
	}
	if (complete(m) == -1)
		return -1;
	m->letter->utf8 = write_wide(buf_span(&m->letter->header));
	return buf_puts(&m->letter->header, "\r\n") == -1 ? too_large(m) : 0;
}

/* The body of a field in one line; owned; NULL: there is none. */
static char *
unfolded(struct span header, const char *name)
{
	struct span body;
	struct buf b;
	char *s;

	if (!header_find(header, name, &body))
		return NULL;
	buf_init(&b, body.n);
	header_unfold(&b, body);
	s = span_dup(buf_span(&b));
	buf_clear(&b);
	return s;
}

static char *
sender_of(const struct survey *s, const char *domain)
{
	enum field_kind kind =
	    s->of[FIELD_RESENT_FROM].n > 0 ? FIELD_RESENT_FROM : FIELD_FROM;

	return rcpt_first(s->of[kind].body, domain);
}

static void
tell(struct maker *m)
{
	struct letter *l = m->letter;
	struct span made = buf_span(&l->header);
	struct survey s;
	struct err e;

	/* What was added counts too. */
	survey_take(&s, made, 1, &e);
	l->from = sender_of(&s, m->opt->domain);
	l->message_id = unfolded(made, "Message-ID");
	l->subject = unfolded(m->survey.header, "Subject");
	if (m->bcc.len > 0)
		l->bcc = span_dup(buf_span(&m->bcc));
}

static int
make(struct maker *m)
{
	if (survey_take(&m->survey, buf_span(&m->scan->header),
		m->scan->header_line, m->e) == -1 ||
	    check_from(m) == -1 ||
	    rcpt_gather(&m->survey, m->opt, &m->letter->recipients, m->e) == -1)
		return -1;
	m->letter->sealed = sealed_by(m);
	if (write_header(m) == -1)
		return -1;
	tell(m);
	return 0;
}

int
letter_header(const struct letter_scan *s, const struct letter_options *o,
    struct letter *l_r, struct err *e)
{
	struct maker m = {.scan = s, .opt = o, .letter = l_r, .e = e};
	int rc;

	*l_r = (struct letter){.sealed = NULL};
	buf_init(&l_r->header, LETTER_HEADER_MAX + 2);
	words_init(&l_r->recipients);
	buf_init(&m.bcc, LETTER_HEADER_MAX);
	/* Encoded words take up to three times the room, and their frames. */
	buf_init(&m.body, 2 * LETTER_HEADER_MAX);
	buf_init(&m.field, 8 * LETTER_HEADER_MAX);
	if ((rc = make(&m)) == -1)
		letter_clear(l_r);
	buf_clear(&m.bcc);
	buf_clear(&m.body);
	buf_clear(&m.field);
	return rc;
}

void
letter_clear(struct letter *l)
{
	buf_clear(&l->header);
	words_clear(&l->recipients);
	free(l->from);
	free(l->message_id);
	free(l->subject);
	free(l->bcc);
	*l = (struct letter){.sealed = NULL};
}

char *
letter_from(const struct letter_scan *s)
{
	struct survey survey;
	struct err e;

	/* Of two From the first will do: letter_header() refuses both. */
	survey_take(&survey, buf_span(&s->header), s->header_line, &e);
	return sender_of(&survey, NULL);
}
