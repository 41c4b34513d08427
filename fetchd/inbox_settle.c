/*
 * A batch's way to its place: durable, recorded as being placed, placed, and
 * made durable there, in that order, so that a kill or power cut at any
 * instruction loses nothing and doubles nothing.
 */

#include "inbox_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/mbox.h"

#define BATCH_BYTES (8u << 20)
#define BATCH_MS 1000

/* Gives each message for an mbox its place; *fds: the locked files. */
static int
reserve_mboxes(struct inbox *in, int *fds, struct err *e)
{
	const struct fetch *f = in->fetch;
	struct batch *b = &in->going;
	size_t i, k, t;
	off_t at;

	for (t = 0; t < f->n_targets; t++) {
		if (f->targets[t].kind != TARGET_MBOX)
			continue;
		if (mbox_open(f->targets[t].path, &fds[t], e) == -1)
			return -1;
		at = lseek(fds[t], 0, SEEK_END);
		for (i = 0; i < b->n; i++)
			for (k = 0; k < b->parcels[i].n; k++) {
				struct entry *en = &b->parcels[i].entries[k];

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
	struct batch *b = &in->going;
	size_t i;

	if (seen_begin(in->seen, e) == -1)
		return -1;
	if (in->placing && seen_clear_placing(in->seen, e) == -1)
		goto failed;
	for (i = 0; i < b->n; i++)
		if (record_parcel(in, &b->parcels[i], e) == -1)
			goto failed;
	if (b->mark.id != 0 && seen_folder_set(in->seen, &b->mark, e) == -1)
		goto failed;
	if (seen_commit(in->seen, e) == -1)
		return -1;
	in->placing = b->n > 0;
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
	struct batch *b = &in->going;
	size_t i, k, t;

	for (i = 0; i < b->n; i++)
		for (k = 0; k < b->parcels[i].n; k++)
			if (place_entry(in, &b->parcels[i],
				&b->parcels[i].entries[k], fds, e) == -1)
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

/* The batch is in place: prints, forgets. */
static void
finish_batch(struct inbox *in)
{
	struct batch *b = &in->going;
	size_t i, k;

	for (i = 0; i < b->n; i++) {
		struct parcel *p = &b->parcels[i];

		for (k = 0; k < p->n; k++) {
			if (in->options->print)
				print_path(in, &p->entries[k]);
			if (in->maildirs[p->entries[k].target].path == NULL)
				spool_abandon(
				    &p->entries[k].spool, in->spool_fd);
		}
		in->cookies[in->n_cookies++] = p->cookie;
	}
	inbox_forget(b);
}

/* On failure after the record, the files must stay: they are placed before
 * anything else is recorded, or by the next run. */
static int
leave_batch(struct inbox *in)
{
	inbox_forget(&in->going);
	in->unplaced = true;
	return -1;
}

static int
place_going(struct inbox *in, int *fds, struct err *e)
{
	if (durable_wait(&in->durable, e) == -1 ||
	    (in->unplaced && inbox_leftovers(in, e) == -1) ||
	    reserve_mboxes(in, fds, e) == -1) {
		inbox_drop(in);
		return -1;
	}
	/* A commit that failed may yet be durable: keep the files. */
	if (record_batch(in, e) == -1 || place_batch(in, fds, e) == -1)
		return leave_batch(in);
	finish_batch(in);
	return 0;
}

/* The batch that is going comes to its end. */
static int
settle_going(struct inbox *in, struct err *e)
{
	size_t t, n_targets = in->fetch->n_targets;
	int *fds = mem_array(n_targets, sizeof(*fds)), rv;

	for (t = 0; t < n_targets; t++)
		fds[t] = -1;
	rv = place_going(in, fds, e);
	for (t = 0; t < n_targets; t++)
		if (fds[t] != -1)
			close(fds[t]);
	free(fds);
	return rv;
}

static bool
is_ready(const struct inbox *in)
{
	const struct batch *b = &in->filling;

	return b->n > 0 &&
	       (in->eager || b->n >= in->batch_max || b->bytes >= BATCH_BYTES ||
		   clock_ms() - b->started >= BATCH_MS);
}

static bool
is_empty(const struct batch *b)
{
	return b->n == 0 && b->mark.id == 0;
}

int
inbox_settle(struct inbox *in, bool now, const size_t **cookies_r, size_t *n_r,
    struct err *e)
{
	bool ready = is_ready(in);

	*n_r = in->n_cookies = 0;
	*cookies_r = in->cookies;
	if (!is_empty(&in->going) &&
	    (now || ready || durable_done(&in->durable)) &&
	    settle_going(in, e) == -1)
		return -1;
	now = now ? !is_empty(&in->filling) : ready && in->eager;
	if (now || ready)
		inbox_make_durable(in, now);
	if (now && settle_going(in, e) == -1)
		return -1;
	*n_r = in->n_cookies;
	return 0;
}

void
inbox_discard(struct inbox *in)
{
	inbox_abort(in);
	inbox_drop(in);
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
	const struct batch *b = in->going.n > 0 ? &in->going : &in->filling;

	return b->n > 0 ? b->started + BATCH_MS : 0;
}

void
inbox_watermark(struct inbox *in, const struct seen_folder *f)
{
	in->filling.mark = *f;
}
