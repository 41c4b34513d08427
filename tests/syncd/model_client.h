/*
 * Another client on the server: a few blocking commands, one at a time.
 */
#ifndef TESTS_SYNCD_MODEL_CLIENT_H
#define TESTS_SYNCD_MODEL_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <strings.h>
#include <unistd.h>

#include "model_world.h"

#define REPLIES 4096

struct remote_mail {
	uint32_t uid;
	unsigned int flags;
	size_t id;        /* SIZE_MAX: none of ours */
	const char *text; /* borrowed, until the next command */
	size_t n;
};

static struct client {
	int fd;
	unsigned int tag;
	struct buf in, said;
	size_t reply[REPLIES + 1], n; /* where each response begins in `said` */
	char status[512];             /* the tagged one, behind the tag */
	char prefix[64], sep;
	struct remote_mail mail[2000]; /* of the folder that was listed last */
	size_t n_mail;
} client;

/* --- bytes --------------------------------------------------------------------- */

static void
receive(void)
{
	char *to = buf_reserve(&client.in, 65536);
	ssize_t n = to != NULL ? read(client.fd, to, 65536) : -1;

	if (n <= 0)
		err(2, "client: the server is gone");
	buf_commit(&client.in, (size_t)n);
}

static void
transmit(const char *p, size_t n)
{
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done)
		if ((done = write(client.fd, p, n)) <= 0)
			err(2, "client: writing");
}

/* Moves n bytes of input to what was said. */
static void
keep(size_t n)
{
	while (client.in.len < n)
		receive();
	buf_add(&client.said, (struct span){buf_span(&client.in).p, n});
	buf_consume(&client.in, n);
}

static size_t
line_length(void)
{
	const char *end;

	for (;;) {
		struct span s = buf_span(&client.in);

		end = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;
		if (end != NULL)
			return (size_t)(end - s.p) + 1;
		receive();
	}
}

/* The literal that a line ends with the announcement of; 0: none. */
static size_t
literal_of(const char *p, size_t n)
{
	size_t i, size = 0;

	if (n < 4 || memcmp(p + n - 3, "}\r\n", 3) != 0)
		return 0;
	for (i = n - 3; i > 0 && p[i - 1] >= '0' && p[i - 1] <= '9'; i--)
		;
	if (i == 0 || p[i - 1] != '{')
		return 0;
	for (; p[i] != '}'; i++)
		size = size * 10 + (size_t)(p[i] - '0');
	return size;
}

/* A whole response, literals and all, is added to what was said. */
static const char *
response(void)
{
	size_t at = client.said.len, n, more;

	do {
		n = line_length();
		keep(n);
		more = literal_of(
		    buf_span(&client.said).p + client.said.len - n, n);
		keep(more);
	} while (more > 0);
	return buf_cstr(&client.said) + at;
}

/* --- commands --------------------------------------------------------------------- */

/* Until the command is answered, or the server wants more; whether by OK or "+". */
static bool
await_answer(void)
{
	char tag[16];
	size_t n = (size_t)snprintf(tag, sizeof(tag), "t%u ", client.tag);
	const char *p;

	buf_reset(&client.said);
	client.n = 0;
	for (;;) {
		if (client.n == REPLIES)
			errx(2, "client: too much is said");
		client.reply[client.n] = client.said.len;
		p = response();
		client.reply[++client.n] = client.said.len;
		if (*p != '+' && strncmp(p, tag, n) != 0)
			continue;
		client.n--;
		strlcpy(client.status, *p == '+' ? p : p + n,
		    sizeof(client.status));
		return *p == '+' || strncmp(p + n, "OK", 2) == 0;
	}
}

static bool ask(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static bool
ask(const char *fmt, ...)
{
	char line[2000];
	va_list ap;
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "t%u ", ++client.tag);
	va_start(ap, fmt);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	n += strlcpy(line + n, "\r\n", sizeof(line) - n);
	transmit(line, n);
	return await_answer();
}

/* The nth untagged response, as a C string that ends with it (or at a NUL). */
static const char *
reply(size_t i)
{
	return buf_cstr(&client.said) + client.reply[i];
}

/* Whether any of them has that text. */
static bool
said(const char *text)
{
	return strstr(buf_cstr(&client.said), text) != NULL;
}

