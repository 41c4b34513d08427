/*
 * The pump: bytes in both directions at once, through every layer, and what
 * ends the wait.
 */

#include <sys/resource.h>

#include <poll.h>
#include <signal.h>

#include "os/clock.h"
#include "os/deflate.h"
#include "os/log.h"
#include "os/pump.h"
#include "pki.h"
#include "prng.h"
#include "tap.h"

#define MANY (4 * 1024 * 1024)

static char text[MANY];
static char ca_file[] = "/tmp/pump_test.XXXXXX";
static struct pki_cert cert;

struct end {
	struct wire wire;
	struct pump pump;
	int peer; /* the other end */
	struct err e;
};

static void
end_open(struct end *x, int fd, int64_t timeout)
{
	memset(x, 0, sizeof(*x));
	wire_init(&x->wire);
	pump_init(&x->pump, fd, &x->wire, "peer:1", timeout);
	x->peer = -1;
}

static void
end_pair(struct end *x, int64_t timeout)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		abort();
	end_open(x, sv[0], timeout);
	x->peer = sv[1];
}

static void
end_close(struct end *x)
{
	pump_clear(&x->pump);
	wire_clear(&x->wire);
	if (x->peer != -1)
		close(x->peer);
}

static void
tell(struct end *x, const char *s)
{
	quiet(write(x->peer, s, strlen(s)) == (ssize_t)strlen(s), "write");
}

static enum pump_result
wait_one(struct end *x, int64_t deadline)
{
	enum pump_result r = PUMP_IDLE;

	quiet(pump_wait(&x->pump, deadline, &r, &x->e) == 0, "pump_wait: %s",
	    x->e.text);
	return r;
}

static void
test_results(void)
{
	enum pump_result r;
	struct end x;
	int64_t start;
	char c[10] = "";
	int wake[2];

	end_pair(&x, 5000);
	tell(&x, "hello");
	is_int(wait_one(&x, 0), PUMP_MOVED, "input");
	is_mem(buf_span(&x.wire.in).p, x.wire.in.len, "hello", "is in");
	start = clock_ms();
	is_int(wait_one(&x, start + 50), PUMP_IDLE, "idle");
	ok(clock_ms() - start >= 50 && clock_ms() - start < 2000, "in time");
	is_int(wait_one(&x, start), PUMP_IDLE, "a deadline that is past");
	is_int(pump_poll(&x.pump, &r, &x.e), 0, "poll");
	is_int(r, PUMP_IDLE, "finds nothing");
	tell(&x, " there");
	is_int(pump_poll(&x.pump, &r, &x.e), 0, "poll");
	is_int(r, PUMP_MOVED, "finds something");
	is_mem(buf_span(&x.wire.in).p, x.wire.in.len, "hello there", "it");
	buf_puts(&x.wire.out, "bye");
	is_int(wait_one(&x, 0), PUMP_MOVED, "output");
	is_int(read(x.peer, c, sizeof(c)), 3, "is out");
	is_str(c, "bye", "it");
	is_int(x.pump.bytes_in, 11, "bytes in");
	is_int(x.pump.bytes_out, 3, "bytes out");
	if (pipe(wake) == -1)
		abort();
	x.pump.wake_fd = wake[0];
	quiet(write(wake[1], "x", 1) == 1, "write");
	is_int(wait_one(&x, 0), PUMP_WAKE, "wake");
	x.pump.stop_fd = wake[0];
	is_int(wait_one(&x, 0), PUMP_STOP, "stop is before wake");
	buf_puts(&x.wire.out, "bye");
	is_int(pump_flush(&x.pump, &x.e), 0, "flush heeds neither");
	is_int(read(x.peer, c, sizeof(c)), 3, "is out");
	close(wake[0]);
	close(wake[1]);
	end_close(&x);
}

static void
test_end(void)
{
	enum pump_result r;
	struct end x;

	end_pair(&x, 5000);
	tell(&x, "* BYE\r\n");
	close(x.peer);
	x.peer = -1;
	buf_puts(&x.wire.out, "too late");
	is_int(wait_one(&x, 0), PUMP_MOVED, "a farewell is read");
	is_mem(buf_span(&x.wire.in).p, x.wire.in.len, "* BYE\r\n", "it");
	buf_reset(&x.wire.out);
	if (!x.wire.eof)
		wait_one(&x, 0);
	ok(x.wire.eof, "the end");
	is_int(pump_wait(&x.pump, 0, &r, &x.e), -1, "waiting for more");
	ok(x.e.kind == ERR_TEMP && strstr(x.e.text, "closed") != NULL,
	    "is an error: %s", x.e.text);
	end_close(&x);
}

