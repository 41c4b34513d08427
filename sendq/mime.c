/*
 * A message made fit for SMTP.  The first pass leaves a few bytes about each
 * part, from which is decided, before the second begins, what becomes of it
 * and what its label will have to say.
 */

#include "mime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/header.h"
#include "base/mem.h"
#include "mime_code.h"
#include "mime_walk.h"

struct part {
	/* seen */
	uint32_t parent; /* NO_PARENT */
	uint8_t kind;    /* enum mime_kind */
	uint8_t label;   /* enum mime_label */
	bool message : 1, mime : 1, frozen : 1, sealed : 1;
	bool marked : 1;            /* a multipart whose boundary came */
	bool eight : 1, binary : 1; /* its own text: of a leaf, or a gap */
	bool header_eight : 1, header_long : 1;
	/* decided */
	bool eight_then : 1, binary_then : 1; /* all in it, after that */
	bool changed : 1;                     /* something in it, or itself */
	bool add_mime : 1;                    /* MIME-Version */
	uint8_t code;                         /* enum mime_code_kind */
	uint8_t write; /* enum mime_label; MIME_ABSENT: leave it */
};
#define NO_PARENT UINT32_MAX

struct mime {
	struct mime_walk walk;
	struct mime_facts facts;
	struct part *parts; /* owned */
	size_t n, cap;
	size_t col;       /* scan: octets on this line */
	uint64_t octets;  /* scanned */
	uint64_t encoded; /* of these, in this pass */
	bool strange;     /* encoding: this is another message */
	struct mime_code code;
};

struct mime *
mime_new(void)
{
	struct mime *m = mem_alloc(sizeof(*m));

	mime_walk_init(&m->walk);
	return m;
}

void
mime_free(struct mime *m)
{
	if (m == NULL)
		return;
	mime_walk_clear(&m->walk);
	free(m->parts);
	free(m);
}

/* --- first pass --------------------------------------------------------- */

static struct part *
new_part(struct mime *m, const struct mime_ev *ev)
{
	struct part *p;

	if (ev->part < m->n)
		return &m->parts[ev->part]; /* that of all beyond the limit */
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 16 : m->cap * 2;
		m->parts = mem_resize(m->parts, m->cap, sizeof(*m->parts));
	}
	p = &m->parts[m->n++];
	*p = (struct part){
	    .parent =
		ev->parent == MIME_NO_PARENT ? NO_PARENT : (uint32_t)ev->parent,
	    .kind = (uint8_t)ev->field->kind,
	    .label = (uint8_t)ev->field->label,
	    .message = ev->message,
	    .mime = ev->field->mime,
	    .frozen = ev->frozen,
	    .sealed = ev->frozen || ev->field->sealed,
	};
	return p;
}

static bool
has_eight_bit(struct span s)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return all > 127;
}

/* Whether this piece of a line makes it one that SMTP does not carry. */
static bool
is_binary(struct mime *m, struct span s)
{
	m->col += s.n;
	return m->col > MIME_LINE_MAX || span_find(s, '\n') != -1 ||
	       span_find(s, '\r') != -1 || span_find(s, '\0') != -1;
}

static void
see_header(struct mime *m, struct part *p, struct span header)
{
	ptrdiff_t lf;

	p->header_eight |= has_eight_bit(header);
	while ((lf = span_find(header, '\n')) != -1) {
		p->header_long |= lf > 0 && header.p[lf - 1] == '\r'
		                      ? lf - 1 > MIME_LINE_MAX
		                      : lf > MIME_LINE_MAX;
		header = span_skip(header, (size_t)lf + 1);
	}
	m->col = header.n;
	p->header_long |= m->col > MIME_LINE_MAX;
}

static void
see_text(struct mime *m, struct part *p, const struct mime_ev *ev)
{
	bool eight = has_eight_bit(ev->text), binary = is_binary(m, ev->text);

	if (ev->place == MIME_IN_HEADER) {
		p->header_eight |= eight;
		p->header_long |= m->col > MIME_LINE_MAX;
	} else {
		p->eight |= eight;
		p->binary |= binary;
	}
}

static void
see(struct mime *m, const struct mime_ev *ev)
{
	struct part *p;

	switch (ev->kind) {
	case MIME_EV_HEADER:
		p = new_part(m, ev);
		see_header(m, p, ev->text);
		if (ev->whole)
			m->col = 0;
		break;
	case MIME_EV_TEXT:
		see_text(m, &m->parts[ev->part], ev);
		break;
	case MIME_EV_MARK:
		m->parts[ev->part].marked = true;
		m->col = 0;
		break;
	case MIME_EV_EOL:
		m->col = 0;
		break;
	}
}

