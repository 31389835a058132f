#!/bin/bash
# Checks the models of borrowing (borrowing.pml), of the transfer of ownership (transfer.pml), of a list of heirs
# (heirs.pml) and of lineage that moves (lineage.pml) with SPIN, and prints one row per run.
#
#   run.sh            every model, and every mutation
#   run.sh --small    the small model whole, the chain whole with one crash, short rows of the others, and the
#                     mutations; for CI
#   run.sh --long     also the chain with two false suspicions, and two transfers with a reference, bounded by
#                     MODEL_SECONDS
#   run.sh --explain NAME   checks one row (see --list) and prints the order of events that breaks it, if any
#   run.sh --list     the rows
#
# Exit status 0: every model holds in every state, and every mutation was found. Only a row of --long may run out of
# time or memory without failing; it is then reported as unfinished, and shows nothing about the states not reached.
# Environment: MODEL_MEMORY (megabytes for one run, default 6000), MODEL_SECONDS (for one run, default 3000).
# One run at a time, at low priority.

set -u
here=$(cd "$(dirname "$0")" && pwd)
memory=${MODEL_MEMORY:-6000}
seconds=${MODEL_SECONDS:-3000}

small="-DN=3 -DHANDOFFS=2 -DEXCLUSIONS=1"
chain="-DN=4 -DHANDOFFS=3 -DCHAIN -DCAPACITY=3"
calm="-DNO_LOSS -DNO_DOUBLES -DNO_CANCEL"
plain="-DNO_KEEPING -DNO_REFUSAL"
passed="-DHANDOFFS=1 -DNO_COPY $plain"
still="-DHANDOFFS=1 -DEXCLUSIONS=0"
copied="-DHANDOFFS=0 -DLATE_COPY"
twice="-DHANDOFFS=0 -DTRANSFERS=2 -DNO_COPY"
heir="-DHEIRS=1 -DTRANSFERS=0"
two="-DHANDOFFS=2 -DEXCLUSIONS=0 -DNO_COPY -DNO_KEEPING -DCAPACITY=9"

kept="-DKEPT -DNO_DISMISSAL"
three="-DPROCESSES=3 -DTRANSFERS=2"

