/*
 * peer: the scripted server of the test suite.  It listens on 127.0.0.1 and
 * plays one side of a dialogue, word for word, to the client under test.  It
 * owns everything a server may do to a client: what is said and when, how it
 * is cut into packets, TLS, SASL, and how the connection ends; so that any
 * behaviour that was ever met in the field becomes a file of a few lines.
 *
 *	peer [-v] [-a CA] [-c CERT] [-k KEY] [-l PORT] [-p FILE] [-t SECONDS]
 *	    [-x SECRET]... SCRIPT
 *
 * Exit: 0 the client did exactly what the script expects, 1 it did not
 * (standard error tells the line, what was expected and what came), 2 the time
 * was over, 64 the script or the usage is wrong.  README.md tells the language
 * at length; in short:
 *
 *	S: text		send the line		C: pattern	expect the line
 *	S- text		send, without CRLF	C= pattern	case counts
 *	S-file PATH	send a file		C? pattern	... if it comes
 *	S-repeat N text	send N such lines	C-any  C-lines N  C-bytes N
 *	S-b64 PREFIX text			C-until pattern
 *	scram MECH user password ...		C-b64 [ir=<x>] pattern
 *	on pattern	standing rule		connect		a further one
 *	tls  tls-pre  tls-max V  cert PEM [KEY]  expect-tls-fail
 *	close  reset  half-close  cut N		eof  stall  listen-only
 *	sleep MS  trickle N  split SEED		secrets-ok  secret-free
 *	quirk: NAME	# comment
 *
 * Indented lines belong to the C? or on above them.  In patterns, * is any run
 * and <name> a word to remember; escapes are \r \n \t \0 \xHH \\ \< \*.
 *
 * One process, one connection at a time, sockets that never block, and one
 * deadline for all: nothing outlives it.
 */

#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define LINE_LIMIT (1024 * 1024) /* of one line of the client */
#define CHUNK 16384              /* read at once */
#define BLOCK 65536              /* sent at once */
#define STEPS 20000
#define NAMES 64
#define SECRETS 16
#define SECRET_MIN 6 /* shorter ones would be found by chance */
#define SECRET_MAX 1024
#define SCAN_TAIL 2048 /* over SECRET_MAX in base64 */
#define SHOWN 400      /* bytes of a line in a message */

struct bytes {
	unsigned char *p; /* owned; always has room for one more, a NUL */
	size_t n, cap;
};

struct atom {
	enum { LITERAL, STAR, NAME, FRESH } kind;
	unsigned char byte;
	int name;
};

struct text {
	struct atom *atoms; /* owned */
	size_t n;
};

struct name {
	char *text;   /* owned */
	size_t scope; /* line of its rule; 0 for the script's own */
	bool defined; /* some pattern captures it */
	struct bytes value;
	bool set;
};

struct step;

struct verb {
	const char *word;
	void (*play)(const struct step *);
	unsigned flags;
};

/* What a verb takes, and where it may stand. */
enum {
	V_HEAD = 1,      /* a first word */
	V_TEXT = 2,      /* the rest is text to send */
	V_PATTERN = 4,   /* the rest is a pattern */
	V_CASE = 8,      /* whose letters count as they are */
	V_IR = 16,       /* a first word only when it starts with ir= */
	V_BLOCK = 32,    /* indented steps may follow */
	V_RULE = 64,     /* may be in the block of a standing rule */
	V_CONN = 128,    /* needs a connection */
	V_BARE = 256,    /* ... without the TLS that tls-pre asks for */
	V_MAYBE = 512,   /* C? */
	V_EXPECT = 1024, /* C: and C= */
	V_TAKES = 2048,  /* takes any line */
	V_ON = 4096,
	V_CONNECT = 8192
};

struct step {
	const struct verb *verb;
	size_t line;
	bool indented;
	char *src; /* owned */
	struct text head, body;
};

/* What has passed by, kept as far as a secret may have begun in it. */
struct scanner {
	unsigned char held[SCAN_TAIL + CHUNK];
	size_t n;
};

static struct {
	const char *ca, *cert, *key, *port_file, *path;
	int port;
	int seconds;
	bool verbose;
} opt = {.seconds = 20};

static struct {
	struct step steps[STEPS + 1]; /* and the end */
	size_t n;
	size_t now; /* the step that is played */
	struct name names[NAMES];
	int nnames;
	size_t rules[NAMES];
	size_t nrules;
	char quirk[128];
	char *cert, *key; /* owned; set by the script */
	int tls_max;
	bool tls_pre;
} script;

static struct {
	int fd;
	SSL *ssl;       /* owned */
	SSL_CTX *ctx;   /* owned */
	bool over;      /* ended: only connect may follow */
	bool cut_done;  /* ... and all before it is skipped */
	bool awaited;   /* by a connect that nothing has followed yet */
	bool in_gone;   /* the client will not send more */
	bool out_gone;  /* the client does not listen */
	bool half;      /* we have sent our end */
	long long cut;  /* bytes left, or -1 */
	size_t trickle; /* bytes at a time, or 0 */
	uint64_t split; /* state of the random sizes, or 0 */
	short want;     /* what the last I/O was blocked for */
	char why[256];  /* how it went away */
	unsigned char in[LINE_LIMIT + 2 + 4 * CHUNK];
	size_t head, n;
	struct scanner plain, raw;
} conn = {.fd = -1};

static struct {
	struct bytes forms[SECRETS * 4];
	size_t n;
	bool allowed;
} secrets;

static int listener = -1;
static unsigned connections;
static struct timespec deadline;

/* --- bytes ---------------------------------------------------------------- */

static void
bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (b->cap - b->n < n + 1) {
		b->cap = (b->n + n + 1) * 2;
		if ((b->p = realloc(b->p, b->cap)) == NULL)
			err(EX_OSERR, NULL);
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

static void
bytes_puts(struct bytes *b, const char *s)
{
	bytes_add(b, s, strlen(s));
}

static void
bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){0};
}

static void
b64_add(struct bytes *to, const void *p, size_t n)
{
	char *text;

	if ((text = malloc(n / 3 * 4 + 5)) == NULL)
		err(EX_OSERR, NULL);
	bytes_add(to, text,
	    (size_t)EVP_EncodeBlock((unsigned char *)text, p, (int)n));
	free(text);
}

/* Strict: whole quanta, no blanks, padding only at the end. */
static bool
b64_decode(const unsigned char *p, size_t n, struct bytes *out)
{
	size_t i, pad = 0;
	unsigned char *raw;

	bytes_add(out, "", 0);
	while (pad < 2 && pad < n && p[n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < n - pad; i++)
		if (!isalnum(p[i]) && p[i] != '+' && p[i] != '/')
			return false;
	if (n % 4 != 0 || n > LINE_LIMIT)
		return false;
	if ((raw = malloc(n / 4 * 3 + 1)) == NULL)
		err(EX_OSERR, NULL);
	(void)EVP_DecodeBlock(raw, p, (int)n);
	bytes_add(out, raw, n == 0 ? 0 : n / 4 * 3 - pad);
	free(raw);
	return true;
}

/* --- messages ------------------------------------------------------------- */

static void
show(const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < n && i < SHOWN; i++) {
		if (p[i] == '\r')
			fputs("\\r", stderr);
		else if (p[i] == '\n')
			fputs("\\n", stderr);
		else if (p[i] == '\\')
			fputs("\\\\", stderr);
		else if (p[i] >= ' ' && p[i] < 0x7f)
			fputc(p[i], stderr);
		else
			fprintf(stderr, "\\x%02x", p[i]);
	}
	if (n > SHOWN)
		fprintf(stderr, "... (%zu bytes)", n);
	fputc('\n', stderr);
}

