#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The half of bench-boot that runs on the emulated host: starts each monitor in turn, waits for the
# guest's first user-space line, reads the monitor's memory while the guest idles, and ends it.
set -euo pipefail
rounds=${1:-5} memory=${2:-512} cpus=${3:-1}
sluice=$SLUICE_BUILD/root/usr/bin/sluice
append='console=ttyS0 quiet panic=-1 guest.wait'
work=$(mktemp -d)
plain_initrd=$LAB_INITRD

qemu() { # ARGUMENT...: the lab's own QEMU, run from where it lies
	local tree=$LAB_QEMU
	exec env QEMU_MODULE_DIR="$tree/usr/lib/x86_64-linux-gnu/qemu" \
		"$tree/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$tree/usr/lib/x86_64-linux-gnu" \
		"$tree/usr/bin/qemu-system-x86_64" \
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" \
		-accel kvm -cpu host -smp "$cpus" -m "$memory" -nodefaults -no-user-config \
		-display none -serial stdio -no-reboot \
		-kernel "$LAB_KERNEL" -initrd "$initrd" -append "$append" "$@"
}

# The disk, as QEMU's devices of that bus: in a file whose pages are in the host's cache.
qemu_disk() { # DEVICE
	[ "$from" != disk ] || printf '%s\n' -drive "if=none,id=disk,file=$work/disk,format=raw" -device "$1,drive=disk"
}

start_sluice() {
	local disk=()
	[ "$from" != disk ] || disk=(--disk "$work/disk")
	exec "$sluice" vm run bench --cpus "$cpus" --memory "${memory}M" --kernel "$LAB_KERNEL" \
		--initrd "$initrd" --append "$append" "${disk[@]}"
}
start_qemu-q35() {
	local disk
	mapfile -t disk < <(qemu_disk virtio-blk-pci)
	qemu -machine q35 "${disk[@]}"
}
start_qemu-microvm() {
	local disk
	mapfile -t disk < <(qemu_disk virtio-blk-device)
	qemu -machine microvm,pit=off,pic=off,rtc=off "${disk[@]}"
}
start_kvmtool() {
	local disk=()
	[ "$from" != disk ] || disk=(--disk "$work/disk")
	exec "$LKVM" run --name bench -c "$cpus" -m "$memory" --kernel "$LAB_KERNEL" \
		--initrd "$initrd" --params "$append" --console serial "${disk[@]}"
}

# Drivers in an initramfs, and a disk with a program on it. The kernel has neither built in.
make_disk() {
	mkdir -p "$work/tree/bin" "$work/tree/proc"
	cp "$(command -v busybox)" "$work/tree/bin/busybox"
	cat >"$work/tree/first" <<-'EOF'
		#!/bin/busybox sh
		read -r up rest </proc/uptime
		echo "SLUICE-GUEST: disk up $up"
	EOF
	chmod 755 "$work/tree/first"
	truncate -s 64M "$work/disk"
	mkfs.ext4 -q -d "$work/tree" "$work/disk"
	cat >"$work/mount.sh" <<-'EOF'
		mkdir /disk
		mount -t ext4 -o ro /dev/vda /disk
		mount -t proc proc /disk/proc
		chroot /disk /first
	EOF
	env "LAB_CACHE=$(dirname "$(dirname "$LAB_KERNEL")")" lab/guest-initrd --bare --module virtio_pci \
		--module virtio_mmio --module virtio_blk --module crc32c_generic --module ext4 --init "$work/mount.sh" "$work/disk.cpio"
}

# The process below PID (or PID itself) whose command is the monitor.
monitor_of() {
	local pid=$1 child
	if [ "$2" = sluice ]; then
		child=$(pgrep -P "$pid" -x sluice-vmm) && pid=$child
	fi
	echo "$pid"
}

# Private memory: PSS of everything but the guest's RAM, which is the largest mapping. KiB.
pss_without_ram() {
	awk '/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-"); size = 0 }
		/^Size:/ { size = $2 } /^Pss:/ { total += $2; if (size >= biggest) { biggest = size; ram = $2 } }
		END { print total - ram }' "/proc/$1/smaps"
}

