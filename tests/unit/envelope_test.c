/*
 * sendq/envelope and sendq/history: what is written comes back, whatever it
 * is; a history that was cut off anywhere means what stood in it before; and
 * nothing that a server says becomes a line of its own.
 */

#include <stdlib.h>
#include <sysexits.h>

#include "envelope.h"
#include "envelope_dump.h"
#include "prng.h"
#include "proto/smtp.h"
#include "tap.h"

#define HEAD                                   \
	"sendq 1\n"                            \
	"created 1000\n"                       \
	"account work\n"                       \
	"sender ada@example.org\n"             \
	"size 4711\n"                          \
	"rcpt bob@example.net\n"               \
	"rcpt carol@example.org\n"             \
	"original Carol.Byron@Other.example\n" \
	"rcpt dave@example.com\n"              \
	"end\n"

static struct envelope
parse(const char *text)
{
	struct envelope env;
	struct err e;

	err_clear(&e);
	if (!quiet(envelope_parse(span_of(text), &env, &e) == 0, "%s: %s", text,
		e.text))
		envelope_init(&env);
	return env;
}

/* HEAD and this history. */
static struct envelope
after(const char *history)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s", HEAD, history);
	return parse(text);
}

static const char *
formatted(const struct envelope *env)
{
	static struct buf b;

	buf_clear(&b);
	buf_init(&b, 1024 * 1024);
	if (env == NULL || envelope_format(env, &b) == -1)
		return NULL;
	return buf_cstr(&b);
}

static const char *
line_of(const struct history *h)
{
	static struct buf b;

	buf_clear(&b);
	buf_init(&b, 64 * 1024);
	if (h == NULL || history_format(h, &b) == -1)
		return NULL;
	return buf_cstr(&b);
}

static bool
same(const struct envelope *a, const struct envelope *b)
{
	struct buf x = envelope_dump(a), y = envelope_dump(b);
	bool equal = span_same(buf_span(&x), buf_span(&y));

	if (!equal)
		printf("# %s# is not\n# %s", buf_cstr(&x), buf_cstr(&y));
	buf_clear(&x);
	buf_clear(&y);
	return equal;
}

/* --- the first part ---------------------------------------------------- */

static void
test_text(void)
{
	struct envelope env;

	envelope_init(&env);
	env.created = 1764104000;
	env.account = strdup("work");
	env.sender = strdup("");
	env.size = 12;
	envelope_add_rcpt(&env, "bob@example.net", NULL);
	is_str(formatted(&env),
	    "sendq 1\ncreated 1764104000\naccount work\nsender \nsize 12\n"
	    "rcpt bob@example.net\nend\n",
	    "the least");
	env.due = 1764104010;
	env.server = strdup("submissions://u@h");
	env.eight_bit = env.utf8 = env.is_signed = true;
	env.report = env.require_tls = true;
	env.notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE;
	env.ret = SMTP_RET_HDRS;
	env.envid = strdup("x");
	env.message_id = strdup("<a@b>");
	env.subject = strdup("100 % a\nb . c.");
	env.bcc = strdup("");
	env.hold_until = 1764104020;
	envelope_add_rcpt(&env, "carol@example.org", "Carol B");
	is_str(formatted(&env),
	    "sendq 1\ncreated 1764104000\ndue 1764104010\naccount work\n"
	    "server submissions://u@h\nsender \nsize 12\n8bit\nutf8\nsigned\n"
	    "report\nrequire-tls\nnotify success,failure\nret hdrs\nenvid x\n"
	    "hold-until 1764104020\nmessage-id <a@b>\n"
	    "subject 100 %25 a%0Ab %2E c.\nbcc \n"
	    "rcpt bob@example.net\nrcpt carol@example.org\n"
	    "original Carol B\nend\n",
	    "all of it");
	envelope_clear(&env);
	envelope_clear(&env);
	formatted(NULL);
}

