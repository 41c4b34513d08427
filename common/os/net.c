/*
 * Connecting over TCP: a race between the addresses of a host, or of the proxy
 * that leads to it.  A failure names all that was tried.
 */

#include "os/net.h"

#include <sys/socket.h>

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/socks.h"

#define ADDRESSES 32      /* tried at most */
#define ATTEMPT_DELAY 250 /* ms, RFC 8305 section 5 */

struct attempt {
	const struct addrinfo *ai; /* borrowed */
	int fd;                    /* -1: not begun, or failed */
	int error;                 /* errno; 0: no answer yet */
};

struct race {
	struct attempt a[ADDRESSES];
	size_t n, begun;
	int64_t next; /* when another attempt may begin */
	int64_t deadline;
	int stop_fd;
	const struct addrinfo *source; /* borrowed; NULL: any */
};

/* --- addresses ---------------------------------------------------------- */

static int
resolve(const char *host, uint16_t port, int flags, struct addrinfo **r,
    struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
	char service[8];
	int rv;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	/* No AI_ADDRCONFIG: it would hide loopback on a host without a net. */
	hints.ai_flags |= AI_NUMERICSERV;
	if ((rv = getaddrinfo(host, service, &hints, r)) == 0)
		return 0;
	if (rv == EAI_NONAME || rv == EAI_NODATA)
		return err_code(e, ERR_CONFIG, EX_NOHOST,
		    "no such host: %.255s (%s)", host, gai_strerror(rv));
	return err_set(e, ERR_TEMP, "cannot find the address of %.255s: %s",
	    host, rv == EAI_SYSTEM ? strerror(errno) : gai_strerror(rv));
}

static const struct addrinfo *
next_of(const struct addrinfo *ai, int family, bool same)
{
	while (ai != NULL && (ai->ai_family == family) != same)
		ai = ai->ai_next;
	return ai;
}

/* The system's order, but families take turns (RFC 8305 section 4). */
static void
interleave(struct race *r, const struct addrinfo *list)
{
	int first = list->ai_family;
	const struct addrinfo *ai[2] = {list, next_of(list, first, false)};
	size_t turn;

	if (r->source != NULL) {
		first = r->source->ai_family;
		ai[0] = next_of(list, first, true);
		ai[1] = NULL;
	}
	for (turn = 0; r->n < ADDRESSES; turn ^= 1) {
		if (ai[turn] == NULL && ai[turn ^= 1] == NULL)
			return;
		r->a[r->n++] = (struct attempt){.ai = ai[turn], .fd = -1};
		ai[turn] = next_of(ai[turn]->ai_next, first, turn == 0);
	}
}

static void
show_address(const struct addrinfo *ai, char out_r[NI_MAXHOST])
{
	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, out_r, NI_MAXHOST, NULL, 0,
		NI_NUMERICHOST) != 0)
		strlcpy(out_r, "?", NI_MAXHOST);
}

/* --- the race ----------------------------------------------------------- */

static void
begin(struct race *r, struct attempt *a)
{
	const struct addrinfo *ai = a->ai;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	a->fd = socket(ai->ai_family, ai->ai_socktype | flags, 0);
	if (a->fd != -1 &&
	    (r->source == NULL ||
		bind(a->fd, r->source->ai_addr, r->source->ai_addrlen) == 0) &&
	    (connect(a->fd, ai->ai_addr, ai->ai_addrlen) == 0 ||
		errno == EINPROGRESS || errno == EINTR))
		return;
	a->error = errno;
	if (a->fd != -1)
		close(a->fd);
	a->fd = -1;
}

/* poll(2) has something to say: true when it is connected. */
static bool
finish(struct attempt *a)
{
	socklen_t n = sizeof(a->error);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &a->error, &n) == -1)
		a->error = errno;
	if (a->error == 0)
		return true;
	close(a->fd);
	a->fd = -1;
	return false;
}

/* Begins what may begin now; false when there is nothing to wait for. */
static bool
begin_next(struct race *r)
{
	size_t i;

	for (;;) {
		for (i = 0; i < r->begun && r->a[i].fd == -1; i++)
			;
		if (r->begun == r->n)
			return i < r->n;
		if (i < r->begun && clock_ms() < r->next)
			return true;
		begin(r, &r->a[r->begun++]);
		r->next = clock_ms() + ATTEMPT_DELAY;
	}
}

/* Waits for one of them; the connected one, NULL: none yet; -1: stop. */
static int
look(struct race *r, int64_t ms, struct attempt **winner_r)
{
	struct pollfd f[ADDRESSES + 1];
	size_t i;

	for (i = 0; i < r->begun; i++)
		f[i] = (struct pollfd){.fd = r->a[i].fd, .events = POLLOUT};
	f[i] = (struct pollfd){.fd = r->stop_fd, .events = POLLIN};
	if (poll(f, i + 1, ms < 0 ? 0 : (int)ms) <= 0)
		return 0;
	if (f[i].revents != 0)
		return -1;
	for (i = 0; i < r->begun; i++)
		if (f[i].revents != 0 && finish(&r->a[i])) {
			*winner_r = &r->a[i];
			return 0;
		}
	return 0;
}

static int
describe(const struct race *r, const char *host, uint16_t port, struct err *e)
{
	char address[NI_MAXHOST];
	struct buf b;
	size_t i;

	buf_init(&b, sizeof(e->text) - 1);
	for (i = 0; i < r->begun; i++) {
		show_address(r->a[i].ai, address);
		if (strcmp(address, host) != 0 || r->n > 1)
			buf_printf(&b, "%s%s: ", i > 0 ? ", " : "", address);
		buf_puts(&b,
		    r->a[i].error == 0 ? "no answer" : strerror(r->a[i].error));
	}
	err_set(e, ERR_TEMP, "cannot connect to %.255s:%u: %s", host,
	    (unsigned)port, buf_cstr(&b));
	buf_clear(&b);
	return -1;
}

