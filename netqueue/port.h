/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port: one end of the switch, and the table of functions behind its kind.
 *
 * A port belongs to the control thread, which opens and closes it; workers reach it only through
 * the view (view.h), so that it is closed when none of them can hold it any more. What workers
 * write are counters, one set for each worker, and the limits' clocks (limit.h), which they share.
 */
#ifndef NETQUEUE_PORT_H
#define NETQUEUE_PORT_H

#include <stdatomic.h>

#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "netqueue/limit.h"
#include "netqueue/netqueue.h"

#define NQ_BURST   32
#define NQ_NO_PORT UINT16_MAX

struct port;

struct port_ops {
	struct nq_port_kind kind;
	int (*open)(struct port *port); /* logs its failure */
	void (*close)(struct port *port);
	/* For workers: up to NQ_BURST frames. */
	uint16_t (*rx)(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count);
	/* Takes all `count` frames (`bytes` in all) over, and counts what became of them. */
	void (*tx)(struct port *port, unsigned queue, struct rte_mbuf **frames, uint16_t count,
		   uint64_t bytes, struct nq_stats *stats);
	/* Whether there is something to be had from this queue; NULL: always. */
	bool (*live)(const struct port *port, unsigned queue);
	/* Queues to send by, at least one; changes only before port_changed(). */
	unsigned (*tx_queues)(const struct port *port);
	/* After port_changed(), on the control thread; NULL: nothing to do. */
	void (*event)(struct port *port);
	void (*info)(const struct port *port, struct nq_port_info *out);
};

struct port_counters {
	struct nq_stats stats;
} __attribute__((aligned(64)));

struct port {
	struct nq_switch *sw;
	struct rte_mempool *pool;
	uint16_t id;
	uint8_t bridge;
	uint16_t mirror;  /* NQ_NO_PORT */
	uint16_t mirrors; /* how many ports are mirrored to this one */
	uint16_t bond;	  /* that it is a member of; NQ_NO_PORT */
	uint8_t bond_index;
	uint16_t tunnels;	      /* that end here */
	struct nq_port_config config; /* kind and where: our own copies */
	const struct port_ops *ops;
	void *backend;
	struct limit_clock clocks[LIMITS];
	struct port_counters counters[NQ_WORKERS];
};

extern const struct port_ops port_ring, port_vhost, port_null, port_pcap, port_tap, port_af_packet,
	port_af_xdp, port_memif, port_pci, port_bond, port_vtep, port_vxlan;

/* -EINVAL, logged: no such kind. */
int port_create(struct nq_switch *sw, struct rte_mempool *pool, uint16_t id,
		const struct nq_port_config *config, struct port **out);
void port_destroy(struct port *port); /* accepts NULL */

/* From any thread: the other end came, went or changed its queues. */
void port_changed(struct port *port);
/* From any thread but a worker: until no worker is where it was when this was called. */
void port_quiesce(struct port *port);

/* ---- counting, by one worker ---- */

static inline void count_add(uint64_t *counter, uint64_t by)
{
	__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

static inline void count_drop(struct nq_stats *stats, enum nq_drop reason, uint64_t by)
{
	count_add(&stats->drops[reason], by);
}

static inline void count_sent(struct nq_stats *stats, uint64_t packets, uint64_t bytes)
{
	if (!packets)
		return;
	count_add(&stats->tx_packets, packets);
	count_add(&stats->tx_bytes, bytes);
}

/* Frees them; returns their bytes. */
uint64_t port_drop(struct rte_mbuf **frames, unsigned count, struct nq_stats *stats,
		   enum nq_drop reason);

#endif