static void
test_timeout(void)
{
	enum pump_result r;
	int64_t start = clock_ms();
	struct end x;
	int i;

	end_pair(&x, 100);
	is_int(pump_wait(&x.pump, 0, &r, &x.e), -1, "time-out");
	ok(clock_ms() - start >= 100 && clock_ms() - start < 5000, "in time");
	ok(x.e.kind == ERR_TEMP, "kind");
	is_str(x.e.text, "no answer from peer:1 for 1 s", "text");
	x.pump.timeout = 60000;
	start = clock_ms();
	is_int(wait_one(&x, start + 20), PUMP_IDLE, "a deadline before it");
	x.pump.timeout = 100;
	is_int(wait_one(&x, clock_ms() + 300), PUMP_IDLE,
	    "with a deadline, silence is no time-out");
	for (i = 0; i < 100 && buf_append(&x.wire.out, text, 10000) == 0; i++)
		;
	for (i = 0; i < 1000; i++)
		if (pump_wait(&x.pump, clock_ms() + 60000, &r, &x.e) == -1)
			break;
	ok(i < 1000 && x.e.kind == ERR_TEMP,
	    "a peer that does not read is timed out: %s", x.e.text);
	end_close(&x);
}

static void
test_full(void)
{
	struct end x;
	int i;

	end_pair(&x, 5000);
	for (i = 0; i < 100 && x.wire.in.len < WIRE_IN_MAX; i++) {
		(void)send(x.peer, text, 65536, MSG_DONTWAIT);
		wait_one(&x, 0);
	}
	is_int(x.wire.in.len, WIRE_IN_MAX, "full");
	ok(memcmp(buf_span(&x.wire.in).p, text, 65536) == 0, "in order");
	is_int(wait_one(&x, 0), PUMP_MOVED, "returns at once");
	is_int(x.wire.in.len, WIRE_IN_MAX, "nothing is lost or added");
	buf_puts(&x.wire.out, "x");
	is_int(pump_flush(&x.pump, &x.e), 0, "still writes");
	end_close(&x);
}

/* --- both ends are pumps, in two processes ------------------------------ */

/*
 * Sends MANY bytes and receives as many, at once: whoever writes without
 * reading waits for ever.  Returns whether all came, the same.
 */
static bool
swap(struct end *x)
{
	size_t sent = 0, got = 0, n;
	enum pump_result r;
	bool same = true;

	while (sent < MANY || got < MANY || x->wire.out.len > 0) {
		n = buf_room(&x->wire.out) / 2;
		n = n < MANY - sent ? n : MANY - sent;
		buf_append(&x->wire.out, text + sent, n);
		sent += n;
		if (pump_wait(&x->pump, 0, &r, &x->e) == -1)
			return false;
		n = x->wire.in.len;
		same &= n == 0 ||
		        (got + n <= MANY && memcmp(buf_span(&x->wire.in).p,
						text + got, n) == 0);
		buf_consume(&x->wire.in, n);
		got += n;
	}
	return same && pump_flush(&x->pump, &x->e) == 0;
}

static int
serve_swap(int fd, void *arg)
{
	struct end x;
	bool good;

	end_open(&x, fd, 5000);
	if (arg != NULL)
		pump_deflate(&x.pump, &x.e);
	good = swap(&x);
	end_close(&x);
	return good ? 0 : 1;
}

static void
test_swap(bool z)
{
	const char *name = z ? "deflate" : "plain";
	struct end x;
	pid_t pid;

	end_open(&x, pki_fork(serve_swap, z ? &x : NULL, &pid), 5000);
	if (z)
		is_int(pump_deflate(&x.pump, &x.e), 0, "deflate");
	ok(swap(&x), "%s: 4 MB each way at once %s", name, x.e.text);
	ok(x.pump.bytes_out >= MANY || z, "%s: bytes on the wire", name);
	ok(x.pump.bytes_out < MANY || !z, "%s: fewer bytes", name);
	is_int(pki_wait(pid), 0, "%s: the other end agrees", name);
	end_close(&x);
}

