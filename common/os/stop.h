#ifndef OS_STOP_H
#define OS_STOP_H

#include <stdbool.h>

/*
 * SIGTERM, SIGINT and SIGHUP ask for an end in good order: finish the message
 * in hand, commit, log out.  A second one ends the process at once (128 +
 * signal).  A SIGHUP that was ignored stays so (nohup); SIGPIPE is ignored.
 */

void stop_install(void);

/*
 * In a forked worker: a descriptor of its own, and SIGUSR1, which the parent
 * sends, asks for the end.  The signals above are ignored: terminals and
 * service managers send them to the parent as well, and it decides.
 */
void stop_install_worker(void);

/*
 * In a forked helper that is to finish what it was started for: nothing, and
 * nothing that was asked for before, ends it.
 */
void stop_ignore(void);

bool stop_requested(void);

/* Asks for an end from inside, as a signal would. */
void stop_request(void);

/* Readable once a stop was requested; never read from it.  -1 before
 * stop_install(). */
int stop_fd(void);

#endif
