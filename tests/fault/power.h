/*
 * What of a directory tree would survive a power cut. Part of fault.c.
 *
 * The harshest reading of POSIX: a file holds what it held when it was last
 * fsynced, and nothing when it never was; a directory has the entries it had
 * when it was last fsynced, and none when it never was; what was there at the
 * start is durable. The optimistic variant takes the entries as they are at
 * the cut, as an ordering file system might, and drops only unsynced data.
 * Files named *-shm (SQLite's shared memory) never survive.
 *
 * An inode is known by its file handle, which on ext4, xfs, btrfs and tmpfs
 * holds the generation, so a reused inode number is not taken for the old
 * file; elsewhere by number and birth time.
 *
 * MIRROR must be empty, outside the tree, and on its file system. Afterwards
 * MIRROR/lost holds what the tree was before the cut.
 */

#include <sys/sendfile.h>

#include <fts.h>

struct key {
	unsigned int len;
	unsigned char data[MAX_HANDLE_SZ + sizeof(int)];
};

struct entry {
	char *name;        /* owned */
	struct node *node; /* borrowed */
};

struct listing {
	struct entry *at; /* owned */
	size_t n, cap;
};

/* An inode; never freed, since a durable entry may still mean it. */
struct node {
	SLIST_ENTRY(node) link;
	struct key key;
	struct stat st;
	char *target;      /* owned; of a symbolic link */
	unsigned int snap; /* MIRROR/snap/<n>, 0: never synced */
	struct listing durable;
	char *placed; /* owned; where the restored one lies */
};

/* What a sync under way will have made durable once it succeeds. */
struct pend {
	SLIST_ENTRY(pend) link;
	struct node *node; /* borrowed */
	unsigned int snap;
	struct listing listing;
};
SLIST_HEAD(pends, pend);

static struct {
	const char *root, *mirror; /* borrowed */
	dev_t dev;
	unsigned int snaps;
	SLIST_HEAD(, node) nodes[4096];
} power;

static void *
alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		err(EX_OSERR, NULL);
	return p;
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *
format(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) == -1)
		err(EX_OSERR, NULL);
	va_end(ap);
	return s;
}

/* --- inodes --------------------------------------------------------------- */

/* -1 when there is no such file. */
static int
key_of(int dirfd, const char *name, int follow, struct key *key)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	struct statx sx;
	int mount, nofollow = follow ? 0 : AT_SYMLINK_NOFOLLOW;

	memset(key, 0, sizeof(*key));
	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dirfd, name, &u.h, &mount, follow) == 0) {
		memcpy(key->data, &u.h.handle_type, sizeof(int));
		memcpy(key->data + sizeof(int), u.h.f_handle, u.h.handle_bytes);
		key->len = (unsigned int)sizeof(int) + u.h.handle_bytes;
		return 0;
	}
	if (statx(dirfd, name, nofollow, STATX_INO | STATX_BTIME, &sx) == -1)
		return -1;
	memcpy(key->data, &sx.stx_ino, sizeof(sx.stx_ino));
	memcpy(key->data + 8, &sx.stx_btime.tv_sec, 8);
	memcpy(key->data + 16, &sx.stx_btime.tv_nsec, 4);
	key->len = 20;
	return 0;
}

/* The inode of that name, seen for the first time or again; NULL: gone. */
static struct node *
node_get(int dirfd, const char *name, int follow)
{
	struct node *node;
	struct stat st;
	unsigned int i, hash = 2166136261u;
	struct key key;

	if (key_of(dirfd, name, follow, &key) == -1 ||
	    fstatat(dirfd, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) == -1)
		return NULL;
	for (i = 0; i < key.len; i++)
		hash = (hash ^ key.data[i]) * 16777619u;
	hash %= 4096;
	SLIST_FOREACH (node, &power.nodes[hash], link)
		if (node->key.len == key.len &&
		    memcmp(node->key.data, key.data, key.len) == 0)
			break;
	if (node == NULL) {
		node = alloc(1, sizeof(*node));
		node->key = key;
		SLIST_INSERT_HEAD(&power.nodes[hash], node, link);
	}
	node->st = st;
	return node;
}

static void
listing_clear(struct listing *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->at[i].name);
	free(l->at);
	*l = (struct listing){0};
}

