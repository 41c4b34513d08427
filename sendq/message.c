/*
 * A message of the queue: opened under its lock, read and appended to, and in
 * the end moved or removed. Every step leaves behind what the next run can go
 * on from.
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"
#include "queue_parts.h"

static int64_t
now(void)
{
	return clock_wall_us() / 1000000;
}

static int
home(const struct message *m)
{
	return m->failed ? m->queue->failed : m->queue->ready;
}

static int
fails(struct err *e, const struct message *m, const char *suffix,
    const char *what)
{
	return err_sys(e, ERR_LOCAL, "%s/%s/%s%s: cannot %s", m->queue->path,
	    m->failed ? "failed" : "queue", m->id, suffix, what);
}

/* --- opening ---------------------------------------------------------- */

/* Whether the name is still that file's: else it was moved or removed before
 * we had the lock. */
static bool
is_named_so(const struct message *m, const char *name)
{
	struct stat ours, named;

	return fstat(m->env_fd, &ours) == 0 &&
	       fstatat(home(m), name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* 1: it is ours; 0: it is gone, or taken (*busy_r); -1. */
static int
take(struct message *m, enum queue_hold hold, const char *name, bool *busy_r,
    struct err *e)
{
	int got;

	if (hold == QUEUE_LOOK)
		return 1;
	got = lock_fd(m->env_fd, false, hold == QUEUE_WAIT);
	if (got == -1)
		return fails(e, m, ".env", "lock");
	if (got == 0) {
		*busy_r = true;
		return 0;
	}
	m->locked = true;
	return is_named_so(m, name) ? 1 : 0;
}

static bool
is_settled(const struct envelope *env)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == RCPT_SENT ||
		    env->rcpts[i].state == RCPT_FAILED)
			return true;
	return false;
}

static int
read_envelope(struct message *m, struct err *e)
{
	struct span s;
	struct buf text;
	int rv;

	buf_init(&text, QUEUE_ENVELOPE_MAX);
	rv = file_read_fd(m->env_fd, m->id, &text, e);
	s = buf_span(&text);
	if (rv == 0) {
		m->torn = s.n > 0 && s.p[s.n - 1] != '\n';
		if (envelope_parse(s, &m->env, e) == -1)
			rv = err_prefix(e, "%s/%s/%s.env", m->queue->path,
			    m->failed ? "failed" : "queue", m->id);
		m->settled = rv == 0 && is_settled(&m->env);
	}
	buf_clear(&text);
	return rv;
}

int
message_open(struct queue *q, const char *id, bool failed, enum queue_hold hold,
    struct message *m, bool *busy_r, struct err *e)
{
	char name[QUEUE_NAME];
	bool busy = false;
	int rv;

	*m = (struct message){
	    .queue = q, .failed = failed, .env_fd = -1, .eml_fd = -1};
	envelope_init(&m->env);
	strlcpy(m->id, id, sizeof(m->id));
	queue_name(name, id, ".env");
	m->env_fd = openat(home(m), name,
	    (hold == QUEUE_LOOK ? O_RDONLY : O_RDWR | O_APPEND) | O_CLOEXEC);
	if (m->env_fd == -1)
		rv = errno == ENOENT ? 0 : fails(e, m, ".env", "open");
	else
		rv = take(m, hold, name, &busy, e);
	if (rv == 1 && read_envelope(m, e) == -1)
		rv = -1;
	if (rv != 1)
		message_close(m);
	if (busy_r != NULL)
		*busy_r = busy;
	return rv;
}

void
message_close(struct message *m)
{
	if (m->eml_fd != -1)
		close(m->eml_fd);
	if (m->env_fd != -1)
		close(m->env_fd);
	m->env_fd = m->eml_fd = -1;
	m->locked = false;
	envelope_clear(&m->env);
}

