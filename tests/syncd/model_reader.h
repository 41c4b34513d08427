/*
 * A mail reader on the Maildirs: plain files, links and renames.
 */
#ifndef TESTS_SYNCD_MODEL_READER_H
#define TESTS_SYNCD_MODEL_READER_H

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <time.h>
#include <unistd.h>

#include "model_world.h"

#define PATH 1000

struct local_mail {
	char name[256];
	bool in_new;
	unsigned int flags;
	size_t id; /* SIZE_MAX: none of ours */
};

enum layout { NESTED, PLUS, FLAT };
static const char *const layouts[] = {"nested", "maildir++", "flat ^"};

static struct reader {
	const char *root;
	enum layout layout;
	struct local_mail mail[2000]; /* of the folder that was listed last */
	size_t n_mail;
	unsigned int count; /* for names */
} reader;

/* "cur/NAME" and the like of a folder; the directory itself: "". */
static const char *
at(size_t folder, const char *part)
{
	static char out[4][PATH];
	static int turn;
	char *o = out[turn = (turn + 1) % 4], *p;
	size_t n = strlen(reader.root);
	bool inbox = folder == 0 && reader.layout == PLUS;

	snprintf(o, PATH, "%s/%s%s", reader.root,
	    inbox                   ? "."
	    : reader.layout == PLUS ? "."
				    : "",
	    inbox ? "" : names[folder].name);
	for (p = o + n + 1; reader.layout != NESTED && *p != '\0'; p++)
		if (*p == '/')
			*p = reader.layout == PLUS ? '.' : '^';
	strlcat(o, "/", PATH);
	strlcat(o, part, PATH);
	return o;
}

