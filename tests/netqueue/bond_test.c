/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_bond: two bonds of one switch whose members are joined by cables, that is, by this test,
 * which carries frames from one ring to the other and counts them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/netqueue/rig.h"

#define CABLES 2

static struct rig rig;
static unsigned carried[CABLES][2]; /* to the right, to the left; without LACP's */
static unsigned announced;

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, 0);
	memset(carried, 0, sizeof(carried));
	announced = 0;
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

static void carry(const char *from, const char *to, unsigned *count)
{
	uint8_t frame[RIG_FRAME];
	int len;

	while ((len = nq_ring_receive(rig.sw, from, frame, sizeof(frame))) > 0) {
		nq_ring_send(rig.sw, to, frame, (size_t)len); /* a full one loses it */
		announced += frame[12] == 0x80 && frame[13] == 0x35;
		*count += frame[12] != 0x88 || frame[13] != 0x09;
	}
}

static void run(unsigned tenths)
{
	char left[16], right[16];

	while (tenths--) {
		rig_attend(&rig, 1);
		for (unsigned c = 0; c < CABLES; c++) {
			snprintf(left, sizeof(left), "l%u", c);
			snprintf(right, sizeof(right), "r%u", c);
			carry(left, right, &carried[c][0]);
			carry(right, left, &carried[c][1]);
		}
		rig_poll(&rig);
	}
}

static void link(unsigned cable, bool up)
{
	char name[16];

	snprintf(name, sizeof(name), "l%u", cable);
	assert_int_equal(nq_ring_link(rig.sw, name, up), 0);
	name[0] = 'r';
	assert_int_equal(nq_ring_link(rig.sw, name, up), 0);
}

