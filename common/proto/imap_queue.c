/*
 * The commands not yet answered, and the hold-back of what a synchronizing
 * literal keeps from being sent.
 */

#include "proto/imap_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
imap_queue_init(struct imap_queue *q, struct wire *w)
{
	*q = (struct imap_queue){.wire = w};
	buf_init(&q->held, WIRE_OUT_MAX);
}

void
imap_queue_clear(struct imap_queue *q)
{
	free(q->v);
	free(q->stops);
	buf_wipe(&q->held);
	imap_queue_init(q, q->wire);
}

void
imap_queue_begin(struct imap_queue *q, int verb, uint32_t cookie)
{
	if (q->n == q->cap) {
		q->cap = q->cap * 2 + 8;
		q->v = mem_resize(q->v, q->cap, sizeof(*q->v));
	}
	q->v[q->n++] = (struct imap_cmd){++q->tag, verb, cookie, UINT64_MAX};
	q->open = true;
	q->dead = false;
}

void
imap_queue_put(struct imap_queue *q, struct span s)
{
	if (q->dead)
		return;
	if (buf_add(q->stops_n > 0 ? &q->held : &q->wire->out, s) == -1)
		q->full = true;
	else
		q->put += s.n;
}

void
imap_queue_stop(struct imap_queue *q)
{
	if (q->dead)
		return;
	if (q->stops_n == q->stops_cap) {
		q->stops_cap = q->stops_cap * 2 + 4;
		q->stops =
		    mem_resize(q->stops, q->stops_cap, sizeof(*q->stops));
	}
	q->stops[q->stops_n++] = q->put;
}

void
imap_queue_end(struct imap_queue *q)
{
	if (q->n > 0 && q->v[q->n - 1].tag == q->tag)
		q->v[q->n - 1].end = q->put;
	q->open = q->dead = false;
}

static uint64_t
sent(const struct imap_queue *q)
{
	return q->put - q->held.len;
}

/* Forgets the first k stops and sends what is free to go then. */
static void
pass_stops(struct imap_queue *q, size_t k)
{
	struct span s = buf_span(&q->held);

	q->stops_n -= k;
	memmove(q->stops, q->stops + k, q->stops_n * sizeof(*q->stops));
	if (q->stops_n > 0)
		s.n = (size_t)(q->stops[0] - sent(q));
	if (buf_add(&q->wire->out, s) == -1)
		q->full = true;
	buf_consume(&q->held, s.n);
}

bool
imap_queue_go(struct imap_queue *q)
{
	if (q->stops_n == 0)
		return false;
	pass_stops(q, 1);
	return true;
}

/* Drops what is held of the command that is being sent, or even written. */
static void
drop(struct imap_queue *q, uint64_t end)
{
	size_t k = 0;

	if (q->stops_n == 0)
		return;
	if (end == UINT64_MAX) {
		q->dead = true;
		end = q->put;
	}
	buf_consume(&q->held, (size_t)(end - sent(q)));
	while (k < q->stops_n && q->stops[k] <= end)
		k++;
	pass_stops(q, k);
}

int
imap_queue_answered(struct imap_queue *q, uint32_t tag, struct imap_cmd *cmd_r)
{
	uint64_t gone = sent(q);
	size_t i;

	for (i = 0; i < q->n && q->v[i].tag != tag; i++)
		if (q->v[i].end > gone)
			return -1;
	if (i == q->n)
		return -1;
	*cmd_r = q->v[i];
	if (cmd_r->end > gone)
		drop(q, cmd_r->end);
	q->n--;
	memmove(q->v + i, q->v + i + 1, (q->n - i) * sizeof(*q->v));
	return 0;
}
