/*
 * A fault injector: runs a command under ptrace, numbers the mutating system
 * calls of all its processes, and kills it at one of them, makes one fail, or
 * cuts the power there. Usage: README.md. calls.h says which calls count;
 * power.h what survives a power cut.
 *
 * The traced processes carry a seccomp filter that stops them at these calls
 * only, so the rest runs at full speed; and they die with this process.
 */

#include <sys/ptrace.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <dirent.h>
#include <elf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "calls.h"
#include "power.h"

#define TEXT (2 * PATH_MAX + 16)

enum mode { COUNT, KILL, ERRNO, SYNCS };
enum what { OTHER, FILES, STREAM, IPC };

/* One call under way whose end we want to see. */
struct point {
	unsigned long n; /* 0: not numbered, only its effect is wanted */
	const struct call *call; /* borrowed */
	char *text;              /* owned */
	uint64_t size;
	struct pends pends; /* owned */
};

struct task {
	LIST_ENTRY(task) link;
	pid_t tid, tgid;
	unsigned int process; /* ordinal, from 1 */
	struct point *point;  /* owned; NULL: not in a call we follow */
};

static LIST_HEAD(, task) tasks = LIST_HEAD_INITIALIZER(tasks);
static unsigned int nprocesses;
static unsigned long npoints;
static pid_t main_pid;
static FILE *log_file;
static volatile sig_atomic_t timed_out;

static struct {
	enum mode mode;
	unsigned long at; /* 0: never */
	bool after, from_on, if_fits, optimistic;
	bool ipc, sockets, all_cpus;
	int error;
	const char *error_name, *count, *root, *mirror; /* borrowed */
	long long seconds;
} opt;

/* --- tasks ---------------------------------------------------------------- */

static pid_t
tgid_of(pid_t tid)
{
	char *path = format("/proc/%d/status", tid), line[128];
	FILE *f = fopen(path, "re");
	pid_t tgid = tid;

	free(path);
	if (f == NULL)
		return tid;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "Tgid:", 5) == 0)
			tgid = (pid_t)strtol(line + 5, NULL, 10);
	fclose(f);
	return tgid;
}

static struct task *
task_get(pid_t tid)
{
	struct task *t, *peer;

	LIST_FOREACH(t, &tasks, link)
	if (t->tid == tid)
		return t;
	t = alloc(1, sizeof(*t));
	t->tid = tid;
	t->tgid = tgid_of(tid);
	LIST_FOREACH(peer, &tasks, link)
	if (peer->tgid == t->tgid)
		t->process = peer->process;
	if (t->process == 0)
		t->process = ++nprocesses;
	LIST_INSERT_HEAD(&tasks, t, link);
	return t;
}

static void
point_free(struct task *t)
{
	if (t->point == NULL)
		return;
	pend_end(&t->point->pends, false);
	free(t->point->text);
	free(t->point);
	t->point = NULL;
}

static void
task_drop(pid_t tid)
{
	struct task *t;

	LIST_FOREACH(t, &tasks, link)
	if (t->tid == tid)
		break;
	if (t == NULL)
		return;
	point_free(t);
	LIST_REMOVE(t, link);
	free(t);
}

/* A task that vanished meanwhile is reported by waitpid(). */
static void
resume(struct task *t, int sig)
{
	ptrace(t->point != NULL ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, NULL,
	    (long)sig);
}

/* --- what a call is about ------------------------------------------------- */

static char *
link_of(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target));

	return format("%.*s", n == -1 ? 0 : (int)n, target);
}

/* A string of the traced process, page by page up to its end. */
static char *
string_at(pid_t tid, uint64_t at)
{
	char text[PATH_MAX + 1];
	size_t n = 0, k;

	while (n < PATH_MAX) {
		struct iovec here = {text + n, PATH_MAX - n}, there;

		k = 4096 - (at + n) % 4096;
		if (here.iov_len > k)
			here.iov_len = k;
		there.iov_base = (void *)(uintptr_t)(at + n);
		there.iov_len = here.iov_len;
		if (process_vm_readv(tid, &here, 1, &there, 1, 0) <= 0)
			break;
		k = strnlen(text + n, here.iov_len);
		n += k;
		if (k < here.iov_len)
			break;
	}
	text[n] = '\0';
	return format("%s", text);
}

