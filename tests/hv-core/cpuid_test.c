/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/cpuid.c with tables such as an Intel and an AMD host offer. */
#include "hv-core/cpuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"

#define BIT(n) (UINT32_C(1) << (n))
#define ALL    UINT32_MAX

static const struct hv_cpuid_entry intel[] = {
	{0x0, 0, false, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69},
	{0x1, 0, false, 0x000606a6, 0x05400800, ALL, ALL},
	{0x2, 0, false, 0x00feff01, 0xf0, 0, 0},
	{0x4, 0, true, 0xfc01c121, 0x02c0003f, 0x3f, 0},
	{0x4, 2, true, 0xfc01c143, 0x04c0003f, 0x3ff, 0},
	{0x4, 3, true, 0xfc0fc163, 0x02c0003f, 0xffff, 4},
	{0x4, 4, true, 0, 0, 0, 0},
	{0x5, 0, false, 0x40, 0x40, 3, 0x2020},
	{0x6, 0, false, ALL, 2, 9, 0},
	{0x7, 0, true, 2, ALL, ALL, ALL},
	{0xa, 0, false, 0x08300805, 0, 0xf, 0x8604},
	{0xb, 0, true, 1, 2, 0x100, 77},
	{0xb, 1, true, 7, 128, 0x201, 77},
	{0xd, 0, true, 0x2e7, 2696, 2696, 0},
	{0xd, 1, true, 0xf, 0, 0x1900, 0},
	{0xd, 2, true, 256, 576, 0, 0},
	{0xd, 8, true, 128, 0, 1, 0},
	{0x12, 0, true, 3, 1, 0, 0},
	{0x14, 0, true, 1, 0xf, 7, 0},
	{0x15, 0, false, 2, 208, 0, 0},
	{0x16, 0, false, 2600, 3400, 100, 0},
	{0x1f, 0, true, 1, 2, 0x100, 77},
	{0x40000000, 0, false, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
	{0x40000001, 0, false, 0x01007efb, 0, 0, 0},
	{0x80000000, 0, false, 0x80000008, 0, 0, 0},
	{0x80000001, 0, false, 0, 0, 0x121, 0x2c100800},
	{0x80000007, 0, false, 0, 0, 0, 0x1ff},
	{0x80000008, 0, false, 0x2e302e, 0, 0x7007, 0},
	{0xc0000000, 0, false, 0, 0, 0, 0},
};

static const struct hv_cpuid_entry amd[] = {
	{0x0, 0, false, 0x10, 0x68747541, 0x444d4163, 0x69746e65},
	{0x1, 0, false, 0x00a20f10, 0x03400800, BIT(0) | BIT(3) | BIT(27), BIT(4)},
	{0x7, 0, true, 0, 0x219c95a9, 0x40069c, 0},
	{0x10, 0, true, 0, 2, 0, 0},
	{0x40000000, 0, false, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d},
	{0x40000001, 0, false, 0x01007efb, 0, 0, 0},
	{0x80000000, 0, false, 0x80000022, 0x68747541, 0x444d4163, 0x69746e65},
	{0x80000001, 0, false, 0x00a20f10, 0, ALL, 0x2fd3fbff},
	{0x80000007, 0, false, 0, 0, 0, 0x6799},
	{0x80000008, 0, false, 0x303030, 0x111ef657, 0x700f, 0x10000},
	{0x8000000a, 0, false, 1, 8, 0, 0x1bcff},
	{0x8000001d, 0, true, 0x4121, 0x01c0003f, 0x3f, 0},
	{0x8000001d, 3, true, 0x3c163, 0x03c0003f, 0x7fff, 1},
	{0x8000001e, 0, false, 9, 0x104, 1, 0},
	{0x8000001f, 0, false, 3, 0x173, 0x1fd, 1},
	{0x80000022, 0, false, 7, 0x106, 0, 0},
};

/* 2 sockets of 3 cores of 2 threads: IDs have room for 4 cores. */
static const struct hv_cpuid_topology topology = {
	.cpus = 12, .sockets = 2, .cores = 3, .threads = 2, .tsc_khz = 2600000, .phys_bits = 46};

struct table {
	struct hv_cpuid_entry *entry;
	size_t count;
};

static struct table build(const struct hv_cpuid_entry *host, size_t count, unsigned cpu)
{
	struct table t;

	assert_int_equal(hv_cpuid_build(host, count, &topology, hv_cpuid_apic_id(&topology, cpu),
					&t.entry, &t.count),
			 0);
	return t;
}

static const struct hv_cpuid_entry *find(const struct table *t, uint32_t leaf, uint32_t subleaf)
{
	const struct hv_cpuid_entry *found = NULL;

	for (size_t i = 0; i < t->count; i++) {
		if (t->entry[i].leaf != leaf || t->entry[i].subleaf != subleaf)
			continue;
		assert_null(found); /* each only once */
		found = &t->entry[i];
	}
	return found;
}

static void gives_apic_ids(void **state)
{
	static const unsigned want[] = {0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13};

	(void)state;
	for (unsigned cpu = 0; cpu < ARRAY_SIZE(want); cpu++)
		assert_int_equal(hv_cpuid_apic_id(&topology, cpu), want[cpu]);
}

static void hides_what_is_the_hosts(void **state)
{
	static const uint32_t gone[] = {0x5, 0xa, 0x12, 0x14, 0xc0000000};
	struct table t = build(intel, ARRAY_SIZE(intel), 0);
	const struct hv_cpuid_entry *e = find(&t, 1, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		assert_null(find(&t, gone[i], 0));
	assert_int_equal(e->ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(27)), 0);
	assert_int_equal(find(&t, 6, 0)->eax, BIT(2));
	assert_int_equal(find(&t, 6, 0)->ecx, 0);
	assert_int_equal(find(&t, 7, 0)->ebx & (BIT(2) | BIT(25)), 0);
	assert_int_equal(find(&t, 7, 0)->ecx & (BIT(7) | BIT(30)), 0);
	assert_int_equal(find(&t, 7, 0)->edx & BIT(20), 0);
	assert_int_equal(find(&t, 7, 0)->ebx & BIT(5), BIT(5)); /* AVX2 stays */
	assert_int_equal(find(&t, 0xd, 1)->ecx, 0);
	assert_null(find(&t, 0xd, 8));
	assert_int_equal(find(&t, 0x80000007, 0)->edx, BIT(8));
	free(t.entry);
}

static void shows_a_hypervisor_with_timers(void **state)
{
	struct table t = build(intel, ARRAY_SIZE(intel), 0);
	const uint32_t must = BIT(21) | BIT(24) | BIT(31);

	(void)state;
	assert_int_equal(find(&t, 1, 0)->ecx & must, must);
	assert_int_equal(find(&t, 0x40000000, 0)->eax, 0x40000010);
	assert_int_equal(find(&t, 0x40000001, 0)->eax, 0x01007efb);
	assert_int_equal(find(&t, 0x40000010, 0)->eax, 2600000);
	assert_int_equal(find(&t, 0x40000010, 0)->ebx, 1000000);
	free(t.entry);
}

static void keeps_clock_leaves_consistent(void **state)
{
	struct table t = build(intel, ARRAY_SIZE(intel), 0);
	const struct hv_cpuid_entry *e = find(&t, 0x15, 0);

	(void)state;
	assert_int_equal((uint64_t)e->ecx * e->ebx / e->eax, UINT64_C(2600000000));
	assert_int_equal(find(&t, 0x16, 0)->eax, 2600);
	free(t.entry);
	t = build(amd, ARRAY_SIZE(amd), 0);
	assert_null(find(&t, 0x15, 0));
	free(t.entry);
}

static void describes_the_topology(void **state)
{
	struct table t = build(intel, ARRAY_SIZE(intel), 9); /* APIC ID 11 */

	(void)state;
	assert_int_equal(find(&t, 1, 0)->ebx, 11u << 24 | 8 << 16 | 8 << 8);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t leaf = i ? 0x1f : 0xb;

		assert_int_equal(find(&t, leaf, 0)->eax, 1);
		assert_int_equal(find(&t, leaf, 0)->ebx, 2);
		assert_int_equal(find(&t, leaf, 0)->ecx, 0x100);
		assert_int_equal(find(&t, leaf, 1)->eax, 3);
		assert_int_equal(find(&t, leaf, 1)->ebx, 6);
		assert_int_equal(find(&t, leaf, 1)->ecx, 0x201);
		assert_int_equal(find(&t, leaf, 1)->edx, 11);
		assert_int_equal(find(&t, leaf, 2)->ecx, 2);
	}
	assert_int_equal(find(&t, 4, 0)->eax, 0x0c004121); /* 4 core IDs; L1 for 2 threads */
	assert_int_equal(find(&t, 4, 3)->eax, 0x0c01c163); /* L3 for the socket's 8 IDs */
	assert_int_equal(find(&t, 4, 4)->eax, 0);
	assert_int_equal(find(&t, 0, 0)->eax, 0x1f);
	free(t.entry);
}

