/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any frames, through ports with every kind of rule. Whatever they are, they are counted once where
 * they came in, every buffer comes back, and the sanitizers see no read beyond a header that is not
 * there.
 *
 * Input: for each frame a byte (port in its low bits), a byte of length, and so many bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netqueue/netqueue.h"

#define PORTS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static const char *const names[PORTS] = {"open", "access", "trunk", "tunnel", "strict"};
static struct nq_switch *sw;
static uint64_t now_ns = 1000000000;

static uint64_t clock_ns(void *opaque)
{
	(void)opaque;
	return now_ns;
}

static void rules_of(unsigned port, struct nq_port_rules *rules)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

	nq_port_rules_init(rules);
	if (port == 1 || port == 3) {
		rules->vlan.mode = port == 1 ? NQ_VLAN_ACCESS : NQ_VLAN_TUNNEL;
		rules->vlan.vlan = 10;
	}
	if (port == 2)
		rules->vlan.vlan = 10;
	if (port != 4)
		return;
	rules->security.mac_count = rules->security.ip4_count = rules->security.ip6_count = 1;
	memcpy(rules->security.macs[0], mac, sizeof(mac));
	rules->security.ip4[0] = 0x0a000001;
	rules->security.ip6[0][0] = 0xfd;
	rules->storm = (struct nq_storm_rules){1000, 1000, 1000};
	rules->rate_bytes = 1000000;
	rules->shape_bytes = 1000000;
	rules->mac_limit = 4;
	strcpy(rules->acl_in, "list");
	strcpy(rules->acl_out, "list");
}

/* Rules that look at everything there is to a frame. */
static int load_list(void)
{
	struct nq_acl_rule rules[4];
	struct nq_acl acl = {.name = "list", .count = 4, .rules = rules};

	for (unsigned i = 0; i < 4; i++) {
		nq_acl_rule_init(&rules[i]);
		rules[i].deny = i & 1;
		rules[i].has_protocol = true;
		rules[i].protocol = i & 2 ? 17 : 6;
		rules[i].to_port[0] = (uint16_t)(i * 1000);
		rules[i].family = i & 1 ? 4 : 6;
	}
	rules[0].tcp_flags = 0x02;
	rules[0].tcp_mask = 0x12;
	rules[3].from[0] = 10;
	rules[3].from_bits = 8;
	return nq_acl_load(sw, &acl);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct nq_eal_options eal = {.memory_mb = 64};
	struct nq_options options = {.buffers = 2047, .macs = 256, .clock = clock_ns};
	struct nq_bridge_config bridge = {.name = "br", .ageing_s = 10};

	(void)argc, (void)argv;
	if (nq_eal_start(&eal) || nq_switch_create(&options, &sw) || nq_bridge_add(sw, &bridge) ||
	    load_list())
		abort();
	for (unsigned i = 0; i < PORTS; i++) {
		struct nq_port_config config = {.bridge = "br", .kind = "ring"};

		strcpy(config.name, names[i]);
		rules_of(i, &config.rules);
		if (nq_port_add(sw, &config))
			abort();
	}
	return 0;
}

static void drain(void)
{
	uint8_t frame[4096];
	int len;

	while (nq_switch_poll(sw))
		;
	for (unsigned i = 0; i < PORTS; i++)
		while ((len = nq_ring_receive(sw, names[i], frame, sizeof(frame))))
			if (len < 14 || len > 1522)
				abort();
}

static uint64_t received(void)
{
	struct nq_stats stats;
	uint64_t sum = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		nq_port_stats(sw, names[i], &stats);
		sum += stats.rx_packets;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t before = received(), sent = 0;
	unsigned count, available;

	while (size >= 2) {
		const char *port = names[data[0] % PORTS];
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		sent += nq_ring_send(sw, port, data + 2, len) == 0;
		data += 2 + len;
		size -= 2 + len;
		if (sent % 64 == 63)
			drain();
	}
	drain();
	nq_switch_event(sw); /* what was said of groups */
	now_ns += 1000000000;
	nq_switch_tick(sw);
	drain(); /* what waited for its rate */
	nq_buffers(sw, &count, &available);
	if (received() - before != sent || count != available)
		abort();
	return 0;
}
