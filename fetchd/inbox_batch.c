/*
 * Batches: one takes up what comes in, while the one before it is made
 * durable.
 */

#include "inbox_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"

static int
entry_dir(const struct inbox *in, const struct entry *en)
{
	const struct maildir *m = &in->maildirs[en->target];

	return m->path != NULL ? m->tmp : in->spool_fd;
}

static void
parcel_clear(struct parcel *p)
{
	free((void *)(uintptr_t)p->key.uid.p);
	free(p->entries);
	*p = (struct parcel){0};
}

static void
parcel_abandon(struct inbox *in, struct parcel *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		spool_abandon(
		    &p->entries[i].spool, entry_dir(in, &p->entries[i]));
	p->n = 0;
}

void
inbox_forget(struct batch *b)
{
	size_t i, k;

	for (i = 0; i < b->n; i++) {
		struct parcel *p = &b->parcels[i];

		for (k = 0; k < p->n; k++)
			spool_close(&p->entries[k].spool);
		parcel_clear(p);
	}
	b->n = 0;
	b->bytes = 0;
	b->mark.id = 0;
}

static void
drop_batch(struct inbox *in, struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		parcel_abandon(in, &b->parcels[i]);
	inbox_forget(b);
}

void
inbox_drop(struct inbox *in)
{
	struct err ignored;

	/* Its thread has the descriptors. */
	(void)durable_wait(&in->durable, &ignored);
	drop_batch(in, &in->going);
	drop_batch(in, &in->filling);
}

/* --- the batch ---------------------------------------------------------------- */

static int
copy_spool(struct spool *to, int from_fd, struct err *e)
{
	char chunk[32 * 1024];
	off_t at = 0;
	ssize_t k;

	while ((k = pread(from_fd, chunk, sizeof(chunk), at)) != 0) {
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return err_sys(e, ERR_LOCAL, "%s", to->what);
		if (spool_raw(to, chunk, (size_t)k, e) == -1)
			return -1;
		at += k;
	}
	return spool_flush(to, e);
}

int
inbox_add(struct inbox *in, enum seen_status status, bool files, struct err *e)
{
	const struct fetch *f = in->fetch;
	struct batch *b = &in->filling;
	struct parcel *p = &b->parcels[b->n];
	size_t i;

	*p = (struct parcel){
	    .key = in->item.key, .status = status, .cookie = in->item.cookie};
	p->key.uid.p = p->key.uid.n > 0 ? span_dup(in->item.key.uid) : NULL;
	p->entries = mem_array(f->n_targets, sizeof(*p->entries));
	if (b->n++ == 0)
		b->started = clock_ms();
	b->bytes += in->spool.bytes;
	for (i = 0; files && i < f->n_targets; i++) {
		struct entry *en = &p->entries[p->n];
		bool maildir = f->targets[i].kind == TARGET_MAILDIR;

		if (!maildir && f->targets[i].kind != TARGET_MBOX)
			continue;
		en->target = i;
		if (i == 0 && in->direct) {
			en->spool = in->spool;
			in->open = false;
			p->n++;
		} else {
			if (spool_open(&en->spool,
				maildir ? in->maildirs[i].tmp : in->spool_fd,
				in->tag, f->targets[i].path, e) == -1)
				return -1;
			p->n++;
			if (copy_spool(&en->spool,
				in->direct ? p->entries[0].spool.fd
					   : in->spool.fd,
				e) == -1)
				return -1;
		}
		spool_final_name(&en->spool, en->name);
	}
	return 0;
}

/* --- making it durable --------------------------------------------------------- */

static size_t
add_item(struct inbox *in, size_t n, int fd, bool file, const char *what)
{
	in->items[n] = (struct durable_item){fd, file, what};
	return n + 1;
}

/* The files, then the directories that hold their names. */
static size_t
list_items(struct inbox *in)
{
	const struct batch *b = &in->going;
	size_t i, k, t, n = 0;
	bool spooled = false;

	for (i = 0; i < b->n; i++)
		for (k = 0; k < b->parcels[i].n; k++) {
			const struct entry *en = &b->parcels[i].entries[k];

			n = add_item(in, n, en->spool.fd, true, en->spool.what);
			spooled |= in->maildirs[en->target].path == NULL;
		}
	for (t = 0; n > 0 && t < in->fetch->n_targets; t++)
		if (in->maildirs[t].path != NULL)
			n = add_item(in, n, in->maildirs[t].tmp, false,
			    in->maildirs[t].path);
	if (spooled)
		n = add_item(in, n, in->spool_fd, false, in->spool_dir);
	return n;
}

void
inbox_make_durable(struct inbox *in, bool here)
{
	struct batch spare = in->going;

	in->going = in->filling;
	in->filling = spare;
	in->going.started = clock_ms();
	free(in->items);
	in->items = mem_array(
	    (in->going.n + 1) * in->fetch->n_targets + 1, sizeof(*in->items));
	durable_start(&in->durable, in->items, list_items(in), here);
}
