#!/usr/bin/env bats
# shellcheck disable=SC2016 # sh -c '...'
# What people see of sendq's queue, and what they do to it.

bats_require_minimum_version 1.5.0
load helper
load queueing

# N: queues N messages, to r1@example.net and so on; their IDs in ID, from 1.
queue() {
	local i
	for ((i = 1; i <= $1; i++)); do
		printf 'Subject: number %s\n\nbody\n' "$i" |
			"$SENDQ" -f ada@example.org "r$i@example.net"
	done
	ids
}

ids() {
	local f
	ID=('')
	for f in "$SPOOL"/queue/*.env; do
		f=${f##*/}
		ID+=("${f%.env}")
	done
}

# ID LINE...: adds lines to a message's history, as a runner would.
history_line() {
	local file=$SPOOL/queue/$1.env
	shift
	printf '%s .\n' "$@" >>"$file"
}

# --- --list -----------------------------------------------------------------

@test "an empty queue says so, as mailq and as --list" {
	for c in "$SENDQ --list" "bin/mailq" "bin/mailq -v" "bin/sendmail -bp"; do
		# shellcheck disable=SC2086 # words
		expect 0 $c
		assert_eq "Mail queue is empty" "$output"
		assert_eq "" "$stderr"
	done
	expect 0 "$SENDQ" --list --json
	assert_eq "" "$output"
}

@test "--list shows ID, age, size, state, next try, sender and recipients" {
	queue 2
	now=$(date +%s)
	history_line "${ID[2]}" "$((now - 60)) sending 1" \
		"$((now - 59)) deferred 1 $((now + 600)) 450 4.2.0 try later%0D%0AX"
	expect 0 "$SENDQ" --list
	assert_eq "" "$stderr"
	[[ ${lines[0]} =~ ^ID\ +AGE\ +SIZE\ +STATE\ +NEXT\ TRY\ +SENDER$ ]]
	[[ ${lines[1]} =~ ^${ID[1]}\ .*\ B\ +queued\ +now\ +ada@example.org$ ]]
	assert_eq "    r1@example.net" "${lines[2]}"
	[[ ${lines[3]} =~ ^${ID[2]}\ .*\ deferred\ +in\ [0-9]+\ min.*ada@example.org$ ]]
	# A reply begins no line.
	[[ ${lines[4]} == "    r2@example.net: deferred: 450 4.2.0 try later\\r\\nX (again in "* ]]
	assert_eq "-- 1 Kbytes in 2 Requests." "${lines[5]}"
	assert_eq 6 "${#lines[@]}"
	expect 0 bin/mailq
	assert_eq "-- 1 Kbytes in 2 Requests." "${lines[5]}"
}

