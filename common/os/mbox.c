/*
 * mboxrd: one encoder whose bytes go to a counter, a file, or a comparison
 * with what a file holds.
 */

#include "os/mbox.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/header.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"

#define CHUNK (32 * 1024)
#define LOCK_WAIT 30000

enum mode { COUNT, WRITE, COMPARE };

struct encoder {
	enum mode mode;
	int fd;
	int64_t at;     /* COMPARE: offset in fd */
	int64_t length; /* so far */
	int64_t same;   /* COMPARE: bytes that agreed from the start */
	struct buf out;
	struct err *err;
	/* the line that is being looked at */
	bool in_line;   /* past the point where it could be ">*From " */
	size_t quotes;  /* '>' held back */
	size_t matched; /* of "From " held back */
	char last;      /* byte of the message */
};

static int
compare(struct encoder *c, struct span s)
{
	char have[CHUNK];
	ssize_t k;
	size_t i;

	while (s.n > 0 && c->same == c->length) {
		k = pread(
		    c->fd, have, s.n < CHUNK ? s.n : CHUNK, c->at + c->same);
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return err_sys(c->err, ERR_LOCAL, "mbox");
		if (k == 0)
			break;
		for (i = 0; i < (size_t)k && have[i] == s.p[i]; i++)
			;
		c->same += (int64_t)i;
		c->length += (int64_t)i;
		s = span_skip(s, i);
		if (i < (size_t)k)
			break;
	}
	c->length += (int64_t)s.n;
	return 0;
}

static int
drain(struct encoder *c)
{
	struct span s = buf_span(&c->out);
	int rv = 0;

	if (c->mode == COMPARE)
		rv = compare(c, s);
	else
		c->length += (int64_t)s.n;
	if (c->mode == WRITE)
		rv = file_write(c->fd, s.p, s.n, "mbox", c->err);
	buf_reset(&c->out);
	return rv;
}

static int
emit(struct encoder *c, const char *p, size_t n)
{
	if (buf_room(&c->out) < n && drain(c) == -1)
		return -1;
	return buf_append(&c->out, p, n);
}

/* Lets go of a line's start that was held back. */
static int
release(struct encoder *c)
{
	c->in_line = true;
	while (c->quotes > 0) {
		c->quotes--;
		if (emit(c, ">", 1) == -1)
			return -1;
	}
	return emit(c, "From ", c->matched);
}

static int
feed(struct encoder *c, const char *p, size_t n)
{
	static const char from[] = "From ";
	const char *end = p + n, *nl;

	if (n > 0)
		c->last = end[-1];
	while (p < end) {
		if (c->in_line) {
			nl = memchr(p, '\n', (size_t)(end - p));
			nl = nl != NULL ? nl + 1 : end;
			if (emit(c, p, (size_t)(nl - p)) == -1)
				return -1;
			c->in_line = nl[-1] != '\n';
			c->matched = 0;
			p = nl;
		} else if (*p == '>' && c->matched == 0) {
			c->quotes++;
			p++;
		} else if (*p == from[c->matched]) {
			p++;
			if (++c->matched < sizeof(from) - 1)
				continue;
			c->quotes++; /* one more than it had */
			if (release(c) == -1)
				return -1;
		} else if (release(c) == -1)
			return -1;
	}
	return 0;
}

/* The envelope sender for the "From " line: Return-Path, else unknown. */
static void
sender_of(int msg_fd, char *out, size_t size)
{
	char head[4096];
	ssize_t k = pread(msg_fd, head, sizeof(head), 0);
	struct span body, addr = {NULL, 0};
	size_t i;

	if (k <= 0 ||
	    !header_find(span_bytes(head, (size_t)k), "Return-Path", &body) ||
	    !header_address(body, &addr) || addr.n == 0)
		addr = span_of("MAILER-DAEMON");
	for (i = 0; i < addr.n && i + 1 < size; i++)
		out[i] = addr.p[i] > ' ' && addr.p[i] < 0x7f ? addr.p[i] : '_';
	out[i] = '\0';
}

