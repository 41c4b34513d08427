/*
 * Finding a service's host by SRV.  The answer comes from the network: it is
 * parsed with the resolver's own bounded functions, and a target that is no
 * host name is passed over.
 */

#include <sys/types.h>

#include <netinet/in.h>

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/net.h"

struct srv {
	unsigned priority, weight;
	uint16_t port;
	char target[NS_MAXDNAME];
};

/* A host name as it may go to getaddrinfo(3) and into a certificate check. */
static bool
is_host(const char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	return s[strspn(s, good)] == '\0';
}

/* False when the record is not an SRV, or makes no sense. */
static bool
srv_read(ns_msg *msg, int i, struct srv *r)
{
	const unsigned char *d;
	ns_rr rr;

	if (ns_parserr(msg, ns_s_an, i, &rr) == -1 ||
	    ns_rr_type(rr) != ns_t_srv || ns_rr_class(rr) != ns_c_in ||
	    ns_rr_rdlen(rr) < 7)
		return false;
	d = ns_rr_rdata(rr);
	r->priority = ns_get16(d);
	r->weight = ns_get16(d + 2);
	r->port = (uint16_t)ns_get16(d + 4);
	if (dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), d + 6, r->target,
		sizeof(r->target)) == -1)
		return false;
	return r->target[0] == '\0' || (r->port != 0 && is_host(r->target));
}

int
net_srv_parse(
    const unsigned char *answer, size_t n, char **host_r, uint16_t *port_r)
{
	struct srv best = {0}, one;
	bool found = false;
	ns_msg msg;
	int i;

	if (n > NS_MAXMSG || ns_initparse(answer, (int)n, &msg) == -1)
		return 0;
	for (i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (!srv_read(&msg, i, &one))
			continue;
		if (!found || one.priority < best.priority ||
		    (one.priority == best.priority && one.weight > best.weight))
			best = one;
		found = true;
	}
	if (!found)
		return 0;
	if (best.target[0] == '\0')
		return -1;
	*host_r = mem_strdup(best.target);
	*port_r = best.port;
	return 1;
}

int
net_srv(
    const char *service, const char *domain, char **host_r, uint16_t *port_r)
{
	struct __res_state *state = mem_alloc(sizeof(*state));
	unsigned char *answer = mem_alloc(NS_MAXMSG);
	char *name = mem_printf("%s._tcp.%s", service, domain);
	int n = -1, rv = 0;

	if (res_ninit(state) == 0) {
		n = res_nquery(
		    state, name, ns_c_in, ns_t_srv, answer, NS_MAXMSG);
		res_nclose(state);
	}
	if (n > 0)
		rv = net_srv_parse(answer,
		    (size_t)(n < NS_MAXMSG ? n : NS_MAXMSG), host_r, port_r);
	free(name);
	free(answer);
	free(state);
	return rv;
}
