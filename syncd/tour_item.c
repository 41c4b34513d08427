/*
 * What an item is, by what is seen of it; and when nothing is done about it.
 */

#include "tour.h"

void
tour_put_off(struct work *w, struct item *it)
{
	it->settled = w->again = true;
	w->unsure = w->unsure || it->uid != 0;
}

/* Or a placeholder that is marked: it is so when a reader has copied it. */
bool
item_is_gone_here(const struct item *it)
{
	return it->m.base.paired && it->m.base.local &&
	       (!it->m.local.there || it->m.base.placeholder) &&
	       it->m.remote.there && it->p.delete_remote && !it->copied;
}

/* A file that nobody knows.  It may be one of the server's messages also where
 * new ones are not pushed. */
bool
item_is_new_here(const struct item *it)
{
	return it->uid == 0 && it->file != NO_FILE && !it->settled;
}

bool
item_is_new_there(const struct item *it)
{
	return it->uid != 0 && it->file == NO_FILE && !it->m.base.paired &&
	       !it->settled;
}

bool
item_is_lost_here(const struct item *it)
{
	return item_is_gone_here(it) && it->to == NULL && !it->settled;
}
