#!/usr/bin/env bats
# shellcheck disable=SC2016 # sh -c '...'
# What sendq accepts, what it makes of it, and what it refuses: up to the queue,
# and whether it is there for good.

bats_require_minimum_version 1.5.0
load helper
load queueing

HI='Subject: hi\n\nbody\n'

# --- usage and configuration ------------------------------------------------

@test "--help and --version, on standard output" {
	expect 0 "$SENDQ" --help
	assert_eq "" "$stderr"
	assert_contains "$output" "usage: sendq"
	for w in run watch list show log hold release remove retry-now at delay \
		dry-run json set config wait verbose quiet syslog help version; do
		assert_contains "$output" "--$w"
	done
	assert_eq "" "$(grep -E '.{80}' <<<"$output")"
	expect 0 "$SENDQ" --version
	[[ $output =~ ^sendq\ \(mailroom\)\ [0-9.]+$ ]]
}

@test "an option that is none, or lacks its value, is a usage error" {
	for o in --nonsense -Z --at --set '-N sometimes' '-R some' --watch=1 \
		'--delay soon' --hold --show; do
		# shellcheck disable=SC2086 # two words
		expect 64 "$SENDQ" $o
		said "try: sendq --help"
	done
	empty
}

@test "what is wrong in the configuration is said with its place" {
	config 'limit 5/week' 'mtach x@y' 'uncertain perhaps'
	refused 78 "$HI" bob@example.net
	said "config:7: limit: 'week' is none of: minute, hour, day"
	said "config:8: "
	said "did you mean 'match'"
	said "config:9: uncertain"
	rm "$XDG_CONFIG_HOME/mailroom/config"
	refused 78 "$HI" bob@example.net
	said "no configuration"
	said "sendq --set smtp=submissions://"
	refused 78 "$HI" --config missing bob@example.net
	said missing
	echo "fetch work" >"$XDG_CONFIG_HOME/mailroom/config"
	refused 78 "$HI" bob@example.net
	said "no 'send' section"
}

@test "--set is all it needs; a password in a URL is refused" {
	rm "$XDG_CONFIG_HOME/mailroom/config"
	send "$HI" --set smtp=submissions://ada@smtp.example.org \
		--set address=ada@example.org --set queue-only bob@example.net
	assert_eq smtp.example.org "$(envelope account)"
	assert_eq submissions://ada@smtp.example.org "$(envelope server)"
	assert_eq ada@example.org "$(envelope sender)"
	clear_queue
	refused 78 "$HI" --set smtp=submissions://a:b@smtp.example.org x@y
	said password
	refute grep -q a:b <<<"$stderr"
	refused 78 "$HI" --set smtp=submissions://ada@smtp.example.org x@y
	said "no address to send from"
}

@test "a spool that cannot be made: 73" {
	XDG_STATE_HOME=/dev/null expect 73 "$SENDQ" bob@example.net <<<"x"
	said "/dev/null"
}

# --- the queue --------------------------------------------------------------

@test "a message is in the queue, private, and nothing is said" {
	send "$HI" bob@example.net
	assert_eq 600 "$(stat -c %a "$(the eml)")"
	assert_eq 600 "$(stat -c %a "$(the env)")"
	assert_eq 700 "$(stat -c %a "$SPOOL")"
	assert_eq "" "$(find "$SPOOL/tmp" -type f)"
	[[ $(basename "$(the env)") =~ ^[0-9a-f]{8}-[0-9a-f]{8}\.env$ ]]
	assert_eq "sendq 1" "$(head -n 1 "$(the env)")"
	assert_eq end "$(tail -n 1 "$(the env)")"
	assert_eq work "$(envelope account)"
	assert_eq ada@example.org "$(envelope sender)"
	assert_eq bob@example.net "$(envelope rcpt)"
	assert_eq "$(stat -c %s "$(the eml)")" "$(envelope size)"
	assert_eq hi "$(envelope subject)"
	assert_eq "$(field Message-ID)" "$(envelope message-id)"
	crlf_only
}

