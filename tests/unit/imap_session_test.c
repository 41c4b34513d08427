/*
 * IMAP logins by transcripts.  A script has lines: "S: " from the server, "C: "
 * what the client has to have sent by then, "E: " an event that the session
 * has to give.  Every script runs whole, byte by byte and cut at random.
 */

#include "base/mem.h"
#include "imap_log.h"
#include "proto/imap_session.h"
#include "tap.h"

#define RANDOM_RUNS 10

struct talk {
	const char *name;
	const char *script;
	enum err_kind kind; /* how it ends; ERR_NONE: READY */
	const char *says;   /* what its text has to hold */
	bool starttls, preauth_ok, compress, bare, token, late_secret;
	bool whole_only;       /* bytes must come in one piece */
	enum sasl_mech pinned; /* 0 is SCRAM-SHA-256-PLUS: taken for none */
	const char *user, *password; /* NULL: ada, secret */
};

#define CAPS "IMAP4rev1 SASL-IR AUTH=PLAIN"
#define PLAIN_IR "AGFkYQBzZWNyZXQ="
#define SCRAM_1 "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8="
#define SCRAM_2                                                             \
	"cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sR" \
	"iRrMCxzPVcyMlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY="
#define SCRAM_3                                                             \
	"Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGS" \
	"WxqKWhObEYkazAscD1kSHpiWmFwV0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbW" \
	"l6N0FuZFZRPQ=="
#define SCRAM_4 \
	"dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ=="
#define XOAUTH2_IR "dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE="

