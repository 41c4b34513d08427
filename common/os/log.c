/*
 * What a person reads: lines on stderr, in the journal or in syslog.  Owns
 * the process's only global state of that kind, so that no other module has
 * to know where its words go.
 */

#include "os/log.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/mem.h"

#define TEXT_MAX 3800 /* bytes: a line within PIPE_BUF is never mixed */

static struct {
	const char *tool; /* borrowed */
	char *account;    /* owned: "name: "; NULL: none */
	enum log_level level;
	bool journal, syslog;
	void (*before)(void);
} self = {.tool = "mailroom", .level = LOG_L_NORMAL};

/* systemd says which stream is the journal; stderr may be another by now. */
static bool
is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char ours[64];

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

void
log_init(const char *tool, enum log_level level)
{
	self.tool = tool;
	self.level = level;
	self.journal = is_journal();
}

enum log_level
log_level_of(int verbose)
{
	if (verbose < 0)
		return LOG_L_QUIET;
	return verbose == 0   ? LOG_L_NORMAL
	       : verbose == 1 ? LOG_L_INFO
	                      : LOG_L_TRACE;
}

void
log_syslog(void)
{
	openlog(self.tool, LOG_PID, LOG_MAIL);
	self.syslog = true;
}

enum log_level
log_get(void)
{
	return self.level;
}

void
log_account(const char *name)
{
	free(self.account);
	self.account = name == NULL ? NULL : mem_printf("%s: ", name);
}

void
log_before(void (*before)(void))
{
	self.before = before;
}

static void
put_stderr(
    int priority, const char *account, const char *kind, const char *text)
{
	char mark[8] = "", *line;
	size_t n;

	if (self.journal)
		snprintf(mark, sizeof(mark), "<%d>", priority);
	line =
	    mem_printf("%s%s: %s%s%s\n", mark, self.tool, account, kind, text);
	n = strlen(line);
	if (self.before != NULL)
		self.before();
	/* Nobody is left to tell when stderr cannot be written. */
	while (write(STDERR_FILENO, line, n) == -1 && errno == EINTR)
		;
	free(line);
}

static void
put(int priority, const char *kind, struct span text)
{
	int saved = errno;
	char *shown = span_show(text, TEXT_MAX);
	const char *account = self.account != NULL ? self.account : "";

	if (self.syslog)
		syslog(priority, "%s%s%s", account, kind, shown);
	else
		put_stderr(priority, account, kind, shown);
	free(shown);
	errno = saved;
}

void
log_put(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (self.level < level)
		return;
	va_start(ap, fmt);
	text = mem_vprintf(fmt, ap);
	va_end(ap);
	put(level == LOG_L_QUIET    ? LOG_ERR
	    : level == LOG_L_NORMAL ? LOG_WARNING
				    : LOG_INFO,
	    level == LOG_L_NORMAL ? "warning: " : "", span_of(text));
	free(text);
}

void
log_err(const struct err *e)
{
	put(LOG_ERR, "", span_of(e->text));
}

void
log_wire(char direction, struct span line)
{
	char kind[3] = {direction, ' ', '\0'};

	if (self.level < LOG_L_TRACE)
		return;
	while (line.n > 0 &&
	       (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	put(LOG_DEBUG, kind, line);
}
