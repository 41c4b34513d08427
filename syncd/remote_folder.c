/*
 * Folders on the server: made, renamed, removed.
 */

#include "remote_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Commands' cookies: the folder's number times KINDS, and this. */
enum { K_DO, K_SUBSCRIBE, K_LOOK, K_LEAVE, KINDS };

/* What is done with each folder. */
struct work {
	const char *const *folders; /* borrowed */
	size_t n, next;
	const char *to; /* borrowed: rename; NULL */
	bool remove;
	bool looked, filled; /* remove: whether there are messages in it */
	bool may;            /* ... and there are none */
	struct err **errors; /* borrowed */
};

static void
put_name(struct remote *r, enum imap_verb verb, uint32_t cookie,
    const char *word, const char *folder, const char *to)
{
	struct imap *im = &r->client.imap;

	imap_begin(im, verb, cookie);
	imap_put(im, "%s ", word);
	remote_put_folder(r, folder);
	if (to != NULL) {
		imap_put(im, " ");
		remote_put_folder(r, to);
	}
	imap_end(im);
}

/* A folder that is renamed or removed had better not be selected: Dovecot hangs
 * up then.  CLOSE would expunge. */
static void
put_leave(struct remote *r, const char *folder, uint32_t cookie)
{
	if (!remote_is_selected(r, folder, 0))
		return;
	if (imap_has(&r->client.imap, IMAP_CAP_UNSELECT))
		imap_command(
		    &r->client.imap, IMAP_V_UNSELECT, cookie, "UNSELECT");
	else
		imap_command(
		    &r->client.imap, IMAP_V_EXAMINE, cookie, "EXAMINE INBOX");
	free(r->selected);
	r->selected = NULL;
	r->validity = 0;
}

static void
put_look(struct remote *r, const char *folder, uint32_t cookie)
{
	imap_begin(&r->client.imap, IMAP_V_STATUS, cookie);
	imap_put(&r->client.imap, "STATUS ");
	remote_put_folder(r, folder);
	imap_put(&r->client.imap, " (MESSAGES)");
	imap_end(&r->client.imap);
}

static void
put_work(struct remote *r, const struct work *w, uint32_t cookie)
{
	const char *folder = w->folders[w->next];
	uint32_t quiet = cookie + K_SUBSCRIBE;

	if (w->remove)
		put_name(r, IMAP_V_DELETE, cookie, "DELETE", folder, NULL);
	else if (w->to != NULL)
		put_name(r, IMAP_V_RENAME, cookie, "RENAME", folder, w->to);
	else
		put_name(r, IMAP_V_CREATE, cookie, "CREATE", folder, NULL);
	if (w->remove || w->to != NULL)
		put_name(
		    r, IMAP_V_SUBSCRIBE, quiet, "UNSUBSCRIBE", folder, NULL);
	if (!w->remove)
		put_name(r, IMAP_V_SUBSCRIBE, quiet, "SUBSCRIBE",
		    w->to != NULL ? w->to : folder, NULL);
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct work *w = arg;
	uint32_t cookie = (uint32_t)w->next * KINDS;

	(void)e;
	if (w->next == w->n || (w->looked && !w->may))
		return 0;
	if (w->to != NULL || w->remove)
		put_leave(r, w->folders[w->next], cookie + K_LEAVE);
	if (w->remove && !w->looked) {
		w->looked = true;
		put_look(r, w->folders[w->next], cookie + K_LOOK);
		return 1;
	}
	put_work(r, w, cookie);
	w->next++;
	return 1;
}

static bool
is_there(const struct imap_ev *ev)
{
	static const char *const words[] = {"already exist", NULL};

	return ev->verb == IMAP_V_CREATE &&
	       (ev->code == IMAP_CODE_ALREADYEXISTS ||
		   span_says(ev->text, words));
}

static void
take_look(struct work *w, const struct imap_ev *ev)
{
	struct err why;

	w->may = ev->cond == IMAP_OK && !w->filled;
	if (ev->cond != IMAP_OK)
		w->errors[0] = remote_refusal(ev, w->folders[0], "STATUS");
	else if (w->filled) {
		err_set(&why, ERR_MESSAGE,
		    "folder %s: it is not removed from the server, for there "
		    "are messages in it",
		    w->folders[0]);
		w->errors[0] = remote_fault(&why);
	}
}

/* A server may tell of other folders meanwhile (NOTIFY). */
static bool
is_about(const struct remote *r, const struct imap_ev *ev, const char *folder)
{
	char *name = span_dup(ev->folder.name);
	bool same = remote_strip(r, name) && strcmp(name, folder) == 0;

	free(name);
	return same;
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct work *w = arg;
	size_t i = ev->cookie / KINDS;

	(void)e;
	if (ev->kind == IMAP_EV_FOLDER && ev->folder.has_messages &&
	    is_about(r, ev, w->folders[0]))
		w->filled = ev->folder.messages > 0;
	if (ev->kind != IMAP_EV_DONE)
		return 0;
	if (ev->cookie % KINDS == K_LOOK)
		take_look(w, ev);
	if (ev->cookie % KINDS == K_DO && ev->cond != IMAP_OK && !is_there(ev))
		w->errors[i] = remote_refusal(ev, w->folders[i],
		    ev->verb == IMAP_V_CREATE   ? "CREATE"
		    : ev->verb == IMAP_V_RENAME ? "RENAME"
						: "DELETE");
	return 0;
}

static int
run(struct remote *r, struct work *w, struct err *e)
{
	struct remote_flight f = {
	    .arg = w, .put = put, .take = take, .finish = true};
	size_t i;

	for (i = 0; i < w->n; i++)
		w->errors[i] = NULL;
	return remote_fly(r, &f, e);
}

int
remote_create(struct remote *r, const char *const *folders, size_t n,
    struct err **errors_r, struct err *e)
{
	struct work w = {.folders = folders, .n = n, .errors = errors_r};

	return run(r, &w, e);
}

int
remote_rename(struct remote *r, const char *from, const char *to,
    struct err **error_r, struct err *e)
{
	struct work w = {.folders = &from, .n = 1, .to = to, .errors = error_r};

	return run(r, &w, e);
}

int
remote_remove(
    struct remote *r, const char *folder, struct err **error_r, struct err *e)
{
	/* Unless the server says otherwise, there are messages in it. */
	struct work w = {.folders = &folder,
	    .n = 1,
	    .remove = true,
	    .filled = true,
	    .errors = error_r};

	return run(r, &w, e);
}
