/*
 * A message from standard input to the queue: read, given an account and an
 * envelope, made legal, made durable.
 */

#include "accept.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "accept_body.h"
#include "accept_intake.h"
#include "accept_rcpts.h"
#include "base/address.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "when.h"

static int
write_body(struct intake *t, int fd, struct err *e)
{
	struct body_facts facts;

	if (body_write(&t->input, &t->letter, fd, &facts, e) == -1)
		return -1;
	t->env.size = facts.size;
	t->env.eight_bit = facts.eight_bit;
	return 0;
}

/* --- the queue -------------------------------------------------------- */

/* What the server would not take is not accepted first. */
static int
check_size(struct queue *q, const struct intake *t, struct err *e)
{
	char is[32], may[32];
	struct standing s;
	uint64_t most;

	standing_init(&s, q, t->send->name, NULL, 0);
	most = standing_size(&s);
	standing_clear(&s);
	if (most == 0 || t->env.size <= most)
		return 0;
	time_show_size(t->env.size, is);
	time_show_size(most, may);
	return err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "the message has %s, and the server of '%s' takes %s at most", is,
	    t->send->name, may);
}

static int
enqueue(struct queue *q, struct intake *t, char id[QUEUE_ID], struct err *e)
{
	struct queue_draft draft;

	if (queue_draft(q, &draft, e) == -1)
		return -1;
	strlcpy(id, draft.id, QUEUE_ID);
	if (write_body(t, draft.fd, e) == -1 || check_size(q, t, e) == -1) {
		queue_abandon(&draft);
		return -1;
	}
	return queue_commit(&draft, &t->env, e);
}

int
accept_message(struct accept *a, int fd, const struct send **send,
    char id[QUEUE_ID], struct err *e)
{
	char *dir = mem_printf("%s/tmp", a->queue->path);
	struct intake t;
	int rv;

	intake_init(&t, a->face, a->sends, a->n_sends);
	rv = intake_read(&t, fd, dir, e);
	if (rv == 0)
		rv = enqueue(a->queue, &t, id, e);
	*send = t.send;
	a->due = rv == -1 || t.send->queue_only || a->face->queue_only
	             ? INT64_MAX
	             : t.env.due;
	intake_clear(&t);
	free(dir);
	return rv;
}

/* --- showing ---------------------------------------------------------- */

static void
show_envelope(const struct intake *t, FILE *out)
{
	const struct envelope *env = &t->env;
	char when[WHEN_SHOWN];
	size_t i;

	fprintf(out, "account: %s\n", env->account);
	if (env->server != NULL)
		fprintf(out, "server: %s\n", env->server);
	fprintf(out, "sender: %s\n", *env->sender != '\0' ? env->sender : "<>");
	for (i = 0; i < env->n_rcpts; i++)
		fprintf(out, "recipient: %s\n", env->rcpts[i].address);
	if (env->due > 0)
		fprintf(out, "not before: %s\n", when_show(env->due, when));
	if (env->hold_until > 0)
		fprintf(out, "held by the server until: %s\n",
		    when_show(env->hold_until, when));
	fprintf(out, "size: %llu\n", (unsigned long long)env->size);
}

/* The file, without the CRs at its lines' ends. */
static int
show_body(int fd, FILE *out, struct err *e)
{
	char chunk[8192];
	ssize_t n, i;

	if (lseek(fd, 0, SEEK_SET) == -1)
		return err_sys(e, ERR_LOCAL, "cannot read the message again");
	/* No CR stands alone. */
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		for (i = 0; i < n; i++)
			if (chunk[i] != '\r')
				putc(chunk[i], out);
	if (n == -1)
		return err_sys(e, ERR_LOCAL, "cannot read the message again");
	return 0;
}

static int
show(struct intake *t, const char *dir, FILE *out, struct err *e)
{
	int fd, rv;

	if (file_temp(dir, &fd, e) == -1)
		return -1;
	rv = write_body(t, fd, e);
	if (rv == 0) {
		show_envelope(t, out);
		putc('\n', out);
		rv = show_body(fd, out, e);
	}
	close(fd);
	return rv;
}

int
accept_show(struct accept *a, int fd, FILE *out, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct intake t;
	int rv;

	if (dir == NULL || *dir != '/')
		dir = "/tmp";
	intake_init(&t, a->face, a->sends, a->n_sends);
	rv = intake_read(&t, fd, dir, e);
	if (rv == 0)
		rv = show(&t, dir, out, e);
	intake_clear(&t);
	return rv;
}

int
accept_verify(struct accept *a, FILE *out, struct err *e)
{
	const struct send *send =
	    options_choose(a->sends, a->n_sends, a->face->sender, NULL, e);
	const struct words *args = &a->face->args;
	struct envelope env;
	struct address_walk room;
	struct address found;
	struct words one;
	size_t i, k;
	int rv = send != NULL ? 0 : -1;

	for (i = 0; i < args->n && rv == 0; i++) {
		envelope_init(&env);
		words_init(&one);
		rv = address_one(span_of(args->v[i]), &room, &found, e);
		if (rv == 0) {
			char *text = span_dup(found.text);

			words_add(&one, text);
			free(text);
			rv = rcpts_add(send, &one, &env, e);
		}
		for (k = 0; k < env.n_rcpts && rv == 0; k++)
			fprintf(
			    out, "%s: %s\n", args->v[i], env.rcpts[k].address);
		words_clear(&one);
		envelope_clear(&env);
	}
	return rv;
}
