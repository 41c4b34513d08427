#!/usr/bin/env bats
# shellcheck disable=SC2154
# syncd against a real server: what changes on one side is on the other after a
# run, once, and what did not change costs nothing.

bats_require_minimum_version 1.5.0
load helper
load syncing

setup_file() {
	start_dovecot
}

@test "the first run brings everything, the second does nothing" {
	feed "$U" INBOX 5 2000
	feed "$U" Lists/x 3 1000
	FLAGS=S feed "$U" INBOX 2 1500
	sync 0
	assert_eq "" "$output$stderr"
	same
	assert_eq 7 "$(maildir_count md/INBOX)"
	assert_eq 3 "$(maildir_count md/Lists/x)"
	assert_eq 2 "$(find md/INBOX/cur -name '*:2,S' | wc -l)"
	sync 0 -p
	assert_eq "" "$output"
	same
}

@test "new here: on the server, with its flags" {
	feed "$U" INBOX 2 1000
	sync 0
	printf 'From: a\nSubject: new\n\nhello\n' >md/INBOX/cur/1.new.h:2,FS
	printf 'From: a\nSubject: two\n\nhello\n' >md/INBOX/new/2.new.h
	sync 0
	same
	assert_contains "$(flags_there INBOX)" 'subject=new flags=\Flagged \Seen'
	sync 0 -p
	assert_eq "" "$output"
}

