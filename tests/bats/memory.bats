#!/usr/bin/env bats
# shellcheck disable=SC2016 # bash -c '...'
# How much memory it takes: the same for a message of any size.

bats_require_minimum_version 1.5.0
load helper
load fetching

LIMIT=10000 # kB: the largest of all processes of a run, at its worst
BIG=200000000

setup_file() {
	[ -x /usr/bin/time ] || skip "needs GNU time"
	start_dovecot
	feed big INBOX 1 $BIG
	feed many INBOX 10000 100
}

setup() {
	[ -z "${SANITIZED-}" ] || skip "a sanitizer takes memory of its own"
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
}

# PROTO USER [ARGUMENT]...: fetches under the limit. GNU time tells the
# maximum over the process and all those it has waited for: the parent, the
# worker, and what runs commands.
fetch_small() {
	local proto=$1 user=$2 kb
	shift 2
	/usr/bin/time -o peak -f %M "$FETCHD" -o 'password-command=printf pw' \
		-o "tls-ca=$CA" "$@" "$(url "$proto" "$user")"
	kb=$(tail -n 1 peak)
	[ "$kb" -lt "$LIMIT" ] || fail "$proto $*: $kb kB"
	# A measure that misses the worker would pass, too.
	[ "$kb" -gt 3000 ] || fail "$proto $*: only $kb kB?"
}

@test "the measure sees a grandchild that takes more" {
	/usr/bin/time -o peak -f %M "$BASH" -c \
		'"$BASH" -c "x=\$(head -c 20000000 /dev/zero | tr \"\\0\" x)"; :'
	[ "$(tail -n 1 peak)" -gt 15000 ]
}

@test "200 MB to a Maildir" {
	for proto in pop3 imap pop3s imaps; do
		fetch_small $proto big -o "deliver=maildir $PWD/in"
		assert_eq $BIG "$(stat -c %s in/new/*)" "size by $proto"
		rm -rf in
	done
}

@test "200 MB to a pipe" {
	for proto in pop3 imap pop3s imaps; do
		fetch_small $proto big -o "deliver=pipe sh -c 'wc -c >size'"
		assert_eq $BIG "$(<size)" "size by $proto"
	done
}

@test "200 MB through a filter, to an mbox and a second Maildir" {
	fetch_small pop3 big -o filter=cat -o "deliver=mbox $PWD/mbox" \
		-o "deliver=maildir $PWD/in"
	assert_eq $BIG "$(stat -c %s in/new/*)"
	[ "$(stat -c %s mbox)" -gt $BIG ]
}

@test "10,000 messages listed, and remembered" {
	for proto in pop3 imap; do
		fetch_small $proto many -n -o "deliver=maildir $PWD/in" >list
		assert_eq 10000 "$(wc -l <list)"
		fetch_small $proto many -o "deliver=maildir $PWD/in" \
			-o start=now
		fetch_small $proto many -o "deliver=maildir $PWD/in"
		assert_eq 0 "$(maildir_count in)"
		rm -rf in
	done
}
