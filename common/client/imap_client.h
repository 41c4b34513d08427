#ifndef CLIENT_IMAP_CLIENT_H
#define CLIENT_IMAP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/link.h"
#include "proto/imap_session.h"

/* An IMAP session over an account's connection: logged in, and ready for
 * commands.  One at a time on a link. */
struct imap_client {
	struct link *link; /* borrowed */
	struct imap imap;
	struct imap_session logon;
	bool logged_in;
	bool stopping; /* a stop was asked for: it is told once */
};

/*
 * Connects and logs in; a token that is refused is renewed once.  -1: see err.
 * imap_client_close() may always follow; it says LOGOUT without waiting.
 */
int imap_client_open(struct imap_client *, struct link *, struct err *);
void imap_client_close(struct imap_client *);

/*
 * The next event, waiting for it: 1; 0 when `deadline` (clock_ms(); 0: none)
 * came, link->pump.wake_fd is readable, or on a stop, which sets `stopping`;
 * -1.
 */
int imap_client_event(
    struct imap_client *, int64_t deadline, struct imap_ev *, struct err *);

/*
 * The same for one who has more to send meanwhile: 0 also whenever bytes were
 * moved, and there is no event yet.
 */
int imap_client_step(
    struct imap_client *, int64_t deadline, struct imap_ev *, struct err *);

#endif
