/*
 * Staying: a pass whenever mail comes, or the time of some has come. Each is a
 * process of its own, so that an account whose server is slow holds up none
 * of the others: what one pass has in hand, the next leaves alone.
 */

#include "watch.h"

#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/stop.h"

#define PASSES_MAX 4        /* at a time */
#define LOOK_MS (5 * 60000) /* a look, in any case */
#define AGAIN_MS 60000      /* what a pass could not settle rests */
#define QUIET_MS 50         /* mail comes in bursts */
#define POLL_MOST 60000     /* poll(2) does not count suspended time */

/* A pass under way. */
struct pass {
	pid_t pid; /* 0: none */
	int alive; /* owned; readable when it has ended */
};

struct watch {
	struct runner *runner; /* borrowed */
	int inotify;           /* owned */
	struct pass passes[PASSES_MAX];
	bool news;     /* mail came */
	bool touched;  /* a message was changed, perhaps by a pass */
	bool ended;    /* a pass has ended since the last look */
	int64_t rest;  /* no pass for what was due before that, clock_ms() */
	int64_t begun; /* the last pass, seconds since 1970; 0: none */
	int64_t look;  /* a look is due */
};

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- passes --------------------------------------------------------------------- */

static bool
is_busy(const struct watch *w)
{
	size_t i;

	for (i = 0; i < PASSES_MAX; i++)
		if (w->passes[i].pid > 0)
			return true;
	return false;
}

/* In the child: it ends with us, and what it tells is not for systemd. */
static void
be_pass(struct watch *w, pid_t parent, const sigset_t *stop)
{
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_TEMPFAIL);
	stop_install_worker();
	sigprocmask(SIG_UNBLOCK, stop, NULL);
	unsetenv("NOTIFY_SOCKET");
	close(w->inotify);
	for (i = 0; i < PASSES_MAX; i++)
		if (w->passes[i].pid > 0)
			close(w->passes[i].alive);
	_exit(runner_run(w->runner));
}

static struct pass *
free_pass(struct watch *w)
{
	size_t i;

	for (i = 0; i < PASSES_MAX; i++)
		if (w->passes[i].pid == 0)
			return &w->passes[i];
	return NULL;
}

/* False: there are as many as may be, or it cannot be had now. */
static bool
start(struct watch *w)
{
	struct pass *p = free_pass(w);
	pid_t parent = getpid(), pid;
	sigset_t stop;
	int fds[2];

	if (p == NULL || pipe2(fds, O_CLOEXEC) == -1)
		return false;
	/* A stop that comes before it knows what to do with it waits. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGUSR1);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		be_pass(w, parent, &stop);
	}
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	close(fds[1]);
	if (pid == -1) {
		log_warn("cannot start a pass: %s", strerror(errno));
		close(fds[0]);
		return false;
	}
	*p = (struct pass){.pid = pid, .alive = fds[0]};
	return true;
}

/* --- waiting -------------------------------------------------------------------- */

static int
watch_queue(struct watch *w, struct err *e)
{
	char *path = mem_printf("%s/queue", w->runner->queue->path);
	int rv = 0;

	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify == -1 || inotify_add_watch(w->inotify, path,
				    IN_MOVED_TO | IN_CLOSE_WRITE) == -1)
		rv = err_sys(e, ERR_LOCAL, "cannot watch %s", path);
	free(path);
	return rv;
}

/* Mail comes by a new name; what is closed was changed. */
static void
take_news(struct watch *w)
{
	union {
		struct inotify_event align;
		char bytes[8192];
	} u;
	const struct inotify_event *ev;
	ssize_t n, at;

	while ((n = read(w->inotify, u.bytes, sizeof(u.bytes))) > 0)
		for (at = 0; at < n; at += (ssize_t)(sizeof(*ev) + ev->len)) {
			ev = (const struct inotify_event *)(const void
				*)(u.bytes + at);
			w->news |=
			    (ev->mask & (IN_MOVED_TO | IN_Q_OVERFLOW)) != 0;
			w->touched = true;
		}
}

