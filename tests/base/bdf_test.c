/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI addresses: both text forms, and everything that only looks like one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bdf.h"
#include "base/util.h"

static void test_parse(void **state)
{
	struct bdf bdf;
	char text[BDF_TEXT];
	(void)state;
	assert_int_equal(bdf_parse("0000:01:10.3", &bdf), 0);
	assert_string_equal(bdf_format(bdf, text), "0000:01:10.3");
	assert_int_equal(bdf_parse("fF:1f.7", &bdf), 0);
	assert_string_equal(bdf_format(bdf, text), "0000:ff:1f.7");
	static const char *const bad[] = {"",
					  "01",
					  "01:00",
					  "01:00.8",
					  "01:20.0",
					  "001:00.0",
					  "0000:1:00.0",
					  "01:00.0 ",
					  "01:00.00",
					  "00000:01:00.0",
					  "0000:01:00.g",
					  "enp1s0"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(bdf_parse(bad[i], &bdf), -EINVAL);
}

static void test_order(void **state)
{
	struct bdf a = {0, 1, 2, 3}, b = {0, 1, 2, 4}, c = {1, 0, 0, 0};
	(void)state;
	assert_true(bdf_equal(a, a));
	assert_false(bdf_equal(a, b));
	assert_int_equal(bdf_compare(a, b), -1);
	assert_int_equal(bdf_compare(c, b), 1);
	assert_int_equal(bdf_compare(b, b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