static void
listing_add(struct listing *l, const char *name, struct node *node)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 16 : 2 * l->cap;
		l->at = reallocarray(l->at, l->cap, sizeof(*l->at));
		if (l->at == NULL)
			err(EX_OSERR, NULL);
	}
	l->at[l->n].name = format("%s", name);
	l->at[l->n++].node = node;
}

/* --- gathering ------------------------------------------------------------ */

static struct pend *
pend_add(struct pends *pends, struct node *node)
{
	struct pend *p = alloc(1, sizeof(*p));

	p->node = node;
	SLIST_INSERT_HEAD(pends, p, link);
	return p;
}

static void
snap_drop(unsigned int snap)
{
	char *path = format("%s/snap/%u", power.mirror, snap);

	if (snap != 0 && unlink(path) == -1)
		err(EX_IOERR, "%s", path);
	free(path);
}

/* Ends a sync: what it was to make durable now is, or is not. */
static void
pend_end(struct pends *pends, bool success)
{
	struct pend *p;

	while ((p = SLIST_FIRST(pends)) != NULL) {
		struct node *node = p->node;

		SLIST_REMOVE_HEAD(pends, link);
		if (!success) {
			snap_drop(p->snap);
			listing_clear(&p->listing);
		} else if (p->snap != 0) {
			snap_drop(node->snap);
			node->snap = p->snap;
		} else {
			listing_clear(&node->durable);
			node->durable = p->listing;
		}
		free(p);
	}
}

static void
gather_file(struct pends *pends, const char *path, struct node *node)
{
	unsigned int snap = ++power.snaps;
	char *to = format("%s/snap/%u", power.mirror, snap);
	int in = open(path, O_RDONLY | O_CLOEXEC), out;
	struct timespec times[2];
	ssize_t n;

	if (in == -1) {
		free(to);
		return;
	}
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out == -1)
		err(EX_CANTCREAT, "%s", to);
	do
		n = sendfile(out, in, NULL, 1 << 30);
	while (n > 0);
	times[0] = node->st.st_atim;
	times[1] = node->st.st_mtim;
	if (n == -1 || futimens(out, times) == -1)
		err(EX_IOERR, "%s", to);
	close(out);
	close(in);
	free(to);
	pend_add(pends, node)->snap = snap;
}

static void
gather_link(int dirfd, const char *name, struct node *node)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n != -1 && node->target == NULL)
		node->target = format("%.*s", (int)n, target);
}

