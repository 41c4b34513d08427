/*
 * Deliveries.  A message is written to tmp/ of the first Maildir as it comes,
 * or, where a filter, pipe or mbox wants it first, to a file without a name.
 * A batch is made durable, recorded as being placed, placed, and made durable
 * there: in that order, so that a kill or power cut at any instruction loses
 * nothing and doubles nothing.
 */

#include "inbox.h"

#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/header.h"
#include "base/mem.h"
#include "os/ask.h"
#include "os/clock.h"
#include "os/command.h"
#include "os/file.h"
#include "os/log.h"
#include "os/maildir.h"
#include "os/mbox.h"

#define BATCH_MESSAGES 256
#define BATCH_BYTES    (8u << 20)
#define BATCH_MS       1000
#define HEAD_MAX       (16 * 1024)

/* A spooled file and the target it is for. */
struct entry {
	size_t target;
	struct spool spool;
	char name[MAILDIR_NAME];
	int64_t at, length; /* mbox */
};

/* A message of the batch. */
struct parcel {
	struct seen_key key; /* uid owned */
	enum seen_status status;
	size_t cookie;
	struct entry *entries; /* owned */
	size_t n;
};

struct inbox {
	const struct fetch *fetch;     /* borrowed */
	const struct options *options; /* borrowed */
	struct seen *seen;             /* borrowed */
	int ask_fd;
	uint32_t tag;
	struct maildir *maildirs; /* owned: one per target; unused for others */
	char *spool_dir;          /* owned: for mbox, filters and pipes */
	int spool_fd;
	bool direct; /* the first target is a Maildir and nothing comes before */
	bool eager;  /* settle each message: a pipe cannot be taken back */
	size_t batch_max; /* messages: each holds a descriptor per target */

	struct parcel *batch; /* owned, BATCH_MESSAGES */
	size_t n;
	uint64_t bytes;
	int64_t started;
	size_t *cookies; /* owned: of the batch settled last */
	struct seen_folder mark; /* id 0: none */
	bool placing;    /* rows are in the state */

	/* the message that is coming in */
	struct inbox_item item;
	bool open;
	struct spool spool;
	struct header_scan scan;
	struct header_digest digest;
	struct buf head; /* for the commands' environment */
};

/* --- opening, and what an earlier run left ---------------------------------- */

