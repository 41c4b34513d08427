/*
 * IMAP transcripts, each fed whole, byte by byte and cut at random places,
 * with equal events; then commands, literals that wait, limits, refusals.
 */

#include <sysexits.h>

#include "base/mem.h"
#include "imap_log.h"
#include "tap.h"

#define RANDOM_RUNS 20

struct transcript {
	const char *name;
	const char *in;
	const char *want;
};

/*
 * Before each: greeting "* OK", and the commands A1 SELECT, A2 FETCH,
 * A3 LOGIN; with cookies 101, 102, 103.
 */
static const struct transcript transcripts[] = {
    /* RFC 9051 examples */
    {"RFC 9051 6.3.2: SELECT",
	"* 172 EXISTS\r\n"
	"* OK [UIDVALIDITY 3857529045] UIDs valid\r\n"
	"* OK [UIDNEXT 4392] Predicted next UID\r\n"
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
	"* OK [PERMANENTFLAGS (\\Deleted \\Seen \\*)] Limited\r\n"
	"* LIST () \"/\" INBOX\r\n"
	"A1 OK [READ-WRITE] SELECT completed\r\n",
	"exists 172\n"
	"status OK code=3 n=3857529045 text=<UIDs valid>\n"
	"status OK code=4 n=4392 text=<Predicted next UID>\n"
	"status OK code=9 args=<(\\Deleted \\Seen \\*)> text=<Limited>\n"
	"list name=<INBOX> sep=/\n"
	"done #101 verb=10 OK code=8 text=<SELECT completed>\n"},
    {"RFC 9051 7.5.2: FETCH with an ENVELOPE and a literal in it",
	"* 12 FETCH (FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 "
	"-0700\" RFC822.SIZE 4286 ENVELOPE (\"Wed, 17 Jul 1996\" {8}\r\n"
	"IMAP4 ((  ((\"Terry Gray\" NIL \"gray\" \"cac\")) NIL) BODY "
	"(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" "
	"3028 92))\r\n",
	"fetch 12 flags=01 size=4286 date=<17-Jul-1996 02:44:25 -0700>\n"},
    {"RFC 9051 8: sample, header by literal",
	"* 12 FETCH (BODY[HEADER] {25}\r\n"
	"Date: x\r\nSubject: y (z)\r\n)\r\n"
	"A2 OK FETCH completed\r\n",
	"begin 12 body=25 <Date: x\\r\\nSubject: y (z)\\r\\n>\n"
	"fetch 12 body=25\n"
	"done #102 verb=14 OK text=<FETCH completed>\n"},
    {"RFC 9051 7.3.4: ESEARCH",
	"* ESEARCH (TAG \"A283\") UID MIN 7 MAX 3800 COUNT 3\r\n"
	"* ESEARCH (TAG \"A285\") COUNT 0 ALL 2,10:11\r\n"
	"* ESEARCH (TAG \"x\") UID ALL 1:5\r\n* ESEARCH\r\n",
	"search uids= count=3\nsearch uids=2,10:11 count=0\n"
	"search uids=1:5\nsearch uids=\n"},
    {"RFC 9051 7.3.2: STATUS",
	"* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"
	"* STATUS \"a b\" (UNSEEN 3 UIDVALIDITY 7 HIGHESTMODSEQ "
	"7011231777 MAILBOXID (F2212ea87) SIZE 999999999999 ) \r\n",
	"folder name=<blurdybloop> messages=231 uidnext=44292\n"
	"folder name=<a b> unseen=3 validity=7 modseq=7011231777 "
	"id=<F2212ea87>\n"},
    {"MAILBOXID with more behind it; something else in parentheses",
	"* STATUS a (MAILBOXID (\"F1\" (x)) MESSAGES 3)\r\n"
	"* STATUS a (X (MAILBOXID (F1)) MAILBOXID NIL)\r\n",
	"folder name=<a> messages=3 id=<F1>\nfolder name=<a>\n"},
    {"RFC 2342: NAMESPACE",
	"* NAMESPACE ((\"\" \"/\")(\"#mh/\" \"/\" \"X-PARAM\" (\"FLAG1\" "
	"\"FLAG2\"))) NIL NIL\r\n"
	"* NAMESPACE ((\"INBOX.\" \".\")) ((\"Entw&APw-rfe.\" \".\")) "
	"((\"#shared.\" \".\") (\"#news.\" NIL))\r\n"
	"* NAMESPACE NIL NIL NIL\r\n* NAMESPACE NIL ((\"~\" \"/\")) NIL\r\n",
	"namespace sep=/ text=<\\x00#mh/\\x00>\n"
	"namespace sep=. text=<INBOX.\\x00Entw\\xc3\\xbcrfe.\\x00#shared.\\x00#news."
	"\\x00>\nnamespace text=<\\x00>\nnamespace text=<\\x00~\\x00>\n"},
    {"NAMESPACE that is none is skipped",
	"* NAMESPACE\r\n* NAMESPACE (() ())\r\n* NAMESPACE ((\"a\" \"/\")\r\n"
	"* NAMESPACE (NIL) NIL NIL\r\n* 1 EXISTS\r\n",
	"exists 1\n"},
    {"RFC 7162: VANISHED, MODSEQ, QRESYNC",
	"* VANISHED (EARLIER) 41,43:116,118,120:211\r\n"
	"* VANISHED 405\r\n"
	"* 49 FETCH (UID 117 FLAGS (\\Seen \\Answered) MODSEQ "
	"(90060115194045001))\r\n"
	"* OK [HIGHESTMODSEQ 90060115205545359]\r\n"
	"* OK [CLOSED]\r\n"
	"* OK [MODIFIED 7,9] Conditional STORE failed\r\n",
	"vanished earlier=41,43:116,118,120:211\n"
	"vanished uids=405\n"
	"fetch 49 uid=117 flags=03 modseq=90060115194045001\n"
	"status OK code=5 n=90060115205545359\n"
	"status OK code=15\n"
	"status OK code=14 uids=7,9 text=<Conditional STORE failed>\n"},
    {"RFC 4315: APPENDUID, COPYUID",
	"* OK [APPENDUID 38505 3955] APPEND completed\r\n"
	"* OK [COPYUID 38505 304,319:320 3956:3958] Done\r\n"
	"* OK [COPYUID 38505 304,319:320] half\r\n"
	"* OK [COPYUID] none\r\n"
	"* OK [COPYUID 1 7,3:4 12,10:11] odd order\r\n",
	"status OK code=12 n=38505 uids=3955 text=<APPEND completed>\n"
	"status OK code=13 n=38505 args=<38505 304,319:320 3956:3958> "
	"from=304,319:320 uids=3956:3958 text=<Done>\n"
	"status OK code=1 text=<half>\nstatus OK code=1 text=<none>\n"
	"status OK code=13 n=1 args=<1 7,3:4 12,10:11> from=3:4,7 "
	"uids=10:12 text=<odd order>\n"},
    {"RFC 5819: LIST-STATUS",
	"* LIST () \".\"  \"INBOX\"\r\n"
	"* STATUS \"INBOX\" (MESSAGES 17 UNSEEN 16)\r\n"
	"* LIST (\\NonExistent) \".\" \"bar\" "
	"(\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
	"list name=<INBOX> sep=.\n"
	"folder name=<INBOX> messages=17 unseen=16\n"
	"list name=<bar> sep=. attrs=3\n"},
    {"RFC 8474: EMAILID; MAILBOXID",
	"* OK [MAILBOXID (F2212ea87-6097-4256-9d51-71338625)] Ok\r\n"
	"* 3 FETCH (EMAILID (M00000001) THREADID (T6) UID 9)\r\n",
	"status OK code=32 args=<(F2212ea87-6097-4256-9d51-71338625)> "
	"text=<Ok>\n"
	"fetch 3 uid=9 id=<M00000001>\n"},
    {"RFC 6154: SPECIAL-USE",
	"* LIST (\\Marked \\HasChildren \\Archive \\subscribed) \"/\" A\r\n"
	"* LIST (\\sent \\Drafts \\Trash \\Junk \\All \\Flagged) NIL S\r\n"
	"* LSUB () \"\\\\\" B\r\n",
	"list name=<A> sep=/ attrs=218\nlist name=<S> attrs=7d00\n"
	"list name=<B> sep=\\ attrs=10\n"},
    {"RFC 5161: ENABLED", "* ENABLED CONDSTORE QRESYNC\r\n* ENABLED\r\n",
	"enabled text=<CONDSTORE QRESYNC>\nenabled\n"},

    /* bodies */
    {"UID before the body",
	"* 1 FETCH (UID 5 BODY[] {3}\r\nabc FLAGS (\\Seen))\r\n",
	"begin 1 uid=5 body=3 <abc>\nfetch 1 uid=5 flags=01 body=3\n"},
    {"UID behind the body", "* 1 FETCH (BODY[]<0> {3}\r\nabc UID 5)\r\n",
	"begin 1 body=3 <abc>\nfetch 1 uid=5 body=3\n"},
    {"body of nothing", "* 1 FETCH (BODY[] {0}\r\n UID 5)\r\n",
	"begin 1 body=0 <>\nfetch 1 uid=5 body=0\n"},
    {"BODY[] NIL", "* 1 FETCH (UID 5 BODY[] NIL)\r\n", "fetch 1 uid=5 nil\n"},
    {"BODY[] \"\"", "* 1 FETCH (BODY[] \"\" UID 5)\r\n",
	"begin 1 body=0 <>\nfetch 1 uid=5 body=0\n"},
    {"BODY[] \"quoted\"",
	"* 1 FETCH (BODY[] \"a \\\"b\\\" \\\\ (c) {9}\" UID 5)\r\n",
	"begin 1 body=15 <a \"b\" \\ (c) {9}>\nfetch 1 uid=5 body=15\n"},
    {"literal8 and literal+",
	"* 1 FETCH (BINARY[1] ~{4}\r\n\x01)\r\n UID 5)\r\n"
	"* 2 FETCH (BODY[] {2+}\r\nhi)\r\n",
	"begin 1 body=4 <\\x01)\\r\\n>\nfetch 1 uid=5 body=4\n"
	"begin 2 body=2 <hi>\nfetch 2 body=2\n"},
    {"bodies that look like responses",
	"* 1 FETCH (BODY[] {31}\r\n)\r\nA2 OK done\r\n* BYE {3}\r\n \"() "
	"UID 5)\r\n",
	"begin 1 body=31 <)\\r\\nA2 OK done\\r\\n* BYE {3}\\r\\n \"() >\n"
	"fetch 1 uid=5 body=31\n"},
    {"two bodies and a folded literal",
	"* 1 FETCH (X-SUBJECT {8}\r\nBODY[] (  BODY[HEADER] {2}\r\nab "
	"RFC822.TEXT {1}\r\nc BODY[MIME] NIL RFC822 \"q\")\r\n",
	"begin 1 body=2 <ab>\nbegin 1 body=1 <c>\nbegin 1 body=1 <q>\n"
	"fetch 1 body=1\n"},
    {"a subject cannot pretend to be a body",
	"* 1 FETCH (ENVELOPE (\"BODY[]\" {6}\r\nBODY[] {5}\r\nhello) UID "
	"4)\r\n",
	"fetch 1 uid=4\n"},
    {"header fields in brackets",
	"* 1 FETCH (BODY[HEADER.FIELDS (DATE \"FROM\")]<0> {1}\r\nx UID "
	"3)\r\n",
	"begin 1 body=1 <x>\nfetch 1 uid=3 body=1\n"},

    /* quirks */
    {"unsolicited EXISTS, EXPUNGE, FETCH in between",
	"* 5 EXISTS\r\n* 1 FETCH (UID 5 BODY[] {1}\r\nx)\r\n* 3 EXPUNGE\r\n"
	"* 2 FETCH (FLAGS (\\Deleted))\r\n* 0 RECENT\r\n* 4 EXISTS\r\n"
	"A2 OK\r\n",
	"exists 5\nbegin 1 uid=5 body=1 <x>\nfetch 1 uid=5 body=1\n"
	"expunge 3\nfetch 2 flags=08\nexists 4\ndone #102 verb=14 OK\n"},
    {"folder name as a literal",
	"* LIST (\\HasNoChildren) \"/\" {6}\r\nfoo\"()\r\n"
	"* STATUS {3}\r\na b (MESSAGES 1)\r\n"
	"* LIST () {1}\r\n/ {0}\r\n\r\n",
	"list name=<foo\"()> sep=/\nfolder name=<a b> messages=1\n"
	"list sep=/\n"},
    {"quoted folder names with escapes",
	"* LIST () \"\\\\\" \"a\\\"b\\\\c\"\r\n",
	"list name=<a\"b\\c> sep=\\\n"},
    {"folder names: modified UTF-7, 8-bit, not valid",
	"* LIST () \"/\" \"Entw&APw-rfe &- &BBAEMQ-\"\r\n"
	"* LIST () \"/\" \"Entw\xc3\xbcrfe\"\r\n"
	"* LIST () \"/\" \"caf\xe9 &AOk-\"\r\n"
	"* LIST () \"/\" \"a & b\"\r\n* LIST () \"/\" &AOk\r\n",
	"list name=<Entw\\xc3\\xbcrfe & \\xd0\\x90\\xd0\\xb1> sep=/\n"
	"list name=<Entw\\xc3\\xbcrfe> sep=/\n"
	"list name=<caf\\xe9 &AOk-> sep=/\n"
	"list name=<a & b> sep=/\nlist name=<&AOk> sep=/\n"},
    {"INBOX in any case",
	"* LIST () \"/\" inbox\r\n* STATUS Inbox (MESSAGES 1)\r\n"
	"* LIST () \"/\" inbox/a\r\n",
	"list name=<INBOX> sep=/\nfolder name=<INBOX> messages=1\n"
	"list name=<inbox/a> sep=/\n"},
    {"`* OK` without text", "* OK\r\n* OK \r\n* NO\r\n* OK []\r\n* OK [x\r\n",
	"status OK\nstatus OK\nstatus NO\nstatus OK text=<[]>\n"
	"status OK text=<[x>\n"},
    {"text that ends like a literal",
	"* OK you owe {5}\r\n* NO [ALERT] {3}\r\nA1 OK {7}\r\n+ {1}\r\n",
	"status OK text=<you owe {5}>\nstatus NO code=2 text=<{3}>\n"
	"done #101 verb=10 OK text=<{7}>\ncontinue text=<{1}>\n"},
    {"continuations with and without a blank", "+ go\r\n+\r\n+go\r\n+ \r\n",
	"continue text=<go>\ncontinue\ncontinue text=<go>\ncontinue\n"},
    {"RFC822.SIZE of 0, -1, nonsense",
	"* 1 FETCH (RFC822.SIZE 0)\r\n* 2 FETCH (RFC822.SIZE -1 UID 3)\r\n"
	"* 3 FETCH (RFC822.SIZE 99999999999999999999 UID 4)\r\n",
	"fetch 1 size=0\nfetch 2 uid=3 size=0\nfetch 3 uid=4 size=0\n"},
    {"RFC822.SIZE lies", "* 1 FETCH (RFC822.SIZE 9 BODY[] {2}\r\nab)\r\n",
	"begin 1 size=9 body=2 <ab>\nfetch 1 size=9 body=2\n"},
    {"flags with odd characters",
	"* 1 FETCH (FLAGS (\\* $MDNSent NonJunk [a] b]c \\seen \\Odd {x} "
	"\xc3\xbc a\"b))\r\n* 2 FETCH (FLAGS ())\r\n"
	"* 3 FETCH (FLAGS (a b) FLAGS (\\Draft))\r\n",
	"fetch 1 flags=01 keywords=<$MDNSent NonJunk [a] b]c {x} "
	"\\xc3\\xbc a\"b>\nfetch 2 flags=00\nfetch 3 flags=10\n"},
    {"PERMANENTFLAGS with brackets (Fastmail)",
	"* OK [PERMANENTFLAGS (\\Answered a] [b \\*)] Ok\r\n"
	"* OK [PERMANENTFLAGS ()] No permanent flags\r\n"
	"* OK [ALERT (open] text] more\r\n",
	"status OK code=9 args=<(\\Answered a] [b \\*)> text=<Ok>\n"
	"status OK code=9 args=<()> text=<No permanent flags>\n"
	"status OK code=2 text=<text] more>\n"},
    {"unknown responses are skipped",
	"* ID (\"name\" {2}\r\nxy)\r\n"
	"* QUOTA \"\" (STORAGE 10 512)\r\n* 5 RECENT\r\n* XFOO\r\n"
	"* 7 XBAR {3}\r\nabc\r\n\r\n* FLAGS (a)\r\n* 1 EXISTS\r\n",
	"exists 1\n"},
    {"NO [UNAVAILABLE] for one message (Yahoo)",
	"A2 NO [UNAVAILABLE] UID FETCH Server error\r\n",
	"done #102 verb=14 NO code=16 text=<UID FETCH Server error>\n"},
    {"codes in any case, unknown codes",
	"* OK [uidvalidity 1]\r\n* OK [XFOO bar] baz\r\n"
	"* OK [UNSEEN 12] first\r\n* OK [UIDNEXT x] bad\r\n",
	"status OK code=3 n=1\nstatus OK code=1 text=<baz>\n"
	"status OK code=1 text=<first>\nstatus OK code=1 text=<bad>\n"},
    {"UIDVALIDITY of over 32 bits, the same everywhere",
	"* OK [UIDVALIDITY 4294967299] x\r\n"
	"* STATUS a (UIDVALIDITY 4294967299)\r\n",
	"status OK code=3 n=2 text=<x>\nfolder name=<a> validity=2\n"},
    {"SEARCH empty, unsorted, with MODSEQ, with 0",
	"* SEARCH\r\n* SEARCH \r\n* SEARCH 9 2 3 7 8\r\n"
	"* SEARCH 2 5 (MODSEQ 917162500)\r\n* SEARCH 0 4\r\n",
	"search uids=\nsearch uids=\nsearch uids=2:3,7:9\n"
	"search uids=2,5\nsearch uids=4\n"},
    {"capability names in any case",
	"* capability imap4REV1 Idle auth=plain LITERAL+ compress=deflate\r\n",
	"capability 80a1 mechs=100\n"},
    {"line ends of LF alone", "* 3 EXISTS\n* 1 FETCH (BODY[] {2}\nab)\n",
	"exists 3\nbegin 1 body=2 <ab>\nfetch 1 body=2\n"},

    /* servers */
    {"Courier",
	"* FLAGS ($MDNSent Draft \\Seen)\r\n"
	"* OK [PERMANENTFLAGS (\\* \\Draft)] Limited\r\n"
	"* 2 EXISTS\r\n* 0 RECENT\r\n"
	"* OK [UIDVALIDITY 578264921] Ok\r\n"
	"* OK [MYRIGHTS \"acdilrsw\"] ACL\r\nA1 OK [READ-WRITE] Ok\r\n"
	"* 1 FETCH (UID 1 RFC822.SIZE 10 BODY[] {10}\r\n0123456789)\r\n"
	"A2 OK FETCH completed.\r\n",
	"status OK code=9 args=<(\\* \\Draft)> text=<Limited>\n"
	"exists 2\n"
	"status OK code=3 n=578264921 text=<Ok>\n"
	"status OK code=1 text=<ACL>\ndone #101 verb=10 OK code=8 "
	"text=<Ok>\nbegin 1 uid=1 size=10 body=10 <0123456789>\n"
	"fetch 1 uid=1 size=10 body=10\n"
	"done #102 verb=14 OK text=<FETCH completed.>\n"},
    {"Cyrus",
	"* OK [URLMECH INTERNAL] Ok\r\n* OK [UNSEEN 1] Ok\r\n"
	"* OK [ANNOTATIONS 65536] Ok\r\n"
	"* LIST (\\HasNoChildren) \".\" \"user.x\"\r\n"
	"* 1 FETCH (FLAGS (\\Recent) UID 1 MODSEQ (4) EMAILID (M1) "
	"BODY[] {1}\r\nz)\r\nA2 OK Completed (0.000 sec)\r\n",
	"status OK code=1 text=<Ok>\nstatus OK code=1 text=<Ok>\n"
	"status OK code=1 text=<Ok>\nlist name=<user.x> sep=.\n"
	"begin 1 uid=1 flags=20 modseq=4 id=<M1> body=1 <z>\n"
	"fetch 1 uid=1 flags=20 modseq=4 id=<M1> body=1\n"
	"done #102 verb=14 OK text=<Completed (0.000 sec)>\n"},
    {"Exchange",
	"* LIST (\\Marked \\HasNoChildren) \"/\" Calendar\r\n"
	"* STATUS Calendar (MESSAGES 0 UIDNEXT 1) \r\n"
	"* 4 FETCH (BODY[] {3}\r\nabc FLAGS (\\Seen) UID 12)\r\n"
	"A2 OK FETCH completed.\r\n",
	"list name=<Calendar> sep=/\n"
	"folder name=<Calendar> messages=0 uidnext=1\n"
	"begin 4 body=3 <abc>\nfetch 4 uid=12 flags=01 body=3\n"
	"done #102 verb=14 OK text=<FETCH completed.>\n"},
    {"Gmail",
	"* LIST (\\HasChildren \\Noselect) \"/\" \"[Gmail]\"\r\n"
	"* LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/All Mail\"\r\n"
	"* 1 FETCH (X-GM-THRID 1 X-GM-MSGID 1278455344230334865 "
	"X-GM-LABELS (\\Inbox \"\\\\Sent\" {6}\r\na (b) \"c d\") UID 7 "
	"RFC822.SIZE 2 BODY[] {2}\r\nok FLAGS ())\r\nA2 OK Success\r\n",
	"list name=<[Gmail]> sep=/ attrs=9\n"
	"list name=<[Gmail]/All Mail> sep=/ attrs=100\n"
	"begin 1 uid=7 size=2 id=<1278455344230334865> body=2 <ok>\n"
	"fetch 1 uid=7 flags=00 size=2 id=<1278455344230334865> body=2\n"
	"done #102 verb=14 OK text=<Success>\n"},
    {"answers out of order", "A2 OK\r\nA3 NO x\r\nA1 BAD y\r\n",
	"done #102 verb=14 OK\ndone #103 verb=2 NO text=<x>\n"
	"done #101 verb=10 BAD text=<y>\n"},

    /* ends */
    {"BYE unasked", "* 1 EXISTS\r\n* BYE Autologout; idle too long\r\n",
	"exists 1\nerror 1: the session was ended: the server hung up: "
	"\"Autologout; idle too long\"; try again later\n"},
    {"BYE in the middle of FETCH",
	"* 1 FETCH (UID 5)\r\n* BYE [UNAVAILABLE] going down\r\n",
	"fetch 1 uid=5\nerror 1: the session was ended: the server hung up: "
	"\"[UNAVAILABLE] going down\"; try again later\n"},
    {"the end in a body", "* 1 FETCH (BODY[] {9}\r\nabc",
	"begin 1 body=9 <abcerror 1: the server closed the connection before "
	"it had answered\n"},
    {"the end in a line", "* 1 EXI",
	"error 1: the server closed the connection before it had answered\n"},

    /* what is no IMAP */
    {"junk instead of a response", "HELLO there\r\n",
	"error 4: the server's response makes no sense: \"HELLO there\"\n"},
    {"a tag that was not given", "A4 OK\r\n",
	"error 4: the server's response makes no sense: \"A4 OK\"\n"},
    {"a tag answered twice", "A1 OK\r\nA1 OK\r\n",
	"done #101 verb=10 OK\n"
	"error 4: the server's response makes no sense: \"A1 OK\"\n"},
    {"tagged BYE", "A1 BYE x\r\n",
	"error 4: the server's response makes no sense: \"A1 BYE x\"\n"},
    {"FETCH without parentheses", "* 1 FETCH UID 5\r\n",
	"error 4: the server's response makes no sense: \"* 1 FETCH UID "
	"5\"\n"},
    {"FETCH not closed", "* 1 FETCH (UID 5\r\n",
	"error 4: the server's response makes no sense: \"* 1 FETCH (UID "
	"5\"\n"},
    {"FETCH with something behind", "* 1 FETCH (UID 5) x\r\n",
	"error 4: the server's response makes no sense: \"* 1 FETCH (UID 5) "
	"x\"\n"},
    {"a uid of over 32 bits", "* 1 FETCH (UID 4294967296)\r\n",
	"error 4: the server's response makes no sense: \"* 1 FETCH (UID "
	"4294967296)\"\n"},
    {"a quote not closed", "* LIST () \"/\" \"abc\r\n",
	"error 4: the server's response makes no sense: \"* LIST () \"/\" "
	"\"abc\"\n"},
    {"SEARCH with a word", "* SEARCH 1 two\r\n",
	"error 4: the server's response makes no sense: \"* SEARCH 1 two\"\n"},
    {"VANISHED with 0", "* VANISHED 0\r\n",
	"error 4: the server's response makes no sense: \"* VANISHED 0\"\n"},
    {"PREAUTH in mid-session", "* PREAUTH hi\r\n",
	"error 4: the server's response makes no sense: \"* PREAUTH hi\"\n"},
};

