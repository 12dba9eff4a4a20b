#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --timeout 600
#
# kill -9 of the monitor, of its supervisor and of both while the guest uses the VF; Ctrl-C once and
# twice; the host asking for its device back. No device may end up without the driver it had.
. tests/lab/lib.sh

pf=$(pf)
check "VFs are made, with drivers" sluice vf create "$pf" --count 2 --probe
vf=$(vf_bdf "$pf" 0)
check "the VF has its driver" wait_for 5 test "$(driver_of "$vf")" = igbvf
# The kernel makes up a new address for a VF without one whenever that is reset.
check "it has an address of its own" sluice vf set "$pf/0" --mac 02:00:00:00:04:00
made=$(host_state)
start() {
	guest web "guest.ip=10.0.2.15/24 guest.ping=10.0.2.2,3 guest.wait" --memory 256M \
		--vf "$pf/0:mac=02:00:00:00:04:01" "$@"
}
vmm() {
	pgrep -x sluice-vmm
}
started() {
	check "$1: started" start --detach
	check "$1: the guest is up" wait_for 60 sh -c "[ \$(awk '/vfio/ { n += \$2 + \$3 } END { print n + 0 }' /proc/interrupts) -gt 5 ]"
}

has_driver() {
	test "$(driver_of "$vf")" = igbvf
}
# freed WHAT VM: the VM is crashed, its VF is back, and vm stop leaves nothing of it.
freed() {
	check "$1: its VF has its driver again" wait_for 20 has_driver
	check "$1: vm list says crashed" wait_for 5 sh -c "sluice vm list | grep -q '$2.*crashed'"
	check "$1: vm stop forgets it" sluice vm stop "$2"
	unchanged "$1: everything is as before" "$made"
}

started "monitor killed"
kill -KILL "$(vmm)"
check "monitor killed: it is gone" wait_for 10 sh -c '! pgrep -x sluice-vmm'
freed "monitor killed" web

