/*
 * The Maildir format: unique names, spooling in tmp/, placing without ever
 * replacing, and the fsyncs that make each step survive a power cut.
 */

#include "os/maildir.h"

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

#define SPOOL_CHUNK (64 * 1024)
#define SWEEP_AGE (36 * 3600)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
open_sub(
    const char *path, const char *sub, bool create, int *fd_r, struct err *e)
{
	char *name = mem_printf("%s/%s", path, sub);
	struct stat st;
	int rv = 0;

	if (create)
		rv = file_mkdirs(name, e);
	else if (stat(name, &st) == -1 || !S_ISDIR(st.st_mode))
		rv = err_set(
		    e, ERR_LOCAL, "%s: not a Maildir (no %s/)", path, sub);
	if (rv == 0)
		rv = file_opendir(name, fd_r, e);
	free(name);
	return rv;
}

/* Creates a Maildir in something that is already in use as another thing? */
static int
check_place(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_code(e, ERR_LOCAL, EX_CANTCREAT,
		    "%s: not a Maildir (it is a file)", path);
	return 0;
}

int
maildir_open(const char *path, bool create, struct maildir *m, struct err *e)
{
	*m = (struct maildir){.tmp = -1, .new = -1, .cur = -1};
	m->path = mem_strdup(path);
	if (check_place(path, e) == -1 ||
	    open_sub(path, "tmp", create, &m->tmp, e) == -1 ||
	    open_sub(path, "new", create, &m->new, e) == -1 ||
	    open_sub(path, "cur", create, &m->cur, e) == -1) {
		maildir_close(m);
		return -1;
	}
	return 0;
}

void
maildir_close(struct maildir *m)
{
	int *fds[] = {&m->tmp, &m->new, &m->cur};
	size_t i;

	for (i = 0; m->path != NULL && i < COUNT(fds); i++) {
		if (*fds[i] != -1)
			close(*fds[i]);
		*fds[i] = -1;
	}
	free(m->path);
	m->path = NULL;
}

/* The host's name with what a file name or the info part may not hold. */
static const char *
host_escaped(void)
{
	static char out[160];
	const size_t size = sizeof(out);
	char host[128];
	size_t i, k = 0;

	if (out[0] != '\0')
		return out;
	if (gethostname(host, sizeof(host)) == -1)
		strlcpy(host, "localhost", sizeof(host));
	host[sizeof(host) - 1] = '\0';
	for (i = 0; host[i] != '\0' && k + 5 < size; i++) {
		unsigned char c = (unsigned char)host[i];

		if (c == '/' || c == ':' || c == ',' || c <= ' ' || c >= 0x7f) {
			snprintf(out + k, 5, "\\%03o", c);
			k += 4;
		} else
			out[k++] = (char)c;
	}
	out[k] = '\0';
	return out;
}

void
maildir_unique(uint32_t tag, char name[MAILDIR_NAME])
{
	static unsigned int count;
	int64_t us = clock_wall_us();

	snprintf(name, MAILDIR_NAME, "%lld.M%06lldP%ldQ%uR%08x%08x.%s",
	    (long long)(us / 1000000), (long long)(us % 1000000),
	    (long)getpid(), ++count, tag, arc4random(), host_escaped());
}

void
maildir_name(int64_t seconds, const char *key, char name[MAILDIR_NAME])
{
	snprintf(name, MAILDIR_NAME, "%lld.M0P0Q0R%.16s.%s", (long long)seconds,
	    key, host_escaped());
}

static int
create(struct spool *s, int dirfd, const char *what, struct err *e)
{
	s->what = what;
	s->fd =
	    openat(dirfd, s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd == -1) {
		err_sys(e, ERR_LOCAL, "%s: cannot create a file", what);
		if (e->code == 0)
			e->code = EX_CANTCREAT;
		return -1;
	}
	return 0;
}

int
spool_open(
    struct spool *s, int dirfd, uint32_t tag, const char *what, struct err *e)
{
	*s = (struct spool){.fd = -1};
	buf_init(&s->out, 2 * SPOOL_CHUNK);
	maildir_unique(tag, s->name);
	return create(s, dirfd, what, e);
}

int
spool_open_as(struct spool *s, int dirfd, const char *name, const char *what,
    struct err *e)
{
	*s = (struct spool){.fd = -1};
	buf_init(&s->out, 2 * SPOOL_CHUNK);
	strlcpy(s->name, name, sizeof(s->name));
	unlinkat(dirfd, name, 0);
	return create(s, dirfd, what, e);
}

