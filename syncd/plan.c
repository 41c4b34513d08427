/*
 * The three-way merge of a message: what was agreed, what the Maildir shows,
 * what the server shows; and what follows for a folder as a whole.
 */

#include "plan.h"

#include <stdlib.h>
#include <string.h>

#define ALIKE_MAX 256

static bool
same_base(const struct plan_base *a, const struct plan_base *b)
{
	return a->paired == b->paired && a->local == b->local &&
	       a->remote == b->remote && a->flags == b->flags &&
	       a->placeholder == b->placeholder && a->left_out == b->left_out;
}

/* --- flags --------------------------------------------------------------- */

/*
 * A bit that changed on one side goes to the other, if it may.  Where it may
 * not, the base keeps what it was, so that the difference is still a change
 * should that be allowed one day.
 */
static void
merge_flags(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	plan_flags base = m->base.flags;
	plan_flags by_local = (m->local.flags ^ base) & o->known;
	plan_flags by_remote = (m->remote.flags ^ base) & o->known;
	plan_flags agreed;

	if (!o->to_remote.flags)
		by_local = 0;
	if (!o->to_local.flags)
		by_remote = 0;
	p->local_flags =
	    (m->local.flags & ~by_remote) | (m->remote.flags & by_remote);
	p->remote_flags =
	    (m->remote.flags & ~by_local) | (m->local.flags & by_local);
	p->set_local = p->local_flags != m->local.flags;
	p->set_remote = p->remote_flags != m->remote.flags;
	agreed = ~(p->local_flags ^ p->remote_flags) & o->known;
	p->after.flags = (base & ~agreed) | (p->local_flags & agreed);
}

/* Nobody remembers it and both have it: nothing that either side knows of it
 * is lost, and it is deleted only where both say so. */
static void
join_flags(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	plan_flags all = (m->local.flags | m->remote.flags) & o->known, differ;

	if ((m->local.flags & m->remote.flags & PLAN_DELETED) == 0)
		all &= ~PLAN_DELETED;
	p->local_flags = all | (m->local.flags & ~o->known);
	p->remote_flags = all | (m->remote.flags & ~o->known);
	if (!o->to_local.flags)
		p->local_flags = m->local.flags;
	if (!o->to_remote.flags)
		p->remote_flags = m->remote.flags;
	p->set_local = p->local_flags != m->local.flags;
	p->set_remote = p->remote_flags != m->remote.flags;
	/* What still differs counts as a change of the side whose changes may
	 * not travel: so it stays what it is. */
	differ = (p->local_flags ^ p->remote_flags) & o->known;
	p->after.flags = p->local_flags & o->known & ~differ;
	if (o->to_remote.flags)
		p->after.flags |= p->local_flags & differ;
	else if (o->to_local.flags)
		p->after.flags |= p->remote_flags & differ;
}

/* --- deletions ------------------------------------------------------------ */

static void
forget(struct plan *p)
{
	*p = (struct plan){.forget = true, .remember = true};
}

/* The half on one side is gone, and the other side is to follow. */
static void
delete_remote(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	if (o->to_remote.gone && o->to_remote.expunge) {
		forget(p);
		p->delete_remote = true;
		p->remote_flags = m->remote.flags;
		return;
	}
	p->after.local = false;
	p->after.remote = true;
	if (!o->to_remote.gone)
		return;
	p->after.flags |= PLAN_DELETED;
	p->remote_flags = m->remote.flags | PLAN_DELETED;
	p->set_remote = p->remote_flags != m->remote.flags;
}

static void
delete_local(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	if (o->to_local.gone && o->to_local.expunge) {
		forget(p);
		p->delete_local = true;
		return;
	}
	p->after.local = true;
	p->after.remote = false;
	if (!o->to_local.gone)
		return;
	p->after.flags |= PLAN_DELETED;
	p->local_flags = m->local.flags | PLAN_DELETED;
	p->set_local = p->local_flags != m->local.flags;
}

/* A reader marked it in the Maildir: it has to go, as far as that is allowed.
 * Where we have begun with that, the row says that it is gone here. */
static bool
wants_deletion(const struct plan_message *m)
{
	if (!m->base.local &&
	    (m->local.flags & ~m->base.flags & PLAN_DELETED) != 0)
		return true;
	return (m->local.flags & ~m->base.flags & ~m->remote.flags &
		   PLAN_DELETED) != 0;
}

static void
carry_out(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	bool far = o->to_remote.gone && o->to_remote.expunge;
	plan_flags flags = (p->remote_flags & ~PLAN_DELETED) |
	                   (m->remote.flags & PLAN_DELETED);

	if (!far || !o->to_remote.flags)
		return;
	p->delete_remote = true;
	p->remote_flags = flags;
	p->set_remote = p->set_local = false;
	p->upgrade = false;
	p->after.remote = false;
	if (!o->to_local.expunge)
		return;
	forget(p);
	p->delete_remote = p->delete_local = true;
	p->remote_flags = flags;
}

