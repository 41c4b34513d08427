# shellcheck shell=bash
# What tests/fault/run does to sendq. Sourced there, never run.
#
# SCENARIO is what is struck:
#	accept		sendq -t takes a message (and starts no runner)
#	accept-large	one with more than fits a buffer, and with lines to be recoded
#	accept-now	and starts a runner, which is struck as well
#	run		sendq --run, with three messages in the queue, for a server
#			with PIPELINING and CHUNKING: all in one flight
#	run-data	without CHUNKING: a message a turn
#	run-slow	without PIPELINING, too: a command a turn
#	run-many	with 150 messages, in two sessions; some 60 points of each
#			fault, others each time; with $SOAK only, as are some other
#			faults
#	remove		sendq --remove, of one of these
#	retry		sendq --retry-now, of one that failed
# The first two messages of a run are for one recipient and for two, who take
# them; the third is for two, of whom one does not.
#
# A message may arrive only whole, and may not be missing when its caller has
# seen an exit status of 0. What is struck exits otherwise with 73, 74 or 75,
# having said why; accepting, it then has left nothing behind.
#
# The next run, at once, sends nothing for a second time: of a message of which
# nobody knows whether it was sent, it notes that ("uncertain"). The one after
# that takes place two hours later. Then the queue is empty and no litter is
# left; each message arrived once, or twice if it was uncertain and had arrived;
# its sent copy is there once; one report tells of the failed recipient; the log
# has a line for each recipient.
# shellcheck disable=SC2034 # run reads some, others by their names

NUMBER='Message-ID: <([0-9]+)@x>'
SENDQ=$BUILD/sendq SINK=$BUILD/tests/peer/sink LATER_SO=$BUILD/tests/fault/later.so
declare -a MESSAGE=() IDS=() COPY=()
scenario='' must='' may='' had='' reports=0 seen=''
sink='' PORT=''

DISK='kill full bad filling harsh soft'
matrix() {
	local more='' far=''
	[ -z "${SOAK-}" ] || more='full bad filling harsh soft down up' far='down up'
	echo "accept $DISK"
	echo "accept-large $DISK"
	echo "accept-now kill bad harsh soft"
	echo "run $DISK down-1 up-1 $far"
	echo "run-data $DISK down up down-1 up-1"
	echo "run-slow kill down-1 up-1 $more"
	echo "remove $DISK"
	echo "retry $DISK"
	[ -z "${SOAK-}" ] || echo "run-many $DISK down-1 up-1 down up"
}

# --- mail, and the server -------------------------------------------------------

HEAD=$'Date: Wed, 25 Nov 2026 10:00:00 +0000\nFrom: a@x.org\n'
begin() {
	local i
	mkdir msgs
	{
		printf '%sMessage-ID: <1@x>\nTo: b@x.org\n\n.\n..\n' "$HEAD"
	} >msgs/1
	{
		printf '%sMessage-ID: <2@x>\nTo: b@x.org\nBcc: c@x.org\n' "$HEAD"
		printf 'Subject: two\n\n'
	} >msgs/2
	{
		printf '%sMessage-ID: <3@x>\n' "$HEAD"
		printf 'To: b@x.org, nobody-d@x.org\n\nthree\n'
	} >msgs/3
	{
		printf '%sMessage-ID: <4@x>\nTo: b@x.org\n\n' "$HEAD"
		for i in {1..4}; do
			printf '%30000d\n' "$i"
		done
		for i in {1..3000}; do
			printf '%d %d %d\n' "$i" "$i" "$i"
		done
	} >msgs/4
	for i in {11..160}; do
		printf '%sMessage-ID: <%d@x>\nTo: b@x.org\n\n%d\n' "$HEAD" "$i" \
			"$i" >msgs/"$i"
	done
}

end() {
	local pid
	for pid in "$T"/w*/sink.pid; do
		kill "$(<"$pid")" 2>/dev/null
	done
}

# OPTION...: a server for this worker.
start_sink() {
	local i
	[ -z "$sink" ] || kill "$sink"
	rm -rf port got
	mkdir got
	"$SINK" -p port "$@" got >sink.out 2>&1 &
	sink=$!
	echo $sink >sink.pid
	for ((i = 0; i < 500; i++)); do
		[ ! -e port ] || break
		sleep 0.01
	done
	PORT=$(<port) || die "no sink: $(<sink.out)"
}

# Until the server has all that was on its way.
await_quiet() {
	local ask line
	exec {ask}<>"/dev/tcp/127.0.0.1/$PORT"
	printf 'XQUIET\r\n' >&"$ask"
	read -r -t 20 -u "$ask" line && read -r -t 20 -u "$ask" line &&
		[[ $line == *quiet* ]] || die "$scenario: the server is not quiet"
	exec {ask}>&-
}

