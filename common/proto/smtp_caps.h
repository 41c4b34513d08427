#ifndef PROTO_SMTP_CAPS_H
#define PROTO_SMTP_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/sasl.h"

/* The extensions that this client knows. */
enum smtp_ext {
	SMTP_EXT_PIPELINING, /* RFC 2920 */
	SMTP_EXT_CHUNKING,   /* RFC 3030: BDAT */
	SMTP_EXT_8BITMIME,   /* RFC 6152 */
	SMTP_EXT_SMTPUTF8,   /* RFC 6531 */
	SMTP_EXT_SIZE,       /* RFC 1870 */
	SMTP_EXT_DSN,        /* RFC 3461 */
	SMTP_EXT_ENHANCED,   /* RFC 2034: ENHANCEDSTATUSCODES */
	SMTP_EXT_STARTTLS,   /* RFC 3207 */
	SMTP_EXT_AUTH,       /* RFC 4954 */
	SMTP_EXT_REQUIRETLS, /* RFC 8689 */
	SMTP_EXT_LIMITS,     /* RFC 9422 */
	SMTP_EXT_FUTURE,     /* RFC 4865: FUTURERELEASE */
};
#define SMTP_EXTS (SMTP_EXT_FUTURE + 1)
#define SMTP_EXT_BIT(x) (1u << (x))

/* What the last EHLO or LHLO was answered. Zeroed: nothing. */
struct smtp_caps {
	unsigned int ext; /* a bit for each that is offered and not disabled */
	sasl_set mechs;
	uint64_t size; /* of a message, octets at most; 0: no limit was told */
	uint64_t hold; /* FUTURERELEASE: seconds at most */
	/* LIMITS; 0: none was told */
	uint32_t mail_max;        /* transactions in a session */
	uint32_t rcpt_max;        /* recipients of a transaction */
	uint32_t rcpt_domain_max; /* domains among them */
};

bool smtp_has(const struct smtp_caps *, enum smtp_ext);

/*
 * Takes a line of the reply behind its code; the first line, which greets, is
 * not for here.  Tolerant: "AUTH=LOGIN", "8 BITMIME", lines given twice (the
 * lower limit counts), numbers that are none (as if not there), and what it
 * does not know.  `disabled`: bits of what shall not be seen.
 */
void smtp_caps_line(
    struct smtp_caps *, struct span line, unsigned int disabled);

/* By name, in any case: false when it is unknown. */
bool smtp_ext_by_name(struct span, enum smtp_ext *ext_r);
const char *smtp_ext_name(enum smtp_ext);

#endif
