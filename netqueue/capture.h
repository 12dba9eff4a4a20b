/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture: frames of one port into a pcapng file, by a thread of its own.
 *
 * Workers put copies into a ring and never wait for the disk: what the ring has no room for is
 * counted as missed. The file (draft-ietf-opsawg-pcapng: sections 4.1 SHB, 4.2 IDB, 4.3 EPB) has
 * one interface, nanoseconds, and tells incoming from outgoing. It ends at its limits.
 */
#ifndef NETQUEUE_CAPTURE_H
#define NETQUEUE_CAPTURE_H

#include "netqueue/port.h"

struct capture;

/* The one that captures `port`, or NULL. */
struct capture *capture_of(const struct nq_switch *sw, const struct port *port);
/* By workers; the frame stays the caller's. */
void capture_offer(struct capture *capture, const struct rte_mbuf *frame, bool outgoing,
		   uint64_t now_ns);
/* Once no worker can reach it. */
void capture_destroy(struct capture *capture); /* accepts NULL */

#endif
