/*
 * What the rigs are tried on: programs that make life hard for a tracer, and
 * the two ends of the dialogues that the proxy has to measure. Nothing else
 * uses it. tests/bats/rigs.bats says what each one is to show.
 */

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

extern char **environ;

static long
number(const char *s)
{
	const char *why;
	long n = (long)strtonum(s, 0, INT32_MAX, &why);

	if (why != NULL)
		errx(2, "%s: %s", s, why);
	return n;
}

static int
create(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		err(1, "%s", path);
	return fd;
}

static void
sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || fsync(fd) == -1)
		err(1, "%s", path);
	close(fd);
}

/* --- for fault ------------------------------------------------------------ */

/* Locks itself in as fetchd does, then makes two points. */
static void
sealed(char **argv)
{
	struct sock_filter insns[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		(unsigned int)offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {COUNT(insns), insns};
	struct landlock_ruleset_attr attr = {
	    .handled_access_fs = LANDLOCK_ACCESS_FS_REMOVE_DIR};
	int fd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(1, "no_new_privs");
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd != -1 && syscall(SYS_landlock_restrict_self, fd, 0) == -1)
		err(1, "landlock");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		err(1, "seccomp");
	if (mkdirat(AT_FDCWD, "sealed.d", 0700) != -1 || errno != EPERM)
		errx(1, "own filter has no effect");
	create(argv[0], "sealed");
}

static void *
thread_main(void *arg)
{
	static const char line[] = "thread\n";
	int fd = *(int *)arg;

	if (write(fd, line, sizeof(line) - 1) == -1)
		err(1, "thread");
	return NULL;
}

static void
threads(char **argv)
{
	pthread_t id[16];
	int fd = open(argv[0], O_WRONLY | O_CREAT | O_APPEND, 0600);
	size_t i;

	for (i = 0; i < COUNT(id); i++)
		if (pthread_create(&id[i], NULL, thread_main, &fd) != 0)
			errx(1, "pthread_create");
	for (i = 0; i < COUNT(id); i++)
		pthread_join(id[i], NULL);
}

/* Two children by other ways than fork(), one of them through a shell. */
static void
spawns(char **argv)
{
	static char name[] = "sh", c[] = "-c",
		    script[] = "printf a >\"$0\" && printf b >>\"$0\"";
	char *sh[] = {name, c, script, argv[0], NULL};
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, sh, environ) != 0)
		errx(1, "posix_spawn");
	waitpid(pid, &status, 0);
	pid = vfork();
	if (pid == 0) {
		execv("/bin/sh", sh);
		_exit(127);
	}
	waitpid(pid, &status, 0);
}

/* Sleeps for long with a child and grandchild, whose pids it leaves. */
static void
lingers(char **argv)
{
	char pid[32];
	int i;

	for (i = 0; i < 2; i++)
		if (fork() != 0)
			break;
	if (i == 1)
		setsid();
	snprintf(pid, sizeof(pid), "%s.%d", argv[0], (int)getpid());
	close(create(pid, ""));
	sleep(60);
}

static void
fails(char **argv)
{
	int fd = create(argv[0], "x");

	if (fsync(fd) == -1)
		err(3, "fsync");
	if (write(fd, "y", 1) == -1)
		err(4, "write");
}

/* Neither pipes nor devices nor local sockets are points; TCP is. */
static void
chats(char **argv)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int pair[2], pipes[2], null, server, fd;

	(void)argv;
	null = open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (pipe(pipes) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
	    write(pipes[1], "p", 1) == -1 || write(pair[0], "u", 1) == -1 ||
	    send(pair[0], "u", 1, 0) == -1 || write(null, "n", 1) == -1)
		err(1, "local");
	server = socket(AF_INET, SOCK_STREAM, 0);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(server, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(server, 1) == -1 ||
	    getsockname(server, (struct sockaddr *)&sin, &len) == -1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    write(fd, "t", 1) == -1 || send(fd, "tt", 2, 0) == -1)
		err(1, "tcp");
}

/* A synced file's inode number is likely given to an unsynced one. */
static void
reuses(char **argv)
{
	int fd = create("first", "first");

	(void)argv;
	if (fsync(fd) == -1)
		err(1, "fsync");
	close(fd);
	unlink("first");
	close(create("second", "second"));
	sync_dir(".");
}

static void
unnamed(char **argv)
{
	int fd = open(".", O_RDWR | O_TMPFILE, 0600);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd == -1 || write(fd, "tmp", 3) != 3 || fsync(fd) == -1 ||
	    linkat(AT_FDCWD, path, AT_FDCWD, argv[0], AT_SYMLINK_FOLLOW) == -1)
		err(1, "%s", argv[0]);
	sync_dir(".");
}

/* --- for the proxy -------------------------------------------------------- */

static void
pause_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static double
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
put(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = send(fd, s, n, MSG_NOSIGNAL);

		if (k == -1)
			return;
		s += k;
		n -= (size_t)k;
	}
}

static void
no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
serve_echo(int fd)
{
	char data[65536];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		put(fd, data, (size_t)n);
}

static void
serve_greeting(int fd)
{
	put(fd, "hello\n", 6);
	serve_echo(fd);
}

/* As greeting, but the reply's tail comes as a packet of its own. */
static void
serve_pieces(int fd)
{
	char data[65536];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		put(fd, data, (size_t)n);
		pause_ms(1);
		put(fd, "tail", 4);
	}
}

/* Half a gigabyte, as fast as it goes. */
static void
serve_source(int fd)
{
	static char data[1 << 18];
	int i;

	for (i = 0; i < 2048; i++)
		put(fd, data, sizeof(data));
}

