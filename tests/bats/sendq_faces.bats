#!/usr/bin/env bats
# shellcheck disable=SC2016 # sh -c '...'
# sendq as others call it: sendmail, mailq, newaliases, and SMTP on its
# standard input.

bats_require_minimum_version 1.5.0
load helper
load queueing

MAIL='From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> job\n\nout\n'

# ARGUMENT...: the mail in `in` to bin/sendmail, with these; nothing is said.
sendmail() {
	expect 0 bin/sendmail "$@" <in
	assert_eq "" "$output$stderr" "said"
}

# --- those who call it ------------------------------------------------------

@test "cron" {
	printf "$MAIL" >in
	sendmail -FCronDaemon -i -odi -oem -oi -t -f root
	assert_eq ada@example.org "$(envelope rcpt)"
	assert_eq ada@example.org "$(envelope sender)"
	assert_eq root "$(envelope original)"
}

@test "mutt, git, PHP, logwatch" {
	printf 'To: b@c\n\nhello\n.\nmore\n' >in
	sendmail -oem -oi -- bob@example.net
	assert_eq bob@example.net "$(envelope rcpt)"
	assert_eq $'hello\n.\nmore' "$(body)"
	clear_queue
	sendmail -oem -oi -f ada@example.org -- bob@example.net c@d
	assert_eq "bob@example.net c@d" "$(envelope rcpt)"
	clear_queue
	sendmail -i bob@example.net
	assert_eq bob@example.net "$(envelope rcpt)"
	clear_queue
	sendmail -t -i -fada@example.org
	assert_eq b@c "$(envelope rcpt)"
	assert_eq ada@example.org "$(envelope sender)"
	clear_queue
	sendmail -t
	assert_eq b@c "$(envelope rcpt)"
	assert_eq hello "$(body)"
}

@test "programs themselves: s-nail, mutt, git" {
	for p in s-nail mutt git; do
		command -v $p >/dev/null || skip "$p is not here"
	done
	echo "body of s-nail" | s-nail -n -S "mta=$PWD/bin/sendmail" \
		-s "by s-nail" -r ada@example.org bob@example.net
	assert_eq bob@example.net "$(envelope rcpt)"
	assert_eq "by s-nail" "$(field Subject)"
	assert_eq "body of s-nail" "$(body)"
	clear_queue
	echo "body of mutt" | mutt -F /dev/null \
		-e "set sendmail='$PWD/bin/sendmail -oem -oi' from=ada@example.org copy=no record=''" \
		-s "by mutt" -b carol@example.net bob@example.net
	assert_eq "bob@example.net carol@example.net" "$(envelope rcpt)"
	refute grep -qi carol "$(the eml)"
	assert_eq "body of mutt" "$(body)"
	clear_queue
	printf 'From: Ada <ada@example.org>\nSubject: [PATCH] x\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\npatch\n.\nend\n' >p.patch
	git -c sendemail.smtpserver="$PWD/bin/sendmail" -c user.name=Ada \
		-c user.email=ada@example.org send-email --quiet --confirm=never \
		--suppress-cc=all --no-thread --to=bob@example.net p.patch
	assert_eq bob@example.net "$(envelope rcpt)"
	assert_eq $'patch\n.\nend' "$(body)"
}

# --- options ----------------------------------------------------------------

@test "sendmail's options take what they should, and no more" {
	printf 'Subject: x\n\ny\n' >in
	for o in -m -n -s -v -x -G -U -T -c -Q -d -d0.1 '-A c' -Ac '-B 8BITMIME' \
		-B7BIT '-D x' '-L tag' '-M a' '-O DeliveryMode=b' -OQueue=x \
		-oem -ob '-o m' -oQ/x '-p esmtp' '-h 3' -h3 '-e m' -em -bm \
		'-F x' '-N never' '-R full' '-V id'; do
		# shellcheck disable=SC2086 # words
		expect 0 bin/sendmail $o rcpt@example.net <in
		assert_eq rcpt@example.net "$(envelope rcpt)" "with $o"
		clear_queue
	done
}

