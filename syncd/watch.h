#ifndef SYNCD_WATCH_H
#define SYNCD_WATCH_H

#include "apply.h"
#include "client/link.h"

/*
 * Stays and runs passes whenever either side has changed, until a stop: the
 * server tells of it by NOTIFY (RFC 5465) or, in one folder, by IDLE (RFC 2177),
 * the system by inotify; and there is a look at everything now and then, at the
 * begin of each session, and when the machine was asleep.  One session stays
 * open; one that is lost comes back, with a growing pause.
 *
 * What is wrong with single folders and messages is said once and holds up no
 * other; 0 after a stop, whatever it was.  -1 only for what a person must mend.
 */
int watch_run(struct pass *, struct link *, struct err *);

#endif
