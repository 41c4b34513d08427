#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2030,SC2031 # sh -c '...'; a test is a subshell
# Logging in: each mechanism against a server that did not learn it from us;
# those with channel binding, which no packaged server has for both protocols,
# against the scripted one, which has OpenSSL do its own arithmetic.

bats_require_minimum_version 1.5.0
load helper
load fetching
load peer

setup_file() {
	OAUTH=1 CLIENTCERT=1 start_dovecot
}

teardown() {
	peer_stop
}

# MECH STATUS PROTO [ARGUMENT]...: fetches verbosely; it used MECH.
logs_in() {
	local mech=$1
	shift
	fetch "$@" -v in
	assert_contains "$stderr" "as $U ($mech)"
}

@test "each mechanism for passwords, pinned" {
	feed "$U" INBOX 1 300
	for proto in pop3s imaps pop3t imapt pop3 imap; do
		while read -r auth name; do
			logs_in "$name" 0 $proto -o "auth=$auth"
		done <<-'END'
			scram-sha-256 SCRAM-SHA-256
			scram-sha-1 SCRAM-SHA-1
			cram-md5 CRAM-MD5
			plain PLAIN
			login LOGIN
		END
		fetch 0 $proto -o auth=native -vv in
		# By the protocol's own words.
		case $proto in
		pop3*)	assert_contains "$stderr" '> USER' ;;
		imap*)	grep -q '> A[0-9]* LOGIN \*\*\*' <<<"$stderr" ;;
		esac
	done
	same_mail in
	# The server agrees on what was used.
	for m in SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN; do
		grep -q "Login: user=<$U>, method=$m," "$LOG" ||
			fail "the server saw no $m"
	done
}

@test "left to itself it takes the strongest" {
	for proto in pop3s imaps; do
		logs_in SCRAM-SHA-256 0 $proto
	done
}

@test "a mechanism that is pinned and not offered" {
	for proto in pop3s imaps; do
		fetch 77 $proto -o auth=scram-sha-256-plus in
		assert_contains "$stderr" SCRAM-SHA-256-PLUS
	done
}

@test "a wrong password is 77, whatever the mechanism, and is not told" {
	# Dovecot takes its time to refuse.
	for proto in pop3s imaps; do
		for auth in auto cram-md5 plain native; do
			fetch 77 $proto -o 'password-command=printf wr0ngsecret' \
				-o "auth=$auth" -vv in
			refute grep -qF -e wr0ngsecret \
				-e "$(printf wr0ngsecret | base64)" \
				-e "$(printf '\0%s\0wr0ngsecret' "$U" |
					base64 -w 0)" \
				<<<"$stderr" || fail "$proto $auth: $stderr"
		done
	done
	assert_eq 0 "$(maildir_count in)"
}

@test "a password-command that fails is 75; an empty one 77; nothing is sent" {
	for proto in pop3s imaps; do
		fetch 75 $proto -o 'password-command=sh -c "exit 3"' in
		assert_contains "$stderr" "exited with 3"
		fetch 77 $proto -o 'password-command=true' in
		assert_contains "$stderr" "empty"
	done
	refute grep -q "user=<$U>" "$LOG"
}

@test "EXTERNAL: the client's certificate, no password" {
	feed u INBOX 2 300
	for proto in pop3s imaps pop3t imapt; do
		expect 0 "$FETCHD" -v -o "tls-ca=$CA" -o auth=external \
			-o "tls-certificate=$CERTS/client.pem" \
			-o "tls-key=$CERTS/client.key" \
			-o 'password-command=false' "$(url $proto u)" in
		assert_contains "$stderr" "as u (EXTERNAL)"
	done
	assert_eq 2 "$(maildir_count in)"
	# Without one, the server offers it all the same; it fails.
	fetch 77 imaps -o auth=external in
}

@test "bearer tokens: OAUTHBEARER and XOAUTH2" {
	local token
	token=$("$RIGS/dovecot" token "$SERVER" "$U")
	echo "$token" >token
	for proto in pop3s imaps pop3t imapt; do
		for mech in OAUTHBEARER XOAUTH2; do
			logs_in $mech 0 $proto -o auth=${mech,,} \
				-o "token-command=cat $PWD/token"
		done
		# Preferred to a password, in this order.
		logs_in OAUTHBEARER 0 $proto \
			-o "token-command=cat $PWD/token" -o password-command=false
		fetch 0 $proto -vv -o "token-command=cat $PWD/token" in
		[[ $stderr != *"$token"* ]]
	done
}

@test "a token that has expired: the command is run once more, no oftener" {
	local token
	token=$("$RIGS/dovecot" token "$SERVER" "$U")
	echo "$token" >token
	while read -r proto auth; do
		rm -f runs
		fetch_quietly "$proto" -o "auth=$auth" -o "token-command=echo x >>$PWD/runs; [ \$(wc -l <$PWD/runs) -eq 1 ] && echo stale || cat $PWD/token" in
		assert_eq 2 "$(wc -l <runs)" "runs ($proto $auth)"
		rm runs
		fetch 77 "$proto" -o "auth=$auth" \
			-o "token-command=echo x >>$PWD/runs; echo stale" in
		assert_eq 2 "$(wc -l <runs)" "runs ($proto $auth)"
		assert_eq 1 "$(wc -l <<<"$stderr")" "lines: $stderr"
	done <<-'END'
		pop3s xoauth2
		imaps oauthbearer
	END
	# Of a password, there is only one.
	rm runs
	fetch 77 imaps -o "password-command=echo x >>$PWD/runs; echo wrong" in
	assert_eq 1 "$(wc -l <runs)" runs
}

