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
	feed "$U" INBOX 1000 ~20000
	FLAGS=S feed "$U" INBOX 500 ~20000
	feed "$U" Lists/x 500 ~20000
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
	for how in '-s 0' '-s 50000'; do
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
	for at in 4096 $((size / 2)) $((size - 20000)); do
		cp -a "$BATS_FILE_TMPDIR/state.all/." "$XDG_STATE_HOME"
		mark_traffic
		head -c 16384 /dev/urandom |
			dd of="$STATE" bs=1 seek=$at conv=notrunc status=none
		touch md/INBOX/new # there is something to look at
		work 0
		repaired
	done
}

# Where it looks like the end of the folder, files whose rows lie behind that
# would be new.
@test "the state has garbage in the half of a page" {
	local at size
	size=$(stat -c %s "$STATE")
	for ((at = 6144; at < size; at += size / 8 / 4096 * 4096)); do
		cp -a "$BATS_FILE_TMPDIR/state.all/." "$XDG_STATE_HOME"
		mark_traffic
		spoil "$STATE" "$at"
		touch md/INBOX/new
		work 0
		repaired
	done
}

@test "UIDVALIDITY is another" {
	there mailbox status -u $U messages INBOX >/dev/null
	cp -a "$MAILROOT/$U" kept
	rm -f "$MAILROOT/$U"/dovecot.{index,list}*
	sed -i '1s/ V[0-9]*/ V1234567/' "$MAILROOT/$U/dovecot-uidlist"
	work 0
	repaired
	rm -r "${MAILROOT:?}/$U"
	mv kept "$MAILROOT/$U"
}

# --- an older Maildir --------------------------------------------------------------

# A user with a backup of a Maildir, and what happened since on both sides.
backup() {
	U=u$BATS_TEST_NUMBER
	rm -rf md "$XDG_STATE_HOME"
	configure "" "remove both"
	feed "$U" INBOX 200 2000
	feed "$U" Lists/x 20 2000
	work 0
	cp -a md backup
	feed "$U" INBOX 60 3000
	feed "$U" New 30 3000
	work 0
	# Read there; flagged, moved and deleted here; a flag taken away.
	mark_there INBOX 1:10 '\Seen'
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur F
	rename_to "$2" md/Lists/x/cur S
	rm "$3" "$4" "$5"
	work 0
	same
	digests_here >earlier
}

digests_here() {
	list_here | sed 's/.* //' | sort
}

# Whatever was on the server is there, and in the Maildir again; what had been
# deleted came back from the backup, no more. (What was moved is where it was.)
all_are_back() {
	same
	digests_here >now
	assert_eq "" "$(comm -23 earlier now)" "lost"
	assert_eq 3 "$(comm -13 earlier now | wc -l)" "came back"
	traffic
	# 90 messages of 3,000 bytes were in no backup.
	[ $((SENT + GOT)) -lt $((90 * 3000 * 3 / 2)) ] ||
		fail "$SENT bytes were sent and $GOT received"
	work 0 -p
	assert_eq "" "$output$stderr"
}

