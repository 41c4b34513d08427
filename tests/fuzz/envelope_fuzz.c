/*
 * The text of an .env. What can be read is written again and read the same;
 * a history that is cut off anywhere means what its whole lines mean, also
 * with another line behind it.
 */

#include <stdlib.h>
#include <string.h>

#include "../unit/envelope_dump.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)
#define CUTS_MAX 2048 /* octets of history that are cut everywhere */

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
same(const struct envelope *a, const struct envelope *b)
{
	struct buf x = envelope_dump(a), y = envelope_dump(b);
	bool equal = span_same(buf_span(&x), buf_span(&y));

	buf_clear(&x);
	buf_clear(&y);
	return equal;
}

static bool
same_line(const struct history *a, const struct history *b)
{
	return a->time == b->time && a->event == b->event && a->at == b->at &&
	       a->rcpts.n == b->rcpts.n &&
	       (a->rcpts.n == 0 ||
		   memcmp(a->rcpts.v, b->rcpts.v,
		       a->rcpts.n * sizeof(*a->rcpts.v)) == 0) &&
	       span_same(a->text, b->text);
}

/* No beginning of a line that we wrote is one. */
static void
check_beginnings(struct span line)
{
	struct buf scratch;
	struct history h;

	buf_init(&scratch, line.n);
	while (line.n > 0) {
		line.n--;
		MUST(history_parse(line, &scratch, &h) == 0);
	}
	buf_clear(&scratch);
}

/* Written, it is one line and says the same. */
static void
check_line(struct span line)
{
	struct buf scratch, scratch2, out;
	struct history h, back;
	struct span s;

	buf_init(&scratch, line.n);
	buf_init(&scratch2, 4 * line.n + 32);
	buf_init(&out, 4 * line.n + 32);
	if (history_parse(line, &scratch, &h) == 1 &&
	    span_find(h.text, '\0') == -1) {
		MUST(history_format(&h, &out) == 0);
		s = buf_span(&out);
		MUST(span_find(s, '\n') == (ptrdiff_t)s.n - 1);
		s.n--;
		MUST(history_parse(s, &scratch2, &back) == 1);
		MUST(same_line(&h, &back));
		history_clear(&back);
		check_beginnings(s);
	}
	history_clear(&h);
	buf_clear(&scratch);
	buf_clear(&scratch2);
	buf_clear(&out);
}

/* The first part alone. */
static void
check_again(const struct envelope *env)
{
	struct envelope back;
	struct buf out;
	struct err e;

	buf_init(&out, 4 * env->history + 64);
	MUST(envelope_format(env, &out) == 0);
	MUST(envelope_parse(buf_span(&out), &back, &e) == 0);
	MUST(back.history == out.len);
	back.history = env->history;
	MUST(same(&back, env));
	envelope_clear(&back);
	buf_clear(&out);
}

/* Cut to n octets, with a line of its own behind. */
static void
check_cut(struct span text, size_t n, size_t head)
{
	struct envelope torn, want;
	struct history hold = {.time = 1, .event = EVENT_HOLD};
	struct span left = span_bytes(text.p, n);
	struct buf b;
	struct err e;
	size_t k = n;

	while (k > head && text.p[k - 1] != '\n')
		k--;
	/* Unless what is left is a line in itself: that only a hostile pen
	 * writes (see check_line), and then it counts. */
	MUST(envelope_parse(left, &torn, &e) == 0);
	MUST(envelope_parse(span_bytes(text.p, k), &want, &e) == 0);
	envelope_replay(&want, span_skip(left, k));
	MUST(same(&torn, &want));
	envelope_clear(&torn);

	buf_init(&b, n + 64);
	MUST(buf_add(&b, left) == 0 && buf_puts(&b, "\n1 hold .\n") == 0);
	MUST(envelope_parse(buf_span(&b), &torn, &e) == 0);
	envelope_apply(&want, &hold);
	MUST(same(&torn, &want));
	envelope_clear(&torn);
	envelope_clear(&want);
	buf_clear(&b);
}

static void
check_what_follows(const struct envelope *env)
{
	struct uidset due, waiting;
	int64_t next = envelope_next(env);
	uint64_t it = 0;
	uint32_t n;

	uidset_init(&due);
	uidset_init(&waiting);
	envelope_rcpts(env, RCPT_WAITING, &waiting);
	envelope_due(env, INT64_MAX, &due);
	MUST(uidset_empty(&due) == (env->held || uidset_empty(&waiting)));
	MUST(!envelope_finished(env) || uidset_empty(&waiting));
	uidset_clear(&due);
	envelope_due(env, next, &due);
	if (next < INT64_MAX && next != env->last)
		MUST(!uidset_empty(&due));
	while (uidset_next(&due, &it, &n))
		MUST(n <= env->n_rcpts && uidset_has(&waiting, n));
	MUST(*envelope_state(env, 0) != '\0');
	uidset_clear(&due);
	uidset_clear(&waiting);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_bytes(data, size), history, line;
	struct envelope env, plain;
	struct err e;
	size_t n;

	history = text;
	while (span_cut(&history, '\n', &line))
		check_line(line);
	err_clear(&e);
	if (envelope_parse(text, &env, &e) == -1) {
		MUST(e.kind == ERR_LOCAL && *e.text != '\0');
		MUST(env.rcpts == NULL && env.n_rcpts == 0);
		return 0;
	}
	MUST(env.n_rcpts > 0 && env.history <= size);
	history = span_skip(text, env.history);
	check_what_follows(&env);
	MUST(envelope_parse(span_bytes(text.p, env.history), &plain, &e) == 0);
	check_again(&plain);
	envelope_replay(&plain, history);
	MUST(same(&plain, &env));
	for (n = env.history; n <= size && history.n < CUTS_MAX; n++)
		check_cut(text, n, env.history);
	envelope_clear(&plain);
	envelope_clear(&env);
	return 0;
}