/* NULL, or up to 20 bytes of the most awkward kind. */
static char *
awkward(bool may_lack)
{
	static const char bytes[] = "\n\r\t\x01\x1f\x7f%.  =:\"<>@\\-09AFaf"
				    "\xc3\xa4\xff\x80\x85";
	char *s;
	size_t n = prng(21);

	if (may_lack && prng(4) == 0)
		return NULL;
	s = calloc(n + 1, 1);
	if (s != NULL)
		prng_text(s, n, bytes, sizeof(bytes) - 1);
	return s;
}

static void
random_envelope(struct envelope *env)
{
	char *address, *original;
	uint32_t n;

	envelope_init(env);
	env->created = prng(2000000000);
	env->due = prng(2) ? prng(2000000000) : 0;
	env->account = awkward(false);
	env->server = awkward(true);
	env->sender = awkward(false);
	env->size = (uint64_t)prng(UINT32_MAX) << prng(33);
	env->eight_bit = prng(2);
	env->utf8 = prng(2);
	env->is_signed = prng(2);
	env->report = prng(2);
	env->require_tls = prng(2);
	env->notify = prng(16);
	env->ret = (int)prng(3);
	env->envid = awkward(true);
	env->message_id = awkward(true);
	env->subject = awkward(true);
	env->bcc = awkward(true);
	env->hold_until = prng(2) ? INT64_MAX - prng(9) : 0;
	for (n = 1 + prng(9); n > 0; n--) {
		address = awkward(false);
		original = awkward(true);
		envelope_add_rcpt(env, address, original);
		free(address);
		free(original);
	}
}

static void
test_round_trip(void)
{
	struct envelope env, back;
	const char *text;
	struct err e;
	int i;

	for (i = 0; i < 5000; i++) {
		random_envelope(&env);
		text = formatted(&env);
		err_clear(&e);
		if (quiet(envelope_parse(span_of(text), &back, &e) == 0,
			"case %d: %s", i, e.text)) {
			quiet(back.history == strlen(text) &&
				  back.last == env.created,
			    "case %d: where the history begins", i);
			env.history = back.history;
			env.last = back.last;
			quiet(same(&env, &back), "case %d comes back", i);
		}
		envelope_clear(&back);
		envelope_clear(&env);
	}
	formatted(NULL);
	ok(tap_failed == 0, "5,000 awkward envelopes come back");
}

static void
test_limit(void)
{
	struct envelope env = parse(HEAD);
	struct history h = {.time = 5,
	    .event = EVENT_DEFERRED,
	    .at = 7,
	    .text = span_of("451 later")};
	struct buf b;
	size_t i;

	uidset_add(&h.rcpts, 1, 2);
	for (i = 0; i < strlen(HEAD); i++) {
		buf_init(&b, i);
		quiet(envelope_format(&env, &b) == -1 && b.len == 0,
		    "an envelope into %zu octets", i);
		buf_clear(&b);
	}
	for (i = 0; i < strlen("5 deferred 1:2 7 451 later .\n"); i++) {
		buf_init(&b, i);
		quiet(history_format(&h, &b) == -1 && b.len == 0,
		    "a line into %zu octets", i);
		buf_clear(&b);
	}
	ok(tap_failed == 0, "nothing is left where there is no room");
	is_str(line_of(&h), "5 deferred 1:2 7 451 later .\n", "where there is");
	history_clear(&h);
	envelope_clear(&env);
}

