/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost: virtqueues that the kernel serves (linux/vhost.h): it reads kicks, moves the data and
 * raises interrupts itself; our threads see none of it.
 *
 * A descriptor of /dev/vhost-… belongs to the process that first uses it and is good for any number
 * of starts. It stays the caller's. Failures are logged under `name`.
 */
#ifndef VDEV_VHOST_H
#define VDEV_VHOST_H

#include <stdint.h>

#include "vdev/virtio.h"

/* What the kernel's side understands of a device's features. */
int vdev_vhost_features(const char *name, int fd, uint64_t *out);
/* Features that no kernel serves: not to be offered. */
uint64_t vdev_vhost_unserved(void);

/* Once per start, before its queues: the features as negotiated, where guest memory lies. */
int vdev_vhost_prepare(const char *name, int fd, const struct vdev_virtio *dev);
/* Tells queue `index` of the descriptor everything about `q`; what then sets it going (a backend,
 * a switch) is the device's own. */
int vdev_vhost_queue_set(const char *name, int fd, unsigned index, struct vdev_virtio_queue *q);
/* After it was halted: brings its position back into `q`. */
void vdev_vhost_queue_get(int fd, unsigned index, struct vdev_virtio_queue *q);
/* The queue's interrupt changed. */
int vdev_vhost_queue_call(const char *name, int fd, unsigned index, struct vdev_virtio_queue *q);

#endif
