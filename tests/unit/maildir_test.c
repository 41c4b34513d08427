/*
 * os/maildir: what is written, under which names, and what is swept.
 */

#include "os/maildir.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/file.h"
#include "prng.h"
#include "tap.h"

#define TAG 0x1234abcd

static struct err e;
static char dir[] = "/tmp/maildir.XXXXXX";

/* Spools the pieces; the final name. */
static void
spool(struct maildir *m, const char *const *pieces, struct spool *s,
    char name[MAILDIR_NAME])
{
	quiet(spool_open(s, m->tmp, TAG, "spool", &e) == 0, "%s", e.text);
	for (; *pieces != NULL; pieces++)
		quiet(spool_write(s, *pieces, strlen(*pieces), &e) == 0, "%s",
		    e.text);
	quiet(spool_flush(s, &e) == 0 && spool_sync(s, &e) == 0, "%s", e.text);
	spool_final_name(s, name);
}

static void
test_bytes(struct maildir *m)
{
	static const struct {
		const char *in[4];
		const char *file;
		int crlf; /* W= */
	} t[] = {
	    {{"a\r\nb\r\n"}, "a\nb\n", 6},
	    {{"a\r", "\nb"}, "a\nb", 4},
	    {{"a\r", "b\r", "\r\n"}, "a\rb\r\n", 5},
	    {{"\r"}, "\r", 1},
	    {{"a\nb\n"}, "a\nb\n", 6},
	    {{"a\r\r\n"}, "a\r\n", 3},
	    {{"a\r", "\r", "\n"}, "a\r\n", 3},
	    {{""}, "", 0},
	};
	char name[MAILDIR_NAME], have[64], sizes[64];
	struct spool s;
	ssize_t n;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		spool(m, t[i].in, &s, name);
		n = pread(s.fd, have, sizeof(have), 0);
		is_mem(have, n < 0 ? 0 : (size_t)n, t[i].file, "case %zu", i);
		snprintf(sizes, sizeof(sizes), ",S=%zu,W=%d", strlen(t[i].file),
		    t[i].crlf);
		is_str(strchr(name, ','), sizes, "its sizes");
		spool_abandon(&s, m->tmp);
	}
}

/* What the whole text becomes; *crlf_r: W=. */
static size_t
convert(const char *in, size_t n, char *out, size_t *crlf_r)
{
	size_t i, k = 0, lines = 0;

	for (i = 0; i < n; i++) {
		if (in[i] == '\r' && i + 1 < n && in[i + 1] == '\n')
			continue;
		lines += in[i] == '\n' && (k == 0 || out[k - 1] != '\r');
		out[k++] = in[i];
	}
	*crlf_r = k + lines;
	return k;
}

/* Any bytes, in any pieces, come out as the whole would. */
static void
test_pieces(struct maildir *m)
{
	static char in[200000], want[sizeof(in)], have[sizeof(in)];
	size_t n, k, at, len, crlf;
	struct spool s;
	int round;

	for (round = 0; round < 600; round++) {
		n = prng(round % 50 == 0 ? sizeof(in) : 200);
		prng_text(in, n, "a\r\n\r\n\0.xyz", round % 3 == 0 ? 5 : 10);
		quiet(spool_open(&s, m->tmp, TAG, "spool", &e) == 0, "open");
		for (at = 0; at < n; at += k) {
			k = 1 + prng((uint32_t)(n - at));
			if (round % 2 == 0 && k > 7)
				k = 1 + prng(7);
			quiet(spool_write(&s, in + at, k, &e) == 0, "write");
		}
		quiet(spool_flush(&s, &e) == 0, "flush");
		len = convert(in, n, want, &crlf);
		quiet(pread(s.fd, have, sizeof(have), 0) == (ssize_t)len &&
			  memcmp(have, want, len) == 0,
		    "round %d: the bytes", round);
		quiet(s.bytes == len && s.bytes + s.lines == crlf,
		    "round %d: the sizes", round);
		spool_abandon(&s, m->tmp);
	}
	ok(true, "%d texts in pieces", round);
}

static bool
in_dir(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, 0) == 0;
}

/* A name that is known beforehand: a crash's remainder is replaced. */
static void
test_again(struct maildir *m)
{
	char name[MAILDIR_NAME], same[MAILDIR_NAME], other[MAILDIR_NAME];
	char final[MAILDIR_NAME], have[8];
	struct spool s;
	int i;

	maildir_name(1764104000, "0123456789abcdef", name);
	maildir_name(1764104000, "0123456789abcdef", same);
	maildir_name(1764104000, "0123456789abcdee", other);
	is_str(name, same, "the same again");
	ok(strcmp(name, other) != 0, "another key, another name");
	ok(strncmp(name, "1764104000.M0P0Q0R0123456789abcdef.", 35) == 0,
	    "of the usual form: %s", name);
	for (i = 0; i < 2; i++) {
		is_int(spool_open_as(&s, m->tmp, name, "spool", &e), 0, "open");
		is_int(spool_write(
			   &s, i == 0 ? "longer" : "b\r\n", i == 0 ? 6 : 3, &e),
		    0, "write");
		is_int(spool_flush(&s, &e), 0, "flush");
		spool_final_name(&s, final);
		spool_close(&s);
	}
	ok(strncmp(final, name, strlen(name)) == 0, "keeps its name");
	is_int(maildir_place(m, final, ":2,S", &e), 1, "placed");
	strlcat(final, ":2,S", sizeof(final));
	i = openat(m->cur, final, O_RDONLY);
	is_mem(have, (size_t)read(i, have, sizeof(have)), "b\n",
	    "what was written last");
	close(i);
	is_int(maildir_sync_places(m, &e), 0, "durable");
	unlinkat(m->cur, final, 0);
}

