/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: access lists, multicast snooping, shapers, traces and who polls what, on rings and with a
 * virtual clock. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "netqueue/switch.h"
#include "tests/netqueue/packet.h"
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

static void three_ports(void)
{
	rig_port(&rig, "p1", NULL);
	rig_port(&rig, "p2", NULL);
	rig_port(&rig, "p3", NULL);
}

static void send_packet(const char *port, const struct packet *p)
{
	assert_int_equal(nq_ring_send(rig.sw, port, p->bytes, p->len), 0);
}

static bool arrives(const char *port)
{
	uint8_t sink[RIG_FRAME];

	rig_poll(&rig);
	return nq_ring_receive(rig.sw, port, sink, sizeof(sink)) != 0;
}

static void change(const char *port, void (*how)(struct nq_port_rules *rules))
{
	struct nq_port_rules rules = nq_port_find(rig.sw, port)->rules;

	how(&rules);
	assert_int_equal(nq_port_set(rig.sw, port, &rules), 0);
}

/* ---- access lists ---- */

static void list_in(struct nq_port_rules *rules)
{
	strcpy(rules->acl_in, "list");
}

static void list_out(struct nq_port_rules *rules)
{
	strcpy(rules->acl_out, "list");
}

static void no_lists(struct nq_port_rules *rules)
{
	rules->acl_in[0] = rules->acl_out[0] = '\0';
}

static int load(const struct nq_acl_rule *rules, unsigned count, bool deny_rest)
{
	struct nq_acl acl = {
		.name = "list", .deny_rest = deny_rest, .count = count, .rules = rules};

	return nq_acl_load(rig.sw, &acl);
}

static struct nq_acl_rule rule(bool deny)
{
	struct nq_acl_rule r;

	nq_acl_rule_init(&r);
	r.deny = deny;
	return r;
}

static struct nq_acl_rule to_port(bool deny, uint8_t protocol, uint16_t first, uint16_t last)
{
	struct nq_acl_rule r = rule(deny);

	r.has_protocol = true;
	r.protocol = protocol;
	r.to_port[0] = first;
	r.to_port[1] = last;
	return r;
}

/* Whether `p` passes from p1 to p2, whose address nobody knows. */
static bool passes(const struct packet *p)
{
	send_packet("p1", p);
	bool there = arrives("p2");
	assert_int_equal(arrives("p3"), there);
	return there;
}

static void test_acl_first_match(void **state)
{
	struct nq_acl_rule rules[3] = {to_port(false, 6, 80, 80), to_port(true, 6, 1, 1023),
				       to_port(false, 17, 53, 53)};
	struct packet p;
	uint64_t hits[4];

	(void)state;
	three_ports();
	assert_int_equal(load(rules, 3, true), 0);
	change("p1", list_in);
	assert_true(passes(packet_tcp(&p, "10.0.0.1", "10.0.0.2", 4000, 80)));
	assert_false(passes(packet_tcp(&p, "10.0.0.1", "10.0.0.2", 4000, 22)));
	assert_false(passes(packet_tcp(&p, "10.0.0.1", "10.0.0.2", 4000, 8080))); /* the rest */
	assert_true(passes(packet_udp(&p, "10.0.0.1", "10.0.0.2", 4000, 53)));
	assert_true(passes(packet_tcp(&p, "fd00::1", "fd00::2", 4000, 80)));
	assert_false(passes(packet_tcp(&p, "fd00::1", "fd00::2", 4000, 22)));
	assert_int_equal(nq_acl_hits(rig.sw, "list", hits), 0);
	assert_int_equal(hits[0], 2);
	assert_int_equal(hits[1], 2);
	assert_int_equal(hits[2], 1);
	assert_int_equal(hits[3], 1);
	assert_int_equal(rig_drops(&rig, "p1", NQ_DROP_ACL), 3);
}

