/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_bond: several ports that are one: a bond of uplinks.
 *
 * Its members are ports like others, in no bridge while the bond has them. What comes in by one
 * counts as come in by the bond; what goes out by the bond goes out by one of them: by the flow it
 * belongs to, or by the first that works. Which members are in use is one word, written by the
 * control thread, which looks at links and speaks LACP (lacp.h); messages of that protocol go
 * between it and the workers in two rings.
 */
#ifndef NETQUEUE_PORT_BOND_H
#define NETQUEUE_PORT_BOND_H

#include "netqueue/port.h"

/* For workers: frames that came in by `member` of `bond`. Takes those that are not for the switch
 * and returns how many are left, in front. */
unsigned bond_take(struct port *bond, struct port *member, struct rte_mbuf **frames, unsigned count,
		   struct nq_stats *stats);
/* For the control thread, some times a second. */
void bond_tick(struct port *bond);

#endif
