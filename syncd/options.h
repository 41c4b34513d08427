#ifndef SYNCD_OPTIONS_H
#define SYNCD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/words.h"
#include "os/account.h"
#include "os/conf.h"
#include "plan.h"

/* What a `sync` section says; see mailroom.conf(5). */
enum sync_layout {
	LAYOUT_NESTED,       /* A/B as A/B, INBOX as INBOX */
	LAYOUT_MAILDIR_PLUS, /* maildir++: A/B as .A.B, INBOX as the root */
	LAYOUT_FLAT,         /* A/B as AcB */
};

enum sync_trash { TRASH_NONE, TRASH_LOCAL, TRASH_REMOTE, TRASH_BOTH };

/* One folder, or a prefix of a name, under another name. */
struct sync_rename {
	char *remote, *local; /* owned; in UTF-8, '/' between levels */
};

struct sync {
	struct account account;
	char *name;    /* owned */
	char *maildir; /* owned; the local root */
	enum sync_layout layout;
	char flat;                   /* LAYOUT_FLAT: what joins the levels */
	struct words folders;        /* patterns, as base/glob has them */
	bool subscribed;             /* only what is subscribed to */
	struct sync_rename *renames; /* owned */
	size_t n_renames;
	struct plan_options plan; /* pull, push, expunge, max-size,
	                           * headers-only, keep-unread */
	int64_t max_age;          /* seconds; 0: no limit */
	uint64_t max_messages;    /* 0: no limit */
	bool limited; /* by max_age, max_messages, max-size or headers-only */
	char *terms;  /* owned: pull, push, expunge and the limits in one text;
	               * NULL: all travels; another text than last time: what
	               * was let be is to be judged anew */
	bool create_local, create_remote;
	bool remove_local, remove_remote;
	char *trash; /* owned; a remote folder's name; NULL */
	enum sync_trash trash_on;
	bool keywords;
	unsigned int brake; /* percent */
	int64_t poll;       /* ms: between looks, with -w; 0: by the server */
	int64_t idle;       /* ms: a connection may be silent for so long */
	char *state;        /* owned: path of the state file */
};

/* What the command line asks for. */
struct options {
	bool dry_run, print, nul, wait, watch;
	int verbose;
	struct words only;          /* account/folder: folders alone */
	struct words allow_deletes; /* account/folder: past the brake, once */
	char *
	    again; /* owned: the arguments of this run, as a shell wants them */
};

extern const struct conf_key sync_keys[];

void sync_init(struct sync *);
void sync_clear(struct sync *);

/* The syncs to run: every `sync` section, or those named (account, or
 * account/folder), or the one that a URL and a Maildir describe.  All that is
 * wrong is in conf's errors.  *list_r is owned by the caller. */
void options_syncs(struct conf *, const char *const *args, size_t n_args,
    struct options *, struct sync **list_r, size_t *n_r);

#endif
