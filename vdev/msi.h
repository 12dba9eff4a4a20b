/* SPDX-License-Identifier: BSD-3-Clause */
/* msi: the MSI capability of a function; see msi.c. */
#ifndef VDEV_MSI_H
#define VDEV_MSI_H

#include <stdbool.h>

#include "vdev/pci.h"

struct vdev_msi {
	unsigned cap; /* 0: the function has none */
	bool wide;    /* 64-bit address */
	bool maskable;
};

/* Takes over the capability whose registers already stand at `cap`: size in bytes is returned. */
unsigned vdev_msi_init(struct vdev_msi *msi, struct vdev_config *config, unsigned cap);
unsigned vdev_msi_size(const struct vdev_msi *msi);
bool vdev_msi_enabled(const struct vdev_msi *msi, const struct vdev_config *config);
unsigned vdev_msi_vectors(const struct vdev_msi *msi, const struct vdev_config *config);
struct hv_msi vdev_msi_message(const struct vdev_msi *msi, const struct vdev_config *config,
			       unsigned vector);
bool vdev_msi_masked(const struct vdev_msi *msi, const struct vdev_config *config, unsigned vector);

#endif
