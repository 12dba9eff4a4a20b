#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-nic: sluice bench nic over all paths of the emulated host, QEMU's among them; report.json and
# report.html go to build/bench-report. Times are an emulator's; exits and interrupts are not.
#
#   bench/nic.sh [ROUNDS] [MILLISECONDS]      default 3 300
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=lab/common.sh
. lab/common.sh
rm -rf build/bench-report
exec lab/lab run --name bench-nic --timeout 1500 --keep-out build/bench-report \
	/usr/bin/env SLUICE_BUILD="$PWD/build" LAB_QEMU="$LAB_CACHE/qemu" bench/nic-level1.sh "${@:-3}"
