/*
 * Being told of changes by the server.  What it tells is only taken as a sign
 * that there are some: the survey shows which.
 */

#include "remote_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/stay.h"
#include "os/clock.h"

#define LOST_MOST 2 /* times that a server may give NOTIFY up */

enum { C_NOTIFY, C_LEAVE, C_SELECT, C_IDLE, C_NOOP };

/* --- signs ------------------------------------------------------------------- */

/* Whether the command at hand may be why the server says that. */
static bool
is_answer(enum imap_verb verb, enum imap_ev_kind kind)
{
	switch (verb) {
	case IMAP_V_LIST:
		return kind == IMAP_EV_LIST || kind == IMAP_EV_FOLDER;
	case IMAP_V_STATUS:
		return kind == IMAP_EV_FOLDER;
	case IMAP_V_SELECT:
	case IMAP_V_EXAMINE:
	case IMAP_V_SEARCH:
	case IMAP_V_FETCH:
	case IMAP_V_STORE:
	case IMAP_V_COPY:
	case IMAP_V_MOVE:
	case IMAP_V_EXPUNGE:
	case IMAP_V_APPEND:
		return kind != IMAP_EV_LIST && kind != IMAP_EV_FOLDER;
	case IMAP_V_CAPABILITY:
	case IMAP_V_STARTTLS:
	case IMAP_V_LOGIN:
	case IMAP_V_AUTHENTICATE:
	case IMAP_V_ID:
	case IMAP_V_ENABLE:
	case IMAP_V_COMPRESS:
	case IMAP_V_NAMESPACE:
	case IMAP_V_UNSELECT:
	case IMAP_V_CREATE:
	case IMAP_V_DELETE:
	case IMAP_V_RENAME:
	case IMAP_V_SUBSCRIBE:
	case IMAP_V_IDLE:
	case IMAP_V_NOTIFY:
	case IMAP_V_NOOP:
	case IMAP_V_LOGOUT:
		break;
	}
	return false;
}

/* Some servers say how many messages there are again and again. */
static bool
is_sign(struct remote *r, const struct imap_ev *ev)
{
	uint32_t had = r->watch.exists;

	if (ev->kind == IMAP_EV_EXISTS) {
		r->watch.exists = ev->number;
		return ev->number != had;
	}
	return ev->kind == IMAP_EV_LIST || ev->kind == IMAP_EV_FOLDER ||
	       ev->kind == IMAP_EV_EXPUNGE || ev->kind == IMAP_EV_VANISHED ||
	       ev->kind == IMAP_EV_FETCH;
}

void
remote_hear(struct remote *r, const struct imap_ev *ev)
{
	enum imap_verb verb;
	uint32_t cookie;

	if (ev->kind == IMAP_EV_STATUS &&
	    ev->code == IMAP_CODE_NOTIFICATIONOVERFLOW) {
		r->watch.notify = r->watch.rests = false;
		r->watch.lost++;
		r->news = true;
	} else if (ev->kind == IMAP_EV_DONE && ev->verb == IMAP_V_IDLE &&
		   r->watch.idle.on)
		imap_idle_ended(&r->watch.idle, ev);
	else if (!imap_oldest(&r->client.imap, &verb, &cookie) ||
		 !is_answer(verb, ev->kind))
		r->news = is_sign(r, ev) || r->news;
}

enum remote_tells
remote_tells(const struct remote *r)
{
	if (r->watch.notify)
		return REMOTE_TELLS_ALL;
	return imap_idle_can(&r->watch.idle, &r->client) ? REMOTE_TELLS_ONE
	                                                 : REMOTE_TELLS_NOTHING;
}

/* --- one question ------------------------------------------------------------ */

struct question {
	const char *folder; /* to be selected; NULL: `command` */
	enum imap_verb verb;
	uint32_t cookie;
	const char *command; /* NULL: it was asked already */
	bool put, ok;
	uint32_t exists, uidnext;
	uint64_t modseq;
};

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct question *q = arg;

	(void)e;
	if (q->put)
		return 0;
	q->put = true;
	if (q->folder != NULL)
		remote_select(r, q->folder, q->cookie, "");
	else if (q->command != NULL)
		imap_command(
		    &r->client.imap, q->verb, q->cookie, "%s", q->command);
	return 1;
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct question *q = arg;

	(void)r;
	(void)e;
	if (ev->kind == IMAP_EV_DONE && ev->cookie == q->cookie)
		q->ok = ev->cond == IMAP_OK;
	if (ev->kind == IMAP_EV_EXISTS)
		q->exists = ev->number;
	if (ev->kind == IMAP_EV_STATUS && ev->code == IMAP_CODE_UIDNEXT)
		q->uidnext = (uint32_t)ev->code_number;
	if (ev->kind == IMAP_EV_STATUS && ev->code == IMAP_CODE_HIGHESTMODSEQ)
		q->modseq = ev->code_number;
	return 0;
}

static int
ask(struct remote *r, struct question *q, struct err *e)
{
	struct remote_flight f = {.arg = q, .put = put, .take = take};

	return remote_fly(r, &f, e);
}

/* --- the place to wait ------------------------------------------------------- */

