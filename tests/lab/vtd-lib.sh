# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# vtd-lib: the scenario of our own VT-d driver, for each setting of the emulated unit ($vtd_settings:
# legacy|scalable second|first). The device is `edu`; tests/tools/edu.c does the checks.
. tests/lab/lib.sh

tool=$SLUICE_BUILD/tests/tools/edu
# DMAR (VT-d 8.1): width in byte 36; the first structure, a DRHD (8.3), at 48 with its base at + 8.
table=/sys/firmware/acpi/tables/DMAR
width=$(($(od -An -tu1 -j36 -N1 $table) + 1))
base=0x$(od -An -tx8 -j56 -N8 $table | tr -d ' ')
device=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
echo "# unit $base, addresses of $width bits, device $device"
echo 16 >/proc/sys/vm/nr_hugepages
mkdir -p /dev/hugepages
mount -t hugetlbfs -o pagesize=2M none /dev/hugepages

# shellcheck disable=SC2086 # two words
edu() { # VERB
	SLUICE_LOG=info "$tool" "$1" "$base" "$width" "$device" $vtd_settings
}
# Translation, queue, interrupt remapping: all on or all off.
state_is() { # on|off
	local want=0x86000000
	[ "$1" = on ] || want=0
	[ $(($("$tool" state "$base") & 0x86000000)) = $((want)) ]
}
# Sets up everything and is killed.
die_holding() {
	# shellcheck disable=SC2086 # two words
	"$tool" hold "$base" "$width" "$device" $vtd_settings >"$work/held" 2>&1 &
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

# Killed: the unit stays on, and its tables stay in memory until it is switched off.
die_holding
sluice iommu release --dry-run >"$work/out"
check_text "release would switch it off" "${base/0x00000000/0x} +left on" "$work/out"
check "and has not" state_is on
check "release switches it off" sluice iommu release
check "it is off" state_is off
check "its hugepages are given back" test -z "$(ls /dev/hugepages)"
# The next driver does the same by itself.
die_holding
edu run >"$work/out" 2>"$work/log"
check "the next driver takes over what was left on" test $? = 0
check_text "and says so" "left on by a driver that was killed" "$work/log"
check "the unit is off in the end" state_is off
finish
