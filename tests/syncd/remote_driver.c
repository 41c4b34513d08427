/*
 * Asks a server what syncd asks, one operation after the other in a session,
 * and prints what came of it:
 *
 *	remote_driver URL [OPERATION ARGUMENT... [-- OPERATION ARGUMENT...]...]
 *
 *	survey [subscribed] [PATTERN...]
 *	diffs [sizes] [ids] [full] FOLDER...	and remembers them in the file STATE
 *	fetch [header | id] {FOLDER UIDS}...
 *	append {FOLDER FLAGS DATE FILE}...
 *	store [since] {FOLDER UIDS +FLAGS | -FLAGS | +FLAGS-FLAGS}...
 *	move {FROM UIDS TO}...
 *	delete {FOLDER UIDS}...
 *	create FOLDER...
 *	rename FROM TO
 *	remove FOLDER
 *	wait FILE	makes FILE.there, and goes on when FILE is there
 *
 * FLAGS are letters as in Maildir names (a is the keyword $Label1, b $Label2
 * ...), or "."; "since" guards by the modseq that STATE has. The password is
 * "pw". Environment: STATE; BODIES, a folder for what is fetched; PROTOCOL=1
 * shows the protocol.
 */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "client/server.h"
#include "os/log.h"
#include "os/parent.h"
#include "os/stop.h"
#include "remote.h"

struct driver {
	struct account account;
	char **args;
	struct remote remote;
	struct sync sync;
	struct folders_remote *list;
	size_t n_list;
	struct local_keywords keywords;
	FILE *body; /* of the message that comes in */
	char path[512];
};

static struct err e;
static const char letters[] = "SRFTDP";

/* --- words ------------------------------------------------------------------- */

static void
print_error(const char *what, const char *on, const struct err *why)
{
	printf("%s %s: error %d: %s\n", what, on, (int)why->kind, why->text);
}

/* Prints it, if there is one. */
static bool
failed(const char *what, const char *on, const struct err *why)
{
	if (why != NULL)
		print_error(what, on, why);
	return why != NULL;
}

static void
print_flags(plan_flags flags)
{
	int i;

	putchar(' ');
	if (flags == 0)
		putchar('.');
	for (i = 0; i < 6; i++)
		if ((flags & (plan_flags)1 << i) != 0)
			putchar(letters[i]);
	for (i = 0; i < 26; i++)
		if ((flags & PLAN_KEYWORD(i)) != 0)
			putchar('a' + i);
}

/* The letters up to one that is none; *s is then that. */
static plan_flags
read_flags(const char **s)
{
	plan_flags flags = 0;
	const char *p;

	for (; **s != '\0' && **s != '+' && **s != '-'; (*s)++)
		if ((p = strchr(letters, **s)) != NULL)
			flags |= (plan_flags)1 << (p - letters);
		else if (**s >= 'a' && **s <= 'z')
			flags |= PLAN_KEYWORD(**s - 'a');
	return flags;
}

static char *
set_text(const struct uidset *set)
{
	struct buf text;
	char *copy;

	buf_init(&text, 1 << 20);
	uidset_format(set, 1, 1 << 20, &text);
	copy = mem_strdup(text.len > 0 ? buf_cstr(&text) : "-");
	buf_clear(&text);
	return copy;
}

static struct uidset
read_set(const char *s)
{
	struct uidset set;

	uidset_init(&set);
	if (strcmp(s, "-") != 0 && uidset_parse(&set, span_of(s)) == -1)
		errx(64, "no uid set: %s", s);
	return set;
}

static void
print_id(const unsigned char id[16])
{
	static const unsigned char none[16];

	if (memcmp(id, none, 16) != 0)
		printf(" id=%02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
}

/* --- what is remembered: lines of numbers and a folder's name ----------------- */

struct memory {
	struct state_folder base;
	struct uidset known;
};

static bool
recall(const char *folder, struct memory *m)
{
	const char *path = getenv("STATE");
	FILE *f = path != NULL ? fopen(path, "r") : NULL;
	char line[65536], *words[5], *p;
	size_t i;

	*m = (struct memory){0};
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0, p = line; i < 5; i++)
			words[i] = strsep(&p, " ");
		if (p == NULL || strcmp(p, folder) != 0)
			continue;
		uidset_clear(&m->known);
		m->base.uidvalidity = (uint32_t)strtoul(words[0], NULL, 10);
		m->base.uidnext = (uint32_t)strtoul(words[1], NULL, 10);
		m->base.modseq = strtoull(words[2], NULL, 10);
		m->base.messages = strtoull(words[3], NULL, 10);
		m->known = read_set(words[4]);
	}
	if (f != NULL)
		fclose(f);
	return m->base.uidvalidity != 0;
}

