/*
 * What both sides agreed on, as rows of a SQLite file.  Rows are small and
 * written only for what changed; a folder that did not change is a look at one
 * row.
 */

#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Bits of msg.half. */
enum {
	HALF_LOCAL = 1,
	HALF_REMOTE = 2,
	HALF_PLACEHOLDER = 4,
	HALF_LEFT_OUT = 8
};

static const char *const migrations[] = {
    "CREATE TABLE folder ("
    " id INTEGER PRIMARY KEY, remote TEXT NOT NULL UNIQUE,"
    " local TEXT NOT NULL UNIQUE, mailboxid TEXT NOT NULL DEFAULT '',"
    " uidvalidity INTEGER NOT NULL DEFAULT 0,"
    " uidnext INTEGER NOT NULL DEFAULT 1,"
    " modseq INTEGER NOT NULL DEFAULT 0,"
    " messages INTEGER NOT NULL DEFAULT 0,"
    " cur_mtime INTEGER NOT NULL DEFAULT 0,"
    " new_mtime INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE msg ("
    " folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
    " name TEXT NOT NULL, flags INTEGER NOT NULL, half INTEGER NOT NULL,"
    " placing INTEGER NOT NULL, size INTEGER NOT NULL,"
    " emailid BLOB NOT NULL,"
    " PRIMARY KEY (folder, uid)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX msg_name ON msg (folder, name) WHERE name <> '';"
    "CREATE INDEX msg_placing ON msg (placing) WHERE placing = 1;"
    "CREATE TABLE self (tag INTEGER NOT NULL);"
    "INSERT INTO self VALUES (abs(random()) % 4294967296);",
    "ALTER TABLE folder ADD COLUMN terms TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE folder ADD COLUMN due INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE msg ADD COLUMN date INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE self ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;",
    "CREATE TABLE push ("
    " folder INTEGER NOT NULL, name TEXT NOT NULL,"
    " flags INTEGER NOT NULL, size INTEGER NOT NULL,"
    " digest BLOB NOT NULL, PRIMARY KEY (folder, name)) WITHOUT ROWID;",
    ("ALTER TABLE push ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE push ADD COLUMN uid INTEGER NOT NULL DEFAULT 0;"),
    "ALTER TABLE folder ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;",
};
#define MIGRATIONS ((int)(sizeof(migrations) / sizeof(migrations[0])))

/* Order of the statements below. */
enum {
	Q_TAG,
	Q_TURN,
	Q_TURN_SET,
	Q_TURN_SET_IN,
	Q_TURN_KEEP,
	Q_FOLDERS,
	Q_FOLDER_ADD,
	Q_FOLDER_NAME,
	Q_FOLDER_SET,
	Q_FOLDER_DROP,
	Q_MSG_DROP,
	Q_BY_UID,
	Q_BY_NAME,
	Q_CHANGE,
	Q_PUT,
	Q_FORGET,
	Q_COUNT,
	Q_OLDEST,
	Q_WALK,
	Q_NAMED,
	Q_UIDS,
	Q_PLACING_NEXT,
	Q_PLACED,
	Q_PUSH_PUT,
	Q_PUSH_DONE,
	Q_PUSHES,
	Q_PUSH_DROP,
	Q_PUSH_DROP_LOST,
	Q_PUSH_GROUND,
	Q_N
};

#define MSG \
	"SELECT folder, uid, name, flags, half, placing, size, emailid, date"

