/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_tap: the host's end of a virtual wire, one descriptor per queue pair of one tap interface.
 *
 * The descriptors stay the caller's. What is set here is the interface's, so the first descriptor
 * stands for all, but for which of them take part.
 */
#ifndef VDEV_NET_TAP_H
#define VDEV_NET_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vdev/net_ctrl.h"

/* Frames carry virtio's header, and nothing is offloaded. -errno logged under `name`. */
int vdev_net_tap_init(const char *name, const int *fds, unsigned count);
/* Feature bits (VIRTIO_NET_F_GUEST_*) of what the kernel can be told to hand over, and of what it
 * takes (VIRTIO_NET_F_HOST_*). */
uint64_t vdev_net_tap_features(int fd);
/* `offloads`: VIRTIO_NET_F_GUEST_* bits */
int vdev_net_tap_offload(int fd, uint64_t offloads);
int vdev_net_tap_filter(int fd, const struct vdev_net_filter *filter);
/* Whether frames are steered to this descriptor; asking for what is the case already is 0. */
int vdev_net_tap_attach(int fd, bool on);

#endif
