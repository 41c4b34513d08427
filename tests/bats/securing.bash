# shellcheck shell=bash
# What the tests of TLS share, whatever the protocol: `load helper`, `load peer`,
# then `load securing`. The scripted peer sees all that a client says, inside TLS
# too, and looks for the password in it; a real server stands behind a
# recording proxy. The password comes from a command that leaves a mark when it
# is run: what was never asked for cannot have been sent.

SECRET=s3cret-word
ASKED=(--set
	"password-command=echo >>${BATS_TEST_TMPDIR-}/asked; echo $SECRET")
RECORDER=

# For teardown.
securing_stop() {
	peer_stop
	[ -z "$RECORDER" ] || kill "$RECORDER"
	stop_servers
}

# PART...: the last run said so, on standard error, and did not get so far as
# to ask for the password.
refused() {
	local part
	# shellcheck disable=SC2154 # bats sets them
	assert_eq "" "$output" "standard output"
	for part; do
		# shellcheck disable=SC2154
		assert_contains "$stderr" "$part"
	done
	[ ! -e asked ] || fail "the password was asked for"
}

# The same, by a peer that then judges what it was sent.
refused_by_peer() {
	refused "$@"
	peer_wait
}

# [PEER OPTION]...: a peer with the script on standard input.
# shellcheck disable=SC2120 # given where it is loaded
play() {
	peer_script test.peer
	peer_start test.peer -t 10 -x $SECRET "$@"
}

# What the client sent is in the file `up`, for each connection anew; sets
# RECORDED, the port to connect to.
record() {
	local i log
	[ -z "$RECORDER" ] || kill "$RECORDER"
	: >up
	log=$(mktemp socat.XXXXXX)
	socat -d -d -r up TCP-LISTEN:0,bind=127.0.0.1,fork "TCP:127.0.0.1:$1" \
		2>"$log" 3>&- &
	RECORDER=$!
	for ((i = 0; i < 500; i++)); do
		RECORDED=$(sed -n 's/.*listening on .*:\([0-9][0-9]*\)$/\1/p' "$log")
		[ -z "$RECORDED" ] || return 0
		sleep 0.01
	done
	fail "socat: $(<"$log")"
}

# Prints type and size of the TLS records in `up`, behind what came before TLS.
records() {
	od -An -v -tu1 -w1 up | awk '
		BEGIN { i = n = 0 }
		{ b[n++] = $1 }
		END {
			while (i < n && b[i] != 22)
				i++
			for (; i + 4 < n; i += 5 + size) {
				size = b[i + 3] * 256 + b[i + 4]
				print b[i], size
			}
		}'
}

# A client that breaks a handshake off says hello, perhaps that its cipher
# changes, and an alert: in TLS 1.3 an encrypted one, as small as records are.
only_an_alert() {
	local said
	said=$(records | grep -vx -e '20 1' -e '21 2' -e '23 19')
	[[ $said =~ ^22\ [0-9]+$ ]] || fail "sent in TLS: $said" || return 1
	! grep -qaiE "$SECRET|LOGIN|AUTH|USER|PASS|LOGOUT|QUIT|MAIL|RCPT" up
}

# CERT PART...: refused with these words, by a real server and by the peer, on
# all of SCHEMES; and the pin that the message shows is one that works. How the
# tool is run, the file that loads this says:
#
#	serve				the real server, with the certificate CERT
#	port_of SCHEME			where it is
#	opening SCHEME			the peer's steps up to where TLS begins
#	try STATUS SCHEME PORT [--set KEYWORD=VALUE]...
#	nothing_done SCHEME		after a refusal
#	all_done SCHEME			after a success
refuse_certificate() {
	local cert=$1 scheme pin
	shift
	CERT=$cert serve
	for scheme in $SCHEMES; do
		# shellcheck disable=SC2119
		play < <(opening "$scheme"
			echo "cert $CERTS/$cert.pem"
			echo expect-tls-fail)
		try 77 "$scheme" "$PEER_PORT"
		refused_by_peer "localhost:$PEER_PORT: " "$@"
		nothing_done "$scheme"

		record "$(port_of "$scheme")"
		try 77 "$scheme" "$RECORDED"
		refused "localhost:$RECORDED: " "$@"
		only_an_alert
		nothing_done "$scheme"

		pin=$(sed -n 's/.*: tls-fingerprint \([^;]*\).*/\1/p' <<<"$stderr")
		assert_eq "spki-sha256:$(<"$CERTS/$cert.spki")" "$pin"
		record "$(port_of "$scheme")"
		try 0 "$scheme" "$RECORDED" --set "tls-fingerprint=$pin" \
			--set 'password-command=echo pw'
		assert_eq "" "$stderr"
		all_done "$scheme"
		# The check above can fail: this connection said more.
		run only_an_alert
		[ "$status" -ne 0 ]
	done
}

# Pins of a self-signed certificate: right and wrong ones, of the key and of
# the certificate, several. As above.
try_pins() {
	local scheme port pin spki sha colons wrong
	CERT=selfsigned serve
	spki=spki-sha256:$(<"$CERTS/selfsigned.spki")
	sha=sha256:$(<"$CERTS/selfsigned.sha256")
	colons=sha256:$(sed 's/../&:/g; s/:$//' "$CERTS/selfsigned.sha256" |
		tr a-f A-F)
	wrong=spki-sha256:$(<"$CERTS/server.spki")
	# shellcheck disable=SC2034 # try uses it
	ASKED=(--set "password-command=echo >>$PWD/asked; echo pw")
	for scheme in $SCHEMES; do
		port=$(port_of "$scheme")
		for pin in "$spki" "$sha" "$colons" "$wrong $sha"; do
			try 0 "$scheme" "$port" --set "tls-fingerprint=$pin"
			assert_eq "" "$stderr"
			all_done "$scheme"
		done
		try 0 "$scheme" "$port" --set "tls-fingerprint=$wrong" \
			--set "tls-fingerprint=$spki"
		all_done "$scheme"
		rm asked
		for pin in "$wrong" "sha256:$(<"$CERTS/server.sha256")"; do
			try 77 "$scheme" "$port" --set "tls-fingerprint=$pin"
			refused "tls-fingerprint $spki"
		done
	done
}

# --- no TLS at all ---------------------------------------------------------------

need_elsewhere() {
	MAP=()
	[ "$(id -u)" -eq 0 ] || MAP=(--map-root-user)
	unshare "${MAP[@]}" --net --pid --fork true 2>/dev/null ||
		skip "needs network namespaces"
}

# SCRIPT COMMAND...: runs the command where the peer, with that script, is
# another machine, at 10.9.9.9:4001: in a network of its own, of which that is
# one address. What is left running ends with it.
elsewhere() {
	# shellcheck disable=SC2016 # the inner shell's
	run --separate-stderr unshare "${MAP[@]}" --net --pid --fork \
		--kill-child bash -eu -c '
		ip link set lo up
		ip address add 10.9.9.9/32 dev lo
		"$1" -t 10 -l 4000 -p port -x "$2" "$3" >/dev/null & pid=$!
		shift 3
		while [ ! -e port ]; do sleep 0.02; done
		rm port
		socat TCP-LISTEN:4001,bind=10.9.9.9 TCP:127.0.0.1:4000 &
		until ss -ltn | grep -q 10.9.9.9:4001; do sleep 0.02; done
		rc=0
		"$@" || rc=$?
		wait $pid || exit 1
		exit $rc' bash "$PEER" $SECRET "$@" </dev/null
}
