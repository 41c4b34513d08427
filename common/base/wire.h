#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * One connection as a protocol core sees it: bytes that came and bytes to go.
 * The pump (os/pump) fills `in` and drains `out`; a core consumes `in` and
 * appends to `out`.
 */
#define WIRE_IN_MAX (256 * 1024)
#define WIRE_OUT_MAX (1024 * 1024)

struct wire {
	struct buf in;
	struct buf out;
	bool eof; /* the peer will send no more than what is in `in` */
};

void wire_init(struct wire *);
void wire_clear(struct wire *); /* wipes: passwords pass through here */

#endif
