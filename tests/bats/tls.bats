#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2016 # a test is a subshell; sh -c '...'
# shellcheck disable=SC2154 # bats sets stderr
# TLS: what is refused, that nothing secret goes out before it is, and that the
# message tells what to do.

bats_require_minimum_version 1.5.0
load helper
load peer
load securing
load fetching

SCHEMES='pop3s pop3t imaps imapt'

setup_file() {
	"$RIGS/certs" "$CERTS" >/dev/null
}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	CA=$CERTS/ca.pem
}

teardown() {
	securing_stop
}

# SCHEME PORT [HOST]: prints a URL.
at() {
	local name=imap
	[[ $1 != pop3* ]] || name=pop3
	[[ $1 != *s ]] || name+=s
	[[ $1 != *p ]] || name+=+plain
	echo "$name://u@${3:-localhost}:$2"
}

# STATUS SCHEME PORT [OPTION]...: fetches into in-SCHEME.
try() {
	local want=$1 scheme=$2 port=$3
	shift 3
	expect "$want" "$FETCHD" "${ASKED[@]}" -o "tls-ca=$CA" -o timeout=5s \
		"$@" "$(at "$scheme" "$port")" "in-$scheme"
}

# SCHEME: prints the steps up to where TLS begins.
opening() {
	case $1 in
	pop3t)	cat <<-'END' ;;
		S: +OK hello
		C: CAPA
		S: +OK
		S: STLS
		S: USER
		S: SASL PLAIN
		S: .
		C: STLS
		S: +OK begin
	END
	imapt)	cat <<-'END' ;;
		S: * OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] hello
		C: <t> STARTTLS
		S: <t> OK begin
	END
	esac
}

# --- certificates ---------------------------------------------------------------

# SCHEME: the port of Dovecot's.
port_of() {
	case $1 in
	pop3s)	echo "$POP3S_PORT" ;;
	pop3t)	echo "$POP3_PORT" ;;
	imaps)	echo "$IMAPS_PORT" ;;
	imapt)	echo "$IMAP_PORT" ;;
	esac
}

serve() {
	start_dovecot
	feed u INBOX 2 500
}

nothing_done() {
	[ ! -d "in-$1" ] || assert_eq 0 "$(maildir_count "in-$1")"
}

all_done() {
	assert_eq "$(maildir_digest "$MAILROOT/u")" "$(maildir_digest "in-$1")"
}

@test "a certificate of an unknown CA" {
	refuse_certificate unknown "issuer is not trusted" "tls-ca" \
		"issuer CN=another test CA"
}

@test "a certificate for another host" {
	refuse_certificate wronghost "not for localhost" "wronghost.example"
}

@test "an expired certificate" {
	refuse_certificate expired "expired on 20"
}

@test "a certificate that is not yet valid" {
	refuse_certificate notyet "not yet valid until 20" "clock right?"
}

@test "a certificate with the host as common name only" {
	refuse_certificate cnonly "only a common name" "subjectAltName"
}

@test "a self-signed certificate" {
	refuse_certificate selfsigned "self-signed" "tls-ca" \
		"subject CN=localhost; issuer CN=localhost"
}