/* --- limits ------------------------------------------------------------------ */

static bool
is_outside(const struct plan_message *m, const struct plan_options *o)
{
	return m->uid < o->first || (m->date != 0 && m->date < o->oldest);
}

static bool
is_large(const struct plan_message *m, const struct plan_options *o)
{
	return o->headers_only ||
	       (o->max_size > 0 && m->remote.size > o->max_size);
}

/* Flags that keep a message here although it is outside. */
static bool
is_kept(plan_flags f, const struct plan_options *o)
{
	return (f & PLAN_FLAGGED) != 0 ||
	       (o->keep_unread && (f & PLAN_SEEN) == 0);
}

/* Of a message that is on the server only. */
static bool
belongs_here(const struct plan_message *m, const struct plan_options *o)
{
	if ((m->remote.flags & PLAN_FLAGGED) != 0)
		return true;
	if (is_large(m, o) && !o->headers_only && !o->placeholders)
		return false;
	if (is_outside(m, o) || (m->base.left_out && !o->anew))
		return is_kept(m->remote.flags, o);
	return true;
}

bool
plan_counts(const struct plan_message *m, const struct plan_options *o)
{
	struct plan_message in = *m;

	if (!m->remote.there ||
	    (!m->base.paired && (m->remote.flags & PLAN_DELETED) != 0))
		return false;
	if (m->base.paired && !m->base.left_out)
		return m->base.local;
	in.uid = UINT32_MAX;
	in.date = 0;
	return belongs_here(&in, o);
}

static void
upgrade(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	bool flagged = ((p->local_flags | p->remote_flags) & PLAN_FLAGGED) != 0;

	p->after.placeholder =
	    m->base.paired ? m->base.placeholder : m->placeholder;
	p->upgrade = p->after.placeholder && o->to_local.new &&
	             (flagged || (o->anew && !is_large(m, o)));
	if (p->upgrade)
		p->after.placeholder = false;
}

/*
 * Only what both sides fully agree on goes from here: so there is nothing that
 * could be lost with it, and should the file turn up again, in the state it
 * was in, this is just done once more.
 */
static void
expire(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	plan_flags base = m->base.flags;

	if (!is_outside(m, o) || is_kept(p->local_flags, o))
		return;
	if (!m->base.paired || m->local.flags != base ||
	    ((m->remote.flags ^ base) & o->known) != 0) {
		p->again = !same_base(&p->after, &m->base) || p->set_local ||
		           p->set_remote;
		return;
	}
	p->expire = true;
	p->upgrade = p->set_local = p->set_remote = false;
	p->after = m->base;
	p->after.local = false;
	p->after.remote = p->after.left_out = true;
}

/* --- one message ------------------------------------------------------------ */

static void
plan_pair(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	p->after.paired = p->after.local = p->after.remote = true;
	p->after.left_out = false;
	/* What was left out and turns up again is recognised, too. */
	if (!m->base.paired || m->base.left_out)
		join_flags(m, o, p);
	else
		merge_flags(m, o, p);
	upgrade(m, o, p);
	if (m->base.paired && !m->base.left_out && wants_deletion(m))
		carry_out(m, o, p);
	if (!p->delete_remote)
		expire(m, o, p);
	/* It counts among the newest again, which may be too many. */
	if (m->base.left_out && !p->expire)
		p->again = true;
}

/* Only the Maildir shows it. */
static void
plan_local_only(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	if (m->base.paired && m->base.remote) {
		delete_local(m, o, p);
		return;
	}
	/* The pair's other half went before, and we let it: so it stays. */
	if (m->base.paired && m->base.local)
		return;
	/* It is of no message that we know of; its reader may throw it away. */
	if (m->placeholder) {
		if (o->to_local.expunge &&
		    (m->local.flags & PLAN_DELETED) != 0) {
			forget(p);
			p->delete_local = true;
		}
		return;
	}
	if (!o->to_remote.new || (m->local.flags & PLAN_DELETED) != 0)
		return;
	p->push = true;
	p->remote_flags = m->local.flags & o->known;
	p->after = (struct plan_base){.paired = true,
	    .local = true,
	    .remote = true,
	    .flags = p->remote_flags};
}

static void
leave_out(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	p->after.paired = p->after.remote = p->after.left_out = true;
	p->after.flags =
	    (m->base.flags & ~o->known) | (m->remote.flags & o->known);
}

