#ifndef SENDQ_ACCEPT_INPUT_H
#define SENDQ_ACCEPT_INPUT_H

#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"
#include "letter.h"

/*
 * The first pass over a message: its header in memory, its body put aside in
 * its legal form, to be read any number of times. A small body stays in
 * memory, another goes to a file without a name.
 */
struct input {
	struct letter_scan scan;

	/* private */
	struct buf body; /* owned */
	int file;        /* owned; -1: all is in memory */
	off_t at;        /* of the file, to be read next */
	char *chunk;     /* owned */
	bool told;       /* what is in memory was given */
};

/* dot: a line that is a single dot ends it. */
void input_init(struct input *, bool dot);
void input_clear(struct input *);

/*
 * Reads fd to the message's end; dir is where the file would be. -1: as
 * letter_scan_feed(); ERR_LOCAL; ERR_TEMP on a stop signal, which is what ends
 * the wait for input that does not come.
 */
int input_read(struct input *, int fd, const char *dir, struct err *);

/*
 * The body, a piece at a time, from its begin after input_rewind(): 1; 0 at
 * the end; -1. The piece is borrowed until the next call.
 */
void input_rewind(struct input *);
int input_next(struct input *, struct span *piece_r, struct err *);

#endif
