/*
 * A pass over an account: the order of its steps, and what they share.
 */

#include "apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"
#include "tour.h"

#define TOLD_MOST 1000

void
tour_complain(struct tour *t, enum log_level level, const struct err *e)
{
	struct words *told = &t->pass->told;

	t->pass->code = err_worse(t->pass->code, err_exit(e));
	if (words_have(told, e->text))
		return;
	log_put(level, "%s", e->text);
	if (told->n < TOLD_MOST)
		words_add(told, e->text);
}

void
tour_leave(struct tour *t, struct work *w, const struct err *e)
{
	char *name = tour_name(t, w->f.remote);
	struct err shown = *e;

	(void)err_prefix(&shown, "%s", name);
	tour_complain(t, LOG_L_QUIET, &shown);
	w->left = true;
	free(name);
}

char *
tour_name(const struct tour *t, const char *folder)
{
	return mem_printf("%s/%s", t->pass->sync->name, folder);
}

void
tour_line(
    struct tour *t, const char *what, const char *folder, const char *path)
{
	if (!t->pass->options->print && !t->pass->options->dry_run)
		return;
	printf("%s\t", what);
	/* It is the server that names them. */
	for (; *folder != '\0'; folder++)
		putchar((unsigned char)*folder < ' ' ? '?' : *folder);
	printf("\t%s%c", path, t->pass->options->nul ? '\0' : '\n');
}

void
tour_say(
    struct tour *t, const char *what, const struct work *w, const char *path)
{
	tour_line(t, what, w->f.remote, path);
}

void
tour_say_file(struct tour *t, const char *what, const struct work *w,
    const struct local_at *at)
{
	const char *folder = w->f.local;
	char *path = mem_printf("%s/%s%s%s/%s", t->pass->sync->maildir, folder,
	    *folder != '\0' ? "/" : "", at->in_new ? "new" : "cur", at->name);

	tour_say(t, what, w, path);
	free(path);
}

bool
tour_allowed(const struct tour *t, const char *folder)
{
	const struct words *allow = &t->pass->options->allow_deletes;
	char *name = tour_name(t, folder);
	bool found =
	    words_have(allow, name) || words_have(allow, t->pass->sync->name);

	free(name);
	return found;
}

char *
tour_let_through(const struct tour *t, const char *folder)
{
	const char *again = t->pass->options->again;
	char *name = *folder != '\0' ? tour_name(t, folder)
	                             : mem_strdup(t->pass->sync->name);
	const char *const v[] = {"syncd", "--allow-deletes", name};
	char *line = words_line(v, 3), *all;

	/* An error has room for a line or two. */
	if (strlen(again) > 500)
		again = "... (and the arguments of this run)";
	all = mem_printf("%s%s%s", line, *again != '\0' ? " " : "", again);
	free(line);
	free(name);
	return all;
}

struct local_keywords *
tour_keywords(struct tour *t, struct work *w)
{
	return t->pass->sync->keywords ? &w->kw : NULL;
}

/* Flags that travel: what both sides can store. */
static plan_flags
known_flags(const struct tour *t, const struct work *w)
{
	plan_flags system = PLAN_SEEN | PLAN_ANSWERED | PLAN_FLAGGED |
	                    PLAN_DELETED | PLAN_DRAFT;
	plan_flags words = PLAN_PASSED, all;
	int k;

	for (k = 0; t->pass->sync->keywords && k < 26; k++)
		words |= PLAN_KEYWORD(k);
	all = system | words;
	/* Some servers do not tell what they can store. */
	if (!w->asked || w->diff.permanent == 0)
		return all;
	return all & (w->diff.permanent | (w->diff.any_keyword ? words : 0));
}

void
tour_plan(struct tour *t, struct work *w, struct item *it)
{
	struct plan_options o = t->pass->sync->plan;

	o.known = known_flags(t, w);
	o.first = w->first;
	o.anew = w->anew;
	if (t->pass->sync->max_age > 0)
		o.oldest = t->now - t->pass->sync->max_age;
	it->m.uid = it->uid;
	if (w->asked && w->diff.read_only)
		o.to_remote = (struct plan_way){0};
	it->p = plan_message(&it->m, &o);
}

struct item *
tour_add(struct work *w)
{
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 16 : w->cap + w->cap / 2;
		w->v = mem_resize(w->v, w->cap, sizeof(*w->v));
	}
	w->v[w->n] = (struct item){.file = NO_FILE};
	return &w->v[w->n++];
}

static int
by_uid(const void *key, const void *member)
{
	uint32_t a = *(const uint32_t *)key;
	uint32_t b = ((const struct item *)member)->uid;

	return a < b ? -1 : a > b;
}

static struct item *
find(struct work *w, size_t from, size_t to, uint32_t uid)
{
	if (from == to)
		return NULL;
	return bsearch(&uid, w->v + from, to - from, sizeof(*w->v), by_uid);
}

struct item *
tour_new(struct work *w, uint32_t uid)
{
	return find(w, w->new_from, w->new_to, uid);
}

struct item *
tour_item(struct work *w, uint32_t uid)
{
	struct item *it = tour_new(w, uid);

	return it != NULL ? it : find(w, w->old_from, w->n, uid);
}

uint32_t
tour_validity(const struct work *w)
{
	return w->asked    ? w->diff.uidvalidity
	       : w->direct ? w->pair->remote->uidvalidity
	                   : w->f.uidvalidity;
}