static void
setup(struct imap *im, struct wire *w, const char *greeting)
{
	struct imap_ev ev;
	struct err e;

	wire_init(w);
	imap_init(im, w);
	buf_puts(&w->in, greeting);
	if (imap_next(im, &ev, &e) != 1 || ev.kind != IMAP_EV_GREETING)
		ok(false, "the greeting is taken");
}

static void
teardown(struct imap *im, struct wire *w)
{
	imap_clear(im);
	wire_clear(w);
}

static void
run(const struct transcript *t, enum log_cut cut, uint32_t seed,
    struct buf *log)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	imap_command(&im, IMAP_V_SELECT, 101, "SELECT a");
	imap_command(&im, IMAP_V_FETCH, 102, "UID FETCH 1:* BODY.PEEK[]");
	imap_command(&im, IMAP_V_LOGIN, 103, "LOGIN a b");
	buf_reset(&w.out);
	buf_reset(log);
	log_feed(log, &im, span_of(t->in), cut, seed,
	    strncmp(t->name, "the end", 7) == 0);
	teardown(&im, &w);
}

static void
test_transcript(const struct transcript *t)
{
	struct buf log;
	uint32_t seed;

	buf_init(&log, LOG_MAX);
	run(t, LOG_WHOLE, 0, &log);
	is_str(buf_cstr(&log), t->want, "%s", t->name);
	run(t, LOG_BYTES, 0, &log);
	is_str(buf_cstr(&log), t->want, "%s, byte by byte", t->name);
	for (seed = 1; seed <= RANDOM_RUNS; seed++) {
		run(t, LOG_RANDOM, seed, &log);
		if (!quiet(strcmp(buf_cstr(&log), t->want) == 0,
			"%s, cut by seed %u", t->name, seed))
			break;
	}
	buf_clear(&log);
}

