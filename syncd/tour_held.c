/*
 * Placeholders that are not where they should be.
 */

#include <stdlib.h>

#include "tour.h"

/*
 * A message of which there is no copy here is deleted only when its placeholder
 * is surely nowhere else: all folders were looked at, and once more after it
 * was seen to be gone, for a reader may move it just while they are.
 */
static void
hold(struct tour *t)
{
	bool sure = t->pass->round > 0 && t->pass->options->only.n == 0;
	size_t i, k;

	for (i = 0; i < t->n; i++)
		sure = sure && !t->works[i].left;
	if (sure || t->pass->options->dry_run)
		return;
	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];

			if (!item_is_lost_here(it) || !it->m.base.placeholder)
				continue;
			it->settled = true;
			t->works[i].again = true;
			/* A further look tells no more than the second. */
			t->pass->again = t->pass->again || t->pass->round == 0;
		}
}

/* Such as stand for nothing that is known are of no use, and never pushed. */
static void
tell_orphans(struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct work *w = &t->works[i];
			struct item *it = &w->v[k];
			struct err e;
			char *name;

			if (!item_is_new_here(it) || !it->m.placeholder)
				continue;
			name = tour_name(t, w->f.remote);
			(void)err_set(&e, ERR_NONE,
			    "%s: %.*s is a placeholder of no message in this "
			    "folder: not pushed",
			    name, SPAN(local_file_name(&w->list, it->file)));
			tour_complain(t, LOG_L_NORMAL, &e);
			free(name);
		}
}

void
tour_hold_placeholders(struct tour *t)
{
	hold(t);
	tell_orphans(t);
}
