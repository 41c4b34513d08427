/*
 * What people do to messages: hold them, let them go, take them back, try
 * them now.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "list.h"
#include "os/clock.h"
#include "os/log.h"
#include "standing.h"

struct change {
	enum face_mode mode;
	struct words accounts; /* owned; of those to be tried */
};

static int
note(struct message *m, enum event event, struct err *e)
{
	/* Nothing to be done is nothing to be written. */
	if (m->env.held == (event == EVENT_HOLD))
		return 0;
	if (message_note(m, event, NULL, 0, NULL, e) == -1)
		return -1;
	return message_sync(m, e);
}

static void
add_account(struct words *accounts, const char *name)
{
	size_t i;

	for (i = 0; i < accounts->n; i++)
		if (strcmp(accounts->v[i], name) == 0)
			return;
	words_add(accounts, name);
}

static int
change(struct message *m, struct change *c, struct err *e)
{
	if (m->failed && (c->mode == FACE_HOLD || c->mode == FACE_RELEASE))
		return err_code(e, ERR_CONFIG, EX_USAGE,
		    "%s: it failed and will not be tried (--retry-now tries it "
		    "again)",
		    m->id);
	if (c->mode == FACE_HOLD)
		return note(m, EVENT_HOLD, e);
	if (c->mode == FACE_RELEASE)
		return note(m, EVENT_RELEASE, e);
	if (c->mode == FACE_REMOVE)
		return message_remove(m, e);
	add_account(&c->accounts, m->env.account);
	return message_requeue(m, clock_wall_us() / 1000000, e);
}

static int
change_one(struct message *m, void *arg)
{
	struct err e = {0};

	if (change(m, arg, &e) == 0)
		return 0;
	log_err(&e);
	return err_exit(&e);
}

/* Their accounts wait no longer. */
static int
resume(struct queue *q, const struct words *accounts)
{
	struct standing s;
	struct err e;
	size_t i;
	int code = 0;

	for (i = 0; i < accounts->n; i++) {
		standing_init(&s, q, accounts->v[i], NULL, 0);
		if (standing_resume(&s, &e) == -1) {
			log_err(&e);
			code = err_worse(code, err_exit(&e));
		}
		standing_clear(&s);
	}
	return code;
}

int
list_change(struct queue *q, enum face_mode mode, const struct words *ids)
{
	struct change c = {.mode = mode};
	int code;

	words_init(&c.accounts);
	code = list_each(q, ids,
	    mode == FACE_REMOVE ? LIST_FAILED_TOO : LIST_WAITING, QUEUE_TAKE,
	    change_one, &c);
	code = err_worse(code, resume(q, &c.accounts));
	words_clear(&c.accounts);
	return code;
}
