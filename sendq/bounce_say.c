/*
 * What a report says to a person: what was tried, with whom, what was
 * answered, and what can be done.
 */

#include <stdio.h>
#include <string.h>

#include "base/header.h"
#include "base/time.h"
#include "bounce.h"
#include "bounce_text.h"

#define REPLY_MAX 2000
#define INDENT "    "
#define DEEPER "        "

int
bounce_subject(const struct bounce *b, struct buf *out)
{
	struct span body;
	struct buf plain;
	int rc = 0;

	if (!header_find(b->header, "Subject", &body))
		return 0;
	buf_init(&plain, BOUNCE_HEADER_MAX);
	(void)header_unfold(&plain, body);
	rc = text_clean(out, buf_span(&plain), true, BOUNCE_SUBJECT_MAX);
	buf_clear(&plain);
	return rc;
}

/* A paragraph, made harmless. */
static int
say(struct buf *out, const char *indent, const char *text)
{
	struct buf clean;
	int rc;

	buf_init(&clean, REPLY_MAX);
	rc = text_clean(&clean, span_of(text), true, REPLY_MAX);
	if (rc == 0)
		rc = buf_puts(out, indent);
	if (rc == 0)
		rc = text_flow(out, buf_span(&clean), indent);
	buf_clear(&clean);
	return rc == 0 ? buf_puts(out, "\r\n") : -1;
}

/* --- what can be done --------------------------------------------------- */

/* The first that the status begins with. */
static const char *
advice(const struct bounce_rcpt *r)
{
	static const struct {
		const char *status, *text;
	} known[] = {
	    {"5.1.7", "Your own address, as the message has it, was refused: "
		      "correct it in your mail program."},
	    {"5.1.8", "Your own address, as the message has it, was refused: "
		      "correct it in your mail program."},
	    {"5.1.", "Look for a mistake in the address, and send the message "
		     "to the right one."},
	    {"5.2.1", "The mailbox takes no mail now. Reach the person in "
		      "another way."},
	    {"5.2.2", "The mailbox is full. Send the message again later, or "
		      "reach the person in another way."},
	    {"5.2.3", "The message is too large: send it without its "
		      "attachments, or with smaller ones."},
	    {"5.3.4", "The message is too large: send it without its "
		      "attachments, or with smaller ones."},
	    {"5.4.", "The mail servers could not find a way there. Look for a "
		     "mistake behind the @ of the address, or try again "
		     "later."},
	    {"5.6.", "The server does not take a message of this form. Send "
		     "it as plain text."},
	    {"5.7.", "The server does not allow it. What it said may tell "
		     "why; else ask whoever runs it, or the recipient."},
	    {"4.", "Reach the person in another way, or send the message "
		   "again later."},
	    {"", "What was said may tell why. Look for a mistake in the "
		 "address, or ask whoever runs the server."},
	};
	char status[BOUNCE_STATUS];
	size_t i;

	if (r->advice != NULL)
		return r->advice;
	if (r->action == BOUNCE_DELAYED)
		return "You need not do anything.";
	bounce_status(r, status);
	for (i = 0; !span_prefix(span_of(status), known[i].status); i++)
		;
	return known[i].text;
}

/* --- a recipient -------------------------------------------------------- */

static int
say_address(const struct bounce_rcpt *r, struct buf *out)
{
	char text[REPLY_MAX];

	snprintf(text, sizeof(text), "<%s>", r->address);
	if (r->original != NULL && strcmp(r->original, r->address) != 0)
		snprintf(text, sizeof(text), "<%s> (given as %s)", r->address,
		    r->original);
	TRY(buf_puts(out, "\r\n"));
	return say(out, "", text);
}