# --- what only the scripted server does ---------------------------------------

# PROTO MECHS: the greeting of a server with these mechanisms.
greet() {
	local m mechs=
	case $1 in
	pop3)
		printf '%s\n' 'S: +OK' 'C: CAPA' 'S: +OK' "S: SASL $2" \
			'S: UIDL' 'S: TOP' 'S: .'
		;;
	imap)
		for m in $2; do mechs+=" AUTH=$m"; done
		echo "S: * OK [CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED$mechs]"
		;;
	esac
}

# PROTO MECH: the client begins with it. Its first message is <ir>.
begin() {
	case $1 in
	pop3)	echo "C: AUTH $2 <ir>" ;;
	imap)	echo "C: <t> AUTHENTICATE $2 <ir>" ;;
	esac
}

# PROTO: it is in, and finds no mail.
finish() {
	case $1 in
	pop3)
		printf '%s\n' 'S: +OK' 'C: CAPA' 'S: +OK' 'S: UIDL' 'S: .' \
			'C: UIDL' 'S: +OK' 'S: .' 'C: LIST' 'S: +OK' 'S: .' \
			'C: QUIT' 'S: +OK'
		;;
	imap)
		printf '%s\n' 'S: <t> OK [CAPABILITY IMAP4rev1]' \
			'C: <*s> SELECT *' 'S: * 0 EXISTS' \
			'S: * OK [UIDVALIDITY 1]' 'S: <s> OK' \
			'C: <*l> UID FETCH *' 'S: <l> OK' \
			'C: <*o> LOGOUT' 'S: * BYE' 'S: <o> OK'
		;;
	esac
}

# PROTO refuses the login.
refuse() {
	case $1 in
	pop3)	echo 'S: -ERR [AUTH] no' ;;
	imap)	echo 'S: <t> NO [AUTHENTICATIONFAILED] no' ;;
	esac
}

# STATUS PROTO [ARGUMENT]...: fetches from the peer, whose script is on
# standard input, over TLS.
play() {
	local want=$1 proto=$2
	shift 2
	peer_script s.peer
	peer_start s.peer -c "$CERTS/server.pem" -k "$CERTS/server.key" \
		-x sesame-sesame
	expect "$want" "$FETCHD" -v -o "tls-ca=$CA" \
		-o 'password-command=printf sesame-sesame' "$@" \
		"${proto}s://ada@localhost:$PEER_PORT" in
}

@test "-PLUS: bound to the connection, by tls-exporter and tls-server-end-point" {
	for proto in pop3 imap; do
		for hash in SHA-256 SHA-1; do
			for tls in 1.3 1.2; do
				play 0 $proto < <(
					echo "tls-max $tls"
					echo tls-pre
					greet $proto "SCRAM-$hash-PLUS SCRAM-$hash PLAIN"
					begin $proto SCRAM-$hash-PLUS
					echo "scram $hash ada sesame-sesame plus ir=<ir>"
					finish $proto
				)
				peer_wait
				assert_contains "$stderr" "TLS $tls"
				assert_contains "$stderr" "(SCRAM-$hash-PLUS)"
			done
		done
	done
}

@test "-PLUS of a weaker hash comes before a stronger one without" {
	for proto in pop3 imap; do
		play 0 $proto < <(
			echo tls-pre
			greet $proto "SCRAM-SHA-256 SCRAM-SHA-1-PLUS PLAIN"
			begin $proto SCRAM-SHA-1-PLUS
			echo "scram SHA-1 ada sesame-sesame plus ir=<ir>"
			finish $proto
		)
		peer_wait
	done
}

@test "a server that does not know the password is found out" {
	for proto in pop3 imap; do
		for plus in -PLUS ''; do
			play 77 $proto < <(
				echo tls-pre
				greet $proto "SCRAM-SHA-256$plus"
				begin $proto "SCRAM-SHA-256$plus"
				echo "scram SHA-256 ada sesame-sesame ${plus:+plus} ir=<ir> bad-signature" |
					sed 's/  / /'
				echo 'C? \*'
				printf '\t'
				refuse $proto
			)
			peer_wait
			assert_contains "$stderr" "signature"
		done
	done
}

@test "CRAM-MD5 is never chosen, even when there is nothing else" {
	play 77 imap < <(
		echo tls-pre
		greet imap CRAM-MD5
		printf '%s\n' 'C: <t> CAPABILITY' \
			'S: * CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=CRAM-MD5' \
			'S: <t> OK' eof
	)
	peer_wait
	assert_contains "$stderr" "CRAM-MD5"
	play 77 pop3 < <(
		echo tls-pre
		greet pop3 CRAM-MD5
		echo eof
	)
	peer_wait
	assert_contains "$stderr" "CRAM-MD5"
}