@test "no option writes a file, runs a command or reads another configuration" {
	printf 'Subject: x\n\ny\n' >in
	for o in "-X $PWD/hit" "-X$PWD/hit" "-D $PWD/hit" "-oX$PWD/hit" \
		"-OQueueDirectory=$PWD/hit" "-oQ$PWD/hit" "-oA$PWD/hit" \
		"-O LogFile=$PWD/hit" "-C $PWD/hit" "-C$PWD/hit"; do
		# shellcheck disable=SC2086 # words
		expect 0 bin/sendmail $o rcpt@example.net <in
		[ ! -e hit ] || fail "$o wrote"
		clear_queue
	done
	for o in --set=password-command=x "--config=$PWD/x" "--conf $PWD/x"; do
		# shellcheck disable=SC2086 # words
		expect 64 bin/sendmail -t $o <in
		said "call it sendq"
	done
	expect 64 bin/sendmail -t -i -fx --remove all <in
	empty
}

@test "no server, no test mode: refused; newaliases: nothing to do" {
	for o in -bd -bD -bt -ba -bh -bH; do
		expect 64 bin/sendmail $o
		said -b
	done
	for c in bin/newaliases "bin/sendmail -bi" "bin/sendmail -I" \
		"bin/newaliases -v"; do
		# shellcheck disable=SC2086 # words
		expect 0 $c
		assert_eq "" "$output$stderr"
	done
	[ ! -e "$SPOOL" ]
}

@test "-bv shows whom a name comes to" {
	echo 'root: bob@example.net, carol@example.net' >aliases
	expect 0 bin/sendmail -bv root nobody x@y
	assert_eq "root: bob@example.net
root: carol@example.net
nobody: ada@example.org
x@y: x@y" "$output"
	[ ! -e "$SPOOL" ]
	expect 65 bin/sendmail -bv 'a b c'
}

# --- -bs --------------------------------------------------------------------

