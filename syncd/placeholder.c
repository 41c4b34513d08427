/*
 * What stands for a message whose body stays on the server.
 */

#include "placeholder.h"

#include <string.h>

#include "base/header.h"
#include "base/time.h"

#define MARK "X-Syncd-Placeholder"
#define PUT_BY "X-Syncd-Original-"

/* The next field as it stands there, line end included. */
static bool
next_field(struct span *rest, struct span *name_r, struct span *raw_r)
{
	struct span all = *rest, body;

	if (rest->n == 0 || !header_next(rest, name_r, &body))
		return false;
	*raw_r = span_bytes(all.p, all.n - rest->n);
	return true;
}

/* Fields of which a placeholder has its own. */
static bool
is_own(struct span name)
{
	return span_caseeq(name, MARK) || span_caseeq(name, "Subject") ||
	       span_caseeq(name, "MIME-Version") ||
	       span_prefix(name, "Content-");
}

static bool
is_put_by(struct span name)
{
	return span_prefix(name, PUT_BY);
}

/* A field, and a line end should it be the last line and have none. */
static void
put_field(struct buf *out, struct span raw)
{
	(void)buf_add(out, raw);
	if (raw.n > 0 && raw.p[raw.n - 1] != '\n')
		(void)buf_putc(out, '\n');
}

bool
placeholder_is(struct span header, uint64_t *size_r)
{
	struct span body;

	return header_find(header, MARK, &body) &&
	       span_number(span_trim(body), UINT64_MAX, size_r);
}

static void
put_own(struct span header, uint64_t size, const char *shown, struct buf *out)
{
	struct span subject;

	(void)buf_printf(out, MARK ": %ju\nSubject: [placeholder, %s]",
	    (uintmax_t)size, shown);
	if (header_find(header, "Subject", &subject)) {
		subject = span_trim(subject);
		(void)buf_putc(out, ' ');
		(void)buf_add(out, subject);
	}
	(void)buf_puts(out, "\nMIME-Version: 1.0\nContent-Type: text/plain; "
			    "charset=us-ascii\n");
}

int
placeholder_write(struct span header, uint64_t size, struct buf *out)
{
	struct span name, raw;
	char shown[32];

	time_show_size(size, shown);
	put_own(header, size, shown, out);
	while (next_field(&header, &name, &raw)) {
		if (is_own(name) || is_put_by(name))
			(void)buf_puts(out, PUT_BY);
		/* a fold of nothing, which would be one of ours now */
		else if (*raw.p == ' ' || *raw.p == '\t')
			(void)buf_puts(out, PUT_BY ":");
		put_field(out, raw);
	}
	return buf_printf(out,
	    "\nThis is only the header of a message of %s; the rest of it is "
	    "on the server.\n\n"
	    "Flag this message (in mutt: F), and when syncd has run the whole "
	    "message is here\nin its place.\n\n"
	    "Whatever is done to this one is done to the message itself: when "
	    "you delete it,\nthe message is deleted on the server. A copy of "
	    "this one is no copy of the message.\n",
	    shown);
}

int
placeholder_header(struct span header, struct buf *out)
{
	struct span name, raw;
	int rv = 0;

	while (next_field(&header, &name, &raw)) {
		if (is_own(name))
			continue;
		if (is_put_by(name))
			raw = span_skip(
			    raw, strlen(PUT_BY) + (name.n == strlen(PUT_BY)));
		if (buf_add(out, raw) == -1)
			rv = -1;
	}
	return rv;
}
