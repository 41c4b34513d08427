#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell of its own
# shellcheck disable=SC2154 # bats sets stderr
# syncd -w: how soon a change on one side is on the other, what is done when
# connections are lost, and how it ends. Every watcher tells a listener what it
# would tell systemd: that is how the tests know what it is doing.

bats_require_minimum_version 1.5.0
load helper
load peer
load syncing
load watching

# Most tests have a user each of the same server.
setup_file() {
	start_dovecot
}

teardown_file() {
	(unset BATS_TEST_TMPDIR && stop_servers)
}

eval "watching_$(declare -f setup)"
setup() {
	watching_setup
	U=u$BATS_TEST_NUMBER
}

# [OPTION]...: a watcher of the account, with what is between it and md;
# waits until it watches.
watch() {
	[ -n "$LISTENER" ] || listen
	: >told
	NOTIFY_SOCKET=$PWD/notify start "$SYNCD" -w -v -p -c config "$@"
	watching
}

# The configuration, and what comes on standard input.
config() {
	mkdir -p md
	cat >config - <<-END
		account u
		    user $U
		    password-command printf pw
		    imap imap+plain://127.0.0.1:${PORT:-$IMAP_PORT}
		sync u
		    maildir $PWD/md
	END
	[ -t 0 ] || cat >>config
}

# MS COMMAND...: it becomes true before so many milliseconds are over.
within() {
	local most=$1 began
	shift
	began=$(ms)
	until "$@" >/dev/null 2>&1; do
		[ $(($(ms) - began)) -lt "$most" ] ||
			fail "not after $most ms: $*: $(tail -n 50 said)" ||
			return
		sleep 0.01
	done
}

# FOLDER N: here, and there.
here() {
	[ "$(maildir_count "md/$1")" -eq "$2" ]
}

files_there() {
	find "$(server_dir "$1")"/{cur,new} -type f
}

