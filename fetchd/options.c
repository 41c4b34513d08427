/*
 * The `fetch` section: its keywords, what must go together, and how a URL on
 * the command line stands in for one.
 */

#include "options.h"

#include <sys/stat.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sha2.h>

#include "base/enc.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"
#include "base/time.h"
#include "os/file.h"

#define COMMAND_TIMEOUT (5 * 60 * 1000)
#define POLL_DEFAULT (5 * 60 * 1000)
#define IDLE_DEFAULT (9 * 60 * 1000) /* RFC 2177: under 29 min; NAT less */

/* "'X' is none of a b c (did you mean 'b'?)" */
static int
none_of(struct err *e, const char *word, const char *const *names, size_t n)
{
	const char *near = suggest(word, names, n);
	struct buf list;
	size_t i;

	buf_init(&list, 256);
	for (i = 0; i < n; i++)
		buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
	err_set(e, ERR_CONFIG, "'%s' is none of: %s%s%s%s", word,
	    buf_cstr(&list), near != NULL ? " (did you mean '" : "",
	    near != NULL ? near : "", near != NULL ? "'?)" : "");
	buf_clear(&list);
	return -1;
}

#define NONE_OF(e, word, names) \
	none_of(e, word, names, sizeof(names) / sizeof((names)[0]))

/* What follows the first word of the text, as written. */
static const char *
rest_of(const struct conf_line *l)
{
	struct span s = span_of(l->text), word;

	if (!span_word(&s, &word))
		return "";
	s = span_trim(s);
	return s.n > 0 ? s.p : "";
}

static int
parse_from(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"pop3", "imap"};
	struct fetch *f = target;
	size_t i;

	(void)c;
	words_clear(&f->folders);
	if (l->args.n == 0 || (strcmp(l->args.v[0], "pop3") != 0 &&
				  strcmp(l->args.v[0], "imap") != 0))
		return NONE_OF(e, l->args.n > 0 ? l->args.v[0] : "", names);
	f->imap = strcmp(l->args.v[0], "imap") == 0;
	if (!f->imap && l->args.n > 1)
		return err_set(
		    e, ERR_CONFIG, "POP3 has no folders: '%s'", l->args.v[1]);
	for (i = 1; i < l->args.n; i++)
		words_add(&f->folders, l->args.v[i]);
	return 0;
}

static struct target *
add_target(struct fetch *f, enum target_kind kind)
{
	f->targets =
	    mem_resize(f->targets, f->n_targets + 1, sizeof(*f->targets));
	f->targets[f->n_targets] = (struct target){.kind = kind};
	return &f->targets[f->n_targets++];
}

/* Checks that a command line splits, so that the error has its place. */
static int
check_command(const char *line, struct err *e)
{
	struct words w;
	int rv;

	words_init(&w);
	rv = words_split(&w, line, false, e);
	if (rv == 0 && w.n == 0)
		rv = err_set(e, ERR_CONFIG, "no command");
	words_clear(&w);
	return rv;
}

static int
parse_deliver(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"maildir", "mbox", "pipe"};
	struct fetch *f = target;
	const char *kind = l->args.n > 0 ? l->args.v[0] : "";

	if (strcmp(kind, "pipe") == 0) {
		if (check_command(rest_of(l), e) == -1)
			return -1;
		/* Its place among the commands is known when all are. */
		add_target(f, TARGET_PIPE)->path = mem_strdup(rest_of(l));
		return 0;
	}
	if (strcmp(kind, "maildir") != 0 && strcmp(kind, "mbox") != 0)
		return NONE_OF(e, kind, names);
	if (l->args.n != 2)
		return err_set(
		    e, ERR_CONFIG, "'deliver %s' wants one path", kind);
	if (strcmp(kind, "maildir") == 0)
		add_target(f, TARGET_MAILDIR)->path =
		    conf_path(c, l->args.v[1]);
	else if (strcmp(l->args.v[1], "-") == 0)
		add_target(f, TARGET_STDOUT);
	else
		add_target(f, TARGET_MBOX)->path = conf_path(c, l->args.v[1]);
	return 0;
}

