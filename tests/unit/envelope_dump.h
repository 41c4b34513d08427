/*
 * Everything that an envelope says, in one text, so that two can be compared.
 */
#ifndef TESTS_UNIT_ENVELOPE_DUMP_H
#define TESTS_UNIT_ENVELOPE_DUMP_H

#include "base/buf.h"
#include "envelope.h"

static inline void
dump_text(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "%s=", name);
	if (text == NULL)
		buf_puts(b, "NULL\n");
	else
		buf_printf(b, "<%s>\n", text);
}

static inline void
dump_rcpt(struct buf *b, const struct rcpt *r)
{
	dump_text(b, "address", r->address);
	dump_text(b, "original", r->original);
	dump_text(b, "reply", r->reply);
	buf_printf(b, "state=%d attempts=%u next=%lld since=%lld %d%d\n",
	    (int)r->state, r->attempts, (long long)r->next, (long long)r->since,
	    r->uncertain, r->reported);
}

/* The result is to be freed by buf_clear(). */
static inline struct buf
envelope_dump(const struct envelope *env)
{
	struct buf b;
	size_t i;

	buf_init(&b, (size_t)64 * 1024 * 1024);
	dump_text(&b, "account", env->account);
	dump_text(&b, "server", env->server);
	dump_text(&b, "sender", env->sender);
	dump_text(&b, "envid", env->envid);
	dump_text(&b, "message_id", env->message_id);
	dump_text(&b, "subject", env->subject);
	dump_text(&b, "bcc", env->bcc);
	dump_text(&b, "copying", env->copying);
	dump_text(&b, "reporting", env->reporting);
	buf_printf(&b, "created=%lld size=%llu %d%d%d%d%d notify=%u ret=%d\n",
	    (long long)env->created, (unsigned long long)env->size,
	    env->eight_bit, env->utf8, env->is_signed, env->report,
	    env->require_tls, env->notify, env->ret);
	buf_printf(&b, "hold_until=%lld due=%lld %d%d%d last=%lld at=%zu\n",
	    (long long)env->hold_until, (long long)env->due, env->held,
	    env->warned, env->copied, (long long)env->last, env->history);
	for (i = 0; i < env->n_rcpts; i++)
		dump_rcpt(&b, &env->rcpts[i]);
	return b;
}

#endif
