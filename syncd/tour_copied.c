/*
 * Without MOVE (RFC 6851) a message is copied, and then deleted where it was.
 * After a crash in between it is in both places: it must not be copied again.
 * What leaves a folder is compared, by size and header, with what is new where
 * it is to go.
 */

#include <string.h>

#include "tour.h"

static struct work *
trash(struct tour *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->pass->sync->trash != NULL && !t->works[i].left &&
		    strcmp(t->works[i].f.remote, t->pass->sync->trash) == 0)
			return &t->works[i];
	return NULL;
}

/* Where a message goes that is to leave its folder on the server; NULL: it does
 * not, or goes nowhere. */
static struct work *
goes_to(struct tour *t, const struct work *w, const struct item *it)
{
	if (w->left || it->settled || !it->p.delete_remote ||
	    !it->m.remote.there || it->size == 0)
		return NULL;
	if (it->to != NULL)
		return it->to;
	return tour_to_trash(t, w, TRASH_REMOTE) ? trash(t) : NULL;
}

static bool
is_like(const struct item *new, const struct item *it)
{
	return new->m.remote.there && !new->m.base.paired &&
	       !new->settled &&new->size == it->size;
}

/* Of each that leaves and each that is new where it goes: whether they are to
 * be compared. */
static bool
ask(struct work *to, struct item *it)
{
	bool any = false;
	size_t i;

	for (i = to->new_from; i < to->new_to; i++)
		if (is_like(&to->v[i], it))
			any = it->ask = to->v[i].ask = true;
	return any;
}

bool
tour_copied_ask(struct tour *t)
{
	struct work *to;
	bool any = false;
	size_t i, k;

	if (imap_has(&t->pass->remote->client.imap, IMAP_CAP_MOVE))
		return false;
	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++) {
			to = goes_to(t, &t->works[i], &t->works[i].v[k]);
			if (to != NULL && ask(to, &t->works[i].v[k]))
				any = true;
		}
	return any;
}

/* `new` is the copy: of a file that was moved here it is the other half. */
static void
found(struct tour *t, struct item *it, struct item *new)
{
	struct work *to = it->to;

	it->copied = true;
	it->p.set_remote = false;
	if (to == NULL)
		return;
	it->to = NULL;
	tour_pair(t, to, &to->v[it->to_item], new);
}

static void
look(struct tour *t, struct work *to, struct item *it)
{
	struct item *new;
	size_t i;

	for (i = to->new_from; i < to->new_to; i++) {
		new = &to->v[i];
		if (!is_like(new, it) || !new->has_digest || new->copied ||
		    memcmp(new->digest, it->digest, sizeof(it->digest)) != 0)
			continue;
		new->copied = true;
		found(t, it, new);
		return;
	}
}

void
tour_copied(struct tour *t)
{
	struct work *to;
	struct item *it;
	size_t i, k;

	if (imap_has(&t->pass->remote->client.imap, IMAP_CAP_MOVE))
		return;
	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++) {
			it = &t->works[i].v[k];
			to = goes_to(t, &t->works[i], it);
			if (to != NULL && it->ask && it->has_digest)
				look(t, to, it);
		}
}
