#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own
# The server side of syncd against Dovecot, by a driver that asks what syncd
# asks: with all that Dovecot can do ("full"), without QRESYNC, MOVE and
# MULTIAPPEND ("cond"), and with nothing but IMAP4rev1 ("bare").

load helper

DRIVER=$BUILD/tests/syncd/remote_driver
PROXY=$BUILD/tests/bench/proxy
KINDS='full cond bare'
U=t${BATS_TEST_NUMBER:-0}

# KIND [CAPABILITIES]
start_kind() {
	local extra='namespace inbox {
	  mailbox Trash {
	    special_use = \Trash
	  }
	}'
	[ $# -eq 1 ] || extra+="
		imap_capability = IMAP4rev1 $2"
	EXTRA=$extra start_dovecot "$BATS_FILE_TMPDIR/$1"
}

setup_file() {
	start_kind full
	start_kind cond 'CONDSTORE ESEARCH ENABLE UIDPLUS LITERAL- SPECIAL-USE'
	start_kind bare ''
}

setup() {
	setup_env
	cd "$BATS_TEST_TMPDIR" || return
	export BODIES=$BATS_TEST_TMPDIR/bodies
	mkdir -p "$BODIES"
}

# A test that starts a server of its own stops it.
teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/own/env" ] ||
		stop_server "$BATS_TEST_TMPDIR/own"
}

teardown_file() {
	stop_servers
}

# KIND: that server from now on.
use() {
	KIND=$1
	SERVER=$BATS_FILE_TMPDIR/$1
	# shellcheck source=/dev/null
	. "$SERVER/env"
	export STATE=$BATS_TEST_TMPDIR/state.$1
}

# CONFIGURATION: a server for this test alone.
use_own() {
	EXTRA=$1 start_dovecot "$BATS_TEST_TMPDIR/own"
	KIND=own
	export STATE=$BATS_TEST_TMPDIR/state.own
}

# OPERATION...: does it; what is printed goes to the file `got`.
drive() {
	"$DRIVER" "imap+plain://$U@127.0.0.1:$IMAP_PORT" "$@" >got 2>&1 || {
		cat got >&2
		return 1
	}
	# How long it took Dovecot.
	sed -i 's/ ([0-9.]* + [0-9. +]* secs)\././' got
}

# What was printed is standard input.
prints() {
	cat >want
	diff want got || fail "$KIND: not as it should be"
}

# PATTERN...: no line of what was printed is like that.
absent() {
	! grep "$@" got || fail "$KIND: should not be there"
}

# N PATTERN: so many lines are.
counts() {
	assert_eq "$1" "$(grep -c "$2" got)" "$KIND: lines with $2"
}

# OPERATION...: as another client would.
other() {
	local rc=0
	STATE=$STATE.other "$DRIVER" \
		"imap+plain://$U@127.0.0.1:$IMAP_PORT" "$@" >other 2>&1 || rc=$?
	if [ $rc -ne 0 ] || grep -q ': error' other; then
		fail "$(cat other)"
	fi
}

# FILE OPERATION...: waits until a drive in the background is at `wait FILE`, does
# that as another client, and lets it go on.
meanwhile() {
	local i file=$1
	shift
	for ((i = 0; i < 500; i++)); do
		[ ! -e "$file.there" ] || break
		sleep 0.02
	done
	other "$@"
	touch "$file"
}

# FIELD VALUE FOLDER: what is remembered is changed. Fields: 1 UIDVALIDITY, 2
# UIDNEXT, 3 modseq, 4 messages, 5 UIDs.
forge() {
	awk -v field="$1" -v value="$2" -v folder="$3" '
		$6 == folder { $field = value }
		{ print }' "$STATE" >forged && mv forged "$STATE"
}

# N: so many messages, 1.eml and on.
letters() {
	local i
	for ((i = 1; i <= $1; i++)); do
		printf 'Subject: %d\nMessage-ID: <%d@example.org>\n\nText %d\n' \
			"$i" "$i" "$i" >"$i.eml"
	done
}

