#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# Servers that do what no server should, against the server side of syncd: each
# test is named after what it is about. Every dialogue is played twice, in whole
# lines and byte by byte.

load helper
load peer

DRIVER=$BUILD/tests/syncd/remote_driver
SELECT='UIDPLUS CONDSTORE ENABLE QRESYNC'

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	export STATE=$BATS_TEST_TMPDIR/state BODIES=$BATS_TEST_TMPDIR/bodies
	mkdir -p "$BODIES"
}

teardown() {
	peer_stop
}

# UIDVALIDITY UIDNEXT MODSEQ MESSAGES UIDS FOLDER: what is remembered.
remembers() {
	echo "$@" >>"$STATE"
}

# CAPABILITIES OPERATION...: with a server that has these, and goes on behind the
# login as standard input says. What came of it is in the file `got`.
play() {
	local caps="IMAP4rev1 $1" way
	shift
	cat >dialogue
	touch "$STATE"
	cp "$STATE" remembered
	for way in '' 'trickle 1'; do
		cp remembered "$STATE"
		{
			echo "S: * OK [CAPABILITY $caps] ready"
			echo 'C= <*t> LOGIN "u" "pw"'
			echo "S: <t> OK [CAPABILITY $caps] logged in"
			echo "$way"
			cat dialogue
			[ -n "${HUNG_UP-}" ] || printf '%s\n' \
				"C${LOGOUT-:} <*t> LOGOUT" "${LOGOUT+    }S: <t> OK" eof
		} >"$BATS_TEST_TMPDIR/quirk.peer"
		peer_start quirk.peer -t 20
		rc=0
		"$DRIVER" "imap+plain://u@127.0.0.1:$PEER_PORT" "$@" \
			>got 2>&1 || rc=$?
		peer_wait || {
			cat got >&2
			return 1
		}
		if [ -z "${HUNG_UP-}" ] && [ $rc -ne 0 ]; then
			fail "exit $rc: $(cat got)"
		fi
		[ -z "$way" ] || diff first got
		cp got first
	done
}

prints() {
	cat >want
	diff want got || fail 'not as it should be'
}

has() {
	grep -q -e "$1" got || fail "no line has $1: $(cat got)"
}

absent() {
	! grep -e "$1" got || fail 'should not be there'
}

# --- the survey -------------------------------------------------------------------

@test "iCloud: an empty ENABLED enables nothing" {
	remembers 7 4 20 3 1:3 INBOX
	play 'ENABLE CONDSTORE QRESYNC LIST-STATUS ESEARCH' \
		survey -- diffs INBOX <<-'END'
		C: <*e> ENABLE QRESYNC
		C: <*l> LIST "" "\*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
		S: * ENABLED
		S: <e> OK done
		S: * LIST (\\HasNoChildren) "/" INBOX
		S: * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 21)
		S: <l> OK done
		C: <*s> SELECT "INBOX" (CONDSTORE)
		C: <*f> UID FETCH 1:\* (UID FLAGS) (CHANGEDSINCE 20)
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 21] ok
		S: <s> OK [READ-WRITE] done
		S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (21))
		S: <f> OK done
	END
	has '^diff INBOX next=4 exists=3 modseq may .* gone=-$'
	has '^change INBOX 2 S$'
}

@test "Purelymail, Tencent, seznam, Exchange: odd numbers and separators" {
	play 'CONDSTORE LIST-STATUS SPECIAL-USE NAMESPACE OBJECTID' survey \
		-- diffs Empty <<-'END'
		C: <*n> NAMESPACE
		C: <*l> LIST "" "\*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
		C: <*i> LIST "" "\*" RETURN (STATUS (MAILBOXID))
		S: * NAMESPACE NIL NIL NIL
		S: <n> OK done
		S: * LIST () NIL INBOX
		S: * STATUS inbox (MESSAGES 3 UIDNEXT 4 HIGHESTMODSEQ 5 ) 
		S: * LIST () NIL Empty
		S: * STATUS Empty (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 4294967299 HIGHESTMODSEQ 0)
		S: * LIST (\\Noselect) NIL Nothing
		S: * NO cannot look into Broken
		S: * LIST (\\Archive) NIL Broken
		S: <l> OK done
		S: * LIST () NIL INBOX
		S: * STATUS inbox (MAILBOXID (F1) )
		S: <i> OK done
		C: <*s> SELECT "Empty" (CONDSTORE)
		C: <*f> UID FETCH 1:\* (UID FLAGS)
		S: * 0 EXISTS
		S: * OK [UIDVALIDITY 4294967299] ok
		S: <s> OK [READ-WRITE] done
		S: <f> BAD no such messages
	END
	prints <<-'END'
		folder INBOX sep=- 3 4 1 modseq id=F1
		folder Empty sep=- 0 1 2
		folder Nothing sep=- attrs=1
		folder Broken sep=- attrs=200
		diff Empty next=1 exists=0 complete may SRFTD gone=-
	END
}

