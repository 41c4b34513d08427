/*
 * sendq/queue, message and ledger: what is there after each step, and after
 * each that fails or was cut off.
 */

#include "queue.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "ledger.h"
#include "os/clock.h"
#include "tap.h"

static struct err e;
static char dir[] = "/tmp/queue.XXXXXX";
static struct queue q;

/* --- helpers ------------------------------------------------------------ */

static bool
there(const char *folder, const char *id, const char *suffix)
{
	struct stat st;
	char *path = mem_printf("%s/%s/%s%s", dir, folder, id, suffix);
	bool yes = stat(path, &st) == 0;

	free(path);
	return yes;
}

static void
put_file(const char *folder, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s/%s", dir, folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

	quiet(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
	close(fd);
	free(path);
}

static char *
file_text(const char *folder, const char *id, const char *suffix)
{
	static char text[4096];
	char *path = mem_printf("%s/%s/%s%s", dir, folder, id, suffix);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	free(path);
	return text;
}

static void
move_file(const char *from, const char *to, const char *id, const char *suffix)
{
	char *a = mem_printf("%s/%s/%s%s", dir, from, id, suffix);
	char *b = mem_printf("%s/%s/%s%s", dir, to, id, suffix);

	quiet(rename(a, b) == 0, "rename %s", a);
	free(a);
	free(b);
}

/* How many names are in a folder. */
static size_t
count(const char *folder)
{
	char *command = mem_printf("ls -A %s/%s", dir, folder), line[256];
	FILE *f = popen(command, "r");
	size_t n = 0;

	while (fgets(line, sizeof(line), f) != NULL)
		n++;
	pclose(f);
	free(command);
	return n;
}

static void
fill(struct envelope *env)
{
	envelope_init(env);
	env->created = 1764104000;
	env->account = mem_strdup("work");
	env->sender = mem_strdup("ada@example.org");
	envelope_add_rcpt(env, "bob@example.net", NULL);
	envelope_add_rcpt(env, "carol@example.org", NULL);
}

/* Commits a message; its ID. */
static int
commit(char id[QUEUE_ID])
{
	struct queue_draft d;
	struct envelope env;
	int rv;

	fill(&env);
	rv = queue_draft(&q, &d, &e);
	if (rv == 0) {
		strlcpy(id, d.id, QUEUE_ID);
		quiet(write(d.fd, "text\r\n", 6) == 6, "write");
		rv = queue_commit(&d, &env, &e);
	}
	envelope_clear(&env);
	return rv;
}

static void
take(const char *id, bool failed, struct message *m)
{
	ok(message_open(&q, id, failed, QUEUE_TAKE, m, NULL, &e) == 1,
	    "taken: %s", e.text);
}

static void
note(struct message *m, enum event event, uint32_t lo, uint32_t hi,
    const char *text)
{
	struct uidset set;

	uidset_init(&set);
	uidset_add(&set, lo, hi);
	quiet(message_note(m, event, &set, 0, text, &e) == 0, "%s", e.text);
	uidset_clear(&set);
}

static int
finish(struct message *m)
{
	struct message *list[] = {m};

	return message_finish(list, 1, &e);
}

/* What is in the log, without its times. */
static char *
log_text(void)
{
	static char out[8192];
	char *p = file_text(".", "log", "");
	size_t n = 0;

	while (*p != '\0') {
		char *blank = p + strcspn(p, " \n");
		size_t len = strcspn(blank, "\n") + 1;

		n += (size_t)snprintf(
		    out + n, sizeof(out) - n, "%.*s", (int)len, blank);
		p = blank + len;
	}
	out[n] = '\0';
	return out;
}

static void
drop_log(void)
{
	unlinkat(q.dir, "log", 0);
}

/* --- accepting ---------------------------------------------------------- */

static void
test_commit(void)
{
	char id[QUEUE_ID] = "", next[QUEUE_ID] = "";
	struct stat st;
	char *path;

	is_int(commit(id), 0, "committed");
	is_int(strlen(id), 17, "a name of 17 characters: %s", id);
	ok(there("queue", id, ".eml") && there("queue", id, ".env"), "there");
	is_int(count("tmp"), 0, "nothing in tmp/");
	is_str(file_text("queue", id, ".eml"), "text\r\n", "as it was written");
	is_str(file_text("queue", id, ".env"),
	    "sendq 1\ncreated 1764104000\naccount work\n"
	    "sender ada@example.org\nsize 0\nrcpt bob@example.net\n"
	    "rcpt carol@example.org\nend\n",
	    "its envelope");
	path = mem_printf("%s/queue/%s.env", dir, id);
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "private");
	ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "its folder");
	free(path);
	clock_sleep(2, -1);
	is_int(commit(next), 0, "another");
	ok(strcmp(id, next) < 0, "in order: %s %s", id, next);
}

