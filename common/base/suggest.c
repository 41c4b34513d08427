/*
 * "Did you mean ...?": the nearest known word to one that is not known.
 */

#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define WORD_MAX 48 /* longer ones are no slip of the finger */

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance with swaps of neighbours (optimal string alignment). */
static size_t
distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][WORD_MAX + 1], i, j;

	for (j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (i = 1; i <= na; i++) {
		size_t *cur = rows[i % 3], *one = rows[(i + 2) % 3];
		size_t *two = rows[(i + 1) % 3]; /* two rows up */

		cur[0] = i;
		for (j = 1; j <= nb; j++) {
			cur[j] = min3(one[j] + 1, cur[j - 1] + 1,
			    one[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && two[j - 2] + 1 < cur[j])
				cur[j] = two[j - 2] + 1;
		}
	}
	return rows[na % 3][nb];
}

const char *
suggest(const char *word, const char *const *candidates, size_t n)
{
	size_t i, d, len = strlen(word), clen, best;
	const char *nearest = NULL;

	if (len > WORD_MAX)
		return NULL;
	/* One more than what is taken: best is the first that is too far. */
	best = (len / 3 > 1 ? len / 3 : 1) + 1;
	for (i = 0; i < n; i++) {
		clen = strlen(candidates[i]);
		if (clen > WORD_MAX)
			continue;
		d = distance(word, len, candidates[i], clen);
		if (d < best && (d < len || d == 0)) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}

const char *
suggest_hint(const char *word, const char *const *candidates, size_t n,
    char out_r[SUGGEST_HINT])
{
	const char *near = suggest(word, candidates, n);

	out_r[0] = '\0';
	if (near != NULL)
		snprintf(out_r, SUGGEST_HINT, " (did you mean '%s'?)", near);
	return out_r;
}

int
suggest_none_of(const char *word, const char *const *names, struct err *e)
{
	char hint[SUGGEST_HINT];
	struct buf list;
	size_t n;

	buf_init(&list, sizeof(e->text));
	for (n = 0; names[n] != NULL; n++)
		buf_printf(&list, "%s%s", n > 0 ? ", " : "", names[n]);
	if (word == NULL || *word == '\0')
		err_set(e, ERR_CONFIG, "needs one of: %s", buf_cstr(&list));
	else
		err_set(e, ERR_CONFIG, "'%s' is none of: %s%s", word,
		    buf_cstr(&list), suggest_hint(word, names, n, hint));
	buf_clear(&list);
	return -1;
}
