/*
 * What a server's reply means for the mail. Two dangers pull apart here: mail
 * that is tried for ever, and mail that is sent back though only the account
 * was at fault. Of real servers it is known where their codes say the one and
 * mean the other; for the rest, the first digit decides.
 */

#include "outcome.h"

#include <stddef.h>

/* Sets of stages. */
#define AT(cmd) (1u << (cmd))
#define AT_BODY (AT(SMTP_DATA) | AT(SMTP_DOT) | AT(SMTP_BDAT))
#define AT_MAIL (AT(SMTP_MAIL) | AT_BODY)
#define AT_MAILING (AT_MAIL | AT(SMTP_RCPT))
#define AT_IDLE (AT(SMTP_RSET) | AT(SMTP_NOOP)) /* and unasked */
#define ANYWHERE ((1u << SMTP_CMDS) - 1)

/* --- what people can do ------------------------------------------------ */

static const char a_quota[] =
    "the keyword limit (500/day) keeps within what the provider allows";
static const char a_rate[] =
    "the keywords limit (30/minute) and connections (1) keep to its pace";
static const char a_block[] =
    "it does not like the network that this comes from";
static const char a_hello[] = "the keyword hello sets the name that we give";
static const char a_login[] =
    "it wants a login first: see the keywords user and auth";
static const char a_provider[] =
    "the provider has blocked this account: ask there";
static const char a_full[] =
    "the account's own mailbox is full: nothing is sent until it has room";
static const char a_sender[] =
    "this login may not send as that address: see the keywords match, "
    "address and from-header";
static const char a_relay[] =
    "it takes mail for others only after a login: see user and auth";
static const char a_size[] = "the message is larger than this server takes";
static const char a_pipelining[] =
    "the line \"disable pipelining\" helps where replies come out of step";
static const char a_parameter[] =
    "the keyword disable leaves out an extension that does not work";

/* --- what servers say -------------------------------------------------- */

/* Words of which one is in the text, in any case. */
typedef const char *const words[];

static words w_grey = {"greylist", "graylist", "grey-list", "gray-list", NULL};
static words w_day = {"daily sending", "daily smtp relay", "daily message",
    "daily limit", "daily quota", "submissionquotaexceeded",
    "maximum credits exceeded", "you have exceeded your", "per day", NULL};
static words w_hours = {"per hour", "this hour", "hourly",
    "to send: recipient limit exceeded", "failure sending mail",
    "unusual sending activity", NULL};
static words w_session = {"message per connection", "messages per connection",
    "per session", "in this session", "on this session", NULL};
static words w_rate = {"throttl", "sending rate", "submission rate",
    "rate limit", "relay limit exceeded", "sending too fast", "too much mail",
    "concurrent connection", "concurrent smtp", "thread limit",
    "too many connections", NULL};
static words w_reputation = {"[tss", "[ts0", "[gl0", "due to user complaints",
    "unusual rate of unsolicited", NULL};
static words w_client = {"blocked using", "client host rejected", NULL};
static words w_hello = {"helo command rejected", "helo name", NULL};
static words w_logins = {
    "too many login", "too many auth", "too many failed", NULL};
static words w_login = {"unauthenticated senders", "must be authenticated",
    "must authenticate", "authentication required",
    "authentication is required", "auth first", "not authorized to perform",
    NULL};
static words w_blocked = {"bad outbound sender", "outgoing blocked",
    "sender address blocked", "sending paused", NULL};
static words w_domain = {"is not allowed to send:", NULL}; /* Mailgun */
static words w_full = {
    "shutoffquotaexceeded", "mapiexceptionquotaexceeded", NULL};
static words w_sync = {"synchroni", NULL};
static words w_owner = {"not owned by", "sender address rejected",
    "relaying disallowed as", "sender verify failed", NULL};
static words w_sender = {"not owned by", "sender address rejected",
    "relaying disallowed as", "sendasdenied", "send as this sender",
    "sender identity", "from address", "header address",
    "address is not verified", "sender address is not allowed",
    "sender verify failed", NULL};
static words w_relay = {"relay access denied", "relay not permitted",
    "relaying denied", "unable to relay", "rcpthosts", NULL};
static words w_size = {"size", "too large", "too big", NULL};
static words w_many = {"too many recipients", "separate transaction",
    "multiple destination domains", NULL};

/*
 * One thing known: it is this when the code, the enhanced code, the words and
 * the stage all fit. The first that fits counts.
 */
struct rule {
	unsigned int code;        /* 0: 4xx and 5xx; 4, 5: those; or whole */
	uint16_t subject, detail; /* of the enhanced code; 0, 0: any */
	const char *const *words; /* NULL: any */
	unsigned int stages;      /* AT() */
	enum outcome_verdict verdict;
	enum outcome_scope scope;
	enum outcome_pace pace;
	const char *advice;
};

#define WAIT(scope, pace) OUTCOME_RETRY, OUTCOME_##scope, PACE_##pace
#define GIVE_UP(scope) OUTCOME_FAIL, OUTCOME_##scope, PACE_NORMAL

