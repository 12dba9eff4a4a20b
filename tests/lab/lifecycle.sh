#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 420
#
# The life cycle: a guest stands still and goes on, with its clocks; is saved and goes on in another process;
# ten clones share one saved VM's memory. What is damaged, cut off or killed on the way is told, and
# costs nobody anything.
. tests/lab/lib.sh

store=$work/store
clock='^CLOCK [0-9]+ [0-9.]+ [0-9]+ [a-z-]+ [0-9]{8}$'
mkdir "$store"
counter=$SLUICE_BUILD/guest/counter

check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --module virtio_pci --module virtio_blk --module virtio_rng \
	--init tests/guest/lifecycle.sh "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio

last_line() { # NAME PATTERN: the last whole line of the guest that matches
	said "$1" | tr -d '\r' | grep -E "$2" | tail -n 1
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
	check "vm events told: $state" jq -e "select(.state == \"$state\")" "$work/events"
done
check "restore" sluice vm restore "$store/tick.vm" --detach
check "restored: it counts on" wait_for 20 counts_beyond tick "$at_save"
check "restored: its memory is whole" sh -c "sleep 1 | timeout 10 sluice vm console tick | grep -q 'sum 00001800'"
refused 1 "runs already" "a name that is taken" sluice vm restore "$store/base.vm" --name tick --detach
check "kill" sluice vm kill tick

# ---- clones ----
names=$(seq -f 'clone-%g' 10)
# shellcheck disable=SC2086 # ten names
check "ten clones of one saved VM" sluice vm clone "$store/base.vm" $names
sum=0 counting=0
for name in $names; do
	[ "$(state_of "$name")" = running ] && counts_beyond "$name" 0 && counting=$((counting + 1))
	pss=$(sluice vm stat "$name" --json | jq .memory.present_kib)
	sum=$((sum + pss))
done
echo "# memory of ten guests that use 24 MiB each: $sum KiB, the last one's part $pss KiB"
check "all ten count" test $counting = 10
check "ten clones need less than two would alone" test $sum -lt $((2 * 24 * 1024))
for name in $names; do
	sluice vm kill "$name" >/dev/null
done
check "nothing is left of them" test "$(sluice vm list --json | jq length)" = 0

# ---- damage ----
damaged() { # DESCRIPTION REGEX OPTION...
	local what=$1 regex=$2
	shift 2
	refused 1 "$regex" "$what" sluice vm restore "$store/bad.vm" "$@"
}
flip() { # OFFSET
	cp --sparse=always "$store/base.vm" "$store/bad.vm"
	printf '\377' | dd of="$store/bad.vm" bs=1 seek="$1" conv=notrunc 2>/dev/null
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

# ---- killed in the middle ----
check "a VM with a VF is started" sh -c "sluice vf create $(pf) --count 1 && sluice vm run held --kernel $counter \
	--memory 64M --vf $(pf)/0 --detach"
refused 1 "device of the host" "a VM with a VF is not saved" sluice vm save held "$store/held.vm"
check "nor has it stopped" test "$(state_of held)" = running
check "kill" sluice vm kill held

truncate -s 1M "$work/disk.img"
check "Linux is up" guest linux "" --memory 256M --cpus 2 --disk "$work/disk.img" --rng --detach
check "its clock is told" wait_for 90 last_line linux "$clock"
sum_before=$(sha256sum <"$store/base.vm")
cp --sparse=always "$store/base.vm" "$store/linux.vm"
sluice vm save linux "$store/linux.vm" >/dev/null 2>&1 &
job=$!
sleep 0.4
kill -9 $job
wait $job 2>/dev/null
check "killed while saving: the old file is whole" test "$(sha256sum <"$store/linux.vm")" = "$sum_before"
check "killed while saving: nothing else is left" test "$(ls -A "$store")" = "$(printf 'base.vm\nlinux.vm\ntick.vm')"
check "killed while saving: the VM can go on" wait_for 30 sluice vm resume linux
rm "$store/linux.vm"

# ---- the clocks of Linux ----
# sample: sets count, up, wall of the guest and now of the host, at about the same time.
sample() {
	local line
	line=$(last_line linux "$clock")
	now=$(cut -d ' ' -f 1 /proc/uptime)
	read -r _ count up wall source disk <<<"$line"
}
near() { # A B SLACK
	awk -v a="$1" -v b="$2" -v s="$3" 'BEGIN { d = a - b; exit !(d < s && d > -s) }'
}
gone() { # FROM TO
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'
}
sample
first_up=$up first_now=$now first_wall=$wall
sleep 4
sample
echo "# clock source $source; in $(gone "$first_now" "$now") s of the host the guest saw $(gone "$first_up" "$up")"
check "its clock runs as the host's" near "$(gone "$first_now" "$now")" "$(gone "$first_up" "$up")" 1.5
stop=$(cut -d ' ' -f 1 /proc/uptime)
check "Linux is paused" sluice vm pause linux
sleep 6
check "Linux is resumed" sluice vm resume linux
paused=$(gone "$stop" "$(cut -d ' ' -f 1 /proc/uptime)")
before=$count
sleep 3
sample
ran=$(awk -v t="$(gone "$first_now" "$now")" -v p="$paused" 'BEGIN { print t - p }')
echo "# paused for $paused s; of $ran s that it ran the guest saw $(gone "$first_up" "$up"), $(gone "$first_wall" "$wall") by date"
check "paused time does not exist for it" near "$ran" "$(gone "$first_up" "$up")" 1.5
check "by date neither" near "$ran" "$(gone "$first_wall" "$wall")" 2.5
check "it goes on counting" test "$count" -gt "$before"

# ---- saved and restored ----
sample
before=$count before_up=$up
check "Linux is saved" sluice vm save linux "$store/linux.vm"
du -k "$store/linux.vm" | sed 's/^/#   /'
sleep 3
start=$(cut -d ' ' -f 1 /proc/uptime)
check "Linux is restored" sluice vm restore "$store/linux.vm" --detach --verify
grows() {
	sample
	[ "${count:-0}" -gt "$before" ]
}
check "its number in memory goes on" wait_for 30 grows
check "its disk is whole" test "$((10#$disk))" = "$count"
echo "# $before at $before_up s before, $count at $up s after; $(gone "$start" "$now") s since the restore"
check "its clock goes on where it was" near "$(gone "$before_up" "$up")" "$(gone "$start" "$now")" 3
said linux >"$work/linux"
check "no stall, no lockup, no unstable clock" sh -c "! grep -iE 'stall|lockup|unstable|BUG:|Oops' $work/linux"
check "powerdown" sluice vm powerdown linux
check "it powers off" wait_for 30 sh -c "! sluice vm list | grep -q linux"
finish
