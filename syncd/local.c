/*
 * The folders of the Maildir tree: which there are, and making, renaming and
 * removing them.
 */

#include "local.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"

#define DEPTH_MAX 64
#define FOLDERS_MAX 100000
#define FRESH_NS 2000000000

/* --- which there are --------------------------------------------------------- */

struct survey {
	const struct sync *sync;
	struct local_folder *v; /* owned */
	size_t n, cap;
	struct words all; /* directories in which a folder may lie; owned */
	int64_t now;      /* ns */
};

static char *
full_path(const struct sync *y, const char *path)
{
	return *path == '\0' ? mem_strdup(y->maildir)
	                     : mem_printf("%s/%s", y->maildir, path);
}

/* Its mtime as it may be remembered; false when it is no directory. */
static bool
stat_part(const char *dir, const char *part, int64_t now, int64_t *mtime_r)
{
	char *path = mem_printf("%s/%s", dir, part);
	struct stat st;
	bool there = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	free(path);
	if (!there)
		return false;
	*mtime_r = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (*mtime_r > now - FRESH_NS)
		*mtime_r = 0;
	return true;
}

static void
take_maildir(struct survey *s, const char *path)
{
	char *dir = full_path(s->sync, path);
	struct local_folder f = {0};

	if (stat_part(dir, "cur", s->now, &f.cur_mtime) &&
	    stat_part(dir, "new", s->now, &f.new_mtime)) {
		if (s->n == s->cap) {
			s->cap = s->cap == 0 ? 16 : s->cap * 2;
			s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
		}
		f.path = mem_strdup(path);
		s->v[s->n++] = f;
	}
	free(dir);
}

static bool
is_part(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 ||
	       strcmp(name, "tmp") == 0;
}

static size_t
depth_of(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

static bool
is_directory(int dir, const struct dirent *de)
{
	struct stat st;

	if (de->d_type != DT_UNKNOWN && de->d_type != DT_LNK)
		return de->d_type == DT_DIR;
	return fstatat(dir, de->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* A directory within the one that has this path. */
static void
take_entry(struct survey *s, const char *path, const char *name)
{
	bool dot = name[0] == '.';
	char *sub;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_part(name))
		return;
	/* Other programs keep theirs beside ours: .notmuch, .git. */
	if ((s->sync->layout == LAYOUT_MAILDIR_PLUS) != dot)
		return;
	sub =
	    *path == '\0' ? mem_strdup(name) : mem_printf("%s/%s", path, name);
	take_maildir(s, sub);
	words_add(&s->all, sub);
	free(sub);
}

static int
read_directory(struct survey *s, const char *path, struct err *e)
{
	char *full = full_path(s->sync, path);
	DIR *d = opendir(full);
	struct dirent *de;
	int rv = 0;

	if (d == NULL) {
		/* Below the root, one may go while we look. */
		if (errno != ENOENT || *path == '\0')
			rv = err_sys(e, ERR_LOCAL, "%s", full);
		free(full);
		return rv;
	}
	for (errno = 0; (de = readdir(d)) != NULL; errno = 0)
		if (is_directory(dirfd(d), de))
			take_entry(s, path, de->d_name);
	if (errno != 0)
		rv = err_sys(e, ERR_LOCAL, "%s", full);
	closedir(d);
	free(full);
	return rv;
}

static int
walk(struct survey *s, struct err *e)
{
	const struct sync *y = s->sync;
	size_t i;
	int rv = 0;

	words_init(&s->all);
	words_add(&s->all, "");
	for (i = 0; rv == 0 && i < s->all.n; i++) {
		if (i > 0 && (y->layout != LAYOUT_NESTED ||
				 depth_of(s->all.v[i]) >= DEPTH_MAX))
			continue;
		rv = read_directory(s, s->all.v[i], e);
		if (rv == 0 && s->n > FOLDERS_MAX)
			rv = err_set(e, ERR_LOCAL, "%s: over %d folders",
			    y->maildir, FOLDERS_MAX);
	}
	return rv;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct local_folder *)a)->path,
	    ((const struct local_folder *)b)->path);
}

int
local_survey(const struct sync *y, struct local_folder **list_r, size_t *n_r,
    bool *root_r, struct err *e)
{
	struct survey s = {.sync = y, .now = clock_wall_us() * 1000};
	int rv;

	*list_r = NULL;
	*n_r = 0;
	*root_r = access(y->maildir, F_OK) == 0;
	if (!*root_r)
		return errno == ENOENT
		           ? 0
		           : err_sys(e, ERR_LOCAL, "%s", y->maildir);
	if (y->layout == LAYOUT_MAILDIR_PLUS)
		take_maildir(&s, "");
	rv = walk(&s, e);
	words_clear(&s.all);
	if (rv == -1) {
		local_survey_free(s.v, s.n);
		return -1;
	}
	if (s.n > 1)
		qsort(s.v, s.n, sizeof(*s.v), by_path);
	*list_r = s.v;
	*n_r = s.n;
	return 0;
}

int
local_directories(const struct sync *y, struct words *list_r, struct err *e)
{
	struct survey s = {.sync = y};
	int rv = walk(&s, e);

	local_survey_free(s.v, s.n);
	*list_r = s.all;
	return rv;
}

