#ifndef FETCHD_SEEN_H
#define FETCHD_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "os/store.h"

/*
 * What was fetched: the state of one fetch section.  A message is known by
 * (folder, uid): IMAP's UID, or POP3's UIDL as text; where a POP3 server has
 * none or gives one twice, by the digest of its header with uid "".
 */
enum seen_status {
	SEEN_UNKNOWN, /* no row */
	SEEN_FETCHED, /* delivered (or dropped by a filter) */
	SEEN_PASSED,  /* there before we started (`start now`): never ours */
	SEEN_FAILED,  /* to be tried again (3: seen.c's SQL) */
	SEEN_SKIPPED, /* too large, by max-size at that time */
	SEEN_HEADERS, /* only its header was fetched: never deleted */
	SEEN_LOCAL,   /* in the Maildir when the state was begun (folder 0) */
};

struct seen_key {
	int64_t folder;
	uint32_t number; /* IMAP: UID; 0: by uid text */
	struct span uid; /* POP3; borrowed */
	char digest[33]; /* of the header; "" when not known */
	uint64_t size;   /* POP3: as listed; 0: not known */
};

struct seen_folder {
	int64_t id;
	uint32_t uidvalidity; /* 0: never seen */
	uint32_t next;        /* every UID below is settled */
};

struct seen;

/* How the state began; SEEN_KEPT once a first run is complete. */
enum seen_origin {
	SEEN_KEPT,    /* of earlier runs */
	SEEN_NEW,     /* there was none: what is in the Maildir is learned */
	SEEN_DAMAGED, /* the old one was lost */
	SEEN_EMPTY,   /* there was none, nor any mail in the Maildir */
	SEEN_LEARNED, /* there was none; the Maildir's mail is in it now */
};

int seen_open(
    const char *path, enum seen_origin *, struct seen **, struct err *);
int seen_set_origin(struct seen *, enum seen_origin, struct err *);
void seen_close(struct seen *);

/* It was found damaged, and set aside: nothing more is kept.  seen_anew() closes
 * it, and begins the next, which the next run finds as SEEN_DAMAGED. */
bool seen_is_damaged(const struct seen *);
int seen_anew(const char *path, struct seen *, struct err *);

/* This state's tag, for the names of its files (os/maildir). */
int seen_tag(struct seen *, uint32_t *tag_r, struct err *);

/* One transaction for several of the calls below; it may hold others, which
 * then last only when it does. */
int seen_begin(struct seen *, struct err *);
int seen_commit(struct seen *, struct err *);
void seen_rollback(struct seen *);

/* The folder's row, made when it is not there. */
int seen_folder(
    struct seen *, const char *name, struct seen_folder *, struct err *);
int seen_folder_set(struct seen *, const struct seen_folder *, struct err *);

/* Status of a message and when (seconds) it got it; 0 or -1. */
int seen_get(struct seen *, const struct seen_key *, enum seen_status *,
    int64_t *since_r, struct err *);
int seen_put(
    struct seen *, const struct seen_key *, enum seen_status, struct err *);
int seen_forget(struct seen *, const struct seen_key *, struct err *);

/*
 * UIDVALIDITY changed: the folder's rows are kept apart, found only by
 * seen_find_digest() and seen_rekey(), until seen_drop_aside().
 */
int seen_set_aside(struct seen *, int64_t folder, struct err *);
int seen_drop_aside(struct seen *, int64_t folder, struct err *);

/*
 * Looks for a message by its header's digest in the folder (POP3: among what
 * was not told to be listed, see below) and among the local ones (SEEN_LOCAL);
 * 1 found, 0 not, -1.
 */
int seen_find_digest(
    struct seen *, int64_t folder, const char *digest, struct err *);

/* The row with that digest gets this key (uid changed); a local one becomes
 * SEEN_PASSED. */
int seen_rekey(struct seen *, const struct seen_key *to, struct err *);

/*
 * POP3: whether the row of this uid may be of another message than the one
 * that is listed now: it was gone meanwhile, or had another size.  1, 0, -1.
 */
int seen_doubtful(struct seen *, const struct seen_key *, struct err *);

/* Whether the row of this uid has this digest: 1, 0, -1. */
int seen_same(struct seen *, const struct seen_key *, struct err *);

/* POP3: the server has said that it deleted this one. */
int seen_gone(struct seen *, const struct seen_key *, struct err *);

/* How many rows a folder has with that status (SEEN_UNKNOWN: any). */
int seen_count(struct seen *, int64_t folder, enum seen_status, uint64_t *n_r,
    struct err *);

/*
 * POP3: how many rows were in the last listing, and how many of them are
 * expected in the next: those that were not to be deleted (SEEN_FETCHED since
 * at most `due`).
 */
int seen_present(struct seen *, int64_t folder, int64_t due,
    uint64_t *present_r, uint64_t *expected_r, struct err *);

/*
 * Walks IMAP rows of a folder with this status and `since` at most `until`,
 * in rising order of uid: after *number; sets the next; 1, 0 at the end, -1.
 */
int seen_next(struct seen *, int64_t folder, enum seen_status, int64_t until,
    uint32_t *number, struct err *);

/* Forgets all rows of a folder with that status. */
int seen_forget_all(
    struct seen *, int64_t folder, enum seen_status, struct err *);

/*
 * POP3: rows whose uid was not listed are remembered as gone since now, and
 * forgotten after 90 days (some servers show only part of a mailbox at a
 * time).  Call seen_listed() for each known message of the listing in between.
 */
int seen_list_begin(struct seen *, struct err *);
int seen_listed(struct seen *, const struct seen_key *, struct err *);
int seen_list_end(struct seen *, int64_t folder, struct err *);

/* --- deliveries under way (see inbox) --------------------------------------- */

/*
 * A file that is durable but perhaps not yet in place.  `dest` is the Maildir
 * or mbox; `name` the final name; `at` the offset in an mbox.
 */
struct seen_placing {
	char *dest, *name; /* owned by the caller of seen_placings() */
	int64_t at, length, since;
	int64_t folder;
	uint32_t number;
	char *uid, *digest; /* owned, likewise */
	bool mbox;
};
int seen_placing(struct seen *, const struct seen_key *, const char *dest,
    const char *name, bool mbox, int64_t at, int64_t length, struct err *);
int seen_placings(
    struct seen *, struct seen_placing **list_r, size_t *n_r, struct err *);
void seen_placings_free(struct seen_placing *, size_t n);
int seen_clear_placing(struct seen *, struct err *);

/* Targets of a message that succeeded while another failed. */
int seen_part(
    struct seen *, const struct seen_key *, const char *dest, struct err *);
int seen_has_part(struct seen *, const struct seen_key *, const char *dest,
    struct err *); /* 1, 0, -1 */

#endif