@test "--list --json: an object a line" {
	queue 1
	history_line "${ID[1]}" '1764104002 sending 1' \
		'1764104003 deferred 1 1764104063 450 "quoted" \%FF'
	expect 0 "$SENDQ" --list --json
	assert_eq 1 "${#lines[@]}"
	# Perl knows what JSON is, and what UTF-8 is.
	perl -MJSON::PP -e '
		my $o = decode_json(<STDIN>);
		print join(" ", map { $_ // "null" } $o->{id}, $o->{state},
		    $o->{account}, $o->{sender}, $o->{subject}, $o->{due},
		    $o->{recipients}[0]{address}, $o->{recipients}[0]{state},
		    $o->{recipients}[0]{attempts}, $o->{recipients}[0]{next}), "\n";
		print $o->{recipients}[0]{reply} eq
		    "450 \"quoted\" \\\x{fffd}" ? "reply\n" : "other\n";
	' <<<"$output" >got
	assert_eq "${ID[1]} deferred work ada@example.org number 1 null r1@example.net deferred 1 1764104063" \
		"$(head -n 1 got)"
	assert_eq reply "$(tail -n 1 got)"
}

@test "--list tells when all mail of an account waits, and why" {
	queue 1
	now=$(date +%s)
	echo "$now login $((now + 3600)) 1 99 535 5.7.8 not%0Aaccepted ." \
		>"$SPOOL/accounts/work"
	expect 0 "$SENDQ" --list
	[[ ${lines[1]} =~ \ queued\ +in\ (1\ h|59\ min)\  ]]
	[[ ${lines[3]} =~ ^All\ mail\ of\ \'work\'\ waits,\ again\ in\ .*:\ 535\ 5.7.8\ not\\naccepted$ ]]
	assert_eq "-- 1 Kbytes in 1 Request." "${lines[4]}"
	expect 0 "$SENDQ" --list --json
	assert_contains "$output" "\"account_waits\":$((now + 3600))"
	expect 0 "$SENDQ" --retry-now all
	expect 0 "$SENDQ" --list
	[[ ${lines[1]} =~ \ queued\ +now\  ]]
	refute grep -q waits <<<"$output"
}

@test "what failed is listed apart, and counts for no queue" {
	queue 1
	history_line "${ID[1]}" '1764104003 failed 1 550 5.1.1 no such user'
	mv "$SPOOL"/queue/* "$SPOOL/failed"
	expect 0 "$SENDQ" --list
	[[ ${lines[1]} =~ \ failed\ +-\ +ada@example.org$ ]]
	assert_eq "    r1@example.net: failed: 550 5.1.1 no such user" "${lines[2]}"
	assert_eq "Mail queue is empty" "${lines[3]}"
	assert_contains "${lines[4]}" "1 failed"
}

@test "a message that cannot be read is said, and the others are shown" {
	queue 2
	echo damaged >"$SPOOL/queue/${ID[1]}.env"
	expect 65 "$SENDQ" --list
	assert_contains "$stderr" "${ID[1]}"
	assert_contains "$output" "r2@example.net"
}

# --- --show, --log ----------------------------------------------------------

@test "--show: envelope, history and message; by a begin of its ID" {
	queue 1
	history_line "${ID[1]}" '1764104002 sending 1' \
		'1764104003 deferred 1 1764104063 450 4.2.0 later'
	expect 0 "$SENDQ" --show "${ID[1]%?????}"
	assert_eq "message ${ID[1]}: deferred" "${lines[0]}"
	assert_contains "$output" "recipient: r1@example.net"
	assert_contains "$output" \
		"2025-11-25 20:53:22  sending r1@example.net"
	assert_contains "$output" \
		"2025-11-25 20:53:23  deferred r1@example.net, again 2025-11-25 20:54:23: 450 4.2.0 later"
	assert_contains "$output" $'\nSubject: number 1\n'
	assert_eq body "${lines[-1]}"
	expect 0 "$SENDQ" --show --json all
	perl -MJSON::PP -e '
		my $o = decode_json(<STDIN>);
		print "$o->{file} $o->{history}[1]{event} $o->{history}[1]{text}\n";
	' <<<"$output" >got
	assert_eq "$SPOOL/queue/${ID[1]}.eml deferred 450 4.2.0 later" "$(<got)"
}

@test "--log tells what became of messages that are gone" {
	expect 0 "$SENDQ" --log
	assert_eq "" "$output$stderr"
	mkdir -p "$SPOOL"
	echo '1764104001 6925c0a0-00000001 work ada@example.org a@b sent 250 old' \
		>"$SPOOL/log.old"
	cat >"$SPOOL/log" <<-'EOF'
	1764104003 6925c0a0-3f9ac1b2 work <> "b%20c"@d failed 550 5.1.1 no%0Asuch
	1764104004 torn
	1764104005 6925c0a0-3f9ac1b3 work ada@example.org e@f removed 
	EOF
	expect 0 "$SENDQ" --log
	assert_eq "2025-11-25 20:53:21  6925c0a0-00000001 work sent ada@example.org a@b 250 old" \
		"${lines[0]}"
	assert_eq '2025-11-25 20:53:23  6925c0a0-3f9ac1b2 work failed <> "b c"@d 550 5.1.1 no\nsuch' \
		"${lines[1]}"
	assert_eq "2025-11-25 20:53:25  6925c0a0-3f9ac1b3 work removed ada@example.org e@f" \
		"${lines[2]}"
	assert_eq 3 "${#lines[@]}"
	expect 0 "$SENDQ" --log --json
	perl -MJSON::PP -e '
		my @o = map { decode_json($_) } <STDIN>;
		print "$o[1]{time} $o[1]{recipient} $o[1]{outcome} <$o[1]{sender}>\n";
	' <<<"$output" >got
	assert_eq '1764104003 "b c"@d failed <>' "$(<got)"
}

# --- changes ----------------------------------------------------------------

# ID: its last event.
last() {
	tail -n 1 "$SPOOL/queue/$1.env"
}

@test "--hold and --release, of one or all, and only once" {
	queue 2
	expect 0 "$SENDQ" --hold "${ID[1]}"
	assert_eq "" "$output$stderr"
	[[ $(last "${ID[1]}") =~ ^[0-9]+\ hold\ \.$ ]]
	assert_eq end "$(last "${ID[2]}")"
	expect 0 "$SENDQ" --list
	[[ ${lines[1]} =~ \ held\ +-\  ]]
	expect 0 "$SENDQ" --hold all
	assert_eq 1 "$(grep -c hold "$SPOOL/queue/${ID[1]}.env")"
	[[ $(last "${ID[2]}") =~ \ hold\ \.$ ]]
	expect 0 "$SENDQ" --release all
	[[ $(last "${ID[1]}") =~ \ release\ \.$ ]]
	[[ $(last "${ID[2]}") =~ \ release\ \.$ ]]
	expect 0 "$SENDQ" --list
	[[ ${lines[1]} =~ \ queued\ +now\  ]]
}

@test "--remove takes back what waits and what failed; the log tells" {
	queue 3
	history_line "${ID[3]}" '1764104003 failed 1 550 no'
	mv "$SPOOL/queue/${ID[3]}".* "$SPOOL/failed"
	touch "$SPOOL/failed/${ID[3]}.report"
	expect 0 "$SENDQ" --remove "${ID[1]}"
	assert_eq "" "$output$stderr"
	[ ! -e "$SPOOL/queue/${ID[1]}.env" ] && [ ! -e "$SPOOL/queue/${ID[1]}.eml" ]
	[ -e "$SPOOL/queue/${ID[2]}.env" ]
	expect 0 "$SENDQ" --remove all
	assert_eq "" "$(find "$SPOOL/queue" "$SPOOL/failed" -type f)"
	assert_eq "${ID[1]} removed ${ID[2]} removed ${ID[3]} failed" \
		"$(awk '{ print $2, $6 }' "$SPOOL/log" | paste -sd' ')"
}

@test "--retry-now: at once, from failed/ by its ID, and the account waits no more" {
	queue 2
	later=$(($(date +%s) + 600))
	history_line "${ID[1]}" "1764104003 deferred 1 $later 450 later"
	history_line "${ID[2]}" '1764104003 failed 1 550 no'
	mv "$SPOOL/queue/${ID[2]}".* "$SPOOL/failed"
	expect 0 "$SENDQ" --retry-now all
	assert_eq "" "$output$stderr"
	[[ $(last "${ID[1]}") =~ \ retry\ [0-9]+\ \.$ ]]
	[ -e "$SPOOL/failed/${ID[2]}.env" ] # all that wait
	expect 0 "$SENDQ" --retry-now "${ID[2]}"
	[ -e "$SPOOL/queue/${ID[2]}.env" ] && [ -e "$SPOOL/queue/${ID[2]}.eml" ]
	assert_eq "" "$(find "$SPOOL/failed" -type f)"
	expect 0 "$SENDQ" --list
	assert_contains "${lines[1]}" now
	assert_contains "${lines[3]}" now
	expect 0 bin/sendmail "-qI${ID[1]}"
	assert_eq 2 "$(grep -c retry "$SPOOL/queue/${ID[1]}.env")"
}

@test "an ID that is none or stands for two, or was not given: 64" {
	queue 2
	for o in --show --hold --release --remove --retry-now; do
		expect 64 "$SENDQ" $o ffffffff
		said ffffffff
		expect 64 "$SENDQ" $o "${ID[1]:0:2}"
		expect 64 "$SENDQ" $o ''
		expect 64 "$SENDQ" $o
		expect 64 "$SENDQ" $o ../lock
	done
	assert_eq 2 "$(find "$SPOOL/queue" -name '*.env' | wc -l)"
}

@test "a message that is being sent is left alone: 75; the others are done" {
	queue 2
	flock -F "$SPOOL/queue/${ID[1]}.env" sleep 60 &
	pid=$!
	await refute flock -n "$SPOOL/queue/${ID[1]}.env" true
	expect 75 "$SENDQ" --remove all
	said "${ID[1]}"
	said "being sent"
	[ -e "$SPOOL/queue/${ID[1]}.env" ]
	[ ! -e "$SPOOL/queue/${ID[2]}.env" ]
	expect 0 "$SENDQ" --list
	kill $pid
	wait $pid || true
	expect 0 "$SENDQ" --remove all
	assert_eq "" "$(find "$SPOOL/queue" -type f)"
}

@test "--remove is for good before it says so" {
	queue 1
	printf '' >in
	fault -l log -- "$SENDQ" --remove "${ID[1]}"
	cut -f 3,4 log | sed "s|$SPOOL/||g" | grep -A1 'queue/.*env' >got
	grep -q '^unlink.*env' got
	assert_eq "fsync	queue" "$(tail -n 1 got)"
}
