#ifndef SENDQ_FACE_H
#define SENDQ_FACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/words.h"
#include "proto/smtp.h"

/*
 * The command line: sendq's own options, and the faces that it has for those
 * who call it sendmail, mailq or newaliases. It does nothing but understand,
 * and say what it does not.
 */
enum face_mode {
	FACE_ACCEPT, /* a message on standard input */
	FACE_SMTP,   /* -bs: a dialogue there */
	FACE_DRY_RUN,
	FACE_VERIFY, /* -bv: addresses are shown as they resolve */
	FACE_RUN,
	FACE_WATCH,
	FACE_LIST,
	FACE_SHOW,
	FACE_LOG,
	FACE_HOLD,
	FACE_RELEASE,
	FACE_REMOVE,
	FACE_RETRY,
	FACE_NEWALIASES, /* nothing to do */
};
#define FACE_MODES (FACE_NEWALIASES + 1)

struct face {
	enum face_mode mode;
	struct words args; /* recipients, or IDs ("all") */
	/* accepting */
	bool from_header; /* -t */
	bool no_dot;      /* -i, -oi: a line with a dot is a line with a dot */
	char *sender;     /* owned; -f, -r: as written; NULL: not given; "":
	                   * the null sender */
	char *full_name;  /* owned; -F; NULL */
	unsigned int notify; /* -N: enum smtp_notify bits; 0: not given */
	enum smtp_ret ret;   /* -R */
	char *envid;         /* owned; -V; NULL */
	bool queue_only;     /* -odq, -odd */
	char *at;            /* owned; --at, as written; NULL */
	int64_t delay;       /* --delay, ms; 0: not given */
	/* all */
	char *config;      /* owned; --config; NULL: the usual one. sendmail's
	                    * -C is ignored */
	struct words sets; /* --set */
	bool json;
	bool wait;
	int verbose; /* -v; -1: --quiet */
	bool syslog, progress;
};

void face_init(struct face *);
void face_clear(struct face *);

/*
 * Returns -1 to go on, or an exit code to end with (--help, --version: 0, and
 * the text was printed; EX_USAGE, and it was said why). Options of sendmail
 * that mean nothing here are swallowed, with their arguments; none of them
 * writes a file (CVE-2016-10033), and as sendmail, whose command line may be
 * put together by a web page, none runs a command or reads another
 * configuration. There, options end at the first recipient.
 */
int face_parse(struct face *, int argc, char **argv);

#endif
