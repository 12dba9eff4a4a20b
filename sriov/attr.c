/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attr: see attr.h.
 *
 * The order of the table is the order of writing. What must be there before a driver binds the VF
 * comes first. MAC and VLAN come before trust: drivers refuse some changes to an untrusted VF, so a
 * MAC is back before trust is taken away. The link comes last, when everything behind it stands.
 */
#include "sriov/attr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"

/* IEEE 802.1Q: identifiers 0 and 4095 are reserved; here 0 stands for none. */
#define VLAN_LAST 4094u
#define QOS_LAST  7u
#define PROTO_Q	  0x8100u /* 802.1Q */
#define PROTO_AD  0x88a8u /* 802.1ad, the outer tag of two */
/* PCIe 6.0 section 7.7.2: the table's size is 11 bits. */
#define MSIX_MAX  2048u

static const struct sriov_attr_info table[] = {
	{.bit = SRIOV_NVME_INTERRUPTS,
	 .name = "nvme-interrupts",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "N",
	 .help = "interrupt vectors of an NVMe VF; the VF is taken offline and online for it"},
	{.bit = SRIOV_NVME_QUEUES,
	 .name = "nvme-queues",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "N",
	 .help = "queue pairs of an NVMe VF, the admin queue counted; 0 takes it offline"},
	{.bit = SRIOV_MSIX,
	 .name = "msix",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "N",
	 .help = "interrupt vectors (MSI-X) of the VF, out of the PF's budget; 0: the default"},
	{.bit = SRIOV_PORT_ADDR,
	 .name = "port-addr",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "ADDRESS",
	 .help = "hardware address of the VF's devlink port function"},
	{.bit = SRIOV_ROCE,
	 .name = "roce",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "on|off",
	 .help = "RDMA over Ethernet in the VF (devlink port function)"},
	{.bit = SRIOV_MIGRATABLE,
	 .name = "migratable",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "on|off",
	 .help = "whether the VF's state can be saved and moved (devlink port function)"},
	{.bit = SRIOV_IO_EQS,
	 .name = "io-eqs",
	 .effect = SRIOV_DISRUPTIVE,
	 .needs_unbound = true,
	 .value = "N",
	 .help = "most event queues of the VF (devlink port function)"},
	{.bit = SRIOV_VLAN,
	 .name = "vlan",
	 .effect = SRIOV_DISRUPTIVE,
	 .value = "ID[,qos=0..7][,proto=802.1q|802.1ad]",
	 .help = "put the VF into a VLAN, which it does not see; 0 for none"},
	{.bit = SRIOV_MAC,
	 .name = "mac",
	 .effect = SRIOV_DISRUPTIVE,
	 .value = "ADDRESS",
	 .help = "its MAC address"},
	{.bit = SRIOV_RATE,
	 .name = "rate",
	 .effect = SRIOV_SAFE,
	 .needs_link = true,
	 .value = "[MIN-]MAX",
	 .help = "send at least MIN and at most MAX Mb/s; 0 for no limit"},
	{.bit = SRIOV_TX_SHARE,
	 .name = "tx-share",
	 .effect = SRIOV_SAFE,
	 .value = "MBPS",
	 .help = "its share of sending, in Mb/s, on a card in switchdev mode (devlink rate)"},
	{.bit = SRIOV_TX_MAX,
	 .name = "tx-max",
	 .effect = SRIOV_SAFE,
	 .value = "MBPS",
	 .help = "send at most so many Mb/s, on a card in switchdev mode (devlink rate)"},
	{.bit = SRIOV_SPOOF,
	 .name = "spoof-check",
	 .effect = SRIOV_SAFE,
	 .value = "on|off",
	 .help = "drop what the VF sends with a MAC address that is not its own"},
	{.bit = SRIOV_RSS_QUERY,
	 .name = "rss-query",
	 .effect = SRIOV_SAFE,
	 .value = "on|off",
	 .help = "let the VF read how the card spreads packets over queues"},
	{.bit = SRIOV_TRUST,
	 .name = "trust",
	 .effect = SRIOV_SAFE,
	 .value = "on|off",
	 .help = "let the VF change its MAC address and receive everything"},
	{.bit = SRIOV_LINK_STATE,
	 .name = "link-state",
	 .effect = SRIOV_DISRUPTIVE,
	 .value = "auto|enable|disable",
	 .help = "the link that the VF sees: the PF's, always up, always down"},
};

static const char *const link_names[] = {
	[SRIOV_LINK_AUTO] = "auto",
	[SRIOV_LINK_ENABLE] = "enable",
	[SRIOV_LINK_DISABLE] = "disable",
};

