/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp_sockets: closes what DPDK's net_af_xdp leaves open.
 *
 * Its driver (seen in 22.11) counts the users of a socket's memory wrongly and never closes the
 * socket, so that the interface's queue stays taken until the process ends. We look which sockets
 * of that family were there before a device was opened, and which after.
 */
#ifndef NETQUEUE_XDP_SOCKETS_H
#define NETQUEUE_XDP_SOCKETS_H

#include <stdint.h>

#define XDP_SOCKETS_FDS 1024

struct xdp_sockets {
	uint64_t open[XDP_SOCKETS_FDS / 64]; /* by descriptor */
};

/* All of this process. */
void xdp_sockets_read(struct xdp_sockets *set);
/* `set` becomes what is open now and is not in `set`. */
void xdp_sockets_new(struct xdp_sockets *set);
/* Those of `set` that are still such sockets. */
void xdp_sockets_close(const struct xdp_sockets *set);

#endif
