#!/usr/bin/env bats
# What servers do wrong, and what the standards ask for, when mail is handed to
# them: tests/quirks/smtp/NAME.txt. Each transcript is played to sendq twice, as
# it stands and byte by byte, and both must end alike: exit code, words, and
# what is then true of every recipient.

load helper
load peer

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/tests/peer/peer"
	"$BATS_TEST_DIRNAME/../servers/certs" "$CERTS" >/dev/null
}

setup() {
	setup_env
	QUIRKS=$BATS_TEST_DIRNAME/../quirks/smtp
	WAYS=(whole bytes)
	local way
	for way in "${WAYS[@]}"; do
		mkdir "$BATS_TEST_TMPDIR/$way"
	done
}

teardown() {
	peer_stop
}

# --- playing ---------------------------------------------------------------

# PORT: what all transcripts are played to.
config() {
	cat <<-END
		account q
		    user ada
		    address ada@example.org
		    ${LOGIN-auth none}
		    smtp ${SCHEME-submission+plain}://127.0.0.1:$1
		    tls-ca $CERTS/ca.pem
		${ACCOUNT-}
		send q
		    hello client.example
		${SEND-}
	END
}

# WAY ARGUMENT...: sendq, in that way's own folder.
sendq() {
	local dir=$BATS_TEST_TMPDIR/$1
	shift
	(
		cd "$dir" || exit
		export XDG_STATE_HOME=$dir/state
		exec timeout 60 "$SENDQ" --config config "$@" 3>&-
	)
}

# [OPTION]... RCPT...: a message for the queue of both ways.
post() {
	printf 'Subject: test\n\nThis is a test.\n' | post_this "$@"
}

# The same, with the text on standard input.
post_this() {
	local way text
	text=$BATS_TEST_TMPDIR/text
	cat >"$text"
	for way in "${WAYS[@]}"; do
		[ -e "$BATS_TEST_TMPDIR/$way/config" ] ||
			config 1 >"$BATS_TEST_TMPDIR/$way/config"
		sendq "$way" -odq -i -f ada@example.org "$@" <"$text"
	done
}

# NAME [OPTION]...: plays it to `sendq --run`, both ways; what an earlier one
# left is still there. Around it may be set: SCHEME, LOGIN; ACCOUNT and SEND,
# more lines for the sections.
play() {
	local name=$1 way pids=() peers=() i
	shift
	for way in "${WAYS[@]}"; do
		begin "$way" "$name" "$@"
	done
	for i in "${!pids[@]}"; do
		finish "${WAYS[i]}" "${pids[i]}" "${peers[i]}"
	done
}

begin() {
	local way=$1 dir=$BATS_TEST_TMPDIR/$1 secret=()
	case $way in
	whole)	cat "$QUIRKS/$2.txt" ;;
	bytes)	sed '1i trickle 1
		/^connect$/a trickle 1' "$QUIRKS/$2.txt" ;;
	esac >"$dir/script"
	shift 2
	! grep -q '^secret-free' "$dir/script" ||
		secret=(-x open-sesame-42)
	peer_start "$dir/script" -t 60 -c "$CERTS/server.pem" "${secret[@]}"
	peers+=("$PEER_PID")
	config "$PEER_PORT" >"$dir/config"
	sendq "$way" "$@" --run </dev/null >"$dir/out" 2>"$dir/err" &
	pids+=($!)
	echo "$PEER_PORT" >"$dir/port"
}

finish() {
	local dir=$BATS_TEST_TMPDIR/$1 rc=0 i
	wait "$2" || rc=$?
	# The peer now knows all it will know.
	for ((i = 0; i < 500; i++)); do
		kill -0 "$3" 2>/dev/null || break
		sleep 0.01
	done
	[ $i -lt 500 ] || kill "$3"
	echo "$rc" >"$dir/rc"
	# What is chance: the port, names in the queue, and the jitter of times.
	sed -i "s/:$(<"$dir/port")/:PORT/g; s/[0-9a-f]\{8\}-[0-9a-f]\{8\}/ID/g
		s/again in [0-9a-z ]*/again in TIME/" "$dir/err"
	peer_wait "$3" || {
		cat "$dir/err" >&2
		return 1
	}
}

