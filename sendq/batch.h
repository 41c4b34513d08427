#ifndef SENDQ_BATCH_H
#define SENDQ_BATCH_H

#include "copies.h"
#include "standing.h"
#include "submit.h"

/*
 * A worker at work: the messages it holds the locks of, the session they are
 * sent in, and how the account stands.
 */
#define BATCH_MAX 100

struct batch {
	const struct send *send; /* borrowed */
	struct queue *queue;     /* borrowed */
	struct standing standing;
	struct copies copies;
	struct submit submit;
	struct message held[BATCH_MAX]; /* opened and locked */
	struct parcel parcels[BATCH_MAX];
	struct uidset tried[BATCH_MAX]; /* owned; that session was theirs */
	size_t n;                       /* of all three */
	struct words stuck;  /* IDs with which something went wrong here */
	unsigned int losses; /* sessions in a row that brought nothing */
	int64_t stamp;       /* of the credentials: another, another login */
	bool waits;          /* nothing more is sent: the account waits, or
	                      * its limit is reached */
	int code;            /* exit code so far */
};

/*
 * Takes the message up, if there is something to do about it: 1, else 0. What
 * is not sending is done at once; the rest in batch_flush().
 */
int batch_take(struct batch *, const char *id);

/* Whether batch_take() would do something now, and nobody else has it. */
bool batch_wants(struct batch *, const char *id);

/*
 * Sends what was taken up and puts it down again: outcomes, copies, reports,
 * and the end of what is finished.
 */
void batch_flush(struct batch *);

/* --- (batch_account.c) ----------------------------------------------------------- */

/* Whether the account waits already, as an earlier run has left it. */
void batch_begin(struct batch *);

/* It is to wait, for what went wrong with it. Says so. */
void batch_suspend(struct batch *, struct outcome, const struct err *);

/* It goes well: what it had to wait for is over. */
void batch_resume(struct batch *);

/* Keeps in mind how large a message the server takes, for those who accept. */
void batch_note_size(struct batch *);

/* How many recipients the parcels have. */
uint64_t batch_count(const struct batch *);

/* Takes out of the parcels what is over the account's limits: the account then
 * waits. *got_r are left; what was not used of them is given back. */
int batch_reserve(struct batch *, uint64_t *got_r, struct err *);
int batch_give_back(struct batch *, uint64_t got, uint64_t used, struct err *);

/* The worse of the exit codes stands. */
void batch_worsen(struct batch *, int code);

/*
 * Changes when the account's credentials, or where they come from, change: a
 * login that was refused is then worth another try.
 */
int64_t batch_stamp(const struct send *);

#endif
