/*
 * os/command: what a child gets, how it is waited for and ended.
 */

#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/command.h"
#include "os/stop.h"

#include "tap.h"

static struct buf out;
static struct err e;
static int status;

static int
run(const char *line, int64_t timeout, size_t max)
{
	struct command c = {.line = line, .in = -1, .out = -1};

	buf_reset(&out);
	err_clear(&e);
	status = -1;
	return command_output(&c, timeout, max, &out, &status, &e);
}

static void
test_output(void)
{
	char text[64];

	is_int(run("echo 'a b'  c", 10000, 100), 0, "argv without a shell");
	is_str(buf_cstr(&out), "a b c\n", "split as a shell would");
	is_int(status, 0, "status");
	is_int(run("echo x | tr x y; exit 3", 10000, 100), 0, "a shell");
	is_str(buf_cstr(&out), "y\n", "pipe");
	command_status(status, text);
	is_str(text, "exited with 3", "status in words");
	run("kill -9 $$", 10000, 100);
	command_status(status, text);
	is_str(text, "was killed by signal 9 (Killed)", "signal in words");
	run("(exit 127)", 10000, 0);
	command_status(status, text);
	is_str(text, "exited with 127 (command not found)", "127 in words");

	run("echo 123456789", 10000, 4);
	is_str(buf_cstr(&out), "1234", "no more than max");
	is_int(run("head -c 3000000 /dev/zero", 10000, 10), 0,
	    "the rest is read and dropped");
	is_int(out.len, 10, "10 bytes of it");
	is_int(status, 0, "and the command does not notice");
}

static void
test_child(void)
{
	struct words env;
	struct command c = {
	    .line = "echo $FETCHD_UID $HOME", .in = -1, .out = -1, .env = &env};
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
	int fds[2];
	char text[16] = "";
	sigset_t set;

	words_init(&env);
	words_add(&env, "FETCHD_UID=77");
	words_add(&env, "HOME=/h");
	buf_reset(&out);
	command_output(&c, 10000, 100, &out, &status, &e);
	is_str(buf_cstr(&out), "77 /h\n", "environment");
	is_str(getenv("FETCHD_UID"), NULL, "not in ours");
	words_clear(&env);

	run("ls /proc/self/fd", 10000, 100);
	is_str(buf_cstr(&out), "0\n1\n2\n3\n", "descriptors (3 is ls's own)");
	run("cat", 10000, 100);
	is_int(out.len, 0, "standard input is empty");
	run("( : </dev/tty ) 2>/dev/null && echo tty", 10000, 100);
	is_int(out.len, 0, "no terminal");

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* glibc's posix_spawn(3), which make uses, leaves its own two signals
	 * ignored, and nobody can change that. */
	run("sed -n '/^SigIgn/s/0000000180000000/0000000000000000/; "
	    "/^Sig[BIC]/p' /proc/self/status",
	    10000, 200);
	is_str(buf_cstr(&out),
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
	    "SigCgt:\t0000000000000000\n",
	    "signals");
	sigprocmask(SIG_UNBLOCK, &set, NULL);

	if (pipe(fds) == -1)
		abort();
	c = (struct command){.line = "echo there", .in = -1, .out = fds[1]};
	buf_reset(&out);
	is_int(command_output(&c, 10000, 100, &out, &status, &e), 0,
	    "output elsewhere");
	is_int(out.len, 0, "not to the buffer");
	ok(read(fds[0], text, 15) == 6 && strcmp(text, "there\n") == 0,
	    "but there");
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

static void
test_errors(void)
{
	struct command c = {.what = "password-command",
	    .line = "pas show x",
	    .in = -1,
	    .out = -1};
	pid_t pid;

	is_int(command_start(&c, &pid, &e), -1, "no such command");
	is_str(e.text, "password-command 'pas show x': pas: command not found",
	    "named");
	is_int(err_exit(&e), EX_CONFIG, "exit code 78");
	is_int(run("/no/such/file", 1000, 1), -1, "no such file");
	is_str(e.text,
	    "'/no/such/file': /no/such/file: "
	    "No such file or directory",
	    "named");
	run("/etc/passwd", 1000, 1);
	is_str(e.text, "'/etc/passwd': /etc/passwd: Permission denied",
	    "not executable");
	is_int(run("echo 'a", 1000, 1), -1, "unclosed quote");
	is_int(e.kind, ERR_CONFIG, "is a mistake in the configuration");
	is_int(run("  ", 1000, 1), -1, "empty");
	is_str(e.text, "'  ': no command", "said");
	is_int(command_check("a 'b c' | d", &e), 0, "a good command");
	is_int(command_check("no-such-command", &e), 0, "need not be there");
	is_int(command_check(" ", &e), -1, "none");
	is_str(e.text, "no command", "said");
	is_int(command_check("echo 'a", &e), -1, "does not split");
	is_int(e.kind, ERR_CONFIG, "is a mistake in the configuration");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no child is left over");
}

static void
test_time(void)
{
	int64_t before = clock_ms();

	is_int(run("sleep 30", 1000, 1), -1, "time limit");
	ok(clock_ms() - before < 2500, "ended by SIGTERM");
	is_str(e.text, "'sleep 30': did not end within 1 s; ended it", "said");
	is_int(err_exit(&e), EX_TEMPFAIL, "exit code 75");

	before = clock_ms();
	run("trap '' TERM; while :; do sleep 1; done", 300, 1);
	ok(clock_ms() - before >= 2000 && clock_ms() - before < 5000,
	    "ended by SIGKILL after 2 s");

	before = clock_ms();
	is_int(run("yes", 500, 10), -1, "endless output");
	ok(clock_ms() - before < 4000, "is ended too");

	before = clock_ms();
	is_int(run("sleep 7 & echo secret", 5000, 100), 0,
	    "a daemon that keeps the pipe open");
	ok(clock_ms() - before < 3000, "is not waited for");
	is_str(buf_cstr(&out), "secret\n", "output");

	stop_install();
	stop_request();
	before = clock_ms();
	is_int(run("sleep 30", 20000, 1), -1, "a stop");
	ok(clock_ms() - before < 3000, "ends it");
	is_str(e.text, "'sleep 30': stopped", "said");
}

int
main(void)
{
	buf_init(&out, 4096);
	test_output();
	test_child();
	test_errors();
	test_time();
	buf_clear(&out);
	return done();
}
