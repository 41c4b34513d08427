#!/usr/bin/env bats
# shellcheck disable=SC2154
# The options of a sync section in all their combinations, each an account of
# its own, and all of them in one run: what may travel in which direction, what
# is made, removed, expunged or put in the trash, on which side; and names.

bats_require_minimum_version 1.5.0
load helper
load syncing

setup_file() {
	start_dovecot
}

# NAME LINE...: adds a sync section with these lines, of the user NAME, with
# $PWD/NAME as its Maildir.
section() {
	local name=$1
	shift
	{
		printf 'account %s\n    imap imap+plain://%s@127.0.0.1:%s\n' \
			"$name" "$name" "$IMAP_PORT"
		printf '    password-command printf pw\n'
		printf 'sync %s\n    maildir %s\n' "$name" "$PWD/$name"
		printf '    %s\n' "$@"
	} >>config
}

# STATUS ARGUMENT...: all sections of config.
all() {
	expect "$1" "$SYNCD" -c config "${@:2}"
}

# FILE TEXT
message() {
	printf 'From: a@example.org\nSubject: %s\nMessage-ID: <%s@x>\n\n%s\n' \
		"$2" "$2" "$2" >"$1"
}

# NAME FROM: a user with the mail of another one, whom no client has yet seen.
copy_user() {
	cp -a "$MAILROOT/$2" "$MAILROOT/$1"
}

