#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The rigs themselves: what other tests stand on.

load helper

# HOW PORT LINE...: says the lines, each when the one before was answered, and
# prints all answers. IMAP tags are a, b and c. HOW is plain, tls, or the protocol
# of a STARTTLS.
talk() {
	local how=$1 port=$2 in out line say
	local tls=(openssl s_client -quiet -verify_quiet -verify_return_error
		-CAfile "$CA" -verify_hostname localhost
		-connect "localhost:$port")
	shift 2
	if [ "$how" = plain ]; then
		exec {in}<>"/dev/tcp/127.0.0.1/$port" {out}>&"$in"
	else
		[ "$how" = tls ] || tls+=(-starttls "$how")
		coproc PEER { exec "${tls[@]}" 2>/dev/null 3>&-; }
		# Bash closes its own two as soon as the process has ended.
		exec {in}<&"${PEER[0]}" {out}>&"${PEER[1]}"
	fi
	if [[ $how == plain || $how == tls ]]; then
		read -r -t 10 line <&"$in" && echo "$line"
	fi
	for say; do
		printf '%s\r\n' "$say" >&"$out"
		while read -r -t 10 line <&"$in"; do
			echo "$line"
			[[ $line =~ ^([abc]\ |\+|-ERR|[2-5][0-9][0-9]\ ) ]] &&
				break
		done
	done
	exec {out}>&- {in}<&-
	[ "$how" = plain ] || kill "$PEER_PID" 2>/dev/null || :
}