@test "a folder that is listed twice is one" {
	play LIST-STATUS survey <<-'END'
		C: <*l> LIST "" "\*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))
		S: * LIST () "/" A
		S: * LIST (\\Sent) "/" B
		S: * STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)
		S: * LIST (\\Trash) "/" A
		S: * LIST () "/" B
		S: * STATUS B (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 6)
		S: * LIST () "/" A
		S: <l> OK done
	END
	prints <<-'END'
		folder A sep=/ attrs=4000 1 2 3
		folder B sep=/ attrs=2000 4 5 6
	END
}

@test "Courier: what the prefix INBOX. cannot reach is left out" {
	play 'NAMESPACE' survey <<-'END'
		C: <*n> NAMESPACE
		C: <*l> LIST "" "\*"
		S: * NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))
		S: <n> OK done
		S: * LIST () "." "INBOX"
		S: * LIST () "." "INBOX.Sent"
		S: * LIST () "." "INBOX.shared.x"
		S: * LIST () "." "INBOX.INBOX"
		S: * LIST () "." "shared.x"
		S: * LIST (\\Noselect) "." "shared"
		S: <l> OK done
		C: <*a> STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY)
		C: <*b> STATUS "INBOX.Sent" (MESSAGES UIDNEXT UIDVALIDITY)
		C: <*c> STATUS "INBOX.shared.x" (MESSAGES UIDNEXT UIDVALIDITY)
		C: <*d> STATUS "INBOX.INBOX" (MESSAGES UIDNEXT UIDVALIDITY)
		C: <*e> STATUS "shared.x" (MESSAGES UIDNEXT UIDVALIDITY)
		S: * STATUS "INBOX" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)
		S: <a> OK done
		S: * STATUS "INBOX.Sent" (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 4)
		S: <b> OK done
		S: <c> NO cannot
		S: * STATUS "INBOX.INBOX" (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 6)
		S: <d> OK done
		S: <e> OK done
	END
	prints <<-'END'
		folder INBOX sep=. 1 2 3
		folder Sent sep=. 2 3 4
		folder INBOX.shared.x sep=.
		folder INBOX.INBOX sep=. 4 5 6
		folder shared.x sep=.
	END
}

# --- what has changed ---------------------------------------------------------------

# What comes first with QRESYNC enabled, here and below.
enable="C: <*e> ENABLE QRESYNC
C: <*l> LIST \"\" \"\\*\"
S: * ENABLED QRESYNC
S: <e> OK done
S: <l> OK done"

@test "James, iCloud: VANISHED of messages that are there" {
	local exists gone
	# The listing has three, SEARCH some more: gone is what neither has, if
	# EXISTS says so too.
	while read -r exists gone; do
		: >"$STATE"
		remembers 7 11 20 10 1:10 INBOX
		play "$SELECT ESEARCH" survey -- diffs INBOX <<-END
			$enable
			C: <*s> SELECT "INBOX" (QRESYNC (7 20))
			S: * 10 EXISTS
			S: * OK [UIDVALIDITY 7] ok
			S: * OK [UIDNEXT 11] ok
			S: * OK [HIGHESTMODSEQ 25] ok
			S: * VANISHED (EARLIER) 1:10
			S: <s> OK [READ-WRITE] done
			C: <*s> SELECT "INBOX"
			C: <*f> UID FETCH 1:10 (UID FLAGS)
			C: <*g> UID FETCH 11:\\* (UID FLAGS)
			C: <*h> UID SEARCH RETURN (ALL COUNT) UID 1:\\*
			S: * OK [CLOSED] ok
			S: * $exists EXISTS
			S: * OK [UIDVALIDITY 7] ok
			S: * OK [UIDNEXT 11] ok
			S: * OK [HIGHESTMODSEQ 25] ok
			S: <s> OK [READ-WRITE] done
			S: * 1 FETCH (UID 1 FLAGS (\\\\Seen))
			S: * 3 FETCH (UID 4 FLAGS ())
			S: * 2 FETCH (UID 3 FLAGS (\\\\Flagged))
			S: <f> OK done
			S: <g> OK done
			S: * ESEARCH (TAG "<h>") UID ALL 1,3:9 COUNT 8
			S: <h> OK done
		END
		prints <<-END
			diff INBOX next=11 exists=$exists modseq complete may SRFTD gone=$gone
			change INBOX 1 S
			change INBOX 3 F
			change INBOX 4 .
		END
	done <<-'END'
		10 -
		8 2,10
	END
}

