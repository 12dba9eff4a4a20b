/* SPDX-License-Identifier: BSD-3-Clause */
/* ioapic: edges, levels, ends of interrupts, and what a hostile guest may write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hv-core/ioapic.h"

#define MASKED	   (1u << 16)
#define LEVEL	   (1u << 15)
#define REMOTE_IRR (1u << 14)
#define LOGICAL	   (1u << 11)
#define MODE(n)	   ((uint32_t)(n) << 8)

struct fixture {
	struct hv_ioapic apic;
	struct hv_msi last;
	unsigned sent, route_changes, eois;
	int answer;
	bool lower_on_eoi;
};

static int on_signal(void *opaque, const struct hv_msi *msi)
{
	struct fixture *f = opaque;

	f->last = *msi;
	f->sent++;
	return f->answer;
}

static void on_routes(void *opaque)
{
	((struct fixture *)opaque)->route_changes++;
}

static void on_eoi(void *opaque)
{
	struct fixture *f = opaque;

	f->eois++;
	if (f->lower_on_eoi)
		hv_ioapic_set(&f->apic, 5, false);
}

static void make(struct fixture *f)
{
	*f = (struct fixture){0};
	hv_ioapic_init(&f->apic);
	f->apic.signal = on_signal;
	f->apic.routes_changed = on_routes;
	f->apic.opaque = f;
}

static void write32(struct fixture *f, uint64_t offset, uint32_t value)
{
	hv_ioapic_ops.write(&f->apic, offset, &value, 4);
}

static uint32_t read32(struct fixture *f, uint64_t offset)
{
	uint32_t value = 0xdeadbeef;

	hv_ioapic_ops.read(&f->apic, offset, &value, 4);
	return value;
}

static void set_register(struct fixture *f, uint8_t index, uint32_t value)
{
	write32(f, 0x00, index);
	write32(f, 0x10, value);
}

static uint32_t get_register(struct fixture *f, uint8_t index)
{
	write32(f, 0x00, index);
	return read32(f, 0x10);
}

static void set_entry(struct fixture *f, unsigned pin, uint32_t low, uint8_t dest)
{
	set_register(f, (uint8_t)(0x11 + 2 * pin), (uint32_t)dest << 24);
	set_register(f, (uint8_t)(0x10 + 2 * pin), low);
}

static uint32_t get_entry(struct fixture *f, unsigned pin)
{
	return get_register(f, (uint8_t)(0x10 + 2 * pin));
}

static void test_identity(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	assert_int_equal(get_register(&f, 1), 0x00170020); /* 24 pins, version 0x20 */
	set_register(&f, 0, 0xff000000);
	assert_int_equal(get_register(&f, 0), 0x0f000000);
	assert_int_equal(get_register(&f, 2), 0x0f000000);
	set_register(&f, 1, 0xffffffff);
	assert_int_equal(get_register(&f, 1), 0x00170020);
	for (unsigned pin = 0; pin < HV_IOAPIC_PINS; pin++)
		assert_int_equal(get_entry(&f, pin), MASKED);
}

static void test_edge(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 4, 0x31, 2);
	hv_ioapic_set(&f.apic, 4, true);
	assert_int_equal(f.sent, 1);
	assert_int_equal(f.last.addr, 0xfee02000);
	assert_int_equal(f.last.data, 0x31);
	hv_ioapic_set(&f.apic, 4, true); /* still up: no new edge */
	assert_int_equal(f.sent, 1);
	hv_ioapic_set(&f.apic, 4, false);
	hv_ioapic_set(&f.apic, 4, true);
	assert_int_equal(f.sent, 2);
	assert_int_equal(f.route_changes, 0); /* nobody waits for an edge's end */
	assert_int_equal(get_entry(&f, 4) & REMOTE_IRR, 0);
}

static void test_masked_edge_is_lost(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 4, 0x31 | MASKED, 0);
	hv_ioapic_set(&f.apic, 4, true);
	set_entry(&f, 4, 0x31, 0);
	assert_int_equal(f.sent, 0);
}

