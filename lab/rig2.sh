# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rig 2: Intel VMX with EPT, emulated by Bochs.
#
# Bochs shares no directories, so everything that level 1 needs travels in its initramfs, on a CD
# that GRUB boots: busybox, the script and those of its arguments that are files, what --with
# names, the interpreters and libraries of all these, and with --guest a kernel and an initramfs
# for level 2. Three serial ports come back: the console (to the log), the script's output, and
# its exit status.

RIG2_MODULES="kvm-intel msr"

# rig2_pack DIR FILE: a file of this machine, at the same path, with the interpreter that its first
# line names and the libraries that it loads. The initramfs has directories where the machine may
# have links, so that these are found where they are looked for.
rig2_pack() {
	local dir=$1 file=$2 needed
	[ -r "$file" ] || die "rig 2: $file: not found"
	[ ! -e "$dir$file" ] || return 0
	mkdir -p "$dir$(dirname "$file")"
	cp -L --preserve=mode "$file" "$dir$file"
	for needed in $(rig2_interpreter "$file") $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
		rig2_pack "$dir" "$needed"
	done
}

# `#!/bin/sh` is busybox there; of `#!/usr/bin/env bash` both are wanted.
rig2_interpreter() {
	local word
	LC_ALL=C sed -n '1 { s/^#! *//p; q }' "$1" | tr -d '\0' | tr ' ' '\n' | while read -r word; do
		case $word in
		/bin/sh | -*) ;;
		*) command -v "$word" || true ;;
		esac
	done
}

rig2_initrd() {
	local dir=$RUN/initrd file
	start_initramfs "$dir" "$LAB_DIR/init-rig2"
	# shellcheck disable=SC2086 # a list
	copy_modules "$LAB_MODULES" "$dir" $RIG2_MODULES
	mkdir -p "$dir/run" "$dir$PWD"
	cp -r "$RUN/share" "$dir/run/lab"
	for file in "$LAB_SCRIPT" ${WITH[@]+"${WITH[@]}"}; do
		rig2_pack "$dir" "$(realpath -s "$file")"
	done
	for file in "${REST[@]:1}"; do
		[ ! -f "$file" ] || rig2_pack "$dir" "$(realpath -s "$file")"
	done
	if [ "$WITH_GUEST" = yes ]; then
		cp "$LAB_CACHE"/kernel/{bzImage,vmlinux} "$dir/run/lab/"
	else
		rm -f "$dir/run/lab/guest.cpio"
	fi
	mkdir -p "$RUN/cd"
	pack_initramfs "$dir" "$RUN/cd/initrd"
	rm -rf "$dir"
}

# The image GRUB starts from is in the cache; it reads this file. APIC virtualization is off, because
# Bochs 3.0 takes the posted-interrupt descriptor only at the start of a page (the SDM asks for 64
# bytes, and that is what KVM gives it): each entry of a guest would fail, as an invalid control.
rig2_cd() {
	local args="console=ttyS0,115200 loglevel=5 panic=-1 tsc=reliable clocksource=tsc"
	args+=" kvm_intel.enable_apicv=0"
	cp "$LAB_CACHE/bochs/core.img" "$RUN/cd/core.img"
	ln "$LAB_CACHE/kernel/bzImage" "$RUN/cd/bzImage" 2>/dev/null ||
		cp "$LAB_CACHE/kernel/bzImage" "$RUN/cd/bzImage"
	cat >"$RUN/cd/grub.cfg" <<-EOF
		linux /bzImage $args$TOPO_APPEND
		initrd /initrd
		boot
	EOF
	run_from_tree "$LAB_CACHE/bochs" xorriso -as mkisofs -quiet -b core.img -no-emul-boot \
		-boot-load-size 4 -boot-info-table -o "$RUN/boot.iso" "$RUN/cd" 2>>"$LOG" ||
		die "rig 2: boot CD not made; log: $LOG"
	rm -rf "$RUN/cd"
}

# Without a sound card Bochs ends at once unless all sound is off. Debian's build has its
# debugger on: the rc file tells it to go on. The processor is one whose TSC deadline timer Linux
# trusts. The APIC timer's other modes do not count at the pace that CPUID tells; set by it, they go
# off a hundred times too early, each time for nothing.
rig2_config() {
	local data=$LAB_CACHE/bochs/usr/share/bochs memory=$TOPO_MEMORY
	case $memory in
	*G) memory=$((${memory%G} * 1024)) ;;
	*) memory=${memory%M} ;;
	esac
	cat >"$RUN/bochsrc" <<-EOF
		plugin_ctrl: sb16=0, es1370=0, speaker=0
		sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
		display_library: term
		romimage: file=$data/BIOS-bochs-latest
		vgaromimage: file=$data/VGABIOS-lgpl-latest
		megs: $memory
		cpu: model=corei7_icelake_u, count=$TOPO_CPUS, ips=200000000, ignore_bad_msrs=1
		clock: sync=none
		ata0-master: type=cdrom, path=$RUN/boot.iso, status=inserted
		boot: cdrom
		com1: enabled=1, mode=file, dev=$RUN/console
		com2: enabled=1, mode=file, dev=$RUN/output
		com3: enabled=1, mode=file, dev=$RUN/share/status
		log: $RUN/bochs.log
		panic: action=fatal
	EOF
	echo c >"$RUN/bochs.rc"
}

rig2_run() {
	local tree=$LAB_CACHE/bochs
	rig2_initrd
	rig2_cd
	rig2_config
	stream_output
	export LTDL_LIBRARY_PATH=$tree/usr/lib/x86_64-linux-gnu/bochs/plugins
	export BXSHARE=$tree/usr/share/bochs TERM=xterm
	# Bochs wants a terminal to draw its screen on: `script` gives it one, unseen.
	printf '#!/bin/sh\nexec setpriv --pdeathsig KILL %q --library-path %q %q -q -f %q -rc %q\n' \
		"$tree/usr/lib64/ld-linux-x86-64.so.2" "$tree/usr/lib/x86_64-linux-gnu" \
		"$tree/usr/bin/bochs-bin" "$RUN/bochsrc" "$RUN/bochs.rc" >"$RUN/bochs"
	chmod 755 "$RUN/bochs"
	supervise env SHELL=/bin/sh script -qfc "exec '$RUN/bochs'" /dev/null \
		</dev/null >"$RUN/screen" 2>&1
	cat "$RUN/console" >>"$LOG" 2>/dev/null || cat "$RUN/screen" >>"$LOG"
}
