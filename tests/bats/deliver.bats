#!/usr/bin/env bats
# From the queue to a server, by runners that come and go: in the background,
# many at once, staying, killed; copies and reports. And real servers, which
# are not ours.

load helper

setup() {
	setup_env
	MAIL=$BATS_TEST_TMPDIR/mail
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	PIDS=()
}

teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	stop_servers
}

# A server that takes all. Sets SINK, where it puts what it takes.
start_sink() {
	local i
	SINK=$BATS_TEST_TMPDIR/sink
	mkdir "$SINK"
	"$BUILD/tests/peer/sink" -p "$SINK.port" "$SINK" 3>&- >/dev/null &
	PIDS+=($!)
	for ((i = 0; i < 500; i++)); do
		[ ! -e "$SINK.port" ] || break
		sleep 0.01
	done
	config "submission+plain://127.0.0.1:$(<"$SINK.port")" 'auth none'
}

# URL LOGIN [LINE]...: the configuration, with more lines for `send`.
config() {
	local url=$1 login=$2
	shift 2
	cat >"$BATS_TEST_TMPDIR/config.txt" <<-END
		account q
		    user ada
		    address Ada <ada@example.org>
		    smtp $url
		    ${CA:+tls-ca $CA}
		    $login
		send q
		    hello client.example
	END
	printf '    %s\n' "$@" >>"$BATS_TEST_TMPDIR/config.txt"
}

more() {
	printf '    %s\n' "$@" >>"$BATS_TEST_TMPDIR/config.txt"
}

sendq() {
	"$SENDQ" --config "$BATS_TEST_TMPDIR/config.txt" "$@" 3>&-
}

# SUBJECT [OPTION]... RCPT...
post() {
	local subject=$1
	shift
	printf 'Subject: %s\n\nThis is %s.\n' "$subject" "$subject" |
		sendq -i -f ada@example.org "$@"
}

# FROM TO: messages m<FROM>...m<TO>, only queued.
post_many() {
	local i
	for ((i = $1; i <= $2; i++)); do
		post "m$i" -odq one@example.net
	done
}

