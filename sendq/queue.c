/*
 * The spool directory: how a message gets into it, so that it is there for
 * good or not at all, and which are there. What is done with a message that
 * is there stands in message.c.
 */

#include "queue.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"
#include "queue_parts.h"

static int
cannot(struct err *e, const struct queue *q, const char *name)
{
	err_sys(e, ERR_LOCAL, "%s/%s: cannot create", q->path, name);
	if (e->code == 0)
		e->code = EX_CANTCREAT;
	return -1;
}

static int
open_dir(struct queue *q, const char *name, int *fd_r, struct err *e)
{
	char *path = mem_printf("%s/%s", q->path, name);
	int rv = file_mkdirs(path, e);

	if (rv == 0)
		rv = file_opendir(path, fd_r, e);
	free(path);
	return rv;
}

int
queue_open(struct queue *q, struct err *e)
{
	*q = (struct queue){NULL, -1, -1, -1, -1, -1};
	if (file_state_dir("sendq", &q->path, e) == 0 &&
	    open_dir(q, ".", &q->dir, e) == 0 &&
	    open_dir(q, "tmp", &q->tmp, e) == 0 &&
	    open_dir(q, "queue", &q->ready, e) == 0 &&
	    open_dir(q, "failed", &q->failed, e) == 0 &&
	    open_dir(q, "accounts", &q->accounts, e) == 0)
		return 0;
	queue_close(q);
	return -1;
}

void
queue_close(struct queue *q)
{
	const int fds[] = {q->dir, q->tmp, q->ready, q->failed, q->accounts};
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] != -1)
			close(fds[i]);
	free(q->path);
	*q = (struct queue){NULL, -1, -1, -1, -1, -1};
}

int
queue_lock(struct queue *q, bool shared, bool wait, int *fd_r, struct err *e)
{
	int got;

	*fd_r = openat(q->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd_r == -1)
		return cannot(e, q, "lock");
	got = lock_fd(*fd_r, shared, wait);
	if (got == 1)
		return 0;
	if (got == -1)
		err_sys(e, ERR_LOCAL, "%s/lock: cannot lock", q->path);
	else
		err_set(e, ERR_TEMP, "%s/lock: in use", q->path);
	close(*fd_r);
	*fd_r = -1;
	return -1;
}

void
queue_name(char name[QUEUE_NAME], const char *id, const char *suffix)
{
	snprintf(name, QUEUE_NAME, "%s%s", id, suffix);
}

