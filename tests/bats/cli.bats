#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2016 # a test is a subshell; sh -c '...'
# The command line and the configuration of fetchd, as far as no server is
# needed: what is refused, with which words and which exit status.

bats_require_minimum_version 1.5.0
load helper

# Nobody listens there.
NOWHERE=pop3+plain://ada@127.0.0.1:1

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
}

# [FILE]: the configuration, from standard input.
config() {
	local file=${1:-$XDG_CONFIG_HOME/mailroom/config}
	mkdir -p "${file%/*}"
	cat >"$file"
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

# PART: the last `expect` said that, and on standard error only.
said() {
	assert_eq "" "$output" "standard output"
	assert_contains "$stderr" "$1"
}

# --- usage -----------------------------------------------------------------

@test "-h and --help explain, on standard output" {
	for o in -h --help; do
		expect 0 "$FETCHD" $o
		assert_eq "" "$stderr"
		assert_contains "$output" "usage: fetchd"
		# Every option is told, and no line is too long for a terminal.
		for w in dry-run print null watch once config set progress \
			wait syslog allow-refetch help version; do
			assert_contains "$output" "--$w"
		done
		assert_eq "" "$(grep -E '.{80}' <<<"$output")"
	done
}

@test "-V and --version name the program and its version" {
	for o in -V --version; do
		expect 0 "$FETCHD" $o
		assert_eq "" "$stderr"
		[[ $output =~ ^fetchd\ \(mailroom\)\ [0-9]+\.[0-9]+$ ]]
	done
}

@test "an option that is none, or lacks its value, is a usage error" {
	for o in -x --nonsense -c -o --config --set --watch=1; do
		expect 64 "$FETCHD" $o
		said "try: fetchd --help"
	done
}

@test "options that exclude each other are a usage error" {
	expect 64 "$FETCHD" -w -1 "$NOWHERE" in
	said "-w"
	expect 64 "$FETCHD" -w -n "$NOWHERE" in
	said "-w"
	expect 64 "$FETCHD" -p -o 'deliver=mbox -' "$NOWHERE"
	said "standard output"
	[ ! -e "$XDG_STATE_HOME" ]
}

@test "help that cannot be written is an error" {
	[ -c /dev/full ] || skip "no /dev/full"
	for o in -h -V; do
		run --separate-stderr sh -c '"$0" $1 >/dev/full' "$FETCHD" $o
		assert_status 74
	done
}

# --- a URL -----------------------------------------------------------------

@test "a password in a URL is refused, with the reason and the remedy" {
	for url in pop3s://ada:secret@h.example imaps://ada:secret@h/INBOX \
		pop3+plain://ada:secret@127.0.0.1:1; do
		expect 78 "$FETCHD" $url in
		said "password-command"
		assert_contains "$stderr" "arguments"
		[[ $stderr != *secret* ]] || fail "told the password: $stderr"
	done
	[ ! -e in ]
}

@test "a URL of another protocol is refused" {
	expect 78 "$FETCHD" ftp://ada@h.example in
	said "imaps, pop3s"
	expect 78 "$FETCHD" submissions://ada@h.example in
	said "fetchd fetches by IMAP or POP3"
}

@test "a URL needs a user and somewhere to deliver to" {
	expect 78 "$FETCHD" pop3s://h.example in
	said "no user"
	expect 78 "$FETCHD" pop3s://ada@h.example
	said "deliver maildir"
	expect 78 "$FETCHD" pop3s://ada@h.example in out
	said "'out': only one Maildir"
	expect 78 "$FETCHD" pop3s://ada@h.example/folder in
	said "POP3 has no folders"
}

@test "a URL needs no configuration, and reads none" {
	echo 'nonsense' | config
	expect 75 "$FETCHD" "$NOWHERE" in
	said "127.0.0.1:1: Connection refused"
}

@test "a URL's Maildir is made when it is missing, for its owner only" {
	expect 75 "$FETCHD" "$NOWHERE" a/b/in
	for d in a a/b a/b/in a/b/in/{tmp,new,cur}; do
		assert_eq 700 "$(stat -c %a "$d")" "$d"
	done
}

# --- the configuration ------------------------------------------------------

@test "no configuration: says where it would be, and what goes without" {
	[ ! -e /etc/mailroom/config ] || skip "/etc/mailroom/config exists"
	expect 78 "$FETCHD"
	said "mailroom/config"
	assert_contains "$stderr" "imaps://"
	expect 78 "$FETCHD" -c missing
	said "missing: No such file or directory"
}

@test "the configuration is found in XDG_CONFIG_HOME, ~/.config, by -c" {
	config <<-END
		fetch xdg
		    deliver maildir ~/in
	END
	config "$HOME/.config/mailroom/config" <<-END
		fetch home
		    deliver maildir ~/in
	END
	config "$PWD/other" <<-END
		fetch other
		    deliver maildir ~/in
	END
	expect 78 "$FETCHD"
	said "fetch xdg:"
	expect 78 env -u XDG_CONFIG_HOME "$FETCHD"
	said "fetch home:"
	expect 78 "$FETCHD" -c other
	said "fetch other:"
	expect 78 "$FETCHD" --config=other
	said "fetch other:"
}

@test "ten mistakes are told at once, each with its line and a remedy" {
	config "$PWD/bad" <<-'END'
		account home
		    user ada
		    user bob
		    pasword-file ~/.secret
		    imap http://imap.example.org
		    timeout soon
		    keep 4d
		fetch home
		    from pop4
		    deliver maildr ~/Mail
		    keep sometimes
		    max-size big
		    colour red
		    drop 300
	END
	expect 78 "$FETCHD" -c bad
	said "bad:3: 'user' is given twice (first on line 2)"
	said "bad:4: unknown keyword 'pasword-file' (did you mean 'password-file'?)"
	said "bad:5: imap: unknown URL scheme"
	said "bad:6: timeout: 'soon' is not a duration"
	said "bad:7: 'keep' belongs in a fetch section"
	said "bad:9: from: 'pop4' is none of: pop3, imap (did you mean 'pop3'?)"
	said "bad:10: deliver: 'maildr' is none of: maildir, mbox, pipe (did you mean 'maildir'?)"
	said "bad:11: keep: 'sometimes' is none of: always, never, 14d"
	said "bad:12: max-size: wants a size"
	said "bad:13: unknown keyword 'colour' in section 'fetch home'"
	said "bad:14: drop: '300' is no exit code"
	# In the order of the file.
	assert_eq "$(sort -t: -k3n <<<"$stderr")" "$stderr"
	[ ! -e "$XDG_STATE_HOME" ]
}

@test "a keyword that starts no section is told with the one that was meant" {
	config <<-END
		acount home
		    user ada
	END
	expect 78 "$FETCHD"
	said ":1: unknown keyword 'acount' (did you mean 'account'?)"
	assert_eq 1 "$(wc -l <<<"$stderr")" "lines"
}

@test "what must go together is checked" {
	config <<-END
		account a
		    user ada
		    pop3 pop3s://pop.example.org
		fetch a
		    deliver maildir ~/in
		    archive Old
		    mark seen
		    select unseen
		fetch b
		    user bob
		    from imap
		    deliver maildir ~/in
	END
	expect 78 "$FETCHD"
	said "fetch a: 'archive' needs IMAP"
	said "fetch a: 'mark seen' needs IMAP"
	said "fetch a: 'select unseen' needs IMAP"
	said "fetch b: no IMAP server: add 'imap imaps://HOST'"
}

@test "an account that is not there is told, with the nearest" {
	config <<-END
		account work
		    user ada
		    pop3 $NOWHERE
		fetch work
		    deliver maildir ~/in
	END
	expect 78 "$FETCHD" wrok
	said "no 'fetch wrok' in the configuration (did you mean 'work'?)"
	expect 75 "$FETCHD" work
	said "Connection refused"
	# One that is there does not hide one that is not.
	expect 78 "$FETCHD" work nobody
	said "no 'fetch nobody'"
}

@test "a configuration without anything to fetch says so" {
	echo 'account a' | config
	expect 78 "$FETCHD"
	said "no 'fetch' section"
}

@test "-o and --set: any keyword; what is wrong is told as in a file" {
	for o in -o --set; do
		expect 78 "$FETCHD" $o kepp=never "$NOWHERE" in
		said "-o: unknown keyword 'kepp' (did you mean 'keep'?)"
		expect 78 "$FETCHD" $o keep=maybe "$NOWHERE" in
		said "-o: keep: 'maybe' is none of"
		expect 78 "$FETCHD" $o '' "$NOWHERE" in
		said "-o: needs keyword=value"
	done
	expect 78 "$FETCHD" -o 'deliver=pipe sh -c "exit' "$NOWHERE"
	said "is not closed"
	expect 78 "$FETCHD" -o archive=Old "$NOWHERE" in
	said "'archive' needs IMAP"
	expect 78 "$FETCHD" -o tls-ca=/nonexistent "$NOWHERE" in
	said "tls-ca /nonexistent: No such file"
}

@test "-o wins over the configuration" {
	config <<-END
		account a
		    user ada
		    pop3 pop3s://pop.invalid
		fetch a
		    deliver maildir ~/in
		    keep never
	END
	expect 75 "$FETCHD" -o "pop3=$NOWHERE" -o "deliver maildir $PWD/out"
	said "127.0.0.1:1: Connection refused"
	[ -d out/new ]
	[ ! -e "$HOME/in" ]
}

# --- this machine ------------------------------------------------------------

@test "what cannot be created is 73" {
	: >file
	expect 73 "$FETCHD" "$NOWHERE" file
	said "$PWD/file: not a Maildir"
	expect 73 "$FETCHD" "$NOWHERE" file/in
	said "file/in: cannot create directory: Not a directory"
	expect 73 env XDG_STATE_HOME="$PWD/file" "$FETCHD" "$NOWHERE" in
	said "cannot create directory: Not a directory"
}

@test "the state is where XDG_STATE_HOME, HOME or STATE_DIRECTORY say" {
	expect 75 "$FETCHD" "$NOWHERE" in
	ls "$XDG_STATE_HOME"/mailroom/fetchd/url-*.db
	expect 75 env -u XDG_STATE_HOME "$FETCHD" "$NOWHERE" in
	ls "$HOME"/.local/state/mailroom/fetchd/url-*.db
	expect 75 env STATE_DIRECTORY="$PWD/s:$PWD/t" "$FETCHD" "$NOWHERE" in
	ls s/url-*.db
	[ ! -e t ]
	# Nobody else may read it.
	assert_eq "" "$(find "$XDG_STATE_HOME" "$HOME/.local" s -perm /077)"
}

@test "a second run says who holds the lock, and --wait waits" {
	local lock rc=0
	expect 75 "$FETCHD" "$NOWHERE" in
	lock=$(echo "$XDG_STATE_HOME"/mailroom/fetchd/url-*.lock)
	[ -e "$lock" ]
	# The mere existence of the file locks nobody out.
	expect 75 "$FETCHD" "$NOWHERE" in
	said "Connection refused"
	exec 8<>"$lock"
	flock -n 8
	echo 4711 >"$lock"
	expect 75 "$FETCHD" "$NOWHERE" in
	said "locked by process 4711 (--wait waits for it)"
	"$FETCHD" --wait "$NOWHERE" in 2>log 8>&- &
	sleep 1
	kill -0 $!
	[ ! -s log ]
	exec 8>&-
	wait $! || rc=$?
	assert_eq 75 "$rc" "exit status"
	assert_contains "$(<log)" "Connection refused"
}

@test "--wait ends at once when told to" {
	local lock began rc=0
	expect 75 "$FETCHD" "$NOWHERE" in
	lock=$(echo "$XDG_STATE_HOME"/mailroom/fetchd/url-*.lock)
	exec 8<>"$lock"
	flock -n 8
	"$FETCHD" --wait "$NOWHERE" in 2>log 8>&- &
	sleep 0.5
	began=$SECONDS
	kill -TERM $!
	wait $! || rc=$?
	exec 8>&-
	assert_eq 0 "$rc" "exit status"
	[ $((SECONDS - began)) -le 2 ]
}

@test "the worst account's exit status wins, and each is named" {
	: >file
	config <<-END
		account a
		    user ada
		    pop3 $NOWHERE
		fetch a
		    deliver maildir ~/in
		fetch b
		    account a
		    deliver maildir $PWD/file
	END
	expect 75 "$FETCHD" a
	expect 73 "$FETCHD" b
	# A person is needed for b: that is worse than "later".
	for args in '' 'a b' 'b a'; do
		# shellcheck disable=SC2086 # words
		expect 73 "$FETCHD" $args
		said "fetchd: a: cannot connect"
		said "fetchd: b: $PWD/file: not a Maildir"
	done
}

@test "-q is silent but for errors; -v says what the sandbox is" {
	expect 75 "$FETCHD" -q "$NOWHERE" in
	assert_eq 1 "$(wc -l <<<"$stderr")" lines
	expect 75 "$FETCHD" -v "$NOWHERE" in
	said "sandbox: "
}

@test "lines under systemd carry their priority" {
	run --separate-stderr sh -c 'exec 2>err
		JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) \
		"$@"' sh "$FETCHD" "$NOWHERE" in
	assert_status 75
	[[ $(<err) == "<3>"*"Connection refused"* ]]
}
