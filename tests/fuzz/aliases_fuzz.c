/*
 * An aliases file: the first line of a case is a name, the rest the file. What
 * comes out is the same the second time, each once, and what is good for an envelope
 * can stand on a line.
 */

#include <stdlib.h>
#include <string.h>

#include "aliases.h"
#include "base/address.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check(const struct words *found, const char *name)
{
	struct err e;
	size_t i, k;

	MUST(found->n > 0);
	for (i = 0; i < found->n; i++) {
		const char *word = found->v[i];

		for (k = 0; k < i; k++)
			MUST(address_compare(
				 span_of(found->v[k]), span_of(word)) != 0);
		if (strcmp(word, name) == 0)
			continue;
		MUST(*word != '\0');
		if (address_check(span_of(word), &e) == 0)
			MUST(word[strcspn(word, "\r\n")] == '\0');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span file = span_bytes(data, n), line = {NULL, 0};
	struct words first, second;
	char *name;

	(void)span_cut(&file, '\n', &line);
	name = span_dup(line);
	words_init(&first);
	words_init(&second);
	aliases_resolve(file, name, &first);
	check(&first, name);
	aliases_resolve(file, name, &second);
	MUST(first.n == second.n);
	aliases_resolve(file, name, &second);
	MUST(first.n == second.n);
	words_clear(&first);
	words_clear(&second);
	free(name);
	return 0;
}
