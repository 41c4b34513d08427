#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/*
 * What went wrong, and of which kind.  The kind is chosen by the reaction it
 * calls for.  Lower layers fill a struct err and never log; the worker
 * reacts; main maps kinds to exit codes.
 */
enum err_kind {
	ERR_NONE,
	ERR_TEMP,    /* try again later: network, busy, full */
	ERR_AUTH,    /* a person must mend the credentials */
	ERR_TLS,     /* a person must look at the peer's identity */
	ERR_PROTO,   /* the peer does not speak the protocol */
	ERR_MESSAGE, /* this one message; the others go on */
	ERR_LOCAL,   /* this machine: files, processes */
	ERR_CONFIG,  /* a person must mend the configuration */
};

struct err {
	enum err_kind kind;
	int code;       /* exit code (sysexits.h); 0: by kind */
	char text[960]; /* what, on what, what the peer said, what to do */
};

/* Sets *e; returns -1, so that "return err_set(...)" reads well. */
int err_set(struct err *, enum err_kind, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set(), with an exit code of its own (EX_NOHOST, EX_IOERR, ...). */
int err_code(struct err *, enum err_kind, int code, const char *, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * As err_set(), with ": strerror(errno)" behind it.  ERR_LOCAL errors of a
 * full or over-quota disk become ERR_TEMP's exit code (75), other I/O 74.
 */
int err_sys(struct err *, enum err_kind, const char *, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the text that is there.  Returns -1. */
int err_prefix(struct err *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit code for this error. */
int err_exit(const struct err *);

/*
 * The worse of two exit codes: first any that calls for a person, then
 * EX_TEMPFAIL, then 0.
 */
int err_worse(int, int);

void err_clear(struct err *);

#endif