static void
tell(const char *who, const void *p, size_t n)
{
	if (!opt.verbose)
		return;
	fputs(who, stderr);
	show(p, n);
}

/* Says what went wrong at this step, and ends. */
static void __attribute__((noreturn, format(printf, 4, 5)))
quit(int code, const void *came, size_t n, const char *fmt, ...)
{
	const struct step *step = &script.steps[script.now];
	va_list ap;

	fprintf(stderr, "peer: %s:%zu: ", opt.path, step->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  %s  %s\n",
	    code == EX_USAGE ? "script  " : "expected", step->src);
	if (came != NULL) {
		fputs("  came      ", stderr);
		show(came, n);
	}
	if (script.quirk[0] != '\0')
		fprintf(stderr, "  quirk     %s\n", script.quirk);
	if (connections > 1)
		fprintf(stderr, "  in        connection %u\n", connections);
	if (conn.why[0] != '\0')
		fprintf(stderr, "  client    %s\n", conn.why);
	exit(code);
}

#define fail(...) quit(1, NULL, 0, __VA_ARGS__)
#define fail_came(p, n, ...) quit(1, (p), (n), __VA_ARGS__)
#define wrong_script(...) quit(EX_USAGE, NULL, 0, __VA_ARGS__)

/* --- script --------------------------------------------------------------- */

static size_t
name_length(const char *s)
{
	size_t n = 0;

	if (!islower((unsigned char)*s))
		return 0;
	while (islower((unsigned char)s[n]) || isdigit((unsigned char)s[n]) ||
	       s[n] == '_')
		n++;
	return s[n] == '>' ? n : 0;
}

/*
 * Names captured by a standing rule are its own, so that a rule which answers
 * in between changes nothing for the script around it.
 */
static int
name_intern(const char *s, size_t n, size_t scope, bool pattern)
{
	struct name *name;
	int i;

	for (i = 0; i < script.nnames; i++) {
		name = &script.names[i];
		if (strlen(name->text) == n && memcmp(name->text, s, n) == 0 &&
		    name->scope == scope)
			break;
	}
	if (i == script.nnames && scope != 0 && !pattern)
		return name_intern(s, n, 0, false);
	if (i == NAMES)
		wrong_script("too many names");
	name = &script.names[i];
	if (i == script.nnames) {
		script.nnames++;
		if ((name->text = strndup(s, n)) == NULL)
			err(EX_OSERR, NULL);
		name->scope = scope;
	}
	name->defined = name->defined || pattern;
	return i;
}

static unsigned char
escape(const char **s)
{
	static const char from[] = "rnt0\\<*", to[] = "\r\n\t\0\\<*";
	char hex[3] = {0};
	const char *f;

	if (**s == 'x' && isxdigit((unsigned char)(*s)[1]) &&
	    isxdigit((unsigned char)(*s)[2])) {
		memcpy(hex, *s + 1, 2);
		*s += 3;
		return (unsigned char)strtoul(hex, NULL, 16);
	}
	if (**s == '\0' || (f = strchr(from, **s)) == NULL)
		wrong_script("unknown escape \\%c", **s);
	(*s)++;
	return (unsigned char)to[f - from];
}

static void
compile(
    const char *s, const char *end, bool pattern, size_t scope, struct text *t)
{
	struct atom a;
	size_t n;

	if ((t->atoms = calloc((size_t)(end - s) + 1, sizeof(a))) == NULL)
		err(EX_OSERR, NULL);
	while (s < end) {
		a = (struct atom){.kind = LITERAL};
		n = 0;
		if (*s == '<') {
			a.kind = pattern && (scope != 0 || s[1] == '*') ? FRESH
			                                                : NAME;
			n = name_length(s + (pattern && s[1] == '*' ? 2 : 1));
		}
		if (n > 0) {
			s += pattern && s[1] == '*' ? 2 : 1;
			a.name = name_intern(s, n, scope, pattern);
			s += n + 1;
		} else if (*s == '*' && pattern) {
			a.kind = STAR;
			s++;
		} else {
			a.kind = LITERAL;
			a.byte = (unsigned char)*s++;
			if (a.byte == '\\')
				a.byte = escape(&s);
		}
		t->atoms[t->n++] = a;
	}
}

static void
expand(const struct text *t, struct bytes *out)
{
	const struct name *name;
	size_t i;

	for (i = 0; i < t->n; i++) {
		name = &script.names[t->atoms[i].name];
		if (t->atoms[i].kind != NAME)
			bytes_add(out, &t->atoms[i].byte, 1);
		else if (name->set)
			bytes_add(out, name->value.p, name->value.n);
		else if (name->defined)
			wrong_script("<%s> is not captured yet", name->text);
		else { /* no pattern has it: just text */
			bytes_puts(out, "<");
			bytes_puts(out, name->text);
			bytes_puts(out, ">");
		}
	}
	bytes_add(out, "", 0);
}

static long long
number(const struct step *step, long long min, long long max)
{
	struct bytes b = {0};
	const char *e;
	long long n;

	expand(&step->head, &b);
	n = strtonum((char *)b.p, min, max, &e);
	if (e != NULL)
		wrong_script("%s is %s", b.p, e);
	bytes_free(&b);
	return n;
}

/* Files are named from where the script is. */
static char *
path_of(const struct text *t)
{
	const char *slash = strrchr(opt.path, '/');
	struct bytes b = {0};

	if (slash != NULL && (t->n == 0 || t->atoms[0].byte != '/'))
		bytes_add(&b, opt.path, (size_t)(slash - opt.path) + 1);
	expand(t, &b);
	return (char *)b.p;
}

/* --- deadline ------------------------------------------------------------- */

static int
milliseconds_left(void)
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (deadline.tv_sec - now.tv_sec) * 1000LL +
	     (deadline.tv_nsec - now.tv_nsec) / 1000000;
	if (ms <= 0)
		quit(2, conn.n > 0 ? conn.in + conn.head : NULL, conn.n,
		    "the %d seconds are over", opt.seconds);
	return (int)ms;
}

static short
wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	while (poll(&p, 1, milliseconds_left()) <= 0)
		continue;
	return p.revents;
}

static void
nap(long long us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		continue;
}

/* --- secrets -------------------------------------------------------------- */

static void
form_add(const void *p, size_t n)
{
	bytes_add(&secrets.forms[secrets.n++], p, n);
}

/*
 * A secret somewhere within base64 has one of three forms, by how many bytes
 * stand before it.  Of each, the characters that the secret alone determines.
 */
static void
secret_add(const char *s)
{
	size_t shift, from, to, n = strlen(s);
	struct bytes padded, b64;

	if (n < SECRET_MIN || n > SECRET_MAX || secrets.n == SECRETS * 4)
		errx(EX_USAGE, "-x: from %d to %d bytes, and at most %d",
		    SECRET_MIN, SECRET_MAX, SECRETS);
	form_add(s, n);
	for (shift = 0; shift < 3; shift++) {
		padded = b64 = (struct bytes){0};
		bytes_add(&padded, "\0\0", shift);
		bytes_puts(&padded, s);
		b64_add(&b64, padded.p, padded.n);
		from = (shift * 8 + 5) / 6;
		to = padded.n * 8 / 6;
		form_add(b64.p + from, to - from);
		bytes_free(&padded);
		bytes_free(&b64);
	}
}

