/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_ctrl: see net_ctrl.h.
 *
 * A control message is a class, a command and its data (5.1.6.5). Lists of addresses may be longer
 * than what is kept; the driver is then given more frames than it asked for, which it has to bear
 * anyway ("best effort", 5.1.6.5.2), never fewer.
 */
#include "vdev/net_ctrl.h"

#include <string.h>

#include "base/util.h"
#include "vdev/virtq.h"

#define BIT(n) (UINT64_C(1) << (n))

#define GUEST_OFFLOADS                                                 \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) |  \
	 BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_GUEST_USO4) |  \
	 BIT(VIRTIO_NET_F_GUEST_USO6))

struct message {
	const struct iovec *out;
	unsigned outs;
	size_t at; /* what comes next */
};

static bool take(struct message *m, void *to, size_t len)
{
	size_t got = vdev_iov_read(m->out, m->outs, m->at, to, len);

	m->at += got;
	return got == len;
}

uint64_t vdev_net_guest_offloads(uint64_t features)
{
	return features & GUEST_OFFLOADS;
}

void vdev_net_ctrl_init(struct vdev_net_ctrl *ctrl, uint64_t features, unsigned pairs_max,
			const uint8_t mac[6])
{
	*ctrl = (struct vdev_net_ctrl){
		.features = features,
		.pairs_max = pairs_max,
		.pairs = 1,
		.offloads = vdev_net_guest_offloads(features),
		.filter.promisc = true,
	};
	memcpy(ctrl->filter.mac, mac, 6);
}

/* ---- messages ---- */

static uint8_t receive_mode(struct vdev_net_ctrl *ctrl, uint8_t command, struct message *m,
			    unsigned *changed)
{
	uint8_t on;

	if (!(ctrl->features & BIT(VIRTIO_NET_F_CTRL_RX)) || !take(m, &on, 1))
		return VIRTIO_NET_ERR;
	if (command == VIRTIO_NET_CTRL_RX_PROMISC)
		ctrl->filter.promisc = on != 0;
	else if (command == VIRTIO_NET_CTRL_RX_ALLMULTI)
		ctrl->filter.allmulti = on != 0;
	else
		return VIRTIO_NET_ERR;
	*changed = VDEV_NET_FILTER;
	return VIRTIO_NET_OK;
}

/* One list: a 32-bit count and so many addresses. Returns whether all of it was there; *more when
 * it holds more than `room`. */
static bool take_list(struct message *m, uint8_t (*list)[6], unsigned room, unsigned *count,
		      bool *more)
{
	uint32_t entries;

	if (!take(m, &entries, sizeof(entries)))
		return false;
	*more = entries > room;
	*count = MIN(entries, room);
	if (!take(m, list, (size_t)*count * 6))
		return false;
	m->at += (size_t)(entries - *count) * 6;
	return m->at <= vdev_iov_len(m->out, m->outs);
}

static uint8_t set_table(struct vdev_net_ctrl *ctrl, struct message *m, unsigned *changed)
{
	struct vdev_net_filter f = ctrl->filter;

	if (!take_list(m, f.unicast, VDEV_NET_UNICASTS, &f.unicasts, &f.more_unicasts) ||
	    !take_list(m, f.multicast, VDEV_NET_MULTICASTS, &f.multicasts, &f.more_multicasts))
		return VIRTIO_NET_ERR;
	ctrl->filter = f;
	*changed = VDEV_NET_FILTER;
	return VIRTIO_NET_OK;
}

static uint8_t set_address(struct vdev_net_ctrl *ctrl, struct message *m, unsigned *changed)
{
	uint8_t mac[6];

	if (!(ctrl->features & BIT(VIRTIO_NET_F_CTRL_MAC_ADDR)) || !take(m, mac, 6) || (mac[0] & 1))
		return VIRTIO_NET_ERR;
	memcpy(ctrl->filter.mac, mac, 6);
	*changed = VDEV_NET_MAC | VDEV_NET_FILTER;
	return VIRTIO_NET_OK;
}

