#ifndef OS_DURABLE_H
#define OS_DURABLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Makes a list durable: files, and behind them the directories that name them.
 * Here, or in a thread that does nothing else while the caller goes on.
 */
struct durable_item {
	int fd;           /* borrowed */
	bool file;        /* or a directory; all files come first */
	const char *what; /* borrowed: for the error text */
};

/* Private; starts zeroed, and stays where it is until durable_wait(). */
struct durable {
	const struct durable_item *items; /* borrowed */
	size_t n;
	bool started, threaded;
	pthread_t thread;
	atomic_bool done;
	atomic_size_t next;   /* the file whose turn it is */
	atomic_size_t failed; /* an item that failed; n: none */
	int error;            /* its errno */
};

/*
 * Starts the write-back of all files at once, fsyncs each of them (many go
 * several at a time: a disk serves those together), and only then each
 * directory.  With `here`, all that is over on return; else a thread does it
 * (here, when none can be had).  The list and its descriptors must stay until
 * durable_wait().  No signal is taken by a thread.  Call it behind
 * sandbox_enter(): threads inherit their bounds, and do not share them.
 */
void durable_start(
    struct durable *, const struct durable_item *, size_t n, bool here);

/* Whether durable_wait() would return at once. */
bool durable_done(const struct durable *);

/*
 * Waits for the end.  0: all of the list survives a power cut; -1, ERR_LOCAL
 * as file_sync(): some of it may not.  0 when nothing was started.
 */
int durable_wait(struct durable *, struct err *);

#endif