# FILE: as it is on the wire.
crlf() {
	perl -0777 -pe 's/(?<!\r)\n/\r\n/g' "$1"
}

# COOKIE.UID FILE: that one came, as it is.
came() {
	crlf "$2" | cmp - "$BODIES/$1"
}

# Three folders are filled, looked at, and remembered.
look() {
	feed "$U" INBOX 5 512
	feed "$U" A 3 512
	feed "$U" B 2 512
	drive survey -- diffs sizes INBOX A B
}

# --- what there is --------------------------------------------------------------

@test "survey" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		feed "$U" INBOX 3 100
		feed "$U" A/B 2 100
		feed "$U" 'Entw&APw-rfe' 1 100
		feed "$U" Trash 1 100
		drive survey
		assert_eq "$([ "$kind" = bare ] && echo 0 || echo 4)" \
			"$(grep -c ' modseq$' got || true)" "with a modseq"
		# UIDVALIDITY is a number that nobody knows; A is only in a path.
		sed -i 's/ modseq$//; /Trash/ s/ attrs=4000//
			s/ \([0-9]* [0-9]*\) [0-9]*$/ \1/
			s/ attrs=[39]$/ none/' got
		sort -o got got
		prints <<-'END'
			folder A sep=/ none
			folder A/B sep=/ 2 3
			folder Entwürfe sep=/ 1 2
			folder INBOX sep=/ 3 4
			folder Trash sep=/ 1 2
		END
	done
}

@test "survey: special use" {
	use full
	feed "$U" Trash 1 100
	drive survey
	counts 1 'folder Trash sep=/ attrs=4000 1 2'
}

@test "survey: without LIST-STATUS, STATUS is asked where it is wanted" {
	use cond
	feed "$U" A 1 100
	feed "$U" B 1 100
	feed "$U" C 1 100
	PROTOCOL=1 drive survey '*' '!B'
	counts 3 '> A[0-9]* STATUS' # A, C, INBOX
	absent 'STATUS "B"'
	counts 1 '^folder B sep=/$'
}

@test "survey: subscribed" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		feed "$U" A 1 100
		feed "$U" B 1 100
		echo B >"$MAILROOT/$U/subscriptions"
		drive survey subscribed
		counts 1 '^folder B.* attrs=10 1 2'
		absent '^folder A.* attrs'
	done
}

@test "survey: a prefix of the personal namespace" {
	use_own 'namespace inbox {
	  prefix = INBOX.
	  separator = .
	}
	namespace shared {
	  type = shared
	  separator = .
	  prefix = shared.%%u.
	  location = maildir:/nonexistent/%%u
	  list = children
	}'
	feed "$U" INBOX 1 100
	drive survey -- create Lists.foo shared -- survey
	sed -i '1d; s/ attrs=[0-9a-f]*//; s/ \([0-9]* [0-9]*\) [0-9]* modseq$/ \1/' got
	sort -o got got
	prints <<-'END'
		create Lists.foo: done
		create shared: done
		folder INBOX sep=. 1 2
		folder Lists sep=.
		folder Lists.foo sep=. 0 1
		folder shared sep=. 0 1
	END
	[ -d "$MAILROOT/$U/.Lists.foo" ]
	letters 1
	drive survey -- diffs INBOX Lists.foo -- move INBOX 1 Lists.foo -- \
		append INBOX . 0 1.eml -- fetch Lists.foo 1
	counts 1 '^move INBOX: copied=1 .* 1>1$'
	counts 1 '^message 0.1'
}

# --- what has changed ------------------------------------------------------------