# One thread that dies takes the rest along. Code that only this thread runs is made an invalid instruction,
# and the thread is brought there.
poison() { # SYMBOL [CODE, as printf takes it]
	local pid at base code=${2:-'\017\013'}
	pid=$(vmm)
	at=$(nm "/proc/$pid/exe" | awk -v symbol="$1" '$3 == symbol { print $1 }')
	base=$(awk 'NR == 1 { sub(/-.*/, "", $1); print $1 }' "/proc/$pid/maps")
	# shellcheck disable=SC2059 # the bytes are the format
	printf "$code" | dd of="/proc/$pid/mem" bs=1 seek=$((16#$base + 16#$at)) conv=notrunc status=none
}
dies() { # THREAD SYMBOL COMMAND...: that brings it there, of the VM `thread`, which runs
	local thread=$1 symbol=$2
	shift 2
	check "$thread dies: it is brought to its end" poison "$symbol"
	"$@" >"$work/out" 2>&1
	check "$thread dies: so does sluice-vmm" wait_for 10 sh -c '! pgrep -x sluice-vmm'
	check "$thread dies: the log tells" wait_for 10 grep -q "crashed: sluice-vmm died" /run/sluice/vm/thread/vmm.log
	freed "$thread dies" thread
}
tiny() {
	check "$1 dies: started" sluice vm run thread --kernel "$SLUICE_BUILD/guest/counter" --memory 32M \
		--vf "$pf/0:mac=02:00:00:00:04:02" --detach
}
tiny "a virtual CPU"
dies "a virtual CPU" hv_exit_dispatch true
tiny "the loop"
dies "the loop" method_stat sluice vm stat thread
# The same thread does what a guest would that has broken into it: it makes a socket (mov $41, %eax; syscall). Its
# sandbox ends it, and the supervisor says what it did.
sandboxed() {
	local status
	status=/proc/$(vmm)/status
	grep -q '^Uid:.0' "$status" && return 1
	grep -q '^CapEff:.0000000000000000$' "$status" && grep -q '^CapBnd:.0000000000000000$' "$status" &&
		grep -q '^NoNewPrivs:.1$' "$status" && grep -q '^Seccomp:.2$' "$status" &&
		grep -q '^NSpid:.*[[:space:]]1$' "$status" && [ "$(ls "/proc/$(vmm)/root")" = "$(printf 'proc\nsys')" ]
}
if [[ $SLUICE_BUILD == *san-* ]]; then
	ok "a monitor that is broken into # SKIP a sanitizer's build has no sandbox"
else
	tiny "a monitor that is broken into"
	check "a monitor that is broken into: it is in its sandbox" sandboxed
	check "a monitor that is broken into: it makes a socket" poison method_stat '\270\051\000\000\000\017\005'
	sluice vm stat thread >"$work/out" 2>&1
	check "a monitor that is broken into: it is ended" wait_for 10 sh -c '! pgrep -x sluice-vmm'
	check "a monitor that is broken into: the log tells what it did" wait_for 10 grep -q \
		"made the system call socket, which its sandbox does not have" /run/sluice/vm/thread/vmm.log
	freed "a monitor that is broken into" thread
fi
# An I/O thread has work as long as a guest has a driver.
check "a guest with a driver is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--bare --module virtio_pci --module virtio-rng "$work/rng.cpio"
LAB_INITRD=$work/rng.cpio check "an I/O thread dies: started" guest thread guest.wait --memory 256M --rng \
	--vf "$pf/0:mac=02:00:00:00:04:02" --detach
check "an I/O thread dies: the guest is up" wait_for 60 waiting thread
dies "an I/O thread" take_call sluice vm pause thread

started "everything killed"
pkill -KILL -x sluice
pkill -KILL -x sluice-vmm
check "everything killed: vf list says orphaned" wait_for 5 sh -c "sluice vf list | grep -q orphaned"
guest web "guest.ip=10.0.2.15/24 guest.ping=10.0.2.2,3" --memory 256M --vf "$pf/0:mac=02:00:00:00:04:01" >"$work/out" 2>&1
check_text "everything killed: the next start takes it back" "SLUICE-GUEST: ping ok" "$work/out"
unchanged "everything killed: everything is as before" "$made"

started "supervisor killed"
pkill -KILL -x sluice
check "supervisor killed: the guest lives on" sh -c "sluice vm list | grep -q 'web.*running'"
check "supervisor killed: vm stop still ends it" sluice vm stop web
check "supervisor killed: everything is as before" wait_for 10 sh -c "[ -z \"\$(sluice vm list --json | grep web)\" ]"
unchanged "supervisor killed: the host is as before" "$made"

start >"$work/out" 2>&1 &
job=$!
check "Ctrl-C: the guest is up" wait_for 60 grep -q 'SLUICE-GUEST: waiting' "$work/out"
pkill -INT -x sluice
wait $job
check "Ctrl-C: the guest was asked and went, status 0" test $? = 0
check_text "Ctrl-C: by its power button" "SLUICE-GUEST: power-button" "$work/out"
unchanged "Ctrl-C: everything is as before" "$made"

# A guest that does not listen: the kernel alone, stopped in its initramfs before acpi events are read.
guest deaf "guest.wait rdinit=/bin/sleep -- 600" --memory 256M --vf "$pf/0" >"$work/out" 2>&1 &
job=$!
check "Ctrl-C twice: the guest is up" wait_for 60 sh -c "sluice vm list | grep -q 'deaf.*running'"
pkill -INT -x sluice
sleep 1
check "Ctrl-C twice: once is not enough for a deaf guest" vmm
pkill -INT -x sluice
check "Ctrl-C twice: the second forces it" wait_for 10 sh -c '! pgrep -x sluice-vmm'
wait $job
unchanged "Ctrl-C twice: everything is as before" "$made"

# The host asks for its device back: vfio-pci waits until the monitor has let go of it.
started "device asked back"
check "device asked back: the guest is done with it" wait_for 60 waiting web
check "device asked back: it is let go" timeout 10 sh -c "echo $vf >/sys/bus/pci/drivers/vfio-pci/unbind"
check "device asked back: it is gone from vfio-pci" test -z "$(driver_of "$vf")"
check "device asked back: the VM lives on" sh -c "sluice vm list | grep -q 'web.*running'"
check_text "device asked back: the log says so" "the host takes it back" /run/sluice/vm/web/vmm.log
check "device asked back: vm stat still answers" sluice vm stat web
check "device asked back: vm stop ends the VM" sluice vm stop web
check "device asked back: the VF has its driver again" test "$(driver_of "$vf")" = igbvf
unchanged "device asked back: everything is as before" "$made"
finish
