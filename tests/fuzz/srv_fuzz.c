/*
 * SRV answers as a resolver might hand them over.
 */

#include <stdlib.h>
#include <string.h>

#include "os/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	char *host = NULL;
	uint16_t port = 0;
	int rv = net_srv_parse(data, n, &host, &port);

	if (rv < -1 || rv > 1 || (rv == 1) != (host != NULL))
		abort();
	if (rv == 1 && (port == 0 || *host == '\0' || strlen(host) > 1024 ||
			   host[strspn(host, good)] != '\0'))
		abort();
	free(host);
	return 0;
}
