/*
 * syncd/local_name: names of folders in each layout, one to one; names of
 * files, their unique part and their flags.
 */

#include "local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static struct err e;

static struct sync
layout(enum sync_layout l)
{
	return (struct sync){.layout = l, .flat = '.'};
}

/* There and back again. */
static void
both(const struct sync *y, char sep, const char *remote, const char *path)
{
	char *to = local_path_of(y, span_of(remote), sep, &e), *back;

	is_str(to, path, "%s -> %s", remote, path);
	if (to == NULL)
		return;
	back = local_remote_of(y, span_of(to), sep, &e);
	is_str(back, remote, "%s and back", path);
	free(back);
	free(to);
}

static void
test_layouts(void)
{
	struct sync n = layout(LAYOUT_NESTED), p = layout(LAYOUT_MAILDIR_PLUS),
		    f = layout(LAYOUT_FLAT);

	both(&n, '/', "INBOX", "INBOX");
	both(&n, '/', "A/B/C", "A/B/C");
	both(&n, '.', "A.B", "A/B");
	both(&n, '/', "INBOX/child", "INBOX/child");
	both(&n, '/', "A/cur", "A/%63ur");
	both(&n, '/', "A/current", "A/current");
	both(&n, '/', ".hidden", "%2Ehidden");
	both(&n, '/', "..", "%2E.");
	both(&n, '.', "a/b", "a%2Fb");
	both(&n, '/', "100%", "100%");
	both(&n, '/', "100%2F", "100%252F");
	both(&n, '/', "%%2F", "%%252F");
	both(&n, '/', "two words", "two words");
	both(&n, '/', "Entw\xc3\xbcrfe/\xe2\x98\x83",
	    "Entw\xc3\xbcrfe/\xe2\x98\x83");
	both(&n, '/', "tab\there", "tab%09here");
	both(&n, '\0', "no/levels", "no%2Flevels");

	both(&p, '/', "INBOX", "");
	both(&p, '/', "A/B", ".A.B");
	both(&p, '/', "INBOX/child", ".INBOX.child");
	both(&p, '/', "v1.2/x", ".v1%2E2.x");
	both(&p, '/', "cur", ".cur");

	both(&f, '/', "INBOX", "INBOX");
	both(&f, '/', "A/B", "A.B");
	both(&f, '/', "v1.2", "v1%2E2");
	f.flat = '_';
	both(&f, '/', "A/B.c_d", "A_B.c%5Fd");
}

static void
test_inbox(void)
{
	struct sync n = layout(LAYOUT_NESTED);
	char *s = local_path_of(&n, span_of("inbox"), '/', &e);

	is_str(s, "INBOX", "INBOX in any case");
	free(s);
	s = local_path_of(&n, span_of("Inbox/a"), '/', &e);
	is_str(s, "INBOX/a", "and above others");
	free(s);
	s = local_path_of(&n, span_of("x/Inbox"), '/', &e);
	is_str(s, "x/Inbox", "but not below");
	free(s);
}

static void
test_refused(void)
{
	struct sync n = layout(LAYOUT_NESTED);
	char name[600];

	ok(local_path_of(&n, span_of("a//b"), '/', &e) == NULL, "empty level");
	is_str(e.text, "folder 'a//b': a level of its name is empty",
	    "which is said");
	ok(local_path_of(&n, span_of(""), '/', &e) == NULL, "empty name");
	memset(name, 'x', sizeof(name));
	ok(local_path_of(&n, span_bytes(name, 256), '/', &e) == NULL,
	    "a level that no file system takes");
	memset(name, '/', 100);
	ok(local_path_of(&n, span_bytes(name, 200), '.', &e) == NULL,
	    "or that is too long once it is written so");
	ok(local_remote_of(&n, span_of("a.b"), '.', &e) == NULL,
	    "the server's separator in a name");
	is_str(e.text,
	    "folder a.b: the server cannot have a '.' in a name; rename it",
	    "which is said");
	ok(local_remote_of(&n, span_of("a/b"), '\0', &e) == NULL,
	    "levels, where the server has none");
	ok(local_remote_of(&n, span_of("a%2fb"), '.', &e) == NULL,
	    "written as we would not write it");
}

