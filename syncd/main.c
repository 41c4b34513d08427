/*
 * syncd: keeps an IMAP account and a Maildir tree the same.  The parent:
 * options, configuration, and a worker for each sync section.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/mem.h"
#include "options.h"
#include "os/log.h"
#include "os/parent.h"
#include "os/stop.h"
#include "worker.h"

enum { OPT_WAIT = 256, OPT_SYSLOG, OPT_ALLOW, OPT_SET };

static const struct option longopts[] = {
    {"help", no_argument, NULL, 'h'},
    {"dry-run", no_argument, NULL, 'n'},
    {"print", no_argument, NULL, 'p'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"watch", no_argument, NULL, 'w'},
    {"null", no_argument, NULL, '0'},
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, OPT_SET},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"syslog", no_argument, NULL, OPT_SYSLOG},
    {"allow-deletes", required_argument, NULL, OPT_ALLOW},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: syncd [-hnpqvV0w] [-c file] [-o keyword=value]...\n"
    "             [account[/folder]... | URL maildir]\n"
    "\n"
    "Keeps an IMAP account and a Maildir tree the same.\n"
    "Without accounts: every `sync' section of the configuration.\n"
    "\n"
    "  -n, --dry-run      list what would be done, a line for each operation\n"
    "  -p, --print        print what was done: new, flags, gone or moved;\n"
    "                     folder; path\n"
    "  -w, --watch        stay, and sync as either side changes\n"
    "  -0, --null         end records with NUL instead of newline\n"
    "  -c, --config FILE  configuration (default ~/.config/mailroom/config)\n"
    "  -o, --set KEYWORD=VALUE\n"
    "                     sets any keyword of the configuration\n"
    "  -q, -v, -vv        errors only; narrate; show the protocol too\n"
    "      --wait         wait for a lock that another run holds\n"
    "      --syslog       report to syslog instead of stderr\n"
    "      --allow-deletes ACCOUNT[/FOLDER]\n"
    "                     let through, once, what the brake held\n"
    "  -h, --help; -V, --version\n"
    "\n"
    "  syncd imaps://ada@imap.example.org ~/Mail/work\n";

struct command_line {
	struct options options;
	char *config; /* borrowed */
	bool syslog;
};

static int
put(const char *text)
{
	return fputs(text, stdout) == EOF || fflush(stdout) == EOF ? EX_IOERR
	                                                           : EX_OK;
}

/* Returns an exit code to end with, or -1 to go on. */
static int
parse(int argc, char **argv, struct command_line *cl, struct conf *c)
{
	struct options *o = &cl->options;
	int ch;

	while ((ch = getopt_long(argc, argv, "hnpqvV0wc:o:", longopts, NULL)) !=
	       -1) {
		switch (ch) {
		case 'h':
			return put(usage);
		case 'V':
			return put("syncd (mailroom) " VERSION "\n");
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
		case 'c':
			cl->config = optarg;
			break;
		case 'o':
		case OPT_SET:
			conf_override(c, optarg);
			break;
		case OPT_WAIT:
			o->wait = true;
			break;
		case OPT_SYSLOG:
			cl->syslog = true;
			break;
		case OPT_ALLOW:
			words_add(&o->allow_deletes, optarg);
			break;
		default:
			fputs("try: syncd --help\n", stderr);
			return EX_USAGE;
		}
	}
	return -1;
}

static int
run_all(const struct options *o, const struct sync *list, size_t n)
{
	static const struct words no_commands;
	struct worker *workers = mem_array(n, sizeof(*workers));
	struct job *jobs = mem_array(n, sizeof(*jobs));
	size_t i;
	int code;

	for (i = 0; i < n; i++) {
		workers[i] = (struct worker){&list[i], o};
		jobs[i] = (struct job){.name = list[i].name,
		    .account = &list[i].account,
		    .commands = &no_commands,
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
	struct sync *list = NULL;
	size_t i, n = 0;
	int code;

	if (cl->config != NULL || !has_url)
		conf_load(c, cl->config,
		    "give a URL: syncd imaps://you@imap.example.org ~/Mail");
	options_syncs(c, (const char *const *)argv, (size_t)argc, &cl->options,
	    &list, &n);
	code = conf_report(c);
	if (code == 0 && cl->options.watch && cl->options.dry_run) {
		log_error("-w stays for ever: it does not go with -n");
		code = EX_USAGE;
	}
	if (code == 0)
		code = run_all(&cl->options, list, n);
	for (i = 0; i < n; i++)
		sync_clear(&list[i]);
	free(list);
	return code;
}

int
main(int argc, char **argv)
{
	struct command_line cl = {.config = NULL};
	struct conf c;
	int code;

	log_init("syncd", LOG_L_NORMAL);
	conf_init(&c);
	words_init(&cl.options.only);
	words_init(&cl.options.allow_deletes);
	cl.options.again = words_line(
	    (const char *const *)argv + 1, argc > 1 ? (size_t)argc - 1 : 0);
	code = parse(argc, argv, &cl, &c);
	if (code == -1) {
		log_init("syncd", log_level_of(cl.options.verbose));
		if (cl.syslog)
			log_syslog();
		stop_install();
		code = run(&cl, &c, argc - optind, argv + optind);
	}
	words_clear(&cl.options.only);
	words_clear(&cl.options.allow_deletes);
	free(cl.options.again);
	conf_clear(&c);
	return code;
}
