/* SPDX-License-Identifier: BSD-3-Clause */
/* offload: frames that a guest leaves unfinished, and what each kind of receiver gets of them;
 * workers that wait for a guest's kick. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "tests/fakes/vhost_front.h"
#include "tests/netqueue/packet.h"
#include "tests/netqueue/rig.h"

#define PATIENCE_MS  20000
#define BIT(n)	     (UINT64_C(1) << (n))
#define F_CSUM	     BIT(0)
#define F_GUEST_CSUM BIT(1)
#define F_GUEST_TSO4 BIT(7)
#define F_GUEST_TSO6 BIT(8)
#define F_HOST_TSO4  BIT(11)
#define F_HOST_TSO6  BIT(12)
#define SENDS	     (F_CSUM | F_HOST_TSO4 | F_HOST_TSO6)
#define TAKES	     (F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6)
#define LARGE	     60000u
#define MSS	     1448u

static struct rig rig;
static char folder[] = "/tmp/sluice-offload-XXXXXX";
static struct front sender, taker, plain;
static struct packet packet;
static uint8_t got[PACKET_LARGE];

static char *path_of(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static bool is_up(const char *port)
{
	struct nq_port_info info;

	assert_int_equal(nq_port_info(rig.sw, port, &info), 0);
	return info.up;
}

static void pause_ms(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void guest(struct front *front, const char *name, struct front_options options)
{
	struct nq_port_config config = {
		.bridge = "br", .kind = "vhost", .where = path_of(name), .server = true};

	snprintf(config.name, sizeof(config.name), "%s", name);
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	assert_int_equal(front_connect(front, path_of(name), &options), 0);
	assert_int_equal(front_start(front), 0);
	for (int ms = 0; ms < PATIENCE_MS && !is_up(name); ms++) {
		nq_switch_event(rig.sw);
		pause_ms();
	}
	assert_true(is_up(name));
	nq_switch_event(rig.sw);
}

static void three_guests(bool packed)
{
	guest(&sender, "sender",
	      (struct front_options){.packed = packed, .mergeable = true, .wanted = SENDS | TAKES});
	guest(&taker, "taker",
	      (struct front_options){.packed = packed, .mergeable = true, .wanted = SENDS | TAKES});
	guest(&plain, "plain", (struct front_options){.packed = packed});
	assert_true(sender.features & F_HOST_TSO4);
	assert_true(taker.features & F_GUEST_TSO6);
}

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

static void close_three(void)
{
	front_close(&sender);
	front_close(&taker);
	front_close(&plain);
}

static struct front_header header_of(const struct packet *p, uint8_t gso, uint16_t size)
{
	return (struct front_header){.flags = FRONT_HDR_NEEDS_CSUM,
				     .gso_type = gso,
				     .hdr_len = (uint16_t)(p->l4 + 20),
				     .gso_size = size,
				     .csum_start = (uint16_t)p->l4,
				     .csum_offset = 16};
}

static void send_unfinished(const struct packet *p, uint8_t gso, uint16_t size)
{
	struct front_header header = header_of(p, gso, size);

	assert_int_equal(front_send_large(&sender, 0, &header, p->bytes, p->len), 0);
	rig_poll(&rig);
	front_sent(&sender, 0);
}

static size_t receive(struct front *front)
{
	size_t len;

	rig_poll(&rig);
	len = front_receive(front, 0, got, sizeof(got));
	front_post(front, 0);
	return len;
}

static uint64_t count_of(const char *port, size_t offset)
{
	struct nq_stats stats;

	assert_int_equal(nq_port_stats(rig.sw, port, &stats), 0);
	return *(uint64_t *)(void *)((char *)&stats + offset);
}

/* ---- checksums ---- */

