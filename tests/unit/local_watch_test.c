/*
 * Being told of changes in a Maildir tree: of which, and of which not.
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "local_watch.h"
#include "tap.h"

static char root[] = "/tmp/local_watch.XXXXXX";
static struct local_watch w;

static char *
at(const char *path)
{
	return mem_printf("%s/%s", root, path);
}

static void
make_dir(const char *path)
{
	char *full = at(path);

	ok(mkdir(full, 0700) == 0, "made %s", path);
	free(full);
}

static void
make_file(const char *path)
{
	char *full = at(path);
	int fd = open(full, O_WRONLY | O_CREAT, 0600);

	ok(fd != -1 && close(fd) == 0, "made %s", path);
	free(full);
}

static void
rename_to(const char *from, const char *to)
{
	char *a = at(from), *b = at(to);

	ok(rename(a, b) == 0, "%s is now %s", from, to);
	free(a);
	free(b);
}

static void
make_maildir(const char *path)
{
	static const char *const parts[] = {"", "/tmp", "/new", "/cur"};
	char *dir;
	size_t i;

	for (i = 0; i < 4; i++) {
		dir = mem_printf("%s%s", path, parts[i]);
		make_dir(dir);
		free(dir);
	}
}

static void
messages(void)
{
	ok(!local_watch_news(&w), "nothing yet");
	make_file("A/tmp/1");
	ok(!local_watch_news(&w), "not what is in tmp/");
	rename_to("A/tmp/1", "A/new/1");
	ok(local_watch_news(&w), "a message came");
	ok(!local_watch_news(&w), "... once");
	rename_to("A/new/1", "A/cur/1:2,S");
	ok(local_watch_news(&w), "it was read");
	make_file("A/cur/.nfs1");
	make_file("A/dovecot-keywords");
	make_file("notes");
	ok(!local_watch_news(&w) && !w.grown, "not the files of others");
}

static void
folders(const struct sync *y)
{
	make_maildir("A/B");
	ok(local_watch_news(&w) && w.grown, "a folder came");
	local_watch_all(&w, y);
	ok(!w.grown && !w.partial, "all is watched");
	make_file("A/B/new/2");
	ok(local_watch_news(&w) && !w.grown, "a message came into it");
	rename_to("A/B", "C");
	ok(local_watch_news(&w) && w.grown, "it has another name");
	local_watch_all(&w, y);
	make_file("C/new/3");
	ok(local_watch_news(&w) && !w.grown, "and is watched still");
}

int
main(void)
{
	struct sync y = {.layout = LAYOUT_NESTED, .maildir = root};
	char *clean;

	if (mkdtemp(root) == NULL)
		return 1;
	make_maildir("A");
	local_watch_open(&w);
	ok(w.fd != -1 && w.grown, "open, and nothing is watched");
	local_watch_all(&w, &y);
	messages();
	folders(&y);
	local_watch_close(&w);
	ok(!local_watch_news(&w), "closed: no news");
	clean = mem_printf("rm -r %s", root);
	ok(system(clean) == 0, "removed");
	free(clean);
	return done();
}
