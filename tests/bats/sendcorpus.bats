#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2059 # a test is a subshell; escapes of ours
# Whatever is given to sendq, what leaves is legal mail, one message for each: or
# it is refused with line and reason. What leaves is looked at on the wire.

bats_require_minimum_version 1.5.0
load helper
load sending

setup_file() {
	start_postfix
}

teardown() {
	[ -z "${SINK_PID-}" ] || kill "$SINK_PID"
}

# NAME [OPTION]...: a server that takes all, and keeps it in the folder NAME.
start_sink() {
	local name=$1
	shift
	[ -z "${SINK_PID-}" ] || kill "$SINK_PID"
	mkdir "$name"
	"$BUILD/tests/peer/sink" -p "$name.port" "$@" "$name" \
		>/dev/null 2>"$name.log" 3>&- &
	SINK_PID=$!
	await test -s "$name.port"
	config "submission+plain://127.0.0.1:$(<"$name.port")" 'auth none'
}

# FILE...: as they came over the wire, behind the envelope and its empty line:
# each line ends in CRLF, none is over 998 octets, no CR or LF stands alone, and
# no Bcc is told.
legal() {
	perl -e '
		for my $f (@ARGV) {
			open(my $h, "<:raw", $f) or die "$f: $!";
			local $/;
			my $m = <$h>;
			$m =~ s/\AMAIL.*?\n\n//s or die "$f: no envelope\n";
			my ($head) = $m =~ /\A(.*?\r\n)\r\n/s
			    or die "$f: no header\n";
			die "$f: a lone CR or LF\n"
			    if $m =~ /(?<!\r)\n|\r(?!\n)/;
			die "$f: no line end at its end\n" if $m !~ /\r\n\z/;
			die "$f: a NUL\n" if $m =~ /\0/;
			die "$f: a line over 998\n" if $m =~ /[^\r\n]{999}/;
			die "$f: Bcc\n" if $head =~ /^(Resent-)?Bcc[ \t]*:/mi;
			for my $n ("From", "Date", "Message-ID") {
				my @all = $head =~ /^$n[ \t]*:/mgi;
				die "$f: not one $n\n" if @all != 1;
			}
		}' "$@"
}

# FILE...: each is queued, or refused with line and reason; sets QUEUED.
give() {
	local f rc
	QUEUED=0
	for f; do
		rc=0
		sendq -i bob@example.net <"$f" >out 2>said || rc=$?
		assert_eq "" "$(<out)" "$f: standard output"
		if [ $rc -eq 0 ]; then
			assert_eq "" "$(<said)" "$f: sendq said"
			QUEUED=$((QUEUED + 1))
		else
			assert_eq 65 $rc "$f: $(<said)"
			grep -q '^sendq: line [0-9]*: ..' said ||
				fail "$f: no line and reason: $(<said)"
		fi
	done
}

