#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# What a run of syncd costs is by what has changed, not by how much mail there is:
# turns and bytes on a line with 50 ms, memory, and what is written to the state.

bats_require_minimum_version 1.5.0
load helper
load syncing

setup_file() {
	[ -x /usr/bin/time ] || skip "needs GNU time"
	start_dovecot
	FLAGS=S feed many INBOX 10000 300
	for i in {1..50}; do feed folders "Lists/$i" 3 500; done
}

teardown_file() {
	stop_servers
}

# A run through the proxy; sets TURNS, BYTES and KB.
costs() {
	local pid
	rm -f proxy.port
	"$BUILD/tests/bench/proxy" -t "$IMAP_PORT" -d 50 -s stats -p proxy.port \
		3>&- >/dev/null &
	pid=$!
	await test -s proxy.port
	configure "$(<proxy.port)"
	expect 0 /usr/bin/time -o peak -f %M "$SYNCD" -o auth=plain
	kill "$pid"
	wait "$pid" || true
	KB=$(tail -n 1 peak)
	TURNS=$(awk '$1 == "turns" { print $2 }' stats)
	BYTES=$(awk '/^bytes_/ { n += $2 } END { print n }' stats)
}

# WHAT FIGURE LIMIT
most() {
	[ "$2" -le "$3" ] || fail "$1: $2, and at most $3 were to be"
}

# One user for all tests, as the first run left him.
begin() {
	# shellcheck disable=SC2034 # for syncing.bash
	U=$1
	[ -z "${SANITIZED-}" ] || skip "a sanitizer takes memory of its own"
	configure
	work 0
}

# Nothing is too fresh any more.
settle() {
	sleep 2.1
	configure
	work 0
}

@test "10,000 messages: pulled, looked at, left alone; a flag of one changed" {
	local file state=$XDG_STATE_HOME/mailroom/syncd
	begin many
	assert_eq 10000 "$(maildir_count md/INBOX)"
	costs
	most "turns of the next run" "$TURNS" 4
	most "its memory" "$KB" 10500
	settle
	costs
	most turns "$TURNS" 4
	most bytes "$BYTES" 4096
	most memory "$KB" 10000

	mark_there INBOX 77 '\Flagged'
	costs
	most "turns, changed there" "$TURNS" 5
	most bytes "$BYTES" 6144
	settle
	file=$(find md/INBOX/cur -name '*:2,S' -print -quit)
	mv "$file" "${file}F"
	costs
	most "turns, changed here" "$TURNS" 5
	most bytes "$BYTES" 6144
	settle
	file=$(find md/INBOX/cur -name '*:2,S' -print -quit)
	mv "$file" "${file}R"
	expect 0 strace -f -y -e trace=pwrite64 -o trace "$SYNCD"
	most "bytes written" "$(grep -F "<$state/" trace |
		awk '{ n += $NF } END { print n + 0 }')" 32768
	settle
	expect 0 strace -f -y -e trace=pwrite64 -o trace "$SYNCD"
	# Whoever holds the lock says so in its file.
	! grep -F "<$state/" trace | grep -v '\.db\.lock>' ||
		fail "something is written for nothing"
}

@test "50 folders: each costs a line; what is new in ten comes in one flight" {
	begin folders
	settle
	costs
	most turns "$TURNS" 4
	most bytes "$BYTES" 16384
	most memory "$KB" 10000

	for i in {1..10}; do feed folders "Lists/$i" 20 500; done
	costs
	most turns "$TURNS" 6
	assert_eq 350 "$(find md -type f -path '*/new/*' | wc -l)"
}
