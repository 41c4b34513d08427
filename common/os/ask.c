/*
 * Messages between a sandboxed worker and its parent: a fixed frame over a
 * SOCK_SEQPACKET pair, with descriptors where a command needs them.
 */

#include "os/ask.h"

#include <sys/socket.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/notify.h"

#define FRAME offsetof(struct ask_msg, text)

union control {
	char space[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

int
ask_send(int fd, const struct ask_msg *m, const int fds[2])
{
	union control c = {.space = {0}};
	struct ask_msg copy;
	struct iovec iov = {&copy, FRAME + m->len};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cm;
	size_t n = fds == NULL || fds[0] == -1 ? 0 : fds[1] == -1 ? 1 : 2;
	ssize_t k;

	memcpy(&copy, m, iov.iov_len);
	if (n > 0) {
		h.msg_control = c.space;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cm = CMSG_FIRSTHDR(&h);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	do
		k = sendmsg(fd, &h, MSG_NOSIGNAL);
	while (k == -1 && errno == EINTR);
	explicit_bzero(&copy, sizeof(copy));
	return k == (ssize_t)iov.iov_len ? 0 : -1;
}

static void
take_fds(struct msghdr *h, int fds[2])
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(h);
	size_t n;

	fds[0] = fds[1] = -1;
	if (cm == NULL || cm->cmsg_type != SCM_RIGHTS)
		return;
	n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(cm), (n > 2 ? 2 : n) * sizeof(int));
}

int
ask_recv(int fd, struct ask_msg *m, int fds[2])
{
	union control c;
	struct iovec iov = {m, sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = c.space,
	    .msg_controllen = sizeof(c.space)};
	ssize_t k;

	do
		k = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	while (k == -1 && errno == EINTR);
	if (k == 0 || (k == -1 && errno == ECONNRESET))
		return 0;
	if (k == -1)
		return -1;
	take_fds(&h, fds);
	if ((size_t)k < FRAME || m->len > (size_t)k - FRAME)
		return -1;
	return 1;
}

/* Sends a question and waits for its answer. */
static int
converse(
    int fd, struct ask_msg *m, const int fds[2], int fds_r[2], struct err *e)
{
	if (ask_send(fd, m, fds) == -1 || ask_recv(fd, m, fds_r) != 1)
		_exit(EX_TEMPFAIL); /* no parent: nothing to live for */
	if (m->number != -1)
		return 0;
	err_code(e, (enum err_kind)m->kind, (int)m->code, "%.*s", (int)m->len,
	    m->text);
	return -1;
}

static void
set_text(struct ask_msg *m, const void *p, size_t n)
{
	m->len = (uint32_t)(n < ASK_TEXT ? n : ASK_TEXT);
	memcpy(m->text, p, m->len);
}

int
ask_secret(int fd, enum ask_type type, const char *host, char **secret_r,
    struct err *e)
{
	struct ask_msg m = {.type = type};
	int fds[2], rv;

	set_text(&m, host, strlen(host));
	rv = converse(fd, &m, NULL, fds, e);
	if (rv == 0)
		*secret_r = mem_strndup(m.text, m.len);
	explicit_bzero(&m, sizeof(m));
	return rv;
}

int
ask_tunnel(int fd, int *fd_r, struct err *e)
{
	struct ask_msg m = {.type = ASK_TUNNEL};
	int fds[2];

	if (converse(fd, &m, NULL, fds, e) == -1)
		return -1;
	*fd_r = fds[0];
	return 0;
}

int
ask_command(int fd, int index, int in, int out, const struct words *env,
    int *status_r, struct err *e)
{
	struct ask_msg m = {.type = ASK_COMMAND, .number = index};
	int fds[2] = {in, out}, got[2];
	size_t i, n;

	for (i = 0; env != NULL && i < env->n; i++) {
		n = strlen(env->v[i]) + 1;
		if (m.len + n > ASK_TEXT)
			break;
		memcpy(m.text + m.len, env->v[i], n);
		m.len += (uint32_t)n;
	}
	if (converse(fd, &m, fds, got, e) == -1)
		return -1;
	*status_r = m.number;
	return 0;
}

void
ask_progress(int fd, const struct ask_progress *p)
{
	struct ask_msg m = {.type = ASK_PROGRESS};

	set_text(&m, p, sizeof(*p));
	(void)ask_send(fd, &m, NULL);
}

void
ask_notify(int fd, const char *text)
{
	struct ask_msg m = {.type = ASK_NOTIFY};

	set_text(&m, text, strlen(text));
	(void)ask_send(fd, &m, NULL);
}

void
ask_alive(int fd)
{
	static int64_t last;
	int64_t every = notify_watchdog_ms(), now = clock_ms();

	if (every == 0 || now - last < every / 2)
		return;
	last = now;
	ask_notify(fd, "WATCHDOG=1");
}
