#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Writes JSON (RFC 8259) on one line, always valid UTF-8: an octet that is
 * none becomes U+FFFD.  Commas are put where they belong.
 *
 *	json_open(out, NULL, '{');
 *	json_text(out, "name", span_of("Ada"));
 *	json_open(out, "years", '[');
 *	json_number(out, NULL, 1815);
 *	json_close(out, ']');
 *	json_close(out, '}');
 *
 * The key is NULL for a member of an array.  All append to *out: -1 at the
 * buffer's limit, and then it holds a part.
 */
int json_open(struct buf *out, const char *key, char bracket);
int json_close(struct buf *out, char bracket);
int json_text(struct buf *out, const char *key, struct span);
int json_number(struct buf *out, const char *key, int64_t);
int json_bool(struct buf *out, const char *key, bool);
int json_null(struct buf *out, const char *key);

#endif
