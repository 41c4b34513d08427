#ifndef SYNCD_REMOTE_H
#define SYNCD_REMOTE_H

#include "base/uidset.h"
#include "base/words.h"
#include "client/imap_client.h"
#include "client/imap_idle.h"
#include "local.h"
#include "folders.h"

/*
 * The server side: a session, and what syncd asks of it, in as few turns as
 * can be.  Each call takes its questions for all folders at once and puts them
 * on the wire without waiting, so that the link is never idle between folders.
 * Memory does not depend on how much mail there is, but for uid sets and what
 * has changed.
 *
 * Folders have the names that remote_survey() gave: in UTF-8, without the
 * prefix of the personal namespace.
 *
 * -1 means that the session is of no more use (ERR_TEMP, ERR_PROTO, ERR_LOCAL;
 * "stopped" when an end was asked for), or that a callback failed.  What was
 * told before holds.  What is wrong with one folder or one message is told
 * with that, in `error`, and holds up no other.
 */
struct remote {
	struct imap_client client;
	bool qresync; /* enabled */
	char *trash;  /* owned: the folder that is \Trash; NULL */
	bool news;    /* something was told unasked: for the caller to clear */

	/* private */
	char *selected;    /* owned: for which the last SELECT was sent */
	uint32_t validity; /* of `selected`, once it is known; else 0 */
	size_t selects;    /* SELECTs not yet answered */
	uint32_t noted;    /* UIDVALIDITY in the answer to the first of them */
	bool enabled;      /* ENABLE was sent */
	bool no_uid_expunge; /* UIDPLUS, but UID EXPUNGE is refused */
	char *prefix;        /* owned: of the personal namespace; NULL: none */
	struct words others; /* prefixes of the other namespaces */
	struct {             /* remote_watch.c */
		bool notify; /* NOTIFY is on */
		unsigned int lost; /* how often the server has ended it */
		bool rests; /* nothing was selected since remote_rest() */
		bool slept; /* nobody knows if the link is alive */
		struct imap_idle idle;
		uint32_t exists, uidnext; /* of the folder, by SELECT */
		uint64_t modseq;
	} watch;
};

int remote_open(struct remote *, struct link *, struct err *);
void remote_close(struct remote *); /* LOGOUT, not waited for */

/*
 * ENABLE, NAMESPACE and LIST-STATUS in one flight (where that is missing, LIST
 * and then STATUS for each folder that the patterns want).  All folders are in
 * the list, in the order of the server; it is the caller's.  A server without
 * UIDVALIDITY has 1 everywhere.
 */
int remote_survey(struct remote *, const struct sync *,
    struct folders_remote **list_r, size_t *n_r, struct err *);
void remote_survey_free(struct folders_remote *, size_t n);

/* --- what has changed: remote_diff.c --------------------------------------- */

/* A message that is new, or whose flags are not what they were. */
struct remote_change {
	uint32_t uid;
	plan_flags flags;
	uint64_t size; /* RFC822.SIZE; 0: not asked for, or not told */
	int64_t date;  /* INTERNALDATE, seconds; 0: likewise */
	unsigned char emailid[16]; /* a hash of it; zeros: none */
};

struct remote_question {
	const char *folder;               /* borrowed */
	const struct state_folder *base;  /* borrowed; NULL: never seen */
	const struct folders_remote *now; /* borrowed; NULL: not surveyed */
	const struct uidset *known;       /* borrowed: UIDs remembered as being
	                                   * there; NULL: none */
	struct local_keywords *keywords;  /* borrowed; letters are made; NULL:
	                                   * keywords do not travel */
	bool sizes, emailids, dates; /* of messages from base->uidnext up */
	bool full;                   /* all messages, whatever changed */
};

struct remote_diff {
	struct err *error; /* owned: why nothing is known; NULL: all is well */
	uint32_t uidvalidity, uidnext, exists;
	uint64_t modseq;         /* to ask from the next time; 0: none */
	plan_flags permanent;    /* flags that can be stored */
	bool any_keyword;        /* also such as nobody has used yet */
	struct remote_change *v; /* owned; by rising uid */
	size_t n;
	struct uidset vanished; /* of the known ones, those proven gone */
	bool complete;          /* v has all messages that are there */
	bool moved_ground;      /* another UIDVALIDITY than in base: `known`
	                         * means nothing, v is complete */
	bool read_only;
};

