#ifndef OS_STORE_H
#define OS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/*
 * The state of an account: one SQLite file (WAL, synchronous=FULL: what
 * store_commit() has returned for is durable).  The only place that knows
 * SQLite.  Errors are ERR_LOCAL with the file's name; a full disk is 75.
 */
struct store;
struct query;

enum store_found {
	STORE_FOUND,
	STORE_NEW,     /* there was none */
	STORE_DAMAGED, /* it was set aside */
};

/*
 * Where the state of one of a tool's sections is: NAME.db, percent-encoded, in
 * file_state_dir(); owned by the caller.  As that.
 */
int store_path(const char *tool, const char *name, char **path_r, struct err *);

/*
 * A name for the state of what no section describes: "url-" and a digest of
 * all that makes it what it is, the URL and where its mail goes.  Owned by the
 * caller.
 */
char *store_name(struct span description);

/*
 * Opens or creates the file and brings it to the newest schema: migrations[k]
 * (SQL, may hold several statements) lifts user_version k to k + 1; n of them.
 * The directory must exist.  After an unclean exit the file's integrity is
 * checked; a damaged file is moved aside to PATH.damaged-SECONDS and a
 * new one begun.  Damage that shows later ends with ERR_TEMP what met it: the
 * file is moved aside then, and a new one is begun by the next opening.  A file from a newer version is ERR_CONFIG.
 */
int store_open(const char *path, const char *const *migrations, int n,
    enum store_found *found_r, struct store **store_r, struct err *);

/*
 * Sees to it that only one works with that file: makes its directory, and takes
 * the lock PATH.lock as lock_take() does.
 */
int store_lock(const char *path, bool wait, int *fd_r, struct err *);

/* Whether damage was met; then nothing more is kept. */
bool store_is_damaged(const struct store *);

/* Looks over the whole file: 0, or -1, with damage. */
int store_check(struct store *, struct err *);

/* What was read contradicts itself: damage, as if SQLite had met it.  -1. */
int store_distrust(struct store *, struct err *);

/* Closes; a clean close checkpoints, and empties the log (PATH-wal). */
void store_close(struct store *);

/* One transaction at a time. */
int store_begin(struct store *, struct err *);
int store_commit(struct store *, struct err *); /* durable when it returns 0 */
void store_rollback(struct store *);

/*
 * A prepared statement, made once at opening; a mistake in the SQL ends the
 * program (EX_SOFTWARE).  Owned by the caller.  Parameters are ?1, ?2, ...
 */
struct query *query_new(struct store *, const char *sql);
void query_free(struct query *);
void query_int(struct query *, int at, int64_t);
void query_text(struct query *, int at, struct span); /* copied */
void query_blob(struct query *, int at, struct span); /* copied */

/*
 * 1: a row; 0: done (and reset, bindings cleared); -1: error (and reset).
 * After a row that is not read to the end, query_reset().
 */
int query_step(struct query *, struct err *);
int query_run(struct query *, struct err *); /* step until done: 0 or -1 */
/* 0: the row that every such file has, to be read and then reset; -1, also when
 * it is not there: damage, as in store_distrust(). */
int query_only(struct query *, struct err *);
void query_reset(struct query *);

/* Columns of the current row, from 0; text (of a blob: its bytes) is borrowed
 * until the next step. */
int64_t query_get_int(struct query *, int column);
bool query_is_int(struct query *, int column);
struct span query_get_text(struct query *, int column);

#endif