@test "flags, both ways at once" {
	feed "$U" INBOX 4 1000
	sync 0
	mark_there INBOX 1 '\Seen'
	mark_there INBOX 2 '\Flagged'
	set -- md/INBOX/new/*
	rename_to "$2" md/INBOX/cur S
	rename_to "$3" md/INBOX/cur RS
	sync 0
	same
	sync 0 -p
	assert_eq "" "$output"
	assert_eq 1 "$(find md/INBOX/cur -name '*:2,FS' | wc -l)"
}

@test "gone on one side: gone on the other" {
	feed "$U" INBOX 6 1000
	sync 0
	set -- md/INBOX/new/*
	rm "$1" "$2"
	expunge_there INBOX 6
	sync 0
	same
	assert_eq 3 "$(maildir_count md/INBOX)"
}

@test "moved by a reader: moved on the server, nothing sent again" {
	feed "$U" INBOX 3 100000
	feed "$U" Archive 1 1000
	sync 0
	set -- md/INBOX/new/*
	mv "$1" "$2" md/Archive/cur/
	sync 0 -vv
	! asked APPEND || fail "$stderr"
	same
	assert_eq 3 "$(maildir_count md/Archive)"
	sync 0 -p
	assert_eq "" "$output"
}

@test "moved by a reader that copies, or renamed: known, nothing sent again" {
	feed "$U" INBOX 4 100000
	feed "$U" Archive 1 1000
	sync 0
	set -- md/INBOX/new/*
	mv "$1" md/Archive/cur/1.other-name.h:2,S
	mv "$2" md/INBOX/cur/2.other-name.h:2,F
	sed '/^Message-ID/d' "$3" >md/Archive/new/3.not-the-same.h
	rm "$3"
	sync 0 -vv
	assert_eq 1 "$(grep -c '> A[0-9]* .*APPEND' <<<"$stderr")" "the last one"
	asked 'UID MOVE' || fail "$stderr"
	same
	assert_eq 2 "$(maildir_count md/INBOX)"
	assert_eq 1 "$(find md/INBOX/cur -name '2.other-name.h:2,F' | wc -l)"
	sync 0 -p
	assert_eq "" "$output"
}

@test "moved by another client: the file moves" {
	feed "$U" INBOX 3 100000
	feed "$U" Archive 1 1000
	sync 0
	move_there INBOX 2 Archive
	sync 0 -vv
	! asked 'BODY.PEEK\[\]' || fail "$stderr"
	same
	assert_eq 2 "$(maildir_count md/Archive)"
}

@test "moved by another client to a new folder: the file moves" {
	feed "$U" INBOX 3 100000
	sync 0
	feed "$U" Other 1 1000
	there mailbox create -u "$U" New/Place
	move_there INBOX 2 New/Place
	sync 0 -vv
	assert_eq 1 "$(grep -c 'BODY.PEEK\[\]' <<<"$stderr")" "of Other alone"
	same
	assert_eq 1 "$(maildir_count md/New/Place)"
}

@test "a new folder beside known ones is pulled without being listed first" {
	feed "$U" INBOX 3 1000
	sync 0
	feed "$U" INBOX 1 1000
	feed "$U" Other 20 1000
	sync 0 -vv
	! asked 'FETCH 1:.*UID FLAGS RFC822' || fail "$stderr"
	same
	sync 0 -p
	assert_eq "" "$output"
}

@test "moved on one side, its flags changed on the other" {
	feed "$U" INBOX 4 1000
	feed "$U" Archive 1 500
	sync 0
	set -- md/INBOX/new/*
	rename_to "$1" md/Archive/cur S
	mark_there INBOX 1 '\Flagged'
	mark_there INBOX 4 '\Flagged'
	move_there INBOX 4 Archive
	rename_to "$4" md/INBOX/cur R
	# One that another client marked as deleted is moved all the same.
	mark_there INBOX 3 '\Deleted'
	sync 0
	mv md/INBOX/cur/*T md/Archive/cur/
	sync 0
	same
	assert_eq 1 "$(count_there INBOX)"
	assert_eq 4 "$(find md/Archive -type f | wc -l)"
	assert_eq 1 "$(find md/Archive/cur -name '*:2,FS' | wc -l)"
	assert_eq 1 "$(find md/Archive/cur -name '*:2,FR' | wc -l)"
	sync 0 -p
	assert_eq "" "$output"
}

@test "moved to the same folder on both sides: flags are those that were changed" {
	feed "$U" INBOX 2 1000
	feed "$U" Archive 1 500
	mark_there INBOX 1 '\Seen' '\Answered'
	sync 0
	set -- md/INBOX/cur/*
	rename_to "$1" md/Archive/cur FS
	mark_there INBOX 1 '\Draft'
	move_there INBOX 1 Archive
	sync 0 -vv
	refute asked 'BODY.PEEK\[\]|APPEND'
	same
	assert_eq 1 "$(find md/Archive/cur -name '*:2,DFS' | wc -l)"
	assert_eq 2 "$(count_there Archive)"
}

# Of its two rows one is of where it is no more.
@test "moved on both sides, seen in one folder, and moved back: nothing is lost" {
	local f first second
	for first in A INBOX ''; do
		rm -rf md "$XDG_STATE_HOME"
		U=u$BATS_TEST_NUMBER${first,,}
		configure
		feed "$U" INBOX 3 400
		feed "$U" A 1 400
		work 0
		f=(md/INBOX/new/*)
		mv "${f[0]}" md/A/new/
		move_there INBOX 1:3 A
		work 0 work/A
		mv "md/A/new/${f[0]##*/}" md/INBOX/new/
		second=INBOX
		[ $first = A ] || second=A
		[ -z "$first" ] || work 0 "work/$first"
		[ -z "$first" ] || work 0 "work/$second"
		work 0
		same
		assert_eq 4 $(($(maildir_count md/A) + $(maildir_count md/INBOX)))
		[ -e "md/INBOX/new/${f[0]##*/}" ] || fail "it is not where it is"
	done
}

@test "moved away and back by another client: the file stays, with its flags" {
	feed "$U" INBOX 2 100000
	feed "$U" Archive 1 500
	sync 0
	move_there INBOX 1 Archive
	move_there Archive 2 INBOX
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur F
	sync 0 -vv
	refute asked 'BODY.PEEK\[\]|APPEND'
	same
	assert_eq 1 "$(find md/INBOX/cur -name '*:2,F' | wc -l)"
}