static void
test_greetings(void)
{
	static const struct transcript greetings[] = {
	    {"OK", "* OK IMAP4rev1 ready\r\n",
		"greeting OK text=<IMAP4rev1 ready>\n"},
	    {"capabilities in it",
		"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=X] hi\r\n",
		"greeting OK code=10 text=<hi>\n"},
	    {"PREAUTH", "* PREAUTH welcome back\r\n",
		"greeting PREAUTH text=<welcome back>\n"},
	    {"BYE", "* BYE [ALERT] full\r\n",
		"greeting BYE code=2 text=<full>\n"},
	    {"POP3", "+OK ready\r\n",
		"error 4: no IMAP server answers there: it greets with \"+OK "
		"ready\"; check host and port\n"},
	    {"SMTP", "220 mx ESMTP {3}\r\n",
		"error 4: no IMAP server answers there: it greets with \"220 mx "
		"ESMTP {3}\"; check host and port\n"},
	    {"untagged, but no greeting", "* CAPABILITY X\r\n",
		"error 4: no IMAP server answers there: it greets with \"* "
		"CAPABILITY X\"; check host and port\n"},
	    {"NO", "* NO x\r\n",
		"error 4: no IMAP server answers there: it greets with \"* NO "
		"x\"; check host and port\n"},
	    {"none", "",
		"error 1: the server closed the connection without a "
		"greeting\n"},
	};
	struct buf log;
	struct wire w;
	struct imap im;
	size_t i;
	int cut;

	buf_init(&log, LOG_MAX);
	for (i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++)
		for (cut = LOG_WHOLE; cut <= LOG_BYTES; cut++) {
			wire_init(&w);
			imap_init(&im, &w);
			log_feed(&log, &im, span_of(greetings[i].in),
			    (enum log_cut)cut, 0, *greetings[i].in == '\0');
			is_str(buf_cstr(&log), greetings[i].want,
			    "greeting: %s", greetings[i].name);
			ok(im.caps_known == (i == 1), "capabilities known");
			buf_reset(&log);
			teardown(&im, &w);
		}
	buf_clear(&log);
}