@test "diffs: first all, then what changed" {
	local kind m size
	letters 2
	size=$(crlf 1.eml | wc -c)
	for kind in $KINDS; do
		use "$kind"
		look
		sed -i '/^folder/d; /^change/s/ [0-9]*$/ SIZE/' got
		m=$([ "$kind" = bare ] || echo ' modseq')
		prints <<-END
			diff INBOX next=6 exists=5$m complete may SRFTDP* gone=-
			change INBOX 1 . SIZE
			change INBOX 2 . SIZE
			change INBOX 3 . SIZE
			change INBOX 4 . SIZE
			change INBOX 5 . SIZE
			diff A next=4 exists=3$m complete may SRFTDP* gone=-
			change A 1 . SIZE
			change A 2 . SIZE
			change A 3 . SIZE
			diff B next=3 exists=2$m complete may SRFTDP* gone=-
			change B 1 . SIZE
			change B 2 . SIZE
		END
		other diffs INBOX B -- store INBOX 2 +SF INBOX 3 +Da -- \
			delete INBOX 4:5 B 1:2 -- \
			append INBOX R 0 1.eml INBOX . 0 2.eml
		drive survey -- diffs sizes INBOX A B
		# CHANGEDSINCE tells sizes too; a listing what has not changed.
		sed -i '/^folder/d; s/^\(change [A-Z]* [1-5] .*\) 52[0-9]$/\1/' got
		[ "$kind" != bare ] || sed -i '/^change INBOX 1 /d
			/^change A/d; s/ complete//' got
		prints <<-END
			diff INBOX next=8 exists=5$m may SRFTDP* gone=4:5
			change INBOX 2 SF
			change INBOX 3 Da
			change INBOX 6 R $size
			change INBOX 7 . $size
			diff A next=4 exists=3$m may SRFTDP* gone=-
			diff B next=3 exists=0$m may SRFTDP* gone=1:2
		END
		# And now there is nothing more, whoever looks, and however.
		drive diffs sizes INBOX A B
		counts 3 'gone=-$'
		[ "$kind" = bare ] || absent '^change'
		drive diffs full INBOX
		counts 5 '^change INBOX'
		counts 1 ' complete .* gone=-$'
	done
}

@test "diffs: what comes between the survey and the SELECT" {
	local kind pid
	letters 1
	for kind in $KINDS; do
		use "$kind"
		feed "$U" INBOX 2 100
		drive survey -- diffs sizes INBOX
		drive survey -- wait "$kind.go" -- diffs sizes ids INBOX &
		pid=$!
		meanwhile "$kind.go" append INBOX S 0 1.eml
		wait $pid
		counts 1 "^change INBOX 3 S $(crlf 1.eml | wc -c)\$"
		counts 1 '^diff INBOX next=4 exists=3 .* gone=-$'
		# The flags of the others are not told anew for that.
		[ "$kind" = bare ] || counts 1 '^change'
	done
}

@test "diffs: one folder is missing" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		drive diffs INBOX nix A gone/too B
		counts 2 '^diff .*: error 7'
		counts 3 '^diff .* gone=-$'
		drive diffs nix
		counts 1 '^diff nix: error 7'
	done
}

@test "diffs: UIDVALIDITY is another" {
	local kind how
	for kind in $KINDS; do
		use "$kind"
		look
		for how in survey ''; do
			forge 1 77 INBOX
			# shellcheck disable=SC2086 # none, when it is none
			drive $how -- diffs sizes INBOX A
			counts 1 '^diff INBOX next=6 exists=5.* complete moved .* gone=-$'
			counts 5 '^change INBOX . . 52.$'
			absent 'diff A .*moved'
		done
	done
}

@test "diffs: numbers that cannot be right" {
	local kind
	for kind in full cond; do
		use "$kind"
		look
		forge 3 4000000 INBOX # the server has lost its past
		forge 2 77 A
		drive diffs INBOX A
		counts 1 '^diff INBOX .* complete .* gone=-$'
		counts 5 '^change INBOX'
		counts 1 '^diff A .* complete .* gone=-$'
	done
}

