/*
 * What is in the queue, as a table or as JSON.
 */

#include "list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/log.h"
#include "standing.h"

#define OUT_MAX (64u << 20)

int
list_print(struct buf *out)
{
	struct span s = buf_span(out);
	struct err e;
	int rv = file_write(STDOUT_FILENO, s.p, s.n, "standard output", &e);

	buf_reset(out);
	if (rv == -1)
		log_err(&e);
	return rv == -1 ? err_exit(&e) : 0;
}

/* --- which messages --------------------------------------------------- */

/* What a look at a message is for. */
struct visit {
	struct queue *queue;
	enum queue_hold hold;
	int (*one)(struct message *, void *);
	void *arg;
};

/* Whoever has it may have it for a moment only. */
static int
open_patiently(const struct visit *v, const char *id, bool failed,
    struct message *m, bool *busy, struct err *e)
{
	int i, rv = 0;

	for (i = 0; i < 20; i++) {
		rv = message_open(v->queue, id, failed, v->hold, m, busy, e);
		if (rv != 0 || !*busy)
			break;
		clock_sleep(50, -1);
	}
	return rv;
}

/* named: that it is gone is to be said. */
static int
visit(const struct visit *v, const char *id, bool failed, bool named)
{
	struct message m;
	struct err e = {0};
	bool busy;
	int rv = open_patiently(v, id, failed, &m, &busy, &e), code;

	if (rv == 0 && !busy) /* moved meanwhile? */
		rv = open_patiently(v, id, !failed, &m, &busy, &e);
	if (rv == 1) {
		code = v->one(&m, v->arg);
		message_close(&m);
		return code;
	}
	if (rv == -1)
		log_err(&e);
	else if (busy)
		log_error(
		    "%s: it is being sent right now; try again later", id);
	else if (named)
		log_error("%s: it is gone", id);
	else
		return 0;
	return rv == -1 ? err_exit(&e) : busy ? EX_TEMPFAIL : EX_USAGE;
}

static int
visit_all(const struct visit *v, bool failed)
{
	struct words ids;
	struct err e;
	size_t i;
	int code = 0;

	words_init(&ids);
	if (queue_ids(v->queue, failed, &ids, &e) == -1) {
		log_err(&e);
		code = err_exit(&e);
	}
	for (i = 0; i < ids.n; i++)
		code = err_worse(code, visit(v, ids.v[i], failed, false));
	words_clear(&ids);
	return code;
}

int
list_each(struct queue *q, const struct words *ids, enum list_all all,
    enum queue_hold hold, int (*one)(struct message *, void *), void *arg)
{
	const struct visit v = {q, hold, one, arg};
	char id[QUEUE_ID];
	struct err e;
	bool failed;
	size_t i;
	int code = 0;

	for (i = 0; i < ids->n; i++) {
		if (strcmp(ids->v[i], "all") == 0) {
			code = err_worse(code, visit_all(&v, false));
			if (all == LIST_FAILED_TOO)
				code = err_worse(code, visit_all(&v, true));
		} else if (queue_find(q, ids->v[i], id, &failed, &e) == -1) {
			log_err(&e);
			code = err_worse(code, err_exit(&e));
		} else
			code = err_worse(code, visit(&v, id, failed, true));
	}
	return code;
}

/* --- for programs ----------------------------------------------------- */

static const char *
rcpt_word(const struct envelope *env, const struct rcpt *r)
{
	switch (r->state) {
	case RCPT_WAITING:
		return env->held         ? "held"
		       : r->uncertain    ? "uncertain"
		       : r->attempts > 0 ? "deferred"
		                         : "waiting";
	case RCPT_SENDING:
		return "sending";
	case RCPT_SENT:
		return "sent";
	case RCPT_FAILED:
		return "failed";
	}
	return "";
}

/* When it will be tried; 0: it will not be. */
static int64_t
rcpt_next(const struct envelope *env, const struct rcpt *r)
{
	if (r->state != RCPT_WAITING || env->held)
		return 0;
	return r->next > env->due ? r->next
	       : env->due > 0     ? env->due
	       : r->next > 0      ? r->next
	                          : env->created;
}

