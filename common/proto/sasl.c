/*
 * SASL mechanisms: which one to use, and what to say in each.  One place for
 * all three protocols, so that the rules about secrets on a bare path are
 * written down once.
 */

#include "proto/sasl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/mem.h"
#include "proto/scram.h"

#define ANSWER_MAX ((size_t)64 * 1024)

struct sasl {
	enum sasl_mech mech;
	unsigned int step; /* challenges taken so far */
	char *user;        /* owned */
	char *password;    /* owned */
	char *token;       /* owned */
	char *host;        /* owned */
	uint16_t port;
	struct scram *scram; /* owned; NULL for other mechanisms */
	char error[64];      /* OAuth status */
};

static const struct {
	const char *name;
	enum sasl_need need;
	unsigned int steps; /* challenges, a first empty one included */
} mechs[] = {
    [SASL_SCRAM_SHA_256_PLUS] = {"SCRAM-SHA-256-PLUS", SASL_NEEDS_PASSWORD, 3},
    [SASL_SCRAM_SHA_1_PLUS] = {"SCRAM-SHA-1-PLUS", SASL_NEEDS_PASSWORD, 3},
    [SASL_SCRAM_SHA_256] = {"SCRAM-SHA-256", SASL_NEEDS_PASSWORD, 3},
    [SASL_SCRAM_SHA_1] = {"SCRAM-SHA-1", SASL_NEEDS_PASSWORD, 3},
    [SASL_OAUTHBEARER] = {"OAUTHBEARER", SASL_NEEDS_TOKEN, 2},
    [SASL_XOAUTH2] = {"XOAUTH2", SASL_NEEDS_TOKEN, 2},
    [SASL_EXTERNAL] = {"EXTERNAL", SASL_NEEDS_NOTHING, 1},
    [SASL_CRAM_MD5] = {"CRAM-MD5", SASL_NEEDS_PASSWORD, 1},
    [SASL_PLAIN] = {"PLAIN", SASL_NEEDS_PASSWORD, 1},
    [SASL_LOGIN] = {"LOGIN", SASL_NEEDS_PASSWORD, 2},
    [SASL_NATIVE] = {"login command", SASL_NEEDS_PASSWORD, 0},
    [SASL_ANYTHING] = {"any", SASL_NEEDS_NOTHING, 0},
    [SASL_NOTHING] = {"none", SASL_NEEDS_NOTHING, 0},
};

const char *
sasl_name(enum sasl_mech m)
{
	return mechs[m].name;
}

enum sasl_mech
sasl_by_name(struct span s)
{
	unsigned int m;

	for (m = 0; m < SASL_N && !span_caseeq(s, mechs[m].name); m++)
		;
	return (enum sasl_mech)m;
}

enum sasl_need
sasl_needs(enum sasl_mech m)
{
	return mechs[m].need;
}

bool
sasl_lacks_secret(enum sasl_mech m, const struct sasl_login *l)
{
	return (sasl_needs(m) == SASL_NEEDS_PASSWORD && l->password == NULL) ||
	       (sasl_needs(m) == SASL_NEEDS_TOKEN && l->token == NULL);
}

/* --- choosing ---------------------------------------------------------- */

enum reason { FITS, NO_TLS, NO_PASSWORD, NO_TOKEN, NO_CERT, NO_BINDING, WEAK };

static const char *const reasons[] = {
    [NO_TLS] = "not used without TLS: use imaps://, pop3s:// or "
	       "submissions://",
    [NO_PASSWORD] = "for want of a password: set password-command",
    [NO_TOKEN] = "for want of a token: set token-command",
    [NO_CERT] = "for want of a client certificate: set tls-certificate",
    [NO_BINDING] = "for want of TLS channel binding",
    [WEAK] = "used only when pinned with auth",
};

static bool
can_bind(const struct sasl_login *l)
{
	return l->tls && (l->cb_exporter.n > 0 || l->cb_end_point.n > 0);
}

static bool
is_plus(enum sasl_mech m)
{
	return m == SASL_SCRAM_SHA_256_PLUS || m == SASL_SCRAM_SHA_1_PLUS;
}