/* --- commands ---------------------------------------------------------- */

static void
is_sent(struct wire *w, const char *want, const char *name)
{
	is_str(buf_cstr(&w->out), want, "%s", name);
	buf_reset(&w->out);
}

/* Feeds the text and compares the events. */
static void
hears(struct imap *im, const char *in, const char *want, const char *name)
{
	struct buf log;

	buf_init(&log, LOG_MAX);
	buf_puts(&im->wire->in, in);
	log_events(&log, im);
	is_str(buf_cstr(&log), want, "%s", name);
	buf_clear(&log);
}

static void
test_commands(void)
{
	struct wire w;
	struct imap im;
	struct uidset u;

	setup(&im, &w, "* OK\r\n");
	uidset_init(&u);
	uidset_add(&u, 3, 9);
	uidset_add(&u, 12, 12);
	imap_begin(&im, IMAP_V_FETCH, 0);
	imap_put(&im, "UID FETCH ");
	imap_put_uids(&im, &u);
	imap_put(&im, " (UID BODY.PEEK[]<%d.%d>)", 0, 10);
	imap_end(&im);
	imap_begin(&im, IMAP_V_SELECT, 0);
	imap_put(&im, "SELECT ");
	imap_put_folder(&im, span_of("Entw\xc3\xbcrfe & \"\\x"));
	imap_end(&im);
	imap_begin(&im, IMAP_V_LOGIN, 0);
	imap_put(&im, "LOGIN ");
	imap_put_astring(&im, span_of(""));
	imap_end(&im);
	imap_send_line(&im, span_of("DONE"));
	is_sent(&w,
	    "A1 UID FETCH 3:9,12 (UID BODY.PEEK[]<0.10>)\r\n"
	    "A2 SELECT \"Entw&APw-rfe &- \\\"\\\\x\"\r\nA3 LOGIN \"\"\r\n"
	    "DONE\r\n",
	    "commands and strings");
	is_int(imap_unanswered(&im), 3, "three are not answered");
	hears(&im, "A2 OK\r\n", "done #0 verb=10 OK\n", "one is");
	is_int(imap_unanswered(&im), 2, "two are left");
	uidset_clear(&u);
	teardown(&im, &w);
}