static void
test_ids(void)
{
	static struct queue_draft d[500];
	size_t i, k, same = 0;

	for (i = 0; i < 500; i++)
		quiet(queue_draft(&q, &d[i], &e) == 0, "draft: %s", e.text);
	for (i = 0; i < 500; i++)
		for (k = 0; k < i; k++)
			same += strcmp(d[i].id, d[k].id) == 0;
	is_int(same, 0, "500 drafts, no two of one name");
	for (i = 0; i < 500; i++)
		queue_abandon(&d[i]);
	is_int(count("tmp"), 0, "abandoned, nothing is left");
}

/* Each stage fails, and nothing is left of it; nor is anything replaced. */
static void
fail_commit(const char *what, int *fd, const char *suffix)
{
	size_t before = count("queue");
	struct rlimit limit;
	struct queue_draft d;
	struct envelope env;
	char *name = NULL;
	int saved = fd != NULL ? *fd : -1, rv;

	fill(&env);
	quiet(queue_draft(&q, &d, &e) == 0, "draft");
	quiet(write(d.fd, "text\r\n", 6) == 6, "write");
	getrlimit(RLIMIT_FSIZE, &limit);
	if (suffix != NULL) {
		name = mem_printf("%s%s", d.id, suffix);
		put_file("queue", name, "another's");
		before++;
	} else if (fd != NULL) {
		*fd = -1;
	} else {
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){20, limit.rlim_max});
	}
	e.text[0] = '\0';
	rv = queue_commit(&d, &env, &e);
	if (fd != NULL)
		*fd = saved;
	/* What is said here may go to a file, too. */
	setrlimit(RLIMIT_FSIZE, &limit);
	is_int(rv, -1, "%s", what);
	ok(e.kind != ERR_NONE && e.text[0] != '\0', "said: %s", e.text);
	is_int(count("queue"), before, "nothing is left in queue/");
	is_int(count("tmp"), 0, "nor in tmp/");
	if (suffix != NULL) {
		is_str(file_text("queue", d.id, suffix), "another's",
		    "what was there is as it was");
		unlinkat(q.ready, name, 0);
	}
	free(name);
	envelope_clear(&env);
}

static void
test_failures(void)
{
	signal(SIGXFSZ, SIG_IGN);
	fail_commit("the .env cannot be written", NULL, NULL);
	fail_commit("no queue/ to go to", &q.ready, NULL);
	fail_commit("such an .eml is there", NULL, ".eml");
	fail_commit("such an .env is there", NULL, ".env");
}

static void
test_tidy(void)
{
	struct queue_draft d;
	char id[QUEUE_ID], half[QUEUE_ID];
	size_t left;

	quiet(commit(id) == 0 && commit(half) == 0, "commit");
	move_file("queue", "failed", half, ".eml");
	left = count("queue");
	put_file("queue", "6925c0a0-00000000.eml", "");
	put_file("failed", "6925c0a0-00000000.eml", "");
	put_file("failed", "6925c0a0-00000000.report", "");
	put_file("tmp", "6925c0a0-00000000.env", "");
	quiet(queue_draft(&q, &d, &e) == 0, "draft");
	queue_tidy(&q);
	ok(there("tmp", d.id, ".eml") && count("queue") == left + 1,
	    "while one accepts, nothing is swept");
	queue_abandon(&d);
	queue_tidy(&q);
	is_int(count("tmp"), 0, "tmp/ is swept");
	is_int(count("queue"), left + 1, "and orphans");
	ok(!there("failed", "6925c0a0-00000000", ".eml"), "in failed/ too");
	ok(there("failed", "6925c0a0-00000000", ".report"), "but no report");
	ok(there("queue", half, ".eml") && !there("failed", half, ".eml"),
	    "a body whose way was cut off is back");
	unlinkat(q.failed, "6925c0a0-00000000.report", 0);
}

