/*
 * A model of what must become of mail on both sides, and random changes on both
 * to hold it against:
 *
 *	model SYNCD HOST:PORT USER FIRST COUNT [REPORT]
 *
 * For each of COUNT seeds from FIRST, another client makes, flags, moves and
 * deletes messages on the server, a reader does so in the Maildirs, and syncd
 * runs, is killed, and runs again, until a run does nothing; then both sides
 * must be what the model says.  All is done in the current directory.  A line
 * on standard output, or in the file REPORT, says how much was done.  At the
 * first difference it tells what was done to the message, keeps everything,
 * and exits 1; 2 when it could not do its own part.
 *
 * What must become of a message (DESIGN 6.3, plan.h), by what was done to it
 * since both sides were the same:
 *
 *	nothing, or flags		it is where it was
 *	moved on one side		it is where that side put it last
 *	moved on both			where either put it, or at both places
 *	deleted on one side		it is gone, whatever its flags are
 *	deleted, moved on the other	it is gone, or where it was moved to
 *
 * and of each of its flags: as nobody, or as the one side that changed it left
 * it last; where both did, as either.  Where a reader changed one at the moment at
 * which another client moved the message, as it was before: STORE does not say
 * that it came too late.  It is never anywhere twice, and never
 * gone unless somebody deleted it.  Where runs see one folder each, what is moved
 * from one to another is a copy and a deletion: a change that meets the one is
 * not always seen of the other.  Environment: MODEL_LOUD=1 shows each thing
 * as it is done.
 */

#include <sys/wait.h>

#include <signal.h>

#include "model_client.h"
#include "model_reader.h"
#include "model_world.h"

#define EPOCHS 6
#define SETTLE 8 /* runs until one must have nothing to do */

static struct {
	const char *syncd;
	unsigned int seed, epoch;
	const char *what; /* kind of the epoch */
	double typical;   /* ms that a run takes */
	size_t alone;     /* the folder that is synced; FOLDERS: all */
} run;

/* --- reporting --------------------------------------------------------------------- */

