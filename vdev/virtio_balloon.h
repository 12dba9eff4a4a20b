/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_balloon: guest memory given back to the host (virtio 1.2, 5.5); see virtio_balloon.c. */
#ifndef VDEV_VIRTIO_BALLOON_H
#define VDEV_VIRTIO_BALLOON_H

#include "vdev/vdev.h"
#include "vdev/virtio.h"

struct vdev_balloon;

int vdev_balloon_create(struct hv_vm *vm, struct loop *loop, struct vdev_balloon **out);
void vdev_balloon_destroy(struct vdev_balloon *balloon);
struct vdev_function *vdev_balloon_function(struct vdev_balloon *balloon);
/* NULL when the function is something else, or NULL. */
struct vdev_balloon *vdev_balloon_of(struct vdev_function *fn);

/* Device lock held. */
void vdev_balloon_aim(struct vdev_balloon *balloon, uint64_t bytes);
/* Also asks the driver for fresh numbers, which the next call gives. */
void vdev_balloon_fill_stat(struct vdev_balloon *balloon, struct vdev_balloon_stat *out);

#endif
