/* SPDX-License-Identifier: BSD-3-Clause */
/* port_ring: a port whose other end is a function call: what tests put frames in and out by. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_ring.h>

#include "base/log.h"
#include "netqueue/switch.h"

#define RING 1024u

struct ring {
	struct rte_ring *in, *out;
	_Atomic bool down;
};

static void ring_free(struct rte_ring *ring)
{
	void *frame;

	while (ring && !rte_ring_dequeue(ring, &frame))
		rte_pktmbuf_free(frame);
	rte_ring_free(ring);
}

static void ring_close(struct port *port)
{
	struct ring *ring = port->backend;

	ring_free(ring->in);
	ring_free(ring->out);
	free(ring);
}

static struct rte_ring *make(const struct port *port, const char *way)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%.16s-%u%s", port->sw->text, port->id, way);
	return rte_ring_create(name, RING, SOCKET_ID_ANY, 0);
}

static int ring_open(struct port *port)
{
	struct ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return log_fail(-ENOMEM, port->config.name, "no memory");
	port->backend = ring;
	ring->in = make(port, "i");
	ring->out = make(port, "o");
	if (ring->in && ring->out)
		return 0;
	ring_close(port);
	return log_fail(-ENOMEM, port->config.name, "no memory for its rings");
}

static uint16_t ring_rx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count)
{
	struct ring *ring = port->backend;

	(void)queue;
	if (atomic_load_explicit(&ring->down, memory_order_relaxed))
		return 0;
	return (uint16_t)rte_ring_dequeue_burst(ring->in, (void **)frames, count, NULL);
}

/* Frames stay in the ring, so none may be in another port's hands as well. */
static struct rte_mbuf *own(struct port *port, struct rte_mbuf *m)
{
	if (rte_mbuf_refcnt_read(m) == 1)
		return m;
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, port->pool, 0, UINT32_MAX);
	rte_pktmbuf_free(m);
	return copy;
}

static void ring_tx(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		    uint64_t bytes, struct nq_stats *stats)
{
	struct ring *ring = port->backend;
	uint64_t sent = 0;

	(void)queue;
	if (atomic_load_explicit(&ring->down, memory_order_relaxed)) {
		port_drop(frames, count, stats, NQ_DROP_DOWN);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		uint32_t len = frames[i]->pkt_len;
		struct rte_mbuf *m = own(port, frames[i]);

		if (!m) {
			count_drop(stats, NQ_DROP_NO_BUFFER, 1);
			bytes -= len;
		} else if (rte_ring_enqueue(ring->out, m)) {
			bytes -= port_drop(&m, 1, stats, NQ_DROP_FULL);
		} else {
			sent++;
		}
	}
	count_sent(stats, sent, bytes);
}

static unsigned ring_tx_queues(const struct port *port)
{
	(void)port;
	return 1;
}

static void ring_info(const struct port *port, struct nq_port_info *out)
{
	const struct ring *ring = port->backend;

	out->up = !atomic_load(&ring->down);
	out->queues = 1;
	snprintf(out->text, sizeof(out->text), "%u frames wait inside, %u outside",
		 rte_ring_count(ring->in), rte_ring_count(ring->out));
}

const struct port_ops port_ring = {
	.kind = {.name = "ring"},
	.open = ring_open,
	.close = ring_close,
	.rx = ring_rx,
	.tx = ring_tx,
	.tx_queues = ring_tx_queues,
	.info = ring_info,
};

static struct ring *ring_of(struct nq_switch *sw, const char *name)
{
	struct port *port = switch_port(sw, name);

	return port && port->ops == &port_ring ? port->backend : NULL;
}

int nq_ring_link(struct nq_switch *sw, const char *name, bool up)
{
	struct ring *ring = ring_of(sw, name);

	if (!ring)
		return -ENOENT;
	atomic_store(&ring->down, !up);
	return 0;
}

int nq_ring_send(struct nq_switch *sw, const char *name, const void *frame, size_t len)
{
	struct ring *ring = ring_of(sw, name);

	if (!ring)
		return -ENOENT;
	if (len > RTE_MBUF_DEFAULT_DATAROOM)
		return -EMSGSIZE;
	struct rte_mbuf *m = rte_pktmbuf_alloc(sw->pool);
	if (!m)
		return -ENOBUFS;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	if (!rte_ring_enqueue(ring->in, m))
		return 0;
	rte_pktmbuf_free(m);
	return -ENOBUFS;
}

int nq_ring_receive(struct nq_switch *sw, const char *name, void *frame, size_t size)
{
	struct ring *ring = ring_of(sw, name);
	void *found;
	int rc;

	if (!ring)
		return -ENOENT;
	if (rte_ring_dequeue(ring->out, &found))
		return 0;
	struct rte_mbuf *m = found;
	uint32_t len = m->pkt_len;
	if (len > size) {
		rc = -EMSGSIZE;
	} else {
		const void *data = rte_pktmbuf_read(m, 0, len, frame);
		if (data != frame)
			memcpy(frame, data, len);
		rc = (int)len;
	}
	rte_pktmbuf_free(m);
	return rc;
}