const struct sriov_attr_info *sriov_attr_table(size_t *count)
{
	*count = ARRAY_SIZE(table);
	return table;
}

const struct sriov_attr_info *attr_info(enum sriov_attr bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].bit == bit)
			return &table[i];
	return NULL;
}

/* ---- fields ---- */

#define SWITCHES (SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RSS_QUERY | SRIOV_ROCE | SRIOV_MIGRATABLE)
#define NUMBERS                                                                          \
	(SRIOV_MSIX | SRIOV_IO_EQS | SRIOV_TX_SHARE | SRIOV_TX_MAX | SRIOV_NVME_QUEUES | \
	 SRIOV_NVME_INTERRUPTS)

/* Of one of SWITCHES, of one of NUMBERS. */
static bool *switch_of(enum sriov_attr bit, struct sriov_attrs *a)
{
	switch (bit) {
	case SRIOV_SPOOF:
		return &a->spoof_check;
	case SRIOV_TRUST:
		return &a->trust;
	case SRIOV_RSS_QUERY:
		return &a->rss_query;
	case SRIOV_ROCE:
		return &a->roce;
	default:
		return &a->migratable;
	}
}

static uint32_t *number_of(enum sriov_attr bit, struct sriov_attrs *a)
{
	switch (bit) {
	case SRIOV_MSIX:
		return &a->msix;
	case SRIOV_IO_EQS:
		return &a->io_eqs;
	case SRIOV_TX_SHARE:
		return &a->tx_share;
	case SRIOV_TX_MAX:
		return &a->tx_max;
	case SRIOV_NVME_QUEUES:
		return &a->nvme_queues;
	default:
		return &a->nvme_interrupts;
	}
}

static uint16_t proto(const struct sriov_attrs *a)
{
	return a->vlan_proto ? a->vlan_proto : PROTO_Q;
}

static bool same_vlan(const struct sriov_attrs *a, const struct sriov_attrs *b)
{
	if (a->vlan != b->vlan || a->qos != b->qos)
		return false;
	return (!a->vlan && !a->qos) || proto(a) == proto(b);
}

bool attr_same(enum sriov_attr bit, const struct sriov_attrs *a, const struct sriov_attrs *b)
{
	struct sriov_attrs x = *a, y = *b;

	if (bit & SWITCHES)
		return *switch_of(bit, &x) == *switch_of(bit, &y);
	if (bit & NUMBERS)
		return *number_of(bit, &x) == *number_of(bit, &y);
	switch (bit) {
	case SRIOV_MAC:
		return !memcmp(a->mac, b->mac, sizeof(a->mac));
	case SRIOV_PORT_ADDR:
		return !memcmp(a->port_addr, b->port_addr, sizeof(a->port_addr));
	case SRIOV_VLAN:
		return same_vlan(a, b);
	case SRIOV_RATE:
		return a->min_rate == b->min_rate && a->max_rate == b->max_rate;
	case SRIOV_LINK_STATE:
		return a->link_state == b->link_state;
	default:
		return false;
	}
}

/* ---- from text ---- */

static int bad(const char *subject, const char *name, const char *value, const char *why)
{
	return log_fail(-EINVAL, subject, "%s '%.40s': %s", name, value, why);
}

static int parse_address(const char *subject, const char *name, const char *value, uint8_t out[6])
{
	int err = parse_mac(value, out);

	if (err == -ERANGE)
		return bad(subject, name, value,
			   "a station's own address is neither multicast nor zero");
	return err ? bad(subject, name, value, "not an address such as 02:00:00:00:00:01") : 0;
}

static int parse_qos(const char *subject, const char *value, struct sriov_attrs *out)
{
	uint32_t qos;

	if (parse_u32(value, 0, QOS_LAST, &qos))
		return bad(subject, "qos", value, "not a priority from 0 to 7");
	out->qos = (uint8_t)qos;
	return 0;
}

static int parse_proto(const char *subject, const char *value, struct sriov_attrs *out)
{
	if (!strcasecmp(value, "802.1q"))
		out->vlan_proto = PROTO_Q;
	else if (!strcasecmp(value, "802.1ad"))
		out->vlan_proto = PROTO_AD;
	else
		return bad(subject, "vlan-proto", value, "neither 802.1q nor 802.1ad");
	return 0;
}