static void checksum(bool packed, const char *from, const char *to)
{
	three_guests(packed);
	packet_unfinished(&packet, from, to, 333);
	assert_false(packet_sound(packet.bytes, packet.len));
	send_unfinished(&packet, 0, 0);
	/* Flooded: one mbuf for both; the one gets it as it is, the other finished. */
	assert_int_equal(receive(&taker), packet.len);
	assert_memory_equal(got, packet.bytes, packet.len);
	assert_int_equal(taker.last.flags, FRONT_HDR_NEEDS_CSUM);
	assert_int_equal(taker.last.csum_start, packet.l4);
	assert_int_equal(taker.last.csum_offset, 16);
	assert_int_equal(receive(&plain), packet.len);
	assert_int_equal(plain.last.flags, 0);
	assert_true(packet_sound(got, packet.len));
	assert_int_equal(count_of("plain", offsetof(struct nq_stats, checksummed)), 1);
	assert_int_equal(count_of("taker", offsetof(struct nq_stats, checksummed)), 0);
	close_three();
}

static void test_checksum4(void **state)
{
	(void)state;
	checksum(false, "10.0.0.1", "10.0.0.2");
}

static void test_checksum6(void **state)
{
	(void)state;
	checksum(true, "fd00::1", "fd00::2");
}

/* ---- segments ---- */

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void check_segment(unsigned index, bool last)
{
	const uint8_t *tcp = got + packet.l4;
	size_t begin = packet.l4 + 20 + (size_t)index * MSS;
	size_t payload = MIN((size_t)MSS, packet.len - begin);

	assert_true(packet_sound(got, packet.l4 + 20 + payload));
	assert_int_equal(be32(tcp + 4), be32(packet.bytes + packet.l4 + 4) + index * MSS);
	assert_int_equal(tcp[13], last ? 0x19 : 0x10);
	assert_memory_equal(tcp + 20, packet.bytes + begin, payload);
}

static void segments(bool packed, const char *from, const char *to, uint8_t gso)
{
	unsigned count = (LARGE + MSS - 1) / MSS;

	three_guests(packed);
	packet_unfinished(&packet, from, to, LARGE);
	send_unfinished(&packet, gso, MSS);
	assert_int_equal(receive(&taker), packet.len);
	assert_memory_equal(got + packet.l4 + 20, packet.bytes + packet.l4 + 20, LARGE);
	assert_int_equal(taker.last.gso_type, gso);
	assert_int_equal(taker.last.gso_size, MSS);
	assert_true(count <= FRONT_SIZE);
	for (unsigned i = 0; i < count; i++) {
		size_t len = receive(&plain);

		assert_int_equal(len, packet.l4 + 20 + MIN(MSS, LARGE - i * MSS));
		check_segment(i, i + 1 == count);
	}
	assert_int_equal(receive(&plain), 0);
	assert_int_equal(count_of("plain", offsetof(struct nq_stats, segmented)), 1);
	assert_int_equal(count_of("plain", offsetof(struct nq_stats, tx_packets)), count);
	close_three();
}

static void test_segments4(void **state)
{
	(void)state;
	segments(false, "10.0.0.1", "10.0.0.2", FRONT_GSO_TCPV4);
}

static void test_segments6(void **state)
{
	(void)state;
	segments(true, "fd00::1", "fd00::2", FRONT_GSO_TCPV6);
}

static void trunk(struct nq_port_rules *rules)
{
	rules->vlan.mode = NQ_VLAN_TRUNK;
}

static void access10(struct nq_port_rules *rules)
{
	rules->vlan.mode = NQ_VLAN_ACCESS;
	rules->vlan.vlan = 10;
}

/* A tag comes in front of each segment; a ring takes nothing unfinished. */
static void test_segments_tagged(void **state)
{
	struct nq_port_rules rules;
	unsigned count = 0;
	int len;

	(void)state;
	three_guests(false);
	rig_port(&rig, "trunk", trunk);
	nq_port_rules_init(&rules);
	access10(&rules);
	assert_int_equal(nq_port_set(rig.sw, "sender", &rules), 0);
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 5000);
	send_unfinished(&packet, FRONT_GSO_TCPV4, MSS);
	while ((len = nq_ring_receive(rig.sw, "trunk", got, sizeof(got))) > 0) {
		assert_int_equal(got[12] << 8 | got[13], 0x8100);
		assert_int_equal(got[15], 10);
		memmove(got + 4, got, 12);
		assert_true(packet_sound(got + 4, (size_t)len - 4));
		count++;
	}
	assert_int_equal(count, 4);
	close_three();
}

