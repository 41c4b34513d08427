#ifndef OS_MBOX_H
#define OS_MBOX_H

#include <stdint.h>

#include "base/err.h"

/*
 * The mboxrd format: a "From " line, the message with every line of the form
 * ">*From " quoted by one more '>', an empty line.  The bytes depend only on
 * the message and on its name (whose leading seconds give the date), so that
 * they can be told again after a crash.
 */

/* Sees to it that the file is there; its directory entry is durable. */
int mbox_create(const char *path, struct err *);

/* Opens, creating, and locks the file (fcntl, as mail readers do; at most 30 s:
 * then ERR_TEMP).  Closing it unlocks. */
int mbox_open(const char *path, int *fd_r, struct err *);

/* How many bytes the message in msg_fd takes. */
int mbox_measure(int msg_fd, const char *name, int64_t *length_r, struct err *);

/* Writes it at the descriptor's place (a pipe will do).  Not durable yet. */
int mbox_write(int fd, int msg_fd, const char *name, struct err *);

/*
 * After a crash: sees to it that the message is in the file once, where it was
 * to be written at `at`: nothing when it is there whole; a beginning of it at
 * the end of the file is cut off and written anew; else it is appended.
 * Durable when it returns 0.
 */
int mbox_settle(int fd, int64_t at, int msg_fd, const char *name, struct err *);

#endif