@test "a SEARCH that is refused, or that does not agree with itself, proves nothing" {
	local what
	for what in 'S: <h> NO cannot' \
		$'S: * ESEARCH (TAG "<h>") UID ALL 1 COUNT 9\nS: <h> OK done'; do
		: >"$STATE"
		remembers 7 11 20 10 1:10 INBOX
		play "$SELECT ESEARCH" survey -- diffs INBOX <<-END
			$enable
			C: <*s> SELECT "INBOX" (QRESYNC (7 20))
			S: * 10 EXISTS
			S: * OK [UIDVALIDITY 7] ok
			S: * OK [UIDNEXT 11] ok
			S: * OK [HIGHESTMODSEQ 25] ok
			S: * VANISHED (EARLIER) 1:9
			S: <s> OK [READ-WRITE] done
			C: <*s> SELECT "INBOX"
			C: <*f> UID FETCH 1:10 (UID FLAGS)
			C: <*g> UID FETCH 11:\\* (UID FLAGS)
			C: <*h> UID SEARCH RETURN (ALL COUNT) UID 1:\\*
			S: * 10 EXISTS
			S: * OK [UIDVALIDITY 7] ok
			S: <s> OK [READ-WRITE] done
			S: * 1 FETCH (UID 1 FLAGS ())
			S: <f> OK done
			S: <g> OK done
			$what
		END
		has '^diff INBOX next=2 exists=10 complete .* gone=-$'
	done
}

@test "VANISHED that was never known, and QRESYNC that adds up" {
	# Of 8 messages two are of no interest here.
	remembers 7 11 20 8 1:6 INBOX
	play "$SELECT" survey -- diffs INBOX <<-END
		$enable
		C: <*s> SELECT "INBOX" (QRESYNC (7 20))
		S: * FLAGS (\\\\Seen)
		S: * OK [PERMANENTFLAGS (\\\\Answered a] [b \$Forwarded \\\\Draft)] Fastmail
		S: * 7 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 15] ok
		S: * OK [HIGHESTMODSEQ 25]
		S: * VANISHED (EARLIER) 2,7:8,12:13
		S: * 6 FETCH (UID 11 FLAGS (\\\\Seen) MODSEQ (24))
		S: * 7 FETCH (UID 14 FLAGS () MODSEQ (25))
		S: * 3 FETCH (UID 4 FLAGS (\$Forwarded) MODSEQ (23))
		S: <s> OK [READ-WRITE] done
	END
	prints <<-'END'
		diff INBOX next=15 exists=7 modseq may RDP gone=2
		change INBOX 4 P
		change INBOX 11 S
		change INBOX 14 .
	END
}

@test "Zimbra: news of the folder before, without CLOSED" {
	remembers 7 4 20 3 1:3 A
	remembers 8 4 20 3 1:3 B
	play "$SELECT" survey -- diffs A B <<-END
		$enable
		C: <*s> SELECT "A" (QRESYNC (7 20))
		C: <*t> SELECT "B" (QRESYNC (8 20))
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 21] ok
		S: * 2 FETCH (UID 2 FLAGS (\\\\Seen) MODSEQ (21))
		S: * 3 EXISTS
		S: <s> OK [READ-WRITE] done
		S: * 1 FETCH (UID 1 FLAGS (\\\\Deleted) MODSEQ (22))
		S: * VANISHED 3
		S: * 2 EXISTS
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 8] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 20] ok
		S: * 3 EXISTS
		S: <t> OK [READ-WRITE] done
		C: <*s> SELECT "B"
		C: <*f> UID FETCH 1:3 (UID FLAGS)
		C: <*g> UID FETCH 4:\\* (UID FLAGS)
		C: <*h> UID SEARCH UID 1:\\*
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 8] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 20] ok
		S: <s> OK [READ-WRITE] done
		S: * 1 FETCH (UID 1 FLAGS (\\\\Answered))
		S: * 2 FETCH (UID 2 FLAGS ())
		S: * 3 FETCH (UID 3 FLAGS ())
		S: <f> OK done
		S: <g> OK done
		S: * SEARCH 1 2 3
		S: <h> OK done
	END
	# Whose the FETCH was cannot be told: B is listed to be sure.
	prints <<-'END'
		diff A next=4 exists=3 modseq may SRFTD gone=-
		change A 2 S
		diff B next=4 exists=3 modseq complete may SRFTD gone=-
		change B 1 R
		change B 2 .
		change B 3 .
	END
}

@test "news of the folder before, and CLOSED" {
	remembers 7 4 20 3 1:3 A
	remembers 8 4 20 3 1:3 B
	play "$SELECT" survey -- diffs A B <<-END
		$enable
		C: <*s> SELECT "A" (QRESYNC (7 20))
		C: <*t> SELECT "B" (QRESYNC (8 20))
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 21] ok
		S: <s> OK [READ-WRITE] done
		S: * 1 FETCH (UID 1 FLAGS (\\\\Deleted) MODSEQ (22))
		S: * VANISHED 3
		S: * OK [CLOSED] ok
		S: * 3 EXISTS
		S: * OK [UIDVALIDITY 8] ok
		S: * OK [UIDNEXT 4] ok
		S: * OK [HIGHESTMODSEQ 20] ok
		S: * VANISHED 2
		S: * 1 FETCH (UID 2 FLAGS () MODSEQ (23))
		S: <t> OK [READ-WRITE] done
	END
	prints <<-'END'
		diff A next=4 exists=3 modseq may SRFTD gone=-
		diff B next=4 exists=3 modseq may SRFTD gone=2
	END
}

