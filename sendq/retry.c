/*
 * When to try again: soon at first, since most troubles are short, and then
 * ever more rarely, since what lasts an hour may last a day.
 */

#include "retry.h"

#include <stddef.h>

#define MINUTE 60
#define HOUR 3600

/* The last of a row is for all attempts from there on. 0 ends it. */
static const int64_t normal[] = {1 * MINUTE, 2 * MINUTE, 5 * MINUTE,
    10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, 0};
static const int64_t greylist[] = {5 * MINUTE, 5 * MINUTE, 5 * MINUTE,
    10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, 0};
static const int64_t rate[] = {
    15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 0};
static const int64_t hours[] = {HOUR, 2 * HOUR, 4 * HOUR, 0};
static const int64_t day[] = {24 * HOUR, 0};
static const int64_t login[] = {HOUR, 0};
static const int64_t doubt[] = {30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 0};

static const int64_t *
row_of(enum outcome_pace pace)
{
	switch (pace) {
	case PACE_NORMAL:
		return normal;
	case PACE_GREYLIST:
		return greylist;
	case PACE_NEXT:
		break;
	case PACE_RATE:
		return rate;
	case PACE_HOURS:
		return hours;
	case PACE_DAY:
		return day;
	case PACE_LOGIN:
		return login;
	case PACE_DOUBT:
		return doubt;
	}
	return NULL;
}

/*
 * Where less than the whole time is of no use (greylisting, quotas, what may
 * have arrived), the jitter only adds.
 */
static bool
is_least(enum outcome_pace pace)
{
	return pace == PACE_GREYLIST || pace == PACE_DAY ||
	       pace == PACE_DOUBT || pace == PACE_LOGIN;
}

int64_t
retry_delay(enum outcome_pace pace, unsigned int attempts, uint32_t random)
{
	const int64_t *row = row_of(pace);
	int64_t delay, span;
	unsigned int i;

	if (row == NULL)
		return 0;
	for (i = 1; i < attempts && row[1] != 0; i++)
		row++;
	delay = *row;
	span = delay / 8;
	if (is_least(pace))
		return delay + random % (span + 1);
	return delay - span + random % (2 * span + 1);
}