static int
parse_filter(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct fetch *f = target;

	(void)c;
	if (check_command(l->text, e) == -1)
		return -1;
	words_add(&f->commands, l->text);
	f->n_filters++;
	return 0;
}

static int
parse_drop(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct fetch *f = target;
	uint64_t code;
	size_t i;

	(void)c;
	memset(f->drop, 0, sizeof(f->drop));
	for (i = 0; i < l->args.n; i++) {
		if (!span_number(span_of(l->args.v[i]), 255, &code) ||
		    code == 0)
			return err_set(e, ERR_CONFIG,
			    "'%s' is no exit code "
			    "from 1 to 255",
			    l->args.v[i]);
		f->drop[code] = true;
	}
	return 0;
}

static int
parse_keep(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"always", "never", "14d"};
	struct fetch *f = target;
	const char *v = l->args.n == 1 ? l->args.v[0] : "";

	(void)c;
	if (strcmp(v, "always") == 0)
		f->keep = KEEP_ALWAYS;
	else if (strcmp(v, "never") == 0)
		f->keep = 0;
	else if (!time_duration(v, &f->keep))
		return NONE_OF(e, v, names);
	return 0;
}

static int
parse_mark(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"seen"};
	struct fetch *f = target;

	(void)c;
	if (l->args.n != 1 || strcmp(l->args.v[0], "seen") != 0)
		return NONE_OF(e, l->args.n > 0 ? l->args.v[0] : "", names);
	f->mark_seen = true;
	return 0;
}

static int
parse_max_size(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"skip", "headers"};
	struct fetch *f = target;

	(void)c;
	if (l->args.n < 1 || l->args.n > 2 ||
	    !time_size(l->args.v[0], &f->max_size) || f->max_size == 0)
		return err_set(e, ERR_CONFIG,
		    "wants a size and then perhaps "
		    "'skip' or 'headers': max-size 25M headers");
	f->oversize = OVERSIZE_SKIP;
	if (l->args.n == 2 && strcmp(l->args.v[1], "headers") == 0)
		f->oversize = OVERSIZE_HEADERS;
	else if (l->args.n == 2 && strcmp(l->args.v[1], "skip") != 0)
		return NONE_OF(e, l->args.v[1], names);
	return 0;
}

static int
parse_limit(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"messages", "bytes"};
	struct fetch *f = target;
	bool ok;

	(void)c;
	if (l->args.n != 2)
		return err_set(e, ERR_CONFIG,
		    "wants what and how much: limit "
		    "messages 500, limit bytes 100M");
	if (strcmp(l->args.v[0], "messages") == 0)
		ok = span_number(span_of(l->args.v[1]), UINT32_MAX,
			 &f->limit_messages) &&
		     f->limit_messages > 0;
	else if (strcmp(l->args.v[0], "bytes") == 0)
		ok = time_size(l->args.v[1], &f->limit_bytes) &&
		     f->limit_bytes > 0;
	else
		return NONE_OF(e, l->args.v[0], names);
	if (!ok)
		return err_set(e, ERR_CONFIG,
		    "'%s' is not a number that "
		    "limits anything",
		    l->args.v[1]);
	return 0;
}

static int
parse_add_header(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"received", "delivered-to"};
	struct fetch *f = target;
	size_t i;

	(void)c;
	for (i = 0; i < l->args.n; i++) {
		if (strcmp(l->args.v[i], "received") == 0)
			f->add_received = true;
		else if (strcmp(l->args.v[i], "delivered-to") == 0)
			f->add_delivered_to = true;
		else
			return NONE_OF(e, l->args.v[i], names);
	}
	return 0;
}

static const char *const select_names[] = {"new", "unseen", "all", NULL};
static const char *const start_names[] = {"all", "now", NULL};

