/*
 * Times as people write them, and back. The local time zone is libc's matter.
 */

#include "when.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/span.h"
#include "base/time.h"

#define AHEAD_MAX (10 * 366 * INT64_C(86400))

static struct tm
local(int64_t t)
{
	struct tm tm = {0};
	time_t seconds = (time_t)t;

	(void)localtime_r(&seconds, &tm);
	return tm;
}

int
when_zone(int64_t t)
{
	return (int)(local(t).tm_gmtoff / 60);
}

const char *
when_show(int64_t t, char out[WHEN_SHOWN])
{
	struct tm tm = local(t);

	if (strftime(out, WHEN_SHOWN, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		out[0] = '\0';
	return out;
}

const char *
when_stamp(int64_t t, char out[WHEN_SHOWN])
{
	struct tm tm = local(t);
	int minutes = abs(when_zone(t));
	size_t n = strftime(out, WHEN_SHOWN, "%Y-%m-%dT%H:%M:%S", &tm);

	snprintf(out + n, WHEN_SHOWN - n, "%c%02d:%02d",
	    tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60 % 24, minutes % 60);
	return out;
}

/* --- reading ---------------------------------------------------------- */

/* Cuts a character off. */
static bool
cut(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* Cuts a number of so many digits off, from least to most. */
static bool
number(struct span *s, size_t digits, int least, int most, int *n_r)
{
	struct span word = {s->p, digits};
	uint64_t n;

	if (s->n < digits || !span_number(word, (uint64_t)most, &n) ||
	    (int)n < least)
		return false;
	*s = span_skip(*s, digits);
	*n_r = (int)n;
	return true;
}

static bool
get_date(struct span *s, struct tm *tm)
{
	if (!number(s, 4, 1970, 9999, &tm->tm_year) || !cut(s, '-') ||
	    !number(s, 2, 1, 12, &tm->tm_mon) || !cut(s, '-') ||
	    !number(s, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return cut(s, 'T') || cut(s, 't') || cut(s, ' ');
}

/* "08:00", "08:00:30", "08:00:30.25" */
static bool
get_clock(struct span *s, struct tm *tm)
{
	int digit;

	tm->tm_sec = 0;
	if (!number(s, 2, 0, 23, &tm->tm_hour) || !cut(s, ':') ||
	    !number(s, 2, 0, 59, &tm->tm_min))
		return false;
	if (!cut(s, ':'))
		return true;
	if (!number(s, 2, 0, 60, &tm->tm_sec))
		return false;
	if (cut(s, '.'))
		while (number(s, 1, 0, 9, &digit))
			continue;
	return true;
}

/* "Z", "+01:00": seconds east. */
static bool
get_zone(struct span *s, int *east_r)
{
	bool west = s->n > 0 && s->p[0] == '-';
	int hours, minutes;

	*east_r = 0;
	if (cut(s, 'Z') || cut(s, 'z'))
		return true;
	if ((!cut(s, '+') && !cut(s, '-')) || !number(s, 2, 0, 23, &hours))
		return false;
	cut(s, ':');
	if (!number(s, 2, 0, 59, &minutes))
		return false;
	*east_r = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

/* A day that the month does not have (or an hour that is left out in spring)
 * would become another: only the former is a mistake. */
static bool
to_seconds(struct tm *tm, bool dated, int64_t *t_r)
{
	int day = tm->tm_mday;

	tm->tm_isdst = -1;
	*t_r = (int64_t)mktime(tm);
	return !dated || tm->tm_mday == day;
}

static bool
with_date(struct span s, struct tm *tm, int64_t *t_r)
{
	int east;

	if (!get_date(&s, tm) || !get_clock(&s, tm))
		return false;
	if (s.n == 0)
		return to_seconds(tm, true, t_r);
	cut(&s, ' ');
	if (!get_zone(&s, &east) || s.n > 0)
		return false;
	*t_r = time_utc(tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday,
		   tm->tm_hour, tm->tm_min, tm->tm_sec) -
	       east;
	return true;
}

/* "08:00", "today 08:00", "tomorrow 08:00"; tm is that of now. */
static bool
without_date(struct span s, struct tm *tm, int64_t now, int64_t *t_r)
{
	bool today = span_prefix(s, "today "),
	     tomorrow = span_prefix(s, "tomorrow ");
	struct tm next;

	if (today || tomorrow)
		s = span_trim(span_skip(s, (size_t)span_find(s, ' ')));
	if (!get_clock(&s, tm) || s.n > 0)
		return false;
	tm->tm_mday += tomorrow;
	next = *tm;
	to_seconds(tm, false, t_r);
	if (*t_r > now || today || tomorrow)
		return true;
	next.tm_mday++;
	return to_seconds(&next, false, t_r);
}

static bool
any(const char *text, int64_t now, int64_t *t_r)
{
	struct span s = span_trim(span_of(text));
	struct tm tm = local(now);
	int64_t ms;

	if (s.n > 0 && s.p[0] == '+') {
		if (!time_duration(text + (s.p - text) + 1, &ms))
			return false;
		*t_r = now + (ms + 999) / 1000;
		return true;
	}
	return with_date(s, &tm, t_r) || without_date(s, &tm, now, t_r);
}

int
when_parse(const char *text, int64_t now, int64_t *t_r, struct err *e)
{
	char shown[WHEN_SHOWN];

	if (!any(text, now, t_r))
		return err_code(e, ERR_CONFIG, EX_USAGE,
		    "--at %s: no time that is understood; write "
		    "\"2026-12-01 08:00\", 08:00, \"tomorrow 08:00\" or +2h",
		    text);
	if (*t_r < now)
		return err_code(e, ERR_CONFIG, EX_USAGE, "--at %s: %s is past",
		    text, when_show(*t_r, shown));
	if (*t_r > now + AHEAD_MAX)
		return err_code(e, ERR_CONFIG, EX_USAGE,
		    "--at %s: that is over ten years ahead", text);
	return 0;
}
