/*
 * A byte queue with a limit.  Every buffer in the project is one of these, so
 * that none can be grown without end by a peer.
 */

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_clear(b);
}

void
buf_reset(struct buf *b)
{
	b->head = b->len = 0;
}

struct span
buf_span(const struct buf *b)
{
	if (b->len == 0)
		return (struct span){NULL, 0};
	return (struct span){b->data + b->head, b->len};
}

size_t
buf_room(const struct buf *b)
{
	return b->max - b->len;
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t cap;

	if (n > buf_room(b))
		return NULL;
	if (b->data != NULL && b->head + b->len + n <= b->cap)
		return b->data + b->head + b->len;
	if (b->head > 0) {
		memmove(b->data, b->data + b->head, b->len);
		b->head = 0;
	}
	if (b->data == NULL || b->len + n > b->cap) {
		cap = b->cap < 64 ? 64 : b->cap;
		while (cap < b->len + n)
			cap *= 2;
		b->data = mem_resize(b->data, cap, 1);
		b->cap = cap;
	}
	return b->data + b->len;
}

void
buf_commit(struct buf *b, size_t n)
{
	b->len += n;
}

int
buf_append(struct buf *b, const void *p, size_t n)
{
	char *d;

	if (n == 0)
		return 0;
	if ((d = buf_reserve(b, n)) == NULL)
		return -1;
	memcpy(d, p, n);
	buf_commit(b, n);
	return 0;
}

int
buf_add(struct buf *b, struct span s)
{
	return buf_append(b, s.p, s.n);
}

int
buf_puts(struct buf *b, const char *s)
{
	return buf_append(b, s, strlen(s));
}

int
buf_putc(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *d;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (d = buf_reserve(b, (size_t)n + 1)) == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(d, (size_t)n + 1, fmt, ap);
	va_end(ap);
	buf_commit(b, (size_t)n);
	return 0;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len)
		b->head = b->len = 0;
	else {
		b->head += n;
		b->len -= n;
	}
}

const char *
buf_cstr(struct buf *b)
{
	char *d;

	/* The NUL needs a byte of memory even when the limit is reached. */
	b->max++;
	d = buf_reserve(b, 1);
	b->max--;
	*d = '\0';
	return b->data + b->head;
}
