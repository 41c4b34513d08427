/*
 * sink: an SMTP server that takes whatever it is given, and writes it down.
 * Where the scripted peer expects one dialogue, this one bears any: sessions
 * that break off anywhere, come again, and come many at once; and whoever looks
 * afterwards can tell exactly what arrived whole.  README.md tells the rest.
 *
 *	sink [-v] [-n EXTENSION]... [-p FILE] DIR
 *
 * One process, sockets that never block; all that came together is answered
 * together.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

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
#include <unistd.h>

#define CHUNK 65536
#define LINE_MAX_LEN 4096
#define CONNS 1024

struct bytes {
	char *p; /* owned */
	size_t n, cap;
};

enum state { COMMAND, DATA, BDAT };

struct conn {
	LIST_ENTRY(conn) link;
	int fd;
	unsigned int number;
	enum state state;
	struct bytes in, out;
	bool waits; /* for the others' end */
	bool bye;   /* closed when all is written */
	/* the transaction */
	bool mail, wanted;
	uint64_t left; /* of the chunk */
	bool last;
	struct bytes envelope, body;
};

static LIST_HEAD(, conn) conns = LIST_HEAD_INITIALIZER(conns);
static unsigned int nconns, numbers;
static unsigned long nmessages;
static int dir_fd;
static bool verbose;
static const char *lacks[16]; /* borrowed */
static size_t nlacks;

static const char *const extensions[] = {"PIPELINING", "CHUNKING", "8BITMIME",
    "SMTPUTF8", "DSN", "SIZE", "ENHANCEDSTATUSCODES"};
#define NEXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

/* --- bytes ------------------------------------------------------------------ */

