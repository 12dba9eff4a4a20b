/* SPDX-License-Identifier: BSD-3-Clause */
/* security: see security.h. */
#include "netqueue/security.h"

#include <string.h>

#define ETHER	       14
#define TYPE_IP4       0x0800
#define TYPE_ARP       0x0806
#define TYPE_VLAN      0x8100
#define TYPE_IP6       0x86dd
#define TYPE_QINQ      0x88a8
#define ARP_LEN	       28
#define IP4_LEN	       20
#define IP6_LEN	       40
#define NEXT_HOPS      0 /* extension headers, RFC 8200 section 4 */
#define NEXT_ROUTING   43
#define NEXT_OPTIONS   60
#define NEXT_ICMP6     58
#define ND_SOLICIT     135
#define ND_ADVERTISE   136
#define ND_LEN	       24 /* ICMPv6 header, reserved, target */
#define ND_SOURCE_LINK 1
#define ND_TARGET_LINK 2

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static bool mac_ok(const struct nq_security_rules *r, const uint8_t *mac)
{
	for (unsigned i = 0; i < r->mac_count; i++)
		if (!memcmp(r->macs[i], mac, 6))
			return true;
	return !r->mac_count;
}

static bool ip4_ok(const struct nq_security_rules *r, uint32_t ip)
{
	for (unsigned i = 0; i < r->ip4_count; i++)
		if (r->ip4[i] == ip)
			return true;
	return !r->ip4_count;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* fe80::/64 with the modified EUI-64 of `mac`. */
static bool is_link_local_of(const uint8_t ip[16], const uint8_t mac[6])
{
	const uint8_t made[16] = {
		0xfe,	0x80,  [8] = (uint8_t)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3],
		mac[4], mac[5]};
	return !memcmp(ip, made, sizeof(made));
}

static bool ip6_ok(const struct nq_security_rules *r, const uint8_t ip[16])
{
	for (unsigned i = 0; i < r->ip6_count; i++)
		if (!memcmp(r->ip6[i], ip, 16))
			return true;
	for (unsigned i = 0; i < r->mac_count; i++)
		if (is_link_local_of(ip, r->macs[i]))
			return true;
	return !r->ip6_count;
}

static bool arp_ok(const struct nq_security_rules *r, const uint8_t *arp, size_t len)
{
	static const uint8_t ethernet_ip4[6] = {0, 1, 8, 0, 6, 4};

	if (len < ARP_LEN || memcmp(arp, ethernet_ip4, sizeof(ethernet_ip4)))
		return false;
	/* A probe (RFC 5227 section 2.1.1) has the sender 0.0.0.0. */
	uint32_t sender = be32(arp + 14);
	return mac_ok(r, arp + 8) && (!sender || ip4_ok(r, sender));
}

static bool is_dhcp_request(const uint8_t *ip, size_t len)
{
	size_t head = (size_t)(ip[0] & 15) * 4;

	return be32(ip + 12) == 0 && be32(ip + 16) == UINT32_MAX && ip[9] == 17 &&
	       len >= head + 4 && head >= IP4_LEN && be16(ip + head) == 68 &&
	       be16(ip + head + 2) == 67;
}

static bool ip4_frame_ok(const struct nq_security_rules *r, const uint8_t *ip, size_t len)
{
	if (!r->ip4_count)
		return true;
	return len >= IP4_LEN && (ip4_ok(r, be32(ip + 12)) || is_dhcp_request(ip, len));
}

/* The options of a neighbour message: the link-layer address that it announces. */
static bool nd_link_ok(const struct nq_security_rules *r, const uint8_t *option, size_t len,
		       uint8_t kind)
{
	while (len >= 8) {
		size_t size = (size_t)option[1] * 8;

		if (!size || size > len)
			return false;
		if (option[0] == kind && !mac_ok(r, option + 2))
			return false;
		option += size;
		len -= size;
	}
	return len == 0;
}

static bool nd_ok(const struct nq_security_rules *r, const uint8_t *icmp, size_t len)
{
	if (len < 1)
		return false;
	if (icmp[0] == ND_SOLICIT)
		return len >= ND_LEN && nd_link_ok(r, icmp + ND_LEN, len - ND_LEN, ND_SOURCE_LINK);
	if (icmp[0] == ND_ADVERTISE)
		return len >= ND_LEN && ip6_ok(r, icmp + 8) &&
		       nd_link_ok(r, icmp + ND_LEN, len - ND_LEN, ND_TARGET_LINK);
	return true;
}

static bool ip6_frame_ok(const struct nq_security_rules *r, const uint8_t *ip, size_t len)
{
	if (!r->ip6_count && !r->mac_count)
		return true;
	if (len < IP6_LEN || !(is_zero(ip + 8, 16) || ip6_ok(r, ip + 8)))
		return false;
	size_t payload = be16(ip + 4);
	const uint8_t *at = ip + IP6_LEN;
	uint8_t next = ip[6];
	/* Ethernet may pad a short frame: what counts is what the header says. */
	if (payload > len - IP6_LEN)
		return false;
	while (next == NEXT_HOPS || next == NEXT_ROUTING || next == NEXT_OPTIONS) {
		size_t size = payload < 8 ? 8 : ((size_t)at[1] + 1) * 8;

		if (size > payload)
			return false;
		next = at[0];
		at += size;
		payload -= size;
	}
	/* In fragments nobody believes neighbour discovery (RFC 6980). */
	return next != NEXT_ICMP6 || nd_ok(r, at, payload);
}

bool security_allows(const struct nq_security_rules *r, const uint8_t *frame, size_t len)
{
	const uint8_t *payload = frame + ETHER;

	if (len < ETHER || !mac_ok(r, frame + 6))
		return false;
	switch (be16(frame + 12)) {
	case TYPE_ARP:
		return arp_ok(r, payload, len - ETHER);
	case TYPE_IP4:
		return ip4_frame_ok(r, payload, len - ETHER);
	case TYPE_IP6:
		return ip6_frame_ok(r, payload, len - ETHER);
	case TYPE_VLAN:
	case TYPE_QINQ: /* who knows what is inside */
		return !r->ip4_count && !r->ip6_count;
	default:
		return true;
	}
}