@test "o2.pl: a listing in no order; EXPUNGE in the middle of it" {
	remembers 7 10 0 4 1:4 INBOX
	play '' survey -- diffs sizes INBOX <<-'END'
		C: <*l> LIST "" "\*"
		S: <l> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:9 (UID FLAGS)
		C: <*g> UID FETCH 10:\* (UID FLAGS RFC822.SIZE)
		S: * 5 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 3 FETCH (UID 3 FLAGS (\\Seen))
		S: * 1 FETCH (UID 1 FLAGS ())
		S: * 2 EXPUNGE
		S: <f> OK done
		S: * 5 FETCH (UID 12 FLAGS () RFC822.SIZE 9)
		S: * 4 FETCH (UID 11 FLAGS () RFC822.SIZE 8)
		S: <g> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:9 (UID FLAGS)
		C: <*g> UID FETCH 10:\* (UID FLAGS RFC822.SIZE)
		C: <*h> UID SEARCH UID 1:\*
		S: * 4 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 2 FETCH (UID 3 FLAGS (\\Seen))
		S: * 1 FETCH (UID 1 FLAGS ())
		S: * 2 FETCH (FLAGS (\\Flagged))
		S: * 2 FETCH (UID 3 FLAGS (\\Seen \\Flagged))
		S: <f> OK done
		S: * 4 FETCH (UID 12 FLAGS () RFC822.SIZE 9)
		S: * 3 FETCH (UID 11 FLAGS () RFC822.SIZE 8)
		S: * 4 FETCH (UID 12 FLAGS (\\Draft))
		S: <g> OK done
		S: * SEARCH 12 11 3 1
		S: <h> OK done
	END
	prints <<-'END'
		diff INBOX next=13 exists=4 complete may SRFTD gone=2,4
		change INBOX 1 .
		change INBOX 3 SF
		change INBOX 11 . 8
		change INBOX 12 D 9
	END
}

@test "MESSAGELIMIT: what is not listed is not gone" {
	remembers 7 10 0 3 1:3 INBOX
	play '' survey -- diffs INBOX <<-'END'
		C: <*l> LIST "" "\*"
		S: <l> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:9 (UID FLAGS)
		C: <*g> UID FETCH 10:\* (UID FLAGS)
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 1 FETCH (UID 3 FLAGS (\\Seen))
		S: <f> OK [MESSAGELIMIT 1 3] no more
		S: <g> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:9 (UID FLAGS)
		C: <*g> UID FETCH 10:\* (UID FLAGS)
		C: <*h> UID SEARCH UID 1:\*
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 1 FETCH (UID 3 FLAGS (\\Seen))
		S: <f> OK [MESSAGELIMIT 1 3] no more
		S: <g> OK done
		S: * SEARCH 3
		S: <h> OK done
	END
	has '^diff INBOX next=4 exists=1 may .* gone=-$'
	has '^change INBOX 3 S'
}

@test "QRESYNC, but no modseq in this folder" {
	remembers 7 3 20 2 1:2 INBOX
	play "$SELECT" survey -- diffs INBOX <<-END
		$enable
		C: <*s> SELECT "INBOX" (QRESYNC (7 20))
		S: * 2 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [NOMODSEQ] none
		S: <s> OK [READ-WRITE] done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:2 (UID FLAGS)
		C: <*g> UID FETCH 3:\\* (UID FLAGS)
		C: <*h> UID SEARCH UID 1:\\*
		S: * 2 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [NOMODSEQ] none
		S: <s> OK [READ-WRITE] done
		S: * 1 FETCH (UID 1 FLAGS ())
		S: * 2 FETCH (UID 2 FLAGS ())
		S: <f> OK done
		S: <g> OK done
		S: * SEARCH 1 2
		S: <h> OK done
	END
	has '^diff INBOX next=3 exists=2 complete .* gone=-$'
}

@test "a folder of 25,000 is listed in pieces" {
	play LIST-STATUS survey -- diffs sizes INBOX <<-'END'
		C: <*l> LIST "" "\*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))
		S: * LIST () "/" INBOX
		S: * STATUS INBOX (MESSAGES 1 UIDNEXT 25000 UIDVALIDITY 7)
		S: <l> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:10000 (UID FLAGS RFC822.SIZE)
		C: <*g> UID FETCH 10001:20000 (UID FLAGS RFC822.SIZE)
		C: <*h> UID FETCH 20001:\* (UID FLAGS RFC822.SIZE)
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 25000] ok
		S: <s> OK done
		S: <f> OK done
		S: <g> OK done
		S: * 1 FETCH (UID 24999 FLAGS () RFC822.SIZE 5)
		S: <h> OK done
	END
	has '^change INBOX 24999 . 5$'
}

