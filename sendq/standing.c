/*
 * How an account stands: one text file for each, changed under a lock, and
 * durable before anybody acts on it.
 *
 * Account names are encoded, so that '@' is free for files beside it: NAME@lock
 * is never removed, which is what makes it a lock; NAME@1 is a session's place;
 * NAME@new is on its way to be NAME.
 */

#include "standing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/lock.h"

#define LONG_FILE ((size_t)64 << 10) /* it is written anew, shorter */
#define NAME_BYTES 200               /* of the encoded name; then its digest */

/* --- the file ---------------------------------------------------------- */

void
standing_init(struct standing *s, struct queue *q, const char *account,
    const struct limit *limits, size_t n_limits)
{
	*s = (struct standing){.queue = q,
	    .account = mem_strdup(account),
	    .limits = limits,
	    .n_limits = n_limits};
}

void
standing_clear(struct standing *s)
{
	free(s->account);
	*s = (struct standing){0};
}

/* Any name, as that of a file: none begins with a dot, none is too long. */
static char *
file_name(const struct standing *s, const char *suffix)
{
	char hex[SHA256_DIGEST_STRING_LENGTH];
	struct span account = span_of(s->account);
	struct buf name;
	char *result;

	buf_init(&name, 3 * account.n + 16);
	if (account.n == 0 || account.p[0] == '.') {
		buf_puts(&name, account.n == 0 ? "%" : "%2E");
		account = span_skip(account, 1);
	}
	enc_percent(&name, account);
	if (name.len > NAME_BYTES) {
		SHA256Data((const uint8_t *)name.data, name.len, hex);
		result =
		    mem_printf("%.100s@%s%s", buf_cstr(&name), hex, suffix);
	} else
		result = mem_printf("%s%s", buf_cstr(&name), suffix);
	buf_clear(&name);
	return result;
}

static int
fails(
    const struct standing *s, const char *name, const char *what, struct err *e)
{
	return err_sys(e, ERR_LOCAL, "%s/accounts/%s: cannot %s",
	    s->queue->path, name, what);
}

/* 1; 0 when it is not there and flags do not create it; -1. */
static int
open_file(const struct standing *s, const char *suffix, int flags, int *fd_r,
    struct err *e)
{
	char *name = file_name(s, suffix);
	int rv = 1;

	*fd_r = openat(
	    s->queue->accounts, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd_r == -1 && errno == ENOENT && (flags & O_CREAT) == 0)
		rv = 0;
	else if (*fd_r == -1)
		rv = fails(s, name, "open", e);
	free(name);
	return rv;
}

static int
read_file(const struct standing *s, int fd, struct page *p, struct err *e)
{
	struct buf text;
	int rv;

	buf_init(&text, PAGE_MAX);
	rv = file_read_fd(fd, s->account, &text, e);
	if (rv == 0)
		page_read(buf_span(&text), p);
	buf_clear(&text);
	return rv;
}

/* The file, ours alone until closed. */
struct book {
	int lock, fd;
	struct page page;
};

static void
book_close(struct book *b)
{
	if (b->fd != -1)
		close(b->fd);
	if (b->lock != -1)
		close(b->lock);
	page_clear(&b->page);
}

static int
lock_book(const struct standing *s, struct book *b, struct err *e)
{
	if (open_file(s, "@lock", O_RDWR | O_CREAT, &b->lock, e) == -1)
		return -1;
	switch (lock_fd(b->lock, false, true)) {
	case 1:
		return 0;
	case 0:
		return err_set(e, ERR_TEMP,
		    "account %s: its state is in use, and we are to stop",
		    s->account);
	default:
		return fails(s, s->account, "lock", e);
	}
}

static int
book_open(const struct standing *s, struct book *b, struct err *e)
{
	*b = (struct book){.lock = -1, .fd = -1};
	if (lock_book(s, b, e) == -1 ||
	    open_file(s, "", O_RDWR | O_CREAT | O_APPEND, &b->fd, e) == -1 ||
	    read_file(s, b->fd, &b->page, e) == -1 ||
	    (b->page.size == 0 && /* its name may be new */
		file_sync(s->queue->accounts, s->account, e) == -1)) {
		book_close(b);
		return -1;
	}
	return 0;
}

