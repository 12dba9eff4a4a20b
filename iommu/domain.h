/* SPDX-License-Identifier: BSD-3-Clause */
/* domain: what the files of this folder share about one VFIO container. */
#ifndef IOMMU_DOMAIN_H
#define IOMMU_DOMAIN_H

#include "iommu/iommu.h"

struct iommu_domain {
	int container;
	int *groups; /* attached descriptors, borrowed */
	size_t group_count;
	struct iommu_map_entry *maps; /* sorted by iova, disjoint */
	size_t map_count, map_room;
	/* What VFIO_IOMMU_GET_INFO said last. */
	struct range *usable;
	size_t usable_count;
	uint64_t page_sizes;
	uint32_t maps_left;
};

/* Asks the kernel again and replaces the fields above; logs. */
int iommu_info_refresh(struct iommu_domain *domain);

bool iommu_domain_has_group(const struct iommu_domain *domain, int group_fd);

#endif
