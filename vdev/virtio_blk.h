/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_blk: a disk for the guest; see virtio_blk.c, and vdev.h for the structures. */
#ifndef VDEV_VIRTIO_BLK_H
#define VDEV_VIRTIO_BLK_H

#include "base/loop.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

/* A function for vdev_host_add, which owns it, and the descriptor, from then on. On error the
 * descriptor is closed. Starts the disk's own I/O thread. */
int vdev_blk_create(struct hv_vm *vm, struct loop *loop, const struct vdev_disk_config *config,
		    struct vdev_function **out);
/* False when the function is something else. Device lock held. */
bool vdev_blk_stat(struct vdev_function *fn, struct vdev_disk_stat *out);
/* What waits for space on the host is tried again. Device lock held. */
void vdev_blk_retry(struct vdev_function *fn);

#endif