static void test_level(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 5, 0x42 | LEVEL, 1);
	hv_ioapic_set(&f.apic, 5, true);
	assert_int_equal(f.sent, 1);
	assert_int_equal(f.last.addr, 0xfee01000);
	assert_int_equal(f.last.data, 0x42 | 1 << 15 | 1 << 14);
	assert_int_equal(get_entry(&f, 5), 0x42 | LEVEL | REMOTE_IRR);
	hv_ioapic_set(&f.apic, 5, true); /* a CPU has it: not again */
	assert_int_equal(f.sent, 1);
	hv_ioapic_eoi(&f.apic, 0x41); /* another's */
	assert_int_equal(f.sent, 1);
	hv_ioapic_eoi(&f.apic, 0x42); /* still up: again */
	assert_int_equal(f.sent, 2);
	hv_ioapic_set(&f.apic, 5, false);
	hv_ioapic_eoi(&f.apic, 0x42);
	assert_int_equal(f.sent, 2);
	assert_int_equal(get_entry(&f, 5), 0x42 | LEVEL);
	hv_ioapic_eoi(&f.apic, 0x42); /* an end of nothing */
	assert_int_equal(f.sent, 2);
}

static void test_level_unmasked_while_up(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 5, 0x42 | LEVEL | MASKED, 0);
	hv_ioapic_set(&f.apic, 5, true);
	assert_int_equal(f.sent, 0);
	set_entry(&f, 5, 0x42 | LEVEL, 0);
	assert_int_equal(f.sent, 1);
	/* Masked while a CPU serves it: the end still counts, the next waits for unmasking. */
	set_entry(&f, 5, 0x42 | LEVEL | MASKED, 0);
	hv_ioapic_eoi(&f.apic, 0x42);
	assert_int_equal(f.sent, 1);
	assert_int_equal(get_entry(&f, 5) & REMOTE_IRR, 0);
	set_entry(&f, 5, 0x42 | LEVEL, 0);
	assert_int_equal(f.sent, 2);
}

static void test_eoi_callback(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	f.apic.pin[5].on_eoi = on_eoi;
	f.apic.pin[5].on_eoi_opaque = &f;
	f.lower_on_eoi = true;
	set_entry(&f, 5, 0x42 | LEVEL, 0);
	hv_ioapic_eoi(&f.apic, 0x42); /* nothing was in service */
	assert_int_equal(f.eois, 0);
	hv_ioapic_set(&f.apic, 5, true);
	write32(&f, 0x40, 0x42); /* the EOI register does the same */
	assert_int_equal(f.eois, 1);
	assert_int_equal(f.sent, 1); /* the callback has lowered the line */
}

static void test_two_pins_of_one_vector(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 5, 0x42 | LEVEL, 0);
	set_entry(&f, 6, 0x42 | LEVEL, 0);
	hv_ioapic_set(&f.apic, 5, true);
	hv_ioapic_set(&f.apic, 6, true);
	assert_int_equal(f.sent, 2);
	hv_ioapic_eoi(&f.apic, 0x42);
	assert_int_equal(f.sent, 4);
}

static void test_made_edge_forgets(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 5, 0x42 | LEVEL, 0);
	hv_ioapic_set(&f.apic, 5, true);
	set_entry(&f, 5, 0x42 | MASKED, 0);
	assert_int_equal(get_entry(&f, 5), 0x42 | MASKED);
	set_entry(&f, 5, 0x42 | LEVEL, 0); /* up, and nobody serves it any more */
	assert_int_equal(f.sent, 2);
}

static void test_nobody_took_it(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	f.answer = -EAGAIN;
	set_entry(&f, 5, 0x42 | LEVEL, 7);
	hv_ioapic_set(&f.apic, 5, true);
	assert_int_equal(get_entry(&f, 5) & REMOTE_IRR, 0);
	f.answer = 0;
	set_entry(&f, 5, 0x42 | LEVEL, 0); /* aimed at a CPU that is there */
	assert_int_equal(get_entry(&f, 5) & REMOTE_IRR, REMOTE_IRR);
}

