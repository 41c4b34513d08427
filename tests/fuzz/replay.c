/*
 * Feeds files to a fuzz harness without a fuzzer: each file named, or each
 * file of each directory named, is one case.  A harness aborts when a case
 * breaks an invariant; so to come to the end is to pass.  Finding no case at
 * all is a failure.
 */

#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CASE_MAX (16 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned cases;

static void
replay_file(const char *path, off_t size)
{
	uint8_t *data;
	FILE *f;

	if (size > CASE_MAX)
		errx(1, "%s: over %d bytes", path, CASE_MAX);
	if ((f = fopen(path, "rb")) == NULL)
		err(1, "%s", path);
	/* Just the size, so that a sanitizer sees any step beyond it. */
	if ((data = malloc(size > 0 ? (size_t)size : 1)) == NULL)
		err(1, NULL);
	if (fread(data, 1, (size_t)size, f) != (size_t)size)
		err(1, "%s", path);
	fclose(f);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	cases++;
}

static void
replay_dir(const char *path)
{
	char name[PATH_MAX];
	struct dirent *e;
	struct stat st;
	DIR *d;

	if ((d = opendir(path)) == NULL)
		err(1, "%s", path);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (stat(name, &st) == -1)
			err(1, "%s", name);
		if (S_ISREG(st.st_mode))
			replay_file(name, st.st_size);
	}
	closedir(d);
}

int
main(int argc, char *argv[])
{
	struct stat st;
	int i;

	for (i = 1; i < argc; i++) {
		if (stat(argv[i], &st) == -1)
			err(1, "%s", argv[i]);
		if (S_ISDIR(st.st_mode))
			replay_dir(argv[i]);
		else
			replay_file(argv[i], st.st_size);
	}
	if (cases == 0)
		errx(1, "no case");
	printf("%u cases\n", cases);
	return 0;
}