@test "the Maildir came back from a backup: nothing is deleted, nothing doubled" {
	backup
	rm -r md
	cp -a backup md
	mark_traffic
	work 0 -v
	assert_contains "$stderr" "an older one: nothing counts as deleted"
	all_are_back
	# From then on it is as always.
	set -- md/INBOX/*/*
	rm "$1"
	work 0
	same
	assert_eq 259 "$(maildir_count md/INBOX)"
}

@test "a backup, while a deletion was under way: it counts no more" {
	U=u$BATS_TEST_NUMBER
	rm -rf md "$XDG_STATE_HOME"
	configure
	feed "$U" INBOX 5 1000
	work 0
	cp -a md backup
	feed "$U" INBOX 1 1000
	work 0
	same
	# As after a run that was killed just before it marked the last one there.
	sqlite3 "$XDG_STATE_HOME/mailroom/syncd/work.db" \
		"UPDATE msg SET name = '', flags = flags | 8 WHERE uid = 6"
	rm -r md
	cp -a backup md
	work 0 -v
	assert_contains "$stderr" "an older one: nothing counts as deleted"
	same
	assert_eq 6 "$(maildir_count md/INBOX)"
}

@test "a backup with flags that were taken back: nobody wishes them again" {
	U=u$BATS_TEST_NUMBER
	rm -rf md "$XDG_STATE_HOME"
	configure
	feed "$U" INBOX 3 1000
	work 0
	# Another client's mark is shown; of ours one would be a wish.
	mark_there INBOX 1 '\Deleted'
	mark_there INBOX 2 '\Seen'
	work 0
	cp -a md backup
	there flags remove -u "$U" '\Deleted' mailbox INBOX uid 1
	mark_there INBOX 3 '\Flagged'
	work 0
	rm -r md
	cp -a backup md
	work 0 -v
	assert_contains "$stderr" "an older one: nothing counts as deleted"
	same
	assert_eq 3 "$(maildir_count md/INBOX)"
	assert_eq 1 "$(find md -name '*:2,*F*' | wc -l)" "flagged"
	assert_eq 1 "$(find md -name '*:2,*S*' | wc -l)" "seen"
}

@test "a backup without the file .syncd, put in its place with new dates" {
	backup
	rm -r md
	cp -r backup md
	rm md/.syncd
	mark_traffic
	work 0
	all_are_back
}

@test "state and Maildir came back from a backup, both" {
	U=u$BATS_TEST_NUMBER
	rm -rf md "$XDG_STATE_HOME"
	configure
	feed "$U" INBOX 50 2000
	work 0
	cp -a md backup
	cp -a "$XDG_STATE_HOME" backup.state
	feed "$U" INBOX 20 2000
	set -- md/INBOX/new/*
	rm "$1"
	work 0
	same
	rm -r md "$XDG_STATE_HOME"
	mv backup md
	mv backup.state "$XDG_STATE_HOME"
	work 0
	same
	assert_eq 69 "$(maildir_count md/INBOX)"
}

@test "a run that was killed leaves a tree that is known" {
	U=u$BATS_TEST_NUMBER
	rm -rf md "$XDG_STATE_HOME"
	configure
	feed "$U" INBOX 30 500
	work 0
	# As after the first of the two steps that end a pass.
	perl -pi -e 's/ ([0-9a-f]{16})$/sprintf " %016x", hex($1) + 1/e' md/.syncd
	set -- md/INBOX/new/*
	rm "$1"
	work 0
	same
	assert_eq 29 "$(maildir_count md/INBOX)"
}

# --- from other programs -------------------------------------------------------------

@test "a tree that mbsync kept: nothing is copied again" {
	U=u$BATS_TEST_NUMBER
	command -v mbsync >/dev/null
	rm -rf md "$XDG_STATE_HOME"
	mkdir md
	cat >mbsyncrc <<-END
		IMAPStore far
		Host 127.0.0.1
		Port $IMAP_PORT
		User $U
		Pass pw
		$(mbsync --version | grep -q ' 1\.[0-4]' && echo SSLType None || echo TLSType None)
		AuthMechs LOGIN

		MaildirStore near
		Path $PWD/md/
		Inbox $PWD/md/INBOX
		SubFolders Verbatim

		Channel all
		Far :far:
		Near :near:
		Patterns *
		Create Both
		Expunge Both
		SyncState *
	END
	feed "$U" INBOX 100 2000
	FLAGS=S feed "$U" Lists/x 20 2000
	mbsync -q -c mbsyncrc all
	# It leaves a line of its own in what it copies, in either direction.
	printf 'From: a\nSubject: here\nMessage-ID: <here@x>\n\nx\n' \
		>md/INBOX/cur/1.here.h:2,S
	mbsync -q -c mbsyncrc all
	assert_eq 101 "$(count_there INBOX)"
	grep -rq '^X-TUID' md || skip "this mbsync leaves no traces"
	mark_traffic
	configure
	work 0
	traffic
	[ $((SENT + GOT)) -lt 40000 ] ||
		fail "$SENT bytes were sent and $GOT received"
	assert_eq 101 "$(count_there INBOX)"
	assert_eq 101 "$(maildir_count md/INBOX)"
	assert_eq 20 "$(maildir_count md/Lists/x)"
	work 0 -p
	assert_eq "" "$output$stderr"
	# And what happens then is carried.
	set -- md/INBOX/*/*
	rm "$1"
	expunge_there INBOX 50
	work 0
	assert_eq "$(count_there INBOX)" "$(maildir_count md/INBOX)"
}
