/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_vtep and port_vxlan: two ends in one switch, with the bridge "under" between them; frames
 * made by hand; and the kernel's own vxlan device at the other end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/netqueue/host.h"

static struct rig rig;
static bool alone;

static int setup(void **state)
{
	struct nq_bridge_config under = {.name = "under"}, far = {.name = "far"};

	(void)state;
	rig_open(&rig, 0);
	assert_int_equal(nq_bridge_add(rig.sw, &under), 0);
	assert_int_equal(nq_bridge_add(rig.sw, &far), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static int add(const char *name, const char *bridge, const char *kind, const char *where)
{
	return rig_add(&rig, name, bridge, kind, where);
}

/* Host a in "br", b in "far", and a wire that sees what is between. */
static void join(void)
{
	assert_int_equal(add("a", "br", "ring", NULL), 0);
	assert_int_equal(add("b", "far", "ring", NULL), 0);
	assert_int_equal(add("v1", "under", "vtep", "10.9.0.1/24"), 0);
	assert_int_equal(add("v2", "under", "vtep", "10.9.0.2/24"), 0);
	assert_int_equal(add("t1", "br", "vxlan", "10.9.0.2,vni=42,local=10.9.0.1"), 0);
	assert_int_equal(add("t2", "far", "vxlan", "10.9.0.1,vni=42,via=v2"), 0);
	assert_int_equal(add("wire", "under", "ring", NULL), 0);
}

static void test_both_ways(void **state)
{
	struct nq_port_info info;

	(void)state;
	join();
	rig_send(&rig, "a", "b a");
	rig_poll(&rig);
	assert_int_equal(rig_drops(&rig, "t1", NQ_DROP_UNRESOLVED), 1);
	rig_attend(&rig, 2); /* each asks for the other */
	assert_int_equal(nq_port_info(rig.sw, "t1", &info), 0);
	assert_true(info.up);
	for (int i = 0; i < 100; i++) {
		rig_send(&rig, "a", "b a len=1464");
		rig_expect(&rig, "b", "b a len=1464");
		rig_send(&rig, "b", "all b vlan=7");
		rig_expect(&rig, "a", "all b vlan=7");
		rig_send(&rig, "b", "a b");
		rig_expect(&rig, "a", "a b");
	}
	/* Larger than the underlay carries. */
	rig_send(&rig, "a", "b a len=1514");
	rig_expect_none(&rig, "b");
	assert_int_equal(rig_drops(&rig, "a", NQ_DROP_OVERSIZE), 1);
}

/* One broadcast to several tunnels and a station: each has its own. */
static void test_flood(void **state)
{
	(void)state;
	join();
	assert_int_equal(add("v3", "under", "vtep", "10.9.0.3/24"), 0);
	assert_int_equal(add("t3", "br", "vxlan", "10.9.0.3,vni=42,local=10.9.0.1"), 0);
	assert_int_equal(add("far3", "far", "vxlan", "10.9.0.1,vni=42,local=10.9.0.3"), 0);
	assert_int_equal(add("c", "br", "ring", NULL), 0);
	rig_attend(&rig, 2);
	assert_int_equal(nq_port_remove(rig.sw, "far3"), 0); /* no loop */
	rig_send(&rig, "a", "all a");
	rig_expect(&rig, "b", "all a");
	rig_expect(&rig, "c", "all a");
	rig_expect_none(&rig, "b");
	assert_true(rig_drops(&rig, "v3", NQ_DROP_NOWHERE) > 0); /* the tunnel ends nowhere there */
}

/* A next hop that says no more: asked each second, and given up. */
static void test_next_hop_goes(void **state)
{
	struct nq_port_info info;

	(void)state;
	join();
	rig_attend(&rig, 2);
	assert_int_equal(nq_port_remove(rig.sw, "t2"), 0);
	assert_int_equal(nq_port_remove(rig.sw, "v2"), 0);
	rig_attend(&rig, 590);
	assert_int_equal(nq_port_info(rig.sw, "t1", &info), 0);
	assert_true(info.up);
	rig_attend(&rig, 20);
	assert_int_equal(nq_port_info(rig.sw, "t1", &info), 0);
	assert_false(info.up);
	assert_int_equal(add("v2", "under", "vtep", "10.9.0.2/24"), 0);
	rig_attend(&rig, 12);
	assert_int_equal(nq_port_info(rig.sw, "t1", &info), 0);
	assert_true(info.up);
}

/* ---- frames made by hand ---- */

static size_t next_on_wire(uint8_t frame[RIG_FRAME])
{
	rig_poll(&rig);
	int len = nq_ring_receive(rig.sw, "wire", frame, RIG_FRAME);
	assert_true(len >= 0);
	return (size_t)len;
}

/* What a vtep sends, byte by byte where RFC 7348 says so. */
static void test_format(void **state)
{
	uint8_t f[RIG_FRAME];

	(void)state;
	assert_int_equal(add("a", "br", "ring", NULL), 0);
	assert_int_equal(add("v1", "under", "vtep", "10.9.0.1/24"), 0);
	assert_int_equal(add("t1", "br", "vxlan", "10.9.0.2,vni=74565,local=10.9.0.1"), 0);
	assert_int_equal(add("wire", "under", "ring", NULL), 0);
	rig_attend(&rig, 1);
	static const uint8_t question[] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0x76, 10, 9, 0, 1,
					   10, 9, 0, 1, 0, 0, 0, 0, 0, 0,    10, 9, 0, 2};
	assert_int_equal(next_on_wire(f), 60);
	assert_memory_equal(f + 14, question, sizeof(question));
	static const uint8_t station[] = {2, 0, 0, 0, 0, 0x77, 10, 9, 0, 2};
	memcpy(f, f + 6, 6); /* the answer, from `station` */
	memcpy(f + 6, station, 6);
	f[21] = 2;
	memcpy(f + 32, f + 22, 10);
	memcpy(f + 22, station, sizeof(station));
	assert_int_equal(nq_ring_send(rig.sw, "wire", f, 60), 0);
	rig_poll(&rig);
	rig_send(&rig, "a", "b a len=100");
	assert_int_equal(next_on_wire(f), 150);
	assert_memory_equal(f, "\x02\0\0\0\0\x77\x02\x76\x0a\x09\0\x01\x08\x00\x45\x00\x00\x88",
			    18);
	assert_memory_equal(f + 20, "\x40\0\x40\x11", 4);		/* DF, TTL, UDP */
	assert_memory_equal(f + 26, "\x0a\x09\0\x01\x0a\x09\0\x02", 8); /* addresses */
	assert_true(f[34] >= 0xc0);					/* source port */
	assert_memory_equal(f + 36, "\x12\xb5\x00\x74\0\0\x08\0\0\0\x01\x23\x45\0", 14);
}

/* Each of these goes nowhere, and the next good one arrives. */
static void test_bad(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{14, 0x46}, {14, 0x65}, {16, 0xff}, {17, 20}, {20, 0x20},
		   {23, 6},    {25, 0},	   {29, 9},    {33, 9},	 {37, 0xb6},
		   {38, 0xff}, {39, 8},	   {42, 0},    {46, 1},	 {48, 9}};
	uint8_t good[RIG_FRAME], f[RIG_FRAME];

	(void)state;
	join();
	rig_attend(&rig, 2);
	rig_send(&rig, "b", "all b"); /* the wire sees it: its address is not known there */
	rig_poll(&rig);
	assert_int_equal(nq_mac_flush_bridge(rig.sw, "under"), 0);
	while (next_on_wire(f))
		;
	rig_expect(&rig, "a", "all b");
	rig_send(&rig, "b", "all b");
	size_t len = next_on_wire(good);
	assert_int_equal(len, 110);
	rig_expect(&rig, "a", "all b");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(f, good, len);
		f[bad[i].at] = bad[i].value;
		assert_int_equal(nq_ring_send(rig.sw, "wire", f, len), 0);
		rig_expect_none(&rig, "a");
	}
	for (size_t cut = 14; cut < 64; cut++) {
		assert_int_equal(nq_ring_send(rig.sw, "wire", good, cut), 0);
		rig_expect_none(&rig, "a");
	}
	assert_int_equal(nq_ring_send(rig.sw, "wire", good, len), 0);
	rig_expect(&rig, "a", "all b");
}

