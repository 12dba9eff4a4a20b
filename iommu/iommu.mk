# SPDX-License-Identifier: BSD-3-Clause
iommu_SRCS := iommu/group.c iommu/domain.c iommu/info.c iommu/device.c iommu/lock.c
