/*
 * Asking the server what messages are known by: of all folders in one flight.
 */

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tour.h"

#define HEADER_MAX (256 * 1024)

struct asking {
	const struct tour_wish *wishes; /* borrowed; by cookie */
	tour_known *known;
	void *arg;
	struct buf text;
};

static int
on_begin(void *arg, const struct remote_message *m, struct err *e)
{
	(void)m;
	(void)e;
	buf_reset(&((struct asking *)arg)->text);
	return 0;
}

/* A header that is longer than this is known by its beginning. */
static int
on_data(void *arg, struct span s, struct err *e)
{
	struct asking *a = arg;

	(void)e;
	if (s.n > buf_room(&a->text))
		s.n = buf_room(&a->text);
	return buf_add(&a->text, s);
}

static int
on_end(void *arg, const struct remote_message *m, struct err *e)
{
	struct asking *a = arg;
	unsigned char digest[LOCAL_DIGEST];
	bool unused;

	(void)e;
	local_digest(buf_span(&a->text), digest, &unused);
	a->known(a->arg, a->wishes[m->cookie].work, m->uid, digest);
	return 0;
}

static void
on_drop(void *arg)
{
	(void)arg;
}

/* What is gone meanwhile is not known. */
static int
on_missing(void *arg, const struct remote_message *m, const struct err *why,
    struct err *e)
{
	(void)arg;
	(void)m;
	(void)why;
	(void)e;
	return 0;
}

int
tour_ask(struct tour *t, const struct tour_wish *v, size_t n,
    enum remote_part part, tour_known *known, void *arg, struct err *e)
{
	struct remote_fetch *f = mem_array(n + 1, sizeof(*f));
	struct asking a = {.wishes = v, .known = known, .arg = arg};
	const struct remote_sink sink = {
	    &a, on_begin, on_data, on_end, on_drop, on_missing};
	size_t i;
	int rv = 0;

	buf_init(&a.text, HEADER_MAX);
	for (i = 0; i < n; i++)
		f[i] = (struct remote_fetch){.folder = v[i].work->f.remote,
		    .uidvalidity = tour_validity(v[i].work),
		    .uids = &v[i].uids,
		    .part = part,
		    .cookie = (uint32_t)i};
	if (n > 0)
		rv = remote_fetch(t->pass->remote, f, n, &sink, e);
	for (i = 0; i < n; i++) {
		if (f[i].error != NULL)
			tour_leave(t, v[i].work, f[i].error);
		free(f[i].error);
	}
	buf_clear(&a.text);
	free(f);
	return rv;
}
