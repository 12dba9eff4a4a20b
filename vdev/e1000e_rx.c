/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1000e_rx: from the tap into the guest's buffers (82574 data sheet, 7.1).
 *
 * A frame is read as a whole, checked against the filters, and spread over as many buffers as it
 * takes. When there are too few the frame waits, and the tap is not looked at until the guest moves
 * the tail: so nothing is lost here, the kernel's queue fills, and drops. Descriptors are of the
 * legacy layout, the extended one, or that for packet split, in which buffers are filled in their
 * order and no header is told apart.
 *
 * Heads and tails count 16 bytes in all layouts. What the guest wrote there is checked at each use.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/e1000e_dev.h"
#include "vdev/net_sum.h"

#define ETH_HEADER  14u
#define VLAN_TAG    4u
#define FCS	    4u
#define FRAME_SHORT 60u	  /* without its FCS */
#define FRAME_LONG  1518u /* without its FCS; with a VLAN tag */
#define BUFFERS	    4u	  /* of a descriptor for packet split */

struct buffers {
	uint64_t at[BUFFERS];
	uint32_t size[BUFFERS];
	uint16_t filled[BUFFERS];
};

/* What is written back about a frame. */
struct report {
	uint32_t status;
	uint16_t tag;
};

struct ring {
	uint64_t base;
	uint32_t head, tail, count; /* in units of 16 bytes; count 0: unusable */
	unsigned step;		    /* units of one descriptor */
};

/* ---- the ring ---- */

static bool splits(const struct vdev_e1000e *dev)
{
	return (e1000e_get(dev, E1000E_RFCTL) & E1000E_RFCTL_EXTENDED) &&
	       (e1000e_get(dev, E1000E_RCTL) & E1000E_RCTL_SPLIT);
}

static struct ring look(const struct vdev_e1000e *dev)
{
	struct ring ring = {
		.base = (uint64_t)e1000e_get(dev, E1000E_RDBAH) << 32 |
			e1000e_get(dev, E1000E_RDBAL),
		.head = e1000e_get(dev, E1000E_RDH),
		.tail = e1000e_get(dev, E1000E_RDT),
		.count = e1000e_get(dev, E1000E_RDLEN) / E1000E_DESC,
		.step = splits(dev) ? 2 : 1,
	};

	if (ring.head >= ring.count || ring.tail >= ring.count || ring.head % ring.step ||
	    ring.tail % ring.step)
		ring.count = 0;
	return ring;
}

static uint32_t free_descriptors(const struct ring *ring)
{
	if (!ring->count)
		return 0;
	return (ring->tail + ring->count - ring->head) % ring->count / ring->step;
}

/* 10.2.5.1: BSIZE, BSEX, FLXBUF. */
static uint32_t buffer_size(uint32_t rctl)
{
	uint32_t size = 2048u >> E1000E_RCTL_BSIZE(rctl);

	if (E1000E_RCTL_FLX(rctl))
		return E1000E_RCTL_FLX(rctl) * 1024;
	return rctl & E1000E_RCTL_BSEX && E1000E_RCTL_BSIZE(rctl) ? size * 16 : size;
}

/* 10.2.5.2: the first in units of 128 bytes, the others of 1 KiB. */
static void split_sizes(uint32_t psrctl, uint32_t size[BUFFERS])
{
	size[0] = (psrctl & 0x7f) * 128;
	for (unsigned i = 1; i < BUFFERS; i++)
		size[i] = (psrctl >> (8 * i) & 0x3f) * 1024;
}

static uint32_t room_of_one(const struct vdev_e1000e *dev)
{
	uint32_t size[BUFFERS], sum = 0;

	if (!splits(dev))
		return buffer_size(e1000e_get(dev, E1000E_RCTL));
	split_sizes(e1000e_get(dev, E1000E_PSRCTL), size);
	for (unsigned i = 0; i < BUFFERS; i++)
		sum += size[i];
	return sum;
}

/* ---- filters (7.1.1) ---- */

static bool is_tagged(const struct vdev_e1000e *dev, const uint8_t *frame)
{
	return ((uint32_t)frame[12] << 8 | frame[13]) == e1000e_get(dev, E1000E_VET);
}

