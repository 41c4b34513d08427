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

/* --- names (pure) -------------------------------------------------------- */

/*
 * From a remote folder's name to a path below the root and back, by layout and
 * renames; owned by the caller; NULL: it cannot be had there (a name that the
 * layout cannot hold), and err tells.  One to one: two remote names never get
 * the same path.
 */
char *local_path_of(
    const struct sync *, struct span remote, char sep, struct err *);
char *local_remote_of(
    const struct sync *, struct span path, char sep, struct err *);

/* The unique part, and flags by ":2," and a folder's keyword letters. */
struct span local_unique(struct span file_name);
plan_flags local_flags(struct span file_name);
/* "<name>:2,<letters>", sorted; what other letters `old` had is kept. */
char *local_with_flags(struct span old_file_name, plan_flags);

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

int local_create(const struct sync *, const char *path, struct err *);
int local_rename(
    const struct sync *, const char *from, const char *to, struct err *);
/* Only when no message is in it. */
int local_remove(const struct sync *, const char *path, struct err *);

/* --- the messages of a folder -------------------------------------------- */

struct local_file {
	uint32_t name; /* where its name begins in the listing's text */
	uint16_t length, unique;
	bool in_new;
	plan_flags flags;
};

/* A listing, sorted by unique name; of two files with the same the second is
 * in `twice` (a reader's copy in flight, or a restored backup). */
struct local_list {
	struct local_file *v; /* owned */
	size_t n;
	char *text; /* owned */
	size_t twice;
	int64_t cur_mtime, new_mtime; /* as in struct local_folder */
};

/*
 * Reads new/ and cur/, until a second look finds the same mtimes: a file that
 * is renamed meanwhile is neither missed nor seen twice.  About 80 bytes of
 * memory a message.
 */
int local_list(struct maildir *, struct local_list *, struct err *);
void local_list_clear(struct local_list *);
struct span local_file_name(const struct local_list *, size_t);

/* A message's file, whatever its flags are by now, opened: 1, 0 gone, -1. */
int local_open(struct maildir *, struct span unique, int *fd_r,
    char name_r[MAILDIR_NAME], bool *in_new_r, struct err *);

/* Header digest and size with CRLFs of an open file. */
int local_digest(int fd, unsigned char digest_r[STATE_DIGEST], uint64_t *size_r,
    struct err *);

/* Renames to have these flags (to cur/ when there are any, or `seen`): 1, 0
 * gone, -1.  Durable after maildir_sync_places(). */
int local_set_flags(
    struct maildir *, struct span unique, plan_flags, struct err *);
int local_unlink(struct maildir *, struct span unique, struct err *);
int local_move(
    struct maildir *from, struct maildir *to, struct span unique, struct err *);

/* --- keywords: dovecot-keywords ------------------------------------------- */

struct local_keywords {
	char *names[26]; /* owned; NULL: free */
	bool changed;
};
int local_keywords_read(
    struct maildir *, struct local_keywords *, struct err *);
int local_keywords_write(
    struct maildir *, struct local_keywords *, struct err *);
/* The letter of a keyword, made when there is room: 0..25 or -1. */
int local_keyword(struct local_keywords *, struct span name, bool make);
void local_keywords_clear(struct local_keywords *);

#endif
