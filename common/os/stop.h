#ifndef OS_STOP_H
#define OS_STOP_H

#include <stdbool.h>

/*
 * SIGTERM, SIGINT and SIGHUP ask for an end in good order: finish the message
 * in hand, commit, log out.  A second one ends the process at once (128 +
 * signal).  SIGPIPE is ignored, SIGCHLD wakes the descriptor.
 */
void stop_install(void);
bool stop_requested(void);

/* Asks for an end from inside, as a signal would. */
void stop_request(void);

/* Readable once a stop was requested; never read from it. */
int stop_fd(void);

#endif
