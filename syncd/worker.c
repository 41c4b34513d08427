/*
 * One sync section in its own process.  Everything that may be opened is
 * opened first; then the sandbox closes; only then does a byte come from the
 * network.
 */

#include "worker.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "apply.h"
#include "base/mem.h"
#include "client/server.h"
#include "os/file.h"
#include "os/log.h"
#include "os/sandbox.h"
#include "os/stop.h"
#include "watch.h"

/* A folder that changed is held open: three descriptors each. */
static void
allow_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static int
enter_sandbox(const struct sync *y, const struct server *server, struct err *e)
{
	struct sandbox s = {0};
	char *copy = mem_strdup(y->state), level[160];
	int rv;

	server_ports(server, &s);
	words_init(&s.write);
	words_init(&s.read);
	words_add(&s.write, dirname(copy));
	words_add(&s.write, y->maildir);
	rv = sandbox_enter(&s, level, e);
	if (rv == 0)
		log_info("sandbox: %s", level);
	words_clear(&s.write);
	words_clear(&s.read);
	free(copy);
	return rv;
}

/*
 * What was accepted without its UID, or went to the trash, is seen only by
 * another pass.  What else has changed meanwhile is left to the next run.
 */
static int
sync_all(struct pass *p, struct err *e)
{
	int i;

	words_clear(&p->told);
	for (i = 0; i < APPLY_PASSES; i++) {
		p->again = false;
		p->round = i;
		if (apply_pass(p, e) == -1)
			return -1;
		if (p->options->dry_run || !p->again)
			break;
	}
	apply_report(p);
	return 0;
}

static int
sync_session(struct pass *p, struct link *link, struct err *e)
{
	struct remote remote = {0};
	int rv;

	p->remote = &remote;
	rv = remote_open(&remote, link, e);
	if (rv == 0)
		rv = sync_all(p, e);
	remote_close(&remote);
	p->remote = NULL;
	return rv;
}

/* The state was damaged, and nothing more can be done with it. */
static int
begin_anew(struct pass *p, struct err *e)
{
	enum store_found found;

	state_close(p->state);
	p->state = NULL;
	return state_open(p->sync->state, &found, &p->state, e);
}

static int
run(struct pass *p, struct link *l, struct err *e)
{
	return p->options->watch ? watch_run(p, l, e) : sync_session(p, l, e);
}

static int
run_with(struct pass *p, struct err *e)
{
	const struct account *a = &p->sync->account;
	struct server server;
	struct link link;
	int rv;

	rv = server_open(&server, a, URL_IMAP, e);
	if (rv == 0)
		rv = enter_sandbox(p->sync, &server, e);
	if (rv == 0) {
		link_init(&link, a, server.url, server.tls, p->ask_fd);
		rv = run(p, &link, e);
		if (rv == -1 && state_is_damaged(p->state) &&
		    begin_anew(p, e) == 0)
			rv = run(p, &link, e);
		link_clear(&link);
	}
	server_close(&server);
	return rv;
}

/* The root, unless it had mail and is missing: that is for the brake. */
static int
make_root(struct pass *p, struct err *e)
{
	const struct sync *y = p->sync;
	struct state_folder *v = NULL;
	size_t n = 0;
	bool lost;

	if (state_folders(p->state, &v, &n, e) == -1 &&
	    (!state_is_damaged(p->state) || begin_anew(p, e) == -1))
		return -1;
	lost = folders_root_lost(false, 0, v, n) &&
	       !words_have(&p->options->allow_deletes, y->name);
	state_folders_free(v, n);
	return lost ? 0 : file_mkdirs(y->maildir, e);
}

int
worker_run(void *arg, int ask_fd)
{
	const struct worker *w = arg;
	struct pass p = {
	    .sync = w->sync, .options = w->options, .ask_fd = ask_fd};
	enum store_found found;
	struct err e = {0};
	int lock = -1, rv;

	umask(077);
	allow_descriptors();
	rv = store_lock(w->sync->state, w->options->wait, &lock, &e);
	if (rv == 0)
		rv = state_open(w->sync->state, &found, &p.state, &e);
	if (rv == 0)
		rv = make_root(&p, &e);
	if (rv == 0)
		rv = run_with(&p, &e);
	/* An end that was asked for is a good end. */
	if (rv == -1 && stop_requested() && e.kind == ERR_TEMP)
		rv = 0;
	if (rv == -1) {
		log_err(&e);
		p.code = err_worse(err_exit(&e), p.code);
	}
	words_clear(&p.told);
	state_close(p.state);
	if (fflush(stdout) == EOF || ferror(stdout))
		p.code = err_worse(p.code, EX_IOERR);
	if (lock != -1)
		close(lock);
	return p.code;
}
