/* SPDX-License-Identifier: BSD-3-Clause */
/* chan_rtnl: settings that network drivers take over rtnetlink, through the PF's interface. */
#include <stdlib.h>
#include <string.h>

#include "sriov/channel.h"

static int rtnl_read(const struct sriov *ctx, const struct sriov_pf *pf, struct sriov_attrs *out,
		     size_t count)
{
	uint8_t permanent[6];

	(void)ctx;
	return pf->ifname[0] ? netlink_vf_read(pf->ifname, out, count, permanent) : 0;
}

static int rtnl_write(const struct sriov *ctx, const struct sriov_pf *pf, unsigned index,
		      enum sriov_attr attr, const struct sriov_attrs *attrs,
		      char words[NETLINK_WORDS])
{
	(void)ctx;
	return netlink_vf_write(pf->ifname, index, attr, attrs, words);
}

const struct channel channel_rtnl = {
	.name = "rtnetlink",
	.bits = SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE | SRIOV_LINK_STATE |
		SRIOV_RSS_QUERY,
	.read = rtnl_read,
	.write = rtnl_write,
};
