/* SPDX-License-Identifier: BSD-3-Clause */
/* pvpanic: the port on which a guest's kernel says that it died; see pvpanic.c. */
#ifndef VDEV_PVPANIC_H
#define VDEV_PVPANIC_H

#include "hv-core/hv.h"

#define VDEV_PVPANIC_PORT 0x505

int vdev_pvpanic_create(struct hv_vm *vm, struct hv_region **out);
void vdev_pvpanic_destroy(struct hv_vm *vm, struct hv_region *region);

#endif
