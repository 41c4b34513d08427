/*
 * The command line of sendq, and of the programs that it stands in for. Its
 * short options are sendmail's, as the world's scripts have them; its own are
 * long.
 */

#include "face.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/time.h"
#include "os/log.h"

/* sendmail's, by their number of arguments; -c has one as sendq: the file. */
#define NONE "GIUimnstvxT"
#define ONE "A:B:C:D:F:L:M:N:O:R:V:X:b:e:f:h:o:p:r:"
#define PERHAPS "Q::d::q::"
static const char as_sendq[] = NONE ONE PERHAPS "c:";
static const char as_sendmail[] = "+" NONE ONE PERHAPS "c";

/* The modes have their own numbers, from OPT_MODE on. */
enum {
	OPT_AT = 256,
	OPT_DELAY,
	OPT_JSON,
	OPT_SET,
	OPT_CONFIG,
	OPT_WAIT,
	OPT_QUIET,
	OPT_SYSLOG,
	OPT_PROGRESS,
	OPT_HELP,
	OPT_VERSION,
	OPT_MODE,
};

static const struct option longopts[] = {
    {"dry-run", no_argument, NULL, OPT_MODE + FACE_DRY_RUN},
    {"run", no_argument, NULL, OPT_MODE + FACE_RUN},
    {"watch", no_argument, NULL, OPT_MODE + FACE_WATCH},
    {"list", no_argument, NULL, OPT_MODE + FACE_LIST},
    {"show", no_argument, NULL, OPT_MODE + FACE_SHOW},
    {"log", no_argument, NULL, OPT_MODE + FACE_LOG},
    {"hold", no_argument, NULL, OPT_MODE + FACE_HOLD},
    {"release", no_argument, NULL, OPT_MODE + FACE_RELEASE},
    {"remove", no_argument, NULL, OPT_MODE + FACE_REMOVE},
    {"retry-now", no_argument, NULL, OPT_MODE + FACE_RETRY},
    {"at", required_argument, NULL, OPT_AT},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"json", no_argument, NULL, OPT_JSON},
    {"set", required_argument, NULL, OPT_SET},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"verbose", no_argument, NULL, 'v'},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"syslog", no_argument, NULL, OPT_SYSLOG},
    {"progress", no_argument, NULL, OPT_PROGRESS},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static const char *const mode_names[FACE_MODES] = {"", "-bs", "--dry-run",
    "-bv", "--run", "--watch", "--list", "--show", "--log", "--hold",
    "--release", "--remove", "--retry-now", "-bi"};

static const char usage[] =
    "usage: sendq [--at time | --delay time] [option]... recipient... <message\n"
    "       sendq [option]... -t [recipient]... <message\n"
    "       sendq --run | --watch | --list | --log\n"
    "       sendq --show | --hold | --release | --remove | --retry-now\n"
    "             ID... | all\n"
    "\n"
    "Takes a message, makes it durable, and sends it by SMTP.\n"
    "\n"
    "  -t                 recipients are those in the header, too\n"
    "  -f ADDRESS         the envelope's sender\n"
    "  -F NAME            the sender's name, where the header has no From\n"
    "  -i                 a line with a dot alone does not end the message\n"
    "  -N never | success,failure,delay; -R full | hdrs; -V ID\n"
    "                     which reports are wanted, and how\n"
    "      --at TIME      not before then: \"2026-12-01 08:00\", 08:00,\n"
    "                     \"tomorrow 08:00\", +2h\n"
    "      --delay TIME   not before so long: 30s, 2h\n"
    "      --dry-run      show account, envelope and message as they would go\n"
    "\n"
    "      --run, -q      send what is due now\n"
    "      --watch        stay, and send mail as it comes and falls due\n"
    "      --list         what is in the queue (mailq)\n"
    "      --show         messages and what happened to them\n"
    "      --log          what became of all messages\n"
    "      --hold, --release\n"
    "                     keep messages back, and let them go again\n"
    "      --remove       take messages back\n"
    "      --retry-now    try messages again, also those that failed\n"
    "      --json         with --list, --show, --log: one object a line\n"
    "\n"
    "      --config FILE  configuration (default ~/.config/mailroom/config)\n"
    "      --set KEYWORD=VALUE\n"
    "                     sets any keyword of the configuration\n"
    "      --wait         wait for a lock that another run holds\n"
    "      --quiet; -v, --verbose, twice\n"
    "                     errors only; narrate; show the protocol too\n"
    "      --syslog       report to syslog instead of stderr\n"
    "      --help; --version\n"
    "\n"
    "Called as sendmail, mailq or newaliases it does what these do; of\n"
    "sendmail's options it takes all and needs few.\n"
    "\n"
    "  sendq --set smtp=submissions://ada@smtp.example.org bob@example.net\n";

void
face_init(struct face *f)
{
	*f = (struct face){.mode = FACE_ACCEPT};
	words_init(&f->args);
	words_init(&f->sets);
}

