#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The lab's own tests: that what it promises holds, before anything else relies on it.
# Speaks TAP; a test is a function test_NAME that fails by
# returning nonzero. Names given as arguments select tests; --quick leaves out those that boot.

set -uo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
lab=$here/lab
# shellcheck source=lab/common.sh
. "$here/common.sh"
# shellcheck source=lab/rig1.sh
. "$here/rig1.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/lab-selftest.XXXXXX")
export LAB_LOGS=$work/logs LAB_RUN=$work/run
trap 'rm -rf "$work"' EXIT

# expect WHAT COMMAND…: says what did not hold.
expect() {
	local what=$1
	shift
	"$@" >/dev/null 2>&1 || {
		echo "# not so: $what"
		return 1
	}
}

# expect_status WANTED COMMAND…
expect_status() {
	local wanted=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	[ "$status" -eq "$wanted" ] || {
		echo "# status $status, wanted $wanted: $*"
		tail -n 5 "$work/output" | sed 's/^/#   /'
		return 1
	}
}

# run_lab ARG…: a script from standard input on the emulated host.
run_lab() {
	cat >"$work/script.sh"
	"$lab" run "$@" "$work/script.sh"
}

has_line() {
	grep -qx "$1" "$work/output"
}

no_emulator_left() {
	! pgrep -f "$LAB_RUN" && [ -z "$(ls "$LAB_RUN" 2>/dev/null)" ]
}

test_usage() {
	expect_status 2 "$lab" run --topology nonsense /bin/true &&
		expect_status 2 "$lab" run --cpus 0 /bin/true &&
		expect_status 2 "$lab" run --timeout soon /bin/true &&
		expect_status 2 "$lab" run --name ../x /bin/true &&
		expect_status 2 "$lab" run /nonexistent/script &&
		expect_status 2 "$lab" nonsense &&
		expect_status 0 "$lab" --help
}

test_paths() {
	LAB_CACHE=/run/cache expect_status 1 "$lab" run /bin/true &&
		expect "the path is named" grep -q '^lab: /run/cache: ' "$work/output" &&
		LAB_RUN="$work/a b" expect_status 1 "$lab" run /bin/true &&
		expect "nothing was made" [ ! -e "$work/a b" ]
}

