/*
 * What was fetched, and what is on its way into a Maildir: the state of a
 * fetch section, as rows.
 */

#include "seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/clock.h"

#define GONE_DAYS 90

static const char *const migrations[] = {
    "CREATE TABLE folder ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " uidvalidity INTEGER NOT NULL DEFAULT 0,"
    " next INTEGER NOT NULL DEFAULT 1);"
    "CREATE TABLE msg ("
    " folder INTEGER NOT NULL, uid NOT NULL, digest TEXT NOT NULL,"
    " size INTEGER NOT NULL,"
    " status INTEGER NOT NULL, since INTEGER NOT NULL,"
    " gone INTEGER NOT NULL DEFAULT 0,"
    /* The key's columns come first: SQLite 3.40 takes such a table for
     * damaged otherwise. */
    " PRIMARY KEY (folder, uid, digest, size)) WITHOUT ROWID;"
    "CREATE TABLE placing ("
    " dest TEXT NOT NULL, name TEXT NOT NULL, mbox INTEGER NOT NULL,"
    " at INTEGER NOT NULL, length INTEGER NOT NULL, since INTEGER NOT NULL,"
    " folder INTEGER NOT NULL, uid NOT NULL, digest TEXT NOT NULL,"
    " PRIMARY KEY (dest, name)) WITHOUT ROWID;"
    "CREATE TABLE part ("
    " folder INTEGER NOT NULL, uid NOT NULL, digest TEXT NOT NULL,"
    " dest TEXT NOT NULL,"
    " PRIMARY KEY (folder, uid, digest, dest)) WITHOUT ROWID;"
    /* origin: enum seen_origin */
    "CREATE TABLE self (tag INTEGER NOT NULL, origin INTEGER NOT NULL);"
    "INSERT INTO self VALUES (abs(random()) % 4294967296, 1);",
};

/* Order of the statements below. */
enum {
	Q_FOLDER_ADD,
	Q_FOLDER_GET,
	Q_ORPHAN,
	Q_FOLDER_SET,
	Q_GET,
	Q_GET_DIGEST,
	Q_PUT,
	Q_DOUBT,
	Q_SAME,
	Q_GONE,
	Q_FORGET,
	Q_FORGET_DIGEST,
	Q_FIND,
	Q_REKEY_DELETE,
	Q_REKEY_READ,
	Q_COUNT,
	Q_PRESENT,
	Q_NEXT,
	Q_FORGET_ALL,
	Q_LIST_MAKE,
	Q_LIST_CLEAR,
	Q_LISTED,
	Q_LIST_BACK,
	Q_LIST_GONE,
	Q_LIST_PRUNE,
	Q_PLACING,
	Q_PLACINGS,
	Q_PLACING_CLEAR,
	Q_PART,
	Q_HAS_PART,
	Q_PART_CLEAR,
	Q_SELF,
	Q_ORIGIN,
	Q_ASIDE,
	Q_DROP_ASIDE,
	Q_N
};

/* Rows whose message may be there under another key.  One that is listed under
 * its own is a message that only has the same header; what failed or was too
 * large is not here. */
#define LOST                                          \
	" WHERE digest = ?1 AND status NOT IN (3, 4)" \
	" AND (folder IN (-?2, 0) OR folder = ?2"     \
	" AND typeof(uid) = 'text'"                   \
	" AND uid NOT IN (SELECT l.uid FROM temp.listed AS l))"