/* "100", "100,qos=3", "100,qos=3,proto=802.1ad" */
static int parse_vlan(const char *subject, const char *value, struct sriov_attrs *out)
{
	char text[SRIOV_ATTR_TEXT], *rest = text;
	uint32_t vlan;

	snprintf(text, sizeof(text), "%s", value);
	const char *id = strsep(&rest, ",");
	if (strlen(value) >= sizeof(text) || parse_u32(id, 0, VLAN_LAST, &vlan))
		return bad(subject, "vlan", value, "not a number from 1 to 4094, or 0 for none");
	out->vlan = (uint16_t)vlan;
	while (rest) {
		const char *part = strsep(&rest, ",");
		int err = !strncmp(part, "qos=", 4) ? parse_qos(subject, part + 4, out)
			  : !strncmp(part, "proto=", 6)
				  ? parse_proto(subject, part + 6, out)
				  : bad(subject, "vlan", value,
					"only qos=0..7 and proto=802.1q|802.1ad may follow the "
					"number");
		if (err)
			return err;
	}
	return 0;
}

static int parse_mbps(const char *subject, const char *name, const char *value, uint32_t *out)
{
	return parse_u32(value, 0, UINT32_MAX, out)
		       ? bad(subject, name, value, "not a number of Mb/s")
		       : 0;
}

/* "1000" or "10-1000" */
static int parse_rate(const char *subject, const char *value, struct sriov_attrs *out)
{
	char text[SRIOV_ATTR_TEXT], *max = text;

	if (snprintf(text, sizeof(text), "%s", value) >= (int)sizeof(text))
		return bad(subject, "rate", value, "not a number of Mb/s");
	const char *min = strchr(text, '-') ? strsep(&max, "-") : "0";
	int err = parse_mbps(subject, "rate", min, &out->min_rate);
	return err ? err : parse_mbps(subject, "rate", max, &out->max_rate);
}

static int parse_switch(const char *subject, const char *name, const char *value, bool *out)
{
	*out = !strcmp(value, "on");
	return *out || !strcmp(value, "off") ? 0 : bad(subject, name, value, "neither on nor off");
}

static int parse_link(const char *subject, const char *value, struct sriov_attrs *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(link_names); i++) {
		if (strcmp(value, link_names[i]))
			continue;
		out->link_state = (enum sriov_link_state)i;
		return 0;
	}
	return bad(subject, "link-state", value, "not one of auto, enable, disable");
}

static int parse_number(const char *subject, const struct sriov_attr_info *info, const char *value,
			struct sriov_attrs *out)
{
	uint32_t max = info->bit == SRIOV_MSIX ? MSIX_MAX : UINT16_MAX;
	char why[48];

	if (info->bit == SRIOV_TX_SHARE || info->bit == SRIOV_TX_MAX)
		return parse_mbps(subject, info->name, value, number_of(info->bit, out));
	snprintf(why, sizeof(why), "not a number from 0 to %u", max);
	return parse_u32(value, 0, max, number_of(info->bit, out))
		       ? bad(subject, info->name, value, why)
		       : 0;
}

/* Settings that are named by a part of theirs. */
static const struct part {
	const char *name;
	enum sriov_attr bit;
} parts[] = {
	{"qos", SRIOV_VLAN},	  {"vlan-proto", SRIOV_VLAN}, {"proto", SRIOV_VLAN},
	{"min-rate", SRIOV_RATE}, {"max-rate", SRIOV_RATE},
};

static int parse_part(const char *subject, const char *name, const char *value,
		      struct sriov_attrs *out)
{
	if (!strcmp(name, "qos"))
		return parse_qos(subject, value, out);
	if (!strcmp(name, "min-rate"))
		return parse_mbps(subject, name, value, &out->min_rate);
	if (!strcmp(name, "max-rate"))
		return parse_mbps(subject, name, value, &out->max_rate);
	return parse_proto(subject, value, out);
}

static int parse_whole(const char *subject, const struct sriov_attr_info *info, const char *value,
		       struct sriov_attrs *out)
{
	if (info->bit & SWITCHES)
		return parse_switch(subject, info->name, value, switch_of(info->bit, out));
	if (info->bit & NUMBERS)
		return parse_number(subject, info, value, out);
	switch (info->bit) {
	case SRIOV_MAC:
		return parse_address(subject, info->name, value, out->mac);
	case SRIOV_PORT_ADDR:
		return parse_address(subject, info->name, value, out->port_addr);
	case SRIOV_VLAN:
		return parse_vlan(subject, value, out);
	case SRIOV_RATE:
		return parse_rate(subject, value, out);
	default:
		return parse_link(subject, value, out);
	}
}

