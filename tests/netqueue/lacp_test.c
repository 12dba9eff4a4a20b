/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lacp: its state machines as tables: what happened, and where each machine is then. The other end
 * is a second struct lacp, or messages made here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "netqueue/lacp.h"

#define MS (LACP_SECOND / 1000)

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1}, theirs[6] = {2, 0, 0, 0, 0, 2};

struct pair {
	struct lacp a, b;
	uint64_t now;
	uint32_t cut; /* bits: links whose messages are lost */
};

static void pass_messages(struct pair *p, struct lacp *from, struct lacp *to)
{
	uint8_t pdu[LACP_PDU];

	for (unsigned i = 0; i < from->count; i++)
		if (lacp_transmit(from, i, pdu, p->now) && !(p->cut >> i & 1))
			assert_int_equal(lacp_receive(to, i, pdu, sizeof(pdu), p->now), 0);
}

static void run(struct pair *p, unsigned ms)
{
	for (unsigned t = 0; t < ms; t += 100) {
		p->now += 100 * MS;
		lacp_tick(&p->a, p->now);
		lacp_tick(&p->b, p->now);
		pass_messages(p, &p->a, &p->b);
		pass_messages(p, &p->b, &p->a);
	}
}

static void open_pair(struct pair *p, unsigned links, bool fast_a, bool fast_b)
{
	memset(p, 0, sizeof(*p));
	p->now = 1000 * LACP_SECOND;
	lacp_init(&p->a, links, ours, 10, fast_a);
	lacp_init(&p->b, links, theirs, 20, fast_b);
	for (unsigned i = 0; i < links; i++) {
		lacp_link_set(&p->a, i, true, p->now);
		lacp_link_set(&p->b, i, true, p->now);
	}
}

static unsigned in_use(const struct lacp *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->count; i++)
		n += lacp_distributes(l, i);
	return n;
}

/* ---- two well behaved ends ---- */

static void test_comes_up(void **state)
{
	struct pair p;

	(void)state;
	for (unsigned speeds = 0; speeds < 4; speeds++) {
		open_pair(&p, 2, speeds & 1, speeds & 2);
		run(&p, 1000);
		assert_int_equal(p.a.links[0].mux, LACP_WAITING); /* others may join: 2 s */
		run(&p, 3000);
		assert_int_equal(in_use(&p.a), 2);
		assert_int_equal(in_use(&p.b), 2);
		assert_int_equal(p.a.links[0].partner.key, 20);
		assert_int_equal(p.a.links[1].partner.port, 2);
	}
}

static void test_link_down(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, 2, true, true);
	run(&p, 5000);
	lacp_link_set(&p.a, 1, false, p.now);
	lacp_link_set(&p.b, 1, false, p.now);
	assert_int_equal(in_use(&p.a), 1); /* at once */
	assert_false(lacp_collects(&p.a, 1));
	lacp_link_set(&p.a, 1, true, p.now);
	lacp_link_set(&p.b, 1, true, p.now);
	run(&p, 5000);
	assert_int_equal(in_use(&p.a), 2);
}

/* The link is there, and what goes over it is lost: three seconds, or ninety. */
static void test_silence(void **state)
{
	static const struct {
		bool fast;
		unsigned alive_ms, dead_ms;
	} cases[] = {{true, 2000, 2000}, {false, 50000, 45000}};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_pair(&p, 2, cases[i].fast, cases[i].fast);
		run(&p, 10000);
		p.cut = 1u << 1;
		run(&p, cases[i].alive_ms);
		assert_int_equal(in_use(&p.a), 2);
		for (unsigned ms = 0; ms < cases[i].dead_ms; ms += 100)
			if (p.a.links[1].receive == LACP_CURRENT)
				run(&p, 100);
		assert_int_equal(p.a.links[1].receive, LACP_RX_EXPIRED);
		assert_int_equal(in_use(&p.a), 1);
		run(&p, 4000);
		assert_int_equal(p.a.links[1].receive, LACP_RX_DEFAULTED);
		assert_int_equal(p.a.links[1].mux, LACP_DETACHED);
		p.cut = 0;
		run(&p, 40000); /* slow again: once in thirty seconds */
		assert_int_equal(in_use(&p.a), 2);
	}
}

