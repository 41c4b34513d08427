#ifndef SENDQ_LIST_H
#define SENDQ_LIST_H

#include "base/buf.h"
#include "face.h"
#include "queue.h"

/*
 * What people ask of the queue: --list, --show, --log, and what they do to it:
 * --hold, --release, --remove, --retry-now. Each returns an exit code.
 *
 * Lists go to standard output, for people as a table, for programs as a JSON
 * object a line, times being seconds since 1970. What came from a server or a
 * message is shown with its control characters escaped.
 */
int list_queue(struct queue *, bool json); /* list.c */
int list_show(struct queue *, const struct words *ids, bool json);
int list_log(struct queue *, bool json); /* list_log.c */

/*
 * mode: FACE_HOLD, FACE_RELEASE, FACE_REMOVE, FACE_RETRY; ids or "all": all
 * that wait; of FACE_REMOVE those that failed, too. FACE_RETRY also ends what
 * makes all mail of their accounts wait. A message that is being sent right
 * now is not changed: that is said, and the exit code is EX_TEMPFAIL; the
 * others are done.
 */
int list_change(struct queue *, enum face_mode, const struct words *ids);

/* --- parts ---------------------------------------------------------------- */

/* The members of a message's JSON object, its braces not. -1: over the limit. */
int list_object(struct buf *out, const struct message *, int64_t now);

/* All of the buffer to standard output, which it then is out of. */
int list_print(struct buf *);

/*
 * Every message that was named, or all: `one` is called with each, opened so;
 * its exit code and what else was wrong make the result.
 */
enum list_all { LIST_WAITING, LIST_FAILED_TOO };
int list_each(struct queue *, const struct words *ids, enum list_all,
    enum queue_hold, int (*one)(struct message *, void *), void *);

#endif
