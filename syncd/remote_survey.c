/*
 * Which folders the server has, and the four numbers by which each shows
 * whether anything happened in it: for all of them at once.
 */

#include "remote_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"

#define FOLDERS_MAX 100000u

enum { C_ENABLE, C_NAMESPACE, C_LIST, C_IDS, C_LSUB, C_STATUS };

struct survey {
	const struct sync *sync;  /* borrowed */
	struct folders_remote *v; /* owned until it is given away */
	size_t n, cap;
	size_t expect; /* whose STATUS most likely comes next */
	size_t asked;  /* STATUS: those before it */
	bool begun;
	size_t lists; /* LIST and LSUB, not yet answered */
	bool each;    /* STATUS is to be asked for each, when they are */
};

/* --- questions ------------------------------------------------------------- */

static void
put_items(struct imap *im)
{
	imap_put(im, "(MESSAGES UIDNEXT UIDVALIDITY%s)",
	    imap_has(im, IMAP_CAP_CONDSTORE) ? " HIGHESTMODSEQ" : "");
}

/* Asked for beside other things, MAILBOXID is garbage from Cyrus 3.6: what
 * happens to lie where it was. */
static void
put_ids(struct survey *s, struct imap *im)
{
	if (s->each || !imap_has(im, IMAP_CAP_OBJECTID))
		return;
	imap_command(im, IMAP_V_LIST, C_IDS,
	    "LIST \"\" \"*\" RETURN (STATUS (MAILBOXID))");
	s->lists++;
}

static bool
extended(const struct imap *im)
{
	return imap_has(im, IMAP_CAP_LIST_EXTENDED) ||
	       imap_has(im, IMAP_CAP_LIST_STATUS);
}

static void
put_list(struct survey *s, struct imap *im)
{
	const char *first = " RETURN (", *open = first;

	imap_begin(im, IMAP_V_LIST, C_LIST);
	imap_put(im, "LIST \"\" \"*\"");
	if (extended(im) && imap_has(im, IMAP_CAP_SPECIAL_USE)) {
		imap_put(im, "%sSPECIAL-USE", open);
		open = " ";
	}
	if (extended(im) && s->sync->subscribed) {
		imap_put(im, "%sSUBSCRIBED", open);
		open = " ";
	}
	if (!s->each) {
		imap_put(im, "%sSTATUS ", open);
		put_items(im);
		open = " ";
	}
	imap_put(im, "%s", open == first ? "" : ")");
	imap_end(im);
}

static int
put_first(struct remote *r, struct survey *s)
{
	struct imap *im = &r->client.imap;

	s->begun = true;
	s->each = !imap_has(im, IMAP_CAP_LIST_STATUS);
	if (imap_has(im, IMAP_CAP_QRESYNC) && !r->enabled)
		imap_command(im, IMAP_V_ENABLE, C_ENABLE, "ENABLE QRESYNC");
	r->enabled = true;
	if (imap_has(im, IMAP_CAP_NAMESPACE))
		imap_command(im, IMAP_V_NAMESPACE, C_NAMESPACE, "NAMESPACE");
	put_list(s, im);
	s->lists = 1;
	put_ids(s, im);
	if (s->sync->subscribed && !extended(im)) {
		imap_command(im, IMAP_V_LIST, C_LSUB, "LSUB \"\" \"*\"");
		s->lists++;
	}
	return 1;
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct survey *s = arg;
	struct imap *im = &r->client.imap;

	(void)e;
	if (!s->begun)
		return put_first(r, s);
	if (!s->each || s->lists > 0)
		return 0;
	while (s->asked < s->n && !folders_wanted(s->sync, &s->v[s->asked]))
		s->asked++;
	if (s->asked == s->n)
		return 0;
	imap_begin(im, IMAP_V_STATUS, C_STATUS);
	imap_put(im, "STATUS ");
	remote_put_folder(r, s->v[s->asked++].name);
	imap_put(im, " ");
	put_items(im);
	imap_end(im);
	return 1;
}

/* --- answers --------------------------------------------------------------- */

/* Servers tell of folders in the same order again. */
static struct folders_remote *
find(struct survey *s, const char *name)
{
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		k = (s->expect + i) % s->n;
		if (strcmp(s->v[k].name, name) != 0)
			continue;
		s->expect = k + 1;
		return &s->v[k];
	}
	return NULL;
}