static struct state_folder
base_of(const char *folder)
{
	struct memory m;

	recall(folder, &m);
	uidset_clear(&m.known);
	return m.base;
}

static void
remember(
    const char *folder, const struct memory *was, const struct remote_diff *d)
{
	const char *path = getenv("STATE");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;
	struct uidset known;
	char *text;
	size_t i;

	if (f == NULL)
		return;
	uidset_init(&known);
	if (!d->moved_ground)
		uidset_union(&known, &was->known);
	uidset_minus(&known, &d->vanished);
	for (i = 0; i < d->n; i++)
		uidset_add(&known, d->v[i].uid, d->v[i].uid);
	text = set_text(&known);
	fprintf(f, "%u %u %" PRIu64 " %u %s %s\n", d->uidvalidity, d->uidnext,
	    d->modseq, d->exists, text, folder);
	free(text);
	uidset_clear(&known);
	fclose(f);
}

/* --- looking ------------------------------------------------------------------- */

static int
do_survey(struct driver *d, char **args, size_t n)
{
	const struct folders_remote *f;
	size_t i;

	words_clear(&d->sync.folders);
	d->sync.subscribed = n > 0 && strcmp(args[0], "subscribed") == 0;
	for (i = d->sync.subscribed ? 1 : 0; i < n; i++)
		words_add(&d->sync.folders, args[i]);
	remote_survey_free(d->list, d->n_list);
	if (remote_survey(&d->remote, &d->sync, &d->list, &d->n_list, &e) == -1)
		return -1;
	for (i = 0; i < d->n_list; i++) {
		f = &d->list[i];
		printf("folder %s sep=%c", f->name, f->sep ? f->sep : '-');
		if (f->attrs != 0)
			printf(" attrs=%x", f->attrs);
		if (f->has_status)
			printf(" %u %u %u%s", f->messages, f->uidnext,
			    f->uidvalidity, f->modseq > 0 ? " modseq" : "");
		if (f->mailboxid != NULL)
			printf(" id=%s", f->mailboxid);
		putchar('\n');
	}
	return 0;
}

static const struct folders_remote *
surveyed(const struct driver *d, const char *folder)
{
	size_t i;

	for (i = 0; i < d->n_list; i++)
		if (strcmp(d->list[i].name, folder) == 0)
			return &d->list[i];
	return NULL;
}

static void
print_diff(const char *folder, const struct remote_diff *d)
{
	char *gone = set_text(&d->vanished);
	size_t i;

	if (!failed("diff", folder, d->error)) {
		printf(
		    "diff %s next=%u exists=%u", folder, d->uidnext, d->exists);
		printf("%s%s%s%s", d->modseq > 0 ? " modseq" : "",
		    d->complete ? " complete" : "",
		    d->moved_ground ? " moved" : "",
		    d->read_only ? " readonly" : "");
		printf(" may");
		print_flags(d->permanent & UINT32_MAX);
		printf("%s gone=%s\n", d->any_keyword ? "*" : "", gone);
	}
	for (i = 0; d->error == NULL && i < d->n; i++) {
		printf("change %s %u", folder, d->v[i].uid);
		print_flags(d->v[i].flags);
		if (d->v[i].size > 0)
			printf(" %" PRIu64, d->v[i].size);
		print_id(d->v[i].emailid);
		putchar('\n');
	}
	free(gone);
}

static int
do_diffs(struct driver *d, char **args, size_t n)
{
	struct remote_question *q = mem_array(n + 1, sizeof(*q)), all = {0};
	struct remote_diff *diffs = mem_array(n + 1, sizeof(*diffs));
	struct memory *m = mem_array(n + 1, sizeof(*m));
	size_t i, k = 0;
	int rv;

	for (i = 0; i < n; i++) {
		if (strcmp(args[i], "sizes") == 0)
			all.sizes = true;
		else if (strcmp(args[i], "ids") == 0)
			all.emailids = true;
		else if (strcmp(args[i], "full") == 0)
			all.full = true;
		else {
			q[k] = all;
			q[k].folder = args[i];
			if (recall(args[i], &m[k])) {
				q[k].base = &m[k].base;
				q[k].known = &m[k].known;
			}
			q[k].now = surveyed(d, args[i]);
			q[k++].keywords = &d->keywords;
		}
	}
	rv = remote_diffs(&d->remote, q, k, diffs, &e);
	for (i = 0; i < k; i++) {
		if (rv == 0)
			print_diff(q[i].folder, &diffs[i]);
		if (rv == 0 && diffs[i].error == NULL)
			remember(q[i].folder, &m[i], &diffs[i]);
		remote_diff_clear(&diffs[i]);
		uidset_clear(&m[i].known);
	}
	free(q);
	free(diffs);
	free(m);
	return rv;
}

