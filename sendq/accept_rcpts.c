/*
 * Recipients as they were given, and as the server is to be told. Names
 * without a domain are those of a machine whose mail goes elsewhere: "root"
 * is whoever reads root's mail.
 */

#include "accept_rcpts.h"

#include <errno.h>
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "aliases.h"
#include "base/address.h"
#include "os/file.h"

#define ALIASES_DEFAULT "/etc/aliases"

/* The system's file need not be there, nor be for us to read. */
static int
read_aliases(const struct send *send, struct buf *text, struct err *e)
{
	const char *path =
	    send->aliases != NULL ? send->aliases : ALIASES_DEFAULT;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rv;

	if (fd == -1 && send->aliases == NULL)
		return 0;
	if (fd == -1)
		return err_sys(e, ERR_CONFIG, "aliases %s", path);
	rv = file_read_fd(fd, path, text, e);
	close(fd);
	if (rv == -1 && send->aliases != NULL)
		return -1;
	if (rv == -1)
		buf_reset(text);
	return 0;
}

static int
add(struct envelope *env, const char *address, const char *original,
    struct err *e)
{
	size_t i;

	if (address_check(span_of(address), e) == -1)
		return -1;
	for (i = 0; i < env->n_rcpts; i++)
		if (address_compare(
			span_of(env->rcpts[i].address), span_of(address)) == 0)
			return 0;
	envelope_add_rcpt(env, address, original);
	return 0;
}

static bool
has_domain(const char *address)
{
	return address_domain(span_of(address)).n > 0;
}

static int
add_name(const struct send *send, struct span aliases, const char *name,
    struct envelope *env, struct err *e)
{
	struct words to;
	const char *address;
	size_t i;
	int rv = 0;

	words_init(&to);
	aliases_resolve(aliases, name, &to);
	for (i = 0; i < to.n && rv == 0; i++) {
		address = has_domain(to.v[i]) ? to.v[i] : send->address;
		if (address != NULL)
			rv = add(env, address, name, e);
		else
			rv = err_code(e, ERR_CONFIG, EX_NOUSER,
			    "%s: no address for this name: add 'address YOU@"
			    "DOMAIN' to the account, or name it in 'aliases'",
			    name);
	}
	words_clear(&to);
	return rv;
}

int
rcpts_add(const struct send *send, const struct words *given,
    struct envelope *env, struct err *e)
{
	struct buf aliases;
	bool have = false;
	size_t i;
	int rv = 0;

	buf_init(&aliases, ALIASES_MAX);
	for (i = 0; i < given->n && rv == 0; i++) {
		if (has_domain(given->v[i])) {
			rv = add(env, given->v[i], NULL, e);
			continue;
		}
		if (!have)
			rv = read_aliases(send, &aliases, e);
		have = true;
		if (rv == 0)
			rv = add_name(
			    send, buf_span(&aliases), given->v[i], env, e);
	}
	buf_clear(&aliases);
	return rv;
}
