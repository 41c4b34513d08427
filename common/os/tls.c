/*
 * TLS clients on OpenSSL 3: what is required of a peer, and what its refusal
 * means.  All files are read by tls_config_new(), so that a worker can be
 * confined before it reads a byte from the network.
 */

#include "os/tls.h"

#include <sys/stat.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/tls_cert.h"

#define READ_AHEAD 65536 /* bytes taken from the socket in one read(2) */

struct tls_config {
	SSL_CTX *ctx;         /* owned */
	struct tls_pin *pins; /* owned */
	size_t n_pins;
};

struct tls {
	struct tls_config *config; /* borrowed */
	SSL *ssl;                  /* owned */
	char *host;                /* owned */
	X509 *leaf, *at;           /* owned; of a refused chain */
	int refused;               /* X509_V_ERR_*; X509_V_OK: not refused */
	bool asked;                /* the server asked for a certificate */
	bool dry;                  /* nothing is left inside to read */
	bool dead;                 /* failed: no close_notify */
	unsigned char exporter[32], end_point[EVP_MAX_MD_SIZE];
	char *text; /* owned; of tls_describe() */
};

/* The reason of the oldest error, or "unknown reason". */
static const char *
reason(void)
{
	unsigned long code = ERR_peek_error();
	const char *s = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
	                                       : ERR_reason_error_string(code);

	return s != NULL ? s : "unknown reason";
}

/* --- configuration ------------------------------------------------------ */

/* All files of a directory now: later the sandbox would forbid it. */
static int
load_directory(SSL_CTX *ctx, const char *path, struct err *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	DIR *dir = opendir(path);
	struct dirent *d;
	char *file;
	size_t n = 0;

	if (dir == NULL)
		return err_sys(e, ERR_CONFIG, "tls-ca %s", path);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		file = mem_printf("%s/%s", path, d->d_name);
		if (X509_STORE_load_file(store, file) == 1)
			n++;
		free(file);
	}
	closedir(dir);
	ERR_clear_error(); /* a README beside the certificates is no error */
	if (n == 0)
		return err_set(e, ERR_CONFIG,
		    "tls-ca %s: no file with a PEM certificate in it", path);
	return 0;
}

static int
load_ca(SSL_CTX *ctx, const struct tls_options *o, struct err *e)
{
	const char *path = o->ca;
	struct stat st;

	if (path == NULL) {
		/* It takes 20 ms: only for who is to be judged by it. */
		if (!o->unused && o->n_pins == 0)
			SSL_CTX_set_default_verify_paths(ctx);
		return 0;
	}
	if (stat(path, &st) == -1)
		return err_sys(e, ERR_CONFIG, "tls-ca %s", path);
	if (S_ISDIR(st.st_mode))
		return load_directory(ctx, path, e);
	if (SSL_CTX_load_verify_file(ctx, path) != 1)
		return err_set(e, ERR_CONFIG,
		    "tls-ca %s: no PEM certificate in it: %s", path, reason());
	return 0;
}

/* There is nobody to ask: a worker has no terminal. */
static int
no_passphrase(char *out, int size, int writing, void *unused)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)unused;
	return -1;
}

static int
load_own(SSL_CTX *ctx, const struct tls_options *o, struct err *e)
{
	const char *key = o->key != NULL ? o->key : o->certificate;

	if (o->certificate == NULL)
		return o->key == NULL ? 0
		                      : err_set(e, ERR_CONFIG,
					    "tls-key without tls-certificate");
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return err_set(e, ERR_CONFIG, "tls-certificate %s: %s",
		    o->certificate, reason());
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		return err_set(e, ERR_CONFIG,
		    "tls-key %s: %s (a key with a passphrase cannot be used)",
		    key, reason());
	if (SSL_CTX_check_private_key(ctx) != 1)
		return err_set(e, ERR_CONFIG,
		    "tls-key %s is not the key of tls-certificate %s", key,
		    o->certificate);
	return 0;
}

static int
load_pins(struct tls_config *c, const struct tls_options *o, struct err *e)
{
	c->pins = mem_array(o->n_pins + 1, sizeof(*c->pins));
	for (c->n_pins = 0; c->n_pins < o->n_pins; c->n_pins++)
		if (tls_pin_parse(o->pins[c->n_pins], &c->pins[c->n_pins], e))
			return -1;
	return 0;
}

int
tls_pin_check(const char *text, struct err *e)
{
	struct tls_pin pin;

	return tls_pin_parse(text, &pin, e);
}