static bool vlan_passes(const struct vdev_e1000e *dev, const uint8_t *frame, size_t len)
{
	if (!(e1000e_get(dev, E1000E_RCTL) & E1000E_RCTL_VFE) || !is_tagged(dev, frame))
		return true;
	if (len < ETH_HEADER + VLAN_TAG)
		return false;
	unsigned id = (unsigned)(frame[14] & 15) << 8 | frame[15];

	return e1000e_get(dev, E1000E_VFTA + id / 32 * 4) >> id % 32 & 1;
}

static bool exact_match(const struct vdev_e1000e *dev, const uint8_t *frame)
{
	uint32_t low = frame[0] | (uint32_t)frame[1] << 8 | (uint32_t)frame[2] << 16 |
		       (uint32_t)frame[3] << 24;
	uint32_t high = frame[4] | (uint32_t)frame[5] << 8;

	for (unsigned i = 0; i < E1000E_RAR_COUNT; i++) {
		uint32_t rah = e1000e_get(dev, E1000E_RAH + 8 * i);

		if ((rah & E1000E_RAH_VALID) && (rah & 0xffff) == high &&
		    e1000e_get(dev, E1000E_RAL + 8 * i) == low)
			return true;
	}
	return false;
}

/* 10.2.5.20: which twelve bits of the address are the table's index. */
static bool hash_match(const struct vdev_e1000e *dev, const uint8_t *frame)
{
	static const uint8_t shift[] = {4, 3, 2, 0};
	unsigned mo = E1000E_RCTL_MO(e1000e_get(dev, E1000E_RCTL));
	unsigned index = ((unsigned)frame[5] << 8 | frame[4]) >> shift[mo] & 0xfff;

	return e1000e_get(dev, E1000E_MTA + index / 32 * 4) >> index % 32 & 1;
}

static bool address_passes(const struct vdev_e1000e *dev, const uint8_t *frame)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint32_t rctl = e1000e_get(dev, E1000E_RCTL);

	if (!(frame[0] & 1))
		return (rctl & E1000E_RCTL_UPE) || exact_match(dev, frame);
	if (!memcmp(frame, broadcast, sizeof(broadcast)) && (rctl & E1000E_RCTL_BAM))
		return true;
	return (rctl & E1000E_RCTL_MPE) || exact_match(dev, frame) || hash_match(dev, frame);
}

bool vdev_e1000e_accepts(const struct vdev_e1000e *dev, const uint8_t *frame, size_t len)
{
	uint32_t rctl = e1000e_get(dev, E1000E_RCTL);

	if (len < ETH_HEADER || (len > FRAME_LONG && !(rctl & E1000E_RCTL_LPE)))
		return false;
	return vlan_passes(dev, frame, len) && address_passes(dev, frame);
}

/* ---- what is said about a frame ---- */

static struct report judge(const struct vdev_e1000e *dev, const uint8_t *frame, size_t len)
{
	uint32_t rxcsum = e1000e_get(dev, E1000E_RXCSUM);
	struct report r = {.status = E1000E_RXD_DD};
	struct vdev_net_verdict v = vdev_net_verify(frame, len);

	if (v.ipv4 && (rxcsum & E1000E_RXCSUM_IPOFL))
		r.status |= E1000E_RXD_IPCS | (v.ip_good ? 0 : E1000E_RXD_IPE);
	if ((v.tcp || v.udp) && (rxcsum & E1000E_RXCSUM_TUOFL))
		r.status |= E1000E_RXD_TCPCS | (v.udp ? E1000E_RXD_UDPCS : 0) |
			    (v.l4_good ? 0 : E1000E_RXD_TCPE);
	if (!(r.status & (E1000E_RXD_IPCS | E1000E_RXD_TCPCS)))
		r.status |= E1000E_RXD_IXSM;
	return r;
}

/* 7.5.2: takes the tag out of the frame; returns the length that is left. */
static size_t strip(const struct vdev_e1000e *dev, uint8_t *frame, size_t len, struct report *r)
{
	if (!(e1000e_get(dev, E1000E_CTRL) & E1000E_CTRL_VME) || len < ETH_HEADER + VLAN_TAG ||
	    !is_tagged(dev, frame))
		return len;
	r->status |= E1000E_RXD_VP;
	r->tag = (uint16_t)(frame[14] << 8 | frame[15]);
	memmove(frame + 12, frame + 12 + VLAN_TAG, len - 12 - VLAN_TAG);
	return len - VLAN_TAG;
}

/* ---- descriptors ---- */

