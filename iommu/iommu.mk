# SPDX-License-Identifier: BSD-3-Clause
iommu_SRCS := iommu/group.c iommu/domain.c iommu/info.c iommu/device.c iommu/lock.c
# Formats and the walker: pure.
iommu_SRCS += iommu/vtd_cap.c iommu/vtd_table.c iommu/vtd_paging.c iommu/vtd_irte.c iommu/vtd_inv.c \
	iommu/vtd_fault.c iommu/pagetable.c iommu/pagetable_read.c
iommu_SRCS += iommu/dmar.c iommu/audit.c iommu/audit_tables.c iommu/audit_verdict.c iommu/audit_snapshot.c \
	iommu/audit_live.c iommu/audit_show.c iommu/topology.c iommu/posting.c
# Our own driver of a unit.
iommu_SRCS += iommu/vtd_unit.c iommu/vtd_queue.c iommu/vtd_context.c iommu/vtd_space.c \
	iommu/vtd_interrupt.c iommu/vtd_faultlog.c iommu/vtd_mem.c iommu/vtd_hugefile.c \
	iommu/vtd_window.c iommu/vtd_journal.c iommu/vtd_driver.c iommu/vtd_release.c
iommu_SRCS += iommu/vtd_backend.c iommu/vtd_place.c iommu/vtd_quiesce.c
iommu_SRCS += iommu/type1.c iommu/iommufd.c iommu/open.c