/* Whoever listens on the way learns a secret that works for him too. */
static bool
shows_secret(enum sasl_mech m)
{
	return m == SASL_PLAIN || m == SASL_LOGIN || m == SASL_NATIVE ||
	       sasl_needs(m) == SASL_NEEDS_TOKEN;
}

static enum reason
why_not(enum sasl_mech m, const struct sasl_login *l)
{
	if (m == SASL_CRAM_MD5 && l->pinned != m)
		return WEAK;
	if (shows_secret(m) && !l->private_path)
		return NO_TLS;
	if (sasl_lacks_secret(m, l)) {
		if (sasl_needs(m) == SASL_NEEDS_PASSWORD && !l->can_password)
			return NO_PASSWORD;
		if (sasl_needs(m) == SASL_NEEDS_TOKEN && !l->can_token)
			return NO_TOKEN;
	}
	if (m == SASL_EXTERNAL && !l->client_cert)
		return NO_CERT;
	if (is_plus(m) && !can_bind(l))
		return NO_BINDING;
	return FITS;
}

static void
add_names(struct buf *b, sasl_set set)
{
	unsigned int m;
	const char *sep = "";

	for (m = 0; m < SASL_N; m++) {
		if ((set & SASL_BIT(m)) == 0)
			continue;
		buf_printf(b, "%s%s", sep, mechs[m].name);
		sep = ", ";
	}
}

/* What was offered, and why none of it will do. */
static int
none_fits(sasl_set offered, const struct sasl_login *l, struct err *e)
{
	sasl_set by_reason[WEAK + 1] = {0};
	struct buf b;
	unsigned int m, r;

	buf_init(&b, sizeof(e->text));
	buf_puts(&b, "server offers ");
	add_names(&b, offered);
	if (offered == 0)
		buf_puts(&b, "no way to log in that is known here");
	else if (l->pinned != SASL_ANYTHING &&
		 (offered & SASL_BIT(l->pinned)) == 0)
		buf_printf(
		    &b, ", but auth is set to %s", mechs[l->pinned].name);
	else {
		for (m = 0; m < SASL_N; m++) {
			if ((offered & SASL_BIT(m)) != 0)
				by_reason[why_not((enum sasl_mech)m, l)] |=
				    SASL_BIT(m);
		}
		/* of a pinned mechanism's own reason only */
		for (r = NO_TLS; r <= WEAK; r++) {
			if (l->pinned != SASL_ANYTHING)
				by_reason[r] &= SASL_BIT(l->pinned);
			if (by_reason[r] == 0)
				continue;
			buf_puts(&b, "; ");
			add_names(&b, by_reason[r]);
			buf_printf(&b, " %s", reasons[r]);
		}
	}
	err_set(e, ERR_AUTH, "%s", buf_cstr(&b));
	buf_clear(&b);
	return -1;
}

int
sasl_choose(sasl_set offered, const struct sasl_login *l,
    enum sasl_mech *mech_r, struct err *e)
{
	sasl_set fits = 0;
	sasl_set tokens = SASL_BIT(SASL_OAUTHBEARER) | SASL_BIT(SASL_XOAUTH2);
	unsigned int m;

	if (l->pinned == SASL_NOTHING) {
		*mech_r = SASL_NOTHING;
		return 0;
	}
	for (m = 0; m < SASL_N; m++) {
		if ((offered & SASL_BIT(m)) != 0 &&
		    (l->pinned == SASL_ANYTHING || l->pinned == m) &&
		    why_not((enum sasl_mech)m, l) == FITS)
			fits |= SASL_BIT(m);
	}
	if (fits == 0)
		return none_fits(offered, l, e);
	if ((fits & tokens) != 0)
		fits &= tokens;
	for (m = 0; (fits & SASL_BIT(m)) == 0; m++)
		;
	*mech_r = (enum sasl_mech)m;
	return 0;
}

/* --- one exchange ------------------------------------------------------ */

static char *
copy(const char *s)
{
	return mem_strdup(s != NULL ? s : "");
}

