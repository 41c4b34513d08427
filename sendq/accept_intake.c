/*
 * What a message is, and whose: read from whoever brings it, given an account,
 * a header that is legal, and an envelope.
 */

#include "accept_intake.h"

#include <stdlib.h>

#include "accept_rcpts.h"
#include "base/address.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/idn.h"
#include "when.h"

void
intake_init(struct intake *t, const struct face *face, const struct send *sends,
    size_t n_sends)
{
	*t = (struct intake){.face = face,
	    .sends = sends,
	    .n_sends = n_sends,
	    .now = clock_wall_us() / 1000000};
	input_init(&t->input, !face->no_dot);
	envelope_init(&t->env);
}

void
intake_clear(struct intake *t)
{
	input_clear(&t->input);
	free(t->from);
	free(t->sender);
	free(t->author);
	free(t->author_name);
	letter_clear(&t->letter);
	envelope_clear(&t->env);
}

static bool
has_domain(const char *address)
{
	return address != NULL && address_domain(span_of(address)).n > 0;
}

/* --- whose it is ------------------------------------------------------ */

/* -f, in normal form. */
static int
read_sender(struct intake *t, struct err *e)
{
	const char *given = t->face->sender;
	struct address_walk room;
	struct address a;

	if (given == NULL)
		return 0;
	if (*given == '\0') {
		t->sender = mem_strdup("");
		return 0;
	}
	if (address_one(span_of(given), &room, &a, e) == -1 ||
	    (a.text.n > 0 && address_check(a.text, e) == -1))
		return err_prefix(e, "-f");
	t->sender = span_dup(a.text);
	return 0;
}

/* An address and the name by it, as a configuration has them. */
static void
set_author(struct intake *t, const char *text)
{
	struct address_walk room;
	struct address a;
	struct buf name;
	struct err e;

	if (text == NULL || address_one(span_of(text), &room, &a, &e) == -1)
		return;
	t->author = span_dup(a.text);
	buf_init(&name, 1024);
	if (address_name(&name, a.name) == 0 && buf_span(&name).n > 0)
		t->author_name = mem_strdup(buf_cstr(&name));
	buf_clear(&name);
}

/* Who a letter is from that does not say so. */
static int
find_author(struct intake *t, struct err *e)
{
	const struct send *send = t->send;
	const char *const candidates[] = {send->address, t->sender, t->from};
	size_t i;

	set_author(t, send->from_header != NULL ? send->from_header
						: send->account.address);
	for (i = 0; i < 3 && !has_domain(t->author); i++) {
		if (!has_domain(candidates[i]))
			continue;
		free(t->author);
		t->author = mem_strdup(candidates[i]);
	}
	if (t->face->full_name != NULL) {
		free(t->author_name);
		t->author_name = mem_strdup(t->face->full_name);
	}
	if (has_domain(t->author))
		return 0;
	return err_set(e, ERR_CONFIG,
	    "no address to send from: add 'address YOU@DOMAIN' to the account, "
	    "or give -f YOU@DOMAIN");
}

/*
 * The envelope's sender: the one who was named, but a name without a domain
 * is one of this machine, which the account's address stands for. Else From,
 * if the account is for that address.
 */
static const char *
envelope_sender(const struct intake *t)
{
	const struct send *send = t->send;
	const char *own = send->address != NULL ? send->address : t->author;

	if (t->sender != NULL)
		return *t->sender == '\0' || has_domain(t->sender) ? t->sender
		                                                   : own;
	if (has_domain(t->from) &&
	    (send->address == NULL || options_match(send, t->from)))
		return t->from;
	return own;
}

/* --- letter and envelope ---------------------------------------------- */

/* For what is made here: one that needs no SMTPUTF8. */
static char *
own_domain(const struct intake *t)
{
	const char *own =
	    t->send->address != NULL ? t->send->address : t->author;
	char *ascii, *domain;
	struct err e;

	if (idn_address(own, &ascii, &e) == -1)
		ascii = mem_strdup(own);
	domain = span_dup(address_domain(span_of(ascii)));
	free(ascii);
	return domain;
}

static int
make_letter(struct intake *t, struct err *e)
{
	char *unique = mem_printf("%llx.%08x%08x",
	    (unsigned long long)clock_wall_us(), arc4random(), arc4random());
	char *domain = own_domain(t);
	const struct letter_options options = {
	    .recipients = &t->face->args,
	    .read_recipients = t->face->from_header,
	    .now = t->now,
	    .zone = when_zone(t->now),
	    .unique = unique,
	    .id_domain = t->send->message_id_domain != NULL
	                     ? t->send->message_id_domain
	                     : domain,
	    .domain = domain,
	    .from = t->author,
	    .from_name = t->author_name,
	};
	int rv = letter_header(&t->input.scan, &options, &t->letter, e);

	free(unique);
	free(domain);
	return rv;
}

static int64_t
seconds_up(int64_t ms)
{
	return (ms + 999) / 1000;
}

/* When it may go: what was asked for, but no sooner than it can be undone. */
static int
set_times(struct intake *t, struct err *e)
{
	struct envelope *env = &t->env;
	int64_t later = 0;

	if (t->face->at != NULL &&
	    when_parse(t->face->at, t->now, &later, e) == -1)
		return -1;
	if (t->face->delay > 0)
		later = t->now + seconds_up(t->face->delay);
	env->created = t->now;
	if (t->send->future_release) {
		env->hold_until = later;
		return 0;
	}
	if (t->send->undo > 0)
		env->due = t->now + seconds_up(t->send->undo);
	if (later > env->due)
		env->due = later;
	return 0;
}

static char *
copy(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

/* Whether an address in it has a local part that only SMTPUTF8 can carry;
 * domains can do without. */
static bool
wants_utf8(const struct envelope *env)
{
	size_t i;
	const char *p;

	for (i = 0; i <= env->n_rcpts; i++) {
		p = i < env->n_rcpts ? env->rcpts[i].address : env->sender;
		for (; *p != '\0' && *p != '@'; p++)
			if ((unsigned char)*p > 127)
				return true;
	}
	return false;
}

static int
make_envelope(struct intake *t, struct err *e)
{
	struct envelope *env = &t->env;
	const struct face *f = t->face;
	const struct letter *l = &t->letter;

	if (set_times(t, e) == -1 ||
	    rcpts_add(t->send, &l->recipients, env, e) == -1)
		return -1;
	env->account = mem_strdup(t->send->name);
	env->server = copy(t->send->server);
	env->sender = mem_strdup(envelope_sender(t));
	env->utf8 = l->utf8 || wants_utf8(env);
	env->is_signed = l->sealed != NULL;
	env->require_tls = t->send->require_tls;
	env->notify = f->notify != 0 ? f->notify : t->send->notify;
	env->ret = (int)f->ret;
	env->envid = copy(f->envid);
	env->message_id = copy(l->message_id);
	env->subject = copy(l->subject);
	env->bcc = copy(l->bcc);
	return 0;
}

int
intake_read(struct intake *t, int fd, const char *dir, struct err *e)
{
	if (read_sender(t, e) == -1 || input_read(&t->input, fd, dir, e) == -1)
		return -1;
	t->from = letter_from(&t->input.scan);
	t->send = options_choose(t->sends, t->n_sends, t->sender, t->from, e);
	if (t->send == NULL || find_author(t, e) == -1)
		return -1;
	return make_letter(t, e) == -1 ? -1 : make_envelope(t, e);
}
