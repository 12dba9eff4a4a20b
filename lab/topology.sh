# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Topologies: what the emulated host is made of.
#
# A topology is a small text file (lab/topologies/NAME.conf), one directive a line; its first
# comment line is its description. The command line speaks the same directives as options, and
# they are read after the file, so they add to its devices and override its numbers.
#
#   cpus N              processors of the host
#   memory SIZE         its memory, as in 4G
#   numa N              NUMA nodes, with equal shares of processors and memory (rig 1)
#   append ARGS         more kernel arguments
#   iommu on|off        a VT-d unit with interrupt remapping
#   iommu PROPERTIES    and more of its properties, as QEMU names them: scalable-mode=on,fsts=on
#   kvm on|off          hardware virtualization (AMD SVM with nested paging)
#   nic igb [COUNT]     82576 PFs with 7 VFs each, each on a user-mode network of its own
#   nvme sriov          an NVMe controller with 4 VFs and a disk of 128 MiB, which forgets at the end
#   virtio-sriov COUNT  a virtio-net PF with COUNT VFs, 1 to 64
#   gpu bochs-display|secondary-vga
#   edu                 QEMU's teaching device: a DMA engine and MSI
#   switch … end        what stands between sits behind one PCIe switch without ACS, thus in one
#                       IOMMU group
#   device SPEC         any other QEMU device, as -device takes it, on a port of its own
#
# Each PCIe device gets a root port of its own, with ACS, thus an IOMMU group of its own. Ports
# are filled in order: the first device is 0000:01:00.0, the next 0000:02:00.0, and so on.

TOPO_CPUS=        # each rig has its own default
TOPO_MEMORY=
TOPO_NUMA=0       # nodes; 0: the host says nothing of nodes
TOPO_APPEND=
TOPO_IOMMU=on
TOPO_IOMMU_MORE=  # properties of the unit
TOPO_KVM=on
TOPO_DEVICES=()  # QEMU arguments
TOPO_PORTS=0     # ports made so far; numbers them
TOPO_NICS=0      # NICs made so far; numbers them
TOPO_UNITS=0     # other devices made so far
TOPO_SWITCH=     # upstream port, while between `switch` and `end`
TOPO_SWITCH_PORTS=0

# topo_port: makes a port for the next PCIe device, sets PORT to its name. The ports of a switch
# are functions of one device, so that without ACS all of it is one IOMMU group.
topo_port() {
	TOPO_PORTS=$((TOPO_PORTS + 1))
	PORT=port$TOPO_PORTS
	if [ -n "$TOPO_SWITCH" ]; then
		TOPO_DEVICES+=(-device
			"xio3130-downstream,id=$PORT,bus=$TOPO_SWITCH,addr=0.$TOPO_SWITCH_PORTS,multifunction=on,chassis=$TOPO_PORTS,slot=$TOPO_PORTS")
		TOPO_SWITCH_PORTS=$((TOPO_SWITCH_PORTS + 1))
	else
		TOPO_DEVICES+=(-device
			"pcie-root-port,id=$PORT,bus=pcie.0,chassis=$TOPO_PORTS,slot=$TOPO_PORTS")
	fi
}

topo_nic() {
	local model=$1 count=${2:-1} mac
	[ "$model" = igb ] || topo_bad "nic $model: only igb has SR-IOV here"
	[[ $count =~ ^[1-8]$ ]] || topo_bad "nic $model $count: the count must be 1 to 8"
	while [ "$count" -gt 0 ]; do
		count=$((count - 1))
		mac=$(printf '52:54:00:1a:b0:%02x' "$TOPO_NICS")
		topo_port
		TOPO_DEVICES+=(-netdev "user,id=net$TOPO_NICS"
			-device "igb,bus=$PORT,netdev=net$TOPO_NICS,mac=$mac,romfile=")
		TOPO_NICS=$((TOPO_NICS + 1))
	done
}

topo_nvme() {
	[ "$1" = sriov ] || topo_bad "nvme $1: only sriov is known"
	local n=$TOPO_UNITS
	TOPO_UNITS=$((n + 1))
	topo_port
	TOPO_DEVICES+=(-device "nvme-subsys,id=subsys$n"
		-device "nvme,id=nvme$n,bus=$PORT,serial=lab$n,subsys=subsys$n,max_ioqpairs=18,msix_qsize=19,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=8"
		-drive "if=none,id=disk$n,driver=null-co,size=128M,read-zeroes=on,snapshot=on"
		-device "nvme-ns,bus=nvme$n,drive=disk$n")
}