# How often each subject arrived, "N SUBJECT" a line.
arrived() {
	cat "${SINK-$MAILDIR/new}"/* 2>/dev/null | tr -d '\r' |
		sed -n 's/^Subject: //p' | sort -V | uniq -c | awk '{ print $1, $2 }'
}

# N: until so many files are in the sink, 10 s at most.
await_sink() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ "$(find "$SINK" -type f | wc -l)" -lt "$1" ] || return 0
		sleep 0.02
	done
	fail "only $(find "$SINK" -type f | wc -l) of $1 have arrived"
}

# Nothing is left in the queue, nor anywhere that is not meant to stay.
await_empty() {
	local i
	for ((i = 0; i < 500; i++)); do
		[ -n "$(find "$SPOOL/queue" "$SPOOL/tmp" -type f)" ] || return 0
		sleep 0.02
	done
	fail "left: $(find "$SPOOL/queue" "$SPOOL/tmp" -type f)"
}

# --- runners -------------------------------------------------------------------

@test "a message is on its way when sendq has ended" {
	start_sink
	post hello one@example.net two@example.net
	await_empty
	assert_eq '1 hello' "$(arrived)"
	assert_eq 'RCPT one@example.net RCPT two@example.net' \
		"$(grep -h ^RCPT "$SINK"/* | tr -d '\r' | paste -sd ' ')"
}

@test "whoever called waits for no descriptor" {
	local began=$SECONDS
	start_sink
	# Its standard output is ours as long as anyone has it.
	assert_eq '' "$(post x --delay 60s one@example.net)"
	[ $SECONDS -lt $((began + 20)) ]
}

@test "undo: until then it can be removed" {
	start_sink
	more 'undo 2s'
	post kept one@example.net
	post gone one@example.net
	assert_eq 2 "$(sendq --list | grep -c ada)"
	sendq --remove "$(basename "$(grep -l gone "$SPOOL"/queue/*.eml)" .eml)"
	await_sink 1
	await_empty
	assert_eq '1 kept' "$(arrived)"
}

@test "eight runners at once: each message once, none left" {
	local pids=() pid
	start_sink
	more "sent $MAIL/sent"
	post_many 1 60
	for _ in {1..8}; do
		sendq --run &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	assert_eq "$(printf '1 m%d\n' {1..60})" "$(arrived)"
	assert_eq 60 "$(maildir_count "$MAIL/sent")"
	await_empty
}

@test "eight runners at once, three connections" {
	local pids=() pid
	start_sink
	more 'connections 3' 'session-messages 7'
	post_many 1 60
	for _ in {1..8}; do
		sendq --run &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	assert_eq "$(printf '1 m%d\n' {1..60})" "$(arrived)"
	await_empty
}

@test "accepted while others are being sent: none is left behind" {
	local i pids=()
	start_sink
	for ((i = 1; i <= 40; i++)); do
		post "m$i" one@example.net &
		pids+=($!)
	done
	wait "${pids[@]}"
	await_sink 40
	await_empty
	assert_eq "$(printf '1 m%d\n' {1..40})" "$(arrived)"
}

@test "killed twenty times: doubled only what is marked" {
	local i pid doubled id
	start_sink
	more "sent $MAIL/sent"
	post_many 1 20
	for ((i = 0; i < 20; i++)); do
		sendq --run >/dev/null 2>&1 &
		pid=$!
		sleep "0.0$((RANDOM % 60 + 10))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
	done
	sendq --run >/dev/null 2>&1 || true
	# What is uncertain by now may be there twice when it is tried again.
	grep -l ' uncertain ' "$SPOOL"/queue/*.env >"$BATS_TEST_TMPDIR/marked" ||
		true
	[ ! -s "$BATS_TEST_TMPDIR/marked" ] || {
		while read -r id; do
			sed -n 's/^Subject: \(.*\)\r/\1/p' "${id%.env}.eml"
		done <"$BATS_TEST_TMPDIR/marked" >"$BATS_TEST_TMPDIR/doubtful"
		sendq -odq --retry-now all
		sendq --run
	}
	await_empty
	assert_eq 20 "$(arrived | wc -l)"
	doubled=$(arrived | awk '$1 > 1 { print $2 }')
	for id in $doubled; do
		grep -qx "$id" "$BATS_TEST_TMPDIR/doubtful" ||
			fail "$id came twice, and was not marked"
	done
	assert_eq 20 "$(maildir_count "$MAIL/sent")"
	assert_eq 20 "$(grep -h '^Subject: ' -r "$MAIL/sent" | sort -u | wc -l)"
	assert_eq '' "$(find "$MAIL/sent/tmp" -type f)"
}

@test "mail of an account that is not there is kept, and said once" {
	start_sink
	post_many 1 2
	sed -i 's/^account q$/account other/; s/^send q$/send other/' \
		"$BATS_TEST_TMPDIR/config.txt"
	run sendq --run
	assert_status 0
	assert_eq 1 "$(grep -c "account 'q'" <<<"$output")"
	assert_eq 2 "$(find "$SPOOL/queue" -name '*.env' | wc -l)"
}

@test "nothing to send: nothing is said, and no connection made" {
	config submission+plain://127.0.0.1:1 'auth none'
	run sendq --run
	assert_status 0
	assert_eq '' "$output"
}

# --- staying ---------------------------------------------------------------------

start_watch() {
	"$SENDQ" --config "$BATS_TEST_TMPDIR/config.txt" --watch \
		2>"$BATS_TEST_TMPDIR/watch.err" 3>&- &
	WATCH=$!
	PIDS+=("$WATCH")
}

@test "--watch: mail is sent as it comes, and when its time has come" {
	start_sink
	post_many 1 1
	start_watch
	await_sink 1
	post_many 2 3
	await_sink 3
	post later -odq --delay 2s one@example.net
	sleep 1
	assert_eq 3 "$(find "$SINK" -type f | wc -l)"
	await_sink 4
	await_empty
	kill -TERM "$WATCH"
	wait "$WATCH"
	assert_eq '' "$(<"$BATS_TEST_TMPDIR/watch.err")"
}

@test "--watch: a slow server holds up no other account" {
	local hold
	start_sink
	mkfifo "$BATS_TEST_TMPDIR/hold"
	socat TCP-LISTEN:0,bind=127.0.0.1 PIPE:"$BATS_TEST_TMPDIR/hold" \
		3>&- 2>/dev/null &
	hold=$!
	PIDS+=("$hold")
	sleep 0.3
	cat >>"$BATS_TEST_TMPDIR/config.txt" <<-END
		account slow
		    user eve
		    address eve@example.org
		    smtp submission+plain://127.0.0.1:$(port_of "$hold")
		    auth none
		send slow
	END
	start_watch
	printf 'Subject: stuck\n\n' |
		sendq -odq -i -f eve@example.org one@example.net
	sleep 0.5
	post_many 1 1
	await_sink 1
	# Nor what falls due while it is slow.
	post later -odq --delay 2s one@example.net
	await_sink 2
	kill -TERM "$WATCH"
	wait "$WATCH"
}

# PID: the port on which it listens.
port_of() {
	ss -Hltnp | sed -n "s/.*127\.0\.0\.1:\([0-9]*\) .*pid=$1,.*/\1/p"
}

# --- age ------------------------------------------------------------------------------

@test "too old: it fails, and its sender is told" {
	start_sink
	more 'expire 6s' 'warn 3s' "failed-to $MAIL/in"
	post old -odq later-one@example.net
	run sendq --run
	assert_status 75
	assert_contains "$output" '450 4.2.0'
	sleep 3
	sendq --run
	assert_eq 1 "$(grep -l 'Action: delayed' -r "$MAIL/in" | wc -l)"
	sleep 3
	run sendq --run
	assert_status 69
	assert_contains "$output" 'expired after 6 s; last reply: 450 4.2.0'
	assert_eq 1 "$(grep -l 'Action: failed' -r "$MAIL/in" | wc -l)"
	assert_eq 2 "$(maildir_count "$MAIL/in")"
	await_empty
	run sendq --run
	assert_status 0
	assert_eq '' "$output"
}

