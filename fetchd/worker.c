/*
 * One fetch section in its own process.  Everything that may be opened is
 * opened first; then the sandbox closes; only then does a byte come from the
 * network.
 */

#include "worker.h"

#include <sys/stat.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/server.h"
#include "imap_fetch.h"
#include "os/log.h"
#include "os/sandbox.h"
#include "os/stop.h"
#include "pop3_fetch.h"
#include "run.h"
#include "watch.h"

/* Without a state, what lies in the Maildir tells what was fetched.  Once: what
 * a first run that is cut short delivers is in the state. */
static int
learn(struct run *r, struct err *e)
{
	size_t n;

	if (inbox_learn(r->inbox, &n, e) == -1)
		return -1;
	if (n == 0 && r->origin == SEEN_DAMAGED && !r->options->allow_refetch)
		return 0;
	r->origin = n > 0 ? SEEN_LEARNED : SEEN_EMPTY;
	if (n > 0)
		log_info("no state yet: %zu messages in the Maildir will not "
			 "be fetched again",
		    n);
	return seen_set_origin(r->seen, r->origin, e);
}

static int
open_state(struct run *r, struct err *e)
{
	if (seen_open(r->fetch->state, &r->origin, &r->seen, e) == -1)
		return -1;
	/* Never committed: what is found out is forgotten. */
	if (r->options->dry_run)
		return seen_begin(r->seen, e);
	if (inbox_open(
		r->fetch, r->options, r->seen, r->ask_fd, &r->inbox, e) == -1)
		return -1;
	if ((r->origin == SEEN_NEW || r->origin == SEEN_DAMAGED) &&
	    learn(r, e) == -1)
		return -1;
	r->learned = r->origin == SEEN_LEARNED;
	return 0;
}

static int
enter_sandbox(const struct run *r, const struct server *server, struct err *e)
{
	const struct fetch *f = r->fetch;
	struct sandbox s = {0};
	char *copy = mem_strdup(f->state), level[160];
	size_t i;
	int rv;

	server_ports(server, &s);
	words_init(&s.write);
	words_init(&s.read);
	words_add(&s.write, dirname(copy));
	for (i = 0; i < f->n_targets; i++)
		if (f->targets[i].path != NULL)
			words_add(&s.write, f->targets[i].path);
	rv = sandbox_enter(&s, level, e);
	if (rv == 0)
		log_info("sandbox: %s", level);
	words_clear(&s.write);
	words_clear(&s.read);
	free(copy);
	return rv;
}

static int
fetch(struct run *r, struct err *e)
{
	if (r->options->watch)
		return watch_run(r, e);
	return r->fetch->imap ? imap_fetch(r, e) : pop3_fetch(r, e);
}

static int
run_with(struct run *r, struct err *e)
{
	const struct account *a = &r->fetch->account;
	struct server server;
	int rv;

	rv = server_open(&server, a, r->fetch->imap ? URL_IMAP : URL_POP3, e);
	if (rv == 0)
		rv = enter_sandbox(r, &server, e);
	if (rv == 0) {
		link_init(&r->link, a, server.url, server.tls, r->ask_fd);
		rv = fetch(r, e);
		link_clear(&r->link);
	}
	server_close(&server);
	return rv;
}

int
worker_run(void *arg, int ask_fd)
{
	const struct worker *w = arg;
	struct run r = {
	    .fetch = w->fetch, .options = w->options, .ask_fd = ask_fd};
	struct err e = {0};
	int lock = -1, rv;

	umask(077);
	rv = store_lock(w->fetch->state, w->options->wait, &lock, &e);
	if (rv == 0)
		rv = open_state(&r, &e);
	if (rv == 0)
		rv = run_with(&r, &e);
	/* An end that was asked for is a good end. */
	if (rv == -1 && stop_requested() && e.kind == ERR_TEMP)
		rv = 0;
	if (rv == -1) {
		log_err(&e);
		r.code = err_worse(err_exit(&e), r.code);
	}
	inbox_close(r.inbox);
	if (r.seen == NULL || !seen_is_damaged(r.seen))
		seen_close(r.seen);
	else if (seen_anew(w->fetch->state, r.seen, &e) == -1) {
		log_err(&e);
		r.code = err_worse(err_exit(&e), r.code);
	}
	if (fflush(stdout) == EOF || ferror(stdout))
		r.code = err_worse(r.code, EX_IOERR);
	if (lock != -1)
		close(lock);
	return r.code;
}