/* The path argument `i` of a call, made absolute. */
static char *
path_arg(pid_t tid, const struct call *call, int i, const uint64_t *args)
{
	uint64_t at = args[call->path[i]];
	int fd = call->dir[i] == CWD ? AT_FDCWD : (int)args[call->dir[i]];
	char *link, *dir, *name, *path;

	name = at == 0 ? format("%s", "") : string_at(tid, at);
	if (name[0] == '/')
		return name;
	link = fd == AT_FDCWD ? format("/proc/%d/cwd", tid)
	                      : format("/proc/%d/fd/%d", tid, fd);
	dir = link_of(link);
	path = format("%s%s%s", dir, name[0] == '\0' ? "" : "/", name);
	free(link);
	free(dir);
	free(name);
	return path;
}

static char *
fd_path(pid_t tid, const struct call *call, const uint64_t *args)
{
	return format("/proc/%d/fd/%d", tid, (int)args[call->fd]);
}

/* Of a socket: does it lead to a server, by a stream? */
static enum what
socket_kind(pid_t tgid, int fd)
{
	int domain = AF_INET, type = SOCK_STREAM, proc, ours;
	socklen_t n = sizeof(domain), m = sizeof(type);

	proc = (int)syscall(SYS_pidfd_open, tgid, 0);
	ours = (int)syscall(SYS_pidfd_getfd, proc, fd, 0);
	if (ours != -1) {
		getsockopt(ours, SOL_SOCKET, SO_DOMAIN, &domain, &n);
		getsockopt(ours, SOL_SOCKET, SO_TYPE, &type, &m);
		close(ours);
	}
	if (proc != -1)
		close(proc);
	if (type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6))
		return STREAM;
	return IPC;
}

/* The output of the run itself, whatever it is, is not its work. */
static bool
is_ours(const struct stat *st)
{
	struct stat own;
	int fd;

	for (fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &own) == 0 && own.st_dev == st->st_dev &&
		    own.st_ino == st->st_ino)
			return true;
	return false;
}

static enum what
fd_kind(const struct task *t, const struct call *call, const uint64_t *args)
{
	char *path = fd_path(t->tid, call, args);
	struct stat st;
	int rv = stat(path, &st);

	free(path);
	if (rv == -1 || is_ours(&st))
		return OTHER;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return FILES;
	if (S_ISSOCK(st.st_mode))
		return socket_kind(t->tgid, (int)args[call->fd]);
	return OTHER;
}

