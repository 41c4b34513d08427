#ifndef SYNCD_WORKER_H
#define SYNCD_WORKER_H

#include "options.h"

/* What a worker is started with.  All borrowed. */
struct worker {
	const struct sync *sync;
	const struct options *options;
};

/*
 * The life of one sync section in its own process: lock, state, sandbox, then
 * the network.  Returns the exit code.
 */
int worker_run(void *worker, int ask_fd);

#endif
