/*
 * The configuration as it is kept: sections, overrides, and the list of
 * everything that is wrong with them.
 */

#include "os/conf.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"
#include "os/log.h"

#define ERRORS_MAX 200

const char *const conf_kind_names[] = {
    "account", "fetch", "sync", "send", NULL};

int
conf_kind_of(const char *word)
{
	int i;

	for (i = 0; i < CONF_KINDS; i++)
		if (strcmp(conf_kind_names[i], word) == 0)
			return i;
	return -1;
}

/* --- life ---------------------------------------------------------------- */

void
conf_init(struct conf *c)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home == NULL || home[0] != '/')
		home = (pw = getpwuid(getuid())) != NULL ? pw->pw_dir : "/";
	*c = (struct conf){.home = mem_strdup(home)};
}

void
conf_line_clear(struct conf_line *l)
{
	free(l->keyword);
	free(l->text);
	words_clear(&l->args);
}

void
conf_clear(struct conf *c)
{
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		for (k = 0; k < c->sections[i].n; k++)
			conf_line_clear(&c->sections[i].lines[k]);
		free(c->sections[i].lines);
		free(c->sections[i].name);
	}
	for (i = 0; i < c->n_overrides; i++)
		conf_line_clear(&c->overrides[i]);
	free(c->sections);
	free(c->overrides);
	free(c->error_rank);
	free(c->home);
	words_clear(&c->files);
	words_clear(&c->errors);
	*c = (struct conf){0};
}

/* --- errors -------------------------------------------------------------- */

/* Errors without a place come last. */
static uint64_t
rank_of(const struct conf *c, const struct conf_line *at)
{
	size_t i;

	for (i = 0; at != NULL && i < c->files.n; i++)
		if (at->file == c->files.v[i])
			return (uint64_t)i << 32 | (uint32_t)at->line;
	return UINT64_MAX;
}

/* Puts it behind those of its place, unless it was said before. */
static void
error_insert(struct conf *c, uint64_t rank, const char *text)
{
	size_t i, n = c->errors.n;
	char *last;

	for (i = 0; i < n; i++)
		if (strcmp(c->errors.v[i], text) == 0)
			return;
	if (n >= ERRORS_MAX)
		return;
	words_add(&c->errors, text);
	c->error_rank = mem_resize(c->error_rank, n + 1, sizeof(rank));
	last = c->errors.v[n];
	for (i = n; i > 0 && c->error_rank[i - 1] > rank; i--) {
		c->errors.v[i] = c->errors.v[i - 1];
		c->error_rank[i] = c->error_rank[i - 1];
	}
	c->errors.v[i] = last;
	c->error_rank[i] = rank;
}

void
conf_error(struct conf *c, const struct conf_line *at, const char *fmt, ...)
{
	char *text, *full;
	va_list ap;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	if (at == NULL || at->file == NULL)
		full = mem_strdup(text);
	else if (at->line == 0)
		full = mem_printf("%s: %s", at->file, text);
	else
		full = mem_printf("%s:%d: %s", at->file, at->line, text);
	error_insert(c, rank_of(c, at), full);
	free(full);
	free(text);
}

void
conf_complain(
    struct conf *c, const struct conf_section *s, const char *fmt, ...)
{
	const struct conf_line at = {.file = s->file, .line = s->line};
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	conf_error(
	    c, &at, "%s %s: %s", conf_kind_names[s->kind], s->name, text);
	free(text);
}

int
conf_report(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->errors.n; i++)
		log_error("%s", c->errors.v[i]);
	return c->errors.n > 0 ? EX_CONFIG : EX_OK;
}

/* --- sections ------------------------------------------------------------ */

struct conf_section *
conf_find(struct conf *c, enum conf_kind kind, const char *name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == kind &&
		    strcmp(c->sections[i].name, name) == 0)
			return &c->sections[i];
	return NULL;
}

struct conf_section *
conf_need(struct conf *c, enum conf_kind kind, const char *name)
{
	struct conf_section *s = conf_find(c, kind, name);
	const char **names;
	char hint[SUGGEST_HINT];
	size_t i, n = 0;

	if (s != NULL)
		return s;
	names = mem_array(c->n, sizeof(*names));
	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == kind)
			names[n++] = c->sections[i].name;
	conf_error(c, NULL, "no '%s %s' in the configuration%s",
	    conf_kind_names[kind], name, suggest_hint(name, names, n, hint));
	free(names);
	return NULL;
}

struct conf_section *
conf_section(struct conf *c, enum conf_kind kind, const char *name)
{
	c->sections = mem_resize(c->sections, c->n + 1, sizeof(*c->sections));
	c->sections[c->n] =
	    (struct conf_section){.kind = kind, .name = mem_strdup(name)};
	return &c->sections[c->n++];
}

const struct conf_line *
conf_reference(const struct conf_section *s)
{
	if (s->kind == CONF_ACCOUNT || s->n == 0 ||
	    strcmp(s->lines[0].keyword, "account") != 0)
		return NULL;
	return &s->lines[0];
}

struct conf_section *
conf_account(struct conf *c, const struct conf_section *s)
{
	const struct conf_line *l = conf_reference(s);

	return conf_find(c, CONF_ACCOUNT, l != NULL ? l->args.v[0] : s->name);
}

const char *
conf_rest(const struct conf_line *l)
{
	struct span s = span_of(l->text), word;

	if (!span_word(&s, &word))
		return "";
	s = span_trim(s);
	return s.n > 0 ? s.p : "";
}

/* --- paths --------------------------------------------------------------- */

char *
conf_default_path(void)
{
	const char *xdg = getenv("XDG_CONFIG_HOME");
	struct conf c;
	char *path;

	conf_init(&c);
	if (xdg != NULL && xdg[0] == '/')
		path = mem_printf("%s/mailroom/config", xdg);
	else
		path = mem_printf("%s/.config/mailroom/config", c.home);
	conf_clear(&c);
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	path = mem_strdup("/etc/mailroom/config");
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

void
conf_load(struct conf *c, const char *path, const char *instead)
{
	char *file = path != NULL ? mem_strdup(path) : conf_default_path();

	if (file != NULL)
		conf_read(c, file);
	else if (instead != NULL)
		conf_error(c, NULL,
		    "no configuration: there is neither "
		    "~/.config/mailroom/config nor /etc/mailroom/config; see "
		    "mailroom.conf(5), or %s",
		    instead);
	free(file);
}

char *
conf_path(const struct conf *c, const char *path)
{
	char *cwd, *full;

	if (path[0] == '/')
		return mem_strdup(path);
	if (path[0] == '~' && (path[1] == '/' || path[1] == '\0'))
		return mem_printf("%s%s", c->home, path + 1);
	cwd = getcwd(NULL, 0);
	full = mem_printf("%s/%s", cwd != NULL ? cwd : "", path);
	free(cwd);
	return full;
}
