#ifndef SYNCD_FOLDERS_H
#define SYNCD_FOLDERS_H

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
	FOLDERS_SYNC,         /* there on both sides */
	FOLDERS_CREATE_LOCAL, /* then as SYNC */
	FOLDERS_CREATE_REMOTE,
	FOLDERS_RENAME_LOCAL,  /* it was renamed on the server (MAILBOXID) */
	FOLDERS_RENAME_REMOTE, /* here: its files' unique names are known */
	FOLDERS_REMOVE_LOCAL,  /* was removed there, and `remove local` */
	FOLDERS_REMOVE_REMOTE,
	FOLDERS_FORGET, /* gone on both sides */
	FOLDERS_LEAVE,  /* there on one side, and not to be made on the other */
};

struct folders_pair {
	enum folders_op op;
	const struct folders_remote *remote; /* borrowed; NULL: not there */
	const char *local;                   /* borrowed; path; NULL */
	const struct state_folder *base;     /* borrowed; NULL: new */
	bool
	    remote_changed; /* one of the four numbers differs, or was not told */
	bool local_changed; /* an mtime differs, or is not to be trusted */
	bool braked;        /* what it shows cannot be believed (6.5) */
	char *name;         /* owned: the other side's name, when to be made */
};

/* remote == NULL: the server was not asked yet. */
int folders_plan(const struct sync *, const struct folders_remote *remote,
    size_t n_remote, const struct local_folder *local, size_t n_local,
    const struct state_folder *base, size_t n_base,
    struct folders_pair **list_r, size_t *n_r, struct err *);
void folders_free(struct folders_pair *, size_t n);

#endif
