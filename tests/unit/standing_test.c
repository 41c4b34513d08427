/*
 * sendq/standing: limits against a model that counts every second; the file,
 * cut off anywhere, damaged, grown long; and several processes at once.
 */

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "prng.h"
#include "standing.h"
#include "standing_page.h"
#include "tap.h"

#define NOW INT64_C(1764104000)

static char dir[] = "/tmp/standing_test.XXXXXX";
static struct queue queue;
static const struct limit two[] = {{60, 5}, {3600, 12}};

/* --- limits ------------------------------------------------------------ */

#define T 120 /* the model's seconds */

/* Whether k more at this second would pass no limit. */
static bool
may_send(const struct limit *l, size_t n_limits, const uint64_t *sent,
    int64_t now, uint64_t k)
{
	uint64_t sum;
	int64_t t;
	size_t i;

	for (i = 0; i < n_limits; i++) {
		sum = k;
		for (t = now; t >= 0 && t > now - l[i].seconds; t--)
			sum += t < T ? sent[t] : 0;
		if (sum > l[i].n)
			return false;
	}
	return true;
}

static void
check_room(
    const struct limit *l, size_t n_limits, const uint64_t *sent, int64_t now)
{
	struct sent_count v[T];
	int64_t next, t;
	uint64_t room;
	size_t n = 0;

	for (t = 0; t <= now; t++) {
		if (sent[t] > 0)
			v[n++] = (struct sent_count){t, sent[t]};
	}
	room = limit_room(l, n_limits, v, n, now, &next);
	quiet(may_send(l, n_limits, sent, now, room) || room == 0,
	    "%llu are not too many", (unsigned long long)room);
	quiet(!may_send(l, n_limits, sent, now, room + 1), "%llu are all",
	    (unsigned long long)room);
	quiet((next == now) == (room > 0), "now if there is room");
	for (t = now; t < now + 4 * T && !may_send(l, n_limits, sent, t, 1);)
		t++;
	quiet(next == (t < now + 4 * T ? t : INT64_MAX), "at %lld, is %lld",
	    (long long)t, (long long)next);
}

static void
test_model(void)
{
	uint64_t sent[T];
	struct limit l[3];
	size_t i, n_limits;
	int64_t t, now;
	int round;

	for (round = 0; round < 3000; round++) {
		n_limits = 1 + prng(3);
		for (i = 0; i < n_limits; i++)
			l[i] = (struct limit){1 + prng(T), prng(20)};
		now = prng(T);
		for (t = 0; t < T; t++)
			sent[t] = t <= now && prng(4) == 0 ? prng(6) : 0;
		check_room(l, n_limits, sent, now);
	}
	ok(tap_failed == 0, "limits as the model that counts every second");
}

/* Whoever takes what there is, as soon as there is, passes no limit ever. */
static void
test_greedy(void)
{
	static const struct limit l[] = {{7, 3}, {30, 8}};
	struct sent_count v[T];
	uint64_t sent[T] = {0}, room, sum = 0;
	int64_t t, next = 0;
	size_t n = 0;

	for (t = 0; t < T; t++) {
		room = limit_room(l, 2, v, n, t, &next);
		room = room < 2 ? room : 1 + prng((uint32_t)room);
		if (room > 0)
			v[n++] = (struct sent_count){t, room};
		sent[t] = room;
		sum += room;
		quiet(may_send(l, 2, sent, t, 0), "second %lld", (long long)t);
	}
	ok(sum >= 24 && sum <= 40, "all is used: %llu",
	    (unsigned long long)sum);
	is_int(limit_room(l, 0, v, n, t, &next), -1, "no limit, no end");
}

/* --- the file ---------------------------------------------------------- */

static char *
path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/accounts/%s", dir, name);
	return path;
}

static void
put_file(const char *name, const char *text, size_t n)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, n) != (ssize_t)n)
		abort();
	close(fd);
}

/* Owned by the caller. */
static char *
get_file(const char *name)
{
	struct buf b;
	struct err e;
	char *copy;

	buf_init(&b, (size_t)16 << 20);
	if (file_read(path_of(name), &b, &e) == -1)
		abort();
	copy = strdup(buf_cstr(&b));
	buf_clear(&b);
	return copy;
}

