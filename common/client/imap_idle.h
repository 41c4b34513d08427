#ifndef CLIENT_IMAP_IDLE_H
#define CLIENT_IMAP_IDLE_H

#include "client/imap_client.h"

/*
 * IDLE (RFC 2177) on a session: starts zeroed, anew with each connection.
 */
struct imap_idle {
	bool on;       /* it was sent, and is not ended */
	bool refused;  /* the server offers it, but does not do it */
	int64_t since; /* clock_ms(): when it was sent */
};

bool imap_idle_can(const struct imap_idle *, const struct imap_client *);

/* Sends IDLE, and does not wait for the "+".  -1: as pump_poll(). */
int imap_idle_begin(
    struct imap_idle *, struct imap_client *, uint32_t cookie, struct err *);

/* Puts DONE, if it is on; the answer to IDLE is to be waited for, for which
 * link_hurry() is meant. */
void imap_idle_end(struct imap_idle *, struct imap_client *);

/* Is to be told the answer when it comes unasked: the server has ended it by
 * itself, which it does not do at once unless it knows none. */
void imap_idle_ended(struct imap_idle *, const struct imap_ev *);

#endif
