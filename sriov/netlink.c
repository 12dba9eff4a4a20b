/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink: see netlink.h. Messages are built and taken apart with libnl; its own VF objects know
 * neither trust nor min/max rate in all versions, and hide the extended ack.
 *
 * Formats: include/uapi/linux/if_link.h (IFLA_VF_*), net/core/rtnetlink.c. Statistics are left out
 * (RTEXT_FILTER_SKIP_STATS), since they make the list overflow its 16-bit length first.
 */
#include "sriov/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>

#include "sriov/nltalk.h"

static struct nl_msg *new_message(int type, const char *ifname, int *err)
{
	struct ifinfomsg head = {.ifi_family = AF_UNSPEC};

	head.ifi_index = (int)if_nametoindex(ifname);
	*err = head.ifi_index ? 0 : -errno;
	if (*err)
		return NULL;
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK);
	if (msg && nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) == 0)
		return msg;
	nlmsg_free(msg);
	*err = -ENOMEM;
	return NULL;
}

/* ---- reading ---- */

struct reading {
	struct sriov_attrs *out;
	size_t count;
	uint8_t *permanent;
};

/* The payload of `attr`, when it is there and long enough. */
static const void *payload(struct nlattr *attr, size_t size)
{
	return attr && (size_t)nla_len(attr) >= size ? nla_data(attr) : NULL;
}

static void take_switches(struct nlattr **tb, struct sriov_attrs *out)
{
	const struct ifla_vf_spoofchk *spoof = payload(tb[IFLA_VF_SPOOFCHK], sizeof(*spoof));
	const struct ifla_vf_trust *trust = payload(tb[IFLA_VF_TRUST], sizeof(*trust));
	const struct ifla_vf_rss_query_en *rss = payload(tb[IFLA_VF_RSS_QUERY_EN], sizeof(*rss));

	/* rtnetlink shows -1 for what the driver does not tell. */
	if (spoof && spoof->setting != UINT32_MAX) {
		out->set |= SRIOV_SPOOF;
		out->spoof_check = spoof->setting;
	}
	if (trust && trust->setting != UINT32_MAX) {
		out->set |= SRIOV_TRUST;
		out->trust = trust->setting;
	}
	if (rss && rss->setting != UINT32_MAX) {
		out->set |= SRIOV_RSS_QUERY;
		out->rss_query = rss->setting;
	}
}

/* The tag: IFLA_VF_VLAN_LIST has it with its protocol, IFLA_VF_VLAN is what old kernels say. */
static void take_vlan(struct nlattr **tb, struct sriov_attrs *out)
{
	const struct ifla_vf_vlan *vlan = payload(tb[IFLA_VF_VLAN], sizeof(*vlan));
	const struct ifla_vf_vlan_info *info = NULL;
	struct nlattr *entry;
	int rest;

	if (!vlan)
		return;
	out->set |= SRIOV_VLAN;
	out->vlan = (uint16_t)vlan->vlan;
	out->qos = (uint8_t)vlan->qos;
	if (!tb[IFLA_VF_VLAN_LIST])
		return;
	nla_for_each_nested(entry, tb[IFLA_VF_VLAN_LIST], rest) if (!info) info =
		payload(entry, sizeof(*info));
	if (info)
		out->vlan_proto = ntohs(info->vlan_proto);
}

static void take_numbers(struct nlattr **tb, struct sriov_attrs *out)
{
	const struct ifla_vf_rate *rate = payload(tb[IFLA_VF_RATE], sizeof(*rate));
	const struct ifla_vf_link_state *link = payload(tb[IFLA_VF_LINK_STATE], sizeof(*link));

	if (link && link->link_state <= SRIOV_LINK_DISABLE) {
		out->set |= SRIOV_LINK_STATE;
		out->link_state = (enum sriov_link_state)link->link_state;
	}
	if (rate) {
		out->set |= SRIOV_RATE;
		out->min_rate = rate->min_tx_rate;
		out->max_rate = rate->max_tx_rate;
	}
}

static void take_vf(struct nlattr *info, const struct reading *r)
{
	struct nlattr *tb[IFLA_VF_MAX + 1];

	if (nla_parse_nested(tb, IFLA_VF_MAX, info, NULL) < 0)
		return;
	const struct ifla_vf_mac *mac = payload(tb[IFLA_VF_MAC], sizeof(*mac));
	if (!mac || mac->vf >= r->count)
		return;
	struct sriov_attrs *out = &r->out[mac->vf];
	memcpy(out->mac, mac->mac, sizeof(out->mac));
	out->set = SRIOV_MAC;
	take_vlan(tb, out);
	take_switches(tb, out);
	take_numbers(tb, out);
}