static void read_buffers(const struct vdev_e1000e *dev, const uint64_t *desc, struct buffers *b)
{
	*b = (struct buffers){.at = {desc[0]}};
	if (!splits(dev)) {
		b->size[0] = buffer_size(e1000e_get(dev, E1000E_RCTL));
		return;
	}
	split_sizes(e1000e_get(dev, E1000E_PSRCTL), b->size);
	for (unsigned i = 1; i < BUFFERS; i++)
		b->at[i] = desc[i];
}

/* Fills the buffers of one descriptor; what the guest gave as an address that is none is lost, as
 * it would be on a bus. Returns how much of the frame is done with. */
static size_t fill(struct vdev_e1000e *dev, struct buffers *b, const uint8_t *bytes, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < BUFFERS && done < len; i++) {
		size_t n = MIN((size_t)b->size[i], len - done);

		if (n && hv_mem_write(dev->vm, b->at[i], bytes + done, n) < 0)
			e1000e_count(dev, E1000E_STATS, 1);
		b->filled[i] = (uint16_t)n;
		done += n;
	}
	return done;
}

/* The status goes last: it is what the driver looks at. */
static void write_back(const struct vdev_e1000e *dev, uint8_t *desc, const struct buffers *b,
		       uint32_t status, uint16_t tag)
{
	uint32_t word[8] = {0};
	bool split = splits(dev);
	unsigned words = split ? 8 : 4, status_at = 2;

	if (split) {
		word[3] = (uint32_t)tag << 16 | b->filled[0];
		word[4] = (uint32_t)b->filled[1] << 16; /* no header was told apart */
		word[5] = (uint32_t)b->filled[3] << 16 | b->filled[2];
		word[2] = status;
	} else if (e1000e_get(dev, E1000E_RFCTL) & E1000E_RFCTL_EXTENDED) {
		word[2] = status;
		word[3] = (uint32_t)tag << 16 | b->filled[0];
	} else {
		memcpy(word, desc, 8); /* the address stays */
		word[2] = b->filled[0];
		word[3] = (status & 0xff) | (status >> 24 << 8) | (uint32_t)tag << 16;
		status_at = 3;
	}
	for (unsigned i = 0; i < words; i++)
		if (i != status_at)
			memcpy(desc + 4 * i, &word[i], 4);
	/* Pairs with the driver's read barrier behind its look at the status. */
	atomic_thread_fence(memory_order_release);
	memcpy(desc + 4 * status_at, &word[status_at], 4);
}

/* The frame fits into the descriptors that are free. */
static void spread(struct vdev_e1000e *dev, struct ring *ring, const uint8_t *frame, size_t len,
		   const struct report *r)
{
	unsigned size = ring->step * E1000E_DESC;
	size_t done = 0;

	while (done < len) {
		uint64_t raw[4] = {0};
		uint8_t *desc =
			hv_mem_ptr(dev->vm, ring->base + (uint64_t)ring->head * E1000E_DESC, size);
		struct buffers b;

		if (!desc)
			return; /* a ring outside of memory: the frame is lost, as on a bus */
		memcpy(raw, desc, size);
		read_buffers(dev, raw, &b);
		done += fill(dev, &b, frame + done, len - done);
		bool last = done == len;
		write_back(dev, desc, &b, last ? r->status | E1000E_RXD_EOP : E1000E_RXD_DD,
			   last ? r->tag : 0);
		ring->head = (ring->head + ring->step) % ring->count;
		e1000e_set(dev, E1000E_RDH, ring->head);
	}
}

enum fate { WAITS, GONE, RECEIVED, RECEIVED_LAST /* few buffers are left */ };

static enum fate deliver(struct vdev_e1000e *dev, uint8_t *frame, size_t len)
{
	struct ring ring = look(dev);
	uint32_t room = room_of_one(dev), rctl = e1000e_get(dev, E1000E_RCTL);
	uint32_t threshold;