@test "twenty at once: each is there, once" {
	local pids=()
	for i in {1..20}; do
		printf 'Subject: %s\n\nbody\n' "$i" |
			"$SENDQ" "r$i@example.net" &
		pids+=($!)
	done
	# These alone: bats has a child of its own, for its time limit.
	wait "${pids[@]}"
	assert_eq 20 "$(find "$SPOOL/queue" -name '*.env' | wc -l)"
	assert_eq "$(seq 20 | sort)" \
		"$(sed -n 's/^subject //p' "$SPOOL"/queue/*.env | sort)"
	assert_eq "$(seq 20 | sort)" \
		"$(cat "$SPOOL"/queue/*.eml | tr -d '\r' |
			sed -n 's/^Subject: //p' | sort)"
}

# --- refused, 7.1 -----------------------------------------------------------

@test "refused with 65, line and reason: what can never be sent" {
	long=$(printf 'x%.0s' {1..65})
	longer=$(printf 'd%.0s' {1..60}).$(printf 'd%.0s' {1..60})
	refused 65 'Subject: x\n\nab\0c\n' b@c
	said "line 3"
	said NUL
	refused 65 'Sub\0ject: x\n\nab\n' b@c
	said "line 1"
	refused 65 "$HI"
	said "no recipient"
	refused 65 "$HI" -t
	said "no recipient"
	refused 65 'Cc: \n\nx\n' -t
	said "no recipient"
	refused 65 "$HI" "$(printf 'b\001@c')"
	said 'b\x01@c'
	refused 65 "$HI" "$(printf 'b@c\nDATA')"
	refused 65 'To: b\001@c\n\nx\n' -t
	refused 65 "$HI" "$long@example.net"
	said 64
	refused 65 "$HI" "b@$longer.$longer.example.net"
	said 254
	refused 65 'Subject: x\nno field\nTo: b@c\n\nbody\n' b@c
	said "line 2"
	refused 65 'From: a@b\nTo: b@c\nFrom: d@e\n\nbody\n' b@c
	said "line 3"
	said From
	refused 65 'Date: x\nTo: b@c\nDate: y\n\nbody\n' b@c
	said "line 3"
	refused 65 "$HI" -f "$(printf 'a\nb@c')" b@c
	refused 65 "$HI" -f "two@one three@four" b@c
	said "-f"
	refused 65 "$HI" "Bob <b@c"
}

@test "refused with 65: signed, and unsendable" {
	line=$(printf 'x%.0s' {1..1200})
	refused 65 "Content-Type: multipart/signed; boundary=b; protocol=x; micalg=y
MIME-Version: 1.0\n\n--b\n\n$line\n--b\n\nsignature\n--b--\n" b@c
	said "line 6"
	said "signed"
	refused 65 "DKIM-Signature: v=1; b=x\nFrom: a@b\n\nok\n$line\n" b@c
	said "line 5"
	said DKIM-Signature
}

@test "refused with 65: larger than what the server last said it takes" {
	send "$HI" b@c
	clear_queue
	echo '1764104003 size 400 .' >"$SPOOL/accounts/work"
	send "$HI" b@c
	clear_queue
	rm "$SPOOL/accounts/work"
	printf "$HI" >in
	head -c 1000 /dev/zero | tr '\0' '\n' >>in
	expect 0 "$SENDQ" b@c <in
	clear_queue
	echo '1764104003 size 400 .' >"$SPOOL/accounts/work"
	expect 65 "$SENDQ" b@c <in
	said "400 B at most"
	empty
}

# --- repaired, 7.1 ----------------------------------------------------------

@test "line ends: LF, CR and CRLF come to CRLF, and no dot ends what it should not" {
	send 'Subject: x\r\n\r\none\rtwo\nthree\r\nfour\r\r\nend' -i b@c
	assert_eq $'one\ntwo\nthree\nfour\nend' "$(body)"
	clear_queue
	# What would end a message in a server that takes LF for a line end.
	send 'Subject: x\n\na\n.\nMAIL FROM:<x@y>\n\r.\rb\r\n' -i b@c
	assert_eq $'a\n.\nMAIL FROM:<x@y>\n\n.\nb' "$(body)"
	crlf_only
}

@test "without -i a lone dot ends it; with -i and -oi it does not" {
	send 'Subject: x\n\na\n.\nb\n' b@c
	assert_eq a "$(body)"
	for o in -i -oi; do
		clear_queue
		send 'Subject: x\n\na\n.\nb\n' $o b@c
		assert_eq $'a\n.\nb' "$(body)"
	done
	clear_queue
	send 'Subject: x\n\na\n..\n.b\n' b@c
	assert_eq $'a\n..\n.b' "$(body)"
}

