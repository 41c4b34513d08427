#ifndef SENDQ_LIST_H
#define SENDQ_LIST_H

#include "face.h"
#include "queue.h"

/*
 * What people ask of the queue: --list, --show, --log, and what they do to it:
 * --hold, --release, --remove, --retry-now. Each returns an exit code.
 */
int list_queue(struct queue *, bool json);
int list_show(struct queue *, const struct words *ids, bool json);
int list_log(struct queue *, bool json);

/*
 * mode: FACE_HOLD, FACE_RELEASE, FACE_REMOVE, FACE_RETRY; ids or "all". A
 * message that is being sent right now is not removed: that is said, and the
 * exit code is EX_TEMPFAIL; the others are done.
 */
int list_change(struct queue *, enum face_mode, const struct words *ids);

#endif