test_topology_list() {
	local file
	"$lab" topology list >"$work/output"
	for file in "$here"/topologies/*.conf; do
		expect "$file is listed with a description" \
			grep -q "^$(basename "$file" .conf)  *[A-Z]" "$work/output" || return 1
	done
	expect "show shows" grep -q '^nic igb' <("$lab" topology show default)
}

test_topology_mistake() {
	printf 'nic igb\nnic e1000\n' >"$work/bad.conf"
	expect_status 2 "$lab" run --topology "$work/bad.conf" /bin/true &&
		expect "the line is named" grep -q 'bad.conf:2: nic e1000' "$work/output"
}

test_fetch_is_quick_when_done() {
	"$lab" fetch >/dev/null 2>&1 &&
		expect_status 0 timeout 1 "$lab" fetch
}

test_guest_initrd() {
	echo hello >"$work/file"
	expect_status 0 "$here/guest-initrd" --file "$work/file:/etc/file" "$work/guest.cpio" &&
		(cd "$work" && mkdir guest && cd guest && cpio --quiet -id <../guest.cpio) &&
		expect "the file is in" grep -q hello "$work/guest/etc/file" &&
		expect "igbvf is in" grep -qx igbvf.ko "$work/guest/modules/order" &&
		expect_status 0 "$here/guest-initrd" --bare --module kvm-intel "$work/bare.cpio" &&
		(cd "$work/guest" && rm -r ./* && cpio --quiet -id <../bare.cpio) &&
		expect "dependencies come first" \
			[ "$(tr '\n' ' ' <"$work/guest/modules/order")" = "irqbypass.ko kvm.ko kvm-intel.ko " ]
}

test_guest_initrd_unknown_module() {
	expect_status 1 "$here/guest-initrd" --module nonsense "$work/guest.cpio" &&
		expect "it is named" grep -q nonsense "$work/output"
}

# The small guest alone, at level 1: q35 with an ACPI power button, which is pressed once it waits.
run_guest() {
	rig1_command
	mkfifo "$work/monitor"
	timeout 200 "${QEMU[@]}" -nodefaults -display none -no-reboot -accel tcg -machine q35 \
		-cpu max -m 512M -kernel "$LAB_CACHE/kernel/bzImage" -initrd "$work/plain.cpio" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check $*" -device pvpanic \
		-serial "file:$work/serial" -monitor stdio <>"$work/monitor" >/dev/null 2>&1 &
	until grep -q 'SLUICE-GUEST: waiting' "$work/serial" 2>/dev/null || ! kill -0 $! 2>/dev/null; do
		sleep 0.2
	done
	echo system_powerdown 1<>"$work/monitor"
	wait $!
	tr -d '\r' <"$work/serial" >"$work/output"
	rm "$work/monitor" "$work/serial"
}

test_guest_power_button() {
	local line
	"$here/guest-initrd" "$work/plain.cpio" && run_guest guest.wait
	for line in "cpus 1" waiting power-button "end poweroff"; do
		expect "the guest says: $line" has_line "SLUICE-GUEST: $line" || return 1
	done
	expect "up comes first" \
		[ "$(grep -n SLUICE-GUEST "$work/output" | head -n 1 | grep -c ': up [0-9.]*$')" = 1 ]
}

test_guest_panic() {
	"$here/guest-initrd" "$work/plain.cpio" && run_guest guest.end=panic
	expect "it says so" has_line "SLUICE-GUEST: end panic" &&
		expect "it panics" grep -q 'Kernel panic' "$work/output"
}

test_boot_facts() {
	cd "$work" || return 1
	run_lab --keep-out "$work/kept" >"$work/output" 2>"$work/errors" <<-'EOF'
		echo "uptime $(cut -d' ' -f1 /proc/uptime)"
		echo "directory $PWD"
		echo "environment $LAB $LAB_RIG $LAB_CPUS"
		[ -r "$LAB_KERNEL" ] && [ -r "$LAB_INITRD" ] && [ -d "$LAB_MODULES" ] && echo files
		[ "$(head -c 4 "$LAB_VMLINUX" | tail -c 3)" = ELF ] && echo vmlinux
		[ -c /dev/kvm ] && echo kvm
		[ "$(ls /sys/kernel/iommu_groups | wc -l)" -gt 5 ] && echo groups
		grep -q 'IR-' /proc/interrupts && echo remapped
		echo "link $(cat /sys/class/net/eth0/carrier)"
		cat /proc/cmdline | grep -q intel_iommu=on && echo vtd
		pf=/sys/bus/pci/devices/0000:01:00.0
		echo 7 >$pf/sriov_numvfs
		echo "vfs $(ls -d $pf/virtfn* | wc -l)"
		modprobe dummy && echo modprobe
		echo changed >"$PWD/canary" && echo "canary here: $(cat "$PWD/canary")"
		echo brought >"$LAB_OUT/file"
		echo error >/dev/stderr
		exit 7
	EOF
	expect "status 7 comes back" [ $? -eq 7 ] || { sed 's/^/#   /' "$work/errors"; return 1; }
	grep uptime "$work/output" | sed 's/^/# /'
	local line
	for line in "directory $work" "environment 1 1 1" files vmlinux kvm groups remapped "link 1" vtd \
		"vfs 7" modprobe "canary here: changed" error; do
		expect "the host says: $line" has_line "$line" || return 1
	done
	expect "writes stay in the overlay" [ ! -e "$work/canary" ] &&
		expect "LAB_OUT comes back" grep -qx brought "$work/kept/file" &&
		expect "the log has the output" grep -qx kvm "$LAB_LOGS/script.sh.log" &&
		expect "nothing is left" no_emulator_left
}

test_arguments_and_streams() {
	# shellcheck disable=SC2016 # for the emulated host
	"$lab" run --topology none /bin/sh -c 'printf "<%s>\n" "$@"; seq 20000' sh 'a b' '' "it's" \
		>"$work/output" 2>/dev/null
	expect "arguments arrive whole" [ "$(head -n 3 "$work/output")" = "$(printf '<a b>\n<>\n<it'\''s>')" ] &&
		expect "long output arrives whole" [ "$(tail -n +4 "$work/output" | md5sum)" = "$(seq 20000 | md5sum)" ]
}

test_two_at_once() {
	local first second
	"$lab" run --topology none --name twin /bin/sh -c 'sleep 2; echo one; exit 3' \
		>"$work/first" 2>&1 &
	first=$!
	"$lab" run --topology none --name twin /bin/sh -c 'sleep 2; echo two; exit 4' \
		>"$work/second" 2>&1 &
	second=$!
	wait $first
	expect "the first ends with 3" [ $? -eq 3 ] || { sed 's/^/#   /' "$work/first"; return 1; }
	wait $second
	expect "the second ends with 4" [ $? -eq 4 ] || { sed 's/^/#   /' "$work/second"; return 1; }
	expect "the first says one" grep -qx one "$work/first" &&
		expect "the second says two" grep -qx two "$work/second" &&
		expect "each has a log" [ "$(find "$LAB_LOGS" -name 'twin*' | wc -l)" -eq 2 ]
}

test_deadline() {
	expect_status 124 "$lab" run --topology none --timeout 15 /bin/sleep 1000 &&
		expect "the log is named" grep -q "deadline of 15 s; log: $LAB_LOGS/sleep.log" \
			"$work/output" &&
		expect "nothing is left" no_emulator_left
}

test_host_crash() {
	expect_status 125 "$lab" run --topology none /bin/sh -c 'echo c >/proc/sysrq-trigger' &&
		expect "the panic is in the log" grep -q 'Kernel panic' "$LAB_LOGS/sh.log"
}

test_killed_lab() {
	local pid
	"$lab" run --topology none /bin/sleep 1000 >/dev/null 2>&1 &
	pid=$!
	sleep 8
	expect "the emulator runs" pgrep -f "$LAB_RUN" || return 1
	kill -KILL $pid
	wait $pid 2>/dev/null
	sleep 1
	expect "the emulator died with it" [ -z "$(pgrep -f "$LAB_RUN/sleep")" ] &&
		expect_status 0 "$lab" run --topology none /bin/true &&
		expect "the next run swept up" no_emulator_left
}

test_interrupted_lab() {
	local pid
	"$lab" run --topology none /bin/sleep 1000 >/dev/null 2>&1 &
	pid=$!
	sleep 5
	kill -TERM $pid
	wait $pid
	expect "status 143" [ $? -eq 143 ] &&
		sleep 1 && expect "nothing is left" no_emulator_left
}

test_no_iommu() {
	expect_status 0 run_lab --topology no-iommu <<-'EOF'
		[ -z "$(ls /sys/kernel/iommu_groups)" ] && [ -c /dev/kvm ]
	EOF
}

test_no_kvm() {
	expect_status 0 run_lab --topology no-kvm <<-'EOF'
		[ ! -e /dev/kvm ] && [ -n "$(ls /sys/kernel/iommu_groups)" ]
	EOF
}

test_shared_group() {
	expect_status 0 run_lab --topology shared-group <<-'EOF'
		echo 1 >/sys/bus/pci/devices/0000:03:00.0/sriov_numvfs
		group=/sys/bus/pci/devices/0000:03:10.0/iommu_group/devices
		ls $group
		[ -e $group/0000:04:00.0 ] && [ -e $group/0000:03:00.0 ]
	EOF
}

test_all_devices() {
	expect_status 0 run_lab --topology two-nics --nvme sriov --gpu bochs-display \
		--gpu secondary-vga --edu --cpus 4 --memory 3G <<-'EOF'
		set -e
		cd /sys/bus/pci/devices
		cat */device | sort | uniq -c
		[ "$(grep -lx 0x10c9 */device | wc -l)" = 2 ]
		[ "$(grep -lx 0x1111 */device | wc -l)" = 2 ]
		[ "$(grep -lx 0x11e8 */device | wc -l)" = 1 ]
		[ "$(cat /sys/class/net/eth0/address)" != "$(cat /sys/class/net/eth1/address)" ]
		[ "$(nproc)" = 4 ]
		modprobe nvme
		echo 4 >0000:03:00.0/sriov_numvfs
		[ "$(ls -d 0000:03:00.0/virtfn* | wc -l)" = 4 ]
	EOF
}