static int
write_out(struct spool *s, struct err *e)
{
	struct span data = buf_span(&s->out);

	if (data.n > 0 && file_write(s->fd, data.p, data.n, s->what, e) == -1)
		return -1;
	buf_reset(&s->out);
	return 0;
}

/* Counts what a CRLF reader would add. */
static void
count(struct spool *s, const char *p, size_t n)
{
	const char *nl = p, *end = p + n;

	s->bytes += n;
	for (; (nl = memchr(nl, '\n', (size_t)(end - nl))) != NULL; nl++)
		s->lines += (nl > p ? nl[-1] : s->last) != '\r';
	if (n > 0)
		s->last = end[-1];
}

int
spool_raw(struct spool *s, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	count(s, p, n);
	while (n > 0) {
		size_t k = n < SPOOL_CHUNK ? n : SPOOL_CHUNK;

		if (buf_append(&s->out, p, k) == -1)
			return err_set(e, ERR_LOCAL, "spool overrun");
		if (s->out.len >= SPOOL_CHUNK && write_out(s, e) == -1)
			return -1;
		p += k;
		n -= k;
	}
	return 0;
}

/* A piece of at most SPOOL_CHUNK bytes.  A CR at its end may belong to a CRLF
 * and is held back; all others are judged by the LF behind them. */
static void
convert(struct spool *s, const char *p, size_t n)
{
	char *to = buf_reserve(&s->out, n + 1), *from = to;
	size_t k;

	if (s->held_cr && *p != '\n')
		*to++ = s->last = '\r';
	s->held_cr = p[n - 1] == '\r';
	n -= s->held_cr;
	for (; n > 0; p += k, n -= k) {
		const char *lf = memchr(p, '\n', n);
		size_t line;

		k = lf != NULL ? (size_t)(lf - p) + 1 : n;
		line = lf == NULL                 ? k
		       : k >= 2 && lf[-1] == '\r' ? k - 2
		                                  : k - 1;
		memcpy(to, p, line);
		to += line;
		if (line > 0)
			s->last = p[line - 1];
		if (lf == NULL)
			break;
		s->lines += s->last != '\r';
		*to++ = s->last = '\n';
	}
	s->bytes += (size_t)(to - from);
	buf_commit(&s->out, (size_t)(to - from));
}

int
spool_write(struct spool *s, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		size_t k = n < SPOOL_CHUNK ? n : SPOOL_CHUNK;

		convert(s, p, k);
		if (s->out.len >= SPOOL_CHUNK && write_out(s, e) == -1)
			return -1;
		p += k;
		n -= k;
	}
	return 0;
}

int
spool_flush(struct spool *s, struct err *e)
{
	if (s->held_cr) {
		s->held_cr = false;
		if (spool_raw(s, "\r", 1, e) == -1)
			return -1;
	}
	if (write_out(s, e) == -1)
		return -1;
	buf_clear(&s->out);
	return 0;
}

int
spool_sync(struct spool *s, struct err *e)
{
	return file_sync(s->fd, s->what, e);
}