/*
 * SELECT with what the server has of QRESYNC, CONDSTORE or nothing (6.2), for
 * n folders in one flight; diffs in the same order.  Where the counts of a
 * folder do not add up it is listed in full, in a second one, and a message
 * counts as gone only when two ways of listing agree.
 */
int remote_diffs(struct remote *, const struct remote_question *, size_t n,
    struct remote_diff *diffs_r, struct err *);
void remote_diff_clear(struct remote_diff *);

/* --- messages, in a stream: remote_get.c ------------------------------------ */

/* Of a Message-ID only the UID is told with it. */
enum remote_part { REMOTE_WHOLE, REMOTE_HEADER, REMOTE_MESSAGE_ID };

struct remote_fetch {
	const char *folder;              /* borrowed */
	uint32_t uidvalidity;            /* that the UIDs are of; 0: any */
	const struct uidset *uids;       /* borrowed */
	const struct remote_diff *sizes; /* borrowed; NULL: not known */
	struct local_keywords *keywords; /* as in struct remote_question */
	enum remote_part part;
	uint32_t cookie;

	struct err *error; /* result: owned; why the folder gave nothing more */
};

struct remote_message {
	uint32_t cookie; /* of the struct remote_fetch */
	uint32_t uid;    /* 0: not yet known */
	plan_flags flags;
	bool has_flags;
	int64_t date;   /* INTERNALDATE, seconds; 0: not known */
	uint64_t size;  /* of what comes by `data`, with CRLFs */
	uint64_t whole; /* RFC822.SIZE, as it is told; 0: not yet, or not */
	unsigned char emailid[16];
};

/*
 * What receives them, one at a time: `begin` (with what is known by then),
 * `data`, and `end` (all known), or `drop` when it is to be forgotten: it was
 * nothing that was asked for, or the session broke.  Instead of all these
 * `missing`, when no body came: the server refuses it (`why` says so, has NIL
 * or nothing) or it went meanwhile (why->kind is ERR_NONE).  -1 ends all.
 */
struct remote_sink {
	void *arg;
	int (*begin)(void *, const struct remote_message *, struct err *);
	int (*data)(void *, struct span, struct err *);
	int (*end)(void *, const struct remote_message *, struct err *);
	void (*drop)(void *);
	int (*missing)(void *, const struct remote_message *,
	    const struct err *why, struct err *);
};

/*
 * The messages of n folders, without a gap between them.  About 16 MiB or
 * 2,000 messages are under way at a time; a stop lets the one in hand finish.
 */
int remote_fetch(struct remote *, struct remote_fetch *, size_t n,
    const struct remote_sink *, struct err *);

/* --- messages to the server: remote_append.c -------------------------------- */

struct remote_append {
	const char *folder; /* borrowed */
	plan_flags flags;
	const struct local_keywords *keywords; /* borrowed; NULL: none */
	int64_t date; /* INTERNALDATE, seconds; 0: the server's clock */
	size_t cookie;

	/* results */
	bool done;            /* the server has it */
	uint32_t uidvalidity; /* that uid is of */
	uint32_t uid;         /* 0: not told */
	enum imap_code code;  /* refused: TRYCREATE, OVERQUOTA, ... */
};

/*
 * Where they come from.  `open` gives a descriptor at the message's begin,
 * which is closed here: 1; 0 when it is gone; -1.  `done` tells the outcome as
 * soon as it is known, once for each; why: NULL, or what the server said.  -1
 * ends all; of what was told nothing, the server may have some or not.
 */
struct remote_source {
	void *arg;
	int (*open)(
	    void *, const struct remote_append *, int *fd_r, struct err *);
	int (*done)(void *, const struct remote_append *, const struct err *why,
	    struct err *);
};

/*
 * APPEND of n files with LF or CRLF lines, byte for byte but for CRLF at each
 * line's end.  As many as fit are under way at once, by LITERAL+, LITERAL- and
 * MULTIAPPEND where offered, which takes runs of the same folder.  NULs need
 * BINARY.  After OVERQUOTA no more is begun.
 */
int remote_append(struct remote *, struct remote_append *, size_t n,
    const struct remote_source *, struct err *);

/* --- changes: remote_change.c ------------------------------------------------ */

/*
 * Flags of some messages: these are set, those cleared; of the flags the server
 * may ignore what it cannot store.  UNCHANGEDSINCE modseq where that is given:
 * what changed meanwhile is in `modified`, and is to be looked at again.  One
 * flight for all, but that a mark \Deleted waits until UIDVALIDITY is seen.
 */
