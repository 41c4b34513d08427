/*
 * SASL against the RFCs' own examples, and SCRAM against a server that this
 * file computes by itself.
 */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/mem.h"
#include "proto/sasl.h"
#include "tap.h"

static struct err e;
static struct buf out;

static struct sasl_login
login(void)
{
	return (struct sasl_login){.user = "user",
	    .password = "pencil",
	    .private_path = true,
	    .tls = true,
	    .nonce = "fyko+d2lbbFgONRv9qkxdawL",
	    .pinned = SASL_ANYTHING};
}

/* One step; what was answered is in `out`. */
static int
step(struct sasl *s, const char *challenge)
{
	buf_reset(&out);
	return sasl_step(s, span_of(challenge), &out, &e);
}

#define is_out(want, ...) is_mem(buf_span(&out).p, out.len, want, __VA_ARGS__)

/* --- RFC 5802 section 5, RFC 7677 section 3 ------------------------------ */

static const char *const sha1_first =
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";

static void
test_scram_vectors(void)
{
	struct sasl_login l = login();
	struct sasl *s = sasl_new(SASL_SCRAM_SHA_1, 0, &l);

	/* the RFC's client has no channel to bind to */
	ok(sasl_client_first(s), "SCRAM: the client speaks first");
	is_int(step(s, ""), 0, "SHA-1: first");
	is_out("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", "SHA-1: client-first");
	ok(sasl_finish(s, &e) == -1, "SHA-1: nothing is proved yet");
	is_int(step(s, sha1_first), 0, "SHA-1: second");
	is_out("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
	       "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
	    "SHA-1: client-final");
	ok(sasl_finish(s, &e) == -1, "SHA-1: still nothing is proved");
	is_int(e.kind, ERR_AUTH, "SHA-1: that is an auth error");
	is_int(step(s, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), 0, "SHA-1: third");
	is_out("", "SHA-1: the last answer is empty");
	is_int(sasl_finish(s, &e), 0, "SHA-1: proved");
	is_int(step(s, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="), -1, "SHA-1: fourth");
	is_int(e.kind, ERR_PROTO, "SHA-1: a fourth challenge is nonsense");
	sasl_free(s);

	l.nonce = "rOprNGfwEbeRWgbNEkqO";
	s = sasl_new(SASL_SCRAM_SHA_256, 0, &l);
	is_int(step(s, ""), 0, "SHA-256: first");
	is_out("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "SHA-256: client-first");
	is_int(step(s, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		       "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
	    0, "SHA-256: second");
	is_out("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	       "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	    "SHA-256: client-final");
	is_int(step(s, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), 0,
	    "SHA-256: third");
	is_int(sasl_finish(s, &e), 0, "SHA-256: proved");
	sasl_free(s);
}

/* --- SCRAM against our own server ---------------------------------------- */

static void
mac(const EVP_MD *md, const void *key, size_t key_n, const char *text,
    unsigned char *out_r)
{
	HMAC(md, key, (int)key_n, (const unsigned char *)text, strlen(text),
	    out_r, NULL);
}

static char *
base64(const void *p, size_t n)
{
	struct buf b;
	char *s;

	buf_init(&b, 100000);
	enc_base64(&b, span_bytes(p, n));
	s = mem_strdup(buf_cstr(&b));
	buf_clear(&b);
	return s;
}

/* What the server expects as p= and will send as v=. */
static void
serve(const EVP_MD *md, const char *password, const char *auth, char **p_r,
    char **v_r)
{
	unsigned char salted[64], ck[64], stored[64], sig[64], sk[64];
	size_t i, n = (size_t)EVP_MD_size(md);

	PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
	    (const unsigned char *)"salty", 5, 5000, md, (int)n, salted);
	mac(md, salted, n, "Client Key", ck);
	EVP_Digest(ck, n, stored, NULL, md, NULL);
	mac(md, stored, n, auth, sig);
	for (i = 0; i < n; i++)
		ck[i] ^= sig[i];
	mac(md, salted, n, "Server Key", sk);
	mac(md, sk, n, auth, sig);
	*p_r = base64(ck, n);
	*v_r = base64(sig, n);
}

struct run {
	enum sasl_mech mech;
	sasl_set offered;
	const char *user, *password;      /* as typed */
	const char *wire_user, *prepared; /* as they should be */
	const char *gs2, *data;
};

static void
run_scram(const struct run *r, const struct sasl_login *base)
{
	struct sasl_login l = *base;
	bool sha1 =
	    r->mech == SASL_SCRAM_SHA_1 || r->mech == SASL_SCRAM_SHA_1_PLUS;
	const EVP_MD *md = sha1 ? EVP_sha1() : EVP_sha256();
	struct sasl *s;
	char *first, *c, *cb, *auth, *p, *v, *want, *proof;

	l.user = r->user;
	l.password = r->password;
	l.nonce = "N0nce";
	s = sasl_new(r->mech, r->offered, &l);
	is_int(step(s, "ignored"), 0, "%s: first", r->gs2);
	first = mem_printf("%sn=%s,r=N0nce", r->gs2, r->wire_user);
	is_out(first, "%s: client-first", r->gs2);
	is_int(step(s, "r=N0nceMore,s=c2FsdHk=,i=5000,x=ignored"), 0,
	    "%s: second", r->gs2);
	cb = mem_printf("%s%s", r->gs2, r->data);
	c = base64(cb, strlen(cb));
	auth = mem_printf("n=%s,r=N0nce,r=N0nceMore,s=c2FsdHk=,i=5000,"
			  "x=ignored,c=%s,r=N0nceMore",
	    r->wire_user, c);
	serve(md, r->prepared, auth, &p, &v);
	want = mem_printf("c=%s,r=N0nceMore,p=%s", c, p);
	is_out(want, "%s: client-final", r->gs2);
	proof = mem_printf("v=%s", v);
	is_int(step(s, proof), 0, "%s: server-final", r->gs2);
	is_int(sasl_finish(s, &e), 0, "%s: finish", r->gs2);
	sasl_free(s);
	free(first), free(c), free(cb), free(auth);
	free(p), free(v), free(want), free(proof);
}

#define PLUS_256 SASL_BIT(SASL_SCRAM_SHA_256_PLUS)
static void
test_scram_own(void)
{
	static const struct run exporter[] = {
	    {SASL_SCRAM_SHA_256_PLUS, PLUS_256, "ada", "x", "ada", "x",
		"p=tls-exporter,,", "EXPORTED"},
	    {SASL_SCRAM_SHA_1_PLUS, PLUS_256, "a,d=a", "x", "a=2Cd=3Da", "x",
		"p=tls-exporter,,", "EXPORTED"},
	    {SASL_SCRAM_SHA_256, PLUS_256, "ada", "x", "ada", "x", "n,,", ""},
	    {SASL_SCRAM_SHA_256, SASL_BIT(SASL_SCRAM_SHA_256), "ada", "x",
		"ada", "x", "y,,", ""},
	};
	static const struct run end_point = {SASL_SCRAM_SHA_256_PLUS, PLUS_256,
	    "ada", "x", "ada", "x", "p=tls-server-end-point,,", "HASH"};
	/* soft hyphen, no-break space, e acute, beyond the BMP, empty */
	static const struct run plain[] = {
	    {SASL_SCRAM_SHA_1, 0, "I\xc2\xadX", "I\xc2\xadX", "IX", "IX", "n,,",
		""},
	    {SASL_SCRAM_SHA_1, 0, "a\xc2\xa0z", "a\xe3\x80\x80z", "a z", "a z",
		"n,,", ""},
	    {SASL_SCRAM_SHA_256, 0, "\xc3\xa9\xf0\x9f\x94\x91",
		"\xc3\xa9\xf0\x9f\x94\x91", "\xc3\xa9\xf0\x9f\x94\x91",
		"\xc3\xa9\xf0\x9f\x94\x91", "n,,", ""},
	    {SASL_SCRAM_SHA_256, 0, "", "", "", "", "n,,", ""},
	};
	struct sasl_login l = login();
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		run_scram(&plain[i], &l);
	l.cb_end_point = span_of("HASH");
	run_scram(&end_point, &l);
	l.cb_exporter = span_of("EXPORTED");
	for (i = 0; i < sizeof(exporter) / sizeof(exporter[0]); i++)
		run_scram(&exporter[i], &l);
	l.tls = false;
	run_scram(&(struct run){SASL_SCRAM_SHA_256, 0, "ada", "x", "ada", "x",
		      "n,,", ""},
	    &l);
}

static void
test_scram_refused(void)
{
#define N "r=fyko+d2lbbFgONRv9qkxdawL"
#define OK_FIRST N "x,s=QSXCR+Q6sek8bf92,i=4096"
	static const struct {
		const char *first, *final;
		enum err_kind kind;
		const char *says;
	} t[] = {
	    {"r=Fyko+d2lbbFgONRv9qkxdawLx,s=QSXCR+Q6sek8bf92,i=4096", NULL,
		ERR_PROTO, "nonce"},
	    {N ",s=QSXCR+Q6sek8bf92,i=4096", NULL, ERR_PROTO, "nonce"},
	    {"r=fyko,s=QSXCR+Q6sek8bf92,i=4096", NULL, ERR_PROTO, "nonce"},
	    {N "x,s=QSXCR+Q6sek8bf92,i=4095", NULL, ERR_AUTH, "4095"},
	    {N "x,s=QSXCR+Q6sek8bf92,i=10000001", NULL, ERR_AUTH, "10000001"},
	    {N "x,s=QSXCR+Q6sek8bf92,i=99999999999999999999999", NULL,
		ERR_PROTO, "malformed"},
	    {N "x,s=QSXCR+Q6sek8bf92,i=-4096", NULL, ERR_PROTO, "malformed"},
	    {N "x,s=,i=4096", NULL, ERR_PROTO, "salt"},
	    {N "x,s=!!!!,i=4096", NULL, ERR_PROTO, "salt"},
	    {N "x,s=QSXCR+Q6sek8bf92", NULL, ERR_PROTO, "malformed"},
	    {N "x,i=4096,s=QSXCR+Q6sek8bf92", NULL, ERR_PROTO, "malformed"},
	    {"m=ext," OK_FIRST, NULL, ERR_PROTO, "extension"},
	    {"", NULL, ERR_PROTO, "malformed"},
	    {"e=other-error", NULL, ERR_AUTH, "other-error"},
	    {OK_FIRST, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", ERR_AUTH, "signature"},
	    {OK_FIRST, "v=", ERR_AUTH, "signature"},
	    {OK_FIRST, "v=rmF9", ERR_AUTH, "signature"},
	    {OK_FIRST, "v", ERR_PROTO, "malformed"},
	    {OK_FIRST, "", ERR_PROTO, "malformed"},
	    {OK_FIRST, "x=y", ERR_PROTO, "malformed"},
	    {OK_FIRST, "e=invalid-proof\x1b[2J", ERR_AUTH,
		"invalid-proof\\x1b"},
	    {OK_FIRST, "e=no-resources", ERR_TEMP, "no-resources"},
	    {OK_FIRST, "e=server-does-support-channel-binding", ERR_AUTH,
		"changed"},
	};
	struct sasl_login l = login();
	struct sasl *s;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s = sasl_new(SASL_SCRAM_SHA_1, 0, &l);
		step(s, "");
		rc = step(s, t[i].first);
		if (t[i].final != NULL) {
			is_int(rc, 0, "refused %zu: the first is good", i);
			rc = step(s, t[i].final);
		}
		is_int(rc, -1, "refused %zu", i);
		is_int(e.kind, t[i].kind, "refused %zu: kind", i);
		ok(strstr(e.text, t[i].says) != NULL, "refused %zu: %s", i,
		    e.text);
		ok(strstr(e.text, "pencil") == NULL, "refused %zu: secret", i);
		ok(sasl_finish(s, &e) == -1, "refused %zu: not proved", i);
		sasl_free(s);
	}
}

static void
test_saslprep_refuses(void)
{
	static const char *const bad[] = {"a\tb", "a\x7f", "\xc2\x85",
	    "\xe2\x80\xa8", "\xff", "\xf0\x9d\x85\xb3"};
	struct sasl_login l = login();
	struct sasl *s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		l.user = bad[i];
		s = sasl_new(SASL_SCRAM_SHA_1, 0, &l);
		is_int(step(s, ""), -1, "saslprep: user %zu", i);
		is_int(e.kind, ERR_AUTH, "saslprep: %s", e.text);
		sasl_free(s);
		l.user = "user";
		l.password = bad[i];
		s = sasl_new(SASL_SCRAM_SHA_1, 0, &l);
		is_int(step(s, ""), 0, "saslprep: password %zu", i);
		is_int(step(s, sha1_first), -1, "saslprep: password %zu", i);
		ok(strstr(e.text, "the password") != NULL, "%s", e.text);
		sasl_free(s);
	}
}

/* --- the others ---------------------------------------------------------- */

static void
test_simple(void)
{
	struct sasl_login l = login();
	struct sasl *s;
	static const char plain[] = "\0tim\0tanstaaftanstaaf";

	l.user = "tim";
	l.password = "tanstaaftanstaaf";
	s = sasl_new(SASL_PLAIN, 0, &l); /* RFC 4616 section 4 */
	ok(sasl_client_first(s), "PLAIN: client first");
	is_int(step(s, ""), 0, "PLAIN");
	ok(out.len == sizeof(plain) - 1 &&
		memcmp(buf_span(&out).p, plain, out.len) == 0,
	    "PLAIN: answer");
	is_int(sasl_finish(s, &e), 0, "PLAIN: finish");
	is_int(step(s, ""), -1, "PLAIN: once only");
	ok(strstr(e.text, "tanstaaf") == NULL, "PLAIN: no secret: %s", e.text);
	sasl_free(s);

	s = sasl_new(SASL_CRAM_MD5, 0, &l); /* RFC 2195 section 3 */
	ok(!sasl_client_first(s), "CRAM-MD5: server first");
	is_int(step(s, "<1896.697170952@postoffice.reston.mci.net>"), 0,
	    "CRAM-MD5");
	is_out("tim b913a602c7eda7a495b4e6e7334d3890", "CRAM-MD5: answer");
	sasl_free(s);

	s = sasl_new(SASL_LOGIN, 0, &l);
	ok(!sasl_client_first(s), "LOGIN: server first");
	is_int(step(s, "Username:"), 0, "LOGIN: user");
	is_out("tim", "LOGIN: user");
	is_int(step(s, "Password:"), 0, "LOGIN: password");
	is_out("tanstaaftanstaaf", "LOGIN: password");
	is_int(step(s, "More:"), -1, "LOGIN: nothing more");
	sasl_free(s);

	s = sasl_new(SASL_EXTERNAL, 0, &l);
	is_int(step(s, ""), 0, "EXTERNAL");
	is_out("tim", "EXTERNAL: the identity to act as");
	sasl_free(s);

	s = sasl_new(SASL_NATIVE, 0, &l);
	is_int(step(s, ""), -1, "NATIVE has no exchange");
	sasl_free(s);

	s = sasl_new(SASL_PLAIN, 0, &l);
	buf_clear(&out);
	buf_init(&out, 10);
	is_int(step(s, ""), -1, "PLAIN: does not fit");
	is_int(e.kind, ERR_PROTO, "PLAIN: %s", e.text);
	buf_clear(&out);
	buf_init(&out, 100000);
	sasl_free(s);
}

static void
test_oauth(void)
{
	struct sasl_login l = login();
	struct sasl *s;

	l.user = "user@example.com";
	l.password = NULL;
	l.token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
	l.host = "server.example.com";
	l.port = 143;
	s = sasl_new(SASL_OAUTHBEARER, 0, &l); /* RFC 7628 section 4.1 */
	is_int(step(s, ""), 0, "OAUTHBEARER");
	is_out("n,a=user@example.com,\1host=server.example.com\1port=143\1"
	       "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
	    "OAUTHBEARER: as in the RFC");
	is_str(sasl_server_error(s), "", "OAUTHBEARER: no error yet");
	is_int(step(s, "{\"status\":\"invalid_token\",\"scope\":\"x\"}"), 0,
	    "OAUTHBEARER: error"); /* section 4.3 */
	is_out("\1", "OAUTHBEARER: 0x01");
	is_str(sasl_server_error(s), "invalid_token", "OAUTHBEARER: status");
	is_int(step(s, "{}"), -1, "OAUTHBEARER: nothing more");
	sasl_free(s);

	s = sasl_new(SASL_XOAUTH2, 0, &l);
	is_int(step(s, ""), 0, "XOAUTH2");
	is_out("user=user@example.com\1"
	       "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1",
	    "XOAUTH2: as Google has it");
	is_int(step(s, "{\"schemes\":\"bearer\", \"status\" : 401 }"), 0,
	    "XOAUTH2: error");
	is_out("", "XOAUTH2: empty");
	is_str(sasl_server_error(s), "401", "XOAUTH2: status");
	sasl_free(s);

	s = sasl_new(SASL_XOAUTH2, 0, &l);
	step(s, "");
	step(s, "nonsense");
	is_str(sasl_server_error(s), "error without a status", "no status");
	sasl_free(s);
}

/* --- the choice ---------------------------------------------------------- */

static enum sasl_mech
choose(sasl_set offered, const struct sasl_login *l)
{
	enum sasl_mech m = SASL_ANYTHING;

	err_clear(&e);
	if (sasl_choose(offered, l, &m, &e) == -1)
		return SASL_ANYTHING;
	return m;
}

#define B(m) SASL_BIT(SASL_##m)
static void
test_choice(void)
{
	const sasl_set all = (1u << SASL_N) - 1;
	struct sasl_login l = login();

	is_int(choose(all, &l), SASL_SCRAM_SHA_256, "no binding: no PLUS");
	l.cb_end_point = span_of("x");
	is_int(choose(all, &l), SASL_SCRAM_SHA_256_PLUS, "the strongest");
	l.token = "t";
	is_int(choose(all, &l), SASL_OAUTHBEARER, "a token is preferred");
	is_int(choose(B(XOAUTH2) | B(PLAIN), &l), SASL_XOAUTH2, "XOAUTH2");
	is_int(choose(B(PLAIN), &l), SASL_PLAIN, "a password if need be");
	l.token = NULL;
	l.password = NULL;
	l.client_cert = true;
	is_int(choose(all, &l), SASL_EXTERNAL, "a certificate alone");
	l.can_password = true;
	is_int(choose(all, &l), SASL_SCRAM_SHA_256_PLUS, "a password to come");
	is_int(choose(B(CRAM_MD5) | B(LOGIN), &l), SASL_LOGIN,
	    "CRAM-MD5 is not chosen");
	is_int(choose(B(NATIVE), &l), SASL_NATIVE, "the protocol's own");
	l.pinned = SASL_CRAM_MD5;
	is_int(choose(all, &l), SASL_CRAM_MD5, "pinned CRAM-MD5");
	l.pinned = SASL_NOTHING;
	is_int(choose(0, &l), SASL_NOTHING, "pinned none");
	l.pinned = SASL_SCRAM_SHA_1;
	is_int(choose(B(PLAIN) | B(LOGIN), &l), SASL_ANYTHING, "not offered");
	is_int(e.kind, ERR_AUTH, "not offered: kind");
	is_str(e.text,
	    "server offers PLAIN, LOGIN, but auth is set to "
	    "SCRAM-SHA-1",
	    "not offered: text");
}

static void
test_choice_refused(void)
{
	struct sasl_login l = login();

	l.private_path = l.tls = false;
	is_int(choose(B(PLAIN) | B(LOGIN) | B(SCRAM_SHA_1), &l),
	    SASL_SCRAM_SHA_1, "SCRAM may go without TLS");
	is_int(choose(B(PLAIN) | B(LOGIN), &l), SASL_ANYTHING, "no TLS");
	is_str(e.text,
	    "server offers PLAIN, LOGIN; PLAIN, LOGIN not used "
	    "without TLS: use imaps://, pop3s:// or submissions://",
	    "no TLS: text");
	l.token = "t";
	is_int(choose(B(XOAUTH2), &l), SASL_ANYTHING, "no token without TLS");
	l.pinned = SASL_PLAIN;
	is_int(choose(B(PLAIN) | B(LOGIN), &l), SASL_ANYTHING,
	    "pinning is no way around");
	is_str(e.text,
	    "server offers PLAIN, LOGIN; PLAIN not used without "
	    "TLS: use imaps://, pop3s:// or submissions://",
	    "pinned: text");
	l = login();
	is_int(choose(0, &l), SASL_ANYTHING, "nothing offered");
	is_str(e.text, "server offers no way to log in that is known here",
	    "nothing offered: text");
	is_int(
	    choose(B(XOAUTH2) | B(EXTERNAL) | B(CRAM_MD5) | B(SCRAM_SHA_1_PLUS),
		&l),
	    SASL_ANYTHING, "nothing at hand");
	ok(strstr(e.text, "XOAUTH2 for want of a token: set token-command") &&
		strstr(e.text, "EXTERNAL for want of a client certificate") &&
		strstr(e.text, "CRAM-MD5 used only when pinned") &&
		strstr(e.text, "SCRAM-SHA-1-PLUS for want of TLS channel"),
	    "nothing at hand: %s", e.text);
	ok(strstr(e.text, "pencil") == NULL, "no secret in it");
}

static void
test_names(void)
{
	unsigned int m;

	for (m = 0; m < SASL_N; m++)
		is_int(sasl_by_name(span_of(sasl_name((enum sasl_mech)m))), m,
		    "name %s", sasl_name((enum sasl_mech)m));
	is_int(sasl_by_name(span_of("plain")), SASL_PLAIN, "any case");
	is_int(sasl_by_name(span_of("NTLM")), SASL_N, "unknown");
	is_int(sasl_by_name(span_of("none")), SASL_N, "none is no mechanism");
	is_int(sasl_by_name(span_of("")), SASL_N, "empty");
}

int
main(void)
{
	buf_init(&out, 100000);
	test_scram_vectors();
	test_scram_own();
	test_scram_refused();
	test_saslprep_refuses();
	test_simple();
	test_oauth();
	test_choice();
	test_choice_refused();
	test_names();
	buf_clear(&out);
	return done();
}
