/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_rng: entropy for the guest; see virtio_rng.c. */
#ifndef VDEV_VIRTIO_RNG_H
#define VDEV_VIRTIO_RNG_H

#include "base/loop.h"
#include "vdev/iothread.h"
#include "vdev/pci.h"

/* A function for vdev_host_add, which owns it from then on. */
int vdev_rng_create(struct hv_vm *vm, struct loop *loop, struct vdev_iothread *thread,
		    struct vdev_function **out);

#endif