static const struct {
	const char *text, *says;
} bad[] = {
    {"", "no envelope"},
    {"sendq 1", "no envelope"},
    {"sendq\n", "no envelope"},
    {"sendq x\n", "no envelope"},
    {"sendq 99999999999999999999\n", "no envelope"},
    {"From ada@example.org\n", "no envelope"},
    {"sendq 2\ncreated 1\n", "format 2"},
    {"sendq 10\nend\n", "format 10"},
    {"sendq 1\n", "missing"},
    {"sendq 1\ncreated 1\naccount a\nsender s\nsize 1\nrcpt r\n", "missing"},
    {"sendq 1\ncreated 1\naccount a\nsender s\nsize 1\nrcpt r\nend", "missing"},
    {"sendq 1\naccount a\nsender s\nsize 1\nrcpt r\nend\n", "\"created\""},
    {"sendq 1\ncreated 1\nsender s\nsize 1\nrcpt r\nend\n", "\"account\""},
    {"sendq 1\ncreated 1\naccount a\nsize 1\nrcpt r\nend\n", "\"sender\""},
    {"sendq 1\ncreated 1\naccount a\nsender s\nrcpt r\nend\n", "\"size\""},
    {"sendq 1\ncreated 1\naccount a\nsender s\nsize 1\nend\n", "no recipient"},
    {"sendq 1\ncreated 1\ncreated 1\n", "line 3"},
    {"sendq 1\ncreated -1\n", "line 2"},
    {"sendq 1\ncreated 9223372036854775808\n", "line 2"},
    {"sendq 1\ncreated\n", "line 2"},
    {"sendq 1\ncreated 1 \n", "line 2"},
    {"sendq 1\nsize 18446744073709551616\n", "line 2"},
    {"sendq 1\ncolour blue\n", "line 2"},
    {"sendq 1\n\n", "line 2"},
    {"sendq 1\n8bit yes\n", "line 2"},
    {"sendq 1\nnotify \n", "line 2"},
    {"sendq 1\nnotify sometimes\n", "line 2"},
    {"sendq 1\nret all\n", "line 2"},
    {"sendq 1\nsubject a%zz\n", "line 2"},
    {"sendq 1\nsubject a%0\n", "line 2"},
    {"sendq 1\nsubject a%00\n", "line 2"},
    {"sendq 1\nrcpt a%\n", "line 2"},
    {"sendq 1\noriginal a\n", "line 2"},
    {"sendq 1\nrcpt a\noriginal b\noriginal c\n", "line 4"},
};

static void
test_bad(void)
{
	static const char nul[] = "sendq 1\naccount a\0b\n";
	struct envelope env;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		ok(envelope_parse(span_of(bad[i].text), &env, &e) == -1 &&
			e.kind == ERR_LOCAL && err_exit(&e) == EX_DATAERR &&
			strstr(e.text, bad[i].says) != NULL &&
			env.rcpts == NULL && env.account == NULL,
		    "refused, case %zu: %s", i, e.text);
	}
	is_int(envelope_parse(span_bytes(nul, sizeof(nul) - 1), &env, &e), -1,
	    "a NUL");
	for (i = 0; i < strlen(HEAD); i++)
		quiet(envelope_parse(span_bytes(HEAD, i), &env, &e) == -1,
		    "refused when only %zu octets are there", i);
	ok(tap_failed == 0, "a first part that is cut off anywhere is refused");
}

/* --- lines of the history ---------------------------------------------- */

static const char *const lines[EVENTS] = {
    [EVENT_SENDING] = "10 sending 1:2 .",
    [EVENT_UNSENT] = "11 unsent 1:2 .",
    [EVENT_SENT] = "12 sent 1 250 2.0.0 Ok: queued as 4bZ .",
    [EVENT_DEFERRED] = "13 deferred 2 73 450 4.2.0 try again .",
    [EVENT_UNCERTAIN] = "14 uncertain 2:3 1814 connection lost .",
    [EVENT_FAILED] = "15 failed 3 550 5.1.1 no such user .",
    [EVENT_RETRY] = "16 retry 20 .",
    [EVENT_HOLD] = "17 hold .",
    [EVENT_RELEASE] = "18 release .",
    [EVENT_COPYING] = "19 copying 17.M1P2.host:2,S .",
    [EVENT_COPIED] = "20 copied .",
    [EVENT_REPORTING] = "21 reporting 21.M1P2.host .",
    [EVENT_REPORTED] = "22 reported 1,3 .",
    [EVENT_WARNED] = "23 warned .",
};

