/*
 * A message that comes as SMTP has it: dots taken off, its end found, and then
 * accepted as any other.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/log.h"
#include "smtpd_parts.h"

/* Where a body's line is: its end is at a dot alone on it. */
struct data {
	int fd;
	struct buf out; /* owned */
	bool bare;      /* lines end in LF alone */
	bool failed;    /* the file is full: only the end is looked for */
	struct err err;
};

static void
data_write(struct data *t, struct span s)
{
	if (!t->failed && buf_add(&t->out, s) == 0)
		return;
	if (!t->failed &&
	    file_write(t->fd, buf_span(&t->out).p, buf_span(&t->out).n,
		"the message", &t->err) == -1)
		t->failed = true;
	buf_reset(&t->out);
	if (!t->failed)
		(void)buf_add(&t->out, s);
}

/*
 * Cuts a line off what is there, up to and with its end: false when it is not
 * there yet. An LF alone ends a line for a client that ends all lines so, and
 * for no other: what one takes for the end of a message, all must.
 */
static bool
data_line(const struct data *t, struct span have, struct span *line)
{
	size_t from = 0;
	ptrdiff_t lf;

	while ((lf = span_find(span_skip(have, from), '\n')) != -1) {
		from += (size_t)lf + 1;
		*line = span_bytes(have.p, from);
		if (t->bare || (from >= 2 && have.p[from - 2] == '\r'))
			return true;
	}
	return false;
}

/* A dot, and the line's end as it was found: nothing else between. */
static bool
is_end(struct span line)
{
	return span_eq(line, ".\r\n") || span_eq(line, ".\n");
}

/* A line, or the first part of one: what was put before its dot is off. */
static struct span
unstuffed(struct span line, bool begins)
{
	return span_skip(line, begins && line.n > 0 && line.p[0] == '.');
}

/* Takes lines, long ones in parts: true when the end was there. */
static bool
data_take(struct smtpd *d, struct data *t)
{
	struct span line;
	bool begins = true; /* a line */

	for (;;) {
		if (!data_line(t, buf_span(&d->input), &line)) {
			/* All but a CR, whose LF may come. */
			line = buf_span(&d->input);
			line.n -= line.n > 0;
			if (line.n < 2 * SMTPD_CHUNK) {
				if (!smtpd_fill(d))
					return false;
				continue;
			}
			data_write(t, unstuffed(line, begins));
			buf_consume(&d->input, line.n);
			begins = false;
			continue;
		}
		if (begins && is_end(line)) {
			buf_consume(&d->input, line.n);
			return true;
		}
		data_write(t, unstuffed(line, begins));
		buf_consume(&d->input, line.n);
		begins = true;
	}
}

static void
refuse(struct smtpd *d, const struct err *e)
{
	int code = err_exit(e);
	char *line = mem_printf("%s %s",
	    code == EX_DATAERR || code == EX_NOUSER ? "554 5.6.0" : "451 4.3.0",
	    e->text);

	log_err(e);
	smtpd_reply(d, line);
	free(line);
}

/* The message is whole: what becomes of it is the reply. */
static void
take_message(struct smtpd *d, struct data *t)
{
	const struct send *send;
	char id[QUEUE_ID], *line;
	struct err e = {0};

	data_write(t, span_of(NULL));
	if (!t->failed &&
	    file_write(t->fd, buf_span(&t->out).p, buf_span(&t->out).n,
		"the message", &t->err) == -1)
		t->failed = true;
	if (t->failed) {
		refuse(d, &t->err);
		return;
	}
	if (lseek(t->fd, 0, SEEK_SET) == -1)
		err_sys(&e, ERR_LOCAL, "the message");
	else if (accept_message(&d->accept, t->fd, &send, id, &e) == 0) {
		line = mem_printf("250 2.0.0 Ok: queued as %s", id);
		smtpd_reply(d, line);
		free(line);
		if (d->runner != NULL && d->accept.due != INT64_MAX)
			runner_spawn(d->runner, d->accept.due);
		return;
	}
	refuse(d, &e);
}

void
smtpd_data(struct smtpd *d)
{
	char *dir = mem_printf("%s/tmp", d->accept.queue->path);
	struct data t = {.fd = -1, .bare = d->bare};

	buf_init(&t.out, 8 * SMTPD_CHUNK);
	if (d->face.args.n == 0)
		smtpd_reply(d, d->mail ? "554 5.5.1 no valid recipients"
				       : "503 5.5.1 MAIL first");
	else if (file_temp(dir, &t.fd, &t.err) == -1)
		refuse(d, &t.err);
	else {
		smtpd_reply(d, "354 go ahead; a dot alone on a line ends it");
		if (data_take(d, &t))
			take_message(d, &t);
		else
			d->closed = true;
		smtpd_forget(d);
	}
	if (t.fd != -1)
		close(t.fd);
	buf_clear(&t.out);
	free(dir);
}
