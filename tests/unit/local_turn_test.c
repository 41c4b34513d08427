/*
 * syncd/local_turn: a tree that is older than the state is told from one that
 * is not.
 */

#include "local.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "tap.h"

static struct err e;
static struct sync y;

static void
test_turns(void)
{
	ok(!local_turn_is(&y, 7, 1), "no file");
	is_int(local_turn_set(&y, 7, 1, &e), 0, "set: %s", e.text);
	ok(local_turn_is(&y, 7, 1), "as set");
	ok(local_turn_is(&y, 7, 0), "one ahead: the state was not committed");
	ok(!local_turn_is(&y, 7, 2), "behind: it came from a backup");
	ok(!local_turn_is(&y, 8, 1), "another's");
	is_int(local_turn_set(&y, 7, 0x123456789abcdef, &e), 0, "large");
	ok(local_turn_is(&y, 7, 0x123456789abcdef), "large, as set");
}

static void
test_states(void)
{
	uint32_t tag;

	for (tag = 100; tag < 160; tag++)
		quiet(local_turn_set(&y, tag, tag * 3, &e) == 0, "%s", e.text);
	for (tag = 100; tag < 160; tag++)
		quiet(local_turn_is(&y, tag, tag * 3), "%u", tag);
	ok(local_turn_is(&y, 7, 0x123456789abcdef), "each state has its line");
	for (tag = 200; tag < 300; tag++)
		quiet(local_turn_set(&y, tag, 5, &e) == 0, "%s", e.text);
	ok(local_turn_is(&y, 299, 5) && !local_turn_is(&y, 298, 5),
	    "but the file does not grow for ever");
}

static void
test_garbage(const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	quiet(write(fd, "00000007 00000000000000zz\n", 26) == 26, "write");
	close(fd);
	ok(!local_turn_is(&y, 7, 0), "what is no number is none");
	quiet(truncate(path, 20) == 0, "truncate");
	ok(!local_turn_is(&y, 7, 0), "cut off");
	is_int(local_turn_set(&y, 7, 9, &e), 0, "written over");
	ok(local_turn_is(&y, 7, 9), "and good again");
	quiet(unlink(path) == 0 && symlink("/etc/passwd", path) == 0, "link");
	is_int(local_turn_set(&y, 7, 9, &e), -1, "no link: %s", e.text);
	unlink(path);
}

int
main(void)
{
	char dir[] = "/tmp/turn.XXXXXX", *path;

	if (mkdtemp(dir) == NULL)
		return 1;
	y.maildir = dir;
	path = mem_printf("%s/.syncd", dir);
	test_turns();
	test_states();
	test_garbage(path);
	free(path);
	rmdir(dir);
	return done();
}
