/* SPDX-License-Identifier: BSD-3-Clause */
/* cpuid_check: a host with less than the guest was shown is refused, and what is missing is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/cpuid.h"

#define LEAVES 5

static const struct hv_cpuid_entry base[LEAVES] = {
	{.leaf = 0, .eax = 0x16, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69},
	{.leaf = 1, .ecx = 1u << 27 | 1u << 28, .edx = 0x078bfbff},
	{.leaf = 7, .has_subleaf = true, .ebx = 1u << 5 | 1u << 16},
	{.leaf = 0x80000007, .edx = 1u << 8},
	{.leaf = 0x80000008, .eax = 46},
};

static struct hv_cpuid_entry have[LEAVES];
static char why[256];

static int check(void)
{
	return hv_cpuid_check(base, LEAVES, have, LEAVES, why, sizeof(why));
}

static int setup(void **state)
{
	(void)state;
	memcpy(have, base, sizeof(have));
	return 0;
}

static void the_same_is_enough(void **state)
{
	(void)state;
	assert_int_equal(check(), 0);
	have[2].ebx = ~0u;	    /* more is no harm */
	have[1].ecx &= ~(1u << 27); /* OSXSAVE follows the guest's own CR4 */
	have[4].eax = 52;
	assert_int_equal(check(), 0);
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	have[2].ebx &= ~(1u << 16);
	assert_int_equal(check(), -ENOTSUP);
	assert_string_equal(why, "avx512f (CPUID 7.0 EBX bit 16)");
	have[1].edx &= ~(1u << 3);
	assert_int_equal(check(), -ENOTSUP);
	assert_string_equal(why, "CPUID 1.0 EDX bit 3, avx512f (CPUID 7.0 EBX bit 16)");
}

static void a_missing_leaf_misses_all(void **state)
{
	(void)state;
	have[3].leaf = 0x80000006;
	assert_int_equal(check(), -ENOTSUP);
	assert_string_equal(why, "invariant tsc (CPUID 80000007.0 EDX bit 8)");
}

static void vendor_and_width(void **state)
{
	(void)state;
	have[4].eax = 39;
	assert_int_equal(check(), -ENOTSUP);
	assert_string_equal(why, "46 physical address bits");
	have[0].ebx = 0x68747541;
	assert_int_equal(check(), -ENOTSUP);
	assert_string_equal(why, "a CPU of the same vendor");
}

/* As many as there are: the text ends, and stays inside its buffer. */
static void a_poor_host(void **state)
{
	(void)state;
	for (size_t i = 1; i < LEAVES; i++)
		have[i] = (struct hv_cpuid_entry){.leaf = base[i].leaf};
	why[sizeof(why) - 1] = 1;
	assert_int_equal(check(), -ENOTSUP);
	assert_int_equal(strlen(why), sizeof(why) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_same_is_enough, setup),
		cmocka_unit_test_setup(what_is_missing_is_named, setup),
		cmocka_unit_test_setup(a_missing_leaf_misses_all, setup),
		cmocka_unit_test_setup(vendor_and_width, setup),
		cmocka_unit_test_setup(a_poor_host, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
