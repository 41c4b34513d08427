#ifndef SYNCD_TOUR_H
#define SYNCD_TOUR_H

#include "apply.h"
#include "os/log.h"

/*
 * What one pass holds in its hands, shared by its steps: looking (tour_look),
 * judging (tour_judge, tour_know), and doing (tour_pull, tour_push,
 * tour_flags, tour_move, tour_delete).
 */
#define NO_FILE SIZE_MAX

/* A message about which something may have to be done. */
struct item {
	uint32_t uid; /* 0: not on the server */
	size_t file;  /* in the folder's listing; NO_FILE: none */
	struct plan_message m;
	struct plan p;
	uint64_t size; /* with CRLFs; 0: not known */
	unsigned char emailid[16];
	unsigned char digest[LOCAL_DIGEST]; /* local_identity()'s; with */
	bool has_digest, bare; /* bare: of the header, as it has no ID */
	bool dated;            /* m.date is known, and the row has none */
	bool ask;        /* it is to be compared with what is new elsewhere */
	struct work *to; /* borrowed: it was moved to that folder, ... */
	size_t to_item;  /* ... where this item is it */
	struct plan_base was; /* of a new file: agreed where it came from */
	bool copied; /* it is where it was to go, and only to be removed; or: it
	               * is that copy */
	bool begun;  /* a run that was killed was deleting it there */
	bool settled; /* nothing more in this pass */
};

/* (tour_item.c) Gone here and to be deleted there; and not known to be elsewhere
 * here. */
bool item_is_gone_here(const struct item *);
bool item_is_lost_here(const struct item *);
/* Known to nobody. */
bool item_is_new_here(const struct item *);
bool item_is_new_there(const struct item *);

/* A folder that has changed on either side. */
struct work {
	const struct folders_pair *pair; /* borrowed */
	struct state_folder f;           /* owned; as it will be remembered */
	struct maildir md;
	struct local_list list; /* files of which something is to be said */
	struct local_keywords kw;
	struct uidset known;     /* UIDs remembered */
	struct remote_diff diff; /* `asked` */
	struct item *v;          /* owned */
	size_t n, cap;
	size_t new_from, new_to; /* of v: new on the server, by rising uid */
	bool empty;              /* no file was here at first */
	size_t old_from;         /* of v: from here on such as are remembered,
	                          * by rising uid */
	uint32_t first;          /* where the window begins, see plan_first() */
	bool anew;               /* the terms are not those of the last time */
	bool failed;             /* not all that was to come came */
	bool asked;
	bool direct; /* whatever is there is new: pulled without a look */
	bool noted;  /* tour_note_validity() */
	bool left;   /* it failed, or the brake holds it: out of this pass */
	bool again;  /* something of it could not be done: its files are to be
	              * looked at the next time, whatever their mtimes are */
	bool unsure; /* likewise all of its messages on the server, whatever has
	              * changed there */
	struct uidset copied; /* a run that was killed has copied them to where
	                       * they were to go */
};

/* Nothing more is done about it in this pass: so the next one is to see it. */
void tour_put_off(struct work *, struct item *);

struct tour {
	struct pass *pass; /* borrowed */
	struct folders_remote *remotes;
	struct local_folder *locals;
	struct state_folder *bases;
	struct folders_pair *pairs;
	size_t n_remotes, n_locals, n_bases, n_pairs;
	struct work *works; /* owned */
	size_t n;
	uint32_t tag;   /* of our files */
	int64_t now;    /* seconds */
	bool owes_rows; /* the last transaction is to have them, too */
};

/* Logs what is wrong, once, however many passes meet it; counts for the exit
 * code. */
void tour_complain(struct tour *, enum log_level, const struct err *);

/* The folder is left out of this pass; why is told, and counts for the exit
 * code. */
void tour_leave(struct tour *, struct work *, const struct err *);

/* One event of -p: "new|flags|gone|moved", folder, the file's path. */
void tour_say_file(struct tour *, const char *what, const struct work *,
    const struct local_at *);

/* One line of -n. */
void tour_say(struct tour *, const char *what, const struct work *,
    const char *path_or_uid);
void tour_line(
    struct tour *, const char *what, const char *folder, const char *path);

/* "work/Lists/x", for texts and --allow-deletes. */
char *tour_name(const struct tour *, const char *folder);

struct local_keywords *tour_keywords(struct tour *, struct work *);

/* What follows for an item, by the views that it has now. */
void tour_plan(struct tour *, struct work *, struct item *);

struct item *tour_add(struct work *);

/* The item with that uid on the server, new or touched; NULL: none. */
struct item *tour_item(struct work *, uint32_t uid);

/* The same, new only. */
struct item *tour_new(struct work *, uint32_t uid);

/* What of the folder is asked of the server by UID is of this UIDVALIDITY. */
uint32_t tour_validity(const struct work *);

/* The folder with that id in the state, if it has changed: borrowed, or NULL. */
struct work *tour_work_of(const struct tour *, int64_t folder);

/* Whether what has become of a folder is not to be seen in this pass; and all of
 * those, by their ids. */
