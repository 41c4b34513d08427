#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# Sending under faults (tests/fault/sendq.bash tells what is tried and what must
# be): killed, out of space, failing, cut off, without power, at every point. The
# numbers of points are in $BUILD/sendfault-points.txt. With $SOAK, more of it.

load helper

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/sendq" "$b/tests/peer/sink" \
		"$b/tests/bench/proxy" "$b/tests/fault/fault" \
		"$b/tests/fault/later.so"
}

teardown_file() {
	[ -e "$BATS_FILE_TMPDIR/points.1" ] || return 0
	cat "$BATS_FILE_TMPDIR"/points.* | awk '
		/^all: / { sum += $2; both += $4; next }
		{ print }
		END { print "all: " sum " points, " both + 0 " sent twice" }
		' >"$BUILD/sendfault-points.txt"
	sed 's/^/# /' "$BUILD/sendfault-points.txt" >&3
}

# SCENARIO
all_points() {
	"$ROOT/tests/fault/run" -s "$BATS_FILE_TMPDIR/points.$BATS_TEST_NUMBER" \
		sendq "$1"
}

@test "accepting a message" { all_points 'accept'; }
@test "accepting a large one" { all_points 'accept-large'; }
@test "accepting, and sending at once" { all_points 'accept-now'; }
@test "a batch in one flight" { all_points 'run'; }
@test "a message a turn" { all_points 'run-data'; }
@test "a command a turn" { all_points 'run-slow'; }
@test "taking a message back" { all_points 'remove'; }
@test "trying again what failed" { all_points 'retry'; }

@test "many messages, in two sessions" {
	[ -n "${SOAK-}" ] || skip "make soak does that"
	all_points 'run-many'
}

# --- the window of doubt -----------------------------------------------------

# The log of a run: what is in a history is durable before anything else is
# done, up to where the sent copies are made. So between the last octet of a
# message and its outcome on the disk there is nothing but the reply.
histories_come_first() {
	awk -F '\t' '
		$4 ~ /\/sent\// && sent { exit }
		$4 ~ /\.env$/ {
			if ($3 == "write")
				owed[$4] = 1
			else if ($3 == "fsync")
				delete owed[$4]
			next
		}
		$3 ~ /^send/ || ($3 == "write" && $4 == "socket") { sent++ }
		{
			for (name in owed) {
				print "before " name " is durable: " $0
				bad = 1
			}
		}
		END { exit bad || !sent }' "$1"
}

# WITHOUT...: so many extensions less.
run_thirty() {
	local sink i
	mkdir -p got
	"$BUILD/tests/peer/sink" -p port "$@" got >/dev/null 3>&- &
	sink=$!
	for ((i = 0; i < 500; i++)); do
		[ ! -s port ] || break
		sleep 0.02
	done
	printf '%s\n' 'account a' 'address a@x.org' 'auth none' \
		"smtp submission+plain://127.0.0.1:$(<port)" \
		'send a' 'hello me' queue-only "sent $PWD/sent" >conf
	for i in {1..30}; do
		"$BUILD/sendq" --config conf b@x.org <<<"$i"
	done
	"$BUILD/tests/fault/fault" -l log -- "$BUILD/sendq" --config conf --run
	kill $sink
	assert_eq 30 "$(find got -type f | wc -l)"
	histories_come_first log
}

@test "an outcome is on the disk before anything else is done" {
	local without
	for without in '' '-n CHUNKING' '-n CHUNKING -n PIPELINING'; do
		mkdir -p "$BATS_TEST_TMPDIR/${without// }"
		cd "$BATS_TEST_TMPDIR/${without// }"
		# shellcheck disable=SC2086 # options
		run_thirty $without
	done
}
