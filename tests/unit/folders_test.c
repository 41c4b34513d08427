/*
 * syncd/folders: three lists of folders, and what each is to become.
 */

#include "folders.h"

#include <stdlib.h>
#include <string.h>

#include "proto/imap.h"
#include "tap.h"

#define STR(s) ((char *)(uintptr_t)(s))

static struct sync y;
static struct folders_pair *v;
static size_t n;
static struct words errors;

static struct folders_remote
on_server(const char *name)
{
	return (struct folders_remote){.name = STR(name),
	    .sep = '/',
	    .messages = 3,
	    .uidnext = 9,
	    .uidvalidity = 1,
	    .modseq = 5,
	    .has_status = true};
}

static struct local_folder
on_disk(const char *path)
{
	return (struct local_folder){
	    .path = STR(path), .cur_mtime = 7, .new_mtime = 8};
}

static struct state_folder
known(const char *name)
{
	return (struct state_folder){.id = 1,
	    .remote = STR(name),
	    .local = STR(name),
	    .messages = 3,
	    .uidnext = 9,
	    .uidvalidity = 1,
	    .modseq = 5,
	    .cur_mtime = 7,
	    .new_mtime = 8};
}

static void
reset(void)
{
	y = (struct sync){.create_local = true, .create_remote = true};
	words_init(&y.folders);
}

static void
plan(const struct folders_remote *r, size_t nr, const struct local_folder *l,
    size_t nl, const struct state_folder *b, size_t nb)
{
	folders_free(v, n);
	words_clear(&errors);
	folders_plan(&y, r, nr, l, nl, b, nb, &v, &n, &errors);
}

static void
test_pairs(void)
{
	struct folders_remote r = on_server("A");
	struct local_folder l = on_disk("A");
	struct state_folder b = known("A");

	plan(&r, 1, &l, 1, &b, 1);
	ok(n == 1 && v->op == FOLDERS_SYNC && !v->remote_changed &&
		!v->local_changed,
	    "unchanged on both sides");
	r.modseq = 6;
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->remote_changed && !v->local_changed, "a higher modseq");
	r.modseq = b.modseq = 0;
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->remote_changed, "no modseq: always to be looked at");
	r = on_server("A");
	b = known("A");
	l.cur_mtime = 0;
	plan(&r, 1, &l, 1, &b, 1);
	ok(!v->remote_changed && v->local_changed, "an mtime of just now");
	plan(NULL, 0, NULL, 0, &b, 1);
	ok(n == 1 && v->op == FOLDERS_FORGET, "gone on both sides");
}

static void
test_halves(void)
{
	struct folders_remote r = on_server("A");
	struct local_folder l = on_disk("A");
	struct state_folder b = known("A");

	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_CREATE_LOCAL && v->stale,
	    "removed here: comes back whole");
	plan(NULL, 0, &l, 1, &b, 1);
	ok(v->op == FOLDERS_CREATE_REMOTE && v->stale,
	    "removed there: comes back whole");
	y.remove_local = y.remove_remote = true;
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_REMOVE_REMOTE && !v->stale, "remove remote");
	plan(NULL, 0, &l, 1, &b, 1);
	ok(v->op == FOLDERS_REMOVE_LOCAL && !v->stale, "remove local");
	r = on_server("INBOX");
	b = known("INBOX");
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_CREATE_LOCAL && v->stale, "never the inbox");
	r = on_server("A");
	b = known("A");
	b.uidvalidity = 0;
	plan(NULL, 0, &l, 1, &b, 1);
	ok(v->op == FOLDERS_CREATE_REMOTE, "one that was to be made there");
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_CREATE_LOCAL, "one that was to be made here");
	b = known("A");
	r.attrs = IMAP_ATTR_NONEXISTENT;
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->op == FOLDERS_REMOVE_LOCAL, "it is only a level now");
	plan(&r, 1, &l, 1, NULL, 0);
	ok(n == 1 && v->op == FOLDERS_CREATE_REMOTE, "a level becomes one");
	r = on_server("Z");
	r.mailboxid = STR("id");
	b.mailboxid = STR("id");
	reset();
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_CREATE_LOCAL && v->stale &&
		strcmp(v->path, "Z") == 0,
	    "renamed there and removed here: comes back whole");
	l = on_disk("Z");
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->op == FOLDERS_SYNC && !v->stale && v->base == &b &&
		strcmp(v->path, "Z") == 0,
	    "renamed there, and here already");
	r = on_server("A");
	b = known("A");
	y.create_local = y.create_remote = false;
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_LEAVE, "neither");
	reset();
}

