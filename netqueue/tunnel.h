/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tunnel: Ethernet frames of one bridge inside UDP packets of another: VXLAN (RFC 7348).
 *
 * A port of kind "vtep" (VXLAN tunnel end point) is a station of the bridge that leads to the
 * others, the underlay: it has an IPv4 address, answers ARP and ping, and asks by ARP for those
 * that tunnels lead to. A port of kind "vxlan" is one tunnel, in any other bridge: what it sends
 * the vtep sends wrapped, and what the vtep gets for it comes in there unwrapped. Both are polled
 * like other ports and hand frames to each other in rings, so that all rules of either bridge hold.
 *
 * A vtep's table of tunnels belongs to the control thread and is read by workers, who write what
 * they learned by ARP into the tunnel, as single words.
 */
#ifndef NETQUEUE_TUNNEL_H
#define NETQUEUE_TUNNEL_H

#include <stdatomic.h>

#include <rte_ring.h>

#include "netqueue/port.h"

#define VTEP_TUNNELS  64
#define VXLAN_PORT    4789
#define VXLAN_HEADERS 50 /* Ethernet, IPv4, UDP and VXLAN */
#define TUNNEL_RING   1024u

#define HOP_KNOWN (UINT64_C(1) << 63)

struct tunnel {
	struct port *port, *vtep;
	uint32_t remote, next_hop; /* host order */
	uint32_t vni;
	_Atomic uint64_t hop;	   /* the next hop's MAC address, with HOP_KNOWN; 0 */
	_Atomic uint64_t heard_ns; /* when it was last told */
	uint64_t asked_ns;
	struct rte_ring *in;
};

struct vtep {
	uint32_t address, mask, gateway; /* host order; gateway 0: none */
	uint8_t mac[6];
	struct rte_ring *out;
	_Atomic(struct tunnel *) tunnels[VTEP_TUNNELS];
};

/* For workers: puts a frame of ours alone in front of the underlay. False: no room, still the
 * caller's. */
static inline bool vtep_send(struct vtep *vtep, struct rte_mbuf *m)
{
	m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
	return rte_ring_enqueue(vtep->out, m) == 0;
}

/* The frame itself, or a copy where others have it too; NULL: no buffer. Takes it over. */
struct rte_mbuf *tunnel_own(struct port *port, struct rte_mbuf *m);
struct rte_ring *tunnel_ring(const struct port *port);
void tunnel_ring_free(struct rte_ring *ring); /* with what is in it; accepts NULL */

/* ---- the control thread (port_vtep.c) ---- */

/* The vtep named, or the one with that address (host order, `name` NULL). */
struct port *vtep_find(const struct nq_switch *sw, const char *name, uint32_t address);
/* -ENOSPC, -EEXIST (the same tunnel); logged. `remote` must be reachable: -EHOSTUNREACH. */
int vtep_join(struct port *vtep, struct tunnel *tunnel);
/* When it returns no worker knows the tunnel. */
void vtep_leave(struct tunnel *tunnel);
/* Asks who the tunnel's next hop is. */
void vtep_ask(const struct tunnel *tunnel);

/* Some times a second (port_vxlan.c). */
void vxlan_tick(struct port *port);

#endif
