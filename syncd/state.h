#ifndef SYNCD_STATE_H
#define SYNCD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "base/uidset.h"
#include "os/store.h"
#include "plan.h"

/*
 * What both sides agreed on: a SQLite file for each account (syncd.state(5)).
 * It is a cache of facts, never the only place where a message is: it can be
 * thrown away, and is rebuilt by recognising what is on both sides.
 *
 *	folder	a pair of folders: names on both sides, and the few numbers by
 *		which either side shows that it has not changed
 *	msg	a pair of messages, keyed by (folder, uid); found by (folder,
 *		unique name of its file) too
 */
struct state;

struct state_folder {
	int64_t id;
	char *remote;         /* owned; UTF-8; the name as the server has it */
	char *local;          /* owned; below the root, "" for the root */
	char *mailboxid;      /* owned; RFC 8474; NULL */
	uint32_t uidvalidity; /* 0: never seen */
	uint32_t uidnext;     /* every UID below is settled; 0, and never seen:
	                       * we are about to make it on the server */
	uint64_t modseq;      /* 0: none */
	uint64_t messages;    /* on the server, when all was settled */
	int64_t cur_mtime, new_mtime; /* ns; 0: look whatever it is now */
	char *terms; /* owned: those that its messages were judged by, see
	              * struct sync; NULL: none */
	int64_t due; /* when the next message gets too old, in seconds; 0:
	               * none will */
};

struct state_msg {
	int64_t folder;
	uint32_t uid;
	/* The unique part of the file's name; borrowed, until the next call.
	 * Empty: it has no file; or had one, and is being deleted there. */
	struct span name;
	struct plan_base base;
	bool placing;  /* its file is durable in tmp/, perhaps not placed */
	uint64_t size; /* with CRLFs, of the whole; 0: not known */
	int64_t date;  /* INTERNALDATE, seconds; 0: not known */
	struct span emailid; /* RFC 8474, or Gmail's; borrowed; may be empty */
};

int state_open(
    const char *path, enum store_found *, struct state **, struct err *);
void state_close(struct state *);
/* It was found damaged and set aside: to be closed, and opened anew. */
bool state_is_damaged(const struct state *);
int state_tag(struct state *, uint32_t *tag_r, struct err *);
/* Rises with what is synced; the tree has it, too.  0: nothing yet. */
int state_turn(struct state *, uint64_t *turn_r, struct err *);
/* In the row of that folder, if its row is written, too; 0: in none. */
int state_set_turn(struct state *, uint64_t turn, int64_t folder, struct err *);

/* One transaction; what state_commit() has returned for is durable. */
int state_begin(struct state *, struct err *);
int state_commit(struct state *, struct err *);
void state_rollback(struct state *);

/* --- folders; the list and its members are the caller's ------------------ */
int state_folders(
    struct state *, struct state_folder **list_r, size_t *n_r, struct err *);
void state_folders_free(struct state_folder *, size_t n);
int state_folder_put(struct state *, struct state_folder *, struct err *);
/* With all that names it. */
int state_folder_drop(struct state *, int64_t id, struct err *);

/* --- messages: 1 found, 0 not, -1 ---------------------------------------- */
int state_by_uid(struct state *, int64_t folder, uint32_t uid,
    struct state_msg *, struct err *);
int state_by_name(struct state *, int64_t folder, struct span name,
    struct state_msg *, struct err *);
int state_put(struct state *, const struct state_msg *, struct err *);
int state_forget(struct state *, int64_t folder, uint32_t uid, struct err *);

/* How many there are of it; how many of these are left out. */
int state_count(struct state *, int64_t folder, uint64_t *n_r,
    uint64_t *left_out_r, struct err *);

/* The oldest date of those whose file is here, with none of these flags, and
 * all of those; 0: there is none. */
int state_oldest(struct state *, int64_t folder, plan_flags none_of,
    plan_flags all_of, int64_t *date_r, struct err *);

/*
 * Walks a folder's rows, in rising order of UID, one walk at a time: 1, 0 at the
 * end, if that is where it should be, -1.  state_walk_end() when it is left early.
 */
void state_walk(struct state *, int64_t folder);
int state_walk_next(struct state *, struct state_msg *, struct err *);
void state_walk_end(struct state *);

/* The UIDs of a folder whose remote half is there; added to *set. */
int state_uids(
    struct state *, int64_t folder, struct uidset *set, struct err *);

/* All rows of a folder: UIDVALIDITY changed.  What was being moved out of it
 * has no UID there any more. */
int state_forget_all(struct state *, int64_t folder, struct err *);

/* --- deliveries under way (section 4) ------------------------------------ */
/* The rows that are `placing`, one by one: *folder and *uid start at 0 and are
 * then those given last, so that the row may be changed in between. */
int state_placing_next(struct state *, int64_t *folder, uint32_t *uid,
    struct state_msg *, struct err *);
/* All of them are in their place. */
int state_placed(struct state *, struct err *);

/* --- pushes under way (section 6.4) --------------------------------------- */
/* A file whose message is being sent, or moved: what the server may have of it
 * there already. */
struct state_push {
	int64_t folder;
	int64_t origin;   /* moved: out of that folder, ... */
	uint32_t uid;     /* ... where it had this UID; 0: sent */
	struct span name; /* unique part; borrowed, until the next call */
	plan_flags flags;
	uint64_t size;            /* with CRLFs */
	unsigned char digest[16]; /* local_identity()'s */
};
int state_push_put(struct state *, const struct state_push *, struct err *);
int state_push_done(
    struct state *, int64_t folder, struct span name, struct err *);
/* All that go to that folder. */
int state_push_drop(struct state *, int64_t folder, struct err *);
/* All that are not remembered where they came from; what is sent is nowhere. */
int state_push_drop_lost(struct state *, struct err *);
/* One after the other, until 0; nothing else meanwhile. */
int state_push_next(struct state *, struct state_push *, struct err *);

#endif
