#ifndef SENDQ_ALIASES_H
#define SENDQ_ALIASES_H

#include "base/span.h"
#include "base/words.h"

/*
 * Who is meant by a name without a domain, by a file as aliases(5) has it:
 *
 *	postmaster: root
 *	root: ada@example.org, bob@example.net
 *	default: ada@example.org
 *
 * Names match in any case; a line that begins with a blank goes on with the
 * one before; "default" is for every name that does not stand there. Only
 * addresses and names count: what would run a command, write a file or read
 * another is left out. Pure.
 *
 * Appends to *out, in normal form, each once, all that the name comes to:
 * addresses, and names that come to no address; the name itself, when nothing
 * else does. Loops end.
 */
#define ALIASES_MAX (1u << 20) /* octets of such a file */
void aliases_resolve(struct span text, const char *name, struct words *out);

#endif