/* Devices do not count; *new_r: it would make a file. */
static enum what
open_kind(pid_t tid, const struct call *call, const uint64_t *args, bool *new_r)
{
	uint64_t flags = call->flags == NONE ? O_CREAT : args[call->flags];
	struct iovec here = {&flags, sizeof(flags)}, there = {0};
	char *path = path_arg(tid, call, 0, args);
	struct stat st;
	int rv = stat(path, &st);

	free(path);
	if (call->traits & HOW) {
		there.iov_base = (void *)(uintptr_t)args[2];
		there.iov_len = sizeof(flags);
		if (process_vm_readv(tid, &here, 1, &there, 1, 0) == -1 ||
		    (flags & MUTATES) == 0)
			return OTHER;
	}
	*new_r = rv == -1 || (flags & TEMPORARY) != 0;
	if (rv == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return OTHER;
	return FILES;
}

static enum what
kind_of(const struct task *t, const struct call *call, const uint64_t *args,
    bool *new_r)
{
	*new_r = true;
	if (call->traits & OPEN)
		return open_kind(t->tid, call, args, new_r);
	if (call->fd != NONE)
		return fd_kind(t, call, args);
	return FILES;
}

static char *
text_of(const struct task *t, const struct call *call, const uint64_t *args,
    enum what what)
{
	char *a, *b, *text;

	if (what == STREAM || what == IPC)
		return format("%s", what == STREAM ? "socket" : "ipc");
	if (call->fd != NONE) {
		a = fd_path(t->tid, call, args);
		text = link_of(a);
	} else if (call->path[0] == NONE)
		return format("%s", "-");
	else if (call->path[1] == NONE)
		return path_arg(t->tid, call, 0, args);
	else {
		a = path_arg(t->tid, call, 0, args);
		b = path_arg(t->tid, call, 1, args);
		text = format("%s -> %s", a, b);
		free(b);
	}
	free(a);
	return text;
}

/* --- the end -------------------------------------------------------------- */

static void log_line(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static void
log_line(const char *fmt, ...)
{
	char *line, *p;
	va_list ap;

	if (log_file == NULL)
		return;
	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) == -1)
		err(EX_OSERR, NULL);
	va_end(ap);
	for (p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' && *p != '\t')
			*p = '?';
	fprintf(log_file, "%s\n", line);
	free(line);
}

static const char *
error_name(int error)
{
	size_t i;

	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (errnos[i].value == error)
			return errnos[i].name;
	return "error";
}

/* Until nothing is traced any more: also what was being forked just now. */
static void
kill_all(void)
{
	static const struct itimerval never;
	struct task *t;
	int status;
	pid_t tid;

	setitimer(ITIMER_REAL, &never, NULL);
	LIST_FOREACH(t, &tasks, link)
	kill(t->tgid, SIGKILL);
	for (;;) {
		tid = waitpid(-1, &status, __WALL);
		if (tid == -1 && errno != EINTR)
			break;
		if (tid != -1 && WIFSTOPPED(status))
			kill(tgid_of(tid), SIGKILL);
	}
	while ((t = LIST_FIRST(&tasks)) != NULL)
		task_drop(t->tid);
}

static void
finish(int status)
{
	FILE *f;

	if (opt.count != NULL) {
		f = fopen(opt.count, "we");
		if (f == NULL || fprintf(f, "%lu\n", npoints) < 0 ||
		    fclose(f) == EOF)
			err(EX_CANTCREAT, "%s", opt.count);
	}
	if (log_file != NULL && fclose(log_file) == EOF)
		err(EX_IOERR, "log");
	exit(status);
}

static void
strike(unsigned long n, const char *name, const char *text)
{
	bool cut = opt.root != NULL;

	log_line("%s %s %lu %s %s", cut ? "cut" : "killed",
	    opt.after ? "after" : "at", n, name, text);
	kill_all();
	if (cut)
		power_restore(opt.optimistic);
	finish(0);
}

/* --- stops ---------------------------------------------------------------- */

/* The call the task is stopped at is not executed and fails. */
static void
set_error(pid_t tid, int error)
{
#if defined(__x86_64__)
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) == -1)
		return;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
#else
	struct user_regs_struct regs;
	int none = -1;
	struct iovec io = {&regs, sizeof(regs)}, nr = {&none, sizeof(none)};

	if (ptrace(PTRACE_GETREGSET, tid, (long)NT_PRSTATUS, &io) == -1)
		return;
	regs.regs[0] = (unsigned long long)-error;
	ptrace(PTRACE_SETREGSET, tid, (long)NT_PRSTATUS, &io);
	ptrace(PTRACE_SETREGSET, tid, (long)NT_ARM_SYSTEM_CALL, &nr);
#endif
}

static void
inject(struct task *t, const struct call *call, const uint64_t *args,
    enum what what, bool new)
{
	bool fits = call_fits(call, opt.error);
	char *text = text_of(t, call, args, what);

	if ((opt.error == ENOSPC || opt.error == EDQUOT) && !new)
		fits = false;
	if (!fits && (opt.from_on || opt.if_fits))
		what = OTHER;
	if (what == FILES || (what != OTHER && opt.sockets))
		set_error(t->tid, opt.error);
	else
		fits = false;
	if (fits || !opt.from_on)
		log_line("%s %lu %s %s", fits ? opt.error_name : "skipped",
		    npoints, call->name, text);
	free(text);
}

static void
sync_gather(struct task *t, const struct call *call, const uint64_t *args)
{
	struct pends *pends = &t->point->pends;
	char *path;

	if (call->nr == SYS_sync || call->nr == SYS_syncfs) {
		power_gather_all(pends, true);
		return;
	}
	path = fd_path(t->tid, call, args);
	power_gather(pends, path);
	free(path);
}

/* False when the task is gone, which waitpid() will tell. */
static bool
call_info(pid_t tid, struct __ptrace_syscall_info *info)
{
	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(*info), info) > 0)
		return true;
	if (errno != ESRCH)
		err(EX_OSERR, "PTRACE_GET_SYSCALL_INFO (Linux 5.3)");
	return false;
}

