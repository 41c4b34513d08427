/*
 * The mutating system calls: which they are, where their arguments lie, and
 * the seccomp filter that stops a traced program at these and no others.
 * Part of fault.c.
 */

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#if defined(__x86_64__)
#define HOST_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define HOST_ARCH AUDIT_ARCH_AARCH64
#else
#error "fault knows the registers of x86_64 and aarch64 only"
#endif

#define NONE (-1)
#define CWD (-2) /* in place of a directory argument */
#define TEMPORARY ((unsigned int)(O_TMPFILE & ~O_DIRECTORY))
#define MUTATES ((unsigned int)(O_CREAT | O_TRUNC) | TEMPORARY)

enum {
	SPACE = 1, /* may fail for want of space */
	IO = 2,    /* may fail for a bad disk */
	SYNC = 4,  /* makes something durable */
	OPEN = 8,
	HOW = 16 /* flags are in memory (openat2) */
};

/* The fields are argument numbers. */
struct call {
	int nr;
	const char *name;
	signed char fd, dir[2], path[2], flags, size;
	unsigned char traits;
};

#define FD(n, fd, size, traits)                                          \
	{                                                                \
		SYS_##n, #n, fd, {NONE, NONE}, {NONE, NONE}, NONE, size, \
		    traits                                               \
	}
#define PATH(n, dir, path, size, traits)                                  \
	{                                                                 \
		SYS_##n, #n, NONE, {dir, NONE}, {path, NONE}, NONE, size, \
		    traits                                                \
	}
#define PATHS(n, dir, path, dir2, path2, traits)                           \
	{                                                                  \
		SYS_##n, #n, NONE, {dir, dir2}, {path, path2}, NONE, NONE, \
		    traits                                                 \
	}
#define OPENS(n, dir, path, flags, more)                                   \
	{                                                                  \
		SYS_##n, #n, NONE, {dir, NONE}, {path, NONE}, flags, NONE, \
		    OPEN | SPACE | IO | (more)                             \
	}

static const struct call calls[] = {
    FD(write, 0, 2, SPACE | IO),
    FD(pwrite64, 0, 2, SPACE | IO),
    FD(writev, 0, NONE, SPACE | IO),
    FD(pwritev, 0, NONE, SPACE | IO),
    FD(pwritev2, 0, NONE, SPACE | IO),
    FD(sendfile, 0, 3, SPACE | IO),
    FD(splice, 2, 4, SPACE | IO),
    FD(copy_file_range, 2, 4, SPACE | IO),
    FD(ftruncate, 0, 1, IO),
    FD(fallocate, 0, 3, SPACE | IO),
    FD(fsync, 0, NONE, SYNC | SPACE | IO),
    FD(fdatasync, 0, NONE, SYNC | SPACE | IO),
    FD(syncfs, 0, NONE, SYNC | SPACE | IO),
    FD(sync, NONE, NONE, SYNC),
    FD(sync_file_range, 0, 2, SPACE | IO),
    FD(fchmod, 0, NONE, IO),
    FD(fchown, 0, NONE, IO),
    FD(sendto, 0, 2, 0),
    FD(sendmsg, 0, NONE, 0),
    FD(sendmmsg, 0, NONE, 0),
    OPENS(openat, 0, 1, 2, 0),
    OPENS(openat2, 0, 1, NONE, HOW),
    PATH(truncate, CWD, 0, 1, IO),
    PATH(mkdirat, 0, 1, NONE, SPACE | IO),
    PATH(mknodat, 0, 1, NONE, SPACE | IO),
    PATH(unlinkat, 0, 1, NONE, IO),
    PATH(fchmodat, 0, 1, NONE, IO),
    PATH(fchownat, 0, 1, NONE, IO),
    PATH(utimensat, 0, 1, NONE, IO),
    PATH(symlinkat, 1, 2, NONE, SPACE | IO),
    PATHS(renameat, 0, 1, 2, 3, SPACE | IO),
    PATHS(renameat2, 0, 1, 2, 3, SPACE | IO),
    PATHS(linkat, 0, 1, 2, 3, SPACE | IO),
#ifdef SYS_open
    OPENS(open, CWD, 0, 1, 0),
    PATH(creat, CWD, 0, NONE, OPEN | SPACE | IO),
    PATH(mkdir, CWD, 0, NONE, SPACE | IO),
    PATH(rmdir, CWD, 0, NONE, IO),
    PATH(unlink, CWD, 0, NONE, IO),
    PATH(chmod, CWD, 0, NONE, IO),
    PATH(chown, CWD, 0, NONE, IO),
    PATH(symlink, CWD, 1, NONE, SPACE | IO),
    PATHS(rename, CWD, 0, CWD, 1, SPACE | IO),
    PATHS(link, CWD, 0, CWD, 1, SPACE | IO),
#endif
};

