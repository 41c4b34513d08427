/*
 * Standing between whoever gives us a message and what is made of it: its
 * bytes are taken once, as fast as they come, and kept in a form in which no
 * line end is anything but CRLF.
 */

#include "accept_input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/stop.h"

#define CHUNK (64u << 10)
#define IN_MEMORY (256u << 10) /* a body up to that needs no file */

void
input_init(struct input *in, bool dot)
{
	*in = (struct input){.file = -1};
	letter_scan_init(&in->scan, dot);
	buf_init(&in->body, IN_MEMORY + LETTER_ROOM(CHUNK));
	in->chunk = mem_alloc(CHUNK);
}

void
input_clear(struct input *in)
{
	letter_scan_clear(&in->scan);
	buf_clear(&in->body);
	if (in->file != -1)
		close(in->file);
	free(in->chunk);
	*in = (struct input){.file = -1};
}

/* What is in memory goes to the file. */
static int
spill(struct input *in, const char *dir, struct err *e)
{
	struct span s = buf_span(&in->body);

	if (in->file == -1 && file_temp(dir, &in->file, e) == -1)
		return -1;
	if (file_write(in->file, s.p, s.n, dir, e) == -1)
		return -1;
	buf_reset(&in->body);
	return 0;
}

/* Waits for input or a stop: how many octets, 0 at the end, -1. */
static ssize_t
take(struct input *in, int fd, struct err *e)
{
	struct pollfd p[2] = {
	    {.fd = fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
	ssize_t n;

	do {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return err_sys(e, ERR_LOCAL, "waiting for a message");
		if (stop_requested())
			return err_set(e, ERR_TEMP,
			    "stopped before the message was whole: it is not "
			    "sent");
		n = read(fd, in->chunk, CHUNK);
	} while (n == -1 && (errno == EINTR || errno == EAGAIN));
	if (n == -1)
		err_sys(e, ERR_LOCAL, "cannot read the message");
	return n;
}

int
input_read(struct input *in, int fd, const char *dir, struct err *e)
{
	ssize_t n = 1;

	while (n > 0 && !in->scan.done) {
		n = take(in, fd, e);
		if (n > 0 && letter_scan_feed(&in->scan, in->chunk, (size_t)n,
				 &in->body, e) == -1)
			return -1;
		if (n > 0 && buf_span(&in->body).n > IN_MEMORY &&
		    spill(in, dir, e) == -1)
			return -1;
	}
	if (n == -1 || letter_scan_end(&in->scan, &in->body, e) == -1)
		return -1;
	return in->file != -1 ? spill(in, dir, e) : 0;
}

void
input_rewind(struct input *in)
{
	in->at = 0;
	in->told = false;
}

int
input_next(struct input *in, struct span *piece, struct err *e)
{
	ssize_t n;

	if (in->file == -1) {
		*piece = buf_span(&in->body);
		if (in->told || piece->n == 0)
			return 0;
		in->told = true;
		return 1;
	}
	do
		n = pread(in->file, in->chunk, CHUNK, in->at);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_sys(e, ERR_LOCAL, "cannot read the message again");
	in->at += n;
	*piece = span_bytes(in->chunk, (size_t)n);
	return n > 0;
}
