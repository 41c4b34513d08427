#ifndef SYNCD_LOCAL_H
#define SYNCD_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "options.h"
#include "os/maildir.h"
#include "plan.h"
#include "state.h"

/*
 * The Maildir side.  A message's identity is the unique part of its file's
 * name (all before the first ':', and before a ',' of ours), which a mail
 * reader keeps when it changes flags or moves the file to another folder.
 */

/* --- names (pure): local_name.c ------------------------------------------ */

/*
 * From a remote folder's name to a path below the root and back, by layout and
 * renames; owned by the caller; NULL: it cannot be had there, and err
 * (ERR_MESSAGE) tells why.  One to one: what a layout cannot hold as it is
 * (its own separator, "cur", a leading dot, control characters) stands as
 * "%2F"; sep is '\0' where the server has no hierarchy.
 */
char *local_path_of(
    const struct sync *, struct span remote, char sep, struct err *);
char *local_remote_of(
    const struct sync *, struct span path, char sep, struct err *);

/* A file's name, without its folder: the unique part, and flags by ":2,"
 * (keywords by their letters). */
struct span local_unique(struct span file_name);
plan_flags local_flags(struct span file_name);

/* The name with these flags: "<base>:2,<letters>", sorted; other letters that
 * are there stay.  False when it would be too long. */
bool local_with_flags(
    struct span file_name, plan_flags, char name_r[MAILDIR_NAME]);

/* --- folders ------------------------------------------------------------- */

struct local_folder {
	char *path;                   /* owned; below the root */
	int64_t cur_mtime, new_mtime; /* ns; as they may be remembered: 0 when
	                               * too fresh to be trusted */
};

/* All Maildirs below the root; whether the root is there at all.  The list is
 * the caller's. */
int local_survey(const struct sync *, struct local_folder **list_r, size_t *n_r,
    bool *root_r, struct err *);
void local_survey_free(struct local_folder *, size_t n);

/* All directories, as paths below the root, the root ("") first, that are
 * folders or in which one may come to be; those read before an error, too.  The
 * list is the caller's. */
int local_directories(const struct sync *, struct words *list_r, struct err *);

/* False only when it certainly is not. */
bool local_is_there(const struct sync *, const char *path);
/* Opens a folder's Maildir. */
int local_maildir(const struct sync *, const char *path, bool create,
    struct maildir *, struct err *);
/* Makes it, durably; its parents too. */
int local_create(const struct sync *, const char *path, struct err *);
int local_rename(
    const struct sync *, const char *from, const char *to, struct err *);
/* Only when no message is in it. */
int local_remove(const struct sync *, const char *path, struct err *);

/*
 * Which turn the tree is at, for the state with that tag: whether it is that one
 * (or the next, which is set before the state has it); and to set it, durably.
 * A tree that was never set is at none.
 */
bool local_turn_is(const struct sync *, uint32_t tag, uint64_t turn);
int local_turn_set(
    const struct sync *, uint32_t tag, uint64_t turn, struct err *);

/* --- the messages of a folder -------------------------------------------- */

/*
 * What is there, without the names: 16 bytes a file, so that a folder may be
 * large.  A unique name is a hash with a key of this census alone; that two of
 * its 93 bits are equal by chance is not to be feared.
 */
struct local_mark {
	uint64_t hash;
	uint32_t more : 29, in_new : 1;
	uint32_t known : 1; /* the caller's: it has a row */
	uint32_t
	    wanted : 1; /* the caller's: local_names() is to give its name */
	uint32_t flags; /* local_mark_flags() */
};

/* Of several files with the same unique name only the first is in it (a
 * reader's copy, a restored backup). */
struct local_census {
	struct local_mark *v; /* owned */
	size_t n, cap;
	size_t twice;                 /* files left out */
	int64_t cur_mtime, new_mtime; /* as in struct local_folder */
	uint64_t key[2];
};

/*
 * Reads new/ and cur/, and again when they change meanwhile, for a file that
 * is renamed while a directory is read may not be seen at all: ERR_TEMP when
 * they never keep still.
 */
int local_census(struct maildir *, struct local_census *, struct err *);
void local_census_clear(struct local_census *);
struct local_mark *local_census_find(
    const struct local_census *, struct span unique); /* NULL: not there */
plan_flags local_mark_flags(const struct local_mark *);

