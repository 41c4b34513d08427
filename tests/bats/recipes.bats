#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The recipes of mailroom(7), taken from the manual as it is, with the programs
# that they are for.

bats_require_minimum_version 1.5.0
load helper

# The server is the same for all; each test has a user of its own.
setup_file() {
	LMTP=1 start_dovecot "$BATS_FILE_TMPDIR/dovecot"
	declare -p SERVER IMAPS_PORT POP3S_PORT LMTP_PORT CA MAILROOT \
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

# --- sending ------------------------------------------------------------------

# LINE...: the configuration for sending: an account, by LMTP, for the recipe on
# standard input.
send_config() {
	{
		printf 'account %s\n    address ada@example.org\n' "${1:-work}"
		printf '    smtp lmtp://localhost:%s\n' "$LMTP_PORT"
		cat
	} >"$XDG_CONFIG_HOME/mailroom/config"
	: >no-aliases
	bin_links
}

bin_links() {
	local name
	for name in sendq sendmail; do
		ln -sf "$BUILD/sendq" "bin/$name"
	done
}

# N ADDRESS: waits until the server has that much mail for it, 10 s at most.
await_at() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ ! -d "$MAILROOT/$2/cur" ] || break
		sleep 0.1
	done
	await_mail "$1" "$MAILROOT/$2"
}

# Nothing is left to be sent.
assert_queue_empty() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ -n "$(sendq --list --json)" ] || return 0
		sleep 0.1
	done
	fail "in the queue: $(sendq --list)"
}

@test "mutt" {
	printf 'send work\n' | send_config
	{
		recipe mutt 1
		recipe mutt 2
		echo "set from = ada@example.org"
	} >muttrc
	printf 'one\n.\ntwo\n' >letter
	run mutt -n -F muttrc -s letter -- "$U@example.net" <letter
	assert_status 0
	assert_eq "" "$output"
	await_at 1 "$U@example.net"
	assert_eq $'one\n.\ntwo' "$(sed '1,/^$/d' "$MAILROOT/$U@example.net/new"/*)"
	[ ! -e sent ] && [ ! -e Mail/sent ]
	assert_queue_empty
}

@test "s-nail" {
	printf 'send work\n' | send_config
	recipe "s-nail, mailx" | sed "s|/usr/local/bin|$HOME/bin|" >.mailrc
	printf 'one\n.\ntwo\n' >letter
	# It asks the system where home is.
	MAILRC=$HOME/.mailrc run s-nail -S sendwait -S "DEAD=$HOME/dead" -S from=ada@example.org -s letter "$U@example.net" <letter
	assert_status 0
	await_at 1 "$U@example.net"
	assert_eq $'one\n.\ntwo' "$(sed '1,/^$/d' "$MAILROOT/$U@example.net/new"/*)"
}

