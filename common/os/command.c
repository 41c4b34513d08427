/*
 * Runs the user's own commands: for passwords, filters, deliveries, tunnels.
 * What a child inherits, how long it may take and how it is ended is decided
 * here, once.
 */

#include "os/command.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "os/clock.h"
#include "os/stop.h"

#define GRACE 2000  /* ms between SIGTERM and SIGKILL */
#define STEP_MAX 50 /* ms between two looks at a child */

int
command_check(const char *line, struct err *e)
{
	struct words w;
	int rv;

	words_init(&w);
	rv = words_split(&w, line, false, e);
	if (rv == 0 && w.n == 0)
		rv = err_set(e, ERR_CONFIG, "no command");
	words_clear(&w);
	return rv;
}

/* --- starting ------------------------------------------------------------ */

static int
fail(const struct command *c, struct err *e)
{
	if (c->what != NULL)
		return err_prefix(e, "%s '%s'", c->what, c->line);
	return err_prefix(e, "'%s'", c->line);
}

static int
split(const struct command *c, struct words *argv, struct err *e)
{
	if (words_need_shell(c->line)) {
		words_add(argv, "sh");
		words_add(argv, "-c");
		words_add(argv, c->line);
		return 0;
	}
	if (words_split(argv, c->line, false, e) == -1)
		return -1;
	if (argv->n == 0)
		return err_set(e, ERR_CONFIG, "no command");
	return 0;
}

/* A copy well above 0..3, which are about to be overwritten. */
static int
lift(int fd)
{
	if (fd == -1)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static void
default_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: becomes the command, or says why not through `report`. */
static void __attribute__((noreturn))
become(const struct command *c, struct words *argv, int report)
{
	int in = lift(c->in), out = lift(c->out), why;
	size_t i;

	report = lift(report);
	setsid();
	default_signals();
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 &&
	    dup3(report, 3, O_CLOEXEC) == 3) {
		closefrom(4);
		report = 3;
		for (i = 0; c->env != NULL && i < c->env->n; i++)
			putenv(c->env->v[i]);
		execvp(argv->v[0], argv->v);
	}
	why = errno;
	if (write(report, &why, sizeof(why)) == -1)
		_exit(126);
	_exit(127);
}

/* What the child reported: 0 when it closed the pipe by executing. */
static int
hear(int fd)
{
	int why = 0;
	ssize_t n;

	do
		n = read(fd, &why, sizeof(why));
	while (n == -1 && errno == EINTR);
	return n == (ssize_t)sizeof(why) ? why : 0;
}

static void
reap(pid_t pid, int *status_r)
{
	while (waitpid(pid, status_r, 0) == -1 && errno == EINTR)
		;
}

static int
no_exec(const char *name, int why, struct err *e)
{
	if (why == ENOENT && strchr(name, '/') == NULL)
		return err_set(e, ERR_CONFIG, "%s: command not found", name);
	if (why == EAGAIN || why == ENOMEM || why == EMFILE || why == ENFILE)
		return err_set(e, ERR_TEMP, "%s: %s", name, strerror(why));
	return err_set(e, ERR_CONFIG, "%s: %s", name, strerror(why));
}

