# SPDX-License-Identifier: BSD-3-Clause
iommu_SRCS := iommu/group.c iommu/domain.c iommu/info.c iommu/device.c iommu/lock.c
iommu_SRCS += iommu/vtd_cap.c iommu/vtd_table.c iommu/vtd_paging.c iommu/vtd_irte.c iommu/vtd_inv.c \
	iommu/vtd_fault.c iommu/pagetable.c iommu/pagetable_read.c