static void describes_an_amd_topology(void **state)
{
	struct table t = build(amd, ARRAY_SIZE(amd), 9);
	const struct hv_cpuid_entry *e = find(&t, 0x8000001e, 0);

	(void)state;
	assert_int_equal(e->eax, 11);
	assert_int_equal(e->ebx, 1 | 1 << 8); /* core 1, two threads */
	assert_int_equal(e->ecx, 1);
	assert_int_equal(find(&t, 0x80000008, 0)->ecx, 5 | 3 << 12);
	assert_int_equal(find(&t, 0x80000008, 0)->eax, 0x302e); /* the VM's 46 bits */
	assert_int_equal(find(&t, 0x8000001d, 0)->eax, 0x4121);
	assert_int_equal(find(&t, 0x8000001d, 3)->eax, 0x1c163);
	assert_int_equal(find(&t, 0x80000001, 0)->ecx & (BIT(2) | BIT(23) | BIT(29)), 0);
	assert_int_equal(find(&t, 0x80000001, 0)->ecx & (BIT(1) | BIT(22)), BIT(1) | BIT(22));
	assert_null(find(&t, 0x8000000a, 0));
	assert_null(find(&t, 0x8000001f, 0));
	assert_null(find(&t, 0x80000022, 0));
	assert_int_equal(find(&t, 0x80000000, 0)->eax, 0x8000001e);
	assert_int_equal(find(&t, 0, 0)->eax, 0xb); /* leaf 0x10 is gone, the topology is there */
	assert_non_null(find(&t, 0xb, 1));
	assert_null(find(&t, 0x1f, 0));
	free(t.entry);
}