static void test_acl_fields(void **state)
{
	struct nq_acl_rule r[6];
	struct packet p;

	(void)state;
	three_ports();
	r[0] = rule(true); /* a subnet */
	r[0].family = 4;
	r[0].from[0] = 10;
	r[0].from[1] = 1;
	r[0].from_bits = 16;
	r[1] = rule(true); /* a host of IPv6 */
	r[1].family = 6;
	inet_pton(AF_INET6, "fd00::bad", r[1].to);
	r[1].to_bits = 128;
	r[2] = rule(true); /* new connections, but no answers */
	r[2].has_protocol = true;
	r[2].protocol = 6;
	r[2].tcp_flags = 0x02;
	r[2].tcp_mask = 0x12;
	r[3] = rule(true);
	r[3].type = 0x0806;
	r[4] = rule(true); /* a maker's addresses */
	memcpy(r[4].from_mac, "\x02\x77", 2);
	memcpy(r[4].from_mac_mask, "\xff\xff", 2);
	r[5] = rule(true);
	r[5].has_vlan = true;
	r[5].vlan = 20;
	assert_int_equal(load(r, 6, false), 0);
	change("p1", list_in);
	assert_false(passes(packet_udp(&p, "10.1.255.3", "10.0.0.2", 1, 2)));
	assert_true(passes(packet_udp(&p, "10.2.0.1", "10.0.0.2", 1, 2)));
	assert_false(passes(packet_udp(&p, "fd00::1", "fd00::bad", 1, 2)));
	assert_true(passes(packet_udp(&p, "fd00::bad", "fd00::1", 1, 2)));
	packet_tcp(&p, "10.0.0.1", "10.0.0.2", 1, 2);
	p.bytes[p.l4 + 13] = 0x02;
	assert_false(passes(&p));
	p.bytes[p.l4 + 13] = 0x12;
	assert_true(passes(&p));
	p.bytes[6] = 2, p.bytes[7] = 0x77;
	assert_false(passes(&p));
	rig_send(&rig, "p1", "b a type=806");
	assert_false(arrives("p2"));
	rig_send(&rig, "p1", "b a vlan=20");
	assert_false(arrives("p2"));
	rig_send(&rig, "p1", "b a vlan=21");
	rig_expect(&rig, "p2", "b a vlan=21");
}

/* A later fragment has no ports; a rule with some is not for it. */
static void test_acl_fragments(void **state)
{
	struct nq_acl_rule r[2] = {to_port(true, 17, 0, 1023), to_port(true, 17, 0, 65535)};
	struct packet p;

	(void)state;
	three_ports();
	assert_int_equal(load(r, 1, false), 0);
	change("p1", list_in);
	assert_false(passes(packet_udp(&p, "10.0.0.1", "10.0.0.2", 9, 53)));
	p.bytes[14 + 7] = 100;
	assert_true(passes(&p));
	assert_int_equal(load(r + 1, 1, false), 0); /* all of UDP */
	assert_false(passes(&p));
}

static void test_acl_out(void **state)
{
	struct nq_acl_rule r = to_port(true, 6, 22, 22);
	struct packet p;

	(void)state;
	three_ports();
	assert_int_equal(load(&r, 1, false), 0);
	change("p2", list_out);
	send_packet("p1", packet_tcp(&p, "10.0.0.1", "10.0.0.2", 1, 22));
	assert_false(arrives("p2"));
	assert_true(arrives("p3"));
	assert_int_equal(rig_drops(&rig, "p2", NQ_DROP_ACL_OUT), 1);
	send_packet("p1", packet_tcp(&p, "10.0.0.1", "10.0.0.2", 1, 23));
	assert_true(arrives("p2"));
	assert_int_equal(nq_acl_remove(rig.sw, "list"), -EBUSY);
	change("p2", no_lists);
	assert_int_equal(nq_acl_remove(rig.sw, "list"), 0);
	assert_int_equal(nq_acl_remove(rig.sw, "list"), -ENOENT);
}

