/* SPDX-License-Identifier: BSD-3-Clause */
/* names: what the boundary header names; without DPDK, so that sluice itself can link it. */
#include <string.h>

#include "netqueue/netqueue.h"

const struct nq_port_kind nq_port_kinds[] = {
	{"vhost", "SOCKET", "a guest's virtio NIC, by vhost-user", false},
	{"tap", "INTERFACE", "a network interface of this host, made for it", false},
	{"af_packet", "INTERFACE", "a network interface that is there", false},
	{"af_xdp", "INTERFACE", "the same, by XDP, past the kernel's own stack", false},
	{"memif", "SOCKET[,ID]", "another process, by memory that both share", false},
	{"pci", "ADDRESS", "a NIC, or a virtual function, bound to vfio-pci", false},
	{"bond", "MEMBER,...", "ports that are one, by LACP or without", true},
	{"vtep", "ADDRESS/BITS", "where tunnels end, a station of its bridge", false},
	{"vxlan", "REMOTE,vni=N,local=ADDRESS", "a tunnel to another switch", true},
	{"pcap", "IN,OUT", "frames from one file, and into another (for tests)", false},
	{"null", NULL, "gives empty frames and takes any (for tests)", false},
	{"ring", NULL, "the program's own (for tests)", false},
	{0},
};

static const char *const drop_names[] = {
#define X(id, name, text) name,
	NQ_DROP_LIST(X)
#undef X
};
static const char *const drop_texts[] = {
#define X(id, name, text) text,
	NQ_DROP_LIST(X)
#undef X
};

const char *nq_drop_name(enum nq_drop reason)
{
	return drop_names[reason];
}

const char *nq_drop_text(enum nq_drop reason)
{
	return drop_texts[reason];
}

void nq_port_rules_init(struct nq_port_rules *rules)
{
	memset(rules, 0, sizeof(*rules));
	memset(rules->vlan.allowed, 0xff, sizeof(rules->vlan.allowed));
}
