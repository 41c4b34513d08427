#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# Mail goes out through servers that are not ours, and arrives as it was queued;
# or it is refused, in each way and at each step, and what becomes of it then.

bats_require_minimum_version 1.5.0
load helper
load sending

BARE_OF='chunking, pipelining, 8bitmime, smtputf8, dsn, size, enhancedstatuscodes'

setup_file() {
	OAUTH=1 BARE=$BARE_OF start_postfix
}

TLS() {
	echo "submissions://localhost:$SUBMISSIONS_PORT"
}

# --- Postfix: ways in ---------------------------------------------------------

@test "Postfix: TLS and STARTTLS, each mechanism that is offered" {
	local url auth
	"$RIGS/postfix" token "$SERVER" ada >token
	: >"$LOG"
	for url in "$(TLS)" "submission://localhost:$SUBMISSION_PORT"; do
		for auth in scram-sha-256 scram-sha-1 cram-md5 plain login \
			oauthbearer xoauth2; do
			config "$url" "auth $auth" "token-command cat $PWD/token"
			printf 'Subject: %s\n\nbody\n' $auth | post bob@example.net
			deliver_quietly
			arrived_as_queued 1
			# The server agrees on what was used.
			grep -q "sasl_method=${auth^^}, sasl_username=ada\$" "$LOG"
			: >"$LOG"
		done
	done
	# Of itself, the strongest.
	config "$(TLS)"
	printf 'Subject: x\n\nbody\n' | post bob@example.net
	deliver_quietly
	arrived_as_queued 1
	grep -q 'sasl_method=SCRAM-SHA-256,' "$LOG"
}

@test "Postfix: one session and one login for all" {
	local i
	config "$(TLS)"
	: >"$LOG"
	for i in {1..20}; do
		printf 'Subject: %s\n\nbody %s\n' "$i" "$i" | post bob@example.net
	done
	deliver_quietly
	arrived_as_queued 20
	assert_eq 1 "$(grep -c 'smtpd.*: connect from' "$LOG")" connections
	assert_eq 20 "$(grep -c 'sasl_method=' "$LOG")" messages
}

@test "Postfix: bytes arrive as they were queued, by BDAT and by DATA" {
	local url
	for url in "$(TLS)" "submission://localhost:$SUBMISSION_PORT" \
		"submission+plain://localhost:$RELAY_PORT"; do
		config "$url"
		[[ $url != *plain* ]] || config "$url" 'auth none'
		post_awkward bob@example.net
		deliver_quietly
		arrived_as_queued 5
		config "$url" 'disable chunking'
		[[ $url != *plain* ]] || config "$url" 'auth none' \
			'disable chunking pipelining'
		post_awkward bob@example.net
		deliver_quietly
		arrived_as_queued 5
	done
}