static void
wipe(void)
{
	DIR *d = opendir(path_of(""));
	struct dirent *de;

	if (d == NULL)
		abort();
	while ((de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			unlinkat(queue.accounts, de->d_name, 0);
	}
	closedir(d);
}

static struct standing
standing(const char *account)
{
	struct standing s;

	wipe();
	standing_init(&s, &queue, account, two, 2);
	return s;
}

static uint64_t
reserve(struct standing *s, int64_t now, uint64_t want, int64_t *next_r)
{
	uint64_t got = 99;
	struct err e = {0};

	quiet(standing_reserve(s, now, want, &got, next_r, &e) == 0,
	    "reserve: %s", e.text);
	return got;
}

static void
test_reserve(void)
{
	struct standing s = standing("work"), other;
	struct err e;
	int64_t next;
	char *text;

	is_int(reserve(&s, NOW, 3, &next), 3, "three");
	is_int(next, NOW, "at once");
	is_int(reserve(&s, NOW + 10, 3, &next), 2, "and two of three");
	is_int(next, NOW + 60, "more in a minute");
	is_int(reserve(&s, NOW + 59, 1, &next), 0, "none before");
	is_int(next, NOW + 60, "still then");
	is_int(reserve(&s, NOW + 60, 9, &next), 3, "then as many as were");
	is_int(next, NOW + 70, "and the others after theirs");
	is_int(reserve(&s, NOW + 200, 9, &next), 4, "the hour allows four");
	is_int(next, NOW + 3600, "and more after an hour");
	is_int(
	    standing_give_back(&s, NOW + 201, 2, &e), 0, "two are given back");
	is_int(reserve(&s, NOW + 202, 9, &next), 2, "and taken again");
	is_int(reserve(&s, NOW + 202, 0, &next), 0, "nothing wanted");
	text = get_file("work");
	ok(strstr(text, "1764104000 sent 3 ") == text, "in words");
	free(text);

	standing_init(&other, &queue, "home", two, 2);
	is_int(reserve(&other, NOW + 202, 5, &next), 5, "another has its own");
	standing_clear(&other);
	standing_init(&other, &queue, "none", NULL, 0);
	is_int(reserve(&other, NOW, 1000, &next), 1000, "no limits");
	is_int(standing_give_back(&other, NOW, 5, &e), 0, "nor give back");
	is_int(access(path_of("none"), F_OK), -1, "nothing is written");
	standing_clear(&other);
	standing_clear(&s);
	standing_clear(&s);
}

static void
test_zero(void)
{
	static const struct limit none[] = {{60, 0}};
	struct standing s;
	int64_t next;

	wipe();
	standing_init(&s, &queue, "zero", none, 1);
	is_int(reserve(&s, NOW, 1, &next), 0, "a limit of nothing");
	ok(next == INT64_MAX, "is for ever");
	standing_clear(&s);
}

/* What is given back is taken off what the same process sent. */
static void
test_give_back(void)
{
	struct standing s = standing("work");
	char text[256];
	int64_t next;
	struct err e;

	snprintf(text, sizeof(text),
	    "%lld sent 2 1 .\n%lld sent 2 %d .\n%lld sent 1 1 .\n",
	    (long long)NOW, (long long)NOW + 20, (int)getpid(),
	    (long long)NOW + 40);
	put_file("work", text, strlen(text));
	is_int(standing_give_back(&s, NOW + 41, 2, &e), 0, "give back");
	is_int(reserve(&s, NOW + 41, 9, &next), 2, "room for these");
	is_int(next, NOW + 60, "the others count as before");
	is_int(reserve(&s, NOW + 81, 9, &next), 2, "and for as long");
	is_int(standing_give_back(&s, NOW + 81, 100, &e), 0,
	    "more than there was");
	is_int(reserve(&s, NOW + 81, 9, &next), 5, "is all of it");
	standing_clear(&s);
}

static void
test_clock(void)
{
	struct standing s = standing("work");
	int64_t until, next;
	struct err e;

	is_int(reserve(&s, NOW + 1000000, 5, &next), 5, "by a wrong clock");
	is_int(reserve(&s, NOW, 5, &next), 0, "which then was mended");
	is_int(next, NOW + 60, "it is no more than a minute");
	is_int(reserve(&s, NOW + 60, 5, &next), 5, "nor is it later");
	is_int(reserve(&s, NOW + 58, 5, &next), 0, "two seconds back");
	is_int(
	    standing_pause(&s, NOW + 1000000, NOW + 1003600, false, 0, "x", &e),
	    0, "a pause by a wrong clock");
	is_int(standing_paused(&s, NOW, 0, &until, NULL, &e), 0,
	    "which then was mended");
	is_int(standing_paused(&s, NOW + 1000000 - 5, 0, &until, NULL, &e), 1,
	    "five seconds back");
	standing_clear(&s);
}

static void
test_pause(void)
{
	struct standing s = standing("work");
	int64_t until = 0;
	char *why = NULL, *text;
	struct err e;

	is_int(standing_paused(&s, NOW, 7, &until, &why, &e), 0, "no pause");
	is_int(standing_resume(&s, &e), 0, "nothing to resume");
	text = get_file("work");
	is_str(text, "", "and nothing is written");
	free(text);
	is_int(standing_pauses(&s), 0, "none in a row");
	is_int(standing_pause(&s, NOW, NOW + 100, false, 7,
		   "550 5.4.5 Daily . limit\nexceeded 100% .", &e),
	    0, "a pause");
	is_int(standing_paused(&s, NOW + 99, 8, &until, &why, &e), 1,
	    "it waits, whatever the stamp");
	is_int(until, NOW + 100, "until then");
	is_str(why, "550 5.4.5 Daily . limit\nexceeded 100% .", "and why");
	free(why);
	is_int(standing_paused(&s, NOW + 100, 7, &until, NULL, &e), 0, "over");
	is_int(standing_pauses(&s), 1, "one in a row");
	is_int(standing_pause(&s, NOW + 100, NOW + 400, false, 7, "", &e), 0,
	    "another");
	is_int(standing_pauses(&s), 2, "two in a row");
	is_int(standing_paused(&s, NOW + 200, 7, &until, &why, &e), 1, "waits");
	is_str(why, "", "without a reason");
	free(why);
	is_int(standing_resume(&s, &e), 0, "resume");
	is_int(standing_paused(&s, NOW + 200, 7, &until, NULL, &e), 0,
	    "waits no more");
	is_int(standing_pauses(&s), 0, "and it counts anew");
	is_int(standing_pause(&s, NOW + 300, NOW + 400, false, 7, "", &e), 0,
	    "a pause again");
	is_int(standing_pauses(&s), 1, "is the first");
	standing_clear(&s);
}

static void
test_login(void)
{
	struct standing s = standing("work");
	int64_t until = 0, next;
	char *why = NULL;
	struct err e;

	is_int(standing_pause(&s, NOW, NOW + 3600, true, -5, "535 bad", &e), 0,
	    "a login is refused");
	is_int(standing_paused(&s, NOW + 1, -5, &until, &why, &e), 1, "waits");
	is_str(why, "535 bad", "why");
	free(why);
	is_int(standing_paused(&s, NOW + 1, 6, &until, NULL, &e), 0,
	    "no more, once the credentials are others");
	is_int(standing_paused(&s, NOW + 3600, -5, &until, NULL, &e), 0,
	    "nor after an hour");
	is_int(standing_waits(&s, NOW + 1, &until, NULL, &e), 1,
	    "for lists it waits, whatever they are");
	is_int(
	    standing_waits(&s, NOW + 3600, &until, NULL, &e), 0, "for an hour");
	is_int(reserve(&s, NOW, 2, &next), 2, "limits are another matter");
	is_int(standing_paused(&s, NOW + 1, -5, &until, NULL, &e), 1,
	    "and leave the pause");
	standing_clear(&s);
}

/* --- what the server takes ---------------------------------------------- */

static void
test_size(void)
{
	struct standing s = standing("size"), other = standing("other");
	int64_t until;
	struct err e;
	char *text;

	is_int(standing_size(&s), 0, "not told");
	is_int(standing_set_size(&s, 0, &e), 0, "nothing new");
	is_int(access(path_of("size"), F_OK), -1, "is not written");
	is_int(standing_set_size(&s, 26214400, &e), 0, "told");
	is_int(standing_size(&s), 26214400, "and known");
	is_int(standing_size(&other), 0, "of this account");
	is_int(standing_set_size(&s, 26214400, &e), 0, "told again");
	text = get_file("size");
	ok(strchr(text, '\n') == strrchr(text, '\n'), "a line: %s", text);
	free(text);
	is_int(standing_pause(&s, NOW, NOW + 9, false, 0, "x", &e), 0, "pause");
	is_int(standing_size(&s), 26214400, "which changes nothing");
	is_int(standing_set_size(&s, 1000, &e), 0, "another");
	is_int(standing_size(&s), 1000, "counts");
	is_int(standing_paused(&s, NOW, 0, &until, NULL, &e), 1, "it waits");
	standing_clear(&s);
	standing_clear(&other);
}

/* --- crashes ----------------------------------------------------------- */

/* How much is left of the hour's twelve, and whether there is a pause. */
static int
seen(const char *text, size_t n)
{
	struct page p = {0};
	int64_t next;
	int room;

	page_read(span_bytes(text, n), &p);
	room = (int)limit_room(two + 1, 1, p.sent, p.n, NOW + 5, &next);
	room += page_paused(&p, NOW + 5, 3) ? 100 : 0;
	page_clear(&p);
	return room;
}

static void
test_torn(void)
{
	static const char text[] = "1764104000 sent 3 4711 .\n"
				   "1764104001 back 1 4711 .\n"
				   "1764104002 sent 5 12 .\n"
				   "1764104002 pause 1764190402 1 a %2E b .\n"
				   "1764104003 resume .\n"
				   "1764104004 login 1764107602 2 3 535 x .\n"
				   "1764104004 sent 1 12 .\n";
	struct standing s = standing("work");
	char copy[sizeof(text) + 64], *got;
	size_t n, k;
	struct err e;

	for (n = 0; n < sizeof(text) - 1; n++) {
		for (k = n; k > 0 && text[k - 1] != '\n' && text[n] != '\n';)
			k--;
		quiet(
		    seen(text, n) == seen(text, k), "cut to %zu is %zu", n, k);
		put_file("work", text, n);
		quiet(
		    standing_pause(&s, NOW, NOW + 9, false, 0, "end", &e) == 0,
		    "goes on from %zu", n);
		got = get_file("work");
		snprintf(copy, sizeof(copy), "%.*s%s1764104000 pause", (int)n,
		    text, n > 0 && text[n - 1] != '\n' ? "\n" : "");
		quiet(strncmp(got, copy, strlen(copy)) == 0,
		    "a line of its own: %s", got);
		quiet(seen(got, strlen(got)) == seen(text, k) % 100 + 100,
		    "and it counts behind %zu", n);
		free(got);
	}
	ok(tap_failed == 0, "cut off anywhere: as without that line");
	standing_clear(&s);
}

static void
test_damage(void)
{
	static const char text[] =
	    "\n\0\0\0\0\0\0 .\n1764104000 sent 3 1 .\nrubbish\n"
	    "1764104000 sent 3\0 1 .\n1764104000 sent 3 .\n"
	    "1764104000 sent x 1 .\n1764104000 sent 4294967296 1 .\n"
	    "1764104000 lost 3 1 .\n1764104000 pause .\n-1 sent 3 1 .\n"
	    "1764104000 login 99 1 .\n1764104000 back -1 1 .\n .\n";

	is_int(
	    seen(text, sizeof(text) - 1), 12 - 3, "a damaged line is as none");
}

static void
test_unwritable(void)
{
	struct standing s = standing("work");
	struct err e = {0};
	int64_t until, next;
	uint64_t got = 9;

	if (mkdirat(queue.accounts, "work", 0700) == -1)
		abort();
	is_int(standing_reserve(&s, NOW, 1, &got, &next, &e), -1,
	    "a directory in its place");
	ok(got == 0 && e.kind == ERR_LOCAL &&
		strstr(e.text, "accounts/work") != NULL,
	    "%s", e.text);
	is_int(standing_paused(&s, NOW, 0, &until, NULL, &e), -1, "nor read");
	is_int(standing_pauses(&s), 0, "of unknown number");
	unlinkat(queue.accounts, "work", AT_REMOVEDIR);
	if (symlinkat("elsewhere", queue.accounts, "work") == -1)
		abort();
	is_int(standing_pause(&s, NOW, NOW, false, 0, "x", &e), -1,
	    "no link is followed");
	standing_clear(&s);
}

/* --- names ------------------------------------------------------------- */

static void
test_names(void)
{
	static const char *const names[] = {"", ".", "..", "../../x", "a/b",
	    "work", "work@1", "work@lock", "work@new", "%", "%2E", "a b", "\n",
	    "\xc3\xa4", "submissions://ada@smtp.example.org"};
	char longest[3000], other[3000];
	struct standing s[16];
	struct err e;
	size_t i, n = sizeof(names) / sizeof(names[0]);
	int64_t next;

	wipe();
	for (i = 0; i < n; i++) {
		standing_init(&s[i], &queue, names[i], two, 2);
		is_int(reserve(&s[i], NOW, 5, &next), 5, "name %zu is new", i);
	}
	for (i = 0; i < n; i++) {
		is_int(reserve(&s[i], NOW, 5, &next), 0, "and is one");
		standing_clear(&s[i]);
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	memcpy(other, longest, sizeof(other));
	other[sizeof(other) - 2] = 'y';
	standing_init(&s[0], &queue, longest, two, 2);
	standing_init(&s[1], &queue, other, two, 2);
	is_int(reserve(&s[0], NOW, 5, &next), 5, "a very long name");
	is_int(reserve(&s[1], NOW, 5, &next), 5, "and another");
	is_int(standing_pause(&s[1], NOW, NOW, false, 0, "x", &e), 0, "each");
	standing_clear(&s[0]);
	standing_clear(&s[1]);
}

/* --- growth ------------------------------------------------------------ */

static void
test_growth(void)
{
	static const struct limit day[] = {{86400, 1000000}, {60, 1000}};
	struct standing s;
	struct stat st = {0};
	uint64_t got, sum = 0;
	int64_t next, t, until;
	struct err e;
	char *text, *p;

	wipe();
	standing_init(&s, &queue, "long", day, 2);
	is_int(standing_pause(&s, NOW, NOW + 200000, true, 9, "a . b", &e), 0,
	    "a pause");
	is_int(standing_set_size(&s, 1000, &e), 0, "a size");
	for (t = NOW; t < NOW + 90000; t += 17) {
		quiet(standing_reserve(&s, t, 3, &got, &next, &e) == 0 &&
			  got == 3,
		    "reserve at %lld", (long long)t);
		quiet(stat(path_of("long"), &st) == 0 && st.st_size < 70000,
		    "size %lld", (long long)st.st_size);
	}
	text = get_file("long");
	for (p = text; (p = strstr(p, " sent ")) != NULL; p++)
		sum += strtoull(p + 6, NULL, 10);
	free(text);
	/* all of the last day, and nothing twice */
	ok(sum >= (uint64_t)86400 / 17 * 3 &&
		sum <= (uint64_t)(90000 + 16) / 17 * 3,
	    "%llu recipients", (unsigned long long)sum);
	is_int(standing_paused(&s, NOW + 90000, 9, &until, &p, &e), 1,
	    "the pause is still there");
	is_str(p, "a . b", "in full");
	free(p);
	is_int(standing_size(&s), 1000, "and so is the size");
	is_int(standing_reserve(&s, t, 1000000, &got, &next, &e), 0, "more");
	is_int(got, 1000 - 3 * 3, "and the last minute is exact");
	is_int(access(path_of("long@new"), F_OK), -1, "nothing is left over");
	standing_clear(&s);
}

/* A minute's sum is told as late as its last. */
static void
test_shorten(void)
{
	static const struct limit hour[] = {{3600, 1000000}};
	static const struct limit day[] = {{86400, 1000000}};
	struct sent_count last, last2;
	struct page p = {0};
	int64_t t, next, now = NOW + 7200;
	uint64_t before, after;
	size_t n;

	for (t = NOW; t < now; t += 1 + prng(9))
		page_sent(&p, t, 1 + prng(5), prng(3));
	last = p.sent[p.n - 1];
	last2 = p.sent[p.n - 2];
	before = limit_room(hour, 1, p.sent, p.n, now, &next);
	n = p.n;
	page_shorten(&p, now, 3600);
	ok(p.n < n / 4, "%zu entries of %zu", p.n, n);
	ok(memcmp(&last, &p.sent[p.n - 1], sizeof(last)) == 0 &&
		memcmp(&last2, &p.sent[p.n - 2], sizeof(last)) == 0,
	    "the last minute as it was");
	after = limit_room(hour, 1, p.sent, p.n, now, &next);
	ok(after <= before && before - after < 60 * 5, "no limit is passed");
	for (t = now; t < now + 3700; t += 7)
		quiet(limit_room(hour, 1, p.sent, p.n, t, &next) >= after,
		    "less with time");
	before = limit_room(day, 1, p.sent, p.n, now + 70000, &next);
	page_sent(&p, now, 0, 1);
	page_sent(&p, now + 60, 0, 1);
	page_shorten(&p, now + 70000, 3600);
	is_int(limit_room(day, 1, p.sent, p.n, now + 70000, &next), before,
	    "a day is kept");
	is_int(p.sent[p.n - 1].time, last.time, "but not what was given back");
	page_shorten(&p, now + 90000, 3600);
	is_int(p.n, 0, "a day later all is gone");
	page_clear(&p);
}

/* --- several at once --------------------------------------------------- */

static const struct limit plenty[] = {{86400, 400}};
static int number; /* of the child */
static int barrier[2], told[2], locked = -1;

static pid_t
start(void (*run)(void))
{
	pid_t pid;

	number++;
	if ((pid = fork()) == -1)
		abort();
	if (pid == 0) {
		run();
		_exit(0);
	}
	return pid;
}

static bool
ended(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Takes one to three until there is none; gives one back now and then. */
static void
taker(void)
{
	struct standing s;
	uint64_t got, mine = 0;
	int64_t next;
	struct err e;
	char name[32];

	prng_state += (uint64_t)number * 7919;
	close(barrier[1]);
	if (read(barrier[0], name, 1) != 0)
		_exit(1);
	standing_init(&s, &queue, "shared", plenty, 1);
	for (;;) {
		if (standing_reserve(&s, NOW, 1 + prng(3), &got, &next, &e) ==
		    -1)
			_exit(1);
		if (got == 0)
			break;
		mine += got;
		if (prng(5) == 0 && standing_give_back(&s, NOW, 1, &e) == 0)
			mine--;
	}
	snprintf(name, sizeof(name), "got-%d", (int)getpid());
	put_file(name, (char *)&mine, sizeof(mine));
	standing_clear(&s);
}

static void
test_race(void)
{
	pid_t pids[6];
	uint64_t mine, sum = 0;
	char name[32];
	size_t i;
	int fd;

	wipe();
	if (pipe(barrier) == -1)
		abort();
	for (i = 0; i < 6; i++)
		pids[i] = start(taker);
	close(barrier[0]);
	close(barrier[1]); /* all start at once */
	for (i = 0; i < 6; i++) {
		ok(ended(pids[i]), "one of six");
		snprintf(name, sizeof(name), "got-%d", (int)pids[i]);
		fd = open(path_of(name), O_RDONLY);
		if (fd == -1 || read(fd, &mine, sizeof(mine)) != sizeof(mine))
			mine = 9999;
		close(fd);
		sum += mine;
	}
	is_int(sum, 400, "together they got just what there was");
}

static void
waiter(void)
{
	struct standing s;
	uint64_t got = 0;
	int64_t next;
	struct err e;

	close(locked); /* or else we would be among those who hold it */
	standing_init(&s, &queue, "shared", plenty, 1);
	if (standing_reserve(&s, NOW, 1, &got, &next, &e) == -1 || got != 1 ||
	    write(told[1], "x", 1) != 1)
		_exit(1);
	standing_clear(&s);
}

/* Nobody changes what another is changing. */
static void
test_lock(void)
{
	struct pollfd pfd = {.events = POLLIN};
	pid_t pid;

	wipe();
	locked = open(path_of("shared@lock"), O_RDWR | O_CREAT, 0600);
	if (pipe(told) == -1 || flock(locked, LOCK_EX) == -1)
		abort();
	pid = start(waiter);
	pfd.fd = told[0];
	is_int(poll(&pfd, 1, 150), 0, "locked: another waits");
	is_int(access(path_of("shared"), F_OK), -1, "and writes nothing");
	close(locked);
	ok(ended(pid), "until it is free");
	close(told[0]);
	close(told[1]);
}

static void
killed(void)
{
	struct standing s;
	uint64_t got;
	int64_t next;
	struct err e;

	standing_init(&s, &queue, "shared", plenty, 1);
	for (;;) {
		if (standing_reserve(&s, NOW, 1, &got, &next, &e) == -1 ||
		    got == 0 || standing_give_back(&s, NOW, 1, &e) == -1)
			_exit(1);
	}
}

/* Killed anywhere: nothing is stuck, and at most what it held is lost. */
static void
test_killed(void)
{
	struct standing s;
	uint64_t got = 0;
	int64_t next;
	struct err e;
	pid_t pid;
	int i;

	wipe();
	for (i = 0; i < 25; i++) {
		pid = start(killed);
		clock_sleep(prng(12), -1);
		kill(pid, SIGKILL);
		ended(pid);
	}
	standing_init(&s, &queue, "shared", plenty, 1);
	is_int(standing_reserve(&s, NOW, 9999, &got, &next, &e), 0,
	    "after 25 were killed");
	ok(got >= 375 && got <= 400, "room for %llu", (unsigned long long)got);
	standing_clear(&s);
}

static void
sitter(void)
{
	struct standing s;
	struct err e;
	int fd = -1;

	standing_init(&s, &queue, "work", NULL, 0);
	if (standing_session(&s, 2, &fd, &e) == -1 || fd == -1 ||
	    write(told[1], "x", 1) != 1)
		_exit(1);
	clock_sleep(60000, -1);
}

static void
test_session(void)
{
	struct standing s = standing("work");
	int fd = -1, fd2 = -1, fd3 = 0;
	struct err e;
	char c;
	pid_t pid;

	if (pipe(told) == -1)
		abort();
	pid = start(sitter);
	close(told[1]);
	is_int(read(told[0], &c, 1), 1, "another has a session");
	close(told[0]);
	is_int(standing_session(&s, 2, &fd, &e), 0, "a session");
	ok(fd != -1, "the second of two");
	is_int(standing_session(&s, 2, &fd3, &e), 0, "a third");
	is_int(fd3, -1, "has no place");
	is_int(standing_session(&s, 3, &fd2, &e), 0, "of three");
	ok(fd2 != -1, "it has");
	close(fd2);
	kill(pid, SIGKILL);
	ended(pid);
	is_int(standing_session(&s, 2, &fd2, &e), 0, "after one was killed");
	ok(fd2 != -1, "its place is free");
	close(fd);
	close(fd2);
	standing_clear(&s);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL || mkdir(path_of(""), 0700) == -1)
		return 1;
	queue = (struct queue){.path = dir};
	queue.accounts = open(path_of(""), O_RDONLY | O_DIRECTORY);
	test_model();
	test_greedy();
	test_reserve();
	test_zero();
	test_give_back();
	test_clock();
	test_pause();
	test_login();
	test_size();
	test_torn();
	test_damage();
	test_unwritable();
	test_names();
	test_growth();
	test_shorten();
	test_race();
	test_lock();
	test_killed();
	test_session();
	wipe();
	rmdir(path_of(""));
	rmdir(dir);
	return done();
}
