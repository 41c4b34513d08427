/*
 * syncd/state: pairs of folders and of messages, what is under way, and what
 * is left after a crash.
 */

#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tap.h"

static struct err e;
static char path[64];

static struct state *
reopen(struct state *s)
{
	enum store_found found;

	state_close(s);
	if (state_open(path, &found, &s, &e) == -1) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	return s;
}

static struct state_msg
message(int64_t folder, uint32_t uid, const char *name)
{
	struct state_msg m = {.folder = folder,
	    .uid = uid,
	    .name = span_of(name),
	    .base = {.paired = true,
		.local = true,
		.remote = true,
		.flags = PLAN_SEEN | PLAN_KEYWORD(25)},
	    .size = 1234,
	    .date = 1700000000 + uid % 100,
	    .emailid = span_of("M\0x")};

	m.emailid.n = 3;
	return m;
}

static int
put(struct state *s, int64_t folder, uint32_t uid, const char *name)
{
	struct state_msg m = message(folder, uid, name);

	return state_put(s, &m, &e);
}

static void
test_folders(struct state **s)
{
	struct state_folder f = {.remote = (char *)(uintptr_t) "A/B",
	    .local = (char *)(uintptr_t) "A/B"};
	struct state_folder *list;
	size_t n;

	is_int(state_folder_put(*s, &f, &e), 0, "a folder is added");
	ok(f.id > 0, "it has a number");
	f.mailboxid = (char *)(uintptr_t) "F1";
	f.uidvalidity = 4294967295u;
	f.uidnext = 4294967295u;
	f.modseq = UINT64_C(9223372036854775807);
	f.messages = 3;
	f.cur_mtime = 1764104000123456789;
	f.new_mtime = 5;
	f.terms = (char *)(uintptr_t) "age 30";
	f.due = 1764104000;
	is_int(state_folder_put(*s, &f, &e), 0, "and changed");
	*s = reopen(*s);
	is_int(state_folders(*s, &list, &n, &e), 0, "listed");
	ok(n == 1 && strcmp(list->remote, "A/B") == 0 &&
		strcmp(list->mailboxid, "F1") == 0 &&
		strcmp(list->terms, "age 30") == 0 && list->due == f.due &&
		list->uidvalidity == f.uidvalidity &&
		list->uidnext == f.uidnext && list->modseq == f.modseq &&
		list->messages == 3 && list->cur_mtime == f.cur_mtime &&
		list->new_mtime == 5,
	    "all of it is kept");
	state_folders_free(list, n);
}

static void
test_messages(struct state **s)
{
	struct state_msg m;
	uint64_t n, out;

	ok(put(*s, 1, 7, "seven") == 0 && put(*s, 1, 4000000000u, "big") == 0 &&
		put(*s, 2, 7, "seven") == 0,
	    "the same name, and uid, in two folders");
	*s = reopen(*s);
	is_int(state_by_uid(*s, 1, 7, &m, &e), 1, "found by uid");
	ok(span_eq(m.name, "seven") && m.size == 1234 && m.emailid.n == 3 &&
		memcmp(m.emailid.p, "M\0x", 3) == 0 &&
		m.base.flags == (PLAN_SEEN | PLAN_KEYWORD(25)) &&
		m.base.paired && m.base.local && m.base.remote &&
		!m.base.placeholder && !m.placing,
	    "with all of it");
	is_int(state_by_name(*s, 1, span_of("big"), &m, &e), 1, "by name");
	ok(m.uid == 4000000000u, "that one");
	is_int(state_by_name(*s, 2, span_of("big"), &m, &e), 0,
	    "not in another folder");
	is_int(state_by_name(*s, 1, span_of("bi"), &m, &e), 0, "not in part");
	/* what was lent may be put back */
	state_by_uid(*s, 1, 7, &m, &e);
	m.base.flags = 0;
	m.base.local = false;
	is_int(state_put(*s, &m, &e), 0, "changed in place");
	state_by_uid(*s, 1, 7, &m, &e);
	ok(span_eq(m.name, "seven") && !m.base.local && m.base.flags == 0,
	    "and so it is");
	ok(put(*s, 1, 8, "") == 0 && put(*s, 1, 9, "") == 0,
	    "several without a file");
	state_count(*s, 1, &n, &out, &e);
	ok(n == 4 && out == 0, "counted");
	state_by_uid(*s, 1, 9, &m, &e);
	m.base.left_out = true;
	m.base.local = false;
	state_put(*s, &m, &e);
	state_by_uid(*s, 1, 9, &m, &e);
	ok(m.base.left_out && !m.base.local && m.date == 1700000009,
	    "one is left out");
	state_count(*s, 1, &n, &out, &e);
	ok(n == 4 && out == 1, "counted as such");
	state_forget(*s, 1, 9, &e);
	is_int(state_by_uid(*s, 1, 9, &m, &e), 0, "forgotten");
}

