/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/smbios.c: the structures can be walked, and the entry point fits them. */
#include "vdev/smbios.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t total = 0;

	for (size_t i = 0; i < len; i++)
		total = (uint8_t)(total + at[i]);
	return total;
}

static void check(uint64_t low, uint64_t high, bool second)
{
	static const uint8_t lengths[128] = {[0] = 24,	[1] = 27,  [3] = 22,  [4] = 42, [16] = 23,
					     [17] = 40, [19] = 31, [32] = 11, [127] = 4};
	struct vdev_smbios s;
	unsigned seen[128] = {0};
	size_t at = 0, count = 0;

	vdev_smbios_build("web", 2, low, high, &s);
	while (at < s.size) {
		const uint8_t *t = s.tables + at;

		assert_true(t[0] < 128 && at + t[1] + 2 <= s.size);
		assert_int_equal(t[1], lengths[t[0]]);
		seen[t[0]]++;
		count++;
		at += t[1];
		while (s.tables[at] || s.tables[at + 1])
			at++;
		at += 2;
	}
	assert_int_equal(at, s.size);
	for (unsigned type = 0; type < 128; type++)
		assert_int_equal(seen[type], type == 19 && second ? 2 : lengths[type] ? 1 : 0);
	assert_memory_equal(s.anchor, "_SM_", 4);
	assert_int_equal(sum(s.anchor, s.anchor[5]), 0);
	assert_int_equal(sum(s.anchor + 16, 15), 0);
	assert_int_equal(s.anchor[22] | s.anchor[23] << 8, s.size);
	assert_int_equal(s.anchor[28] | s.anchor[29] << 8, count);
}

static void small(void **state)
{
	(void)state;
	check(256u << 20, 0, false);
}

static void large(void **state)
{
	(void)state;
	check(UINT64_C(2) << 30, UINT64_C(6) << 40, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(small), cmocka_unit_test(large)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
