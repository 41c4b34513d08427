/*
 * Names without a domain, and whom they stand for.
 */

#include "aliases.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/mem.h"

#define RESOLVED_MAX 1000 /* names and addresses that one name comes to */

/* --- the file --------------------------------------------------------- */

static bool
goes_on(struct span rest)
{
	return rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t');
}

/* Cuts an entry off, folded as it may be: false at the end. */
static bool
next_entry(struct span *rest, struct span *entry_r)
{
	struct span line;

	while (span_cut(rest, '\n', &line)) {
		*entry_r = line;
		if (span_trim(line).n == 0 || line.p[0] == '#')
			continue;
		while (goes_on(*rest) && span_cut(rest, '\n', &line))
			entry_r->n = (size_t)(line.p + line.n - entry_r->p);
		return true;
	}
	return false;
}

/* "name:", perhaps in quotes, and what stands behind it. */
static bool
split_entry(struct span entry, struct span *name_r, struct span *list_r)
{
	struct span rest = entry;

	if (span_find(entry, ':') == -1 || !span_cut(&rest, ':', name_r))
		return false;
	*name_r = span_trim(*name_r);
	if (name_r->n >= 2 && name_r->p[0] == '"' &&
	    name_r->p[name_r->n - 1] == '"')
		*name_r = span_bytes(name_r->p + 1, name_r->n - 2);
	*list_r = rest;
	return true;
}

static bool
find(struct span text, const char *name, struct span *list_r)
{
	struct span entry, key;

	while (next_entry(&text, &entry))
		if (split_entry(entry, &key, list_r) && span_caseeq(key, name))
			return true;
	return false;
}

/* Cuts a target off, at a comma that is not in quotes. */
static bool
next_target(struct span *list, struct span *target_r)
{
	bool quoted = false;
	size_t i;

	if (list->n == 0)
		return false;
	for (i = 0; i < list->n && (quoted || list->p[i] != ','); i++) {
		if (list->p[i] == '\\' && i + 1 < list->n)
			i++;
		else if (list->p[i] == '"')
			quoted = !quoted;
	}
	*target_r = span_trim(span_bytes(list->p, i));
	*list = span_skip(*list, i + 1);
	return true;
}

/* Its normal form, owned by the caller; NULL: no address and no name. */
static char *
target_address(struct span target)
{
	struct address_walk room;
	struct address a;
	struct err e;
	size_t i = target.n > 0 && target.p[0] == '"' ? 1 : 0;

	if (target.n <= i || span_find(span_of("|/:#"), target.p[i]) != -1)
		return NULL;
	if (target.p[0] == '\\') /* sendmail: and no further */
		target = span_skip(target, 1);
	if (address_one(target, &room, &a, &e) == -1 || a.text.n == 0)
		return NULL;
	return span_dup(a.text);
}

/* --- whom a name stands for ------------------------------------------- */

static void
add_once(struct words *to, const char *word)
{
	size_t i;

	for (i = 0; i < to->n; i++)
		if (address_compare(span_of(to->v[i]), span_of(word)) == 0)
			return;
	if (to->n < RESOLVED_MAX)
		words_add(to, word);
}

static bool
has_domain(const char *address)
{
	return address_domain(span_of(address)).n > 0;
}

/* Adds the entry's targets to those to be looked at: false when it has none
 * that count. */
static bool
expand(struct span text, const char *name, struct words *all)
{
	struct span list = {NULL, 0}, target;
	bool some = false;
	char *address;

	if (!find(text, name, &list) && !find(text, "default", &list))
		return false;
	while (next_target(&list, &target)) {
		address = target_address(target);
		/* A name that stands for itself is not to be looked up. */
		if (address != NULL && strcasecmp(address, name) != 0) {
			add_once(all, address);
			some = true;
		}
		free(address);
	}
	return some;
}

void
aliases_resolve(struct span text, const char *name, struct words *out)
{
	bool some = false;
	struct words all;
	size_t i;

	words_init(&all);
	words_add(&all, name);
	for (i = 0; i < all.n; i++) {
		/* Expanding may move the list, but not its words. */
		const char *word = all.v[i];

		if (!has_domain(word) && expand(text, word, &all))
			continue;
		add_once(out, word);
		some = true;
	}
	if (!some)
		add_once(out, name);
	words_clear(&all);
}
