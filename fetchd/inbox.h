#ifndef FETCHD_INBOX_H
#define FETCHD_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"
#include "seen.h"

/*
 * Where messages go: through the filters, to every target, exactly once.
 * A message is queued when its bytes are spooled, and *settled* when it is
 * durable at its targets and so recorded in the state: a batch at a time
 * (256 messages, 8 MiB or one second; at once behind a pipe).  While one batch
 * is made durable, the next one comes in.  Only what is settled may be deleted
 * at its source.
 */
struct inbox;

struct inbox_item {
	struct seen_key key; /* digest: filled in by the inbox */
	size_t cookie;       /* the caller's own */
	const char *folder;  /* borrowed, for FETCHD_FOLDER */
	const char *uid;     /* borrowed, for FETCHD_UID */
	bool headers_only;   /* recorded so, and never deleted */
};

enum inbox_result {
	INBOX_QUEUED,  /* will be settled */
	INBOX_REFUSED, /* a filter or pipe did not take it: it stays */
	INBOX_KNOWN,   /* its header is known already: nothing was done */
};

/*
 * Opens the targets (creating Maildirs) and puts in place what an earlier run
 * left on its way.  Call it before the sandbox: it may touch targets that are
 * no longer configured.
 */
int inbox_open(const struct fetch *, const struct options *, struct seen *,
    int ask_fd, struct inbox **, struct err *);
void inbox_close(struct inbox *); /* drops what is not settled */

/* One message: begin, data in order, end.  -1 is a local failure that ends the
 * run (ERR_LOCAL). */
int inbox_begin(struct inbox *, const struct inbox_item *, struct err *);
int inbox_data(struct inbox *, const char *, size_t, struct err *);
/* Says which message it is, when that became known only behind the data. */
void inbox_identify(struct inbox *, const struct inbox_item *);
/* With check_known, a message whose header the state knows is dropped.  For
 * INBOX_REFUSED, *e says why.  After a stop no further command is started:
 * then -1 with ERR_TEMP. */
int inbox_end(
    struct inbox *, bool check_known, enum inbox_result *, struct err *);
void inbox_abort(struct inbox *); /* it will not be complete */

/*
 * Call it behind each message: a batch that is full or old is sent on its way,
 * and one that became durable meanwhile is settled.  With `now` all is settled
 * that was queued, and durable on return.  The cookies of what was settled are
 * in *cookies_r, borrowed until the next call; *n_r is 0 when nothing was.
 */
int inbox_settle(struct inbox *, bool now, const size_t **cookies_r,
    size_t *n_r, struct err *);

/* A connection was lost: what is not settled is dropped. */
void inbox_discard(struct inbox *);

/*
 * Nothing more is coming for now: forgets what was placed, so that a later
 * run has no cause to look for it.  inbox_close() does it too.
 */
int inbox_rest(struct inbox *, struct err *);

/* When to settle now if nothing more comes: clock_ms() terms; 0: nothing is
 * queued. */
int64_t inbox_due(const struct inbox *);

/*
 * Records in the same commit as the next settling that all UIDs of the folder
 * below `next` are dealt with (IMAP).
 */
void inbox_watermark(struct inbox *, const struct seen_folder *);

/* Adds the header digests of all messages in the Maildir targets to the state
 * (SEEN_LOCAL), so that they are known; *n_r: how many. */
int inbox_learn(struct inbox *, size_t *n_r, struct err *);

#endif
