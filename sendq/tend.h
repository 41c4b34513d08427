#ifndef SENDQ_TEND_H
#define SENDQ_TEND_H

#include "copies.h"
#include "options.h"
#include "queue.h"

/*
 * What is to be done about a message besides sending it: before, what a crash
 * left is mended; behind, what is too old fails, and its sender is told that it
 * is late. No message fails, or is called late, that was not tried first: the
 * machine may have been off for a week.
 */

/*
 * When something is to be done about it, in seconds since 1970; 0: at once;
 * INT64_MAX: never by itself. Nothing of the account is sent before `waits`.
 */
int64_t tend_next(const struct send *, const struct envelope *, int64_t waits);

/* Whether it is something else than sending, at this time. */
bool tend_needed(const struct send *, const struct envelope *, int64_t now);

/*
 * Before it is sent: mends it. It is locked; *doubt_r is set when recipients
 * are uncertain. Durable with the next message_sync().
 */
int tend_mend(const struct send *, struct copies *, struct message *,
    int64_t now, bool *doubt_r, struct err *);

/*
 * Behind the attempt, if it was due: of those that were `tried` and are still
 * waiting, the ones that are too old fail (*failed_r is set), and for what is
 * late its sender is told. An account that cannot be reached makes a message
 * late, and nothing fails for it.
 */
int tend_age(const struct send *, struct copies *, struct message *,
    int64_t now, const struct uidset *tried, bool *failed_r, struct err *);

#endif
