/*
 * TLS: who is believed and who is not, and what is said about it.
 */

#include <sys/stat.h>

#include <openssl/err.h>
#include <poll.h>
#include <signal.h>

#include "base/buf.h"
#include "base/enc.h"
#include "os/tls.h"
#include "pki.h"
#include "tap.h"

static char dir[] = "/tmp/tls_test.XXXXXX";
static struct pki_cert ca, other_ca, good, wrong, expired, early, cn_only,
    foreign, selfsigned, by_ip, client;
static char ca_file[64], ca_dir[64], client_file[64], key_file[64];

static void
path(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", dir, name);
}

static void
set_up(void)
{
	char name[64];
	FILE *f;

	ca = pki_make(NULL, "Test CA", NULL, -1, 10, true);
	other_ca = pki_make(NULL, "Other CA", NULL, -1, 10, true);
	good = pki_make(
	    &ca, "x", "DNS:localhost,DNS:*.wild.example", -1, 10, false);
	wrong = pki_make(&ca, "localhost",
	    "DNS:other.example,DNS:www.other.example", -1, 10, false);
	expired = pki_make(&ca, "old", "DNS:localhost", -9, -2, false);
	early = pki_make(&ca, "new", "DNS:localhost", 2, 9, false);
	cn_only = pki_make(&ca, "localhost", NULL, -1, 10, false);
	foreign = pki_make(&other_ca, "f\nx", "DNS:localhost", -1, 10, false);
	selfsigned = pki_make(NULL, "me", "DNS:localhost", -1, 10, false);
	by_ip = pki_make(&ca, "ip", "IP:127.0.0.1,IP:::1", -1, 10, false);
	client = pki_make(&ca, "ada", NULL, -1, 10, false);
	if (mkdtemp(dir) == NULL)
		abort();
	path(ca_file, "ca.pem");
	pki_save(ca_file, &ca, false);
	path(ca_dir, "cas");
	mkdir(ca_dir, 0700);
	path(name, "cas/one.crt");
	pki_save(name, &ca, false);
	path(name, "cas/README");
	f = fopen(name, "w");
	fputs("not a certificate\n", f);
	fclose(f);
	path(client_file, "client.pem");
	pki_save(client_file, &client, true);
	path(key_file, "other-key.pem");
	pki_save(key_file, &good, true);
}

static void
tear_down(void)
{
	static const char *const name[] = {"ca.pem", "cas/one.crt",
	    "cas/README", "client.pem", "other-key.pem"};
	struct pki_cert *all[] = {&ca, &other_ca, &good, &wrong, &expired,
	    &early, &cn_only, &foreign, &selfsigned, &by_ip, &client};
	char file[64];
	size_t i;

	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		path(file, name[i]);
		unlink(file);
	}
	rmdir(ca_dir);
	rmdir(dir);
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pki_free(all[i]);
}

/* --- servers: the exit status says what became of the client ------------ */

enum { GREETED = 0, REFUSED = 3, SPOKE = 4 };

static int
serve(int fd, void *arg)
{
	SSL *ssl = pki_accept(arg, fd);
	char c;

	if (ssl == NULL) {
		/* Whatever comes after the alert would be a leak. */
		while (recv(fd, &c, 1, 0) > 0)
			return SPOKE;
		return REFUSED;
	}
	SSL_write(ssl, "hello", 5);
	while (SSL_read(ssl, &c, 1) == 1)
		SSL_write(ssl, &c, 1);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	return GREETED;
}

static int
serve_plain(int fd, void *arg)
{
	char c;

	(void)arg;
	(void)send(fd, "* OK ready\r\n", 12, 0);
	while (recv(fd, &c, 1, 0) > 0)
		;
	return GREETED;
}

static int
serve_close(int fd, void *arg)
{
	char c[4096];

	(void)arg;
	(void)recv(fd, c, sizeof(c), 0);
	return GREETED;
}