static void
work_clear(struct work *w)
{
	free(w->f.remote);
	free(w->f.local);
	free(w->f.mailboxid);
	free(w->f.terms);
	maildir_close(&w->md);
	local_list_clear(&w->list);
	local_keywords_clear(&w->kw);
	uidset_clear(&w->known);
	uidset_clear(&w->copied);
	remote_diff_clear(&w->diff);
	free(w->v);
}

static void
tour_clear(struct tour *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		work_clear(&t->works[i]);
	free(t->works);
	folders_free(t->pairs, t->n_pairs);
	remote_survey_free(t->remotes, t->n_remotes);
	local_survey_free(t->locals, t->n_locals);
	state_folders_free(t->bases, t->n_bases);
}

/* The terms that its messages were judged by, and when the next of them gets
 * too old: with none of the flags that would keep it. */
static int
remember_terms(struct tour *t, struct work *w, struct err *e)
{
	const struct sync *y = t->pass->sync;
	struct state_folder *f = &w->f;
	int64_t date = 0;

	if (!w->failed) {
		free(f->terms);
		f->terms = y->terms != NULL ? mem_strdup(y->terms) : NULL;
	}
	if (y->max_age > 0 &&
	    state_oldest(t->pass->state, f->id, PLAN_FLAGGED,
		y->plan.keep_unread ? PLAN_SEEN : 0, &date, e) == -1)
		return -1;
	f->due = date > 0 ? date + y->max_age + 1 : 0;
	return 0;
}

/*
 * The numbers by which a folder is known not to have changed.  Those of the
 * server are what it said before our own changes, so that nothing that another
 * client did meanwhile is missed: they are looked at once more the next time.
 */
static int
remember_folder(struct tour *t, struct work *w, struct err *e)
{
	struct state_folder *f = &w->f;
	const struct folders_remote *r = w->pair->remote;
	uint32_t settled = f->uidnext;

	if (w->asked) {
		f->uidvalidity = w->diff.uidvalidity;
		f->uidnext = w->diff.uidnext;
		f->modseq = w->diff.modseq;
		f->messages = w->diff.exists;
	} else if (w->direct && r != NULL) {
		f->uidvalidity = r->uidvalidity;
		f->uidnext = r->uidnext;
		f->modseq = r->modseq;
		f->messages = r->messages;
	}
	/* What it told of a message that was put off it does not tell again. */
	if (w->unsure)
		f->modseq = 0;
	/* What was not to be pulled is new still. */
	if (!t->pass->sync->plan.to_local.new)
		f->uidnext = settled > 0 ? settled : 1;
	f->cur_mtime = w->again ? 0 : w->list.cur_mtime;
	f->new_mtime = w->again ? 0 : w->list.new_mtime;
	if (remember_terms(t, w, e) == -1)
		return -1;
	return state_folder_put(t->pass->state, f, e);
}

/* What was not moved after all, for one of the two folders was left out, is to
 * be seen again in both. */
static void
leave_unmoved(struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++)
			if (t->works[i].v[k].to != NULL)
				t->works[i].left = t->works[i].v[k].to->left =
				    true;
}

static int
remember(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	size_t i;

	leave_unmoved(t);
	if (state_begin(s, e) == -1)
		return -1;
	if (t->owes_rows && tour_remember_all(t, e) == -1)
		return -1;
	for (i = 0; i < t->n; i++) {
		if (t->works[i].left)
			continue;
		if (remember_folder(t, &t->works[i], e) == -1)
			return -1;
	}
	if (state_placed(s, e) == -1 || tour_turn(t, e) == -1)
		return -1;
	return state_commit(s, e);
}

uint64_t
apply_done(const struct pass *p)
{
	return p->pulled + p->pushed + p->flagged + p->moved + p->deleted +
	       p->expired;
}

void
apply_report(struct pass *p)
{
	if (apply_done(p) > 0)
		log_info("%ju pulled, %ju pushed, %ju flags, %ju moved, %ju "
			 "deleted, %ju expired",
		    (uintmax_t)p->pulled, (uintmax_t)p->pushed,
		    (uintmax_t)p->flagged, (uintmax_t)p->moved,
		    (uintmax_t)p->deleted, (uintmax_t)p->expired);
	p->pulled = p->pushed = p->flagged = p->moved = p->deleted = 0;
	p->expired = 0;
}

typedef int step(struct tour *, struct err *);

static int
do_all(struct tour *t, struct err *e)
{
	static step *const steps[] = {tour_pull, tour_push, tour_flags,
	    tour_copies, tour_moves, tour_deletions, remember};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (stop_requested())
			return err_set(e, ERR_TEMP, "stopped");
		if (steps[i](t, e) == -1) {
			state_rollback(t->pass->state);
			return -1;
		}
	}
	return 0;
}

int
apply_pass(struct pass *p, struct err *e)
{
	struct tour t = {.pass = p, .now = clock_wall_us() / 1000000};
	int rv;

	rv = state_tag(p->state, &t.tag, e);
	if (rv == 0)
		rv = tour_recover(&t, e);
	if (rv == 0)
		rv = tour_restore(&t, e);
	if (rv == 0)
		rv = tour_look(&t, e);
	if (rv == 0)
		rv = tour_pushed(&t, e);
	if (rv == 0)
		rv = tour_judge(&t, e);
	if (rv == 0)
		rv = tour_know(&t, e);
	if (rv == 0)
		rv = tour_brake(&t, e);
	if (rv == 0 && p->options->dry_run)
		tour_list(&t);
	else if (rv == 0)
		rv = do_all(&t, e);
	tour_clear(&t);
	return rv;
}
