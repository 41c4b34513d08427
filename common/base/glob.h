#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

#include "base/words.h"

/*
 * Folder patterns as IMAP LIST has them (RFC 9051 section 6.3.9): '*' matches
 * anything, '%' anything but the hierarchy separator.  INBOX, alone or as a
 * first component, matches in any case; sep is NUL where there is no
 * hierarchy.  Linear time in pattern x name.
 */
bool glob_match(const char *pattern, const char *name, char sep);

/*
 * A list of patterns, the last that matches wins; a leading '!' excludes.
 * No match: false.  A list that begins with an exclusion starts from "*".
 */
bool glob_list(const struct words *patterns, const char *name, char sep);

/* Whether the pattern is a plain name: no '*' or '%', and no '!' in front. */
bool glob_literal(const char *pattern);

#endif