bool
queue_has(int dir, const char *id, const char *suffix)
{
	char name[QUEUE_NAME];
	struct stat st;

	queue_name(name, id, suffix);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- accepting -------------------------------------------------------- */

static void
new_id(char id[QUEUE_ID])
{
	int64_t us = clock_wall_us();

	snprintf(id, QUEUE_ID, "%08llx-%03x%05x",
	    (unsigned long long)(us / 1000000),
	    (unsigned)(us % 1000000 * 4096 / 1000000), arc4random() & 0xfffff);
}

/*
 * A new file in tmp/ under a name that is new in the whole spool. Of two who
 * have the same idea, the second finds the first's there or in queue/: it is
 * looked for in this order, in which it moves.
 */
static int
create_draft(struct queue_draft *d, struct err *e)
{
	struct queue *q = d->queue;
	char name[QUEUE_NAME];
	int i;

	for (i = 0; i < 100; i++) {
		new_id(d->id);
		queue_name(name, d->id, ".eml");
		d->fd = openat(
		    q->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (d->fd == -1 && errno == EEXIST)
			continue;
		if (d->fd == -1)
			break;
		if (!queue_has(q->ready, d->id, ".eml") &&
		    !queue_has(q->failed, d->id, ".eml"))
			return 0;
		close(d->fd);
		unlinkat(q->tmp, name, 0);
		errno = EEXIST;
	}
	d->fd = -1;
	return cannot(e, q, "tmp");
}

int
queue_draft(struct queue *q, struct queue_draft *d, struct err *e)
{
	*d = (struct queue_draft){.queue = q, .fd = -1, .lock = -1};
	if (queue_lock(q, true, true, &d->lock, e) == -1)
		return -1;
	if (create_draft(d, e) == 0)
		return 0;
	queue_abandon(d);
	return -1;
}

void
queue_abandon(struct queue_draft *d)
{
	char name[QUEUE_NAME];

	if (d->fd != -1) {
		queue_name(name, d->id, ".eml");
		unlinkat(d->queue->tmp, name, 0);
		close(d->fd);
	}
	if (d->lock != -1)
		close(d->lock);
	d->fd = d->lock = -1;
}

/* tmp/ID.env, durable and locked: it is not to be sent before its caller knows
 * that it will be. */
static int
write_envelope(struct queue_draft *d, const char *name,
    const struct envelope *env, int *fd_r, struct err *e)
{
	struct queue *q = d->queue;
	struct buf text;
	int rv = -1;

	*fd_r =
	    openat(q->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (*fd_r == -1)
		return cannot(e, q, name);
	buf_init(&text, QUEUE_ENVELOPE_MAX);
	if (envelope_format(env, &text) == -1)
		err_code(e, ERR_MESSAGE, EX_DATAERR,
		    "an envelope of over %u MB: too many recipients",
		    QUEUE_ENVELOPE_MAX >> 20);
	else if (lock_fd(*fd_r, false, false) != 1)
		err_sys(e, ERR_LOCAL, "%s/tmp/%s: cannot lock", q->path, name);
	else if (file_write(
		     *fd_r, buf_span(&text).p, buf_span(&text).n, name, e) == 0)
		rv = file_sync(*fd_r, name, e);
	buf_clear(&text);
	return rv;
}

/* Moves both into queue/. *moved_r: how many are there. */
static int
place(struct queue *q, const char *const names[2], int *moved_r, struct err *e)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (file_rename_new(q->tmp, names[i], q->ready, names[i]) == -1)
			return err_sys(e, ERR_LOCAL,
			    "%s/queue/%s: cannot place", q->path, names[i]);
		*moved_r = i + 1;
	}
	return file_sync(q->ready, "queue", e);
}

/* Takes back what was placed, the .env first: it is what makes a message. That
 * is made durable, if it can be, as the caller will say that it failed. */
static void
take_back(struct queue *q, const char *const names[2], int moved)
{
	struct err ignored = {0};
	int i;

	for (i = 1; i >= 0; i--)
		unlinkat(moved > i ? q->ready : q->tmp, names[i], 0);
	if (moved > 0)
		(void)file_sync(q->ready, "queue", &ignored);
}

int
queue_commit(struct queue_draft *d, const struct envelope *env, struct err *e)
{
	char eml[QUEUE_NAME], envelope[QUEUE_NAME];
	const char *const names[2] = {eml, envelope};
	int fd = -1, moved = 0, rv;

	queue_name(eml, d->id, ".eml");
	queue_name(envelope, d->id, ".env");
	rv = file_sync(d->fd, eml, e);
	if (rv == 0)
		rv = write_envelope(d, envelope, env, &fd, e);
	if (rv == 0)
		rv = place(d->queue, names, &moved, e);
	if (rv == -1)
		take_back(d->queue, names, moved);
	if (fd != -1)
		close(fd);
	close(d->fd);
	d->fd = -1;
	queue_abandon(d);
	return rv;
}

/* --- what is there ---------------------------------------------------- */

/* "ID.env" with such a suffix. */
static bool
is_named(const char *name, const char *suffix, char id[QUEUE_ID])
{
	size_t n = strspn(name, "0123456789abcdef-");

	if (n == 0 || n >= QUEUE_ID || strcmp(name + n, suffix) != 0)
		return false;
	snprintf(id, QUEUE_ID, "%.*s", (int)n, name);
	return true;
}

/* A directory's walk of its own, from its begin; NULL with errno. */
static DIR *
walk(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;

	if (d == NULL && fd != -1)
		close(fd);
	return d;
}

static void
sweep_tmp(struct queue *q)
{
	struct dirent *entry;
	DIR *d = walk(q->tmp);

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(q->tmp, entry->d_name, 0);
	closedir(d);
}

/* A body whose .env is in the other folder: the move was cut off. */
static void
follow(int from, int to, const char *name)
{
	if (file_rename_new(from, name, to, name) == -1 && errno == EEXIST)
		unlinkat(from, name, 0);
}

static void
sweep_bodies(int dir, int other)
{
	struct dirent *entry;
	char id[QUEUE_ID];
	DIR *d = walk(dir);

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		if (!is_named(entry->d_name, ".eml", id) ||
		    queue_has(dir, id, ".env"))
			continue;
		if (queue_has(other, id, ".env"))
			follow(dir, other, entry->d_name);
		else
			unlinkat(dir, entry->d_name, 0);
	}
	closedir(d);
}

