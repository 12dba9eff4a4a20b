/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_tx: from the guest's rings to the tap (82574 data sheet, 7.2 and 7.3).
 *
 * A packet is copied together from its descriptors, since what its headers say must not change
 * between our look and the kernel's. Checksums and segmentation are then the tap's work: a context
 * becomes a virtio header. Where hardware counts on the driver to leave lengths out of headers
 * (7.3.6.2), they are filled in, for the host takes the packet as a whole.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "vdev/e1000e_dev.h"
#include "vdev/net_sum.h"

#define ETH_HEADER   14u
#define VLAN_TAG     4u
#define FRAME_SHORT  60u
#define DESCRIPTORS  256u /* at one go */
#define IPV4_HEADER  20u
#define IPV6_HEADER  40u
#define TCP_HEADER   20u
#define TCP_CHECKSUM 16u
#define TCP_FLAGS    13u
#define TCP_CWR	     0x80u

struct desc {
	uint64_t addr;
	uint32_t lower, upper;
};
_Static_assert(sizeof(struct desc) == E1000E_DESC, "7.2.10");

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- checksums that are ours ---- */

/* Bytes [start, end] summed, and put at `at`; end 0 or beyond the frame: to its end. False: it
 * makes no sense. */
static bool insert(struct vdev_e1000e_tx *tx, size_t start, size_t end, size_t at)
{
	size_t stop = end && end < tx->len ? end + 1 : tx->len;

	if (start >= stop || at + 2 > tx->len)
		return false;
	put16(tx->frame + at,
	      (uint16_t)~vdev_net_sum_fold(vdev_net_sum(tx->frame + start, stop - start, 0)));
	return true;
}

/* ---- headers of a packet that is to be segmented ---- */

static bool fix_lengths(struct vdev_e1000e_tx *tx)
{
	const struct vdev_e1000e_context *c = &tx->context;
	size_t ip_len = tx->len - c->ipcss;
	uint8_t *ip = tx->frame + c->ipcss;

	if (ip_len > UINT16_MAX)
		return false;
	if (c->ipv4) {
		put16(ip + 2, (unsigned)ip_len);
		put16(ip + 10, 0);
		put16(ip + 10,
		      (uint16_t)~vdev_net_sum_fold(vdev_net_sum(
			      ip, MIN((size_t)c->tucss - c->ipcss, (ip[0] & 15u) * 4u), 0)));
	} else {
		put16(ip + 4, (unsigned)(ip_len - IPV6_HEADER));
	}
	/* The driver's sum of the pseudo header has no length in it. */
	uint8_t *sum = tx->frame + c->tucso;
	put16(sum, vdev_net_sum_fold((uint64_t)get16(sum) + (tx->len - c->tucss)));
	return true;
}

static bool segment(struct vdev_e1000e_tx *tx, struct virtio_net_hdr_v1 *h)
{
	const struct vdev_e1000e_context *c = &tx->context;
	unsigned ip = c->ipv4 ? IPV4_HEADER : IPV6_HEADER;

	if (!c->tcp || !c->mss || c->hdrlen > tx->len || c->ipcss < ETH_HEADER ||
	    c->tucss < c->ipcss + ip || c->hdrlen < c->tucss + TCP_HEADER ||
	    c->tucso != c->tucss + TCP_CHECKSUM || !fix_lengths(tx))
		return false;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = c->tucss;
	h->csum_offset = TCP_CHECKSUM;
	if (tx->len - c->hdrlen <= c->mss)
		return true;
	h->gso_type = c->ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	if (tx->frame[c->tucss + TCP_FLAGS] & TCP_CWR)
		h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	h->gso_size = c->mss;
	h->hdr_len = c->hdrlen;
	return true;
}

