#ifndef FETCHD_INBOX_PARTS_H
#define FETCHD_INBOX_PARTS_H

#include "base/header.h"
#include "inbox.h"
#include "os/durable.h"
#include "os/maildir.h"

/*
 * What the four parts of the inbox share: taking a message in (inbox), the
 * user's commands (inbox_commands), the batch (inbox_batch), and its way to
 * its place (inbox_settle).
 */
#define BATCH_MESSAGES 256

/* A spooled file and the target it is for. */
struct entry {
	size_t target;
	struct spool spool;
	char name[MAILDIR_NAME];
	int64_t at, length; /* mbox */
};

/* A message of the batch. */
struct parcel {
	struct seen_key key; /* uid owned */
	enum seen_status status;
	size_t cookie;
	struct entry *entries; /* owned */
	size_t n;
};

/* Messages that are settled together. */
struct batch {
	struct parcel *parcels; /* owned, BATCH_MESSAGES */
	size_t n;
	uint64_t bytes;
	int64_t started;         /* clock_ms(): filling, or its syncs, began */
	struct seen_folder mark; /* recorded with it; id 0: none */
};

struct inbox {
	const struct fetch *fetch;     /* borrowed */
	const struct options *options; /* borrowed */
	struct seen *seen;             /* borrowed */
	int ask_fd;
	uint32_t tag;
	struct maildir *maildirs; /* owned: one per target; unused for others */
	char *spool_dir;          /* owned: for mbox, filters and pipes */
	int spool_fd;
	bool
	    direct; /* the first target is a Maildir and nothing comes before */
	bool eager; /* settle each message: a pipe cannot be taken back */
	size_t batch_max; /* messages: each holds a descriptor per target */

	struct batch filling;       /* what comes in */
	struct batch going;         /* is being made durable meanwhile */
	struct durable durable;     /* of `going` */
	struct durable_item *items; /* owned: its descriptors */
	size_t *cookies;            /* owned: of what was settled last */
	size_t n_cookies;
	bool placing;  /* rows are in the state */
	bool unplaced; /* and some of their files are not in place */

	/* the message that is coming in */
	struct inbox_item item;
	bool open;
	struct spool spool;
	struct header_scan scan;
	struct header_digest digest;
	struct buf head; /* for the commands' environment */
};

/* A person's name for a target. */
const char *inbox_target_name(const struct fetch *, const struct target *);

/*
 * Runs the message in hand through the filters and into the pipes.  0, with
 * *drop_r when a filter dropped it; -1: refused, or ERR_LOCAL.
 */
int inbox_process(struct inbox *, bool *drop_r, struct err *);

/* Adds the message in hand to the batch; with `files`, a durable-to-be file
 * for each target that is one. */
int inbox_add(struct inbox *, enum seen_status, bool files, struct err *);

/*
 * Hands what came in to be made durable: files, then the directories that name
 * them.  With `here`, it is over on return.  Nothing else may be going.
 */
void inbox_make_durable(struct inbox *, bool here);

/* Drops all that is not settled, and its files. */
void inbox_drop(struct inbox *);

/* Forgets the batch; its files are someone else's now. */
void inbox_forget(struct batch *);

/* Puts in place what is recorded as being placed. */
int inbox_leftovers(struct inbox *, struct err *);

#endif
