/* SPDX-License-Identifier: BSD-3-Clause */
/* security: who may say what, header by header, and cut off at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "netqueue/security.h"

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, other_mac[6] = {2, 0, 0, 0, 0, 9};
#define OUR_IP	 0x0a000001u
#define OTHER_IP 0x0a000009u
static const uint8_t our_ip6[16] = {0xfd, [15] = 1}, other_ip6[16] = {0xfd, [15] = 9};

static struct nq_security_rules rules;
static uint8_t frame[128];

static int setup(void **state)
{
	(void)state;
	memset(&rules, 0, sizeof(rules));
	memset(frame, 0, sizeof(frame));
	rules.mac_count = rules.ip4_count = rules.ip6_count = 1;
	memcpy(rules.macs[0], our_mac, 6);
	rules.ip4[0] = OUR_IP;
	memcpy(rules.ip6[0], our_ip6, 16);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, our_mac, 6);
	return 0;
}

static void put16(size_t at, unsigned value)
{
	frame[at] = (uint8_t)(value >> 8);
	frame[at + 1] = (uint8_t)value;
}

static void put32(size_t at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* `len` bytes, at the end of a block of memory: what reads on, the sanitizer sees. */
static bool allowed(size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, frame, len);
	bool ok = security_allows(&rules, copy, len);
	free(copy);
	return ok;
}

static size_t arp(const uint8_t mac[6], uint32_t ip)
{
	const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 2};

	put16(12, 0x0806);
	memcpy(frame + 14, head, 8);
	memcpy(frame + 22, mac, 6);
	put32(28, ip);
	return 14 + 28;
}

static size_t ip4(uint32_t source, uint32_t target)
{
	put16(12, 0x0800);
	frame[14] = 0x45;
	frame[23] = 17;
	put32(26, source);
	put32(30, target);
	put16(34, 68);
	put16(36, 67);
	return 14 + 20 + 8;
}

static size_t ip6(const uint8_t source[16], unsigned next, unsigned payload)
{
	put16(12, 0x86dd);
	frame[14] = 0x60;
	put16(18, payload);
	frame[20] = (uint8_t)next;
	memcpy(frame + 22, source, 16);
	return 14 + 40 + payload;
}

static size_t neighbour(const uint8_t source[16], uint8_t type, const uint8_t target[16],
			uint8_t option, const uint8_t link[6])
{
	size_t len = ip6(source, 58, 24 + 8);

	frame[54] = type;
	memcpy(frame + 62, target, 16);
	frame[78] = option;
	frame[79] = 1;
	memcpy(frame + 80, link, 6);
	return len;
}

static void test_mac(void **state)
{
	(void)state;
	put16(12, 0x88b5);
	assert_true(allowed(60));
	memcpy(frame + 6, other_mac, 6);
	assert_false(allowed(60));
	rules.mac_count = 0;
	assert_true(allowed(60));
}

static void test_arp(void **state)
{
	(void)state;
	assert_true(allowed(arp(our_mac, OUR_IP)));
	assert_true(allowed(arp(our_mac, 0))); /* a probe */
	assert_false(allowed(arp(our_mac, OTHER_IP)));
	assert_false(allowed(arp(other_mac, OUR_IP)));
	size_t len = arp(our_mac, OUR_IP);
	frame[18] = 8; /* addresses of another length */
	assert_false(allowed(len));
}

static void test_ip4(void **state)
{
	(void)state;
	assert_true(allowed(ip4(OUR_IP, OTHER_IP)));
	assert_false(allowed(ip4(OTHER_IP, OUR_IP)));
	assert_true(allowed(ip4(0, UINT32_MAX))); /* DHCP */
	assert_false(allowed(ip4(0, OTHER_IP)));
	size_t len = ip4(0, UINT32_MAX);
	frame[14] = 0x4f; /* a header that is longer than the frame */
	assert_false(allowed(len));
	rules.ip4_count = 0;
	assert_true(allowed(ip4(OTHER_IP, OUR_IP)));
}

static void test_ip6(void **state)
{
	const uint8_t none[16] = {0};
	const uint8_t link_local[16] = {0xfe, 0x80, [11] = 0xff, [12] = 0xfe, [15] = 1};

	(void)state;
	assert_true(allowed(ip6(our_ip6, 17, 8)));
	assert_false(allowed(ip6(other_ip6, 17, 8)));
	assert_true(allowed(ip6(none, 17, 8)));
	assert_true(allowed(ip6(link_local, 17, 8))); /* of 02:00:00:00:00:01 */
}

static void test_neighbours(void **state)
{
	(void)state;
	assert_true(allowed(neighbour(our_ip6, 136, our_ip6, 2, our_mac)));
	assert_false(allowed(neighbour(our_ip6, 136, other_ip6, 2, our_mac)));
	assert_false(allowed(neighbour(our_ip6, 136, our_ip6, 2, other_mac)));
	assert_true(allowed(neighbour(our_ip6, 135, other_ip6, 1, our_mac)));
	assert_false(allowed(neighbour(our_ip6, 135, other_ip6, 1, other_mac)));
	size_t len = neighbour(our_ip6, 136, our_ip6, 2, our_mac);
	frame[79] = 0; /* an option without an end */
	assert_false(allowed(len));
	frame[79] = 2; /* one that reaches beyond */
	assert_false(allowed(len));
}

/* An extension header hides nothing. */
static void test_neighbour_behind_options(void **state)
{
	(void)state;
	size_t len = neighbour(our_ip6, 136, other_ip6, 2, our_mac);
	memmove(frame + 54 + 8, frame + 54, len - 54);
	memset(frame + 54, 0, 8);
	frame[20] = 0;	/* hop-by-hop options */
	frame[54] = 58; /* then ICMPv6 */
	put16(18, 24 + 8 + 8);
	assert_false(allowed(len + 8));
	memcpy(frame + 62 + 8, our_ip6, 16);
	assert_true(allowed(len + 8));
	frame[55] = 9; /* one that reaches beyond */
	assert_false(allowed(len + 8));
}

static void test_tags(void **state)
{
	(void)state;
	put16(12, 0x8100);
	assert_false(allowed(60));
	rules.ip4_count = rules.ip6_count = 0;
	assert_true(allowed(60));
}

/* Nothing is let through that could not be looked at, and nothing is read that is not there. */
static void test_cut(void **state)
{
	(void)state;
	size_t lens[] = {arp(our_mac, OUR_IP)};
	for (size_t len = 0; len < lens[0]; len++)
		assert_false(allowed(len));
	ip4(OUR_IP, OTHER_IP);
	for (size_t len = 0; len < 34; len++)
		assert_false(allowed(len));
	size_t whole = neighbour(our_ip6, 136, our_ip6, 2, our_mac);
	for (size_t len = 0; len < whole; len++)
		assert_false(allowed(len));
	assert_true(allowed(whole));
}

#define CASE(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_mac),	 CASE(test_arp),	CASE(test_ip4),
		CASE(test_ip6),	 CASE(test_neighbours), CASE(test_neighbour_behind_options),
		CASE(test_tags), CASE(test_cut)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
