#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# The brake of syncd: nothing is deleted because a side shows less, until a
# person says so, with the command that was printed, and then for that run only.
# All the other mail is synced meanwhile.

bats_require_minimum_version 1.5.0
load helper
load syncing
load peer

setup_file() {
	start_dovecot
}

teardown() {
	peer_stop
}

teardown_file() {
	stop_servers
}

# 30 messages in INBOX and 3 in Other, on both sides.
both_have() {
	configure
	feed "$U" INBOX 30 500
	feed "$U" Other 3 400
	work 0
	same
}

# Something new in Other, on both sides: it must not be held up.
news() {
	feed "$U" Other 1 $((700 + RANDOM % 1000))
	printf 'Subject: here\n\n%s\n' "$RANDOM$RANDOM" >md/Other/new/$RANDOM.n.h
}

other_is_synced() {
	assert_eq "$1" "$(maildir_count md/Other)" "Other, here"
	assert_eq "$1" "$(count_there Other)" "Other, there"
}

@test "the root is missing, or empty: nothing is deleted, other accounts go on" {
	local how
	both_have
	feed "${U}b" INBOX 2 500
	cat >>"$XDG_CONFIG_HOME/mailroom/config" <<-END
		account two
		    imap imap+plain://${U}b@127.0.0.1:$IMAP_PORT
		    password-command printf pw
		sync two
		    maildir $PWD/two
	END
	for how in missing empty; do
		mv md away
		[ $how = missing ] || mkdir md
		feed "${U}b" INBOX 1 600
		work 65
		assert_contains "$stderr" "md is missing or empty"
		assert_eq 30 "$(count_there INBOX)" "$how"
		assert_eq 3 "$(count_there Other)" "$how"
		assert_eq "$(count_there INBOX)" "$(maildir_count away/INBOX)"
		assert_eq "$(U=${U}b count_there INBOX)" \
			"$(maildir_count two/INBOX)" "$how: the other account"
		# Without the command it stays as it is.
		work 65
		let_through 0
		same
		assert_eq 30 "$(maildir_count md/INBOX)" "all came back"
		# Once only.
		rm -r md
		work 65
		mv away md
		work 0
		same
	done
}

@test "the root is missing, and folders are to be removed there: only if told" {
	both_have
	configure "" "remove both"
	mv md away
	work 65
	assert_eq 30 "$(count_there INBOX)"
	let_through 0
	[[ $(there mailbox list -u "$U") != *Other* ]] || fail "Other is there"
}

@test "a folder is emptied here" {
	both_have
	mkdir kept
	mv md/INBOX/*/* kept/
	news
	work 65
	assert_contains "$stderr" "of 30 messages 30 would be deleted on the server"
	assert_eq 1 "$(wc -l <<<"$stderr")" "it is said once"
	assert_eq 30 "$(count_there INBOX)"
	other_is_synced 5
	# Again, and with a new message in that folder, it is held all the same.
	feed "$U" INBOX 1 900
	work 65
	assert_eq 31 "$(count_there INBOX)"
	let_through 0
	assert_eq 1 "$(count_there INBOX)"
	same
	# Once only.
	feed "$U" INBOX 40 500
	work 0
	rm md/INBOX/*/*
	work 65
	assert_eq 41 "$(count_there INBOX)"
}

@test "a folder is emptied there" {
	both_have
	there expunge -u "$U" mailbox INBOX all
	news
	work 65
	assert_contains "$stderr" "of 30 messages 30 would be deleted here"
	assert_eq 30 "$(maildir_count md/INBOX)"
	other_is_synced 5
	# With -n the command shows what would go.
	work 65 -n
	let_through 0
	assert_eq 30 "$(grep -c '^delete-local' <<<"$output")"
	assert_eq 30 "$(maildir_count md/INBOX)"
	work 65
	let_through 0
	assert_eq 0 "$(maildir_count md/INBOX)"
	same
	# Once only.
	feed "$U" INBOX 30 500
	work 0
	there expunge -u "$U" mailbox INBOX all
	work 65
	assert_eq 30 "$(maildir_count md/INBOX)"
}

