#ifndef SENDQ_REPORT_H
#define SENDQ_REPORT_H

#include "options.h"
#include "queue.h"

/*
 * What is told about a message that did not reach everyone, from what its
 * history says.
 */

/* Failures that nobody was told of, added to *set. */
void report_untold(const struct envelope *, struct uidset *set);

/* Recipients are told apart by it when they expired: see bounce.h. */
#define REPORT_EXPIRED "expired after "
#define REPORT_LAST "; last reply: "

/*
 * The report of these failures or, with `late`, of the delay, appended; its
 * Message-ID is made of id and this machine's name. ERR_LOCAL when the message
 * cannot be read.
 */
int report_compose(const struct send *, struct message *, const char *id,
    bool late, struct buf *out, struct err *);

#endif
