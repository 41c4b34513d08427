/*
 * Being told of changes in the Maildir tree.  Where exactly something happened
 * is not asked: time stamps show it (local_survey()), at little cost.
 */

#include "local_watch.h"

#include <sys/inotify.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "local.h"
#include "os/log.h"

#define MESSAGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define ENDS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define WALKS 8 /* until nothing is new */

/* --- watching ---------------------------------------------------------------- */

/* What is not watched is looked at now and then. */
static void
fall_short(struct local_watch *w)
{
	w->partial = true;
	if (w->said)
		return;
	w->said = true;
	log_warn("not all folders here can be watched (%s): changes "
		 "are found every `poll'%s",
	    strerror(errno),
	    errno == ENOSPC   ? "; raise the sysctl "
				"fs.inotify.max_user_watches"
	    : errno == EMFILE ? "; raise the sysctl "
				"fs.inotify.max_user_instances"
			      : "");
}

void
local_watch_open(struct local_watch *w)
{
	*w = (struct local_watch){.grown = true};
	uidset_init(&w->outer);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd == -1)
		fall_short(w);
}

void
local_watch_close(struct local_watch *w)
{
	if (w->fd != -1)
		close(w->fd);
	uidset_clear(&w->outer);
	w->fd = -1;
}

/* True if it was not watched before. */
static bool
add(struct local_watch *w, const char *dir, const char *part)
{
	char *path =
	    *part == '\0' ? mem_strdup(dir) : mem_printf("%s/%s", dir, part);
	int wd = inotify_add_watch(w->fd, path, MESSAGES | ENDS | IN_ONLYDIR);
	bool fresh = wd > 0 && (uint32_t)wd > w->newest;

	if (fresh)
		w->newest = (uint32_t)wd;
	if (fresh && *part == '\0')
		uidset_add(&w->outer, (uint32_t)wd, (uint32_t)wd);
	/* Not every directory is a Maildir, and any may be gone by now. */
	if (wd == -1 && errno != ENOENT && errno != ENOTDIR)
		fall_short(w);
	free(path);
	return fresh;
}

static bool
add_all(struct local_watch *w, const struct sync *y)
{
	struct words list;
	struct err ignored; /* the pass will meet it, too */
	bool fresh = false;
	char *dir;
	size_t i;

	(void)local_directories(y, &list, &ignored);
	for (i = 0; i < list.n; i++) {
		dir = *list.v[i] == '\0'
		          ? mem_strdup(y->maildir)
		          : mem_printf("%s/%s", y->maildir, list.v[i]);
		fresh |= add(w, dir, "");
		fresh |= add(w, dir, "cur");
		fresh |= add(w, dir, "new");
		free(dir);
	}
	words_clear(&list);
	return fresh;
}

void
local_watch_all(struct local_watch *w, const struct sync *y)
{
	int i;

	w->grown = false;
	if (w->fd == -1)
		return;
	w->partial = false;
	/* What came into a directory before it was watched is seen next. */
	for (i = 0; i < WALKS && add_all(w, y); i++)
		;
	w->said = w->said && w->partial;
}

/* --- news -------------------------------------------------------------------- */

static bool
is_news(struct local_watch *w, const struct inotify_event *ev)
{
	bool outer = ev->wd > 0 && uidset_has(&w->outer, (uint32_t)ev->wd);

	if ((ev->mask & IN_Q_OVERFLOW) != 0 || (ev->mask & ENDS) != 0 ||
	    (outer && (ev->mask & IN_ISDIR) != 0)) {
		w->grown = true;
		return true;
	}
	/* Beside the messages there are files of other programs. */
	return !outer && ev->len > 0 && ev->name[0] != '.';
}

bool
local_watch_news(struct local_watch *w)
{
	union {
		struct inotify_event align;
		char bytes[16384];
	} u;
	const struct inotify_event *ev;
	ssize_t n, at;
	bool news = false;

	while (w->fd != -1 && (n = read(w->fd, u.bytes, sizeof(u.bytes))) > 0)
		for (at = 0; at < n; at += (ssize_t)(sizeof(*ev) + ev->len)) {
			ev = (const struct inotify_event *)(const void
				*)(u.bytes + at);
			news |= is_news(w, ev);
		}
	return news;
}
