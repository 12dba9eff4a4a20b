/* SPDX-License-Identifier: BSD-3-Clause */
/* domain: what the files of this folder share about one I/O address space. */
#ifndef IOMMU_DOMAIN_H
#define IOMMU_DOMAIN_H

#include "iommu/backend.h"
#include "iommu/iommu.h"

struct iommu_domain {
	const struct iommu_backend_ops *ops;
	void *backend; /* of a backend that is no file */
	int fd;	       /* container or /dev/iommu, borrowed; -1 */
	uint32_t ioas; /* iommufd: the address space; 0: none yet */
	int *groups;   /* attached handles, borrowed */
	size_t group_count;
	struct iommu_map_entry *maps; /* sorted by iova, disjoint */
	size_t map_count, map_room;
	/* What the backend said last. */
	struct range *usable;
	size_t usable_count;
	uint64_t page_sizes;
	uint32_t maps_left;
	uint64_t dirty_pages, dirty_max; /* tracking: page sizes, bytes of a bitmap; 0: none */
};

/* Asks the kernel again and replaces the fields above; logs. */
int iommu_info_refresh(struct iommu_domain *domain);

bool iommu_domain_has_group(const struct iommu_domain *domain, int group_fd);

#endif