static void
test_lines(void)
{
	struct buf scratch;
	struct history h;
	char line[256];
	size_t i;

	buf_init(&scratch, 1024);
	for (i = 0; i < EVENTS; i++) {
		is_int(history_parse(span_of(lines[i]), &scratch, &h), 1, "%s",
		    lines[i]);
		ok(h.event == (enum event)i && h.time == 10 + (int64_t)i,
		    "is %s", event_name((enum event)i));
		snprintf(line, sizeof(line), "%s\n", lines[i]);
		is_str(line_of(&h), line, "and written again the same");
		history_clear(&h);
	}
	is_int(history_parse(span_of(lines[EVENT_DEFERRED]), &scratch, &h), 1,
	    "in detail");
	ok(h.at == 73 && uidset_count(&h.rcpts) == 1 && uidset_has(&h.rcpts, 2),
	    "time and recipients");
	is_mem(h.text.p, h.text.n, "450 4.2.0 try again", "text");
	history_clear(&h);
	buf_clear(&scratch);
	line_of(NULL);
}

static void
test_odd_lines(void)
{
	static const char *const odd[] = {"", ".", " .", "10", "10 .",
	    "10 hold", "10 hold.", "10 hold . ", "10 hold .\r", "hold .",
	    "x hold .", "-1 hold .", "10  hold .", " 10 hold .",
	    "10 hold now .", "10 dance 1 .", "10 HOLD .", "10 sending .",
	    "10 sending 0 .", "10 sending 1: .", "10 sending x .",
	    "10 sending 1 2 .", "10 deferred 1 .", "10 deferred 1 x y .",
	    "10 retry .", "10 retry soon .", "99999999999999999999 hold ."};
	struct envelope plain = parse(HEAD), env;
	struct buf scratch;
	struct history h;
	char text[128];
	size_t i;

	buf_init(&scratch, 1024);
	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ok(history_parse(span_of(odd[i]), &scratch, &h) == 0,
		    "no line: \"%s\"", odd[i]);
		snprintf(text, sizeof(text), "%s\n", odd[i]);
		env = after(text);
		quiet(same(&env, &plain), "skipped: \"%s\"", odd[i]);
		envelope_clear(&env);
	}
	env = after("10 hold .\nnonsense\n11 retry 99 .\n");
	ok(env.held && env.due == 99, "those around an odd one count");
	envelope_clear(&env);
	env = after("10 sent 1 . ok .\n11 failed 2 50%zz %\xff .\n");
	is_str(env.rcpts[0].reply, ". ok", "a dot that we would not write");
	ok(env.rcpts[1].state == RCPT_FAILED, "words that cannot be decoded");
	is_str(env.rcpts[1].reply, "50%zz %\xff", "count as they stand");
	envelope_clear(&env);
	env = after("10 sent 1 .\n11 failed -  550 .\n");
	is_str(env.rcpts[0].reply, "", "no words");
	ok(env.rcpts[1].state == RCPT_WAITING, "no recipients");
	envelope_clear(&env);
	envelope_clear(&plain);
	buf_clear(&scratch);
}

