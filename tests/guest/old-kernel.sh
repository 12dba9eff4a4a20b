# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# old-kernel: /run.sh of a guest that says which kernel it runs, and what that finds.

echo "SLUICE-GUEST: kernel $(uname -r)"
echo "SLUICE-GUEST: nodes $(cat /sys/devices/system/node/online)"
echo "SLUICE-GUEST: disk $(cat /sys/block/vda/size) sectors, read $(dd if=/dev/vda bs=64k count=16 2>/dev/null | wc -c)"
