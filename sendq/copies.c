/*
 * What sendq puts into Maildirs, exactly once: copies of what was sent, and
 * reports of what was not.
 */

#include "copies.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/header.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/durable.h"
#include "os/file.h"
#include "os/log.h"
#include "proto/smtp.h"
#include "queue_parts.h"
#include "report.h"

#define SEEN ":2,S"
#define PIECE 32768
#define REPORT_MAX (1024 * 1024)
#define SWEPT_S (36 * 3600) /* by then, a reader may have emptied tmp/ */
#define KEY SHA256_DIGEST_STRING_LENGTH
#define NO_TAG 0 /* old files only are swept: none has it */

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- opening -------------------------------------------------------------- */

/* 0; -1 with the keyword in front, unless another failed before. */
static int
open_one(const char *path, const char *keyword, struct maildir *d, bool *has_r,
    struct err *e)
{
	struct err one;

	if (path == NULL)
		return 0;
	if (maildir_open(path, true, d, &one) == -1) {
		(void)err_prefix(&one, "%s", keyword);
		if (e->kind == ERR_NONE)
			*e = one;
		return -1;
	}
	*has_r = true;
	maildir_sweep(d, NO_TAG);
	return 0;
}

int
copies_open(const struct send *s, struct copies *c, struct err *e)
{
	int a, b;

	*c = (struct copies){.send = s};
	err_clear(e);
	a = open_one(s->sent, "sent", &c->sent, &c->has_sent, e);
	b = open_one(
	    s->failed_to, "failed-to", &c->reports, &c->has_reports, e);
	return a == -1 || b == -1 ? -1 : 0;
}

void
copies_close(struct copies *c)
{
	if (c->has_sent)
		maildir_close(&c->sent);
	if (c->has_reports)
		maildir_close(&c->reports);
	c->has_sent = c->has_reports = false;
}

/* --- names ---------------------------------------------------------------- */

enum copy_kind { COPY_SENT = 's', COPY_FAILED = 'f', COPY_LATE = 'l' };

/*
 * The same for the same thing, whoever makes it, so that what a crash left is
 * found again. A later report about the same message is another.
 */
static void
key_of(const struct message *m, enum copy_kind kind, char hex[KEY])
{
	char text[96];
	SHA2_CTX sha;

	snprintf(text, sizeof(text), "/%s/%c/%u", m->id, (char)kind,
	    kind == COPY_FAILED ? m->env.reports : 0);
	SHA256Init(&sha);
	SHA256Update(
	    &sha, (const uint8_t *)m->queue->path, strlen(m->queue->path));
	SHA256Update(&sha, (const uint8_t *)text, strlen(text));
	SHA256End(&sha, hex);
	hex[16] = '\0';
}

static void
name_of(const struct message *m, enum copy_kind kind, char name[MAILDIR_NAME])
{
	char key[KEY];

	key_of(m, kind, key);
	maildir_name(m->env.created, key, name);
}

/* Whether a name in the history is of this kind. */
static bool
is_of(const struct message *m, enum copy_kind kind, const char *name)
{
	char want[MAILDIR_NAME];
	size_t n;

	name_of(m, kind, want);
	n = strlen(want);
	return strncmp(name, want, n) == 0 &&
	       (name[n] == ',' || name[n] == '\0');
}

/* --- sent copies ------------------------------------------------------------ */

static ssize_t
read_piece(int fd, uint64_t at, char *p, size_t n, struct err *e)
{
	ssize_t k;

	do
		k = pread(fd, p, n, (off_t)at);
	while (k == -1 && errno == EINTR);
	if (k == -1)
		err_sys(e, ERR_LOCAL, "cannot read the message");
	return k;
}

/* Where the header's fields end: before the empty line, if there is one. */
static int
find_fields_end(int fd, uint64_t *end_r, struct err *e)
{
	struct header_scan scan;
	char piece[PIECE];
	uint64_t at = 0;
	ssize_t n;

	header_scan_init(&scan);
	while (!scan.done) {
		n = read_piece(fd, at, piece, sizeof(piece), e);
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		at += header_scan_feed(&scan, piece, (size_t)n);
	}
	*end_r = scan.done && at >= 2 ? at - 2 : at; /* CRLF */
	return 0;
}

static int
put_range(struct spool *s, int fd, uint64_t from, uint64_t to, struct err *e)
{
	char piece[PIECE];
	size_t want;
	ssize_t n = 0;

	for (; from < to; from += (uint64_t)n) {
		want = to - from < PIECE ? (size_t)(to - from) : PIECE;
		n = read_piece(fd, from, piece, want, e);
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		if (spool_write(s, piece, (size_t)n, e) == -1)
			return -1;
	}
	return 0;
}

/* The fields that were taken out of the header, back at its end. */
static int
put_bcc(struct spool *s, const char *bcc, struct err *e)
{
	size_t n = bcc != NULL ? strlen(bcc) : 0;

	if (n == 0)
		return 0;
	if (spool_write(s, bcc, n, e) == -1)
		return -1;
	return bcc[n - 1] == '\n' ? 0 : spool_write(s, "\r\n", 2, e);
}