# --- messages ------------------------------------------------------------------------

@test "Gmail, Cyrus: ids of messages" {
	local caps item id
	for caps in X-GM-EXT-1 OBJECTID; do
		: >"$STATE"
		item=$([ $caps = OBJECTID ] && echo EMAILID || echo X-GM-MSGID)
		id=$([ $caps = OBJECTID ] && echo '(M123)' || echo 1278455344)
		play $caps diffs ids INBOX -- fetch INBOX 1 <<-END
			C: <*s> SELECT "INBOX"
			C: <*f> UID FETCH 1:\\* (UID FLAGS $item)
			S: * 1 EXISTS
			S: * OK [UIDVALIDITY 7] ok
			S: * OK [UIDNEXT 2]
			S: <s> OK done
			S: * 1 FETCH (UID 1 FLAGS () $item $id)
			S: <f> OK done
			C: <*f> UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE $item BODY.PEEK[])
			S: * 1 FETCH ($item $id UID 1 BODY[] {2}
			S: hi FLAGS ())
			S: <f> OK done
		END
		has '^change INBOX 1 \. id=[0-9a-f]\{8\}$'
		has '^message 0.1 \. .* id=[0-9a-f]\{8\}$'
		assert_eq 1 "$(sed -n 's/.* id=//p' got | sort -u | wc -l)" ids
	done
}

@test "Exchange: flags and UID behind the body; messages without content" {
	remembers 7 9 0 4 1:4 INBOX
	play '' fetch INBOX 1:6 <<-'END'
		C: <*s> SELECT "INBOX"
		C: <*f> UID FETCH 1:6 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		S: * 6 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 1 FETCH (BODY[] {5}
		S: one
		S:  FLAGS (\\Seen) UID 1)
		S: * 2 FETCH (UID 2 FLAGS () RFC822.SIZE 700 BODY[] {0}
		S: )
		S: * 3 FETCH (UID 3 FLAGS () BODY[] NIL)
		S: * 9 FETCH (BODY[] {5}
		S: odd
		S:  UID 77)
		S: * 9 FETCH (BODY[] {5}
		S: odd
		S:  FLAGS ())
		S: * 9 FETCH (UID 78 BODY[] {5}
		S: odd
		S: )
		S: * 5 FETCH (UID 5 FLAGS (\\Flagged))
		S: * 4 FETCH (UID 4 BODY[] "" FLAGS () INTERNALDATE " 1-Jan-2020 00:00:00 +0100")
		S: <f> OK done
	END
	prints <<-'END'
		message 0.1 S 5 0 01-Jan-1970 00:00:00 +0000
		dropped
		missing 0.2 folder INBOX, message 2: the server has no content for it
		missing 0.3 folder INBOX, message 3: the server has no content for it
		dropped
		dropped
		message 0.4 . 0 0 31-Dec-2019 23:00:00 +0000
		missing 0.5 
		missing 0.6 
	END
	assert_eq $'one\r' "$(<"$BODIES/0.1")"
}

@test "Yahoo: NO for one of a set" {
	remembers 7 9 0 4 1:4 A
	play '' fetch A 1:3 B 5 <<-'END'
		C: <*s> SELECT "A"
		C: <*f> UID FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		C: <*t> SELECT "B"
		C: <*g> UID FETCH 5 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 1 FETCH (UID 1 BODY[] {3}
		S: one FLAGS ())
		S: <f> NO [UNAVAILABLE] Server error while fetching messages
		S: * OK [UIDVALIDITY 8] ok
		S: <t> OK done
		S: * 1 FETCH (UID 5 BODY[] {4}
		S: five FLAGS ())
		S: <g> OK done
		C: <*s> SELECT "A"
		C: <*f> UID FETCH 2 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		C: <*g> UID FETCH 3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: <f> NO [UNAVAILABLE] Server error while fetching messages
		S: * 1 FETCH (UID 3 BODY[] {5}
		S: three FLAGS ())
		S: <g> OK done
	END
	prints <<-'END'
		message 0.1 . 3 0 01-Jan-1970 00:00:00 +0000
		message 1.5 . 4 0 01-Jan-1970 00:00:00 +0000
		missing 0.2 folder A: UID FETCH: the server refused: "[UNAVAILABLE] Server error while fetching messages"; try again later
		message 0.3 . 5 0 01-Jan-1970 00:00:00 +0000
	END
}

