/*
 * Copies and reports: each exactly once, wherever a crash came between.
 */

#include "copies.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"
#include "proto/smtp.h"
#include "queue_parts.h"
#include "tap.h"

static char dir[] = "/tmp/copies.XXXXXX";
static struct queue queue;
static struct send account;
static struct err e;

/* How many files there are below dir/SUB. */
static int
count(const char *sub)
{
	char path[128];
	struct dirent *de;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if ((d = opendir(path)) == NULL)
		return -1;
	while ((de = readdir(d)) != NULL)
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
empty(const char *sub)
{
	char path[128];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if ((d = opendir(path)) == NULL)
		return;
	while ((de = readdir(d)) != NULL)
		unlinkat(dirfd(d), de->d_name, 0);
	closedir(d);
}

/* A message in the queue, locked. */
static void
make(struct message *m, const char *bcc)
{
	static const char text[] = "Subject: x\r\n\r\nbody\r\n";
	struct queue_draft d;
	struct envelope env;

	envelope_init(&env);
	env.created = clock_wall_us() / 1000000;
	env.account = mem_strdup("a");
	env.sender = mem_strdup("ada@example.org");
	env.message_id = mem_strdup("<x@y>");
	env.bcc = bcc != NULL ? mem_strdup(bcc) : NULL;
	env.size = sizeof(text) - 1;
	envelope_add_rcpt(&env, "bob@example.net", NULL);
	envelope_add_rcpt(&env, "eve@example.net", NULL);
	ok(queue_draft(&queue, &d, &e) == 0 &&
		file_write(d.fd, text, sizeof(text) - 1, "x", &e) == 0 &&
		queue_commit(&d, &env, &e) == 0,
	    "a message %s", e.text);
	envelope_clear(&env);
	is_int(message_open(&queue, d.id, false, QUEUE_TAKE, m, NULL, &e), 1,
	    "is there");
}

static void
note(struct message *m, enum event event, uint32_t rcpt, const char *text)
{
	struct uidset set;

	uidset_init(&set);
	if (rcpt != 0)
		uidset_add(&set, rcpt, rcpt);
	quiet(message_note(m, event, &set, 0, text, &e) == 0, "%s", e.text);
	uidset_clear(&set);
}

/* As the next run finds it. */
static void
reopen(struct message *m)
{
	char id[QUEUE_ID];

	strlcpy(id, m->id, sizeof(id));
	message_close(m);
	quiet(message_open(&queue, id, false, QUEUE_TAKE, m, NULL, &e) == 1,
	    "%s", e.text);
}

static void
has_text(const char *sub, const char *want, const char *what)
{
	char path[512], text[4096];
	struct dirent *de;
	ssize_t n = 0;
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	d = opendir(path);
	while ((de = readdir(d)) != NULL && de->d_name[0] == '.')
		;
	fd = openat(dirfd(d), de->d_name, O_RDONLY);
	n = read(fd, text, sizeof(text));
	is_mem(text, n < 0 ? 0 : (size_t)n, want, "%s", what);
	close(fd);
	closedir(d);
}

static void
test_sent(struct copies *c)
{
	struct message m, *list[1] = {&m};

	make(&m, "Bcc: mal@example.net\r\n");
	is_int(copies_sent(c, list, 1, &e), 0, "nothing was sent");
	is_int(count("sent/cur"), 0, "no copy");
	note(&m, EVENT_SENT, 1, "250 ok");
	is_int(copies_sent(c, list, 1, &e), 0, "copied");
	is_int(count("sent/cur"), 1, "one copy");
	is_int(count("sent/tmp"), 0, "nothing left in tmp/");
	has_text("sent/cur", "Subject: x\nBcc: mal@example.net\n\nbody\n",
	    "with its Bcc, and LFs");
	note(&m, EVENT_SENT, 2, "250 ok");
	is_int(copies_sent(c, list, 1, &e), 0, "again");
	is_int(count("sent/cur"), 1, "still one copy");
	reopen(&m);
	is_int(copies_recover(c, &m, &e), 0, "nothing to mend");
	is_int(copies_sent(c, list, 1, &e), 0, "in the next run");
	is_int(count("sent/cur"), 1, "still one copy");
	empty("sent/cur");
	message_remove(&m, &e);
	message_close(&m);
}

/* Killed before its name was recorded, and behind that. */
static void
test_crash(struct copies *c)
{
	struct message m, *list[1] = {&m};
	char path[512], name[MAILDIR_NAME];

	make(&m, NULL);
	note(&m, EVENT_SENT, 1, "250 ok");
	is_int(copies_sent(c, list, 1, &e), 0, "copied");
	strlcpy(name, m.env.copying, sizeof(name));
	empty("sent/cur");

	/* what it wrote before the record is found, and replaced */
	free(m.env.copying);
	m.env.copying = NULL;
	m.env.copied = false;
	name[strcspn(name, ",")] = '\0';
	snprintf(path, sizeof(path), "%s/sent/tmp/%s", dir, name);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	is_int(copies_sent(c, list, 1, &e), 0, "killed before the record");
	is_int(count("sent/cur"), 1, "one copy");
	is_int(count("sent/tmp"), 0, "nothing left");

	/* recorded, not placed */
	strlcpy(name, m.env.copying, sizeof(name));
	snprintf(path, sizeof(path), "%s/sent/cur/%s:2,S", dir, name);
	name[strcspn(name, ",")] = '\0';
	renameat(AT_FDCWD, path, c->sent.tmp, name);
	m.env.copied = false;
	is_int(copies_recover(c, &m, &e), 0, "killed behind the record");
	is_int(count("sent/cur"), 1, "placed");
	ok(m.env.copied, "and known to be");

	/* placed, and its reader has moved it */
	empty("sent/cur");
	m.env.copied = false;
	is_int(copies_recover(c, &m, &e), 0, "killed when it was placed");
	is_int(copies_sent(c, list, 1, &e), 0, "again");
	is_int(count("sent/cur"), 0, "no other copy");
	message_remove(&m, &e);
	message_close(&m);
}

static void
test_reports(struct copies *c)
{
	struct message m;

	make(&m, NULL);
	is_int(copies_report(c, &m, false, &e), 0, "nothing failed");
	is_int(copies_report(c, &m, true, &e), 0, "it is late");
	is_int(copies_report(c, &m, true, &e), 0, "and later");
	is_int(count("in/new"), 1, "that is told once");
	note(&m, EVENT_FAILED, 1, "550 5.1.1 no");
	is_int(copies_report(c, &m, false, &e), 0, "one has failed");
	is_int(copies_report(c, &m, false, &e), 0, "again");
	is_int(count("in/new"), 2, "that is told once");
	note(&m, EVENT_FAILED, 2, "550 5.1.1 no");
	is_int(copies_report(c, &m, false, &e), 0, "another has failed");
	is_int(count("in/new"), 3, "that is told, too");
	reopen(&m);
	is_int(copies_report(c, &m, false, &e), 0, "in the next run");
	is_int(count("in/new"), 3, "nothing is news");
	note(&m, EVENT_RETRY, 0, NULL);
	note(&m, EVENT_FAILED, 1, "550 5.1.1 no");
	is_int(copies_report(c, &m, false, &e), 0, "tried again, and failed");
	is_int(count("in/new"), 4, "is told again");
	is_int(count("in/tmp"), 0, "nothing left in tmp/");
	empty("in/new");

	/* killed behind the record */
	m.env.rcpts[0].reported = false;
	is_int(copies_report(c, &m, false, &e), 0, "told");
	is_int(count("in/new"), 1, "once more");
	message_remove(&m, &e);
	message_close(&m);
	empty("in/new");
}

static void
test_nobody(struct copies *c)
{
	struct message m;

	make(&m, NULL);
	m.env.sender[0] = '\0';
	note(&m, EVENT_FAILED, 1, "550 no");
	is_int(copies_report(c, &m, false, &e), 0, "the null sender");
	is_int(count("in/new"), 0, "is told nothing");
	ok(m.env.rcpts[0].reported, "and that is known");
	strlcpy(m.env.sender, "a", 2);
	m.env.notify = SMTP_NOTIFY_NEVER;
	note(&m, EVENT_FAILED, 2, "550 no");
	is_int(copies_report(c, &m, false, &e), 0, "who wants no reports");
	is_int(count("in/new"), 0, "gets none");
	message_remove(&m, &e);
	message_close(&m);
}

/* As if its history had been written so long ago. */
static void
age(struct message *m, int64_t seconds)
{
	m->env.copying_at -= seconds;
	m->env.reporting_at -= seconds;
}

/* A name was recorded, and what it names was swept away before it was placed:
 * days later, whatever was noted of the message in between. */
static void
test_swept(struct copies *c)
{
	struct message m, *list[1] = {&m};

	make(&m, NULL);
	note(&m, EVENT_SENT, 1, "250 ok");
	note(&m, EVENT_COPYING, 0, "lost");
	age(&m, 40 * 3600);
	note(&m, EVENT_HOLD, 0, NULL);
	is_int(copies_recover(c, &m, &e), 0, "a copy was swept away");
	is_int(copies_sent(c, list, 1, &e), 0, "and is made again");
	is_int(count("sent/cur"), 1, "there it is");
	note(&m, EVENT_FAILED, 2, "550 no");
	note(&m, EVENT_REPORTING, 0, "lost");
	age(&m, 40 * 3600);
	note(&m, EVENT_RELEASE, 0, NULL);
	is_int(copies_recover(c, &m, &e), 0, "a report was swept away");
	reopen(&m);
	ok(m.env.reporting == NULL, "and that is known for good");
	is_int(copies_report(c, &m, false, &e), 0, "it is made again");
	is_int(count("in/new"), 1, "there it is");
	message_remove(&m, &e);
	message_close(&m);
	empty("sent/cur");
	empty("in/new");
}

/* The place for reports was taken out of the configuration meanwhile. */
static void
test_placeless(void)
{
	struct send none = {0};
	struct message m;
	struct copies c;

	is_int(copies_open(&none, &c, &e), 0, "no Maildirs");
	make(&m, NULL);
	note(&m, EVENT_REPORTING, 0, "lost");
	is_int(copies_recover(&c, &m, &e), 0, "a report begun elsewhere");
	reopen(&m);
	ok(m.env.reporting == NULL, "is given up for good");
	note(&m, EVENT_FAILED, 1, "550 no");
	note(&m, EVENT_REPORTING, 0, "lost");
	is_int(copies_recover(&c, &m, &e), 0, "one about a failure");
	ok(!m.env.rcpts[0].reported, "has told nobody");
	is_int(copies_report(&c, &m, false, &e), 0, "it is made again");
	is_int(count("state/failed"), 1, "beside the message");
	message_remove(&m, &e);
	message_close(&m);
	copies_close(&c);
}

/* What lies in tmp/ is nobody's litter as long as the spool's lock is held. */
static void
test_tidied(void)
{
	struct send none = {0};
	struct message m;
	struct copies c;
	int lock, status;
	pid_t pid;

	copies_open(&none, &c, &e);
	make(&m, NULL);
	note(&m, EVENT_FAILED, 1, "550 no");
	is_int(queue_lock(&queue, false, false, &lock, &e), 0, "one tidies");
	if ((pid = fork()) == 0) {
		close(lock); /* it would hold it, too */
		_exit(copies_report(&c, &m, false, &e) != 0);
	}
	clock_sleep(200, -1);
	is_int(waitpid(pid, &status, WNOHANG), 0, "a report waits for that");
	is_int(count("state/failed"), 0, "there is none");
	close(lock);
	is_int(waitpid(pid, &status, 0), pid, "then it comes");
	is_int(status, 0, "as it should");
	is_int(count("state/failed"), 1, "there it is");
	message_remove(&m, &e);
	message_close(&m);
	copies_close(&c);
}

int
main(void)
{
	char sent[64], in[64], state[64];
	struct copies c;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(sent, sizeof(sent), "%s/sent", dir);
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	setenv("STATE_DIRECTORY", state, 1);
	account = (struct send){.sent = sent, .failed_to = in};
	is_int(queue_open(&queue, &e), 0, "a queue %s", e.text);
	is_int(copies_open(&account, &c, &e), 0, "Maildirs %s", e.text);
	test_sent(&c);
	test_crash(&c);
	test_reports(&c);
	test_nobody(&c);
	test_swept(&c);
	test_placeless();
	test_tidied();
	copies_close(&c);
	queue_close(&queue);
	snprintf(state, sizeof(state), "rm -r %s", dir);
	return done() | (system(state) != 0);
}