static void
add(struct bytes *b, const char *p, size_t n)
{
	if (b->cap - b->n < n) {
		b->cap = (b->n + n) * 2;
		b->p = realloc(b->p, b->cap);
		if (b->p == NULL)
			err(EX_OSERR, NULL);
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void
cut(struct bytes *b, size_t n)
{
	b->n -= n;
	if (b->n > 0)
		memmove(b->p, b->p + n, b->n);
}

static void say(struct conn *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
say(struct conn *c, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(line) - 2)
		errx(EX_SOFTWARE, "a reply of %d octets", n);
	if (verbose)
		fprintf(stderr, "%u S: %s\n", c->number, line);
	add(&c->out, line, (size_t)n);
	add(&c->out, "\r\n", 2);
}

/* --- messages ----------------------------------------------------------------- */

static void
put_all(int fd, const struct bytes *b)
{
	size_t at = 0;
	ssize_t k;

	for (; at < b->n; at += (size_t)k)
		if ((k = write(fd, b->p + at, b->n - at)) == -1)
			err(EX_IOERR, "message");
}

/* It is there, whole, before it is answered. */
static void
keep(struct conn *c)
{
	char name[32], hidden[33];
	int fd;

	snprintf(name, sizeof(name), "%08lu", ++nmessages);
	snprintf(hidden, sizeof(hidden), ".%s", name);
	fd = openat(
	    dir_fd, hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		err(EX_CANTCREAT, "%s", hidden);
	add(&c->envelope, "\n", 1);
	put_all(fd, &c->envelope);
	put_all(fd, &c->body);
	close(fd);
	if (renameat(dir_fd, hidden, dir_fd, name) == -1)
		err(EX_CANTCREAT, "%s", name);
}

static void
forget(struct conn *c)
{
	c->mail = c->wanted = false;
	c->envelope.n = c->body.n = 0;
	c->state = COMMAND;
}

static void
finish(struct conn *c)
{
	if (c->wanted) {
		keep(c);
		say(c, "250 2.0.0 taken");
	} else
		say(c, "503 5.5.1 nobody to take it");
	forget(c);
}

/* --- commands ------------------------------------------------------------------ */

static bool
begins(const char *line, const char *with)
{
	return strncasecmp(line, with, strlen(with)) == 0;
}

static bool
has(const char *extension)
{
	size_t i;

	for (i = 0; i < nlacks; i++)
		if (strcasecmp(lacks[i], extension) == 0)
			return false;
	return true;
}

static void
ehlo(struct conn *c)
{
	size_t i;

	forget(c);
	say(c, "250-sink");
	for (i = 0; i < NEXTENSIONS; i++)
		if (has(extensions[i]))
			say(c, "250-%s", extensions[i]);
	say(c, "250 HELP");
}

/* By its first letters, as with tests/servers/postfix; whether it was. */
static bool
refuse(struct conn *c, const char *address)
{
	if (begins(address, "nobody-"))
		say(c, "550 5.1.1 No such user");
	else if (begins(address, "later-"))
		say(c, "450 4.2.0 Try again later");
	else if (begins(address, "full-"))
		say(c, "452 4.2.2 Mailbox full");
	else
		return false;
	return true;
}

/* MAIL or RCPT: what is between the brackets becomes a line. */
static void
address(struct conn *c, const char *line, const char *verb)
{
	const char *from = strchr(line, '<'), *to;
	bool mail = *verb == 'M';

	to = from != NULL ? strchr(from, '>') : NULL;
	if (to == NULL)
		say(c, "501 5.5.4 no address");
	else if (mail == c->mail)
		say(c, "503 5.5.1 not now");
	else if (!refuse(c, from + 1)) {
		add(&c->envelope, verb, 5);
		add(&c->envelope, from + 1, (size_t)(to - from) - 1);
		add(&c->envelope, "\n", 1);
		c->mail = true;
		c->wanted = !mail;
		say(c, "250 2.1.%d ok", mail ? 0 : 5);
	}
}

static void
bdat(struct conn *c, const char *line)
{
	char *end;

	c->left = strtoull(line + 5, &end, 10);
	c->last = begins(end, " LAST");
	c->state = BDAT;
}

static void
quiet(struct conn *c)
{
	c->waits = true;
}

static void
command(struct conn *c, const char *line)
{
	if (verbose)
		fprintf(stderr, "%u C: %s\n", c->number, line);
	if (begins(line, "MAIL FROM:"))
		address(c, line, "MAIL ");
	else if (begins(line, "RCPT TO:"))
		address(c, line, "RCPT ");
	else if (begins(line, "DATA") && !c->wanted)
		say(c, "503 5.5.1 nobody to take it");
	else if (begins(line, "DATA")) {
		say(c, "354 go on");
		c->state = DATA;
	} else if (begins(line, "BDAT ") && has("CHUNKING"))
		bdat(c, line);
	else if (begins(line, "EHLO "))
		ehlo(c);
	else if (begins(line, "RSET")) {
		forget(c);
		say(c, "250 2.0.0 ok");
	} else if (begins(line, "NOOP") || begins(line, "HELO "))
		say(c, "250 2.0.0 ok");
	else if (begins(line, "QUIT")) {
		say(c, "221 2.0.0 bye");
		c->bye = true;
	} else if (begins(line, "XQUIET"))
		quiet(c);
	else
		say(c, "500 5.5.2 what?");
}

/* --- what came in --------------------------------------------------------------- */

/* Takes a line off: its length without CRLF, or -1. */
static ssize_t
line_of(struct conn *c, char line[LINE_MAX_LEN])
{
	char *lf = c->in.n > 0 ? memchr(c->in.p, '\n', c->in.n) : NULL;
	size_t n;

	if (lf == NULL)
		return -1;
	n = (size_t)(lf - c->in.p);
	if (n == 0 || lf[-1] != '\r' || n > LINE_MAX_LEN)
		errx(EX_DATAERR, "not a line: %.*s", (int)n, c->in.p);
	memcpy(line, c->in.p, n - 1);
	line[n - 1] = '\0';
	return (ssize_t)n - 1;
}

static bool
take_line(struct conn *c)
{
	char line[LINE_MAX_LEN];
	ssize_t n = line_of(c, line);

	if (n == -1)
		return false;
	cut(&c->in, (size_t)n + 2);
	if (c->state == COMMAND)
		command(c, line);
	else if (strcmp(line, ".") == 0)
		finish(c);
	else {
		add(&c->body, line + (*line == '.'),
		    (size_t)n - (*line == '.'));
		add(&c->body, "\r\n", 2);
	}
	return true;
}

static bool
take_chunk(struct conn *c)
{
	size_t n = c->in.n < c->left ? c->in.n : (size_t)c->left;

	add(&c->body, c->in.p, n);
	cut(&c->in, n);
	c->left -= n;
	if (c->left > 0)
		return false;
	if (c->last)
		finish(c);
	else {
		c->state = COMMAND;
		say(c, "250 2.0.0 go on");
	}
	return true;
}

static void
take(struct conn *c)
{
	while (!c->bye && (c->state == BDAT ? take_chunk(c) : take_line(c)))
		;
}

/* --- connections ---------------------------------------------------------------- */

static void
end(struct conn *c)
{
	LIST_REMOVE(c, link);
	nconns--;
	close(c->fd);
	free(c->in.p);
	free(c->out.p);
	free(c->envelope.p);
	free(c->body.p);
	free(c);
}

/* Whether somebody had come. */
static bool
welcome(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int on = 1;
	struct conn *c;

	if (fd == -1)
		return false;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		err(EX_OSERR, NULL);
	c->fd = fd;
	c->number = ++numbers;
	nconns++;
	LIST_INSERT_HEAD(&conns, c, link);
	say(c, "220 sink");
	return true;
}

/* False when it is over. */
static bool
hear(struct conn *c)
{
	char piece[CHUNK];
	ssize_t n = read(c->fd, piece, sizeof(piece));

	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	add(&c->in, piece, (size_t)n);
	take(c);
	return true;
}

static bool
speak(struct conn *c)
{
	ssize_t n;

	while (c->out.n > 0) {
		n = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return true;
		/* Nobody hears it, but there may be more to read. */
		if (n == -1) {
			c->out.n = 0;
			return true;
		}
		cut(&c->out, (size_t)n);
	}
	return !c->bye;
}

static void
serve(struct conn *c, short events)
{
	if (((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !hear(c)) ||
	    !speak(c))
		end(c);
}

/* Who asked for it learns that nobody else is here any more, nor before the
 * door. */
static void
tell_waiting(int listener)
{
	struct conn *c = LIST_FIRST(&conns);

	if (nconns != 1 || !c->waits || welcome(listener))
		return;
	c->waits = false;
	say(c, "250 2.0.0 quiet");
	if (!speak(c))
		end(c);
}

static void
run(int listener)
{
	struct pollfd fds[CONNS + 1];
	struct conn *c, *next, *at[CONNS];
	nfds_t n, i;

	for (;;) {
		n = 0;
		LIST_FOREACH_SAFE(c, &conns, link, next)
		{
			fds[n] = (struct pollfd){.fd = c->fd, .events = POLLIN};
			if (c->out.n > 0)
				fds[n].events |= POLLOUT;
			at[n++] = c;
		}
		fds[n] = (struct pollfd){
		    .fd = nconns < CONNS ? listener : -1, .events = POLLIN};
		if (poll(fds, n + 1, -1) == -1 && errno != EINTR)
			err(EX_OSERR, "poll");
		for (i = 0; i < n; i++)
			if (fds[i].revents != 0)
				serve(at[i], fds[i].revents);
		if (fds[n].revents & POLLIN)
			(void)welcome(listener);
		tell_waiting(listener);
	}
}

/* --- starting ----------------------------------------------------------------------- */

static int
listen_any(in_port_t *port_r)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, n) == -1 ||
	    listen(fd, SOMAXCONN) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) == -1)
		err(EX_OSERR, "cannot listen");
	*port_r = ntohs(sin.sin_port);
	return fd;
}