@test "what a mailbox adds is dropped: From line, Return-Path" {
	send 'From ada Mon Jan  1 00:00:00 2024\nReturn-Path: <x@y>\nSubject: x\n\nbody\n' b@c
	refute grep -qi '^from ada\|^return-path' "$(the eml)"
	assert_eq x "$(field Subject)"
}

@test "Date, Message-ID and From are added, and only where they lack" {
	send 'To: b@c\n\nbody\n' -t
	[[ $(field Date) =~ ^[A-Z][a-z]{2},\ [0-9]{1,2}\ [A-Z][a-z]{2}\ [0-9]{4}\  ]]
	[[ $(field Message-ID) =~ ^\<[^@]+@example\.org\>$ ]]
	assert_eq "Ada Lovelace <ada@example.org>" "$(field From)"
	clear_queue
	send 'To: b@c\nDate: Thu, 1 Jan 2026 00:00:00 +0100\nMessage-ID: <i@d>\nFrom: Ada <ada@example.org>\n\nbody\n' -t
	assert_eq "Thu, 1 Jan 2026 00:00:00 +0100" "$(field Date)"
	assert_eq "<i@d>" "$(field Message-ID)"
	assert_eq "Ada <ada@example.org>" "$(field From)"
	clear_queue
	TZ=CET-1 send 'To: b@c\n\nbody\n' -t
	assert_contains "$(field Date)" +0100
}

@test "-F, from-header and message-id-domain say who it is from" {
	send "$HI" -F 'Ada B' b@c
	assert_eq "Ada B <ada@example.org>" "$(field From)"
	clear_queue
	config 'from-header Countess <ada@lovelace.example>' \
		'message-id-domain ids.example'
	send "$HI" b@c
	assert_eq "Countess <ada@lovelace.example>" "$(field From)"
	assert_contains "$(field Message-ID)" @ids.example
	assert_eq ada@example.org "$(envelope sender)"
}

@test "8-bit text is labelled" {
	send 'Subject: x\n\nh\303\251\n' b@c
	assert_eq "1.0" "$(field MIME-Version)"
	assert_eq "text/plain; charset=utf-8" "$(field Content-Type)"
	assert_eq 8bit "$(field Content-Transfer-Encoding)"
	assert_eq yes "$(envelope 8bit)"
	clear_queue
	send 'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\nh\303\251\n' b@c
	assert_eq 8bit "$(field Content-Transfer-Encoding)"
	clear_queue
	send "$HI" b@c
	assert_eq "" "$(field MIME-Version)$(envelope 8bit)$(envelope utf8)"
	clear_queue
	send 'To: d\303\266ra@example.net\n\nx\n' -t
	assert_eq yes "$(envelope utf8)"
}

@test "Bcc goes to the envelope and into no message, folds and all" {
	send 'To: b@c\nBcc: Carol <carol@example.net>,\n dora@e,\n\tfritz@g\nSubject: x\n\nbody\n' -t
	assert_eq "b@c carol@example.net dora@e fritz@g" "$(envelope rcpt)"
	refute grep -qi '^bcc\|carol\|dora\|fritz' "$(the eml)"
	assert_contains "$(envelope bcc)" carol@example.net
	assert_eq b@c "$(field To)"
}

@test "the newest Resent- block counts alone" {
	send 'Resent-From: ada@example.org\nResent-To: new@example.net\nResent-Bcc: hidden@example.net\nReceived: from x by y; Thu, 1 Jan 2026 00:00:00 +0000\nResent-To: old@example.net\nTo: b@c\nFrom: x@y\n\nbody\n' -t
	assert_eq "new@example.net hidden@example.net" "$(envelope rcpt)"
	refute grep -q hidden "$(the eml)"
	[ -n "$(field Resent-Message-ID)" ]
	assert_eq x@y "$(field From)"
}

@test "when nobody is left to be seen: undisclosed-recipients" {
	send 'Bcc: b@c\nSubject: x\n\nbody\n' -t
	assert_eq "undisclosed-recipients:;" "$(field To)"
	clear_queue
	send "$HI" b@c
	assert_eq "undisclosed-recipients:;" "$(field To)"
}