static struct scram *
new_scram(enum sasl_mech m, sasl_set offered, const struct sasl_login *l)
{
	const sasl_set plus =
	    SASL_BIT(SASL_SCRAM_SHA_256_PLUS) | SASL_BIT(SASL_SCRAM_SHA_1_PLUS);
	struct span data = {NULL, 0};
	enum scram_binding b = SCRAM_CANNOT;
	enum scram_hash h = SCRAM_SHA_256;

	if (m == SASL_SCRAM_SHA_1 || m == SASL_SCRAM_SHA_1_PLUS)
		h = SCRAM_SHA_1;
	if (is_plus(m) && l->cb_exporter.n > 0) {
		b = SCRAM_EXPORTER;
		data = l->cb_exporter;
	} else if (is_plus(m)) {
		b = SCRAM_END_POINT;
		data = l->cb_end_point;
	} else if (can_bind(l) && (offered & plus) == 0)
		b = SCRAM_UNOFFERED;
	return scram_new(h, b, data, l->user,
	    l->password != NULL ? l->password : "", l->nonce);
}

struct sasl *
sasl_new(enum sasl_mech m, sasl_set offered, const struct sasl_login *l)
{
	struct sasl *s = mem_alloc(sizeof(*s));

	s->mech = m;
	if (m <= SASL_SCRAM_SHA_1) {
		s->scram = new_scram(m, offered, l);
		return s;
	}
	s->user = copy(l->user);
	if (sasl_needs(m) == SASL_NEEDS_PASSWORD)
		s->password = copy(l->password);
	if (sasl_needs(m) == SASL_NEEDS_TOKEN)
		s->token = copy(l->token);
	s->host = copy(l->host);
	s->port = l->port;
	return s;
}

void
sasl_free(struct sasl *s)
{
	if (s == NULL)
		return;
	scram_free(s->scram);
	free(s->user);
	mem_free_secret(s->password);
	mem_free_secret(s->token);
	free(s->host);
	free(s);
}

bool
sasl_client_first(const struct sasl *s)
{
	return s->mech != SASL_LOGIN && s->mech != SASL_CRAM_MD5;
}

const char *
sasl_server_error(const struct sasl *s)
{
	return s->error;
}

/* Remembers the "status" of the JSON object (RFC 7628 section 3.2.2). */
static void
keep_status(struct sasl *s, struct span json)
{
	struct span key = span_of("\"status\""), v;
	const char *p =
	    json.n > 0 ? memmem(json.p, json.n, key.p, key.n) : NULL;
	size_t i, k = 0;

	strlcpy(s->error, "error without a status", sizeof(s->error));
	if (p == NULL)
		return;
	v = span_trim(span_skip(json, (size_t)(p - json.p) + key.n));
	if (v.n == 0 || v.p[0] != ':')
		return;
	v = span_trim(span_skip(v, 1));
	for (i = 0; i < v.n && k < sizeof(s->error) - 1; i++) {
		if (v.p[i] == '"' && i > 0)
			break;
		if (v.p[i] == ',' || v.p[i] == '}')
			break;
		if (v.p[i] > ' ' && v.p[i] < 0x7f && v.p[i] != '"')
			s->error[k++] = v.p[i];
	}
	if (k > 0)
		s->error[k] = '\0';
}

static int
step_oauthbearer(struct sasl *s, struct span challenge, struct buf *out)
{
	int rc = 0;

	if (s->step > 0) {
		keep_status(s, challenge);
		return buf_putc(out, 1);
	}
	rc |= buf_puts(out, "n,a=");
	rc |= scram_put_name(out, span_of(s->user));
	rc |= buf_printf(out, ",\1host=%s\1port=%u\1auth=Bearer %s\1\1",
	    s->host, (unsigned int)s->port, s->token);
	return rc;
}

static int
step_xoauth2(struct sasl *s, struct span challenge, struct buf *out)
{
	if (s->step > 0) {
		keep_status(s, challenge);
		return 0;
	}
	return buf_printf(
	    out, "user=%s\1auth=Bearer %s\1\1", s->user, s->token);
}

