/*
 * SQLite, as the tools use it: one file, prepared statements, transactions
 * that are durable when committed, and a damaged file that is set aside
 * rather than trusted.
 */

#include "os/store.h"

#include <sqlite3.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <sha2.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/log.h"

struct store {
	sqlite3 *db;  /* owned */
	char *path;   /* owned */
	bool open;    /* it looked sound */
	bool damaged; /* and was not */
};

struct query {
	sqlite3_stmt *stmt;  /* owned */
	struct store *store; /* borrowed */
};

/* --- where it is --------------------------------------------------------- */

int
store_path(const char *tool, const char *name, char **path_r, struct err *e)
{
	struct buf file;
	char *dir;

	if (file_state_dir(tool, &dir, e) == -1)
		return -1;
	buf_init(&file, 1024);
	enc_percent(&file, span_of(name));
	*path_r = mem_printf("%s/%s.db", dir, buf_cstr(&file));
	buf_clear(&file);
	free(dir);
	return 0;
}

char *
store_name(struct span description)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];

	SHA256Data((const uint8_t *)description.p, description.n, hex);
	return mem_printf("url-%.16s", hex);
}

/* --- opening ------------------------------------------------------------- */

/*
 * Why a system call of SQLite's failed: a full disk is to be told from a bad
 * one.  sqlite3_system_errno() is only what the cleaning up behind the failure
 * left; so a look at its log, and, as it tries to open for reading next, at
 * open(2).
 */
static int last_errno;

static void
note_error(void *unused, int rc, const char *text)
{
	(void)unused;
	(void)text;
	if ((rc & 0xff) == SQLITE_IOERR)
		last_errno = errno;
}

static int
note_open(const char *path, int flags, int mode)
{
	int fd = open(path, flags, mode);

	if (fd == -1 && (flags & O_CREAT) != 0)
		last_errno = errno;
	return fd;
}

static void
watch_errors(void)
{
	sqlite3_vfs *vfs;

	last_errno = 0;
	/* Refused, without harm, once SQLite is in use. */
	(void)sqlite3_config(SQLITE_CONFIG_LOG, note_error, NULL);
	vfs = sqlite3_vfs_find(NULL);
	if (vfs != NULL && vfs->iVersion >= 3)
		(void)vfs->xSetSystemCall(
		    vfs, "open", (sqlite3_syscall_ptr)note_open);
}

static void
set_aside(const char *path)
{
	static const char *const tails[] = {"", "-wal", "-shm"};
	char *from, *to;
	size_t i;

	for (i = 0; i < 3; i++) {
		from = mem_printf("%s%s", path, tails[i]);
		to = mem_printf(
		    "%s.damaged-%lld%s", path, (long long)time(NULL), tails[i]);
		(void)rename(from, to);
		free(from);
		free(to);
	}
	log_warn("%s: damaged; set aside as %s.damaged-*, beginning anew", path,
	    path);
}

static bool
is_damage(struct store *s)
{
	int rc = sqlite3_errcode(s->db) & 0xff;

	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

/* What a look at the file when it was opened did not show. */
static int
found_damage(struct store *s, struct err *e)
{
	if (!s->damaged)
		set_aside(s->path);
	s->damaged = true;
	return err_set(e, ERR_TEMP,
	    "%s: damaged, and set aside; the next run begins anew", s->path);
}

static int
failed(struct store *s, struct err *e)
{
	int rc = sqlite3_errcode(s->db) & 0xff, saved = last_errno;

	last_errno = 0;
	if (saved != 0 && (rc == SQLITE_IOERR || rc == SQLITE_CANTOPEN)) {
		errno = saved;
		return err_sys(
		    e, ERR_LOCAL, "%s: %s", s->path, sqlite3_errmsg(s->db));
	}
	err_set(e, ERR_LOCAL, "%s: %s", s->path, sqlite3_errmsg(s->db));
	if (rc == SQLITE_FULL)
		e->code = EX_TEMPFAIL;
	else if (rc == SQLITE_BUSY)
		e->kind = ERR_TEMP;
	else if (s->open && is_damage(s))
		return found_damage(s, e);
	return -1;
}

static int
exec(struct store *s, const char *sql, struct err *e)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return failed(s, e);
	return 0;
}

