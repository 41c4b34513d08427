#ifndef PROTO_IMAP_CODE_H
#define PROTO_IMAP_CODE_H

#include "proto/imap.h"

/*
 * Conditions and response codes: what follows OK, NO, BAD, BYE, PREAUTH
 * (RFC 9051 section 7.1).
 */
bool imap_code_cond(struct span word, enum imap_cond *cond_r);

/* Takes "[CODE args] text" apart into ev's code, numbers, sets and text;
 * CAPABILITY goes to im->caps. */
void imap_code_parse(struct imap *, struct span, struct imap_ev *ev_r);

/* UIDVALIDITY in 32 bits, also where a server's has more. */
uint32_t imap_code_uidvalidity(uint64_t);

#endif