static void
test_walk(struct state *s)
{
	static const uint32_t by_uid[] = {7, 8, 4000000000u};
	struct state_msg m;
	struct uidset uids;
	size_t i = 0, bad = 0;

	state_walk(s, 1);
	while (state_walk_next(s, &m, &e) == 1)
		bad += i >= 3 || m.uid != by_uid[i++];
	ok(i == 3 && bad == 0, "by uid, all");
	state_walk(s, 1);
	state_walk_next(s, &m, &e);
	state_walk_end(s);
	is_int(state_walk_next(s, &m, &e), 0, "left early");
	uidset_init(&uids);
	is_int(state_uids(s, 1, &uids, &e), 0, "uids");
	ok(uidset_count(&uids) == 3 && uidset_has(&uids, 8), "all three");
	uidset_clear(&uids);
}

static void
test_oldest(struct state *s)
{
	int64_t date;

	/* 7 is gone here, 8 is there, so is the last one */
	is_int(state_oldest(s, 1, 0, PLAN_SEEN, &date, &e), 0, "the oldest");
	ok(date == 1700000000, "it is that of 4000000000");
	state_oldest(s, 1, PLAN_SEEN, 0, &date, &e);
	is_int((int)date, 0, "none without that flag");
	state_oldest(s, 1, 0, PLAN_FLAGGED, &date, &e);
	is_int((int)date, 0, "nor with this one");
	state_oldest(s, 99, 0, 0, &date, &e);
	is_int((int)date, 0, "nor in an empty folder");
}

static void
test_forget_all(struct state *s)
{
	uint64_t n, out;

	is_int(state_forget_all(s, 1, &e), 0, "UIDVALIDITY changed");
	state_count(s, 1, &n, &out, &e);
	is_int((int)n, 0, "no row is left");
	state_count(s, 2, &n, &out, &e);
	is_int((int)n, 1, "but those of other folders");
}

static void
test_placing(struct state **s)
{
	struct state_msg m = message(3, 1, "one");
	int64_t folder = 0;
	uint32_t uid = 0;
	size_t n = 0;

	m.placing = true;
	state_put(*s, &m, &e);
	m = message(3, 2, "two");
	m.placing = true;
	state_put(*s, &m, &e);
	put(*s, 3, 3, "three");
	*s = reopen(*s);
	while (state_placing_next(*s, &folder, &uid, &m, &e) == 1) {
		n++;
		m.placing = false;
		state_put(*s, &m, &e);
	}
	ok(n == 2 && folder == 3 && uid == 2, "both are told, and may change");
	m = message(3, 1, "one");
	m.placing = true;
	state_put(*s, &m, &e);
	state_placed(*s, &e);
	folder = uid = 0;
	is_int(state_placing_next(*s, &folder, &uid, &m, &e), 0, "all placed");
}