static void test_acl_refused(void **state)
{
	struct nq_port_rules rules;
	struct nq_acl_rule r[2] = {rule(true), rule(true)};

	(void)state;
	three_ports();
	nq_port_rules_init(&rules);
	list_in(&rules);
	assert_int_equal(nq_port_set(rig.sw, "p1", &rules), -ENOENT);
	r[1].from_port[0] = 5, r[1].from_port[1] = 4;
	assert_int_equal(load(r, 2, false), -EINVAL);
	r[1] = rule(true);
	strcpy(r[0].name, "one");
	strcpy(r[1].name, "one");
	assert_int_equal(load(r, 2, false), -EINVAL);
	r[1] = rule(true);
	r[1].family = 4;
	r[1].from_bits = 33;
	assert_int_equal(load(r, 2, false), -EINVAL);
	r[1].from_bits = 8;
	r[1].from[3] = 1;
	assert_int_equal(load(r, 2, false), -EINVAL);
	assert_null(nq_acl_find(rig.sw, "list"));
	assert_int_equal(load(NULL, 0, true), 0); /* without rules, the rest is all */
	change("p1", list_in);
	rig_send(&rig, "p1", "b a");
	assert_false(arrives("p2"));
}

/* The last of 1,000 rules, each for another host and port, is found as the first is. */
static void test_acl_thousand(void **state)
{
	struct nq_acl_rule *r = calloc(1000, sizeof(*r));
	struct packet p;
	char from[32];

	(void)state;
	three_ports();
	for (unsigned i = 0; i < 1000; i++) {
		r[i] = to_port(false, i & 1 ? 6 : 17, (uint16_t)(1000 + i), (uint16_t)(1010 + i));
		r[i].family = 4;
		r[i].from[0] = 10;
		r[i].from[2] = (uint8_t)(i >> 8);
		r[i].from[3] = (uint8_t)i;
		r[i].from_bits = 32;
	}
	assert_int_equal(load(r, 1000, true), 0);
	change("p1", list_in);
	for (unsigned i = 0; i < 1000; i += 37) {
		snprintf(from, sizeof(from), "10.0.%u.%u", i >> 8, i & 255);
		packet_l4(&p, i & 1 ? 6 : 17, from, "10.9.9.9", 1, (uint16_t)(1010 + i));
		assert_true(passes(&p));
		packet_l4(&p, i & 1 ? 6 : 17, from, "10.9.9.9", 1, (uint16_t)(1011 + i));
		assert_false(passes(&p));
	}
	free(r);
}

/* ---- multicast ---- */

static unsigned groups(void)
{
	struct nq_group *list;
	size_t count;

	assert_int_equal(nq_group_list(rig.sw, &list, &count), 0);
	free(list);
	return (unsigned)count;
}

/* Sent, and what it says understood. */
static void say(const char *port, const struct packet *p)
{
	send_packet(port, p);
	rig_poll(&rig);
	nq_switch_event(rig.sw);
}

static void forget_all(void)
{
	uint8_t sink[RIG_FRAME];

	for (const struct nq_port_config *p = nq_port_next(rig.sw, NULL); p;
	     p = nq_port_next(rig.sw, p))
		while (nq_ring_receive(rig.sw, p->name, sink, sizeof(sink)))
			;
}

static void four_ports(void)
{
	three_ports();
	rig_port(&rig, "router", NULL);
}

static void check_delivery(const char *group, const char *from, const char *to)
{
	static const char *const ports[] = {"p1", "p2", "p3", "router"};
	struct packet p;

	forget_all();
	send_packet("p1", packet_udp(&p, from, group, 5000, 5000));
	for (size_t i = 0; i < 4; i++) {
		bool wanted = strstr(to, ports[i]);

		if (arrives(ports[i]) != wanted)
			fail_msg("%s to %s: %s", group, ports[i], wanted ? "lost" : "not wanted");
	}
}

