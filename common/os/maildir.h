#ifndef OS_MAILDIR_H
#define OS_MAILDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Delivery into a Maildir in steps whose order the caller owns, because a
 * commit to the state stands between them:
 *   spool_*         write tmp/<unique>, as the bytes arrive
 *   spool_sync, maildir_sync_tmp (or durable_start() for many at once)
 *                   the bytes and their names in tmp/ survive a power cut
 *   (the caller commits "placing")
 *   maildir_place   tmp/<unique> becomes new/<name>
 *   maildir_sync_places
 *                   the names in new/ and cur/ survive a power cut
 */
struct maildir {
	char *path; /* owned */
	int tmp, new, cur;
	bool placed_new, placed_cur; /* since the last maildir_sync_places() */
};

/*
 * Opens it; with create, makes it and its parents, durably.  ERR_LOCAL: "not
 * a Maildir" when something else is there.
 */
int maildir_open(const char *path, bool create, struct maildir *, struct err *);
void maildir_close(struct maildir *);

#define MAILDIR_NAME 256

/*
 * A name that is unique on all hosts that share the Maildir:
 * <seconds>.M<usec>P<pid>Q<count>R<tag><random>.<host>
 * The tag is the writer's own: a random number that it keeps in its state, so
 * that it can tell its files from those of others who deliver here.
 */
void maildir_unique(uint32_t tag, char name_r[MAILDIR_NAME]);

/*
 * The same form for a name that is known beforehand: equal for equal seconds
 * and key (16 hex digits) on this host. Who delivers again what may have been
 * written before a crash finds its own file, instead of leaving it there.
 */
void maildir_name(int64_t seconds, const char *key, char name_r[MAILDIR_NAME]);

/* A file in tmp/ (or in any directory) that a message is written to. */
struct spool {
	int fd;
	char name[MAILDIR_NAME]; /* in its directory */
	uint64_t bytes;          /* written so far, after CRLF -> LF */
	uint64_t lines;          /* LFs without CR: W= is bytes + lines */
	char last;               /* byte written */
	bool held_cr;            /* a CR that may belong to a CRLF */
	struct buf out;          /* not yet written */
	const char *what;        /* borrowed: for error texts */
};

/* Creates <unique> in the directory (O_EXCL, mode 0600). */
int spool_open(
    struct spool *, int dirfd, uint32_t tag, const char *what, struct err *);

/* The same with a name of the caller's; of what has it already, nothing stays:
 * nobody else may write there. */
int spool_open_as(struct spool *, int dirfd, const char *name, const char *what,
    struct err *);

/* CRLF becomes LF; all else is kept byte for byte.  Pieces in order. */
int spool_write(struct spool *, const char *, size_t, struct err *);

/* As it is, without conversion. */
int spool_raw(struct spool *, const void *, size_t, struct err *);

/* Writes out what is held back; after it the size is final. */
int spool_flush(struct spool *, struct err *);

int spool_sync(struct spool *, struct err *);
void spool_close(struct spool *);

/* Closes it and removes the file. */
void spool_abandon(struct spool *, int dirfd);

/* "<unique>,S=<bytes>,W=<CRLF bytes>": the name it will have in new/. */
void spool_final_name(const struct spool *, char name_r[MAILDIR_NAME]);

int maildir_sync_tmp(struct maildir *, struct err *);

/*
 * Moves tmp/<unique> to new/<name>, or to cur/<name><info> when info (":2,S")
 * is not NULL, replacing nothing.  The tmp name is the part of `name` before
 * its first ','.  1: moved; 0: there is no such file in tmp/ (it was placed
 * before); -1: error.
 */
int maildir_place(
    struct maildir *, const char *name, const char *info, struct err *);
int maildir_sync_places(struct maildir *, struct err *);

/* Whether cur/ or new/ has a message with that name, whatever its flags. */
bool maildir_has(struct maildir *, const char *name);

/*
 * Removes the files in tmp/ that carry our tag: call it when nothing of ours is
 * under way.  Also those of our form, from this host, that are older than 36
 * hours.  Nobody else's.
 */
void maildir_sweep(struct maildir *, uint32_t tag);

/*
 * Walks the messages of new/ and cur/: *it starts NULL; each call gives an
 * open descriptor (owned by the caller) and the name.  0 at the end, and *it
 * is freed.
 */
struct maildir_walk;
int maildir_next(
    struct maildir *, struct maildir_walk **it, int *fd_r, const char **name_r);

#endif