/* --- messages from there ----------------------------------------------------- */

static int
body_begin(void *arg, const struct remote_message *m, struct err *e_r)
{
	struct driver *d = arg;
	const char *dir = getenv("BODIES");

	(void)m;
	(void)e_r;
	if (d->body != NULL)
		errx(70, "two begin at once");
	snprintf(d->path, sizeof(d->path), "%s/new",
	    dir != NULL ? dir : "/nonexistent");
	d->body = fopen(dir != NULL ? d->path : "/dev/null", "w");
	return 0;
}

static int
body_data(void *arg, struct span s, struct err *e_r)
{
	struct driver *d = arg;

	(void)e_r;
	fwrite(s.p, 1, s.n, d->body);
	return 0;
}

static int
body_end(void *arg, const struct remote_message *m, struct err *e_r)
{
	struct driver *d = arg;
	char date[TIME_MAIL], path[512];
	long length = ftell(d->body);

	(void)e_r;
	time_imap_text(m->date, date);
	fclose(d->body);
	d->body = NULL;
	if (getenv("BODIES") != NULL) {
		snprintf(path, sizeof(path), "%s/%u.%u", getenv("BODIES"),
		    m->cookie, m->uid);
		rename(d->path, path);
		if ((uint64_t)length != m->size)
			errx(70, "%ld bytes, not %" PRIu64, length, m->size);
	}
	printf("message %u.%u", m->cookie, m->uid);
	print_flags(m->flags);
	printf("%s %" PRIu64 " %" PRIu64 " %s", m->has_flags ? "" : "?",
	    m->size, m->whole, date);
	print_id(m->emailid);
	putchar('\n');
	return 0;
}

static void
body_drop(void *arg)
{
	struct driver *d = arg;

	if (d->body == NULL)
		errx(70, "none to drop");
	fclose(d->body);
	d->body = NULL;
	printf("dropped\n");
}

static int
body_missing(void *arg, const struct remote_message *m, const struct err *why,
    struct err *e_r)
{
	(void)arg;
	(void)e_r;
	printf("missing %u.%u %s\n", m->cookie, m->uid,
	    why->kind != ERR_NONE ? why->text : "");
	return 0;
}

static int
do_fetch(struct driver *d, char **args, size_t n)
{
	const struct remote_sink sink = {
	    d, body_begin, body_data, body_end, body_drop, body_missing};
	struct remote_fetch *jobs = mem_array(n + 1, sizeof(*jobs));
	struct uidset *sets = mem_array(n + 1, sizeof(*sets));
	enum remote_part part = REMOTE_WHOLE;
	size_t i, k = 0;
	int rv;

	if (n % 2 == 1) {
		part = args[0][0] == 'h' ? REMOTE_HEADER : REMOTE_MESSAGE_ID;
		args++;
		n--;
	}
	for (i = 0; i < n; i += 2, k++) {
		sets[k] = read_set(args[i + 1]);
		jobs[k] = (struct remote_fetch){.folder = args[i],
		    .uidvalidity = base_of(args[i]).uidvalidity,
		    .uids = &sets[k],
		    .keywords = &d->keywords,
		    .part = part,
		    .cookie = (uint32_t)k};
	}
	rv = remote_fetch(&d->remote, jobs, k, &sink, &e);
	for (i = 0; i < k; i++) {
		failed("fetch", jobs[i].folder, jobs[i].error);
		free(jobs[i].error);
		uidset_clear(&sets[i]);
	}
	free(jobs);
	free(sets);
	return rv;
}

/* --- messages to there ------------------------------------------------------- */

static int
file_open(void *arg, const struct remote_append *a, int *fd_r, struct err *e_r)
{
	char **args = arg;

	(void)e_r;
	*fd_r = open(args[a->cookie], O_RDONLY);
	return *fd_r == -1 ? 0 : 1;
}

static int
file_done(void *arg, const struct remote_append *a, const struct err *why,
    struct err *e_r)
{
	char **args = arg;
	const char *name = strrchr(args[a->cookie], '/');

	(void)e_r;
	name = name != NULL ? name + 1 : args[a->cookie];
	if (!failed("append", name, why))
		printf("append %s: done=%d uid=%u%s\n", name, a->done, a->uid,
		    a->uidvalidity != 0 ? "" : " (no uidvalidity)");
	else if (a->code != IMAP_CODE_NONE)
		printf("append %s: code %d\n", name, (int)a->code);
	return 0;
}

