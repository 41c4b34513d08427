#ifndef SENDQ_QUEUE_H
#define SENDQ_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/words.h"
#include "envelope.h"

/*
 * The spool directory (sendq.spool(5)): plain files, that any number of
 * callers and runners share.
 *
 *	tmp/       being accepted
 *	queue/     ID.eml, the bytes as they will be sent, and ID.env
 *	failed/    the same, of messages that ended with a failed recipient
 *	accounts/  what is known of each account (standing)
 *	log        what became of every message
 *	lock       held shared while a message is accepted
 *
 * A message is there when its .env is in queue/. Whoever changes it holds
 * flock(2) on the .env, and looks then whether the name is still that file's.
 * So does whoever accepts it, until it is durable: for those who watch queue/,
 * it comes with IN_MOVED_TO, and is to be had from IN_CLOSE_WRITE on.
 */
/*
 * "6925c0a0-3f9ac1b2" and NUL: the time, to 4096ths of a second, and
 * randomness; sorted, they are in order.
 */
#define QUEUE_ID 24

struct queue {
	char *path;                            /* owned */
	int dir, tmp, ready, failed, accounts; /* directories */
};

/* $STATE_DIRECTORY or $XDG_STATE_HOME/mailroom/sendq; made when missing. */
int queue_open(struct queue *, struct err *);
void queue_close(struct queue *);

/* --- accepting --------------------------------------------------------- */

struct queue_draft {
	struct queue *queue; /* borrowed */
	char id[QUEUE_ID];
	int fd; /* tmp/ID.eml: the caller writes the message there */
	int lock;
};

/* Begins: a new ID; waits for the spool's lock when someone tidies it. */
int queue_draft(struct queue *, struct queue_draft *, struct err *);

/*
 * Makes it durable and known, in this order: fsync .eml, write and fsync
 * .env, rename .eml, rename .env, fsync queue/. When it returns 0 the message
 * survives a power cut; when it returns -1 nothing is left. Ends the draft.
 */
int queue_commit(struct queue_draft *, const struct envelope *, struct err *);
void queue_abandon(struct queue_draft *);

/*
 * Removes what crashes left: everything in tmp/, and a .eml without .env; one
 * that has it in the other folder is moved there. Does nothing while anyone is
 * accepting.
 */
void queue_tidy(struct queue *);

/* --- what is there ----------------------------------------------------- */

/* The IDs, oldest first, appended to *ids. */
int queue_ids(struct queue *, bool failed, struct words *ids, struct err *);

/*
 * The one ID that begins with this text, in queue/ or failed/: 0; -1:
 * ERR_CONFIG (EX_USAGE) for none or several.
 */
int queue_find(struct queue *, const char *prefix, char id_r[QUEUE_ID],
    bool *failed_r, struct err *);

enum queue_hold {
	QUEUE_LOOK, /* no lock: what it said at this moment */
	QUEUE_TAKE, /* locked, or else not at all */
	QUEUE_WAIT, /* locked; waits for whoever has it */
};

struct message {
	struct queue *queue; /* borrowed */
	char id[QUEUE_ID];
	bool failed; /* it lies in failed/ */
	bool locked;
	int env_fd, eml_fd; /* owned; eml_fd -1 until message_body() */
	struct envelope env;
	bool torn;    /* the file does not end with a newline */
	bool dirty;   /* something was appended and not synced */
	bool changed; /* something was appended since it was opened */
	bool settled; /* for someone, before it was opened */
};

/*
 * 1: opened, and *m has to be closed; 0: it is not there any more, or (TAKE)
 * another has it: *busy_r, which may be NULL, tells. -1: it cannot be read.
 */
int message_open(struct queue *, const char *id, bool failed, enum queue_hold,
    struct message *m, bool *busy_r, struct err *);
void message_close(struct message *); /* and unlocks */

/* Opens ID.eml for reading, at its begin. */
int message_body(struct message *, struct err *);

/* --- changing it; it must be locked ------------------------------------ */

/*
 * Adds to the history, in the file and in m->env; time is set here. Durable
 * only after message_sync(). What a crash left of a line is ended first.
 */
int message_append(struct message *, const struct history *, struct err *);
/* The same in short; rcpts may be NULL. */
int message_note(struct message *, enum event, const struct uidset *rcpts,
    int64_t at, const char *text, struct err *);
/*
 * Room on the disk for n octets more of history, whatever else fills it: what
 * a server says cannot be asked again. Not every file system can promise that;
 * of one that cannot, nothing is asked.
 */
int message_reserve(struct message *, size_t n, struct err *);
void message_start_sync(struct message *); /* starts the write-back */
int message_sync(struct message *, struct err *);

/*
 * They are over. Adds their lines to the log, durable at once for all, then:
 * removes them, or, where a recipient failed, moves them to failed/ (.env
 * last, so that a crash between repeats it; the log has their lines once
 * nevertheless).
 */
int message_finish(struct message *const *, size_t n, struct err *);
/* Taken back by its owner. */
int message_remove(struct message *, struct err *);
/* EVENT_RETRY, durable; and from failed/ back to queue/. */
int message_requeue(struct message *, int64_t at, struct err *);

#endif
