#ifndef SYNCD_PLAN_H
#define SYNCD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uidset.h"

/*
 * What to do about a message, decided from three views of it: what both sides
 * agreed on last (base), what the Maildir shows, what the server shows.  Pure:
 * no names, no bytes, no order.  The order of doing it is apply's.
 *
 * Flags are a set of bits.  Against the base each bit has changed on neither
 * side, on one, or on both to the same value, so flags never conflict.  A
 * deletion wins over a change of flags.  Content never changes under a UID.
 */
typedef uint64_t plan_flags;
#define PLAN_SEEN ((plan_flags)1 << 0)                /* S, \Seen */
#define PLAN_ANSWERED ((plan_flags)1 << 1)            /* R, \Answered */
#define PLAN_FLAGGED ((plan_flags)1 << 2)             /* F, \Flagged */
#define PLAN_DELETED ((plan_flags)1 << 3)             /* T, \Deleted */
#define PLAN_DRAFT ((plan_flags)1 << 4)               /* D, \Draft */
#define PLAN_PASSED ((plan_flags)1 << 5)              /* P, $Forwarded */
#define PLAN_KEYWORD(k) ((plan_flags)1 << (32 + (k))) /* a..z: 0..25 */

/* What one side shows now. */
struct plan_view {
	bool there;
	plan_flags flags;
	uint64_t size; /* remote: octets, as the server tells it */
};

/* What was agreed. */
struct plan_base {
	bool paired;        /* the two were known to be the same message */
	bool local, remote; /* paired: the half was there, when last we knew */
	plan_flags flags;
	bool placeholder; /* the file holds the header and a note only */
	bool left_out;    /* it is not here because of our limits: nobody
	                   * deleted it */
};

struct plan_message {
	struct plan_base base;
	struct plan_view local, remote;
	uint32_t uid;     /* 0: not on the server */
	int64_t date;     /* when it came there, seconds; 0: not known */
	bool placeholder; /* not paired: by its own header the file is one */
};

/* What travels towards a side, by `pull` (local) and `push` (remote). */
struct plan_way {
	bool new, flags, gone;
	bool expunge; /* what is deleted is removed there, not only marked */
};

struct plan_options {
	struct plan_way to_local, to_remote;
	plan_flags known;  /* flags that both sides can store */
	uint64_t max_size; /* octets; larger ones are pulled as placeholders, or
			    * not at all; 0: no limit */
	bool placeholders;
	bool headers_only; /* all are placeholders, whatever their size */

	/* The window: what lies outside of it is not kept here.  0: no limit */
	uint32_t first; /* the UID that it begins with: plan_first()'s */
	int64_t oldest; /* what came before that is outside */
	bool keep_unread;
	bool anew; /* the limits were others: what was left out is judged by
	            * the new ones, as if it came now */
};

/* What is to be done.  Each member stands for one kind of operation. */
struct plan {
	bool pull;        /* the file is made, with local_flags */
	bool placeholder; /* pull: of the header only */
	bool push;        /* APPEND, with remote_flags */
	bool upgrade;     /* the placeholder becomes the whole message */
	bool set_local, set_remote; /* the flags become those */
	plan_flags local_flags, remote_flags;
	bool delete_local;      /* the file is removed, or goes to the trash */
	bool delete_remote;     /* \Deleted and UID EXPUNGE, or to the trash,
	                         * where it is to have remote_flags */
	bool expire;            /* `after` is written down, durably; then the
	                         * file goes if it is still as it was seen */
	bool again;             /* once this is done, something may expire */
	bool forget;            /* the base's row has no more meaning */
	struct plan_base after; /* what is agreed once all that is done */
	bool remember; /* `after` is not what the base was: a row to write */
};

/* Whether anything is to be done on a side (or to be written down). */
bool plan_is_empty(const struct plan *);

/*
 * The plan for one message.  A message that nobody remembers and both show is
 * one that was recognised (6.6): its flags are joined, \Deleted only if both
 * have it.
 *
 * A deletion mark that a mail reader sets in the Maildir is a wish to delete:
 * with `expunge` it is carried out on both sides.  One that another client
 * sets on the server is only shown in the Maildir: that client will expunge
 * it, or not; so is a mark that both have, for it may be ours.
 *
 * What is outside of the window, or too large, is left out: it is remembered as
 * being on the server only, so that its absence here is nobody's deletion, and
 * stays out until it is flagged or the limits change.  A file expires only when
 * both sides agree on all of it; flagged ones never do.  A placeholder is never
 * pushed; once it is flagged the whole message takes its place.
 */
struct plan plan_message(
    const struct plan_message *, const struct plan_options *);

/* --- a folder as a whole ------------------------------------------------ */

/* Where the window of the newest `messages` begins, by the UIDs of those that
 * are here or may come; 0: all of them are in it. */
uint32_t plan_first(const struct uidset *, uint64_t messages);
/* Whether a message is one of those. */
bool plan_counts(const struct plan_message *, const struct plan_options *);

/*
 * The brake: whether so many deletions on one side, out of what is remembered
 * of the folder, are too many to be believed: over `percent` of it and over
 * PLAN_BRAKE_MIN.
 */
#define PLAN_BRAKE_MIN 20
bool plan_brake(uint64_t remembered, uint64_t deletions, unsigned int percent);

/*
 * Whether what the server told adds up: of the messages that were there,
 * so many vanished, so many came, so many it says are there now.
 */
bool plan_adds_up(
    uint64_t remembered, uint64_t vanished, uint64_t came, uint64_t exists);

/* --- moves --------------------------------------------------------------- */

/*
 * A message that is gone from a place, or new in one: what it is known by.
 * Equal keys (of a length of 16: a digest, EMAILID's hash, or a file's unique
 * name's) and equal sizes are the same message; size 0 is equal to any.
 */
struct plan_trace {
	unsigned char key[16];
	uint64_t size;
	uint32_t folder; /* the caller's number for it */
	size_t cookie;   /* the caller's */
};

struct plan_move {
	size_t gone, came; /* cookies */
};

/*
 * Pairs what is gone with what came, in another folder: each at most once, in
 * the order given where several are alike.  moves_r has room for as many as
 * the smaller list has; returns how many there are.  Sorts both lists.
 */
size_t plan_moves(struct plan_trace *gone, size_t n_gone,
    struct plan_trace *came, size_t n_came, struct plan_move *moves_r);

#endif