static int
put_message(struct spool *s, const struct message *m, struct err *e)
{
	uint64_t end;

	if (find_fields_end(m->eml_fd, &end, e) == -1 ||
	    put_range(s, m->eml_fd, 0, end, e) == -1 ||
	    put_bcc(s, m->env.bcc, e) == -1)
		return -1;
	return put_range(s, m->eml_fd, end, UINT64_MAX, e);
}

bool
copies_lacking(const struct copies *c, const struct message *m)
{
	struct uidset sent;
	bool any;

	uidset_init(&sent);
	envelope_rcpts(&m->env, RCPT_SENT, &sent);
	any = !uidset_empty(&sent);
	uidset_clear(&sent);
	return c->send->sent != NULL && any && !m->env.copied;
}

/* Whether there is something to copy, and it was not begun. */
static bool
wants_copy(const struct copies *c, const struct message *m)
{
	return c->has_sent && m->env.copying == NULL && copies_lacking(c, m);
}

/* tmp/NAME, not yet durable; the name that it will have. */
static int
spool_copy(struct copies *c, struct message *m, struct spool *s,
    char final[MAILDIR_NAME], struct err *e)
{
	char name[MAILDIR_NAME];

	name_of(m, COPY_SENT, name);
	if (m->eml_fd == -1 && message_body(m, e) == -1)
		return -1;
	if (spool_open_as(s, c->sent.tmp, name, c->sent.path, e) == -1)
		return -1;
	if (put_message(s, m, e) == -1 || spool_flush(s, e) == -1) {
		spool_abandon(s, c->sent.tmp);
		return -1;
	}
	spool_final_name(s, final);
	return 0;
}

struct copy {
	struct message *message; /* borrowed */
	struct spool spool;
	char name[MAILDIR_NAME];
};

/* The files and, behind them, their names in tmp/. */
static int
make_durable(struct copies *c, const struct copy *v, size_t n, struct err *e)
{
	struct durable_item *items = mem_array(n + 1, sizeof(*items));
	struct durable d = {0};
	size_t i;
	int rv;

	for (i = 0; i < n; i++)
		items[i] =
		    (struct durable_item){v[i].spool.fd, true, c->sent.path};
	items[n] = (struct durable_item){c->sent.tmp, false, c->sent.path};
	durable_start(&d, items, n + 1, true);
	rv = durable_wait(&d, e);
	free(items);
	return rv;
}

