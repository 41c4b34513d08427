#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The recipes of mailroom(7), taken from the manual as it is, with the programs
# that they are for.

bats_require_minimum_version 1.5.0
load helper

# The server is the same for all; each test has a user of its own.
setup_file() {
	start_dovecot "$BATS_FILE_TMPDIR/dovecot"
	declare -p SERVER IMAPS_PORT POP3S_PORT CA MAILROOT \
		>"$BATS_FILE_TMPDIR/server"
}

teardown_file() {
	stop_server "$BATS_FILE_TMPDIR/dovecot"
}

setup() {
	setup_env
	# shellcheck source=/dev/null
	. "$BATS_FILE_TMPDIR/server"
	U=u$BATS_TEST_NUMBER
	export PATH=$HOME/bin:${FETCHD%/*}:$PATH
	mkdir -p "$HOME/bin" "$HOME/Mail" "$XDG_CONFIG_HOME/mailroom"
	cd "$HOME" || return
	(umask 077 && echo pw >"$HOME/pw")
}

teardown() {
	:
}

# SUBSECTION [N]: the N-th literal block of mailroom(7)'s subsection.
recipe() {
	awk -v want="$1" -v n="${2:-1}" '
		/^\.Ss / { here = substr($0, 5) == want; next }
		/^\.Bd -literal/ { if (here) block++; next }
		/^\.Ed/ { if (here && block == n) exit; next }
		here && block == n { print; found = 1 }
		END { exit !found }' "$ROOT/man/mailroom.7"
}

# The configuration: the account that the manual leaves out, and what comes on
# standard input.
config() {
	{
		cat <<-END
			account work
			    user $U
			    password-file ~/pw
			    pop3 pop3s://localhost:$POP3S_PORT
			    imap imaps://localhost:$IMAPS_PORT
			    tls-ca $CA
		END
		cat
	} >"$XDG_CONFIG_HOME/mailroom/config"
}

put_mail() {
	"$RIGS/feed" "$SERVER" "$U" "$@"
}

# N: that many messages are still on the server.
assert_on_server() {
	assert_eq "$1" "$(find "$MAILROOT/$U/new" "$MAILROOT/$U/cur" -type f |
		wc -l)" "messages on the server"
}

# FOLDER...: the same messages as on the server.
assert_same_mail() {
	assert_eq "$(find "$MAILROOT/$U/new" "$MAILROOT/$U/cur" -type f \
		-exec sha256sum {} + | cut -c 1-64 | sort)" \
		"$(find "$@" -type f -exec sha256sum {} + | cut -c 1-64 | sort)"
}

fetch() {
	run --separate-stderr "$FETCHD" "$@" </dev/null
}

# Silent, and all well.
fetch_all() {
	fetch
	[ "$status" -eq 0 ] || fail "exit $status: $stderr"
	assert_eq "" "$output$stderr" "output"
}

@test "procmail" {
	recipe procmail | config
	printf 'MAILDIR=%s/Mail\nDEFAULT=sorted/\n' "$HOME" >.procmailrc
	put_mail INBOX 5 900
	fetch_all
	assert_same_mail Mail/sorted/new
	# With -t, what procmail cannot deliver stays.
	put_mail INBOX 1 900
	: >file
	printf 'MAILDIR=%s\nLOCKSLEEP=1\nDEFAULT=file/x/\n' "$HOME" >.procmailrc
	fetch -o keep=never
	assert_status 75
	assert_contains "$stderr" "stays on the server"
	assert_on_server 1
	printf 'MAILDIR=%s/Mail\nDEFAULT=late/\n' "$HOME" >.procmailrc
	fetch_all
	assert_eq 1 "$(find Mail/late/new -type f | wc -l)"
}

@test "maildrop" {
	recipe maildrop | config
	mkdir -p Mail/box/{tmp,new,cur}
	printf 'to "%s"\n' "$HOME/Mail/box" >.mailfilter
	chmod 600 .mailfilter
	put_mail INBOX 5 900
	fetch_all
	assert_eq 5 "$(find Mail/box/new -type f | wc -l)"
	# maildrop adds nothing and changes nothing here.
	assert_same_mail Mail/box/new
	put_mail INBOX 1 900
	printf 'EXITCODE=75\nexit\n' >.mailfilter
	fetch -o keep=never
	assert_status 75
	assert_on_server 1
}

@test "notmuch insert, and notmuch new after a run" {
	recipe notmuch | config
	export NOTMUCH_CONFIG=$HOME/.notmuch-config
	printf '[database]\npath=%s/Mail\n[user]\nname=u\nprimary_email=u@h\n' \
		"$HOME" >"$NOTMUCH_CONFIG"
	mkdir -p Mail/{tmp,new,cur}
	run notmuch new --quiet
	assert_status 0
	put_mail INBOX 4 900
	fetch_all
	assert_eq 4 "$(notmuch count tag:inbox and tag:unread)"
	assert_eq 4 "$(find Mail/new Mail/cur -type f | wc -l)"
	# The other way round.
	printf 'fetch work\n    deliver maildir ~/Mail/in\n' | config
	rm -rf "$XDG_STATE_HOME" Mail/new/* Mail/cur/*
	run sh -c "$(recipe notmuch 2 | sed 's/^\$ //')" </dev/null
	assert_status 0
	assert_eq "" "$output"
	assert_eq 4 "$(find Mail/in/new -type f | wc -l)"
	assert_eq 4 "$(notmuch count '*')"
}

@test "spamc: when the filter is down, the mail stays" {
	recipe "Spam filters" | config
	put_mail INBOX 1 900
	# Whoever listens there is not ours to ask.
	if (: </dev/tcp/127.0.0.1/783) 2>/dev/null; then
		skip "a spamd runs on this machine"
	fi
	fetch -o keep=never
	assert_status 75
	assert_contains "$stderr" "spamc -x"
	assert_on_server 1
	assert_eq 0 "$(maildir_count Mail/in)"
}

@test "a filter of one's own, that drops" {
	recipe "A filter of your own" 1 >bin/no-newsletters
	chmod 755 bin/no-newsletters
	recipe "A filter of your own" 2 | config
	put_mail INBOX 3 900
	printf 'From: a@b\nList-Unsubscribe: <mailto:x@y>\n\nnews\n' >letter
	printf 'From: a@b\nSubject: list-unsubscribe: here\n\nList-Unsubscribe: no\n' \
		>other
	put_mail INBOX letter other
	fetch_all
	assert_eq 4 "$(maildir_count Mail/in)"
	run ! grep -qr '^List-Unsubscribe: <' Mail/in
	# What was dropped is done with.
	assert_eq "" "$("$FETCHD" -n)"
}

@test "several places: what was refused is tried there again" {
	recipe "Several places at once" | config
	printf '#!/bin/sh\necho "$FETCHD_UID" >>%s/told\n[ -e %s/phone ]\n' \
		"$HOME" "$HOME" >bin/tell-the-phone
	chmod 755 bin/tell-the-phone
	put_mail INBOX 2 900
	fetch
	assert_status 75
	assert_eq 2 "$(wc -l <told)"
	: >phone
	fetch_all
	assert_eq 4 "$(wc -l <told)"
	assert_same_mail Mail/in/new
	fetch_all
	assert_eq 4 "$(wc -l <told)"
}

@test "new mail, line by line, while watching" {
	printf 'fetch work\n    from imap\n    deliver maildir ~/Mail/in\n' | config
	printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>%s/notes\n' "$HOME" \
		>bin/notify-send
	chmod 755 bin/notify-send
	: >notes
	put_mail INBOX 1 900
	# In a session of its own, to be ended as a whole.
	setsid sh -c "$(recipe "New mail, line by line")" 2>err </dev/null 3>&- &
	local pid=$! i
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <notes)" -lt 1 ] || break
		sleep 0.1
	done
	put_mail INBOX 2 900
	for ((; i < 300; i++)); do
		[ "$(wc -l <notes)" -lt 3 ] || break
		sleep 0.1
	done
	kill -TERM -- -$pid
	wait $pid || :
	assert_eq "" "$(<err)"
	assert_eq 3 "$(grep -c '^mail Subject: message [0-9]*$' notes)" notes
}

@test "a backup of all folders" {
	recipe "A backup of all folders" | config
	mkdir backup
	put_mail INBOX 3 900
	put_mail Lists/unix 2 900
	put_mail Spam 4 900
	put_mail Trash 1 900
	fetch_all
	assert_eq 5 "$(grep -c '^From ' backup/work.mbox)"
	fetch_all
	assert_eq 5 "$(grep -c '^From ' backup/work.mbox)"
}

@test "cron: silent, again and again" {
	printf 'fetch work\n    deliver maildir ~/Mail/in\n' | config
	put_mail INBOX 2 900
	for i in 1 2; do
		run sh -c "$(recipe cron | sed 's|^\*/10 \* \* \* \* *||')" \
			</dev/null
		assert_status 0
		assert_eq "" "$output" "run $i"
	done
	assert_same_mail Mail/in/new
}

@test "moving: what lies in the Maildir is not fetched again" {
	printf 'fetch work\n    deliver maildir ~/Mail/in\n' | config
	put_mail INBOX 6 900
	mkdir -p Mail/in/{tmp,new,cur}
	# Another program has fetched four of them, and a reader has moved them.
	for f in $(find "$MAILROOT/$U/new" -type f | sort | head -n 4); do
		cp "$f" "Mail/in/cur/${f##*/}:2,S"
	done
	fetch_all
	assert_eq 6 "$(maildir_count Mail/in)"
	assert_same_mail Mail/in/{new,cur}
}

@test "moving: start=now, once" {
	printf 'fetch work\n    deliver maildir ~/Mail/in\n' | config
	put_mail INBOX 6 900
	run --separate-stderr sh -c \
		"$(recipe "Moving from getmail, fetchmail or mpop" |
			sed 's/^\$ //')" </dev/null
	assert_status 0
	assert_eq "" "$output$stderr"
	fetch_all
	assert_eq 0 "$(maildir_count Mail/in)"
	put_mail INBOX 1 900
	fetch_all
	assert_eq 1 "$(maildir_count Mail/in)"
}
