#ifndef SENDQ_STANDING_PAGE_H
#define SENDQ_STANDING_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct limit {
	int64_t seconds; /* 60, 3600, 86400 */
	uint64_t n;      /* recipients in any such span */
};

struct sent_count {
	int64_t time;
	uint64_t n; /* recipients */
};

/*
 * What is written of an account: text to be appended to, whose replay is the
 * truth, as with a message's history. Pure.
 *
 *	1764104000 sent 3 4711 .
 *	1764104001 back 1 4711 .
 *	1764104002 pause 1764190402 1 550 5.4.5 Daily limit exceeded .
 *	1764104002 login 1764107602 1 99 535 5.7.8 not accepted .
 *	1764104003 resume .
 *	1764104003 size 26214400 .
 *
 * Sent: how many recipients, by which process; back: so many were not used.
 * Pause: until when, how many there were in a row, why; login: also the stamp
 * of the credentials. Size: the most that the server takes in a message.
 */
struct page {
	struct sent_count *sent; /* owned; oldest first */
	uint64_t *by;            /* owned; the process that sent it */
	size_t n, cap;
	bool paused, login;
	int64_t since, until;
	uint64_t pauses; /* in a row */
	uint64_t stamp;
	char *why;     /* owned */
	uint64_t most; /* octets of a message; 0: not told */
	bool torn;     /* the last line has no end */
	size_t size;   /* octets */
};

/*
 * How many more recipients the limits allow now, given what was sent (oldest
 * first), and from when on one more is allowed (INT64_MAX: never; now, if the
 * result is not 0). What was sent at t counts before t + seconds.
 */
uint64_t limit_room(const struct limit *, size_t n_limits,
    const struct sent_count *, size_t n, int64_t now, int64_t *next_r);

#define PAGE_MAX ((size_t)4 << 20) /* octets */

/* Replays the text; what is torn or unknown is skipped. */
void page_read(struct span text, struct page *);
void page_clear(struct page *);
void page_sent(struct page *, int64_t time, uint64_t n, uint64_t by);

/*
 * A clock that was ahead for a while would keep its sums for as long: what is
 * of the future is taken for new. True: by more than a clock is adjusted.
 */
bool page_tame(struct page *, int64_t now);

/*
 * What counts no more, for `keep` seconds or a day, is left out, and what was
 * sent minutes ago is told by the minute: as late as the last of it, so that
 * no limit is passed.
 */
void page_shorten(struct page *, int64_t now, int64_t keep);

/* Whether there is a pause now, with credentials of this stamp. */
bool page_paused(const struct page *, int64_t now, uint64_t stamp);

/* A line ("sent" or "back"), the pause, the size, all of it. -1: over the
 * limit. */
int page_put_count(
    struct buf *, int64_t time, const char *event, uint64_t n, uint64_t by);
int page_put_pause(struct buf *, const struct page *);
int page_put_most(struct buf *, int64_t time, uint64_t most);
int page_put(struct buf *, const struct page *, int64_t now);

#endif
