/*
 * A TCP proxy on loopback that adds a round-trip time, counts what the client
 * had to wait for, and cuts connections at a given byte. The benchmarks and
 * the cut-at-every-byte tests run through it. Usage: tests/fault/README.md.
 *
 * Delay. Every chunk read is due half a round trip later and delivered in
 * order; bandwidth is not limited. The server is connected to half a round
 * trip after the client was accepted, and nothing is delivered to either side
 * before a whole one, which is what the handshake takes.
 *
 * A *turn* is a time the client had to wait for the server. One is counted
 *  - when the server speaks first: the wait for its greeting;
 *  - for the client's first bytes;
 *  - for every later chunk from the client that is the answer to something:
 *    since its previous chunk at least one server byte was delivered to it,
 *    nothing more is on its way to it, and it had been silent for half a round
 *    trip or more.
 * So a lock-step dialogue of N commands is N turns, and neither a download nor
 * an upload that keeps the pipe filled adds any. Why this is exact in spite of
 * jitter: an answer to the reply to a chunk can not arrive sooner than one
 * whole round trip after that chunk, by the proxy's own clock, which is twice
 * what is asked for; and a client busy sending never pauses so long. Bytes due
 * within an eighth of a round trip are not "on their way": that is the tail of
 * a reply written in pieces, after which the client waits nonetheless. What
 * the server has sent is always read before a client's chunk is judged. At
 * zero delay nothing stays on its way, and the number is an upper bound.
 */

#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (120 * 1024)       /* malloc() would map anything larger afresh */
#define CAP_DELAYED (256U << 20) /* in flight, per direction */
#define CAP_DIRECT (1U << 20)
#define READS 16 /* chunks per wake-up: no connection starves */
#define MSEC INT64_C(1000000)
#define NEVER INT64_MAX

enum { CLIENT, SERVER };
enum kind { DATA, FIN, RESET, CUT };

struct chunk {
	TAILQ_ENTRY(chunk) link;
	int64_t due;
	size_t len, sent;
	enum kind kind;
	char data[];
};

/* One direction; its source is fd[index], its sink the other one. */
struct way {
	TAILQ_HEAD(chunks, chunk) queue; /* owned */
	size_t queued;
	uint64_t in, out, limit;
	bool eof, done, dead, blocked;
};

struct conn {
	TAILQ_ENTRY(conn) link;
	unsigned int number;
	int fd[2];         /* CLIENT, SERVER */
	int poll[2];       /* where in this round's array, -1: nowhere */
	struct way way[2]; /* from CLIENT, from SERVER */
	int64_t start, end, last_send; /* ns */
	uint64_t turns, delivered_then;
	bool open;
};

static TAILQ_HEAD(, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static unsigned int nconns, nopen, max_open = 10000;
static in_port_t target;
static int64_t rtt;
static uint64_t limits[2] = {UINT64_MAX, UINT64_MAX};
static bool cut_first_only, cut_resets;
static const char *stats_path;
static volatile sig_atomic_t stop_asked, stats_asked;

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 * MSEC + ts.tv_nsec;
}

static void
on_signal(int sig)
{
	if (sig == SIGUSR1)
		stats_asked = 1;
	else
		stop_asked = 1;
}

/* --- files ---------------------------------------------------------------- */

/* Opens PATH.new; publish() makes it PATH, so nobody reads half a file. */
static FILE *
draft_open(const char *path, char *draft, size_t size)
{
	FILE *f;

	snprintf(draft, size, "%s.new", path);
	f = fopen(draft, "we");
	if (f == NULL)
		err(1, "%s", draft);
	return f;
}

static void
draft_publish(FILE *f, const char *draft, const char *path)
{
	if (fclose(f) == EOF || rename(draft, path) == -1)
		err(1, "%s", path);
}

static void
write_stats(void)
{
	uint64_t turns = 0, up = 0, down = 0;
	int64_t now = now_ns();
	char draft[4096];
	struct conn *c;
	FILE *f;

	if (stats_path == NULL)
		return;
	f = draft_open(stats_path, draft, sizeof(draft));
	TAILQ_FOREACH (c, &conns, link) {
		turns += c->turns;
		up += c->way[CLIENT].out;
		down += c->way[SERVER].out;
	}
	fprintf(f, "connections %u\nturns %" PRIu64 "\n", nconns, turns);
	fprintf(f, "bytes_up %" PRIu64 "\nbytes_down %" PRIu64 "\n", up, down);
	TAILQ_FOREACH (c, &conns, link)
		fprintf(f,
		    "conn %u turns %" PRIu64 " up %" PRIu64 " down %" PRIu64
		    " seconds %.3f\n",
		    c->number, c->turns, c->way[CLIENT].out, c->way[SERVER].out,
		    (double)((c->open ? now : c->end) - c->start) / 1e9);
	draft_publish(f, draft, stats_path);
}

