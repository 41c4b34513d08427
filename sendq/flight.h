#ifndef SENDQ_FLIGHT_H
#define SENDQ_FLIGHT_H

#include "cargo.h"
#include "submit.h"

/*
 * A batch under way: its transactions, what is written of them and what is
 * known of their fate. flight_write.c puts commands and bodies on the wire,
 * flight_read.c takes the replies, flight_note.c writes the histories, and
 * flight_run.c turns one after the other.
 */

/* Bodies whose last octet may be out without an answer, together; a larger one
 * alone. What a kill leaves in doubt is no more than that. */
#define FLIGHT_WINDOW ((uint64_t)1024 * 1024)

/* A recipient of a transaction. */
enum seat {
	SEAT_ASKED,   /* RCPT is not answered, or not written yet */
	SEAT_TAKEN,   /* it was accepted */
	SEAT_NEXT,    /* another transaction will have it (452) */
	SEAT_SETTLED, /* its outcome is in the history, as far as there is one */
};

struct txn {
	size_t parcel;
	uint32_t *rcpts;   /* owned; numbers in the envelope */
	enum seat *seats;  /* owned; of each */
	size_t n;          /* of these */
	size_t said;       /* for how many RCPT was written, or left out */
	size_t unanswered; /* RCPTs written that have no reply */
	uint64_t put;      /* octets of the body written */
	uint64_t end;      /* octets of the connection up to the last of it; 0:
	                    * not all is written */
	uint64_t weight;   /* its part of flight.doubt */
	bool marked;       /* "sending" is durable */
	bool begun;        /* MAIL was written */
	bool refused;      /* MAIL was */
	bool go;           /* 354 came */
	bool no_go;        /* DATA was refused */
	bool over;         /* all is known */
};

/* What is to be written next. */
enum leg { LEG_RSET, LEG_MAIL, LEG_RCPT, LEG_START, LEG_GO, LEG_BODY, LEG_DOT };

struct flight {
	struct submit *s;       /* borrowed */
	struct parcel *parcels; /* borrowed */
	size_t n_parcels;
	struct cargo *cargos; /* owned; one a parcel */
	bool *loaded;         /* owned; its cargo is open */
	struct txn *txns;     /* owned */
	size_t n, cap;
	size_t writing; /* the transaction that is being written */
	enum leg leg;
	size_t reading;  /* the one that is being answered */
	uint64_t doubt;  /* octets of bodies marked and not answered */
	int64_t since;   /* last progress, clock_ms() */
	bool ending;     /* no further transaction is begun */
	bool broken;     /* the one being written cannot be ended */
	bool farewell;   /* the server has taken its leave: it has taken nothing
	                  * of what it did not answer */
	bool unrecorded; /* a history could not be written */
	struct err why;  /* of the session's end; kind 0: none */
};

void flight_init(struct flight *, struct submit *, struct parcel *, size_t n);
void flight_clear(struct flight *);

/* A further transaction, behind all others, for those that have SEAT_NEXT. */
void flight_again(struct flight *, struct txn *);

/* A transaction of this message is over: it counts as done with its last. */
void flight_count(struct flight *, size_t parcel);

struct message *flight_message(const struct flight *, const struct txn *);

/* The recipients with one of these seats (bits) are added to *set. */
#define SEAT_BIT(seat) (1u << (seat))
void flight_seats(const struct txn *, unsigned int seats, struct uidset *set);

/* --- (flight_note.c) --------------------------------------------------------- */

/*
 * What an outcome means for these recipients, in the history; they are then
 * settled. Of the account's or the session's outcome it is noted that it ends
 * the session.
 */
void flight_settle(struct flight *, struct txn *, const struct uidset *,
    struct outcome, const char *text);
/* The same for what we refuse ourselves, or what fails here. */
void flight_settle_err(
    struct flight *, struct txn *, const struct uidset *, const struct err *);

/* They are not sent before that time. */
void flight_keep(struct flight *, struct txn *, const struct uidset *,
    int64_t until, const char *text);

/* Nothing happened to them. */
void flight_unsent(struct flight *, struct txn *, const struct uidset *);

/* All that was noted becomes durable. */
void flight_sync(struct flight *);

/* The session ends: why; the first reason stands. */
void flight_end(struct flight *, struct outcome, const struct err *);

/* The connection is lost: of all that is not settled it is noted what may have
 * become of it. */
void flight_lose(struct flight *, const struct err *);

/* Notes "sending" for the transaction being written, and as many behind it as
 * fit the window when all go in one flight; durable. 1; 0: not before more is
 * answered; -1: it could not be recorded. */
int flight_mark(struct flight *, struct err *);

/*
 * The same for the one whose body is awaited now, without the sync: it shares
 * that of the outcomes that came with the 354.
 */
void flight_mark_next(struct flight *);

/* The transaction is answered, or was not worth its end. */
void flight_over(struct flight *, struct txn *);

/* (flight_write.c) Writes what may be written now. */
void flight_write(struct flight *);

/* (flight_read.c) Waits, and takes all replies that are there. -1: lost. */
int flight_hear(struct flight *, struct err *);

#endif
