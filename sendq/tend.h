#ifndef SENDQ_TEND_H
#define SENDQ_TEND_H

#include "copies.h"
#include "options.h"
#include "queue.h"

/*
 * What is to be done about a message besides sending it: what a crash left is
 * mended, what is too old fails, and its sender is told that it is late.
 */

/*
 * When something is to be done about it, in seconds since 1970; 0: at once;
 * INT64_MAX: never by itself. Nothing of the account is sent before `waits`.
 */
int64_t tend_next(const struct send *, const struct envelope *, int64_t waits);

/* Whether it is something else than sending, at this time. */
bool tend_needed(const struct send *, const struct envelope *, int64_t now);

/*
 * Does that with a message that is locked: *failed_r is set when recipients
 * failed, *doubt_r when some are uncertain. Durable with the next
 * message_sync().
 */
int tend_message(const struct send *, struct copies *, struct message *,
    int64_t now, bool *failed_r, bool *doubt_r, struct err *);

#endif
