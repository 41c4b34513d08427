#ifndef SENDQ_QUEUE_PARTS_H
#define SENDQ_QUEUE_PARTS_H

#include "queue.h"

/* What queue.c, message.c and copies.c share, and nobody else. */
#define QUEUE_NAME (QUEUE_ID + 8) /* "ID.report" and NUL */
#define QUEUE_ENVELOPE_MAX (64u << 20)

/*
 * The spool's lock: shared by those who accept a message, move one between
 * queue/ and failed/, or put a report there, alone by who tidies. Close *fd_r to unlock. -1: ERR_TEMP
 * when it is taken and we do not wait or are to stop.
 */
int queue_lock(struct queue *, bool shared, bool wait, int *fd_r, struct err *);

/* Its suffix appended: ".eml", ".env", ".report". */
void queue_name(char name_r[QUEUE_NAME], const char *id, const char *suffix);
bool queue_has(int dir, const char *id, const char *suffix);

#endif