static int
serve_reset(int fd, void *arg)
{
	struct linger l = {1, 0};
	char c[4096];

	(void)arg;
	(void)recv(fd, c, sizeof(c), 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	return GREETED;
}

/* --- the client --------------------------------------------------------- */

struct session {
	struct tls_config *config;
	struct tls *tls;
	int fd;
	pid_t pid;
	struct err e;
};

static void
ready(int fd, enum tls_want want)
{
	struct pollfd f = {
	    .fd = fd, .events = want == TLS_WANT_WRITE ? POLLOUT : POLLIN};

	poll(&f, 1, 5000);
}

static int
open_session(struct session *s, int (*server)(int, void *), void *arg,
    const struct tls_options *o, const char *host)
{
	enum tls_want want = TLS_WANT_READ;
	int rv = 0, i;

	memset(s, 0, sizeof(*s));
	if (tls_config_new(o, &s->config, &s->e) == -1) {
		s->fd = -1;
		return -1;
	}
	s->fd = pki_fork(server, arg, &s->pid);
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	if (tls_new(s->config, s->fd, host, &s->tls, &s->e) == -1)
		return -1;
	for (i = 0; i < 100 && want != TLS_DONE; i++) {
		rv = tls_handshake(s->tls, &want, &s->e);
		if (rv == -1)
			break;
		if (want != TLS_DONE)
			ready(s->fd, want);
	}
	return rv;
}

/* Exactly n bytes or what came before the end. */
static ssize_t
get(struct session *s, char *p, size_t n)
{
	enum tls_want want;
	size_t got = 0;
	ssize_t k;
	int i;

	for (i = 0; i < 1000 && got < n; i++) {
		k = tls_read(s->tls, p + got, n - got, &want, &s->e);
		if (k == -1)
			return -1;
		got += (size_t)k;
		if (k == 0 && want == TLS_DONE)
			break;
		if (k == 0)
			ready(s->fd, want);
	}
	return (ssize_t)got;
}

static int
close_session(struct session *s)
{
	tls_free(s->tls);
	tls_config_free(s->config);
	if (s->fd == -1)
		return -1;
	close(s->fd);
	return pki_wait(s->pid);
}

static void
accepts(const struct pki_cert *cert, const struct tls_options *o,
    const char *host, const char *name)
{
	struct pki_server server = {.cert = cert};
	struct session s;
	char hello[5] = "";

	is_str(open_session(&s, serve, &server, o, host) == -1 ? s.e.text : "",
	    "", "%s: handshake", name);
	if (s.tls != NULL) {
		get(&s, hello, 5);
		is_mem(hello, 5, "hello", "%s: bytes come", name);
	}
	is_int(close_session(&s), GREETED, "%s: the server is content", name);
}

/* Up to four texts that the refusal must hold. */
static void
refuses(const struct pki_cert *cert, const struct tls_options *o,
    const char *host, const char *name, const char *const text[4])
{
	struct pki_server server = {.cert = cert};
	struct session s;
	size_t i;

	is_int(
	    open_session(&s, serve, &server, o, host), -1, "%s: refused", name);
	is_int(s.e.kind, ERR_TLS, "%s: kind", name);
	for (i = 0; i < 4 && text[i] != NULL; i++)
		if (!ok(strstr(s.e.text, text[i]) != NULL, "%s: says \"%s\"",
			name, text[i]))
			printf("# it says: %s\n", s.e.text);
	ok(strchr(s.e.text, '\n') == NULL, "%s: on one line", name);
	is_int(close_session(&s), REFUSED, "%s: not a byte is sent", name);
}

static void
spki_pin(const struct pki_cert *c, char out[64])
{
	unsigned char sum[32], *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der);
	struct buf b;

	EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	buf_init(&b, 100);
	enc_base64(&b, span_bytes(sum, 32));
	snprintf(out, 64, "spki-sha256:%s", buf_cstr(&b));
	buf_clear(&b);
}

static void
whole_pin(const struct pki_cert *c, const char *between, char out[128])
{
	unsigned char sum[32];
	size_t i, n = (size_t)snprintf(out, 128, "sha256:");

	X509_digest(c->x, EVP_sha256(), sum, NULL);
	for (i = 0; i < 32; i++)
		n += (size_t)snprintf(
		    out + n, 128 - n, "%s%02X", i > 0 ? between : "", sum[i]);
}

