#ifndef PROTO_IMAP_LEX_H
#define PROTO_IMAP_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * IMAP responses as logical lines (RFC 9051 section 4): a line that ends in
 * {n} goes on behind n bytes of literal.  Small literals are folded into the
 * line; what is to be done with each is the caller's choice.
 */
#define IMAP_LINE_MAX (1024 * 1024)
#define IMAP_LITERAL_MAX (64 * 1024)

struct imap_lex {
	struct buf line;  /* so far; folded literals are kept as sent */
	size_t start;     /* in line: where its present physical line began */
	size_t pos;       /* in line: the next token */
	size_t fold;      /* bytes of a literal still to come into the line */
	uint64_t literal; /* announced: its length */
	bool announced;   /* a literal follows, its fate is not decided */
	bool complete;    /* the logical line has ended */
};

void imap_lex_init(struct imap_lex *);
void imap_lex_clear(struct imap_lex *);

/*
 * Takes bytes from `in` up to the end of a physical line.  1: there it is,
 * with `complete` or `announced` set; 0: more is needed; -1: ERR_PROTO, the
 * line is over its limit.  After `complete`, a new line begins.
 */
int imap_lex_line(struct imap_lex *, struct buf *in, struct err *);

/* The announced literal ... */
int imap_lex_fold(struct imap_lex *, struct err *); /* joins; ERR_PROTO */
void imap_lex_skip(struct imap_lex *); /* is taken from `in` by the caller */
void imap_lex_text(struct imap_lex *); /* is none, but a text that ends so */

enum imap_tok {
	IMAP_TOK_END, /* of what there is of the line */
	IMAP_TOK_OPEN,
	IMAP_TOK_CLOSE,
	IMAP_TOK_ATOM,
	IMAP_TOK_STRING,
	IMAP_TOK_LITERAL, /* announced; what it holds is yet to come */
	IMAP_TOK_JUNK
};

struct imap_token {
	enum imap_tok kind;
	struct span text; /* ATOM, STRING; borrowed from the line */
	bool escaped;     /* STRING: has backslashes to take out */
};

/*
 * The next token.  An atom is whatever ends at a blank or parenthesis.  With
 * `item`, brackets group: BODY[HEADER.FIELDS (DATE)]<0> is one atom.
 */
void imap_lex_token(struct imap_lex *, bool item, struct imap_token *tok_r);

/* Behind an opening parenthesis: past the one that closes it.  False when there
 * is none, or nesting is over 32. */
bool imap_lex_skip_list(struct imap_lex *);

/* Appends the string that the token stands for; -1 when *out is full. */
int imap_lex_unquote(const struct imap_token *, struct buf *out);

#endif
