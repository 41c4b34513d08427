/*
 * What to make of the answers about a folder: they must add up, or it is looked
 * at again, and only what two ways of looking agree on counts as gone.
 */

#include "remote_ask.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"

static const struct uidset nothing;

static const struct uidset *
known(const struct ask *a)
{
	return a->all_new || a->q->known == NULL ? &nothing : a->q->known;
}

uint32_t
remote_first_new(const struct ask *a)
{
	return a->all_new || a->base.uidnext == 0 ? 1 : a->base.uidnext;
}

/* --- the list of changes ------------------------------------------------------ */

static int
by_uid(const void *x, const void *y, void *arg)
{
	const struct remote_change *v = arg;
	const size_t i = *(const size_t *)x, k = *(const size_t *)y;

	if (v[i].uid != v[k].uid)
		return v[i].uid < v[k].uid ? -1 : 1;
	return i < k ? -1 : i > k;
}

static void
join(struct remote_change *c, const struct remote_change *later)
{
	static const unsigned char none[sizeof(c->emailid)];

	c->flags = later->flags;
	if (later->size != 0)
		c->size = later->size;
	if (later->date != 0)
		c->date = later->date;
	if (memcmp(later->emailid, none, sizeof(none)) != 0)
		memcpy(c->emailid, later->emailid, sizeof(none));
}

/* By rising uid; of a message that was told of twice, what came last. */
static void
sort(struct ask *a)
{
	struct remote_diff *d = a->d;
	struct remote_change *sorted;
	size_t *order, i, k = 0;

	if (!a->unsorted)
		return;
	sorted = mem_array(d->n, sizeof(*sorted));
	order = mem_array(d->n, sizeof(*order));
	for (i = 0; i < d->n; i++)
		order[i] = i;
	qsort_r(order, d->n, sizeof(*order), by_uid, d->v);
	for (i = 0; i < d->n; i++)
		if (k > 0 && sorted[k - 1].uid == d->v[order[i]].uid)
			join(&sorted[k - 1], &d->v[order[i]]);
		else
			sorted[k++] = d->v[order[i]];
	a->cap = d->n;
	free(order);
	free(d->v);
	d->v = sorted;
	d->n = k;
	a->unsorted = false;
}

/* --- does it add up? ------------------------------------------------------------ */

/* What the answers say of how many came and went. */
struct tally {
	uint64_t came;   /* not known, below the UIDNEXT that SELECT told */
	uint64_t above;  /* likewise, but from the UIDNEXT of the base on */
	uint64_t gone;   /* of those known */
	uint64_t below;  /* of all below the UIDNEXT of the base */
	bool no_details; /* a new one lacks what is asked of new ones */
};

static uint64_t
count_below(const struct uidset *set, uint32_t uid)
{
	struct uidset all;
	uint64_t n;

	uidset_init(&all);
	if (uid > 1)
		uidset_add(&all, 1, uid - 1);
	uidset_meet(&all, set);
	n = uidset_count(&all);
	uidset_clear(&all);
	return n;
}

static struct tally
count(const struct ask *a)
{
	const struct remote_diff *d = a->d;
	struct tally t = {0};
	struct uidset gone;
	uint32_t uid;
	size_t i;

	for (i = 0; i < d->n && (uid = d->v[i].uid) < d->uidnext; i++) {
		t.came += !uidset_has(known(a), uid);
		t.above += uid >= remote_first_new(a);
	}
	if (d->n > 0 && d->v[d->n - 1].uid >= remote_first_new(a))
		t.no_details = !a->detailed;
	uidset_init(&gone);
	uidset_union(&gone, &d->vanished);
	uidset_meet(&gone, known(a));
	t.gone = uidset_count(&gone);
	t.below = count_below(&d->vanished, remote_first_new(a));
	uidset_clear(&gone);
	return t;
}

static bool
adds_up(const struct ask *a, const struct tally *t, uint32_t exists)
{
	uint64_t found = uidset_count(&a->found);

	/* SEARCH lists all that are there; all that are new must be told. */
	if (a->mode == BY_MODSEQ && a->searched)
		return found == exists && found == a->counted &&
		       count_below(&a->found, a->d->uidnext) -
		               count_below(&a->found, remote_first_new(a)) ==
		           t->above;
	/* Messages may be there that nobody wants to remember. */
	return plan_adds_up(a->base.messages, t->below, t->above, exists) ||
	       plan_adds_up(uidset_count(known(a)), t->gone, t->came, exists);
}

