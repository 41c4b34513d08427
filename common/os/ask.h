#ifndef OS_ASK_H
#define OS_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/words.h"

/*
 * What a worker asks of its parent, over a socketpair.  The worker is
 * sandboxed and cannot run anything or read secrets; the parent can, and runs
 * only what the configuration names: the worker chooses by index.
 */
enum ask_type {
	ASK_PASSWORD, /* text: host */
	ASK_TOKEN,
	ASK_TUNNEL,   /* a descriptor comes back */
	ASK_COMMAND,  /* number: index; text: environment; descriptors 0, 1 */
	ASK_PROGRESS, /* text: struct ask_progress; no answer */
	ASK_NOTIFY,   /* text: for systemd; no answer */
	ASK_ANSWER,   /* number: 0 or -1; text: secret or error */
};

#define ASK_TEXT 32768

struct ask_msg {
	enum ask_type type;
	int32_t number;
	uint32_t kind, code; /* of a struct err, when number is -1 */
	uint32_t len;        /* of text */
	char text[ASK_TEXT];
};

struct ask_progress {
	uint64_t messages, messages_total;
	uint64_t bytes, bytes_total;
};

/*
 * Sends and receives a whole message with up to two descriptors (-1: none;
 * received ones are owned by the caller).  ask_recv: 1, 0 when the other side
 * is gone, -1.  Both ends are blocking.
 */
int ask_send(int fd, const struct ask_msg *, const int fds[2]);
int ask_recv(int fd, struct ask_msg *, int fds_r[2]);

/* The worker's side.  fd is its end of the pair.  The parent's absence ends
 * the worker at once (EX_TEMPFAIL). */
int ask_secret(
    int fd, enum ask_type, const char *host, char **secret_r, struct err *);
int ask_tunnel(int fd, int *fd_r, struct err *);

/*
 * Runs command number `index` with descriptors in and out (-1: none) and
 * "NAME=value" words added to its environment.  status_r is waitpid(2)'s;
 * -1 (ERR_TEMP, ERR_CONFIG) when it did not run or overran its time.
 */
int ask_command(int fd, int index, int in, int out, const struct words *env,
    int *status_r, struct err *);

void ask_progress(int fd, const struct ask_progress *);
void ask_notify(int fd, const char *);

/* Tells the service manager's watchdog, when that is due again: to be called
 * wherever the worker waits. */
void ask_alive(int fd);

#endif
