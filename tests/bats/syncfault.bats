#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# Syncing under faults (tests/fault/syncd.bash tells what is tried and what must
# be): killed, out of space, failing, cut off, without power, at every point. The
# numbers of points are in $BUILD/syncfault-points.txt. With $SOAK, all of it.

load helper

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/syncd" \
		"$b/tests/bench/proxy" "$b/tests/fault/fault"
}

teardown_file() {
	[ -e "$BATS_FILE_TMPDIR/points.1" ] || return 0
	cat "$BATS_FILE_TMPDIR"/points.* | awk '
		/^all: / { sum += $2; next }
		{ print }
		END { print "all: " sum " points" }' >"$BUILD/syncfault-points.txt"
	sed 's/^/# /' "$BUILD/syncfault-points.txt" >&3
}

# SCENARIO
all_points() {
	"$ROOT/tests/fault/run" -s "$BATS_FILE_TMPDIR/points.$BATS_TEST_NUMBER" \
		syncd "$1"
}

# SCENARIO: the same, where there is time for it.
soak_points() {
	[ -n "${SOAK-}" ] || skip "make soak does that"
	all_points "$1"
}

@test "nearly everything at once" { all_points all; }
@test "everything, on a server without extensions" { soak_points all-bare; }
@test "cut off at every byte" { all_points few; }
@test "the first run" { all_points first; }
@test "folders that come back" { all_points again; }
@test "the state lost" { all_points lost; }
@test "new mail" { soak_points 'new*'; }
@test "flags and keywords" { soak_points flags; }
@test "moves" { soak_points 'moves*'; }
@test "moves that go on" { all_points 'onward*'; }
@test "moves, and then one folder at a time" { all_points 'partly*'; }
@test "deletions that are taken back" { all_points 'undone*'; }
@test "an older Maildir put in its place" { all_points 'backup*'; }
@test "deletions" { soak_points 'gone*'; }
@test "deletions, to the trash" { soak_points 'trash*'; }
@test "folders made" { soak_points made; }
@test "folders removed and renamed" { soak_points removed; }
@test "another UIDVALIDITY" { soak_points ground; }
@test "one way only" { soak_points up-only; }
@test "one way only, the state lost" { soak_points mirror; }
