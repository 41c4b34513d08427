#ifndef OS_TLS_H
#define OS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/span.h"

/*
 * TLS client on a connected socket (OpenSSL).  Verification is always on:
 * chain, host name (RFC 9525: SAN only, no CN), dates; or pins instead.
 */
struct tls_options {
	const char *ca;          /* file or directory; NULL: the system's */
	const char *const *pins; /* "sha256:HEX", "spki-sha256:B64" */
	size_t n_pins;           /* any one suffices; replaces the chain */
	const char *certificate, *key; /* PEM; NULL: none */
	bool min_13;
	bool unused; /* no connection will have TLS: the system's CA is not
		      * read, and no peer would be trusted */
};

struct tls_config; /* loaded files; may be used for many connections */

/* Reads CA, certificate and key: call it before the sandbox. ERR_CONFIG. */
int tls_config_new(
    const struct tls_options *, struct tls_config **r, struct err *);
void tls_config_free(struct tls_config *);

/* Checks the form of a pin; ERR_CONFIG. */
int tls_pin_check(const char *, struct err *);

struct tls;

/* Prepares a handshake as a client of `host`. fd is borrowed, non-blocking. */
int tls_new(struct tls_config *, int fd, const char *host, struct tls **r,
    struct err *);
void tls_free(struct tls *); /* no close_notify is waited for */

enum tls_want { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE };

/*
 * Each returns bytes moved (>= 0, *want_r TLS_DONE), or 0 with what to wait
 * for, or -1 and err.  tls_read: 0 and TLS_DONE is the end.  tls_handshake:
 * ERR_TLS on refusal with the peer's subject, issuer, dates and SPKI pin
 * ready to paste as `tls-fingerprint spki-sha256:...`, and what to do.
 * Nothing is sent after a failed verification.
 */
int tls_handshake(struct tls *, enum tls_want *want_r, struct err *);
ssize_t tls_read(
    struct tls *, void *, size_t, enum tls_want *want_r, struct err *);
ssize_t tls_write(
    struct tls *, const void *, size_t, enum tls_want *want_r, struct err *);
/* Whether tls_read() may give more before poll(2) says so. */
bool tls_pending(const struct tls *);

/*
 * Channel bindings after the handshake, borrowed until tls_free();
 * tls-exporter (RFC 9266) with TLS 1.3 only; tls-server-end-point (RFC 5929).
 */
struct span tls_exporter(struct tls *);
struct span tls_end_point(struct tls *);
bool tls_sent_certificate(const struct tls *);

/* "TLS 1.3, TLS_AES_256_GCM_SHA384"; borrowed */
const char *tls_describe(struct tls *);

#endif
