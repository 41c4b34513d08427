/*
 * Durations, sizes and dates between their written and their numeric forms.
 * No clock is read here.
 */

#include "base/time.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/span.h"

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define DURATION_MAX (INT64_C(10000) * DAY)

static const char month_names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool
time_duration(const char *s, int64_t *ms_r)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
	    {"", SECOND},
	    {"s", SECOND},
	    {"ms", 1},
	    {"m", MINUTE},
	    {"h", HOUR},
	    {"d", DAY},
	    {"w", 7 * DAY},
	};
	size_t i, digits = strspn(s, "0123456789");
	uint64_t v;

	if (!span_number(span_bytes(s, digits), DURATION_MAX, &v))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(s + digits, units[i].name) != 0)
			continue;
		if (v > DURATION_MAX / units[i].ms)
			return false;
		*ms_r = (int64_t)(v * units[i].ms);
		return true;
	}
	return false;
}

bool
time_size(const char *s, uint64_t *bytes_r)
{
	static const char units[] = "kmgt";
	size_t digits = strspn(s, "0123456789");
	unsigned shift = 0;
	const char *q;
	uint64_t v;

	if (!span_number(span_bytes(s, digits), UINT64_MAX, &v))
		return false;
	s += digits;
	if (*s != '\0' && (q = strchr(units, *s | 0x20)) != NULL) {
		shift = 10 * (unsigned)(q - units + 1);
		s++;
		if (strcasecmp(s, "ib") == 0)
			s++;
	}
	if (strcasecmp(s, "b") == 0)
		s++;
	if (*s != '\0' || v > UINT64_MAX >> shift)
		return false;
	*bytes_r = v << shift;
	return true;
}

void
time_show_duration(int64_t ms, char out_r[32])
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
	    {"d", DAY},
	    {"h", HOUR},
	    {"min", MINUTE},
	    {"s", SECOND},
	    {"ms", 1},
	};
	size_t i;
	int whole, rest;

	if (ms < 0)
		ms = 0;
	if (ms > INT32_MAX * (int64_t)DAY)
		ms = INT32_MAX * (int64_t)DAY;
	for (i = 0; i < 4 && ms < units[i].ms; i++)
		;
	whole = (int)(ms / units[i].ms);
	rest = i < 3 ? (int)(ms % units[i].ms / units[i + 1].ms) : 0;
	if (rest > 0)
		snprintf(out_r, 32, "%d %s %d %s", whole, units[i].name, rest,
		    units[i + 1].name);
	else
		snprintf(out_r, 32, "%d %s", whole, units[i].name);
}

void
time_show_size(uint64_t bytes, char out_r[32])
{
	static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(out_r, 32, "%u B", (unsigned)bytes);
		return;
	}
	/* What would be rounded to 1024.0 is one of the next unit. */
	for (; v >= 1023.95 && i < 5; i++)
		v /= 1024;
	snprintf(out_r, 32, "%.1f %s", v, units[i]);
}

static bool
is_leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

int64_t
time_utc(int year, int month, int day, int hour, int min, int sec)
{
	static const int length[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const int before[] = {
	    0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int64_t days, y = year - 1;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
	    day > length[month - 1] + (month == 2 && is_leap(year)))
		return -1;
	if (hour < 0 || hour > 23 || min < 0 || min > 59 || sec < 0 || sec > 60)
		return -1;
	/* 719162 days lie between 0001-01-01 and 1970-01-01. */
	days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
	days += before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
	return ((days * 24 + hour) * 60 + min) * 60 + sec;
}

/* The date of a day, counted from 1970-01-01, in the years 1 to 9999. */
static void
date_of(int64_t day, int *year_r, int *month_r, int *day_r)
{
	int year = (int)((day + 719162) * 400 / 146097) + 1, month = 1;

	/* The mean length of a year is right to within one. */
	while (year > 1 && time_utc(year, 1, 1, 0, 0, 0) / 86400 > day)
		year--;
	while (year < 9999 && time_utc(year + 1, 1, 1, 0, 0, 0) / 86400 <= day)
		year++;
	while (
	    month < 12 && time_utc(year, month + 1, 1, 0, 0, 0) / 86400 <= day)
		month++;
	*year_r = year;
	*month_r = month;
	*day_r = (int)(day - time_utc(year, month, 1, 0, 0, 0) / 86400) + 1;
}

static int64_t
within(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

/* Days since 0001-01-01, a Monday, and the date and the second in the day. */
struct moment {
	int64_t days;
	int year, month, day, second;
};

static struct moment
moment_of(int64_t t, int east)
{
	const int64_t first = time_utc(1, 1, 1, 0, 0, 0);
	const int64_t last = time_utc(9999, 12, 31, 23, 59, 59);
	struct moment m;

	t = within(within(t, first, last) + east * 60, first, last) - first;
	m.days = t / 86400;
	m.second = (int)(t % 86400);
	date_of(m.days + first / 86400, &m.year, &m.month, &m.day);
	return m;
}

void
time_mail(int64_t t, int zone, char out_r[TIME_MAIL])
{
	static const char days[][4] = {
	    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	int east = (int)within(zone, -1439, 1439),
	    off = east < 0 ? -east : east;
	struct moment m = moment_of(t, east);

	snprintf(out_r, TIME_MAIL, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d",
	    days[m.days % 7], m.day, month_names[m.month - 1], m.year,
	    m.second / 3600, m.second / 60 % 60, m.second % 60,
	    east < 0 ? '-' : '+', off / 60, off % 60);
}

/* n digits at p as a number; -1 when they are not digits. */
static int
digits_at(const char *p, size_t n)
{
	uint64_t v;

	return span_number(span_bytes(p, n), 9999, &v) ? (int)v : -1;
}

static int
month_at(const char *p)
{
	int i;

	for (i = 0; i < 12; i++)
		if (strncasecmp(p, month_names[i], 3) == 0)
			return i + 1;
	return -1;
}

int64_t
time_imap(const char *s, uint64_t len)
{
	/* The shape, with '0' for what is read below. */
	static const char shape[] = "00-000-0000 00:00:00 00000";
	int day, zh, zm;
	int64_t t;
	size_t i;

	if (len != sizeof(shape) - 1)
		return -1;
	for (i = 0; i < len; i++)
		if (shape[i] != '0' && s[i] != shape[i])
			return -1;
	day = s[0] == ' ' ? digits_at(s + 1, 1) : digits_at(s, 2);
	t = time_utc(digits_at(s + 7, 4), month_at(s + 3), day,
	    digits_at(s + 12, 2), digits_at(s + 15, 2), digits_at(s + 18, 2));
	zh = digits_at(s + 22, 2);
	zm = digits_at(s + 24, 2);
	if (t == -1 || (s[21] != '+' && s[21] != '-') || zh == -1 || zm == -1 ||
	    zm > 59)
		return -1;
	return s[21] == '+' ? t - (zh * 60 + zm) * 60 : t + (zh * 60 + zm) * 60;
}

void
time_imap_text(int64_t t, char out_r[TIME_MAIL])
{
	struct moment m = moment_of(t, 0);

	snprintf(out_r, TIME_MAIL, "%02d-%s-%04d %02d:%02d:%02d +0000", m.day,
	    month_names[m.month - 1], m.year, m.second / 3600,
	    m.second / 60 % 60, m.second % 60);
}
