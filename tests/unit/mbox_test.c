/*
 * os/mbox: what is quoted, and what a crash at any byte leaves to do.
 */

#include "os/mbox.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define NAME "1000000000.M0P1Q1R0.host,S=1,W=1"
#define FROM "From MAILER-DAEMON Sun Sep  9 01:46:40 2001\n"

static struct err e;
static char path[] = "/tmp/mbox.XXXXXX";

/* A file without a name that holds the text. */
static int
message(const char *text)
{
	char name[] = "/tmp/mbox.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	quiet(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
	return fd;
}

static size_t
contents(char *out, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = pread(fd, out, size, 0);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void
set_contents(const char *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	quiet(write(fd, p, n) == (ssize_t)n, "write");
	close(fd);
}

static void
test_format(void)
{
	static const struct {
		const char *in, *out;
	} t[] = {
	    {"a\n", FROM "a\n\n"},
	    {"a", FROM "a\n\n"},
	    {"", FROM "\n"},
	    {"From x\n", FROM ">From x\n\n"},
	    {">From x\n>>From y\n", FROM ">>From x\n>>>From y\n\n"},
	    {"From\nFrom: x\n From z\n", FROM "From\nFrom: x\n From z\n\n"},
	    {">", FROM ">\n\n"},
	    {">>Fro", FROM ">>Fro\n\n"},
	    {"a\n>Fr", FROM "a\n>Fr\n\n"},
	    {"From ", FROM ">From \n\n"},
	    {"Return-Path: <a@b>\n\nx",
		"From a@b Sun Sep  9 01:46:40 2001\nReturn-Path: <a@b>\n\nx\n\n"},
	};
	char have[512];
	int64_t length;
	size_t i, n;
	int fd, msg;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		set_contents("", 0);
		msg = message(t[i].in);
		quiet(mbox_open(path, &fd, &e) == 0, "%s", e.text);
		is_int(mbox_write(fd, msg, NAME, &e), 0, "case %zu", i);
		n = contents(have, sizeof(have));
		is_mem(have, n, t[i].out, "its bytes");
		quiet(mbox_measure(msg, NAME, &length, &e) == 0, "measure");
		is_int(length, (long long)n, "measured before");
		close(fd);
		close(msg);
	}
}

/* Two messages; the second was written up to byte k when the power went. */
static void
test_settle(void)
{
	static const char first[] = FROM "one\n\n";
	static const char second[] = FROM ">From here\nto there\n\n";
	static const char both[] =
	    FROM "one\n\n" FROM ">From here\nto there\n\n";
	const size_t at = sizeof(first) - 1;
	char have[512];
	size_t k, n;
	int fd, msg = message("From here\nto there\n");

	for (k = 0; k < sizeof(second); k++) {
		set_contents(both, at + k);
		quiet(mbox_open(path, &fd, &e) == 0, "%s", e.text);
		quiet(mbox_settle(fd, (int64_t)at, msg, NAME, &e) == 0,
		    "cut at %zu: %s", k, e.text);
		close(fd);
		n = contents(have, sizeof(have));
		quiet(n == sizeof(both) - 1 && memcmp(have, both, n) == 0,
		    "cut at %zu: once and whole", k);
	}
	ok(k == sizeof(second), "cut at any byte: %zu points", k);

	/* Someone has written behind it, or something else is there. */
	set_contents(both, sizeof(both) - 1);
	fd = open(path, O_WRONLY | O_APPEND);
	quiet(write(fd, first, at) == (ssize_t)at, "more");
	close(fd);
	quiet(mbox_open(path, &fd, &e) == 0, "%s", e.text);
	is_int(mbox_settle(fd, (int64_t)at, msg, NAME, &e), 0, "it is whole");
	n = contents(have, sizeof(have));
	is_int((long long)n, (long long)(sizeof(both) - 1 + at), "left alone");
	set_contents(first, at);
	is_int(mbox_settle(fd, 3, msg, NAME, &e), 0, "another's bytes there");
	n = contents(have, sizeof(have));
	is_mem(have, n, both, "not cut off: it is appended");
	close(fd);
	close(msg);
}

int
main(void)
{
	int fd = mkstemp(path);

	close(fd);
	test_format();
	test_settle();
	unlink(path);
	return done();
}
