/*
 * fetchd: fetches mail by POP3 or IMAP into Maildirs or through filters,
 * exactly once.  The parent: options, configuration, and a worker for each
 * fetch section.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "options.h"
#include "os/log.h"
#include "os/parent.h"
#include "os/progress.h"
#include "os/stop.h"
#include "worker.h"

enum { OPT_PROGRESS = 256, OPT_WAIT, OPT_SYSLOG, OPT_ALLOW, OPT_SET };

static const struct option longopts[] = {
    {"help", no_argument, NULL, 'h'},
    {"dry-run", no_argument, NULL, 'n'},
    {"print", no_argument, NULL, 'p'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"null", no_argument, NULL, '0'},
    {"watch", no_argument, NULL, 'w'},
    {"once", no_argument, NULL, '1'},
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, OPT_SET},
    {"progress", no_argument, NULL, OPT_PROGRESS},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"syslog", no_argument, NULL, OPT_SYSLOG},
    {"allow-refetch", no_argument, NULL, OPT_ALLOW},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: fetchd [-hnpqvV0w1] [-c file] [-o keyword=value]...\n"
    "              [account... | URL [maildir]]\n"
    "\n"
    "Fetches mail by POP3 or IMAP into a Maildir or through a filter.\n"
    "Without accounts: every `fetch' section of the configuration.\n"
    "\n"
    "  -n, --dry-run      list what would be fetched: account, folder, uid,\n"
    "                     size\n"
    "  -p, --print        print the path of each delivered file\n"
    "  -0, --null         end records with NUL instead of newline\n"
    "  -w, --watch        stay, and fetch mail as it arrives\n"
    "  -1, --once         at most 64 messages of each section\n"
    "  -c, --config FILE  configuration (default ~/.config/mailroom/config)\n"
    "  -o, --set KEYWORD=VALUE\n"
    "                     sets any keyword of the configuration\n"
    "  -q, -v, -vv        errors only; narrate; show the protocol too\n"
    "      --progress     show progress even when stderr is no terminal\n"
    "      --wait         wait for a lock that another run holds\n"
    "      --syslog       report to syslog instead of stderr\n"
    "      --allow-refetch\n"
    "                     fetch a whole mailbox again when none of it is\n"
    "                     recognised\n"
    "  -h, --help; -V, --version\n"
    "\n"
    "  fetchd pop3s://ada@pop.example.org ~/Mail/in\n"
    "  fetchd -o 'deliver=pipe procmail' imaps://ada@imap.example.org/INBOX\n";

struct command_line {
	struct options options;
	char *config; /* borrowed */
	bool syslog;
};

/* Returns an exit code to end with, or -1 to go on. */
static int
parse(int argc, char **argv, struct command_line *cl, struct conf *c)
{
	struct options *o = &cl->options;
	int ch;

	while ((ch = getopt_long(
		    argc, argv, "hnpqvV0w1c:o:", longopts, NULL)) != -1) {
		switch (ch) {
		case 'h':
			fputs(usage, stdout);
			return fflush(stdout) == EOF ? EX_IOERR : EX_OK;
		case 'V':
			puts("fetchd (mailroom) " VERSION);
			return fflush(stdout) == EOF ? EX_IOERR : EX_OK;
		case 'n':
			o->dry_run = true;
			break;
		case 'p':
			o->print = true;
			break;
		case 'q':
			o->verbose = -1;
			break;
		case 'v':
			o->verbose = o->verbose < 0 ? 1 : o->verbose + 1;
			break;
		case '0':
			o->nul = true;
			break;
		case 'w':
			o->watch = true;
			break;
		case '1':
			o->once = true;
			break;
		case 'c':
			cl->config = optarg;
			break;
		case 'o':
		case OPT_SET:
			conf_override(c, optarg);
			break;
		case OPT_PROGRESS:
			o->progress = true;
			break;
		case OPT_WAIT:
			o->wait = true;
			break;
		case OPT_SYSLOG:
			cl->syslog = true;
			break;
		case OPT_ALLOW:
			o->allow_refetch = true;
			break;
		default:
			fputs("try: fetchd --help\n", stderr);
			return EX_USAGE;
		}
	}
	return -1;
}

static int
check_options(const struct options *o, const struct fetch *list, size_t n)
{
	size_t i, k, streams = 0;

	if (o->watch && (o->once || o->dry_run)) {
		log_error("-w stays for ever: it does not go with -1 or -n");
		return EX_USAGE;
	}
	for (i = 0; i < n; i++)
		for (k = 0; k < list[i].n_targets; k++)
			streams += list[i].targets[k].kind == TARGET_STDOUT;
	if (streams > 0 && o->print) {
		log_error("-p and 'deliver mbox -' would mix on standard "
			  "output");
		return EX_USAGE;
	}
	if (streams > 1 && !o->dry_run) {
		log_error("%zu sections would mix on standard output by "
			  "'deliver mbox -': run one at a time",
		    streams);
		return EX_USAGE;
	}
	return 0;
}

static int
run_all(const struct options *o, const struct fetch *list, size_t n)
{
	struct worker *workers = mem_array(n, sizeof(*workers));
	struct job *jobs = mem_array(n, sizeof(*jobs));
	size_t i;
	int code;

	for (i = 0; i < n; i++) {
		workers[i] = (struct worker){&list[i], o};
		jobs[i] = (struct job){.name = list[i].name,
		    .account = &list[i].account,
		    .commands = &list[i].commands,
		    .command_timeout = list[i].command_timeout,
		    .run = worker_run,
		    .arg = &workers[i]};
	}
	code = parent_run(jobs, n);
	free(workers);
	free(jobs);
	return code;
}

static int
run(struct command_line *cl, struct conf *c, int argc, char **argv)
{
	bool has_url = argc > 0 && url_looks_like(argv[0]);
	struct fetch *list = NULL;
	size_t i, n = 0;
	int code;

	if (cl->config != NULL || !has_url)
		conf_load(c, cl->config,
		    "give a URL: fetchd imaps://you@imap.example.org "
		    "~/Mail/in");
	options_fetches(c, (const char *const *)argv, (size_t)argc, &list, &n);
	code = conf_report(c);
	if (code == 0)
		code = check_options(&cl->options, list, n);
	if (code == 0)
		code = run_all(&cl->options, list, n);
	for (i = 0; i < n; i++)
		fetch_clear(&list[i]);
	free(list);
	return code;
}

int
main(int argc, char **argv)
{
	struct command_line cl = {.config = NULL};
	struct conf c;
	int code;

	log_init("fetchd", LOG_L_NORMAL);
	conf_init(&c);
	code = parse(argc, argv, &cl, &c);
	if (code == -1) {
		log_init("fetchd", log_level_of(cl.options.verbose));
		if (cl.syslog)
			log_syslog();
		stop_install();
		progress_init(cl.options.progress);
		code = run(&cl, &c, argc - optind, argv + optind);
	}
	conf_clear(&c);
	return code;
}