void
spool_close(struct spool *s)
{
	buf_clear(&s->out);
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void
spool_abandon(struct spool *s, int dirfd)
{
	if (s->fd != -1)
		unlinkat(dirfd, s->name, 0);
	spool_close(s);
}

void
spool_final_name(const struct spool *s, char name[MAILDIR_NAME])
{
	snprintf(name, MAILDIR_NAME, "%.190s,S=%llu,W=%llu", s->name,
	    (unsigned long long)s->bytes,
	    (unsigned long long)(s->bytes + s->lines));
}

int
maildir_sync_tmp(struct maildir *m, struct err *e)
{
	return file_sync(m->tmp, m->path, e);
}

/* Whether two names are the same file: a rename that was made but not undone
 * in tmp/ by a power cut. */
static bool
same_file(int fd1, const char *name1, int fd2, const char *name2)
{
	struct stat a, b;

	return fstatat(fd1, name1, &a, 0) == 0 &&
	       fstatat(fd2, name2, &b, 0) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

int
maildir_place(
    struct maildir *m, const char *name, const char *info, struct err *e)
{
	char tmp[MAILDIR_NAME], to[MAILDIR_NAME + 32];
	int dir = info != NULL ? m->cur : m->new;

	strlcpy(tmp, name, sizeof(tmp));
	tmp[strcspn(tmp, ",")] = '\0';
	snprintf(to, sizeof(to), "%s%s", name, info != NULL ? info : "");
	if (file_rename_new(m->tmp, tmp, dir, to) == -1) {
		if (errno == ENOENT)
			return 0;
		if (errno != EEXIST || !same_file(m->tmp, tmp, dir, to))
			return err_sys(
			    e, ERR_LOCAL, "%s: cannot place %s", m->path, to);
		if (unlinkat(m->tmp, tmp, 0) == -1)
			return err_sys(e, ERR_LOCAL, "%s/tmp/%s", m->path, tmp);
	}
	if (info != NULL)
		m->placed_cur = true;
	else
		m->placed_new = true;
	return 1;
}

int
maildir_sync_places(struct maildir *m, struct err *e)
{
	/* Files go from tmp/ to new/ to cur/: what has left a place must not be
	 * lost there before it would be found in the next one. */
	if (m->placed_cur && file_sync(m->cur, m->path, e) == -1)
		return -1;
	if (m->placed_new && file_sync(m->new, m->path, e) == -1)
		return -1;
	if ((m->placed_new || m->placed_cur) &&
	    file_sync(m->tmp, m->path, e) == -1)
		return -1;
	m->placed_new = m->placed_cur = false;
	return 0;
}

static DIR *
open_list(int fd)
{
	int dup_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = dup_fd != -1 ? fdopendir(dup_fd) : NULL;

	if (d == NULL && dup_fd != -1)
		close(dup_fd);
	return d;
}

/* Whether a file's name is that of a message: readers append ":2,FLAGS", and
 * some change S= and W=, so only the unique part counts. */
static bool
same_message(const char *file, const char *name)
{
	size_t n = strcspn(name, ",:");

	return strncmp(file, name, n) == 0 &&
	       (file[n] == '\0' || file[n] == ',' || file[n] == ':');
}

bool
maildir_has(struct maildir *m, const char *name)
{
	int fds[] = {m->new, m->cur};
	struct dirent *de;
	bool found = false;
	size_t i;
	DIR *d;

	for (i = 0; !found && i < COUNT(fds); i++) {
		if ((d = open_list(fds[i])) == NULL)
			continue;
		while (!found && (de = readdir(d)) != NULL)
			found = same_message(de->d_name, name);
		closedir(d);
	}
	return found;
}

/* "<digits>.M<digits>P<digits>Q<digits>R<hex>.<host>", host being ours; the
 * tag is the first eight digits of the hex part. */
static bool
is_ours(const char *name, const char *host, char tag_r[9])
{
	static const char marks[] = ".MPQR.";
	static const char *const sets[] = {"0123456789", "", "0123456789",
	    "0123456789", "0123456789", "0123456789abcdef"};
	size_t i, n;

	for (i = 0; i < COUNT(sets); i++) {
		n = strspn(name, sets[i]);
		if ((n == 0) != (sets[i][0] == '\0') || name[n] != marks[i])
			return false;
		strlcpy(tag_r, name, 9);
		name += n + 1;
	}
	n = strlen(host);
	return strncmp(name, host, n) == 0 &&
	       (name[n] == '\0' || name[n] == ',');
}

void
maildir_sweep(struct maildir *m, uint32_t tag)
{
	char own[9], found[9];
	struct dirent *de;
	struct stat st;
	time_t now = (time_t)(clock_wall_us() / 1000000);
	DIR *d = open_list(m->tmp);

	if (d == NULL)
		return;
	snprintf(own, sizeof(own), "%08x", tag);
	while ((de = readdir(d)) != NULL) {
		if (!is_ours(de->d_name, host_escaped(), found) ||
		    fstatat(m->tmp, de->d_name, &st, 0) == -1)
			continue;
		if (strcmp(found, own) == 0 || st.st_mtime < now - SWEEP_AGE)
			unlinkat(m->tmp, de->d_name, 0);
	}
	closedir(d);
}

struct maildir_walk {
	DIR *d; /* owned */
	bool in_cur;
};

int
maildir_next(
    struct maildir *m, struct maildir_walk **it, int *fd_r, const char **name_r)
{
	struct maildir_walk *w = *it;
	struct dirent *de;

	if (w == NULL) {
		w = *it = mem_alloc(sizeof(*w));
		w->d = open_list(m->new);
	}
	for (;;) {
		while (w->d != NULL && (de = readdir(w->d)) != NULL) {
			if (de->d_name[0] == '.')
				continue;
			*fd_r = openat(w->in_cur ? m->cur : m->new, de->d_name,
			    O_RDONLY | O_CLOEXEC);
			*name_r = de->d_name;
			if (*fd_r != -1)
				return 1;
		}
		if (w->d != NULL)
			closedir(w->d);
		if (w->in_cur)
			break;
		w->in_cur = true;
		w->d = open_list(m->cur);
	}
	free(w);
	*it = NULL;
	return 0;
}