static void
test_chain(void)
{
	struct tls_options o = {.ca = ca_file}, d = {.ca = ca_dir},
			   system = {0}, leaf = {.ca = key_file};
	char pin[64];

	accepts(&good, &o, "localhost", "good");
	accepts(&good, &o, "LOCALHOST.", "name in capitals, absolute");
	accepts(&good, &d, "localhost", "tls-ca directory");
	accepts(&good, &o, "a.wild.example", "wildcard");
	accepts(&by_ip, &o, "127.0.0.1", "IPv4 address");
	accepts(&by_ip, &o, "::1", "IPv6 address");
	accepts(&good, &leaf, "localhost", "tls-ca names the leaf itself");
	spki_pin(&wrong, pin);
	refuses(&wrong, &o, "localhost", "wrong host",
	    (const char *[4]){"for other.example, www.other.example, not for "
			      "localhost",
		"subject CN=localhost", "issuer CN=Test CA", pin});
	refuses(&good, &o, "a.b.wild.example", "wildcard of one label",
	    (const char *[4]){"not for a.b.wild.example"});
	refuses(&good, &o, "127.0.0.1", "name only, asked for an address",
	    (const char *[4]){"not for 127.0.0.1"});
	spki_pin(&expired, pin);
	refuses(&expired, &o, "localhost", "expired",
	    (const char *[4]){"has expired on 20", "valid from", pin,
		"if you know this certificate to be right: tls-fingerprint "});
	refuses(&early, &o, "localhost", "too early",
	    (const char *[4]){"not yet valid until 20", "clock"});
	refuses(&cn_only, &o, "localhost", "CN only",
	    (const char *[4]){"only a common name (CN); RFC 9525"});
	refuses(&foreign, &o, "localhost", "unknown CA",
	    (const char *[4]){"issuer is not trusted (unknown CA)", "tls-ca",
		"subject CN=f\\0Ax", "issuer CN=Other CA"});
	refuses(&selfsigned, &o, "localhost", "self-signed",
	    (const char *[4]){"self-signed"});
	refuses(&good, &system, "localhost", "the system's CAs",
	    (const char *[4]){"not trusted"});
}

static void
test_pins(void)
{
	char spki[64], whole[128], colons[128], wrong_pin[64];
	const char *pins[2] = {wrong_pin, spki};
	struct tls_options o = {.pins = pins, .n_pins = 2};

	spki_pin(&foreign, spki);
	spki_pin(&good, wrong_pin);
	whole_pin(&foreign, "", whole);
	whole_pin(&foreign, ":", colons);
	accepts(&foreign, &o, "localhost", "SPKI pin, the second of two");
	accepts(&foreign, &o, "elsewhere", "a pin replaces the name check");
	pins[1] = whole;
	accepts(&foreign, &o, "localhost", "certificate pin");
	pins[1] = colons;
	accepts(&foreign, &o, "localhost", "certificate pin with colons");
	o.ca = ca_file;
	o.n_pins = 1;
	refuses(&foreign, &o, "localhost", "wrong pin",
	    (const char *[4]){"matches no tls-fingerprint", spki});
	pins[0] = colons;
	refuses(&good, &o, "localhost", "a good chain, but the wrong pin",
	    (const char *[4]){"matches no tls-fingerprint", wrong_pin});
}

static void
test_pin_check(void)
{
	static const char *const bad[] = {"",
	    "sha256:", "spki-sha256:", "sha256:00",
	    "md5:00112233445566778899aabbccddeeff", "spki-sha256:AAAA",
	    "sha256:zz"};
	char pin[128];
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		ok(tls_pin_check(bad[i], &e) == -1 && e.kind == ERR_CONFIG,
		    "not a pin: \"%s\"", bad[i]);
	}
	whole_pin(&good, ":", pin);
	is_int(tls_pin_check(pin, &e), 0, "a pin");
	pin[strlen(pin) - 1] = '\0';
	is_int(tls_pin_check(pin, &e), -1, "a pin cut short");
	whole_pin(&good, "", pin);
	strlcat(pin, "00", sizeof(pin));
	is_int(tls_pin_check(pin, &e), -1, "a pin too long");
}

static void
test_versions(void)
{
	struct tls_options o = {.ca = ca_file};
	struct pki_server old = {.cert = &good, .max = TLS1_2_VERSION},
			  older = {.cert = &good, .max = TLS1_1_VERSION};
	struct session s;

	is_int(open_session(&s, serve, &old, &o, "localhost"), 0, "TLS 1.2");
	ok(strncmp(tls_describe(s.tls), "TLS 1.2, ", 9) == 0, "describe");
	is_int(tls_exporter(s.tls).n, 0, "no tls-exporter before TLS 1.3");
	is_int(close_session(&s), GREETED, "the server agrees");
	o.min_13 = true;
	is_int(open_session(&s, serve, &old, &o, "localhost"), -1,
	    "tls-min 1.3 and a server of 1.2");
	ok(s.e.kind == ERR_TLS && strstr(s.e.text, "tls-min") != NULL,
	    "says so: %s", s.e.text);
	is_int(close_session(&s), REFUSED, "the server is refused");
	o.min_13 = false;
	is_int(open_session(&s, serve, &older, &o, "localhost"), -1,
	    "TLS 1.1 is refused");
	is_int(s.e.kind, ERR_TLS, "kind");
	is_int(close_session(&s), REFUSED, "the server is refused");
}