@test "a folder is emptied, and moved mail is none of it" {
	both_have
	mv md/INBOX/new/* md/Other/new/
	work 0
	same
	assert_eq 33 "$(count_there Other)"
	assert_eq 0 "$(count_there INBOX)"
}

@test "less than the brake's share goes through; the share can be set" {
	both_have
	configure "" "brake 90%"
	find md/INBOX/new -type f | head -n 25 | xargs rm
	work 0
	same
	feed "$U" INBOX 95 300
	work 0
	configure "" "brake 20%"
	find md/INBOX/new -type f | head -n 21 | xargs rm
	work 65
	assert_eq 100 "$(count_there INBOX)"
	configure "" "brake 21%"
	work 0
	same
}

@test "a folder that is removed takes no mail with it unasked" {
	configure "" "remove both"
	feed "$U" INBOX 1 500
	feed "$U" A 30 500
	feed "$U" B 30 500
	work 0
	rm -r md/A
	there mailbox delete -u "$U" -s B
	feed "$U" INBOX 1 800
	work 65
	assert_contains "$stderr" "work/A"
	assert_contains "$stderr" "work/B"
	assert_eq 30 "$(count_there A)"
	assert_eq 30 "$(maildir_count md/B)"
	assert_eq 2 "$(maildir_count md/INBOX)" "others go on"
	# Each is let through by itself.
	stderr=$(grep work/A <<<"$stderr")
	let_through 65
	[[ $(there mailbox list -u "$U") != *A* ]] || fail "A is there"
	assert_eq 30 "$(maildir_count md/B)"
	stderr=$(grep work/B <<<"$stderr")
	let_through 0
	[ ! -e md/B ] || fail "B is here"
	same
}

@test "the command is good for any folder and any arguments" {
	local folder="it's a \$HOME * folder"
	feed "$U" INBOX 1 100
	feed "$U" "$folder" 30 500
	sync 0 -o 'brake=30%' -o 'folders=*'
	rm "md/$folder"/*/*
	sync 65 -o 'brake=30%' -o 'folders=*'
	assert_eq 30 "$(count_there "$folder")"
	let_through 0
	assert_eq 0 "$(count_there "$folder")"
	same
}

# --- servers that show less ------------------------------------------------------

# Takes what Dovecot said of both folders last: V_, N_, with INBOX or Other.
note_numbers() {
	local f
	for f in INBOX Other; do
		eval "$(there mailbox status -u "$U" 'uidvalidity uidnext' "$f" |
			sed "s/.*uidnext=\([0-9]*\) uidvalidity=\([0-9]*\)/N_$f=\1 V_$f=\2/
			s/.*uidvalidity=\([0-9]*\) uidnext=\([0-9]*\)/V_$f=\1 N_$f=\2/")"
	done
}

