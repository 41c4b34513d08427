#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2016 # a test is a subshell; sh -c '...'
# shellcheck disable=SC2154 # bats sets stderr
# fetchd -w: how soon mail is here, what is done when connections are lost, and
# how it ends. Every watcher tells a listener what it would tell systemd: that
# is how the tests know what it is doing.

bats_require_minimum_version 1.5.0
load helper
load peer
load fetching
load watching

# Whose mail it is, in all of this.
export U=u

# --- the watcher ------------------------------------------------------------------

# [OPTION | FETCH]...: a watcher with the configuration; waits until it watches.
watch() {
	[ -n "$LISTENER" ] || listen
	: >told
	NOTIFY_SOCKET=$PWD/notify start "$FETCHD" -w -v -c config "$@"
	watching
}

# N MS [DIR]: so many messages are here, before so many milliseconds are over.
arrives() {
	local began n
	began=$(ms)
	while n=$(maildir_count "${3:-in}"); [ "$n" -lt "$1" ]; do
		[ $(($(ms) - began)) -lt "$2" ] ||
			fail "$n of $1 messages after $2 ms: $(<said)"
		sleep 0.01
	done
	assert_eq "$1" "$n"
}

# [FOLDER...]: the configuration, for these folders (default INBOX), and what
# comes on standard input.
config() {
	cat >config - <<-END
		account u
		    user u
		    password-command printf pw
		    imap imap+plain://127.0.0.1:${PORT:-$IMAP_PORT}
		    pop3 pop3+plain://127.0.0.1:${PORT:-$POP3_PORT}
		    tls-ca $CA
		fetch u
		    from imap $*
		    deliver maildir $PWD/in
	END
	# Overrides come last, in the section.
	[ -t 0 ] || cat >>config
}

# All that the server has in these folders is here, once.
all_here() {
	local folder
	for folder; do
		maildir_digest "$(on_server "$folder" u)"
	done | sort >there
	maildir_digest in | cmp there -
}

@test "NOTIFY: one connection, three folders, mail is here within 1 s" {
	local folder n=3
	start_dovecot
	for folder in INBOX A B/C; do
		feed u "$folder" 1 500
	done
	config INBOX A B/C
	watch
	assert_eq 3 "$(maildir_count in)"
	assert_eq 1 "$(logins)"
	for folder in A INBOX B/C B/C INBOX A; do
		append "$folder"
		arrives $((++n)) 1000
	done
	for folder in A B/C INBOX; do
		append "$folder" 5
	done
	arrives $((n + 15)) 1500
	stops TERM
	all_here INBOX A B/C
}

@test "NOTIFY: what comes while another folder is fetched is not missed" {
	local i
	start_dovecot
	for folder in A B/C; do
		feed u "$folder" 1 500
	done
	config A B/C
	watch
	for i in 1 2; do
		feed u A 200 50000
		append A
		append B/C
		sleep 0.1
		append B/C
	done
	arrives $((2 + 2 * 203)) 6000
	stops TERM
	all_here A B/C
}

@test "IDLE: a connection each for three folders, mail is here within 1 s" {
	local folder n=0
	start_idler
	config INBOX A B/C
	feed u A 1 500
	feed u B/C 1 500
	watch
	assert_eq 3 "$(logins)"
	n=2
	for folder in A INBOX B/C A; do
		append "$folder"
		arrives $((++n)) 1000
		# Put there by another program, behind the server's back.
		feed u "$folder" 1 500
		arrives $((++n)) 1000
	done
	feed u A 20 500
	feed u B/C 20 500
	feed u INBOX 20 500
	arrives $((n + 60)) 2000
	stops TERM
	all_here INBOX A B/C
}

@test "Courier: within 4 s" {
	local n=0
	start_courier
	feed u A 1 500
	config INBOX INBOX.A
	watch
	n=1
	feed u INBOX 1 500
	arrives $((++n)) 4000
	feed u A 2 500
	arrives $((n += 2)) 4000
	stops TERM
	all_here INBOX A
}

@test "neither NOTIFY nor IDLE: a look every poll" {
	EXTRA="imap_capability = $BASICS" start_dovecot
	feed u A 1 500
	config INBOX A
	watch -o poll=1s
	assert_eq 1 "$(logins)"
	feed u INBOX 1 500
	arrives 2 2000
	append A
	arrives 3 2000
	# That and our own.
	assert_eq 2 "$(logins)"
	stops TERM
}

