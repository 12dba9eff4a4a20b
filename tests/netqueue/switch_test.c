/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: learning, ageing, flooding, VLANs, limits and looking, on rings and with a virtual clock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/netqueue/rig.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static size_t mac_count(void)
{
	struct nq_mac *list;
	size_t count;

	assert_int_equal(nq_mac_list(rig.sw, &list, &count), 0);
	free(list);
	return count;
}

static struct nq_stats stats_of(const char *port)
{
	struct nq_stats stats;

	assert_int_equal(nq_port_stats(rig.sw, port, &stats), 0);
	return stats;
}

static void three_ports(void)
{
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	rig_port(&rig, "p3", NULL);
}

/* ---- learning ---- */

static void test_learns(void **state)
{
	(void)state;
	three_ports();
	rig_send(&rig, "p1", "b a");
	rig_expect(&rig, "p2", "b a");
	rig_expect(&rig, "p3", "b a");
	rig_expect_none(&rig, "p1");
	rig_send(&rig, "p2", "a b");
	rig_expect(&rig, "p1", "a b");
	rig_expect_none(&rig, "p3");
	rig_send(&rig, "p1", "b a");
	rig_expect(&rig, "p2", "b a");
	rig_expect_none(&rig, "p3");

	struct nq_stats stats = stats_of("p1");
	assert_int_equal(stats.rx_packets, 2);
	assert_int_equal(stats.rx_bytes, 120);
	assert_int_equal(stats.tx_packets, 1);
	assert_int_equal(stats.tx_bytes, 60);
	assert_int_equal(stats.floods, 1);
	assert_int_equal(stats.copies, 0);
	assert_int_equal(stats.learned, 1);
}

static void test_moves(void **state)
{
	(void)state;
	three_ports();
	rig_send(&rig, "p1", "all a");
	rig_poll(&rig);
	rig_send(&rig, "p2", "all a");
	rig_poll(&rig);
	assert_int_equal(stats_of("p2").moved, 1);
	assert_int_equal(mac_count(), 1);
	rig_expect(&rig, "p3", "all a");
	rig_expect(&rig, "p3", "all a");
	rig_send(&rig, "p3", "a c");
	rig_expect(&rig, "p1", "all a");
	rig_expect_none(&rig, "p1");
	rig_expect(&rig, "p2", "all a");
	rig_expect(&rig, "p2", "a c");
}

static void test_ages(void **state)
{
	(void)state;
	three_ports();
	rig_send(&rig, "p1", "all a");
	rig_send(&rig, "p2", "all b");
	rig_poll(&rig);
	assert_int_equal(mac_count(), 2);
	rig_pass(&rig, 200);
	rig_send(&rig, "p2", "all b"); /* says that it is still there */
	rig_poll(&rig);
	rig_pass(&rig, 101);
	assert_int_equal(mac_count(), 1);
	struct nq_mac *list;
	size_t count;
	assert_int_equal(nq_mac_list(rig.sw, &list, &count), 0);
	assert_int_equal(list[0].mac[5], 'b');
	assert_int_equal(list[0].age_s, 101);
	assert_string_equal(list[0].port, "p2");
	free(list);
	rig_pass(&rig, 200);
	assert_int_equal(mac_count(), 0);
}

static void test_static(void **state)
{
	struct nq_mac mac = {.bridge = "br", .port = "p1", .mac = {2, 0, 0, 0, 0, 'a'}};

	(void)state;
	three_ports();
	assert_int_equal(nq_mac_add(rig.sw, &mac), 0);
	rig_pass(&rig, 1000);
	rig_send(&rig, "p2", "all a"); /* somebody else says that it is a */
	rig_poll(&rig);
	assert_int_equal(nq_mac_flush_bridge(rig.sw, "br"), 0);
	assert_int_equal(nq_mac_flush_port(rig.sw, "p1"), 0);
	rig_send(&rig, "p3", "a c");
	rig_expect(&rig, "p1", "all a");
	rig_expect(&rig, "p1", "a c");
	assert_int_equal(nq_mac_remove(rig.sw, "br", 0, mac.mac), 0);
	assert_int_equal(nq_mac_remove(rig.sw, "br", 0, mac.mac), -ENOENT);
	rig_send(&rig, "p3", "a c");
	rig_expect(&rig, "p2", "a c");
	mac.mac[0] = 1;
	assert_int_equal(nq_mac_add(rig.sw, &mac), -EINVAL);
}

