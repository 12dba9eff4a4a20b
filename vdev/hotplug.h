/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hotplug: the host's side of taking functions out of a running guest; see hotplug.c and vdev.h.
 */
#ifndef VDEV_HOTPLUG_H
#define VDEV_HOTPLUG_H

#include "base/loop.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

struct vdev_hotplug;

/* `ejected` is called on the loop's thread, without the device lock. */
int vdev_hotplug_create(struct vdev_host *host, struct loop *loop,
			void (*ejected)(void *opaque, unsigned slot), void *opaque,
			struct vdev_hotplug **out);
void vdev_hotplug_destroy(struct vdev_hotplug *hotplug);

/* Device lock held, on the loop's thread. */
int vdev_hotplug_eject(struct vdev_hotplug *hotplug, unsigned slot, unsigned timeout_ms);
enum vdev_slot_state vdev_hotplug_state(const struct vdev_hotplug *hotplug, unsigned slot);
/* A function came into the slot. */
void vdev_hotplug_filled(struct vdev_hotplug *hotplug, unsigned slot);

#endif
