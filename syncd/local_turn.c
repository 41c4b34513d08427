/*
 * A number in the Maildir tree that rises with what is synced, and in the state
 * too: so that a tree that came back from a backup is known for what it is. The
 * file .syncd at the root has a line for each state that works on the tree:
 * the state's tag, and its turn.
 */

#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"

#define FILE_NAME ".syncd"
#define LINE 26 /* "%08x %016jx\n" */
#define LINES 64

static int
open_turns(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Where the tag's line is, or a new one would be; and the turn in it: 0 when
 * there is none that can be read. */
static off_t
find_line(int fd, uint32_t tag, uint64_t *turn_r)
{
	char line[LINE + 1], want[16], *end;
	off_t at;
	int i;

	snprintf(want, sizeof(want), "%08" PRIx32 " ", tag);
	*turn_r = 0;
	for (i = 0, at = 0; i < LINES; i++, at += LINE) {
		if (pread(fd, line, LINE, at) != LINE)
			return at;
		line[LINE] = '\0';
		if (memcmp(line, want, 9) != 0)
			continue;
		*turn_r = strtoull(line + 9, &end, 16);
		if (*end != '\n')
			*turn_r = 0;
		return at;
	}
	return at - LINE;
}

bool
local_turn_is(const struct sync *y, uint32_t tag, uint64_t turn)
{
	char *path = mem_printf("%s/%s", y->maildir, FILE_NAME);
	int fd = open_turns(path, O_RDONLY);
	uint64_t found = 0;

	free(path);
	if (fd == -1)
		return false;
	(void)find_line(fd, tag, &found);
	close(fd);
	return found != 0 && (found == turn || found == turn + 1);
}

static int
write_line(int fd, const char *path, uint32_t tag, uint64_t turn, struct err *e)
{
	char line[LINE + 1];
	uint64_t old;
	off_t at = find_line(fd, tag, &old);

	snprintf(
	    line, sizeof(line), "%08" PRIx32 " %016jx\n", tag, (uintmax_t)turn);
	if (pwrite(fd, line, LINE, at) != LINE || fsync(fd) == -1)
		return err_sys(e, ERR_LOCAL, "%s: cannot write", path);
	return 0;
}

int
local_turn_set(const struct sync *y, uint32_t tag, uint64_t turn, struct err *e)
{
	char *path = mem_printf("%s/%s", y->maildir, FILE_NAME);
	int fd = open_turns(path, O_RDWR), rv = -1;
	bool new = fd == -1;

	if (new)
		fd = open_turns(path, O_RDWR | O_CREAT);
	if (fd == -1)
		(void)err_sys(e, ERR_LOCAL, "%s: cannot open", path);
	else {
		rv = write_line(fd, path, tag, turn, e);
		close(fd);
	}
	if (rv == 0 && new)
		rv = file_sync_parent(path, e);
	free(path);
	return rv;
}
