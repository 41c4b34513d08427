#ifndef OS_PROGRESS_H
#define OS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One line on a terminal's stderr about long work, redrawn at most ten times
 * a second and wiped before anything else is written there.
 */
void progress_init(bool forced); /* forced: also when it is no terminal */

/* What is done of what; 0 totals are unknown.  Draws when it is time. */
void progress_show(uint64_t messages, uint64_t messages_total, uint64_t bytes,
    uint64_t bytes_total);
void progress_end(void);

#endif
