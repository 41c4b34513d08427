/*
 * What others put into a Maildir tree, or a server into a list: names of files
 * and of folders, the file dovecot-keywords, the file .syncd, and messages, as
 * far as they are read to be known. The first byte of a case tells for whom the
 * rest is, and the layout.
 */

#include "local.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/mem.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct err e;
static char dir[] = "/tmp/local_fuzz.XXXXXX";

static void
remove_dir(void)
{
	static const char *const names[] = {"dovecot-keywords", ".syncd"};
	char path[64];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* What is put there is what the next one reads. */
static void
put_file(const char *name, struct span s)
{
	static bool made;
	char path[64];
	int fd;

	if (!made) {
		MUST(mkdtemp(dir) != NULL && atexit(remove_dir) == 0);
		made = true;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	MUST(fd != -1 && write(fd, s.p, s.n) == (ssize_t)s.n);
	close(fd);
}

/* --- files ----------------------------------------------------------------- */

static void
fuzz_file_name(struct span s)
{
	static const plan_flags sets[] = {0, PLAN_SEEN,
	    PLAN_SEEN | PLAN_DELETED | PLAN_KEYWORD(0), PLAN_KEYWORD(25),
	    PLAN_DRAFT | PLAN_FLAGGED | PLAN_PASSED | PLAN_ANSWERED};
	struct span unique = local_unique(s), after;
	char name[MAILDIR_NAME];
	size_t i;

	if (memchr(s.p, '\0', s.n) != NULL || memchr(s.p, '/', s.n) != NULL)
		return; /* no name of a file */
	MUST(unique.n <= s.n);
	(void)local_flags(s);
	for (i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (!local_with_flags(s, sets[i], name))
			continue;
		after = span_of(name);
		MUST(after.n < MAILDIR_NAME && strchr(name, '/') == NULL);
		MUST(local_flags(after) == sets[i]);
		MUST(span_same(local_unique(after), unique));
	}
}

/* --- folders ---------------------------------------------------------------- */

static bool
is_below(const char *path)
{
	const char *p = path;

	if (*p == '/')
		return false;
	for (; p != NULL; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "../", 3) == 0 || strcmp(p, "..") == 0 ||
		    strncmp(p, "./", 2) == 0 || strcmp(p, ".") == 0 ||
		    (*p == '/' && p > path))
			return false;
	}
	return true;
}

static void
fuzz_folder(const struct sync *y, struct span s, char sep)
{
	char *path, *back;

	/* No name in a list has a NUL: the parser takes none. */
	if (memchr(s.p, '\0', s.n) != NULL)
		return;
	path = local_path_of(y, s, sep, &e);
	if (path == NULL)
		return;
	MUST(is_below(path));
	MUST(!enc_utf8_valid(s) || enc_utf8_valid(span_of(path)));
	back = local_remote_of(y, span_of(path), sep, &e);
	/* INBOX is INBOX in any case. */
	MUST(back != NULL &&
	     (span_eq(s, back) ||
		 (strncmp(back, "INBOX", 5) == 0 && span_caseeq(s, back))));
	free(back);
	free(path);
}

/* What lies on the disk: if it has a name there, it comes back to its place. */
static void
fuzz_path(const struct sync *y, struct span s, char sep)
{
	char *remote, *path;

	if (memchr(s.p, '\0', s.n) != NULL)
		return;
	remote = local_remote_of(y, s, sep, &e);
	if (remote == NULL)
		return;
	path = local_path_of(y, span_of(remote), sep, &e);
	MUST(path == NULL || is_below(path));
	MUST(path == NULL || span_eq(s, path));
	free(path);
	free(remote);
}

/* --- what is in files -------------------------------------------------------- */

static void
fuzz_keywords(struct span s)
{
	struct maildir md = {.path = dir, .tmp = -1, .new = -1, .cur = -1};
	struct local_keywords k = {0};
	int i, n = 0;

	put_file("dovecot-keywords", s);
	if (local_keywords_read(&md, &k, &e) == 0) {
		for (i = 0; i < 26; i++) {
			if (k.names[i] == NULL)
				continue;
			n++;
			MUST(
			    local_keyword(&k, span_of(k.names[i]), false) <= i);
		}
		i = local_keyword(&k, span_of("$NotYetThere"), true);
		MUST(n == 26 || i >= 0);
	}
	local_keywords_clear(&k);
}

static void
fuzz_turn(struct span s)
{
	struct sync y = {.maildir = dir};

	put_file(".syncd", s);
	(void)local_turn_is(&y, 0x12345678, 5);
	MUST(local_turn_set(&y, 0x12345678, 77, &e) == 0);
	MUST(local_turn_is(&y, 0x12345678, 77));
	MUST(!local_turn_is(&y, 0x12345678, 78));
}

static void
fuzz_message(struct span s)
{
	unsigned char one[LOCAL_DIGEST], two[LOCAL_DIGEST];
	uint64_t size = 0, again = 0;
	bool id, id_again;
	int fd = memfd_create("message", 0);

	MUST(fd != -1 && write(fd, s.p, s.n) == (ssize_t)s.n);
	MUST(local_identity(fd, &size, one, &id, &e) == 0);
	MUST(local_identity(fd, &again, two, &id_again, &e) == 0);
	MUST(size == again && id == id_again && memcmp(one, two, 16) == 0);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char seps[] = {'/', '.', '\0', '\\'};
	struct sync y = {.flat = '.'};
	struct span s;
	char *copy;

	if (n == 0 || n > 100000)
		return 0;
	y.layout = (enum sync_layout)(*data >> 3) % 3;
	copy = mem_alloc(n);
	memcpy(copy, data + 1, n - 1);
	s = span_bytes(copy, n - 1);
	switch (*data & 7) {
	case 0:
	case 1:
		fuzz_file_name(s);
		break;
	case 2:
	case 3:
		fuzz_folder(&y, s, seps[*data >> 6]);
		break;
	case 4:
		fuzz_path(&y, s, seps[*data >> 6]);
		break;
	case 5:
		fuzz_keywords(s);
		break;
	case 6:
		fuzz_turn(s);
		break;
	case 7:
		fuzz_message(s);
		break;
	}
	free(copy);
	return 0;
}
