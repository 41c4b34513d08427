/*
 * From a message's history to a report about it.
 */

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/header.h"
#include "base/mem.h"
#include "bounce.h"
#include "os/clock.h"

void
report_untold(const struct envelope *env, struct uidset *set)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == RCPT_FAILED &&
		    !env->rcpts[i].reported)
			uidset_add(set, (uint32_t)(i + 1), (uint32_t)(i + 1));
}

/* Minutes east of Greenwich, now and here. */
static int
zone(int64_t now)
{
	time_t t = (time_t)now;
	struct tm tm;

	return localtime_r(&t, &tm) == NULL ? 0 : (int)(tm.tm_gmtoff / 60);
}

/* The begin of the message, which has its header; the composer cuts it. */
static int
read_begin(struct message *m, struct buf *out, struct err *e)
{
	size_t room;
	ssize_t n;

	if (m->eml_fd == -1 && message_body(m, e) == -1)
		return -1;
	while ((room = buf_room(out)) > 0) {
		n = pread(
		    m->eml_fd, buf_reserve(out, room), room, (off_t)out->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, ERR_LOCAL, "cannot read the message");
		if (n == 0)
			break;
		buf_commit(out, (size_t)n);
	}
	return 0;
}

/* No further than the empty line. */
static struct span
header_of(const struct buf *text)
{
	struct span s = buf_span(text);
	struct header_scan scan;

	header_scan_init(&scan);
	s.n = header_scan_feed(&scan, s.p, s.n);
	return s;
}

/* What the server said last, before the time was up; NULL: nothing. */
static const char *
last_reply(const char *text)
{
	const char *at = strstr(text, REPORT_LAST);

	return at != NULL ? at + strlen(REPORT_LAST) : NULL;
}

static struct bounce_rcpt
describe(const struct send *s, const struct envelope *env, const struct rcpt *r,
    bool late)
{
	struct bounce_rcpt b = {.action = late ? BOUNCE_DELAYED : BOUNCE_FAILED,
	    .address = r->address,
	    .original = r->original,
	    .reply = r->reply,
	    .server = s->account.smtp.host,
	    .attempts = r->attempts,
	    .last = r->since};

	if (late && s->expire > 0)
		b.until = envelope_born(env) + s->expire / 1000;
	if (!late && r->reply != NULL &&
	    span_prefix(span_of(r->reply), REPORT_EXPIRED)) {
		b.action = BOUNCE_EXPIRED;
		b.reply = last_reply(r->reply);
	}
	return b;
}

/* Those whom the report is about. */
static struct bounce_rcpt *
describe_all(
    const struct send *s, const struct envelope *env, bool late, size_t *n_r)
{
	struct bounce_rcpt *v = mem_array(env->n_rcpts, sizeof(*v));
	const struct rcpt *r;
	size_t i, n = 0;

	for (i = 0; i < env->n_rcpts; i++) {
		r = &env->rcpts[i];
		if (late ? r->state == RCPT_WAITING
			 : r->state == RCPT_FAILED && !r->reported)
			v[n++] = describe(s, env, r, late);
	}
	*n_r = n;
	return v;
}

int
report_compose(const struct send *s, struct message *m, const char *id,
    bool late, struct buf *out, struct err *e)
{
	struct envelope *env = &m->env;
	struct bounce b = {.id = id,
	    .to = env->sender,
	    .envid = env->envid,
	    .queue_id = m->id,
	    .message_id = env->message_id,
	    .arrived = env->created,
	    .now = clock_wall_us() / 1000000};
	struct bounce_rcpt *rcpts;
	char host[256] = "localhost";
	struct buf text;
	int rv;

	buf_init(&text, BOUNCE_HEADER_MAX);
	rv = read_begin(m, &text, e);
	if (rv == 0) {
		gethostname(host, sizeof(host) - 1);
		b.host = host;
		b.zone = zone(b.now);
		b.header = header_of(&text);
		rcpts = describe_all(s, env, late, &b.n);
		b.rcpts = rcpts;
		rv = bounce_compose(&b, out);
		free(rcpts);
		if (rv == -1)
			err_set(e, ERR_LOCAL, "the report is too long");
	}
	buf_clear(&text);
	return rv;
}
