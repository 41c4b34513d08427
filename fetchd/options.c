/*
 * The `fetch` section: its keywords, what must go together, and how a URL on
 * the command line stands in for one.
 */

#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"
#include "base/time.h"
#include "os/command.h"
#include "os/store.h"

#define COMMAND_TIMEOUT (5 * 60 * 1000)
#define POLL_DEFAULT (5 * 60 * 1000)
#define IDLE_DEFAULT (9 * 60 * 1000) /* RFC 2177: under 29 min; NAT less */

static int
parse_from(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"pop3", "imap", NULL};
	const char *proto = l->args.n > 0 ? l->args.v[0] : "";
	struct fetch *f = target;
	size_t i;

	(void)c;
	words_clear(&f->folders);
	if (strcmp(proto, "pop3") != 0 && strcmp(proto, "imap") != 0)
		return suggest_none_of(proto, names, e);
	f->imap = strcmp(proto, "imap") == 0;
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

static int
parse_deliver(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"maildir", "mbox", "pipe", NULL};
	struct fetch *f = target;
	const char *kind = l->args.n > 0 ? l->args.v[0] : "";

	if (strcmp(kind, "pipe") == 0) {
		if (command_check(conf_rest(l), e) == -1)
			return -1;
		/* Its place among the commands is known when all are. */
		add_target(f, TARGET_PIPE)->path = mem_strdup(conf_rest(l));
		return 0;
	}
	if (strcmp(kind, "maildir") != 0 && strcmp(kind, "mbox") != 0)
		return suggest_none_of(kind, names, e);
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
	if (command_check(l->text, e) == -1)
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
	static const char *const names[] = {"always", "never", "14d", NULL};
	struct fetch *f = target;
	const char *v = l->args.n == 1 ? l->args.v[0] : "";

	(void)c;
	if (strcmp(v, "always") == 0)
		f->keep = KEEP_ALWAYS;
	else if (strcmp(v, "never") == 0)
		f->keep = 0;
	else if (!time_duration(v, &f->keep))
		return suggest_none_of(v, names, e);
	return 0;
}

static int
parse_mark(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"seen", NULL};
	const char *mark = l->args.n == 1 ? l->args.v[0] : "";
	struct fetch *f = target;

	(void)c;
	if (strcmp(mark, "seen") != 0)
		return suggest_none_of(mark, names, e);
	f->mark_seen = true;
	return 0;
}

static int
parse_max_size(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"skip", "headers", NULL};
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
		return suggest_none_of(l->args.v[1], names, e);
	return 0;
}

