#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# Moves are moves: messages of 100 KB that a mail reader or another client moves
# to another folder cost a line each, whatever they are known by.

bats_require_minimum_version 1.5.0
load helper
load syncing

N=200
[ -z "${SOAK-}" ] || N=1000

setup_file() {
	start_dovecot
}

teardown_file() {
	stop_servers
}

# N messages in INBOX and one in Archive, on both sides.
both_have() {
	feed "$U" INBOX $N 100000
	feed "$U" Archive 1 1000
	sync 0
	mark_traffic
}

# BYTES sent and BYTES received for 1,000 messages; fewer were moved.
cheap() {
	traffic
	echo "# $N moved: $SENT bytes sent, $GOT received" >&3
	[ "$SENT" -lt $(($1 * N / 1000)) ] || fail "$SENT bytes were sent"
	[ "$GOT" -lt $(($2 * N / 1000)) ] || fail "$GOT bytes were received"
	same
	assert_eq $((N + 1)) "$(maildir_count md/Archive)"
	assert_eq 0 "$(maildir_count md/INBOX)"
	sync 0 -p
	assert_eq "" "$output$stderr"
}

@test "moved by a mail reader: the names stay" {
	both_have
	mv md/INBOX/new/* md/Archive/new/
	sync 0
	cheap 200000 1000000
}

@test "moved by a mail reader that copies: other names" {
	local i=0 f
	both_have
	for f in md/INBOX/new/*; do
		mv "$f" "md/Archive/cur/$((i += 1)).copied.h:2,"
	done
	sync 0
	cheap 200000 1000000
}

@test "moved by another client: known by size and Message-ID" {
	both_have
	there move -u "$U" Archive mailbox INBOX all
	sync 0
	cheap 200000 1000000
}


@test "Cyrus: moved by another client: known by EMAILID" {
	start_server cyrus "$BATS_TEST_TMPDIR/cyrus"
	U=u1 N=100
	mkdir -p md2/INBOX/{cur,new,tmp} md2/Archive/{cur,new,tmp}
	perl -e 'for (1 .. shift) {
		open(my $f, ">", "md2/INBOX/new/$_.m.h") or die;
		print $f "From: a\nMessage-ID: <$_\@x>\n\n", ("x" x 99 . "\n") x 1000;
	}' $N
	printf 'From: a\nMessage-ID: <a@x>\n\nx\n' >md2/Archive/new/a.a.h
	other() {
		expect 0 "$SYNCD" -o 'password-command=printf pw' \
			"imap+plain://$U@127.0.0.1:$IMAP_PORT" md2
	}
	other
	sync 0
	assert_eq $N "$(maildir_count md/INBOX)"
	mv md2/INBOX/*/* md2/Archive/new/
	other
	sync 0 -vv
	refute asked 'BODY.PEEK'
	asked EMAILID || fail "$stderr"
	assert_eq $((N + 1)) "$(maildir_count md/Archive)"
	GOT=$(grep '^syncd: < ' <<<"$stderr" | wc -c)
	SENT=$(grep '^syncd: > ' <<<"$stderr" | wc -c)
	echo "# $N moved: $SENT bytes sent, $GOT received" >&3
	[ "$GOT" -lt $((1000000 * N / 1000)) ] || fail "$GOT bytes were received"
	sync 0 -p
	assert_eq "" "$output$stderr"
	stop_server
}
