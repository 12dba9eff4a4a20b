/* SPDX-License-Identifier: BSD-3-Clause */
/* Each reason against posting, alone and in the order of repair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iommu/posting.h"

static const struct iommu_posting_facts good = {
	.remapped = true,
	.entry_posted = IOMMU_NO,
	.unit_can = IOMMU_YES,
	.virtual_apic = IOMMU_YES,
	.cpus = 4,
	.address = 0xfee01000, /* physical, CPU 1 */
	.data = 0x41,
};

#define EXPECT(reason, ...)                                           \
	do {                                                          \
		struct iommu_posting_facts f = good;                  \
		__VA_ARGS__;                                          \
		assert_int_equal(iommu_posting_of(&f), reason);       \
		assert_true(strlen(iommu_posting_words(reason)) > 5); \
	} while (0)

static void test_reasons(void **state)
{
	(void)state;
	EXPECT(IOMMU_NOT_LINKED, (void)f);
	EXPECT(IOMMU_POSTED, f.entry_posted = IOMMU_YES, f.unit_can = IOMMU_NO);
	EXPECT(IOMMU_POSTED_LIKELY, f.entry_posted = IOMMU_UNKNOWN);
	EXPECT(IOMMU_POSTED_LIKELY, f.entry_posted = f.unit_can = f.virtual_apic = IOMMU_UNKNOWN);
	EXPECT(IOMMU_WIRE, f.wire = true, f.remapped = false);
	EXPECT(IOMMU_NOT_REMAPPED, f.remapped = false, f.unit_can = IOMMU_NO);
	EXPECT(IOMMU_NO_CAPABILITY, f.unit_can = IOMMU_NO, f.virtual_apic = IOMMU_NO);
	EXPECT(IOMMU_NO_APICV, f.virtual_apic = IOMMU_NO, f.masked = true);
	EXPECT(IOMMU_NO_AVIC, f.virtual_apic = IOMMU_NO, f.amd_cpu = true);
	EXPECT(IOMMU_PIT_REINJECTION, f.pit_reinjection = f.amd_cpu = true);
	EXPECT(IOMMU_NOT_LINKED, f.pit_reinjection = true); /* APICv does not mind */
	EXPECT(IOMMU_MASKED, f.masked = true);
}

static void test_destinations(void **state)
{
	(void)state;
	EXPECT(IOMMU_MULTI_DESTINATION, f.address = 0xfee03004); /* logical, CPUs 0 and 1 */
	EXPECT(IOMMU_NOT_LINKED, f.address = 0xfee02004);	 /* logical, CPU 1 */
	EXPECT(IOMMU_NOT_LINKED, f.address = 0xfee03000);	 /* physical, CPU 3 */
	EXPECT(IOMMU_MULTI_DESTINATION, f.address = 0xfeeff000);
	EXPECT(IOMMU_NOT_LINKED, f.address = 0xfeeff000, f.cpus = 1);
	EXPECT(IOMMU_NOT_LINKED, f.data = 0x141);
	EXPECT(IOMMU_MULTI_DESTINATION, f.data = 0x400, f.cpus = 1); /* NMI */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_destinations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