static int
run(struct race *r, const char *host, uint16_t port, int *fd_r, struct err *e)
{
	struct attempt *winner = NULL;
	int64_t now, until;

	while (winner == NULL) {
		now = clock_ms();
		if (!begin_next(r) || now >= r->deadline)
			return describe(r, host, port, e);
		until = r->deadline;
		if (r->begun < r->n && r->next < until)
			until = r->next;
		if (look(r, until - now, &winner) == -1)
			return err_set(e, ERR_TEMP, "stopped");
	}
	*fd_r = winner->fd;
	winner->fd = -1;
	return 0;
}

static void
set_up(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int
race(const char *host, uint16_t port, const struct addrinfo *list,
    const struct addrinfo *source, const struct net_options *o, int *fd_r,
    struct err *e)
{
	struct race r = {.deadline = clock_ms() + o->timeout,
	    .stop_fd = o->stop_fd,
	    .source = source};
	size_t i;
	int rv;

	interleave(&r, list);
	if (r.n == 0)
		return err_set(e, ERR_CONFIG,
		    "source-address %s is of another family than all "
		    "addresses of %.255s",
		    o->source, host);
	rv = run(&r, host, port, fd_r, e);
	for (i = 0; i < r.begun; i++)
		if (r.a[i].fd != -1)
			close(r.a[i].fd);
	if (rv == 0)
		set_up(*fd_r);
	else if (o->source != NULL)
		err_prefix(e, "from source-address %s", o->source);
	return rv;
}

static int
connect_direct(const char *host, uint16_t port, const struct net_options *o,
    int *fd_r, struct err *e)
{
	struct addrinfo *list = NULL, *source = NULL;
	int rv;

	if (o->source != NULL &&
	    resolve(o->source, 0, AI_NUMERICHOST, &source, e) == -1)
		return err_set(e, ERR_CONFIG,
		    "source-address %.100s is not an IP address", o->source);
	if ((rv = resolve(host, port, 0, &list, e)) == 0) {
		rv = race(host, port, list, source, o, fd_r, e);
		freeaddrinfo(list);
	}
	if (source != NULL)
		freeaddrinfo(source);
	return rv;
}

bool
net_is_loopback(int fd)
{
	struct sockaddr_storage ss;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	socklen_t n = sizeof(ss);

	if (getpeername(fd, (struct sockaddr *)&ss, &n) == -1)
		return false;
	if (ss.ss_family == AF_INET) {
		memcpy(&in, &ss, sizeof(in));
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (ss.ss_family == AF_INET6) {
		memcpy(&in6, &ss, sizeof(in6));
		return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) &&
			   in6.sin6_addr.s6_addr[12] == 127);
	}
	return ss.ss_family == AF_UNIX;
}

bool
net_is_full_name(const char *s)
{
	size_t n = strlen(s), i;
	bool dot = false, letter = false;

	if (n == 0 || n >= NET_NAME || strncasecmp(s, "localhost", 9) == 0)
		return false;
	for (i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			return false;
		if (s[i] == '.' && (i == 0 || i == n - 1 || s[i - 1] == '.'))
			return false;
		dot |= s[i] == '.';
		letter |= dot && isalpha((unsigned char)s[i]);
	}
	return letter;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). */
static void
literal(int fd, char name[NET_NAME])
{
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof(ss);
	char host[NI_MAXHOST];

	if (getsockname(fd, (struct sockaddr *)&ss, &n) == -1 ||
	    (ss.ss_family != AF_INET && ss.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&ss, n, host, sizeof(host), NULL, 0,
		NI_NUMERICHOST) != 0) {
		strlcpy(name, "[127.0.0.1]", NET_NAME); /* a tunnel */
		return;
	}
	host[strcspn(host, "%")] = '\0'; /* the scope is our own affair */
	snprintf(name, NET_NAME, "[%s%.200s]",
	    ss.ss_family == AF_INET6 ? "IPv6:" : "", host);
}

void
net_own_name(int fd, char name[NET_NAME])
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
	struct addrinfo *list = NULL;
	char host[NET_NAME] = "";
	bool found;

	gethostname(host, sizeof(host) - 1);
	found = net_is_full_name(host);
	if (!found && getaddrinfo(host, NULL, &hints, &list) == 0) {
		found = list->ai_canonname != NULL &&
		        net_is_full_name(list->ai_canonname);
		if (found)
			strlcpy(host, list->ai_canonname, sizeof(host));
		freeaddrinfo(list);
	}
	if (found)
		strlcpy(name, host, NET_NAME);
	else
		literal(fd, name);
}

static int
connect_proxy(const char *host, uint16_t port, const struct net_options *o,
    int *fd_r, struct err *e)
{
	int64_t deadline = clock_ms() + o->timeout;
	struct socks s;
	int rv;

	if ((rv = socks_parse(o->proxy, &s, e)) == 0 &&
	    (rv = connect_direct(s.host, s.port, o, fd_r, e)) == 0 &&
	    (rv = socks_connect(
		 &s, *fd_r, host, port, deadline, o->stop_fd, e)) == -1)
		close(*fd_r);
	if (rv == -1 && s.host != NULL)
		err_prefix(e, "proxy %.100s:%u", s.host, (unsigned)s.port);
	socks_clear(&s);
	return rv;
}

int
net_connect(const char *host, uint16_t port, const struct net_options *o,
    int *fd_r, struct err *e)
{
	if (o->proxy != NULL)
		return connect_proxy(host, port, o, fd_r, e);
	return connect_direct(host, port, o, fd_r, e);
}
