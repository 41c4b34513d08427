/*
 * sendq/aliases: names, and whom they come to.
 */

#include "aliases.h"

#include <stdlib.h>
#include <string.h>

#include "prng.h"
#include "tap.h"

static const char file[] =
    "# comment: x@y\n"
    "\n"
    "postmaster: root\n"
    "Root:\tada@example.org,\n"
    "\tBob <bob@example.net>,\n"
    "  (a comment) carol\n"
    "mailer-daemon: postmaster\n"
    "loop: pool\n"
    "pool: loop\n"
    "self: \\self, self, x@example.org\n"
    "only: \\only\n"
    "pipe: |/bin/sh, \"|/bin/sh -c 'a, b'\", /dev/null,\n"
    "    :include:/etc/list, dora@example.org\n"
    "null: /dev/null\n"
    "\"two words\": two@example.org\n"
    "odd: \"a, b\"@example.org, <<>, , e@example.org\n"
    "again: ada@example.org, Ada@example.org,\n"
    "    ada@EXAMPLE.org, root\n"
    "empty:\n"
    "no entry\n"
    "last: end@example.org";

static const char *
resolve(const char *text, const char *name)
{
	static char out[4096];
	struct words w;
	size_t i;

	words_init(&w);
	aliases_resolve(span_of(text), name, &w);
	out[0] = '\0';
	for (i = 0; i < w.n; i++) {
		strlcat(out, i > 0 ? " " : "", sizeof(out));
		strlcat(out, w.v[i], sizeof(out));
	}
	words_clear(&w);
	return out;
}

static void
test_names(void)
{
	static const char *const t[][2] = {
	    {"root", "ada@example.org bob@example.net carol"},
	    {"ROOT", "ada@example.org bob@example.net carol"},
	    {"postmaster", "ada@example.org bob@example.net carol"},
	    {"Mailer-Daemon", "ada@example.org bob@example.net carol"},
	    {"nobody", "nobody"},
	    {"loop", "loop"},
	    {"self", "x@example.org"},
	    {"only", "only"},
	    {"pipe", "dora@example.org"},
	    {"null", "null"},
	    {"two words", "two@example.org"},
	    {"odd", "\"a, b\"@example.org e@example.org"},
	    {"again", "ada@example.org Ada@example.org bob@example.net carol"},
	    {"empty", "empty"},
	    {"no entry", "no entry"},
	    {"last", "end@example.org"},
	    {"x@y", "x@y"},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(resolve(file, t[i][0]), t[i][1], "%s", t[i][0]);
	is_str(resolve("", "root"), "root", "no file");
	is_str(resolve("default: a@b\nroot: c@d\nx: y\n", "who"), "a@b",
	    "default");
	is_str(resolve("default: a@b\nroot: c@d\nx: y\n", "root"), "c@d",
	    "not for who is there");
	is_str(resolve("default: a@b\nroot: c@d\nx: y\n", "x"), "a@b",
	    "but for whom that leads to");
	is_str(resolve("default: me\n", "who"), "me", "a name as default");
}

/* Whatever is in it, it ends, and nothing is read that is not there. */
static void
test_random(void)
{
	static const char from[] = "ab:,\n \t\"\\|/@#<>()";
	char text[200], *copy;
	struct words w;
	size_t i, n;

	for (i = 0; i < 20000; i++) {
		n = prng(sizeof(text));
		prng_text(text, n, from, sizeof(from) - 1);
		copy = memcpy(malloc(n + 1), text, n);
		words_init(&w);
		aliases_resolve(span_bytes(copy, n), "a", &w);
		words_clear(&w);
		free(copy);
	}
	ok(true, "20,000 random files");
}

int
main(void)
{
	test_names();
	test_random();
	return done();
}
