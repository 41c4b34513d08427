/*
 * Files with durability spelled out: the few calls through which everything
 * that must survive a power cut goes.
 */

#include "os/file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"

int
file_write(int fd, const void *data, size_t n, const char *what, struct err *e)
{
	const char *p = data;

	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return err_sys(e, ERR_LOCAL, "%s: cannot write", what);
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int
file_sync(int fd, const char *what, struct err *e)
{
	if (fsync(fd) == -1)
		return err_sys(e, ERR_LOCAL, "%s: cannot make durable", what);
	return 0;
}

int
file_opendir(const char *path, int *fd_r, struct err *e)
{
	*fd_r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_r == -1)
		return err_sys(e, ERR_LOCAL, "%s", path);
	return 0;
}

int
file_sync_parent(const char *path, struct err *e)
{
	char *copy = mem_strdup(path);
	int fd, rv;

	rv = file_opendir(dirname(copy), &fd, e);
	if (rv == 0) {
		rv = file_sync(fd, path, e);
		close(fd);
	}
	free(copy);
	return rv;
}

/* Creates one directory whose parent exists. */
static int
mkdir_durable(const char *path, struct err *e)
{
	if (mkdir(path, 0700) == -1) {
		if (errno == EEXIST)
			return 0;
		err_sys(e, ERR_LOCAL, "%s: cannot create directory", path);
		if (e->code == 0)
			e->code = EX_CANTCREAT;
		return -1;
	}
	return file_sync_parent(path, e);
}

int
file_mkdirs(const char *path, struct err *e)
{
	char *copy = mem_strdup(path), *p = copy;
	struct stat st;
	int rv = 0;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		free(copy);
		return 0;
	}
	while (rv == 0 && (p = strchr(p + 1, '/')) != NULL) {
		*p = '\0';
		if (stat(copy, &st) == -1)
			rv = mkdir_durable(copy, e);
		*p = '/';
	}
	if (rv == 0)
		rv = mkdir_durable(path, e);
	free(copy);
	return rv;
}

int
file_read_fd(int fd, const char *what, struct buf *out, struct err *e)
{
	char chunk[8192];
	ssize_t k;

	while ((k = read(fd, chunk, sizeof(chunk))) != 0) {
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return err_sys(e, ERR_LOCAL, "%s: cannot read", what);
		if (buf_append(out, chunk, (size_t)k) == -1)
			return err_set(
			    e, ERR_LOCAL, "%s: over %zu bytes", what, out->max);
	}
	return 0;
}

int
file_read(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rv;

	if (fd == -1)
		return err_sys(e, ERR_LOCAL, "%s", path);
	rv = file_read_fd(fd, path, out, e);
	close(fd);
	return rv;
}

int
file_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from_dir, from, to_dir, to, 0) == -1)
		return -1;
	return unlinkat(from_dir, from, 0);
}

int
file_temp(const char *dir, int *fd_r, struct err *e)
{
	char *name;

	*fd_r = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd_r != -1)
		return 0;
	name = mem_printf("%s/spool.XXXXXXXXXX", dir);
	*fd_r = mkostemp(name, O_CLOEXEC);
	if (*fd_r == -1) {
		err_sys(e, ERR_LOCAL, "%s: cannot create", name);
		if (e->code == 0)
			e->code = EX_CANTCREAT;
	} else
		unlink(name);
	free(name);
	return *fd_r == -1 ? -1 : 0;
}

int
file_state_dir(const char *tool, char **path_r, struct err *e)
{
	const char *s;
	const struct passwd *pw;

	/* systemd may name several, colon-separated: the first is ours. */
	if ((s = getenv("STATE_DIRECTORY")) != NULL && s[0] == '/')
		*path_r = mem_strndup(s, strcspn(s, ":"));
	else if ((s = getenv("XDG_STATE_HOME")) != NULL && s[0] == '/')
		*path_r = mem_printf("%s/mailroom/%s", s, tool);
	else if ((s = getenv("HOME")) != NULL && s[0] == '/')
		*path_r = mem_printf("%s/.local/state/mailroom/%s", s, tool);
	else if ((pw = getpwuid(getuid())) != NULL && pw->pw_dir[0] == '/')
		*path_r =
		    mem_printf("%s/.local/state/mailroom/%s", pw->pw_dir, tool);
	else
		return err_set(e, ERR_CONFIG,
		    "no place for the state: set "
		    "HOME, XDG_STATE_HOME or STATE_DIRECTORY");
	return 0;
}
