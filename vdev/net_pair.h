/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_pair: one receive and one transmit queue between a driver and one descriptor of a tap, moved
 * by one I/O thread.
 *
 * Everything here runs on that thread, but for create, destroy and the counters.
 */
#ifndef VDEV_NET_PAIR_H
#define VDEV_NET_PAIR_H

#include <stdatomic.h>

#include "vdev/iothread.h"
#include "vdev/virtio.h"

struct vdev_net_counts {
	atomic_uint_fast64_t packets, bytes, drops;
};

struct vdev_net_pair;

int vdev_net_pair_create(struct vdev_virtio *dev, unsigned index, int tap,
			 struct vdev_iothread *thread, struct vdev_net_pair **out);
/* Not while it listens. */
void vdev_net_pair_destroy(struct vdev_net_pair *pair);

/* The queue was kicked. `active`: the driver uses this pair. */
void vdev_net_pair_receive(struct vdev_net_pair *pair, bool active);
void vdev_net_pair_transmit(struct vdev_net_pair *pair);
/* Looks at the tap no more, until the next receive; a frame that waits for a buffer stays. */
void vdev_net_pair_silence(struct vdev_net_pair *pair);
/* Forgets that frame too. */
void vdev_net_pair_reset(struct vdev_net_pair *pair);

const struct vdev_net_counts *vdev_net_pair_received(const struct vdev_net_pair *pair);
const struct vdev_net_counts *vdev_net_pair_sent(const struct vdev_net_pair *pair);

#endif
