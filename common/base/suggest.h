#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

#include "base/err.h"

/*
 * The candidate nearest to `word` by edit distance (insert, delete, replace,
 * swap of neighbours), if near enough to be what was meant: at most a third
 * of the word's letters wrong, at least 1 but never all; else NULL.  Of two
 * equally near the first.  The result is one of the candidates.
 */
const char *suggest(const char *word, const char *const *candidates, size_t n);

/* " (did you mean 'x'?)" with that candidate; "" when there is none. */
#define SUGGEST_HINT 80
const char *suggest_hint(const char *word, const char *const *candidates,
    size_t n, char out_r[SUGGEST_HINT]);

/*
 * "'x' is none of: a, b, c (did you mean 'a'?)"; when the word is NULL or empty,
 * "needs one of: a, b, c".  names end with NULL.  Always -1, ERR_CONFIG.
 */
int suggest_none_of(const char *word, const char *const *names, struct err *);

#endif