static int
spawn(const struct command *c, struct words *argv, pid_t *pid_r, struct err *e)
{
	int fds[2], why;
	sigset_t all, old;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return err_sys(e, ERR_TEMP, "cannot start");
	/* None of our handlers may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if ((*pid_r = fork()) == 0)
		become(c, argv, fds[1]);
	why = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(fds[1]);
	if (*pid_r == -1) {
		close(fds[0]);
		errno = why;
		return err_sys(e, ERR_TEMP, "cannot start");
	}
	why = hear(fds[0]);
	close(fds[0]);
	if (why == 0)
		return 0;
	reap(*pid_r, &(int){0});
	return no_exec(argv->v[0], why, e);
}

int
command_start(const struct command *c, pid_t *pid_r, struct err *e)
{
	struct words argv;
	int rv;

	words_init(&argv);
	rv = split(c, &argv, e);
	if (rv == 0)
		rv = spawn(c, &argv, pid_r, e);
	words_clear(&argv);
	return rv == 0 ? 0 : fail(c, e);
}

/* --- waiting ------------------------------------------------------------- */

struct wait {
	pid_t pid;
	int fd; /* its output; -1: none, or over */
	struct buf *out;
	size_t left; /* bytes of output still wanted */
	int status;
	bool ended;
};

/* Takes what is there without waiting: more than a pipe holds, but not for
 * ever. */
static void
drain(struct wait *w)
{
	char scrap[4096], *to;
	size_t want;
	ssize_t n;
	int i;

	for (i = 0; i < 64 && w->fd != -1; i++) {
		want = w->left < sizeof(scrap) ? w->left : sizeof(scrap);
		if (want > buf_room(w->out))
			want = buf_room(w->out);
		to = want > 0 ? buf_reserve(w->out, want) : scrap;
		n = read(w->fd, to, want > 0 ? want : sizeof(scrap));
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(w->fd);
			w->fd = -1;
		} else if (want > 0) {
			buf_commit(w->out, (size_t)n);
			w->left -= (size_t)n;
		}
	}
}

static void
look(struct wait *w)
{
	pid_t pid = waitpid(w->pid, &w->status, WNOHANG);

	if (pid == -1 && errno != EINTR)
		w->status = W_EXITCODE(126, 0); /* unknown: no success */
	w->ended = pid == w->pid || (pid == -1 && errno != EINTR);
}

/*
 * Waits for the command's own end, not for that of the pipe: a daemon that
 * it started may hold the pipe for ever.
 */
static void
wait_until(struct wait *w, int64_t deadline, int stop)
{
	struct pollfd p[2];
	int step = 1;

	for (;;) {
		drain(w);
		look(w);
		if (w->ended || clock_ms() >= deadline)
			break;
		p[0] = (struct pollfd){.fd = w->fd, .events = POLLIN};
		p[1] = (struct pollfd){.fd = stop, .events = POLLIN};
		poll(p, 2, step);
		if (p[1].revents != 0)
			break;
		step = step * 2 < STEP_MAX ? step * 2 : STEP_MAX;
	}
	drain(w);
}

static void
end(struct wait *w)
{
	kill(-w->pid, SIGTERM);
	wait_until(w, clock_ms() + GRACE, -1);
	kill(-w->pid, SIGKILL);
	if (!w->ended)
		reap(w->pid, &w->status);
}

static int
wait_for(struct wait *w, int64_t timeout, struct err *e)
{
	char limit[32];

	wait_until(w, clock_ms() + timeout, stop_fd());
	if (w->ended)
		return 0;
	end(w);
	if (stop_requested())
		return err_set(e, ERR_TEMP, "stopped");
	time_show_duration(timeout, limit);
	return err_set(e, ERR_TEMP, "did not end within %s; ended it", limit);
}

int
command_output(const struct command *c, int64_t timeout, size_t max,
    struct buf *out, int *status_r, struct err *e)
{
	struct command mine = *c;
	struct wait w = {.fd = -1, .out = out, .left = max};
	int fds[2] = {-1, -1}, rv;

	if (c->out == -1 && pipe2(fds, O_CLOEXEC) == -1) {
		err_sys(e, ERR_TEMP, "cannot start");
		return fail(c, e);
	}
	if (c->out == -1) {
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		mine.out = fds[1];
		w.fd = fds[0];
	}
	rv = command_start(&mine, &w.pid, e);
	if (fds[1] != -1)
		close(fds[1]);
	if (rv == 0 && (rv = wait_for(&w, timeout, e)) == -1)
		fail(c, e);
	*status_r = w.status;
	if (w.fd != -1)
		close(w.fd);
	return rv;
}

void
command_status(int status, char out_r[64])
{
	int n = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

	if (WIFSIGNALED(status))
		snprintf(
		    out_r, 64, "was killed by signal %d (%s)", n, strsignal(n));
	else if (n == 127)
		snprintf(out_r, 64, "exited with 127 (command not found)");
	else
		snprintf(out_r, 64, "exited with %d", n);
}