#define AT(member) offsetof(struct fetch, member)
const struct conf_key fetch_keys[] = {
    {.name = "from", .type = CONF_CUSTOM, .parse = parse_from},
    {.name = "deliver",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_deliver},
    {.name = "filter",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_filter},
    {.name = "drop", .type = CONF_CUSTOM, .parse = parse_drop},
    {.name = "keep", .type = CONF_CUSTOM, .parse = parse_keep},
    {.name = "archive", .type = CONF_STRING, .offset = AT(archive)},
    {.name = "select",
	.type = CONF_ENUM,
	.offset = AT(select),
	.names = select_names},
    {.name = "mark", .type = CONF_CUSTOM, .parse = parse_mark},
    {.name = "headers-only", .type = CONF_BOOL, .offset = AT(headers_only)},
    {.name = "max-size", .type = CONF_CUSTOM, .parse = parse_max_size},
    {.name = "limit",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_limit},
    {.name = "start",
	.type = CONF_ENUM,
	.offset = AT(start),
	.names = start_names},
    {.name = "add-header",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_add_header},
    {.name = "command-timeout",
	.type = CONF_DURATION,
	.offset = AT(command_timeout)},
    {.name = "poll", .type = CONF_DURATION, .offset = AT(poll)},
    {.name = "idle", .type = CONF_DURATION, .offset = AT(idle)},
    {.name = NULL},
};

void
fetch_init(struct fetch *f)
{
	*f = (struct fetch){.keep = KEEP_ALWAYS,
	    .command_timeout = COMMAND_TIMEOUT,
	    .poll = POLL_DEFAULT,
	    .idle = IDLE_DEFAULT};
	account_init(&f->account);
	words_init(&f->folders);
	words_init(&f->commands);
}

void
fetch_clear(struct fetch *f)
{
	size_t i;

	account_clear(&f->account);
	words_clear(&f->folders);
	words_clear(&f->commands);
	for (i = 0; i < f->n_targets; i++)
		free(f->targets[i].path);
	free(f->targets);
	free(f->archive);
	free(f->state);
	free(f->name);
}

/* --- what must go together ------------------------------------------------------ */

static void
complain(struct conf *c, const struct conf_section *s, const char *text)
{
	const struct conf_line at = {.file = s->file, .line = s->line};

	conf_error(
	    c, s->file != NULL ? &at : NULL, "fetch %s: %s", s->name, text);
}

static void
check_imap_only(
    struct conf *c, const struct conf_section *s, const struct fetch *f)
{
	if (f->imap)
		return;
	if (f->archive != NULL)
		complain(c, s, "'archive' needs IMAP folders: POP3 has none");
	if (f->mark_seen)
		complain(c, s, "'mark seen' needs IMAP: POP3 has no flags");
	if (f->select == SELECT_UNSEEN)
		complain(c, s, "'select unseen' needs IMAP: POP3 has no flags");
}

static void
check_server(struct conf *c, const struct conf_section *s, struct fetch *f)
{
	const struct account *a = &f->account;

	if (a->tunnel != NULL || a->discover)
		return;
	if (f->imap && a->imap.host == NULL)
		complain(c, s,
		    "no IMAP server: add 'imap imaps://HOST' to its "
		    "account");
	if (!f->imap && a->pop3.host == NULL)
		complain(c, s,
		    "no POP3 server: add 'pop3 pop3s://HOST' to its "
		    "account");
}

