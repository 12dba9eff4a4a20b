/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_driver: one unit of the machine taken over, with all it takes: registers, hugepages, journal.
 */
#ifndef IOMMU_VTD_DRIVER_H
#define IOMMU_VTD_DRIVER_H

#include "iommu/vtd.h"

struct vtd_driver_config {
	uint64_t base;		/* of the registers: vtd_place.h */
	size_t size;		/* of the registers; 0: one page */
	const char *run_dir;	/* for the journal: /run/sluice */
	const char *hugetlbfs;	/* where hugepages of 2 MiB are mounted: /dev/hugepages */
	const struct sysfs *fs; /* the machine: for devices that a killed driver left running */
	struct vtd_config unit; /* name, io and mem are filled in here */
};

struct vtd_driver;

/* Takes over a unit that a killed driver left on, too. -EBUSY: another process drives it; -EPERM:
 * the kernel does. Logged. */
int vtd_driver_open(const struct vtd_driver_config *config, struct vtd_driver **out);
/* Switches the unit off; spaces must be gone. Memory that the unit may still walk stays in its
 * file. */
void vtd_driver_close(struct vtd_driver *driver);

struct vtd_unit *vtd_driver_unit(struct vtd_driver *driver);
struct vtd_mem *vtd_driver_mem(struct vtd_driver *driver);

/* Switches off a unit that a killed driver left on, once its devices stand still (vtd_quiesce.h): 1
 * when it was on, 0 when there is nothing to do. -EBUSY, -EPERM, -ETIMEDOUT, logged. */
int vtd_driver_release(const struct sysfs *fs, const char *run_dir, uint64_t base, size_t size);

#endif
