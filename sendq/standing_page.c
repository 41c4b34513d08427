/*
 * What is known of an account, as text, and what follows from it: how much its
 * limits allow, and whether it waits.
 */

#include "standing_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/mem.h"
#include "envelope.h"

#define DAY 86400
#define SKEW 300 /* s; a clock that was set back by less was only adjusted */

/* --- limits ------------------------------------------------------------ */

static uint64_t
sum_since(const struct sent_count *v, size_t n, int64_t since)
{
	uint64_t sum = 0;

	while (n > 0 && v[n - 1].time > since)
		sum += v[--n].n;
	return sum;
}

/* When the sum over the limit's span falls below it. */
static int64_t
next_below(
    const struct limit *l, const struct sent_count *v, size_t n, int64_t now)
{
	uint64_t sum = sum_since(v, n, now - l->seconds);
	size_t i;

	if (sum < l->n)
		return now;
	for (i = 0; i < n; i++) {
		if (v[i].time <= now - l->seconds)
			continue;
		sum -= v[i].n;
		if (sum < l->n)
			return v[i].time + l->seconds;
	}
	return INT64_MAX;
}

uint64_t
limit_room(const struct limit *l, size_t n_limits, const struct sent_count *v,
    size_t n, int64_t now, int64_t *next_r)
{
	uint64_t room = UINT64_MAX, sum, left;
	int64_t next;
	size_t i;

	*next_r = now;
	for (i = 0; i < n_limits; i++) {
		sum = sum_since(v, n, now - l[i].seconds);
		left = sum < l[i].n ? l[i].n - sum : 0;
		room = left < room ? left : room;
		next = next_below(&l[i], v, n, now);
		*next_r = next > *next_r ? next : *next_r;
	}
	return room;
}

/* --- reading ----------------------------------------------------------- */

void
page_clear(struct page *p)
{
	free(p->sent);
	free(p->by);
	free(p->why);
	*p = (struct page){0};
}

void
page_sent(struct page *p, int64_t time, uint64_t n, uint64_t by)
{
	size_t i;

	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 64 : 2 * p->cap;
		p->sent = mem_resize(p->sent, p->cap, sizeof(*p->sent));
		p->by = mem_resize(p->by, p->cap, sizeof(*p->by));
	}
	/* in order of time, also when the clock was set */
	for (i = p->n++; i > 0 && p->sent[i - 1].time > time; i--) {
		p->sent[i] = p->sent[i - 1];
		p->by[i] = p->by[i - 1];
	}
	p->sent[i] = (struct sent_count){time, n};
	p->by[i] = by;
}

/* Takes n off what was sent last: by that process, then by anyone. */
static void
take_back(struct page *p, uint64_t n, uint64_t by)
{
	uint64_t part;
	size_t i;
	int any;

	for (any = 0; any <= 1; any++) {
		for (i = p->n; i > 0 && n > 0; i--) {
			if (!any && p->by[i - 1] != by)
				continue;
			part = p->sent[i - 1].n < n ? p->sent[i - 1].n : n;
			p->sent[i - 1].n -= part;
			n -= part;
		}
	}
}

/* Up to three numbers behind the time, as many as the event has. */
struct line {
	int64_t time;
	struct span event;
	uint64_t v[3];
	struct span text; /* encoded */
};

static bool
read_numbers(struct span *s, struct line *l, size_t n)
{
	struct span word;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!span_word(s, &word) ||
		    !span_number(word, UINT64_MAX, &l->v[i]))
			return false;
	}
	return true;
}

static bool
read_line(struct span s, struct line *l)
{
	static const struct {
		const char *event;
		size_t numbers;
	} events[] = {{"sent", 2}, {"back", 2}, {"pause", 2}, {"login", 3},
	    {"resume", 0}, {"size", 1}};
	struct span word;
	uint64_t t;
	size_t i;

	if (!envelope_whole(&s) || !span_word(&s, &word) ||
	    !span_number(word, INT64_MAX, &t) || !span_word(&s, &l->event))
		return false;
	l->time = (int64_t)t;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (!span_eq(l->event, events[i].event))
			continue;
		if (!read_numbers(&s, l, events[i].numbers))
			return false;
		l->text = span_trim(s);
		return true;
	}
	return false;
}

