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
	PACE_NEXT,     /* at once: a recipient in the next transaction (too
	                * many at once), a session on the next connection (its
	                * number of messages is reached); or else, where it
	                * would come to nothing new, as PACE_NORMAL */
	PACE_RATE,     /* too fast: seconds to minutes (SES throttling) */
	PACE_HOURS,    /* a block or a quota of hours: 1 h, 2 h, then 4 h */
	PACE_DAY,      /* a quota of the day is used up */
	PACE_LOGIN,    /* until credentials or an hour have changed */
	PACE_DOUBT,    /* uncertain: 30 min first */
};

struct outcome {
	enum outcome_verdict verdict;
	enum outcome_scope scope;
	enum outcome_pace pace;
	const char *advice; /* static; what a person can do; NULL */
};

/*
 * A reply to a command (ev->cmd is the stage), or what came unasked. It is
 * for the caller to know that what follows a refused MAIL, or DATA after no
 * recipient was accepted, is refused for that reason alone; and that in LMTP
 * a MESSAGE at the dot is about the recipient whose reply it is.
 */
struct outcome outcome_of_reply(const struct smtp_ev *);

/*
 * What went wrong without a reply that was seen: connection, DNS, TLS, login
 * (its text may quote one), nonsense. All are the account's, but ERR_MESSAGE,
 * by which smtp_mail() and smtp_rcpt() refuse what cannot be sent there.
 */
struct outcome outcome_of_error(const struct err *);

#endif
