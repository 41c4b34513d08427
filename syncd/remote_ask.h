#ifndef SYNCD_REMOTE_ASK_H
#define SYNCD_REMOTE_ASK_H

#include "remote_parts.h"

/*
 * A folder that is being asked about, shared by the two parts of that: the
 * questions and their answers (remote_diff), and what to make of these
 * (remote_judge).
 */
enum ask_mode {
	BY_QRESYNC,  /* SELECT itself tells all */
	BY_MODSEQ,   /* CHANGEDSINCE; and a SEARCH, for what vanished */
	BY_LIST,     /* flags of all messages */
	ONLY_DETAILS /* all is known but for some sizes */
};

struct ask {
	const struct remote_question *q; /* borrowed */
	struct remote_diff *d;           /* borrowed */
	struct state_folder base; /* its numbers; zeros: it was never seen */
	enum ask_mode mode;
	bool wanted;   /* in this flight */
	bool judge;    /* BY_LIST, and a SEARCH besides */
	bool all_new;  /* `known` and base mean nothing */
	bool detailed; /* sizes of new messages were asked for */
	bool searched; /* a SEARCH was asked for */

	/* answers */
	bool ground;      /* what comes now is surely of this folder */
	bool doubt;       /* ... but something came before that */
	bool shaken;      /* EXPUNGE: who knows of which message */
	bool cut;         /* the server lists no more at once */
	bool unfound;     /* SEARCH was refused */
	bool unsorted;    /* d->v is */
	uint32_t exists;  /* now; d->exists is what SELECT told */
	uint64_t counted; /* by SEARCH */
	struct uidset found, later; /* by SEARCH; VANISHED after SELECT */
	size_t cap;                 /* of d->v */
};

/*
 * Makes the diff of the answers.  False when they cannot be right or do not
 * suffice: another flight is needed, for which the folder is prepared.
 */
bool remote_judge(struct ask *);

/* From where on messages are new. */
uint32_t remote_first_new(const struct ask *);

#endif
