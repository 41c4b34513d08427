#ifndef FETCHD_RUN_H
#define FETCHD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/link.h"
#include "inbox.h"
#include "options.h"
#include "os/ask.h"
#include "seen.h"

/* One fetch section being worked on: what its worker has at hand. */
struct run {
	const struct fetch *fetch;     /* borrowed */
	const struct options *options; /* borrowed */
	struct seen *seen;             /* owned */
	struct inbox *inbox;           /* owned; NULL with -n */
	struct link link;
	int ask_fd;
	enum seen_origin origin;
	bool learned; /* the Maildirs' messages are in the state */
	int code;     /* worst exit code of single messages so far */
	uint64_t fetched, skipped, deleted; /* messages, this run */
	uint64_t taken, taken_bytes;        /* counted against `limit` */
	struct ask_progress progress;
};

/* Something happened to one message; the run goes on. */
void run_message(
    struct run *, const char *folder, const char *uid, const struct err *);

/* -n: a line about a message that would be fetched. */
void run_list(struct run *, const char *folder, const char *uid, uint64_t size);

/* Whether a message of this size may still be fetched in this run, by
 * `limit` and --once; counts it when it may. */
#define RUN_ONCE_MESSAGES 64u
bool run_take(struct run *, uint64_t size);

/* Whether a message with this row (SEEN_FETCHED since then) is to be deleted
 * at its source by now. */
bool run_is_due(const struct run *, enum seen_status, int64_t since);

/* What was fetched at or before this time (in seconds) is due; -1: nothing. */
int64_t run_due(const struct run *);

/* The brake: of n messages now in a mailbox (its name for errors) none is
 * recognised among those fetched before, of which rows are known.  -1. */
int run_refuse(const struct run *, const char *mailbox, uint64_t rows, size_t n,
    struct err *);

/* A first pass is complete: from here on the state alone tells what is
 * known. */
int run_begun(struct run *, struct err *);

/* Progress: n messages and bytes are to come; so many have come. */
void run_expect(struct run *, uint64_t messages, uint64_t bytes);
void run_came(struct run *, uint64_t messages, uint64_t bytes);

/* How large a run of fetches in flight may get, in bytes and messages. */
#define RUN_WINDOW_BYTES (16u << 20)
#define RUN_WINDOW_MESSAGES 2000u
/* And what it grows by at a time. */
#define RUN_STEP_BYTES (1u << 20)
#define RUN_STEP_MESSAGES 100u

#endif
