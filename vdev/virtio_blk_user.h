/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_blk_user: a disk that another process serves; see virtio_blk_user.c, and vdev.h. */
#ifndef VDEV_VIRTIO_BLK_USER_H
#define VDEV_VIRTIO_BLK_USER_H

#include "base/loop.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

/* As vdev_blk_create, for a config with a socket. */
int vdev_blk_user_create(struct hv_vm *vm, struct loop *loop, const struct vdev_disk_config *config,
			 struct vdev_function **out);
/* False when the function is something else. Device lock held. */
bool vdev_blk_user_stat(struct vdev_function *fn, struct vdev_disk_stat *out);

#endif