@test "POP3: a session every poll" {
	start_dovecot
	feed u INBOX 3 500
	config
	watch -o from=pop3 -o poll=1s
	arrives 3 100
	feed u INBOX 1 500
	arrives 4 2000
	sleep 1.2
	feed u INBOX 1 500
	arrives 5 2000
	[ "$(grep -c 'pop3-login: .*Login: ' "$LOG")" -ge 3 ]
	stops TERM
	all_here INBOX
}

# --- connections that are lost -------------------------------------------------------

@test "a server that is killed and comes back: mail that came meanwhile is here" {
	start_idler
	config INBOX A
	feed u A 1 500
	watch
	kill_server
	await grep -q 'again in 1 s' said
	feed u INBOX 1 500
	feed u A 1 500
	restart_server
	arrives 3 8000
	append INBOX
	arrives 4 1000
	stops TERM
	all_here INBOX A
}

# [CAPABILITY]: the link dies without a word: nothing is ever answered.
dead_link() {
	local began port
	start_idler "$1"
	feed u A 1 500
	start_proxy
	port=$(<proxy.port)
	PORT=$port config INBOX A
	watch -o idle=1s -o timeout=2s
	# It stays while all is well, over a renewal.
	sleep 1.5
	run ! grep -q again said
	append INBOX
	arrives 2 1000
	kill -STOP "$PROXY"
	began=$(ms)
	append A
	await grep -q 'no answer from 127.0.0.1' said
	[ $(($(ms) - began)) -lt 4500 ]
	kill -KILL "$PROXY"
	wait "$PROXY" || true
	rm proxy.port
	start_proxy -l "$port"
	arrives 3 6000
	append A
	arrives 4 1000
	stops TERM
	all_here INBOX A
}

@test "a link that dies silently: IDLE is renewed, and finds out" {
	dead_link IDLE
}

@test "a link that dies silently: so does NOTIFY" {
	dead_link "IDLE NOTIFY"
}

@test "IDLE that the server ends, or does not do after all" {
	peer_script idle.peer <<-'END'
		on <t> SELECT *
		  S: * 0 EXISTS
		  S: * OK [UIDVALIDITY 1]
		  S: * OK [UIDNEXT 1]
		  S: <t> OK
		on <t> UID FETCH *
		  S: <t> OK
		S: * OK [CAPABILITY IMAP4rev1 IDLE] hello
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 IDLE] in
		# Ended by the server after a while: begun again.
		C: <*t> IDLE
		S: + idling
		sleep 1100
		S: <t> OK that was long
		C: <*t> IDLE
		S: + idling
		sleep 1100
		S: * OK still here
		S: <t> OK that was long
		# Refused: not tried again; a look every poll instead.
		C: <*t> IDLE
		S: <t> BAD what
		C: <*t> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 1]
		S: * OK [UIDNEXT 2]
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 RFC822.SIZE 14)
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 BODY[] {14}
		S: Subject: a\r\n
		S: )
		S: <t> OK
		C: <*t> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 1]
		S: <t> OK
		C: <*t> UID FETCH *
		S: <t> OK
		C: <*t> LOGOUT
		eof
	END
	peer_start idle.peer -t 20
	PORT=$PEER_PORT config
	watch -o poll=1s
	arrives 1 5000
	watching 5
	stops TERM
	peer_wait
}

@test "asleep while the server was started anew" {
	start_idler
	config INBOX A
	feed u A 1 500
	watch
	kill -STOP -- "-$PID"
	feed u INBOX 1 500
	kill_server
	restart_server
	append A
	sleep 2
	kill -CONT -- "-$PID"
	arrives 3 3000
	append A
	arrives 4 1000
	stops TERM
	all_here INBOX A
}

