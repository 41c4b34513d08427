/*
 * The client's side of SOCKS5.  It is done before the first byte of mail, so
 * it may wait in place; the deadline is that of the whole connecting.
 */

#include "os/socks.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/span.h"
#include "os/clock.h"

#define PORT 1080

struct line {
	const struct socks *socks; /* borrowed */
	int fd, stop_fd;
	int64_t deadline;
};

void
socks_clear(struct socks *s)
{
	buf_wipe(&s->user);
	buf_wipe(&s->password);
	free(s->host);
}

/* host[:port][/], [v6][:port][/] */
static bool
parse_authority(struct socks *s, struct span at)
{
	size_t bracket = at.n > 0 && at.p[0] == '[' ? 1 : 0;
	uint64_t port = PORT;
	struct span host;
	ptrdiff_t end;

	if (at.n > 0 && at.p[at.n - 1] == '/')
		at.n--;
	at = span_skip(at, bracket);
	end = span_find(at, bracket ? ']' : ':');
	if (bracket && end == -1)
		return false;
	host = end == -1 ? at : span_bytes(at.p, (size_t)end);
	at = span_skip(at, host.n + bracket);
	if (at.n > 0 &&
	    (at.p[0] != ':' || !span_number(span_skip(at, 1), 65535, &port)))
		return false;
	if (host.n == 0 || span_find(host, '/') != -1 || port == 0)
		return false;
	s->host = span_dup(host);
	s->port = (uint16_t)port;
	return true;
}

/* user[:password], percent-encoded */
static bool
parse_login(struct socks *s, struct span login)
{
	struct span user;

	return span_cut(&login, ':', &user) &&
	       dec_percent(&s->user, user) == 0 && s->user.len > 0 &&
	       dec_percent(&s->password, login) == 0;
}

int
socks_parse(const char *url, struct socks *s, struct err *e)
{
	const char *at = strrchr(url, '@'), *rest;
	bool good = span_prefix(span_of(url), "socks5://");

	*s = (struct socks){0};
	buf_init(&s->user, 255);
	buf_init(&s->password, 255);
	rest = good ? url + strlen("socks5://") : url;
	if (good && at != NULL) {
		good = parse_login(s, span_bytes(rest, (size_t)(at - rest)));
		rest = at + 1;
	}
	if (good && parse_authority(s, span_of(rest)))
		return 0;
	return err_set(e, ERR_CONFIG,
	    "proxy: not of the form socks5://[user[:password]@]host[:port]");
}

/* Until the socket is ready. */
static int
wait_for(struct line *l, short events, struct err *e)
{
	struct pollfd f[2] = {{.fd = l->fd, .events = events},
	    {.fd = l->stop_fd, .events = POLLIN}};
	int64_t left = l->deadline - clock_ms();

	if (left <= 0)
		return err_set(e, ERR_TEMP, "no answer");
	if (poll(f, 2, (int)left) > 0 && f[1].revents != 0)
		return err_set(e, ERR_TEMP, "stopped");
	return 0;
}

static int
put(struct line *l, struct span out, struct err *e)
{
	ssize_t n;

	while (out.n > 0) {
		n = send(l->fd, out.p, out.n, MSG_NOSIGNAL);
		if (n >= 0)
			out = span_skip(out, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, ERR_TEMP, "sending");
		else if (wait_for(l, POLLOUT, e) == -1)
			return -1;
	}
	return 0;
}

/* No byte more than asked for: what follows is the server's. */
static int
get(struct line *l, unsigned char *p, size_t n, struct err *e)
{
	ssize_t got;

	while (n > 0) {
		got = recv(l->fd, p, n, 0);
		if (got == 0)
			return err_set(e, ERR_TEMP, "it closed the connection");
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		} else if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, ERR_TEMP, "receiving");
		else if (wait_for(l, POLLIN, e) == -1)
			return -1;
	}
	return 0;
}