/*
 * Before look number `look` (from 0) at a folder that does not keep still: waits
 * a moment from the second one on; ERR_TEMP when these are enough.
 */
int local_look(const struct maildir *, int look, struct err *);

int local_is_empty(struct maildir *, bool *empty_r, struct err *);

struct local_file {
	uint32_t name; /* where its name begins in the listing's text */
	uint16_t length, unique;
	bool in_new;
	bool known; /* as its mark */
	plan_flags flags;
};

/* Files with their names, sorted by unique name (bytes compared). */
struct local_list {
	struct local_file *v; /* owned */
	size_t n;
	char *text;                   /* owned */
	size_t twice;                 /* as in the census */
	int64_t cur_mtime, new_mtime; /* likewise */
};

/*
 * The files whose marks are `wanted` (and are not, thereafter).  About 90 bytes
 * of memory each.  1; 0: one of them is not any more where the census saw it, and
 * a new one is to be taken; -1.
 */
int local_names(
    struct maildir *, struct local_census *, struct local_list *, struct err *);
/* All files. */
int local_list(struct maildir *, struct local_list *, struct err *);
void local_list_clear(struct local_list *);
struct span local_file_name(const struct local_list *, size_t); /* NUL behind */
struct span local_file_unique(const struct local_list *, size_t);
/* The file with that unique name; NULL: none. */
const struct local_file *local_list_find(
    const struct local_list *, struct span unique);

/*
 * These find the file by the name and place it was listed with and, when a
 * reader has renamed it since, by its unique part: 1; 0 when it is gone; -1.
 */
struct local_at {
	char name[MAILDIR_NAME];
	bool in_new;
};
void local_at(const struct local_list *, const struct local_file *,
    struct local_at *at_r);

/* A file that was on its way from new/ to cur/ when the power went may have both
 * names: the one in new/ goes.  Whether there was any. */
bool local_drop_twins(struct maildir *);

/* Opens it for reading; *at is where it was found. */
int local_open(struct maildir *, struct local_at *at, int *fd_r, struct err *);
/* Sets these flags and clears those; what a reader has changed of others since
 * it was listed stays.  Renames it, into cur/ when it has flags; durable after
 * maildir_sync_places(). */
int local_set_flags(struct maildir *, struct local_at *at, plan_flags set,
    plan_flags clear, struct err *);
int local_unlink(struct maildir *, struct local_at *at, struct err *);
/* Only if it is still there by just that name, so with these flags. */
int local_expire(struct maildir *, const struct local_at *at, struct err *);
/* tmp/NAME takes its place at once, by the name that it has, and what it was is
 * no more; 0: gone, and tmp/NAME is still there. */
int local_replace(
    struct maildir *, const char *tmp_name, struct local_at *at, struct err *);
/* One that is there already, by a second name of the same file, goes here. */
int local_move(struct maildir *from, struct maildir *to, struct local_at *at,
    struct err *);

/*
 * What a file is known by when its UID is lost: size with CRLFs, and the
 * digest of its Message-ID field (base/header's, of the field alone), or where
 * there is none (*has_id_r) of its whole header.  Read from its begin.  A
 * placeholder is known as the message that it stands for.
 */
#define LOCAL_DIGEST 16
int local_identity(int fd, uint64_t *size_r,
    unsigned char digest_r[LOCAL_DIGEST], bool *has_id_r, struct err *);

/* The same of a header that came in memory, or of that field alone. */
void local_digest(
    struct span header, unsigned char digest_r[LOCAL_DIGEST], bool *has_id_r);

/* Whether the file is a placeholder.  Read from its begin. */
int local_is_placeholder(int fd, bool *is_r, struct err *);

/* --- keywords: dovecot-keywords ------------------------------------------- */

struct local_keywords {
	char *names[26]; /* owned; NULL: free */
	bool changed;
};
int local_keywords_read(
    struct maildir *, struct local_keywords *, struct err *);
/* If they changed, durably, by way of a file in tmp/ with that tag.  To be done
 * before a file's name or a row has a new letter. */
int local_keywords_write(
    struct maildir *, struct local_keywords *, uint32_t tag, struct err *);
/* The letter of a keyword, made when there is room: 0..25 or -1. */
int local_keyword(struct local_keywords *, struct span name, bool make);
void local_keywords_clear(struct local_keywords *);

#endif
