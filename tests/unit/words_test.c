/*
 * Splitting lines as a shell would.
 */

#include <stdlib.h>

#include "base/buf.h"
#include "base/words.h"
#include "prng.h"
#include "tap.h"

/* The words of a line as "<a><b>", "!" when it does not split. */
static const char *
split(const char *line, bool comments)
{
	static char text[256];
	struct words w;
	struct err e = {0};
	size_t i;

	words_init(&w);
	text[0] = '\0';
	if (words_split(&w, line, comments, &e) == -1)
		strlcpy(text, e.kind == ERR_CONFIG && w.n == 0 ? "!" : "?", 2);
	for (i = 0; i < w.n; i++) {
		strlcat(text, "<", sizeof(text));
		strlcat(text, w.v[i], sizeof(text));
		strlcat(text, ">", sizeof(text));
	}
	if (w.n > 0 && w.v[w.n] != NULL)
		strlcpy(text, "not NULL-terminated", sizeof(text));
	words_clear(&w);
	return text;
}

static void
test_split(void)
{
	static const struct {
		const char *line, *want;
	} t[] = {
	    {"", ""},
	    {" \t \n", ""},
	    {"a b", "<a><b>"},
	    {"  a\t b\r\n", "<a><b>"},
	    {"\"a b\" c", "<a b><c>"},
	    {"'a \"b' c", "<a \"b><c>"},
	    {"a\"b c\"d'e f'", "<ab cde f>"},
	    {"\"\" ''", "<><>"},
	    {"a\\ b", "<a b>"},
	    {"\"a\\\"b\"", "<a\"b>"},
	    {"'a\\b'", "<a\\b>"},
	    {"$HOME * `x`", "<$HOME><*><`x`>"},
	    {"a #b", "<a>"},
	    {"#all", ""},
	    {"a#b \"#\" \\#c", "<a#b><#><#c>"},
	    {"a \"b", "!"},
	    {"a 'b", "!"},
	    {"a b\\", "!"},
	    {"\"b\\", "!"},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(split(t[i].line, true), t[i].want, "split %s",
		    t[i].line[0] == '\n' ? "nl" : t[i].want);
	is_str(split("a #b", false), "<a><#b>", "without comments");
}

static void
test_shell(void)
{
	static const char *const yes[] = {"a | b", "a && b", "a; b", "a >f",
	    "a <f", "(a)", "echo $x", "echo \"$x\"", "echo \"`x`\"", "ls *",
	    "ls ?", "ls [a]", "ls ~", "a\nb", "echo 'a' $b"};
	static const char *const no[] = {"", "procmail -m .rc", "echo 'a|b'",
	    "echo \"a|b;c*\"", "echo \\$x", "echo '$x'", "echo \"\\$x\"",
	    "echo 'it'\\''s'", "echo \\"};
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		ok(words_need_shell(yes[i]), "needs a shell, %zu", i);
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		ok(!words_need_shell(no[i]), "needs no shell: %s", no[i]);
}

static void
test_copy(void)
{
	struct words a, b;
	struct err e;

	words_init(&a);
	words_init(&b);
	words_add(&a, "one");
	is_int(words_split(&a, "x \"", false, &e), -1, "a bad line");
	is_int(a.n, 1, "adds nothing");
	is_int(words_split(&a, "two three", false, &e), 0, "appends");
	words_copy(&b, &a);
	words_clear(&a);
	ok(a.v == NULL && a.n == 0, "cleared");
	ok(b.n == 3 && strcmp(b.v[0], "one") == 0 &&
		strcmp(b.v[2], "three") == 0 && b.v[3] == NULL,
	    "copied");
	words_clear(&b);
}

/* Behind what is in *out, a blank and the word in double quotes. */
static void
put_quoted(struct buf *out, const char *s)
{
	buf_puts(out, " \"");
	for (; *s != '\0'; s++)
		buf_printf(
		    out, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
	buf_putc(out, '"');
}

/* The line made of them, too. */
static void
check_line(const struct words *a)
{
	char *line = words_line((const char *const *)a->v, a->n);
	struct words b;
	struct err e;
	size_t k;

	words_init(&b);
	quiet(words_split(&b, line, false, &e) == 0 && a->n == b.n,
	    "split of: %s", line);
	for (k = 0; k < a->n && k < b.n; k++)
		quiet(strcmp(a->v[k], b.v[k]) == 0, "word of: %s", line);
	free(line);
	words_clear(&b);
}

static void
test_line(void)
{
	static const char *const v[] = {
	    "plain-1/x.y", "", "a b", "it's", "*", "caf\xc3\xa9", "-o"};
	char *line = words_line(v, sizeof(v) / sizeof(v[0]));

	is_str(line, "plain-1/x.y '' 'a b' 'it'\\''s' '*' 'caf\xc3\xa9' -o",
	    "quoted as a shell needs it");
	free(line);
}

/* What is quoted splits into the same words again. */
static void
test_round_trip(void)
{
	struct words a, b;
	struct err e;
	struct buf line;
	char word[8];
	size_t i, k;

	for (i = 0; i < 5000; i++) {
		words_init(&a);
		words_init(&b);
		buf_init(&line, 1000);
		for (k = prng(5); k > 0; k--) {
			size_t n = prng(sizeof(word));

			prng_text(word, n, "ab \t\n\"'\\#$", 10);
			word[n] = '\0';
			words_add(&a, word);
			put_quoted(&line, word);
		}
		quiet(words_split(&b, buf_cstr(&line), false, &e) == 0 &&
			  a.n == b.n,
		    "split of: %s", buf_cstr(&line));
		for (k = 0; k < a.n && k < b.n; k++)
			quiet(strcmp(a.v[k], b.v[k]) == 0, "word of: %s",
			    buf_cstr(&line));
		buf_clear(&line);
		words_clear(&b);
		check_line(&a);
		words_clear(&a);
	}
	ok(tap_failed == 0, "5,000 random lists split again");
}

int
main(void)
{
	test_split();
	test_shell();
	test_copy();
	test_line();
	test_round_trip();
	return done();
}
