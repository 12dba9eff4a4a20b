/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_net_user: a NIC on a port of another process's switch; see virtio_net_user.c, vdev.h. */
#ifndef VDEV_VIRTIO_NET_USER_H
#define VDEV_VIRTIO_NET_USER_H

#include "base/loop.h"
#include "vdev/pci.h"
#include "vdev/vdev.h"

/* For a config with a socket. */
int vdev_net_user_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
			 struct vdev_function **out);
/* False when the function is something else. Device lock held. */
bool vdev_net_user_stat(struct vdev_function *fn, struct vdev_net_stat *out);

#endif