/* The single value of a query that gives one row, as text or number. */
static int
pragma_int(struct store *s, const char *sql, int64_t *v_r)
{
	sqlite3_stmt *st;
	int rv = -1;

	if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if (sqlite3_step(st) == SQLITE_ROW) {
		*v_r = sqlite3_column_int64(st, 0);
		rv = 0;
	}
	sqlite3_finalize(st);
	return rv;
}

static bool
is_sound(struct store *s, const char *pragma)
{
	sqlite3_stmt *st;
	bool sound = false;

	if (sqlite3_prepare_v2(s->db, pragma, -1, &st, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(st) == SQLITE_ROW) {
		const unsigned char *t = sqlite3_column_text(st, 0);

		sound = t != NULL && strcmp((const char *)t, "ok") == 0;
	}
	sqlite3_finalize(st);
	return sound;
}

static int
migrate(struct store *s, const char *const *migrations, int n, struct err *e)
{
	char set[64];
	int64_t have = 0;
	int k;

	if (pragma_int(s, "PRAGMA user_version", &have) == -1)
		return failed(s, e);
	if (have > n)
		return err_set(e, ERR_CONFIG,
		    "%s: written by a newer version "
		    "(schema %lld, this program knows %d)",
		    s->path, (long long)have, n);
	for (k = (int)have; k < n; k++) {
		snprintf(set, sizeof(set), "PRAGMA user_version = %d", k + 1);
		if (exec(s, "BEGIN IMMEDIATE", e) == -1)
			return -1;
		if (exec(s, migrations[k], e) == -1 || exec(s, set, e) == -1 ||
		    exec(s, "COMMIT", e) == -1) {
			store_rollback(s);
			return -1;
		}
	}
	return 0;
}

/* What makes a commit durable, keeps temporary files out of /tmp, and, as
 * store_lock() lets nobody else in, does without a file of shared memory. */
static const char setup[] = "PRAGMA locking_mode = EXCLUSIVE;PRAGMA "
			    "journal_mode = WAL;"
			    "PRAGMA synchronous = FULL;PRAGMA temp_store = "
			    "MEMORY;PRAGMA cache_size = -1024;PRAGMA "
			    "busy_timeout = 5000;";

/* The log is emptied when the store is closed and stays: to make one and to
 * remove it at each run would be most of what a run writes. */
static void
keep_log(struct store *s)
{
	int yes = 1;

	(void)sqlite3_file_control(
	    s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &yes);
}

/* Whether it was not closed: killed, or without power. */
static bool
is_unclean(const char *path)
{
	char *wal = mem_printf("%s-wal", path);
	struct stat st;
	bool yes = stat(wal, &st) == 0 && st.st_size > 0;

	free(wal);
	return yes;
}

/* 0, or -1; *damaged_r when a new file should be begun. */
static int
try_open(struct store *s, bool unclean, bool *damaged_r, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	*damaged_r = false;
	watch_errors();
	if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
		return failed(s, e);
	/* The schema is read, too: queries are made from it. */
	if (exec(s, setup, e) == -1 ||
	    exec(s, "SELECT 1 FROM sqlite_schema LIMIT 1", e) == -1) {
		*damaged_r = is_damage(s);
		return -1;
	}
	keep_log(s);
	if (unclean && !is_sound(s, "PRAGMA quick_check(1)")) {
		*damaged_r = true;
		return err_set(e, ERR_LOCAL, "%s: damaged", s->path);
	}
	return 0;
}

int
store_open(const char *path, const char *const *migrations, int n,
    enum store_found *found_r, struct store **store_r, struct err *e)
{
	struct store *s = mem_alloc(sizeof(*s));
	bool damaged, unclean = is_unclean(path);
	int rv;

	s->path = mem_strdup(path);
	*found_r = access(path, F_OK) == -1 ? STORE_NEW : STORE_FOUND;
	rv = try_open(s, unclean, &damaged, e);
	if (rv == -1 && damaged) {
		sqlite3_close(s->db);
		set_aside(path);
		*found_r = STORE_DAMAGED;
		rv = try_open(s, false, &damaged, e);
	}
	s->open = rv == 0;
	if (rv == 0)
		rv = migrate(s, migrations, n, e);
	if (rv == -1) {
		store_close(s);
		return -1;
	}
	*store_r = s;
	return 0;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	(void)sqlite3_exec(
	    s->db, "PRAGMA journal_size_limit = 0", NULL, NULL, NULL);
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

bool
store_is_damaged(const struct store *s)
{
	return s->damaged;
}

int
store_check(struct store *s, struct err *e)
{
	return is_sound(s, "PRAGMA integrity_check(1)") ? 0
	                                                : found_damage(s, e);
}

int
store_distrust(struct store *s, struct err *e)
{
	return found_damage(s, e);
}

int
store_lock(const char *path, bool wait, int *fd_r, struct err *e)
{
	char *copy = mem_strdup(path), *lock;
	int rv = file_mkdirs(dirname(copy), e);

	free(copy);
	if (rv == -1)
		return -1;
	lock = mem_printf("%s.lock", path);
	rv = lock_take(lock, wait, fd_r, e);
	free(lock);
	return rv;
}

int
store_begin(struct store *s, struct err *e)
{
	return exec(s, "BEGIN IMMEDIATE", e);
}

int
store_commit(struct store *s, struct err *e)
{
	if (exec(s, "COMMIT", e) == -1) {
		store_rollback(s);
		return -1;
	}
	return 0;
}

void
store_rollback(struct store *s)
{
	if (sqlite3_get_autocommit(s->db) == 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

struct query *
query_new(struct store *s, const char *sql)
{
	struct query *q = mem_alloc(sizeof(*q));

	q->store = s;
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
		&q->stmt, NULL) != SQLITE_OK) {
		log_error("%s: %s in: %s", s->path, sqlite3_errmsg(s->db), sql);
		exit(EX_SOFTWARE);
	}
	return q;
}

void
query_free(struct query *q)
{
	if (q == NULL)
		return;
	sqlite3_finalize(q->stmt);
	free(q);
}

void
query_int(struct query *q, int at, int64_t v)
{
	sqlite3_bind_int64(q->stmt, at, v);
}

void
query_text(struct query *q, int at, struct span s)
{
	sqlite3_bind_text(
	    q->stmt, at, s.n > 0 ? s.p : "", (int)s.n, SQLITE_TRANSIENT);
}

void
query_blob(struct query *q, int at, struct span s)
{
	sqlite3_bind_blob(
	    q->stmt, at, s.n > 0 ? s.p : "", (int)s.n, SQLITE_TRANSIENT);
}

void
query_reset(struct query *q)
{
	sqlite3_reset(q->stmt);
	sqlite3_clear_bindings(q->stmt);
}

int
query_step(struct query *q, struct err *e)
{
	int rc = sqlite3_step(q->stmt);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		failed(q->store, e);
	query_reset(q);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
query_run(struct query *q, struct err *e)
{
	int rc;

	while ((rc = query_step(q, e)) == 1)
		;
	return rc;
}

int
query_only(struct query *q, struct err *e)
{
	int rv = query_step(q, e);

	return rv == 1 ? 0 : rv == 0 ? store_distrust(q->store, e) : -1;
}

int64_t
query_get_int(struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

bool
query_is_int(struct query *q, int column)
{
	return sqlite3_column_type(q->stmt, column) == SQLITE_INTEGER;
}

struct span
query_get_text(struct query *q, int column)
{
	const void *t = sqlite3_column_text(q->stmt, column);

	return span_bytes(t, (size_t)sqlite3_column_bytes(q->stmt, column));
}
