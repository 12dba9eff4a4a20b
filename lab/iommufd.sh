# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# iommufd for the lab's kernel. Debian leaves it out (CONFIG_IOMMUFD), so it is built from that kernel's own
# source, and with it VFIO's modules, which have to know of it. They take the place of the kernel's own ones in a
# scenario that loads them (tests/lab/domain.sh); nobody else sees them.
#
#   iommufd/  iommufd.ko vfio.ko vfio_iommu_type1.ko vfio-pci-core.ko vfio-pci.ko, or a log that tells why not

LAB_FORMAT_IOMMUFD=1

# The same sources as the kernel's, with Makefiles that say yes where its configuration says no.
iommufd_makefiles() { # DIR
	local flags="-DCONFIG_IOMMUFD_MODULE=1 -DCONFIG_IOMMUFD_DRIVER=1 -DCONFIG_VFIO_DEVICE_CDEV=1"
	echo "obj-m := drivers/iommu/iommufd/ drivers/vfio/" >"$1/Kbuild"
	cat >"$1/drivers/iommu/iommufd/Makefile" <<END
ccflags-y += $flags -DCONFIG_INTERVAL_TREE_SPAN_ITER=1
iommufd-y := device.o fault.o hw_pagetable.o io_pagetable.o ioas.o main.o pages.o vfio_compat.o
iommufd-y += iova_bitmap.o span_iter.o
obj-m := iommufd.o
END
	cat >"$1/drivers/vfio/Makefile" <<END
subdir-ccflags-y += $flags
vfio-y := vfio_main.o device_cdev.o group.o iommufd.o container.o virqfd.o
obj-m := vfio.o vfio_iommu_type1.o pci/
END
	cat >"$1/drivers/vfio/pci/Makefile" <<END
vfio-pci-core-y := vfio_pci_core.o vfio_pci_intrs.o vfio_pci_rdwr.o vfio_pci_config.o
vfio-pci-y := vfio_pci.o vfio_pci_igd.o
obj-m := vfio-pci-core.o vfio-pci.o
END
	# The half of a library that only iommufd uses; the other half is in the kernel.
	sed -e '/^#define START/,/^EXPORT_SYMBOL_GPL(interval_tree_iter_next)/d' -e '/^EXPORT_SYMBOL_GPL/d' \
		"$1/lib/interval_tree.c" >"$1/drivers/iommu/iommufd/span_iter.c"
}

build_iommufd() { # DIR VERSION OUT: of the source in DIR
	local source=$1/linux-source-$LAB_KERNEL_SERIES
	iommufd_makefiles "$source" &&
		build_modules "$1" "$2" "$source" &&
		find "$source/drivers/iommu" "$source/drivers/vfio" -name '*.ko' -exec mv -t "$3" {} +
}

iommufd_format() {
	echo "$LAB_FORMAT_IOMMUFD $(cat "$LAB_CACHE/kernel/version")"
}

iommufd_ready() {
	piece_ready iommufd "$(iommufd_format)"
}
