#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # perl
# The bytes of messages: what a server sends is what a Maildir gets, but for
# CRLF, which becomes LF.
#
# A scripted server sends tests/mail as it is, whatever is in it. Real servers
# change some of it on their own; there a client of a few lines of perl, which
# shares nothing with fetchd, says what was sent.

bats_require_minimum_version 1.5.0
load helper
load fetching
load peer

MAIL=$ROOT/tests/mail
SHARED=$ROOT/../shared/mail # more, where there is such a folder

setup_file() {
	start_dovecot
}

teardown() {
	peer_stop
}

# Sets FILES: ours, and those of the shared folder.
mail_files() {
	local f
	FILES=()
	for f in "$MAIL"/*.eml "$SHARED"/*.eml; do
		[ ! -e "$f" ] || FILES+=("$f")
	done
}

# Sets FILES to ours, but for the one that is empty: a filter gives nothing
# back for that.
own_files() {
	FILES=("$MAIL"/[!e]*.eml "$MAIL"/empty-body.eml)
}

# pop3|imap FILE...: makes wire/N, what that server sends for each file, and
# want/N, what is to arrive. POP3 knows only whole lines, which CRLF ends, and
# doubles a dot that begins one.
prepare() {
	mkdir wire want
	perl -e 'my $pop3 = shift(@ARGV) eq "pop3";
		sub put {
			open(my $f, ">:raw", $_[0]) or die;
			print $f $_[1];
		}
		undef $/;
		for (@ARGV) {
			open(my $f, "<:raw", $_) or die;
			my $s = <$f> // "";
			$s .= "\r\n" if $pop3 && $s ne "" && $s !~ /\r\n\z/;
			(my $lf = $s) =~ s/\r\n/\n/g;
			$s =~ s/(\A|\r\n)\./$1../g if $pop3;
			put("wire/" . ++$n, $s);
			put("want/$n", $lf);
		}' "$@"
}

# DIR: digests as maildir_digest prints them.
digests() {
	find "$1" -type f -exec sha256sum {} + | sed 's/ .*//' | sort
}

# What arrived in Maildir in/ is what is in want/. With no more than a handful
# of differences, they are named.
assert_arrived() {
	digests want >want.sums
	maildir_digest in >in.sums
	diff want.sums in.sums >diff.sums && return
	find want -type f -exec sha256sum {} + |
		grep -F -f <(sed -n 's/^< //p' diff.sums) | head >&2
	fail "$(grep -c '^[<>]' diff.sums) digests differ"
}

# SEED: plays wire/ by POP3, in pieces of random size.
pop3_script() {
	local n i
	n=$(find wire -type f | wc -l)
	cat <<-END
		S: +OK hello
		C: CAPA
		S: +OK
		S: PIPELINING
		S: TOP
		S: UIDL
		S: USER
		S: .
		C: USER $U
		S: +OK
		C: PASS pw
		S: +OK
		C: CAPA
		S: +OK
		S: PIPELINING
		S: TOP
		S: UIDL
		S: .
		C: UIDL
		S: +OK
	END
	for ((i = 1; i <= n; i++)); do echo "S: $i uid$i"; done
	printf '%s\n' 'S: .' 'C: LIST' 'S: +OK'
	for ((i = 1; i <= n; i++)); do
		echo "S: $i $(stat -c %s wire/$i)"
	done
	echo 'S: .'
	[ "$1" = 0 ] || echo "split $1"
	for ((i = 1; i <= n; i++)); do
		printf '%s\n' "C: RETR $i" 'S: +OK' "S-file wire/$i" 'S: .'
	done
	printf '%s\n' 'C: QUIT' 'S: +OK'
}

# SEED: the same by IMAP.
imap_script() {
	local n i
	n=$(find wire -type f | wc -l)
	cat <<-END
		S: * OK [CAPABILITY IMAP4rev1] hello
		C: <t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 LITERAL+] in
		C: <*s> SELECT *
		S: * $n EXISTS
		S: * OK [UIDVALIDITY 7]
		S: <s> OK [READ-WRITE] selected
		C: <*l> UID FETCH 1:\* (UID RFC822.SIZE)
	END
	for ((i = 1; i <= n; i++)); do
		echo "S: * $i FETCH (UID $i RFC822.SIZE $(stat -c %s wire/$i))"
	done
	echo 'S: <l> OK'
	[ "$1" = 0 ] || echo "split $1"
	for ((i = 1; i <= n; i++)); do
		# A hundred messages at a time are asked for.
		if [ $((i % 100)) -eq 1 ]; then
			[ $i -eq 1 ] || echo 'S: <f> OK'
			echo 'C: <*f> UID FETCH * (UID BODY.PEEK[])'
		fi
		printf '%s\n' \
			"S: * $i FETCH (UID $i BODY[] {$(stat -c %s wire/$i)}" \
			"S-file wire/$i" 'S: )'
	done
	printf '%s\n' 'S: <f> OK' 'C: <*o> LOGOUT' 'S: * BYE' 'S: <o> OK'
}

