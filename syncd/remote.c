/*
 * The session with the server, and what all questions to it share: flights of
 * commands, which folder is selected, names, flags, faults.
 */

#include "remote_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sha2.h>

#include "base/mem.h"

#define OUT_FILL (128 * 1024) /* bytes in wire.out that keep a link busy */

int
remote_open(struct remote *r, struct link *l, struct err *e)
{
	*r = (struct remote){0};
	words_init(&r->others);
	return imap_client_open(&r->client, l, e);
}

void
remote_close(struct remote *r)
{
	imap_idle_end(&r->watch.idle, &r->client);
	imap_client_close(&r->client);
	words_clear(&r->others);
	free(r->selected);
	free(r->prefix);
	free(r->trash);
	*r = (struct remote){0};
}

/* --- flights -------------------------------------------------------------- */

/* The last SELECT decides what is selected. */
static void
note_select(struct remote *r, const struct imap_ev *ev)
{
	if (--r->selects == 0) {
		r->validity = remote_noted(r);
		if (ev->cond != IMAP_OK) {
			free(r->selected);
			r->selected = NULL;
			r->validity = 0;
		}
	}
	r->noted = 0;
}

static int
take(struct remote *r, const struct remote_flight *f, const struct imap_ev *ev,
    struct err *e)
{
	int rv;

	if (ev->kind == IMAP_EV_STATUS && ev->code == IMAP_CODE_UIDVALIDITY)
		r->noted = (uint32_t)ev->code_number;
	remote_hear(r, ev);
	rv = f->take(r, f->arg, ev, e);
	if (ev->kind == IMAP_EV_DONE && ev->verb == IMAP_V_SELECT)
		note_select(r, ev);
	return rv;
}

static bool
has_room(const struct imap *im)
{
	return imap_room(im) > 0 && im->wire->out.len < OUT_FILL;
}

int
remote_fly(struct remote *r, const struct remote_flight *f, struct err *e)
{
	struct imap *im = &r->client.imap;
	struct imap_ev ev;
	int rv;

	for (;;) {
		if (r->client.stopping && !f->finish)
			return err_set(e, ERR_TEMP, "stopped");
		for (rv = 1; rv == 1 && has_room(im);)
			rv = f->put(r, f->arg, e);
		if (rv == -1)
			return -1;
		/* A literal may be answered before all of it is sent. */
		if (imap_unanswered(im) == 0 && !imap_writing(im) &&
		    im->wire->out.len == 0)
			return 0;
		rv = imap_client_step(&r->client, 0, &ev, e);
		if (rv == -1 || (rv == 1 && take(r, f, &ev, e) == -1))
			return -1;
	}
}

/* --- folders --------------------------------------------------------------- */

void
remote_select(
    struct remote *r, const char *folder, uint32_t cookie, const char *more)
{
	char *name = mem_strdup(folder);

	free(r->selected);
	r->selected = name;
	r->validity = 0;
	r->selects++;
	r->watch.rests = false;
	imap_begin(&r->client.imap, IMAP_V_SELECT, cookie);
	imap_put(&r->client.imap, "SELECT ");
	remote_put_folder(r, folder);
	imap_put(&r->client.imap, "%s", more);
	imap_end(&r->client.imap);
}

uint32_t
remote_noted(const struct remote *r)
{
	return r->noted != 0 ? r->noted : 1;
}

bool
remote_is_selected(
    const struct remote *r, const char *folder, uint32_t uidvalidity)
{
	if (r->selected == NULL || strcmp(r->selected, folder) != 0)
		return false;
	return uidvalidity == 0 || r->validity == uidvalidity;
}

static bool
begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Whether this name stands for one with the personal prefix in front. */
static bool
is_personal(const struct remote *r, const char *name)
{
	size_t i;

	if (r->prefix == NULL || *name == '\0' ||
	    span_caseeq(span_of(name), "INBOX") || begins(name, r->prefix))
		return false;
	for (i = 0; i < r->others.n; i++)
		if (begins(name, r->others.v[i]))
			return false;
	return true;
}

bool
remote_strip(const struct remote *r, char *name)
{
	size_t n = r->prefix != NULL ? strlen(r->prefix) : 0;

	if (n == 0)
		return true;
	if (begins(name, r->prefix) && is_personal(r, name + n)) {
		memmove(name, name + n, strlen(name + n) + 1);
		return true;
	}
	return !is_personal(r, name);
}

void
remote_set_namespace(struct remote *r, struct span prefixes)
{
	struct span part;
	char *name;

	free(r->prefix);
	r->prefix = NULL;
	words_clear(&r->others);
	if (span_cut(&prefixes, '\0', &part) && part.n > 0)
		r->prefix = span_dup(part);
	while (span_cut(&prefixes, '\0', &part)) {
		name = span_dup(part);
		if (*name != '\0')
			words_add(&r->others, name);
		free(name);
	}
}

void
remote_put_folder(struct remote *r, const char *folder)
{
	char *name =
	    mem_printf("%s%s", is_personal(r, folder) ? r->prefix : "", folder);

	imap_put_folder(&r->client.imap, span_of(name));
	free(name);
}

