#ifndef SENDQ_ACCEPT_INTAKE_H
#define SENDQ_ACCEPT_INTAKE_H

#include "accept_input.h"
#include "face.h"
#include "options.h"

/* All that is known of a message while it is taken in. */
struct intake {
	const struct face *face;  /* borrowed */
	const struct send *sends; /* borrowed */
	size_t n_sends;
	int64_t now;
	struct input input;
	char *from;   /* owned; whose letter it is; NULL: not known */
	char *sender; /* owned; as the caller has it; NULL: he has not */
	const struct send *send;
	char *author, *author_name; /* owned; for a From that lacks */
	struct letter letter;
	struct envelope env;
};

void intake_init(
    struct intake *, const struct face *, const struct send *, size_t n_sends);
void intake_clear(struct intake *);

/*
 * Reads the message and makes all of it but the bytes that will be sent: the
 * account, the header, the envelope without its size. dir: where a large body
 * is kept meanwhile. -1: as accept_message().
 */
int intake_read(struct intake *, int fd, const char *dir, struct err *);

#endif
