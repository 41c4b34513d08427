#ifndef CLIENT_STAY_H
#define CLIENT_STAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * What it takes to stay, whatever is watched: a word to the service manager,
 * waits that keep its watchdog quiet, noticing that the machine was asleep, and
 * a pause before what was lost is tried again.  Times are in ms, moments in
 * clock_ms() terms.
 */
struct stay {
	int ask_fd;    /* leads to the parent (os/ask) */
	int64_t pause; /* before the next try */
};

void stay_init(struct stay *, int ask_fd);

/* As notify_send(), by the parent. */
void stay_tell(const struct stay *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * When a wait until then is to be interrupted at the latest: the watchdog wants
 * to hear of us, and poll(2) does not count the time that the machine slept.
 */
int64_t stay_until(int64_t until);

/* Whether the machine was asleep in a wait that was to end at `until`, at the
 * latest: nobody knows then what became of the connections. */
bool stay_slept(int64_t until);

/* Sleeps until then, or a stop. */
void stay_sleep(const struct stay *, int64_t until);

/*
 * After an error: false when a person must mend it, or a stop was asked for;
 * else says so, sleeps for the pause, which grows from a second to five minutes
 * with each time, and is true.
 */
bool stay_again(struct stay *, const struct err *);

/* All is well: the next pause is the shortest again. */
void stay_well(struct stay *);

#endif