void
face_clear(struct face *f)
{
	words_clear(&f->args);
	words_clear(&f->sets);
	free(f->sender);
	free(f->full_name);
	free(f->envid);
	free(f->at);
	free(f->config);
	face_init(f);
}

/* --- what an option says ---------------------------------------------- */

/* What is wrong was said. */
static int
refuse(void)
{
	fputs("try: sendq --help\n", stderr);
	return EX_USAGE;
}

#define REFUSE(...) (log_error(__VA_ARGS__), refuse())

static void
set(char **to, const char *text)
{
	free(*to);
	*to = mem_strdup(text);
}

static int
set_mode(struct face *f, enum face_mode mode)
{
	if (f->mode != FACE_ACCEPT && f->mode != mode)
		return REFUSE("%s and %s do not go together",
		    mode_names[f->mode], mode_names[mode]);
	f->mode = mode;
	return -1;
}

/* -b: what sendmail is to be. */
static int
be(struct face *f, const char *what)
{
	switch (what[1] == '\0' ? what[0] : '\0') {
	case 'm':
		return -1;
	case 'p':
		return set_mode(f, FACE_LIST);
	case 's':
		return set_mode(f, FACE_SMTP);
	case 'v':
		return set_mode(f, FACE_VERIFY);
	case 'i':
		return set_mode(f, FACE_NEWALIASES);
	case 'd':
	case 'D':
		return REFUSE("-b%s: sendq is no server for mail from the "
			      "network; 'sendq --watch' sends what is queued",
		    what);
	default:
		return REFUSE("-b%s: sendq cannot do that", what);
	}
}

/* -o: those that are about what comes in; the others are for a sendmail. */
static void
set_old_option(struct face *f, const char *what)
{
	if (strcmp(what, "i") == 0)
		f->no_dot = true;
	else if (what[0] == 'd')
		f->queue_only = what[1] == 'q' || what[1] == 'd';
}

/* -N: RFC 3461 section 4.1 */
static int
set_notify(struct face *f, const char *text)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} words[] = {
	    {"never", SMTP_NOTIFY_NEVER},
	    {"success", SMTP_NOTIFY_SUCCESS},
	    {"failure", SMTP_NOTIFY_FAILURE},
	    {"delay", SMTP_NOTIFY_DELAY},
	};
	struct span rest = span_of(text), word;
	unsigned int got = 0, bit;
	size_t i;

	while (span_cut(&rest, ',', &word)) {
		for (bit = 0, i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (span_caseeq(span_trim(word), words[i].name))
				bit = words[i].bit;
		if (bit == 0)
			return REFUSE("-N %s: it is 'never', or some of "
				      "success,failure,delay",
			    text);
		got |= bit;
	}
	if (got == 0 ||
	    ((got & SMTP_NOTIFY_NEVER) != 0 && got != SMTP_NOTIFY_NEVER))
		return REFUSE("-N %s: it is 'never', or some of "
			      "success,failure,delay",
		    text);
	f->notify = got;
	return -1;
}

static int
set_ret(struct face *f, const char *text)
{
	if (span_caseeq(span_of(text), "full"))
		f->ret = SMTP_RET_FULL;
	else if (span_caseeq(span_of(text), "hdrs"))
		f->ret = SMTP_RET_HDRS;
	else
		return REFUSE("-R %s: it is 'full' or 'hdrs'", text);
	return -1;
}

/* RFC 3461 section 4.4: printable, up to 100 octets. */
static int
set_envid(struct face *f, const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] < 127)
		n++;
	if (n == 0 || n > 100 || text[n] != '\0')
		return REFUSE(
		    "-V: an envelope ID is 1 to 100 printable characters");
	set(&f->envid, text);
	return -1;
}

/* -q: run the queue once, whatever the interval; -qI ID: that message. */
static int
set_queue_run(struct face *f, const char *what)
{
	if (what == NULL || what[0] != 'I' || what[1] == '\0')
		return set_mode(f, FACE_RUN);
	words_add(&f->args, what + 1);
	return set_mode(f, FACE_RETRY);
}

static int
set_delay(struct face *f, const char *text)
{
	if (!time_duration(text, &f->delay) || f->delay <= 0)
		return REFUSE("--delay %s: write it as 30s, 15m, 2h, 1d", text);
	return -1;
}

/* --- the options ------------------------------------------------------ */

static int
print(const char *text)
{
	fputs(text, stdout);
	return fflush(stdout) == EOF ? EX_IOERR : EX_OK;
}

