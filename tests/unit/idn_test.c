/*
 * Domains beyond ASCII, and what is left alone.
 */

#include <stdlib.h>
#include <sysexits.h>

#include "os/idn.h"
#include "tap.h"

static void
becomes(const char *address, const char *want)
{
	struct err e = {0};
	char *got = NULL;

	is_int(idn_address(address, &got, &e), 0, "%s: %s", address, e.text);
	is_str(got, want, "as %s", want);
	free(got);
}

static void
fails(const char *address, const char *what)
{
	struct err e = {0};
	char *got = NULL;

	is_int(idn_address(address, &got, &e), -1, "%s", what);
	is_int(err_exit(&e), EX_DATAERR, "is the message's fault");
	ok(strstr(e.text, "no name for its domain") != NULL, "and says why: %s",
	    e.text);
	free(got);
}

int
main(void)
{
	becomes("ada@b\303\274cher.example", "ada@xn--bcher-kva.example");
	becomes("ada@B\303\234CHER.example", "ada@xn--bcher-kva.example");
	becomes("ada@bu\314\210cher.example", "ada@xn--bcher-kva.example");
	becomes("ada@fa\303\237.example", "ada@xn--fa-hia.example");
	becomes(
	    "ada@\346\227\245\346\234\254\343\200\202jp", "ada@xn--wgv71a.jp");
	becomes("ad\303\244@b\303\274cher.example",
	    "ad\303\244@xn--bcher-kva.example");
	becomes(
	    "\"a@b\"@b\303\274cher.example", "\"a@b\"@xn--bcher-kva.example");
	becomes("ada@Example.ORG", "ada@Example.ORG");
	becomes("ada@[IPv6:::1]", "ada@[IPv6:::1]");
	becomes("ada", "ada");
	becomes("b\303\274cher", "b\303\274cher");
	becomes("", "");
	fails("ada@\303\274-\374.example", "no UTF-8");
	fails("ada@-\303\274.example", "a hyphen first");
	fails("ada@\303\274"
	      "0123456789012345678901234567890123456789012345678901234567890123"
	      ".example",
	    "a label that is too long");
	ok(idn_local_part("ad\303\244@example.org"), "a local part");
	ok(!idn_local_part("ada@b\303\274cher.example"), "a domain");
	ok(idn_local_part("\303\244"), "no domain");
	ok(!idn_local_part(""), "none at all");
	return done();
}