int
remote_listen(struct remote *r, struct err *e)
{
	/* Not every server knows all events. */
	static const char *const commands[] = {
	    "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) "
	    "(PERSONAL (MessageNew MessageExpunge FlagChange MailboxName "
	    "SubscriptionChange))",
	    "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) "
	    "(PERSONAL (MessageNew MessageExpunge FlagChange))"};
	size_t i;

	if (!imap_has(&r->client.imap, IMAP_CAP_NOTIFY) ||
	    !imap_has(&r->client.imap, IMAP_CAP_UNSELECT) ||
	    r->watch.lost >= LOST_MOST)
		return 0;
	for (i = 0; i < 2 && !r->watch.notify; i++) {
		struct question q = {.verb = IMAP_V_NOTIFY,
		    .cookie = C_NOTIFY,
		    .command = commands[i]};

		if (ask(r, &q, e) == -1)
			return -1;
		r->watch.notify = q.ok;
	}
	if (!r->watch.notify)
		r->watch.lost = LOST_MOST;
	return 0;
}

/*
 * Of a folder that was selected, Dovecot does not tell what came just before
 * it was left.
 */
static int
leave(struct remote *r, bool *look_r, struct err *e)
{
	struct question q = {
	    .verb = IMAP_V_UNSELECT, .cookie = C_LEAVE, .command = "UNSELECT"};

	*look_r = r->selected != NULL;
	if (r->selected == NULL)
		return 0;
	free(r->selected);
	r->selected = NULL;
	r->validity = 0;
	return ask(r, &q, e);
}

/* What happened before it was selected shows by its numbers, if they are not
 * those that it had the last time. */
static int
select_again(struct remote *r, const char *folder, bool *look_r, struct err *e)
{
	struct question q = {.folder = folder, .cookie = C_SELECT};

	if (ask(r, &q, e) == -1)
		return -1;
	*look_r = q.ok && (q.exists != r->watch.exists ||
			      q.uidnext != r->watch.uidnext ||
			      q.modseq != r->watch.modseq);
	r->watch.exists = q.exists;
	r->watch.uidnext = q.uidnext;
	r->watch.modseq = q.modseq;
	/* It is not there: a look now and then must do. */
	r->watch.idle.refused = r->watch.idle.refused || !q.ok;
	return 0;
}

int
remote_rest(struct remote *r, const char *folder, bool *look_r, struct err *e)
{
	bool again = !r->watch.notify && r->watch.lost > 0;
	int rv = 0;

	*look_r = false;
	if (r->watch.rests)
		return 0;
	if (again && remote_listen(r, e) == -1)
		return -1;
	switch (remote_tells(r)) {
	case REMOTE_TELLS_ALL:
		rv = leave(r, look_r, e);
		break;
	case REMOTE_TELLS_ONE:
		rv = select_again(r, folder, look_r, e);
		break;
	case REMOTE_TELLS_NOTHING:
		break;
	}
	/* It told of nothing until it was asked again. */
	*look_r = *look_r || (again && r->watch.notify);
	r->watch.rests = true;
	return rv;
}

/* --- waiting ----------------------------------------------------------------- */

/* A dead link shows here. */
static int
ask_soon(struct remote *r, struct question *q, struct err *e)
{
	int64_t timeout = link_hurry(r->client.link);
	int rv = ask(r, q, e);

	link_ease(r->client.link, timeout);
	return rv;
}

int
remote_rouse(struct remote *r, struct err *e)
{
	struct question q = {.verb = IMAP_V_NOOP, .cookie = C_NOOP};

	if (r->watch.idle.on) {
		imap_idle_end(&r->watch.idle, &r->client);
		q.cookie = C_IDLE;
	} else if (r->watch.slept)
		q.command = "NOOP";
	else
		return 0;
	r->watch.slept = false;
	return ask_soon(r, &q, e);
}

/* Begins to idle, or does so anew before servers and NAT routers forget the
 * connection; where there is no IDLE, it is a NOOP that they see. */
static int
renew(struct remote *r, int64_t silence, struct err *e)
{
	struct imap_idle *i = &r->watch.idle;

	if (i->since == 0)
		i->since = clock_ms();
	if (clock_ms() - i->since >= silence) {
		r->watch.slept = true;
		if (remote_rouse(r, e) == -1)
			return -1;
		i->since = clock_ms();
	}
	if (i->on || remote_tells(r) != REMOTE_TELLS_ONE)
		return 0;
	return imap_idle_begin(i, &r->client, C_IDLE, e);
}

int
remote_wait(struct remote *r, int64_t until, int64_t silence, int wake_fd,
    struct err *e)
{
	struct pump *p = &r->client.link->pump;
	struct imap_ev ev;
	int64_t end;
	int rv;

	if (renew(r, silence, e) == -1)
		return -1;
	end = r->watch.idle.since + silence;
	end = stay_until(end < until ? end : until);
	while (!r->news) {
		p->wake_fd = wake_fd;
		rv = imap_client_event(&r->client, end, &ev, e);
		p->wake_fd = -1;
		if (rv == -1)
			return -1;
		if (rv == 0)
			break;
		remote_hear(r, &ev);
		/* Ended by the server: it is begun anew, or a look is due. */
		if (ev.kind == IMAP_EV_DONE)
			break;
	}
	if (stay_slept(end))
		r->watch.slept = r->news = true;
	return 0;
}
