#ifndef PROTO_IMAP_ITEM_H
#define PROTO_IMAP_ITEM_H

#include "proto/imap.h"

/*
 * FETCH responses (RFC 9051 section 7.5.2), read item by item as they come,
 * so that a body can be handed on while the rest is still under way.
 */

/* Takes up the response whose parenthesis is the next token of im->lex. */
void imap_item_begin(struct imap *, uint32_t seq);

/* From imap_item_begin() until the IMAP_EV_FETCH event. */
bool imap_item_active(const struct imap *);

/*
 * Goes on: 1: an event; 0: more is needed, which is the next physical line,
 * or bytes in wire.in when imap_item_in_body(); -1: ERR_PROTO.
 */
int imap_item_next(struct imap *, struct imap_ev *ev_r, struct err *);
bool imap_item_in_body(const struct imap *);

/* ERR_PROTO, with the line as far as it came. */
int imap_item_junk(const struct imap *, struct err *);

#endif
