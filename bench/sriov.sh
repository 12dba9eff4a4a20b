#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-sriov: how long `sluice vf list` and `sluice plan` take on a made-up machine with 1,000 VFs, four
# PFs with 250 each. Whole commands are timed, from their start to their end, with all that they read: the
# tree, state.db, and /proc for who has a VF open. What the made-up tree lacks is rtnetlink's answer.
#   bench/sriov.sh [ROUNDS]
set -euo pipefail
rounds=${1:-7} pfs=4 each=250
sluice=$(realpath "${O:-build}/bin/sluice")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SLUICE_SYSFS=$work/sys SLUICE_STATE_DIR=$work/state SLUICE_RUN_DIR=$work/run SLUICE_ROOT=$work
bus=$SLUICE_SYSFS/bus/pci groups=$SLUICE_SYSFS/kernel/iommu_groups

put() { # TEXT FILE
	echo "$1" >"$2"
}

group() { # ADDRESS NUMBER
	mkdir -p "$groups/$2/devices"
	put DMA-FQ "$groups/$2/type"
	ln -s "../../../../bus/pci/devices/$1" "$groups/$2/devices/$1"
	ln -s "../../../../kernel/iommu_groups/$2" "$bus/devices/$1/iommu_group"
}

# VF N of a PF on bus B is B:00.0 + 256 + N: the bus behind it.
tree() {
	local p n pf vf
	mkdir -p "$bus/drivers/igb" "$bus/drivers/igbvf" "$work/proc"
	for ((p = 0; p < pfs; p++)); do
		printf -v pf '0000:%02x:00.0' $((p * 2 + 1))
		mkdir -p "$bus/devices/$pf"
		put 0x8086 "$bus/devices/$pf/vendor"
		put 0x10c9 "$bus/devices/$pf/device"
		put $((p / 2)) "$bus/devices/$pf/numa_node"
		put $each "$bus/devices/$pf/sriov_totalvfs"
		put $each "$bus/devices/$pf/sriov_numvfs"
		put 1 "$bus/devices/$pf/sriov_drivers_autoprobe"
		ln -s ../../drivers/igb "$bus/devices/$pf/driver"
		group "$pf" $((p + 1))
		for ((n = 0; n < each; n++)); do
			printf -v vf '0000:%02x:%02x.%x' $((p * 2 + 2)) $((n >> 3)) $((n & 7))
			mkdir -p "$bus/devices/$vf"
			put '(null)' "$bus/devices/$vf/driver_override"
			ln -s ../../drivers/igbvf "$bus/devices/$vf/driver"
			ln -s "../$pf" "$bus/devices/$vf/physfn"
			ln -s "../$vf" "$bus/devices/$pf/virtfn$n"
			group "$vf" $((100 + p * each + n))
		done
	done
}

# What is there is wished, VF by VF; then every VF loses its driver, so that each is a step of a plan.
wish() {
	"$sluice" export --found >"$work/found.json"
	"$sluice" apply --from "$work/found.json" --yes >/dev/null
	"$sluice" assert >/dev/null
	find "$bus/devices" -mindepth 2 -maxdepth 2 -name driver -lname '*/igbvf' -delete
}

# Medians of all rounds, in milliseconds: what the clock says, and what the processor did for it. On a
# machine that has other things to do only the second one tells anything.
medians() { # COMMAND...
	local i TIMEFORMAT='%R %U %S'
	for ((i = 0; i < rounds; i++)); do
		{ time "$@" >"$work/out" 2>"$work/err"; } 2>>"$work/times"
	done
	awk '{ print $1 * 1000 }' "$work/times" | sort -n | sed -n "$((rounds / 2 + 1))p"
	awk '{ print ($2 + $3) * 1000 }' "$work/times" | sort -n | sed -n "$((rounds / 2 + 1))p"
	rm "$work/times"
}

row() { # WHAT BAR CLOCK PROCESSOR
	printf '%-28s %8s %12s %10s\n' "$1" "$3" "$4" "$2"
}

tree
mapfile -t start < <(medians "$sluice" --version)
mapfile -t list < <(medians "$sluice" vf list)
count=$(($(wc -l <"$work/out") - 1))
wish
mapfile -t plan < <(medians "$sluice" plan)
steps=$(($(wc -l <"$work/out") - 1))
echo "$count VFs listed, a plan of $steps steps; medians of $rounds, in ms"
row '' 'to reach' clock processor
row 'vf list' 50 "${list[@]}"
row plan 200 "${plan[@]}"
row 'start and end of a command' - "${start[@]}"
[ "$count" = 1000 ] && [ "$steps" = 1000 ] # else something else was timed
