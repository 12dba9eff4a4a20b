/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_pair: see net_pair.h.
 *
 * Receiving: a frame is read from the tap as a whole, since nobody knows its length before, and is
 * then spread over as many buffers as it takes (5.1.6.4). When the driver has none left the frame
 * waits, and the tap is not looked at until the driver kicks; meanwhile the kernel's queue fills,
 * and drops. Sending: the header is checked and copied, the frame itself goes from guest memory
 * straight into the kernel.
 *
 * Both work in batches, with one decision about an interrupt at the end of each, and return to the
 * loop in between, so that neither direction starves the other.
 */
#include "vdev/net_pair.h"

#include <errno.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/net_ctrl.h"

#define BATCH	  64u
#define MERGE_MAX 256u /* buffers of one frame: they may be as small as 256 bytes */
/* A segmented packet with its Ethernet and VLAN headers, and the header before it. */
#define FRAME_MAX (VDEV_NET_HDR + ETH_HLEN + 8u + 65536u)
#define IOVS	  VDEV_VIRTQ_IOVS(VDEV_VIRTQ_MAX)

struct vdev_net_pair {
	struct vdev_virtio *dev;
	struct vdev_virtio_queue *rx, *tx;
	int tap;
	struct vdev_iothread *thread;
	struct loop_source *source; /* of the tap; NULL: not listening */
	bool active;
	size_t held; /* bytes of `frame` that wait for buffers */
	struct vdev_net_counts received, sent;
	struct vdev_virtq_chain chain[MERGE_MAX];
	uint32_t filled[MERGE_MAX];
	struct iovec iov[1 + IOVS];
	uint8_t frame[FRAME_MAX];
};

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- the tap ---- */

static void tap_event(void *opaque, uint32_t events);

static void listen(struct vdev_net_pair *p, bool on)
{
	if (!on) {
		loop_remove(p->source);
		p->source = NULL;
	} else if (!p->source && loop_add(vdev_iothread_loop(p->thread), p->tap, EPOLLIN, tap_event,
					  p, &p->source) < 0) {
		p->source = NULL;
		log_warn(p->rx->vq.name, "its tap cannot be watched: nothing is received");
	}
}

/* An error without a frame: the queue was detached from its interface, or that is gone. */
static void tap_event(void *opaque, uint32_t events)
{
	struct vdev_net_pair *p = opaque;

	if (events & EPOLLIN)
		vdev_net_pair_receive(p, p->active);
	else
		listen(p, false);
}

static bool fetch(struct vdev_net_pair *p)
{
	ssize_t n;

	if (p->held)
		return true;
	n = read(p->tap, p->frame, sizeof(p->frame));
	p->held = n > (ssize_t)VDEV_NET_HDR ? (size_t)n : 0;
	return p->held;
}

/* ---- receiving ---- */

/* Where the two bytes of num_buffers lie: the parts of a chain may be of any size. */
static void find_count(const struct vdev_virtq_chain *c, uint8_t *count_at[2])
{
	for (unsigned i = 0; i < 2; i++) {
		size_t at = offsetof(struct virtio_net_hdr_v1, num_buffers) + i;
		const struct iovec *v = c->in;

		while (at >= v->iov_len)
			at -= v++->iov_len;
		count_at[i] = (uint8_t *)v->iov_base + at;
	}
}

/* Takes buffers until the frame fits. Returns how many; 0: the driver has too few now; -EIO: the
 * queue is broken; -EMSGSIZE: it will never fit. */
static int gather(struct vdev_net_pair *p, uint8_t *count_at[2])
{
	unsigned max = vdev_virtio_has(p->dev, VIRTIO_NET_F_MRG_RXBUF) ? MERGE_MAX : 1;
	struct vdev_virtq *q = &p->rx->vq;
	size_t done = 0;
	unsigned n = 0;
	int rc = 1;

	while (done < p->held && n < max) {
		struct vdev_virtq_chain *c = &p->chain[n];

		rc = vdev_virtq_pop(q, p->iov, IOVS, c);
		if (rc <= 0)
			break;
		n++;
		if (c->in_len < VDEV_NET_HDR) {
			vdev_virtq_break(q, "a receive buffer has no room for a header");
			rc = -EIO;
			break;
		}
		if (n == 1)
			find_count(c, count_at);
		p->filled[n - 1] =
			(uint32_t)vdev_iov_write(c->in, c->ins, 0, p->frame + done, p->held - done);
		done += p->filled[n - 1];
	}
	if (done == p->held)
		return (int)n;
	while (n)
		vdev_virtq_unpop(q, &p->chain[--n]);
	return rc > 0 ? -EMSGSIZE : rc;
}

