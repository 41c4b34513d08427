/*
 * Folder patterns, against a plain backtracking matcher on small inputs.
 */

#include <stdlib.h>
#include <time.h>

#include "base/glob.h"
#include "prng.h"
#include "tap.h"

/* Slow and obvious; only for short patterns. */
static bool
model(const char *p, const char *s, char sep)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*' || *p == '%')
		return model(p + 1, s, sep) ||
		       (*s != '\0' && (*p == '*' || *s != sep) &&
			   model(p, s + 1, sep));
	return *s == *p && model(p + 1, s + 1, sep);
}

static void
test_table(void)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} t[] = {
	    {"", "", true},
	    {"*", "", true},
	    {"*", "a/b", true},
	    {"%", "a", true},
	    {"%", "a/b", false},
	    {"a/%", "a/b", true},
	    {"a/%", "a/b/c", false},
	    {"a/*", "a/b/c", true},
	    {"a/*", "a", false},
	    {"%/%", "a/b", true},
	    {"*/c", "a/b/c", true},
	    {"%/c", "a/b/c", false},
	    {"a%b*c", "axxb/y/c", true},
	    {"A", "a", false},
	    {"inbox", "INBOX", true},
	    {"INBOX", "Inbox", true},
	    {"inbox/A", "INBOX/A", true},
	    {"inbox/a", "INBOX/A", false},
	    {"in*", "INBOX", true},
	    {"inbox", "INBOXES", false},
	    {"in%", "INBOXES", false},
	    {"Inbox", "a/INBOX", false},
	    {"*\xc3\xa9", "caf\xc3\xa9", true},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(glob_match(t[i].pattern, t[i].name, '/'), t[i].want,
		    "\"%s\" and \"%s\"", t[i].pattern, t[i].name);
	ok(glob_match("%", "a/b", '.'), "the separator is as given");
	ok(glob_match("%", "a/b", '\0'), "no hierarchy, no separator");
	ok(glob_match("inbox", "INBOX", '\0'), "INBOX without hierarchy");
	ok(glob_literal("a/b") && glob_literal("") && !glob_literal("a%") &&
		!glob_literal("*") && !glob_literal("!a"),
	    "literal");
}

static void
test_model(void)
{
	char p[9], s[9];
	int i, hits = 0;
	size_t n;

	for (i = 0; i < 200000; i++) {
		prng_text(p, n = prng(sizeof(p)), "ab/*%", 5);
		p[n] = '\0';
		prng_text(s, n = prng(sizeof(s)), "ab/", 3);
		s[n] = '\0';
		hits += model(p, s, '/');
		quiet(glob_match(p, s, '/') == model(p, s, '/'),
		    "\"%s\" and \"%s\"", p, s);
	}
	ok(tap_failed == 0, "200,000 random pairs equal the model");
	ok(hits > 5000, "of which %d match", hits);
}

static bool
in_list(const char *list, const char *name)
{
	struct words w;
	struct err e;
	bool in;

	words_init(&w);
	words_split(&w, list, false, &e);
	in = glob_list(&w, name, '/');
	words_clear(&w);
	return in;
}

static void
test_list(void)
{
	ok(!in_list("", "a"), "nothing matches nothing");
	ok(in_list("a b", "b") && !in_list("a b", "c"), "plain names");
	ok(in_list("* !Spam", "x") && !in_list("* !Spam", "Spam"), "but one");
	ok(in_list("!Spam", "x") && !in_list("!Spam", "Spam"), "from all");
	ok(!in_list("* !a/* a/b", "a/c") && in_list("* !a/* a/b", "a/b"),
	    "the last that matches wins");
	ok(!in_list("!*", "x"), "all excluded");
}

/* 2 x 10^8 steps at most; a backtracking matcher would not come back. */
static void
test_pathological(void)
{
	size_t n = 20000, i;
	char *name = malloc(n + 1), pattern[1002];
	clock_t start = clock();

	if (name == NULL)
		abort();
	memset(name, 'a', n);
	name[n] = '\0';
	for (i = 0; i < 1000; i += 4)
		memcpy(pattern + i, i % 8 ? "%aa*" : "*a%a", 4);
	memcpy(pattern + i, "b", 2);
	ok(!glob_match(pattern, name, '/'), "a pathological pattern");
	ok((double)(clock() - start) / CLOCKS_PER_SEC < 5, "in linear time");
	free(name);
}

int
main(void)
{
	test_table();
	test_model();
	test_list();
	test_pathological();
	return done();
}