static void test_refused(void **state)
{
	static const char *const vteps[] = {
		"10.9.0.1",   "10.9.0.1/32",  "10.9.0.1/0",	"10.9.0/24",
		"fd00::1/64", "224.0.0.1/24", "10.9.0.1/24,gw", "10.9.0.1/24,gateway=10.8.0.1"};
	static const char *const tunnels[] = {"10.9.0.2",
					      "10.9.0.2,vni=42",
					      "10.9.0.2,local=10.9.0.1",
					      "10.9.0.2,vni=16777216,local=10.9.0.1",
					      "10.9.0.2,vni=1,local=10.9.0.1,port=1",
					      "nobody,vni=1,local=10.9.0.1"};

	(void)state;
	for (size_t i = 0; i < sizeof(vteps) / sizeof(vteps[0]); i++)
		assert_int_equal(add("v", "under", "vtep", vteps[i]), -EINVAL);
	assert_int_equal(add("v", "under", "vtep", "10.9.0.1/24"), 0);
	assert_int_equal(add("w", "under", "vtep", "10.9.0.1/16"), -EEXIST);
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++)
		assert_int_equal(add("t", "br", "vxlan", tunnels[i]), -EINVAL);
	assert_int_equal(add("t", "br", "vxlan", "10.9.0.2,vni=1,local=10.9.0.9"), -ENOENT);
	assert_int_equal(add("t", "br", "vxlan", "10.8.0.2,vni=1,local=10.9.0.1"), -EHOSTUNREACH);
	assert_int_equal(add("t", "under", "vxlan", "10.9.0.2,vni=1,local=10.9.0.1"), -EINVAL);
	assert_int_equal(add("t", "br", "vxlan", "10.9.0.2,vni=1,local=10.9.0.1"), 0);
	assert_int_equal(add("u", "far", "vxlan", "10.9.0.2,vni=1,local=10.9.0.1"), -EEXIST);
	assert_int_equal(nq_port_remove(rig.sw, "v"), -EBUSY);
}