/* 1: the frame is gone, to the driver or to nowhere. 0: it waits. */
static int deliver(struct vdev_net_pair *p)
{
	uint8_t *count_at[2] = {NULL, NULL};
	int n = gather(p, count_at);

	if (n == -EMSGSIZE) {
		add(&p->received.drops, 1);
		p->held = 0;
		return 1;
	}
	if (n <= 0 || !count_at[0] || !count_at[1])
		return n;
	*count_at[0] = (uint8_t)n;
	*count_at[1] = (uint8_t)(n >> 8);
	for (int i = 0; i < n; i++)
		vdev_virtq_fill(&p->rx->vq, &p->chain[i], p->filled[i]);
	vdev_virtq_flush(&p->rx->vq);
	add(&p->received.packets, 1);
	add(&p->received.bytes, p->held - VDEV_NET_HDR);
	p->held = 0;
	return 1;
}

void vdev_net_pair_receive(struct vdev_net_pair *p, bool active)
{
	struct vdev_virtq *q = &p->rx->vq;
	int rc = 1;

	p->active = active && p->rx->enabled;
	if (!p->active) {
		listen(p, false);
		return;
	}
	vdev_virtq_kick_off(q);
	for (unsigned n = 0; n < BATCH && rc > 0 && fetch(p); n++)
		rc = deliver(p);
	vdev_virtq_notify(q);
	if (rc == 0 && vdev_virtq_kick_on(q))
		vdev_virtio_kick_self(p->dev,
				      p->rx->vq.index); /* a buffer came too early for a kick */
	listen(p, rc > 0);
}

/* ---- sending ---- */

static void drop(struct vdev_net_pair *p)
{
	add(&p->sent.drops, 1);
}

static void send_frame(struct vdev_net_pair *p, struct vdev_virtq_chain *c)
{
	uint64_t len = c->out_len - VDEV_NET_HDR;
	struct virtio_net_hdr_v1 header;

	if (c->out_len < VDEV_NET_HDR + ETH_HLEN || c->out_len > FRAME_MAX ||
	    !vdev_net_tx_header(p->dev->features, c->out, c->outs, &header)) {
		drop(p);
		return;
	}
	vdev_iov_skip(&c->out, &c->outs, VDEV_NET_HDR);
	if (c->outs >= IOV_MAX) {
		drop(p);
		return;
	}
	/* pop was given p->iov + 1, so there is always a place before the first part. */
	*--c->out = (struct iovec){.iov_base = &header, .iov_len = VDEV_NET_HDR};
	if (writev(p->tap, c->out, (int)c->outs + 1) < 0) {
		drop(p); /* the interface is down, or the kernel finds fault with the frame */
		return;
	}
	add(&p->sent.packets, 1);
	add(&p->sent.bytes, len);
}

void vdev_net_pair_transmit(struct vdev_net_pair *p)
{
	struct vdev_virtq *q = &p->tx->vq;
	struct vdev_virtq_chain c;

	do {
		unsigned n = 0;

		vdev_virtq_kick_off(q);
		while (n < BATCH && vdev_virtq_pop(q, p->iov + 1, IOVS, &c) > 0) {
			send_frame(p, &c);
			vdev_virtq_push(q, &c, 0);
			n++;
		}
		vdev_virtq_notify(q);
		if (n == BATCH) {
			vdev_virtio_kick_self(p->dev, p->tx->vq.index);
			return;
		}
	} while (vdev_virtq_kick_on(q));
}

/* ---- life ---- */

int vdev_net_pair_create(struct vdev_virtio *dev, unsigned index, int tap,
			 struct vdev_iothread *thread, struct vdev_net_pair **out)
{
	struct vdev_net_pair *p = calloc(1, sizeof(*p));

	if (!p)
		return log_fail(-ENOMEM, dev->fn.name, "no memory for queue pair %u", index);
	p->dev = dev;
	p->rx = &dev->queue[2 * index];
	p->tx = &dev->queue[2 * index + 1];
	p->tap = tap;
	p->thread = thread;
	*out = p;
	return 0;
}

void vdev_net_pair_destroy(struct vdev_net_pair *p)
{
	free(p);
}

void vdev_net_pair_silence(struct vdev_net_pair *p)
{
	listen(p, false);
}

void vdev_net_pair_reset(struct vdev_net_pair *p)
{
	p->held = 0;
}

const struct vdev_net_counts *vdev_net_pair_received(const struct vdev_net_pair *p)
{
	return &p->received;
}

const struct vdev_net_counts *vdev_net_pair_sent(const struct vdev_net_pair *p)
{
	return &p->sent;
}