static void one_cpu_is_alone(void **state)
{
	const struct hv_cpuid_topology one = {.cpus = 1, .sockets = 1, .cores = 1, .threads = 1};
	struct table t;

	(void)state;
	assert_int_equal(hv_cpuid_build(amd, ARRAY_SIZE(amd), &one, 0, &t.entry, &t.count), 0);
	assert_int_equal(find(&t, 1, 0)->edx & BIT(28), 0);
	assert_int_equal(find(&t, 1, 0)->ebx, 1 << 16 | 8 << 8);
	assert_int_equal(find(&t, 0x80000001, 0)->ecx & BIT(1), 0);
	assert_int_equal(find(&t, 0x80000008, 0)->eax, 0x303030);
	assert_null(find(&t, 0x40000010, 0)); /* the TSC's frequency is not known */
	free(t.entry);
}

static void refuses_a_topology_that_does_not_fit(void **state)
{
	struct hv_cpuid_topology bad = topology;
	struct table t;

	(void)state;
	bad.cpus = 11;
	assert_int_equal(hv_cpuid_build(amd, 1, &bad, 0, &t.entry, &t.count), -EINVAL);
	bad = topology;
	bad.threads = 0;
	assert_int_equal(hv_cpuid_build(amd, 1, &bad, 0, &t.entry, &t.count), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_apic_ids),
		cmocka_unit_test(hides_what_is_the_hosts),
		cmocka_unit_test(shows_a_hypervisor_with_timers),
		cmocka_unit_test(keeps_clock_leaves_consistent),
		cmocka_unit_test(describes_the_topology),
		cmocka_unit_test(describes_an_amd_topology),
		cmocka_unit_test(one_cpu_is_alone),
		cmocka_unit_test(refuses_a_topology_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
