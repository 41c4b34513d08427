#ifndef OS_SANDBOX_H
#define OS_SANDBOX_H

#include <stdint.h>

#include "base/err.h"
#include "base/words.h"

/*
 * What a worker may still do once it talks to the network.
 */
struct sandbox {
	struct words write; /* directories (or files) it may change, below */
	struct words read;  /* and these it may read; the system's are added */
	uint16_t ports[4];  /* TCP ports it may connect to; 0: unused */
};

/*
 * Restricts this process for good: no new privileges, no core dumps, no
 * program run; files by Landlock where the kernel has it (pledge and unveil
 * on OpenBSD), TCP ports from Landlock 4 on.  Returns 0 with a text that
 * states the level reached; -1 only when a restriction the system has could
 * not be applied.
 */
int sandbox_enter(const struct sandbox *, char level_r[160], struct err *);

#endif
