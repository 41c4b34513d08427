/*
 * syncd/options: the `sync` section, keyword by keyword, and what stands in
 * for one on the command line.
 */

#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static struct conf c;
static struct options o;
static struct sync *list;
static size_t n;

static void
clear(void)
{
	size_t i;

	for (i = 0; i < n; i++)
		sync_clear(&list[i]);
	free(list);
	list = NULL;
	n = 0;
	words_clear(&o.only);
	conf_clear(&c);
	conf_init(&c);
}

static const struct sync *
read_all(const char *text, const char *const *args, size_t n_args)
{
	clear();
	if (text != NULL)
		conf_parse(&c, "config", text, strlen(text));
	options_syncs(&c, args, n_args, &o, &list, &n);
	return list;
}

/* A section with this line besides what it needs. */
static const struct sync *
with(const char *line)
{
	char text[500];

	snprintf(text, sizeof(text),
	    "account w\n imap imaps://u@h\nsync w\n maildir /m\n %s\n", line);
	read_all(text, NULL, 0);
	quiet(n == 1, "one section");
	return list;
}

static void
good(const char *line)
{
	with(line);
	ok(c.errors.n == 0, "%s: %s", line,
	    c.errors.n > 0 ? c.errors.v[0] : "");
}

static void
bad(const char *line, const char *says)
{
	with(line);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], says) != NULL &&
		strncmp(c.errors.v[0], "config:5: ", 10) == 0,
	    "%s: %s", line, c.errors.n > 0 ? c.errors.v[0] : "accepted");
}

static void
test_defaults(void)
{
	const struct sync *y = with("");

	ok(y->layout == LAYOUT_NESTED && y->folders.n == 1 &&
		strcmp(y->folders.v[0], "*") == 0 && y->create_local &&
		y->create_remote && !y->remove_local && !y->remove_remote &&
		y->brake == 25 && y->trash == NULL,
	    "defaults");
	ok(y->plan.to_local.new && y->plan.to_local.flags &&
		y->plan.to_local.gone && y->plan.to_local.expunge &&
		y->plan.to_remote.new && y->plan.to_remote.flags &&
		y->plan.to_remote.gone && y->plan.to_remote.expunge,
	    "everything travels, both ways");
	is_str(y->maildir, "/m", "the root");
	is_str(y->account.user, "u", "the user");
	ok(y->state != NULL && strstr(y->state, "/syncd/") != NULL,
	    "the state: %s", y->state);
}

static void
test_keywords(void)
{
	const struct sync *y;

	y = with("layout maildir++");
	ok(y->layout == LAYOUT_MAILDIR_PLUS, "maildir++");
	y = with("layout flat _");
	ok(y->layout == LAYOUT_FLAT && y->flat == '_', "flat");
	y = with("folders * !Spam subscribed");
	ok(y->folders.n == 2 && y->subscribed, "folders");
	y = with("rename \"[Gmail]/Sent Mail\" Sent");
	ok(y->n_renames == 1 &&
		strcmp(y->renames[0].remote, "[Gmail]/Sent Mail") == 0,
	    "rename");
	y = with("pull new flags");
	ok(y->plan.to_local.new && y->plan.to_local.flags &&
		!y->plan.to_local.gone && y->plan.to_remote.gone,
	    "pull");
	y = with("push none");
	ok(!y->plan.to_remote.new && !y->plan.to_remote.flags &&
		!y->plan.to_remote.gone && y->plan.to_local.new,
	    "push");
	y = with("create local");
	ok(y->create_local && !y->create_remote, "create");
	y = with("remove local remote");
	ok(y->remove_local && y->remove_remote, "remove");
	y = with("expunge none");
	ok(!y->plan.to_local.expunge && !y->plan.to_remote.expunge, "expunge");
	y = with("trash Trash");
	ok(strcmp(y->trash, "Trash") == 0 && y->trash_on == TRASH_BOTH,
	    "trash");
	y = with("trash Trash remote");
	ok(y->trash_on == TRASH_REMOTE, "trash, on one side");
	y = with("brake 5%");
	ok(y->brake == 5, "brake");
	good("keywords yes");
}

