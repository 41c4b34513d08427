#ifndef SENDQ_SUBMIT_H
#define SENDQ_SUBMIT_H

#include "client/link.h"
#include "options.h"
#include "outcome.h"
#include "proto/smtp_session.h"
#include "queue.h"

/*
 * A session with the submission server (RFC 6409) or an LMTP server: one
 * connection, one login, any number of messages. With CHUNKING all of a batch
 * goes out in one flight; without, a message a turn; without PIPELINING, a
 * command a turn.
 *
 * The window of doubt (RFC 1047) opens when the last octet of a body is given
 * to the kernel: before that, "sending" is in the message's history and
 * durable; when the outcome is known, it is durable before anything is sent
 * that was not yet under way. A connection that is lost in between leaves
 * "uncertain" where the last octet had left this process, and "unsent" where
 * it had not.
 */
struct submit {
	const struct send *send; /* borrowed */
	struct link link;
	struct smtp smtp;
	struct smtp_session logon;
	uint64_t messages;   /* transactions of this session */
	bool open;           /* logged in, and good for more */
	struct outcome last; /* why the session or the account is to wait */
	char *text;          /* owned; in words; NULL */
};

/* A message of a batch. */
struct parcel {
	struct message *message; /* borrowed; locked, body opened */
	struct uidset rcpts;     /* owned; to be tried now */
};

void submit_init(struct submit *, const struct send *, const struct url *,
    struct tls_config *, int ask_fd);
void submit_clear(struct submit *);

/* Connects and logs in, a refused token renewed once. -1: err and s->last. */
int submit_open(struct submit *, struct err *);

/*
 * Sends n messages, in order. When it returns, every recipient's outcome is
 * in its message's history and durable: sent, failed, deferred, uncertain; or
 * unsent, for which nothing happened. -1: the session is over (err, s->last);
 * what was not settled by then is unsent or uncertain.
 */
int submit_batch(struct submit *, struct parcel *, size_t n, struct err *);

/* QUIT, not waited for. */
void submit_close(struct submit *);

#endif