/* Each of these would like to be a line, or to hide one. */
static const char *const hostile[] = {
    "250 ok\n99 sent 1:3 250 forged .",
    "250 ok .\n99 sent 1:3 250 forged .\n",
    "550 no\r\n99 sent 1:3 250 forged .\r\n",
    "%0A99 sent 1:3 250 forged .%0A",
    "%250A",
    "%",
    "%%",
    "100%",
    "%2E",
    ".",
    " .",
    " . ",
    ". .",
    "a .",
    "a . b",
    "a .\n",
    "\n",
    "\r",
    "\t",
    " ",
    "  ",
    "\n\n\n .\n",
    "\x01\x02\x7f\x1b[2J",
    "\xc3\xa4\xff\xfe\x80\x85\xe2\x80\xa8",
    "",
    "very long words very long words very long words very long words",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static void
hostile_line(enum event event, const char *words)
{
	struct history h = {.time = 50, .event = event, .at = 60}, back;
	struct envelope env, want = after("50 hold .\n");
	struct buf scratch;
	char text[512];
	const char *line;
	size_t i, controls = 0;

	uidset_add(&h.rcpts, 2, 2);
	h.text = span_of(words);
	line = line_of(&h);
	for (i = 0; line[i] != '\0'; i++)
		controls += (unsigned char)line[i] < ' ' || line[i] == 127;
	quiet(controls == 1 && line[i - 1] == '\n', "one line: %s", line);
	buf_init(&scratch, 1024);
	quiet(history_parse(span_bytes(line, i - 1), &scratch, &back) == 1 &&
		  span_eq(back.text, words),
	    "comes back: %s", line);
	history_clear(&back);
	/* Nor does what is left of it, with the next line behind. */
	for (; i > 0; i--) {
		snprintf(text, sizeof(text), "%.*s\n50 hold .\n",
		    (int)(i > 3 ? i - 3 : 0), line);
		env = after(text);
		quiet(same(&env, &want), "cut to %zu: %s", i, line);
		envelope_clear(&env);
	}
	envelope_clear(&want);
	buf_clear(&scratch);
	history_clear(&h);
}

static void
test_hostile(void)
{
	size_t i;

	for (i = 0; i < HOSTILE; i++) {
		hostile_line(EVENT_SENT, hostile[i]);
		hostile_line(EVENT_DEFERRED, hostile[i]);
		hostile_line(EVENT_UNCERTAIN, hostile[i]);
		hostile_line(EVENT_FAILED, hostile[i]);
		hostile_line(EVENT_COPYING, hostile[i]);
		hostile_line(EVENT_REPORTING, hostile[i]);
	}
	line_of(NULL);
	ok(tap_failed == 0, "no words make a line");
}

static void
test_nul(void)
{
	static const char text[] = HEAD "10 sent 1 250 ok .\n"
					"11 sent 2 250\0ok .\n"
					"\0\0\0\0\0\0\0 .\n12 hold .\n\0\0\0";
	struct history h = {.event = EVENT_SENT, .text = {"a\0b", 3}};
	struct envelope env;
	struct err e;

	is_int(envelope_parse(span_bytes(text, sizeof(text) - 1), &env, &e), 0,
	    "NULs in the history");
	ok(env.rcpts[0].state == RCPT_SENT && env.held, "what has none counts");
	ok(env.rcpts[1].state == RCPT_WAITING, "what has one does not");
	is_int(env.last, 12, "the last");
	envelope_clear(&env);
	is_str(line_of(&h), "0 sent - a?b .\n", "none is written");
	line_of(NULL);
}

/* --- the replay -------------------------------------------------------- */

static void
test_delivery(void)
{
	struct envelope env = after("10 sending 1:2 .\n");

	is_int(env.rcpts[0].state, RCPT_SENDING, "sending");
	is_int(env.rcpts[2].state, RCPT_WAITING, "another is not");
	is_int(env.last, 10, "the time of it");
	envelope_clear(&env);

	env = after("10 sending 1:2 .\n11 unsent 1 .\n");
	is_int(env.rcpts[0].state, RCPT_WAITING, "unsent");
	is_int(env.rcpts[0].attempts, 0, "is no attempt");
	is_int(env.rcpts[1].state, RCPT_SENDING, "the other still is");
	envelope_clear(&env);

	env = after("9 deferred 1 40 451 x .\n10 sending 1:2 .\n"
		    "11 sent 1 250 ok .\n12 uncertain 2 1812 lost .\n"
		    "13 failed 3 550 no .\n");
	is_int(env.rcpts[0].state, RCPT_SENT, "sent");
	is_int(env.rcpts[0].attempts, 2, "at the second attempt");
	is_int(env.rcpts[0].since, 11, "since then");
	is_str(env.rcpts[0].reply, "250 ok", "with these words");
	is_int(env.rcpts[1].state, RCPT_WAITING, "uncertain: waits");
	ok(env.rcpts[1].uncertain && env.rcpts[1].next == 1812 &&
		env.rcpts[1].attempts == 1,
	    "longer, and it counts");
	is_str(env.rcpts[1].reply, "lost", "and why");
	is_int(env.rcpts[2].state, RCPT_FAILED, "failed");
	ok(!env.rcpts[2].uncertain && !env.rcpts[2].reported, "for sure");
	envelope_clear(&env);

	env = after("9 deferred 1 40 451 x .\n10 sending 1 .\n11 unsent 1 .\n");
	is_int(env.rcpts[0].next, 40, "unsent: as before");
	is_str(env.rcpts[0].reply, "451 x", "in all");
	envelope_clear(&env);
}

/* What is settled is left alone by what should not have been written. */
static void
test_settled(void)
{
	static const char *const later[] = {"sending 1:3", "unsent 1:3",
	    "deferred 1:3 99 450 x", "uncertain 1:3 99 x", "failed 1:3 550 x",
	    "retry 99"};
	struct envelope env;
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		snprintf(text, sizeof(text),
		    "10 sent 1 250 ok .\n11 failed 2 550 no .\n12 %s .\n",
		    later[i]);
		env = after(text);
		ok(env.rcpts[0].state == RCPT_SENT &&
			env.rcpts[0].attempts == 1 &&
			strcmp(env.rcpts[0].reply, "250 ok") == 0,
		    "sent is for ever: %s", later[i]);
		ok(env.rcpts[1].state == (strcmp(later[i], "retry 99") == 0
						 ? RCPT_WAITING
						 : RCPT_FAILED),
		    "failed until a person says so: %s", later[i]);
		envelope_clear(&env);
	}
	env = after("10 failed 1 550 no .\n11 sent 1 250 ok .\n");
	is_int(env.rcpts[0].state, RCPT_SENT, "unless it was sent after all");
	envelope_clear(&env);
	env = after("10 unsent 1 .\n");
	is_int(env.rcpts[0].since, 0, "unsent without sending is nothing");
	envelope_clear(&env);
}

