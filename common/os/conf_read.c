/*
 * Reads configuration files into sections of lines.  Knows no keyword but
 * those that start sections, and `include`.  Files that include others are
 * kept on a stack: nothing recurses.
 */

#include <sys/stat.h>

#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"
#include "os/conf.h"
#include "os/file.h"

#define DEPTH_MAX 16
#define FILES_MAX 1000
#define FILE_BYTES (1024 * 1024)
#define NAME_MAX_BYTES 64 /* it becomes part of file names */

/* One level of inclusion: files to read one by one, and the one being read. */
struct source {
	struct words paths;
	size_t next;
	const char *path; /* borrowed: the file being read; NULL: memory */
	const char *name; /* borrowed: as shown */
	dev_t dev;
	ino_t ino;
	struct buf text;
	struct span rest;
	int line;
	ptrdiff_t outer, section; /* index, or one of these: */
};
#define NO_SECTION (-1)
#define NO_MATTER (-2) /* outside of any, and said so */

struct reader {
	struct conf *c;
	struct source stack[DEPTH_MAX];
	size_t depth;
};

/* --- sections ------------------------------------------------------------ */

/* Names go into paths and in front of log lines. */
static bool
name_is_valid(const char *name)
{
	const char *p;

	if (name[0] == '\0' || name[0] == '.' || name[0] == '-' ||
	    strlen(name) > NAME_MAX_BYTES)
		return false;
	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < 0x80 &&
		    strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
			   "WXYZ0123456789._@+-",
			*p) == NULL)
			return false;
	return true;
}

static void
check_header(struct conf *c, enum conf_kind kind, const struct conf_line *l)
{
	const char *word = conf_kind_names[kind], *name;
	const struct conf_section *old;

	if (l->args.n != 1) {
		conf_error(c, l, "'%s' needs a name, and nothing else", word);
		return;
	}
	name = l->args.v[0];
	if (!name_is_valid(name))
		conf_error(c, l,
		    "'%s' cannot be a name: letters, digits and . _ @ + -, at "
		    "most %d, the first not . or -",
		    name, NAME_MAX_BYTES);
	old = conf_find(c, kind, name);
	if (old != NULL && old->file != NULL)
		conf_error(c, l, "%s '%s' is there already (%s:%d)%s", word,
		    name, old->file, old->line,
		    kind == CONF_ACCOUNT
			? "; to name the account of a section, put the line first "
			  "in it"
			: "");
}

static void
begin_section(struct source *s, struct conf *c, enum conf_kind kind,
    const struct conf_line *l)
{
	struct conf_section *new;

	check_header(c, kind, l);
	new = conf_section(c, kind, l->args.n > 0 ? l->args.v[0] : "");
	new->file = l->file;
	new->line = l->line;
	s->section = (ptrdiff_t)c->n - 1;
}

/* Takes *l over. */
static void
add_line(struct conf_line **v, size_t *n, struct conf_line *l)
{
	*v = mem_resize(*v, *n + 1, sizeof(**v));
	(*v)[(*n)++] = *l;
	*l = (struct conf_line){0};
}

/*
 * What stood as the first line of a section and looked like a reference may
 * have been the start of an account after all: see conf_read().
 */
static void
split_section(struct conf *c, size_t i)
{
	struct conf_section *from, new;
	struct conf_line *head = &c->sections[i].lines[0];

	check_header(c, CONF_ACCOUNT, head);
	new = *conf_section(c, CONF_ACCOUNT, head->args.v[0]);
	from = &c->sections[i];
	memmove(from + 2, from + 1, (c->n - i - 2) * sizeof(*from));
	new.file = head->file;
	new.line = head->line;
	conf_line_clear(head);
	new.lines = from->lines;
	new.n = from->n - 1;
	memmove(new.lines, new.lines + 1, new.n * sizeof(*new.lines));
	from[1] = new;
	from->lines = NULL;
	from->n = 0;
}

static void
check_reference(struct conf *c, const struct conf_line *l)
{
	const char **names = mem_array(c->n, sizeof(*names));
	char hint[SUGGEST_HINT];
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		if (c->sections[i].kind == CONF_ACCOUNT)
			names[n++] = c->sections[i].name;
	conf_error(c, l, "no account '%s'%s", l->args.v[0],
	    suggest_hint(l->args.v[0], names, n, hint));
	free(names);
}

static void
resolve_references(struct conf *c, size_t first)
{
	bool *split = mem_array(c->n, sizeof(*split));
	size_t i, n = c->n, done = 0;
	const struct conf_line *l;

	/* What was found is judged before anything is moved. */
	for (i = first; i < n; i++) {
		l = conf_reference(&c->sections[i]);
		split[i] = l != NULL &&
		           !conf_find(c, CONF_ACCOUNT, l->args.v[0]) &&
		           conf_find(c, CONF_ACCOUNT, c->sections[i].name);
	}
	for (i = first; i < n; i++)
		if (split[i])
			split_section(c, i + done++);
	free(split);
	for (i = first; i < c->n; i++) {
		l = conf_reference(&c->sections[i]);
		if (l != NULL && !conf_find(c, CONF_ACCOUNT, l->args.v[0]))
			check_reference(c, l);
	}
}

