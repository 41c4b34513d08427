/*
 * Finds passwords and tokens where the user keeps them.  Every byte of memory
 * that held one is wiped: buffers are reserved at once at their full size,
 * because growing would leave copies behind.
 */

#include "os/secret.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <readpassphrase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/command.h"

#define SECRET_MAX 16384 /* bytes: tokens can be long */
#define NETRC_MAX (256 * 1024)
#define COMMAND_TIMEOUT 60000 /* ms */

static void
reserve(struct buf *b, size_t max)
{
	buf_init(b, max);
	buf_reserve(b, max);
}

static int
first_line(
    const struct buf *b, char **secret_r, const char *from, struct err *e)
{
	struct span s = buf_span(b), line = s;

	span_cut(&s, '\n', &line);
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return err_set(e, ERR_AUTH, "%s: gave an empty secret", from);
	if (span_find(line, '\0') != -1)
		return err_set(e, ERR_AUTH, "%s: a NUL in the secret", from);
	*secret_r = span_dup(line);
	return 0;
}

/* --- the sources --------------------------------------------------------- */

static int
from_command(const char *what, const char *line, char **secret_r, struct err *e)
{
	struct command c = {.what = what, .line = line, .in = -1, .out = -1};
	char ended[64], *from;
	struct buf b;
	int status, rv;

	reserve(&b, SECRET_MAX);
	rv = command_output(&c, COMMAND_TIMEOUT, SECRET_MAX, &b, &status, e);
	if (rv == 0 && status != 0) {
		command_status(status, ended);
		rv = err_set(e, ERR_TEMP, "%s '%s' %s", what, line, ended);
	}
	from = mem_printf("%s '%s'", what, line);
	if (rv == 0)
		rv = first_line(&b, secret_r, from, e);
	free(from);
	buf_wipe(&b);
	return rv;
}

static int
read_all(int fd, struct buf *b)
{
	ssize_t n;

	while (buf_room(b) > 0) {
		n = read(fd, buf_reserve(b, buf_room(b)), buf_room(b));
		if (n == 0)
			return 0;
		if (n > 0)
			buf_commit(b, (size_t)n);
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* The first max bytes of a file; *shared_r: others may read it. */
static int
read_file(const char *path, size_t max, struct buf *b, mode_t *shared_r)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rv = -1;

	reserve(b, max);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && read_all(fd, b) == 0) {
		*shared_r = st.st_mode & 077;
		rv = 0;
	}
	close(fd);
	return rv;
}

static int
refuse_shared(const char *path, struct err *e)
{
	return err_set(e, ERR_CONFIG,
	    "%s: others may read or change it; do: chmod 600 '%s'", path, path);
}

static int
from_file(const char *what, const char *path, bool may_share, char **secret_r,
    struct err *e)
{
	struct buf b;
	mode_t shared = 0;
	int rv = read_file(path, SECRET_MAX, &b, &shared);

	if (rv == -1)
		err_sys(e, ERR_CONFIG, "%s", path);
	else if (shared != 0 && !may_share)
		rv = refuse_shared(path, e);
	else
		rv = first_line(&b, secret_r, path, e);
	buf_wipe(&b);
	return rv == 0 ? 0 : err_prefix(e, "%s", what);
}

static int
from_credential(const char *name, char **secret_r, struct err *e)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *what, *path;
	int rv;

	if (strchr(name, '/') != NULL)
		return err_set(
		    e, ERR_CONFIG, "credential '%s': a name, not a path", name);
	if (dir == NULL)
		return err_set(e, ERR_CONFIG,
		    "credential '%s': not started by systemd with "
		    "LoadCredential=%s:FILE",
		    name, name);
	what = mem_printf("credential '%s'", name);
	path = mem_printf("%s/%s", dir, name);
	/* systemd guards this directory; the file's mode is its business. */
	rv = from_file(what, path, true, secret_r, e);
	free(what);
	free(path);
	return rv;
}

/* 1: found; 0: nothing there; -1. */
static int
from_netrc(const char *host, const char *user, char **secret_r, struct err *e)
{
	const char *home = getenv("HOME");
	mode_t shared = 0;
	struct buf b;
	char *path;
	int rv = 0;

	if (home == NULL)
		return 0;
	path = mem_printf("%s/.netrc", home);
	if (read_file(path, NETRC_MAX, &b, &shared) == 0)
		*secret_r = secret_netrc(buf_cstr(&b), host, user);
	buf_wipe(&b);
	if (*secret_r != NULL && shared != 0) {
		mem_free_secret(*secret_r);
		*secret_r = NULL;
		rv = refuse_shared(path, e);
	} else if (*secret_r != NULL)
		rv = 1;
	free(path);
	return rv;
}

