/*
 * The planner: a table of what should be done, then properties over random
 * cases.  The model carries a plan out on three views of a message, as a
 * perfect apply would.
 */

#include "plan.h"

#include <stdlib.h>

#include "tap.h"

#define CASES 200000

static const struct plan_options everything = {
    .to_local = {true, true, true, true},
    .to_remote = {true, true, true, true},
    .known = ~(plan_flags)0,
};

static uint64_t seed = 1;

static uint32_t
rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static bool
coin(void)
{
	return rnd(2) == 1;
}

/* Few flags, so that they meet. */
static plan_flags
some_flags(void)
{
	static const plan_flags all[] = {PLAN_SEEN, PLAN_FLAGGED, PLAN_DELETED,
	    PLAN_PASSED, PLAN_KEYWORD(3)};
	plan_flags f = 0;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (rnd(4) == 0)
			f |= all[i];
	return f;
}

static struct plan_way
some_way(void)
{
	return (struct plan_way){coin(), coin(), coin(), coin()};
}

static struct plan_options
some_options(void)
{
	struct plan_options o = everything;

	if (coin())
		return o;
	o.to_local = some_way();
	o.to_remote = some_way();
	if (coin())
		o.known &= ~PLAN_KEYWORD(3);
	if (coin()) {
		o.max_size = 1000;
		o.placeholders = coin();
	}
	if (coin()) {
		o.first = rnd(4);
		o.oldest = rnd(4);
		o.keep_unread = coin();
		o.headers_only = rnd(4) == 0;
		o.anew = coin();
	}
	return o;
}

static struct plan_view
some_view(void)
{
	struct plan_view v = {.there = coin()};

	if (v.there) {
		v.flags = some_flags();
		v.size = rnd(2000);
	}
	return v;
}

static struct plan_message
some_message(void)
{
	struct plan_message m = {.local = some_view(), .remote = some_view()};

	m.uid = m.remote.there ? 1 + rnd(3) : 0;
	m.date = rnd(4);
	m.base.paired = rnd(4) != 0;
	if (m.base.paired) {
		m.base.local = rnd(8) != 0;
		m.base.remote = rnd(8) != 0;
		m.base.flags = some_flags();
		m.base.placeholder = rnd(8) == 0;
		m.base.left_out = rnd(4) == 0;
		if (m.base.left_out) {
			m.base.local = false;
			m.base.remote = true;
		}
	} else if (m.local.there)
		m.placeholder = rnd(8) == 0;
	return m;
}

/* What the three are when all of the plan is done. */
static struct plan_message
carried_out(const struct plan_message *before, const struct plan *p)
{
	struct plan_message m = *before;

	if (p->pull)
		m.local = (struct plan_view){true, p->local_flags, 0};
	if (p->push)
		m.remote = (struct plan_view){true, p->remote_flags, 0};
	if (p->set_local)
		m.local.flags = p->local_flags;
	if (p->set_remote)
		m.remote.flags = p->remote_flags;
	if (p->delete_local || p->expire)
		m.local = (struct plan_view){0};
	if (p->delete_remote)
		m.remote = (struct plan_view){0};
	m.base = p->forget ? (struct plan_base){0} : p->after;
	return m;
}

static struct plan
plan_with(struct plan_base base, struct plan_view local,
    struct plan_view remote, const struct plan_options *o)
{
	struct plan_message m = {base, local, remote, 5, 5, false};

	return plan_message(&m, o);
}

#define PAIR(f) ((struct plan_base){true, true, true, f, false, false})
#define HERE(f) ((struct plan_view){true, f, 100})
#define NOWHERE ((struct plan_view){0})
#define NOBASE ((struct plan_base){0})

