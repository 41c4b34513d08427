/*
 * sendq/when: times as people write them, in several zones.
 */

#include "when.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/time.h"
#include "tap.h"

static struct err e;

/* Which day and hour it is, in UTC. */
static int64_t
parse(const char *text, int64_t now)
{
	int64_t t = -1;

	e.text[0] = '\0';
	return when_parse(text, now, &t, &e) == 0 ? t : -1;
}

static void
zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void
test_good(int64_t now)
{
	static const struct {
		const char *text;
		int day, hour, min, sec; /* of November and December, UTC */
		int month;
	} t[] = {
	    {"2026-12-01 08:00", 1, 7, 0, 0, 12},
	    {"2026-12-01T08:00", 1, 7, 0, 0, 12},
	    {" 2026-12-01 08:00:30 ", 1, 7, 0, 30, 12},
	    {"2026-12-01T08:00:00Z", 1, 8, 0, 0, 12},
	    {"2026-12-01t08:00:00.999z", 1, 8, 0, 0, 12},
	    {"2026-12-01T08:00:00+02:30", 1, 5, 30, 0, 12},
	    {"2026-12-01 08:00 -0500", 1, 13, 0, 0, 12},
	    {"18:00", 25, 17, 0, 0, 11},
	    {"13:00", 25, 12, 0, 0, 11},
	    {"12:00", 26, 11, 0, 0, 11},
	    {"08:00", 26, 7, 0, 0, 11},
	    {"08:00:05", 26, 7, 0, 5, 11},
	    {"today 18:00", 25, 17, 0, 0, 11},
	    {"tomorrow 08:00", 26, 7, 0, 0, 11},
	    {"Tomorrow  23:30", 26, 22, 30, 0, 11},
	    {"+2h", 25, 13, 30, 0, 11},
	    {"+90", 25, 11, 31, 30, 11},
	    {"+1d", 26, 11, 30, 0, 11},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(parse(t[i].text, now),
		    time_utc(2026, t[i].month, t[i].day, t[i].hour, t[i].min,
			t[i].sec),
		    "%s %s", t[i].text, e.text);
	is_int(parse("+1ms", now), now + 1, "no less than asked for");
}

static void
test_bad(int64_t now)
{
	static const char *const bad[] = {"", "soon", "8:00", "24:00", "08:60",
	    "08", "08:00:61", "08:00 x", "2026-12-01", "2026-13-01 08:00",
	    "2026-02-30 08:00", "2026-12-1 08:00", "26-12-01 08:00",
	    "2026-12-01T08:00:00+25:00", "2026-12-01T08:00:00Zulu", "tomorrow",
	    "tomorrow noon", "yesterday 08:00", "+", "+soon", "+-2h", "-2h",
	    "2026-12-01 08:00\n09:00"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_int(parse(bad[i], now), -1, "no time %zu", i);
		is_int(err_exit(&e), EX_USAGE, "usage");
	}
	is_int(parse("2026-11-25 08:00", now), -1, "past");
	ok(strstr(e.text, "past") != NULL, "%s", e.text);
	is_int(parse("today 08:00", now), -1, "past, today");
	is_int(parse("2126-11-25 08:00", now), -1, "%s", e.text);
}

/* Where days have 23 or 25 hours. */
static void
test_summer(void)
{
	int64_t march = time_utc(2026, 3, 28, 20, 0, 0);
	int64_t october = time_utc(2026, 10, 24, 20, 0, 0);

	is_int(parse("08:00", march), time_utc(2026, 3, 29, 6, 0, 0), "spring");
	is_int(parse("tomorrow 21:00", march), time_utc(2026, 3, 29, 19, 0, 0),
	    "in the evening");
	is_int(
	    parse("08:00", october), time_utc(2026, 10, 25, 7, 0, 0), "autumn");
	ok(parse("2026-03-29 02:30", march) > march, "an hour that is not");
	is_int(when_zone(march), 60, "winter's zone");
	is_int(when_zone(time_utc(2026, 7, 1, 0, 0, 0)), 120, "summer's");
}

static void
test_show(void)
{
	char out[WHEN_SHOWN];
	int64_t t = time_utc(2026, 12, 1, 7, 0, 5);

	is_str(when_show(t, out), "2026-12-01 08:00:05", "for people");
	is_str(when_stamp(t, out), "2026-12-01T08:00:05+01:00", "RFC 3339");
	is_int(parse(when_stamp(t, out), t - 9), t, "and back");
	zone("NST3:30");
	is_str(when_stamp(t, out), "2026-12-01T03:30:05-03:30", "west");
	is_int(when_zone(t), -210, "its minutes");
	is_int(parse(when_stamp(t, out), t - 9), t, "and back");
	zone("UTC");
	is_str(when_stamp(t, out), "2026-12-01T07:00:05+00:00", "Greenwich");
}

int
main(void)
{
	int64_t now = time_utc(2026, 11, 25, 11, 30, 0);

	zone(BERLIN);
	test_good(now);
	test_bad(now);
	test_summer();
	test_show();
	return done();
}
