#!/usr/bin/env bats
# shellcheck disable=SC2154
# syncd with limits: only a part of the mail is here, the server has it all,
# and nothing that we do because of a limit is ever a deletion there.

bats_require_minimum_version 1.5.0
load helper
load syncing

setup_file() {
	start_dovecot
}

# The files here, in any folder of md.
here() {
	find md -type f \( -path '*/cur/*' -o -path '*/new/*' \)
}

# PATTERN: how many files here have a line like it.
holding() {
	here | xargs -r grep -lE "$1" | wc -l
}

placeholders() {
	holding '^X-Syncd-Placeholder: '
}

@test "max-size: a placeholder, which a reader recognises" {
	feed "$U" INBOX 2 3000
	feed "$U" INBOX 1 200000
	sync 0 -o 'max-size=50k'
	assert_eq 3 "$(maildir_count md/INBOX)"
	assert_eq 1 "$(placeholders)"
	file=$(grep -lE '^X-Syncd-Placeholder' md/INBOX/new/*)
	[ "$(stat -c %s "$file")" -lt 4000 ] || fail "it is large"
	grep -qE '^Subject: \[placeholder, 19[0-9]\.. KB\] ' "$file"
	grep -q '^Content-Type: text/plain; charset=us-ascii$' "$file"
	grep -q '^This is only the header of a message of' "$file"
	[[ $file != *,S=* ]] || fail "a size in the name: $file"
	sync 0 -p -o 'max-size=50k'
	assert_eq "" "$output"
	assert_eq 3 "$(count_there INBOX)"
}

@test "max-size: flagged here, the whole message takes the placeholder's place" {
	feed "$U" INBOX 1 200000
	sync 0 -o 'max-size=50k'
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur FS
	name=$(ls md/INBOX/cur)
	sync 0 -p -o 'max-size=50k'
	assert_contains "$output" "new	INBOX	$PWD/md/INBOX/cur/$name"
	assert_eq 0 "$(placeholders)"
	same
	assert_eq "$name" "$(ls md/INBOX/cur)" "its name stays"
	sync 0 -p -o 'max-size=50k'
	assert_eq "" "$output"
	# and it stays whole when the flag goes
	rename_to "md/INBOX/cur/$name" md/INBOX/cur S
	sync 0 -o 'max-size=50k'
	same
}

@test "max-size: flagged by another client, likewise; large and flagged at once" {
	feed "$U" INBOX 1 200000
	sync 0 -o 'max-size=50k'
	assert_eq 1 "$(placeholders)"
	mark_there INBOX 1 '\Flagged'
	FLAGS=F feed "$U" INBOX 1 150000
	sync 0 -o 'max-size=50k'
	assert_eq 0 "$(placeholders)"
	same
	assert_eq 2 "$(find md/INBOX/cur -name '*:2,F' | wc -l)"
}

@test "placeholders: flags, moves and deletions are those of the message" {
	feed "$U" INBOX 4 100000
	feed "$U" Archive 1 1000
	sync 0 -o 'max-size=50k'
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur RS
	mv "$2" md/Archive/cur/
	rm "$3"
	sync 0 -vv -o 'max-size=50k'
	refute asked 'APPEND|BODY.PEEK\[\]'
	assert_eq 2 "$(count_there INBOX)"
	assert_eq 2 "$(count_there Archive)"
	assert_contains "$(flags_there INBOX)" '\Answered \Seen'
	move_there INBOX 4 Archive
	sync 0 -vv -o 'max-size=50k'
	refute asked 'APPEND|BODY.PEEK\[\]'
	assert_eq 3 "$(maildir_count md/Archive)"
	sync 0 -p -o 'max-size=50k'
	assert_eq "" "$output"
	# whole where they are now, once flagged
	for f in md/Archive/*/*; do
		rename_to "$f" md/Archive/cur F
	done
	rename_to md/INBOX/cur/* md/INBOX/cur FRS
	sync 0 -o 'max-size=50k'
	assert_eq 0 "$(placeholders)"
	same
}

@test "placeholders: a reader that moves by copying loses nothing" {
	feed "$U" INBOX 3 100000
	feed "$U" Archive 1 1000
	sync 0 -o 'max-size=50k'
	set -- md/INBOX/new/*
	# as mutt does it; once the old one is only marked, once it is edited
	cp "$1" md/Archive/cur/1.copy.h:2,S
	rm "$1"
	cp "$2" md/Archive/cur/2.copy.h:2,
	rename_to "$2" md/INBOX/cur ST
	sed 's/^From:/X-Label: x\nFrom:/' "$3" >md/INBOX/new/3.edited.h
	rm "$3"
	sync 0 -o 'max-size=50k'
	assert_eq 1 "$(count_there INBOX)"
	assert_eq 3 "$(count_there Archive)"
	assert_eq 3 "$(maildir_count md/Archive)"
	assert_eq 1 "$(maildir_count md/INBOX)"
	for f in md/*/*/*; do
		rename_to "$f" "$(dirname "$(dirname "$f")")/cur" F
	done
	sync 0 -o 'max-size=50k'
	assert_eq 0 "$(placeholders)"
	same
}

@test "placeholders: never pushed, whatever is lost" {
	feed "$U" INBOX 2 100000
	feed "$U" INBOX 2 1000
	# one without a Message-ID is known by its whole header
	printf 'Subject: bare\nFrom: x\nContent-Type: text/html\n\n%0100000d\n' 7 >bare
	feed "$U" INBOX bare
	feed "$U" Archive 1 1000
	sync 0 -o 'max-size=50k'
	assert_eq 3 "$(placeholders)"
	names=$(here | sort)
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -vv -o 'max-size=50k'
	refute asked 'APPEND|BODY.PEEK\[\]'
	assert_eq "$names" "$(here | sort)" "nothing is pulled again"
	assert_eq 5 "$(count_there INBOX)"
	assert_eq 5 "$(maildir_count md/INBOX)"
	assert_eq 3 "$(placeholders)"
	# in another folder, and nobody knows from where
	file=$(grep -lE '^X-Syncd-Placeholder' md/INBOX/*/* | head -n 1)
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	cp "$file" md/Archive/cur/1.orphan.h:2,S
	rm "$file"
	sync 0 -o 'max-size=50k'
	assert_contains "$stderr" "1.orphan.h:2,S is a placeholder of no message"
	assert_eq 1 "$(count_there Archive)"
	assert_eq 5 "$(count_there INBOX)"
	assert_eq 5 "$(maildir_count md/INBOX)"
	# without any limit, too; and its reader may throw it away
	sync 0
	assert_eq 1 "$(count_there Archive)"
	assert_eq 1 "$(placeholders)" "all others are whole now"
	rename_to md/Archive/cur/1.orphan.h:2,S md/Archive/cur ST
	sync 0
	same
}

