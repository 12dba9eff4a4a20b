/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devlink: see devlink.h.
 *
 * Formats: include/uapi/linux/devlink.h and Documentation/netlink/specs/devlink.yaml. Lists are
 * filtered here, since older kernels send the ports of all cards whatever is asked for.
 */
#include "sriov/devlink.h"

#include <errno.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sriov/nltalk.h"

/* Of later headers than Debian 12's (6.1): enum devlink_port_function_attr. */
#define FN_ATTR_CAPS	   4 /* struct nla_bitfield32; Linux 6.2 */
#define FN_ATTR_MAX_IO_EQS 6 /* u32; Linux 6.9 */
#define FN_ATTR_LAST	   6
#define FN_CAP_ROCE	   (1u << 0)
#define FN_CAP_MIGRATABLE  (1u << 1)

/* The kernel counts bytes a second; cards, and we, millions of bits. */
#define BYTES_PER_MBIT 125000u

/* ---- messages ---- */

static struct nl_msg *new_message(int family, uint8_t command, int flags)
{
	const struct genlmsghdr head = {.cmd = command, .version = DEVLINK_GENL_VERSION};
	struct nl_msg *msg = nlmsg_alloc_simple(family, NLM_F_REQUEST | NLM_F_ACK | flags);

	if (msg && nlmsg_append(msg, (void *)(uintptr_t)&head, sizeof(head), NLMSG_ALIGNTO) == 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int parse(struct nlmsghdr *hdr, struct nlattr **tb, int last)
{
	return nlmsg_parse(hdr, GENL_HDRLEN, tb, last, NULL) < 0 ? -EPROTO : 0;
}

static void take_family(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	int *family = opaque;

	if (!parse(hdr, tb, CTRL_ATTR_MAX) && tb[CTRL_ATTR_FAMILY_ID])
		*family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
}

/* The family's number; -ENODEV in a kernel without devlink. */
static int find_family(void)
{
	struct nl_msg *msg = new_message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	int family = -ENODEV;

	if (!msg)
		return -ENOMEM;
	if (nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, DEVLINK_GENL_NAME) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	int err = nltalk(NETLINK_GENERIC, msg, take_family, &family, NULL);
	return err && err != -ENOENT ? err : family;
}

/* A command to or about one card. */
static struct nl_msg *card_message(const struct devlink_handle *card, uint8_t command, int *err)
{
	int family = find_family();

	*err = family < 0 ? family : -ENOMEM;
	struct nl_msg *msg = family < 0 ? NULL : new_message(family, command, 0);
	if (msg && !nla_put_string(msg, DEVLINK_ATTR_BUS_NAME, card->bus) &&
	    !nla_put_string(msg, DEVLINK_ATTR_DEV_NAME, card->dev))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

/* Everything of one kind, of all cards. */
static int list_all(uint8_t command, nltalk_take *take, void *opaque)
{
	int family = find_family();

	if (family < 0)
		return family;
	struct nl_msg *msg = new_message(family, command, NLM_F_DUMP);
	return msg ? nltalk(NETLINK_GENERIC, msg, take, opaque, NULL) : -ENOMEM;
}

/* ---- cards ---- */

static void take_text(char *out, size_t size, struct nlattr *attr)
{
	out[0] = '\0';
	if (attr)
		nla_strlcpy(out, attr, size);
}

static void take_handle(struct nlattr **tb, struct devlink_handle *out)
{
	take_text(out->bus, sizeof(out->bus), tb[DEVLINK_ATTR_BUS_NAME]);
	take_text(out->dev, sizeof(out->dev), tb[DEVLINK_ATTR_DEV_NAME]);
}

struct search {
	const char *dev, *ifname;
	struct devlink_handle *out;
	bool found;
};

static void look_at_card(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[DEVLINK_ATTR_MAX + 1];
	struct search *search = opaque;
	struct devlink_handle card;

	if (search->found || parse(hdr, tb, DEVLINK_ATTR_MAX))
		return;
	take_handle(tb, &card);
	search->found = !strcmp(card.bus, "pci") && !strcmp(card.dev, search->dev);
	if (search->found)
		*search->out = card;
}

static void look_at_port(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[DEVLINK_ATTR_MAX + 1];
	struct search *search = opaque;

	if (search->found || parse(hdr, tb, DEVLINK_ATTR_MAX) ||
	    !tb[DEVLINK_ATTR_PORT_NETDEV_NAME] ||
	    nla_strcmp(tb[DEVLINK_ATTR_PORT_NETDEV_NAME], search->ifname))
		return;
	take_handle(tb, search->out);
	search->found = true;
}

int devlink_find(const char *dev, const char *ifname, struct devlink_handle *out)
{
	struct search search = {dev, ifname, out, false};
	int err = list_all(DEVLINK_CMD_GET, look_at_card, &search);

	if (!err && !search.found && *ifname)
		err = list_all(DEVLINK_CMD_PORT_GET, look_at_port, &search);
	return err ? err : search.found ? 0 : -ENODEV;
}

/* ---- ports ---- */

struct ports {
	const struct devlink_handle *card;
	struct devlink_port *list;
	size_t count;
	int err;
};

static void take_caps(struct nlattr *attr, struct sriov_attrs *out)
{
	struct nla_bitfield32 caps;

	if (nla_len(attr) < (int)sizeof(caps))
		return;
	memcpy(&caps, nla_data(attr), sizeof(caps));
	if (caps.selector & FN_CAP_ROCE) {
		out->set |= SRIOV_ROCE;
		out->roce = caps.value & FN_CAP_ROCE;
	}
	if (caps.selector & FN_CAP_MIGRATABLE) {
		out->set |= SRIOV_MIGRATABLE;
		out->migratable = caps.value & FN_CAP_MIGRATABLE;
	}
}

static void take_function(struct nlattr *function, struct sriov_attrs *out)
{
	static const uint8_t none[6];
	struct nlattr *tb[FN_ATTR_LAST + 1];

	if (!function || nla_parse_nested(tb, FN_ATTR_LAST, function, NULL) < 0)
		return;
	struct nlattr *address = tb[DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR];
	/* Zero is how cards say that nobody gave it one. */
	if (address && nla_len(address) == 6 && memcmp(nla_data(address), none, 6)) {
		out->set |= SRIOV_PORT_ADDR;
		memcpy(out->port_addr, nla_data(address), 6);
	}
	if (tb[FN_ATTR_CAPS])
		take_caps(tb[FN_ATTR_CAPS], out);
	if (tb[FN_ATTR_MAX_IO_EQS] && nla_len(tb[FN_ATTR_MAX_IO_EQS]) >= 4) {
		out->set |= SRIOV_IO_EQS;
		out->io_eqs = nla_get_u32(tb[FN_ATTR_MAX_IO_EQS]);
	}
}

static bool is_ours(struct nlattr **tb, const struct devlink_handle *card)
{
	struct devlink_handle handle;

	take_handle(tb, &handle);
	return !strcmp(handle.bus, card->bus) && !strcmp(handle.dev, card->dev);
}

static void take_port(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[DEVLINK_ATTR_MAX + 1];
	struct ports *ports = opaque;
	struct devlink_port port = {.vf = -1};

	if (ports->err || parse(hdr, tb, DEVLINK_ATTR_MAX) || !is_ours(tb, ports->card) ||
	    !tb[DEVLINK_ATTR_PORT_INDEX])
		return;
	port.index = nla_get_u32(tb[DEVLINK_ATTR_PORT_INDEX]);
	if (tb[DEVLINK_ATTR_PORT_FLAVOUR] && tb[DEVLINK_ATTR_PORT_PCI_VF_NUMBER] &&
	    nla_get_u16(tb[DEVLINK_ATTR_PORT_FLAVOUR]) == DEVLINK_PORT_FLAVOUR_PCI_VF)
		port.vf = nla_get_u16(tb[DEVLINK_ATTR_PORT_PCI_VF_NUMBER]);
	take_text(port.ifname, sizeof(port.ifname), tb[DEVLINK_ATTR_PORT_NETDEV_NAME]);
	take_function(tb[DEVLINK_ATTR_PORT_FUNCTION], &port.attrs);
	struct devlink_port *list = realloc(ports->list, (ports->count + 1) * sizeof(*ports->list));
	if (!list) {
		ports->err = -ENOMEM;
		return;
	}
	ports->list = list;
	ports->list[ports->count++] = port;
}

static uint32_t to_mbit(struct nlattr *attr)
{
	uint64_t mbit = nla_get_u64(attr) / BYTES_PER_MBIT;

	return mbit > UINT32_MAX ? UINT32_MAX : (uint32_t)mbit;
}

/* Nodes of the tree of rates have names; leaves have ports. */
static void take_rate(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[DEVLINK_ATTR_MAX + 1];
	struct ports *ports = opaque;

	if (parse(hdr, tb, DEVLINK_ATTR_MAX) || !is_ours(tb, ports->card) ||
	    !tb[DEVLINK_ATTR_PORT_INDEX])
		return;
	for (size_t i = 0; i < ports->count; i++) {
		struct sriov_attrs *attrs = &ports->list[i].attrs;
		if (ports->list[i].index != nla_get_u32(tb[DEVLINK_ATTR_PORT_INDEX]))
			continue;
		if (tb[DEVLINK_ATTR_RATE_TX_SHARE]) {
			attrs->set |= SRIOV_TX_SHARE;
			attrs->tx_share = to_mbit(tb[DEVLINK_ATTR_RATE_TX_SHARE]);
		}
		if (tb[DEVLINK_ATTR_RATE_TX_MAX]) {
			attrs->set |= SRIOV_TX_MAX;
			attrs->tx_max = to_mbit(tb[DEVLINK_ATTR_RATE_TX_MAX]);
		}
	}
}

int devlink_ports(const struct devlink_handle *card, struct devlink_port **out, size_t *count)
{
	struct ports ports = {.card = card};
	int err = list_all(DEVLINK_CMD_PORT_GET, take_port, &ports);

	if (!err)
		err = ports.err;
	if (!err)
		list_all(DEVLINK_CMD_RATE_GET, take_rate, &ports); /* unknown before Linux 5.14 */
	if (err) {
		free(ports.list);
		return err;
	}
	*out = ports.list;
	*count = ports.count;
	return 0;
}

static int put_caps(struct nl_msg *msg, uint32_t cap, bool on)
{
	const struct nla_bitfield32 caps = {on ? cap : 0, cap};

	return nla_put(msg, FN_ATTR_CAPS, sizeof(caps), &caps);
}

static int put_function(struct nl_msg *msg, enum sriov_attr attr, const struct sriov_attrs *attrs)
{
	struct nlattr *nest = nla_nest_start(msg, DEVLINK_ATTR_PORT_FUNCTION | NLA_F_NESTED);
	int err = nest ? 0 : -NLE_NOMEM;

	if (!err && attr == SRIOV_PORT_ADDR)
		err = nla_put(msg, DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR, 6, attrs->port_addr);
	else if (!err && attr == SRIOV_ROCE)
		err = put_caps(msg, FN_CAP_ROCE, attrs->roce);
	else if (!err && attr == SRIOV_MIGRATABLE)
		err = put_caps(msg, FN_CAP_MIGRATABLE, attrs->migratable);
	else if (!err)
		err = nla_put_u32(msg, FN_ATTR_MAX_IO_EQS, attrs->io_eqs);
	if (!err)
		nla_nest_end(msg, nest);
	return err;
}

static int put_rate(struct nl_msg *msg, enum sriov_attr attr, const struct sriov_attrs *attrs)
{
	if (attr == SRIOV_TX_SHARE)
		return nla_put_u64(msg, DEVLINK_ATTR_RATE_TX_SHARE,
				   (uint64_t)attrs->tx_share * BYTES_PER_MBIT);
	return nla_put_u64(msg, DEVLINK_ATTR_RATE_TX_MAX, (uint64_t)attrs->tx_max * BYTES_PER_MBIT);
}

int devlink_port_write(const struct devlink_handle *card, uint32_t port, enum sriov_attr attr,
		       const struct sriov_attrs *attrs, char words[NETLINK_WORDS])
{
	bool rate = attr & (SRIOV_TX_SHARE | SRIOV_TX_MAX);
	int err;

	words[0] = '\0';
	struct nl_msg *msg =
		card_message(card, rate ? DEVLINK_CMD_RATE_SET : DEVLINK_CMD_PORT_SET, &err);
	if (!msg)
		return err;
	if (nla_put_u32(msg, DEVLINK_ATTR_PORT_INDEX, port) ||
	    (rate ? put_rate(msg, attr, attrs) : put_function(msg, attr, attrs))) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return nltalk(NETLINK_GENERIC, msg, NULL, NULL, words);
}

/* ---- the switch ---- */

static void take_mode(struct nlmsghdr *hdr, void *opaque)
{
	struct nlattr *tb[DEVLINK_ATTR_MAX + 1];
	int *mode = opaque;

	if (!parse(hdr, tb, DEVLINK_ATTR_MAX) && tb[DEVLINK_ATTR_ESWITCH_MODE])
		*mode = nla_get_u16(tb[DEVLINK_ATTR_ESWITCH_MODE]);
}

int devlink_eswitch_read(const struct devlink_handle *card, enum sriov_eswitch *out)
{
	int err, mode = -1;
	struct nl_msg *msg = card_message(card, DEVLINK_CMD_ESWITCH_GET, &err);

	if (!msg)
		return err;
	err = nltalk(NETLINK_GENERIC, msg, take_mode, &mode, NULL);
	if (err)
		return err;
	if (mode != DEVLINK_ESWITCH_MODE_LEGACY && mode != DEVLINK_ESWITCH_MODE_SWITCHDEV)
		return -EPROTO;
	*out = mode == DEVLINK_ESWITCH_MODE_SWITCHDEV ? SRIOV_ESWITCH_SWITCHDEV
						      : SRIOV_ESWITCH_LEGACY;
	return 0;
}

int devlink_eswitch_write(const struct devlink_handle *card, enum sriov_eswitch mode,
			  char words[NETLINK_WORDS])
{
	int err;

	words[0] = '\0';
	struct nl_msg *msg = card_message(card, DEVLINK_CMD_ESWITCH_SET, &err);
	if (!msg)
		return err;
	if (nla_put_u16(msg, DEVLINK_ATTR_ESWITCH_MODE,
			mode == SRIOV_ESWITCH_SWITCHDEV ? DEVLINK_ESWITCH_MODE_SWITCHDEV
							: DEVLINK_ESWITCH_MODE_LEGACY)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return nltalk(NETLINK_GENERIC, msg, NULL, NULL, words);
}
