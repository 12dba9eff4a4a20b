/* SPDX-License-Identifier: BSD-3-Clause */
/* pagetable_walk: the arithmetic of levels, which both halves of the walker share. */
#ifndef IOMMU_PAGETABLE_WALK_H
#define IOMMU_PAGETABLE_WALK_H

#include "iommu/pagetable.h"

/* Bytes behind one entry of a table of `level`. */
static inline uint64_t pagetable_level_size(unsigned level)
{
	return UINT64_C(1) << (12 + 9 * (level - 1));
}

static inline unsigned pagetable_index(uint64_t iova, unsigned level)
{
	return (unsigned)(iova >> (12 + 9 * (level - 1)) & (PAGETABLE_ENTRIES - 1));
}

#endif
