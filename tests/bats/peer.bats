#!/usr/bin/env bats
# shellcheck disable=SC2153 # PEER_SAID is set by peer.bash
# The scripted server itself: it must pass the right dialogue, and it must
# fail every other one.

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
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	peer_stop
}

# [PEER OPTION]...: starts a peer with the script on standard input.
play() {
	peer_script test.peer
	peer_start test.peer -t 10 "$@"
}

# Opens file descriptor 5 to the peer; say and hear use it.
dial() {
	exec 5<>"/dev/tcp/127.0.0.1/$PEER_PORT"
}

# Through cat, in one piece: the shell itself would write each line alone, and
# the peer may end after the first.
say() {
	printf '%s\r\n' "$@" | cat >&5
}

hear() {
	local line
	IFS= read -r -t 10 -u 5 line
	[ "$line" = "$1"$'\r' ] || {
		echo "heard: ${line@Q}, not: ${1@Q}" >&2
		return 1
	}
}

# All that comes until the end goes to file $1.
hear_all() {
	timeout 10 cat <&5 >"$1"
}

hang_up() {
	exec 5>&-
}

# A client in TLS: its standard input is said, what comes is printed.
tls_client() {
	timeout 10 openssl s_client -quiet -connect "127.0.0.1:$PEER_PORT" \
		-CAfile "$CERTS/ca.pem" "$@" 2>/dev/null
}

# Prints the size of each TLS record with data that comes: what was sent at
# once, which TCP would not tell.
tls_sizes() {
	local h
	tls_client -msg -cipher ECDHE+AESGCM </dev/null \
		>"$BATS_TEST_TMPDIR/msg" || true
	sed -n 's/^ *17 03 03 \(..\) \(..\)$/\1\2/p' "$BATS_TEST_TMPDIR/msg" |
		while read -r h; do
			echo $((0x$h - 24)) # nonce and tag
		done
}

# The peer failed, at that line, and its log has all these words.
peer_blames() {
	local line=$1 word
	shift
	peer_ends 1
	grep -q "test.peer:$line: " "$PEER_SAID" || {
		cat "$PEER_SAID" >&2
		return 1
	}
	for word; do
		grep -qF -- "$word" "$PEER_SAID" || {
			echo "not said: $word" >&2
			cat "$PEER_SAID" >&2
			return 1
		}
	done
}

@test "the right dialogue passes" {
	play <<-'END'
		# a comment
		quirk: none
		S: +OK ready

		C: USER *
		S: +OK
		C: QUIT
		S: +OK bye
	END
	dial
	hear "+OK ready"
	say "user ada"
	hear "+OK"
	say QUIT
	hear "+OK bye"
	hang_up
	peer_wait
}

@test "another line fails, with the line, what was expected and what came" {
	play <<-'END'
		quirk: picky
		S: +OK ready
		C: USER ada
	END
	dial
	say $'PASS \tx'
	peer_blames 3 'expected  C: USER ada' 'came      PASS \x09x' picky
}

@test "a client that leaves too early fails" {
	play <<-'END'
		C: one
		C: two
	END
	dial
	say one
	hang_up
	peer_blames 2 'the client left'
}

@test "a client that leaves within a line fails" {
	play <<<"C: one"
	dial
	printf one >&5
	hang_up
	peer_blames 1 'within a line' 'came      one'
}

@test "a client that says more after the end fails" {
	play <<<"C: one"
	dial
	say one two
	hang_up
	peer_blames 1 'said more' 'came      two'
}

@test "a client that says more, where eof is, fails" {
	play <<-'END'
		C: one
		eof
	END
	dial
	say one two
	peer_blames 2 'came      two'
}

@test "eof passes when the client leaves" {
	play <<-'END'
		C: one
		eof
	END
	dial
	say one
	hang_up
	peer_wait
}

@test "a client that connects once more fails" {
	play <<-'END'
		C: one
		close
		sleep 300
	END
	dial
	say one
	hear_all "$BATS_TEST_TMPDIR/out"
	exec 6<>"/dev/tcp/127.0.0.1/$PEER_PORT"
	exec 6>&-
	peer_blames 3 'connected once more'
}

@test "a bare LF is no end of a line" {
	play <<<"C: one"
	dial
	printf 'one\n' >&5
	peer_blames 1 'without CR'
}

