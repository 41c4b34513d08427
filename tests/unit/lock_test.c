/*
 * os/lock, with os/stop and os/clock: who holds it, waiting, and being
 * stopped while waiting.
 */

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/lock.h"
#include "os/stop.h"

#include "tap.h"

static char dir[] = "/tmp/lock_test.XXXXXX", path[64];

/* A child that holds the lock for ms and then ends. */
static pid_t
holder(int64_t ms)
{
	int fds[2], fd;
	char c;
	pid_t pid;
	struct err e;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		abort();
	if (pid == 0) {
		close(fds[0]);
		if (lock_take(path, false, &fd, &e) == -1 ||
		    write(fds[1], "x", 1) != 1)
			_exit(1);
		clock_sleep(ms, -1);
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) != 1)
		abort();
	close(fds[0]);
	return pid;
}

static int
status_of(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == -1)
		;
	return status;
}

static void
test_held(void)
{
	char want[160];
	struct err e;
	int fd = -1;
	int64_t before;
	pid_t pid = holder(20000);

	is_int(lock_take(path, false, &fd, &e), -1, "taken");
	snprintf(want, sizeof(want),
	    "%s: locked by process %d (--wait waits for it)", path, (int)pid);
	is_str(e.text, want, "the holder is named");
	is_int(err_exit(&e), EX_TEMPFAIL, "exit code 75");
	kill(pid, SIGKILL);
	status_of(pid);
	is_int(lock_take(path, false, &fd, &e), 0,
	    "free once the holder was killed");
	close(fd);

	pid = holder(300);
	before = clock_ms();
	is_int(lock_take(path, true, &fd, &e), 0, "waited");
	ok(clock_ms() - before >= 200, "as long as it was held");
	status_of(pid);
	close(fd);
}

static void
test_stop(void)
{
	struct err e;
	int fd = -1, status;
	int64_t before;
	pid_t held = holder(20000), pid;

	stop_install();
	ok(!stop_requested(), "no stop was asked for");
	pid = fork();
	if (pid == 0) {
		stop_install_worker();
		raise(SIGTERM);
		raise(SIGTERM);
		raise(SIGINT);
		if (stop_requested())
			_exit(3);
		raise(SIGUSR1);
		before = clock_ms();
		clock_sleep(10000, stop_fd());
		if (clock_ms() - before > 5000 || !stop_requested())
			_exit(1);
		_exit(lock_take(path, true, &fd, &e) == -1 ? 0 : 2);
	}
	is_int(status_of(pid), 0,
	    "a worker: only its parent's signal ends sleep and wait");
	ok(!stop_requested(), "the parent does not feel its child's signal");
	clock_sleep(1, stop_fd());

	pid = fork();
	if (pid == 0) {
		raise(SIGTERM);
		raise(SIGTERM);
		_exit(0);
	}
	status = status_of(pid);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGTERM,
	    "a second signal ends the process");
	before = clock_ms();
	clock_sleep(50, stop_fd());
	ok(clock_ms() - before >= 50, "whose pipe was still its parent's");

	stop_request();
	before = clock_ms();
	clock_sleep(10000, stop_fd());
	ok(stop_requested() && clock_ms() - before < 5000,
	    "a stop from inside");
	kill(held, SIGKILL);
	status_of(held);
}

static void
test_fd(void)
{
	int one = open(path, O_RDWR), two = open(path, O_RDWR);
	int64_t before;
	pid_t pid;

	is_int(lock_fd(one, true, false), 1, "shared");
	is_int(lock_fd(two, true, false), 1, "by two");
	is_int(lock_fd(two, false, false), 0, "not for one alone");
	close(two);
	pid = fork();
	if (pid == 0) {
		close(one);
		two = open(path, O_RDWR);
		before = clock_ms();
		_exit(
		    lock_fd(two, false, true) == 1 && clock_ms() - before >= 50
			? 0
			: 1);
	}
	clock_sleep(150, -1);
	close(one);
	is_int(status_of(pid), 0, "it waits until it has it");
	is_int(lock_fd(-1, false, true), -1, "no file");
}

int
main(void)
{
	struct err e;
	int fd;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/lock", dir);
	is_int(lock_take(path, false, &fd, &e), 0, "a new lock");
	close(fd);
	test_fd();
	test_held();
	test_stop();
	unlink(path);
	rmdir(dir);
	is_int(lock_take(path, false, &fd, &e), -1, "no directory");
	is_int(err_exit(&e), EX_CANTCREAT, "exit code 73");
	return done();
}