@test "a good certificate: by name and address, CA as file and directory" {
	local scheme mode
	start_dovecot
	feed u INBOX 2 500
	mkdir cas
	cp "$CERTS/ca.pem" cas/1.pem
	echo "no certificate" >cas/README
	ASKED=(-o 'password-command=echo pw')
	for scheme in $SCHEMES; do
		for mode in "$CERTS/ca.pem localhost" "$PWD/cas 127.0.0.1"; do
			expect 0 "$FETCHD" "${ASKED[@]}" -o "tls-ca=${mode% *}" \
				"$(at "$scheme" "$(port_of "$scheme")" "${mode#* }")" in
			assert_eq "" "$stderr"
		done
		# Without tls-ca the system's CAs count, and they do not know ours.
		expect 77 "$FETCHD" "${ASKED[@]}" \
			"$(at "$scheme" "$(port_of "$scheme")")" in
		assert_contains "$stderr" "issuer is not trusted"
	done
	assert_eq 2 "$(maildir_count in)"
	for ca in no/such "$CERTS/server.key"; do
		try 78 imaps "$IMAPS_PORT" -o "tls-ca=$ca"
		assert_contains "$stderr" "tls-ca"
	done
}

# --- pins -----------------------------------------------------------------------

@test "pins: of the key and of the certificate, right and wrong, several" {
	try_pins
}

@test "a pin replaces the chain: the right CA does not help against a wrong one" {
	start_dovecot
	try 77 imaps "$IMAPS_PORT" \
		-o "tls-fingerprint=spki-sha256:$(<"$CERTS/unknown.spki")"
	refused "tls-fingerprint spki-sha256:$(<"$CERTS/server.spki")"
}

@test "a pin that is none is a mistake in the configuration" {
	for pin in sha256:12 "sha1:$(<"$CERTS/server.sha256")" "spki-sha256:AAAA" \
		"$(<"$CERTS/server.spki")"; do
		try 78 imaps 1 -o "tls-fingerprint=$pin"
		refused tls-fingerprint
	done
}

# --- client certificates ----------------------------------------------------------

@test "client certificates: login by them, without any password" {
	local scheme own
	own=(-o "tls-certificate=$CERTS/client.pem" -o "tls-key=$CERTS/client.key")
	CLIENTCERT=1 start_dovecot
	feed u INBOX 1 500
	for scheme in $SCHEMES; do
		port=$(port_of "$scheme")
		try 0 "$scheme" "$port" "${own[@]}" -o auth=external
		refused
		assert_eq "" "$stderr"
		assert_eq 1 "$(maildir_count "in-$scheme")"
	done
}

@test "client certificates: none where one is wanted, or one nobody signed" {
	local scheme
	CLIENTCERT=1 start_dovecot
	for scheme in $SCHEMES; do
		port=$(port_of "$scheme")
		try 77 "$scheme" "$port" -o auth=external
		refused "EXTERNAL for want of a client certificate" tls-certificate
		try 77 "$scheme" "$port" -o auth=external \
			-o "tls-certificate=$CERTS/unknown.pem" \
			-o "tls-key=$CERTS/unknown.key"
		refused
	done
}

@test "client certificates: files that are missing, or do not belong together" {
	try 78 imaps 1 -o "tls-certificate=$CERTS/client.pem" \
		-o "tls-key=$CERTS/server.key"
	refused "tls-key" "$CERTS/server.key"
	try 78 imaps 1 -o tls-certificate=nowhere.pem -o "tls-key=$CERTS/client.key"
	refused "nowhere.pem"
	try 78 imaps 1 -o "tls-key=$CERTS/client.key"
	refused "tls-certificate"
	cat "$CERTS/client.pem" "$CERTS/client.key" >both.pem
	CLIENTCERT=1 start_dovecot
	try 0 imaps "$IMAPS_PORT" -o tls-certificate=both.pem -o auth=external
}

# --- somebody on the way ------------------------------------------------------------

@test "STARTTLS that is not offered" {
	play <<-'END'
		S: +OK hello
		C: CAPA
		S: +OK
		S: USER
		S: SASL PLAIN
		S: .
		eof
	END
	try 77 pop3t "$PEER_PORT"
	refused_by_peer "does not offer STLS" "pop3s://"

	play <<-'END'
		S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
		C: <t> CAPABILITY
		S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
		S: <t> OK
		eof
	END
	try 77 imapt "$PEER_PORT"
	refused_by_peer "does not offer STARTTLS" "imaps://"
}

@test "STARTTLS that is offered, and then refused" {
	local no
	for no in "-ERR TLS is broken" "-ERR unknown command"; do
		play <<-END
			S: +OK hello
			C: CAPA
			S: +OK
			S: STLS
			S: USER
			S: .
			C: STLS
			S: $no
			eof
		END
		try 77 pop3t "$PEER_PORT"
		refused_by_peer "${no#-ERR }" "pop3s://"
	done
	# No CAPA at all: STLS is tried, and nothing else.
	play <<-'END'
		S: +OK hello
		C: CAPA
		S: -ERR what
		C: STLS
		S: -ERR what
		eof
	END
	try 77 pop3t "$PEER_PORT"
	refused_by_peer "pop3s://"

	for no in "NO TLS is broken" "BAD unknown command"; do
		play <<-END
			S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hello
			C: <t> STARTTLS
			S: <t> $no
			eof
		END
		try 77 imapt "$PEER_PORT"
		refused_by_peer "${no#* }" "STARTTLS"
	done
}

@test "bytes behind the answer to STARTTLS" {
	play <<-'END'
		S: +OK hello
		C: CAPA
		S: +OK
		S: STLS
		S: .
		C: STLS
		S- +OK begin\r\n+OK\r\nUSER\r\n.\r\n
		expect-tls-fail
	END
	try 77 pop3t "$PEER_PORT"
	refused_by_peer "behind the reply to STLS"

	play <<-'END'
		S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
		C: <t> STARTTLS
		S- <t> OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n
		expect-tls-fail
	END
	try 77 imapt "$PEER_PORT"
	refused_by_peer "behind the reply to STARTTLS" "imaps://"
}

@test "what was said before TLS counts for nothing" {
	play -c "$CERTS/server.pem" <<-'END'
		S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN SASL-IR] hello
		C: <t> STARTTLS
		S: <t> OK begin
		tls
		C: <*t> CAPABILITY
		S: * CAPABILITY IMAP4rev1 LOGINDISABLED
		S: <t> OK
		eof
	END
	try 77 imapt "$PEER_PORT"
	refused_by_peer "log in"
}

@test "PREAUTH where TLS is required" {
	play <<-'END'
		S: * PREAUTH [CAPABILITY IMAP4rev1] welcome
		eof
	END
	try 77 imapt "$PEER_PORT"
	refused_by_peer "PREAUTH" "imaps://"
	play <<-'END'
		S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome
		eof
	END
	try 77 imapt "$PEER_PORT"
	refused_by_peer "PREAUTH"
}

