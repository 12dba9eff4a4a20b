/* SPDX-License-Identifier: BSD-3-Clause */
/* pm: the fixed ACPI hardware of a PC, and the old ways to reset one; see pm.c. */
#ifndef VDEV_PM_H
#define VDEV_PM_H

#include "hv-core/hv.h"

#define VDEV_PM_PORT	   0x600
#define VDEV_PM_EVENT_PORT 0x610
#define VDEV_PM_SCI	   9
#define VDEV_RESET_PORT	   0xcf9
#define VDEV_RESET_VALUE   0x06

struct vdev_pm;

int vdev_pm_create(struct hv_vm *vm, struct vdev_pm **out);
void vdev_pm_destroy(struct vdev_pm *pm);
/* The power button. Device lock held. */
void vdev_pm_press(struct vdev_pm *pm);
/* HV_ACPI_EVENT_*. Device lock held. */
void vdev_pm_raise(struct vdev_pm *pm, uint32_t events);
/* The reset control register, which shares a dword with the PCI ports. */
void vdev_pm_reset_write(struct hv_vm *vm, uint8_t value);

#endif