/* Its name as an argument: quoted, with the prefix and the separator. */
static const char *
wire(size_t folder)
{
	static char out[2][200];
	static int turn;
	char *o = out[turn ^= 1], *p;
	const char *prefix = folder == 0 ? "" : client.prefix;

	snprintf(o, sizeof(out[0]), "\"%s%s\"", prefix, names[folder].wire);
	for (p = o + 1 + strlen(prefix); *p != '\0'; p++)
		if (*p == '/')
			*p = client.sep;
	return o;
}

static void
log_in(const char *user)
{
	const char *p, *q;

	(void)response();
	buf_reset(&client.said);
	if (!ask("LOGIN %s pw", user) || !ask("CAPABILITY"))
		errx(2, "client: %s", client.status);
	world.uidplus = said(" UIDPLUS");
	world.move = said(" MOVE");
	world.mailboxid = said(" OBJECTID");
	if (!ask("LIST \"\" \"\"") || (p = strstr(reply(0), ") \"")) == NULL)
		errx(2, "client: no separator");
	client.sep = p[3];
	client.prefix[0] = '\0';
	if (ask("NAMESPACE") && (p = strstr(reply(0), "((\"")) != NULL &&
	    (q = strchr(p + 3, '"')) != NULL)
		snprintf(client.prefix, sizeof(client.prefix), "%.*s",
		    (int)(q - p - 3), p + 3);
	/* INBOX is selectable everywhere */
	world.usable = 0x1f;
	if (ask("SELECT INBOX") && said("\\*)"))
		world.usable |= PASSED;
}

static void
client_open(const char *host, int port, const char *user)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval limit = {30, 0};
	int on = 1;

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		errx(64, "%s is no address", host);
	buf_init(&client.in, 16 << 20);
	buf_init(&client.said, 16 << 20);
	client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client.fd == -1 ||
	    connect(client.fd, (struct sockaddr *)&a, sizeof(a)) == -1)
		err(2, "%s:%d", host, port);
	(void)setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    client.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	log_in(user);
}

/* --- a folder's messages ---------------------------------------------------------- */

static const char *const system_flags[] = {
    "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded"};

static unsigned int
read_flags(const char *p)
{
	const char *list = strstr(p, "FLAGS ("), *end;
	unsigned int flags = 0, i;
	size_t n;

	if (list == NULL || (end = strchr(list, ')')) == NULL)
		return 0;
	for (list += 7; list < end; list += n + (list[n] == ' ')) {
		n = strcspn(list, " )");
		for (i = 0; i < 6; i++)
			if (n == strlen(system_flags[i]) &&
			    strncasecmp(list, system_flags[i], n) == 0)
				flags |= BIT(i);
	}
	return flags;
}

static const char *
write_flags(unsigned int flags)
{
	static char out[120];
	size_t i;

	out[0] = '\0';
	for (i = 0; i < 6; i++)
		if ((flags & BIT(i)) != 0) {
			strlcat(out, out[0] != '\0' ? " " : "", sizeof(out));
			strlcat(out, system_flags[i], sizeof(out));
		}
	return out;
}

static void
take_mail(const char *p, const char *end)
{
	struct remote_mail *m = &client.mail[client.n_mail];
	const char *body = strstr(p, "}\r\n"), *uid = strstr(p, "UID ");
	size_t n;

	if (strstr(p, " FETCH (") == NULL || body == NULL || uid == NULL)
		return;
	n = literal_of(p, (size_t)(body + 3 - p));
	body += 3;
	if (n > (size_t)(end - body))
		errx(2, "client: a body that ends early");
	/* UID and FLAGS may stand behind it */
	if (uid > body)
		uid = strstr(body + n, "UID ");
	*m = (struct remote_mail){.id = message_of(body, n),
	    .text = body,
	    .n = n,
	    .uid = uid != NULL ? (uint32_t)strtoul(uid + 4, NULL, 10) : 0};
	m->flags = read_flags(p);
	if (strstr(p, "FLAGS (") > body)
		m->flags = read_flags(body + n);
	client.n_mail++;
}

/* What is in a folder, with whole texts or only as much as says which it is;
 * false: it cannot be selected. */
