#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets them
# The bytes of messages through syncd: from a Maildir to a server, and from there
# to another Maildir. They are the same but for CRLF, which a Maildir has as LF;
# nothing is ever added.

bats_require_minimum_version 1.5.0
load helper
load syncing
load peer

SHARED=$ROOT/../shared/mail # more, where there is such a folder

# One that stores LF, as most do, and one that stores what is sent. The former
# takes a CR for a part of a line's end, now and then.
setup_file() {
	start_dovecot "$BATS_FILE_TMPDIR/lf"
	EXTRA='mail_save_crlf = yes' start_dovecot "$BATS_FILE_TMPDIR/crlf"
}

# lf or crlf: that server from now on.
use() {
	SERVER=$BATS_FILE_TMPDIR/$1
	# shellcheck source=/dev/null
	. "$SERVER/env"
}

teardown() {
	peer_stop
}

teardown_file() {
	stop_servers
}

# DIRECTORY: each message of ours and of the shared folder, with LF, as a new file
# there; but for what matches one of the names.
put_mail() {
	mkdir -p "$1"
	perl -e 'my $to = shift; my %not = map { $_ => 1 } split " ", shift;
		undef $/;
		for (@ARGV) {
			my ($name) = m{([^/]*)\.eml\z} or next;
			next if $not{$name} || !-e;
			open(my $in, "<:raw", $_) or die;
			my $s = <$in> // "";
			$s =~ s/\r\n/\n/g;
			open(my $out, ">:raw", "$to/" . ++$n . ".$name.h") or die;
			print $out $s;
		}' "$1" "${2-}" "$ROOT"/tests/mail/*.eml "$SHARED"/*.eml
}

# DIRECTORY: digests of the messages there, without names, CRLF as LF. Or with
# "raw" as they are.
digests() {
	find "$1" -type f \( -path '*/new/*' -o -path '*/cur/*' \) -print0 |
		perl -MDigest::SHA=sha256_hex -0e 'my $raw = shift;
			while (my $f = <STDIN>) {
				chomp $f;
				open(my $in, "<:raw", $f) or die;
				local $/;
				my $s = <$in> // "";
				$s =~ s/\r\n/\n/g if !$raw;
				print sha256_hex($s), "\n";
			}' "${2-}" | sort
}

# FILE FILE: what differs is named.
same_bytes() {
	diff "$1" "$2" >differ || {
		find md -type f -exec sha256sum {} + |
			grep -F -f <(sed -n 's/^< //p' differ) | head >&2
		fail "$(grep -c '^[<>]' differ) digests differ"
	}
}

# To another Maildir.
second() {
	expect 0 "$SYNCD" -o 'password-command=printf pw' \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md2
}

# Up, and down to another Maildir; nobody adds anything.
there_and_back() {
	digests md >first
	sync 0
	digests md >here
	same_bytes first here
	digests "$MAILROOT/$U" >there
	same_bytes first there
	second
	# A CR that is left before LF is one that was doubled.
	digests md2 raw >again
	same_bytes first again
	sync 0 -p
	assert_eq "" "$output"
}

@test "every message: here, there, and in another Maildir the same" {
	mkdir -p md/INBOX/{cur,new,tmp}
	put_mail md/INBOX/new "nul nul-header all-bytes empty"
	[ "$(maildir_count md/INBOX)" -ge 20 ]
	use crlf
	there_and_back
	use lf
	rm -r md md2 "$XDG_STATE_HOME"
	mkdir -p md/INBOX/{cur,new,tmp}
	put_mail md/INBOX/new "nul nul-header all-bytes empty bare-lf-dot
		lone-cr lone-cr-header lone-cr-last"
	there_and_back
	! find "$MAILROOT/$U" -type f -exec grep -il '^X-TUID\|^X-Sync' {} + ||
		fail "a header was added"
}

@test "lines that end in CRLF here stay as they are; there they are lines" {
	mkdir -p md/INBOX/{cur,new,tmp}
	printf 'Subject: crlf\r\n\r\none\r\ntwo\n' >md/INBOX/new/1.crlf.h
	cp md/INBOX/new/1.crlf.h before
	use lf
	there_and_back
	cmp before md/INBOX/new/1.crlf.h
	printf 'Subject: crlf\n\none\ntwo\n' | cmp - md2/INBOX/new/*
}

@test "NULs: by BINARY; without it they stay here, and that is said" {
	local f
	mkdir -p md/INBOX/{cur,new,tmp}
	cp "$ROOT"/tests/mail/{nul,nul-header,all-bytes}.eml md/INBOX/new/
	printf 'Subject: other\n\nx\n' >md/INBOX/new/1.other.h
	use crlf
	digests md >first
	sync 0
	digests "$MAILROOT/$U" >there
	same_bytes first there
	# A server without: the others go.
	peer_says
	configure "$PEER_PORT"
	rm -r "$XDG_STATE_HOME"
	work 65
	peer_wait
	for f in nul nul-header all-bytes; do
		assert_contains "$stderr" "work/INBOX: $f.eml: the message has NUL bytes"
	done
}

# An account without mail, on a server that has not even UIDPLUS.
peer_says() {
	peer_script plain.peer <<-'END'
		on <*t> LIST *
		    S: * LIST () "/" INBOX
		    S: <t> OK done
		on <*t> STATUS *
		    S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)
		    S: <t> OK done
		on <*t> SELECT *
		    S: * 0 EXISTS
		    S: * OK [UIDVALIDITY 7] ok
		    S: * OK [UIDNEXT 1] ok
		    S: <t> OK [READ-WRITE] done
		on <*t> UID FETCH *
		    S: <t> OK none
		S: * OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] ready
		C: <*t> LOGIN *
		S: <t> OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] done
		C: <*t> APPEND "INBOX" () "*" {21+}
		C-lines 4
		S: <t> OK [APPENDUID 7 1] done
		C: <*t> LOGOUT
		S: <t> OK done
	END
	peer_start plain.peer
}

@test "an empty file is no message: it stays, and that is said" {
	mkdir -p md/INBOX/{cur,new,tmp}
	: >md/INBOX/new/1.empty.h
	printf 'Subject: other\n\nx\n' >md/INBOX/new/1.other.h
	use lf
	sync 65
	assert_eq "syncd: warning: 127.0.0.1/INBOX: 1.empty.h: an empty message cannot be stored by IMAP" \
		"$stderr"
	assert_eq 1 "$(count_there INBOX)"
	assert_eq 2 "$(maildir_count md/INBOX)"
}
