#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 420
#
# The life cycle: a guest stands still and goes on, with its clocks; is saved and goes on in another process;
# ten clones share one saved VM's memory. What is damaged, cut off or killed on the way is told, and
# costs nobody anything.
. tests/lab/lib.sh

store=$work/store
mkdir "$store"
counter=$SLUICE_BUILD/guest/counter

# What a guest has said that never falls silent: a console ends only in a pause.
heard() { # NAME
	sleep 1 | timeout 3 sluice vm console "$1" 2>/dev/null | tr -d '\r'
	return 0
}

last_line() { # NAME PATTERN: the last whole line of the guest that matches
	heard "$1" | grep -E "$2" | tail -n 1
}

# The number that a guest has come to, as a decimal.
counted() { # NAME
	local line
	line=$(last_line "$1" '^count [0-9a-f]{8} sum [0-9a-f]{8}$') || return 1
	echo $((16#$(cut -d ' ' -f 2 <<<"$line")))
}

counts_beyond() { # NAME NUMBER
	[ "$(counted "$1")" -gt "$2" ]
}

state_of() { # NAME
	sluice vm list --json | jq -r ".[] | select(.name == \"$1\") | .state"
}

# ---- the tiny guest: quick ----
check "the counter runs" sluice vm run tick --kernel "$counter" --memory 64M --detach
sluice vm events tick --json >"$work/events" &
events=$!
check "it counts" wait_for 20 counts_beyond tick 3
check "pause" sluice vm pause tick
check "pause, again: it is so already" sluice vm pause tick
check "it is paused" test "$(state_of tick)" = paused
before=$(counted tick)
sleep 2
check "paused: it stands still" test "$(counted tick)" = "$before"
check "resume" sluice vm resume tick
check "resumed: it goes on" wait_for 10 counts_beyond tick "$before"
check "save with --keep: a copy" sluice vm save tick "$store/base.vm" --keep
check "it runs on" test "$(state_of tick)" = running
du -k --apparent-size "$store/base.vm" | sed 's/^/#   /'
check "24 MiB of 64 are written" test "$(du -m "$store/base.vm" | cut -f 1)" -lt 32
at_save=$(counted tick)
check "save" sluice vm save tick "$store/tick.vm"
check "it is suspended" test "$(state_of tick)" = suspended
wait "$events"
jq -r '"#   " + .event + " " + (.state // "")' "$work/events"
for state in paused running saving suspended; do
	check "vm events told: $state" jq -es "any(.[]; .state == \"$state\")" "$work/events"
done
check "restore" sluice vm restore "$store/tick.vm" --detach
check "restored: it counts on" wait_for 20 counts_beyond tick "$at_save"
check "restored: its memory is whole" test -n "$(last_line tick 'sum 00001800$')"
refused 1 "runs already" "a name that is taken" sluice vm restore "$store/base.vm" --name tick --detach
check "kill" sluice vm kill tick

# ---- clones ----
names=$(seq -f 'clone-%g' 10)
# shellcheck disable=SC2086 # ten names
check "ten clones of one saved VM" sluice vm clone "$store/base.vm" $names
sum=0 counting=0
for name in $names; do
	[ "$(state_of "$name")" = running ] && counting=$((counting + 1))
	pss=$(sluice vm stat "$name" --json | jq .memory.present_kib)
	sum=$((sum + pss))
done
echo "# memory of ten guests that use 24 MiB each: $sum KiB, the last one's part $pss KiB"
check "all ten run" test $counting = 10
check "the last one counts" wait_for 30 counts_beyond "$name" 0
check "ten clones need less than two would alone" test $sum -lt $((2 * 24 * 1024))
for name in $names; do
	sluice vm kill "$name" >/dev/null
done
check "nothing is left of them" test "$(sluice vm list --json | jq length)" = 0

# ---- damage ----
damaged() { # DESCRIPTION REGEX OPTION...
	local what=$1 regex=$2
	shift 2
	refused 1 "$regex" "$what" timeout -s KILL 60 sluice vm restore "$store/bad.vm" "$@"
}
flip() { # OFFSET: the byte there becomes another
	local byte
	cp --sparse=always "$store/base.vm" "$store/bad.vm"
	byte=$(od -An -tu1 -j "$1" -N 1 "$store/bad.vm")
	printf '%b' "\\0$(printf %o $((byte ^ 255)))" |
		dd of="$store/bad.vm" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
head -c 1M /dev/zero >"$store/bad.vm"
damaged "no saved VM" "no saved VM"
flip 20
damaged "a damaged header" "header does not fit its checksum"
flip $((2097152 + 0x1000000 + 4096))
damaged "damaged memory, where it is verified" "memory at 0x1000000" --verify
flip $(($(stat -c %s "$store/base.vm") - 4096))
damaged "damaged state" "does not fit its checksum" --detach
cp --sparse=always "$store/base.vm" "$store/bad.vm"
truncate -s 20M "$store/bad.vm"
damaged "a file that is cut off" "cut off: 20971520 of"
rm "$store/bad.vm"

# ---- what cannot be saved ----
check "a VM with a VF is started" sh -c "sluice vf create $(pf) --count 1 && sluice vm run held --kernel $counter \
	--memory 64M --vf $(pf)/0 --detach"
refused 1 "device of the host" "a VM with a VF is not saved" sluice vm save held "$store/held.vm"
check "nor has it stopped" test "$(state_of held)" = running
check "kill" sluice vm kill held

finish
