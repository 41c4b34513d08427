# shellcheck shell=bash
# What the tests that fetch from a server share: `load helper`, then
# `load fetching`. One Dovecot serves a whole file, since any user name is good
# there, and each test has a user of its own, $U.

U=t${BATS_TEST_NUMBER:-0}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
}

# A test that starts a server of its own says so with its own teardown.
teardown() {
	:
}

teardown_file() {
	stop_servers
}

# PROTO [USER [FOLDER]]: prints a URL: pop3, imap without TLS, pop3s, imaps
# with it, pop3t, imapt with STARTTLS.
url() {
	local user=${2:-$U} tail=${3:+/$3}
	case $1 in
	pop3)	echo "pop3+plain://$user@127.0.0.1:$POP3_PORT" ;;
	imap)	echo "imap+plain://$user@127.0.0.1:$IMAP_PORT$tail" ;;
	pop3s)	echo "pop3s://$user@localhost:$POP3S_PORT" ;;
	imaps)	echo "imaps://$user@localhost:$IMAPS_PORT$tail" ;;
	pop3t)	echo "pop3://$user@localhost:$POP3_PORT" ;;
	imapt)	echo "imap://$user@localhost:$IMAP_PORT$tail" ;;
	esac
}

# As if nothing had been fetched yet.
afresh() {
	rm -rf in "$XDG_STATE_HOME"
}

# STATUS PROTO [OPTION | MAILDIR]...: fetches U's mail from there.
fetch() {
	local want=$1 proto=$2 where=() options=()
	shift 2
	while [ $# -gt 0 ]; do
		case $1 in
		-o | --set)	options+=("$1" "$2"); shift ;;
		-*)		options+=("$1") ;;
		*)		where+=("$1") ;;
		esac
		shift
	done
	expect "$want" "$FETCHD" -o 'password-command=printf pw' \
		-o "tls-ca=$CA" "${options[@]}" "$(url "$proto")" "${where[@]}"
}

# The same, and nothing is to be said: all went well.
fetch_quietly() {
	fetch 0 "$@"
	assert_eq "" "$output" "standard output"
	assert_eq "" "$stderr" "standard error"
}

# FILE...: the configuration, from standard input, with the secrets set.
config() {
	cat >"$BATS_TEST_TMPDIR/config"
}

# STATUS [ARGUMENT]...: fetchd with that configuration.
fetch_with() {
	local want=$1
	shift
	expect "$want" "$FETCHD" -c "$BATS_TEST_TMPDIR/config" "$@"
}

# [FOLDER [USER]]: prints the Maildir on the server.
on_server() {
	local folder=${1:-INBOX}
	if [ "$folder" = INBOX ]; then
		echo "$MAILROOT/${2:-$U}"
	else
		echo "$MAILROOT/${2:-$U}/.${folder//\//.}"
	fi
}

# N [FOLDER]: so many messages are on the server.
server_has() {
	assert_eq "$1" "$(maildir_count "$(on_server "${2:-INBOX}")")" \
		"messages on the server"
}

# The mail here is what is on the server, once. [FOLDER] MAILDIR
same_mail() {
	local folder=INBOX
	[ $# -eq 1 ] || { folder=$1; shift; }
	assert_eq "$(maildir_digest "$(on_server "$folder")")" \
		"$(maildir_digest "$1")" "mail in $1"
}