@test "a line of 1 MiB is taken, and nothing without an end" {
	play <<<"C: x*z"
	dial
	{ printf x; head -c 1048500 /dev/zero | tr '\0' y; printf 'z\r\n'; } >&5
	hang_up
	peer_wait

	play <<<"C: x*z"
	dial
	head -c 1200000 /dev/zero 2>/dev/null >&5 || true
	peer_blames 1 'has no end' '(1'
}

@test "case counts with C=, not with C:" {
	play <<-'END'
		C: Name Ada
		C= Name Ada
	END
	dial
	say "NAME ADA" "Name Ada"
	hang_up
	peer_wait

	play <<<"C= Name Ada"
	dial
	say "Name ada"
	peer_blames 1 'came      Name ada'
}

@test "stars: any run, backtracking, and a literal one" {
	play <<-'END'
		C: a*bc*d
		C: LIST "" \*
		C: *
	END
	dial
	say abXbcXdYd 'LIST "" *' ""
	hang_up
	peer_wait

	play <<<'C: LIST "" \*'
	dial
	say 'LIST "" %'
	peer_blames 1

	play <<<'C: a*bc*d'
	dial
	say abXbcXdY
	peer_blames 1
}

@test "captures come back, and must be equal when used again" {
	play <<-'END'
		C: <t> APPEND <box> {<n>}
		S: + <t> <box> <other> \<t>
		C-bytes <n>
		C: again <t> "<q>"
		S: <q>
		C: <*t> NEW
		S: <t> OK
	END
	dial
	say "A1 append In/box {5}"
	hear "+ A1 In/box <other> <t>"
	printf 'l\n\0\rx' >&5
	say 'again A1 "w"'
	hear w
	say "A2 new"
	hear "A2 OK"
	hang_up
	peer_wait

	play <<-'END'
		C: <t> ONE
		C: <t> TWO
	END
	dial
	say "A1 ONE" "A2 TWO"
	peer_blames 2 'came      A2 TWO' '<t> was A1; <*t> would take any'
}

@test "captures are case-sensitive" {
	play <<-'END'
		C: <t> ONE
		C: <t> TWO
	END
	dial
	say "a1 ONE" "A1 TWO"
	peer_blames 2
}

@test "optional lines: there, and not there" {
	local script='C? <t> CAPABILITY
  S: <t> OK caps
C? <*t> ID *
  S: <t> OK id
C: <*t> LOGIN
S: <t> OK in'
	play <<<"$script"
	dial
	say "a ID x"
	hear "a OK id"
	say "b LOGIN"
	hear "b OK in"
	hang_up
	peer_wait

	play <<<"$script"
	dial
	say "a CAPABILITY" "b LOGIN"
	hear "a OK caps"
	hear "b OK in"
	hang_up
	peer_wait

	play <<<"$script"
	dial
	say "a ID x" "b CAPABILITY"
	peer_blames 5 'came      b CAPABILITY'
}

@test "an optional line at the end may be missing" {
	play <<-'END'
		C: one
		C? two
		eof
	END
	dial
	say one
	hang_up
	peer_wait
}

@test "standing rules answer any time, and yield to explicit steps" {
	play <<-'END'
		on <t> NOOP
		  S: <t> OK rule
		C: <t> LOGIN
		S: <t> OK
		C? <x> NOOP
		  S: <x> OK step
		C: <y> SELECT
		S: <t> <y>
		eof
	END
	dial
	say "n1 NOOP" "a1 LOGIN"
	hear "n1 OK rule"
	hear "a1 OK"
	say "n2 NOOP"
	hear "n2 OK step"
	say "n3 NOOP" "a2 SELECT" "n4 NOOP"
	hear "n3 OK rule"
	hear "a1 a2"
	hear "n4 OK rule"
	hang_up
	peer_wait
}

@test "a standing rule answers before an optional line" {
	play <<-'END'
		on NOOP
		  S: rule
		C? ID
		  S: id
		C: END
	END
	dial
	say NOOP ID END
	hear rule
	hear id
	hang_up
	peer_wait
}

