/*
 * os/durable: here, in a thread, with helpers, and when something fails.
 */

#include "os/durable.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "tap.h"

#define FILES 300

static char dir[] = "/tmp/durable.XXXXXX";
static struct durable_item items[FILES + 1];
static struct err e;

static void
make_files(void)
{
	char path[64];
	size_t i;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/%zu", dir, i);
		items[i] = (struct durable_item){
		    open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), true, path};
		quiet(items[i].fd != -1 && write(items[i].fd, "x", 1) == 1,
		    "%s", path);
		items[i].what = "file";
	}
	items[FILES] = (struct durable_item){
	    open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), false, "directory"};
}

/* The last n items of the list, so that there is always the directory. */
static int
run(struct durable *d, size_t n, bool here)
{
	durable_start(d, items + FILES + 1 - n, n, here);
	if (here)
		ok(durable_done(d), "%zu: done on return", n);
	while (!durable_done(d))
		usleep(1000);
	return durable_wait(d, &e);
}

static void
test_all(bool here)
{
	static const size_t sizes[] = {1, 2, 17, 33, 200, FILES + 1};
	struct durable d = {0};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		is_int(run(&d, sizes[i], here), 0, "%zu %s", sizes[i],
		    here ? "here" : "in a thread");
		is_int(durable_wait(&d, &e), 0, "and nothing behind it");
	}
	durable_start(&d, items, 0, here);
	is_int(durable_wait(&d, &e), 0, "an empty list");
}

/* An fsync of a pipe fails with EINVAL, at any place. */
static void
test_failure(bool here)
{
	static const size_t at[] = {0, 1, 150, FILES - 1, FILES};
	struct durable_item saved;
	struct durable d = {0};
	int fds[2];
	size_t i;

	quiet(pipe(fds) == 0, "pipe");
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		saved = items[at[i]];
		items[at[i]].fd = fds[0];
		items[at[i]].what = "the pipe";
		is_int(run(&d, FILES + 1, here), -1, "item %zu fails", at[i]);
		is_str(e.text,
		    "the pipe: cannot make durable: Invalid argument",
		    "and it is said which");
		is_int(err_exit(&e), EX_IOERR, "as an I/O error");
		items[at[i]] = saved;
		is_int(run(&d, FILES + 1, here), 0, "and then it does not");
	}
	close(fds[0]);
	close(fds[1]);
}

static pthread_t caught_by;
static volatile sig_atomic_t caught;

static void
handle(int sig)
{
	(void)sig;
	caught_by = pthread_self();
	caught++;
}

/* Whoever sends a signal to the process: it is the caller that takes it. */
static void
test_signals(void)
{
	struct sigaction sa = {.sa_handler = handle}, old;
	struct durable d = {0};
	int i;

	sigaction(SIGUSR1, &sa, &old);
	for (i = 1; i <= 20; i++) {
		durable_start(&d, items, FILES + 1, false);
		kill(getpid(), SIGUSR1);
		quiet(durable_wait(&d, &e) == 0, "%s", e.text);
		quiet(caught == i && pthread_equal(caught_by, pthread_self()),
		    "signal %d", i);
	}
	is_int(caught, 20, "no thread takes a signal");
	sigaction(SIGUSR1, &old, NULL);
}

static void
clean_up(void)
{
	char path[64];
	size_t i;

	for (i = 0; i <= FILES; i++) {
		close(items[i].fd);
		snprintf(path, sizeof(path), "%s/%zu", dir, i);
		unlink(path);
	}
	rmdir(dir);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	make_files();
	test_all(true);
	test_all(false);
	test_failure(true);
	test_failure(false);
	test_signals();
	clean_up();
	return done();
}
