#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# Programs that hand mail to sendmail, run with sendq in its place; and those
# that cannot be run here, by the arguments that they give it.

bats_require_minimum_version 1.5.0
load helper

setup() {
	local name
	setup_env
	export EMAIL=ada@example.org PATH=$HOME/bin:$PATH
	QUEUE=$XDG_STATE_HOME/mailroom/sendq/queue
	mkdir -p "$HOME/bin" "$XDG_CONFIG_HOME/mailroom"
	for name in sendq sendmail mailq newaliases; do
		ln -s "$BUILD/sendq" "$HOME/bin/$name"
	done
	cd "$HOME" || return
	printf 'root: admin@example.org\nada: root\n' >aliases
	config 'queue-only' <<-END
		smtp submission+plain://127.0.0.1:1
		auth none
	END
}

# LINE...: the configuration: an account as on standard input, and these lines
# of its send section.
config() {
	{
		printf 'account work\n    address Ada Lovelace <ada@example.org>\n'
		cat
		printf 'send work\n    default\n    aliases %s/aliases\n' "$HOME"
		[ $# -eq 0 ] || printf '    %s\n' "$@"
	} >"$XDG_CONFIG_HOME/mailroom/config"
}

# Prints the ID of the only message in the queue.
only() {
	local ids=("$QUEUE"/*.env)
	[ ${#ids[@]} -eq 1 ] && [ -e "${ids[0]}" ] ||
		fail "not one message: ${ids[*]}" || return
	basename "${ids[0]}" .env
}

# WORD: the values of these lines in the only message's envelope.
of_envelope() {
	local id
	id=$(only) && sed -n "/^end\$/q; s/^$1 //p" "$QUEUE/$id.env"
}

# The only message's text, with Unix line ends; all must be CRLF.
text() {
	local id
	id=$(only) || return
	! grep -qv $'\r$' "$QUEUE/$id.eml" || fail "a line without CRLF" || return
	tr -d '\r' <"$QUEUE/$id.eml"
}

header() {
	text | sed '/^$/q'
}

body() {
	text | sed '1,/^$/d'
}

# SENDER RECIPIENT...: are the only message's.
assert_envelope() {
	assert_eq "$1" "$(of_envelope sender)" sender || return
	shift
	assert_eq "$(printf '%s\n' "$@" | sort)" "$(of_envelope rcpt | sort)" \
		recipients
}

# COMMAND...: is silent, and all is well.
silent() {
	run --separate-stderr "$@"
	# shellcheck disable=SC2154 # bats sets it
	assert_eq "0 <> <>" "$status <$output> <$stderr>"
}

# Files outside of the spool, and what is in them.
world() {
	find "$HOME" "$BATS_TEST_TMPDIR" -path "$XDG_STATE_HOME" -prune -o \
		-type f ! -name 'separate-stderr-*' -exec sha256sum {} + |
		sort -u
}

new_repository() {
	git init -q repo
	cd repo || return
	git config user.name "Ada Lovelace"
	git config user.email ada@example.org
	printf 'one\n' >file
	git add file
	git commit -qm 'a file'
	printf 'one\n.\ntwo\nna\303\257ve\n' >file
	git commit -qam 'two more lines, na'$'\303\257''ve'
}

# --- mail readers and git -----------------------------------------------------

@test "git send-email, by sendmailCmd" {
	new_repository
	git config sendemail.sendmailCmd sendq
	run git send-email --quiet --confirm=never --to=bob@example.net \
		--cc='Carol <carol@example.org>' --bcc=dave@example.net -1
	assert_status 0
	assert_envelope ada@example.org bob@example.net carol@example.org \
		dave@example.net ada@example.org
	# A patch that applies is the same, to the last byte.
	text >../mail
	cd .. && git clone -q repo copy && cd copy || return
	git reset -q --hard HEAD^
	git -c user.name=c -c user.email=c@c am -q ../mail
	assert_eq "" "$(git diff origin/HEAD)"
	run ! grep -qi '^bcc:' ../mail
}

@test "git send-email, by a path, with an envelope sender" {
	new_repository
	run git send-email --quiet --confirm=never --suppress-cc=all \
		--smtp-server="$HOME/bin/sendmail" --to=bob@example.net \
		--envelope-sender=list@example.org -1
	assert_status 0
	assert_envelope list@example.org bob@example.net
}

@test "s-nail" {
	printf 'a file\0with a NUL\n' >attached
	printf 'one\n.\nna\303\257ve\n' >letter
	silent env LC_ALL=C.UTF-8 s-nail -n -S mta="$HOME/bin/sendmail" \
		-S sendwait -S from=ada@example.org -s 'A letter' -a attached \
		-c carol@example.org -b dave@example.net bob@example.net <letter
	assert_envelope ada@example.org bob@example.net carol@example.org \
		dave@example.net
	assert_contains "$(header)" "Subject: A letter"
	run ! grep -qi '^bcc:' <<<"$(header)"
	assert_eq "$(base64 <attached)" "$(body | grep "$(base64 <attached)")"
}

@test "mutt in batch mode, as it comes and as told" {
	local sendmail
	printf 'a file\n' >attached
	printf 'one\n.\ntwo\n' >letter
	for sendmail in "$HOME/bin/sendmail -oem -oi" "sendq -oi"; do
		rm -rf "$XDG_STATE_HOME"
		cat >muttrc <<-END
			set sendmail = "$sendmail"
			set from = ada@example.org
			set envelope_from = yes
			set copy = no
		END
		silent mutt -n -F muttrc -s 'A letter' -c carol@example.org \
			-b dave@example.net -a attached -- bob@example.net <letter
		assert_envelope ada@example.org bob@example.net \
			carol@example.org dave@example.net
		run ! grep -qi '^bcc:' <<<"$(header)"
		assert_contains "$(body)" $'one\n.\ntwo'
	done
}

# --- the arguments of others ----------------------------------------------------

@test "cron, as Debian's and as cronie" {
	local args
	for args in "-FCronDaemon -i -odi -oem -oi -t" \
		"-FCronDaemon -i -odi -oem -oi -t -f root" \
		"-i -FCronDaemon -B8BITMIME -oem root"; do
		rm -rf "$XDG_STATE_HOME"
		# shellcheck disable=SC2086 # words
		silent sendmail $args <<-'END'
			From: root (Cron Daemon)
			To: root
			Subject: Cron <root@host> backup
			MIME-Version: 1.0
			Content-Type: text/plain; charset=UTF-8
			Content-Transfer-Encoding: 8bit
			Auto-Submitted: auto-generated
			X-Cron-Env: <SHELL=/bin/sh>

			failed
			.
			again
		END
		assert_eq admin@example.org "$(of_envelope rcpt)" "$args"
		assert_eq $'failed\n.\nagain' "$(body)" "$args"
		assert_contains "$(header)" "Auto-Submitted: auto-generated"
	done
}

# mail() hands on its text as it is, by popen(3).
@test "PHP" {
	local args
	for args in "-t -i" "-t -i -fwww@example.org" "-t -i -f www@example.org"; do
		rm -rf "$XDG_STATE_HOME"
		printf 'To: bob@example.net\nSubject: =?UTF-8?Q?na=C3=AFve?=\nX-PHP-Originating-Script: 0:mail.php\nFrom: Ada <ada@example.org>\r\nMIME-Version: 1.0\r\n\nna\303\257ve\r\nlines\n' |
			sh -c "sendmail $args"
		assert_eq bob@example.net "$(of_envelope rcpt)" "$args"
		assert_eq $'na\303\257ve\nlines' "$(body)" "$args"
		[[ $args == *www* ]] ||
			assert_eq ada@example.org "$(of_envelope sender)"
		[[ $args != *www* ]] ||
			assert_eq www@example.org "$(of_envelope sender)"
	done
}

@test "logwatch and mdadm: -t, with and without a body" {
	silent sendmail -t <<-'END'
		To: root
		From: mdadm monitoring <root>
		Subject: DegradedArray event on /dev/md0:host

		This is an automatically generated mail message.
	END
	assert_eq admin@example.org "$(of_envelope rcpt)"
	rm -rf "$XDG_STATE_HOME"
	printf 'To: ada\nFrom: logwatch@example.org\nSubject: nothing\n' >letter
	silent sendmail -t <letter
	assert_eq admin@example.org "$(of_envelope rcpt)"
	assert_eq "" "$(body)"
}

@test "what others give it: smartd, at, sudo, procmail, vacation, lists" {
	local args
	for args in "root" "-i root" "-oem root" "-t" "-oi -t" \
		"-bm -oi -- root" "-om -oi -f root -- root" \
		"-oi -oee -f ada@example.org root" "-odb -oem -oi root" \
		"-A MSP -G -h 3 -L tag -p ESMTP:host -U root" \
		"-B 8BITMIME -N never -R hdrs -V id -i root" \
		"-n -m -i root" "-em -eq -i root" \
		"-O DeliveryMode=b -o ImASlowOption -i root" \
		"-F root -i root" "-bm root"; do
		rm -rf "$XDG_STATE_HOME"
		# shellcheck disable=SC2086 # words
		run sendmail $args <<<$'To: root\nSubject: x\n\nbody'
		assert_eq "0 <>" "$status <$output>" "$args"
		assert_eq admin@example.org "$(of_envelope rcpt)" "$args"
	done
}

# --- under other names ----------------------------------------------------------

@test "mailq lists the queue" {
	run mailq
	assert_status 0
	assert_eq "Mail queue is empty" "$output"
	assert_eq "$output" "$(sendq --list)"
	printf 'Subject: A letter\n\nbody\n' >letter
	sendmail bob@example.net <letter
	run mailq
	assert_status 0
	assert_contains "$output" "$(only)"
	assert_contains "$output" ada@example.org
	assert_contains "$output" bob@example.net
	assert_eq "$output" "$(sendmail -bp)"
	assert_eq "$output" "$(sendq --list)"
	run mailq -v
	assert_status 0
}

@test "newaliases has nothing to do, and does nothing" {
	local before
	before=$(world)
	silent newaliases
	silent sendmail -bi
	silent sendmail -I
	assert_eq "$before" "$(world)"
}

# --- none of it writes a file ---------------------------------------------------

# CVE-2016-10033 and its kin: a web page's sender becomes options.
@test "as sendmail, no option writes a file, runs a command or is a configuration" {
	local args before
	printf 'account evil\n    address x@example.org\n    smtp submission+plain://127.0.0.1:1\n    auth none\nsend evil\n    sent %s/evil\n    default\n' \
		"$HOME" >evil.conf
	before=$(world)
	for args in "-X$HOME/log" "-X $HOME/log" "-C$HOME/evil.conf" \
		"-C $HOME/evil.conf" "-OQueueDirectory=$HOME/q -X$HOME/log" \
		"-O LogFile=$HOME/log" "-oQ$HOME/q" "-oL9 -oA$HOME/a" \
		"-D$HOME/log" "-D $HOME/log" "-d0-99.99" "-bD$HOME" \
		"-be \${run{/bin/touch $HOME/ran}}" "-p$HOME/x:y" \
		"--set sent=$HOME/evil" "--config=$HOME/evil.conf" \
		"--set=password-command=touch\\ $HOME/ran" "--sent=$HOME/evil" \
		"-o password-command=touch\\ $HOME/ran"; do
		rm -rf "$XDG_STATE_HOME"
		eval "sendmail -t -i -fx@example.org $args" >/dev/null 2>&1 \
			<<<$'To: bob@example.net\nSubject: x\n\nbody' || :
		assert_eq "$before" "$(world)" "$args"
		# What was accepted goes where it should have.
		[ -z "$(ls "$QUEUE" 2>/dev/null)" ] ||
			assert_eq work "$(of_envelope account)" "$args"
	done
}

@test "as sendmail, what follows a recipient is a recipient" {
	silent sendmail -i bob@example.net -t --remove all -X x \
		<<<$'To: carol@example.org\nSubject: x\n\nbody'
	assert_envelope ada@example.org bob@example.net ada@example.org
	[ ! -e x ]
}

# --- all the way ------------------------------------------------------------------

@test "git, s-nail, mutt and cron, all the way to a server" {
	start_postfix
	(umask 077 && echo pw >pw)
	config <<-END
		smtp submissions://localhost:$SUBMISSIONS_PORT
		user ada
		password-file $HOME/pw
		tls-ca $CA
	END
	printf 'one\n.\ntwo\n' >letter
	printf 'set sendmail = "sendq -oi"\nset from = ada@example.org\nset copy = no\n' \
		>muttrc
	silent mutt -n -F muttrc -s mutt -- bob@example.net <letter
	silent s-nail -n -S mta="$HOME/bin/sendmail" -S sendwait \
		-S from=ada@example.org -s s-nail bob@example.net <letter
	silent sendmail -FCronDaemon -i -odi -oem -oi -t \
		<<<$'To: root\nSubject: cron\n\none\n.\ntwo'
	new_repository
	run git -c sendemail.sendmailCmd=sendq send-email --quiet \
		--confirm=never --suppress-cc=all --to=bob@example.net -1
	assert_status 0
	await_mail 4
	for subject in mutt s-nail cron '\[PATCH\].*'; do
		grep -qrE "^Subject: $subject" "$MAILDIR/new" ||
			fail "no $subject"
	done
	assert_eq 3 "$(grep -lrx 'one' "$MAILDIR/new" | wc -l)"
	assert_eq 3 "$(grep -lrx '\.' "$MAILDIR/new" | wc -l)"
	# The mail was durable first, and is gone from the queue when it was sent.
	for ((i = 0; i < 100; i++)); do
		[ -n "$(sendq --list --json)" ] || break
		sleep 0.1
	done
	assert_eq "" "$(sendq --list --json)"
	assert_eq 4 "$(sendq --log | grep -c ' sent .* 250 ')"
}