test_rig2() {
	cat >"$work/vmx.sh" <<-'EOF'
		#!/bin/bash
		echo "hello from bash $BASH_VERSION"
		echo "word $WORD"
		grep -qw vmx /proc/cpuinfo && echo vmx
		grep -qw ept /proc/cpuinfo && echo ept
		[ -c /dev/kvm ] && [ -d /sys/module/kvm_intel ] && echo kvm_intel
		[ -r "$LAB_KERNEL" ] && [ -r "$LAB_INITRD" ] && echo guest
		exit 9
	EOF
	chmod 755 "$work/vmx.sh"
	expect_status 9 "$lab" run --rig 2 --guest /usr/bin/env "WORD=a b" "$work/vmx.sh" &&
		expect "its environment came along" has_line "word a b" &&
		expect "it says hello" grep -q '^hello from bash' "$work/output" || return 1
	local line
	for line in vmx ept kvm_intel guest; do
		expect "the host says: $line" has_line "$line" || return 1
	done
	expect "nothing is left" no_emulator_left
}

quick="usage paths topology_list topology_mistake guest_initrd guest_initrd_unknown_module"
all=$(declare -F | sed -n 's/^declare -f test_//p')
case ${1:-} in
--quick) chosen=$quick ;;
'') chosen=$all ;;
*) chosen=$* ;;
esac

failed=0
for name in $chosen; do
	if "test_$name"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
done
[ "$failed" -eq 0 ]