@test "C-any, C-lines and C-until swallow, no more than they say" {
	play <<-'END'
		C-any
		C-lines 2
		C: four
		C-until .
		C: end
	END
	dial
	say 1 2 3 four five six . end
	hang_up
	peer_wait

	play <<-'END'
		C-lines 2
		C: end
	END
	dial
	say 1 end
	hang_up
	peer_blames 2

	play <<<"C-until ."
	dial
	say 1 2
	hang_up
	peer_blames 1
}

@test "sends escapes, files and repetitions" {
	printf 'file\0bytes' >"$BATS_TEST_TMPDIR/data"
	play <<-'END'
		S- a\tb\0\x41\\\r\n
		S-file data
		S: 
		S-repeat 3 x\x2e
		close
	END
	dial
	hear_all "$BATS_TEST_TMPDIR/out"
	peer_wait
	printf 'a\tb\0A\\\r\nfile\0bytes\r\nx.\r\nx.\r\nx.\r\n' |
		cmp - "$BATS_TEST_TMPDIR/out"
}

@test "a huge repetition arrives whole, though the client talks on" {
	play <<-'END'
		C: go
		S-repeat 1000000 123456789 123456789
		S: end
		C-lines 200000
	END
	dial
	say go
	(yes $'y\r' | head -n 200000 >&5) &
	timeout 10 head -n 1000001 <&5 | tail -n 2 >"$BATS_TEST_TMPDIR/out"
	wait "$!"
	hang_up
	printf '123456789 123456789\r\nend\r\n' | cmp - "$BATS_TEST_TMPDIR/out"
	peer_wait
}

@test "the time limit ends it with 2" {
	peer_script test.peer <<<"C: never"
	peer_start test.peer -t 1
	dial
	printf partial >&5
	peer_ends 2
	grep -q 'seconds are over' "$PEER_SAID"
	grep -q 'came      partial' "$PEER_SAID"
}

@test "the time limit holds without a client, and while asleep" {
	peer_script test.peer <<<"C: never"
	peer_start test.peer -t 1
	peer_ends 2

	peer_script test.peer <<-'END'
		S: x
		sleep 60000
	END
	peer_start test.peer -t 1
	dial
	peer_ends 2
	hang_up
}

@test "a wrong script is 64, and says where" {
	local bad
	for bad in 'S; x' 'C: \q' '  S: x' 'tls now' 'cut' 'secret-free' \
		'S-repeat x y' '' $'on x\n  C: y' $'close\nS: x' \
		$'cert none.pem\ntls' 'tls-max 2.0' 'scram MD5 a b' \
		$'S: <t>\nC: <t>'; do
		peer_script test.peer <<<"$bad"
		if peer_start test.peer -t 5 2>/dev/null; then
			exec 5<>"/dev/tcp/127.0.0.1/$PEER_PORT" || true
			printf '\x16eG9tZQ==\r\n' >&5 || true
		fi
		peer_ends 64 || {
			echo "script: $bad" >&2
			return 1
		}
		grep -q 'test.peer' "$PEER_SAID"
	done
}

@test "several connections, in order, each with its own captures" {
	play <<-'END'
		C: <t> ONE
		S: <t> OK
		close
		connect
		C: <t> TWO
		S: <t> OK
	END
	dial
	say "a ONE"
	hear "a OK"
	hang_up
	dial
	say "b TWO"
	hear "b OK"
	hang_up
	peer_wait

	play <<-'END'
		C: ONE
		close
		connect
		C: TWO
	END
	dial
	say ONE
	dial
	say ONE
	peer_blames 4 'in        connection 2'
}

@test "a connect with nothing after it still wants its client" {
	peer_script test.peer <<-'END'
		C: ONE
		close
		connect
	END
	peer_start test.peer -t 1
	dial
	say ONE
	peer_ends 2
}

@test "close is an orderly end, reset is not" {
	play <<-'END'
		S: bye
		close
	END
	dial
	hear_all "$BATS_TEST_TMPDIR/out"
	peer_wait

	play <<-'END'
		C: one
		reset
	END
	dial
	say one
	run timeout 10 cat <&5
	[ "$status" -eq 1 ]
	[[ $output == *reset* ]]
	peer_wait
}

