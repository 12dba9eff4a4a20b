/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports of every kind that this machine can have without a NIC: in a network namespace of the
 * test's own, which needs root (without it the tests that do are skipped, and say so). Each kind
 * carries frames both ways, and comes and goes while others talk.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/netqueue/host.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif

static struct rig rig;
static bool alone; /* in a namespace of our own */
static char folder[] = "/tmp/sluice-ports-XXXXXX";

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, 0);
	rig_port(&rig, "ring", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static int add(const char *name, const char *bridge, const char *kind, const char *where,
	       bool server)
{
	struct nq_port_config config = {.kind = kind, .where = where, .server = server};

	snprintf(config.name, sizeof(config.name), "%s", name);
	snprintf(config.bridge, sizeof(config.bridge), "%s", bridge);
	nq_port_rules_init(&config.rules);
	return nq_port_add(rig.sw, &config);
}

static void wait_up(const char *port)
{
	struct nq_port_info info = {0};

	for (int ms = 0; ms < HOST_PATIENCE_MS && !info.up; ms++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		rig_poll(&rig);
		assert_int_equal(nq_port_info(rig.sw, port, &info), 0);
	}
	assert_true(info.up);
}

/* What comes in by the port leaves by the ring, and the other way round. */
static void carries(const char *interface)
{
	int fd = host_open(interface);

	for (int i = 0; i < 50; i++) {
		host_send(fd, "all a len=700");
		host_expect_ring(&rig, "ring", "all a len=700");
		rig_send(&rig, "ring", "a r len=1514");
		host_expect(&rig, fd, "a r len=1514");
	}
	close(fd);
}

/* ---- one kind after the other ---- */

static void test_tap(void **state)
{
	(void)state;
	host_need(alone);
	assert_int_equal(add("t", "br", "tap", "sw-tap", false), 0);
	host_ip("link set sw-tap up");
	/* What a socket sends by a tap comes in at the switch. */
	carries("sw-tap");
	assert_int_equal(nq_port_remove(rig.sw, "t"), 0);
	assert_int_equal(if_nametoindex("sw-tap"), 0);
}

static void test_af_packet(void **state)
{
	(void)state;
	host_need(alone);
	host_make_veth();
	assert_int_equal(add("p", "br", "af_packet", "sw-veth", false), 0);
	carries("sw-peer");
	assert_int_equal(nq_port_remove(rig.sw, "p"), 0);
	host_ip("link del sw-veth");
}

static bool has_xdp(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_af_xdp(void **state)
{
	(void)state;
	host_need(alone);
	if (!has_xdp()) {
		print_message("# skip: this kernel has no AF_XDP\n");
		skip();
	}
	host_make_veth();
	assert_int_equal(add("x", "br", "af_xdp", "sw-veth", false), 0);
	carries("sw-peer");
	assert_int_equal(nq_port_remove(rig.sw, "x"), 0);
	host_ip("link del sw-veth");
}

/* Both ends in one switch, in two bridges. */
static void test_memif(void **state)
{
	struct nq_bridge_config far = {.name = "far"};
	struct nq_port_config ring = {.name = "far-ring", .bridge = "far", .kind = "ring"};
	char where[64];

	(void)state;
	snprintf(where, sizeof(where), "%s/memif,7", folder);
	nq_port_rules_init(&ring.rules);
	assert_int_equal(nq_bridge_add(rig.sw, &far), 0);
	assert_int_equal(nq_port_add(rig.sw, &ring), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(add("s", "br", "memif", where, true), 0);
		assert_int_equal(add("c", "far", "memif", where, false), 0);
		wait_up("s");
		wait_up("c");
		for (int i = 0; i < 50; i++) {
			rig_send(&rig, "ring", "b a len=1514");
			host_expect_ring(&rig, "far-ring", "b a len=1514");
			rig_send(&rig, "far-ring", "a b");
			host_expect_ring(&rig, "ring", "a b");
		}
		assert_int_equal(nq_port_remove(rig.sw, "c"), 0);
		assert_int_equal(nq_port_remove(rig.sw, "s"), 0);
	}
}

static void test_null(void **state)
{
	struct nq_stats stats;

	(void)state;
	assert_int_equal(add("n", "br", "null", NULL, false), 0);
	rig_send(&rig, "ring", "all r");
	nq_switch_poll(rig.sw);
	assert_int_equal(nq_port_stats(rig.sw, "n", &stats), 0);
	assert_int_equal(stats.tx_packets, 1);
	assert_true(stats.rx_packets > 0);
}

/* ---- what cannot be ---- */

static void refuse(int err, const char *kind, const char *where)
{
	assert_int_equal(add("bad", "br", kind, where, false), err);
	assert_null(nq_port_find(rig.sw, "bad"));
}

static void test_refused(void **state)
{
	(void)state;
	refuse(-EINVAL, "carrier-pigeon", "coop");
	refuse(-EINVAL, "tap", NULL);
	refuse(-EINVAL, "tap", "a-name-that-is-too-long");
	refuse(-EINVAL, "tap", "t0,persist");
	refuse(-EINVAL, "af_packet", "a/b");
	refuse(-EINVAL, "af_xdp", "x=y");
	refuse(-EINVAL, "memif", "relative");
	refuse(-EINVAL, "memif", "/tmp/m,many");
	refuse(-EINVAL, "memif", "/tmp/m,0,role=server");
	refuse(-EINVAL, "pci", "everywhere");
	/* The rest runs. */
	rig_port(&rig, "other", NULL);
	rig_send(&rig, "ring", "all r");
	rig_expect(&rig, "other", "all r");
}

/* Well named, and not there. */
static void test_missing(void **state)
{
	static const struct {
		const char *kind, *where;
	} wanted[] = {{"pci", "ffff:1f:1f.7"}, {"pcap", "/no/such/file,"}};

	(void)state;
	refuse(-ENODEV, "af_packet", "sw-none");
	refuse(-ENODEV, "af_xdp", "sw-none");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_true(add("bad", "br", wanted[i].kind, wanted[i].where, false) < 0);
		assert_null(nq_port_find(rig.sw, "bad"));
	}
	rig_port(&rig, "other", NULL);
	rig_send(&rig, "ring", "all r");
	rig_expect(&rig, "other", "all r");
}

/* An interface that is there already is nobody's to make; a tap that is a port's is busy. */
static void test_busy(void **state)
{
	(void)state;
	host_need(alone);
	assert_int_equal(add("t", "br", "tap", "sw-tap", false), 0);
	refuse(-EEXIST, "tap", "sw-tap");
	assert_int_equal(nq_port_remove(rig.sw, "t"), 0);
}

/* ---- under traffic ---- */

static int setup_threads(void **state)
{
	(void)state;
	rig_open(&rig, 2);
	return 0;
}

struct talk {
	unsigned sent, received;
};

/* Never more under way than a ring holds. */
static void talk(struct talk *talk, unsigned count)
{
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame("b a", frame);

	for (unsigned end = talk->sent + count; talk->sent != end;) {
		if (talk->sent - talk->received < 256 && !nq_ring_send(rig.sw, "one", frame, len))
			talk->sent++;
		while (nq_ring_receive(rig.sw, "two", got, sizeof(got)) == (int)len)
			talk->received++;
	}
}

static void come_and_go(struct talk *t, const char *kind, const char *where, bool server)
{
	/* Null gives what lies in its buffers, as fast as it is asked: somebody's old frames. */
	const char *bridge = strcmp(kind, "null") ? "br" : "spare";

	for (int i = 0; i < 3; i++) {
		talk(t, 200);
		assert_int_equal(add("guest", bridge, kind, where, server), 0);
		talk(t, 200);
		assert_int_equal(nq_port_remove(rig.sw, "guest"), 0);
	}
}

static void test_under_traffic(void **state)
{
	struct nq_mac mac = {.bridge = "br", .port = "two", .mac = {2, 0, 0, 0, 0, 'b'}};
	struct nq_bridge_config spare = {.name = "spare"};
	char socket[64], file[64];
	uint8_t got[RIG_FRAME];
	struct talk t = {0};

	(void)state;
	rig_port(&rig, "one", NULL);
	rig_port(&rig, "two", NULL);
	assert_int_equal(nq_bridge_add(rig.sw, &spare), 0);
	assert_int_equal(nq_mac_add(rig.sw, &mac), 0);
	snprintf(socket, sizeof(socket), "%s/s", folder);
	snprintf(file, sizeof(file), ",%s/out", folder);
	come_and_go(&t, "vhost", socket, true);
	come_and_go(&t, "vhost", socket, false);
	come_and_go(&t, "memif", socket, true);
	come_and_go(&t, "pcap", file, false);
	come_and_go(&t, "null", NULL, false);
	come_and_go(&t, "ring", NULL, false);
	if (alone) {
		host_make_veth();
		come_and_go(&t, "tap", "sw-tap", false);
		come_and_go(&t, "af_packet", "sw-veth", false);
		if (has_xdp())
			come_and_go(&t, "af_xdp", "sw-veth", false);
		host_ip("link del sw-veth");
	}
	/* Not one was lost. */
	while (t.received < t.sent)
		t.received += nq_ring_receive(rig.sw, "two", got, sizeof(got)) == 60;
	assert_int_equal(rig_drops(&rig, "two", NQ_DROP_FULL), 0);
	unlink(file + 1);
}

static int start_group(void **state)
{
	alone = host_alone();
	return mkdtemp(folder) ? rig_eal_start(state) : -1;
}

static int stop_group(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/memif", folder);
	unlink(path);
	rmdir(folder);
	return rig_eal_stop(state);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_tap),
		CASE(test_af_packet),
		CASE(test_af_xdp),
		CASE(test_memif),
		CASE(test_null),
		CASE(test_refused),
		CASE(test_missing),
		CASE(test_busy),
		cmocka_unit_test_setup_teardown(test_under_traffic, setup_threads, teardown),
	};
	return cmocka_run_group_tests(tests, start_group, stop_group);
}