server_dir() {
	local dir=${1//\//.}
	[ "$1" = INBOX ] && echo "$MAILROOT/$U" || echo "$MAILROOT/$U/.$dir"
}

there_are() {
	[ "$(files_there "$1" | wc -l)" -eq "$2" ]
}

# FOLDER FLAGS N: so many have these flags there.
flagged_there() {
	[ "$(files_there "$1" | grep -c ":2,$2\$")" -eq "$3" ]
}

# FOLDER: as a program puts mail there that knows what a Maildir is.
put() {
	local name=$RANDOM.$EPOCHREALTIME.h
	printf 'Subject: %s\nMessage-ID: <%s@h>\n\nhello\n' "$1" "$name" \
		>"md/$1/tmp/$name"
	mv "md/$1/tmp/$name" "md/$1/new/$name"
}

# FOLDER: one that is new here is read.
see() {
	local f
	f=$(find "md/$1/new" -type f | head -n 1)
	mv "$f" "md/$1/cur/${f##*/}:2,S"
}

alike() {
	list_here >here.txt
	list_server >there.txt
	cmp here.txt there.txt
}

# Both sides are the same before long, and then it is still there.
settles() {
	within "${1:-3000}" alike
	kill -0 "$PID"
}

feed_folders() {
	local i
	for i in {1..20}; do
		feed "$U" "F$i" 2 500
	done
}

@test "20 folders, NOTIFY: either way within 1 s" {
	local i
	feed_folders
	config
	watch
	settles
	assert_eq 1 "$(logins)"
	for i in 1 7 14 20; do
		append "F$i"
		within 1000 here "F$i" 3
		put "F$i"
		within 1000 there_are "F$i" 4
		see "F$i"
		within 1000 flagged_there "F$i" S 1
	done
	# A busy moment.
	for i in {1..20}; do
		put "F$i"
		[ $((i % 5)) -ne 0 ] || append "F$i"
	done
	settles
	stops TERM
	same
}

@test "its own changes do not keep it busy" {
	local n
	feed "$U" INBOX 3 500
	config
	watch -vv
	put INBOX
	see INBOX
	append INBOX
	settles
	sleep 1
	n=$(grep -c '> A[0-9]* LIST' said)
	sleep 1
	assert_eq "$n" "$(grep -c '> A[0-9]* LIST' said)"
	[ "$n" -le 15 ] || fail "$n looks"
	stops TERM
}

@test "NOTIFY: flags, expunges, moves and folders" {
	feed "$U" INBOX 4 500
	feed "$U" A 1 500
	config
	watch
	settles
	mark_there INBOX 1 '\Flagged'
	within 1500 alike
	expunge_there INBOX 2
	within 1500 here INBOX 3
	move_there INBOX 3 A
	within 1500 here A 2
	there mailbox create -u "$U" New/Sub
	within 1500 test -d md/New/Sub/cur
	append New/Sub
	within 1000 here New/Sub 1
	mkdir -p md/Mine/Below/{cur,new,tmp}
	within 1500 test -d "$(server_dir Mine/Below)/cur"
	put Mine/Below
	within 1000 there_are Mine/Below 1
	mv md/Mine/Below/new/* md/A/cur/
	within 1000 there_are A 3
	rm md/A/cur/*
	within 1000 there_are A 2
	settles
	stops TERM
	same
}

@test "IDLE: INBOX at once, the others when they are looked at" {
	start_idler
	feed "$U" INBOX 1 500
	feed "$U" A 1 500
	config
	watch -o poll=2s
	settles
	assert_eq 1 "$(logins)"
	append INBOX
	within 1000 here INBOX 2
	mark_there INBOX 1 '\Seen'
	within 1500 alike
	append A
	within 3500 here A 2
	put A
	within 1000 there_are A 3
	put INBOX
	within 1000 there_are INBOX 3
	# It did not lose its place.
	append INBOX
	within 1000 here INBOX 4
	settles
	stops TERM
	same
	# The only folder that is to be synced is the one that it idles in.
	watch u/A
	append A
	within 1000 here A 4
	stops TERM
	watch -o 'folders=A'
	append A
	within 1000 here A 5
	stops TERM
}

@test "neither: a look every poll; what changes here is there within 1 s" {
	EXTRA="imap_capability = $BASICS" start_dovecot
	feed "$U" A 2 500
	config
	watch -o poll=1s
	append A
	within 2500 here A 3
	mark_there A 1 '\Seen'
	within 2500 alike
	see A
	within 1000 flagged_there A S 2
	stops TERM
	same
}

# --- connections that are lost -------------------------------------------------------

@test "a server that is killed and comes back: with a new token, changes are found" {
	OAUTH=1 start_dovecot
	"$RIGS/dovecot" token "$SERVER" "$U" >bearer
	# The second one is stale.
	cat >token-command <<-'END'
		#!/bin/sh
		echo run >>"$1/runs"
		case $(wc -l <"$1/runs") in
		2)	echo stale ;;
		*)	cat "$1/bearer" ;;
		esac
	END
	chmod +x token-command
	feed "$U" INBOX 2 500
	feed "$U" A 1 500
	config
	sed -i "s|password-command.*|token-command $PWD/token-command $PWD|" config
	watch
	settles
	assert_eq 1 "$(wc -l <runs)"
	kill_server
	await grep -q 'again in 1 s' said
	feed "$U" INBOX 1 500
	put A
	see INBOX
	OAUTH=1 "$RIGS/dovecot" restart "$SERVER"
	settles 8000
	assert_eq 3 "$(wc -l <runs)"
	append A
	within 1500 here A 3
	put INBOX
	within 1000 there_are INBOX 4
	stops TERM
	same
}

@test "a link that dies without a word is found out, and made again" {
	local began port
	feed "$U" A 1 500
	start_proxy
	port=$(<proxy.port)
	PORT=$port config
	watch -o idle=1s -o timeout=2s
	# It stays while all is well, over a renewal.
	sleep 1.5
	refute grep -q again said
	kill -STOP "$PROXY"
	began=$(ms)
	append A
	await grep -q 'no answer from 127.0.0.1' said
	[ $(($(ms) - began)) -lt 4500 ]
	kill -KILL "$PROXY"
	wait "$PROXY" || true
	rm proxy.port
	start_proxy -l "$port"
	within 6000 here A 2
	append A
	within 1500 here A 3
	stops TERM
	same
}

@test "asleep while the server was started anew; changes on both sides" {
	start_idler
	feed "$U" INBOX 2 500
	feed "$U" A 2 500
	config
	watch
	kill -STOP -- "-$PID"
	feed "$U" INBOX 1 500
	put A
	kill_server
	restart_server
	see A
	sleep 0.5
	kill -CONT -- "-$PID"
	settles 4000
	append INBOX
	within 1000 here INBOX 4
	stops TERM
	same
}

# What a survey is answered, of INBOX alone, by scripts that are told the
# UIDNEXT and the number of messages.
survey() {
	cat <<-END
		C: <*l> LIST "" "\*" RETURN (STATUS *
		S: * LIST () "/" INBOX
		S: * STATUS INBOX (MESSAGES $2 UIDNEXT $1 UIDVALIDITY 1 HIGHESTMODSEQ $1)
		S: <l> OK done
	END
}

CAPS='IMAP4rev1 CONDSTORE LIST-STATUS UNSELECT'

# CAPABILITY...: a script's begin.
login() {
	cat <<-END
		S: * OK [CAPABILITY $CAPS $*] hello
		C: <*t> LOGIN *
		S: <t> OK [CAPABILITY $CAPS $*] in
	END
}

@test "NOTIFY that is refused, partly known, or given up by the server" {
	{
		login NOTIFY
		cat <<-'END'
			C: <*n> NOTIFY SET *SubscriptionChange*
			S: <n> NO [BADEVENT (MessageNew MessageExpunge FlagChange)] no
			C: <*n> NOTIFY SET *FlagChange))
			S: <n> OK now
		END
		survey 1 0
		cat <<-'END'
			sleep 300
			S: * OK [NOTIFICATIONOVERFLOW] too much
		END
		# A look, and it is asked again: and a look.
		survey 1 0
		cat <<-'END'
			C: <*n> NOTIFY SET *
			S: <n> NO not for you
			C: <*n> NOTIFY SET *
			S: <n> NO not for you
		END
		# Now and then.
		survey 1 0
		echo 'C: <*t> LOGOUT'
		echo eof
	} >notify.peer
	peer_start notify.peer -t 20
	PORT=$PEER_PORT config
	mkdir -p md/INBOX/{cur,new,tmp}
	listen
	NOTIFY_SOCKET=$PWD/notify start "$SYNCD" -w -v -c config -o poll=2s
	watching 3
	stops TERM
	peer_wait
}

@test "IDLE that the server ends, or does not do after all" {
	{
		login IDLE
		survey 1 0
		cat <<-'END'
			C: <*s> SELECT "INBOX"
			S: * 0 EXISTS
			S: * OK [UIDVALIDITY 1]
			S: * OK [UIDNEXT 1]
			S: <s> OK [READ-WRITE]
		END
		# The numbers are new: once more.
		survey 1 0
		cat <<-'END'
			C: <*t> IDLE
			S: + idling
			sleep 1100
			S: * OK still here
			S: <t> OK that was long
			C: <*t> IDLE
			S: <t> BAD what
		END
		survey 1 0
		echo 'C: <*t> LOGOUT'
		echo eof
	} >idle.peer
	peer_start idle.peer -t 20
	PORT=$PEER_PORT config
	mkdir -p md/INBOX/{cur,new,tmp}
	listen
	NOTIFY_SOCKET=$PWD/notify start "$SYNCD" -w -v -c config -o poll=3s
	watching 2
	stops TERM
	peer_wait
}

# --- what is not as it should be ------------------------------------------------------

@test "the brake: said once, the other folders go on, and so does this one" {
	feed "$U" Big 30 300
	feed "$U" A 1 300
	config
	watch
	settles
	mkdir aside
	mv md/Big/new/* aside
	await grep -q 'syncd --allow-deletes' said
	put A
	within 1000 there_are A 2
	append A
	within 1000 here A 3
	there_are Big 30
	assert_eq 1 "$(grep -c 'syncd --allow-deletes' said)"
	mv aside/* md/Big/new
	append Big
	within 1500 here Big 31
	settles
	stops TERM
	same
}

@test "inotify has a limit: said once, and a look now and then" {
	feed "$U" INBOX 1 500
	feed "$U" A 1 500
	config
	listen
	: >told
	NOTIFY_SOCKET=$PWD/notify ASAN_OPTIONS=detect_leaks=0 start \
		strace -f -qq -o trace -e trace=inotify_add_watch \
		-e inject=inotify_add_watch:error=ENOSPC:when=5+ \
		"$SYNCD" -w -v -c config -o poll=1s
	watching 3
	put A
	within 2500 there_are A 2
	assert_eq 1 "$(grep -c 'fs.inotify.max_user_watches' said)"
	kill -TERM "$(pgrep -o -P "$PID")"
	ends 0
}

@test "what needs a person ends it: a wrong password, a tree that is gone" {
	feed "$U" INBOX 1 500
	config
	start "$SYNCD" -w -c config -o 'password-command=echo wrong'
	ends 77
	refute grep -q again said
	watch
	mv md gone
	ends 65
	grep -q 'is the disk mounted' said
	run "$SYNCD" -w -n -c config
	assert_status 64
	assert_contains "$output" 'does not go with -n'
	run "$SYNCD" -w -c config -o poll=0.5s
	assert_status 78
	there_are INBOX 1
}

# --- the end ---------------------------------------------------------------------------

some_here() {
	[ "$(maildir_count md/INBOX)" -gt 0 ]
}

@test "SIGTERM: at any moment, exit 0; the next run goes on" {
	local n
	feed "$U" INBOX 800 '~9000'
	config
	start "$SYNCD" -w -c config
	await test -d md/INBOX/new
	within 10000 some_here
	stops TERM
	n=$(maildir_count md/INBOX)
	[ "$n" -gt 0 ] || fail "nothing was kept"
	assert_eq "" "$(find md -path '*/tmp/*' -type f)"
	await no_session
	# Waiting for the next try, and for a password.
	PORT=1 config
	start "$SYNCD" -w -c config
	await grep -q 'again in' said
	stops TERM 0 500
	config
	start "$SYNCD" -w -c config -o "password-command=touch asked; exec sleep 20"
	await test -e asked
	stops INT 0 1000
	watch
	stops HUP 0 500
	assert_eq 800 "$(maildir_count md/INBOX)"
	maildir_digest md/INBOX >here.txt
	maildir_digest "$MAILROOT/$U" | cmp here.txt -
}

@test "SIGTERM: the message in hand is finished" {
	{
		login
		survey 3 2
		cat <<-'END'
			C: <*s> SELECT "INBOX"*
			S: * 2 EXISTS
			S: * OK [UIDVALIDITY 1]
			S: * OK [UIDNEXT 3]
			S: * OK [HIGHESTMODSEQ 3]
			S: <s> OK [READ-WRITE]
			C: <*f> UID FETCH *BODY*
			S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 28 BODY[] {28}
			S- Subject: half\r\n\r\nhal
			sleep 1500
			S- f a word
			S: )
			C-until <*t> LOGOUT
			eof
		END
	} >half.peer
	peer_start half.peer -t 10
	PORT=$PEER_PORT config
	start "$SYNCD" -w -c config
	await grep -q 'BODY' "${PEER_LOG[$PEER_PID]}"
	sleep 0.3
	stops TERM 0 3000
	peer_wait
	assert_eq 1 "$(maildir_count md/INBOX)"
	assert_eq "half a word" "$(tail -n 1 md/INBOX/new/*)"
}

# --- what it tells ----------------------------------------------------------------------

# WHAT FOLDER N
printed_lines() {
	[ "$(grep -c "^$1	$2	" printed)" -eq "$3" ]
}

@test "-p: a line for each change, as it happens; gone readers end it" {
	feed "$U" INBOX 1 500
	feed "$U" A 1 500
	config
	watch
	within 1000 grep -q $'^new\tINBOX\t' printed
	append A
	within 1500 printed_lines new A 2
	mark_there A 1 '\Seen'
	within 1500 grep -q $'^flags\tA\t' printed
	move_there A 1 INBOX
	within 1500 grep -qE $'^moved\t' printed
	expunge_there A 2
	within 1500 grep -q $'^gone\tA\t' printed
	# What a reader moves here is a move, too.
	mv md/INBOX/new/* md/A/new/
	within 1500 grep -q $'^moved\tA\t' printed
	stops TERM
	refute grep -v $'^[a-z]*\t[^\t]*\t/.*/md/[^\t]*$' printed
	# What is new or has moved is where it says.
	test -e "$(sed -n $'s/^moved\tA\t//p' printed)"
	test -e "$(sed -n $'s/^moved\tINBOX\t//p' printed)"
	cut -f 3 <printed | grep -q "^$PWD/md/A/cur/.*:2,S\$"
	# Its reader has gone.
	mkfifo pipe
	head -n 1 <pipe >first 3>&- &
	PIDS+=("$!")
	setsid "$SYNCD" -w -p -c config >pipe 2>said 3>&- &
	PID=$!
	PIDS+=("$PID")
	append INBOX
	within 3000 test -s first
	append INBOX
	ends 74
}

@test "systemd is told: READY, STATUS, WATCHDOG, STOPPING" {
	local n
	config
	export WATCHDOG_USEC=800000
	watch
	grep -qa '^READY=1$' told
	grep -qa "STATUS=connecting to 127.0.0.1:$IMAP_PORT" told
	n=$(grep -oa WATCHDOG=1 told | wc -l)
	sleep 1.2
	n=$(($(grep -oa WATCHDOG=1 told | wc -l) - n))
	[ $n -ge 2 ] || fail "$n times in 1.2 s"
	[ $n -le 15 ] || fail "$n times in 1.2 s"
	refute grep -qa STOPPING told
	stops TERM
	await grep -qa STOPPING=1 told
}
