/*
 * The `sync` section: its keywords, what must go together, and how a URL on
 * the command line stands in for one.
 */

#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "base/time.h"
#include "os/store.h"

#define BRAKE_DEFAULT 25
#define IDLE_DEFAULT (9 * 60 * 1000) /* RFC 2177: under 29 min; NAT less */
#define DAY 86400                    /* seconds */

static const char *
arg(const struct conf_line *l, size_t i)
{
	return i < l->args.n ? l->args.v[i] : "";
}

static int
parse_layout(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {
	    "nested", "maildir++", "flat", NULL};
	struct sync *y = target;

	(void)c;
	if (strcmp(arg(l, 0), "flat") == 0) {
		if (l->args.n != 2 || strlen(l->args.v[1]) != 1 ||
		    strchr("/%:", l->args.v[1][0]) != NULL)
			return err_set(e, ERR_CONFIG,
			    "'flat' wants one character that joins the levels "
			    "of a name (not '/', '%%' or ':'): layout flat .");
		y->layout = LAYOUT_FLAT;
		y->flat = l->args.v[1][0];
		return 0;
	}
	if (l->args.n == 1 && strcmp(l->args.v[0], "nested") == 0)
		y->layout = LAYOUT_NESTED;
	else if (l->args.n == 1 && strcmp(l->args.v[0], "maildir++") == 0)
		y->layout = LAYOUT_MAILDIR_PLUS;
	else
		return suggest_none_of(arg(l, 0), names, e);
	return 0;
}

/* "subscribed" alone is no pattern. */
static int
parse_folders(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;
	size_t i;

	(void)c;
	if (l->args.n == 0)
		return err_set(e, ERR_CONFIG,
		    "which folders?  For example: folders * !Spam");
	for (i = 0; i < l->args.n; i++) {
		if (strcmp(l->args.v[i], "subscribed") == 0)
			y->subscribed = true;
		else
			words_add(&y->folders, l->args.v[i]);
	}
	return 0;
}

static int
parse_rename(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;
	size_t i;

	(void)c;
	if (l->args.n != 2 || *l->args.v[0] == '\0' || *l->args.v[1] == '\0')
		return err_set(e, ERR_CONFIG,
		    "wants the name on the server and the name here: rename "
		    "\"[Gmail]/Sent Mail\" Sent");
	for (i = 0; i < y->n_renames; i++)
		if (strcmp(y->renames[i].local, l->args.v[1]) == 0 ||
		    strcmp(y->renames[i].remote, l->args.v[0]) == 0)
			return err_set(e, ERR_CONFIG,
			    "'%s' and '%s' would be the same folder",
			    y->renames[i].remote, l->args.v[0]);
	y->renames =
	    mem_resize(y->renames, y->n_renames + 1, sizeof(*y->renames));
	y->renames[y->n_renames++] = (struct sync_rename){
	    mem_strdup(l->args.v[0]), mem_strdup(l->args.v[1])};
	return 0;
}

/*
 * Words out of a list, as bits.  The list ends with a word for all of them and
 * one for none, which stand alone, and NULL.
 */
static int
parse_set(const struct conf_line *l, const char *const *names,
    unsigned int *bits_r, struct err *e)
{
	size_t i, k, n = 0;

	while (names[n + 2] != NULL)
		n++;
	*bits_r = 0;
	if (l->args.n == 0)
		return suggest_none_of("", names, e);
	for (i = 0; i < l->args.n; i++) {
		for (k = 0; names[k] != NULL; k++)
			if (strcmp(l->args.v[i], names[k]) == 0)
				break;
		if (names[k] == NULL)
			return suggest_none_of(l->args.v[i], names, e);
		if (k >= n && l->args.n > 1)
			return err_set(
			    e, ERR_CONFIG, "'%s' stands alone", names[k]);
		*bits_r |= k < n ? 1u << k : k == n ? (1u << n) - 1 : 0;
	}
	return 0;
}

static int
parse_way(struct plan_way *w, const struct conf_line *l, struct err *e)
{
	static const char *const names[] = {
	    "new", "flags", "gone", "all", "none", NULL};
	unsigned int bits;
	int rv = parse_set(l, names, &bits, e);

	w->new = (bits & 1) != 0;
	w->flags = (bits & 2) != 0;
	w->gone = (bits & 4) != 0;
	return rv;
}

static int
parse_pull(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	(void)c;
	return parse_way(&((struct sync *)target)->plan.to_local, l, e);
}

