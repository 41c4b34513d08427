/*
 * The cage that a worker puts itself into before it reads a byte from the
 * network: it keeps its own places, the system's libraries and one or two
 * ports, and loses everything else.
 */

#include "os/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__) && __has_include(<linux/landlock.h>)
#include <linux/landlock.h>

/* Rights that headers older than the running kernel do not know. */
#define FS_REFER (1ULL << 13)     /* Landlock 2 */
#define FS_TRUNCATE (1ULL << 14)  /* Landlock 3 */
#define FS_IOCTL_DEV (1ULL << 15) /* Landlock 5 */
#define NET_CONNECT (1ULL << 1)   /* Landlock 4 */
#define NET_BIND (1ULL << 0)
#define SCOPE_ALL 3ULL /* Landlock 6: signals, abstract sockets */
#define RULE_NET 2

struct ruleset {
	uint64_t fs, net, scoped;
};
struct net_rule {
	uint64_t access, port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_FILE                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	    LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_WRITE                                                           \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |   \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | \
	    LANDLOCK_ACCESS_FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define FS_ALL ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int
allow_path(int rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr a = {.allowed_access = access};
	struct stat st;
	int rv;

	a.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (a.parent_fd == -1)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	if (fstat(a.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		a.allowed_access &= FS_FILE;
	rv = (int)syscall(
	    SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	close(a.parent_fd);
	return rv;
}

/* What getaddrinfo(3), TLS and the C library read. */
static const char *const system_read[] = {"/etc", "/usr", "/lib", "/lib64",
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
    "/run/connman", "/run/nscd", "/etc/resolv.conf", "/nix/store",
    "/var/lib/ca-certificates", "/dev/urandom", "/proc/self",
    "/sys/devices/system/cpu"};

static int
allow_paths(int rules, const struct sandbox *s, uint64_t handled)
{
	size_t i;

	for (i = 0; i < sizeof(system_read) / sizeof(system_read[0]); i++)
		if (allow_path(rules, system_read[i], handled & FS_READ) == -1)
			return -1;
	for (i = 0; i < s->read.n; i++)
		if (allow_path(rules, s->read.v[i], handled & FS_READ) == -1)
			return -1;
	for (i = 0; i < s->write.n; i++)
		if (allow_path(rules, s->write.v[i],
			handled & (FS_READ | FS_WRITE)) == -1)
			return -1;
	return allow_path(rules, "/dev/null",
	    handled & (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE));
}

static int
allow_ports(int rules, const struct sandbox *s)
{
	/* `source-address' binds to any port. */
	struct net_rule any = {NET_BIND, 0};
	size_t i;

	if (syscall(SYS_landlock_add_rule, rules, RULE_NET, &any, 0) == -1)
		return -1;
	for (i = 0; i < sizeof(s->ports) / sizeof(s->ports[0]); i++) {
		struct net_rule r = {NET_CONNECT, s->ports[i]};

		if (s->ports[i] != 0 && syscall(SYS_landlock_add_rule, rules,
					    RULE_NET, &r, 0) == -1)
			return -1;
	}
	return 0;
}

static struct ruleset
rules_for(long abi)
{
	struct ruleset r = {.fs = FS_ALL};

	if (abi >= 2)
		r.fs |= FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 4)
		r.net = NET_BIND | NET_CONNECT;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPE_ALL;
	return r;
}

static int
restrict_files(const struct sandbox *s, char level[160], struct err *e)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset r;
	int rules, rv;

	/* The first Landlock forbids to move a file from tmp/ to new/. */
	if (abi < 2) {
		snprintf(level, 160,
		    "no new privileges (this kernel has no "
		    "Landlock 2: files are not restricted)");
		return 0;
	}
	r = rules_for(abi);
	rules = (int)syscall(SYS_landlock_create_ruleset, &r,
	    abi >= 6   ? sizeof(r)
	    : abi >= 4 ? 16
		       : 8,
	    0);
	if (rules == -1)
		return err_sys(e, ERR_LOCAL, "sandbox: no Landlock ruleset");
	rv = allow_paths(rules, s, r.fs);
	if (rv == 0 && r.net != 0)
		rv = allow_ports(rules, s);
	if (rv == 0)
		rv = (int)syscall(SYS_landlock_restrict_self, rules, 0);
	if (rv == -1)
		err_sys(e, ERR_LOCAL, "sandbox: Landlock");
	close(rules);
	snprintf(level, 160, "Landlock %ld (files%s%s), no new privileges", abi,
	    r.net != 0 ? ", TCP ports" : "", r.scoped != 0 ? ", signals" : "");
	return rv;
}

#else

static int
restrict_files(const struct sandbox *s, char level[160], struct err *e)
{
	(void)s, (void)e;
	snprintf(level, 160, "none (this system has no Landlock)");
	return 0;
}

#endif

int
sandbox_enter(const struct sandbox *s, char level[160], struct err *e)
{
	struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		return err_sys(e, ERR_LOCAL, "sandbox: core dumps");
#ifdef __linux__
	if (prctl(PR_SET_DUMPABLE, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_sys(e, ERR_LOCAL, "sandbox: no new privileges");
#endif
	return restrict_files(s, level, e);
}