static void
plan_remote_only(
    const struct plan_message *m, const struct plan_options *o, struct plan *p)
{
	if (m->base.paired && m->base.local) {
		delete_remote(m, o, p);
		return;
	}
	if (m->base.paired && m->base.remote && !m->base.left_out)
		return;
	if (m->base.left_out)
		leave_out(m, o, p);
	if (!o->to_local.new || (m->remote.flags & PLAN_DELETED) != 0)
		return;
	if (!belongs_here(m, o)) {
		leave_out(m, o, p);
		return;
	}
	p->pull = true;
	p->placeholder =
	    is_large(m, o) && (m->remote.flags & PLAN_FLAGGED) == 0;
	p->local_flags = m->remote.flags & o->known;
	p->after = (struct plan_base){.paired = true,
	    .local = true,
	    .remote = true,
	    .placeholder = p->placeholder,
	    .flags = p->local_flags};
}

struct plan
plan_message(const struct plan_message *m, const struct plan_options *o)
{
	struct plan p = {.after = m->base};

	if (m->local.there && m->remote.there)
		plan_pair(m, o, &p);
	else if (m->local.there)
		plan_local_only(m, o, &p);
	else if (m->remote.there)
		plan_remote_only(m, o, &p);
	else if (m->base.paired)
		forget(&p);
	p.remember = p.forget || !same_base(&p.after, &m->base);
	return p;
}

bool
plan_is_empty(const struct plan *p)
{
	return !p->pull && !p->push && !p->upgrade && !p->set_local &&
	       !p->set_remote && !p->delete_local && !p->delete_remote &&
	       !p->expire && !p->forget && !p->remember;
}

/* --- a folder --------------------------------------------------------------- */

uint32_t
plan_first(const struct uidset *uids, uint64_t messages)
{
	uint64_t out = uidset_count(uids), run;
	size_t i;

	if (messages == 0 || out <= messages)
		return 0;
	for (out -= messages, i = 0; i < uids->n; i++, out -= run) {
		run = (uint64_t)uids->v[i].hi - uids->v[i].lo + 1;
		if (out < run)
			return uids->v[i].lo + (uint32_t)out;
	}
	return 0;
}

bool
plan_brake(uint64_t remembered, uint64_t deletions, unsigned int percent)
{
	if (deletions <= PLAN_BRAKE_MIN)
		return false;
	/* without overflow: deletions / remembered > percent / 100 */
	return deletions >
	       remembered / 100 * percent + remembered % 100 * percent / 100;
}

bool
plan_adds_up(
    uint64_t remembered, uint64_t vanished, uint64_t came, uint64_t exists)
{
	return vanished <= remembered && exists >= came &&
	       remembered - vanished == exists - came;
}

/* --- moves ------------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct plan_trace *x = a, *y = b;
	int rv = memcmp(x->key, y->key, sizeof(x->key));

	if (rv != 0)
		return rv;
	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

static bool
same_message(const struct plan_trace *a, const struct plan_trace *b)
{
	return a->folder != b->folder &&
	       (a->size == b->size || a->size == 0 || b->size == 0);
}

/*
 * Pairs the n traces of a key with those of *came, whose front goes as they are
 * used up.  Where over ALIKE_MAX are alike and in the wrong folder, the rest is
 * not looked at: that is a copy and a deletion then, which is right too.
 */
static size_t
match(const struct plan_trace *gone, size_t n, struct plan_trace *came,
    size_t left, struct plan_move *moves)
{
	size_t i, k, found = 0;

	for (i = 0; i < n; i++) {
		for (k = 0; k < left && k < ALIKE_MAX; k++) {
			if (!same_message(&gone[i], &came[k]))
				continue;
			moves[found++] =
			    (struct plan_move){gone[i].cookie, came[k].cookie};
			memmove(came + 1, came, k * sizeof(*came));
			came++;
			left--;
			break;
		}
	}
	return found;
}

static size_t
run_length(const struct plan_trace *v, size_t n)
{
	size_t i = 1;

	while (i < n && memcmp(v[i].key, v[0].key, sizeof(v[0].key)) == 0)
		i++;
	return i;
}

size_t
plan_moves(struct plan_trace *gone, size_t n_gone, struct plan_trace *came,
    size_t n_came, struct plan_move *moves)
{
	size_t found = 0, n, k;
	int rv;

	qsort(gone, n_gone, sizeof(*gone), compare);
	qsort(came, n_came, sizeof(*came), compare);
	while (n_gone > 0 && n_came > 0) {
		n = run_length(gone, n_gone);
		k = run_length(came, n_came);
		rv = memcmp(gone->key, came->key, sizeof(gone->key));
		if (rv == 0)
			found += match(gone, n, came, k, moves + found);
		if (rv <= 0) {
			gone += n;
			n_gone -= n;
		}
		if (rv >= 0) {
			came += k;
			n_came -= k;
		}
	}
	return found;
}