one_run() { # NAME: prints "seconds guest-uptime pss_kib"
	local name=$1 pid out begin line now up monitor pss
	mkfifo "$work/out"
	begin=$EPOCHREALTIME
	("start_$name") >"$work/out" 2>&1 </dev/null &
	pid=$!
	exec {out}<"$work/out" # stays open: a monitor that writes more must not get SIGPIPE
	up=
	while IFS= read -r -t 120 -u "$out" line; do
		if [[ $line == *"$mark"* ]]; then
			now=$EPOCHREALTIME
			up=${line##*up }
			break
		fi
		echo "$line" >>"$work/$name.log"
	done
	rm -f "$work/out"
	if [ -z "$up" ]; then
		kill -KILL "$pid" 2>/dev/null || true
		echo "boot: $name: the guest never reached user space:" >&2
		tail -n 15 "$work/$name.log" >&2
		exit 1
	fi
	monitor=$(monitor_of "$pid" "$name")
	pss=$(pss_without_ram "$monitor")
	kill -KILL "$monitor" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	exec {out}<&-
	awk -v a="$begin" -v b="$now" -v u="${up//[^0-9.]/}" -v p="$pss" \
		'BEGIN { printf "%.3f %.2f %d\n", b - a, u, p }'
}

run_rounds() {
	local round name result seconds up pss
	: >"$work/results"
	for ((round = 1; round <= rounds; round++)); do
		for name in "${names[@]}"; do
			result=$(one_run "$name")
			echo "$name $result" >>"$work/results"
			read -r seconds up pss <<<"$result"
			printf 'round %d  %-14s %7.2f s   guest uptime %5.2f s   %7d KiB\n' \
				"$round" "$name" "$seconds" "$up" "$pss"
		done
	done
	echo
}

# Medians, and the ratio to the fastest rival.
show_medians() {
	awk '{ n[$1]++; t[$1, n[$1]] = $2; u[$1, n[$1]] = $3; p[$1, n[$1]] = $4 }
		function median(v, name,    i, j, k, x) {
			k = n[name]
			for (i = 1; i <= k; i++) s[i] = v[name, i]
			for (i = 2; i <= k; i++)
				for (j = i; j > 1 && s[j] < s[j - 1]; j--) { x = s[j]; s[j] = s[j - 1]; s[j - 1] = x }
			return k % 2 ? s[(k + 1) / 2] : (s[k / 2] + s[k / 2 + 1]) / 2
		}
		END {
			printf "%-14s %10s %14s %16s\n", "monitor", "start (s)", "uptime (s)", "private memory"
			for (name in n) {
				m = median(t, name)
				if (name != "sluice" && (best == 0 || m < best)) { best = m; who = name }
				row[name] = sprintf("%-14s %10.2f %14.2f %12d KiB", name, m, median(u, name), median(p, name))
			}
			split("sluice qemu-q35 qemu-microvm kvmtool", order, " ")
			for (i = 1; i <= 4; i++) if (order[i] in row) print row[order[i]]
			printf "\nsluice takes %.2f of the fastest other (%s). Medians of one run on an emulated host.\n",
				median(t, "sluice") / best, who
		}' "$work/results"
}

# measure FROM: all monitors, all rounds, and the table.
measure() {
	from=$1 initrd=$plain_initrd mark='SLUICE-GUEST: up'
	if [ "$from" = disk ]; then
		make_disk
		initrd=$work/disk.cpio mark='SLUICE-GUEST: disk up'
	fi
	echo "boot: from $from, $rounds rounds, interleaved; $cpus vCPU, $memory MiB, $(uname -r), initramfs $(stat -c %s "$initrd") bytes"
	run_rounds
	show_medians
}

read -ra names <<<"${BENCH_MONITORS:-sluice qemu-q35 qemu-microvm}"
if [ -n "${LKVM:-}" ]; then
	names+=(kvmtool)
else
	echo "boot: kvmtool is not here (no Debian package); LKVM=PATH names one"
fi
for from in ${BENCH_FROM:-initramfs}; do
	measure "$from"
done