@test "some are refused: one report, and the copy has all of it" {
	start_sink
	more "sent $MAIL/sent" "failed-to $MAIL/in"
	printf 'To: one@example.net\nBcc: nobody-two@example.net\nSubject: x\n\ny\n' |
		sendq -odq -t
	run sendq --run
	assert_status 69
	assert_eq 1 "$(maildir_count "$MAIL/in")"
	assert_contains "$(cat "$MAIL"/in/new/*)" \
		'Final-Recipient: rfc822; nobody-two@example.net'
	assert_eq 1 "$(find "$MAIL/sent/cur" -name '*:2,S' | wc -l)"
	grep -q '^Bcc: nobody-two@example.net$' "$MAIL"/sent/cur/*
	assert_eq '' "$(grep -l Bcc "$SINK"/*)"
	assert_eq 1 "$(find "$SPOOL/failed" -name '*.env' | wc -l)"
}

@test "without a Maildir for it, the report lies beside the message" {
	start_sink
	post x -odq nobody-one@example.net
	run sendq --run
	assert_status 69
	grep -q 'Action: failed' "$SPOOL"/failed/*.report
}

# --- real servers ---------------------------------------------------------------------

# The bodies that arrived in $MAILDIR are those that were sent.
same_bodies() {
	local body
	for body in "$MAILDIR"/new/*; do
		sed '1,/^\r*$/d' "$body" | sha256sum
	done | sort | uniq >"$BATS_TEST_TMPDIR/there"
	for body in "$@"; do
		sed '1,/^\r*$/d' "$body" | sha256sum
	done | sort | uniq | diff - "$BATS_TEST_TMPDIR/there"
}

# Messages of all kinds that a server may alter if they are not sent well.
awkward() {
	local dir=$BATS_TEST_TMPDIR/texts
	mkdir -p "$dir"
	printf 'Subject: dots\n\n.\n..\n.x\nend\n' >"$dir/1"
	printf 'Subject: blank\n\n\n\n\n' >"$dir/2"
	printf 'Subject: 8bit\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ncaf\xc3\xa9\n' >"$dir/3"
	{
		printf 'Subject: large\n\n'
		seq 200000
	} >"$dir/4"
	local file
	for file in "$dir"/*; do
		sendq -odq -i -f ada@example.org one@example.net <"$file"
	done
	TEXTS=("$dir"/*)
}

# URL LOGIN: all of it, over that.
all_over() {
	config "$@"
	rm -f "$MAILDIR"/new/*
	awkward
	run sendq --run
	assert_status 0
	assert_eq '' "$output"
	await_mail 4
	same_bodies "${TEXTS[@]}"
	await_empty
}

@test "Postfix: TLS and STARTTLS, with CHUNKING and without" {
	start_postfix
	all_over "submissions://localhost:$SUBMISSIONS_PORT" \
		'password-command echo pw'
	all_over "submission://localhost:$SUBMISSION_PORT" \
		'password-command echo pw'
	all_over "submission://localhost:$BARE_PORT" 'password-command echo pw'
	all_over "submission+plain://localhost:$RELAY_PORT" 'auth none'
}

@test "Postfix: neither CHUNKING nor PIPELINING" {
	BARE='chunking, pipelining' start_postfix
	all_over "submission://localhost:$BARE_PORT" 'password-command echo pw'
}

@test "Postfix: a refusal at the end does not hold up what comes next" {
	start_postfix
	config "submission+plain://localhost:$RELAY_PORT" 'auth none'
	printf 'Subject: m0\nX-Refuse: no\n\n' |
		sendq -odq -i -f ada@example.org one@example.net
	post_many 1 3
	run sendq --run
	assert_status 69
	assert_contains "$output" '550 5.7.1 no'
	await_mail 3
}

@test "Postfix: the wrong password" {
	start_postfix
	config "submissions://localhost:$SUBMISSIONS_PORT" \
		'password-command echo wrong'
	post_many 1 1
	run sendq --run
	assert_status 77
	assert_contains "$output" '535 5.7.8'
	# It is not tried again before something has changed.
	run sendq --run
	assert_status 0
	config "submissions://localhost:$SUBMISSIONS_PORT" \
		'password-command echo pw'
	sendq --run
	await_mail 1
}

@test "Exim" {
	start_exim
	all_over "submission+plain://localhost:$RELAY_PORT" 'auth none'
}

@test "OpenSMTPD" {
	start_opensmtpd
	all_over "submission+plain://localhost:$RELAY_PORT" 'auth none'
}

@test "Dovecot: LMTP" {
	LMTP=1 start_dovecot
	config "lmtp://localhost:$LMTP_PORT" ''
	post both -odq ada@example.net eve@example.net
	run sendq --run
	assert_status 0
	assert_eq 1 "$(maildir_count "$MAILROOT/ada@example.net")"
	assert_eq 1 "$(maildir_count "$MAILROOT/eve@example.net")"
}
