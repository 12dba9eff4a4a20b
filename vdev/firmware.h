/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware: everything that a machine has only because real firmware boots it: the firmware's
 * memory, its variables, fw_cfg, and the chipset, clock and power registers of a PC. Private to
 * vdev; the PIC pair and the PIT come with hv_config.legacy.
 */
#ifndef VDEV_FIRMWARE_H
#define VDEV_FIRMWARE_H

#include "vdev/pci.h"
#include "vdev/vdev.h"

struct vdev_firmware;

/* Before devices are added. */
int vdev_firmware_create(const struct vdev_firmware_config *config, struct vdev_host *host,
			 struct loop *loop, struct vdev_firmware **out);
/* Before the host is destroyed. */
void vdev_firmware_destroy(struct vdev_firmware *fw);
/* Once all devices are there. `acpi` is completed, and outlives fw. */
int vdev_firmware_finish(struct vdev_firmware *fw, struct hv_acpi_config *acpi);
/* The power button. Device lock held. */
int vdev_firmware_press(struct vdev_firmware *fw);
/* Makes the guest's ACPI look: HV_ACPI_EVENT_*. Device lock held. */
void vdev_firmware_raise(struct vdev_firmware *fw, uint32_t events);

#endif
