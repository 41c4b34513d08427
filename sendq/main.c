/*
 * sendq: takes a message, makes it durable, and sends it by SMTP; and is
 * sendmail, mailq and newaliases to those who call these.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "accept.h"
#include "list.h"
#include "os/log.h"
#include "os/progress.h"
#include "os/stop.h"
#include "runner.h"
#include "smtpd.h"
#include "watch.h"

/* What all modes that have to do with accounts need. */
struct state {
	struct conf conf;
	struct send *sends; /* owned */
	size_t n_sends;
	struct queue queue; /* open when it has a path */
};

static int
fail(const struct err *e)
{
	log_err(e);
	return err_exit(e);
}

/* --- what is needed --------------------------------------------------- */

/* Whether --set gives a server, so that no file is needed. */
static bool
gives_server(const struct face *f)
{
	size_t i;

	for (i = 0; i < f->sets.n; i++)
		if (strncmp(f->sets.v[i], "smtp", 4) == 0 &&
		    strcspn(f->sets.v[i], "= ") == 4)
			return true;
	return false;
}

/* The send sections: 0, or an exit code, and it was said why. */
static int
load(struct state *s, const struct face *f)
{
	size_t i;

	for (i = 0; i < f->sets.n; i++)
		conf_override(&s->conf, f->sets.v[i]);
	conf_load(&s->conf, f->config,
	    gives_server(f) ? NULL
			    : "give a server: sendq --set "
			      "smtp=submissions://you@smtp.example.org ...");
	options_sends(&s->conf, &s->sends, &s->n_sends);
	return conf_report(&s->conf);
}

static int
open_queue(struct state *s)
{
	struct err e = {0};

	return queue_open(&s->queue, &e) == -1 ? fail(&e) : 0;
}

static struct runner
runner_of(struct state *s)
{
	return (struct runner){.sends = s->sends,
	    .n_sends = s->n_sends,
	    .queue = &s->queue,
	    .verbose = log_get() >= LOG_L_INFO};
}

static struct accept
accept_of(struct state *s, const struct face *f)
{
	return (struct accept){.face = f,
	    .sends = s->sends,
	    .n_sends = s->n_sends,
	    .queue = &s->queue,
	    .due = INT64_MAX};
}

/* What was printed has arrived, or not. */
static int
flush(int code)
{
	struct err e;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	err_sys(&e, ERR_LOCAL, "standard output");
	return fail(&e);
}

/* --- the modes -------------------------------------------------------- */

/* A message; and then it is on its way. */
static int
take(struct state *s, const struct face *f)
{
	struct accept a = accept_of(s, f);
	struct runner r = runner_of(s);
	const struct send *send;
	char id[QUEUE_ID];
	struct err e = {0};

	if (f->args.n == 0 && !f->from_header && isatty(STDIN_FILENO)) {
		log_error("to whom? Name recipients (try: sendq --help)");
		return EX_USAGE;
	}
	if (accept_message(&a, STDIN_FILENO, &send, id, &e) == -1)
		return fail(&e);
	log_info("queued as %s, to be sent by '%s'", id, send->name);
	if (a.due != INT64_MAX)
		runner_spawn(&r, a.due);
	return 0;
}

static int
speak_smtp(struct state *s, const struct face *f)
{
	struct accept a = accept_of(s, f);
	struct runner r = runner_of(s);

	return smtpd_run(&a, &r, STDIN_FILENO, STDOUT_FILENO);
}

/* --dry-run, -bv: nothing is kept, and no spool is needed. */
static int
show(struct state *s, const struct face *f)
{
	struct accept a = accept_of(s, f);
	struct err e = {0};
	int rv;

	a.queue = NULL;
	rv = f->mode == FACE_VERIFY ? accept_verify(&a, stdout, &e)
	                            : accept_show(&a, STDIN_FILENO, stdout, &e);
	return flush(rv == -1 ? fail(&e) : 0);
}

/* Whether somebody else sends what is in the queue. */
static bool
is_queue_only(const struct state *s, const struct face *f)
{
	size_t i;

	for (i = 0; i < s->n_sends; i++)
		if (!s->sends[i].queue_only)
			return f->queue_only;
	return true;
}

/* Messages that were let go are looked for at once, like new ones. */
static int
change(struct state *s, const struct face *f)
{
	int code = list_change(&s->queue, f->mode, &f->args);
	struct runner r;
	int loaded;

	if (f->mode != FACE_RELEASE && f->mode != FACE_RETRY)
		return code;
	loaded = load(s, f);
	r = runner_of(s);
	if (loaded == 0 && !is_queue_only(s, f))
		runner_spawn(&r, 0);
	return err_worse(code, loaded);
}

static int
with_accounts(struct state *s, const struct face *f)
{
	struct runner r;
	int code = load(s, f);

	if (code != 0)
		return code;
	if (f->mode == FACE_DRY_RUN || f->mode == FACE_VERIFY)
		return show(s, f);
	code = open_queue(s);
	if (code != 0)
		return code;
	r = runner_of(s);
	if (f->mode == FACE_RUN)
		return runner_run(&r);
	if (f->mode == FACE_WATCH)
		return watch_run(&r);
	return f->mode == FACE_SMTP ? speak_smtp(s, f) : take(s, f);
}

static int
with_queue(struct state *s, const struct face *f)
{
	int code = open_queue(s);

	if (code != 0)
		return code;
	if (f->mode == FACE_LIST)
		return list_queue(&s->queue, f->json);
	if (f->mode == FACE_SHOW)
		return list_show(&s->queue, &f->args, f->json);
	if (f->mode == FACE_LOG)
		return list_log(&s->queue, f->json);
	return change(s, f);
}

static int
run(struct state *s, const struct face *f)
{
	switch (f->mode) {
	case FACE_ACCEPT:
	case FACE_SMTP:
	case FACE_DRY_RUN:
	case FACE_VERIFY:
	case FACE_RUN:
	case FACE_WATCH:
		return with_accounts(s, f);
	case FACE_LIST:
	case FACE_SHOW:
	case FACE_LOG:
	case FACE_HOLD:
	case FACE_RELEASE:
	case FACE_REMOVE:
	case FACE_RETRY:
		return with_queue(s, f);
	case FACE_NEWALIASES: /* they are read when they are needed */
		break;
	}
	return 0;
}

static void
state_clear(struct state *s)
{
	size_t i;

	for (i = 0; i < s->n_sends; i++)
		send_clear(&s->sends[i]);
	free(s->sends);
	if (s->queue.path != NULL)
		queue_close(&s->queue);
	conf_clear(&s->conf);
}

int
main(int argc, char **argv)
{
	struct state s = {.n_sends = 0};
	struct face f;
	int code;

	log_init("sendq", LOG_L_NORMAL);
	face_init(&f);
	code = face_parse(&f, argc, argv);
	if (code == -1) {
		log_init("sendq", log_level_of(f.verbose));
		if (f.syslog)
			log_syslog();
		stop_install();
		progress_init(f.progress);
		conf_init(&s.conf);
		code = run(&s, &f);
		state_clear(&s);
	}
	face_clear(&f);
	return code;
}