static void learn_many(const char *port, unsigned first, unsigned count)
{
	uint8_t frame[RIG_FRAME], sink[RIG_FRAME];
	size_t len = rig_frame("all a", frame);

	for (unsigned i = first; i < first + count; i++) {
		frame[9] = (uint8_t)(i >> 16);
		frame[10] = (uint8_t)(i >> 8);
		frame[11] = (uint8_t)i;
		assert_int_equal(nq_ring_send(rig.sw, port, frame, len), 0);
		rig_poll(&rig);
		for (const struct nq_port_config *p = nq_port_next(rig.sw, NULL); p;
		     p = nq_port_next(rig.sw, p))
			while (nq_ring_receive(rig.sw, p->name, sink, sizeof(sink)) > 0)
				;
	}
}

static void test_flush(void **state)
{
	(void)state;
	three_ports();
	learn_many("p1", 0x100, 20);
	learn_many("p2", 0x200, 30);
	assert_int_equal(mac_count(), 50);
	assert_int_equal(nq_mac_flush_port(rig.sw, "p1"), 0);
	assert_int_equal(mac_count(), 30);
	struct nq_port_info info;
	assert_int_equal(nq_port_info(rig.sw, "p2", &info), 0);
	assert_int_equal(info.macs, 30);
	/* Sequence numbers come round after 256; nothing may come back to life. */
	for (int i = 0; i < 255; i++)
		assert_int_equal(nq_mac_flush_port(rig.sw, "p1"), 0);
	assert_int_equal(mac_count(), 30);
	assert_int_equal(nq_mac_flush_bridge(rig.sw, "br"), 0);
	assert_int_equal(mac_count(), 0);
	learn_many("p1", 0x100, 20);
	assert_int_equal(mac_count(), 20);
	assert_int_equal(nq_port_info(rig.sw, "p1", &info), 0);
	assert_int_equal(info.macs, 20);
}

static void limit_to_five(struct nq_port_rules *rules)
{
	rules->mac_limit = 5;
}

static void test_limits(void **state)
{
	struct nq_bridge_config bridge = {.name = "br", .mac_limit = 8};

	(void)state;
	rig_port(&rig, "p1", limit_to_five);
	rig_port(&rig, "p2", NULL);
	learn_many("p1", 0x100, 20);
	assert_int_equal(mac_count(), 5);
	assert_int_equal(stats_of("p1").learn_refused, 15);
	assert_int_equal(nq_bridge_set(rig.sw, &bridge), 0);
	learn_many("p2", 0x200, 20);
	assert_int_equal(mac_count(), 8);
}

/* A port that floods the table with addresses pushes out its own, not its neighbour's. */
static void test_evicts_fairly(void **state)
{
	struct nq_port_info info;

	(void)state;
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	learn_many("p2", 0x200, 50);
	learn_many("p1", 0x10000, 4000);
	assert_true(mac_count() <= 1024);
	assert_int_equal(nq_port_info(rig.sw, "p2", &info), 0);
	assert_int_equal(info.macs, 50);
	learn_many("p2", 0x300, 50);
	assert_int_equal(nq_port_info(rig.sw, "p2", &info), 0);
	assert_true(info.macs >= 95); /* both of an address's buckets may be its own port's */
}

/* ---- what is dropped, and why ---- */