/* A TLS server that sends MANY bytes while it is sent as many. */
static int
serve_tls_swap(int fd, void *arg)
{
	struct pki_server server = {.cert = &cert};
	SSL *ssl = pki_accept(&server, fd);
	struct pollfd f = {.fd = fd};
	size_t sent = 0, got = 0, n;
	char c[16384];
	int i;

	(void)arg;
	if (ssl == NULL)
		return 2;
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (i = 0; i < 1000000 && (sent < MANY || got < MANY); i++) {
		if (sent < MANY &&
		    SSL_write_ex(ssl, text + sent, MANY - sent, &n))
			sent += n;
		if (SSL_read_ex(ssl, c, sizeof(c), &n)) {
			if (memcmp(c, text + got, n) != 0)
				return 3;
			got += n;
			continue;
		}
		f.events = (short)(POLLIN | (sent < MANY ? POLLOUT : 0));
		poll(&f, 1, 5000);
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	return got == MANY ? 0 : 4;
}

static struct tls_config *
config(void)
{
	struct tls_options o = {.ca = ca_file};
	struct tls_config *c = NULL;
	struct err e;

	if (tls_config_new(&o, &c, &e) == -1)
		abort();
	return c;
}

static void
test_tls(void)
{
	struct tls_config *c = config();
	struct end x;
	pid_t pid;

	end_open(&x, pki_fork(serve_tls_swap, NULL, &pid), 5000);
	is_str(pump_tls(&x.pump, c, "localhost", &x.e) == -1 ? x.e.text : "",
	    "", "handshake");
	ok(swap(&x), "TLS: 4 MB each way at once %s", x.e.text);
	if (!x.wire.eof)
		wait_one(&x, 0);
	ok(x.wire.eof, "TLS: the end");
	is_int(pki_wait(pid), 0, "TLS: the other end agrees");
	end_close(&x);
	tls_config_free(c);
}

static void
test_tls_refused(void)
{
	struct tls_config *c = config();
	struct end x;
	pid_t pid;

	end_open(&x, pki_fork(serve_tls_swap, NULL, &pid), 5000);
	is_int(pump_tls(&x.pump, c, "elsewhere.example", &x.e), -1, "refused");
	ok(x.e.kind == ERR_TLS &&
		strncmp(x.e.text, "peer:1: the certificate", 23) == 0,
	    "says who: %s", x.e.text);
	is_int(pki_wait(pid), 2, "the server sees no login");
	end_close(&x);
	end_pair(&x, 100);
	tell(&x, "A OK fooled you\r\n");
	wait_one(&x, 0);
	is_int(pump_tls(&x.pump, c, "localhost", &x.e), -1,
	    "bytes before the handshake");
	is_int(x.e.kind, ERR_TLS, "are refused");
	buf_reset(&x.wire.in);
	is_int(pump_tls(&x.pump, c, "localhost", &x.e), -1, "a mute server");
	is_str(x.e.text, "no answer from peer:1 for 1 s", "is timed out");
	end_close(&x);
	tls_config_free(c);
}

/* What came with the reply to COMPRESS, then a bomb, then the end. */
static void
test_deflate(void)
{
	struct deflate *d = deflate_new();
	struct buf packed, got;
	struct end x;
	int i;

	buf_init(&packed, MANY);
	buf_init(&got, MANY);
	end_pair(&x, 5000);
	deflate_out(d, span_of("early "), &x.wire.in, &x.e);
	is_int(pump_deflate(&x.pump, &x.e), 0, "deflate");
	is_mem(buf_span(&x.wire.in).p, x.wire.in.len, "early ",
	    "what came early is inflated");
	buf_reset(&x.wire.in);
	for (i = 0; i < 3000; i++)
		deflate_out(d, span_bytes("          ", 10), &packed, &x.e);
	deflate_out(d, span_bytes(text, MANY / 4), &packed, &x.e);
	for (i = 0; i < 1000 && !x.wire.eof; i++) {
		ssize_t n = send(x.peer, buf_span(&packed).p,
		    packed.len < 50000 ? packed.len : 50000, MSG_DONTWAIT);

		if (n > 0)
			buf_consume(&packed, (size_t)n);
		if (packed.len == 0)
			shutdown(x.peer, SHUT_WR);
		if (wait_one(&x, 0) == PUMP_MOVED &&
		    (x.wire.in.len == WIRE_IN_MAX || x.wire.eof)) {
			buf_add(&got, buf_span(&x.wire.in));
			buf_reset(&x.wire.in);
		}
	}
	ok(x.wire.eof, "the end comes");
	is_int(got.len, 3000 * 10 + MANY / 4, "after all of it");
	ok(memcmp(buf_span(&got).p + got.len - MANY / 4, text, MANY / 4) == 0,
	    "the same");
	end_close(&x);
	end_pair(&x, 5000);
	pump_deflate(&x.pump, &x.e);
	tell(&x, "\xff\xff\xff\xff");
	is_int(
	    pump_wait(&x.pump, 0, &(enum pump_result){0}, &x.e), -1, "damaged");
	is_int(x.e.kind, ERR_PROTO, "is the peer's fault: %s", x.e.text);
	end_close(&x);
	buf_clear(&packed);
	buf_clear(&got);
	deflate_free(d);
}

/* --- trace -------------------------------------------------------------- */

static void
test_trace(void)
{
	int saved = dup(2), file, i;
	char log[65536], name[] = "/tmp/pump_log.XXXXXX";
	struct end x;
	ssize_t n;

	if ((file = mkstemp(name)) == -1)
		abort();
	unlink(name);
	dup2(file, 2);
	log_init("t", LOG_L_TRACE);
	end_pair(&x, 5000);
	x.pump.trace = true;
	buf_puts(&x.wire.out, "a LO");
	pump_flush(&x.pump, &x.e);
	x.pump.secret = true;
	buf_puts(&x.wire.out, "GIN ada sesame\r\n");
	pump_flush(&x.pump, &x.e);
	buf_puts(&x.wire.out, "USER augusta\r\n");
	pump_flush(&x.pump, &x.e);
	tell(&x, "+OK augusta\r\na BAD GIN ada sesa");
	wait_one(&x, 0);
	tell(&x, "me: what?\r\n");
	wait_one(&x, 0);
	x.pump.secret = false;
	buf_puts(&x.wire.out, "b NOOP\r\n");
	pump_flush(&x.pump, &x.e);
	tell(&x, "* OK \x1b[1m");
	wait_one(&x, 0);
	tell(&x, "so\r\nb OK\r\n");
	wait_one(&x, 0);
	for (i = 0; i < 1000; i++) {
		tell(&x, "a line of a body that goes on and on\r\n");
		wait_one(&x, 0);
		buf_reset(&x.wire.in);
	}
	buf_puts(&x.wire.out, "c QUIT\r\n");
	pump_flush(&x.pump, &x.e);
	tell(&x, "c OK bye\r\n");
	wait_one(&x, 0);
	end_close(&x);
	log_init("t", LOG_L_NORMAL);
	dup2(saved, 2);
	close(saved);
	n = pread(file, log, sizeof(log) - 1, 0);
	log[n < 0 ? 0 : n] = '\0';
	close(file);
	ok(strstr(log, "sesame") == NULL && strstr(log, "LOGIN") == NULL,
	    "no secret");
	ok(strstr(log, "> ***") != NULL, "stars for it");
	ok(strstr(log, "< *** (it repeats") != NULL, "nor when it comes back");
	ok(strstr(log, "< +OK augusta") != NULL, "a user's name is none");
	ok(strstr(log, "> b NOOP") != NULL, "a line out");
	ok(strstr(log, "< * OK \\x1b[1mso") != NULL,
	    "a line in two pieces, escaped");
	ok(n < 40000 && strstr(log, "< ...") != NULL, "bodies are cut short");
	ok(strstr(log, "< c OK bye") != NULL, "what follows is shown");
}

/* --- speed, by hand: build/unit/pump speed ------------------------------ */

#define GIGA ((uint64_t)1 << 30)

static int
serve_flood(int fd, void *arg)
{
	struct pki_server server = {.cert = &cert};
	SSL *ssl = arg != NULL ? pki_accept(&server, fd) : NULL;
	uint64_t n = 0;

	while (n < GIGA) {
		if (ssl != NULL && SSL_write(ssl, text, 1 << 20) <= 0)
			return 1;
		if (ssl == NULL && write(fd, text, 1 << 20) != 1 << 20)
			return 1;
		n += 1 << 20;
	}
	return 0;
}

static void
speed(bool tls)
{
	struct tls_config *c = config();
	struct rusage u;
	int64_t start;
	struct end x;
	pid_t pid;
	double s;

	end_open(&x, pki_fork(serve_flood, tls ? &x : NULL, &pid), 5000);
	if (tls)
		ok(pump_tls(&x.pump, c, "localhost", &x.e) == 0, "handshake");
	start = clock_ms();
	while (!x.wire.eof) {
		wait_one(&x, 0);
		buf_reset(&x.wire.in);
	}
	s = (double)(clock_ms() - start) / 1000;
	getrusage(RUSAGE_SELF, &u);
	is_int(x.pump.bytes_in, GIGA, "%s: %.2f GB/s (%ld.%02ld s of CPU)",
	    tls ? "TLS" : "plain", (double)GIGA / 1e9 / s,
	    (long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec),
	    (long)((u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 10000));
	pki_wait(pid);
	end_close(&x);
	tls_config_free(c);
}

int
main(int argc, char **argv)
{
	static const char letters[] = "etaoin shrdlu\r\n";
	int fd = mkstemp(ca_file);

	close(fd);
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	prng_text(text, MANY, letters, sizeof(letters) - 1);
	cert = pki_make(NULL, "x", "DNS:localhost", -1, 10, true);
	pki_save(ca_file, &cert, false);
	if (argc > 1 && strcmp(argv[1], "speed") == 0) {
		speed(false);
		speed(true);
	} else {
		test_results();
		test_end();
		test_timeout();
		test_full();
		test_swap(false);
		test_swap(true);
		test_tls();
		test_tls_refused();
		test_deflate();
		test_trace();
	}
	pki_free(&cert);
	unlink(ca_file);
	return done();
}