static const char *const sql[Q_N] = {
    [Q_TAG] = "SELECT tag FROM self",
    /* A folder's row, which is written anyway, saves that of self. */
    [Q_TURN] = "SELECT max(turn, (SELECT ifnull(max(turn), 0) FROM folder))"
	       " FROM self",
    [Q_TURN_SET] = "UPDATE self SET turn = ?1",
    [Q_TURN_SET_IN] = "UPDATE folder SET turn = ?1 WHERE id = ?2",
    [Q_TURN_KEEP] = "UPDATE self SET turn ="
		    " (SELECT f.turn FROM folder AS f WHERE f.id = ?1)"
		    " WHERE turn <"
		    " (SELECT f.turn FROM folder AS f WHERE f.id = ?1)",
    [Q_FOLDERS] = "SELECT id, remote, local, mailboxid, uidvalidity, uidnext,"
		  " modseq, messages, cur_mtime, new_mtime, terms, due"
		  " FROM folder"
		  " ORDER BY id",
    [Q_FOLDER_ADD] = "INSERT INTO folder (remote, local) VALUES (?1, ?2)"
		     " RETURNING id",
    /* Nothing is written for what is the same; names have an index each. */
    [Q_FOLDER_NAME] = "UPDATE folder SET remote = ?2, local = ?3,"
		      " mailboxid = ?4 WHERE id = ?1"
		      " AND (remote, local, mailboxid) IS NOT (?2, ?3, ?4)",
    [Q_FOLDER_SET] = "UPDATE folder SET uidvalidity = ?2, uidnext = ?3,"
		     " modseq = ?4, messages = ?5, cur_mtime = ?6,"
		     " new_mtime = ?7, terms = ?8, due = ?9"
		     " WHERE id = ?1"
		     " AND (uidvalidity, uidnext, modseq, messages,"
		     " cur_mtime, new_mtime, terms, due)"
		     " IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_FOLDER_DROP] = "DELETE FROM folder WHERE id = ?1",
    [Q_MSG_DROP] = "DELETE FROM msg WHERE folder = ?1",
    [Q_BY_UID] = MSG " FROM msg WHERE folder = ?1 AND uid = ?2",
    [Q_BY_NAME] = MSG " FROM msg WHERE folder = ?1 AND name = ?2"
		      " AND name <> ''",
    /* Of a row whose name stays the index is left alone. */
    [Q_CHANGE] = "UPDATE msg SET flags = ?4, half = ?5, placing = ?6,"
		 " size = ?7, emailid = ?8, date = ?9"
		 " WHERE folder = ?1 AND uid = ?2 AND name = ?3 RETURNING uid",
    [Q_PUT] = "INSERT OR REPLACE INTO msg (folder, uid, name, flags, half,"
	      " placing, size, emailid, date)"
	      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [Q_FORGET] = "DELETE FROM msg WHERE folder = ?1 AND uid = ?2",
    [Q_COUNT] = "SELECT count(*), total(half & 8 <> 0) FROM msg"
		" WHERE folder = ?1",
    [Q_OLDEST] = "SELECT min(date) FROM msg WHERE folder = ?1 AND date > 0"
		 " AND half & 1 <> 0 AND flags & ?2 = 0 AND flags & ?3 = ?3",
    [Q_WALK] = MSG " FROM msg WHERE folder = ?1 ORDER BY uid",
    [Q_NAMED] = "SELECT count(*) FROM msg WHERE folder = ?1 AND name <> ''",
    [Q_UIDS] = "SELECT uid FROM msg WHERE folder = ?1 AND half & 2 <> 0"
	       " ORDER BY uid",
    [Q_PLACING_NEXT] = MSG " FROM msg WHERE placing = 1"
			   " AND (folder, uid) > (?1, ?2)"
			   " ORDER BY folder, uid LIMIT 1",
    [Q_PLACED] = "UPDATE msg SET placing = 0 WHERE placing = 1",
    [Q_PUSH_PUT] = "INSERT OR REPLACE INTO push"
		   " (folder, name, flags, size, digest, origin, uid)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_PUSH_DONE] = "DELETE FROM push WHERE folder = ?1 AND name = ?2",
    [Q_PUSHES] = "SELECT folder, name, flags, size, digest, origin, uid"
		 " FROM push"
		 " ORDER BY folder, name",
    [Q_PUSH_DROP] = "DELETE FROM push WHERE folder = ?1",
    [Q_PUSH_DROP_LOST] = "DELETE FROM push WHERE NOT EXISTS (SELECT 1"
			 " FROM msg AS m WHERE m.folder = push.origin"
			 " AND m.uid = push.uid)",
    [Q_PUSH_GROUND] = "UPDATE push SET origin = 0, uid = 0"
		      " WHERE origin = ?1",
};