static int
do_append(struct driver *d, char **args, size_t n)
{
	const struct remote_source source = {args, file_open, file_done};
	struct remote_append *v = mem_array(n + 1, sizeof(*v));
	const char *flags;
	size_t i, k = 0;
	int rv;

	for (i = 0; i + 3 < n; i += 4, k++) {
		flags = args[i + 1];
		v[k] = (struct remote_append){.folder = args[i],
		    .flags = read_flags(&flags),
		    .keywords = &d->keywords,
		    .date = strtoll(args[i + 2], NULL, 10),
		    .cookie = i + 3};
	}
	rv = remote_append(&d->remote, v, k, &source, &e);
	free(v);
	return rv;
}

/* --- changes -------------------------------------------------------------------- */

static int
do_store(struct driver *d, char **args, size_t n)
{
	struct remote_store *v = mem_array(n + 1, sizeof(*v));
	struct uidset *sets = mem_array(n + 1, sizeof(*sets));
	bool since = n > 0 && strcmp(args[0], "since") == 0;
	size_t i, k = 0;
	const char *s;
	char *text;
	int rv;

	for (i = since; i + 2 < n; i += 3, k++) {
		sets[k] = read_set(args[i + 1]);
		v[k] = (struct remote_store){.folder = args[i],
		    .uidvalidity = base_of(args[i]).uidvalidity,
		    .uids = &sets[k],
		    .keywords = &d->keywords};
		if (since)
			v[k].unchanged_since = base_of(args[i]).modseq;
		s = args[i + 2];
		if (*s == '+' && s++)
			v[k].set = read_flags(&s);
		if (*s == '-' && s++)
			v[k].clear = read_flags(&s);
	}
	rv = remote_store(&d->remote, v, k, &e);
	for (i = 0; i < k; i++) {
		text = set_text(&v[i].modified);
		if (!failed("store", v[i].folder, v[i].error) && rv == 0)
			printf("store %s: modified=%s\n", v[i].folder, text);
		free(text);
		remote_store_clear(&v[i]);
		uidset_clear(&sets[i]);
	}
	free(v);
	free(sets);
	return rv;
}

static int
do_move(struct driver *d, char **args, size_t n)
{
	struct remote_move *v = mem_array(n + 1, sizeof(*v));
	struct uidset *sets = mem_array(n + 1, sizeof(*sets));
	size_t i, j, k = 0;
	int rv;

	for (i = 0; i + 2 < n; i += 3, k++) {
		sets[k] = read_set(args[i + 1]);
		v[k] = (struct remote_move){.from = args[i],
		    .uidvalidity = base_of(args[i]).uidvalidity,
		    .uids = &sets[k],
		    .to = args[i + 2]};
	}
	rv = remote_move(&d->remote, v, k, &e);
	for (i = 0; i < k; i++) {
		failed("move", v[i].from, v[i].error);
		printf("move %s: copied=%d marked=%d code=%d", v[i].from,
		    v[i].copied, v[i].marked, (int)v[i].code);
		for (j = 0; j < v[i].n_pairs; j++)
			printf(" %u>%u", v[i].pairs[j].from, v[i].pairs[j].to);
		putchar('\n');
		remote_move_clear(&v[i]);
		uidset_clear(&sets[i]);
	}
	free(v);
	free(sets);
	return rv;
}

static int
do_delete(struct driver *d, char **args, size_t n)
{
	struct remote_delete *v = mem_array(n + 1, sizeof(*v));
	struct uidset *sets = mem_array(n + 1, sizeof(*sets));
	size_t i, k = 0;
	int rv;

	for (i = 0; i + 1 < n; i += 2, k++) {
		sets[k] = read_set(args[i + 1]);
		v[k] = (struct remote_delete){.folder = args[i],
		    .uidvalidity = base_of(args[i]).uidvalidity,
		    .uids = &sets[k]};
	}
	rv = remote_delete(&d->remote, v, k, &e);
	for (i = 0; i < k; i++) {
		if (!failed("delete", v[i].folder, v[i].error) && rv == 0)
			printf(
			    "delete %s: marked=%d\n", v[i].folder, v[i].marked);
		remote_delete_clear(&v[i]);
		uidset_clear(&sets[i]);
	}
	free(v);
	free(sets);
	return rv;
}

