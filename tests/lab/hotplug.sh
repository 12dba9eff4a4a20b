#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 900
#
# A VF comes to a running guest and goes again, SLUICE_ROUNDS times (6), under traffic each time: nothing of it
# may be left in the monitor or on the host. A guest that does not listen keeps its device. A kill -9 of the
# command, or of the monitor, loses nothing.
. tests/lab/lib.sh

rounds=${SLUICE_ROUNDS:-6}
pf=$(pf)
check "VFs are made, with drivers" sluice vf create "$pf" --count 2 --probe
vf=$(vf_bdf "$pf" 0)
check "the VF has its driver" wait_for 5 test "$(driver_of "$vf")" = igbvf
check "it has an address of its own" sluice vf set "$pf/0" --mac 02:00:00:00:05:00
check "so has the other" sluice vf set "$pf/1" --mac 02:00:00:00:05:10
group=$(basename "$(readlink "/sys/bus/pci/devices/$vf/iommu_group")")
made=$(host_state)
check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--init tests/guest/hotplug.sh "$work/guest.cpio"
export LAB_INITRD=$work/guest.cpio

start() { # NAME APPEND OPTION...
	local name=$1 append=$2
	shift 2
	# not by guest(), which gives it two minutes
	sluice vm run "$name" --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" --memory 512M \
		--append "console=ttyS0 quiet panic=-1 $append" "$@" </dev/null >"$work/$name" 2>&1 &
}
said_all() { # NAME TEXT
	grep -qF "SLUICE-GUEST: $2" "$work/$1"
}
up() {
	sluice vm list | grep -q "$1.*running"
}
milliseconds() {
	echo $(($(date +%s%N) / 1000000))
}
# What a round may leave behind: descriptors, routes, pinned and private memory of the monitor.
holdings() {
	local pid=$1
	find "/proc/$pid/fd" -mindepth 1 | wc -l
	sluice vm stat web --json | jq '(.devices | length), (.regions | length)'
	sluice vm maps web --json | jq length
	awk '/^Vm(Pin|Lck)/ { print $2 }' "/proc/$pid/status"
}
attach() { # ROUND: prints how long until the guest has its NIC
	local begin
	begin=$(milliseconds)
	sluice vf attach web "$pf/0:mac=02:00:00:00:05:01" || return 1
	wait_for 20 said_all web "nic $1 " || return 1
	echo "nic in the guest after $(($(milliseconds) - begin)) ms"
}

# How often a VM answers, without a device, while a command gives it one.
answers() { # NAME JOB
	local n=0
	while kill -0 "$2" 2>/dev/null; do
		[ "$(sluice vm show "$1" --json | jq '.devices | length')" != 0 ] || n=$((n + 1))
	done
	echo $n
}

start web "hp" --cpus 2
check "the guest is up" wait_for 120 said_all web "memory"
sleep 2
refused 1 "neither runs nor is defined" "attach to a VM that does not run" sluice vf attach none "$pf/0"
pid=$(pgrep -x sluice-vmm)
# All of its memory is taken from the host now, which lasts; nobody has to wait for that but the command.
sluice vf attach web "$pf/0:mac=02:00:00:00:05:01" >"$work/out" 2>&1 &
job=$!
count=$(answers web $job)
wait $job
check "first attach" test $? = 0
sed "s/^/#: first: /" "$work/out"
check "the VM answers meanwhile" test "$count" -gt 0
check "first attach: it pings" wait_for 30 said_all web "ping 1 ok"
check "first detach" sluice vf detach web "$pf/0"
private=$(sluice vm stat web --json | jq .memory.private_kib)
failed=0
for ((i = 2; i <= rounds + 1; i++)); do
	attach $i >"$work/out" 2>&1 || failed=$((failed + 1))
	sed "s/^/#: round $i: /" "$work/out"
	wait_for 30 said_all web "ping $i ok" || failed=$((failed + 1))
	if [ $i = 2 ]; then
		check "attached: vm show has it" sh -c "sluice vm show web | grep -q '$vf'"
		check "attached: vf list says held" sh -c "sluice vf list | grep -q 'held.*web'"
		refused 1 "already" "attached: not once more" sluice vf attach web "$pf/0"
	fi
	sluice vf detach web "$pf/0" >"$work/out" 2>&1 || failed=$((failed + 1))
	sed "s/^/#: round $i: /" "$work/out"
	wait_for 5 said_all web "gone $i" || failed=$((failed + 1))
	[ $i != 2 ] || before=$(holdings "$pid") # KVM's VFIO device stays from the first group on