@test "diffs: more is remembered than the server can account for" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		forge 4 9 INBOX
		forge 5 1:9 INBOX
		drive survey -- diffs INBOX
		counts 1 '^diff INBOX .* gone=6:9$'
		# CHANGEDSINCE comes with a SEARCH, which is enough.
		[ "$kind" = cond ] || counts 1 '^diff INBOX .* complete'
		# Less, for nobody wants the rest: no reason to list it.
		look
		forge 5 4:5 INBOX
		drive survey -- diffs INBOX
		counts 1 '^diff INBOX .* gone=-$'
		[ "$kind" = bare ] || absent '^diff INBOX .* complete'
	done
}

@test "diffs: keywords" {
	local kind
	letters 1
	for kind in $KINDS; do
		use "$kind"
		drive append INBOX abP 0 1.eml -- diffs INBOX -- \
			store INBOX 1 +cS-aP -- diffs INBOX
		counts 1 '^change INBOX 1 Pab$'
		counts 1 '^change INBOX 1 Sbc$'
	done
}

@test "diffs: read-only" {
	use_own 'mail_plugins = acl
	protocol imap {
	  mail_plugins = acl
	}
	plugin {
	  acl = vfile
	}'
	feed "$U" INBOX 1 100
	feed "$U" A 1 100
	echo 'owner lr' >"$MAILROOT/$U/.A/dovecot-acl"
	drive diffs INBOX A
	counts 1 '^diff INBOX .* may SRFTDP\* gone'
	counts 1 '^diff A .* readonly may \. gone'
}

# --- messages ---------------------------------------------------------------------

# FILE: Dovecot changes it when it stores it: NULs, and a CR that it takes for a
# part of a line's end.
odd() {
	case ${1##*/} in
	all-bytes.eml | bare-lf-dot.eml | empty.eml | lone-cr*.eml | nul*.eml) ;;
	*) return 1 ;;
	esac
}

@test "append and fetch: messages of every shape" {
	local kind f i args
	for kind in $KINDS; do
		use "$kind"
		args=() i=0
		for f in "$ROOT"/tests/mail/*.eml; do
			odd "$f" || args+=(INBOX SFa 1000000000 "$f")
		done
		drive append "${args[@]}" -- fetch INBOX 1:99
		for f in "$ROOT"/tests/mail/*.eml; do
			odd "$f" && continue
			i=$((i + 1))
			# Dovecot tells it whatever it says it can do.
			counts 1 "^append ${f##*/}: done=1 uid=$i\$"
			came 0.$i "$f"
			counts 1 "^message 0.$i SFa .* 09-Sep-2001 01:46:40 +0000"
		done
		counts $i '^message'
		counts $((99 - i)) '^missing'
	done
}

@test "append and fetch: large ones, small ones, in between" {
	local kind i args
	head -c 9000000 /dev/zero | tr '\0' x | fold -w 99 >large.eml
	head -c 100000 /dev/urandom | base64 >middling.eml
	letters 30
	for kind in $KINDS; do
		use "$kind"
		args=(A . 0 large.eml A . 0 middling.eml)
		for i in {1..30}; do
			args+=(INBOX . "$i" "$i.eml")
		done
		args+=(INBOX . 0 middling.eml INBOX . 0 large.eml A . 0 1.eml)
		drive create A -- append "${args[@]}" -- \
			fetch INBOX 1:20 A 1:3 INBOX 21:32
		counts 35 '^append .*: done=1'
		for i in {1..30}; do
			came "$((i > 20 ? 2 : 0)).$i" "$i.eml"
		done
		came 1.1 large.eml
		came 1.2 middling.eml
		came 1.3 1.eml
		came 2.31 middling.eml
		came 2.32 large.eml
	done
}

@test "append: what cannot be stored holds up nothing" {
	local kind
	letters 2
	: >empty.eml
	for kind in $KINDS; do
		use "$kind"
		drive append INBOX . 0 1.eml INBOX . 0 empty.eml \
			INBOX . 0 nix.eml nix . 0 1.eml nix . 0 2.eml \
			INBOX . 0 2.eml -- fetch INBOX 1:3
		counts 2 '^append [12].eml: done=1'
		counts 1 '^append empty.eml: error 5: .* empty message'
		counts 1 '^append nix.eml: error 5: the message is gone'
		counts 2 '^append [12].eml: error 7: folder nix: APPEND: .*TRYCREATE'
		counts 2 '^append [12].eml: code 11' # TRYCREATE
		came 0.1 1.eml
		came 0.2 2.eml
		counts 1 '^missing 0.3'
	done
}

