/*
 * sendq/face: command lines as programs have them, and what they come to.
 */

#include "face.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "os/log.h"
#include "tap.h"

#define MAX 40

static struct face f;
static char *argv_of[MAX];
static int argc_of;

/* Parses a line of words that are separated by blanks; "''" is an empty one. */
static int
parse(const char *line)
{
	char *copy = strdup(line), *p = copy, *word;
	int rv, i;

	argc_of = 0;
	while ((word = strsep(&p, " ")) != NULL)
		argv_of[argc_of++] =
		    strdup(strcmp(word, "''") == 0 ? "" : word);
	argv_of[argc_of] = NULL;
	free(copy);
	optind = 0;
	face_init(&f);
	rv = face_parse(&f, argc_of, argv_of);
	for (i = 0; i < argc_of; i++)
		free(argv_of[i]);
	return rv;
}

/* The arguments, joined. */
static const char *
args(void)
{
	static char out[256];
	size_t i;

	out[0] = '\0';
	for (i = 0; i < f.args.n; i++) {
		strlcat(out, i > 0 ? " " : "", sizeof(out));
		strlcat(out, f.args.v[i], sizeof(out));
	}
	return out;
}

/* As the programs of the world call it. */
static void
test_callers(void)
{
	static const struct {
		const char *line, *args, *sender, *name;
		bool t, i;
	} all[] = {
	    {"sendmail -FCronDaemon -i -odi -oem -oi -t -f root", "", "root",
		"CronDaemon", true, true},
	    {"/usr/sbin/sendmail -oem -oi -- bob@example.net",
		"bob@example.net", NULL, NULL, false, true},
	    {"sendmail -oem -oi -f ada@example.org -- a@b c@d", "a@b c@d",
		"ada@example.org", NULL, false, true},
	    {"/usr/lib/sendmail -i bob@example.net", "bob@example.net", NULL,
		NULL, false, true},
	    {"sendmail -t -i -fada@example.org", "", "ada@example.org", NULL,
		true, true},
	    {"sendmail -ti -r <>", "", "", NULL, true, true},
	    {"sendmail -t -f ''", "", "", NULL, true, false},
	    {"sendmail -bm -em -m -n -U -G -x -s a@b", "a@b", NULL, NULL, false,
		false},
	    {"sendmail -A c -B 8BITMIME -C /etc/x -D /x -L tag -M a -O "
	     "DeliveryMode=b -X /tmp/log -p esmtp -h 3 -o 7 a@b",
		"a@b", NULL, NULL, false, false},
	    {"sendmail -Ac -B8BITMIME -C/etc/x -d0.1 -d -h3 -OQueue=/x "
	     "-oQ/tmp/q -X/tmp/log -Ltag -pX -c -Q a@b",
		"a@b", NULL, NULL, false, false},
	    {"sendmail a@b -t", "a@b -t", NULL, NULL, false, false},
	    {"sendq a@b -t", "a@b", NULL, NULL, true, false},
	    {"sendq -i -- -x@b", "-x@b", NULL, NULL, false, true},
	    {"sendq", "", NULL, NULL, false, false},
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		is_int(parse(all[i].line), -1, "%s", all[i].line);
		is_int(f.mode, FACE_ACCEPT, "a message");
		is_str(args(), all[i].args, "recipients");
		is_str(f.sender, all[i].sender, "sender");
		is_str(f.full_name, all[i].name, "name");
		ok(f.from_header == all[i].t && f.no_dot == all[i].i, "-t, -i");
		ok(f.config == NULL && !f.queue_only, "nothing else");
		face_clear(&f);
	}
}

static void
test_modes(void)
{
	static const struct {
		const char *line;
		enum face_mode mode;
	} all[] = {
	    {"mailq", FACE_LIST},
	    {"mailq -v -Ac", FACE_LIST},
	    {"/usr/bin/mailq --json", FACE_LIST},
	    {"newaliases", FACE_NEWALIASES},
	    {"sendmail -bi", FACE_NEWALIASES},
	    {"sendmail -bi alias", FACE_NEWALIASES},
	    {"sendmail -I", FACE_NEWALIASES},
	    {"sendmail -bp", FACE_LIST},
	    {"sendmail -b p", FACE_LIST},
	    {"sendmail -bs", FACE_SMTP},
	    {"sendmail -bv ada", FACE_VERIFY},
	    {"sendmail -q", FACE_RUN},
	    {"sendmail -q30m", FACE_RUN},
	    {"sendmail -qp", FACE_RUN},
	    {"sendmail -qRexample.org", FACE_RUN},
	    {"sendmail -qI6925c0a0", FACE_RETRY},
	    {"sendq --run", FACE_RUN},
	    {"sendq -q --run --wait", FACE_RUN},
	    {"sendq --watch -vv", FACE_WATCH},
	    {"sendq --list --json", FACE_LIST},
	    {"sendq --show 69 6a", FACE_SHOW},
	    {"sendq --log", FACE_LOG},
	    {"sendq --hold all", FACE_HOLD},
	    {"sendq --release 69", FACE_RELEASE},
	    {"sendq --remove 69", FACE_REMOVE},
	    {"sendq --retry-now 69", FACE_RETRY},
	    {"sendq --dry-run a@b", FACE_DRY_RUN},
	    {"sendq --dry-run --at 08:00 a@b", FACE_DRY_RUN},
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		is_int(parse(all[i].line), -1, "%s", all[i].line);
		is_int(f.mode, all[i].mode, "its mode");
		face_clear(&f);
	}
	quiet(parse("sendmail -qI6925c0a0") == -1, "parsed");
	is_str(args(), "6925c0a0", "-qI names a message");
	face_clear(&f);
}