static int
begin(struct encoder *c, int msg_fd, const char *name)
{
	char sender[256], line[400], date[40];
	time_t t = (time_t)strtoll(name, NULL, 10);
	struct tm tm;
	int n;

	gmtime_r(&t, &tm);
	if (strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		date[0] = '\0';
	sender_of(msg_fd, sender, sizeof(sender));
	n = snprintf(line, sizeof(line), "From %s %s\n", sender, date);
	return emit(c, line, (size_t)n);
}

static int
encode(struct encoder *c, int msg_fd, const char *name)
{
	char chunk[CHUNK];
	off_t at = 0;
	ssize_t k;
	int rv;

	buf_init(&c->out, CHUNK + 512);
	c->last = '\n';
	rv = begin(c, msg_fd, name);
	while (rv == 0 && (k = pread(msg_fd, chunk, sizeof(chunk), at)) != 0) {
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			rv = err_sys(c->err, ERR_LOCAL, "mbox: spool");
		else
			rv = feed(c, chunk, (size_t)k);
		at += k;
	}
	if (rv == 0 && !c->in_line)
		rv = release(c);
	if (rv == 0 && c->last != '\n')
		rv = emit(c, "\n", 1);
	if (rv == 0)
		rv = emit(c, "\n", 1);
	if (rv == 0)
		rv = drain(c);
	buf_clear(&c->out);
	return rv;
}

static int
open_file(const char *path, int *fd_r, struct err *e)
{
	*fd_r = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (*fd_r != -1)
		return 0;
	err_sys(e, ERR_LOCAL, "%s", path);
	if (e->code == 0)
		e->code = EX_CANTCREAT;
	return -1;
}

int
mbox_create(const char *path, struct err *e)
{
	int fd;

	if (open_file(path, &fd, e) == -1)
		return -1;
	close(fd);
	return file_sync_parent(path, e);
}

int
mbox_open(const char *path, int *fd_r, struct err *e)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int64_t until = clock_ms() + LOCK_WAIT;

	if (open_file(path, fd_r, e) == -1)
		return -1;
	while (fcntl(*fd_r, F_SETLK, &l) == -1) {
		if ((errno == EAGAIN || errno == EACCES) &&
		    clock_ms() < until) {
			clock_sleep(100, -1);
			continue;
		}
		err_set(e, ERR_TEMP, "%s: locked by another program", path);
		close(*fd_r);
		*fd_r = -1;
		return -1;
	}
	return 0;
}

int
mbox_measure(int msg_fd, const char *name, int64_t *length_r, struct err *e)
{
	struct encoder c = {.mode = COUNT, .fd = -1, .err = e};

	if (encode(&c, msg_fd, name) == -1)
		return -1;
	*length_r = c.length;
	return 0;
}

int
mbox_write(int fd, int msg_fd, const char *name, struct err *e)
{
	struct encoder c = {.mode = WRITE, .fd = fd, .err = e};

	return encode(&c, msg_fd, name);
}

int
mbox_settle(int fd, int64_t at, int msg_fd, const char *name, struct err *e)
{
	struct encoder c = {.mode = COMPARE, .fd = fd, .at = at, .err = e};
	struct stat st;

	if (encode(&c, msg_fd, name) == -1)
		return -1;
	if (c.same == c.length)
		return file_sync(fd, "mbox", e);
	if (fstat(fd, &st) == -1)
		return err_sys(e, ERR_LOCAL, "mbox");
	if (st.st_size > at && at + c.same == st.st_size &&
	    ftruncate(fd, at) == -1)
		return err_sys(
		    e, ERR_LOCAL, "mbox: cannot cut off what was written half");
	if (mbox_write(fd, msg_fd, name, e) == -1)
		return -1;
	return file_sync(fd, "mbox", e);
}
