/*
 * syncd/local: folders and files of a Maildir tree, while a mail reader works
 * on it.
 */

#include "local.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/file.h"
#include "tap.h"

static struct err e;
static char root[] = "/tmp/local.XXXXXX";
static struct sync tree;

static void
write_file(const char *folder, const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", root, folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	quiet(fd != -1 && write(fd, text, strlen(text)) != -1, "%s", path);
	close(fd);
}

static void
age(const char *folder, int64_t seconds)
{
	struct timespec t[2];
	char path[512];

	clock_gettime(CLOCK_REALTIME, &t[0]);
	t[0].tv_sec -= seconds;
	t[1] = t[0];
	snprintf(path, sizeof(path), "%s/%s", root, folder);
	quiet(utimensat(AT_FDCWD, path, t, 0) == 0, "%s", path);
}

static struct maildir
folder(const char *path)
{
	struct maildir m = {0};

	quiet(local_maildir(&tree, path, true, &m, &e) == 0, "%s", e.text);
	return m;
}

static void
test_survey(void)
{
	struct local_folder *v;
	char path[512];
	bool there;
	size_t n;

	tree.maildir = (char *)(uintptr_t) "/nowhere/at/all";
	ok(local_survey(&tree, &v, &n, &there, &e) == 0 && !there && n == 0,
	    "a root that is missing is told");
	tree.maildir = root;
	ok(local_survey(&tree, &v, &n, &there, &e) == 0 && there && n == 0,
	    "an empty root");
	local_create(&tree, "INBOX", &e);
	local_create(&tree, "A/B", &e);
	local_create(&tree, "A/B/C", &e);
	snprintf(path, sizeof(path), "%s/.notmuch", root);
	mkdir(path, 0700);
	age("INBOX/cur", 10);
	is_int(local_survey(&tree, &v, &n, &there, &e), 0, "survey");
	ok(n == 3 && strcmp(v[0].path, "A/B") == 0 &&
		strcmp(v[1].path, "A/B/C") == 0 &&
		strcmp(v[2].path, "INBOX") == 0,
	    "the Maildirs, not what lies between and beside them");
	ok(v[2].cur_mtime != 0 && v[2].new_mtime == 0,
	    "an mtime of just now is not remembered");
	local_survey_free(v, n);
	rmdir(path);
}

static void
test_change_folders(void)
{
	struct local_folder *v;
	bool there;
	size_t n;

	is_int(local_rename(&tree, "A/B/C", "X/Y", &e), 0, "rename");
	is_int(local_rename(&tree, "X/Y", "A/B", &e), -1,
	    "not onto another folder");
	write_file("X/Y/new", "1", "x");
	is_int(local_remove(&tree, "X/Y", &e), -1, "not with mail in it");
	ok(strstr(e.text, "is not empty") != NULL, "which is said: %s", e.text);
	tree.layout = LAYOUT_NESTED;
	is_int(local_remove(&tree, "A/B", &e), 0, "an empty one is removed");
	local_survey(&tree, &v, &n, &there, &e);
	ok(n == 2 && strcmp(v[1].path, "X/Y") == 0, "so it is");
	local_survey_free(v, n);
	tree.layout = LAYOUT_MAILDIR_PLUS;
	is_int(local_remove(&tree, "", &e), -1, "never the root");
	tree.layout = LAYOUT_NESTED;
}

static void
test_list(void)
{
	struct maildir m = folder("L");
	struct local_list l;

	write_file("L/cur", "b,S=3:2,S", "abc");
	write_file("L/new", "a", "abc");
	write_file("L/cur", "c:2,", "abc");
	write_file("L/new", "b,S=3", "abc");
	write_file("L/cur", ".hidden", "");
	is_int(local_list(&m, &l, &e), 0, "listed");
	ok(l.n == 3 && l.twice == 1, "one of two with the same name");
	ok(span_eq(local_file_name(&l, 0), "a") && l.v[0].in_new,
	    "sorted by unique name");
	ok(span_eq(local_file_name(&l, 1), "b,S=3:2,S") && !l.v[1].in_new &&
		l.v[1].flags == PLAN_SEEN,
	    "the one in cur/ is it");
	ok(l.cur_mtime == 0 && l.new_mtime == 0, "too fresh to be remembered");
	ok(local_list_find(&l, span_of("c")) == &l.v[2] &&
		local_list_find(&l, span_of("bb")) == NULL &&
		local_list_find(&l, span_of("")) == NULL,
	    "found by unique name");
	local_list_clear(&l);
	age("L/cur", 10);
	age("L/new", 10);
	local_list(&m, &l, &e);
	ok(l.cur_mtime != 0 && l.new_mtime != 0, "after a while it is");
	local_list_clear(&l);
	maildir_close(&m);
}

