/*
 * Waiting for a disk, beside other work.  The threads touch nothing but the
 * descriptors that they were given, so that all else in the process is as if
 * there were none.
 */

#include "os/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define HELPERS 7u
#define FILES_EACH 16u /* for fewer, a helper is not worth it */

static void
sync_item(struct durable *d, size_t i)
{
	size_t none = d->n;
	int error;

	if (fsync(d->items[i].fd) == 0)
		return;
	error = errno;
	/* The first to fail tells why. */
	if (atomic_compare_exchange_strong(&d->failed, &none, i))
		d->error = error;
}

static bool
has_failed(const struct durable *d)
{
	return atomic_load(&d->failed) != d->n;
}

/* Files, one by one, until none is left; any number of threads at once. */
static void *
sync_files(void *arg)
{
	struct durable *d = arg;
	size_t i;

	while (!has_failed(d)) {
		i = atomic_fetch_add(&d->next, 1);
		if (i >= d->n || !d->items[i].file)
			break;
		sync_item(d, i);
	}
	return NULL;
}

static void
start_write_back(const struct durable *d)
{
#ifdef SYNC_FILE_RANGE_WRITE
	size_t i;

	/* All at once: begun one by one, as files are written, it makes ext4
	 * commit its journal for each (measured: five times slower).  Only a
	 * hint; fsync(2) is what counts. */
	for (i = 0; i < d->n; i++)
		if (d->items[i].file)
			(void)sync_file_range(
			    d->items[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
	(void)d;
#endif
}

static void *
sync_all(void *arg)
{
	struct durable *d = arg;
	size_t wanted = d->n / FILES_EACH, n = 0, i;
	pthread_t helpers[HELPERS];

	start_write_back(d);
	while (n < wanted && n < HELPERS &&
	       pthread_create(&helpers[n], NULL, sync_files, d) == 0)
		n++;
	sync_files(d);
	while (n > 0)
		pthread_join(helpers[--n], NULL);
	for (i = 0; i < d->n && !has_failed(d); i++)
		if (!d->items[i].file)
			sync_item(d, i);
	atomic_store(&d->done, true);
	return NULL;
}

void
durable_start(
    struct durable *d, const struct durable_item *items, size_t n, bool here)
{
	sigset_t all, old;

	d->items = items;
	d->n = n;
	d->error = 0;
	d->started = true;
	atomic_store(&d->done, false);
	atomic_store(&d->next, 0);
	atomic_store(&d->failed, n);
	/* Threads inherit the mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	d->threaded =
	    !here && pthread_create(&d->thread, NULL, sync_all, d) == 0;
	if (!d->threaded)
		sync_all(d);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

bool
durable_done(const struct durable *d)
{
	return !d->started || atomic_load(&d->done);
}

int
durable_wait(struct durable *d, struct err *e)
{
	if (!d->started)
		return 0;
	if (d->threaded)
		pthread_join(d->thread, NULL);
	d->started = d->threaded = false;
	if (!has_failed(d))
		return 0;
	errno = d->error;
	return err_sys(e, ERR_LOCAL, "%s: cannot make durable",
	    d->items[atomic_load(&d->failed)].what);
}