@test "a placeholder that is gone is deleted there by a run over all folders only" {
	feed "$U" INBOX 2 100000
	cat >config <<-END
		account w
		    imap imap+plain://$U@127.0.0.1:$IMAP_PORT
		    password-command printf pw
		sync w
		    maildir $PWD/md
		    max-size 50k
	END
	expect 0 "$SYNCD" -c config w
	assert_eq 2 "$(placeholders)"
	set -- md/INBOX/new/*
	rm "$1"
	expect 0 "$SYNCD" -c config w/INBOX
	assert_eq 2 "$(count_there INBOX)" "it may be in another folder by now"
	expect 0 "$SYNCD" -c config w
	assert_eq 1 "$(count_there INBOX)"
}

@test "max-size skip: told with -v; pulled once it is flagged, or the limit is higher" {
	feed "$U" INBOX 1 1000
	feed "$U" INBOX 2 200000
	sync 0 -o 'max-size=50k skip'
	assert_eq "" "$output$stderr"
	assert_eq 1 "$(maildir_count md/INBOX)"
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -v -o 'max-size=50k skip'
	assert_contains "$stderr" "message 2 has"
	assert_contains "$stderr" "skipped"
	feed "$U" INBOX 1 1000
	sync 0 -v -o 'max-size=50k skip'
	[[ $stderr != *skipped* ]] || fail "told twice: $stderr"
	assert_eq 2 "$(maildir_count md/INBOX)"
	mark_there INBOX 2 '\Flagged'
	sync 0 -o 'max-size=50k skip'
	assert_eq 3 "$(maildir_count md/INBOX)"
	sync 0 -o 'max-size=50k skip' -p
	assert_eq "" "$output"
	sync 0
	same
	assert_eq 4 "$(count_there INBOX)"
}

@test "headers-only: everything; and all of it, once it is off" {
	feed "$U" INBOX 3 1000
	FLAGS=F feed "$U" INBOX 1 1000
	sync 0 -vv -o 'headers-only=yes'
	assert_eq 3 "$(placeholders)"
	assert_eq 4 "$(maildir_count md/INBOX)"
	# what is new here is pushed, and whole
	printf 'Subject: x\n\nx\n' >md/INBOX/new/1.x.h
	sync 0 -o 'headers-only=yes'
	assert_eq 5 "$(count_there INBOX)"
	assert_eq 3 "$(placeholders)"
	sync 0
	same
}

@test "max-messages: the newest are here, the server keeps all" {
	feed "$U" INBOX 30 1000
	sync 0 -o 'max-messages=10'
	assert_eq 10 "$(maildir_count md/INBOX)"
	sync 0 -p -o 'max-messages=10'
	assert_eq "" "$output"
	feed "$U" INBOX 4 900
	sync 0 -p -o 'max-messages=10'
	assert_eq 4 "$(grep -c '^new' <<<"$output")"
	assert_eq 4 "$(grep -c '^gone' <<<"$output")"
	assert_eq 10 "$(maildir_count md/INBOX)"
	assert_eq 34 "$(count_there INBOX)"
	# a deletion makes room, but brings nothing back
	set -- md/INBOX/new/*
	rm "$1" "$2"
	sync 0 -o 'max-messages=10'
	assert_eq 8 "$(maildir_count md/INBOX)"
	assert_eq 32 "$(count_there INBOX)"
	# other limits: more, fewer, none
	sync 0 -o 'max-messages=20'
	assert_eq 20 "$(maildir_count md/INBOX)"
	sync 0 -o 'max-messages=3'
	assert_eq 3 "$(maildir_count md/INBOX)"
	sync 0
	same
	assert_eq 32 "$(count_there INBOX)"
}

@test "max-messages: flagged ones stay, and unread ones if so told" {
	FLAGS=S feed "$U" INBOX 4 1000
	feed "$U" INBOX 3 1000
	sync 0
	mark_there INBOX 1 '\Flagged'
	sync 0 -o 'max-messages=2 keep-unread'
	assert_eq 4 "$(maildir_count md/INBOX)" "one flagged, three unread"
	sync 0 -o 'max-messages=2'
	assert_eq 3 "$(maildir_count md/INBOX)" "one flagged, two"
	# flagged there: it comes; and goes when it is not any more
	mark_there INBOX 2 '\Flagged'
	sync 0 -o 'max-messages=2'
	assert_eq 4 "$(maildir_count md/INBOX)"
	there flags remove -u "$U" '\Flagged' mailbox INBOX uid 1:2
	sync 0 -o 'max-messages=2'
	assert_eq 2 "$(maildir_count md/INBOX)"
	assert_eq 7 "$(count_there INBOX)"
}

@test "max-messages: what is new here is pushed, and may go then" {
	feed "$U" INBOX 5 1000
	sync 0
	printf 'Subject: mine\n\nx\n' >md/INBOX/cur/1.x.h:2,S
	sync 0 -o 'max-messages=2'
	assert_eq 6 "$(count_there INBOX)"
	assert_eq 2 "$(maildir_count md/INBOX)"
	[ -e md/INBOX/cur/1.x.h:2,S ] || fail "it is the newest"
	printf 'Subject: mine\n\ny\n' >md/INBOX/cur/2.y.h:2,S
	touch -d '100 days ago' md/INBOX/cur/2.y.h:2,S
	sync 0 -o 'max-age=30d'
	assert_eq 7 "$(count_there INBOX)"
	[ ! -e md/INBOX/cur/2.y.h:2,S ] || fail "it is too old"
	# refused: it stays
	printf 'Subject: mine, too\n\nz\n' >md/INBOX/cur/3.z.h:2,S
	touch -d '100 days ago' md/INBOX/cur/3.z.h:2,S
	sync 0 -o 'max-age=30d' -o 'push=flags gone'
	[ -e md/INBOX/cur/3.z.h:2,S ] || fail "it was on no server"
}

@test "max-age: by the date at the server; time passes without any change" {
	mkdir -p md/INBOX/{cur,new,tmp}
	for i in 0 1 2 3; do
		printf 'Subject: old %d\n\nx\n' $i >md/INBOX/cur/$i.old.h:2,S
		touch -d "$((10 * i)) days ago" md/INBOX/cur/$i.old.h:2,S
	done
	sync 0
	assert_eq 4 "$(count_there INBOX)"
	sync 0 -o 'max-age=25d'
	assert_eq 3 "$(maildir_count md/INBOX)"
	# a day's passing: the file's time and the row's are 6 days older
	sqlite3 "$(find "$XDG_STATE_HOME" -name '*.db')" \
		"UPDATE msg SET date = date - 518400; UPDATE folder SET due = due - 518400"
	sync 0 -p -o 'max-age=25d'
	assert_contains "$output" "gone	INBOX	$PWD/md/INBOX/cur/2.old.h:2,S"
	assert_eq 2 "$(maildir_count md/INBOX)"
	sync 0 -p -o 'max-age=25d'
	assert_eq "" "$output"
	# what is old already when it is seen first does not come
	feed "$U" INBOX 1 1000
	sync 0 -p -o 'max-age=25d'
	assert_eq "" "$output"
	sync 0 -o 'max-age=3650d'
	assert_eq 5 "$(maildir_count md/INBOX)" "they come back"
	assert_eq 5 "$(count_there INBOX)"
	same
}

@test "expiry: changed here and not yet told to the server, nothing goes" {
	FLAGS=S feed "$U" INBOX 4 1000
	sync 0
	set -- md/INBOX/cur/*
	rename_to "$1" md/INBOX/cur RS
	rename_to "$2" md/INBOX/cur F
	sync 0 -o 'max-messages=1' -o 'push=none'
	[ -n "$(find md -name '*:2,RS')" ] || fail "the change is lost"
	assert_eq 3 "$(maildir_count md/INBOX)"
	sync 0 -o 'max-messages=1'
	assert_contains "$(flags_there INBOX)" '\Answered'
	assert_eq 2 "$(maildir_count md/INBOX)" "the newest, and the flagged one"
	assert_eq 4 "$(count_there INBOX)"
}

@test "expiry is no deletion: not for the brake, not with a lost state, not with a backup" {
	FLAGS=S feed "$U" INBOX 60 500
	sync 0
	cp -a md backup
	sync 0 -o 'max-messages=5'
	assert_eq 5 "$(maildir_count md/INBOX)"
	assert_eq 60 "$(count_there INBOX)"
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -o 'max-messages=5'
	assert_eq 5 "$(maildir_count md/INBOX)"
	assert_eq 60 "$(count_there INBOX)"
	# the backup is put over it, with and without a state
	cp -an backup/INBOX/cur/. md/INBOX/cur/
	sync 0 -o 'max-messages=5'
	assert_eq 5 "$(maildir_count md/INBOX)"
	assert_eq 60 "$(count_there INBOX)"
	cp -an backup/INBOX/cur/. md/INBOX/cur/
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -vv -o 'max-messages=5'
	refute asked 'APPEND|BODY.PEEK\[\]'
	assert_eq 5 "$(maildir_count md/INBOX)"
	assert_eq 60 "$(count_there INBOX)"
	sync 0
	same
	# and the brake is for what is here: 25 of 30, although there are 60
	sync 0 -o 'max-messages=30'
	set -- md/INBOX/cur/*
	rm "${@:1:25}"
	sync 65 -o 'max-messages=30'
	assert_eq 60 "$(count_there INBOX)"
}

@test "expiry: killed when some are gone here, nothing is deleted there" {
	local i
	FLAGS=S feed "$U" INBOX 6 500
	for i in 1 2 4; do
		rm -rf md "$XDG_STATE_HOME"
		sync 0
		strace -f -o /dev/null -e trace=unlinkat \
			-e inject=unlinkat:signal=KILL:when=$i \
			"$SYNCD" -o 'password-command=printf pw' \
			-o 'max-messages=2' \
			"imap+plain://$U@127.0.0.1:$IMAP_PORT" md 3>&- || true
		set -- md/INBOX/cur/*
		assert_eq "$((7 - i))" $# "files left"
		# a reader flags one that was about to go
		rename_to "$1" md/INBOX/cur FS
		sync 0 -o 'max-messages=2'
		assert_eq 6 "$(count_there INBOX)"
		assert_eq 3 "$(maildir_count md/INBOX)"
		assert_contains "$(flags_there INBOX)" '\Flagged'
		there flags remove -u "$U" '\Flagged' mailbox INBOX all
	done
}

@test "a folder removed here is not removed there with what was never here" {
	feed "$U" INBOX 1 500
	FLAGS=S feed "$U" A 10 500
	sync 0 -o 'max-messages=3' -o 'remove=both'
	rm -r md/A
	sync 65 -o 'max-messages=3' -o 'remove=both'
	assert_contains "$stderr" "7 of its messages are on the server only"
	assert_eq 10 "$(count_there A)"
	sync 0 -o 'max-messages=3' -o 'remove=both' --allow-deletes 127.0.0.1/A
	[[ $(there mailbox list -u "$U") != *A* ]] || fail "A is still there"
}

@test "-n tells what would expire or become whole" {
	feed "$U" INBOX 3 100000
	FLAGS=S feed "$U" Old 3 500
	sync 0 -o 'max-size=50k'
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur F
	sync 0 -n -o 'max-size=50k' -o 'max-messages=2'
	assert_contains "$output" "upgrade	INBOX	${1##*/}:2,F"
	assert_eq 1 "$(grep -c '^expire	Old' <<<"$output")"
	assert_eq 3 "$(placeholders)"
	assert_eq 3 "$(maildir_count md/Old)"
}
