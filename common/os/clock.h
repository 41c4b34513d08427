#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

/* Milliseconds that only go forward and count suspended time too. */
int64_t clock_ms(void);

/* Wall clock: microseconds since 1970. */
int64_t clock_wall_us(void);

/*
 * Sleeps for ms milliseconds; less when wake_fd (stop_fd(), as a rule; -1:
 * none) is or becomes readable.
 */
void clock_sleep(int64_t ms, int wake_fd);

#endif