static int
do_create(struct driver *d, char **args, size_t n)
{
	struct err **errors = mem_array(n + 1, sizeof(*errors));
	size_t i;
	int rv;

	rv =
	    remote_create(&d->remote, (const char *const *)args, n, errors, &e);
	for (i = 0; i < n; i++) {
		if (!failed("create", args[i], errors[i]) && rv == 0)
			printf("create %s: done\n", args[i]);
		free(errors[i]);
	}
	free(errors);
	return rv;
}

static int
do_rename(struct driver *d, char **args, size_t n)
{
	struct err *error = NULL;
	int rv;

	if (n != 2)
		errx(64, "rename FROM TO");
	rv = remote_rename(&d->remote, args[0], args[1], &error, &e);
	if (!failed("rename", args[0], error) && rv == 0)
		printf("rename %s: done\n", args[0]);
	free(error);
	return rv;
}

static int
do_remove(struct driver *d, char **args, size_t n)
{
	struct err *error = NULL;
	int rv;

	if (n != 1)
		errx(64, "remove FOLDER");
	rv = remote_remove(&d->remote, args[0], &error, &e);
	if (!failed("remove", args[0], error) && rv == 0)
		printf("remove %s: done\n", args[0]);
	free(error);
	return rv;
}

static int
do_wait(struct driver *d, char **args, size_t n)
{
	const struct timespec pause = {0, 10 * 1000 * 1000};
	char *path;
	int i, fd;

	(void)d;
	if (n != 1)
		errx(64, "wait FILE");
	path = mem_printf("%s.there", args[0]);
	if ((fd = open(path, O_WRONLY | O_CREAT, 0600)) != -1)
		close(fd);
	free(path);
	for (i = 0; i < 1000 && access(args[0], F_OK) == -1; i++)
		nanosleep(&pause, NULL);
	return 0;
}

/* --- the session ----------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct driver *, char **, size_t);
} operations[] = {
    {"survey", do_survey},
    {"diffs", do_diffs},
    {"fetch", do_fetch},
    {"append", do_append},
    {"store", do_store},
    {"move", do_move},
    {"delete", do_delete},
    {"create", do_create},
    {"rename", do_rename},
    {"remove", do_remove},
    {"wait", do_wait},
};

static int
run_one(struct driver *d, char **args, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(args[0], operations[i].name) == 0)
			return operations[i].run(d, args + 1, n - 1);
	errx(64, "no such operation: %s", args[0]);
}

static int
run_all(struct driver *d)
{
	char **args = d->args;
	size_t n;

	while (*args != NULL) {
		for (n = 0; args[n] != NULL && strcmp(args[n], "--") != 0; n++)
			;
		if (n > 0 && run_one(d, args, n) == -1)
			return -1;
		fflush(stdout);
		args += n + (args[n] != NULL);
	}
	return 0;
}

static int
run(void *arg, int ask_fd)
{
	struct driver *d = arg;
	struct server server;
	struct link l;
	int rv;

	if (server_open(&server, &d->account, URL_IMAP, &e) == -1)
		errx(70, "%s", e.text);
	link_init(&l, &d->account, server.url, server.tls, ask_fd);
	rv = remote_open(&d->remote, &l, &e);
	if (rv == 0)
		rv = run_all(d);
	remote_close(&d->remote);
	if (rv == -1)
		print_error("session", "ended", &e);
	fflush(stdout);
	remote_survey_free(d->list, d->n_list);
	words_clear(&d->sync.folders);
	local_keywords_clear(&d->keywords);
	link_clear(&l);
	server_close(&server);
	return rv == 0 ? 0 : err_exit(&e);
}

int
main(int argc, char **argv)
{
	static struct driver d;
	struct job job = {.name = "driver",
	    .account = &d.account,
	    .command_timeout = 10000,
	    .run = run,
	    .arg = &d};
	enum url_proto proto;
	char name[24];
	int code, i;

	if (argc < 2)
		errx(64, "usage: remote_driver URL OPERATION...");
	log_init(
	    "driver", getenv("PROTOCOL") != NULL ? LOG_L_TRACE : LOG_L_NORMAL);
	stop_install();
	account_init(&d.account);
	if (account_from_url(&d.account, argv[1], &proto, &e) == -1)
		errx(64, "%s", e.text);
	d.account.user = mem_strdup(d.account.imap.user);
	d.account.password_command = mem_strdup("printf pw");
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "$Label%d", i + 1);
		local_keyword(&d.keywords, span_of(name), true);
	}
	d.args = argv + 2;
	code = parent_run(&job, 1);
	local_keywords_clear(&d.keywords);
	account_clear(&d.account);
	return code;
}
