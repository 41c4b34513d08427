#ifndef OS_COMMAND_H
#define OS_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/words.h"

/*
 * Running a user's command: split as a shell would and executed without one,
 * unless it has shell syntax: then `sh -c`.  A session, and so a process
 * group, of its own, without a terminal; all descriptors but 0, 1, 2 closed;
 * signals back to default.  Standard error is ours.
 */
struct command {
	const char *what;        /* its keyword, for texts; NULL; borrowed */
	const char *line;        /* as written; borrowed */
	int in, out;             /* descriptors for 0 and 1; -1: /dev/null */
	const struct words *env; /* "NAME=value" on top of ours; NULL: none */
};

/*
 * Checks that a command line splits and names something, so that a mistake is
 * told with the place where it stands.  ERR_CONFIG.
 */
int command_check(const char *line, struct err *);

/*
 * Starts it; the caller waits for *pid_r.  ERR_CONFIG when it does not split
 * or cannot be executed, with the name of what was not found; ERR_TEMP when
 * there can be no new process.
 */
int command_start(const struct command *, pid_t *pid_r, struct err *);

/*
 * Starts it and waits for its end, at most timeout ms, then sends SIGTERM
 * and, 2 s later, SIGKILL to the group.  With `out` -1 in the command, the
 * first max bytes of its output are appended to *out (to its limit, if that
 * is less) and the rest is dropped; else the buffer is not touched.
 * status_r is waitpid's; ERR_TEMP on time-out or a stop signal.  Nobody else
 * may wait for our children meanwhile.
 */
int command_output(const struct command *, int64_t timeout, size_t max,
    struct buf *out, int *status_r, struct err *);

/* "exited with 3", "was killed by signal 9 (Killed)". */
void command_status(int status, char out_r[64]);

#endif
