/*
 * sendq/outcome and sendq/retry: what real servers say, stage by stage, and
 * what is to come of it; and delays that are never out of all proportion.
 */

#include <stdlib.h>

#include "outcome.h"
#include "prng.h"
#include "retry.h"
#include "tap.h"

struct row {
	enum smtp_cmd cmd;
	const char *reply; /* lines with CRLF between */
	enum outcome_verdict verdict;
	enum outcome_scope scope;
	enum outcome_pace pace;
	const char *advice; /* is in it; NULL: there is none */
};

#define GOOD OUTCOME_GOOD, OUTCOME_RECIPIENT, PACE_NORMAL, NULL
#define LATER(scope, pace) OUTCOME_RETRY, OUTCOME_##scope, PACE_##pace
#define NEVER(scope) OUTCOME_FAIL, OUTCOME_##scope, PACE_NORMAL

static const struct row rows[] = {
    /* all is well */
    {SMTP_GREETING, "220 mx.google.com ESMTP", GOOD},
    {SMTP_AUTH, "235 2.7.0 Accepted", GOOD},
    {SMTP_MAIL, "250 2.1.0 OK", GOOD},
    {SMTP_RCPT, "250 2.1.5 OK", GOOD},
    {SMTP_RCPT, "251 2.1.5 will forward", GOOD},
    {SMTP_RCPT, "252 2.1.5 cannot verify, but takes it", GOOD},
    {SMTP_DATA, "354 Go ahead", GOOD},
    {SMTP_DOT, "250 2.0.0 OK 1764104003 queued", GOOD},
    {SMTP_BDAT, "250 2.6.0 [InternalId=1] Queued mail for delivery", GOOD},
    {SMTP_RSET, "250 2.0.0 Flushed", GOOD},

    /* what is good elsewhere */
    {SMTP_RCPT, "354 go ahead", LATER(SESSION, NORMAL), NULL},
    {SMTP_DATA, "250 go ahead", LATER(SESSION, NORMAL), NULL},
    {SMTP_DOT, "354 go ahead", LATER(SESSION, DOUBT), NULL},
    {SMTP_BDAT, "354 go ahead", LATER(SESSION, DOUBT), NULL},
    {SMTP_MAIL, "334 ", LATER(SESSION, NORMAL), NULL},
    {SMTP_GREETING, "354 what", LATER(ACCOUNT, NORMAL), NULL},

    /* before mail: the account's, never a bounce */
    {SMTP_GREETING, "421 4.3.2 Service not active", LATER(ACCOUNT, NORMAL),
	NULL},
    {SMTP_GREETING, "554 Nemesis ESMTP Service not available No SMTP service",
	LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_GREETING,
	"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using "
	"zen.spamhaus.org",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_GREETING, "521 5.3.2 does not accept mail", LATER(ACCOUNT, NORMAL),
	NULL},
    {SMTP_GREETING,
	"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily "
	"deferred due to unexpected volume or user complaints",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_GREETING,
	"421 Too many concurrent SMTP connections; please try "
	"again later.",
	LATER(ACCOUNT, RATE), "connections"},
    {SMTP_GREETING,
	"421 4.7.0 mx.example.net Error: too many connections from 192.0.2.1",
	LATER(ACCOUNT, RATE), "connections"},
    {SMTP_EHLO, "421 4.7.0 Try again later, closing connection. (EHLO)",
	LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_EHLO, "501 5.5.4 Invalid domain name", LATER(ACCOUNT, NORMAL),
	"hello"},
    {SMTP_HELO, "550 Access denied - Invalid HELO name", LATER(ACCOUNT, NORMAL),
	"hello"},
    {SMTP_STARTTLS, "454 4.7.0 TLS not available due to local problem",
	LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_STARTTLS, "502 5.5.1 not implemented", LATER(ACCOUNT, LOGIN), NULL},

    /* the login */
    {SMTP_AUTH,
	"535-5.7.8 Username and Password not accepted.\r\n"
	"535 5.7.8 https://support.google.com/mail - gsmtp",
	LATER(ACCOUNT, LOGIN), NULL},
    {SMTP_AUTH,
	"534-5.7.9 Application-specific password required.\r\n"
	"534 5.7.9 https://support.google.com/ - gsmtp",
	LATER(ACCOUNT, LOGIN), "made for applications"},
    {SMTP_AUTH, "534-5.7.14 Please log in through your web browser",
	LATER(ACCOUNT, LOGIN), NULL},
    {SMTP_AUTH, "454 4.7.0 Too many login attempts, please try again later.",
	LATER(ACCOUNT, LOGIN), "connections"},
    {SMTP_AUTH,
	"454 4.7.0 Cannot authenticate due to a temporary system "
	"problem. Try again later.",
	LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_AUTH, "535 5.7.3 Authentication unsuccessful", LATER(ACCOUNT, LOGIN),
	NULL},
    {SMTP_AUTH,
	"535 5.7.139 Authentication unsuccessful, basic "
	"authentication is disabled.",
	LATER(ACCOUNT, LOGIN), "token-command"},
    {SMTP_AUTH,
	"550 5.7.30 Basic authentication is not supported for Client "
	"Submission.",
	LATER(ACCOUNT, LOGIN), "token-command"},
    {SMTP_AUTH, "432 4.3.2 Concurrent connections limit exceeded.",
	LATER(ACCOUNT, RATE), "connections"},
    {SMTP_AUTH, "432 4.7.12 A password transition is needed",
	LATER(ACCOUNT, LOGIN), NULL},
    {SMTP_AUTH, "535 Authentication Credentials Invalid", LATER(ACCOUNT, LOGIN),
	NULL},
    {SMTP_AUTH, "535 5.7.0 (#AUTH005) Too many bad auth attempts.",
	LATER(ACCOUNT, LOGIN), NULL},
    {SMTP_AUTH, "451 Authentication failed: Maximum credits exceeded",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_AUTH, "535 Incorrect authentication data", LATER(ACCOUNT, LOGIN),
	NULL},
    {SMTP_AUTH,
	"454 4.7.0 Temporary authentication failure: Connection lost "
	"to authentication server",
	LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_AUTH, "421 4.3.0 bye", LATER(ACCOUNT, NORMAL), NULL},
    {SMTP_AUTH, "504 5.5.4 Unrecognized authentication type",
	LATER(ACCOUNT, LOGIN), NULL},

    /* a login that is missed where mail begins */
    {SMTP_MAIL, "530 5.7.0 Must issue a STARTTLS command first",
	LATER(ACCOUNT, LOGIN), "submission"},
    {SMTP_MAIL,
	"530-5.7.0 Authentication Required. For more information, go "
	"to\r\n530 5.7.0 https://support.google.com/ - gsmtp",
	LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_MAIL, "530 5.7.0 Must issue an AUTH command first.",
	LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_MAIL,
	"530 5.7.57 Client not authenticated to send mail. Error: "
	"535 5.7.139 Authentication unsuccessful",
	LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_DOT,
	"550 5.7.57 SMTP; Client was not authenticated to send "
	"anonymous mail during MAIL FROM",
	LATER(ACCOUNT, LOGIN), NULL},
    {SMTP_MAIL,
	"550 5.7.30 Basic authentication is not supported for Client "
	"Submission.",
	LATER(ACCOUNT, LOGIN), "token-command"},
    {SMTP_RCPT, "530 Authentication required", LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_MAIL, "550 Unauthenticated senders not allowed",
	LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_RCPT, "550 must be authenticated", LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_MAIL, "503 Error: need EHLO and AUTH first !", LATER(ACCOUNT, LOGIN),
	"login"},
    {SMTP_MAIL, "538 5.7.11 Encryption required", LATER(ACCOUNT, LOGIN),
	"submission"},
    {SMTP_DOT,
	"554 Access denied: User `arn:aws:iam::1:user/x' is not "
	"authorized to perform `ses:SendRawEmail'",
	LATER(ACCOUNT, LOGIN), "login"},

    /* what the day, or the hour, allows */
    {SMTP_RCPT,
	"550-5.4.5 Daily user sending limit exceeded. For more\r\n"
	"550 5.4.5 information on Gmail sending limits go to - gsmtp",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_DOT, "550 5.4.5 Daily sending quota exceeded. - gsmtp",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_MAIL, "550 5.4.5 limit of the provider's", LATER(ACCOUNT, DAY),
	"limit"},
    {SMTP_MAIL, "550-5.7.1 Daily SMTP relay limit exceeded for customer.",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_MAIL, "450 4.2.1 Peak SMTP relay limit exceeded for customer.",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_DOT,
	"554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuota"
	"ExceededException; Failed to process message",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_DOT,
	"550 5.1.90 Your message can't be sent because you've reached "
	"your daily limit for message recipients",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_DOT, "454 Throttling failure: Daily message quota exceeded.",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_RCPT,
	"554 5.7.1 <b@x.example>: Recipient address rejected: You "
	"have exceeded your Outmail quota.",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_RCPT,
	"550 Domain x.example has exceeded the max emails per hour "
	"(201/200 (100%)) allowed. Message discarded.",
	LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_RCPT,
	"550-Requested action not taken: mailbox unavailable\r\n"
	"550 Failure sending mail. Try again later.",
	LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_DOT,
	"550 5.4.6 Unusual sending activity detected. Please try after "
	"sometime.",
	LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_DOT,
	"421 Domain x.example is not allowed to send: recipient limit "
	"exceeded, try again after Mon",
	LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_DOT,
	"421 Domain sandbox1.mailgun.org is not allowed to send: "
	"Please activate your Mailgun account.",
	LATER(ACCOUNT, LOGIN), "provider"},
    {SMTP_DOT,
	"554 5.2.2 mailbox full; STOREDRV.Submission.Exception:Quota"
	"ExceededException.MapiExceptionShutoffQuotaExceeded",
	LATER(ACCOUNT, HOURS), "mailbox is full"},

    /* too fast */
    {SMTP_DOT, "454 Throttling failure: Maximum sending rate exceeded.",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_DATA,
	"432 4.3.2 STOREDRV.ClientSubmit; sender thread limit "
	"exceeded",
	LATER(ACCOUNT, RATE), "connections"},
    {SMTP_DOT, "432 4.3.2 Concurrent connections limit exceeded.",
	LATER(ACCOUNT, RATE), "connections"},
    {SMTP_MAIL, "451 4.7.500 Server busy. Please try again later",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_MAIL, "450 4.7.1 Error: too much mail from 192.0.2.1",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_RCPT,
	"450 4.3.2 Please wait to send more emails, or contact "
	"support for a rate limit increase",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_DOT, "550 5.7.1 [STF] Sending too fast", LATER(ACCOUNT, RATE),
	"limit"},
    {SMTP_DOT, "421 4.7.28 Gmail has detected an unusual rate of mail",
	LATER(ACCOUNT, HOURS), "network"},

    /* the session */
    {SMTP_MAIL, "421 4.7.0 Temporary System Problem. Try again later",
	LATER(SESSION, NORMAL), NULL},
    {SMTP_RCPT, "421 4.7.0 mx.example.net Error: too many errors",
	LATER(SESSION, NORMAL), NULL},
    {SMTP_DOT, "421 4.4.2 mx.example.net Error: timeout exceeded",
	LATER(SESSION, NORMAL), NULL},
    {SMTP_MAIL,
	"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily "
	"deferred due to unexpected volume or user complaints",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL,
	"421 Max message per connection reached, closing transmission "
	"channel",
	LATER(SESSION, NEXT), NULL},
    {SMTP_RCPT, "452 Too many emails sent on this session",
	LATER(SESSION, NEXT), NULL},
    {SMTP_RCPT, "554 SMTP synchronization error", LATER(SESSION, NORMAL),
	"pipelining"},
    {SMTP_MAIL, "503 5.5.1 Error: nested MAIL command", LATER(SESSION, NORMAL),
	"pipelining"},
    {SMTP_BDAT, "502 5.5.1 command not implemented", LATER(SESSION, NORMAL),
	"disable"},
    {SMTP_RSET, "500 what", LATER(SESSION, NORMAL), NULL},
    {SMTP_RSET, "451 4.3.0 later", LATER(SESSION, NORMAL), NULL},
    {SMTP_NOOP, "550 no", LATER(SESSION, NORMAL), NULL},

    /* the recipient */
    {SMTP_RCPT,
	"550-5.1.1 The email account that you tried to reach does not "
	"exist.\r\n550 5.1.1 - gsmtp",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT,
	"550 5.1.1 <b@x.example>: Recipient address rejected: User "
	"unknown in local recipient table",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "550 Unrouteable address", NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "550 Invalid recipient", NEVER(RECIPIENT), NULL},
    {SMTP_RCPT,
	"554 delivery error: dd This user doesn't have a yahoo.com "
	"account",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT,
	"550 5.2.1 The email account that you tried to reach is "
	"disabled.",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "552 5.2.2 Over quota", NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "556 5.1.10 Domain does not accept mail (null MX)",
	NEVER(RECIPIENT), NULL},
    {SMTP_RCPT, "521 5.7.1 b@x.example does not take mail", NEVER(RECIPIENT),
	NULL},
    {SMTP_RCPT, "501 5.1.3 Bad recipient address syntax", NEVER(RECIPIENT),
	NULL},
    {SMTP_RCPT, "550 5.7.30 REQUIRETLS support required", NEVER(RECIPIENT),
	NULL},
    {SMTP_RCPT, "554 5.7.1 <b@x.example>: Relay access denied",
	NEVER(RECIPIENT), "login"},
    {SMTP_RCPT, "550 relay not permitted", NEVER(RECIPIENT), "login"},
    {SMTP_RCPT,
	"553 sorry, that domain isn't in my list of allowed "
	"rcpthosts (#5.7.1)",
	NEVER(RECIPIENT), "login"},
    {SMTP_RCPT,
	"452 4.2.2 The email account that you tried to reach is over "
	"quota.",
	LATER(RECIPIENT, NORMAL), NULL},
    {SMTP_RCPT,
	"450 4.2.1 The user you are trying to contact is receiving "
	"mail too quickly.",
	LATER(RECIPIENT, NORMAL), NULL},
    {SMTP_RCPT,
	"450 4.1.2 <b@x.example>: Recipient address rejected: Domain "
	"not found",
	LATER(RECIPIENT, NORMAL), NULL},
    {SMTP_RCPT, "451 Temporary local problem - please try later",
	LATER(RECIPIENT, NORMAL), NULL},
    {SMTP_RCPT, "452 4.3.1 Insufficient system storage",
	LATER(RECIPIENT, NORMAL), NULL},

    /* greylisting, by whatever name */
    {SMTP_RCPT,
	"450 4.2.0 <b@x.example>: Recipient address rejected: "
	"Greylisted, see http://postgrey.example/help",
	LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_RCPT, "451 4.7.1 Greylisting in action, please come back later",
	LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_RCPT,
	"450 4.7.1 <b@x.example>: Recipient address rejected: try "
	"again in 300 seconds",
	LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_RCPT, "450 4.7.1 Client host rejected: Greylisted",
	LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_RCPT, "450 Graylisted, slow down to one concurrent connection",
	LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_DOT, "451 4.7.1 Service unavailable - try again later",
	LATER(MESSAGE, GREYLIST), NULL},
    {SMTP_DOT, "451 you are grey-listed", LATER(MESSAGE, GREYLIST), NULL},

    /* too many recipients at once */
    {SMTP_RCPT, "452 4.5.3 Your message has too many recipients. - gsmtp",
	LATER(RECIPIENT, NEXT), NULL},
    {SMTP_RCPT,
	"452 4.5.3 Domain policy size per transaction exceeded, "
	"please try this recipient in a separate transaction.",
	LATER(RECIPIENT, NEXT), NULL},
    {SMTP_RCPT,
	"451 4.3.0 Multiple destination domains per transaction is "
	"unsupported. Please try again.",
	LATER(RECIPIENT, NEXT), NULL},
    {SMTP_RCPT, "452 too many recipients", LATER(RECIPIENT, NEXT), NULL},
    {SMTP_RCPT, "552 too many recipients", LATER(RECIPIENT, NEXT), NULL},
    {SMTP_RCPT, "550 5.5.3 too many", LATER(RECIPIENT, NEXT), NULL},
    {SMTP_DOT, "452 4.5.3 too many recipients", LATER(MESSAGE, NORMAL), NULL},

    /* the sender */
    {SMTP_RCPT,
	"553 5.7.1 <a@x.example>: Sender address rejected: not owned "
	"by user b@x.example",
	NEVER(MESSAGE), "match"},
    {SMTP_MAIL,
	"553 5.7.1 <a@x.example>: Sender address rejected: not owned "
	"by user b@x.example",
	NEVER(MESSAGE), "match"},
    {SMTP_RCPT,
	"550-Verification failed for <a@x.example>\r\n"
	"550 Sender verify failed",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT,
	"550 5.7.60 SMTP; Client does not have permissions to send as "
	"this sender",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT,
	"554 5.2.252 SendAsDenied; b@x.example not allowed to send as "
	"a@x.example; STOREDRV.Submission.Exception",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT,
	"554 Message rejected: Email address is not verified. The "
	"following identities failed the check in region EU-WEST-1",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT,
	"550 The from address does not match a verified Sender "
	"Identity. Mail cannot be sent until this error is resolved.",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT, "551 5.7.1 Not authorised to send from this header address",
	NEVER(MESSAGE), "match"},
    {SMTP_MAIL, "553 Relaying disallowed as a@x.example", NEVER(MESSAGE),
	"match"},
    {SMTP_MAIL,
	"550-Requested action not taken: mailbox unavailable\r\n"
	"550 Sender address is not allowed.",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT, "550 5.7.0 From address is not one of your addresses",
	NEVER(MESSAGE), "match"},
    {SMTP_MAIL, "550 5.1.8 Access denied, bad outbound sender",
	LATER(ACCOUNT, LOGIN), "provider"},
    {SMTP_DOT, "554 5.1.8 Email Outgoing Blocked", LATER(ACCOUNT, LOGIN),
	"provider"},
    {SMTP_DOT, "554 Message rejected: Sending paused for this account.",
	LATER(ACCOUNT, LOGIN), "provider"},

    /* whence it comes */
    {SMTP_RCPT,
	"554 5.7.1 Service unavailable; Client host [192.0.2.1] "
	"blocked using zen.spamhaus.org",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_RCPT,
	"450 4.7.1 Client host rejected: cannot find your reverse "
	"hostname, [192.0.2.1]",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_RCPT,
	"504 5.5.2 <box>: Helo command rejected: need fully-qualified "
	"hostname",
	LATER(ACCOUNT, NORMAL), "hello"},
    {SMTP_MAIL,
	"550 5.7.708 Service unavailable. Access denied, traffic not "
	"accepted from this IP.",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL, "521 5.7.1 does not accept mail", LATER(ACCOUNT, HOURS),
	"network"},

    /* the message */
    {SMTP_MAIL, "552 5.3.4 Message size exceeds fixed limit", NEVER(MESSAGE),
	"larger"},
    {SMTP_MAIL, "552 Message size exceeds maximum permitted", NEVER(MESSAGE),
	"larger"},
    {SMTP_MAIL, "552 no", NEVER(MESSAGE), "larger"},
    {SMTP_DOT, "552-5.2.3 Your message exceeded Google's message size limits.",
	NEVER(MESSAGE), "larger"},
    {SMTP_DOT,
	"552 sorry, that message size exceeds my databytes limit "
	"(#5.3.4)",
	NEVER(MESSAGE), "larger"},
    {SMTP_DOT,
	"552-5.7.0 This message was blocked because its content "
	"presents a potential security issue.",
	NEVER(MESSAGE), NULL},
    {SMTP_DOT,
	"550 5.7.1 Our system has detected that this message is likely "
	"unsolicited mail.",
	NEVER(MESSAGE), NULL},
    {SMTP_DOT, "554 5.7.1 Spam message rejected", NEVER(MESSAGE), NULL},
    {SMTP_DOT, "550 5.7.1 [CS01] Message rejected due to local policy.",
	NEVER(MESSAGE), NULL},
    {SMTP_DOT, "554 5.6.0 Message blocked using our content filter",
	NEVER(MESSAGE), NULL},
    {SMTP_MAIL, "550 5.7.1 not allowed", NEVER(MESSAGE), NULL},
    {SMTP_MAIL, "501 5.1.7 Bad sender address syntax", NEVER(MESSAGE), NULL},
    {SMTP_MAIL, "555 5.5.2 Syntax error", NEVER(MESSAGE), "disable"},
    {SMTP_DATA, "554 5.5.1 Error: no valid recipients", NEVER(MESSAGE), NULL},
    {SMTP_DOT, "554 qq permanent problem (#5.3.0)", NEVER(MESSAGE), NULL},
    {SMTP_MAIL, "452 4.3.1 Insufficient system storage", LATER(MESSAGE, NORMAL),
	NULL},
    {SMTP_DATA, "451 4.3.0 Error: queue file write error",
	LATER(MESSAGE, NORMAL), NULL},
    {SMTP_DOT, "451 qq temporary problem (#4.3.0)", LATER(MESSAGE, NORMAL),
	NULL},
    {SMTP_DOT, "451 See http://pobox.com/~djb/docs/smtplf.html.",
	LATER(MESSAGE, NORMAL), NULL},
    {SMTP_BDAT,
	"451 4.7.0 Temporary server error. Please try again later. "
	"PRX4",
	LATER(MESSAGE, NORMAL), NULL},
    {SMTP_MAIL, "451 4.3.5 Server configuration error", LATER(MESSAGE, NORMAL),
	NULL},

    /* the same in other words */
    {SMTP_MAIL, "450 daily limit reached", LATER(ACCOUNT, DAY), "limit"},
    {SMTP_MAIL, "550 5.7.1 Daily quota of b@x.example is used up",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_RCPT, "450 4.7.1 Daily sending is over for b@x.example",
	LATER(ACCOUNT, DAY), "limit"},
    {SMTP_RCPT, "550 too many messages per day", LATER(ACCOUNT, DAY), "limit"},
    {SMTP_DOT, "550 5.1.90 too many", LATER(ACCOUNT, DAY), "limit"},
    {SMTP_RCPT, "452 Too many recipients received this hour",
	LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_MAIL, "450 hourly allowance used up", LATER(ACCOUNT, HOURS), "limit"},
    {SMTP_DOT,
	"554 5.2.2 mailbox full; QuotaExceededException.MapiExceptionQuotaExceeded",
	LATER(ACCOUNT, HOURS), "mailbox is full"},
    {SMTP_MAIL, "432 slower", LATER(ACCOUNT, RATE), "connections"},
    {SMTP_MAIL, "454 throttled", LATER(ACCOUNT, RATE), "limit"},
    {SMTP_MAIL, "454 over your sending rate", LATER(ACCOUNT, RATE), "limit"},
    {SMTP_MAIL,
	"421 4.4.2 Message submission rate for this client has "
	"exceeded the configured limit",
	LATER(ACCOUNT, RATE), "limit"},
    {SMTP_MAIL, "452 sender thread limit exceeded", LATER(ACCOUNT, RATE),
	"limit"},
    {SMTP_MAIL, "451 [TS01] deferred", LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL,
	"421 4.7.0 [GL01] Message from (192.0.2.1) temporarily deferred",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL,
	"421 4.7.0 Messages from 192.0.2.1 temporarily deferred "
	"due to user complaints - 4.16.55",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL,
	"421 4.7.0 Our system has detected an unusual rate of "
	"unsolicited mail originating from your IP address.",
	LATER(ACCOUNT, HOURS), "network"},
    {SMTP_MAIL, "452 4.3.2 Too many messages in this session",
	LATER(SESSION, NEXT), NULL},
    {SMTP_MAIL, "450 100 mails per session", LATER(SESSION, NEXT), NULL},
    {SMTP_MAIL, "452 maximum messages per connection", LATER(SESSION, NEXT),
	NULL},
    {SMTP_RCPT, "500 5.5.2 unrecognized command", LATER(SESSION, NORMAL),
	"disable"},
    {SMTP_RCPT, "451 4.3.0 temporarily gray-listed", LATER(RECIPIENT, GREYLIST),
	NULL},
    {SMTP_RCPT, "451 4.7.1 try later", LATER(RECIPIENT, GREYLIST), NULL},
    {SMTP_MAIL, "450 4.7.1 try later", LATER(MESSAGE, GREYLIST), NULL},
    {SMTP_RCPT, "450 one domain in a separate transaction",
	LATER(RECIPIENT, NEXT), NULL},
    {SMTP_DOT, "550 5.7.60 no", NEVER(MESSAGE), "match"},
    {SMTP_DOT, "554 5.2.252 no", NEVER(MESSAGE), "match"},
    {SMTP_DOT,
	"554 5.2.0 STOREDRV.Submission.Exception:SendAs"
	"DeniedException.MapiExceptionSendAsDenied",
	NEVER(MESSAGE), "match"},
    {SMTP_DOT, "550 not allowed to send as this sender", NEVER(MESSAGE),
	"match"},
    {SMTP_MAIL, "550 no such Sender Identity", NEVER(MESSAGE), "match"},
    {SMTP_MAIL, "550 Sender verify failed", NEVER(MESSAGE), "match"},
    {SMTP_MAIL, "550 5.7.1 <a@x.example>: Sender address rejected",
	NEVER(MESSAGE), "match"},
    {SMTP_RCPT,
	"550 5.1.8 <a@x.example>: Sender address rejected: Domain not found",
	NEVER(MESSAGE), "match"},
    {SMTP_MAIL, "553 5.7.1 a@x.example is not owned by b", NEVER(MESSAGE),
	"match"},
    {SMTP_RCPT, "553 5.7.1 a@x.example is not owned by b", NEVER(MESSAGE),
	"match"},
    {SMTP_RCPT, "553 Relaying disallowed as a@x.example", NEVER(MESSAGE),
	"match"},
    {SMTP_MAIL, "554 5.1.8 Sender Address Blocked", LATER(ACCOUNT, LOGIN),
	"provider"},
    {SMTP_RCPT, "550 5.7.1 Relaying denied", NEVER(RECIPIENT), "login"},
    {SMTP_RCPT,
	"550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
	NEVER(RECIPIENT), "login"},
    {SMTP_MAIL, "550 you must authenticate", LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_MAIL, "550 5.7.1 Authentication required", LATER(ACCOUNT, LOGIN),
	"login"},
    {SMTP_RCPT, "553 authentication is required for relay",
	LATER(ACCOUNT, LOGIN), "login"},
    {SMTP_AUTH, "421 4.7.0 too many authentication failures",
	LATER(ACCOUNT, LOGIN), "connections"},
    {SMTP_AUTH, "454 too many failed logins", LATER(ACCOUNT, LOGIN),
	"connections"},
    {SMTP_MAIL, "550 Access denied - Invalid HELO name", LATER(ACCOUNT, NORMAL),
	"hello"},
    {SMTP_DOT, "552 5.3.4 no", NEVER(MESSAGE), "larger"},
    {SMTP_DOT, "550 5.2.3 no", NEVER(MESSAGE), "larger"},
    {SMTP_DATA, "552 Error: message too large", NEVER(MESSAGE), "larger"},
    {SMTP_DOT, "552 that is too big", NEVER(MESSAGE), "larger"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What the core makes of it, with this command waiting or none. */
static struct outcome
outcome_of(const char *reply, enum smtp_cmd cmd, bool asked)
{
	struct smtp_ev ev = {0};
	struct outcome o;
	struct smtp p;
	struct wire w;
	struct err e;

	wire_init(&w);
	smtp_init(&p, &w);
	p.pending[0].cmd = cmd;
	p.pending_n = asked ? 1 : 0;
	buf_printf(&w.in, "%s\r\n", reply);
	quiet(smtp_next(&p, &ev, &e) == 1, "a reply: %s", reply);
	o = outcome_of_reply(&ev);
	smtp_clear(&p);
	wire_clear(&w);
	return o;
}

static bool
advises(const char *advice, const char *what)
{
	if (advice == NULL || what == NULL)
		return advice == what;
	return strstr(advice, what) != NULL;
}

static void
test_row(const struct row *r)
{
	char reply[512];
	struct outcome o;

	/* the first line of several stands for all */
	snprintf(reply, sizeof(reply), "%s", r->reply);
	if (reply[3] == '-' && strstr(reply, "\r\n") == NULL)
		reply[3] = ' ';
	o = outcome_of(reply, r->cmd, true);
	if (!ok(o.verdict == r->verdict && o.scope == r->scope &&
		    o.pace == r->pace && advises(o.advice, r->advice),
		"%s: %.*s", smtp_cmd_name(r->cmd), (int)strcspn(reply, "\r"),
		reply))
		printf("# verdict %d, scope %d, pace %d: %s\n", (int)o.verdict,
		    (int)o.scope, (int)o.pace,
		    o.advice != NULL ? o.advice : "NULL");
}

static void
test_rows(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		test_row(&rows[i]);
}

static void
test_unasked(void)
{
	struct outcome o = outcome_of("421 4.4.2 timeout", SMTP_NOOP, false);

	ok(o.verdict == OUTCOME_RETRY && o.scope == OUTCOME_SESSION &&
		o.pace == PACE_NORMAL,
	    "421 unasked: the session's");
	o = outcome_of("554 5.7.1 spam", SMTP_NOOP, false);
	ok(o.verdict == OUTCOME_RETRY && o.scope == OUTCOME_SESSION,
	    "554 unasked: nobody is concerned");
	o = outcome_of("250 ok", SMTP_NOOP, false);
	ok(o.verdict == OUTCOME_RETRY && o.scope == OUTCOME_SESSION,
	    "250 unasked is no good");
	o = outcome_of(
	    "421 Max message per connection reached", SMTP_NOOP, false);
	ok(o.scope == OUTCOME_SESSION && o.pace == PACE_NEXT,
	    "421 unasked, after so many messages: at once again");
	o = outcome_of("334 VXNlcm5hbWU6", SMTP_AUTH, true);
	is_int(o.verdict, OUTCOME_GOOD, "a challenge is no refusal");
}

/* Whatever is said: before mail, nothing bounces; nor on a first digit 4. */
static void
test_never(void)
{
	static const char letters[] = "0123456789. abcdefghijklmnopqrstuvwxyz";
	char text[64], reply[128];
	struct outcome o;
	enum smtp_cmd cmd;
	unsigned int code;
	int i;

	for (i = 0; i < 100000; i++) {
		cmd = (enum smtp_cmd)prng(SMTP_CMDS);
		code = 200 + prng(400);
		prng_text(text, sizeof(text) - 1, letters, sizeof(letters) - 1);
		text[sizeof(text) - 1] = '\0';
		snprintf(reply, sizeof(reply), "%u %u.%u.%u %s%s", code,
		    code / 100, prng(8), prng(100), text,
		    rows[prng(ROWS)].reply + 4);
		reply[strcspn(reply, "\r")] = '\0';
		o = outcome_of(reply, cmd, true);
		if (o.verdict == OUTCOME_FAIL)
			quiet(code >= 500 && cmd >= SMTP_MAIL &&
				  cmd <= SMTP_BDAT &&
				  o.scope != OUTCOME_ACCOUNT &&
				  o.scope != OUTCOME_SESSION,
			    "%s: %s", smtp_cmd_name(cmd), reply);
		if (o.verdict == OUTCOME_GOOD)
			quiet(code < 400, "%s: %s", smtp_cmd_name(cmd), reply);
		if (cmd < SMTP_MAIL && o.verdict != OUTCOME_GOOD)
			quiet(o.scope == OUTCOME_ACCOUNT && o.pace != PACE_NEXT,
			    "%s: %s", smtp_cmd_name(cmd), reply);
	}
	ok(tap_failed == 0, "nothing fails for good that must not");
}

static void
test_errors(void)
{
	static const struct {
		enum err_kind kind;
		const char *text;
		enum outcome_verdict verdict;
		enum outcome_scope scope;
		enum outcome_pace pace;
	} errors[] = {
	    {ERR_NONE, "", OUTCOME_GOOD, OUTCOME_RECIPIENT, PACE_NORMAL},
	    {ERR_TEMP, "smtp.example.org: connection refused",
		LATER(ACCOUNT, NORMAL)},
	    {ERR_TEMP,
		"login as a (PLAIN): server says: 454 4.7.0 Too many login "
		"attempts",
		LATER(ACCOUNT, LOGIN)},
	    {ERR_TEMP,
		"login as a (PLAIN): server says: 451 Authentication failed: "
		"Maximum credits exceeded",
		LATER(ACCOUNT, DAY)},
	    {ERR_TEMP, "greeting: server says: 421 4.7.0 [TSS04] deferred",
		LATER(ACCOUNT, HOURS)},
	    {ERR_TEMP,
		"login as a (XOAUTH2): server says: 432 4.3.2 Concurrent "
		"connections limit exceeded.",
		LATER(ACCOUNT, RATE)},
	    {ERR_TEMP, "421 Max message per connection reached",
		LATER(ACCOUNT, NORMAL)},
	    {ERR_PROTO, "greeting: server says: 554 5.7.1 Client host rejected",
		LATER(ACCOUNT, HOURS)},
	    {ERR_PROTO, "this is an IMAP server", LATER(ACCOUNT, NORMAL)},
	    {ERR_AUTH, "535 5.7.8 bad", LATER(ACCOUNT, LOGIN)},
	    {ERR_CONFIG, "no password", LATER(ACCOUNT, LOGIN)},
	    {ERR_TLS, "certificate has expired", LATER(ACCOUNT, NORMAL)},
	    {ERR_LOCAL, "disk full", LATER(ACCOUNT, NORMAL)},
	    {ERR_MESSAGE, "it has no SMTPUTF8", NEVER(MESSAGE)},
	};
	struct outcome o;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		err_set(&e, errors[i].kind, "%s", errors[i].text);
		o = outcome_of_error(&e);
		ok(o.verdict == errors[i].verdict &&
			o.scope == errors[i].scope && o.pace == errors[i].pace,
		    "error %zu: %s", i, errors[i].text);
	}
}

/* --- retry ------------------------------------------------------------- */

static const struct {
	enum outcome_pace pace;
	int64_t first, third, most; /* seconds, without jitter */
	bool least;                 /* it is never less than that */
} paces[] = {
    {PACE_NORMAL, 60, 300, 3600, false},
    {PACE_GREYLIST, 300, 300, 3600, true},
    {PACE_RATE, 15, 60, 900, false},
    {PACE_HOURS, 3600, 14400, 14400, false},
    {PACE_DAY, 86400, 86400, 86400, true},
    {PACE_LOGIN, 3600, 3600, 3600, true},
    {PACE_DOUBT, 1800, 7200, 14400, true},
};

static void
test_normal(void)
{
	static const int64_t minutes[] = {1, 2, 5, 10, 20, 40, 60, 60, 60};
	unsigned int i;

	/* half of the span of the jitter, so that there is none */
	for (i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
		is_int(retry_delay(
			   PACE_NORMAL, i + 1, (uint32_t)(minutes[i] * 60 / 8)),
		    minutes[i] * 60, "after attempt %u", i + 1);
	is_int(retry_delay(PACE_NORMAL, 0, 7), 60, "0 is as 1");
	is_int(retry_delay(PACE_NORMAL, UINT32_MAX, 450), 3600, "without end");
	is_int(retry_delay(PACE_NEXT, 1, 12345), 0, "next is at once");
}

static void
test_jitter(void)
{
	int64_t delay, low, high;
	uint32_t random;
	size_t p;
	unsigned int n;

	for (p = 0; p < sizeof(paces) / sizeof(paces[0]); p++) {
		low = INT64_MAX;
		high = 0;
		for (random = 0; random < 20000; random++) {
			delay = retry_delay(paces[p].pace, 1, random);
			low = delay < low ? delay : low;
			high = delay > high ? delay : high;
		}
		is_int(low,
		    paces[p].first - (paces[p].least ? 0 : paces[p].first / 8),
		    "pace %zu: at least", p);
		is_int(high, paces[p].first + paces[p].first / 8,
		    "pace %zu: at most", p);
		for (n = 1; n < 40; n++) {
			random = prng(UINT32_MAX);
			delay = retry_delay(paces[p].pace, n, random);
			quiet(delay >= paces[p].first - paces[p].first / 8 &&
				  delay <= paces[p].most + paces[p].most / 8,
			    "pace %zu, attempt %u: %lld", p, n,
			    (long long)delay);
			quiet(delay <=
				  retry_delay(paces[p].pace, n + 1, 0) * 10 / 7,
			    "pace %zu: no faster than before %u", p, n + 1);
		}
		delay = retry_delay(paces[p].pace, 3, 0);
		ok(delay >= paces[p].third - paces[p].third / 8 &&
			delay <= paces[p].third,
		    "pace %zu: the third", p);
	}
	ok(tap_failed == 0, "all delays within bounds");
}

/* How often a message is tried in its five days. */
static void
test_sum(void)
{
	int64_t t = 0;
	unsigned int n;

	for (n = 1; t < 5 * INT64_C(86400); n++)
		t += retry_delay(PACE_NORMAL, n, prng(UINT32_MAX));
	ok(n > 115 && n < 140, "%u attempts in five days", n);
}

int
main(void)
{
	test_rows();
	test_unasked();
	test_never();
	test_errors();
	test_normal();
	test_jitter();
	test_sum();
	return done();
}