static void
check_fetch(struct conf *c, const struct conf_section *s, struct fetch *f,
    bool from_given)
{
	bool out = false;
	size_t i;

	if (!from_given && f->account.pop3.host == NULL &&
	    f->account.imap.host != NULL)
		f->imap = true;
	check_server(c, s, f);
	check_imap_only(c, s, f);
	if (f->n_targets == 0)
		complain(c, s,
		    "nowhere to deliver to: add 'deliver maildir "
		    "~/Mail/in'");
	for (i = 0; i < f->n_targets; i++)
		out = out || f->targets[i].kind == TARGET_STDOUT;
	if (f->headers_only && f->archive != NULL)
		complain(c, s,
		    "'headers-only' never removes anything: "
		    "'archive' cannot go with it");
	if (f->poll < 1000 || f->idle < 1000)
		complain(c, s, "'poll' and 'idle' must be a second or more");
	if (f->account.user == NULL)
		complain(c, s, "no user: add 'user NAME' or 'address ADDRESS'");
	if (f->imap && f->folders.n == 0)
		words_add(&f->folders, "INBOX");
}

/* Pipes go behind the filters in the list of commands. */
static void
place_commands(struct fetch *f)
{
	size_t i;

	for (i = 0; i < f->n_targets; i++) {
		struct target *t = &f->targets[i];

		if (t->kind != TARGET_PIPE)
			continue;
		t->command = (int)f->commands.n;
		words_add(&f->commands, t->path);
		free(t->path);
		t->path = NULL;
	}
}

static void
set_state(struct conf *c, struct fetch *f, const char *id)
{
	struct err e = {0};
	struct buf name;
	char *dir;

	if (file_state_dir("fetchd", &dir, &e) == -1) {
		conf_error(c, NULL, "%s", e.text);
		return;
	}
	buf_init(&name, 1024);
	enc_percent(&name, span_of(id));
	f->state = mem_printf("%s/%s.db", dir, buf_cstr(&name));
	buf_clear(&name);
	free(dir);
}

/* --- sections and URLs ------------------------------------------------------------ */

static void
read_section(struct conf *c, struct conf_section *s, struct fetch *f)
{
	enum { FROM_AT = 0 }; /* its place in fetch_keys */
	bool given[sizeof(fetch_keys) / sizeof(fetch_keys[0])] = {false};
	struct conf_section *a = conf_account(c, s);
	const struct conf_table in_account[] = {
	    {.keys = account_keys, .target = &f->account, .kind = CONF_ACCOUNT},
	    {.keys = fetch_keys, .kind = CONF_FETCH},
	};
	const struct conf_table in_fetch[] = {
	    {.keys = account_keys, .target = &f->account, .kind = CONF_ACCOUNT},
	    {.keys = fetch_keys,
		.target = f,
		.given = given,
		.kind = CONF_FETCH},
	};

	fetch_init(f);
	f->name = mem_strdup(s->name);
	f->account.name = mem_strdup(a != NULL ? a->name : s->name);
	if (a != NULL)
		conf_apply(c, a, in_account, 2);
	conf_apply(c, s, in_fetch, 2);
	account_check(&f->account, c, a != NULL ? a : s);
	check_fetch(c, s, f, given[FROM_AT]);
	place_commands(f);
	set_state(c, f, s->name);
}

static void
add_section(
    struct conf *c, struct conf_section *s, struct fetch **list, size_t *n)
{
	*list = mem_resize(*list, *n + 1, sizeof(**list));
	read_section(c, s, &(*list)[(*n)++]);
}

static void
named_sections(struct conf *c, const char *const *args, size_t n_args,
    struct fetch **list, size_t *n)
{
	struct conf_section *s;
	const char **names;
	const char *near;
	size_t i, k;

	for (i = 0; i < n_args; i++) {
		s = conf_find(c, CONF_FETCH, args[i]);
		if (s != NULL) {
			add_section(c, s, list, n);
			continue;
		}
		names = mem_array(c->n, sizeof(*names));
		for (k = 0; k < c->n; k++)
			names[k] = c->sections[k].kind == CONF_FETCH
			               ? c->sections[k].name
			               : "";
		near = suggest(args[i], names, c->n);
		conf_error(c, NULL, "no 'fetch %s' in the configuration%s%s%s",
		    args[i], near != NULL ? " (did you mean '" : "",
		    near != NULL ? near : "", near != NULL ? "'?)" : "");
		free(names);
	}
}

