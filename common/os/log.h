#ifndef OS_LOG_H
#define OS_LOG_H

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

/*
 * What a person reads, on stderr: a line an event.  Under systemd (stderr is
 * the journal: $JOURNAL_STREAM names its device and inode) each line is
 * prefixed "<N>"; with log_syslog() it goes to syslog(3) instead.  A line is
 * one write(2), so that parallel workers do not mix.  Control characters in
 * it are escaped.
 *
 *	fetchd: work: no answer from imap.example.org:993 for 60 s
 *	fetchd: work: warning: 2 messages are over max-size
 */
enum log_level {
	LOG_L_QUIET,  /* -q: errors only */
	LOG_L_NORMAL, /* warnings too */
	LOG_L_INFO,   /* -v: what is done */
	LOG_L_TRACE   /* -vv: the protocol, without secrets */
};

void log_init(const char *tool, enum log_level); /* tool: borrowed */

/* How often -v was given; -1: -q. */
enum log_level log_level_of(int verbose);
void log_syslog(void); /* after log_init() */
enum log_level log_get(void);

/* Put in front of every line of this process: the account's name, which is
 * copied; NULL: no more. */
void log_account(const char *);

#define log_error(...) log_put(LOG_L_QUIET, __VA_ARGS__)
#define log_warn(...) log_put(LOG_L_NORMAL, __VA_ARGS__)
#define log_info(...) log_put(LOG_L_INFO, __VA_ARGS__)
void log_put(enum log_level, const char *, ...)
    __attribute__((format(printf, 2, 3)));
void log_err(const struct err *); /* as an error */

/* -vv: bytes of the dialogue, a line each, '>' to the server, '<' from it. */
void log_wire(char direction, struct span line);

/* Called before a line is written, to wipe a progress line; may be NULL. */
void log_before(void (*)(void));

#endif
