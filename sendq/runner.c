/*
 * Which accounts have mail that is due, and a worker for each.
 */

#include "runner.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "batch.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"
#include "tend.h"
#include "worker.h"

#define SPAWNED_WAITS_MS (10 * 60000) /* no longer: timers are for that */

/* --- what is due -------------------------------------------------------------- */

/* What a look at the queue tells about an account. */
struct need {
	bool asked;    /* whether the account is to wait */
	int64_t waits; /* until then; 0: it is not to */
	uint64_t due;  /* messages about which something is to be done */
	int64_t past;  /* since when, of the last; -1: none */
	int64_t next;  /* when that will be so of another; INT64_MAX: never */
};

struct look {
	struct runner *runner; /* borrowed */
	struct need *needs;    /* owned; one a section */
	struct words unknown;  /* what to say about mail without a section */
	int64_t now;
	int code;
};

static ptrdiff_t
find_send(const struct runner *r, const char *account)
{
	size_t i;

	for (i = 0; i < r->n_sends; i++)
		if (strcmp(r->sends[i].name, account) == 0)
			return (ptrdiff_t)i;
	return -1;
}

/* Mail that nobody here can send: what to say about it, once. */
static void
add_unknown(struct words *told, const struct envelope *env)
{
	char *text;
	size_t i;

	if (env->server != NULL)
		text = mem_printf("there is mail for %s, and no account for "
				  "it: it is kept until \"sendq --set smtp=%s "
				  "--run\"",
		    env->server, env->server);
	else
		text = mem_printf("there is mail of account '%s', which the "
				  "configuration does not have: it is kept; "
				  "see \"sendq --list\"",
		    env->account);
	for (i = 0; i < told->n && strcmp(told->v[i], text) != 0; i++)
		;
	if (i == told->n)
		words_add(told, text);
	free(text);
}

/* Until when the account is to wait, as its standing says. */
static void
ask_standing(struct look *l, const struct send *s, struct need *n)
{
	struct standing st;
	struct err e = {0};
	char *why = NULL;

	n->asked = true;
	n->past = -1;
	n->next = INT64_MAX;
	standing_init(&st, l->runner->queue, s->name, s->limits, s->n_limits);
	if (standing_paused(&st, l->now, batch_stamp(s), &n->waits, &why, &e) !=
	    1)
		n->waits = 0; /* the worker will say what is wrong */
	if (n->waits < standing_room(&st, l->now))
		n->waits = standing_room(&st, l->now);
	free(why);
	standing_clear(&st);
}

static void
look_at(struct look *l, const struct message *m)
{
	ptrdiff_t i = find_send(l->runner, m->env.account);
	const struct send *s;
	struct need *n;
	int64_t next;

	if (i == -1) {
		add_unknown(&l->unknown, &m->env);
		return;
	}
	s = &l->runner->sends[i];
	n = &l->needs[i];
	if (!n->asked)
		ask_standing(l, s, n);
	next = tend_next(s, &m->env, n->waits);
	if (next <= l->now) {
		n->due++;
		n->past = next > n->past ? next : n->past;
	} else if (next < n->next)
		n->next = next;
}

/* Looks at all messages, without their locks. */
static int
look(struct runner *r, int64_t now, struct look *l, struct err *e)
{
	struct words ids;
	struct message m;
	struct err one;
	size_t i;
	int rv;

	*l = (struct look){.runner = r,
	    .needs = mem_array(r->n_sends, sizeof(*l->needs)),
	    .now = now};
	words_init(&ids);
	rv = queue_ids(r->queue, false, &ids, e);
	for (i = 0; rv == 0 && i < ids.n; i++) {
		switch (message_open(
		    r->queue, ids.v[i], false, QUEUE_LOOK, &m, NULL, &one)) {
		case 1:
			look_at(l, &m);
			message_close(&m);
			break;
		case -1:
			log_err(&one);
			l->code = err_worse(l->code, err_exit(&one));
			break;
		}
	}
	words_clear(&ids);
	return rv;
}

