/*
 * The user's commands: filters, which rewrite or drop a message, and pipes,
 * which take it.  They are run by the parent; the message is complete and on
 * disk before any of them starts.
 */

#include "inbox_parts.h"

#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/ask.h"
#include "os/command.h"
#include "os/file.h"
#include "os/mbox.h"

#define VALUE_MAX 2000

/* --- filters and pipes -------------------------------------------------------- */

/* What is absurdly long is left empty, so that all of them fit. */
static void
env_add(struct words *env, const char *name, struct span value)
{
	char *v = span_dup(value.n <= VALUE_MAX ? value : span_of("")), *w;
	size_t i;

	w = mem_printf("%s=%s", name, v);
	for (i = 0; w[i] != '\0'; i++)
		if (w[i] == '\n' || w[i] == '\r')
			w[i] = ' ';
	words_add(env, w);
	free(v);
	free(w);
}

/* The address in the first of these fields that has one. */
static struct span
find_address(struct span head, const char *const *fields)
{
	struct span body, addr;

	for (; *fields != NULL; fields++)
		if (header_find(head, *fields, &body) &&
		    header_address(body, &addr))
			return addr;
	return (struct span){NULL, 0};
}

static void
make_env(struct inbox *in, struct words *env)
{
	static const char *const from[] = {"Return-Path", "From", NULL};
	static const char *const to[] = {
	    "Delivered-To", "X-Original-To", "Envelope-To", NULL};
	struct span head = buf_span(&in->head), rcpt = find_address(head, to);
	struct span domain;
	ptrdiff_t at;
	char size[24];

	if (rcpt.n == 0)
		rcpt = span_of(in->fetch->account.user);
	at = span_find(rcpt, '@');
	domain = at >= 0 ? span_skip(rcpt, (size_t)at + 1) : span_of("");
	snprintf(
	    size, sizeof(size), "%llu", (unsigned long long)in->spool.bytes);
	env_add(env, "SENDER", find_address(head, from));
	env_add(env, "RECIPIENT", rcpt);
	env_add(
	    env, "LOCAL", at >= 0 ? (struct span){rcpt.p, (size_t)at} : rcpt);
	env_add(env, "DOMAIN", domain);
	env_add(env, "FETCHD_ACCOUNT", span_of(in->fetch->name));
	env_add(env, "FETCHD_FOLDER", span_of(in->item.folder));
	env_add(env, "FETCHD_UID", span_of(in->item.uid));
	env_add(env, "FETCHD_SIZE", span_of(size));
}

/* Runs a command over the message; *code_r its exit code. */
static int
run_command(struct inbox *in, size_t index, int out, const struct words *env,
    int *code_r, struct err *e)
{
	const char *line = in->fetch->commands.v[index];
	char text[64];
	int status;

	if (lseek(in->spool.fd, 0, SEEK_SET) == -1)
		return err_sys(e, ERR_LOCAL, "%s", in->spool_dir);
	if (ask_command(in->ask_fd, (int)index, in->spool.fd, out, env, &status,
		e) == -1) {
		/* Whatever it was: this message stays, the others go on. */
		e->kind = ERR_MESSAGE;
		e->code = 0;
		return -1;
	}
	command_status(status, text);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || out != -1)) {
		*code_r = WEXITSTATUS(status);
		if (*code_r != 0)
			err_set(e, ERR_MESSAGE, "'%s': %s", line, text);
		return 0;
	}
	return err_set(e, ERR_MESSAGE, "'%s': %s", line, text);
}

/* 1: passed; 0: dropped; -1: refused. */
static int
run_filters(struct inbox *in, const struct words *env, struct err *e)
{
	size_t i;
	int out, code;
	off_t size;

	for (i = 0; i < in->fetch->n_filters; i++) {
		if (file_temp(in->spool_dir, &out, e) == -1)
			return -1;
		if (run_command(in, i, out, env, &code, e) == -1 ||
		    (code != 0 && !in->fetch->drop[code])) {
			close(out);
			return -1;
		}
		close(in->spool.fd);
		in->spool.fd = out;
		if (code != 0)
			return 0;
		size = lseek(out, 0, SEEK_END);
		if (size <= 0)
			return err_set(e, ERR_MESSAGE,
			    "'%s': gave nothing back",
			    in->fetch->commands.v[i]);
		in->spool.bytes = (uint64_t)size;
	}
	return 1;
}

static int
write_stdout(struct inbox *in, struct err *e)
{
	char name[MAILDIR_NAME];

	maildir_unique(in->tag, name);
	if (mbox_write(STDOUT_FILENO, in->spool.fd, name, e) == -1)
		return err_prefix(e, "standard output");
	return 0;
}

const char *
inbox_target_name(const struct fetch *f, const struct target *t)
{
	switch (t->kind) {
	case TARGET_MAILDIR:
	case TARGET_MBOX:
		return t->path;
	case TARGET_STDOUT:
		return "-";
	case TARGET_PIPE:
		return f->commands.v[t->command];
	}
	return "";
}

/* Remembers that a pipe took it, while other targets may yet refuse. */
static int
note_part(struct inbox *in, const struct target *t, struct err *e)
{
	if (in->fetch->n_targets == 1)
		return 0;
	return seen_part(
	    in->seen, &in->item.key, inbox_target_name(in->fetch, t), e);
}

/* The targets that take the message at once; -1: refused. */
static int
run_pipes(struct inbox *in, const struct words *env, struct err *e)
{
	const struct fetch *f = in->fetch;
	int rv, code;
	size_t i;

	for (i = 0; i < f->n_targets; i++) {
		const struct target *t = &f->targets[i];

		if (t->kind != TARGET_PIPE && t->kind != TARGET_STDOUT)
			continue;
		if (f->n_targets > 1 &&
		    (rv = seen_has_part(in->seen, &in->item.key,
			 inbox_target_name(f, t), e)) != 0) {
			if (rv == -1)
				return -1;
			continue;
		}
		if (t->kind == TARGET_STDOUT)
			rv = write_stdout(in, e);
		else
			rv = run_command(
			    in, (size_t)t->command, -1, env, &code, e);
		if (rv == -1 || note_part(in, t, e) == -1)
			return -1;
	}
	return 0;
}

int
inbox_process(struct inbox *in, bool *drop_r, struct err *e)
{
	struct words env;
	int rv = 1;

	*drop_r = false;
	if (in->fetch->commands.n == 0 && in->direct)
		return 0;
	words_init(&env);
	make_env(in, &env);
	rv = run_filters(in, &env, e);
	*drop_r = rv == 0;
	if (rv == 1)
		rv = run_pipes(in, &env, e);
	words_clear(&env);
	return rv == -1 ? -1 : 0;
}