static void
test_table(void)
{
	const struct plan_options *o = &everything;
	struct plan p;

	p = plan_with(NOBASE, NOWHERE, HERE(PLAN_SEEN), o);
	ok(p.pull && p.local_flags == PLAN_SEEN && p.after.paired && p.remember,
	    "new on the server: pulled with its flags");
	p = plan_with(NOBASE, HERE(PLAN_FLAGGED), NOWHERE, o);
	ok(p.push && p.remote_flags == PLAN_FLAGGED && p.after.paired,
	    "new in the Maildir: pushed with its flags");
	p = plan_with(PAIR(PLAN_SEEN), HERE(PLAN_SEEN), HERE(PLAN_SEEN), o);
	ok(plan_is_empty(&p), "nothing changed: nothing to do");

	p = plan_with(PAIR(0), HERE(PLAN_SEEN), HERE(PLAN_FLAGGED), o);
	ok(p.set_local && p.set_remote &&
		p.local_flags == (PLAN_SEEN | PLAN_FLAGGED) &&
		p.remote_flags == p.local_flags &&
		p.after.flags == p.local_flags,
	    "a flag on each side: both get both");
	p = plan_with(PAIR(PLAN_SEEN | PLAN_FLAGGED), HERE(PLAN_SEEN),
	    HERE(PLAN_SEEN), o);
	ok(!p.set_local && !p.set_remote && p.remember &&
		p.after.flags == PLAN_SEEN,
	    "the same change on both sides: only remembered");

	p = plan_with(PAIR(0), NOWHERE, HERE(PLAN_SEEN), o);
	ok(p.delete_remote && p.forget && !p.pull,
	    "gone here, flagged there: the deletion wins");
	p = plan_with(PAIR(0), HERE(PLAN_SEEN), NOWHERE, o);
	ok(p.delete_local && p.forget && !p.push,
	    "gone there, flagged here: the deletion wins");
	p = plan_with(PAIR(0), NOWHERE, NOWHERE, o);
	ok(p.forget && !p.delete_local && !p.delete_remote,
	    "gone on both sides: forgotten");

	p = plan_with(PAIR(0), HERE(PLAN_DELETED), HERE(0), o);
	ok(p.delete_local && p.delete_remote && p.forget,
	    "marked deleted in the Maildir: removed on both sides");
	p = plan_with(PAIR(0), HERE(0), HERE(PLAN_DELETED), o);
	ok(!p.delete_local && !p.delete_remote && p.set_local &&
		p.local_flags == PLAN_DELETED,
	    "marked by another client: shown here, expunged by nobody");
	p = plan_with(PAIR(0), HERE(PLAN_DELETED), HERE(PLAN_DELETED), o);
	ok(!p.delete_remote && !p.delete_local && p.remember,
	    "so is one that both have: it may be ours, from before a crash");
	{
		struct plan_base begun = PAIR(0);

		begun.local = false;
		p = plan_with(begun, HERE(PLAN_DELETED), HERE(PLAN_DELETED), o);
		ok(p.delete_local && p.delete_remote,
		    "... unless the row says that its deletion was begun");
	}
	p = plan_with(NOBASE, HERE(PLAN_DELETED), NOWHERE, o);
	ok(plan_is_empty(&p), "new and already marked deleted: not pushed");

	p = plan_with(NOBASE, HERE(PLAN_SEEN), HERE(PLAN_FLAGGED), o);
	ok(!p.pull && !p.push && p.set_local && p.set_remote &&
		p.after.flags == (PLAN_SEEN | PLAN_FLAGGED),
	    "recognised: flags are joined, nothing is copied");
	p = plan_with(NOBASE, HERE(PLAN_DELETED), HERE(0), o);
	ok(!p.delete_local && !p.delete_remote && p.local_flags == 0,
	    "recognised: nothing is deleted that one side wants");
}

