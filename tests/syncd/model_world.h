/*
 * What the model knows: folders, messages, and what was done to each since both
 * sides were the same.
 */
#ifndef TESTS_SYNCD_MODEL_WORLD_H
#define TESTS_SYNCD_MODEL_WORLD_H

#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/prng.h"
#include "base/buf.h"
#include "base/mem.h"

/* The two sides. */
enum side { HERE, THERE, SIDES };

/* Flags: a bit each, by the order of these letters. */
static const char letters[] = "SRFTDP";
#define MARK 8u    /* T, \Deleted */
#define PASSED 32u /* P, $Forwarded: only where the server takes keywords */

static const struct {
	const char *name; /* "/" between levels */
	const char *wire; /* the same in modified UTF-7 */
} names[] = {
    {"INBOX", "INBOX"},
    {"A", "A"},
    {"B b", "B b"},
    {"A/Sub", "A/Sub"},
    {"\303\234n\303\257", "&ANw-n&AO8-"},
    {"C", "C"},
    {"C/x", "C/x"},
    {"Z", "Z"},
};
#define FOLDERS (sizeof(names) / sizeof(names[0]))
#define BIT(folder) (1u << (folder))

enum certain { NO, MAYBE, YES };

struct message {
	char *text; /* owned; with LF */
	size_t n;
	bool dead; /* known to be gone on both sides */

	/* what both sides had last, or as what it was made since */
	size_t home;
	unsigned int flags;

	/* since then */
	bool born;
	enum side side; /* where it was made */
	bool twin;      /* on both sides: a mark of one is not believed */
	bool moved[SIDES];
	size_t to[SIDES];
	enum certain gone[SIDES];
	unsigned int touched[SIDES], last[SIDES];
	unsigned int undone; /* changed more than once by the same side */
	unsigned int late;   /* changed there while syncd moved it */
	bool renamed;        /* a reader gave it a new name when it moved it */
	bool remade; /* its folder was made again: marked, it was not copied */
	bool raced;  /* moved while syncd was at work: STORE does not say that
	               * it came too late */
	bool frozen; /* nothing more is done to it */
	struct buf log;
};

struct world {
	struct message *v; /* owned; index: the message's number */
	size_t n;
	bool folder[FOLDERS]; /* what is to be there */
	bool remove;          /* folders go when their twins went */
	unsigned int usable;  /* flags that the server takes */
	bool uidplus, move, mailboxid;
	bool busy;    /* what is done may meet a run of syncd */
	bool partly;  /* runs see one folder each, until the last ones */
	bool running; /* one is under way */
	bool killed;  /* one was killed since both sides were the same */
	unsigned int changes, kills, runs, doubles;
	bool loud;
};

static struct world world;

static void note(size_t id, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One thing that was done to a message, for the report. */
static void
note(size_t id, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&world.v[id].log, "    %s%s\n",
	    world.running ? "(running) " : "", text);
	if (world.loud)
		fprintf(stderr, "m%zu: %s\n", id, text);
	world.changes++;
}

static const char *
show_flags(unsigned int flags, char out[8])
{
	size_t i, n = 0;

	for (i = 0; letters[i] != '\0'; i++)
		if ((flags & BIT(i)) != 0)
			out[n++] = letters[i];
	if (n == 0)
		out[n++] = '-';
	out[n] = '\0';
	return out;
}

/* A new message, on that side; its number. */
static size_t
make_message(enum side side, size_t folder, unsigned int flags)
{
	static const char some[] = "abc def\tgh=.,\303\244\n\n>";
	size_t id = world.n++, i;
	size_t body = prng(40) == 0 ? 60000 : prng(1500);
	struct message *m;
	struct buf text;

	world.v = mem_resize(world.v, world.n, sizeof(*world.v));
	m = &world.v[id];
	*m = (struct message){
	    .home = folder, .flags = flags, .born = true, .side = side};
	buf_init(&m->log, 1 << 20);
	buf_init(&text, 1 << 20);
	buf_printf(&text, "Subject: m%zu\nFrom: a@example.org\n", id);
	if (prng(12) != 0)
		buf_printf(&text, "Message-ID: <m%zu.%x@example.org>\n", id,
		    (unsigned int)prng(UINT32_MAX));
	else
		buf_printf(
		    &text, "X-None: %x\n", (unsigned int)prng(UINT32_MAX));
	buf_puts(&text, "\n");
	for (i = 0; i < body; i++)
		buf_putc(&text, some[prng(sizeof(some) - 1)]);
	buf_puts(&text, "end\n");
	m->text = mem_strdup(buf_cstr(&text));
	m->n = text.len;
	buf_clear(&text);
	return id;
}

/* The number of a message from the begin of its text; SIZE_MAX: none of ours. */
static size_t
message_of(const char *text, size_t n)
{
	static const char begin[] = "Subject: m";
	size_t i = sizeof(begin) - 1, id = 0;

	if (n < i + 1 || strncasecmp(text, begin, i) != 0)
		return SIZE_MAX;
	for (; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		id = id * 10 + (size_t)(text[i] - '0');
	return id < world.n ? id : SIZE_MAX;
}

/* Whether more may be done to it. */
static bool
is_free(size_t id)
{
	return id != SIZE_MAX && !world.v[id].frozen && !world.v[id].dead;
}

/* One that is seen in one of two folders is a copy, for the other side too. */
static bool
may_move(enum side s, size_t id)
{
	return !world.partly || !world.v[id].moved[!s];
}

/* --- what was done ----------------------------------------------------------- */

static void
did_flag(enum side s, size_t id, unsigned int bit, bool set)
{
	struct message *m = &world.v[id];

	m->undone |= m->touched[s] & bit;
	if (s == THERE && world.running && !world.move && m->moved[HERE])
		m->late |= bit;
	m->touched[s] |= bit;
	m->last[s] = set ? m->last[s] | bit : m->last[s] & ~bit;
}

static void
did_move(enum side s, size_t id, size_t to)
{
	struct message *m = &world.v[id];

	m->moved[s] = true;
	m->raced = m->raced || (s == THERE && world.running);
	m->to[s] = to;
	if (m->moved[!s] || m->gone[!s] != NO)
		m->frozen = true;
}

static void
did_delete(enum side s, size_t id, enum certain how)
{
	struct message *m = &world.v[id];

	/* Of two that nobody knows to be the same, one is left. */
	if (m->twin)
		how = MAYBE;
	if (how > m->gone[s])
		m->gone[s] = how;
	m->frozen = true;
}

#endif
