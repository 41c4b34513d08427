/*
 * The messages of a Maildir: a census and a listing that can be trusted, although
 * a mail reader may rename files at any moment.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "local.h"
#include "os/clock.h"
#include "os/stop.h"

#define LOOKS 20         /* at a directory that does not keep still */
#define LOOK_PAUSE_MS 50 /* between them */
#define FRESH_NS \
	2000000000 /* an mtime younger than this may be that of a
			     * change that is yet to come */

/* --- directories ------------------------------------------------------------- */

/* Whether there is to be more. */
typedef bool taker(void *, const char *name, bool in_new);

static int
read_one(
    const struct maildir *m, bool in_new, taker *take, void *arg, struct err *e)
{
	int fd = openat(
	    in_new ? m->new : m->cur, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd != -1 ? fdopendir(fd) : NULL;
	struct dirent *de;
	int saved;

	if (d == NULL && fd != -1)
		close(fd);
	if (d != NULL) {
		for (errno = 0; (de = readdir(d)) != NULL; errno = 0)
			if (de->d_name[0] != '.' &&
			    !take(arg, de->d_name, in_new))
				break;
		saved = de == NULL ? errno : 0;
		closedir(d);
		if (saved == 0)
			return 0;
		errno = saved;
	}
	return err_sys(e, ERR_LOCAL, "%s/%s", m->path, in_new ? "new" : "cur");
}

static int
read_both(const struct maildir *m, taker *take, void *arg, struct err *e)
{
	if (read_one(m, true, take, arg, e) == -1)
		return -1;
	return read_one(m, false, take, arg, e);
}

static bool
take_any(void *arg, const char *name, bool in_new)
{
	(void)name;
	(void)in_new;
	*(bool *)arg = true;
	return false;
}

int
local_is_empty(struct maildir *m, bool *empty_r, struct err *e)
{
	bool any = false;
	int rv = read_both(m, take_any, &any, e);

	*empty_r = !any;
	return rv;
}

static int
mtime_of(int dir, int64_t *ns_r)
{
	struct stat st;

	if (fstat(dir, &st) == -1)
		return -1;
	*ns_r = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	return 0;
}

static int
mtimes(const struct maildir *m, int64_t *cur_r, int64_t *new_r, struct err *e)
{
	if (mtime_of(m->cur, cur_r) == -1 || mtime_of(m->new, new_r) == -1)
		return err_sys(e, ERR_LOCAL, "%s", m->path);
	return 0;
}

/* An mtime as it may be remembered. */
static int64_t
settled(int64_t mtime, int64_t now_ns)
{
	return mtime > now_ns - FRESH_NS ? 0 : mtime;
}

int
local_look(const struct maildir *m, int look, struct err *e)
{
	if (look > 0 && look < LOOKS && !stop_requested())
		clock_sleep(LOOK_PAUSE_MS, stop_fd());
	if (look < LOOKS && !stop_requested())
		return 0;
	return err_set(e, ERR_TEMP, "%s: %s", m->path,
	    stop_requested() ? "stopped"
			     : "it is being changed all the time: later");
}

/* --- census ------------------------------------------------------------------ */

/* Flags have gaps; without these they fit. */
static uint32_t
pack(plan_flags f)
{
	return (uint32_t)(f & 0x3f) | (uint32_t)(f >> 32) << 6;
}

plan_flags
local_mark_flags(const struct local_mark *k)
{
	return (k->flags & 0x3f) | (plan_flags)(k->flags >> 6) << 32;
}

static struct local_mark
mark_of(const struct local_census *c, struct span unique)
{
	uint64_t hash[2];

	hash_span(c->key, unique, hash);
	return (struct local_mark){
	    .hash = hash[0], .more = (uint32_t)hash[1] & 0x1fffffff};
}

static bool
count_file(void *arg, const char *name, bool in_new)
{
	struct local_census *c = arg;
	struct local_mark *k;

	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap + c->cap / 2;
		c->v = mem_resize(c->v, c->cap, sizeof(*c->v));
	}
	k = &c->v[c->n++];
	*k = mark_of(c, local_unique(span_of(name)));
	k->in_new = in_new;
	k->flags = pack(local_flags(span_of(name)));
	return true;
}

static int
compare_hashes(const struct local_mark *x, const struct local_mark *y)
{
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->more < y->more ? -1 : x->more > y->more;
}

/* Of the same message, that in cur/ before that in new/. */
static int
compare_marks(const void *a, const void *b)
{
	const struct local_mark *x = a, *y = b;
	int rv = compare_hashes(x, y);

	if (rv != 0)
		return rv;
	if (x->in_new != y->in_new)
		return x->in_new ? 1 : -1;
	return x->flags < y->flags ? -1 : x->flags > y->flags;
}

static void
sort_census(struct local_census *c)
{
	size_t i, kept = 0;

	if (c->n == 0)
		return;
	qsort(c->v, c->n, sizeof(*c->v), compare_marks);
	for (i = 1; i < c->n; i++) {
		if (compare_hashes(&c->v[i], &c->v[kept]) == 0)
			c->twice++;
		else
			c->v[++kept] = c->v[i];
	}
	c->n = kept + 1;
}

