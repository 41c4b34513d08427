/*
 * The client's half of an IMAP connection: what the server can do, and
 * commands.  Responses are read in imap_reply.c.
 */

#include "proto/imap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/enc.h"

#define QUOTED_MAX 1000    /* longer strings go as literals */
#define LITERAL_MINUS 4096 /* RFC 7888: longer ones must wait */
#define CAP(c) (UINT64_C(1) << (c))

static const char *const cap_names[IMAP_CAP_N] = {
    [IMAP_CAP_IMAP4REV1] = "IMAP4rev1",
    [IMAP_CAP_IMAP4REV2] = "IMAP4rev2",
    [IMAP_CAP_STARTTLS] = "STARTTLS",
    [IMAP_CAP_LOGINDISABLED] = "LOGINDISABLED",
    [IMAP_CAP_SASL_IR] = "SASL-IR",
    [IMAP_CAP_LITERAL_PLUS] = "LITERAL+",
    [IMAP_CAP_LITERAL_MINUS] = "LITERAL-",
    [IMAP_CAP_IDLE] = "IDLE",
    [IMAP_CAP_NOTIFY] = "NOTIFY",
    [IMAP_CAP_UIDPLUS] = "UIDPLUS",
    [IMAP_CAP_MOVE] = "MOVE",
    [IMAP_CAP_ESEARCH] = "ESEARCH",
    [IMAP_CAP_ENABLE] = "ENABLE",
    [IMAP_CAP_CONDSTORE] = "CONDSTORE",
    [IMAP_CAP_QRESYNC] = "QRESYNC",
    [IMAP_CAP_COMPRESS] = "COMPRESS=DEFLATE",
    [IMAP_CAP_LIST_STATUS] = "LIST-STATUS",
    [IMAP_CAP_LIST_EXTENDED] = "LIST-EXTENDED",
    [IMAP_CAP_SPECIAL_USE] = "SPECIAL-USE",
    [IMAP_CAP_NAMESPACE] = "NAMESPACE",
    [IMAP_CAP_ID] = "ID",
    [IMAP_CAP_UNSELECT] = "UNSELECT",
    [IMAP_CAP_MULTIAPPEND] = "MULTIAPPEND",
    [IMAP_CAP_BINARY] = "BINARY",
    [IMAP_CAP_OBJECTID] = "OBJECTID",
    [IMAP_CAP_GMAIL] = "X-GM-EXT-1",
    [IMAP_CAP_STATUS_SIZE] = "STATUS=SIZE",
    [IMAP_CAP_XAPPLEPUSHSERVICE] = "XAPPLEPUSHSERVICE",
    [IMAP_CAP_XYMHIGHESTMODSEQ] = "XYMHIGHESTMODSEQ",
    [IMAP_CAP_XCM] = "X-CM-EXT-1",
};

/* What RFC 9051 appendix E takes into the base protocol. */
#define REV2_HAS                                                  \
	(CAP(IMAP_CAP_NAMESPACE) | CAP(IMAP_CAP_UNSELECT) |       \
	    CAP(IMAP_CAP_UIDPLUS) | CAP(IMAP_CAP_ESEARCH) |       \
	    CAP(IMAP_CAP_ENABLE) | CAP(IMAP_CAP_IDLE) |           \
	    CAP(IMAP_CAP_SASL_IR) | CAP(IMAP_CAP_LIST_EXTENDED) | \
	    CAP(IMAP_CAP_LIST_STATUS) | CAP(IMAP_CAP_MOVE) |      \
	    CAP(IMAP_CAP_LITERAL_MINUS) | CAP(IMAP_CAP_STATUS_SIZE))

void
imap_init(struct imap *im, struct wire *w)
{
	*im = (struct imap){.wire = w};
	imap_lex_init(&im->lex);
	imap_queue_init(&im->queue, w);
	buf_init(&im->item.keywords, IMAP_LINE_MAX);
	buf_init(&im->text, IMAP_LINE_MAX);
	uidset_init(&im->uids);
	uidset_init(&im->from);
}

void
imap_clear(struct imap *im)
{
	imap_lex_clear(&im->lex);
	imap_queue_clear(&im->queue);
	buf_clear(&im->item.keywords);
	buf_clear(&im->text);
	uidset_clear(&im->uids);
	uidset_clear(&im->from);
}

bool
imap_has(const struct imap *im, enum imap_cap cap)
{
	return (im->caps & CAP(cap)) != 0;
}

bool
imap_utf8_names(const struct imap *im)
{
	return imap_has(im, IMAP_CAP_IMAP4REV2) &&
	       !imap_has(im, IMAP_CAP_IMAP4REV1);
}

static void
add_cap(struct imap *im, struct span word)
{
	enum sasl_mech mech;
	int i;

	if (span_prefix(word, "AUTH=")) {
		mech = sasl_by_name(span_skip(word, strlen("AUTH=")));
		if (mech < SASL_N)
			im->mechs |= SASL_BIT(mech);
		return;
	}
	if (span_prefix(word, "APPENDLIMIT=") &&
	    !span_number(span_skip(word, strlen("APPENDLIMIT=")), INT64_MAX,
		&im->append_limit))
		im->append_limit = 0;
	for (i = 0; i < IMAP_CAP_N; i++)
		if (span_caseeq(word, cap_names[i]))
			im->caps |= CAP(i);
}

