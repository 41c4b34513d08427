/*
 * What the server says in OK, NO, BAD and BYE: response codes taken apart, and
 * refusals turned into errors by what a person or the program can do about
 * them.
 */

#include "proto/imap_code.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What can be done about a refusal. */
enum reaction { BY_TEXT, LATER, LOGIN, FOLDER, NEVER, GARBLED };

static const struct entry {
	const char *name;
	enum imap_code code;
	enum reaction reaction;
} codes[] = {
    {"ALERT", IMAP_CODE_ALERT, BY_TEXT},
    {"UIDVALIDITY", IMAP_CODE_UIDVALIDITY, BY_TEXT},
    {"UIDNEXT", IMAP_CODE_UIDNEXT, BY_TEXT},
    {"HIGHESTMODSEQ", IMAP_CODE_HIGHESTMODSEQ, BY_TEXT},
    {"NOMODSEQ", IMAP_CODE_NOMODSEQ, BY_TEXT},
    {"READ-ONLY", IMAP_CODE_READ_ONLY, NEVER},
    {"READ-WRITE", IMAP_CODE_READ_WRITE, BY_TEXT},
    {"PERMANENTFLAGS", IMAP_CODE_PERMANENTFLAGS, BY_TEXT},
    {"CAPABILITY", IMAP_CODE_CAPABILITY, BY_TEXT},
    {"TRYCREATE", IMAP_CODE_TRYCREATE, FOLDER},
    {"APPENDUID", IMAP_CODE_APPENDUID, BY_TEXT},
    {"COPYUID", IMAP_CODE_COPYUID, BY_TEXT},
    {"MODIFIED", IMAP_CODE_MODIFIED, BY_TEXT},
    {"CLOSED", IMAP_CODE_CLOSED, BY_TEXT},
    {"UNAVAILABLE", IMAP_CODE_UNAVAILABLE, LATER},
    {"INUSE", IMAP_CODE_INUSE, LATER},
    {"AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED, LOGIN},
    {"AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED, LOGIN},
    {"EXPIRED", IMAP_CODE_EXPIRED, LOGIN},
    {"PRIVACYREQUIRED", IMAP_CODE_PRIVACYREQUIRED, LOGIN},
    {"CONTACTADMIN", IMAP_CODE_CONTACTADMIN, LOGIN},
    {"NOPERM", IMAP_CODE_NOPERM, NEVER}, {"LIMIT", IMAP_CODE_LIMIT, LATER},
    {"THROTTLED", IMAP_CODE_LIMIT, LATER}, /* Gmail */
    {"OVERQUOTA", IMAP_CODE_OVERQUOTA, LATER},
    {"NONEXISTENT", IMAP_CODE_NONEXISTENT, FOLDER},
    {"ALREADYEXISTS", IMAP_CODE_ALREADYEXISTS, NEVER},
    {"SERVERBUG", IMAP_CODE_SERVERBUG, LATER},
    {"NOTIFICATIONOVERFLOW", IMAP_CODE_NOTIFICATIONOVERFLOW, BY_TEXT},
    {"BADEVENT", IMAP_CODE_BADEVENT, BY_TEXT},
    {"UIDNOTSTICKY", IMAP_CODE_UIDNOTSTICKY, BY_TEXT},
    {"MAILBOXID", IMAP_CODE_MAILBOXID, BY_TEXT},
    {"COMPRESSIONACTIVE", IMAP_CODE_COMPRESSIONACTIVE, BY_TEXT},
    {"TOOBIG", IMAP_CODE_TOOBIG, NEVER},             /* RFC 4469 */
    {"MESSAGELIMIT", IMAP_CODE_MESSAGELIMIT, LATER}, /* RFC 9738 */
};

bool
imap_code_cond(struct span word, enum imap_cond *cond_r)
{
	static const char *const names[] = {[IMAP_OK] = "OK",
	    [IMAP_NO] = "NO",
	    [IMAP_BAD] = "BAD",
	    [IMAP_PREAUTH] = "PREAUTH",
	    [IMAP_BYE] = "BYE"};
	int i;

	for (i = IMAP_OK; i <= IMAP_BYE; i++)
		if (span_caseeq(word, names[i])) {
			*cond_r = (enum imap_cond)i;
			return true;
		}
	return false;
}

/*
 * Where the bracket that opens at s.p[0] closes.  Flags may hold brackets of
 * their own, so that one outside parentheses is looked for first.
 */
static size_t
code_end(struct span s)
{
	size_t i, depth = 0;
	ptrdiff_t first = span_find(s, ']');

	for (i = 1; i < s.n; i++) {
		if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && depth > 0)
			depth--;
		else if (s.p[i] == ']' && depth == 0)
			return i;
	}
	return first == -1 ? s.n : (size_t)first;
}

static bool
next_number(struct span *s, uint64_t *n_r)
{
	struct span word;

	return span_word(s, &word) && span_number(word, UINT64_MAX, n_r);
}

/*
 * Some servers' UIDVALIDITY has over 32 bits.  It is only ever compared, so
 * its halves are laid over each other.
 */
uint32_t
imap_code_uidvalidity(uint64_t n)
{
	return (uint32_t)(n ^ n >> 32);
}

static bool
next_set(struct span *s, struct uidset *set)
{
	struct span word;

	uidset_clear(set);
	return span_word(s, &word) && uidset_parse(set, word) == 0;
}

/* APPENDUID validity uids; COPYUID validity from to (RFC 4315). */
static bool
parse_uidplus(struct imap *im, struct span s, struct imap_ev *ev)
{
	if (!next_number(&s, &ev->code_number))
		return false;
	ev->code_number = imap_code_uidvalidity(ev->code_number);
	if (ev->code == IMAP_CODE_COPYUID) {
		if (!next_set(&s, &im->from))
			return false;
		ev->code_from = &im->from;
	}
	ev->uids = &im->uids;
	return next_set(&s, &im->uids);
}

/* The code's arguments; false when they are not what they should be. */
static bool
parse_args(struct imap *im, struct span s, struct imap_ev *ev)
{
	if (ev->code == IMAP_CODE_CAPABILITY)
		imap_set_caps(im, s);
	if (ev->code == IMAP_CODE_UIDNEXT ||
	    ev->code == IMAP_CODE_HIGHESTMODSEQ)
		return next_number(&s, &ev->code_number);
	if (ev->code == IMAP_CODE_UIDVALIDITY) {
		if (!next_number(&s, &ev->code_number))
			return false;
		ev->code_number = imap_code_uidvalidity(ev->code_number);
	}
	if (ev->code == IMAP_CODE_MODIFIED) {
		ev->uids = &im->uids;
		return next_set(&s, &im->uids);
	}
	if (ev->code == IMAP_CODE_APPENDUID || ev->code == IMAP_CODE_COPYUID)
		return parse_uidplus(im, s, ev);
	return true;
}

void
imap_code_parse(struct imap *im, struct span s, struct imap_ev *ev)
{
	struct span in, word;
	size_t i, end;

	s = span_trim(s);
	ev->text = s;
	if (s.n == 0 || s.p[0] != '[')
		return;
	end = code_end(s);
	in = span_bytes(s.p + 1, end - 1);
	if (end == s.n || !span_word(&in, &word))
		return;
	ev->code = IMAP_CODE_OTHER;
	ev->text = span_trim(span_skip(s, end + 1));
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (span_caseeq(word, codes[i].name))
			ev->code = codes[i].code;
	ev->code_args = span_trim(in);
	if (!parse_args(im, in, ev)) {
		ev->code = IMAP_CODE_OTHER;
		ev->code_number = 0;
		ev->code_from = ev->uids = NULL;
	}
}

/* --- refusals ---------------------------------------------------------- */

/* Servers that give no code for "later" say it in one of these ways. */
static bool
says_later(struct span s)
{
	static const char *const words[] = {"temporar", "try again", "too many",
	    "simultaneous", "throttl", "backoff", "not connected", "overload",
	    "unavailable", "in use", "locked by", "internal error",
	    "maximum number of connections", "timed out", "timeout", "busy",
	    NULL};

	return span_says(s, words);
}

static bool
logs_in(const struct imap_ev *ev)
{
	return ev->kind == IMAP_EV_DONE &&
	       (ev->verb == IMAP_V_LOGIN || ev->verb == IMAP_V_AUTHENTICATE);
}

static const struct entry *
entry_of(enum imap_code code)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return &codes[i];
	return NULL;
}

