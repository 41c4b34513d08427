#ifndef OS_LOCK_H
#define OS_LOCK_H

#include <stdbool.h>

#include "base/err.h"

/*
 * A lock is held on an open descriptor (flock(2)), never by a file's mere
 * existence.  The file holds the pid of the holder, for the message only.
 * Returns the descriptor in *fd_r; close it to unlock.  ERR_TEMP names the
 * holder when it is taken and `wait` is false.
 */
int lock_take(const char *path, bool wait, int *fd_r, struct err *);

#endif
