#ifndef FETCHD_INBOX_PARTS_H
#define FETCHD_INBOX_PARTS_H

#include "base/header.h"
#include "inbox.h"
#include "os/maildir.h"

/*
 * What the three parts of the inbox share: taking a message in (inbox), the
 * user's commands (inbox_commands), and the batch (inbox_batch).
 */
#define BATCH_MESSAGES 512

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

	struct parcel *batch; /* owned, BATCH_MESSAGES */
	size_t n;
	uint64_t bytes;
	int64_t started;
	size_t *cookies;         /* owned: of the batch settled last */
	struct seen_folder mark; /* id 0: none */
	bool placing;            /* rows are in the state */
	bool unplaced;           /* and some of their files are not in place */

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

/* Drops the batch and its files. */
void inbox_drop_batch(struct inbox *);

/* Puts in place what is recorded as being placed. */
int inbox_leftovers(struct inbox *, struct err *);

#endif
