#ifndef SENDQ_OUTCOME_H
#define SENDQ_OUTCOME_H

#include "base/err.h"
#include "proto/smtp.h"

/*
 * What a reply means for the mail: whom it is about, and what to do. Pure:
 * a table of what is known of real servers, then RFC 5321's and RFC 3463's
 * general rules: the first digit decides, the enhanced code refines.
 */
enum outcome_verdict {
	OUTCOME_GOOD,
	OUTCOME_RETRY, /* later; how much later, the pace says */
	OUTCOME_FAIL,  /* never: it goes back to its sender */
};

/* Whom it concerns. What is the account's fault never bounces a message. */
enum outcome_scope {
	OUTCOME_RECIPIENT,
	OUTCOME_MESSAGE, /* all its recipients that are not settled */
	OUTCOME_SESSION, /* the rest waits for another connection */
	OUTCOME_ACCOUNT, /* all mail of the account waits */
};

enum outcome_pace {
	PACE_NORMAL,   /* 1, 2, 5, 10, 20, 40 min, then hourly */
	PACE_GREYLIST, /* 5 min first, then as above */
	PACE_NEXT,     /* at once, in the next transaction (452 at RCPT) */
	PACE_RATE,  /* too fast: seconds to minutes (SES, 4.7.0 throttling) */
	PACE_HOURS, /* a reputation block: 4 h (Yahoo TSS04) */
	PACE_DAY,   /* a quota of the day is used up */
	PACE_LOGIN, /* until credentials or an hour have changed */
	PACE_DOUBT, /* uncertain: 30 min first */
};

struct outcome {
	enum outcome_verdict verdict;
	enum outcome_scope scope;
	enum outcome_pace pace;
	const char *advice; /* static; what a person can do; NULL */
};

/* A reply to a command (ev->cmd is the stage), or what came unasked. */
struct outcome outcome_of_reply(const struct smtp_ev *);

/* What went wrong without a reply: connection, DNS, TLS, login, nonsense. */
struct outcome outcome_of_error(const struct err *);

#endif
