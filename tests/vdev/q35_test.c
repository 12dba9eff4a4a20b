/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/q35.c and vdev/pci_ports.c: a firmware's first steps, and its wrong ones. */
#include "vdev/q35.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/fakes/fake_hv.h"
#include "vdev/pci_ports.h"

struct board {
	struct hv_vm *vm;
	struct vdev_host *host;
	struct vdev_pci_ports *ports;
};

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	b->vm = fake_hv_create();
	assert_int_equal(vdev_host_create(b->vm, &b->host), 0);
	assert_int_equal(vdev_q35_create(b->host), 0);
	assert_int_equal(vdev_pci_ports_create(b->host, &b->ports), 0);
	assert_int_equal(vdev_host_add_ports(b->host, 2), 0);
	assert_int_equal(vdev_host_assign(b->host), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	vdev_pci_ports_destroy(b->ports);
	vdev_q35_destroy(b->host);
	vdev_host_destroy(b->host);
	fake_hv_destroy(b->vm);
	free(b);
	return 0;
}

static void address(struct board *b, unsigned dev, unsigned offset)
{
	fake_hv_write(b->vm, HV_PIO, 0xcf8, 0x80000000u | dev << 11 | (offset & 0xfc), 4);
}

static uint32_t get(struct board *b, unsigned dev, unsigned offset, unsigned len)
{
	address(b, dev, offset);
	return (uint32_t)fake_hv_read(b->vm, HV_PIO, 0xcfc + (offset & 3), len);
}

static void set(struct board *b, unsigned dev, unsigned offset, uint32_t value, unsigned len)
{
	address(b, dev, offset);
	fake_hv_write(b->vm, HV_PIO, 0xcfc + (offset & 3), value, len);
}

static uint32_t ecam(struct board *b, uint64_t base)
{
	return (uint32_t)fake_hv_read(b->vm, HV_MMIO, base, 4);
}

static void looks_like_one(void **state)
{
	struct board *b = *state;

	assert_int_equal(get(b, 0, 0, 4), 0x29c08086);
	assert_int_equal(get(b, 0, 0x2c, 4), 0x11001af4);
	assert_int_equal(get(b, 31, 0, 4), 0x29188086);
	assert_int_equal(get(b, 31, 0x0a, 2), 0x0601);
	assert_int_equal(get(b, 31, 0x40, 4), 0x601);
	assert_int_equal(get(b, 30, 0, 4), 0xffffffff);
	assert_int_equal(get(b, 1, 0x19, 1), 0); /* a root port that nobody has numbered */
}

static void ecam_follows_its_register(void **state)
{
	struct board *b = *state;

	assert_int_equal(ecam(b, 0xb0000000), 0xffffffff);
	set(b, 0, 0x60, 0xb0000001, 4);
	assert_int_equal(ecam(b, 0xb0000000), 0x29c08086);
	set(b, 0, 0x60, 0xe0000001, 4);
	assert_int_equal(ecam(b, 0xb0000000), 0xffffffff);
	assert_int_equal(ecam(b, 0xe0000000), 0x29c08086);
	assert_int_equal(vdev_host_ecam(b->host), 0xe0000000);
	set(b, 0, 0x64, 1, 4); /* above 4 GiB: not offered */
	assert_int_equal(ecam(b, 0xe0000000), 0xffffffff);
	set(b, 0, 0x64, 0, 4);
	set(b, 0, 0x60, 0, 1);
	assert_int_equal(ecam(b, 0xe0000000), 0xffffffff);
}

static void the_address_is_a_dword(void **state)
{
	struct board *b = *state;

	address(b, 31, 0);
	fake_hv_write(b->vm, HV_PIO, 0xcf8, 0, 1);
	fake_hv_write(b->vm, HV_PIO, 0xcf8, 0, 2);
	assert_int_equal(fake_hv_read(b->vm, HV_PIO, 0xcfc, 4), 0x29188086);
	fake_hv_write(b->vm, HV_PIO, 0xcf8, 0, 4); /* not enabled */
	assert_int_equal(fake_hv_read(b->vm, HV_PIO, 0xcfc, 4), 0xffffffff);
	assert_int_equal(b->vm->end, HV_END_NONE);
	fake_hv_write(b->vm, HV_PIO, 0xcf9, 0x06, 1);
	assert_int_equal(b->vm->end, HV_END_RESET);
}

static void garbage(void **state)
{
	struct board *b = *state;
	uint32_t seed = 11;

	for (unsigned i = 0; i < 50000; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned dev = seed >> 28 & 1 ? 31 : seed >> 27 & 3, len = 1u << (seed >> 20 & 1);

		set(b, dev, seed >> 8 & 0xfc, seed * 2654435761u, len * 2);
		get(b, dev, seed >> 10 & 0xfc, 4);
	}
	assert_int_equal(get(b, 0, 0, 4), 0x29c08086);
	assert_int_equal(get(b, 31, 0, 4), 0x29188086);
}

/* A system without I/O APIC: lines reach the 8259 pair as the bridge routes them. */
static void lines_are_routed_to_the_pic(void **state)
{
	struct board *b = *state;

	vdev_q35_line(b->host, 1, true);
	for (unsigned i = 0; i < 16; i++)
		assert_false(b->vm->pic[i]); /* routed nowhere */
	set(b, 31, 0x61, 0x0a, 1);
	assert_true(b->vm->pic[10]);
	set(b, 31, 0x68, 0x0a, 1); /* PIRQE to the same one */
	vdev_q35_line(b->host, 4, true);
	vdev_q35_line(b->host, 1, false);
	assert_true(b->vm->pic[10]);
	set(b, 31, 0x68, 0x0b, 1);
	assert_false(b->vm->pic[10]);
	assert_true(b->vm->pic[11]);
	set(b, 31, 0x68, 0x80, 1);
	assert_false(b->vm->pic[11]);
	set(b, 31, 0x68, 0x02, 1); /* the cascade: not PCI's to raise */
	assert_false(b->vm->pic[2]);
}

/* ECAM is where the firmware has put it, in the new machine too. */
static void is_saved_and_loaded(void **state)
{
	struct board *b = *state;
	struct state *s = state_new();
	void *other;

	set(b, 0, 0x60, 0xb0000001, 4);
	set(b, 31, 0x60, 0x0b, 1);
	address(b, 31, 0x60);
	vdev_host_save(b->host, state_child(s, "pci"));
	vdev_q35_save(b->host, state_child(s, "isa"));
	vdev_pci_ports_save(b->ports, state_child(s, "ports"));
	assert_int_equal(setup(&other), 0);
	struct board *o = other;
	assert_int_equal(vdev_host_load(o->host, state_open(s, "pci")), 0);
	vdev_q35_load(o->host, state_open(s, "isa"));
	vdev_pci_ports_load(o->ports, state_open(s, "ports"));
	assert_int_equal(state_error(s), 0);
	assert_int_equal(fake_hv_read(o->vm, HV_PIO, 0xcfc, 1), 0x0b); /* the address, too */
	assert_int_equal(ecam(o, 0xb0000000), 0x29c08086);
	assert_int_equal(vdev_host_ecam(o->host), 0xb0000000);
	teardown(&other);
	state_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(looks_like_one), T(ecam_follows_its_register),   T(the_address_is_a_dword),
		T(garbage),	   T(lines_are_routed_to_the_pic), T(is_saved_and_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