static void test_igmp(void **state)
{
	struct packet p;

	(void)state;
	four_ports();
	/* Nobody asks: everything everywhere, also after a report. */
	say("p2", packet_igmp(&p, 0x16, "10.0.0.2", "239.1.1.1"));
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	assert_int_equal(groups(), 2);
	check_delivery("239.1.1.1", "10.0.0.1", "p2 router");
	check_delivery("239.1.1.2", "10.0.0.1", "p2 p3 router"); /* not asked for by anybody */
	check_delivery("224.0.0.5", "10.0.0.1", "p2 p3 router");
	/* The same MAC address, another group. */
	check_delivery("238.129.1.1", "10.0.0.1", "p2 p3 router");
	/* A report goes to the router only, a query to all. */
	forget_all();
	send_packet("p3", packet_igmp(&p, 0x16, "10.0.0.3", "239.1.1.1"));
	assert_true(arrives("router"));
	assert_false(arrives("p1") || arrives("p2"));
	nq_switch_event(rig.sw);
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
	/* Who leaves has two seconds' grace. */
	say("p2", packet_igmp(&p, 0x17, "10.0.0.2", "239.1.1.1"));
	rig_pass(&rig, 1);
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
	rig_pass(&rig, 2);
	check_delivery("239.1.1.1", "10.0.0.1", "p3 router");
}

static void test_igmp_ages(void **state)
{
	struct packet p;

	(void)state;
	four_ports();
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	say("p2", packet_igmp(&p, 0x12, "10.0.0.2", "239.1.1.1"));
	say("p3", packet_igmp(&p, 0x16, "10.0.0.3", "239.1.1.1"));
	rig_pass(&rig, 200);
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	say("p3", packet_igmp(&p, 0x16, "10.0.0.3", "239.1.1.1"));
	rig_pass(&rig, 61);
	check_delivery("239.1.1.1", "10.0.0.1", "p3 router");
	rig_pass(&rig, 195); /* the router is silent */
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
	rig_pass(&rig, 10);
	assert_int_equal(groups(), 0);
}

static void test_igmp3(void **state)
{
	struct packet p;

	(void)state;
	four_ports();
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	say("p2", packet_igmp3(&p, 4, "10.0.0.2", "239.1.1.1", 0)); /* excludes nobody */
	check_delivery("239.1.1.1", "10.0.0.1", "p2 router");
	say("p3", packet_igmp3(&p, 3, "10.0.0.3", "239.1.1.1", 1)); /* includes one */
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
	say("p2", packet_igmp3(&p, 3, "10.0.0.2", "239.1.1.1", 0)); /* includes nobody */
	rig_pass(&rig, 3);
	check_delivery("239.1.1.1", "10.0.0.1", "p3 router");
}

static void test_mld(void **state)
{
	struct packet p;

	(void)state;
	four_ports();
	say("router", packet_mld(&p, 130, "fe80::fe", "::"));
	say("p2", packet_mld(&p, 131, "fe80::2", "ff05::1234"));
	check_delivery("ff05::1234", "fd00::1", "p2 router");
	check_delivery("ff02::1", "fd00::1", "p2 p3 router");
	check_delivery("ff05::4321", "fd00::1", "p2 p3 router");
	say("p3", packet_mld2(&p, 4, "fe80::3", "ff05::1234", 0));
	check_delivery("ff05::1234", "fd00::1", "p2 p3 router");
	say("p2", packet_mld(&p, 132, "fe80::2", "ff05::1234"));
	rig_pass(&rig, 3);
	check_delivery("ff05::1234", "fd00::1", "p3 router");
	/* IPv6 has a router: that says nothing of IPv4. */
	say("p2", packet_igmp(&p, 0x16, "10.0.0.2", "239.1.1.1"));
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
}

