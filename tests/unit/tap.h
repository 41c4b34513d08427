/*
 * The Test Anything Protocol for unit tests in C: one header, one program per
 * module.  A test calls ok(), is_int(), is_str(), is_mem() as often as it
 * likes and ends with "return done();", which prints the plan; the exit
 * status is 1 when anything failed or nothing was tested.
 *
 *	ok(cond, "name %d", ...)		is_int(got, want, "name", ...)
 *	is_str(got, want, "name", ...)		NULL equals only NULL
 *	is_mem(ptr, len, "literal", "name", ...) bytes against a C string
 *	quiet(cond, "name", ...)		says something only on failure:
 *						for checks in long loops
 */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TAP_UNUSED __attribute__((unused))
#define TAP_FORMAT(f, a) __attribute__((format(printf, f, a)))

static int tap_run, tap_failed;

TAP_UNUSED TAP_FORMAT(5, 6) static bool tap_ok(
    bool good, bool silent, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (good && silent)
		return true;
	printf("%sok %d - ", good ? "" : "not ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

TAP_UNUSED static void
tap_show(const char *what, const char *p, size_t n)
{
	size_t i;

	printf("# %5s: ", what);
	if (p == NULL) {
		puts("NULL");
		return;
	}
	putchar('"');
	for (i = 0; i < n && i < 2000; i++) {
		if (p[i] >= ' ' && p[i] < 127 && p[i] != '"' && p[i] != '\\')
			putchar(p[i]);
		else
			printf("\\x%02x", (unsigned)(unsigned char)p[i]);
	}
	puts(i < n ? "\"..." : "\"");
}

TAP_UNUSED static bool
tap_same(const char *got, size_t n, const char *want)
{
	if (got == NULL || want == NULL)
		return n == 0 && (want == NULL ? got == NULL : *want == 0);
	return n == strlen(want) && memcmp(got, want, n) == 0;
}

#define ok(cond, ...) \
	tap_ok((cond) ? true : false, false, __FILE__, __LINE__, __VA_ARGS__)

#define quiet(cond, ...) \
	tap_ok((cond) ? true : false, true, __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                \
	do {                                                                  \
		intmax_t tap_g = (intmax_t)(got), tap_w = (intmax_t)(want);   \
		if (!ok(tap_g == tap_w, __VA_ARGS__))                         \
			printf("#   got: %jd\n#  want: %jd\n", tap_g, tap_w); \
	} while (0)

#define is_str(got, want, ...)                                                 \
	do {                                                                   \
		const char *tap_g = (got), *tap_w = (want);                    \
		bool tap_e = tap_g == NULL || tap_w == NULL                    \
		                 ? tap_g == tap_w                              \
		                 : strcmp(tap_g, tap_w) == 0;                  \
		if (!ok(tap_e, __VA_ARGS__)) {                                 \
			tap_show(                                              \
			    "got", tap_g, tap_g == NULL ? 0 : strlen(tap_g));  \
			tap_show(                                              \
			    "want", tap_w, tap_w == NULL ? 0 : strlen(tap_w)); \
		}                                                              \
	} while (0)

/* A span that is {NULL, 0} equals "". */
#define is_mem(ptr, len, want, ...)                                            \
	do {                                                                   \
		const char *tap_g = (ptr), *tap_w = (want);                    \
		size_t tap_n = (len);                                          \
		if (!ok(tap_same(tap_g, tap_n, tap_w), __VA_ARGS__)) {         \
			tap_show("got", tap_g, tap_n);                         \
			tap_show(                                              \
			    "want", tap_w, tap_w == NULL ? 0 : strlen(tap_w)); \
		}                                                              \
	} while (0)

TAP_UNUSED static int
done(void)
{
	if (tap_run == 0)
		ok(false, "something was tested");
	printf("1..%d\n", tap_run);
	if (tap_failed > 0)
		printf("# %d of %d failed\n", tap_failed, tap_run);
	return tap_failed > 0 ? 1 : 0;
}

#endif
