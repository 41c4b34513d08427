/*
 * The only place where bytes of a session enter or leave the process, and the
 * only one that waits for them: TLS, deflate, deadlines and the trace meet
 * here, so that a protocol core knows of none.
 */

#include "os/pump.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/deflate.h"
#include "os/log.h"

#define STEP ((size_t)65536)   /* bytes of one read, or of one deflate */
#define TRACE_LINE 250         /* bytes of a line that are shown */
#define TRACE_BODY (16 * 1024) /* bytes shown of what is not asked again, */
#define TRACE_SENT (64 * 1024) /* and of what is not answered */
#define HIDDEN 8               /* bytes by which a secret is known again */

struct pump_trace {
	struct buf in, out; /* lines not yet ended */
	struct buf hidden;  /* how secrets begin that were not shown; lines */
	bool secret;        /* a part of `out` is */
	size_t shown;       /* bytes since we last sent something, */
	size_t sent;        /* or since something came */
};

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

void
pump_init(
    struct pump *p, int fd, struct wire *w, const char *peer, int64_t timeout)
{
	int flags = fcntl(fd, F_GETFL);

	*p = (struct pump){.wire = w,
	    .fd = fd,
	    .peer = peer,
	    .timeout = timeout,
	    .stop_fd = -1,
	    .wake_fd = -1,
	    .read_on = POLLIN,
	    .write_on = POLLOUT};
	buf_init(&p->zin, WIRE_IN_MAX);
	buf_init(&p->zout, 4 * STEP);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
pump_clear(struct pump *p)
{
	if (p->lines != NULL) {
		buf_wipe(&p->lines->in);
		buf_wipe(&p->lines->out);
		buf_wipe(&p->lines->hidden);
		free(p->lines);
	}
	tls_free(p->tls);
	deflate_free(p->z);
	buf_wipe(&p->zin);
	buf_wipe(&p->zout);
	if (p->fd != -1)
		close(p->fd);
	*p = (struct pump){.fd = -1, .stop_fd = -1, .wake_fd = -1};
}

/* --- trace -------------------------------------------------------------- */

static bool
is_one_of(struct span word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (span_caseeq(word, *list))
			return true;
	return false;
}

static bool
is_tag(struct span word)
{
	uint64_t n;

	return word.n > 1 && word.p[0] == 'A' &&
	       span_number(span_skip(word, 1), UINT64_MAX, &n);
}

/*
 * Some servers repeat the line that they did not like. What is short could be
 * in any line, and a user's name is welcome there.
 */
static void
hide(struct pump_trace *t, struct span line)
{
	struct span word = {NULL, 0}, next;
	bool user = span_word(&line, &next) && span_caseeq(next, "USER");

	for (word = next; span_word(&line, &next);)
		word = next;
	if (user || word.n < HIDDEN / 2)
		return;
	if (buf_room(&t->hidden) < HIDDEN + 1)
		buf_wipe(&t->hidden);
	buf_append(&t->hidden, word.p, min_size(word.n, HIDDEN));
	buf_puts(&t->hidden, "\n");
}

static bool
repeats(const struct pump_trace *t, struct span line)
{
	struct span rest = buf_span(&t->hidden), word;

	while (line.n > 0 && span_cut(&rest, '\n', &word))
		if (memmem(line.p, line.n, word.p, word.n) != NULL)
			return true;
	return false;
}

/*
 * A line of a login as a person may see it: the command and, behind AUTH, the
 * mechanism; anything else might be a secret.
 */
static void
log_login(struct pump_trace *t, struct span sent)
{
	static const char *const plain[] = {"CAPA", "CAPABILITY", "STLS",
	    "STARTTLS", "QUIT", "LOGOUT", "COMPRESS", "DEFLATE", NULL};
	static const char *const hello[] = {"EHLO", "LHLO", "HELO", NULL};
	static const char *const last[] = {"USER", "PASS", "LOGIN", NULL};
	static const char *const auth[] = {"AUTH", "AUTHENTICATE", NULL};
	struct span line = span_trim(sent), rest = line, word;
	size_t shown = 0;
	bool more = true;
	char text[128];

	while (more && span_word(&rest, &word)) {
		if (is_one_of(word, hello))
			(void)span_word(&rest, &word);
		else if (is_one_of(word, auth))
			more = !span_word(&rest, &word);
		else if (is_one_of(word, last))
			more = false;
		else if (!is_one_of(word, plain) && !is_tag(word))
			break;
		shown = (size_t)(word.p + word.n - line.p);
	}
	if (shown < line.n)
		hide(t, line);
	snprintf(text, sizeof(text), "%.*s%s",
	    SPAN(((struct span){line.p, shown < 100 ? shown : 0})),
	    shown == line.n ? ""
	    : shown > 0     ? " ***"
			    : "***");
	log_wire('>', span_of(text));
}

static void
trace_line(struct pump_trace *t, char direction, struct buf *line)
{
	bool was = t->shown > TRACE_BODY, had = t->sent > TRACE_SENT;
	struct span shown;

	if (direction == '>') {
		t->shown = 0;
		t->sent += line->len + 1;
		if (t->secret)
			log_login(t, buf_span(line));
		else if (!had)
			log_wire('>', t->sent > TRACE_SENT ? span_of("...")
							   : buf_span(line));
		t->secret = false;
	} else {
		t->sent = 0;
		t->shown += line->len + 1;
		shown = buf_span(line);
		if (t->shown > TRACE_BODY)
			shown = span_of("...");
		else if (repeats(t, shown))
			shown = span_of("*** (it repeats a secret)");
		if (!was)
			log_wire('<', shown);
	}
	buf_reset(line);
}

static void
trace(struct pump *p, char direction, struct span s)
{
	struct pump_trace *t = p->lines;
	struct span line;
	struct buf *b;
	bool ends;

	if (!p->trace)
		return;
	if (t == NULL) {
		t = p->lines = mem_alloc(sizeof(*t));
		buf_init(&t->in, TRACE_LINE);
		buf_init(&t->out, TRACE_LINE);
		buf_init(&t->hidden, TRACE_LINE);
	}
	b = direction == '>' ? &t->out : &t->in;
	while (s.n > 0) {
		ends = span_find(s, '\n') != -1;
		span_cut(&s, '\n', &line);
		buf_append(b, line.p, min_size(line.n, buf_room(b)));
		t->secret |= direction == '>' && p->secret;
		if (ends)
			trace_line(t, direction, b);
	}
}

/* --- the socket, plain or TLS ------------------------------------------- */

/* Bytes that came, 0 for none yet (or the end), -1. */
static ssize_t
sock_read(struct pump *p, void *d, size_t n, struct err *e)
{
	enum tls_want want;
	ssize_t got;

	if (p->tls != NULL) {
		if ((got = tls_read(p->tls, d, n, &want, e)) == -1)
			return err_prefix(e, "%s", p->peer);
		p->read_on = want == TLS_WANT_WRITE ? POLLOUT : POLLIN;
		p->ended = got == 0 && want == TLS_DONE;
		return got;
	}
	if ((got = recv(p->fd, d, n, 0)) == -1)
		return errno == EAGAIN || errno == EINTR
		           ? 0
		           : err_sys(e, ERR_TEMP, "%s: the connection broke",
				 p->peer);
	p->ended = got == 0;
	return got;
}

static ssize_t
sock_write(struct pump *p, struct span s, struct err *e)
{
	enum tls_want want;
	ssize_t put;

	if (p->tls != NULL) {
		if ((put = tls_write(p->tls, s.p, s.n, &want, e)) == -1)
			return err_prefix(e, "%s", p->peer);
		p->write_on = want == TLS_WANT_READ ? POLLIN : POLLOUT;
		return put;
	}
	if ((put = send(p->fd, s.p, s.n, MSG_NOSIGNAL)) == -1)
		return errno == EAGAIN || errno == EINTR
		           ? 0
		           : err_sys(e, ERR_TEMP, "%s: the connection broke",
				 p->peer);
	return put;
}

/* One read into *b. */
static int
fill(struct pump *p, struct buf *b, struct err *e)
{
	size_t n = min_size(buf_room(b), STEP);
	ssize_t got = sock_read(p, buf_reserve(b, n), n, e);

	if (got == -1)
		return -1;
	buf_commit(b, (size_t)got);
	p->bytes_in += (size_t)got;
	return 0;
}

/* Writes from *b until it is empty or the socket is full. */
static int
drain(struct pump *p, struct buf *b, struct err *e)
{
	struct span s;
	ssize_t put;

	while (b->len > 0) {
		s = buf_span(b);
		if ((put = sock_write(p, s, e)) <= 0)
			return (int)put;
		if (b == &p->wire->out)
			trace(p, '>', (struct span){s.p, (size_t)put});
		buf_consume(b, (size_t)put);
		p->bytes_out += (size_t)put;
	}
	return 0;
}

/* --- both directions ---------------------------------------------------- */

static int
inflate_held(struct pump *p, struct err *e)
{
	if (deflate_in(p->z, &p->zin, &p->wire->in, e) == -1)
		return err_prefix(e, "%s", p->peer);
	p->held = buf_room(&p->wire->in) == 0;
	return 0;
}

static int
step_in(struct pump *p, struct err *e)
{
	struct wire *w = p->wire;
	size_t had = w->in.len;
	int rv = 0;

	if (buf_room(&w->in) == 0)
		return 0;
	if (!p->ended && !p->held && p->zin.len == 0)
		rv = fill(p, p->z != NULL ? &p->zin : &w->in, e);
	if (rv == 0 && p->z != NULL)
		rv = inflate_held(p, e);
	w->eof = p->ended && !p->held;
	if (w->in.len > had)
		trace(p, '<', span_skip(buf_span(&w->in), had));
	return rv;
}

static int
step_out(struct pump *p, struct err *e)
{
	struct buf *out = &p->wire->out;
	struct span s;

	if (p->z == NULL)
		return drain(p, out, e);
	while (p->zout.len > 0 || out->len > 0) {
		if (p->zout.len == 0) {
			s = span_bytes(
			    buf_span(out).p, min_size(out->len, STEP));
			if (deflate_out(p->z, s, &p->zout, e) == -1)
				return -1;
			trace(p, '>', s);
			buf_consume(out, s.n);
		}
		if (drain(p, &p->zout, e) == -1)
			return -1;
		if (p->zout.len > 0)
			break;
	}
	return 0;
}

static bool
unsent(const struct pump *p)
{
	return p->wire->out.len > 0 || p->zout.len > 0;
}

/* Whether input can be had without the socket's becoming readable. */
static bool
pending(const struct pump *p)
{
	if (buf_room(&p->wire->in) == 0)
		return false;
	return p->held || p->zin.len > 0 ||
	       (p->tls != NULL && tls_pending(p->tls));
}

/* Reads before it writes: a farewell may precede a reset. */
static int
step(struct pump *p, int ready, bool *moved_r, struct err *e)
{
	size_t in = p->wire->in.len;
	uint64_t out = p->bytes_out;
	int bad = POLLERR | POLLHUP | POLLNVAL, rv = 0;

	if (ready & (p->read_on | bad) || pending(p))
		rv = step_in(p, e);
	if (p->wire->in.len > in || p->wire->eof)
		*moved_r = true;
	if (rv == 0 && unsent(p) && ready & (p->write_on | bad))
		rv = step_out(p, e);
	if (p->bytes_out > out)
		*moved_r = true;
	return *moved_r ? 0 : rv;
}

/* --- waiting ------------------------------------------------------------ */

static int
timed_out(struct pump *p, struct err *e)
{
	return err_set(e, ERR_TEMP, "no answer from %s for %lld s", p->peer,
	    (long long)((p->timeout + 999) / 1000));
}

static int
to_poll(int64_t ms)
{
	return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* One poll(2) and what it allows; 1 when there is a result. */
static int
turn(struct pump *p, int64_t ms, enum pump_result *result_r, struct err *e)
{
	struct pollfd f[3] = {{.fd = p->fd},
	    {.fd = p->stop_fd, .events = POLLIN},
	    {.fd = p->wake_fd, .events = POLLIN}};
	bool moved = false;

	if (buf_room(&p->wire->in) > 0)
		f[0].events |= p->read_on;
	if (unsent(p))
		f[0].events |= p->write_on;
	*result_r = PUMP_MOVED;
	if (f[0].events == 0)
		return 1;
	if (poll(f, 3, pending(p) ? 0 : to_poll(ms)) == -1) {
		if (errno == EINTR)
			return 0;
		return err_sys(e, ERR_LOCAL, "poll");
	}
	*result_r = f[1].revents ? PUMP_STOP : PUMP_WAKE;
	if (f[1].revents != 0 || f[2].revents != 0)
		return 1;
	*result_r = PUMP_MOVED;
	return step(p, f[0].revents, &moved, e) == -1 ? -1 : moved;
}

int
pump_wait(
    struct pump *p, int64_t deadline, enum pump_result *result_r, struct err *e)
{
	int64_t now = clock_ms(), limit = now + p->timeout, until;
	int rv;

	if (p->wire->eof)
		return err_set(e, ERR_TEMP,
		    "%s: the server closed the connection", p->peer);
	for (;; now = clock_ms()) {
		/* Who waits for news has a deadline; unsent bytes do not wait. */
		until = deadline == 0 || (unsent(p) && limit < deadline)
		            ? limit
		            : deadline;
		if ((rv = turn(p, until - now, result_r, e)) != 0)
			return rv == -1 ? -1 : 0;
		if (clock_ms() < until)
			continue;
		if (until != deadline)
			return timed_out(p, e);
		*result_r = PUMP_IDLE;
		return 0;
	}
}

int
pump_poll(struct pump *p, enum pump_result *result_r, struct err *e)
{
	/* Long ago: as soon as it is seen that nothing moves, it is over. */
	return pump_wait(p, 1, result_r, e);
}

int
pump_flush(struct pump *p, struct err *e)
{
	int stop_fd = p->stop_fd, wake_fd = p->wake_fd, rv = 0;
	enum pump_result result;

	p->stop_fd = p->wake_fd = -1;
	while (rv == 0 && unsent(p))
		rv = pump_wait(p, 0, &result, e);
	p->stop_fd = stop_fd;
	p->wake_fd = wake_fd;
	return rv;
}

/* --- layers ------------------------------------------------------------- */

static int
handshake(struct pump *p, struct tls *t, struct err *e)
{
	struct pollfd f[2] = {
	    {.fd = p->fd}, {.fd = p->stop_fd, .events = POLLIN}};
	int64_t limit = clock_ms() + p->timeout, left;
	enum tls_want want;

	for (;;) {
		if (tls_handshake(t, &want, e) == -1)
			return err_prefix(e, "%s", p->peer);
		if (want == TLS_DONE)
			return 0;
		if ((left = limit - clock_ms()) <= 0)
			return timed_out(p, e);
		f[0].events = want == TLS_WANT_READ ? POLLIN : POLLOUT;
		if (poll(f, 2, to_poll(left)) == -1 && errno != EINTR)
			return err_sys(e, ERR_LOCAL, "poll");
		if (f[1].revents != 0)
			return err_set(e, ERR_TEMP, "stopped");
	}
}

int
pump_tls(struct pump *p, struct tls_config *c, const char *host, struct err *e)
{
	struct tls *t;

	if (p->wire->in.len > 0)
		return err_set(e, ERR_TLS,
		    "%s: bytes came before the TLS handshake: someone may be "
		    "tampering with the connection",
		    p->peer);
	if (tls_new(c, p->fd, host, &t, e) == -1)
		return -1;
	if (handshake(p, t, e) == -1) {
		tls_free(t);
		return -1;
	}
	p->tls = t;
	return 0;
}

int
pump_deflate(struct pump *p, struct err *e)
{
	struct buf *in = &p->wire->in;

	p->z = deflate_new();
	buf_add(&p->zin, buf_span(in));
	buf_reset(in);
	return inflate_held(p, e);
}