static void
test_by_hand(void)
{
	struct envelope env = after("10 hold .\n");

	ok(env.held, "held");
	envelope_clear(&env);
	env = after("10 hold .\n11 retry 50 .\n");
	ok(env.held && env.due == 50, "a retry leaves the hold");
	envelope_clear(&env);
	env = after("10 hold .\n11 release .\n");
	ok(!env.held, "released");
	envelope_clear(&env);

	env = after("10 deferred 1 3610 451 x .\n11 failed 2 550 no .\n"
		    "12 reporting n .\n13 reported 2 .\n14 sending 3 .\n");
	ok(env.rcpts[1].reported && !env.rcpts[0].reported &&
		env.reporting == NULL,
	    "reported");
	envelope_clear(&env);
	env = after("10 deferred 1 3610 451 x .\n11 failed 2 550 no .\n"
		    "13 reported 2 .\n14 sending 3 .\n15 retry 50 .\n");
	ok(env.rcpts[0].next == 50 && env.rcpts[1].next == 50 && env.due == 50,
	    "retry: all are due then");
	is_int(env.rcpts[0].attempts, 1, "one goes on");
	ok(env.rcpts[1].state == RCPT_WAITING && env.rcpts[1].attempts == 0 &&
		!env.rcpts[1].reported,
	    "one that failed begins anew");
	is_str(env.rcpts[1].reply, "550 no", "what was said is kept");
	is_int(env.rcpts[2].state, RCPT_SENDING, "one under way stays so");
	envelope_clear(&env);
}

static void
test_copies(void)
{
	struct envelope env = after("10 copying a%25b:2,S .\n");

	is_str(env.copying, "a%b:2,S", "a copy is begun");
	ok(!env.copied, "and not there yet");
	envelope_clear(&env);
	env = after("10 copying a .\n11 copying b .\n12 copied .\n");
	is_str(env.copying, "b", "the last one begun");
	ok(env.copied, "is there");
	envelope_clear(&env);
	env = after("10 reporting r .\n");
	is_str(env.reporting, "r", "a report is begun");
	envelope_clear(&env);
	env = after("10 reporting r .\n11 warned .\n");
	ok(env.reporting == NULL && env.warned, "a warning is there");
	envelope_clear(&env);
}

