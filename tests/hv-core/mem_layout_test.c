/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_layout: where RAM goes, with the holes that real machines have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/util.h"
#include "hv-core/mem.h"

#define TIB (UINT64_C(1) << 40)

static int plan(uint64_t ram, enum hv_pages pages, unsigned bits, const struct range *iova,
		size_t count, struct hv_mem_layout *out)
{
	const struct hv_config config = {
		.ram = ram, .pages = pages, .iova = iova, .iova_count = count};

	return hv_mem_plan("vm test", &config, bits, out);
}

static void expect(struct range got, uint64_t start, uint64_t last)
{
	assert_true(got.start == start);
	assert_true(got.last == last);
}

/* Never two things at one address, never outside what is usable. */
static void sane(const struct hv_mem_layout *l, const struct range *iova, size_t count)
{
	const struct range msi = {0xfee00000, 0xfeefffff};
	const struct range all[] = {l->low_ram, l->pci32, l->ecam, l->high_ram, l->pci64, msi};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t j = i + 1; j < ARRAY_SIZE(all); j++)
			if (all[i].start <= all[i].last && all[j].start <= all[j].last)
				assert_false(range_overlaps(all[i], all[j]));
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(all) - 1; j += 3) { /* low RAM, high RAM */
			if (all[j].start <= all[j].last && range_overlaps(iova[i], all[j]))
				assert_true(range_contains(iova[i], all[j]));
		}
}

static void test_small(void **state)
{
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(512 * MIB, HV_PAGES_4K, 39, NULL, 0, &l), 0);
	expect(l.low_ram, 0, 512 * MIB - 1);
	assert_true(l.high_ram.last < l.high_ram.start);
	expect(l.pci64, 4 * GIB, 512 * GIB - 1);
	sane(&l, NULL, 0);
}

static void test_exactly_three(void **state)
{
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(3 * GIB, HV_PAGES_1G, 39, NULL, 0, &l), 0);
	expect(l.low_ram, 0, 3 * GIB - 1);
	assert_true(l.high_ram.last < l.high_ram.start);
}

static void test_more_than_three(void **state)
{
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(8 * GIB, HV_PAGES_4K, 40, NULL, 0, &l), 0);
	expect(l.low_ram, 0, 3 * GIB - 1);
	expect(l.high_ram, 4 * GIB, 9 * GIB - 1);
	expect(l.pci64, 9 * GIB, TIB - 1);
	assert_int_equal(plan(3 * GIB + 4096, HV_PAGES_4K, 40, NULL, 0, &l), 0);
	expect(l.high_ram, 4 * GIB, 4 * GIB + 4095);
	assert_true(l.pci64.start == 5 * GIB);
	sane(&l, NULL, 0);
}

/* VT-d as the lab has it: the MSI window missing, 39 bits. */
static void test_vtd(void **state)
{
	static const struct range iova[] = {{0, 0xfedfffff}, {0xfef00000, 0x7fffffffff}};
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(4 * GIB, HV_PAGES_4K, 46, iova, 2, &l), 0);
	expect(l.low_ram, 0, 3 * GIB - 1);
	expect(l.high_ram, 4 * GIB, 5 * GIB - 1);
	expect(l.pci64, 5 * GIB, 512 * GIB - 1);
	sane(&l, iova, 2);
}

/* AMD keeps 0xfd00000000..0xffffffffff: what does not fit below goes above, in one piece. */
static void test_amd_hole(void **state)
{
	static const struct range iova[] = {
		{0, 0xfedfffff}, {0xfef00000, 0xfcffffffff}, {TIB, (UINT64_C(1) << 48) - 1}};
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(512 * GIB, HV_PAGES_2M, 48, iova, 3, &l), 0);
	expect(l.high_ram, 4 * GIB, 513 * GIB - 1);
	expect(l.pci64, TIB, (UINT64_C(1) << 48) - 1); /* 499 GiB below the hole are too few */
	sane(&l, iova, 3);
	assert_int_equal(plan(1200 * GIB, HV_PAGES_2M, 48, iova, 3, &l), 0);
	expect(l.low_ram, 0, 3 * GIB - 1);
	expect(l.high_ram, TIB, TIB + 1197 * GIB - 1);
	sane(&l, iova, 3);
	assert_int_equal(plan(1200 * GIB, HV_PAGES_2M, 40, iova, 3, &l), -ENOSPC);
}

/* A region that firmware keeps (RMRR) below 3 GiB: RAM ends there and goes on above 4 GiB. */
static void test_rmrr(void **state)
{
	static const struct range iova[] = {
		{0, 0x7b7fffff}, {0x7f801000, 0xfedfffff}, {0xfef00000, 0x7fffffffff}};
	static const struct range odd[] = {{0, 0x7b7f4fff}, {0xfef00000, 0x7fffffffff}};
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(4 * GIB, HV_PAGES_4K, 39, iova, 3, &l), 0);
	expect(l.low_ram, 0, 0x7b7fffff);
	assert_true(range_size(l.low_ram) + range_size(l.high_ram) == 4 * GIB);
	sane(&l, iova, 3);
	assert_int_equal(plan(4 * GIB, HV_PAGES_1G, 39, iova, 3, &l), 0);
	expect(l.low_ram, 0, GIB - 1);
	expect(l.high_ram, 4 * GIB, 7 * GIB - 1);
	/* Cut where large pages can be, not where the hole begins. */
	assert_int_equal(plan(4 * GIB, HV_PAGES_4K, 39, odd, 2, &l), 0);
	expect(l.low_ram, 0, 0x7b5fffff);
	/* RAM that ends before the hole needs no cut. */
	assert_int_equal(plan(GIB + 4096, HV_PAGES_4K, 39, iova, 3, &l), 0);
	expect(l.low_ram, 0, GIB + 4095);
}

static void test_refused(void **state)
{
	static const struct range not_zero[] = {{0x1000, 0x7fffffffff}};
	static const struct range tiny[] = {{0, 0x9ffff}, {0x100000, 0x7fffffffff}};
	static const struct range narrow[] = {{0, 0xfedfffff}};
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(512 * MIB, HV_PAGES_4K, 39, not_zero, 1, &l), -ENOSPC);
	assert_int_equal(plan(512 * MIB, HV_PAGES_4K, 39, tiny, 2, &l), -ENOSPC);
	assert_int_equal(plan(4 * GIB, HV_PAGES_4K, 39, narrow, 1, &l), -ENOSPC);
	assert_int_equal(plan(4 * GIB, HV_PAGES_4K, 32, NULL, 0, &l), -ENOSPC);
	assert_int_equal(plan(64 * GIB, HV_PAGES_4K, 36, NULL, 0, &l), -ENOSPC);
}

/* Devices that reach only 32 bits: a guest without a 64-bit window. */
static void test_no_high_window(void **state)
{
	static const struct range narrow[] = {{0, 0xfedfffff}, {0xfef00000, 0xffffffff}};
	struct hv_mem_layout l;
	(void)state;

	assert_int_equal(plan(2 * GIB, HV_PAGES_4K, 39, narrow, 2, &l), 0);
	assert_true(l.pci64.last < l.pci64.start);
	sane(&l, narrow, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),		cmocka_unit_test(test_exactly_three),
		cmocka_unit_test(test_more_than_three), cmocka_unit_test(test_vtd),
		cmocka_unit_test(test_amd_hole),	cmocka_unit_test(test_rmrr),
		cmocka_unit_test(test_refused),		cmocka_unit_test(test_no_high_window),
	};

	return cmocka_run_group_tests_name("hv-core/mem_layout", tests, NULL, NULL);
}
