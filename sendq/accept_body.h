#ifndef SENDQ_ACCEPT_BODY_H
#define SENDQ_ACCEPT_BODY_H

#include "accept_input.h"

/* What is true of a message as it was written. */
struct body_facts {
	uint64_t size; /* octets, header and all */
	bool
	    eight_bit; /* its body, headers of parts included, wants 8BITMIME */
};

/*
 * Writes the letter's header and the input's body to fd, an empty file, and
 * what of it SMTP cannot carry in a form that it can (see mime.h). -1:
 * ERR_MESSAGE (65), with line and reason, when that would break a signature;
 * ERR_LOCAL. The file then holds a part.
 */
int body_write(struct input *, const struct letter *, int fd,
    struct body_facts *facts_r, struct err *);

#endif
