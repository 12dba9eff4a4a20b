#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# The life cycle of a Linux guest with two CPUs, a disk and a NIC: its clocks after a pause; its memory, its disk
# and an open connection after a save and a restore in another process; and saves that are killed on the way.
. tests/lab/lib.sh

store=$work/store
mkdir "$store"
clock='^CLOCK [0-9]+ [0-9.]+ [0-9]+ [a-z-]+ [0-9]{8}$'

check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --module virtio_pci --module virtio_blk --module virtio_rng \
	--module virtio_net --module af_packet \
	--init tests/guest/lifecycle.sh "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio

# What a guest has said that never falls silent: a console ends only in a pause.
heard() { # NAME
	sleep 1 | timeout 3 sluice vm console "$1" 2>/dev/null | tr -d '\r'
	return 0
}

last_line() { # NAME PATTERN: the last whole line of the guest that matches
	heard "$1" | grep -E "$2" | tail -n 1
}

# The other end of the guest's connection, on this host: it lives through all that the guest goes through.
modprobe tun
ip tuntap add wire0 mode tap
ip addr add 192.168.78.1/24 dev wire0
ip link set wire0 up
for i in $(seq 100000); do echo "$i" && sleep 0.2; done 2>/dev/null | busybox nc -l -p 7003 >"$work/tcp" 2>/dev/null &
peer=$!
received() { # NUMBER: the connection has carried more than that, in order, without a gap
	awk -v least="$1" '$1 != ++n { exit 1 } END { exit !(n > least) }' "$work/tcp"
}

truncate -s 1M "$work/disk.img"
check "Linux is up" guest linux loglevel=6 --memory 256M --cpus 2 --disk "$work/disk.img" --rng --net tap=wire0 --detach
check "its clock is told" wait_for 90 last_line linux "$clock"
check "its connection carries" wait_for 30 received 3
echo "what was here before" >"$store/linux.vm"
sluice vm save linux "$store/linux.vm" >/dev/null 2>&1 &
job=$!
sleep 0.4
kill -9 $job
wait $job 2>/dev/null
check "killed while saving: the old file is whole" grep -qx "what was here before" "$store/linux.vm"
check "killed while saving: nothing else is left" test "$(ls -A "$store")" = linux.vm
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
carried=$(wc -l <"$work/tcp")
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
sample # a check runs in a shell of its own
check "the same connection goes on" wait_for 60 received $((carried + 20))
check "its other end has seen nothing of it" kill -0 $peer
echo "# $carried lines before the save, $(wc -l <"$work/tcp") now"
check "its disk is whole" test "$((10#$disk))" = "$count"
echo "# $before at $before_up s before, $count at $up s after; $(gone "$start" "$now") s since the restore"
check "its clock goes on where it was" near "$(gone "$before_up" "$up")" "$(gone "$start" "$now")" 3
heard linux >"$work/linux"
check_text "it knows that it is not the one it was" "crng reseeded due to virtual machine fork" "$work/linux"
check "no stall, no lockup, no unstable clock" sh -c "! grep -iE 'stall|lockup|unstable|BUG:|Oops' $work/linux"

# ---- the monitor is killed while it saves ----
state_of() { # NAME
	sluice vm list --json | jq -r ".[] | select(.name == \"$1\") | .state"
}
saving() {
	[ "$(state_of linux)" = saving ]
}
sluice vm save linux "$store/second.vm" >"$work/out" 2>&1 &
job=$!
check "it is being saved" wait_for 20 saving
kill -KILL "$(pgrep -x sluice-vmm)"
wait $job
check "monitor killed: the save says so" test $? = 1
sed 's/^/#   /' "$work/out"
check "monitor killed: no file" test "$(ls -A "$store")" = linux.vm
check "monitor killed: the VM has crashed" wait_for 10 sh -c "sluice vm list --json | jq -e '.[] | .state | startswith(\"crashed\")'"
check "what was saved before is there" sluice vm restore "$store/linux.vm" --detach
check "it counts" wait_for 30 last_line linux "$clock"
check "powerdown" sluice vm powerdown linux
check "it powers off" wait_for 30 sh -c "! sluice vm list | grep -q linux"
finish
