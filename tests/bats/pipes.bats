#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2238 # env is a file; sh -c '...'; a test is a subshell
# Filters, pipes, mbox files and several targets: whole messages or nothing,
# and what a command does not take stays on the server.

bats_require_minimum_version 1.5.0
load helper
load fetching
load peer

setup_file() {
	start_dovecot
}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	mkdir got
}

teardown() {
	peer_stop
}

# N: so many letters on the server, with Subject and body "letter 1" and on.
letters() {
	local i files=()
	for ((i = 1; i <= $1; i++)); do
		printf 'Return-Path: <bounce%d@example.org>\nDelivered-To: %s\nFrom: "A. %d" <a%d@example.org>\nSubject: letter %d\n\nletter %d\n' \
			$i "ada+$i@example.net" $i $i $i $i >letter.$i
		files+=("letter.$i")
	done
	feed "$U" INBOX "${files[@]}"
}

# NAME: standard input becomes that executable script, $PWD/NAME.
script() {
	{
		echo '#!/bin/sh'
		cat
	} >"$1"
	chmod +x "$1"
}

# A pipe that appends what it gets to got/N, N being the letter's number. What
# is in the file "trouble" it runs for letter 2, after reading.
taker() {
	script "${1:-take}" <<-END
		cd '$PWD' || exit 1
		cat >"tmp.\$\$"
		n=\$(sed -n 's/^Subject: letter //p' "tmp.\$\$")
		echo "\$n" >>"${1:-take}.ran"
		[ "\$n" != 2 ] || . ./trouble || exit
		cat "tmp.\$\$" >>"got/${1:-take}.\$n"
		rm "tmp.\$\$"
	END
	echo : >trouble
}

# [NAME] N...: exactly these letters were taken, once, as they are.
took() {
	local name=take n files=()
	[[ $1 == [0-9]* ]] || { name=$1; shift; }
	for n; do
		cmp "letter.$n" "got/$name.$n"
		files+=("got/$name.$n")
	done
	assert_eq "$(printf '%s\n' "${files[@]}" | sort)" \
		"$(printf '%s\n' got/"$name".* | sort)" "taken"
}

