/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_ctrl: what a network driver says to its device beside frames (virtio 1.2, 5.1.6.2 and
 * 5.1.6.5): the header before each frame it sends, and the messages of the control queue.
 *
 * Pure: words of a hostile driver become checked values, or a refusal. What follows from the values
 * is virtio_net.c's.
 */
#ifndef VDEV_NET_CTRL_H
#define VDEV_NET_CTRL_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Younger than some systems' <linux/virtio_net.h>. */
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4	  54
#define VIRTIO_NET_F_GUEST_USO6	  55
#define VIRTIO_NET_F_HOST_USO	  56
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define VDEV_NET_HDR	    ((unsigned)sizeof(struct virtio_net_hdr_v1))
#define VDEV_NET_UNICASTS   7u /* the kernel's filter compares eight exactly; one is our own */
#define VDEV_NET_MULTICASTS 64u

_Static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "virtio 1.2, 5.1.6");

/* Which frames the driver wants to see. */
struct vdev_net_filter {
	uint8_t mac[6];
	bool promisc, allmulti;
	bool more_unicasts, more_multicasts; /* were given than are kept */
	unsigned unicasts, multicasts;
	uint8_t unicast[VDEV_NET_UNICASTS][6];
	uint8_t multicast[VDEV_NET_MULTICASTS][6];
};

struct vdev_net_ctrl {
	uint64_t features; /* as negotiated */
	unsigned pairs_max, pairs;
	uint64_t offloads; /* feature bits of what we may hand to the driver */
	struct vdev_net_filter filter;
};

/* What a message changed. */
#define VDEV_NET_PAIRS	   1u
#define VDEV_NET_FILTER	   2u
#define VDEV_NET_MAC	   4u
#define VDEV_NET_OFFLOADS  8u
#define VDEV_NET_ANNOUNCED 16u /* the driver has told its network where it is */

/* As after DRIVER_OK with `features`: one pair, everything received, all offloads that were agreed
 * on. */
void vdev_net_ctrl_init(struct vdev_net_ctrl *ctrl, uint64_t features, unsigned pairs_max,
			const uint8_t mac[6]);
/* One message, the driver's words of a chain. Returns VIRTIO_NET_OK or VIRTIO_NET_ERR; *changed is
 * 0 with the latter. */
uint8_t vdev_net_ctrl_message(struct vdev_net_ctrl *ctrl, const struct iovec *out, unsigned outs,
			      unsigned *changed);

/* Which of the driver's offload features stand for the receive direction. */
uint64_t vdev_net_guest_offloads(uint64_t features);

/* Reads the header of a frame to be sent; false when it asks for what was not negotiated, or is no
 * header. The copy is what counts: the guest may change its own at any time. */
bool vdev_net_tx_header(uint64_t features, const struct iovec *out, unsigned outs,
			struct virtio_net_hdr_v1 *header);

#endif
