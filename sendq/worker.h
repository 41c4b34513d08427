#ifndef SENDQ_WORKER_H
#define SENDQ_WORKER_H

#include "options.h"
#include "queue.h"

/* What a worker is started with. All borrowed. */
struct worker {
	const struct send *send;
	struct queue *queue;
	uint64_t due; /* messages, about */
};

/*
 * An account's mail in a process of its own: what may be opened is opened,
 * then the sandbox closes, then the network. Goes on until nothing is due
 * that nobody else has. Returns the exit code: 0 also when all that is left
 * waits for its time, or the account for its; 75 when something was put off,
 * 69 when something failed for good, else that of what went wrong.
 */
int worker_run(void *worker, int ask_fd);

#endif
