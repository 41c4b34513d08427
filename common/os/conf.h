#ifndef OS_CONF_H
#define OS_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/words.h"

/*
 * The configuration file: read once into sections of lines; then each section
 * is applied to a struct by a table of keywords.  Everything wrong is
 * collected with file and line, so that all of it is told at once.
 */
enum conf_kind { CONF_ACCOUNT, CONF_FETCH, CONF_SYNC, CONF_SEND };

struct conf_line {
	const char *file; /* borrowed from struct conf; "-o" for an override */
	int line;         /* 0 for an override */
	char *keyword;    /* owned */
	char *text;       /* owned: the arguments as written */
	struct words args;
};

struct conf_section {
	enum conf_kind kind;
	char *name; /* owned */
	const char *file;
	int line;
	struct conf_line *lines; /* owned */
	size_t n;
};

struct conf {
	struct conf_section *sections; /* owned */
	size_t n;
	struct conf_line *overrides; /* owned: -o, --set; last wins over all */
	size_t n_overrides;
	struct words files;  /* names of all files read */
	struct words errors; /* "file:line: text", in order */
	char *home;          /* owned: for ~ */
};

void conf_init(struct conf *);
void conf_clear(struct conf *);

/*
 * $XDG_CONFIG_HOME/mailroom/config (default ~/.config), else
 * /etc/mailroom/config; owned by the caller; NULL when there is none.
 */
char *conf_default_path(void);

/*
 * Reads a file and what it includes (globs; at most 16 deep; a file that
 * includes itself is an error).  Problems go to c->errors.
 */
void conf_read(struct conf *, const char *path);

/* Adds "keyword=value" or "keyword value" from the command line. */
void conf_override(struct conf *, const char *);

/* Adds an empty section, for use without a file; borrowed. */
struct conf_section *conf_section(struct conf *, enum conf_kind,
    const char *name);
struct conf_section *conf_find(struct conf *, enum conf_kind,
    const char *name);

void conf_error(struct conf *, const struct conf_line *, const char *, ...)
    __attribute__((format(printf, 3, 4)));

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

/*
 * Applies the lines of a section, then the overrides, to target.  tables is
 * an array of n key tables, each ended by a key without a name; targets are
 * the structs they fill.  Keywords of `quiet` tables (other kinds of section
 * that the user may mean) help the error text: "'keep' belongs in a fetch
 * section".  Overrides that no table knows are errors.
 * An unknown keyword names the nearest known; a duplicate names the first.
 */
struct conf_table {
	const struct conf_key *keys;
	void *target;
	bool *given; /* NULL, or an array with a flag per key: was set */
};
void conf_apply(struct conf *, const struct conf_section *,
    const struct conf_table *, size_t n);

/* "~" and "~/x" expanded by home, relative made absolute; owned. */
char *conf_path(const struct conf *, const char *);

/* Prints all errors through log_error(); returns EX_CONFIG, 0 when none. */
int conf_report(const struct conf *);

#endif
