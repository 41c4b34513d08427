#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# What servers do wrong, as far as it shows in what syncd does to mail, in its
# exit status and its words; what shows in the dialogue is in remote_quirks. Each
# test is named after what it is about. Servers answer by rules, each is played
# twice, in whole lines and byte by byte, and both must end alike.

bats_require_minimum_version 1.5.0
load helper
load syncing
load peer

setup_file() {
	"$BATS_TEST_DIRNAME/../servers/certs" "$CERTS" >/dev/null
}

teardown() {
	peer_stop
}

# SESSIONS: as many connections that are spoken to by rules, to their LOGOUT.
sessions() {
	local i
	for ((i = 0; i < $1; i++)); do
		[ $i -eq 0 ] || printf '%s\n' connect "$WAY"
		cat <<-END
			S: * OK [CAPABILITY IMAP4rev1 $CAPS] ready
			C: <*t> LOGIN "u1" "pw"
			S: <t> OK [CAPABILITY IMAP4rev1 $CAPS] done
			C: <*t> LOGOUT
			S: <t> OK done
		END
	done
}

# CAPABILITIES CODE [SESSIONS [OPTION...]]: a run against a server with these, that
# answers as standard input says, from the md and the state that are there; what
# it did and said, in both ways of playing, is in here.txt, there and stderr.
quirk() {
	local want=$2 n=${3:-1}
	CAPS=$1 U=u1
	shift $(($# < 3 ? $# : 3))
	mkdir -p md "$XDG_STATE_HOME"
	cat >rules
	cp -a md md.before
	cp -a "$XDG_STATE_HOME" state.before
	for WAY in '' 'trickle 1'; do
		rm -rf md "$XDG_STATE_HOME"
		cp -a md.before md
		cp -a state.before "$XDG_STATE_HOME"
		{
			cat rules
			[ -z "$WAY" ] || echo "$WAY"
			sessions "$n"
		} | grep -v '^$' >quirk.peer
		peer_start "$PWD/quirk.peer" -t 30
		configure "$PEER_PORT" "${LINES_MORE[@]}"
		for ((; n > 0; n--)); do
			work "$want" "$@"
		done
		n=${3:-1}
		peer_wait
		cat "$PEER_SAID" >>dialogue
		list_here >here.txt
		printf '%s\n' "$stderr" | sed "s/:$PEER_PORT/:PORT/" >said
		if [ -n "$WAY" ]; then
			diff first here.txt && diff said.first said
		fi
		mv here.txt first
		cp said said.first
	done
	rm -rf md.before state.before
}
LINES_MORE=()

# FOLDER MESSAGES UIDNEXT [ATTRIBUTES]: of the list, which `listed` opens, and ends.
listed() {
	echo 'on <*t> LIST *'
	while [ $# -gt 0 ]; do
		echo "    S: * LIST (${4-}) \"/\" \"$1\""
		echo "    S: * STATUS \"$1\" (MESSAGES $2 UIDNEXT $3 UIDVALIDITY ${VALIDITY:-7})"
		shift 4
	done
	echo '    S: <t> OK done'
}

# FOLDER EXISTS UIDNEXT
selected() {
	cat <<-END
		on <*t> SELECT "$1"*
		    S: * $2 EXISTS
		    S: * OK [UIDVALIDITY ${VALIDITY:-7}] ok
		    S: * OK [UIDNEXT $3] ok
		    S: <t> OK [READ-WRITE] done
	END
}

# The three messages that INBOX has, in full; $1 is added to their sizes.
bodies() {
	local i
	echo 'on <*t> UID FETCH * (UID FLAGS INTERNALDATE*'
	for i in 1 2 3; do
		cat <<-END
			    S: * $i FETCH (UID $i FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE $((37 + ${1:-0})) BODY[] {37}
			    S: Message-ID: <$i@x>\r\nSubject: 12\r\n\r\n$i\r\n)
		END
	done
	echo '    S: <t> OK done'
}

# The same, without their content; FIRST is the UID of the first one.
flags_of_three() {
	local i
	echo 'on <*t> UID FETCH * (UID FLAGS*'
	for i in 1 2 3; do
		echo "    S: * $i FETCH (UID $((i - 1 + ${FIRST:-1})) FLAGS () RFC822.SIZE $((37 + ${1:-0})))"
	done
	echo '    S: <t> OK done'
}

ids_of_three() {
	local i
	echo 'on <*t> UID FETCH * (UID BODY.PEEK?HEADER.FIELDS*' | tr '?' '['
	for i in 1 2 3; do
		cat <<-END
			    S: * $i FETCH (UID $((i - 1 + ${FIRST:-1})) BODY[HEADER.FIELDS (MESSAGE-ID)] {21}
			    S: Message-ID: <$i@x>\r\n\r\n)
		END
	done
	echo '    S: <t> OK done'
}

# A server with three messages, which are pulled.
three_pulled() {
	{
		listed INBOX 3 4 ''
		selected INBOX 3 4
		bodies "${1:-0}"
		flags_of_three "${1:-0}"
	} | quirk LIST-STATUS 0
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "Exchange, Proton: UIDVALIDITY changes for nothing" {
	three_pulled
	# Neither a body nor an APPEND: no rule has these.
	{
		VALIDITY=8 FIRST=11
		listed INBOX 3 14 ''
		selected INBOX 3 14
		ids_of_three
		flags_of_three
	} | quirk 'LIST-STATUS UIDPLUS' 0
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "Exchange: RFC822.SIZE is not the size, and the state is lost" {
	three_pulled 7
	rm -r "$XDG_STATE_HOME"
	{
		listed INBOX 3 4 ''
		selected INBOX 3 4
		ids_of_three
		flags_of_three 7
	} | quirk 'LIST-STATUS UIDPLUS' 0
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "Exchange: suggested backoff time; Gmail: [THROTTLED]" {
	local what
	three_pulled
	for what in 'NO [THROTTLED] Account exceeded command or bandwidth limits' \
		'BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds'; do
		{
			listed INBOX 4 5 ''
			echo 'on <*t> SELECT *'
			echo "    S: <t> $what"
			echo 'on <*t> UID *'
			echo '    S: <t> BAD nothing is selected'
		} | quirk LIST-STATUS 75
		assert_contains "$(<said)" "${what##*[].] }"
		assert_eq 3 "$(maildir_count md/INBOX)"
	done
}

@test "Gmail: All Mail is left out, and a message with two labels is in two folders" {
	{
		listed INBOX 3 4 '' 'Work' 3 4 '' '[Gmail]/All Mail' 3 4 '\\All'
		selected INBOX 3 4
		selected Work 3 4
		bodies
		flags_of_three
	} | quirk 'LIST-STATUS SPECIAL-USE X-GM-EXT-1' 0
	assert_eq 3 "$(maildir_count md/INBOX)"
	assert_eq 3 "$(maildir_count md/Work)"
	[ ! -e 'md/[Gmail]' ] || fail "All Mail is here"
}

@test "Gmail: TLS ends without a goodbye" {
	{
		echo tls-pre
		listed INBOX 3 4 ''
		selected INBOX 3 4
		bodies
		flags_of_three
		cat <<-'END'
			S: * OK [CAPABILITY IMAP4rev1 LIST-STATUS] ready
			C: <*t> LOGIN *
			S: <t> OK [CAPABILITY IMAP4rev1 LIST-STATUS] done
			C: <*t> LOGOUT
			cut 8
			S: * BYE see you
		END
	} >tls.peer
	peer_start "$PWD/tls.peer" -t 30 -c "$CERTS/server.pem"
	expect 0 "$SYNCD" -o 'password-command=printf pw' \
		-o "tls-ca=$CERTS/ca.pem" "imaps://u1@127.0.0.1:$PEER_PORT" md
	peer_wait
	assert_eq "" "$stderr"
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "Gmail: BYE in the middle of an APPEND: it is sent in the next run" {
	mkdir -p md/INBOX/{cur,new,tmp}
	printf 'Message-ID: <a@x>\n\na\n' >md/INBOX/new/1.a.h
	{
		listed INBOX 0 1 ''
		selected INBOX 0 1
		echo 'on <*t> UID FETCH *'
		echo '    S: <t> OK none'
	} >base
	# The server hangs up behind its BYE.
	CAPS='LIST-STATUS UIDPLUS LITERAL+' U=u1
	{
		cat base
		cat <<-END
			S: * OK [CAPABILITY IMAP4rev1 $CAPS] ready
			C: <*t> LOGIN *
			S: <t> OK [CAPABILITY IMAP4rev1 $CAPS] done
			C: <*t> APPEND *
			S: * BYE System error
			close
		END
	} >bye.peer
	peer_start "$PWD/bye.peer" -t 30
	configure "$PEER_PORT"
	work 75
	peer_wait
	assert_contains "$stderr" "System error"
	assert_eq 1 "$(maildir_count md/INBOX)"
}

@test "Exchange: a message that is refused is named, and holds up no other" {
	mkdir -p md/INBOX/{cur,new,tmp}
	printf 'Message-ID: <a@x>\n\na\n' >md/INBOX/new/1.a.h
	printf 'Message-ID: <b@x>\n\nb\n' >md/INBOX/new/2.b.h
	{
		listed INBOX 0 1 ''
		selected INBOX 0 1
		echo 'on <*t> UID FETCH *'
		echo '    S: <t> OK none'
	} >rules.base
	CAPS='LIST-STATUS UIDPLUS LITERAL+' U=u1
	{
		cat rules.base
		cat <<-END
			S: * OK [CAPABILITY IMAP4rev1 $CAPS] ready
			C: <*t> LOGIN *
			S: <t> OK [CAPABILITY IMAP4rev1 $CAPS] done
			C: <*t> APPEND "INBOX" *
			C-lines 4
			C: <*u> APPEND "INBOX" *
			C-lines 4
			S: <t> NO [TOOBIG] Message size exceeds fixed limit
			S: <u> OK [APPENDUID 7 1] done
			C: <*t> LOGOUT
			S: <t> OK done
		END
	} >refuse.peer
	peer_start "$PWD/refuse.peer" -t 30
	configure "$PEER_PORT"
	run --separate-stderr "$SYNCD"
	peer_wait
	[ "$status" -ne 0 ] || fail "it says that all is well"
	assert_contains "$stderr" "Message size exceeds fixed limit"
	assert_contains "$stderr" ".h: "
	assert_eq 1 "$(wc -l <<<"$stderr")"
	assert_eq 2 "$(maildir_count md/INBOX)"
}

@test "Exchange: calendar items have no content: named, and the others come" {
	{
		listed INBOX 3 4 ''
		selected INBOX 3 4
		cat <<-'END'
			on <*t> UID FETCH * (UID FLAGS INTERNALDATE*
			    S: * 1 FETCH (UID 1 FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 37 BODY[] NIL)
			    S: * 3 FETCH (UID 3 FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 19 BODY[] {19}
			    S: Message-ID: <3@x>\r\n)
			    S: <t> OK done
		END
		flags_of_three
	} | quirk 'LIST-STATUS' 75
	assert_eq 1 "$(maildir_count md/INBOX)"
	assert_contains "$(<said)" "message 1: "
}

@test "iCloud: CAPABILITY is asked once more after the login" {
	{
		echo 'on <*t> CAPABILITY'
		echo '    S: * CAPABILITY IMAP4rev1 LIST-STATUS'
		echo '    S: <t> OK done'
		listed INBOX 3 4 ''
		selected INBOX 3 4
		bodies
		flags_of_three
	} | quirk 'XAPPLEPUSHSERVICE LIST-STATUS' 0
	assert_eq 3 "$(maildir_count md/INBOX)"
	grep -q '^C: .* CAPABILITY$' dialogue || fail "it was not asked"
}

@test "Proton: UIDPLUS without APPENDUID: recognised, and not sent again" {
	three_pulled
	printf 'Message-ID: <9@x>\nSubject: 12\n\n9\n' >md/INBOX/new/1.new.h
	CAPS='LIST-STATUS UIDPLUS LITERAL+' U=u1
	cat >proton.peer <<-END
		$(listed INBOX 3 4 '')
		$(selected INBOX 3 4)
		$(flags_of_three)
		S: * OK [CAPABILITY IMAP4rev1 $CAPS] ready
		C: <*t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 $CAPS] done
		C: <*t> APPEND "INBOX" *
		C-lines 5
		S: <t> OK done
		C: <*t> LIST *
		S: * LIST () "/" INBOX
		S: * STATUS INBOX (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 7)
		S: <t> OK done
		C: <*t> SELECT *
		S: * 4 EXISTS
		S: * OK [UIDVALIDITY 7] ok
		S: * OK [UIDNEXT 5] ok
		S: <t> OK [READ-WRITE] done
		C: <*t> UID FETCH 1:3 (UID FLAGS)
		S: * 1 FETCH (UID 1 FLAGS ())
		S: * 2 FETCH (UID 2 FLAGS ())
		S: * 3 FETCH (UID 3 FLAGS ())
		S: <t> OK done
		C: <*t> UID FETCH 4:\* (UID FLAGS RFC822.SIZE)
		S: * 4 FETCH (UID 4 FLAGS () RFC822.SIZE 37)
		S: <t> OK done
		C: <*t> UID FETCH 4 (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])
		S: * 4 FETCH (UID 4 BODY[HEADER.FIELDS (MESSAGE-ID)] {21}
		S: Message-ID: <9@x>\r\n\r\n)
		S: <t> OK done
		C: <*t> LOGOUT
		S: <t> OK done
	END
	peer_start "$PWD/proton.peer" -t 30
	configure "$PEER_PORT"
	work 0
	peer_wait
	assert_eq 4 "$(maildir_count md/INBOX)"
}

@test "DavMail, Courier: what no command has" {
	# *:* and EXAMINE, in all that the tests here have seen.
	three_pulled
	grep -q '^C: .* SELECT' dialogue
	refute grep -E '^C: .*(EXAMINE|\*:\*)' dialogue
}

@test "NetEase: says who it is, or nothing may be selected" {
	CAPS='ID X-CM-EXT-1 LIST-STATUS' U=u1
	cat >netease.peer <<-END
		$(listed INBOX 3 4 '')
		$(selected INBOX 3 4)
		$(bodies)
		$(flags_of_three)
		S: * OK [CAPABILITY IMAP4rev1 $CAPS] ready
		C: <*t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 $CAPS] done
		C: <*t> ID (*
		S: * ID NIL
		S: <t> OK done
		C: <*t> LOGOUT
		S: <t> OK done
	END
	peer_start "$PWD/netease.peer" -t 30
	configure "$PEER_PORT"
	work 0
	peer_wait
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "Dovecot: one connection is enough" {
	EXTRA='mail_max_userip_connections = 1' start_dovecot
	feed "$U" INBOX 3 500
	feed "$U" Lists/x 3 500
	sync 0
	same
	stop_server
}

@test "Cyrus: the highest UID is expunged" {
	start_server cyrus
	U=u1
	mkdir -p md/INBOX/{cur,new,tmp} md/Archive/{cur,new,tmp}
	for i in 1 2 3 4; do
		printf 'From: a\nMessage-ID: <%s@x>\n\n%s\n' $i $i >md/INBOX/new/$i.m.h
	done
	sync 0
	mkdir md2
	expect 0 "$SYNCD" -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md2
	assert_eq 4 "$(maildir_count md2/INBOX)"
	rm "$(grep -rl '<4@x>' md2)"
	mv "$(grep -rl '<2@x>' md2)" md2/Archive/new/
	expect 0 "$SYNCD" -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md2
	sync 0 -vv
	refute asked 'BODY.PEEK\[\]'
	assert_eq 2 "$(maildir_count md/INBOX)"
	assert_eq 1 "$(maildir_count md/Archive)"
	stop_server
}
