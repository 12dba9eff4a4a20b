/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_sample_test: two moments and what lies between them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/vm_sample.h"

static int ticks(const char *text, uint64_t *out)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err = vm_sample_ticks(in, out);

	fclose(in);
	return err;
}

static void test_ticks(void **state)
{
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(ticks("812 (sluice-vmm) S 1 2 3 4 5 6 7 8 9 10 1500 250 0 0 20", &sum), 0);
	assert_int_equal(sum, 1750);
	assert_int_equal(ticks("812 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 3 4 0", &sum), 0);
	assert_int_equal(sum, 7);
	assert_int_equal(ticks("812 (cut", &sum), -EINVAL);
	assert_int_equal(ticks("812 (cut) S 1 2 3", &sum), -EINVAL);
}

static const char *name_at(const json_t *rows, size_t i)
{
	return json_string_value(json_object_get(json_array_get(rows, i), "name"));
}

static json_int_t number_at(const json_t *rows, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(rows, i), key));
}

static void test_rates(void **state)
{
	const struct vm_sample before[] = {
		{"a", 1, 100, 1000, 5000, 10}, {"b", 2, 0, 0, 0, 10}, {"c", 3, 0, 900, 900, 10}};
	struct vm_sample now[] = {{"a", 1, 200, 3000, 9000, 30},
				  {"b", 2, 400, 10, 10, 20},
				  {"c", 3, 0, 100, 100, 40}, /* reset: its counters began again */
				  {"d", 4, 999, 999, 999, 50}}; /* new */

	(void)state;
	json_t *rows = vm_sample_rates(before, 3, now, 4, 2.0, 100, VM_SORT_CPU);
	assert_int_equal(json_array_size(rows), 4);
	assert_string_equal(name_at(rows, 0), "b");
	assert_int_equal(number_at(rows, 0, "cpu"), 200);
	assert_string_equal(name_at(rows, 1), "a");
	assert_int_equal(number_at(rows, 1, "cpu"), 50);
	assert_int_equal(number_at(rows, 1, "exits"), 1000);
	assert_int_equal(number_at(rows, 1, "kernel"), 1000);
	assert_string_equal(name_at(rows, 2), "c");
	assert_int_equal(number_at(rows, 2, "exits"), 50);
	assert_int_equal(number_at(rows, 3, "exits"), 0);
	json_decref(rows);
	rows = vm_sample_rates(before, 3, now, 4, 2.0, 100, VM_SORT_EXITS);
	assert_string_equal(name_at(rows, 0), "a");
	json_decref(rows);
	rows = vm_sample_rates(before, 3, now, 4, 2.0, 100, VM_SORT_MEMORY);
	assert_string_equal(name_at(rows, 0), "d");
	json_decref(rows);
	rows = vm_sample_rates(NULL, 0, now, 4, 2.0, 100, VM_SORT_NAME);
	assert_string_equal(name_at(rows, 3), "d");
	json_decref(rows);
	rows = vm_sample_rates(NULL, 0, NULL, 0, 2.0, 100, VM_SORT_CPU);
	assert_int_equal(json_array_size(rows), 0);
	json_decref(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
