/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_sum: the Internet's checksum (RFC 1071), and what a NIC that checks it finds in a frame.
 */
#ifndef VDEV_NET_SUM_H
#define VDEV_NET_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Adds bytes, the first one at an even place, as 16-bit words to `sum`. */
uint64_t vdev_net_sum(const void *bytes, size_t len, uint64_t sum);
/* The sum as one word, in the host's order; its complement is what a header carries. */
uint16_t vdev_net_sum_fold(uint64_t sum);

struct vdev_net_verdict {
	bool ipv4, ip_good;	/* there is a header checksum, and it is right */
	bool tcp, udp, l4_good; /* there is one of these, whole; and its checksum is right */
};

/* Of an Ethernet frame, with or without one VLAN tag. */
struct vdev_net_verdict vdev_net_verify(const uint8_t *frame, size_t len);

/* IEEE 802.3, 3.2.9: the frame check sequence. */
uint32_t vdev_net_fcs(const uint8_t *frame, size_t len);

#endif
