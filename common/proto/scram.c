/*
 * SCRAM with SHA-1 and SHA-256: the password never leaves this process, and
 * the server has to prove that it knows it too.
 *
 * Limit: SASLprep (RFC 4013) is done without its NFKC normalization and
 * without its bidirectional checks.  ASCII is not touched by those, and what
 * keyboards give for other scripts is mostly composed already; a password with
 * decomposed or compatibility characters may have to be typed composed.
 */

#include "proto/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/mem.h"

#define ITERATIONS_MIN 4096 /* RFC 7677 section 4 */
#define ITERATIONS_MAX 10000000
#define FIELD_MAX 65536

enum state { CLIENT_FIRST, CLIENT_FINAL, SERVER_FINAL, PROVED };

struct scram {
	enum state state;
	const EVP_MD *md;       /* borrowed: static */
	size_t size;            /* of its digests */
	char *user;             /* owned */
	char *password;         /* owned */
	char *nonce;            /* owned: ours */
	const char *gs2;        /* borrowed: static */
	struct buf binding;     /* the gs2 header and the channel's data */
	struct buf signed_text; /* AuthMessage of section 3 */
	unsigned char server_signature[EVP_MAX_MD_SIZE];
};

static const char *const gs2_header[] = {
    [SCRAM_CANNOT] = "n,,",
    [SCRAM_UNOFFERED] = "y,,",
    [SCRAM_EXPORTER] = "p=tls-exporter,,",
    [SCRAM_END_POINT] = "p=tls-server-end-point,,",
};

struct scram *
scram_new(enum scram_hash hash, enum scram_binding binding, struct span data,
    const char *user, const char *password, const char *nonce)
{
	struct scram *s = mem_alloc(sizeof(*s));

	s->md = hash == SCRAM_SHA_1 ? EVP_sha1() : EVP_sha256();
	s->size = (size_t)EVP_MD_size(s->md);
	s->user = mem_strdup(user);
	s->password = mem_strdup(password);
	s->nonce = mem_strdup(nonce);
	s->gs2 = gs2_header[binding];
	buf_init(&s->binding, FIELD_MAX);
	buf_init(&s->signed_text, (size_t)4 * FIELD_MAX);
	buf_puts(&s->binding, s->gs2);
	if (buf_add(&s->binding, data) == -1)
		buf_reset(&s->binding); /* no server will take that */
	return s;
}

void
scram_free(struct scram *s)
{
	if (s == NULL)
		return;
	free(s->user);
	mem_free_secret(s->password);
	free(s->nonce);
	buf_wipe(&s->binding);
	buf_clear(&s->signed_text);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

struct range {
	uint32_t lo, hi;
};

static bool
in_ranges(const struct range *r, size_t n, uint32_t c)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (c >= r[i].lo && c <= r[i].hi)
			return true;
	}
	return false;
}
#define IN(table, c) in_ranges(table, sizeof(table) / sizeof(table[0]), c)

/* RFC 3454 C.1.2, B.1, and C.2.1 with C.2.2. */
static const struct range spaces[] = {{0xa0, 0xa0}, {0x1680, 0x1680},
    {0x2000, 0x200b}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
static const struct range nothings[] = {{0xad, 0xad}, {0x34f, 0x34f},
    {0x1806, 0x1806}, {0x180b, 0x180d}, {0x200b, 0x200d}, {0x2060, 0x2060},
    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}};
static const struct range controls[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x6dd, 0x6dd},
    {0x70f, 0x70f}, {0x180e, 0x180e}, {0x2028, 0x2029}, {0x2060, 0x2063},
    {0x206a, 0x206f}, {0xfff9, 0xfffc}, {0x1d173, 0x1d17a}};

/*
 * `out` may hold strlen(text) + 1: preparing never makes a text longer.  All
 * of it is reserved at once, so that growing leaves no copy of a password.
 */
static int
saslprep(const char *text, const char *what, struct buf *out, struct err *e)
{
	struct span rest = span_of(text), at;
	uint32_t c;

	if (!enc_utf8_valid(rest))
		return err_set(e, ERR_AUTH, "SCRAM: the %s is not UTF-8", what);
	buf_reserve(out, rest.n + 1);
	while (at = rest, enc_utf8_next(&rest, &c)) {
		if (IN(spaces, c))
			buf_putc(out, ' ');
		else if (IN(nothings, c))
			continue;
		else if (IN(controls, c))
			return err_set(e, ERR_AUTH,
			    "SCRAM: the %s holds a control character, "
			    "which RFC 4013 forbids",
			    what);
		else
			buf_append(out, at.p, at.n - rest.n);
	}
	return 0;
}

