/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_vsock: sockets between guest and host (virtio 1.2, 5.10); see virtio_vsock.c. */
#ifndef VDEV_VIRTIO_VSOCK_H
#define VDEV_VIRTIO_VSOCK_H

#include "vdev/vdev.h"
#include "vdev/virtio.h"

/* A function for vdev_host_add, which owns it from then on. */
int vdev_vsock_create(struct hv_vm *vm, struct loop *loop, const struct vdev_vsock_config *config,
		      struct vdev_function **out);

#endif
