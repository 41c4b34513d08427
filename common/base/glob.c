/*
 * Folder patterns, as IMAP LIST has them and with the same meaning on both
 * sides, so that a pattern can be judged here or by a server.
 */

#include "base/glob.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/*
 * can[j]: the first j bytes of the pattern match the name up to here.  All
 * ways are followed at once, so no pattern can make it backtrack.
 */
static void
step(bool *can, const char *pattern, char c, bool fold, char sep)
{
	bool before = can[0], old;
	size_t j;

	can[0] = false;
	for (j = 0; pattern[j] != '\0'; j++) {
		old = can[j + 1];
		if (pattern[j] == '*')
			can[j + 1] = can[j] || old;
		else if (pattern[j] == '%')
			can[j + 1] = can[j] || (old && c != sep);
		else if (fold)
			can[j + 1] = before && lower(pattern[j]) == lower(c);
		else
			can[j + 1] = before && pattern[j] == c;
		before = old;
	}
}

bool
glob_match(const char *pattern, const char *name, char sep)
{
	size_t i, j, len = strlen(pattern);
	bool *can = mem_array(len + 1, sizeof(*can)), matched;
	bool inbox = strncasecmp(name, "INBOX", 5) == 0 &&
	             (name[5] == '\0' || name[5] == sep);

	can[0] = true;
	for (j = 0; pattern[j] == '*' || pattern[j] == '%'; j++)
		can[j + 1] = true;
	for (i = 0; name[i] != '\0'; i++)
		step(can, pattern, name[i], inbox && i < 5, sep);
	matched = can[len];
	free(can);
	return matched;
}

bool
glob_list(const struct words *patterns, const char *name, char sep)
{
	bool in = patterns->n > 0 && patterns->v[0][0] == '!';
	const char *p;
	size_t i;

	for (i = 0; i < patterns->n; i++) {
		p = patterns->v[i];
		if (glob_match(*p == '!' ? p + 1 : p, name, sep))
			in = *p != '!';
	}
	return in;
}

bool
glob_literal(const char *pattern)
{
	return pattern[0] != '!' && strpbrk(pattern, "*%") == NULL;
}
