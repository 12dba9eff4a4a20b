/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_facts: what an audit is held against: which VM has which function, and which physical
 * memory each VM has mapped for its devices. VMs are asked themselves; pages are looked up in
 * /proc/PID/pagemap; who else has a group open is read from /proc.
 */
#ifndef CLI_IOMMU_FACTS_H
#define CLI_IOMMU_FACTS_H

#include "cli/cli.h"
#include "iommu/iommu.h"

/* Logs. */
int iommu_facts_add(struct cli *cli, struct audit *audit);

#endif