/* One line, durable; what a crash left of another is ended first. */
static int
book_add(
    const struct standing *s, struct book *b, struct buf *line, struct err *e)
{
	struct buf out;
	int rv = -1;

	buf_init(&out, line->len + 1);
	if (b->page.torn)
		buf_putc(&out, '\n');
	buf_add(&out, buf_span(line));
	b->page.torn = true; /* if it does not work */
	if (file_write(b->fd, out.data, out.len, s->account, e) == 0 &&
	    file_sync(b->fd, s->account, e) == 0) {
		b->page.torn = false;
		b->page.size += out.len;
		rv = 0;
	}
	buf_clear(&out);
	return rv;
}

/* --- written anew, shorter --------------------------------------------- */

static int
write_new(const struct standing *s, const struct page *p, int64_t now, int fd,
    struct err *e)
{
	struct buf out;
	int rv;

	buf_init(&out, PAGE_MAX);
	if (page_put(&out, p, now) == -1)
		rv = err_set(
		    e, ERR_LOCAL, "account %s: too much to keep", s->account);
	else if ((rv = file_write(fd, out.data, out.len, s->account, e)) == 0)
		rv = file_sync(fd, s->account, e);
	buf_clear(&out);
	return rv;
}

static int64_t
longest(const struct standing *s)
{
	int64_t most = 0;
	size_t i;

	for (i = 0; i < s->n_limits; i++) {
		if (s->limits[i].seconds > most)
			most = s->limits[i].seconds;
	}
	return most;
}

static int
rewrite(const struct standing *s, struct page *p, int64_t now, struct err *e)
{
	char *name = file_name(s, ""), *new = file_name(s, "@new");
	int fd, rv;

	page_shorten(p, now, longest(s));
	rv = open_file(s, "@new", O_WRONLY | O_CREAT | O_TRUNC, &fd, e);
	if (rv == 1) {
		rv = write_new(s, p, now, fd, e);
		close(fd);
	}
	if (rv == 0 &&
	    renameat(s->queue->accounts, new, s->queue->accounts, name) == -1)
		rv = fails(s, name, "replace", e);
	if (rv == 0)
		rv = file_sync(s->queue->accounts, s->account, e);
	free(name);
	free(new);
	return rv;
}

/* --- sending ----------------------------------------------------------- */

int
standing_session(
    struct standing *s, unsigned int connections, int *fd_r, struct err *e)
{
	char suffix[16];
	unsigned int i;
	int got;

	*fd_r = -1;
	for (i = 1; i <= connections; i++) {
		snprintf(suffix, sizeof(suffix), "@%u", i);
		if (open_file(s, suffix, O_RDWR | O_CREAT, fd_r, e) == -1)
			return -1;
		if ((got = lock_fd(*fd_r, false, false)) == 1)
			return 0;
		close(*fd_r);
		*fd_r = -1;
		if (got == -1)
			return fails(s, s->account, "lock a session of", e);
	}
	return 0;
}

static int
reserve(const struct standing *s, struct book *b, int64_t now, uint64_t got,
    struct err *e)
{
	struct buf line;
	int rv;

	if (got == 0)
		return 0;
	buf_init(&line, 128);
	page_put_count(&line, now, "sent", got, (uint64_t)getpid());
	rv = book_add(s, b, &line, e);
	buf_clear(&line);
	page_sent(&b->page, now, got, (uint64_t)getpid());
	return rv;
}

int
standing_reserve(struct standing *s, int64_t now, uint64_t want,
    uint64_t *got_r, int64_t *next_r, struct err *e)
{
	struct book b;
	uint64_t room;
	bool tamed;
	int rv;

	*got_r = s->n_limits == 0 ? want : 0;
	*next_r = now;
	if (s->n_limits == 0)
		return 0;
	if (book_open(s, &b, e) == -1)
		return -1;
	tamed = page_tame(&b.page, now);
	room = limit_room(
	    s->limits, s->n_limits, b.page.sent, b.page.n, now, next_r);
	room = room < want ? room : want;
	room = room < UINT32_MAX ? room : UINT32_MAX;
	if ((rv = reserve(s, &b, now, room, e)) == 0)
		*got_r = room;
	if (room < want)
		limit_room(
		    s->limits, s->n_limits, b.page.sent, b.page.n, now, next_r);
	/* It is as well the longer one, if this does not work. */
	if (rv == 0 && (tamed || b.page.size > LONG_FILE))
		(void)rewrite(s, &b.page, now, &(struct err){0});
	book_close(&b);
	return rv;
}

