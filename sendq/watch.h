#ifndef SENDQ_WATCH_H
#define SENDQ_WATCH_H

#include "runner.h"

/*
 * --watch: stays, and delivers as mail is accepted (inotify on queue/) and as
 * retries fall due, until a stop. sd_notify READY, STATUS, WATCHDOG. A pass
 * that fails is tried again with the next. Returns an exit code.
 */
int watch_run(struct runner *);

#endif