/* All files are there: durable, recorded, and put in their places. */
static int
place_copies(struct copies *c, struct copy *v, size_t n, struct err *e)
{
	size_t i;

	if (n == 0)
		return 0;
	if (make_durable(c, v, n, e) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (message_note(v[i].message, EVENT_COPYING, NULL, 0,
			v[i].name, e) == -1)
			return -1;
	for (i = 0; i < n; i++)
		message_start_sync(v[i].message);
	for (i = 0; i < n; i++)
		if (message_sync(v[i].message, e) == -1)
			return -1;
	for (i = 0; i < n; i++)
		if (maildir_place(&c->sent, v[i].name, SEEN, e) == -1)
			return -1;
	if (maildir_sync_places(&c->sent, e) == -1)
		return -1;
	/* Should this be lost, it is found out again. */
	for (i = 0; i < n; i++)
		if (message_note(
			v[i].message, EVENT_COPIED, NULL, 0, NULL, e) == -1)
			return -1;
	return 0;
}

int
copies_sent(struct copies *c, struct message *const *m, size_t n, struct err *e)
{
	struct copy *v = mem_array(n, sizeof(*v));
	size_t i, k = 0;
	int rv = 0;

	for (i = 0; i < n && rv == 0; i++) {
		if (!wants_copy(c, m[i]))
			continue;
		v[k].message = m[i];
		rv = spool_copy(c, m[i], &v[k].spool, v[k].name, e);
		if (rv == 0)
			k++;
	}
	if (rv == 0)
		rv = place_copies(c, v, k, e);
	for (i = 0; i < k; i++)
		spool_close(&v[i].spool);
	free(v);
	return rv;
}

/* --- reports ---------------------------------------------------------------- */

/* It is in its place, or nobody wants it. */
static int
told(struct message *m, bool late, struct err *e)
{
	struct uidset set;
	int rv;

	if (late)
		return message_note(m, EVENT_WARNED, NULL, 0, NULL, e);
	uidset_init(&set);
	report_untold(&m->env, &set);
	rv = message_note(m, EVENT_REPORTED, &set, 0, NULL, e);
	uidset_clear(&set);
	return rv;
}

static int
into_maildir(struct copies *c, struct message *m, bool late, struct span text,
    struct err *e)
{
	char name[MAILDIR_NAME], final[MAILDIR_NAME];
	struct spool s;
	int rv;

	name_of(m, late ? COPY_LATE : COPY_FAILED, name);
	if (spool_open_as(&s, c->reports.tmp, name, c->reports.path, e) == -1)
		return -1;
	rv = spool_write(&s, text.p, text.n, e);
	if (rv == 0)
		rv = spool_flush(&s, e);
	if (rv == 0)
		rv = spool_sync(&s, e);
	spool_final_name(&s, final);
	if (rv == -1)
		spool_abandon(&s, c->reports.tmp);
	spool_close(&s);
	if (rv == -1 || maildir_sync_tmp(&c->reports, e) == -1 ||
	    message_note(m, EVENT_REPORTING, NULL, 0, final, e) == -1 ||
	    message_sync(m, e) == -1 ||
	    maildir_place(&c->reports, final, NULL, e) == -1)
		return -1;
	return maildir_sync_places(&c->reports, e);
}

/* failed/ID.report, by way of tmp/: a later one replaces an earlier one. */
static int
put_beside(struct message *m, struct span text, struct err *e)
{
	char name[QUEUE_ID + 16];
	int fd, rv;

	snprintf(name, sizeof(name), "%s.report", m->id);
	fd = openat(m->queue->tmp, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_sys(e, ERR_LOCAL, "%s/tmp/%s", m->queue->path, name);
	rv = file_write(fd, text.p, text.n, name, e);
	if (rv == 0)
		rv = file_sync(fd, name, e);
	close(fd);
	if (rv == 0 &&
	    renameat(m->queue->tmp, name, m->queue->failed, name) == -1)
		rv =
		    err_sys(e, ERR_LOCAL, "%s/failed/%s", m->queue->path, name);
	if (rv == 0)
		rv = file_sync(m->queue->failed, m->queue->path, e);
	if (rv == -1)
		unlinkat(m->queue->tmp, name, 0);
	return rv;
}

/* Who tidies the spool would take it for litter. */
static int
beside(struct message *m, struct span text, struct err *e)
{
	int lock, rv;

	if (queue_lock(m->queue, true, true, &lock, e) == -1)
		return -1;
	rv = put_beside(m, text, e);
	close(lock);
	return rv;
}

/* Nobody is told about a report, nor who said that he does not want to be. */
static bool
wants_report(const struct envelope *env, bool late)
{
	unsigned int wanted = late ? SMTP_NOTIFY_DELAY : SMTP_NOTIFY_FAILURE;

	return !env->report && env->sender[0] != '\0' &&
	       (env->notify == 0 || (env->notify & wanted) != 0);
}

static int
deliver(struct copies *c, struct message *m, bool late, struct err *e)
{
	char id[KEY];
	struct buf text;
	int rv;

	key_of(m, late ? COPY_LATE : COPY_FAILED, id);
	buf_init(&text, REPORT_MAX);
	rv = report_compose(c->send, m, id, late, &text, e);
	if (rv == 0)
		rv = c->has_reports
		         ? into_maildir(c, m, late, buf_span(&text), e)
		         : beside(m, buf_span(&text), e);
	buf_clear(&text);
	return rv;
}

int
copies_report(struct copies *c, struct message *m, bool late, struct err *e)
{
	struct uidset set;
	bool news = late && !m->env.warned;

	if (!late) {
		uidset_init(&set);
		report_untold(&m->env, &set);
		news = !uidset_empty(&set);
		uidset_clear(&set);
	}
	if (!news)
		return 0;
	if (wants_report(&m->env, late) && deliver(c, m, late, e) == -1)
		return -1;
	return told(m, late, e);
}

/* --- what a crash left -------------------------------------------------------- */

/*
 * Places what was recorded. 1: it is there, or was, and its reader has done
 * something with it; 0: it never came to be there, since someone emptied tmp/
 * meanwhile: a copy too many beats none.
 */
static int
place_again(struct maildir *d, const char *name, int64_t begun,
    const char *info, struct err *e)
{
	int rv = maildir_place(d, name, info, e);

	if (rv == -1 || maildir_sync_places(d, e) == -1)
		return -1;
	return rv == 1 || now_s() - begun < SWEPT_S || maildir_has(d, name);
}

static int
recover_copy(struct copies *c, struct message *m, struct err *e)
{
	int rv;

	if (m->env.copying == NULL || m->env.copied || !c->has_sent)
		return 0;
	rv = place_again(&c->sent, m->env.copying, m->env.copying_at, SEEN, e);
	if (rv == 1)
		return message_note(m, EVENT_COPIED, NULL, 0, NULL, e);
	if (rv == 0) {
		free(m->env.copying);
		m->env.copying = NULL;
	}
	return rv;
}

static int
recover_report(struct copies *c, struct message *m, struct err *e)
{
	const char *name = m->env.reporting;
	int rv = 0;

	if (name == NULL)
		return 0;
	if (c->has_reports)
		rv = place_again(
		    &c->reports, name, m->env.reporting_at, NULL, e);
	if (rv == 1)
		return told(m, is_of(m, COPY_LATE, name), e);
	/* Nobody was told by it: what there is to tell is told anew. */
	return rv == 0 ? message_note(m, EVENT_REPORTED, NULL, 0, NULL, e) : rv;
}

int
copies_recover(struct copies *c, struct message *m, struct err *e)
{
	if (recover_copy(c, m, e) == -1)
		return -1;
	return recover_report(c, m, e);
}