void
local_survey_free(struct local_folder *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(v[i].path);
	free(v);
}

/* --- changing them ------------------------------------------------------------- */

bool
local_is_there(const struct sync *y, const char *path)
{
	static const char *const parts[] = {"cur", "new"};
	char *full = full_path(y, path), *part;
	bool there = true;
	size_t i;

	for (i = 0; i < 2; i++) {
		part = mem_printf("%s/%s", full, parts[i]);
		there = there && (access(part, F_OK) == 0 || errno != ENOENT);
		free(part);
	}
	free(full);
	return there;
}

int
local_maildir(const struct sync *y, const char *path, bool create,
    struct maildir *m, struct err *e)
{
	char *full = full_path(y, path);
	int rv = maildir_open(full, create, m, e);

	free(full);
	return rv;
}

/* Maildir++ marks a folder by an empty file, so that a delivery agent knows
 * that it is not the root. */
static int
mark_folder(const struct sync *y, const char *path, struct err *e)
{
	char *mark;
	int fd, rv = 0;

	if (y->layout != LAYOUT_MAILDIR_PLUS || *path == '\0')
		return 0;
	mark = mem_printf("%s/%s/maildirfolder", y->maildir, path);
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		rv = err_sys(e, ERR_LOCAL, "%s", mark);
	else
		close(fd);
	if (rv == 0)
		rv = file_sync_parent(mark, e);
	free(mark);
	return rv;
}

int
local_create(const struct sync *y, const char *path, struct err *e)
{
	struct maildir m;

	if (local_maildir(y, path, true, &m, e) == -1)
		return -1;
	maildir_close(&m);
	return mark_folder(y, path, e);
}

static int
make_parent(const char *full, struct err *e)
{
	char *copy = mem_strdup(full), *slash = strrchr(copy, '/');
	int rv = 0;

	if (slash != NULL && slash != copy) {
		*slash = '\0';
		rv = file_mkdirs(copy, e);
	}
	free(copy);
	return rv;
}

int
local_rename(
    const struct sync *y, const char *from, const char *to, struct err *e)
{
	char *old = full_path(y, from), *new = full_path(y, to);
	int rv = make_parent(new, e);

	if (rv == 0 && file_rename_new(AT_FDCWD, old, AT_FDCWD, new) == -1)
		rv = err_sys(e, ERR_LOCAL, "renaming %s to %s", old, new);
	if (rv == 0)
		rv = file_sync_parent(new, e);
	if (rv == 0)
		rv = file_sync_parent(old, e);
	free(old);
	free(new);
	return rv;
}

static int
is_empty_dir(const char *path, bool *empty_r, struct err *e)
{
	DIR *d = opendir(path);
	struct dirent *de;

	*empty_r = true;
	if (d == NULL)
		return errno == ENOENT ? 0 : err_sys(e, ERR_LOCAL, "%s", path);
	while (*empty_r && (de = readdir(d)) != NULL)
		*empty_r = strcmp(de->d_name, ".") == 0 ||
		           strcmp(de->d_name, "..") == 0;
	closedir(d);
	return 0;
}

/* What belongs to the format and to us, and is no mail. */
static void
remove_extras(const char *full)
{
	static const char *const extras[] = {
	    "maildirfolder", "dovecot-keywords", "subscriptions"};
	char *path;
	size_t i;

	for (i = 0; i < sizeof(extras) / sizeof(extras[0]); i++) {
		path = mem_printf("%s/%s", full, extras[i]);
		unlink(path);
		free(path);
	}
}

static int
remove_part(const char *full, const char *part, struct err *e)
{
	char *path = mem_printf("%s/%s", full, part);
	int rv = 0;

	/* rmdir(2) removes no message that came just now. */
	if (rmdir(path) == -1 && errno != ENOENT)
		rv = err_sys(e, ERR_LOCAL, "%s", path);
	free(path);
	return rv;
}

static int
remove_maildir(const char *full, struct err *e)
{
	static const char *const parts[] = {"new", "cur", "tmp"};
	bool empty;
	char *path;
	size_t i;
	int rv;

	for (i = 0; i < 3; i++) {
		path = mem_printf("%s/%s", full, parts[i]);
		rv = is_empty_dir(path, &empty, e);
		if (rv == 0 && !empty)
			rv = err_set(e, ERR_LOCAL,
			    "%s is not empty: the folder is left", path);
		free(path);
		if (rv == -1)
			return -1;
	}
	for (i = 0; i < 3; i++)
		if (remove_part(full, parts[i], e) == -1)
			return -1;
	remove_extras(full);
	/* Folders below it, and what others keep there, hold it. */
	if (rmdir(full) == -1 && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, ERR_LOCAL, "%s", full);
	return 0;
}

int
local_remove(const struct sync *y, const char *path, struct err *e)
{
	char *full = full_path(y, path);
	int rv;

	if (*path == '\0')
		rv = err_set(e, ERR_LOCAL, "%s: the root is not removed", full);
	else
		rv = remove_maildir(full, e);
	if (rv == 0)
		rv = file_sync_parent(full, e);
	free(full);
	return rv;
}