# VFs are devices beside the PF, which adopts them; they come first, since QEMU pairs them when the PF
# is made. Their functions follow the PF's, eight to a device number.
topo_virtio_sriov() {
	local count=$1 n=$TOPO_UNITS fn
	[[ $count =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || topo_bad "virtio-sriov $count: 1 to 64 VFs"
	TOPO_UNITS=$((n + 1))
	topo_port
	for ((fn = count; fn > 0; fn--)); do
		TOPO_DEVICES+=(-device
			"virtio-net-pci,bus=$PORT,addr=$((fn / 8)).$((fn % 8)),sriov-pf=virtio$n,iommu_platform=on,romfile=")
	done
	TOPO_DEVICES+=(-netdev "user,id=virtio$n"
		-device "virtio-net-pci,id=virtio$n,bus=$PORT,addr=0.0,netdev=virtio$n,iommu_platform=on,romfile=")
}

topo_gpu() {
	case $1 in
	bochs-display | secondary-vga) TOPO_DEVICES+=(-device "$1,romfile=") ;;
	*) topo_bad "gpu $1: known are bochs-display and secondary-vga" ;;
	esac
}

topo_edu() {
	# edu is a conventional PCI device, which may sit on the root bus, in a group of its own.
	PORT=pcie.0
	[ -z "$TOPO_SWITCH" ] || topo_port
	TOPO_DEVICES+=(-device "edu,bus=$PORT")
}

topo_device() {
	topo_port
	TOPO_DEVICES+=(-device "$1,bus=$PORT")
}

topo_switch() {
	[ -z "$TOPO_SWITCH" ] || topo_bad "switch: inside another switch"
	topo_port
	TOPO_SWITCH=switch$TOPO_PORTS
	TOPO_SWITCH_PORTS=0
	TOPO_DEVICES+=(-device "x3130-upstream,id=$TOPO_SWITCH,bus=$PORT")
}

topo_end() {
	[ -n "$TOPO_SWITCH" ] || topo_bad "end: no switch is open"
	TOPO_SWITCH=
}

topo_flag() {
	case $2 in
	on | off) ;;
	*) topo_bad "$1 $2: on or off" ;;
	esac
}

topo_bad() {
	usage_error "topology${TOPO_WHERE:+ $TOPO_WHERE}: $*"
}

# topo_apply DIRECTIVE [ARG…]
topo_apply() {
	local word=$1
	shift
	case $word in
	cpus)
		[[ ${1:-} =~ ^([1-9]|[1-5][0-9]|6[0-4])$ ]] || topo_bad "cpus ${1:-}: 1 to 64"
		TOPO_CPUS=$1
		;;
	memory)
		[[ ${1:-} =~ ^[1-9][0-9]*[MG]$ ]] || topo_bad "memory ${1:-}: a size such as 4G"
		TOPO_MEMORY=$1
		;;
	numa)
		[[ ${1:-} =~ ^[2-8]$ ]] || topo_bad "numa ${1:-}: 2 to 8"
		TOPO_NUMA=$1
		;;
	append) TOPO_APPEND+=" $*" ;;
	iommu)
		case ${1:-} in
		*=*) TOPO_IOMMU=on TOPO_IOMMU_MORE=,$1 ;;
		*) topo_flag iommu "${1:-}" && TOPO_IOMMU=$1 ;;
		esac
		;;
	kvm) topo_flag kvm "${1:-}" && TOPO_KVM=$1 ;;
	nic | nvme | gpu | device | virtio-sriov)
		[ $# -ge 1 ] || topo_bad "$word: needs an argument"
		"topo_${word//-/_}" "$@"
		;;
	edu | switch | end) "topo_$word" ;;
	*) topo_bad "$word: unknown directive" ;;
	esac
}

# topo_file NAME|FILE: sets FILE to the path of a topology.
topo_file() {
	case $1 in
	*/*) FILE=$1 ;;
	*) FILE=$LAB_DIR/topologies/$1.conf ;;
	esac
	[ -r "$FILE" ] || usage_error "topology $1: not found; see: lab/lab topology list"
}

topo_read() {
	local line number=0 words
	topo_file "$1"
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		read -ra words <<<"${line%%#*}"
		[ ${#words[@]} -gt 0 ] || continue
		TOPO_WHERE=$FILE:$number
		topo_apply "${words[@]}"
	done <"$FILE"
	TOPO_WHERE=
	[ -z "$TOPO_SWITCH" ] || topo_bad "$FILE: a switch has no end"
}

topo_list() {
	local file
	for file in "$LAB_DIR"/topologies/*.conf; do
		printf '%-14s %s\n' "$(basename "$file" .conf)" \
			"$(sed -n '/SPDX/d; s/^# *//p; T; q' "$file")"
	done
}
