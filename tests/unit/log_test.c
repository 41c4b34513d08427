/*
 * os/log: what is written at which level, in which form.
 */

#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/log.h"

#include "tap.h"

static int wiped;

static void
wipe(void)
{
	wiped++;
}

/* What was written to stderr since the last call. */
static const char *
written(void)
{
	static char text[16384];
	ssize_t n;

	n = pread(STDERR_FILENO, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	if (ftruncate(STDERR_FILENO, 0) == -1)
		abort();
	lseek(STDERR_FILENO, 0, SEEK_SET);
	return text;
}

static void
all_levels(void)
{
	log_error("e %d", 1);
	log_warn("w %d", 2);
	log_info("i %d", 3);
	log_wire('>', span_of("A1 NOOP\r\n"));
}

int
main(void)
{
	char name[] = "/tmp/log_test.XXXXXX", stream[64], big[6000];
	struct err e;
	struct stat st;
	int fd = mkstemp(name);

	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		return 1;
	unlink(name);
	unsetenv("JOURNAL_STREAM");

	is_int(log_level_of(-1), LOG_L_QUIET, "-q");
	is_int(log_level_of(0), LOG_L_NORMAL, "neither");
	is_int(log_level_of(1), LOG_L_INFO, "-v");
	is_int(log_level_of(7), LOG_L_TRACE, "-vvvvvvv");
	log_init("fetchd", LOG_L_QUIET);
	all_levels();
	is_str(written(), "fetchd: e 1\n", "quiet: errors only");
	log_init("fetchd", LOG_L_NORMAL);
	all_levels();
	is_str(written(), "fetchd: e 1\nfetchd: warning: w 2\n", "normal");
	log_init("fetchd", LOG_L_INFO);
	all_levels();
	is_str(written(), "fetchd: e 1\nfetchd: warning: w 2\nfetchd: i 3\n",
	    "-v");
	log_init("fetchd", LOG_L_TRACE);
	is_int(log_get(), LOG_L_TRACE, "the level is known");
	log_account("work");
	all_levels();
	is_str(written(),
	    "fetchd: work: e 1\nfetchd: work: warning: w 2\n"
	    "fetchd: work: i 3\nfetchd: work: > A1 NOOP\n",
	    "-vv, with an account");
	log_account(NULL);

	err_set(&e, ERR_PROTO, "server said: %s", "\x1b[31mred\r\nfake: line");
	log_err(&e);
	is_str(written(), "fetchd: server said: \\x1b[31mred\\r\\nfake: line\n",
	    "control characters are escaped");

	memset(big, 'x', sizeof(big));
	log_wire('<', span_bytes(big, sizeof(big)));
	ok(strlen(written()) < 4096, "a line fits PIPE_BUF");

	log_before(wipe);
	log_init("fetchd", LOG_L_NORMAL);
	log_info("silent");
	is_int(wiped, 0, "nothing is wiped for a line that is not written");
	log_error("loud");
	is_int(wiped, 1, "the progress line is wiped first");
	written();

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_init("fetchd", LOG_L_TRACE);
	all_levels();
	is_str(written(),
	    "<3>fetchd: e 1\n<4>fetchd: warning: w 2\n<6>fetchd: i 3\n"
	    "<7>fetchd: > A1 NOOP\n",
	    "priorities in the journal");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_init("fetchd", LOG_L_NORMAL);
	log_error("e");
	is_str(written(), "fetchd: e\n", "stderr is not the journal");
	return done();
}
