/*
 * A SASL server that says anything.  The first two bytes of a case choose the
 * mechanism and the login; the rest are challenges, a line each.
 */

#include <stdlib.h>
#include <string.h>

#include "proto/sasl.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* PBKDF2 is slow by design: no more than 99,999 iterations here. */
static bool
too_slow(struct span in)
{
	uint64_t count;

	for (; in.n > 8; in = span_skip(in, 1)) {
		if (span_prefix(in, "i=") &&
		    span_number((struct span){in.p + 2, 6}, UINT64_MAX, &count))
			return true;
	}
	return false;
}

static struct sasl_login
login_of(unsigned how)
{
	struct sasl_login l = {.user = "us,er=",
	    .password = "Hunt3r",
	    .token = "Tok3n",
	    .tls = true,
	    .private_path = true,
	    .host = "host",
	    .port = 993,
	    .nonce = "n0nce",
	    .pinned = SASL_ANYTHING};

	if ((how & 1) != 0)
		l.cb_exporter = span_of("exporter");
	if ((how & 2) != 0)
		l.cb_end_point = span_of("end point");
	return l;
}

static bool
shows(struct span text, const char *secret)
{
	return text.n > 0 &&
	       memmem(text.p, text.n, secret, strlen(secret)) != NULL;
}

static void
exchange(enum sasl_mech m, unsigned how, struct span in)
{
	struct sasl_login l = login_of(how);
	struct sasl *s = sasl_new(m, how >> 2, &l);
	struct buf out;
	struct err e;
	struct span line;
	bool guessed = shows(in, "Hunt3r") || shows(in, "Tok3n");
	const char *p;
	int i;

	buf_init(&out, 65536);
	err_clear(&e);
	for (i = 0; i < 6; i++) {
		if ((i == 0 && sasl_client_first(s)) ||
		    !span_cut(&in, '\n', &line))
			line = span_of("");
		buf_reset(&out);
		if (sasl_step(s, line, &out, &e) == -1) {
			MUST(e.kind != ERR_NONE);
			break;
		}
		if (!guessed && m <= SASL_CRAM_MD5 &&
		    sasl_needs(m) == SASL_NEEDS_PASSWORD)
			MUST(!shows(buf_span(&out), "Hunt3r"));
	}
	MUST(i < 6);
	if (!guessed)
		MUST(strstr(e.text, "Hunt3r") == NULL &&
		     strstr(e.text, "Tok3n") == NULL);
	for (p = e.text; *p != '\0'; p++)
		MUST((unsigned char)*p >= ' ');
	for (p = sasl_server_error(s); *p != '\0'; p++)
		MUST(*p >= ' ' && *p < 0x7f);
	if (m <= SASL_SCRAM_SHA_1) /* no case can guess the signature */
		MUST(sasl_finish(s, &e) == -1 && e.kind == ERR_AUTH);
	sasl_free(s);
	buf_clear(&out);
}

/* Preparing (RFC 4013) takes names as they come, too. */
static void
prepare(struct span name)
{
	struct sasl_login l = login_of(0);
	char *user = span_dup(name);
	struct sasl *s;
	struct buf out;
	struct err e;

	l.user = user;
	s = sasl_new(SASL_SCRAM_SHA_256, 0, &l);
	buf_init(&out, 1000000);
	err_clear(&e);
	if (sasl_step(s, span_of(""), &out, &e) == 0)
		MUST(span_prefix(buf_span(&out), "n,,n="));
	sasl_free(s);
	buf_clear(&out);
	free(user);
}

static void
choose(sasl_set offered, unsigned how)
{
	struct sasl_login l = login_of(how);
	enum sasl_mech m;
	struct err e;

	l.private_path = (how & 4) != 0;
	l.pinned = (enum sasl_mech)(how >> 3 & 15) <= SASL_NOTHING
	               ? (enum sasl_mech)(how >> 3 & 15)
	               : SASL_ANYTHING;
	err_clear(&e);
	offered &= SASL_BIT(SASL_N) - 1;
	if (sasl_choose(offered, &l, &m, &e) == -1) {
		MUST(e.kind == ERR_AUTH && e.text[0] != '\0');
		return;
	}
	MUST(m == SASL_NOTHING || (offered & SASL_BIT(m)) != 0);
	MUST(l.pinned == SASL_ANYTHING || l.pinned == m);
	if (!l.private_path)
		MUST(m != SASL_PLAIN && m != SASL_LOGIN && m != SASL_NATIVE &&
		     m != SASL_OAUTHBEARER && m != SASL_XOAUTH2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in;

	if (n < 2 || n > 20000)
		return 0;
	in = span_bytes(data + 2, n - 2);
	choose((sasl_set)(data[0] | (n << 8)), data[1]);
	prepare(in);
	if (!too_slow(in))
		exchange((enum sasl_mech)(data[0] % SASL_N), data[1], in);
	return 0;
}