static const struct talk talks[] = {
    {.name = "one round trip: all is said in the greeting and the reply",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "capabilities are asked when the greeting has none",
	.script = "S: * OK hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY " CAPS "\nS: A1 OK\n"
		  "C: A2 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: * CAPABILITY IMAP4rev1 IDLE\nS: A2 OK\nE: ready\n"},
    {.name = "and after the login (Exchange)",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\nS: A1 OK in\n"
		  "C: A2 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1 IDLE LOGINDISABLED\n"
		  "S: A2 OK done\nE: ready\n"},
    {.name = "LOGINDISABLED behind the login is ignored (Cyrus)",
	.script = "S: * OK [CAPABILITY " CAPS " LOGINDISABLED] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE LOGINDISABLED] in\n"
		  "E: ready\n"},
    {.name = "the greeting did not tell all",
	.script = "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\n"
		  "C: A1 CAPABILITY\nS: * CAPABILITY " CAPS "\nS: A1 OK\n"
		  "C: A2 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A2 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "iCloud: asked once more, and once only",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 XAPPLEPUSHSERVICE] in\n"
		  "C: A2 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1 IDLE XAPPLEPUSHSERVICE\n"
		  "S: A2 OK done\nE: ready\n"},
    {.name = "no SASL-IR: after the challenge",
	.script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\n"
		  "C: A1 AUTHENTICATE PLAIN\nS: +\nC: " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "a first challenge that is no base64",
	.script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\n"
		  "C: A1 AUTHENTICATE PLAIN\nS: + go ahead!\n"
		  "C: " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "LOGIN as a mechanism",
	.pinned = SASL_LOGIN,
	.script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=LOGIN] hi\n"
		  "C: A1 AUTHENTICATE LOGIN\nS: + VXNlcm5hbWU6\nC: YWRh\n"
		  "S: + UGFzc3dvcmQ6\nC: c2VjcmV0\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "EXTERNAL for nobody in particular: an empty response is =",
	.pinned = SASL_EXTERNAL,
	.user = "",
	.script = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=EXTERNAL] hi\n"
		  "C: A1 AUTHENTICATE EXTERNAL =\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "SCRAM (RFC 7677)",
	.user = "user",
	.password = "pencil",
	.script = "S: * OK [CAPABILITY " CAPS " AUTH=SCRAM-SHA-256] hi\n"
		  "C: A1 AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n"
		  "S: + " SCRAM_2 "\nC: " SCRAM_3 "\nS: + " SCRAM_4 "\nC: \n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "SCRAM: a server that proves nothing",
	.user = "user",
	.password = "pencil",
	.script = "S: * OK [CAPABILITY " CAPS " AUTH=SCRAM-SHA-256] hi\n"
		  "C: A1 AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n"
		  "S: + " SCRAM_2 "\nC: " SCRAM_3 "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\n",
	.kind = ERR_AUTH,
	.says = "logging in as user with SCRAM-SHA-256: "},
    {.name = "SCRAM: cancelled when the server says nonsense",
	.user = "user",
	.password = "pencil",
	.script = "S: * OK [CAPABILITY " CAPS " AUTH=SCRAM-SHA-256] hi\n"
		  "C: A1 AUTHENTICATE SCRAM-SHA-256 " SCRAM_1 "\n"
		  "S: + YWJj\nC: *\n",
	.kind = ERR_PROTO,
	.says = "logging in as user with SCRAM-SHA-256: "},
    {.name = "a challenge that is no base64",
	.pinned = SASL_LOGIN,
	.script = "S: * OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] hi\n"
		  "C: A1 AUTHENTICATE LOGIN\nS: + !!!\nC: *\n",
	.kind = ERR_PROTO,
	.says = "not base64"},
    {.name = "a token, refused with a status",
	.token = true,
	.script = "S: * OK [CAPABILITY " CAPS " AUTH=XOAUTH2] hi\n"
		  "C: A1 AUTHENTICATE XOAUTH2 " XOAUTH2_IR "\n"
		  "S: + eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\n"
		  "C: \nS: A1 NO [AUTHENTICATIONFAILED] Invalid (Failure)\n",
	.kind = ERR_AUTH,
	.says = "XOAUTH2 (401): the server refused: "
		"\"[AUTHENTICATIONFAILED] Invalid (Failure)\""},
    {.name = "a refusal that repeats the response",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 NO not AUTHENTICATE PLAIN " PLAIN_IR "\n",
	.kind = ERR_AUTH,
	.says = "refused: \"" SASL_NOT_SHOWN "\""},
    {.name = "a refusal that repeats LOGIN's password",
	.script =
	    "S: * OK [CAPABILITY IMAP4rev1] hi\n"
	    "C: A1 LOGIN \"ada\" \"secret\"\nS: A1 BAD LOGIN ada secret\n",
	.kind = ERR_AUTH,
	.says = SASL_NOT_SHOWN},
    {.name = "a secret that is not there yet",
	.late_secret = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\nE: secret\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 IDLE] in\nE: ready\n"},
    {.name = "LOGIN with quoted strings",
	.user = "a\"d\\a",
	.script = "S: * OK [CAPABILITY IMAP4rev1] hi\n"
		  "C: A1 LOGIN \"a\\\"d\\\\a\" \"secret\"\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "LOGIN with a literal that waits",
	.password = "s\xc3\xa4",
	.script = "S: * OK [CAPABILITY IMAP4rev1] hi\n"
		  "C: A1 LOGIN \"ada\" {3}\nS: + go\nC: s\xc3\xa4\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "LOGIN with a literal that does not",
	.password = "s\xc3\xa4",
	.script = "S: * OK [CAPABILITY IMAP4rev1 LITERAL+] hi\n"
		  "C: A1 LOGIN \"ada\" {3+}\nC: s\xc3\xa4\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "whatever else comes meanwhile",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: * OK [ALERT] maintenance at noon\nS: * NO psst\n"
		  "S: * XFOO\nS: A1 OK [CAPABILITY IMAP4rev1] in\n"
		  "E: ready\n"},

    /* COMPRESS */
    {.name = "COMPRESS",
	.compress = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in\n"
		  "C: A2 COMPRESS DEFLATE\nS: A2 OK go\nE: compress\n"
		  "E: ready\n"},
    {.name = "COMPRESS refused",
	.compress = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] in\n"
		  "C: A2 COMPRESS DEFLATE\n"
		  "S: A2 NO [COMPRESSIONACTIVE] TLS does it\nE: ready\n"},
    {.name = "COMPRESS not offered",
	.compress = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},

    /* PREAUTH */
    {.name = "PREAUTH in a tunnel",
	.preauth_ok = true,
	.script = "S: * PREAUTH [CAPABILITY IMAP4rev1] hi\nE: ready\n"},
    {.name = "PREAUTH without capabilities",
	.preauth_ok = true,
	.script = "S: * PREAUTH hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1\nS: A1 OK\nE: ready\n"},
    {.name = "a tunnel that wants a login",
	.preauth_ok = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "PREAUTH where STARTTLS is required (CVE-2021-39272)",
	.starttls = true,
	.bare = true,
	.script = "S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi\n",
	.kind = ERR_TLS,
	.says = "CVE-2021-39272"},
    {.name = "PREAUTH in a tunnel where STARTTLS is required all the same",
	.starttls = true,
	.preauth_ok = true,
	.bare = true,
	.script = "S: * PREAUTH hi\n",
	.kind = ERR_TLS,
	.says = "imaps://"},
    {.name = "PREAUTH on a bare path",
	.bare = true,
	.script = "S: * PREAUTH hi\n",
	.kind = ERR_TLS,
	.says = "PREAUTH"},

    /* STARTTLS */
    {.name = "STARTTLS: capabilities from before are forgotten",
	.starttls = true,
	.bare = true,
	.script = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=XOAUTH2] hi\n"
		  "C: A1 STARTTLS\nS: A1 OK go\nE: starttls\n"
		  "C: A2 CAPABILITY\nS: * CAPABILITY " CAPS "\nS: A2 OK\n"
		  "C: A3 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A3 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "STARTTLS: not in the greeting, so it is asked",
	.starttls = true,
	.bare = true,
	.script = "S: * OK [CAPABILITY IMAP4rev1] hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1 starttls\nS: A1 OK\n"
		  "C: A2 STARTTLS\nS: A2 OK go\nE: starttls\n"
		  "C: A3 CAPABILITY\nS: * CAPABILITY " CAPS "\nS: A3 OK\n"
		  "C: A4 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A4 OK [CAPABILITY IMAP4rev1] in\nE: ready\n"},
    {.name = "STARTTLS required, not offered",
	.starttls = true,
	.bare = true,
	.script = "S: * OK hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\nS: A1 OK\n",
	.kind = ERR_TLS,
	.says = "use imaps://"},
    {.name = "STARTTLS refused",
	.starttls = true,
	.bare = true,
	.script = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\n"
		  "C: A1 STARTTLS\nS: A1 BAD no certificate\n",
	.kind = ERR_TLS,
	.says = "no certificate"},
    {.name = "STARTTLS: bytes behind the reply",
	.starttls = true,
	.bare = true,
	.whole_only = true,
	.script = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\n"
		  "C: A1 STARTTLS\n"
		  "S: A1 OK go\nS: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n",
	.kind = ERR_TLS,
	.says = "bytes came behind the reply"},
    {.name = "an answer to STARTTLS before it was sent",
	.starttls = true,
	.bare = true,
	.whole_only = true,
	.script = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hi\nS: A1 OK go\n"
		  "S: * CAPABILITY IMAP4rev1\nC: A1 STARTTLS\n",
	.kind = ERR_TLS,
	.says = "bytes came behind the reply"},

    /* refused */
    {.name = "no password over a bare path",
	.bare = true,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY " CAPS "\nS: A1 OK\n",
	.kind = ERR_AUTH,
	.says = "cannot log in: "},
    {.name = "LOGINDISABLED and nothing else",
	.script = "S: * OK hi\nC: A1 CAPABILITY\n"
		  "S: * CAPABILITY IMAP4rev1 LOGINDISABLED\nS: A1 OK\n",
	.kind = ERR_AUTH,
	.says = "cannot log in: "},
    {.name = "wrong password",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 NO no such luck\n",
	.kind = ERR_AUTH,
	.says = "logging in as ada with PLAIN: the server refused: \"no such "
		"luck\"; check the user name"},
    {.name = "no room now (Gmail)",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 NO [ALERT] Too many simultaneous connections.\n",
	.kind = ERR_TEMP,
	.says = "try again later"},
    {.name = "not now (Dovecot)",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: A1 NO [UNAVAILABLE] Temporary authentication failure.\n",
	.kind = ERR_TEMP,
	.says = "Temporary authentication failure"},
    {.name = "BYE instead of a greeting",
	.script = "S: * BYE Too busy\n",
	.kind = ERR_TEMP,
	.says = "Too busy"},
    {.name = "BYE in the middle",
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n"
		  "C: A1 AUTHENTICATE PLAIN " PLAIN_IR "\n"
		  "S: * BYE shutting down\n",
	.kind = ERR_TEMP,
	.says = "shutting down"},
    {.name = "auth none, and the server wants a login",
	.pinned = SASL_NOTHING,
	.script = "S: * OK [CAPABILITY " CAPS "] hi\n",
	.kind = ERR_CONFIG,
	.says = "auth is set to none"},
    {.name = "more asked in the middle of LOGIN",
	.pinned = SASL_NATIVE,
	.script = "S: * OK [CAPABILITY IMAP4rev1] hi\n"
		  "C: A1 LOGIN \"ada\" \"secret\"\nS: + more\n",
	.kind = ERR_PROTO,
	.says = "in the middle of LOGIN"},
    {.name = "CAPABILITY refused",
	.script = "S: * OK hi\nC: A1 CAPABILITY\nS: A1 BAD what\n",
	.kind = ERR_PROTO,
	.says = "CAPABILITY: the server did not understand"},
    {.name = "no IMAP at all",
	.script = "S: 220 mx.example.org ESMTP\n",
	.kind = ERR_PROTO,
	.says = "check host and port"},
};

