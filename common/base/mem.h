#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Allocation that cannot fail: when memory is out, the process ends with
 * EX_TEMPFAIL.  Being killed anywhere is safe by design, so this is too.  The
 * sizes asked for are bounded by the caller, never named by a peer.
 * All results are owned by the caller and released with free(3).
 */
void *mem_alloc(size_t);                /* zeroed */
void *mem_array(size_t n, size_t size); /* zeroed, overflow-checked */
void *mem_resize(void *, size_t n, size_t size);
/*
 * Room behind the n elements that are there for one more: for a list that
 * grows in no other way, whose room is the next power of two.
 */
void *mem_more(void *, size_t n, size_t size);
char *mem_strdup(const char *);
char *mem_strndup(const char *, size_t);
char *mem_printf(const char *, ...) __attribute__((format(printf, 1, 2)));
char *mem_vprintf(const char *, va_list) __attribute__((format(printf, 1, 0)));

/* Overwrites a secret, then frees it; NULL is accepted. */
void mem_free_secret(char *);

#endif