/*
 * In place of OpenSSL's own verification, which forgets the certificate that
 * it refused.  Runs within the handshake: on a 0 nothing more is sent than
 * the alert.
 */
static int
verify(X509_STORE_CTX *x, void *unused)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(x), *at;

	(void)unused;
	if (t->config->n_pins == 0) {
		if (X509_verify_cert(x) == 1)
			return 1;
	} else {
		if (tls_pin_match(t->config->pins, t->config->n_pins, leaf))
			return 1;
		X509_STORE_CTX_set_error(
		    x, X509_V_ERR_APPLICATION_VERIFICATION);
	}
	t->refused = X509_STORE_CTX_get_error(x);
	if (t->refused == X509_V_OK)
		t->refused = X509_V_ERR_UNSPECIFIED;
	at = X509_STORE_CTX_get_current_cert(x);
	if (t->leaf == NULL && X509_up_ref(leaf))
		t->leaf = leaf;
	if (t->at == NULL && at != NULL && X509_up_ref(at))
		t->at = at;
	return 0;
}

static int
note_request(SSL *ssl, void *arg)
{
	struct tls *t = arg;

	(void)ssl;
	t->asked = true;
	return 1;
}

static void
set_rules(SSL_CTX *ctx, bool min_13)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	SSL_CTX_set_min_proto_version(
	    ctx, min_13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* Mail protocols say themselves where they end. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
				     SSL_OP_NO_COMPRESSION |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
	/* What tls-ca names is trusted, be it a root or not. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
}

int
tls_config_new(
    const struct tls_options *o, struct tls_config **r, struct err *e)
{
	struct tls_config *c = mem_alloc(sizeof(*c));

	ERR_clear_error();
	if ((c->ctx = SSL_CTX_new(TLS_client_method())) == NULL) {
		free(c);
		return err_set(e, ERR_LOCAL, "OpenSSL: %s", reason());
	}
	set_rules(c->ctx, o->min_13);
	if (load_pins(c, o, e) == -1 || load_ca(c->ctx, o, e) == -1 ||
	    load_own(c->ctx, o, e) == -1) {
		tls_config_free(c);
		return -1;
	}
	*r = c;
	return 0;
}

void
tls_config_free(struct tls_config *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	free(c->pins);
	free(c);
}

/* --- connections -------------------------------------------------------- */

static bool
set_host(SSL *ssl, char *host)
{
	unsigned char ip[16];

	if (inet_pton(AF_INET, host, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip, 4);
	if (inet_pton(AF_INET6, host, ip) == 1)
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip, 16);
	return X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), host, 0) &&
	       SSL_set_tlsext_host_name(ssl, host);
}

int
tls_new(struct tls_config *c, int fd, const char *host, struct tls **r,
    struct err *e)
{
	struct tls *t = mem_alloc(sizeof(*t));
	size_t n = strlen(host);

	/* "example.org." is an absolute name, but no certificate has it so. */
	t->host = mem_strndup(host, n > 1 && host[n - 1] == '.' ? n - 1 : n);
	t->config = c;
	t->refused = X509_V_OK;
	ERR_clear_error();
	t->ssl = SSL_new(c->ctx);
	if (t->ssl == NULL || !SSL_set_app_data(t->ssl, t) ||
	    !SSL_set_fd(t->ssl, fd) || !set_host(t->ssl, t->host)) {
		err_set(e, ERR_CONFIG, "TLS cannot be used with \"%.100s\": %s",
		    host, reason());
		tls_free(t);
		return -1;
	}
	SSL_set_cert_cb(t->ssl, note_request, t);
	SSL_set_connect_state(t->ssl);
	*r = t;
	return 0;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	if (t->ssl != NULL && !t->dead && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
	SSL_free(t->ssl);
	X509_free(t->leaf);
	X509_free(t->at);
	free(t->host);
	free(t->text);
	free(t);
}

/* What the server's refusal (or ours of it) calls for. */
static const char *
advice(int code)
{
	switch (code) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_HTTP_REQUEST:
		return "; the server does not speak TLS on this port: try "
		       "imap://, pop3:// or submission:// (STARTTLS)";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return "; it offers no version of TLS that we accept (1.2 or "
		       "later, or as tls-min says)";
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "; the server wants a client certificate: "
		       "tls-certificate and tls-key";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return "; the server does not accept the tls-certificate";
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return "; it shares no cipher with us, or wants a client "
		       "certificate (tls-certificate)";
	default:
		return "";
	}
}