static void
write_port(const char *path, int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	char draft[4096];
	FILE *f;

	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	if (path == NULL) {
		printf("%u\n", ntohs(sin.sin_port));
		fflush(stdout);
		return;
	}
	f = draft_open(path, draft, sizeof(draft));
	fprintf(f, "%u\n", ntohs(sin.sin_port));
	draft_publish(f, draft, path);
}

/* --- one connection ------------------------------------------------------- */

static struct sockaddr_in
loopback(in_port_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};

	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

static void
no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
conn_accept(int listener, int64_t now)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;
	int i;

	if (fd == -1)
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		err(1, NULL);
	no_delay(fd);
	c->number = ++nconns;
	c->fd[CLIENT] = fd;
	c->fd[SERVER] = -1;
	c->start = c->last_send = now;
	c->open = true;
	for (i = 0; i < 2; i++) {
		TAILQ_INIT(&c->way[i].queue);
		c->way[i].limit =
		    cut_first_only && c->number > 1 ? UINT64_MAX : limits[i];
	}
	nopen++;
	TAILQ_INSERT_TAIL(&conns, c, link);
}

static void
queue_clear(struct way *w)
{
	struct chunk *k;

	while ((k = TAILQ_FIRST(&w->queue)) != NULL) {
		TAILQ_REMOVE(&w->queue, k, link);
		free(k);
	}
	w->queued = 0;
}

/* Closes both sides; what is still queued is never delivered. */
static void
conn_end(struct conn *c, bool reset, int64_t now)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	static char waste[CHUNK];
	int i, n;

	for (i = 0; i < 2; i++) {
		queue_clear(&c->way[i]);
		if (c->fd[i] == -1)
			continue;
		if (reset)
			setsockopt(c->fd[i], SOL_SOCKET, SO_LINGER, &linger,
			    sizeof(linger));
		/* Closing with bytes unread would make a reset of the FIN. */
		for (n = 0; n < READS && !reset; n++)
			if (read(c->fd[i], waste, sizeof(waste)) <= 0)
				break;
		close(c->fd[i]);
		c->fd[i] = -1;
	}
	c->open = false;
	c->end = now;
	nopen--;
}

static void
enqueue(struct conn *c, int from, enum kind kind, const char *data, size_t len,
    int64_t now)
{
	struct way *w = &c->way[from];
	struct chunk *k = malloc(sizeof(*k) + len);

	if (k == NULL)
		err(1, NULL);
	k->kind = kind;
	k->len = len;
	k->sent = 0;
	k->due = now + rtt / 2;
	if (k->due < c->start + rtt)
		k->due = c->start + rtt;
	if (len > 0)
		memcpy(k->data, data, len);
	w->queued += len;
	TAILQ_INSERT_TAIL(&w->queue, k, link);
}

/* Is more on its way to the client than the tail of a reply? */
static bool
in_flight(const struct conn *c, int64_t now)
{
	const struct chunk *last = TAILQ_LAST(&c->way[SERVER].queue, chunks);

	return last != NULL && last->kind == DATA &&
	       (last->due > now + rtt / 8 || c->way[SERVER].blocked);
}

/* Bytes from the client: judged by the definition at the top of the file. */
static void
count_send(struct conn *c, int64_t now)
{
	const struct way *down = &c->way[SERVER];

	if (c->way[CLIENT].in == 0 ||
	    (down->out > c->delivered_then && !in_flight(c, now) &&
		now - c->last_send >= rtt / 2))
		c->turns++;
	c->delivered_then = down->out;
	c->last_send = now;
}

static void
take(struct conn *c, int from, const char *data, size_t n, int64_t now)
{
	struct way *w = &c->way[from];
	bool last = n >= w->limit - w->in;

	if (from == CLIENT)
		count_send(c, now);
	if (last)
		n = (size_t)(w->limit - w->in);
	w->in += n;
	if (n > 0 && !w->dead)
		enqueue(c, from, DATA, data, n, now);
	if (last) {
		w->eof = true;
		enqueue(c, from, CUT, NULL, 0, now);
	}
}

