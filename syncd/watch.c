/*
 * Staying: when to look again, and at what cost nothing is missed.  Whoever
 * tells of changes only says that there are some; the pass that follows finds
 * them.  So what is told before a pass begins is forgotten, and a pass follows
 * until one has nothing to do: what is told after that was done by others.
 */

#include "watch.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/glob.h"
#include "client/stay.h"
#include "local_watch.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"

#define QUIET_MS 200         /* changes come in bursts */
#define CALM_MS 2000         /* so long after a look it was not its cause */
#define VAIN_LET 5           /* looks in a row without rest, and for nothing */
#define LOOK_MS (15 * 60000) /* a look at everything, in any case, ... */
#define POLL_MS (5 * 60000)  /* ... and where not everything is told */

struct watch {
	struct pass *pass; /* borrowed */
	struct link *link; /* borrowed */
	struct remote remote;
	struct local_watch local;
	struct stay stay;
	struct options options; /* the pass's; its members are borrowed */
	const char *folder;     /* borrowed: for IDLE */
	int64_t looked;         /* when everything was looked at, clock_ms() */
	int64_t ended;          /* when the last passes ended */
	unsigned int
	    vain; /* times in a row that they led to nothing but news */
};

/* --- passes ------------------------------------------------------------------ */

/* What was done is on its way to who reads it. */
static int
flush(struct err *e)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		return err_code(
		    e, ERR_LOCAL, EX_IOERR, "standard output: gone");
	return 0;
}

static int
pass_once(struct watch *w, bool *done_r, struct err *e)
{
	struct pass *p = w->pass;
	uint64_t before = apply_done(p);
	int rv;

	(void)local_watch_news(&w->local);
	if (w->local.grown)
		local_watch_all(&w->local, p->sync);
	w->remote.news = false;
	p->code = 0;
	p->again = false;
	rv = apply_pass(p, e);
	*done_r = p->again || apply_done(p) > before;
	if (rv == 0)
		rv = flush(e);
	return rv;
}

/* Passes until one has nothing to do, and nothing can have been missed. */
static int
catch_up(struct watch *w, struct err *e)
{
	bool done = true, look = true, looked;
	uint64_t all;
	int i;

	for (i = 0; i < APPLY_PASSES && (done || look); i++) {
		looked = !done;
		w->pass->round = i;
		if (pass_once(w, &done, e) == -1 ||
		    remote_rest(&w->remote, w->folder, &look, e) == -1)
			return -1;
		/* Where every pass must select folders, once is enough. */
		look = look && !looked;
	}
	/* Allowed once. */
	w->options.allow_deletes = (struct words){0};
	all = apply_done(w->pass);
	apply_report(w->pass);
	w->ended = clock_ms();
	if (all > 0 && !done)
		w->vain = 0;
	w->remote.news = w->remote.news || done;
	return 0;
}

static int64_t
interval(const struct watch *w)
{
	const struct sync *y = w->pass->sync;

	if (y->poll != 0)
		return y->poll;
	return remote_tells(&w->remote) == REMOTE_TELLS_ALL && !w->local.partial
	           ? LOOK_MS
	           : POLL_MS;
}

/* --- waiting ----------------------------------------------------------------- */

/*
 * Lets more come before a look; servers do so before they tell of it.  There
 * may be some that have something to tell, or messages that change, because of
 * every look: these get longer and longer rests.
 */
static void
be_quiet(struct watch *w, bool here)
{
	int64_t quiet = here ? QUIET_MS : 0;

	w->vain = clock_ms() - w->ended < CALM_MS ? w->vain + 1 : 0;
	if (w->vain >= VAIN_LET)
		quiet = QUIET_MS
		        << (w->vain < 5 * VAIN_LET ? w->vain / VAIN_LET : 5);
	stay_sleep(&w->stay, clock_ms() + quiet);
}

static int
wait_for_news(struct watch *w, struct err *e)
{
	int64_t next;

	while (!stop_requested()) {
		next = w->looked + interval(w);
		if (clock_ms() >= next) {
			w->looked = 0;
			break;
		}
		if (w->remote.news || local_watch_news(&w->local)) {
			be_quiet(w, !w->remote.news);
			break;
		}
		if (remote_wait(&w->remote, next, w->pass->sync->idle,
			w->local.fd, e) == -1)
			return -1;
	}
	return stop_requested() ? 0 : remote_rouse(&w->remote, e);
}

/* A look at everything: also at what could not be watched before, and what is
 * still wrong then may be said anew. */
static void
look_at_all(struct watch *w)
{
	w->looked = clock_ms();
	w->local.grown = true;
}

static int
session(struct watch *w, struct err *e)
{
	static const char *const tells[] = {
	    "nothing", "changes in one folder", "changes"};

	if (remote_open(&w->remote, w->link, e) == -1 ||
	    remote_listen(&w->remote, e) == -1)
		return -1;
	log_info(
	    "%s tells of %s", w->link->peer, tells[remote_tells(&w->remote)]);
	w->looked = 0;
	while (!stop_requested()) {
		bool all = w->looked == 0;

		if (all)
			look_at_all(w);
		if (catch_up(w, e) == -1)
			return -1;
		if (all && w->pass->code == 0)
			words_clear(&w->pass->told);
		stay_well(&w->stay);
		stay_tell(&w->stay, "STATUS=watching %s", w->link->peer);
		if (wait_for_news(w, e) == -1)
			return -1;
	}
	return 0;
}

/* --- all --------------------------------------------------------------------- */

/* For IDLE: the folder that the command line names; else INBOX, unless the
 * configuration names others instead. */
static const char *
idle_folder(const struct pass *p)
{
	char name[] = "INBOX";
	const struct folders_remote inbox = {.name = name, .sep = '/'};
	const struct words *only = &p->options->only;
	const struct words *folders = &p->sync->folders;
	size_t n = strlen(p->sync->name), i;

	for (i = 0; i < only->n; i++)
		if (strncmp(only->v[i], p->sync->name, n) == 0 &&
		    only->v[i][n] == '/')
			return only->v[i] + n + 1;
	if (!folders_wanted(p->sync, &inbox))
		for (i = 0; i < folders->n; i++)
			if (glob_literal(folders->v[i]))
				return folders->v[i];
	return "INBOX";
}

int
watch_run(struct pass *p, struct link *l, struct err *e)
{
	const struct options *options = p->options;
	struct watch w = {.pass = p, .link = l, .options = *options};
	int rv;

	p->remote = &w.remote;
	p->options = &w.options;
	w.folder = idle_folder(p);
	stay_init(&w.stay, p->ask_fd);
	local_watch_open(&w.local);
	/* Ready to try: the network may come up later than the service. */
	stay_tell(&w.stay, "READY=1\nSTATUS=connecting to %s", l->peer);
	do {
		rv = session(&w, e);
		remote_close(&w.remote);
		state_rollback(p->state);
	} while (
	    rv == -1 && !state_is_damaged(p->state) && stay_again(&w.stay, e));
	local_watch_close(&w.local);
	p->remote = NULL;
	p->options = options;
	p->code = 0;
	return rv == -1 && stop_requested() && e->kind == ERR_TEMP ? 0 : rv;
}
