/* SPDX-License-Identifier: BSD-3-Clause */
/* rig: see rig.h. */
#include "tests/netqueue/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rig_eal_start(void **state)
{
	struct nq_eal_options options = {.memory_mb = 128};

	(void)state;
	return nq_eal_start(&options);
}

int rig_eal_stop(void **state)
{
	(void)state;
	nq_eal_stop();
	return 0;
}

static uint64_t rig_clock(void *opaque)
{
	return ((const struct rig *)opaque)->now_ns;
}

void rig_open_sized(struct rig *rig, unsigned workers, unsigned buffers, unsigned macs)
{
	struct nq_options options = {.workers = workers,
				     .buffers = buffers,
				     .macs = macs,
				     .sleep_max_us = 100,
				     .clock = workers ? NULL : rig_clock,
				     .clock_opaque = rig};
	struct nq_bridge_config bridge = {.name = "br", .ageing_s = 300};

	memset(options.cpus, 0xff, sizeof(options.cpus));
	rig->now_ns = 1000000000;
	assert_int_equal(nq_switch_create(&options, &rig->sw), 0);
	assert_int_equal(nq_bridge_add(rig->sw, &bridge), 0);
}

void rig_open(struct rig *rig, unsigned workers)
{
	rig_open_sized(rig, workers, 4095, 1024);
}

static bool is_upper(const char *kind)
{
	const struct nq_port_kind *k = nq_port_kinds;

	while (strcmp(k->name, kind))
		k++;
	return k->upper;
}

/* Those that stand on others go first. */
static void remove_uppers(struct nq_switch *sw)
{
	const struct nq_port_config *port = nq_port_next(sw, NULL);

	while (port)
		if (is_upper(port->kind)) {
			assert_int_equal(nq_port_remove(sw, port->name), 0);
			port = nq_port_next(sw, NULL);
		} else {
			port = nq_port_next(sw, port);
		}
}

void rig_close(struct rig *rig)
{
	const struct nq_port_config *port;
	unsigned count, available;

	nq_capture_stop(rig->sw, NULL);
	for (port = nq_port_next(rig->sw, NULL); port; port = nq_port_next(rig->sw, port))
		assert_int_equal(nq_mirror_set(rig->sw, port->name, NULL), 0);
	remove_uppers(rig->sw);
	while ((port = nq_port_next(rig->sw, NULL)))
		assert_int_equal(nq_port_remove(rig->sw, port->name), 0);
	nq_buffers(rig->sw, &count, &available);
	assert_int_equal(available, count);
	nq_switch_destroy(rig->sw);
}

void rig_port(struct rig *rig, const char *name, void (*change)(struct nq_port_rules *rules))
{
	struct nq_port_config config = {.bridge = "br", .kind = "ring"};

	snprintf(config.name, sizeof(config.name), "%s", name);
	nq_port_rules_init(&config.rules);
	if (change)
		change(&config.rules);
	assert_int_equal(nq_port_add(rig->sw, &config), 0);
}

static void station(const char *word, uint8_t mac[6])
{
	static const uint8_t group[6] = {0x01, 0, 0x5e, 1, 2, 3};

	if (!strcmp(word, "all")) {
		memset(mac, 0xff, 6);
	} else if (!strcmp(word, "group")) {
		memcpy(mac, group, 6);
	} else {
		memset(mac, 0, 6);
		mac[0] = 2;
		mac[5] = (uint8_t)word[0];
	}
}

int rig_add(struct rig *rig, const char *name, const char *bridge, const char *kind,
	    const char *where)
{
	struct nq_port_config config = {.kind = kind, .where = where};

	snprintf(config.name, sizeof(config.name), "%s", name);
	snprintf(config.bridge, sizeof(config.bridge), "%s", bridge);
	nq_port_rules_init(&config.rules);
	return nq_port_add(rig->sw, &config);
}

size_t rig_frame(const char *text, uint8_t frame[RIG_FRAME])
{
	char copy[128], *rest = copy, *word;
	size_t at = 12, len = 60;
	unsigned type = 0x88b5, vlan, priority; /* IEEE 802: for experiments */

	snprintf(copy, sizeof(copy), "%s", text);
	memset(frame, 0, RIG_FRAME);
	station(strsep(&rest, " "), frame);
	station(strsep(&rest, " "), frame + 6);
	while ((word = strsep(&rest, " "))) {
		priority = 0;
		if (sscanf(word, "vlan=%u:%u", &vlan, &priority) >= 1) {
			frame[at++] = 0x81;
			frame[at++] = 0;
			frame[at++] = (uint8_t)(priority << 5 | vlan >> 8);
			frame[at++] = (uint8_t)vlan;
			len += 4;
		} else if (!strncmp(word, "len=", 4)) {
			len = strtoul(word + 4, NULL, 0);
		} else if (!strncmp(word, "type=", 5)) {
			type = (unsigned)strtoul(word + 5, NULL, 16);
		}
	}
	frame[at++] = (uint8_t)(type >> 8);
	frame[at++] = (uint8_t)type;
	for (; at < len; at++)
		frame[at] = (uint8_t)(at * 7);
	/* The payload is told from where it begins, so that a tag may come and go before it. */
	size_t tags = 0;
	while (frame[12 + tags] == 0x81 && frame[13 + tags] == 0)
		tags += 4;
	for (size_t i = 14 + tags; i < len; i++)
		frame[i] = (uint8_t)((i - tags) * 7);
	return len;
}

void rig_send(struct rig *rig, const char *port, const char *text)
{
	uint8_t frame[RIG_FRAME];
	size_t len = rig_frame(text, frame);

	assert_int_equal(nq_ring_send(rig->sw, port, frame, len), 0);
}

void rig_poll(struct rig *rig)
{
	while (nq_switch_poll(rig->sw))
		;
}

void rig_expect_at(struct rig *rig, const char *port, const char *text, const char *file, int line)
{
	uint8_t got[RIG_FRAME], wanted[RIG_FRAME];

	rig_poll(rig);
	int len = nq_ring_receive(rig->sw, port, got, sizeof(got));
	int expected = text ? (int)rig_frame(text, wanted) : 0;
	if (len == expected && (!text || !memcmp(got, wanted, (size_t)len)))
		return;
	print_error("%s: got %d bytes, wanted %d (%s)\n", port, len, expected,
		    text ? text : "nothing");
	for (int i = 0; i < len && i < 20; i++)
		print_error("%02x ", got[i]);
	print_error("\n");
	_fail(file, line);
}

uint64_t rig_drops(struct rig *rig, const char *port, enum nq_drop reason)
{
	struct nq_stats stats;

	assert_int_equal(nq_port_stats(rig->sw, port, &stats), 0);
	return stats.drops[reason];
}

void rig_pass(struct rig *rig, unsigned seconds)
{
	while (seconds--) {
		rig->now_ns += 1000000000;
		nq_switch_tick(rig->sw);
	}
}

void rig_attend(struct rig *rig, unsigned tenths)
{
	while (tenths--) {
		rig->now_ns += 100000000;
		nq_switch_attend(rig->sw);
		rig_poll(rig);
	}
}