@test "tokens expire: asked for at each login, and once more when refused" {
	OAUTH=1 start_dovecot
	"$RIGS/dovecot" token "$SERVER" u >bearer
	cat >token-command <<-'END'
		#!/bin/sh
		echo run >>"$1/runs"
		case $(wc -l <"$1/runs") in
		2)	echo stale ;;
		*)	cat "$1/bearer" ;;
		esac
	END
	chmod +x token-command
	config
	sed -i "s|password-command.*|token-command $PWD/token-command $PWD|" config
	feed u INBOX 1 500
	watch
	assert_eq 1 "$(wc -l <runs)"
	kill_server
	OAUTH=1 "$RIGS/dovecot" restart "$SERVER"
	feed u INBOX 1 500
	arrives 2 5000
	assert_eq 3 "$(wc -l <runs)"
	stops TERM

	# POP3 logs in at every poll.
	: >runs
	echo spare >>runs
	watch -o from=pop3 -o poll=1s -o "deliver=maildir $PWD/pop3"
	watching 2
	assert_eq 4 "$(wc -l <runs)"
	stops TERM
}

# --- the end ----------------------------------------------------------------------------

# No file under way, no state but the database and its lock.
no_litter() {
	assert_eq "" "$(find in -path '*/tmp/*')"
	run find "$XDG_STATE_HOME" -type f ! -name '*.db' ! -name '*.lock' \
		! -name '*.db-wal' ! -name '*.db-shm'
	assert_eq "" "$output"
}

more_than() {
	[ "$(maildir_count in)" -gt "$1" ]
}

# [OPTION]...: SIGTERM at moments that differ; the next run goes on where
# this one ended.
term_at_random() {
	local i n last=0 between=0 options=()
	RANDOM=20240601
	for ((i = 0; i < 10 && last < 5000; i++)); do
		options=("$@")
		[ $((i % 2)) -eq 0 ] || options+=(-w)
		start "$FETCHD" -c config "${options[@]}"
		await catches_term
		# Half of them anywhere, the others in the thick of it.
		if [ $((i / 2 % 2)) -eq 0 ]; then
			sleep "0.$((RANDOM % 2))$((RANDOM % 10))"
		else
			await more_than "$last"
			sleep "0.0$((RANDOM % 5))"
		fi
		kill -TERM "$PID" 2>/dev/null || true # all was fetched
		ends 0 2000
		[ ! -s said ] || fail "said: $(<said)"
		[ -d in/new ] || continue
		no_litter
		n=$(maildir_count in)
		[ "$n" -ge "$last" ]
		[ "$n" -eq "$last" ] || [ "$n" -eq 5000 ] || between=$((between + 1))
		last=$n
	done
	# Else this says nothing.
	[ $between -ge 2 ] || fail "never ended in the middle"
	run "$FETCHD" -c config "$@"
	assert_status 0
	assert_eq 5000 "$(maildir_count in)"
	all_here INBOX
	no_litter
}

@test "SIGTERM at any moment of a large fetch: IMAP" {
	start_dovecot
	feed u INBOX 5000 '~6000'
	config
	term_at_random
}

@test "SIGTERM at any moment of a large fetch: POP3" {
	start_dovecot
	feed u INBOX 5000 '~6000'
	config
	term_at_random -o from=pop3
}

@test "SIGTERM: the message in hand is finished; a second one ends at once" {
	local first
	cat >half.peer <<-'END'
		S: * OK [CAPABILITY IMAP4rev1 IDLE] hello
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 IDLE] in
		C: <*t> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 1]
		S: * OK [UIDNEXT 2]
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 RFC822.SIZE 28)
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 BODY[] {28}
		S- Subject: half\r\n\r\nhal
	END
	# It comes to its end.
	cat half.peer - >whole.peer <<-'END'
		sleep 1000
		S- f a word
		S: )
		S: <t> OK
		C: <*t> LOGOUT
		eof
	END
	peer_start whole.peer -t 10
	PORT=$PEER_PORT config
	start "$FETCHD" -c config
	await grep -q BODY.PEEK "${PEER_LOG[$PEER_PID]}"
	sleep 0.2
	stops TERM
	peer_wait
	assert_eq 1 "$(maildir_count in)"
	assert_eq "half a word" "$(tail -n 1 in/new/*)"
	rm -r in state

	# It does not.
	for first in TERM INT HUP; do
		{ cat half.peer; echo stall; } >never.peer
		peer_start never.peer -t 20
		PORT=$PEER_PORT config
		start "$FETCHD" -c config
		await grep -q BODY.PEEK "${PEER_LOG[$PEER_PID]}"
		sleep 0.2
		kill -"$first" "$PID"
		sleep 0.3
		kill -0 "$PID"
		stops TERM 143 1000
		peer_wait
		await no_session
	done
}