/* --- opening ------------------------------------------------------------ */

static void
test_open(void)
{
	struct message m, other;
	char id[QUEUE_ID], body[16];
	bool busy = false;

	quiet(commit(id) == 0, "commit");
	take(id, false, &m);
	is_str(m.env.account, "work", "its account");
	is_int(m.env.n_rcpts, 2, "its recipients");
	is_int(message_open(&q, id, false, QUEUE_TAKE, &other, &busy, &e), 0,
	    "not by two");
	ok(busy, "it is in use");
	is_int(message_open(&q, id, false, QUEUE_LOOK, &other, &busy, &e), 1,
	    "but looked at");
	is_int(message_note(&other, EVENT_HOLD, NULL, 0, NULL, &e), -1,
	    "and not changed");
	is_int(err_exit(&e), EX_SOFTWARE, "that is our mistake");
	message_close(&other);
	is_int(message_body(&m, &e), 0, "its body");
	is_int(read(m.eml_fd, body, sizeof(body)), 6, "is read");
	is_int(message_body(&m, &e), 0, "once more");
	is_int(read(m.eml_fd, body, sizeof(body)), 6, "from its begin");
	message_close(&m);
	is_int(message_open(
		   &q, "6925c0a0-00000000", false, QUEUE_TAKE, &m, &busy, &e),
	    0, "none");
	ok(!busy, "nor is it in use");
	put_file("queue", "6925c0a0-00000000.env", "sendq 1\ncrea");
	is_int(message_open(
		   &q, "6925c0a0-00000000", false, QUEUE_LOOK, &m, NULL, &e),
	    -1, "not whole");
	ok(strstr(e.text, "queue/6925c0a0-00000000.env") != NULL, "%s", e.text);
	unlinkat(q.ready, "6925c0a0-00000000.env", 0);
}

/* Whoever waits for a message that is moved meanwhile does not get it. */
static void
test_wait(void)
{
	struct message m, other;
	char id[QUEUE_ID];
	int status = -1;
	pid_t pid;

	quiet(commit(id) == 0, "commit");
	take(id, false, &m);
	pid = fork();
	if (pid == 0) {
		message_close(&m); /* a copy holds the lock, too */
		_exit(
		    message_open(&q, id, false, QUEUE_WAIT, &other, NULL, &e));
	}
	clock_sleep(100, -1);
	note(&m, EVENT_FAILED, 1, 2, "550 no");
	is_int(finish(&m), 0, "moved");
	message_close(&m);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "gone for who waits");

	take(id, true, &m);
	pid = fork();
	if (pid == 0) {
		message_close(&m);
		_exit(message_open(&q, id, true, QUEUE_WAIT, &other, NULL, &e));
	}
	clock_sleep(50, -1);
	message_close(&m);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "got, when unlocked");
}

/* --- its history -------------------------------------------------------- */

/* A crash cut a line off, and there is no room to end it and go on: later,
 * what is written is no part of it. */
static void
test_torn_and_full(void)
{
	struct rlimit limit;
	struct message m;
	char id[QUEUE_ID], name[QUEUE_ID + 4];
	size_t size;
	int rv;

	quiet(commit(id) == 0, "commit");
	snprintf(name, sizeof(name), "%s.env", id);
	put_file("queue", name, "1764104003 failed 2 55");
	size = strlen(file_text("queue", id, ".env"));
	take(id, false, &m);
	getrlimit(RLIMIT_FSIZE, &limit);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){size + 5, limit.rlim_max});
	rv = message_note(&m, EVENT_HOLD, NULL, 0, NULL, &e);
	setrlimit(RLIMIT_FSIZE, &limit);
	is_int(rv, -1, "room for a line's end, but no line");
	is_int(message_note(&m, EVENT_HOLD, NULL, 0, NULL, &e), 0, "then");
	message_close(&m);
	take(id, false, &m);
	ok(m.env.held, "what was written is there");
	is_int(m.env.rcpts[1].state, RCPT_WAITING, "what was torn is not");
	message_close(&m);
}