@test "UIDVALIDITY is not what it was: no body of that folder is used" {
	remembers 7 9 0 4 1:4 A
	remembers 8 9 0 4 1:4 B
	play '' fetch A 1 B 1 <<-'END'
		C: <*s> SELECT "A"
		C: <*f> UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		C: <*t> SELECT "B"
		C: <*g> UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		S: * OK [UIDVALIDITY 9] ok
		S: <s> OK done
		S: * 1 FETCH (UID 1 BODY[] {3}
		S: one FLAGS ())
		S: <f> OK done
		S: * OK [UIDVALIDITY 8] ok
		S: <t> OK done
		S: * 1 FETCH (UID 1 BODY[] {4}
		S: five FLAGS ())
		S: <g> OK done
	END
	prints <<-'END'
		message 1.1 . 4 0 01-Jan-1970 00:00:00 +0000
		fetch A: error 1: folder A: UIDVALIDITY changed from 7 to 9 meanwhile; the next run recognises its messages
	END
}

@test "the connection is cut inside a message" {
	local HUNG_UP=1
	play '' fetch A 1:2 <<-'END'
		C: <*s> SELECT "A"
		C: <*f> UID FETCH 1:2 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])
		S: <s> OK done
		S: * 1 FETCH (UID 1 BODY[] {3}
		S: one FLAGS ())
		S- * 2 FETCH (UID 2 BODY[] {30}\r\nhalf of it
		close
	END
	prints <<-'END'
		message 0.1 . 3 0 01-Jan-1970 00:00:00 +0000
		dropped
		session ended: error 1: the server closed the connection before it had answered
	END
}

# --- messages to there -----------------------------------------------------------------

# Two short letters, and what they are on the wire.
letters() {
	printf 'Subject: a\n\nx\n' >a.eml
	printf 'Subject: b\n\ny' >b.eml
}

@test "APPEND: byte for byte, but for line ends" {
	printf 'A: 1\r\nB: \r2\n\n\0\xff\r\n\n.\r\r\nno end\r' >odd.eml
	play 'LITERAL+ BINARY UIDPLUS' append 'A&B' SFDRTPa 1000000000 odd.eml \
		<<-'END'
		C= <*t> APPEND "A&-B" (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded $Label1) "09-Sep-2001 01:46:40 +0000" ~{32+}
		C= A: 1
		C= B: \r2
		C-bytes 2
		C-bytes 4
		C-bytes 2
		C= .\r
		C-bytes 7
		C-bytes 2
		S: <t> OK [APPENDUID 9 77] done
	END
	has '^append odd.eml: done=1 uid=77$'
}

@test "Yahoo: a line's end at the end" {
	letters
	play 'LITERAL+ XYMHIGHESTMODSEQ' append A . 0 a.eml A . 0 b.eml <<-'END'
		C= <*t> APPEND "A" () {17+}
		C= Subject: a
		C= 
		C= x
		C= 
		C= <*u> APPEND "A" () {17+}
		C= Subject: b
		C= 
		C= y
		C= 
		S: <t> OK done
		S: <u> OK done
	END
	has '^append a.eml: done=1 uid=0 (no uidvalidity)$'
	has '^append b.eml: done=1'
}

@test "LITERAL-: over 4096 bytes it waits; the refusal comes instead" {
	letters
	head -c 5000 /dev/zero | tr '\0' x >big.eml
	play 'LITERAL- UIDPLUS' append A . 0 big.eml A . 0 a.eml A . 0 big.eml \
		<<-'END'
		C= <*t> APPEND "A" () {5000}
		S: <t> NO [TOOBIG] no
		C= <*t> APPEND "A" () {17+}
		C= Subject: a
		C-lines 3
		C= <*u> APPEND "A" () {5000}
		S: <t> OK [APPENDUID 1 2] done
		S: + go
		C-bytes 5000
		C= 
		S: <u> OK [APPENDUID 1 3] done
	END
	has '^append big.eml: error 7: folder A: APPEND: .*\[TOOBIG\] no'
	has '^append a.eml: done=1 uid=2$'
	has '^append big.eml: done=1 uid=3$'
}

@test "MULTIAPPEND: refused, and then one by one" {
	letters
	play 'LITERAL+ MULTIAPPEND UIDPLUS' append A . 0 a.eml A S 5 b.eml \
		A . 0 a.eml B . 0 b.eml <<-'END'
		C= <*t> APPEND "A" () {17+}
		C-lines 3
		C=  (\\Seen) "01-Jan-1970 00:00:05 +0000" {15+}
		C-lines 2
		C= y () {17+}
		C-lines 4
		C= <*u> APPEND "B" () {15+}
		C-lines 3
		S: <t> NO one of them is bad
		C= <*v> APPEND "A" () {17+}
		C-lines 4
		C= <*w> APPEND "A" (\\Seen) "01-Jan-1970 00:00:05 +0000" {15+}
		C-lines 3
		C= <*x> APPEND "A" () {17+}
		C-lines 4
		S: <u> OK [APPENDUID 3 9] done
		S: <v> OK [APPENDUID 4 5] done
		S: <w> NO this one
		S: <x> OK [APPENDUID 4 6] done
	END
	prints <<-'END'
		append b.eml: done=1 uid=9
		append a.eml: done=1 uid=5
		append b.eml: error 7: folder A: APPEND: the server refused: "this one"
		append a.eml: done=1 uid=6
	END
}

