/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_cycles: what a frame costs from one guest to another, beside the least it can cost.
 *
 * Both guests are in this process (tests/fakes/vhost_front.h). One after the other, and again, 32
 * frames are put into each guest's ring, the contestant moves them, and only its own work is timed:
 *
 *   switch    sluice's: VLANs, learning, lookup, counters
 *   io        DPDK's net_vhost ports and testpmd's io loop: receive a burst here, send it there
 *
 * Both stand on the same rte_vhost, so `io` is the ceiling. Medians of bursts leave out those
 * during which the system ran somebody else; the spread is of the rounds. The last column is the
 * rate in parts of the ceiling's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "base/util.h"
#include "netqueue/netqueue.h"
#include "tests/fakes/vhost_front.h"

#define BURST  32
#define BURSTS 4000
#define ROUNDS 5

struct bench {
	struct nq_switch *sw;
	unsigned rounds, bursts;
	FILE *json;
	uint16_t io[2];
	struct rte_mempool *pool;
	char folder[32];
	struct front guests[2][2]; /* contestant, side */
};

static void die(const char *what)
{
	fprintf(stderr, "switch_cycles: %s\n", what);
	exit(1);
}

static const char *path_of(const struct bench *b, char kind, unsigned side)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%c%u", b->folder, kind, side);
	return path;
}

/* ---- the contestants ---- */

static void open_switch(struct bench *b)
{
	struct nq_options options = {.buffers = 4095, .macs = 4096};
	struct nq_bridge_config bridge = {.name = "br"};

	if (nq_switch_create(&options, &b->sw) || nq_bridge_add(b->sw, &bridge))
		die("no switch");
	for (unsigned side = 0; side < 2; side++) {
		struct nq_port_config port = {.bridge = "br",
					      .kind = "vhost",
					      .where = path_of(b, 's', side),
					      .server = true};

		nq_port_rules_init(&port.rules);
		snprintf(port.name, sizeof(port.name), "p%u", side);
		if (nq_port_add(b->sw, &port))
			die("no port");
	}
}

