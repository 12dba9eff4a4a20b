/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * channel: a way on which settings of VFs reach a device.
 *
 *     rtnetlink   messages to the PF's network interface          chan_rtnl.c   (netlink.h)
 *     sysfs       sriov_vf_msix_count of the VF                   chan_msix.c
 *     devlink     port functions and rates of the card's switch   chan_devlink.c (devlink.h)
 *     nvme        Virtualization Management commands              chan_nvme.c   (nvme.h)
 *
 * A setting belongs to one channel. A PF may have several channels: a card in switchdev mode is
 * reached by rtnetlink and devlink.
 */
#ifndef SRIOV_CHANNEL_H
#define SRIOV_CHANNEL_H

#include "sriov/context.h"
#include "sriov/netlink.h"

/* Which settings a device can have, found out by asking it. What is in neither is not known: it
 * depends on something that is not there now (a VF, root's rights, switchdev mode). */
struct channel_verdict {
	unsigned can, cannot;
};

struct channel {
	const char *name;
	const char *speaker; /* whose words `words` are: "kernel" */
	unsigned bits;	     /* of enum sriov_attr */
	/* Adds to out[0 .. count-1], with its bit, what the device tells of its VFs. A device
	 * without this channel tells nothing, which is no error. Nothing is logged. */
	int (*read)(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		    size_t count);
	/* Sets one; `words` gets the kernel's own, "" when it said none. Nothing is logged. */
	int (*write)(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
		     enum sriov_attr attr, const struct sriov_attrs *attrs,
		     char words[NETLINK_WORDS]);
	/* Asks without changing anything. */
	struct channel_verdict (*probe)(const struct sriov *ctx, const struct sriov_pf *pf);
};

extern const struct channel channel_rtnl, channel_msix, channel_devlink, channel_nvme;

const struct channel *const *channel_list(size_t *count);
/* The one that `attr` belongs to. */
const struct channel *channel_of(enum sriov_attr attr);

#endif
