#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* A list of strings, NULL-terminated, ready for execv(3). */
struct words {
	char **v; /* owned, as is each string; NULL when n == 0 */
	size_t n;
};

void words_init(struct words *);
void words_clear(struct words *);
void words_add(struct words *, const char *);                /* copies */
void words_copy(struct words *to, const struct words *from); /* appends */
bool words_have(const struct words *, const char *);         /* that one */

/*
 * Splits a line as a shell would: blanks separate; "double" and 'single'
 * quotes group; backslash takes the next character literally (outside single
 * quotes).  No variable, glob or command is expanded.  With `comments`, a '#'
 * that starts a word ends the line.  Fails (ERR_CONFIG) on an unclosed quote
 * or a trailing backslash; *w is then as it was.  Appends to *w.
 */
int words_split(struct words *w, const char *line, bool comments, struct err *);

/*
 * The line that a shell splits into these n words again, and words_split() too:
 * what needs it stands in single quotes.  The caller's.
 */
char *words_line(const char *const *v, size_t n);

/*
 * True when a command line needs a shell to mean what it says: an unquoted
 * | & ; < > ( ) $ ` * ? [ ~ or a newline, or $ ` in double quotes.
 */
bool words_need_shell(const char *line);

#endif
