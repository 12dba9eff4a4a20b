# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# lib: what every scenario on the emulated host shares. A scenario states facts in TAP and never
# stops at the first failure; its exit status says whether any failed (finish).

set -uo pipefail
PATH=$SLUICE_BUILD/root/usr/bin:$PATH
work=$(mktemp -d)
tests_failed=0
known_state= # host_state after the last refusal; empty when something was changed since

ok() {
	echo "ok - $*"
}

not_ok() {
	echo "not ok - $*"
	tests_failed=1
}

# check DESCRIPTION COMMAND...: the command succeeds. Its output is shown only when it does not.
check() {
	local what=$1 out start=$SECONDS
	shift
	known_state=
	if out=$("$@" 2>&1); then
		ok "$what"
		[ $((SECONDS - start)) -lt 10 ] || echo "# took $((SECONDS - start)) s"
	else
		not_ok "$what"
		printf '# %s\n' "$*"
		sed 's/^/#   /' <<<"$out"
	fi
}

# check_text DESCRIPTION REGEX FILE: some line of the file matches.
check_text() {
	if grep -qE -- "$2" "$3"; then
		ok "$1"
	else
		not_ok "$1"
		echo "# no line of $3 matches: $2"
		tail -n 40 "$3" | sed 's/^/#   /'
	fi
}

# unchanged DESCRIPTION STATE: the host is as it was when host_state gave STATE.
unchanged() {
	local now
	now=$(host_state)
	if [ "$now" = "$2" ]; then
		ok "$1"
	else
		not_ok "$1"
		diff <(echo "$2") <(echo "$now") | sed 's/^/#   /'
	fi
}

# refused STATUS REGEX DESCRIPTION COMMAND...: ends with STATUS, says one line that matches, and the
# host is as it was before. What one refusal has seen afterwards is what the next one starts from.
refused() {
	local want=$1 regex=$2 what=$3 before after out status
	shift 3
	before=${known_state:-$(host_state)}
	out=$("$@" 2>&1 </dev/null) # may be a function, which timeout could not run
	status=$?
	after=$(host_state)
	known_state=$after
	if [ "$status" != "$want" ]; then
		not_ok "$what: status $status instead of $want"
	elif [ "$(wc -l <<<"$out")" != 1 ]; then
		not_ok "$what: not one line"
	elif ! grep -qE -- "$regex" <<<"$out"; then
		not_ok "$what: no match for: $regex"
	elif [ "$before" != "$after" ]; then
		not_ok "$what: the host changed"
		diff <(echo "$before") <(echo "$after") | sed 's/^/#   /'
	else
		ok "$what"
	fi
	sed 's/^/#   /' <<<"$out"
}

# Everything on the host that Sluice could have changed, as text to compare. Few processes: each costs
# a tenth of a second here.
host_state() {
	stat -c %N /sys/bus/pci/devices/*/driver 2>/dev/null
	grep -H . /sys/bus/pci/devices/*/{driver_override,sriov_numvfs,sriov_drivers_autoprobe} 2>/dev/null
	ip link show | grep -E '^ +vf ' # attributes of VFs, as the kernel has them
	find /dev/vfio /run/sluice/vm -mindepth 1 2>/dev/null
	sluice vf list --json | grep -E '"(owner|state)"'
	pgrep -x -l sluice-vmm
	return 0
}

# The PF of this host (the lab's first NIC), its VFs' addresses.
pf() {
	sluice pf list --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -n 1
}

vf_bdf() { # PF INDEX
	basename "$(readlink "/sys/class/net/$1/device/virtfn$2")"
}

driver_of() { # BDF
	basename "$(readlink "/sys/bus/pci/devices/$1/driver" 2>/dev/null)"
}

guest() { # NAME APPEND OPTION...: a VM with the lab's kernel and initramfs, in the foreground
	local name=$1 append=$2
	shift 2
	timeout 120 sluice vm run "$name" --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
		--append "console=ttyS0 quiet panic=-1 $append" "$@" </dev/null
}

# said NAME: what a detached VM's guest has said. It ends when the guest falls silent, or else in a pause.
said() {
	timeout 4 sluice vm console "$1" </dev/null
}

waiting() { # NAME: the guest has done what it was told, and waits
	[[ $(said "$1") == *"SLUICE-GUEST: waiting"* ]]
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails after that time.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.1
	done
}

# Interrupts that VFIO has delivered, over all vectors and CPUs.
vfio_interrupts() {
	awk '/vfio/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

# boot DESCRIPTION OPTION...: a start to the end; leaves what was said in $work/out.
boot() {
	local what=$1 start=$SECONDS
	shift
	"$@" >"$work/out" 2>&1
	check "$what: status 0" test $? = 0
	check_text "$what: it powered itself off" "ended: poweroff" "$work/out"
	check_text "$what: user space is reached" "SLUICE-GUEST: up" "$work/out"
	echo "# $what: $((SECONDS - start)) s"
}

finish() {
	rm -rf "$work"
	exit $tests_failed
}
