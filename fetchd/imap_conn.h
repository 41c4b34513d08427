#ifndef FETCHD_IMAP_CONN_H
#define FETCHD_IMAP_CONN_H

#include "client/imap_client.h"
#include "run.h"

/* A logged-in IMAP connection and the folder that is open on it. */
struct imap_conn {
	struct imap_client client;
	struct run *run; /* borrowed */
	struct seen_folder folder;
	const char *name; /* borrowed: of the selected folder; NULL: none */
	char sep;         /* hierarchy separator, when known */
	uint32_t exists, uidnext, uidvalidity; /* of the selected folder */
	bool changed; /* EXISTS came since the folder was looked at */
	bool news;    /* NOTIFY told of some folder meanwhile */
};

/*
 * Connects and logs in; a token that is refused is renewed once.  -1: see err.
 * imap_conn_close() may always follow; it says LOGOUT without waiting.
 */
int imap_conn_open(
    struct imap_conn *, struct run *, struct link *, struct err *);
void imap_conn_close(struct imap_conn *);

/* The folders that the section's patterns name; appended to *names. */
int imap_conn_folders(struct imap_conn *, struct words *names, struct err *);

/* The next event, waiting for it: 1; 0 when `deadline` came or on a stop;
 * -1.  EXISTS and what NOTIFY tells are noted in the connection. */
int imap_conn_event(
    struct imap_conn *, int64_t deadline, struct imap_ev *, struct err *);

/* Waits for the tagged answer with that cookie; its NO or BAD is an error. */
int imap_conn_finish(
    struct imap_conn *, uint32_t cookie, const char *what, struct err *);

#endif
