/*
 * One fetch section in its own process.  Everything that may be opened is
 * opened first; then the sandbox closes; only then does a byte come from the
 * network.
 */

#include "worker.h"

#include <sys/stat.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "imap_fetch.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/log.h"
#include "os/net.h"
#include "os/sandbox.h"
#include "os/stop.h"
#include "pop3_fetch.h"
#include "run.h"
#include "watch.h"

/* The directory of the state file, and the lock beside it. */
static int
take_lock(
    const struct fetch *f, const struct options *o, int *fd_r, struct err *e)
{
	char *copy = mem_strdup(f->state), *path;
	int rv = file_mkdirs(dirname(copy), e);

	free(copy);
	if (rv == -1)
		return -1;
	path = mem_printf("%s.lock", f->state);
	rv = lock_take(path, o->wait, fd_r, e);
	free(path);
	return rv;
}

/* Without a state, what lies in the Maildir tells what was fetched.  Once: what
 * a first run that is cut short delivers is in the state. */
static int
learn(struct run *r, struct err *e)
{
	size_t n;

	if (inbox_learn(r->inbox, &n, e) == -1)
		return -1;
	if (n == 0 && r->origin == SEEN_DAMAGED && !r->options->allow_refetch)
		return 0;
	r->origin = n > 0 ? SEEN_LEARNED : SEEN_EMPTY;
	if (n > 0)
		log_info("no state yet: %zu messages in the Maildir will not "
			 "be fetched again",
		    n);
	return seen_set_origin(r->seen, r->origin, e);
}

static int
open_state(struct run *r, struct err *e)
{
	if (seen_open(r->fetch->state, &r->origin, &r->seen, e) == -1)
		return -1;
	/* Never committed: what is found out is forgotten. */
	if (r->options->dry_run)
		return seen_begin(r->seen, e);
	if (inbox_open(
		r->fetch, r->options, r->seen, r->ask_fd, &r->inbox, e) == -1)
		return -1;
	if ((r->origin == SEEN_NEW || r->origin == SEEN_DAMAGED) &&
	    learn(r, e) == -1)
		return -1;
	r->learned = r->origin == SEEN_LEARNED;
	return 0;
}

static int
load_tls(const struct account *a, struct tls_config **config_r, struct err *e)
{
	struct tls_options o = {.ca = a->tls_ca,
	    .pins = (const char *const *)a->tls_fingerprints.v,
	    .n_pins = a->tls_fingerprints.n,
	    .certificate = a->tls_certificate,
	    .key = a->tls_key,
	    .min_13 = a->tls_min == 1};

	return tls_config_new(&o, config_r, e);
}

static uint16_t
proxy_port(const char *proxy)
{
	const char *colon = strrchr(proxy, ':');
	uint64_t port;

	if (colon == NULL ||
	    !span_number(span_of(colon + 1), UINT16_MAX, &port))
		return 1080;
	return (uint16_t)port;
}

static int
enter_sandbox(const struct run *r, const struct url *url, struct err *e)
{
	const struct fetch *f = r->fetch;
	struct sandbox s = {.ports = {url->port, 53}};
	char *copy = mem_strdup(f->state), level[160];
	size_t i;
	int rv;

	if (f->account.proxy != NULL)
		s.ports[0] = proxy_port(f->account.proxy);
	words_init(&s.write);
	words_init(&s.read);
	words_add(&s.write, dirname(copy));
	for (i = 0; i < f->n_targets; i++)
		if (f->targets[i].path != NULL)
			words_add(&s.write, f->targets[i].path);
	rv = sandbox_enter(&s, level, e);
	if (rv == 0)
		log_info("sandbox: %s", level);
	words_clear(&s.write);
	words_clear(&s.read);
	free(copy);
	return rv;
}

/* `discover`: the servers by SRV when the account names none (RFC 6186). */
static int
discover(const struct fetch *f, struct url *url, struct err *e)
{
	const char *domain = strrchr(f->account.user, '@');
	int rv;

	if (domain == NULL)
		return err_set(e, ERR_CONFIG,
		    "discover: user '%s' has no "
		    "domain",
		    f->account.user);
	url->proto = f->imap ? URL_IMAP : URL_POP3;
	url->tls = URL_TLS_IMPLICIT;
	rv = net_srv(
	    f->imap ? "_imaps" : "_pop3s", domain + 1, &url->host, &url->port);
	if (rv == 0) {
		url->tls = URL_TLS_STARTTLS;
		rv = net_srv(f->imap ? "_imap" : "_pop3", domain + 1,
		    &url->host, &url->port);
	}
	if (rv == 1)
		return 0;
	return err_code(e, ERR_CONFIG, rv == 0 ? EX_NOHOST : EX_UNAVAILABLE,
	    "discover: %s %s for %s", domain + 1,
	    rv == 0 ? "publishes no SRV record"
		    : "says that there is no such service",
	    f->imap ? "IMAP" : "POP3");
}

static int
fetch(struct run *r, struct err *e)
{
	if (r->options->watch)
		return watch_run(r, e);
	return r->fetch->imap ? imap_fetch(r, e) : pop3_fetch(r, e);
}

static int
run_with(struct run *r, struct tls_config *tls, struct err *e)
{
	const struct account *a = &r->fetch->account;
	const struct url *given = r->fetch->imap ? &a->imap : &a->pop3;
	struct url found = {0};
	int rv = 0;

	if (given->host == NULL && a->tunnel == NULL) {
		rv = discover(r->fetch, &found, e);
		given = &found;
	}
	if (rv == 0)
		rv = enter_sandbox(r, given, e);
	if (rv == 0) {
		link_init(&r->link, a, given, tls, r->ask_fd);
		rv = fetch(r, e);
		link_clear(&r->link);
	}
	url_clear(&found);
	return rv;
}

int
worker_run(void *arg, int ask_fd)
{
	const struct worker *w = arg;
	struct run r = {
	    .fetch = w->fetch, .options = w->options, .ask_fd = ask_fd};
	struct tls_config *tls = NULL;
	struct err e = {0};
	int lock = -1, rv;

	umask(077);
	rv = take_lock(w->fetch, w->options, &lock, &e);
	if (rv == 0)
		rv = open_state(&r, &e);
	if (rv == 0)
		rv = load_tls(&w->fetch->account, &tls, &e);
	if (rv == 0)
		rv = run_with(&r, tls, &e);
	/* An end that was asked for is a good end. */
	if (rv == -1 && stop_requested() && e.kind == ERR_TEMP)
		rv = 0;
	if (rv == -1) {
		log_err(&e);
		r.code = err_worse(err_exit(&e), r.code);
	}
	inbox_close(r.inbox);
	seen_close(r.seen);
	tls_config_free(tls);
	if (fflush(stdout) == EOF || ferror(stdout))
		r.code = err_worse(r.code, EX_IOERR);
	if (lock != -1)
		close(lock);
	return r.code;
}