# Fails unless nothing listens on the ports of the server stopped last, and none
# of its processes is left.
assert_gone() {
	local port
	for port in $(sed -n 's/^[A-Z0-9]*_PORT=//p' "$SERVER/env"); do
		! { : <>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null ||
			fail "port $port is still open" || return 1
	done
	# shellcheck source=tests/servers/lib.bash
	assert_eq "" "$(. "$RIGS/lib.bash" && session_pids "$PID")" processes
}

assert_all_logins() {
	local got
	got=$(talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b STATUS INBOX (MESSAGES)' \
		'c LOGOUT')
	assert_contains "$got" "a OK"
	assert_contains "$got" "(MESSAGES 3)"
	got=$(talk tls "$IMAPS_PORT" 'a LOGIN u pw' 'c LOGOUT')
	assert_contains "$got" "a OK"
	got=$(talk imap "$IMAP_PORT" 'a LOGIN u pw' 'c LOGOUT')
	assert_contains "$got" "a OK"
	got=$(talk plain "$POP3_PORT" 'USER u' 'PASS pw' STAT QUIT)
	assert_contains "$got" "+OK 3 "
	got=$(talk tls "$POP3S_PORT" 'USER u' 'PASS pw' STAT QUIT)
	assert_contains "$got" "+OK 3 "
	got=$(talk pop3 "$POP3_PORT" 'USER u' 'PASS pw' STAT QUIT)
	assert_contains "$got" "+OK 3 "
}

LOGIN="AUTH PLAIN $(printf '\0u\0pw' | base64)"

# ADDRESS TEXT: what is said to send one message there.
letter() {
	LETTER=("MAIL FROM:<ada@example.org>" "RCPT TO:<$1>" DATA
		"Subject: $2"$'\r\n\r\n..\r\n.')
}

refused_rcpts=('RCPT TO:<nobody-x@example.org>' 'RCPT TO:<later-x@example.org>'
	'RCPT TO:<full-x@example.org>')

# ANSWERS: that senders and recipients were refused, each in its way.
assert_refused() {
	assert_contains "$1" $'\n550 5.1.8'
	assert_contains "$1" $'\n450 4.1.8'
	assert_contains "$1" $'\n550 5.1.1'
	assert_contains "$1" $'\n450 4.2.0'
	assert_contains "$1" $'\n452 4.2.2'
}

# Logins, and refusals; and what is sent by STARTTLS, by TLS and in the clear
# arrives.
assert_submission() {
	local got
	letter one@example.org starttls
	got=$(talk smtp "$SUBMISSION_PORT" 'EHLO me' \
		'MAIL FROM:<ada@example.org>' RSET "$LOGIN" \
		'MAIL FROM:<nobody-x@example.org>' \
		'MAIL FROM:<later-x@example.org>' \
		'MAIL FROM:<ada@example.org>' "${refused_rcpts[@]}" RSET \
		"${LETTER[@]}" QUIT)
	assert_contains "$got" "AUTH PLAIN"
	assert_contains "$got" $'\n530 5.7.0'
	assert_contains "$got" $'\n235 '
	assert_refused "$got"
	letter two@example.org tls
	talk tls "$SUBMISSIONS_PORT" 'EHLO me' "$LOGIN" "${LETTER[@]}" QUIT
	letter three@example.org relay
	got=$(talk plain "$RELAY_PORT" 'EHLO me' "${LETTER[@]}" QUIT)
	[[ $got != *AUTH* && $got != *STARTTLS* ]]
	await_mail 3
	for got in one two three; do
		grep -q -i "^\(delivered\|envelope\)-to: $got@" "$MAILDIR"/new/*
	done
	for got in starttls tls relay; do
		printf 'Subject: %s\n\n.\n' $got | sha256sum
	done | sort >want
	for got in "$MAILDIR"/new/*; do
		mail_as_sent "$got" | sha256sum
	done | sort | diff want -
}

# METHOD...: fails unless each is offered without TLS.
assert_offered() {
	local got word
	got=$(talk plain "$SUBMISSION_PORT" 'EHLO me' QUIT)
	for word; do
		[[ $got =~ [\ -]"$word"[[:space:]] ]] ||
			fail "$word is not in: $got" || return 1
	done
}

@test "certificates: good and bad for the reason they are named after" {
	local bad
	"$RIGS/certs" "$CERTS"
	cd "$CERTS"
	openssl verify -x509_strict -CAfile ca.pem -verify_hostname localhost \
		server.pem
	openssl verify -CAfile ca.pem -verify_ip 127.0.0.1 server.pem
	openssl verify -CAfile ca.pem -verify_ip ::1 server.pem
	openssl verify -CAfile ca.pem -purpose sslclient client.pem
	while read -r bad why; do
		run openssl verify -CAfile ca.pem -verify_hostname localhost \
			"$bad.pem"
		assert_contains "$output" "$why"
	done <<-END
		wronghost hostname mismatch
		wildcard hostname mismatch
		expired certificate has expired
		notyet certificate is not yet valid
		selfsigned self-signed certificate
		unknown unable to get local issuer
	END
	openssl verify -CAfile ca.pem cnonly.pem
	run openssl x509 -in cnonly.pem -noout -ext subjectAltName -subject
	assert_contains "$output" "CN = localhost"
	[[ $output != *DNS* ]]
	openssl verify -CAfile otherca.pem unknown.pem
	assert_eq "$(openssl x509 -in server.pem -noout -fingerprint -sha256 |
		sed 's/.*=//; s/://g' | tr A-F a-f)" "$(<server.sha256)"
	assert_eq "$(openssl pkey -in server.key -pubout -outform DER |
		openssl dgst -sha256 -binary | base64)" "$(<server.spki)"
}

@test "certificates: a second call changes nothing" {
	local dir=$BATS_TEST_TMPDIR/certs before
	"$RIGS/certs" "$dir"
	before=$(cat "$dir"/*.pem)
	"$RIGS/certs" "$dir"
	assert_eq "$before" "$(cat "$dir"/*.pem)"
}

@test "dovecot: mail, logins, TLS; gone when stopped" {
	start_dovecot
	# shellcheck source=tests/servers/lib.bash
	[ -n "$(. "$RIGS/lib.bash" && session_pids "$PID")" ]
	feed u INBOX 3 1000
	assert_all_logins
	run talk plain "$IMAP_PORT" 'a LOGIN u wrong' 'c LOGOUT'
	assert_contains "$output" "a NO"
	stop_server
	assert_gone
}

@test "dovecot: several at once, and restarted on the same ports" {
	local a=$BATS_TEST_TMPDIR/a b=$BATS_TEST_TMPDIR/b pids=() dir
	for dir in "$a" "$b"; do
		"$RIGS/dovecot" start "$dir" 3>&- &
		pids+=($!)
	done
	wait "${pids[0]}"
	wait "${pids[1]}"
	run "$RIGS/dovecot" start "$a"
	assert_status 1
	cp "$a/env" "$a/env.old"
	"$RIGS/feed" "$a" u INBOX 3 500
	"$RIGS/dovecot" restart "$a"
	assert_eq "$(grep PORT "$a/env.old")" "$(grep PORT "$a/env")"
	for dir in "$b" "$a"; do
		# shellcheck source=/dev/null
		. "$dir/env"
		run talk plain "$POP3_PORT" 'USER u' 'PASS pw' STAT QUIT
		[ "$dir" = "$b" ] || assert_contains "$output" "+OK 3 "
		[ "$dir" = "$a" ] || assert_contains "$output" "+OK 0 "
		"$RIGS/dovecot" stop "$dir"
		SERVER=$dir assert_gone
	done
}

@test "dovecot: as an ordinary user" {
	local dir as=()
	dir=$(mktemp -d)
	if [ "$(id -u)" -eq 0 ]; then
		chown nobody "$dir"
		as=(setpriv --reuid=nobody --regid="$(id -gn nobody)"
			--clear-groups)
		"${as[@]}" test -x "$RIGS/dovecot" ||
			skip "nobody cannot read the source tree"
	fi
	"$RIGS/certs" "$CERTS"
	cp -r "$CERTS" "$dir/certs"
	[ ${#as[@]} -eq 0 ] || chown -R nobody "$dir/certs"
	CERTS=$dir/certs "${as[@]}" "$RIGS/dovecot" start "$dir"
	# shellcheck source=/dev/null
	. "$dir/env"
	SERVER=$dir
	feed u INBOX 3 1000
	run assert_all_logins
	"${as[@]}" "$RIGS/dovecot" stop "$dir"
	assert_status 0
	assert_gone
	rm -rf "$dir"
}

@test "dovecot: extra configuration wins" {
	EXTRA="imap_capability = IMAP4rev1 IDLE" start_dovecot
	run talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b CAPABILITY' 'c LOGOUT'
	assert_contains "$output" "* CAPABILITY IMAP4rev1 IDLE"
	[[ $output != *QRESYNC* ]]
}

@test "dovecot: bearer tokens, client certificates, LMTP" {
	local token msg
	OAUTH=1 CLIENTCERT=1 LMTP=1 start_dovecot
	token=$("$RIGS/dovecot" token "$SERVER" ada@example.org)
	msg=$(printf 'n,a=%s,\1auth=Bearer %s\1\1' ada@example.org "$token" |
		base64 -w 0)
	run talk tls "$IMAPS_PORT" "a AUTHENTICATE OAUTHBEARER $msg" 'c LOGOUT'
	assert_contains "$output" "a OK"
	msg=$(printf 'user=%s\1auth=Bearer %s\1\1' ada@example.org "$token" |
		base64 -w 0)
	run talk tls "$IMAPS_PORT" "a AUTHENTICATE XOAUTH2 $msg" 'c LOGOUT'
	assert_contains "$output" "a OK"
	msg=$(printf 'user=%s\1auth=Bearer %s\1\1' bob@example.org "$token" |
		base64 -w 0)
	run talk tls "$IMAPS_PORT" "a AUTHENTICATE XOAUTH2 $msg" '' 'c LOGOUT'
	assert_contains "$output" "a NO"
	run openssl s_client -quiet -CAfile "$CA" -crlf \
		-cert "$CERTS/client.pem" -key "$CERTS/client.key" \
		-connect "localhost:$IMAPS_PORT" <<-END
			a AUTHENTICATE EXTERNAL =
			b LOGOUT
		END
	assert_contains "$output" "a OK"
	exec {lmtp}<>"/dev/tcp/127.0.0.1/$LMTP_PORT"
	read -r -t 10 msg <&"$lmtp"
	exec {lmtp}>&-
	assert_contains "$msg" "220 "
}

@test "dovecot: LMTP, a reply for each recipient" {
	LMTP=1 start_dovecot
	letter u@example.org x
	run talk plain "$LMTP_PORT" 'LHLO me' "${LETTER[@]:0:2}" \
		'RCPT TO:<v@example.org>' "${LETTER[@]:2}" QUIT
	assert_contains "$output" "PIPELINING"
	assert_contains "$output" "CHUNKING"
	[[ $output =~ 250\ 2.0.0\ .u@example.org.*250\ 2.0.0\ .v@example.org ]]
	await_mail 1 "$MAILROOT/u@example.org"
	await_mail 1 "$MAILROOT/v@example.org"
}

@test "dovecot: says why it does not start" {
	local dir=$BATS_TEST_TMPDIR/d
	EXTRA="no_such_setting = 1" run "$RIGS/dovecot" start "$dir"
	assert_status 1
	assert_contains "$output" "no_such_setting"
}

@test "courier: mail, logins, TLS; gone when stopped" {
	start_courier
	feed u INBOX 3 1000
	feed u Lists/x 1 1000
	assert_all_logins
	run talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b LIST "" "*"' 'c LOGOUT'
	assert_contains "$output" '"INBOX.Lists.x"'
	stop_server
	assert_gone
}

@test "courier: restarted on the same ports; more than 4 connections" {
	local old fds=() fd line
	start_courier
	old=$(grep PORT "$SERVER/env")
	"$RIGS/courier" restart "$SERVER"
	assert_eq "$old" "$(grep PORT "$SERVER/env")"
	for fd in {1..10}; do
		exec {fd}<>"/dev/tcp/127.0.0.1/$POP3_PORT"
		read -r -t 10 line <&"$fd"
		assert_contains "$line" "+OK"
		fds+=("$fd")
	done
	for fd in "${fds[@]}"; do
		exec {fd}>&-
	done
}

@test "cyrus: logins, TLS, extensions that are taken away; gone when stopped" {
	local got
	start_cyrus
	got=$(talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b CREATE A/b' \
		'b LIST "" "*"' 'b CAPABILITY' 'c LOGOUT')
	assert_contains "$got" '"/" A/b'
	assert_contains "$got" ' QRESYNC '
	got=$(talk tls "$IMAPS_PORT" 'a LOGIN u9 pw' 'c LOGOUT')
	assert_contains "$got" "a OK"
	got=$(talk imap "$IMAP_PORT" 'a LOGIN u pw' 'c LOGOUT')
	assert_contains "$got" "a OK"
	got=$(talk pop3 "$POP3_PORT" 'USER u' 'PASS pw' STAT QUIT)
	assert_contains "$got" "+OK 0 "
	got=$(talk tls "$POP3S_PORT" 'USER u' 'PASS pw' STAT QUIT)
	assert_contains "$got" "+OK 0 "
	got=$(grep PORT "$SERVER/env")
	WITHOUT='QRESYNC MOVE' "$RIGS/cyrus" restart "$SERVER"
	assert_eq "$got" "$(grep PORT "$SERVER/env")"
	got=$(talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b CAPABILITY' \
		'b LIST "" "*"' 'c LOGOUT')
	assert_contains "$got" '"/" A/b'
	assert_contains "$got" ' CONDSTORE '
	[[ $got != *' QRESYNC '* && $got != *' MOVE '* ]]
	PID=$(<"$SERVER/pid")
	stop_server
	assert_gone
}

@test "dovecot: extensions that are taken away" {
	local got
	WITHOUT='QRESYNC UIDPLUS' start_dovecot
	got=$(talk plain "$IMAP_PORT" 'a LOGIN u pw' 'b CAPABILITY' 'c LOGOUT')
	assert_contains "$got" ' CONDSTORE '
	[[ ${got#*a OK} != *' QRESYNC '* && ${got#*a OK} != *' UIDPLUS '* ]]
}

@test "without root, what needs it is skipped, not passed" {
	local as=() kind
	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid=nobody
		--regid="$(id -gn nobody)" --clear-groups)
	"${as[@]}" test -x "$RIGS/courier" ||
		skip "nobody cannot read the source tree"
	mkdir -m 755 "$BATS_TEST_TMPDIR/d"
	chmod o+x "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	chown nobody "$BATS_TEST_TMPDIR/d" 2>/dev/null || :
	for kind in courier cyrus postfix exim opensmtpd; do
		run "${as[@]}" "$RIGS/$kind" start "$BATS_TEST_TMPDIR/d"
		assert_status 77
	done
}

@test "postfix: mail, refusals, logins, TLS; gone when stopped" {
	cd "$BATS_TEST_TMPDIR"
	start_postfix
	assert_submission
	assert_offered PIPELINING 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES \
		STARTTLS CHUNKING LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
	stop_server
	assert_gone
	# shellcheck source=tests/servers/lib.bash
	assert_eq "" "$(. "$SERVER/auth/env" && . "$RIGS/lib.bash" &&
		session_pids "$PID")" "processes of its Dovecot"
}

@test "postfix: CHUNKING, and a port without; refusals after the data" {
	local bdat=$'BDAT 17 LAST\r\nSubject: y\r\n\r\nyes'
	BARE='chunking, pipelining' start_postfix
	run talk plain "$BARE_PORT" 'EHLO me' QUIT
	assert_contains "$output" AUTH
	[[ $output != *CHUNKING* && $output != *PIPELINING* ]]
	run talk plain "$SUBMISSION_PORT" 'EHLO me' "$LOGIN" \
		'MAIL FROM:<dot-nobody-x@example.org>' \
		'RCPT TO:<u@example.org>' $'BDAT 3 LAST\r\nno' \
		RSET 'MAIL FROM:<dot-later-x@example.org>' \
		'RCPT TO:<u@example.org>' $'BDAT 3 LAST\r\nno' \
		RSET 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' \
		DATA $'X-Refuse: like this\r\n\r\n.' \
		'MAIL FROM:<>' 'RCPT TO:<u@example.org>' "$bdat" QUIT
	assert_contains "$output" $'\n554 5.7.1'
	assert_contains "$output" $'\n451 4.3.0'
	assert_contains "$output" $'\n550 5.7.1 like this'
	await_mail 1
	assert_eq $'Subject: y\n\nyes' "$(mail_as_sent "$MAILDIR"/new/*)"
}

@test "postfix: bearer tokens; restarted on the same ports; sent on" {
	local old token
	OAUTH=1 start_postfix
	old=$(grep PORT "$SERVER/env")
	OAUTH=1 "$RIGS/postfix" restart "$SERVER"
	assert_eq "$old" "$(grep PORT "$SERVER/env")"
	token=$("$RIGS/postfix" token "$SERVER" ada@example.org)
	run talk plain "$SUBMISSION_PORT" 'EHLO me' "AUTH XOAUTH2 $(printf \
		'user=ada@example.org\1auth=Bearer %s\1\1' "$token" |
		base64 -w 0)" QUIT
	assert_contains "$output" "OAUTHBEARER"
	assert_contains "$output" $'\n235 '
	RELAYHOST=127.0.0.1:$RELAY_PORT "$RIGS/postfix" start \
		"$BATS_TEST_TMPDIR/before"
	letter u@example.org x
	talk plain "$(. "$BATS_TEST_TMPDIR/before/env" && echo "$RELAY_PORT")" \
		'EHLO me' "${LETTER[@]}" QUIT
	await_mail 1
}

@test "postfix: Dovecot's submission server in front of it" {
	cd "$BATS_TEST_TMPDIR"
	start_postfix
	SUBMISSION=127.0.0.1:$RELAY_PORT "$RIGS/dovecot" start d
	letter u@example.org x
	run talk smtp "$(. d/env && echo "$SUBMISSION_PORT")" 'EHLO me' \
		"$LOGIN" "${LETTER[@]}" QUIT
	assert_contains "$output" "CHUNKING"
	await_mail 1
}

@test "postfix: extra configuration wins; says why it does not start" {
	EXTRA='message_size_limit = 1234' start_postfix
	run talk plain "$SUBMISSION_PORT" 'EHLO me' QUIT
	assert_contains "$output" "250-SIZE 1234"
	EXTRA='setgid_group = no-such-group' run "$RIGS/postfix" start \
		"$BATS_TEST_TMPDIR/d"
	assert_status 1
	assert_contains "$output" no-such-group
	run "$RIGS/postfix" start "$SERVER"
	assert_status 1
}

@test "exim: mail, refusals, logins, TLS; gone when stopped" {
	cd "$BATS_TEST_TMPDIR"
	start_exim
	assert_submission
	assert_offered PIPELINING PIPECONNECT PRDR 8BITMIME SMTPUTF8 DSN \
		STARTTLS CHUNKING LOGIN
	run talk plain "$SUBMISSION_PORT" 'EHLO me' "$LOGIN" \
		'MAIL FROM:<dot-nobody-x@example.org>' \
		'RCPT TO:<u@example.org>' $'BDAT 4 LAST\r\nno' \
		'MAIL FROM:<dot-later-x@example.org>' \
		'RCPT TO:<u@example.org>' DATA $'no\r\n.' QUIT
	assert_contains "$output" $'\n554 5.7.1'
	assert_contains "$output" $'\n451 4.3.0'
	stop_server
	assert_gone
}

@test "opensmtpd: mail, refusals; gone when stopped" {
	start_opensmtpd
	letter u@example.org x
	run talk plain "$RELAY_PORT" 'EHLO me' \
		'MAIL FROM:<nobody-x@example.org>' \
		'MAIL FROM:<later-x@example.org>' \
		'MAIL FROM:<ada@example.org>' "${refused_rcpts[@]}" RSET \
		"${LETTER[@]}" QUIT
	assert_refused "$output"
	[[ $output != *CHUNKING* && $output != *PIPELINING* ]]
	await_mail 1
	mail_as_sent "$MAILDIR"/new/* | grep -v '^Date:\|^Message-ID:' |
		diff <(printf 'Subject: x\n\n.\n') -
	stop_server
	assert_gone
}

@test "exim and opensmtpd: restarted on the same ports" {
	local kind old
	for kind in exim opensmtpd; do
		start_server $kind
		old=$(grep PORT "$SERVER/env")
		"$RIGS/$kind" restart "$SERVER"
		assert_eq "$old" "$(grep PORT "$SERVER/env")"
		run talk plain "$RELAY_PORT" 'EHLO me' QUIT
		assert_contains "$output" 8BITMIME
	done
}

@test "feed: the same mail every time, in the size asked for" {
	local one two
	SERVER=$BATS_TEST_TMPDIR/one
	mkdir -p "$SERVER/mail" "$BATS_TEST_TMPDIR/two/mail"
	feed u INBOX 20 '~4000'
	feed u A/B 5 2000
	one=$(cd "$SERVER" && find . -type f | sort | xargs sha256sum)
	SERVER=$BATS_TEST_TMPDIR/two
	feed u INBOX 20 '~4000'
	feed u A/B 5 2000
	two=$(cd "$SERVER" && find . -type f | sort | xargs sha256sum)
	assert_eq "$one" "$two"
	cd "$BATS_TEST_TMPDIR/two/mail/u"
	assert_eq 20 "$(maildir_count .)"
	assert_eq 80000 "$(cat new/* | wc -c)"
	assert_eq 5 "$(maildir_count .A.B)"
	assert_eq 10000 "$(cat .A.B/new/* | wc -c)"
	[ -e .A.B/maildirfolder ]
	assert_eq 25 "$({ maildir_digest . && maildir_digest .A.B; } |
		sort -u | wc -l)" "different messages"
}

@test "feed: files as they are, flags, true sizes in names" {
	SERVER=$BATS_TEST_TMPDIR/d
	mkdir -p "$SERVER/mail"
	printf 'Subject: x\r\n\r\none\ntwo\r\n' >"$BATS_TEST_TMPDIR/file"
	cd "$BATS_TEST_TMPDIR"
	FLAGS=FS feed u INBOX file
	cd d/mail/u/cur
	cmp -- *,S=23,W=24:2,FS "$BATS_TEST_TMPDIR/file"
}

@test "maildir_digest: fails on litter" {
	mkdir -p "$BATS_TEST_TMPDIR/m"/{tmp,new,cur}
	run maildir_digest "$BATS_TEST_TMPDIR/m"
	assert_status 0
	: >"$BATS_TEST_TMPDIR/m/tmp/x"
	run maildir_digest "$BATS_TEST_TMPDIR/m"
	assert_status 1
}

@test "deps: silent when all is there, else one command to run" {
	local bin=$BATS_TEST_TMPDIR/bin
	run "$ROOT/tests/deps" build
	assert_status 0
	assert_eq "" "$output"
	run "$ROOT/tests/deps" everything
	assert_status 64
	mkdir "$bin"
	printf '#!/bin/sh\necho 1000\n' >"$bin/id"
	printf '#!/bin/sh\nexit 1\n' >"$bin/sudo"
	printf '#!/bin/sh\necho installed gcc; exit 1\n' >"$bin/dpkg-query"
	chmod +x "$bin"/*
	PATH=$bin:$PATH run "$ROOT/tests/deps" build
	assert_status 1
	assert_contains "$output" "
sudo apt-get install -y --no-install-recommends libc6-dev make "
}
