/*
 * Locks that the kernel releases when their holder is gone, however it went.
 */

#include "os/lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/stop.h"

#define WAIT_STEP 200 /* ms; flock(2) itself could not be stopped safely */

/* Whether the file is still what its name stands for. */
static bool
is_current(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
	       ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int
taken(int fd, const char *path, struct err *e)
{
	char text[16] = "";
	const char *problem;
	long long pid;

	if (pread(fd, text, sizeof(text) - 1, 0) == -1)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	pid = strtonum(text, 1, INT32_MAX, &problem);
	if (problem != NULL)
		return err_set(e, ERR_TEMP,
		    "%s: locked by another process (--wait waits for it)",
		    path);
	return err_set(e, ERR_TEMP,
	    "%s: locked by process %lld (--wait waits for it)", path, pid);
}

/* 1: it is ours; 0: try again; -1. */
static int
try_lock(const char *path, int *fd_r, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rv = 0;

	if (fd == -1) {
		err_sys(e, ERR_LOCAL, "%s: cannot create the lock", path);
		if (e->code == 0)
			e->code = EX_CANTCREAT;
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		rv = is_current(fd, path) ? 1 : 0;
	else if (errno == EWOULDBLOCK)
		rv = taken(fd, path, e);
	else if (errno != EINTR)
		rv = err_sys(e, ERR_LOCAL, "%s: cannot lock", path);
	if (rv != 1)
		close(fd);
	else
		*fd_r = fd;
	return rv;
}

/* Always as long, so that no block is freed and taken anew at each run. */
static void
write_pid(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%10d\n", (int)getpid());

	/* It is for a message only. */
	if (pwrite(fd, text, (size_t)n, 0) == -1)
		return;
}

int
lock_take(const char *path, bool wait, int *fd_r, struct err *e)
{
	int rv;

	while ((rv = try_lock(path, fd_r, e)) != 1) {
		if (rv == -1 && (e->kind != ERR_TEMP || !wait))
			return -1;
		clock_sleep(WAIT_STEP, stop_fd());
		if (stop_requested())
			return err_set(e, ERR_TEMP,
			    "%s: stopped while waiting for the lock", path);
	}
	write_pid(*fd_r);
	return 0;
}

int
lock_fd(int fd, bool shared, bool wait)
{
	int64_t step = 1;

	while (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return -1;
		if (!wait || stop_requested())
			return 0;
		clock_sleep(step, stop_fd());
		step = step < WAIT_STEP / 2 ? step * 2 : WAIT_STEP;
	}
	return 1;
}
