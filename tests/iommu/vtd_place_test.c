/* SPDX-License-Identifier: BSD-3-Clause */
/* Which unit stands in front of a device, and what comes with it, by made-up DMAR tables. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "iommu/vtd_place.h"
#include "tests/fakes/fake_dmar.h"

static const struct bdf edu = {0, 0, 3, 0}, nic = {0, 1, 0, 0}, far = {1, 0, 3, 0};

static int setup(void **state)
{
	static struct fake_sysfs fake;

	fake_sysfs_make(&fake);
	fake_device(&fake.fs, "0000:00:03.0", -1, "");
	fake_device(&fake.fs, "0000:01:00.0", -1, "");
	*state = &fake;
	return 0;
}

static int teardown(void **state)
{
	fake_sysfs_remove(*state);
	return 0;
}

static void rmrr(struct table *t, uint64_t first, uint64_t last, unsigned path)
{
	table_entry(t, DMAR_RMRR);
	table_put(t, 0, 2), table_put(t, 0, 2), table_put(t, first, 8), table_put(t, last, 8);
	table_scope(t, DMAR_SCOPE_ENDPOINT, 0, 0, path);
	table_end(t);
}

static void a_device_has_a_unit(void **state)
{
	const struct fake_sysfs *fake = *state;
	struct vtd_place place;
	struct table t;

	table_start(&t);
	table_drhd(&t, 0, 0xfed90000), table_scope(&t, 1, 0, 0, 0x0300), table_end(&t);
	table_drhd(&t, 1, 0xfed92000);
	t.bytes[t.entry + 5] = 1; /* two pages of registers */
	table_end(&t);
	rmrr(&t, 0x7f000000, 0x7f0fffff, 0x0300);
	rmrr(&t, 0x7d000000, 0x7d0fffff, 0x0300);
	rmrr(&t, 0x7e000000, 0x7e0fffff, 0x0400); /* another device's */
	table_install(&t, &fake->fs);
	assert_int_equal(vtd_place_find(&fake->fs, edu, &place), 0);
	assert_int_equal(place.base, 0xfed90000);
	assert_int_equal(place.size, 4096);
	assert_int_equal(place.host_width, 39);
	assert_int_equal(place.reserved_count, 2);
	assert_int_equal(place.reserved[0].start, 0x7d000000);
	assert_int_equal(place.reserved[1].last, 0x7f0fffff);
	vtd_place_finish(&place);
	assert_int_equal(vtd_place_find(&fake->fs, nic, &place), 0);
	assert_int_equal(place.base, 0xfed92000);
	assert_int_equal(place.size, 8192);
	assert_int_equal(place.reserved_count, 0);
	vtd_place_finish(&place);
	assert_int_equal(vtd_place_find(&fake->fs, far, &place), -ENODEV);
	vtd_place_finish(&place);
}

/* A width that no entry can hold is cut to what one can. */
static void a_width_is_bounded(void **state)
{
	const struct fake_sysfs *fake = *state;
	struct vtd_place place;
	struct table t;

	table_start(&t);
	t.bytes[36] = 63;
	table_drhd(&t, 1, 0xfed90000), table_end(&t);
	table_install(&t, &fake->fs);
	assert_int_equal(vtd_place_find(&fake->fs, edu, &place), 0);
	assert_int_equal(place.host_width, 52);
	vtd_place_finish(&place);
}

static void without_a_sound_table_there_is_none(void **state)
{
	const struct fake_sysfs *fake = *state;
	struct vtd_place place;
	struct table t;

	assert_int_equal(vtd_place_find(&fake->fs, edu, &place), -ENOENT);
	table_start(&t);
	table_drhd(&t, 1, 0xfed90001), table_end(&t);
	table_install(&t, &fake->fs);
	assert_int_equal(vtd_place_find(&fake->fs, edu, &place), -EINVAL);
	vtd_place_finish(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_has_a_unit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_width_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_sound_table_there_is_none, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
