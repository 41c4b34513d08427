/*
 * Connecting: all addresses, a proxy, and SRV answers byte by byte.
 */

#include <sys/un.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sysexits.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/socks.h"
#include "pki.h"
#include "tap.h"

static const struct net_options plain = {.timeout = 5000, .stop_fd = -1};

static void
says(const struct err *e, const char *text)
{
	if (!ok(strstr(e->text, text) != NULL, "it says \"%s\"", text))
		printf("# it says: %s\n", e->text);
}

static int
peer_of(int listener)
{
	return accept(listener, NULL, NULL);
}

static void
test_own_name(void)
{
	struct net_options o = plain;
	struct err e = {0};
	char name[NET_NAME] = "";
	uint16_t port;
	int fd = -1, l = pki_listen(&port), sv[2];

	ok(net_is_full_name("host.example.org"), "a name with its domain");
	ok(net_is_full_name("a-1.2b"), "a short one");
	ok(!net_is_full_name("host"), "no domain");
	ok(!net_is_full_name("host."), "nothing behind the dot");
	ok(!net_is_full_name(".org"), "nothing before it");
	ok(!net_is_full_name("a..b"), "nothing between two");
	ok(!net_is_full_name("192.0.2.1"), "an address");
	ok(!net_is_full_name("LocalHost.localdomain"), "localhost");
	ok(!net_is_full_name("a b.example"), "a blank");
	ok(!net_is_full_name("a_b.example"), "an underscore");
	ok(!net_is_full_name(""), "nothing");
	is_int(net_connect("127.0.0.1", port, &o, &fd, &e), 0, "connect");
	net_own_name(fd, name);
	ok(net_is_full_name(name) || strcmp(name, "[127.0.0.1]") == 0,
	    "full or a literal: %s", name);
	close(fd);
	close(l);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	net_own_name(sv[0], name);
	ok(net_is_full_name(name) || strcmp(name, "[127.0.0.1]") == 0,
	    "also in a tunnel: %s", name);
	close(sv[0]);
	close(sv[1]);
}

static void
test_direct(void)
{
	struct net_options o = plain;
	struct err e = {0};
	struct sockaddr_in in;
	socklen_t n = sizeof(in);
	uint16_t port;
	int fd = -1, got, l = pki_listen(&port), on = 0;

	is_int(net_connect("localhost", port, &o, &fd, &e), 0, "connect %s",
	    e.text);
	ok(net_is_loopback(fd), "loopback");
	ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "does not block");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "close on exec");
	n = sizeof(on);
	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &n);
	ok(on, "keepalive");
	close(fd);
	close(peer_of(l));
	o.source = "127.0.0.9";
	is_int(net_connect("127.0.0.1", port, &o, &fd, &e), 0, "source");
	got = peer_of(l);
	n = sizeof(in);
	getpeername(got, (struct sockaddr *)&in, &n);
	is_int(ntohl(in.sin_addr.s_addr), 0x7f000009, "is what the peer sees");
	close(fd);
	close(got);
	o.source = "::1";
	is_int(net_connect("127.0.0.1", port, &o, &fd, &e), -1,
	    "source of another family");
	is_int(e.kind, ERR_CONFIG, "kind");
	says(&e, "another family");
	o.source = "here";
	is_int(net_connect("127.0.0.1", port, &o, &fd, &e), -1, "bad source");
	is_int(e.kind, ERR_CONFIG, "kind");
	says(&e, "source-address here");
	close(l);
	is_int(net_connect("127.0.0.1", port, &plain, &fd, &e), -1, "refused");
	is_int(e.kind, ERR_TEMP, "kind");
	says(&e, "cannot connect to 127.0.0.1:");
	says(&e, "Connection refused");
}

static void
test_no_host(void)
{
	struct err e = {0};
	int fd = -1;

	/* Without a resolver at hand the answer is "try again". */
	is_int(net_connect("no..such", 1, &plain, &fd, &e), -1, "no host");
	ok((e.kind == ERR_CONFIG && e.code == EX_NOHOST) || e.kind == ERR_TEMP,
	    "kind %d, code %d: %s", (int)e.kind, e.code, e.text);
	says(&e, "no..such");
}

/*
 * A listener whose queue is full answers nothing: a connect to it waits.
 */
