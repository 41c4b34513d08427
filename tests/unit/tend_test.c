/*
 * When something is to be done about a message besides sending it.
 */

#include <stdlib.h>

#include "tap.h"
#include "tend.h"

#define HEAD                                                         \
	"sendq 1\ncreated 1000\naccount a\nsender ada@example.org\n" \
	"size 10\nmessage-id <x@y>\nrcpt bob@example.net\n"          \
	"rcpt eve@example.net\nend\n"

static const struct send plain = {.expire = 5000 * 1000, .warn = 400 * 1000};

static void
read_env(const char *history, struct envelope *env)
{
	char text[2048];
	struct err e = {0};

	snprintf(text, sizeof(text), "%s%s", HEAD, history);
	if (envelope_parse(span_of(text), env, &e) == -1)
		ok(false, "reads %s: %s", history, e.text);
}

static void
next(const struct send *s, const char *history, int64_t waits, int64_t want,
    const char *what)
{
	struct envelope env;

	read_env(history, &env);
	is_int(tend_next(s, &env, waits), want, "next: %s", what);
	envelope_clear(&env);
}

static void
needed(const struct send *s, const char *history, int64_t now, bool want,
    const char *what)
{
	struct envelope env;

	read_env(history, &env);
	is_int(tend_needed(s, &env, now), want, "needed: %s", what);
	envelope_clear(&env);
}

static void
test_next(void)
{
	struct send copies = plain, never = {0};
	char sent[] = "/sent";

	copies.sent = sent;
	next(&plain, "", 0, 0, "a new one, now");
	next(&plain, "", 1200, 1200, "its account waits");
	next(&plain, "", 9000, 1400, "but its sender is told before that");
	next(&never, "", 9000, 9000, "unless nobody is ever told");
	next(&plain, "1001 deferred 1:2 1100 450 no .\n", 0, 1100, "put off");
	next(&plain, "1001 deferred 1:2 1500 450 no .\n", 0, 1400, "late");
	next(&plain, "1001 deferred 1:2 1500 450 no .\n1400 warned .\n", 0,
	    1500, "and told");
	next(&plain, "1001 deferred 1:2 7000 450 no .\n1400 warned .\n", 0,
	    7000, "too old, but not before it is tried once more");
	next(&plain, "1400 warned .\n", 9000, 9000, "nor for its account");
	next(&plain, "1001 hold .\n", 0, INT64_MAX, "held");
	next(&plain, "1001 sending 1:2 .\n", 9000, 0, "left in doubt");
	next(&plain, "1001 sent 1:2 250 ok .\n", 9000, 0, "all is over");
	next(&plain, "1001 sent 1 250 ok .\n1001 deferred 2 1300 450 no .\n", 0,
	    1300, "one is left");
	next(&copies, "1001 sent 1 250 ok .\n1001 deferred 2 1300 450 no .\n",
	    0, 0, "and a copy lacks");
	next(&copies,
	    "1001 sent 1 250 ok .\n1001 deferred 2 1300 450 no .\n"
	    "1002 copying x .\n1002 copied .\n",
	    0, 1300, "or does not");
	next(&plain, "1001 failed 1 550 no .\n1001 deferred 2 1300 450 no .\n",
	    0, 0, "a failure nobody was told of");
	next(&plain,
	    "1001 failed 1 550 no .\n1001 deferred 2 1300 450 no .\n"
	    "1002 reported 1 .\n",
	    0, 1300, "or was");
	next(&plain, "1001 deferred 1:2 1300 450 no .\n1002 reporting x .\n", 0,
	    0, "a report that is not in its place");
	next(&plain, "1001 retry 3000 .\n", 0, 3000, "scheduled: not late");
	next(&plain, "1001 retry 3000 .\n3000 deferred 1:2 3900 450 no .\n", 0,
	    3400, "its age counts from then");
}

static void
test_needed(void)
{
	needed(&plain, "", 1399, false, "young");
	needed(&plain, "", 1400, true, "late");
	needed(&plain, "1400 warned .\n", 5999, false, "told");
	needed(&plain, "1400 warned .\n", 6000, false, "too old: tried first");
	needed(&plain, "1001 hold .\n", 9000, false, "held");
	needed(&plain, "1001 sending 1 .\n", 1001, true, "in doubt");
}

int
main(void)
{
	test_next();
	test_needed();
	return done();
}
