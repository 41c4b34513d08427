/*
 * fetchd/seen: rows, keys, and the ways in which a message is known again.
 */

#include "seen.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static struct err e;
static char path[64];

static struct seen_key
by_number(int64_t folder, uint32_t n, const char *digest)
{
	struct seen_key k = {.folder = folder, .number = n};

	strlcpy(k.digest, digest, sizeof(k.digest));
	return k;
}

static struct seen_key
by_uid(int64_t folder, const char *uid, const char *digest)
{
	struct seen_key k = {.folder = folder, .uid = span_of(uid)};

	strlcpy(k.digest, digest, sizeof(k.digest));
	return k;
}

static enum seen_status
status(struct seen *s, struct seen_key k)
{
	enum seen_status st;
	int64_t since;

	return seen_get(s, &k, &st, &since, &e) == 0 ? st
	                                             : (enum seen_status)99;
}

static void
put(struct seen *s, struct seen_key k, enum seen_status st)
{
	quiet(seen_put(s, &k, st, &e) == 0, "put: %s", e.text);
}

static uint64_t
count(struct seen *s, int64_t folder)
{
	uint64_t n = 99;

	seen_count(s, folder, SEEN_UNKNOWN, &n, &e);
	return n;
}

static struct seen *
open_state(enum seen_origin *origin)
{
	struct seen *s = NULL;

	if (seen_open(path, origin, &s, &e) == -1)
		printf("Bail out! %s\n", e.text);
	return s;
}

static void
test_rows(struct seen *s)
{
	put(s, by_number(1, 7, ""), SEEN_FAILED);
	put(s, by_number(1, 7, "d7"), SEEN_FETCHED);
	is_int(status(s, by_number(1, 7, "")), SEEN_FETCHED,
	    "by number, whatever the digest");
	is_int(count(s, 1), 1, "a later row replaces the earlier one");
	is_int(status(s, by_uid(1, "7", "")), SEEN_UNKNOWN,
	    "the text 7 is not the number 7");
	put(s, by_uid(1, "", "da"), SEEN_FETCHED);
	put(s, by_uid(1, "", "db"), SEEN_SKIPPED);
	is_int(status(s, by_uid(1, "", "da")), SEEN_FETCHED, "by digest");
	is_int(status(s, by_uid(1, "", "db")), SEEN_SKIPPED, "another");
	is_int(status(s, by_uid(2, "", "da")), SEEN_UNKNOWN, "another folder");
}

static void
test_transactions(struct seen *s)
{
	struct seen_key k = by_number(3, 1, "x"), l = by_number(3, 2, "y");

	quiet(seen_begin(s, &e) == 0, "begin");
	put(s, k, SEEN_FETCHED);
	seen_rollback(s);
	is_int(status(s, k), SEEN_UNKNOWN, "rolled back with what it held");
	quiet(seen_begin(s, &e) == 0 && seen_begin(s, &e) == 0, "begin twice");
	put(s, l, SEEN_FETCHED);
	quiet(seen_commit(s, &e) == 0, "the inner one ends");
	seen_rollback(s);
	is_int(status(s, l), SEEN_UNKNOWN, "the outer one decides");
	is_int(seen_commit(s, &e), -1, "nothing to commit is an error");
}

static void
test_known_by_header(struct seen *s)
{
	struct seen_key to = by_number(4, 50, "aa");

	put(s, by_number(4, 5, "aa"), SEEN_FETCHED);
	put(s, by_number(4, 6, "bb"), SEEN_FAILED);
	is_int(seen_find_digest(s, 4, "aa", &e), 0,
	    "a uid that holds is not up for another");
	quiet(seen_set_aside(s, 4, &e) == 0, "set aside");
	is_int(count(s, 4), 0, "set aside: not in the folder");
	is_int(seen_find_digest(s, 4, "aa", &e), 1, "but found by header");
	is_int(seen_find_digest(s, 4, "bb", &e), 0, "what failed is not");
	is_int(seen_rekey(s, &to, &e), 0, "rekey");
	is_int(
	    status(s, by_number(4, 50, "")), SEEN_FETCHED, "under its new uid");
	is_int(seen_find_digest(s, 4, "aa", &e), 0,
	    "a second message with that header is another one");
	quiet(seen_drop_aside(s, 4, &e) == 0, "drop");
	is_int(count(s, 4), 1, "the rest is dropped");
	is_int(count(s, -4), 0, "wholly");
}

static void
test_local(struct seen *s)
{
	struct seen_key to = by_uid(5, "u1", "cc");

	put(s, by_uid(0, "1.M2P3Q4R5.host", "cc"), SEEN_LOCAL);
	is_int(seen_find_digest(s, 5, "cc", &e), 1, "a file in the Maildir");
	is_int(seen_rekey(s, &to, &e), 0, "rekey");
	is_int(status(s, by_uid(5, "u1", "")), SEEN_PASSED,
	    "known, and never to be deleted");
}

static void
test_listing(struct seen *s)
{
	struct seen_key a = by_uid(6, "a", "da"), to = by_uid(6, "c", "db");

	put(s, a, SEEN_FETCHED);
	put(s, by_uid(6, "b", "db"), SEEN_FETCHED);
	quiet(seen_list_begin(s, &e) == 0 && seen_listed(s, &a, &e) == 0,
	    "listed");
	is_int(seen_find_digest(s, 6, "da", &e), 0, "one that is listed");
	is_int(seen_find_digest(s, 6, "db", &e), 1, "one that is not");
	is_int(seen_rekey(s, &to, &e), 0, "rekey");
	is_int(status(s, by_uid(6, "c", "")), SEEN_FETCHED, "to a new uid");
	is_int(seen_list_end(s, 6, &e), 0, "the end of the listing");
	is_int(count(s, 6), 2, "what is not listed is not forgotten yet");
}