@test "half-close: the end is sent, and the client may go on" {
	play <<-'END'
		S: bye
		half-close
		C: one
		eof
	END
	dial
	hear_all "$BATS_TEST_TMPDIR/out"
	say one
	hang_up
	peer_wait
}

@test "cut ends after exactly so many bytes" {
	play <<-'END'
		S: hello
		cut 5
		S: 123456789
		C: skipped
		connect
		C: two
	END
	dial
	hear_all "$BATS_TEST_TMPDIR/out"
	printf 'hello\r\n12345' | cmp - "$BATS_TEST_TMPDIR/out"
	hang_up
	dial
	say two
	hang_up
	peer_wait
}

@test "a cut that is not reached fails" {
	play <<-'END'
		cut 50
		S: 123456789
	END
	dial
	hang_up
	peer_blames 2 'cut was not reached'
}

@test "trickle sends so many bytes at a time" {
	play -c "$CERTS/server.pem" <<-'END'
		tls-max 1.2
		tls
		trickle 5
		S: 0123456789
		trickle 0
		S: 0123456789
		close
	END
	[ "$(tls_sizes | tr '\n' ' ')" = "5 5 2 12 " ]
	peer_wait
}

# SEED: prints the sizes that 240 bytes are sent in.
split_sizes() {
	play -c "$CERTS/server.pem" <<-END
		tls-max 1.2
		tls
		split $1
		S-repeat 20 0123456789
		close
	END
	tls_sizes
	peer_wait
}

@test "split sends pieces, the same ones for a seed" {
	split_sizes 7 >"$BATS_TEST_TMPDIR/7"
	split_sizes 7 | cmp - "$BATS_TEST_TMPDIR/7"
	awk '{ n += $1 } END { exit n != 240 || NR < 3 }' "$BATS_TEST_TMPDIR/7"
	split_sizes 8 >"$BATS_TEST_TMPDIR/8"
	run cmp -s "$BATS_TEST_TMPDIR/7" "$BATS_TEST_TMPDIR/8"
	[ "$status" -eq 1 ]
}

@test "stall and listen-only never reply, and want the client to leave" {
	local step
	for step in stall listen-only; do
		play <<<"$step"
		dial
		say anything
		run timeout 0.3 cat <&5
		[ "$status" -eq 124 ]
		[ "$output" = "" ]
		hang_up
		peer_wait
		peer_script test.peer <<<"$step"
		peer_start test.peer -t 1
		dial
		peer_ends 2
		hang_up
	done
}

@test "TLS from the first byte" {
	play -c "$CERTS/server.pem" <<-'END'
		tls-pre
		S: hello
		C: QUIT
		S: bye
	END
	out=$(printf 'QUIT\r\n' | tls_client -verify_return_error)
	peer_wait
	[ "$out" = $'hello\r\nbye\r' ]
	grep -q -- '-- TLSv1.3' "$PEER_SAID"
}

@test "TLS begins where the script says, with the newest version it allows" {
	play <<-END
		S: +OK
		C: STLS
		S: +OK
		cert $CERTS/server.pem $CERTS/server.key
		tls-max 1.2
		tls
		C: QUIT
		S: +OK bye
	END
	out=$(printf 'QUIT\r\n' | tls_client -starttls pop3)
	peer_wait
	[[ $out == *"+OK bye"* ]]
	grep -q -- '-- TLSv1.2' "$PEER_SAID"
}

@test "TLS that fails is a failure; where it must fail, it passes" {
	play -c "$CERTS/unknown.pem" <<<tls
	tls_client -verify_return_error </dev/null || true
	peer_blames 1 'TLS failed' 'unknown ca'

	play -c "$CERTS/unknown.pem" <<<expect-tls-fail
	tls_client -verify_return_error </dev/null || true
	peer_wait

	play -c "$CERTS/server.pem" <<<expect-tls-fail
	dial
	hang_up
	peer_wait
}

@test "TLS that must fail, and does not" {
	play -c "$CERTS/unknown.pem" <<<expect-tls-fail
	(echo hello; sleep 1) | tls_client || true
	peer_blames 1 'went on in TLS' 'came      hello'

	play -c "$CERTS/unknown.pem" <<<expect-tls-fail
	dial
	say "a LOGIN u p"
	peer_blames 1 'without TLS' 'came      a LOGIN u p\r\n'
	hang_up
}