@test "git" {
	printf 'send work\n' | send_config
	git config --global user.name Ada
	git config --global user.email ada@example.org
	sh -c "$(recipe git | sed 's/^\$ //')"
	git init -q repo
	cd repo || return
	git commit -q --allow-empty -m empty
	echo text >file
	git add file
	git commit -qm 'a file'
	run git send-email --quiet --confirm=never --suppress-cc=all \
		--to="$U@example.net" -1
	assert_status 0
	await_at 1 "$U@example.net"
	grep -q '^+text' "$MAILROOT/$U@example.net/new"/*
}

@test "PHP" {
	printf 'send work\n' | send_config
	printf 'To: %s@example.net\nSubject: x\n\nbody\n' "$U" >letter
	run sh -c "$(recipe PHP | sed 's/.* = "\(.*\)"/\1/')" <letter
	assert_status 0
	assert_eq "" "$output"
	await_at 1 "$U@example.net"
}

@test "system mail" {
	local b d=$BATS_TEST_TMPDIR/root
	b=$(realpath -m --relative-to="$ROOT" "$BUILD")
	bin_links
	(
		cd "$ROOT" || exit
		MAKEFLAGS='' sh -c "$(recipe "System mail" 1 | sed -n 's/^# \(make .*\)/\1/p') B='$b' DESTDIR='$d'"
	)
	recipe "System mail" 2 |
		sed "s|submissions://smtp.example.org|lmtp://localhost:$LMTP_PORT|
			s|/etc/mailroom/password|$HOME/pw|" >config
	recipe "System mail" 3 | sed "s/ada@/$U@/" >aliases
	echo "    aliases $HOME/aliases" >>config
	mv config "$XDG_CONFIG_HOME/mailroom/config"
	run "$d/usr/sbin/sendmail" -FCronDaemon -i -odi -oem -oi -t \
		<<<$'To: root\nSubject: cron\n\nbody'
	assert_status 0
	assert_eq "" "$output"
	await_at 1 "$U@example.org"
	run "$d/usr/bin/mailq"
	assert_status 0
	run "$d/usr/bin/newaliases"
	assert_status 0
}

@test "undo: what has not gone is taken back" {
	recipe "Ten seconds to think better of it" 1 | send_config
	sendq "$U@example.net" <<<$'Subject: x\n\nbody'
	assert_contains "$(sendq --list)" "$U@example.net"
	run sh -c "$(recipe "Ten seconds to think better of it" 2 | sed 's/^\$ //')"
	assert_status 0
	assert_eq "" "$(sendq --list --json)"
	run sendq --run
	assert_status 0
	[ ! -e "$MAILROOT/$U@example.net" ]
	# And without a second thought it goes, by itself.
	sed -i 's/10s/2s/' "$XDG_CONFIG_HOME/mailroom/config"
	sendq "$U@example.net" <<<$'Subject: x\n\nbody'
	[ ! -e "$MAILROOT/$U@example.net" ]
	await_at 1 "$U@example.net"
}

@test "later, and not after all" {
	local id
	printf 'send work\n' | send_config
	printf 'To: %s@example.net\nSubject: x\n\nbody\n' "$U" >letter
	recipe Later | sed -n 's/^\$ //p' >commands
	assert_eq 3 "$(wc -l <commands)"
	run sh -c "$(sed -n 1p commands)"
	assert_status 0
	assert_eq "" "$output"
	run sh -c "$(sed -n 2p commands)"
	assert_status 0
	assert_contains "$output" "$U@example.net"
	run sendq --run
	assert_status 0
	[ ! -e "$MAILROOT/$U@example.net" ]
	id=$(basename "$XDG_STATE_HOME"/mailroom/sendq/queue/*.env .env)
	run sh -c "$(sed -n "3s/6925c0a0/${id%-*}/p" commands)"
	assert_status 0
	assert_eq "" "$(sendq --list --json)"
}

@test "quotas: what is over waits" {
	local name n
	for n in 1 2; do
		recipe "Quotas of providers" $n | sed 's/500\|10000/3/' >section
		name=$(sed -n 's/^send //p' section)
		send_config "$name" <section
		for i in 1 2 3 4; do
			sendq -odq "$n$U@example.net" <<<$'Subject: x\n\nbody'
		done
		run sendq --run
		assert_status 0
		await_at 3 "$n$U@example.net"
		assert_eq 1 "$(sendq --list --json | wc -l)"
		sendq --remove all
	done
}

@test "OAuth2: a token, and another when it is refused" {
	start_postfix_with_oauth
	{
		recipe OAuth2 | sed "s|smtp.office365.com|localhost:$SUBMISSION_PORT|"
		printf '    tls-ca %s\nsend office\n' "$CA"
	} >"$XDG_CONFIG_HOME/mailroom/config"
	bin_links
	"$RIGS/postfix" token "$SERVER" ada@example.org >token
	# The first that it gives is old.
	cat >bin/oama <<-END
		#!/bin/sh
		[ "\$1 \$2" = "access ada@example.org" ] || exit 1
		[ -e $HOME/asked ] && exec cat $HOME/token
		: >$HOME/asked
		echo old
	END
	chmod 755 bin/oama
	sendq -odq "$U@example.net" <<<$'Subject: x\n\nbody'
	run sendq --run
	assert_status 0
	await_mail 1
	stop_server
}

start_postfix_with_oauth() {
	OAUTH=1 start_postfix
}

@test "sent mail: a copy, with the Bcc" {
	recipe "Sent mail" | send_config
	printf 'To: %s@example.net\nBcc: secret@example.net\nSubject: x\n\nbody\n' \
		"$U" >letter
	sendq -odq -t <letter
	[ -z "$(ls Mail/Sent/cur 2>/dev/null)" ]
	run sendq --run
	assert_status 0
	await_at 1 "$U@example.net"
	assert_eq 1 "$(maildir_count Mail/Sent)"
	grep -q '^Bcc: secret@' Mail/Sent/cur/*:2,S
	run ! grep -qi '^bcc' "$MAILROOT/$U@example.net/new"/*
}

@test "without a daemon: silent, again and again" {
	printf 'send work\n' | send_config
	sendq -odq "$U@example.net" <<<$'Subject: x\n\nbody'
	for i in 1 2; do
		run sh -c "$(recipe "Without a daemon" |
			sed 's|^\*/2 \* \* \* \* *||')" </dev/null
		assert_status 0
		assert_eq "" "$output" "run $i"
	done
	await_at 1 "$U@example.net"
	# Also when there is something to say.
	sed -i 's|lmtp://.*|lmtp://127.0.0.1:1|' "$XDG_CONFIG_HOME/mailroom/config"
	sendq -odq "$U@example.net" <<<$'Subject: x\n\nbody'
	run sh -c "$(recipe "Without a daemon" | sed 's|^\*/2 \* \* \* \* *||')"
	assert_status 75
	assert_eq "" "$output"
}
