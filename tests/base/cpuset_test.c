/* SPDX-License-Identifier: BSD-3-Clause */
/* cpuset: text to set and back. */
#include "base/cpuset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/util.h"

static void round_trip(const char *text, char separator, const char *back, int count)
{
	cpu_set_t set;
	char out[64];

	assert_int_equal(cpuset_parse(text, separator, &set), 0);
	assert_int_equal(CPU_COUNT(&set), count);
	assert_string_equal(cpuset_format(&set, out, sizeof(out)), back);
}

static void test_text(void **state)
{
	(void)state;
	round_trip("", ',', "", 0);
	round_trip("\n", ',', "", 0); /* of a node without CPUs */
	round_trip("3", ',', "3", 1);
	round_trip("0-3,8\n", ',', "0-3,8", 5);
	round_trip("8,3,2,1", ',', "1-3,8", 4);
	round_trip("0-1:5", ':', "0-1,5", 3);
	round_trip("1023", ',', "1023", 1);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {"a",	  "1,",	 "1-",	"-1",	"3-2", ",1",
					  "1,,2", "1 2", "1;2", "1\n2", "1,\n"};
	cpu_set_t set;

	(void)state;
	CPU_ZERO(&set);
	CPU_SET(7, &set);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cpuset_parse(bad[i], ',', &set), -EINVAL);
	assert_int_equal(cpuset_parse("1024", ',', &set), -ERANGE);
	assert_int_equal(cpuset_parse("0-99999999999999999999", ',', &set), -ERANGE);
	assert_int_equal(CPU_COUNT(&set), 1); /* untouched */
	assert_true(CPU_ISSET(7, &set));
}

static void test_room(void **state)
{
	cpu_set_t set;
	char out[6];

	(void)state;
	assert_int_equal(cpuset_parse("1,3,5,7", ',', &set), 0);
	assert_string_equal(cpuset_format(&set, out, sizeof(out)), "1,3,5");
}

static void test_sets(void **state)
{
	cpu_set_t a, b;
	char out[32];

	(void)state;
	assert_int_equal(cpuset_parse("0-7", ',', &a), 0);
	assert_int_equal(cpuset_parse("2,3,9", ',', &b), 0);
	assert_true(cpuset_overlaps(&a, &b));
	cpuset_remove(&a, &b);
	assert_false(cpuset_overlaps(&a, &b));
	assert_string_equal(cpuset_format(&a, out, sizeof(out)), "0-1,4-7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
