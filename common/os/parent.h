#ifndef OS_PARENT_H
#define OS_PARENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/words.h"
#include "os/account.h"

/*
 * The trusted half of every tool: forks a worker per account, answers what
 * they ask (os/ask), and waits for them.  It never reads a byte that came from
 * the network.
 */
struct job {
	const char *name;              /* borrowed: the account's, for texts */
	const struct account *account; /* borrowed: secrets and tunnel */
	const struct words *commands;  /* borrowed: what ASK_COMMAND may run */
	int64_t command_timeout;       /* ms, for each run */
	/* The worker's whole life; its result is the exit code.  ask_fd leads
	 * to the parent. */
	int (*run)(void *arg, int ask_fd);
	void *arg;

	/* the parent's own */
	pid_t pid;
	int fd;
	pid_t servant; /* answering a question now; 0: none */
	uint64_t progress[4];
};

/*
 * Runs all jobs at once, to the end of the last.  Returns the worst exit code
 * (err_worse).  A stop signal is passed on to the workers, who end in good
 * order.
 */
int parent_run(struct job *, size_t n);

#endif
