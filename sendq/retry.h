#ifndef SENDQ_RETRY_H
#define SENDQ_RETRY_H

#include <stdint.h>

#include "outcome.h"

/*
 * When to try again. Pure.
 *
 * attempts: how many were made, this one included (1 or more); random: any,
 * for a jitter of up to an eighth either way, or only longer where less would
 * be of no use (greylisting, a day's quota, logins, doubt). Returns seconds
 * from now, 0 for PACE_NEXT.
 */
int64_t retry_delay(enum outcome_pace, unsigned int attempts, uint32_t random);

#endif
