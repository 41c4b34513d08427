/*
 * Lists of strings, and the splitting of a line into them as a shell would:
 * for configuration lines and for commands that are run without a shell.
 */

#include "base/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define BLANKS " \t\r\n"

void
words_init(struct words *w)
{
	*w = (struct words){NULL, 0};
}

static void
truncate_to(struct words *w, size_t n)
{
	while (w->n > n) {
		free(w->v[--w->n]);
		w->v[w->n] = NULL;
	}
}

void
words_clear(struct words *w)
{
	truncate_to(w, 0);
	free(w->v);
	words_init(w);
}

void
words_add(struct words *w, const char *s)
{
	if (w->v == NULL)
		w->v = mem_array(1, sizeof(*w->v));
	/* with the NULL there is one more */
	w->v = mem_more(w->v, w->n + 1, sizeof(*w->v));
	w->v[w->n++] = mem_strdup(s);
	w->v[w->n] = NULL;
}

bool
words_have(const struct words *w, const char *word)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (strcmp(w->v[i], word) == 0)
			return true;
	return false;
}

void
words_copy(struct words *to, const struct words *from)
{
	size_t i, n = from->n;

	for (i = 0; i < n; i++)
		words_add(to, from->v[i]);
}

/* One word, quotes resolved; returns what is behind it. */
static const char *
take_word(const char *p, struct buf *word, struct err *e)
{
	char quote = '\0';

	for (; *p != '\0'; p++) {
		if (*p == '\\' && quote != '\'') {
			if (*++p == '\0') {
				err_set(e, ERR_CONFIG,
				    "a backslash at the end of the line");
				return NULL;
			}
			buf_putc(word, *p);
		} else if (*p == quote)
			quote = '\0';
		else if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote == '\0' && strchr(BLANKS, *p) != NULL)
			break;
		else
			buf_putc(word, *p);
	}
	if (quote != '\0') {
		err_set(e, ERR_CONFIG, "a quote (%c) is not closed", quote);
		return NULL;
	}
	return p;
}

int
words_split(struct words *w, const char *line, bool comments, struct err *e)
{
	size_t before = w->n;
	const char *p = line;
	struct buf word;

	buf_init(&word, strlen(line));
	for (;;) {
		p += strspn(p, BLANKS);
		if (*p == '\0' || (comments && *p == '#'))
			break;
		if ((p = take_word(p, &word, e)) == NULL)
			break;
		words_add(w, buf_cstr(&word));
		buf_reset(&word);
	}
	buf_wipe(&word);
	if (p == NULL) {
		truncate_to(w, before);
		return -1;
	}
	return 0;
}

static void
put_word(struct buf *out, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_@%+=:,./-";

	if (*s != '\0' && s[strspn(s, plain)] == '\0') {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '\'');
	for (; *s != '\0'; s++)
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *s);
	buf_putc(out, '\'');
}

char *
words_line(const char *const *v, size_t n)
{
	struct buf out;
	char *line;
	size_t i;

	buf_init(&out, (size_t)1 << 24); /* over any ARG_MAX */
	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(&out, ' ');
		put_word(&out, v[i]);
	}
	line = mem_strdup(buf_cstr(&out));
	buf_clear(&out);
	return line;
}

bool
words_need_shell(const char *line)
{
	char quote = '\0';
	const char *p;

	for (p = line; *p != '\0'; p++) {
		if (*p == '\\' && quote != '\'') {
			if (*++p == '\0')
				break;
		} else if (*p == quote)
			quote = '\0';
		else if (quote != '\0') {
			if (quote == '"' && (*p == '$' || *p == '`'))
				return true;
		} else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (strchr("|&;<>()$`*?[~\n", *p) != NULL)
			return true;
	}
	return false;
}
