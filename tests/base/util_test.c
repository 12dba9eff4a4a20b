/* SPDX-License-Identifier: BSD-3-Clause */
/* Alignment keeps all bits of its operand, whatever type the constant has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"

static void test_align_wide(void **state)
{
	const uint64_t x = UINT64_C(0x123456789f);

	(void)state;
	assert_true(ALIGN_DOWN(x, 64u) == UINT64_C(0x1234567880));
	assert_true(ALIGN_UP(x, 64u) == UINT64_C(0x12345678c0));
	assert_true(ALIGN_DOWN(x, 64) == UINT64_C(0x1234567880));
	assert_true(ALIGN_UP(x, 4 * KIB) == UINT64_C(0x1234568000));
	assert_true(IS_ALIGNED(UINT64_C(0x1200000000), 4096u));
	assert_false(IS_ALIGNED(x, 2u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_align_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
