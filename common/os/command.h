#ifndef OS_COMMAND_H
#define OS_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/words.h"

/*
 * Running a user's command: split as a shell would and executed without one,
 * unless it has shell syntax: then `sh -c`.  Own process group; all
 * descriptors but 0, 1, 2 closed; signals back to default.
 */
struct command {
	const char *line;        /* as written; borrowed */
	int in, out;             /* descriptors for 0 and 1; -1: /dev/null */
	const struct words *env; /* "NAME=value" on top of ours; NULL: none */
};

/* Starts it; ERR_CONFIG when it does not split or cannot be executed
 * (EX_UNAVAILABLE... with the name of what was not found). */
int command_start(const struct command *, pid_t *pid_r, struct err *);

/*
 * Starts it, reads its output up to max bytes, waits for at most timeout ms,
 * then SIGTERM and, 2 s later, SIGKILL to the group.  status_r is waitpid's;
 * ERR_TEMP on time-out.
 */
int command_output(const struct command *, int64_t timeout, size_t max,
    struct buf *out, int *status_r, struct err *);

/* "exited with 3", "was killed by signal 9 (Killed)". */
void command_status(int status, char out_r[64]);

#endif