static bool
list_there(size_t folder, bool whole)
{
	size_t i;

	client.n_mail = 0;
	if (!ask("SELECT %s", wire(folder)))
		return false;
	if (said("* 0 EXISTS"))
		return true;
	if (!ask("UID FETCH 1:* (UID FLAGS BODY.PEEK[%s])",
		whole ? "" : "HEADER.FIELDS (SUBJECT)") &&
	    !said("EXPUNGE"))
		errx(2, "client: %s", client.status);
	for (i = 0; i < client.n; i++)
		take_mail(
		    reply(i), buf_cstr(&client.said) + client.reply[i + 1]);
	return true;
}

static bool
append(size_t folder, unsigned int flags, const char *text, size_t n)
{
	struct buf out;
	size_t i;
	bool ok;

	buf_init(&out, 4 << 20);
	for (i = 0; i < n; i++) {
		if (text[i] == '\n')
			buf_putc(&out, '\r');
		buf_putc(&out, text[i]);
	}
	ok = ask(
	    "APPEND %s (%s) {%zu}", wire(folder), write_flags(flags), out.len);
	if (ok) {
		transmit(buf_span(&out).p, out.len);
		transmit("\r\n", 2);
		ok = await_answer();
	}
	buf_clear(&out);
	return ok;
}

/* --- what a client does -------------------------------------------------------------- */

static void
there_new(size_t folder)
{
	unsigned int flags = prng(3) == 0 ? prng(64) & world.usable & ~MARK : 0;
	size_t id = make_message(THERE, folder, flags);
	struct message *m = &world.v[id];
	char text[8];

	if (!append(folder, flags, m->text, m->n)) {
		m->dead = true;
		return;
	}
	note(id, "made there in %s, %s", names[folder].name,
	    show_flags(flags, text));
}

/* Whether the last command's answer shows the message with these flags. */
static bool
shows(uint32_t uid, unsigned int flags, unsigned int mask)
{
	char text[32];
	size_t i;

	snprintf(text, sizeof(text), "UID %u", uid);
	for (i = 0; i < client.n; i++) {
		const char *p = reply(i), *at = strstr(p, text);

		if (strstr(p, " FETCH (") != NULL && at != NULL &&
		    strchr(" )", at[strlen(text)]) != NULL &&
		    (read_flags(p) & mask) == (flags & mask))
			return true;
	}
	return false;
}

static bool
there_store(const struct remote_mail *m, unsigned int bit, bool set)
{
	return ask("UID STORE %u %cFLAGS (%s)", m->uid, set ? '+' : '-',
		   write_flags(bit)) &&
	       shows(m->uid, set ? bit : 0, bit);
}

/* Where the answer does not show it, it was moved away before, or after. */
static void
there_flag(const struct remote_mail *m)
{
	unsigned int bit = BIT(prng(6));
	bool set = (m->flags & bit) == 0;

	if ((bit & world.usable) == 0 || (bit == MARK && prng(3) != 0))
		return;
	if (!there_store(m, bit, set)) {
		world.v[m->id].late |= bit;
		return;
	}
	did_flag(THERE, m->id, bit, set);
	note(m->id, "there: %c%s", set ? '+' : '-', write_flags(bit));
}

static void
there_delete(size_t folder, const struct remote_mail *m)
{
	if (!there_store(m, MARK, true))
		return;
	did_flag(THERE, m->id, MARK, true);
	(void)ask("UID EXPUNGE %u", m->uid);
	did_delete(THERE, m->id, world.running ? MAYBE : YES);
	note(m->id, "there: deleted in %s", names[folder].name);
}

/* COPYUID says that it was there to be moved. */
static void
there_move(size_t folder, const struct remote_mail *m, size_t to)
{
	bool by_move = world.move && prng(4) != 0;

	if (!ask("UID %s %u %s", by_move ? "MOVE" : "COPY", m->uid, wire(to)) ||
	    (!said("COPYUID") && strstr(client.status, "COPYUID") == NULL))
		return;
	did_move(THERE, m->id, to);
	if (!by_move) {
		(void)there_store(m, MARK, true);
		(void)ask("UID EXPUNGE %u", m->uid);
	}
	note(m->id, "there: moved from %s to %s%s", names[folder].name,
	    names[to].name, by_move ? "" : ", by a copy");
}

#endif
