#ifndef FETCHD_OPTIONS_H
#define FETCHD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "os/account.h"
#include "os/conf.h"

/* What a `fetch` section says; see mailroom.conf(5). */
enum target_kind {
	TARGET_MAILDIR,
	TARGET_MBOX,   /* a file, mboxrd */
	TARGET_STDOUT, /* `mbox -` */
	TARGET_PIPE
};

struct target {
	enum target_kind kind;
	char *path;  /* owned: MAILDIR and MBOX */
	int command; /* PIPE: index into fetch.commands */
};

enum fetch_select { SELECT_NEW, SELECT_UNSEEN, SELECT_ALL };
enum fetch_oversize { OVERSIZE_SKIP, OVERSIZE_HEADERS };

#define KEEP_ALWAYS (-1)

struct fetch {
	struct account account;
	char *name;             /* owned */
	bool imap;              /* from imap, else from pop3 */
	struct words folders;   /* patterns; IMAP only */
	struct target *targets; /* owned */
	size_t n_targets;
	struct words commands; /* filters first, in order, then pipes */
	size_t n_filters;
	bool drop[256]; /* filter exit codes that drop a message */
	int64_t keep;   /* ms after fetching; 0: never; KEEP_ALWAYS */
	char *archive;  /* owned: folder; NULL: delete */
	int select;     /* enum fetch_select */
	bool mark_seen;
	bool headers_only;
	uint64_t max_size; /* 0: no limit */
	enum fetch_oversize oversize;
	uint64_t limit_messages, limit_bytes; /* a run; 0: no limit */
	int start;                            /* 0: all, 1: now */
	bool add_received, add_delivered_to;
	int64_t command_timeout; /* ms for a filter or pipe */
	int64_t poll;            /* ms: in watch mode, without IDLE */
	int64_t idle; /* ms: a connection may be silent for so long */
	char *state;  /* owned: path of the state file */
};

/* What the command line asks for. */
struct options {
	bool dry_run;  /* -n */
	bool print;    /* -p */
	bool nul;      /* -0 */
	bool watch;    /* -w */
	bool once;     /* -1 */
	bool wait;     /* --wait for the lock */
	bool progress; /* --progress */
	bool allow_refetch;
	int verbose; /* -v -vv; -1: -q */
};

extern const struct conf_key fetch_keys[];

void fetch_init(struct fetch *);
void fetch_clear(struct fetch *);

/*
 * The fetches to run: every `fetch` section, or those named, or the one that
 * a URL and a Maildir describe.  All that is wrong is in conf's errors.
 * *list_r is owned by the caller, as are its members.
 */
void options_fetches(struct conf *, const char *const *args, size_t n_args,
    struct fetch **list_r, size_t *n_r);

#endif
