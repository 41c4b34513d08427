#ifndef SENDQ_SUBMIT_H
#define SENDQ_SUBMIT_H

#include "client/link.h"
#include "options.h"
#include "os/ask.h"
#include "os/net.h"
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
	char hello[NET_NAME];
	uint64_t limit;      /* transactions that the session may have */
	uint64_t messages;   /* and those it had */
	bool open;           /* logged in, and good for more */
	bool cautious;       /* no PIPELINING, no CHUNKING: an earlier session
	                      * got out of step, or was lost in the middle */
	bool clean;          /* no transaction is open there */
	struct outcome last; /* why the session or the account is to wait */
	struct ask_progress progress; /* totals are the caller's */
	int64_t told;                 /* when it was told last, clock_ms() */
};

/* A message of a batch. */
struct parcel {
	struct message *message; /* borrowed; locked, body opened */
	struct uidset rcpts;     /* owned; to be tried now */
};

void submit_init(struct submit *, const struct send *, const struct url *,
    struct tls_config *, int ask_fd);
void submit_clear(struct submit *);

/*
 * Connects and logs in, a refused token renewed once. -1: err, and s->last
 * tells what is to wait.
 */
int submit_open(struct submit *, struct err *);

/*
 * Sends n messages, in order. When it returns, every recipient's outcome is
 * in its message's history and durable: sent, failed, deferred, uncertain; or
 * unsent, for which nothing happened. 0: as far as the session's limit or a
 * stop allowed; s->open tells whether it is good for more. -1: the session is
 * over (err, s->last).
 */
int submit_batch(struct submit *, struct parcel *, size_t n, struct err *);

/* QUIT, not waited for. */
void submit_close(struct submit *);

/* How long to wait for a reply to the command, in ms. */
int64_t submit_patience(const struct submit *, enum smtp_cmd);

#endif
