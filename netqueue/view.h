/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view: everything that workers read about bridges and ports, as one immutable picture.
 *
 * The control thread builds a new one for every change, publishes it and waits until each worker
 * has said, once, that it holds nothing (rte_rcu_qsbr); then the old one goes, and with it the
 * ports that the new one no longer has.
 */
#ifndef NETQUEUE_VIEW_H
#define NETQUEUE_VIEW_H

#include "netqueue/limit.h"
#include "netqueue/port.h"

#define VIEW_NO_BRIDGE UINT8_MAX

struct capture;

/* A port as workers see it. */
struct view_port {
	struct port *port;
	uint16_t id, mirror, bond;
	uint8_t bridge; /* VIEW_NO_BRIDGE: others' frames are mirrored to it */
	bool aside;	/* what comes in is not simply switched */
	bool checks;	/* security or a limit holds: off the fast path */
	uint16_t tx_queues;
	uint32_t max_frame; /* with two tags */
	struct limit limits[LIMITS];
	struct capture *capture;
	struct nq_port_rules rules;
};

struct view_bridge {
	uint16_t count;
	uint16_t ports[NQ_PORTS];
};

struct view_poll {
	const struct view_port *port;
	uint16_t queue;
};

struct view {
	struct view_port *ports[NQ_PORTS];
	struct view_bridge bridges[NQ_BRIDGES];
	unsigned poll_count[NQ_WORKERS];
	struct view_poll *polls[NQ_WORKERS];
};

/* -ENOMEM */
int view_build(const struct nq_switch *sw, struct view **out);
void view_free(struct view *view); /* accepts NULL */

static inline bool vlan_allowed(const struct nq_vlan_rules *rules, uint16_t vlan)
{
	return rules->mode == NQ_VLAN_TRUNK ? rules->allowed[vlan / 64] >> (vlan % 64) & 1
					    : rules->vlan == vlan;
}

/* Whether frames of `vlan` leave with a tag. */
static inline bool vlan_tagged(const struct nq_vlan_rules *rules, uint16_t vlan)
{
	return rules->mode == NQ_VLAN_TRUNK && vlan &&
	       (vlan != rules->vlan || rules->native_tagged);
}

#endif
