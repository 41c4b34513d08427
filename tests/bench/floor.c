/*
 * The floor under every mail fetcher's speed: files of given sizes created
 * and made durable, in batches, with nothing else done.
 *
 *	floor MODEL DIR
 *
 * MODEL is a Maildir whose messages' sizes are copied.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define MOST 1000000

static long sizes[MOST];
static size_t n;

static void
read_sizes(const char *path)
{
	struct dirent *de;
	struct stat st;
	DIR *d = opendir(path);

	if (d == NULL)
		err(1, "%s", path);
	while ((de = readdir(d)) != NULL && n < MOST)
		if (fstatat(dirfd(d), de->d_name, &st, 0) == 0 &&
		    S_ISREG(st.st_mode))
			sizes[n++] = (long)st.st_size;
	closedir(d);
}

static void
write_file(int fd, long size)
{
	static char data[1 << 16];

	for (; size > 0; size -= (long)sizeof(data)) {
		size_t k =
		    size < (long)sizeof(data) ? (size_t)size : sizeof(data);

		if (write(fd, data, k) != (ssize_t)k)
			err(1, "write");
	}
}

static void
sync_batch(int *fds, size_t k, int dir)
{
	size_t i;

	for (i = 0; i < k; i++)
		(void)sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
	for (i = 0; i < k; i++) {
		if (fsync(fds[i]) == -1)
			err(1, "fsync");
		close(fds[i]);
	}
	if (fsync(dir) == -1)
		err(1, "fsync");
}

int
main(int argc, char **argv)
{
	struct timespec a, b;
	char path[4096], name[32];
	int fds[BATCH], dir;
	size_t i, k = 0;

	if (argc != 3)
		errx(64, "usage: floor MODEL DIR");
	snprintf(path, sizeof(path), "%s/new", argv[1]);
	read_sizes(path);
	snprintf(path, sizeof(path), "%s/cur", argv[1]);
	read_sizes(path);
	if ((dir = open(argv[2], O_RDONLY | O_DIRECTORY)) == -1)
		err(1, "%s", argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		fds[k] = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fds[k] == -1)
			err(1, "%s", name);
		write_file(fds[k], sizes[i]);
		if (++k == BATCH) {
			sync_batch(fds, k, dir);
			k = 0;
		}
	}
	sync_batch(fds, k, dir);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("  %zu files      %8.3f s\n", n,
	    (double)(b.tv_sec - a.tv_sec) +
		(double)(b.tv_nsec - a.tv_nsec) / 1e9);
	return 0;
}