#define NCALLS (sizeof(calls) / sizeof(calls[0]))

static const struct {
	const char *name;
	int value;
} errnos[] = {
    {"EACCES", EACCES},
    {"EAGAIN", EAGAIN},
    {"EBADF", EBADF},
    {"EDQUOT", EDQUOT},
    {"EEXIST", EEXIST},
    {"EFBIG", EFBIG},
    {"EINTR", EINTR},
    {"EINVAL", EINVAL},
    {"EIO", EIO},
    {"EISDIR", EISDIR},
    {"EMFILE", EMFILE},
    {"EMLINK", EMLINK},
    {"ENFILE", ENFILE},
    {"ENOENT", ENOENT},
    {"ENOMEM", ENOMEM},
    {"ENOSPC", ENOSPC},
    {"ENOTDIR", ENOTDIR},
    {"ENOTEMPTY", ENOTEMPTY},
    {"EPERM", EPERM},
    {"EPIPE", EPIPE},
    {"ECONNRESET", ECONNRESET},
    {"EROFS", EROFS},
    {"ESTALE", ESTALE},
    {"EXDEV", EXDEV},
};

/* Would a system fail this call so?  Known for the disk's own errors. */
static bool
call_fits(const struct call *call, int error)
{
	if (error == ENOSPC || error == EDQUOT)
		return call->traits & SPACE;
	if (error == EIO)
		return call->traits & IO;
	return true;
}

static void
filter_put(struct sock_fprog *prog, struct sock_filter insn)
{
	prog->filter[prog->len++] = insn;
}

#define STMT(code, k) ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, t, f) \
	((struct sock_filter)BPF_JUMP(code, (unsigned int)(k), t, f))

static void
filter_call(struct sock_fprog *prog, unsigned int i)
{
	const struct call *call = &calls[i];
	bool flags = call->flags != NONE;
	size_t at;

	filter_put(
	    prog, JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->nr, 0, flags ? 4 : 1));
	if (flags) {
		at = offsetof(struct seccomp_data, args[call->flags]);
		filter_put(
		    prog, STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)at));
		filter_put(
		    prog, JUMP(BPF_JMP | BPF_JSET | BPF_K, MUTATES, 1, 0));
		filter_put(prog, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	}
	filter_put(prog, STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | i));
}

/* In the child: from now on these calls stop for the tracer. 0 or -1. */
static int
filter_install(void)
{
	static struct sock_filter insns[5 + 5 * NCALLS];
	struct sock_fprog prog = {.len = 0, .filter = insns};
	unsigned int i;

	filter_put(&prog, STMT(BPF_LD | BPF_W | BPF_ABS,
			      offsetof(struct seccomp_data, arch)));
	filter_put(&prog, JUMP(BPF_JMP | BPF_JEQ | BPF_K, HOST_ARCH, 1, 0));
	filter_put(&prog, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	filter_put(&prog,
	    STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	for (i = 0; i < NCALLS; i++)
		filter_call(&prog, i);
	filter_put(&prog, STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