# CODE [WORDS]...: how it ended, and what it said; nothing at all when there
# are no WORDS.
ends() {
	local want=$1 way dir words
	shift
	for way in "${WAYS[@]}"; do
		dir=$BATS_TEST_TMPDIR/$way
		[ "$(<"$dir/rc")" -eq "$want" ] ||
			fail "$way: exit $(<"$dir/rc"): $(<"$dir/err")"
		[ $# -gt 0 ] || assert_eq "" "$(<"$dir/err")" "$way"
		for words; do
			assert_contains "$(<"$dir/err")" "$words"
		done
	done
	cmp "$BATS_TEST_TMPDIR"/{whole,bytes}/err
}

# WAY: what is true of each recipient, "NAME STATE", in alphabetical order:
# from the log of what is over, and the histories of what is not.
fates() {
	local spool=$BATS_TEST_TMPDIR/$1/state/mailroom/sendq file
	{
		# TIME ID ACCOUNT SENDER RCPT sent|failed REPLY
		[ ! -e "$spool/log" ] ||
			awk '{ sub(/@.*/, "", $5); print $5, $6 }' "$spool/log"
		for file in "$spool"/queue/*.env; do
			[ ! -e "$file" ] || history "$file"
		done
	} | sort
}

# FILE: the last event of each recipient; none: "waiting".
history() {
	awk '
	$1 == "rcpt" { sub(/@.*/, "", $2); name[++n] = $2; last[n] = "waiting" }
	$1 == "end" { events = 1; next }
	events && $2 != "reported" && $3 ~ /^[0-9:,]+$/ {
		k = split($3, part, ",")
		for (i = 1; i <= k; i++) {
			split(part[i], end, ":")
			if (end[2] == "")
				end[2] = end[1]
			for (j = end[1]; j <= end[2]; j++)
				last[j] = $2 == "unsent" ? "waiting" : $2
		}
	}
	END { for (i = 1; i <= n; i++) print name[i], last[i] }' "$1"
}

# ["NAME STATE"]...: of all recipients, in alphabetical order.
fate() {
	local way
	for way in "${WAYS[@]}"; do
		assert_eq "$(printf '%s\n' "$@")" "$(fates "$way")" "$way"
	done
}

# pause|login: why the account has to wait.
account_waits() {
	local way
	for way in "${WAYS[@]}"; do
		assert_eq "$1" "$(awk '{ print $2 }' \
			"$BATS_TEST_TMPDIR/$way/state/mailroom/sendq/accounts/q" |
			grep -x 'pause\|login' | tail -n 1)" "$way"
	done
}

# A message of so many octets, and more.
large() {
	printf 'Subject: large\n\n'
	head -c "$1" /dev/zero | tr '\0' x | fold -w 70
	echo
}

# A command that gives another token each time.
tokens() {
	echo "token-command sh -c 'echo x >>asked; [ \$(wc -l <asked) -gt 1 ] && echo tok-two || echo tok-one'"
}

password='password-command echo open-sesame-42'
one=one@example.net two=two@example.net three=three@example.net