/* The state belongs to the pair (URL, destinations). */
static void
set_url_state(struct conf *c, struct fetch *f, const char *url)
{
	char hex[SHA256_DIGEST_STRING_LENGTH], *id;
	struct buf all;
	size_t i;

	buf_init(&all, 1 << 20);
	buf_puts(&all, url);
	for (i = 0; i < f->n_targets; i++)
		buf_printf(&all, "\n%d %s", (int)f->targets[i].kind,
		    f->targets[i].path != NULL ? f->targets[i].path
		    : f->targets[i].kind == TARGET_PIPE
			? f->commands.v[f->targets[i].command]
			: "-");
	SHA256Data((const uint8_t *)buf_span(&all).p, buf_span(&all).n, hex);
	hex[16] = '\0';
	id = mem_printf("url-%s", hex);
	free(f->state);
	set_state(c, f, id);
	free(id);
	buf_clear(&all);
}

static void
from_url(
    struct conf *c, const char *const *args, size_t n_args, struct fetch *f)
{
	struct err e = {0};
	struct url url;
	char *shown;

	fetch_init(f);
	if (url_parse(args[0], &url, &e) == -1) {
		conf_error(c, NULL, "%s", e.text);
		return;
	}
	if (url.proto != URL_IMAP && url.proto != URL_POP3)
		conf_error(c, NULL, "%s://: fetchd fetches by IMAP or POP3",
		    url_scheme(&url));
	shown = url_show(&url);
	f->name = mem_strdup(url.host);
	f->imap = url.proto == URL_IMAP;
	f->account.name = mem_strdup(url.host);
	if (url.user != NULL)
		f->account.user = mem_strdup(url.user);
	if (url.path != NULL && !f->imap)
		conf_error(c, NULL, "%s: POP3 has no folders", shown);
	else if (url.path != NULL)
		words_add(&f->folders, url.path);
	if (n_args > 1)
		add_target(f, TARGET_MAILDIR)->path = conf_path(c, args[1]);
	if (n_args > 2)
		conf_error(
		    c, NULL, "'%s': only one Maildir goes with a URL", args[2]);
	*(f->imap ? &f->account.imap : &f->account.pop3) = url;
	free(shown);
}

static void
url_fetch(struct conf *c, const char *const *args, size_t n_args,
    struct fetch **list, size_t *n)
{
	struct fetch *f = *list = mem_alloc(sizeof(*f));
	const struct conf_table tables[] = {
	    {.keys = account_keys, .target = &f->account, .kind = CONF_ACCOUNT},
	    {.keys = fetch_keys, .target = f, .kind = CONF_FETCH},
	};
	struct conf_section *s;

	*n = 1;
	from_url(c, args, n_args, f);
	if (c->errors.n > 0)
		return;
	s = conf_section(c, CONF_FETCH, f->name);
	conf_apply(c, s, tables, 2);
	account_check(&f->account, c, s);
	check_fetch(c, s, f, true);
	place_commands(f);
	set_url_state(c, f, args[0]);
}

void
options_fetches(struct conf *c, const char *const *args, size_t n_args,
    struct fetch **list_r, size_t *n_r)
{
	size_t i;

	*list_r = NULL;
	*n_r = 0;
	if (n_args > 0 && url_looks_like(args[0])) {
		url_fetch(c, args, n_args, list_r, n_r);
		return;
	}
	if (n_args > 0) {
		named_sections(c, args, n_args, list_r, n_r);
		return;
	}
	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == CONF_FETCH)
			add_section(c, &c->sections[i], list_r, n_r);
	if (*n_r == 0 && c->errors.n == 0)
		conf_error(c, NULL,
		    "nothing to fetch: the configuration has "
		    "no 'fetch' section (or give a URL: fetchd "
		    "imaps://you@imap.example.org ~/Mail/in)");
}