static int
parse_push(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	(void)c;
	return parse_way(&((struct sync *)target)->plan.to_remote, l, e);
}

static const char *const sides[] = {"local", "remote", "both", "none", NULL};

static int
parse_sides(const struct conf_line *l, bool *local, bool *remote, struct err *e)
{
	unsigned int bits;
	int rv = parse_set(l, sides, &bits, e);

	*local = (bits & 1) != 0;
	*remote = (bits & 2) != 0;
	return rv;
}

static int
parse_create(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;

	(void)c;
	return parse_sides(l, &y->create_local, &y->create_remote, e);
}

static int
parse_remove(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;

	(void)c;
	return parse_sides(l, &y->remove_local, &y->remove_remote, e);
}

static int
parse_expunge(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct plan_options *p = &((struct sync *)target)->plan;

	(void)c;
	return parse_sides(l, &p->to_local.expunge, &p->to_remote.expunge, e);
}

/* trash FOLDER [local] [remote]; both when neither is said. */
static int
parse_trash(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"local", "remote", NULL};
	struct sync *y = target;
	bool local = l->args.n == 1, remote = l->args.n == 1;
	size_t i;

	(void)c;
	if (l->args.n == 0)
		return err_set(e, ERR_CONFIG, "which folder?  trash Trash");
	for (i = 1; i < l->args.n; i++) {
		if (strcmp(l->args.v[i], "local") == 0)
			local = true;
		else if (strcmp(l->args.v[i], "remote") == 0)
			remote = true;
		else
			return suggest_none_of(l->args.v[i], names, e);
	}
	free(y->trash);
	y->trash = mem_strdup(l->args.v[0]);
	y->trash_on = local && remote ? TRASH_BOTH
	              : local         ? TRASH_LOCAL
	                              : TRASH_REMOTE;
	return 0;
}

static int
parse_brake(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;
	struct span s = span_of(arg(l, 0));
	uint64_t n;

	(void)c;
	if (s.n > 0 && s.p[s.n - 1] == '%')
		s.n--;
	if (l->args.n != 1 || !span_number(s, 100, &n))
		return err_set(e, ERR_CONFIG,
		    "'%s' is no percentage: brake 25%%", arg(l, 0));
	y->brake = (unsigned int)n;
	return 0;
}

/* --- what is kept here -------------------------------------------------------- */

static int
parse_max_size(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {"placeholder", "skip", NULL};
	struct plan_options *p = &((struct sync *)target)->plan;

	(void)c;
	if (l->args.n < 1 || l->args.n > 2 ||
	    !time_size(l->args.v[0], &p->max_size) || p->max_size == 0)
		return err_set(e, ERR_CONFIG,
		    "wants a size and then perhaps 'placeholder' or 'skip': "
		    "max-size 5M");
	p->placeholders = true;
	if (l->args.n == 2 && strcmp(l->args.v[1], "skip") == 0)
		p->placeholders = false;
	else if (l->args.n == 2 && strcmp(l->args.v[1], "placeholder") != 0)
		return suggest_none_of(l->args.v[1], names, e);
	return 0;
}

/* A second word, `keep-unread`. */
static int
parse_keep(struct sync *y, const struct conf_line *l, struct err *e)
{
	static const char *const names[] = {"keep-unread", NULL};

	if (l->args.n == 2 && strcmp(l->args.v[1], "keep-unread") != 0)
		return suggest_none_of(l->args.v[1], names, e);
	y->plan.keep_unread = y->plan.keep_unread || l->args.n == 2;
	return 0;
}

static int
parse_max_age(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct sync *y = target;
	int64_t ms;

	(void)c;
	if (l->args.n < 1 || l->args.n > 2 ||
	    !time_duration(l->args.v[0], &ms) || ms < DAY * 1000)
		return err_set(e, ERR_CONFIG,
		    "wants a number of days and then perhaps 'keep-unread': "
		    "max-age 90d");
	y->max_age = ms / 1000;
	return parse_keep(y, l, e);
}

static int
parse_max_messages(void *target, const struct conf *c,
    const struct conf_line *l, struct err *e)
{
	struct sync *y = target;

	(void)c;
	if (l->args.n < 1 || l->args.n > 2 ||
	    !span_number(span_of(l->args.v[0]), UINT32_MAX, &y->max_messages) ||
	    y->max_messages == 0)
		return err_set(e, ERR_CONFIG,
		    "wants a number and then perhaps 'keep-unread': "
		    "max-messages 1000");
	return parse_keep(y, l, e);
}

