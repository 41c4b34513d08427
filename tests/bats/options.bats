#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016 # run sets stderr; sh -c '...'
# Every keyword of a fetch section and of an account, and every option, at work
# against a real server. Those for filters and pipes are in pipes.bats, the
# mechanisms of `auth` in sasl.bats; what is refused before there is a
# connection is in cli.bats.

bats_require_minimum_version 1.5.0
load helper
load fetching
load peer

setup_file() {
	EXTRA='protocol imap {
		mail_plugins = zlib imap_zlib
	}' CLIENTCERT=1 start_dovecot
}

teardown() {
	stop_servers # those of single tests
	peer_stop
}

# N: as many messages as there are numbers, of these sizes, in this order.
sizes() {
	local n
	for n; do feed "$U" INBOX 1 "$n"; done
}

# MAILDIR: prints the sizes of what is in it, sorted.
sizes_in() {
	find "$1"/{new,cur} -type f -printf '%s\n' | sort -n | xargs
}

# STATUS CODE...: an account section for U, and a fetch section a, in `config`.
account() {
	cat <<-END
		account ${1:-a}
		    user $U
		    imap imap+plain://127.0.0.1:$IMAP_PORT
		    pop3 pop3+plain://127.0.0.1:$POP3_PORT
		    password-command printf pw
		fetch ${1:-a}
	END
}

# --- from where ---------------------------------------------------------------

@test "from: POP3, or IMAP when that is the only server, or as it says" {
	feed "$U" INBOX 2 300
	feed "$U" Other 1 300
	{ account; echo "deliver maildir $PWD/a"; } | config
	fetch_with 0 -v
	assert_contains "$stderr" "127.0.0.1:$POP3_PORT as $U"
	afresh
	fetch_with 0 -v -o from=imap -o "deliver=maildir $PWD/b"
	assert_contains "$stderr" "127.0.0.1:$IMAP_PORT as $U"
	afresh
	{ account | grep -v 'pop3 '; echo "deliver maildir $PWD/c"; } | config
	fetch_with 0 -v
	assert_contains "$stderr" "127.0.0.1:$IMAP_PORT as $U"
	for d in a b c; do same_mail $d; done
}

