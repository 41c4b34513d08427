/*
 * What is done to the files of a Maildir, although a mail reader may rename them
 * at any moment, and what they are known by.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "local.h"
#include "os/file.h"

/* --- single files --------------------------------------------------------------- */

void
local_at(
    const struct local_list *l, const struct local_file *f, struct local_at *at)
{
	*at = (struct local_at){.in_new = f->in_new};
	strlcpy(at->name, "", sizeof(at->name));
	if (f->length < sizeof(at->name))
		memcpy(at->name, l->text + f->name, f->length);
}

static bool
look_in(int dir, struct span unique, char name_r[MAILDIR_NAME])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *de;
	bool found = false;

	if (d == NULL && fd != -1)
		close(fd);
	while (d != NULL && !found && (de = readdir(d)) != NULL)
		found =
		    span_same(local_unique(span_of(de->d_name)), unique) &&
		    strlcpy(name_r, de->d_name, MAILDIR_NAME) < MAILDIR_NAME;
	if (d != NULL)
		closedir(d);
	return found;
}

/* Where it is by now; also looked for twice, as it may be renamed from one
 * place to the other while we look. */
static bool
find_again(struct maildir *m, struct local_at *at)
{
	char unique[MAILDIR_NAME];
	struct span u = local_unique(span_of(at->name));
	int look;

	memcpy(unique, u.p, u.n);
	u.p = unique;
	for (look = 0; look < 2; look++) {
		at->in_new = false;
		if (look_in(m->cur, u, at->name))
			return true;
		at->in_new = true;
		if (look_in(m->new, u, at->name))
			return true;
	}
	return false;
}

/* Does it to the file wherever it is; `act` returns 0, or -1 and errno. */
static int
at_file(struct maildir *m, struct local_at *at,
    int (*act)(struct maildir *, struct local_at *, void *), void *arg,
    struct err *e)
{
	int tries;

	for (tries = 0; tries < 5; tries++) {
		if (act(m, at, arg) == 0)
			return 1;
		if (errno != ENOENT)
			return err_sys(e, ERR_LOCAL, "%s/%s/%s", m->path,
			    at->in_new ? "new" : "cur", at->name);
		if (!find_again(m, at))
			return 0;
	}
	return err_set(e, ERR_TEMP, "%s: %s is being renamed all the time",
	    m->path, at->name);
}

static int
act_open(struct maildir *m, struct local_at *at, void *arg)
{
	int fd = openat(
	    at->in_new ? m->new : m->cur, at->name, O_RDONLY | O_CLOEXEC);

	*(int *)arg = fd;
	return fd == -1 ? -1 : 0;
}

int
local_open(struct maildir *m, struct local_at *at, int *fd_r, struct err *e)
{
	return at_file(m, at, act_open, fd_r, e);
}

/* --- renames that a power cut has undone by half ---------------------------------- */

