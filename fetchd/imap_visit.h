#ifndef FETCHD_IMAP_VISIT_H
#define FETCHD_IMAP_VISIT_H

#include "imap_conn.h"

/*
 * The work on one folder, shared by its three parts: what there is to do
 * (imap_plan), doing it (imap_fetch), and what then becomes of the messages
 * on the server (imap_remove).
 */
enum plan {
	PLAN_LEAVE,
	PLAN_FETCH,
	PLAN_CHECK, /* its header decides whether it is known */
	PLAN_ASKED, /* a command for it is under way */
	PLAN_ALONE, /* failed in a set: to be asked for by itself */
	PLAN_QUEUED,
	PLAN_DONE,
};

struct item {
	uint32_t uid;
	uint64_t size;
	enum plan plan;
	bool headers; /* too large: header only */
	bool alone;   /* was asked for by itself */
};

/* A UID FETCH under way: it asked for items first..end-1. */
struct flight {
	size_t first, end;
	uint32_t cookie;
};
#define FLIGHTS 32u

struct visit {
	struct imap_conn *c; /* borrowed */
	struct run *run;     /* borrowed */
	struct item *items;  /* owned, by rising uid */
	size_t n, cap;
	size_t next; /* first that may not have been asked for */
	size_t low;  /* all before it are dealt with */
	struct flight flights[FLIGHTS];
	size_t n_flights;
	uint32_t cookie; /* of the latest flight */
	size_t flying;   /* messages */
	uint64_t flying_bytes;
	struct uidset fetched; /* settled in this visit */
	bool receiving;        /* a body is coming in */
	bool recognising;
	char uid[16];
};

/* Commands' cookies; flights count on from C_FETCH. */
enum { C_SELECT = 1, C_LIST, C_SEARCH, C_STORE, C_EXPUNGE, C_FETCH };

#define SET_BYTES 4000 /* of a uid set in one command */

/* SELECT and, in the same flight, the listing that it most likely needs. */
int imap_plan_open(struct visit *, const char *name, struct err *);

/* The uids that UID SEARCH finds; added to *found. */
int imap_plan_search(
    struct visit *, const char *what, struct uidset *found, struct err *);

/* Decides for each message, within the limits.  -1 also for the brake. */
int imap_plan_make(struct visit *, struct err *);

struct item *imap_plan_find(struct visit *, uint32_t uid);
struct seen_key imap_plan_key(const struct visit *, uint32_t uid);
const char *imap_plan_show(struct visit *, uint32_t uid); /* as text */

/* \Seen for what was settled in this visit. */
int imap_mark_seen(struct visit *, struct err *);

/* Archives or deletes what was fetched and is due, by `keep`; then forgets
 * it. */
int imap_remove_due(struct visit *, struct err *);

#endif