int
local_census(struct maildir *m, struct local_census *c, struct err *e)
{
	int64_t cur, new, cur2, new2, began;
	int look;

	*c = (struct local_census){0};
	arc4random_buf(c->key, sizeof(c->key));
	for (look = 0; local_look(m, look, e) == 0; look++) {
		began = clock_wall_us() * 1000;
		c->n = c->twice = 0;
		if (mtimes(m, &cur, &new, e) == -1 ||
		    read_both(m, count_file, c, e) == -1 ||
		    mtimes(m, &cur2, &new2, e) == -1)
			break;
		if (cur != cur2 || new != new2)
			continue;
		sort_census(c);
		if (c->twice > 0 && local_drop_twins(m))
			continue;
		c->cur_mtime = settled(cur, began);
		c->new_mtime = settled(new, began);
		return 0;
	}
	local_census_clear(c);
	return -1;
}

void
local_census_clear(struct local_census *c)
{
	free(c->v);
	*c = (struct local_census){0};
}

struct local_mark *
local_census_find(const struct local_census *c, struct span unique)
{
	const struct local_mark key = mark_of(c, unique);
	size_t lo = 0, hi = c->n, mid;
	int rv;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		rv = compare_hashes(&c->v[mid], &key);
		if (rv == 0)
			return &c->v[mid];
		if (rv < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* --- listing ----------------------------------------------------------------- */

struct reading {
	struct local_census *census; /* borrowed */
	struct local_list *list;     /* borrowed */
	size_t wanted, text_n, text_cap;
};

static void
add_file(struct reading *r, const char *name, const struct local_mark *k)
{
	size_t n = strlen(name);
	struct local_list *l = r->list;

	if (r->text_n + n + 1 > r->text_cap) {
		r->text_cap = r->text_cap + r->text_cap / 2 + 4096;
		l->text = mem_resize(l->text, r->text_cap, 1);
	}
	memcpy(l->text + r->text_n, name, n + 1);
	l->v[l->n++] = (struct local_file){.name = (uint32_t)r->text_n,
	    .length = (uint16_t)n,
	    .unique = (uint16_t)local_unique(span_of(name)).n,
	    .in_new = k->in_new,
	    .known = k->known,
	    .flags = local_mark_flags(k)};
	r->text_n += n + 1;
}

static bool
take_name(void *arg, const char *name, bool in_new)
{
	struct reading *r = arg;
	struct local_mark *k =
	    local_census_find(r->census, local_unique(span_of(name)));

	if (k == NULL || !k->wanted || k->in_new != in_new ||
	    k->flags != pack(local_flags(span_of(name))) ||
	    r->text_n + strlen(name) > UINT32_MAX)
		return true;
	k->wanted = false;
	add_file(r, name, k);
	return true;
}

static int
compare_names(const void *a, const void *b, void *text)
{
	const struct local_file *x = a, *y = b;
	size_t n = x->unique < y->unique ? x->unique : y->unique;
	int rv = memcmp((char *)text + x->name, (char *)text + y->name, n);

	if (rv != 0)
		return rv;
	return x->unique < y->unique ? -1 : x->unique > y->unique;
}

int
local_names(struct maildir *m, struct local_census *c, struct local_list *l,
    struct err *e)
{
	struct reading r = {.census = c, .list = l};
	size_t i;

	*l = (struct local_list){.cur_mtime = c->cur_mtime,
	    .new_mtime = c->new_mtime,
	    .twice = c->twice};
	for (i = 0; i < c->n; i++)
		r.wanted += c->v[i].wanted;
	if (r.wanted == 0)
		return 1;
	l->v = mem_array(r.wanted, sizeof(*l->v));
	if (read_both(m, take_name, &r, e) == -1) {
		local_list_clear(l);
		return -1;
	}
	if (l->n < r.wanted) {
		local_list_clear(l);
		return 0;
	}
	qsort_r(l->v, l->n, sizeof(*l->v), compare_names, l->text);
	return 1;
}

int
local_list(struct maildir *m, struct local_list *l, struct err *e)
{
	struct local_census c;
	int look, rv = 0;
	size_t i;

	*l = (struct local_list){0};
	for (look = 0; rv == 0; look++) {
		if (local_look(m, look, e) == -1 ||
		    local_census(m, &c, e) == -1)
			return -1;
		for (i = 0; i < c.n; i++)
			c.v[i].wanted = true;
		rv = local_names(m, &c, l, e);
		local_census_clear(&c);
	}
	return rv == 1 ? 0 : -1;
}

void
local_list_clear(struct local_list *l)
{
	free(l->v);
	free(l->text);
	l->v = NULL;
	l->text = NULL;
	l->n = l->twice = 0;
	l->cur_mtime = l->new_mtime = 0;
}

struct span
local_file_name(const struct local_list *l, size_t i)
{
	return span_bytes(l->text + l->v[i].name, l->v[i].length);
}

struct span
local_file_unique(const struct local_list *l, size_t i)
{
	return span_bytes(l->text + l->v[i].name, l->v[i].unique);
}

static int
compare_spans(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int rv = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return rv != 0 ? rv : a.n < b.n ? -1 : a.n > b.n;
}

const struct local_file *
local_list_find(const struct local_list *l, struct span unique)
{
	size_t lo = 0, hi = l->n, mid;
	int rv;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		rv = compare_spans(local_file_unique(l, mid), unique);
		if (rv == 0)
			return &l->v[mid];
		if (rv < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