static const char *const sql[Q_N] = {
    [Q_FOLDER_ADD] = "INSERT OR IGNORE INTO folder (name) VALUES (?1)",
    /* Folder 0 and those below have no row. */
    [Q_ORPHAN] = "SELECT 1 FROM msg WHERE folder > 0"
		 " AND folder NOT IN (SELECT id FROM folder) LIMIT 1",
    [Q_FOLDER_GET] = "SELECT id, uidvalidity, next FROM folder WHERE name = ?1",
    [Q_FOLDER_SET] =
	"UPDATE folder SET uidvalidity = ?2, next = ?3 WHERE id = ?1",
    [Q_GET] = "SELECT status, since FROM msg WHERE folder = ?1 AND uid = ?2",
    [Q_GET_DIGEST] = "SELECT status, since FROM msg"
		     " WHERE folder = ?1 AND digest = ?2"
		     " AND (size = ?3 OR size = 0 OR ?3 = 0)",
    [Q_PUT] = "INSERT OR REPLACE INTO msg"
	      " (folder, uid, digest, status, since, size)"
	      " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [Q_DOUBT] = "SELECT 1 FROM msg WHERE folder = ?1 AND uid = ?2"
		" AND (gone > 0 OR (size <> ?3 AND size <> 0 AND ?3 <> 0))",
    [Q_SAME] = "SELECT 1 FROM msg"
	       " WHERE folder = ?1 AND uid = ?2 AND digest = ?3",
    [Q_GONE] = "UPDATE msg SET gone = ?4 WHERE folder = ?1 AND uid = ?2"
	       " AND (uid <> '' OR digest = ?3)",
    [Q_FORGET] = "DELETE FROM msg WHERE folder = ?1 AND uid = ?2",
    [Q_FORGET_DIGEST] = "DELETE FROM msg WHERE folder = ?1 AND digest = ?2",
    [Q_FIND] = "SELECT 1 FROM msg" LOST " LIMIT 1",
    [Q_REKEY_READ] = "SELECT folder, uid, status, since FROM msg" LOST
		     " ORDER BY folder = 0, folder LIMIT 1",
    [Q_REKEY_DELETE] =
	"DELETE FROM msg WHERE folder = ?1 AND uid = ?2 AND digest = ?3",
    [Q_COUNT] = "SELECT count(*) FROM msg"
		" WHERE folder = ?1 AND (?2 = 0 OR status = ?2)",
    [Q_PRESENT] = "SELECT count(*),"
		  " total(NOT (status = ?3 AND since <= ?2))"
		  " FROM msg WHERE folder = ?1 AND gone = 0",
    [Q_NEXT] = "SELECT uid FROM msg WHERE folder = ?1 AND uid > ?2"
	       " AND typeof(uid) = 'integer' AND status = ?3 AND since <= ?4"
	       " ORDER BY uid LIMIT 1",
    [Q_FORGET_ALL] = "DELETE FROM msg WHERE folder = ?1 AND status = ?2",
    [Q_LIST_MAKE] = "CREATE TEMP TABLE IF NOT EXISTS listed"
		    " (uid, digest, PRIMARY KEY (uid, digest)) WITHOUT ROWID",
    [Q_LIST_CLEAR] = "DELETE FROM temp.listed",
    [Q_LISTED] = "INSERT OR IGNORE INTO temp.listed VALUES (?1, ?2)",
    [Q_LIST_BACK] = "UPDATE msg SET gone = 0 WHERE folder = ?1 AND gone > 0"
		    " AND EXISTS (SELECT 1 FROM temp.listed AS l"
		    "  WHERE l.uid = msg.uid"
		    "  AND (l.digest = '' OR l.digest = msg.digest))",
    [Q_LIST_GONE] = "UPDATE msg SET gone = ?2 WHERE folder = ?1 AND gone = 0"
		    " AND NOT EXISTS (SELECT 1 FROM temp.listed AS l"
		    "  WHERE l.uid = msg.uid"
		    "  AND (l.digest = '' OR l.digest = msg.digest))",
    [Q_LIST_PRUNE] =
	"DELETE FROM msg WHERE folder = ?1 AND gone > 0 AND gone < ?2",
    [Q_PLACING] = "INSERT OR REPLACE INTO placing (dest, name, mbox, at,"
		  " length, since, folder, uid, digest)"
		  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_PLACINGS] = "SELECT dest, name, mbox, at, length, since, folder, uid,"
		   " digest, typeof(uid) = 'integer' FROM placing"
		   " ORDER BY dest, at, name",
    [Q_PLACING_CLEAR] = "DELETE FROM placing",
    [Q_PART] = "INSERT OR IGNORE INTO part (folder, uid, digest, dest)"
	       " VALUES (?1, ?2, ?3, ?4)",
    [Q_HAS_PART] = "SELECT 1 FROM part WHERE folder = ?1 AND uid = ?2"
		   " AND digest = ?3 AND dest = ?4",
    [Q_PART_CLEAR] =
	"DELETE FROM part WHERE folder = ?1 AND uid = ?2 AND digest = ?3",
    [Q_ORIGIN] = "UPDATE self SET origin = ?1",
    [Q_ASIDE] = "UPDATE OR REPLACE msg SET folder = -?1 WHERE folder = ?1",
    [Q_DROP_ASIDE] = "DELETE FROM msg WHERE folder = -?1",
    [Q_SELF] = "SELECT tag, origin FROM self",
};