/* --- files --------------------------------------------------------------- */

static const char *
shown_name(struct conf *c, const char *path)
{
	size_t n = strlen(c->home);
	char *name;

	if (n > 1 && strncmp(path, c->home, n) == 0 && path[n] == '/')
		name = mem_printf("~%s", path + n);
	else
		name = mem_strdup(path);
	words_add(&c->files, name);
	free(name);
	return c->files.v[c->files.n - 1];
}

/* The line that is being read. */
static struct conf_line
place(const struct source *s)
{
	return (struct conf_line){.file = s->name, .line = s->line};
}

/* The line that included what is at the top; no place for the first file. */
static struct conf_line
includer(const struct reader *r)
{
	if (r->depth < 2)
		return (struct conf_line){0};
	return place(&r->stack[r->depth - 2]);
}

static bool
is_open(const struct reader *r, const struct stat *st)
{
	size_t i;

	for (i = 0; i + 1 < r->depth; i++)
		if (r->stack[i].path != NULL && r->stack[i].dev == st->st_dev &&
		    r->stack[i].ino == st->st_ino)
			return true;
	return false;
}

static void
begin_text(struct source *s, struct span text)
{
	if (span_prefix(text, "\xef\xbb\xbf"))
		text = span_skip(text, 3);
	s->rest = text;
	s->line = 0;
	s->section = s->outer;
}

static void
open_file(struct reader *r, struct source *s)
{
	struct conf_line at = includer(r);
	struct stat st;
	struct err e;

	s->path = s->paths.v[s->next++];
	if (r->c->files.n >= FILES_MAX) {
		conf_error(r->c, &at, "over %d files included", FILES_MAX);
		return;
	}
	buf_clear(&s->text);
	buf_init(&s->text, FILE_BYTES);
	if (stat(s->path, &st) == 0 && is_open(r, &st)) {
		conf_error(r->c, &at, "%s includes itself", s->path);
		return;
	}
	if (file_read(s->path, &s->text, &e) == -1) {
		conf_error(r->c, &at, "%s", e.text);
		return;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->name = shown_name(r->c, s->path);
	begin_text(s, buf_span(&s->text));
}

static struct source *
push(struct reader *r)
{
	struct source *s = &r->stack[r->depth++];

	*s = (struct source){.outer = NO_SECTION};
	if (r->depth > 1)
		s->outer = r->stack[r->depth - 2].section;
	return s;
}

static void
pop(struct reader *r)
{
	struct source *s = &r->stack[--r->depth];

	words_clear(&s->paths);
	buf_clear(&s->text);
}

/* An absolute pattern; relative ones are beside the including file. */
static char *
include_pattern(const struct conf *c, const struct source *s, const char *arg)
{
	char *copy, *pattern;

	if (arg[0] == '/' || arg[0] == '~')
		return conf_path(c, arg);
	copy = mem_strdup(s->path);
	pattern = mem_printf("%s/%s", dirname(copy), arg);
	free(copy);
	return pattern;
}

static void
include(struct reader *r, struct source *s, const struct conf_line *l)
{
	struct source *top;
	char *pattern;
	glob_t found;
	size_t i;

	if (s->path == NULL)
		conf_error(r->c, l, "include: not possible here");
	else if (l->args.n != 1 || l->args.v[0][0] == '\0')
		conf_error(r->c, l, "include: needs one path or pattern");
	else if (r->depth == DEPTH_MAX)
		conf_error(r->c, l, "include: over %d deep", DEPTH_MAX);
	else {
		pattern = include_pattern(r->c, s, l->args.v[0]);
		top = push(r);
		/* A pattern that matches nothing is fine, a missing file not */
		if (glob(pattern, GLOB_NOMAGIC, NULL, &found) == 0) {
			for (i = 0; i < found.gl_pathc; i++)
				words_add(&top->paths, found.gl_pathv[i]);
			globfree(&found);
		}
		free(pattern);
	}
}

/* --- lines --------------------------------------------------------------- */

/* Cuts a comment off, by the rules of words_split(), and blanks at the end. */
static void
strip_comment(char *s)
{
	char quote = '\0', *p;
	bool at_start = true;

	for (p = s; *p != '\0'; p++) {
		if (at_start && quote == '\0' && *p == '#')
			break;
		at_start = quote == '\0' && strchr(" \t", *p) != NULL;
		if (*p == '\\' && quote != '\'' && p[1] != '\0')
			p++;
		else if (*p == quote)
			quote = '\0';
		else if (quote == '\0' && (*p == '"' || *p == '\''))
			quote = *p;
	}
	while (p > s && strchr(" \t", p[-1]) != NULL)
		p--;
	*p = '\0';
}

/* The line without its line end; false when it is not text. */
static bool
is_text(struct conf *c, struct span s, const struct conf_line *at)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char b = (unsigned char)s.p[i];

		if ((b < 0x20 && b != '\t') || b == 0x7f) {
			conf_error(c, at, "a control character (\\x%02x)", b);
			return false;
		}
	}
	return true;
}

