# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rig 1: VT-d, SR-IOV and AMD SVM, emulated by QEMU without help from the processor.
#
# Level 0 is the machine, level 1 the emulated host that QEMU runs, level 2 a guest of ours in
# it. The machine's root directory and one scratch directory are shared with level 1 over 9p.

# Modules that level 1 needs before it has a root directory.
RIG1_BOOT_MODULES="9pnet_virtio 9p overlay"

rig1_initrd() {
	local dir=$RUN/initrd
	start_initramfs "$dir" "$LAB_DIR/init-level1"
	# shellcheck disable=SC2086 # a list
	copy_modules "$LAB_MODULES" "$dir" $RIG1_BOOT_MODULES
	pack_initramfs "$dir" "$RUN/initrd.cpio"
	rm -rf "$dir"
}

# Sets QEMU to the command that runs the emulator out of the cache.
rig1_command() {
	local tree=$LAB_CACHE/qemu
	export QEMU_MODULE_DIR=$tree/usr/lib/x86_64-linux-gnu/qemu
	# What QEMU's emulation of SVM does wrong is put right, or guests hang.
	local repair=$RUN/emulator.so
	"${CC:-cc}" -O2 -fPIC -shared "$LAB_DIR"/emulator-*.c -o "$repair" || die "rig 1: no compiler"
	QEMU=("$tree/usr/lib64/ld-linux-x86-64.so.2" --preload "$repair"
		--library-path "$tree/usr/lib/x86_64-linux-gnu"
		"$tree/usr/bin/qemu-system-x86_64"
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios")
}

# Sets ARGS to the emulated host. A busy machine may starve the emulated timer for so long that
# the kernel's boot check of it fails and panics: no_timer_check leaves it out.
rig1_machine() {
	local svm=+svm,+npt
	local append="console=ttyS0 loglevel=5 panic=-1 no_timer_check intel_iommu=on"
	[ "$TOPO_KVM" = on ] || svm=-svm
	ARGS=(-nodefaults -display none -no-user-config -no-reboot
		-accel tcg,thread=multi -machine "q35,smm=off" -cpu "max,$svm"
		-smp "$TOPO_CPUS" -m "$TOPO_MEMORY")
	if [ "$TOPO_IOMMU" = on ]; then
		ARGS+=(-machine kernel-irqchip=split
			-device "intel-iommu,intremap=on,eim=on,caching-mode=on$TOPO_IOMMU_MORE")
	fi
	ARGS+=("${TOPO_DEVICES[@]}"
		-kernel "$LAB_CACHE/kernel/bzImage" -initrd "$RUN/initrd.cpio"
		-append "$append$TOPO_APPEND"
		-chardev "file,id=log,path=$LOG,append=on" -serial chardev:log
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap
		-device virtio-9p-pci,fsdev=root,mount_tag=root
		-fsdev "local,id=share,path=$RUN/share,security_model=none"
		-device virtio-9p-pci,fsdev=share,mount_tag=share
		-device virtio-serial-pci
		-device virtio-rng-pci)
}

# The distance between two nodes is three times that inside one: 10, as every node's own.
rig1_nodes() {
	local node first last size=${TOPO_MEMORY%[MG]} cpus
	[ "$TOPO_NUMA" -gt 0 ] || return 0
	case $TOPO_MEMORY in
	*G) size=$((size * 1024)) ;;
	esac
	for ((node = 0; node < TOPO_NUMA; node++)); do
		first=$((node * TOPO_CPUS / TOPO_NUMA)) last=$(((node + 1) * TOPO_CPUS / TOPO_NUMA - 1)) cpus=
		[ $last -lt $first ] || cpus=,cpus=$first-$last
		ARGS+=(-object "memory-backend-ram,id=node$node,size=$((size / TOPO_NUMA))M"
			-numa "node,nodeid=$node,memdev=node$node$cpus")
	done
	for ((node = 1; node < TOPO_NUMA; node++)); do
		ARGS+=(-numa "dist,src=0,dst=$node,val=30")
	done
}

rig1_run() {
	rig1_initrd
	rig1_command
	rig1_machine
	rig1_nodes
	stream_output
	supervise "${QEMU[@]}" "${ARGS[@]}" \
		-chardev "file,id=output,path=$RUN/output" \
		-device virtserialport,chardev=output,name=lab.output </dev/null >>"$LOG" 2>&1
}

rig1_shell() {
	rig1_initrd
	rig1_command
	rig1_machine
	rig1_nodes
	supervise "${QEMU[@]}" "${ARGS[@]}" \
		-chardev stdio,id=terminal,signal=off -device virtconsole,chardev=terminal
}