struct seen {
	int depth;            /* of seen_begin() */
	bool indexed;         /* by digest: made when it is first needed */
	bool checked;         /* check_once() */
	struct store *store;  /* owned */
	struct query *q[Q_N]; /* owned */
};

static int
run1(struct query *q, int64_t value, struct err *e)
{
	query_int(q, 1, value);
	return query_run(q, e);
}

static int
read_origin(struct seen *s, enum store_found found, enum seen_origin *origin_r,
    struct err *e)
{
	if (found == STORE_DAMAGED &&
	    run1(s->q[Q_ORIGIN], SEEN_DAMAGED, e) == -1)
		return -1;
	if (query_only(s->q[Q_SELF], e) == -1)
		return -1;
	*origin_r = (enum seen_origin)query_get_int(s->q[Q_SELF], 1);
	query_reset(s->q[Q_SELF]);
	return 0;
}

bool
seen_is_damaged(const struct seen *s)
{
	return store_is_damaged(s->store);
}

/* `lost`: there was another, which was set aside. */
static int
open_once(const char *path, bool lost, enum seen_origin *origin_r,
    struct seen **seen_r, struct err *e)
{
	struct seen *s = mem_alloc(sizeof(*s));
	enum store_found found;
	struct query *make;
	int i, rv;

	*seen_r = s;
	if (store_open(path, migrations, 1, &found, &s->store, e) == -1)
		return -1;
	/* The temporary table must be there before what names it. */
	make = query_new(s->store, sql[Q_LIST_MAKE]);
	rv = query_run(make, e);
	query_free(make);
	for (i = 0; rv == 0 && i < Q_N; i++)
		s->q[i] = query_new(s->store, sql[i]);
	if (rv == 0)
		rv = read_origin(s, lost ? STORE_DAMAGED : found, origin_r, e);
	return rv;
}

int
seen_open(const char *path, enum seen_origin *origin_r, struct seen **seen_r,
    struct err *e)
{
	int rv = open_once(path, false, origin_r, seen_r, e);

	if (rv == -1 && (*seen_r)->store != NULL && seen_is_damaged(*seen_r)) {
		seen_close(*seen_r);
		rv = open_once(path, true, origin_r, seen_r, e);
	}
	if (rv == -1) {
		seen_close(*seen_r);
		*seen_r = NULL;
	}
	return rv;
}

int
seen_set_origin(struct seen *s, enum seen_origin origin, struct err *e)
{
	return run1(s->q[Q_ORIGIN], (int64_t)origin, e);
}

int
seen_set_aside(struct seen *s, int64_t folder, struct err *e)
{
	return run1(s->q[Q_ASIDE], folder, e);
}

int
seen_drop_aside(struct seen *s, int64_t folder, struct err *e)
{
	return run1(s->q[Q_DROP_ASIDE], folder, e);
}

void
seen_close(struct seen *s)
{
	int i;

	if (s == NULL)
		return;
	for (i = 0; i < Q_N; i++)
		query_free(s->q[i]);
	store_close(s->store);
	free(s);
}

int
seen_begin(struct seen *s, struct err *e)
{
	if (s->depth == 0 && store_begin(s->store, e) == -1)
		return -1;
	s->depth++;
	return 0;
}

int
seen_commit(struct seen *s, struct err *e)
{
	if (s->depth == 0)
		return err_set(e, ERR_LOCAL, "state: nothing to commit");
	return --s->depth == 0 ? store_commit(s->store, e) : 0;
}

void
seen_rollback(struct seen *s)
{
	s->depth = 0;
	store_rollback(s->store);
}

/* The end of a transaction in which `rv` came out. */
static int
conclude(struct seen *s, int rv, struct err *e)
{
	if (rv == 0)
		return seen_commit(s, e);
	seen_rollback(s);
	return -1;
}

int
seen_tag(struct seen *s, uint32_t *tag_r, struct err *e)
{
	if (query_only(s->q[Q_SELF], e) == -1)
		return -1;
	*tag_r = (uint32_t)query_get_int(s->q[Q_SELF], 0);
	query_reset(s->q[Q_SELF]);
	return 0;
}

static int64_t
now(void)
{
	return clock_wall_us() / 1000000;
}

