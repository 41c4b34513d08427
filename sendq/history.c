/*
 * The history of a message: its lines, what each of them does to the
 * envelope, and what is to be done next.
 */

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/mem.h"
#include "envelope.h"

#define END " ."
#define NOBODY "-" /* where recipients should stand, and there are none */

#define IN(state) (1u << (state))
#define UNSETTLED (IN(RCPT_WAITING) | IN(RCPT_SENDING))

/*
 * What is on an event's line, in this order, and what becomes of the
 * recipients that it is about, if they are in one of the states `from`. What
 * was sent stays sent, whatever comes behind it.
 */
static const struct rule {
	const char *name;
	bool rcpts, at, text;
	unsigned int from; /* IN() of states; 0: changes none */
	enum rcpt_state to;
	bool counts; /* as an attempt */
} rules[EVENTS] = {
    [EVENT_SENDING] = {"sending", true, false, false, IN(RCPT_WAITING),
	RCPT_SENDING, false},
    [EVENT_UNSENT] = {"unsent", true, false, false, IN(RCPT_SENDING),
	RCPT_WAITING, false},
    [EVENT_SENT] = {"sent", true, false, true, UNSETTLED | IN(RCPT_FAILED),
	RCPT_SENT, true},
    [EVENT_DEFERRED] = {"deferred", true, true, true, UNSETTLED, RCPT_WAITING,
	true},
    [EVENT_UNCERTAIN] = {"uncertain", true, true, true, UNSETTLED, RCPT_WAITING,
	true},
    [EVENT_FAILED] = {"failed", true, false, true, UNSETTLED, RCPT_FAILED,
	true},
    [EVENT_RETRY] = {"retry", false, true, false,
	IN(RCPT_WAITING) | IN(RCPT_FAILED), RCPT_WAITING, false},
    [EVENT_HOLD] = {.name = "hold"},
    [EVENT_RELEASE] = {.name = "release"},
    [EVENT_COPYING] = {.name = "copying", .text = true},
    [EVENT_COPIED] = {.name = "copied"},
    [EVENT_REPORTING] = {.name = "reporting", .text = true},
    [EVENT_REPORTED] = {.name = "reported", .rcpts = true},
    [EVENT_WARNED] = {.name = "warned"},
};

const char *
event_name(enum event event)
{
	return rules[event].name;
}

/* --- writing a line ---------------------------------------------------- */

/* A dot behind a blank would make a line look whole that was cut off there. */
int
envelope_encode(struct buf *out, struct span s)
{
	size_t i, from = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '.' || (i > 0 && s.p[i - 1] != ' '))
			continue;
		if (enc_line(out, span_bytes(s.p + from, i - from), NULL) ==
			-1 ||
		    buf_puts(out, "%2E") == -1)
			return -1;
		from = i + 1;
	}
	return enc_line(out, span_skip(s, from), NULL);
}

static int
put_time(struct buf *out, const char *before, int64_t t)
{
	return buf_printf(out, "%s%lld", before, (long long)(t > 0 ? t : 0));
}

static int
put_rcpts(struct buf *out, const struct uidset *rcpts)
{
	if (buf_putc(out, ' ') == -1)
		return -1;
	if (uidset_empty(rcpts))
		return buf_puts(out, NOBODY);
	return uidset_format(rcpts, 0, SIZE_MAX, out) == 0 ? 0 : -1;
}

static int
put_history(struct buf *out, const struct history *h)
{
	const struct rule *rule = &rules[h->event];

	if (put_time(out, "", h->time) == -1 || buf_putc(out, ' ') == -1 ||
	    buf_puts(out, rule->name) == -1)
		return -1;
	if (rule->rcpts && put_rcpts(out, &h->rcpts) == -1)
		return -1;
	if (rule->at && put_time(out, " ", h->at) == -1)
		return -1;
	if (rule->text && h->text.n > 0 &&
	    (buf_putc(out, ' ') == -1 || envelope_encode(out, h->text) == -1))
		return -1;
	return buf_puts(out, END "\n");
}