@test "append: NULs" {
	printf 'Subject: nul\n\na\0b\n' >nul.eml
	letters 1
	use full
	drive append INBOX . 0 nul.eml INBOX . 0 1.eml
	counts 1 '^append nul.eml: done=1'
	use cond
	drive append INBOX . 0 nul.eml INBOX . 0 1.eml
	counts 1 '^append nul.eml: error 5: .* NUL bytes, .* (no BINARY)'
	counts 1 '^append 1.eml: done=1 uid=1'
}

@test "append: over quota" {
	local i args=()
	use_own 'mail_plugins = quota
	protocol imap {
	  mail_plugins = quota imap_quota
	}
	plugin {
	  quota = count:User quota
	  quota_vsizes = yes
	  quota_rule = *:storage=20K
	  quota_grace = 0
	}'
	letters 9
	for i in 3 5 7; do
		head -c 9000 /dev/zero | tr '\0' x | fold -w 99 >>$i.eml
	done
	for i in {1..9}; do
		args+=(INBOX . 0 "$i.eml")
	done
	# The third large one is too much: not for those before it.
	drive append "${args[@]}"
	counts 6 '^append [1-6].eml: done=1'
	counts 1 '^append 7.eml: error 1: .*OVERQUOTA'
	counts 1 '^append 7.eml: code 25' # OVERQUOTA
	counts 9 '^append [1-9].eml: \(done\|error\)'
}

@test "fetch: parts, keywords, a folder that is not there, one that moved" {
	local kind n
	letters 3
	for kind in $KINDS; do
		use "$kind"
		drive create A B -- append INBOX a 5 1.eml INBOX P 6 2.eml \
			A D 7 3.eml B . 8 1.eml -- diffs INBOX A B
		forge 1 99 A
		drive fetch INBOX 1:2 A 1 nix 1 B 1
		counts 1 '^fetch A: error 1: .*UIDVALIDITY changed from 99 to'
		counts 1 '^fetch nix: error 7'
		absent '^m[a-z]* [12]\.'
		n=$(crlf 1.eml | wc -c)
		counts 1 "^message 0.1 a $n $n 01-Jan-1970 00:00:05 +0000"
		counts 1 '^message 0.2 P '
		counts 1 '^message 3.1 \. '
		drive fetch header INBOX 2
		sed '/^$/q' 2.eml >part.eml
		came 0.2 part.eml
		drive fetch id INBOX 1:2
		printf 'Message-ID: <2@example.org>\n\n' >part.eml
		came 0.2 part.eml
	done
}

@test "fetch: a thousand, in any order of asking" {
	use full
	feed "$U" INBOX 1000 200
	feed "$U" A 300 ~3000
	drive fetch INBOX 1:1100 A 300,1,7:99,150:151 INBOX 5
	counts 1000 '^message 0'
	counts 100 '^missing 0'
	counts 97 '^message 1'
	counts 1 '^message 2.5'
	assert_eq "$(find "$MAILROOT/$U/new" "$MAILROOT/$U/cur" -type f \
		-exec sh -c 'sed "s/\$/\r/" "$1" | sha256sum' - {} \; | sort)" \
		"$(find "$BODIES" -name '0.*' -exec sh -c \
			'sha256sum <"$1"' - {} \; | sort)" "what came"
}

# --- changes ----------------------------------------------------------------------

@test "store: flags and keywords, set and cleared, of many folders" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		drive store INBOX 1:3 +SFab A 2 +RT INBOX 2 -F A 1:3 +D-R B 9 +S \
			-- fetch INBOX 1:3 A 1:3
		counts 5 '^store .*: modified=-$'
		counts 1 '^message 0.1 SFab '
		counts 1 '^message 0.2 Sab '
		counts 1 '^message 1.1 D '
		counts 1 '^message 1.2 TD '
	done
}

