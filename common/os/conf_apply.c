/*
 * Applies sections of a configuration to structs, by tables of keywords: the
 * only place that knows how values are written.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"
#include "base/time.h"
#include "os/conf.h"

/* A keyword found: which of all, and whose. */
struct hit {
	const struct conf_key *key;
	const struct conf_table *table;
	size_t index; /* among all keys of all tables */
};

struct apply {
	struct conf *c;
	const struct conf_section *section;
	const struct conf_table *tables;
	size_t n;
	size_t n_keys;
	const struct conf_line **seen; /* owned: per key, borrowed lines */
	bool lost; /* behind the misspelt start of another section */
};

static bool
find(const struct apply *a, const char *name, struct hit *h)
{
	const struct conf_key *k;
	size_t t, index = 0;

	for (t = 0; t < a->n; t++)
		for (k = a->tables[t].keys; k->name != NULL; k++, index++)
			if (strcmp(k->name, name) == 0) {
				*h = (struct hit){k, &a->tables[t], index};
				return true;
			}
	return false;
}

static size_t
count_keys(const struct conf_table *tables, size_t n)
{
	const struct conf_key *k;
	size_t t, count = 0;

	for (t = 0; t < n; t++)
		for (k = tables[t].keys; k->name != NULL; k++)
			count++;
	return count;
}

/* --- values -------------------------------------------------------------- */

static int
one_of(const char *word, const char *const *names, int *i_r, struct err *e)
{
	int i;

	for (i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], word) == 0) {
			*i_r = i;
			return 0;
		}
	return suggest_none_of(word, names, e);
}

static int
set_bool(bool *to, const struct conf_line *l, struct err *e)
{
	static const char *const names[] = {
	    "yes", "no", "true", "false", "on", "off", NULL};
	int i = 0;

	if (l->args.n > 0 && one_of(l->args.v[0], names, &i, e) == -1)
		return -1;
	*to = i % 2 == 0;
	return 0;
}

static int
set_number(
    uint64_t *to, const struct conf_key *k, const char *word, struct err *e)
{
	uint64_t n;

	if (span_number(span_of(word), UINT64_MAX, &n) && n >= k->min &&
	    n <= k->max) {
		*to = n;
		return 0;
	}
	return err_set(e, ERR_CONFIG, "'%s' is not a number from %ju to %ju",
	    word, (uintmax_t)k->min, (uintmax_t)k->max);
}

static void
set_string(char **to, char *value)
{
	free(*to);
	*to = value;
}

static int
set_path(char **to, const struct conf *c, const char *word, struct err *e)
{
	if (word[0] == '\0')
		return err_set(e, ERR_CONFIG, "an empty path");
	if (word[0] == '~' && word[1] != '/' && word[1] != '\0')
		return err_set(e, ERR_CONFIG,
		    "'%s': only ~ and ~/ stand for a home directory", word);
	set_string(to, conf_path(c, word));
	return 0;
}

static void
set_words(struct words *to, const struct conf_line *l, bool add)
{
	if (!add)
		words_clear(to);
	words_copy(to, &l->args);
}

/* Too few or too many arguments for the type? */
static int
check_count(const struct conf_key *k, const struct conf_line *l, struct err *e)
{
	static const struct {
		size_t least, most;
	} counts[] = {
	    [CONF_STRING] = {1, 1},
	    [CONF_TEXT] = {1, SIZE_MAX},
	    [CONF_PATH] = {1, 1},
	    [CONF_WORDS] = {1, SIZE_MAX},
	    [CONF_APPEND] = {1, SIZE_MAX},
	    [CONF_COMMAND] = {1, SIZE_MAX},
	    [CONF_BOOL] = {0, 1},
	    [CONF_DURATION] = {1, 1},
	    [CONF_SIZE] = {1, 1},
	    [CONF_NUMBER] = {1, 1},
	    [CONF_ENUM] = {1, 1},
	    [CONF_CUSTOM] = {0, SIZE_MAX},
	};
	size_t n = l->args.n;

	if (n >= counts[k->type].least && n <= counts[k->type].most)
		return 0;
	if (n == 0 && k->type == CONF_ENUM)
		return suggest_none_of(NULL, k->names, e);
	if (n == 0)
		return err_set(e, ERR_CONFIG, "needs a value");
	return err_set(e, ERR_CONFIG,
	    "takes one value, not %zu: '%s' (quotes make one of several words)",
	    n, l->text);
}

static int
set(struct apply *a, const struct hit *h, const struct conf_line *l, bool add,
    struct err *e)
{
	const struct conf_key *k = h->key;
	void *to = (char *)h->table->target + k->offset;
	const char *word = l->args.n > 0 ? l->args.v[0] : "";

