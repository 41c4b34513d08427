/*
 * Errors as data: a kind, an exit code, a text that a person can act on.
 */

#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void __attribute__((format(printf, 2, 0)))
set_text(struct err *e, const char *fmt, va_list ap)
{
	if (vsnprintf(e->text, sizeof(e->text), fmt, ap) < 0)
		e->text[0] = '\0';
}

int
err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->code = 0;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_code(struct err *e, enum err_kind kind, int code, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->code = code;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_sys(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	int saved = errno;
	size_t n;
	va_list ap;

	e->kind = kind;
	e->code = 0;
	if (saved == ENOSPC || saved == EDQUOT || saved == ENOMEM)
		e->code = EX_TEMPFAIL;
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(saved));
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t n;
	va_list ap;

	strlcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	set_text(e, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", old);
	return -1;
}

int
err_exit(const struct err *e)
{
	if (e->code != 0)
		return e->code;
	switch (e->kind) {
	case ERR_NONE:
		return EX_OK;
	case ERR_TEMP:
	case ERR_MESSAGE:
		return EX_TEMPFAIL;
	case ERR_AUTH:
	case ERR_TLS:
		return EX_NOPERM;
	case ERR_PROTO:
		return EX_PROTOCOL;
	case ERR_LOCAL:
		return EX_IOERR;
	case ERR_CONFIG:
		return EX_CONFIG;
	}
	return EX_SOFTWARE;
}

int
err_worse(int a, int b)
{
	if (a == 0 || a == EX_TEMPFAIL)
		return b != 0 ? b : a;
	return a;
}

void
err_clear(struct err *e)
{
	e->kind = ERR_NONE;
	e->code = 0;
	e->text[0] = '\0';
}