/* Host a on bridge "br", b on "far", a bond of two cables between them. */
static void join(const char *mode)
{
	static const char *const members[] = {"l0", "l1", "r0", "r1"};
	struct nq_bridge_config far = {.name = "far"};
	char where[64];

	assert_int_equal(nq_bridge_add(rig.sw, &far), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(add(members[i], "", "ring", NULL), 0);
	assert_int_equal(add("a", "br", "ring", NULL), 0);
	assert_int_equal(add("b", "far", "ring", NULL), 0);
	snprintf(where, sizeof(where), "l0,l1,mode=%s", mode);
	assert_int_equal(add("left", "br", "bond", where), 0);
	snprintf(where, sizeof(where), "r0,r1,mode=%s", mode);
	assert_int_equal(add("right", "far", "bond", where), 0);
}

static unsigned in_use(const char *bond)
{
	struct nq_member members[NQ_BOND_MEMBERS];
	unsigned n = 0;
	int count = nq_bond_members(rig.sw, bond, members);

	assert_int_equal(count, 2);
	for (int i = 0; i < count; i++)
		n += members[i].in_use;
	return n;
}

/* UDP frames of many flows from a to b, and what arrives. */
static unsigned flows(unsigned count)
{
	uint8_t frame[RIG_FRAME], got[RIG_FRAME];
	size_t len = rig_frame("b a type=0800 len=100", frame);
	unsigned arrived = 0;

	memset(frame + 14, 0, 28);
	frame[14] = 0x45;
	frame[23] = 17;
	for (unsigned i = 0; i < count; i++) {
		frame[34] = (uint8_t)(i >> 8);
		frame[35] = (uint8_t)i;
		assert_int_equal(nq_ring_send(rig.sw, "a", frame, len), 0);
		if (i % 100 == 99 || i + 1 == count)
			run(1);
		while (nq_ring_receive(rig.sw, "b", got, sizeof(got)) == (int)len)
			arrived++;
	}
	return arrived;
}

static void test_lacp(void **state)
{
	struct nq_member members[NQ_BOND_MEMBERS];

	(void)state;
	join("lacp");
	assert_int_equal(flows(10), 0); /* nobody has agreed yet */
	assert_int_equal(rig_drops(&rig, "left", NQ_DROP_DOWN), 10);
	run(50);
	assert_int_equal(in_use("left"), 2);
	assert_int_equal(in_use("right"), 2);
	assert_int_equal(nq_bond_members(rig.sw, "left", members), 2);
	assert_true(strstr(members[1].text, "distributing, with 02:"));
	assert_int_equal(flows(1000), 1000);
	assert_in_range(carried[0][0], 300, 700); /* both, by flow */
	assert_in_range(carried[1][0], 300, 700);
	/* One cable is pulled: nothing is lost after the next look. */
	link(0, false);
	run(1);
	assert_int_equal(in_use("left"), 1);
	unsigned before = carried[0][0];
	assert_int_equal(flows(500), 500);
	assert_int_equal(carried[0][0], before);
	link(0, true);
	run(50);
	assert_int_equal(in_use("left"), 2);
	/* Messages of the protocol go no further. */
	rig_expect_none(&rig, "a");
}

/* One end is no bond at all: frames from a member that nobody agreed on do not count. */
static void test_no_partner(void **state)
{
	(void)state;
	join("lacp");
	rig_send(&rig, "l0", "all x");
	run(1);
	rig_expect_none(&rig, "a");
	assert_int_equal(rig_drops(&rig, "l0", NQ_DROP_INACTIVE), 1);
}

static void test_hash(void **state)
{
	(void)state;
	join("hash");
	run(1);
	assert_int_equal(flows(1000), 1000);
	assert_in_range(carried[0][0], 300, 700);
	link(1, false);
	run(1);
	assert_int_equal(flows(200), 200);
	assert_int_equal(in_use("left"), 1);
	link(0, false);
	run(1);
	assert_int_equal(flows(5), 0);
	assert_int_equal(rig_drops(&rig, "left", NQ_DROP_DOWN), 5);
}

static void test_backup(void **state)
{
	(void)state;
	join("backup");
	run(1);
	assert_int_equal(flows(100), 100);
	assert_int_equal(carried[1][0], 0);
	unsigned told = announced;
	link(0, false);
	run(2);
	assert_true(announced > told); /* where a is now */
	unsigned before = carried[1][0];
	assert_int_equal(flows(100), 100);
	assert_int_equal(carried[1][0], before + 100);
	link(0, true); /* it stays where it is */
	run(2);
	before = carried[1][0];
	assert_int_equal(flows(100), 100);
	assert_int_equal(carried[1][0], before + 100);
}

/* A broadcast comes once, and does not come back by the other cable. */
static void test_no_loop(void **state)
{
	(void)state;
	join("hash");
	run(1);
	rig_send(&rig, "a", "all a");
	run(3);
	rig_expect(&rig, "b", "all a");
	rig_expect_none(&rig, "b");
	rig_expect_none(&rig, "a");
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(add("m0", "", "ring", NULL), 0);
	assert_int_equal(add("m1", "br", "ring", NULL), 0);
	assert_int_equal(add("x", "br", "bond", "m0,m0"), -EBUSY);
	assert_int_equal(add("x", "br", "bond", "m0,nobody"), -ENOENT);
	assert_int_equal(add("x", "br", "bond", "m0,mode=fast"), -EINVAL);
	assert_int_equal(add("x", "br", "bond", "mode=hash"), -EINVAL);
	assert_int_equal(add("x", "br", "bond", "m0,m1"), 0);
	assert_int_equal(add("y", "br", "bond", "m0"), -EBUSY);
	assert_int_equal(add("y", "br", "bond", "x"), -EBUSY);
	assert_int_equal(nq_port_remove(rig.sw, "m0"), -EBUSY);
	assert_int_equal(nq_mirror_set(rig.sw, "m0", "x"), -EINVAL);
	assert_int_equal(nq_bond_members(rig.sw, "m0", NULL), -ENOENT);
	/* Without the bond they are what they were. */
	assert_int_equal(nq_port_remove(rig.sw, "x"), 0);
	assert_int_equal(add("a", "br", "ring", NULL), 0);
	rig_send(&rig, "a", "all a");
	rig_expect(&rig, "m1", "all a");
	rig_expect_none(&rig, "m0");
	assert_int_equal(nq_port_remove(rig.sw, "m0"), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_lacp),   CASE(test_no_partner), CASE(test_hash),
		CASE(test_backup), CASE(test_no_loop),	  CASE(test_refused),
	};
	return cmocka_run_group_tests(tests, rig_eal_start, rig_eal_stop);
}