void
remote_begin_set(struct remote *r, enum imap_verb verb, uint32_t cookie,
    const char *word, const struct uidset *set, uint32_t *from)
{
	struct buf text;

	buf_init(&text, REMOTE_SET_BYTES);
	*from = uidset_format(set, *from, REMOTE_SET_BYTES, &text);
	imap_begin(&r->client.imap, verb, cookie);
	imap_put(&r->client.imap, "UID %s ", word);
	imap_put_data(&r->client.imap, buf_span(&text));
	buf_clear(&text);
}

/* --- flags ------------------------------------------------------------------- */

static const struct {
	unsigned int imap;
	plan_flags plan;
	const char *name;
} flags[] = {
    {IMAP_SEEN, PLAN_SEEN, "\\Seen"},
    {IMAP_ANSWERED, PLAN_ANSWERED, "\\Answered"},
    {IMAP_FLAGGED, PLAN_FLAGGED, "\\Flagged"},
    {IMAP_DELETED, PLAN_DELETED, "\\Deleted"},
    {IMAP_DRAFT, PLAN_DRAFT, "\\Draft"},
    {0, PLAN_PASSED, "$Forwarded"},
};
#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

plan_flags
remote_flag(struct span name, struct local_keywords *k, bool make)
{
	size_t i;
	int letter;

	for (i = 0; i < N_FLAGS; i++)
		if (span_caseeq(name, flags[i].name))
			return flags[i].plan;
	if (k == NULL || name.n == 0 || name.p[0] == '\\')
		return 0;
	letter = local_keyword(k, name, make);
	return letter == -1 ? 0 : PLAN_KEYWORD(letter);
}

plan_flags
remote_flags(const struct imap_fetch *f, struct local_keywords *k)
{
	struct span rest = f->keywords, word;
	plan_flags set = 0;
	size_t i;

	for (i = 0; i < N_FLAGS; i++)
		if ((f->flags & flags[i].imap) != 0)
			set |= flags[i].plan;
	while (span_word(&rest, &word))
		set |= remote_flag(word, k, true);
	return set;
}

/* Only what IMAP has for an atom can be a keyword there. */
static bool
is_keyword(const char *s)
{
	const char *special = "(){%*\"\\]";

	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' ||
		    span_find(span_of(special), *s) != -1)
			return false;
	return true;
}

plan_flags
remote_named(plan_flags set, const struct local_keywords *k)
{
	plan_flags named = 0;
	size_t i;

	for (i = 0; i < N_FLAGS; i++)
		named |= flags[i].plan;
	for (i = 0; k != NULL && i < 26; i++)
		if (is_keyword(k->names[i]))
			named |= PLAN_KEYWORD(i);
	return set & named;
}

void
remote_put_flags(
    struct remote *r, plan_flags set, const struct local_keywords *k)
{
	struct imap *im = &r->client.imap;
	const char *blank = "";
	size_t i;

	set = remote_named(set, k);
	imap_put(im, "(");
	for (i = 0; i < N_FLAGS; i++)
		if ((set & flags[i].plan) != 0) {
			imap_put(im, "%s%s", blank, flags[i].name);
			blank = " ";
		}
	for (i = 0; k != NULL && i < 26; i++)
		if ((set & PLAN_KEYWORD(i)) != 0) {
			imap_put(im, "%s%s", blank, k->names[i]);
			blank = " ";
		}
	imap_put(im, ")");
}

/* --- the rest ------------------------------------------------------------------ */

void
remote_emailid(const struct imap_fetch *f, unsigned char id_r[16])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	SHA2_CTX sha;

	memset(id_r, 0, 16);
	if (f->emailid.n == 0)
		return;
	SHA256Init(&sha);
	SHA256Update(&sha, (const uint8_t *)f->emailid.p, f->emailid.n);
	SHA256Final(sum, &sha);
	memcpy(id_r, sum, 16);
}

const char *
remote_emailid_item(const struct remote *r)
{
	if (imap_has(&r->client.imap, IMAP_CAP_OBJECTID))
		return " EMAILID";
	return imap_has(&r->client.imap, IMAP_CAP_GMAIL) ? " X-GM-MSGID" : "";
}

struct err *
remote_fault(const struct err *e)
{
	struct err *copy = mem_alloc(sizeof(*copy));

	*copy = *e;
	return copy;
}

struct err *
remote_refusal(const struct imap_ev *ev, const char *folder, const char *what)
{
	char where[300];
	struct err e;

	snprintf(where, sizeof(where), "folder %s: %s", folder, what);
	imap_refused(ev, where, &e);
	return remote_fault(&e);
}

struct err *
remote_moved_ground(const char *folder, uint32_t was, uint32_t uidvalidity)
{
	struct err e;

	err_set(&e, ERR_TEMP,
	    "folder %s: UIDVALIDITY changed from %u to %u meanwhile; the next "
	    "run recognises its messages",
	    folder, was, uidvalidity);
	return remote_fault(&e);
}