@test "a pipe takes each message once, whole" {
	letters 3
	for proto in pop3 imap; do
		taker
		fetch_quietly $proto -o "deliver=pipe $PWD/take"
		took 1 2 3
		fetch_quietly $proto -o "deliver=pipe $PWD/take"
		took 1 2 3
		rm got/*
	done
}

@test "whatever happens to one message: the others are taken, it comes again" {
	local trouble
	for proto in pop3 imap; do
		for trouble in 'exit 75' 'exit 1' 'exit 127' 'kill -9 $$' \
			'kill -TERM $$' 'kill -SEGV $$' 'exit 255'; do
			letters 3
			taker
			echo "$trouble" >trouble
			fetch 75 $proto -o keep=never \
				-o "deliver=pipe $PWD/take"
			took 1 3
			server_has 1
			assert_eq "" "$output"
			assert_eq 1 "$(wc -l <<<"$stderr")" "lines: $stderr"
			assert_contains "$stderr" "it stays on the server"
			assert_contains "$stderr" "$PWD/take"
			# Again, as long as the trouble lasts.
			fetch 75 $proto -o keep=never \
				-o "deliver=pipe $PWD/take"
			server_has 1
			echo : >trouble
			fetch_quietly $proto -o keep=never \
				-o "deliver=pipe $PWD/take"
			took 1 2 3
			server_has 0
			rm got/* take.ran
		done
	done
}

@test "with keep always it comes again, too, and alone" {
	letters 3
	for proto in pop3 imap; do
		taker
		echo 'exit 75' >trouble
		fetch 75 $proto -o "deliver=pipe $PWD/take"
		took 1 3
		echo : >trouble
		fetch_quietly $proto -o "deliver=pipe $PWD/take"
		took 1 2 3
		assert_eq "1 2 2 3" "$(sort take.ran | xargs)" "runs"
		rm got/* take.ran
	done
}

@test "a command that hangs is ended with all it has started" {
	letters 3
	for proto in pop3 imap; do
		taker
		echo 'echo $$ >pids; sleep 60 & echo $! >>pids; wait' >trouble
		began=$SECONDS
		fetch 75 $proto -o command-timeout=1s -o keep=never \
			-o "deliver=pipe $PWD/take"
		[ $((SECONDS - began)) -lt 10 ]
		took 1 3
		server_has 1
		while read -r pid; do
			await gone "$pid"
		done <pids
		echo : >trouble
		fetch_quietly $proto -o keep=never -o "deliver=pipe $PWD/take"
		took 1 2 3
		rm got/* take.ran
		letters 3
	done
}

@test "one that ignores SIGTERM is killed" {
	letters 1
	script deaf <<-END
		trap '' TERM
		echo \$\$ >'$PWD/pid'
		while :; do sleep 1; done
	END
	began=$SECONDS
	fetch 75 pop3 -o command-timeout=500ms -o "deliver=pipe $PWD/deaf"
	[ $((SECONDS - began)) -lt 10 ]
	await gone "$(<pid)"
	server_has 1
}

@test "a command that is not there" {
	letters 2
	for proto in pop3 imap; do
		fetch 75 $proto -o keep=never -o 'deliver=pipe no-such-command'
		assert_contains "$stderr" \
			"'no-such-command': no-such-command: command not found"
		server_has 2
	done
}

@test "one that does not read takes the message all the same" {
	feed "$U" INBOX 2 500000
	for proto in pop3 imap; do
		fetch_quietly $proto -o 'deliver=pipe true'
		fetch_quietly $proto -o 'deliver=pipe true'
	done
}

# What a server did not send to its end reaches no command.
@test "a pipe never sees a part of a message" {
	script mark <<<"touch '$PWD/ran'"
	peer_script pop3.peer <<-'END'
		S: +OK
		C: CAPA
		S: -ERR
		C: USER *
		S: +OK
		C: PASS *
		S: +OK
		C: UIDL
		S: +OK
		S: 1 a
		S: .
		C: LIST
		S: +OK
		S: 1 100
		S: .
		C: RETR 1
		S: +OK
		S: Subject: cut off
		S:
		S: The end is not yet.
		close
	END
	peer_script imap.peer <<-'END'
		S: * OK [CAPABILITY IMAP4rev1]
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1] in
		C: <*s> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 7]
		S: <s> OK
		C: <*l> UID FETCH *
		S: * 1 FETCH (UID 1 RFC822.SIZE 100)
		S: <l> OK
		C: <*f> UID FETCH 1 (UID BODY.PEEK[])
		S: * 1 FETCH (UID 1 BODY[] {100}
		S: Subject: cut off
		S:
		S: The end is not yet.
		close
	END
	for proto in pop3 imap; do
		for what in deliver=pipe filter=; do
			peer_start $proto.peer
			expect 75 "$FETCHD" -o 'password-command=printf pw' \
				-o auth=native -o "$what $PWD/mark" \
				-o deliver='mbox -' \
				"$proto+plain://u@127.0.0.1:$PEER_PORT"
			peer_wait
			[ ! -e ran ] || fail "$proto $what: it ran"
			assert_eq "" "$output"
		done
	done
	# It can tell: a whole one does.
	letters 1
	fetch_quietly pop3 -o "deliver=pipe $PWD/mark"
	[ -e ran ]
}

@test "killed with a message on its way: nothing is left, nothing lost" {
	feed "$U" INBOX 1 300
	peer_script imap.peer <<-'END'
		S: * OK [CAPABILITY IMAP4rev1]
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1] in
		C: <*s> SELECT *
		S: * 1 EXISTS
		S: * OK [UIDVALIDITY 7]
		S: <s> OK
		C: <*l> UID FETCH *
		S: * 1 FETCH (UID 1 RFC822.SIZE 1000000)
		S: <l> OK
		C: <*f> UID FETCH 1 (UID BODY.PEEK[])
		S: * 1 FETCH (UID 1 BODY[] {1000000}
		S-repeat 9000 a line that is there to fill what would be buffered
		listen-only
	END
	peer_start imap.peer
	"$FETCHD" -o 'password-command=printf pw' -o auth=native \
		-o "deliver=pipe touch $PWD/ran" \
		"imap+plain://u@127.0.0.1:$PEER_PORT" 2>log &
	await grep -q 'BODY.PEEK' "${PEER_LOG[$PEER_PID]}"
	sleep 0.5
	worker=$(pgrep -P $!)
	kill -KILL $!
	wait $! || :
	await gone "$worker"
	[ ! -e ran ]
	assert_eq "" "$(find "$XDG_STATE_HOME" -path '*.spool/*')"
}

@test "filters: each gets what the one before it gave, in their order" {
	letters 2
	for proto in pop3 imap; do
		fetch_quietly $proto -o 'filter=sed s/letter/postcard/' \
			-o 'filter=sed "s/^postcard.*/& from Paris/"' \
			-o 'filter=awk "{ print } END { print NR }"' in
		assert_eq "$(for i in 1 2; do
			sed 's/letter/postcard/
				s/^postcard.*/& from Paris/' letter.$i
			wc -l <letter.$i
		done)" "$(cat in/new/*)"
		rm -rf in
	done
}

@test "a filter's status says: pass, drop, or leave on the server" {
	for proto in pop3 imap; do
		letters 4
		# 2: dropped; 3: left; 4: one that is not in the list
		script judge <<-'END'
			cat
			case $FETCHD_SIZE in *) ;; esac
			exit "$(cat "$HOME/status.$(expr "$SENDER" : 'bounce\(.\)')")"
		END
		for i in 1 2 3 4; do echo 0 >"$HOME/status.$i"; done
		echo 99 >"$HOME/status.2"
		echo 75 >"$HOME/status.3"
		echo 98 >"$HOME/status.4"
		fetch 75 $proto -o keep=never -o "filter=$PWD/judge" \
			-o 'drop=99 100' in
		assert_eq "letter 1" "$(tail -qn 1 in/new/*)"
		server_has 2
		assert_eq 2 "$(wc -l <<<"$stderr")" "lines: $stderr"
		assert_contains "$stderr" "exited with 75"
		assert_contains "$stderr" "exited with 98"
		for i in 1 2 3 4; do echo 0 >"$HOME/status.$i"; done
		fetch_quietly $proto -o keep=never -o "filter=$PWD/judge" \
			-o 'drop=99 100' in
		assert_eq "letter 1 letter 3 letter 4" \
			"$(tail -qn 1 in/new/* | sort | xargs)"
		server_has 0
		rm -rf in
	done
}

@test "without drop, no status drops; a filter that gives nothing fails" {
	letters 1
	for filter in false 'sh -c "exit 99"' true 'sh -c "cat; kill -9 \$\$"' \
		no-such-filter; do
		fetch 75 imap -o keep=never -o "filter=$filter" in
		assert_contains "$stderr" "it stays on the server"
		server_has 1
		assert_eq 0 "$(maildir_count in)" "delivered in spite of $filter"
	done
}

@test "filters and pipes: a filter's failure reaches no pipe" {
	letters 1
	fetch 75 imap -o "filter=false" -o "deliver=pipe touch $PWD/ran"
	[ ! -e ran ]
	fetch 0 imap -o "filter=false" -o drop=1 -o "deliver=pipe touch $PWD/ran"
	[ ! -e ran ]
}

@test "what commands find in their environment" {
	letters 1
	export SECRET_ENV=mine
	for proto in pop3 imap; do
		USER=ada fetch_quietly $proto -o "deliver=pipe env >>$PWD/env.$proto"
		sort "env.$proto" >env
		for v in SENDER=bounce1@example.org RECIPIENT=ada+1@example.net \
			LOCAL=ada+1 DOMAIN=example.net USER=ada "HOME=$HOME" \
			FETCHD_ACCOUNT=127.0.0.1 FETCHD_FOLDER=INBOX \
			"FETCHD_SIZE=$(stat -c %s letter.1)" SECRET_ENV=mine; do
			grep -qxF "$v" env || fail "no $v in: $(<env)"
		done
		grep -q '^FETCHD_UID=.' env
		refute grep -q 'pw$' env
	done
	grep -qx FETCHD_UID=1 env
	# Without these header fields: From, and the account's user.
	printf 'From: x@y.example (Mr. X)\nSubject: a\n\nb\n' >plain
	feed "$U" Sub/box plain
	fetch_quietly imap -o 'from=imap Sub/box' \
		-o "deliver=pipe env >$PWD/env.sub"
	for v in SENDER=x@y.example "RECIPIENT=$U" "LOCAL=$U" DOMAIN= \
		FETCHD_FOLDER=Sub/box; do
		grep -qxF "$v" env.sub || fail "no $v in: $(<env.sub)"
	done
}

@test "hostile addresses in the header stay data" {
	printf 'From: "$(touch %s/owned)`touch %s/owned`; x"@example.org\n\tPATH=/\n\nLD_PRELOAD=/x\n' \
		"$PWD" "$PWD" >evil
	feed "$U" INBOX evil
	fetch_quietly pop3 -o 'deliver=pipe echo $SENDER $RECIPIENT >said; env >env'
	assert_contains "$(<said)" '$(touch'
	[ ! -e owned ]
	refute grep -q '^LD_PRELOAD' env
	grep -q '^PATH=.*bin' env
}

@test "words go to the command as they are; shell syntax goes to a shell" {
	letters 1
	script args <<-END
		for a; do echo "<\$a>"; done >>'$PWD/args.out'
	END
	fetch_quietly imap -o "deliver=pipe $PWD/args 'a  b' \"c d\" e\\ f '\$HOME' '*'"
	assert_eq "<a  b> <c d> <e f> <\$HOME> <*>" "$(xargs -d '\n' <args.out)"
	rm args.out
	fetch_quietly imap -o "deliver=pipe $PWD/args \"\$HOME\" ; $PWD/args x && $PWD/args y"
	assert_eq "<$HOME> <x> <y>" "$(xargs -d '\n' <args.out)"
	fetch_quietly imap -o "deliver=pipe cat | tr a-z A-Z >$PWD/upper"
	assert_eq "LETTER 1" "$(tail -n 1 upper)"
}

@test "a command has three descriptors, no terminal, a session of its own" {
	letters 1
	fetch 0 imap -o 'deliver=pipe ls -l /proc/self/fd'
	# The last one is that of the directory.
	assert_eq "0 1 2 3" "$(sed -n 's/.* \([0-9]*\) ->.*/\1/p' \
		<<<"$stderr" | sort -n | xargs)" descriptors
	script look <<-END
		echo "\$\$ \$(ps -o pgid=,sid=,tty= -p \$\$)" >'$PWD/look.out'
	END
	fetch_quietly imap -o "deliver=pipe $PWD/look"
	read -r pid pgid sid tty <look.out
	assert_eq "$pid $pid ?" "$pgid $sid $tty"
}

