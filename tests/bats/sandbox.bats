#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2088,SC2153 # run sets stderr; sh -c '...'
# The sandbox around a real worker, while it talks to a server. What it keeps a
# process from is tried one by one in tests/unit/sandbox_test.c.

bats_require_minimum_version 1.5.0
load helper
load fetching
load peer

teardown() {
	peer_stop
}

# The kernel has Landlock, by what the tool says; else these are skipped.
needs_landlock() {
	expect 75 "$FETCHD" -v pop3+plain://u@127.0.0.1:1 probe
	[[ $stderr == *"Landlock "* ]] || skip "this kernel has no Landlock"
}

# PROTO: plays a server, which waits in the middle as the script's lines on
# standard input say, and then has one message.
play() {
	{
		case $1 in
		pop3) printf '%s\n' 'S: +OK' 'C: CAPA' 'S: -ERR' 'C: USER *' \
			'S: +OK' 'C: PASS *' 'S: +OK' 'C: UIDL' 'S: +OK' \
			'S: 1 a' 'S: .' 'C: LIST' 'S: +OK' 'S: 1 20' 'S: .' \
			'C: RETR 1' ;;
		imap) printf '%s\n' 'S: * OK [CAPABILITY IMAP4rev1]' \
			'C: <t> LOGIN *' 'S: <t> OK [CAPABILITY IMAP4rev1]' \
			'C: <*s> SELECT *' 'S: * 1 EXISTS' \
			'S: * OK [UIDVALIDITY 7]' 'S: <s> OK' \
			'C: <*l> UID FETCH *' \
			'S: * 1 FETCH (UID 1 RFC822.SIZE 17)' 'S: <l> OK' \
			'C: <*f> UID FETCH 1 (UID BODY.PEEK[])' ;;
		esac
		cat
		case $1 in
		pop3) printf '%s\n' 'S: +OK' 'S: Subject: x' 'S:' 'S: body' \
			'S: .' 'C? QUIT' '	S: +OK' eof ;;
		imap) printf '%s\n' 'S: * 1 FETCH (UID 1 BODY[] {17}' \
			'S: Subject: x' 'S:' 'S: b' 'S: )' 'S: <f> OK' \
			'C? <*o> LOGOUT' '	S: <o> OK' eof ;;
		esac
	} >s
	peer_script s.peer <s
	peer_start s.peer
}

# Sets WORKER to the only child of fetchd, which runs in the background.
find_worker() {
	await grep -Eq 'RETR|BODY.PEEK' "${PEER_LOG[$PEER_PID]}"
	WORKER=$(pgrep -P "$1")
	[[ $WORKER =~ ^[0-9]+$ ]] || fail "workers: $WORKER"
}

@test "-v says what the sandbox is, once, before the connection" {
	expect 75 "$FETCHD" -v pop3+plain://u@127.0.0.1:1 in
	assert_eq 1 "$(grep -c '^fetchd: sandbox: ' <<<"$stderr")"
	assert_contains "$(head -n 1 <<<"$stderr")" "no new privileges"
	expect 75 "$FETCHD" pop3+plain://u@127.0.0.1:1 in
	[[ $stderr != *sandbox* ]]
}

@test "a worker that talks to a server has no new privileges; its parent can" {
	local field
	for proto in pop3 imap; do
		play $proto <<<'sleep 1000'
		"$FETCHD" -o 'password-command=printf pw' -o auth=native \
			"$proto+plain://u@127.0.0.1:$PEER_PORT" in.$proto &
		find_worker $!
		field=$(grep NoNewPrivs "/proc/$WORKER/status")
		assert_eq 1 "${field##*[[:blank:]]}" "NoNewPrivs of the worker"
		field=$(grep NoNewPrivs "/proc/$!/status")
		assert_eq 0 "${field##*[[:blank:]]}" "of its parent"
		assert_eq 0 "$(awk '/core file/ { print $5 }' \
			"/proc/$WORKER/limits")" "core dumps"
		wait $!
		peer_wait
	done
}

# The one thing that a worker does by name after it is shut in, and that can be
# put out of its reach from outside: it appends to an mbox. It may write to
# that file, but it cannot make another in its place.
@test "a worker that talks to a server is shut in" {
	needs_landlock
	for proto in pop3 imap; do
		play $proto <<<'sleep 1000'
		: >"$HOME/mbox"
		"$FETCHD" -o 'password-command=printf pw' -o auth=native \
			-o "deliver=mbox $HOME/mbox" \
			"$proto+plain://u@127.0.0.1:$PEER_PORT" 2>log &
		find_worker $!
		rm "$HOME/mbox"
		rc=0
		wait $! || rc=$?
		assert_eq 73 "$rc" "exit status"
		assert_contains "$(<log)" "$HOME/mbox: Permission denied"
		[ ! -e "$HOME/mbox" ]
		peer_wait
		# The file that was let in is fine.
		play $proto <<<'sleep 100'
		expect 0 "$FETCHD" -o 'password-command=printf pw' \
			-o auth=native -o "deliver=mbox $HOME/mbox" \
			"$proto+plain://u@127.0.0.1:$PEER_PORT"
		peer_wait
		grep -q '^Subject: x' "$HOME/mbox"
		rm -rf "$XDG_STATE_HOME"
	done
}

@test "commands have the user's full rights" {
	needs_landlock
	echo pw >"$HOME/password"
	echo "a secret" >"$HOME/secret"
	for proto in pop3 imap; do
		play $proto <<<'sleep 10'
		expect 0 "$FETCHD" -v -o auth=native \
			-o "password-command=sh -c 'cp ~/password ~/copied; cat ~/password'" \
			-o "filter=sh -c 'cat; cat ~/secret; echo >~/filtered'" \
			-o "deliver=pipe sh -c 'cat >~/piped; cat /proc/self/status >~/status'" \
			"$proto+plain://u@127.0.0.1:$PEER_PORT"
		peer_wait
		assert_contains "$stderr" "sandbox: Landlock"
		assert_eq pw "$(<"$HOME/copied")"
		assert_eq "a secret" "$(tail -n 1 "$HOME/piped")"
		[ -e "$HOME/filtered" ]
		grep -qE 'NoNewPrivs:\s0' "$HOME/status"
		rm "$HOME"/{copied,piped,filtered,status}
	done
}

@test "what a worker needs it was given before: files of TLS, of the state" {
	needs_landlock
	local certs=$HOME/tls
	"$RIGS/certs" "$CERTS" >/dev/null
	mkdir "$certs"
	cp "$CERTS"/{ca.pem,client.pem,client.key} "$certs"
	chmod 600 "$certs"/*
	play pop3 <<<'sleep 10'
	sed -i '1i tls-pre' s.peer
	peer_stop
	peer_start s.peer -c "$CERTS/server.pem" -k "$CERTS/server.key" \
		-a "$CERTS/ca.pem"
	expect 0 "$FETCHD" -v -o auth=native -o 'password-command=printf pw' \
		-o "tls-ca=$certs/ca.pem" \
		-o "tls-certificate=$certs/client.pem" \
		-o "tls-key=$certs/client.key" \
		"pop3s://u@localhost:$PEER_PORT" '~/new/place/in'
	peer_wait
	assert_eq 1 "$(maildir_count "$HOME/new/place/in")"
}