@test "every transcript has its name and is played" {
	local file name
	for file in "$QUIRKS"/*.txt; do
		name=${file#"$QUIRKS/"}
		head -n 1 "$file" | grep -q '^quirk: .' ||
			fail "$name: no quirk in its first line"
		grep -q "play ${name%.txt}\( \|\$\)" "$BATS_TEST_FILENAME" ||
			fail "$name: played by no test"
	done
}

# --- flights -----------------------------------------------------------------

@test "CHUNKING: all of a batch in one flight" {
	post $one
	post $two $three
	post four@example.net
	play chunking
	ends 0
	fate 'four sent' 'one sent' 'three sent' 'two sent'
}

@test "PIPELINING: a turn for each message" {
	post $one
	post $two $three
	play pipelining
	ends 0
	fate 'one sent' 'three sent' 'two sent'
}

@test "neither: a command at a time" {
	post $one
	post $two $three
	play strict
	ends 0
	fate 'one sent' 'three sent' 'two sent'
}

@test "neither: nothing goes behind MAIL" {
	post $one
	play strict-mail
	ends 75 'server says: 421 later'
	fate 'one waiting'
}

@test "neither: nothing goes behind RCPT" {
	post $one $two
	play strict-rcpt
	ends 75 'server says: 421 later'
	fate 'one waiting' 'two waiting'
}

@test "CHUNKING without PIPELINING" {
	post $one
	play chunking-strict
	ends 0
	fate 'one sent'
}

@test "the keyword disable" {
	post $one
	SEND='    disable chunking' play disabled
	ends 0
	fate 'one sent'
}

# --- what servers offer --------------------------------------------------------

@test "HELO only" {
	post $one
	play helo
	ends 0
	fate 'one sent'
}

@test "a middlebox writes over EHLO" {
	post $one
	play ehlo-xxxx
	ends 0
	fate 'one sent'
}

@test "Yahoo: 8 BITMIME" {
	printf 'Subject: test\n\ncaf\xc3\xa9\n' | post_this $one
	play yahoo-8-bitmime
	ends 0
	fate 'one sent'
}

@test "SIZE 0" {
	post $one
	play size-zero
	ends 0
	fate 'one sent'
}

@test "SIZE without a number" {
	post $one
	play size-absent
	ends 0
	fate 'one sent'
}

@test "larger than SIZE" {
	large 10000 | post_this $one
	post $two
	play size-small
	ends 69 'octets, and the server takes 9999'
	fate 'one failed' 'two sent'
}

@test "no 8BITMIME: quoted-printable" {
	printf '%s\n' 'Subject: test' 'MIME-Version: 1.0' \
		'Content-Type: text/plain; charset=utf-8' \
		'Content-Transfer-Encoding: 8bit' '' $'caf\xc3\xa9' |
		post_this $one
	play no-8bitmime
	ends 0
	fate 'one sent'
}

@test "no 8BITMIME: what is signed fails" {
	printf '%s\n' 'Subject: test' 'MIME-Version: 1.0' \
		'Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"' \
		'' --b 'Content-Type: text/plain; charset=utf-8' \
		'Content-Transfer-Encoding: 8bit' '' $'caf\xc3\xa9' --b \
		'Content-Type: application/pgp-signature' '' x --b-- |
		post_this $one
	post $two
	play no-8bitmime.signed
	ends 69 'signed or encrypted, and the server does not offer 8BITMIME'
	fate 'one failed' 'two sent'
}

@test "dots" {
	printf 'Subject: test\n\n.\n..two\n. \nlast\n' | post_this $one
	play dots
	ends 0
	fate 'one sent'
}

@test "DSN" {
	post -N success,failure -R hdrs -V q+1 $one
	play dsn
	ends 0
	fate 'one sent'
}

@test "SMTPUTF8 for a local part" {
	post jörg@bücher.example
	play smtputf8
	ends 0
	fate 'jörg sent'
}

@test "a domain beyond ASCII needs no SMTPUTF8" {
	post one@bücher.example
	play smtputf8-domain
	ends 0
	fate 'one sent'
}

@test "no SMTPUTF8: a local part beyond ASCII fails" {
	post $one jörg@bücher.example
	play smtputf8-missing
	ends 69 'is in UTF-8, and the server does not offer SMTPUTF8'
	fate 'jörg failed' 'one sent'
}

@test "LIMITS MAILMAX" {
	post $one
	post $two
	post $three
	play mailmax
	ends 0
	fate 'one sent' 'three sent' 'two sent'
}

@test "LIMITS RCPTMAX and RCPTDOMAINMAX" {
	post $one two@EXAMPLE.net $three four@example.com
	play rcptmax
	ends 0
	fate 'four sent' 'one sent' 'three sent' 'two sent'
}

# --- logging in ------------------------------------------------------------------

@test "AUTH in odd lines" {
	post $one
	LOGIN=$password play auth-lines
	ends 0
	fate 'one sent'
}

@test "AUTH LOGIN in the server's own words" {
	post $one
	LOGIN=$password play login-words
	ends 0
	fate 'one sent'
}

@test "a long token" {
	post $one
	LOGIN='token-command printf %2000s | tr " " t' play long-token
	ends 0
	fate 'one sent'
}

@test "XOAUTH2 refused, and a new token" {
	post $one
	LOGIN=$(tokens) play xoauth2-error
	ends 0
	fate 'one sent'
}

@test "Gmail: 454 4.7.0, too many logins" {
	post $one
	LOGIN=$password play gmail-logins
	ends 75 'Too many login attempts'
	fate 'one waiting'
	account_waits login
}

@test "Gmail: 454 4.5.0 for what comes behind STARTTLS" {
	post $one
	SCHEME=submission play gmail-starttls
	ends 0
	fate 'one sent'
}

@test "STARTTLS is not offered" {
	post $one
	LOGIN=$password SCHEME=submission play starttls-missing
	ends 77 'TLS is required, but server does not offer STARTTLS'
	fate 'one waiting'
}

@test "Exchange Online: 535 5.7.139" {
	post $one
	LOGIN=$password play exchange-login-disabled
	ends 77 'set token-command'
	fate 'one waiting'
	account_waits login
}

@test "Exchange Online: 550 5.7.30" {
	post $one
	LOGIN=$password play exchange-basic-gone
	ends 77 'set token-command'
	fate 'one waiting'
	account_waits login
}

@test "Exchange Online: 530 5.7.57" {
	post $one
	play exchange-not-authenticated
	ends 77 'Client not authenticated' 'user and auth'
	fate 'one waiting'
	account_waits login
}

@test "-vv shows no secret" {
	local way
	post $one
	LOGIN=$password play no-secret-in-trace -v -v
	for way in "${WAYS[@]}"; do
		assert_eq 0 "$(<"$BATS_TEST_TMPDIR/$way/rc")"
		grep -q 'AUTH PLAIN \*\*\*' "$BATS_TEST_TMPDIR/$way/err"
		grep -q 'RCPT TO:<one@example.net>' "$BATS_TEST_TMPDIR/$way/err"
		assert_eq 0 "$(grep -c "open-sesame\|$(printf '\0ada\0open-sesame-42' |
			base64)" "$BATS_TEST_TMPDIR/$way/err")"
	done
}

# --- what the account is refused for ---------------------------------------------

@test "the greeting is 554" {
	post $one
	play greeting-554
	ends 69 'no SMTP service here'
	fate 'one waiting'
	account_waits pause
}

@test "the greeting is 421" {
	post $one
	play greeting-421
	ends 75 'too busy'
	fate 'one waiting'
	account_waits pause
}

@test "Gmail: 550 5.4.5, a day" {
	post $one
	post $two
	play gmail-daily
	ends 75 'Daily user sending limit exceeded'
	fate 'one sent' 'two waiting'
	account_waits pause
}

@test "Exchange Online: 432 4.3.2 at DATA" {
	post $one
	play exchange-concurrent
	ends 75 'thread limit exceeded'
	fate 'one waiting'
	account_waits pause
}

@test "Exchange Online: 554 5.2.0" {
	post $one
	play exchange-quota
	ends 75 'SubmissionQuotaExceeded'
	fate 'one waiting'
	account_waits pause
}

@test "Amazon SES: 454, the rate" {
	post $one
	play ses-rate
	ends 75 'Maximum sending rate exceeded'
	fate 'one waiting'
	account_waits pause
}

@test "Amazon SES: 454, the day" {
	post $one
	play ses-daily
	ends 75 'Daily message quota exceeded'
	fate 'one waiting'
	account_waits pause
}

@test "Yahoo: 421 4.7.0 [TSS04]" {
	post $one
	post $two
	play yahoo-tss04
	ends 75 'TSS04'
	fate 'one waiting' 'two waiting'
	account_waits pause
}

@test "so many messages a session, and 421" {
	post $one
	post $two
	play session-messages
	ends 0
	fate 'one sent' 'two sent'
}

# --- what a message or a recipient is refused for -----------------------------------

@test "too many recipients, BDAT" {
	post $one $two $three
	play gmail-100-recipients
	ends 0
	fate 'one sent' 'three sent' 'two sent'
}

@test "too many recipients, DATA" {
	post $one $two $three
	play too-many-recipients-data
	ends 0
	fate 'one sent' 'three sent' 'two sent'
}

@test "one recipient is refused" {
	post $one $two $three
	play one-refused
	ends 69 'two: no such user'
	fate 'one sent' 'three sent' 'two failed'
}

@test "greylisted" {
	post $one $two
	play greylisted
	ends 75 'Greylisted'
	fate 'one deferred' 'two sent'
}

@test "MAIL is refused" {
	post $one
	post $two
	play mail-refused
	ends 69 'not from you'
	fate 'one failed' 'two sent'
}

@test "all recipients are refused" {
	post $one
	post $two
	play all-refused
	ends 69 'no such user'
	fate 'one failed' 'two sent'
}

@test "all recipients are refused, and 354" {
	post $one
	post $two
	play all-refused-354
	ends 69 'no such user'
	fate 'one failed' 'two sent'
}

@test "refused at its end" {
	post $one $two
	play content-refused
	ends 69 'looks like spam'
	fate 'one failed' 'two failed'
}

@test "refused in the middle, and closed" {
	large 20000000 | post_this $one
	play refused-in-data
	ends 69 'message too big'
	fate 'one failed'
}

@test "LMTP" {
	post $one $two $three
	LOGIN='' SCHEME=lmtp play lmtp
	ends 69 'no such user' 'over quota'
	fate 'one sent' 'three deferred' 'two failed'
}

@test "LMTP with CHUNKING" {
	post $one $two
	LOGIN='' SCHEME=lmtp play lmtp-chunking
	ends 69 'does not want it'
	fate 'one sent' 'two failed'
}

# --- out of step -------------------------------------------------------------------

@test "Exim: synchronization error" {
	post $one
	play exim-sync
	ends 0
	fate 'one sent'
}

@test "a command is swallowed" {
	post $one
	play pipelining-broken
	ends 0
	fate 'one sent'
}

@test "BDAT is offered and not known" {
	post $one
	play bdat-unknown
	ends 0
	fate 'one sent'
}

@test "nonsense for a reply" {
	post $one
	play nonsense
	ends 0
	fate 'one sent'
}

@test "QUIT hangs" {
	post $one
	play quit-hangs
	ends 0
	fate 'one sent'
}

# --- lost connections -----------------------------------------------------------------

@test "lost behind the last octet: in doubt" {
	local way
	printf 'Message-ID: <the.same@example.org>\nSubject: x\n\nx\n' |
		post_this $one
	play lost-reply
	ends 75 'nobody knows whether it was sent'
	fate 'one uncertain'
	for way in "${WAYS[@]}"; do
		sendq "$way" -odq --retry-now all
	done
	play lost-reply.again
	ends 0
	fate 'one sent'
}

@test "lost behind the last octet: held" {
	local way
	post $one
	SEND='    uncertain hold' play lost-reply
	ends 75 'nobody knows whether it was sent (held)'
	fate 'one uncertain'
	for way in "${WAYS[@]}"; do
		run sendq "$way" --run
		assert_status 0
		assert_eq '' "$output"
	done
}

@test "lost before the last octet: no doubt" {
	large 20000000 | post_this $one
	play lost-before-end
	ends 75 'server says: 421 later'
	fate 'one waiting'
}

@test "no reply: in doubt, after the time that is allowed" {
	post $one
	ACCOUNT='    timeout 1s' play stalled
	ends 75 'no reply to BDAT from 127.0.0.1:PORT for 1 s'
	fate 'one uncertain'
}
