#ifndef PROTO_IMAP_FOLDER_H
#define PROTO_IMAP_FOLDER_H

#include "proto/imap.h"

/*
 * Responses about folders, behind what they are called, from im->lex into an
 * event.  False when they are not as they should be.
 */
bool imap_folder_list(struct imap *, struct imap_ev *);   /* RFC 9051 7.3.1 */
bool imap_folder_status(struct imap *, struct imap_ev *); /* 7.3.4 */
bool imap_folder_namespace(struct imap *, struct imap_ev *); /* RFC 2342 */

#endif