static void
test_append(void)
{
	struct rlimit limit;
	struct message m;
	char id[QUEUE_ID], name[QUEUE_ID + 4], before[4096];
	int rv;

	quiet(commit(id) == 0, "commit");
	snprintf(name, sizeof(name), "%s.env", id);
	put_file("queue", name, "1764104002 sending 1:");
	take(id, false, &m);
	is_int(m.env.rcpts[0].state, RCPT_WAITING, "a torn line is none");
	note(&m, EVENT_SENDING, 1, 1, NULL);
	is_int(m.env.rcpts[0].state, RCPT_SENDING, "here");
	is_int(message_sync(&m, &e), 0, "durable");
	message_close(&m);
	ok(strstr(file_text("queue", id, ".env"), "sending 1:\n") != NULL,
	    "the torn line was ended");
	take(id, false, &m);
	is_int(m.env.rcpts[0].state, RCPT_SENDING, "and in the file");
	is_int(m.env.rcpts[1].state, RCPT_WAITING, "nothing else");

	strlcpy(before, file_text("queue", id, ".env"), sizeof(before));
	getrlimit(RLIMIT_FSIZE, &limit);
	setrlimit(
	    RLIMIT_FSIZE, &(struct rlimit){strlen(before) + 5, limit.rlim_max});
	rv = message_note(&m, EVENT_HOLD, NULL, 0, NULL, &e);
	setrlimit(RLIMIT_FSIZE, &limit);
	is_int(rv, -1, "no room");
	is_str(file_text("queue", id, ".env"), before, "nothing of it is left");
	ok(!m.env.held, "nor is it believed");
	is_int(message_note(&m, EVENT_HOLD, NULL, 0, NULL, &e), 0, "again");
	message_close(&m);
	take(id, false, &m);
	ok(m.env.held, "now it is there");
	message_close(&m);
	test_torn_and_full();
}

/* --- its end ------------------------------------------------------------ */

static void
test_finish(void)
{
	struct message a, b, *both[] = {&a, &b};
	char id[QUEUE_ID], two[QUEUE_ID], want[512];

	drop_log();
	quiet(commit(id) == 0 && commit(two) == 0, "commit");
	take(id, false, &a);
	take(two, false, &b);
	note(&a, EVENT_SENT, 1, 2, "250 2.0.0 Ok: 100%\r\n1 evil");
	note(&b, EVENT_SENT, 1, 1, "250 ok");
	note(&b, EVENT_FAILED, 2, 2, "550 5.1.1 no");
	put_file("failed", "x", "");
	is_int(message_finish(both, 2, &e), 0, "two at once");
	ok(!there("queue", id, ".env") && !there("queue", id, ".eml"),
	    "what was sent is gone");
	ok(there("failed", two, ".env") && there("failed", two, ".eml") &&
		!there("queue", two, ".env") && !there("queue", two, ".eml"),
	    "what failed is in failed/");
	ok(b.failed, "and known to be");
	message_close(&a);
	message_close(&b);
	snprintf(want, sizeof(want),
	    " %s work ada@example.org bob@example.net sent"
	    " 250 2.0.0 Ok: 100%%25%%0D%%0A1 evil\n"
	    " %s work ada@example.org carol@example.org sent"
	    " 250 2.0.0 Ok: 100%%25%%0D%%0A1 evil\n"
	    " %s work ada@example.org bob@example.net sent 250 ok\n"
	    " %s work ada@example.org carol@example.org failed 550 5.1.1 no\n",
	    id, id, two, two);
	is_str(log_text(), want, "the log");

	/* As if a crash had come after the log. */
	move_file("failed", "queue", two, ".env");
	take(two, false, &b);
	is_int(finish(&b), 0, "what was half moved");
	ok(there("failed", two, ".env") && there("failed", two, ".eml"),
	    "is moved for good");
	is_str(log_text(), want, "and not told twice");
	message_close(&b);

	/* Another try for the one, and no word about the other. */
	take(two, true, &b);
	is_int(message_requeue(&b, 0, &e), 0, "back to the queue");
	ok(there("queue", two, ".env") && there("queue", two, ".eml") &&
		!there("failed", two, ".env") && !b.failed,
	    "it is there");
	is_int(b.env.rcpts[1].state, RCPT_WAITING, "to be tried again");
	note(&b, EVENT_SENT, 2, 2, "250 now");
	put_file("failed", two, "");
	is_int(finish(&b), 0, "and over");
	message_close(&b);
	ok(!there("queue", two, ".env") && !there("failed", two, ".env"),
	    "gone");
	strlcat(want, " ", sizeof(want));
	strlcat(want, two, sizeof(want));
	strlcat(want, " work ada@example.org carol@example.org sent 250 now\n",
	    sizeof(want));
	is_str(log_text(), want, "a line for that");
	unlinkat(q.failed, two, 0);
	unlinkat(q.failed, "x", 0);
}