static void test_drops(void **state)
{
	uint8_t frame[RIG_FRAME];

	(void)state;
	three_ports();
	rig_frame("b a", frame);
	assert_int_equal(nq_ring_send(rig.sw, "p1", frame, 13), 0);
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_RUNT), 1);
	rig_send(&rig, "p1", "b group");
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_SOURCE), 1);
	rig_send(&rig, "p1", "all b");
	rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_HAIRPIN), 1);
	const uint8_t reserved[6] = {0x01, 0x80, 0xc2, 0, 0, 0x02};
	memcpy(frame, reserved, 6);
	assert_int_equal(nq_ring_send(rig.sw, "p1", frame, 60), 0);
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_RESERVED), 1);
	rig_send(&rig, "p1", "c a len=1523");
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_OVERSIZE), 1);
	assert_int_equal(nq_port_remove(rig.sw, "p2"), 0);
	assert_int_equal(nq_port_remove(rig.sw, "p3"), 0);
	rig_send(&rig, "p1", "all a");
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_NOWHERE), 1);
}

/* A receiver that does not drain loses its own frames; another one gets all of its. */
static void test_slow_receiver(void **state)
{
	uint8_t sink[RIG_FRAME];
	unsigned got = 0;

	(void)state;
	three_ports();
	for (unsigned i = 0; i < 3000; i++) {
		rig_send(&rig, "p1", "all a");
		rig_poll(&rig);
		while (nq_ring_receive(rig.sw, "p2", sink, sizeof(sink)) > 0)
			got++;
	}
	assert_int_equal(got, 3000);
	assert_true(rig_drops(&rig, "p3", NQ_DROP_FULL) > 0);
	assert_int_equal(rig_drops(&rig, "p3", NQ_DROP_FULL) + stats_of("p3").tx_packets, 3000);
	assert_int_equal(rig_drops(&rig, "p2", NQ_DROP_FULL), 0);
}

/* ---- VLANs ---- */

static void access10(struct nq_port_rules *rules)
{
	rules->vlan.mode = NQ_VLAN_ACCESS;
	rules->vlan.vlan = 10;
}

static void access20(struct nq_port_rules *rules)
{
	rules->vlan.mode = NQ_VLAN_ACCESS;
	rules->vlan.vlan = 20;
}

static void trunk(struct nq_port_rules *rules)
{
	memset(rules->vlan.allowed, 0, sizeof(rules->vlan.allowed));
	rules->vlan.allowed[0] = UINT64_C(1) << 10 | UINT64_C(1) << 20;
}

static void trunk_native10(struct nq_port_rules *rules)
{
	trunk(rules);
	rules->vlan.vlan = 10;
}

static void trunk_native10_tagged(struct nq_port_rules *rules)
{
	trunk_native10(rules);
	rules->vlan.native_tagged = true;
}

static void tunnel20(struct nq_port_rules *rules)
{
	rules->vlan.mode = NQ_VLAN_TUNNEL;
	rules->vlan.vlan = 20;
}

static void test_vlan_matrix(void **state)
{
	(void)state;
	rig_port(&rig, "a10", access10);
	rig_port(&rig, "b10", access10);
	rig_port(&rig, "a20", access20);
	rig_port(&rig, "trunk", trunk);
	rig_port(&rig, "native", trunk_native10);
	rig_port(&rig, "ntag", trunk_native10_tagged);
	rig_port(&rig, "qinq", tunnel20);

	rig_send(&rig, "a10", "all a");
	rig_expect(&rig, "b10", "all a");
	rig_expect_none(&rig, "a20");
	rig_expect(&rig, "trunk", "all a vlan=10");
	rig_expect(&rig, "native", "all a");
	rig_expect(&rig, "ntag", "all a vlan=10");
	rig_expect_none(&rig, "qinq");
	assert_int_equal(stats_of("a10").copies, 1);

	rig_send(&rig, "trunk", "all c vlan=20:5");
	rig_expect(&rig, "a20", "all c");
	rig_expect(&rig, "native", "all c vlan=20:5");
	rig_expect(&rig, "ntag", "all c vlan=20:5");
	rig_expect(&rig, "qinq", "all c");
	rig_expect_none(&rig, "a10");

	/* An address is another one in another VLAN. */
	rig_send(&rig, "a20", "a d");
	rig_expect(&rig, "trunk", "a d vlan=20");
	rig_expect(&rig, "qinq", "a d");
	rig_expect_none(&rig, "a10");

	/* Tags inside tags. */
	rig_send(&rig, "qinq", "c e vlan=7:3");
	rig_expect(&rig, "trunk", "c e vlan=20 vlan=7:3");
	rig_send(&rig, "trunk", "e c vlan=20 vlan=7");
	rig_expect(&rig, "qinq", "e c vlan=7");
}

