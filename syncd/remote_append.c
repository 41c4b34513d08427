/*
 * Messages to the server: APPENDs that follow each other without a wait where
 * the server allows that, each read from its file twice, first to know how long
 * it will be on the wire, then piece by piece as the wire drains.
 */

#include "remote_parts.h"

#include <sys/types.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"

#define PIECE (32 * 1024)
#define GROUP_MESSAGES 100u /* in one MULTIAPPEND */
#define GROUP_BYTES (UINT64_C(8) << 20)
/* A longer literal waits even where it need not: should the server not want the
 * message, a turn is less than the time to send it. */
#define WAIT_ABOVE (UINT64_C(4) << 20)

/* An APPEND under way: of those from first to last that are marked with it. */
struct group {
	uint32_t cookie;
	size_t first, last, n;
	uint64_t bytes;
	bool alone; /* no other is to join */
};

/* The message that is being written. */
struct file {
	int fd;        /* owned; -1: none */
	uint64_t size; /* with CRLFs */
	uint64_t left; /* to be put */
	off_t at;      /* read so far */
	char before;   /* the byte read last */
	bool nul;
	bool newline; /* one is added at its end */
};

struct up {
	struct remote_append *v; /* borrowed */
	size_t n;
	const struct remote_source *source; /* borrowed */
	uint32_t *of;                       /* owned: cookie of each's group */
	size_t next;                        /* not yet begun */
	size_t *singles; /* owned: those whose group was refused */
	size_t n_singles, cap_singles, next_single;
	struct group *fly; /* owned; oldest first */
	size_t n_fly, cap_fly;
	uint32_t cookie;
	struct group open; /* being written, when open.cookie is not 0 */
	bool answered;     /* ... and already answered */
	struct file file;
	struct err *full;        /* owned: why no more is to be begun ... */
	const char *full_folder; /* ... in this folder; NULL: in none */
	enum imap_code full_code;
};

/* --- outcomes --------------------------------------------------------------- */

static int
tell(struct up *u, size_t i, const struct err *why, struct err *e)
{
	u->v[i].done = why == NULL;
	return u->source->done(u->source->arg, &u->v[i], why, e);
}

static bool
is_full(const struct up *u, size_t i)
{
	return u->full != NULL &&
	       (u->full_folder == NULL ||
		   strcmp(u->full_folder, u->v[i].folder) == 0);
}

/* No other message would fare better. */
static bool
is_of_folder(enum imap_code code)
{
	return code == IMAP_CODE_TRYCREATE || code == IMAP_CODE_NONEXISTENT ||
	       code == IMAP_CODE_NOPERM;
}

static void
note_full(struct up *u, size_t i, enum imap_code code, const struct err *why)
{
	free(u->full);
	u->full = remote_fault(why);
	u->full_folder = code == IMAP_CODE_OVERQUOTA ? NULL : u->v[i].folder;
	u->full_code = code;
}

static void
send_alone(struct up *u, size_t i)
{
	if (u->n_singles == u->cap_singles) {
		u->cap_singles = u->cap_singles * 2 + 16;
		u->singles =
		    mem_resize(u->singles, u->cap_singles, sizeof(*u->singles));
	}
	u->singles[u->n_singles++] = i;
}

static int
refuse(struct up *u, const struct group *g, const struct imap_ev *ev,
    struct err *e)
{
	struct err *why = remote_refusal(ev, u->v[g->first].folder, "APPEND");
	size_t i;
	int rv = 0;

	/* Of several one may have been too many, and the others not. */
	if (is_of_folder(ev->code) ||
	    (g->n == 1 && ev->code == IMAP_CODE_OVERQUOTA))
		note_full(u, g->first, ev->code, why);
	for (i = g->first; rv == 0 && i <= g->last; i++) {
		if (u->of[i] != g->cookie)
			continue;
		u->v[i].code = ev->code;
		if (g->n > 1 && !is_of_folder(ev->code))
			send_alone(u, i);
		else
			rv = tell(u, i, why, e);
	}
	free(why);
	return rv;
}

/* APPENDUID's set, when it has one for each. */
static struct uidwalk
uids_of(const struct group *g, const struct imap_ev *ev)
{
	struct span rest = ev->code_args, word;
	struct uidwalk w = {0};

	if (ev->code == IMAP_CODE_APPENDUID && uidset_count(ev->uids) == g->n &&
	    span_word(&rest, &word))
		w.rest = span_trim(rest);
	return w;
}

static int
accept(struct up *u, const struct group *g, const struct imap_ev *ev,
    struct err *e)
{
	struct uidwalk w = uids_of(g, ev);
	size_t i;
	int rv = 0;

