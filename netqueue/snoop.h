/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snoop: which ports want which multicast group, heard from what their stations say (IGMP versions
 * 1 to 3, RFC 1112, 2236, 3376; MLD versions 1 and 2, RFC 2710, 3810), as RFC 4541 has it.
 *
 * Workers only read messages: what they say goes into a ring (bounded; what has no room is
 * counted), and the control thread keeps the table and has a copy of it put into the view. A group
 * is told by its IP address, bridge and VLAN. Where no router asks, nobody repeats what he wants,
 * so that nothing would be known for long: there everything is flooded, as is what nobody has asked
 * for. Reports go to routers only.
 */
#ifndef NETQUEUE_SNOOP_H
#define NETQUEUE_SNOOP_H

#include "netqueue/port.h"

#define SNOOP_MEMBERS	4096u /* of all groups, in all bridges */
#define SNOOP_PER_PORT	256u
#define SNOOP_MEMBER_S	260u /* RFC 3376 section 8.4: group membership interval */
#define SNOOP_ROUTER_S	255u /* section 8.5: other querier present interval */
#define SNOOP_LEAVING_S 2u   /* section 8.8: last member query time */

struct snoop;
struct snoop_view;
struct view_port;

int snoop_create(struct nq_switch *sw, struct snoop **out); /* -ENOMEM */
void snoop_destroy(struct snoop *snoop);		    /* accepts NULL */

/* ---- by workers ---- */

/* Where a frame to a group goes: NULL, to all; else a bit for each port (NQ_PORTS of them), in
 * `targets` or in the view. What the frame says, if it is one of the protocols', is noted. */
const uint64_t *snoop_frame(struct snoop *snoop, const struct snoop_view *view,
			    const struct view_port *in, const struct rte_mbuf *m,
			    uint64_t targets[NQ_PORTS / 64]);

/* ---- by the control thread ---- */

/* Whether something was heard that workers must know of. */
bool snoop_heard(struct snoop *snoop, uint32_t now_s);
bool snoop_sweep(struct snoop *snoop, uint32_t now_s);
void snoop_forget_port(struct snoop *snoop, uint16_t port);
void snoop_forget_bridge(struct snoop *snoop, uint8_t bridge);
int snoop_view_build(const struct snoop *snoop, struct snoop_view **out);
void snoop_view_free(struct snoop_view *view); /* accepts NULL */
int snoop_list(const struct snoop *snoop, uint32_t now_s, struct nq_group **out, size_t *count);
/* Refused for want of room; not heard for want of time. */
void snoop_counts(const struct snoop *snoop, uint64_t *refused, uint64_t *missed);

#endif
