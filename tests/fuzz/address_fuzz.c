/*
 * Address lists.  The first byte of a case tells where a pattern ends that the
 * rest is matched against.  What comes out stands in the list, is in normal
 * form, and cannot break out of where it is put.
 */

#include <stdlib.h>
#include <string.h>

#include "base/address.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
inside(struct span part, struct span whole)
{
	return part.n == 0 ||
	       (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static bool
has_control(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static void
check_name(struct span name)
{
	struct buf once, twice;

	buf_init(&once, name.n);
	buf_init(&twice, name.n);
	MUST(address_name(&once, name) == 0);
	MUST(!has_control(buf_span(&once)));
	MUST(address_name(&twice, name) == 0);
	MUST(span_same(buf_span(&once), buf_span(&twice)));
	buf_clear(&once);
	buf_clear(&twice);
}

/* A good address is what it is, however it is written or where it stands. */
static void
check_good(const struct address *a, struct span pattern)
{
	struct address_walk w;
	struct address b;
	struct buf text;
	struct err e;
	char *p;

	MUST(a->text.n <= ADDRESS_MAX && !has_control(a->text));
	MUST(address_one(a->text, &w, &b, &e) == 0);
	MUST(span_same(a->text, b.text) && a->local == b.local);
	MUST(span_same(b.text, b.spec) && b.name.n == 0);
	MUST(address_compare(a->text, b.text) == 0);
	MUST(a->local == (address_domain(a->text).n == 0));
	buf_init(&text, 4 * ADDRESS_MAX);
	MUST(buf_printf(&text, "\"x\" <%.*s>", SPAN(a->text)) == 0);
	MUST(address_one(buf_span(&text), &w, &b, &e) == 0);
	MUST(span_same(a->text, b.text));
	buf_reset(&text);
	MUST(buf_printf(&text, "%.*s", SPAN(a->text)) == 0);
	if (a->local)
		buf_puts(&text, "@x.example");
	MUST(address_one(buf_span(&text), &w, &b, &e) == 0 && !b.local);
	MUST(address_match(buf_cstr(&text), b.text));
	buf_clear(&text);
	p = span_dup(pattern);
	(void)address_match(p, a->text);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct address_walk w;
	struct address a;
	struct span s, pattern;
	struct err e = {0};
	size_t before = 0;
	int rc;

	if (size == 0)
		return 0;
	s = span_bytes(data + 1, size - 1);
	pattern = span_bytes(s.p, s.n < data[0] % 16u ? s.n : data[0] % 16u);
	check_name(s);
	address_walk_init(&w, s);
	while ((rc = address_next(&w, &a, &e)) == 1) {
		MUST(w.i > before && w.i <= s.n);
		before = w.i;
		MUST(inside(a.spec, s) && inside(a.name, s));
		MUST(a.text.n <= ADDRESS_ROOM);
		check_name(a.name);
		if (address_check(a.text, &e) == 0)
			check_good(&a, pattern);
		else
			MUST(e.kind == ERR_MESSAGE && e.text[0] != '\0');
	}
	MUST(rc == 0 || (e.kind == ERR_MESSAGE && w.at <= s.n));
	MUST(rc == 0 || e.text[0] != '\0');
	MUST(address_next(&w, &a, &e) == 0);
	return 0;
}