/* Before a mutating call is executed. */
static void
call_begins(struct task *t)
{
	struct __ptrace_syscall_info info;
	const struct call *call;
	const uint64_t *args = (const uint64_t *)info.seccomp.args;
	bool counts, hit, new;
	enum what what;

	if (!call_info(t->tid, &info) ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP ||
	    info.seccomp.ret_data >= NCALLS)
		return;
	call = &calls[info.seccomp.ret_data];
	what = kind_of(t, call, args, &new);
	if (what == OTHER || (what == IPC && !opt.ipc))
		return;
	counts = opt.mode != SYNCS || (call->traits & SYNC);
	npoints += counts;
	hit = counts && opt.at != 0 &&
	      (npoints == opt.at || (opt.from_on && npoints > opt.at));
	if (hit && opt.mode == ERRNO)
		inject(t, call, args, what, new);
	else if (hit && !opt.after)
		strike(npoints, call->name, text_of(t, call, args, what));
	else if (hit || (opt.root != NULL && (call->traits & SYNC)) ||
		 (counts && opt.at == 0 && log_file != NULL)) {
		t->point = alloc(1, sizeof(*t->point));
		SLIST_INIT(&t->point->pends);
		t->point->n = counts ? npoints : 0;
		t->point->call = call;
		t->point->text = text_of(t, call, args, what);
		t->point->size = call->size == NONE ? 0 : args[call->size];
		if (opt.root != NULL && (call->traits & SYNC))
			sync_gather(t, call, args);
	}
}

static void
call_ends(struct task *t)
{
	struct __ptrace_syscall_info info;
	struct point *p = t->point;
	int64_t value;

	if (p == NULL || !call_info(t->tid, &info) ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT)
		return;
	value = info.exit.rval;
	pend_end(&p->pends, !info.exit.is_error);
	if (p->n != 0 && info.exit.is_error)
		log_line("%lu\t%u\t%s\t%s\t%llu\t%s", p->n, t->process,
		    p->call->name, p->text, (unsigned long long)p->size,
		    error_name((int)-value));
	else if (p->n != 0)
		log_line("%lu\t%u\t%s\t%s\t%llu\t%lld", p->n, t->process,
		    p->call->name, p->text, (unsigned long long)p->size,
		    (long long)value);
	if (p->n != 0 && p->n == opt.at)
		strike(p->n, p->call->name, p->text);
	point_free(t);
}

static void
event(struct task *t, int status)
{
	int sig = WSTOPSIG(status);
	unsigned long message = 0;

	switch (status >> 16) {
	case PTRACE_EVENT_SECCOMP:
		call_begins(t);
		break;
	case PTRACE_EVENT_STOP:
		if (sig != SIGTRAP) {
			ptrace(PTRACE_LISTEN, t->tid, NULL, NULL);
			return;
		}
		break;
	case PTRACE_EVENT_EXEC:
		ptrace(PTRACE_GETEVENTMSG, t->tid, NULL, &message);
		point_free(t);
		if ((pid_t)message != t->tid)
			task_drop((pid_t)message);
		break;
	case 0:
		if (sig != (SIGTRAP | 0x80)) {
			resume(t, sig);
			return;
		}
		call_ends(t);
		break;
	}
	resume(t, 0);
}

static int
trace(void)
{
	int status, result = EX_SOFTWARE;
	pid_t tid;

	for (;;) {
		if (timed_out) {
			log_line("timeout");
			kill_all();
			finish(124);
		}
		tid = waitpid(-1, &status, __WALL);
		if (tid == -1 && errno == EINTR)
			continue;
		if (tid == -1)
			return result;
		if (WIFSTOPPED(status)) {
			event(task_get(tid), status);
			continue;
		}
		task_drop(tid);
		if (tid == main_pid)
			result = WIFEXITED(status) ? WEXITSTATUS(status)
			                           : 128 + WTERMSIG(status);
	}
}

/* --- starting ------------------------------------------------------------- */

static void
on_alarm(int sig)
{
	(void)sig;
	timed_out = 1;
}

/* Fires again and again, since the first may come just before a wait. */
static void
set_limit(void)
{
	struct itimerval it = {.it_interval = {.tv_usec = 100000}};
	struct sigaction sa = {.sa_handler = on_alarm};

	it.it_value.tv_sec = (time_t)opt.seconds;
	sigaction(SIGALRM, &sa, NULL);
	if (opt.seconds != 0)
		setitimer(ITIMER_REAL, &it, NULL);
}

/*
 * Tracer and traced take turns, so they share a CPU: every
 * stop would otherwise wake another one (measured: 20 us against 75 to 120).
 */
