/*
 * What POP3 and IMAP fetching have in common: limits, due dates, reports.
 */

#include "run.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>

#include "os/clock.h"
#include "os/log.h"

void
run_message(
    struct run *r, const char *folder, const char *uid, const struct err *e)
{
	log_error("%s, message %s: %s (it stays on the server)", folder, uid,
	    e->text);
	r->code = err_worse(r->code, err_exit(e));
}

void
run_list(struct run *r, const char *folder, const char *uid, uint64_t size)
{
	printf("%s\t%s\t%s\t%" PRIu64 "%c", r->fetch->name, folder, uid, size,
	    r->options->nul ? '\0' : '\n');
	fflush(stdout); /* whole records: other sections write there too */
}

bool
run_take(struct run *r, uint64_t size)
{
	const struct fetch *f = r->fetch;
	uint64_t most = f->limit_messages;

	if (r->options->once && (most == 0 || most > RUN_ONCE_MESSAGES))
		most = RUN_ONCE_MESSAGES;
	if (most != 0 && r->taken >= most)
		return false;
	/* The first message is always taken, or a large one would block. */
	if (f->limit_bytes != 0 && r->taken > 0 &&
	    r->taken_bytes + size > f->limit_bytes)
		return false;
	r->taken++;
	r->taken_bytes += size;
	return true;
}

int64_t
run_due(const struct run *r)
{
	if (r->fetch->keep == KEEP_ALWAYS || r->fetch->headers_only)
		return -1;
	return (clock_wall_us() / 1000 - r->fetch->keep) / 1000;
}

bool
run_is_due(const struct run *r, enum seen_status status, int64_t since)
{
	return status == SEEN_FETCHED && since <= run_due(r);
}

int
run_refuse(const struct run *r, const char *mailbox, uint64_t rows, size_t n,
    struct err *e)
{
	const char *name = r->fetch->name;

	if (rows == 0)
		return err_code(e, ERR_CONFIG, EX_DATAERR,
		    "%s: the state was damaged, and which of the %zu messages "
		    "now on the server were fetched before is not known; not "
		    "fetching them all again.  To fetch them, run: "
		    "fetchd --allow-refetch %s",
		    mailbox, n, name);
	return err_code(e, ERR_CONFIG, EX_DATAERR,
	    "%s: none of the %" PRIu64
	    " messages fetched before is recognised among the %zu now on the "
	    "server; not fetching them all again.  If they are new, run: "
	    "fetchd --allow-refetch %s",
	    mailbox, rows, n, name);
}

int
run_begun(struct run *r, struct err *e)
{
	if (r->origin == SEEN_KEPT || r->options->dry_run)
		return 0;
	r->origin = SEEN_KEPT;
	r->learned = false;
	return seen_set_origin(r->seen, SEEN_KEPT, e);
}

void
run_expect(struct run *r, uint64_t messages, uint64_t bytes)
{
	r->progress.messages_total += messages;
	r->progress.bytes_total += bytes;
}

void
run_came(struct run *r, uint64_t messages, uint64_t bytes)
{
	static int64_t last;
	int64_t now = clock_ms();

	r->progress.messages += messages;
	r->progress.bytes += bytes;
	if (now - last < 100)
		return;
	last = now;
	ask_progress(r->ask_fd, &r->progress);
}
