/*
 * What sendq knows of a message, as text: the first part of ID.env, written
 * and read back. The history behind it is history.c's.
 */

#include "envelope.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/enc.h"
#include "base/mem.h"
#include "proto/smtp.h"

#define VERSION_TEXT "sendq 1"
#define VERSION_WORD "sendq "

enum type { TIME, SIZE, TEXT, FLAG, NOTIFY, RET };

/* In the order in which they are written; the recipients follow. */
static const struct field {
	const char *word;
	enum type type;
	size_t at; /* in struct envelope */
	bool needed;
} fields[] = {
    {"created", TIME, offsetof(struct envelope, created), true},
    {"due", TIME, offsetof(struct envelope, due), false},
    {"account", TEXT, offsetof(struct envelope, account), true},
    {"server", TEXT, offsetof(struct envelope, server), false},
    {"sender", TEXT, offsetof(struct envelope, sender), true},
    {"size", SIZE, offsetof(struct envelope, size), true},
    {"8bit", FLAG, offsetof(struct envelope, eight_bit), false},
    {"utf8", FLAG, offsetof(struct envelope, utf8), false},
    {"signed", FLAG, offsetof(struct envelope, is_signed), false},
    {"report", FLAG, offsetof(struct envelope, report), false},
    {"require-tls", FLAG, offsetof(struct envelope, require_tls), false},
    {"notify", NOTIFY, offsetof(struct envelope, notify), false},
    {"ret", RET, offsetof(struct envelope, ret), false},
    {"envid", TEXT, offsetof(struct envelope, envid), false},
    {"hold-until", TIME, offsetof(struct envelope, hold_until), false},
    {"message-id", TEXT, offsetof(struct envelope, message_id), false},
    {"subject", TEXT, offsetof(struct envelope, subject), false},
    {"bcc", TEXT, offsetof(struct envelope, bcc), false},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct {
	unsigned int bit;
	const char *word;
} notify_words[] = {
    {SMTP_NOTIFY_SUCCESS, "success"},
    {SMTP_NOTIFY_FAILURE, "failure"},
    {SMTP_NOTIFY_DELAY, "delay"},
    {SMTP_NOTIFY_NEVER, "never"},
};
#define NOTIFY_WORDS (sizeof(notify_words) / sizeof(notify_words[0]))

void
envelope_init(struct envelope *env)
{
	*env = (struct envelope){0};
}

void
envelope_clear(struct envelope *env)
{
	size_t i;

	for (i = 0; i < FIELDS; i++) {
		if (fields[i].type == TEXT)
			free(*(char **)(void *)((char *)env + fields[i].at));
	}
	for (i = 0; i < env->n_rcpts; i++) {
		free(env->rcpts[i].address);
		free(env->rcpts[i].original);
		free(env->rcpts[i].reply);
	}
	free(env->rcpts);
	free(env->copying);
	free(env->reporting);
	envelope_init(env);
}

struct rcpt *
envelope_add_rcpt(
    struct envelope *env, const char *address, const char *original)
{
	size_t n = env->n_rcpts;
	struct rcpt *r;

	env->rcpts = mem_more(env->rcpts, n, sizeof(*env->rcpts));
	r = &env->rcpts[env->n_rcpts++];
	*r = (struct rcpt){.address = mem_strdup(address)};
	if (original != NULL)
		r->original = mem_strdup(original);
	return r;
}

/* --- writing ----------------------------------------------------------- */

/* "word value", or "word" alone. */
static int
put_line(struct buf *out, const char *word, const char *value)
{
	if (buf_puts(out, word) == -1)
		return -1;
	if (value != NULL && (buf_putc(out, ' ') == -1 ||
				 envelope_encode(out, span_of(value)) == -1))
		return -1;
	return buf_putc(out, '\n');
}

static int
put_number(struct buf *out, const char *word, uint64_t n)
{
	return buf_printf(out, "%s %llu\n", word, (unsigned long long)n);
}

static int
put_notify(struct buf *out, const char *word, unsigned int notify)
{
	size_t i, n = 0;

	if (buf_puts(out, word) == -1)
		return -1;
	for (i = 0; i < NOTIFY_WORDS; i++) {
		if ((notify & notify_words[i].bit) != 0 &&
		    buf_printf(out, "%c%s", n++ == 0 ? ' ' : ',',
			notify_words[i].word) == -1)
			return -1;
	}
	return buf_putc(out, '\n');
}

static int
put_time(struct buf *out, const struct field *f, int64_t t)
{
	if (t <= 0 && !f->needed)
		return 0;
	return put_number(out, f->word, t > 0 ? (uint64_t)t : 0);
}

static int
put_text(struct buf *out, const struct field *f, const char *text)
{
	if (text == NULL && !f->needed)
		return 0;
	return put_line(out, f->word, text != NULL ? text : "");
}

static int
put_field(struct buf *out, const struct field *f, const struct envelope *env)
{
	const void *p = (const char *)env + f->at;
	unsigned int bits;
	int ret;

	switch (f->type) {
	case TIME:
		return put_time(out, f, *(const int64_t *)p);
	case SIZE:
		return put_number(out, f->word, *(const uint64_t *)p);
	case TEXT:
		return put_text(out, f, *(char *const *)p);
	case FLAG:
		return *(const bool *)p ? put_line(out, f->word, NULL) : 0;
	case NOTIFY:
		bits = *(const unsigned int *)p;
		return bits != 0 ? put_notify(out, f->word, bits) : 0;
	case RET:
		ret = *(const int *)p;
		if (ret == SMTP_RET_NONE)
			return 0;
		return put_line(
		    out, f->word, ret == SMTP_RET_FULL ? "full" : "hdrs");
	}
	return -1;
}

static int
put_all(struct buf *out, const struct envelope *env)
{
	const struct rcpt *r;
	size_t i;

	if (buf_puts(out, VERSION_TEXT "\n") == -1)
		return -1;
	for (i = 0; i < FIELDS; i++) {
		if (put_field(out, &fields[i], env) == -1)
			return -1;
	}
	for (i = 0; i < env->n_rcpts; i++) {
		r = &env->rcpts[i];
		if (put_line(out, "rcpt", r->address) == -1 ||
		    (r->original != NULL &&
			put_line(out, "original", r->original) == -1))
			return -1;
	}
	return put_line(out, "end", NULL);
}

int
envelope_format(const struct envelope *env, struct buf *out)
{
	size_t before = out->len;

	if (put_all(out, env) == 0)
		return 0;
	out->len = before;
	return -1;
}

/* --- reading ----------------------------------------------------------- */

struct reader {
	struct envelope *env;
	struct span rest;
	unsigned int line;
	uint32_t seen; /* a bit for each field */
	struct buf scratch;
};

static int
damaged(const struct reader *rd, const char *what, struct err *e)
{
	return err_code(e, ERR_LOCAL, EX_DATAERR,
	    "line %u of the envelope: %s; it is damaged", rd->line, what);
}

static bool
next_line(struct reader *rd, struct span *line_r)
{
	ptrdiff_t lf = span_find(rd->rest, '\n');

	if (lf == -1)
		return false;
	*line_r = span_bytes(rd->rest.p, (size_t)lf);
	rd->rest = span_skip(rd->rest, (size_t)lf + 1);
	rd->line++;
	return true;
}

static bool
get_time(struct span value, int64_t *t_r)
{
	uint64_t n;

	if (!span_number(value, INT64_MAX, &n))
		return false;
	*t_r = (int64_t)n;
	return true;
}

static bool
get_text(struct reader *rd, struct span value, char **text_r)
{
	buf_reset(&rd->scratch);
	if (span_find(value, '\0') != -1 ||
	    dec_percent(&rd->scratch, value) == -1)
		return false;
	*text_r = span_dup(buf_span(&rd->scratch));
	return true;
}

static bool
get_notify(struct span value, unsigned int *bits_r)
{
	struct span word;
	size_t i;

	if (value.n == 0)
		return false;
	while (span_cut(&value, ',', &word)) {
		for (i = 0; i < NOTIFY_WORDS; i++) {
			if (span_eq(word, notify_words[i].word))
				break;
		}
		if (i == NOTIFY_WORDS)
			return false;
		*bits_r |= notify_words[i].bit;
	}
	return true;
}

static bool
get_ret(struct span value, int *ret_r)
{
	if (span_eq(value, "full"))
		*ret_r = SMTP_RET_FULL;
	else if (span_eq(value, "hdrs"))
		*ret_r = SMTP_RET_HDRS;
	else
		return false;
	return true;
}

static bool
get_field(struct reader *rd, const struct field *f, struct span value)
{
	void *p = (char *)rd->env + f->at;

	switch (f->type) {
	case TIME:
		return get_time(value, p);
	case SIZE:
		return span_number(value, UINT64_MAX, p);
	case TEXT:
		return get_text(rd, value, p);
	case FLAG:
		*(bool *)p = true;
		return value.n == 0;
	case NOTIFY:
		return get_notify(value, p);
	case RET:
		return get_ret(value, p);
	}
	return false;
}

static bool
get_rcpt(struct reader *rd, struct span value)
{
	char *address;

	if (!get_text(rd, value, &address))
		return false;
	envelope_add_rcpt(rd->env, address, NULL);
	free(address);
	return true;
}

static bool
get_original(struct reader *rd, struct span value)
{
	size_t n = rd->env->n_rcpts;

	return n > 0 && rd->env->rcpts[n - 1].original == NULL &&
	       get_text(rd, value, &rd->env->rcpts[n - 1].original);
}

static int
take_line(struct reader *rd, struct span line, struct err *e)
{
	ptrdiff_t blank = span_find(line, ' ');
	struct span word = line, value = span_skip(line, line.n);
	bool good = false;
	size_t i;

	if (blank != -1) {
		word = span_bytes(line.p, (size_t)blank);
		value = span_skip(line, (size_t)blank + 1);
	}
	if (span_eq(word, "rcpt"))
		good = get_rcpt(rd, value);
	else if (span_eq(word, "original"))
		good = get_original(rd, value);
	for (i = 0; i < FIELDS && !good; i++) {
		if (!span_eq(word, fields[i].word))
			continue;
		if ((rd->seen & UINT32_C(1) << i) != 0)
			return damaged(rd, "said twice", e);
		rd->seen |= UINT32_C(1) << i;
		good = get_field(rd, &fields[i], value);
	}
	return good ? 0 : damaged(rd, "makes no sense", e);
}

static int
take_version(struct reader *rd, struct err *e)
{
	struct span line;
	uint64_t n;

	if (!next_line(rd, &line) || !span_prefix(line, VERSION_WORD) ||
	    !span_number(span_skip(line, strlen(VERSION_WORD)), UINT64_MAX, &n))
		return damaged(rd, "this is no envelope of sendq", e);
	if (!span_eq(line, VERSION_TEXT))
		return err_code(e, ERR_LOCAL, EX_DATAERR,
		    "the envelope has format %llu, and this sendq knows only "
		    "format 1: use the newer sendq that wrote it",
		    (unsigned long long)n);
	return 0;
}

static int
take_fields(struct reader *rd, struct err *e)
{
	struct span line = {NULL, 0};
	size_t i;

	while (next_line(rd, &line) && !span_eq(line, "end")) {
		if (take_line(rd, line, e) == -1)
			return -1;
	}
	if (!span_eq(line, "end"))
		return damaged(rd, "the rest is missing", e);
	for (i = 0; i < FIELDS; i++) {
		if (fields[i].needed && (rd->seen & UINT32_C(1) << i) == 0)
			return err_code(e, ERR_LOCAL, EX_DATAERR,
			    "the envelope lacks \"%s\"; it is damaged",
			    fields[i].word);
	}
	if (rd->env->n_rcpts == 0)
		return damaged(rd, "no recipient", e);
	return 0;
}

int
envelope_parse(struct span text, struct envelope *env, struct err *e)
{
	struct reader rd = {.env = env, .rest = text};
	int rc;

	envelope_init(env);
	buf_init(&rd.scratch, text.n);
	rc = take_version(&rd, e);
	if (rc == 0)
		rc = take_fields(&rd, e);
	buf_clear(&rd.scratch);
	if (rc == -1) {
		envelope_clear(env);
		return -1;
	}
	env->history = text.n - rd.rest.n;
	env->last = env->created;
	envelope_replay(env, rd.rest);
	return 0;
}