	for (i = g->first; rv == 0 && i <= g->last; i++) {
		if (u->of[i] != g->cookie)
			continue;
		if (uidwalk_next(&w, &u->v[i].uid))
			u->v[i].uidvalidity = (uint32_t)ev->code_number;
		rv = tell(u, i, NULL, e);
	}
	return rv;
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct up *u = arg;
	struct group g;
	size_t i;

	(void)r;
	if (ev->kind != IMAP_EV_DONE || ev->verb != IMAP_V_APPEND)
		return 0;
	if (ev->cookie == u->open.cookie) {
		g = u->open;
		u->answered = true;
	} else {
		for (i = 0; i < u->n_fly; i++)
			if (u->fly[i].cookie == ev->cookie)
				break;
		if (i == u->n_fly)
			return 0;
		g = u->fly[i];
		u->n_fly--;
		memmove(&u->fly[i], &u->fly[i + 1], (u->n_fly - i) * sizeof(g));
	}
	return ev->cond == IMAP_OK ? accept(u, &g, ev, e)
	                           : refuse(u, &g, ev, e);
}

/* --- files ------------------------------------------------------------------- */

/* The next bytes of the file, and as they go on the wire; -1: errno. */
static ssize_t
read_piece(struct file *f, char out[2 * PIECE], size_t *n_r)
{
	char in[PIECE];
	ssize_t got = pread(f->fd, in, sizeof(in), f->at), i;
	size_t n = 0;

	if (got == -1 && errno == EINTR)
		return read_piece(f, out, n_r);
	for (i = 0; i < got; i++) {
		if (in[i] == '\n' && f->before != '\r')
			out[n++] = '\r';
		out[n++] = f->before = in[i];
	}
	if (got == 0 && f->newline && f->before != '\n') {
		out[n++] = '\r';
		out[n++] = f->before = '\n';
	}
	f->at += got > 0 ? got : 0;
	*n_r = n;
	return got;
}

/* How long it is; whether it has NULs. */
static int
scan(struct file *f, struct err *e)
{
	char out[2 * PIECE];
	ssize_t got;
	size_t n;

	while ((got = read_piece(f, out, &n)) > 0 || n > 0) {
		if (got == -1)
			break;
		f->size += n;
		f->nul = f->nul || memchr(out, '\0', n) != NULL;
	}
	if (got == -1)
		return err_sys(e, ERR_MESSAGE, "the message cannot be read");
	f->left = f->size;
	f->at = 0;
	f->before = '\0';
	return 0;
}

static bool
is_too_big(const struct remote *r, const struct file *f)
{
	uint64_t most = r->client.imap.append_limit;

	return most > 0 && f->size > most;
}

/* Whether the server can take it at all. */
static int
check(const struct remote *r, const struct file *f, struct err *why)
{
	if (f->size == 0)
		return err_code(why, ERR_MESSAGE, EX_DATAERR,
		    "an empty message cannot be stored by IMAP");
	if (f->nul && !imap_has(&r->client.imap, IMAP_CAP_BINARY))
		return err_code(why, ERR_MESSAGE, EX_DATAERR,
		    "the message has NUL bytes, which the server cannot take "
		    "(no BINARY)");
	if (is_too_big(r, f))
		return err_code(why, ERR_MESSAGE, EX_DATAERR,
		    "the message has %" PRIu64 " bytes; the server takes no "
		    "more than %" PRIu64,
		    f->size, r->client.imap.append_limit);
	return 0;
}

static void
close_file(struct up *u)
{
	if (u->file.fd != -1)
		close(u->file.fd);
	u->file = (struct file){.fd = -1};
}

/* Opens message i: 1; 0: it is refused, which is told; -1. */
static int
open_file(struct remote *r, struct up *u, size_t i, struct err *e)
{
	struct err why;
	int rv;

	if (is_full(u, i)) {
		u->v[i].code = u->full_code;
		return tell(u, i, u->full, e);
	}
	rv = u->source->open(u->source->arg, &u->v[i], &u->file.fd, e);
	if (rv == -1)
		return -1;
	if (rv == 0) {
		err_set(&why, ERR_MESSAGE, "the message is gone");
		return tell(u, i, &why, e);
	}
	u->file.newline = imap_has(&r->client.imap, IMAP_CAP_XYMHIGHESTMODSEQ);
	if (scan(&u->file, &why) == 0 && check(r, &u->file, &why) == 0)
		return 1;
	if (is_too_big(r, &u->file))
		u->v[i].code = IMAP_CODE_TOOBIG;
	close_file(u);
	return tell(u, i, &why, e);
}

