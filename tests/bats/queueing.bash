# shellcheck shell=bash
# What the tests of sendq's queue share, that nothing leaves: `load helper`,
# then `load queueing`. There is one account, whose mail stays in the queue.

SENDQ=$BUILD/sendq

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	SPOOL=$XDG_STATE_HOME/mailroom/sendq
	mkdir -p "$XDG_CONFIG_HOME/mailroom" bin
	ln -s "$SENDQ" bin/sendmail
	ln -s "$SENDQ" bin/mailq
	ln -s "$SENDQ" bin/newaliases
	: >aliases
	config
}

teardown() {
	:
}

# [LINE]...: the configuration; the lines go to the send section.
# shellcheck disable=SC2120 # tests do
config() {
	{
		echo "account work"
		echo "address Ada Lovelace <ada@example.org>"
		echo "smtp submissions://127.0.0.1:1"
		echo "send work"
		echo "queue-only"
		echo "aliases $PWD/aliases"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$XDG_CONFIG_HOME/mailroom/config"
}

# STATUS COMMAND...: runs it with our standard input; standard output and
# standard error apart.
expect() {
	local want=$1
	shift
	run --separate-stderr "$@"
	# shellcheck disable=SC2154 # bats sets it
	[ "$status" -eq "$want" ] ||
		fail "want exit $want, got $status: $output $stderr"
}

# TEXT ARGUMENT...: sends it, with printf's escapes; nothing is to be said.
send() {
	local text=$1
	shift
	printf "$text" >in
	expect 0 "$SENDQ" "$@" <in
	assert_eq "" "$output$stderr" "said"
}

# STATUS TEXT ARGUMENT...: the same, and it is refused, nothing is left.
refused() {
	local want=$1 text=$2
	shift 2
	printf "$text" >in
	expect "$want" "$SENDQ" "$@" <in
	assert_eq "" "$output" "standard output"
	empty
}

# PART: the last command said that, on standard error only.
said() {
	assert_eq "" "$output" "standard output"
	assert_contains "$stderr" "$1"
}

# OPTION... -- COMMAND...: under the fault injector. (The leak detector does not
# go with a tracer.)
fault() {
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
		"$BUILD/tests/fault/fault" "$@"
}

# Nothing is in the spool, but for what is known of accounts.
empty() {
	assert_eq "" "$(find "$SPOOL" -type f ! -name lock \
		! -path '*/accounts/*' 2>/dev/null)" "left"
}

# The one message's file, .eml or .env.
the() {
	local files=("$SPOOL"/queue/*."$1")
	[ ${#files[@]} -eq 1 ] && [ -e "${files[0]}" ] ||
		fail "not one message: ${files[*]}" || return
	echo "${files[0]}"
}

# As it will be sent, without the CRs.
message() {
	tr -d '\r' <"$(the eml)"
}

# The envelope's lines of a keyword, without it; joined.
envelope() {
	sed -n "/^end$/q; s/^$1 //p; s/^$1$/yes/p" "$(the env)" | paste -sd' '
}

# Takes back what is there.
clear_queue() {
	"$SENDQ" --remove all
	rm -f "$SPOOL/log"
	empty
}

# FIELD: the message's, unfolded.
field() {
	message | sed '/^$/q' | perl -0777 -pe 's/\n[ \t]+/ /g' |
		sed -n "s/^$1: *//Ip"
}

# No CR and no LF stands alone in the message, and it ends with a line end.
crlf_only() {
	perl -0777 -ne 'exit(/(?<!\r)\n|\r(?!\n)|[^\n]\z/ ? 1 : 0)' "$(the eml)" ||
		fail "a line end that is none"
}

# What stands behind the header.
body() {
	message | sed '1,/^$/d'
}
