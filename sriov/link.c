/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link: waiting for a PF's link, by what the kernel tells and not by the clock.
 *
 * The kernel tells every change of an interface to the group RTNLGRP_LINK (rtnetlink(7)). What it
 * tells is not looked at: it is the moment to read the carrier again.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/log.h"
#include "sriov/context.h"
#include "sriov/pf.h"

static int open_events(void)
{
	const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0)
		return fd;
	int err = -errno;
	io_close(&fd);
	return err;
}

static void drain(int fd)
{
	char buffer[8192];

	/* ENOBUFS says that some were lost; one is as good as many. */
	while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == ENOBUFS)
		;
}

int sriov_await_link(struct sriov *ctx, const struct sriov_pf *pf, unsigned ms)
{
	uint64_t end = deadline_now() + (uint64_t)ms * 1000000;
	struct sriov_pf now;
	int fd = open_events(), err;

	if (fd < 0)
		return log_fail(fd, pf_text(pf).text, "changes of its link are not told");
	while (!(err = pf_read(ctx, pf->bdf, &now)) && !(now.ifname[0] && now.link_up)) {
		struct pollfd events = {.fd = fd, .events = POLLIN};
		uint64_t at = deadline_now();
		int n = at < end ? poll(&events, 1, (int)((end - at) / 1000000 + 1)) : 0;
		if (n == 0) {
			err = -ETIMEDOUT;
			break;
		}
		drain(fd);
	}
	io_close(&fd);
	if (err == -ETIMEDOUT)
		return log_fail(err, pf_text(pf).text,
				"has had no link for %u s: `ip link set %s up`, or look at its "
				"cable",
				ms / 1000, pf_text(pf).text);
	return err ? log_fail(err, pf_text(pf).text, "gone while waiting for its link") : 0;
}
