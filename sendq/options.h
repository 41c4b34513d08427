#ifndef SENDQ_OPTIONS_H
#define SENDQ_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/words.h"
#include "os/account.h"
#include "os/conf.h"
#include "standing.h"

/* What a `send` section says; see mailroom.conf(5). */
enum send_uncertain { UNCERTAIN_RETRY, UNCERTAIN_HOLD };

struct send {
	struct account account;
	char *name;         /* owned; it stands in the messages' envelopes */
	char *server;       /* owned; the URL that it was made of, when there
	                         * is no section; NULL */
	char *address;      /* owned; the account's own, in normal form;
	                         * NULL: not known */
	struct words match; /* globs over the envelope sender, else From; the
	                         * account's own address matches, too */
	bool is_default;    /* `default`: when no match does */
	char *sent;         /* owned; Maildir for copies; NULL: none */
	char *failed_to;    /* owned; Maildir for reports: if not given, the
	                         * INBOX of the `sync` section of the same account,
	                         * else where its `fetch` section delivers; NULL:
	                         * neither */
	struct limit limits[3]; /* a minute, an hour, a day: those given */
	size_t n_limits;
	uint64_t session_messages;  /* default 100 */
	uint64_t connections;       /* default 1 */
	int64_t undo, expire, warn; /* ms; default 0, 5 d, 4 h; warn 0: never */
	char *hello;                /* owned; NULL: the host's name */
	char *from_header;          /* owned; NULL: the account's address */
	char *message_id_domain;    /* owned; NULL: of the address */
	char *aliases;              /* owned; a file; NULL: /etc/aliases */
	unsigned int notify;        /* enum smtp_notify */
	bool require_tls;
	unsigned int disable; /* SMTP_EXT_BIT */
	int uncertain;        /* enum send_uncertain */
	bool queue_only;      /* do not start a runner after accepting */
	bool future_release;  /* scheduled mail is handed over at once, for the
	                       * server to keep (FUTURERELEASE, RFC 4865) */
};

extern const struct conf_key send_keys[];

void send_init(struct send *);
void send_clear(struct send *);

/*
 * Every `send` section, or when there is none the one that `--set smtp=URL`
 * makes; all that is wrong is in conf's errors. *list_r is owned by the
 * caller, as are its members.
 */
void options_sends(struct conf *, struct send **list_r, size_t *n_r);

/* Whether this address is one that the section is for. */
bool options_match(const struct send *, const char *address);

/*
 * The section for mail from this address: the first that matches the envelope
 * sender ("" or NULL: none was given), else From, else the default, else the
 * only one. NULL: none, and err (ERR_CONFIG) tells which there are. Pure.
 */
const struct send *options_choose(const struct send *, size_t n,
    const char *sender, const char *from, struct err *);

#endif
