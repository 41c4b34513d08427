#ifndef SYNCD_APPLY_H
#define SYNCD_APPLY_H

#define APPLY_PASSES 5 /* until nothing is left that a pass can see only now */

#include "folders.h"
#include "local.h"
#include "options.h"
#include "remote.h"
#include "state.h"

/*
 * One account being synced: a pass looks at both sides, plans, and does it in
 * the order that loses nothing:
 *
 *	1	what a crash left is settled (placings, intents)
 *	2	pull new	durable files, then rows, then in place (section 4)
 *	3	push new	intent, APPEND, row
 *	4	flags, both ways
 *	5	moves
 *	6	deletions, once all else is durable on both sides
 *	7	the folders' numbers: only now is a folder unchanged next time
 *
 * Commands of one step go out for all folders in one flight. A folder that is
 * held by the brake or fails is left out; the others go on.
 */
struct pass {
	const struct sync *sync;       /* borrowed */
	const struct options *options; /* borrowed */
	struct state *state;           /* borrowed */
	struct remote *remote;         /* borrowed */
	int ask_fd;
	int code;   /* worst exit code of single folders and messages */
	bool again; /* something was done that takes another pass to finish */
	struct words told; /* owned: errors that were logged in this run */
	uint64_t pulled, pushed, flagged, moved, deleted, expired;
	int round; /* how many passes there were before in this run */
};

/* How much was done, by all passes so far. */
uint64_t apply_done(const struct pass *);

/* Says how much that is, at -v, and begins to count anew. */
void apply_report(struct pass *);

/* Runs one; -1: the connection or the state failed, and nothing more can be
 * done now. */
int apply_pass(struct pass *, struct err *);

#endif
