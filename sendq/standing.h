#ifndef SENDQ_STANDING_H
#define SENDQ_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "queue.h"

/*
 * How an account stands with its provider: what was sent in the last day, for
 * `limit`; whether all its mail waits, until when and why; and how many
 * sessions are open. In accounts/NAME, shared by all runners; each change is
 * made under a lock and is durable.
 */
struct limit {
	int64_t seconds; /* 60, 3600, 86400 */
	uint64_t n;      /* recipients in any such span */
};

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
 * used is given back.
 */
int standing_reserve(struct standing *, int64_t now, uint64_t want,
    uint64_t *got_r, int64_t *next_r, struct err *);
int standing_give_back(
    struct standing *, int64_t now, uint64_t n, struct err *);

/*
 * All mail of the account waits until then; login: its login was refused, and
 * the wait ends when `stamp` (what config_stamp() of the credentials' files
 * gave) is another. Text: why, for people.
 */
int standing_pause(struct standing *, int64_t now, int64_t until, bool login,
    int64_t stamp, const char *text, struct err *);
int standing_resume(struct standing *, struct err *);

/* Whether it waits: 1 (*until_r, and why, owned by the caller), 0, or -1. */
int standing_paused(struct standing *, int64_t now, int64_t stamp,
    int64_t *until_r, char **text_r, struct err *);

/* --- the pure part ------------------------------------------------------ */

struct sent_count {
	int64_t time;
	uint64_t n; /* recipients */
};

/*
 * How many more recipients the limits allow now, given what was sent (oldest
 * first), and when one more would be allowed if it is 0.
 */
uint64_t limit_room(const struct limit *, size_t n_limits,
    const struct sent_count *, size_t n, int64_t now, int64_t *next_r);

#endif
