#ifndef OS_CONF_H
#define OS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/words.h"

/*
 * The configuration file: read once into sections of lines (conf_read.c); then
 * each section is applied to structs by tables of keywords (conf_apply.c).
 * Everything wrong is collected with file and line, so that all of it is told
 * at once.
 */
enum conf_kind { CONF_ACCOUNT, CONF_FETCH, CONF_SYNC, CONF_SEND };
#define CONF_KINDS 4
extern const char *const conf_kind_names[]; /* of CONF_KINDS, then NULL */
int conf_kind_of(const char *word);         /* by that name; -1 */

struct conf_line {
	const char *file; /* borrowed from struct conf; "-o" for an override */
	int line;         /* 0 for an override */
	char *keyword;    /* owned */
	char *text;       /* owned: the arguments as written, no comment */
	struct words args;
};

struct conf_section {
	enum conf_kind kind;
	char *name;       /* owned */
	const char *file; /* borrowed; NULL: made by conf_section() */
	int line;
	struct conf_line *lines; /* owned */
	size_t n;
};

struct conf {
	struct conf_section *sections; /* owned, in the file's order */
	size_t n;
	struct conf_line *overrides; /* owned: -o, --set; last wins over all */
	size_t n_overrides;
	struct words files;   /* all files read, as shown ("~/...") */
	struct words errors;  /* "file:line: text", by file and line */
	uint64_t *error_rank; /* owned: what they are sorted by */
	char *home;           /* owned: for ~ */
};

void conf_init(struct conf *);
void conf_clear(struct conf *);
void conf_line_clear(struct conf_line *);

/*
 * $XDG_CONFIG_HOME/mailroom/config (default ~/.config), else
 * /etc/mailroom/config; owned by the caller; NULL when there is none.
 */
char *conf_default_path(void);

/*
 * Reads that file; with path, which wins, the other.  When there is none it is
 * an error that ends in "or " and `instead`, what else could be done; with
 * instead NULL it is as good as an empty one.
 */
void conf_load(struct conf *, const char *path, const char *instead);

/*
 * Reads a file and what it includes (globs, relative to the including file;
 * at most 16 deep; a file that includes itself is an error).  An included
 * file begins in the section that includes it, and leaves it as it was.
 * Problems go to c->errors.
 *
 * `account NAME` starts a section like any other, with one exception: as the
 * first line of a fetch, sync or send section of another name it says which
 * account that section uses.  (Should that section have been left empty, and
 * have an account of its own name, while `account NAME` stands nowhere else,
 * then it does start a section.)
 */
void conf_read(struct conf *, const char *path);

/* The same from memory, without I/O: an include is an error. */
void conf_parse(struct conf *, const char *name, const char *text, size_t n);

/* Adds "keyword=value", "keyword = value" or "keyword value", from the command line. */
void conf_override(struct conf *, const char *);

/*
 * Adds an empty section, for use without a file.  The pointers are borrowed,
 * valid until sections are added.
 */
struct conf_section *conf_section(
    struct conf *, enum conf_kind, const char *name);
struct conf_section *conf_find(struct conf *, enum conf_kind, const char *name);

/* The same for a section that the user named: that there is none is an error,
 * with the nearest name; NULL then. */
struct conf_section *conf_need(struct conf *, enum conf_kind, const char *name);

/*
 * The account section that a section uses: the one that its `account` line
 * names, else the one of its own name; NULL: there is none.
 */
struct conf_section *conf_account(struct conf *, const struct conf_section *);

/* That `account` line; NULL: there is none.  Borrowed. */
const struct conf_line *conf_reference(const struct conf_section *);

/* An error at a line; NULL or a line without a file: at no place. */
void conf_error(struct conf *, const struct conf_line *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* "fetch work: TEXT", where that section begins. */
void conf_complain(struct conf *, const struct conf_section *, const char *,
    ...) __attribute__((format(printf, 3, 4)));

/* What follows the first word of the line's arguments, as written; "" when
 * there is no more.  Borrowed. */
const char *conf_rest(const struct conf_line *);

/* Types of values.  The struct's member is named in the comment. */
enum conf_type {
	CONF_STRING,   /* char *, owned: one word */
	CONF_TEXT,     /* char *, owned: the whole rest, as written */
	CONF_PATH,     /* char *, owned: one word, ~ expanded, made absolute */
	CONF_WORDS,    /* struct words: all words, one or more */
	CONF_APPEND,   /* struct words: as WORDS, may be repeated */
	CONF_COMMAND,  /* char *, owned: the rest as written; must split */
	CONF_BOOL,     /* bool: yes no true false on off; nothing: yes */
	CONF_DURATION, /* int64_t: milliseconds */
	CONF_SIZE,     /* uint64_t: bytes */
	CONF_NUMBER,   /* uint64_t: min..max */
	CONF_ENUM,     /* int: index into names */
	CONF_CUSTOM    /* parse() does it */
};

struct conf_key {
	const char *name;
	enum conf_type type;
	size_t offset;            /* of the member in the target */
	const char *const *names; /* ENUM: NULL-terminated */
	uint64_t min, max;        /* NUMBER */
	bool repeat;              /* CUSTOM: may stand several times */
	/* CUSTOM: 0, or -1 with the text of what is wrong in err. */
	int (*parse)(void *target, const struct conf *,
	    const struct conf_line *, struct err *);
};

/* Such keys: a member of `object`, one of names, what parse() takes. */
#define CONF_KEY(word, kind, object, member)       \
	{                                          \
		.name = word, .type = CONF_##kind, \
		.offset = offsetof(object, member) \
	}
#define CONF_ONE_OF(word, object, member, list)                   \
	{                                                         \
		.name = word, .type = CONF_ENUM,                  \
		.offset = offsetof(object, member), .names = list \
	}
#define CONF_PARSED(word, function)                                  \
	{                                                            \
		.name = word, .type = CONF_CUSTOM, .parse = function \
	}

struct conf_table {
	const struct conf_key *keys; /* ended by a key without a name */
	void *target;                /* NULL: known, but not set from here */
	bool *given; /* NULL, or an array with a flag per key: was set */
	enum conf_kind kind; /* where the keywords of a table without a target
	                      * belong, for the error text */
};

/*
 * Applies the lines of a section, then the overrides, to the targets of n
 * tables.  What is given again replaces what an earlier call set; a repeated
 * keyword (APPEND, CUSTOM with repeat) adds within a call, and an override of
 * one replaces the section's lines.  A keyword of a table without a target is
 * an error in the section ("'keep' belongs in a fetch section") and fine as
 * an override, which then is for another section.  An unknown keyword names
 * the nearest known; a duplicate names the first.
 */
void conf_apply(struct conf *, const struct conf_section *,
    const struct conf_table *, size_t n);

/*
 * "~" and "~/x" expanded by home, relative made absolute by the working
 * directory; owned by the caller.
 */
char *conf_path(const struct conf *, const char *);

/* Prints all errors through log_error(); returns EX_CONFIG, 0 when none. */
int conf_report(const struct conf *);

#endif
