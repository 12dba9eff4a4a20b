#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# lab: --topology two-nodes --timeout 420
#
# Where a VM lies on a host with two NUMA nodes: its memory, its threads, what its guest is told of it, and
# what it keeps for itself. The host has two processors, and only the second one ever runs a guest: QEMU's SVM
# is not safe beside another that does (lab/README.md).
. tests/lab/lib.sh

check "a guest is made" env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd \
	--init tests/guest/nodes.sh "$work/guest.cpio"
LAB_INITRD=$work/guest.cpio
pf=$(pf)
check "a VF is made" sluice vf create "$pf" --count 1
vf=$(vf_bdf "$pf" 0)
echo 1 >"/sys/bus/pci/devices/$vf/numa_node" # no emulated firmware tells it
before=$(host_state)

pid_of() {
	sluice vm list --json | jq -r ".[] | select(.name == \"$1\").pid"
}
# threads NAME REGEX: "CPUS THREAD" of those whose name matches
threads() {
	awk -v want="$2" '/^Name:/ { name = $2 } /^Cpus_allowed_list:/ && name ~ want { print $2, name }' \
		/proc/"$(pid_of "$1")"/task/*/status
}
# ram NAME POLICY NODE: KiB of guest RAM with that policy that lie on that node
ram() {
	awk -v policy="$2" -v node="N$3=" '$2 == policy {
		for (i = 3; i <= NF; i++) if (index($i, node) == 1) n += substr($i, length(node) + 1) * kib($0) }
		function kib(line) { match(line, /kernelpagesize_kB=[0-9]+/)
			return substr(line, RSTART + 18, RLENGTH - 18) }
		END { print n + 0 }' /proc/"$(pid_of "$1")"/numa_maps
}
# A guest that needs no memory and never sleeps.
counter() { # NAME OPTION...
	sluice vm run "$1" --kernel "$SLUICE_BUILD/guest/counter" --memory 32M --detach "${@:2}" </dev/null
}

# ---- two nodes of its own ----
check "two nodes, CPUs pinned" guest nodes guest.wait --cpus 2 --memory 256M --numa 0,cpus=0,memory=96M \
	--numa 1,cpus=1,memory=160M --pin 0:1,1:1 --vf "$pf/0" --detach
check "the guest has said what it knows" wait_for 120 waiting nodes
said nodes | tr -d '\r' >"$work/out"
check_text "guest node 0: CPU 0, far from node 1" "node0 cpus 0 distance 10 30 kib [1-9]" "$work/out"
check_text "guest node 1: CPU 1, and the larger part of memory" "node1 cpus 1 distance 30 10 kib 1[0-9]{5}" "$work/out"
check_text "the VF is on guest node 1" "nic on node 1" "$work/out"
check_text "addresses are as wide as the IOMMU's" "address sizes.*: 39 bits physical" "$work/out"
grep SLUICE-GUEST "$work/out" | sed 's/^/#: /'
threads nodes 'cpu[01]$' >"$work/threads"
check "both virtual CPUs may run on host CPU 1 alone" test "$(sort -u "$work/threads" | cut -d' ' -f1 | xargs)" = "1 1"
check "node 0's memory is on host node 0" test "$(ram nodes bind:0 0)" = $((96 * 1024))
check "and no other" test "$(ram nodes bind:0 1)" = 0
check "node 1's memory is on host node 1" test "$(ram nodes bind:1 1)" = $((160 * 1024))
check "and no other" test "$(ram nodes bind:1 0)" = 0
grep -h bind: "/proc/$(pid_of nodes)/numa_maps" | sed 's/^/#: /'
check "vm stop" sluice vm stop nodes --force

# ---- what is said, and what is refused ----
guest far "" --numa 0 --vf "$pf/0" --dry-run >"$work/out" 2>&1
check_text "a VF on another node is told of" "vf $pf/0 .* is on NUMA node 1 of the host, and the VM on 0" "$work/out"
refused 1 "no NUMA node 2; it has 0-1" "a node that is not there" guest bad "" --numa 2
refused 2 "CPU 0 is in two nodes" "nodes that do not fit" guest bad "" --numa 0,cpus=0 --numa 1,cpus=0
refused 1 "cannot have 52 bits: .* this CPU gives guests 40" "an address wider than there is" counter bad --phys-bits 52
echo 64 >/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages
refused 1 "huge pages of 2 MiB of the host's NUMA node 0" "huge pages that are on the other node" \
	guest bad "" --memory 128M,pages=2m --numa 0
check "huge pages of node 1" guest huge guest.wait --memory 128M,pages=2m --numa 1 --phys-bits 36 --detach
check "the guest is there" wait_for 120 waiting huge
check "its CPU runs where node 1's are" test "$(threads huge 'cpu0$')" = "1 huge/cpu0"
check "its memory is there" test "$(ram huge bind:1 0)" = 0 -a "$(ram huge bind:1 1)" -gt 0
check_text "its addresses have as many bits as it was said" "address sizes.*: 36 bits physical" <(said huge)
check "vm stop" sluice vm stop huge --force
echo 0 >/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages

# ---- a core of its own ----
check "a VM that may run anywhere" counter web
check "stands still" sluice vm pause web
check "its threads may run on both CPUs" test "$(threads web . | cut -d' ' -f1 | sort -u)" = 0-1
counter rt --pin 0:1 --isolate >"$work/out" 2>&1
check "a VM with CPU 1 to itself" test $? = 0
sluice vm pause rt
check_text "that the kernel does not know of it is said" "isolcpus=1 nohz_full=1" "$work/out"
check "its virtual CPU is there" test "$(threads rt 'cpu0$')" = "1 rt/cpu0"
# KVM has a worker of its own, which a virtual CPU's thread gives birth to.
check "alone: its other threads are not" test "$(threads rt . | grep -v -e cpu0 -e ' kvm-' | cut -d' ' -f1 | sort -u)" = 0
check "those of the other VM were moved away" test "$(threads web . | cut -d' ' -f1 | sort -u)" = 0
refused 1 "CPU 1 is kept by vm rt" "nobody else is pinned there" counter late --pin 0:1
check "rt goes" sluice vm stop rt --force
check "and its CPU is free" counter late --pin 0:1
counter rt --pin 0:1 --isolate >"$work/out" 2>&1
check "who is pinned there is not moved: refused" test $? = 1
check_text "with the reason" "CPU 1 cannot be kept for it: there runs vm late" "$work/out"
sluice vm stop late --force
sluice vm stop web --force

# ---- equal pages ----
flags() {
	local hva
	hva=$(printf '%x-' "$(sluice vm stat "$1" --json | jq '.ram[0].hva')")
	awk -v hva="$hva" 'index($1, hva) == 1 { ours = 1 } /^VmFlags:/ { if (ours) print; ours = 0 }' \
		"/proc/$(pid_of "$1")/smaps"
}
echo 1 >/sys/kernel/mm/ksm/run
check "--ksm on" counter same --pin 0:1 --ksm on
check "the kernel may merge its pages" grep -qw mg <(flags same)
sluice vm stop same --force
check "off it is otherwise" counter same --pin 0:1
check "the kernel may not" test "$(flags same | grep -cw mg)" = 0
check "and it is guest memory that was looked at" grep -qw dd <(flags same)
sluice vm stop same --force
refused 2 "no page can be merged" "not beside a device" guest bad "" --ksm on --vf "$pf/0"
unchanged "everything is as before" "$before"
finish
