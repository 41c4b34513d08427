/*
 * The two byte queues between a protocol core and a socket.
 */

#include "base/wire.h"

void
wire_init(struct wire *w)
{
	buf_init(&w->in, WIRE_IN_MAX);
	buf_init(&w->out, WIRE_OUT_MAX);
	w->eof = false;
}

void
wire_clear(struct wire *w)
{
	buf_wipe(&w->in);
	buf_wipe(&w->out);
	w->eof = false;
}
