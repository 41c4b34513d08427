/*
 * IMAP events as lines of text, so that two ways to feed the same bytes can be
 * compared.  Pieces of a body are joined: how it is cut up is not the point.
 */
#ifndef TESTS_UNIT_IMAP_LOG_H
#define TESTS_UNIT_IMAP_LOG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/imap.h"

#define LOG_MAX (16 * 1024 * 1024)
#define LOG_UNUSED __attribute__((unused))

LOG_UNUSED static void
log_bytes(struct buf *log, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] >= ' ' && s.p[i] <= '~')
			buf_putc(log, s.p[i]);
		else if (s.p[i] == '\n' || s.p[i] == '\r')
			buf_puts(log, s.p[i] == '\n' ? "\\n" : "\\r");
		else
			buf_printf(log, "\\x%02x", (unsigned char)s.p[i]);
}

LOG_UNUSED static void
log_span(struct buf *log, const char *name, struct span s)
{
	if (s.n == 0)
		return;
	buf_printf(log, " %s=<", name);
	log_bytes(log, s);
	buf_putc(log, '>');
}

LOG_UNUSED static void
log_number(struct buf *log, const char *name, bool has, uint64_t n)
{
	if (has)
		buf_printf(log, " %s=%llu", name, (unsigned long long)n);
}

LOG_UNUSED static void
log_uids(struct buf *log, const char *name, const struct uidset *u)
{
	struct buf set;

	if (u == NULL)
		return;
	buf_init(&set, LOG_MAX);
	uidset_format(u, 1, LOG_MAX, &set);
	buf_printf(log, " %s=", name);
	buf_add(log, buf_span(&set));
	buf_clear(&set);
}

LOG_UNUSED static void
log_fetch(struct buf *log, const struct imap_fetch *f)
{
	buf_printf(log, " %u", f->seq);
	log_number(log, "uid", f->uid != 0, f->uid);
	if (f->has_flags)
		buf_printf(log, " flags=%02x", f->flags);
	log_span(log, "keywords", f->keywords);
	log_number(log, "size", f->has_size, f->size);
	log_number(log, "modseq", f->modseq != 0, f->modseq);
	log_span(log, "date", f->internaldate);
	log_span(log, "id", f->emailid);
	if (f->body == IMAP_BODY_NIL)
		buf_puts(log, " nil");
	if (f->body == IMAP_BODY_SENT)
		log_number(log, "body", true, f->body_size);
}

LOG_UNUSED static void
log_folder(struct buf *log, const struct imap_folder *f)
{
	log_span(log, "name", f->name);
	if (f->sep != '\0')
		buf_printf(log, " sep=%c", f->sep);
	if (f->attrs != 0)
		buf_printf(log, " attrs=%x", f->attrs);
	log_number(log, "messages", f->has_messages, f->messages);
	log_number(log, "unseen", f->unseen != 0, f->unseen);
	log_number(log, "uidnext", f->has_uidnext, f->uidnext);
	log_number(log, "validity", f->has_uidvalidity, f->uidvalidity);
	log_number(log, "modseq", f->has_modseq, f->modseq);
	log_span(log, "id", f->mailboxid);
}

LOG_UNUSED static void
log_cond(struct buf *log, const struct imap_ev *ev)
{
	static const char *const names[] = {
	    "OK", "NO", "BAD", "PREAUTH", "BYE"};

	buf_printf(log, " %s", names[ev->cond]);
	if (ev->code != IMAP_CODE_NONE)
		buf_printf(log, " code=%d", (int)ev->code);
	log_number(log, "n", ev->code_number != 0, ev->code_number);
	if (ev->code == IMAP_CODE_PERMANENTFLAGS ||
	    ev->code == IMAP_CODE_MAILBOXID || ev->code == IMAP_CODE_COPYUID)
		log_span(log, "args", ev->code_args);
	log_uids(log, "from", ev->code_from);
	log_uids(log, "uids", ev->uids);
}