static void
bind_uid(struct query *q, int at, const struct seen_key *k)
{
	if (k->number != 0)
		query_int(q, at, k->number);
	else
		query_text(q, at, k->uid);
}

static bool
by_digest(const struct seen_key *k)
{
	return k->number == 0 && k->uid.n == 0;
}

int
seen_anew(const char *path, struct seen *s, struct err *e)
{
	enum seen_origin origin;
	int rv;

	seen_close(s);
	rv = open_once(path, true, &origin, &s, e);
	seen_close(s);
	return rv;
}

/*
 * Damage may hide rows.  Of a POP3 message nothing but its row tells that it was
 * fetched, and of IMAP's nothing but that of their folder: so before the first
 * is taken for new, the state is looked over.
 */
static int
check_once(struct seen *s, struct err *e)
{
	int rv;

	if (s->checked)
		return seen_is_damaged(s) ? store_distrust(s->store, e) : 0;
	s->checked = true;
	if (store_check(s->store, e) == -1)
		return -1;
	rv = query_step(s->q[Q_ORPHAN], e);
	if (rv == 1)
		query_reset(s->q[Q_ORPHAN]);
	return rv == 1 ? store_distrust(s->store, e) : rv;
}

int
seen_folder(
    struct seen *s, const char *name, struct seen_folder *f, struct err *e)
{
	struct query *q = s->q[Q_FOLDER_GET];
	int rv;

	query_text(q, 1, span_of(name));
	rv = query_step(q, e);
	if (rv == 0) {
		if (check_once(s, e) == -1)
			return -1;
		query_text(s->q[Q_FOLDER_ADD], 1, span_of(name));
		if (query_run(s->q[Q_FOLDER_ADD], e) == -1)
			return -1;
		query_text(q, 1, span_of(name));
		rv = query_step(q, e);
	}
	if (rv != 1)
		return -1;
	f->id = query_get_int(q, 0);
	f->uidvalidity = (uint32_t)query_get_int(q, 1);
	f->next = (uint32_t)query_get_int(q, 2);
	query_reset(q);
	return 0;
}

int
seen_folder_set(struct seen *s, const struct seen_folder *f, struct err *e)
{
	struct query *q = s->q[Q_FOLDER_SET];

	query_int(q, 1, f->id);
	query_int(q, 2, f->uidvalidity);
	query_int(q, 3, f->next);
	return query_run(q, e);
}

int
seen_get(struct seen *s, const struct seen_key *k, enum seen_status *status_r,
    int64_t *since_r, struct err *e)
{
	struct query *q = s->q[by_digest(k) ? Q_GET_DIGEST : Q_GET];
	int rv;

	*status_r = SEEN_UNKNOWN;
	*since_r = 0;
	query_int(q, 1, k->folder);
	if (by_digest(k)) {
		query_text(q, 2, span_of(k->digest));
		query_int(q, 3, (int64_t)k->size);
	} else
		bind_uid(q, 2, k);
	rv = query_step(q, e);
	if (rv == 1) {
		*status_r = (enum seen_status)query_get_int(q, 0);
		*since_r = query_get_int(q, 1);
		query_reset(q);
	} else if (rv == 0 && k->number == 0)
		return check_once(s, e);
	return rv == -1 ? -1 : 0;
}

static int
forget_part(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[Q_PART_CLEAR];

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(by_digest(k) ? k->digest : ""));
	return query_run(q, e);
}

static int
put_row(struct seen *s, const struct seen_key *k, enum seen_status status,
    int64_t since, struct err *e)
{
	struct query *q = s->q[Q_PUT];

	/* A row of an earlier try (FAILED, SKIPPED) may have no digest. */
	if (!by_digest(k) && seen_forget(s, k, e) == -1)
		return -1;
	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(k->digest));
	query_int(q, 4, (int64_t)status);
	query_int(q, 5, since);
	query_int(q, 6, (int64_t)k->size);
	if (query_run(q, e) == -1)
		return -1;
	return status == SEEN_FETCHED ? forget_part(s, k, e) : 0;
}

/* At no time is there no row. */
static int
put(struct seen *s, const struct seen_key *k, enum seen_status status,
    int64_t since, struct err *e)
{
	if (seen_begin(s, e) == -1)
		return -1;
	return conclude(s, put_row(s, k, status, since, e), e);
}