struct state {
	struct store *store;  /* owned */
	struct query *q[Q_N]; /* owned */
	struct query *walk;   /* borrowed: of q; NULL: none */
	int64_t walked_folder;
	uint64_t walked; /* rows with a file so far */
};

int
state_open(const char *path, enum store_found *found_r, struct state **state_r,
    struct err *e)
{
	struct state *s = mem_alloc(sizeof(*s));
	int i;

	if (store_open(path, migrations, MIGRATIONS, found_r, &s->store, e) ==
	    -1) {
		free(s);
		return -1;
	}
	for (i = 0; i < Q_N; i++)
		s->q[i] = query_new(s->store, sql[i]);
	*state_r = s;
	return 0;
}

void
state_close(struct state *s)
{
	int i;

	if (s == NULL)
		return;
	for (i = 0; i < Q_N; i++)
		query_free(s->q[i]);
	store_close(s->store);
	free(s);
}

bool
state_is_damaged(const struct state *s)
{
	return store_is_damaged(s->store);
}

int
state_tag(struct state *s, uint32_t *tag_r, struct err *e)
{
	if (query_only(s->q[Q_TAG], e) == -1)
		return -1;
	*tag_r = (uint32_t)query_get_int(s->q[Q_TAG], 0);
	query_reset(s->q[Q_TAG]);
	return 0;
}

int
state_turn(struct state *s, uint64_t *turn_r, struct err *e)
{
	if (query_only(s->q[Q_TURN], e) == -1)
		return -1;
	*turn_r = (uint64_t)query_get_int(s->q[Q_TURN], 0);
	query_reset(s->q[Q_TURN]);
	return 0;
}

int
state_set_turn(struct state *s, uint64_t turn, int64_t folder, struct err *e)
{
	struct query *q = s->q[folder != 0 ? Q_TURN_SET_IN : Q_TURN_SET];

	query_int(q, 1, (int64_t)turn);
	if (folder != 0)
		query_int(q, 2, folder);
	return query_run(q, e);
}

int
state_begin(struct state *s, struct err *e)
{
	return store_begin(s->store, e);
}

int
state_commit(struct state *s, struct err *e)
{
	return store_commit(s->store, e);
}

void
state_rollback(struct state *s)
{
	store_rollback(s->store);
}

static int
run_on(struct query *q, int64_t id, struct err *e)
{
	query_int(q, 1, id);
	return query_run(q, e);
}

/* --- folders --------------------------------------------------------------- */

static char *
text_or_null(struct query *q, int column)
{
	struct span s = query_get_text(q, column);

	return s.n > 0 ? span_dup(s) : NULL;
}

static struct state_folder
get_folder(struct query *q)
{
	return (struct state_folder){.id = query_get_int(q, 0),
	    .remote = span_dup(query_get_text(q, 1)),
	    .local = span_dup(query_get_text(q, 2)),
	    .mailboxid = text_or_null(q, 3),
	    .uidvalidity = (uint32_t)query_get_int(q, 4),
	    .uidnext = (uint32_t)query_get_int(q, 5),
	    .modseq = (uint64_t)query_get_int(q, 6),
	    .messages = (uint64_t)query_get_int(q, 7),
	    .cur_mtime = query_get_int(q, 8),
	    .new_mtime = query_get_int(q, 9),
	    .terms = text_or_null(q, 10),
	    .due = query_get_int(q, 11)};
}