/* One packet, one frame: 7.3.5. The tap does what goes to the end of the frame. */
static bool offload(struct vdev_e1000e_tx *tx, struct virtio_net_hdr_v1 *h)
{
	const struct vdev_e1000e_context *c = &tx->context;

	if ((tx->options & E1000E_TXD_IXSM) && !insert(tx, c->ipcss, c->ipcse, c->ipcso))
		return false;
	if (!(tx->options & E1000E_TXD_TXSM))
		return true;
	if ((c->tucse && c->tucse + 1u < tx->len) || c->tucso < c->tucss)
		return insert(tx, c->tucss, c->tucse, c->tucso);
	if (c->tucso + 2u > tx->len)
		return false;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = c->tucss;
	h->csum_offset = (uint16_t)(c->tucso - c->tucss);
	return true;
}

/* ---- sending ---- */

static void drop(struct vdev_e1000e *dev)
{
	atomic_fetch_add_explicit(&dev->sent.drops, 1, memory_order_relaxed);
}

/* The tag stands between the addresses and the type. */
static bool put_tag(const struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx,
		    struct virtio_net_hdr_v1 *h)
{
	if (tx->len + VLAN_TAG > sizeof(tx->frame))
		return false;
	memmove(tx->frame + 12 + VLAN_TAG, tx->frame + 12, tx->len - 12);
	put16(tx->frame + 12, e1000e_get(dev, E1000E_VET));
	put16(tx->frame + 14, tx->tag);
	tx->len += VLAN_TAG;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		h->csum_start = (uint16_t)(h->csum_start + VLAN_TAG);
	if (h->gso_type)
		h->hdr_len = (uint16_t)(h->hdr_len + VLAN_TAG);
	return true;
}

static bool prepare(const struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx,
		    struct virtio_net_hdr_v1 *h)
{
	if (tx->bad || tx->len < ETH_HEADER)
		return false;
	if (tx->sum_at && !insert(tx, tx->css, 0, tx->cso))
		return false;
	if (tx->segment ? !segment(tx, h) : !offload(tx, h))
		return false;
	if ((e1000e_get(dev, E1000E_TCTL) & E1000E_TCTL_PSP) && tx->len < FRAME_SHORT) {
		memset(tx->frame + tx->len, 0, FRAME_SHORT - tx->len);
		tx->len = FRAME_SHORT;
	}
	return !(tx->vlan && (e1000e_get(dev, E1000E_CTRL) & E1000E_CTRL_VME)) ||
	       put_tag(dev, tx, h);
}

/* Back to the receiver: the checksum that the tap would have made is ours then. */
static bool send_to_self(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx,
			 const struct virtio_net_hdr_v1 *h)
{
	if (h->gso_type)
		return false;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		insert(tx, h->csum_start, 0, (size_t)h->csum_start + h->csum_offset);
	if (!vdev_e1000e_loop(dev, tx->frame, tx->len))
		return false;
	vdev_e1000e_irq_raise(dev, E1000E_ICR_RXT0 | E1000E_ICR_RXQ0);
	return true;
}

static bool send_out(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx,
		     struct virtio_net_hdr_v1 *h)
{
	struct iovec iov[] = {{.iov_base = h, .iov_len = VDEV_NET_HDR},
			      {.iov_base = tx->frame, .iov_len = tx->len}};

	return atomic_load(&dev->link) && writev(dev->tap, iov, 2) >= 0;
}

static void send_packet(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx)
{
	bool self =
		atomic_load(&dev->loopback) || (e1000e_get(dev, E1000E_RCTL) & E1000E_RCTL_LBM_MAC);
	struct virtio_net_hdr_v1 h = {0};

	if (!prepare(dev, tx, &h) || !(self ? send_to_self(dev, tx, &h) : send_out(dev, tx, &h))) {
		drop(dev);
		return;
	}
	vdev_e1000e_tally(dev, E1000E_GPTC, tx->frame, tx->len);
	if (h.gso_type)
		e1000e_count(dev, E1000E_TSCTC, 1);
	atomic_fetch_add_explicit(&dev->sent.packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->sent.bytes, tx->len, memory_order_relaxed);
}

/* ---- descriptors ---- */

