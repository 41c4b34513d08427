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

# One line a message: folder, flags that both sides have, digest of the bytes.
list_here() {
	local f folder flags
	find md -type f \( -path '*/cur/*' -o -path '*/new/*' \) | while read -r f; do
		folder=${f#md/}
		folder=${folder%/*/*}
		flags=
		[[ $f != *:2,* ]] || flags=${f##*:2,}
		printf '%s %s %s\n' "$folder" "${flags:--}" \
			"$(sha256sum <"$f" | cut -c1-64)"
	done | sort
}

# The same of the server's own Maildir: its files are what was stored.
list_server() {
	local f folder flags root=$MAILROOT/$U
	find "$root" -type f \( -path '*/cur/*' -o -path '*/new/*' \) |
		while read -r f; do
			folder=${f#"$root"}
			folder=${folder%/*/*}
			folder=${folder#/.}
			folder=${folder//.//}
			flags=
			[[ $f != *:2,* ]] || flags=${f##*:2,}
			printf '%s %s %s\n' "${folder:-INBOX}" "${flags:--}" \
				"$(sha256sum <"$f" | cut -c1-64)"
		done | sort
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
