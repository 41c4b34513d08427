/*
 * A message comes in.  It is written to tmp/ of the first Maildir as it comes,
 * or, where a filter, pipe or mbox wants it first, to a file without a name.
 * Before the first: what an earlier run left on its way is put in its place.
 */

#include "inbox_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/mbox.h"
#include "os/stop.h"

#define HEAD_MAX (16 * 1024)

/* --- opening, and what an earlier run left ---------------------------------- */

/* It is nowhere: a copy too many beats a loss. */
static int
fetch_again(struct inbox *in, const struct seen_placing *p, struct err *e)
{
	struct seen_key key = {
	    .folder = p->folder, .number = p->number, .uid = span_of(p->uid)};

	strlcpy(key.digest, p->digest, sizeof(key.digest));
	return seen_put(in->seen, &key, SEEN_FAILED, e);
}

static bool
is_gone(const char *maildir)
{
	char *tmp = mem_printf("%s/tmp", maildir);
	bool gone = access(tmp, F_OK) == -1 && errno == ENOENT;

	free(tmp);
	return gone;
}

static int
settle_maildir(struct inbox *in, const struct seen_placing *p, struct err *e)
{
	int64_t age = clock_wall_us() / 1000000 - p->since;
	struct maildir m;
	int rv;

	/* Removed, or its file system is not mounted. */
	if (is_gone(p->dest))
		return fetch_again(in, p, e);
	if (maildir_open(p->dest, true, &m, e) == -1)
		return -1;
	rv = maildir_place(&m, p->name, NULL, e);
	if (rv == 1)
		rv = maildir_sync_places(&m, e);
	else if (rv == 0 && age > 36 * 3600 && !maildir_has(&m, p->name))
		rv = fetch_again(in, p, e); /* a reader may have swept tmp/ */
	maildir_close(&m);
	return rv;
}

static int
settle_mbox(struct inbox *in, const struct seen_placing *p, struct err *e)
{
	char name[MAILDIR_NAME];
	int msg, fd, rv;

	strlcpy(name, p->name, sizeof(name));
	name[strcspn(name, ",")] = '\0';
	msg = openat(in->spool_fd, name, O_RDONLY | O_CLOEXEC);
	if (msg == -1)
		return errno == ENOENT ? 0
		                       : err_sys(e, ERR_LOCAL, "%s/%s",
					     in->spool_dir, name);
	rv = mbox_open(p->dest, &fd, e);
	if (rv == 0) {
		rv = mbox_settle(fd, p->at, msg, p->name, e);
		close(fd);
	}
	if (rv == 0)
		unlinkat(in->spool_fd, name, 0);
	close(msg);
	return rv;
}