@test "SIGTERM while there is nothing in hand: at once, exit 0" {
	# Nobody answers.
	peer_script mute.peer <<<listen-only
	peer_start mute.peer
	PORT=$PEER_PORT config
	start "$FETCHD" -c config
	sleep 0.3
	stops TERM 0 500
	peer_wait
	peer_start mute.peer
	PORT=$PEER_PORT config
	start "$FETCHD" -c config -o from=pop3
	sleep 0.3
	stops INT 0 500
	peer_wait
	# Waiting for the next try.
	PORT=1 config
	start "$FETCHD" -w -c config
	await grep -q 'again in' said
	stops TERM 0 500
	# Waiting for a password.
	start_dovecot
	config
	start "$FETCHD" -c config -o "password-command=touch asked; exec sleep 20"
	await test -e asked
	stops TERM 0 1000
	# Idling, and between two looks.
	watch
	stops TERM 0 500
	watch -o from=pop3
	stops TERM 0 500
}

@test "what needs a person ends the watching: a wrong password, exit 77" {
	start_dovecot
	config
	for from in pop3 imap; do
		start "$FETCHD" -w -c config -o from=$from \
			-o 'password-command=echo wrong'
		ends 77
		grep -q 'login.* as u' said || grep -q 'logging in as u' said
		run ! grep -q again said
	done
}

@test "a folder that does not exist: a clear error" {
	start_dovecot
	config INBOX Nowhere
	start "$FETCHD" -w -c config
	ends 69
	grep -q 'folder Nowhere: .*exist' said
	run "$FETCHD" -c config
	assert_status 69
	assert_contains "$output" "folder Nowhere"
}

@test "one account's end is not the others'" {
	start_dovecot
	config
	cat >>config <<-END
		account v
		    user v
		    password-command printf wrong
		    imap imap+plain://127.0.0.1:$IMAP_PORT
		fetch v
		    deliver maildir $PWD/other
	END
	watch
	await grep -q 'as v' said
	append INBOX
	arrives 1 1000
	run ! grep -qa STOPPING told
	stops TERM 77
	grep -qa STOPPING told
}

@test "systemd is told: READY, STATUS, WATCHDOG, STOPPING" {
	local n
	start_idler
	config
	export WATCHDOG_USEC=800000
	watch
	grep -qa '^READY=1$' told
	grep -qa "STATUS=connecting to 127.0.0.1:$IMAP_PORT" told
	n=$(grep -oa WATCHDOG=1 told | wc -l)
	sleep 2
	n=$(($(grep -oa WATCHDOG=1 told | wc -l) - n))
	[ $n -ge 3 ] || fail "$n times in 2 s"
	[ $n -le 20 ] || fail "$n times in 2 s"
	run ! grep -qa STOPPING told
	stops TERM
	await grep -qa STOPPING=1 told

	# While a long message comes in, too.
	peer_script long.peer <<-'END'
		S: * OK [CAPABILITY IMAP4rev1] hello
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1] in
		C: <*t> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 1]
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 RFC822.SIZE 40)
		S: <t> OK
		C: <*t> UID FETCH *
		S: * 1 FETCH (UID 1 BODY[] {40}
		S- 0123456789
		sleep 600
		S- 0123456789
		sleep 600
		S- 0123456789
		sleep 600
		S- 0123456789
		S: )
		S: <t> OK
		C: <*t> LOGOUT
		eof
	END
	peer_start long.peer -t 20
	PORT=$PEER_PORT config
	watch
	n=$(grep -oa WATCHDOG=1 told | wc -l)
	[ "$n" -ge 3 ] || fail "$n times"
	stops TERM
	peer_wait

	# A socket without a file.
	kill "$LISTENER"
	listen "ABSTRACT-RECV:@notify-$$"
	start_dovecot "$PWD/d2"
	config
	NOTIFY_SOCKET=@@notify-$$ start "$FETCHD" -w -c config
	await grep -qa READY=1 told
	stops TERM
}
