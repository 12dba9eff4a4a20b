#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-hotplug: a VF comes to a running guest and goes again, with sluice (plain, and with
# --prefault) beside QEMU q35: how long the command takes, and until the guest has the NIC or has
# lost it. Same kernel, same guest, same VF, one run on the emulated host; only ratios mean anything.
#
#   bench/hotplug.sh [ROUNDS] [MEMORY_MIB]      default 4 512
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=lab/common.sh
. lab/common.sh
exec lab/lab run --name bench-hotplug --timeout 600 \
	/usr/bin/env SLUICE_BUILD="$PWD/build" LAB_QEMU="$LAB_CACHE/qemu" bench/hotplug-level1.sh "${@:-4}"