static int
json_maybe(struct buf *out, const char *key, const char *text)
{
	return text != NULL ? json_text(out, key, span_of(text))
	                    : json_null(out, key);
}

static int
json_time(struct buf *out, const char *key, int64_t t)
{
	return t > 0 ? json_number(out, key, t) : json_null(out, key);
}

static int
json_rcpt(struct buf *out, const struct envelope *env, const struct rcpt *r)
{
	int bad = json_open(out, NULL, '{');

	bad |= json_text(out, "address", span_of(r->address));
	bad |= json_maybe(out, "original", r->original);
	bad |= json_text(out, "state", span_of(rcpt_word(env, r)));
	bad |= json_number(out, "attempts", r->attempts);
	bad |= json_time(out, "next", rcpt_next(env, r));
	bad |= json_time(out, "since", r->since);
	bad |= json_maybe(out, "reply", r->reply);
	bad |= json_close(out, '}');
	return bad;
}

int
list_object(struct buf *out, const struct message *m, int64_t now)
{
	const struct envelope *env = &m->env;
	int bad = json_text(out, "id", span_of(m->id));
	size_t i;

	bad |= json_text(out, "state", span_of(envelope_state(env, now)));
	bad |= json_bool(out, "held", env->held);
	bad |= json_number(out, "created", env->created);
	bad |= json_time(out, "due", env->due);
	bad |= json_number(out, "size", (int64_t)env->size);
	bad |= json_text(out, "account", span_of(env->account));
	bad |= json_maybe(out, "server", env->server);
	bad |= json_text(out, "sender", span_of(env->sender));
	bad |= json_maybe(out, "subject", env->subject);
	bad |= json_maybe(out, "message_id", env->message_id);
	bad |= json_open(out, "recipients", '[');
	for (i = 0; i < env->n_rcpts; i++)
		bad |= json_rcpt(out, env, &env->rcpts[i]);
	bad |= json_close(out, ']');
	return bad;
}

/* --- for people ------------------------------------------------------- */

/* An account, and until when all its mail waits; 0: it does not. */
struct pause {
	char *account, *why; /* owned */
	int64_t until;
};

struct table {
	struct buf out;       /* owned */
	struct pause *pauses; /* owned; of the accounts seen so far */
	size_t n_pauses;
	int64_t now;
	bool json;
	size_t n, n_failed; /* messages; those of failed/ not among the first */
	uint64_t bytes;
};

static void
put_text(struct buf *out, const char *text)
{
	char *shown = span_show(span_of(text), 1000);

	buf_puts(out, shown);
	free(shown);
}

/* "in 5 min", "now"; "-" when nothing will happen by itself. */
static void
show_next(int64_t t, int64_t now, char out[40])
{
	char span[32];

	if (t == INT64_MAX)
		strlcpy(out, "-", 40);
	else if (t <= now)
		strlcpy(out, "now", 40);
	else {
		time_show_duration((t - now) * 1000, span);
		snprintf(out, 40, "in %s", span);
	}
}

/* Until when a message's account waits; what cannot be read is no pause. */
static int64_t
pause_of(struct table *t, const struct message *m)
{
	struct standing s;
	struct pause *p;
	struct err ignored;
	size_t i;

	for (i = 0; i < t->n_pauses; i++)
		if (strcmp(t->pauses[i].account, m->env.account) == 0)
			return t->pauses[i].until;
	t->pauses = mem_resize(t->pauses, t->n_pauses + 1, sizeof(*t->pauses));
	p = &t->pauses[t->n_pauses++];
	*p = (struct pause){.account = mem_strdup(m->env.account)};
	standing_init(&s, m->queue, p->account, NULL, 0);
	if (standing_waits(&s, t->now, &p->until, &p->why, &ignored) != 1)
		p->until = 0;
	standing_clear(&s);
	return p->until;
}

/* When something will be done about it; INT64_MAX: nothing by itself. */
static int64_t
next_of(struct table *t, const struct message *m)
{
	int64_t next = m->failed ? INT64_MAX : envelope_next(&m->env);
	int64_t until = m->failed ? 0 : pause_of(t, m);

	return next > until ? next : until;
}

