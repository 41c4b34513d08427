/*
 * The life of an account's worker, and its sessions.
 */

#include "worker.h"

#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "batch.h"
#include "client/server.h"
#include "os/log.h"
#include "os/sandbox.h"
#include "os/stop.h"

static int
enter_sandbox(const struct batch *b, const struct server *server, struct err *e)
{
	struct sandbox s = {.ports = {0}};
	char level[160];
	int rv;

	server_ports(server, &s);
	words_init(&s.write);
	words_init(&s.read);
	words_add(&s.write, b->queue->path);
	if (b->copies.has_sent)
		words_add(&s.write, b->copies.sent.path);
	if (b->copies.has_reports)
		words_add(&s.write, b->copies.reports.path);
	rv = sandbox_enter(&s, level, e);
	if (rv == 0)
		log_info("sandbox: %s", level);
	words_clear(&s.write);
	words_clear(&s.read);
	return rv;
}

/*
 * All messages, oldest first. 1: something was done, and so there may be more
 * to do; 0; -1.
 */
static int
pass(struct batch *b, struct err *e)
{
	struct words ids;
	size_t i;
	int did = 0;

	words_init(&ids);
	if (queue_ids(b->queue, false, &ids, e) == -1) {
		words_clear(&ids);
		return -1;
	}
	for (i = 0; i < ids.n && !stop_requested(); i++) {
		did |= batch_take(b, ids.v[i]);
		if (b->n == BATCH_MAX)
			batch_flush(b);
	}
	batch_flush(b);
	words_clear(&ids);
	return did;
}

/* Whether there is a message that we would take up, and could. */
static bool
is_more(struct batch *b)
{
	struct words ids;
	struct err e;
	size_t i;
	bool more = false;

	words_init(&ids);
	if (queue_ids(b->queue, false, &ids, &e) == 0)
		for (i = 0; i < ids.n && !more; i++)
			more = batch_wants(b, ids.v[i]);
	words_clear(&ids);
	return more;
}

/*
 * With a place for a session, until there is nothing left. Then the place is
 * given up, and one more look taken: who was accepted in between has found no
 * place for its own runner.
 */
static int
work(struct batch *b, struct err *e)
{
	int fd, rv;

	do {
		if (standing_session(&b->standing,
			(unsigned int)b->send->connections, &fd, e) == -1)
			return -1;
		if (fd == -1)
			return 0;
		while ((rv = pass(b, e)) == 1)
			;
		submit_close(&b->submit);
		close(fd);
	} while (rv == 0 && !stop_requested() && is_more(b));
	return rv;
}

static int
run(struct batch *b, uint64_t due, int ask_fd, struct err *e)
{
	struct server server;
	int rv;

	if (server_open(&server, &b->send->account, URL_SMTP, e) == -1) {
		server_close(&server);
		return -1;
	}
	if (copies_open(b->send, &b->copies, e) == -1) {
		log_error("%s; mail is sent, and stays in the queue until "
			  "there is a copy of it",
		    e->text);
		batch_worsen(b, err_exit(e));
	}
	rv = enter_sandbox(b, &server, e);
	if (rv == 0) {
		submit_init(
		    &b->submit, b->send, server.url, server.tls, ask_fd);
		b->submit.progress.messages_total = due;
		batch_begin(b);
		rv = work(b, e);
		submit_clear(&b->submit);
	}
	copies_close(&b->copies);
	server_close(&server);
	return rv;
}

int
worker_run(void *arg, int ask_fd)
{
	const struct worker *w = arg;
	struct batch *b = mem_alloc(sizeof(*b));
	struct err e = {0};
	int code;

	umask(077);
	b->send = w->send;
	b->queue = w->queue;
	b->stamp = batch_stamp(w->send);
	standing_init(&b->standing, w->queue, w->send->name, w->send->limits,
	    w->send->n_limits);
	if (run(b, w->due, ask_fd, &e) == -1) {
		log_err(&e);
		b->code = err_worse(err_exit(&e), b->code);
	}
	code = b->code;
	standing_clear(&b->standing);
	words_clear(&b->stuck);
	free(b);
	return code;
}