static void
test_expunge_and_directions(void)
{
	struct plan_options o = everything;
	struct plan p;

	o.to_remote.expunge = false;
	p = plan_with(PAIR(0), NOWHERE, HERE(0), &o);
	ok(!p.delete_remote && p.set_remote && p.remote_flags == PLAN_DELETED &&
		!p.after.local && p.after.remote,
	    "no expunge on the server: marked deleted there");
	p = plan_with(p.after, NOWHERE, HERE(PLAN_DELETED), &o);
	ok(plan_is_empty(&p), "... and then left alone");

	o = everything;
	o.to_remote.gone = false;
	p = plan_with(PAIR(0), NOWHERE, HERE(0), &o);
	ok(!p.delete_remote && !p.set_remote && !p.pull && p.remember,
	    "push without gone: the server keeps it, it is not pulled again");
	p = plan_with(p.after, NOWHERE, HERE(PLAN_SEEN), &o);
	ok(!p.pull && !p.delete_remote, "... whatever happens to it there");
	p = plan_with(PAIR(0), HERE(PLAN_DELETED), HERE(0), &o);
	ok(!p.delete_local && !p.delete_remote,
	    "push without gone: a mark deletes nothing");

	o = everything;
	o.to_local.new = false;
	p = plan_with(NOBASE, NOWHERE, HERE(0), &o);
	ok(plan_is_empty(&p), "pull without new: not pulled, not remembered");
	o = everything;
	o.to_remote.flags = false;
	p = plan_with(PAIR(0), HERE(PLAN_SEEN), HERE(0), &o);
	ok(plan_is_empty(&p), "push without flags: the change stays a change");
	o = everything;
	o.known = PLAN_SEEN;
	p = plan_with(PAIR(0), HERE(PLAN_KEYWORD(0)), HERE(0), &o);
	ok(plan_is_empty(&p), "a flag that one side cannot store is no change");
}

static void
test_placeholders(void)
{
	struct plan_options o = everything;
	struct plan_view large = {true, 0, 5000};
	struct plan_message orphan = {
	    .local = {.there = true}, .placeholder = true};
	struct plan p;

	o.max_size = 1000;
	p = plan_with(NOBASE, NOWHERE, large, &o);
	ok(!p.pull && p.remember && p.after.left_out && !p.after.local,
	    "too large: left where it is");
	p = plan_with(p.after, NOWHERE, large, &o);
	ok(plan_is_empty(&p), "... for good");
	o.placeholders = true;
	p = plan_with(NOBASE, NOWHERE, large, &o);
	ok(p.pull && p.placeholder && p.after.placeholder,
	    "too large: a placeholder");
	p = plan_with(p.after, HERE(PLAN_FLAGGED), large, &o);
	ok(p.upgrade && !p.after.placeholder,
	    "flagged in the Maildir: fetched whole");
	large.flags = PLAN_FLAGGED;
	p = plan_with(NOBASE, NOWHERE, large, &o);
	ok(p.pull && !p.placeholder, "flagged already: whole at once");
	o.placeholders = false;
	p = plan_with(
	    (struct plan_base){
		.paired = true, .remote = true, .left_out = true},
	    NOWHERE, large, &o);
	ok(p.pull && !p.placeholder, "left out, then flagged: fetched whole");

	p = plan_message(&orphan, &everything);
	ok(plan_is_empty(&p), "a placeholder of nothing: never pushed");
	orphan.local.flags = PLAN_DELETED;
	p = plan_message(&orphan, &everything);
	ok(p.delete_local && !p.push, "... thrown away by its reader");
	orphan.local.flags = 0;
	orphan.remote = HERE(0);
	p = plan_message(&orphan, &everything);
	ok(p.after.paired && p.after.placeholder && !p.upgrade,
	    "a placeholder that is recognised is one still");

	o = everything;
	o.headers_only = true;
	p = plan_with(NOBASE, NOWHERE, HERE(0), &o);
	ok(p.pull && p.placeholder, "headers only: however small");
	o.anew = true;
	p = plan_with(p.after, HERE(0), HERE(0), &o);
	ok(plan_is_empty(&p), "... and it stays so");
	o.headers_only = false;
	p = plan_with((struct plan_base){true, true, true, 0, true, false},
	    HERE(0), HERE(0), &o);
	ok(p.upgrade && !p.after.placeholder, "the limit is gone: all of it");
}

