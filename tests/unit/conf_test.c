/*
 * os/conf and os/conf_apply: sections, includes, values, and above all that
 * everything wrong is told at once, in its place, with the nearest right.
 */

#include <sys/stat.h>
#include <sys/wait.h>

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/conf.h"

#include "tap.h"

struct target {
	char *string, *text, *path, *command;
	struct words words, append, custom;
	bool flag;
	int64_t duration;
	uint64_t size, number;
	int mode;
};

static int
parse_custom(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct target *t = target;

	(void)c;
	if (l->args.n == 0)
		return err_set(e, ERR_CONFIG, "wants something");
	words_add(&t->custom, l->text);
	return 0;
}

static const char *const modes[] = {"auto", "always", "never", NULL};

#define AT(m) offsetof(struct target, m)
static const struct conf_key keys[] = {
    {.name = "user", .type = CONF_STRING, .offset = AT(string)},
    {.name = "address", .type = CONF_TEXT, .offset = AT(text)},
    {.name = "state", .type = CONF_PATH, .offset = AT(path)},
    {.name = "folders", .type = CONF_WORDS, .offset = AT(words)},
    {.name = "pin", .type = CONF_APPEND, .offset = AT(append)},
    {.name = "command", .type = CONF_COMMAND, .offset = AT(command)},
    {.name = "headers-only", .type = CONF_BOOL, .offset = AT(flag)},
    {.name = "timeout", .type = CONF_DURATION, .offset = AT(duration)},
    {.name = "max-size", .type = CONF_SIZE, .offset = AT(size)},
    {.name = "number",
	.type = CONF_NUMBER,
	.offset = AT(number),
	.min = 1,
	.max = 16},
    {.name = "keep", .type = CONF_ENUM, .offset = AT(mode), .names = modes},
    {.name = "deliver",
	.type = CONF_CUSTOM,
	.parse = parse_custom,
	.repeat = true},
    {0},
};
static const struct conf_key sync_keys[] = {
    {.name = "maildir", .type = CONF_PATH},
    {0},
};

static void
target_clear(struct target *t)
{
	free(t->string);
	free(t->text);
	free(t->path);
	free(t->command);
	words_clear(&t->words);
	words_clear(&t->append);
	words_clear(&t->custom);
	*t = (struct target){0};
}

static void
apply(struct conf *c, const struct conf_section *s, struct target *t)
{
	struct conf_table tables[] = {
	    {.keys = keys, .target = t},
	    {.keys = sync_keys, .kind = CONF_SYNC},
	};

	conf_apply(c, s, tables, 2);
}

/* Parses the text, applies its first fetch section, if any. */
static void
load(struct conf *c, const char *text, struct target *t)
{
	size_t i;

	conf_init(c);
	conf_parse(c, "config", text, strlen(text));
	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == CONF_FETCH) {
			apply(c, &c->sections[i], t);
			return;
		}
}

/* What is wrong with the text, in one string. */
static const char *
errors_of(const char *text)
{
	static char all[8192];
	struct target t = {0};
	struct conf c;
	size_t i;

	load(&c, text, &t);
	all[0] = '\0';
	for (i = 0; i < c.errors.n; i++) {
		strlcat(all, c.errors.v[i], sizeof(all));
		strlcat(all, "\n", sizeof(all));
	}
	target_clear(&t);
	conf_clear(&c);
	return all;
}

/* --- what is right ------------------------------------------------------- */

