/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog: an Intel 6300ESB watchdog timer behind a root port; see watchdog.c. */
#ifndef VDEV_WATCHDOG_H
#define VDEV_WATCHDOG_H

#include "base/loop.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

struct vdev_watchdog;

int vdev_watchdog_create(struct hv_vm *vm, struct loop *loop, enum vdev_watchdog_action action,
			 struct vdev_watchdog **out);
void vdev_watchdog_destroy(struct vdev_watchdog *dog);
struct vdev_function *vdev_watchdog_function(struct vdev_watchdog *dog);

#endif