static void test_vlan_refused(void **state)
{
	(void)state;
	rig_port(&rig, "a10", access10);
	rig_port(&rig, "b10", access10);
	rig_port(&rig, "trunk", trunk);
	rig_send(&rig, "a10", "all a vlan=10");
	rig_send(&rig, "trunk", "all a vlan=30");
	rig_send(&rig, "trunk", "all a");
	rig_expect_none(&rig, "b10");
	assert_int_equal(rig_drops(&rig, "a10", NQ_DROP_VLAN), 1);
	assert_int_equal(rig_drops(&rig, "trunk", NQ_DROP_VLAN), 2);
	rig_send(&rig, "a10", "all a vlan=0:6"); /* a priority, no VLAN */
	rig_expect(&rig, "b10", "all a");
	rig_expect(&rig, "trunk", "all a vlan=10:6");
	uint8_t frame[RIG_FRAME];
	rig_frame("all a vlan=10", frame);
	assert_int_equal(nq_ring_send(rig.sw, "trunk", frame, 16), 0);
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "trunk", NQ_DROP_RUNT), 1);
}

static void test_vlan_change(void **state)
{
	struct nq_port_rules rules;

	(void)state;
	rig_port(&rig, "p1", access10);
	rig_port(&rig, "p2", access10);
	rig_send(&rig, "p2", "all b");
	rig_poll(&rig);
	nq_port_rules_init(&rules);
	access20(&rules);
	assert_int_equal(nq_port_set(rig.sw, "p2", &rules), 0);
	rig_expect(&rig, "p1", "all b");
	rig_send(&rig, "p1", "b a");
	rig_expect_none(&rig, "p2");
	rules.vlan.vlan = 0;
	assert_int_equal(nq_port_set(rig.sw, "p2", &rules), -EINVAL);
}

/* ---- limits ---- */

static void calm(struct nq_port_rules *rules)
{
	rules->storm = (struct nq_storm_rules){.broadcast = 100, .multicast = 50, .unknown = 20};
}

static unsigned storm(const char *text, unsigned count)
{
	uint8_t sink[RIG_FRAME];
	unsigned got = 0;

	for (unsigned i = 0; i < count; i++)
		rig_send(&rig, "p1", text);
	rig_poll(&rig);
	while (nq_ring_receive(rig.sw, "p2", sink, sizeof(sink)) > 0)
		got++;
	return got;
}

static void test_storm(void **state)
{
	(void)state;
	rig_port(&rig, "p1", calm);
	rig_port(&rig, "p2", NULL);
	assert_int_equal(storm("all a", 200), 10);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_STORM_BROADCAST), 190);
	assert_int_equal(storm("group a", 200), 5);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_STORM_MULTICAST), 195);
	assert_int_equal(storm("x a", 200), 2);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_STORM_UNKNOWN), 198);
	rig.now_ns += 50000000; /* a twentieth of a second pays for five broadcasts */
	assert_int_equal(storm("all a", 200), 5);
	rig.now_ns += 10000000000;
	assert_int_equal(storm("all a", 200), 10);
}

static void slow(struct nq_port_rules *rules)
{
	rules->rate_bytes = 60000;
	rules->rate_burst = 6000;
}

static void test_rate(void **state)
{
	(void)state;
	rig_port(&rig, "p1", slow);
	rig_port(&rig, "p2", NULL);
	assert_int_equal(storm("b a", 500), 100);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_RATE), 400);
	rig.now_ns += 10000000;
	assert_int_equal(storm("b a", 500), 10);
}

static void only_mac_a(struct nq_port_rules *rules)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 'a'};

	rules->security.mac_count = 1;
	memcpy(rules->security.macs[0], mac, 6);
}