static void
test_values(void)
{
	struct target t = {0};
	struct conf c;

	setenv("HOME", "/home/ada", 1);
	load(&c,
	    "\xef\xbb\xbf# a comment\r\n"
	    "\r\n"
	    "fetch work   # and another\r\n"
	    "  user \"ada l\"\r\n"
	    "\taddress Ada \"the #1\" <ada@example.org>   # comment\r\n"
	    "state ~/state\n"
	    "folders INBOX 'My Lists/*' a#b\n"
	    "pin one two\n"
	    "headers-only\n"
	    "pin three\n"
	    "command pass show 'a b' | head -1\n"
	    "timeout 2m\n"
	    "max-size 25M\n"
	    "number 16\n"
	    "deliver maildir ~/Mail\n"
	    "deliver pipe \"x y\"\n"
	    "keep never",
	    &t);
	is_int(c.errors.n, 0, "no errors");
	is_int(c.n, 1, "a section");
	is_str(c.sections[0].name, "work", "its name");
	is_int(c.sections[0].line, 3, "its line");
	is_str(t.string, "ada l", "string");
	is_str(t.text, "Ada \"the #1\" <ada@example.org>", "text as written");
	is_str(t.path, "/home/ada/state", "path");
	ok(t.words.n == 3 && strcmp(t.words.v[1], "My Lists/*") == 0 &&
		strcmp(t.words.v[2], "a#b") == 0,
	    "words");
	ok(t.append.n == 3 && strcmp(t.append.v[2], "three") == 0, "append");
	is_str(t.command, "pass show 'a b' | head -1", "command as written");
	ok(t.flag, "a flag without value");
	is_int(t.duration, 120000, "duration");
	is_int(t.size, 25 * 1024 * 1024, "size");
	is_int(t.number, 16, "number");
	is_int(t.mode, 2, "one of names; no newline at the end");
	is_int(t.custom.n, 2, "repeated custom keyword");
	is_str(t.custom.v[1], "pipe \"x y\"", "its text");
	target_clear(&t);
	conf_clear(&c);
}

static void
test_overrides(void)
{
	struct target t = {0};
	struct conf c;
	bool given[12] = {false};
	struct conf_table table = {.keys = keys, .target = &t, .given = given};

	conf_init(&c);
	conf_parse(&c, "c", "fetch a\nuser u\ndeliver one\npin 1\n", 33);
	conf_override(&c, "user=v w");
	conf_override(&c, "deliver pipe a=b");
	conf_override(&c, "pin=2");
	conf_override(&c, "user = x");
	conf_override(&c, "maildir=/m");
	conf_apply(&c, &c.sections[0], &table, 1);
	is_int(c.errors.n, 2, "two errors");
	is_str(c.errors.v[0],
	    "-o: user: takes one value, not 2: 'v w' (quotes "
	    "make one of several words)",
	    "a bad value");
	is_str(c.errors.v[1], "-o: unknown keyword 'maildir'", "unknown");
	words_clear(&c.errors);
	target_clear(&t);
	memset(given, 0, sizeof(given));
	apply(&c, &c.sections[0], &t);
	is_int(c.errors.n, 1, "known in another kind of section: fine");
	is_str(t.string, "x", "the first '=' or blank parts them");
	ok(t.custom.n == 1 && strcmp(t.custom.v[0], "pipe a=b") == 0,
	    "replaces repeated lines");
	ok(t.append.n == 1 && strcmp(t.append.v[0], "2") == 0,
	    "replaces a list");
	conf_apply(&c, &c.sections[0], &table, 1);
	ok(given[0] && given[11] && !given[1], "what was given is known");
	target_clear(&t);
	conf_clear(&c);

	conf_init(&c);
	conf_override(&c, "=x");
	conf_override(&c, "");
	conf_override(&c, "user=a\nb");
	conf_override(&c, "usr=a");
	apply(&c, conf_section(&c, CONF_FETCH, "url"), &t);
	is_int(c.errors.n, 4, "four errors");
	is_str(c.errors.v[0], "-o: needs keyword=value, not '=x'", "no name");
	is_str(c.errors.v[1], "-o: needs keyword=value, not ''", "empty");
	is_str(c.errors.v[2], "-o: a control character (\\x0a)", "newline");
	is_str(c.errors.v[3],
	    "-o: unknown keyword 'usr' (did you mean 'user'?)", "nearest");
	target_clear(&t);
	conf_clear(&c);
}

/* Which account does the first section of the kind use? */
static const char *
account_of(const char *text, enum conf_kind kind, const char *name, int *line_r)
{
	static char used[64];
	struct conf_section *s;
	struct conf c;

	conf_init(&c);
	conf_parse(&c, "c", text, strlen(text));
	s = conf_find(&c, kind, name);
	s = s == NULL ? NULL : conf_account(&c, s);
	strlcpy(used, s == NULL ? "none" : s->name, sizeof(used));
	*line_r = s == NULL ? 0 : s->line;
	if (c.errors.n > 0)
		strlcpy(used, c.errors.v[0], sizeof(used)); /* cut */
	conf_clear(&c);
	return used;
}

