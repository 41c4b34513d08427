/*
 * Where the folder that a message left was looked at before it left there, and
 * the one where it came after: what is to be moved on the server, for a reader
 * has moved it here, is there already.  What is with its old place, the next
 * pass sees.
 */

#include <string.h>

#include "tour.h"

static bool
leaves_for_new(const struct item *it)
{
	return it->to != NULL && it->p.delete_remote && !it->settled &&
	       it->to->new_from < it->to->new_to;
}

/* The first of the new ones there, from that index on, with its size. */
static struct item *
of_size(struct work *w, size_t from, uint64_t size)
{
	size_t i;

	for (i = from; i < w->new_to; i++)
		if (item_is_new_there(&w->v[i]) && w->v[i].size == size)
			return &w->v[i];
	return NULL;
}

int
tour_left_ask(struct tour *t, bool *any_bare_r, struct err *e)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k], *to;

			if (!leaves_for_new(it) ||
			    of_size(it->to, it->to->new_from, it->size) == NULL)
				continue;
			to = &it->to->v[it->to_item];
			if (tour_identify(it->to, to, e) == -1)
				return -1;
			*any_bare_r = *any_bare_r || to->bare;
		}
	return 0;
}

static void
has_left(struct tour *t, struct work *w, struct item *it)
{
	struct item *to = &it->to->v[it->to_item], *new;
	size_t i = it->to->new_from;

	while (to->has_digest && (new = of_size(it->to, i, it->size)) != NULL) {
		i = (size_t)(new - it->to->v) + 1;
		if (!new->has_digest ||
		    memcmp(new->digest, to->digest, sizeof(to->digest)) != 0)
			continue;
		to->was = it->m.base;
		tour_pair(t, it->to, to, new);
		it->to = NULL;
		it->settled = w->again = t->pass->again = true;
		return;
	}
}

void
tour_left(struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++)
			if (leaves_for_new(&t->works[i].v[k]))
				has_left(t, &t->works[i], &t->works[i].v[k]);
}
