/*
 * Names: of folders on both sides, one to one, whatever the layout; and of
 * files, whose unique part is a message's identity.
 */

#include "local.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/enc.h"
#include "base/mem.h"
#include "base/words.h"

#define COMPONENT_MAX 255
#define PATH_BYTES_MAX 4000

/* --- a level of a folder's name, as a part of a file's name --------------- */

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
	       (c >= 'a' && c <= 'f');
}

/* "%" itself is written so only where it would be read as the begin of such
 * a thing: "100%" stays what it is. */
static bool
looks_escaped(struct span s)
{
	return s.n >= 3 && s.p[0] == '%' && is_hex(s.p[1]) && is_hex(s.p[2]);
}

static bool
is_maildir_part(struct span s)
{
	return span_eq(s, "cur") || span_eq(s, "new") || span_eq(s, "tmp");
}

/* What of this level the layout would take for something else. */
static bool
must_escape(const struct sync *y, struct span level, size_t i)
{
	unsigned char c = (unsigned char)level.p[i];

	if (c < ' ' || c == 127 || c == '/' ||
	    looks_escaped(span_skip(level, i)))
		return true;
	switch (y->layout) {
	case LAYOUT_NESTED:
		return i == 0 && (c == '.' || is_maildir_part(level));
	case LAYOUT_MAILDIR_PLUS:
		return c == '.';
	case LAYOUT_FLAT:
		return c == (unsigned char)y->flat ||
		       (i == 0 && (c == '.' || is_maildir_part(level)));
	}
	return false;
}

static void
put_level(const struct sync *y, struct span level, struct buf *out)
{
	size_t i;

	for (i = 0; i < level.n; i++) {
		if (must_escape(y, level, i))
			buf_printf(out, "%%%02X",
			    (unsigned int)(unsigned char)level.p[i]);
		else
			buf_putc(out, level.p[i]);
	}
}

static char *
take_level(struct span s)
{
	struct buf out;
	char *level;

	buf_init(&out, COMPONENT_MAX + 1);
	for (; s.n > 0; s = span_skip(s, 1)) {
		if (looks_escaped(s) &&
		    dec_percent(&out, (struct span){s.p, 3}) == 0)
			s = span_skip(s, 2);
		else
			buf_putc(&out, s.p[0]);
	}
	level = mem_strdup(buf_cstr(&out));
	buf_clear(&out);
	return level;
}

/* --- levels ----------------------------------------------------------------- */

/* The levels of a name; an empty one is a level too, also at the end. */
static void
split(struct span name, char sep, char *(*take)(struct span),
    struct words *levels)
{
	bool more = name.n > 0;
	struct span part;
	char *level;

	while (more) {
		more = sep != '\0' && span_find(name, sep) != -1;
		if (!more)
			part = name;
		else if (!span_cut(&name, sep, &part))
			part = span_of("");
		level = take(part);
		words_add(levels, level);
		free(level);
	}
}

/* INBOX is INBOX in any case, as a first level; but only where it is one. */
static void
split_remote(struct span remote, char sep, struct words *levels)
{
	split(remote, sep, span_dup, levels);
	if (levels->n > 0 && strcasecmp(levels->v[0], "INBOX") == 0)
		memcpy(levels->v[0], "INBOX", 5);
}

static int
check_level(const char *level, struct span whole, struct err *e)
{
	char *shown;

	if (*level != '\0' && strlen(level) <= COMPONENT_MAX)
		return 0;
	shown = span_show(whole, 200);
	err_set(e, ERR_MESSAGE, "folder '%s': a level of its name is %s", shown,
	    *level == '\0' ? "empty" : "too long");
	free(shown);
	return -1;
}

static int
check_levels(const struct words *levels, struct span whole, struct err *e)
{
	size_t i;

	for (i = 0; i < levels->n; i++)
		if (check_level(levels->v[i], whole, e) == -1)
			return -1;
	return levels->n > 0 ? 0 : check_level("", whole, e);
}

/* --- renames ----------------------------------------------------------------- */

static void
split_slashes(const char *text, struct words *levels)
{
	split_remote(span_of(text), '/', levels);
}