# STATUS TEXT: what the client says, with printf's escapes; all replies in
# $output, their CRs off.
talk() {
	local want=$1
	printf "$2" >in
	expect "$want" bin/sendmail -bs <in
	output=${output//$'\r'/}
	mapfile -t lines <<<"$output"
}

@test "-bs: several messages, dots and senders as they are" {
	talk 0 'EHLO me\r\nMAIL FROM:<ada@example.org> BODY=8BITMIME SIZE=100\r\nRCPT TO:<b@c>\r\nRCPT TO:<"d e"@f>\r\nDATA\r\nSubject: one\r\n\r\n..dot\r\n.x\r\nend\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<g@h>\r\nDATA\r\nSubject: two\r\n\r\n.\r\nQUIT\r\n'
	assert_eq "220 sendq ESMTP" "${lines[0]}"
	assert_contains "$output" 250-PIPELINING
	assert_contains "$output" 250-8BITMIME
	assert_contains "$output" "250 DSN"
	[[ ${lines[11]} =~ ^354\  ]]
	[[ ${lines[12]} =~ ^250\ 2\.0\.0\ Ok:\ queued\ as\ [0-9a-f-]{17}$ ]]
	one=${lines[12]##* }
	assert_eq "221 2.0.0 bye" "${lines[-1]}"
	assert_eq "" "$stderr"
	assert_eq 'sender ada@example.org rcpt b@c rcpt "d e"@f' \
		"$(grep -E '^(sender|rcpt) ' "$SPOOL/queue/$one.env" | paste -sd' ')"
	assert_eq $'.dot\nx\nend' \
		"$(tr -d '\r' <"$SPOOL/queue/$one.eml" | sed '1,/^$/d')"
	rm "$SPOOL/queue/$one".*
	assert_eq "sender " "$(grep ^sender "$(the env)")"
	assert_eq two "$(field Subject)"
}

@test "-bs: DSN, RSET, VRFY, HELO, and commands out of turn" {
	talk 0 'MAIL FROM:<a@b>\r\nHELO me\r\nRCPT TO:<c@d>\r\nDATA\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nDATA\r\nRCPT TO:<x@y>\r\nRSET\r\nDATA\r\nVRFY root\r\nNOOP\r\nHELP\r\nNONSENSE\r\n\r\nMAIL FROM:a b\r\nMAIL FROM:<a@b> WHAT=1\r\nMAIL FROM:<a@b> RET=HDRS ENVID=i+2Bd\r\nRCPT TO:<>\r\nRCPT TO:<c@d> ORCPT=rfc822;c@d NOTIFY=FAILURE,DELAY\r\nRCPT TO:<e@f> NOTIFY=NEVER\r\nRCPT TO:<e@f> NOTIFY=SOME\r\nDATA\r\n\r\nx\r\n.\r\n'
	codes=$(cut -c 1-3 <<<"$output" | paste -sd' ')
	assert_eq "220 503 250 503 503 250 503 554 250 250 503 252 250 250 500 500 555 555 250 501 250 250 555 354 250" "$codes"
	assert_eq "failure,delay" "$(envelope notify)"
	assert_eq hdrs "$(envelope ret)"
	assert_eq i+d "$(envelope envid)"
	assert_eq "c@d e@f" "$(envelope rcpt)"
}

@test "-bs: what is refused is said with its reason, and the next is taken" {
	talk 0 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nFrom: a@b\r\nFrom: c@d\r\n\r\nx\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: good\r\n\r\nx\r\n.\r\nQUIT\r\n'
	assert_contains "$output" "554 5.6.0 line 2: "
	assert_contains "$stderr" "line 2"
	assert_eq good "$(field Subject)"
}

@test "-bs: the end of a message is where all say that it is" {
	talk 0 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\none\n.\nMAIL FROM:<evil@example>\r\n.\rtwo\r\n\n.\r\nthree\r\n.\r\nQUIT\r\n'
	assert_eq 1 "$(grep -c 'queued as' <<<"$output")"
	assert_contains "$(body)" "MAIL FROM:<evil@example>"
	assert_contains "$(body)" three
	crlf_only
	clear_queue
	# One who ends all lines with LF alone.
	talk 0 'EHLO me\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nSubject: x\n\none\n..\n.\nQUIT\n'
	assert_eq $'one\n.' "$(body)"
	assert_eq "221 2.0.0 bye" "${lines[-1]}"
}

@test "-bs: a message that is cut off is none; long lines; many recipients" {
	talk 0 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\nhalf'
	empty
	{
		printf 'EHLO me\r\nNOOP '
		head -c 200000 /dev/zero | tr '\0' x
		printf '\r\nMAIL FROM:<a@b>\r\n'
		for i in {1..500}; do printf 'RCPT TO:<r%s@c>\r\n' "$i"; done
		printf 'DATA\r\nSubject: x\r\n\r\n'
		head -c 300000 /dev/zero | tr '\0' y
		printf '\r\n.\r\nQUIT\r\n'
	} >in
	expect 0 bin/sendmail -bs <in
	assert_contains "$output" "500 5.5.2"
	assert_contains "$output" "queued as"
	assert_eq 500 "$(envelope rcpt | wc -w)"
	body | perl -MMIME::QuotedPrint -0777 -ne 'print decode_qp($_)' >got
	assert_eq 300001 "$(stat -c %s got)"
}

@test "-bs: a long line's dot, and dots that are not alone" {
	# Stuffed, and longer than what is looked at in one piece.
	{
		printf 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n'
		printf 'Subject: x\r\n\r\n..'
		head -c 100000 /dev/zero | tr '\0' y
		printf '\r\n.\r\nQUIT\r\n'
	} >in
	expect 0 bin/sendmail -bs <in
	assert_contains "$output" "queued as"
	body | perl -MMIME::QuotedPrint -0777 -ne 'print decode_qp($_)' >got
	assert_eq .yyy "$(head -c 4 got)"
	assert_eq 100002 "$(stat -c %s got)"
	clear_queue
	# A blank behind it: it was no dot alone, as a client with CRLF has it...
	talk 0 'EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n.. \r\n. \r\n.\t\r\nend\r\n.\r\nQUIT\r\n'
	assert_eq $'. \n \n\t\nend' "$(body)"
	clear_queue
	# ... and with LF, for whom CRLF is good, too.
	talk 0 'EHLO me\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nSubject: x\n\n. \n.\t\nend\n.\r\nQUIT\n'
	assert_eq $' \n\t\nend' "$(body)"
	assert_eq "221 2.0.0 bye" "${lines[-1]}"
}
