/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vtd_quiesce: before a unit goes off, what a killed driver left running must stand still.
 *
 * A unit that is off translates nothing: a device that still does what its dead driver told it
 * would then write to host memory that merely has the same address. Such a device has no driver of
 * the kernel. So every function behind the unit without one is kept from sending requests (Bus
 * Master Enable of its command register, PCIe 6.0 7.5.1.1.3); bridges are left alone, as others are
 * behind them.
 */
#ifndef IOMMU_VTD_QUIESCE_H
#define IOMMU_VTD_QUIESCE_H

#include <stdint.h>

#include "base/sysfs.h"

/* Functions behind the unit whose registers are at `base`. How many were stopped, or a negative
 * errno, logged: then the unit had better stay on. */
int vtd_quiesce(const struct sysfs *fs, uint64_t base);

#endif
