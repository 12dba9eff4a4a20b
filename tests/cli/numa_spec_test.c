/* SPDX-License-Identifier: BSD-3-Clause */
/* numa_spec: what `--numa` takes and refuses, and what it fills in. */
#include "cli/numa_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/util.h"

static void test_good(void **state)
{
	char why[NUMA_SPEC_WHY];
	struct numa_spec spec;

	(void)state;
	assert_int_equal(numa_spec_parse("1", &spec, why), 0);
	assert_int_equal(spec.node.host, 1);
	assert_false(spec.has_cpus || spec.has_memory);
	assert_int_equal(numa_spec_parse("any,cpus=0-1:63,memory=256M", &spec, why), 0);
	assert_int_equal(spec.node.host, -1);
	assert_true(spec.node.cpus == (UINT64_C(1) << 63 | 3));
	assert_int_equal(spec.node.ram, 256 * MIB);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"",		"node0",       "1024",	    "-1",
					  "0,",		"0,cpus=",     "0,cpus=64", "0,cpu=1",
					  "0,cpus=0,1", "0,memory=1M", "0,memory=x"};
	char why[NUMA_SPEC_WHY];
	struct numa_spec spec;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why[0] = '\0';
		assert_int_equal(numa_spec_parse(bad[i], &spec, why), -EINVAL);
		assert_true(strlen(why) > 0);
	}
}

static int complete(const char *first, const char *second, unsigned cpus, struct numa_spec out[2],
		    char why[NUMA_SPEC_WHY])
{
	assert_int_equal(numa_spec_parse(first, &out[0], why), 0);
	assert_int_equal(numa_spec_parse(second, &out[1], why), 0);
	return numa_spec_complete(out, 2, cpus, 255 * MIB, 4 * KIB, why);
}

static void test_dealt_out(void **state)
{
	char why[NUMA_SPEC_WHY];
	struct numa_spec s[2];

	(void)state;
	assert_int_equal(complete("0", "1", 5, s, why), 0);
	assert_int_equal(s[0].node.cpus, 0x07);
	assert_int_equal(s[1].node.cpus, 0x18);
	assert_int_equal(s[0].node.ram, 126 * MIB);
	assert_int_equal(s[1].node.ram, 129 * MIB);
	assert_int_equal(complete("0,cpus=1", "1,cpus=0:2", 3, s, why), 0);
	assert_int_equal(s[1].node.cpus, 5);
	assert_int_equal(complete("0,memory=54M", "1,memory=201M", 64, s, why), 0);
	assert_true(s[1].node.cpus == UINT64_C(0xffffffff00000000));
	assert_int_equal(s[0].node.ram, 54 * MIB);
}

static void test_does_not_add_up(void **state)
{
	static const struct {
		const char *first, *second, *why;
	} bad[] = {
		{"0,cpus=0-1", "1", "for some nodes only"},
		{"0,cpus=0-1", "1,cpus=1", "CPU 1 is in two"},
		{"0,cpus=0", "1,cpus=1", "CPU 2 is in no node"},
		{"0,cpus=0-1", "1,cpus=2-3", "CPU 3 is past the last"},
		{"0,memory=128M", "1", "memory= is given for some"},
		{"0,memory=128M", "1,memory=128M", "256 MiB of memory, the VM 255 MiB"},
		{"0,memory=127M", "1,memory=128M", "no multiple of 2 MiB"},
	};
	char why[NUMA_SPEC_WHY];
	struct numa_spec s[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(complete(bad[i].first, bad[i].second, 3, s, why), -EINVAL);
		assert_non_null(strstr(why, bad[i].why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_dealt_out),
		cmocka_unit_test(test_does_not_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