static void
scan(struct scanner *s, const unsigned char *p, size_t n)
{
	const struct bytes *form;
	size_t i, k;

	if (secrets.allowed)
		s->n = n = 0;
	while (n > 0) {
		k = n < CHUNK ? n : CHUNK;
		memcpy(s->held + s->n, p, k);
		s->n += k;
		p += k;
		n -= k;
		for (i = 0; i < secrets.n; i++) {
			form = &secrets.forms[i];
			if (memmem(s->held, s->n, form->p, form->n) != NULL)
				fail_came(form->p, form->n,
				    "the client gave away a secret");
		}
		k = s->n < SCAN_TAIL ? s->n : SCAN_TAIL;
		memmove(s->held, s->held + s->n - k, k);
		s->n = k;
	}
}

/* Sees what TLS reads from the socket, a handshake's garbage included. */
static long
scan_raw(BIO *bio, int op, const char *p, size_t len, int argi, long argl,
    int ret, size_t *done)
{
	(void)bio, (void)len, (void)argi, (void)argl;
	if (op == (BIO_CB_READ | BIO_CB_RETURN) && ret > 0 && done != NULL)
		scan(&conn.raw, (const unsigned char *)p, *done);
	return ret;
}

/* --- connection ----------------------------------------------------------- */

static void
conn_close(void)
{
	SSL_free(conn.ssl);
	SSL_CTX_free(conn.ctx);
	conn.ssl = NULL;
	conn.ctx = NULL;
	if (conn.fd != -1)
		close(conn.fd);
	conn.fd = -1;
	conn.n = 0;
	conn.over = true;
}

static void
went(const char *how)
{
	if (conn.why[0] == '\0')
		strlcpy(conn.why, how, sizeof(conn.why));
}

/* n bytes, 0 when the other side is gone, -1 when it would block. */
static ssize_t
tls_result(int r)
{
	unsigned long e;

	switch (SSL_get_error(conn.ssl, r)) {
	case SSL_ERROR_NONE:
		return r;
	case SSL_ERROR_WANT_READ:
		conn.want = POLLIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		conn.want = POLLOUT;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		went("said goodbye in TLS");
		return 0;
	}
	e = ERR_peek_last_error();
	went(e == 0 ? "hung up" : ERR_reason_error_string(e));
	return 0;
}

static ssize_t
plain_result(ssize_t r, short want)
{
	conn.want = want;
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (r <= 0)
		went(r == 0 ? "hung up" : strerror(errno));
	return r < 0 ? 0 : r;
}

/* One attempt to read: 1 some, 0 the client is gone, -1 nothing yet. */
static int
try_fill(void)
{
	unsigned char *p;
	ssize_t r;

	if (conn.in_gone)
		return 0;
	if (conn.head > 0)
		memmove(conn.in, conn.in + conn.head, conn.n);
	conn.head = 0;
	if (sizeof(conn.in) - conn.n < CHUNK)
		return -1;
	p = conn.in + conn.n;
	ERR_clear_error();
	errno = 0;
	if (conn.ssl != NULL)
		r = tls_result(SSL_read(conn.ssl, p, CHUNK));
	else
		r = plain_result(recv(conn.fd, p, CHUNK, 0), POLLIN);
	if (r > 0) {
		scan(&conn.plain, p, (size_t)r);
		conn.n += (size_t)r;
	}
	conn.in_gone = r == 0;
	return r > 0 ? 1 : (int)r;
}

static bool
fill(void)
{
	int r;

	while ((r = try_fill()) == -1)
		(void)wait_for(conn.fd, conn.want);
	return r == 1;
}

static void
take(size_t n)
{
	conn.head += n;
	conn.n -= n;
}

/* The next line, without its end; false when the client is gone instead. */
static bool
peek_line(const unsigned char **line, size_t *n)
{
	const unsigned char *lf;

	while ((lf = memchr(conn.in + conn.head, '\n', conn.n)) == NULL) {
		if (conn.n > LINE_LIMIT)
			fail_came(conn.in + conn.head, conn.n,
			    "the client's line has no end");
		if (!fill() && conn.n > 0)
			fail_came(conn.in + conn.head, conn.n,
			    "the client left within a line");
		else if (conn.n == 0)
			return false;
	}
	*line = conn.in + conn.head;
	*n = (size_t)(lf - *line);
	if (*n == 0 || lf[-1] != '\r')
		fail_came(*line, *n + 1, "the client ended a line without CR");
	--*n;
	return true;
}

static void
take_line(size_t n)
{
	tell("C: ", conn.in + conn.head, n);
	take(n + 2);
}

static void
need_line(const unsigned char **line, size_t *n)
{
	if (!peek_line(line, n))
		fail("the client left");
}

/* What has arrived, unread, would turn our FIN into a reset. */
static void
drain(void)
{
	do
		conn.n = 0;
	while (try_fill() == 1);
}

static void
write_all(const unsigned char *p, size_t n)
{
	ssize_t r;

	while (n > 0 && !conn.out_gone) {
		ERR_clear_error();
		if (conn.ssl != NULL)
			r = tls_result(SSL_write(conn.ssl, p, (int)n));
		else
			r = plain_result(send(conn.fd, p, n, 0), POLLOUT);
		if (r > 0) {
			p += r;
			n -= (size_t)r;
			continue;
		}
		if ((conn.out_gone = r == 0))
			break;
		(void)wait_for(conn.fd, conn.want);
	}
}

static size_t
next_size(size_t n)
{
	size_t k = conn.trickle;

	if (conn.split != 0) { /* xorshift: sizes of all magnitudes */
		conn.split ^= conn.split << 13;
		conn.split ^= conn.split >> 7;
		conn.split ^= conn.split << 17;
		k = 1 + (conn.split >> 8) % (1U << conn.split % 13);
	}
	return k == 0 || k > n ? n : k;
}

static void
check_cut(void)
{
	if (conn.cut != 0)
		return;
	tell("-- ", "cut", 3);
	if (conn.ssl != NULL) /* no goodbye: that is the point */
		SSL_set_quiet_shutdown(conn.ssl, 1);
	drain();
	conn_close();
	conn.cut_done = true;
}

static void
send_bytes(const unsigned char *p, size_t n)
{
	size_t k;

	while (n > 0 && !conn.over) {
		k = next_size(n);
		if (conn.cut >= 0 && (long long)k > conn.cut)
			k = (size_t)conn.cut;
		write_all(p, k);
		p += k;
		n -= k;
		if (conn.cut >= 0)
			conn.cut -= (long long)k;
		if (conn.trickle != 0 || conn.split != 0) {
			(void)milliseconds_left();
			nap(300);
		}
		check_cut();
	}
}

static void
send_end(void)
{
	if (conn.half)
		return;
	conn.half = true;
	if (conn.ssl != NULL)
		(void)SSL_shutdown(conn.ssl);
	shutdown(conn.fd, SHUT_WR);
}

/* --- TLS ------------------------------------------------------------------ */

