/*
 * The two clocks: one for deadlines, one for dates.
 */

#include "os/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

int64_t
clock_ms(void)
{
	struct timespec ts;

#ifdef CLOCK_BOOTTIME
	if (clock_gettime(CLOCK_BOOTTIME, &ts) == -1)
#endif
		clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void
clock_sleep(int64_t ms, int wake_fd)
{
	struct pollfd p = {.fd = wake_fd, .events = POLLIN};
	int64_t end = clock_ms() + ms, left = ms;

	while (left > 0) {
		/* poll() counts neither suspended time nor over 24 days. */
		int n = poll(&p, 1, left > 60000 ? 60000 : (int)left);

		if (n > 0 || (n == -1 && errno != EINTR))
			return;
		left = end - clock_ms();
	}
}
