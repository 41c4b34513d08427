/*
 * Domain names beyond ASCII.  The only module that knows libidn2.
 */

#include "os/idn.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "base/span.h"

/* How long the local part is, the '@' behind it not included. */
static size_t
local_length(const char *address)
{
	size_t i = strlen(address);

	while (i > 0 && address[i - 1] != '@')
		i--;
	return i > 0 ? i - 1 : strlen(address);
}

static bool
has_8bit(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return true;
	return false;
}

bool
idn_local_part(const char *address)
{
	return has_8bit(address, local_length(address));
}

static int
no_name(const char *address, int rc, struct err *e)
{
	char *shown = span_show(span_of(address), 200);

	err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "address <%s>: no name for its domain in ASCII: %s", shown,
	    idn2_strerror(rc));
	free(shown);
	return -1;
}

int
idn_address(const char *address, char **ascii_r, struct err *e)
{
	size_t n = local_length(address);
	uint8_t *domain;
	int rc;

	if (!has_8bit(address + n, strlen(address + n))) {
		*ascii_r = mem_strdup(address);
		return 0;
	}
	rc = idn2_lookup_u8((const uint8_t *)address + n + 1, &domain,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return no_name(address, rc, e);
	*ascii_r = mem_printf("%.*s@%s", (int)n, address, (char *)domain);
	idn2_free(domain);
	return 0;
}