static void
test_wait(void)
{
	struct net_options o = {.timeout = 150, .stop_fd = -1};
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int l = socket(AF_INET, SOCK_STREAM, 0), fd[8], i, one = -1, p[2];
	socklen_t n = sizeof(in);
	struct err e = {0};
	int64_t start;

	if (bind(l, (struct sockaddr *)&in, n) == -1 || listen(l, 0) == -1 ||
	    getsockname(l, (struct sockaddr *)&in, &n) == -1 || pipe(p) == -1)
		abort();
	for (i = 0; i < 8; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fd[i], (struct sockaddr *)&in, n);
	}
	start = clock_ms();
	if (net_connect("127.0.0.1", ntohs(in.sin_port), &o, &one, &e) == -1) {
		ok(clock_ms() - start >= 150, "waits for its time-out");
		says(&e, "no answer");
		is_int(e.kind, ERR_TEMP, "kind");
		o.timeout = 60000;
		o.stop_fd = p[0];
		quiet(write(p[1], "x", 1) == 1, "write");
		is_int(
		    net_connect("127.0.0.1", ntohs(in.sin_port), &o, &one, &e),
		    -1, "stop");
		says(&e, "stopped");
	} else
		ok(false, "a full queue was to hold us up");
	for (i = 0; i < 8; i++)
		close(fd[i]);
	close(p[0]);
	close(p[1]);
	close(l);
}

static void
test_loopback(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		abort();
	ok(net_is_loopback(sv[0]), "a socket pair is");
	close(sv[0]);
	close(sv[1]);
	ok(!net_is_loopback(sv[0]), "a closed one is not");
}

/* --- SOCKS5 ------------------------------------------------------------- */

/* What the proxy is to be told, and what it answers; then "hello". */
struct script {
	const char *want[3];
	size_t want_n[3];
	const char *answer[3];
	size_t answer_n[3];
};

#define S(s) (s), sizeof(s) - 1

static void
step(struct script *s, int i, const char *want, size_t want_n,
    const char *answer, size_t answer_n)
{
	s->want[i] = want;
	s->want_n[i] = want_n;
	s->answer[i] = answer;
	s->answer_n[i] = answer_n;
}

static int
play(int l, const struct script *s)
{
	char got[600];
	int fd = accept(l, NULL, NULL), i;
	size_t k;

	for (i = 0; i < 3 && s->want[i] != NULL; i++) {
		if (recv(fd, got, s->want_n[i], MSG_WAITALL) !=
			(ssize_t)s->want_n[i] ||
		    memcmp(got, s->want[i], s->want_n[i]) != 0)
			return 10 + i;
		/* A byte at a time: no answer comes whole by right. */
		for (k = 0; k < s->answer_n[i]; k++)
			(void)send(fd, s->answer[i] + k, 1, MSG_NOSIGNAL);
	}
	(void)send(fd, "hello", 5, MSG_NOSIGNAL);
	return 0;
}

static int
by_proxy(const struct script *s, const char *login, const char *host,
    uint16_t port, int *fd_r, struct err *e)
{
	struct net_options o = plain;
	uint16_t proxy;
	char url[100];
	int l = pki_listen(&proxy), rv;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		alarm(30);
		_exit(play(l, s));
	}
	close(l);
	snprintf(url, sizeof(url), "socks5://%s127.0.0.1:%u", login,
	    (unsigned)proxy);
	o.proxy = url;
	err_clear(e);
	rv = net_connect(host, port, &o, fd_r, e);
	is_int(pki_wait(pid), 0, "the proxy is told the right thing");
	return rv;
}

static void
greeted(int rv, int fd, const struct err *e, const char *name)
{
	struct pollfd f = {.fd = fd, .events = POLLIN};
	char hello[6] = "";
	size_t n = 0;
	int i;

	is_str(rv == -1 ? e->text : "", "", "%s", name);
	if (rv == -1)
		return;
	for (i = 0; i < 5 && n < 5 && poll(&f, 1, 5000) == 1; i++)
		n += (size_t)recv(fd, hello + n, 5 - n, 0);
	is_str(hello, "hello", "%s: not a byte is lost", name);
	close(fd);
}

