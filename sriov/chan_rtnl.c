/* SPDX-License-Identifier: BSD-3-Clause */
/* chan_rtnl: settings that network drivers take over rtnetlink, through the PF's interface. */

#include <errno.h>

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

/* A VF number that no card has. The kernel looks whether the driver has the operation before it
 * calls it (net/core/rtnetlink.c, do_setvfinfo), and the driver looks at the number before it does
 * anything; so the answer tells whether there is such an operation, and nothing changes. */
#define NOBODY 0xfffe

static struct channel_verdict rtnl_probe(const struct sriov *ctx, const struct sriov_pf *pf)
{
	static const struct sriov_attrs sample = {.mac = {2, 0, 0, 0, 0, 1}};
	struct channel_verdict verdict = {0};
	char words[NETLINK_WORDS];
	size_t count;
	const struct sriov_attr_info *table = sriov_attr_table(&count);

	(void)ctx;
	if (!pf->ifname[0])
		return (struct channel_verdict){.cannot = channel_rtnl.bits};
	for (size_t i = 0; i < count; i++) {
		if (!(table[i].bit & channel_rtnl.bits))
			continue;
		int err = netlink_vf_write(pf->ifname, NOBODY, table[i].bit, &sample, words);
		if (err == -EOPNOTSUPP) /* some say this as long as there is no VF at all */
			verdict.cannot |= pf->num_vfs ? table[i].bit : 0;
		else if (err != -EPERM && err != -EACCES)
			verdict.can |= table[i].bit;
	}
	return verdict;
}

const struct channel channel_rtnl = {
	.name = "rtnetlink",
	.speaker = "kernel",
	.bits = SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE | SRIOV_LINK_STATE |
		SRIOV_RSS_QUERY,
	.read = rtnl_read,
	.write = rtnl_write,
	.probe = rtnl_probe,
};