static int
settle_maildir(struct inbox *in, const struct seen_placing *p, struct err *e)
{
	struct maildir m;
	struct seen_key key = {.folder = p->folder, .number = p->number,
	    .uid = span_of(p->uid)};
	int64_t age = clock_wall_us() / 1000000 - p->since;
	int rv;

	if (maildir_open(p->dest, true, &m, e) == -1)
		return -1;
	rv = maildir_place(&m, p->name, NULL, e);
	if (rv == 1)
		rv = maildir_sync_places(&m, e);
	else if (rv == 0 && age > 36 * 3600 && !maildir_has(&m, p->name)) {
		/* A reader may have swept tmp/: a copy too many beats a loss. */
		strlcpy(key.digest, p->digest, sizeof(key.digest));
		rv = seen_put(in->seen, &key, SEEN_FAILED, e);
	}
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
		return errno == ENOENT ? 0 :
		    err_sys(e, ERR_LOCAL, "%s/%s", in->spool_dir, name);
	rv = mbox_open(p->dest, &fd, e);
	if (rv == 0) {
		rv = mbox_settle(fd, p->at, msg, p->name, e);
		close(fd);
	}
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

static int
settle_leftovers(struct inbox *in, struct err *e)
{
	struct seen_placing *list;
	size_t i, n;
	int rv;

	rv = seen_placings(in->seen, &list, &n, e);
	in->placing = n > 0;
	for (i = 0; rv == 0 && i < n; i++) {
		rv = list[i].mbox ? settle_mbox(in, &list[i], e) :
		    settle_maildir(in, &list[i], e);
	}
	seen_placings_free(list, n);
	/* The rows go now: their files must not be looked for again when
	 * the reader has long moved on. */
	if (rv == 0 && n > 0) {
		rv = seen_clear_placing(in->seen, e);
		in->placing = false;
	}
	return rv;
}

static int
open_targets(struct inbox *in, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t i;

	in->maildirs = mem_array(f->n_targets, sizeof(*in->maildirs));
	for (i = 0; i < f->n_targets; i++) {
		if (f->targets[i].kind != TARGET_MAILDIR)
			continue;
		if (maildir_open(f->targets[i].path, true, &in->maildirs[i],
		    e) == -1)
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

	*in = (struct inbox){.fetch = f, .options = o, .seen = seen,
	    .ask_fd = ask_fd, .spool_fd = -1};
	in->spool_dir = mem_printf("%s.spool", f->state);
	in->direct = f->n_filters == 0 && f->n_targets > 0 &&
	    f->targets[0].kind == TARGET_MAILDIR;
	in->batch_max = BATCH_MESSAGES / (f->n_targets + 1) * 2;
	for (i = 0; i < f->n_targets; i++)
		in->eager |= f->targets[i].kind == TARGET_PIPE ||
		    f->targets[i].kind == TARGET_STDOUT;
	in->batch = mem_array(BATCH_MESSAGES, sizeof(*in->batch));
	in->cookies = mem_array(BATCH_MESSAGES, sizeof(*in->cookies));
	buf_init(&in->head, HEAD_MAX);
	if (seen_tag(seen, &in->tag, e) == -1 ||
	    file_mkdirs(in->spool_dir, e) == -1 ||
	    file_opendir(in->spool_dir, &in->spool_fd, e) == -1 ||
	    open_targets(in, e) == -1 || settle_leftovers(in, e) == -1) {
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

static int
entry_dir(const struct inbox *in, const struct entry *en)
{
	const struct maildir *m = &in->maildirs[en->target];

	return m->path != NULL ? m->tmp : in->spool_fd;
}

static void
parcel_clear(struct parcel *p)
{
	free((void *)(uintptr_t)p->key.uid.p);
	free(p->entries);
	*p = (struct parcel){0};
}

static void
parcel_abandon(struct inbox *in, struct parcel *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		spool_abandon(&p->entries[i].spool, entry_dir(in, &p->entries[i]));
	parcel_clear(p);
}

void
inbox_close(struct inbox *in)
{
	size_t i;

	if (in == NULL)
		return;
	inbox_abort(in);
	for (i = 0; i < in->n; i++)
		parcel_abandon(in, &in->batch[i]);
	for (i = 0; in->maildirs != NULL && i < in->fetch->n_targets; i++)
		maildir_close(&in->maildirs[i]);
	if (in->spool_fd != -1)
		close(in->spool_fd);
	buf_clear(&in->head);
	free(in->maildirs);
	free(in->spool_dir);
	free(in->batch);
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
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000",
		    &tm);
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

/* --- filters and pipes -------------------------------------------------------- */

static void
env_add(struct words *env, const char *name, struct span value)
{
	char *v = span_dup(value), *w = mem_printf("%s=%s", name, v);
	size_t i;

	for (i = 0; w[i] != '\0'; i++)
		if (w[i] == '\n' || w[i] == '\r')
			w[i] = ' ';
	words_add(env, w);
	free(v);
	free(w);
}

/* The address in the first of these fields that has one. */
static struct span
find_address(struct span head, const char *const *fields)
{
	struct span body, addr;

	for (; *fields != NULL; fields++)
		if (header_find(head, *fields, &body) &&
		    header_address(body, &addr))
			return addr;
	return (struct span){NULL, 0};
}

static void
make_env(struct inbox *in, struct words *env)
{
	static const char *const from[] = {"Return-Path", "From", NULL};
	static const char *const to[] = {"Delivered-To", "X-Original-To",
	    "Envelope-To", NULL};
	struct span head = buf_span(&in->head), rcpt = find_address(head, to);
	struct span domain;
	ptrdiff_t at;
	char size[24];

	if (rcpt.n == 0)
		rcpt = span_of(in->fetch->account.user);
	at = span_find(rcpt, '@');
	domain = at >= 0 ? span_skip(rcpt, (size_t)at + 1) : span_of("");
	snprintf(size, sizeof(size), "%llu",
	    (unsigned long long)in->spool.bytes);
	env_add(env, "SENDER", find_address(head, from));
	env_add(env, "RECIPIENT", rcpt);
	env_add(env, "LOCAL",
	    at >= 0 ? (struct span){rcpt.p, (size_t)at} : rcpt);
	env_add(env, "DOMAIN", domain);
	env_add(env, "FETCHD_ACCOUNT", span_of(in->fetch->name));
	env_add(env, "FETCHD_FOLDER", span_of(in->item.folder));
	env_add(env, "FETCHD_UID", span_of(in->item.uid));
	env_add(env, "FETCHD_SIZE", span_of(size));
}

/* Runs a command over the message; *code_r its exit code. */
static int
run_command(struct inbox *in, size_t index, int out, const struct words *env,
    int *code_r, struct err *e)
{
	const char *line = in->fetch->commands.v[index];
	char text[64];
	int status;

	if (lseek(in->spool.fd, 0, SEEK_SET) == -1)
		return err_sys(e, ERR_LOCAL, "%s", in->spool_dir);
	if (ask_command(in->ask_fd, (int)index, in->spool.fd, out, env, &status,
	    e) == -1)
		return err_prefix(e, "%s", line);
	command_status(status, text);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || out != -1)) {
		*code_r = WEXITSTATUS(status);
		if (*code_r != 0)
			err_set(e, ERR_MESSAGE, "%s: %s", line, text);
		return 0;
	}
	return err_set(e, ERR_MESSAGE, "%s: %s", line, text);
}

/* 1: passed; 0: dropped; -1: refused. */
static int
run_filters(struct inbox *in, const struct words *env, struct err *e)
{
	size_t i;
	int out, code;
	off_t size;

	for (i = 0; i < in->fetch->n_filters; i++) {
		if (file_temp(in->spool_dir, &out, e) == -1)
			return -1;
		if (run_command(in, i, out, env, &code, e) == -1 ||
		    (code != 0 && !in->fetch->drop[code])) {
			close(out);
			return -1;
		}
		close(in->spool.fd);
		in->spool.fd = out;
		if (code != 0)
			return 0;
		size = lseek(out, 0, SEEK_END);
		if (size <= 0)
			return err_set(e, ERR_MESSAGE, "%s: gave nothing back",
			    in->fetch->commands.v[i]);
		in->spool.bytes = (uint64_t)size;
	}
	return 1;
}

static int
write_stdout(struct inbox *in, struct err *e)
{
	char name[MAILDIR_NAME];

	maildir_unique(in->tag, name);
	if (mbox_write(STDOUT_FILENO, in->spool.fd, name, e) == -1)
		return err_prefix(e, "standard output");
	return 0;
}

static const char *
target_name(const struct fetch *f, const struct target *t)
{
	switch (t->kind) {
	case TARGET_MAILDIR:
	case TARGET_MBOX:
		return t->path;
	case TARGET_STDOUT:
		return "-";
	case TARGET_PIPE:
		return f->commands.v[t->command];
	}
	return "";
}

/* Remembers that a pipe took it, while other targets may yet refuse. */
static int
note_part(struct inbox *in, const struct target *t, struct err *e)
{
	if (in->fetch->n_targets == 1)
		return 0;
	return seen_part(in->seen, &in->item.key, target_name(in->fetch, t), e);
}

/* The targets that take the message at once; -1: refused. */
static int
run_pipes(struct inbox *in, const struct words *env, struct err *e)
{
	const struct fetch *f = in->fetch;
	int rv, code;
	size_t i;

	for (i = 0; i < f->n_targets; i++) {
		const struct target *t = &f->targets[i];

		if (t->kind != TARGET_PIPE && t->kind != TARGET_STDOUT)
			continue;
		if (f->n_targets > 1 && (rv = seen_has_part(in->seen,
		    &in->item.key, target_name(f, t), e)) != 0) {
			if (rv == -1)
				return -1;
			continue;
		}
		if (t->kind == TARGET_STDOUT)
			rv = write_stdout(in, e);
		else
			rv = run_command(in, (size_t)t->command, -1, env,
			    &code, e);
		if (rv == -1 || note_part(in, t, e) == -1)
			return -1;
	}
	return 0;
}

/* --- the batch ---------------------------------------------------------------- */

static int
copy_spool(struct spool *to, int from_fd, struct err *e)
{
	char chunk[32 * 1024];
	off_t at = 0;
	ssize_t k;

	while ((k = pread(from_fd, chunk, sizeof(chunk), at)) != 0) {
		if (k == -1 && errno == EINTR)
			continue;
		if (k == -1)
			return err_sys(e, ERR_LOCAL, "%s", to->what);
		if (spool_raw(to, chunk, (size_t)k, e) == -1)
			return -1;
		at += k;
	}
	return spool_flush(to, e);
}

/* Adds the message to the batch, with a file for each target that is one. */
static int
add_parcel(struct inbox *in, enum seen_status status, bool files, struct err *e)
{
	const struct fetch *f = in->fetch;
	struct parcel *p = &in->batch[in->n];
	size_t i;

	*p = (struct parcel){.key = in->item.key, .status = status,
	    .cookie = in->item.cookie};
	p->key.uid.p = p->key.uid.n > 0 ? span_dup(in->item.key.uid) : NULL;
	p->entries = mem_array(f->n_targets, sizeof(*p->entries));
	if (in->n++ == 0)
		in->started = clock_ms();
	in->bytes += in->spool.bytes;
	for (i = 0; files && i < f->n_targets; i++) {
		struct entry *en = &p->entries[p->n];
		bool maildir = f->targets[i].kind == TARGET_MAILDIR;

		if (!maildir && f->targets[i].kind != TARGET_MBOX)
			continue;
		en->target = i;
		if (i == 0 && in->direct) {
			en->spool = in->spool;
			in->open = false;
			p->n++;
		} else {
			if (spool_open(&en->spool, maildir ?
			    in->maildirs[i].tmp : in->spool_fd, in->tag,
			    f->targets[i].path, e) == -1)
				return -1;
			p->n++;
			if (copy_spool(&en->spool, in->direct ?
			    p->entries[0].spool.fd : in->spool.fd, e) == -1)
				return -1;
		}
		spool_final_name(&en->spool, en->name);
		/* By the time the batch is settled it will be mostly done. */
		spool_start_sync(&en->spool);
	}
	return 0;
}

/* Filters and pipes; INBOX_QUEUED with *drop_r, or INBOX_REFUSED. */
static int
process(struct inbox *in, bool *drop_r, struct err *e)
{
	struct words env;
	int rv = 1;

	*drop_r = false;
	if (in->fetch->commands.n == 0 && in->direct)
		return 0;
	words_init(&env);
	make_env(in, &env);
	rv = run_filters(in, &env, e);
	*drop_r = rv == 0;
	if (rv == 1)
		rv = run_pipes(in, &env, e);
	words_clear(&env);
	return rv == -1 ? -1 : 0;
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
		known = seen_find_digest(in->seen, it->key.folder,
		    it->key.digest, e);
		if (known != 0) {
			*result_r = INBOX_KNOWN;
			inbox_abort(in);
			return known == -1 ? -1 : seen_rekey(in->seen,
			    &it->key, e);
		}
	}
	if (spool_flush(&in->spool, e) == -1)
		return -1;
	if (process(in, &drop, e) == -1) {
		*result_r = INBOX_REFUSED;
		inbox_abort(in);
		/* A full disk or a broken state is not the message's fault. */
		return e->kind == ERR_LOCAL ? -1 : 0;
	}
	*result_r = INBOX_QUEUED;
	if (add_parcel(in, it->headers_only ? SEEN_HEADERS : SEEN_FETCHED,
	    !drop, e) == -1)
		return -1;
	inbox_abort(in);
	return 0;
}

/* --- settling ------------------------------------------------------------------ */

static int
sync_batch(struct inbox *in, struct err *e)
{
	size_t i, k;
	bool spooled = false;

	for (i = 0; i < in->n; i++)
		for (k = 0; k < in->batch[i].n; k++) {
			struct entry *en = &in->batch[i].entries[k];

			if (spool_sync(&en->spool, e) == -1)
				return -1;
			spooled |= in->maildirs[en->target].path == NULL;
		}
	for (i = 0; i < in->fetch->n_targets; i++)
		if (in->maildirs[i].path != NULL &&
		    maildir_sync_tmp(&in->maildirs[i], e) == -1)
			return -1;
	return spooled ? file_sync(in->spool_fd, in->spool_dir, e) : 0;
}

/* Gives each message for an mbox its place; *fds: the locked files. */
static int
reserve_mboxes(struct inbox *in, int *fds, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t i, k, t;
	off_t at;

	for (t = 0; t < f->n_targets; t++) {
		if (f->targets[t].kind != TARGET_MBOX)
			continue;
		if (mbox_open(f->targets[t].path, &fds[t], e) == -1)
			return -1;
		at = lseek(fds[t], 0, SEEK_END);
		for (i = 0; i < in->n; i++)
			for (k = 0; k < in->batch[i].n; k++) {
				struct entry *en = &in->batch[i].entries[k];

				if (en->target != t)
					continue;
				en->at = at;
				if (mbox_measure(en->spool.fd, en->name,
				    &en->length, e) == -1)
					return -1;
				at += en->length;
			}
	}
	return 0;
}

static int
record_parcel(struct inbox *in, const struct parcel *p, struct err *e)
{
	const struct fetch *f = in->fetch;
	size_t k;

	if (seen_put(in->seen, &p->key, p->status, e) == -1)
		return -1;
	for (k = 0; k < p->n; k++) {
		const struct entry *en = &p->entries[k];
		const struct target *t = &f->targets[en->target];

		if (seen_placing(in->seen, &p->key, t->path, en->name,
		    t->kind == TARGET_MBOX, en->at, en->length, e) == -1)
			return -1;
	}
	return 0;
}

static int
record_batch(struct inbox *in, struct err *e)
{
	size_t i;

	if (seen_begin(in->seen, e) == -1)
		return -1;
	if (in->placing && seen_clear_placing(in->seen, e) == -1)
		goto failed;
	for (i = 0; i < in->n; i++)
		if (record_parcel(in, &in->batch[i], e) == -1)
			goto failed;
	if (in->mark.id != 0 && seen_folder_set(in->seen, &in->mark, e) == -1)
		goto failed;
	if (seen_commit(in->seen, e) == -1)
		return -1;
	in->placing = in->n > 0;
	in->mark.id = 0;
	return 0;
failed:
	seen_rollback(in->seen);
	return -1;
}

static void
print_path(struct inbox *in, const struct entry *en)
{
	const struct target *t = &in->fetch->targets[en->target];

	if (t->kind == TARGET_MAILDIR)
		printf("%s/new/%s", t->path, en->name);
	else
		printf("%s", t->path);
	putchar(in->options->nul ? '\0' : '\n');
}

static int
place_batch(struct inbox *in, const int *fds, struct err *e)
{
	size_t i, k, t;

	for (i = 0; i < in->n; i++)
		for (k = 0; k < in->batch[i].n; k++) {
			struct entry *en = &in->batch[i].entries[k];
			struct maildir *m = &in->maildirs[en->target];

			if (m->path != NULL ?
			    maildir_place(m, en->name, NULL, e) == -1 :
			    mbox_write(fds[en->target], en->spool.fd, en->name,
			    e) == -1)
				return -1;
		}
	for (t = 0; t < in->fetch->n_targets; t++) {
		if (in->maildirs[t].path != NULL &&
		    maildir_sync_places(&in->maildirs[t], e) == -1)
			return -1;
		if (fds[t] != -1 &&
		    file_sync(fds[t], in->fetch->targets[t].path, e) == -1)
			return -1;
	}
	return 0;
}

/* The batch is in place: closes, prints, forgets. */
static void
finish_batch(struct inbox *in)
{
	size_t i, k;

	for (i = 0; i < in->n; i++) {
		struct parcel *p = &in->batch[i];

		for (k = 0; k < p->n; k++) {
			if (in->options->print)
				print_path(in, &p->entries[k]);
			if (in->maildirs[p->entries[k].target].path == NULL)
				spool_abandon(&p->entries[k].spool,
				    in->spool_fd);
			else
				spool_close(&p->entries[k].spool);
		}
		in->cookies[i] = p->cookie;
		parcel_clear(p);
	}
	if (in->options->print)
		fflush(stdout);
	in->n = 0;
	in->bytes = 0;
}

/* On failure after the record, the files must stay: the next run places
 * them. */
static void
leave_batch(struct inbox *in)
{
	size_t i, k;

	for (i = 0; i < in->n; i++) {
		for (k = 0; k < in->batch[i].n; k++)
			spool_close(&in->batch[i].entries[k].spool);
		parcel_clear(&in->batch[i]);
	}
	in->n = 0;
}

static int
settle_batch(struct inbox *in, int *fds, struct err *e)
{
	if (sync_batch(in, e) == -1 || reserve_mboxes(in, fds, e) == -1)
		return -1;
	if (record_batch(in, e) == -1) {
		/* A commit that failed may yet be durable: keep the files. */
		leave_batch(in);
		return -1;
	}
	if (place_batch(in, fds, e) == -1) {
		leave_batch(in);
		return -1;
	}
	return 0;
}

int
inbox_settle(struct inbox *in, bool now, const size_t **cookies_r, size_t *n_r,
    struct err *e)
{
	size_t t, n_targets = in->fetch->n_targets;
	int *fds, rv;

	*n_r = 0;
	*cookies_r = in->cookies;
	if (in->n == 0 && (!now || in->mark.id == 0))
		return 0;
	if (!now && !in->eager && in->n < in->batch_max &&
	    in->bytes < BATCH_BYTES && clock_ms() - in->started < BATCH_MS)
		return 0;
	fds = mem_array(n_targets, sizeof(*fds));
	for (t = 0; t < n_targets; t++)
		fds[t] = -1;
	rv = settle_batch(in, fds, e);
	for (t = 0; t < n_targets; t++)
		if (fds[t] != -1)
			close(fds[t]);
	free(fds);
	if (rv == -1)
		return -1;
	*n_r = in->n;
	finish_batch(in);
	return 0;
}

int64_t
inbox_due(const struct inbox *in)
{
	return in->n > 0 ? in->started + BATCH_MS : 0;
}

void
inbox_watermark(struct inbox *in, const struct seen_folder *f)
{
	in->mark = *f;
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
