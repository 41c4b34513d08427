/*
 * os/sandbox: enters it as a worker does, with a Maildir, a state directory
 * and an mbox, and then tries what a worker must not be able to do.  Root is
 * held, too: permissions play no part in it.
 */

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/sandbox.h"

#include "tap.h"

static char home[] = "/tmp/sandbox_test.XXXXXX";

/* 0, or the errno it failed with. */
static int
why(int rv)
{
	return rv == -1 ? errno : 0;
}

static int
open_why(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600), rv = why(fd);

	if (fd != -1)
		close(fd);
	return rv;
}

static int
list_why(const char *path)
{
	DIR *d = opendir(path);
	int rv = d == NULL ? errno : 0;

	if (d != NULL)
		closedir(d);
	return rv;
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		abort();
}

static void
furnish(void)
{
	if (mkdtemp(home) == NULL || chdir(home) == -1 ||
	    mkdir("Maildir", 0700) == -1 || mkdir("Maildir/tmp", 0700) == -1 ||
	    mkdir("Maildir/new", 0700) == -1 || mkdir("state", 0700) == -1 ||
	    mkdir("ro", 0700) == -1 || mkdir("other", 0700) == -1)
		abort();
	put("secret", "s");
	put("ro/file", "r");
	put("mbox", "From\n");
	if (symlink("../secret", "Maildir/link") == -1 ||
	    link("secret", "other/hard") == -1)
		abort();
}

/* A socket that listens on a free port of loopback. */
static int
listen_somewhere(uint16_t *port_r)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sin, n) == -1 ||
	    listen(fd, 5) == -1 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) == -1)
		abort();
	*port_r = ntohs(sin.sin_port);
	return fd;
}

/* connect(2), or bind(2), to a port of loopback. */
static int
port_why(uint16_t port, bool to_bind)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rv;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rv = why((to_bind ? bind : connect)(
	    fd, (struct sockaddr *)&sin, sizeof(sin)));
	close(fd);
	return rv;
}

static void
test_own_places(void)
{
	is_int(open_why("Maildir/tmp/a", O_WRONLY | O_CREAT | O_EXCL), 0,
	    "a file in the Maildir's tmp");
	is_int(why(rename("Maildir/tmp/a", "Maildir/new/a")), 0,
	    "from there to new");
	is_int(open_why("Maildir/new/a", O_RDWR | O_TRUNC), 0, "written anew");
	is_int(list_why("Maildir/new"), 0, "listed");
	is_int(why(unlink("Maildir/new/a")), 0, "removed");
	is_int(
	    why(mkdir("state/x.spool", 0700)), 0, "a directory in the state");
	is_int(open_why("state/x.spool", O_TMPFILE | O_RDWR), 0,
	    "a file without a name in it");
	is_int(open_why("state/x.db", O_RDWR | O_CREAT), 0, "a file in it");
	is_int(open_why("mbox", O_RDWR | O_APPEND), 0, "an mbox");
	is_int(open_why("ro/file", O_RDONLY), 0, "what is there to be read");
	is_int(open_why("/dev/null", O_RDWR), 0, "/dev/null");
	is_int(open_why("/etc/passwd", O_RDONLY), 0, "the system's files");
}

static void
test_reading(void)
{
	is_int(open_why("secret", O_RDONLY), EACCES, "a file in HOME");
	is_int(open_why("Maildir/link", O_RDONLY), EACCES, "by a link to it");
	is_int(open_why("Maildir/../secret", O_RDONLY), EACCES,
	    "by way of the Maildir");
	is_int(open_why("/proc/self/cwd/secret", O_RDONLY), EACCES,
	    "by way of /proc");
	is_int(list_why("."), EACCES, "HOME itself");
	is_int(list_why("/tmp"), EACCES, "/tmp");
	is_int(open_why("/proc/1/cmdline", O_RDONLY), EACCES,
	    "what other processes are");
}

