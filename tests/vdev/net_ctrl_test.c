/* SPDX-License-Identifier: BSD-3-Clause */
/* net_ctrl_test: control messages and frame headers, right ones and wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "vdev/net_ctrl.h"

#define BIT(n) (UINT64_C(1) << (n))
#define ALL    (~UINT64_C(0))

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static uint8_t say(struct vdev_net_ctrl *ctrl, const void *message, size_t len, unsigned *changed)
{
	/* In two parts, since a driver may cut it anywhere. */
	size_t cut = len / 2;
	struct iovec out[2] = {
		{.iov_base = (uint8_t *)(uintptr_t)message, .iov_len = cut},
		{.iov_base = (uint8_t *)(uintptr_t)message + cut, .iov_len = len - cut}};

	return vdev_net_ctrl_message(ctrl, out, 2, changed);
}

#define SAY(ctrl, changed, ...) \
	say(ctrl, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), changed)

static void test_messages(void **state)
{
	struct vdev_net_ctrl c;
	unsigned changed;

	(void)state;
	vdev_net_ctrl_init(&c, ALL, 4, mac);
	assert_int_equal(c.pairs, 1);
	assert_true(c.filter.promisc);
	assert_int_equal(SAY(&c, &changed, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(changed, VDEV_NET_FILTER);
	assert_false(c.filter.promisc);
	assert_int_equal(SAY(&c, &changed, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1),
			 VIRTIO_NET_OK);
	assert_true(c.filter.allmulti);
	assert_int_equal(
		SAY(&c, &changed, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 4, 0),
		VIRTIO_NET_OK);
	assert_int_equal(changed, VDEV_NET_PAIRS);
	assert_int_equal(c.pairs, 4);
	assert_int_equal(SAY(&c, &changed, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2, 9,
			     8, 7, 6, 5),
			 VIRTIO_NET_OK);
	assert_int_equal(changed, VDEV_NET_MAC | VDEV_NET_FILTER);
	assert_int_equal(c.filter.mac[1], 9);
	assert_int_equal(SAY(&c, &changed, VIRTIO_NET_CTRL_GUEST_OFFLOADS,
			     VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 0x82, 0, 0, 0, 0, 0, 0, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(changed, VDEV_NET_OFFLOADS);
	assert_int_equal(c.offloads, 0x82);
}

static void test_table(void **state)
{
	struct vdev_net_ctrl c;
	unsigned changed;
	struct {
		uint8_t class, command;
		uint8_t unicasts[4], unicast[9][6], multicasts[4], multicast[2][6];
	} m = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
	       .unicasts[0] = 9,    .unicast[6] = {2, 4, 6},
	       .multicasts[0] = 2,  .multicast[1] = {1, 0, 0x5e}};

	(void)state;
	vdev_net_ctrl_init(&c, ALL, 1, mac);
	assert_int_equal(SAY(&c, &changed, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 1, 0,
			     0, 0, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(c.filter.unicasts, 1);
	assert_int_equal(c.filter.unicast[0][5], 7);
	assert_int_equal(c.filter.multicasts, 0);
	assert_false(c.filter.more_unicasts);
	/* more than are kept: all of them pass, and the second list is still found */
	assert_int_equal(say(&c, &m, sizeof(m), &changed), VIRTIO_NET_OK);
	assert_true(c.filter.more_unicasts);
	assert_int_equal(c.filter.unicasts, VDEV_NET_UNICASTS);
	assert_int_equal(c.filter.unicast[6][2], 6);
	assert_int_equal(c.filter.multicasts, 2);
	assert_int_equal(c.filter.multicast[1][2], 0x5e);
	assert_false(c.filter.more_multicasts);
	/* lists that are cut, or claim the moon: nothing changes */
	struct vdev_net_ctrl before = c;
	assert_int_equal(say(&c, &m, sizeof(m) - 1, &changed), VIRTIO_NET_ERR);
	assert_int_equal(changed, 0);
	memset(m.unicasts, 0xff, 4);
	assert_int_equal(say(&c, &m, sizeof(m), &changed), VIRTIO_NET_ERR);
	assert_memory_equal(&c, &before, sizeof(c));
}

static void test_refused(void **state)
{
	static const struct {
		uint64_t without;
		uint8_t len, message[12];
	} bad[] = {
		{0, 0, {0}},
		{0, 1, {VIRTIO_NET_CTRL_RX}},
		{0, 2, {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC}},
		{0, 3, {VIRTIO_NET_CTRL_RX, 9, 1}},
		{BIT(VIRTIO_NET_F_CTRL_RX), 3, {VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1}},
		{0, 7, {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2}},
		{0, 8, {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 1, 2, 3, 4, 5, 6}},
		{0, 8, {VIRTIO_NET_CTRL_MAC, 7, 2, 2, 3, 4, 5, 6}},
		{BIT(VIRTIO_NET_F_CTRL_MAC_ADDR),
		 8,
		 {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2, 2, 3, 4, 5, 6}},
		{0, 4, {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 0, 0}},
		{0, 4, {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 5, 0}},
		{0, 4, {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1, 1}},
		{0, 3, {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1}},
		{0, 4, {VIRTIO_NET_CTRL_MQ, 1, 1, 0}},
		{BIT(VIRTIO_NET_F_MQ),
		 4,
		 {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1, 0}},
		{0, 10, {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 1}},
		{BIT(VIRTIO_NET_F_GUEST_TSO4),
		 10,
		 {VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 0x82}},
		{0, 2, {VIRTIO_NET_CTRL_ANNOUNCE, 1}},
		{0, 4, {255, 255, 1, 1}},
	};
	struct vdev_net_ctrl c, before;
	unsigned changed;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		vdev_net_ctrl_init(&c, ALL & ~bad[i].without, 4, mac);
		memcpy(&before, &c, sizeof(c)); /* with what lies between members */
		changed = 1;
		if (say(&c, bad[i].message, bad[i].len, &changed) != VIRTIO_NET_ERR || changed)
			fail_msg("message %zu is obeyed", i);
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
		if (memcmp(&before, &c, sizeof(c)) != 0)
			fail_msg("message %zu changes something", i);
	}
}

static bool header(uint64_t features, uint8_t flags, uint8_t gso, uint16_t size, size_t len)
{
	struct virtio_net_hdr_v1 in = {.flags = flags,
				       .gso_type = gso,
				       .gso_size = size,
				       .num_buffers = 77},
				 out;
	struct iovec iov = {.iov_base = &in, .iov_len = len};
	bool good = vdev_net_tx_header(features, &iov, 1, &out);

	if (good)
		assert_int_equal(out.num_buffers, 0);
	return good;
}

static void test_header(void **state)
{
	(void)state;
	assert_true(header(0, 0, 0, 0, 12));
	assert_false(header(ALL, 0, 0, 0, 11));
	assert_true(header(BIT(VIRTIO_NET_F_CSUM), 1, 0, 0, 12));
	assert_false(header(0, 1, 0, 0, 12));
	assert_true(header(0, 0xfe, 0, 0, 12)); /* bits to ignore */
	assert_true(header(ALL, 1, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 12));
	assert_false(header(ALL, 1, VIRTIO_NET_HDR_GSO_TCPV4, 0, 12));
	assert_false(
		header(ALL & ~BIT(VIRTIO_NET_F_HOST_TSO4), 1, VIRTIO_NET_HDR_GSO_TCPV4, 1448, 12));
	assert_true(header(ALL, 1, VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 1448, 12));
	assert_false(header(ALL & ~BIT(VIRTIO_NET_F_HOST_ECN), 1,
			    VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN, 1448, 12));
	assert_false(
		header(ALL & ~BIT(VIRTIO_NET_F_HOST_UFO), 1, VIRTIO_NET_HDR_GSO_UDP, 1448, 12));
	assert_true(header(ALL, 1, VIRTIO_NET_HDR_GSO_UDP_L4, 1448, 12));
	assert_false(header(ALL, 1, 2, 1448, 12));
	assert_false(header(ALL, 1, 0x7f, 1448, 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