@test "a level above others on the server becomes a folder" {
	feed "$U" INBOX 1 500
	feed "$U" A/B 1 500
	sync 0
	mkdir -p md/A/{cur,new,tmp}
	printf 'Subject: x\n\nx\n' >md/A/new/1.x.h
	sync 0
	same
	assert_eq 1 "$(count_there A)"
}

@test "the state lost: nothing is copied, nothing doubled" {
	feed "$U" INBOX 20 5000
	FLAGS=S feed "$U" INBOX 5 3000
	feed "$U" Lists/x 4 5000
	sync 0
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -vv
	! asked 'APPEND|BODY.PEEK\[\]' || fail "$stderr"
	same
	assert_eq 25 "$(maildir_count md/INBOX)"
	sync 0 -p
	assert_eq "" "$output"
}

@test "the brake: a folder emptied, a root that is gone" {
	feed "$U" INBOX 30 500
	feed "$U" Other 2 500
	sync 0
	mkdir kept
	mv md/INBOX/new/* kept/
	feed "$U" Other 1 700
	sync 65
	assert_contains "$stderr" "syncd --allow-deletes"
	assert_eq 30 "$(count_there INBOX)"
	assert_eq 3 "$(maildir_count md/Other)" "others go on"
	sync 0 --allow-deletes 127.0.0.1/INBOX
	assert_eq 0 "$(count_there INBOX)"
	mv md md.away
	sync 65
	assert_contains "$stderr" "is missing or empty"
	assert_eq 3 "$(count_there Other)"
}

@test "a root that was never made, and one that held no mail, are made" {
	feed "$U" INBOX 1 500
	sync 0 -o 'folders=None'
	rm -r md
	sync 0
	assert_eq 1 "$(maildir_count md/INBOX)"
}

@test "folders made on either side" {
	feed "$U" INBOX 1 500
	sync 0
	mkdir -p md/New/Sub/{cur,new,tmp}
	printf 'Subject: x\n\nx\n' >md/New/Sub/new/1.x.h
	feed "$U" Far/Off 1 500
	sync 0
	same
	assert_eq 1 "$(count_there New/Sub)"
	assert_eq 1 "$(maildir_count md/Far/Off)"
}

@test "folders removed on either side: made again, or removed, as told" {
	feed "$U" INBOX 1 500
	feed "$U" A 2 500
	feed "$U" B 2 500
	sync 0
	rm -r md/A
	there mailbox delete -u "$U" -s B
	sync 0
	same
	assert_eq 2 "$(maildir_count md/A)" "comes back"
	assert_eq 2 "$(count_there B)" "comes back"
	rm -r md/A
	there mailbox delete -u "$U" -s B
	sync 0 -o 'remove=both'
	same
	[ ! -e md/B ] || fail "B is still here"
	[[ $(there mailbox list -u "$U") != *A* ]] || fail "A is still there"
}

@test "a folder that is made again is pulled in that run, whatever vanished elsewhere" {
	feed "$U" INBOX 2 500
	feed "$U" A 2 500
	sync 0
	rm -r md/A
	expunge_there INBOX 1
	sync 0
	same
	assert_eq 2 "$(maildir_count md/A)"
}

@test "a folder whose mail all is known is removed, whatever else changed there" {
	feed "$U" INBOX 1 500
	feed "$U" A 2 500
	sync 0
	printf 'Subject: x\n\nx\n' >md/A/new/1.x.h
	sync 0
	mark_there A 1 '\Seen'
	expunge_there A 2
	rm -r md/A
	sync 0 -o 'remove=remote'
	[[ $(there mailbox list -u "$U") != *A* ]] || fail "A is still there"
	feed "$U" B 1 500
	sync 0
	feed "$U" B 1 700
	rm -r md/B
	sync 65 -o 'remove=remote'
	assert_contains "$stderr" "that was never here"
	assert_eq 2 "$(count_there B)"
}

@test "a folder with mail that the server never had is not removed" {
	feed "$U" INBOX 1 500
	feed "$U" A 2 500
	sync 0
	there mailbox delete -u "$U" -s A
	printf 'Subject: x\n\nx\n' >md/A/new/1.x.h
	sync 65 -o 'remove=local'
	assert_contains "$stderr" "never on the server"
	assert_eq 3 "$(maildir_count md/A)"
}

@test "what is deleted goes to the trash" {
	feed "$U" INBOX 4 500
	feed "$U" Trash 1 500
	sync 0 -o 'trash=Trash'
	set -- md/INBOX/new/*
	rm "$1"
	expunge_there INBOX 4
	sync 0 -o 'trash=Trash'
	same
	assert_eq 2 "$(maildir_count md/INBOX)"
	assert_eq 3 "$(maildir_count md/Trash)"
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur ST
	sync 0 -o 'trash=Trash'
	same
	assert_eq 1 "$(find md/Trash/cur -name '*:2,S' | wc -l)" "as it was read"
	set -- md/Trash/new/*
	rm "$1"
	sync 0 -o 'trash=Trash'
	same
	assert_eq 3 "$(count_there Trash)" "what is deleted there is deleted"
}

@test "marked deleted in the Maildir: gone on both sides; by another client: shown" {
	feed "$U" INBOX 3 500
	sync 0
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur ST
	mark_there INBOX 3 '\Deleted'
	sync 0
	assert_eq 2 "$(count_there INBOX)"
	assert_eq 1 "$(find md/INBOX/cur -name '*T' | wc -l)"
	same
}

@test "expunge none: marked on the server, and kept" {
	feed "$U" INBOX 2 500
	sync 0
	set -- md/INBOX/new/*
	rm "$1"
	sync 0 -o 'expunge=none'
	assert_eq 2 "$(count_there INBOX)"
	assert_contains "$(flags_there INBOX)" '\Deleted'
	sync 0 -p -o 'expunge=none'
	assert_eq "" "$output"
}

@test "pull and push: only what may travel" {
	feed "$U" INBOX 3 500
	sync 0
	set -- md/INBOX/new/*
	rename_to "$1" md/INBOX/cur S
	rm "$2"
	printf 'Subject: x\n\nx\n' >md/INBOX/new/1.x.h
	sync 0 -o 'push=none'
	assert_eq 3 "$(count_there INBOX)"
	[[ $(flags_there INBOX) != *Seen* ]] || fail "a flag was pushed"
	feed "$U" INBOX 1 700
	sync 0 -o 'pull=none' -o 'push=new'
	assert_eq 5 "$(count_there INBOX)"
	assert_eq 3 "$(maildir_count md/INBOX)"
	sync 0
	assert_eq 5 "$(count_there INBOX)" "what was let be stays"
	assert_eq 4 "$(maildir_count md/INBOX)"
	[[ $(flags_there INBOX) == *Seen* ]] || fail "the flag was forgotten"
}

@test "what may not travel is recognised all the same" {
	feed "$U" INBOX 3 500
	sync 0 -o 'push=none'
	rm -r "$XDG_STATE_HOME/mailroom/syncd"
	sync 0 -o 'push=none'
	assert_eq 3 "$(maildir_count md/INBOX)" "after the state was lost"
	same
}

@test "-n says what would be done, and does nothing" {
	feed "$U" INBOX 2 500
	sync 0
	set -- md/INBOX/new/*
	rm "$1"
	rename_to "$2" md/INBOX/cur S
	printf 'Subject: x\n\nx\n' >md/INBOX/new/1.x.h
	feed "$U" INBOX 1 700
	feed "$U" Other 1 700
	find md | sort >before
	sync 0 -n
	for what in pull push flags-remote delete-remote; do
		assert_contains "$output" "$what	INBOX	"
	done
	assert_contains "$output" "create-folder	Other	Other"
	find md | sort >after
	diff before after
	assert_eq 3 "$(count_there INBOX)"
	sync 0 -p
	assert_contains "$output" "new	INBOX	$PWD/md/INBOX/new/"
	same
}

@test "one folder alone, by name" {
	feed "$U" INBOX 1 500
	feed "$U" A 1 500
	run --separate-stderr "$SYNCD" -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT/A" md
	assert_status 0
	assert_eq 1 "$(maildir_count md/A)"
	[ ! -e md/INBOX ] || fail "INBOX was synced"
}

@test "layouts: maildir++ and flat, names beyond ASCII, renames, patterns" {
	feed "$U" INBOX 1 500
	feed "$U" A/B 1 500
	feed "$U" Entw\&APw-rfe 1 500
	feed "$U" Spam 1 500
	sync 0 -o 'layout=maildir++' -o 'folders=* !Spam'
	assert_eq 1 "$(maildir_count md)"
	assert_eq 1 "$(maildir_count md/.A.B)"
	assert_eq 1 "$(maildir_count md/.Entwürfe)"
	[ ! -e md/.Spam ] || fail "Spam was synced"
	mkdir flat
	run --separate-stderr "$SYNCD" -o 'password-command=printf pw' \
		-o 'layout=flat _' -o 'rename=A Z' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" flat
	assert_status 0
	assert_eq 1 "$(maildir_count flat/Z_B)"
}

@test "keywords are letters" {
	feed "$U" INBOX 2 500
	sync 0 -o keywords=yes
	mark_there INBOX 1 '$Label1' todo
	sync 0 -o keywords=yes
	assert_eq 1 "$(find md/INBOX/cur -name '*:2,ab' | wc -l)"
	grep -qE '^[01] \$Label1$' md/INBOX/dovecot-keywords
	set -- md/INBOX/cur/*:2,ab
	rename_to "$1" md/INBOX/cur Sb
	sync 0 -o keywords=yes
	[[ $(flags_there INBOX) == *Seen* ]] || fail "$(flags_there INBOX)"
}

@test "a second syncd: who has the lock, exit 75" {
	feed "$U" INBOX 1 500
	sync 0
	state=$(find "$XDG_STATE_HOME" -name '*.lock')
	flock "$state" sleep 30 3>&- &
	holder=$!
	sleep 0.3
	sync 75
	assert_contains "$stderr" "lock"
	kill $holder
}

@test "exit codes and errors that a person can act on" {
	run --separate-stderr "$SYNCD" --nonsense
	assert_status 64
	run --separate-stderr "$SYNCD" --help
	assert_status 0
	assert_contains "$output" "usage: syncd"
	run --separate-stderr "$SYNCD" --version
	assert_status 0
	run --separate-stderr "$SYNCD"
	assert_status 78
	assert_contains "$stderr" "no configuration"
	run --separate-stderr "$SYNCD" "imap+plain://$U@127.0.0.1:$IMAP_PORT"
	assert_status 78
	assert_contains "$stderr" "where to?"
	run --separate-stderr "$SYNCD" -o 'password-command=printf wrong' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md
	assert_status 77
	run --separate-stderr "$SYNCD" -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:1" md
	assert_status 75
}

@test "a configuration, two accounts, -q and -0" {
	feed "$U" INBOX 1 500
	feed "${U}b" INBOX 2 500
	cat >config <<-EOF
		account one
		    imap imap+plain://$U@127.0.0.1:$IMAP_PORT
		    password-command printf pw
		sync one
		    maildir $PWD/one
		account two
		    imap imap+plain://${U}b@127.0.0.1:$IMAP_PORT
		    password-command printf pw
		sync two
		    maildir $PWD/two
	EOF
	run --separate-stderr "$SYNCD" -q -p -0 -c config
	assert_status 0
	assert_eq 1 "$(maildir_count one/INBOX)"
	assert_eq 2 "$(maildir_count two/INBOX)"
	run --separate-stderr "$SYNCD" -c config --set brake=10% --wait two/INBOX
	assert_status 0
	run --separate-stderr "$SYNCD" -c config three
	assert_status 78
	assert_contains "$stderr" "three"
}