/* --- commands ------------------------------------------------------------------ */

static bool
is_open(const struct up *u)
{
	return u->open.cookie != 0;
}

static int
end_group(struct remote *r, struct up *u)
{
	imap_end(&r->client.imap);
	if (!u->answered) {
		if (u->n_fly == u->cap_fly) {
			u->cap_fly = u->cap_fly * 2 + 16;
			u->fly =
			    mem_resize(u->fly, u->cap_fly, sizeof(*u->fly));
		}
		u->fly[u->n_fly++] = u->open;
	}
	u->open = (struct group){0};
	u->answered = false;
	return 1;
}

/* The message whose file is open joins the command. */
static void
put_message(struct remote *r, struct up *u, size_t i)
{
	struct imap *im = &r->client.imap;
	struct group *g = &u->open;
	char date[TIME_MAIL];

	if (!is_open(u)) {
		*g = (struct group){.cookie = ++u->cookie, .first = i};
		imap_begin(im, IMAP_V_APPEND, g->cookie);
		imap_put(im, "APPEND ");
		remote_put_folder(r, u->v[i].folder);
	}
	u->of[i] = g->cookie;
	g->last = i;
	g->n++;
	g->bytes += u->file.size;
	imap_put(im, " ");
	remote_put_flags(r, u->v[i].flags, u->v[i].keywords);
	time_imap_text(u->v[i].date, date);
	if (u->v[i].date != 0)
		imap_put(im, " \"%s\"", date);
	imap_put(im, " ");
	imap_put_literal(
	    im, u->file.size, u->file.nul, u->file.size > WAIT_ABOVE);
}

/* Whether the next one may join the command that is open. */
static bool
joins(const struct remote *r, const struct up *u)
{
	return imap_has(&r->client.imap, IMAP_CAP_MULTIAPPEND) &&
	       !u->answered && !u->open.alone && u->next < u->n &&
	       u->open.n < GROUP_MESSAGES && u->open.bytes < GROUP_BYTES &&
	       !r->client.stopping &&
	       strcmp(u->v[u->open.first].folder, u->v[u->next].folder) == 0;
}

static int
put_next(struct remote *r, struct up *u, struct err *e)
{
	bool alone = u->next == u->n;
	size_t i;
	int rv;

	if (is_open(u) && !joins(r, u))
		return end_group(r, u);
	if (r->client.stopping)
		return 0;
	if (!alone)
		i = u->next++;
	else if (u->next_single < u->n_singles)
		i = u->singles[u->next_single++];
	else
		return 0;
	if ((rv = open_file(r, u, i, e)) != 1)
		return rv == -1 ? -1 : 1;
	put_message(r, u, i);
	u->open.alone = alone;
	return 1;
}

/* A literal that turns out to be of another length cannot be taken back. */
static int
put_piece(struct remote *r, struct up *u, struct err *e)
{
	char out[2 * PIECE];
	ssize_t got;
	size_t n;

	got = read_piece(&u->file, out, &n);
	if (got == -1 || n > u->file.left || (got == 0 && n < u->file.left))
		return err_set(e, ERR_TEMP,
		    "a message changed while it was being sent to %s",
		    u->v[u->open.last].folder);
	imap_put_data(&r->client.imap, span_bytes(out, n));
	u->file.left -= n;
	if (u->file.left == 0)
		close_file(u);
	return 1;
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct up *u = arg;

	if (is_open(u) && !imap_writing(&r->client.imap)) {
		close_file(u); /* the server does not want it */
		return end_group(r, u);
	}
	return u->file.fd != -1 ? put_piece(r, u, e) : put_next(r, u, e);
}

int
remote_append(struct remote *r, struct remote_append *v, size_t n,
    const struct remote_source *source, struct err *e)
{
	struct up u = {.v = v,
	    .n = n,
	    .source = source,
	    .of = mem_array(n + 1, sizeof(*u.of)),
	    .file = {.fd = -1}};
	struct remote_flight f = {
	    .arg = &u, .put = put, .take = take, .finish = true};
	size_t i;
	int rv;

	for (i = 0; i < n; i++) {
		v[i].done = false;
		v[i].uid = v[i].uidvalidity = 0;
		v[i].code = IMAP_CODE_NONE;
	}
	rv = remote_fly(r, &f, e);
	if (rv == 0 && (u.next < n || u.next_single < u.n_singles))
		rv = err_set(e, ERR_TEMP, "stopped");
	close_file(&u);
	free(u.of);
	free(u.singles);
	free(u.fly);
	free(u.full);
	return rv;
}