static void differ(size_t id, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void
differ(size_t id, const char *fmt, ...)
{
	char cwd[PATH], flags[8];
	va_list ap;

	fprintf(
	    stderr, "seed %u, step %u (%s): ", run.seed, run.epoch, run.what);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (id != SIZE_MAX)
		fprintf(stderr, "\n  m%zu, from %s/%s:\n%s", id,
		    names[world.v[id].home].name,
		    show_flags(world.v[id].flags, flags),
		    buf_cstr(&world.v[id].log));
	fprintf(stderr, "\n  kept: %s\n",
	    getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "?");
	exit(1);
}

/* --- random changes ---------------------------------------------------------------- */

static size_t
any_folder(void)
{
	size_t f;

	do
		f = prng(FOLDERS);
	while (!world.folder[f]);
	return f;
}

static void
new_folder(void)
{
	size_t f = prng(FOLDERS);

	if (world.folder[f])
		return;
	if (prng(2) == 0 ? make_here(f) : ask("CREATE %s", wire(f)))
		world.folder[f] = true;
}

static void
change_here(void)
{
	size_t f = any_folder(), to = any_folder(), i, k;
	struct local_mail m;

	if (prng(4) == 0) {
		here_new(f);
		return;
	}
	list_here(f);
	for (k = 0; k < 3 && reader.n_mail > 0; k++) {
		i = prng((uint32_t)reader.n_mail);
		m = reader.mail[i];
		if (!is_free(m.id))
			continue;
		switch (prng(10)) {
		case 0:
			here_delete(f, &m);
			break;
		case 1:
		case 2:
			if (f != to && may_move(HERE, m.id) &&
			    access(at(to, "cur"), F_OK) == 0)
				here_move(f, &m, to);
			break;
		case 3:
			if (f != to && may_move(HERE, m.id) &&
			    access(at(to, "cur"), F_OK) == 0)
				here_save(f, &m, to);
			break;
		case 4:
			here_open(f, &m);
			break;
		default:
			here_flag(f, &m);
			break;
		}
		return;
	}
}

static void
change_there(void)
{
	size_t f = any_folder(), to = any_folder(), i, k;
	struct remote_mail m;

	if (prng(4) == 0) {
		there_new(f);
		return;
	}
	if (!list_there(f, false))
		return;
	for (k = 0; k < 3 && client.n_mail > 0; k++) {
		i = prng((uint32_t)client.n_mail);
		m = client.mail[i];
		if (!is_free(m.id))
			continue;
		switch (prng(10)) {
		case 0:
			there_delete(f, &m);
			break;
		case 1:
		case 2:
		case 3:
			if (f != to && may_move(THERE, m.id))
				there_move(f, &m, to);
			break;
		default:
			there_flag(&m);
			break;
		}
		return;
	}
}

/* The same message arrives on both sides. */
static void
change_both(void)
{
	size_t f = any_folder(), id;
	char name[256];

	if (access(at(f, "cur"), F_OK) == -1 || !ask("SELECT %s", wire(f)))
		return;
	id = make_message(HERE, f, 0);
	make_name(name);
	if (!deliver(f, &world.v[id], name, true) ||
	    !append(f, 0, world.v[id].text, world.v[id].n))
		errx(2, "cannot make a message on both sides");
	world.v[id].twin = true;
	note(id, "made on both sides in %s", names[f].name);
}

static void
change(void)
{
	if (prng(40) == 0)
		new_folder();
	if (prng(2) == 0)
		change_here();
	else
		change_there();
}

/* --- runs of syncd -------------------------------------------------------------------- */

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
sleep_ms(double ms)
{
	struct timespec t = {(time_t)(ms / 1e3),
	    (long)((ms - (double)(long)(ms / 1e3) * 1e3) * 1e6)};

	(void)nanosleep(&t, NULL);
}

static pid_t
start_syncd(const char *log)
{
	char layout[40], remove[40], what[40] = "a";
	pid_t pid = fork();
	int fd;

	if (pid == -1)
		err(2, "fork");
	if (pid != 0)
		return pid;
	fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	snprintf(layout, sizeof(layout), "layout=%s", layouts[reader.layout]);
	snprintf(remove, sizeof(remove), "remove=%s",
	    world.remove ? "both" : "none");
	if (run.alone < FOLDERS)
		snprintf(what, sizeof(what), "a/%s", names[run.alone].name);
	execl(run.syncd, "syncd", "-vv", "-c", "conf", "-o", layout, "-o",
	    remove, what, (char *)NULL);
	err(2, "%s", run.syncd);
}

/* The process that talks to the server; 0: none (yet). */
static pid_t
worker_of(pid_t parent)
{
	char path[64], text[64] = "";
	ssize_t n;
	int fd;

	snprintf(
	    path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

static void
kill_one(pid_t pid)
{
	pid_t worker = worker_of(pid);

	world.kills++;
	world.killed = true;
	(void)kill(worker > 0 && prng(3) != 0 ? worker : pid, SIGKILL);
}

/*
 * One run; its exit code, or -1 when it was killed.  `kill_at`: ms after its
 * begin; negative: never.  Meanwhile so many changes are made.
 */
static int
run_syncd(double kill_at, unsigned int meanwhile)
{
	char log[40];
	double began = now_ms(), next = began + prng(5);
	pid_t pid;
	int status = 0;
	bool killed = false;

	snprintf(log, sizeof(log), "log.%u.%u", run.epoch, world.runs++);
	pid = start_syncd(log);
	world.running = true;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (!killed && kill_at >= 0 && now_ms() - began >= kill_at) {
			kill_one(pid);
			killed = true;
		} else if (meanwhile > 0 && now_ms() >= next) {
			change();
			meanwhile--;
			next = now_ms() + prng(6);
		} else
			sleep_ms(0.3);
	}
	world.running = false;
	if (!killed)
		run.typical = 0.8 * run.typical + 0.2 * (now_ms() - began);
	if (killed || WIFSIGNALED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Whether the last run says that it did something. */
static bool
did_something(void)
{
	char log[40], *text;
	size_t n;
	bool yes;

	snprintf(log, sizeof(log), "log.%u.%u", run.epoch, world.runs - 1);
	text = read_file(log, &n);
	yes = text == NULL || strstr(text, " pulled, ") != NULL;
	free(text);
	return yes;
}

/* Runs until one has nothing to do. */
static void
settle(void)
{
	int i, code, locked = 0;

	(void)ask("SELECT INBOX");
	for (i = 0; i < SETTLE; i++) {
		code = run_syncd(-1, 0);
		/* One whose parent was killed may still be at it. */
		if (code == 75 && locked++ < 20) {
			sleep_ms(20);
			i--;
			continue;
		}
		if (code != 0)
			differ(
			    SIZE_MAX, "run %u exits %d", world.runs - 1, code);
		if (!did_something())
			return;
	}
	differ(
	    SIZE_MAX, "after %d runs there is still something to do", SETTLE);
}

static double
some_moment(void)
{
	return run.typical * prng(1000) / 800;
}

/* Runs with faults, then undisturbed ones. */
static void
sync_all(void)
{
	int i, n = (int)prng(4);

	if (world.partly)
		n += 4;
	for (i = 0; i < n; i++) {
		if (world.partly)
			run.alone = prng(8) == 0 ? FOLDERS : any_folder();
		(void)run_syncd(prng(4) != 0 ? some_moment() : -1,
		    world.busy ? 1 + prng(12) : 0);
		sleep_ms(prng(20));
		if (world.busy && prng(2) == 0)
			change();
	}
	run.alone = FOLDERS;
	settle();
}

/* --- what is there in the end --------------------------------------------------------- */

struct place {
	size_t folder;
	unsigned int flags;
	uint32_t uid;
	char name[300];
};

struct places {
	struct place v[4];
	size_t n;
};

/* Of each message, where it is; by side. */
static struct places *found[SIDES];

/* Two MOVEs to the same folder at the same moment: some servers (Dovecot) make
 * both. */
static bool
may_be_twice(const struct message *m)
{
	return m->raced && m->moved[HERE] && m->moved[THERE];
}

static struct place *
add_place(enum side s, size_t id, size_t folder, unsigned int flags,
    const char *text, size_t n)
{
	struct message *m = &world.v[id];
	struct places *p = &found[s][id];
	struct place *at;
	size_t i;

	if (n != m->n || memcmp(text, m->text, n) != 0)
		differ(id, "its bytes in %s are not what they were (%s)",
		    names[folder].name, s == HERE ? "here" : "there");
	for (i = 0; i < p->n; i++)
		if (p->v[i].folder == folder && !may_be_twice(m))
			differ(id, "twice in %s, %s", names[folder].name,
			    s == HERE ? "here" : "there");
	if (p->n == 4)
		differ(id, "in too many places");
	at = &p->v[p->n++];
	*at = (struct place){.folder = folder, .flags = flags & world.usable};
	return at;
}

static void
find_here(size_t folder)
{
	char path[PATH];
	size_t i, n;
	char *text;

	list_here(folder);
	for (i = 0; i < reader.n_mail; i++) {
		struct local_mail *m = &reader.mail[i];
		const char *part = part_of(m->name, m->in_new);

		strlcpy(path, at(folder, part), sizeof(path));
		if (m->id == SIZE_MAX)
			differ(SIZE_MAX, "%s is no message of ours", path);
		text = read_file(path, &n);
		strlcpy(add_place(HERE, m->id, folder, m->flags, text, n)->name,
		    part, sizeof(found[0]->v[0].name));
		free(text);
	}
}

static void
find_there(size_t folder)
{
	size_t i, k, n;
	char *text;

	(void)list_there(folder, true);
	for (i = 0; i < client.n_mail; i++) {
		struct remote_mail *m = &client.mail[i];

		if (m->id == SIZE_MAX)
			differ(SIZE_MAX, "there is no message of ours in %s",
			    names[folder].name);
		text = mem_array(m->n + 1, 1);
		for (k = n = 0; k < m->n; k++)
			if (m->text[k] != '\r')
				text[n++] = m->text[k];
		add_place(THERE, m->id, folder, m->flags, text, n)->uid =
		    m->uid;
		free(text);
	}
}

static void
compare_folders(void)
{
	bool here, there;
	size_t f;

	for (f = 0; f < FOLDERS; f++) {
		here = access(at(f, "cur"), F_OK) == 0;
		there = ask("STATUS %s (MESSAGES)", wire(f));
		/* Some servers make the level above, too. */
		if (here && there && (f == 1 || f == 5))
			world.folder[f] = true;
		if (here != world.folder[f] || there != world.folder[f])
			differ(SIZE_MAX, "%s is %shere and %sthere",
			    names[f].name, here ? "" : "not ",
			    there ? "" : "not ");
	}
}

static void
find_all(void)
{
	size_t f;
	enum side s;

	for (s = HERE; s < SIDES; s++) {
		free(found[s]);
		found[s] = mem_array(world.n + 1, sizeof(*found[s]));
		memset(found[s], 0, (world.n + 1) * sizeof(*found[s]));
	}
	compare_folders();
	for (f = 0; f < FOLDERS; f++) {
		if (!world.folder[f])
			continue;
		find_here(f);
		find_there(f);
	}
}

/* --- what must be there ------------------------------------------------------------------ */

struct sets {
	unsigned int v[8]; /* of folders, as bits */
	size_t n;
};

static void
allow(struct sets *s, unsigned int set)
{
	s->v[s->n++] = set;
}

/* Where it may be. */
static struct sets
places_of(const struct message *m)
{
	unsigned int home = BIT(m->home), to[SIDES];
	bool gone = m->gone[HERE] != NO || m->gone[THERE] != NO;
	struct sets ok = {0};
	enum side s;

	for (s = HERE; s < SIDES; s++)
		to[s] = m->moved[s] ? BIT(m->to[s]) : home;
	if (m->dead || gone)
		allow(&ok, 0);
	if (m->dead)
		return ok;
	if (m->twin || (m->moved[HERE] && m->moved[THERE]))
		allow(&ok, to[HERE] | to[THERE]);
	/* Killed while it was sent, nobody can know that it had come there before
	 * it was deleted: it is sent once more. */
	if (m->born && m->side == HERE && world.killed && m->gone[HERE] == NO &&
	    m->gone[THERE] != NO)
		allow(&ok, to[HERE]);
	/* Nor can a run that does not see where it was moved. */
	if (world.partly && world.killed && m->born && m->side == HERE &&
	    m->moved[THERE])
		allow(&ok, home | to[THERE]);
	for (s = HERE; s < SIDES; s++)
		if (m->twin && ((m->touched[HERE] | m->touched[THERE]) & MARK))
			allow(&ok, to[s]); /* the other is not copied */
		else if (!gone && (m->moved[s] || !m->moved[!s]))
			allow(&ok, to[s]);
		else if (gone && m->gone[s] != YES &&
			 (m->moved[s] || m->gone[!s] != YES))
			allow(&ok, to[s]);
	return ok;
}

static bool
may_be(const struct message *m, unsigned int set)
{
	struct sets ok = places_of(m);
	size_t i;

	for (i = 0; i < ok.n; i++)
		if (ok.v[i] == set)
			return true;
	return false;
}

/* Flags that may not be as they are. */
static unsigned int
wrong_flags(const struct message *m, unsigned int flags)
{
	unsigned int one[SIDES], both, wrong;
	enum side s;

	both = m->touched[HERE] & m->touched[THERE];
	wrong = ~(m->touched[HERE] | m->touched[THERE]) & (flags ^ m->flags);
	for (s = HERE; s < SIDES; s++) {
		one[s] = m->touched[s] & ~both;
		wrong |= one[s] & (flags ^ m->last[s]);
	}
	wrong |= both & (flags ^ m->last[HERE]) & (flags ^ m->last[THERE]);
	/* A deletion wins over flags: of what was saved from it, or sent anew,
	 * they may be as they were before. */
	if (m->twin || m->renamed || m->raced || m->frozen ||
	    (world.partly && (m->moved[HERE] || m->moved[THERE])))
		wrong &= flags ^ m->flags;
	/* Killed when it had shown a change to the other side and not yet noted
	 * it, syncd takes it for one of that side's own. */
	if (world.killed)
		wrong &= ~m->undone;
	/* Without MOVE, what another client changes between the copy and the
	 * deletion is lost with the old one; with it, nobody told whether the change
	 * or the move was first. */
	wrong &= ~m->late;
	/* So may be what changes at one place after a run saw only the other. */
	if (world.partly && (m->moved[HERE] || m->moved[THERE]))
		wrong &= ~(m->touched[HERE] | m->touched[THERE]);
	if (m->twin)
		wrong &= ~MARK;
	return wrong & world.usable;
}

static unsigned int
set_of(const struct places *p)
{
	unsigned int set = 0;
	size_t i;

	for (i = 0; i < p->n; i++)
		set |= BIT(p->v[i].folder);
	return set;
}

static char *
show_places(const struct places *p)
{
	char flags[8], *out = mem_strdup(""), *more;
	size_t i;

	for (i = 0; i < p->n; i++) {
		more = mem_printf("%s %s/%s", out, names[p->v[i].folder].name,
		    show_flags(p->v[i].flags, flags));
		free(out);
		out = more;
	}
	return out;
}

static void
differ_places(size_t id, const char *why)
{
	differ(id, "%s; here:%s; there:%s", why, show_places(&found[HERE][id]),
	    show_places(&found[THERE][id]));
}

/*
 * What is on one side only, and may be: marked as deleted before the other side
 * had it; or, where single messages cannot be expunged, marked by syncd.
 */
static bool
may_be_alone(enum side s, const struct message *m, const struct place *p)
{
	if ((p->flags & MARK) == 0)
		return false;
	if (m->remade || (m->moved[HERE] && m->moved[THERE]))
		return true;
	/* Where it was moved to it is new to a run that sees only that, or sees
	 * that before it sees that it is gone, or when it was deleted besides. */
	if ((world.partly || m->raced || m->gone[!s] != NO) && m->moved[s] &&
	    ((m->flags | m->touched[HERE] | m->touched[THERE]) & MARK) != 0)
		return true;
	if (s == HERE)
		return m->gone[HERE] != NO;
	/* Another client moved it when it was marked and not yet expunged. */
	if (m->gone[HERE] != NO && m->moved[THERE])
		return true;
	if (!world.uidplus &&
	    (m->gone[HERE] != NO || m->moved[HERE] || m->frozen))
		return true;
	return (m->touched[THERE] & MARK) != 0 &&
	       (m->born || m->gone[THERE] != NO);
}

static const struct place *
same_place(const struct places *p, size_t folder)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->v[i].folder == folder)
			return &p->v[i];
	return NULL;
}

/* What is on one side alone, is taken away there: it counts as gone. */
static void
drop(enum side s, size_t id, size_t i)
{
	struct places *p = &found[s][id];
	struct place *at_place = &p->v[i];

	if (s == HERE)
		(void)unlink(at(at_place->folder, at_place->name));
	else if (!ask("SELECT %s", wire(at_place->folder)) ||
		 !ask("UID STORE %u +FLAGS (\\Deleted)", at_place->uid) ||
		 !(ask("UID EXPUNGE %u", at_place->uid) || ask("EXPUNGE")))
		errx(2, "client: %s", client.status);
	p->v[i] = p->v[--p->n];
}

/* Whether there was any. */
static bool
drop_alone(size_t id)
{
	bool any = false;
	enum side s;
	size_t i;

	for (s = HERE; s < SIDES; s++)
		for (i = found[s][id].n; i-- > 0;) {
			struct place *p = &found[s][id].v[i];

			if (same_place(&found[!s][id], p->folder) != NULL)
				continue;
			if (!may_be_alone(s, &world.v[id], p))
				differ_places(id, "on one side only");
			drop(s, id, i);
			any = true;
		}
	return any;
}

static void
judge(size_t id)
{
	struct message *m = &world.v[id];
	struct places *here = &found[HERE][id], *there = &found[THERE][id];
	bool dropped = drop_alone(id);
	size_t i;

	if (!may_be(m, set_of(here)) && !(dropped && here->n == 0))
		differ_places(id, "not where it should be");
	for (i = 0; i < here->n; i++) {
		unsigned int flags =
		    same_place(there, here->v[i].folder)->flags;

		if (here->v[i].flags != flags)
			differ_places(id, "the sides differ");
		if (wrong_flags(m, flags) != 0)
			differ_places(id, "wrong flags");
	}
}

static bool
is_twice_in_one(const struct places *p)
{
	size_t i, k;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < i; k++)
			if (p->v[i].folder == p->v[k].folder)
				return true;
	return false;
}

/* Nobody could tell which is which. */
static void
give_up(size_t id)
{
	enum side s;

	for (s = HERE; s < SIDES; s++)
		while (found[s][id].n > 0)
			drop(s, id, found[s][id].n - 1);
}

/* As it is now is what both sides have. */
static void
agree(size_t id)
{
	struct message *m = &world.v[id];
	struct places *here = &found[HERE][id], *there = &found[THERE][id];

	if (is_twice_in_one(here)) {
		world.doubles++;
		give_up(id);
	}
	m->dead = here->n == 0;
	if (!m->dead) {
		m->home = here->v[0].folder;
		m->flags = here->v[0].flags;
	}
	m->born = m->twin = m->renamed = m->remade = m->raced = m->frozen =
	    false;
	memset(m->moved, 0, sizeof(m->moved));
	memset(m->gone, 0, sizeof(m->gone));
	memset(m->touched, 0, sizeof(m->touched));
	memset(m->last, 0, sizeof(m->last));
	m->undone = m->late = 0;
	buf_reset(&m->log);
	/* Of two places where it was put, one is given up. */
	if (here->n > 1) {
		world.doubles++;
		drop(THERE, id, there->v[0].folder == m->home);
		drop(HERE, id, 1);
		m->frozen = true;
	}
}

static void
compare(void)
{
	size_t id;

	find_all();
	for (id = 0; id < world.n; id++)
		judge(id);
	for (id = 0; id < world.n; id++)
		agree(id);
	world.killed = false;
	/* No folder that may be removed is left open. */
	(void)ask("SELECT INBOX");
}

/* --- steps ------------------------------------------------------------------------------- */

static void
do_quiet(void)
{
	unsigned int n = 20 + prng(40);

	run.what = "changes, then runs";
	world.busy = false;
	for (; n > 0; n--) {
		change();
		if (prng(20) == 0)
			change_both();
	}
	sync_all();
}

static void
do_busy_changes(void)
{
	unsigned int n = 10 + prng(30);

	world.busy = true;
	for (; n > 0; n--)
		change();
	sync_all();
	world.busy = false;
}

static void
do_busy(void)
{
	run.what = "changes during runs";
	do_busy_changes();
}

static void
do_partly(void)
{
	run.what = "changes, then runs of one folder at a time";
	world.partly = true;
	do_busy_changes();
}

/* Nothing is known any more of what both sides had. */
static void
do_forget(void)
{
	run.what = "the state is lost";
	remove_tree("state");
	sync_all();
}

/* A folder without others within it. */
static size_t
some_leaf(void)
{
	size_t f, k;

	for (k = 0; k < 20; k++) {
		f = any_folder();
		if (f != 0 && !(f == 1 && world.folder[3]) &&
		    !(f == 5 && world.folder[6]))
			return f;
	}
	return 0;
}

static size_t
some_absent(void)
{
	size_t f, k;

	for (k = 0; k < 20; k++) {
		f = prng(FOLDERS);
		if (!world.folder[f])
			return f;
	}
	return 0;
}

static void
remake(size_t folder)
{
	size_t id;

	for (id = 0; id < world.n; id++)
		if (world.v[id].home == folder)
			world.v[id].remade = true;
}

/* All messages of a folder have gone with it. */
static void
gone_with(size_t folder)
{
	size_t id;

	for (id = 0; id < world.n; id++)
		if (!world.v[id].dead && world.v[id].home == folder) {
			did_delete(HERE, id, YES);
			note(id, "gone with %s", names[folder].name);
		}
	world.folder[folder] = false;
}

static void
do_remove(void)
{
	size_t f = some_leaf();

	run.what = "a folder is removed";
	if (f == 0)
		return;
	if (prng(2) == 0) {
		run.what = "a folder is removed here";
		remove_here(f);
	} else if (!ask("DELETE %s", wire(f)))
		errx(2, "client: DELETE: %s", client.status);
	world.changes++;
	remake(f);
	if (world.remove)
		gone_with(f);
	sync_all();
}

/* They are in the other folder as well, or only there. */
static void
renamed(size_t from, size_t to, bool only)
{
	size_t id;

	for (id = 0; id < world.n; id++)
		if (!world.v[id].dead && world.v[id].home == from) {
			did_move(HERE, id, to);
			if (!only)
				did_move(THERE, id, from);
			note(id, "in %s, which was renamed to %s",
			    names[from].name, names[to].name);
		}
	world.folder[to] = true;
	world.folder[from] = !only;
}

/* Where neither a level above nor below it would be in the way. */
static bool
can_be_made(size_t from, size_t f)
{
	if ((from == 1 && f == 3) || (from == 5 && f == 6))
		return false;
	return !((f == 3 && !world.folder[1]) || (f == 1 && world.folder[3]) ||
		 (f == 6 && !world.folder[5]) || (f == 5 && world.folder[6]));
}

static void
do_rename(void)
{
	size_t from = some_leaf(), to = some_absent();
	char old[PATH], new[PATH];

	run.what = "a folder is renamed";
	if (from == 0 || to == 0 || !can_be_made(from, to))
		return;
	remake(from);
	world.changes++;
	if (prng(2) == 0) {
		run.what = "a folder is renamed here";
		strlcpy(old, at(from, ""), sizeof(old));
		strlcpy(new, at(to, ""), sizeof(new));
		old[strlen(old) - 1] = new[strlen(new) - 1] = '\0';
		if (rename(old, new) == -1)
			err(2, "renaming %s to %s", old, new);
		renamed(from, to, world.remove);
	} else {
		if (!ask("RENAME %s %s", wire(from), wire(to)))
			errx(2, "client: RENAME: %s", client.status);
		renamed(from, to, world.remove || world.mailboxid);
	}
	sync_all();
}

static uint32_t
validity_of(size_t folder)
{
	const char *p;

	if (!ask("STATUS %s (UIDVALIDITY)", wire(folder)) ||
	    (p = strstr(reply(0), "UIDVALIDITY ")) == NULL)
		errx(2, "client: STATUS: %s", client.status);
	return (uint32_t)strtoul(p + 12, NULL, 10);
}

/* The same messages, but by other UIDs: the ground has moved. */
static void
do_renumber(void)
{
	size_t f = some_leaf(), id;
	uint32_t before;

	run.what = "a folder is made anew there";
	if (f == 0)
		return;
	before = validity_of(f);
	do {
		if (!ask("DELETE %s", wire(f)) || !ask("CREATE %s", wire(f)))
			errx(2, "client: %s", client.status);
		if (validity_of(f) == before)
			sleep_ms(1100);
	} while (validity_of(f) == before);
	for (id = 0; id < world.n; id++) {
		struct message *m = &world.v[id];

		if (m->dead || m->home != f)
			continue;
		if (!append(f, m->flags, m->text, m->n))
			errx(2, "client: APPEND: %s", client.status);
		note(id, "in %s, which was made anew there", names[f].name);
	}
	sync_all();
}

/* The directories look as if nothing had happened in them for long: so they
 * may be taken for unchanged. */
static void
age(void)
{
	struct timespec old[2] = {
	    {.tv_sec = time(NULL) - 100}, {.tv_sec = time(NULL) - 100}};
	size_t f;

	for (f = 0; f < FOLDERS; f++) {
		(void)utimensat(AT_FDCWD, at(f, "cur"), old, 0);
		(void)utimensat(AT_FDCWD, at(f, "new"), old, 0);
	}
	(void)run_syncd(-1, 0);
}

static void
step(void)
{
	switch (prng(run.epoch < 2 ? 5 : 9)) {
	case 0:
		do_quiet();
		break;
	case 1:
		do_partly();
		break;
	case 5:
		do_forget();
		break;
	case 6:
		do_remove();
		break;
	case 7:
		do_rename();
		break;
	case 8:
		do_renumber();
		break;
	default:
		do_busy();
		break;
	}
	compare();
	world.partly = false;
	if (prng(3) == 0)
		age();
}

/* --- a seed -------------------------------------------------------------------------------- */

/* Nothing is on the server, but an empty INBOX. */
static void
empty_server(void)
{
	char why[sizeof(client.status)];
	size_t f;

	for (f = FOLDERS; f-- > 1;) {
		(void)ask("DELETE %s", wire(f));
		strlcpy(why, client.status, sizeof(why));
		if (ask("STATUS %s (MESSAGES)", wire(f)))
			errx(2, "client: DELETE: %s", why);
		(void)ask("UNSUBSCRIBE %s", wire(f));
	}
	if (!list_there(0, false))
		errx(2, "client: INBOX: %s", client.status);
	if (client.n_mail > 0 &&
	    (!ask("UID STORE 1:* +FLAGS.SILENT (\\Deleted)") ||
		!ask("EXPUNGE")))
		errx(2, "client: INBOX: %s", client.status);
}

static void
forget_all(void)
{
	size_t id;

	for (id = 0; id < world.n; id++) {
		free(world.v[id].text);
		buf_clear(&world.v[id].log);
	}
	free(world.v);
	world.v = NULL;
	world.n = 0;
	memset(world.folder, 0, sizeof(world.folder));
}

static void
start_over(void)
{
	size_t f;

	forget_all();
	remove_tree("md");
	remove_tree("state");
	empty_server();
	reader.layout = (enum layout)prng(3);
	world.remove = prng(2) == 0;
	if (mkdir("md", 0700) == -1)
		err(2, "md");
	for (f = 0; f < 4; f++) {
		if (f == 0 || prng(2) == 0) {
			if (!make_here(f))
				err(2, "%s", at(f, ""));
		} else if (!ask("CREATE %s", wire(f)))
			errx(2, "client: CREATE: %s", client.status);
		world.folder[f] = true;
	}
}

/* Logs of runs are kept for one seed. */
static int
remove_log(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	if (ftw->level == 1 && strncmp(path, "./log.", 6) == 0)
		(void)unlink(path);
	return 0;
}

static void
do_seed(unsigned int seed)
{
	run.seed = seed;
	prng_state = 0x9e3779b97f4a7c15u ^ ((uint64_t)seed << 20);
	(void)prng(2);
	(void)nftw(".", remove_log, 20, FTW_PHYS);
	start_over();
	for (run.epoch = 0; run.epoch < EPOCHS; run.epoch++)
		step();
}

static void
write_password(void)
{
	int fd = open("pw", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 || write(fd, "pw\n", 3) != 3)
		err(2, "pw");
	close(fd);
}

static void
write_conf(const char *user, const char *at)
{
	FILE *f = fopen("conf", "w");

	if (f == NULL)
		err(2, "conf");
	fprintf(f,
	    "account a\n"
	    "    imap imap+plain://%s@%s\n"
	    "    password-file pw\n"
	    "sync a\n"
	    "    maildir md\n"
	    "    brake 100%%\n",
	    user, at);
	if (fclose(f) == EOF)
		err(2, "conf");
}

int
main(int argc, char **argv)
{
	unsigned int first, count, i;
	char cwd[PATH], *state, *host, *colon;
	FILE *report = stdout;

	if (argc < 6 || argc > 7 || (colon = strchr(argv[2], ':')) == NULL)
		errx(64, "usage: model SYNCD HOST:PORT USER FIRST COUNT "
			 "[REPORT]");
	run.syncd = argv[1];
	run.typical = 40;
	run.alone = FOLDERS;
	first = (unsigned int)strtoul(argv[4], NULL, 10);
	count = (unsigned int)strtoul(argv[5], NULL, 10);
	if (argc == 7 && (report = fopen(argv[6], "a")) == NULL)
		err(2, "%s", argv[6]);
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		err(2, "getcwd");
	state = mem_printf("%s/state", cwd);
	(void)setenv("XDG_STATE_HOME", state, 1);
	reader.root = "md";
	world.loud = getenv("MODEL_LOUD") != NULL;
	write_password();
	write_conf(argv[3], argv[2]);
	host = mem_strdup(argv[2]);
	host[colon - argv[2]] = '\0';
	client_open(host, (int)strtol(colon + 1, NULL, 10), argv[3]);
	for (i = 0; i < count; i++)
		do_seed(first + i);
	fprintf(report,
	    "%u seeds, %u changes, %u runs, %u kills, %u in two places\n",
	    count, world.changes, world.runs, world.kills, world.doubles);
	free(state);
	free(host);
	return fclose(report) == EOF;
}
