#ifndef OS_NOTIFY_H
#define OS_NOTIFY_H

#include <stdint.h>

/*
 * Tells systemd how a service fares (sd_notify(3)'s protocol): "READY=1",
 * "STATUS=...", "WATCHDOG=1", "STOPPING=1".  Does nothing without
 * $NOTIFY_SOCKET.
 */
void notify_send(const char *);

/* How often "WATCHDOG=1" is due (half of $WATCHDOG_USEC), in ms; 0: never. */
int64_t notify_watchdog_ms(void);

#endif
