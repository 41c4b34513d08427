/*
 * The race between addresses (RFC 8305).  No name on loopback has several, so
 * this test is compiled together with the module and hands it lists.
 */

#include "../../common/os/net.c"

#include "pki.h"
#include "tap.h"

static const struct net_options plain = {.timeout = 5000, .stop_fd = -1};

static struct addrinfo
address(struct sockaddr_in *in, uint16_t port, struct addrinfo *next)
{
	*in = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	return (struct addrinfo){.ai_family = AF_INET,
	    .ai_socktype = SOCK_STREAM,
	    .ai_addr = (struct sockaddr *)in,
	    .ai_addrlen = sizeof(*in),
	    .ai_next = next};
}

/* The families in the order of the attempts, as 4 and 6. */
static void
order(const char *given, const struct addrinfo *source, const char *want)
{
	struct addrinfo list[40];
	struct race r = {.source = source};
	char got[40];
	size_t i, n = strlen(given);

	for (i = 0; i < n; i++)
		list[i] = (struct addrinfo){
		    .ai_family = given[i] == '4' ? AF_INET : AF_INET6,
		    .ai_next = i + 1 < n ? &list[i + 1] : NULL};
	interleave(&r, list);
	for (i = 0; i < r.n; i++)
		got[i] = r.a[i].ai->ai_family == AF_INET ? '4' : '6';
	got[i] = '\0';
	is_str(got, want, "%s", given);
}

static void
test_order(void)
{
	struct addrinfo v4 = {.ai_family = AF_INET};

	order("4", NULL, "4");
	order("6644", NULL, "6464");
	order("4466", NULL, "4646");
	order("46666", NULL, "46666");
	order("66664", NULL, "64666");
	order("6464", &v4, "44");
	order("66", &v4, "");
	order("44444444444444444444444444444444444", NULL,
	    "44444444444444444444444444444444");
}

/* A port at which nobody answers: the listener's queue is full. */
struct hole {
	int fd[9];
	uint16_t port;
};

static void
dig(struct hole *h)
{
	struct sockaddr_in in;
	size_t i;

	h->fd[0] = pki_listen(&h->port);
	listen(h->fd[0], 0);
	address(&in, h->port, NULL);
	for (i = 1; i < 9; i++) {
		h->fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(h->fd[i], (struct sockaddr *)&in, sizeof(in));
	}
}

static uint16_t
free_port(void)
{
	uint16_t port;

	close(pki_listen(&port));
	return port;
}

static void
test_race(void)
{
	struct sockaddr_in in[3];
	struct addrinfo list[3];
	struct err e = {0};
	uint16_t good, bad = free_port();
	int fd = -1, l = pki_listen(&good);
	struct hole hole;
	int64_t start = clock_ms();
	size_t i;

	dig(&hole);
	list[0] = address(&in[0], bad, &list[1]);
	list[1] = address(&in[1], good, NULL);
	is_int(race("h", 1, list, NULL, &plain, &fd, &e), 0, "refused, good");
	ok(clock_ms() - start < 200, "a refusal does not delay the next");
	close(fd);
	start = clock_ms();
	list[0] = address(&in[0], hole.port, &list[1]);
	is_int(race("h", 1, list, NULL, &plain, &fd, &e), 0, "mute, good");
	ok(clock_ms() - start >= 250 && clock_ms() - start < 2000,
	    "after 250 ms");
	close(fd);
	start = clock_ms();
	list[1] = address(&in[1], bad, &list[2]);
	list[2] = address(&in[2], good, NULL);
	is_int(race("h", 1, list, NULL, &plain, &fd, &e), 0,
	    "mute, refused, good");
	ok(clock_ms() - start >= 250 && clock_ms() - start < 2000, "in time");
	close(fd);
	list[2] = address(&in[2], bad, NULL);
	is_int(
	    race("h", 7, list, NULL,
		&(struct net_options){.timeout = 900, .stop_fd = -1}, &fd, &e),
	    -1, "mute, refused, refused");
	is_str(e.text,
	    "cannot connect to h:7: 127.0.0.1: no answer, "
	    "127.0.0.1: Connection refused, 127.0.0.1: Connection refused",
	    "all that was tried");
	for (i = 0; i < 9; i++)
		close(hole.fd[i]);
	close(l);
}

int
main(void)
{
	alarm(60);
	test_order();
	test_race();
	return done();
}
