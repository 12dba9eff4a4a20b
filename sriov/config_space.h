/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_space: what a function says of itself in its configuration space, through sysfs.
 *
 * Beyond its first 64 bytes only root may read it; what is there is read back bounds-checked,
 * since a device may say anything.
 */
#ifndef SRIOV_CONFIG_SPACE_H
#define SRIOV_CONFIG_SPACE_H

#include "sriov/context.h"

/* The size of the MSI-X table. -ENOENT without the capability. */
int config_msix_size(const struct sriov *ctx, struct bdf bdf, uint32_t *size);
/* The Device Serial Number. -ENOENT without the capability. */
int config_serial(const struct sriov *ctx, struct bdf bdf, uint64_t *serial);
/* SR-IOV: whether the ARI Capable Hierarchy bit is set, which lets VFs have more than 8 functions a
 * bus. */
int config_ari(const struct sriov *ctx, struct bdf bdf, bool *on);

#endif