/* Far more recipients than there are; none of those is missed. */
static void
test_out_of_range(void)
{
	struct envelope env = after("10 sent 1:* 250 ok .\n");

	ok(envelope_finished(&env), "1:* is all");
	envelope_clear(&env);
	env = after("10 sent 4,7,4294967295 250 ok .\n");
	ok(env.rcpts[2].state == RCPT_WAITING, "4 of 3 is none");
	envelope_clear(&env);
}

/* A long history of all events, in an order that means something. */
static char *
long_history(void)
{
	static char text[16384];
	struct history h = {0};
	struct buf b;
	uint32_t n;
	int i;

	buf_init(&b, sizeof(text) - sizeof(HEAD));
	for (i = 0; i < 120; i++) {
		h.time = 100 + i;
		h.event = (enum event)prng(EVENTS);
		h.at = 100 + prng(200);
		h.text = span_of(hostile[prng(HOSTILE)]);
		for (n = prng(4); n > 0; n--) {
			uint32_t rcpt = 1 + prng(4);

			uidset_add(&h.rcpts, rcpt, rcpt);
		}
		history_format(&h, &b);
		history_clear(&h);
	}
	snprintf(text, sizeof(text), "%s%s", HEAD, buf_cstr(&b));
	buf_clear(&b);
	return text;
}

/* How many octets of the first n are whole lines; a "\n" may be missing. */
static size_t
whole(const char *text, size_t n)
{
	if (text[n] == '\n')
		return n;
	while (n > 0 && text[n - 1] != '\n')
		n--;
	return n;
}

static void
test_torn(const char *text)
{
	struct envelope torn, want, behind;
	char *copy;
	struct err e;
	size_t n, k;

	for (n = strlen(HEAD); n <= strlen(text); n++) {
		k = whole(text, n);
		quiet(envelope_parse(span_bytes(text, n), &torn, &e) == 0 &&
			  envelope_parse(span_bytes(text, k), &want, &e) == 0,
		    "cut to %zu", n);
		quiet(same(&torn, &want), "cut to %zu is %zu", n, k);
		/* The torn line is ended, and another follows. */
		if (asprintf(&copy, "%.*s\n500 hold .\n", (int)n, text) == -1)
			abort();
		behind = parse(copy);
		envelope_apply(
		    &want, &(struct history){.time = 500, .event = EVENT_HOLD});
		quiet(same(&behind, &want), "cut to %zu, and one behind", n);
		free(copy);
		envelope_clear(&torn);
		envelope_clear(&want);
		envelope_clear(&behind);
	}
}

static void
test_torn_anywhere(void)
{
	int i;

	for (i = 0; i < 5; i++)
		test_torn(long_history());
	ok(tap_failed == 0, "cut off at any octet: as without that line");
}

/* --- what follows ------------------------------------------------------ */

static const char *
due_at(const char *history, int64_t now)
{
	static struct buf b;
	struct envelope env = after(history);
	struct uidset set;

	buf_clear(&b);
	buf_init(&b, 100);
	uidset_init(&set);
	envelope_due(&env, now, &set);
	uidset_format(&set, 0, 100, &b);
	uidset_clear(&set);
	envelope_clear(&env);
	return buf_cstr(&b);
}

static int64_t
next_of(const char *history)
{
	struct envelope env = after(history);
	int64_t next = envelope_next(&env);

	envelope_clear(&env);
	return next;
}

