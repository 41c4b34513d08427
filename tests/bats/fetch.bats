#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2016,SC2088 # sh -c '...'; fetchd expands ~
# The plain case, against a real server: what is there arrives, once, and
# nothing is said about it.

bats_require_minimum_version 1.5.0
load helper
load fetching

setup_file() {
	start_dovecot
}

# COMMAND...: in a place where the user's home of the password file is empty
# and writable, whatever that home is.
in_empty_home() {
	local home
	home=$(getent passwd "$(id -u)" | cut -d: -f6)
	if [ "$(id -u)" -ne 0 ] || [ ! -d "$home" ] ||
		! unshare --mount true 2>/dev/null; then
		skip "needs root and private mounts"
	fi
	mkdir -p realhome
	expect 0 unshare --mount sh -c 'mount --make-rprivate / &&
		mount --bind realhome "$1" && shift && exec "$@"' \
		sh "$home" "$@"
}

# COMMAND...: as a user for whom permissions count.
as_somebody() {
	if [ "$(id -u)" -eq 0 ]; then
		chmod o+x "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"/.. \
			"$BATS_TEST_TMPDIR"/.. "$BATS_TEST_TMPDIR"
		setpriv --reuid=nobody --regid="$(id -gn nobody)" \
			--clear-groups "$@"
	else
		"$@"
	fi
}

@test "no configuration and no HOME, only a state directory" {
	feed "$U" INBOX 3 1000
	for proto in pop3 imap; do
		expect 0 env -u HOME "$FETCHD" -o 'password-command=printf pw' \
			"$(url $proto)" in
		assert_eq "" "$output$stderr"
		same_mail in
		expect 0 env HOME= "$FETCHD" -o 'password-command=printf pw' \
			"$(url $proto)" in
		same_mail in
		rm -rf in
	done
	server_has 3
}

@test "no environment at all: the home is the password file's" {
	feed "$U" INBOX 3 1000
	cp "$FETCHD" fetchd # which may be below that home
	for proto in pop3 imap; do
		in_empty_home env -i PATH="$PATH" ./fetchd \
			-o 'password-command=printf pw' "$(url $proto)" in
		assert_eq "" "$output$stderr"
		same_mail in
		ls realhome/.local/state/mailroom/fetchd/url-*.db
		rm -rf in realhome
	done
	in_empty_home env -i PATH="$PATH" HOME= ./fetchd \
		-o 'password-command=printf pw' "$(url imap)" '~/in'
	same_mail realhome/in
}

@test "an empty HOME: all that is made there is for its owner only" {
	feed "$U" INBOX 1 1000
	expect 0 env -i PATH="$PATH" HOME="$HOME" "$FETCHD" \
		-o 'password-command=printf pw' "$(url pop3)" '~/Mail/in'
	assert_eq "" "$output$stderr"
	same_mail "$HOME/Mail/in"
	assert_eq "" "$(find "$HOME" -mindepth 1 -perm /077)"
	assert_eq "$(printf '%s\n' .local Mail)" "$(ls -A "$HOME")"
}

@test "a HOME that cannot be written to: says what failed" {
	feed "$U" INBOX 1 1000
	mkdir ro
	chmod 555 ro
	cp "$FETCHD" fetchd
	for proto in pop3 imap; do
		expect 73 as_somebody env -i PATH="$PATH" HOME="$PWD/ro" \
			./fetchd -o 'password-command=printf pw' \
			-o keep=never "$(url $proto)" '~/in'
		assert_eq "" "$output"
		assert_eq "fetchd: $PWD/ro/.local: cannot create directory:\
 Permission denied" "$stderr"
	done
	# With places to write to, it does not matter.
	mkdir rw
	chmod 777 rw
	expect 0 as_somebody env -i PATH="$PATH" HOME="$PWD/ro" \
		XDG_STATE_HOME="$PWD/rw" ./fetchd \
		-o 'password-command=printf pw' -o keep=never "$(url imap)" rw/in
	assert_eq "" "$output$stderr"
	assert_eq 1 "$(maildir_count rw/in)"
	server_has 0
}

@test "a Maildir that cannot be written to: nothing is lost" {
	feed "$U" INBOX 2 1000
	cp "$FETCHD" fetchd
	mkdir -p ro/tmp ro/new ro/cur state
	chmod 777 state
	chmod -R a-w ro
	for proto in pop3 imap; do
		expect 73 as_somebody env -i PATH="$PATH" HOME=/ \
			XDG_STATE_HOME="$PWD/state" ./fetchd \
			-o 'password-command=printf pw' -o keep=never \
			"$(url $proto)" "$PWD/ro"
		assert_contains "$stderr" "$PWD/ro: "
		assert_contains "$stderr" "Permission denied"
	done
	server_has 2
}