done
check "all $rounds rounds went well" test $failed = 0
after=$(holdings "$pid")
check "the monitor holds what it held after the first round" test "$before" = "$after"
[ "$before" = "$after" ] || printf '# before %s\n# after %s\n' "$before" "$after"
private_after=$(sluice vm stat web --json | jq .memory.private_kib)
echo "#: private memory of the monitor: $private KiB before, $private_after KiB after $rounds rounds"
check "its memory has not grown" test "$private_after" -le $((private + 256))
check "nobody has the group open" test -z "$(find /proc/[0-9]*/fd -lname "/dev/vfio/$group" 2>/dev/null)"
check "the VF has its driver again" wait_for 5 test "$(driver_of "$vf")" = igbvf
check "detach of what is not there" sh -c "sluice vf detach web $pf/0 | grep -q 'nothing to do'"

# kill -9 of the command, wherever it is: the next one finds its way.
for delay in 0.02 0.1 0.2 0.3; do
	timeout -s KILL $delay sluice vf attach web "$pf/0:mac=02:00:00:00:05:01" >/dev/null 2>&1
	sluice vf attach web "$pf/0:mac=02:00:00:00:05:01" >"$work/out" 2>&1
	check "command killed after $delay s: the VM has the VF or gets it" \
		sh -c "cat $work/out; sluice vm show web --json | jq -e '.devices | length == 1'"
	sluice vf detach web "$pf/0" >/dev/null 2>&1
done 2>/dev/null
check "it can still be given back" wait_for 5 test "$(driver_of "$vf")" = igbvf
check "vm stop" sluice vm stop web
unchanged "everything is as before the VM" "$made"

# A guest without hot plug keeps its device, which works on.
start deaf "acpiphp.disable=1" --cpus 1 --vf "$pf/0:mac=02:00:00:00:05:02"
check "deaf guest: it pings" wait_for 60 said_all deaf "ping 1 ok"
refused 1 "has not let go" "deaf guest: detach times out" sluice vf detach deaf "$pf/0" --timeout 2
vectors=$(vfio_interrupts)
check "deaf guest: its device works on" wait_for 10 sh -c "test \$(awk '/vfio/ { for (i = 2; \$i ~ /^[0-9]+\$/; i++) n += \$i } END { print n + 0 }' /proc/interrupts) -gt $((vectors + 20))"
check "deaf guest: stopped" sluice vm stop deaf
unchanged "deaf guest: everything is as before" "$made"

# What was there from the start goes too; and one that came is released when its VM died. This guest drives
# the slots itself, in the way of PCI Express, and takes its time.
start cold "pcie_ports=native" --cpus 1 --prefault --vf "$pf/1:mac=02:00:00:00:05:03"
check "cold: it pings" wait_for 60 said_all cold "ping 1 ok"
check "cold: detached" sluice vm detach cold "$pf/1"
check "cold: another in its place" sluice vm attach cold --vf "$pf/0:mac=02:00:00:00:05:04"
check "cold: it pings through that" wait_for 30 said_all cold "ping 2 ok"
kill -KILL "$(pgrep -x sluice-vmm)"
check "monitor killed: it is gone" wait_for 10 sh -c '! pgrep -x sluice-vmm'
check "monitor killed: its VF is given back" wait_for 20 sh -c "! sluice vf list | grep -q cold"
check "monitor killed: vm stop forgets it" sluice vm stop cold
unchanged "monitor killed: everything is as before" "$made"
finish