static void
table_rcpt(struct table *t, const struct envelope *env, const struct rcpt *r)
{
	char next[40];

	buf_puts(&t->out, "    ");
	put_text(&t->out, r->address);
	if (r->state != RCPT_WAITING || r->attempts > 0)
		buf_printf(&t->out, ": %s", rcpt_word(env, r));
	if (r->reply != NULL) {
		buf_puts(&t->out, ": ");
		put_text(&t->out, r->reply);
	}
	if (r->attempts > 0 && rcpt_next(env, r) > 0) {
		show_next(rcpt_next(env, r), t->now, next);
		buf_printf(&t->out, " (again %s)", next);
	}
	buf_putc(&t->out, '\n');
}

static void
table_message(struct table *t, const struct message *m)
{
	const struct envelope *env = &m->env;
	char age[32], size[32], next[40];
	size_t i;

	if (t->n + t->n_failed == 0)
		buf_printf(&t->out, "%-17s  %-12s %9s  %-10s %-13s %s\n", "ID",
		    "AGE", "SIZE", "STATE", "NEXT TRY", "SENDER");
	time_show_duration(
	    (t->now > env->created ? t->now - env->created : 1) * 1000, age);
	time_show_size(env->size, size);
	show_next(next_of(t, m), t->now, next);
	buf_printf(&t->out, "%-17s  %-12s %9s  %-10s %-13s ", m->id, age, size,
	    envelope_state(env, t->now), next);
	put_text(&t->out, *env->sender != '\0' ? env->sender : "<>");
	buf_putc(&t->out, '\n');
	for (i = 0; i < env->n_rcpts; i++)
		table_rcpt(t, env, &env->rcpts[i]);
}

static void
json_message(struct table *t, const struct message *m)
{
	json_open(&t->out, NULL, '{');
	list_object(&t->out, m, t->now);
	json_time(&t->out, "account_waits", m->failed ? 0 : pause_of(t, m));
	json_close(&t->out, '}');
	buf_putc(&t->out, '\n');
}

static int
list_one(struct message *m, void *arg)
{
	struct table *t = arg;

	if (t->json)
		json_message(t, m);
	else
		table_message(t, m);
	t->n += !m->failed;
	t->n_failed += m->failed;
	t->bytes += m->failed ? 0 : m->env.size;
	return buf_span(&t->out).n > OUT_MAX / 2 ? list_print(&t->out) : 0;
}

static void
table_pauses(struct table *t)
{
	char next[40];
	size_t i;

	for (i = 0; i < t->n_pauses; i++) {
		if (t->pauses[i].until == 0)
			continue;
		show_next(t->pauses[i].until, t->now, next);
		buf_puts(&t->out, "All mail of '");
		put_text(&t->out, t->pauses[i].account);
		buf_printf(&t->out, "' waits, again %s: ", next);
		put_text(&t->out, t->pauses[i].why);
		buf_putc(&t->out, '\n');
	}
}

/* In the words that monitors of Postfix look for. */
static void
table_end(struct table *t)
{
	table_pauses(t);
	if (t->n > 0)
		buf_printf(&t->out, "-- %" PRIu64 " Kbytes in %zu Request%s.\n",
		    (t->bytes + 1023) / 1024, t->n, t->n == 1 ? "" : "s");
	else
		buf_puts(&t->out, "Mail queue is empty\n");
	if (t->n_failed > 0)
		buf_printf(&t->out,
		    "%zu failed (--retry-now or --remove, with the ID)\n",
		    t->n_failed);
}

int
list_queue(struct queue *q, bool json)
{
	struct table t = {.now = clock_wall_us() / 1000000, .json = json};
	struct words all;
	int code;

	words_init(&all);
	words_add(&all, "all");
	buf_init(&t.out, OUT_MAX);
	code = list_each(q, &all, LIST_FAILED_TOO, QUEUE_LOOK, list_one, &t);
	if (!json)
		table_end(&t);
	code = err_worse(code, list_print(&t.out));
	for (; t.n_pauses > 0; t.n_pauses--) {
		free(t.pauses[t.n_pauses - 1].account);
		free(t.pauses[t.n_pauses - 1].why);
	}
	free(t.pauses);
	buf_clear(&t.out);
	words_clear(&all);
	return code;
}
