/*
 * mkmail: puts messages straight into the Maildir of a test server's user.
 *
 *	mkmail DIR USER FOLDER [N SIZE | FILE...]
 *
 * Owns the content of the mail that tests and benchmarks serve. It is made
 * from a running number, kept in DIR/feed.seq: the same feeds into a fresh DIR
 * give the same bytes, names, order and dates, and no two messages are equal.
 * It exists because a shell takes minutes for what benchmarks need.
 */

#include <sys/file.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST_DATE 1700000000

struct msg {
	char *data;  /* owned */
	size_t size; /* bytes allocated */
	size_t len;  /* bytes used */
};

static int folder_fd;     /* the Maildir folder */
static struct stat owner; /* of DIR/mail, and so of all below */

static void
give(int fd)
{
	if (geteuid() == 0 && fchown(fd, owner.st_uid, owner.st_gid) == -1)
		err(1, "fchown");
}

static int
open_dir(int at, const char *name)
{
	int fd;
	bool made = mkdirat(at, name, 0700) == 0;

	if (!made && errno != EEXIST)
		err(1, "mkdir %s", name);
	if ((fd = openat(at, name, O_RDONLY | O_DIRECTORY)) == -1)
		err(1, "open %s", name);
	if (made)
		give(fd);
	return fd;
}

/* INBOX is the user's Maildir itself; A/B is its subfolder .A.B (Maildir++). */
static void
open_folder(const char *user, const char *folder)
{
	static const char *const sub[] = {"tmp", "new", "cur"};
	char name[256] = ".";
	int mail_fd, user_fd, fd;

	if ((mail_fd = open("mail", O_RDONLY | O_DIRECTORY)) == -1 ||
	    fstat(mail_fd, &owner) == -1)
		err(1, "mail");
	user_fd = folder_fd = open_dir(mail_fd, user);
	for (size_t i = 0; i < 3; i++)
		close(open_dir(user_fd, sub[i]));
	if (strcmp(folder, "INBOX") == 0)
		return;
	if (strlcat(name, folder, sizeof(name)) >= sizeof(name))
		errx(1, "%s: name is too long", folder);
	for (char *p = name; *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	folder_fd = open_dir(user_fd, name);
	for (size_t i = 0; i < 3; i++)
		close(open_dir(folder_fd, sub[i]));
	fd = openat(folder_fd, "maildirfolder", O_WRONLY | O_CREAT, 0600);
	if (fd == -1)
		err(1, "maildirfolder");
	give(fd);
	close(fd);
}

/* Takes n numbers: returns the first. */
static unsigned long
take_numbers(unsigned long n)
{
	char text[32] = "";
	unsigned long first;
	int fd = open("feed.seq", O_RDWR | O_CREAT, 0644);
	int len;

	if (fd == -1 || flock(fd, LOCK_EX) == -1 ||
	    pread(fd, text, sizeof(text) - 1, 0) == -1)
		err(1, "feed.seq");
	first = strtoul(text, NULL, 10);
	len = snprintf(text, sizeof(text), "%lu\n", first + n);
	if (pwrite(fd, text, (size_t)len, 0) != len)
		err(1, "feed.seq");
	close(fd);
	return first;
}

static void
msg_reserve(struct msg *m, size_t size)
{
	if (size <= m->size)
		return;
	if ((m->data = realloc(m->data, size)) == NULL)
		err(1, NULL);
	m->size = size;
}

static size_t
count_bare_lf(const struct msg *m)
{
	const char *p = m->data, *end = m->data + m->len;
	size_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n += p == m->data || p[-1] != '\r';
		p++;
	}
	return n;
}

/*
 * Puts m into new/, or into cur/ when the environment's FLAGS says which flags
 * it has (perhaps none). A server may be looking: the name appears last.
 */
