#ifndef FETCHD_POP3_DROP_H
#define FETCHD_POP3_DROP_H

#include "base/header.h"
#include "pop3_fetch.h"
#include "proto/pop3_session.h"

/*
 * A session with a POP3 maildrop, shared by its three parts: logging in
 * (pop3_conn), what there is to do (pop3_plan), and doing it (pop3_fetch).
 */
enum plan {
	PLAN_LEAVE,
	PLAN_FETCH, /* RETR, or TOP for headers */
	PLAN_CHECK, /* its header decides whether it is known */
	PLAN_DELETE,
	PLAN_DONE, /* settled in this session */
	PLAN_FAILED,
};

/* A message of the listing. */
struct item {
	char *uid; /* owned; "" when there is none that can be relied on */
	uint32_t number;
	uint64_t size;
	enum plan plan;
	bool headers; /* TOP instead of RETR: it is too large */
	bool known;   /* the state has a row for it */
	bool failed;  /* in an earlier run */
	bool deleted; /* DELE was accepted */
	char digest[HEADER_DIGEST_HEX];
};

struct drop {
	struct run *run; /* borrowed */
	struct link *link;
	struct pop3 pop3;
	struct pop3_session logon;
	struct seen_folder folder;
	struct item *items; /* owned */
	size_t n, cap;
	bool has_uidl;
	bool spoiled;     /* retrieved something that could not be stored */
	bool delete_only; /* a session for what a spoiled one left */
	bool stopping;
	bool receiving; /* a message is coming in */
	uint64_t fetched;
	char ids[32]; /* for messages that have no uid */
};

/* --- pop3_conn --- */

/* Connects and logs in; a refused token is renewed once, and a server that
 * hangs up on CAPA is not asked again. */
int pop3_conn_open(struct drop *, struct err *);
void pop3_conn_close(struct drop *);

/* The next event, waiting for it: 1; 0 when `deadline` came or on a stop;
 * -1. */
int pop3_conn_event(
    struct drop *, int64_t deadline, struct pop3_ev *, struct err *);

/* As above, however long it takes: 0 or -1. */
int pop3_conn_wait(struct drop *, struct pop3_ev *, struct err *);

/* --- pop3_plan --- */

/* UIDL and LIST, in one flight. */
int pop3_plan_list(struct drop *, struct err *);

/* Decides for each message, within the limits.  -1 also for the brake. */
int pop3_plan_make(struct drop *, struct err *);

/* The item with that number; a new one when it is the highest so far; NULL
 * for a number out of order (RFC 1939 section 5). */
struct item *pop3_plan_item(struct drop *, uint32_t number);
struct seen_key pop3_plan_key(const struct drop *, const struct item *);

/* The messages in the order in which they are tried, so that one that failed
 * before holds up no other; for 0 <= turn < 2 * n; NULL for no one's turn. */
struct item *pop3_plan_turn(const struct drop *, size_t turn);

/* It could not be had, and comes last in the next run. */
int pop3_plan_failed(struct drop *, struct item *, struct err *);

/* What a person can find the message by; borrowed until the next call. */
const char *pop3_plan_show(struct drop *, const struct item *);

#endif
