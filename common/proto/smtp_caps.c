/*
 * What an SMTP server offers, as read from its reply to EHLO.  Servers spell
 * this in many ways, and what is misspelt should cost speed at most, never the
 * mail.
 */

#include "proto/smtp_caps.h"

static const char *const names[SMTP_EXTS] = {
    [SMTP_EXT_PIPELINING] = "PIPELINING",
    [SMTP_EXT_CHUNKING] = "CHUNKING",
    [SMTP_EXT_8BITMIME] = "8BITMIME",
    [SMTP_EXT_SMTPUTF8] = "SMTPUTF8",
    [SMTP_EXT_SIZE] = "SIZE",
    [SMTP_EXT_DSN] = "DSN",
    [SMTP_EXT_ENHANCED] = "ENHANCEDSTATUSCODES",
    [SMTP_EXT_STARTTLS] = "STARTTLS",
    [SMTP_EXT_AUTH] = "AUTH",
    [SMTP_EXT_REQUIRETLS] = "REQUIRETLS",
    [SMTP_EXT_LIMITS] = "LIMITS",
    [SMTP_EXT_FUTURE] = "FUTURERELEASE",
};

const char *
smtp_ext_name(enum smtp_ext x)
{
	return names[x];
}

bool
smtp_ext_by_name(struct span name, enum smtp_ext *ext_r)
{
	unsigned int x;

	for (x = 0; x < SMTP_EXTS; x++) {
		if (span_caseeq(name, names[x])) {
			*ext_r = (enum smtp_ext)x;
			return true;
		}
	}
	return false;
}

bool
smtp_has(const struct smtp_caps *c, enum smtp_ext x)
{
	return (c->ext & SMTP_EXT_BIT(x)) != 0;
}

/* Of what was told before and is told now, the lower; 0 tells nothing. */
static uint64_t
lower(uint64_t old, struct span number, uint64_t max)
{
	uint64_t n;

	if (!span_number(number, max, &n) || n == 0)
		return old;
	return old == 0 || n < old ? n : old;
}

static void
limits(struct smtp_caps *c, struct span rest)
{
	struct span word, name;
	uint32_t *limit;

	while (span_word(&rest, &word)) {
		if (!span_cut(&word, '=', &name))
			continue;
		if (span_caseeq(name, "MAILMAX"))
			limit = &c->mail_max;
		else if (span_caseeq(name, "RCPTMAX"))
			limit = &c->rcpt_max;
		else if (span_caseeq(name, "RCPTDOMAINMAX"))
			limit = &c->rcpt_domain_max;
		else
			continue;
		*limit = (uint32_t)lower(*limit, word, UINT32_MAX);
	}
}

/* What stands behind the keyword. */
static void
parameters(struct smtp_caps *c, enum smtp_ext x, struct span rest)
{
	struct span word;
	enum sasl_mech m;

	if (x == SMTP_EXT_LIMITS)
		limits(c, rest);
	while (x == SMTP_EXT_AUTH && span_word(&rest, &word)) {
		if ((m = sasl_by_name(word)) != SASL_N)
			c->mechs |= SASL_BIT(m);
	}
	if (x == SMTP_EXT_SIZE && span_word(&rest, &word))
		c->size = lower(c->size, word, UINT64_MAX);
	if (x == SMTP_EXT_FUTURE && span_word(&rest, &word))
		c->hold = lower(c->hold, word, UINT64_MAX);
}

/* Cuts the keyword off, and the blank or '=' behind it: "AUTH=LOGIN". */
static struct span
keyword(struct span *line)
{
	struct span name = *line;
	size_t n = 0;

	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t' &&
	       line->p[n] != '=')
		n++;
	name.n = n;
	*line = span_trim(span_skip(*line, n + 1));
	return name;
}

void
smtp_caps_line(struct smtp_caps *c, struct span line, unsigned int disabled)
{
	struct span rest = span_trim(line), name = keyword(&rest);
	enum smtp_ext x;

	if (span_eq(name, "8") && span_caseeq(rest, "BITMIME"))
		name = span_of(names[SMTP_EXT_8BITMIME]); /* Yahoo */
	if (!smtp_ext_by_name(name, &x) || (disabled & SMTP_EXT_BIT(x)) != 0)
		return;
	c->ext |= SMTP_EXT_BIT(x);
	parameters(c, x, rest);
}
