#ifndef PROTO_SASL_H
#define PROTO_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * SASL (RFC 4422), client side, for IMAP, POP3 and SMTP alike.  Pure: the
 * nonce and the channel binding come from outside.
 */
enum sasl_mech {                 /* strongest first: the order of choice */
	SASL_SCRAM_SHA_256_PLUS, /* RFC 7677, 5802 */
	SASL_SCRAM_SHA_1_PLUS,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_1,
	SASL_OAUTHBEARER, /* RFC 7628 */
	SASL_XOAUTH2,     /* Google, Microsoft */
	SASL_EXTERNAL,    /* RFC 4422 appendix A */
	SASL_CRAM_MD5,    /* RFC 2195; only when pinned */
	SASL_PLAIN,       /* RFC 4616 */
	SASL_LOGIN,       /* draft-murchison-sasl-login */
	SASL_NATIVE,      /* no SASL: IMAP LOGIN, POP3 USER + PASS */
	SASL_ANYTHING,    /* not pinned: choose */
	SASL_NOTHING,     /* pinned: do not authenticate */
};
#define SASL_N SASL_ANYTHING /* how many can be offered */

/* What the user has to log in with, and over what. All borrowed. */
struct sasl_login {
	const char *user;
	const char *password; /* NULL: none */
	const char *token;    /* OAuth2 access token; NULL: none */
	bool can_password;    /* a password can be had, though not here yet */
	bool can_token;
	bool client_cert;  /* the TLS handshake showed one: EXTERNAL works */
	bool private_path; /* TLS, a tunnel or loopback: PLAIN is allowed */
	bool tls;
	const char *host; /* for OAUTHBEARER */
	uint16_t port;
	struct span cb_exporter;  /* tls-exporter, RFC 9266; empty: none */
	struct span cb_end_point; /* tls-server-end-point, RFC 5929 */
	const char *nonce;        /* 18+ random printable characters */
	enum sasl_mech pinned;    /* SASL_ANYTHING: choose */
};

/*
 * Names as the servers spell them.  By name, in any case: SASL_N when it is
 * unknown.  SASL_NATIVE's name ("login command") is for people: no server can
 * offer it.
 */
const char *sasl_name(enum sasl_mech);
enum sasl_mech sasl_by_name(struct span);

/* Which of the mechanisms are offered, as a bit per enum value. */
typedef unsigned int sasl_set;
#define SASL_BIT(m) (1u << (m))

/*
 * Chooses the mechanism: the pinned one if offered, else the strongest that
 * is offered, has its secret and is allowed on this path.  A token, when the
 * user has one, is preferred to a password.  ERR_AUTH says what was offered,
 * what was left out and why, and what to do.
 */
int sasl_choose(sasl_set offered, const struct sasl_login *,
    enum sasl_mech *mech_r, struct err *);

/* Which secret the mechanism needs. */
enum sasl_need { SASL_NEEDS_NOTHING, SASL_NEEDS_PASSWORD, SASL_NEEDS_TOKEN };
enum sasl_need sasl_needs(enum sasl_mech);

/* Whether that secret is yet to be filled in. */
bool sasl_lacks_secret(enum sasl_mech, const struct sasl_login *);

/* One exchange. */
struct sasl; /* owned by the caller through sasl_new/sasl_free */

/*
 * Copies what it needs of the login.  `offered` matters to SCRAM: a client
 * that could bind to the channel says so when no -PLUS was offered, so that a
 * server finds out if the offer was tampered with (RFC 5802 section 6).
 */
struct sasl *sasl_new(
    enum sasl_mech, sasl_set offered, const struct sasl_login *);
void sasl_free(struct sasl *); /* wipes its secrets */

/*
 * True when the client speaks first, so that an initial response may be
 * sent.  LOGIN and CRAM-MD5 wait for the server.
 */
bool sasl_client_first(const struct sasl *);

/*
 * Takes the server's challenge, decoded (of no matter for the first step of a
 * client-first mechanism), appends the answer, not encoded, to *out (may be
 * empty).  0, or -1: ERR_AUTH (SCRAM e=, a wrong server signature, an iteration
 * count under 4096 or over 10,000,000), ERR_PROTO (nonsense, a foreign nonce),
 * ERR_TEMP (SCRAM e=no-resources), ERR_LOCAL (OpenSSL fails).  After OAuth's
 * JSON error the answer is 0x01 (OAUTHBEARER) or empty (XOAUTH2) and the
 * server's own refusal follows: that step returns 0.
 */
int sasl_step(
    struct sasl *, struct span challenge, struct buf *out, struct err *);

/*
 * The same in base64, as all three protocols have it: ERR_PROTO also for a
 * challenge that is none, and when *out is full.
 */
int sasl_answer(
    struct sasl *, struct span challenge, struct buf *out, struct err *);

/*
 * Called when the server says that the login succeeded: for SCRAM, -1
 * (ERR_AUTH) unless the server has proved that it knows the password.
 */
int sasl_finish(struct sasl *, struct err *);

/*
 * Some servers repeat in a refusal what they did not like: whether `text` has
 * the password, the token or what was sent (in base64, as it went out), or
 * their beginning.  It is then not for a log.
 */
bool sasl_repeats(
    struct span text, const struct sasl_login *, struct span sent);
#define SASL_NOT_SHOWN "(not shown: it repeats the secret)"

/* The OAuth error status that came in a challenge, "" when none; borrowed. */
const char *sasl_server_error(const struct sasl *);

#endif