@test "store: not over what changed meanwhile" {
	local kind
	for kind in full cond; do
		use "$kind"
		look
		other diffs INBOX -- store INBOX 2 +R
		drive store since INBOX 1:3 +F -- fetch INBOX 1:3
		counts 1 '^store INBOX: modified=2$'
		counts 1 '^message 0.1 F '
		counts 1 '^message 0.2 R '
		# What is set and cleared at once is guarded by the first.
		drive diffs INBOX -- store since INBOX 3 +S-F -- fetch INBOX 3
		counts 1 '^store INBOX: modified=-$'
		counts 1 '^message 0.3 S '
	done
}

@test "store: another UIDVALIDITY" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		cp "$STATE" saved
		forge 1 99 A
		drive store INBOX 1 +F A 1 +T B 1 +S -- fetch INBOX 1 B 1
		counts 1 '^store A: error 1: .*UIDVALIDITY changed from 99 to'
		counts 2 '^store .*: modified=-$'
		counts 1 '^message 0.1 F '
		counts 1 '^message 1.1 S '
		mv saved "$STATE"
		drive fetch A 1
		counts 1 '^message 0.1 \. ' # a deletion mark waits for that
	done
}

@test "move" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		drive move INBOX 2,4 A B 1 INBOX A 1:3 B -- diffs INBOX A B
		counts 1 '^move INBOX: copied=1 marked=0 code=0 2>4 4>5$'
		counts 1 '^move B: copied=1 marked=0 code=0 1>6$'
		counts 1 '^move A: copied=1 marked=0 code=0 1>3 2>4 3>5$'
		counts 1 '^diff INBOX .*exists=4 .* gone=2,4$'
		counts 1 '^diff A .*exists=2 .* gone=1:3$'
		counts 1 '^diff B .*exists=4 .* gone=1$'
	done
}

@test "move: to what is not there, from what is not there, over moved ground" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		forge 1 99 A
		drive move INBOX 1 nix nix 1 INBOX A 1 B INBOX 2 B
		counts 1 '^move INBOX: error 7: .*TRYCREATE'
		counts 1 '^move INBOX: copied=0 marked=0 code=11'
		counts 1 '^move nix: error 7: '
		counts 1 '^move A: error 1: .*UIDVALIDITY changed from 99'
		counts 1 '^move INBOX: copied=1 '
		drive diffs INBOX B
		counts 1 '^diff INBOX .*exists=4 .* gone=2$'
		counts 1 '^diff B .*exists=3 '
	done
}

@test "delete" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		drive delete INBOX 2,4 A 1:3 nix 1 B 7 -- diffs INBOX A B
		counts 3 '^delete .*: marked=0$'
		counts 1 '^delete nix: error'
		counts 1 '^diff INBOX .*exists=3 .* gone=2,4$'
		counts 1 '^diff A .*exists=0 .* gone=1:3$'
	done
}

@test "delete: what another client has marked stays" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		other diffs INBOX -- store INBOX 3 +T
		drive delete INBOX 2 A 1 -- diffs INBOX A
		counts 1 '^diff A .*exists=2 .* gone=1$'
		counts 1 '^change INBOX 3 T'
		if [ "$kind" = bare ]; then
			counts 1 '^delete INBOX: marked=1$'
			counts 1 'another client has marked some'
			counts 1 '^diff INBOX .*exists=5 .* gone=-$'
			counts 1 '^change INBOX 2 T'
		else
			counts 1 '^delete INBOX: marked=0$'
			counts 1 '^diff INBOX .*exists=4 .* gone=2$'
		fi
	done
}

