/*
 * The trusted half of a tool.  A question from a worker that takes time (a
 * password command, a filter) is answered by a servant: a fork of the parent
 * that does it and writes the answer itself, so that no account ever waits for
 * another's.
 */

#include "os/parent.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/ask.h"
#include "os/clock.h"
#include "os/command.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/progress.h"
#include "os/secret.h"
#include "os/stop.h"

static void
on_child(int sig)
{
	(void)sig; /* only to end ppoll(2) */
}

/* In a child: die with the parent, which may be gone already. */
static void
die_with(pid_t parent)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
}

static void
answer(int fd, int rv, const char *text, const struct err *e, int pass_fd)
{
	struct ask_msg m = {.type = ASK_ANSWER, .number = rv};
	int fds[2] = {pass_fd, -1};

	if (rv == -1) {
		m.kind = (uint32_t)e->kind;
		m.code = (uint32_t)e->code;
		text = e->text;
	}
	if (text != NULL) {
		m.len = (uint32_t)strnlen(text, ASK_TEXT);
		memcpy(m.text, text, m.len);
	}
	(void)ask_send(fd, &m, fds);
	explicit_bzero(&m, sizeof(m));
}

/* --- the servant: one question, then its end ------------------------------ */

static void
serve_secret(struct job *j, const struct ask_msg *m)
{
	char *host = mem_strndup(m->text, m->len), *secret = NULL;
	struct err e;
	int rv;

	if (m->type == ASK_TOKEN)
		rv = secret_token(j->account, &secret, &e);
	else
		rv = secret_password(j->account, host, true, &secret, &e);
	answer(j->fd, rv, secret, &e, -1);
	mem_free_secret(secret);
	free(host);
}

/* The command lives on behind the descriptor; init will reap it. */
static void
serve_tunnel(struct job *j)
{
	struct command c = {.what = "tunnel", .line = j->account->tunnel};
	struct err e = {0};
	int sv[2], rv;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		err_sys(&e, ERR_TEMP, "tunnel");
		answer(j->fd, -1, NULL, &e, -1);
		return;
	}
	c.in = c.out = sv[1];
	rv = command_start(&c, &pid, &e);
	answer(j->fd, rv, NULL, &e, rv == 0 ? sv[0] : -1);
}

/* The environment's words are NUL-terminated in the text, one by one. */
static void
take_env(const struct ask_msg *m, struct words *env)
{
	size_t at = 0, n;

	while (at < m->len) {
		n = strnlen(m->text + at, m->len - at);
		if (at + n == m->len)
			break;
		words_add(env, m->text + at);
		at += n + 1;
	}
}

static void
serve_command(struct job *j, const struct ask_msg *m, const int fds[2])
{
	/* What it says belongs to people: standard output is for data. */
	struct command c = {
	    .in = fds[0], .out = fds[1] != -1 ? fds[1] : STDERR_FILENO};
	struct words env;
	struct buf none;
	struct err e = {0};
	int rv, status = 0;

	words_init(&env);
	take_env(m, &env);
	c.env = &env;
	c.line = j->commands->v[m->number];
	buf_init(&none, 0);
	rv = command_output(&c, j->command_timeout, 0, &none, &status, &e);
	answer(j->fd, rv == 0 ? status : -1, NULL, &e, -1);
	words_clear(&env);
}

static bool
is_allowed(const struct job *j, const struct ask_msg *m)
{
	switch (m->type) {
	case ASK_PASSWORD:
	case ASK_TOKEN:
		return true;
	case ASK_TUNNEL:
		return j->account->tunnel != NULL;
	case ASK_COMMAND:
		return m->number >= 0 && (size_t)m->number < j->commands->n;
	case ASK_PROGRESS:
	case ASK_NOTIFY:
	case ASK_ANSWER:
		break;
	}
	return false;
}

static void
start_servant(struct job *j, const struct ask_msg *m, const int fds[2])
{
	struct err e = {0};
	pid_t parent = getpid();

	if (!is_allowed(j, m)) {
		err_set(&e, ERR_LOCAL, "a question that is not allowed");
		answer(j->fd, -1, NULL, &e, -1);
		return;
	}
	j->servant = fork();
	if (j->servant == -1) {
		j->servant = 0;
		err_sys(&e, ERR_TEMP, "cannot fork");
		answer(j->fd, -1, NULL, &e, -1);
		return;
	}
	if (j->servant > 0)
		return;
	die_with(parent);
	if (m->type == ASK_COMMAND) {
		/* A stop lets the message in hand finish. */
		stop_ignore();
		serve_command(j, m, fds);
	} else if (m->type == ASK_TUNNEL)
		serve_tunnel(j);
	else
		serve_secret(j, m);
	_exit(EX_OK);
}

/* --- the parent ------------------------------------------------------------ */

