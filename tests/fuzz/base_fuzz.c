/*
 * The small parsers of common/base: what each takes, it gives back.  The first
 * byte of a case tells whom the rest is for.
 */

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/glob.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "base/time.h"
#include "base/uidset.h"
#include "base/url.h"
#include "base/words.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
fuzz_url(const char *text)
{
	struct url u, v;
	struct err e = {0};
	char *shown, *again;

	if (url_parse(text, &u, &e) == -1) {
		MUST(e.kind == ERR_CONFIG && e.text[0] != '\0');
		MUST(u.user == NULL && u.host == NULL && u.path == NULL);
		return;
	}
	MUST(url_looks_like(text) && u.port != 0 && *u.host != '\0');
	MUST(u.path == NULL || (*u.path != '\0' && *u.path != '/'));
	shown = url_show(&u);
	if (strlen(shown) <= 4096) {
		MUST(url_parse(shown, &v, &e) == 0);
		again = url_show(&v);
		MUST(strcmp(shown, again) == 0 && u.port == v.port);
		MUST(strcmp(u.host, v.host) == 0);
		MUST(u.user == NULL || strcmp(u.user, v.user) == 0);
		MUST(u.path == NULL || strcmp(u.path, v.path) == 0);
		free(again);
		url_clear(&v);
	}
	free(shown);
	url_clear(&u);
}

static void
fuzz_words(const char *text)
{
	struct words a;
	struct err e = {0};

	words_need_shell(text);
	words_init(&a);
	if (words_split(&a, text, true, &e) == -1)
		MUST(a.n == 0 && e.kind == ERR_CONFIG);
	words_clear(&a);
	if (words_split(&a, text, false, &e) == -1)
		MUST(a.n == 0 && e.kind == ERR_CONFIG);
	words_clear(&a);
}

static void
fuzz_uidset(struct span s)
{
	struct uidset a, b;
	struct buf text;
	uint32_t from = 1;
	size_t i;

	uidset_init(&a);
	uidset_init(&b);
	if (uidset_parse(&a, s) == -1) {
		MUST(uidset_empty(&a));
		return;
	}
	buf_init(&text, 40);
	while (from != 0) {
		buf_reset(&text);
		from = uidset_format(&a, from, 30, &text);
		MUST(text.len > 0 && text.len <= 30);
		MUST(uidset_parse(&b, buf_span(&text)) == 0);
	}
	MUST(a.n == b.n && memcmp(a.v, b.v, a.n * sizeof(*a.v)) == 0);
	MUST(uidset_count(&a) > 0 && uidset_has(&a, uidset_max(&a)));
	for (i = 0; i < a.n; i++)
		uidset_del(&b, a.v[i].lo, a.v[i].hi);
	MUST(uidset_empty(&b));
	uidset_clear(&a);
	uidset_clear(&b);
	buf_clear(&text);
}

typedef int (*coder)(struct buf *, struct span);

/* What decodes, encodes; exact: to the very bytes it came from. */
static void
there_and_back(coder dec, coder enc, struct span s, bool exact)
{
	struct buf a, b, c;

	buf_init(&a, 4 * s.n + 16);
	buf_init(&b, 16 * s.n + 64);
	buf_init(&c, 16 * s.n + 64);
	if (dec(&a, s) == 0) {
		MUST(enc(&b, buf_span(&a)) == 0);
		MUST(!exact || span_same(s, buf_span(&b)));
		MUST(dec(&c, buf_span(&b)) == 0);
		MUST(span_same(buf_span(&a), buf_span(&c)));
	}
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&c);
}

static void
fuzz_enc(struct span s)
{
	struct buf b;
	bool nul = span_find(s, '\0') != -1;

	there_and_back(dec_base64, enc_base64, s, true);
	there_and_back(dec_hex, enc_hex, s, false);
	if (!nul)
		there_and_back(dec_percent, enc_percent, s, false);
	there_and_back(dec_utf7, enc_utf7, s, true);
	there_and_back(enc_base64, dec_base64, s, true);
	there_and_back(enc_hex, dec_hex, s, true);
	there_and_back(enc_utf7, dec_utf7, s, true);
	buf_init(&b, 8 * s.n + 8);
	MUST((enc_utf7(&b, s) == 0) == (enc_utf8_valid(s) && !nul));
	buf_clear(&b);
}

/* Half the text is the pattern, the rest the name. */
static void
fuzz_glob(const char *text)
{
	struct words w;
	size_t n = strlen(text) / 2;
	char *pattern = mem_strndup(text, n);
	char *not = mem_printf("!%s", pattern);
	const char *name = text + n;
	bool hit = glob_match(pattern, name, '/');

	words_init(&w);
	words_add(&w, not );
	MUST(glob_list(&w, name, '/') == !hit);
	MUST(glob_match("*", name, '/'));
	MUST(glob_match("%", name, '/') == (strchr(name, '/') == NULL));
	if (glob_literal(pattern) && hit)
		MUST(strcasecmp(pattern, name) == 0);
	if (glob_literal(name))
		MUST(glob_match(name, name, '/'));
	words_clear(&w);
	free(not );
	free(pattern);
}

static void
fuzz_time(const char *text)
{
	static const char *const known[] = {"maildir", "keep", "imap", ""};
	struct span s = span_of(text);
	const char *near = suggest(text, known, 4);
	char shown[32];
	uint64_t bytes = 0;
	int64_t ms = 0;

	if (time_duration(text, &ms)) {
		MUST(ms >= 0 && ms <= INT64_C(864000000000));
		time_show_duration(ms, shown);
		MUST(strlen(shown) < 20);
	}
	if (time_size(text, &bytes)) {
		time_show_size(bytes, shown);
		MUST(strlen(shown) < 12);
	}
	MUST(time_imap(s.p, s.n) >= -62135769600);
	MUST(near == NULL || strlen(near) <= 2 * s.n + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s;
	char *text;

	if (size == 0)
		return 0;
	s = span_bytes(data + 1, size - 1);
	text = mem_strndup(s.p, s.n);
	switch (data[0]) {
	case 'U':
		fuzz_url(text);
		break;
	case 'W':
		fuzz_words(text);
		break;
	case 'S':
		fuzz_uidset(s);
		break;
	case 'E':
		fuzz_enc(s);
		break;
	case 'G':
		fuzz_glob(text);
		break;
	case 'T':
		fuzz_time(text);
		break;
	}
	free(text);
	return 0;
}
