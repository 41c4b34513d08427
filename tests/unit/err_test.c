/*
 * Errors: texts, prefixes, exit codes.
 */

#include <errno.h>
#include <sysexits.h>

#include "base/err.h"
#include "tap.h"

static void
test_text(void)
{
	struct err e = {0};
	char big[2000];

	is_int(err_set(&e, ERR_TEMP, "host %s: %d", "a", 5), -1, "returns -1");
	is_str(e.text, "host a: 5", "text");
	is_int(err_prefix(&e, "account %s", "work"), -1, "prefix returns -1");
	is_str(e.text, "account work: host a: 5", "prefix");
	is_int(e.kind, ERR_TEMP, "prefix keeps the kind");
	errno = ENOENT;
	err_sys(&e, ERR_LOCAL, "open %s", "x");
	is_str(e.text, "open x: No such file or directory", "sys");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_LOCAL, "%s", big);
	is_int(strlen(e.text), sizeof(e.text) - 1, "cut to its size");
	errno = ENOENT;
	err_sys(&e, ERR_LOCAL, "%s", big);
	err_prefix(&e, "%s", big);
	is_int(strlen(e.text), sizeof(e.text) - 1, "sys and prefix too");
	err_clear(&e);
	ok(e.kind == ERR_NONE && e.text[0] == '\0', "clear");
}

static void
test_exit(void)
{
	static const struct {
		enum err_kind kind;
		int code;
	} t[] = {
	    {ERR_NONE, 0},
	    {ERR_TEMP, EX_TEMPFAIL},
	    {ERR_AUTH, EX_NOPERM},
	    {ERR_TLS, EX_NOPERM},
	    {ERR_PROTO, EX_PROTOCOL},
	    {ERR_MESSAGE, EX_TEMPFAIL},
	    {ERR_LOCAL, EX_IOERR},
	    {ERR_CONFIG, EX_CONFIG},
	};
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		err_set(&e, t[i].kind, "x");
		is_int(err_exit(&e), t[i].code, "exit of kind %zu", i);
	}
	err_code(&e, ERR_CONFIG, EX_NOHOST, "x");
	is_int(err_exit(&e), EX_NOHOST, "a code of its own");
	errno = ENOSPC;
	err_sys(&e, ERR_LOCAL, "x");
	is_int(err_exit(&e), EX_TEMPFAIL, "a full disk is temporary");
	errno = EIO;
	err_sys(&e, ERR_LOCAL, "x");
	is_int(err_exit(&e), EX_IOERR, "another error is not");
}

static void
test_worse(void)
{
	is_int(err_worse(0, 0), 0, "0 0");
	is_int(err_worse(0, 75), 75, "0 75");
	is_int(err_worse(75, 0), 75, "75 0");
	is_int(err_worse(75, 77), 77, "a person before a retry");
	is_int(err_worse(77, 75), 77, "a person before a retry, turned round");
	is_int(err_worse(78, 77), 78, "the first of two for a person");
}

int
main(void)
{
	test_text();
	test_exit();
	test_worse();
	return done();
}