# What a real server sends for U, asked without any of our code, goes to want/.
ask_pop3() {
	local n i
	n=$(maildir_count "$(on_server)")
	exec 5<>"/dev/tcp/127.0.0.1/$POP3_PORT"
	{
		printf 'USER %s\r\nPASS pw\r\n' "$U"
		for ((i = 1; i <= n; i++)); do printf 'RETR %d\r\n' $i; done
		printf 'QUIT\r\n'
	} >&5
	timeout 60 cat <&5 >raw
	exec 5>&-
	mkdir want
	perl -0777 -ne 's/\A(\+OK[^\n]*\n){3}// or die;
		while (s/\A\+OK[^\n]* octets\r\n((.*?\r\n)??)\.\r\n//s) {
			$_[0] = $1;
			$_[0] =~ s/(\A|\r\n)\./$1/g;
			$_[0] =~ s/\r\n/\n/g;
			open(my $f, ">", "want/" . ++$n) or die;
			print $f $_[0];
		}' raw
	assert_eq "$n" "$(find want -type f | wc -l)" "messages sent"
}

ask_imap() {
	local n
	n=$(maildir_count "$(on_server)")
	exec 5<>"/dev/tcp/127.0.0.1/$IMAP_PORT"
	printf '%s\r\n' "a LOGIN $U pw" 'b EXAMINE INBOX' \
		'c UID FETCH 1:* BODY.PEEK[]' 'd LOGOUT' >&5
	timeout 60 cat <&5 >raw
	exec 5>&-
	mkdir want
	perl -0777 -ne 'while (/\GBODY\[\] (?:\{(\d+)\}\r\n|"")|\G./gs) {
			my ($what, $size) = ($&, $1 // 0);
			next if length($what) == 1;
			$b = substr($_, pos, $size);
			pos = pos() + $size;
			$b =~ s/\r\n/\n/g;
			open(my $f, ">", "want/" . ++$n) or die;
			print $f $b;
		}' raw
	assert_eq "$n" "$(find want -type f | wc -l)" "messages sent"
}

feed_all() {
	mail_files
	feed "$U" INBOX "${FILES[@]}"
}

@test "the messages are those that their script makes" {
	mkdir made
	"$MAIL/make" made
	for f in "$MAIL"/*.eml; do cmp "$f" "made/${f##*/}"; done
	assert_eq "$(find "$MAIL" -name '*.eml' | wc -l)" \
		"$(find made -name '*.eml' | wc -l)"
}

@test "POP3: any bytes arrive as they were sent" {
	mail_files
	prepare pop3 "${FILES[@]}"
	for seed in 0 1; do
		pop3_script $seed | peer_script pop3.peer
		peer_start pop3.peer
		rm -rf in "$XDG_STATE_HOME"
		expect 0 "$FETCHD" -o 'password-command=printf pw' \
			-o auth=native "pop3+plain://$U@127.0.0.1:$PEER_PORT" in
		peer_wait
		assert_eq "" "$stderr"
		assert_arrived
	done
}

@test "IMAP: any bytes arrive as they were sent" {
	mail_files
	prepare imap "${FILES[@]}"
	for seed in 0 1; do
		imap_script $seed | peer_script imap.peer
		peer_start imap.peer
		rm -rf in "$XDG_STATE_HOME"
		expect 0 "$FETCHD" -o 'password-command=printf pw' \
			-o auth=native "imap+plain://$U@127.0.0.1:$PEER_PORT" in
		peer_wait
		assert_eq "" "$stderr"
		assert_arrived
	done
}

@test "through a filter and into a second Maildir: the same bytes" {
	own_files
	prepare imap "${FILES[@]}"
	imap_script 3 | peer_script imap.peer
	peer_start imap.peer
	expect 0 "$FETCHD" -o 'password-command=printf pw' -o auth=native \
		-o filter=cat -o "deliver=maildir $PWD/in" \
		-o "deliver=maildir $PWD/copy" -o "deliver=pipe cat >>all" \
		"imap+plain://$U@127.0.0.1:$PEER_PORT"
	peer_wait
	assert_arrived
	assert_eq "$(maildir_digest in)" "$(maildir_digest copy)"
	for ((i = 1; i <= ${#FILES[@]}; i++)); do cat "want/$i"; done |
		cmp - all
}

@test "Dovecot, POP3 and POP3S: what it sends arrives" {
	feed_all
	ask_pop3
	for proto in pop3 pop3s; do
		rm -rf in
		fetch_quietly $proto in
		assert_arrived
	done
}

@test "Dovecot, IMAP and IMAPS: what it sends arrives" {
	feed_all
	ask_imap
	for proto in imap imaps; do
		rm -rf in
		fetch_quietly $proto in
		assert_arrived
	done
}

# Dovecot believes the sizes in the names of Maildir files, and complains when
# they are wrong: S is that of the file, W with CRLF for each LF that lacks it.
@test "the sizes in the file names are right" {
	own_files
	prepare imap "${FILES[@]}"
	imap_script 0 | peer_script imap.peer
	peer_start imap.peer
	expect 0 "$FETCHD" -o 'password-command=printf pw' -o auth=native \
		-o 'add-header=received delivered-to' \
		-o "deliver=maildir $PWD/in" -o "deliver=maildir $PWD/copy" \
		"imap+plain://$U@127.0.0.1:$PEER_PORT"
	peer_wait
	perl -e 'undef $/;
		for (@ARGV) {
			open(my $f, "<:raw", $_) or die;
			my $s = <$f>;
			my $size = length($s);
			$s =~ s/(?<!\r)\n/\r\n/g;
			$size .= ",W=" . length($s);
			/,S=$size$/ or die "$_ is not $size\n";
		}' in/new/* copy/new/*
}