@test "lines over 998 become quoted-printable, and say the same" {
	line=$(printf 'word %.0s' {1..400})
	send "Subject: x\n\n$line.\nshort\n" b@c
	assert_eq quoted-printable "$(field Content-Transfer-Encoding)"
	assert_eq "" "$(grep -aE '.{999}' "$(the eml)" | cut -c 1-20)"
	body | perl -MMIME::QuotedPrint -0777 -ne 'print decode_qp($_)' >got
	printf '%s.\nshort\n' "$line" | cmp - got
	assert_eq "$(stat -c %s "$(the eml)")" "$(envelope size)"
}

@test "a large message with a long line is rewritten, and says the same" {
	{
		printf 'Subject: x\n\n'
		for ((i = 0; i < 20000; i++)); do
			echo "line $i of a message that does not fit into memory"
		done
		printf 'x%.0s' {1..2000}
		echo
	} >in
	expect 0 "$SENDQ" b@c <in
	body | perl -MMIME::QuotedPrint -0777 -ne 'print decode_qp($_)' >got
	sed 1,2d in | cmp - got
}

@test "mail that is only a body, only a header, or nothing" {
	send 'Warning: disk full\nand more\n' b@c
	assert_eq $'Warning: disk full\nand more' "$(body)"
	clear_queue
	send 'Subject: no body\n' b@c
	assert_eq "no body" "$(field Subject)"
	assert_eq "" "$(body)"
	clear_queue
	send '' b@c
	assert_eq "" "$(body)"
	assert_eq b@c "$(envelope rcpt)"
}

# --- sender and recipients --------------------------------------------------

@test "recipients: arguments, lists, -t, each once, a leading dash" {
	send 'To: b@c, "Bob, B." <b@c>, d@e\n\nbody\n' -t b@c 'g@h, i@j'
	assert_eq "b@c g@h i@j d@e" "$(envelope rcpt | tr ' ' '\n' |
		sort | paste -sd' ' | sed 's/b@c d@e g@h i@j/b@c g@h i@j d@e/')"
	clear_queue
	send "$HI" -- -odd@example.net
	assert_eq -odd@example.net "$(envelope rcpt)"
	clear_queue
	send 'To: b@c\n\nbody\n' only@example.net
	assert_eq only@example.net "$(envelope rcpt)"
}

@test "names without a domain: by the aliases file, else the account's address" {
	printf 'postmaster: root\nroot: bob@example.net,\n  carol@example.net\n' >aliases
	send "$HI" postmaster nobody
	assert_eq "bob@example.net carol@example.net ada@example.org" \
		"$(envelope rcpt)"
	assert_eq "postmaster postmaster nobody" "$(envelope original)"
	clear_queue
	echo 'default: all@example.net' >>aliases
	send "$HI" nobody
	assert_eq all@example.net "$(envelope rcpt)"
	clear_queue
	printf 'root: |/bin/touch hit, /dev/null, :include:/etc/passwd\n' >aliases
	send "$HI" root
	assert_eq ada@example.org "$(envelope rcpt)"
	[ ! -e hit ]
	clear_queue
	rm aliases
	refused 78 "$HI" root
	said aliases
	rm "$XDG_CONFIG_HOME/mailroom/config"
	refused 67 'From: x@y\n\nz\n' --set smtp=lmtp://localhost root
	said "root: no address"
}

@test "the sender: -f, -r, the null one, a name, From, the account's" {
	for o in '-f x@y' '-fx@y' '-r x@y' '-f <x@y>' '-f Ada<x@y>'; do
		# shellcheck disable=SC2086 # two words
		send "$HI" $o b@c
		assert_eq x@y "$(envelope sender)"
		clear_queue
	done
	send "$HI" -f '<>' b@c
	assert_eq "sender " "$(grep ^sender "$(the env)")"
	clear_queue
	send "$HI" -f '' b@c
	assert_eq "sender " "$(grep ^sender "$(the env)")"
	clear_queue
	send "$HI" -f root b@c
	assert_eq ada@example.org "$(envelope sender)"
	clear_queue
	config 'match *@lovelace.example'
	send 'From: a@lovelace.example\n\nx\n' b@c
	assert_eq a@lovelace.example "$(envelope sender)"
	clear_queue
	# Not an address that the account is for.
	send 'From: a@elsewhere.example\n\nx\n' b@c
	assert_eq ada@example.org "$(envelope sender)"
}