struct remote_store {
	const char *folder;        /* borrowed */
	uint32_t uidvalidity;      /* that the UIDs are of */
	const struct uidset *uids; /* borrowed */
	plan_flags set, clear;
	const struct local_keywords *keywords; /* borrowed; NULL: none */
	uint64_t unchanged_since;              /* 0: whatever happened */

	/* results */
	struct uidset modified; /* owned */
	struct err *error;      /* owned; NULL: done */
};
int remote_store(
    struct remote *, struct remote_store *, size_t n, struct err *);
void remote_store_clear(struct remote_store *);

/*
 * Messages to another folder: UID MOVE, else UID COPY and then as
 * remote_delete().  Waits for each folder's UIDVALIDITY first.
 */
struct remote_pair {
	uint32_t from, to;
};
struct remote_move {
	const char *from, *to; /* borrowed */
	uint32_t uidvalidity;
	const struct uidset *uids; /* borrowed */

	/* results */
	bool copied;               /* they are in `to` */
	bool marked;               /* ... but in `from` only marked */
	struct remote_pair *pairs; /* owned: the UIDs, as far as told, by rising
				    * `from` */
	size_t n_pairs;
	uint32_t to_uidvalidity; /* that pairs' `to` are of */
	enum imap_code code;     /* refused: TRYCREATE, OVERQUOTA, ... */
	struct err *error;       /* owned; NULL: done */
};
int remote_move(struct remote *, struct remote_move *, size_t n, struct err *);
void remote_move_clear(struct remote_move *);

/*
 * \Deleted and UID EXPUNGE of just these.  Without UIDPLUS: EXPUNGE when
 * nothing else is marked \Deleted there, else only the mark, and `marked` says
 * so.  At Gmail, where that would leave them in "All Mail": to the trash.
 * Waits for each folder's UIDVALIDITY first.
 */
struct remote_delete {
	const char *folder; /* borrowed */
	uint32_t uidvalidity;
	const struct uidset *uids; /* borrowed */

	/* results */
	bool marked;
	bool told;              /* `vanished` has all that is gone (QRESYNC) */
	struct uidset vanished; /* owned */
	struct err *error;      /* owned; NULL: done */
};
int remote_delete(
    struct remote *, struct remote_delete *, size_t n, struct err *);
void remote_delete_clear(struct remote_delete *);

/* --- folders: remote_folder.c ------------------------------------------------- */

/*
 * What is made is subscribed to as well; what there is already is no error.  A
 * folder is removed only when it is empty, for which it is asked first
 * (ERR_MESSAGE when it is not).  errors_r[i]: owned; NULL: done.
 */
int remote_create(struct remote *, const char *const *folders, size_t n,
    struct err **errors_r, struct err *);
int remote_rename(struct remote *, const char *from, const char *to,
    struct err **error_r, struct err *);
int remote_remove(
    struct remote *, const char *folder, struct err **error_r, struct err *);

/* --- being told of changes: remote_watch.c ------------------------------------ */

enum remote_tells {
	REMOTE_TELLS_NOTHING,
	REMOTE_TELLS_ONE, /* of one folder: IDLE (RFC 2177) */
	REMOTE_TELLS_ALL  /* of all: NOTIFY (RFC 5465) */
};
enum remote_tells remote_tells(const struct remote *);

/* Asks for NOTIFY, where it is offered: before the folders are surveyed, so that
 * nothing falls in between. */
int remote_listen(struct remote *, struct err *);

/*
 * Takes the place where it will be told of changes: with NOTIFY, no folder is
 * selected, else `folder` is.  *look_r: there may have been some of which it
 * was not, so the folders are to be surveyed once more.
 */
int remote_rest(
    struct remote *, const char *folder, bool *look_r, struct err *);

/*
 * Waits there until something is told, which sets `news`, until wake_fd (-1:
 * none) is readable, a stop, `until` (clock_ms()), or any time before: it is
 * then to be called again.  A link that was silent for `silence` ms is tried,
 * and so is one after a sleep of the machine, which is news.
 */
int remote_wait(
    struct remote *, int64_t until, int64_t silence, int wake_fd, struct err *);

/* Ends the waiting: anything else may be asked then. */
int remote_rouse(struct remote *, struct err *);

#endif
