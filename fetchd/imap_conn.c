/*
 * A connection to an IMAP server from the socket to the authenticated state,
 * and the list of its folders.
 */

#include "imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "os/log.h"
#include "os/net.h"

#define FOLDERS_MAX 100000u

int
imap_conn_event(
    struct imap_conn *c, int64_t deadline, struct imap_ev *ev, struct err *e)
{
	enum pump_result moved;
	int rv;

	while ((rv = imap_next(&c->imap, ev, e)) == 0) {
		if (link_wait(c->link, deadline, &moved, e) == -1)
			return -1;
		if (moved == PUMP_IDLE || moved == PUMP_WAKE)
			return 0;
		if (moved == PUMP_STOP) {
			c->stopping = true;
			c->link->pump.stop_fd = -1;
			return 0;
		}
	}
	if (rv == 1 && ev->kind == IMAP_EV_EXISTS) {
		if (ev->number > c->exists)
			c->changed = true;
		c->exists = ev->number;
	} else if (rv == 1 && ev->kind == IMAP_EV_EXPUNGE && c->exists > 0)
		c->exists--;
	else if (rv == 1 && ev->kind == IMAP_EV_FOLDER)
		c->news = true;
	return rv;
}

int
imap_conn_finish(
    struct imap_conn *c, uint32_t cookie, const char *what, struct err *e)
{
	struct imap_ev ev;
	int rv;

	for (;;) {
		rv = imap_conn_event(c, 0, &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0 || ev.kind != IMAP_EV_DONE || ev.cookie != cookie)
			continue;
		return ev.cond == IMAP_OK ? 0 : imap_refused(&ev, what, e);
	}
}

static int
step_logon(struct imap_conn *c, struct err *e)
{
	enum imap_session_ev what;
	enum pump_result moved;

	for (;;) {
		if (imap_session_step(&c->logon, &what, e) == -1)
			return -1;
		switch (what) {
		case IMAP_SESSION_WAIT:
			if (link_wait(c->link, 0, &moved, e) == -1)
				return -1;
			if (moved == PUMP_STOP)
				return err_set(e, ERR_TEMP, "stopped");
			break;
		case IMAP_SESSION_STARTTLS:
			if (link_tls(c->link, e) == -1)
				return -1;
			imap_session_tls(&c->logon);
			break;
		case IMAP_SESSION_SECRET:
			if (link_secret(c->link, c->logon.mech, e) == -1)
				return -1;
			break;
		case IMAP_SESSION_COMPRESS:
			if (pump_deflate(&c->link->pump, e) == -1)
				return -1;
			break;
		case IMAP_SESSION_READY:
			c->logged_in = true;
			c->link->pump.secret = false;
			c->link->token_renewed = false;
			return 0;
		}
	}
}

static bool
wants_compress(const struct link *l)
{
	enum { AUTO, YES, NO };

	if (l->account->compress == AUTO)
		return l->account->tunnel == NULL &&
		       !net_is_loopback(l->pump.fd);
	return l->account->compress == YES;
}

static int
try_logon(struct imap_conn *c, struct err *e)
{
	enum pump_result moved;
	struct err ignored;
	int rv;

	if (link_connect(c->link, e) == -1)
		return -1;
	imap_session_clear(&c->logon);
	imap_clear(&c->imap);
	imap_init(&c->imap, &c->link->wire);
	imap_session_init(&c->logon, &c->imap, &c->link->login);
	c->logon.preauth_ok = c->link->account->tunnel != NULL;
	c->logon.starttls = c->link->url->tls == URL_TLS_STARTTLS &&
	                    c->link->account->tunnel == NULL;
	c->logon.compress = wants_compress(c->link);
	rv = step_logon(c, e);
	/* A login that is given up is cancelled (RFC 9051 section 6.2.2). */
	if (rv == -1)
		(void)pump_poll(&c->link->pump, &moved, &ignored);
	return rv;
}

int
imap_conn_open(
    struct imap_conn *c, struct run *r, struct link *l, struct err *e)
{
	int rv;

	*c = (struct imap_conn){.run = r, .link = l};
	rv = try_logon(c, e);
	if (rv == -1 && e->kind == ERR_AUTH && link_renew(l, c->logon.mech))
		rv = try_logon(c, e);
	if (rv == 0)
		log_info("logged in to %s as %s (%s)", l->peer, l->login.user,
		    sasl_name(c->logon.mech));
	return rv;
}

void
imap_conn_close(struct imap_conn *c)
{
	enum pump_result moved;
	struct err ignored;

	if (c->link == NULL)
		return;
	if (c->link->open && c->logged_in && !c->imap.bye) {
		imap_command(&c->imap, IMAP_V_LOGOUT, 0, "LOGOUT");
		(void)pump_poll(&c->link->pump, &moved, &ignored);
	}
	imap_session_clear(&c->logon);
	imap_clear(&c->imap);
	link_close(c->link);
	c->name = NULL;
}

/* Takes the LIST responses that the patterns want. */
static int
take_list(struct imap_conn *c, struct words *names, struct err *e)
{
	const struct words *patterns = &c->run->fetch->folders;
	struct imap_ev ev;
	char *name;
	int rv;

	imap_command(&c->imap, IMAP_V_LIST, 1, "LIST \"\" \"*\"");
	for (;;) {
		rv = imap_conn_event(c, 0, &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0 && c->stopping)
			return err_set(e, ERR_TEMP, "stopped");
		if (rv == 1 && ev.kind == IMAP_EV_DONE)
			return ev.cond == IMAP_OK
			           ? 0
			           : imap_refused(&ev, "LIST", e);
		if (rv == 0 || ev.kind != IMAP_EV_LIST ||
		    (ev.folder.attrs &
			(IMAP_ATTR_NOSELECT | IMAP_ATTR_NONEXISTENT)) != 0)
			continue;
		if (names->n >= FOLDERS_MAX)
			return err_set(e, ERR_PROTO, "%s: over %u folders",
			    c->link->peer, FOLDERS_MAX);
		c->sep = ev.folder.sep;
		name = span_dup(ev.folder.name);
		if (glob_list(patterns, name, ev.folder.sep))
			words_add(names, name);
		free(name);
	}
}

int
imap_conn_folders(struct imap_conn *c, struct words *names, struct err *e)
{
	const struct words *patterns = &c->run->fetch->folders;
	bool plain = true;
	size_t i;

	for (i = 0; i < patterns->n; i++)
		plain = plain && patterns->v[i][0] != '!' &&
		        glob_literal(patterns->v[i]);
	if (plain) {
		words_copy(names, patterns);
		return 0;
	}
	if (take_list(c, names, e) == -1)
		return -1;
	if (names->n == 0)
		return err_set(e, ERR_CONFIG,
		    "no folder on %s matches `from "
		    "imap ...'",
		    c->link->peer);
	return 0;
}