@test "the account: by sender, by From, the default, or none" {
	{
		echo "account home"
		echo "address ada@home.example"
		echo "smtp submissions://127.0.0.1:1"
		echo "send home"
		echo "queue-only"
		echo "match *@home.example"
	} >>"$XDG_CONFIG_HOME/mailroom/config"
	send "$HI" -f x@home.example b@c
	assert_eq home "$(envelope account)"
	clear_queue
	send 'From: ada@example.org\n\nx\n' -f x@home.example b@c
	assert_eq home "$(envelope account)"
	clear_queue
	send 'From: ada@example.org\n\nx\n' b@c
	assert_eq work "$(envelope account)"
	clear_queue
	refused 78 "$HI" -f x@elsewhere.example b@c
	said x@elsewhere.example
	said "'work', 'home'"
	refused 78 "$HI" b@c
	echo "default" >>"$XDG_CONFIG_HOME/mailroom/config"
	send "$HI" -f x@elsewhere.example b@c
	assert_eq home "$(envelope account)"
}

# --- keywords and options that travel in the envelope -----------------------

@test "reports that are wanted: -N -R -V, dsn; require-tls" {
	send "$HI" -N success,delay -R hdrs -V id1 b@c
	assert_eq success,delay "$(envelope notify)"
	assert_eq hdrs "$(envelope ret)"
	assert_eq id1 "$(envelope envid)"
	assert_eq "" "$(envelope require-tls)"
	clear_queue
	config 'dsn failure delay' require-tls
	send "$HI" b@c
	assert_eq failure,delay "$(envelope notify)"
	assert_eq yes "$(envelope require-tls)"
	clear_queue
	send "$HI" -N never -R full b@c
	assert_eq never "$(envelope notify)"
	assert_eq full "$(envelope ret)"
}

# KEYWORD: seconds from the message's making to the time that it says.
after() {
	echo $(($(envelope "$1") - $(envelope created)))
}

@test "later: --at, --delay, undo, and future-release" {
	send "$HI" --delay 90m b@c
	assert_eq 5400 "$(after due)"
	clear_queue
	send "$HI" --at +2h b@c
	assert_eq 7200 "$(after due)"
	clear_queue
	send "$HI" --at '2036-01-02 03:04' b@c
	assert_eq 2082855840 "$(envelope due)"
	clear_queue
	TZ=CET-1 send "$HI" --at '2036-01-02 03:04' b@c
	assert_eq 2082852240 "$(envelope due)"
	clear_queue
	send "$HI" --at 2036-01-02T03:04:05+01:00 b@c
	assert_eq 2082852245 "$(envelope due)"
	clear_queue
	send "$HI" --at 'tomorrow 08:00' b@c
	assert_eq "08:00 $(date -d tomorrow +%F)" \
		"$(date -d "@$(envelope due)" '+%H:%M %F')"
	clear_queue
	refused 64 "$HI" --at 'next week' b@c
	said "tomorrow 08:00"
	refused 64 "$HI" --at '2020-01-01 08:00' b@c
	said past
	config 'undo 10s'
	send "$HI" b@c
	assert_eq 10 "$(after due)"
	clear_queue
	send "$HI" --delay 5s b@c
	assert_eq 10 "$(after due)"
	clear_queue
	send "$HI" --delay 1h b@c
	assert_eq 3600 "$(after due)"
	clear_queue
	config future-release
	send "$HI" --delay 1h b@c
	assert_eq 3600 "$(after hold-until)"
	assert_eq "" "$(envelope due)"
}

@test "--dry-run shows account, envelope and message, and keeps nothing" {
	printf 'To: b@c\nBcc: d@e\nSubject: x\n\nbody\n' >in
	expect 0 "$SENDQ" --dry-run --delay 1h -t <in
	assert_eq "" "$stderr"
	assert_eq "account: work" "${lines[0]}"
	assert_eq "sender: ada@example.org" "${lines[1]}"
	assert_eq "recipient: b@c" "${lines[2]}"
	assert_eq "recipient: d@e" "${lines[3]}"
	assert_contains "$output" "not before: "
	assert_contains "$output" "Subject: x"
	assert_contains "$output" $'\n\nbody'
	refute grep -q Bcc <<<"$output"
	[ ! -e "$SPOOL" ]
	expect 65 "$SENDQ" --dry-run <in
	said "no recipient"
}

# --- ends that are not good -------------------------------------------------

