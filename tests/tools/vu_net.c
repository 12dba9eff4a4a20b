/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vu_net: the smallest switch: one vhost-user port and one tap, and what comes out of either goes
 * into the other. For scenarios that need a back-end which can be killed.
 *
 *     vu_net SOCKET TAP [connect]      listens at SOCKET, or connects to it
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/fakes/fake_vhost_user.h"

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header = 12, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) {
		perror(name);
		return -1;
	}
	return fd;
}

int main(int argc, char **argv)
{
	static struct fake_vu vu;

	if (argc < 3) {
		fputs("usage: vu_net SOCKET TAP [connect]\n", stderr);
		return 2;
	}
	fake_vu_init(&vu, FAKE_VU_TAP, argv[1]);
	vu.connects = argc > 3;
	vu.tap = open_tap(argv[2]);
	if (vu.tap < 0)
		return 1;
	fake_vu_start(&vu);
	for (;;)
		pause();
}