# FILE...: by BDAT and by DATA to the sink, and to Postfix.
send_all() {
	start_sink chunks
	give "$@"
	[ "$QUEUED" -gt 0 ]
	cp -r "$SPOOL" spool
	deliver_quietly
	assert_eq "$QUEUED" "$(find chunks -type f | wc -l)" "by BDAT"
	legal chunks/*
	start_sink lines -n CHUNKING
	rm -r "$SPOOL" && cp -r spool "$SPOOL"
	deliver_quietly
	assert_eq "$QUEUED" "$(find lines -type f | wc -l)" "by DATA"
	legal lines/*
	assert_eq "$(sha256sum <(cat chunks/* | sort) | cut -d' ' -f1)" \
		"$(sha256sum <(cat lines/* | sort) | cut -d' ' -f1)"
	config "submissions://localhost:$SUBMISSIONS_PORT"
	rm -r "$SPOOL" && cp -r spool "$SPOOL"
	deliver_quietly
	await_mail "$QUEUED"
}

# WHY HEAD BODY: seen, and for that reason; in printf's escapes.
sees() {
	printf "MAIL a\\nRCPT b\\n\\n$2\\r\\n$3" >bad
	run legal bad
	assert_status 255
	assert_contains "$output" "bad: $1"
}

@test "the look at the wire sees what is wrong" {
	local head='From: a\r\nDate: b\r\nMessage-ID: c\r\n'
	sees "a lone CR or LF" "$head" 'x\n'
	sees "a lone CR or LF" "$head" 'x\ry\r\n'
	sees "a lone CR or LF" "$head" 'x\r\r\n'
	sees "no line end" "$head" 'x'
	sees "a NUL" "$head" 'x\0\r\n'
	sees "a line over 998" "$head" "$(printf '%0999d' 0)\\r\\n"
	sees "Bcc" "${head}bcc: d\\r\\n" 'x\r\n'
	sees "Bcc" "${head}Resent-Bcc : d\\r\\n" 'x\r\n'
	sees "not one Date" "${head}Date: d\\r\\n" 'x\r\n'
	sees "not one From" 'Date: b\r\nMessage-ID: c\r\n' 'x\r\n'
	printf "MAIL a\\n\\n$head\\r\\nBcc: %0990d\\r\\n" 0 >good
	legal good
}

@test "every message of tests/mail: legal on the wire, or refused" {
	send_all "$ROOT"/tests/mail/*.eml
}

@test "every message of a collection: legal on the wire, or refused" {
	local from=${MAILROOM_MAIL:-$ROOT/../shared/mail}
	ls "$from"/*.eml >/dev/null 2>&1 || skip "no collection in $from"
	send_all "$from"/*.eml
}

# --- smuggling -----------------------------------------------------------------------

ENDS=('\n.\n' '\r.\r' '\r\n.\n' '\n.\r\n' '\r.\r\n' '\r\n.\r' '\n.\r' '\r.\n'
	'\r\n.\r\n' '\r\r\n.\r\r\n' '\n\n.\n\n')

# Queues a message for each, which goes on with what would be another one.
post_smuggling() {
	local end
	for end in "${ENDS[@]}"; do
		printf "Subject: outside\\n\\none${end}MAIL FROM:<evil@example.org>\\r\\nRCPT TO:<victim@example.org>\\r\\nDATA\\r\\nSubject: inside\\r\\n\\r\\ntwo${end}" |
			post bob@example.net
	done
}

# Nothing but these has arrived; the last message is there to wait for.
none_smuggled() {
	local f n=${#ENDS[@]}
	deliver_quietly
	await_mail "$n"
	printf 'Subject: outside\n\nlast\n' | post bob@example.net
	deliver_quietly
	await_mail $((n + 1))
	for f in "$MAILDIR"/new/*; do
		grep -q '^Subject: outside' "$f" || fail "smuggled: $(<"$f")"
	done
	assert_eq "$n" "$(grep -l 'victim@example.org' "$MAILDIR"/new/* | wc -l)" \
		"that are as they were"
	refute grep -q '\(to=<\|=> \|to=<*\)victim@' "$LOG"
	rm "$MAILDIR"/new/*
}

@test "smuggling: inert at Postfix, by BDAT and by DATA" {
	for how in '' 'disable chunking' 'disable chunking pipelining'; do
		config "submissions://localhost:$SUBMISSIONS_PORT" ${how:+"$how"}
		post_smuggling
		none_smuggled
	done
}

@test "smuggling: inert at Exim, by BDAT and by DATA" {
	start_exim
	for how in '' 'disable chunking' 'disable chunking pipelining'; do
		config "submissions://localhost:$SUBMISSIONS_PORT" ${how:+"$how"}
		post_smuggling
		none_smuggled
	done
	stop_server
}

@test "smuggling: inert at OpenSMTPD" {
	start_opensmtpd
	config "submission+plain://localhost:$RELAY_PORT" 'auth none'
	post_smuggling
	none_smuggled
	stop_server
}
