/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/pit.c, with a clock that the test moves. */
#include "hv-core/pit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TICKS(n) ((uint64_t)(n)*1000000000 / HV_PIT_HZ + 1) /* ns, a little more than n ticks */

struct board {
	struct hv_pit pit;
	uint64_t now, wake;
	unsigned interrupts;
};

static uint64_t now(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static void wake(void *opaque, uint64_t at)
{
	((struct board *)opaque)->wake = at;
}

static void interrupt(void *opaque)
{
	((struct board *)opaque)->interrupts++;
}

static void start(struct board *b)
{
	*b = (struct board){.pit = {.now = now, .wake = wake, .interrupt = interrupt}, .now = 1000};
	b->pit.opaque = b;
	hv_pit_init(&b->pit);
}

static void out(struct board *b, unsigned offset, uint8_t value)
{
	hv_pit_ops.write(&b->pit, offset, &value, 1);
}

static uint8_t in(struct board *b, unsigned offset)
{
	uint8_t value = 0;

	hv_pit_ops.read(&b->pit, offset, &value, 1);
	return value;
}

static uint8_t gate(struct board *b)
{
	uint8_t value = 0;

	hv_pit_gate_ops.read(&b->pit, 0, &value, 1);
	return value;
}

static void set_gate(struct board *b, uint8_t value)
{
	hv_pit_gate_ops.write(&b->pit, 0, &value, 1);
}

static void program(struct board *b, unsigned n, unsigned mode, uint16_t count)
{
	out(b, 3, (uint8_t)(n << 6 | 0x30 | mode << 1));
	out(b, n, (uint8_t)count);
	out(b, n, (uint8_t)(count >> 8));
}

static void a_rate_interrupts_again_and_again(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	program(&b, 0, 2, 11932); /* 100 Hz */
	for (unsigned i = 1; i <= 5; i++) {
		assert_in_range(b.wake, 1000 + i * 10000000 - 10, 1000 + i * 10000000 + 5000);
		b.now = b.wake;
		hv_pit_tick(&b.pit);
		assert_int_equal(b.interrupts, i);
	}
	b.now += 1000000000; /* late by a hundred: one interrupt, and the next in time */
	hv_pit_tick(&b.pit);
	assert_int_equal(b.interrupts, 6);
	assert_in_range(b.wake, b.now + 1, b.now + 10001000);
}

static void a_single_shot_interrupts_once(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	program(&b, 0, 0, 100);
	hv_pit_tick(&b.pit); /* too early, as when the count was changed meanwhile */
	assert_int_equal(b.interrupts, 0);
	b.now = b.wake;
	hv_pit_tick(&b.pit);
	assert_int_equal(b.interrupts, 1);
	assert_int_equal(b.wake, 0);
	hv_pit_tick(&b.pit);
	assert_int_equal(b.interrupts, 1);
}

static void it_counts_down(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	program(&b, 2, 0, 1000);
	b.now += TICKS(400);
	out(&b, 3, 0x80); /* latch */
	b.now += TICKS(100);
	assert_int_equal(in(&b, 2), 600 & 0xff);
	assert_int_equal(in(&b, 2), 600 >> 8);
	assert_int_equal(in(&b, 2), 500 & 0xff); /* the latch is spent */
	assert_int_equal(in(&b, 2), 500 >> 8);
	b.now += TICKS(600); /* it goes on below zero */
	out(&b, 3, 0xd8);    /* read back the count of counter 2 */
	uint16_t value = in(&b, 2);
	value |= (uint16_t)(in(&b, 2) << 8);
	assert_in_range(value, 65536 - 110, 65536 - 95);
}

/* Low byte first, then high: two reads whose order C leaves open in one expression. */
static unsigned count(struct board *b, unsigned channel)
{
	unsigned low = in(b, channel);

	return low | (unsigned)in(b, channel) << 8;
}

static void square_wave_counts_by_two(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	program(&b, 2, 3, 1000);
	b.now += TICKS(100);
	assert_int_equal(count(&b, 2), 800);
	assert_true(gate(&b) & 0x20);
	b.now += TICKS(500);
	assert_false(gate(&b) & 0x20);
}

/* As Linux measures its TSC: gate up, count loaded, output waited for. */
static void the_third_counter_can_be_waited_for(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	set_gate(&b, 1);
	program(&b, 2, 0, 11932);
	assert_false(gate(&b) & 0x20);
	b.now += 9900000;
	assert_false(gate(&b) & 0x20);
	b.now += 200000;
	assert_true(gate(&b) & 0x20);
	assert_int_equal(b.interrupts, 0);
}

static void status_and_bcd(void **state)
{
	struct board b;

	(void)state;
	start(&b);
	out(&b, 3, 0x31); /* counter 0, mode 0, BCD */
	out(&b, 3, 0xe2); /* its status: no count yet */
	assert_int_equal(in(&b, 0), 0x40 | 0x31);
	out(&b, 0, 0x00);
	out(&b, 0, 0x10); /* 1000 */
	b.now += TICKS(1);
	assert_int_equal(in(&b, 0), 0x99);
	assert_int_equal(in(&b, 0), 0x09);
}

static void garbage(void **state)
{
	struct board b;
	uint32_t seed = 7;

	(void)state;
	start(&b);
	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		b.now += seed >> 12;
		if (seed & 1 << 20)
			out(&b, seed >> 21 & 3, (uint8_t)(seed >> 24));
		else if (seed & 1 << 19)
			in(&b, seed >> 21 & 3);
		else
			set_gate(&b, (uint8_t)(seed >> 24));
		if (b.wake && b.wake <= b.now)
			hv_pit_tick(&b.pit);
		assert_true(b.wake == 0 || b.wake + TICKS(65536) > b.now);
	}
}

/* A rate half way to its next tick, a count half read. */
static void is_saved_and_loaded(void **state)
{
	struct board b, other;
	struct state *s = state_new();

	(void)state;
	start(&b);
	start(&other);
	program(&b, 0, 2, 11932);
	program(&b, 2, 0, 1000);
	b.now += TICKS(400);
	out(&b, 3, 0x80);
	assert_int_equal(in(&b, 2), 600 & 0xff);
	hv_pit_save(&b.pit, s);
	other.now = b.now;
	hv_pit_load(&other.pit, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(other.wake, b.wake);
	assert_int_equal(in(&other, 2), 600 >> 8);
	other.now = other.wake;
	hv_pit_tick(&other.pit);
	assert_int_equal(other.interrupts, 1);
	state_free(s);
}

static void a_strange_state_is_refused(void **state)
{
	struct board b;
	struct state *s = state_new();

	(void)state;
	start(&b);
	state_put(s, "speaker", 0);
	state_put(s, "fired", 0);
	state_put(state_item(s, "counter", 0), "start", UINT64_MAX); /* of no life */
	hv_pit_load(&b.pit, s);
	assert_int_equal(state_error(s), -ERANGE);
	state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_interrupts_again_and_again),
		cmocka_unit_test(a_single_shot_interrupts_once),
		cmocka_unit_test(it_counts_down),
		cmocka_unit_test(square_wave_counts_by_two),
		cmocka_unit_test(the_third_counter_can_be_waited_for),
		cmocka_unit_test(status_and_bcd),
		cmocka_unit_test(garbage),
		cmocka_unit_test(is_saved_and_loaded),
		cmocka_unit_test(a_strange_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