static void
test_utf8_names(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK [CAPABILITY IMAP4rev2] hi\r\n");
	imap_begin(&im, IMAP_V_SELECT, 0);
	imap_put_folder(&im, span_of("a&b\xc3\xbc"));
	imap_end(&im);
	is_sent(&w, "A1 {5+}\r\na&b\xc3\xbc\r\n", "IMAP4rev2: names in UTF-8");
	hears(&im, "* LIST () \"/\" \"&AOk-\xc3\xbc\"\r\n",
	    "list name=<&AOk-\\xc3\\xbc> sep=/\n", "and back");
	ok(imap_has(&im, IMAP_CAP_UIDPLUS) && imap_has(&im, IMAP_CAP_MOVE),
	    "IMAP4rev2 brings UIDPLUS, MOVE");
	teardown(&im, &w);
}

static void
put_login(struct imap *im, const char *user, const char *password)
{
	imap_begin(im, IMAP_V_LOGIN, 0);
	imap_put(im, "LOGIN ");
	imap_put_astring(im, span_of(user));
	imap_put(im, " ");
	imap_put_astring(im, span_of(password));
	imap_end(im);
}

static void
test_hold_back(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	put_login(&im, "\xc3\xa4", "p\xc3\xb6");
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	is_sent(&w, "A1 LOGIN {2}\r\n", "stops at the first literal");
	hears(&im, "* 1 EXISTS\r\n", "exists 1\n", "something else comes");
	is_sent(&w, "", "and nothing goes");
	hears(&im, "+ go\r\n", "", "the go-ahead is no event");
	is_sent(&w, "\xc3\xa4 {3}\r\n", "goes on to the second literal");
	hears(&im, "+\r\n", "", "second go-ahead");
	is_sent(&w, "p\xc3\xb6\r\nA2 NOOP\r\n", "all the rest");
	hears(&im, "+ more\r\n", "continue text=<more>\n", "nothing waits");
	teardown(&im, &w);
}

