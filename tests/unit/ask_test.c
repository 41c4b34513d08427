/*
 * os/ask: whole messages with their descriptors, and nothing of a bad one.
 */

#include "os/ask.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap.h"

static struct ask_msg m;

static void
pair(int sv[2])
{
	quiet(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == 0,
	    "a pair");
}

static void
test_frame(void)
{
	int sv[2], fds[2], pipes[2];
	struct ask_msg out = {.type = ASK_COMMAND, .number = 3, .len = 5};

	pair(sv);
	memcpy(out.text, "a\0b=c", 5);
	quiet(pipe(pipes) == 0, "pipe");
	is_int(ask_send(sv[0], &out, (int[2]){pipes[0], -1}), 0, "sent");
	is_int(ask_recv(sv[1], &m, fds), 1, "received");
	ok(m.type == ASK_COMMAND && m.number == 3 && m.len == 5 &&
		memcmp(m.text, "a\0b=c", 5) == 0,
	    "as it was");
	ok(fds[0] != -1 && fds[1] == -1, "with one descriptor");
	ok((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0, "closed on exec");
	close(fds[0]);
	is_int(ask_send(sv[0], &out, NULL), 0, "without");
	is_int(ask_recv(sv[1], &m, fds), 1, "received");
	ok(fds[0] == -1 && fds[1] == -1, "no descriptor");
	out.len = ASK_TEXT;
	is_int(ask_send(sv[0], &out, pipes), 0, "the longest, with two");
	is_int(ask_recv(sv[1], &m, fds), 1, "received");
	ok(m.len == ASK_TEXT && fds[0] != -1 && fds[1] != -1, "all of it");
	close(fds[0]);
	close(fds[1]);
	close(sv[0]);
	is_int(ask_recv(sv[1], &m, fds), 0, "the other side is gone");
	close(sv[1]);
	close(pipes[0]);
	close(pipes[1]);
}

static void
test_bad(void)
{
	static struct ask_msg lie = {.type = ASK_NOTIFY, .len = 100};
	int sv[2], fds[2];

	pair(sv);
	quiet(send(sv[0], &lie, 3, 0) == 3, "send");
	is_int(ask_recv(sv[1], &m, fds), -1, "shorter than its frame");
	quiet(send(sv[0], &lie, offsetof(struct ask_msg, text) + 99, 0) > 0,
	    "send");
	is_int(ask_recv(sv[1], &m, fds), -1, "shorter than it says");
	lie.len = UINT32_MAX;
	quiet(send(sv[0], &lie, sizeof(lie), 0) > 0, "send");
	is_int(ask_recv(sv[1], &m, fds), -1, "longer than can be");
	close(sv[0]);
	close(sv[1]);
}

/* Answers one question, in a process of its own. */
static pid_t
answerer(int fd, const struct ask_msg *with)
{
	pid_t pid = fork();
	int fds[2];

	if (pid == 0)
		_exit(ask_recv(fd, &m, fds) != 1 ||
		      ask_send(fd, with, NULL) == -1);
	return pid;
}

static void
test_questions(void)
{
	struct ask_msg yes = {.type = ASK_ANSWER, .len = 6, .text = "secret"};
	struct ask_msg no = {.type = ASK_ANSWER,
	    .number = -1,
	    .kind = ERR_AUTH,
	    .code = 77,
	    .len = 4,
	    .text = "none"};
	struct err e = {0};
	char *secret = NULL;
	int sv[2], status;
	pid_t pid;

	pair(sv);
	pid = answerer(sv[1], &yes);
	is_int(
	    ask_secret(sv[0], ASK_PASSWORD, "host", &secret, &e), 0, "asked");
	is_str(secret, "secret", "answered");
	free(secret);
	waitpid(pid, &status, 0);
	pid = answerer(sv[1], &no);
	is_int(
	    ask_secret(sv[0], ASK_PASSWORD, "host", &secret, &e), -1, "asked");
	ok(e.kind == ERR_AUTH && err_exit(&e) == 77, "refused");
	is_str(e.text, "none", "with the reason");
	waitpid(pid, &status, 0);
	close(sv[1]);
	pid = fork();
	if (pid == 0) {
		(void)ask_secret(sv[0], ASK_PASSWORD, "host", &secret, &e);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL,
	    "without a parent there is nothing to live for");
	close(sv[0]);
}

int
main(void)
{
	test_frame();
	test_bad();
	test_questions();
	return done();
}
