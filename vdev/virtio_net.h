/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_net: a network device on a tap (virtio 1.2, 5.1); see virtio_net.c. */
#ifndef VDEV_VIRTIO_NET_H
#define VDEV_VIRTIO_NET_H

#include "vdev/vdev.h"
#include "vdev/virtio.h"

struct vdev_net;

int vdev_net_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
		    struct vdev_net **out);
struct vdev_function *vdev_net_function(struct vdev_net *net);
void vdev_net_destroy(struct vdev_net *net);
/* NULL when the function is something else, or NULL. */
struct vdev_net *vdev_net_of(struct vdev_function *fn);
void vdev_net_fill_stat(struct vdev_net *net, struct vdev_net_stat *out);

#endif