int
state_folders(
    struct state *s, struct state_folder **list_r, size_t *n_r, struct err *e)
{
	struct query *q = s->q[Q_FOLDERS];
	struct state_folder *v = NULL;
	size_t n = 0;
	int rv;

	while ((rv = query_step(q, e)) == 1) {
		v = mem_more(v, n, sizeof(*v));
		v[n++] = get_folder(q);
	}
	if (rv == -1) {
		state_folders_free(v, n);
		return -1;
	}
	*list_r = v;
	*n_r = n;
	return 0;
}

void
state_folders_free(struct state_folder *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(v[i].remote);
		free(v[i].local);
		free(v[i].mailboxid);
		free(v[i].terms);
	}
	free(v);
}

/* A row that gives its number: RETURNING. */
static int
run_for_id(struct query *q, int64_t *id_r, struct err *e)
{
	int rv = query_step(q, e);

	if (rv != 1)
		return -1;
	*id_r = query_get_int(q, 0);
	return query_run(q, e);
}

int
state_folder_put(struct state *s, struct state_folder *f, struct err *e)
{
	struct query *q = s->q[Q_FOLDER_ADD];

	if (f->id == 0) {
		query_text(q, 1, span_of(f->remote));
		query_text(q, 2, span_of(f->local));
		if (run_for_id(q, &f->id, e) == -1)
			return -1;
	}
	q = s->q[Q_FOLDER_NAME];
	query_int(q, 1, f->id);
	query_text(q, 2, span_of(f->remote));
	query_text(q, 3, span_of(f->local));
	query_text(q, 4, span_of(f->mailboxid));
	if (query_run(q, e) == -1)
		return -1;
	q = s->q[Q_FOLDER_SET];
	query_int(q, 1, f->id);
	query_int(q, 2, f->uidvalidity);
	query_int(q, 3, f->uidnext);
	query_int(q, 4, (int64_t)f->modseq);
	query_int(q, 5, (int64_t)f->messages);
	query_int(q, 6, f->cur_mtime);
	query_int(q, 7, f->new_mtime);
	query_text(q, 8, span_of(f->terms));
	query_int(q, 9, f->due);
	return query_run(q, e);
}

int
state_folder_drop(struct state *s, int64_t id, struct err *e)
{
	if (state_forget_all(s, id, e) == -1 || state_push_drop(s, id, e) == -1)
		return -1;
	if (run_on(s->q[Q_TURN_KEEP], id, e) == -1)
		return -1;
	return run_on(s->q[Q_FOLDER_DROP], id, e);
}

/* --- messages ---------------------------------------------------------------- */

static void
get_msg(struct query *q, struct state_msg *m)
{
	int64_t half = query_get_int(q, 4);

	*m = (struct state_msg){.folder = query_get_int(q, 0),
	    .uid = (uint32_t)query_get_int(q, 1),
	    .name = query_get_text(q, 2),
	    .base = {.paired = true,
		.local = (half & HALF_LOCAL) != 0,
		.remote = (half & HALF_REMOTE) != 0,
		.placeholder = (half & HALF_PLACEHOLDER) != 0,
		.left_out = (half & HALF_LEFT_OUT) != 0,
		.flags = (plan_flags)query_get_int(q, 3)},
	    .placing = query_get_int(q, 5) != 0,
	    .size = (uint64_t)query_get_int(q, 6),
	    .emailid = query_get_text(q, 7),
	    .date = query_get_int(q, 8)};
}

/* A query of at most one row, which is left standing: what it lends is good
 * until the query is run again. */
static int
get_one(struct query *q, struct state_msg *m, struct err *e)
{
	int rv = query_step(q, e);

	if (rv == 1)
		get_msg(q, m);
	return rv;
}

int
state_by_uid(struct state *s, int64_t folder, uint32_t uid, struct state_msg *m,
    struct err *e)
{
	struct query *q = s->q[Q_BY_UID];