/* What a guest makes up costs its neighbours nothing. */
static void test_igmp_hostile(void **state)
{
	uint64_t refused, missed;
	struct packet p;
	char group[32];

	(void)state;
	four_ports();
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(group, sizeof(group), "239.7.%u.%u", i >> 8, i & 255);
		say("p2", packet_igmp(&p, 0x16, "10.0.0.2", group));
	}
	assert_int_equal(groups(), 1 + 256);
	nq_group_counts(rig.sw, &refused, &missed);
	assert_int_equal(refused, 1000 - 256);
	say("p3", packet_igmp(&p, 0x16, "10.0.0.3", "239.1.1.1"));
	check_delivery("239.1.1.1", "10.0.0.1", "p3 router");
	/* Faster than they are read. */
	forget_all();
	for (unsigned i = 0; i < 3000; i++) {
		send_packet("p2", packet_igmp(&p, 0x16, "10.0.0.2", "239.1.1.1"));
		rig_poll(&rig);
		forget_all();
	}
	nq_switch_event(rig.sw);
	nq_group_counts(rig.sw, &refused, &missed);
	assert_int_equal(missed, 3000 - 1024);
	/* A wrong checksum, a hop too many, and a length that lies say nothing. */
	unsigned before = groups();
	packet_igmp(&p, 0x16, "10.0.0.3", "239.9.9.9");
	p.bytes[p.l4 + 2] ^= 1;
	say("p3", &p);
	packet_igmp(&p, 0x16, "10.0.0.3", "239.9.9.9");
	p.bytes[14 + 8] = 2;
	say("p3", &p);
	packet_igmp3(&p, 4, "10.0.0.3", "239.9.9.9", 60000);
	say("p3", &p);
	assert_int_equal(groups(), before);
	/* A port that goes takes its groups with it. */
	assert_int_equal(nq_port_remove(rig.sw, "p2"), 0);
	assert_int_equal(groups(), 2);
}

static void test_snooping_off(void **state)
{
	struct nq_bridge_config bridge = {.name = "br", .no_snooping = true};
	struct packet p;

	(void)state;
	four_ports();
	assert_int_equal(nq_bridge_set(rig.sw, &bridge), 0);
	say("router", packet_igmp(&p, 0x11, "10.0.0.254", "0.0.0.0"));
	say("p2", packet_igmp(&p, 0x16, "10.0.0.2", "239.1.1.1"));
	assert_int_equal(groups(), 0);
	check_delivery("239.1.1.1", "10.0.0.1", "p2 p3 router");
}

/* ---- shaper ---- */

static void shape(struct nq_port_rules *rules)
{
	rules->shape_bytes = 1000000;
}

static unsigned drain(const char *port)
{
	uint8_t sink[RIG_FRAME];
	unsigned count = 0;

	while (nq_ring_receive(rig.sw, port, sink, sizeof(sink)) > 0)
		count++;
	return count;
}

/* 1 MB/s: a burst of 65,600 bytes at once, then a kilobyte each millisecond; in order. */
static void test_shaper(void **state)
{
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];

	(void)state;
	three_ports();
	change("p2", shape);
	rig_send(&rig, "p2", "all b");
	rig_poll(&rig);
	forget_all();
	for (unsigned i = 0; i < 200; i++) {
		size_t len = rig_frame("b a len=1000", frame);

		frame[20] = (uint8_t)i;
		assert_int_equal(nq_ring_send(rig.sw, "p1", frame, len), 0);
	}
	rig_poll(&rig);
	for (unsigned i = 0; i < 65; i++) {
		assert_int_equal(nq_ring_receive(rig.sw, "p2", got, sizeof(got)), 1000);
		assert_int_equal(got[20], i);
	}
	assert_false(arrives("p2"));
	for (unsigned i = 65; i < 200; i++) {
		rig.now_ns += 1000000;
		rig_poll(&rig);
		assert_int_equal(nq_ring_receive(rig.sw, "p2", got, sizeof(got)), 1000);
		assert_int_equal(got[20], i);
		assert_false(arrives("p2"));
	}
	assert_int_equal(rig_drops(&rig, "p2", NQ_DROP_SHAPED), 0);
}

static void no_shape(struct nq_port_rules *rules)
{
	rules->shape_bytes = 0;
}

static void test_shaper_bounded(void **state)
{
	(void)state;
	three_ports();
	change("p2", shape);
	rig_send(&rig, "p2", "all b");
	rig_poll(&rig);
	forget_all();
	for (unsigned i = 0; i < 500; i++) {
		rig_send(&rig, "p1", "b a len=1500");
		rig_poll(&rig);
	}
	/* 43 of 1,500 bytes are a burst, 256 wait; the others are gone. */
	assert_int_equal(drain("p2"), 43);
	assert_int_equal(rig_drops(&rig, "p2", NQ_DROP_SHAPED), 500 - 43 - 256);
	change("p2", no_shape); /* what waits need not any more */
	rig_poll(&rig);
	assert_int_equal(drain("p2"), 256);
	change("p2", shape);
	for (unsigned i = 0; i < 100; i++)
		rig_send(&rig, "p1", "b a len=1500");
	rig_poll(&rig);
	assert_int_equal(nq_port_remove(rig.sw, "p2"), 0); /* with some that wait */
}

