#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# TLS for mail that goes out: what is refused, that nothing secret goes out before
# it is, that no message suffers for it, and that the text tells what to do. And
# where a password is never to be found.

bats_require_minimum_version 1.5.0
load helper
load peer
load securing
load sending

SCHEMES='submissions submission'
# What a client says of a transaction, in any order of replies.
TAKEN='S: 250 ok'

setup_file() {
	"$RIGS/certs" "$CERTS" >/dev/null
	CA=$CERTS/ca.pem
	export CA
}

teardown() {
	securing_stop
}

teardown_file() {
	:
}

# SCHEME PORT [HOST]: prints a URL.
at() {
	echo "$1://u@${3:-localhost}:$2"
}

# SCHEME PORT [--set KEYWORD=VALUE]...: sets OPTIONS.
choose() {
	OPTIONS=(--set "smtp=$(at "$1" "$2")" --set address=ada@example.org
		--set "tls-ca=$CA" --set timeout=5s --set hello=me
		"${ASKED[@]}" "${@:3}")
}

# The one message in the queue.
put_message() {
	rm -rf "$XDG_STATE_HOME"
	printf 'Subject: x\n\n..\nbody\n' |
		"$SENDQ" "${OPTIONS[@]}" -odq -i bob@example.net
}

# STATUS SCHEME PORT [--set KEYWORD=VALUE]...: one message, one run.
try() {
	local want=$1
	shift
	choose "$@"
	put_message
	expect "$want" "$SENDQ" "${OPTIONS[@]}" --run
}

# After a refusal: the message waits as before, no report was made, the account
# waits (another run does not even connect), and no secret is in the spool.
nothing_done() {
	local said
	queue_untouched
	[ ! -d "${MAILDIR-/none}" ] || assert_eq 0 "$(maildir_count "$MAILDIR")"
	said=$("$SENDQ" "${OPTIONS[@]}" --set smtp="$(at "${1:-submissions}" 1)" \
		--run 2>&1)
	assert_eq "" "$said" "the next run"
	refute grep -rqaF "$SECRET" "$XDG_STATE_HOME"
}