void
queue_tidy(struct queue *q)
{
	struct err ignored = {0};
	int lock;

	/* Who moves a message between the two has the lock shared, too. */
	if (queue_lock(q, false, false, &lock, &ignored) == -1)
		return;
	sweep_tmp(q);
	sweep_bodies(q->ready, q->failed);
	sweep_bodies(q->failed, q->ready);
	close(lock);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
queue_ids(struct queue *q, bool failed, struct words *ids, struct err *e)
{
	const char *name = failed ? "failed" : "queue";
	size_t before = ids->n;
	struct dirent *entry;
	char id[QUEUE_ID];
	DIR *d = walk(failed ? q->failed : q->ready);
	int rv = 0;

	if (d == NULL)
		return err_sys(e, ERR_LOCAL, "%s/%s", q->path, name);
	while (errno = 0, (entry = readdir(d)) != NULL)
		if (is_named(entry->d_name, ".env", id))
			words_add(ids, id);
	if (errno != 0)
		rv = err_sys(e, ERR_LOCAL, "%s/%s: cannot read", q->path, name);
	closedir(d);
	if (ids->n > before)
		qsort(
		    ids->v + before, ids->n - before, sizeof(*ids->v), by_name);
	return rv;
}

/*
 * The first of them that begins so; 0 for none; -1 when another one does, too.
 * (One that is just being moved may stand there twice.)
 */
static int
matching(const struct words *ids, const char *prefix, size_t *at_r)
{
	size_t i, n = strlen(prefix);
	int found = 0;

	for (i = 0; i < ids->n && n > 0; i++) {
		if (strncmp(ids->v[i], prefix, n) != 0)
			continue;
		if (found && strcmp(ids->v[i], ids->v[*at_r]) != 0)
			return -1;
		if (!found)
			*at_r = i;
		found = 1;
	}
	return found;
}

int
queue_find(struct queue *q, const char *prefix, char id_r[QUEUE_ID],
    bool *failed_r, struct err *e)
{
	struct words ids;
	size_t at = 0, ready = 0;
	int rv, found = 0;

	words_init(&ids);
	rv = queue_ids(q, false, &ids, e);
	ready = ids.n;
	if (rv == 0)
		rv = queue_ids(q, true, &ids, e);
	if (rv == 0 && (found = matching(&ids, prefix, &at)) != 1)
		rv = err_code(e, ERR_CONFIG, EX_USAGE,
		    found == 0 ? "no message '%s' in the queue (--list shows "
				 "what is there)"
			       : "'%s' is the begin of several messages' IDs: "
				 "give more of it",
		    prefix);
	if (rv == 0) {
		strlcpy(id_r, ids.v[at], QUEUE_ID);
		*failed_r = at >= ready;
	}
	words_clear(&ids);
	return rv;
}
