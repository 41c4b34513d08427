#!/usr/bin/env bats
# What servers do wrong, and what the standards ask for, one transcript each:
# tests/quirks/{pop3,imap}/NAME.txt. Each is played to fetchd twice, as it
# stands and byte by byte, and both must end alike: exit code, words, mail.

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
	QUIRKS=$BATS_TEST_DIRNAME/../quirks
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

# The transcript as it is played in that way. `trickle` in it is for bytes that
# are too many to come one by one.
script_of() {
	case $1 in
	whole)	sed '/^trickle /d' "$2" ;;
	bytes)	sed '1i trickle 1
		/^connect$/a trickle 1' "$2" ;;
	esac
}

# WAY PROTO: what all transcripts are played to.
config() {
	cat <<-END
		account q
		    user ${ACCOUNT_USER-ada}
		    password-command echo ${PASSWORD-open-sesame-42}
		    $2 ${SCHEME-$2+plain}://127.0.0.1:$PEER_PORT
		    tls-ca $CERTS/ca.pem
		${ACCOUNT-}
		fetch q
		    from ${FROM-$2}
		    deliver ${DELIVER-maildir Mail}
		${FETCH-}
	END
}

# PROTO/NAME [OPTION]...: plays it to fetchd, both ways; what an earlier one
# left is still there. Around it may be set: SCHEME, PASSWORD, DELIVER; ACCOUNT
# and FETCH, more lines for the sections; PEER_OPTIONS.
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
	local way=$1 name=$2 dir=$BATS_TEST_TMPDIR/$1 secret=()
	shift 2
	script_of "$way" "$QUIRKS/$name.txt" >"$dir/script"
	! grep -q '^secret-free' "$dir/script" ||
		secret=(-x open-sesame-42)
	# shellcheck disable=SC2086 # several words
	peer_start "$dir/script" -t 60 -c "$CERTS/server.pem" \
		"${secret[@]}" ${PEER_OPTIONS-}
	peers+=("$PEER_PID")
	config "$way" "${name%%/*}" >"$dir/config"
	(
		cd "$dir" || exit
		export XDG_STATE_HOME=$dir/state
		exec timeout 60 "$FETCHD" -c config "$@" q \
			</dev/null >out 2>err 3>&-
	) &
	pids+=($!)
	echo "$PEER_PORT" >"$dir/port"
}

# With KILL_AFTER=N, kills it with its worker when N messages are there.
finish() {
	local dir=$BATS_TEST_TMPDIR/$1 rc=0 i
	for ((i = 0; KILL_AFTER > 0 && i < 1000; i++)); do
		sleep 0.01
		[ "$(maildir_count "$dir/Mail")" -lt "$KILL_AFTER" ] && continue
		kill -9 -- "-$2" # timeout's own group
		break
	done
	wait "$2" || rc=$?
	# The peer now knows all it will know.
	for ((i = 0; i < 500; i++)); do
		kill -0 "$3" 2>/dev/null || break
		sleep 0.01
	done
	[ $i -lt 500 ] || kill "$3"
	echo "$rc" >"$dir/rc"
	sed -i "s/:$(<"$dir/port")/:PORT/g" "$dir/err"
	peer_wait "$3" || {
		cat "$dir/err" >&2
		return 1
	}
}

# CODE [WORDS]...: how fetchd ended, and what it said; nothing at all when
# there are no WORDS.
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
	[ -n "${MAY_DIFFER-}" ] || cmp "$BATS_TEST_TMPDIR"/{whole,bytes}/err
}

# [SUBJECT]...: all mail that is there, in alphabetical order.
has() {
	local way
	for way in "${WAYS[@]}"; do
		assert_eq "$*" "$(subjects "$BATS_TEST_TMPDIR/$way/Mail")" \
			"$way"
		maildir_digest "$BATS_TEST_TMPDIR/$way/Mail" \
			>"$BATS_TEST_TMPDIR/$way/mail"
	done
	cmp "$BATS_TEST_TMPDIR"/{whole,bytes}/mail
}

# A command that gives another token each time.
tokens() {
	echo "sh -c 'echo x >>asked; [ \$(wc -l <asked) -gt 1 ] && echo tok-two || echo tok-one'"
}