@test "Postfix: without one extension, or without any" {
	local lack
	for lack in chunking pipelining 'chunking, pipelining' 8bitmime smtputf8 \
		enhancedstatuscodes "$BARE_OF"; do
		OAUTH=1 BARE=$lack "$RIGS/postfix" restart "$SERVER"
		config "submission://localhost:$BARE_PORT"
		post_awkward bob@example.net
		deliver_quietly
		if [[ $lack != *8bitmime* ]]; then
			arrived_as_queued 5
			continue
		fi
		# The 8-bit text is there, in other words.
		await_mail 5
		[ -z "$(grep -lP '[\x80-\xff]' "$MAILDIR"/new/*)" ]
		grep -qx 'caf=C3=A9' "$MAILDIR"/new/*
		grep -qx 'Content-Transfer-Encoding: quoted-printable' \
			"$MAILDIR"/new/*
		rm "$MAILDIR"/new/*
		# Not where it is signed.
		cat >signed <<-'END'
			Subject: signed
			MIME-Version: 1.0
			Content-Type: multipart/signed; boundary=b; protocol="x/y"; micalg=z

			--b
			Content-Type: text/plain; charset=utf-8
			Content-Transfer-Encoding: 8bit

			café
			--b
			Content-Type: x/y

			z
			--b--
		END
		post bob@example.net <signed
		deliver 69
		assert_contains "$stderr" "is signed or encrypted"
		assert_contains "$stderr" "8BITMIME"
		sendq --remove all
	done
}

@test "Postfix: an address in UTF-8; a domain in UTF-8 becomes an A-label" {
	local what
	OAUTH=1 BARE=smtputf8 "$RIGS/postfix" restart "$SERVER"
	config "$(TLS)"
	: >"$LOG"
	printf 'Subject: x\n\nbody\n' | post dörte@bücher.example
	deliver_quietly
	arrived_as_queued 1
	grep -q 'to=<dörte@bücher.example>.*status=sent' "$LOG"
	# The domain alone needs no SMTPUTF8, and its A-label is what all know.
	for what in "$(TLS)" "submission://localhost:$BARE_PORT"; do
		config "$what"
		: >"$LOG"
		printf 'To: bob@BÜCHER.example\nSubject: x\n\nbody\n' | post -t
		deliver_quietly
		await_mail 1
		grep -q 'to=<bob@xn--bcher-kva.example>.*status=sent' "$LOG"
		rm "$MAILDIR"/new/*
	done
	# A server that cannot: that recipient fails, another does not.
	printf 'Subject: x\n\nbody\n' | post dörte@example.net bob@example.net
	deliver 69
	assert_contains "$stderr" "the address <dörte@example.net> is in UTF-8"
	assert_contains "$stderr" SMTPUTF8
	await_mail 1
	grep -rq '^Final-Recipient: utf-8; dörte@example.net' reports/new
	rm "$MAILDIR"/new/*
}

# --- Postfix: refusals -----------------------------------------------------------

# Prints what the mail readers show of the one report, and that they agree.
read_report() {
	assert_eq 1 "$(maildir_count reports)" reports
	# Nobody types. It would ask for leave to make ~/Mail.
	mkfifo keys
	LC_ALL=C.UTF-8 TERM=xterm timeout 20 script -qec "mutt -n -R -F /dev/null \
		-e 'set wait_key=no pipe_decode=yes folder=$PWD' \
		-e 'push \"|cat >$PWD/by-mutt<enter>x\"' -f $PWD/reports" \
		/dev/null <>keys >screen 2>&1
	echo 'print 1' | LC_ALL=C.UTF-8 s-nail -n -\# -R -f "$PWD/reports" >by-snail 2>&1
	cat by-mutt
}

# Nothing waits.
queue_is_empty() {
	assert_eq 0 "$(find "$SPOOL/queue" -name '*.env' | wc -l)" queued
	expect 0 "$SENDQ" --config config --run
	assert_eq "" "$output$stderr"
}

# STATUS: what failed is tried once more.
deliver_again() {
	sendq --retry-now "$(basename "$SPOOL"/failed/*.env .env)"
	deliver "$1"
}

# N: so many messages wait for their next try, and another run makes none.
queue_has_waiting() {
	assert_eq "$1" "$("$SENDQ" --list --json | grep -c '"state":"deferred"')"
	expect 0 "$SENDQ" --config config --run
	assert_eq "" "$output$stderr"
}

@test "three recipients, one of whom is bad: two have it, one report tells" {
	local text part
	config "$(TLS)"
	printf 'To: many@example.net\nSubject: caf\303\251\n\nSECRET body\n' |
		post one@example.net nobody-two@example.net three@example.net
	deliver 69
	assert_contains "$stderr" "<nobody-two@example.net>: failed for good: 550 5.1.1"
	arrived_as_queued 2
	grep -q 'to=<one@example.net>.*status=sent' "$LOG"
	grep -q 'to=<three@example.net>.*status=sent' "$LOG"
	text=$(read_report)
	for part in "550 5.1.1" "nobody-two@example.net" "No" "such user" \
		"Not delivered to nobody-two@example.net: café" \
		"Final-Recipient: rfc822; nobody-two@example.net" \
		"Action: failed" "Status: 5.1.1" \
		"Subject: =?utf-8?B?Y2Fmw6k=?="; do
		assert_contains "$text" "$part"
	done
	for part in "was refused by localhost" "Subject: Not delivered to"; do
		assert_contains "$text" "$part"
		assert_contains "$(<by-snail)" "$part"
	done
	refute grep -q "SECRET\|one@\|three@" by-mutt
	# It is over, and kept: once more, for that one alone.
	queue_is_empty
	deliver_again 69
	assert_eq 0 "$(maildir_count "$MAILDIR")"
}

@test "a sender that is refused: for good, and for now" {
	config "$(TLS)" 'match *@example.org'
	printf 'Subject: x\n\nbody\n' | post -f nobody-me@example.org \
		one@example.net two@example.net
	deliver 69
	assert_contains "$stderr" "550 5.1.8"
	assert_eq 0 "$(maildir_count "$MAILDIR")"
	assert_eq 1 "$(maildir_count reports)" reports
	grep -q '^To: <nobody-me@example.org>' reports/new/*
	assert_eq 2 "$(grep -c '^Final-Recipient:' reports/new/*)"
	queue_is_empty
	printf 'Subject: x\n\nbody\n' | post -f later-me@example.org one@example.net
	deliver 75
	assert_contains "$stderr" "450 4.1.8"
	queue_has_waiting 1
	assert_eq 1 "$(maildir_count reports)" reports
}

@test "a content that is refused: it alone fails, what is behind it goes on" {
	local url
	for url in "$(TLS)" "submission://localhost:$BARE_PORT"; do
		rm -rf reports "$SPOOL"
		config "$url" 'match *@example.org'
		printf 'Subject: before\n\nx\n' | post bob@example.net
		printf 'Subject: x\nX-Refuse: like this\n\nx\n' |
			post one@example.net two@example.net
		printf 'Subject: y\n\nx\n' |
			post -f dot-nobody-me@example.org one@example.net
		printf 'Subject: z\n\nx\n' |
			post -f dot-later-me@example.org one@example.net
		printf 'Subject: after\n\nx\n' | post bob@example.net
		deliver 69
		assert_contains "$stderr" "550 5.7.1 like this"
		assert_contains "$stderr" "554 5.7.1"
		assert_contains "$stderr" "451 4.3.0"
		await_mail 2
		assert_eq "after before" "$(cat "$MAILDIR"/new/* |
			sed -n 's/^Subject: //p' | sort | paste -sd' ')"
		assert_eq 2 "$(maildir_count reports)" reports
		queue_has_waiting 1
		rm "$MAILDIR"/new/*
	done
}

@test "who is refused for now waits, and has it once the server takes it" {
	config "$(TLS)"
	printf 'Subject: x\n\nbody\n' |
		post later-one@example.net two@example.net full-three@example.net
	deliver 75
	assert_contains "$stderr" "450 4.2.0"
	assert_contains "$stderr" "452 4.2.2"
	arrived_as_queued 1
	queue_has_waiting 1
	# As before: they wait again.
	sendq --retry-now all
	deliver 75
	assert_eq 0 "$(maildir_count "$MAILDIR")"
	queue_has_waiting 1
	OAUTH=1 EXTRA='smtpd_recipient_restrictions = permit' \
		"$RIGS/postfix" restart "$SERVER"
	sendq --retry-now all
	deliver_quietly
	arrived_as_queued 2
	[ ! -e reports ] || assert_eq 0 "$(maildir_count reports)" reports
	OAUTH=1 "$RIGS/postfix" restart "$SERVER"
}

# --- other servers -----------------------------------------------------------------

@test "Exim: TLS, STARTTLS and each login; bytes as they were queued; refusals" {
	local auth url
	start_exim
	for url in "submissions://localhost:$SUBMISSIONS_PORT" \
		"submission://localhost:$SUBMISSION_PORT"; do
		for auth in plain login; do
			config "$url" "auth $auth" 'match *@example.org'
			post_awkward bob@example.net
			deliver_quietly
			arrived_as_queued 5
			grep -q "A=$auth:ada" "$LOG"
		done
	done
	printf 'Subject: x\n\nbody\n' |
		post one@example.net nobody-two@example.net later-three@example.net
	printf 'Subject: y\n\nx\n' |
		post -f dot-nobody-me@example.org one@example.net
	printf 'Subject: z\n\nx\n' |
		post -f dot-later-me@example.org one@example.net
	printf 'Subject: after\n\nbody\n' | post bob@example.net
	deliver 69
	await_mail 2
	assert_eq 2 "$(maildir_count reports)" reports
	queue_has_waiting 2
	stop_server
}

@test "OpenSMTPD: no CHUNKING, no PIPELINING, no login" {
	start_opensmtpd
	config "submission+plain://localhost:$RELAY_PORT" 'auth none'
	post_awkward bob@example.net
	deliver_quietly
	arrived_as_queued 5
	printf 'Subject: x\n\nbody\n' |
		post one@example.net nobody-two@example.net later-three@example.net
	deliver 69
	arrived_as_queued 1
	assert_eq 1 "$(maildir_count reports)" reports
	queue_has_waiting 1
	stop_server
}

@test "Dovecot's submission server in front of Postfix" {
	SUBMISSION=127.0.0.1:$RELAY_PORT start_dovecot
	config "submission://localhost:$SUBMISSION_PORT"
	post_awkward bob@example.net
	deliver_quietly
	HOPS=2 arrived_as_queued 5
	stop_server
}

@test "Dovecot by LMTP: each recipient has an outcome of its own" {
	LMTP=1 start_dovecot
	config "lmtp://localhost:$LMTP_PORT"
	post_awkward one@example.net
	deliver_quietly
	MAILDIR=$MAILROOT/one@example.net arrived_as_queued 5
	# One is refused; of those who are not, one cannot be delivered to.
	mkdir -m 700 "$MAILROOT/two@example.net"
	printf 'Subject: x\n\nbody\n' |
		post one@example.net two@example.net b=ad@example.net
	deliver 69
	assert_contains "$stderr" "<b=ad@example.net>: failed for good: 550 5.1.1"
	assert_contains "$stderr" "<two@example.net>: again in"
	MAILDIR=$MAILROOT/one@example.net arrived_as_queued 1
	assert_eq 1 "$(maildir_count reports)" reports
	queue_has_waiting 1
	chmod 777 "$MAILROOT/two@example.net"
	sendq --retry-now all # who was refused, too
	deliver 69
	MAILDIR=$MAILROOT/two@example.net arrived_as_queued 1
	assert_eq 0 "$(maildir_count "$MAILROOT/one@example.net")"
	stop_server
}

# --- large ones ------------------------------------------------------------------------

LIMIT=10000 # kB: the largest of all processes of a run, at its worst

# FILE ARGUMENT...: sendq, with that for standard input, under the limit.
in_little_memory() {
	local from=$1 kb
	shift
	/usr/bin/time -o peak -f %M "$SENDQ" --config config "$@" <"$from" \
		>said 2>&1 3>&- || fail "exit $?: $(<said)" || return
	assert_eq "" "$(<said)" said
	kb=$(tail -n 1 peak)
	[ "$kb" -lt "$LIMIT" ] || fail "$*: $kb kB" || return
	# A measure that misses the worker would pass, too.
	[ "$kb" -gt 3000 ] || fail "$*: only $kb kB?"
}

# MB: sends such a message; it arrives whole.
send_large() {
	head -c "$((750000 * $1))" /dev/urandom | base64 |
		cat <(printf 'Subject: large\n\n') - >large
	in_little_memory large -i bob@example.net
	rm -rf queued
	cp -rl "$SPOOL/queue" queued
	in_little_memory /dev/null --run
	arrived_as_queued 1
}

@test "30 MB: by BDAT and by DATA, in less than 10 MB of memory" {
	[ -z "${SANITIZED-}" ] || skip "a sanitizer takes memory of its own"
	config "$(TLS)"
	send_large 30
	config "submission://localhost:$SUBMISSION_PORT" 'disable chunking'
	send_large 30
}

@test "100 MB: in less than 10 MB of memory" {
	[ -z "${SANITIZED-}" ] || skip "a sanitizer takes memory of its own"
	config "$(TLS)"
	send_large 100
}