# CAPABILITIES: a server that says what any would, and has one message more in
# Other; of INBOX it says what the rules on standard input say. For one session,
# or as many as SESSIONS says. The account is at it from now on.
lies() {
	local i
	{
		cat <<-'END'
			on <*t> ENABLE *
			    S: * ENABLED QRESYNC
			    S: <t> OK done
			on <*t> SELECT "Other"*
			    S: * OK [CLOSED] ok
			    S: * 4 EXISTS
		END
		cat <<-END
			    S: * OK [UIDVALIDITY $V_Other] ok
			    S: * OK [UIDNEXT $((N_Other + 1))] ok
			    S: * OK [HIGHESTMODSEQ 999999] ok
			    S: * 4 FETCH (UID $N_Other FLAGS (\\\\Seen) MODSEQ (999999))
		END
		cat <<-'END'
			    S: <t> OK [READ-WRITE] done
			on <*t> UID FETCH * (UID FLAGS INTERNALDATE*
		END
		cat <<-END
			    S: * 4 FETCH (UID $N_Other FLAGS (\\\\Seen) INTERNALDATE "01-Jan-2026 00:00:00 +0000" RFC822.SIZE 19 BODY[] {19}
			    S: Subject: lie\r\n\r\nx\r\n)
		END
		echo '    S: <t> OK done'
		cat
		for ((i = 0; i < ${SESSIONS:-1}; i++)); do
			[ $i -eq 0 ] || echo connect
			cat <<-END
				S: * OK [CAPABILITY IMAP4rev1 $1] ready
				C: <*t> LOGIN *
				S: <t> OK [CAPABILITY IMAP4rev1 $1] done
				C: <*t> LOGOUT
				S: <t> OK done
			END
		done
	} >"$BATS_TEST_TMPDIR/lies.peer"
	peer_start lies.peer -t 30
	configure "$PEER_PORT"
}

# MESSAGES UIDNEXT: what the survey tells of INBOX; Other has one more.
list_rule() {
	cat <<-END
		on <*t> LIST *
		    S: * LIST () "/" INBOX
		    S: * STATUS INBOX (MESSAGES $1 UIDNEXT $2 UIDVALIDITY $V_INBOX HIGHESTMODSEQ 999999)
		    S: * LIST () "/" Other
		    S: * STATUS Other (MESSAGES 4 UIDNEXT $((N_Other + 1)) UIDVALIDITY $V_Other HIGHESTMODSEQ 999999)
		    S: <t> OK done
	END
}

# EXISTS [LINE...]: what SELECT of INBOX tells, with these lines.
select_rule() {
	cat <<-END
		on <*t> SELECT "INBOX"*
		    S: * OK [CLOSED] ok
		    S: * $1 EXISTS
		    S: * OK [UIDVALIDITY $V_INBOX] ok
		    S: * OK [UIDNEXT ${NEXT:-$N_INBOX}] ok
		    S: * OK [HIGHESTMODSEQ 999999] ok
	END
	shift
	[ $# -eq 0 ] || printf '    S: %s\n' "$@"
	echo '    S: <t> OK [READ-WRITE] done'
}

# FROM TO: what listing the flags tells; and SEARCH.
listing_rules() {
	local i
	echo 'on <*t> UID FETCH * (UID FLAGS*'
	for ((i = $1; i <= $2; i++)); do
		echo "    S: * $((i - $1 + 1)) FETCH (UID $i FLAGS () RFC822.SIZE 520)"
	done
	cat <<-END
		    S: <t> OK done
		on <*t> UID SEARCH *
		    S: * ESEARCH (TAG "<t>") UID${3-} COUNT $(($2 - $1 + 1))
		    S: <t> OK done
	END
}

QRESYNC='CONDSTORE ENABLE QRESYNC LIST-STATUS ESEARCH UIDPLUS'

@test "a server that shows EXISTS 0" {
	local caps
	for caps in "$QRESYNC" 'CONDSTORE LIST-STATUS ESEARCH' LIST-STATUS; do
		rm -rf md state
		both_have
		note_numbers
		{
			list_rule 0 "$N_INBOX"
			select_rule 0
			listing_rules 1 0
		} >rules
		SESSIONS=2 lies "$caps" <rules
		# Without QRESYNC all of the folders look alike to the rules.
		[[ $caps == *QRESYNC* ]] || configure "$PEER_PORT" "folders INBOX"
		work 65
		assert_contains "$stderr" "of 30 messages 30 would be deleted here"
		assert_eq 30 "$(maildir_count md/INBOX)"
		[[ $caps != *QRESYNC* ]] ||
			assert_eq 4 "$(maildir_count md/Other)" "the other folder"
		let_through 0
		peer_wait
		assert_eq 0 "$(maildir_count md/INBOX)"
		U=${U}x
	done
}

@test "VANISHED of all that is there: it is not believed" {
	both_have
	note_numbers
	{
		list_rule 30 "$N_INBOX"
		select_rule 30 '* VANISHED (EARLIER) 1:30'
		listing_rules 1 30 ' ALL 1:30'
	} >rules
	lies "$QRESYNC" <rules
	work 0
	peer_wait
	assert_eq 30 "$(maildir_count md/INBOX)"
	assert_eq 4 "$(maildir_count md/Other)"
}

@test "VANISHED, and a listing that is as empty: the brake" {
	both_have
	note_numbers
	{
		list_rule 1 $((N_INBOX + 1))
		NEXT=$((N_INBOX + 1)) select_rule 1 '* VANISHED (EARLIER) 1:30'
		listing_rules 31 31 ' ALL 31'
	} >rules
	SESSIONS=2 lies "$QRESYNC" <rules
	work 65
	assert_eq 30 "$(maildir_count md/INBOX)"
	assert_eq 4 "$(maildir_count md/Other)"
	work 65
	peer_wait
	assert_eq 30 "$(maildir_count md/INBOX)"
}

@test "VANISHED, FETCH and SEARCH agree, but EXISTS does not: not believed" {
	both_have
	note_numbers
	{
		list_rule 30 "$N_INBOX"
		select_rule 30 '* VANISHED (EARLIER) 1:2'
		listing_rules 3 30 ' ALL 3:30'
	} >rules
	lies "$QRESYNC" <rules
	work 0
	peer_wait
	assert_eq 30 "$(maildir_count md/INBOX)"
}

@test "a listing that shows less than EXISTS says" {
	both_have
	note_numbers
	{
		list_rule 30 "$N_INBOX"
		select_rule 30 '* VANISHED (EARLIER) 3'
		listing_rules 1 4 ' ALL 1:30'
	} >rules
	sed -i 's/COUNT 4$/COUNT 30/' rules
	lies "$QRESYNC" <rules
	work 0
	peer_wait
	assert_eq 30 "$(maildir_count md/INBOX)" "what SEARCH finds is there"
}

# --- the server's mail is another ----------------------------------------------------

# Dovecot forgets all that it knows of INBOX but the list of UIDs, which is
# edited by this sed script.
renumber() {
	there mailbox status -u "$U" messages INBOX >/dev/null
	rm -f "$MAILROOT/$U"/dovecot.{index,list}*
	sed -i "$1" "$MAILROOT/$U/dovecot-uidlist"
}

# Dovecot takes the time for a new UIDVALIDITY, and may come to the same again.
other_ground() {
	printf '3 V1234567 N1 G%032d\n' 7 >"$MAILROOT/$U/dovecot-uidlist"
	chown -R nobody "$MAILROOT/$U" 2>/dev/null || true
}

@test "UIDVALIDITY is another: recognised, nothing is deleted" {
	both_have
	renumber '1s/ V[0-9]*/ V1234567/'
	news
	work 0 -vv
	refute asked 'APPEND "INBOX"|BODY.PEEK\[\]\).*INBOX'
	assert_eq 30 "$(maildir_count md/INBOX)"
	assert_eq 30 "$(count_there INBOX)"
	other_is_synced 5
	same
}

@test "UIDs are renumbered under the same UIDVALIDITY: recognised, nothing is deleted" {
	both_have
	# 1..30 become 101..130
	renumber '1s/ N[0-9]*/ N131/; 2,$s/^\([0-9]\) /10\1 /
		2,$s/^\([0-9][0-9]\) /1\1 /'
	assert_eq "101 130" "$(there -f flow fetch -u "$U" uid mailbox INBOX all |
		sed -n 's/.*uid=\([0-9]*\).*/\1/; 1p; $p' | paste -sd ' ')"
	news
	find md/INBOX -type f | sort >before
	work 0 -vv
	refute asked 'APPEND "INBOX"|BODY.PEEK\[\]\).*INBOX'
	find md/INBOX -type f | sort | diff before -
	assert_eq 30 "$(count_there INBOX)"
	other_is_synced 5
	same
	work 0 -p
	assert_eq "" "$output"
}

@test "the server's mail folder is another's: all is kept, on both sides" {
	both_have
	feed "${U}b" INBOX 3 900
	mv "$MAILROOT/$U" "$MAILROOT/$U.away"
	mv "$MAILROOT/${U}b" "$MAILROOT/$U"
	other_ground
	work 0
	assert_eq 33 "$(maildir_count md/INBOX)"
	assert_eq 33 "$(count_there INBOX)"
	assert_eq 3 "$(count_there Other)"
	same
}

@test "the server's mail folder is empty, as if new: all is kept" {
	both_have
	mv "$MAILROOT/$U" "$MAILROOT/$U.away"
	mkdir "$MAILROOT/$U"
	other_ground
	work 0
	assert_eq 30 "$(maildir_count md/INBOX)"
	assert_eq 3 "$(maildir_count md/Other)"
	same
}