static void
test_placing(struct seen *s)
{
	struct seen_key k = by_number(7, 9, "dd"), u = by_uid(7, "z", "ee");
	struct seen_placing *list;
	size_t n;

	quiet(seen_placing(s, &u, "/box", "2.x", true, 20, 5, &e) == 0 &&
		  seen_placing(s, &k, "/box", "1.x", true, 10, 10, &e) == 0,
	    "placing: %s", e.text);
	is_int(seen_placings(s, &list, &n, &e), 0, "list");
	is_int((long long)n, 2, "both");
	is_int(list[0].at, 10, "in the order of the mbox");
	is_int(list[0].number, 9, "its number");
	is_int(list[1].number, 0, "no number");
	is_str(list[1].uid, "z", "but a uid");
	is_str(list[1].digest, "ee", "and a digest");
	seen_placings_free(list, n);
	is_int(seen_clear_placing(s, &e), 0, "clear");
	quiet(seen_placings(s, &list, &n, &e) == 0 && n == 0, "none left");
	seen_placings_free(list, n);
}

static void
test_parts(struct seen *s)
{
	struct seen_key k = by_number(8, 3, ""), full = by_number(8, 3, "ff");

	is_int(seen_has_part(s, &k, "cmd", &e), 0, "no part");
	quiet(seen_part(s, &k, "cmd", &e) == 0, "part");
	is_int(seen_has_part(s, &full, "cmd", &e), 1, "whatever the digest");
	is_int(seen_has_part(s, &k, "other", &e), 0, "another target");
	put(s, full, SEEN_FETCHED);
	is_int(seen_has_part(s, &k, "cmd", &e), 0, "delivered: forgotten");
}

static void
test_again(struct seen *s)
{
	struct seen_folder f, g;
	enum seen_origin origin;
	uint32_t tag, tag2;

	quiet(seen_folder(s, "INBOX", &f, &e) == 0, "folder");
	is_int(f.uidvalidity, 0, "never seen");
	f.uidvalidity = 4000000000;
	f.next = 4294967295;
	quiet(seen_folder_set(s, &f, &e) == 0 && seen_tag(s, &tag, &e) == 0,
	    "set");
	quiet(seen_set_origin(s, SEEN_KEPT, &e) == 0, "begun");
	quiet(seen_begin(s, &e) == 0, "a run that is cut short");
	put(s, by_number(f.id, 1, "1"), SEEN_FETCHED);
	seen_close(s);
	s = open_state(&origin);
	is_int(origin, SEEN_KEPT, "kept");
	quiet(seen_folder(s, "INBOX", &g, &e) == 0, "folder");
	ok(g.id == f.id && g.uidvalidity == f.uidvalidity && g.next == f.next,
	    "32 bits survive");
	is_int(status(s, by_number(f.id, 1, "")), SEEN_UNKNOWN,
	    "what was not committed does not");
	quiet(seen_tag(s, &tag2, &e) == 0 && tag == tag2, "the tag stays");
	seen_close(s);
}

/* Rows of no folder: its own row is hidden by damage. */
static void
test_orphan(struct seen *s)
{
	struct seen_folder f;
	enum seen_status st;
	enum seen_origin origin;
	int64_t since;
	struct seen_key k = by_uid(77, "other", "");

	put(s, by_uid(77, "one", ""), SEEN_FETCHED);
	seen_close(s);
	s = open_state(&origin);
	is_int(seen_get(s, &k, &st, &since, &e), -1, "rows of no folder");
	ok(strstr(e.text, "damaged") != NULL, "%s", e.text);
	is_int(seen_get(s, &k, &st, &since, &e), -1, "and once more");
	ok(seen_is_damaged(s), "that is known");
	is_int(seen_anew(path, s, &e), 0, "one is begun anew");
	s = open_state(&origin);
	is_int(origin, SEEN_DAMAGED, "which the next run knows");
	is_int(seen_folder(s, "INBOX", &f, &e), 0, "with its folders");
	seen_close(s);
}

static bool
empty(const char *dir)
{
	char pattern[300];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*", dir);
	if (glob(pattern, 0, NULL, &g) != 0)
		return false;
	for (i = 0; i < g.gl_pathc; i++)
		unlink(g.gl_pathv[i]);
	globfree(&g);
	return true;
}

/* Folders 1 to N. */
static void
make_folders(struct seen *s, int n)
{
	struct seen_folder f;
	char name[20];
	int i;

	for (i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "folder %d", i);
		quiet(
		    seen_folder(s, name, &f, &e) == 0 && f.id == i, "%s", name);
	}
}

int
main(void)
{
	char dir[] = "/tmp/seen.XXXXXX";
	enum seen_origin origin;
	struct seen *s;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/state.db", dir);
	s = open_state(&origin);
	if (s == NULL)
		return 1;
	is_int(origin, SEEN_NEW, "a new state");
	make_folders(s, 9);
	test_rows(s);
	test_transactions(s);
	test_known_by_header(s);
	test_local(s);
	test_listing(s);
	test_placing(s);
	test_parts(s);
	test_again(s);
	test_orphan(open_state(&origin));
	ok(empty(dir) && rmdir(dir) == 0, "all is removed");
	return done();
}
