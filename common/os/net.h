#ifndef OS_NET_H
#define OS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Connecting over TCP: all addresses of the host by Happy Eyeballs (RFC
 * 8305), or through a SOCKS5 proxy (RFC 1928, 1929), which then resolves.
 */
struct net_options {
	const char *source; /* local address; NULL: any */
	const char *proxy;  /* "socks5://[user[:pw]@]host[:port]"; NULL */
	int64_t timeout;    /* ms for all of it but the system's resolver */
	int stop_fd;        /* readable: give up (ERR_TEMP); -1: none */
};

/*
 * A connected, non-blocking, close-on-exec socket with keepalive and
 * TCP_NODELAY; owned by the caller.  ERR_TEMP with all that was tried;
 * ERR_CONFIG with EX_NOHOST when the name does not exist.
 */
int net_connect(const char *host, uint16_t port, const struct net_options *,
    int *fd_r, struct err *);

/* Whether the peer's address is loopback (or a unix socket). */
bool net_is_loopback(int fd);

/*
 * What this machine calls itself in EHLO (RFC 5321 section 4.1.1.1): its name
 * with its domain or, where that cannot be found out, the address of this end
 * of the socket as a literal; never "localhost", which servers refuse.  May
 * ask the system's resolver.
 */
#define NET_NAME 256
void net_own_name(int fd, char name_r[NET_NAME]);
/* Whether a host of that name could have it on the internet. */
bool net_is_full_name(const char *);

/*
 * SRV lookup (RFC 2782, 6186, 8314): service is "_imaps", "_pop3s",
 * "_submissions", ...  Returns 1 with the target of the best record (priority,
 * then weight); 0 when there is none; -1 when it is "." (not offered at
 * all).  host_r is owned by the caller.
 */
int net_srv(
    const char *service, const char *domain, char **host_r, uint16_t *port_r);

/* (srv.c) The same choice from an answer's bytes: what net_srv() parses. Pure. */
int net_srv_parse(
    const unsigned char *answer, size_t n, char **host_r, uint16_t *port_r);

#endif