static void
add_progress(struct job *jobs, size_t n, struct job *j, const struct ask_msg *m)
{
	struct ask_progress p, all = {0, 0, 0, 0};
	size_t i;

	if (m->len != sizeof(p))
		return;
	memcpy(j->progress, m->text, sizeof(p));
	for (i = 0; i < n; i++) {
		memcpy(&p, jobs[i].progress, sizeof(p));
		all.messages += p.messages;
		all.messages_total += p.messages_total;
		all.bytes += p.bytes;
		all.bytes_total += p.bytes_total;
	}
	progress_show(
	    all.messages, all.messages_total, all.bytes, all.bytes_total);
}

/* A question has come, or the worker has closed its end. */
static void
hear(struct job *jobs, size_t n, struct job *j)
{
	static struct ask_msg m;
	int fds[2] = {-1, -1};

	if (ask_recv(j->fd, &m, fds) != 1) {
		close(j->fd);
		j->fd = -1;
	} else if (m.type == ASK_PROGRESS)
		add_progress(jobs, n, j, &m);
	else if (m.type == ASK_NOTIFY) {
		char *text = mem_strndup(m.text, m.len);

		notify_send(text);
		free(text);
	} else
		start_servant(j, &m, fds);
	if (fds[0] != -1)
		close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
}

static int
worker_code(const struct job *j, int status)
{
	char text[64];

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	command_status(status, text);
	log_error("%s: the worker %s", j->name, text);
	return EX_SOFTWARE;
}

/* Collects the dead.  Returns how many workers ended. */
static size_t
reap(struct job *jobs, size_t n, int *worst)
{
	struct err e = {0};
	size_t i, ended = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < n; i++) {
			struct job *j = &jobs[i];

			if (pid == j->pid) {
				*worst =
				    err_worse(*worst, worker_code(j, status));
				j->pid = 0;
				ended++;
			}
			if (pid != j->servant)
				continue;
			j->servant = 0;
			if (status != 0 && j->fd != -1) {
				err_set(&e, ERR_TEMP, "a helper process died");
				answer(j->fd, -1, NULL, &e, -1);
			}
		}
	}
	return ended;
}

static void
close_others(struct job *jobs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (jobs[i].fd > 0)
			close(jobs[i].fd);
}

static int
start_worker(struct job *jobs, size_t n, struct job *j)
{
	pid_t parent = getpid();
	sigset_t stop;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return -1;
	j->fd = sv[0];
	/* A stop that comes before the worker knows what to do with it waits. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGUSR1);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	j->pid = fork();
	if (j->pid != 0)
		sigprocmask(SIG_UNBLOCK, &stop, NULL);
	if (j->pid == -1) {
		close(sv[0]);
		close(sv[1]);
		j->fd = -1;
		j->pid = 0;
		return -1;
	}
	if (j->pid == 0) {
		die_with(parent);
		close_others(jobs, n);
		signal(SIGCHLD, SIG_DFL);
		stop_install_worker();
		sigprocmask(SIG_UNBLOCK, &stop, NULL);
		if (n > 1)
			log_account(j->name);
		/* _exit: what the parent has buffered is the parent's. */
		_exit(j->run(j->arg, sv[1]));
	}
	close(sv[1]);
	return 0;
}

static void
pass_on_stop(struct job *jobs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (jobs[i].pid > 0)
			kill(jobs[i].pid, SIGUSR1);
}

/*
 * Waits for a question, a death, a stop; SIGCHLD is open only in here.  A
 * worker has one question at a time: the next waits until the servant is
 * collected.
 */
static void
wait_for_events(struct job *jobs, size_t n, struct pollfd *p, bool stopping)
{
	sigset_t open_mask;
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (struct pollfd){
		    .fd = jobs[i].servant == 0 ? jobs[i].fd : -1,
		    .events = POLLIN};
	p[n] =
	    (struct pollfd){.fd = stopping ? -1 : stop_fd(), .events = POLLIN};
	sigprocmask(SIG_SETMASK, NULL, &open_mask);
	sigdelset(&open_mask, SIGCHLD);
	if (ppoll(p, (nfds_t)n + 1, NULL, &open_mask) == -1)
		return;
	for (i = 0; i < n; i++)
		if (p[i].revents != 0)
			hear(jobs, n, &jobs[i]);
}

int
parent_run(struct job *jobs, size_t n)
{
	struct pollfd *p = mem_array(n + 1, sizeof(*p));
	struct sigaction sa = {.sa_handler = on_child};
	size_t i, alive = 0;
	sigset_t block;
	bool passed = false;
	int worst = 0;

	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	for (i = 0; i < n; i++)
		jobs[i].fd = -1;
	for (i = 0; i < n; i++) {
		if (start_worker(jobs, n, &jobs[i]) == -1) {
			log_error("%s: cannot start a worker: %s", jobs[i].name,
			    strerror(errno));
			worst = err_worse(worst, EX_OSERR);
		} else
			alive++;
	}
	while (alive > 0) {
		if (stop_requested() && !passed) {
			notify_send("STOPPING=1");
			pass_on_stop(jobs, n);
			passed = true;
		}
		wait_for_events(jobs, n, p, passed);
		alive -= reap(jobs, n, &worst);
	}
	progress_end();
	close_others(jobs, n);
	free(p);
	return worst;
}