static void
take_pause(struct page *p, const struct line *l, bool login)
{
	struct buf text;

	buf_init(&text, l->text.n);
	if (dec_percent(&text, l->text) == -1) {
		buf_reset(&text);
		buf_add(&text, l->text);
	}
	free(p->why);
	p->why = span_dup(buf_span(&text));
	buf_clear(&text);
	p->paused = true;
	p->login = login;
	p->since = l->time;
	p->until = l->v[0] > INT64_MAX ? INT64_MAX : (int64_t)l->v[0];
	p->pauses = l->v[1];
	p->stamp = login ? l->v[2] : 0;
}

static void
take_line(struct page *p, const struct line *l)
{
	if (span_eq(l->event, "sent") && l->v[0] <= UINT32_MAX)
		page_sent(p, l->time, l->v[0], l->v[1]);
	else if (span_eq(l->event, "back"))
		take_back(p, l->v[0], l->v[1]);
	else if (span_eq(l->event, "pause"))
		take_pause(p, l, false);
	else if (span_eq(l->event, "login"))
		take_pause(p, l, true);
	else if (span_eq(l->event, "resume")) {
		p->paused = false;
		p->pauses = 0;
	} else if (span_eq(l->event, "size"))
		p->most = l->v[0];
}

void
page_read(struct span text, struct page *p)
{
	struct span one;
	struct line l = {0};

	p->size = text.n;
	p->torn = text.n > 0 && text.p[text.n - 1] != '\n';
	while (span_cut(&text, '\n', &one)) {
		if (read_line(one, &l))
			take_line(p, &l);
	}
}

/* --- keeping it short -------------------------------------------------- */

void
page_shorten(struct page *p, int64_t now, int64_t keep)
{
	size_t i, k = 0;

	keep = keep > DAY ? keep : DAY;
	for (i = 0; i < p->n; i++) {
		if (p->sent[i].n == 0 || p->sent[i].time <= now - keep)
			continue;
		if (k > 0 && p->sent[i].time < now - 120 &&
		    p->sent[i].time / 60 == p->sent[k - 1].time / 60) {
			p->sent[k - 1].n += p->sent[i].n;
			p->sent[k - 1].time = p->sent[i].time;
			continue;
		}
		p->sent[k] = p->sent[i];
		p->by[k++] = p->by[i];
	}
	p->n = k;
}

bool
page_tame(struct page *p, int64_t now)
{
	bool any = false;
	size_t i;

	for (i = p->n; i > 0 && p->sent[i - 1].time > now; i--) {
		any = any || p->sent[i - 1].time > now + SKEW;
		p->sent[i - 1].time = now;
	}
	return any;
}

/* --- writing ----------------------------------------------------------- */

int
page_put_count(
    struct buf *out, int64_t time, const char *event, uint64_t n, uint64_t by)
{
	return buf_printf(out, "%" PRId64 " %s %" PRIu64 " %" PRIu64 " .\n",
	    time, event, n, by);
}

int
page_put_pause(struct buf *out, const struct page *p)
{
	if (buf_printf(out, "%" PRId64 " %s %" PRId64 " %" PRIu64 " ", p->since,
		p->login ? "login" : "pause", p->until, p->pauses) == -1 ||
	    (p->login && buf_printf(out, "%" PRIu64 " ", p->stamp) == -1) ||
	    envelope_encode(out, span_of(p->why)) == -1)
		return -1;
	return buf_puts(out, " .\n");
}

int
page_put_most(struct buf *out, int64_t time, uint64_t most)
{
	return buf_printf(out, "%" PRId64 " size %" PRIu64 " .\n", time, most);
}

int
page_put(struct buf *out, const struct page *p, int64_t now)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (page_put_count(out, p->sent[i].time, "sent", p->sent[i].n,
			p->by[i]) == -1)
			return -1;
	}
	if (p->most > 0 && page_put_most(out, now, p->most) == -1)
		return -1;
	return p->paused ? page_put_pause(out, p) : 0;
}

/* --- pauses ------------------------------------------------------------ */

/* Not when, by the clock, it has not even begun: that was set back. */
bool
page_paused(const struct page *p, int64_t now, uint64_t stamp)
{
	return p->paused && now < p->until && now >= p->since - SKEW &&
	       (!p->login || p->stamp == stamp);
}
