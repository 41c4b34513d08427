#ifndef FETCHD_IMAP_FETCH_H
#define FETCHD_IMAP_FETCH_H

#include "imap_conn.h"

/*
 * Fetches what is new in a folder, then marks, archives and deletes what is
 * due.  Single messages that fail are reported and counted in run->code.
 */
int imap_fetch_folder(struct imap_conn *, const char *name, struct err *);

/* One pass over all folders. */
int imap_fetch(struct run *, struct err *);

#endif
