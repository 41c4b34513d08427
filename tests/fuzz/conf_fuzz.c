/*
 * Configuration from memory: whatever stands in it, errors are in order and
 * fit to be shown; and what is without errors, written out again, reads the
 * same.  The same bytes also serve as an override and as a ~/.netrc.
 */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/account.h"
#include "os/conf.h"
#include "os/secret.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
apply_all(struct conf *c)
{
	struct account a;
	struct conf_table table = {.keys = account_keys, .target = &a};
	size_t i, n = c->n;

	for (i = 0; i < n; i++) {
		account_init(&a);
		conf_apply(c, &c->sections[i], &table, 1);
		account_check(&a, URL_IMAP, c, &c->sections[i]);
		MUST(a.name != NULL);
		account_clear(&a);
	}
}

static void
check_errors(const struct conf *c)
{
	size_t i;
	const char *p;

	for (i = 0; i < c->errors.n; i++) {
		MUST(i == 0 || c->error_rank[i - 1] <= c->error_rank[i]);
		MUST(strncmp(c->errors.v[i], "c:", 2) == 0 ||
		     strncmp(c->errors.v[i], "-o: ", 4) == 0);
		for (p = c->errors.v[i]; *p != '\0'; p++)
			MUST((unsigned char)*p >= ' ' || *p == '\t');
	}
}

/* False when a keyword could not be written without quotes. */
static bool
write_out(const struct conf *c, struct buf *out)
{
	const struct conf_section *s;
	size_t i, k;

	for (i = 0; i < c->n; i++) {
		s = &c->sections[i];
		buf_printf(out, "%s %s\n", conf_kind_names[s->kind], s->name);
		for (k = 0; k < s->n; k++) {
			const char *word = s->lines[k].keyword;

			if (word[0] == '\0' || word[0] == '#' ||
			    strpbrk(word, " \t\"'\\") != NULL)
				return false;
			buf_printf(out, "%s %s\n", word, s->lines[k].text);
		}
	}
	return true;
}

static void
check_same(struct conf *a, struct conf *b)
{
	const struct conf_section *s, *t;
	size_t i, k, w;

	MUST(a->n == b->n && b->errors.n == 0);
	for (i = 0; i < a->n; i++) {
		s = &a->sections[i];
		t = conf_find(b, s->kind, s->name);
		MUST(t != NULL && s->n == t->n);
		for (k = 0; k < s->n; k++) {
			const struct conf_line *l = &s->lines[k];
			const struct conf_line *m = &t->lines[k];

			MUST(strcmp(l->keyword, m->keyword) == 0);
			MUST(l->args.n == m->args.n);
			for (w = 0; w < l->args.n; w++)
				MUST(strcmp(l->args.v[w], m->args.v[w]) == 0);
		}
	}
}

static void
read_again(struct conf *c)
{
	struct conf again;
	struct buf out;

	buf_init(&out, SIZE_MAX / 2);
	if (write_out(c, &out)) {
		conf_init(&again);
		conf_parse(&again, "c", buf_cstr(&out), out.len);
		check_same(c, &again);
		conf_clear(&again);
	}
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = mem_strndup((const char *)data, n), *secret;
	struct conf c;

	conf_init(&c);
	conf_parse(&c, "c", (const char *)data, n);
	if (c.errors.n == 0)
		read_again(&c);
	conf_override(&c, text);
	apply_all(&c);
	check_errors(&c);
	conf_clear(&c);

	secret = secret_netrc(text, "h", "u");
	mem_free_secret(secret);
	free(text);
	return 0;
}