# Looks at all messages, here and on the server, at once: in `at` is then for
# "MAILDIR SUBJECT" the message's file.
declare -gA at
census() {
	local line file dir
	at=()
	while IFS= read -r line; do
		file=${line%%:Subject: *}
		dir=${file%/*}
		at["${dir%/*} ${line#*:Subject: }"]=$file
	done < <(grep -rs '^Subject: ' "$MAILROOT" "$PWD" --include='*.*')
}

# MAILDIR SUBJECT: puts into `got` "-" when the census has not seen it, else its
# flags, or "none".
look() {
	got=${at["$1 $2"]--}
	case $got in
	-) ;;
	*:2,?*) got=${got##*:2,} ;;
	*) got=none ;;
	esac
}

# WORD...: what a bit each, of a number in $bits, says.
words_of() {
	local i word out=
	for ((i = 0; i < $#; i++)); do
		word=${*:i+1:1}
		[ $((bits >> i & 1)) -eq 0 ] || out+=" $word"
	done
	echo "${out:- none}"
}

# What is wrong, as a line of a table.
wrong=
# WHO WHAT WANT [GOT]: default what `look` has found
check() {
	[ "$3" = "${4-$got}" ] ||
		wrong+="$1: $2: want <$3>, got <${4-$got}>"$'\n'
}

# WHO WHAT WANT MAILDIR SUBJECT
check_at() {
	look "$4" "$5"
	check "$1" "$2" "$3"
}

# CONDITION YES NO: puts YES or NO into `want`.
choose() {
	if (($1)); then want=$2; else want=$3; fi
}

verdict() {
	[ -z "$wrong" ] || fail "$wrong"
}

# MAILDIR FLAGS SUBJECT: marks the message by renaming its file.
mark() {
	rename_to "${at["$1 $3"]}" "$1/cur" "$2"
}

remove_message() {
	rm "${at["$1 $2"]}"
}

# --- pull and push ---------------------------------------------------------------

# Of each account: five messages on both sides; then one is flagged there, one
# here, one is gone there, one here, and a new one is on each side.
prepare_matrix() {
	local i name m
	for m in flag-there flag-here gone-there gone-here still; do
		message "$m.eml" "$m"
		feed model INBOX "$m.eml"
	done
	message new-there.eml new-there
	message new-here.eml new-here
	for ((i = 0; i < 64; i++)); do
		copy_user "m$i" model
		section "m$i"
	done
	all 0
	chown --reference="$MAILROOT/model" new-there.eml
	census
	for ((i = 0; i < 64; i++)); do
		name=m$i
		mark "$MAILROOT/$name" S flag-there
		mark "$PWD/$name/INBOX" F flag-here
		remove_message "$MAILROOT/$name" gone-there
		remove_message "$PWD/$name/INBOX" gone-here
		cp -p new-there.eml "$MAILROOT/$name/new/1.new-there.h"
		cp new-here.eml "$name/INBOX/new/1.new-here.h"
	done
}

# ACCOUNT PULL PUSH: bits new 1, flags 2, gone 4.
check_matrix() {
	local here=$PWD/$1/INBOX there=$MAILROOT/$1 want
	local who="$1 (pull $2, push $3)"
	check_at "$who" "still, here" none "$here" still
	check_at "$who" "still, there" none "$there" still
	choose "$2 & 1" none -
	check_at "$who" "new there" "$want" "$here" new-there
	choose "$3 & 1" none -
	check_at "$who" "new here" "$want" "$there" new-here
	choose "$2 & 2" S none
	check_at "$who" "flagged there" "$want" "$here" flag-there
	check_at "$who" "... and there" S "$there" flag-there
	choose "$3 & 2" F none
	check_at "$who" "flagged here" "$want" "$there" flag-here
	check_at "$who" "... and here" F "$here" flag-here
	choose "$2 & 4" - none
	check_at "$who" "gone there" "$want" "$here" gone-there
	check_at "$who" "... and there" - "$there" gone-there
	choose "$3 & 4" - none
	check_at "$who" "gone here" "$want" "$there" gone-here
	check_at "$who" "... and here" - "$here" gone-here
}

@test "pull and push: all 64 combinations of new, flags, gone in each direction" {
	local i bits pull
	prepare_matrix
	rm config
	for ((i = 0; i < 64; i++)); do
		bits=$((i & 7))
		pull=$(words_of new flags gone)
		bits=$((i >> 3))
		section "m$i" "pull$pull" "push$(words_of new flags gone)"
	done
	all 0
	census
	for ((i = 0; i < 64; i++)); do
		check_matrix "m$i" $((i & 7)) $((i >> 3))
	done
	verdict
	# what was let be is let be
	all 0 -p
	assert_eq "" "$output$stderr"
	census
	for ((i = 0; i < 64; i++)); do
		check_matrix "m$i" $((i & 7)) $((i >> 3))
	done
	verdict
	# and when all may travel, it does; but for what went and was kept
	rm config
	for ((i = 0; i < 64; i++)); do
		section "m$i"
	done
	all 0
	census
	for ((i = 0; i < 64; i++)); do
		check_at "m$i" "new there" none "$PWD/m$i/INBOX" new-there
		check_at "m$i" "new here" none "$MAILROOT/m$i" new-here
		check_at "m$i" "flagged there" S "$PWD/m$i/INBOX" flag-there
		check_at "m$i" "flagged here" F "$MAILROOT/m$i" flag-here
	done
	verdict
}

# --- folders ------------------------------------------------------------------------

# WHO WHAT yes|no DIRECTORY
check_folder() {
	got=no
	[ ! -d "$4/cur" ] || got=yes
	check "$1" "$2" "$3"
}

@test "create and remove: all 16 combinations" {
	local i bits create name
	message a.eml a
	for m in . .gone-here .gone-there; do
		m=${m#.}
		feed folders "${m:-INBOX}" a.eml
	done
	for ((i = 0; i < 16; i++)); do
		copy_user "f$i" folders
		section "f$i"
	done
	all 0
	rm config
	for ((i = 0; i < 16; i++)); do
		name=f$i
		bits=$((i & 3))
		create=$(words_of local remote)
		bits=$((i >> 2))
		section "$name" "create$create" "remove$(words_of local remote)"
		rm -r "$name/gone-here"
		rm -r "$MAILROOT/$name/.gone-there"
		mkdir -p "$name"/new-here/{cur,new,tmp}
		cp -a "$MAILROOT/$name/.gone-here" "$MAILROOT/$name/.new-there"
		rm -f "$MAILROOT/$name/.new-there"/dovecot*
	done
	all 0
	all 0
	for ((i = 0; i < 16; i++)); do
		local here=$PWD/f$i there=$MAILROOT/f$i want who
		local cl=$((i & 1)) cr=$((i >> 1 & 1)) rl=$((i >> 2 & 1)) rr=$((i >> 3))
		who="f$i (create local $cl remote $cr, remove local $rl remote $rr)"
		choose "cl" yes no
		check_folder "$who" "new there" "$want" "$here/new-there"
		choose "cr" yes no
		check_folder "$who" "new here" "$want" "$there/.new-here"
		choose "rr" no yes
		check_folder "$who" "gone here, there" "$want" "$there/.gone-here"
		choose "!rr && cl" yes no
		check_folder "$who" "gone here, here" "$want" "$here/gone-here"
		choose "rl" no yes
		check_folder "$who" "gone there, here" "$want" "$here/gone-there"
		choose "!rl && cr" yes no
		check_folder "$who" "gone there, there" "$want" "$there/.gone-there"
	done
	verdict
}

# --- deletions ----------------------------------------------------------------------

@test "expunge and trash: all 16 combinations" {
	local i bits m
	for m in gone-here gone-there marked-here marked-there still; do
		message "$m.eml" "$m"
		feed deletions INBOX "$m.eml"
	done
	message trash.eml trash
	feed deletions Trash trash.eml
	for ((i = 0; i < 16; i++)); do
		copy_user "d$i" deletions
		section "d$i"
	done
	all 0
	rm config
	census
	for ((i = 0; i < 16; i++)); do
		bits=$((i & 3))
		local lines=("expunge$(words_of local remote)")
		bits=$((i >> 2))
		[ $bits -eq 0 ] || [ $bits -eq 3 ] ||
			lines+=("trash Trash$(words_of local remote)")
		[ $bits -ne 3 ] || lines+=("trash Trash")
		section "d$i" "${lines[@]}"
		remove_message "$PWD/d$i/INBOX" gone-here
		remove_message "$MAILROOT/d$i" gone-there
		mark "$PWD/d$i/INBOX" T marked-here
		mark "$MAILROOT/d$i" T marked-there
	done
	all 0
	all 0
	census
	for ((i = 0; i < 16; i++)); do
		local here=$PWD/d$i there=$MAILROOT/d$i want who
		local el=$((i & 1)) er=$((i >> 1 & 1)) tl=$((i >> 2 & 1)) tr=$((i >> 3))
		who="d$i (expunge local $el remote $er, trash local $tl remote $tr)"
		check_at "$who" "still" none "$here/INBOX" still
		check_at "$who" "still" none "$there" still
		choose "er" - T
		check_at "$who" "gone here, there" "$want" "$there" gone-here
		check_at "$who" "gone here" - "$here/INBOX" gone-here
		choose "el" - T
		check_at "$who" "gone there, here" "$want" "$here/INBOX" gone-there
		check_at "$who" "gone there" - "$there" gone-there
		# a mark here is a wish, for both sides; one there is shown
		choose "er && el" - T
		check_at "$who" "marked here" "$want" "$here/INBOX" marked-here
		choose "er" - T
		check_at "$who" "marked here, there" "$want" "$there" marked-here
		check_at "$who" "marked there" T "$there" marked-there
		check_at "$who" "marked there, here" T "$here/INBOX" marked-there
		# what went, and was to go to the trash first, is in both
		choose "er && tr" none -
		check_at "$who" "trash: gone here" "$want" "$here/Trash" gone-here
		check_at "$who" "trash: gone here" "$want" "$there/.Trash" gone-here
		choose "el && tl" none -
		check_at "$who" "trash: gone there" "$want" "$here/Trash" gone-there
		check_at "$who" "trash: gone there" "$want" "$there/.Trash" gone-there
		check_at "$who" "trash" none "$here/Trash" trash
		check_at "$who" "trash" none "$there/.Trash" trash
	done
	verdict
}

# --- names --------------------------------------------------------------------------

# With file names that are not those of Maildir++, a server can have them all.
# shellcheck disable=SC2016 # no command, a name
awkward=('Entwürfe' '日本語/受信 メール' 'two  words' 'a.b' 'a.b/c.d' 'q"uote'
	"it's" 'back\slash' 'R&D' '&' 'x_y' 'x_y/z_w' 'INBOX/Sub/sub' 'Inboxes'
	'A' 'A/B' 'A/B/C' '😀' 't~lde' '#hash' '(a) {b} [c]' '50%25' '-n' 'é&é'
	'$(id)' 'semi;colon' 'colon:2,S' 'ends.' 'é')

# NAME: the folders of a user, a line each.
folders_there() {
	there mailbox list -u "$1" | sort
}

@test "layouts, and awkward names: here and back again" {
	local l n nth=0 dir
	EXTRA="mail_location = maildir:$BATS_TEST_TMPDIR/fs/mail/%u:LAYOUT=fs" \
		start_dovecot "$BATS_TEST_TMPDIR/fs"
	message a.eml a
	for n in INBOX "${awkward[@]}"; do
		[ "$n" = INBOX ] || there mailbox create -u names -- "$n"
		there save -u names -m "$n" <a.eml
	done
	folders_there names >want
	for l in nested maildir++ 'flat _' 'flat .' 'flat &'; do
		nth=$((nth + 1))
		dir=$PWD/tree$nth
		expect 0 "$SYNCD" -o 'password-command=printf pw' -o "layout=$l" \
			"imap+plain://names@127.0.0.1:$IMAP_PORT" "$dir"
		assert_eq $((${#awkward[@]} + 1)) \
			"$(find "$dir" -path '*/new/*' -type f | wc -l)" "$l"
		expect 0 "$SYNCD" -o 'password-command=printf pw' -o "layout=$l" -p \
			"imap+plain://names@127.0.0.1:$IMAP_PORT" "$dir"
		assert_eq "" "$output" "$l"
		# another server gets them from there
		expect 0 "$SYNCD" -o 'password-command=printf pw' -o "layout=$l" \
			"imap+plain://back$nth@127.0.0.1:$IMAP_PORT" "$dir"
		folders_there "back$nth" >got
		diff want got || fail "$l: other folders"
		assert_eq $((${#awkward[@]} + 1)) "$(there mailbox status \
			-u "back$nth" messages '*' | grep -c ' messages=1$')" "$l"
	done
	[ -d tree1/A/B/C/cur ] && [ -d tree1/INBOX/Sub/sub/cur ] &&
		[ -d 'tree1/日本語/受信 メール/cur' ] || fail "$(find tree1 -name cur)"
	[ -d tree2/cur ] && [ -d tree2/.A.B.C/cur ] &&
		[ -d tree2/.INBOX.Sub.sub/cur ] || fail "$(find tree2 -name cur)"
	[ -d tree3/A_B_C/cur ] && [ -d tree3/INBOX/cur ] &&
		[ -d tree3/x%5Fy_z%5Fw/cur ] || fail "$(find tree3 -name cur)"
}

@test "names that a Maildir has for itself" {
	local l n nth=0
	message a.eml a
	for n in cur new tmp/new cur/tmp/cur %2F maildirfolder; do
		feed parts "$n" a.eml
	done
	feed parts INBOX a.eml
	folders_there parts >want
	for l in nested maildir++ 'flat +'; do
		nth=$((nth + 1))
		expect 0 "$SYNCD" -o 'password-command=printf pw' -o "layout=$l" \
			"imap+plain://parts@127.0.0.1:$IMAP_PORT" "$PWD/tree$nth"
		assert_eq 7 "$(find "tree$nth" -path '*/new/*' -type f | wc -l)" "$l"
		expect 0 "$SYNCD" -o 'password-command=printf pw' -o "layout=$l" \
			"imap+plain://parts$nth@127.0.0.1:$IMAP_PORT" "$PWD/tree$nth"
		folders_there "parts$nth" >got
		diff want got || fail "$l: other folders"
	done
}
