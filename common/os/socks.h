#ifndef OS_SOCKS_H
#define OS_SOCKS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* A SOCKS5 proxy (RFC 1928) with or without a login (RFC 1929). */
struct socks {
	struct buf user, password; /* wiped; user empty: no login */
	char *host;                /* owned */
	uint16_t port;
};

/*
 * "socks5://[user[:password]@]host[:port]", percent-decoded; port 1080 when
 * not given.  ERR_CONFIG, whose text does not repeat the URL.  To be cleared
 * in any case.
 */
int socks_parse(const char *url, struct socks *r, struct err *);
void socks_clear(struct socks *);

/*
 * Has the proxy at the other end of fd, which does not block, connect to
 * host:port; a name is resolved by the proxy.  Not a byte behind its answer
 * is read.  deadline: clock_ms().  ERR_CONFIG: the login or the protocol;
 * ERR_TEMP: all else.
 */
int socks_connect(const struct socks *, int fd, const char *host, uint16_t port,
    int64_t deadline, int stop_fd, struct err *);

#endif
