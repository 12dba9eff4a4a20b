/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_tap: see net_tap.h. Kernel interface: Documentation/networking/tuntap.rst and
 * include/uapi/linux/if_tun.h.
 */
#include "vdev/net_tap.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/util.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define BIT(n) (UINT64_C(1) << (n))

static const struct {
	uint64_t feature;
	unsigned flag;
} offload_flags[] = {
	{BIT(VIRTIO_NET_F_GUEST_CSUM), TUN_F_CSUM}, {BIT(VIRTIO_NET_F_GUEST_TSO4), TUN_F_TSO4},
	{BIT(VIRTIO_NET_F_GUEST_TSO6), TUN_F_TSO6}, {BIT(VIRTIO_NET_F_GUEST_ECN), TUN_F_TSO_ECN},
	{BIT(VIRTIO_NET_F_GUEST_UFO), TUN_F_UFO},   {BIT(VIRTIO_NET_F_GUEST_USO4), TUN_F_USO4},
	{BIT(VIRTIO_NET_F_GUEST_USO6), TUN_F_USO6},
};

int vdev_net_tap_offload(int fd, uint64_t offloads)
{
	unsigned long flags = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(offload_flags); i++)
		if (offloads & offload_flags[i].feature)
			flags |= offload_flags[i].flag;
	if (!(flags & TUN_F_CSUM)) /* the kernel refuses the others without it */
		flags = 0;
	return ioctl(fd, TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}

uint64_t vdev_net_tap_features(int fd)
{
	const uint64_t basic = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
			       BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN);
	const uint64_t uso = BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6);
	uint64_t features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			    BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN);

	if (!vdev_net_tap_offload(fd, basic))
		features |= basic;
	if (!vdev_net_tap_offload(fd, basic | BIT(VIRTIO_NET_F_GUEST_UFO)))
		features |= BIT(VIRTIO_NET_F_GUEST_UFO) | BIT(VIRTIO_NET_F_HOST_UFO);
	if (!vdev_net_tap_offload(fd, basic | uso))
		features |= uso | BIT(VIRTIO_NET_F_HOST_USO);
	vdev_net_tap_offload(fd, 0);
	return features;
}

int vdev_net_tap_init(const char *name, const int *fds, unsigned count)
{
	int header = (int)VDEV_NET_HDR;

	if (ioctl(fds[0], TUNSETVNETHDRSZ, &header) < 0 || vdev_net_tap_offload(fds[0], 0) < 0)
		return log_fail(-errno, name, "is no tap that carries virtio's header: %s",
				strerror(errno));
	for (unsigned i = 1; i < count; i++) {
		int err = vdev_net_tap_attach(fds[i], false);

		if (err < 0)
			return log_fail(err, name, "queue %u not detached: %s", i, strerror(-err));
	}
	return 0;
}

int vdev_net_tap_attach(int fd, bool on)
{
	struct ifreq request = {.ifr_flags = (short)(on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE)};

	/* EINVAL: it is as wanted. */
	return ioctl(fd, TUNSETQUEUE, &request) < 0 && errno != EINVAL ? -errno : 0;
}

/* The kernel's filter knows exact addresses, at most eight, and a hash for more multicast ones; no
 * address at all turns it off. */
struct tap_filter {
	uint16_t flags, count;
	uint8_t address[2 + VDEV_NET_UNICASTS + VDEV_NET_MULTICASTS][6];
};

_Static_assert(offsetof(struct tap_filter, count) == offsetof(struct tun_filter, count) &&
		       offsetof(struct tap_filter, address) == sizeof(struct tun_filter),
	       "if_tun.h");

static void add(struct tap_filter *f, const uint8_t *address, unsigned count)
{
	memcpy(f->address[f->count], address, 6 * (size_t)count);
	f->count = (uint16_t)(f->count + count);
}

int vdev_net_tap_filter(int fd, const struct vdev_net_filter *filter)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct tap_filter f = {0};

	if (!filter->promisc && !filter->more_unicasts) {
		add(&f, filter->mac, 1);
		add(&f, filter->unicast[0], filter->unicasts);
		add(&f, broadcast, 1);
		add(&f, filter->multicast[0], filter->multicasts);
		if (filter->allmulti || filter->more_multicasts)
			f.flags = TUN_FLT_ALLMULTI;
	}
	return ioctl(fd, TUNSETTXFILTER, &f) < 0 ? -errno : 0;
}
