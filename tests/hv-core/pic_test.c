/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/pic.c: the pair as a PC's firmware sets it up, and what no firmware does.
 */
#include "hv-core/pic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct board {
	struct hv_pic pic;
	bool wire;
	unsigned changes;
};

static void on_wire(void *opaque, bool level)
{
	struct board *b = opaque;

	b->wire = level;
	b->changes++;
}

static void out(struct board *b, unsigned port, uint8_t value)
{
	const struct hv_region_ops *ops = port < 0xa0 ? &hv_pic_first_ops : &hv_pic_second_ops;

	ops->write(&b->pic, port & 1, &value, 1);
}

static uint8_t in(struct board *b, unsigned port)
{
	const struct hv_region_ops *ops = port < 0xa0 ? &hv_pic_first_ops : &hv_pic_second_ops;
	uint8_t value = 0;

	ops->read(&b->pic, port & 1, &value, 1);
	return value;
}

static void program(struct board *b, unsigned port, uint8_t base, uint8_t wiring, uint8_t icw4)
{
	out(b, port, 0x11);
	out(b, port + 1, base);
	out(b, port + 1, wiring);
	out(b, port + 1, icw4);
	out(b, port + 1, 0x00); /* all open */
}

static struct board make(void)
{
	return (struct board){.pic = {.wire = on_wire}};
}

static void start(struct board *b, uint8_t icw4)
{
	b->pic.opaque = b;
	hv_pic_init(&b->pic);
	program(b, 0x20, 0x08, 0x04, icw4);
	program(b, 0xa0, 0x70, 0x02, icw4);
}

static void pulse(struct board *b, unsigned input)
{
	hv_pic_set(&b->pic, input, true);
	hv_pic_set(&b->pic, input, false);
}

static void masked_until_programmed(void **state)
{
	struct board b = make();

	(void)state;
	b.pic.opaque = &b;
	hv_pic_init(&b.pic);
	pulse(&b, 0);
	assert_false(b.wire);
	assert_int_equal(b.changes, 0);
}

static void an_edge_is_kept_until_taken(void **state)
{
	struct board b = make();

	(void)state;
	start(&b, 1);
	pulse(&b, 0);
	assert_true(b.wire);
	assert_int_equal(hv_pic_ack(&b.pic), 0x08);
	assert_false(b.wire);
	pulse(&b, 0); /* again, while in service */
	assert_false(b.wire);
	out(&b, 0x20, 0x20);
	assert_true(b.wire);
	assert_int_equal(hv_pic_ack(&b.pic), 0x08);
}

static void the_second_chip_speaks_through_the_first(void **state)
{
	struct board b = make();

	(void)state;
	start(&b, 1);
	pulse(&b, 8);
	assert_int_equal(hv_pic_ack(&b.pic), 0x70);
	out(&b, 0x20, 0x0b); /* in service: the cascade, and input 8 */
	out(&b, 0xa0, 0x0b);
	assert_int_equal(in(&b, 0x20), 0x04);
	assert_int_equal(in(&b, 0xa0), 0x01);
	pulse(&b, 3); /* less urgent than the cascade */
	assert_false(b.wire);
	pulse(&b, 1); /* more */
	assert_int_equal(hv_pic_ack(&b.pic), 0x09);
}

static void a_level_asks_as_long_as_it_is_up(void **state)
{
	struct board b = make();
	uint8_t elcr[2] = {0xff, 0xff};

	(void)state;
	start(&b, 1);
	hv_pic_elcr_ops.write(&b.pic, 0, elcr, 2);
	hv_pic_elcr_ops.read(&b.pic, 0, elcr, 2);
	assert_int_equal(elcr[0], 0xf8);
	assert_int_equal(elcr[1], 0xde);
	hv_pic_set(&b.pic, 9, true);
	assert_int_equal(hv_pic_ack(&b.pic), 0x71);
	out(&b, 0xa0, 0x20);
	out(&b, 0x20, 0x20);
	assert_true(b.wire);
	hv_pic_set(&b.pic, 9, false);
	assert_false(b.wire);
}

static void nothing_left_is_spurious(void **state)
{
	struct board b = make();
	uint8_t elcr[2] = {0x20, 0};

	(void)state;
	start(&b, 1);
	hv_pic_elcr_ops.write(&b.pic, 0, elcr, 2);
	hv_pic_set(&b.pic, 5, true);
	hv_pic_set(&b.pic, 5, false);
	assert_int_equal(hv_pic_ack(&b.pic), 0x0f);
	out(&b, 0x20, 0x0b);
	assert_int_equal(in(&b, 0x20), 0); /* and is not in service */
}

