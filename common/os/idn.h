#ifndef OS_IDN_H
#define OS_IDN_H

#include <stdbool.h>

#include "base/err.h"

/*
 * The address with its domain as DNS has it: "ada@b\303\274cher.example" as
 * "ada@xn--bcher-kva.example" (IDNA2008, RFC 5891, mapped as by UTS 46,
 * non-transitional).  The local part stays as it is, and so does a domain
 * that is ASCII, an address literal included.  *ascii_r is owned by the
 * caller.  -1: ERR_MESSAGE (exit 65) for a domain that no such name can be
 * made of.
 */
int idn_address(const char *address, char **ascii_r, struct err *);

/* Whether the part before the last '@' has octets over 127. */
bool idn_local_part(const char *address);

#endif
