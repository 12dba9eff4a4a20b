/* SPDX-License-Identifier: BSD-3-Clause */
/* q35: the chipset that PC firmware knows; see q35.c. */
#ifndef VDEV_Q35_H
#define VDEV_Q35_H

#include "vdev/pci.h"

/* Makes the host bridge an MCH and puts an ISA bridge at 00:1f.0. Before devices are added. */
int vdev_q35_create(struct vdev_host *host);
void vdev_q35_destroy(struct vdev_host *host);
/* PCI line 0..7 (PIRQA..PIRQH of the bridge) went up or down. */
void vdev_q35_line(struct vdev_host *host, unsigned line, bool level);

/* The ISA bridge; the memory controller is the root, which the host saves. */
void vdev_q35_save(const struct vdev_host *host, struct state *s);
void vdev_q35_load(struct vdev_host *host, struct state *s);

#endif
