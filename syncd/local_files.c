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

#include "base/enc.h"
#include "base/header.h"
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

static int
act_set_flags(struct maildir *m, struct local_at *at, void *arg)
{
	plan_flags f = *(plan_flags *)arg;
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
local_set_flags(
    struct maildir *m, struct local_at *at, plan_flags f, struct err *e)
{
	return at_file(m, at, act_set_flags, &f, e);
}

static int
act_move(struct maildir *m, struct local_at *at, void *arg)
{
	struct maildir *to = arg;

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

/* --- what a file is --------------------------------------------------------------- */

#define HEADER_MAX (256 * 1024) /* of which the Message-ID is looked for */

static void
digest(struct span s, unsigned char digest_r[LOCAL_DIGEST])
{
	char hex[HEADER_DIGEST_HEX];
	struct header_digest d;
	struct buf raw;

	header_digest_init(&d);
	header_digest_feed(&d, s.p, s.n);
	header_digest_hex(&d, hex);
	buf_init(&raw, LOCAL_DIGEST);
	(void)dec_hex(&raw, span_of(hex));
	memcpy(digest_r, buf_span(&raw).p, LOCAL_DIGEST);
	buf_clear(&raw);
}

/* The field as it stands in the header, name and folds included. */
static bool
find_field(struct span header, const char *name, struct span *field_r)
{
	struct span rest = header, field, body;

	while (header_next(&rest, &field, &body)) {
		if (!span_caseeq(field, name))
			continue;
		*field_r =
		    span_bytes(field.p, (size_t)(body.p + body.n - field.p));
		return true;
	}
	return false;
}

void
local_digest(
    struct span header, unsigned char digest_r[LOCAL_DIGEST], bool *has_id_r)
{
	struct span field;

	*has_id_r = find_field(header, "Message-ID", &field);
	digest(*has_id_r ? field : header, digest_r);
}

struct measure {
	struct header_scan scan;
	struct buf header;
	uint64_t size;
	bool cr; /* the byte before was one */
};

static void
measure_feed(struct measure *m, const char *p, size_t n)
{
	size_t i, head = header_scan_feed(&m->scan, p, n);

	if (head > buf_room(&m->header))
		head = buf_room(&m->header);
	buf_append(&m->header, p, head);
	m->size += n;
	for (i = 0; i < n; i++) {
		m->size += p[i] == '\n' && !m->cr;
		m->cr = p[i] == '\r';
	}
}

int
local_identity(int fd, uint64_t *size_r, unsigned char digest_r[LOCAL_DIGEST],
    bool *has_id_r, struct err *e)
{
	struct measure m = {0};
	char chunk[65536];
	off_t at = 0;
	ssize_t n;

	header_scan_init(&m.scan);
	buf_init(&m.header, HEADER_MAX);
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		measure_feed(&m, chunk, (size_t)n);
		at += n;
	}
	if (n == -1) {
		buf_clear(&m.header);
		return err_sys(e, ERR_LOCAL, "reading a message");
	}
	local_digest(buf_span(&m.header), digest_r, has_id_r);
	*size_r = m.size;
	buf_clear(&m.header);
	return 0;
}
