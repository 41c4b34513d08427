#ifndef SYNCD_FOLDERS_H
#define SYNCD_FOLDERS_H

#include "local.h"
#include "options.h"
#include "state.h"

/*
 * Which folders there are on the three sides, and what follows: pairs to be
 * synced, folders to be made, removed, renamed.  Pure: lists in, list out.
 */
struct folders_remote {
	char *name; /* owned; UTF-8 */
	char sep;
	unsigned int attrs; /* IMAP_ATTR_* */
	char *mailboxid;    /* owned; NULL */
	uint32_t messages, uidnext, uidvalidity;
	uint64_t modseq;
	bool has_status; /* the four numbers were told */
};

enum folders_op {
	FOLDERS_SYNC,          /* there on both sides */
	FOLDERS_CREATE_LOCAL,  /* then as SYNC */
	FOLDERS_CREATE_REMOTE, /* likewise */
	FOLDERS_RENAME_LOCAL,  /* it was renamed on the server (MAILBOXID, RFC
	                        * 8474); then as SYNC */
	FOLDERS_REMOVE_LOCAL,  /* it was removed there, and `remove local` */
	FOLDERS_REMOVE_REMOTE,
	FOLDERS_FORGET, /* gone on both sides */
	FOLDERS_LEAVE,  /* there on one side, and not to be made on the other */
};

struct folders_pair {
	enum folders_op op;
	const struct folders_remote *remote; /* borrowed; NULL: not there */
	const struct local_folder *local;    /* borrowed; NULL: not there */
	const struct state_folder *base;     /* borrowed; NULL: new, or what was
	                                      * agreed means nothing any more */
	bool stale; /* base: its rows are to be dropped first, for one
	                      * half was removed and comes back whole */
	bool
	    remote_changed; /* one of the four numbers differs, or cannot tell */
	bool local_changed; /* an mtime differs, or is not to be trusted */
	char *path, *name;  /* owned: below the root; on the server */
};

/*
 * What each folder is to become.  A folder that was removed on one side is made
 * again from the other, unless `remove` says that its twin goes too.  Names
 * that one side cannot have are left out, and told in *errors (texts).
 */
void folders_plan(const struct sync *, const struct folders_remote *remote,
    size_t n_remote, const struct local_folder *local, size_t n_local,
    const struct state_folder *base, size_t n_base,
    struct folders_pair **list_r, size_t *n_r, struct words *errors);
void folders_free(struct folders_pair *, size_t n);

/*
 * Whether the Maildir tree is suspiciously not there: it held folders, and now
 * its root is missing or has none (a disk that is not mounted, a typing error).
 */
bool folders_root_lost(bool root_there, size_t n_local,
    const struct state_folder *base, size_t n_base);

/* Whether a folder on the server is one of those to be synced. */
bool folders_wanted(const struct sync *, const struct folders_remote *);

#endif
