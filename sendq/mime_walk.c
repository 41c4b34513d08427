/*
 * The walk over a message's structure.  Lines pass as they come; only what may
 * be a boundary is held back until its end is seen, and a header until it is
 * whole.  What is nested stands on a stack of a fixed size.
 */

#include "mime_walk.h"

#include <string.h>

void
mime_walk_init(struct mime_walk *w)
{
	*w = (struct mime_walk){.place = MIME_IN_HEADER};
	buf_init(&w->header, MIME_HEADER_MAX);
}

void
mime_walk_clear(struct mime_walk *w)
{
	buf_clear(&w->header);
}

static struct mime_ev *
emit(struct mime_walk *w, enum mime_ev_kind kind, struct span text)
{
	struct mime_ev *ev = &w->queue[w->queued++];

	*ev = (struct mime_ev){
	    .kind = kind,
	    .place = w->place,
	    .part = w->part,
	    .text = text,
	};
	return ev;
}

/* --- headers ------------------------------------------------------------ */

static struct mime_level *
top(struct mime_walk *w)
{
	return w->depth > 0 ? &w->level[w->depth - 1] : NULL;
}

static void
push(struct mime_walk *w, bool frozen)
{
	struct mime_level *l = &w->level[w->depth++];

	*l = (struct mime_level){
	    .part = w->part,
	    .boundary_n = w->field.boundary_n,
	    .sealed = frozen || w->field.sealed,
	    .digest = w->field.digest,
	};
	memcpy(l->boundary, w->field.boundary, l->boundary_n);
}

static void
forget_last(struct mime_walk *w)
{
	if (w->header_over)
		buf_reset(&w->header);
	w->header_over = false;
}

/* A part begins: what was collected is its header. */
static void
begin_part(struct mime_walk *w, bool whole)
{
	const struct mime_level *parent = top(w);
	struct mime_ev *ev;

	forget_last(w);
	w->part = w->parts;
	if (w->parts < MIME_PARTS_MAX)
		w->parts++;
	mime_field_read(
	    buf_span(&w->header), parent != NULL && parent->digest, &w->field);
	if (!whole || w->part == MIME_PARTS_MAX ||
	    (w->depth == MIME_DEPTH_MAX && (w->field.kind == MIME_MULTIPART ||
					       w->field.kind == MIME_MESSAGE)))
		w->field.kind = MIME_OPAQUE;
	ev = emit(w, MIME_EV_HEADER, buf_span(&w->header));
	ev->parent = parent != NULL ? parent->part : MIME_NO_PARENT;
	ev->message = parent == NULL || parent->boundary_n == 0;
	ev->frozen = parent != NULL && parent->sealed;
	ev->whole = whole;
	ev->field = &w->field;
	w->header_over = true;
	w->partial = !whole;
}

/* What comes behind the header that was given. */
static void
enter_body(struct mime_walk *w)
{
	bool frozen = w->depth > 0 && top(w)->sealed;

	w->partial = false;
	w->place = MIME_IN_BODY;
	if (w->field.kind == MIME_MULTIPART)
		w->place = MIME_IN_GAP;
	else if (w->field.kind == MIME_MESSAGE)
		w->place = MIME_IN_HEADER;
	if (w->place != MIME_IN_BODY)
		push(w, frozen);
}

static void
end_header(struct mime_walk *w)
{
	if (!w->partial)
		begin_part(w, true);
	enter_body(w);
}

static void
collect(struct mime_walk *w, struct span text, bool eol)
{
	if (!w->partial)
		forget_last(w);
	if (!w->partial && buf_add(&w->header, text) == -1)
		begin_part(w, false);
	if (w->partial)
		emit(w, eol ? MIME_EV_EOL : MIME_EV_TEXT, text);
}

/* --- lines -------------------------------------------------------------- */

static struct span
held(const struct mime_walk *w)
{
	return span_bytes(w->held + 2, w->held_n);
}

/* Part of a line that is no boundary. */
static void
give(struct mime_walk *w, struct span text)
{
	w->line = MIME_LINE_FLOWS;
	if (text.n == 0)
		return;
	if (w->place == MIME_IN_HEADER) {
		collect(w, text, false);
		return;
	}
	if (w->owed)
		emit(w, MIME_EV_EOL, span_of("\r\n"));
	w->owed = false;
	emit(w, MIME_EV_TEXT, text);
}

