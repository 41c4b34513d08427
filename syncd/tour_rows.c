/*
 * What is remembered of a message: its row; and what of it is on its way.
 */

#include <string.h>

#include "tour.h"

struct state_msg
tour_row(const struct work *w, const struct item *it, struct span name)
{
	static const unsigned char none[16];
	struct state_msg m = {.folder = w->f.id,
	    .uid = it->uid,
	    .name = name,
	    .base = it->p.after,
	    .size = it->size,
	    .date = it->m.date};

	if (memcmp(it->emailid, none, sizeof(none)) != 0)
		m.emailid = span_bytes(it->emailid, sizeof(it->emailid));
	return m;
}

int
tour_note_validity(struct tour *t, struct work *w, struct err *e)
{
	const struct folders_pair *p = w->pair;
	struct state_folder f = w->f;

	f.uidvalidity = w->asked             ? w->diff.uidvalidity
	                : f.uidvalidity != 0 ? f.uidvalidity
	                : p->remote != NULL  ? p->remote->uidvalidity
	                                     : 0;
	if (w->noted || f.uidvalidity == 0)
		return 0;
	w->noted = true;
	if (p->base != NULL && !p->stale &&
	    p->base->uidvalidity == f.uidvalidity)
		return 0;
	f.uidnext = 1;
	f.modseq = f.messages = 0;
	return state_folder_put(t->pass->state, &f, e);
}

int
tour_row_of(struct tour *t, const struct work *w, const struct item *it,
    struct state_msg *m, struct err *e)
{
	struct state_msg old;
	int rv;

	if (it->file != NO_FILE) {
		*m = tour_row(w, it, local_file_unique(&w->list, it->file));
		return 0;
	}
	rv = state_by_uid(t->pass->state, w->f.id, it->uid, &old, e);
	if (rv == -1)
		return -1;
	*m = tour_row(w, it, rv == 1 ? old.name : span_of(""));
	return 0;
}

int
tour_announce(struct tour *t, struct work *w, struct item *it,
    struct state_push *p, struct err *e)
{
	int rv = tour_identify(w, it, e);

	if (rv != 1)
		return rv;
	p->folder = w->f.id;
	p->name = local_file_unique(&w->list, it->file);
	if (p->size == 0)
		p->size = it->size;
	memcpy(p->digest, it->digest, sizeof(p->digest));
	return state_push_put(t->pass->state, p, e) == 0 ? 1 : -1;
}

static int
note_origin(struct tour *t, struct work *w, struct item *it, int64_t origin,
    struct err *e)
{
	struct state_push p = {.origin = origin, .flags = it->p.after.flags};
	struct state_msg m;
	int rv = state_by_name(t->pass->state, origin,
	    local_file_unique(&w->list, it->file), &m, e);

	if (rv != 1)
		return rv;
	p.uid = m.uid;
	return tour_announce(t, w, it, &p, e) == -1 ? -1 : 0;
}

int
tour_note_origins(struct tour *t, struct work *w, struct item *it,
    const struct tour_hidden *h, struct err *e)
{
	size_t i;

	if (it->m.base.paired || !it->has_digest || it->file == NO_FILE)
		return 0;
	for (i = 0; i < h->n; i++)
		if (h->v[i] != w->f.id &&
		    note_origin(t, w, it, h->v[i], e) == -1)
			return -1;
	return 0;
}

int
tour_remember(
    struct tour *t, struct work *w, const struct item *it, struct err *e)
{
	struct state_msg m;

	if (it->p.forget)
		return state_forget(t->pass->state, w->f.id, it->uid, e);
	if (tour_note_validity(t, w, e) == -1 ||
	    tour_row_of(t, w, it, &m, e) == -1)
		return -1;
	return state_put(t->pass->state, &m, e);
}