/* 7.2.11.2 */
static void set_context(struct vdev_e1000e_tx *tx, const struct desc *d)
{
	tx->context = (struct vdev_e1000e_context){
		.ipcss = (uint8_t)d->addr,
		.ipcso = (uint8_t)(d->addr >> 8),
		.ipcse = (uint16_t)(d->addr >> 16),
		.tucss = (uint8_t)(d->addr >> 32),
		.tucso = (uint8_t)(d->addr >> 40),
		.tucse = (uint16_t)(d->addr >> 48),
		.hdrlen = (uint8_t)(d->upper >> 8),
		.mss = (uint16_t)(d->upper >> 16),
		.tcp = d->lower & E1000E_TUCMD_TCP,
		.ipv4 = d->lower & E1000E_TUCMD_IPV4,
	};
}

/* What the first descriptor of a packet says holds for all of it. */
static void begin(struct vdev_e1000e_tx *tx, const struct desc *d)
{
	bool data = d->lower & E1000E_TXD_EXTENDED;

	tx->begun = true;
	tx->bad = false;
	tx->len = 0;
	tx->options = data ? d->upper & (E1000E_TXD_IXSM | E1000E_TXD_TXSM) : 0;
	tx->segment = data && (d->lower & E1000E_TXD_TSE);
	tx->sum_at = false;
}

static void append(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx, const struct desc *d)
{
	bool data = d->lower & E1000E_TXD_EXTENDED;
	uint32_t len = data ? E1000E_TXD_LEN(d->lower) : d->lower & 0xffff;

	if (!tx->begun)
		begin(tx, d);
	if (len > sizeof(tx->frame) - tx->len ||
	    (len && hv_mem_read(dev->vm, d->addr, tx->frame + tx->len, len) < 0)) {
		tx->bad = true;
		return;
	}
	tx->len += len;
}

/* The last descriptor of a packet has the tag; of a legacy packet, also where its checksum goes. */
static void complete(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx, const struct desc *d)
{
	tx->vlan = d->lower & E1000E_TXD_VLE;
	tx->tag = (uint16_t)(d->upper >> 16);
	if (!(d->lower & E1000E_TXD_EXTENDED) && (d->lower & E1000E_TXD_IC)) {
		tx->sum_at = true;
		tx->cso = (uint8_t)(d->lower >> 16);
		tx->css = (uint8_t)(d->upper >> 8);
	}
	send_packet(dev, tx);
	tx->begun = false;
	tx->len = 0;
}

static void obey(struct vdev_e1000e *dev, struct vdev_e1000e_tx *tx, const struct desc *d)
{
	if ((d->lower & E1000E_TXD_EXTENDED) && E1000E_TXD_TYPE(d->lower) == E1000E_TXD_CONTEXT) {
		set_context(tx, d);
		return;
	}
	append(dev, tx, d);
	if (d->lower & E1000E_TXD_EOP)
		complete(dev, tx, d);
}

bool vdev_e1000e_transmit(struct vdev_e1000e *dev, unsigned index)
{
	unsigned q = index * E1000E_TX_QUEUE, n;
	uint64_t base = (uint64_t)e1000e_get(dev, E1000E_TDBAH + q) << 32 |
			e1000e_get(dev, E1000E_TDBAL + q);
	uint32_t count = e1000e_get(dev, E1000E_TDLEN + q) / E1000E_DESC;
	uint32_t head = e1000e_get(dev, E1000E_TDH + q), tail = e1000e_get(dev, E1000E_TDT + q);
	uint32_t causes = 0;
	bool every = e1000e_get(dev, E1000E_IVAR) & E1000E_IVAR_TX_EVERY;

	if (!(e1000e_get(dev, E1000E_TCTL) & E1000E_TCTL_EN) || head >= count || tail >= count)
		return false;
	for (n = 0; n < DESCRIPTORS && head != tail; n++) {
		uint8_t *at = hv_mem_ptr(dev->vm, base + (uint64_t)head * E1000E_DESC, E1000E_DESC);
		struct desc d;

		if (!at)
			break;
		memcpy(&d, at, sizeof(d));
		obey(dev, &dev->tx[index], &d);
		if (d.lower & E1000E_TXD_RS) {
			d.upper |= E1000E_TXD_DD;
			atomic_thread_fence(memory_order_release);
			memcpy(at + 12, &d.upper, sizeof(d.upper));
			causes |= E1000E_ICR_TXDW;
		}
		head = head + 1 == count ? 0 : head + 1;
		e1000e_set(dev, E1000E_TDH + q, head);
	}
	if (n && head == tail)
		causes |= E1000E_ICR_TXQE;
	if ((causes & E1000E_ICR_TXDW) || (n && every))
		causes |= index ? E1000E_ICR_TXQ1 : E1000E_ICR_TXQ0;
	vdev_e1000e_irq_raise(dev, causes);
	return n == DESCRIPTORS;
}

