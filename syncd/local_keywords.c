/*
 * Keywords: the letters a to z in file names, and the file dovecot-keywords
 * of each folder that says which is which ("0 $Forwarded" is a).
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "local.h"
#include "os/file.h"

#define KEYWORDS_FILE "dovecot-keywords"
#define KEYWORDS_MAX (64 * 1024)

void
local_keywords_clear(struct local_keywords *k)
{
	size_t i;

	for (i = 0; i < 26; i++)
		free(k->names[i]);
	*k = (struct local_keywords){0};
}

static void
take_line(struct local_keywords *k, struct span line)
{
	struct span word;
	uint64_t i;

	if (!span_word(&line, &word) || !span_number(word, 25, &i))
		return;
	line = span_trim(line);
	if (line.n == 0 || line.n > 200 || k->names[i] != NULL)
		return;
	k->names[i] = span_dup(line);
}

int
local_keywords_read(struct maildir *m, struct local_keywords *k, struct err *e)
{
	char *path = mem_printf("%s/" KEYWORDS_FILE, m->path);
	struct buf text;
	struct span rest, line;
	int rv = 0;

	local_keywords_clear(k);
	buf_init(&text, KEYWORDS_MAX);
	if (access(path, F_OK) == 0)
		rv = file_read(path, &text, e);
	rest = buf_span(&text);
	while (rv == 0 && span_cut(&rest, '\n', &line))
		take_line(k, line);
	buf_clear(&text);
	free(path);
	return rv;
}

static int
write_new(
    const struct maildir *m, uint32_t tag, struct span text, struct err *e)
{
	char unique[MAILDIR_NAME], *to, *from;
	int fd, rv = -1;

	maildir_unique(tag, unique);
	from = mem_printf("%s/tmp/%s", m->path, unique);
	to = mem_printf("%s/" KEYWORDS_FILE, m->path);
	fd = open(from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		(void)err_sys(e, ERR_LOCAL, "%s", from);
	else if (file_write(fd, text.p, text.n, from, e) == 0 &&
		 file_sync(fd, from, e) == 0) {
		if (rename(from, to) == -1)
			(void)err_sys(e, ERR_LOCAL, "%s", to);
		else
			rv = file_sync_parent(to, e);
	}
	if (fd != -1)
		close(fd);
	if (rv == -1 && fd != -1)
		unlink(from);
	free(from);
	free(to);
	return rv;
}

int
local_keywords_write(
    struct maildir *m, struct local_keywords *k, uint32_t tag, struct err *e)
{
	struct buf text;
	size_t i;
	int rv;

	if (!k->changed)
		return 0;
	buf_init(&text, KEYWORDS_MAX);
	for (i = 0; i < 26; i++)
		if (k->names[i] != NULL)
			buf_printf(&text, "%zu %s\n", i, k->names[i]);
	rv = write_new(m, tag, buf_span(&text), e);
	if (rv == 0)
		k->changed = false;
	buf_clear(&text);
	return rv;
}

int
local_keyword(struct local_keywords *k, struct span name, bool make)
{
	int i, free_one = -1;

	for (i = 0; i < 26; i++) {
		if (k->names[i] == NULL)
			free_one = free_one == -1 ? i : free_one;
		else if (span_caseeq(name, k->names[i]))
			return i;
	}
	if (!make || free_one == -1 || name.n == 0 || name.n > 200)
		return -1;
	k->names[free_one] = span_dup(name);
	k->changed = true;
	return free_one;
}