static void
gather_dir(struct pends *pends, const char *path, struct node *node)
{
	struct pend *p = pend_add(pends, node);
	DIR *dir = opendir(path);
	struct dirent *de;
	struct node *child;

	while (dir != NULL && (de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		child = node_get(dirfd(dir), de->d_name, 0);
		if (child == NULL)
			continue;
		if (S_ISLNK(child->st.st_mode))
			gather_link(dirfd(dir), de->d_name, child);
		listing_add(&p->listing, de->d_name, child);
	}
	if (dir != NULL)
		closedir(dir);
}

/* One file or directory; path may be a link below /proc. */
static void
power_gather(struct pends *pends, const char *path)
{
	struct node *node = node_get(AT_FDCWD, path, AT_SYMLINK_FOLLOW);

	if (node == NULL || node->st.st_dev != power.dev)
		return;
	if (S_ISDIR(node->st.st_mode))
		gather_dir(pends, path, node);
	else if (S_ISREG(node->st.st_mode))
		gather_file(pends, path, node);
}

/* The whole tree, or its directories only. */
static void
power_gather_all(struct pends *pends, bool files)
{
	char *paths[] = {format("%s", power.root), NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;

	if (fts == NULL)
		err(EX_OSERR, "%s", power.root);
	while ((e = fts_read(fts)) != NULL)
		if (e->fts_info == FTS_D || (files && e->fts_info == FTS_F))
			power_gather(pends, e->fts_path);
	fts_close(fts);
	free(paths[0]);
}

static void
mirror_mkdir(const char *sub)
{
	char *path = format("%s/%s", power.mirror, sub);

	if (mkdir(path, 0700) == -1)
		err(EX_CANTCREAT, "%s", path);
	free(path);
}

static void
power_init(const char *root, const char *mirror)
{
	struct pends pends = SLIST_HEAD_INITIALIZER(pends);
	struct stat st, mirror_st;
	size_t n;

	if (mkdir(mirror, 0700) == -1 && errno != EEXIST)
		err(EX_CANTCREAT, "%s", mirror);
	power.root = realpath(root, NULL);
	power.mirror = realpath(mirror, NULL);
	if (power.root == NULL || stat(power.root, &st) == -1)
		err(EX_NOINPUT, "%s", root);
	if (power.mirror == NULL || stat(power.mirror, &mirror_st) == -1)
		err(EX_NOINPUT, "%s", mirror);
	n = strlen(power.root);
	if (st.st_dev != mirror_st.st_dev ||
	    (strncmp(power.mirror, power.root, n) == 0 &&
		(power.mirror[n] == '/' || power.mirror[n] == '\0')))
		errx(EX_USAGE, "%s: must lie outside %s, on its file system",
		    mirror, root);
	power.dev = st.st_dev;
	mirror_mkdir("snap");
	power_gather_all(&pends, true);
	pend_end(&pends, true);
}

/* --- restoring ------------------------------------------------------------ */

static void
give_owner(const char *path, const struct stat *st)
{
	if (lchown(path, st->st_uid, st->st_gid) == -1 && geteuid() == 0)
		err(EX_OSERR, "%s", path);
	if (!S_ISLNK(st->st_mode) && chmod(path, st->st_mode & 07777) == -1)
		err(EX_OSERR, "%s", path);
}

static void
restore_file(struct node *node, const char *path)
{
	char *snap = format("%s/snap/%u", power.mirror, node->snap);
	int fd;

	if (node->snap != 0) {
		if (rename(snap, path) == -1)
			err(EX_IOERR, "%s", path);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1)
			err(EX_CANTCREAT, "%s", path);
		close(fd);
	}
	free(snap);
	give_owner(path, &node->st);
}

static bool
is_shm(const char *name)
{
	size_t n = strlen(name);

	return n >= 4 && strcmp(name + n - 4, "-shm") == 0;
}

/* A directory already placed elsewhere (moved, both names durable) is not. */
static void
restore_entry(struct listing *dirs, const struct entry *e, const char *dir)
{
	char *path = format("%s/%s", dir, e->name);
	struct node *node = e->node;
	int rv = 0;

	if (S_ISREG(node->st.st_mode) && node->placed != NULL)
		rv = link(node->placed, path);
	else if (S_ISREG(node->st.st_mode))
		restore_file(node, path);
	else if (S_ISLNK(node->st.st_mode) && node->target != NULL) {
		rv = symlink(node->target, path);
		if (rv == 0)
			give_owner(path, &node->st);
	} else if (S_ISDIR(node->st.st_mode) && node->placed == NULL) {
		rv = mkdir(path, 0700);
		listing_add(dirs, path, node);
	}
	if (rv == -1)
		err(EX_IOERR, "%s", path);
	if (node->placed == NULL)
		node->placed = path;
	else
		free(path);
}

static void
move_all(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *de;
	char *a, *b;

	if (dir == NULL)
		err(EX_OSERR, "%s", from);
	while ((de = readdir(dir)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0)
			continue;
		a = format("%s/%s", from, de->d_name);
		b = format("%s/%s", to, de->d_name);
		if (rename(a, b) == -1)
			err(EX_IOERR, "%s", a);
		free(a);
		free(b);
	}
	closedir(dir);
}

/* The cut: the tree becomes what was durable. Nothing runs in it any more. */
static void
power_restore(bool optimistic)
{
	struct pends pends = SLIST_HEAD_INITIALIZER(pends);
	struct listing dirs = {0};
	char *tree = format("%s/tree", power.mirror);
	char *lost = format("%s/lost", power.mirror);
	size_t i, k;

	if (optimistic) {
		power_gather_all(&pends, false);
		pend_end(&pends, true);
	}
	mirror_mkdir("tree");
	mirror_mkdir("lost");
	listing_add(&dirs, tree, node_get(AT_FDCWD, power.root, 0));
	for (i = 0; i < dirs.n; i++) {
		const struct entry dir = dirs.at[i];
		const struct listing *l = &dir.node->durable;

		for (k = 0; k < l->n; k++)
			if (!is_shm(l->at[k].name))
				restore_entry(&dirs, &l->at[k], dir.name);
		give_owner(dir.name, &dir.node->st);
	}
	listing_clear(&dirs);
	move_all(power.root, lost);
	move_all(tree, power.root);
	free(tree);
	free(lost);
}