/* Nothing is under way: every file in the spool directory is a remnant. */
static void
sweep_spool(struct inbox *in)
{
	DIR *d = opendir(in->spool_dir);
	struct dirent *de;

	if (d == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			unlinkat(in->spool_fd, de->d_name, 0);
	closedir(d);
}

int
inbox_leftovers(struct inbox *in, struct err *e)
{
	struct seen_placing *list;
	size_t i, n;
	int rv;

	rv = seen_placings(in->seen, &list, &n, e);
	for (i = 0; rv == 0 && i < n; i++) {
		rv = list[i].mbox ? settle_mbox(in, &list[i], e)
		                  : settle_maildir(in, &list[i], e);
	}
	seen_placings_free(list, n);
	/* The rows go now: their files must not be looked for again when
	 * the reader has long moved on. */
	if (rv == 0 && n > 0)
		rv = seen_clear_placing(in->seen, e);
	in->placing = in->unplaced = rv == -1;
	return rv;
}

static int
open_targets(struct inbox *in, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t i;

	in->maildirs = mem_array(f->n_targets, sizeof(*in->maildirs));
	for (i = 0; i < f->n_targets; i++) {
		if (f->targets[i].kind == TARGET_MAILDIR &&
		    maildir_open(
			f->targets[i].path, true, &in->maildirs[i], e) == -1)
			return -1;
		/* In the sandbox there can be no new one. */
		if (f->targets[i].kind == TARGET_MBOX &&
		    mbox_create(f->targets[i].path, e) == -1)
			return -1;
	}
	return 0;
}

int
inbox_open(const struct fetch *f, const struct options *o, struct seen *seen,
    int ask_fd, struct inbox **in_r, struct err *e)
{
	struct inbox *in = mem_alloc(sizeof(*in));
	size_t i;

	*in = (struct inbox){.fetch = f,
	    .options = o,
	    .seen = seen,
	    .ask_fd = ask_fd,
	    .spool_fd = -1};
	in->spool_dir = mem_printf("%s.spool", f->state);
	in->direct = f->n_filters == 0 && f->n_targets > 0 &&
	             f->targets[0].kind == TARGET_MAILDIR;
	in->batch_max = BATCH_MESSAGES / (f->n_targets + 1) * 2;
	for (i = 0; i < f->n_targets; i++)
		in->eager |= f->targets[i].kind == TARGET_PIPE ||
		             f->targets[i].kind == TARGET_STDOUT;
	in->filling.parcels = mem_array(BATCH_MESSAGES, sizeof(struct parcel));
	in->going.parcels = mem_array(BATCH_MESSAGES, sizeof(struct parcel));
	in->cookies = mem_array(2 * BATCH_MESSAGES, sizeof(*in->cookies));
	buf_init(&in->head, HEAD_MAX);
	if (seen_tag(seen, &in->tag, e) == -1 ||
	    file_mkdirs(in->spool_dir, e) == -1 ||
	    file_opendir(in->spool_dir, &in->spool_fd, e) == -1 ||
	    inbox_leftovers(in, e) == -1 || open_targets(in, e) == -1) {
		inbox_close(in);
		return -1;
	}
	for (i = 0; i < f->n_targets; i++)
		if (in->maildirs[i].path != NULL)
			maildir_sweep(&in->maildirs[i], in->tag);
	sweep_spool(in);
	*in_r = in;
	return 0;
}

void
inbox_close(struct inbox *in)
{
	struct err ignored;
	size_t i;

	if (in == NULL)
		return;
	inbox_discard(in);
	/* What is not in place yet is the next run's. */
	if (!in->unplaced)
		(void)inbox_rest(in, &ignored);
	for (i = 0; in->maildirs != NULL && i < in->fetch->n_targets; i++)
		maildir_close(&in->maildirs[i]);
	if (in->spool_fd != -1)
		close(in->spool_fd);
	buf_clear(&in->head);
	free(in->maildirs);
	free(in->spool_dir);
	free(in->filling.parcels);
	free(in->going.parcels);
	free(in->items);
	free(in->cookies);
	free(in);
}

/* --- a message comes in ------------------------------------------------------ */

/* Opens a file without a name, dressed as a spool. */
static int
stage_open(struct inbox *in, struct spool *s, struct err *e)
{
	*s = (struct spool){.fd = -1, .what = in->spool_dir};
	buf_init(&s->out, 128 * 1024);
	return file_temp(in->spool_dir, &s->fd, e);
}

static int
add_headers(struct inbox *in, struct err *e)
{
	const struct fetch *f = in->fetch;
	char *line, date[64], host[128];
	time_t t = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	int rv = 0;

	if (f->add_delivered_to) {
		line = mem_printf("Delivered-To: %s\n", f->account.user);
		rv = spool_raw(&in->spool, line, strlen(line), e);
		free(line);
	}
	if (rv == 0 && f->add_received) {
		gethostname(host, sizeof(host));
		host[sizeof(host) - 1] = '\0';
		gmtime_r(&t, &tm);
		strftime(
		    date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
		line = mem_printf("Received: from %s by %s with %s (fetchd %s)"
				  ";\n\t%s\n",
		    f->imap ? f->account.imap.host : f->account.pop3.host, host,
		    f->imap ? "IMAP" : "POP3", VERSION, date);
		rv = spool_raw(&in->spool, line, strlen(line), e);
		free(line);
	}
	return rv;
}

int
inbox_begin(struct inbox *in, const struct inbox_item *item, struct err *e)
{
	int rv;

	inbox_abort(in);
	in->item = *item;
	header_scan_init(&in->scan);
	header_digest_init(&in->digest);
	buf_reset(&in->head);
	if (in->direct)
		rv = spool_open(&in->spool, in->maildirs[0].tmp, in->tag,
		    in->maildirs[0].path, e);
	else
		rv = stage_open(in, &in->spool, e);
	if (rv == -1)
		return -1;
	in->open = true;
	return add_headers(in, e);
}

int
inbox_data(struct inbox *in, const char *p, size_t n, struct err *e)
{
	size_t head;

	if (!in->scan.done) {
		head = header_scan_feed(&in->scan, p, n);
		header_digest_feed(&in->digest, p, head);
		if (head > buf_room(&in->head))
			head = buf_room(&in->head);
		buf_append(&in->head, p, head);
	}
	return spool_write(&in->spool, p, n, e);
}

void
inbox_identify(struct inbox *in, const struct inbox_item *item)
{
	in->item = *item;
}

void
inbox_abort(struct inbox *in)
{
	if (!in->open)
		return;
	if (in->direct)
		spool_abandon(&in->spool, in->maildirs[0].tmp);
	else
		spool_close(&in->spool);
	in->open = false;
}

/* A stop: commands that have not begun would hold it up. */
static int
stop(struct inbox *in, struct err *e)
{
	const size_t *cookies;
	size_t n;

	inbox_abort(in);
	if (inbox_settle(in, true, &cookies, &n, e) == -1)
		return -1;
	return err_set(e, ERR_TEMP, "stopped");
}

int
inbox_end(struct inbox *in, bool check_known, enum inbox_result *result_r,
    struct err *e)
{
	struct inbox_item *it = &in->item;
	bool drop;
	int known;

	header_digest_hex(&in->digest, it->key.digest);
	if (check_known) {
		known = seen_find_digest(
		    in->seen, it->key.folder, it->key.digest, e);
		if (known != 0) {
			*result_r = INBOX_KNOWN;
			inbox_abort(in);
			return known == -1 ? -1
			                   : seen_rekey(in->seen, &it->key, e);
		}
	}
	if (in->fetch->commands.n > 0 && stop_requested())
		return stop(in, e);
	if (spool_flush(&in->spool, e) == -1)
		return -1;
	if (inbox_process(in, &drop, e) == -1) {
		*result_r = INBOX_REFUSED;
		inbox_abort(in);
		/* A full disk or a broken state is not the message's fault. */
		return e->kind == ERR_LOCAL ? -1 : 0;
	}
	*result_r = INBOX_QUEUED;
	if (inbox_add(in, it->headers_only ? SEEN_HEADERS : SEEN_FETCHED, !drop,
		e) == -1)
		return -1;
	inbox_abort(in);
	return 0;
}

/* --- learning what is there ------------------------------------------------------ */

static int
learn_file(struct inbox *in, int fd, const char *name, struct err *e)
{
	struct seen_key key = {.uid = span_of(name)};
	struct header_scan scan;
	struct header_digest digest;
	char chunk[16 * 1024];
	ssize_t k;
	size_t head;

	header_scan_init(&scan);
	header_digest_init(&digest);
	while (!scan.done && (k = read(fd, chunk, sizeof(chunk))) > 0) {
		head = header_scan_feed(&scan, chunk, (size_t)k);
		header_digest_feed(&digest, chunk, head);
	}
	header_digest_hex(&digest, key.digest);
	return seen_put(in->seen, &key, SEEN_LOCAL, e);
}

int
inbox_learn(struct inbox *in, size_t *n_r, struct err *e)
{
	struct maildir_walk *it;
	const char *name;
	size_t t;
	int fd, rv = 0;

	*n_r = 0;
	if (seen_begin(in->seen, e) == -1)
		return -1;
	for (t = 0; rv == 0 && t < in->fetch->n_targets; t++) {
		it = NULL;
		if (in->maildirs[t].path == NULL)
			continue;
		while (maildir_next(&in->maildirs[t], &it, &fd, &name) == 1) {
			if (rv == 0)
				rv = learn_file(in, fd, name, e);
			close(fd);
			(*n_r)++;
		}
	}
	if (rv == 0)
		return seen_commit(in->seen, e);
	seen_rollback(in->seen);
	return -1;
}