static void
test_window(void)
{
	struct plan_options o = everything;
	struct plan p;

	o.first = 6;
	p = plan_with(NOBASE, NOWHERE, HERE(0), &o);
	ok(!p.pull && p.after.left_out && p.remember, "before the window");
	p = plan_with(NOBASE, NOWHERE, HERE(PLAN_FLAGGED), &o);
	ok(p.pull && !p.after.left_out, "... but flagged: pulled");
	p = plan_with(PAIR(0), HERE(0), HERE(0), &o);
	ok(p.expire && !p.delete_local && !p.delete_remote &&
		p.after.left_out && !p.after.local && p.after.remote,
	    "here, and out of the window: expires");
	p = plan_with(p.after, NOWHERE, HERE(0), &o);
	ok(plan_is_empty(&p), "... and that is no deletion");
	p = plan_with((struct plan_base){true, false, true, 0, false, true},
	    HERE(0), HERE(0), &o);
	ok(p.expire, "the file is still there: it goes");
	p = plan_with((struct plan_base){true, false, true, 0, false, true},
	    HERE(PLAN_FLAGGED), HERE(0), &o);
	ok(!p.expire && p.after.local && !p.after.left_out && p.set_remote,
	    "... but for one that was flagged meanwhile");
	p = plan_with(
	    PAIR(PLAN_FLAGGED), HERE(PLAN_FLAGGED), HERE(PLAN_FLAGGED), &o);
	ok(plan_is_empty(&p), "flagged: stays");
	p = plan_with(PAIR(0), HERE(PLAN_SEEN), HERE(0), &o);
	ok(!p.expire && p.set_remote && p.again,
	    "changed here: first the server learns of it");
	p = plan_with(NOBASE, HERE(0), NOWHERE, &o);
	ok(p.push, "new here: pushed, however old");

	o.keep_unread = true;
	p = plan_with(PAIR(0), HERE(0), HERE(0), &o);
	ok(plan_is_empty(&p), "unread: stays, if so told");
	p = plan_with(PAIR(PLAN_SEEN), HERE(PLAN_SEEN), HERE(PLAN_SEEN), &o);
	ok(p.expire, "... once read it goes");

	o = everything;
	o.oldest = 6;
	p = plan_with(PAIR(0), HERE(0), HERE(0), &o);
	ok(p.expire, "too old: expires");
	o.oldest = 5;
	p = plan_with(PAIR(0), HERE(0), HERE(0), &o);
	ok(plan_is_empty(&p), "just not too old");
	p = plan_with((struct plan_base){true, false, true, 0, false, true},
	    NOWHERE, HERE(0), &o);
	ok(plan_is_empty(&p), "what was left out stays out");
	o.anew = true;
	p = plan_with((struct plan_base){true, false, true, 0, false, true},
	    NOWHERE, HERE(0), &o);
	ok(p.pull && !p.after.left_out && p.after.local,
	    "... until the limits are others");
}

static void
test_first(void)
{
	struct uidset s;

	uidset_init(&s);
	ok(plan_first(&s, 3) == 0, "none: no window");
	uidset_add(&s, 10, 19);
	uidset_add(&s, 30, 31);
	uidset_add(&s, UINT32_MAX, UINT32_MAX);
	ok(plan_first(&s, 13) == 0 && plan_first(&s, 0) == 0, "all are in it");
	ok(plan_first(&s, 12) == 11, "all but one");
	ok(plan_first(&s, 4) == 19 && plan_first(&s, 3) == 30 &&
		plan_first(&s, 2) == 31 && plan_first(&s, 1) == UINT32_MAX,
	    "over the ranges");
	uidset_clear(&s);
}

/* Applying a plan and planning again yields nothing; but that what was changed,
 * or just recognised, may expire only then, which the plan announces. */
static void
test_settles(void)
{
	unsigned int i, bad = 0, later = 0;

	for (i = 0; i < CASES; i++) {
		struct plan_options o = some_options();
		struct plan_message m = some_message(), after;
		struct plan p = plan_message(&m, &o), again;

		after = carried_out(&m, &p);
		again = plan_message(&after, &o);
		if (again.expire && (p.again || p.push)) {
			later++;
			after = carried_out(&after, &again);
			again = plan_message(&after, &o);
		}
		if (!plan_is_empty(&again))
			bad++;
	}
	is_int(bad, 0, "settles at once (%d cases)", CASES);
	ok(later > 1000, "... and %u expire in a second step", later);
}

/*
 * Both sides end up with the same, when everything may travel: the same
 * presence, and the same flags.
 */
