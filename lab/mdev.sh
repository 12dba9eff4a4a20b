# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel's samples of mediated devices, which Debian does not build: mbochs and mdpy, displays that are
# software, and mdpy-fb, the driver for the second in a guest.
#
#   mdev/  mbochs.ko mdpy.ko mdpy-fb.ko, or a log that tells why not

LAB_FORMAT_MDEV=1

build_mdev() { # DIR VERSION OUT: of the source in DIR
	local samples=$1/linux-source-$LAB_KERNEL_SERIES/samples/vfio-mdev
	build_modules "$1" "$2" "$samples" CONFIG_SAMPLE_VFIO_MDEV_MBOCHS=m CONFIG_SAMPLE_VFIO_MDEV_MDPY=m \
		CONFIG_SAMPLE_VFIO_MDEV_MDPY_FB=m && mv "$samples"/*.ko "$3/"
}

mdev_format() {
	echo "$LAB_FORMAT_MDEV $(cat "$LAB_CACHE/kernel/version")"
}

mdev_ready() {
	piece_ready mdev "$(mdev_format)"
}