static void
test_census(void)
{
	const plan_flags all =
	    PLAN_FLAGGED | PLAN_KEYWORD(0) | PLAN_KEYWORD(25);
	struct maildir m = folder("C");
	struct local_census c;
	struct local_mark *k;
	struct local_list l;
	bool empty;

	ok(local_is_empty(&m, &empty, &e) == 0 && empty, "empty");
	write_file("C/new", "a", "abc");
	write_file("C/cur", "b:2,Faz", "abc");
	write_file("C/new", "b", "abc");
	write_file("C/cur", "c,S=3:2,S", "abc");
	ok(local_is_empty(&m, &empty, &e) == 0 && !empty, "not any more");
	is_int(local_census(&m, &c, &e), 0, "a census");
	ok(c.n == 3 && c.twice == 1, "one of two with the same name");
	ok(local_census_find(&c, span_of("bb")) == NULL, "not there");
	k = local_census_find(&c, span_of("b"));
	ok(k != NULL && !k->in_new && local_mark_flags(k) == all,
	    "the one in cur/, with all its flags");
	is_int(local_names(&m, &c, &l, &e), 1, "no names");
	is_int((int)l.n, 0, "are wanted");
	k->wanted = true;
	local_census_find(&c, span_of("a"))->wanted = true;
	k->known = true;
	is_int(local_names(&m, &c, &l, &e), 1, "two names");
	ok(l.n == 2 && strcmp(local_file_name(&l, 0).p, "a") == 0 &&
		!l.v[0].known && l.v[0].in_new,
	    "the one");
	ok(strcmp(local_file_name(&l, 1).p, "b:2,Faz") == 0 && l.v[1].known &&
		l.v[1].flags == all,
	    "and the other");
	local_list_clear(&l);
	k->wanted = true;
	write_file("C/cur", "b:2,Fay", "abc");
	is_int(unlinkat(m.cur, "b:2,Faz", 0), 0, "renamed");
	is_int(local_names(&m, &c, &l, &e), 0, "not where the census saw it");
	ok(l.n == 0 && l.v == NULL, "nothing is listed then");
	local_census_clear(&c);
	maildir_close(&m);
}

static struct local_at
at(const char *name, bool in_new)
{
	struct local_at a = {.in_new = in_new};

	strlcpy(a.name, name, sizeof(a.name));
	return a;
}

static bool
there(const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	return access(full, F_OK) == 0;
}

static void
test_files(void)
{
	struct maildir m = folder("F"), to = folder("G");
	struct local_at a;
	int fd;

	write_file("F/new", "one", "x");
	a = at("one", true);
	is_int(local_set_flags(&m, &a, 0, 0, &e), 1, "no flags");
	ok(there("F/new/one"), "stays new");
	is_int(local_set_flags(&m, &a, PLAN_SEEN, 0, &e), 1, "seen");
	ok(there("F/cur/one:2,S") && !there("F/new/one") && m.placed_cur &&
		m.placed_new,
	    "goes to cur/");
	a = at("one", true);
	is_int(local_set_flags(&m, &a, PLAN_FLAGGED, PLAN_SEEN, &e), 1,
	    "found where a reader put it");
	ok(there("F/cur/one:2,F"), "and changed there");
	write_file("F/cur", "two:2,RS", "x");
	a = at("two:2,S", false);
	is_int(local_set_flags(&m, &a, PLAN_FLAGGED, 0, &e), 1,
	    "a reader has changed its flags");
	ok(there("F/cur/two:2,FRS"), "which stay");
	a = at("one:2,TS", false);
	is_int(local_open(&m, &a, &fd, &e), 1, "opened by an old name");
	is_str(a.name, "one:2,F", "its new name is told");
	close(fd);
	is_int(local_move(&m, &to, &a, &e), 1, "moved");
	ok(there("G/cur/one:2,F") && !there("F/cur/one:2,F"), "so it is");
	is_int(local_move(&m, &to, &a, &e), 0, "it is gone from there");
	is_int(local_open(&m, &a, &fd, &e), 0, "cannot be opened");
	is_int(local_unlink(&to, &a, &e), 1, "removed");
	is_int(local_unlink(&to, &a, &e), 0, "once");
	maildir_close(&m);
	maildir_close(&to);
}