/* A crash at any point of the move, either way: body in the other folder. */
static void
test_half(void)
{
	struct message m;
	char id[QUEUE_ID];

	quiet(commit(id) == 0, "commit");
	move_file("queue", "failed", id, ".eml");
	take(id, false, &m);
	is_int(message_body(&m, &e), 0, "the body is found");
	note(&m, EVENT_FAILED, 1, 2, "550 no");
	is_int(finish(&m), 0, "finished");
	message_close(&m);
	move_file("failed", "queue", id, ".eml");
	take(id, true, &m);
	is_int(message_body(&m, &e), 0, "found again");
	message_close(&m);
	queue_tidy(&q);
	ok(there("failed", id, ".eml") && !there("queue", id, ".eml"),
	    "the body is moved back");
	take(id, true, &m);
	is_int(message_requeue(&m, 0, &e), 0, "requeued");
	message_close(&m);
	ok(there("queue", id, ".env") && there("queue", id, ".eml"), "whole");
	move_file("queue", "failed", id, ".eml");
	put_file("failed", "6925c0a0-00000001.report", "");
	take(id, false, &m);
	is_int(message_remove(&m, &e), 0, "removed");
	message_close(&m);
	ok(!there("queue", id, ".env") && !there("failed", id, ".eml"),
	    "wherever it was");
	ok(there("failed", "6925c0a0-00000001", ".report"), "nothing else");
	unlinkat(q.failed, "6925c0a0-00000001.report", 0);
}

static void
link_file(const char *id, const char *suffix)
{
	char name[QUEUE_ID + 8];

	snprintf(name, sizeof(name), "%s%s", id, suffix);
	quiet(linkat(q.ready, name, q.failed, name, 0) == 0, "link");
}

/* A power cut may bring an old name back when the new one stays. */
static void
test_both(void)
{
	struct message m;
	char id[QUEUE_ID];

	quiet(commit(id) == 0, "commit");
	take(id, false, &m);
	note(&m, EVENT_FAILED, 1, 2, "550 no");
	link_file(id, ".eml");
	link_file(id, ".env");
	is_int(finish(&m), 0, "finished");
	message_close(&m);
	ok(there("failed", id, ".env") && there("failed", id, ".eml") &&
		!there("queue", id, ".env") && !there("queue", id, ".eml"),
	    "where it belongs alone");

	quiet(commit(id) == 0, "commit");
	link_file(id, ".env");
	take(id, false, &m);
	is_int(message_remove(&m, &e), 0, "removed");
	message_close(&m);
	ok(!there("queue", id, ".env") && !there("failed", id, ".env"),
	    "from both");
}

static void
test_remove(void)
{
	struct message m;
	char id[QUEUE_ID], want[256];

	drop_log();
	quiet(commit(id) == 0, "commit");
	take(id, false, &m);
	note(&m, EVENT_SENT, 1, 1, "250 ok");
	is_int(message_remove(&m, &e), 0, "removed");
	message_close(&m);
	ok(!there("queue", id, ".env") && !there("queue", id, ".eml"), "gone");
	snprintf(want, sizeof(want),
	    " %s work ada@example.org bob@example.net sent 250 ok\n"
	    " %s work ada@example.org carol@example.org removed \n",
	    id, id);
	is_str(log_text(), want, "and the log tells");
}

/* --- lists -------------------------------------------------------------- */