static void take_link(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[IFLA_MAX + 1], *info;
	struct reading *r = opaque;
	int rest;

	if (hdr->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse(hdr, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0)
		return;
	struct nlattr *address = tb[IFLA_PERM_ADDRESS] ? tb[IFLA_PERM_ADDRESS] : tb[IFLA_ADDRESS];
	if (address && nla_len(address) == 6)
		memcpy(r->permanent, nla_data(address), 6);
	if (!tb[IFLA_VFINFO_LIST])
		return;
	nla_for_each_nested(info, tb[IFLA_VFINFO_LIST], rest) if (nla_type(info) == IFLA_VF_INFO)
		take_vf(info, r);
}

int netlink_vf_read(const char *ifname, struct sriov_attrs *out, size_t count, uint8_t permanent[6])
{
	struct reading reading = {out, count, permanent};
	int err;

	for (size_t i = 0; i < count; i++)
		out[i] = (struct sriov_attrs){0};
	memset(permanent, 0, 6);
	struct nl_msg *msg = new_message(RTM_GETLINK, ifname, &err);
	if (!msg)
		return err;
	if (nla_put_u32(msg, IFLA_EXT_MASK,
			RTEXT_FILTER_SKIP_STATS | (count ? RTEXT_FILTER_VF : 0)) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return nltalk(NETLINK_ROUTE, msg, take_link, &reading, NULL);
}

/* ---- writing ---- */

#define PROTO_Q 0x8100 /* IEEE 802.1Q */

/* The plain attribute carries 802.1Q alone, but every kernel knows it. */
static int put_vlan(struct nl_msg *msg, unsigned index, const struct sriov_attrs *attrs)
{
	struct ifla_vf_vlan plain = {index, attrs->vlan, attrs->qos};
	struct ifla_vf_vlan_info info = {index, attrs->vlan, attrs->qos, htons(attrs->vlan_proto)};

	if (!attrs->vlan_proto || attrs->vlan_proto == PROTO_Q)
		return nla_put(msg, IFLA_VF_VLAN, sizeof(plain), &plain);
	struct nlattr *list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
	int err = list ? nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(info), &info) : -NLE_NOMEM;
	if (!err)
		nla_nest_end(msg, list);
	return err;
}

static int put_attr(struct nl_msg *msg, unsigned index, enum sriov_attr attr,
		    const struct sriov_attrs *attrs)
{
	struct ifla_vf_mac mac = {.vf = index};
	struct ifla_vf_spoofchk spoof = {index, attrs->spoof_check};
	struct ifla_vf_trust trust = {index, attrs->trust};
	struct ifla_vf_rate rate = {index, attrs->min_rate, attrs->max_rate};
	struct ifla_vf_link_state link = {index, attrs->link_state};
	struct ifla_vf_rss_query_en rss = {index, attrs->rss_query};

	switch (attr) {
	case SRIOV_MAC:
		memcpy(mac.mac, attrs->mac, sizeof(attrs->mac));
		return nla_put(msg, IFLA_VF_MAC, sizeof(mac), &mac);
	case SRIOV_VLAN:
		return put_vlan(msg, index, attrs);
	case SRIOV_SPOOF:
		return nla_put(msg, IFLA_VF_SPOOFCHK, sizeof(spoof), &spoof);
	case SRIOV_TRUST:
		return nla_put(msg, IFLA_VF_TRUST, sizeof(trust), &trust);
	case SRIOV_RATE:
		return nla_put(msg, IFLA_VF_RATE, sizeof(rate), &rate);
	case SRIOV_LINK_STATE:
		return nla_put(msg, IFLA_VF_LINK_STATE, sizeof(link), &link);
	case SRIOV_RSS_QUERY:
		return nla_put(msg, IFLA_VF_RSS_QUERY_EN, sizeof(rss), &rss);
	default:
		return -NLE_INVAL; /* another channel's */
	}
}

int netlink_vf_write(const char *ifname, unsigned index, enum sriov_attr attr,
		     const struct sriov_attrs *attrs, char words[NETLINK_WORDS])
{
	int err;

	words[0] = '\0';
	struct nl_msg *msg = new_message(RTM_SETLINK, ifname, &err);
	if (!msg)
		return err;
	struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
	struct nlattr *info = list ? nla_nest_start(msg, IFLA_VF_INFO) : NULL;
	if (!info || put_attr(msg, index, attr, attrs) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nla_nest_end(msg, info);
	nla_nest_end(msg, list);
	return nltalk(NETLINK_ROUTE, msg, NULL, NULL, words);
}
