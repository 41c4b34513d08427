/*
 * The progress line: messages, bytes, rate, time left.
 */

#include "os/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "os/clock.h"
#include "os/log.h"

#define REDRAW_MS 100

static struct {
	bool on, drawn;
	int64_t started, last;
} line;

static void
wipe(void)
{
	static const char clear[] = "\r\033[K";

	if (line.drawn && write(STDERR_FILENO, clear, sizeof(clear) - 1) != -1)
		line.drawn = false;
}

void
progress_init(bool forced)
{
	line.on = forced || isatty(STDERR_FILENO);
	line.started = clock_ms();
	if (line.on)
		log_before(wipe);
}

static void
describe(char *out, size_t size, uint64_t n, uint64_t n_all, uint64_t bytes,
    uint64_t bytes_all, int64_t spent)
{
	char done[32], rate[32], left[32] = "?";
	uint64_t per_s = spent > 0 ? bytes * 1000 / (uint64_t)spent : 0;

	time_show_size(bytes, done);
	time_show_size(per_s, rate);
	if (per_s > 0 && bytes_all >= bytes)
		time_show_duration(
		    (int64_t)((bytes_all - bytes) * 1000 / per_s), left);
	snprintf(out, size, "\r%llu/%llu messages, %s, %s/s, %s left\033[K",
	    (unsigned long long)n, (unsigned long long)n_all, done, rate, left);
}

void
progress_show(uint64_t n, uint64_t n_all, uint64_t bytes, uint64_t bytes_all)
{
	int64_t now = clock_ms();
	char text[160];

	if (!line.on || now - line.last < REDRAW_MS)
		return;
	line.last = now;
	describe(
	    text, sizeof(text), n, n_all, bytes, bytes_all, now - line.started);
	if (write(STDERR_FILENO, text, strlen(text)) != -1)
		line.drawn = true;
}

void
progress_end(void)
{
	wipe();
}
