#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-boot: from starting the monitor to the guest's first user-space line, sluice beside
# QEMU q35, QEMU microvm and (where it is installed, or LKVM names it) kvmtool: same kernel, same
# initramfs, same host, interleaved in one run on the emulated host. Times are an emulator's:
# only the ratios mean anything. And the same from a disk: to the first line of a program that lies on
# ext4 on a virtio disk.
#
#   bench/boot.sh [ROUNDS] [MEMORY_MIB] [CPUS]      default 5 512 1
#   BENCH_FROM="initramfs disk"                     one of them, or both
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=lab/common.sh
. lab/common.sh
exec lab/lab run --name bench-boot --timeout 1800 --topology none --cpus 2 \
	/usr/bin/env SLUICE_BUILD="$PWD/build" LAB_QEMU="$LAB_CACHE/qemu" \
	BENCH_MONITORS="${BENCH_MONITORS:-}" BENCH_FROM="${BENCH_FROM:-initramfs disk}" LKVM="${LKVM:-$(command -v lkvm || true)}" bench/boot-level1.sh "${@:-5}"