static void test_security(void **state)
{
	(void)state;
	rig_port(&rig, "p1", only_mac_a);
	rig_port(&rig, "p2", NULL);
	rig_send(&rig, "p1", "all c");
	rig_expect_none(&rig, "p2");
	assert_int_equal(mac_count(), 0); /* nothing is learned from a lie */
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_SECURITY), 1);
	rig_send(&rig, "p1", "all a");
	rig_expect(&rig, "p2", "all a");
}

static void alone(struct nq_port_rules *rules)
{
	rules->isolated = true;
}

static void test_isolated(void **state)
{
	(void)state;
	rig_port(&rig, "p1", alone);
	rig_port(&rig, "p2", alone);
	rig_port(&rig, "p3", NULL);
	rig_send(&rig, "p1", "all a");
	rig_expect_none(&rig, "p2");
	rig_expect(&rig, "p3", "all a");
	rig_send(&rig, "p2", "a b");
	rig_expect_none(&rig, "p1");
	assert_int_equal(rig_drops(&rig, "p2", NQ_DROP_ISOLATED), 1);
	rig_send(&rig, "p3", "a c");
	rig_expect(&rig, "p1", "a c");
}

/* ---- looking ---- */

static void test_mirror(void **state)
{
	(void)state;
	three_ports();
	rig_port(&rig, "look", NULL);
	assert_int_equal(nq_mirror_set(rig.sw, "p1", "look"), 0);
	assert_string_equal(nq_mirror_of(rig.sw, "p1"), "look");
	assert_int_equal(nq_mirror_set(rig.sw, "look", "p2"), -EINVAL);
	assert_int_equal(nq_port_remove(rig.sw, "look"), -EBUSY);
	rig_send(&rig, "p1", "b a vlan=3");
	rig_expect(&rig, "look", "b a vlan=3");
	rig_expect(&rig, "p2", "b a vlan=3");
	rig_send(&rig, "p2", "a b vlan=3");
	rig_expect(&rig, "p1", "a b vlan=3");
	rig_expect(&rig, "look", "a b vlan=3");
	rig_send(&rig, "p3", "all c");
	rig_expect(&rig, "look", "all c"); /* as it left by p1, and not once more by itself */
	rig_expect_none(&rig, "look");
	rig_send(&rig, "look", "all d");
	rig_expect(&rig, "p2", "all c");
	rig_expect_none(&rig, "p2");
	assert_int_equal(nq_mirror_set(rig.sw, "p1", NULL), 0);
	rig_send(&rig, "p1", "all a");
	rig_expect(&rig, "look", "all a"); /* a port like others again */
	rig_expect_none(&rig, "look");
}