/* A message a second or every thirty, whatever the other end wants; three a second at the most. */
static void test_periods(void **state)
{
	static const struct {
		bool their_fast;
		uint64_t least, most;
	} cases[] = {{true, 29, 31}, {false, 1, 2}};
	struct pair p;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_pair(&p, 1, true, cases[i].their_fast);
		run(&p, 10000);
		uint64_t before = p.a.links[0].sent;
		run(&p, 30000);
		assert_in_range(p.a.links[0].sent - before, cases[i].least, cases[i].most);
	}
	uint8_t pdu[LACP_PDU];
	unsigned sent = 0;
	for (unsigned n = 0; n < 100; n++) {
		p.a.links[0].ntt = true;
		sent += lacp_transmit(&p.a, 0, pdu, p.now);
	}
	assert_in_range(sent, 1, 3);
}

/* ---- one end, and messages ---- */

struct message {
	uint8_t system, key, port, state;
	uint8_t our_port, our_state;
};

static void write_message(const struct message *m, uint8_t pdu[LACP_PDU])
{
	memset(pdu, 0, LACP_PDU);
	pdu[0] = pdu[1] = 1;
	pdu[2] = 1;
	pdu[3] = 20;
	memcpy(pdu + 6, theirs, 6);
	pdu[11] = m->system;
	pdu[13] = m->key;
	pdu[17] = m->port;
	pdu[18] = m->state;
	pdu[22] = 2;
	pdu[23] = 20;
	pdu[24] = pdu[25] = 0xff;
	memcpy(pdu + 26, ours, 6);
	pdu[33] = 10;
	pdu[35] = 0xff;
	pdu[37] = m->our_port;
	pdu[38] = m->our_state;
}

static void get(struct lacp *l, unsigned link, const struct message *m, uint64_t now)
{
	uint8_t pdu[LACP_PDU];

	write_message(m, pdu);
	assert_int_equal(lacp_receive(l, link, pdu, sizeof(pdu), now), 0);
}

#define AGG  (LACP_ACTIVITY | LACP_AGGREGATION)
#define SYNC (AGG | LACP_SYNC)
#define COLL (SYNC | LACP_COLLECTING)

/* The mux machine, with the wait for others behind it. */
static void test_mux(void **state)
{
	static const struct {
		struct message says;
		enum lacp_mux mux;
		uint8_t tells; /* the bits that we send then */
	} steps[] = {
		{{2, 20, 1, AGG, 1, AGG}, LACP_ATTACHED, LACP_SYNC},
		{{2, 20, 1, SYNC, 1, SYNC}, LACP_MUX_COLLECTING, LACP_SYNC | LACP_COLLECTING},
		{{2, 20, 1, COLL, 1, COLL},
		 LACP_MUX_DISTRIBUTING,
		 LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING},
		{{2, 20, 1, SYNC, 1, COLL}, LACP_MUX_COLLECTING, LACP_SYNC | LACP_COLLECTING},
		{{2, 20, 1, COLL, 1, COLL},
		 LACP_MUX_DISTRIBUTING,
		 LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING},
		{{2, 20, 1, AGG, 1, COLL}, LACP_ATTACHED, LACP_SYNC},
		/* It means another port of ours. */
		{{2, 20, 1, COLL, 9, COLL}, LACP_ATTACHED, LACP_SYNC},
		{{2, 20, 1, COLL, 1, COLL},
		 LACP_MUX_DISTRIBUTING,
		 LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING},
		/* It is somebody else now: from the beginning. */
		{{3, 20, 1, COLL, 1, COLL}, LACP_WAITING, 0},
		/* It cannot be bonded. */
		{{3, 20, 1, LACP_ACTIVITY | LACP_SYNC, 1, SYNC}, LACP_DETACHED, 0},
	};
	uint64_t now = 5000 * LACP_SECOND;
	struct lacp l;

	(void)state;
	lacp_init(&l, 1, ours, 10, true);
	lacp_link_set(&l, 0, true, now);
	get(&l, 0, &steps[0].says, now);
	assert_int_equal(l.links[0].mux, LACP_WAITING);
	now += 2 * LACP_SECOND;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		get(&l, 0, &steps[i].says, now);
		assert_int_equal(l.links[0].mux, steps[i].mux);
		assert_int_equal(l.links[0].actor.state &
					 (LACP_SYNC | LACP_COLLECTING | LACP_DISTRIBUTING),
				 steps[i].tells);
	}
}