struct world {
	struct wire w;
	struct imap im;
	struct imap_session s;
	struct sasl_login l;
	struct err e;
	struct buf log, want;
	bool over;
};

static void
open_world(struct world *x, const struct talk *t)
{
	*x = (struct world){0};
	x->l = (struct sasl_login){.user = t->user != NULL ? t->user : "ada",
	    .password = t->password != NULL ? t->password : "secret",
	    .token = t->token ? "tok" : NULL,
	    .can_password = true,
	    .client_cert = t->pinned == SASL_EXTERNAL,
	    .private_path = !t->bare,
	    .tls = !t->bare,
	    .host = "h",
	    .port = 993,
	    .nonce = "rOprNGfwEbeRWgbNEkqO",
	    .pinned = t->pinned == 0 ? SASL_ANYTHING : t->pinned};
	if (t->late_secret)
		x->l.password = NULL;
	wire_init(&x->w);
	imap_init(&x->im, &x->w);
	imap_session_init(&x->s, &x->im, &x->l);
	x->s.starttls = t->starttls;
	x->s.preauth_ok = t->preauth_ok;
	x->s.compress = t->compress;
	buf_init(&x->log, LOG_MAX);
	buf_init(&x->want, LOG_MAX);
}

static void
close_world(struct world *x)
{
	imap_session_clear(&x->s);
	imap_clear(&x->im);
	wire_clear(&x->w);
	buf_clear(&x->log);
	buf_clear(&x->want);
}

