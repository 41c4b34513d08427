#ifndef SENDQ_RUNNER_H
#define SENDQ_RUNNER_H

#include "options.h"
#include "os/parent.h"
#include "queue.h"

/*
 * Delivers what is due. The parent looks which accounts have mail that is due
 * and starts a worker for each (for each of its `connections`); a worker takes
 * the account's messages one by one under their locks, a batch at a time, and
 * goes on until nothing is due that nobody else has. After it has given up its
 * place it looks once more, so that a message that was accepted meanwhile, and
 * whose runner found the place taken, does not stay behind.
 */
struct runner {
	const struct send *sends; /* borrowed */
	size_t n_sends;
	struct queue *queue; /* borrowed */
	bool verbose;
};

/* One pass. Returns an exit code. */
int runner_run(struct runner *);

/*
 * Starts a process of its own that runs one pass in the background and
 * outlives us, when `due` (seconds) has come. Its fate is no matter of ours.
 */
void runner_spawn(struct runner *, int64_t due);

/*
 * When messages are due, in seconds since 1970: the latest time that is past,
 * by `now` (-1: none), and the next to come (INT64_MAX: none).
 */
struct runner_due {
	int64_t past, next;
};
struct runner_due runner_due(struct runner *, int64_t now);

#endif
