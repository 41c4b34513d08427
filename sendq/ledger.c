/*
 * The spool's log, written and read. Its lines are for people, and for when
 * the message they are about is gone: so they are durable before it goes.
 */

#include "ledger.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"

#define ROTATE_AT (8 << 20)
#define LINES_MAX (256u << 20) /* an envelope's share of them is less */
#define TAIL_MAX (256 << 10)   /* looked through for a line that may be there */

/* Whether "log" is still the file that we have; rotates it when it is full. */
static bool
is_current(struct ledger *l)
{
	struct stat ours, named;

	if (fstat(l->fd, &ours) == -1 ||
	    fstatat(l->queue->dir, "log", &named, 0) == -1 ||
	    ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
		return false;
	if (ours.st_size < ROTATE_AT)
		return true;
	return renameat(l->queue->dir, "log", l->queue->dir, "log.old") == -1;
}

/* A log that has no line yet may have no durable name. */
static int
keep_name(const struct ledger *l, struct err *e)
{
	struct stat st;

	if (fstat(l->fd, &st) == 0 && st.st_size > 0)
		return 0;
	return file_sync(l->queue->dir, l->queue->path, e);
}

/* 1: it is ours; 0: it is another one by now; -1. */
static int
take(struct ledger *l, struct err *e)
{
	switch (lock_fd(l->fd, false, true)) {
	case 1:
		if (!is_current(l))
			return 0;
		return keep_name(l, e) == 0 ? 1 : -1;
	case 0:
		return err_set(e, ERR_TEMP,
		    "%s/log: in use, and we are to stop", l->queue->path);
	default:
		return err_sys(
		    e, ERR_LOCAL, "%s/log: cannot lock", l->queue->path);
	}
}

int
ledger_open(struct ledger *l, const struct queue *q, struct err *e)
{
	int rv;

	*l = (struct ledger){.queue = q, .fd = -1};
	do {
		l->fd = openat(q->dir, "log",
		    O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		if (l->fd == -1)
			return err_sys(
			    e, ERR_LOCAL, "%s/log: cannot open", q->path);
		rv = take(l, e);
		if (rv != 1)
			ledger_close(l);
	} while (rv == 0);
	return rv == 1 ? 0 : -1;
}

void
ledger_close(struct ledger *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
}

int
ledger_sync(struct ledger *l, struct err *e)
{
	return file_sync(l->fd, "log", e);
}

/* --- writing ---------------------------------------------------------- */

static int
put_line(struct buf *out, const struct message *m, const struct rcpt *r,
    const char *outcome, int64_t now)
{
	const struct envelope *env = &m->env;
	const char *fields[] = {m->id, env->account,
	    *env->sender != '\0' ? env->sender : "<>", r->address, outcome};
	bool settled = r->state == RCPT_SENT || r->state == RCPT_FAILED;
	int64_t t = settled ? r->since : now;
	size_t i;

	if (buf_printf(out, "%lld ", (long long)t) == -1)
		return -1;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (enc_line(out, span_of(fields[i]), " ") == -1 ||
		    buf_putc(out, ' ') == -1)
			return -1;
	if (enc_line(out, span_of(r->reply), NULL) == -1)
		return -1;
	return buf_putc(out, '\n');
}

static const char *
outcome_of(const struct rcpt *r, bool removed)
{
	if (r->state == RCPT_SENT)
		return "sent";
	if (r->state == RCPT_FAILED)
		return "failed";
	return removed ? "removed" : NULL;
}

/* The end of the log, from the begin of a line on. */
static void
read_tail(struct ledger *l, struct buf *tail)
{
	off_t size = lseek(l->fd, 0, SEEK_END);
	off_t at = size > TAIL_MAX ? size - TAIL_MAX : 0;
	char *p = buf_reserve(tail, TAIL_MAX);
	ssize_t k = p != NULL ? pread(l->fd, p, TAIL_MAX, at) : 0;
	ptrdiff_t cut;

	buf_commit(tail, k > 0 ? (size_t)k : 0);
	cut = at > 0 ? span_find(buf_span(tail), '\n') : -1;
	buf_consume(tail, (size_t)(cut + 1));
}

static bool
has_line(struct span lines, struct span line)
{
	struct span one;

	line.n--; /* its newline */
	while (span_cut(&lines, '\n', &one))
		if (span_same(one, line))
			return true;
	return false;
}

/* What a crash left of a line is ended, so that ours begins one. */
static int
end_torn(struct ledger *l, struct err *e)
{
	off_t size = lseek(l->fd, 0, SEEK_END);
	char last;

	if (size <= 0 || pread(l->fd, &last, 1, size - 1) != 1 || last == '\n')
		return 0;
	return file_write(l->fd, "\n", 1, "log", e);
}

/*
 * What was settled before the message was opened may be there already: a crash
 * came between the log and what follows, or it failed for one recipient and
 * was tried again.
 */
static void
drop_known(struct ledger *l, struct buf *lines)
{
	struct span all, line;
	struct buf tail, left;

	buf_init(&tail, TAIL_MAX);
	buf_init(&left, LINES_MAX);
	read_tail(l, &tail);
	all = buf_span(lines);
	while (all.n > 0) {
		line = all;
		line.n = (size_t)span_find(all, '\n') + 1;
		all = span_skip(all, line.n);
		if (!has_line(buf_span(&tail), line))
			buf_add(&left, line);
	}
	buf_clear(&tail);
	buf_clear(lines);
	*lines = left;
}

int
ledger_add(
    struct ledger *l, const struct message *m, bool removed, struct err *e)
{
	int64_t now = clock_wall_us() / 1000000;
	const char *outcome;
	struct buf lines;
	size_t i;
	int rv = 0;

	buf_init(&lines, LINES_MAX);
	for (i = 0; i < m->env.n_rcpts && rv == 0; i++) {
		const struct rcpt *r = &m->env.rcpts[i];

		if ((outcome = outcome_of(r, removed)) == NULL)
			continue;
		rv = put_line(&lines, m, r, outcome, now);
	}
	if (rv == -1)
		err_set(e, ERR_LOCAL, "log: too many recipients");
	if (rv == 0 && m->settled)
		drop_known(l, &lines);
	if (rv == 0)
		rv = end_torn(l, e);
	if (rv == 0)
		rv = file_write(
		    l->fd, buf_span(&lines).p, buf_span(&lines).n, "log", e);
	buf_clear(&lines);
	return rv;
}

/* --- reading ---------------------------------------------------------- */

static char *
decode(struct span raw)
{
	struct buf text;
	char *s;

	buf_init(&text, raw.n);
	s = span_dup(dec_percent(&text, raw) == 0 ? buf_span(&text) : raw);
	buf_clear(&text);
	return s;
}

int
ledger_parse(struct span line, struct ledger_line *out)
{
	struct span rest = line, word;
	uint64_t t = 0;
	size_t i;

	*out = (struct ledger_line){0};
	for (i = 0; i < LEDGER_WORDS; i++) {
		if (!span_cut(&rest, ' ', &word) || word.n == 0 ||
		    (i == LEDGER_TIME && !span_number(word, INT64_MAX, &t))) {
			ledger_line_clear(out);
			return 0;
		}
		out->fields[i] = decode(word);
	}
	out->fields[LEDGER_WORDS] = decode(rest);
	out->time = (int64_t)t;
	return 1;
}

void
ledger_line_clear(struct ledger_line *l)
{
	size_t i;

	for (i = 0; i < LEDGER_FIELDS; i++)
		free(l->fields[i]);
	*l = (struct ledger_line){0};
}