static void
put_way(struct buf *b, const char *name, const struct plan_way *w)
{
	if (w->new && w->flags && w->gone && w->expunge)
		return;
	buf_printf(b, " %s%s%s%s%s", name, w->new ? "" : " new",
	    w->flags ? "" : " flags", w->gone ? "" : " gone",
	    w->expunge ? "" : " expunge");
}

/* All that keeps something from being here or there. */
static void
set_terms(struct sync *y)
{
	const struct plan_options *p = &y->plan;
	struct buf b;

	y->limited = p->max_size > 0 || p->headers_only || y->max_age > 0 ||
	             y->max_messages > 0;
	buf_init(&b, 300);
	put_way(&b, "pull no", &p->to_local);
	put_way(&b, "push no", &p->to_remote);
	if (p->max_size > 0)
		buf_printf(&b, " size %ju%s", (uintmax_t)p->max_size,
		    p->placeholders ? "" : " skip");
	if (p->headers_only)
		buf_puts(&b, " headers");
	if (y->max_age > 0)
		buf_printf(&b, " age %jd", (intmax_t)y->max_age);
	if (y->max_messages > 0)
		buf_printf(&b, " messages %ju", (uintmax_t)y->max_messages);
	if (p->keep_unread)
		buf_puts(&b, " unread");
	if (b.len > 0)
		y->terms = mem_strdup(buf_cstr(&b) + 1);
	buf_clear(&b);
}

#define KEY(word, kind, member) CONF_KEY(word, kind, struct sync, member)
const struct conf_key sync_keys[] = {
    KEY("maildir", PATH, maildir),
    CONF_PARSED("layout", parse_layout),
    CONF_PARSED("folders", parse_folders),
    {.name = "rename",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_rename},
    CONF_PARSED("pull", parse_pull),
    CONF_PARSED("push", parse_push),
    CONF_PARSED("create", parse_create),
    CONF_PARSED("remove", parse_remove),
    CONF_PARSED("expunge", parse_expunge),
    CONF_PARSED("trash", parse_trash),
    KEY("keywords", BOOL, keywords),
    CONF_PARSED("brake", parse_brake),
    KEY("poll", DURATION, poll),
    KEY("idle", DURATION, idle),
    CONF_PARSED("max-size", parse_max_size),
    KEY("headers-only", BOOL, plan.headers_only),
    CONF_PARSED("max-age", parse_max_age),
    CONF_PARSED("max-messages", parse_max_messages),
    {.name = NULL},
};

void
sync_init(struct sync *y)
{
	static const struct plan_way all = {true, true, true, true};

	*y = (struct sync){.layout = LAYOUT_NESTED,
	    .create_local = true,
	    .create_remote = true,
	    .brake = BRAKE_DEFAULT,
	    .idle = IDLE_DEFAULT,
	    .plan = {.to_local = all, .to_remote = all}};
	account_init(&y->account);
	words_init(&y->folders);
}

void
sync_clear(struct sync *y)
{
	size_t i;

	account_clear(&y->account);
	free(y->name);
	free(y->maildir);
	words_clear(&y->folders);
	for (i = 0; i < y->n_renames; i++) {
		free(y->renames[i].remote);
		free(y->renames[i].local);
	}
	free(y->renames);
	free(y->trash);
	free(y->terms);
	free(y->state);
}

/* --- what must go together ------------------------------------------------------ */

static void
check_sync(struct conf *c, const struct conf_section *s, struct sync *y)
{
	const struct account *a = &y->account;

	account_check(&y->account, URL_IMAP, c, s);
	if (a->imap.host == NULL && a->tunnel == NULL && !a->discover)
		conf_complain(c, s,
		    "no server: add 'imap imaps://HOST', 'tunnel COMMAND' or "
		    "'discover'");
	if (y->maildir == NULL)
		conf_complain(c, s, "no Maildir: add 'maildir ~/Mail/work'");
	if ((y->poll != 0 && y->poll < 1000) || y->idle < 1000)
		conf_complain(
		    c, s, "'poll' and 'idle' must be a second or more");
	if (a->user == NULL)
		conf_complain(
		    c, s, "no user: add 'user NAME' or 'address ADDRESS'");
	if (y->folders.n == 0)
		words_add(&y->folders, "*");
	set_terms(y);
}

static void
set_state(struct conf *c, struct sync *y, const char *name)
{
	struct err e;

	if (store_path("syncd", name, &y->state, &e) == -1)
		conf_error(c, NULL, "%s", e.text);
}