/* It may be in the other folder, when a crash came while it was moved. */
int
message_body(struct message *m, struct err *e)
{
	int dirs[2] = {home(m), m->failed ? m->queue->ready : m->queue->failed};
	char name[QUEUE_NAME];
	int i;

	if (m->eml_fd != -1)
		return lseek(m->eml_fd, 0, SEEK_SET) == 0
		           ? 0
		           : fails(e, m, ".eml", "read");
	queue_name(name, m->id, ".eml");
	for (i = 0; i < 2 && m->eml_fd == -1; i++)
		m->eml_fd = openat(dirs[i], name, O_RDONLY | O_CLOEXEC);
	return m->eml_fd != -1 ? 0 : fails(e, m, ".eml", "open");
}

/* --- its history ------------------------------------------------------ */

static int
must_be_locked(const struct message *m, struct err *e)
{
	if (m->locked)
		return 0;
	return err_code(
	    e, ERR_LOCAL, EX_SOFTWARE, "%s: changed without its lock", m->id);
}

/*
 * All of the text or nothing: what was written of it when it failed is cut off
 * again, or at least ended by the next.
 */
static int
append(struct message *m, struct span text, struct err *e)
{
	off_t size = lseek(m->env_fd, 0, SEEK_END);

	if (size == -1)
		return fails(e, m, ".env", "append to");
	if (m->torn && file_write(m->env_fd, "\n", 1, m->id, e) == -1)
		return -1;
	m->dirty = true;
	if (file_write(m->env_fd, text.p, text.n, m->id, e) == 0) {
		m->torn = false;
		return 0;
	}
	/* Back at a torn line's end, it is as torn as before. */
	if (ftruncate(m->env_fd, size) == -1)
		m->torn = true;
	return -1;
}

int
message_append(struct message *m, const struct history *event, struct err *e)
{
	struct history h = *event;
	struct buf line;
	int rv = must_be_locked(m, e);

	buf_init(&line, QUEUE_ENVELOPE_MAX);
	h.time = now();
	if (rv == 0 && history_format(&h, &line) == -1)
		rv = err_code(e, ERR_LOCAL, EX_SOFTWARE,
		    "%s: history line too long", m->id);
	if (rv == 0)
		rv = append(m, buf_span(&line), e);
	if (rv == 0) {
		envelope_apply(&m->env, &h);
		m->changed = true;
	}
	buf_clear(&line);
	return rv;
}

int
message_note(struct message *m, enum event event, const struct uidset *rcpts,
    int64_t at, const char *text, struct err *e)
{
	struct history h = {.event = event, .at = at, .text = span_of(text)};

	if (rcpts != NULL)
		h.rcpts = *rcpts;
	return message_append(m, &h, e);
}

int
message_reserve(struct message *m, size_t n, struct err *e)
{
	off_t size = lseek(m->env_fd, 0, SEEK_END);

	if (size != -1 &&
	    (fallocate(m->env_fd, FALLOC_FL_KEEP_SIZE, size, (off_t)n) == 0 ||
		errno == EOPNOTSUPP || errno == ENOSYS))
		return 0;
	return fails(e, m, ".env", "reserve room");
}

