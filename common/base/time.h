#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Durations and sizes as people write them in a configuration. */

/*
 * "90", "90s", "15m", "2h", "14d", "2w": seconds when no unit is given.
 * Result in milliseconds ("250ms" is taken too).  False when it is not one
 * or over 10,000 days.
 */
bool time_duration(const char *, int64_t *ms_r);

/* "500", "64k", "25M", "2G" (powers of 1024; B, KB, KiB... also). */
bool time_size(const char *, uint64_t *bytes_r);

/*
 * For people: "3 d 4 h", "1 min 5 s", "12 s"; and "25.0 MB" (of 1024 KB).
 * Writes at most 32 bytes.
 */
void time_show_duration(int64_t ms, char out_r[32]);
void time_show_size(uint64_t bytes, char out_r[32]);

/*
 * Seconds since 1970 of a UTC date (proleptic Gregorian), and an IMAP
 * date-time ("17-Jul-1996 02:44:25 -0700", RFC 9051 section 9); -1 when it
 * is not one.  Years 1 to 9999, month 1 to 12; before 1970 it is negative.
 */
int64_t time_utc(int year, int month, int day, int hour, int min, int sec);
int64_t time_imap(const char *, uint64_t len);

/* The same as text, in UTC; times out of those years become the nearest in
 * them. */
#define TIME_MAIL 64
void time_imap_text(int64_t t, char out_r[TIME_MAIL]);

/*
 * "Tue, 24 Nov 2026 10:00:00 +0100": seconds since 1970 as a message's Date
 * (RFC 5322 section 3.3), in a zone so many minutes east of Greenwich (within
 * a day of it).  Times out of the years 1 to 9999 become the nearest in them.
 */
void time_mail(int64_t t, int zone, char out_r[TIME_MAIL]);

#endif
