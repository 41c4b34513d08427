/*
 * What becomes of fetched messages on the server: marked \Seen, archived, or
 * deleted when they are due; never anything that another client marked.
 */

#include "imap_visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"

/* Runs a command over a uid set, in as many pieces as it takes. */
static int
over_set(struct visit *v, const struct uidset *set, enum imap_verb verb,
    const char *before, const char *after, struct err *e)
{
	uint32_t from = 1;
	struct buf text;
	int rv = 0;

	if (uidset_empty(set))
		return 0;
	buf_init(&text, SET_BYTES + 64);
	while (rv == 0 && from != 0) {
		buf_reset(&text);
		from = uidset_format(set, from, SET_BYTES, &text);
		imap_command(&v->c->client.imap, verb, C_STORE, "UID %s %s%s",
		    before, buf_cstr(&text), after);
		rv = imap_conn_finish(v->c, C_STORE, before, e);
	}
	buf_clear(&text);
	return rv;
}

/* As over_set(), with a folder's name behind the set. */
static int
over_set_to(struct visit *v, const struct uidset *set, enum imap_verb verb,
    const char *folder, struct err *e)
{
	const char *word = verb == IMAP_V_MOVE ? "MOVE" : "COPY";
	uint32_t from = 1;
	struct buf text;
	int rv = 0;

	buf_init(&text, SET_BYTES + 64);
	while (rv == 0 && from != 0) {
		buf_reset(&text);
		from = uidset_format(set, from, SET_BYTES, &text);
		imap_begin(&v->c->client.imap, verb, C_STORE);
		imap_put(
		    &v->c->client.imap, "UID %s %s ", word, buf_cstr(&text));
		imap_put_folder(&v->c->client.imap, span_of(folder));
		imap_end(&v->c->client.imap);
		rv = imap_conn_finish(v->c, C_STORE, word, e);
	}
	buf_clear(&text);
	return rv == 0 ? 0 : err_prefix(e, "archive %s", folder);
}

/* Without UIDPLUS, EXPUNGE takes whatever is \Deleted, others' too.  1: done;
 * 0: not now. */
static int
expunge_all(struct visit *v, const struct uidset *set, struct err *e)
{
	struct uidset marked;
	uint64_t n;
	int rv;

	uidset_init(&marked);
	rv = imap_plan_search(v, "DELETED", &marked, e);
	uidset_union(&marked, set);
	n = uidset_count(&marked);
	uidset_clear(&marked);
	if (rv == -1)
		return -1;
	if (n > uidset_count(set)) {
		log_warn(
		    "%s: the server has no UIDPLUS and another client has "
		    "marked messages \\Deleted: ours are marked too, but not "
		    "expunged",
		    v->c->name);
		return 0;
	}
	imap_command(&v->c->client.imap, IMAP_V_EXPUNGE, C_EXPUNGE, "EXPUNGE");
	return imap_conn_finish(v->c, C_EXPUNGE, "EXPUNGE", e) == -1 ? -1 : 1;
}

/* 1: they are gone; 0: not yet; -1. */
static int
remove_set(struct visit *v, const struct uidset *set, struct err *e)
{
	const char *archive = v->run->fetch->archive;
	struct imap *im = &v->c->client.imap;
	int rv;

	if (archive != NULL && imap_has(im, IMAP_CAP_MOVE))
		return over_set_to(v, set, IMAP_V_MOVE, archive, e) == -1 ? -1
		                                                          : 1;
	if (archive != NULL &&
	    over_set_to(v, set, IMAP_V_COPY, archive, e) == -1)
		return -1;
	if (over_set(v, set, IMAP_V_STORE, "STORE",
		" +FLAGS.SILENT (\\Deleted)", e) == -1)
		return -1;
	if (imap_has(im, IMAP_CAP_UIDPLUS))
		return over_set(v, set, IMAP_V_EXPUNGE, "EXPUNGE", "", e) == -1
		           ? -1
		           : 1;
	rv = expunge_all(v, set, e);
	/* What was copied must not be copied again. */
	return rv == 0 && archive != NULL ? 1 : rv;
}

/* What was fetched and is due leaves the server, and then the state. */
int
imap_remove_due(struct visit *v, struct err *e)
{
	struct run *r = v->run;
	int64_t until = run_due(r);
	struct uidset due;
	uint32_t uid = 0;
	uint64_t it = 0;
	int rv;

	if (until == -1)
		return 0;
	uidset_init(&due);
	while ((rv = seen_next(r->seen, v->c->folder.id, SEEN_FETCHED, until,
		    &uid, e)) == 1)
		uidset_add(&due, uid, uid);
	if (rv == 0 && !uidset_empty(&due))
		rv = remove_set(v, &due, e);
	if (rv == 1) {
		r->deleted += uidset_count(&due);
		rv = seen_begin(r->seen, e);
		while (rv == 0 && uidset_next(&due, &it, &uid)) {
			struct seen_key key = imap_plan_key(v, uid);

			rv = seen_forget(r->seen, &key, e);
		}
		if (rv == 0)
			rv = seen_commit(r->seen, e);
		else
			seen_rollback(r->seen);
	}
	uidset_clear(&due);
	return rv;
}

int
imap_mark_seen(struct visit *v, struct err *e)
{
	return over_set(v, &v->fetched, IMAP_V_STORE, "STORE",
	    " +FLAGS.SILENT (\\Seen)", e);
}
