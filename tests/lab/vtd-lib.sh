# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# vtd-lib: the scenario of our own VT-d driver, for each setting of the emulated unit ($vtd_settings:
# legacy|scalable second|first). The device is `edu`; tests/tools/edu.c does the checks.
. tests/lab/lib.sh

tool=$SLUICE_BUILD/tests/tools/edu
device=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
read -r base _ < <("$tool" state "$device")
echo "# unit $base, device $device"
# The kernel stops at a signal or where memory is in pieces, and gives what it has by then.
sixteen_hugepages() {
	echo 1 >/proc/sys/vm/compact_memory
	echo 16 >/proc/sys/vm/nr_hugepages
	test "$(cat /proc/sys/vm/nr_hugepages)" = 16
}
check "16 hugepages" wait_for 30 sixteen_hugepages
mkdir -p /dev/hugepages
mount -t hugetlbfs -o pagesize=2M none /dev/hugepages

# shellcheck disable=SC2086 # two words
edu() { # VERB
	SLUICE_LOG=info "$tool" "$1" "$device" $vtd_settings
}
# Translation, queue, interrupt remapping: all on or all off.
state_is() { # on|off
	local want=0x86000000 state
	[ "$1" = on ] || want=0
	read -r _ state < <("$tool" state "$device")
	[ $((state & 0x86000000)) = $((want)) ]
}
# The device may send requests of its own: bit 2 of its command register.
may_dma() {
	[ $(($(od -An -tu1 -j4 -N1 "/sys/bus/pci/devices/$device/config") & 4)) != 0 ]
}
stopped() {
	! may_dma
}
# Sets up everything and is killed.
die_holding() {
	# shellcheck disable=SC2086 # two words
	"$tool" hold "$device" $vtd_settings >"$work/held" 2>&1 &
	check "a driver holds the unit" wait_for 20 grep -q holding "$work/held"
	check "another does not get it" bash -c "! sluice iommu release"
	kill -9 $!
	wait $! 2>/dev/null
	check "killed, it leaves the unit on" state_is on
	check "and its tables in memory" test -n "$(ls /dev/hugepages)"
}

check "the kernel has left the unit off" state_is off
edu run 2>"$work/log" || tests_failed=1
sed 's/^/# /' "$work/log"
check_text "a fault names device, address and reason" \
	"$device: write to 0x800000 blocked: " "$work/log"
check "the unit is off again" state_is off
check "its hugepages are given back" test -z "$(ls /dev/hugepages)"

# The same memory, mapped through the interface that VMs' memory goes through.
edu domain 2>"$work/log" || tests_failed=1
sed 's/^/# /' "$work/log"
check "the unit is off after that too" state_is off

# Killed: the unit stays on, and its tables stay in memory until it is switched off.
die_holding
sluice iommu release --dry-run >"$work/out"
check_text "release would switch it off" "$base +left on" "$work/out"
check "and has not" state_is on
check "the device may still send requests" may_dma
check "release switches it off" sluice iommu release
check "it is off" state_is off
check "and the device kept from DMA, which nothing would stop now" stopped
check "its hugepages are given back" test -z "$(ls /dev/hugepages)"
# The next driver does the same by itself.
die_holding
edu run >"$work/out" 2>"$work/log"
check "the next driver takes over what was left on" test $? = 0
check_text "and says so" "left on by a driver that was killed" "$work/log"
check "the unit is off in the end" state_is off

# Killed under a guard: released at once, by nobody's command.
# shellcheck disable=SC2086 # two words
sluice iommu guard "$device" -- "$tool" hold "$device" $vtd_settings >"$work/held" 2>&1 &
guard=$!
check "a guarded driver holds the unit" wait_for 20 grep -q holding "$work/held"
check "it is on" state_is on
check "a second guard is refused" bash -c "! sluice iommu guard $device -- $tool hold"
kill -9 "$(pgrep -P $guard)"
wait $guard
check "the guard's status tells of the kill" test $? = 1
check_text "and so does what it says" "edu: ended by signal 9" "$work/held"
check "the unit is off by then" state_is off
check "its hugepages are given back" test -z "$(ls /dev/hugepages)"
check "the device is kept from DMA" stopped
sluice iommu guard "$device" -- bash -c 'exit 7'
check "of a program that ends by itself, the status is its own" test $? = 7
finish
