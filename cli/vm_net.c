/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_net: see vm_net.h. Kernel interface: Documentation/networking/tuntap.rst, rtnetlink(7). */
#include "cli/vm_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netlink/route/link.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rpc.h"

#define TUN_DEV	    "/dev/net/tun"
#define VHOST_DEV   "/dev/vhost-net"
#define DEFAULT_MTU 1500u

/* ---- opening ---- */

/* One more queue of the tap, which is made by the first where it does not exist. */
static int open_queue(const char *subject, const char *tap, bool many, int *fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	if (many)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(request.ifr_name, tap, strnlen(tap, IFNAMSIZ - 1));
	*fd = open(TUN_DEV, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return log_fail(-errno, subject, TUN_DEV " not opened: %m; %s",
				errno == EACCES || errno == EPERM ? "run as root" : "modprobe tun");
	if (!ioctl(*fd, TUNSETIFF, &request))
		return 0;
	int err = -errno;
	io_close(fd);
	return log_fail(err, subject, "tap %s not opened: %s%s", tap, strerror(-err),
			err == -EBUSY ? "; something else has it open" : "");
}

static int open_vhost(const char *subject, const struct net_spec *spec, struct vmm_net *net)
{
	if (spec->e1000e)
		return 0;
	for (unsigned i = 0; i < net->pairs && spec->backend != NET_BACKEND_USER; i++) {
		net->vhost[i] = open(VHOST_DEV, O_RDWR | O_CLOEXEC);
		if (net->vhost[i] >= 0)
			continue;
		if (spec->backend == NET_BACKEND_VHOST || i)
			return log_fail(-errno, subject,
					VHOST_DEV " not opened: %m; modprobe vhost_net, or pass "
						  "backend=user");
		return 0;
	}
	return 0;
}

static int open_queues(const char *subject, bool many, struct vmm_net *net)
{
	int err = 0;

	for (unsigned i = 0; i < net->pairs && !err; i++)
		err = open_queue(subject, net->tap_name, many, &net->tap[i]);
	return err;
}

/* ---- checking ---- */

static int check_existing(const struct sysfs *fs, const char *subject, struct vmm_net *net)
{
	const char *tap = net->tap_name;
	uint64_t flags, mtu;

	if (!sysfs_exists(fs, "class/net/%s", tap))
		return log_fail(
			-ENODEV, subject,
			"there is no interface %s; make it: ip tuntap add %s mode tap%s, or "
			"pass --net tap",
			tap, tap, net->pairs > 1 ? " multi_queue" : "");
	if (sysfs_read_u64(fs, &flags, "class/net/%s/tun_flags", tap) || !(flags & IFF_TAP))
		return log_fail(-EINVAL, subject, "%s is no tap", tap);
	if (net->pairs > 1 && !(flags & IFF_MULTI_QUEUE))
		return log_fail(
			-EINVAL, subject,
			"tap %s has one queue only; make it with: ip tuntap add %s mode tap "
			"multi_queue",
			tap, tap);
	if (!sysfs_read_u64(fs, &mtu, "class/net/%s/mtu", tap))
		net->mtu = (unsigned)mtu;
	return open_queues(subject, flags & IFF_MULTI_QUEUE, net);
}

static int check_new(const struct sysfs *fs, const char *subject, const struct net_spec *spec,
		     struct vmm_net *net)
{
	uint64_t mtu;

	if (access(TUN_DEV, R_OK | W_OK) < 0)
		return log_fail(-errno, subject, TUN_DEV " cannot be opened: %m; %s",
				errno == EACCES ? "run as root" : "modprobe tun");
	if (sysfs_exists(fs, "class/net/%s", net->tap_name))
		return log_fail(-EEXIST, subject,
				"its tap would be %s, which exists already; pass --net tap=%s if "
				"that is meant",
				net->tap_name, net->tap_name);
	if (!spec->bridge[0])
		return 0;
	if (!sysfs_exists(fs, "class/net/%s/bridge", spec->bridge))
		return log_fail(-ENODEV, subject,
				"there is no bridge %s; make it: ip link add %s type bridge",
				spec->bridge, spec->bridge);
	if (!spec->mtu && !sysfs_read_u64(fs, &mtu, "class/net/%s/mtu", spec->bridge))
		net->mtu = (unsigned)mtu;
	return 0;
}

static int check_port(const char *subject, const struct net_spec *spec, struct vmm_net *net)
{
	struct stat st;

	net->socket = strdup(spec->socket);
	net->packed = spec->packed;
	if (!net->socket)
		return -ENOMEM;
	if (spec->server)
		return 0;
	if (stat(spec->socket, &st) < 0)
		return log_fail(
			-errno, subject,
			"vhost-user %s not found: %m; start the switch first, or pass server",
			spec->socket);
	return S_ISSOCK(st.st_mode)
		       ? 0
		       : log_fail(-EINVAL, subject, "vhost-user %s is no socket", spec->socket);
}

int vm_net_check(const struct sysfs *fs, const char *subject, const char *vm, unsigned index,
		 const struct net_spec *spec, struct vmm_net *net)
{
	char name[IFNAMSIZ];

	net_spec_tap(vm, index, name);
	net->tap_name = strdup(spec->tap[0] ? spec->tap : name);
	if (!net->tap_name)
		return -ENOMEM;
	net->pairs = spec->queues;
	net->mtu = spec->mtu ? spec->mtu : DEFAULT_MTU;
	net->standby = spec->standby;
	net->e1000e = spec->e1000e;
	if (spec->has_mac)
		memcpy(net->mac, spec->mac, sizeof(net->mac));
	else
		net_spec_mac(vm, index, net->mac);
	if (spec->socket[0])
		return check_port(subject, spec, net);
	int err =
		spec->tap[0] ? check_existing(fs, subject, net) : check_new(fs, subject, spec, net);
	return err ? err : open_vhost(subject, spec, net);
}

/* ---- making ---- */

/* Up, with its MTU, and in its bridge. */
static int set_up(const char *subject, const struct net_spec *spec, const struct vmm_net *net)
{
	struct nl_sock *socket = nl_socket_alloc();
	struct rtnl_link *link = NULL, *change = rtnl_link_alloc();
	int err = socket && change ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (!err)
		err = rtnl_link_get_kernel(socket, 0, net->tap_name, &link);
	if (!err) {
		rtnl_link_set_flags(change, IFF_UP);
		rtnl_link_set_mtu(change, net->mtu);
		if (spec->bridge[0])
			rtnl_link_set_master(change, (int)if_nametoindex(spec->bridge));
		err = rtnl_link_change(socket, link, change, 0);
	}
	rtnl_link_put(link);
	rtnl_link_put(change);
	nl_socket_free(socket);
	if (err < 0)
		return log_fail(-EIO, subject, "tap %s not set up%s%s: %s", net->tap_name,
				spec->bridge[0] ? " in bridge " : "", spec->bridge,
				nl_geterror(err));
	return 0;
}

/* Where the switch calls; the file stays when the VM ends, for the next one to take over. */
static int listen_at(const char *subject, struct vmm_net *net)
{
	net->listen_fd = rpc_listen(net->socket);
	return net->listen_fd >= 0 ? 0
				   : log_fail(net->listen_fd, subject, "vhost-user %s not made: %s",
					      net->socket, strerror(-net->listen_fd));
}

int vm_net_open(const struct sysfs *fs, const char *subject, const struct net_spec *spec,
		struct vmm_net *net)
{
	if (spec->tap[0])
		return 0; /* since the check */
	if (spec->socket[0])
		return spec->server ? listen_at(subject, net) : 0;
	/* TUNSETIFF would join one that somebody has made since. */
	if (sysfs_exists(fs, "class/net/%s", net->tap_name))
		return log_fail(-EEXIST, subject, "tap %s exists since a moment ago",
				net->tap_name);
	int err = open_queues(subject, net->pairs > 1, net);
	return err ? err : set_up(subject, spec, net);
}