	if (!vdev_e1000e_accepts(dev, frame, len))
		return GONE;
	size_t wire = MAX(len, (size_t)FRAME_SHORT);
	size_t tail = rctl & E1000E_RCTL_SECRC ? 0 : FCS;
	if (!ring.count)
		return WAITS;
	if (!room || (wire + tail + room - 1) / room >= ring.count / ring.step) {
		atomic_fetch_add_explicit(&dev->received.drops, 1, memory_order_relaxed);
		return GONE; /* it would never fit */
	}
	if (free_descriptors(&ring) < (wire + tail + room - 1) / room)
		return WAITS;
	memset(frame + len, 0, wire - len);
	struct report r = judge(dev, frame, wire);
	vdev_e1000e_tally(dev, E1000E_GPRC, frame, len);
	len = strip(dev, frame, wire, &r);
	if (tail) {
		uint32_t fcs = vdev_net_fcs(frame, len);

		memcpy(frame + len, &fcs, sizeof(fcs));
	}
	spread(dev, &ring, frame, len + tail, &r);
	atomic_fetch_add_explicit(&dev->received.packets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&dev->received.bytes, len, memory_order_relaxed);
	threshold = ring.count / ring.step >> (1 + E1000E_RCTL_RDMTS(rctl));
	return free_descriptors(&ring) < threshold ? RECEIVED_LAST : RECEIVED;
}

/* ---- the tap ---- */

static void tap_event(void *opaque, uint32_t events)
{
	struct vdev_e1000e *dev = opaque;

	if (!(events & EPOLLIN)) { /* the interface is gone, or down */
		vdev_e1000e_listen(dev, false);
		return;
	}
	pthread_mutex_lock(&dev->data);
	vdev_e1000e_receive(dev);
	pthread_mutex_unlock(&dev->data);
}

void vdev_e1000e_listen(struct vdev_e1000e *dev, bool on)
{
	if (!on) {
		loop_remove(dev->tap_source);
		dev->tap_source = NULL;
	} else if (!dev->tap_source && loop_add(vdev_iothread_loop(dev->thread), dev->tap, EPOLLIN,
						tap_event, dev, &dev->tap_source) < 0) {
		dev->tap_source = NULL;
		log_warn(dev->name, "its tap cannot be watched: nothing is received");
	}
}

/* Room is left behind it for what a frame may grow by: padding and FCS. */
static bool fetch(struct vdev_e1000e *dev)
{
	ssize_t n;

	if (dev->held)
		return true;
	n = read(dev->tap, dev->frame, sizeof(dev->frame) - FRAME_SHORT - FCS);
	dev->held = n > (ssize_t)VDEV_NET_HDR ? (size_t)n - VDEV_NET_HDR : 0;
	return dev->held;
}

/* Frames that come while nobody receives are not kept for later: 7.1.1, RCTL.EN. */
static void waste(struct vdev_e1000e *dev)
{
	dev->held = 0;
	for (unsigned n = 0; n < E1000E_BATCH && fetch(dev); n++)
		dev->held = 0;
}

static uint32_t take_batch(struct vdev_e1000e *dev)
{
	enum fate fate = GONE;
	uint32_t causes = 0;

	for (unsigned n = 0; n < E1000E_BATCH && fate != WAITS && fetch(dev); n++) {
		fate = deliver(dev, dev->frame + VDEV_NET_HDR, dev->held);
		if (fate != WAITS)
			dev->held = 0;
		if (fate >= RECEIVED)
			causes |= E1000E_ICR_RXT0 | E1000E_ICR_RXQ0;
		if (fate == RECEIVED_LAST)
			causes |= E1000E_ICR_RXDMT0;
	}
	return causes;
}

void vdev_e1000e_receive(struct vdev_e1000e *dev)
{
	uint32_t causes;

	atomic_store(&dev->starved, false);
	if (!(e1000e_get(dev, E1000E_RCTL) & E1000E_RCTL_EN) || !atomic_load(&dev->link) ||
	    atomic_load(&dev->loopback)) {
		waste(dev);
		vdev_e1000e_listen(dev, true);
		return;
	}
	causes = take_batch(dev);
	if (dev->held) {
		/* The tail may have moved before the guest could see that we wait. */
		atomic_store(&dev->starved, true);
		causes |= take_batch(dev);
		if (!dev->held)
			atomic_store(&dev->starved, false);
	}
	vdev_e1000e_irq_raise(dev, causes);
	vdev_e1000e_listen(dev, !dev->held);
}

bool vdev_e1000e_loop(struct vdev_e1000e *dev, const uint8_t *bytes, size_t len)
{
	uint8_t frame[E1000E_RX_FRAME];

	if (!(e1000e_get(dev, E1000E_RCTL) & E1000E_RCTL_EN) ||
	    len > sizeof(frame) - FRAME_SHORT - FCS)
		return false;
	memcpy(frame, bytes, len);
	return deliver(dev, frame, len) != WAITS;
}