@test "asked to stop while a message comes in: 75, and nothing is left" {
	mkfifo pipe
	"$SENDQ" b@c <pipe 2>err &
	pid=$!
	exec 9>pipe
	printf 'Subject: x\n\nhalf' >&9
	head -c 400000 /dev/zero | tr '\0' '\n' >&9
	await test -d "$SPOOL/tmp"
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	exec 9>&-
	assert_eq 75 "$status"
	assert_contains "$(<err)" "not sent"
	empty
}

@test "memory does not grow with the message, nor with its lines" {
	[ -z "${SANITIZED-}" ] || skip "a sanitizer takes memory of its own"
	[ -x /usr/bin/time ] || skip "needs GNU time"
	for length in 70 1000000 150000000; do
		{
			printf 'Subject: x\n\n'
			head -c 150000000 /dev/zero | tr '\0' x | fold -w $length
		} | /usr/bin/time -o peak -f %M "$SENDQ" b@c
		kb=$(tail -n 1 peak)
		[ "$kb" -lt 12000 ] || fail "lines of $length: $kb kB"
		[ "$kb" -gt 2000 ] || fail "only $kb kB?"
		[ "$(stat -c %s "$(the eml)")" -gt 150000000 ]
		clear_queue
	done
}

# --- for good ---------------------------------------------------------------

# Which points there are: kind and file, IDs left out.
points() {
	cut -f 3,4 "$1" | sed -E 's/ -> /\t/; s/[0-9a-f]{8}-[0-9a-f]{8}/ID/g' |
		sed "s|$SPOOL/||g" | grep -v '^send'
}

@test "exit 0 only once it would survive: write, sync, rename, sync" {
	send "$HI" b@c # makes the folders
	clear_queue
	printf "$HI" >in
	fault -l log -- "$SENDQ" b@c <in
	points log | sed '/^[^\t]*\tlock$/d; /^flock/d' >got
	cat >want <<-EOF
	openat	tmp/ID.eml
	write	tmp/ID.eml
	fsync	tmp/ID.eml
	openat	tmp/ID.env
	write	tmp/ID.env
	fsync	tmp/ID.env
	renameat2	tmp/ID.eml	queue/ID.eml
	renameat2	tmp/ID.env	queue/ID.env
	fsync	queue
	EOF
	diff -u want got
}

@test "every call that fails: not 0, and nothing is left" {
	send "$HI" b@c
	clear_queue
	printf "$HI" >in
	fault -c n -- "$SENDQ" b@c <in
	n=$(<n)
	[ "$n" -ge 9 ]
	clear_queue
	tried=0
	for error in ENOSPC EIO; do
		for ((i = 1; i <= n; i++)); do
			rc=0
			fault -l log -e "$error@$i?" -- "$SENDQ" b@c <in \
				2>err || rc=$?
			if tail -n 1 log | grep -q ^skipped; then
				assert_eq 0 $rc "$error skipped at $i"
				clear_queue
				continue
			fi
			tried=$((tried + 1))
			[[ $rc =~ ^(73|74|75)$ ]] || fail "$error at $i: $rc"
			[ -s err ] || fail "$error at $i: nothing said"
			empty
		done
	done
	[ $tried -ge 16 ] || fail "only $tried"
}

@test "a power cut after any call: all of it or nothing, and 0 is for good" {
	send "$HI" b@c
	clear_queue
	printf "$HI" >in
	cp -r "$SPOOL" fresh
	fault -c n -- "$SENDQ" b@c <in
	n=$(<n)
	message >whole
	for ((i = 1; i <= n; i++)); do
		for how in '' -O; do
			rm -rf "$SPOOL" mirror
			cp -r fresh "$SPOOL"
			# shellcheck disable=SC2086 # one option or none
			fault -K $i $how -r "$SPOOL" -m mirror -- "$SENDQ" \
				b@c <in
			left=$(find "$SPOOL/queue" -name '*.env' | wc -l)
			[ "$left" -le 1 ]
			# What has its .env has its body, and is whole.
			if [ "$left" = 1 ]; then
				assert_eq end "$(tail -n 1 "$(the env)")"
				assert_eq "$(envelope size)" \
					"$(stat -c %s "$(the eml)")"
			fi
			[ $i -lt "$n" ] || assert_eq 1 "$left" "after the last"
		done
	done
}
