/*
 * The batch: made durable, recorded as being placed, placed, and made durable
 * there, in that order, so that a kill or power cut at any instruction loses
 * nothing and doubles nothing.
 */

#include "inbox_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/mbox.h"

#define BATCH_BYTES (8u << 20)
#define BATCH_MS 1000

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
	parcel_clear(p);
}

void
inbox_drop_batch(struct inbox *in)
{
	size_t i;

	for (i = 0; i < in->n; i++)
		parcel_abandon(in, &in->batch[i]);
	in->n = 0;
	in->bytes = 0;
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
	struct parcel *p = &in->batch[in->n];
	size_t i;

	*p = (struct parcel){
	    .key = in->item.key, .status = status, .cookie = in->item.cookie};
	p->key.uid.p = p->key.uid.n > 0 ? span_dup(in->item.key.uid) : NULL;
	p->entries = mem_array(f->n_targets, sizeof(*p->entries));
	if (in->n++ == 0)
		in->started = clock_ms();
	in->bytes += in->spool.bytes;
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

/* --- settling ------------------------------------------------------------------ */

static int
sync_batch(struct inbox *in, struct err *e)
{
	size_t i, k;
	bool spooled = false;

	/* All at once: begun one by one, as messages come, the write-back
	 * makes ext4 commit its journal for each (measured: five times slower). */
	for (i = 0; i < in->n; i++)
		for (k = 0; k < in->batch[i].n; k++)
			spool_start_sync(&in->batch[i].entries[k].spool);
	for (i = 0; i < in->n; i++)
		for (k = 0; k < in->batch[i].n; k++) {
			struct entry *en = &in->batch[i].entries[k];

			if (spool_sync(&en->spool, e) == -1)
				return -1;
			spooled |= in->maildirs[en->target].path == NULL;
		}
	for (i = 0; i < in->fetch->n_targets; i++)
		if (in->maildirs[i].path != NULL &&
		    maildir_sync_tmp(&in->maildirs[i], e) == -1)
			return -1;
	return spooled ? file_sync(in->spool_fd, in->spool_dir, e) : 0;
}

/* Gives each message for an mbox its place; *fds: the locked files. */
static int
reserve_mboxes(struct inbox *in, int *fds, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t i, k, t;
	off_t at;

	for (t = 0; t < f->n_targets; t++) {
		if (f->targets[t].kind != TARGET_MBOX)
			continue;
		if (mbox_open(f->targets[t].path, &fds[t], e) == -1)
			return -1;
		at = lseek(fds[t], 0, SEEK_END);
		for (i = 0; i < in->n; i++)
			for (k = 0; k < in->batch[i].n; k++) {
				struct entry *en = &in->batch[i].entries[k];

				if (en->target != t)
					continue;
				en->at = at;
				if (mbox_measure(en->spool.fd, en->name,
					&en->length, e) == -1)
					return -1;
				at += en->length;
			}
	}
	return 0;
}

static int
record_parcel(struct inbox *in, const struct parcel *p, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t k;

	if (seen_put(in->seen, &p->key, p->status, e) == -1)
		return -1;
	for (k = 0; k < p->n; k++) {
		const struct entry *en = &p->entries[k];
		const struct target *t = &f->targets[en->target];

		if (seen_placing(in->seen, &p->key, t->path, en->name,
			t->kind == TARGET_MBOX, en->at, en->length, e) == -1)
			return -1;
	}
	return 0;
}

static int
record_batch(struct inbox *in, struct err *e)
{
	size_t i;

	if (seen_begin(in->seen, e) == -1)
		return -1;
	if (in->placing && seen_clear_placing(in->seen, e) == -1)
		goto failed;
	for (i = 0; i < in->n; i++)
		if (record_parcel(in, &in->batch[i], e) == -1)
			goto failed;
	if (in->mark.id != 0 && seen_folder_set(in->seen, &in->mark, e) == -1)
		goto failed;
	if (seen_commit(in->seen, e) == -1)
		return -1;
	in->placing = in->n > 0;
	in->mark.id = 0;
	return 0;
failed:
	seen_rollback(in->seen);
	return -1;
}

static void
print_path(struct inbox *in, const struct entry *en)
{
	const struct target *t = &in->fetch->targets[en->target];

	if (t->kind == TARGET_MAILDIR)
		printf("%s/new/%s", t->path, en->name);
	else
		printf("%s", t->path);
	putchar(in->options->nul ? '\0' : '\n');
	/* Whole records: other sections write there too. */
	fflush(stdout);
}

static int
place_entry(struct inbox *in, const struct parcel *p, const struct entry *en,
    const int *fds, struct err *e)
{
	struct maildir *m = &in->maildirs[en->target];
	int rv;

	if (m->path == NULL)
		return mbox_write(fds[en->target], en->spool.fd, en->name, e);
	rv = maildir_place(m, en->name, NULL, e);
	if (rv != 0 || maildir_has(m, en->name))
		return rv == -1 ? -1 : 0;
	/* Gone from tmp/, or new/ is gone: it is not delivered. */
	if (seen_put(in->seen, &p->key, SEEN_FAILED, e) == -1)
		return -1;
	return err_set(e, ERR_LOCAL,
	    "%s: %s vanished before it was in its place; it will be fetched "
	    "again",
	    m->path, en->name);
}

static int
place_batch(struct inbox *in, const int *fds, struct err *e)
{
	size_t i, k, t;

	for (i = 0; i < in->n; i++)
		for (k = 0; k < in->batch[i].n; k++)
			if (place_entry(in, &in->batch[i],
				&in->batch[i].entries[k], fds, e) == -1)
				return -1;
	for (t = 0; t < in->fetch->n_targets; t++) {
		if (in->maildirs[t].path != NULL &&
		    maildir_sync_places(&in->maildirs[t], e) == -1)
			return -1;
		if (fds[t] != -1 &&
		    file_sync(fds[t], in->fetch->targets[t].path, e) == -1)
			return -1;
	}
	return 0;
}

/* The batch is in place: closes, prints, forgets. */
static void
finish_batch(struct inbox *in)
{
	size_t i, k;

	for (i = 0; i < in->n; i++) {
		struct parcel *p = &in->batch[i];

		for (k = 0; k < p->n; k++) {
			if (in->options->print)
				print_path(in, &p->entries[k]);
			if (in->maildirs[p->entries[k].target].path == NULL)
				spool_abandon(
				    &p->entries[k].spool, in->spool_fd);
			else
				spool_close(&p->entries[k].spool);
		}
		in->cookies[i] = p->cookie;
		parcel_clear(p);
	}
	in->n = 0;
	in->bytes = 0;
}

/* On failure after the record, the files must stay: they are placed before
 * anything else is recorded, or by the next run. */
static void
leave_batch(struct inbox *in)
{
	size_t i, k;

	for (i = 0; i < in->n; i++) {
		for (k = 0; k < in->batch[i].n; k++)
			spool_close(&in->batch[i].entries[k].spool);
		parcel_clear(&in->batch[i]);
	}
	in->n = 0;
	in->bytes = 0;
	in->unplaced = true;
}

static int
settle_batch(struct inbox *in, int *fds, struct err *e)
{
	if ((in->unplaced && inbox_leftovers(in, e) == -1) ||
	    sync_batch(in, e) == -1 || reserve_mboxes(in, fds, e) == -1) {
		inbox_drop_batch(in);
		return -1;
	}
	if (record_batch(in, e) == -1) {
		/* A commit that failed may yet be durable: keep the files. */
		leave_batch(in);
		return -1;
	}
	if (place_batch(in, fds, e) == -1) {
		leave_batch(in);
		return -1;
	}
	return 0;
}

int
inbox_settle(struct inbox *in, bool now, const size_t **cookies_r, size_t *n_r,
    struct err *e)
{
	size_t t, n_targets = in->fetch->n_targets;
	int *fds, rv;

	*n_r = 0;
	*cookies_r = in->cookies;
	if (in->n == 0 && (!now || in->mark.id == 0))
		return 0;
	if (!now && !in->eager && in->n < in->batch_max &&
	    in->bytes < BATCH_BYTES && clock_ms() - in->started < BATCH_MS)
		return 0;
	fds = mem_array(n_targets, sizeof(*fds));
	for (t = 0; t < n_targets; t++)
		fds[t] = -1;
	rv = settle_batch(in, fds, e);
	for (t = 0; t < n_targets; t++)
		if (fds[t] != -1)
			close(fds[t]);
	free(fds);
	if (rv == -1)
		return -1;
	*n_r = in->n;
	finish_batch(in);
	return 0;
}

void
inbox_discard(struct inbox *in)
{
	inbox_abort(in);
	inbox_drop_batch(in);
	in->mark.id = 0;
}

int
inbox_rest(struct inbox *in, struct err *e)
{
	if (in->unplaced)
		return inbox_leftovers(in, e);
	if (!in->placing)
		return 0;
	in->placing = false;
	return seen_clear_placing(in->seen, e);
}

int64_t
inbox_due(const struct inbox *in)
{
	return in->n > 0 ? in->started + BATCH_MS : 0;
}

void
inbox_watermark(struct inbox *in, const struct seen_folder *f)
{
	in->mark = *f;
}
