/*
 * What the server tells of its folders: LIST, STATUS, NAMESPACE.
 */

#include "proto/imap_folder.h"

#include "base/enc.h"
#include "proto/imap_code.h"

static enum imap_tok
next(struct imap *im, struct imap_token *t)
{
	imap_lex_token(&im->lex, false, t);
	return t->kind;
}

/* Appends the next token, a name or a prefix of such, in UTF-8. */
static bool
decode(struct imap *im, struct buf *out)
{
	size_t had = out->len;
	struct imap_token t;
	struct buf raw;
	bool good;

	if (next(im, &t) != IMAP_TOK_ATOM && t.kind != IMAP_TOK_STRING)
		return false;
	buf_init(&raw, IMAP_LINE_MAX);
	good = imap_lex_unquote(&t, &raw) == 0;
	/* A name that is no modified UTF-7 can only be shown as it is. */
	if (imap_utf8_names(im) || dec_utf7(out, buf_span(&raw)) == -1) {
		out->len = had;
		good = good && buf_add(out, buf_span(&raw)) == 0;
	}
	buf_clear(&raw);
	return good;
}

static bool
take_name(struct imap *im, struct imap_folder *f)
{
	buf_reset(&im->text);
	if (!decode(im, &im->text))
		return false;
	f->name = buf_span(&im->text);
	if (span_caseeq(f->name, "INBOX"))
		f->name = span_of("INBOX");
	return true;
}

static unsigned int
attr_by_name(struct span s)
{
	static const struct {
		const char *name;
		unsigned int bits;
	} attrs[] = {
	    {"\\Noselect", IMAP_ATTR_NOSELECT},
	    {"\\NonExistent", IMAP_ATTR_NONEXISTENT | IMAP_ATTR_NOSELECT},
	    {"\\Noinferiors", IMAP_ATTR_NOINFERIORS},
	    {"\\HasChildren", IMAP_ATTR_HASCHILDREN},
	    {"\\Subscribed", IMAP_ATTR_SUBSCRIBED},
	    {"\\All", IMAP_ATTR_ALL},
	    {"\\Archive", IMAP_ATTR_ARCHIVE},
	    {"\\Drafts", IMAP_ATTR_DRAFTS},
	    {"\\Flagged", IMAP_ATTR_FLAGGED},
	    {"\\Junk", IMAP_ATTR_JUNK},
	    {"\\Sent", IMAP_ATTR_SENT},
	    {"\\Trash", IMAP_ATTR_TRASH},
	};
	size_t i;

	for (i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		if (span_caseeq(s, attrs[i].name))
			return attrs[i].bits;
	return 0;
}

/* "/", "\\" or NIL */
static bool
take_sep(struct imap *im, char *sep_r)
{
	struct imap_token t;

	if (next(im, &t) == IMAP_TOK_ATOM)
		return span_caseeq(t.text, "NIL");
	if (t.kind != IMAP_TOK_STRING || t.text.n > 2)
		return false;
	*sep_r = t.text.n > 0 ? t.text.p[t.text.n - 1] : '\0';
	return true;
}

bool
imap_folder_list(struct imap *im, struct imap_ev *ev)
{
	struct imap_token t;

	ev->kind = IMAP_EV_LIST;
	if (next(im, &t) != IMAP_TOK_OPEN)
		return false;
	while (next(im, &t) == IMAP_TOK_ATOM)
		ev->folder.attrs |= attr_by_name(t.text);
	return t.kind == IMAP_TOK_CLOSE && take_sep(im, &ev->folder.sep) &&
	       take_name(im, &ev->folder);
}

static void
take_number(struct imap_folder *f, struct span item, struct span s)
{
	uint64_t n;

	if (!span_number(s, UINT64_MAX, &n))
		return;
	if (span_caseeq(item, "HIGHESTMODSEQ")) {
		f->modseq = n;
		f->has_modseq = true;
	} else if (span_caseeq(item, "UIDVALIDITY")) {
		f->uidvalidity = imap_code_uidvalidity(n);
		f->has_uidvalidity = true;
	} else if (n > UINT32_MAX)
		return;
	else if (span_caseeq(item, "MESSAGES")) {
		f->messages = (uint32_t)n;
		f->has_messages = true;
	} else if (span_caseeq(item, "UIDNEXT")) {
		f->uidnext = (uint32_t)n;
		f->has_uidnext = true;
	} else if (span_caseeq(item, "UNSEEN"))
		f->unseen = (uint32_t)n;
}

static bool
take_id(struct imap *im, struct span *id_r)
{
	struct imap_token t;

	if (next(im, &t) != IMAP_TOK_ATOM && t.kind != IMAP_TOK_STRING)
		return false;
	*id_r = t.text;
	return imap_lex_skip_list(&im->lex);
}

/* A value in parentheses, behind the opening one. */
static bool
take_list(struct imap *im, struct imap_folder *f, struct span item)
{
	if (span_caseeq(item, "MAILBOXID"))
		return take_id(im, &f->mailboxid);
	return imap_lex_skip_list(&im->lex);
}

bool
imap_folder_status(struct imap *im, struct imap_ev *ev)
{
	struct imap_token item, t;

	ev->kind = IMAP_EV_FOLDER;
	if (!take_name(im, &ev->folder) || next(im, &t) != IMAP_TOK_OPEN)
		return false;
	while (next(im, &item) == IMAP_TOK_ATOM)
		if (next(im, &t) == IMAP_TOK_ATOM)
			take_number(&ev->folder, item.text, t.text);
		else if (t.kind != IMAP_TOK_STRING &&
			 (t.kind != IMAP_TOK_OPEN ||
			     !take_list(im, &ev->folder, item.text)))
			return false;
	return item.kind == IMAP_TOK_CLOSE;
}

/* ((prefix separator ...) ...) or NIL */
static bool
take_prefixes(struct imap *im, char *sep_r)
{
	struct imap_token t;

	if (next(im, &t) == IMAP_TOK_ATOM)
		return span_caseeq(t.text, "NIL");
	if (t.kind != IMAP_TOK_OPEN)
		return false;
	while (next(im, &t) == IMAP_TOK_OPEN)
		if (!decode(im, &im->text) || buf_putc(&im->text, '\0') == -1 ||
		    !take_sep(im, sep_r) || !imap_lex_skip_list(&im->lex))
			return false;
	return t.kind == IMAP_TOK_CLOSE;
}

bool
imap_folder_namespace(struct imap *im, struct imap_ev *ev)
{
	bool good;
	char sep;

	ev->kind = IMAP_EV_NAMESPACE;
	buf_reset(&im->text);
	good = take_prefixes(im, &ev->folder.sep);
	if (im->text.len == 0)
		(void)buf_putc(&im->text, '\0');
	good = good && take_prefixes(im, &sep) && take_prefixes(im, &sep);
	ev->text = buf_span(&im->text);
	return good;
}
