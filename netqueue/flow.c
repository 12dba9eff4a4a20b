/* SPDX-License-Identifier: BSD-3-Clause */
/* flow: see flow.h. */
#include "netqueue/flow.h"

#include <stdbool.h>
#include <string.h>

#include <rte_hash_crc.h>

#define ETHER	  14
#define TAG	  4
#define IP4_LEN	  20
#define IP6_LEN	  40
#define TYPE_IP4  0x0800
#define TYPE_VLAN 0x8100
#define TYPE_IP6  0x86dd

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Of at most 32 bytes, from anywhere: the library's own loads want to be aligned. */
static uint32_t mix(const uint8_t *bytes, uint32_t len, uint32_t seed)
{
	uint64_t copy[4] = {0};

	memcpy(copy, bytes, len);
	return rte_hash_crc(copy, len, seed);
}

static bool has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 132; /* TCP, UDP, SCTP */
}

/* RFC 791 section 3.1 */
static uint32_t hash_ip4(const uint8_t *ip, size_t len)
{
	size_t head = (size_t)(ip[0] & 15) * 4;
	bool fragment = be16(ip + 6) & 0x3fff; /* more to come, or not the first */
	uint32_t hash = mix(ip + 12, 8, ip[9]);

	if (!fragment && has_ports(ip[9]) && head >= IP4_LEN && len >= head + 4)
		hash = mix(ip + head, 4, hash);
	return hash;
}

/* RFC 8200 section 3; what follows an extension header is not looked for. */
static uint32_t hash_ip6(const uint8_t *ip, size_t len)
{
	uint32_t hash = mix(ip + 8, 32, ip[6]);

	if (has_ports(ip[6]) && len >= IP6_LEN + 4)
		hash = mix(ip + IP6_LEN, 4, hash);
	return hash;
}

uint32_t flow_hash(const uint8_t *frame, size_t len)
{
	size_t at = ETHER;

	if (len < ETHER)
		return 0;
	if (be16(frame + 12) == TYPE_VLAN && len >= ETHER + TAG)
		at += TAG;
	unsigned type = be16(frame + at - 2);
	if (type == TYPE_IP4 && len >= at + IP4_LEN)
		return hash_ip4(frame + at, len - at);
	if (type == TYPE_IP6 && len >= at + IP6_LEN)
		return hash_ip6(frame + at, len - at);
	return mix(frame, 12, 0);
}