static void
on_text(struct mime_walk *w, struct span text)
{
	size_t n;

	if (w->line == MIME_LINE_START && w->depth > 0 && *text.p == '-') {
		w->line = MIME_LINE_HELD;
		w->held_n = 0;
	}
	if (w->line == MIME_LINE_HELD) {
		n = MIME_MARK_MAX - w->held_n;
		n = text.n < n ? text.n : n;
		memcpy(w->held + 2 + w->held_n, text.p, n);
		w->held_n += n;
		text = span_skip(text, n);
		if (w->held_n < MIME_MARK_MAX &&
		    (w->held_n < 2 || w->held[3] == '-'))
			return;
		give(w, held(w));
	}
	give(w, text);
}

/* Which level's boundary is held, the innermost first. */
static bool
match(const struct mime_walk *w, size_t *level_r, bool *close_r)
{
	struct span line = held(w);
	const struct mime_level *l;
	size_t i;

	while (line.n > 0 &&
	       (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	if (!span_prefix(line, "--"))
		return false;
	line = span_skip(line, 2);
	for (i = w->depth; i > 0; i--) {
		l = &w->level[i - 1];
		*level_r = i - 1;
		*close_r = line.n == l->boundary_n + 2;
		if (l->boundary_n == 0 || l->closed ||
		    (line.n != l->boundary_n && !*close_r) ||
		    memcmp(line.p, l->boundary, l->boundary_n) != 0)
			continue;
		if (!*close_r || memcmp(line.p + line.n - 2, "--", 2) == 0)
			return true;
	}
	return false;
}

/* A boundary: all within that level ends. */
static void
mark(struct mime_walk *w, size_t level, bool close, bool eol)
{
	struct span text = held(w);

	if (w->place == MIME_IN_HEADER && !w->partial)
		begin_part(w, true);
	if (w->owed) {
		memcpy(w->held, "\r\n", 2);
		text = span_bytes(text.p - 2, text.n + 2);
	}
	if (eol) {
		memcpy(w->held + 2 + w->held_n, "\r\n", 2);
		text.n += 2;
	}
	w->depth = level + 1;
	w->part = w->level[level].part;
	w->level[level].closed = close;
	w->place = close ? MIME_IN_GAP : MIME_IN_HEADER;
	w->owed = w->partial = false;
	emit(w, MIME_EV_MARK, text);
}

static void
on_eol(struct mime_walk *w)
{
	bool empty = w->line == MIME_LINE_START, close;
	size_t level;

	if (w->line == MIME_LINE_HELD) {
		if (match(w, &level, &close)) {
			w->line = MIME_LINE_START;
			mark(w, level, close, true);
			return;
		}
		give(w, held(w));
	}
	w->line = MIME_LINE_START;
	if (w->place == MIME_IN_HEADER) {
		collect(w, span_of("\r\n"), true);
		if (empty)
			end_header(w);
		return;
	}
	if (w->owed)
		emit(w, MIME_EV_EOL, span_of("\r\n"));
	w->owed = true;
}

/* --- octets ------------------------------------------------------------- */

/* What is left when no more comes, a thing at a time. */
static bool
step_at_end(struct mime_walk *w)
{
	size_t level;
	bool close;

	if (w->cr) {
		w->cr = false;
		on_text(w, span_of("\r"));
	} else if (w->line == MIME_LINE_HELD) {
		w->line = MIME_LINE_START;
		if (match(w, &level, &close))
			mark(w, level, close, false);
		else
			give(w, held(w));
	} else if (w->place == MIME_IN_HEADER && !w->partial) {
		begin_part(w, true);
		w->place = MIME_IN_BODY;
	} else if (w->owed) {
		w->owed = false;
		emit(w, MIME_EV_EOL, span_of("\r\n"));
	} else
		return false;
	return true;
}

/* Takes the next piece of a line, or its end; false when nothing is left. */
static bool
step(struct mime_walk *w)
{
	struct span text = w->in;
	ptrdiff_t cr;

	if (w->in.n == 0)
		return w->ended && step_at_end(w);
	if (w->cr) {
		w->cr = false;
		if (*w->in.p == '\n') {
			w->in = span_skip(w->in, 1);
			on_eol(w);
		} else
			on_text(w, span_of("\r"));
		return true;
	}
	cr = span_find(w->in, '\r');
	if (cr != -1)
		text.n = (size_t)cr;
	w->cr = cr != -1;
	w->in = span_skip(w->in, text.n + (w->cr ? 1 : 0));
	if (text.n > 0)
		on_text(w, text);
	return true;
}

void
mime_walk_feed(struct mime_walk *w, struct span piece)
{
	w->in = piece;
}

void
mime_walk_end(struct mime_walk *w)
{
	w->ended = true;
}

bool
mime_walk_next(struct mime_walk *w, struct mime_ev *ev_r)
{
	while (w->given == w->queued) {
		w->queued = w->given = 0;
		if (!step(w))
			return false;
	}
	*ev_r = w->queue[w->given++];
	return true;
}