int
seen_put(struct seen *s, const struct seen_key *k, enum seen_status status,
    struct err *e)
{
	return put(s, k, status, now(), e);
}

int
seen_forget(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[by_digest(k) ? Q_FORGET_DIGEST : Q_FORGET];

	query_int(q, 1, k->folder);
	if (by_digest(k))
		query_text(q, 2, span_of(k->digest));
	else
		bind_uid(q, 2, k);
	return query_run(q, e);
}

/* An index costs every delivery; few servers ever call for one. */
static int
index_digests(struct seen *s, struct err *e)
{
	struct query *q;
	int rv;

	if (s->indexed)
		return 0;
	q = query_new(
	    s->store, "CREATE INDEX IF NOT EXISTS msg_digest ON msg (digest)");
	rv = query_run(q, e);
	query_free(q);
	s->indexed = rv == 0;
	return rv;
}

int
seen_doubtful(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[Q_DOUBT];
	int rv;

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_int(q, 3, (int64_t)k->size);
	rv = query_step(q, e);
	if (rv == 1)
		query_reset(q);
	return rv;
}

int
seen_same(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[Q_SAME];
	int rv;

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(k->digest));
	rv = query_step(q, e);
	if (rv == 1)
		query_reset(q);
	return rv;
}

int
seen_gone(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[Q_GONE];

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(k->digest));
	query_int(q, 4, now());
	return query_run(q, e);
}

int
seen_find_digest(
    struct seen *s, int64_t folder, const char *digest, struct err *e)
{
	struct query *q = s->q[Q_FIND];
	int rv;

	if (index_digests(s, e) == -1)
		return -1;
	query_text(q, 1, span_of(digest));
	query_int(q, 2, folder);
	rv = query_step(q, e);
	if (rv == 1)
		query_reset(q);
	return rv;
}

static int
rekey(struct seen *s, const struct seen_key *to, struct err *e)
{
	struct query *read = s->q[Q_REKEY_READ], *del = s->q[Q_REKEY_DELETE];
	enum seen_status status;
	int64_t since;
	int rv;

	query_text(read, 1, span_of(to->digest));
	query_int(read, 2, to->folder);
	rv = query_step(read, e);
	if (rv != 1)
		return rv;
	status = (enum seen_status)query_get_int(read, 2);
	since = query_get_int(read, 3);
	query_int(del, 1, query_get_int(read, 0));
	/* The old uid is a number or a text: hand it on as it is. */
	if (query_is_int(read, 1))
		query_int(del, 2, query_get_int(read, 1));
	else
		query_text(del, 2, query_get_text(read, 1));
	query_text(del, 3, span_of(to->digest));
	query_reset(read);
	if (query_run(del, e) == -1)
		return -1;
	/* A file with that header may be half a message, from another program:
	 * what is known by it alone is never deleted. */
	return put(
	    s, to, status == SEEN_LOCAL ? SEEN_PASSED : status, since, e);
}

int
seen_rekey(struct seen *s, const struct seen_key *to, struct err *e)
{
	if (seen_begin(s, e) == -1)
		return -1;
	return conclude(s, rekey(s, to, e), e);
}

int
seen_count(struct seen *s, int64_t folder, enum seen_status status,
    uint64_t *n_r, struct err *e)
{
	struct query *q = s->q[Q_COUNT];

	query_int(q, 1, folder);
	query_int(q, 2, (int64_t)status);
	if (query_step(q, e) != 1)
		return -1;
	*n_r = (uint64_t)query_get_int(q, 0);
	query_reset(q);
	return 0;
}

int
seen_present(struct seen *s, int64_t folder, int64_t due, uint64_t *present_r,
    uint64_t *expected_r, struct err *e)
{
	struct query *q = s->q[Q_PRESENT];

	query_int(q, 1, folder);
	query_int(q, 2, due);
	query_int(q, 3, SEEN_FETCHED);
	if (query_step(q, e) != 1)
		return -1;
	*present_r = (uint64_t)query_get_int(q, 0);
	*expected_r = (uint64_t)query_get_int(q, 1);
	query_reset(q);
	return 0;
}

int
seen_next(struct seen *s, int64_t folder, enum seen_status status,
    int64_t until, uint32_t *number, struct err *e)
{
	struct query *q = s->q[Q_NEXT];
	int rv;

	query_int(q, 1, folder);
	query_int(q, 2, *number);
	query_int(q, 3, (int64_t)status);
	query_int(q, 4, until);
	rv = query_step(q, e);
	if (rv == 1) {
		*number = (uint32_t)query_get_int(q, 0);
		query_reset(q);
	}
	return rv;
}

