/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_place: what has to be known of a device before its unit can be taken: which unit stands in
 * front of it, how wide the host's addresses are, and what memory firmware keeps for the device.
 * All of it is in the firmware's table DMAR (dmar.h; VT-d 8.1, 8.3, 8.4).
 */
#ifndef IOMMU_VTD_PLACE_H
#define IOMMU_VTD_PLACE_H

#include "base/bdf.h"
#include "base/range.h"
#include "base/sysfs.h"

struct vtd_place {
	uint64_t base; /* of the unit's registers, and their size */
	size_t size;
	uint16_t segment;
	unsigned host_width;
	struct range *reserved; /* RMRRs of the device, sorted; allocated */
	size_t reserved_count;
};

/* -ENOENT: the machine has no unit; -ENODEV: none in front of this device; -EINVAL: what firmware
 * says makes no sense. Logged. */
int vtd_place_find(const struct sysfs *fs, struct bdf bdf, struct vtd_place *out);
void vtd_place_finish(struct vtd_place *place);

#endif