/* ---- guests that lie ---- */

static void refused(uint8_t gso, uint16_t size)
{
	uint64_t before = rig_drops(&rig, "sender", NQ_DROP_OFFLOAD);

	send_unfinished(&packet, gso, size);
	assert_int_equal(receive(&taker), 0);
	assert_int_equal(receive(&plain), 0);
	assert_int_equal(rig_drops(&rig, "sender", NQ_DROP_OFFLOAD), before + 1);
}

static void test_lies(void **state)
{
	(void)state;
	three_guests(false);
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 1000);
	refused(FRONT_GSO_TCPV4, 1);	     /* a thousand segments */
	packet.bytes[packet.l4 + 12] = 0x40; /* a TCP header of 16 bytes */
	refused(FRONT_GSO_TCPV4, 100);
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 1000);
	packet.bytes[16] = 0xff; /* IP says that it is longer */
	refused(0, 0);
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 1000);
	packet.bytes[12] = 0x88, packet.bytes[13] = 0xb5; /* what is no IP */
	struct front_header header = header_of(&packet, FRONT_GSO_TCPV4, MSS);
	assert_int_equal(front_send_large(&sender, 0, &header, packet.bytes, packet.len), 0);
	rig_poll(&rig);
	front_sent(&sender, 0);
	assert_int_equal(receive(&plain), packet.len); /* nothing was left to be done */
	assert_int_equal(receive(&taker), packet.len);
	/* Larger than the MTU, and to be cut into pieces that are, too. */
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 9000);
	uint64_t before = rig_drops(&rig, "sender", NQ_DROP_OVERSIZE);
	send_unfinished(&packet, FRONT_GSO_TCPV4, 4000);
	assert_int_equal(receive(&plain), 0);
	assert_int_equal(rig_drops(&rig, "sender", NQ_DROP_OVERSIZE), before + 1);
	close_three();
}

/* A guest that says that it takes large frames and has no buffers for them loses those, and none of
 * the small ones behind. */
static void test_small_buffers(void **state)
{
	struct front_header none = {0};
	struct front small;

	(void)state;
	guest(&sender, "sender", (struct front_options){.wanted = SENDS});
	guest(&small, "small", (struct front_options){.wanted = TAKES});
	packet_unfinished(&packet, "10.0.0.1", "10.0.0.2", 20000);
	struct front_header header = header_of(&packet, FRONT_GSO_TCPV4, MSS);
	assert_int_equal(front_send_large(&sender, 0, &header, packet.bytes, packet.len), 0);
	rig_poll(&rig);
	front_sent(&sender, 0);
	packet_udp(&packet, "10.0.0.1", "10.0.0.2", 1, 2);
	assert_int_equal(front_send_large(&sender, 0, &none, packet.bytes, packet.len), 0);
	rig_poll(&rig);
	assert_int_equal(front_receive(&small, 0, got, sizeof(got)), packet.len);
	assert_memory_equal(got, packet.bytes, packet.len);
	assert_int_equal(rig_drops(&rig, "small", NQ_DROP_FULL) +
				 rig_drops(&rig, "small", NQ_DROP_OVERSIZE),
			 1);
	front_close(&sender);
	front_close(&small);
}

/* A port may be told to keep out of it: nothing is offered. */
static void test_not_offered(void **state)
{
	struct nq_port_config config = {.name = "off",
					.bridge = "br",
					.kind = "vhost",
					.where = path_of("off"),
					.server = true,
					.no_offloads = true};
	const struct front_options options = {.wanted = SENDS | TAKES};
	struct front front;

	(void)state;
	nq_port_rules_init(&config.rules);
	assert_int_equal(nq_port_add(rig.sw, &config), 0);
	assert_int_equal(front_connect(&front, path_of("off"), &options), 0);
	assert_int_equal(front_start(&front), 0);
	assert_int_equal(front.features & (SENDS | TAKES), 0);
	front_close(&front);
}