/* --- sections and URLs ------------------------------------------------------------ */

static struct sync *
add_section(
    struct conf *c, struct conf_section *s, struct sync **list, size_t *n)
{
	struct sync *y;

	*list = mem_resize(*list, *n + 1, sizeof(**list));
	y = &(*list)[(*n)++];
	sync_init(y);
	y->name = mem_strdup(s->name);
	{
		const struct conf_table own = {
		    .keys = sync_keys, .target = y, .kind = CONF_SYNC};

		account_apply(&y->account, c, s, &own);
	}
	check_sync(c, s, y);
	set_state(c, y, s->name);
	return y;
}

static bool
is_listed(const struct sync *list, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

/* "work", or "work/Lists/x": one folder of it. */
static void
add_named(struct conf *c, const char *word, struct options *o,
    struct sync **list, size_t *n)
{
	struct span rest = span_of(word), name;
	struct conf_section *s;
	char *account;

	/* An account may have a slash in its name. */
	if (conf_find(c, CONF_SYNC, word) != NULL ||
	    !span_cut(&rest, '/', &name) || name.n == strlen(word))
		account = mem_strdup(word);
	else {
		account = span_dup(name);
		words_add(&o->only, word);
	}
	if (!is_listed(*list, *n, account) &&
	    (s = conf_need(c, CONF_SYNC, account)) != NULL)
		(void)add_section(c, s, list, n);
	free(account);
}

/* The state belongs to the pair (URL, Maildir). */
static void
set_url_state(struct conf *c, struct sync *y, const char *url)
{
	struct buf both;
	char *name;

	buf_init(&both, 1 << 16);
	buf_printf(&both, "%s\n%s", url, y->maildir != NULL ? y->maildir : "");
	name = store_name(buf_span(&both));
	set_state(c, y, name);
	free(name);
	buf_clear(&both);
}

static void
from_url(struct conf *c, const char *const *args, size_t n_args,
    struct options *o, struct sync *y)
{
	enum url_proto proto;
	const struct url *url;
	struct err e;

	if (account_from_url(&y->account, args[0], &proto, &e) == -1) {
		conf_error(c, NULL, "%s", e.text);
		return;
	}
	url = account_url(&y->account, proto);
	y->name = mem_strdup(url->host);
	if (proto != URL_IMAP)
		conf_error(
		    c, NULL, "%s://: syncd speaks IMAP", url_scheme(url));
	else if (url->path != NULL) {
		char *only = mem_printf("%s/%s", y->name, url->path);

		words_add(&o->only, only);
		free(only);
	}
	if (n_args == 2)
		y->maildir = conf_path(c, args[1]);
	else
		conf_error(c, NULL,
		    n_args < 2 ? "where to?  syncd "
				 "imaps://you@imap.example.org ~/Mail"
			       : "'%s': only one Maildir goes with a URL",
		    args[n_args - 1]);
}

static void
url_sync(struct conf *c, const char *const *args, size_t n_args,
    struct options *o, struct sync **list, size_t *n)
{
	struct sync *y = *list = mem_alloc(sizeof(*y));
	const struct conf_table own = {
	    .keys = sync_keys, .target = y, .kind = CONF_SYNC};
	struct conf_section *s;

	*n = 1;
	sync_init(y);
	from_url(c, args, n_args, o, y);
	if (c->errors.n > 0)
		return;
	s = conf_section(c, CONF_SYNC, y->name);
	account_apply(&y->account, c, s, &own);
	check_sync(c, s, y);
	set_url_state(c, y, args[0]);
}

void
options_syncs(struct conf *c, const char *const *args, size_t n_args,
    struct options *o, struct sync **list_r, size_t *n_r)
{
	size_t i;

	*list_r = NULL;
	*n_r = 0;
	if (n_args > 0 && url_looks_like(args[0])) {
		url_sync(c, args, n_args, o, list_r, n_r);
		return;
	}
	for (i = 0; i < n_args; i++)
		add_named(c, args[i], o, list_r, n_r);
	for (i = 0; n_args == 0 && i < c->n; i++)
		if (c->sections[i].kind == CONF_SYNC)
			(void)add_section(c, &c->sections[i], list_r, n_r);
	if (*n_r == 0 && c->errors.n == 0)
		conf_error(c, NULL,
		    "nothing to sync: the configuration has no 'sync' section "
		    "(or give a URL: syncd imaps://you@imap.example.org "
		    "~/Mail)");
}