subjects() {
	find "$1" -type f -exec awk '/^Subject: / { print $2; exit }' {} \; |
		sort -V | paste -sd ' '
}

# All that the only message is must come on standard input.
is_exactly() {
	local way file
	cat >"$BATS_TEST_TMPDIR/want"
	for way in "${WAYS[@]}"; do
		file=$(find "$BATS_TEST_TMPDIR/$way/Mail" -type f)
		cmp "$BATS_TEST_TMPDIR/want" "$file"
	done
}

@test "every transcript has its name and is played" {
	local file name
	for file in "$QUIRKS"/{pop3,imap}/*.txt; do
		name=${file#"$QUIRKS/"}
		head -n 1 "$file" | grep -q '^quirk: .' ||
			fail "$name: no quirk in its first line"
		grep -q "play ${name%.txt}\( \|\$\)" "$BATS_TEST_FILENAME" ||
			fail "$name: played by no test"
	done
}

# --- POP3 --------------------------------------------------------------------

keep_never='    keep never'

@test "pop3: Gmail ignores DELE" {
	FETCH=$keep_never play pop3/gmail-ignores-dele
	ends 0
	has one two
	FETCH=$keep_never play pop3/gmail-ignores-dele.again
	ends 0
	has one two
}

@test "pop3: a UIDL is given again to another message" {
	FETCH=$keep_never play pop3/uidl-reused
	ends 0
	has one two
	FETCH=$keep_never play pop3/uidl-reused.again
	ends 0
	has one three two
}

@test "pop3: Gmail hides what was retrieved: no QUIT when it was not stored" {
	FETCH='    filter sed /two/q75' play pop3/gmail-hides-retrieved
	ends 75 "message u2: 'sed /two/q75': exited with 75" 'it stays on the server'
	has one
	play pop3/gmail-hides-retrieved.again
	ends 0
	has one two
}

@test "pop3: Gmail hides what was retrieved: deletions get their own session" {
	FETCH="    filter sed /two/q75
$keep_never" play pop3/gmail-hides-retrieved-delete
	ends 75 "message u2: 'sed /two/q75': exited with 75"
	has one
}

@test "pop3: Gmail lists part of the mailbox in a session" {
	play pop3/gmail-lists-part
	ends 0
	has one three two
}

@test "pop3: Gmail's recent: never deletes" {
	ACCOUNT_USER=recent:ada FETCH=$keep_never play pop3/gmail-recent
	ends 0
	has one
}

@test "pop3: Exchange wants XOAUTH2 in two steps" {
	ACCOUNT='    token-command echo tok-one' play pop3/exchange-two-steps
	ends 0
	has one
}

@test "pop3: Exchange throttles" {
	play pop3/exchange-throttled
	ends 75 'Request is throttled'
}

@test "pop3: Exchange is authenticated but not connected" {
	play pop3/exchange-not-connected
	ends 75 'User is authenticated but not connected'
}

@test "pop3: Exchange's LIST sizes are wrong" {
	play pop3/exchange-sizes
	ends 0
	has one three two
}

@test "pop3: Exchange glues the final dot to the last line" {
	play pop3/exchange-glued-dot -o timeout=1s
	ends 75 'no answer from 127.0.0.1:PORT for 1 s'
	has one
	play pop3/exchange-glued-dot.again -o timeout=1s
	ends 75 'no answer from 127.0.0.1:PORT for 1 s'
	has one three
}

@test "pop3: sizes of zero, -1 and nonsense" {
	play pop3/sizes-absurd
	ends 0
	has one three two
}

@test "pop3: there is no UIDL" {
	play pop3/uidl-absent
	ends 0
	has one two
	play pop3/uidl-absent.again
	ends 0
	has one three two
}

@test "pop3: there is no UIDL, and the state was lost" {
	play pop3/uidl-absent
	rm -r "$BATS_TEST_TMPDIR"/{whole,bytes}/state
	play pop3/uidl-absent-lost-state
	ends 0
	play pop3/uidl-absent-lost-state
	ends 0
	has one two
}

@test "pop3: there is neither UIDL nor TOP" {
	play pop3/uidl-absent-no-top
	ends 0
	has one two
	play pop3/uidl-absent-no-top
	ends 0
	has one two
}

@test "pop3: a UIDL stands twice" {
	play pop3/uidl-duplicated
	ends 0
	has one three two
	play pop3/uidl-duplicated.again
	ends 0
	has four one three two
}

@test "pop3: Comcast's blanks in UIDL lines" {
	play pop3/uidl-spaces
	ends 0
	has one two
	play pop3/uidl-spaces.again
	ends 0
}

@test "pop3: all UIDLs are others after a migration" {
	play pop3/uidl-migrated
	ends 0
	has m{1..20}
	play pop3/uidl-migrated.again
	ends 0
	has m{1..21}
	play pop3/uidl-migrated.third
	ends 0
	has m{1..21}
}

@test "pop3: all UIDLs are others and nothing is recognised" {
	play pop3/uidl-migrated
	play pop3/uidl-unrecognised
	ends 65 'none of the 20 messages fetched before is recognised' \
		'fetchd --allow-refetch q'
	has m{1..20}
	play pop3/uidl-unrecognised.allowed --allow-refetch
	ends 0
	has m{1..20} n{1..20}
}

@test "pop3: CAPA makes the server hang up" {
	play pop3/capa-hangup
	ends 0
	has one
}

@test "pop3: CAPA makes the server hang up, and STLS is required" {
	SCHEME=pop3 play pop3/capa-hangup-stls
	ends 0
	has one
}

@test "pop3: CAPA is not known" {
	play pop3/capa-unknown
	ends 0
	has one
}

@test "pop3: capabilities are those behind the login" {
	play pop3/capa-after-login
	ends 0
	has one three two
}

@test "pop3: TOP truncates, and never stands for RETR" {
	play pop3/top-truncates
	ends 0
	has one
}

@test "pop3: bytes behind the reply to STLS" {
	SCHEME=pop3 play pop3/stls-injection
	# Byte by byte, it is TLS that finds them.
	MAY_DIFFER=1 ends 77 ' '
	grep -q 'sent more behind the reply to STLS' \
		"$BATS_TEST_TMPDIR/whole/err"
}

@test "pop3: bytes behind the reply to STLS, later" {
	SCHEME=pop3 play pop3/stls-injection-late
	MAY_DIFFER=1 ends 77 'TLS failed'
}

@test "pop3: STLS is not offered" {
	SCHEME=pop3 play pop3/stls-missing
	ends 77 'TLS is required, but server does not offer STLS'
}

@test "pop3: STLS is refused" {
	SCHEME=pop3 play pop3/stls-refused
	ends 77 'TLS is required' 'not today'
}

@test "pop3: what was said before STLS is forgotten" {
	SCHEME=pop3 play pop3/stls
	ends 0
	has one
}

@test "pop3: a certificate for another host" {
	PEER_OPTIONS="-c $CERTS/wronghost.pem" SCHEME=pop3s \
		play pop3/wrong-host
	ends 77 127.0.0.1 wronghost.example
}

@test "pop3: a dot line between bare LFs is text" {
	play pop3/dot-bare-lf
	ends 0
	has one two
	rm "$(grep -l 'Subject: two' -r "$BATS_TEST_TMPDIR/whole/Mail")" \
		"$(grep -l 'Subject: two' -r "$BATS_TEST_TMPDIR/bytes/Mail")"
	printf 'Subject: one\n\nfirst\n.\n-ERR second\nthird\r.\n%s%s%s' \
		$'fourth\n.\n+OK fifth\n' $'.\n..\nsixth\n..\n' $'\n' |
		is_exactly
}

@test "pop3: every byte is kept" {
	local way
	head -c 200000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
	for way in "${WAYS[@]}"; do
		cp "$BATS_TEST_TMPDIR/long" "$BATS_TEST_TMPDIR/$way/long"
	done
	play pop3/awkward-bytes
	ends 0
	{
		printf 'Subject: one\nX-8bit: caf\xe9 \xff\n\n'
		printf 'a\rb\r\rc\r\nnul \0 here\0\nblanks  \t \n\n\n'
		cat "$BATS_TEST_TMPDIR/long"
		printf '\nFrom here\n'
	} | is_exactly
}

@test "pop3: [IN-USE]" {
	play pop3/in-use
	ends 75 'Do you have another POP session running?'
}

@test "pop3: [LOGIN-DELAY]" {
	play pop3/login-delay
	ends 75 'minimum time between mail checks'
}

@test "pop3: [SYS/TEMP]" {
	play pop3/sys-temp
	ends 75 'the password is fine, the disk is not'
}

@test "pop3: [SYS/PERM]" {
	play pop3/sys-perm
	ends 69 'mailbox too old, call us'
}

@test "pop3: [AUTH]" {
	play pop3/auth-code
	ends 77 'temporarily we do not like you'
}

@test "pop3: a login refused without a code" {
	play pop3/auth-no-code
	ends 77 'no such user or wrong password'
}

@test "pop3: the server greets with -ERR" {
	play pop3/greeting-err
	ends 75 'too many connections from you'
	play pop3/greeting-perm
	ends 69 'this service is closed for good'
}

@test "pop3: no PIPELINING, no pipelining" {
	play pop3/no-pipelining
	ends 75 'closed the connection instead of answering RETR 1'
}

@test "pop3: no PIPELINING, one DELE at a time" {
	FETCH=$keep_never play pop3/no-pipelining-delete
	ends 75 'closed the connection instead of answering DELE 1'
}

@test "pop3: Courier: nothing goes behind PASS" {
	play pop3/nothing-behind-pass
	ends 75 'closed the connection instead of answering PASS'
}

@test "pop3: PIPELINING is used where it is offered" {
	FETCH=$keep_never play pop3/pipelining
	ends 0
	has one three two
}

@test "pop3: a lost QUIT: the next run deletes without fetching" {
	FETCH=$keep_never play pop3/lost-quit
	MAY_DIFFER=1 ends 75 'before the answer to QUIT'
	has one two
	FETCH=$keep_never play pop3/lost-quit.again
	ends 0
	has one three two
}

@test "pop3: a lost QUIT, and the messages are gone" {
	FETCH=$keep_never play pop3/lost-quit
	FETCH=$keep_never play pop3/lost-quit-done
	ends 0
	has one three two
}

@test "pop3: QUIT is refused" {
	FETCH=$keep_never play pop3/quit-refused
	ends 75 'some deleted messages not removed'
	has one
}

@test "pop3: RETR is answered -ERR" {
	FETCH=$keep_never play pop3/retr-err
	ends 75 'message u2: RETR: server says: cannot open message'
	has one three
	FETCH=$keep_never play pop3/retr-err.again
	ends 75 'message u2: RETR: server says: cannot open message'
	has four one three
}

@test "pop3: RETR is answered -ERR in a pipeline" {
	play pop3/retr-err-pipelined
	ends 69 'message u2: RETR: server says: [SYS/PERM] no'
	has one three
}

@test "pop3: DELE is answered -ERR" {
	FETCH=$keep_never play pop3/dele-err
	ends 75 'message u1: DELE: server says: no way'
	has one two
}

@test "pop3: the connection is cut inside a message" {
	play pop3/cut-in-retr
	ends 75 'in the middle of RETR 2'
	has one
	play pop3/cut-in-retr.again
	ends 0
	has one two
}

@test "pop3: the connection is cut inside a message for an MDA" {
	DELIVER='pipe cat >>got' play pop3/cut-in-retr
	ends 75 'in the middle of RETR 2'
	DELIVER='pipe cat >>got' play pop3/cut-in-retr.again
	ends 0
	for way in "${WAYS[@]}"; do
		printf 'Subject: %s\n\nThis is %s.\n' one one two two |
			cmp - "$BATS_TEST_TMPDIR/$way/got"
	done
}

@test "pop3: the connection is cut before the end of the final dot" {
	play pop3/cut-before-dot
	ends 75 'in the middle of RETR 1'
	has
}

@test "pop3: fetchd is killed after some of the messages" {
	KILL_AFTER=3 play pop3/killed
	ends 137
	assert_eq "m1 m2 m3" "$(subjects "$BATS_TEST_TMPDIR/whole/Mail/new")"
	play pop3/killed.again
	ends 0
	has m{1..6}
}

@test "pop3: a filter exits 75 on one message" {
	FETCH='    filter sed /two/q75' play pop3/filter-refuses
	ends 75 "message u2: 'sed /two/q75': exited with 75"
	has one three
	play pop3/filter-refuses.again
	ends 0
	has one three two
}

@test "pop3: an MDA exits 75 on one message" {
	DELIVER='pipe sed -n "/two/q75;w got"' play pop3/filter-refuses
	ends 75 "message u2:" "exited with 75"
}

@test "pop3: an MDA hangs" {
	DELIVER='pipe sleep 30' FETCH='    command-timeout 1s' \
		play pop3/mda-hangs
	ends 75 "message u1: 'sleep 30': "
}

@test "pop3: a token is refused behind '+', and renewed once" {
	ACCOUNT="    token-command $(tokens)" play pop3/oauth-error
	ends 0
	has one
}

@test "pop3: a second token is refused too" {
	ACCOUNT='    token-command echo tok' play pop3/oauth-refused-twice
	ends 77 'token refused (401)' 'Authentication failed'
}

@test "pop3: an initial response over 255 octets waits" {
	ACCOUNT="    token-command echo $(printf 't%.0s' {1..220})" \
		play pop3/long-initial-response
	ends 0
	has one
}

@test "pop3: EXTERNAL" {
	SCHEME=pop3s ACCOUNT="    tls-certificate $CERTS/client.pem
    tls-key $CERTS/client.key
    auth external" PEER_OPTIONS="-a $CERTS/ca.pem" \
		play pop3/external
	ends 0
	has one
}

@test "pop3: '*' cancels an exchange" {
	ACCOUNT='    auth login' play pop3/sasl-cancelled
	ends 76 'challenge is not base64'
}

@test "pop3: SCRAM, and SASLprep" {
	PASSWORD=$'ca\xc2\xadf\xc3\xa9-42' play pop3/scram
	ends 0
	has one
}

@test "pop3: SCRAM bound to TLS" {
	SCHEME=pop3s play pop3/scram-plus
	ends 0
	has one
}

@test "pop3: SCRAM: the server's signature is wrong" {
	play pop3/scram-bad-signature
	ends 77 signature
	has
}

@test "pop3: SCRAM: the server gives no proof" {
	play pop3/scram-no-signature
	ends 77 'without proving that it knows the password'
	has
}

@test "pop3: SCRAM: the nonce is not ours" {
	play pop3/scram-foreign-nonce
	ends 76 nonce
}

@test "pop3: SCRAM: too few iterations" {
	play pop3/scram-few-iterations
	ends 77 iteration
}

@test "pop3: SCRAM: too many iterations" {
	play pop3/scram-many-iterations
	ends 77 iteration
}

@test "pop3: UTF8 is not sent unasked" {
	play pop3/utf8-unasked
	ends 0
	printf 'Subject: caf\xc3\xa9\n\nx\n' | is_exactly
}

@test "pop3: EXPIRE 0" {
	play pop3/expire
	ends 0
	has one
}

@test "pop3: an -ERR that answers nothing" {
	play pop3/autologout
	ends 75 'Autologout; idle for too long'
	has
}

# --- IMAP --------------------------------------------------------------------

@test "imap: Yahoo: NO [UNAVAILABLE] for one message of a set" {
	FETCH=$keep_never play imap/yahoo-unavailable
	ends 75 'INBOX, message 2: ' 'Server error while fetching messages' \
		'it stays on the server'
	has one three
	FETCH=$keep_never play imap/yahoo-unavailable.again
	ends 0
	has four one three two
}

@test "imap: Yahoo expunges unasked" {
	FETCH=$keep_never play imap/yahoo-expunges
	ends 0
	has one two
}

@test "imap: BODY[] NIL" {
	play imap/body-nil
	ends 75 'INBOX, message 2: the server has no content for it (NIL)'
	has one three
}

@test "imap: a message is not among the answers" {
	play imap/kept-back
	ends 0
	has two
	play imap/kept-back.again
	ends 0
	has one two
}

@test "imap: a message is not among the answers, and gone" {
	play imap/kept-back
	play imap/kept-back.gone
	play imap/kept-back.forgotten
	ends 0
	has two
}

@test "imap: sizes lie" {
	play imap/sizes-lie
	ends 0
	has one two
}

@test "imap: sizes of zero and -1" {
	play imap/sizes-absurd
	ends 0
	has one three two
}

@test "imap: Exchange throttles" {
	play imap/exchange-throttled
	ends 75 'Request is throttled'
}

@test "imap: Exchange is authenticated but not connected" {
	play imap/exchange-not-connected
	ends 75 'User is authenticated but not connected'
}

@test "imap: Gmail's limits" {
	play imap/gmail-connections
	ends 75 'Too many simultaneous connections'
	play imap/gmail-bandwidth
	ends 75 'exceeded command or bandwidth limits'
}

@test "imap: UTF8 is not sent unasked" {
	play imap/utf8-unasked
	ends 0
	has one
}

@test "imap: PREAUTH where STARTTLS is required" {
	SCHEME=imap play imap/preauth
	ends 77 'PREAUTH before TLS was set up'
}

@test "imap: bytes behind the reply to STARTTLS" {
	SCHEME=imap play imap/starttls-injection
	# Byte by byte, it is TLS that finds them.
	MAY_DIFFER=1 ends 77 ' '
	grep -q 'bytes came behind the reply to STARTTLS' \
		"$BATS_TEST_TMPDIR/whole/err"
}

@test "imap: STARTTLS is not offered" {
	SCHEME=imap play imap/starttls-missing
	ends 77 'the server does not offer STARTTLS'
}

@test "imap: STARTTLS is refused" {
	SCHEME=imap play imap/starttls-refused
	ends 77 STARTTLS 'not now'
}

@test "imap: what was said before STARTTLS is forgotten" {
	SCHEME=imap play imap/starttls
	ends 0
	has one
}

@test "imap: LOGINDISABLED" {
	play imap/logindisabled
	ends 77 'cannot log in'
}

@test "imap: Cyrus: LOGINDISABLED after the login" {
	play imap/logindisabled-after
	ends 0
	has one
}

@test "imap: a certificate for another host" {
	PEER_OPTIONS="-c $CERTS/wronghost.pem" SCHEME=imaps \
		play imap/wrong-host
	ends 77 127.0.0.1 wronghost.example
}

@test "imap: EXISTS, EXPUNGE, FETCH at any time" {
	FETCH=$keep_never play imap/unsolicited
	ends 0
	has one three
}

@test "imap: BYE in the middle" {
	play imap/bye
	ends 75 'shutting down'
	has one
	play imap/bye.again
	ends 0
	has one three two
}

@test "imap: BYE as a greeting" {
	play imap/bye-greeting
	ends 75 'Too many connections from your address'
}

@test "imap: no greeting" {
	play imap/no-greeting
	ends 75 'without a greeting'
}

@test "imap: literals anywhere" {
	FROM='imap Lists/*' play imap/literals
	ends 0
	has one two
}

@test "imap: the UID comes behind the body" {
	play imap/uid-behind
	ends 0
	has one two
}

@test "imap: every byte is kept" {
	local way
	head -c 200000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/long"
	for way in "${WAYS[@]}"; do
		cp "$BATS_TEST_TMPDIR/long" "$BATS_TEST_TMPDIR/$way/long"
	done
	play imap/awkward-bytes
	ends 0
	{
		printf 'Subject: one\n\na\rb\r\rc\r\nnul \0 \xff\n.\n'
		printf '* BYE not me\nA4 OK nor me\n)\nlf\nlf\n'
		cat "$BATS_TEST_TMPDIR/long"
	} | is_exactly
}

@test "imap: the connection is cut inside a message" {
	play imap/cut-in-body
	ends 75 'the server closed the connection'
	has one
	play imap/cut-in-body.again
	ends 0
	has one two
}

@test "imap: the connection is cut inside a message for an MDA" {
	local way
	DELIVER='pipe cat >>got' play imap/cut-in-body
	ends 75 'the server closed the connection'
	DELIVER='pipe cat >>got' play imap/cut-in-body.again
	ends 0
	for way in "${WAYS[@]}"; do
		printf 'Subject: %s\n\nThis is %s.\n' one one two two |
			cmp - "$BATS_TEST_TMPDIR/$way/got"
	done
}

@test "imap: the server says nothing more" {
	play imap/stalled -o timeout=1s
	ends 75 'no answer from 127.0.0.1:PORT for 1 s'
	has one
}

@test "imap: fetchd is killed after some of the messages" {
	KILL_AFTER=3 play imap/killed
	ends 137
	play imap/killed.again
	ends 0
	has four one three two
}

@test "imap: a filter exits 75 on one message" {
	FETCH="    filter sed /two/q75
$keep_never" play imap/filter-refuses
	ends 75 "message 2: 'sed /two/q75': exited with 75"
	has one three
}

@test "imap: the connection is lost at EXPUNGE" {
	FETCH=$keep_never play imap/lost-expunge
	ends 75 'the server closed the connection'
	FETCH=$keep_never play imap/lost-expunge.again
	ends 0
	has one two
}

@test "imap: UIDVALIDITY changed" {
	play imap/uidvalidity
	ends 0
	play imap/uidvalidity.again
	ends 0 'UIDVALIDITY changed from 7 to 8'
	has one three two
	play imap/uidvalidity.third
	ends 0
	has one three two
}

@test "imap: UIDVALIDITY changed and nothing is recognised" {
	play imap/uidvalidity-many
	play imap/uidvalidity-unrecognised
	ends 65 'none of the 20 messages fetched before is recognised' \
		'fetchd --allow-refetch q'
	play imap/uidvalidity-unrecognised
	ends 65 'none of the 20 messages fetched before is recognised'
	has m{1..20}
	play imap/uidvalidity-unrecognised.allowed --allow-refetch
	ends 0 'UIDVALIDITY changed'
	has m{1..20} n{1..20}
}

@test "imap: no UIDPLUS" {
	FETCH=$keep_never play imap/no-uidplus
	ends 0
	has one two
}

@test "imap: no UIDPLUS, and another client's \\Deleted" {
	FETCH=$keep_never play imap/no-uidplus-others
	ends 0 'another client has marked messages \Deleted'
	has two
	FETCH=$keep_never play imap/no-uidplus-others.again
	ends 0
	has two
}

@test "imap: no UIDPLUS, and nobody knows what is \\Deleted" {
	FETCH=$keep_never play imap/no-uidplus-no-search
	ends 75 SEARCH 'not now'
	has one
}

archive="$keep_never
    archive Archive/2026"

@test "imap: MOVE into the archive" {
	FETCH=$archive play imap/archive-move
	ends 0
	has one
}

@test "imap: no MOVE: COPY into the archive" {
	FETCH=$archive play imap/archive-copy
	ends 0
	has one
}

@test "imap: the archive takes nothing" {
	FETCH=$archive play imap/archive-refused
	ends 69 'archive Archive/2026' 'no such mailbox'
	has one
}

@test "imap: no MOVE, no UIDPLUS, and another client's \\Deleted" {
	FETCH=$archive play imap/archive-others
	ends 0 'another client has marked messages \Deleted'
	FETCH=$archive play imap/archive-others.again
	ends 0
	has two
}

@test "imap: a token is refused behind '+', and renewed once" {
	ACCOUNT="    token-command $(tokens)" play imap/oauth-error
	ends 0
	has one
}

@test "imap: a second token is refused too" {
	ACCOUNT='    token-command echo tok' play imap/oauth-refused-twice
	ends 77 'AUTHENTICATE failed'
}

@test "imap: SCRAM" {
	play imap/scram
	ends 0
}

@test "imap: SCRAM bound to TLS" {
	SCHEME=imaps play imap/scram-plus
	ends 0
}

@test "imap: SCRAM: the server's signature is wrong" {
	play imap/scram-bad-signature
	ends 77 signature
}

@test "imap: SCRAM: the server gives no proof" {
	play imap/scram-no-signature
	ends 77 'without proving that it knows the password'
}

@test "imap: Courier: nothing goes behind LOGIN" {
	play imap/nothing-behind-login
	ends 75 'the server closed the connection'
}

@test "imap: an empty folder answers BAD" {
	play imap/empty-bad
	ends 0
	has
}

@test "imap: SEARCH finds nothing" {
	FETCH='    select unseen' play imap/search-unseen
	ends 0
	FETCH='    select unseen' play imap/search-silent
	ends 0
	has
}

@test "imap: response codes of a login" {
	play imap/authentication-failed
	ends 77 'temporarily, no'
	play imap/unavailable
	ends 75 'user database is down'
}