@test "TLS 1.1 is offered when asked" {
	play -c "$CERTS/server.pem" <<-'END'
		tls-max 1.1
		tls
		C: x
	END
	printf 'x\r\n' | tls_client -cipher 'DEFAULT:@SECLEVEL=0' -tls1_1 || true
	peer_wait
	grep -q -- '-- TLSv1.1' "$PEER_SAID"
}

@test "a client certificate is required with -a" {
	play -c "$CERTS/server.pem" -a "$CERTS/ca.pem" <<-'END'
		tls
		C: x
	END
	printf 'x\r\n' | tls_client -cert "$CERTS/client.pem" \
		-key "$CERTS/client.key" || true
	peer_wait

	play -c "$CERTS/server.pem" -a "$CERTS/ca.pem" <<<tls
	printf 'x\r\n' | tls_client || true
	peer_blames 1 'TLS failed'
}

@test "bytes before the handshake fail" {
	play -c "$CERTS/server.pem" <<-'END'
		C: STLS
		tls
	END
	dial
	say STLS CAPA
	peer_blames 2 'CAPA'
}

@test "a secret is seen: raw, in base64 at each alignment, and split" {
	local prefix
	play -x s3cret-word <<<"C: *"
	dial
	say "LOGIN u s3cret-word"
	peer_blames 1 'gave away a secret' 'came      s3cret-word'
	for prefix in "" a ab abc; do
		play -x other-secret -x s3cret-word <<<"C: *"
		dial
		say "$(printf '%ss3cret-word%s' "$prefix" "$prefix" | base64)"
		peer_blames 1 'gave away a secret'
	done
	play -x s3cret-word <<<"C: *"
	dial
	printf 's3cret' >&5
	sleep 0.1
	say -word
	peer_blames 1 'gave away a secret'
}

@test "a secret is seen in TLS, and in place of TLS" {
	play -x s3cret-word -c "$CERTS/server.pem" <<-'END'
		tls
		C: *
	END
	printf 's3cret-word\r\n' | tls_client || true
	peer_blames 2 'gave away a secret'

	play -x s3cret-word -c "$CERTS/server.pem" <<<expect-tls-fail
	dial
	say "a LOGIN u s3cret-word"
	peer_blames 1 'gave away a secret'
	hang_up

	play -x s3cret-word <<<stall
	dial
	say "a LOGIN u s3cret-word"
	peer_blames 1 'gave away a secret'
}

@test "secrets-ok allows it, from there on, until secret-free" {
	play -x s3cret-word <<-'END'
		secrets-ok
		C: *
		S: go
		secret-free
		C: *
	END
	dial
	say "s3cret-word"
	hear go
	say "harmless"
	hang_up
	peer_wait

	play -x s3cret-word <<-'END'
		secrets-ok
		C: *
		secret-free
		S: go
		C: *
	END
	dial
	say "s3cret-word"
	hear go
	say "s3cret-word"
	peer_blames 5 'gave away a secret'
}

@test "base64, both ways" {
	play <<-'END'
		C: AUTH PLAIN <ir>
		C-b64 ir=<ir> \0u\0p*
		S-b64 334 <ask>\x01
		C-b64 user=<u>\x01auth=*
		S-b64 + <u>
		C-b64 
	END
	dial
	say "AUTH PLAIN $(printf '\0u\0pw' | base64)"
	hear "334 $(printf '<ask>\1' | base64)"
	say "$(printf 'user=a\1auth=Bearer x\1\1' | base64)"
	hear "+ YQ=="
	say ""
	hang_up
	peer_wait

	play <<<'C-b64 \0u\0p'
	dial
	say "$(printf '\0u\0P' | base64)"
	peer_blames 1 'came      \x00u\x00P'

	play <<<'C-b64 *'
	dial
	say 'abc='$'\t'
	peer_blames 1 'not base64'
}

# --- SCRAM: a client made of the openssl command -----------------------------

b64() {
	base64 -w0
}

unhex() {
	local h
	h=$(sed 's/../\\x&/g')
	printf '%b' "$h"
}

hmac() { # HEXKEY, data on standard input: hex
	openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -r | cut -d' ' -f1
}

