#ifndef SYNCD_REMOTE_H
#define SYNCD_REMOTE_H

#include "base/uidset.h"
#include "client/link.h"
#include "folders.h"
#include "proto/imap_session.h"

/*
 * The server side: a session, and what syncd asks of it, in as few turns as
 * can be.  Commands are pipelined over folders: remote_ask_*() puts one on the
 * wire and returns, and remote_wait() takes the answers in the order of the
 * questions.  Memory does not depend on how much mail there is, but for uid
 * sets and what has changed.
 */
struct remote {
	struct link *link; /* borrowed */
	struct imap imap;
	struct imap_session logon;
	const char *selected; /* borrowed; the folder that the next command is
	                       * for; NULL */
	bool qresync, condstore; /* enabled */
	bool stopping;
};

int remote_open(struct remote *, struct link *, struct err *);
void remote_close(struct remote *); /* LOGOUT, not waited for */

/*
 * ENABLE and LIST-STATUS in one flight (pipelined STATUS for each folder where
 * that is missing); the list is the caller's, in the order of the server.
 */
int remote_survey(struct remote *, const struct sync *,
    struct folders_remote **list_r, size_t *n_r, struct err *);
void remote_survey_free(struct folders_remote *, size_t n);

/* What has changed in a folder since it was remembered. */
struct remote_change {
	uint32_t uid;
	plan_flags flags;
	uint64_t size; /* 0: not asked for */
	uint64_t modseq;
	unsigned char emailid[16]; /* hash of it; zeros: none */
};

struct remote_diff {
	uint32_t uidvalidity, uidnext, exists;
	uint64_t modseq;
	plan_flags permanent; /* flags that can be stored */
	bool any_keyword;
	struct remote_change
	    *v; /* owned; by rising uid: flags changed, or new */
	size_t n;
	struct uidset vanished;
	bool complete; /* v lists all messages, vanished what is not in it */
	bool moved_ground; /* another UIDVALIDITY than remembered */
	bool read_only;
};

/*
 * SELECT with what the server has of QRESYNC, CONDSTORE or nothing (6.2), for
 * n folders in one flight; diffs in the same order.  `known` UIDs are what a
 * full listing is compared with where the server cannot tell what vanished;
 * where counts do not add up, the folder is listed in full.
 */
struct remote_question {
	const struct folders_pair *pair; /* borrowed */
	const struct uidset *known;      /* borrowed */
	bool want_sizes, want_emailids, full;
};
int remote_diffs(struct remote *, const struct remote_question *, size_t n,
    struct remote_diff *diffs_r, struct local_keywords *const *, struct err *);
void remote_diff_clear(struct remote_diff *);

/*
 * Messages, in a stream.  Each is told by `begin` (its flags and date known,
 * or not yet: has_flags), `data`, `end` (all known).  The fetches of several
 * folders follow each other without a gap: the receiver is told of the
 * folder by `cookie`.
 */
struct remote_message {
	uint32_t cookie, uid;
	plan_flags flags;
	bool has_flags;
	int64_t date;  /* INTERNALDATE, seconds; 0: not known */
	uint64_t size; /* of the literal */
	unsigned char emailid[16];
};
struct remote_sink {
	void *arg;
	int (*begin)(void *, const struct remote_message *, struct err *);
	int (*data)(void *, struct span, struct err *);
	int (*end)(void *, const struct remote_message *, struct err *);
	/* no body came for it: NIL, NO, or gone meanwhile */
	int (*missing)(void *, const struct remote_message *, struct err *);
};
enum remote_part { REMOTE_WHOLE, REMOTE_HEADER, REMOTE_MESSAGE_ID };
struct remote_fetch {
	const char *folder;        /* borrowed */
	const struct uidset *uids; /* borrowed */
	enum remote_part part;
	uint32_t cookie;
};
int remote_fetch(struct remote *, const struct remote_fetch *, size_t n,
    const struct remote_sink *, struct err *);

/*
 * APPEND of n files, as many in one flight as fit: LITERAL+, LITERAL-, and
 * MULTIAPPEND where offered.  uids_r[i]: the UID it got (UIDPLUS), 0: not
 * told.  done_r[i]: whether the server has it; refused ones are told in errs.
 */
struct remote_append {
	int fd;        /* borrowed: the file, LF or CRLF lines */
	uint64_t size; /* with CRLFs */
	plan_flags flags;
	int64_t date;  /* seconds */
	bool has_nul;  /* BINARY's literal8, else refused */
	bool done;     /* result */
	uint32_t uid;  /* result */
	char *refused; /* result: owned; NULL */
};
int remote_append(struct remote *, const char *folder, struct remote_append *,
    size_t n, uint32_t *uidvalidity_r, struct err *);

/*
 * Flags, grouped by change into uid sets: of `uids` in the folder, set and
 * clear.  UNCHANGEDSINCE modseq where offered (0: without): what changed
 * meanwhile is in *modified_r and was not touched.
 */
int remote_store(struct remote *, const char *folder, const struct uidset *uids,
    plan_flags set, plan_flags clear, const struct local_keywords *,
    uint64_t unchanged_since, struct uidset *modified_r, struct err *);

/*
 * UID MOVE (else COPY, STORE \Deleted, UID EXPUNGE).  to_r: the new UIDs in
 * the order of rising old ones; empty when the server does not tell.
 */
int remote_move(struct remote *, const char *from, const struct uidset *,
    const char *to, struct uidset *from_r, struct uidset *to_r,
    uint32_t *uidvalidity_r, struct err *);

/*
 * \Deleted and UID EXPUNGE of just these. Without UIDPLUS: EXPUNGE when nothing
 * else is marked \Deleted there, else only the mark, and *marked_r says so.
 */
int remote_delete(struct remote *, const char *folder, const struct uidset *,
    bool *marked_r, struct err *);

int remote_create(struct remote *, const char *folder, struct err *);
int remote_rename(
    struct remote *, const char *from, const char *to, struct err *);
/* Only an empty one; its emptiness is asked for first. */
int remote_remove(struct remote *, const char *folder, struct err *);

#endif
