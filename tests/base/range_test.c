/* SPDX-License-Identifier: BSD-3-Clause */
/* Placing: inside the window, inside what is usable, outside what is taken, and never wrapping. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/range.h"
#include "base/util.h"

static void test_place_between(void **state)
{
	const struct range usable[] = {{0, 0xfedfffff}, {0xfef00000, UINT64_MAX}};
	const struct range taken[] = {{0x1000, 0x1fff}, {0x4000, 0x4fff}};
	uint64_t at = 0;
	(void)state;
	assert_int_equal(range_place((struct range){0x1000, 0xffff}, usable, 2, taken, 2, 0x2000,
				     0x1000, &at),
			 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(range_place((struct range){0x1000, 0xffff}, usable, 2, taken, 2, 0x4000,
				     0x4000, &at),
			 0);
	assert_int_equal(at, 0x8000);
	/* Starts in the hole around the MSI window, so it goes behind it. */
	assert_int_equal(range_place((struct range){0xfed00000, UINT64_MAX}, usable, 2, taken, 2,
				     GIB, GIB, &at),
			 0);
	assert_int_equal(at, 4 * GIB);
}

static void test_no_room(void **state)
{
	const struct range taken[] = {{0x8000, UINT64_MAX}};
	uint64_t at = 5;
	(void)state;
	assert_int_equal(range_place((struct range){0, 0x7fff}, NULL, 0, NULL, 0, 0x8001, 1, &at),
			 -ENOSPC);
	assert_int_equal(range_place((struct range){0x4000, UINT64_MAX}, NULL, 0, taken, 1, 0x8000,
				     0x8000, &at),
			 -ENOSPC);
	/* Aligning up would wrap around the end of the space to zero. */
	assert_int_equal(range_place((struct range){UINT64_MAX - 10, UINT64_MAX}, NULL, 0, NULL, 0,
				     4, 0x1000, &at),
			 -ENOSPC);
	assert_int_equal(range_place((struct range){0, 100}, NULL, 0, NULL, 0, 0, 1, &at), -ENOSPC);
	assert_int_equal(at, 5);
}

static void test_relations(void **state)
{
	struct range a = {10, 20}, b = {20, 30}, c = {21, 30};
	(void)state;
	assert_true(range_overlaps(a, b));
	assert_false(range_overlaps(a, c));
	assert_true(range_contains((struct range){10, 30}, b));
	assert_false(range_contains(b, (struct range){10, 30}));
	assert_int_equal(range_size(a), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_between),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_relations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