xor() {
	local i out=
	for ((i = 0; i < ${#1}; i += 2)); do
		printf -v out '%s%02x' "$out" $((0x${1:i:2} ^ 0x${2:i:2}))
	done
	echo "$out"
}

# GS2HEADER BINDINGHEX PASSWORD SERVER-FIRST: sets FINAL, to send, and SIGNED,
# what the server must answer. The client's nonce is "nonce".
scram_answer() {
	local r=${4%%,s=*} s i c bare auth salted key stored sig
	s=${4#*,s=} s=${s%%,i=*} i=${4##*,i=}
	salted=$(openssl kdf -keylen 32 -binary -kdfopt digest:SHA256 \
		-kdfopt "pass:$3" -kdfopt "iter:$i" \
		-kdfopt "hexsalt:$(base64 -d <<<"$s" | od -An -tx1 |
			tr -d ' \n')" PBKDF2 | od -An -tx1 | tr -d ' \n')
	c=$({ printf %s "$1"; unhex <<<"$2"; } | b64)
	bare=n=ada,r=nonce
	auth=$bare,$4,c=$c,$r
	key=$(printf 'Client Key' | hmac "$salted")
	stored=$(unhex <<<"$key" | openssl dgst -sha256 -r | cut -d' ' -f1)
	sig=$(printf %s "$auth" | hmac "$stored")
	FINAL=c=$c,$r,p=$(xor "$key" "$sig" | unhex | b64)
	key=$(printf 'Server Key' | hmac "$salted")
	SIGNED=v=$(printf %s "$auth" | hmac "$key" | unhex | b64)
}

# Hears one base64 challenge with prefix $1 into CHALLENGE.
hear_b64() {
	local line
	IFS= read -r -t 10 -u 5 line
	[[ $line == "$1 "*$'\r' ]]
	line=${line#"$1 "}
	CHALLENGE=$(base64 -d <<<"${line%$'\r'}")
}

# PASSWORD: plays AUTHENTICATE up to the proof.
scram_client() {
	dial
	say "A AUTHENTICATE SCRAM-SHA-256 $(printf 'n,,n=ada,r=nonce' | b64)"
	hear_b64 +
	scram_answer n,, "" "$1" "$CHALLENGE"
	say "$(printf %s "$FINAL" | b64)"
}

@test "SCRAM: the right password passes" {
	play <<-'END'
		C: <t> AUTHENTICATE SCRAM-SHA-256 <ir>
		scram SHA-256 ada pencil ir=<ir> i=1000
		S: <t> OK
	END
	scram_client pencil
	hear_b64 +
	[ "$CHALLENGE" = "$SIGNED" ]
	say ""
	hear "A OK"
	hang_up
	peer_wait
}

@test "SCRAM: the server's signature is answered with an empty line" {
	play <<-'END'
		C: <t> AUTHENTICATE SCRAM-SHA-256 <ir>
		scram SHA-256 ada pencil ir=<ir> i=1000
	END
	scram_client pencil
	hear_b64 +
	say "*"
	peer_blames 2 'not an empty answer' 'came      *'
}

@test "SCRAM: a wrong password fails" {
	play <<-'END'
		C: <t> AUTHENTICATE SCRAM-SHA-256 <ir>
		scram SHA-256 ada pencil ir=<ir> i=1000
	END
	scram_client pencils
	peer_blames 2 'wrong password'
}

@test "SCRAM: without an initial response, another prefix, another user" {
	play <<-'END'
		C: AUTH SCRAM-SHA-256
		S: 334 
		scram SHA-256 ada pencil prefix=334
	END
	dial
	say "AUTH SCRAM-SHA-256"
	hear "334 "
	say "$(printf 'n,,n=bob,r=nonce' | b64)"
	peer_blames 3 'not user ada' 'n=bob'
}

@test "SCRAM: the server's bad signature is sent as such" {
	play <<-'END'
		C: <t> AUTHENTICATE SCRAM-SHA-256 <ir>
		scram SHA-256 ada pencil ir=<ir> i=1000 bad-signature
		C: \*
	END
	scram_client pencil
	hear_b64 +
	[[ $CHALLENGE == v=* ]]
	[ "$CHALLENGE" != "$SIGNED" ]
	say "*"
	hang_up
	peer_wait
}

# NAME HEX: SCRAM-SHA-256-PLUS by that channel binding; HEX, or the exporter's
# own value when it is "export". Over TLS, by openssl, as fd 5.
scram_plus() {
	local in=$BATS_TEST_TMPDIR/in out=$BATS_TEST_TMPDIR/out hex=$2 line
	mkfifo "$in" "$out"
	timeout 10 openssl s_client -nocommands -connect \
		"127.0.0.1:$PEER_PORT" -CAfile "$CERTS/ca.pem" \
		-keymatexport EXPORTER-Channel-Binding -keymatexportlen 32 \
		<"$in" >"$out" 2>/dev/null 3>&- &
	exec 6>"$in" 5<"$out"
	while IFS= read -r -t 10 -u 5 line; do
		[[ $line == *"Keying material: "* ]] || continue
		[ "$hex" = export ] && hex=${line##* }
		break
	done
	printf '%s\r\n' "$(printf '%s' "p=$1,,n=ada,r=nonce" | b64)" >&6
	while IFS= read -r -t 10 -u 5 line; do
		[[ $line == "+ "* ]] && break
	done
	line=${line#+ }
	scram_answer "p=$1,," "$hex" pencil "$(base64 -d <<<"${line%$'\r'}")"
	# One that refuses may be gone before the second line.
	printf '%s\r\n\r\n' "$(printf %s "$FINAL" | b64)" | cat >&6 || true
	while IFS= read -r -t 10 -u 5 line; do
		[[ $line == "+ "* ]] && break
	done
	exec 6>&- 5<&-
	HEARD=
	[[ $line == "+ "* ]] || return 0 # refused
	line=${line#+ }
	HEARD=$(base64 -d <<<"${line%$'\r'}")
}

@test "SCRAM-PLUS: tls-exporter, and a wrong binding fails" {
	play -c "$CERTS/server.pem" <<-'END'
		tls
		scram SHA-256 ada pencil plus i=1000
	END
	scram_plus tls-exporter export
	peer_wait
	[ "$HEARD" = "$SIGNED" ]
	rm "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"

	play -c "$CERTS/server.pem" <<-'END'
		tls
		scram SHA-256 ada pencil plus i=1000
	END
	scram_plus tls-exporter "$(printf '%064d' 0)"
	peer_blames 2 'wrong channel binding'
	rm "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"

	play -c "$CERTS/server.pem" <<-'END'
		tls
		scram SHA-256 ada pencil plus i=1000
	END
	scram_plus tls-exporter ""
	peer_blames 2 'wrong channel binding'
}

@test "SCRAM-PLUS: tls-server-end-point" {
	play -c "$CERTS/server.pem" <<-'END'
		tls-max 1.2
		tls
		scram SHA-256 ada pencil plus i=1000
	END
	scram_plus tls-server-end-point "$(openssl x509 -in \
		"$CERTS/server.pem" -outform DER | openssl dgst -sha256 -r |
		cut -d' ' -f1)"
	peer_wait
	[ "$HEARD" = "$SIGNED" ]
}

@test "SCRAM-PLUS: a client that does not bind fails" {
	play <<-'END'
		C: <t> AUTHENTICATE SCRAM-SHA-256 <ir>
		scram SHA-256 ada pencil plus ir=<ir>
	END
	dial
	say "A AUTHENTICATE SCRAM-SHA-256 $(printf 'n,,n=ada,r=x' | b64)"
	peer_blames 2 'wrong GS2 header'
}

@test "the port is told on standard output, in the file, and taken with -l" {
	local i pid port
	play <<<"C: one"
	port=$PEER_PORT
	dial
	say one
	hang_up
	peer_wait
	"$PEER" -t 5 -l "$port" -p port.file test.peer >said 3>&- &
	pid=$!
	for ((i = 0; i < 500; i++)); do
		[ -e port.file ] && break
		sleep 0.01
	done
	dial
	say one
	hang_up
	wait "$pid"
	cmp port.file <<<"$port"
	cmp said <<<"$port"
	[ ! -e port.file.tmp ]
}

@test "the port is free once the peer has ended" {
	play <<<"C: one"
	dial
	say one
	hang_up
	peer_wait
	run dial
	[ "$status" -ne 0 ]
}