static int
step_plain(struct sasl *s, struct buf *out)
{
	int rc = 0;

	rc |= buf_putc(out, '\0');
	rc |= buf_puts(out, s->user);
	rc |= buf_putc(out, '\0');
	rc |= buf_puts(out, s->password);
	return rc;
}

static int
step_cram_md5(
    struct sasl *s, struct span challenge, struct buf *out, struct err *e)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (HMAC(EVP_md5(), s->password, (int)strlen(s->password),
		(const unsigned char *)challenge.p, challenge.n, sum,
		&n) == NULL)
		return err_set(e, ERR_AUTH,
		    "CRAM-MD5: this machine's "
		    "OpenSSL has no MD5: choose another auth");
	if (buf_printf(out, "%s ", s->user) == -1)
		return -1;
	return enc_hex(out, span_bytes(sum, n));
}

static int
answer(struct sasl *s, struct span challenge, struct buf *out, struct err *e)
{
	switch (s->mech) {
	case SASL_SCRAM_SHA_256_PLUS:
	case SASL_SCRAM_SHA_1_PLUS:
	case SASL_SCRAM_SHA_256:
	case SASL_SCRAM_SHA_1:
		return scram_step(s->scram, challenge, out, e);
	case SASL_OAUTHBEARER:
		return step_oauthbearer(s, challenge, out);
	case SASL_XOAUTH2:
		return step_xoauth2(s, challenge, out);
	case SASL_EXTERNAL:
		return buf_puts(out, s->user);
	case SASL_CRAM_MD5:
		return step_cram_md5(s, challenge, out, e);
	case SASL_PLAIN:
		return step_plain(s, out);
	case SASL_LOGIN: /* its prompts are worded as each server likes */
		return buf_puts(out, s->step == 0 ? s->user : s->password);
	case SASL_NATIVE:
	case SASL_ANYTHING:
	case SASL_NOTHING:
		break;
	}
	return -1;
}

int
sasl_step(struct sasl *s, struct span challenge, struct buf *out, struct err *e)
{
	err_clear(e);
	if (s->step >= mechs[s->mech].steps)
		return err_set(e, ERR_PROTO, "%s: challenge after the end",
		    mechs[s->mech].name);
	if (answer(s, challenge, out, e) == -1) {
		if (e->kind == ERR_NONE)
			err_set(e, ERR_PROTO, "%s: answer is too long",
			    mechs[s->mech].name);
		return -1;
	}
	s->step++;
	return 0;
}

int
sasl_answer(
    struct sasl *s, struct span challenge, struct buf *out, struct err *e)
{
	struct buf in, raw;
	int rc;

	buf_init(&in, challenge.n);
	buf_init(&raw, ANSWER_MAX);
	buf_reserve(&raw, 4096); /* a secret that is moved leaves a copy */
	if (dec_base64(&in, challenge) == -1)
		rc = err_set(e, ERR_PROTO, "%s: challenge is not base64",
		    mechs[s->mech].name);
	else
		rc = sasl_step(s, buf_span(&in), &raw, e);
	if (rc == 0 && enc_base64(out, buf_span(&raw)) == -1)
		rc = err_set(e, ERR_PROTO, "%s: answer is too long",
		    mechs[s->mech].name);
	buf_clear(&in);
	buf_wipe(&raw);
	return rc;
}

int
sasl_finish(struct sasl *s, struct err *e)
{
	return s->scram != NULL ? scram_finish(s->scram, e) : 0;
}

#define TELLING 16 /* of a secret's bytes, so many give it away */

static bool
has(struct span text, struct span secret)
{
	size_t n = secret.n < TELLING ? secret.n : TELLING;

	return n > 0 && text.n > 0 &&
	       memmem(text.p, text.n, secret.p, n) != NULL;
}

bool
sasl_repeats(struct span text, const struct sasl_login *login, struct span sent)
{
	return has(text, sent) || has(text, span_of(login->password)) ||
	       has(text, span_of(login->token));
}