# level | name | what must happen: holds, or found (an error) | parameters. A name that starts with "transfer", "heirs"
# or "lineage" is a row of that model, any other one of borrowing.pml.
# Level 1 runs always, 2 without --small, 3 with --long. For every row that must be found there is one, at level 1,
# that holds with the rule in place and the same faults, or more; the rows with two references are at level 2. Calm:
# the network harms no token. Plain: the next owner takes the object, and holds it only if it did before.
rows() {
  cat <<ROWS
1|small, crash|holds|$small
1|small, crash, no cycle|acyclic|$small
1|small, false suspicion|holds|$small -DSUSPICION
1|chain, one crash|holds|$chain -DEXCLUSIONS=1
1|chain, two crashes, calm|holds|$chain -DEXCLUSIONS=2 $calm
1|chain, grace, calm|holds|$chain -DEXCLUSIONS=1 -DGRACE $calm
2|chain, two crashes|holds|$chain -DEXCLUSIONS=2
2|chain, one false suspicion|holds|$chain -DEXCLUSIONS=1 -DSUSPICION -DNO_CRASH -DNO_OWNER_DEATH
2|chain, grace for barrier|holds|$chain -DEXCLUSIONS=1 -DGRACE
3|chain, two false suspicions|holds|$chain -DEXCLUSIONS=2 -DSUSPICION -DNO_CRASH -DNO_OWNER_DEATH
1|no barrier|found|$small -DMUTATE_BARRIER
1|no pin for a dead receiver|found|$small -DMUTATE_DEAD_RECEIVER
1|barrier of an older view|found|$chain -DEXCLUSIONS=2 -DMUTATE_LATEST_VIEW $calm
1|flush by count|found|$chain -DEXCLUSIONS=1 -DMUTATE_FLUSH_COUNTED $calm
1|listing at export|found|$small -DMUTATE_LIST_AT_EXPORT -DNO_LOSS -DNO_CANCEL
1|redeemed tokens forgotten|found|$small -DMUTATE_FORGET
1|no HandoffAck after Gone|found|$chain -DEXCLUSIONS=1 -DGRACE -DMUTATE_GONE_UNACKED $calm
1|fence by purging once|found|$small -DSUSPICION -DNO_OWNER_DEATH -DMUTATE_PURGE_ONCE
1|Release with pending children|found|$small -DMUTATE_EARLY_RELEASE
1|HandoffAck at import|found|$small -DMUTATE_EARLY_ACK
1|transfer, no crash|holds|$still
1|transfer, one crash|holds|$passed
1|transfer, a copy, one crash|holds|$copied
1|transfer, two in a row, one crash|holds|$twice
1|transfer, two crashes|holds|-DHANDOFFS=0 -DEXCLUSIONS=2
2|transfer, one crash, no cycle|acyclic|$copied
2|transfer, late borrower, one crash|holds|$passed -DPROCESSES=4 -DSENDERS=4 -DRECEIVERS=8
2|transfer, two in a row, a copy|holds|-DHANDOFFS=0 -DTRANSFERS=2 -DLATE_COPY
2|transfer, two in a row, suspicion|holds|-DHANDOFFS=0 -DTRANSFERS=2 -DSUSPICION
2|transfer, a reference, suspicion|holds|$passed -DSUSPICION
1|transfer, an heir, one crash|holds|$heir $passed
1|transfer, an heir, a copy|holds|$heir $copied
1|transfer, two heirs, two crashes|holds|-DHEIRS=2 -DTRANSFERS=0 -DHANDOFFS=0 -DEXCLUSIONS=2
1|transfer, an heir, then given away|holds|-DHEIRS=1 -DHANDOFFS=0 -DNO_COPY
2|transfer, an heir, no cycle|acyclic|$heir $copied
2|transfer, an heir, suspicion|holds|$heir $passed -DSUSPICION
2|transfer, an heir, two crashes|holds|$heir $passed -DEXCLUSIONS=2
2|transfer, an heir, late borrower|holds|$heir $passed -DPROCESSES=4
2|transfer, two in a row, an heir|holds|$twice -DHEIRS=1
3|transfer, two, and a reference|holds|$passed -DTRANSFERS=2 -DCAPACITY=8
2|transfer, two references|holds|$two
1|transfer: Flushed before answers|found|-DHANDOFFS=0 -DNO_WAIT_FOR_ANSWERS
1|transfer: entry retired early|found|$still -DNO_ENTRY_AFTER_SETTLED
1|transfer: Release forwarded|found|$still -DNO_IGNORED_RELEASE
1|transfer: Release before answer|found|$still -DNO_ANSWER_BEFORE_RELEASE
1|transfer: snapshot over a barrier|found|-DHANDOFFS=0 -DNO_DROP_OF_CLOSED_IDS
1|transfer: on before SettledAck|found|$twice -DNO_WAIT_FOR_SETTLED
1|transfer: taken back, not held|found|$passed -DNO_HOLD_OF_TAKEN_BACK
1|transfer: not taken back|found|-DHANDOFFS=0 -DNO_TAKING_BACK
1|transfer: redirected too early|found|$passed -DNO_WAIT_FOR_TAKEN
1|transfer: receivers not told|found|$passed -DNO_WORD_TO_RECEIVERS
1|transfer: former owner not listed|found|-DHANDOFFS=0 -DNO_FORMER_LISTED
1|transfer: answer does not unlist|found|$still -DNO_UNLISTING
1|transfer: listed, not released|found|$passed -DNO_RELEASE_OF_LISTED
1|transfer: late report freed|found|$copied -DNO_REDIRECT_OF_NODES
1|transfer: copy of a dead owner|found|$copied -DNO_MOVE_TO_THE_DEAD
1|transfer: answer before report|found|$copied -DNO_REPORT_BEFORE_ANSWER
1|transfer: heir not waited for|found|$heir $passed -DNO_WAIT_FOR_HEIR
1|transfer: heir told once|found|$heir $passed -DNO_NEXT_SHADOW
1|transfer: nothing inherited|found|$heir -DHANDOFFS=0 -DNO_COPY -DNO_INHERITING
1|transfer: dismissal not waited for|found|-DHEIRS=1 -DHANDOFFS=0 -DNO_COPY -DNO_WAIT_FOR_DISMISSAL
2|transfer: askers forgotten|found|$passed -DPROCESSES=4 -DSENDERS=4 -DRECEIVERS=8 -DNO_MEMORY_OF_ASKERS
2|transfer: old answer confirms|found|$two -DNO_NEW_REGISTER
1|heirs, one crash|holds|
1|heirs, two crashes|holds|-DEXCLUSIONS=2
1|heirs, held for ever|holds|$kept
1|heirs, suspicion|holds|-DSUSPICION
2|heirs, one crash, no cycle|acyclic|
2|heirs, two crashes, held for ever|holds|$kept -DEXCLUSIONS=2
2|heirs, two suspicions|holds|-DSUSPICION -DEXCLUSIONS=2
2|heirs, three, two crashes|holds|-DHEIRS=3 -DEXCLUSIONS=2
1|heirs: two at a time|found|-DNO_ONE_AT_A_TIME
1|heirs: dismissal not waited for|found|-DNO_WAIT_FOR_DISMISSAL
1|heirs: next one not named|found|$kept -DNO_NEXT
1|heirs: dead one not passed over|found|$kept -DNO_PASSING_OVER
1|heirs: list not in the snapshot|found|$kept -DNO_LIST_IN_SNAPSHOT
1|heirs: inherited list not used|found|$kept -DNO_GOING_ON
1|heirs: notice believed|found|-DNO_SECOND_LOOK
1|heirs: nothing inherited|found|-DNO_INHERITING
1|heirs: Flushed before answers|found|-DNO_WAIT_FOR_ANSWERS
1|heirs: end not told|found|-DNO_END
1|lineage, no crash|holds|-DEXCLUSIONS=0 -DTRANSFERS=2
1|lineage, kept for ever|holds|-DEXCLUSIONS=0 -DKEPT
1|lineage, late notices|holds|-DLATE -DREVIVALS=1 -DTRANSFERS=2
1|lineage, twins, twice|holds|-DTWINS -DTRANSFERS=2
1|lineage, three processes|holds|$three
1|lineage, three, kept for ever|holds|$three -DKEPT
1|lineage, three, fork, no crash|holds|$three -DFORK -DEXCLUSIONS=0
1|lineage, three, chain, kept|holds|$three -DCHAIN -DKEPT
2|lineage, three, fork|holds|$three -DFORK
2|lineage, three, chain|holds|$three -DCHAIN
2|lineage, three, fork, kept|holds|$three -DFORK -DKEPT
2|lineage, three, twins|holds|$three -DTWINS
2|lineage, three, two crashes|holds|$three -DEXCLUSIONS=2
2|lineage, three, kept, two crashes|holds|$three -DKEPT -DEXCLUSIONS=2
2|lineage, three, kept, thrice|holds|-DPROCESSES=3 -DTRANSFERS=3 -DKEPT
2|lineage, twins, late notices|holds|-DTWINS -DTRANSFERS=2 -DLATE -DREVIVALS=1
2|lineage, chain, late notices|holds|-DCHAIN -DLATE -DREVIVALS=1
2|lineage, late notices, suspicion|holds|-DTRANSFERS=2 -DLATE -DSUSPICION
2|lineage, late notices, no cycle|acyclic|-DLATE -DREVIVALS=1
1|lineage: task not lent|found|-DNO_LENDING
1|lineage: task not given back|found|-DNO_GIVING_BACK
1|lineage: record before settled|found|-DNO_WAIT_FOR_SETTLED
1|lineage: twin not waited for|found|-DTWINS -DTRANSFERS=2 -DCAPACITY=12 -DNO_WAIT_FOR_ALL
1|lineage: not looked at again|found|-DTRANSFERS=2 -DNO_SECOND_LOOK
1|lineage: record stays|found|-DEXCLUSIONS=0 -DKEPT -DNO_FOLLOWING
1|lineage: record not offered again|found|$three -DKEPT -DNO_OFFER_AGAIN
1|lineage: record taken back twice|found|$three -DNO_WAIT_OF_RECORDS
1|lineage: record to one of two|found|$three -DFORK -DEXCLUSIONS=0 -DNO_MANY
1|lineage: refused one offered again|found|-DTRANSFERS=2 -DEXCLUSIONS=0 -DNO_STAYING
1|lineage: end not heard of|found|-DNO_LENT_ENDED
1|lineage: ended before it is back|found|-DLATE -DNO_ENDED_LENT
1|lineage: refusal not undone|found|-DTRANSFERS=2 -DEXCLUSIONS=0 -DNO_UNDOING
1|lineage: later owner not told of|found|$three -DKEPT -DNO_WORD_TO_FORMERS
1|lineage: later owner believed early|found|$three -DNO_WAIT_FOR_WORD
ROWS
}

