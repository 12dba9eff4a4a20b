/* SPDX-License-Identifier: BSD-3-Clause */
/* acpi_slots: how a guest's ACPI hears of PCI slots, and lets go of what is in them; see the C
 * file.
 */
#ifndef VDEV_ACPI_SLOTS_H
#define VDEV_ACPI_SLOTS_H

#include "base/state.h"
#include "vdev/pci.h"

#define VDEV_ACPI_SLOTS_PORT 0x640

struct vdev_acpi_slots;

/* `raise` makes the guest look (HV_ACPI_EVENT_SLOT). Sets host->acpi. */
int vdev_acpi_slots_create(struct vdev_host *host, int (*raise)(void *opaque, uint32_t events),
			   void *opaque);
/* Of host->acpi, which may be NULL. */
void vdev_acpi_slots_destroy(struct vdev_host *host);

/* Device lock held. Tells the guest that something came, or that what is there shall go. */
void vdev_acpi_slots_insert(struct vdev_acpi_slots *slots, unsigned slot);
void vdev_acpi_slots_ask(struct vdev_acpi_slots *slots, unsigned slot);
/* What it has not heard yet, it shall not hear. */
void vdev_acpi_slots_forget(struct vdev_acpi_slots *slots, unsigned slot);
void vdev_acpi_slots_reset(struct vdev_acpi_slots *slots);
void vdev_acpi_slots_save(const struct vdev_acpi_slots *slots, struct state *s);
void vdev_acpi_slots_load(struct vdev_acpi_slots *slots, struct state *s);

#endif