@test "MULTIAPPEND: UIDs in the order in which they are told" {
	letters
	play 'LITERAL+ MULTIAPPEND UIDPLUS' append A . 0 a.eml A . 0 a.eml \
		A . 0 b.eml -- append A . 0 a.eml A . 0 b.eml <<-'END'
		C= <*t> APPEND "A" () {17+}
		C-lines 3
		C=  () {17+}
		C-lines 3
		C=  () {15+}
		C-lines 3
		S: <t> OK [APPENDUID 3 9,7:8] done
		C= <*t> APPEND "A" () {17+}
		C-lines 3
		C=  () {15+}
		C-lines 3
		S: <t> OK [APPENDUID 3 10:12] one too many
	END
	prints <<-'END'
		append a.eml: done=1 uid=9
		append a.eml: done=1 uid=7
		append b.eml: done=1 uid=8
		append a.eml: done=1 uid=0 (no uidvalidity)
		append b.eml: done=1 uid=0 (no uidvalidity)
	END
}

@test "LITERAL+: refused before all is sent" {
	# It is not waited for, and may not get through.
	local LOGOUT='?'
	letters
	head -c 3000000 /dev/zero | tr '\0' x | fold -w 998 >big.eml
	play 'LITERAL+ UIDPLUS' append A . 0 big.eml A . 0 a.eml <<-'END'
		C= <*t> APPEND "A" () {3006012+}
		S: <t> NO [OVERQUOTA] full
		C-bytes 3006012
		C= 
		# Perhaps it knew by then, perhaps not.
		C? <*u> APPEND "A" () {17+}
		    C-lines 4
		    S: <u> NO [OVERQUOTA] full
	END
	has '^append big.eml: error 1: folder A: APPEND: .*\[OVERQUOTA\] full'
	has '^append a.eml: error 1: folder A: APPEND: .*\[OVERQUOTA\] full'
	has '^append a.eml: code 25$'
}

@test "APPENDLIMIT: what is too large is not sent" {
	letters
	play 'LITERAL+ APPENDLIMIT=16' append A . 0 a.eml A . 0 b.eml <<-'END'
		C= <*t> APPEND "A" () {15+}
		C-lines 3
		S: <t> OK done
	END
	has '^append a.eml: error 5: the message has 17 bytes; .* no more than 16$'
	has '^append b.eml: done=1'
}

# --- changes ----------------------------------------------------------------------------

@test "Gmail: a deletion is a move to the trash, and FETCH comes in spite of SILENT" {
	remembers 7 9 0 4 1:4 INBOX
	remembers 8 9 0 4 1:4 '[Gmail]/Bin'
	play 'X-GM-EXT-1 LIST-STATUS MOVE UIDPLUS SPECIAL-USE LIST-EXTENDED' \
		survey -- store INBOX 1 +S -- \
		delete INBOX 2:3 '[Gmail]/Bin' 4 <<-'END'
		C: <*l> LIST "" "\*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY))
		S: * LIST (\\All) "/" "[Gmail]/All Mail"
		S: * LIST (\\Trash) "/" "[Gmail]/Bin"
		S: <l> OK done
		C: <*s> SELECT "INBOX"
		C: <*f> UID STORE 1 +FLAGS.SILENT (\\Seen)
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: * 1 FETCH (UID 1 FLAGS (\\Seen))
		S: <f> OK done
		C: <*m> UID MOVE 2:3 "[Gmail]/Bin"
		C: <*s> SELECT "[Gmail]/Bin"
		S: * OK [COPYUID 8 2:3 10:11] moved
		S: * 2 EXPUNGE
		S: <m> OK done
		S: * OK [UIDVALIDITY 8] ok
		S: <s> OK done
		C: <*t> UID STORE 4 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID EXPUNGE 4
		S: * 4 FETCH (UID 4 FLAGS (\\Deleted))
		S: <t> OK done
		S: * 4 EXPUNGE
		S: <u> OK done
	END
	has '^store INBOX: modified=-$'
	has '^delete INBOX: marked=0$'
	has '^delete \[Gmail\]/Bin: marked=0$'
}