static bool
holds(const char *path, const char *text)
{
	char full[512], got[64] = "";
	ssize_t n;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	fd = open(full, O_RDONLY);
	n = read(fd, got, sizeof(got) - 1);
	close(fd);
	return n >= 0 && strcmp(got, text) == 0;
}

static void
test_replace(void)
{
	struct maildir m = folder("P");
	struct local_at a;

	write_file("P/cur", "ph:2,F", "old");
	write_file("P/tmp", "new", "whole");
	a = at("ph:2,F", false);
	is_int(local_replace(&m, "new", &a, &e), 1, "replaced");
	ok(holds("P/cur/ph:2,F", "whole") && !there("P/tmp/new"),
	    "by its own name, and nothing is left");
	write_file("P/tmp", "new", "again");
	a = at("ph", true);
	is_int(
	    local_replace(&m, "new", &a, &e), 1, "found where a reader put it");
	ok(holds("P/cur/ph:2,F", "again") && m.placed_cur,
	    "and replaced there");
	write_file("P/tmp", "new", "whole");
	a = at("gone:2,F", false);
	is_int(local_replace(&m, "new", &a, &e), 0, "what is gone is gone");
	ok(holds("P/tmp/new", "whole") && !there("P/cur/gone:2,F"),
	    "nothing takes its place");

	a = at("ph:2,S", false);
	is_int(local_expire(&m, &a, &e), 0, "other flags: it does not expire");
	ok(there("P/cur/ph:2,F"), "it is there");
	a = at("ph:2,F", false);
	is_int(local_expire(&m, &a, &e), 1, "as it was: it does");
	ok(!there("P/cur/ph:2,F"), "it is not there");
	maildir_close(&m);
}

static bool
is_placeholder(const char *text)
{
	char path[512];
	bool is = false;
	int fd;

	write_file("P/cur", "it", text);
	snprintf(path, sizeof(path), "%s/P/cur/it", root);
	fd = open(path, O_RDONLY);
	quiet(local_is_placeholder(fd, &is, &e) == 0, "%s", e.text);
	close(fd);
	return is;
}

static void
test_placeholder(void)
{
	static char late[9000];

	memset(late, 'x', 8000);
	memcpy(late, "X-Long: ", 8);
	strlcpy(late + 8000, "\nX-Syncd-Placeholder: 5\n\nbody", 900);
	ok(is_placeholder("X-Syncd-Placeholder: 5\nA: b\n\nbody"), "one");
	ok(is_placeholder(late), "one by a field that comes late");
	ok(!is_placeholder("A: b\n\nX-Syncd-Placeholder: 5\n"),
	    "none by its body");
	ok(!is_placeholder(""), "none that is empty");
}

/* A reader renames one file for ever: a listing has it, always and once. */
static void
test_reader(void)
{
	struct maildir m = folder("R");
	struct local_list l;
	char from[512], to[512], name[32];
	unsigned int i, listed = 0, missed = 0;
	pid_t pid;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "m%u:2,", i);
		write_file("R/cur", name, "x");
	}
	snprintf(from, sizeof(from), "%s/R/cur/m100:2,", root);
	snprintf(to, sizeof(to), "%s/R/cur/m100:2,S", root);
	if ((pid = fork()) == 0) {
		for (;;) {
			rename(from, to);
			rename(to, from);
			usleep(3000);
		}
	}
	for (i = 0; i < 60; i++) {
		if (local_list(&m, &l, &e) == -1)
			continue;
		listed++;
		missed += l.n != 200 || l.twice != 0;
		local_list_clear(&l);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(listed > 20, "listed %u times of 60", listed);
	is_int((int)missed, 0, "and complete each time");
	maildir_close(&m);
}

struct identity {
	uint64_t size;
	unsigned char digest[LOCAL_DIGEST];
	bool has_id;
};

static struct identity
identity(const char *text)
{
	struct identity i = {0};
	char path[512];
	int fd;

	write_file("F/cur", "it", text);
	snprintf(path, sizeof(path), "%s/F/cur/it", root);
	fd = open(path, O_RDONLY);
	quiet(local_identity(fd, &i.size, i.digest, &i.has_id, &e) == 0, "%s",
	    e.text);
	close(fd);
	return i;
}

static bool
same(struct identity a, struct identity b)
{
	return memcmp(a.digest, b.digest, LOCAL_DIGEST) == 0;
}