void
message_start_sync(struct message *m)
{
#ifdef SYNC_FILE_RANGE_WRITE
	/* Only a hint; message_sync() is what counts. */
	if (m->dirty)
		(void)sync_file_range(m->env_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#else
	(void)m;
#endif
}

int
message_sync(struct message *m, struct err *e)
{
	if (m->dirty && file_sync(m->env_fd, m->id, e) == -1)
		return -1;
	m->dirty = false;
	return 0;
}

/* --- its end ---------------------------------------------------------- */

/* Whether both folders have that name for one file, as a power cut may leave
 * it: the new name was durable, and the end of the old one was not. */
static bool
is_in_both(const struct message *m, const char *name, int to)
{
	struct stat a, b;

	return fstatat(home(m), name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(to, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int
move_file(struct message *m, const char *suffix, int to, struct err *e)
{
	char name[QUEUE_NAME];

	queue_name(name, m->id, suffix);
	if (file_rename_new(home(m), name, to, name) == 0)
		return 0;
	/* A crash came between the two: the body is there already. */
	if (errno == ENOENT && queue_has(to, m->id, suffix))
		return 0;
	if (errno == EEXIST && is_in_both(m, name, to) &&
	    unlinkat(home(m), name, 0) == 0)
		return 0;
	return fails(e, m, suffix, "move");
}

/*
 * To the other folder: .eml, then .env. The spool's lock keeps away who would
 * take the body for an orphan.
 */
static int
move(struct message *m, struct err *e)
{
	int from = home(m);
	int to = m->failed ? m->queue->ready : m->queue->failed;
	int lock, rv;

	if (queue_lock(m->queue, true, true, &lock, e) == -1)
		return -1;
	rv = move_file(m, ".eml", to, e);
	if (rv == 0)
		rv = file_sync(to, m->id, e);
	if (rv == 0)
		rv = move_file(m, ".env", to, e);
	if (rv == 0) {
		m->failed = !m->failed;
		rv = file_sync(to, m->id, e);
	}
	if (rv == 0)
		rv = file_sync(from, m->id, e);
	close(lock);
	return rv;
}

/* A power cut may have left it in both folders. */
static int
erase_env(struct message *m, int dir, bool durable, struct err *e)
{
	char name[QUEUE_NAME];

	queue_name(name, m->id, ".env");
	if (unlinkat(dir, name, 0) == -1)
		return errno == ENOENT ? 0 : fails(e, m, ".env", "remove");
	return durable ? file_sync(dir, m->id, e) : 0;
}

/*
 * The .env first: without it the rest is nothing. The report's turn is last,
 * as the sender may not have seen it while it was all that was left.
 */
static int
erase(struct message *m, bool durable, struct err *e)
{
	char name[QUEUE_NAME];

	if (erase_env(m, m->queue->failed, durable, e) == -1 ||
	    erase_env(m, m->queue->ready, durable, e) == -1)
		return -1;
	queue_name(name, m->id, ".eml");
	unlinkat(m->queue->ready, name, 0);
	unlinkat(m->queue->failed, name, 0);
	queue_name(name, m->id, ".report");
	unlinkat(m->queue->failed, name, 0);
	return 0;
}

static bool
has_failed(const struct envelope *env)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == RCPT_FAILED)
			return true;
	return false;
}

static int
record(struct message *const *list, size_t n, bool removed, struct err *e)
{
	struct ledger l;
	size_t i;
	int rv = ledger_open(&l, list[0]->queue, e);

	if (rv == -1)
		return -1;
	for (i = 0; i < n && rv == 0; i++)
		rv = ledger_add(&l, list[i], removed, e);
	if (rv == 0)
		rv = ledger_sync(&l, e);
	ledger_close(&l);
	return rv;
}

/*
 * That the names are gone need not be durable: a message that comes back by a
 * power cut knows that it is over.
 */
int
message_finish(struct message *const *list, size_t n, struct err *e)
{
	size_t i;
	int rv = 0;

	for (i = 0; i < n && rv == 0; i++) {
		rv = must_be_locked(list[i], e);
		if (rv == 0)
			rv = message_sync(list[i], e);
	}
	if (rv == 0 && n > 0)
		rv = record(list, n, false, e);
	for (i = 0; i < n && rv == 0; i++) {
		if (!has_failed(&list[i]->env))
			rv = erase(list[i], false, e);
		else if (!list[i]->failed)
			rv = move(list[i], e);
	}
	return rv;
}

int
message_remove(struct message *m, struct err *e)
{
	struct err ignored = {0};

	if (must_be_locked(m, e) == -1)
		return -1;
	/* On a disk that is full, room must be made without a line about it. */
	(void)record(&m, 1, true, &ignored);
	return erase(m, true, e);
}

int
message_requeue(struct message *m, int64_t at, struct err *e)
{
	if (message_note(m, EVENT_RETRY, NULL, at, NULL, e) == -1 ||
	    message_sync(m, e) == -1)
		return -1;
	return m->failed ? move(m, e) : 0;
}
