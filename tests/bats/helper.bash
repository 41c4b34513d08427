# shellcheck shell=bash
# What all bats files share. `load helper` gives a test a clean place to run
# in: an empty home, its own XDG folders, nothing inherited that tools react to.

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=$(realpath -m "${BUILD:-$ROOT/build}")
CERTS=$BUILD/servers/certs # made once for all
FETCHD=$BUILD/fetchd
SENDQ=$BUILD/sendq
RIGS=$ROOT/tests/servers
export ROOT BUILD CERTS FETCHD SENDQ RIGS

setup_env() {
	local dir=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}
	export HOME=$dir/home LC_ALL=C TZ=UTC
	export XDG_CONFIG_HOME=$dir/config XDG_STATE_HOME=$dir/state
	export XDG_CACHE_HOME=$dir/cache XDG_DATA_HOME=$dir/data
	unset XDG_RUNTIME_DIR STATE_DIRECTORY CREDENTIALS_DIRECTORY
	unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID INVOCATION_ID
	unset JOURNAL_STREAM
	mkdir -p "$HOME"
}

setup() {
	setup_env
}

# [DIR]: a private Dovecot, by default in the temporary folder of the test, or
# of the file when called in setup_file. Sets what its env file tells, and
# SERVER, which feed and stop_server use.
start_dovecot() {
	start_server dovecot "$@"
}

# The same; these skip the test where they cannot run.
start_courier() {
	start_server courier "$@"
}

start_cyrus() {
	start_server cyrus "$@"
}

start_postfix() {
	start_server postfix "$@"
}

start_exim() {
	start_server exim "$@"
}

start_opensmtpd() {
	start_server opensmtpd "$@"
}

# KIND [DIR]
start_server() {
	local kind=$1 dir=${2:-${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/$1} rc=0
	"$RIGS/$kind" start "$dir" || rc=$?
	[ $rc -ne 77 ] || skip "$kind cannot run here"
	[ $rc -eq 0 ] || return 1
	set -a
	SERVER=$dir
	# shellcheck source=/dev/null
	. "$dir/env"
	set +a
}

# [DIR]: ends a server, by default the one started last.
stop_server() {
	(
		# shellcheck source=/dev/null
		. "${1:-$SERVER}/env" && "$RIGS/$RIG" stop "${1:-$SERVER}"
	)
}

# Ends all that run in the temporary folder of the test, or of the file when
# called in teardown_file.
stop_servers() {
	local env
	for env in "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}"/*/env; do
		[ ! -e "$env" ] || stop_server "${env%/env}"
	done
}

teardown() {
	stop_servers
}

# USER FOLDER [N SIZE | N ~SIZE | FILE...]: puts mail on the server.
feed() {
	"$RIGS/feed" "$SERVER" "$@"
}

# DIR: prints the sorted SHA-256 of all messages in a Maildir folder: equal
# output is equal mail. Fails when something was left in tmp/.
maildir_digest() {
	local litter
	litter=$(find "$1/tmp" -mindepth 1) || return 1
	[ -z "$litter" ] || fail "left in tmp: $litter" || return 1
	find "$1/cur" "$1/new" -type f -exec sha256sum {} + |
		sed 's/^\\//; s/ .*//' | sort
}

# DIR: prints the number of messages in a Maildir folder.
maildir_count() {
	find "$1/cur" "$1/new" -type f | wc -l
}

# N [DIR]: waits until N messages are in a Maildir, MAILDIR by default, 10 s at
# most: a server delivers after it has accepted. Fails if there are more.
await_mail() {
	local i n=
	for ((i = 0; i < 500; i++)); do
		n=$(maildir_count "${2:-$MAILDIR}")
		[ "$n" -lt "$1" ] || break
		sleep 0.02
	done
	assert_eq "$1" "$n" messages
}

# FILE: prints a delivered message as it was sent: without what the last server
# put in front, which ends with its Received.
mail_as_sent() {
	perl -0777 -pe 's/\A(?:(?!Received:).*\n)*Received:.*\n(?:[ \t].*\n)*//' \
		"$1"
}

fail() {
	printf '%s\n' "$*" >&2
	return 1
}

# FILE AT: garbage for the half of a page of a database, from that byte on.
spoil() {
	head -c 2048 /dev/urandom |
		dd of="$1" bs=2048 seek=$(($2 / 2048)) conv=notrunc status=none
}

# WANT GOT [WHAT]
assert_eq() {
	[ "$1" = "$2" ] || fail "${3:+$3: }want <$1>, got <$2>"
}

# STATUS: of the last `run`, whose output is shown when it differs.
# shellcheck disable=SC2154 # bats sets them
assert_status() {
	[ "$status" -eq "$1" ] || fail "want exit $1, got $status: $output"
}

# TEXT PART
assert_contains() {
	[[ $1 == *"$2"* ]] || fail "<$2> is not in: $1"
}

# STATUS COMMAND...: runs it, standard output and standard error apart.
expect() {
	local want=$1
	shift
	run --separate-stderr "$@" </dev/null
	# shellcheck disable=SC2154 # bats sets it
	[ "$status" -eq "$want" ] ||
		fail "want exit $want, got $status: $output $stderr"
}

# COMMAND...: it must fail. (A line that begins with ! never fails a test.)
refute() {
	! "$@" || fail "it should not: $*"
}

# PID: that process has ended, whoever may have to collect it.
gone() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $stat == *") Z "* ]]
}

# COMMAND...: waits until it succeeds, 10 s at most.
await() {
	local i
	for ((i = 0; i < 500; i++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.02
	done
	fail "waited in vain for: $*"
}