/* What became of it, up to what was said. */
static int
say_outcome(
    const struct bounce *b, const struct bounce_rcpt *r, struct buf *out)
{
	bool answered = bounce_answered(r), said = r->reply != NULL;
	const char *server = r->server != NULL            ? r->server
	                     : r->action == BOUNCE_FAILED ? "the server"
	                                                  : "The server";
	char text[REPLY_MAX], time[32];
	size_t n = 0;

	time_show_duration((b->now - b->arrived) * 1000, time);
	if (r->action == BOUNCE_EXPIRED)
		n = (size_t)snprintf(
		    text, sizeof(text), "was given up after %s. ", time);
	if (r->action == BOUNCE_DELAYED)
		n = (size_t)snprintf(text, sizeof(text),
		    "is not delivered yet, after %s. ", time);
	if (r->action == BOUNCE_FAILED && answered)
		snprintf(text, sizeof(text), "was refused by %s:", server);
	else if (r->action == BOUNCE_FAILED)
		snprintf(text, sizeof(text), "could not be delivered%s",
		    said ? ":" : ".");
	else if (said)
		snprintf(text + n, sizeof(text) - n,
		    "%s%s:", answered ? server : "What went wrong",
		    answered ? " said last" : " last");
	TRY(say(out, INDENT, text));
	return said ? say(out, DEEPER, r->reply) : 0;
}

static int
say_attempts(
    const struct bounce *b, const struct bounce_rcpt *r, struct buf *out)
{
	char text[200], often[32], last[TIME_MAIL], until[TIME_MAIL];
	size_t n = 0;

	time_mail(r->last, b->zone, last);
	time_mail(r->until, b->zone, until);
	snprintf(often, sizeof(often), "%u times, last", r->attempts);
	text[0] = '\0';
	if (r->attempts > 0 && r->last != 0)
		n = (size_t)snprintf(text, sizeof(text), "Tried %s on %s. ",
		    r->attempts == 1 ? "once," : often, last);
	if (r->action == BOUNCE_DELAYED)
		snprintf(text + n, sizeof(text) - n,
		    "It will be tried again%s%s.",
		    r->until == 0 ? "" : " until ", r->until == 0 ? "" : until);
	return text[0] == '\0' ? 0 : say(out, INDENT, text);
}

/* --- all of it ---------------------------------------------------------- */

/* The report's own subject has one with encoded words, and is decoded. */
static int
say_subject(const struct bounce *b, struct buf *out)
{
	char text[BOUNCE_SUBJECT_MAX + 20];
	struct buf subject;
	int rc;

	buf_init(&subject, BOUNCE_SUBJECT_MAX);
	rc = bounce_subject(b, &subject);
	snprintf(text, sizeof(text), "Subject: %s", buf_cstr(&subject));
	if (rc == 0 && subject.len > 0 && strstr(text, "=?") == NULL)
		rc = say(out, INDENT, text);
	buf_clear(&subject);
	return rc;
}

static int
say_message(const struct bounce *b, struct buf *out)
{
	char text[TIME_MAIL + 20], date[TIME_MAIL];

	time_mail(b->arrived, b->zone, date);
	snprintf(text, sizeof(text), "Sent on: %s", date);
	TRY(buf_puts(out, "\r\n"));
	TRY(say_subject(b, out));
	return say(out, INDENT, text);
}

static int
say_commands(const struct bounce *b, bool delayed, struct buf *out)
{
	char text[400];

	if (b->queue_id == NULL)
		return 0;
	snprintf(text, sizeof(text),
	    delayed
		? "\"sendq --retry-now %s\" tries at once, \"sendq --remove "
		  "%s\" gives it up."
		: "The message is kept: \"sendq --show %s\" shows it, "
		  "\"sendq --retry-now %s\" tries once more.",
	    b->queue_id, b->queue_id);
	TRY(buf_puts(out, "\r\n"));
	return say(out, "", text);
}

int
bounce_say(const struct bounce *b, struct buf *out)
{
	bool delayed = b->n > 0 && b->rcpts[0].action == BOUNCE_DELAYED;
	char text[400];
	size_t i;

	snprintf(text, sizeof(text),
	    "This is the mail system on %s. Your message %s the following "
	    "%s.",
	    b->host,
	    delayed ? "is late: it has not yet reached" : "did not reach",
	    b->n == 1 ? "recipient" : "recipients");
	TRY(say(out, "", text));
	TRY(say_message(b, out));
	for (i = 0; i < b->n; i++) {
		TRY(say_address(&b->rcpts[i], out));
		TRY(say_outcome(b, &b->rcpts[i], out));
		TRY(say_attempts(b, &b->rcpts[i], out));
		TRY(say(out, INDENT, advice(&b->rcpts[i])));
	}
	TRY(say_commands(b, delayed, out));
	TRY(buf_puts(out, "\r\n"));
	return say(out, "",
	    "What follows is for programs: the same once more, and the "
	    "header of your message.");
}