static void
test_writing(void)
{
	is_int(open_why("new", O_WRONLY | O_CREAT), EACCES, "a file in HOME");
	is_int(open_why("secret", O_WRONLY), EACCES, "one that is there");
	is_int(open_why("secret", O_WRONLY | O_TRUNC), EACCES, "emptied");
	is_int(why(truncate("secret", 0)), EACCES, "cut");
	is_int(why(unlink("secret")), EACCES, "removed");
	is_int(why(mkdir("dir", 0700)), EACCES, "a directory");
	is_int(why(rmdir("other")), EACCES, "a directory removed");
	is_int(why(symlink("x", "Maildir/symlink")), EACCES, "a symbolic link");
	is_int(open_why("ro/file", O_WRONLY), EACCES, "what is to be read");
	is_int(open_why("ro/new", O_WRONLY | O_CREAT), EACCES, "beside it");
	is_int(open_why("mbox.lock", O_WRONLY | O_CREAT), EACCES,
	    "beside an mbox");
	is_int(open_why("/tmp/sandbox_test.x", O_WRONLY | O_CREAT), EACCES,
	    "in /tmp");
	is_int(open_why("Maildir/tmp/b", O_WRONLY | O_CREAT), 0,
	    "(something to move)");
	ok(rename("Maildir/tmp/b", "b") == -1, "out of the Maildir");
	ok(link("Maildir/tmp/b", "other/b") == -1, "linked out of it");
	ok(rename("secret", "Maildir/tmp/secret") == -1, "into it");
	ok(link("secret", "Maildir/tmp/secret") == -1, "linked into it");
}

static void
test_running(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(errno == EACCES ? 42 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 42, "no program runs");
}

static void
test_process(void)
{
	struct rlimit core;

	is_int(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1, "no new privileges");
	is_int(prctl(PR_GET_DUMPABLE), 0, "not to be traced");
	ok(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0,
	    "no core dumps");
}

static void
test_network(uint16_t allowed, uint16_t other)
{
	is_int(port_why(allowed, false), 0, "the server's port");
	is_int(port_why(other, false), EACCES, "no other");
	is_int(port_why(other, true), EACCES, "none to listen on");
	is_int(port_why(0, true), 0, "any, for source-address");
}

static void
clean_up(void)
{
	char command[64];
	int status;
	pid_t pid = fork();

	snprintf(command, sizeof(command), "rm -rf %s", home);
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
}

/* Everything in the sandbox; the one outside cleans up. */
static int
inside(uint16_t allowed, uint16_t other, pid_t outside)
{
	struct sandbox s = {.ports = {allowed, 53}};
	char level[160];
	struct err e = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	words_init(&s.write);
	words_init(&s.read);
	words_add(&s.write, "Maildir");
	words_add(&s.write, "state");
	words_add(&s.write, "mbox");
	words_add(&s.write, "missing");
	words_add(&s.read, "ro");
	is_int(sandbox_enter(&s, level, &e), 0, "entered");
	words_clear(&s.write);
	words_clear(&s.read);
	printf("# %s\n", level);
	test_process();
	if (abi < 1) {
		ok(strstr(level, "not restricted") != NULL, "says what lacks");
		printf("ok %d - # skip no Landlock here\n", ++tap_run);
		return done();
	}
	ok(strstr(level, "Landlock") != NULL, "says that it is Landlock");
	test_own_places();
	test_reading();
	test_writing();
	test_running();
	if (abi >= 4)
		test_network(allowed, other);
	if (abi >= 6)
		is_int(why(kill(outside, 0)), EPERM, "no signals to others");
	return done();
}

int
main(void)
{
	uint16_t allowed, other;
	int status, fds[2];
	pid_t pid;

	fds[0] = listen_somewhere(&allowed);
	fds[1] = listen_somewhere(&other);
	furnish();
	if ((pid = fork()) == 0)
		exit(inside(allowed, other, getppid()));
	waitpid(pid, &status, 0);
	close(fds[0]);
	close(fds[1]);
	clean_up();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
