# shellcheck shell=bash
# What the tests of syncd share: a user, runs, another client, and whether both
# sides are the same.

SYNCD=$BUILD/syncd
export SYNCD

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return 1
	U=u$BATS_TEST_NUMBER
	mkdir -p md
}

# STATUS ARGUMENT...: a run of the user's account, to md.
sync() {
	local want=$1
	shift
	run --separate-stderr "$SYNCD" -o 'password-command=printf pw' "$@" \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" md
	[ "$status" -eq "$want" ] ||
		fail "want exit $want, got $status: $output$stderr"
}

# [PORT] [LINE...]: a configuration with the account "work", at the server or at
# that port, with more lines for its sync section.
configure() {
	local port=${1:-$IMAP_PORT}
	shift || true
	mkdir -p "$XDG_CONFIG_HOME/mailroom"
	{
		cat <<-END
			account work
			    imap imap+plain://$U@127.0.0.1:$port
			    password-command printf pw
			sync work
			    maildir $BATS_TEST_TMPDIR/md
		END
		[ $# -eq 0 ] || printf '    %s\n' "$@"
	} >"$XDG_CONFIG_HOME/mailroom/config"
}

# STATUS [ARGUMENT...]: a run by the configuration.
work() {
	expect "$1" "$SYNCD" "${@:2}"
}

# STATUS: runs the command that the last run printed, as a user who copies it.
let_through() {
	local command
	command=$(sed -n 's/.*If it is meant so: //p' <<<"$stderr")
	[[ $command == "syncd --allow-deletes "* ]] ||
		fail "no command is in: $stderr" || return
	PATH=$BUILD:$PATH expect "$1" bash -c "$command"
}

# COMMAND...: of doveadm, with the server's configuration.
there() {
	doveadm -c "$SERVER/dovecot.conf" "$@"
}

count_there() {
	there mailbox status -u "$U" messages "$1" | sed 's/.*messages=//'
}

# FOLDER UID FLAG...
mark_there() {
	local folder=$1 uid=$2
	shift 2
	there flags add -u "$U" "$*" mailbox "$folder" uid "$uid"
}

expunge_there() {
	there expunge -u "$U" mailbox "$1" uid "$2"
}

# FOLDER UID FOLDER
move_there() {
	there move -u "$U" "$3" mailbox "$1" uid "$2"
}

# FOLDER: "subject=... flags=..." of each message.
flags_there() {
	there -f pager fetch -u "$U" 'hdr.subject flags' mailbox "$1" |
		tr -d '\f' | sed -n 's/^hdr.subject: \(.*\)/\1/p; s/^flags: /flags /p' |
		paste - - | sed 's/^\(.*\)\tflags /subject=\1 flags=/'
}

# FILE DIRECTORY FLAGS: as a mail reader renames it.
rename_to() {
	local base=${1##*/}
	mv "$1" "$2/${base%%:*}:2,$3"
}

# DIRECTORY: one line a message of the Maildirs below: folder, flags, digest of
# the bytes.
list_maildirs() {
	(cd "$1" && find . -type f \( -path '*/cur/*' -o -path '*/new/*' \) \
		-exec sha256sum {} +) | awk '{
			sub(/^\\/, "")
			digest = substr($0, 1, 64)
			path = substr($0, 69)
			flags = name = path
			sub(/.*\//, "", name)
			sub(/\/*[^\/]*\/[^\/]*$/, "", path)
			flags = name ~ /:2,/ ? name : ""
			sub(/.*:2,/, "", flags)
			print path, (flags == "" ? "-" : flags), digest
		}' | sort
}

list_here() {
	list_maildirs md
}

# The same of the server's own Maildir: its files are what was stored.
list_server() {
	list_maildirs "$MAILROOT/$U" | awk '{
		folder = $0
		sub(/ [^ ]+ [^ ]+$/, "", folder)
		rest = substr($0, length(folder) + 1)
		sub(/^\./, "", folder)
		gsub(/\./, "/", folder)
		print (folder == "" ? "INBOX" : folder) rest
	}' | sort
}

# Both sides have the same messages, flags and bytes; nothing is left in tmp.
same() {
	list_here >here.txt
	list_server >there.txt
	diff here.txt there.txt >diff.txt ||
		fail "the sides differ: $(cat diff.txt)"
	[ -z "$(find md -path '*/tmp/*' -type f)" ] || fail "left in tmp"
}

# PATTERN: whether the last run, with -vv, sent such a command.
asked() {
	grep -qE "> A[0-9]+ .*($1)" <<<"$stderr"
}

# Notes how much was said so far; `traffic` then sets SENT and GOT to the bytes
# that the user's sessions since sent and got, by Dovecot's own account of them.
mark_traffic() {
	SESSIONS_BEFORE=$(sessions_logged)
}

sessions_logged() {
	grep -c "imap($U).* in=[0-9]* out=[0-9]*" "$SERVER/log" || true
}

# N: sessions have ended since.
sessions_ended() {
	[ "$(sessions_logged)" -ge $((SESSIONS_BEFORE + $1)) ]
}

# [SESSIONS]
traffic() {
	await sessions_ended "${1:-1}"
	# shellcheck disable=SC2034 # for those who call
	read -r SENT GOT <<<"$(grep "imap($U).* in=[0-9]* out=[0-9]*" \
		"$SERVER/log" | tail -n "+$((SESSIONS_BEFORE + 1))" |
		sed 's/.* in=\([0-9]*\) out=\([0-9]*\).*/\1 \2/' |
		awk '{ i += $1; o += $2 } END { print i + 0, o + 0 }')"
}
