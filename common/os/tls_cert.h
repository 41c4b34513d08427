#ifndef OS_TLS_CERT_H
#define OS_TLS_CERT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What a certificate is, for os/tls alone: pins, and words for a refusal. */
struct tls_pin {
	bool spki;             /* of the public key, else of the whole */
	unsigned char sum[32]; /* SHA-256 */
};

/* "sha256:HEX" (colons allowed) or "spki-sha256:BASE64"; ERR_CONFIG. */
int tls_pin_parse(const char *, struct tls_pin *r, struct err *);

/* Whether any of n pins is that of the certificate. */
bool tls_pin_match(const struct tls_pin *, size_t n, X509 *);

/*
 * ERR_TLS that says what is wrong with `leaf`, whose it is, and what to do.
 * code is X509_V_ERR_*; X509_V_ERR_APPLICATION_VERIFICATION: no pin matches.
 * `at` is the certificate of its chain that it was found at; may be NULL.
 */
int tls_cert_refuse(
    struct err *, const char *host, X509 *leaf, X509 *at, int code);

/* tls-server-end-point (RFC 5929 section 4.1); 0: there is none. */
size_t tls_cert_end_point(X509 *, unsigned char out_r[EVP_MAX_MD_SIZE]);

#endif