/* Which links form the bond. */
static void test_selection(void **state)
{
	static const struct {
		struct message says[3];
		bool selected[3];
	} cases[] = {
		/* One system, one key */
		{{{2, 20, 1, AGG, 1, AGG}, {2, 20, 2, AGG, 2, AGG}, {2, 20, 3, AGG, 3, AGG}},
		 {true, true, true}},
		/* The majority's system */
		{{{5, 20, 1, AGG, 1, AGG}, {2, 20, 2, AGG, 2, AGG}, {2, 20, 3, AGG, 3, AGG}},
		 {false, true, true}},
		/* The majority's key */
		{{{2, 20, 1, AGG, 1, AGG}, {2, 21, 2, AGG, 2, AGG}, {2, 20, 3, AGG, 3, AGG}},
		 {true, false, true}},
		/* Three of equals: the first */
		{{{2, 20, 1, AGG, 1, AGG}, {3, 20, 2, AGG, 2, AGG}, {4, 20, 3, AGG, 3, AGG}},
		 {true, false, false}},
		/* Ourselves, by a cable that comes back; one that cannot be bonded */
		{{{1, 10, 2, AGG, 1, AGG},
		  {2, 20, 2, LACP_ACTIVITY, 2, AGG},
		  {2, 20, 3, AGG, 3, AGG}},
		 {false, false, true}},
	};
	struct lacp l;

	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		lacp_init(&l, 3, ours, 10, true);
		for (unsigned i = 0; i < 3; i++)
			lacp_link_set(&l, i, true, 1);
		for (unsigned i = 0; i < 3; i++)
			get(&l, i, &cases[c].says[i], 1);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(l.links[i].selected, cases[c].selected[i]);
	}
}

/* Nobody at the other end: never used. */
static void test_alone(void **state)
{
	struct pair p;

	(void)state;
	open_pair(&p, 2, true, true);
	p.cut = 3;
	run(&p, 120000);
	assert_int_equal(in_use(&p.a), 0);
	assert_int_equal(p.a.links[0].receive, LACP_RX_DEFAULTED);
}

static void test_bad(void **state)
{
	static const struct message good = {2, 20, 1, COLL, 1, COLL};
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{0, 2}, {2, 9}, {3, 19}, {22, 1}, {23, 255}};
	uint8_t pdu[LACP_PDU];
	struct lacp l;

	(void)state;
	lacp_init(&l, 1, ours, 10, true);
	lacp_link_set(&l, 0, true, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_message(&good, pdu);
		pdu[bad[i].at] = bad[i].value;
		assert_int_equal(lacp_receive(&l, 0, pdu, sizeof(pdu), 1), -EINVAL);
	}
	write_message(&good, pdu);
	for (size_t len = 0; len < 42; len++)
		assert_int_equal(lacp_receive(&l, 0, pdu, len, 1), -EINVAL);
	assert_int_equal(l.links[0].receive, LACP_RX_EXPIRED);
	assert_int_equal(l.links[0].bad, 5 + 42);
	pdu[1] = 2; /* a later version is read as far as we know it */
	assert_int_equal(lacp_receive(&l, 0, pdu, sizeof(pdu), 1), 0);
	lacp_link_set(&l, 0, false, 1);
	assert_int_equal(lacp_receive(&l, 0, pdu, sizeof(pdu), 1), 0);
	assert_int_equal(l.links[0].receive, LACP_DISABLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_up), cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_silence),	 cmocka_unit_test(test_periods),
		cmocka_unit_test(test_mux),	 cmocka_unit_test(test_selection),
		cmocka_unit_test(test_alone),	 cmocka_unit_test(test_bad),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