static int unknown(const char *subject, const char *name)
{
	char names[320];
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table) && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
					 table[i].name);
	return log_fail(-EINVAL, subject, "unknown setting '%.30s'; there are %s", name, names);
}

int sriov_attr_parse(const char *subject, const char *name, const char *value,
		     struct sriov_attrs *out)
{
	struct sriov_attrs now = *out;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (strcmp(parts[i].name, name))
			continue;
		int err = parse_part(subject, name, value, &now);
		now.set |= parts[i].bit;
		if (!err)
			*out = now;
		return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].name, name))
			continue;
		int err = parse_whole(subject, &table[i], value, &now);
		now.set |= table[i].bit;
		if (!err)
			*out = now;
		return err;
	}
	return unknown(subject, name);
}

/* ---- to text ---- */

static void format_vlan(const struct sriov_attrs *a, char text[SRIOV_ATTR_TEXT])
{
	char qos[16] = "";

	if (a->qos)
		snprintf(qos, sizeof(qos), ",qos=%u", a->qos);
	snprintf(text, SRIOV_ATTR_TEXT, "%u%s%s", a->vlan, qos,
		 proto(a) == PROTO_AD ? ",proto=802.1ad" : "");
}

const char *sriov_attr_format(enum sriov_attr bit, const struct sriov_attrs *attrs,
			      char text[SRIOV_ATTR_TEXT])
{
	struct sriov_attrs a = *attrs;

	text[0] = '\0';
	if (bit & SWITCHES)
		snprintf(text, SRIOV_ATTR_TEXT, "%s", *switch_of(bit, &a) ? "on" : "off");
	else if (bit & NUMBERS)
		snprintf(text, SRIOV_ATTR_TEXT, "%u", *number_of(bit, &a));
	else if (bit == SRIOV_MAC)
		format_mac(a.mac, text);
	else if (bit == SRIOV_PORT_ADDR)
		format_mac(a.port_addr, text);
	else if (bit == SRIOV_VLAN)
		format_vlan(&a, text);
	else if (bit == SRIOV_RATE && a.min_rate)
		snprintf(text, SRIOV_ATTR_TEXT, "%u-%u", a.min_rate, a.max_rate);
	else if (bit == SRIOV_RATE)
		snprintf(text, SRIOV_ATTR_TEXT, "%u", a.max_rate);
	else if (bit == SRIOV_LINK_STATE && (unsigned)a.link_state < ARRAY_SIZE(link_names))
		snprintf(text, SRIOV_ATTR_TEXT, "%s", link_names[a.link_state]);
	return text;
}

/* ---- sense ---- */

static bool is_station(const uint8_t address[6])
{
	static const uint8_t zero[6];

	return !(address[0] & 1) && memcmp(address, zero, sizeof(zero)) != 0;
}

int sriov_attr_check(const char *subject, const struct sriov_attrs *attrs)
{
	if (((attrs->set & SRIOV_MAC) && !is_station(attrs->mac)) ||
	    ((attrs->set & SRIOV_PORT_ADDR) && !is_station(attrs->port_addr)))
		return log_fail(-EINVAL, subject, "a multicast or zero MAC cannot be a VF's own");
	if ((attrs->set & SRIOV_VLAN) && attrs->vlan > VLAN_LAST)
		return log_fail(-EINVAL, subject, "no such VLAN: %u; 1 to 4094, 0 for none",
				attrs->vlan);
	if ((attrs->set & SRIOV_VLAN) && attrs->qos > QOS_LAST)
		return log_fail(-EINVAL, subject, "no such VLAN priority: %u; 0 to 7", attrs->qos);
	if ((attrs->set & SRIOV_VLAN) && attrs->qos && !attrs->vlan)
		return log_fail(-EINVAL, subject, "qos %u: needs a vlan beside it", attrs->qos);
	if ((attrs->set & SRIOV_VLAN) && proto(attrs) != PROTO_Q && proto(attrs) != PROTO_AD)
		return log_fail(-EINVAL, subject, "no such VLAN protocol: 0x%04x", proto(attrs));
	if ((attrs->set & SRIOV_RATE) && attrs->max_rate && attrs->min_rate > attrs->max_rate)
		return log_fail(-EINVAL, subject, "min rate %u is above max rate %u",
				attrs->min_rate, attrs->max_rate);
	if ((attrs->set & SRIOV_TX_SHARE) && (attrs->set & SRIOV_TX_MAX) && attrs->tx_max &&
	    attrs->tx_share > attrs->tx_max)
		return log_fail(-EINVAL, subject, "tx share %u is above tx max %u", attrs->tx_share,
				attrs->tx_max);
	return 0;
}