aim() {
	printf '%s\n' 'account a' 'address a@x.org' 'auth none' \
		"smtp submission+plain://127.0.0.1:$1" 'send a' 'hello me' \
		"sent $W/root/sent" "failed-to $W/root/in" "${queue_only-}" >conf
}

# --- looking at what came out ------------------------------------------------------

# Sets ARRIVED: how often each message did, by its number.
count_arrived() {
	local f text n
	ARRIVED=()
	for n in $may $had; do
		ARRIVED[n]=0
	done
	for f in got/*; do
		mapfile -d '' text <"$f"
		[[ ${text[*]} =~ $NUMBER ]] || die "no number: ${text[*]}"
		n=${BASH_REMATCH[1]}
		[[ -n ${ARRIVED[n]-} && ${text[*]} == "${MESSAGE[n]-}" ]] || {
			WHY="this was not to arrive: ${text[*]@Q}"
			return 1
		}
		ARRIVED[n]=$((ARRIVED[n] + 1))
	done
}

# N: sets ENV to what is known of the message, if it is in the queue.
find_env() {
	local f
	ENV=
	for f in root/state/queue/*.env; do
		ENV=$(<"$f")
		[[ $ENV != *"<$1@x>"* ]] || return 0
	done
	ENV=
	return 1
}

# After the run that followed at once: sets DOUBT to the messages that may come
# twice.
check_first() {
	local n
	DOUBT=()
	count_arrived || return
	for n in $may; do
		DOUBT[n]=
		find_env "$n"
		[ "${ARRIVED[n]}" -le 1 ] || {
			WHY="message $n sent again at once"
			return 1
		}
		if [ -z "$ENV" ]; then
			[[ ${ARRIVED[n]} -eq 1 || " $must " != *" $n "* ]] || {
				WHY="message $n is lost"
				return 1
			}
		elif [ "${ARRIVED[n]}" -eq 1 ]; then
			DOUBT[n]=1
			[[ $ENV == *" uncertain "* ]] || {
				WHY="message $n has arrived, and is to be sent: $ENV"
				return 1
			}
		fi
	done
}

# DIR N: so many messages there, and no litter; sets FILES.
check_maildir() {
	local litter=("$1"/tmp/*)
	FILES=("$1"/new/* "$1"/cur/*)
	[ ${#litter[@]} -eq 0 ] || {
		WHY="left behind: ${litter[*]}"
		return 1
	}
	[ ${#FILES[@]} -eq "$2" ] || {
		WHY="$1: ${#FILES[@]} messages, not $2"
		return 1
	}
}

# Nothing but what belongs there.
check_litter() {
	local litter=(root/state/tmp/* root/state/queue/*) f
	for f in root/state/accounts/*; do
		[[ $f == */a || $f == */a@lock || $f == */a@1 ]] || litter+=("$f")
	done
	for f in root/state/failed/*; do
		[[ $f == *.env || $f == *.eml || $f == *.report ]] ||
			litter+=("$f")
	done
	[ ${#litter[@]} -eq 0 ] && return
	WHY="left behind: ${litter[*]}"
	return 1
}

# What there is for each message that arrived.
check_copies() {
	local n f text wanted=''
	for n in $may; do
		[ "${ARRIVED[n]}" -eq 0 ] || wanted+="$n "
	done
	# shellcheck disable=SC2086 # numbers
	set -- $had $wanted
	check_maildir root/sent $# || return
	SEEN=()
	for f in "${FILES[@]}"; do
		[[ $f == *:2,S ]] || {
			WHY="$f is not marked seen"
			return 1
		}
		mapfile -d '' text <"$f"
		SEEN[${text[*]}]=1
	done
	for n; do
		[ -n "${SEEN[${COPY[n]}]-}" ] || {
			WHY="no sent copy of message $n"
			return 1
		}
	done
}

# N: so many messages failed for someone, and that was told as often, or up to
# $reports times more.
check_failed() {
	local f text envs=(root/state/failed/*.env) bodies=(root/state/failed/*.eml)
	[ ${#envs[@]} -eq "$1" ] && [ ${#bodies[@]} -eq "$1" ] || {
		WHY="in failed/: ${envs[*]} ${bodies[*]}"
		return 1
	}
	# Where the Maildir could not be opened, it lies beside the message.
	local beside=(root/state/failed/*.report)
	[[ ${#beside[@]} -eq 0 || $fault == full || $fault == bad ]] || {
		WHY="beside the message: ${beside[*]}"
		return 1
	}
	check_maildir root/in $(($1 - ${#beside[@]})) ||
		check_maildir root/in $(($1 - ${#beside[@]} + reports)) || return
	FILES+=("${beside[@]}")
	for f in "${FILES[@]}"; do
		text=$(<"$f")
		[[ $text == *"Final-Recipient: rfc822;"*nobody-d@x.org* &&
			$text == *"<3@x>"*
			&& $text != *Final-Recipient:*Final-Recipient:* ]] || {
			WHY="not the report that it should be: $text"
			return 1
		}
	done
}

# What is in the log, without time, ID and words, sorted; sets LOG.
read_log() {
	local line words
	LOG=()
	[ -e root/state/log ] || return
	while read -r line; do
		read -r -a words <<<"$line"
		LOG+=("${words[2]} ${words[3]} ${words[4]} ${words[5]}")
	done <root/state/log
	[ ${#LOG[@]} -eq 0 ] ||
		mapfile -t LOG <<<"$(printf '%s\n' "${LOG[@]}" | sort)"
}

# N...: the log has a line for each recipient of these.
check_log() {
	local n want=()
	for n; do
		case $n in
		2)	want+=("a a@x.org b@x.org sent" "a a@x.org c@x.org sent") ;;
		3)	want+=("a a@x.org b@x.org sent"
				"a a@x.org nobody-d@x.org failed") ;;
		*)	want+=("a a@x.org b@x.org sent") ;;
		esac
	done
	for n in "${MORE[@]}"; do
		want+=("$n")
	done
	read_log
	[ ${#want[@]} -eq 0 ] ||
		mapfile -t want <<<"$(printf '%s\n' "${want[@]}" | sort)"
	[ "${LOG[*]-}" = "${want[*]-}" ] && return
	WHY="log: ${LOG[*]@Q}"
	return 1
}

# N...: these have arrived. What else there has to be; MORE: in the log.
check_change() {
	local line
	case $scenario in
	remove)
		[[ -z $seen || " $* " != *" 2 "* ]] || {
			WHY="message 2 was removed, and sent"
			return 1
		}
		# A line that it is to be removed comes before it is.
		read_log
		for line in "${LOG[@]}"; do
			[[ $line != *removed ]] || MORE+=("$line")
		done
		[[ ${#MORE[@]} -eq 2 ||
			( ${#MORE[@]} -eq 0 && ( -z $seen || $fault == full ||
				$fault == bad || $fault == filling )) ]]
		;;
	retry)
		[ ${#FILES[@]} -eq 1 ] || MORE+=("a a@x.org nobody-d@x.org failed")
		[[ -z $seen || ${#FILES[@]} -eq 2 ]] || {
			WHY="it was not tried again"
			return 1
		}
		;;
	esac
}

# After the last run.
check_last() {
	local n arrived=() failed=0
	MORE=()
	count_arrived && check_litter && check_copies || return
	for n in $may; do
		[ "${ARRIVED[n]}" -eq 0 ] || arrived+=("$n")
		[ "${ARRIVED[n]}" -ge 1 ] || [[ " $must " != *" $n "* ]] || {
			WHY="message $n is lost"
			return 1
		}
		[ "${ARRIVED[n]}" -le $((1 + ${DOUBT[n]:-0})) ] || {
			WHY="message $n came ${ARRIVED[n]} times"
			return 1
		}
	done
	# shellcheck disable=SC2206 # numbers
	arrived+=($had)
	[[ " ${arrived[*]} " != *" 3 "* ]] || failed=1
	check_failed $failed || return
	check_change "${arrived[@]}" && check_log "${arrived[@]}"
}

# --- one run -------------------------------------------------------------------------

# FAULT
fresh() {
	rm -rf root
	rm -f got/* ok
	cp -a tmpl root
	aim "$PORT"
	seen=
}

# Whether what was struck had been seen to end well by then.
was_seen() {
	[[ -e ok || $tail == */ok ]]
}

