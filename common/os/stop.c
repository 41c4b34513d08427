/*
 * Turns signals that ask for an end into a flag and a readable descriptor, so
 * that no loop can miss one between looking and waiting.
 */

#include "os/stop.h"

#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

static volatile sig_atomic_t requested;
static int pipe_fds[2] = {-1, -1};
static pid_t owner; /* a child without its own yet has our pipe */

static void
wake(void)
{
	int saved = errno;

	if (getpid() == owner && write(pipe_fds[1], "", 1) == -1)
		errno = EAGAIN; /* full: it is readable, which is the point */
	errno = saved;
}

static void
handle(int sig)
{
	if (requested)
		_exit(128 + sig);
	requested = 1;
	wake();
}

static void catch (int sig, void (*handler)(int))
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigfillset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

/* A pipe for this process; a request that came before it counts too. */
static void
open_pipe(void)
{
	if (pipe_fds[0] != -1) {
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == -1)
		err(EX_OSERR, "pipe");
	owner = getpid();
	if (requested)
		wake();
}

static void
install(void (*outside)(int), void (*inside)(int))
{
	struct sigaction hup;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	open_pipe();
	catch (SIGPIPE, SIG_IGN);
	catch (SIGTERM, outside);
	catch (SIGINT, outside);
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
		catch (SIGHUP, outside);
	catch (SIGUSR1, inside);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

void
stop_install(void)
{
	install(handle, SIG_DFL);
}

void
stop_install_worker(void)
{
	install(SIG_IGN, handle);
}

void
stop_ignore(void)
{
	install(SIG_IGN, SIG_IGN);
	requested = 0;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	pipe_fds[0] = pipe_fds[1] = -1;
}

bool
stop_requested(void)
{
	return requested != 0;
}

void
stop_request(void)
{
	requested = 1;
	wake();
}

int
stop_fd(void)
{
	return pipe_fds[0];
}