/* CERT, its KEY: the one given, else the .key beside the .pem, else CERT. */
static void
use_certificate(SSL_CTX *ctx, const char *cert, const char *key)
{
	size_t n = strlen(cert);
	struct bytes beside = {0};

	bytes_add(&beside, cert, n > 4 ? n - 4 : n);
	bytes_puts(&beside, ".key");
	if (key == NULL && access((char *)beside.p, R_OK) == 0)
		key = (char *)beside.p;
	if (key == NULL)
		key = cert;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		wrong_script("cannot use certificate %s", cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		wrong_script("cannot use key %s", key);
	bytes_free(&beside);
}

static void
tls_new(void)
{
	const char *cert = script.cert != NULL ? script.cert : opt.cert;

	if (cert == NULL)
		wrong_script("TLS needs -c CERT, or cert PATH");
	if ((conn.ctx = SSL_CTX_new(TLS_server_method())) == NULL)
		errx(EX_SOFTWARE, "cannot begin TLS");
	/* Unread tickets would turn a client's FIN into a reset. */
	SSL_CTX_set_num_tickets(conn.ctx, 0);
	SSL_CTX_set_session_cache_mode(conn.ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(conn.ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(conn.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_max_proto_version(conn.ctx, script.tls_max);
	if (script.tls_max != 0 && script.tls_max < TLS1_2_VERSION) {
		SSL_CTX_set_min_proto_version(conn.ctx, TLS1_VERSION);
		SSL_CTX_set_cipher_list(conn.ctx, "DEFAULT:@SECLEVEL=0");
	}
	use_certificate(
	    conn.ctx, cert, script.cert != NULL ? script.key : opt.key);
	if (opt.ca != NULL) {
		if (!SSL_CTX_load_verify_locations(conn.ctx, opt.ca, NULL))
			errx(EX_USAGE, "cannot use %s", opt.ca);
		SSL_CTX_set_verify(conn.ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	if ((conn.ssl = SSL_new(conn.ctx)) == NULL ||
	    !SSL_set_fd(conn.ssl, conn.fd))
		errx(EX_SOFTWARE, "cannot begin TLS");
	BIO_set_callback_ex(SSL_get_rbio(conn.ssl), scan_raw);
}

/*
 * False when the client refuses or leaves.  A client that goes on in plain
 * text has not refused anything: that fails whatever was expected.
 */
static bool
handshake(void)
{
	unsigned char first[CHUNK];
	ssize_t r;

	if (conn.ssl != NULL)
		wrong_script("TLS is on already");
	if (conn.n > 0)
		fail_came(conn.in + conn.head, conn.n,
		    "the client did not wait for TLS");
	while ((r = plain_result(recv(conn.fd, first, sizeof(first), MSG_PEEK),
		    POLLIN)) == -1)
		(void)wait_for(conn.fd, POLLIN);
	if (r == 0)
		return false;
	scan(&conn.raw, first, (size_t)r);
	conn.raw.n = 0;
	if (first[0] != SSL3_RT_HANDSHAKE)
		fail_came(first, (size_t)r, "the client speaks without TLS");
	tls_new();
	do {
		ERR_clear_error();
		errno = 0;
		r = tls_result(SSL_accept(conn.ssl));
	} while (r == -1 && wait_for(conn.fd, conn.want));
	if (r <= 0)
		return false;
	if (opt.verbose)
		fprintf(stderr, "-- %s %s\n", SSL_get_version(conn.ssl),
		    SSL_get_cipher(conn.ssl));
	return true;
}

static void
play_tls(const struct step *step)
{
	(void)step;
	if (!handshake())
		fail("TLS failed");
}

static void
play_expect_tls_fail(const struct step *step)
{
	(void)step;
	if (handshake() && fill())
		fail_came(
		    conn.in + conn.head, conn.n, "the client went on in TLS");
	conn_close();
}

static void
play_tls_pre(const struct step *step)
{
	(void)step;
	script.tls_pre = true;
}

static void
play_tls_max(const struct step *step)
{
	static const int versions[] = {
	    TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
	struct bytes b = {0};

	expand(&step->head, &b);
	if (b.n != 3 || memcmp(b.p, "1.", 2) != 0 || b.p[2] < '0' ||
	    b.p[2] > '3')
		wrong_script("tls-max is 1.0, 1.1, 1.2 or 1.3");
	script.tls_max = versions[b.p[2] - '0'];
	bytes_free(&b);
}

static void
play_cert(const struct step *step)
{
	free(script.cert);
	free(script.key);
	script.cert = path_of(&step->head);
	script.key = step->body.n == 0 ? NULL : path_of(&step->body);
}

/* --- patterns ------------------------------------------------------------- */

/* What the last match captured; borrowed from the line. */
static struct {
	int name;
	const unsigned char *p;
	size_t n;
} caps[NAMES];
static size_t ncaps;

static bool
same(const unsigned char *a, const unsigned char *b, size_t n, bool fold)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (a[i] != b[i] && (!fold || tolower(a[i]) != tolower(b[i])))
			return false;
	return true;
}

/* Takes a word up to a space or to what follows in the pattern; 0 is no. */
static size_t
capture(const struct text *t, size_t i, const unsigned char *p, size_t n)
{
	const struct name *name = &script.names[t->atoms[i].name];
	const struct atom *next = i + 1 < t->n ? &t->atoms[i + 1] : NULL;
	size_t k;

	if (t->atoms[i].kind == NAME && name->set)
		return name->value.n <= n &&
		               memcmp(name->value.p, p, name->value.n) == 0
		           ? name->value.n
		           : 0;
	for (k = 0; k < n && p[k] != ' '; k++)
		if (next != NULL && next->kind == LITERAL && next->byte == p[k])
			break;
	if (k == 0 || ncaps == NAMES)
		return 0;
	caps[ncaps].name = t->atoms[i].name;
	caps[ncaps].p = p;
	caps[ncaps++].n = k;
	return k;
}

/* The usual search with one place to come back to: the last star. */
static bool
match(const struct text *t, const unsigned char *p, size_t n, bool fold)
{
	size_t i = 0, j = 0, k, star = SIZE_MAX, star_j = 0, star_caps = 0;
	const struct atom *a;

	ncaps = 0;
	while (i < t->n || j < n) {
		a = i < t->n ? &t->atoms[i] : NULL;
		k = 0;
		if (a != NULL && a->kind == STAR) {
			star = i++;
			star_j = j;
			star_caps = ncaps;
			continue;
		}
		if (a != NULL && a->kind == LITERAL)
			k = j < n && same(&a->byte, p + j, 1, fold);
		else if (a != NULL)
			k = capture(t, i, p + j, n - j);
		if (k == 0) {
			if (star == SIZE_MAX || star_j == n)
				return false;
			j = ++star_j;
			i = star + 1;
			ncaps = star_caps;
			continue;
		}
		i++;
		j += k;
	}
	return true;
}

static void
remember(void)
{
	struct name *name;
	size_t i;

	for (i = 0; i < ncaps; i++) {
		name = &script.names[caps[i].name];
		name->value.n = 0;
		bytes_add(&name->value, caps[i].p, caps[i].n);
		name->set = true;
	}
	ncaps = 0;
}

static bool
matches(const struct step *step, const unsigned char *p, size_t n)
{
	return match(&step->body, p, n, !(step->verb->flags & V_CASE));
}

/* Whether a standing rule knows the line; then it is answered and gone. */
static bool
answer_rule(const unsigned char *line, size_t n)
{
	size_t i, k, was = script.now;

	for (i = 0; i < script.nrules; i++)
		if (matches(&script.steps[script.rules[i]], line, n))
			break;
	if (i == script.nrules)
		return false;
	remember();
	take_line(n);
	for (k = script.rules[i] + 1;
	     k < script.n && !conn.over && script.steps[k].indented; k++) {
		script.now = k;
		script.steps[k].verb->play(&script.steps[k]);
	}
	script.now = was;
	return true;
}

/* --- steps that send ------------------------------------------------------ */

static void
send_text(struct bytes *b)
{
	tell("S: ", b->p, b->n);
	send_bytes(b->p, b->n);
	bytes_free(b);
}

static void
play_send(const struct step *step)
{
	struct bytes b = {0};

	expand(&step->body, &b);
	bytes_puts(&b, "\r\n");
	send_text(&b);
}

static void
play_send_raw(const struct step *step)
{
	struct bytes b = {0};

	expand(&step->body, &b);
	send_text(&b);
}

static void
play_send_file(const struct step *step)
{
	static unsigned char block[BLOCK];
	char *path = path_of(&step->body);
	size_t n;
	FILE *f;

	if ((f = fopen(path, "r")) == NULL)
		wrong_script("%s: %s", path, strerror(errno));
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		send_bytes(block, n);
	if (ferror(f))
		wrong_script("%s: %s", path, strerror(errno));
	tell("S: file ", path, strlen(path));
	fclose(f);
	free(path);
}

static void
play_send_repeat(const struct step *step)
{
	struct bytes one = {0}, many = {0};
	size_t k, left = (size_t)number(step, 0, 1000000000);

	expand(&step->body, &one);
	bytes_puts(&one, "\r\n");
	tell("S: repeat ", step->src, strlen(step->src));
	while (many.n < BLOCK && many.n < one.n * left)
		bytes_add(&many, one.p, one.n);
	for (; left > 0; left -= k) {
		k = many.n / one.n < left ? many.n / one.n : left;
		send_bytes(many.p, k * one.n);
	}
	bytes_free(&one);
	bytes_free(&many);
}

static void
send_b64(const char *prefix, const void *p, size_t n)
{
	struct bytes b = {0};

	bytes_puts(&b, prefix);
	bytes_puts(&b, " ");
	b64_add(&b, p, n);
	bytes_puts(&b, "\r\n");
	send_text(&b);
}

static void
play_send_b64(const struct step *step)
{
	struct bytes prefix = {0}, text = {0};

	expand(&step->head, &prefix);
	expand(&step->body, &text);
	send_b64((char *)prefix.p, text.p, text.n);
	bytes_free(&prefix);
	bytes_free(&text);
}

/* --- steps that expect ---------------------------------------------------- */

static void __attribute__((noreturn))
fail_line(const struct step *step, const unsigned char *line, size_t n)
{
	struct name *name;
	size_t i;

	for (i = 0; i < step->body.n; i++) {
		name = &script.names[step->body.atoms[i].name];
		if (step->body.atoms[i].kind == NAME && name->set)
			fprintf(stderr,
			    "peer: <%s> was %s; <*%s> would take "
			    "any\n",
			    name->text, name->value.p, name->text);
	}
	fail_came(line, n, "the client said something else");
}

static void
play_expect(const struct step *step)
{
	const unsigned char *line;
	size_t n;

	for (;;) {
		need_line(&line, &n);
		if (matches(step, line, n))
			break;
		if (!answer_rule(line, n))
			fail_line(step, line, n);
		if (conn.over)
			return;
	}
	remember();
	take_line(n);
}

/* Whether one of the steps at hand, from this C? on, takes the line. */
static bool
wanted(size_t i, const unsigned char *line, size_t n)
{
	const struct step *step;

	for (; i < script.n; i++) {
		step = &script.steps[i];
		if (step->indented)
			continue;
		if (step->verb->flags & (V_MAYBE | V_EXPECT) &&
		    matches(step, line, n))
			return true;
		if (!(step->verb->flags & V_MAYBE))
			return (step->verb->flags & V_TAKES) != 0;
	}
	return false;
}

static void
skip_block(void)
{
	while (
	    script.now + 1 < script.n && script.steps[script.now + 1].indented)
		script.now++;
}

static void
play_maybe(const struct step *step)
{
	const unsigned char *line;
	bool here;
	size_t n;

	while ((here = peek_line(&line, &n)) && !wanted(script.now, line, n) &&
	       answer_rule(line, n))
		if (conn.over)
			return;
	if (!here || !matches(step, line, n)) {
		skip_block();
		return;
	}
	remember();
	take_line(n);
}

static void
play_lines(const struct step *step)
{
	long long left = step->head.n == 0 ? 1 : number(step, 0, INT_MAX);
	const unsigned char *line;
	size_t n;

	for (; left > 0; left--) {
		need_line(&line, &n);
		take_line(n);
	}
}

static void
play_until(const struct step *step)
{
	const unsigned char *line;
	bool found;
	size_t n;

	do {
		need_line(&line, &n);
		if ((found = matches(step, line, n)))
			remember();
		take_line(n);
	} while (!found);
}

static void
play_bytes(const struct step *step)
{
	size_t k, left = (size_t)number(step, 0, INT_MAX);

	while (left > 0) {
		if (conn.n == 0 && !fill())
			fail("the client left, %zu bytes before", left);
		k = conn.n < left ? conn.n : left;
		tell("C- ", conn.in + conn.head, k);
		take(k);
		left -= k;
	}
}

/* Decodes an initial response, or the next line when that is NULL. */
static void
read_b64(const char *ir, struct bytes *out)
{
	const unsigned char *line;
	size_t n;

	if (ir != NULL) {
		line = (const unsigned char *)ir;
		n = strcmp(ir, "=") == 0 ? 0 : strlen(ir);
	} else
		need_line(&line, &n);
	if (!b64_decode(line, n, out))
		fail_came(line, n, "this is not base64");
	if (ir == NULL)
		take_line(n);
}

static void
play_b64(const struct step *step)
{
	struct bytes b = {0}, ir = {0};

	expand(&step->head, &ir);
	read_b64(ir.n > 0 ? (char *)ir.p + strlen("ir=") : NULL, &b);
	bytes_free(&ir);
	if (!matches(step, b.p, b.n))
		fail_came(b.p, b.n, "the client said something else in base64");
	remember();
	bytes_free(&b);
}

/* --- SCRAM, the server's side (RFC 5802, 7677, 9266) ---------------------- */

struct scram {
	const EVP_MD *md;
	const char *user, *password, *prefix, *ir; /* borrowed */
	bool plus, bad_signature;
	long long iterations;
	struct bytes first, final, server_first, nonce;
	const unsigned char *gs2_end, *proof; /* in first; in final */
	unsigned char salt[16];
};

struct digest {
	unsigned char b[EVP_MAX_MD_SIZE];
	unsigned n;
};

static struct digest
hmac(const struct scram *s, const struct digest *key, const void *p, size_t n)
{
	struct digest d;

	if (HMAC(s->md, key->b, (int)key->n, p, n, d.b, &d.n) == NULL)
		errx(EX_SOFTWARE, "HMAC");
	return d;
}

/* The value of "x=..." in a list with commas; NULL when it is not there. */
static const unsigned char *
attribute(const unsigned char *p, const unsigned char *end, char x, size_t *n)
{
	const unsigned char *comma;

	for (; p < end; p = comma + 1) {
		if ((comma = memchr(p, ',', (size_t)(end - p))) == NULL)
			comma = end;
		if (comma - p >= 2 && p[0] == (unsigned char)x && p[1] == '=') {
			*n = (size_t)(comma - p) - 2;
			return p + 2;
		}
	}
	return NULL;
}

static void
end_point(struct bytes *out)
{
	X509 *cert = SSL_get_certificate(conn.ssl);
	int nid = NID_undef;
	struct digest d;

	OBJ_find_sigid_algs(X509_get_signature_nid(cert), &nid, NULL);
	if (nid == NID_md5 || nid == NID_sha1 || nid == NID_undef)
		nid = NID_sha256;
	if (!X509_digest(cert, EVP_get_digestbynid(nid), d.b, &d.n))
		errx(EX_SOFTWARE, "cannot hash the certificate");
	bytes_add(out, d.b, d.n);
}

/* What c= must be: the client's own header, and the channel it is bound to. */
static void
binding(const struct scram *s, struct bytes *out)
{
	const unsigned char *p = s->first.p;
	size_t n = (size_t)(s->gs2_end - p);
	static const char label[] = "EXPORTER-Channel-Binding";
	unsigned char key[32];

	bytes_add(out, p, n);
	if (!s->plus)
		return;
	if (conn.ssl == NULL)
		wrong_script("plus needs TLS");
	if (n > 23 && memcmp(p, "p=tls-server-end-point,", 23) == 0)
		end_point(out);
	else if (n > 15 && memcmp(p, "p=tls-exporter,", 15) == 0 &&
		 SSL_version(conn.ssl) == TLS1_3_VERSION) {
		if (SSL_export_keying_material(conn.ssl, key, sizeof(key),
			label, sizeof(label) - 1, (const unsigned char *)"", 0,
			1) != 1)
			errx(EX_SOFTWARE, "cannot export from TLS");
		bytes_add(out, key, sizeof(key));
	} else
		fail_came(p, s->first.n, "SCRAM: no such channel binding here");
}

static bool
user_is(const char *user, const unsigned char *p, size_t n)
{
	struct bytes b = {0};
	size_t i;
	bool ok;

	for (i = 0; i < n; i++) {
		if (n - i >= 3 && memcmp(p + i, "=2C", 3) == 0) {
			bytes_puts(&b, ",");
			i += 2;
		} else if (n - i >= 3 && memcmp(p + i, "=3D", 3) == 0) {
			bytes_puts(&b, "=");
			i += 2;
		} else
			bytes_add(&b, p + i, 1);
	}
	ok = b.n == strlen(user) && memcmp(b.p, user, b.n) == 0;
	bytes_free(&b);
	return ok;
}

static void
scram_first(struct scram *s)
{
	const unsigned char *p, *end, *v;
	size_t n;

	read_b64(s->ir, &s->first);
	p = s->first.p;
	end = p + s->first.n;
	if ((v = memchr(p, ',', s->first.n)) == NULL ||
	    (v = memchr(v + 1, ',', (size_t)(end - v) - 1)) == NULL)
		fail_came(p, s->first.n, "SCRAM: no GS2 header");
	s->gs2_end = v + 1;
	if (s->plus ? p[0] != 'p' : (p[0] != 'n' && p[0] != 'y') || p[1] != ',')
		fail_came(p, s->first.n, "SCRAM: wrong GS2 header");
	if ((v = attribute(s->gs2_end, end, 'n', &n)) == NULL ||
	    !user_is(s->user, v, n))
		fail_came(p, s->first.n, "SCRAM: not user %s", s->user);
	if ((v = attribute(s->gs2_end, end, 'r', &n)) == NULL || n == 0)
		fail_came(p, s->first.n, "SCRAM: no nonce");
	bytes_add(&s->nonce, v, n);
}

static void
scram_challenge(struct scram *s)
{
	unsigned char random[18];
	char iterations[32];

	arc4random_buf(random, sizeof(random));
	arc4random_buf(s->salt, sizeof(s->salt));
	b64_add(&s->nonce, random, sizeof(random));
	bytes_puts(&s->server_first, "r=");
	bytes_add(&s->server_first, s->nonce.p, s->nonce.n);
	bytes_puts(&s->server_first, ",s=");
	b64_add(&s->server_first, s->salt, sizeof(s->salt));
	snprintf(iterations, sizeof(iterations), ",i=%lld", s->iterations);
	bytes_puts(&s->server_first, iterations);
	tell("-- scram ", s->server_first.p, s->server_first.n);
	send_b64(s->prefix, s->server_first.p, s->server_first.n);
}

static void
scram_final(struct scram *s)
{
	struct bytes want = {0}, got = {0};
	const unsigned char *p, *end, *v;
	size_t n;

	read_b64(NULL, &s->final);
	p = s->final.p;
	end = p + s->final.n;
	tell("-- scram ", p, s->final.n);
	binding(s, &want);
	if ((v = attribute(p, end, 'c', &n)) == NULL ||
	    !b64_decode(v, n, &got) || got.n != want.n ||
	    memcmp(got.p, want.p, got.n) != 0)
		fail_came(p, s->final.n, "SCRAM: wrong channel binding");
	if ((v = attribute(p, end, 'r', &n)) == NULL || n != s->nonce.n ||
	    memcmp(v, s->nonce.p, n) != 0)
		fail_came(p, s->final.n, "SCRAM: wrong nonce");
	if ((s->proof = attribute(p, end, 'p', &n)) == NULL ||
	    s->proof + n != end)
		fail_came(p, s->final.n, "SCRAM: no proof at the end");
	bytes_free(&want);
	bytes_free(&got);
}

/* True when the proof is right; then, v is the server's own. */
static bool
scram_verify(const struct scram *s, struct digest *v)
{
	struct digest salted, key, stored, sig;
	struct bytes auth = {0}, proof = {0};
	size_t n = (size_t)(s->final.p + s->final.n - s->proof);
	bool ok;
	unsigned i;

	bytes_add(
	    &auth, s->gs2_end, (size_t)(s->first.p + s->first.n - s->gs2_end));
	bytes_puts(&auth, ",");
	bytes_add(&auth, s->server_first.p, s->server_first.n);
	bytes_puts(&auth, ",");
	bytes_add(&auth, s->final.p, s->final.n - n - strlen(",p="));
	salted.n = (unsigned)EVP_MD_size(s->md);
	if (!PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password), s->salt,
		sizeof(s->salt), (int)s->iterations, s->md, (int)salted.n,
		salted.b))
		errx(EX_SOFTWARE, "PBKDF2");
	key = hmac(s, &salted, "Client Key", 10);
	EVP_Digest(key.b, key.n, stored.b, &stored.n, s->md, NULL);
	sig = hmac(s, &stored, auth.p, auth.n);
	ok = b64_decode(s->proof, n, &proof) && proof.n == sig.n;
	for (i = 0; ok && i < sig.n; i++)
		ok = (proof.p[i] ^ sig.b[i]) == key.b[i];
	key = hmac(s, &salted, "Server Key", 10);
	*v = hmac(s, &key, auth.p, auth.n);
	bytes_free(&auth);
	bytes_free(&proof);
	return ok;
}

/* MECHANISM USER PASSWORD and options. */
static void
scram_words(char *words, struct scram *s)
{
	const char *w, *e = NULL;

	w = strsep(&words, " ");
	s->md = strcmp(w, "SHA-256") == 0 ? EVP_sha256()
	        : strcmp(w, "SHA-1") == 0 ? EVP_sha1()
	                                  : NULL;
	s->user = strsep(&words, " ");
	s->password = strsep(&words, " ");
	s->prefix = "+";
	s->iterations = 4096;
	while ((w = strsep(&words, " ")) != NULL) {
		if (strcmp(w, "plus") == 0)
			s->plus = true;
		else if (strcmp(w, "bad-signature") == 0)
			s->bad_signature = true;
		else if (strncmp(w, "ir=", 3) == 0)
			s->ir = w + 3;
		else if (strncmp(w, "prefix=", 7) == 0)
			s->prefix = w + 7;
		else if (strncmp(w, "i=", 2) == 0)
			s->iterations = strtonum(w + 2, 1, INT_MAX, &e);
		else
			wrong_script("scram: what is %s?", w);
	}
	if (s->md == NULL || s->password == NULL || e != NULL)
		wrong_script(
		    "scram SHA-1|SHA-256 user password "
		    "[plus] [ir=<x>] [prefix=P] [i=N] [bad-signature]");
}

static void
play_scram(const struct step *step)
{
	struct scram s = {0};
	struct bytes words = {0}, v = {0};
	const unsigned char *line;
	struct digest sig;
	size_t n;

	expand(&step->body, &words);
	scram_words((char *)words.p, &s);
	scram_first(&s);
	scram_challenge(&s);
	scram_final(&s);
	if (!scram_verify(&s, &sig))
		fail_came(s.final.p, s.final.n, "SCRAM: wrong password");
	if (s.bad_signature)
		sig.b[0] ^= 1;
	bytes_puts(&v, "v=");
	b64_add(&v, sig.b, sig.n);
	send_b64(s.prefix, v.p, v.n);
	if (!s.bad_signature) {
		need_line(&line, &n);
		if (n != 0)
			fail_came(line, n, "SCRAM: not an empty answer");
		take_line(n);
	}
	bytes_free(&words);
	bytes_free(&v);
	bytes_free(&s.first);
	bytes_free(&s.final);
	bytes_free(&s.server_first);
	bytes_free(&s.nonce);
}

/* --- steps about the connection ------------------------------------------- */

static void
conn_accept(bool bare)
{
	int one = 1;

	while ((conn.fd = accept4(
		    listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) == -1)
		(void)wait_for(listener, POLLIN);
	setsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connections++;
	conn.awaited = false;
	if (opt.verbose)
		fprintf(stderr, "-- connection %u\n", connections);
	if (script.tls_pre && !bare)
		play_tls(NULL);
}

static void
play_eof(const struct step *step)
{
	const unsigned char *line;
	size_t n;

	(void)step;
	while (peek_line(&line, &n))
		if (conn.half || !answer_rule(line, n))
			fail_came(line, n, "the client said more");
	conn_close();
}

/* A connection that the script leaves open ends politely, nothing to come. */
static void
conn_finish(void)
{
	if (conn.fd == -1 && conn.awaited)
		conn_accept(false);
	if (conn.fd == -1)
		return;
	if (conn.cut > 0)
		fail("the cut was not reached: %lld bytes left", conn.cut);
	send_end();
	play_eof(NULL);
}

static void
conn_reset(void)
{
	conn.over = conn.cut_done = conn.half = false;
	conn.in_gone = conn.out_gone = conn.awaited = false;
	conn.cut = -1;
	conn.trickle = conn.head = conn.n = 0;
	conn.plain.n = conn.raw.n = 0;
	conn.split = 0;
	conn.why[0] = '\0';
}

static void
play_connect(const struct step *step)
{
	int i;

	(void)step;
	conn_finish();
	conn_reset();
	conn.awaited = true;
	for (i = 0; i < script.nnames; i++)
		script.names[i].set = false;
}

static void
play_close(const struct step *step)
{
	(void)step;
	send_end();
	drain();
	conn_close();
}

static void
play_reset(const struct step *step)
{
	struct linger now = {.l_onoff = 1};

	(void)step;
	setsockopt(conn.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close();
}

static void
play_half_close(const struct step *step)
{
	(void)step;
	send_end();
}

static void
play_stall(const struct step *step)
{
	(void)step;
	do
		conn.n = 0;
	while (fill());
	conn_close();
}

static void
play_cut(const struct step *step)
{
	conn.cut = number(step, 0, LLONG_MAX);
	check_cut();
}

static void
play_trickle(const struct step *step)
{
	conn.trickle = (size_t)number(step, 0, INT_MAX);
}

static void
play_split(const struct step *step)
{
	conn.split = (uint64_t)number(step, 0, INT_MAX) * 0x9e3779b97f4a7c15;
}

static void
play_sleep(const struct step *step)
{
	long long ms = number(step, 0, INT_MAX), left = milliseconds_left();

	nap((ms < left ? ms : left) * 1000);
}

static void
play_quirk(const struct step *step)
{
	struct bytes b = {0};

	expand(&step->body, &b);
	strlcpy(script.quirk, (char *)b.p, sizeof(script.quirk));
	tell("-- quirk: ", b.p, b.n);
	bytes_free(&b);
}

static void
play_on(const struct step *step)
{
	(void)step;
	if (script.nrules == NAMES)
		wrong_script("too many rules");
	script.rules[script.nrules++] = script.now;
	skip_block();
}

static void
play_secrets_ok(const struct step *step)
{
	(void)step;
	secrets.allowed = true;
}

static void
play_secret_free(const struct step *step)
{
	(void)step;
	if (secrets.n == 0)
		wrong_script("secret-free needs -x SECRET");
	secrets.allowed = false;
}

/* --- the language --------------------------------------------------------- */

static const struct verb verbs[] = {
    {"S:", play_send, V_TEXT | V_RULE | V_CONN},
    {"S-", play_send_raw, V_TEXT | V_RULE | V_CONN},
    {"S-file", play_send_file, V_TEXT | V_RULE | V_CONN},
    {"S-repeat", play_send_repeat, V_HEAD | V_TEXT | V_RULE | V_CONN},
    {"S-b64", play_send_b64, V_HEAD | V_TEXT | V_RULE | V_CONN},
    {"C:", play_expect, V_PATTERN | V_EXPECT | V_CONN},
    {"C=", play_expect, V_PATTERN | V_EXPECT | V_CASE | V_CONN},
    {"C?", play_maybe, V_PATTERN | V_MAYBE | V_BLOCK | V_CONN},
    {"C-any", play_lines, V_TAKES | V_CONN},
    {"C-lines", play_lines, V_HEAD | V_TAKES | V_CONN},
    {"C-until", play_until, V_PATTERN | V_TAKES | V_CONN},
    {"C-bytes", play_bytes, V_HEAD | V_TAKES | V_CONN},
    {"C-b64", play_b64, V_IR | V_PATTERN | V_CASE | V_TAKES | V_CONN},
    {"scram", play_scram, V_TEXT | V_TAKES | V_CONN},
    {"on", play_on, V_PATTERN | V_ON | V_BLOCK},
    {"connect", play_connect, V_CONNECT},
    {"tls", play_tls, V_CONN},
    {"tls-pre", play_tls_pre, 0},
    {"tls-max", play_tls_max, V_HEAD},
    {"cert", play_cert, V_HEAD | V_TEXT},
    {"expect-tls-fail", play_expect_tls_fail, V_CONN | V_BARE},
    {"close", play_close, V_CONN},
    {"reset", play_reset, V_CONN},
    {"half-close", play_half_close, V_CONN},
    {"cut", play_cut, V_HEAD | V_CONN},
    {"eof", play_eof, V_CONN},
    {"stall", play_stall, V_CONN},
    {"listen-only", play_stall, V_CONN | V_BARE},
    {"sleep", play_sleep, V_HEAD | V_RULE},
    {"trickle", play_trickle, V_HEAD},
    {"split", play_split, V_HEAD},
    {"secrets-ok", play_secrets_ok, 0},
    {"secret-free", play_secret_free, 0},
    {"quirk:", play_quirk, V_TEXT},
};

static const struct verb *
verb_find(const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strlen(verbs[i].word) == n &&
		    memcmp(verbs[i].word, word, n) == 0)
			return &verbs[i];
	wrong_script("unknown step");
}

/* The step whose block this indented one is in, checked. */
static const struct step *
block_of(const struct step *step)
{
	const struct step *top = step;

	while (top > script.steps && top->indented)
		top--;
	if (top->indented || !(top->verb->flags & V_BLOCK))
		wrong_script("indented, but not below C? or on");
	if (step->verb->flags & (V_BLOCK | V_CONNECT))
		wrong_script("not in a block");
	if (top->verb->flags & V_ON && !(step->verb->flags & V_RULE))
		wrong_script("not in a standing rule");
	return top;
}

static void
parse_arguments(struct step *step, const char *s)
{
	const char *end = s + strlen(s), *space;
	const unsigned flags = step->verb->flags;
	size_t scope = 0;

	if (step->indented) {
		const struct step *top = block_of(step);

		scope = top->verb->flags & V_ON ? top->line : 0;
	} else if (flags & V_ON)
		scope = step->line;
	if (flags & V_HEAD || (flags & V_IR && strncmp(s, "ir=", 3) == 0)) {
		space = s + strcspn(s, " ");
		if (space == s)
			wrong_script("something is missing");
		compile(s, space, false, scope, &step->head);
		s = *space == ' ' ? space + 1 : space;
	}
	if (flags & (V_TEXT | V_PATTERN))
		compile(s, end, (flags & V_PATTERN) != 0, scope, &step->body);
	else if (*s != '\0')
		wrong_script("too much");
}

static void
parse_line(char *s, size_t line)
{
	struct step *step = &script.steps[script.n];
	size_t n = strspn(s, " \t");

	if (s[n] == '\0' || s[n] == '#')
		return;
	if (script.n == STEPS)
		wrong_script("too many steps");
	step->line = line;
	step->indented = n > 0;
	s += n;
	if ((step->src = strdup(s)) == NULL)
		err(EX_OSERR, NULL);
	script.now = script.n;
	n = strcspn(s, " ");
	step->verb = verb_find(s, n);
	parse_arguments(step, s[n] == ' ' ? s + n + 1 : s + n);
	script.n++;
}

static void
parse(void)
{
	char *line = NULL;
	size_t cap = 0, number = 0, i;
	bool client = false;
	ssize_t n;
	FILE *f;

	if ((f = fopen(opt.path, "r")) == NULL)
		err(EX_NOINPUT, "%s", opt.path);
	while ((n = getline(&line, &cap, f)) != -1) {
		line[strcspn(line, "\n")] = '\0';
		parse_line(line, ++number);
	}
	free(line);
	fclose(f);
	for (i = 0; i < script.n; i++)
		if (script.steps[i].verb->flags & (V_CONN | V_CONNECT))
			client = true;
	if (!client)
		errx(EX_USAGE, "%s: expects nothing", opt.path);
	script.steps[script.n].line = number;
	if ((script.steps[script.n].src = strdup("(the end)")) == NULL)
		err(EX_OSERR, NULL);
}

static void
play(void)
{
	const struct step *step;

	conn_reset();
	for (script.now = 0; script.now < script.n; script.now++) {
		step = &script.steps[script.now];
		if (step->verb->flags & V_CONN) {
			if (conn.cut_done)
				continue;
			if (conn.over)
				wrong_script("after the connection's end");
			if (conn.fd == -1)
				conn_accept(step->verb->flags & V_BARE);
		}
		step->verb->play(step);
	}
	conn_finish();
	if (accept4(listener, NULL, NULL, SOCK_CLOEXEC) != -1)
		fail("the client connected once more");
}

/* --- main ----------------------------------------------------------------- */

/* Whoever waits for the file finds it whole or not at all. */
static void
write_port(int port)
{
	char *tmp;
	FILE *f;

	printf("%d\n", port);
	fflush(stdout);
	if (opt.port_file == NULL)
		return;
	if (asprintf(&tmp, "%s.tmp", opt.port_file) == -1 ||
	    (f = fopen(tmp, "w")) == NULL || fprintf(f, "%d\n", port) < 0 ||
	    fclose(f) != 0 || rename(tmp, opt.port_file) == -1)
		err(EX_CANTCREAT, "%s", opt.port_file);
	free(tmp);
}

static void
begin_listening(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	struct sockaddr *sa = (struct sockaddr *)&sin;
	socklen_t len = sizeof(sin);
	int one = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)opt.port);
	listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener == -1)
		err(EX_OSERR, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, sa, len) == -1 || listen(listener, 16) == -1 ||
	    getsockname(listener, sa, &len) == -1)
		err(EX_OSERR, "port %d", opt.port);
	write_port(ntohs(sin.sin_port));
}

static int
option_number(const char *s, int max)
{
	const char *e;
	int n = (int)strtonum(s, 0, max, &e);

	if (e != NULL)
		errx(EX_USAGE, "%s is %s", s, e);
	return n;
}

static void __attribute__((noreturn)) usage(void)
{
	fputs("usage: peer [-v] [-a CA] [-c CERT] [-k KEY] [-l PORT] "
	      "[-p FILE] [-t SECONDS]\n\t[-x SECRET]... SCRIPT\n",
	    stderr);
	exit(EX_USAGE);
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "a:c:k:l:p:t:vx:")) != -1) {
		if (c == 'a')
			opt.ca = optarg;
		else if (c == 'c')
			opt.cert = optarg;
		else if (c == 'k')
			opt.key = optarg;
		else if (c == 'l')
			opt.port = option_number(optarg, 65535);
		else if (c == 'p')
			opt.port_file = optarg;
		else if (c == 't')
			opt.seconds = option_number(optarg, 3600);
		else if (c == 'v')
			opt.verbose = true;
		else if (c == 'x')
			secret_add(optarg);
		else
			usage();
	}
	if (argc - optind != 1)
		usage();
	opt.path = argv[optind];
}

int
main(int argc, char **argv)
{
	setprogname("peer");
	signal(SIGPIPE, SIG_IGN);
	options(argc, argv);
	parse();
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += opt.seconds;
	begin_listening();
	play();
	return 0;
}