static int
parse_limit(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"messages", "bytes", NULL};
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
		return suggest_none_of(l->args.v[0], names, e);
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
	static const char *const names[] = {"received", "delivered-to", NULL};
	struct fetch *f = target;
	size_t i;

	(void)c;
	for (i = 0; i < l->args.n; i++) {
		if (strcmp(l->args.v[i], "received") == 0)
			f->add_received = true;
		else if (strcmp(l->args.v[i], "delivered-to") == 0)
			f->add_delivered_to = true;
		else
			return suggest_none_of(l->args.v[i], names, e);
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
check_imap_only(
    struct conf *c, const struct conf_section *s, const struct fetch *f)
{
	if (f->imap)
		return;
	if (f->archive != NULL)
		conf_complain(
		    c, s, "'archive' needs IMAP folders: POP3 has none");
	if (f->mark_seen)
		conf_complain(
		    c, s, "'mark seen' needs IMAP: POP3 has no flags");
	if (f->select == SELECT_UNSEEN)
		conf_complain(
		    c, s, "'select unseen' needs IMAP: POP3 has no flags");
}

static void
check_server(struct conf *c, const struct conf_section *s, struct fetch *f)
{
	const struct account *a = &f->account;

	if (a->tunnel != NULL || a->discover)
		return;
	if (f->imap && a->imap.host == NULL)
		conf_complain(c, s,
		    "no IMAP server: add 'imap imaps://HOST' to its "
		    "account");
	if (!f->imap && a->pop3.host == NULL)
		conf_complain(c, s,
		    "no POP3 server: add 'pop3 pop3s://HOST' to its "
		    "account");
}

static void
check_fetch(struct conf *c, const struct conf_section *s, struct fetch *f)
{
	account_check(&f->account, f->imap ? URL_IMAP : URL_POP3, c, s);
	check_server(c, s, f);
	check_imap_only(c, s, f);
	if (f->n_targets == 0)
		conf_complain(c, s,
		    "nowhere to deliver to: add 'deliver maildir "
		    "~/Mail/in'");
	if (f->headers_only && f->archive != NULL)
		conf_complain(c, s,
		    "'headers-only' never removes anything: "
		    "'archive' cannot go with it");
	if (f->poll < 1000 || f->idle < 1000)
		conf_complain(
		    c, s, "'poll' and 'idle' must be a second or more");
	if (f->account.user == NULL)
		conf_complain(
		    c, s, "no user: add 'user NAME' or 'address ADDRESS'");
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
set_state(struct conf *c, struct fetch *f, const char *name)
{
	struct err e;

	if (store_path("fetchd", name, &f->state, &e) == -1)
		conf_error(c, NULL, "%s", e.text);
}

/* --- sections and URLs ------------------------------------------------------------ */

static void
read_section(struct conf *c, struct conf_section *s, struct fetch *f)
{
	enum { FROM_AT = 0 }; /* its place in fetch_keys */
	bool given[sizeof(fetch_keys) / sizeof(fetch_keys[0])] = {false};
	const struct conf_table own = {.keys = fetch_keys,
	    .target = f,
	    .given = given,
	    .kind = CONF_FETCH};

	fetch_init(f);
	f->name = mem_strdup(s->name);
	account_apply(&f->account, c, s, &own);
	if (!given[FROM_AT] && f->account.pop3.host == NULL &&
	    f->account.imap.host != NULL)
		f->imap = true;
	check_fetch(c, s, f);
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
	size_t i;

	for (i = 0; i < n_args; i++)
		if ((s = conf_need(c, CONF_FETCH, args[i])) != NULL)
			add_section(c, s, list, n);
}

/* The state belongs to the pair (URL, destinations). */
static void
set_url_state(struct conf *c, struct fetch *f, const char *url)
{
	struct buf all;
	char *name;
	size_t i;

	buf_init(&all, 1 << 20);
	buf_puts(&all, url);
	for (i = 0; i < f->n_targets; i++)
		buf_printf(&all, "\n%d %s", (int)f->targets[i].kind,
		    f->targets[i].path != NULL ? f->targets[i].path
		    : f->targets[i].kind == TARGET_PIPE
			? f->commands.v[f->targets[i].command]
			: "-");
	name = store_name(buf_span(&all));
	set_state(c, f, name);
	free(name);
	buf_clear(&all);
}

/* The URL's path is a folder. */
static void
set_folder(struct conf *c, struct fetch *f, const struct url *url)
{
	char *shown;

	if (url->path == NULL)
		return;
	if (f->imap) {
		words_add(&f->folders, url->path);
		return;
	}
	shown = url_show(url);
	conf_error(c, NULL, "%s: POP3 has no folders", shown);
	free(shown);
}

static void
from_url(
    struct conf *c, const char *const *args, size_t n_args, struct fetch *f)
{
	enum url_proto proto;
	const struct url *url;
	struct err e;

	fetch_init(f);
	if (account_from_url(&f->account, args[0], &proto, &e) == -1) {
		conf_error(c, NULL, "%s", e.text);
		return;
	}
	url = account_url(&f->account, proto);
	f->name = mem_strdup(url->host);
	f->imap = proto == URL_IMAP;
	if (proto != URL_IMAP && proto != URL_POP3)
		conf_error(c, NULL, "%s://: fetchd fetches by IMAP or POP3",
		    url_scheme(url));
	else
		set_folder(c, f, url);
	if (n_args > 1)
		add_target(f, TARGET_MAILDIR)->path = conf_path(c, args[1]);
	if (n_args > 2)
		conf_error(
		    c, NULL, "'%s': only one Maildir goes with a URL", args[2]);
}

static void
url_fetch(struct conf *c, const char *const *args, size_t n_args,
    struct fetch **list, size_t *n)
{
	struct fetch *f = *list = mem_alloc(sizeof(*f));
	const struct conf_table own = {
	    .keys = fetch_keys, .target = f, .kind = CONF_FETCH};
	struct conf_section *s;

	*n = 1;
	from_url(c, args, n_args, f);
	if (c->errors.n > 0)
		return;
	s = conf_section(c, CONF_FETCH, f->name);
	account_apply(&f->account, c, s, &own);
	check_fetch(c, s, f);
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
