#ifndef FETCHD_POP3_FETCH_H
#define FETCHD_POP3_FETCH_H

#include "run.h"

/*
 * One POP3 fetch: as many sessions as it takes (RFC 1939).  Single messages
 * that fail are reported and counted in run->code; -1 is the end of the
 * fetch.
 */
int pop3_fetch(struct run *, struct err *);

#endif
