/*
 * Certificates made on the spot, and a TLS server in a child process, for the
 * tests of what uses TLS.
 */
#ifndef TESTS_UNIT_PKI_H
#define TESTS_UNIT_PKI_H

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400L

struct pki_cert {
	X509 *x;
	EVP_PKEY *key;
};

/* NULL issuer: self-signed. san NULL: none. Days count from now. */
__attribute__((unused)) static struct pki_cert
pki_make(const struct pki_cert *issuer, const char *cn, const char *san,
    long from_days, long to_days, bool ca)
{
	static long serial = 1;
	struct pki_cert c = {X509_new(), EVP_EC_gen("P-256")};
	X509_NAME *name = X509_get_subject_name(c.x);
	X509_EXTENSION *x;
	X509V3_CTX v3;

	if (issuer == NULL)
		issuer = &c;
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x), from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(c.x), to_days * DAY);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(issuer->x));
	X509_set_pubkey(c.x, c.key);
	X509V3_set_ctx(&v3, issuer->x, c.x, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &v3, NID_basic_constraints,
	    ca ? "critical,CA:TRUE" : "CA:FALSE");
	X509_add_ext(c.x, x, -1);
	X509_EXTENSION_free(x);
	if (san != NULL) {
		x = X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, san);
		X509_add_ext(c.x, x, -1);
		X509_EXTENSION_free(x);
	}
	X509_sign(c.x, issuer->key, EVP_sha256());
	return c;
}

__attribute__((unused)) static void
pki_free(struct pki_cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
}

/* The certificate, then the key unless it is kept back. */
__attribute__((unused)) static void
pki_save(const char *path, const struct pki_cert *c, bool with_key)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		abort();
	PEM_write_X509(f, c->x);
	if (with_key)
		PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

__attribute__((unused)) static int
pki_listen(uint16_t *port_r)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&in, n) == -1 || listen(fd, 8) == -1 ||
	    getsockname(fd, (struct sockaddr *)&in, &n) == -1)
		abort();
	*port_r = ntohs(in.sin_port);
	return fd;
}

__attribute__((unused)) static int
pki_dial(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == -1)
		abort();
	return fd;
}

struct pki_server {
	const struct pki_cert *cert;
	const struct pki_cert *client_ca; /* wants a certificate by it */
	int max;                          /* TLS version; 0: any */
};

__attribute__((unused)) static SSL *
pki_accept(const struct pki_server *s, int fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl;

	SSL_CTX_use_certificate(ctx, s->cert->x);
	SSL_CTX_use_PrivateKey(ctx, s->cert->key);
	SSL_CTX_set_max_proto_version(ctx, s->max);
	if (s->max != 0 && s->max < TLS1_2_VERSION) {
		SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
		SSL_CTX_set_cipher_list(ctx, "DEFAULT@SECLEVEL=0");
	}
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (s->client_ca != NULL) {
		X509_STORE_add_cert(
		    SSL_CTX_get_cert_store(ctx), s->client_ca->x);
		SSL_CTX_set_verify(ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

/*
 * A child that serves one connection with serve(fd, arg); its result is the
 * child's exit status.  Returns a socket connected to it.
 */
__attribute__((unused)) static int
pki_fork(int (*serve)(int, void *), void *arg, pid_t *pid_r)
{
	uint16_t port;
	int fd, l = pki_listen(&port);

	fflush(stdout);
	if ((*pid_r = fork()) == 0) {
		alarm(60);
		if ((fd = accept(l, NULL, NULL)) == -1)
			_exit(99);
		close(l);
		_exit(serve(fd, arg));
	}
	close(l);
	return pki_dial(port);
}

__attribute__((unused)) static int
pki_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#endif
