/* SPDX-License-Identifier: BSD-3-Clause */
/* xdp_sockets: see xdp_sockets.h. */
#include "netqueue/xdp_sockets.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

static bool is_xdp(int fd)
{
	int family = 0;
	socklen_t len = sizeof(family);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == AF_XDP;
}

static bool has(const struct xdp_sockets *set, int fd)
{
	return set->open[fd / 64] >> (fd % 64) & 1;
}

void xdp_sockets_read(struct xdp_sockets *set)
{
	memset(set, 0, sizeof(*set));
	for (int fd = 0; fd < XDP_SOCKETS_FDS; fd++)
		if (is_xdp(fd))
			set->open[fd / 64] |= UINT64_C(1) << (fd % 64);
}

void xdp_sockets_new(struct xdp_sockets *set)
{
	struct xdp_sockets before = *set;

	xdp_sockets_read(set);
	for (unsigned i = 0; i < XDP_SOCKETS_FDS / 64; i++)
		set->open[i] &= ~before.open[i];
}

void xdp_sockets_close(const struct xdp_sockets *set)
{
	for (int fd = 0; fd < XDP_SOCKETS_FDS; fd++)
		if (has(set, fd) && is_xdp(fd))
			close(fd);
}