static void
test_identity(void)
{
	struct identity a = identity("A: b\nMessage-ID: <1@x>\nC: d\n\nbody\n");
	struct identity b =
	    identity("A: c\r\nMessage-ID: <1@x>\r\n\r\nother\r\n");
	struct identity c = identity("A: b\nMessage-ID: <2@x>\n\nbody\n");
	struct identity d = identity("A: b\n\nbody\n");
	struct identity f = identity("A: b\r\n\r\nbody\r\n");
	unsigned char field[LOCAL_DIGEST];
	bool has;

	ok(a.has_id && same(a, b), "the same Message-ID, whatever the ends");
	ok(!same(a, c), "another one");
	ok(a.size == 39 && d.size == f.size && d.size == 14,
	    "sizes with CRLFs");
	ok(!d.has_id && same(d, f), "none: the header");
	local_digest(span_of("Message-ID: <1@x>\r\n\r\n"), field, &has);
	ok(memcmp(field, a.digest, LOCAL_DIGEST) == 0,
	    "the field as a server sends it");
	local_digest(span_of("Message-ID:\r\nA: 1\r\n\r\n"), field, &has);
	ok(!has, "an empty Message-ID is none");
	local_digest(span_of("A: 1\nMessage-ID:"), field, &has);
	ok(!has, "also at the very end");
	local_digest(span_of("Message-ID: \n \n\n"), field, &has);
	ok(!has, "nor one of blanks");
}

static void
test_twins(void)
{
	struct maildir m = folder("T1"), to = folder("T2");
	struct local_at at = {.name = "b,S=1"};
	struct local_list l;
	char from[512], name[512];

	write_file("T1/cur", "a:2,S", "a");
	snprintf(from, sizeof(from), "%s/T1/cur/a:2,S", root);
	snprintf(name, sizeof(name), "%s/T1/new/a", root);
	quiet(link(from, name) == 0, "link");
	write_file("T1/new", "b,S=1", "b");
	write_file("T1/cur", "b:2,S", "b");
	is_int(local_list(&m, &l, &e), 0, "listed");
	ok(l.n == 2 && l.twice == 1 && access(name, F_OK) == -1,
	    "one file with two names has one; two files are left");
	local_list_clear(&l);
	snprintf(from, sizeof(from), "%s/T1/cur/b:2,S", root);
	snprintf(name, sizeof(name), "%s/T2/cur/b:2,RS", root);
	quiet(link(from, name) == 0, "link");
	strlcpy(at.name, "b:2,S", sizeof(at.name));
	is_int(local_move(&m, &to, &at, &e), 1, "moved");
	ok(access(from, F_OK) == -1 && access(name, F_OK) == 0,
	    "what was moved already only goes");
	maildir_close(&m);
	maildir_close(&to);
}

static void
test_keywords(void)
{
	struct maildir m = folder("K");
	struct local_keywords k = {0};

	is_int(local_keywords_read(&m, &k, &e), 0, "no file");
	is_int(local_keyword(&k, span_of("$Label1"), false), -1, "unknown");
	is_int(local_keyword(&k, span_of("$Label1"), true), 0, "made: a");
	is_int(local_keyword(&k, span_of("todo"), true), 1, "made: b");
	is_int(local_keywords_write(&m, &k, 1, &e), 0, "written");
	local_keywords_clear(&k);
	is_int(local_keywords_read(&m, &k, &e), 0, "read");
	is_int(local_keyword(&k, span_of("TODO"), false), 1, "in any case");
	local_keywords_clear(&k);
	write_file("K", "dovecot-keywords",
	    "0 x\n25 z y\n26 no\nnonsense\n0 again\n-1 no\n");
	local_keywords_read(&m, &k, &e);
	ok(local_keyword(&k, span_of("x"), false) == 0 &&
		local_keyword(&k, span_of("again"), false) == -1 &&
		local_keyword(&k, span_of("no"), false) == -1,
	    "nonsense is skipped");
	local_keywords_clear(&k);
	maildir_close(&m);
}

int
main(void)
{
	char command[64];

	if (mkdtemp(root) == NULL)
		return 1;
	test_survey();
	test_change_folders();
	test_list();
	test_census();
	test_files();
	test_replace();
	test_placeholder();
	test_reader();
	test_identity();
	test_twins();
	test_keywords();
	snprintf(command, sizeof(command), "%s", root);
	if (fork() == 0)
		execlp("rm", "rm", "-rf", command, (char *)NULL);
	wait(NULL);
	return done();
}