static void
test_accounts(void)
{
	int line;

	is_str(account_of("account a\nfetch a\n", CONF_FETCH, "a", &line), "a",
	    "of the same name");
	is_str(account_of("account b\nfetch a\n", CONF_FETCH, "a", &line),
	    "none", "none");
	is_str(account_of("fetch a\naccount b\nkeep never\n"
			  "account b\nuser u\n",
		   CONF_FETCH, "a", &line),
	    "b", "named by the first line");
	is_int(line, 4, "and defined further down");
	is_str(account_of("account b\nuser u\nfetch a\naccount b\n"
			  "sync x\naccount b\n",
		   CONF_SYNC, "x", &line),
	    "b", "named twice");
	is_str(account_of("send a\naccount a\nuser u\n", CONF_SEND, "a", &line),
	    "a", "an empty section, then its account");
	is_int(line, 2, "is where it is defined");
	is_str(account_of("account a\nuser u\nsend a\naccount b\nuser v\n"
			  "send b\n",
		   CONF_SEND, "b", &line),
	    "b", "an empty section, then another account");
	is_int(line, 4, "is where it is defined");
	is_str(account_of("account a\nsend a\naccount b\nuser v\n", CONF_SEND,
		   "a", &line),
	    "a", "and the empty one has its own");
	is_str(account_of("account work\nfetch a\naccount wrok\n", CONF_FETCH,
		   "a", &line),
	    "c:3: no account 'wrok' (did you mean 'work'?)", "misspelt");
	is_str(account_of("account b\nfetch a\nkeep never\naccount b\n",
		   CONF_FETCH, "a", &line),
	    "c:4: account 'b' is there already (c:1); to name the account of",
	    "not the first line");
}

static void
test_need(void)
{
	static const char text[] = "account wrok\nfetch work\nsend home\n"
				   "deliver pipe  a 'b  c' \nx\n";
	struct conf c;

	conf_init(&c);
	conf_parse(&c, "c", text, strlen(text));
	ok(conf_need(&c, CONF_FETCH, "work") == &c.sections[1], "it is there");
	is_int((long long)c.errors.n, 0, "no complaint");
	ok(conf_need(&c, CONF_FETCH, "wrk") == NULL, "it is not");
	ok(conf_need(&c, CONF_SYNC, "work") == NULL, "nor of that kind");
	is_str(c.errors.v[0],
	    "no 'fetch wrk' in the configuration (did you mean 'work'?)",
	    "the nearest");
	is_str(c.errors.v[1], "no 'sync work' in the configuration",
	    "of its kind");
	conf_complain(&c, &c.sections[2], "no %s", "server");
	is_str(c.errors.v[0], "c:3: send home: no server", "a complaint");
	conf_complain(&c, conf_section(&c, CONF_SEND, "h"), "no server");
	is_str(c.errors.v[3], "send h: no server", "without a file");
	is_str(conf_rest(&c.sections[2].lines[0]), "a 'b  c'", "the rest");
	is_str(conf_rest(&c.sections[2].lines[1]), "", "no rest");
	conf_clear(&c);
}

/* --- what is wrong ------------------------------------------------------- */

static void
test_ten_mistakes(void)
{
	static const char text[] = "account work\n"
				   "    user              ada\n"
				   "fetch work\n"
				   "    delivr            maildir ~/Mail\n"
				   "    keep              nevr\n"
				   "    timeout           soon\n"
				   "    max-size          huge\n"
				   "    headers-only      maybe\n"
				   "    user\n"
				   "    number            17\n"
				   "    folders           \"INBOX\n"
				   "    keep              always\n"
				   "    maildir           ~/Mail\n"
				   "sync work\n"
				   "sync work\n";

	is_str(errors_of(text),
	    "config:4: unknown keyword 'delivr' (did you mean 'deliver'?)\n"
	    "config:5: keep: 'nevr' is none of: auto, always, never (did "
	    "you mean 'never'?)\n"
	    "config:6: timeout: 'soon' is not a duration (like 90s, 15m, 2h "
	    "or 14d)\n"
	    "config:7: max-size: 'huge' is not a size (like 500k, 25M or "
	    "2G)\n"
	    "config:8: headers-only: 'maybe' is none of: yes, no, true, "
	    "false, on, off\n"
	    "config:9: user: needs a value\n"
	    "config:10: number: '17' is not a number from 1 to 16\n"
	    "config:11: a quote (\") is not closed (put \\ before a character "
	    "that stands for itself)\n"
	    "config:12: 'keep' is given twice (first on line 5)\n"
	    "config:13: 'maildir' belongs in a sync section\n"
	    "config:15: sync 'work' is there already (config:14)\n",
	    "a file of mistakes, all of them in order");
}