int
standing_give_back(struct standing *s, int64_t now, uint64_t n, struct err *e)
{
	struct book b;
	struct buf line;
	int rv;

	if (s->n_limits == 0 || n == 0)
		return 0;
	if (book_open(s, &b, e) == -1)
		return -1;
	buf_init(&line, 128);
	page_put_count(&line, now, "back", n, (uint64_t)getpid());
	rv = book_add(s, &b, &line, e);
	buf_clear(&line);
	book_close(&b);
	return rv;
}

/* --- pauses ------------------------------------------------------------ */

int
standing_pause(struct standing *s, int64_t now, int64_t until, bool login,
    int64_t stamp, const char *text, struct err *e)
{
	struct book b;
	struct buf line;
	int rv;

	if (book_open(s, &b, e) == -1)
		return -1;
	free(b.page.why);
	b.page.why = span_dup(span_of(text));
	b.page.login = login;
	b.page.since = now;
	b.page.until = until > 0 ? until : 0;
	b.page.stamp = (uint64_t)stamp;
	b.page.pauses++;
	buf_init(&line, 256 + 3 * strlen(b.page.why));
	page_put_pause(&line, &b.page);
	rv = book_add(s, &b, &line, e);
	buf_clear(&line);
	book_close(&b);
	return rv;
}

int
standing_resume(struct standing *s, struct err *e)
{
	struct book b;
	struct buf line;
	int rv = 0;

	if (book_open(s, &b, e) == -1)
		return -1;
	if (b.page.paused) {
		buf_init(&line, 64);
		buf_printf(
		    &line, "%" PRId64 " resume .\n", clock_wall_us() / 1000000);
		rv = book_add(s, &b, &line, e);
		buf_clear(&line);
	}
	book_close(&b);
	return rv;
}

/* Without the lock: a line that is just being written is not seen yet. */
static int
look(const struct standing *s, struct page *p, struct err *e)
{
	int fd, rv;

	*p = (struct page){0};
	if ((rv = open_file(s, "", O_RDONLY, &fd, e)) != 1)
		return rv;
	rv = read_file(s, fd, p, e);
	close(fd);
	return rv;
}

/* stamp NULL: whatever it is. */
static int
paused(const struct standing *s, int64_t now, const int64_t *stamp,
    int64_t *until_r, char **text_r, struct err *e)
{
	struct page p;
	int rv = look(s, &p, e);

	if (rv == 0 &&
	    page_paused(&p, now, stamp != NULL ? (uint64_t)*stamp : p.stamp)) {
		rv = 1;
		*until_r = p.until;
		if (text_r != NULL)
			*text_r = mem_strdup(p.why);
	}
	page_clear(&p);
	return rv;
}

int
standing_paused(struct standing *s, int64_t now, int64_t stamp,
    int64_t *until_r, char **text_r, struct err *e)
{
	return paused(s, now, &stamp, until_r, text_r, e);
}

int
standing_waits(struct standing *s, int64_t now, int64_t *until_r, char **text_r,
    struct err *e)
{
	return paused(s, now, NULL, until_r, text_r, e);
}

int64_t
standing_room(struct standing *s, int64_t now)
{
	struct err ignored;
	int64_t next = now;
	struct page p;

	if (s->n_limits == 0)
		return now;
	if (look(s, &p, &ignored) == 0) {
		(void)page_tame(&p, now);
		limit_room(s->limits, s->n_limits, p.sent, p.n, now, &next);
	}
	page_clear(&p);
	return next;
}

unsigned int
standing_pauses(struct standing *s)
{
	struct err ignored;
	struct page p;
	unsigned int n = 0;

	if (look(s, &p, &ignored) == 0 && p.paused)
		n = p.pauses < 1000 ? (unsigned int)p.pauses : 1000;
	page_clear(&p);
	return n;
}

/* --- what the server takes ---------------------------------------------- */

uint64_t
standing_size(struct standing *s)
{
	struct err ignored;
	struct page p;
	uint64_t most;

	most = look(s, &p, &ignored) == 0 ? p.most : 0;
	page_clear(&p);
	return most;
}

int
standing_set_size(struct standing *s, uint64_t size, struct err *e)
{
	struct book b;
	struct buf line;
	int rv = 0;

	if (standing_size(s) == size)
		return 0;
	if (book_open(s, &b, e) == -1)
		return -1;
	buf_init(&line, 64);
	page_put_most(&line, clock_wall_us() / 1000000, size);
	rv = book_add(s, &b, &line, e);
	buf_clear(&line);
	book_close(&b);
	return rv;
}
