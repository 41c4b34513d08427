/*
 * Allocation that ends the process rather than return NULL, so that no other
 * code has to carry an error path that could never be tested.
 */

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void *
must(void *p)
{
	static const char msg[] = "mailroom: out of memory\n";

	if (p == NULL) {
		if (write(STDERR_FILENO, msg, sizeof(msg) - 1) == -1)
			_exit(EX_OSERR);
		_exit(EX_TEMPFAIL);
	}
	return p;
}

void *
mem_alloc(size_t n)
{
	return must(calloc(1, n > 0 ? n : 1));
}

void *
mem_array(size_t n, size_t size)
{
	return must(calloc(n > 0 ? n : 1, size));
}

void *
mem_resize(void *p, size_t n, size_t size)
{
	return must(reallocarray(p, n > 0 ? n : 1, size));
}

void *
mem_more(void *p, size_t n, size_t size)
{
	return (n & (n - 1)) != 0 ? p : mem_resize(p, n == 0 ? 1 : 2 * n, size);
}

char *
mem_strdup(const char *s)
{
	return must(strdup(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	return must(strndup(s, n));
}

char *
mem_vprintf(const char *fmt, va_list ap)
{
	char *s;
	int n = vasprintf(&s, fmt, ap);

	return must(n == -1 ? NULL : s);
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = mem_vprintf(fmt, ap);
	va_end(ap);
	return s;
}

void
mem_free_secret(char *s)
{
	if (s == NULL)
		return;
	explicit_bzero(s, strlen(s));
	free(s);
}