static void
test_literal_refused(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	put_login(&im, "\xc3\xa4", "p\xc3\xb6");
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	put_login(&im, "\xc3\xa4", "x");
	buf_reset(&w.out);
	hears(&im, "A1 BAD no literals\r\n",
	    "done #0 verb=2 BAD text=<no literals>\n", "literal refused");
	is_sent(&w, "A2 NOOP\r\nA3 LOGIN {2}\r\n",
	    "its rest is dropped, the next ones go");
	hears(&im, "A2 OK\r\n+\r\nA3 OK\r\n",
	    "done #7 verb=26 OK\ndone #0 verb=2 OK\n", "they are answered");
	is_sent(&w, "\xc3\xa4 \"x\"\r\n", "up to the last byte");
	put_login(&im, "\xc3\xa4", "x");
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	hears(&im, "A5 OK\r\n",
	    "error 4: the server's response makes no sense: \"A5 OK\"\n",
	    "no answer before it was sent");
	teardown(&im, &w);
}

/* The "+" belongs to whoever is first in line. */
static void
test_whose_continuation(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	imap_command(&im, IMAP_V_IDLE, 0, "IDLE");
	put_login(&im, "\xc3\xa4", "x");
	buf_reset(&w.out);
	hears(&im, "+ idling\r\n", "continue text=<idling>\n", "IDLE's");
	is_sent(&w, "", "the literal still waits");
	hears(&im, "A1 OK\r\n+\r\n", "done #0 verb=24 OK\n", "then its own");
	is_sent(&w, "\xc3\xa4 \"x\"\r\n", "and it goes");
	teardown(&im, &w);
}

static void
test_literal_kinds(void)
{
	struct wire w;
	struct imap im;
	char *big = mem_alloc(5001);

	memset(big, 'x', 5000);
	setup(&im, &w, "* OK [CAPABILITY IMAP4rev1 LITERAL-] hi\r\n");
	put_login(&im, "\xc3\xa4", "x");
	is_sent(&w, "A1 LOGIN {2+}\r\n\xc3\xa4 \"x\"\r\n", "LITERAL-: small");
	put_login(&im, big, "x");
	is_sent(&w, "A2 LOGIN {5000}\r\n", "LITERAL-: over 4096 waits");
	teardown(&im, &w);
	setup(&im, &w, "* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n");
	put_login(&im, "a", big);
	ok(w.out.len == 5024, "LITERAL+ never waits");
	teardown(&im, &w);
	setup(&im, &w, "* OK\r\n");
	big[1000] = '\0';
	put_login(&im, big, "x\r\n");
	ok(w.out.len > 1000, "1000 bytes are still quoted");
	ok(strstr(buf_cstr(&w.out), "{3}\r\n") != NULL, "CRLF is not");
	teardown(&im, &w);
	free(big);
}

/* --- literals in pieces ------------------------------------------------- */

static void
put_append(struct imap *im, uint64_t n, bool eight, bool wait)
{
	imap_begin(im, IMAP_V_APPEND, 5);
	imap_put(im, "APPEND a ");
	imap_put_literal(im, n, eight, wait);
}

static void
test_pieces(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	put_append(&im, 5, false, false);
	is_sent(&w, "A1 APPEND a {5}\r\n", "a literal is announced");
	ok(imap_room(&im) == 0 && imap_writing(&im), "and waits");
	hears(&im, "* 3 EXISTS\r\n", "exists 3\n", "something else comes");
	is_int(imap_room(&im), 0, "it still waits");
	hears(&im, "+ go\r\n", "", "the go-ahead");
	is_int(imap_room(&im), WIRE_OUT_MAX, "all of the room is there");
	imap_put_data(&im, span_of("he"));
	is_int(imap_room(&im), WIRE_OUT_MAX - 2, "less what was put");
	is_sent(&w, "he", "a piece goes at once");
	hears(&im, "* 4 EXISTS\r\n", "exists 4\n", "news between pieces");
	imap_put_data(&im, span_of("llo"));
	imap_put(&im, " ");
	imap_put_literal(&im, 2, true, false);
	is_sent(&w, "llo ~{2}\r\n", "the next message is announced");
	is_int(imap_room(&im), 0, "and waits, too");
	hears(&im, "+\r\n", "", "the second go-ahead");
	imap_put_data(&im, span_bytes("\0a", 2));
	imap_end(&im);
	ok(w.out.len == 4 && memcmp(buf_span(&w.out).p, "\0a\r\n", 4) == 0,
	    "NULs and the end");
	ok(!imap_writing(&im), "it is written");
	buf_reset(&w.out);
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	hears(&im, "A1 OK [APPENDUID 1 7:8] Ok\r\nA2 OK\r\n",
	    "done #5 verb=19 OK code=12 n=1 uids=7:8 text=<Ok>\n"
	    "done #7 verb=26 OK\n",
	    "and answered");
	teardown(&im, &w);
}