static void
test_due(void)
{
	is_str(due_at("", 0), "1:3", "a new message is due");
	is_int(next_of(""), 0, "at once");
	is_str(due_at("10 deferred 2 70 451 x .\n", 69), "1,3",
	    "not the one that waits");
	is_str(due_at("10 deferred 2 70 451 x .\n", 70), "1:3", "until then");
	is_int(next_of("10 deferred 1:3 70 451 x .\n"
		       "11 deferred 2 60 451 x .\n"),
	    60, "the first of those that wait");
	is_str(due_at("10 hold .\n", 99), "", "held: nothing");
	is_int(next_of("10 hold .\n"), INT64_MAX, "never by itself");
	is_str(due_at("10 retry 500 .\n", 499), "", "scheduled: not before");
	is_str(due_at("10 retry 500 .\n", 500), "1:3", "and then all");
	is_int(next_of("10 retry 500 .\n"), 500, "when that is");
	is_str(due_at("10 sending 1 .\n", 99), "2:3", "not what is under way");
	is_int(next_of("10 sending 1 .\n11 hold .\n"), 11,
	    "but that is to be looked after at once");
	is_str(due_at("10 sent 1:2 250 ok .\n11 failed 3 550 no .\n", 99), "",
	    "all settled");
	is_int(next_of("10 sent 1:2 250 ok .\n11 failed 3 550 no .\n"), 11,
	    "to be cleared away at once");
	due_at("", 0);
}

static void
test_first_due(void)
{
	struct envelope env =
	    parse("sendq 1\ncreated 5\ndue 90\naccount a\nsender s\n"
		  "size 1\nrcpt r\nend\n10 deferred 1 20 451 x .\n");

	is_int(envelope_next(&env), 90, "not before what was asked for");
	envelope_clear(&env);
}

static void
test_state(void)
{
	static const struct {
		const char *history, *state;
	} cases[] = {
	    {"", "queued"},
	    {"10 sending 1:3 .\n11 unsent 1:3 .\n", "queued"},
	    {"10 retry 200 .\n", "scheduled"},
	    {"10 retry 100 .\n", "queued"},
	    {"10 sending 1 .\n", "sending"},
	    {"10 sending 1 .\n11 hold .\n", "sending"},
	    {"10 deferred 1 70 451 x .\n", "deferred"},
	    {"10 deferred 1 70 451 x .\n11 sent 1 250 ok .\n", "queued"},
	    {"10 deferred 1 70 451 x .\n11 hold .\n", "held"},
	    {"10 uncertain 1 70 x .\n11 deferred 2 70 x .\n", "uncertain"},
	    {"10 uncertain 1 70 x .\n11 sent 1 250 ok .\n", "queued"},
	    {"10 sent 1:2 250 ok .\n", "queued"},
	    {"10 sent 1:3 250 ok .\n", "sent"},
	    {"10 sent 1:3 250 ok .\n11 hold .\n", "sent"},
	    {"10 sent 1:2 250 ok .\n11 failed 3 550 no .\n", "failed"},
	};
	struct envelope env;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		env = after(cases[i].history);
		is_str(
		    envelope_state(&env, 100), cases[i].state, "state %zu", i);
		envelope_clear(&env);
	}
}

static void
test_rcpts(void)
{
	struct envelope env = after("10 sent 2 250 ok .\n11 sending 3 .\n");
	struct uidset set;

	uidset_init(&set);
	uidset_add(&set, 7, 7);
	envelope_rcpts(&env, RCPT_SENT, &set);
	ok(uidset_count(&set) == 2 && uidset_has(&set, 2), "added to a set");
	envelope_rcpts(&env, RCPT_SENDING, &set);
	ok(uidset_count(&set) == 3 && uidset_has(&set, 3), "and another");
	ok(!envelope_finished(&env), "not finished");
	uidset_clear(&set);
	envelope_clear(&env);
}

int
main(void)
{
	test_text();
	test_round_trip();
	test_limit();
	test_bad();
	test_lines();
	test_odd_lines();
	test_hostile();
	test_nul();
	test_delivery();
	test_settled();
	test_by_hand();
	test_copies();
	test_out_of_range();
	test_torn_anywhere();
	test_due();
	test_first_due();
	test_state();
	test_rcpts();
	return done();
}