static void
log_sent(struct world *x)
{
	struct span out = buf_span(&x->w.out), line;

	while (span_cut(&out, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_puts(&x->log, "C: ");
		buf_add(&x->log, line);
		buf_putc(&x->log, '\n');
	}
	buf_reset(&x->w.out);
}

/* Steps until the session waits or is over. */
static void
go(struct world *x)
{
	static const char *const names[] = {
	    "wait", "starttls", "secret", "compress", "ready"};
	enum imap_session_ev ev;

	while (!x->over) {
		if (imap_session_step(&x->s, &ev, &x->e) == -1) {
			log_sent(x);
			x->over = true;
			return;
		}
		log_sent(x);
		if (ev == IMAP_SESSION_WAIT)
			return;
		buf_printf(&x->log, "E: %s\n", names[ev]);
		if (ev == IMAP_SESSION_STARTTLS) {
			x->l.tls = x->l.private_path = true;
			imap_session_tls(&x->s);
		} else if (ev == IMAP_SESSION_SECRET)
			x->l.password = "secret";
		else if (ev == IMAP_SESSION_READY)
			x->over = true;
	}
}

/* The server's lines up to the next that is not his. */
static void
server_says(struct world *x, struct span *script, struct buf *in)
{
	struct span line;

	while (span_prefix(*script, "S: ")) {
		span_cut(script, '\n', &line);
		buf_add(in, span_skip(line, 3));
		buf_puts(in, "\r\n");
	}
	while (script->n > 0 && !span_prefix(*script, "S: ")) {
		span_cut(script, '\n', &line);
		buf_add(&x->want, line);
		buf_putc(&x->want, '\n');
	}
}

static void
feed(struct world *x, struct buf *bytes, enum log_cut cut, uint32_t *seed)
{
	struct span in = buf_span(bytes);

	while (in.n > 0 && !x->over) {
		buf_add(&x->w.in, log_piece(&in, cut, WIRE_IN_MAX, seed));
		go(x);
	}
	buf_reset(bytes);
}

static bool
run(const struct talk *t, enum log_cut cut, uint32_t seed)
{
	struct span script = span_of(t->script);
	struct world x;
	struct buf in;
	bool good = true;

	open_world(&x, t);
	buf_init(&in, LOG_MAX);
	go(&x);
	while (good && script.n > 0) {
		server_says(&x, &script, &in);
		feed(&x, &in, cut, &seed);
		if (strcmp(buf_cstr(&x.log), buf_cstr(&x.want)) != 0) {
			is_str(buf_cstr(&x.log), buf_cstr(&x.want),
			    "%s: what is sent (cut %d %u)", t->name, cut, seed);
			good = false;
		}
	}
	good = good && quiet(x.over, "%s: it comes to an end", t->name);
	good = good && quiet(x.e.kind == t->kind, "%s: ends with kind %d: %s",
			   t->name, (int)x.e.kind, x.e.text);
	if (good && t->says != NULL)
		good = quiet(strstr(x.e.text, t->says) != NULL, "%s: says %s",
		    t->name, x.e.text);
	if (good && t->kind == ERR_NONE)
		good = quiet(
		    imap_has(&x.im, IMAP_CAP_IMAP4REV1) && x.im.mechs == 0,
		    "%s: the capabilities are the last ones", t->name);
	buf_clear(&in);
	close_world(&x);
	return good;
}

static void
test_talk(const struct talk *t)
{
	bool good = run(t, LOG_WHOLE, 0);
	uint32_t seed;

	if (!t->whole_only) {
		good = good && run(t, LOG_BYTES, 0);
		for (seed = 1; good && seed <= RANDOM_RUNS; seed++)
			good = run(t, LOG_RANDOM, seed);
	}
	ok(good, "%s", t->name);
}

/* A token too long for a command line goes after the challenge, whole. */
static void
test_long_token(size_t n, bool waits)
{
	char *token = mem_alloc(n + 1);
	struct world x;
	const char *sent;

	memset(token, 't', n);
	open_world(&x, &(struct talk){.token = true});
	x.l.token = token;
	buf_puts(
	    &x.w.in, "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi\r\n");
	go(&x);
	sent = buf_cstr(&x.log);
	ok((strcmp(sent, "C: A1 AUTHENTICATE XOAUTH2\n") == 0) == waits,
	    "a token of %zu bytes: the command", n);
	ok(waits || strlen(sent) < 8000, "is not too long");
	buf_reset(&x.log);
	buf_puts(&x.w.in, "+ \r\n");
	go(&x);
	ok(!waits || x.log.len == 4 + (n + 23 + 2) / 3 * 4,
	    "its answer is whole (%zu)", x.log.len);
	close_world(&x);
	free(token);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		test_talk(&talks[i]);
	test_long_token(5000, false);
	test_long_token(6000, true);
	test_long_token(60000, true);
	return done();
}
