/*
 * A message and its history, and what the log tells of those that are gone.
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "ledger.h"
#include "list.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"
#include "queue_parts.h"
#include "when.h"

#define LINE_MAX_OUT (4u << 20)

struct show {
	struct buf out; /* owned */
	bool json;
	bool some; /* one was shown before */
};

/* --- its history ------------------------------------------------------ */

static void
put_shown(struct buf *out, struct span text)
{
	char *shown = span_show(text, 4000);

	buf_puts(out, shown);
	free(shown);
}

/* "bob@example.net, carol@example.org"; nothing for a line about all. */
static void
put_rcpts(struct buf *out, const struct envelope *env, const struct uidset *set)
{
	uint64_t it = 0;
	uint32_t i;
	bool first = true;

	while (uidset_next(set, &it, &i)) {
		if (i < 1 || i > env->n_rcpts)
			continue;
		buf_puts(out, first ? " " : ", ");
		put_shown(out, span_of(env->rcpts[i - 1].address));
		first = false;
	}
}

static void
show_event(struct buf *out, const struct envelope *env, const struct history *h)
{
	char when[WHEN_SHOWN];

	buf_printf(
	    out, "%s  %s", when_show(h->time, when), event_name(h->event));
	put_rcpts(out, env, &h->rcpts);
	if (h->at > 0)
		buf_printf(out, ", again %s", when_show(h->at, when));
	if (h->text.n > 0) {
		buf_puts(out, ": ");
		put_shown(out, h->text);
	}
	buf_putc(out, '\n');
}

static void
json_event(struct buf *out, const struct envelope *env, const struct history *h)
{
	uint64_t it = 0;
	uint32_t i;

	json_open(out, NULL, '{');
	json_number(out, "time", h->time);
	json_text(out, "event", span_of(event_name(h->event)));
	json_open(out, "recipients", '[');
	while (uidset_next(&h->rcpts, &it, &i))
		if (i >= 1 && i <= env->n_rcpts)
			json_text(
			    out, NULL, span_of(env->rcpts[i - 1].address));
	json_close(out, ']');
	if (h->at > 0)
		json_number(out, "at", h->at);
	if (h->text.n > 0)
		json_text(out, "text", h->text);
	json_close(out, '}');
}

static int
each_event(struct show *s, struct message *m, struct err *e)
{
	struct buf text, scratch;
	struct span rest, line;
	struct history h;
	int rv = -1;

	buf_init(&text, QUEUE_ENVELOPE_MAX);
	buf_init(&scratch, QUEUE_ENVELOPE_MAX);
	if (lseek(m->env_fd, 0, SEEK_SET) == 0)
		rv = file_read_fd(m->env_fd, m->id, &text, e);
	else
		err_sys(e, ERR_LOCAL, "%s", m->id);
	rest = span_skip(buf_span(&text), m->env.history);
	while (rv == 0 && span_cut(&rest, '\n', &line)) {
		if (history_parse(line, &scratch, &h) == 0)
			continue;
		(s->json ? json_event : show_event)(&s->out, &m->env, &h);
		history_clear(&h);
	}
	buf_clear(&text);
	buf_clear(&scratch);
	return rv;
}

/* --- a message -------------------------------------------------------- */

static void
show_envelope(struct show *s, const struct message *m, int64_t now)
{
	const struct envelope *env = &m->env;
	char when[WHEN_SHOWN];
	size_t i;

	buf_printf(&s->out, "%smessage %s: %s\naccount: %s\ncreated: %s\n",
	    s->some ? "\n" : "", m->id, envelope_state(env, now), env->account,
	    when_show(env->created, when));
	if (env->due > now)
		buf_printf(
		    &s->out, "not before: %s\n", when_show(env->due, when));
	buf_puts(&s->out, "sender: ");
	put_shown(&s->out, span_of(*env->sender != '\0' ? env->sender : "<>"));
	for (i = 0; i < env->n_rcpts; i++) {
		buf_puts(&s->out, "\nrecipient: ");
		put_shown(&s->out, span_of(env->rcpts[i].address));
	}
	buf_putc(&s->out, '\n');
}

/* The bytes, without the CRs at their lines' ends. */
static int
show_body(struct show *s, struct message *m, struct err *e)
{
	char chunk[8192];
	ssize_t n, i;

	if (message_body(m, e) == -1)
		return -1;
	buf_putc(&s->out, '\n');
	while ((n = read(m->eml_fd, chunk, sizeof(chunk))) > 0) {
		for (i = 0; i < n; i++)
			if (chunk[i] != '\r')
				buf_putc(&s->out, chunk[i]);
		if (list_print(&s->out) != 0)
			return err_set(
			    e, ERR_LOCAL, "%s: not shown whole", m->id);
	}
	return n == -1 ? err_sys(e, ERR_LOCAL, "%s: cannot read", m->id) : 0;
}

static int
show_text(struct show *s, struct message *m, int64_t now, struct err *e)
{
	show_envelope(s, m, now);
	return each_event(s, m, e) == -1 ? -1 : show_body(s, m, e);
}

static int
show_json(struct show *s, struct message *m, int64_t now, struct err *e)
{
	char *path = mem_printf("%s/%s/%s.eml", m->queue->path,
	    m->failed ? "failed" : "queue", m->id);
	int rv;

	json_open(&s->out, NULL, '{');
	list_object(&s->out, m, now);
	json_text(&s->out, "file", span_of(path));
	json_open(&s->out, "history", '[');
	rv = each_event(s, m, e);
	json_close(&s->out, ']');
	json_close(&s->out, '}');
	buf_putc(&s->out, '\n');
	free(path);
	return rv;
}

static int
show_one(struct message *m, void *arg)
{
	int64_t now = clock_wall_us() / 1000000;
	struct show *s = arg;
	struct err e = {0};
	int rv = (s->json ? show_json : show_text)(s, m, now, &e);

	s->some = true;
	if (rv == -1) {
		buf_reset(&s->out);
		log_err(&e);
		return err_exit(&e);
	}
	return list_print(&s->out);
}

int
list_show(struct queue *q, const struct words *ids, bool json)
{
	struct show s = {.json = json};
	int code;

	buf_init(&s.out, LINE_MAX_OUT + QUEUE_ENVELOPE_MAX);
	code = list_each(q, ids, LIST_FAILED_TOO, QUEUE_LOOK, show_one, &s);
	buf_clear(&s.out);
	return code;
}
