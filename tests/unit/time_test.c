/*
 * Durations, sizes and dates, the dates against the C library's calendar.
 */

#include <limits.h>
#include <time.h>

#include "base/time.h"
#include "prng.h"
#include "tap.h"

static int64_t
duration(const char *s)
{
	int64_t ms = -7;

	return time_duration(s, &ms) ? ms : -1;
}

static void
test_duration(void)
{
	static const struct {
		const char *s;
		int64_t ms;
	} t[] = {
	    {"0", 0},
	    {"90", 90000},
	    {"90s", 90000},
	    {"250ms", 250},
	    {"15m", 900000},
	    {"2h", 7200000},
	    {"14d", INT64_C(1209600000)},
	    {"2w", INT64_C(1209600000)},
	    {"2W", INT64_C(1209600000)},
	    {"10000d", INT64_C(864000000000)},
	    {"864000000", INT64_C(864000000000)},
	    {"10001d", -1},
	    {"1429w", -1},
	    {"864000001", -1},
	    {"99999999999999999999", -1},
	    {"", -1},
	    {"s", -1},
	    {"-1", -1},
	    {"1.5h", -1},
	    {"2 h", -1},
	    {"2hh", -1},
	    {"2y", -1},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(duration(t[i].s), t[i].ms, "duration \"%s\"", t[i].s);
}

static void
test_size(void)
{
	static const struct {
		const char *s;
		uint64_t bytes;
		bool good;
	} t[] = {
	    {"0", 0, true},
	    {"500", 500, true},
	    {"500B", 500, true},
	    {"64k", 65536, true},
	    {"64KB", 65536, true},
	    {"64KiB", 65536, true},
	    {"25M", 26214400, true},
	    {"2G", UINT64_C(2147483648), true},
	    {"1T", UINT64_C(1099511627776), true},
	    {"18446744073709551615", UINT64_MAX, true},
	    {"16777215T", UINT64_C(16777215) << 40, true},
	    {"16777216T", 0, false},
	    {"18446744073709551616", 0, false},
	    {"", 0, false},
	    {"k", 0, false},
	    {"5ib", 0, false},
	    {"5ki", 0, false},
	    {"5kk", 0, false},
	    {"5 k", 0, false},
	    {"-5", 0, false},
	    {"5x", 0, false},
	};
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		v = 0;
		ok(time_size(t[i].s, &v) == t[i].good && v == t[i].bytes,
		    "size \"%s\"", t[i].s);
	}
}

static void
test_show(void)
{
	static const struct {
		int64_t ms;
		const char *want;
	} d[] = {
	    {0, "0 ms"},
	    {-5, "0 ms"},
	    {250, "250 ms"},
	    {12000, "12 s"},
	    {12900, "12 s"},
	    {65000, "1 min 5 s"},
	    {3600000, "1 h"},
	    {3659999, "1 h"},
	    {273600000, "3 d 4 h"},
	    {INT64_MAX, "2147483647 d"},
	};
	static const struct {
		uint64_t bytes;
		const char *want;
	} z[] = {
	    {0, "0 B"},
	    {1023, "1023 B"},
	    {1024, "1.0 KB"},
	    {1048524, "1023.9 KB"},
	    {1048575, "1.0 MB"},
	    {26214400, "25.0 MB"},
	    {UINT64_MAX, "16.0 EB"},
	};
	char s[32];
	size_t i;

	for (i = 0; i < sizeof(d) / sizeof(d[0]); i++) {
		time_show_duration(d[i].ms, s);
		is_str(s, d[i].want, "show duration %zu", i);
	}
	for (i = 0; i < sizeof(z) / sizeof(z[0]); i++) {
		time_show_size(z[i].bytes, s);
		is_str(s, z[i].want, "show size %zu", i);
	}
}

/* Every day from year 1 to 9999, counted one by one. */
static void
test_calendar(void)
{
	int64_t want = time_utc(1, 1, 1, 0, 0, 0);
	int y, m, d, days;

	is_int(time_utc(1970, 1, 1, 0, 0, 0), 0, "the epoch");
	is_int(time_utc(2000, 2, 29, 23, 59, 60), 951868800, "a leap second");
	is_int(time_utc(2038, 1, 19, 3, 14, 8), INT64_C(2147483648), "2038");
	for (y = 1; y <= 9999; y++)
		for (m = 1; m <= 12; m++) {
			for (d = 1, days = 0; d <= 31; d++) {
				int64_t t = time_utc(y, m, d, 0, 0, 0);

				if (t == -1)
					break;
				quiet(t == want, "%d-%d-%d", y, m, d);
				want += 86400;
				days++;
			}
			quiet(days >= 28, "length of %d-%d", y, m);
		}
	is_int(want, INT64_C(253402300800), "all days of 9,999 years");
}