die() { echo "run.sh: $*" >&2; exit 2; }

# SPIN and a C compiler come from the distribution's packages.
install_tools() {
  local missing=()
  command -v spin > /dev/null || missing+=(spin)
  command -v gcc > /dev/null || missing+=(gcc libc6-dev)
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo -n true 2> /dev/null; then
      die "needs ${missing[*]}; as root: apt-get install ${missing[*]}"
    fi
    sudo=sudo
  fi
  echo "installing ${missing[*]}"
  { $sudo apt-get install -y "${missing[@]}" ||
      { $sudo apt-get update && $sudo apt-get install -y "${missing[@]}"; }; } > /dev/null 2>&1 ||
    die "apt-get could not install ${missing[*]}"
}

# check LEVEL NAME EXPECTED PARAMETERS: prints the row; sets `verdict` to ok or to what is wrong.
check() {
  local at=$1 name=$2 expected=$3 parameters=$4 start status optimise
  local model=borrowing
  case "$name" in
    transfer*) model=transfer ;;
    heirs*) model=heirs ;;
    lineage*) model=lineage ;;
  esac
  local compile="-DSAFETY -DCOLLAPSE -DSEPQS" arguments="-w24"
  [ "$expected" = acyclic ] && compile="-DNP -DCOLLAPSE" arguments="-w22 -l"
  cd "$work" || die "cannot use $work"
  rm -f pan* ./*.trail
  cp "$here/$model.pml" . || die "cannot copy the model"
  # shellcheck disable=SC2086
  spin -a $parameters $model.pml > spin.log 2>&1
  if [ ! -f pan.c ]; then cat spin.log; die "spin rejects the model"; fi
  # Compiling well takes ten times as long as compiling, and as long as a short run; a mutation is found at once.
  optimise=-O2
  [ "$at" = 1 ] && optimise=-O1
  [ "$expected" = found ] && optimise=-O0
  # Everything is shared, so partial order reduction would gain nothing. -w: generated code is not ours.
  # shellcheck disable=SC2086
  gcc $optimise -w -DMEMLIM="$memory" -DNOREDUCE $compile -o pan pan.c || die "the model does not compile"
  start=$(date +%s.%N)
  # shellcheck disable=SC2086
  nice -n 10 timeout "$seconds" ./pan -m1000 $arguments > pan.log 2>&1
  status=$?
  local elapsed states depth errors found result
  elapsed=$(echo "$start $(date +%s.%N)" | awk '{ printf "%.1f", $2 - $1 }')
  states=$(awk '/states, stored/ { print $1 }' pan.log | tail -1)
  depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' pan.log | tail -1)
  errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log | tail -1)
  found=$(sed -n 's/^pan:[0-9]*: *\(assertion violated *\)\{0,1\}\(.*\)/\2/p' pan.log | head -1)
  if [ $status -eq 124 ] || [ -z "$errors" ]; then
    states=$(awk -F'States= *' '/^Depth=/ { split($2, a, " "); print a[1] }' pan.log | tail -1)
    result="NOT FINISHED in ${elapsed} s" verdict=unfinished
  elif grep -q "Search not completed" pan.log && [ "$errors" = 0 ]; then
    result="NOT COMPLETE: ${found:-out of memory}" verdict=unfinished
  elif grep -q "max search depth too small" pan.log; then
    result="NOT COMPLETE: search depth" verdict=unfinished
  elif [ "$expected" = found ]; then
    # A capacity overrun or a malformed model is no evidence against the rule.
    case "$found" in
      S[1-7]_* | no_Gone_* | no_OwnerDied_* | list_* | lineage_* | end_*) result="found: $found" verdict=ok ;;
      *) result="NOT FOUND ${found:+($found)}" verdict=wrong ;;
    esac
  elif [ "$errors" = 0 ]; then
    result="holds" verdict=ok
    [ "$expected" = acyclic ] && result="every run ends"
  else
    result="FAILS: $found" verdict=wrong
  fi
  printf '%-34s %10s %6s %8s  %s\n' "$name" "${states:-?}" "${depth:-?}" "$elapsed" "$result"
}

level=2 explain=
case "${1:-}" in
  "") ;;
  --small) level=1 ;;
  --long) level=3 ;;
  --explain) level=3 explain=${2:?name of a row} ;;
  --list) rows | cut -d'|' -f2,3 | tr '|' '\t'; exit ;;
  *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

install_tools
work=$(mktemp -d) || die "no temporary directory"
trap 'rm -rf "$work"' EXIT

failed=0 unfinished=0 ran=0
printf '%-34s %10s %6s %8s  %s\n' "model or rule removed" states depth seconds result
while IFS='|' read -r at name expected parameters; do
  [ "$at" -le $level ] || continue
  [ -z "$explain" ] || [ "$explain" = "$name" ] || continue
  check "$at" "$name" "$expected" "$parameters"
  ran=$((ran + 1))
  case "$at$verdict" in
    *ok) ;;
    3unfinished) unfinished=$((unfinished + 1)) ;;
    *) failed=$((failed + 1)) ;;
  esac
  for trail in *.pml.trail; do
    [ -n "$explain" ] && [ -f "$trail" ] || continue
    # shellcheck disable=SC2086
    spin -t $parameters "${trail%.trail}" |
      sed '/^spin: trail ends/,$d; /^spin: [a-z]*\.pml/d; s/^ *//'
  done
done < <(rows)

[ $ran -gt 0 ] || die "no row is called '$explain'; see --list"
echo "rows=$ran failed=$failed unfinished=$unfinished"
[ $failed -eq 0 ]