static void
test_proxy(void)
{
	struct script s = {0};
	struct err e = {0};
	int fd = -1, rv;

	step(&s, 0, S("\5\1\0"), S("\5\0"));
	step(&s, 1, S("\5\1\0\3\014mail.example\x03\xe1"),
	    S("\5\0\0\1\1\2\3\4\5\6"));
	rv = by_proxy(&s, "", "mail.example", 993, &fd, &e);
	greeted(rv, fd, &e, "by name, without a login");
	step(&s, 1, S("\5\1\0\1\300\0\2\1\x03\xe1"),
	    S("\5\0\0\4\1\2\3\4\5\6\7\x8\1\2\3\4\5\6\7\x8\1\2"));
	rv = by_proxy(&s, "", "192.0.2.1", 993, &fd, &e);
	greeted(rv, fd, &e, "by IPv4, the reply is IPv6");
	step(&s, 1, S("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x03\xe1"),
	    S("\5\0\0\3\3abc\1\2"));
	rv = by_proxy(&s, "", "::1", 993, &fd, &e);
	greeted(rv, fd, &e, "by IPv6, the reply is a name");
	step(&s, 1, S("\5\1\0\3\1x\0\1"), S("\5\0\0\3\0\1\2"));
	rv = by_proxy(&s, "", "x", 1, &fd, &e);
	greeted(rv, fd, &e, "the reply is an empty name");
	step(&s, 0, S("\5\2\0\2"), S("\5\2"));
	step(&s, 1, S("\1\3a:b\6ses@me"), S("\1\0"));
	step(&s, 2, S("\5\1\0\3\1x\0\1"), S("\5\0\0\1\1\2\3\4\5\6"));
	rv = by_proxy(&s, "a%3ab:ses@me@", "x", 1, &fd, &e);
	greeted(rv, fd, &e, "with a login");
}

static void
test_proxy_refuses(void)
{
	struct script s = {0};
	struct err e = {0};
	int fd = -1;

	step(&s, 0, S("\5\1\0"), S("\5\0"));
	step(&s, 1, S("\5\1\0\3\1x\0\1"), S("\5\5\0\1\0\0\0\0\0\0"));
	is_int(by_proxy(&s, "", "x", 1, &fd, &e), -1, "refused");
	is_int(e.kind, ERR_TEMP, "kind");
	says(&e, "proxy 127.0.0.1:");
	says(&e, "cannot connect to x:1: connection refused");
	s = (struct script){0};
	step(&s, 0, S("\5\1\0"), S("\5\xff"));
	is_int(by_proxy(&s, "", "x", 1, &fd, &e), -1, "wants a login");
	is_int(e.kind, ERR_CONFIG, "kind");
	says(&e, "wants a login");
	step(&s, 0, S("\5\2\0\2"), S("\5\2"));
	step(&s, 1, S("\1\1a\6sesame"), S("\1\1"));
	is_int(by_proxy(&s, "a:sesame@", "x", 1, &fd, &e), -1, "bad login");
	is_int(e.kind, ERR_CONFIG, "kind");
	says(&e, "refuses the user name");
	ok(strstr(e.text, "sesame") == NULL, "the password is not shown");
	s = (struct script){0};
	step(&s, 0, S("\5\1\0"), S("HTTP/1.0 400"));
	is_int(by_proxy(&s, "", "x", 1, &fd, &e), -1, "not a SOCKS proxy");
	says(&e, "does not speak SOCKS");
	step(&s, 0, S("\5\1\0"), S(""));
	s.answer[0] = "";
	is_int(by_proxy(&s, "", "x", 1, &fd, &e), -1, "an odd one");
}