static bool
make_here(size_t folder)
{
	char parent[PATH], *slash;

	strlcpy(parent, at(folder, ""), sizeof(parent));
	parent[strlen(parent) - 1] = '\0';
	for (slash = parent + strlen(reader.root) + 1;
	     (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		(void)mkdir(parent, 0700);
	}
	(void)mkdir(parent, 0700);
	return (mkdir(at(folder, "tmp"), 0700) == 0 || errno == EEXIST) &&
	       (mkdir(at(folder, "new"), 0700) == 0 || errno == EEXIST) &&
	       (mkdir(at(folder, "cur"), 0700) == 0 || errno == EEXIST);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void
remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* Its messages, but not the folders within it. */
static void
remove_here(size_t folder)
{
	remove_tree(at(folder, "tmp"));
	remove_tree(at(folder, "new"));
	remove_tree(at(folder, "cur"));
	(void)unlink(at(folder, "maildirfolder"));
	(void)unlink(at(folder, "dovecot-keywords"));
	(void)rmdir(at(folder, ""));
}

/* --- what is there ------------------------------------------------------------------ */

static char *
read_file(const char *path, size_t *n_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;

	if (fd != -1 && fstat(fd, &st) == 0) {
		text = mem_array((size_t)st.st_size + 1, 1);
		n = read(fd, text, (size_t)st.st_size);
	}
	if (fd != -1)
		close(fd);
	*n_r = n > 0 ? (size_t)n : 0;
	return text;
}

static size_t
which(const char *path)
{
	char begin[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd != -1 ? read(fd, begin, sizeof(begin)) : 0;

	if (fd != -1)
		close(fd);
	return n > 0 ? message_of(begin, (size_t)n) : SIZE_MAX;
}

static unsigned int
flags_of(const char *name)
{
	const char *info = strstr(name, ":2,"), *p;
	unsigned int flags = 0;

	for (info = info != NULL ? info + 3 : ""; *info != '\0'; info++)
		if ((p = strchr(letters, *info)) != NULL)
			flags |= BIT(p - letters);
	return flags;
}

static const char *
part_of(const char *name, bool in_new)
{
	static char out[4][300];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(
	    out[turn], sizeof(out[0]), "%s/%s", in_new ? "new" : "cur", name);
	return out[turn];
}

static void
list_part(size_t folder, bool in_new)
{
	DIR *d = opendir(at(folder, in_new ? "new" : "cur"));
	struct local_mail *m;
	struct dirent *de;

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		m = &reader.mail[reader.n_mail++];
		strlcpy(m->name, de->d_name, sizeof(m->name));
		m->in_new = in_new;
		m->flags = flags_of(m->name);
		m->id = which(at(folder, part_of(m->name, in_new)));
	}
	if (d != NULL)
		closedir(d);
}

static void
list_here(size_t folder)
{
	reader.n_mail = 0;
	list_part(folder, true);
	list_part(folder, false);
}

/* --- what a reader does -------------------------------------------------------------- */

/* Names as programs make them; those of delivery agents, mutt, mblaze, Dovecot,
 * mbsync and offlineimap. */
static void
make_name(char out[200])
{
	unsigned int n = ++reader.count, r = prng(UINT32_MAX);
	long now = (long)time(NULL);

	switch (prng(6)) {
	case 0:
		snprintf(out, 200, "%ld.R%u_%u.host", now, r, n);
		return;
	case 1:
		snprintf(out, 200, "%ld.%u_%u.host", now, r % 99999, n);
		return;
	case 2:
		snprintf(
		    out, 200, "%ld.M%uP%u.host,S=%u,W=%u", now, r, n, r, r + 1);
		return;
	case 3:
		snprintf(
		    out, 200, "%ld.%u_%u.host,U=%u", now, r % 99999, n, n % 7);
		return;
	case 4:
		snprintf(out, 200, "msg.%x-%u", r, n);
		return;
	default:
		snprintf(out, 200, "%ld_%u.%u.host,U=%u,FMD5=%08x%08x", now, n,
		    r, n, r, n);
		return;
	}
}

static void
add_info(char name[256], unsigned int flags)
{
	static const char order[] = "DFPRST";
	size_t n = strcspn(name, ":");
	const char *p;

	n += (size_t)snprintf(name + n, 256 - n, ":2,");
	for (p = order; *p != '\0'; p++)
		if ((flags & BIT(strchr(letters, *p) - letters)) != 0)
			name[n++] = *p;
	name[n] = '\0';
}

static bool
write_file(const char *path, const struct message *m)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd != -1 && write(fd, m->text, m->n) == (ssize_t)m->n;

	if (fd != -1)
		close(fd);
	return ok;
}

/* Written to tmp/, then put in its place under that name. */
static bool
deliver(size_t folder, const struct message *m, const char *name, bool in_new)
{
	char tmp[PATH];

	snprintf(tmp, sizeof(tmp), "%s/%u", at(folder, "tmp"), ++reader.count);
	if (write_file(tmp, m) &&
	    rename(tmp, at(folder, part_of(name, in_new))) == 0)
		return true;
	(void)unlink(tmp);
	return false;
}

static void
here_new(size_t folder)
{
	bool in_new = prng(2) == 0;
	unsigned int flags =
	    in_new || prng(2) == 0 ? 0 : prng(64) & world.usable & ~MARK;
	size_t id = make_message(HERE, folder, flags);
	char name[256], text[8];

	make_name(name);
	if (!in_new && (flags != 0 || prng(3) != 0))
		add_info(name, flags);
	if (!deliver(folder, &world.v[id], name, in_new)) {
		world.v[id].dead = true;
		return;
	}
	note(id, "made here in %s, %s, as %s", names[folder].name,
	    show_flags(flags, text), part_of(name, in_new));
}

/* False: it has another name by now. */
static bool
rename_to(size_t folder, struct local_mail *m, size_t to, const char *name,
    bool in_new)
{
	if (rename(at(folder, part_of(m->name, m->in_new)),
		at(to, part_of(name, in_new))) == -1)
		return false;
	strlcpy(m->name, name, sizeof(m->name));
	m->in_new = in_new;
	return true;
}

static void
here_flag(size_t folder, struct local_mail *m)
{
	unsigned int bit = BIT(prng(6));
	bool set = (m->flags & bit) == 0;
	struct message *w = &world.v[m->id];
	char name[256];

	if ((bit & world.usable) == 0 || (bit == MARK && prng(3) != 0))
		return;
	strlcpy(name, m->name, sizeof(name));
	add_info(name, m->flags ^ bit);
	if (!rename_to(folder, m, folder, name, false))
		return;
	did_flag(HERE, m->id, bit, set);
	if (bit == MARK && set)
		did_delete(HERE, m->id,
		    ((w->flags | w->touched[THERE]) & MARK) != 0 ? MAYBE : YES);
	note(m->id, "here: %c%c in %s", set ? '+' : '-',
	    letters[__builtin_ctz(bit)], names[folder].name);
}

/* What opens a message does with it: no longer new. */
static void
here_open(size_t folder, struct local_mail *m)
{
	char name[256];

	strlcpy(name, m->name, sizeof(name));
	add_info(name, m->flags);
	if (m->in_new && rename_to(folder, m, folder, name, false))
		note(m->id, "here: no longer new");
}

static void
here_delete(size_t folder, const struct local_mail *m)
{
	if (unlink(at(folder, part_of(m->name, m->in_new))) == -1)
		return;
	did_delete(HERE, m->id, YES);
	note(m->id, "here: deleted in %s", names[folder].name);
}

static void
here_move(size_t folder, struct local_mail *m, size_t to)
{
	bool in_new = m->in_new && prng(2) == 0;
	char name[256];

	strlcpy(name, m->name, sizeof(name));
	if (!in_new)
		add_info(name, m->flags);
	if (!rename_to(folder, m, to, name, in_new))
		return;
	did_move(HERE, m->id, to);
	note(m->id, "here: moved from %s to %s", names[folder].name,
	    names[to].name);
}

/* What is left of a message in a folder goes, whatever its name is by now. */
static void
clear_here(size_t folder, size_t id)
{
	struct local_mail *m;
	int look;

	for (look = 0; look < 5; look++) {
		list_here(folder);
		for (m = reader.mail; m < reader.mail + reader.n_mail; m++)
			if (m->id == id &&
			    unlink(at(folder, part_of(m->name, m->in_new))) ==
				0)
				return;
	}
}

/* As mutt does: a new file with a name of its own, then the old one goes. */
static void
here_save(size_t folder, const struct local_mail *m, size_t to)
{
	size_t id = m->id;
	char name[256], old[PATH];

	strlcpy(old, at(folder, part_of(m->name, m->in_new)), sizeof(old));
	make_name(name);
	add_info(name, m->flags);
	if (access(old, F_OK) == -1 || !deliver(to, &world.v[id], name, false))
		return;
	world.v[id].renamed = true;
	did_move(HERE, id, to);
	note(id, "here: saved from %s to %s", names[folder].name,
	    names[to].name);
	if (unlink(old) == -1)
		clear_here(folder, id);
}

#endif