/* The server answers before it has all. */
static void
test_pieces_refused(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	put_append(&im, 5, false, false);
	hears(&im, "A1 OK\r\nA2 NO [TRYCREATE] none\r\n",
	    "done #7 verb=26 OK\ndone #5 verb=19 NO code=11 text=<none>\n",
	    "refused instead of a go-ahead");
	ok(!imap_writing(&im), "nothing more is wanted");
	buf_reset(&w.out);
	imap_put_data(&im, span_of("hello"));
	imap_put(&im, " ");
	imap_put_literal(&im, 3, false, false);
	imap_end(&im);
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	is_sent(&w, "A3 NOOP\r\n", "and nothing more goes");
	hears(&im, "A3 OK\r\n", "done #7 verb=26 OK\n", "all is well");
	put_append(&im, 1, false, false);
	hears(&im, "+\r\n", "", "the next one is taken");
	imap_put_data(&im, span_of("x"));
	imap_put(&im, " ");
	imap_put_literal(&im, 9, false, false);
	hears(&im, "A4 BAD no more than one\r\n",
	    "done #5 verb=19 BAD text=<no more than one>\n", "but no second");
	imap_end(&im);
	is_sent(&w, "A4 APPEND a {1}\r\nx {9}\r\n", "nothing goes behind it");
	is_int(imap_unanswered(&im), 0, "nothing is left");
	teardown(&im, &w);

	setup(&im, &w, "* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n");
	put_append(&im, 5, false, false);
	imap_put_data(&im, span_of("he"));
	hears(&im, "A1 NO [OVERQUOTA] full\r\n",
	    "done #5 verb=19 NO code=25 text=<full>\n",
	    "refused in the middle");
	ok(imap_writing(&im), "the server still wants what was announced");
	imap_put_data(&im, span_of("llo"));
	imap_end(&im);
	imap_command(&im, IMAP_V_NOOP, 7, "NOOP");
	is_sent(&w, "A1 APPEND a {5+}\r\nhello\r\nA2 NOOP\r\n", "and gets it");
	hears(&im, "A2 OK\r\n", "done #7 verb=26 OK\n", "all is well");
	teardown(&im, &w);
}

static void
test_pieces_kinds(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK [CAPABILITY IMAP4rev1 LITERAL-] hi\r\n");
	put_append(&im, 4096, false, false);
	is_int(imap_room(&im), WIRE_OUT_MAX - 21, "LITERAL-: up to 4096");
	is_sent(&w, "A1 APPEND a {4096+}\r\n", "does not wait");
	imap_end(&im);
	buf_reset(&w.out);
	put_append(&im, 4097, false, false);
	is_sent(&w, "A2 APPEND a {4097}\r\n", "more does");
	teardown(&im, &w);
	setup(&im, &w, "* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n");
	put_append(&im, UINT64_MAX, true, false);
	is_sent(&w, "A1 APPEND a ~{18446744073709551615+}\r\n", "LITERAL+");
	imap_end(&im);
	buf_reset(&w.out);
	put_append(&im, 1, false, true);
	is_sent(&w, "A2 APPEND a {1}\r\n", "waits when it is to");
	is_int(imap_room(&im), 0, "for the go-ahead");
	teardown(&im, &w);
}

static void
test_oldest(void)
{
	enum imap_verb verb = IMAP_V_NOOP;
	uint32_t cookie = 0;
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	ok(!imap_oldest(&im, &verb, &cookie), "nothing was asked");
	imap_command(&im, IMAP_V_SELECT, 8, "SELECT a");
	imap_command(&im, IMAP_V_FETCH, 9, "FETCH 1 UID");
	ok(imap_oldest(&im, &verb, &cookie) && verb == IMAP_V_SELECT &&
		cookie == 8,
	    "the oldest question");
	hears(&im, "A1 OK\r\n", "done #8 verb=10 OK\n", "is answered");
	ok(imap_oldest(&im, &verb, &cookie) && verb == IMAP_V_FETCH &&
		cookie == 9,
	    "then it is the next one");
	teardown(&im, &w);
}

static void
test_append_limit(void)
{
	struct wire w;
	struct imap im;

	setup(
	    &im, &w, "* OK [CAPABILITY IMAP4rev1 APPENDLIMIT=35651584] x\r\n");
	is_int(im.append_limit, 35651584, "APPENDLIMIT");
	hears(&im, "* CAPABILITY IMAP4rev1 APPENDLIMIT\r\n",
	    "capability 1 mechs=0\n", "one for each folder");
	is_int(im.append_limit, 0, "is none");
	imap_set_caps(&im, span_of("APPENDLIMIT=x"));
	is_int(im.append_limit, 0, "nor is one that is no number");
	teardown(&im, &w);
}

static void
test_logout(void)
{
	struct wire w;
	struct imap im;

	setup(&im, &w, "* OK\r\n");
	imap_command(&im, IMAP_V_LOGOUT, 1, "LOGOUT");
	hears(&im, "* BYE see you\r\nA1 OK bye\r\n",
	    "status BYE text=<see you>\ndone #1 verb=27 OK text=<bye>\n",
	    "BYE when it was asked for");
	ok(im.bye, "it is remembered");
	w.eof = true;
	hears(&im, "", "error 1: the server closed the connection unasked\n",
	    "the end");
	teardown(&im, &w);
}

static void
test_overrun(void)
{
	struct wire w;
	struct imap im;
	int i;

	setup(&im, &w, "* OK\r\n");
	for (i = 0; i < 200000; i++)
		imap_command(&im, IMAP_V_NOOP, 0, "NOOP");
	hears(&im, "", "error 6: too much waits to be sent to the server\n",
	    "commands without end");
	teardown(&im, &w);
}

/* --- limits ------------------------------------------------------------ */

struct maker {
	char *p;
	size_t n;
};

static void
add(struct maker *m, const char *s, size_t times)
{
	size_t k = strlen(s);

	m->p = mem_resize(m->p, m->n + k * times + 1, 1);
	for (; times > 0; times--, m->n += k)
		memcpy(m->p + m->n, s, k);
}

/* Long input, whole and in pieces: same events; the log's end is compared. */
static void
ends_with(struct maker *m, const char *want, const char *name)
{
	struct buf log;
	struct wire w;
	struct imap im;
	const char *s;
	size_t n = strlen(want), k;
	int cut;

	buf_init(&log, LOG_MAX);
	for (cut = LOG_WHOLE; cut <= LOG_RANDOM; cut++) {
		setup(&im, &w, "* OK\r\n");
		buf_reset(&log);
		log_feed(&log, &im, span_bytes(m->p, m->n), (enum log_cut)cut,
		    1, false);
		s = buf_cstr(&log);
		k = strlen(s);
		is_str(k > n ? s + k - n : s, want, "%s, cut %d", name, cut);
		teardown(&im, &w);
	}
	buf_clear(&log);
	free(m->p);
	*m = (struct maker){NULL, 0};
}