# After a success.
all_done() {
	await_mail 1
	assert_eq $'\n..\nbody' "$(mail_as_sent "$MAILDIR"/new/* | sed '1,/^Mess/d')"
	queue_has 0
	rm "$MAILDIR"/new/*
}

# SCHEME: prints the steps up to where TLS begins.
opening() {
	[ "$1" != submission ] || cat <<-'END'
		S: 220 hello
		C: EHLO me
		S: 250-hello
		S: 250-STARTTLS
		S: 250 AUTH PLAIN
		C: STARTTLS
		S: 220 begin
	END
}

# [EXTENSION]...: the peer's steps behind TLS, up to the login.
greeting() {
	[ "$1" = submission ] || echo 'S: 220 hello'
	shift
	echo 'C: EHLO me'
	echo 'S: 250-hello'
	printf 'S: 250-%s\n' "$@"
	echo 'S: 250 8BITMIME'
}

transaction() {
	printf '%s\n' 'C: MAIL FROM:<ada@example.org>*' "$TAKEN" \
		'C: RCPT TO:<bob@example.net>*' "$TAKEN" 'C: DATA' \
		'S: 354 go on' 'C-until .' "$TAKEN" 'C? QUIT'
	printf '\tS: 221 bye\n'
	echo eof
}

# --- certificates ---------------------------------------------------------------

serve() {
	start_postfix
}

# SCHEME: the port of Postfix's.
port_of() {
	case $1 in
	submissions)	echo "$SUBMISSIONS_PORT" ;;
	submission)	echo "$SUBMISSION_PORT" ;;
	esac
}

@test "a certificate of an unknown CA" {
	refuse_certificate unknown "issuer is not trusted" "tls-ca" \
		"issuer CN=another test CA"
}

@test "a certificate for another host" {
	refuse_certificate wronghost "not for localhost" "wronghost.example"
}

@test "an expired certificate" {
	refuse_certificate expired "expired on 20"
}

@test "a certificate that is not yet valid" {
	refuse_certificate notyet "not yet valid until 20" "clock right?"
}

@test "a certificate with the host as common name only" {
	refuse_certificate cnonly "only a common name" "subjectAltName"
}

@test "a self-signed certificate" {
	refuse_certificate selfsigned "self-signed" "tls-ca" \
		"subject CN=localhost; issuer CN=localhost"
}

@test "pins: of the key and of the certificate, right and wrong, several" {
	try_pins
}

@test "a good certificate: by name and address; the system's CAs do not know it" {
	local scheme
	serve
	ASKED=(--set 'password-command=echo pw')
	for scheme in $SCHEMES; do
		try 0 "$scheme" "$(port_of "$scheme")"
		assert_eq "" "$stderr"
		all_done
		choose "$scheme" "$(port_of "$scheme")" \
			--set "smtp=$(at "$scheme" "$(port_of "$scheme")" 127.0.0.1)"
		put_message
		expect 0 "$SENDQ" "${OPTIONS[@]}" --run
		all_done
		OPTIONS=(--set "smtp=$(at "$scheme" "$(port_of "$scheme")")"
			--set address=ada@example.org "${ASKED[@]}")
		put_message
		expect 77 "$SENDQ" "${OPTIONS[@]}" --run
		assert_contains "$stderr" "issuer is not trusted"
		nothing_done "$scheme"
	done
}

@test "client certificates: a login by one, without any password" {
	start_postfix
	SUBMISSION=127.0.0.1:$RELAY_PORT CLIENTCERT=1 "$RIGS/dovecot" start before
	# shellcheck source=/dev/null
	SUBMISSION_PORT=$(. before/env && echo "$SUBMISSION_PORT")
	try 0 submission "$SUBMISSION_PORT" --set auth=external \
		--set "tls-certificate=$CERTS/client.pem" \
		--set "tls-key=$CERTS/client.key"
	refused
	assert_eq "" "$stderr"
	all_done
	# None, and one that nobody signed.
	try 77 submission "$SUBMISSION_PORT" --set auth=external
	refused "EXTERNAL for want of a client certificate" tls-certificate
	nothing_done
	try 77 submission "$SUBMISSION_PORT" --set auth=external \
		--set "tls-certificate=$CERTS/unknown.pem" \
		--set "tls-key=$CERTS/unknown.key"
	refused
	nothing_done
}

@test "client certificates: a server that asks for one and no login" {
	local scheme own
	own=(--set "tls-certificate=$CERTS/client.pem"
		--set "tls-key=$CERTS/client.key" --set auth=none)
	EXTRA="smtpd_tls_ask_ccert = yes
smtpd_tls_CAfile = $CERTS/ca.pem
smtpd_sender_restrictions = permit_tls_all_clientcerts
 check_sender_access static:{530 5.7.0 Authentication required}" start_postfix
	for scheme in $SCHEMES; do
		try 0 "$scheme" "$(port_of "$scheme")" "${own[@]}"
		refused
		assert_eq "" "$stderr"
		all_done
		# Without it, the account has to wait, and not the message to fail.
		try 77 "$scheme" "$(port_of "$scheme")" --set auth=none
		refused "530 5.7.0" "user and auth"
		nothing_done "$scheme"
	done
}

# --- somebody on the way ------------------------------------------------------------

@test "STARTTLS that is not offered, or not known" {
	play <<-'END'
		S: 220 hello
		C: EHLO me
		S: 250-hello
		S: 250 AUTH PLAIN
		eof
	END
	try 77 submission "$PEER_PORT"
	refused_by_peer "does not offer STARTTLS" "submissions://"
	nothing_done submission
	# As middleboxes have it, and one that knows no EHLO: HELO would be the
	# way to lose TLS.
	play <<-'END'
		S: 220 hello
		C: EHLO me
		S: 250-hello
		S: 250-XXXXXXXA
		S: 250 AUTH PLAIN
		eof
	END
	try 77 submission "$PEER_PORT"
	refused_by_peer "does not offer STARTTLS"
	nothing_done submission
	play <<-'END'
		S: 220 hello
		C: EHLO me
		S: 502 5.5.1 what?
		eof
	END
	try 77 submission "$PEER_PORT"
	refused_by_peer "502 5.5.1 what?" "submissions://"
	nothing_done submission
}

@test "STARTTLS that is offered, and then refused" {
	local no
	for no in "502 5.5.1 not known" "554 5.7.0 TLS is broken"; do
		play <<-END
			$(opening submission | sed '$d')
			S: $no
			eof
		END
		try 77 submission "$PEER_PORT"
		refused_by_peer "${no#* }" "submissions://"
		nothing_done submission
	done
	# For now: that is no refusal.
	play <<-END
		$(opening submission | sed '$d')
		S: 454 4.7.0 TLS not available
		eof
	END
	try 75 submission "$PEER_PORT"
	refused_by_peer "454 4.7.0"
	nothing_done submission
}

@test "bytes behind the answer to STARTTLS" {
	local more
	for more in '250-hello\r\n250 AUTH PLAIN\r\n' 'x' '\r\n'; do
		play <<-END
			$(opening submission | sed '$d')
			S- 220 begin\\r\\n$more
			expect-tls-fail
		END
		try 77 submission "$PEER_PORT"
		refused_by_peer "behind the reply to STARTTLS" "not trusted"
		nothing_done submission
	done
}

@test "what was said before TLS counts for nothing" {
	play -c "$CERTS/server.pem" <<-END
		$(opening submission)
		tls
		$(greeting submission DSN)
		eof
	END
	try 77 submission "$PEER_PORT"
	refused_by_peer "offers no login"
	nothing_done submission
	# Nor that there is no end to the size, or that it takes UTF-8.
	play -c "$CERTS/server.pem" <<-END
		$(opening submission | sed 's/S: 250-hello/&\nS: 250-SIZE 0/')
		tls
		$(greeting submission 'SIZE 100' 'AUTH PLAIN')
		secrets-ok
		C: AUTH PLAIN *
		S: 235 in
		C? QUIT
			S: 221 bye
		eof
	END
	try 69 submission "$PEER_PORT"
	peer_wait
	assert_contains "$stderr" "the server takes 100"
}

@test "plain text where TLS is expected" {
	play <<-'END'
		S: 220 hello
		stall
	END
	try 77 submissions "$PEER_PORT"
	refused_by_peer "does not speak TLS on this port" "submission://"
	nothing_done
	start_postfix
	try 77 submissions "$SUBMISSION_PORT"
	refused "does not speak TLS"
	nothing_done
}

@test "TLS that is too old: for us, or for tls-min 1.3" {
	local scheme
	for scheme in $SCHEMES; do
		play -c "$CERTS/server.pem" < <(opening "$scheme"
			echo tls-max 1.1
			echo expect-tls-fail)
		try 77 "$scheme" "$PEER_PORT"
		refused_by_peer "no version of TLS that we accept"
		nothing_done "$scheme"
		play -c "$CERTS/server.pem" < <(opening "$scheme"
			echo tls-max 1.2
			echo expect-tls-fail)
		try 77 "$scheme" "$PEER_PORT" --set tls-min=1.3
		refused_by_peer "no version of TLS that we accept" tls-min
		nothing_done "$scheme"
	done
}

@test "failures of the network are no refusals: exit 75, and nothing was sent" {
	local scheme
	for scheme in $SCHEMES; do
		# Nobody there.
		try 75 "$scheme" 1
		refused "localhost:1"
		nothing_done "$scheme"
		# Gone instead of STARTTLS, and in the middle of the handshake.
		[ "$scheme" != submission ] || {
			play < <(opening "$scheme" | sed '$d'; echo close)
			try 75 "$scheme" "$PEER_PORT"
			refused_by_peer
			nothing_done "$scheme"
		}
		play < <(opening "$scheme"
			echo 'C-bytes 20'
			echo close)
		try 75 "$scheme" "$PEER_PORT"
		refused_by_peer
		nothing_done "$scheme"
		# Silent for ever.
		play < <(opening "$scheme"
			echo listen-only)
		try 75 "$scheme" "$PEER_PORT" --set timeout=1s
		refused_by_peer "1 s"
		nothing_done "$scheme"
	done
}

# --- no TLS at all ---------------------------------------------------------------------

@test "without TLS, only loopback is told a password" {
	need_elsewhere
	printf '%s\n' 'S: 220 hello' eof >silent.peer
	for scheme in submission+plain lmtp; do
		choose "$scheme" 4001 \
			--set "smtp=$(at "$scheme" 4001 10.9.9.9)" \
			--set auth=plain
		put_message
		elsewhere silent.peer "$SENDQ" "${OPTIONS[@]}" --run
		assert_status 77
		refused "10.9.9.9:4001: not loopback" "in the clear"
		queue_untouched
	done
	# With TLS, and without a login, the same address is good.
	cat >full.peer <<-END
		cert $CERTS/unknown.pem
		tls
		$(greeting submissions 'AUTH PLAIN')
		secrets-ok
		C: AUTH PLAIN *
		S: 235 in
		$(transaction)
	END
	choose submissions 4001 \
		--set "smtp=$(at submissions 4001 10.9.9.9)" \
		--set "tls-fingerprint=spki-sha256:$(<"$CERTS/unknown.spki")"
	put_message
	elsewhere full.peer "$SENDQ" "${OPTIONS[@]}" --run
	assert_status 0
	[ -e asked ]
	queue_has 0
	rm asked
	cat >nobody.peer <<-END
		$(greeting submissions 'AUTH PLAIN')
		$(transaction)
	END
	choose submission+plain 4001 \
		--set "smtp=$(at submission+plain 4001 10.9.9.9)" --set auth=none
	put_message
	elsewhere nobody.peer "$SENDQ" "${OPTIONS[@]}" --run
	assert_status 0
	queue_has 0
	refused
}

@test "a proxy on loopback makes no server loopback" {
	play <<-'END'
		C-bytes 3
		S- \x05\x00
		C-bytes 23
		S- \x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00
		eof
	END
	choose submission+plain 4001 \
		--set "smtp=$(at submission+plain 4001 mail.example.net)" \
		--set "proxy=socks5://127.0.0.1:$PEER_PORT"
	put_message
	expect 77 "$SENDQ" "${OPTIONS[@]}" --run
	refused_by_peer "not loopback" "submissions://"
	queue_untouched
}

# --- TLS on all of the way ----------------------------------------------------------------

@test "REQUIRETLS: asked for where it is offered, behind TLS; else it fails" {
	play -c "$CERTS/server.pem" <<-END
		tls
		$(greeting submissions REQUIRETLS 'AUTH PLAIN')
		secrets-ok
		C: AUTH PLAIN *
		S: 235 in
		C: MAIL FROM:<ada@example.org>* REQUIRETLS*
		$(transaction | sed 1d)
	END
	try 0 submissions "$PEER_PORT" --set require-tls
	peer_wait
	queue_has 0
	start_postfix
	try 69 submissions "$SUBMISSIONS_PORT" --set require-tls \
		--set 'password-command=echo pw'
	assert_contains "$stderr" "bob@example.net"
	assert_contains "$stderr" "REQUIRETLS"
	assert_eq 0 "$(maildir_count "$MAILDIR")"
	assert_contains "$(cat "$SPOOL"/failed/*.report)" REQUIRETLS
	# In the clear, whatever is offered.
	play <<-END
		$(greeting submissions REQUIRETLS)
		C? QUIT
			S: 221 bye
		eof
	END
	try 69 submission+plain "$PEER_PORT" --set require-tls --set auth=none
	peer_wait
	assert_contains "$stderr" "require-tls"
	assert_contains "$stderr" "has no TLS"
}

# --- where secrets are not --------------------------------------------------------------------

# Sets WORD, a password that nobody else on this machine has, and makes `word`,
# a file of it, and `marks`, of what is to be found of it.
make_word() {
	WORD=w$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
	(umask 077 && echo "$WORD" >word)
	traces "$WORD" >marks
}

# [GREP OPTION]... FILE...: there is nothing of it.
clean() {
	refute grep -aF -f marks "$@"
}

# Prints whose argv or environment has it, of all processes.
seen_in_processes() {
	grep -laF -f marks /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null
}

# What the last run said, and its spool, have nothing of it.
clean_traces() {
	assert_contains "$stderr" "AUTH" # it was verbose
	clean - <<<"$stderr"
	clean -r "$XDG_STATE_HOME"
}

# MECHANISM: a server's steps, which takes its time with the login.
slow_login() {
	echo tls
	greeting submissions "AUTH $1"
	if [ "$1" = LOGIN ]; then
		printf '%s\n' 'C: AUTH LOGIN' 'S: 334 x' C-any 'S: 334 y' C-any
	else
		echo "C: AUTH $1 *"
	fi
	echo sleep 500
}

@test "secrets are not in argv and environment, of it or its children" {
	local mech scans
	make_word
	# The measure sees what is there.
	X=$WORD sleep 20 3>&- &
	assert_eq "/proc/$!/environ" "$(seen_in_processes)"
	kill $!
	bash -c 'read -r -t 20 || :' "$WORD" < <(sleep 20) 3>&- &
	await grep -qaF "$WORD" "/proc/$!/cmdline"
	assert_eq "/proc/$!/cmdline" "$(seen_in_processes)"
	kill $!
	# A second token is asked for when the first is known.
	cat >token <<-END
		#!/bin/sh
		cat $PWD/word
		cat /proc/\$PPID/environ /proc/\$PPID/cmdline /proc/\$\$/environ >>$PWD/seen
	END
	chmod +x token
	for mech in PLAIN LOGIN XOAUTH2; do
		case $mech in
		PLAIN)	ASKED=(--set "password-file=$PWD/word") ;;
		LOGIN)	ASKED=(--set "password-command=cat $PWD/word") ;;
		XOAUTH2)	ASKED=(--set "token-command=$PWD/token") ;;
		esac
		{
			slow_login $mech
			if [ $mech = XOAUTH2 ]; then
				printf '%s\n' 'S: 334 e30=' C: \
					'S: 535 5.7.8 expired' eof connect
				slow_login $mech
			fi
			echo 'S: 235 in'
			transaction
		} | peer_script slow.peer
		peer_start slow.peer -t 20 -c "$CERTS/server.pem"
		choose submissions "$PEER_PORT"
		put_message
		"$SENDQ" "${OPTIONS[@]}" -vv --run >said 2>&1 3>&- &
		for ((scans = 0; scans == 0; )); do
			assert_eq "" "$(seen_in_processes)" "seen in"
			gone $! && scans=1
		done
		wait $!
		peer_wait
		queue_has 0
		grep -q "AUTH $mech" said
		clean -r said "$XDG_STATE_HOME"
	done
	[ "$(tr '\0' '\n' <seen | grep -c '^HOME=')" -ge 4 ]
	clean seen
}

@test "secrets are not in what -vv shows, nor in the spool: every mechanism" {
	local auth token
	OAUTH=1 start_postfix
	make_word
	token=$("$RIGS/postfix" token "$SERVER" u)
	for auth in scram-sha-256 scram-sha-1 cram-md5 plain login; do
		# Right, and wrong.
		ASKED=(--set 'password-command=echo pw' --set "auth=$auth")
		choose submissions "$SUBMISSIONS_PORT"
		put_message
		expect 0 "$SENDQ" "${OPTIONS[@]}" -vv --run
		assert_contains "$stderr" "(${auth^^})"
		all_done
		make_word
		ASKED=(--set "password-command=cat $PWD/word" --set "auth=$auth")
		choose submissions "$SUBMISSIONS_PORT"
		put_message
		expect 77 "$SENDQ" "${OPTIONS[@]}" -vv --run
		clean_traces
		nothing_done
	done
	echo "$token" >token
	traces "$token" >marks
	for auth in xoauth2 oauthbearer; do
		ASKED=(--set "token-command=cat $PWD/token" --set "auth=$auth")
		choose submissions "$SUBMISSIONS_PORT"
		put_message
		expect 0 "$SENDQ" "${OPTIONS[@]}" -vv --run
		assert_contains "$stderr" "(${auth^^})"
		clean_traces
		all_done
	done
}

# COMMAND...: with a /dev of its own, where a syslog writes to the file `syslog`.
with_syslog() {
	mkdir dev
	: >syslog
	unshare -rm bash -e -s -- "$@" <<-'END'
		for f in null urandom; do
			: >dev/$f
			mount --bind /dev/$f dev/$f
		done
		mount --rbind dev /dev
		socat -u UNIX-RECV:/dev/log OPEN:syslog,append 3>&- &
		for ((i = 0; i < 500; i++)); do
			[ ! -S /dev/log ] || break
			sleep 0.02
		done
		rc=0
		"$@" </dev/null 3>&- || rc=$?
		kill $!
		exit $rc
	END
}

@test "secrets are not in what goes to syslog" {
	make_word
	start_postfix
	ASKED=(--set "password-command=cat $PWD/word" --set auth=plain)
	choose submissions "$SUBMISSIONS_PORT"
	put_message
	expect 77 with_syslog "$SENDQ" "${OPTIONS[@]}" -vv --syslog --run
	assert_eq "" "$stderr"
	grep -aq 'sendq.*AUTH PLAIN' syslog
	grep -aq 'sendq.*535' syslog
	clean syslog
	clean -r "$XDG_STATE_HOME"
	nothing_done
}

@test "secrets are not shown where a server repeats them" {
	local mech reply
	make_word
	ASKED=(--set "password-command=cat $PWD/word")
	for mech in PLAIN LOGIN; do
		for reply in '<x>' "AUTH $mech <x>"; do
			{
				echo tls
				greeting submissions "AUTH $mech"
				if [ $mech = LOGIN ]; then
					printf '%s\n' 'C: AUTH LOGIN' 'S: 334 x' \
						C-any 'S: 334 y' 'C: <x>'
				else
					echo "C: AUTH PLAIN <x>"
				fi
				echo "S: 535 5.7.8 not good: $reply"
				echo eof
			} | peer_script echo.peer
			peer_start echo.peer -c "$CERTS/server.pem"
			choose submissions "$PEER_PORT"
			put_message
			expect 77 "$SENDQ" "${OPTIONS[@]}" -vv --run
			peer_wait
			clean_traces
			nothing_done
		done
	done
}