	query_reset(q);
	query_int(q, 1, folder);
	query_int(q, 2, uid);
	return get_one(q, m, e);
}

static int
by_name(struct query *q, int64_t folder, struct span name, struct state_msg *m,
    struct err *e)
{
	query_reset(q);
	query_int(q, 1, folder);
	query_text(q, 2, name);
	return get_one(q, m, e);
}

int
state_by_name(struct state *s, int64_t folder, struct span name,
    struct state_msg *m, struct err *e)
{
	return by_name(s->q[Q_BY_NAME], folder, name, m, e);
}

/* What stands still on a row would keep a transaction from ending, and what
 * it lends may be what is put. */
static void
let_go(struct state *s)
{
	query_reset(s->q[Q_BY_UID]);
	query_reset(s->q[Q_BY_NAME]);
	query_reset(s->q[Q_PLACING_NEXT]);
}

static void
bind_msg(struct query *q, const struct state_msg *m)
{
	int half = (m->base.local ? HALF_LOCAL : 0) |
	           (m->base.remote ? HALF_REMOTE : 0) |
	           (m->base.placeholder ? HALF_PLACEHOLDER : 0) |
	           (m->base.left_out ? HALF_LEFT_OUT : 0);

	query_int(q, 1, m->folder);
	query_int(q, 2, m->uid);
	query_text(q, 3, m->name);
	query_int(q, 4, (int64_t)m->base.flags);
	query_int(q, 5, half);
	query_int(q, 6, m->placing);
	query_int(q, 7, (int64_t)m->size);
	query_blob(q, 8, m->emailid);
	query_int(q, 9, m->date);
}

int
state_put(struct state *s, const struct state_msg *m, struct err *e)
{
	struct query *change = s->q[Q_CHANGE];
	int rv;

	bind_msg(change, m);
	bind_msg(s->q[Q_PUT], m);
	let_go(s);
	/* What is being placed is new. */
	rv = m->placing ? 0 : query_step(change, e);
	if (rv == 1)
		return query_run(change, e);
	return rv == -1 ? -1 : query_run(s->q[Q_PUT], e);
}

int
state_forget(struct state *s, int64_t folder, uint32_t uid, struct err *e)
{
	struct query *q = s->q[Q_FORGET];

	let_go(s);
	query_int(q, 1, folder);
	query_int(q, 2, uid);
	return query_run(q, e);
}

int
state_count(struct state *s, int64_t folder, uint64_t *n_r,
    uint64_t *left_out_r, struct err *e)
{
	struct query *q = s->q[Q_COUNT];

	query_int(q, 1, folder);
	if (query_step(q, e) != 1)
		return -1;
	*n_r = (uint64_t)query_get_int(q, 0);
	*left_out_r = (uint64_t)query_get_int(q, 1);
	query_reset(q);
	return 0;
}

int
state_oldest(struct state *s, int64_t folder, plan_flags none_of,
    plan_flags all_of, int64_t *date_r, struct err *e)
{
	struct query *q = s->q[Q_OLDEST];

	query_int(q, 1, folder);
	query_int(q, 2, (int64_t)none_of);
	query_int(q, 3, (int64_t)all_of);
	if (query_step(q, e) != 1)
		return -1;
	*date_r = query_get_int(q, 0);
	query_reset(q);
	return 0;
}

void
state_walk(struct state *s, int64_t folder)
{
	state_walk_end(s);
	s->walk = s->q[Q_WALK];
	query_int(s->walk, 1, folder);
	s->walked_folder = folder;
	s->walked = 0;
}

/*
 * Damage may look like the end of a folder: files whose rows lie behind it would
 * be new, and pushed once more. The index is another tree: it has as many.
 */
static int
check_walk(struct state *s, struct err *e)
{
	struct query *q = s->q[Q_NAMED];
	uint64_t n;

	query_int(q, 1, s->walked_folder);
	if (query_step(q, e) != 1)
		return -1;
	n = (uint64_t)query_get_int(q, 0);
	query_reset(q);
	return n == s->walked ? 0 : store_distrust(s->store, e);
}

