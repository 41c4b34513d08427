#ifndef SENDQ_MIME_WALK_H
#define SENDQ_MIME_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "mime_field.h"

/*
 * The structure of a message (RFC 2045, 2046), pure: octets in, events out.
 * Together the events' texts, with CRLF for each EOL, are the message, in
 * order, every octet once.  What is a line ends with CRLF; a lone CR or LF is
 * an octet like others.
 *
 * A boundary is a whole line, but for blanks behind it, so that one may be the
 * beginning of another.  An end that is missing is made up for by the parent's
 * next boundary or the end of the message.
 */
#define MIME_HEADER_MAX (256 * 1024)
#define MIME_DEPTH_MAX 50
#define MIME_PARTS_MAX 10000

enum mime_ev_kind {
	MIME_EV_HEADER, /* a part begins; text is its header, empty line too */
	MIME_EV_TEXT,   /* within a line of `place` */
	MIME_EV_EOL,    /* the line ends */
	MIME_EV_MARK,   /* a boundary, with the CRLF before it, which is no part
	                 * of what it ends (RFC 2046 section 5.1.1) */
};

enum mime_place {
	MIME_IN_HEADER, /* of a part whose header was too long */
	MIME_IN_BODY,   /* of a leaf */
	MIME_IN_GAP,    /* a multipart's prologue or epilogue */
};

struct mime_ev {
	enum mime_ev_kind kind;
	enum mime_place place;
	size_t part;      /* whose; counted from 0, a parent before its
	                   * children; MIME_PARTS_MAX: any of those beyond */
	struct span text; /* borrowed until the next call */
	/* HEADER */
	size_t parent; /* MIME_NO_PARENT: the message itself */
	bool message;  /* the header of a message, this or one within */
	bool frozen;   /* it lies in something signed or encrypted */
	bool whole;    /* not: over MIME_HEADER_MAX, the rest comes as TEXT
	                * and EOL, and the part is opaque */
	const struct mime_field *field; /* borrowed as text */
};
#define MIME_NO_PARENT ((size_t)-1)

struct mime_level {
	size_t part;
	char boundary[MIME_BOUNDARY_MAX];
	size_t boundary_n; /* 0: a message in a message */
	bool sealed;       /* this or one above it is */
	bool digest;
	bool closed; /* its last boundary came */
};

/* Longer lines are no boundaries. */
#define MIME_MARK_MAX 512

/* 280 KiB at most, the header included; members are private. */
struct mime_walk {
	struct mime_level level[MIME_DEPTH_MAX];
	size_t depth;
	size_t parts;
	enum mime_place place;
	size_t part;
	struct buf header; /* as far as it came */
	struct mime_field field;
	bool header_over; /* it was given, and the next one begins anew */
	bool partial;     /* the header was given in part, as too long */
	enum { MIME_LINE_START, MIME_LINE_HELD, MIME_LINE_FLOWS } line;
	char held[MIME_MARK_MAX + 4]; /* CRLF, what may be a boundary, CRLF */
	size_t held_n;
	bool cr;   /* a CR, of which is not known what follows */
	bool owed; /* a CRLF that belongs to a boundary, if one follows */
	bool ended;
	struct span in;
	struct mime_ev queue[4];
	size_t queued, given;
};

void mime_walk_init(struct mime_walk *);
void mime_walk_clear(struct mime_walk *);

/*
 * Feeds a piece, of any size, once all events of the last one were taken; it
 * is borrowed until mime_walk_next() returns false.
 */
void mime_walk_feed(struct mime_walk *, struct span);

/* The message is at its end; events may follow. */
void mime_walk_end(struct mime_walk *);

/* The next event; false when more has to be fed, or there is no more. */
bool mime_walk_next(struct mime_walk *, struct mime_ev *ev_r);

#endif