/* ---- traces ---- */

static void test_trace(void **state)
{
	struct nq_step steps[16];
	uint64_t missed;

	(void)state;
	three_ports();
	assert_int_equal(nq_trace_set(rig.sw, "nobody", 1), -ENOENT);
	assert_int_equal(nq_trace_set(rig.sw, "p1", 2), 0);
	rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	rig_send(&rig, "p1", "b a");
	rig_send(&rig, "p3", "a b");
	rig_poll(&rig);
	rig_send(&rig, "p1", "b group");
	rig_poll(&rig);
	assert_int_equal(nq_trace_take(rig.sw, steps, 16, &missed), 5);
	assert_int_equal(missed, 0);
	assert_int_equal(steps[0].kind, NQ_STEP_IN);
	assert_string_equal(steps[0].port, "p1");
	assert_int_equal(steps[0].to[5], 'b');
	assert_int_equal(steps[1].kind, NQ_STEP_OUT);
	assert_string_equal(steps[1].port, "p2");
	assert_string_equal(steps[2].port, "p3");
	assert_int_equal(steps[1].frame, steps[2].frame);
	assert_int_equal(steps[3].kind, NQ_STEP_IN);
	assert_int_equal(steps[3].frame, steps[0].frame + 1);
	assert_int_equal(steps[4].kind, NQ_STEP_DROP);
	assert_int_equal(steps[4].detail, NQ_DROP_SOURCE);
	assert_int_equal(nq_trace_set(rig.sw, "p1", 0), 0);
	rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	assert_int_equal(nq_trace_take(rig.sw, steps, 16, &missed), 0);
}

/* Nobody takes them: frames go on all the same. */
static void test_trace_full(void **state)
{
	struct nq_step steps[16];
	uint64_t missed;

	(void)state;
	three_ports();
	assert_int_equal(nq_trace_set(rig.sw, "p1", 1), 0);
	for (unsigned i = 0; i < 2000; i++) {
		rig_send(&rig, "p1", "b a");
		rig_poll(&rig);
		assert_int_equal(drain("p2") + drain("p3"), 2);
	}
	nq_trace_take(rig.sw, steps, 16, &missed);
	assert_int_equal(missed, 6000 - 4096);
}

/* ---- captures ---- */

static void test_capture_filter(void **state)
{
	struct nq_capture_options options = {.port = "p1", .filter = "tcp port 80"};
	struct nq_capture_info info;
	struct packet p;

	(void)state;
	three_ports();
	options.fd = memfd_create("capture", MFD_CLOEXEC);
	options.filter = "tcp porridge 80";
	assert_int_equal(nq_capture_start(rig.sw, &options), -EINVAL);
	options.filter = "tcp port 80";
	options.fd = memfd_create("capture", MFD_CLOEXEC);
	assert_int_equal(nq_capture_start(rig.sw, &options), 0);
	for (uint16_t i = 0; i < 10; i++)
		send_packet("p1", packet_tcp(&p, "10.0.0.1", "10.0.0.2", 1000, (uint16_t)(75 + i)));
	rig_send(&rig, "p1", "b a");
	rig_poll(&rig);
	assert_int_equal(nq_capture_stop(rig.sw, &info), 0);
	assert_int_equal(info.packets, 1);
	assert_int_equal(info.missed, 0);
}

/* ---- queues ---- */

static void test_queue_stats(void **state)
{
	struct nq_stats stats;

	(void)state;
	three_ports();
	rig_send(&rig, "p1", "b a");
	rig_send(&rig, "p1", "b group");
	rig_poll(&rig);
	assert_int_equal(nq_queue_stats(rig.sw, "p1", 0, &stats), 0);
	assert_int_equal(stats.rx_packets, 2);
	assert_int_equal(stats.drops[NQ_DROP_SOURCE], 1);
	assert_int_equal(nq_queue_stats(rig.sw, "p2", 0, &stats), 0);
	assert_int_equal(stats.tx_packets, 1);
	assert_int_equal(nq_queue_stats(rig.sw, "p1", 1, &stats), -ERANGE);
	assert_int_equal(nq_queue_stats(rig.sw, "p9", 0, &stats), -ENOENT);
}