static const struct rule rules[] = {
    /* greylisting, before its words are taken for something worse */
    {4, 0, 0, w_grey, AT(SMTP_RCPT), WAIT(RECIPIENT, GREYLIST), NULL},
    {4, 0, 0, w_grey, AT_MAIL, WAIT(MESSAGE, GREYLIST), NULL},

    /* what the account used up; Google: 5.4.5, Exchange Online: 5.1.90 */
    {0, 0, 0, w_day, ANYWHERE, WAIT(ACCOUNT, DAY), a_quota},
    {5, 4, 5, NULL, AT_MAILING, WAIT(ACCOUNT, DAY), a_quota},
    {5, 1, 90, NULL, AT_MAILING, WAIT(ACCOUNT, DAY), a_quota},
    {0, 0, 0, w_hours, ANYWHERE, WAIT(ACCOUNT, HOURS), a_quota},
    {0, 0, 0, w_full, AT_MAILING, WAIT(ACCOUNT, HOURS), a_full},
    {0, 0, 0, w_session, AT_MAILING | AT_IDLE, WAIT(SESSION, NEXT), NULL},

    /* too fast, or too many at a time */
    {4, 0, 0, w_logins, ANYWHERE, WAIT(ACCOUNT, LOGIN), a_rate},
    {432, 0, 0, NULL, ANYWHERE, WAIT(ACCOUNT, RATE), a_rate},
    {4, 7, 500, NULL, ANYWHERE, WAIT(ACCOUNT, RATE), a_rate},
    {0, 0, 0, w_rate, ANYWHERE, WAIT(ACCOUNT, RATE), a_rate},

    /* whence it comes, not what it is */
    {4, 0, 0, w_reputation, ANYWHERE, WAIT(ACCOUNT, HOURS), a_block},
    {4, 7, 28, NULL, ANYWHERE, WAIT(ACCOUNT, HOURS), a_block},
    {5, 7, 708, NULL, ANYWHERE, WAIT(ACCOUNT, HOURS), a_block},
    {0, 0, 0, w_client, ANYWHERE & ~AT_BODY, WAIT(ACCOUNT, HOURS), a_block},
    {0, 0, 0, w_hello, AT_MAILING, WAIT(ACCOUNT, NORMAL), a_hello},
    {521, 0, 0, NULL, AT(SMTP_MAIL), WAIT(ACCOUNT, HOURS), a_block},

    /* who sends it */
    {5, 0, 0, w_login, AT_MAILING, WAIT(ACCOUNT, LOGIN), a_login},
    {5, 0, 0, w_blocked, AT_MAILING, WAIT(ACCOUNT, LOGIN), a_provider},
    {0, 0, 0, w_domain, ANYWHERE, WAIT(ACCOUNT, LOGIN), a_provider},
    {5, 0, 0, w_owner, AT(SMTP_RCPT), GIVE_UP(MESSAGE), a_sender},
    {5, 0, 0, w_sender, AT_MAIL, GIVE_UP(MESSAGE), a_sender},
    {5, 7, 60, NULL, AT_MAILING, GIVE_UP(MESSAGE), a_sender},
    {5, 2, 252, NULL, AT_MAILING, GIVE_UP(MESSAGE), a_sender},
    {5, 0, 0, w_relay, AT(SMTP_RCPT), GIVE_UP(RECIPIENT), a_relay},

    /* what it is */
    {5, 3, 4, NULL, AT_MAIL, GIVE_UP(MESSAGE), a_size},
    {5, 2, 3, NULL, AT_MAIL, GIVE_UP(MESSAGE), a_size},
    {552, 0, 0, w_size, AT_MAIL, GIVE_UP(MESSAGE), a_size},
    {552, 0, 0, NULL, AT(SMTP_MAIL), GIVE_UP(MESSAGE), a_size},
    {555, 0, 0, NULL, AT_MAILING, GIVE_UP(MESSAGE), a_parameter},

    /* how it is said: RFC 5321 section 4.5.3.1.10 and what became of it */
    {0, 5, 3, NULL, AT(SMTP_RCPT), WAIT(RECIPIENT, NEXT), NULL},
    {0, 0, 0, w_many, AT(SMTP_RCPT), WAIT(RECIPIENT, NEXT), NULL},
    {5, 0, 0, w_sync, AT_MAILING, WAIT(SESSION, NORMAL), a_pipelining},
    {500, 0, 0, NULL, AT_MAILING, WAIT(SESSION, NORMAL), a_parameter},
    {502, 0, 0, NULL, AT_MAILING, WAIT(SESSION, NORMAL), a_parameter},
    {503, 0, 0, NULL, AT_MAILING, WAIT(SESSION, NORMAL), a_pipelining},

    /* a server that does not call it greylisting */
    {450, 7, 1, NULL, AT(SMTP_RCPT), WAIT(RECIPIENT, GREYLIST), NULL},
    {451, 7, 1, NULL, AT(SMTP_RCPT), WAIT(RECIPIENT, GREYLIST), NULL},
    {450, 7, 1, NULL, AT_MAIL, WAIT(MESSAGE, GREYLIST), NULL},
    {451, 7, 1, NULL, AT_MAIL, WAIT(MESSAGE, GREYLIST), NULL},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

/* --- deciding ---------------------------------------------------------- */

static bool
fits_code(const struct rule *r, unsigned int code)
{
	if (r->code < 10)
		return r->code == 0 ? code >= 400 : code / 100 == r->code;
	return code == r->code;
}

static bool
fits(const struct rule *r, const struct smtp_ev *ev)
{
	const struct smtp_status *s = &ev->status;

	if (!fits_code(r, ev->code) || (r->stages & AT(ev->cmd)) == 0)
		return false;
	if ((r->subject != 0 || r->detail != 0) &&
	    (s->class == 0 || s->subject != r->subject ||
		s->detail != r->detail))
		return false;
	return r->words == NULL || span_says(ev->text, r->words);
}

static struct outcome
wait_for(enum outcome_scope scope, enum outcome_pace pace, const char *advice)
{
	return (struct outcome){OUTCOME_RETRY, scope, pace, advice};
}

/* Of what nothing is known. */
static struct outcome
by_stage(const struct smtp_ev *ev)
{
	struct outcome o = {
	    .verdict = ev->code / 100 == 5 ? OUTCOME_FAIL : OUTCOME_RETRY,
	    .scope = OUTCOME_MESSAGE,
	    .pace = PACE_NORMAL};

	if (ev->kind == SMTP_EV_UNASKED || ev->code == 421)
		o = wait_for(OUTCOME_SESSION, PACE_NORMAL, NULL);
	switch (ev->cmd) {
	case SMTP_RCPT:
		if (o.scope == OUTCOME_MESSAGE)
			o.scope = OUTCOME_RECIPIENT;
		return o;
	case SMTP_MAIL:
	case SMTP_DATA:
	case SMTP_DOT:
	case SMTP_BDAT:
		return o;
	case SMTP_GREETING:
	case SMTP_EHLO:
	case SMTP_LHLO:
	case SMTP_HELO:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
		return wait_for(OUTCOME_ACCOUNT, PACE_NORMAL, smtp_remedy(ev));
	case SMTP_RSET:
	case SMTP_NOOP:
	case SMTP_QUIT:
		break;
	}
	return wait_for(OUTCOME_SESSION, PACE_NORMAL, NULL);
}

/*
 * 2xx and 3xx, each where it belongs. Elsewhere it makes no sense: the session
 * is out of step, and a body that was answered so may have been taken.
 */
static struct outcome
not_refused(const struct smtp_ev *ev)
{
	bool more = ev->cmd == SMTP_DATA || ev->kind == SMTP_EV_CONTINUE;
	struct smtp_ev unasked = {.kind = SMTP_EV_UNASKED, .cmd = ev->cmd};
	struct outcome o;

	if (ev->kind != SMTP_EV_UNASKED && (ev->code / 100 == 3) == more)
		return (struct outcome){.verdict = OUTCOME_GOOD};
	o = by_stage(&unasked);
	if (ev->cmd == SMTP_DOT || ev->cmd == SMTP_BDAT)
		o.pace = PACE_DOUBT;
	return o;
}

struct outcome
outcome_of_reply(const struct smtp_ev *ev)
{
	enum err_kind kind;
	size_t i;

	if (ev->code < 400)
		return not_refused(ev);
	kind = smtp_refusal(ev);
	if (kind == ERR_AUTH || kind == ERR_TLS)
		return wait_for(OUTCOME_ACCOUNT, PACE_LOGIN,
		    smtp_remedy(ev) != NULL ? smtp_remedy(ev)
		    : ev->code == 530       ? a_login
					    : NULL);
	for (i = 0; i < RULES; i++) {
		if (fits(&rules[i], ev))
			return (struct outcome){rules[i].verdict,
			    rules[i].scope, rules[i].pace, rules[i].advice};
	}
	return by_stage(ev);
}

/*
 * The text may quote a reply to the login: what it says of quotas and the
 * like counts there, too.
 */
static struct outcome
by_text(const struct err *e)
{
	struct smtp_ev quoted = {.kind = SMTP_EV_REPLY,
	    .cmd = SMTP_GREETING,
	    .code = 450,
	    .text = span_of(e->text)};
	struct outcome o = outcome_of_reply(&quoted);

	return wait_for(OUTCOME_ACCOUNT, o.pace, o.advice);
}

struct outcome
outcome_of_error(const struct err *e)
{
	switch (e->kind) {
	case ERR_NONE:
		return (struct outcome){.verdict = OUTCOME_GOOD};
	case ERR_TEMP:
	case ERR_PROTO:
		return by_text(e);
	case ERR_AUTH:
	case ERR_CONFIG:
		return wait_for(OUTCOME_ACCOUNT, PACE_LOGIN, NULL);
	case ERR_TLS:
	case ERR_LOCAL:
		return wait_for(OUTCOME_ACCOUNT, PACE_NORMAL, NULL);
	case ERR_MESSAGE:
		break;
	}
	return (struct outcome){
	    OUTCOME_FAIL, OUTCOME_MESSAGE, PACE_NORMAL, NULL};
}