@test "delete: another UIDVALIDITY" {
	local kind
	for kind in $KINDS; do
		use "$kind"
		look
		cp "$STATE" saved
		forge 1 99 A
		drive delete INBOX 1 A 1 B 1
		counts 1 '^delete A: error 1: .*UIDVALIDITY changed from 99 to'
		counts 2 '^delete .*: marked=0$'
		mv saved "$STATE"
		drive diffs A
		counts 1 '^diff A .*exists=3 .* gone=-$'
		absent '^change A . .*T'
	done
}

# --- folders -----------------------------------------------------------------------

@test "folders: made, renamed, removed" {
	local kind
	letters 1
	for kind in $KINDS; do
		use "$kind"
		drive create A/B A Entwürfe 'a "b" \c' INBOX
		counts 5 ': done$'
		drive rename Entwürfe 'Ä/&-é' -- survey subscribed
		counts 1 '^rename Entwürfe: done'
		counts 1 '^folder Ä/&-é .*attrs=[0-9a-f]*[1357]. '
		counts 1 '^folder a "b" \\c '
		absent '^folder Entw'
		drive append A/B . 0 1.eml -- diffs A/B A -- remove A/B -- \
			remove nix -- rename nix nax
		counts 1 '^remove A/B: error 5: .* there are messages in it'
		counts 1 '^remove nix: error'
		counts 1 '^rename nix: error'
		# One that is selected, too.
		drive diffs A/B -- delete A/B 1 -- remove A/B -- survey
		counts 1 '^remove A/B: done'
		absent '^folder A/B'
		cp "$MAILROOT/$U/subscriptions" got
		absent -x A/B
		counts 1 '^A$'
	done
}

# --- turns -------------------------------------------------------------------------

# OPERATION...: sets TURNS, UP and DOWN, of a session with 60 ms to the server.
measure() {
	local port proxy
	exec {out}< <(exec "$PROXY" -t "$IMAP_PORT" -d 60 -s stats)
	proxy=$!
	read -r -u "$out" port
	"$DRIVER" "imap+plain://$U@127.0.0.1:$port" "$@" >got 2>&1
	kill "$proxy"
	wait "$proxy" || true
	exec {out}<&-
	TURNS=$(sed -n 's/^turns //p' stats)
	UP=$(sed -n 's/^bytes_up //p' stats)
	DOWN=$(sed -n 's/^bytes_down //p' stats)
	absent ': error'
}

# N WHAT OPERATION...: that takes N turns more than the login.
turns() {
	local n=$1 what=$2
	shift 2
	measure "$@"
	echo "$KIND: $what: $((TURNS - LOGIN)) turns, $UP bytes up, $DOWN down"
	assert_eq "$n" "$((TURNS - LOGIN))" "turns of $what"
}

@test "turns: a flight for all folders" {
	local kind i some args
	letters 100
	for kind in full cond; do
		use "$kind"
		some=()
		for i in {1..50}; do
			feed "$U" "F$i" 2 200
			[ "$i" -gt 20 ] || some+=("F$i")
		done
		measure
		LOGIN=$TURNS
		turns "$([ "$kind" = full ] && echo 1 || echo 2)" survey survey
		[ "$kind" = cond ] || [ "$DOWN" -le 8192 ]
		turns 1 'the first diffs' diffs sizes "${some[@]}"
		turns 1 'more diffs' diffs sizes "${some[@]}"
		args=()
		for i in {1..20}; do
			args+=("F$i" 1:2)
		done
		turns 1 fetch fetch "${args[@]}"
		counts 40 '^message'
		args=()
		for i in {1..20}; do
			args+=("F$i" 1:2 +S-R)
		done
		turns 1 store store "${args[@]}"
		args=()
		for i in {1..5}; do
			args+=("F$i" 1)
		done
		# SELECT is waited for; it goes with the deletions before it.
		turns 6 delete delete "${args[@]}"
		args=()
		for i in {1..100}; do
			args+=("F$((i / 10 + 1))" S 0 "$i.eml")
		done
		turns 1 append append "${args[@]}"
		counts 100 ': done=1'
		turns 1 create create {a..z}
	done
}
