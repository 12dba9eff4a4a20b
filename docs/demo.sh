#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The demo: the main job of Sluice, on the lab's emulated host, with the installed command only. Each
# command is shown before it runs; `make demo` starts this.
set -euo pipefail
PATH=$SLUICE_BUILD/root/usr/bin:$PATH
began=$SECONDS
trap 'echo "demo: failed at line $LINENO" >&2' ERR

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

say() {
	printf '\n%s\n' "$*"
}

run() { # COMMAND...: shows it, then does it
	local word line=
	for word in "$@"; do
		[[ $word != *' '* ]] || word="'$word'"
		line+=" $word"
	done
	line=${line/$LAB_KERNEL/vmlinuz}
	printf '%s$%s%s\n' "$bold" "${line/$LAB_INITRD/initrd.cpio}" "$plain"
	"$@"
}

wait_for() { # SECONDS TEXT: until the guest's console has said it
	local deadline=$((SECONDS + $1))
	until grep -q -- "$2" "$console" 2>/dev/null; do
		[ "$SECONDS" -lt "$deadline" ] || { echo "demo: the guest never said: $2" >&2; cat "$console" >&2; return 1; }
		sleep 0.2
	done
}

interrupts() {
	awk '/vfio/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

echo "What you see runs on an emulated host: QEMU plays a machine with VT-d, an SR-IOV NIC (Intel 82576) and"
echo "AMD SVM, without any of these in your hardware. Kernel, drivers, VFIO, KVM and Sluice are the real ones."
echo "Times below are an emulator's; counts are what they are."

say "1. What this host can do, and which NICs have virtual functions."
run sluice host show
run sluice pf list
pf=$(sluice pf list --json | jq -r '.[0].name')

say "2. Make two VFs, without host drivers, and look at them."
run sluice vf create "$pf" --count 2
run sluice vf list

say "3. Start a VM with the first one. Its MAC is set, its IOMMU group checked, its driver changed."
begin=$EPOCHREALTIME
run sluice vm run web --cpus 1 --memory 512M --kernel "$LAB_KERNEL" --initrd "$LAB_INITRD" \
	--append "console=ttyS0 quiet panic=-1 guest.ip=10.0.2.15/24 guest.end=shell" \
	--vf "$pf/0:mac=02:00:00:00:00:10" --detach
console=$(mktemp)
input=$(mktemp -u)
mkfifo "$input"
sluice vm console web <"$input" >"$console" 2>/dev/null &
exec 3>"$input"
wait_for 60 '/ # '
booted=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
echo "  the guest says:"
grep -o 'SLUICE-GUEST: .*' "$console" | sed 's/^/    /'

say "4. The guest pings the outside a thousand times through its VF."
sluice vm stat web --json >"$console.before"
irqs=$(interrupts)
echo 'ping -q -A -c 1000 10.0.2.2; echo ping-"done"' >&3
wait_for 120 'ping-done'
sluice vm stat web --json >"$console.after"
irqs=$(($(interrupts) - irqs))
grep -aE 'packets transmitted|round-trip' "$console" | sed 's/^/    /'

say "5. What it cost: exits to Sluice and inside KVM during those pings, by reason."
jq -rn --slurpfile a "$console.before" --slurpfile b "$console.after" '
	def counters: ([.exits | to_entries[] | {key: ("to sluice: " + .key), value}]
		+ [.cpus[].engine | to_entries[] | select(.key | test("(exits|injections)$"))
			| {key: ("in KVM: " + .key), value}])
		| group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries;
	($a[0] | counters) as $x | ($b[0] | counters) | to_entries[]
	| {key, value: (.value - ($x[.key] // 0))} | select(.value > 0)
	| "    \(.key)\t\(.value)"' | expand -t 44
echo "  Which of Sluice's registers those were:"
jq -rn --slurpfile a "$console.before" --slurpfile b "$console.after" '
	def touched: [.regions[] | {key: "\(.space) \(.name)", value: (.reads + .writes)}]
		| group_by(.key) | map({key: .[0].key, value: (map(.value) | add)}) | from_entries;
	($a[0] | touched) as $x | ($b[0] | touched) | to_entries[]
	| {key, value: (.value - ($x[.key] // 0))} | select(.value > 0)
	| "    \(.key)\t\(.value)"' | expand -t 44

say "6. Its interrupts go through the remapping table (IR-), straight from VFIO to KVM."
grep -E 'vfio' /proc/interrupts | sed 's/^/  /'

say "7. Its IOMMU group, and the memory its VF can reach: the guest's, and nothing else."
vf=$(basename "$(readlink "/sys/class/net/$pf/device/virtfn0")")
run sluice iommu groups "$vf"
run sluice vm maps web

say "8. Stop it; the VF goes back as it was."
private=$(jq '.memory.private_kib' "$console.after")
run sluice vm stop web
exec 3>&-
wait
run sluice vf list
run sluice vf destroy "$pf"

lost=$(sed -n 's/.* received, \([0-9]*%\) packet loss.*/\1/p' "$console" | tail -n 1)
rtt=$(sed -n 's#.*round-trip min/avg/max = [^/]*/\([^/]*\)/.*#\1#p' "$console" | tail -n 1)
exits=$(jq -n --slurpfile a "$console.before" --slurpfile b "$console.after" '$b[0].total - $a[0].total')
say "In short (emulated host; times are the emulator's)"
printf '    %-46s %s\n' \
	"command to guest with a working VF" "$booted s" \
	"1,000 pings through the VF: lost" "${lost:-?}" \
	"round trip, mean" "${rtt:-?} ms" \
	"interrupts delivered to the guest" "$irqs" \
	"exits to Sluice meanwhile" "$exits" \
	"monitor's private memory" "$private KiB" \
	"the whole demo on this host" "$((SECONDS - began)) s"
