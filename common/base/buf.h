#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

#include "base/span.h"

/*
 * A byte queue with a limit: appended at the end, consumed at the front.
 * It never grows over `max`; every append that would do so fails with -1 and
 * leaves the buffer as it was.
 */
struct buf {
	char *data;  /* owned */
	size_t head; /* first byte not yet consumed */
	size_t len;  /* bytes from head on */
	size_t cap;
	size_t max;
};

void buf_init(struct buf *, size_t max);
void buf_clear(struct buf *); /* frees; wipes nothing */
void buf_wipe(struct buf *);  /* overwrites what it held, then frees */
void buf_reset(struct buf *); /* forgets the bytes, keeps the memory */

/* What is in it; borrowed, valid until the next call that changes it. */
struct span buf_span(const struct buf *);

int buf_append(struct buf *, const void *, size_t);
int buf_add(struct buf *, struct span);
int buf_puts(struct buf *, const char *);
int buf_putc(struct buf *, char);
int buf_printf(struct buf *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Room for at least n more bytes at the end: write there, then buf_commit()
 * what was written.  NULL when n more would be over the limit.
 */
char *buf_reserve(struct buf *, size_t n);
void buf_commit(struct buf *, size_t n);

/* Room left before the limit. */
size_t buf_room(const struct buf *);

/* Drops n bytes (at most all) from the front. */
void buf_consume(struct buf *, size_t n);

/* The content as a NUL-terminated string, borrowed as buf_span(). The NUL is
 * not part of the length. */
const char *buf_cstr(struct buf *);

#endif