int
seen_forget_all(
    struct seen *s, int64_t folder, enum seen_status status, struct err *e)
{
	struct query *q = s->q[Q_FORGET_ALL];

	query_int(q, 1, folder);
	query_int(q, 2, (int64_t)status);
	return query_run(q, e);
}

int
seen_list_begin(struct seen *s, struct err *e)
{
	return query_run(s->q[Q_LIST_CLEAR], e);
}

int
seen_listed(struct seen *s, const struct seen_key *k, struct err *e)
{
	struct query *q = s->q[Q_LISTED];

	bind_uid(q, 1, k);
	query_text(q, 2, span_of(by_digest(k) ? k->digest : ""));
	return query_run(q, e);
}

int
seen_list_end(struct seen *s, int64_t folder, struct err *e)
{
	struct query *back = s->q[Q_LIST_BACK], *gone = s->q[Q_LIST_GONE];
	struct query *prune = s->q[Q_LIST_PRUNE];

	query_int(back, 1, folder);
	query_int(gone, 1, folder);
	query_int(gone, 2, now());
	query_int(prune, 1, folder);
	query_int(prune, 2, now() - GONE_DAYS * 86400);
	if (query_run(back, e) == -1 || query_run(gone, e) == -1)
		return -1;
	return query_run(prune, e);
}

int
seen_placing(struct seen *s, const struct seen_key *k, const char *dest,
    const char *name, bool mbox, int64_t at, int64_t length, struct err *e)
{
	struct query *q = s->q[Q_PLACING];

	query_text(q, 1, span_of(dest));
	query_text(q, 2, span_of(name));
	query_int(q, 3, mbox);
	query_int(q, 4, at);
	query_int(q, 5, length);
	query_int(q, 6, now());
	query_int(q, 7, k->folder);
	bind_uid(q, 8, k);
	query_text(q, 9, span_of(k->digest));
	return query_run(q, e);
}

static void
read_placing(struct query *q, struct seen_placing *p)
{
	p->dest = span_dup(query_get_text(q, 0));
	p->name = span_dup(query_get_text(q, 1));
	p->mbox = query_get_int(q, 2) != 0;
	p->at = query_get_int(q, 3);
	p->length = query_get_int(q, 4);
	p->since = query_get_int(q, 5);
	p->folder = query_get_int(q, 6);
	if (query_get_int(q, 9) != 0)
		p->number = (uint32_t)query_get_int(q, 7);
	p->uid = span_dup(query_get_text(q, 7));
	p->digest = span_dup(query_get_text(q, 8));
}

int
seen_placings(
    struct seen *s, struct seen_placing **list_r, size_t *n_r, struct err *e)
{
	struct seen_placing *list = NULL;
	size_t n = 0;
	int rv;

	while ((rv = query_step(s->q[Q_PLACINGS], e)) == 1) {
		list = mem_more(list, n, sizeof(*list));
		list[n] = (struct seen_placing){0};
		read_placing(s->q[Q_PLACINGS], &list[n++]);
	}
	*list_r = list;
	*n_r = n;
	return rv;
}

void
seen_placings_free(struct seen_placing *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(list[i].dest);
		free(list[i].name);
		free(list[i].uid);
		free(list[i].digest);
	}
	free(list);
}

int
seen_clear_placing(struct seen *s, struct err *e)
{
	return query_run(s->q[Q_PLACING_CLEAR], e);
}

int
seen_part(
    struct seen *s, const struct seen_key *k, const char *dest, struct err *e)
{
	struct query *q = s->q[Q_PART];

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(by_digest(k) ? k->digest : ""));
	query_text(q, 4, span_of(dest));
	return query_run(q, e);
}

int
seen_has_part(
    struct seen *s, const struct seen_key *k, const char *dest, struct err *e)
{
	struct query *q = s->q[Q_HAS_PART];
	int rv;

	query_int(q, 1, k->folder);
	bind_uid(q, 2, k);
	query_text(q, 3, span_of(by_digest(k) ? k->digest : ""));
	query_text(q, 4, span_of(dest));
	rv = query_step(q, e);
	if (rv == 1)
		query_reset(q);
	return rv;
}
