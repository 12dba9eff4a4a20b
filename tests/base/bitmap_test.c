/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocator of small numbers: lowest first, aligned runs, a full map, and the last bit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bitmap.h"

static void test_alloc(void **state)
{
	struct bitmap map;
	(void)state;
	assert_int_equal(bitmap_init(&map, 67), 0);
	assert_int_equal(bitmap_alloc(&map, 24), 24);
	assert_int_equal(bitmap_alloc(&map, 24), 25);
	bitmap_clear(&map, 24);
	assert_int_equal(bitmap_alloc(&map, 0), 0);
	assert_int_equal(bitmap_alloc(&map, 24), 24);
	assert_int_equal(bitmap_alloc_range(&map, 20, 8, 8), 32);
	assert_int_equal(bitmap_alloc(&map, 66), 66);
	assert_int_equal(bitmap_alloc(&map, 66), -ENOSPC);
	assert_int_equal(bitmap_alloc_range(&map, 0, 68, 1), -ENOSPC);
	assert_false(bitmap_test(&map, 67)); /* past the end: never set */
	bitmap_set(&map, 1000);
	bitmap_finish(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_alloc)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