static int
refused(struct tls *t, struct err *e)
{
	unsigned long code = ERR_peek_error();

	if (t->refused != X509_V_OK && t->leaf != NULL)
		return tls_cert_refuse(e, t->host, t->leaf, t->at, t->refused);
	return err_set(e, ERR_TLS, "TLS failed: %s%s", reason(),
	    ERR_GET_LIB(code) == ERR_LIB_SSL ? advice(ERR_GET_REASON(code))
					     : "");
}

/* After a call that moved nothing: 0 and what to wait for, or -1. */
static int
stalled(struct tls *t, int rv, enum tls_want *want_r, struct err *e)
{
	int code = SSL_get_error(t->ssl, rv);

	*want_r = TLS_DONE;
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
		*want_r = code == SSL_ERROR_WANT_READ ? TLS_WANT_READ
		                                      : TLS_WANT_WRITE;
		return 0;
	}
	if (code == SSL_ERROR_ZERO_RETURN ||
	    (code == SSL_ERROR_SYSCALL && errno == 0))
		return 0;
	t->dead = true;
	if (code == SSL_ERROR_SYSCALL)
		return err_sys(e, ERR_TEMP, "the connection broke");
	return refused(t, e);
}

static void
begin(void)
{
	ERR_clear_error();
	errno = 0;
}

int
tls_handshake(struct tls *t, enum tls_want *want_r, struct err *e)
{
	int rv;

	begin();
	if ((rv = SSL_do_handshake(t->ssl)) == 1) {
		*want_r = TLS_DONE;
		return 0;
	}
	if (stalled(t, rv, want_r, e) == -1)
		return -1;
	if (*want_r != TLS_DONE)
		return 0;
	t->dead = true;
	return err_set(e, ERR_TEMP,
	    "the server closed the connection during the TLS handshake; if it "
	    "always does, it may not speak TLS on this port: try imap://, "
	    "pop3:// or submission:// (STARTTLS)");
}

/*
 * A record is 16 KiB at most: several at a time.  An error behind bytes that
 * came is kept for the next call, which meets it again.
 */
ssize_t
tls_read(struct tls *t, void *p, size_t n, enum tls_want *want_r, struct err *e)
{
	size_t got = 0, k;
	int rv;

	t->dry = false;
	for (*want_r = TLS_DONE; got < n; got += k) {
		begin();
		if (SSL_read_ex(t->ssl, (char *)p + got, n - got, &k) == 1)
			continue;
		rv = stalled(t, 0, want_r, e);
		t->dry = *want_r != TLS_DONE;
		if (got == 0)
			return rv;
		*want_r = TLS_DONE;
		break;
	}
	return (ssize_t)got;
}

ssize_t
tls_write(struct tls *t, const void *p, size_t n, enum tls_want *want_r,
    struct err *e)
{
	size_t put = 0, k;
	int rv;

	for (*want_r = TLS_DONE; put < n; put += k) {
		begin();
		if (SSL_write_ex(t->ssl, (const char *)p + put, n - put, &k))
			continue;
		rv = stalled(t, 0, want_r, e);
		if (put == 0 && rv == 0 && *want_r == TLS_DONE)
			return err_set(e, ERR_TEMP, "the connection is closed");
		if (put == 0)
			return rv;
		*want_r = TLS_DONE;
		break;
	}
	return (ssize_t)put;
}

bool
tls_pending(const struct tls *t)
{
	return !t->dry;
}

struct span
tls_exporter(struct tls *t)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(t->ssl) < TLS1_3_VERSION ||
	    SSL_export_keying_material(t->ssl, t->exporter, sizeof(t->exporter),
		label, sizeof(label) - 1, (const unsigned char *)"", 0, 1) != 1)
		return (struct span){NULL, 0};
	return span_bytes(t->exporter, sizeof(t->exporter));
}

struct span
tls_end_point(struct tls *t)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);

	if (x == NULL)
		return (struct span){NULL, 0};
	return span_bytes(t->end_point, tls_cert_end_point(x, t->end_point));
}

bool
tls_sent_certificate(const struct tls *t)
{
	return t->asked && SSL_get_certificate(t->ssl) != NULL;
}

const char *
tls_describe(struct tls *t)
{
	if (t->text == NULL)
		t->text = mem_printf("TLS %s, %s",
		    SSL_version(t->ssl) == TLS1_3_VERSION ? "1.3" : "1.2",
		    SSL_get_cipher_name(t->ssl));
	return t->text;
}