@test "Proton: UID EXPUNGE is refused" {
	remembers 7 9 0 4 1:4 A
	remembers 8 9 0 4 1:4 B
	play 'UIDPLUS' delete A 1 B 2 A 3 <<-'END'
		C: <*s> SELECT "A"
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		C: <*t> UID STORE 1 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID EXPUNGE 1
		C: <*v> SELECT "B"
		S: <t> OK done
		S: <u> NO not supported
		S: * OK [UIDVALIDITY 8] ok
		S: <v> OK done
		C: <*t> UID STORE 2 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID SEARCH DELETED
		S: <t> OK done
		S: * SEARCH 2 4
		S: <u> OK done
		C: <*s> SELECT "A"
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		C: <*t> UID STORE 3 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID SEARCH DELETED
		S: <t> OK done
		S: * SEARCH 1 3
		S: <u> OK done
		C: <*u> UID SEARCH DELETED
		S: * SEARCH 1 3
		S: <u> OK done
	END
	has '^delete A: marked=1$'
	has '^delete B: marked=1$'
}

@test "COPYUID in any order; copies are taken away only when they are there" {
	remembers 7 9 0 4 1:4 A
	play 'UIDPLUS' move A 1:3 B A 4 C <<-'END'
		C: <*s> SELECT "A"
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		C: <*c> UID COPY 1:3 "B"
		S: <c> OK [COPYUID 5 3,1:2 20,31:32] done
		C: <*t> UID STORE 1:3 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID EXPUNGE 1:3
		C: <*c> UID COPY 4 "C"
		S: <t> OK done
		S: <u> OK done
		S: <c> NO [OVERQUOTA] full
	END
	prints <<-'END'
		move A: copied=1 marked=0 code=0 1>31 2>32 3>20
		move A: error 1: folder A: UID COPY: the server refused: "[OVERQUOTA] full"; try again later
		move A: copied=0 marked=0 code=25
	END
}

@test "no UIDPLUS, and SEARCH is refused: only marked" {
	remembers 7 9 0 4 1:4 A
	play '' delete A 1:2 <<-'END'
		C: <*s> SELECT "A"
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		C: <*t> UID STORE 1:2 +FLAGS.SILENT (\\Deleted)
		C: <*u> UID SEARCH DELETED
		S: <t> OK done
		S: <u> NO cannot
	END
	has '^delete A: marked=1$'
}

@test "Exchange: no command is over 4096 bytes" {
	local set
	set=$(seq -s , 1000001 2 1002999)
	remembers 7 9 0 4 1:4 A
	play 'UIDPLUS MOVE' store A "$set" +S <<-'END'
		C: <*s> SELECT "A"
		C: <*a> UID STORE 1000001,*,1000973 +FLAGS.SILENT (\\Seen)
		C: <*b> UID STORE 1000975,*,1001947 +FLAGS.SILENT (\\Seen)
		C: <*c> UID STORE 1001949,*,1002921 +FLAGS.SILENT (\\Seen)
		C: <*d> UID STORE 1002923,*,1002999 +FLAGS.SILENT (\\Seen)
		S: * OK [UIDVALIDITY 7] ok
		S: <s> OK done
		S: <a> OK done
		S: <b> OK done
		S: <c> OK done
		S: <d> NO busy
	END
	has '^store A: error'
}

@test "CREATE of what there is already, told in words" {
	play '' create A B <<-'END'
		C: <*c> CREATE "A"
		C: <*s> SUBSCRIBE "A"
		C: <*d> CREATE "B"
		C: <*t> SUBSCRIBE "B"
		S: <c> NO Mailbox already exists
		S: <s> OK done
		S: <d> NO no way
		S: <t> NO no such folder
	END
	has '^create A: done$'
	has '^create B: error 7: folder B: CREATE: the server refused: "no way"$'
}

@test "NOTIFY: an empty folder that is told of meanwhile is another one" {
	play NOTIFY remove A <<-'END'
		C: <*l> STATUS "A" (MESSAGES)
		S: * STATUS A (MESSAGES 3)
		S: * STATUS B (MESSAGES 0 UIDNEXT 1)
		S: <l> OK done
	END
	has '^remove A: error 5: .* there are messages in it$'
}

@test "NOTIFY: what is told in the midst of a survey adds to it" {
	play 'CONDSTORE LIST-STATUS OBJECTID NOTIFY' survey <<-'END'
		C: <*l> LIST "" "\*" RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))
		C: <*i> LIST "" "\*" RETURN (STATUS (MAILBOXID))
		S: * LIST () "/" A
		S: * STATUS A (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 HIGHESTMODSEQ 20)
		S: * LIST () "/" B
		S: * STATUS A (UNSEEN 0 HIGHESTMODSEQ 21)
		S: * STATUS B (MESSAGES 1 UIDNEXT 2)
		S: * STATUS B (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8 HIGHESTMODSEQ 22)
		S: <l> OK done
		S: * STATUS A (MAILBOXID (F1))
		S: * STATUS B (MAILBOXID (F2))
		S: * STATUS A (UNSEEN 0 HIGHESTMODSEQ 22)
		S: <i> OK done
	END
	prints <<-'END'
		folder A sep=/ 3 4 7 modseq id=F1
		folder B sep=/ 1 2 8 modseq id=F2
	END
}