static void
test_mistakes(void)
{
	is_str(errors_of("timeout 5\nuser x\nfetch a\n"),
	    "config:1: 'timeout' is outside of any section: begin one with "
	    "account, fetch, sync or send, and a name\n",
	    "outside of any section: told once");
	is_str(errors_of("fecth a\nuser\n"),
	    "config:1: unknown keyword 'fecth' (did you mean 'fetch'?)\n"
	    "config:2: user: needs a value\n",
	    "a misspelt start, and what follows is still checked");
	is_str(errors_of("fetch a\nuser x\nacount b\nuser y\nmaildir z\n"
			 "zzz\ntimeout z\n"),
	    "config:3: unknown keyword 'acount' (did you mean 'account'?)\n"
	    "config:7: timeout: 'z' is not a duration (like 90s, 15m, 2h or "
	    "14d)\n",
	    "a misspelt start within a section: no strays after it");
	is_str(errors_of("fetch a\nxyzzy 1\n"),
	    "config:2: unknown keyword 'xyzzy' in section 'fetch a'\n",
	    "nothing near");
	is_str(errors_of("fetch\nuser\n"),
	    "config:1: 'fetch' needs a name, and nothing else\n"
	    "config:2: user: needs a value\n",
	    "no name");
	is_str(errors_of("fetch my work\n"),
	    "config:1: 'fetch' needs a name, and nothing else\n", "two names");
	is_str(errors_of("fetch a/b\n"),
	    "config:1: 'a/b' cannot be a name: letters, digits and . _ @ + -, "
	    "at most 64, the first not . or -\n",
	    "a bad name");
	is_str(errors_of("fetch a\nuser a\x07g\nuser \x7f\nuser b\n"),
	    "config:2: a control character (\\x07)\n"
	    "config:3: a control character (\\x7f)\n",
	    "control characters");
	is_str(errors_of("fetch a\nuser\\\n"),
	    "config:2: a backslash at the end of the line (put \\ before a "
	    "character that stands for itself)\n",
	    "no continuation lines");
	is_str(errors_of("fetch a\nkeep\nuser a b\nstate ~bob/x\nstate ''\n"
			 "deliver\n"),
	    "config:2: keep: needs one of: auto, always, never\n"
	    "config:3: user: takes one value, not 2: 'a b' (quotes make one "
	    "of several words)\n"
	    "config:4: state: '~bob/x': only ~ and ~/ stand for a home "
	    "directory\n"
	    "config:5: 'state' is given twice (first on line 4)\n"
	    "config:6: deliver: wants something\n",
	    "values");
	is_str(errors_of("include x\n"),
	    "config:1: include: not possible "
	    "here\n",
	    "no include in memory");
	is_str(errors_of(""), "", "an empty file is fine");
}

static void
test_nul(void)
{
	struct conf c;

	conf_init(&c);
	conf_parse(&c, "c", "fetch a\nuser a\0b\n", 17);
	is_int(c.errors.n, 1, "a NUL");
	is_str(c.errors.v[0], "c:2: a control character (\\x00)", "is told");
	conf_clear(&c);
}

/* --- files --------------------------------------------------------------- */

static char dir[] = "/tmp/conf_test.XXXXXX";

static const char *
at(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		abort();
}

