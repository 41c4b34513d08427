# shellcheck shell=bash
# What fetchd.bash and syncd.bash share: private Dovecots, and a user whose mail
# is put down anew for each point. Sourced by these, never run.

user=none serial=0

# DIR CAPABILITY...: starts one there, which offers that after login, and reads
# its env file. Every byte that it says is a point.
start_server() {
	local dir=$1
	shift
	EXTRA="auth_mechanisms = plain
login_greeting = hello
imap_capability = $*" CERTS=$BUILD/servers/certs \
		"$root/tests/servers/dovecot" start "$dir" || die "no Dovecot"
	SERVER=$dir
	# shellcheck source=/dev/null
	. "$dir/env"
}

# DIR...
stop_servers() {
	local dir
	for dir; do
		"$root/tests/servers/dovecot" stop "$dir" 2>/dev/null
	done
}

# What `tests/servers/feed` is told behind its first argument. The servers'
# caches take up what they know; the numbers of messages stay.
feed() {
	"$root/tests/servers/feed" "$SERVER" "$@" || exit 1
}

# A user that there never was, with the mail that is in tmpl/mail.
new_user() {
	rm -rf "${MAILROOT:?}/${user:?}"
	user=w$w.$((++serial))
	cp -a "$W/tmpl/mail" "$MAILROOT/$user"
}