static bool
begins_with(const struct words *levels, const struct words *prefix)
{
	size_t i;

	if (levels->n < prefix->n)
		return false;
	for (i = 0; i < prefix->n; i++)
		if (strcmp(levels->v[i], prefix->v[i]) != 0)
			return false;
	return true;
}

/* The longest rename whose one side is the begin of these levels; n_r: of how
 * many. */
static const struct sync_rename *
find_rename(const struct sync *y, const struct words *levels, bool by_remote,
    size_t *n_r)
{
	const struct sync_rename *best = NULL;
	struct words prefix;
	size_t i;

	*n_r = 0;
	for (i = 0; i < y->n_renames; i++) {
		words_init(&prefix);
		split_slashes(
		    by_remote ? y->renames[i].remote : y->renames[i].local,
		    &prefix);
		if (begins_with(levels, &prefix) &&
		    (best == NULL || prefix.n > *n_r)) {
			best = &y->renames[i];
			*n_r = prefix.n;
		}
		words_clear(&prefix);
	}
	return best;
}

static void
rename_levels(const struct sync *y, struct words *levels, bool by_remote)
{
	const struct sync_rename *r;
	struct words out;
	size_t i, n;

	r = find_rename(y, levels, by_remote, &n);
	if (r == NULL)
		return;
	words_init(&out);
	split_slashes(by_remote ? r->local : r->remote, &out);
	for (i = n; i < levels->n; i++)
		words_add(&out, levels->v[i]);
	words_clear(levels);
	*levels = out;
}

/* --- paths -------------------------------------------------------------------- */

static void
join_path(const struct sync *y, const struct words *levels, struct buf *out)
{
	char joint = y->layout == LAYOUT_NESTED         ? '/'
	             : y->layout == LAYOUT_MAILDIR_PLUS ? '.'
	                                                : y->flat;
	size_t i;

	/* maildir++: the root is the INBOX */
	if (y->layout == LAYOUT_MAILDIR_PLUS) {
		if (levels->n == 1 && strcmp(levels->v[0], "INBOX") == 0)
			return;
		buf_putc(out, '.');
	}
	for (i = 0; i < levels->n; i++) {
		if (i > 0)
			buf_putc(out, joint);
		put_level(y, span_of(levels->v[i]), out);
	}
}

static void
split_path(const struct sync *y, struct span path, struct words *levels)
{
	char joint = '/';

	if (y->layout == LAYOUT_MAILDIR_PLUS) {
		joint = '.';
		if (path.n == 0)
			words_add(levels, "INBOX");
		else
			path = span_skip(path, 1);
	} else if (y->layout == LAYOUT_FLAT)
		joint = y->flat;
	split(path, joint, take_level, levels);
}

static bool
too_long(const struct sync *y, struct span path)
{
	struct span part;

	if (path.n > PATH_BYTES_MAX)
		return true;
	if (y->layout != LAYOUT_NESTED)
		return path.n > COMPONENT_MAX;
	while (span_cut(&path, '/', &part))
		if (part.n > COMPONENT_MAX)
			return true;
	return false;
}

char *
local_path_of(const struct sync *y, struct span remote, char sep, struct err *e)
{
	struct words levels;
	struct buf out;
	char *path = NULL;

	words_init(&levels);
	buf_init(&out, PATH_BYTES_MAX * 4);
	split_remote(remote, sep, &levels);
	if (check_levels(&levels, remote, e) == 0) {
		rename_levels(y, &levels, true);
		join_path(y, &levels, &out);
		if (too_long(y, buf_span(&out)))
			(void)err_set(e, ERR_MESSAGE,
			    "folder '%.*s': its name is too long for a file's",
			    SPAN(remote));
		else
			path = mem_strdup(buf_cstr(&out));
	}
	buf_clear(&out);
	words_clear(&levels);
	return path;
}

/* A level that holds the server's separator would be two there. */
static int
join_remote(const struct words *levels, char sep, struct span path,
    struct buf *out, struct err *e)
{
	size_t i;