/* Whole or not at all, for those who wait for it. */
static void
tell_port(const char *path, in_port_t port)
{
	char hidden[PATH_MAX];
	FILE *f;

	printf("%u\n", port);
	fflush(stdout);
	if (path == NULL)
		return;
	snprintf(hidden, sizeof(hidden), "%s.new", path);
	f = fopen(hidden, "we");
	if (f == NULL || fprintf(f, "%u\n", port) < 0 || fclose(f) == EOF ||
	    rename(hidden, path) == -1)
		err(EX_CANTCREAT, "%s", path);
}

static void
usage(void)
{
	errx(EX_USAGE, "usage: sink [-v] [-n extension]... [-p file] dir");
}

int
main(int argc, char **argv)
{
	const char *port_file = NULL;
	in_port_t port;
	int c, fd;

	while ((c = getopt(argc, argv, "n:p:v")) != -1) {
		if (c == 'n' && nlacks < sizeof(lacks) / sizeof(lacks[0]))
			lacks[nlacks++] = optarg;
		else if (c == 'p')
			port_file = optarg;
		else if (c == 'v')
			verbose = true;
		else
			usage();
	}
	if (optind + 1 != argc)
		usage();
	dir_fd = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd == -1)
		err(EX_NOINPUT, "%s", argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	fd = listen_any(&port);
	tell_port(port_file, port);
	run(fd);
}