static void
share_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0 && cpu < CPU_SETSIZE) {
		CPU_SET((size_t)cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
}

static void
child(int go, char **argv)
{
	char c;

	if (read(go, &c, 1) != 1)
		_exit(EX_SOFTWARE);
	if (filter_install() == -1)
		err(EX_OSERR, "seccomp");
	execvp(argv[0], argv);
	warn("%s", argv[0]);
	_exit(127);
}

static void
start(char **argv)
{
	const unsigned long options =
	    PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD |
	    PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
	    PTRACE_O_TRACECLONE;
	int go[2];

	/* Orphans come to us, so that they do not outlive the run as zombies. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pipe2(go, O_CLOEXEC) == -1)
		err(EX_OSERR, "pipe");
	main_pid = fork();
	if (main_pid == -1)
		err(EX_OSERR, "fork");
	if (main_pid == 0) {
		close(go[1]);
		child(go[0], argv);
	}
	if (ptrace(PTRACE_SEIZE, main_pid, NULL, options) == -1)
		err(EX_OSERR, "ptrace");
	task_get(main_pid);
	if (write(go[1], "", 1) != 1)
		err(EX_OSERR, "pipe");
	close(go[0]);
	close(go[1]);
}

static unsigned long
number(const char *s, long long min)
{
	const char *why;
	long long n = strtonum(s, min, INT_MAX, &why);

	if (why != NULL)
		errx(EX_USAGE, "%s: %s", s, why);
	return (unsigned long)n;
}

/* ERRNO@N, ERRNO@N+, ERRNO@N? */
static void
parse_error(char *s)
{
	char *at = strchr(s, '@'), *end;
	size_t i;

	if (at == NULL)
		errx(EX_USAGE, "%s: not ERRNO@N", s);
	*at++ = '\0';
	end = at + strlen(at);
	opt.from_on = end > at && end[-1] == '+';
	opt.if_fits = end > at && end[-1] == '?';
	if (opt.from_on || opt.if_fits)
		end[-1] = '\0';
	opt.at = number(at, 1);
	opt.mode = ERRNO;
	for (i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
		if (strcmp(errnos[i].name, s) == 0) {
			opt.error = errnos[i].value;
			opt.error_name = errnos[i].name;
		}
	if (opt.error == 0)
		errx(EX_USAGE, "%s: not an errno I know", s);
}

static void
usage(void)
{
	errx(EX_USAGE, "usage: fault [-iP] [-c count] [-l log] [-T seconds]\n"
		       "\t[-k n | -K n | -w n | -W n | -e errno@n[+?] [-S]]\n"
		       "\t[-m mirror -r root [-O]] -- command...");
}

static void
option(int c)
{
	if (c == 'c')
		opt.count = optarg;
	else if (c == 'e')
		parse_error(optarg);
	else if (c == 'i')
		opt.ipc = true;
	else if (c == 'k' || c == 'K') {
		opt.mode = KILL;
		opt.at = number(optarg, 1);
		opt.after = c == 'K';
	} else if (c == 'm')
		opt.mirror = optarg;
	else if (c == 'O')
		opt.optimistic = true;
	else if (c == 'P')
		opt.all_cpus = true;
	else if (c == 'r')
		opt.root = optarg;
	else if (c == 'S')
		opt.sockets = true;
	else if (c == 'T')
		opt.seconds = (long long)number(optarg, 1);
	else if (c == 'w' || c == 'W') {
		opt.mode = SYNCS;
		opt.at = number(optarg, 0);
		opt.after = true;
		opt.optimistic = c == 'W';
	} else if (c != 'l')
		usage();
	else if ((log_file = fopen(optarg, "we")) == NULL)
		err(EX_CANTCREAT, "%s", optarg);
}

int
main(int argc, char **argv)
{
	int c, status;

	while ((c = getopt(argc, argv, "+c:e:ik:K:l:m:OPr:ST:w:W:")) != -1)
		option(c);
	if (optind == argc || (opt.root == NULL) != (opt.mirror == NULL) ||
	    (opt.mode == SYNCS && opt.at != 0 && opt.root == NULL))
		usage();
	if (opt.root != NULL)
		power_init(opt.root, opt.mirror);
	if (!opt.all_cpus)
		share_cpu();
	set_limit();
	start(argv + optind);
	status = trace();
	if (opt.at != 0 && npoints < opt.at)
		log_line("not reached");
	finish(status);
}