# Nothing is left; but what it could not remove, and is not a message.
is_empty() {
	local litter=(root/state/queue/* root/state/tmp/*)
	[[ $tail != *unlink* ]] ||
		litter=(root/state/queue/*.env)
	[ ${#litter[@]} -eq 0 ] && return
	WHY="left ${litter[*]}"
	return 1
}

# Not just that a recipient failed.
said_more() {
	grep -qv 'failed for good' err
}

right_status() {
	case $1:$rc in
	kill:0 | harsh:0 | soft:0)
		! was_seen || seen=1
		return 0
		;;
	esac
	if was_seen; then
		seen=1
		return 0
	fi
	if [ -z "$struck" ]; then
		right_end
		return
	fi
	case $scenario:$rc in
	accept*:7[345]) [ -s err ] && is_empty ;;
	run*:0)	is_empty ;;
	run*:69 | run*:7[345]) is_empty || said_more ;;
	*)	[[ $rc == 7[345] && -s err ]] ;;
	esac
}

# Of whom the third is for, one does not take it.
right_end() {
	[ "$rc" -eq 0 ] || [[ $scenario == run* && $rc -eq 69 ]]
}

# Sets rc.
run_again() {
	"$SENDQ" --config conf --run 2>err </dev/null
	rc=$?
	await_quiet
}

run_later() {
	LATER=$1 LD_PRELOAD=$LATER_SO \
		ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0 \
		"$SENDQ" --config conf --run 2>err </dev/null
	rc=$?
	await_quiet
}

judge() {
	local n
	await_quiet
	case $scenario in
	accept*)
		may=$taken must=
		[ -z "$seen" ] || must=$may
		;;
	remove)
		may="1 2 3" must="1 3"
		;;
	esac
	run_again
	[[ $rc == 0 || $rc == 69 || $rc == 75 ]] && check_first || {
		WHY="then exit $rc, $(<err) $WHY"
		return 1
	}
	for n in "${DOUBT[@]}"; do
		twice=$((twice + ${n:-0}))
	done
	run_later 7200
	[[ $rc == 0 || $rc == 69 ]] && check_last || {
		WHY="after that, exit $rc, $(<err) $WHY"
		return 1
	}
	run_later 14400
	[[ $rc == 0 && ! -s err ]] && check_last || {
		WHY="at last, exit $rc, $(<err) $WHY"
		return 1
	}
}

# --- a scenario ----------------------------------------------------------------------

# N...: into the queue.
enqueue() {
	local n
	for n; do
		"$SENDQ" --config conf -t <"$T/msgs/$n" ||
			die "$scenario: cannot enqueue $n"
	done
}

# What each arrives as, and its copy: as they do when nothing disturbs.
learn() {
	local n f text
	rm -rf root
	mkdir root
	enqueue "$@"
	run_again
	[[ $rc == 0 || $rc == 69 ]] || die "$scenario, undisturbed: $(<err)"
	MESSAGE=() COPY=()
	for f in got/* root/sent/cur/*; do
		mapfile -d '' text <"$f"
		[[ ${text[*]} =~ $NUMBER ]] || die "no number: ${text[*]}"
		n=${BASH_REMATCH[1]}
		if [[ $f == got/* ]]; then
			MESSAGE[n]=${text[*]}
		else
			COPY[n]=${text[*]}
		fi
	done
	may=$* must=$* seen='' DOUBT=()
	check_last || die "$scenario, undisturbed: $WHY"
}

# N FOLDER: prints the ID.
id_of() {
	local f
	f=$(grep -lF "<$1@x>" root/state/"$2"/*.env) || die "$scenario: no message $1"
	f=${f##*/}
	echo "${f%.env}"
}

