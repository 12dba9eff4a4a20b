/* SPDX-License-Identifier: BSD-3-Clause */
/* Any control messages, in any cut, and any frame header: refused, or values within bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "vdev/net_ctrl.h"

#define PAIRS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vdev_net_ctrl *c)
{
	if (c->pairs < 1 || c->pairs > PAIRS || c->filter.unicasts > VDEV_NET_UNICASTS ||
	    c->filter.multicasts > VDEV_NET_MULTICASTS || (c->filter.mac[0] & 1) ||
	    (c->offloads & ~vdev_net_guest_offloads(c->features)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[6] = {2};
	struct virtio_net_hdr_v1 header;
	struct vdev_net_ctrl c;
	uint64_t features;
	unsigned changed;

	if (size < sizeof(features))
		return 0;
	memcpy(&features, data, sizeof(features));
	vdev_net_ctrl_init(&c, features, PAIRS, mac);
	data += sizeof(features);
	size -= sizeof(features);
	/* a byte for the length of each message, and one for where it is cut */
	while (size > 2) {
		size_t len = MIN((size_t)data[0] * 4, size - 2), cut = MIN((size_t)data[1], len);
		struct iovec out[2] = {
			{.iov_base = (uint8_t *)(uintptr_t)data + 2, .iov_len = cut},
			{.iov_base = (uint8_t *)(uintptr_t)data + 2 + cut, .iov_len = len - cut}};
		uint8_t ack = vdev_net_ctrl_message(&c, out, 2, &changed);

		if (ack > 1 || (ack && changed))
			abort();
		check(&c);
		if (vdev_net_tx_header(features, out, 2, &header) && header.gso_type &&
		    !header.gso_size)
			abort();
		data += 2 + len;
		size -= 2 + len;
	}
	return 0;
}