static void
test_limits(void)
{
	const struct sync *y = with("");

	ok(y->plan.max_size == 0 && !y->plan.headers_only && y->max_age == 0 &&
		y->max_messages == 0 && y->terms == NULL,
	    "no limit by default");
	y = with("max-size 5M");
	ok(y->plan.max_size == 5 << 20 && y->plan.placeholders, "max-size");
	y = with("max-size 5M placeholder");
	ok(y->plan.max_size == 5 << 20 && y->plan.placeholders,
	    "max-size placeholder");
	y = with("max-size 5M skip");
	ok(y->plan.max_size == 5 << 20 && !y->plan.placeholders,
	    "max-size skip");
	is_str(y->terms, "size 5242880 skip", "the limits as a text");
	y = with("headers-only");
	ok(y->plan.headers_only && y->limited, "headers-only");
	is_str(y->terms, "headers", "... as a text");
	y = with("headers-only no");
	ok(!y->plan.headers_only && y->terms == NULL, "headers-only no");
	y = with("pull new gone\n push none\n expunge local");
	is_str(y->terms, "pull no flags push no new flags gone expunge",
	    "what may not travel, as a text");
	ok(!y->limited, "... which is no limit");
	y = with("max-age 2w");
	ok(y->max_age == 14 * 86400 && !y->plan.keep_unread, "max-age");
	y = with("max-age 90d keep-unread");
	ok(y->max_age == 90 * 86400 && y->plan.keep_unread,
	    "max-age keep-unread");
	y = with("max-messages 500");
	ok(y->max_messages == 500 && !y->plan.keep_unread, "max-messages");
	y = with("max-messages 500 keep-unread\n max-age 30d\n max-size 1k\n "
		 "headers-only yes");
	ok(y->max_messages == 500 && y->plan.keep_unread &&
		y->max_age == 30 * 86400 && y->plan.max_size == 1024,
	    "all together");
	is_str(y->terms, "size 1024 headers age 2592000 messages 500 unread",
	    "... as a text");
}

static void
test_errors(void)
{
	bad("layout nestd", "did you mean 'nested'?");
	bad("layout flat", "wants one character");
	bad("layout flat /", "wants one character");
	bad("pull new flag", "did you mean 'flags'?");
	bad("pull all new", "'all' stands alone");
	bad("create near", "is none of");
	bad("expunge both local", "'both' stands alone");
	bad("trash", "which folder?");
	bad("trash T lokal", "did you mean 'local'?");
	bad("brake 101%", "is no percentage");
	bad("rename a", "wants the name on the server");
	bad("folders", "which folders?");
	bad("foldres *", "did you mean 'folders'?");
	bad("max-size", "wants a size");
	bad("max-size 0", "wants a size");
	bad("max-size big", "wants a size");
	bad("max-size 5M placeholders", "did you mean 'placeholder'?");
	bad("max-size 5M skip skip", "wants a size");
	bad("headers-only maybe", "headers-only");
	bad("max-age", "wants a number of days");
	bad("max-age 30", "wants a number of days");
	bad("max-age 30d keep-unred", "did you mean 'keep-unread'?");
	bad("max-messages 0", "wants a number");
	bad("max-messages 5k", "wants a number");
	bad("max-messages 5 keep", "is none of");
	bad("max-message 5", "did you mean 'max-messages'?");
}

static void
test_call(void)
{
	static const char *const url[] = {"imaps://ada@h/INBOX", "/m"};
	static const char *const folder[] = {"w", "x/A/B"};
	static const char *const wrong[] = {"y"};
	static const char two[] = "sync w\n imap imaps://u@h\n maildir /m\n"
				  "sync x\n imap imaps://u@h\n maildir /n\n";

	read_all(NULL, url, 2);
	ok(c.errors.n == 0 && n == 1 && strcmp(list->maildir, "/m") == 0 &&
		o.only.n == 1 && strcmp(o.only.v[0], "h/INBOX") == 0,
	    "a URL and a Maildir");
	read_all(NULL, url, 1);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "where to?") != NULL,
	    "a URL alone");
	read_all(two, NULL, 0);
	ok(n == 2 && c.errors.n == 0, "all sections");
	read_all(two, folder, 2);
	ok(n == 2 && c.errors.n == 0 && o.only.n == 1 &&
		strcmp(o.only.v[0], "x/A/B") == 0,
	    "an account, and a folder of another");
	read_all(two, wrong, 1);
	ok(c.errors.n == 1 && n == 0, "no such account: %s",
	    c.errors.n > 0 ? c.errors.v[0] : "");
	read_all("sync w\n", NULL, 0);
	ok(c.errors.n == 3, "no server, no Maildir, no user: all told");
	read_all("", NULL, 0);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "nothing to sync") != NULL,
	    "nothing at all");
}

int
main(void)
{
	setenv("XDG_STATE_HOME", "/state", 1);
	conf_init(&c);
	test_defaults();
	test_keywords();
	test_limits();
	test_errors();
	test_call();
	clear();
	conf_clear(&c);
	return done();
}
