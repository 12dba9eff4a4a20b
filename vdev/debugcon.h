/* SPDX-License-Identifier: BSD-3-Clause */
/* debugcon: the port that firmware talks to its developer through; see debugcon.c. */
#ifndef VDEV_DEBUGCON_H
#define VDEV_DEBUGCON_H

#include "hv-core/hv.h"

struct vdev_debugcon;

int vdev_debugcon_create(struct hv_vm *vm, struct vdev_debugcon **out);
void vdev_debugcon_destroy(struct vdev_debugcon *con);

#endif