static void
test_include(void)
{
	struct target t = {0};
	struct conf c;
	char want[160];

	setenv("HOME", dir, 1);
	mkdir(at("d"), 0700);
	put("config", "fetch a\ninclude d/*.conf\nuser me\ninclude ~/d/none-*\n"
		      "include missing\ninclude config\ninclude\n");
	put("d/1.conf", "timeout 5\nfetch b\nuser you\n");
	put("d/2.conf", "number 3\nnumber 4\n");
	conf_init(&c);
	conf_read(&c, at("config"));
	apply(&c, &c.sections[0], &t);
	is_int(c.n, 2, "two sections");
	is_int(t.duration, 5000, "an include begins in its section");
	is_str(t.string, "me", "and leaves it as it was");
	is_int(t.number, 3, "globs");
	is_int(c.errors.n, 4, "four errors");
	snprintf(want, sizeof(want),
	    "~/config:5: %s/missing: No such file or directory", dir);
	is_str(c.errors.v[0], want, "a missing file");
	snprintf(
	    want, sizeof(want), "~/config:6: %s/config includes itself", dir);
	is_str(c.errors.v[1], want, "a loop");
	is_str(c.errors.v[2], "~/config:7: include: needs one path or pattern",
	    "no path");
	is_str(c.errors.v[3],
	    "~/d/2.conf:2: 'number' is given twice (first on line 1)",
	    "errors of other files come after");
	target_clear(&t);
	conf_clear(&c);
}

static void
test_depth(void)
{
	char name[16], text[64], want[64];
	struct conf c;
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(text, sizeof(text), "fetch f%d\ninclude deep%d\n", i,
		    i + 1);
		put(name, text);
	}
	conf_init(&c);
	conf_read(&c, at("deep0"));
	is_int(c.n, 16, "16 files deep");
	snprintf(want, sizeof(want), "~/deep15:2: include: over 16 deep");
	is_str(c.errors.n == 1 ? c.errors.v[0] : NULL, want, "and no deeper");
	conf_clear(&c);
}

/* The file in ~ is there; the one in /etc is not looked for. */
static void
test_load(void)
{
	struct conf c;

	conf_init(&c);
	conf_load(&c, NULL, "do else");
	is_int((long long)c.n, 1, "the default file");
	conf_clear(&c);
	conf_init(&c);
	put("other", "fetch y\nfetch z\n");
	conf_load(&c, at("other"), "do else");
	is_int((long long)c.n, 2, "another");
	is_int((long long)c.errors.n, 0, "no complaint");
	conf_clear(&c);
	unlink(at(".config/mailroom/config"));
	if (access("/etc/mailroom/config", F_OK) == 0)
		return;
	conf_init(&c);
	conf_load(&c, NULL, NULL);
	is_int((long long)c.errors.n, 0, "none need be there");
	conf_load(&c, NULL, "do else");
	is_str(c.errors.n == 1 ? c.errors.v[0] : NULL,
	    "no configuration: there is neither ~/.config/mailroom/config nor "
	    "/etc/mailroom/config; see mailroom.conf(5), or do else",
	    "but where one is needed");
	conf_clear(&c);
}

static void
test_default(void)
{
	struct conf c;
	char want[160], *path;

	setenv("XDG_CONFIG_HOME", dir, 1);
	mkdir(at("mailroom"), 0700);
	put("mailroom/config", "fetch x\n");
	path = conf_default_path();
	is_str(path, at("mailroom/config"), "$XDG_CONFIG_HOME");
	free(path);
	unsetenv("XDG_CONFIG_HOME");
	mkdir(at(".config"), 0700);
	mkdir(at(".config/mailroom"), 0700);
	put(".config/mailroom/config", "fetch x\nusr y\n");
	path = conf_default_path();
	is_str(path, at(".config/mailroom/config"), "~/.config");
	conf_init(&c);
	conf_read(&c, path);
	is_str(c.files.v[0], "~/.config/mailroom/config", "as shown");
	free(path);
	conf_read(&c, at("nowhere"));
	snprintf(
	    want, sizeof(want), "%s: No such file or directory", at("nowhere"));
	is_str(c.errors.n == 1 ? c.errors.v[0] : NULL, want, "no such file");
	conf_clear(&c);
	test_load();
}

static void
remove_dir(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	test_values();
	test_overrides();
	test_accounts();
	test_need();
	test_ten_mistakes();
	test_mistakes();
	test_nul();
	test_include();
	test_depth();
	test_default();
	remove_dir();
	return done();
}