void
imap_set_caps(struct imap *im, struct span list)
{
	struct span word;

	im->caps = 0;
	im->mechs = 0;
	im->append_limit = 0;
	im->caps_known = true;
	while (span_word(&list, &word))
		add_cap(im, word);
	if (imap_utf8_names(im))
		im->caps |= REV2_HAS;
	if (imap_has(im, IMAP_CAP_QRESYNC)) /* RFC 7162 section 3.2 */
		im->caps |= CAP(IMAP_CAP_CONDSTORE) | CAP(IMAP_CAP_ENABLE);
}

static void __attribute__((format(printf, 2, 0)))
put_fmt(struct imap *im, const char *fmt, va_list ap)
{
	char text[1024];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n < 0 || (size_t)n >= sizeof(text))
		im->queue.full = true;
	else
		imap_queue_put(&im->queue, span_bytes(text, (size_t)n));
}

void
imap_begin(struct imap *im, enum imap_verb verb, uint32_t cookie)
{
	imap_queue_begin(&im->queue, (int)verb, cookie);
	imap_put(im, "A%u ", im->queue.tag);
}

void
imap_put(struct imap *im, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_fmt(im, fmt, ap);
	va_end(ap);
}

void
imap_put_literal(struct imap *im, uint64_t n, bool eight, bool wait)
{
	wait =
	    wait ||
	    (!imap_has(im, IMAP_CAP_LITERAL_PLUS) &&
		(!imap_has(im, IMAP_CAP_LITERAL_MINUS) || n > LITERAL_MINUS));
	imap_put(
	    im, "%s{%" PRIu64 "%s}\r\n", eight ? "~" : "", n, wait ? "" : "+");
	if (wait)
		imap_queue_stop(&im->queue);
}

void
imap_put_data(struct imap *im, struct span s)
{
	imap_queue_put(&im->queue, s);
}

size_t
imap_room(const struct imap *im)
{
	return im->queue.stops_n > 0 ? 0 : buf_room(&im->wire->out);
}

bool
imap_writing(const struct imap *im)
{
	return im->queue.open && !im->queue.dead;
}

void
imap_put_astring(struct imap *im, struct span s)
{
	char quoted[2 * QUOTED_MAX + 2];
	size_t i, k = 0;

	quoted[k++] = '"';
	for (i = 0; i < s.n; i++) {
		if (s.n > QUOTED_MAX || s.p[i] < ' ' || s.p[i] > '~') {
			imap_put_literal(im, s.n, false, false);
			imap_put_data(im, s);
			return;
		}
		if (s.p[i] == '"' || s.p[i] == '\\')
			quoted[k++] = '\\';
		quoted[k++] = s.p[i];
	}
	quoted[k++] = '"';
	imap_queue_put(&im->queue, span_bytes(quoted, k));
	explicit_bzero(quoted, sizeof(quoted)); /* may have been a password */
}

void
imap_put_folder(struct imap *im, struct span utf8)
{
	struct buf name;

	buf_init(&name, IMAP_LINE_MAX);
	if (imap_utf8_names(im) || enc_utf7(&name, utf8) == -1)
		imap_put_astring(im, utf8);
	else
		imap_put_astring(im, buf_span(&name));
	buf_clear(&name);
}

void
imap_put_uids(struct imap *im, const struct uidset *uids)
{
	struct buf set;

	buf_init(&set, WIRE_OUT_MAX);
	if (uidset_format(uids, 1, set.max, &set) != 0)
		im->queue.full = true;
	imap_queue_put(&im->queue, buf_span(&set));
	buf_clear(&set);
}

void
imap_end(struct imap *im)
{
	imap_queue_put(&im->queue, span_of("\r\n"));
	imap_queue_end(&im->queue);
}

void
imap_command(
    struct imap *im, enum imap_verb verb, uint32_t cookie, const char *fmt, ...)
{
	va_list ap;

	imap_begin(im, verb, cookie);
	va_start(ap, fmt);
	put_fmt(im, fmt, ap);
	va_end(ap);
	imap_end(im);
}

void
imap_send_line(struct imap *im, struct span s)
{
	imap_queue_put(&im->queue, s);
	imap_queue_put(&im->queue, span_of("\r\n"));
}

size_t
imap_unanswered(const struct imap *im)
{
	return im->queue.n;
}

bool
imap_oldest(const struct imap *im, enum imap_verb *verb_r, uint32_t *cookie_r)
{
	if (im->queue.n == 0)
		return false;
	*verb_r = (enum imap_verb)im->queue.v[0].verb;
	*cookie_r = im->queue.v[0].cookie;
	return true;
}

unsigned int
imap_flag(struct span s)
{
	static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged",
	    "\\Deleted", "\\Draft", "\\Recent"};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_caseeq(s, names[i]))
			return 1u << i;
	return 0;
}
