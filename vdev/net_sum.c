/* SPDX-License-Identifier: BSD-3-Clause */
/* net_sum: see net_sum.h. Header layouts: RFC 791, RFC 8200, RFC 9293, RFC 768. */
#include "vdev/net_sum.h"

#include <netinet/in.h>
#include <string.h>

#define ETH_HEADER  14u
#define VLAN_TAG    4u
#define TYPE_IPV4   0x0800u
#define TYPE_IPV6   0x86ddu
#define TYPE_VLAN   0x8100u
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define FRAGMENT    0x3fffu /* more fragments, or an offset */

static unsigned word(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

uint64_t vdev_net_sum(const void *bytes, size_t len, uint64_t sum)
{
	const uint8_t *at = bytes;

	for (; len >= 4; at += 4, len -= 4)
		sum += (uint64_t)word(at) + word(at + 2);
	if (len >= 2)
		sum += word(at);
	if (len & 1)
		sum += (uint64_t)at[len & 2] << 8;
	return sum;
}

uint16_t vdev_net_sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* `addresses`: of the pseudo header, `size` bytes. */
static void verify_l4(struct vdev_net_verdict *v, const uint8_t *l4, size_t len, uint8_t protocol,
		      const uint8_t *addresses, size_t size)
{
	v->tcp = protocol == IPPROTO_TCP && len >= 20;
	v->udp = protocol == IPPROTO_UDP && len >= 8 && word(l4 + 4) == len;
	if (v->udp && !word(l4 + 6)) {
		v->udp = false; /* the sender gave none */
		return;
	}
	if (v->tcp || v->udp)
		v->l4_good =
			vdev_net_sum_fold(vdev_net_sum(
				l4, len, vdev_net_sum(addresses, size, protocol + len))) == 0xffff;
}

static void verify_ipv4(struct vdev_net_verdict *v, const uint8_t *ip, size_t len)
{
	size_t header = (ip[0] & 15u) * 4, total;

	if (ip[0] >> 4 != 4 || header < IPV4_HEADER || header > len)
		return;
	v->ipv4 = true;
	v->ip_good = vdev_net_sum_fold(vdev_net_sum(ip, header, 0)) == 0xffff;
	total = word(ip + 2);
	if (total < header || total > len || (word(ip + 6) & FRAGMENT))
		return;
	verify_l4(v, ip + header, total - header, ip[9], ip + 12, 8);
}

static void verify_ipv6(struct vdev_net_verdict *v, const uint8_t *ip, size_t len)
{
	size_t payload = word(ip + 4);

	if (ip[0] >> 4 == 6 && payload <= len - IPV6_HEADER)
		verify_l4(v, ip + IPV6_HEADER, payload, ip[6], ip + 8, 32);
}

struct vdev_net_verdict vdev_net_verify(const uint8_t *frame, size_t len)
{
	struct vdev_net_verdict v = {0};
	size_t at = ETH_HEADER;

	if (len < ETH_HEADER + VLAN_TAG)
		return v;
	if (word(frame + 12) == TYPE_VLAN)
		at += VLAN_TAG;
	if (word(frame + at - 2) == TYPE_IPV4 && len >= at + IPV4_HEADER)
		verify_ipv4(&v, frame + at, len - at);
	else if (word(frame + at - 2) == TYPE_IPV6 && len >= at + IPV6_HEADER)
		verify_ipv6(&v, frame + at, len - at);
	return v;
}

uint32_t vdev_net_fcs(const uint8_t *frame, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= frame[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}
