/*
 * What the log tells of messages that are gone: what was sent, when, and the
 * server's final words.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "ledger.h"
#include "list.h"
#include "os/log.h"
#include "when.h"

#define OUT_SIZE (64u << 10) /* printed at once */
#define OUT_MAX (1u << 20)

/* As people read it: time, ID, account, what became of it, from, to, words. */
static void
put_text(struct buf *out, const struct ledger_line *l)
{
	static const enum ledger_field order[] = {LEDGER_ID, LEDGER_ACCOUNT,
	    LEDGER_OUTCOME, LEDGER_SENDER, LEDGER_RCPT, LEDGER_WORDS};
	char when[WHEN_SHOWN], *shown;
	size_t i;

	buf_puts(out, when_show(l->time, when));
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (*l->fields[order[i]] == '\0')
			continue;
		shown = span_show(span_of(l->fields[order[i]]), 4000);
		buf_printf(out, "%s", i == 0 ? "  " : " ");
		buf_puts(out, shown);
		free(shown);
	}
	buf_putc(out, '\n');
}

static void
put_json(struct buf *out, const struct ledger_line *l)
{
	const char *sender = l->fields[LEDGER_SENDER];

	json_open(out, NULL, '{');
	json_number(out, "time", l->time);
	json_text(out, "id", span_of(l->fields[LEDGER_ID]));
	json_text(out, "account", span_of(l->fields[LEDGER_ACCOUNT]));
	json_text(
	    out, "sender", span_of(strcmp(sender, "<>") == 0 ? "" : sender));
	json_text(out, "recipient", span_of(l->fields[LEDGER_RCPT]));
	json_text(out, "outcome", span_of(l->fields[LEDGER_OUTCOME]));
	json_text(out, "reply", span_of(l->fields[LEDGER_WORDS]));
	json_close(out, '}');
	buf_putc(out, '\n');
}

/* A line that a crash cut off is passed over. */
static int
show_file(FILE *f, bool json)
{
	struct ledger_line l;
	struct buf out;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int code = 0;

	buf_init(&out, OUT_MAX);
	while (code == 0 && (n = getline(&line, &size, f)) > 0) {
		n -= line[n - 1] == '\n';
		if (ledger_parse(span_bytes(line, (size_t)n), &l) == 0)
			continue;
		(json ? put_json : put_text)(&out, &l);
		ledger_line_clear(&l);
		if (buf_span(&out).n >= OUT_SIZE)
			code = list_print(&out);
	}
	if (code == 0)
		code = list_print(&out);
	free(line);
	buf_clear(&out);
	return code;
}

int
list_log(struct queue *q, bool json)
{
	static const char *const names[] = {"log.old", "log"};
	size_t i;
	int code = 0, fd;
	FILE *f;

	for (i = 0; i < 2 && code == 0; i++) {
		fd = openat(q->dir, names[i], O_RDONLY | O_CLOEXEC);
		f = fd != -1 ? fdopen(fd, "r") : NULL;
		if (f == NULL && errno != ENOENT) {
			struct err e;

			err_sys(&e, ERR_LOCAL, "%s/%s", q->path, names[i]);
			log_err(&e);
			code = err_exit(&e);
		}
		if (f != NULL) {
			code = show_file(f, json);
			fclose(f);
		} else if (fd != -1)
			close(fd);
	}
	return code;
}