	if (check_count(k, l, e) == -1)
		return -1;
	switch (k->type) {
	case CONF_STRING:
		set_string(to, mem_strdup(word));
		return 0;
	case CONF_TEXT:
	case CONF_COMMAND:
		set_string(to, mem_strdup(l->text));
		return 0;
	case CONF_PATH:
		return set_path(to, a->c, word, e);
	case CONF_WORDS:
	case CONF_APPEND:
		set_words(to, l, add);
		return 0;
	case CONF_BOOL:
		return set_bool(to, l, e);
	case CONF_DURATION:
		if (time_duration(word, to))
			return 0;
		return err_set(e, ERR_CONFIG,
		    "'%s' is not a duration (like 90s, 15m, 2h or 14d)", word);
	case CONF_SIZE:
		if (time_size(word, to))
			return 0;
		return err_set(e, ERR_CONFIG,
		    "'%s' is not a size (like 500k, 25M or 2G)", word);
	case CONF_NUMBER:
		return set_number(to, k, word, e);
	case CONF_ENUM:
		return one_of(word, k->names, to, e);
	case CONF_CUSTOM:
		return k->parse(h->table->target, a->c, l, e);
	}
	return 0;
}

/* --- lines --------------------------------------------------------------- */

static const char *
nearest(const struct apply *a, const char *word, bool override)
{
	const char **names = mem_array(a->n_keys + CONF_KINDS, sizeof(*names));
	const char *near;
	const struct conf_key *k;
	size_t t, n = 0;
	int i;

	for (t = 0; t < a->n; t++)
		for (k = a->tables[t].keys; k->name != NULL; k++)
			if (a->tables[t].target != NULL || override)
				names[n++] = k->name;
	for (i = 0; i < CONF_KINDS && !override; i++)
		names[n++] = conf_kind_names[i];
	near = suggest(word, names, n);
	free(names);
	return near;
}

static void
unknown(struct apply *a, const struct conf_line *l)
{
	bool override = l->line == 0;
	const char *near = nearest(a, l->keyword, override);

	if (a->lost)
		return;
	if (near != NULL)
		conf_error(a->c, l, "unknown keyword '%s' (did you mean '%s'?)",
		    l->keyword, near);
	else if (override)
		conf_error(a->c, l, "unknown keyword '%s'", l->keyword);
	else
		conf_error(a->c, l, "unknown keyword '%s' in section '%s %s'",
		    l->keyword, conf_kind_names[a->section->kind],
		    a->section->name);
	/* The lines to come are strangers here, but only because of this. */
	if (near != NULL && !override && l->args.n == 1 &&
	    conf_kind_of(near) != -1)
		a->lost = true;
}

static void
duplicate(
    struct apply *a, const struct conf_line *l, const struct conf_line *old)
{
	if (a->lost)
		return;
	if (old->file == l->file)
		conf_error(a->c, l, "'%s' is given twice (first on line %d)",
		    l->keyword, old->line);
	else
		conf_error(a->c, l, "'%s' is given twice (first in %s:%d)",
		    l->keyword, old->file, old->line);
}

static bool
may_repeat(const struct conf_key *k)
{
	return k->type == CONF_APPEND || k->repeat;
}

static void
set_line(struct apply *a, const struct hit *h, const struct conf_line *l)
{
	struct err e;
	bool add = a->seen[h->index] != NULL;

	a->seen[h->index] = l;
	if (set(a, h, l, add, &e) == -1)
		conf_error(a->c, l, "%s: %s", l->keyword, e.text);
	else if (h->table->given != NULL)
		h->table->given[h->key - h->table->keys] = true;
}

static bool
is_overridden(const struct apply *a, const char *keyword)
{
	size_t i;

	for (i = 0; i < a->c->n_overrides; i++)
		if (strcmp(a->c->overrides[i].keyword, keyword) == 0)
			return true;
	return false;
}

static void
apply_line(struct apply *a, const struct conf_line *l)
{
	struct hit h;

	if (!find(a, l->keyword, &h))
		unknown(a, l);
	else if (h.table->target == NULL) {
		if (!a->lost)
			conf_error(a->c, l, "'%s' belongs in %s %s section",
			    l->keyword,
			    h.table->kind == CONF_ACCOUNT ? "an" : "a",
			    conf_kind_names[h.table->kind]);
	} else if (a->seen[h.index] != NULL && !may_repeat(h.key))
		duplicate(a, l, a->seen[h.index]);
	else if (!may_repeat(h.key) || !is_overridden(a, l->keyword))
		set_line(a, &h, l);
}

static void
apply_override(struct apply *a, const struct conf_line *l)
{
	struct hit h;

	if (!find(a, l->keyword, &h))
		unknown(a, l);
	else if (h.table->target != NULL)
		set_line(a, &h, l);
}

void
conf_apply(struct conf *c, const struct conf_section *s,
    const struct conf_table *tables, size_t n)
{
	struct apply a = {.c = c,
	    .section = s,
	    .tables = tables,
	    .n = n,
	    .n_keys = count_keys(tables, n)};
	size_t i;

	a.seen = mem_array(a.n_keys, sizeof(*a.seen));
	for (i = 0; i < s->n; i++) {
		/* conf_account() reads this one. */
		if (i == 0 && strcmp(s->lines[0].keyword, "account") == 0)
			continue;
		apply_line(&a, &s->lines[i]);
	}
	memset(a.seen, 0, a.n_keys * sizeof(*a.seen));
	a.lost = false;
	for (i = 0; i < c->n_overrides; i++)
		apply_override(&a, &c->overrides[i]);
	free(a.seen);
}