static void
test_values(void)
{
	is_int(parse("sendq -N success,Failure,delay -R HDRS -V id+1 --at +2h "
		     "-odq --syslog --progress --set a=b --set c=d -vv a@b"),
	    -1, "many");
	is_int(f.notify,
	    SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY,
	    "-N");
	is_int(f.ret, SMTP_RET_HDRS, "-R");
	is_str(f.envid, "id+1", "-V");
	is_str(f.at, "+2h", "--at");
	ok(f.queue_only && f.syslog && f.progress, "flags");
	is_int(f.sets.n, 2, "--set");
	is_str(f.sets.v[1], "c=d", "the second");
	is_int(f.verbose, 2, "-vv");
	face_clear(&f);
	is_int(parse("sendq -N never -R full --delay 90s --quiet -c conf "
		     "--wait -odq -odi a@b"),
	    -1, "others");
	is_int(f.notify, SMTP_NOTIFY_NEVER, "-N never");
	is_int(f.ret, SMTP_RET_FULL, "-R full");
	is_int(f.delay, 90000, "--delay");
	is_int(f.verbose, -1, "--quiet");
	is_str(f.config, "conf", "-c");
	ok(f.wait && !f.queue_only, "the last -od counts");
	face_clear(&f);
	is_int(parse("sendq --config conf -odd a@b"), -1, "--config");
	is_str(f.config, "conf", "its file");
	ok(f.queue_only, "-odd");
	face_clear(&f);
}

static void
test_refused(void)
{
	static const char *const all[] = {"sendq --nonsense", "sendq -Z",
	    "sendq -f", "sendq --at", "sendq -N", "sendq -N maybe a@b",
	    "sendq -N never,delay a@b", "sendq -N , a@b", "sendq -R all a@b",
	    "sendq -V '' a@b", "sendq -V \x01 a@b", "sendq --delay soon a@b",
	    "sendq --delay 0 a@b", "sendq --delay -1s a@b",
	    "sendq --at 08:00 --delay 1h a@b", "sendmail -bd", "sendmail -bD",
	    "sendmail -bt", "sendmail -bh", "sendmail -b xx", "sendq --run a",
	    "sendq --watch a", "sendq --list a", "mailq a", "sendq --log a",
	    "sendq --show", "sendq --hold", "sendq --release", "sendq --remove",
	    "sendq --retry-now", "sendq -bv", "sendq --list --run",
	    "sendq --hold --release 69", "sendq --json a@b",
	    "sendq --run --json", "sendq --list --at 08:00",
	    "sendq --run --delay 1h", "sendmail --set smtp=x a@b",
	    "sendmail -t --config x", "mailq --set=a=b", "sendmail --conf=x -t",
	    "sendmail -t -i -fx --remove all", "sendq --set"};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		is_int(parse(all[i]), EX_USAGE, "%s", all[i]);
		face_clear(&f);
	}
}

/* --help and --version, whose text goes to standard output. */
static void
test_help(void)
{
	static const char *const all[] = {
	    "sendq --help", "sendq -h", "sendmail --help", "sendq --version"};
	int out = dup(1), null = open("/dev/null", O_WRONLY), rv;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		fflush(stdout);
		dup2(null, 1);
		rv = parse(all[i]);
		fflush(stdout);
		dup2(out, 1);
		is_int(rv, 0, "%s", all[i]);
		face_clear(&f);
	}
	close(out);
	close(null);
	is_int(parse("sendmail -h 3 a@b"), -1, "-h 3 is a hop count");
	face_clear(&f);
}

int
main(void)
{
	/* What is refused is said: not here. */
	dup2(open("/dev/null", O_WRONLY), 2);
	log_init("face", LOG_L_QUIET);
	test_callers();
	test_modes();
	test_values();
	test_refused();
	test_help();
	return done();
}