void
mime_scan_feed(struct mime *m, struct span piece)
{
	struct mime_ev ev;

	m->octets += piece.n;
	mime_walk_feed(&m->walk, piece);
	while (mime_walk_next(&m->walk, &ev))
		see(m, &ev);
}

/* A multipart whose boundary never comes may be something else altogether. */
static bool
is_opaque(const struct part *p)
{
	return p->kind == MIME_OPAQUE ||
	       (p->kind == MIME_MULTIPART && !p->marked);
}

static void
count_in(struct mime_facts *f, const struct part *p)
{
	f->eight_bit |= p->eight;
	f->long_line |= p->binary;
	f->binary |= p->label == MIME_BINARY;
	f->sealed_eight_bit |= p->sealed && p->eight;
	f->sealed_long_line |= p->sealed && p->binary;
	f->opaque_eight_bit |= !p->sealed && is_opaque(p) && p->eight;
	f->opaque_long_line |= !p->sealed && is_opaque(p) && p->binary;
	if (p->parent == NO_PARENT)
		f->header_eight_bit |= p->header_eight;
	else
		f->parts_eight_bit |= p->header_eight;
	f->header_long_line |= p->header_long;
}

void
mime_scan_end(struct mime *m)
{
	size_t i;

	mime_walk_end(&m->walk);
	mime_scan_feed(m, span_of(NULL));
	m->facts.parts = m->n;
	for (i = 0; i < m->n; i++)
		count_in(&m->facts, &m->parts[i]);
}

const struct mime_facts *
mime_facts(const struct mime *m)
{
	return &m->facts;
}

/* --- what there is to do ------------------------------------------------ */

static enum mime_code_kind
code_for(const struct part *p, unsigned int purposes)
{
	bool unfit = (p->eight && (purposes & MIME_SEVEN)) ||
	             (p->binary && (purposes & MIME_LINES));

	if (!unfit || p->sealed || is_opaque(p))
		return MIME_CODE_NONE;
	if (p->kind == MIME_MULTIPART)
		return MIME_CODE_SCRUB;
	if (p->label == MIME_QP)
		return MIME_CODE_REQP;
	if (p->label == MIME_BASE64)
		return MIME_CODE_REBASE64;
	return p->kind == MIME_TEXT ? MIME_CODE_QP : MIME_CODE_BASE64;
}

/*
 * What the label must become; MIME_ABSENT: it may stay.  One that promises
 * more than there is does no harm, unless the transport lacks it; but it is
 * put right where the reason for it was just removed.
 */
static enum mime_label
label_for(const struct part *p, unsigned int purposes)
{
	enum mime_label is = p->eight_then ? MIME_8BIT : MIME_7BIT;

	if (p->code == MIME_CODE_QP)
		return MIME_QP;
	if (p->code == MIME_CODE_BASE64)
		return MIME_BASE64;
	if (p->frozen || is_opaque(p))
		return MIME_ABSENT;
	switch ((enum mime_label)p->label) {
	case MIME_ABSENT:
	case MIME_7BIT:
	case MIME_UNKNOWN:
		return p->eight_then && (purposes & MIME_LABELS) ? is
		                                                 : MIME_ABSENT;
	case MIME_8BIT:
		return !p->eight_then && !p->binary_then &&
		               (p->changed || (purposes & MIME_SEVEN))
		           ? is
		           : MIME_ABSENT;
	case MIME_BINARY:
		return p->binary_then ? MIME_ABSENT : is;
	case MIME_QP:
	case MIME_BASE64:
	case MIME_PRIVATE:
		break;
	}
	return MIME_ABSENT;
}

/* Children first: what is left in them decides about their parents. */
static void
decide(struct mime *m, struct part *p, unsigned int purposes)
{
	struct part *parent;

	p->code = (uint8_t)code_for(p, purposes);
	if (p->code == MIME_CODE_NONE) {
		p->eight_then |= p->eight;
		p->binary_then |= p->binary;
	} else
		p->changed = true;
	p->write = (uint8_t)label_for(p, purposes);
	p->changed |= p->write != MIME_ABSENT;
	p->add_mime =
	    p->message && p->changed && !p->mime && !p->frozen && !is_opaque(p);
	if (p->parent == NO_PARENT)
		return;
	parent = &m->parts[p->parent];
	parent->eight_then |= p->eight_then || p->header_eight;
	parent->binary_then |= p->binary_then;
	parent->changed |= p->changed;
}