/* Killed while it was being made, or synced for the first time. */
static void
test_begun(void)
{
	struct folders_remote r = on_server("A");
	struct local_folder l = on_disk("A");
	struct state_folder b = known("A");

	y.remove_local = y.remove_remote = true;
	b.uidvalidity = 0;
	plan(&r, 1, NULL, 0, &b, 1);
	ok(v->op == FOLDERS_CREATE_LOCAL,
	    "not yet made here: nobody removed it");
	plan(NULL, 0, &l, 1, &b, 1);
	ok(v->op == FOLDERS_CREATE_REMOTE, "not yet made there: likewise");
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->op == FOLDERS_SYNC, "there on both sides");
	b.uidnext = 0;
	plan(&r, 1, &l, 1, &b, 1);
	ok(v->op == FOLDERS_CREATE_REMOTE && v->remote == &r,
	    "made by us, and perhaps not yet subscribed to: once more");
	reset();
}

static void
test_new(void)
{
	struct folders_remote r[] = {
	    on_server("A/B"), on_server("cur"), on_server("a//b")};
	struct local_folder l[] = {on_disk("A/B"), on_disk("X/Y")};

	plan(r, 3, l, 2, NULL, 0);
	ok(n == 3 && v[0].op == FOLDERS_SYNC && v[0].base == NULL &&
		v[0].local == &l[0] && v[0].remote_changed &&
		v[0].local_changed,
	    "there on both sides, and never synced");
	ok(v[1].op == FOLDERS_CREATE_LOCAL && strcmp(v[1].path, "%63ur") == 0,
	    "only there: made here, by a name that can be");
	ok(v[2].op == FOLDERS_CREATE_REMOTE && strcmp(v[2].name, "X/Y") == 0 &&
		v[2].local == &l[1],
	    "only here: made there");
	is_int((int)errors.n, 1, "a name that cannot be is told");
	y.create_local = y.create_remote = false;
	plan(r, 2, l, 2, NULL, 0);
	ok(v[1].op == FOLDERS_LEAVE && v[2].op == FOLDERS_LEAVE, "create none");
	reset();
}

static void
test_wanted(void)
{
	struct folders_remote r[] = {on_server("A"), on_server("Spam"),
	    on_server("All"), on_server("dir")};
	struct local_folder l[] = {on_disk("Spam"), on_disk("Z")};
	struct state_folder b = known("Spam");

	r[2].attrs = IMAP_ATTR_ALL;
	r[3].attrs = IMAP_ATTR_NOSELECT;
	words_add(&y.folders, "*");
	words_add(&y.folders, "!Spam");
	words_add(&y.folders, "!Z");
	plan(r, 4, l, 2, &b, 1);
	ok(n == 2 && v[0].op == FOLDERS_LEAVE && v[1].remote == &r[0],
	    "what is not wanted is left, on both sides");
	words_add(&y.folders, "All");
	ok(folders_wanted(&y, &r[2]), "All Mail, when it is named");
	y.subscribed = true;
	ok(!folders_wanted(&y, &r[0]), "not subscribed to");
	r[0].attrs |= IMAP_ATTR_SUBSCRIBED;
	ok(folders_wanted(&y, &r[0]), "subscribed to");
	r[0] = on_server("INBOX");
	ok(folders_wanted(&y, &r[0]), "INBOX always is");
	words_clear(&y.folders);
	reset();
}

static void
test_renamed(void)
{
	struct folders_remote r = on_server("New");
	struct local_folder l[] = {on_disk("Old"), on_disk("New")};
	struct state_folder b = known("Old");

	r.mailboxid = b.mailboxid = STR("F1");
	plan(&r, 1, l, 1, &b, 1);
	ok(n == 1 && v->op == FOLDERS_RENAME_LOCAL && v->local == &l[0] &&
		strcmp(v->path, "New") == 0 && v->base == &b,
	    "renamed on the server");
	plan(&r, 1, l, 2, &b, 1);
	ok(v->op == FOLDERS_SYNC && v->local == &l[0] &&
		strcmp(v->path, "Old") == 0,
	    "its new place is taken: it keeps the old one");
	plan(&r, 1, NULL, 0, &b, 1);
	ok(n == 1 && v->op == FOLDERS_CREATE_LOCAL, "and it is gone here");
	b.mailboxid = STR("F2");
	plan(&r, 1, l, 1, &b, 1);
	ok(n == 2 && v[0].op == FOLDERS_CREATE_REMOTE &&
		v[1].op == FOLDERS_CREATE_LOCAL,
	    "another folder is another folder");
}

static void
test_root(void)
{
	struct state_folder b = known("A");

	ok(folders_root_lost(false, 0, &b, 1), "the root is missing");
	ok(folders_root_lost(true, 0, &b, 1), "the root is empty");
	ok(!folders_root_lost(true, 1, &b, 1), "it is not");
	ok(!folders_root_lost(false, 0, NULL, 0), "the first time");
	b.messages = 0;
	ok(!folders_root_lost(false, 0, &b, 1), "there was no mail anyway");
}

int
main(void)
{
	words_init(&errors);
	reset();
	test_pairs();
	test_halves();
	test_begun();
	test_new();
	test_wanted();
	test_renamed();
	test_root();
	folders_free(v, n);
	words_clear(&errors);
	return done();
}