/* Splits text into keyword, arguments and their text. 1; 0: nothing; -1. */
static int
parse_line(struct conf *c, char *text, struct conf_line *l)
{
	struct words w;
	struct err e;
	size_t i;
	int rv;

	words_init(&w);
	strip_comment(text);
	text += strspn(text, " \t");
	rv = words_split(&w, text, false, &e);
	if (rv == -1)
		conf_error(c, l,
		    "%s (put \\ before a character that stands for itself)",
		    e.text);
	else if (w.n > 0) {
		l->keyword = mem_strdup(w.v[0]);
		for (i = 1; i < w.n; i++)
			words_add(&l->args, w.v[i]);
		text += strcspn(text, " \t");
		text += strspn(text, " \t");
		l->text = mem_strdup(text);
		rv = 1;
	}
	words_clear(&w);
	return rv;
}

/* A line before any section: perhaps the start of one, misspelt. */
static void
take_stray(struct conf *c, struct source *s, const struct conf_line *l)
{
	const char *near = suggest(l->keyword, conf_kind_names, CONF_KINDS);

	if (near != NULL && l->args.n == 1) {
		conf_error(c, l, "unknown keyword '%s' (did you mean '%s'?)",
		    l->keyword, near);
		begin_section(s, c, (enum conf_kind)conf_kind_of(near), l);
	} else if (s->section == NO_SECTION) {
		conf_error(c, l,
		    "'%s' is outside of any section: begin one "
		    "with account, fetch, sync or send, and a name",
		    l->keyword);
		s->section = NO_MATTER;
	}
}

/* Whether `account NAME` names the account of the section that just began. */
static bool
is_reference(
    const struct conf *c, const struct source *s, const struct conf_line *l)
{
	const struct conf_section *now;

	if (s->section < 0 || l->args.n != 1)
		return false;
	now = &c->sections[s->section];
	return now->kind != CONF_ACCOUNT && now->n == 0 &&
	       strcmp(now->name, l->args.v[0]) != 0;
}

static void
take_line(struct reader *r, struct source *s, struct span line)
{
	struct conf_line l = place(s);
	struct conf *c = r->c;
	char *text;
	int kind;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (!is_text(c, line, &l))
		return;
	text = span_dup(line);
	if (parse_line(c, text, &l) == 1) {
		kind = conf_kind_of(l.keyword);
		if (strcmp(l.keyword, "include") == 0)
			include(r, s, &l);
		else if (kind != -1 &&
			 (kind != CONF_ACCOUNT || !is_reference(c, s, &l)))
			begin_section(s, c, (enum conf_kind)kind, &l);
		else if (s->section < 0)
			take_stray(c, s, &l);
		else
			add_line(&c->sections[s->section].lines,
			    &c->sections[s->section].n, &l);
	}
	conf_line_clear(&l);
	free(text);
}

static void
run(struct reader *r)
{
	struct source *s;
	struct span line;
	size_t first = r->c->n;

	while (r->depth > 0) {
		s = &r->stack[r->depth - 1];
		if (span_cut(&s->rest, '\n', &line)) {
			s->line++;
			take_line(r, s, line);
		} else if (s->next < s->paths.n)
			open_file(r, s);
		else
			pop(r);
	}
	resolve_references(r->c, first);
}

void
conf_read(struct conf *c, const char *path)
{
	struct reader r = {.c = c};

	words_add(&push(&r)->paths, path);
	run(&r);
}

void
conf_parse(struct conf *c, const char *name, const char *text, size_t n)
{
	struct reader r = {.c = c};
	struct source *s = push(&r);

	s->name = shown_name(c, name);
	begin_text(s, span_bytes(text, n));
	run(&r);
}

void
conf_override(struct conf *c, const char *arg)
{
	struct conf_line l = {.file = "-o"};
	char *text = mem_strdup(arg);
	size_t n = strcspn(text, "= \t"), equal = n + strspn(text + n, " \t");

	if (text[equal] == '=')
		text[equal] = ' ';
	if (!is_text(c, span_of(text), &l))
		;
	else if (n == 0 || parse_line(c, text, &l) == 0)
		conf_error(c, &l, "needs keyword=value, not '%s'", arg);
	else if (l.keyword != NULL)
		add_line(&c->overrides, &c->n_overrides, &l);
	conf_line_clear(&l);
	free(text);
}
