#ifndef SYNCD_REMOTE_CHANGE_H
#define SYNCD_REMOTE_CHANGE_H

#include "remote_parts.h"

/*
 * Changes to messages of several folders, each a SELECT and some steps.  The
 * next one's SELECT goes out with the last step of the one before.  A change's
 * commands have its number times CHANGE_COOKIES as their cookie, and what `put`
 * adds to that.
 */
#define CHANGE_COOKIES 2
struct change {
	const char *folder; /* borrowed */
	uint32_t uidvalidity;
	const struct uidset *uids; /* borrowed: of the step at hand */
	bool guarded; /* nothing is put before UIDVALIDITY is seen */
	struct err *error;
	void *job;     /* borrowed: what it is about */
	int step;      /* what is put next; CHANGE_DONE: nothing more */
	uint32_t from; /* ... from this member of uids on */
	bool waits;    /* ... but not before all is answered */
	bool again;    /* it is not over: another round is needed */
	struct uidset set, found; /* owned; for the steps */
};
#define CHANGE_DONE (-1)

struct changes {
	struct change *v; /* owned */
	size_t n;
	/* Puts the next command of its step, and chooses the step after it. */
	void (*put)(struct remote *, struct change *, uint32_t cookie);
	/* Takes what the server says while it is at this change; a NO or BAD
	 * that it does not take (returning true) is its error. */
	bool (*take)(struct remote *, struct change *, const struct imap_ev *);

	/* private */
	size_t next;
	bool selected; /* the SELECT for `next` was put */
};
int remote_change(struct remote *, struct changes *, struct err *);
void remote_changes_clear(struct changes *);

/* After a command for uids: goes to `step` when *from says that all are in. */
void remote_change_step(struct change *, int step);

#endif
