/*
 * The `send` sections: what must go together in one, what other tools'
 * sections add to it, and which is for which mail.
 */

#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/mem.h"
#include "base/span.h"
/* --- what must go together -------------------------------------------- */

/* The only address in it, in normal form and with a domain; NULL, and what is
 * wrong in err. */
static char *
address_in(const char *text, struct err *e)
{
	struct address_walk room;
	struct address a;

	if (address_one(span_of(text), &room, &a, e) == -1)
		return NULL;
	if (a.local || a.text.n == 0) {
		err_set(e, ERR_CONFIG, "'%s' has no domain", text);
		return NULL;
	}
	return address_check(a.text, e) == 0 ? span_dup(a.text) : NULL;
}

/* What is wrong with an `address` is told by account_check(). */
static void
set_address(struct conf *c, const struct conf_section *s, struct send *send)
{
	const struct account *a = &send->account;
	struct err e = {0};
	char *from;

	if (a->address != NULL)
		send->address = address_in(a->address, &e);
	else if (a->user != NULL && span_find(span_of(a->user), '@') != -1)
		send->address = address_in(a->user, &e);
	if (send->from_header == NULL)
		return;
	from = address_in(send->from_header, &e);
	if (from == NULL)
		conf_complain(c, s, "from-header: %s", e.text);
	free(from);
}

/* A name that stands behind an '@', or greets. */
static bool
is_host(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.[]:");

	return n > 0 && name[n] == '\0';
}

static void
check_names(struct conf *c, const struct conf_section *s, struct send *send)
{
	if (send->hello != NULL && !is_host(send->hello))
		conf_complain(
		    c, s, "hello: '%s' is no name of a host", send->hello);
	if (send->message_id_domain != NULL &&
	    !is_host(send->message_id_domain))
		conf_complain(c, s, "message-id-domain: '%s' is no domain",
		    send->message_id_domain);
}

static void
check_send(struct conf *c, const struct conf_section *s, struct send *send)
{
	const struct account *a = &send->account;

	account_check(&send->account, URL_SMTP, c, s);
	if (a->smtp.host == NULL && a->tunnel == NULL && !a->discover)
		conf_complain(c, s,
		    "no server to hand mail to: add 'smtp submissions://HOST' "
		    "to its account");
	if (send->expire < 1000)
		conf_complain(c, s, "'expire' must be a second or more");
	if (send->future_release && send->undo > 0)
		conf_complain(c, s,
		    "'undo' cannot go with 'future-release': what the server "
		    "keeps cannot be taken back");
	check_names(c, s, send);
	set_address(c, s, send);
}

/* --- where reports go ------------------------------------------------- */

static const struct conf_line *
last_line(const struct conf_section *s, const char *keyword)
{
	const struct conf_line *found = NULL;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->lines[i].keyword, keyword) == 0)
			found = &s->lines[i];
	return found;
}

/* The INBOX of a `sync` section; NULL: that cannot be told. */
static char *
sync_inbox(struct conf *c, const struct conf_section *s)
{
	const struct conf_line *root = last_line(s, "maildir");
	const struct conf_line *layout = last_line(s, "layout");
	char *path, *inbox;

	if (root == NULL || root->args.n != 1)
		return NULL;
	path = conf_path(c, root->args.v[0]);
	if (layout != NULL && layout->args.n > 0 &&
	    strcmp(layout->args.v[0], "maildir++") == 0)
		return path;
	inbox = mem_printf("%s/INBOX", path);
	free(path);
	return inbox;
}

/* Where a `fetch` section delivers; NULL: not into a Maildir. */
static char *
fetch_inbox(struct conf *c, const struct conf_section *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct conf_line *l = &s->lines[i];

		if (strcmp(l->keyword, "deliver") == 0 && l->args.n == 2 &&
		    strcmp(l->args.v[0], "maildir") == 0)
			return conf_path(c, l->args.v[1]);
	}
	return NULL;
}

/*
 * Where the user of this account reads mail, by what the other tools' sections
 * say; they are looked at no closer than that.
 */
static char *
inbox_of(struct conf *c, struct conf_section *send, enum conf_kind kind)
{
	const struct conf_section *account = conf_account(c, send);
	char *path = NULL;
	size_t i;

	for (i = 0; i < c->n && path == NULL; i++) {
		struct conf_section *s = &c->sections[i];

		if (s->kind != kind)
			continue;
		if (account != NULL ? conf_account(c, s) != account
				    : strcmp(s->name, send->name) != 0)
			continue;
		path = kind == CONF_SYNC ? sync_inbox(c, s) : fetch_inbox(c, s);
	}
	return path;
}

