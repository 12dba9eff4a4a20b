#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The half of bench-nic that runs on the emulated host.
set -euo pipefail
rounds=${1:-3} ms=${2:-300}
sluice=$SLUICE_BUILD/root/usr/bin/sluice
work=$(mktemp -d)

modprobe -a tun vhost_net
pf=$("$sluice" pf list --json | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p' | head -n 1)
"$sluice" vf create "$pf" --count 2
cat >"$work/qemu" <<QEMU
#!/bin/sh
export QEMU_MODULE_DIR=$LAB_QEMU/usr/lib/x86_64-linux-gnu/qemu
exec $LAB_QEMU/usr/lib64/ld-linux-x86-64.so.2 --library-path $LAB_QEMU/usr/lib/x86_64-linux-gnu \\
	$LAB_QEMU/usr/bin/qemu-system-x86_64 -L $LAB_QEMU/usr/share/qemu -L $LAB_QEMU/usr/share/seabios "\$@"
QEMU
chmod +x "$work/qemu"
exec "$sluice" bench nic --kernel "$LAB_KERNEL" --pf "$pf" --qemu "$work/qemu" --rounds "$rounds" --ms "$ms" \
	${BENCH_BRIEF:+--brief} --output "$LAB_OUT/bench"