static void
test_binding(void)
{
	struct pki_server server = {.cert = &good};
	struct tls_options o = {.ca = ca_file};
	unsigned char sum[32];
	struct session s;
	struct span b;

	is_int(open_session(&s, serve, &server, &o, "localhost"), 0, "1.3");
	ok(strncmp(tls_describe(s.tls), "TLS 1.3, TLS_", 13) == 0, "describe");
	is_int(tls_exporter(s.tls).n, 32, "tls-exporter");
	b = tls_end_point(s.tls);
	X509_digest(good.x, EVP_sha256(), sum, NULL);
	ok(b.n == 32 && memcmp(b.p, sum, 32) == 0, "tls-server-end-point");
	ok(!tls_sent_certificate(s.tls), "no certificate was asked for");
	is_int(close_session(&s), GREETED, "end");
}

static void
test_client(int max)
{
	struct pki_server server = {
	    .cert = &good, .client_ca = &ca, .max = max};
	struct tls_options o = {.ca = ca_file, .certificate = client_file};
	const char *v = max == 0 ? "1.3" : "1.2";
	struct session s;
	char hello[5];

	is_int(open_session(&s, serve, &server, &o, "localhost"), 0,
	    "%s: client certificate", v);
	is_int(get(&s, hello, 5), 5, "%s: accepted", v);
	ok(tls_sent_certificate(s.tls), "%s: sent", v);
	is_int(close_session(&s), GREETED, "%s: the server agrees", v);
	o.certificate = NULL;
	/* With 1.3 the refusal comes after the handshake. */
	ok(open_session(&s, serve, &server, &o, "localhost") == -1 ||
		get(&s, hello, 5) == -1,
	    "%s: no client certificate", v);
	ok(s.e.kind == ERR_TLS && strstr(s.e.text, "tls-certificate") != NULL,
	    "%s: says so: %s", v, s.e.text);
	ok(close_session(&s) != GREETED, "%s: refused by the server", v);
}

static void
test_not_tls(void)
{
	struct tls_options o = {.ca = ca_file};
	struct session s;

	is_int(open_session(&s, serve_plain, NULL, &o, "localhost"), -1,
	    "a server without TLS");
	ok(s.e.kind == ERR_TLS && strstr(s.e.text, "imap://") != NULL,
	    "says so: %s", s.e.text);
	close_session(&s);
	is_int(open_session(&s, serve_close, NULL, &o, "localhost"), -1,
	    "a server that hangs up");
	ok(s.e.kind == ERR_TEMP && strstr(s.e.text, "closed") != NULL,
	    "says so: %s", s.e.text);
	close_session(&s);
	is_int(open_session(&s, serve_reset, NULL, &o, "localhost"), -1,
	    "a connection that is reset");
	is_int(s.e.kind, ERR_TEMP, "is temporary: %s", s.e.text);
	close_session(&s);
}

static void
bad_config(const struct tls_options *o, const char *text)
{
	struct tls_config *c = NULL;
	struct err e = {0};

	is_int(tls_config_new(o, &c, &e), -1, "%s", text);
	if (!ok(e.kind == ERR_CONFIG && strstr(e.text, text) != NULL,
		"is an error of the configuration"))
		printf("# kind %d: %s\n", (int)e.kind, e.text);
	tls_config_free(c);
}

static void
test_config(void)
{
	static const char *const pin[] = {"sha256:12"};
	char none[64], readme[64];

	path(none, "none");
	path(readme, "cas/README");
	bad_config(&(struct tls_options){.ca = none}, "No such file");
	bad_config(&(struct tls_options){.ca = readme}, "no PEM certificate");
	bad_config(&(struct tls_options){.certificate = none}, "none");
	bad_config(&(struct tls_options){.certificate = ca_file}, "tls-key");
	bad_config(
	    &(struct tls_options){.certificate = client_file, .key = key_file},
	    "tls-key");
	bad_config(
	    &(struct tls_options){.key = key_file}, "without tls-certificate");
	bad_config(
	    &(struct tls_options){.pins = pin, .n_pins = 1}, "fingerprint");
	mkdir(none, 0700);
	bad_config(&(struct tls_options){.ca = none}, "no file with a PEM");
	rmdir(none);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	set_up();
	test_pin_check();
	test_config();
	test_chain();
	test_pins();
	test_versions();
	test_binding();
	test_client(0);
	test_client(TLS1_2_VERSION);
	test_not_tls();
	tear_down();
	return done();
}