LOG_UNUSED static void
log_event(struct buf *log, const struct imap *im, const struct imap_ev *ev)
{
	static const char *const names[] = {"greeting", "status", "done",
	    "continue", "capability", "list", "folder", "search", "exists",
	    "expunge", "vanished", "begin", "", "", "fetch", "enabled",
	    "namespace"};

	if (ev->kind == IMAP_EV_BODY_DATA) {
		log_bytes(log, ev->text);
		return;
	}
	if (ev->kind == IMAP_EV_BODY_END) {
		buf_puts(log, ">\n");
		return;
	}
	buf_puts(log, names[ev->kind]);
	if (ev->kind == IMAP_EV_DONE)
		buf_printf(log, " #%u verb=%d", ev->cookie, (int)ev->verb);
	if (ev->kind <= IMAP_EV_DONE)
		log_cond(log, ev);
	if (ev->kind == IMAP_EV_CAPABILITY)
		buf_printf(log, " %llx mechs=%x", (unsigned long long)im->caps,
		    im->mechs);
	if (ev->kind == IMAP_EV_LIST || ev->kind == IMAP_EV_FOLDER)
		log_folder(log, &ev->folder);
	if (ev->kind == IMAP_EV_SEARCH || ev->kind == IMAP_EV_VANISHED)
		log_uids(log, ev->earlier ? "earlier" : "uids", ev->uids);
	if (ev->kind == IMAP_EV_NAMESPACE && ev->folder.sep != '\0')
		buf_printf(log, " sep=%c", ev->folder.sep);
	if (ev->kind == IMAP_EV_SEARCH)
		log_number(log, "count", ev->number != uidset_count(ev->uids),
		    ev->number);
	if (ev->kind == IMAP_EV_EXISTS || ev->kind == IMAP_EV_EXPUNGE)
		buf_printf(log, " %u", ev->number);
	if (ev->kind == IMAP_EV_FETCH || ev->kind == IMAP_EV_BODY_BEGIN)
		log_fetch(log, &ev->fetch);
	log_span(log, "text", ev->text);
	buf_puts(log, ev->kind == IMAP_EV_BODY_BEGIN ? " <" : "\n");
}

/* All events that there are; -1 when it ended with an error. */
LOG_UNUSED static int
log_events(struct buf *log, struct imap *im)
{
	struct imap_ev ev;
	struct err e;
	int r;

	while ((r = imap_next(im, &ev, &e)) == 1)
		log_event(log, im, &ev);
	if (r == -1)
		buf_printf(log, "error %d: %s\n", (int)e.kind, e.text);
	return r;
}

/* Cuts what comes next off the input: whole, byte by byte, or at random. */
enum log_cut { LOG_WHOLE, LOG_BYTES, LOG_RANDOM };

LOG_UNUSED static struct span
log_piece(struct span *in, enum log_cut cut, size_t room, uint32_t *seed)
{
	struct span s = *in;
	size_t n = s.n;

	if (cut == LOG_BYTES)
		n = 1;
	if (cut == LOG_RANDOM) {
		*seed = *seed * 1664525 + 1013904223;
		n = 1 + (*seed >> 16) % ((*seed >> 8) % 8 == 0 ? 60 : 6);
	}
	n = n < room ? n : room;
	s.n = n < s.n ? n : s.n;
	*in = span_skip(*in, s.n);
	return s;
}

/* Feeds all of the input, then the end of it if `eof`. */
LOG_UNUSED static void
log_feed(struct buf *log, struct imap *im, struct span in, enum log_cut cut,
    uint32_t seed, bool eof)
{
	struct wire *w = im->wire;
	int r = 0;

	while (in.n > 0 && r == 0) {
		buf_add(&w->in, log_piece(&in, cut, buf_room(&w->in), &seed));
		r = log_events(log, im);
	}
	if (eof && r == 0) {
		w->eof = true;
		log_events(log, im);
	}
	log_span(log, "sent", buf_span(&w->out));
}

#endif