/* A short one of sendmail's. -1: go on. */
static int
take_short(struct face *f, int ch, const char *arg)
{
	switch (ch) {
	case 'b':
		return be(f, arg);
	case 'q':
		return set_queue_run(f, arg);
	case 'N':
		return set_notify(f, arg);
	case 'R':
		return set_ret(f, arg);
	case 'V':
		return set_envid(f, arg);
	case 'f':
	case 'r':
		set(&f->sender, strcmp(arg, "<>") == 0 ? "" : arg);
		break;
	case 'F':
		set(&f->full_name, arg);
		break;
	case 'o':
		set_old_option(f, arg);
		break;
	case 'i':
		f->no_dot = true;
		break;
	case 't':
		f->from_header = true;
		break;
	case 'v':
		f->verbose = f->verbose < 0 ? 1 : f->verbose + 1;
		break;
	case 'I':
		return set_mode(f, FACE_NEWALIASES);
	case '?':
		return refuse();
	}
	return -1;
}

static int
take_long(struct face *f, int ch, const char *arg, bool sendmail)
{
	if (sendmail && (ch == OPT_SET || ch == OPT_CONFIG))
		return REFUSE("as sendmail there is no --set and no --config: "
			      "call it sendq");
	if (ch >= OPT_MODE)
		return set_mode(f, (enum face_mode)(ch - OPT_MODE));
	switch (ch) {
	case OPT_AT:
		set(&f->at, arg);
		break;
	case OPT_DELAY:
		return set_delay(f, arg);
	case OPT_JSON:
		f->json = true;
		break;
	case OPT_SET:
		words_add(&f->sets, arg);
		break;
	case OPT_CONFIG:
		set(&f->config, arg);
		break;
	case OPT_WAIT:
		f->wait = true;
		break;
	case OPT_QUIET:
		f->verbose = -1;
		break;
	case OPT_SYSLOG:
		f->syslog = true;
		break;
	case OPT_PROGRESS:
		f->progress = true;
		break;
	case OPT_HELP:
		return print(usage);
	case OPT_VERSION:
		return print("sendq (mailroom) " VERSION "\n");
	}
	return -1;
}

/* --- what goes together ----------------------------------------------- */

#define IN(mode) (1u << (mode))
#define ACCEPTING (IN(FACE_ACCEPT) | IN(FACE_DRY_RUN) | IN(FACE_SMTP))
#define BY_ID                                                                 \
	(IN(FACE_SHOW) | IN(FACE_HOLD) | IN(FACE_RELEASE) | IN(FACE_REMOVE) | \
	    IN(FACE_RETRY))
#define WITH_ARGS (ACCEPTING | BY_ID | IN(FACE_VERIFY) | IN(FACE_NEWALIASES))
#define WITH_JSON (IN(FACE_LIST) | IN(FACE_SHOW) | IN(FACE_LOG))

static int
check(const struct face *f)
{
	const char *name = mode_names[f->mode];
	unsigned int mode = IN(f->mode);

	if ((mode & BY_ID) != 0 && f->args.n == 0)
		return REFUSE("%s: which? Give IDs as --list shows them, or "
			      "'all'",
		    name);
	if ((mode & IN(FACE_VERIFY)) != 0 && f->args.n == 0)
		return REFUSE("%s: which addresses?", name);
	if ((mode & WITH_ARGS) == 0 && f->args.n > 0)
		return REFUSE("%s takes no '%s'", name, f->args.v[0]);
	if (f->json && (mode & WITH_JSON) == 0)
		return REFUSE("--json goes with --list, --show or --log");
	/* A web page's -t has got more options than it should. */
	if (f->from_header && (mode & BY_ID) != 0)
		return REFUSE("-t and %s do not go together", name);
	if ((f->at != NULL || f->delay > 0) && (mode & ACCEPTING) == 0)
		return REFUSE("%s is no message to be sent later", name);
	if (f->at != NULL && f->delay > 0)
		return REFUSE("--at and --delay do not go together");
	return -1;
}

static void
take_name(struct face *f, const char *argv0, bool *sendmail_r)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;
	const char *name = slash != NULL ? slash + 1 : argv0;

	*sendmail_r = false;
	if (name == NULL)
		return;
	if (strncmp(name, "mailq", 5) == 0)
		f->mode = FACE_LIST;
	else if (strncmp(name, "newaliases", 10) == 0)
		f->mode = FACE_NEWALIASES;
	else if (strncmp(name, "sendmail", 8) != 0)
		return;
	*sendmail_r = true;
}

int
face_parse(struct face *f, int argc, char **argv)
{
	bool sendmail;
	int ch, rv;

	take_name(f, argc > 0 ? argv[0] : NULL, &sendmail);
	/* Alone, it is no hop count that lacks. */
	if (argc == 2 && strcmp(argv[1], "-h") == 0)
		return print(usage);
	while ((ch = getopt_long(argc, argv, sendmail ? as_sendmail : as_sendq,
		    longopts, NULL)) != -1) {
		if (ch == 'c' && !sendmail)
			ch = OPT_CONFIG;
		rv = ch < 256 ? take_short(f, ch, optarg)
		              : take_long(f, ch, optarg, sendmail);
		if (rv != -1)
			return rv;
	}
	for (; optind < argc; optind++)
		words_add(&f->args, argv[optind]);
	return check(f);
}