int
scram_put_name(struct buf *out, struct span name)
{
	int rc = 0;

	for (; name.n > 0; name = span_skip(name, 1)) {
		if (name.p[0] == ',')
			rc |= buf_puts(out, "=2C");
		else if (name.p[0] == '=')
			rc |= buf_puts(out, "=3D");
		else
			rc |= buf_putc(out, name.p[0]);
	}
	return rc;
}

static int
overflow(struct err *e)
{
	return err_set(e, ERR_PROTO, "SCRAM: exchange is too long");
}

static int
client_first(struct scram *s, struct buf *out, struct err *e)
{
	struct buf name, *t = &s->signed_text;
	int rc = 0;

	buf_init(&name, strlen(s->user) + 1);
	if (saslprep(s->user, "user name", &name, e) == -1) {
		buf_clear(&name);
		return -1;
	}
	rc |= buf_puts(t, "n=");
	rc |= scram_put_name(t, buf_span(&name));
	buf_clear(&name);
	rc |= buf_printf(t, ",r=%s", s->nonce);
	rc |= buf_puts(out, s->gs2);
	rc |= buf_add(out, buf_span(t));
	s->state = CLIENT_FINAL;
	return rc == 0 ? 0 : overflow(e);
}

/* Cuts the attribute `name` off the front of *s. */
static bool
attribute(struct span *s, char name, struct span *value_r)
{
	struct span part;

	if (s->n < 2 || s->p[0] != name || s->p[1] != '=' ||
	    !span_cut(s, ',', &part))
		return false;
	*value_r = span_skip(part, 2);
	return true;
}

static int
server_error(struct span value, struct err *e)
{
	char *shown = span_show(value, 128);
	enum err_kind kind = ERR_AUTH;
	const char *hint = "";

	if (span_eq(value, "no-resources"))
		kind = ERR_TEMP;
	else if (span_eq(value, "unsupported-channel-binding-type"))
		hint = ": pin a mechanism without -PLUS";
	else if (span_eq(value, "server-does-support-channel-binding"))
		hint = ": someone may have changed what the server offered";
	err_set(e, kind, "SCRAM: server says %s%s", shown, hint);
	free(shown);
	return -1;
}

struct server_first {
	struct span nonce, salt; /* borrowed; the salt still base64 */
	uint64_t iterations;
};

static int
parse_server_first(const struct scram *s, struct span in,
    struct server_first *f_r, struct err *e)
{
	struct span count, value;
	size_t ours = strlen(s->nonce);

	if (attribute(&in, 'e', &value))
		return server_error(value, e);
	if (attribute(&in, 'm', &value))
		return err_set(
		    e, ERR_PROTO, "SCRAM: server demands an unknown extension");
	if (!attribute(&in, 'r', &f_r->nonce) ||
	    !attribute(&in, 's', &f_r->salt) || !attribute(&in, 'i', &count))
		return err_set(e, ERR_PROTO, "SCRAM: malformed challenge");
	if (f_r->nonce.n <= ours || memcmp(f_r->nonce.p, s->nonce, ours) != 0)
		return err_set(e, ERR_PROTO,
		    "SCRAM: server's nonce does not continue ours");
	if (!span_number(count, UINT64_MAX, &f_r->iterations))
		return err_set(e, ERR_PROTO, "SCRAM: malformed challenge");
	if (f_r->iterations < ITERATIONS_MIN ||
	    f_r->iterations > ITERATIONS_MAX)
		return err_set(e, ERR_AUTH,
		    "SCRAM: iteration count %llu is not in %d to %d: "
		    "the server is misconfigured, or not the real one",
		    (unsigned long long)f_r->iterations, ITERATIONS_MIN,
		    ITERATIONS_MAX);
	return 0;
}

static bool
hmac(const struct scram *s, const unsigned char *key, struct span text,
    unsigned char *out_r)
{
	return HMAC(s->md, key, (int)s->size, (const unsigned char *)text.p,
		   text.n, out_r, NULL) != NULL;
}

