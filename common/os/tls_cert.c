/*
 * Certificates: the pins that stand in for a chain, and the words in which a
 * refusal is explained.  Names in a certificate are the peer's to choose, so
 * they are escaped and cut before a person sees them.
 */

#include "os/tls_cert.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/enc.h"

#define NAME_MAX_SHOWN 150 /* bytes of a distinguished name */
#define NAMES_SHOWN 4      /* subjectAltNames */

static int
decode_hex(struct span s, struct buf *out)
{
	struct span part;

	while (span_cut(&s, ':', &part))
		if (dec_hex(out, part) == -1)
			return -1;
	return 0;
}

int
tls_pin_parse(const char *text, struct tls_pin *r, struct err *e)
{
	struct span s = span_of(text);
	struct buf b;
	int rv = -1;

	buf_init(&b, sizeof(r->sum));
	r->spki = span_prefix(s, "spki-sha256:");
	if (r->spki)
		rv = dec_base64(&b, span_skip(s, strlen("spki-sha256:")));
	else if (span_prefix(s, "sha256:"))
		rv = decode_hex(span_skip(s, strlen("sha256:")), &b);
	if (rv == 0 && b.len == sizeof(r->sum))
		memcpy(r->sum, b.data + b.head, sizeof(r->sum));
	else
		rv = err_set(e, ERR_CONFIG,
		    "\"%.200s\" is not a fingerprint: sha256: and 64 "
		    "hexadecimal digits, or spki-sha256: and 44 of base64",
		    text);
	buf_clear(&b);
	return rv;
}

static bool
spki_sum(X509 *x, unsigned char sum[32])
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool good = n > 0 && EVP_Digest(der, (size_t)n, sum, NULL, EVP_sha256(),
				 NULL) == 1;

	OPENSSL_free(der);
	return good;
}

bool
tls_pin_match(const struct tls_pin *pins, size_t n, X509 *x)
{
	unsigned char spki[32], whole[32];
	size_t i;

	if (!spki_sum(x, spki) ||
	    X509_digest(x, EVP_sha256(), whole, NULL) != 1)
		return false;
	for (i = 0; i < n; i++)
		if (memcmp(pins[i].sum, pins[i].spki ? spki : whole, 32) == 0)
			return true;
	return false;
}

static void
put_date(struct buf *b, const char *before, const ASN1_TIME *t)
{
	char text[32];
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) == 1 &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm) > 0)
		buf_printf(b, "%s%s", before, text);
}

static void
put_name(struct buf *b, const char *before, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n;

	if (bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &text);
		if (n > NAME_MAX_SHOWN)
			n = NAME_MAX_SHOWN;
		buf_printf(b, "%s%.*s", before, (int)n, n > 0 ? text : "");
	}
	BIO_free(bio);
}

/* A subjectAltName of a server: DNS or IP. */
static bool
put_alt_name(struct buf *b, const char *before, const GENERAL_NAME *g)
{
	const ASN1_STRING *s;
	char *shown, ip[INET6_ADDRSTRLEN] = "?";
	int n;

	if (g->type != GEN_DNS && g->type != GEN_IPADD)
		return false;
	s = g->type == GEN_DNS ? g->d.dNSName : g->d.iPAddress;
	n = ASN1_STRING_length(s);
	if (g->type == GEN_DNS) {
		shown = span_show(
		    span_bytes(ASN1_STRING_get0_data(s), (size_t)n), 64);
		buf_printf(b, "%s%s", before, shown);
		free(shown);
		return true;
	}
	if (n == 4 || n == 16)
		inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s),
		    ip, sizeof(ip));
	buf_printf(b, "%s%s", before, ip);
	return true;
}

static void
put_mismatch(struct buf *b, const char *host, X509 *leaf)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	int i, shown = 0, n = names == NULL ? 0 : sk_GENERAL_NAME_num(names);

	for (i = 0; i < n && shown < NAMES_SHOWN; i++)
		if (put_alt_name(b,
			shown == 0 ? "the certificate is for " : ", ",
			sk_GENERAL_NAME_value(names, i)))
			shown++;
	if (i < n)
		buf_printf(b, " and others");
	if (shown > 0)
		buf_printf(b, ", not for %.100s", host);
	else
		buf_printf(b, "the certificate has only a common name (CN); "
			      "RFC 9525 needs a subjectAltName");
	GENERAL_NAMES_free(names);
}

static void
put_untrusted(struct buf *b, X509 *leaf)
{
	bool self = X509_check_issued(leaf, leaf) == X509_V_OK;

	buf_printf(b, "%s; if you trust %s, name it with tls-ca",
	    self ? "the certificate is self-signed"
		 : "the certificate's issuer is not trusted (unknown CA)",
	    self ? "it" : "its CA");
}

static void
put_reason(struct buf *b, const char *host, X509 *leaf, X509 *at, int code)
{
	const char *whose = at == NULL || at == leaf ? "" : "'s issuer";

	switch (code) {
	case X509_V_ERR_APPLICATION_VERIFICATION:
		buf_printf(b, "the certificate matches no tls-fingerprint");
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		put_mismatch(b, host, leaf);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		buf_printf(b, "the certificate%s has expired", whose);
		put_date(b, " on ", X509_get0_notAfter(at ? at : leaf));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		buf_printf(b, "the certificate%s is not yet valid", whose);
		put_date(b, " until ", X509_get0_notBefore(at ? at : leaf));
		buf_printf(b, "; is this machine's clock right?");
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		put_untrusted(b, leaf);
		break;
	default:
		buf_printf(b, "the certificate%s is refused: %s", whose,
		    X509_verify_cert_error_string(code));
	}
}

int
tls_cert_refuse(struct err *e, const char *host, X509 *leaf, X509 *at, int code)
{
	unsigned char sum[32];
	struct buf b;

	buf_init(&b, sizeof(e->text));
	put_reason(&b, host, leaf, at, code);
	put_name(&b, " (subject ", X509_get_subject_name(leaf));
	put_name(&b, "; issuer ", X509_get_issuer_name(leaf));
	put_date(&b, "; valid from ", X509_get0_notBefore(leaf));
	put_date(&b, " to ", X509_get0_notAfter(leaf));
	buf_puts(&b, ")");
	if (spki_sum(leaf, sum)) {
		buf_puts(&b, "; if you know this certificate to be right: "
			     "tls-fingerprint spki-sha256:");
		enc_base64(&b, span_bytes(sum, sizeof(sum)));
	}
	err_set(e, ERR_TLS, "%s", buf_cstr(&b));
	buf_clear(&b);
	return -1;
}

size_t
tls_cert_end_point(X509 *x, unsigned char out_r[EVP_MAX_MD_SIZE])
{
	int digest = NID_undef;
	const EVP_MD *md;
	unsigned int n = 0;

	if (X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1 ||
	    digest == NID_undef)
		return 0;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	if ((md = EVP_get_digestbynid(digest)) == NULL ||
	    X509_digest(x, md, out_r, &n) != 1)
		return 0;
	return n;
}