static enum reaction
react(const struct imap_ev *ev, const struct entry *code)
{
	if (code != NULL && code->reaction != BY_TEXT)
		return code->reaction;
	if (ev->cond == IMAP_BYE || says_later(ev->text))
		return LATER;
	if (logs_in(ev))
		return LOGIN;
	return ev->cond == IMAP_BAD ? GARBLED : NEVER;
}

int
imap_refused(const struct imap_ev *ev, const char *what, struct err *e)
{
	static const struct {
		enum err_kind kind;
		int code;
		const char *remedy;
	} by[] = {
	    [LATER] = {ERR_TEMP, 0, "; try again later"},
	    [LOGIN] = {ERR_AUTH, 0,
		"; check the user name and the password or token, and that "
		"the provider allows IMAP"},
	    [FOLDER] = {ERR_CONFIG, EX_UNAVAILABLE,
		"; check the name of the folder"},
	    [NEVER] = {ERR_CONFIG, EX_UNAVAILABLE, ""},
	    [GARBLED] = {ERR_PROTO, 0, ""},
	};
	static const char *const verbs[] = {[IMAP_OK] = "said",
	    [IMAP_NO] = "refused",
	    [IMAP_BAD] = "did not understand",
	    [IMAP_PREAUTH] = "said",
	    [IMAP_BYE] = "hung up"};
	const struct entry *code = entry_of(ev->code);
	enum reaction r = react(ev, code);
	char *text = span_show(ev->text, 300);

	err_code(e, by[r].kind, by[r].code, "%s: the server %s: \"%s%s%s%s\"%s",
	    what, verbs[ev->cond], code != NULL ? "[" : "",
	    code != NULL ? code->name : "", code != NULL ? "] " : "", text,
	    by[r].remedy);
	free(text);
	return -1;
}