static void open_io(struct bench *b)
{
	struct rte_eth_conf conf = {0};
	char args[128];

	b->pool =
		rte_pktmbuf_pool_create("io", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	for (unsigned side = 0; b->pool && side < 2; side++) {
		snprintf(args, sizeof(args), "net_vhost%u,iface=%s", side, path_of(b, 'i', side));
		if (rte_dev_probe(args))
			die("no net_vhost");
		args[strcspn(args, ",")] = '\0';
		if (rte_eth_dev_get_port_by_name(args, &b->io[side]) ||
		    rte_eth_dev_configure(b->io[side], 1, 1, &conf) ||
		    rte_eth_rx_queue_setup(b->io[side], 0, 256, 0, NULL, b->pool) ||
		    rte_eth_tx_queue_setup(b->io[side], 0, 256, 0, NULL) ||
		    rte_eth_dev_start(b->io[side]))
			die("net_vhost does not start");
	}
	if (!b->pool)
		die("no memory");
}

/* As testpmd's io_fwd.c. */
static void io_round(struct bench *b)
{
	struct rte_mbuf *frames[BURST];

	for (unsigned side = 0; side < 2; side++) {
		uint16_t got = rte_eth_rx_burst(b->io[side], 0, frames, BURST);

		if (!got)
			continue;
		uint16_t sent = rte_eth_tx_burst(b->io[1 - side], 0, frames, got);
		while (sent < got)
			rte_pktmbuf_free(frames[sent++]);
	}
}

static void run_contestant(struct bench *b, unsigned who)
{
	if (who)
		io_round(b);
	else
		nq_switch_poll(b->sw);
}

/* ---- the guests ---- */

/* It polls, as a busy guest does: virtio 1.2 sections 2.7.7 and 2.8.14. */
static void want_no_interrupts(struct front *front)
{
	const uint16_t off = 1;

	for (unsigned i = 0; i < front->ring_count; i++)
		memcpy(front->rings[i].avail + (front->options.packed ? 2 : 0), &off, sizeof(off));
}

static void connect_guests(struct bench *b, const struct front_options *options)
{
	for (unsigned i = 0; i < 4; i++) {
		struct front *front = &b->guests[i / 2][i % 2];

		if (front_connect(front, path_of(b, "si"[i / 2], i % 2), options) ||
		    front_start(front))
			die("a guest is not taken");
		want_no_interrupts(front);
	}
}

static void disconnect_guests(struct bench *b)
{
	for (unsigned i = 0; i < 4; i++)
		front_close(&b->guests[i / 2][i % 2]);
	for (int ms = 0; ms < 500; ms++) { /* until the library has seen it */
		nq_switch_event(b->sw);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static void fill(struct bench *b, unsigned who, size_t len)
{
	uint8_t frame[1600] = {2, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0x88, 0xb5};

	for (unsigned side = 0; side < 2; side++) {
		frame[5] = (uint8_t)(2 - side);
		frame[11] = (uint8_t)(1 + side);
		for (unsigned i = 0; i < BURST; i++)
			if (front_send(&b->guests[who][side], 0, frame, len))
				die("a ring is full");
	}
}

/* How many frames have arrived. */
static unsigned empty(struct bench *b, unsigned who)
{
	uint8_t frame[1600];
	unsigned count = 0;

	for (unsigned side = 0; side < 2; side++) {
		struct front *front = &b->guests[who][side];

		front_sent(front, 0);
		while (front_receive(front, 0, frame, sizeof(frame)))
			count++;
		front_post(front, 0);
	}
	return count;
}

/* The library's thread answers in its own time. */
static void wait_for_traffic(struct bench *b, unsigned who, size_t len)
{
	for (int ms = 0; ms < 10000; ms++) {
		nq_switch_event(b->sw);
		fill(b, who, len);
		for (unsigned i = 0; i < 4; i++)
			run_contestant(b, who);
		if (empty(b, who) == 2 * BURST)
			return;
		/* What was not taken yet will be. */
		for (unsigned i = 0; i < 1000 && !empty(b, who); i++) {
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
			nq_switch_event(b->sw);
			run_contestant(b, who);
		}
		while (empty(b, who))
			run_contestant(b, who);
	}
	die("no traffic");
}

/* ---- measuring ---- */

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median_cycles(struct bench *b, unsigned who, size_t len)
{
	static uint64_t took[BURSTS];

	for (unsigned i = 0; i < b->bursts; i++) {
		fill(b, who, len);
		uint64_t start = rte_rdtsc_precise();
		run_contestant(b, who);
		took[i] = rte_rdtsc_precise() - start;
		if (empty(b, who) != 2 * BURST)
			die("frames are lost");
	}
	qsort(took, b->bursts, sizeof(took[0]), by_size);
	const uint64_t middle = took[b->bursts / 2];
	return (double)middle / (2.0 * BURST);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct bench *b, const char *rings, size_t len)
{
	double cycles[2][ROUNDS] = {{0}}, ratio[ROUNDS] = {0};
	unsigned middle = b->rounds / 2, last = b->rounds - 1;

	for (unsigned round = 0; round < b->rounds; round++) {
		for (unsigned who = 0; who < 2; who++)
			cycles[who][round] = median_cycles(b, who, len);
		ratio[round] = cycles[1][round] / cycles[0][round];
	}
	for (unsigned who = 0; who < 2; who++)
		qsort(cycles[who], b->rounds, sizeof(double), by_value);
	qsort(ratio, b->rounds, sizeof(double), by_value);
	printf("%-16s %5zu  %6.0f (%.0f-%.0f)  %6.0f (%.0f-%.0f)  %.2f (%.2f-%.2f)\n", rings, len,
	       cycles[0][middle], cycles[0][0], cycles[0][last], cycles[1][middle], cycles[1][0],
	       cycles[1][last], ratio[middle], ratio[0], ratio[last]);
	fprintf(b->json,
		"{\"what\":\"cycles\",\"rings\":\"%s\",\"bytes\":%zu,\"switch\":%.1f,\"io\":%.1f,"
		"\"of_ceiling\":%.3f,\"least\":%.3f,\"most\":%.3f}\n",
		rings, len, cycles[0][middle], cycles[1][middle], ratio[middle], ratio[0],
		ratio[last]);
}

/* ---- stages ---- */

/* A guest at neither, one, the other or both ends: what it costs to take frames from it and to give
 * them to it is the difference to ring ports, which cost next to nothing. */
static double stage_cycles(struct bench *b, const char *from, const char *to, size_t len)
{
	static uint64_t took[BURSTS];
	uint8_t frame[1600] = {2, 0, 0, 0, 0, to[0] == 'r' ? 9 : 2, 2, 0, 0, 0, 0, 0, 0x88, 0xb5};
	struct front *sender = &b->guests[0][0];
	unsigned count;

	frame[11] = from[0] == 'r' ? 8 : 1;
	for (unsigned i = 0; i < b->bursts; i++) {
		for (unsigned n = 0; n < BURST; n++)
			if (from[0] == 'r' ? nq_ring_send(b->sw, from, frame, len)
					   : front_send(sender, 0, frame, len))
				die("a ring is full");
		uint64_t start = rte_rdtsc_precise();
		nq_switch_poll(b->sw);
		took[i] = rte_rdtsc_precise() - start;
		for (count = 0; nq_ring_receive(b->sw, "r1", frame + 64, sizeof(frame) - 64) > 0;)
			count++;
		if (empty(b, 0) + count != BURST)
			die("frames are lost between stages");
	}
	size_t middle = b->bursts / 2;
	qsort(took, b->bursts, sizeof(took[0]), by_size);
	return (double)took[middle] / BURST;
}

static void add_rings(struct bench *b)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nq_port_config port = {.bridge = "br", .kind = "ring"};
		struct nq_mac mac = {.bridge = "br", .mac = {2, 0, 0, 0, 0, (uint8_t)(8 + i)}};

		nq_port_rules_init(&port.rules);
		snprintf(port.name, sizeof(port.name), "r%u", i);
		snprintf(mac.port, sizeof(mac.port), "r%u", i);
		if (nq_port_add(b->sw, &port) || nq_mac_add(b->sw, &mac))
			die("no ring");
	}
}

/* With ports that nobody sends by, so each of them has its share of an empty poll. */
static void measure_stages(struct bench *b, const char *rings, size_t len)
{
	double inside = stage_cycles(b, "r0", "r1", len);
	double in = stage_cycles(b, "p0", "r1", len), out = stage_cycles(b, "r0", "p1", len);

	printf("%-16s %5zu  receive %4.0f  switch %4.0f  send %4.0f\n", rings, len, in - inside,
	       inside, out - inside);
	fprintf(b->json,
		"{\"what\":\"stages\",\"rings\":\"%s\",\"bytes\":%zu,\"receive\":%.1f,"
		"\"switch\":%.1f,\"send\":%.1f}\n",
		rings, len, in - inside, inside, out - inside);
}

static void take_options(struct bench *b, int argc, char **argv)
{
	b->rounds = ROUNDS;
	b->bursts = BURSTS;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--short")) {
			b->rounds = 3;
			b->bursts = BURSTS / 4;
		} else if (!strcmp(argv[i], "--json") && i + 1 < argc) {
			b->json = fopen(argv[++i], "ae");
		} else {
			die("options are --short and --json FILE");
		}
	}
	if (!b->json)
		b->json = fopen("/dev/null", "we");
	if (!b->json)
		die("no file for the numbers");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct front_options options;
	} kinds[] = {{"split", {0}},
		     {"split mergeable", {.mergeable = true}},
		     {"packed", {.packed = true}},
		     {"packed mergeable", {.packed = true, .mergeable = true}}};
	static const size_t sizes[] = {60, 508, 1514};
	struct nq_eal_options eal = {.memory_mb = 128};
	struct bench b = {.folder = "/tmp/sluice-bench-XXXXXX"};

	take_options(&b, argc, argv);
	if (!mkdtemp(b.folder) || nq_eal_start(&eal))
		die("not started");
	open_switch(&b);
	open_io(&b);
	printf("cycles per frame, guest to guest, one CPU; medians of %d rounds (least-most)\n"
	       "%-16s %5s  %-18s %-18s %s\n",
	       (int)b.rounds, "rings", "bytes", "switch", "io (ceiling)",
	       "part of the ceiling's rate");
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		connect_guests(&b, &kinds[k].options);
		for (unsigned who = 0; who < 2; who++)
			wait_for_traffic(&b, who, 60);
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			measure(&b, kinds[k].name, sizes[s]);
		disconnect_guests(&b);
	}
	printf("cycles per frame of each stage of the switch\n");
	add_rings(&b);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		connect_guests(&b, &kinds[k].options);
		wait_for_traffic(&b, 0, 60);
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
			measure_stages(&b, kinds[k].name, sizes[s]);
		disconnect_guests(&b);
	}
	fclose(b.json);
	nq_switch_destroy(b.sw);
	for (unsigned side = 0; side < 2; side++) {
		rte_eth_dev_stop(b.io[side]);
		rte_eth_dev_close(b.io[side]);
	}
	rmdir(b.folder);
	nq_eal_stop();
	return 0;
}