/* RFC 1929 */
static int
login(struct line *l, struct err *e)
{
	unsigned char in[2];
	struct buf b;
	int rv;

	buf_init(&b, 3 + 2 * 255);
	buf_putc(&b, 1);
	buf_putc(&b, (char)l->socks->user.len);
	buf_add(&b, buf_span(&l->socks->user));
	buf_putc(&b, (char)l->socks->password.len);
	buf_add(&b, buf_span(&l->socks->password));
	rv = put(l, buf_span(&b), e);
	buf_wipe(&b);
	if (rv == -1 || get(l, in, sizeof(in), e) == -1)
		return -1;
	if (in[1] != 0)
		return err_set(
		    e, ERR_CONFIG, "it refuses the user name or the password");
	return 0;
}

static int
hello(struct line *l, struct err *e)
{
	static const char with[] = "\5\2\0\2", without[] = "\5\1";
	unsigned char in[2];
	struct span hello = l->socks->user.len > 0 ? span_bytes(with, 4)
	                                           : span_bytes(without, 3);

	if (put(l, hello, e) == -1 || get(l, in, 2, e) == -1)
		return -1;
	if (in[0] != 5)
		return err_set(
		    e, ERR_CONFIG, "it does not speak SOCKS version 5");
	if (in[1] == 0)
		return 0;
	if (in[1] == 2 && l->socks->user.len > 0)
		return login(l, e);
	return err_set(e, ERR_CONFIG,
	    l->socks->user.len > 0
		? "it accepts no login that we know"
		: "it wants a login: socks5://user:password@host");
}

static void
put_target(struct buf *b, const char *host, uint16_t port)
{
	unsigned char ip[16];

	if (inet_pton(AF_INET, host, ip) == 1) {
		buf_putc(b, 1);
		buf_append(b, ip, 4);
	} else if (inet_pton(AF_INET6, host, ip) == 1) {
		buf_putc(b, 4);
		buf_append(b, ip, 16);
	} else {
		buf_putc(b, 3);
		buf_putc(b, (char)strlen(host));
		buf_puts(b, host);
	}
	buf_putc(b, (char)(port >> 8));
	buf_putc(b, (char)(port & 0xff));
}

static const char *
socks_reply(unsigned char code)
{
	static const char *const text[] = {"", "general failure",
	    "not allowed by its rules", "network unreachable",
	    "host unreachable", "connection refused", "TTL expired",
	    "command not supported", "address type not supported"};

	if (code < sizeof(text) / sizeof(text[0]))
		return text[code];
	return "unknown reply";
}

/* RFC 1928 sections 4 to 6 */
static int
request(struct line *l, const char *host, uint16_t port, struct err *e)
{
	unsigned char in[256 + 2];
	struct buf b;
	size_t n;
	int rv;

	buf_init(&b, 3 + 2 + 255 + 2);
	buf_append(&b, "\5\1", 3);
	put_target(&b, host, port);
	rv = put(l, buf_span(&b), e);
	buf_clear(&b);
	if (rv == -1 || get(l, in, 5, e) == -1)
		return -1;
	if (in[0] != 5 || in[1] != 0)
		return err_set(e, ERR_TEMP, "it cannot connect to %s:%u: %s",
		    host, (unsigned)port, socks_reply(in[1]));
	/* The address it bound is of no use to us; its first byte is read. */
	n = in[3] == 1 ? 4u : in[3] == 4 ? 16u : in[4] + 1u;
	return get(l, in, n - 1 + 2, e);
}

int
socks_connect(const struct socks *s, int fd, const char *host, uint16_t port,
    int64_t deadline, int stop_fd, struct err *e)
{
	struct line l = {s, fd, stop_fd, deadline};

	if (strlen(host) > 255)
		return err_set(e, ERR_CONFIG, "the host name is too long");
	if (hello(&l, e) == -1)
		return -1;
	return request(&l, host, port, e);
}