void
mime_plan(struct mime *m, unsigned int purposes, struct mime_plan *plan_r)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		m->parts[i].eight_then = m->parts[i].binary_then =
		    m->parts[i].changed = false;
	for (i = m->n; i > 0; i--)
		decide(m, &m->parts[i - 1], purposes);
	*plan_r = (struct mime_plan){0};
	if (m->n > 0)
		*plan_r = (struct mime_plan){
		    .changes = m->parts[0].changed,
		    .eight_bit = m->parts[0].eight_then,
		    .long_line = m->parts[0].binary_then,
		};
}

/* --- second pass -------------------------------------------------------- */

void
mime_encode_begin(struct mime *m, unsigned int purposes)
{
	struct mime_plan plan;

	mime_plan(m, purposes, &plan);
	mime_walk_clear(&m->walk);
	mime_walk_init(&m->walk);
	mime_code_begin(&m->code, MIME_CODE_NONE);
	m->encoded = 0;
	m->strange = false;
}

static int
put_label(const struct part *p, struct buf *out)
{
	return buf_printf(out, "Content-Transfer-Encoding: %s\r\n",
	    mime_label_name((enum mime_label)p->write));
}

/* The last one may lack its end, if the message is no more than that. */
static int
put_field(struct span field, struct buf *out)
{
	bool whole = field.n > 0 && field.p[field.n - 1] == '\n';

	return buf_add(out, field) == 0 && (whole || buf_puts(out, "\r\n") == 0)
	           ? 0
	           : -1;
}

/*
 * The header with its new label in the old one's place, else behind the other
 * fields.  Of several old ones none is left: readers would choose.
 */
static int
put_header(const struct part *p, struct span header, struct buf *out)
{
	struct span rest = header, name, body, field;
	bool written = p->write == MIME_ABSENT;
	int rc = 0;

	for (field = rest; rc == 0 && header_next(&rest, &name, &body);
	     field = rest) {
		field.n -= rest.n;
		if (p->write == MIME_ABSENT ||
		    !span_caseeq(name, "Content-Transfer-Encoding"))
			rc = put_field(field, out);
		else if (!written)
			rc = put_label(p, out);
		written |= span_caseeq(name, "Content-Transfer-Encoding");
	}
	if (rc == 0 && p->add_mime)
		rc = buf_puts(out, "MIME-Version: 1.0\r\n");
	if (rc == 0 && !written)
		rc = put_label(p, out);
	return rc == 0 ? buf_add(out, rest) : -1;
}

static int
encode(struct mime *m, const struct mime_ev *ev, struct buf *out)
{
	const struct part *p;

	/* Whoever changes the message meanwhile gets no more than nonsense. */
	if (ev->part >= m->n) {
		m->strange = true;
		return buf_add(out, ev->text);
	}
	p = &m->parts[ev->part];
	switch (ev->kind) {
	case MIME_EV_HEADER:
		mime_code_begin(&m->code, (enum mime_code_kind)p->code);
		if (p->write == MIME_ABSENT && !p->add_mime)
			break;
		return put_header(p, ev->text, out);
	case MIME_EV_TEXT:
		if (ev->place == MIME_IN_HEADER)
			break;
		return mime_code_text(&m->code, ev->text, out);
	case MIME_EV_EOL:
		if (ev->place == MIME_IN_HEADER)
			break;
		return mime_code_eol(&m->code, out);
	case MIME_EV_MARK:
		if (mime_code_end(&m->code, false, out) == -1)
			return -1;
		mime_code_begin(&m->code, (enum mime_code_kind)p->code);
		break;
	}
	return buf_add(out, ev->text);
}

int
mime_encode_feed(struct mime *m, struct span piece, struct buf *out)
{
	struct mime_ev ev;

	m->encoded += piece.n;
	mime_walk_feed(&m->walk, piece);
	while (mime_walk_next(&m->walk, &ev))
		if (encode(m, &ev, out) == -1)
			return -1;
	return 0;
}

int
mime_encode_end(struct mime *m, struct buf *out)
{
	mime_walk_end(&m->walk);
	if (mime_encode_feed(m, span_of(NULL), out) == -1 ||
	    mime_code_end(&m->code, true, out) == -1)
		return -1;
	return m->strange || m->encoded != m->octets ? -1 : 0;
}