/* Hi() of section 2.2. */
static int
salted_password(const struct scram *s, const struct server_first *f,
    unsigned char *out_r, struct err *e)
{
	struct buf salt, pw;
	struct span raw;
	int rc = -1;

	buf_init(&salt, FIELD_MAX);
	buf_init(&pw, strlen(s->password) + 1);
	if (dec_base64(&salt, f->salt) == -1 || salt.len == 0)
		err_set(e, ERR_PROTO, "SCRAM: malformed salt");
	else if (saslprep(s->password, "password", &pw, e) == 0) {
		raw = buf_span(&salt);
		if (PKCS5_PBKDF2_HMAC(buf_cstr(&pw), (int)pw.len,
			(const unsigned char *)raw.p, (int)raw.n,
			(int)f->iterations, s->md, (int)s->size, out_r) == 1)
			rc = 0;
		else
			err_set(e, ERR_LOCAL, "SCRAM: PBKDF2 failed");
	}
	buf_clear(&salt);
	buf_wipe(&pw);
	return rc;
}

/* ClientProof into proof_r, ServerSignature kept for later (section 3). */
static int
compute(struct scram *s, const struct server_first *f, unsigned char *proof_r,
    struct err *e)
{
	unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE];
	unsigned char key[EVP_MAX_MD_SIZE];
	struct span text = buf_span(&s->signed_text);
	size_t i;
	int rc;

	if ((rc = salted_password(s, f, salted, e)) == 0) {
		if (!hmac(s, salted, span_of("Client Key"), client) ||
		    EVP_Digest(client, s->size, key, NULL, s->md, NULL) != 1 ||
		    !hmac(s, key, text, proof_r) ||
		    !hmac(s, salted, span_of("Server Key"), key) ||
		    !hmac(s, key, text, s->server_signature))
			rc = err_set(e, ERR_LOCAL, "SCRAM: no such digest");
		else {
			for (i = 0; i < s->size; i++)
				proof_r[i] ^= client[i];
		}
	}
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	explicit_bzero(key, sizeof(key));
	return rc;
}

static int
client_final(struct scram *s, struct span in, struct buf *out, struct err *e)
{
	unsigned char proof[EVP_MAX_MD_SIZE];
	struct server_first f;
	struct buf final;
	int rc = 0;

	if (parse_server_first(s, in, &f, e) == -1)
		return -1;
	buf_init(&final, (size_t)2 * FIELD_MAX);
	rc |= buf_puts(&final, "c=");
	rc |= enc_base64(&final, buf_span(&s->binding));
	rc |= buf_puts(&final, ",r=");
	rc |= buf_add(&final, f.nonce);
	rc |= buf_putc(&s->signed_text, ',');
	rc |= buf_add(&s->signed_text, in);
	rc |= buf_putc(&s->signed_text, ',');
	rc |= buf_add(&s->signed_text, buf_span(&final));
	if (rc != 0)
		rc = overflow(e);
	else if ((rc = compute(s, &f, proof, e)) == 0) {
		rc |= buf_puts(&final, ",p=");
		rc |= enc_base64(&final, span_bytes(proof, s->size));
		rc |= buf_add(out, buf_span(&final));
		if (rc != 0)
			rc = overflow(e);
	}
	buf_clear(&final);
	s->state = SERVER_FINAL;
	return rc;
}

static int
server_final(struct scram *s, struct span in, struct err *e)
{
	struct span value, raw;
	struct buf sig;
	bool same;

	if (attribute(&in, 'e', &value))
		return server_error(value, e);
	if (!attribute(&in, 'v', &value))
		return err_set(e, ERR_PROTO, "SCRAM: malformed last challenge");
	buf_init(&sig, FIELD_MAX);
	same = dec_base64(&sig, value) == 0;
	raw = buf_span(&sig);
	same = same && raw.n == s->size &&
	       CRYPTO_memcmp(raw.p, s->server_signature, s->size) == 0;
	buf_clear(&sig);
	if (!same)
		return err_set(e, ERR_AUTH,
		    "SCRAM: the server's signature is wrong: it does not know "
		    "the password, so it is not the real one");
	s->state = PROVED;
	return 0;
}

int
scram_step(
    struct scram *s, struct span challenge, struct buf *out, struct err *e)
{
	switch (s->state) {
	case CLIENT_FIRST:
		return client_first(s, out, e);
	case CLIENT_FINAL:
		return client_final(s, challenge, out, e);
	case SERVER_FINAL:
		return server_final(s, challenge, e);
	case PROVED:
		break;
	}
	return err_set(e, ERR_PROTO, "SCRAM: challenge after the end");
}

int
scram_finish(const struct scram *s, struct err *e)
{
	if (s->state == PROVED)
		return 0;
	return err_set(e, ERR_AUTH,
	    "SCRAM: the server let us in without "
	    "proving that it knows the password: it may not be the real one");
}