static void
test_agrees(void)
{
	unsigned int i, bad = 0, seen = 0;

	for (i = 0; i < CASES; i++) {
		struct plan_message m = some_message(), after;
		struct plan p;

		/* what was let be for a reason of then is no fault of now */
		if (m.base.paired && (!m.base.local || !m.base.remote))
			continue;
		if (!m.base.paired && m.local.there != m.remote.there &&
		    ((m.local.flags | m.remote.flags) & PLAN_DELETED) != 0)
			continue;
		/* it is of no use to the server */
		if (m.placeholder && !m.remote.there)
			continue;
		seen++;
		p = plan_message(&m, &everything);
		after = carried_out(&m, &p);
		if (after.local.there != after.remote.there ||
		    after.local.flags != after.remote.flags ||
		    after.base.paired != after.local.there ||
		    (after.base.paired &&
			after.base.flags != after.local.flags))
			bad++;
	}
	is_int(bad, 0, "both sides agree afterwards (%u cases)", seen);
	ok(seen > CASES / 2, "... and most cases count");
}

/*
 * No message vanishes without a deletion on one side: one that was in the base
 * and is not there any more, or a mark that a reader set here.
 */
static void
test_loses_nothing(void)
{
	unsigned int i, bad = 0, deleted = 0;

	for (i = 0; i < CASES; i++) {
		struct plan_options o = some_options();
		struct plan_message m = some_message();
		struct plan p = plan_message(&m, &o);
		bool gone_here =
		    m.base.paired && m.base.local && !m.local.there;
		bool gone_there =
		    m.base.paired && m.base.remote && !m.remote.there;
		bool marked = (m.base.paired || m.placeholder) &&
		              m.local.there &&
		              (m.local.flags & PLAN_DELETED) != 0 &&
		              (m.base.flags & PLAN_DELETED) == 0;

		if (!p.delete_local && !p.delete_remote)
			continue;
		deleted++;
		if ((p.delete_remote && !gone_here && !marked) ||
		    (p.delete_local && !gone_there && !marked))
			bad++;
	}
	is_int(bad, 0, "nothing vanishes without a deletion");
	ok(deleted > 1000, "... %u deletions looked at", deleted);
}

/* Nothing happens on a side that the options do not allow. */
static void
test_options_hold(void)
{
	unsigned int i, bad = 0;

	for (i = 0; i < CASES; i++) {
		struct plan_options o = some_options();
		struct plan_message m = some_message();
		struct plan p = plan_message(&m, &o);

		bad += p.pull && !o.to_local.new;
		bad += p.push && !o.to_remote.new;
		bad += p.delete_local &&
		       (!o.to_local.expunge ||
			   (!o.to_local.gone && !o.to_remote.gone &&
			       !m.placeholder));
		bad += p.delete_remote &&
		       (!o.to_remote.expunge || !o.to_remote.gone);
		bad += p.set_local && !o.to_local.flags && !o.to_local.gone;
		bad += p.set_remote && !o.to_remote.flags && !o.to_remote.gone;
		bad += p.set_local && ((p.local_flags ^ m.local.flags) &
					  ~o.known & ~PLAN_DELETED) != 0;
	}
	is_int(bad, 0, "the options hold");
}

/*
 * A message that nobody deletes, under limits that come and go, through all
 * that may happen to it: changes of flags, a stop when a row was written and
 * its file not yet removed, or a file made whole and its row not yet written,
 * a lost state, a backup that comes back.  It is never deleted, never pushed,
 * never out of the way while it is flagged, and when the limits are gone it is
 * here, whole.
 */
struct life {
	struct plan_message m;
	struct plan_options o;
	bool whole; /* the file is */
	unsigned int expired, bad;
};

