#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology none --timeout 420
#
# The life cycle of a Linux guest with two CPUs, a disk and a NIC: its clocks after a pause; its memory, its disk
# and an open connection after a save and a restore in another process; and saves that are killed on the way.
. tests/lab/lib.sh

store=$work/store
mkdir "$store"
count='^COUNT [0-9]+ [a-z-]+ [0-9]{8}$'

check "a reader of PTP clocks is built" cc -static -o "$work/ptptime" tests/tools/ptptime.c
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module button --module evdev --module virtio_pci --module virtio_blk --module virtio_rng \
	--module virtio_net --module af_packet --module ptp_kvm --file "$work/ptptime:ptptime" \
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
check "it counts" wait_for 90 last_line linux "$count"
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
# Host and guest are read in turn on a machine that may be busy, so every time is known as between two: what the
# guest answers was read after it was asked for and before the answer came.
host_now() {
	cut -d ' ' -f 1 /proc/uptime
}
word=0
ask() { # sets asked, answered, date0, date1 of the host and up, wall, ptp of the guest
	local line
	word=$((word + 1)) up=
	asked=$(host_now) date0=$(date +%s)
	coproc CONSOLE { exec sluice vm console linux 2>/dev/null; }
	echo $word >&"${CONSOLE[1]}"
	while read -r -t 30 -u "${CONSOLE[0]}" line; do
		[[ $line =~ ^TIME\ $word\ ([0-9.]+)\ ([0-9]+)\ ([0-9]*) ]] || continue
		up=${BASH_REMATCH[1]} wall=${BASH_REMATCH[2]} ptp=${BASH_REMATCH[3]}
		break
	done
	answered=$(host_now) date1=$(date +%s)
	kill "$CONSOLE_PID"
	wait "$CONSOLE_PID" 2>/dev/null
}
sample() { # sets number, source, disk as the guest told them last
	read -r _ number source disk <<<"$(last_line linux "$count")"
}
calc() {
	awk "BEGIN { printf \"%.2f\", $* }"
}
# between LOW VALUE HIGH SLACK
between() {
	echo "$2 is not between $1 and $3"
	awk -v l="$1" -v v="$2" -v h="$3" -v s="$4" 'BEGIN { exit !(v >= l - s && v <= h + s) }'
}
ask
asked0=$asked answered0=$answered up0=$up wall0=$wall
sleep 4
ask
low=$(calc "$asked - $answered0") high=$(calc "$answered - $asked0") saw=$(calc "$up - $up0")
sample
echo "# clock source $source; in $low to $high s of the host the guest saw $saw"
check "its clock runs as the host's" between "$low" "$saw" "$high" 0.2
pausing=$(host_now)
check "Linux is paused" sluice vm pause linux
paused=$(host_now)
sleep 8
resuming=$(host_now)
check "Linux is resumed" sluice vm resume linux
resumed=$(host_now)
before=$number
sleep 3
ask
low=$(calc "$asked - $answered0 - ($resumed - $pausing)") high=$(calc "$answered - $asked0 - ($resuming - $paused)")
saw=$(calc "$up - $up0") date_saw=$((wall - wall0))
echo "# paused for $(calc "$resuming - $paused") s or more; of $low to $high s that it ran the guest saw $saw, $date_saw by date"
check "paused time does not exist for it" between "$low" "$saw" "$high" 0.2
check "by date neither" between "$low" "$date_saw" "$high" 1.2
goes_on() {
	sample
	[ "${number:-0}" -gt "$before" ]
}
check "it goes on counting" wait_for 30 goes_on

# ---- saved and restored ----
sample
before=$number
ask
asked0=$asked answered0=$answered up0=$up
saving=$(host_now)
carried=$(wc -l <"$work/tcp")
check "Linux is saved" sluice vm save linux "$store/linux.vm"
saved=$(host_now)
du -k "$store/linux.vm" | sed 's/^/#   /'
sleep 8
restoring=$(host_now)
check "Linux is restored" sluice vm restore "$store/linux.vm" --detach --verify
restored=$(host_now)
check "its number in memory goes on" wait_for 30 goes_on
sample # a check runs in a shell of its own
check "the same connection goes on" wait_for 60 received $((carried + 20))
check "its other end has seen nothing of it" kill -0 $peer
echo "# $carried lines before the save, $(wc -l <"$work/tcp") now"
check "its disk is whole" test "$((10#$disk))" = "$number"
ask
low=$(calc "$asked - $answered0 - ($restored - $saving)") high=$(calc "$answered - $asked0 - ($restoring - $saved)")
saw=$(calc "$up - $up0")
echo "# $before before, $number after; of $low to $high s that it ran the guest saw $saw"
check "its clock goes on where it was" between "$low" "$saw" "$high" 0.2
echo "# the host says $date0 to $date1, the guest $wall by itself and ${ptp:-nothing} by its PTP clock"
if [ -n "$ptp" ]; then
	check "the host's time is there to be read" between "$date0" "$ptp" "$date1" 1
else
	echo "ok - the host's time is there to be read # SKIP KVM offers it where the host's clock is the TSC"
fi
heard linux >"$work/linux"
check_text "it knows that it is not the one it was" "crng reseeded due to virtual machine fork" "$work/linux"
check "no stall, no lockup, no unstable clock" sh -c "! grep -iE 'stall|lockup|unstable|BUG:|Oops' $work/linux"

# ---- the monitor is killed while it saves ----
sluice vm events linux --json >"$work/events" &
listening() {
	sluice vm pause linux
	sluice vm resume linux
	grep -q '"paused"' "$work/events"
}
check "its events are heard" wait_for 20 listening
monitor=$(pgrep -x sluice-vmm)
(
	until grep -q '"saving"' "$work/events"; do
		sleep 0.01
	done
	kill -KILL "$monitor"
) &
sluice vm save linux "$store/second.vm" >"$work/out" 2>&1
check "monitor killed: the save says so" test $? = 1
sed 's/^/#   /' "$work/out"
check "monitor killed: no file" test "$(ls -A "$store")" = linux.vm
check "monitor killed: the VM has crashed" wait_for 10 sh -c "sluice vm list --json | jq -e '.[] | .state | startswith(\"crashed\")'"
check "what was saved before is there" sluice vm restore "$store/linux.vm" --detach
check "it counts" wait_for 30 last_line linux "$count"
check "powerdown" sluice vm powerdown linux
check "it powers off" wait_for 30 sh -c "! sluice vm list | grep -q linux"
finish