/* ---- workers ---- */

static struct nq_worker_info worker(unsigned index)
{
	struct nq_worker_info info;

	nq_worker_info(rig.sw, index, &info);
	return info;
}

static size_t wait_for_frame(struct front *front)
{
	size_t len = 0;

	for (int ms = 0; ms < PATIENCE_MS && !len; ms++) {
		len = front_receive(front, 0, got, sizeof(got));
		if (!len)
			pause_ms();
	}
	return len;
}

static void wait_for_doze(void)
{
	uint64_t before = worker(0).dozes;

	for (int ms = 0; ms < PATIENCE_MS && worker(0).dozes < before + 2; ms++)
		pause_ms();
	assert_true(worker(0).dozes >= before + 2);
}

/* An idle worker waits for a kick, and misses no frame: of each, it is either told, or has not
 * slept. */
static void test_kick(void **state)
{
	(void)state;
	rig_open(&rig, 1);
	guest(&sender, "sender", (struct front_options){0});
	guest(&taker, "taker", (struct front_options){0});
	for (unsigned round = 0; round < 20; round++) {
		if (round % 4 == 0)
			wait_for_doze();
		packet_udp(&packet, "10.0.0.1", "10.0.0.2", 1, (uint16_t)round);
		assert_int_equal(front_send(&sender, 0, packet.bytes, packet.len), 0);
		if (front_wants_kick(&sender, 0))
			front_kick(&sender, 0);
		assert_int_equal(wait_for_frame(&taker), packet.len);
		assert_memory_equal(got, packet.bytes, packet.len);
		front_post(&taker, 0);
		front_sent(&sender, 0);
	}
	assert_true(worker(0).kicks > 0);
	front_close(&sender);
	front_close(&taker);
	rig_close(&rig);
}

/* Workers come and go under traffic; frames go on, in order. */
static void test_workers_set(void **state)
{
	unsigned sent = 0, seen = 0;

	(void)state;
	rig_open(&rig, 1);
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	assert_int_equal(nq_workers_set(rig.sw, 0, NULL), -EINVAL);
	assert_int_equal(nq_workers_set(rig.sw, NQ_WORKERS + 1, NULL), -EINVAL);
	for (unsigned round = 0; round < 12; round++) {
		static const unsigned counts[] = {2, 3, 1, 4};

		assert_int_equal(nq_workers_set(rig.sw, counts[round % 4], NULL), 0);
		assert_int_equal(nq_workers(rig.sw), counts[round % 4]);
		unsigned queues = 0;
		for (unsigned i = 0; i < nq_workers(rig.sw); i++)
			queues += worker(i).queues;
		assert_int_equal(queues, 2);
		for (unsigned i = 0; i < 100; i++, sent++) {
			packet_udp(&packet, "10.0.0.1", "10.0.0.2", 1, (uint16_t)sent);
			while (nq_ring_send(rig.sw, "p1", packet.bytes, packet.len))
				pause_ms();
		}
		for (int ms = 0; ms < PATIENCE_MS && seen < sent; ms++) {
			while (nq_ring_receive(rig.sw, "p2", got, sizeof(got)) > 0) {
				packet_udp(&packet, "10.0.0.1", "10.0.0.2", 1, (uint16_t)seen++);
				assert_memory_equal(got, packet.bytes, packet.len);
			}
			pause_ms();
		}
		assert_int_equal(seen, sent);
	}
	rig_close(&rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_checksum4),	     TEST(test_checksum6),
		TEST(test_segments4),	     TEST(test_segments6),
		TEST(test_segments_tagged),  TEST(test_lies),
		TEST(test_small_buffers),    TEST(test_not_offered),
		cmocka_unit_test(test_kick), cmocka_unit_test(test_workers_set),
	};

	if (!mkdtemp(folder))
		return 1;
	int failed = cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
	rmdir(folder);
	return failed;
}
