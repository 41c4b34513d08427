#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # a test is a subshell
# Fetching under faults (tests/fault/run tells what is tried and what must be):
# killed, out of space, failing, cut off, without power, at every point. The
# numbers of points are in $BUILD/fault-points.txt.

load helper

setup_file() {
	local b
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	MAKEFLAGS='' make -s -C "$ROOT" B="$b" "$b/fetchd" \
		"$b/tests/bench/proxy" "$b/tests/fault/fault"
}

teardown_file() {
	[ -e "$BATS_FILE_TMPDIR/points.1" ] || return 0
	cat "$BATS_FILE_TMPDIR"/points.* | awk '
		/^all: / { sum += $2; next }
		{ print }
		END { print "all: " sum " points" }' >"$BUILD/fault-points.txt"
	sed 's/^/# /' "$BUILD/fault-points.txt" >&3
}

# SCENARIO
all_points() {
	"$ROOT/tests/fault/run" -s "$BATS_FILE_TMPDIR/points.$BATS_TEST_NUMBER" fetchd \
		"$1"
}

@test "POP3, keep never" { all_points pop3-never-maildir; }
@test "POP3, keep always" { all_points pop3-always-maildir; }
@test "IMAP, keep never" { all_points imap-never-maildir; }
@test "IMAP, keep always" { all_points imap-always-maildir; }
@test "new mail for an old state" { all_points '*-more'; }
@test "batch behind batch" { all_points '*-many'; }
@test "an mbox" { all_points '*-mbox'; }
@test "a Maildir and an mbox" { all_points '*-two'; }
@test "a command" { all_points '*-pipe'; }
@test "a command and a Maildir" { all_points '*-both'; }
@test "no state, but mail in the Maildir" { all_points '*-learn'; }

# --- deletions -------------------------------------------------------------------

# PROTO PORT: fetches from there, deleting.
fetch_from() {
	cat >conf <<-END
		account a
		    user             $U
		    password-command printf pw
		    auth             plain
		    $1 $1+plain://127.0.0.1:$2
		fetch a
		    from             $1
		    deliver          maildir $PWD/in
		    keep             never
	END
	run "$FETCHD" -v -c conf
}

# PROTO PORT [OPTION...]: the same through a proxy with these options; sets UP,
# the bytes that reached the server.
fetch_through() {
	local proto=$1 to=$2 port proxy
	shift 2
	exec {out}< <(exec "$BUILD/tests/bench/proxy" -t "$to" -s stats "$@")
	proxy=$!
	read -r -u "$out" port
	fetch_from "$proto" "$port"
	kill "$proxy"
	wait "$proxy" || true
	exec {out}<&-
	UP=$(sed -n 's/^bytes_up //p' stats)
}

# PROTO PORT BYTES...: all is delivered, but so many bytes of the client's never
# reach the server, and no answer comes to those before; then a run without
# such trouble.
lost_answers() {
	local proto=$1 port=$2 total less
	shift 2
	U=$proto-xx # as long as the others
	feed "$U" INBOX 5 100
	fetch_through "$proto" "$port"
	assert_status 0
	total=$UP
	for less; do
		echo "without $less of $total bytes"
		printf -v U '%s-%02d' "$proto" "$less"
		rm -rf in state
		feed "$U" INBOX 5 100
		fetch_through "$proto" "$port" -U $((total - less))
		assert_status 75
		assert_eq 5 "$(maildir_count in)"
		# A reader may well have taken it away.
		rm in/new/*
		fetch_from "$proto" "$port"
		assert_status 0
		assert_contains "$output" ' 0 fetched'
		assert_eq 0 "$(maildir_count in)"
		assert_eq 0 "$(maildir_count "$MAILROOT/$U")"
	done
}

@test "POP3: an unanswered QUIT, or none: deleted, not fetched again" {
	cd "$BATS_TEST_TMPDIR"
	start_dovecot
	# All comes; no QUIT; not the last DELE either; but for a byte, none.
	lost_answers pop3 "$POP3_PORT" 0 6 14 45
}

@test "IMAP: an unanswered EXPUNGE, or none: deleted, not fetched again" {
	cd "$BATS_TEST_TMPDIR"
	start_dovecot
	# All but LOGOUT; no EXPUNGE; but for a byte, no STORE.
	lost_answers imap "$IMAP_PORT" 11 31 73
}