@test "plain text where TLS is expected" {
	play <<-'END'
		S: +OK hello
		stall
	END
	try 77 pop3s "$PEER_PORT"
	refused_by_peer "does not speak TLS on this port" "pop3://"
	play <<-'END'
		S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
		stall
	END
	try 77 imaps "$PEER_PORT"
	refused_by_peer "does not speak TLS on this port" "imap://"
	start_dovecot
	try 77 pop3s "$POP3_PORT"
	refused "does not speak TLS"
	try 77 imaps "$IMAP_PORT"
	refused "does not speak TLS"
}

@test "TLS that is too old: for us, or for tls-min 1.3" {
	local scheme
	for scheme in $SCHEMES; do
		play -c "$CERTS/server.pem" < <(opening "$scheme"
			echo tls-max 1.1
			echo expect-tls-fail)
		try 77 "$scheme" "$PEER_PORT"
		refused_by_peer "no version of TLS that we accept"

		play -c "$CERTS/server.pem" < <(opening "$scheme"
			echo tls-max 1.2
			echo expect-tls-fail)
		try 77 "$scheme" "$PEER_PORT" -o tls-min=1.3
		refused_by_peer "no version of TLS that we accept" tls-min
	done
	EXTRA='ssl_min_protocol = TLSv1.2
		ssl_cipher_list = ECDHE+AESGCM' start_dovecot
	feed u INBOX 1 500
	ASKED=(-o 'password-command=echo pw')
	for scheme in $SCHEMES; do
		try 0 "$scheme" "$(port_of "$scheme")" -o tls-min=1.3
		assert_eq 1 "$(maildir_count "in-$scheme")"
	done
}

# --- the network alone ---------------------------------------------------------------

@test "failures of the network are no refusals: exit 75, and nothing was sent" {
	local scheme
	for scheme in $SCHEMES; do
		# Nobody there.
		try 75 "$scheme" 1
		refused "localhost:1"
		# Gone instead of STARTTLS, and in the middle of the handshake.
		case $scheme in
		*t)
			play < <(opening "$scheme" | sed '/^C.*\(STLS\|STARTTLS\)/q'
				echo close)
			try 75 "$scheme" "$PEER_PORT"
			refused_by_peer
			;;
		esac
		play < <(opening "$scheme"
			echo 'C-bytes 20'
			echo close)
		try 75 "$scheme" "$PEER_PORT"
		refused_by_peer
		# Silent for ever.
		[[ $scheme == pop3t || $scheme == imaps ]] || continue
		play < <(opening "$scheme"
			echo listen-only)
		try 75 "$scheme" "$PEER_PORT" -o timeout=1s
		refused_by_peer "1 s"
	done
}

# --- no TLS at all ---------------------------------------------------------------------

@test "without TLS, only loopback is told a password" {
	local scheme
	need_elsewhere
	for scheme in pop3p imapp; do
		# To the address the peer's own words would be lost: it would wait
		# for a login that never comes.
		if [ $scheme = pop3p ]; then
			echo 'S: +OK hello'
		else
			echo 'S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello'
		fi >silent.peer
		echo eof >>silent.peer
		elsewhere silent.peer "$FETCHD" "${ASKED[@]}" \
			"$(at $scheme 4001 10.9.9.9)" in
		assert_status 77
		refused "10.9.9.9:4001: not loopback" "s://"
	done
	# With TLS the same address is good.
	cat >full.peer <<-END
		$(opening imapt)
		cert $CERTS/unknown.pem
		tls
		secrets-ok
		C: <*t> CAPABILITY
		S: * CAPABILITY IMAP4rev1
		S: <t> OK
		C: <*t> LOGIN *u* *$SECRET*
		S: <t> OK [CAPABILITY IMAP4rev1] in
		C: <*t> SELECT *INBOX*
		S: * 0 EXISTS
		S: * OK [UIDVALIDITY 1]
		S: <t> OK
		C: <*t> UID FETCH *
		S: <t> OK
		C: <*t> LOGOUT
		eof
	END
	elsewhere full.peer "$FETCHD" "${ASKED[@]}" \
		-o "tls-fingerprint=spki-sha256:$(<"$CERTS/unknown.spki")" \
		"$(at imapt 4001 10.9.9.9)" in
	assert_status 0
	[ -e asked ]
}

@test "a proxy on loopback makes no server loopback" {
	local scheme
	for scheme in pop3p imapp; do
		play <<-'END'
			C-bytes 3
			S- \x05\x00
			C-bytes 23
			S- \x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00
			eof
		END
		expect 77 "$FETCHD" "${ASKED[@]}" \
			-o "proxy=socks5://127.0.0.1:$PEER_PORT" \
			"$(at $scheme 4001 mail.example.net)" in
		refused_by_peer "not loopback"
	done
}