static uint8_t set_mac(struct vdev_net_ctrl *ctrl, uint8_t command, struct message *m,
		       unsigned *changed)
{
	if (command == VIRTIO_NET_CTRL_MAC_ADDR_SET)
		return set_address(ctrl, m, changed);
	if (command == VIRTIO_NET_CTRL_MAC_TABLE_SET &&
	    (ctrl->features & BIT(VIRTIO_NET_F_CTRL_RX)))
		return set_table(ctrl, m, changed);
	return VIRTIO_NET_ERR;
}

static uint8_t set_pairs(struct vdev_net_ctrl *ctrl, uint8_t command, struct message *m,
			 unsigned *changed)
{
	uint16_t pairs;

	if (!(ctrl->features & BIT(VIRTIO_NET_F_MQ)) ||
	    command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !take(m, &pairs, sizeof(pairs)) ||
	    pairs < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || pairs > ctrl->pairs_max)
		return VIRTIO_NET_ERR;
	ctrl->pairs = pairs;
	*changed = VDEV_NET_PAIRS;
	return VIRTIO_NET_OK;
}

static uint8_t set_offloads(struct vdev_net_ctrl *ctrl, uint8_t command, struct message *m,
			    unsigned *changed)
{
	uint64_t wanted;

	if (!(ctrl->features & BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)) ||
	    command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || !take(m, &wanted, sizeof(wanted)) ||
	    (wanted & ~vdev_net_guest_offloads(ctrl->features)))
		return VIRTIO_NET_ERR;
	ctrl->offloads = wanted;
	*changed = VDEV_NET_OFFLOADS;
	return VIRTIO_NET_OK;
}

static uint8_t announced(const struct vdev_net_ctrl *ctrl, uint8_t command, unsigned *changed)
{
	if (!(ctrl->features & BIT(VIRTIO_NET_F_GUEST_ANNOUNCE)) ||
	    command != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
		return VIRTIO_NET_ERR;
	*changed = VDEV_NET_ANNOUNCED;
	return VIRTIO_NET_OK;
}

uint8_t vdev_net_ctrl_message(struct vdev_net_ctrl *ctrl, const struct iovec *out, unsigned outs,
			      unsigned *changed)
{
	struct message m = {.out = out, .outs = outs};
	struct virtio_net_ctrl_hdr header;

	*changed = 0;
	if (!take(&m, &header, sizeof(header)))
		return VIRTIO_NET_ERR;
	switch (header.class) {
	case VIRTIO_NET_CTRL_RX:
		return receive_mode(ctrl, header.cmd, &m, changed);
	case VIRTIO_NET_CTRL_MAC:
		return set_mac(ctrl, header.cmd, &m, changed);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		return announced(ctrl, header.cmd, changed);
	case VIRTIO_NET_CTRL_MQ:
		return set_pairs(ctrl, header.cmd, &m, changed);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return set_offloads(ctrl, header.cmd, &m, changed);
	default:
		return VIRTIO_NET_ERR;
	}
}

/* ---- the header of a frame ---- */

/* The features that allow each type of segmentation (5.1.6.2.1). */
static uint64_t segmentation_feature(uint8_t type)
{
	switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return BIT(VIRTIO_NET_F_HOST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return BIT(VIRTIO_NET_F_HOST_TSO6);
	case VIRTIO_NET_HDR_GSO_UDP:
		return BIT(VIRTIO_NET_F_HOST_UFO);
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return BIT(VIRTIO_NET_F_HOST_USO);
	default:
		return 0;
	}
}

bool vdev_net_tx_header(uint64_t features, const struct iovec *out, unsigned outs,
			struct virtio_net_hdr_v1 *header)
{
	if (vdev_iov_read(out, outs, 0, header, VDEV_NET_HDR) != VDEV_NET_HDR)
		return false;
	header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* others must be ignored: 5.1.6.2.2 */
	header->num_buffers = 0;
	if (header->flags && !(features & BIT(VIRTIO_NET_F_CSUM)))
		return false;
	if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if ((header->gso_type & VIRTIO_NET_HDR_GSO_ECN) && !(features & BIT(VIRTIO_NET_F_HOST_ECN)))
		return false;
	return (features & segmentation_feature(header->gso_type)) && header->gso_size;
}