/* ---- the kernel's own ---- */

/* The vtep answers, and the kernel checks each sum. */
static void ping(void)
{
	int rc = -1;
	FILE *pipe =
		popen("ping -c 1 -W 5 10.9.0.1 >/dev/null 2>&1 || busybox ping -c 1 -W 5 10.9.0.1 "
		      ">/dev/null 2>&1; echo $?",
		      "r");
	assert_non_null(pipe);
	fcntl(fileno(pipe), F_SETFL, O_NONBLOCK);
	for (int ms = 0; ms < HOST_PATIENCE_MS && rc < 0; ms++) {
		char digit;

		rig_poll(&rig);
		if (read(fileno(pipe), &digit, 1) == 1)
			rc = digit - '0';
		usleep(1000);
	}
	pclose(pipe);
	assert_int_equal(rc, 0);
}

static void test_kernel(void **state)
{
	struct nq_port_info info = {0};

	(void)state;
	host_need(alone);
	host_make_veth();
	host_ip("addr add 10.9.0.2/24 dev sw-peer");
	if (system("ip link add sw-vx type vxlan id 42 remote 10.9.0.1 dstport 4789 dev sw-peer "
		   "2>/dev/null")) {
		host_ip("link del sw-veth");
		print_message("# skip: this kernel has no vxlan\n");
		skip();
	}
	host_ip("link set sw-vx up");
	assert_int_equal(add("a", "br", "ring", NULL), 0);
	assert_int_equal(add("up", "under", "af_packet", "sw-veth"), 0);
	assert_int_equal(add("v1", "under", "vtep", "10.9.0.1/24"), 0);
	assert_int_equal(add("t1", "br", "vxlan", "10.9.0.2,vni=42,local=10.9.0.1"), 0);
	for (int i = 0; i < 2000 && !info.up; i++) {
		rig_attend(&rig, 1);
		assert_int_equal(nq_port_info(rig.sw, "t1", &info), 0);
		usleep(1000);
	}
	assert_true(info.up);
	int fd = host_open("sw-vx");
	for (int i = 0; i < 50; i++) {
		rig_send(&rig, "a", "all a len=1464");
		host_expect(&rig, fd, "all a len=1464");
		host_send(fd, "a x len=1464");
		host_expect_ring(&rig, "a", "a x len=1464");
	}
	close(fd);
	host_ip("link del sw-vx");
	if (system("command -v ping >/dev/null || command -v busybox >/dev/null") == 0)
		ping();
	else
		print_message("# not pinged: there is no ping\n");
	assert_int_equal(nq_port_remove(rig.sw, "up"), 0);
	host_ip("link del sw-veth");
}

static int start_group(void **state)
{
	alone = host_alone();
	return rig_eal_start(state);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_both_ways), CASE(test_flood), CASE(test_next_hop_goes),
		CASE(test_format),    CASE(test_bad),	CASE(test_refused),
		CASE(test_kernel),
	};
	return cmocka_run_group_tests(tests, start_group, rig_eal_stop);
}