/* --- sections --------------------------------------------------------- */

static struct send *
add_send(struct send **list, size_t *n, const char *name)
{
	struct send *send;

	*list = mem_resize(*list, *n + 1, sizeof(**list));
	send = &(*list)[(*n)++];
	send_init(send);
	send->name = mem_strdup(name);
	return send;
}

static void
read_section(struct conf *c, struct conf_section *s, struct send *send)
{
	const struct conf_table own = {
	    .keys = send_keys, .target = send, .kind = CONF_SEND};

	account_apply(&send->account, c, s, &own);
	if (send->failed_to == NULL && s->file != NULL)
		send->failed_to = inbox_of(c, s, CONF_SYNC);
	if (send->failed_to == NULL && s->file != NULL)
		send->failed_to = inbox_of(c, s, CONF_FETCH);
	check_send(c, s, send);
}

/* The URL that --set gives; NULL. */
static const char *
given_url(const struct conf *c)
{
	const char *url = NULL;
	size_t i;

	for (i = 0; i < c->n_overrides; i++)
		if (strcmp(c->overrides[i].keyword, "smtp") == 0 &&
		    c->overrides[i].args.n == 1)
			url = c->overrides[i].args.v[0];
	return url;
}

static void
url_section(struct conf *c, const char *text, struct send **list, size_t *n)
{
	struct err e = {0};
	struct send *send;
	struct url url;

	if (url_parse(text, &url, &e) == -1) {
		conf_error(c, NULL, "smtp: %s", e.text);
		return;
	}
	send = add_send(list, n, url.host);
	send->server = url_show(&url);
	read_section(c, conf_section(c, CONF_SEND, url.host), send);
	url_clear(&url);
}

static void
check_defaults(struct conf *c, const struct send *list, size_t n)
{
	const struct send *first = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		if (list[i].is_default && first != NULL)
			conf_complain(c, conf_find(c, CONF_SEND, list[i].name),
			    "'send %s' is the default already", first->name);
		if (list[i].is_default && first == NULL)
			first = &list[i];
	}
}

void
options_sends(struct conf *c, struct send **list_r, size_t *n_r)
{
	const char *url = given_url(c);
	size_t i;

	*list_r = NULL;
	*n_r = 0;
	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == CONF_SEND)
			read_section(c, &c->sections[i],
			    add_send(list_r, n_r, c->sections[i].name));
	check_defaults(c, *list_r, *n_r);
	if (*n_r > 0 || c->errors.n > 0)
		return;
	if (url != NULL)
		url_section(c, url, list_r, n_r);
	else
		conf_error(c, NULL,
		    "nobody to send as: the configuration has no 'send' "
		    "section (or give a server: sendq --set "
		    "smtp=submissions://you@smtp.example.org ...)");
}

/* --- which section ---------------------------------------------------- */

bool
options_match(const struct send *send, const char *address)
{
	struct span a = span_of(address);
	size_t i;

	if (a.n == 0)
		return false;
	if (send->address != NULL &&
	    address_compare(span_of(send->address), a) == 0)
		return true;
	for (i = 0; i < send->match.n; i++)
		if (address_match(send->match.v[i], a))
			return true;
	return false;
}

static int
no_section(
    const struct send *list, size_t n, const char *address, struct err *e)
{
	struct buf names;
	size_t i;

	buf_init(&names, sizeof(e->text));
	for (i = 0; i < n; i++)
		buf_printf(&names, "%s'%s'", i > 0 ? ", " : "", list[i].name);
	err_set(e, ERR_CONFIG,
	    "mail from %s is for none of the 'send' sections %s: give one of "
	    "them 'match ADDRESS' or 'default'",
	    address != NULL && *address != '\0' ? address : "nobody",
	    buf_cstr(&names));
	buf_clear(&names);
	return -1;
}

const struct send *
options_choose(const struct send *list, size_t n, const char *sender,
    const char *from, struct err *e)
{
	const char *const asked[] = {sender, from};
	size_t i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < n; i++)
			if (options_match(&list[i], asked[k]))
				return &list[i];
	for (i = 0; i < n; i++)
		if (list[i].is_default)
			return &list[i];
	if (n == 1)
		return list;
	no_section(
	    list, n, sender != NULL && *sender != '\0' ? sender : from, e);
	return NULL;
}