static bool
judge_changes(struct ask *a)
{
	struct remote_diff *d = a->d;
	struct tally t;

	if (d->modseq < a->base.modseq || d->uidnext < a->base.uidnext ||
	    a->shaken || a->doubt || a->cut || a->unfound)
		return false;
	t = count(a);
	if (!adds_up(a, &t, d->exists) && !adds_up(a, &t, a->exists))
		return false;
	if (a->mode == BY_MODSEQ && a->searched) {
		uidset_union(&d->vanished, known(a));
		uidset_minus(&d->vanished, &a->found);
	}
	uidset_meet(&d->vanished, known(a));
	if (t.no_details && (a->q->sizes || a->q->emailids)) {
		a->mode = ONLY_DETAILS;
		return false;
	}
	return true;
}

static void
missing_from(const struct ask *a, struct uidset *gone)
{
	const struct remote_diff *d = a->d;
	struct uidset there;
	size_t i;

	uidset_init(&there);
	for (i = 0; i < d->n; i++)
		uidset_add(&there, d->v[i].uid, d->v[i].uid);
	uidset_union(gone, known(a));
	uidset_minus(gone, &there);
	uidset_clear(&there);
}

/* Whether what is gone explains how many there are now: by SEARCH, or against
 * how many there were (some servers count what they never show). */
static bool
explains(const struct ask *a, uint32_t exists)
{
	const struct remote_diff *d = a->d;
	uint64_t came = 0;
	size_t i;

	for (i = 0; i < d->n; i++)
		came += !uidset_has(known(a), d->v[i].uid);
	return uidset_count(&a->found) == exists ||
	       plan_adds_up(
		   a->base.messages, uidset_count(&d->vanished), came, exists);
}

/* All was listed: what is known and not in the list is gone, if the list has as
 * many as there are; or if SEARCH does not find it either, and the numbers
 * agree with that. */
static bool
judge_list(struct ask *a)
{
	struct remote_diff *d = a->d;
	bool agrees = d->n == d->exists || d->n == a->exists;

	d->complete = !a->cut;
	missing_from(a, &d->vanished);
	if (agrees && !a->shaken && !a->cut)
		return true;
	if (!a->judge)
		return false;
	if (a->unfound || a->cut || a->counted != uidset_count(&a->found))
		uidset_clear(&d->vanished);
	uidset_minus(&d->vanished, &a->found);
	if (!explains(a, d->exists) && !explains(a, a->exists))
		uidset_clear(&d->vanished);
	log_info("folder %s: %u messages are said to be there, %zu are listed",
	    a->q->folder, d->exists, d->n);
	return true;
}

/* --- the judgement -------------------------------------------------------------- */

static void
forget_answers(struct ask *a)
{
	uidset_clear(&a->found);
	a->ground = a->doubt = a->shaken = a->cut = a->unfound = false;
	a->detailed = a->searched = false;
	a->counted = 0;
	if (a->mode == ONLY_DETAILS)
		return;
	uidset_clear(&a->later);
	uidset_clear(&a->d->vanished);
	a->d->n = 0;
	a->d->exists = 0;
	a->d->uidnext = 0;
	a->d->modseq = 0;
	a->exists = 0;
}

/* A message that told something and then vanished has only vanished. */
static bool
finish(struct ask *a)
{
	struct remote_diff *d = a->d;
	size_t i, k = 0;

	uidset_meet(&a->later, known(a));
	uidset_union(&d->vanished, &a->later);
	for (i = 0; i < d->n; i++)
		if (!uidset_has(&d->vanished, d->v[i].uid))
			d->v[k++] = d->v[i];
	d->n = k;
	return true;
}

/* Whether the answers will do; else how to ask anew is in `mode`. */
static bool
will_do(struct ask *a)
{
	struct remote_diff *d = a->d;

	d->moved_ground =
	    a->base.uidvalidity != 0 && a->base.uidvalidity != d->uidvalidity;
	if (d->uidnext == 0)
		d->uidnext =
		    d->n > 0 ? d->v[d->n - 1].uid + 1 : remote_first_new(a);
	if (d->moved_ground && !a->all_new) {
		a->all_new = true;
		a->mode = BY_LIST;
		return false;
	}
	if (a->mode == BY_LIST ? judge_list(a) : judge_changes(a))
		return true;
	if (a->mode != ONLY_DETAILS) {
		a->mode = BY_LIST;
		a->judge = true;
	}
	return false;
}

bool
remote_judge(struct ask *a)
{
	sort(a);
	if (a->d->error != NULL)
		return true;
	if (a->mode == ONLY_DETAILS || will_do(a))
		return finish(a);
	forget_answers(a);
	return false;
}