static void
test_renames(void)
{
	struct sync_rename r[] = {
	    {(char *)(uintptr_t) "[Gmail]/All Mail",
		(char *)(uintptr_t) "Archive"},
	    {(char *)(uintptr_t) "[Gmail]", (char *)(uintptr_t) "g"},
	    {(char *)(uintptr_t) "INBOX", (char *)(uintptr_t) "in"},
	};
	struct sync n = layout(LAYOUT_NESTED);
	char *s;

	n.renames = r;
	n.n_renames = 3;
	both(&n, '/', "[Gmail]/All Mail", "Archive");
	both(&n, '/', "[Gmail]/Sent", "g/Sent");
	both(&n, '/', "[Gmail]", "g");
	both(&n, '/', "INBOX/a", "in/a");
	both(&n, '/', "[Gmail]x", "[Gmail]x");
	s = local_path_of(&n, span_of("inbox"), '/', &e);
	is_str(s, "in", "INBOX in any case, renamed");
	free(s);
	ok(local_remote_of(&n, span_of("INBOX"), '/', &e) == NULL,
	    "the name that was renamed away is free for nobody");
	ok(strstr(e.text, "there would be two") != NULL, "which is said: %s",
	    e.text);
}

/* No two remote names get one path, whatever the names. */
static void
test_injective(void)
{
	static const char pool[] = "aA%2F5./c_ur";
	enum { N = 60000 };
	static const enum sync_layout layouts[] = {
	    LAYOUT_NESTED, LAYOUT_MAILDIR_PLUS, LAYOUT_FLAT};
	unsigned int seed = 1, bad = 0, good = 0, i, k, n;
	char name[12], *path, *back;
	struct sync y;

	for (i = 0; i < N; i++) {
		y = layout(layouts[i % 3]);
		n = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 10;
		for (k = 0; k < n; k++)
			name[k] = pool[(seed = seed * 1103515245 + 12345) /
				       65536 % (sizeof(pool) - 1)];
		name[n] = '\0';
		path = local_path_of(&y, span_of(name), '/', &e);
		if (path == NULL)
			continue;
		good++;
		back = local_remote_of(&y, span_of(path), '/', &e);
		bad += back == NULL || strcmp(back, name) != 0;
		free(back);
		free(path);
	}
	is_int((int)bad, 0, "%u names there and back", good);
	ok(good > N / 3, "most are names");
}

static void
with(const char *name, plan_flags f, const char *want)
{
	char got[MAILDIR_NAME];

	ok(local_with_flags(span_of(name), f, got), "%s: fits", name);
	is_str(got, want, "%s, with other flags", name);
}

static void
test_files(void)
{
	char got[MAILDIR_NAME], name[MAILDIR_NAME + 2];
	struct span u;

	u = local_unique(span_of("123.M4P5.host,S=10,W=11:2,FS"));
	ok(span_eq(u, "123.M4P5.host"), "the unique part");
	u = local_unique(span_of("123.M4P5.host:2,"));
	ok(span_eq(u, "123.M4P5.host"), "without sizes");
	u = local_unique(span_of("123.M4P5.host"));
	ok(span_eq(u, "123.M4P5.host"), "without anything");
	ok(local_flags(span_of("x:2,DFPRSTa")) ==
		(PLAN_DRAFT | PLAN_FLAGGED | PLAN_PASSED | PLAN_ANSWERED |
		    PLAN_SEEN | PLAN_DELETED | PLAN_KEYWORD(0)),
	    "all flags");
	ok(local_flags(span_of("x")) == 0 && local_flags(span_of("x:1,S")) == 0,
	    "no flags where there are none");
	ok(local_flags(span_of("x:2,S,ux")) == PLAN_SEEN, "up to a comma");

	with("x", PLAN_SEEN, "x:2,S");
	with("x,S=1", PLAN_SEEN | PLAN_DRAFT | PLAN_KEYWORD(1), "x,S=1:2,DSb");
	with("x:2,FS", PLAN_SEEN, "x:2,S");
	with("x:2,S", 0, "x:2,");
	with("x:2,AS", PLAN_FLAGGED, "x:2,AF");
	memset(name, 'x', sizeof(name));
	name[MAILDIR_NAME - 3] = '\0';
	ok(!local_with_flags(span_of(name), PLAN_SEEN, got), "too long");
}

int
main(void)
{
	test_layouts();
	test_inbox();
	test_refused();
	test_renames();
	test_injective();
	test_files();
	return done();
}
