/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme_pf: an NVMe controller as a PF: where its device file is, and what it keeps. */
#ifndef SRIOV_NVME_PF_H
#define SRIOV_NVME_PF_H

#include "sriov/context.h"

#define NVME_PATH 32
/* "/dev/nvme0" of a PF that the driver nvme holds; false for others. */
bool nvme_path(const struct sriov *ctx, struct bdf bdf, char path[NVME_PATH]);

/* How many of the queues and interrupts for VFs it keeps of each; -1: not known, or not the same.
 */
int nvme_kept(const struct sriov *ctx, const struct sriov_pf *pf);
/* Whether a disk of it is used, and so what keeps it from being reset: in words. */
bool nvme_busy(const struct sriov *ctx, const struct sriov_pf *pf, char text[SRIOV_BLOCKER]);
/* Looks first, resets it, reads back. -EBUSY while it has VFs or a disk of it is used. Logs. */
int nvme_keep(struct sriov *ctx, const struct sriov_pf *pf, unsigned count);

#endif
