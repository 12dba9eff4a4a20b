/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_backend: a domain (iommu.h) on a unit of ours, so that whoever maps memory for devices need
 * not know who writes the tables.
 *
 *     struct vtd_backend backend = {.unit = …, .mem = …, .stage = VTD_SECOND_STAGE};
 *     iommu_domain_create_on(&iommu_backend_vtd, &backend, &domain);
 *     iommu_domain_attach(domain, rid, "0000:00:03.0");
 *
 * What is attached are requester ids. What can be mapped is memory of `mem`, which is pinned and
 * whose physical addresses are known; all other memory may move, and is refused (-EFAULT). The
 * address space, with its domain id and tables, is there from the first attach to the last detach.
 */
#ifndef IOMMU_VTD_BACKEND_H
#define IOMMU_VTD_BACKEND_H

#include "base/range.h"
#include "iommu/backend.h"
#include "iommu/vtd.h"

struct vtd_backend {
	struct vtd_unit *unit; /* outlives the domain, as does `mem` */
	struct vtd_mem *mem;
	enum vtd_stage stage;
	const struct range *reserved; /* I/O addresses that firmware keeps (RMRR); sorted */
	size_t reserved_count;
	struct vtd_space *space; /* the backend's own; NULL while nothing is attached */
};

#endif