static void
test_find(void)
{
	static const char *const names[] = {"6925c0a0-00000001.env",
	    "6925c0a0-00000002.env", "6925c0a1-00000003.env", "README",
	    "6925c0a2-00000004.eml", "6925c0a2-00000004.env.x", ".env"};
	char id[QUEUE_ID] = "";
	struct words ids;
	bool failed = true;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		put_file(i == 2 ? "failed" : "queue", names[i], "");
	words_init(&ids);
	is_int(queue_ids(&q, true, &ids, &e), 0, "in failed/");
	ok(ids.n > 0 && strcmp(ids.v[0], "6925c0a1-00000003") == 0, "one");
	words_clear(&ids);
	is_int(queue_ids(&q, false, &ids, &e), 0, "in queue/");
	ok(ids.n >= 2 && strcmp(ids.v[0], "6925c0a0-00000001") == 0 &&
		strcmp(ids.v[1], "6925c0a0-00000002") == 0,
	    "sorted");
	for (i = 1; i < ids.n; i++)
		quiet(strcmp(ids.v[i - 1], ids.v[i]) < 0, "%s", ids.v[i]);
	words_clear(&ids);
	is_int(queue_find(&q, "6925c0a0-00000002", id, &failed, &e), 0, "all");
	is_str(id, "6925c0a0-00000002", "of its name");
	ok(!failed, "in queue/");
	is_int(queue_find(&q, "6925c0a1", id, &failed, &e), 0, "its begin");
	is_str(id, "6925c0a1-00000003", "is enough");
	ok(failed, "in failed/");
	is_int(queue_find(&q, "6925c0a0", id, &failed, &e), -1, "not for two");
	is_int(err_exit(&e), EX_USAGE, "%s", e.text);
	is_int(queue_find(&q, "", id, &failed, &e), -1, "nothing");
	is_int(queue_find(&q, "README", id, &failed, &e), -1, "no ID");
	is_int(err_exit(&e), EX_USAGE, "%s", e.text);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(i == 2 ? q.failed : q.ready, names[i], 0);
}

/* --- the log ------------------------------------------------------------ */

static void
test_rotation(void)
{
	struct ledger l;
	struct stat st;

	drop_log();
	put_file(".", "log", "torn");
	is_int(ledger_open(&l, &q, &e), 0, "open");
	quiet(ftruncate(l.fd, 8 << 20) == 0, "grown");
	ledger_close(&l);
	is_int(ledger_open(&l, &q, &e), 0, "again");
	ok(fstat(l.fd, &st) == 0 && st.st_size == 0, "a new one");
	ok(fstatat(q.dir, "log.old", &st, 0) == 0 && st.st_size == 8 << 20,
	    "and the old");
	ledger_close(&l);
	unlinkat(q.dir, "log.old", 0);
}

static void
test_torn_log(void)
{
	struct message m;
	char id[QUEUE_ID];

	drop_log();
	put_file(".", "log", "1764104003 6925c0a0-0000");
	quiet(commit(id) == 0, "commit");
	take(id, false, &m);
	is_int(message_remove(&m, &e), 0, "removed");
	message_close(&m);
	ok(strncmp(log_text(), " 6925c0a0-0000\n ", 16) == 0,
	    "a torn line is ended");
}

static void
test_line(void)
{
	static const char *const bad[] = {"", "1764104003", "x a b c d e f",
	    "1 a b c d", "1 a b  c d e", " 1 a b c d e"};
	struct ledger_line l;
	size_t i;

	is_int(ledger_parse(span_of("1764104003 id wo%20rk <> "
				    "%22a%20b%22@c sent 250 100%25 %0Aok"),
		   &l),
	    1, "a line");
	is_int(l.time, 1764104003, "time");
	is_str(l.fields[LEDGER_ACCOUNT], "wo rk", "account");
	is_str(l.fields[LEDGER_RCPT], "\"a b\"@c", "recipient");
	is_str(l.fields[LEDGER_OUTCOME], "sent", "outcome");
	is_str(l.fields[LEDGER_WORDS], "250 100% \nok", "words");
	ledger_line_clear(&l);
	is_int(ledger_parse(span_of("1 a b c d sent "), &l), 1, "no words");
	is_str(l.fields[LEDGER_WORDS], "", "none");
	ledger_line_clear(&l);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(ledger_parse(span_of(bad[i]), &l), 0, "no line %zu", i);
}

int
main(void)
{
	char *clean;

	if (mkdtemp(dir) == NULL)
		return 1;
	setenv("STATE_DIRECTORY", dir, 1);
	is_int(queue_open(&q, &e), 0, "opened");
	test_commit();
	test_ids();
	test_failures();
	test_tidy();
	test_open();
	test_wait();
	test_append();
	test_finish();
	test_half();
	test_both();
	test_remove();
	test_find();
	test_rotation();
	test_torn_log();
	test_line();
	queue_close(&q);
	clean = mem_printf("rm -rf %s", dir);
	ok(system(clean) == 0, "cleaned up");
	free(clean);
	return done();
}