static void
test_place(struct maildir *m)
{
	static const char *const text[] = {"x\r\n", NULL};
	char name[MAILDIR_NAME], cur[MAILDIR_NAME + 8];
	struct spool s;
	int fd;

	spool(m, text, &s, name);
	ok(in_dir(m->tmp, s.name), "in tmp/");
	is_int(maildir_place(m, name, NULL, &e), 1, "placed");
	ok(in_dir(m->new, name) && !in_dir(m->tmp, s.name), "moved to new/");
	is_int(maildir_sync_places(m, &e), 0, "synced");
	is_int(maildir_place(m, name, NULL, &e), 0, "placed before");
	ok(maildir_has(m, name), "it is there");
	snprintf(cur, sizeof(cur), "%s:2,S", name);
	quiet(renameat(m->new, name, m->cur, cur) == 0, "rename");
	ok(maildir_has(m, name), "whatever its flags");
	unlinkat(m->cur, cur, 0);
	ok(!maildir_has(m, name), "and now it is gone");
	spool_close(&s);

	/* A link that was made, and the old name left by a kill. */
	spool(m, text, &s, name);
	quiet(linkat(m->tmp, s.name, m->new, name, 0) == 0, "link");
	is_int(maildir_place(m, name, NULL, &e), 1, "half placed");
	ok(!in_dir(m->tmp, s.name) && in_dir(m->new, name), "one name is left");
	unlinkat(m->new, name, 0);
	spool_close(&s);

	/* Nothing is ever replaced. */
	spool(m, text, &s, name);
	fd = openat(m->new, name, O_WRONLY | O_CREAT, 0600);
	close(fd);
	is_int(maildir_place(m, name, NULL, &e), -1, "another file is there");
	ok(in_dir(m->tmp, s.name), "ours stays in tmp/");
	unlinkat(m->new, name, 0);
	is_int(maildir_place(m, name, ":2,FS", &e), 1, "to cur/");
	snprintf(cur, sizeof(cur), "%s:2,FS", name);
	ok(in_dir(m->cur, cur), "with flags");
	unlinkat(m->cur, cur, 0);
	spool_close(&s);
}

static void
touch(struct maildir *m, const char *name, int64_t age)
{
	struct timespec t[2] = {{0}, {0}};
	int fd = openat(m->tmp, name, O_WRONLY | O_CREAT, 0600);

	t[0].tv_sec = t[1].tv_sec = time(NULL) - age;
	quiet(futimens(fd, t) == 0, "age");
	close(fd);
}

static void
test_sweep(struct maildir *m)
{
	const int64_t old = 37 * 3600;
	char mine[MAILDIR_NAME], theirs[MAILDIR_NAME], aged[MAILDIR_NAME];

	maildir_unique(TAG, mine);
	maildir_unique(TAG + 1, theirs);
	maildir_unique(TAG + 2, aged);
	touch(m, mine, 0);
	touch(m, theirs, 35 * 3600);
	touch(m, aged, old);
	touch(m, "1700000000.12345_1.otherhost", old);
	touch(m, "1700000000.M1P2Q3R1234abcd00000000.other.host", old);
	maildir_sweep(m, TAG);
	ok(!in_dir(m->tmp, mine), "what is ours goes");
	ok(in_dir(m->tmp, theirs), "of another section, and fresh: stays");
	ok(!in_dir(m->tmp, aged), "of another section, and old: goes");
	ok(in_dir(m->tmp, "1700000000.12345_1.otherhost"), "another's name");
	ok(in_dir(m->tmp, "1700000000.M1P2Q3R1234abcd00000000.other.host"),
	    "another host's");
	unlinkat(m->tmp, "1700000000.12345_1.otherhost", 0);
	unlinkat(m->tmp, "1700000000.M1P2Q3R1234abcd00000000.other.host", 0);
	unlinkat(m->tmp, theirs, 0);
}

static void
test_walk(struct maildir *m)
{
	struct maildir_walk *it = NULL;
	const char *name;
	int fd, n = 0;

	close(openat(m->new, "a", O_WRONLY | O_CREAT, 0600));
	close(openat(m->cur, "b:2,S", O_WRONLY | O_CREAT, 0600));
	close(openat(m->tmp, "c", O_WRONLY | O_CREAT, 0600));
	while (maildir_next(m, &it, &fd, &name) == 1) {
		n++;
		close(fd);
	}
	is_int(n, 2, "new/ and cur/ are walked, tmp/ is not");
	ok(it == NULL, "and the walk is freed");
	unlinkat(m->new, "a", 0);
	unlinkat(m->cur, "b:2,S", 0);
	unlinkat(m->tmp, "c", 0);
}

static void
test_open(const char *path)
{
	struct maildir m;
	char file[64];

	is_int(maildir_open(path, false, &m, &e), -1, "it is not there");
	ok(strstr(e.text, "not a Maildir") != NULL, "and says so: %s", e.text);
	snprintf(file, sizeof(file), "%s/file", dir);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	is_int(maildir_open(file, true, &m, &e), -1, "a file");
	is_int(err_exit(&e), 73, "cannot be created");
	unlink(file);
}

int
main(void)
{
	static const char *const subs[] = {"tmp", "new", "cur", ""};
	struct maildir m;
	char path[64], sub[128];
	size_t i;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/in", dir);
	test_open(path);
	is_int(maildir_open(path, true, &m, &e), 0, "made");
	test_bytes(&m);
	test_pieces(&m);
	test_place(&m);
	test_again(&m);
	test_sweep(&m);
	test_walk(&m);
	maildir_close(&m);
	for (i = 0; i < 4; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, subs[i]);
		ok(rmdir(sub) == 0, "nothing is left in %s/", subs[i]);
	}
	rmdir(dir);
	return done();
}
