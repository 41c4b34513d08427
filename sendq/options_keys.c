/*
 * The keywords of a `send` section, and what they say when they do not stand
 * there.
 */

#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "base/suggest.h"
#include "options.h"
#include "proto/smtp.h"

#define EXPIRE_DEFAULT (5 * 24 * 3600 * INT64_C(1000))
#define WARN_DEFAULT (4 * 3600 * INT64_C(1000))

/* "500/day" */
static int
parse_one_limit(const char *word, struct send *send, struct err *e)
{
	static const char *const units[] = {"minute", "hour", "day", NULL};
	static const int64_t seconds[] = {60, 3600, 86400};
	ptrdiff_t slash = span_find(span_of(word), '/');
	struct span number = {word, slash > 0 ? (size_t)slash : 0};
	const char *unit = word + slash + 1;
	struct limit limit;
	size_t i, k;

	if (!span_number(number, UINT32_MAX, &limit.n) || limit.n == 0)
		return err_set(e, ERR_CONFIG,
		    "'%s' is no limit; write 500/day or 30/minute", word);
	for (i = 0; units[i] != NULL; i++)
		if (strcmp(unit, units[i]) == 0)
			break;
	if (units[i] == NULL)
		return suggest_none_of(unit, units, e);
	limit.seconds = seconds[i];
	for (k = 0; k < send->n_limits; k++)
		if (send->limits[k].seconds == limit.seconds)
			return err_set(e, ERR_CONFIG,
			    "'%s': the %s has a limit already", word, units[i]);
	send->limits[send->n_limits++] = limit;
	return 0;
}

static int
parse_limit(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct send *send = target;
	size_t i;

	(void)c;
	send->n_limits = 0;
	if (l->args.n == 0)
		return err_set(
		    e, ERR_CONFIG, "needs how many and in what: 500/day");
	for (i = 0; i < l->args.n; i++)
		if (parse_one_limit(l->args.v[i], send, e) == -1)
			return -1;
	return 0;
}

static int
parse_dsn(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	static const char *const names[] = {
	    "never", "success", "failure", "delay", NULL};
	static const unsigned int bits[] = {SMTP_NOTIFY_NEVER,
	    SMTP_NOTIFY_SUCCESS, SMTP_NOTIFY_FAILURE, SMTP_NOTIFY_DELAY};
	struct send *send = target;
	size_t i, k;

	(void)c;
	send->notify = 0;
	if (l->args.n == 0)
		return suggest_none_of(NULL, names, e);
	for (i = 0; i < l->args.n; i++) {
		for (k = 0; names[k] != NULL; k++)
			if (strcmp(l->args.v[i], names[k]) == 0)
				break;
		if (names[k] == NULL)
			return suggest_none_of(l->args.v[i], names, e);
		send->notify |= bits[k];
	}
	if ((send->notify & SMTP_NOTIFY_NEVER) != 0 &&
	    send->notify != SMTP_NOTIFY_NEVER)
		return err_set(e, ERR_CONFIG, "'never' stands alone");
	return 0;
}

static int
no_extension(const char *word, struct err *e)
{
	const char *names[SMTP_EXTS + 1] = {NULL};
	size_t i;

	for (i = 0; i < SMTP_EXTS; i++)
		names[i] = smtp_ext_name((enum smtp_ext)i);
	return suggest_none_of(word, names, e);
}

static int
parse_disable(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct send *send = target;
	enum smtp_ext ext;
	size_t i;

	(void)c;
	if (l->args.n == 0)
		return no_extension(NULL, e);
	for (i = 0; i < l->args.n; i++) {
		if (!smtp_ext_by_name(span_of(l->args.v[i]), &ext))
			return no_extension(l->args.v[i], e);
		send->disable |= SMTP_EXT_BIT(ext);
	}
	return 0;
}

static const char *const uncertain_names[] = {"retry", "hold", NULL};

const struct conf_key send_keys[] = {
    CONF_KEY("match", APPEND, struct send, match),
    CONF_KEY("default", BOOL, struct send, is_default),
    CONF_KEY("sent", PATH, struct send, sent),
    CONF_KEY("failed-to", PATH, struct send, failed_to),
    CONF_PARSED("limit", parse_limit),
    {.name = "session-messages",
	.type = CONF_NUMBER,
	.offset = offsetof(struct send, session_messages),
	.min = 1,
	.max = 100000},
    {.name = "connections",
	.type = CONF_NUMBER,
	.offset = offsetof(struct send, connections),
	.min = 1,
	.max = 20},
    CONF_KEY("undo", DURATION, struct send, undo),
    CONF_KEY("expire", DURATION, struct send, expire),
    CONF_KEY("warn", DURATION, struct send, warn),
    CONF_KEY("hello", STRING, struct send, hello),
    CONF_KEY("from-header", TEXT, struct send, from_header),
    CONF_KEY("message-id-domain", STRING, struct send, message_id_domain),
    CONF_KEY("aliases", PATH, struct send, aliases),
    CONF_PARSED("dsn", parse_dsn),
    CONF_KEY("require-tls", BOOL, struct send, require_tls),
    {.name = "disable",
	.type = CONF_CUSTOM,
	.repeat = true,
	.parse = parse_disable},
    CONF_ONE_OF("uncertain", struct send, uncertain, uncertain_names),
    CONF_KEY("queue-only", BOOL, struct send, queue_only),
    CONF_KEY("future-release", BOOL, struct send, future_release),
    {0},
};

void
send_init(struct send *send)
{
	*send = (struct send){.session_messages = 100,
	    .connections = 1,
	    .expire = EXPIRE_DEFAULT,
	    .warn = WARN_DEFAULT};
	account_init(&send->account);
	words_init(&send->match);
}

void
send_clear(struct send *send)
{
	account_clear(&send->account);
	words_clear(&send->match);
	free(send->name);
	free(send->server);
	free(send->address);
	free(send->sent);
	free(send->failed_to);
	free(send->hello);
	free(send->from_header);
	free(send->message_id_domain);
	free(send->aliases);
	send_init(send);
}