static void
test_against_libc(void)
{
	time_t t;
	struct tm tm;
	int i;

	for (i = 0; i < 20000; i++) {
		t = (time_t)prng(UINT32_MAX) * (1 + prng(50));
		gmtime_r(&t, &tm);
		quiet(time_utc(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			  tm.tm_hour, tm.tm_min, tm.tm_sec) == t,
		    "as gmtime: %lld", (long long)t);
	}
	ok(tap_failed == 0, "20,000 random times agree with gmtime");
}

/* As strftime() writes what gmtime() says, and back. */
static void
test_mail(void)
{
	static const struct {
		int64_t t;
		int zone;
		const char *want;
	} rows[] = {
	    {0, 0, "Thu, 1 Jan 1970 00:00:00 +0000"},
	    {1795510800, 60, "Tue, 24 Nov 2026 10:00:00 +0100"},
	    {951868799, -210, "Tue, 29 Feb 2000 20:29:59 -0330"},
	    {-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"},
	    {INT64_MIN, -60, "Mon, 1 Jan 0001 00:00:00 -0100"},
	    {INT64_MAX, 60, "Fri, 31 Dec 9999 23:59:59 +0100"},
	    {0, INT_MAX, "Thu, 1 Jan 1970 23:59:00 +2359"},
	    {0, INT_MIN, "Wed, 31 Dec 1969 00:01:00 -2359"},
	};
	char text[TIME_MAIL], want[TIME_MAIL];
	struct tm tm;
	time_t t;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		time_mail(rows[i].t, rows[i].zone, text);
		is_str(text, rows[i].want, "mail %zu", i);
	}
	for (i = 0; i < 20000; i++) {
		t = (time_t)prng(UINT32_MAX) * (1 + prng(50)) -
		    (i % 2 == 0 ? 62135596800 : 0);
		time_mail(t, 0, text);
		gmtime_r(&t, &tm);
		snprintf(want, sizeof(want),
		    "%.3s, %d %.3s %04d %02d:%02d:%02d",
		    &"SunMonTueWedThuFriSat"[3 * tm.tm_wday], tm.tm_mday,
		    &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * tm.tm_mon],
		    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		quiet(strncmp(text, want, strlen(want)) == 0, "%s is %s", text,
		    want);
	}
	ok(tap_failed == 0, "20,000 random dates agree with gmtime");
}

static void
test_imap(void)
{
	static const char *const bad[] = {"", "17-Jul-1996 02:44:25",
	    "17-Jul-1996 02:44:25 0700", "17-Jul-1996 02:44:25 -07000",
	    "17 Jul 1996 02:44:25 -0700", "17-Jux-1996 02:44:25 -0700",
	    "32-Jul-1996 02:44:25 -0700", " 0-Jul-1996 02:44:25 -0700",
	    "29-Feb-1900 02:44:25 -0700", "17-Jul-1996 24:44:25 -0700",
	    "17-Jul-1996 02:60:25 -0700", "17-Jul-1996 02:44:61 -0700",
	    "17-Jul-1996 02:44:25 -0760", "17-Jul-1996 02:44:25 -07a0",
	    "7 -Jul-1996 02:44:25 -0700"};
	const char *s = "17-Jul-1996 02:44:25 -0700";
	char text[TIME_MAIL];
	int64_t t;
	size_t i;

	is_int(time_imap(s, 26), 837596665, "RFC 9051's example");
	is_int(time_imap(" 7-JUL-1996 02:44:25 +0530", 26), 836687665,
	    "one digit, east, upper case");
	is_int(time_imap("01-Jan-1970 00:00:00 +0000", 26), 0, "the epoch");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(time_imap(bad[i], strlen(bad[i])), -1, "not \"%s\"",
		    bad[i]);
	time_imap_text(836687665, text);
	is_str(text, "06-Jul-1996 21:14:25 +0000", "as text");
	time_imap_text(INT64_MIN, text);
	is_str(text, "01-Jan-0001 00:00:00 +0000", "no year before 1");
	for (i = 0; i < 20000; i++) {
		t = (int64_t)prng(UINT32_MAX) * prng(50);
		time_imap_text(t, text);
		quiet(time_imap(text, strlen(text)) == t, "%s and back", text);
	}
	ok(tap_failed == 0, "20,000 random dates come back");
}

int
main(void)
{
	test_duration();
	test_size();
	test_show();
	test_calendar();
	test_against_libc();
	test_imap();
	test_mail();
	return done();
}
