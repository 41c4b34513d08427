#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # bats sets them; mutt's
# Two syncd at once, and the programs that people read mail with, on the tree
# that syncd keeps: what they do to files is what it carries, and nothing else.

bats_require_minimum_version 1.5.0
load helper
load syncing

setup_file() {
	start_dovecot
}

teardown_file() {
	stop_servers
}

# --- two at once -------------------------------------------------------------------

# A syncd that holds its account until it is let go, by a password that takes
# its time.
hold() {
	mkfifo go
	"$SYNCD" -o "password-command=sh -c 'read -r x <go; printf pw'" \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md \
		>held.out 2>&1 3>&- &
	HOLDER=$!
	await holds
}

holds() {
	local lock
	lock=$(find "$XDG_STATE_HOME" -name '*.lock') && [ -n "$lock" ] &&
		! flock -n "$lock" true
}

let_go() {
	echo >go
	wait "$HOLDER"
}

@test "two syncd at once: the second says who is at work; 75" {
	feed "$U" INBOX 5 500
	hold
	sync 75
	[[ $stderr =~ 'locked by process '([0-9]+) ]] || fail "$stderr"
	assert_eq "$HOLDER" "$(ps -o ppid= -p "${BASH_REMATCH[1]}" | tr -d ' ')" \
		"the worker of the other one"
	assert_contains "$stderr" "--wait"
	[ ! -e md/INBOX ] || fail "it did something"
	let_go
	same
}

@test "--wait waits, and then does its work" {
	local pid
	feed "$U" INBOX 5 500
	hold
	"$SYNCD" --wait -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md >waited 2>&1 3>&- &
	pid=$!
	sleep 0.5
	gone $pid && fail "it did not wait: $(cat waited)"
	let_go
	feed "$U" INBOX 1 700
	wait $pid
	assert_eq "" "$(cat waited)"
	same
}

@test "many at once: each message is there once" {
	local i pids=()
	feed "$U" INBOX 200 500
	feed "$U" Lists/x 50 500
	for i in {1..6}; do
		"$SYNCD" --wait -o 'password-command=printf pw' \
			"imap+plain://$U@127.0.0.1:$IMAP_PORT" md 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	same
	assert_eq 200 "$(maildir_count md/INBOX)"
}

# --- mutt ---------------------------------------------------------------------------

# KEYS: mutt opens INBOX, is given these keys, and is left.
mutt_does() {
	cat >muttrc <<-END
		set folder = $PWD/md
		set spoolfile = $PWD/md/INBOX
		set mbox_type = Maildir
		set header_cache = ""
		set delete = yes
		set move = no
		set confirmappend = no
		set confirmcreate = no
		set sort = date
		set quit = yes
		set mark_old = no
		set wait_key = no
		push "$1"
	END
	TERM=xterm timeout 20 script -qec 'mutt -n -F muttrc' /dev/null \
		</dev/null >screen 2>&1
}

# N: the subject of the N-th message that was fed, from 1; in BASE is that of
# the first.
subject() {
	[ -n "${BASE-}" ] || BASE=$(grep -rhm1 '^Subject: message' md/INBOX |
		grep -o '[0-9]*' | sort -n | head -n 1)
	echo "message $((BASE + $1 - 1))"
}

# N: how the server has flagged it.
flags_of() {
	flags_there INBOX | sed -n "s/^subject=$(subject "$1") flags=//p"
}

@test "mutt reads, flags, deletes and moves: the server has it" {
	command -v mutt script >/dev/null
	feed "$U" INBOX 6 2000
	feed "$U" Archive 1 500
	sync 0
	# The first is read; the second flagged; the third deleted; the fourth goes
	# to Archive, by a copy under another name.
	mutt_does '<first-entry><display-message><exit>2<enter>F3<enter><delete-message>4<enter><save-message>=Archive<enter><sync-mailbox><quit>'
	assert_eq 4 "$(maildir_count md/INBOX)" "mutt: $(tail -c 300 screen)"
	assert_eq 2 "$(maildir_count md/Archive)" mutt
	subject 1
	# What mutt copies has a Content-Length more: it is another message.
	assert_eq 1 "$(grep -rl '^Content-Length' md | wc -l)"
	sync 0 -vv
	assert_eq 1 "$(grep -c '> A[0-9]* APPEND' <<<"$stderr")"
	same
	assert_eq 4 "$(count_there INBOX)"
	assert_eq 2 "$(count_there Archive)"
	assert_contains "$(flags_of 1)" '\Seen'
	assert_contains "$(flags_of 2)" '\Flagged'
	assert_eq "" "$(flags_of 3)$(flags_of 4)"
	sync 0 -p
	assert_eq "" "$output$stderr"
}

@test "mutt sees what comes while it is away, and what another client did" {
	feed "$U" INBOX 2 2000
	sync 0
	mutt_does '<first-entry><display-message><exit><sync-mailbox><quit>'
	mark_there INBOX 2 '\Flagged' '\Answered'
	feed "$U" INBOX 1 900
	sync 0
	same
	mutt_does '<last-entry><display-message><exit><sync-mailbox><quit>'
	sync 0
	same
	assert_eq 2 "$(flags_there INBOX | grep -c Seen)"
	assert_eq 1 "$(flags_there INBOX | grep -c 'Answered.*Flagged')"
}

# --- notmuch ------------------------------------------------------------------------

notmuch_setup() {
	cat >notmuchrc <<-END
		[database]
		path=$PWD/md
		[user]
		name=Ada
		primary_email=ada@example.org
		[new]
		tags=new;inbox
		ignore=.syncd;dovecot-keywords
		[maildir]
		synchronize_flags=true
	END
	export NOTMUCH_CONFIG=$PWD/notmuchrc
}

@test "notmuch tags are flags, both ways; nothing is sent again" {
	notmuch_setup
	feed "$U" INBOX 6 2000
	feed "$U" Lists/x 2 2000
	sync 0
	notmuch new --quiet
	assert_eq 8 "$(notmuch count '*')"
	# notmuch renames the files: unread and flagged ones.
	notmuch tag -new '*'
	notmuch tag -unread +flagged "subject:\"$(subject 2)\""
	notmuch tag -unread +replied "subject:\"$(subject 3)\""
	sync 0 -vv
	! asked 'APPEND|BODY.PEEK' || fail "$stderr"
	same
	assert_eq '\Flagged \Seen' "$(flags_of 2)"
	assert_eq '\Answered \Seen' "$(flags_of 3)"
	# Seen by another client.
	mark_there INBOX 4 '\Seen'
	sync 0
	notmuch new --quiet
	assert_eq 0 "$(notmuch count "subject:\"$(subject 4)\" and tag:unread")"
	sync 0 -p
	assert_eq "" "$output$stderr"
	same
	assert_eq 8 "$(notmuch count '*')"
}