@test "by every kind of connection: all once, then only what is new" {
	feed "$U" INBOX 5 1000
	for proto in pop3 imap pop3s imaps pop3t imapt; do
		fetch_quietly $proto in.$proto
		same_mail in.$proto
		fetch_quietly $proto in.$proto
		same_mail in.$proto
	done
	feed "$U" INBOX 2 3000
	for proto in pop3 imap pop3s imaps pop3t imapt; do
		fetch_quietly $proto in.$proto
		same_mail in.$proto
	done
}

@test "no mail is also done" {
	for proto in pop3 imap; do
		fetch_quietly $proto in.$proto
		assert_eq 0 "$(maildir_count in.$proto)"
	done
}

@test "a folder that is not there is named" {
	fetch 69 imap -o 'from=imap INBOX Missing' in
	assert_contains "$stderr" "folder Missing: SELECT"
	assert_contains "$stderr" "Mailbox doesn't exist"
}

@test "keep never: gone from the server once it is here" {
	for proto in pop3 imap pop3s imaps; do
		feed "$U" INBOX 100 ~3000
		want=$(maildir_digest "$(on_server)")
		fetch_quietly $proto -o keep=never in
		assert_eq "$want" "$(maildir_digest in)"
		server_has 0
		fetch_quietly $proto -o keep=never in
		rm -rf in
	done
}

@test "what a reader does with the mail here changes nothing" {
	for proto in pop3 imap; do
		feed "$U" INBOX 4 500
		fetch_quietly $proto in
		f=(in/new/*)
		mv "${f[0]}" "in/cur/${f[0]##*/}:2,S"
		rm "${f[1]}"
		fetch_quietly $proto in
		rm -rf in/new/* in/cur/*
		fetch_quietly $proto in
		assert_eq 0 "$(maildir_count in)"
		feed "$U" INBOX 1 600
		fetch_quietly $proto in
		assert_eq 1 "$(maildir_count in)"
		rm -rf in "$(on_server)"
	done
}

@test "a lost state: what lies in the Maildir is not fetched again" {
	feed "$U" INBOX 30 1000
	for proto in pop3 imap; do
		fetch_quietly $proto in
		rm -rf "$XDG_STATE_HOME"
		feed "$U" INBOX 1 1000
		fetch_quietly $proto in
		same_mail in
		rm -rf in
	done
}

# Damage may hide rows and look like nothing: those messages would be new.
@test "a state with garbage in it: nothing is fetched twice" {
	local state at
	feed "$U" INBOX 200 300
	for proto in pop3 imap; do
		afresh
		fetch_quietly $proto in
		state=$(find "$XDG_STATE_HOME" -name '*.db')
		cp "$state" whole
		# In the second half of each page but the schema's.
		for ((at = 6144; at < $(stat -c %s whole); at += 4096)); do
			cp whole "$state"
			spoil "$state" "$at"
			run "$FETCHD" -o 'password-command=printf pw' \
				"$(url $proto)" in
			[ "$status" -eq 0 ] || {
				assert_status 75
				assert_contains "$output" "damaged, and set aside"
				fetch 0 $proto in
			}
			assert_eq 200 "$(maildir_count in)" "page $((at / 4096))"
		done
	done
}

@test "a state with garbage in it, and no Maildir to learn from: the brake" {
	local state at met=0
	feed "$U" INBOX 100 300
	for proto in pop3 imap; do
		rm -rf "$XDG_STATE_HOME" box
		fetch_quietly $proto -o 'deliver=mbox box'
		cp box was
		state=$(find "$XDG_STATE_HOME" -name '*.db')
		cp "$state" whole
		for ((at = 6144; at < $(stat -c %s whole); at += 4096)); do
			cp whole "$state"
			spoil "$state" "$at"
			run "$FETCHD" -o 'password-command=printf pw' \
				-o 'deliver=mbox box' "$(url $proto)"
			[ "$status" -ne 0 ] || continue
			# At once, or where it is met in the middle of a run.
			[ "$status" -eq 65 ] || assert_status 75
			met=$((met + 1))
			fetch 65 $proto -o 'deliver=mbox box'
			assert_contains "$stderr" "--allow-refetch"
			assert_contains "$stderr" "the state was damaged, and which of"
			fetch 65 $proto -o 'deliver=mbox box'
		done
		cmp was box
	done
	[ $met -gt 0 ]
}

@test "what another client deletes meanwhile is no error" {
	feed "$U" INBOX 10 1000
	for proto in pop3 imap; do
		fetch_quietly $proto in
		find "$(on_server)"/{cur,new} -type f | sed -n '3p;7p' |
			xargs rm
		feed "$U" INBOX 1 1000
		fetch_quietly $proto in
		rm -rf in
	done
}