@test "what a command says goes to standard error: the other is for data" {
	letters 1
	fetch 0 imap -o 'deliver=pipe echo said' -o "deliver=mbox -"
	assert_contains "$stderr" said
	[[ $output != *said* ]]
	assert_contains "$output" "letter 1"
}

@test "procmail" {
	command -v procmail >/dev/null || skip "no procmail"
	letters 3
	printf 'DEFAULT=%s/rest\n:0\n* ^Subject: letter 2\n%s/two/\n' \
		"$PWD" "$PWD" >rc
	fetch_quietly pop3 -o keep=never -o "deliver=pipe procmail -m $PWD/rc"
	assert_eq 1 "$(maildir_count two)"
	assert_eq 2 "$(grep -c '^letter ' rest)"
	server_has 0
}

# --- several targets -------------------------------------------------------

@test "several targets: all have it, or it stays; none has it twice" {
	for proto in pop3 imap; do
		letters 3
		taker one
		taker two
		# The second refuses letter 2; the others must not get it again.
		echo '[ "${0##*/}" = one ] || exit 1' >trouble
		targets=(-o keep=never -o "deliver=maildir $PWD/in"
			-o "deliver=pipe $PWD/one" -o "deliver=pipe $PWD/two"
			-o "deliver=mbox $PWD/mbox" -o "deliver=maildir $PWD/b")
		fetch 75 $proto "${targets[@]}"
		took two 1 3
		server_has 1
		fetch 75 $proto "${targets[@]}"
		echo : >trouble
		fetch_quietly $proto "${targets[@]}"
		server_has 0
		took one 1 2 3
		took two 1 2 3
		assert_eq "1 2 3" "$(sort one.ran | xargs)" "runs of the first"
		assert_eq "1 2 2 2 3" "$(sort two.ran | xargs)" "of the second"
		for d in in b; do
			assert_eq "$(sha256sum letter.* | sed 's/ .*//' | sort)" \
				"$(maildir_digest $d)" $d
		done
		assert_eq "letter 1 letter 2 letter 3" \
			"$(grep '^letter' mbox | sort | xargs)"
		fetch_quietly $proto "${targets[@]}"
		rm -rf in b mbox got/* ./*.ran
	done
}

@test "several targets: a failing one in front, and standard output" {
	letters 3
	for proto in pop3 imap; do
		taker
		echo 'exit 1' >trouble
		targets=(-o 'deliver=mbox -' -o "deliver=pipe $PWD/take")
		fetch 75 $proto "${targets[@]}"
		assert_eq "letter 1 letter 2 letter 3" \
			"$(grep '^letter' <<<"$output" | xargs)"
		echo : >trouble
		fetch 0 $proto "${targets[@]}"
		assert_eq "" "$output"
		took 1 2 3
		rm got/*
	done
}

@test "two Maildirs get the same bytes under names of their own" {
	feed "$U" INBOX 40 ~20000
	for proto in pop3 imap; do
		fetch_quietly $proto -o "deliver=maildir $PWD/a" \
			-o "deliver=maildir $PWD/b"
		same_mail a
		same_mail b
		rm -rf a b
	done
}

# --- mbox ----------------------------------------------------------------------

# N: the N files below, as an mbox from procmail's or mutt's hands.
awkward() {
	printf 'Return-Path: <a@example.org>\nSubject: letter 1\n\nFrom here\n>From there\n>>From all\nfrom\n From x\nFrom' >m.1
	printf 'From: x@example.org\nSubject: letter 2\n\nbody\n\n\n' >m.2
	printf 'Return-Path: <x@example.org>\n\nFrom \n>\n>From\nFrom \n' >m.3
	feed "$U" INBOX m.1 m.2 m.3
}

# MBOX: what a reader of mboxrd makes of it goes to out/N.
read_mboxrd() {
	mkdir -p out
	perl -0777 -ne '@m = split(/^From \S+ \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\n/m);
		shift @m;
		for (@m) {
			s/\n\z// or die;
			s/^>(>*From )/$1/mg;
			open(my $f, ">", "out/" . ++$n) or die;
			print $f $_;
		}' "$1"
}

@test "mbox FILE: mboxrd, behind what is there, for its owner only" {
	awkward
	printf 'From old@example.org Mon Jan  1 00:00:00 2001\nSubject: old\n\nold\n\n' >old
	for proto in pop3 imap; do
		rm -rf mbox out
		cp old mbox
		fetch_quietly $proto -o "deliver=mbox $PWD/mbox"
		cmp -n "$(stat -c %s old)" old mbox
		read_mboxrd mbox
		printf '\n' >>m.1 # an mbox has whole lines
		for i in 1 2 3; do cmp "m.$i" "out/$((i + 1))"; done
		assert_eq "a@example.org MAILER-DAEMON x@example.org" \
			"$(grep '^From ' mbox | tail -n 3 | cut -d' ' -f2 | xargs)"
		fetch_quietly $proto -o "deliver=mbox $PWD/mbox"
		assert_eq 4 "$(grep -c '^From ' mbox)"
		truncate -s -1 m.1
	done
	rm -f mbox
	fetch 0 pop3 -o "deliver=mbox $PWD/new.mbox" -p
	assert_eq "$(printf '%s\n' "$PWD/new.mbox"{,,})" "$output"
	assert_eq 600 "$(stat -c %a new.mbox)"
}

@test "mbox -: mboxrd on standard output" {
	awkward
	printf '\n' >>m.1
	for proto in pop3 imap; do
		rm -rf out
		"$FETCHD" -o 'password-command=printf pw' -o 'deliver=mbox -' \
			"$(url $proto)" >mbox
		read_mboxrd mbox
		for i in 1 2 3; do cmp "m.$i" "out/$i"; done
		"$FETCHD" -o 'password-command=printf pw' -o 'deliver=mbox -' \
			"$(url $proto)" >mbox
		[ ! -s mbox ]
	done
}

@test "mbox -: a standard output that is full or gone loses nothing" {
	[ -c /dev/full ] || skip "no /dev/full"
	letters 2
	for proto in pop3 imap; do
		run bash -c '"$@" >/dev/full' _ "$FETCHD" \
			-o 'password-command=printf pw' -o keep=never \
			-o 'deliver=mbox -' "$(url $proto)"
		[ "$status" -ne 0 ]
		assert_contains "$output" "standard output"
		server_has 2
		run bash -c '"$@" >&-' _ "$FETCHD" \
			-o 'password-command=printf pw' -o keep=never \
			-o 'deliver=mbox -' "$(url $proto)"
		[ "$status" -ne 0 ]
		server_has 2
	done
}

@test "an mbox that another program has locked is waited for" {
	letters 1
	: >mbox
	perl -MFcntl -e 'open(F, "+<", "mbox") or die;
		my $l = pack("s s x![q] q q i", F_WRLCK, 0, 0, 0, 0);
		fcntl(F, F_SETLK, $l) or die "$!";
		open(G, ">", "locked"); close G; sleep 2' &
	await test -e locked
	began=$SECONDS
	fetch_quietly imap -o "deliver=mbox $PWD/mbox"
	[ $((SECONDS - began)) -ge 1 ]
	wait $!
	grep -q '^letter 1' mbox
}

@test "SIGTERM while a command runs: it finishes, and counts" {
	for proto in pop3 imap; do
		letters 3
		taker
		printf 'touch started; sleep 1\n' >trouble
		"$FETCHD" -o 'password-command=printf pw' -o keep=never \
			-o "deliver=pipe $PWD/take" "$(url $proto)" 2>log &
		await test -e started
		kill -TERM $!
		wait $! || fail "exit $?: $(<log)"
		took 1 2
		echo : >trouble
		fetch_quietly $proto -o keep=never -o "deliver=pipe $PWD/take"
		took 1 2 3
		assert_eq "1 2 3" "$(sort take.ran | xargs)" runs
		server_has 0
		rm got/* take.ran started
	done
}