/* As from_netrc(): 0 when there is no terminal or no answer. */
static int
from_terminal(const char *host, const char *user, char **secret_r)
{
	char answer[1024], *prompt;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), rv = 0;

	if (fd == -1)
		return 0;
	close(fd);
	prompt = mem_printf("Password for %s at %s: ", user, host);
	if (readpassphrase(prompt, answer, sizeof(answer), RPP_REQUIRE_TTY) !=
		NULL &&
	    answer[0] != '\0') {
		*secret_r = mem_strdup(answer);
		rv = 1;
	}
	explicit_bzero(answer, sizeof(answer));
	free(prompt);
	return rv;
}

/* --- netrc --------------------------------------------------------------- */

/* The next word, quotes resolved, into b; false at the end. */
static bool
netrc_word(const char **p, struct buf *b)
{
	bool quoted;

	buf_reset(b);
	*p += strspn(*p, " \t\r\n");
	if (**p == '\0')
		return false;
	quoted = **p == '"';
	*p += quoted;
	for (; **p != '\0'; (*p)++) {
		if (quoted ? **p == '"' : strchr(" \t\r\n", **p) != NULL)
			break;
		if (quoted && **p == '\\' && (*p)[1] != '\0')
			(*p)++;
		buf_putc(b, **p);
	}
	*p += quoted && **p == '"';
	return true;
}

static bool
word_is(struct buf *b, const char *s)
{
	return span_eq(buf_span(b), s);
}

struct netrc {
	const char *host, *user;
	bool here, user_ok; /* the entry is for this host, this user */
	char *password;     /* owned: the entry's */
};

static void
netrc_begin(struct netrc *n, bool here)
{
	mem_free_secret(n->password);
	n->password = NULL;
	n->here = here;
	n->user_ok = true;
}

/* "macdef NAME" runs to an empty line, which may hold any word. */
static void
netrc_skip_macro(const char **p)
{
	const char *end = strstr(*p, "\n\n");

	*p = end != NULL ? end : *p + strlen(*p);
}

static void
netrc_take(struct netrc *n, const char **p, struct buf *b)
{
	if (word_is(b, "default"))
		netrc_begin(n, true);
	else if (word_is(b, "machine"))
		netrc_begin(
		    n, netrc_word(p, b) && span_caseeq(buf_span(b), n->host));
	else if (word_is(b, "login"))
		n->user_ok = netrc_word(p, b) && word_is(b, n->user);
	else if (word_is(b, "password")) {
		mem_free_secret(n->password);
		n->password = netrc_word(p, b) ? span_dup(buf_span(b)) : NULL;
	} else if (word_is(b, "account"))
		netrc_word(p, b);
	else if (word_is(b, "macdef"))
		netrc_skip_macro(p);
	else if (b->len > 0 && *buf_cstr(b) == '#')
		*p += strcspn(*p, "\n");
}

static bool
netrc_match(const struct netrc *n)
{
	return n->here && n->user_ok && n->password != NULL;
}

char *
secret_netrc(const char *text, const char *host, const char *user)
{
	struct netrc n = {.host = host, .user = user};
	const char *p = text;
	struct buf b;

	reserve(&b, strlen(text) + 1);
	while (netrc_word(&p, &b)) {
		/* An entry is known in full only when the next begins. */
		if ((word_is(&b, "machine") || word_is(&b, "default")) &&
		    netrc_match(&n))
			break;
		netrc_take(&n, &p, &b);
	}
	buf_wipe(&b);
	if (netrc_match(&n))
		return n.password;
	mem_free_secret(n.password);
	return NULL;
}

/* --- the order ----------------------------------------------------------- */

int
secret_password(const struct account *a, const char *host, bool prompt,
    char **secret_r, struct err *e)
{
	const char *user = a->user != NULL ? a->user : "";
	int rv;

	*secret_r = NULL;
	if (a->password_command != NULL)
		return from_command(
		    "password-command", a->password_command, secret_r, e);
	if (a->password_file != NULL)
		return from_file(
		    "password-file", a->password_file, false, secret_r, e);
	if (a->credential != NULL)
		return from_credential(a->credential, secret_r, e);
	rv = from_netrc(host, user, secret_r, e);
	if (rv == 0 && prompt)
		rv = from_terminal(host, user, secret_r);
	if (rv != 0)
		return rv == 1 ? 0 : -1;
	return err_set(e, ERR_AUTH,
	    "no password for %s at %s: set password-command, password-file or "
	    "credential, or add to ~/.netrc: machine %s login %s password ...",
	    user, host, host, user);
}

int
secret_token(const struct account *a, char **secret_r, struct err *e)
{
	*secret_r = NULL;
	if (a->token_command == NULL)
		return err_set(
		    e, ERR_AUTH, "no access token: set token-command");
	return from_command("token-command", a->token_command, secret_r, e);
}