static size_t
room(const struct way *w)
{
	size_t cap = rtt > 0 ? CAP_DELAYED : CAP_DIRECT;

	return w->eof || w->queued >= cap ? 0 : cap - w->queued;
}

static void
receive(struct conn *c, int from, int64_t now)
{
	static char data[CHUNK];
	struct way *w = &c->way[from];
	ssize_t n;
	int i;

	for (i = 0; i < READS && room(w) > 0; i++) {
		n = read(c->fd[from], data, sizeof(data));
		if (n > 0)
			take(c, from, data, (size_t)n, now);
		else if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		else {
			w->eof = true;
			enqueue(c, from, n == 0 ? FIN : RESET, NULL, 0, now);
		}
	}
}

/* False when the sink takes no more now. */
static bool
send_chunk(struct conn *c, int from, struct chunk *k)
{
	struct way *w = &c->way[from];
	ssize_t n = send(
	    c->fd[!from], k->data + k->sent, k->len - k->sent, MSG_NOSIGNAL);

	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		w->blocked = true;
		return false;
	}
	if (n == -1) {
		/* The sink is gone: its own end or reset comes back to us. */
		queue_clear(w);
		w->dead = w->done = true;
		return false;
	}
	if (from == SERVER && w->out == 0 && c->way[CLIENT].in == 0)
		c->turns++;
	k->sent += (size_t)n;
	w->out += (size_t)n;
	w->queued -= (size_t)n;
	return true;
}

/* A reset overtakes bytes the peer's window has no room for: wait for it. */
static bool
cut_must_wait(int fd, struct chunk *k, int64_t now)
{
	int left = 0;

	if (!cut_resets || k->sent >= 1000 || ioctl(fd, SIOCOUTQ, &left) == -1)
		return false;
	if (left == 0)
		return false;
	k->sent++;
	k->due = now + MSEC;
	return true;
}

static void
deliver(struct conn *c, int from, int64_t now)
{
	struct way *w = &c->way[from];
	struct chunk *k;

	while (c->open && !w->blocked && c->fd[!from] != -1 &&
	       (k = TAILQ_FIRST(&w->queue)) != NULL && k->due <= now) {
		switch (k->kind) {
		case DATA:
			if (!send_chunk(c, from, k))
				return;
			if (k->sent < k->len)
				continue;
			break;
		case FIN:
			shutdown(c->fd[!from], SHUT_WR);
			w->done = true;
			break;
		case RESET:
			conn_end(c, true, now);
			return;
		case CUT:
			if (!cut_must_wait(c->fd[!from], k, now))
				conn_end(c, cut_resets, now);
			return;
		}
		TAILQ_REMOVE(&w->queue, k, link);
		free(k);
	}
}

static void
conn_connect(struct conn *c, int64_t now)
{
	struct sockaddr_in sin = loopback(target);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		err(1, "socket");
	no_delay(fd);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS) {
		close(fd);
		conn_end(c, true, now);
		return;
	}
	c->fd[SERVER] = fd;
}

/* --- the loop ------------------------------------------------------------- */

static int64_t
conn_due(const struct conn *c)
{
	int64_t due = c->fd[SERVER] == -1 ? c->start + rtt / 2 : NEVER;
	int i;

	for (i = 0; i < 2; i++) {
		const struct chunk *k = TAILQ_FIRST(&c->way[i].queue);

		if (k != NULL && !c->way[i].blocked && k->due < due)
			due = k->due;
	}
	return due;
}

static size_t
poll_fill(struct pollfd *p, int listener, int64_t *due_r)
{
	struct conn *c;
	size_t n = 1;
	int i;

	p[0].fd = nopen < max_open ? listener : -1;
	p[0].events = POLLIN;
	*due_r = NEVER;
	TAILQ_FOREACH (c, &conns, link) {
		int64_t due = c->open ? conn_due(c) : NEVER;

		if (due < *due_r)
			*due_r = due;
		for (i = 0; i < 2; i++) {
			short want = room(&c->way[i]) > 0 ? POLLIN : 0;

			if (c->way[!i].blocked)
				want |= POLLOUT;
			c->poll[i] = -1;
			if (!c->open || want == 0 || c->fd[i] == -1)
				continue;
			c->poll[i] = (int)n;
			p[n].fd = c->fd[i];
			p[n++].events = want;
		}
	}
	return n;
}

