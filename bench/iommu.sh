#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench-iommu: what it costs to map and unmap 16 GiB of I/O addresses, by page size and by the size of a
# call: our own page-table walker on this machine, and, on one emulated host, the walker and the kernel's
# VFIO side by side. Times on the emulated host are an emulator's: compare its rows with one another only.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "nanoseconds per page; VFIO's rows include finding and pinning the pages, the walker's are the tables alone"
build/bench/iommu_walker ""
build/bench/iommu_walker "walker, here"
# Hugepages are set aside at boot, while memory is whole: one of 1 GiB, 256 of 2 MiB.
exec lab/lab run --name bench-iommu --timeout 600 --topology none --edu \
	--append "hugepagesz=1G hugepages=1 hugepagesz=2M hugepages=256" \
	/usr/bin/env SLUICE_BUILD="$PWD/build" bench/iommu-level1.sh
