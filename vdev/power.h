/* SPDX-License-Identifier: BSD-3-Clause */
/* power: how a guest sleeps, resets, and learns of the power button; see power.c. */
#ifndef VDEV_POWER_H
#define VDEV_POWER_H

#include "hv-core/hv.h"

#define VDEV_POWER_SLEEP_PORT  0x600
#define VDEV_POWER_RESET_PORT  0x604
#define VDEV_POWER_RESET_VALUE 0x42
#define VDEV_POWER_EVENT_PORT  0x608
#define VDEV_POWER_GSI	       9

struct vdev_power;

int vdev_power_create(struct hv_vm *vm, struct vdev_power **out);
void vdev_power_destroy(struct vdev_power *power);
void vdev_power_reset(struct vdev_power *power);
/* Device lock held. */
int vdev_power_raise(struct vdev_power *power, uint32_t events); /* HV_ACPI_EVENT_* */
int vdev_power_press(struct vdev_power *power);
void vdev_power_save(const struct vdev_power *power, struct state *s);
void vdev_power_load(struct vdev_power *power, struct state *s);

#endif