bool tour_is_hidden(const struct tour *, int64_t folder);
struct tour_hidden {
	int64_t *v; /* the caller's */
	size_t n;
};
struct tour_hidden tour_hidden(const struct tour *);

/* (tour_rows.c) The row of an item, as it is to be remembered; name is
 * borrowed. */
struct state_msg tour_row(
    const struct work *, const struct item *, struct span name);
/* The same of one that has a file, or had one: with its unique name, borrowed
 * until the state's next call. */
int tour_row_of(struct tour *, const struct work *, const struct item *,
    struct state_msg *, struct err *);
/* Writes that row, or forgets it. */
int tour_remember(
    struct tour *, struct work *, const struct item *, struct err *);

/*
 * Writes down that the item's file goes to the server: 1; 0: the file is gone;
 * -1.  p has the flags, and for a move its origin, UID and, if it is known, size;
 * the rest is filled in.
 */
int tour_announce(struct tour *, struct work *, struct item *,
    struct state_push *p, struct err *);

/*
 * A file and a message were found to be the same, and the file has a row in a
 * folder that this pass does not see: what that row says of it is over when the
 * message has left there, too.  Until that is seen it counts as a move of ours.
 */
int tour_note_origins(struct tour *, struct work *, struct item *,
    const struct tour_hidden *, struct err *);

/*
 * Goes with the first rows of a folder, in their transaction: the UIDVALIDITY
 * that their UIDs are of.  Without, after a crash, nobody could say whether one
 * of them is gone.
 */
int tour_note_validity(struct tour *, struct work *, struct err *);

/* Whether the folder is to be synced, by the command line. */
bool tour_chosen(const struct tour *, const struct folders_pair *);

/* Whether --allow-deletes names the folder, or the account. */
bool tour_allowed(const struct tour *, const char *folder);

/* The command that lets through what the brake held there; folder "": in all
 * the account.  The caller's. */
char *tour_let_through(const struct tour *, const char *folder);

/* (tour_folders.c) Folders that go, because their twins went, and such as are
 * to be made on the server. */
int tour_remove_folders(struct tour *, struct err *);
int tour_create_folders(struct tour *, struct err *);

/* (tour_restore.c) Before all: a tree that is older than what was agreed.  At
 * the end, within the transaction: the tree and the state are at a new turn. */
int tour_restore(struct tour *, struct err *);
int tour_turn(struct tour *, struct err *);

int tour_look(struct tour *, struct err *);
/* What was being pushed when the last run ended gets its rows. */
int tour_pushed(struct tour *, struct err *);
int tour_judge(struct tour *, struct err *);
/* What is new on one side and is the same as something on the other. */
int tour_know(struct tour *, struct err *);
/*
 * (tour_ask.c) Asks for the header, or for the Message-ID alone, of messages of
 * n folders, in one flight, and tells local_digest() of each that is there. A
 * folder that does not answer is left out of the pass.
 */
struct tour_wish {
	struct work *work; /* borrowed */
	struct uidset uids;
};
typedef void tour_known(void *arg, struct work *, uint32_t uid,
    const unsigned char digest[LOCAL_DIGEST]);
int tour_ask(struct tour *, const struct tour_wish *, size_t n,
    enum remote_part, tour_known *, void *arg, struct err *);

/* What an item's file is known by, if that has not been looked at: 1; 0: it is
 * gone; -1. */
int tour_identify(struct work *, struct item *, struct err *);
/* A file and a message of a folder, neither of them remembered, are the same. */
void tour_pair(
    struct tour *, struct work *, struct item *file, struct item *message);
/*
 * (tour_copied.c) What a crash left in two places on a server without MOVE:
 * marks what is to be asked for by its header (false: there is nothing), and
 * then, with digests, tells what is only to be removed from its old place.
 */
bool tour_copied_ask(struct tour *);
void tour_copied(struct tour *);
/*
 * (tour_left.c) What is to be moved on the server and may be there already:
 * marks files that are to be known, and then, with digests, tells which are.
 */
int tour_left_ask(struct tour *, bool *any_bare_r, struct err *);
void tour_left(struct tour *);
/* (tour_held.c) Placeholders whose deletion waits, and such as stand for no
 * message that is known. */
void tour_hold_placeholders(struct tour *);
/* Where what is deleted on that side goes; of the trash itself, nowhere. */
bool tour_to_trash(
    const struct tour *, const struct work *, enum sync_trash side);
/* The brake, on what was judged. */
int tour_brake(struct tour *, struct err *);
void tour_list(struct tour *); /* -n */
int tour_pull(struct tour *, struct err *);
int tour_push(struct tour *, struct err *);
int tour_flags(struct tour *, struct err *);
/* Within a transaction: the rows of all that is done with, but for what is to be
 * deleted yet.  What expires is left out from now on, and its file goes after
 * that. */
int tour_remember_all(struct tour *, struct err *);
int tour_copies(struct tour *, struct err *); /* what tour_copied() has told */
int tour_moves(struct tour *, struct err *);
int tour_deletions(struct tour *, struct err *);
/* What a crash left in tmp/ is put in its place. */
int tour_recover(struct tour *, struct err *);

#endif