static void masks_and_specific_ends(void **state)
{
	struct board b = make();

	(void)state;
	start(&b, 1);
	out(&b, 0x21, 0x08);
	assert_int_equal(in(&b, 0x21), 0x08);
	pulse(&b, 3);
	assert_false(b.wire);
	out(&b, 0x21, 0x00);
	assert_true(b.wire);
	hv_pic_ack(&b.pic);
	out(&b, 0x20, 0x64); /* ends another one */
	pulse(&b, 4);
	assert_false(b.wire);
	out(&b, 0x20, 0x63);
	assert_true(b.wire);
}

static void ends_by_itself(void **state)
{
	struct board b = make();

	(void)state;
	start(&b, 3);
	pulse(&b, 0);
	hv_pic_ack(&b.pic);
	out(&b, 0x20, 0x0b);
	assert_int_equal(in(&b, 0x20), 0);
}

static void rotation_and_polling(void **state)
{
	struct board b = make();

	(void)state;
	start(&b, 1);
	out(&b, 0x20, 0xc0 | 3); /* 3 is the least urgent: 4 the most */
	pulse(&b, 0);
	pulse(&b, 4);
	assert_int_equal(hv_pic_ack(&b.pic), 0x0c);
	out(&b, 0x20, 0x20);
	out(&b, 0x20, 0x0c); /* poll */
	assert_int_equal(in(&b, 0x20), 0x80);
	out(&b, 0x20, 0x20);
	out(&b, 0x20, 0x0c);
	assert_int_equal(in(&b, 0x20), 0);
}

/* Any bytes at any register, any input: the vector stays one of the two bases', and the wire is
 * what was told. */
static void garbage(void **state)
{
	struct board b = make();
	uint32_t seed = 1;

	(void)state;
	start(&b, 1);
	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		uint8_t value = (uint8_t)(seed >> 24), what = seed >> 16 & 7;
		static const uint8_t ports[] = {0x20, 0x21, 0xa0, 0xa1};

		if (what < 4)
			out(&b, ports[what], value);
		else if (what < 6)
			hv_pic_set(&b.pic, value & 31, value & 32);
		else if (b.wire)
			hv_pic_ack(&b.pic);
		else
			in(&b, ports[value & 3]);
		assert_int_equal(b.pic.output, b.wire);
	}
}

/* In the middle of an initialization of one chip, with the other one in service. */
static void is_saved_and_loaded(void **state)
{
	struct board b = make(), other = make();
	struct state *s = state_new();

	(void)state;
	start(&b, 0x01);
	other.pic.opaque = &other;
	hv_pic_init(&other.pic);
	hv_pic_set(&b.pic, 3, true);
	assert_int_equal(hv_pic_ack(&b.pic), 0x0b);
	hv_pic_set(&b.pic, 1, true); /* more urgent, and waits */
	out(&b, 0xa0, 0x11);
	out(&b, 0xa1, 0x48);
	hv_pic_save(&b.pic, s);
	hv_pic_load(&other.pic, s);
	assert_int_equal(state_error(s), 0);
	assert_true(other.wire);
	assert_int_equal(hv_pic_ack(&other.pic), 0x09);
	out(&other, 0x20, 0x0b); /* read what is in service */
	assert_int_equal(in(&other, 0x20), 1 << 3 | 1 << 1);
	out(&other, 0xa1, 2); /* the words that were missing */
	out(&other, 0xa1, 1);
	out(&other, 0xa1, 0);
	out(&other, 0x20, 0x61);
	out(&other, 0x20, 0x63);
	hv_pic_set(&other.pic, 8, true);
	assert_int_equal(hv_pic_ack(&other.pic), 0x48);
	state_free(s);
}

static void a_strange_state_is_refused(void **state)
{
	struct board b = make();
	struct state *s = state_new();
	static const char *const names[] = {
		"irr",		"imr",	     "isr",	 "line",	"elcr",
		"base",		"need_icw4", "auto_eoi", "rotate_auto", "special_mask",
		"fully_nested", "read_isr",  "poll",	 "lowest"};

	(void)state;
	start(&b, 0x01);
	for (unsigned n = 0; n < 2; n++) {
		struct state *chip = state_item(s, "chip", n);

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			state_put(chip, names[i], 0);
		state_put(chip, "icw", 1);
	}
	hv_pic_load(&b.pic, s);
	assert_int_equal(state_error(s), -EINVAL);
	state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked_until_programmed),
		cmocka_unit_test(an_edge_is_kept_until_taken),
		cmocka_unit_test(the_second_chip_speaks_through_the_first),
		cmocka_unit_test(a_level_asks_as_long_as_it_is_up),
		cmocka_unit_test(nothing_left_is_spurious),
		cmocka_unit_test(masks_and_specific_ends),
		cmocka_unit_test(ends_by_itself),
		cmocka_unit_test(rotation_and_polling),
		cmocka_unit_test(garbage),
		cmocka_unit_test(is_saved_and_loaded),
		cmocka_unit_test(a_strange_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
