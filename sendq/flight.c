/*
 * The transactions of a batch: who travels with whom.
 */

#include "flight.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "os/clock.h"

#define RCPTS_MAX 100 /* every server must take that many: RFC 5321 4.5.3.1.8 */

struct message *
flight_message(const struct flight *f, const struct txn *t)
{
	return f->parcels[t->parcel].message;
}

static const struct rcpt *
rcpt_of(const struct flight *f, const struct txn *t, size_t i)
{
	return &flight_message(f, t)->env.rcpts[t->rcpts[i] - 1];
}

/* --- transactions ---------------------------------------------------------- */

static struct txn *
add_txn(struct flight *f, size_t parcel)
{
	if (f->n == f->cap) {
		f->cap = f->cap == 0 ? 16 : f->cap * 2;
		f->txns = mem_resize(f->txns, f->cap, sizeof(*f->txns));
	}
	f->txns[f->n] = (struct txn){.parcel = parcel};
	return &f->txns[f->n++];
}

static void
add_rcpt(struct txn *t, uint32_t number)
{
	t->rcpts = mem_more(t->rcpts, t->n, sizeof(*t->rcpts));
	t->seats = mem_more(t->seats, t->n, sizeof(*t->seats));
	t->rcpts[t->n] = number;
	t->seats[t->n++] = SEAT_ASKED;
}

static const char *
domain_of(const char *address)
{
	const char *at = address + strlen(address);

	while (at > address && at[-1] != '@')
		at--;
	return at;
}

/* How many domains there would be among t's recipients with this one. */
static size_t
domains_with(const struct flight *f, const struct txn *t, const char *address)
{
	const char *own = domain_of(address), *domain;
	size_t i, k, n = 1;

	for (i = 0; i < t->n; i++) {
		domain = domain_of(rcpt_of(f, t, i)->address);
		if (strcasecmp(domain, own) == 0)
			continue;
		for (k = 0; k < i; k++)
			if (strcasecmp(domain,
				domain_of(rcpt_of(f, t, k)->address)) == 0)
				break;
		n += k == i;
	}
	return n;
}

static bool
is_full(const struct flight *f, const struct txn *t, const char *address)
{
	const struct smtp_caps *c = &f->s->smtp.caps;
	size_t most = c->rcpt_max > 0 ? c->rcpt_max : RCPTS_MAX;

	return t->n >= most ||
	       (c->rcpt_domain_max > 0 &&
		   domains_with(f, t, address) > c->rcpt_domain_max);
}

/* As many transactions as the server's limits ask for. */
static void
plan(struct flight *f, size_t parcel, const struct uidset *rcpts)
{
	const struct envelope *env = &f->parcels[parcel].message->env;
	struct txn *t = NULL;
	uint64_t it = 0;
	uint32_t number;

	while (uidset_next(rcpts, &it, &number)) {
		if (t == NULL || is_full(f, t, env->rcpts[number - 1].address))
			t = add_txn(f, parcel);
		add_rcpt(t, number);
	}
}

void
flight_again(struct flight *f, struct txn *t)
{
	struct uidset next;
	size_t parcel = t->parcel;

	uidset_init(&next);
	flight_seats(t, SEAT_BIT(SEAT_NEXT), &next);
	flight_unsent(f, t, &next);
	plan(f, parcel, &next);
	uidset_clear(&next);
}

/* The last of its message? Then one more is done. */
void
flight_count(struct flight *f, size_t parcel)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->txns[i].parcel == parcel && !f->txns[i].over)
			return;
	f->s->progress.messages++;
}

void
flight_init(struct flight *f, struct submit *s, struct parcel *p, size_t n)
{
	size_t i;

	*f = (struct flight){.s = s,
	    .parcels = p,
	    .n_parcels = n,
	    .cargos = mem_array(n, sizeof(*f->cargos)),
	    .loaded = mem_array(n, sizeof(*f->loaded)),
	    .since = clock_ms()};
	for (i = 0; i < n; i++)
		plan(f, i, &p[i].rcpts);
}

void
flight_clear(struct flight *f)
{
	size_t i;

	for (i = 0; i < f->n_parcels; i++)
		if (f->loaded[i])
			cargo_close(&f->cargos[i]);
	for (i = 0; i < f->n; i++) {
		free(f->txns[i].rcpts);
		free(f->txns[i].seats);
	}
	free(f->txns);
	free(f->cargos);
	free(f->loaded);
}

void
flight_seats(const struct txn *t, unsigned int seats, struct uidset *set)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (seats & SEAT_BIT(t->seats[i]))
			uidset_add(set, t->rcpts[i], t->rcpts[i]);
}