int
state_walk_next(struct state *s, struct state_msg *m, struct err *e)
{
	int rv;

	if (s->walk == NULL)
		return 0;
	rv = query_step(s->walk, e);
	if (rv == 1) {
		get_msg(s->walk, m);
		s->walked += m->name.n > 0;
		return 1;
	}
	s->walk = NULL;
	return rv == 0 ? check_walk(s, e) : -1;
}

void
state_walk_end(struct state *s)
{
	if (s->walk != NULL)
		query_reset(s->walk);
	s->walk = NULL;
}

int
state_uids(struct state *s, int64_t folder, struct uidset *set, struct err *e)
{
	struct query *q = s->q[Q_UIDS];
	uint32_t uid;
	int rv;

	query_int(q, 1, folder);
	while ((rv = query_step(q, e)) == 1) {
		uid = (uint32_t)query_get_int(q, 0);
		uidset_add(set, uid, uid);
	}
	return rv;
}

int
state_forget_all(struct state *s, int64_t folder, struct err *e)
{
	let_go(s);
	if (run_on(s->q[Q_PUSH_GROUND], folder, e) == -1)
		return -1;
	return run_on(s->q[Q_MSG_DROP], folder, e);
}

/* --- placing ------------------------------------------------------------------ */

int
state_placing_next(struct state *s, int64_t *folder, uint32_t *uid,
    struct state_msg *m, struct err *e)
{
	struct query *q = s->q[Q_PLACING_NEXT];
	int rv;

	query_reset(q);
	query_int(q, 1, *folder);
	query_int(q, 2, *uid);
	rv = get_one(q, m, e);
	if (rv == 1) {
		*folder = m->folder;
		*uid = m->uid;
	}
	return rv;
}

int
state_placed(struct state *s, struct err *e)
{
	let_go(s);
	return query_run(s->q[Q_PLACED], e);
}

/* --- pushes ----------------------------------------------------------------- */

int
state_push_put(struct state *s, const struct state_push *p, struct err *e)
{
	struct query *q = s->q[Q_PUSH_PUT];

	query_int(q, 1, p->folder);
	query_text(q, 2, p->name);
	query_int(q, 3, (int64_t)p->flags);
	query_int(q, 4, (int64_t)p->size);
	query_blob(q, 5, span_bytes(p->digest, sizeof(p->digest)));
	query_int(q, 6, p->origin);
	query_int(q, 7, p->uid);
	return query_run(q, e);
}

int
state_push_done(
    struct state *s, int64_t folder, struct span name, struct err *e)
{
	struct query *q = s->q[Q_PUSH_DONE];

	query_int(q, 1, folder);
	query_text(q, 2, name);
	return query_run(q, e);
}

int
state_push_drop(struct state *s, int64_t folder, struct err *e)
{
	return run_on(s->q[Q_PUSH_DROP], folder, e);
}

int
state_push_drop_lost(struct state *s, struct err *e)
{
	return query_run(s->q[Q_PUSH_DROP_LOST], e);
}

int
state_push_next(struct state *s, struct state_push *p, struct err *e)
{
	struct query *q = s->q[Q_PUSHES];
	struct span digest;
	int rv = query_step(q, e);

	if (rv != 1)
		return rv;
	*p = (struct state_push){.folder = query_get_int(q, 0),
	    .name = query_get_text(q, 1),
	    .flags = (plan_flags)query_get_int(q, 2),
	    .size = (uint64_t)query_get_int(q, 3),
	    .origin = query_get_int(q, 5),
	    .uid = (uint32_t)query_get_int(q, 6)};
	digest = query_get_text(q, 4);
	if (digest.n == sizeof(p->digest))
		memcpy(p->digest, digest.p, sizeof(p->digest));
	return 1;
}
