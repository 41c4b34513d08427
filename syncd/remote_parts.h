#ifndef SYNCD_REMOTE_PARTS_H
#define SYNCD_REMOTE_PARTS_H

#include "remote.h"

/* What the parts of remote share. */

#define REMOTE_SET_BYTES 3900 /* of a uid set: Exchange takes lines of 4096 */

/*
 * A flight: commands that are put on the wire as long as there is room, while
 * their answers are taken.  It is over when `put` has nothing (more) and all
 * is answered.
 */
struct remote_flight {
	void *arg;
	/* Puts a command, or a part of one: 1; 0: nothing, for now; -1. */
	int (*put)(struct remote *, void *arg, struct err *);
	int (*take)(
	    struct remote *, void *arg, const struct imap_ev *, struct err *);
	bool finish; /* a stop does not end it; may change on the way */
};
int remote_fly(struct remote *, const struct remote_flight *, struct err *);

/*
 * SELECT, with `more` behind the name.  While it is answered, and in `take` of
 * its IMAP_EV_DONE, remote_noted() is the UIDVALIDITY that came; 1 where the
 * server has none.
 */
void remote_select(
    struct remote *, const char *folder, uint32_t cookie, const char *more);
uint32_t remote_noted(const struct remote *);

/* Whether a folder is selected, or is about to be, and if that is known, with
 * this UIDVALIDITY (0: any). */
bool remote_is_selected(
    const struct remote *, const char *folder, uint32_t uidvalidity);

void remote_put_folder(struct remote *, const char *folder);
/* "(\Seen $Forwarded ...)"; those of them that have a name there. */
void remote_put_flags(
    struct remote *, plan_flags, const struct local_keywords *);
plan_flags remote_named(plan_flags, const struct local_keywords *);

/*
 * Puts "UID word set", a command to be continued and ended, for the members
 * from *from on that fit; *from is then the first that did not, or 0.
 */
void remote_begin_set(struct remote *, enum imap_verb verb, uint32_t cookie,
    const char *word, const struct uidset *, uint32_t *from);

/* (remote_watch.c) Notes what no question was for. */
void remote_hear(struct remote *, const struct imap_ev *);

/* What a FETCH response tells, as syncd has it. */
plan_flags remote_flags(const struct imap_fetch *, struct local_keywords *);
plan_flags remote_flag(
    struct span name, struct local_keywords *, bool make); /* 0: none */
void remote_emailid(const struct imap_fetch *, unsigned char id_r[16]);
/* The item that asks for it, with a blank in front; "" where there is none. */
const char *remote_emailid_item(const struct remote *);

/* A copy on the heap: what became of a folder. */
struct err *remote_fault(const struct err *);
/* The same for a NO or BAD: "folder NAME: WHAT: the server refused ...". */
struct err *remote_refusal(
    const struct imap_ev *, const char *folder, const char *what);
/* ... and for a UIDVALIDITY that is not what it was. */
struct err *remote_moved_ground(
    const char *folder, uint32_t was, uint32_t uidvalidity);

/* Sets the personal namespace's prefix and the others, as IMAP_EV_NAMESPACE
 * has them. */
void remote_set_namespace(struct remote *, struct span prefixes);
/* The name without prefix; false: it cannot be told from another one. */
bool remote_strip(const struct remote *, char *name);

#endif