static void
look_clear(struct look *l)
{
	words_clear(&l->unknown);
	free(l->needs);
}

struct runner_due
runner_due(struct runner *r, int64_t now)
{
	struct runner_due due = {.past = -1, .next = INT64_MAX};
	const struct need *n;
	struct look l;
	struct err e;
	size_t i;

	if (look(r, now, &l, &e) == -1)
		log_err(&e);
	for (i = 0; i < r->n_sends; i++) {
		n = &l.needs[i];
		if (!n->asked)
			continue;
		due.past = n->past > due.past ? n->past : due.past;
		due.next = n->next < due.next ? n->next : due.next;
	}
	look_clear(&l);
	return due;
}

/* --- a pass --------------------------------------------------------------------- */

/* A worker for every session that an account may have and has mail for. */
static size_t
make_jobs(struct runner *r, const struct look *l, struct worker *workers,
    struct job *v)
{
	const struct send *s;
	size_t i, n = 0;
	uint64_t k;

	for (i = 0; i < r->n_sends; i++) {
		s = &r->sends[i];
		for (k = 0; k < s->connections && k < l->needs[i].due; k++) {
			if (v != NULL) {
				workers[n] = (struct worker){
				    s, r->queue, k == 0 ? l->needs[i].due : 0};
				v[n] = (struct job){.name = s->name,
				    .account = &s->account,
				    .run = worker_run,
				    .arg = &workers[n]};
			}
			n++;
		}
	}
	return n;
}

static int
run_jobs(struct runner *r, const struct look *l)
{
	size_t n = make_jobs(r, l, NULL, NULL);
	struct worker *workers;
	struct job *jobs;
	int code;

	if (n == 0)
		return 0;
	workers = mem_array(n, sizeof(*workers));
	jobs = mem_array(n, sizeof(*jobs));
	make_jobs(r, l, workers, jobs);
	code = parent_run(jobs, n);
	free(workers);
	free(jobs);
	return code;
}

int
runner_run(struct runner *r)
{
	struct look l;
	struct err e;
	size_t i;
	int code;

	queue_tidy(r->queue);
	if (look(r, clock_wall_us() / 1000000, &l, &e) == -1) {
		log_err(&e);
		look_clear(&l);
		return err_exit(&e);
	}
	for (i = 0; i < l.unknown.n; i++)
		log_warn("%s", l.unknown.v[i]);
	code = err_worse(l.code, run_jobs(r, &l));
	look_clear(&l);
	return code;
}

/* --- in the background ------------------------------------------------------------ */

/* Whoever called waits for none of our descriptors, and its terminal is not
 * ours. Its directory is: commands may be named relative to it. */
static bool
detach(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd == -1 || dup2(fd, 0) == -1 || dup2(fd, 1) == -1 ||
	    dup2(fd, 2) == -1)
		return false;
	closefrom(3);
	stop_install();
	log_syslog();
	return true;
}

static int
background(const struct runner *r, int64_t due)
{
	struct runner own = *r;
	struct queue q;
	struct err e;
	int64_t ms = (due - clock_wall_us() / 1000000) * 1000;

	if (!detach())
		return EX_OSERR;
	if (ms > SPAWNED_WAITS_MS)
		return 0;
	if (ms > 0)
		clock_sleep(ms, stop_fd());
	if (stop_requested())
		return 0;
	if (queue_open(&q, &e) == -1) {
		log_err(&e);
		return err_exit(&e);
	}
	own.queue = &q;
	return runner_run(&own);
}

void
runner_spawn(struct runner *r, int64_t due)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* Nobody waits for the grandchild but init. */
		if (setsid() == -1 || fork() != 0)
			_exit(0);
		_exit(background(r, due));
	}
	if (pid == -1)
		log_warn("cannot send in the background: %s", strerror(errno));
	else
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
}
