#ifndef SENDQ_COPIES_H
#define SENDQ_COPIES_H

#include "options.h"
#include "os/maildir.h"
#include "queue.h"

/*
 * What is put into Maildirs exactly once: the copy of what was sent (marked
 * seen), and reports about what was not. As section 4's delivery: the file in
 * tmp/ is durable before its name stands in the message's history, and that
 * before it is put in its place; a crash at any point is mended by
 * copies_recover().
 */
struct copies {
	const struct send *send; /* borrowed */
	struct maildir sent;     /* open when send->sent */
	struct maildir reports;  /* open when there is a place for them */
	bool has_sent, has_reports;
};

/*
 * Opens (and makes) the Maildirs: before the sandbox closes. -1, of the first
 * that could not be: mail may be sent nevertheless. What was sent then stays
 * in the queue until a later run can make its copy, and reports go to failed/.
 */
int copies_open(const struct send *, struct copies *, struct err *);
void copies_close(struct copies *);

/* Whether it was sent to someone, and its copy is not in its place. */
bool copies_lacking(const struct copies *, const struct message *);

/* Ends what a crash left begun: locked message, at its opening. */
int copies_recover(struct copies *, struct message *, struct err *);

/*
 * The sent copies of n messages that were accepted for someone and have none
 * yet: one batch of syncs for all.
 */
int copies_sent(
    struct copies *, struct message *const *, size_t n, struct err *);

/*
 * One report for all recipients of the message that failed and whose failure
 * was not told yet; or, with `late`, that it is delayed. Nothing for a
 * report or for the null sender. Without a Maildir it goes to
 * failed/ID.report beside the message.
 */
int copies_report(struct copies *, struct message *, bool late, struct err *);

#endif