static uint32_t word(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void wait_for_packets(uint64_t packets)
{
	struct timespec moment = {.tv_nsec = 1000000};
	struct nq_capture_info info;

	do {
		nanosleep(&moment, NULL);
		assert_int_equal(nq_capture_info(rig.sw, &info), 0);
	} while (info.packets + info.missed < packets);
}

/* Every block of the file: its length stands at both ends. */
static unsigned count_blocks(const uint8_t *file, size_t len, uint32_t type)
{
	unsigned count = 0;

	for (size_t at = 0; at < len; at += word(file + at + 4)) {
		uint32_t size = word(file + at + 4);

		assert_true(size >= 12 && size % 4 == 0 && at + size <= len);
		assert_int_equal(word(file + at + size - 4), size);
		count += word(file + at) == type;
	}
	return count;
}

static void test_capture(void **state)
{
	int fd = memfd_create("capture", 0);
	struct nq_capture_options options = {.port = "p1", .fd = dup(fd), .max_packets = 3};
	struct nq_capture_info info;
	uint8_t file[4096], frame[RIG_FRAME];

	(void)state;
	three_ports();
	assert_int_equal(nq_capture_info(rig.sw, &info), -ENOENT);
	assert_int_equal(nq_capture_start(rig.sw, &options), 0);
	options.fd = dup(fd);
	assert_int_equal(nq_capture_start(rig.sw, &options), -EBUSY);
	rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	rig_send(&rig, "p2", "a b len=77");
	rig_poll(&rig);
	rig_send(&rig, "p3", "b c"); /* p1 has no part in it */
	rig_poll(&rig);
	wait_for_packets(2);
	for (int i = 0; i < 5; i++)
		rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	wait_for_packets(3);
	nq_capture_stop(rig.sw, NULL);

	ssize_t len = pread(fd, file, sizeof(file), 0);
	close(fd);
	assert_true(len > 0);
	assert_int_equal(count_blocks(file, (size_t)len, 0x0a0d0d0a), 1);
	assert_int_equal(count_blocks(file, (size_t)len, 1), 1);
	assert_int_equal(count_blocks(file, (size_t)len, 6), 3);
	size_t at = word(file + 4);
	at += word(file + at + 4); /* the first frame */
	assert_int_equal(word(file + at + 20), 60);
	rig_frame("b a", frame);
	assert_memory_equal(file + at + 28, frame, 60);
	at += word(file + at + 4);
	assert_int_equal(word(file + at + 20), 77);
	assert_int_equal(word(file + at + 28 + 80), 4u << 16 | 2); /* its option: flags */
	assert_int_equal(word(file + at + 28 + 84), 2);		   /* outgoing */
}

/* ---- ports and bridges ---- */

static void test_names(void **state)
{
	struct nq_port_config config = {.name = "p1", .bridge = "none", .kind = "ring"};
	struct nq_bridge_config bridge = {.name = "br"};

	(void)state;
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_bridge_add(rig.sw, &bridge), -EEXIST);
	strcpy(bridge.name, "b r");
	assert_int_equal(nq_bridge_add(rig.sw, &bridge), -EINVAL);
	assert_int_equal(nq_port_add(rig.sw, &config), -ENOENT);
	strcpy(config.bridge, "br");
	config.kind = "wire";
	assert_int_equal(nq_port_add(rig.sw, &config), -EINVAL);
	config.kind = "vhost";
	assert_int_equal(nq_port_add(rig.sw, &config), -EINVAL);
	config.kind = "ring";
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	assert_int_equal(nq_port_add(rig.sw, &config), -EEXIST);
	assert_int_equal(nq_bridge_remove(rig.sw, "br"), -EBUSY);
	assert_int_equal(nq_port_remove(rig.sw, "p2"), -ENOENT);
	assert_int_equal(nq_port_remove(rig.sw, "p1"), 0);
	assert_int_equal(nq_bridge_remove(rig.sw, "br"), 0);
	assert_int_equal(nq_bridge_remove(rig.sw, "br"), -ENOENT);
}

static void test_bridges_are_apart(void **state)
{
	struct nq_bridge_config bridge = {.name = "other"};
	struct nq_port_config config = {.name = "p3", .bridge = "other", .kind = "ring"};

	(void)state;
	nq_port_rules_init(&config.rules);
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	assert_int_equal(nq_bridge_add(rig.sw, &bridge), 0);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	rig_send(&rig, "p3", "all c");
	rig_send(&rig, "p1", "c a");
	rig_expect(&rig, "p2", "c a");
	rig_expect_none(&rig, "p2");
	rig_expect_none(&rig, "p3");
}

/* What a removed port had learned is not another's that gets its place. */
static void test_place_taken(void **state)
{
	(void)state;
	three_ports();
	rig_send(&rig, "p2", "all b");
	rig_poll(&rig);
	assert_int_equal(nq_port_remove(rig.sw, "p2"), 0);
	assert_int_equal(mac_count(), 0);
	rig_port(&rig, "new", NULL);
	rig_send(&rig, "p1", "b a");
	rig_expect(&rig, "new", "b a");
	rig_expect(&rig, "p3", "all b");
	rig_expect(&rig, "p3", "b a");
}