static void test_delivery_modes(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_entry(&f, 1, 0x51 | MODE(1) | LOGICAL, 0x0f); /* lowest priority, logical */
	hv_ioapic_set(&f.apic, 1, true);
	assert_int_equal(f.last.addr, 0xfee0f00c);
	assert_int_equal(f.last.data, 0x151);
	set_entry(&f, 2, MODE(4) | LEVEL, 0); /* NMI is an edge, and has no vector */
	hv_ioapic_set(&f.apic, 2, true);
	assert_int_equal(f.sent, 2);
	assert_int_equal(f.last.data, 0x400);
	assert_int_equal(get_entry(&f, 2) & REMOTE_IRR, 0);
	set_entry(&f, 3, 0x31 | MODE(7), 0); /* ExtINT: there is no PIC */
	hv_ioapic_set(&f.apic, 3, true);
	set_entry(&f, 6, 0x0f, 0); /* vectors 0..15 are illegal */
	hv_ioapic_set(&f.apic, 6, true);
	set_entry(&f, 7, 0x31 | MODE(3), 0); /* reserved modes */
	hv_ioapic_set(&f.apic, 7, true);
	set_entry(&f, 8, 0x31 | MODE(6), 0);
	hv_ioapic_set(&f.apic, 8, true);
	assert_int_equal(f.sent, 2);
}

static void test_routes(void **state)
{
	struct fixture f;
	struct hv_msi msi;
	(void)state;

	make(&f);
	assert_false(hv_ioapic_level_msi(&f.apic, 5, &msi));
	set_entry(&f, 5, 0x42 | LEVEL | MASKED, 3);
	assert_int_equal(f.route_changes, 1);
	assert_true(hv_ioapic_level_msi(&f.apic, 5, &msi)); /* masked, and yet told */
	assert_int_equal(msi.addr, 0xfee03000);
	set_register(&f, 0x10 + 2 * 5, 0x42 | LEVEL); /* unmasking changes no route */
	set_register(&f, 0x10 + 2 * 5, 0x42 | LEVEL | MASKED);
	assert_int_equal(f.route_changes, 1);
	set_register(&f, 0x11 + 2 * 5, 0x04000000);
	assert_int_equal(f.route_changes, 2);
	set_register(&f, 0x10 + 2 * 5, 0x43 | MASKED);
	assert_int_equal(f.route_changes, 3);
	assert_false(hv_ioapic_level_msi(&f.apic, 5, &msi));
}

/* Read-only and reserved bits stay what they are. */
static void test_entry_bits(void **state)
{
	struct fixture f;
	(void)state;

	make(&f);
	set_register(&f, 0x10, 0xffffffff);
	set_register(&f, 0x11, 0xffffffff);
	assert_int_equal(get_register(&f, 0x10), 0x1afff);
	assert_int_equal(get_register(&f, 0x11), 0xff000000);
}

/* Every offset, every length, every register index: no crash, and only zeros from beside. */
static void test_hostile(void **state)
{
	static const unsigned lens[] = {1, 2, 4, 8};
	const uint64_t ones = UINT64_MAX;
	struct fixture f;
	uint64_t value;
	(void)state;

	make(&f);
	for (unsigned index = 0; index < 256; index++) {
		set_register(&f, (uint8_t)index, 0xffffffff);
		get_register(&f, (uint8_t)index);
	}
	assert_int_equal(get_register(&f, 0x10 + 2 * HV_IOAPIC_PINS), 0);
	assert_int_equal(get_register(&f, 0xff), 0);
	for (uint64_t offset = 0; offset < HV_IOAPIC_SIZE; offset++) {
		for (unsigned i = 0; i < 4; i++) {
			hv_ioapic_ops.write(&f.apic, offset, &ones, lens[i]);
			value = ones;
			hv_ioapic_ops.read(&f.apic, offset, &value, lens[i]);
			if (offset == 0x00 || offset == 0x10)
				continue;
			value = lens[i] == 8 ? value : value << (64 - 8 * lens[i]);
			assert_true(value == 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_edge),
		cmocka_unit_test(test_masked_edge_is_lost),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_level_unmasked_while_up),
		cmocka_unit_test(test_eoi_callback),
		cmocka_unit_test(test_two_pins_of_one_vector),
		cmocka_unit_test(test_made_edge_forgets),
		cmocka_unit_test(test_nobody_took_it),
		cmocka_unit_test(test_delivery_modes),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_entry_bits),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("hv-core/ioapic", tests, NULL, NULL);
}