@test "from imap: several folders, patterns, exclusions, UTF-8 names" {
	feed "$U" INBOX 1 301
	feed "$U" Lists/one 1 302
	feed "$U" Lists/two 1 303
	feed "$U" Lists/two/deep 1 304
	feed "$U" 'Entw&APw-rfe' 1 305
	feed "$U" '&U,BTFw-/&ZeVnLIqe-' 1 306
	feed "$U" 'a b"c' 1 307
	while IFS='|' read -r from want; do
		afresh
		fetch_quietly imap -o "from=imap $from" in
		assert_eq "$want" "$(sizes_in in)" "from imap $from"
	done <<-'END'
		INBOX|301
		INBOX Lists/two|301 303
		Lists/*|302 303 304
		Lists/%|302 303
		* !Lists/*|301 305 306 307
		* !Lists/* Lists/two|301 303 305 306 307
		Entwürfe|305
		台北/日本語|306
		台北/*|306
		Entw?rfe Entw*|305
		'a b"c'|307
	END
	# The URL's path is a folder, too.
	rm -rf in
	expect 0 "$FETCHD" -o 'password-command=printf pw' \
		"$(url imap "$U" 'Lists/two')" in
	assert_eq 303 "$(sizes_in in)"
	rm -rf in
	expect 0 "$FETCHD" -o 'password-command=printf pw' \
		"$(url imap "$U" 'Entw%C3%BCrfe')" in
	assert_eq 305 "$(sizes_in in)"
	fetch_quietly imap -o 'from=imap 台北/*' \
		-o "deliver=pipe sh -c 'echo \$FETCHD_FOLDER' >$PWD/said"
	assert_eq 台北/日本語 "$(<said)"
	fetch 78 imap -o 'from=imap Nothing*' in
	assert_contains "$stderr" "no folder"
}

@test "select new: whoever has read them; unseen: nobody; all: each time" {
	feed "$U" INBOX 1 301
	FLAGS=S feed "$U" INBOX 1 302
	FLAGS=T feed "$U" INBOX 1 303
	fetch_quietly imap in.new
	assert_eq "301 302 303" "$(sizes_in in.new)"
	fetch_quietly imap -o select=new in.new
	fetch_quietly imap -o select=unseen in.unseen
	assert_eq "301" "$(sizes_in in.unseen)"
	feed "$U" INBOX 1 304
	fetch_quietly imap -o select=unseen in.unseen
	assert_eq "301 304" "$(sizes_in in.unseen)"
	# None of this has changed a flag.
	assert_eq 2 "$(find "$(on_server)" -name '*:2,*[ST]*' | wc -l)"
	for proto in imap pop3; do
		fetch_quietly $proto -o select=all in.all
		fetch_quietly $proto -o select=all in.all
		assert_eq "301 301 302 302 303 303 304 304" "$(sizes_in in.all)"
		rm -rf in.all
	done
}

@test "mark seen: what was delivered, and nothing else" {
	feed "$U" INBOX 2 301
	fetch_quietly imap -o mark=seen -o limit='messages 1' in
	assert_eq 1 "$(find "$(on_server)" -name '*:2,*S*' | wc -l)"
	fetch_quietly imap -o mark=seen in
	assert_eq 2 "$(find "$(on_server)" -name '*:2,*S*' | wc -l)"
	feed "$U" INBOX 1 302
	fetch 75 imap -o mark=seen -o deliver='pipe false'
	assert_eq 2 "$(find "$(on_server)" -name '*:2,*S*' | wc -l)"
}

@test "start now: only what comes later; start all: what is there" {
	for proto in pop3 imap; do
		sizes 301 302
		fetch_quietly $proto -o start=now in
		assert_eq "" "$(sizes_in in)"
		sizes 303
		fetch_quietly $proto -o start=now in
		fetch_quietly $proto in
		assert_eq "303" "$(sizes_in in)"
		fetch_quietly $proto -o start=all all
		assert_eq "301 302 303" "$(sizes_in all)"
		# Nor is what was there deleted.
		fetch_quietly $proto -o start=now -o keep=never in
		server_has 2
		rm -rf in all "$(on_server)"
	done
}

@test "start now in an empty mailbox: the first mail comes" {
	for proto in pop3 imap; do
		fetch_quietly $proto -o start=now in.$proto
		sizes 301
		fetch_quietly $proto -o start=now in.$proto
		assert_eq "301" "$(sizes_in in.$proto)"
		rm -rf "$(on_server)"
	done
}

@test "max-size: larger ones are skipped and reported, or headers come" {
	for proto in pop3 imap; do
		sizes 500 5000 600
		fetch 0 $proto -o 'max-size=1k' in
		assert_eq "500 600" "$(sizes_in in)"
		assert_contains "$stderr" "over max-size: skipped"
		assert_eq 1 "$(wc -l <<<"$stderr")" lines
		# A limit that is lifted, and never a deletion.
		fetch 0 $proto -o 'max-size=1k skip' -o keep=never in
		server_has 1
		fetch_quietly $proto -o 'max-size=1M' -o keep=never in
		assert_eq "500 600 5000" "$(sizes_in in)"
		server_has 0
		sizes 500 5000
		fetch_quietly $proto -o 'max-size=1k headers' -o keep=never h
		server_has 1
		assert_eq "$(find "$(on_server)" -type f -size +1k \
			-name '*.feed*' -exec sed '/^$/q' {} \;)" \
			"$(cat "$(find h/new -size -480c)")"
		assert_eq 2 "$(maildir_count h)"
		fetch_quietly $proto -o 'max-size=1k headers' h
		assert_eq 2 "$(maildir_count h)"
		rm -rf in h "$(on_server)"
	done
}

@test "headers-only: up to the empty line, and nothing is deleted" {
	for proto in pop3 imap; do
		feed "$U" INBOX 3 5000
		fetch_quietly $proto -o headers-only -o keep=never in
		server_has 3
		assert_eq "$(find "$(on_server)" -type f -name '*.feed*' \
			-exec sed '/^$/q' {} \; | sort)" \
			"$(cat in/new/* | sort)"
		fetch_quietly $proto -o headers-only=yes -o keep=1s in
		assert_eq 3 "$(maildir_count in)"
		rm -rf in "$(on_server)"
	done
}

@test "limit messages, limit bytes: so much a run, all in the end" {
	for proto in pop3 imap; do
		sizes 1000 1001 1002 1003 1004
		fetch_quietly $proto -o 'limit=messages 2' in
		assert_eq "1000 1001" "$(sizes_in in)"
		fetch_quietly $proto -o 'limit=messages 2' in
		assert_eq "1000 1001 1002 1003" "$(sizes_in in)"
		fetch_quietly $proto -o 'limit=messages 2' in
		assert_eq 5 "$(maildir_count in)"
		fetch_quietly $proto -o 'limit=bytes 2500' b
		assert_eq "1000 1001" "$(sizes_in b)"
		fetch_quietly $proto -o 'limit=bytes 2500' \
			-o 'limit=messages 1' b
		assert_eq "1000 1001 1002" "$(sizes_in b)"
		# One that is over the limit by itself blocks nothing.
		fetch_quietly $proto -o 'limit=bytes 10' b
		assert_eq "1000 1001 1002 1003" "$(sizes_in b)"
		fetch_quietly $proto -o 'limit=bytes 1G' -o keep=never b
		server_has 0
		rm -rf in b "$(on_server)"
	done
}

@test "a limit goes for all folders together" {
	feed "$U" INBOX 2 300
	feed "$U" Two 2 300
	fetch_quietly imap -o 'from=imap INBOX Two' -o 'limit=messages 3' in
	assert_eq 3 "$(maildir_count in)"
	fetch_quietly imap -o 'from=imap INBOX Two' -o 'limit=messages 3' in
	assert_eq 4 "$(maildir_count in)"
}

@test "-1: 64 messages a run, of all folders, or the limit" {
	feed "$U" INBOX 100 300
	for proto in pop3 imap; do
		fetch_quietly $proto -1 in
		assert_eq 64 "$(maildir_count in)"
		fetch_quietly $proto --once in
		assert_eq 100 "$(maildir_count in)"
		rm -rf in
	done
	rm -rf "$(on_server)"
	feed "$U" INBOX 60 300
	feed "$U" Two 9 300
	fetch_quietly imap -1 -o 'from=imap INBOX Two' two
	assert_eq 64 "$(maildir_count two)"
	fetch_quietly imap -1 -o 'from=imap INBOX Two' two
	assert_eq 69 "$(maildir_count two)"
	fetch_quietly pop3 -1 -o 'limit=messages 3' few
	assert_eq 3 "$(maildir_count few)"
	feed "$U" INBOX 40 300
	fetch_quietly pop3 -1 -o 'limit=messages 90' few
	assert_eq 67 "$(maildir_count few)"
}

# --- what stays on the server -----------------------------------------------

@test "keep always, never, and a time from fetching on" {
	for proto in pop3 imap; do
		feed "$U" INBOX 2 300
		fetch_quietly $proto -o keep=always in
		server_has 2
		fetch_quietly $proto -o keep=1h in
		server_has 2
		sleep 2
		feed "$U" INBOX 1 301
		fetch_quietly $proto -o keep=2s in
		server_has 1
		fetch_quietly $proto -o keep=never in
		server_has 0
		assert_eq 3 "$(maildir_count in)"
		rm -rf in
	done
}

@test "archive: moved there when it would be deleted" {
	feed "$U" INBOX 2 300
	# A folder that is not there is not made: it may be a misspelling.
	fetch 69 imap -o keep=never -o archive=Old/Mail in
	assert_contains "$stderr" "archive Old/Mail"
	server_has 2
	feed "$U" Old/Mail 1 999
	fetch_quietly imap -o keep=never -o archive=Old/Mail in
	server_has 0
	server_has 3 Old/Mail
	assert_eq 2 "$(maildir_count in)"
	feed "$U" INBOX 2 301
	fetch_quietly imap -o archive=Old/Mail in
	server_has 2
	fetch_quietly imap -o keep=1s -o archive=Old/Mail in
	sleep 1
	fetch_quietly imap -o keep=1s -o archive=Old/Mail in
	server_has 0
	server_has 5 Old/Mail
}

@test "archive and keep never on a server without MOVE and UIDPLUS" {
	EXTRA='imap_capability = IMAP4rev1' start_dovecot
	feed "$U" INBOX 2 300
	feed "$U" Old 1 300
	fetch_quietly imap -o keep=never -o archive=Old in
	server_has 0
	server_has 3 Old
	feed "$U" INBOX 2 301
	fetch_quietly imap -o keep=never in
	server_has 0
	# What another client has marked is not ours to expunge.
	FLAGS=T feed "$U" INBOX 1 302
	fetch_quietly imap -o start=now -o keep=never other
	feed "$U" INBOX 1 303
	fetch 0 imap -o start=now -o keep=never other
	assert_contains "$stderr" "another client"
	server_has 2
}

# --- where to ---------------------------------------------------------------

@test "add-header: in front of an otherwise unchanged message" {
	local lines
	feed "$U" INBOX 1 500
	for proto in pop3 imap; do
		fetch_quietly $proto -o 'add-header=delivered-to received' in
		mapfile -t lines <in/new/*
		printf '%s\n' "${lines[@]:0:4}"
		assert_eq "Delivered-To: $U" "${lines[0]}"
		[[ ${lines[1]} == "Received: from 127.0.0.1 by "*" with ${proto^^} (fetchd "*");" ]]
		[[ ${lines[2]} =~ ^$'\t'[A-Z][a-z]{2},\ [0-9]{2}\ [A-Z][a-z]{2}\ 20[0-9]{2}\ [0-9:]{8}\ \+0000$ ]]
		cmp <(tail -n +4 in/new/*) "$(find "$(on_server)" -type f \
			-name '*.feed*')"
		afresh
		fetch_quietly $proto -o add-header=received in
		fetch_quietly $proto -o add-header=delivered-to x
		assert_eq Received: "$(cut -d' ' -f1 in/new/* | head -n 1)"
		assert_eq Delivered-To: "$(cut -d' ' -f1 x/new/* | head -n 1)"
		rm -rf in x
	done
}

# --- secrets -------------------------------------------------------------------

# STATUS [ARGUMENT]...: fetches by both protocols without a password command.
by_secret() {
	local want=$1 proto
	shift
	for proto in pop3 imap; do
		rm -rf in "$XDG_STATE_HOME"
		expect "$want" env -u TERM setsid -w "$FETCHD" "$@" \
			"$(url $proto)" in
	done
}

@test "password-file: its first line, if nobody else can read it" {
	feed "$U" INBOX 1 300
	printf 'pw\r\nsecond line\n' >pass
	chmod 600 pass
	by_secret 0 -o password-file=pass
	printf pw >pass
	by_secret 0 -o "password-file=$PWD/pass"
	for mode in 640 604 620 660; do
		chmod $mode pass
		by_secret 78 -o password-file=pass
		assert_contains "$stderr" "chmod 600"
	done
	by_secret 78 -o password-file=missing
	assert_contains "$stderr" "$PWD/missing: No such file"
	echo wrong >pass
	chmod 600 pass
	by_secret 77 -o password-file=pass
}

@test "credential: from systemd's directory" {
	mkdir credentials
	echo pw >credentials/mail
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	by_secret 0 -o credential=mail
	by_secret 78 -o credential=other
	unset CREDENTIALS_DIRECTORY
	by_secret 78 -o credential=mail
	assert_contains "$stderr" LoadCredential=
}

@test "~/.netrc: by host and user, if nobody else can read it" {
	printf 'machine elsewhere login %s password no\nmachine 127.0.0.1 login other password no\nmachine 127.0.0.1 login %s password "pw"\n' \
		"$U" "$U" >"$HOME/.netrc"
	chmod 600 "$HOME/.netrc"
	by_secret 0
	chmod 644 "$HOME/.netrc"
	by_secret 78
	assert_contains "$stderr" "chmod 600"
	rm "$HOME/.netrc"
	by_secret 77
	assert_contains "$stderr" "no password for $U at 127.0.0.1"
	assert_contains "$stderr" "password-command"
}

@test "the first that is set counts: a command before a file before .netrc" {
	echo 'default password wrong' >"$HOME/.netrc"
	printf pw >pass
	chmod 600 pass "$HOME/.netrc"
	by_secret 0 -o password-file=pass
	by_secret 77 -o password-file=pass -o 'password-command=echo wrong'
}

@test "user and address: who logs in" {
	feed "$U" INBOX 1 300
	feed "$U@example.org" INBOX 2 300
	printf '%s\n' 'account a' "address Ada <$U@example.org>" \
		"imap imap+plain://127.0.0.1:$IMAP_PORT" \
		'password-command printf pw' 'fetch a' 'from imap' \
		"deliver maildir $PWD/in" | config
	fetch_with 0
	assert_eq 2 "$(maildir_count in)"
	rm -rf in "$XDG_STATE_HOME"
	fetch_with 0 -o "user=$U"
	assert_eq 1 "$(maildir_count in)"
}

# --- TLS ---------------------------------------------------------------------

@test "tls-ca, and without it: refused, with the pin to paste" {
	local pin
	feed "$U" INBOX 1 300
	for proto in pop3s imaps pop3t imapt; do
		expect 77 "$FETCHD" -o 'password-command=printf pw' \
			"$(url $proto)" in
		for part in subject issuer spki-sha256: localhost; do
			assert_contains "${stderr,,}" "$part"
		done
		pin=$(grep -o 'spki-sha256:[A-Za-z0-9+/=]*' <<<"$stderr" |
			head -n 1)
		assert_eq "spki-sha256:$(<"$CERTS/server.spki")" "$pin"
		expect 0 "$FETCHD" -o 'password-command=printf pw' \
			-o "tls-fingerprint=$pin" "$(url $proto)" in
		fetch_quietly $proto -o "tls-ca=$CA" in
		mkdir -p ca
		cp "$CA" ca/"$(openssl x509 -in "$CA" -noout -hash).0"
		fetch_quietly $proto -o "tls-ca=$PWD/ca" in
		fetch 77 $proto -o "tls-ca=$CERTS/otherca.pem" in
	done
	same_mail in
}

@test "tls-fingerprint: of either kind replaces the check, several may stand" {
	local hex
	CERT=selfsigned start_dovecot
	feed "$U" INBOX 1 300
	hex=$(<"$CERTS/selfsigned.sha256")
	for proto in pop3s imaps; do
		fetch 77 $proto in
		while read -r pins; do
			fetch_quietly $proto -o "tls-fingerprint=$pins" in
		done <<-END
			spki-sha256:$(<"$CERTS/selfsigned.spki")
			sha256:$hex
			sha256:$(sed 's/../&:/g; s/:$//' <<<"${hex^^}")
			sha256:$(<"$CERTS/server.sha256") sha256:$hex
		END
		fetch 77 $proto \
			-o "tls-fingerprint=sha256:$(<"$CERTS/server.sha256")" in
		fetch 77 $proto \
			-o "tls-fingerprint=spki-sha256:$(<"$CERTS/server.spki")" in
	done
	same_mail in
}

@test "tls-certificate and tls-key: together, or both in one file" {
	cat "$CERTS/client.pem" "$CERTS/client.key" >both.pem
	for proto in pop3s imaps; do
		: >"$LOG"
		fetch_quietly $proto -o auth=external -o user=u \
			-o "tls-certificate=$CERTS/client.pem" \
			-o "tls-key=$CERTS/client.key" in
		fetch_quietly $proto -o auth=external -o user=u \
			-o "tls-certificate=$PWD/both.pem" in
		assert_eq 2 "$(grep -c 'Login: user=<u>, method=EXTERNAL' "$LOG")"
		fetch 78 $proto -o tls-certificate=missing.pem in
	done
}

@test "tls-min: 1.3 is what the server must have" {
	feed "$U" INBOX 1 300
	for proto in pop3s imaps; do
		fetch 0 $proto -v -o tls-min=1.3 in
		assert_contains "$stderr" "TLS 1.3"
	done
	printf '%s\n' 'tls-max 1.2' tls-pre expect-tls-fail | peer_script s.peer
	peer_start s.peer -c "$CERTS/server.pem" -k "$CERTS/server.key"
	expect 77 "$FETCHD" -o 'password-command=printf pw' \
		-o "tls-ca=$CA" -o tls-min=1.3 \
		"imaps://$U@localhost:$PEER_PORT" in
	peer_wait
	printf '%s\n' 'tls-max 1.2' tls-pre 'S: * BYE no' eof |
		peer_script s.peer
	peer_start s.peer -c "$CERTS/server.pem" -k "$CERTS/server.key"
	expect 75 "$FETCHD" -o 'password-command=printf pw' \
		-o "tls-ca=$CA" -o tls-min=1.2 -v \
		"imaps://$U@localhost:$PEER_PORT" in
	assert_contains "$stderr" "TLS 1.2"
}

# --- the network ---------------------------------------------------------------

@test "tunnel: a command that speaks the protocol, with and without a login" {
	local relay
	feed "$U" INBOX 2 300
	relay='exec 3<>/dev/tcp/127.0.0.1/PORT; cat <&3 & cat >&3; kill $! 2>/dev/null'
	for proto in pop3 imap; do
		p=${proto^^}_PORT
		cat >tunnel <<-END
			#!$BASH
			echo \$\$ >'$PWD/pid'
			${relay/PORT/${!p}}
		END
		chmod +x tunnel
		# The host is only a name, then, and TLS is not needed.
		expect 0 "$FETCHD" -o 'password-command=printf pw' \
			-o "tunnel=$PWD/tunnel" \
			"${proto}s://$U@mail.invalid" in
		assert_eq "" "$stderr"
		same_mail in
		await gone "$(<pid)"
		rm -rf in
	done
	fetch 75 imap -o 'tunnel=false' in
	fetch 78 imap -o 'tunnel=no-such-command' in
}

@test "tunnel: no server need be named" {
	feed "$U" INBOX 2 300
	cat >tunnel <<-END
		#!$BASH
		exec 3<>/dev/tcp/127.0.0.1/$IMAP_PORT
		cat <&3 & cat >&3; kill \$! 2>/dev/null
	END
	chmod +x tunnel
	config <<-END
		account home
		    user $U
		    tunnel $PWD/tunnel
		fetch home
		    from imap
		    deliver maildir $PWD/in
	END
	fetch_with 77
	assert_contains "$stderr" "$U at home"
	# Such an account's host is its name.
	echo "machine home login $U password pw" >"$HOME/.netrc"
	chmod 600 "$HOME/.netrc"
	fetch_with 0
	same_mail in
}

@test "tunnel: PREAUTH is taken, by it alone" {
	local doveadm="doveadm -c $SERVER/dovecot.conf exec imap"
	[ "$(id -u)" -ne 0 ] || doveadm="setpriv --reuid=nobody \
		--regid=$(id -gn nobody) --clear-groups $doveadm"
	feed "$U" INBOX 2 300
	cat >tunnel <<-END
		#!$BASH
		export USER=$U HOME=$MAILROOT/$U
		exec ${doveadm//[$'\n\t\\']/}
	END
	chmod +x tunnel
	expect 0 "$FETCHD" -v -o 'password-command=false' -o keep=never \
		-o "tunnel=$PWD/tunnel" "imaps://$U@mail.invalid" in
	assert_contains "$stderr" "as $U (none)"
	assert_eq 2 "$(maildir_count in)"
	server_has 0
	# Where STARTTLS was wanted, it is an attack.
	printf '%s\n' 'S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in' eof |
		peer_script s.peer
	peer_start s.peer
	fetch 77 imapt -o "imap=imap://$U@localhost:$PEER_PORT" in
	peer_wait
}

# A SOCKS5 server of a few lines, for one connection after the other. Writes
# its port to the file "port", and what it was asked for to "asked".
socks5() {
	perl -MIO::Socket::INET -MIO::Select -e '
		my ($user, $to) = @ARGV;
		sub get {
			my ($s, $n) = @_;
			my $b = "";
			while (length($b) < $n) {
				$s->sysread($b, $n - length($b), length($b)) or exit 1;
			}
			return $b;
		}
		my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		    Listen => 5) or die;
		open(my $p, ">", "port.new"); print $p $l->sockport; close $p;
		rename("port.new", "port");
		while (my $c = $l->accept) {
			my (undef, $n) = unpack("CC", get($c, 2));
			my $methods = get($c, $n);
			if ($user eq "") {
				$c->syswrite("\5\0");
			} else {
				$c->syswrite("\5\2");
				(undef, $n) = unpack("CC", get($c, 2));
				my $u = get($c, $n);
				my $pw = get($c, unpack("C", get($c, 1)));
				$c->syswrite("\1" . ("$u:$pw" eq $user ? "\0" : "\1"));
				next if "$u:$pw" ne $user;
			}
			my (undef, undef, undef, $type) = unpack("C4", get($c, 4));
			my $host = $type == 3 ? get($c, unpack("C", get($c, 1)))
			    : join(".", unpack("C4", get($c, 4)));
			my $port = unpack("n", get($c, 2));
			open(my $a, ">>", "asked");
			print $a "$type $host $port\n"; close $a;
			my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
			    PeerPort => $port);
			$c->syswrite("\5" . ($s ? "\0" : "\5") . "\0\1\0\0\0\0\0\0");
			next unless $s;
			my $sel = IO::Select->new($c, $s);
			RELAY: while (my @r = $sel->can_read(20)) {
				for (@r) {
					$_->sysread(my $b, 65536) or last RELAY;
					($_ == $c ? $s : $c)->syswrite($b);
				}
			}
		}' "${1-}" 3>&- &
	SOCKS=$!
	await test -e port
}

@test "proxy: SOCKS5, which also looks the name up; with a password, too" {
	local by
	feed "$U" INBOX 2 300
	socks5
	by=socks5://127.0.0.1:$(<port)
	for proto in pop3s imaps pop3t imapt; do
		fetch_quietly $proto -o "proxy=$by" in
		same_mail in
		rm -rf in
	done
	assert_contains "$(<asked)" "3 localhost $POP3S_PORT"
	# Who knows where it leads: that is no loopback.
	for proto in pop3 imap; do
		fetch 77 $proto -o "proxy=$by" in
		assert_contains "$stderr" "not loopback"
	done
	# What the proxy cannot reach.
	expect 75 "$FETCHD" -o "proxy=$by" "imaps://$U@localhost:1" in
	assert_contains "$stderr" "proxy ${by#socks5://}: "
	kill "$SOCKS"
	await gone "$SOCKS"
	fetch 75 imaps -o "proxy=$by" in
	assert_contains "$stderr" "${by#socks5://}"
	rm port
	afresh
	socks5 ada:lovelace
	fetch_quietly imapt -o "proxy=socks5://ada:lovelace@127.0.0.1:$(<port)" in
	same_mail in
	fetch 78 imaps -vv -o "proxy=socks5://ada:wr0ng@127.0.0.1:$(<port)" in
	[[ $stderr != *wr0ng* ]]
	kill "$SOCKS"
}

@test "source-address: where the connection comes from" {
	fetch_quietly imap -o source-address=127.0.0.7 in
	grep "user=<$U>" "$LOG" | grep -q 'rip=127.0.0.7'
	fetch 75 imap -o source-address=192.0.2.1 in
	assert_contains "$stderr" "192.0.2.1"
}

@test "timeout: so long without progress, and no longer" {
	for proto in pop3 imap; do
		for script in listen-only $'S: * OK\nlisten-only' \
			$'S: +OK\nlisten-only'; do
			peer_script s.peer <<<"$script"
			peer_start s.peer
			began=$SECONDS
			run ! "$FETCHD" -q -o 'password-command=printf pw' \
				-o timeout=1s \
				"$proto+plain://u@127.0.0.1:$PEER_PORT" in
			[ $((SECONDS - began)) -lt 5 ]
			[ "$status" -eq 75 ] || [ "$status" -eq 76 ]
			peer_ends 0
		done
	done
	# Slow is not stalled.
	printf '%s\n' 'S: * OK' 'C: *' 'S: * OK' 'sleep 700' 'S: * OK' \
		'sleep 700' 'S: * OK' 'sleep 700' 'S: * BYE enough' eof |
		peer_script s.peer
	peer_start s.peer
	expect 75 "$FETCHD" -o 'password-command=printf pw' -o timeout=1s \
		"imap+plain://u@127.0.0.1:$PEER_PORT" in
	assert_contains "$stderr" "enough"
}

@test "compress: yes, no, and auto, which is no on loopback" {
	feed "$U" INBOX 20 20000
	for how in yes no auto; do
		fetch 0 imap -vv -o "compress=$how" in
		case $how in
		yes)	assert_contains "$stderr" "> A2 COMPRESS DEFLATE" ;;
		*)	[[ $stderr != *"COMPRESS DEFLATE"$'\n'* ]] ;;
		esac
		same_mail in
		afresh
	done
	fetch_quietly imaps -o compress=yes in
	same_mail in
}

@test "poll: how often -w looks where the server cannot tell" {
	"$FETCHD" -w -o 'password-command=printf pw' -o poll=1s "$(url pop3)" \
		in 2>log &
	await test -d in/new
	for n in 1 2; do
		feed "$U" INBOX 1 300
		await eval "[ \$(maildir_count in) -eq $n ]"
	done
	kill -TERM $!
	wait $!
	assert_eq "" "$(<log)"
}

# --- the command line ----------------------------------------------------------

@test "-n lists what would be fetched, and touches nothing" {
	sizes 1000 2000
	for proto in pop3 imap; do
		fetch 0 $proto -n -o keep=never in
		assert_eq "" "$stderr"
		assert_eq 2 "$(wc -l <<<"$output")" lines
		assert_eq "127.0.0.1|INBOX|1022" "$(head -n 1 <<<"$output" |
			tr '\t' '|' | cut -d'|' -f1,2,4 | sed 's/102[0-9]/1022/')"
		[ ! -e in ]
		server_has 2
		fetch 0 $proto --dry-run -o 'limit=messages 1' in
		assert_eq 1 "$(wc -l <<<"$output")"
		fetch_quietly $proto in
		fetch 0 $proto -n in
		assert_eq "" "$output"
		rm -rf in
	done
	afresh
	"$FETCHD" -n -0 -o 'password-command=printf pw' "$(url imap)" in |
		tr '\0' '\n' >list
	assert_eq 2 "$(wc -l <list)"
	assert_contains "$(<list)" $'127.0.0.1\tINBOX\t2\t'
}

@test "-p prints each path once it is in place; -0 ends it with NUL" {
	feed "$U" INBOX 3 300
	for proto in pop3 imap; do
		fetch 0 $proto -p in
		assert_eq "$(find "$PWD/in/new" -type f | sort)" \
			"$(sort <<<"$output")"
		afresh
		"$FETCHD" -p0 -o 'password-command=printf pw' "$(url $proto)" \
			in >list
		assert_eq "$(find "$PWD/in/new" -type f | sort)" \
			"$(tr '\0' '\n' <list | sort)"
		assert_eq 3 "$(tr -cd '\0' <list | wc -c)"
		rm -rf in
	done
	# To two places, each is told; to nobody who listens, that is an error.
	fetch 0 imap -p -o "deliver=maildir $PWD/a" -o "deliver=maildir $PWD/b"
	assert_eq "$(find "$PWD"/[ab]/new -type f | sort)" "$(sort <<<"$output")"
	if [ -c /dev/full ]; then
		run bash -c '"$@" >/dev/full' _ "$FETCHD" -p \
			-o 'password-command=printf pw' "$(url imap)" c
		assert_status 74
	fi
}

@test "-q: errors only; none: reports, too; -v narrates; -vv shows the dialogue" {
	sizes 300 5000
	for proto in pop3 imap; do
		fetch_quietly $proto -q -o max-size=1k in
		rm -rf in "$XDG_STATE_HOME"
		fetch 0 $proto -o max-size=1k in
		assert_contains "$stderr" "max-size"
		rm -rf in "$XDG_STATE_HOME"
		fetch 0 $proto -v -o max-size=1k in
		for part in sandbox connected "logged in" "1 fetched, 1 skipped"; do
			assert_contains "$stderr" "$part"
		done
		[[ $stderr != *"> "* ]]
		rm -rf in "$XDG_STATE_HOME"
		fetch 0 $proto -vv -o max-size=1k in
		assert_contains "$stderr" "> "
		assert_contains "$stderr" "< "
		rm -rf in "$XDG_STATE_HOME"
	done
}

@test "-vv hides the secret in every form" {
	local forms
	for proto in pop3 imap; do
		for auth in plain login native scram-sha-256 cram-md5; do
			fetch 77 $proto -vv -o "auth=$auth" \
				-o 'password-command=printf s3cr3tpassword' in
			forms=$(printf '%s\n' s3cr3tpassword \
				"$(printf s3cr3tpassword | base64)" \
				"$(printf 'xs3cr3tpassword' | base64 | cut -c5-16)" \
				"$(printf 'xxs3cr3tpassword' | base64 | cut -c5-16)")
			refute grep -F -e "$forms" <<<"$stderr"
			assert_contains "$stderr" '***'
		done
	done
}

@test "--progress: on standard error, redrawn in its line" {
	feed "$U" INBOX 50 50000
	for proto in pop3 imap; do
		fetch 0 $proto --progress in
		assert_eq "" "$output"
		assert_contains "$stderr" $'\r'
		rm -rf in
	done
}

@test "a run while another is at it: says who, 75; --wait waits" {
	feed "$U" INBOX 2 300
	printf 'touch started; sleep 2; cat >>got\n' >slow
	for proto in pop3 imap; do
		"$FETCHD" -o 'password-command=printf pw' \
			-o "deliver=pipe sh $PWD/slow" -o 'limit=messages 1' \
			"$(url $proto)" 2>log &
		await test -e started
		fetch 75 $proto -o "deliver=pipe sh $PWD/slow"
		assert_contains "$stderr" "locked by process"
		pid=$(grep -o 'process [0-9]*' <<<"$stderr" | cut -d' ' -f2)
		pgrep -P $! | grep -qx "$pid"
		printf 'cat >>got\n' >slow
		fetch_quietly $proto --wait -o "deliver=pipe sh $PWD/slow"
		wait $!
		assert_eq "" "$(<log)"
		assert_eq 2 "$(grep -c ^Subject: got)"
		rm -f got started
		printf 'touch started; sleep 2; cat >>got\n' >slow
	done
}

@test "several accounts at once: one that fails holds up no other" {
	feed "$U" INBOX 3 300
	peer_script s.peer <<<'listen-only'
	peer_start s.peer
	{
		account a
		echo "deliver maildir $PWD/a"
		account b
		echo 'from imap'
		echo "deliver maildir $PWD/b"
		account refused
		echo 'password-command printf wrong'
		echo "deliver maildir $PWD/c"
		account down
		echo "pop3 pop3+plain://127.0.0.1:1"
		echo "deliver maildir $PWD/d"
		account stalled
		echo "pop3 pop3+plain://127.0.0.1:$PEER_PORT"
		echo "timeout 2s"
		echo "deliver maildir $PWD/e"
	} | config
	fetch_with 77
	same_mail a
	same_mail b
	assert_eq 3 "$(wc -l <<<"$stderr")" "lines: $stderr"
	for name in refused down stalled; do
		assert_contains "$stderr" "fetchd: $name: "
	done
	# The ones that are well do not wait for the stalled one.
	peer_stop
	peer_start s.peer
	rm -rf a b "$XDG_STATE_HOME"
	sed -i "/^account stalled/,\$ { s|pop3 .*|pop3 pop3+plain://127.0.0.1:$PEER_PORT|
		s/timeout 2s/timeout 60s/ }" config
	"$FETCHD" -c config a b stalled 2>log &
	await eval '[ "$(maildir_count a)" = 3 ] && [ "$(maildir_count b)" = 3 ]'
	kill -0 $!
	kill -TERM $!
	wait $!
	# The worst status, whatever the order.
	fetch_with 75 a b down
	fetch_with 0 a b
	fetch_with 77 down refused
	fetch_with 77 refused down
}