change_command() {
	# shellcheck disable=SC2016 # for sh
	COMMAND=(sh -c '"$0" --config conf "$@" && echo >ok' "$SENDQ" "$@")
}

prepare() {
	taken=1 INPUT=/dev/null queue_only=queue-only had='' reports=0
	case $scenario in
	*-data) start_sink -n CHUNKING ;;
	*-slow) start_sink -n CHUNKING -n PIPELINING ;;
	*)	start_sink ;;
	esac
	rm -rf tmpl root
	aim "$PORT"
	case $scenario in
	accept*)
		[ "$scenario" != accept-large ] || taken=4
		INPUT=$T/msgs/$taken
		change_command -t
		learn $taken
		rm -rf root
		mkdir root
		[ "$scenario" != accept-now ] || queue_only=
		;;
	run*)
		local -a all=(1 2 3)
		[ "$scenario" != run-many ] || all=({11..160})
		COMMAND=("$SENDQ" --config conf --run)
		learn "${all[@]}"
		rm -rf root
		mkdir root
		enqueue "${all[@]}"
		;;
	remove)
		learn 1 2 3
		rm -rf root
		mkdir root
		enqueue 1 2 3
		change_command --remove "$(id_of 2 queue)"
		;;
	retry)
		learn 3
		had=3 may='' must='' reports=1
		# Two lines of the log that are the same in all, with their second,
		# would be one.
		sleep 1.1
		change_command --retry-now "$(id_of 3 failed)"
		;;
	*)	die "no such scenario: $scenario" ;;
	esac
	mv root tmpl
}
