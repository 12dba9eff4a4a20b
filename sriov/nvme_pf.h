/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme_pf: an NVMe controller as a PF: where its device file is, and what it keeps. */
#ifndef SRIOV_NVME_PF_H
#define SRIOV_NVME_PF_H

#include "sriov/context.h"

#define NVME_PATH 32
/* "/dev/nvme0" of a PF that the driver nvme holds; false for others. */
bool nvme_path(const struct sriov *ctx, struct bdf bdf, char path[NVME_PATH]);

#endif
