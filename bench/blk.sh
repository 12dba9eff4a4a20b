#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-blk: random 4 KiB reads from a virtio disk: sluice beside QEMU with aio=io_uring, with and
# without an I/O thread of QEMU's. Same kernel, same guest, same image, same fio, interleaved in one
# run on the emulated host. Rates are an emulator's: only the ratios mean anything.
#
#   bench/blk.sh [ROUNDS] [SECONDS] [DEPTH]      default 3 4 16
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=lab/common.sh
. lab/common.sh
exec lab/lab run --name bench-blk --timeout 1200 --topology none --cpus 2 \
	/usr/bin/env SLUICE_BUILD="$PWD/build" LAB_QEMU="$LAB_CACHE/qemu" LAB_CACHE="$LAB_CACHE" \
	BENCH_MONITORS="${BENCH_MONITORS:-}" bench/blk-level1.sh "${@:-3}"