	if (sep == '\0' && levels->n > 1)
		return err_set(e, ERR_MESSAGE,
		    "folder %.*s: the server has no folders within folders",
		    SPAN(path));
	for (i = 0; i < levels->n; i++) {
		if (sep != '\0' && span_find(span_of(levels->v[i]), sep) != -1)
			return err_set(e, ERR_MESSAGE,
			    "folder %.*s: the server cannot have a '%c' in a "
			    "name; rename it",
			    SPAN(path), sep);
		if (i > 0)
			buf_putc(out, sep);
		buf_puts(out, levels->v[i]);
	}
	return 0;
}

char *
local_remote_of(const struct sync *y, struct span path, char sep, struct err *e)
{
	struct words levels;
	struct buf out;
	char *remote = NULL, *back;

	words_init(&levels);
	buf_init(&out, PATH_BYTES_MAX);
	split_path(y, path, &levels);
	if (check_levels(&levels, path, e) == 0) {
		rename_levels(y, &levels, false);
		if (join_remote(&levels, sep, path, &out, e) == 0)
			remote = mem_strdup(buf_cstr(&out));
	}
	buf_clear(&out);
	words_clear(&levels);
	if (remote == NULL)
		return NULL;
	/* A name that would come back as another is no pair of this one. */
	back = local_path_of(y, span_of(remote), sep, e);
	if (back == NULL || !span_eq(path, back)) {
		(void)err_set(e, ERR_MESSAGE,
		    "folder %.*s: there would be two with the name '%s'",
		    SPAN(path), remote);
		free(remote);
		remote = NULL;
	}
	free(back);
	return remote;
}

/* --- files -------------------------------------------------------------------- */

static size_t
until(struct span s, const char *set)
{
	size_t i;

	for (i = 0; i < s.n && memchr(set, s.p[i], strlen(set)) == NULL; i++)
		;
	return i;
}

struct span
local_unique(struct span name)
{
	name.n = until(name, ",:");
	return name;
}

static const struct {
	char letter;
	plan_flags flag;
} letters[] = {
    {'D', PLAN_DRAFT},
    {'F', PLAN_FLAGGED},
    {'P', PLAN_PASSED},
    {'R', PLAN_ANSWERED},
    {'S', PLAN_SEEN},
    {'T', PLAN_DELETED},
};
#define LETTERS (sizeof(letters) / sizeof(letters[0]))

static plan_flags
flag_of(char c)
{
	size_t i;

	if (c >= 'a' && c <= 'z')
		return PLAN_KEYWORD(c - 'a');
	for (i = 0; i < LETTERS; i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

/* What stands behind ":2,", up to a further ','. */
static struct span
info_of(struct span name)
{
	struct span info = span_skip(name, until(name, ":"));

	if (!span_prefix(info, ":2,"))
		return span_of("");
	info = span_skip(info, 3);
	info.n = until(info, ",");
	return info;
}

plan_flags
local_flags(struct span name)
{
	struct span info = info_of(name);
	plan_flags f = 0;
	size_t i;

	for (i = 0; i < info.n; i++)
		f |= flag_of(info.p[i]);
	return f;
}

bool
local_with_flags(struct span name, plan_flags f, char name_r[MAILDIR_NAME])
{
	struct span info = info_of(name);
	struct buf out;
	size_t i, c;

	buf_init(&out, MAILDIR_NAME - 1);
	buf_add(&out, (struct span){name.p, until(name, ":")});
	buf_puts(&out, ":2,");
	/* in the order of ASCII, whoever's letters they are */
	for (c = '!'; c < 127; c++) {
		bool theirs = false;

		for (i = 0; i < info.n; i++)
			theirs = theirs || (unsigned char)info.p[i] == c;
		if (flag_of((char)c) != 0 ? (f & flag_of((char)c)) != 0
					  : theirs)
			buf_putc(&out, (char)c);
	}
	strlcpy(name_r, buf_cstr(&out), MAILDIR_NAME);
	c = out.len;
	buf_clear(&out);
	return name.n + 3 < MAILDIR_NAME && c < MAILDIR_NAME - 1;
}
