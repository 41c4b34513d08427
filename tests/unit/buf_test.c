/*
 * The byte queue, against a plain array that does the same.
 */

#include <stdlib.h>

#include "base/buf.h"
#include "prng.h"
#include "tap.h"

#define LIMIT 300

static void
test_limit(void)
{
	struct buf b;

	buf_init(&b, 8);
	is_int(buf_puts(&b, "12345678"), 0, "up to the limit");
	is_int(buf_putc(&b, 'x'), -1, "not over it");
	is_int(buf_append(&b, "", 0), 0, "nothing always fits");
	is_mem(buf_span(&b).p, buf_span(&b).n, "12345678", "it stays");
	is_str(buf_cstr(&b), "12345678", "a full buffer as a string");
	is_int(b.max, 8, "the string's NUL does not raise the limit");
	buf_consume(&b, 5);
	is_int(buf_room(&b), 5, "consumed room is room");
	is_int(buf_puts(&b, "abcde"), 0, "which can be filled");
	is_str(buf_cstr(&b), "678abcde", "in order");
	ok(buf_reserve(&b, 1) == NULL, "no reserve over the limit");
	buf_consume(&b, 99);
	is_int(buf_span(&b).n, 0, "consume more than there is");
	is_str(buf_cstr(&b), "", "empty string");
	is_int(buf_printf(&b, "%s-%d", "ab", 12), 0, "printf");
	is_str(buf_cstr(&b), "ab-12", "printf's text");
	is_int(buf_printf(&b, "%s", "long text"), -1, "printf over the limit");
	is_str(buf_cstr(&b), "ab-12", "leaves it as it was");
	buf_wipe(&b);
	ok(b.data == NULL && b.len == 0 && b.max == 8, "wiped");
	buf_clear(&b);
}

static void
test_model(void)
{
	char model[LIMIT], piece[64];
	size_t len = 0, n, i;
	struct buf b;
	char *room;
	bool fits;

	buf_init(&b, LIMIT);
	for (i = 0; i < 20000; i++) {
		n = prng(sizeof(piece));
		if (prng(2) == 0) {
			prng_text(piece, n, "abcdefgh", 8);
			fits = len + n <= LIMIT;
			if (prng(2) == 0) {
				room = buf_reserve(&b, n);
				quiet((room != NULL) == fits, "reserve %zu", i);
				if (room != NULL && n > 0)
					memcpy(room, piece, n);
				if (room != NULL)
					buf_commit(&b, n);
			} else
				quiet((buf_append(&b, piece, n) == 0) == fits,
				    "append, step %zu", i);
			if (fits) {
				memcpy(model + len, piece, n);
				len += n;
			}
		} else {
			n = n < len ? n : len;
			buf_consume(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
		}
		quiet(span_same(buf_span(&b), span_bytes(model, len)) &&
			  buf_room(&b) == LIMIT - len,
		    "equal to the model, step %zu", i);
	}
	buf_clear(&b);
	ok(tap_failed == 0, "20,000 random steps equal the model");
}

int
main(void)
{
	test_limit();
	test_model();
	return done();
}