static void test_null_and_pcap(void **state)
{
	struct nq_port_config config = {.name = "null", .bridge = "br", .kind = "null"};
	char path[] = "/tmp/sluice-pcap-XXXXXX", where[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	/* Its frames are all zero, and nobody's source address is. */
	assert_int_equal(nq_switch_poll(rig.sw), 32);
	assert_int_equal(rig_drops(&rig, "null", NQ_DROP_SOURCE), 32);
	assert_int_equal(nq_port_remove(rig.sw, "null"), 0);

	rig_port(&rig, "p1", NULL);
	strcpy(config.name, "file");
	config.kind = "pcap";
	snprintf(where, sizeof(where), ",%s", path);
	config.where = where;
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	for (int i = 0; i < 5; i++)
		rig_send(&rig, "p1", "all a len=100");
	nq_switch_poll(rig.sw);
	assert_int_equal(stats_of("file").tx_packets, 5);
	assert_int_equal(nq_port_remove(rig.sw, "file"), 0);

	snprintf(where, sizeof(where), "%s,", path);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	for (int i = 0; i < 5; i++)
		rig_expect(&rig, "p1", "all a len=100");
	rig_expect_none(&rig, "p1");
	assert_int_equal(nq_port_remove(rig.sw, "file"), 0);
	unlink(path);
}

/* ---- with threads ---- */

static int setup_threads(void **state)
{
	(void)state;
	rig_open(&rig, 2);
	return 0;
}

static void receive_all(const char *port, unsigned count)
{
	struct timespec moment = {.tv_nsec = 100000};
	uint8_t sink[RIG_FRAME];

	while (count) {
		int len = nq_ring_receive(rig.sw, port, sink, sizeof(sink));

		assert_true(len >= 0);
		if (len)
			count--;
		else
			nanosleep(&moment, NULL);
	}
}

/* Ports come and go, and rules change, while frames pass: none of a port that stays is lost. */
static void test_change_under_traffic(void **state)
{
	struct nq_port_rules rules;
	char name[NQ_NAME];

	(void)state;
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	nq_port_rules_init(&rules);
	for (unsigned i = 0; i < 200; i++) {
		for (int n = 0; n < 20; n++)
			rig_send(&rig, "p1", "all a");
		snprintf(name, sizeof(name), "x%u", i);
		rig_port(&rig, name, i & 1 ? access10 : NULL);
		rules.mac_limit = i + 1;
		assert_int_equal(nq_port_set(rig.sw, "p1", &rules), 0);
		nq_switch_tick(rig.sw);
		assert_int_equal(nq_mac_flush_bridge(rig.sw, "br"), 0);
		receive_all("p2", 20);
		assert_int_equal(nq_port_remove(rig.sw, name), 0);
	}
	assert_int_equal(stats_of("p1").rx_packets, 4000);
	assert_int_equal(stats_of("p2").tx_packets, 4000);
}

static void test_workers_share(void **state)
{
	struct nq_worker_info info;
	unsigned queues = 0;

	(void)state;
	three_ports();
	for (unsigned w = 0; w < nq_workers(rig.sw); w++) {
		nq_worker_info(rig.sw, w, &info);
		assert_in_range(info.queues, 1, 2);
		queues += info.queues;
	}
	assert_int_equal(queues, 3);
	/* Both learn and forward at once. */
	for (unsigned i = 0; i < 500; i++) {
		rig_send(&rig, "p1", "b a");
		rig_send(&rig, "p2", "a b");
	}
	while (stats_of("p1").rx_packets + stats_of("p2").rx_packets < 1000 ||
	       stats_of("p2").tx_packets < 500)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

#define CASE(test)	   cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CASE_THREADS(test) cmocka_unit_test_setup_teardown(test, setup_threads, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_learns),
		CASE(test_moves),
		CASE(test_ages),
		CASE(test_static),
		CASE(test_flush),
		CASE(test_limits),
		CASE(test_evicts_fairly),
		CASE(test_drops),
		CASE(test_slow_receiver),
		CASE(test_vlan_matrix),
		CASE(test_vlan_refused),
		CASE(test_vlan_change),
		CASE(test_storm),
		CASE(test_rate),
		CASE(test_security),
		CASE(test_isolated),
		CASE(test_mirror),
		CASE(test_capture),
		CASE(test_names),
		CASE(test_bridges_are_apart),
		CASE(test_place_taken),
		CASE(test_null_and_pcap),
		CASE_THREADS(test_change_under_traffic),
		CASE_THREADS(test_workers_share),
	};
	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