static void
happen(struct life *l)
{
	const plan_flags some[] = {PLAN_SEEN, PLAN_FLAGGED, PLAN_PASSED};

	switch (rnd(8)) {
	case 0:
	case 1:
		l->m.remote.flags ^= some[rnd(3)];
		break;
	case 2:
	case 3:
		if (l->m.local.there)
			l->m.local.flags ^= some[rnd(3)];
		break;
	case 4:
		l->m.base = NOBASE;
		break;
	case 5:
		if (!l->m.local.there) {
			l->m.local = HERE(some_flags() & ~PLAN_DELETED);
			l->whole = !l->m.base.paired || !l->m.base.placeholder;
		}
		break;
	case 6:
	case 7:
		l->o.first = rnd(4);
		l->o.oldest = rnd(4);
		l->o.max_size = rnd(2) * 1000;
		l->o.placeholders = coin();
		l->o.headers_only = rnd(4) == 0;
		l->o.keep_unread = coin();
		l->o.anew = true;
		break;
	}
	l->m.placeholder = l->m.local.there && !l->m.base.paired && !l->whole;
}

static void
pass(struct life *l, bool cut)
{
	struct plan p = plan_message(&l->m, &l->o);
	struct plan_message before = l->m;

	l->bad += p.delete_local || p.delete_remote || p.push || p.forget;
	l->bad +=
	    p.expire &&
	    (((l->m.local.flags | l->m.remote.flags) & PLAN_FLAGGED) != 0 ||
		l->m.local.flags != l->m.remote.flags || !p.after.left_out ||
		p.after.local || !p.after.remote);
	l->bad +=
	    p.upgrade && l->whole && l->m.base.placeholder && !l->m.base.paired;
	l->expired += p.expire;
	l->m = carried_out(&l->m, &p);
	if (p.pull || p.upgrade)
		l->whole = !p.placeholder;
	if (cut && p.expire)
		l->m.local = before.local;
	if (cut && p.upgrade)
		l->m.base = before.base;
	l->o.anew = l->o.anew && cut;
}

static void
test_lives(void)
{
	struct life l;
	unsigned int i, k, bad = 0, lost = 0, expired = 0;

	for (i = 0; i < CASES; i++) {
		l = (struct life){.o = everything};
		l.m = (struct plan_message){.uid = 1 + rnd(3), .date = rnd(4)};
		l.m.remote = (struct plan_view){true, 0, rnd(2000)};
		for (k = 0; k < 12; k++) {
			happen(&l);
			pass(&l, rnd(4) == 0);
		}
		l.o = everything;
		l.o.anew = true;
		l.m.placeholder = false;
		pass(&l, false);
		bad += l.bad;
		expired += l.expired;
		lost += !l.m.local.there || !l.m.remote.there || !l.whole ||
		        l.m.local.flags != l.m.remote.flags;
	}
	is_int(bad, 0, "never deleted, never pushed (%d lives)", CASES);
	is_int(lost, 0, "without limits it is here, whole");
	ok(expired > CASES / 10, "... and %u times it had expired", expired);
}

static struct plan_message
swapped(const struct plan_message *m)
{
	struct plan_message s = *m;

	s.local = m->remote;
	s.remote = m->local;
	s.base.local = m->base.remote;
	s.base.remote = m->base.local;
	return s;
}

/*
 * Swapping the sides mirrors the plan; but for the two things in which the
 * sides differ by intent: a new deletion mark (local: a wish), and sizes.
 */
static void
test_mirror(void)
{
	unsigned int i, bad = 0, seen = 0;

	for (i = 0; i < CASES; i++) {
		struct plan_options o = some_options(), r;
		struct plan_message m = some_message(), s;
		struct plan p, q;

		m.base.placeholder = m.base.left_out = false;
		m.placeholder = o.headers_only = false;
		o.max_size = 0;
		o.first = 0;
		o.oldest = 0;
		if (((m.local.flags | m.remote.flags) & ~m.base.flags &
			PLAN_DELETED) != 0 &&
		    m.local.there && m.remote.there && m.base.paired)
			continue;
		seen++;
		r = o;
		r.to_local = o.to_remote;
		r.to_remote = o.to_local;
		s = swapped(&m);
		p = plan_message(&m, &o);
		q = plan_message(&s, &r);
		if (p.pull != q.push || p.push != q.pull ||
		    p.set_local != q.set_remote ||
		    p.set_remote != q.set_local ||
		    (p.set_local && p.local_flags != q.remote_flags) ||
		    (p.set_remote && p.remote_flags != q.local_flags) ||
		    p.delete_local != q.delete_remote ||
		    p.delete_remote != q.delete_local || p.forget != q.forget ||
		    p.remember != q.remember ||
		    p.after.flags != q.after.flags ||
		    p.after.local != q.after.remote ||
		    p.after.remote != q.after.local)
			bad++;
	}
	is_int(bad, 0, "swapping the sides mirrors the plan (%u cases)", seen);
	ok(seen > CASES / 2, "... and most cases count");
}