static void
conn_round(struct conn *c, const struct pollfd *p, int64_t now)
{
	int i, at;

	if (c->fd[SERVER] == -1 && now >= c->start + rtt / 2)
		conn_connect(c, now);
	/* The server first: what it sent counts as being on its way. */
	for (i = SERVER; i >= CLIENT && c->open; i--) {
		at = c->poll[i];
		if (at == -1)
			continue;
		if (p[at].revents & (POLLOUT | POLLERR | POLLHUP))
			c->way[!i].blocked = false;
		if (p[at].revents & (POLLIN | POLLERR | POLLHUP))
			receive(c, i, now);
	}
	for (i = SERVER; i >= CLIENT && c->open; i--)
		deliver(c, i, now);
	if (c->open && c->way[CLIENT].done && c->way[SERVER].done)
		conn_end(c, false, now);
}

static void
serve(int listener, const sigset_t *unblocked)
{
	struct pollfd *p = NULL;
	struct timespec ts;
	struct conn *c;
	int64_t now, due;
	size_t n;

	while (!stop_asked) {
		p = realloc(p, (2 * (size_t)nopen + 1) * sizeof(*p));
		if (p == NULL)
			err(1, NULL);
		n = poll_fill(p, listener, &due);
		now = now_ns();
		due = due == NEVER || due > now ? due - now : 0;
		ts.tv_sec = due / (1000 * MSEC);
		ts.tv_nsec = due % (1000 * MSEC);
		if (ppoll(p, n, &ts, unblocked) == -1) {
			if (errno != EINTR)
				err(1, "ppoll");
			if (stats_asked)
				write_stats();
			stats_asked = 0;
			continue;
		}
		now = now_ns();
		TAILQ_FOREACH (c, &conns, link)
			if (c->open)
				conn_round(c, p, now);
		if (p[0].revents & POLLIN)
			conn_accept(listener, now);
	}
	free(p);
}

static int
listen_on(in_port_t port)
{
	struct sockaddr_in sin = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd == -1)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 512) == -1)
		err(1, "port %u", port);
	return fd;
}

static void
catch_signals(sigset_t *old)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGUSR1};
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t block;
	size_t i;

	sigemptyset(&block);
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		sigaddset(&block, sigs[i]);
		sigaction(sigs[i], &sa, NULL);
	}
	/* Delivered inside ppoll() only, so none is missed. */
	sigprocmask(SIG_BLOCK, &block, old);
}

static long long
number(const char *s, long long min, long long max)
{
	const char *why;
	long long n = strtonum(s, min, max, &why);

	if (why != NULL)
		errx(2, "%s: %s", s, why);
	return n;
}

int
main(int argc, char **argv)
{
	const char *port_path = NULL;
	in_port_t port = 0;
	sigset_t old;
	int c, fd;

	while ((c = getopt(argc, argv, "t:l:p:d:s:D:U:Rn:1")) != -1) {
		if (c == 't')
			target = (in_port_t)number(optarg, 1, 65535);
		else if (c == 'l')
			port = (in_port_t)number(optarg, 0, 65535);
		else if (c == 'p')
			port_path = optarg;
		else if (c == 'd')
			rtt = number(optarg, 0, 60000) * MSEC;
		else if (c == 's')
			stats_path = optarg;
		else if (c == 'D')
			limits[SERVER] = (uint64_t)number(optarg, 0, INT64_MAX);
		else if (c == 'U')
			limits[CLIENT] = (uint64_t)number(optarg, 0, INT64_MAX);
		else if (c == 'R')
			cut_resets = true;
		else if (c == 'n')
			max_open = (unsigned int)number(optarg, 1, 10000);
		else if (c == '1')
			cut_first_only = true;
		else
			target = 0;
	}
	if (target == 0 || optind != argc)
		errx(2, "usage: proxy -t port [-1R] [-D bytes] [-d ms] "
			"[-l port] [-n connections]\n"
			"\t[-p portfile] [-s statsfile] [-U bytes]");
	catch_signals(&old);
	fd = listen_on(port);
	write_port(port_path, fd);
	serve(fd, &old);
	write_stats();
	return 0;
}