/* Takes over the name. */
static int
add(struct survey *s, const struct imap_folder *f, char *name, struct err *e)
{
	if (s->n >= FOLDERS_MAX) {
		free(name);
		return err_set(e, ERR_PROTO, "the server lists over %u folders",
		    FOLDERS_MAX);
	}
	if (s->n == s->cap) {
		s->cap = s->cap * 2 + 16;
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = (struct folders_remote){
	    .name = name, .sep = f->sep, .attrs = f->attrs};
	return 0;
}

/* What is told meanwhile (NOTIFY) may be a part only. */
static void
fill_in(struct folders_remote *there, const struct imap_folder *f)
{
	if (f->has_messages)
		there->messages = f->messages;
	if (f->has_uidnext)
		there->uidnext = f->uidnext;
	if (f->has_uidvalidity)
		there->uidvalidity = f->uidvalidity;
	else if (there->uidvalidity == 0)
		there->uidvalidity = 1;
	if (f->has_modseq)
		there->modseq = f->modseq;
	if (f->has_messages && f->has_uidnext)
		there->has_status = true;
}

static void
fill_in_id(struct folders_remote *there, const struct imap_folder *f)
{
	if (f->mailboxid.n == 0)
		return;
	free(there->mailboxid);
	there->mailboxid = span_dup(f->mailboxid);
}

/* LIST, LSUB and STATUS responses. */
static int
take_folder(struct remote *r, struct survey *s, const struct imap_ev *ev,
    uint32_t cookie, struct err *e)
{
	char *name = span_dup(ev->folder.name);
	struct folders_remote *there;

	if (!remote_strip(r, name)) {
		log_info("folder %s is left out: it lies beside the "
			 "namespace %s",
		    name, r->prefix);
		free(name);
		return 0;
	}
	if (ev->kind == IMAP_EV_LIST && cookie != C_LSUB && cookie != C_IDS)
		return add(s, &ev->folder, name, e);
	there = find(s, name);
	free(name);
	if (there == NULL)
		return 0;
	if (ev->kind == IMAP_EV_LIST)
		there->attrs |= cookie == C_LSUB ? IMAP_ATTR_SUBSCRIBED : 0;
	else if (cookie == C_IDS)
		fill_in_id(there, &ev->folder);
	else
		fill_in(there, &ev->folder);
	return 0;
}

static void
take_enabled(struct remote *r, struct span words)
{
	struct span word;

	while (span_word(&words, &word))
		r->qresync = r->qresync || span_caseeq(word, "QRESYNC");
}

static int
take_done(struct survey *s, const struct imap_ev *ev, struct err *e)
{
	if (ev->verb != IMAP_V_LIST)
		return 0;
	s->lists--;
	return ev->cond == IMAP_OK ? 0 : imap_refused(ev, "LIST", e);
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct survey *s = arg;
	enum imap_verb verb;
	uint32_t cookie = C_LIST;

	(void)imap_oldest(&r->client.imap, &verb, &cookie);
	if (ev->kind == IMAP_EV_LIST || ev->kind == IMAP_EV_FOLDER)
		return take_folder(r, s, ev, cookie, e);
	if (ev->kind == IMAP_EV_ENABLED)
		take_enabled(r, ev->text);
	if (ev->kind == IMAP_EV_NAMESPACE)
		remote_set_namespace(r, ev->text);
	return ev->kind == IMAP_EV_DONE ? take_done(s, ev, e) : 0;
}

/* --- the list ---------------------------------------------------------------- */

static void
clear(struct folders_remote *f)
{
	free(f->name);
	free(f->mailboxid);
}

static int
by_name(const void *a, const void *b)
{
	const struct folders_remote *const *x = a, *const *y = b;
	int rv = strcmp((*x)->name, (*y)->name);

	return rv != 0 ? rv : *x < *y ? -1 : *x > *y;
}

/* Both are the same folder: the second one goes. */
static void
merge(struct folders_remote *a, struct folders_remote *b)
{
	struct folders_remote first = *a;

	if (!a->has_status) {
		*a = *b;
		*b = first;
	}
	a->attrs |= b->attrs;
	if (a->mailboxid == NULL) {
		a->mailboxid = b->mailboxid;
		b->mailboxid = NULL;
	}
	clear(b);
	b->name = b->mailboxid = NULL;
}

/* What was listed twice, by overlapping namespaces, is there once. */
static void
drop_twins(struct survey *s)
{
	struct folders_remote **sorted = mem_array(s->n + 1, sizeof(*sorted));
	size_t i, k = 0;

	for (i = 0; i < s->n; i++)
		sorted[i] = &s->v[i];
	qsort(sorted, s->n, sizeof(*sorted), by_name);
	for (i = 1; i < s->n; i++)
		if (strcmp(sorted[i]->name, sorted[i - 1]->name) == 0) {
			merge(sorted[i - 1], sorted[i]);
			sorted[i] = sorted[i - 1];
		}
	free(sorted);
	for (i = 0; i < s->n; i++)
		if (s->v[i].name != NULL)
			s->v[k++] = s->v[i];
	s->n = k;
}

static void
note_trash(struct remote *r, const struct survey *s)
{
	size_t i;

	free(r->trash);
	r->trash = NULL;
	for (i = 0; i < s->n && r->trash == NULL; i++)
		if ((s->v[i].attrs & IMAP_ATTR_TRASH) != 0)
			r->trash = mem_strdup(s->v[i].name);
}

int
remote_survey(struct remote *r, const struct sync *sync,
    struct folders_remote **list_r, size_t *n_r, struct err *e)
{
	struct survey s = {.sync = sync};
	struct remote_flight f = {.arg = &s, .put = put, .take = take};

	*list_r = NULL;
	*n_r = 0;
	if (remote_fly(r, &f, e) == -1) {
		remote_survey_free(s.v, s.n);
		return -1;
	}
	drop_twins(&s);
	note_trash(r, &s);
	*list_r = s.v;
	*n_r = s.n;
	return 0;
}

void
remote_survey_free(struct folders_remote *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		clear(&v[i]);
	free(v);
}