/* For every byte asked: 100 blocks, one each millisecond. */
static void
serve_stream(int fd)
{
	static char block[1000];
	char c;
	int i;

	while (read(fd, &c, 1) == 1)
		for (i = 0; i < 100; i++) {
			put(fd, block, sizeof(block));
			pause_ms(1);
		}
}

/* Says on standard output how much came, and how it ended. */
static void
serve_sink(int fd)
{
	char data[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		total += (size_t)n;
	printf("%zu %s\n", total, n == 0 ? "end" : "reset");
	fflush(stdout);
}

static const struct {
	const char *name;
	void (*run)(int);
} services[] = {
    {"echo", serve_echo},
    {"greeting", serve_greeting},
    {"pieces", serve_pieces},
    {"sink", serve_sink},
    {"source", serve_source},
    {"stream", serve_stream},
};

/* SERVICE PORTFILE: one connection after the other, for a minute. */
static void
serve(char **argv)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	char draft[4096], port[16];
	int s, fd;
	size_t i;

	s = socket(AF_INET, SOCK_STREAM, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(s, 16) == -1 ||
	    getsockname(s, (struct sockaddr *)&sin, &len) == -1)
		err(1, "listen");
	snprintf(draft, sizeof(draft), "%s.new", argv[1]);
	snprintf(port, sizeof(port), "%u\n", ntohs(sin.sin_port));
	close(create(draft, port));
	rename(draft, argv[1]);
	alarm(60);
	while ((fd = accept(s, NULL, NULL)) != -1) {
		no_delay(fd);
		for (i = 0; i < COUNT(services); i++)
			if (strcmp(services[i].name, argv[0]) == 0)
				services[i].run(fd);
		close(fd);
	}
}

static int
dial(const char *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_port = htons((in_port_t)number(port));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "connect");
	no_delay(fd);
	return fd;
}

static void
get(int fd, size_t n)
{
	static char data[1 << 18];

	while (n > 0) {
		ssize_t k =
		    recv(fd, data, n < sizeof(data) ? n : sizeof(data), 0);

		if (k <= 0)
			errx(1, "ended early");
		n -= (size_t)k;
	}
}

/* PORT N GREETING: N commands of 4 bytes, each after the reply; prints ms. */
static void
ask(char **argv)
{
	double start = now_ms();
	int fd = dial(argv[0]);
	long i, n = number(argv[1]);

	get(fd, (size_t)number(argv[2]));
	for (i = 0; i < n; i++) {
		put(fd, "cmd\n", 4);
		get(fd, 4);
	}
	printf("%.0f\n", now_ms() - start);
}

/* PORT N: as ask of "pieces", going on at the first piece of each reply. */
static void
hasten(char **argv)
{
	int fd = dial(argv[0]);
	long i, n = number(argv[1]);

	put(fd, "cmd\n", 4);
	for (i = 1; i < n; i++) {
		get(fd, i == 1 ? 4 : 8);
		put(fd, "cmd\n", 4);
	}
	get(fd, 12);
}

/* PORT N: a command each millisecond, whatever has come back by then. */
static void
flood(char **argv)
{
	int fd = dial(argv[0]);
	long i, n = number(argv[1]);

	for (i = 0; i < n; i++) {
		put(fd, "cmd\n", 4);
		pause_ms(1);
	}
	get(fd, 4 * (size_t)n);
}

/* PORT N: of "stream", asks for more as soon as an answer has begun. */
static void
drink(char **argv)
{
	int fd = dial(argv[0]);
	long i, n = number(argv[1]);

	put(fd, "x", 1);
	for (i = 1; i < n; i++) {
		get(fd, 1000);
		put(fd, "x", 1);
		get(fd, 99000);
	}
	get(fd, 100000);
}

/* PORT: reads to the end; prints bytes, MB/s, how it ended. */
static void
drain(char **argv)
{
	static char data[1 << 18];
	double start = now_ms(), ms;
	int fd = dial(argv[0]);
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		total += (size_t)n;
	ms = now_ms() - start;
	printf("%zu %.0f %s\n", total, (double)total / ms / 1000,
	    n == 0 ? "end" : "reset");
}

/* PORT N: sends N bytes, then reads to the end. */
static void
pour(char **argv)
{
	static char data[1 << 16];
	int fd = dial(argv[0]);
	size_t n = (size_t)number(argv[1]), k;

	for (; n > 0; n -= k) {
		k = n < sizeof(data) ? n : sizeof(data);
		put(fd, data, k);
	}
	shutdown(fd, SHUT_WR);
	while (read(fd, data, sizeof(data)) > 0)
		continue;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(char **);
		int args;
	} roles[] = {
	    {"sealed", sealed, 1},
	    {"threads", threads, 1},
	    {"spawns", spawns, 1},
	    {"lingers", lingers, 1},
	    {"fails", fails, 1},
	    {"chats", chats, 0},
	    {"reuses", reuses, 0},
	    {"unnamed", unnamed, 1},
	    {"serve", serve, 2},
	    {"ask", ask, 3},
	    {"hasten", hasten, 2},
	    {"flood", flood, 2},
	    {"drink", drink, 2},
	    {"drain", drain, 1},
	    {"pour", pour, 2},
	};
	size_t i;

	for (i = 0; argc > 1 && i < COUNT(roles); i++)
		if (strcmp(roles[i].name, argv[1]) == 0 &&
		    argc == roles[i].args + 2) {
			roles[i].run(argv + 2);
			return 0;
		}
	errx(2, "usage: subject role arguments");
}
