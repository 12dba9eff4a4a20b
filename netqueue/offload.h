/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload: frames that guests leave unfinished, and what is done about it for each receiver.
 *
 * A guest that has negotiated it may leave out the checksum of TCP and UDP, and hand over up to
 * 64 KiB of a TCP stream as one frame (virtio 1.2 section 5.1.6.2). rte_vhost notes both in flags
 * of the mbuf; offload_admit checks them against the headers that are really there. What a frame
 * needs then stands in it (RTE_MBUF_F_TX_...), until it leaves: to a guest that has said that it
 * takes such frames as they are, to any other one finished: cut into segments, with checksums.
 * rte_vhost would hand it to either.
 *
 * Cutting is done here and not by rte_gso, which knows no TCP over IPv6 (DPDK 22.11) and leaves the
 * checksums to others.
 */
#ifndef NETQUEUE_OFFLOAD_H
#define NETQUEUE_OFFLOAD_H

#include "netqueue/switch.h"

/* What may be left to do. */
#define OFFLOAD_NEEDS	 (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)
/* A guest may ask for segments of a byte: more of them than this, and it is not served. */
#define OFFLOAD_SEGMENTS 256u

/* Of a frame as rte_vhost gives it, with its tags. False: its headers are not those that what it
 * asks for needs. */
bool offload_admit(struct rte_mbuf *m);

/* How long it is at most once it is finished. */
static inline uint32_t offload_wire_len(const struct rte_mbuf *m)
{
	uint32_t head = (uint32_t)(m->l2_len + m->l3_len + m->l4_len);

	return m->ol_flags & RTE_MBUF_F_TX_TCP_SEG ? head + m->tso_segsz : m->pkt_len;
}

/* Computes the checksum, in place: the frame must be nobody else's. */
void offload_finish(struct rte_mbuf *m);
unsigned offload_segments(const struct rte_mbuf *m);
/* Segment `index`, whose checksum is still to be computed; NULL: no memory. */
struct rte_mbuf *offload_segment(const struct rte_mbuf *m, struct rte_mempool *pool,
				 unsigned index);

/* Frames on their way to one port are given on as its other end can take them (`can`), in stages of
 * at most NQ_BURST. All are taken over. */
typedef void (*offload_send)(struct worker *w, const struct view *view, const struct view_port *out,
			     struct stage *stage);
void offload_stage(struct worker *w, const struct view *view, const struct view_port *out,
		   struct stage *stage, unsigned can, offload_send send);

#endif