static void
test_proxy_url(void)
{
	static const struct {
		const char *url, *user, *password, *host;
		unsigned port;
	} good[] = {
	    {"socks5://h", "", "", "h", 1080},
	    {"socks5://h/", "", "", "h", 1080},
	    {"socks5://h:99/", "", "", "h", 99},
	    {"SOCKS5://u@[::1]", "u", "", "::1", 1080},
	    {"socks5://u:p%40@[::1]:9", "u", "p@", "::1", 9},
	};
	static const char *const bad[] = {"", "h:1", "http://h", "socks5://",
	    "socks5://:1", "socks5://h:x", "socks5://h:70000", "socks5://@h",
	    "socks5://u%zz@h", "socks5://[::1", "socks5://[::1]x",
	    "socks5://u:p@"};
	struct socks s;
	struct err e = {0};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		is_int(socks_parse(good[i].url, &s, &e), 0, "%s", good[i].url);
		is_str(s.host, good[i].host, "host");
		is_str(buf_cstr(&s.user), good[i].user, "user");
		is_str(buf_cstr(&s.password), good[i].password, "password");
		is_int(s.port, good[i].port, "port");
		socks_clear(&s);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_int(socks_parse(bad[i], &s, &e), -1, "bad: %s", bad[i]);
		socks_clear(&s);
	}
}

/* --- SRV ---------------------------------------------------------------- */

struct answer {
	unsigned char b[1024];
	size_t n;
	unsigned records;
};

static void
put(struct answer *a, const void *p, size_t n)
{
	memcpy(a->b + a->n, p, n);
	a->n += n;
}

static void
put16(struct answer *a, unsigned v)
{
	unsigned char c[2] = {(unsigned char)(v >> 8), (unsigned char)v};

	put(a, c, 2);
}

static void
question(struct answer *a)
{
	memset(a, 0, sizeof(*a));
	put(a, "\0\1\x81\x80\0\1\0\0\0\0\0\0", 12);
	put(a, "\6_imaps\4_tcp\1x\0", 15);
	put16(a, 33);
	put16(a, 1);
}

/* The target is in DNS form: lengths and labels. */
static void
record(struct answer *a, unsigned type, unsigned priority, unsigned weight,
    unsigned port, const char *target, size_t n)
{
	put16(a, 0xc00c);
	put16(a, type);
	put16(a, 1);
	put(a, "\0\0\0\1", 4);
	put16(a, (unsigned)(6 + n));
	put16(a, priority);
	put16(a, weight);
	put16(a, port);
	put(a, target, n);
	a->b[7] = (unsigned char)++a->records;
}

static void
parses(const struct answer *a, size_t n, int want, const char *host,
    unsigned port, const char *name)
{
	char *got = NULL;
	uint16_t got_port = 0;

	is_int(net_srv_parse(a->b, n, &got, &got_port), want, "%s", name);
	is_str(got, host, "%s: host", name);
	is_int(got_port, port, "%s: port", name);
	free(got);
}

static void
test_srv(void)
{
	struct answer a;
	size_t i, found = 0;
	uint16_t port;
	char *host;

	question(&a);
	parses(&a, a.n, 0, NULL, 0, "no record");
	record(&a, 5, 0, 0, 1, S("\1c\0"));
	parses(&a, a.n, 0, NULL, 0, "only a CNAME");
	record(&a, 33, 20, 9, 993, S("\1b\1x\0"));
	record(&a, 33, 10, 1, 1993, S("\4mail\300\030"));
	parses(&a, a.n, 1, "mail.x", 1993, "the lowest priority, compressed");
	record(&a, 33, 10, 5, 2993, S("\1w\1x\0"));
	record(&a, 33, 10, 4, 3993, S("\1v\1x\0"));
	parses(&a, a.n, 1, "w.x", 2993, "then the highest weight");
	record(&a, 33, 0, 5, 1, S("\3a/b\1x\0"));
	record(&a, 33, 0, 5, 0, S("\1p\1x\0"));
	parses(&a, a.n, 1, "w.x", 2993, "no host names, no ports");
	for (i = 0; i < a.n; i++) {
		host = NULL;
		if (net_srv_parse(a.b, i, &host, &port) != 0)
			found++;
		free(host);
	}
	is_int(found, 0, "an answer cut short is none");
	question(&a);
	record(&a, 33, 0, 0, 0, S("\0"));
	parses(&a, a.n, -1, NULL, 0, "not offered");
	question(&a);
	record(&a, 33, 0, 0, 993, S("\300\061"));
	parses(&a, a.n, 0, NULL, 0, "a name that points to itself");
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(100);
	test_own_name();
	test_direct();
	test_no_host();
	test_wait();
	test_loopback();
	test_proxy();
	test_proxy_refuses();
	test_proxy_url();
	test_srv();
	return done();
}