/* Whether the file of that name has another, of the same message, in `other`. */
static bool
has_twin(int dir, const char *name, int other)
{
	char found[MAILDIR_NAME];
	struct stat a, b;

	return fstatat(dir, name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_nlink > 1 &&
	       look_in(other, local_unique(span_of(name)), found) &&
	       fstatat(other, found, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

bool
local_drop_twins(struct maildir *m)
{
	int fd = openat(m->new, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *de;
	bool any = false;

	if (d == NULL && fd != -1)
		close(fd);
	while (d != NULL && (de = readdir(d)) != NULL)
		if (has_twin(m->new, de->d_name, m->cur) &&
		    unlinkat(m->new, de->d_name, 0) == 0)
			any = m->placed_new = true;
	if (d != NULL)
		closedir(d);
	return any;
}

static bool
is_moved(const struct maildir *m, const struct maildir *to,
    const struct local_at *at)
{
	int dir = at->in_new ? m->new : m->cur;

	return has_twin(dir, at->name, to->cur) ||
	       has_twin(dir, at->name, to->new);
}

/* --- changes ----------------------------------------------------------------------- */

static int
act_unlink(struct maildir *m, struct local_at *at, void *arg)
{
	(void)arg;
	if (unlinkat(at->in_new ? m->new : m->cur, at->name, 0) == -1)
		return -1;
	if (at->in_new)
		m->placed_new = true;
	else
		m->placed_cur = true;
	return 0;
}

int
local_unlink(struct maildir *m, struct local_at *at, struct err *e)
{
	return at_file(m, at, act_unlink, NULL, e);
}

int
local_expire(struct maildir *m, const struct local_at *at, struct err *e)
{
	struct local_at copy = *at;

	if (act_unlink(m, &copy, NULL) == 0)
		return 1;
	return errno == ENOENT ? 0
	                       : err_sys(e, ERR_LOCAL, "%s/%s/%s", m->path,
				     at->in_new ? "new" : "cur", at->name);
}

/* Where names cannot be exchanged, a reader that renames the file just between
 * these two leaves both: what is in its place is whole, at least. */
static int
put_over(struct maildir *m, const char *tmp, int dir, const char *name)
{
	if (faccessat(dir, name, F_OK, 0) == -1)
		return -1;
	return renameat(m->tmp, tmp, dir, name);
}

static int
act_replace(struct maildir *m, struct local_at *at, void *arg)
{
	int dir = at->in_new ? m->new : m->cur;
	const char *tmp = arg;

	if (renameat2(m->tmp, tmp, dir, at->name, RENAME_EXCHANGE) == 0)
		unlinkat(m->tmp, tmp, 0);
	else if ((errno != EINVAL && errno != ENOSYS) ||
		 put_over(m, tmp, dir, at->name) == -1)
		return -1;
	if (at->in_new)
		m->placed_new = true;
	else
		m->placed_cur = true;
	return 0;
}

int
local_replace(
    struct maildir *m, const char *tmp_name, struct local_at *at, struct err *e)
{
	char name[MAILDIR_NAME];

	strlcpy(name, tmp_name, sizeof(name));
	return at_file(m, at, act_replace, name, e);
}

struct flag_change {
	plan_flags set, clear;
};

static int
act_set_flags(struct maildir *m, struct local_at *at, void *arg)
{
	const struct flag_change *c = arg;
	plan_flags f = (local_flags(span_of(at->name)) | c->set) & ~c->clear;
	char name[MAILDIR_NAME];

	/* A message that nobody has seen stays new. */
	if (at->in_new && f == 0)
		return 0;
	if (!local_with_flags(span_of(at->name), f, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!at->in_new && strcmp(name, at->name) == 0)
		return 0;
	if (file_rename_new(
		at->in_new ? m->new : m->cur, at->name, m->cur, name) == -1)
		return -1;
	m->placed_cur = true;
	m->placed_new = m->placed_new || at->in_new;
	at->in_new = false;
	strlcpy(at->name, name, sizeof(at->name));
	return 0;
}

int
local_set_flags(struct maildir *m, struct local_at *at, plan_flags set,
    plan_flags clear, struct err *e)
{
	struct flag_change c = {set, clear};

	return at_file(m, at, act_set_flags, &c, e);
}

static int
act_move(struct maildir *m, struct local_at *at, void *arg)
{
	struct maildir *to = arg;

	if (is_moved(m, to, at))
		return act_unlink(m, at, NULL);
	if (file_rename_new(at->in_new ? m->new : m->cur, at->name,
		at->in_new ? to->new : to->cur, at->name) == -1)
		return -1;
	if (at->in_new)
		m->placed_new = to->placed_new = true;
	else
		m->placed_cur = to->placed_cur = true;
	return 0;
}

int
local_move(struct maildir *from, struct maildir *to, struct local_at *at,
    struct err *e)
{
	return at_file(from, at, act_move, to, e);
}