int
history_format(const struct history *h, struct buf *out)
{
	size_t before = out->len;

	if (put_history(out, h) == 0)
		return 0;
	out->len = before;
	return -1;
}

/* --- reading it -------------------------------------------------------- */

/* Cuts up to the next blank off, and that one blank. */
static struct span
cut_word(struct span *rest)
{
	ptrdiff_t blank = span_find(*rest, ' ');
	struct span word = *rest;

	if (blank == -1) {
		*rest = span_skip(*rest, rest->n);
		return word;
	}
	word.n = (size_t)blank;
	*rest = span_skip(*rest, word.n + 1);
	return word;
}

static bool
get_time(struct span word, int64_t *t_r)
{
	uint64_t n;

	if (!span_number(word, INT64_MAX, &n))
		return false;
	*t_r = (int64_t)n;
	return true;
}

static bool
get_event(struct span word, enum event *event_r)
{
	size_t i;

	for (i = 0; i < EVENTS; i++) {
		if (span_eq(word, rules[i].name)) {
			*event_r = (enum event)i;
			return true;
		}
	}
	return false;
}

/*
 * Words that cannot be decoded count as they stand: what became of the
 * recipients is worth more than the words.
 */
static bool
get_text(struct span raw, struct buf *scratch, struct span *text_r)
{
	if (dec_percent(scratch, raw) == -1) {
		buf_reset(scratch);
		if (buf_add(scratch, raw) == -1)
			return false;
	}
	*text_r = buf_span(scratch);
	return true;
}

static bool
get_history(struct span line, struct buf *scratch, struct history *h)
{
	const struct rule *rule;
	struct span word;

	if (!get_time(cut_word(&line), &h->time) ||
	    !get_event(cut_word(&line), &h->event))
		return false;
	rule = &rules[h->event];
	if (rule->rcpts) {
		word = cut_word(&line);
		if (!span_eq(word, NOBODY) &&
		    uidset_parse(&h->rcpts, word) == -1)
			return false;
	}
	if (rule->at && !get_time(cut_word(&line), &h->at))
		return false;
	if (rule->text)
		return get_text(line, scratch, &h->text);
	return line.n == 0;
}

bool
envelope_whole(struct span *line)
{
	size_t end = strlen(END);

	if (line->n < end || span_find(*line, '\0') != -1 ||
	    !span_eq(span_skip(*line, line->n - end), END))
		return false;
	line->n -= end;
	return true;
}

int
history_parse(struct span line, struct buf *scratch, struct history *h)
{
	*h = (struct history){0};
	buf_reset(scratch);
	if (envelope_whole(&line) && get_history(line, scratch, h))
		return 1;
	history_clear(h);
	return 0;
}

void
history_clear(struct history *h)
{
	uidset_clear(&h->rcpts);
	*h = (struct history){0};
}

void
envelope_replay(struct envelope *env, struct span text)
{
	struct history h;
	struct buf scratch;
	struct span line;

	buf_init(&scratch, text.n);
	while (span_cut(&text, '\n', &line)) {
		if (history_parse(line, &scratch, &h) == 0)
			continue;
		envelope_apply(env, &h);
		history_clear(&h);
	}
	buf_clear(&scratch);
}

/* --- what an event does ------------------------------------------------ */

static void
set_text(char **text, struct span s)
{
	free(*text);
	*text = span_dup(s);
}

static void
drop_text(char **text)
{
	free(*text);
	*text = NULL;
}

static void
apply_rcpt(struct rcpt *r, const struct history *h)
{
	const struct rule *rule = &rules[h->event];

	if (h->event == EVENT_REPORTED)
		r->reported = true;
	if ((rule->from & IN(r->state)) == 0)
		return;
	/* It begins anew, and its next failure is news. */
	if (h->event == EVENT_RETRY && r->state == RCPT_FAILED) {
		r->attempts = 0;
		r->reported = false;
	}
	r->state = rule->to;
	r->since = h->time;
	r->attempts += rule->counts ? 1 : 0;
	r->uncertain = r->uncertain || h->event == EVENT_UNCERTAIN;
	if (rule->at)
		r->next = h->at;
	if (rule->text)
		set_text(&r->reply, h->text);
}

