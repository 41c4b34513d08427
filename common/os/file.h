#ifndef OS_FILE_H
#define OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Files, with durability spelled out.  All return 0 or -1 with ERR_LOCAL (74;
 * 73 when something cannot be created; 75 when the disk is full).  `path` or
 * `what` is for the error text.
 */

/* Writes all of it; EINTR and short writes are dealt with. */
int file_write(int fd, const void *, size_t, const char *what, struct err *);

/* fsync(2): the file's bytes, or a directory's names, survive a power cut. */
int file_sync(int fd, const char *what, struct err *);

/* The same for the directory that the path lies in. */
int file_sync_parent(const char *path, struct err *);

/*
 * Makes a directory and its missing parents (mode 0700).  Durable: each new
 * name is synced into its parent.
 */
int file_mkdirs(const char *path, struct err *);

/* Opens a directory for *at(2) calls and file_sync(). */
int file_opendir(const char *path, int *fd_r, struct err *);

/* Appends the whole file to *out; -1 also when it is over out's limit. */
int file_read(const char *path, struct buf *out, struct err *);

/* The same of an open file, from where it stands. */
int file_read_fd(int fd, const char *what, struct buf *out, struct err *);

/*
 * A rename that replaces nothing, also where the file system has no such
 * call.  0, or -1 with errno.  A kill may leave both names.
 */
int file_rename_new(int from_dir, const char *from, int to_dir, const char *to);

/* A new, empty, unlinked file in dir (O_TMPFILE, else unlinked at once). */
int file_temp(const char *dir, int *fd_r, struct err *);

/*
 * The state directory of a tool: $STATE_DIRECTORY, else
 * $XDG_STATE_HOME/mailroom/<tool>, else ~/.local/state/mailroom/<tool>.
 * Owned by the caller; ERR_CONFIG when there is neither HOME nor these.
 */
int file_state_dir(const char *tool, char **path_r, struct err *);

#endif
