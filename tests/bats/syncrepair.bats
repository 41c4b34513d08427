#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# When what was agreed is lost, or one side is an older one: both sides are
# compared, and what is on both is not copied again. Nothing is deleted, nothing
# doubled. 2,000 messages; under 1% of their bytes may go over the wire.

bats_require_minimum_version 1.5.0
load helper
load syncing

U=big

setup_file() {
	setup_env
	start_dovecot
	feed $U INBOX 1000 ~20000
	FLAGS=S feed $U INBOX 500 ~20000
	feed $U Lists/x 500 ~20000
	cd "$BATS_FILE_TMPDIR" || return
	mkdir md
	run_to "$PWD/md"
	same
	mv md all
	mv "$XDG_STATE_HOME" state.all
	du -sb --apparent-size all/*/new all/*/cur all/*/*/new all/*/*/cur |
		awk '{ n += $1 } END { print n }' >bytes
}

# MAILDIR: the first run, for all tests.
run_to() {
	local BATS_TEST_TMPDIR=${1%/md}
	configure
	"$SYNCD"
}

teardown_file() {
	stop_servers
}

# Every test begins where the first run ended.
setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return 1
	U=big
	rm -rf md
	cp -al "$BATS_FILE_TMPDIR/all" md
	cp -a "$BATS_FILE_TMPDIR/state.all" "$XDG_STATE_HOME"
	STATE=$XDG_STATE_HOME/mailroom/syncd/work.db
	BYTES=$(<"$BATS_FILE_TMPDIR/bytes")
	configure
	mark_traffic
}

# Both sides are whole, and little was said to make it so; then nothing more.
repaired() {
	same
	assert_eq 1500 "$(maildir_count md/INBOX)"
	assert_eq 500 "$(maildir_count md/Lists/x)"
	traffic
	[ $((100 * (SENT + GOT))) -lt "$BYTES" ] ||
		fail "of $BYTES bytes, $SENT were sent and $GOT received"
	work 0 -p
	assert_eq "" "$output$stderr"
	same
}

@test "the state was removed" {
	rm -r "$XDG_STATE_HOME"
	work 0
	repaired
}

@test "the state is empty, cut off, or garbage" {
	local how
	for how in '-s 0' '-s 4096' '-s 50000' '-s -100000'; do
		mark_traffic
		# shellcheck disable=SC2086 # two words
		truncate $how "$STATE"
		work 0
		repaired
	done
	mark_traffic
	head -c 100000 /dev/urandom >"$STATE"
	work 0
	repaired
	ls "$STATE".damaged-* || fail "it was not set aside"
}

@test "the state has garbage in the middle" {
	local at size
	size=$(stat -c %s "$STATE")
	for at in 4096 $((size / 3)) $((size / 2)) $((size * 3 / 4)) \
		$((size - 20000)); do
		cp -a "$BATS_FILE_TMPDIR/state.all/." "$XDG_STATE_HOME"
		mark_traffic
		head -c 16384 /dev/urandom |
			dd of="$STATE" bs=1 seek=$at conv=notrunc status=none
		touch md/INBOX/new # there is something to look at
		work 0
		repaired
	done
}
