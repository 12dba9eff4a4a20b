// SPDX-License-Identifier: BSD-3-Clause
/*
 * portsim: a kernel module of the lab's: a card whose VFs' ports have devlink functions, which the
 * kernel's own simulation (netdevsim) lacks. It has one interface and four ports of VFs, and
 * remembers what it is told. Built against the lab's kernel by lab/fetch.sh; never installed.
 */
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <net/devlink.h>

#define VFS	4
#define MAX_EQS 32

struct portsim_vf {
	struct devlink_port port;
	u8 hw_addr[ETH_ALEN];
	bool roce, migratable;
	u32 max_io_eqs;
};

struct portsim {
	struct devlink_port uplink;
	struct net_device *netdev;
	struct portsim_vf vf[VFS];
};

static struct platform_device *device;
static struct devlink *devlink;

static struct portsim_vf *vf_of(struct devlink_port *port)
{
	return container_of(port, struct portsim_vf, port);
}

static int hw_addr_get(struct devlink_port *port, u8 *addr, int *len, struct netlink_ext_ack *ack)
{
	ether_addr_copy(addr, vf_of(port)->hw_addr);
	*len = ETH_ALEN;
	return 0;
}

static int hw_addr_set(struct devlink_port *port, const u8 *addr, int len,
		       struct netlink_ext_ack *ack)
{
	ether_addr_copy(vf_of(port)->hw_addr, addr);
	return 0;
}

static int roce_get(struct devlink_port *port, bool *on, struct netlink_ext_ack *ack)
{
	*on = vf_of(port)->roce;
	return 0;
}

static int roce_set(struct devlink_port *port, bool on, struct netlink_ext_ack *ack)
{
	vf_of(port)->roce = on;
	return 0;
}

static int migratable_get(struct devlink_port *port, bool *on, struct netlink_ext_ack *ack)
{
	*on = vf_of(port)->migratable;
	return 0;
}

static int migratable_set(struct devlink_port *port, bool on, struct netlink_ext_ack *ack)
{
	vf_of(port)->migratable = on;
	return 0;
}

static int max_io_eqs_get(struct devlink_port *port, u32 *count, struct netlink_ext_ack *ack)
{
	*count = vf_of(port)->max_io_eqs;
	return 0;
}

static int max_io_eqs_set(struct devlink_port *port, u32 count, struct netlink_ext_ack *ack)
{
	if (count > MAX_EQS) {
		NL_SET_ERR_MSG(ack, "portsim: more event queues than the card has");
		return -EINVAL;
	}
	vf_of(port)->max_io_eqs = count;
	return 0;
}

static const struct devlink_port_ops vf_ops = {
	.port_fn_hw_addr_get = hw_addr_get,
	.port_fn_hw_addr_set = hw_addr_set,
	.port_fn_roce_get = roce_get,
	.port_fn_roce_set = roce_set,
	.port_fn_migratable_get = migratable_get,
	.port_fn_migratable_set = migratable_set,
	.port_fn_max_io_eqs_get = max_io_eqs_get,
	.port_fn_max_io_eqs_set = max_io_eqs_set,
};

static const struct devlink_ops card_ops = {};

static netdev_tx_t drop(struct sk_buff *skb, struct net_device *netdev)
{
	dev_kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops netdev_ops = {
	.ndo_start_xmit = drop,
};

static int make_ports(struct portsim *sim)
{
	struct devlink_port_attrs attrs = {.flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL};
	int err;

	devlink_port_attrs_set(&sim->uplink, &attrs);
	err = devl_port_register(devlink, &sim->uplink, 0);
	for (int i = 0; !err && i < VFS; i++) {
		sim->vf[i].roce = true;
		sim->vf[i].max_io_eqs = 8;
		devlink_port_attrs_pci_vf_set(&sim->vf[i].port, 0, 0, i, false);
		err = devl_port_register_with_ops(devlink, &sim->vf[i].port, 1 + i, &vf_ops);
	}
	return err;
}

static int make_netdev(struct portsim *sim)
{
	sim->netdev = alloc_etherdev(0);
	if (!sim->netdev)
		return -ENOMEM;
	sim->netdev->netdev_ops = &netdev_ops;
	eth_hw_addr_random(sim->netdev);
	SET_NETDEV_DEV(sim->netdev, &device->dev);
	SET_NETDEV_DEVLINK_PORT(sim->netdev, &sim->uplink);
	return register_netdev(sim->netdev);
}

static int __init portsim_init(void)
{
	int err;

	device = platform_device_register_simple("portsim", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	devlink = devlink_alloc(&card_ops, sizeof(struct portsim), &device->dev);
	if (!devlink)
		return -ENOMEM;
	devl_lock(devlink);
	err = make_ports(devlink_priv(devlink));
	if (!err)
		devl_register(devlink);
	devl_unlock(devlink);
	return err ? err : make_netdev(devlink_priv(devlink));
}

/* There is no way out: the emulated host ends with its test. */
module_init(portsim_init);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Simulated card with devlink port functions, for the lab");
