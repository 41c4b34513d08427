#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The manuals: that they tell of everything there is, and that what they show is
# so.

bats_require_minimum_version 1.5.0
load helper

setup() {
	setup_env
	SENDQ=$BUILD/sendq
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	cd "$HOME" || return
}

# PAGE SECTION [N]: the N-th literal block of a (sub)section, as it is displayed.
block() {
	awk -v want="$2" -v n="${3:-1}" '
		/^\.S[sh] / { here = substr($0, 5) == want; block = 0; next }
		/^\.Bd -literal/ { if (here) block++; next }
		/^\.Ed/ { if (here && block == n) exit; next }
		here && block == n { print; found = 1 }
		END { exit !found }' "$ROOT/man/$1"
}

# A spool with the message that sendq.spool(5) shows; FILE holds the history.
show_spool() {
	mkdir -p "$SPOOL/queue"
	{ block sendq.spool.5 "The envelope" && cat "$1"; } \
		>"$SPOOL/queue/6925c0a0-3f9ac1b2.env"
	printf 'Subject: Lunch\r\n\r\nat four\r\n' \
		>"$SPOOL/queue/6925c0a0-3f9ac1b2.eml"
}

@test "every option of the tools is in their manuals" {
	local tool option
	for tool in fetchd sendq; do
		for option in $("$BUILD/$tool" --help | grep -oE -- '--[a-z-]{2,}' |
			sort -u); do
			grep -qE -- "(Fl |, )-${option#--}( |$)" \
				"$ROOT/man/$tool.1" || fail "$tool.1: $option"
		done
	done
}

@test "every keyword is in mailroom.conf(5), and no other" {
	local files
	cd "$ROOT" || return
	files=(common/os/account.c {fetchd,sendq}/options*.c)
	# syncd's manual is still to come.
	[ ! -e man/syncd.1 ] || files+=(syncd/options*.c)
	grep -ohE '((CONF_[A-Z_]+|KEY)\(|\.name = )"[a-z0-9-]+"' "${files[@]}" |
		sed 's/.*"\(.*\)"/\1/' | sort -u >"$HOME/known"
	[ "$(wc -l <"$HOME/known")" -gt 50 ]
	sed -n 's/^\.It Ic \([a-z0-9-]*\).*/\1/p' man/mailroom.conf.5 | sort -u |
		grep -vxE 'account|fetch|sync|send|include' >"$HOME/told"
	assert_eq "" "$(comm -23 "$HOME/known" "$HOME/told")" "not told"
	[ ! -e man/syncd.1 ] ||
		assert_eq "" "$(comm -13 "$HOME/known" "$HOME/told")" "not known"
}

@test "every event and line of the spool is in sendq.spool(5)" {
	local word
	for word in $(sed -n '/rules\[EVENTS\] = {/,/^};/s/.*{\(\.name = \)\{0,1\}"\([a-z]*\)".*/\2/p' \
		"$ROOT/sendq/history.c") $(sed -n \
		'/^} fields\[\] = {/,/^};/s/^    {"\([a-z0-9-]*\)".*/\1/p' \
		"$ROOT/sendq/envelope.c"); do
		grep -q "^\.It Li $word\( \|\$\)" "$ROOT/man/sendq.spool.5" ||
			fail "$word"
		echo "$word"
	done >told
	[ "$(wc -l <told)" -gt 30 ]
}

@test "the spool that sendq.spool(5) shows is one" {
	block sendq.spool.5 "The history" >history
	show_spool history
	run "$SENDQ" --list --json
	assert_status 0
	assert_contains "$output" '"state":"failed"'
	assert_contains "$output" '"address":"bob@example.net","original":null,"state":"sent"'
	assert_contains "$output" '"address":"carol@example.org","original":null,"state":"failed"'
	assert_contains "$output" '"subject":"Lunch"'
	run "$SENDQ" --show 6925
	assert_status 0
	assert_contains "$output" "550 5.1.1 no such user"
	# Each of the lines counts.
	head -n 3 history >some
	show_spool some
	run "$SENDQ" --list --json
	assert_contains "$output" '"state":"deferred","attempts":1,"next":1764104063'
	# But for one that is torn.
	head -c -4 some >torn
	show_spool torn
	run "$SENDQ" --list --json
	assert_contains "$output" '"address":"carol@example.org","original":null,"state":"sending"'
}

@test "what sendq.spool(5) says of doing by hand" {
	: >none
	show_spool none
	# a line of the history
	echo "1764104064 hold ." >>"$SPOOL/queue/6925c0a0-3f9ac1b2.env"
	assert_contains "$("$SENDQ" --list --json)" '"held":true'
	# saved, taken back, put back
	cp -a "$SPOOL" saved
	rm "$SPOOL"/queue/*.env
	assert_eq "" "$("$SENDQ" --list --json)"
	rm -rf "$SPOOL"
	cp -a saved "$SPOOL"
	assert_contains "$("$SENDQ" --list --json)" '"held":true'
	# moved elsewhere
	export XDG_STATE_HOME=$HOME/other
	mkdir -p "$HOME/other/mailroom/sendq/queue"
	mv "$SPOOL"/queue/*.eml "$HOME/other/mailroom/sendq/queue"
	mv "$SPOOL"/queue/*.env "$HOME/other/mailroom/sendq/queue"
	run "$SENDQ" --show all
	assert_status 0
	assert_contains "$output" "at four"
	run "$SENDQ" --remove all
	assert_status 0
	assert_contains "$("$SENDQ" --log)" "removed ada@example.org bob@example.net"
}

@test "the log that sendq.spool(5) shows is one" {
	mkdir -p "$SPOOL"
	block sendq.spool.5 "The log" | tr -d '\n' | sed 's/  *sent/ sent/; s/$/\n/' \
		>"$SPOOL/log"
	run "$SENDQ" --log --json
	assert_status 0
	assert_contains "$output" '"outcome":"sent","reply":"250 2.0.0 Ok: queued as 4bZ"'
}

@test "the configurations that mailroom.conf(5) shows are right" {
	local n
	block mailroom.conf.5 DESCRIPTION >short
	block mailroom.conf.5 EXAMPLES 1 >two
	for ((n = 2; ; n++)); do
		block mailroom.conf.5 EXAMPLES "$n" >example || break
		! grep -q '^send ' example || cat example >>two
	done
	grep -q '^send home' two
	for n in short two; do
		run "$SENDQ" --config "$n" -bv bob@example.net
		assert_status 0
		run "$BUILD/fetchd" -n -c "$n" nobody
		assert_contains "$output" "nobody"
		[[ $output != *"$n:"* ]]
	done
}
