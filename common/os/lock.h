#ifndef OS_LOCK_H
#define OS_LOCK_H

#include <stdbool.h>

#include "base/err.h"

/*
 * A lock is held on an open descriptor (flock(2)), never by a file's mere
 * existence.  The file holds the pid of the holder, for the message only.
 * Returns the descriptor in *fd_r; close it to unlock.  A forked child
 * inherits the lock: it ends when the last copy is closed.  ERR_TEMP names
 * the holder when the lock is taken and `wait` is false; with `wait`, only a
 * stop signal ends the wait (ERR_TEMP).
 */
int lock_take(const char *path, bool wait, int *fd_r, struct err *);

/*
 * The same on a file that is open, whose content is no matter of the lock's:
 * 1: locked; 0: another has it, and `wait` is false or a stop was requested;
 * -1 with errno.
 */
int lock_fd(int fd, bool shared, bool wait);

#endif
