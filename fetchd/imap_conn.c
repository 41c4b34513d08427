/*
 * A connection to an IMAP server from the socket to the authenticated state,
 * and the list of its folders.
 */

#include "imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/mem.h"

#define FOLDERS_MAX 100000u

int
imap_conn_event(
    struct imap_conn *c, int64_t deadline, struct imap_ev *ev, struct err *e)
{
	int rv = imap_client_event(&c->client, deadline, ev, e);

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

int
imap_conn_open(
    struct imap_conn *c, struct run *r, struct link *l, struct err *e)
{
	*c = (struct imap_conn){.run = r};
	return imap_client_open(&c->client, l, e);
}

void
imap_conn_close(struct imap_conn *c)
{
	imap_client_close(&c->client);
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

	imap_command(&c->client.imap, IMAP_V_LIST, 1, "LIST \"\" \"*\"");
	for (;;) {
		rv = imap_conn_event(c, 0, &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0 && c->client.stopping)
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
			    c->client.link->peer, FOLDERS_MAX);
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
		    c->client.link->peer);
	return 0;
}
