#ifndef FETCHD_WATCH_H
#define FETCHD_WATCH_H

#include "run.h"

/*
 * Stays and fetches as mail arrives, until a stop: NOTIFY over all folders
 * where it is offered (RFC 5465), else IDLE (RFC 2177) on a connection for
 * each folder, else a look every `poll`.  Lost connections come back, with a
 * growing pause.  -1 only for what a person must mend.
 */
int watch_run(struct run *, struct err *);

#endif