/* ---- standing still ---- */

void vdev_e1000e_tx_save(const struct vdev_e1000e *dev, struct state *s)
{
	for (unsigned i = 0; i < E1000E_TX_RINGS; i++) {
		const struct vdev_e1000e_tx *tx = &dev->tx[i];
		struct state *item = state_item(s, "tx", i);

		state_put(item, "ipcss", tx->context.ipcss);
		state_put(item, "ipcso", tx->context.ipcso);
		state_put(item, "ipcse", tx->context.ipcse);
		state_put(item, "tucss", tx->context.tucss);
		state_put(item, "tucso", tx->context.tucso);
		state_put(item, "tucse", tx->context.tucse);
		state_put(item, "hdrlen", tx->context.hdrlen);
		state_put(item, "mss", tx->context.mss);
		state_put(item, "tcp", tx->context.tcp);
		state_put(item, "ipv4", tx->context.ipv4);
		state_put(item, "begun", tx->begun);
		if (!tx->begun)
			continue;
		state_put(item, "bad", tx->bad);
		state_put(item, "segment", tx->segment);
		state_put(item, "options", tx->options);
		state_put_bytes(item, "frame", tx->frame, tx->len);
	}
}

static void load_packet(struct vdev_e1000e_tx *tx, struct state *item)
{
	size_t len = state_bytes(item, "frame");

	if (len > sizeof(tx->frame)) {
		state_refuse(item, -EINVAL, "a packet is longer than it can be");
		return;
	}
	tx->bad = state_take(item, "bad", 1);
	tx->segment = state_take(item, "segment", 1);
	tx->options = (uint32_t)state_take(item, "options", E1000E_TXD_IXSM | E1000E_TXD_TXSM);
	state_take_bytes(item, "frame", tx->frame, len);
	tx->len = len;
}

void vdev_e1000e_tx_load(struct vdev_e1000e *dev, struct state *s)
{
	for (unsigned i = 0; i < E1000E_TX_RINGS; i++) {
		struct vdev_e1000e_tx *tx = &dev->tx[i];
		struct state *item = state_open_item(s, "tx", i);

		tx->context = (struct vdev_e1000e_context){
			.ipcss = (uint8_t)state_take(item, "ipcss", UINT8_MAX),
			.ipcso = (uint8_t)state_take(item, "ipcso", UINT8_MAX),
			.ipcse = (uint16_t)state_take(item, "ipcse", UINT16_MAX),
			.tucss = (uint8_t)state_take(item, "tucss", UINT8_MAX),
			.tucso = (uint8_t)state_take(item, "tucso", UINT8_MAX),
			.tucse = (uint16_t)state_take(item, "tucse", UINT16_MAX),
			.hdrlen = (uint8_t)state_take(item, "hdrlen", UINT8_MAX),
			.mss = (uint16_t)state_take(item, "mss", UINT16_MAX),
			.tcp = state_take(item, "tcp", 1),
			.ipv4 = state_take(item, "ipv4", 1),
		};
		tx->begun = state_take(item, "begun", 1);
		tx->len = 0;
		tx->sum_at = false;
		if (tx->begun)
			load_packet(tx, item);
	}
}
