/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devlink: the card behind a PF, as the kernel's generic netlink family "devlink" shows it: a small
 * switch (eswitch) with one port for the cable, and in switchdev mode one for each VF, which has a
 * *representor*, an interface of the host's that stands for the other end of the VF's wire.
 *
 * What the far end of a VF's port is like (its address, RoCE, …) is the port's *function*; how
 * much it may send is its *rate* object. Documentation/networking/devlink/devlink-port.rst.
 *
 * This is the seam where tests put their own card. Nothing is logged.
 */
#ifndef SRIOV_DEVLINK_H
#define SRIOV_DEVLINK_H

#include "sriov/sriov.h"
#include "sriov/words.h"

/* "pci/0000:01:00.0" */
struct devlink_handle {
	char bus[32], dev[64];
};

/* The card at PCI address `dev`, or the one with a port whose interface is `ifname` ("": none).
 * -ENODEV when there is none. */
int devlink_find(const char *dev, const char *ifname, struct devlink_handle *out);

struct devlink_port {
	uint32_t index;
	int vf; /* -1: the port is no VF's */
	char ifname[SRIOV_NAME];
	struct sriov_attrs attrs; /* of its function and its rate, as far as the driver tells */
};

/* Allocated. */
int devlink_ports(const struct devlink_handle *card, struct devlink_port **out, size_t *count);

/* One of SRIOV_PORT_ADDR, SRIOV_ROCE, SRIOV_MIGRATABLE, SRIOV_IO_EQS, SRIOV_TX_SHARE and
 * SRIOV_TX_MAX. */
int devlink_port_write(const struct devlink_handle *card, uint32_t port, enum sriov_attr attr,
		       const struct sriov_attrs *attrs, char words[NETLINK_WORDS]);

/* -EOPNOTSUPP: the card has no switch. */
int devlink_eswitch_read(const struct devlink_handle *card, enum sriov_eswitch *out);
int devlink_eswitch_write(const struct devlink_handle *card, enum sriov_eswitch mode,
			  char words[NETLINK_WORDS]);

#endif