static void
test_limits(void)
{
	static const char too_long[] =
	    "error 4: the server sent a response line of over 1048576 bytes\n";
	struct maker m = {NULL, 0};

	add(&m, "* X ", 1);
	add(&m, "y", IMAP_LINE_MAX - 6);
	add(&m, "\r\n* 1 EXISTS\r\n", 1);
	ends_with(&m, "exists 1\n", "a line just short enough");
	add(&m, "* X ", 1);
	add(&m, "y", IMAP_LINE_MAX - 5);
	add(&m, "\r\n* 1 EXISTS\r\n", 1);
	ends_with(&m, too_long, "a line just too long");
	add(&m, "y", 3 * IMAP_LINE_MAX);
	ends_with(&m, too_long, "a line without end");
	add(&m, "* X", 1);
	add(&m, " {1}\r\na", 200000);
	ends_with(&m, too_long, "literals without end");
	add(&m, "* LIST () \"/\" {65536}\r\n", 1);
	add(&m, "n", 65536);
	add(&m, "\r\n* 1 EXISTS\r\n", 1);
	ends_with(&m, "nnn> sep=/\nexists 1\n", "a literal just short enough");
	add(&m, "* LIST () \"/\" {65537}\r\n", 1);
	ends_with(&m,
	    "error 4: the server sent a string of over 65536 bytes where none "
	    "that long belongs\n",
	    "a literal too big");
	add(&m, "* 1 FETCH (X {9223372036854775807}\r\n", 1);
	ends_with(&m,
	    "error 4: the server sent a string of over 65536 bytes where none "
	    "that long belongs\n",
	    "a literal of absurd size");
	add(&m, "* 1 FETCH (BODY[] {9223372036854775807}\r\nabc", 1);
	ends_with(&m, "begin 1 body=9223372036854775807 <abc",
	    "a body of absurd size costs nothing");
	add(&m, "* 1 FETCH (X {9223372036854775808}\r\nabc", 1);
	ends_with(&m, "{9223372036854775808}\"\n", "a number that is none");
	add(&m, "* 1 FETCH (X ", 1);
	add(&m, "(", 32);
	add(&m, ")", 32);
	add(&m, " UID 3)\r\n", 1);
	ends_with(&m, "fetch 1 uid=3\n", "nesting just flat enough");
	add(&m, "* 1 FETCH (X ", 1);
	add(&m, "(", 33);
	add(&m, ")", 33);
	add(&m, ")\r\n", 1);
	ends_with(&m, "))))\"\n", "nesting too deep");
	add(&m, "* STATUS a (X ", 1);
	add(&m, "(", 100);
	add(&m, ")", 100);
	add(&m, ")\r\n", 1);
	ends_with(&m, "))))...\"\n", "nesting too deep in STATUS");
	add(&m, "* SEARCH", 1);
	add(&m, " 4000000000 7 300", 60000);
	add(&m, "\r\n", 1);
	ends_with(&m, "search uids=7,300,4000000000\n", "a long SEARCH");
	add(&m, "* 1 FETCH (BODY[] {1000000}\r\n", 1);
	add(&m, "0123456789", 100000);
	add(&m, " UID 3)\r\n", 1);
	ends_with(&m, "6789>\nfetch 1 uid=3 body=1000000\n", "a big body");
}

/* --- refusals ---------------------------------------------------------- */

static void
test_refused(void)
{
	static const struct {
		const char *in;
		enum imap_verb verb;
		enum err_kind kind;
		int exit;
	} t[] = {
	    {"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
		IMAP_V_AUTHENTICATE, ERR_AUTH, EX_NOPERM},
	    {"NO [AUTHENTICATIONFAILED] too many, try again", IMAP_V_LOGIN,
		ERR_AUTH, EX_NOPERM},
	    {"NO LOGIN failed", IMAP_V_LOGIN, ERR_AUTH, EX_NOPERM},
	    {"BAD invalid", IMAP_V_AUTHENTICATE, ERR_AUTH, EX_NOPERM},
	    {"NO [EXPIRED] password", IMAP_V_LOGIN, ERR_AUTH, EX_NOPERM},
	    {"NO [UNAVAILABLE] Temporary authentication failure.", IMAP_V_LOGIN,
		ERR_TEMP, EX_TEMPFAIL},
	    {"NO [INUSE] locked", IMAP_V_SELECT, ERR_TEMP, EX_TEMPFAIL},
	    {"NO [ALERT] Too many simultaneous connections. (Failure)",
		IMAP_V_LOGIN, ERR_TEMP, EX_TEMPFAIL},
	    {"NO [LIMIT] x", IMAP_V_FETCH, ERR_TEMP, EX_TEMPFAIL},
	    {"NO [THROTTLED] x", IMAP_V_FETCH, ERR_TEMP, EX_TEMPFAIL},
	    {"BAD User is authenticated but not connected.", IMAP_V_SELECT,
		ERR_TEMP, EX_TEMPFAIL},
	    {"BAD Request is throttled. Suggested Backoff Time: 299 "
	     "milliseconds",
		IMAP_V_FETCH, ERR_TEMP, EX_TEMPFAIL},
	    {"NO Please Try Again later", IMAP_V_LOGIN, ERR_TEMP, EX_TEMPFAIL},
	    {"NO [NONEXISTENT] Unknown Mailbox: x", IMAP_V_SELECT, ERR_CONFIG,
		EX_UNAVAILABLE},
	    {"NO no", IMAP_V_SELECT, ERR_CONFIG, EX_UNAVAILABLE},
	    {"BAD what", IMAP_V_SELECT, ERR_PROTO, EX_PROTOCOL},
	};
	struct wire w;
	struct imap im;
	struct imap_ev ev;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setup(&im, &w, "* OK\r\n");
		imap_command(&im, t[i].verb, 0, "X");
		buf_printf(&w.in, "A1 %s\r\n", t[i].in);
		ok(imap_next(&im, &ev, &e) == 1 && ev.kind == IMAP_EV_DONE,
		    "answered: %s", t[i].in);
		is_int(imap_refused(&ev, "trying", &e), -1, "refused");
		is_int(e.kind, t[i].kind, "kind of: %s", t[i].in);
		is_int(err_exit(&e), t[i].exit, "exit code");
		ok(strncmp(e.text, "trying: the server ", 19) == 0,
		    "says what was tried: %s", e.text);
		teardown(&im, &w);
	}
	setup(&im, &w, "* OK\r\n");
	imap_command(&im, IMAP_V_SELECT, 0, "X");
	buf_puts(&w.in, "A1 NO \x1b[31m\x07\r\n");
	ok(imap_next(&im, &ev, &e) == 1, "control characters");
	imap_refused(&ev, "x", &e);
	is_str(e.text, "x: the server refused: \"\\x1b[31m\\x07\"",
	    "are shown as such");
	teardown(&im, &w);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(transcripts) / sizeof(transcripts[0]); i++)
		test_transcript(&transcripts[i]);
	test_greetings();
	test_commands();
	test_utf8_names();
	test_hold_back();
	test_literal_refused();
	test_whose_continuation();
	test_literal_kinds();
	test_pieces();
	test_pieces_refused();
	test_pieces_kinds();
	test_oldest();
	test_append_limit();
	test_logout();
	test_overrun();
	test_limits();
	test_refused();
	return done();
}
