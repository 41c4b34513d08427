#ifndef FETCHD_WORKER_H
#define FETCHD_WORKER_H

#include "options.h"

/* What a worker is started with. All borrowed. */
struct worker {
	const struct fetch *fetch;
	const struct options *options;
};

/*
 * The life of one fetch section in its own process: lock, state, leftovers,
 * sandbox, then the network.  Returns the exit code.
 */
int worker_run(void *worker, int ask_fd);

#endif
