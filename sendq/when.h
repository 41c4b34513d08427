#ifndef SENDQ_WHEN_H
#define SENDQ_WHEN_H

#include <stdint.h>

#include "base/err.h"

/*
 * Times as people write them after --at, in the local time zone, in seconds
 * since 1970:
 *
 *	2026-12-01 08:00	also with seconds, and with 'T' between
 *	2026-12-01T08:00:00Z	RFC 3339; also with +01:00
 *	08:00			the next time that it is 08:00
 *	today 18:00
 *	tomorrow 08:00
 *	+2h			from now on (see base/time)
 *
 * -1: ERR_CONFIG (EX_USAGE), for what is none of these, and for what is past
 * or over ten years ahead.
 */
int when_parse(const char *text, int64_t now, int64_t *t_r, struct err *);

/* Minutes east of Greenwich, here and at this time. */
int when_zone(int64_t t);

/* "2026-12-01 08:00:00", for people; in local time. */
#define WHEN_SHOWN 32
const char *when_show(int64_t t, char out_r[WHEN_SHOWN]);

/* "2026-12-01T08:00:00+01:00", for programs (RFC 3339). */
const char *when_stamp(int64_t t, char out_r[WHEN_SHOWN]);

#endif