/* Whatever happened to messages until now is its own doing. */
static void
reap(struct watch *w, struct pass *p)
{
	while (waitpid(p->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(p->alive);
	*p = (struct pass){0};
	take_news(w);
	w->touched = false;
	w->ended = true;
	w->look = 0;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Waits for news, for the end of a pass, for a stop, or until then. */
static void
wait_for_events(struct watch *w, int64_t until)
{
	struct pollfd p[PASSES_MAX + 2];
	int64_t every = notify_watchdog_ms(), ms = until - clock_ms();
	size_t i;

	ms = earlier(ms < 0 ? 0 : ms, POLL_MOST);
	if (every > 0)
		ms = earlier(ms, every / 2);
	for (i = 0; i < PASSES_MAX; i++)
		p[i] = (struct pollfd){
		    .fd = w->passes[i].pid > 0 ? w->passes[i].alive : -1,
		    .events = POLLIN};
	p[i] = (struct pollfd){.fd = w->inotify, .events = POLLIN};
	p[i + 1] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
	if (poll(p, PASSES_MAX + 2, (int)ms) == -1)
		return;
	for (i = 0; i < PASSES_MAX; i++)
		if (p[i].revents != 0)
			reap(w, &w->passes[i]);
	if (p[PASSES_MAX].revents == 0)
		return;
	clock_sleep(QUIET_MS, stop_fd());
	take_news(w);
}

/* --- staying -------------------------------------------------------------------- */

static void
tell(int64_t next, bool busy)
{
	char text[128] = "STATUS=nothing to send", in[32];
	int64_t left = next - now_s();

	if (busy)
		strlcpy(text, "STATUS=sending", sizeof(text));
	else if (next != INT64_MAX) {
		time_show_duration((left < 0 ? 0 : left) * 1000, in);
		snprintf(text, sizeof(text), "STATUS=next in %s", in);
	}
	notify_send(text);
	if (notify_watchdog_ms() != 0)
		notify_send("WATCHDOG=1");
}

/*
 * While a pass is under way, what is due may be what it has in hand: another is
 * started for new mail, and for what fell due since then. What is due when one
 * has ended, it could not settle. Returns when to look again, in clock_ms()
 * terms.
 */
static int64_t
look(struct watch *w)
{
	int64_t wall = now_s(), now = clock_ms(), again = now + LOOK_MS, left;
	struct runner_due d = runner_due(w->runner, wall);
	bool due = d.past != -1, busy = is_busy(w);

	if (!due)
		w->rest = 0;
	else if (w->ended)
		w->rest = now + AGAIN_MS;
	w->news = due && (w->news || d.past > w->begun ||
			     (!busy && (w->touched || now >= w->rest)));
	if (w->news && start(w)) {
		w->news = false;
		w->begun = wall;
	}
	w->touched = w->ended = false;
	tell(due ? wall : d.next, is_busy(w));
	if (due && !is_busy(w))
		again = w->rest;
	left = d.next - wall;
	return left < LOOK_MS / 1000 ? earlier(again, now + left * 1000)
	                             : again;
}

static void
end_passes(struct watch *w)
{
	size_t i;

	for (i = 0; i < PASSES_MAX; i++)
		if (w->passes[i].pid > 0)
			kill(w->passes[i].pid, SIGUSR1);
	for (i = 0; i < PASSES_MAX; i++)
		if (w->passes[i].pid > 0)
			reap(w, &w->passes[i]);
}

int
watch_run(struct runner *r)
{
	struct watch w = {.runner = r, .inotify = -1};
	struct err e;

	if (watch_queue(&w, &e) == -1) {
		log_err(&e);
		return err_exit(&e);
	}
	notify_send("READY=1");
	while (!stop_requested()) {
		/* It is the passes themselves that touch messages. */
		w.touched = w.touched && !is_busy(&w);
		if (w.news || w.touched || clock_ms() >= w.look)
			w.look = look(&w);
		wait_for_events(&w, w.look);
		if (notify_watchdog_ms() != 0)
			notify_send("WATCHDOG=1");
	}
	notify_send("STOPPING=1");
	end_passes(&w);
	close(w.inotify);
	return 0;
}
