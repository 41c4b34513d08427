#ifndef SENDQ_STANDING_H
#define SENDQ_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "queue.h"
#include "standing_page.h"

/*
 * How an account stands with its provider: what was sent in the last day, for
 * `limit`; whether all its mail waits, until when and why; and how many
 * sessions are open. In accounts/NAME, shared by all runners; each change is
 * made under a lock and is durable: -1 where it could not be (ERR_TEMP: a stop
 * was asked for while another had the lock). A damaged line is as none.
 */
struct standing {
	struct queue *queue;        /* borrowed */
	char *account;              /* owned */
	const struct limit *limits; /* borrowed */
	size_t n_limits;
};

void standing_init(struct standing *, struct queue *, const char *account,
    const struct limit *, size_t n_limits);
void standing_clear(struct standing *);

/*
 * A place for a session, of `connections`: its descriptor, to be closed at the
 * end; -1 in *fd_r when all are taken.
 */
int standing_session(
    struct standing *, unsigned int connections, int *fd_r, struct err *);

/*
 * Asks for up to `want` recipients now: *got_r (0 when the limit is reached)
 * and, when fewer than wanted, *next_r says when there will be more. What is
 * got counts from now on, in all runners, also after a crash; what was not
 * used is given back, by the process that got it. Without limits, nothing is
 * written.
 */
int standing_reserve(struct standing *, int64_t now, uint64_t want,
    uint64_t *got_r, int64_t *next_r, struct err *);
int standing_give_back(
    struct standing *, int64_t now, uint64_t n, struct err *);

/*
 * From when on the limits allow one more recipient: now, or later; INT64_MAX:
 * never. Waits for no lock; now, too, when the file cannot be read.
 */
int64_t standing_room(struct standing *, int64_t now);

/*
 * All mail of the account waits until then; login: its login was refused, and
 * the wait ends when `stamp` (what config_stamp() of the credentials' files
 * gave) is another. Text: why, for people.
 */
int standing_pause(struct standing *, int64_t now, int64_t until, bool login,
    int64_t stamp, const char *text, struct err *);
/* It goes well again: a pause ends; writes only if there was one. */
int standing_resume(struct standing *, struct err *);

/*
 * How many pauses there were since the last standing_resume(), 1000 at most:
 * how often it was tried in vain, for retry_delay(). 0 also when the file
 * cannot be read.
 */
unsigned int standing_pauses(struct standing *);

/*
 * Whether it waits: 1 (*until_r, and why, owned by the caller; text_r may be
 * NULL), 0, or -1. Waits for no lock. No pause outlives a clock that was set
 * back to before it.
 */
int standing_paused(struct standing *, int64_t now, int64_t stamp,
    int64_t *until_r, char **text_r, struct err *);

/* The same for lists: also a login's pause that other credentials may have
 * ended. */
int standing_waits(struct standing *, int64_t now, int64_t *until_r,
    char **text_r, struct err *);

/*
 * How large a message the server takes, in octets, as it said when it was last
 * asked (SIZE, RFC 1870); 0: it did not, or it cannot be told. Setting it
 * writes only what is new.
 */
uint64_t standing_size(struct standing *);
int standing_set_size(struct standing *, uint64_t size, struct err *);

#endif