/* Killed in a transaction: nothing of it is there; after it: all of it. */
static void
test_crash(struct state **s)
{
	struct state_msg m;
	int status;
	pid_t pid;

	state_close(*s);
	*s = NULL;
	if ((pid = fork()) == 0) {
		*s = reopen(NULL);
		state_begin(*s, &e);
		put(*s, 5, 1, "kept");
		state_commit(*s, &e);
		state_begin(*s, &e);
		put(*s, 5, 2, "lost");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	*s = reopen(NULL);
	is_int(state_by_uid(*s, 5, 1, &m, &e), 1, "committed: there");
	is_int(state_by_uid(*s, 5, 2, &m, &e), 0, "not committed: not there");
}

static void
test_drop(struct state *s)
{
	struct state_folder *list;
	struct state_msg m;
	size_t n;

	put(s, 1, 70, "x");
	is_int(state_folder_drop(s, 1, &e), 0, "a folder is dropped");
	state_folders(s, &list, &n, &e);
	ok(n == 0 && state_by_uid(s, 1, 70, &m, &e) == 0, "with its messages");
	state_folders_free(list, n);
	is_int(state_by_uid(s, 2, 7, &m, &e), 1, "and no other's");
}

/* A state as the first version wrote it: all that it knew is known still. */
static void
test_first_version(void)
{
	static const char *const first[] = {
	    "CREATE TABLE folder ("
	    " id INTEGER PRIMARY KEY, remote TEXT NOT NULL UNIQUE,"
	    " local TEXT NOT NULL UNIQUE, mailboxid TEXT NOT NULL DEFAULT '',"
	    " uidvalidity INTEGER NOT NULL DEFAULT 0,"
	    " uidnext INTEGER NOT NULL DEFAULT 1,"
	    " modseq INTEGER NOT NULL DEFAULT 0,"
	    " messages INTEGER NOT NULL DEFAULT 0,"
	    " cur_mtime INTEGER NOT NULL DEFAULT 0,"
	    " new_mtime INTEGER NOT NULL DEFAULT 0);"
	    "CREATE TABLE msg ("
	    " folder INTEGER NOT NULL, uid INTEGER NOT NULL,"
	    " name TEXT NOT NULL, flags INTEGER NOT NULL, half INTEGER NOT NULL,"
	    " placing INTEGER NOT NULL, size INTEGER NOT NULL,"
	    " emailid BLOB NOT NULL,"
	    " PRIMARY KEY (folder, uid)) WITHOUT ROWID;"
	    "CREATE UNIQUE INDEX msg_name ON msg (folder, name)"
	    " WHERE name <> '';"
	    "CREATE INDEX msg_placing ON msg (placing) WHERE placing = 1;"
	    "CREATE TABLE self (tag INTEGER NOT NULL);"
	    "INSERT INTO self VALUES (77);"
	    "INSERT INTO folder (remote, local) VALUES ('A', 'B');"
	    "INSERT INTO msg VALUES (1, 7, 'seven', 1, 3, 0, 1234, x'4d');",
	};
	enum store_found found;
	struct state_folder *list;
	struct state_msg m;
	struct store *old;
	struct state *s;
	uint32_t tag;
	size_t n;

	is_int(store_open(path, first, 1, &found, &old, &e), 0, "the first");
	store_close(old);
	is_int(state_open(path, &found, &s, &e), 0, "... is read");
	ok(state_tag(s, &tag, &e) == 0 && tag == 77, "its tag stays");
	ok(state_by_uid(s, 1, 7, &m, &e) == 1 && m.size == 1234 &&
		m.base.local && m.base.remote && !m.base.left_out &&
		m.date == 0 && span_eq(m.name, "seven"),
	    "a message");
	state_folders(s, &list, &n, &e);
	ok(n == 1 && list->terms == NULL && list->due == 0, "a folder");
	state_folders_free(list, n);
	state_close(s);
	unlink(path);
}

static void
test_pushes(struct state **s)
{
	struct state_push p = {.folder = 3,
	    .name = span_of("two"),
	    .flags = PLAN_SEEN | PLAN_KEYWORD(25),
	    .size = UINT64_C(5000000000),
	    .digest = "\0digest",
	    .origin = 9,
	    .uid = UINT32_MAX};

	is_int(state_push_put(*s, &p, &e), 0, "a push is noted");
	p.name = span_of("one");
	state_push_put(*s, &p, &e);
	p.flags = 0;
	is_int(state_push_put(*s, &p, &e), 0, "once more, with other flags");
	*s = reopen(*s);
	ok(state_push_next(*s, &p, &e) == 1 && span_eq(p.name, "one") &&
		p.flags == 0,
	    "it is there after a crash");
	ok(state_push_next(*s, &p, &e) == 1 && span_eq(p.name, "two") &&
		p.folder == 3 && p.size == UINT64_C(5000000000) &&
		p.flags == (PLAN_SEEN | PLAN_KEYWORD(25)) &&
		memcmp(p.digest, "\0digest", 8) == 0 && p.origin == 9 &&
		p.uid == UINT32_MAX,
	    "with all of it");
	is_int(state_push_next(*s, &p, &e), 0, "and no more");
	is_int(
	    state_push_done(*s, 3, span_of("one"), &e), 0, "one has arrived");
	state_push_done(*s, 4, span_of("two"), &e);
	ok(state_push_next(*s, &p, &e) == 1 && span_eq(p.name, "two") &&
		state_push_next(*s, &p, &e) == 0,
	    "the other is left");
}

static void
test_turn(struct state *s)
{
	struct state_folder f = {.remote = mem_strdup("turning"),
	    .local = mem_strdup("turning"),
	    .mailboxid = mem_strdup("")};
	uint64_t turn;

	quiet(state_folder_put(s, &f, &e) == 0, "a folder");
	state_set_turn(s, 5, 0, &e);
	is_int(state_set_turn(s, 7, f.id, &e), 0, "the turn, in its row");
	state_turn(s, &turn, &e);
	is_int((long long)turn, 7, "the highest counts");
	quiet(state_folder_put(s, &f, &e) == 0 &&
		  state_folder_drop(s, f.id, &e) == 0,
	    "it goes");
	state_turn(s, &turn, &e);
	is_int((long long)turn, 7, "and the turn stays");
	free(f.remote);
	free(f.local);
	free(f.mailboxid);
}

int
main(void)
{
	char dir[] = "/tmp/state.XXXXXX", command[64];
	struct state *s = NULL;
	uint32_t tag, again;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/state", dir);
	test_first_version();
	s = reopen(s);
	state_tag(s, &tag, &e);
	s = reopen(s);
	state_tag(s, &again, &e);
	ok(tag == again, "the tag stays");
	test_folders(&s);
	test_messages(&s);
	test_walk(s);
	test_oldest(s);
	test_forget_all(s);
	test_placing(&s);
	test_pushes(&s);
	test_crash(&s);
	test_drop(s);
	test_turn(s);
	state_close(s);
	unlink(path);
	snprintf(command, sizeof(command), "%s/state-wal", dir);
	unlink(command);
	snprintf(command, sizeof(command), "%s/state-shm", dir);
	unlink(command);
	ok(rmdir(dir) == 0, "nothing else was left");
	return done();
}