static void
test_brake(void)
{
	ok(!plan_brake(100, 20, 25), "20 are never too many");
	ok(!plan_brake(84, 21, 25), "a quarter is not over a quarter");
	ok(plan_brake(83, 21, 25), "a little more is");
	ok(!plan_brake(21, 21, 100), "100%%: never");
	ok(plan_brake(0, 21, 100), "more than there were");
	ok(plan_brake(21, 21, 0), "0%%: any that are over 20");
	ok(plan_brake(UINT64_MAX, UINT64_MAX, 25), "no overflow");
	ok(plan_adds_up(10, 3, 2, 9), "10 - 3 + 2 = 9");
	ok(!plan_adds_up(10, 3, 2, 10), "not 10");
	ok(!plan_adds_up(10, 11, 2, 1), "more vanished than there were");
	ok(!plan_adds_up(10, 3, 8, 7), "more came than there are");
}

static struct plan_trace
trace(unsigned char key, uint64_t size, uint32_t folder, size_t cookie)
{
	return (struct plan_trace){{key}, size, folder, cookie};
}

static void
test_moves(void)
{
	struct plan_trace gone[] = {trace(1, 10, 1, 0), trace(2, 10, 1, 1),
	    trace(3, 10, 1, 2), trace(3, 10, 1, 3), trace(5, 10, 1, 4)};
	struct plan_trace came[] = {trace(3, 10, 2, 0), trace(1, 10, 2, 1),
	    trace(2, 11, 2, 2), trace(3, 10, 3, 3), trace(5, 10, 1, 4),
	    trace(5, 0, 2, 5)};
	struct plan_move moves[5];
	size_t n = plan_moves(gone, 5, came, 6, moves);

	is_int((int)n, 4, "four of them moved");
	ok(moves[0].gone == 0 && moves[0].came == 1, "by key and size");
	ok(moves[1].gone == 2 && moves[1].came == 0 && moves[2].gone == 3 &&
		moves[2].came == 3,
	    "those that are alike in order");
	ok(moves[3].gone == 4 && moves[3].came == 5,
	    "not within a folder; an unknown size fits");
	is_int((int)plan_moves(gone, 0, came, 6, moves), 0, "nothing is gone");
}

/* However many are alike, none is used twice. */
static void
test_moves_many(void)
{
	enum { N = 20000 };
	struct plan_trace *gone = calloc(N, sizeof(*gone));
	struct plan_trace *came = calloc(N, sizeof(*came));
	struct plan_move *moves = calloc(N, sizeof(*moves));
	unsigned char *used = calloc(2 * N, 1);
	size_t i, n, bad = 0;

	for (i = 0; i < N; i++) {
		gone[i] = trace((unsigned char)rnd(3), rnd(2), rnd(3), i);
		came[i] = trace((unsigned char)rnd(3), rnd(2), rnd(3), i);
	}
	n = plan_moves(gone, N, came, N, moves);
	for (i = 0; i < n; i++) {
		bad += used[moves[i].gone]++ > 0;
		bad += used[N + moves[i].came]++ > 0;
	}
	ok(n > N / 2 && bad == 0, "%zu of %d alike, none twice", n, N);
	free(gone);
	free(came);
	free(moves);
	free(used);
}

int
main(void)
{
	test_table();
	test_expunge_and_directions();
	test_placeholders();
	test_window();
	test_first();
	test_settles();
	test_agrees();
	test_loses_nothing();
	test_options_hold();
	test_lives();
	test_mirror();
	test_brake();
	test_moves();
	test_moves_many();
	return done();
}