static void
apply_message(struct envelope *env, const struct history *h)
{
	switch (h->event) {
	case EVENT_RETRY:
		env->due = h->at;
		break;
	case EVENT_HOLD:
	case EVENT_RELEASE:
		env->held = h->event == EVENT_HOLD;
		break;
	case EVENT_COPYING:
		set_text(&env->copying, h->text);
		env->copying_at = h->time;
		break;
	case EVENT_COPIED:
		env->copied = true;
		break;
	case EVENT_REPORTING:
		set_text(&env->reporting, h->text);
		env->reporting_at = h->time;
		break;
	case EVENT_WARNED:
		env->warned = true;
		drop_text(&env->reporting);
		break;
	case EVENT_REPORTED:
		env->reports++;
		drop_text(&env->reporting);
		break;
	case EVENT_SENDING:
	case EVENT_UNSENT:
	case EVENT_SENT:
	case EVENT_DEFERRED:
	case EVENT_UNCERTAIN:
	case EVENT_FAILED:
		break;
	}
}

void
envelope_apply(struct envelope *env, const struct history *h)
{
	bool all = !rules[h->event].rcpts;
	size_t i;

	for (i = 0; i < env->n_rcpts; i++) {
		if (all || uidset_has(&h->rcpts, (uint32_t)(i + 1)))
			apply_rcpt(&env->rcpts[i], h);
	}
	apply_message(env, h);
	env->last = h->time;
}

/* --- what follows from it ---------------------------------------------- */

void
envelope_rcpts(
    const struct envelope *env, enum rcpt_state state, struct uidset *set)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++) {
		if (env->rcpts[i].state == state)
			uidset_add(set, (uint32_t)(i + 1), (uint32_t)(i + 1));
	}
}

static size_t
count(const struct envelope *env, enum rcpt_state state)
{
	size_t i, n = 0;

	for (i = 0; i < env->n_rcpts; i++)
		n += env->rcpts[i].state == state ? 1 : 0;
	return n;
}

static int64_t
rcpt_next(const struct envelope *env, const struct rcpt *r)
{
	return r->next > env->due ? r->next : env->due;
}

void
envelope_due(const struct envelope *env, int64_t now, struct uidset *set)
{
	const struct rcpt *r;
	size_t i;

	for (i = 0; i < env->n_rcpts && !env->held; i++) {
		r = &env->rcpts[i];
		if (r->state == RCPT_WAITING && rcpt_next(env, r) <= now)
			uidset_add(set, (uint32_t)(i + 1), (uint32_t)(i + 1));
	}
}

int64_t
envelope_born(const struct envelope *env)
{
	int64_t born = env->due > env->created ? env->due : env->created;

	return env->hold_until > born ? env->hold_until : born;
}

bool
envelope_finished(const struct envelope *env)
{
	return count(env, RCPT_WAITING) + count(env, RCPT_SENDING) == 0;
}

int64_t
envelope_next(const struct envelope *env)
{
	int64_t next = INT64_MAX, t;
	size_t i;

	if (envelope_finished(env) || count(env, RCPT_SENDING) > 0)
		return env->last;
	for (i = 0; i < env->n_rcpts && !env->held; i++) {
		t = rcpt_next(env, &env->rcpts[i]);
		if (env->rcpts[i].state == RCPT_WAITING && t < next)
			next = t;
	}
	return next;
}

const char *
envelope_state(const struct envelope *env, int64_t now)
{
	bool uncertain = false, tried = false;
	size_t i;

	if (envelope_finished(env))
		return count(env, RCPT_FAILED) > 0 ? "failed" : "sent";
	if (count(env, RCPT_SENDING) > 0)
		return "sending";
	if (env->held)
		return "held";
	for (i = 0; i < env->n_rcpts; i++) {
		if (env->rcpts[i].state != RCPT_WAITING)
			continue;
		uncertain = uncertain || env->rcpts[i].uncertain;
		tried = tried || env->rcpts[i].attempts > 0;
	}
	if (uncertain)
		return "uncertain";
	if (env->due > now)
		return "scheduled";
	return tried ? "deferred" : "queued";
}