/* ---- who polls what ---- */

static void test_place_choose(void **state)
{
	struct place_load q[4] = {{.queue = 0, .worker = 0, .load = 550},
				  {.queue = 1, .worker = 0, .load = 300},
				  {.queue = 2, .worker = 0, .load = 50},
				  {.queue = 3, .worker = 1, .load = 100}};
	struct place_move move;

	(void)state;
	assert_true(place_choose(q, 4, 2, &move)); /* 900 and 100: 600 and 400 are best */
	assert_int_equal(move.index, 1);
	assert_int_equal(move.to, 1);
	assert_int_equal(move.before, 900);
	assert_int_equal(move.after, 600);
	q[1].worker = 1;
	assert_false(place_choose(q, 4, 2, &move)); /* and then it stays so */
	/* One queue that is all of the load goes nowhere. */
	q[0].load = 900, q[1].load = q[2].load = q[3].load = 0;
	assert_false(place_choose(q, 4, 2, &move));
	/* Nor does anything while nobody has much to do. */
	q[0].load = 200, q[2].load = 200;
	assert_false(place_choose(q, 4, 2, &move));
	assert_false(place_choose(q, 4, 1, &move));
	assert_false(place_choose(NULL, 0, 2, &move));
}

/* As if each of the port's frames had been all there was to do since the last look. */
static void load_port(const char *port)
{
	for (unsigned id = 0; id < NQ_PORTS; id++)
		if (rig.sw->ports[id] && !strcmp(rig.sw->ports[id]->config.name, port))
			rig.sw->ports[id]->rx[0].cycles += UINT64_C(1) << 50;
}

static unsigned queues_of(unsigned worker)
{
	struct nq_worker_info info;

	nq_worker_info(rig.sw, worker, &info);
	return info.queues;
}

/* Two busy queues of one worker: after three seconds of it one goes over, and then there is rest.
 */
static void test_rebalance(void **state)
{
	(void)state;
	rig_open(&rig, 2);
	three_ports();
	rig_port(&rig, "p4", NULL);
	assert_int_equal(queues_of(0), 2);
	nq_switch_tick(rig.sw);
	for (unsigned second = 0; second < 3; second++) {
		assert_int_equal(nq_rebalances(rig.sw), 0);
		load_port("p1");
		load_port("p3");
		nq_switch_tick(rig.sw);
	}
	assert_int_equal(nq_rebalances(rig.sw), 1);
	assert_int_equal(queues_of(0), 1);
	assert_int_equal(queues_of(1), 3);
	/* Now it is p1 and p2, p4 that share a worker. */
	for (unsigned second = 0; second < 10; second++) {
		load_port("p2");
		load_port("p4");
		nq_switch_tick(rig.sw);
		assert_int_equal(nq_rebalances(rig.sw), 1);
	}
	load_port("p2");
	load_port("p4");
	nq_switch_tick(rig.sw);
	assert_int_equal(nq_rebalances(rig.sw), 2);
	assert_int_equal(queues_of(0), 2);
	rig_close(&rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_acl_first_match),
		TEST(test_acl_fields),
		TEST(test_acl_fragments),
		TEST(test_acl_out),
		TEST(test_acl_refused),
		TEST(test_acl_thousand),
		TEST(test_igmp),
		TEST(test_igmp_ages),
		TEST(test_igmp3),
		TEST(test_mld),
		TEST(test_igmp_hostile),
		TEST(test_snooping_off),
		TEST(test_shaper),
		TEST(test_shaper_bounded),
		TEST(test_trace),
		TEST(test_trace_full),
		TEST(test_capture_filter),
		TEST(test_queue_stats),
		cmocka_unit_test(test_place_choose),
		cmocka_unit_test(test_rebalance),
	};

	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
