/*
 * The nearest known word.
 */

#include "base/suggest.h"
#include "tap.h"

static const char *const known[] = {"maildir", "password-command", "keep",
    "imap", "imaps", "filter", "deliver"};

static const char *
near(const char *word)
{
	return suggest(word, known, sizeof(known) / sizeof(known[0]));
}

static void
test_none_of(void)
{
	static const char *const names[] = {"always", "never", NULL};
	struct err e;

	is_int(suggest_none_of("nevr", names, &e), -1, "none of the words");
	is_int(e.kind, ERR_CONFIG, "its kind");
	is_str(e.text,
	    "'nevr' is none of: always, never (did you mean "
	    "'never'?)",
	    "with the nearest");
	suggest_none_of("x", names, &e);
	is_str(e.text, "'x' is none of: always, never", "with none near");
	suggest_none_of(NULL, names, &e);
	is_str(e.text, "needs one of: always, never", "no word");
	suggest_none_of("", names, &e);
	is_str(e.text, "needs one of: always, never", "an empty one");
}

int
main(void)
{
	char big[4096];

	is_str(near("mialdir"), "maildir", "neighbours swapped");
	is_str(near("maildi"), "maildir", "a letter missing");
	is_str(near("maildirr"), "maildir", "a letter too many");
	is_str(near("maildur"), "maildir", "a wrong letter");
	is_str(near("pasword-comand"), "password-command", "two missing");
	is_str(near("passwd-cmd"), NULL, "too far: 6 of 10");
	is_str(near("kepe"), "keep", "short, one swap");
	is_str(near("kpe"), NULL, "short, two wrong");
	is_str(near("imap"), "imap", "the word itself before a near one");
	is_str(near("imapx"), "imap", "the first of two equally near");
	is_str(near("zzz"), NULL, "nothing near");
	is_str(near("x"), NULL, "one letter is near to nothing");
	is_str(near(""), NULL, "nor is the empty word");
	is_str(suggest("a", NULL, 0), NULL, "no candidates");
	memset(big, 'm', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	is_str(near(big), NULL, "a very long word");
	is_str(suggest("imap", (const char *const[]){big}, 1), NULL,
	    "a very long candidate");
	test_none_of();
	return done();
}
