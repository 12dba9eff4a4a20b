/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_bar_test: sizing, moves, swaps, and the way back when a move fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

static int setup(void **state)
{
	static const struct fake_vfio_config vf = {.vectors = 3};

	*state = rig_create(&vf);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

static void test_sizing(void **state)
{
	struct rig *rig = *state;
	uint64_t before = rig_bar(rig, 0);

	rig_bar_set(rig, 0, ~UINT64_C(0));
	assert_int_equal(rig_read(rig, PCI_BASE_ADDRESS_0, 4), 0xffffc00c);
	assert_int_equal(rig_read(rig, PCI_BASE_ADDRESS_1, 4), 0xffffffff);
	rig_bar_set(rig, 0, before);
	assert_int_equal(rig_bar(rig, 0), before);
	rig_write(rig, PCI_BASE_ADDRESS_2, 4, 0xffffffff);
	assert_int_equal(rig_read(rig, PCI_BASE_ADDRESS_2, 4), 0);
	rig_write(rig, PCI_ROM_ADDRESS, 4, 0xffffffff);
	assert_int_equal(rig_read(rig, PCI_ROM_ADDRESS, 4), 0);
}

static bool in_iommu(const struct rig *rig, uint64_t iova)
{
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (rig->domain.map[i].used && rig->domain.map[i].iova == iova)
			return true;
	return false;
}

static void test_move(void **state)
{
	struct rig *rig = *state;
	uint64_t from = rig_bar(rig, 0), to = from + 0x10000;

	rig_decode(rig, true);
	fake_hv_write(rig->vm, HV_MMIO, from + 8, 0x12345678, 4);
	rig_bar_set(rig, 0, to);
	assert_false(fake_hv_is_mapped(rig->vm, from));
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, to + 8, 4), 0x12345678);
	assert_int_equal(fake_vfio_bar_get(rig->vfio, 0, 8), 0x12345678);
	assert_false(in_iommu(rig, from));
	assert_true(in_iommu(rig, to));
}

static void test_move_refused(void **state)
{
	struct rig *rig = *state;
	uint64_t from = rig_bar(rig, 0), to = from + 0x10000;

	rig_decode(rig, true);
	rig->vm->refuse_gpa = to;
	rig_write(rig, PCI_BASE_ADDRESS_0, 4, (uint32_t)to);
	assert_int_equal(rig_bar(rig, 0), from);
	assert_true(fake_hv_is_mapped(rig->vm, from));
	assert_true(in_iommu(rig, from));
}

static void test_overlap_refused(void **state)
{
	struct rig *rig = *state;
	uint64_t zero = rig_bar(rig, 0), three = rig_bar(rig, 3);

	rig_decode(rig, true);
	rig_write(rig, PCI_BASE_ADDRESS_0, 4, (uint32_t)three);
	assert_int_equal(rig_bar(rig, 0), zero);
	assert_true(fake_hv_is_mapped(rig->vm, zero));
	assert_true(fake_hv_is_mapped(rig->vm, three + 0x1000));
}

static void test_swap(void **state)
{
	struct rig *rig = *state;
	uint64_t zero = rig_bar(rig, 0), three = rig_bar(rig, 3);

	rig_decode(rig, true);
	fake_vfio_bar_set(rig->vfio, 0, 0x1000, 0xa0);
	fake_vfio_bar_set(rig->vfio, 3, 0x1000, 0xa3);
	rig_decode(rig, false);
	rig_bar_set(rig, 0, three);
	rig_bar_set(rig, 3, zero);
	rig_decode(rig, true);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, three + 0x1000, 4), 0xa0);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, zero + 0x1000, 4), 0xa3);
}

static void test_no_peer_to_peer(void **state)
{
	struct rig *rig = *state;

	rig->domain.refuse = true;
	rig_decode(rig, true);
	assert_true(fake_hv_is_mapped(rig->vm, rig_bar(rig, 0)));
	rig_decode(rig, false);
	assert_false(fake_hv_is_mapped(rig->vm, rig_bar(rig, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlap_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_peer_to_peer, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