static void
deliver(const struct msg *m, unsigned long seq)
{
	const struct timespec at[2] = {
	    {.tv_sec = FIRST_DATE + (time_t)seq},
	    {.tv_sec = FIRST_DATE + (time_t)seq},
	};
	const char *flags = getenv("FLAGS");
	char tmp[64], name[160];
	size_t done = 0;
	ssize_t n;
	int fd;

	snprintf(tmp, sizeof(tmp), "tmp/%ld.M%06luP1Q%lu.feed",
	    (long)at[0].tv_sec, seq % 1000000, seq);
	snprintf(name, sizeof(name), "%s%s,S=%zu,W=%zu%s%s",
	    flags == NULL ? "new" : "cur", tmp + 3, m->len,
	    m->len + count_bare_lf(m), flags == NULL ? "" : ":2,",
	    flags == NULL ? "" : flags);
	fd = openat(folder_fd, tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		err(1, "%s", tmp);
	while (done < m->len) {
		if ((n = write(fd, m->data + done, m->len - done)) == -1)
			err(1, "%s", tmp);
		done += (size_t)n;
	}
	give(fd);
	if (futimens(fd, at) == -1)
		err(1, "%s", tmp);
	close(fd);
	if (renameat(folder_fd, tmp, folder_fd, name) == -1)
		err(1, "%s", name);
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* One line of 1 to 72 characters and a newline, at most `room` bytes. */
static void
add_line(struct msg *m, size_t room, uint64_t *rnd)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO"
				  "PQRSTUVWXYZ 0123456789 ";
	uint64_t r = next_random(rnd), dots = r >> 32;
	size_t len = 40 + (r & 31);
	char *p = m->data + m->len;

	if (len > room - 1)
		len = room - 1;
	for (size_t i = 0; i < len; i++) {
		if (i % 10 == 0)
			r = next_random(rnd);
		p[i] = set[r & 63];
		r >>= 6;
	}
	/* Every so often what dot-stuffing and mbox readers fall over. */
	if (len > 8 && dots % 64 == 0)
		p[0] = '.';
	if (len > 8 && dots % 64 == 1)
		memcpy(p, "From ", 5);
	p[len] = '\n';
	m->len += len + 1;
}

static void
make_message(struct msg *m, unsigned long seq, size_t size)
{
	uint64_t rnd = (seq + 1) * 0x9e3779b97f4a7c15U;
	time_t t = FIRST_DATE + (time_t)seq;
	struct tm tm;
	char date[64];
	int n;

	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	msg_reserve(m, size + 1024);
	n = snprintf(m->data, m->size,
	    "From: Sender %lu <sender%lu@example.org>\n"
	    "To: u@example.net\n"
	    "Subject: message %lu\n"
	    "Date: %s\n"
	    "Message-ID: <%lu.feed@example.org>\n"
	    "\n",
	    seq % 100, seq % 100, seq, date, seq);
	m->len = (size_t)n;
	while (m->len < size)
		add_line(m, size - m->len, &rnd);
}

/* SIZE is every message's; ~SIZE is the mean of small and large ones. */
static void
feed_made(unsigned long n, const char *arg)
{
	static const size_t quarters[] = {1, 20, 2, 4, 1, 2, 4, 3, 2, 1};
	struct msg m = {0};
	bool mixed = *arg == '~';
	long long size = strtonum(arg + mixed, 0, 1LL << 31, NULL);
	unsigned long first = take_numbers(n);

	for (unsigned long i = 0; i < n; i++) {
		make_message(&m, first + i,
		    mixed ? (size_t)size * quarters[i % 10] / 4 : (size_t)size);
		deliver(&m, first + i);
	}
	free(m.data);
}

static void
feed_fd(int fd, unsigned long seq)
{
	struct msg m = {0};
	struct stat st;
	ssize_t n;

	if (fd == -1 || fstat(fd, &st) == -1)
		err(1, "open");
	msg_reserve(&m, (size_t)st.st_size + 1);
	while ((n = read(fd, m.data + m.len, m.size - m.len)) > 0)
		m.len += (size_t)n;
	if (n == -1)
		err(1, "read");
	deliver(&m, seq);
	free(m.data);
	close(fd);
}

static bool
is_number(const char *s)
{
	return *s != '\0' && strspn(s, "0123456789") == strlen(s);
}

int
main(int argc, char *argv[])
{
	int here = open(".", O_RDONLY | O_DIRECTORY);
	unsigned long first;

	if (argc < 4)
		errx(64, "usage: mkmail DIR USER FOLDER [N SIZE | FILE...]");
	if (chdir(argv[1]) == -1)
		err(1, "%s", argv[1]);
	open_folder(argv[2], argv[3]);
	argc -= 4;
	argv += 4;
	if (argc == 2 && is_number(argv[0]) &&
	    is_number(argv[1] + (argv[1][0] == '~'))) {
		feed_made(strtoul(argv[0], NULL, 10), argv[1]);
		return 0;
	}
	first = take_numbers((unsigned long)argc);
	for (int i = 0; i < argc; i++) {
		int fd = openat(here, argv[i], O_RDONLY);

		if (fd == -1)
			err(1, "%s", argv[i]);
		feed_fd(fd, first + (unsigned long)i);
	}
	return 0;
}
