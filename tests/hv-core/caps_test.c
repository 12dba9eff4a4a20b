/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/caps.c and caps_read.c: hand-made capability numbers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "hv-core/hv.h"

#define CTL(bit) (UINT64_C(1) << (32 + (bit))) /* may be 1 */

/* A parameter of the module that says no. */
static int parameter(void *opaque, const char *name)
{
	const char *off = opaque;

	if (off && !strcmp(off, name))
		return 0;
	return strcmp(name, "vnmi") == 0 ? -1 : 1;
}

static const struct hv_cap *find(const struct hv_caps *caps, const char *name)
{
	for (size_t i = 0; i < caps->count; i++)
		if (!strcmp(caps->cap[i].name, name))
			return &caps->cap[i];
	fail_msg("no feature '%s'", name);
	return NULL;
}

static void put(struct hv_caps_raw *raw, unsigned msr, uint64_t value)
{
	raw->kind = HV_CAPS_VMX;
	raw->vmx[msr - HV_CAPS_VMX_FIRST] = value;
}

static void decodes_vmx(void **state)
{
	struct hv_caps_raw raw = {0};
	struct hv_caps caps;
	(void)state;

	put(&raw, 0x480, UINT64_C(0x0040040000000012) | UINT64_C(1) << 31); /* bit 31 is always 0 */
	put(&raw, 0x481, CTL(6) | CTL(5));
	put(&raw, 0x485, 5);
	put(&raw, 0x48b, CTL(1) | CTL(5) | CTL(17));
	put(&raw, 0x48c, UINT64_C(1) << 16 | UINT64_C(1) << 6 | UINT64_C(1) << 41);
	hv_caps_decode(&raw, parameter, NULL, &caps);
	assert_int_equal(caps.kind, HV_CAPS_VMX);
	assert_int_equal(caps.revision, 0x12);
	assert_int_equal(caps.vmcs_size, 0x400);
	assert_int_equal(caps.preemption_shift, 5);
	assert_int_equal(caps.ept_levels, 4);
	assert_int_equal(find(&caps, "extended page tables (EPT)")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "EPT, pages of 2M")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "EPT, pages of 1G")->state, HV_CAP_MISSING);
	assert_non_null(find(&caps, "EPT, pages of 1G")->cost);
	assert_int_equal(find(&caps, "VPID")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "INVVPID of one context")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "posted interrupts")->state, HV_CAP_MISSING);
	assert_int_equal(find(&caps, "virtual NMIs")->state, HV_CAP_USED); /* parameter unknown */
	assert_int_equal(find(&caps, "information on string I/O")->state, HV_CAP_USED);
}

static void believes_true_controls(void **state)
{
	struct hv_caps_raw raw = {0};
	struct hv_caps caps;
	(void)state;

	put(&raw, 0x481, CTL(7));
	put(&raw, 0x48d, CTL(6));
	hv_caps_decode(&raw, parameter, NULL, &caps);
	assert_int_equal(find(&caps, "posted interrupts")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "preemption timer")->state, HV_CAP_MISSING);
	assert_int_equal(caps.preemption_shift, -1);
	put(&raw, 0x480, UINT64_C(1) << 55);
	hv_caps_decode(&raw, parameter, NULL, &caps);
	assert_int_equal(find(&caps, "posted interrupts")->state, HV_CAP_MISSING);
	assert_int_equal(find(&caps, "preemption timer")->state, HV_CAP_USED);
}

static void tells_what_is_switched_off(void **state)
{
	char off[] = "enable_apicv";
	struct hv_caps_raw raw = {0};
	struct hv_caps caps;
	(void)state;

	put(&raw, 0x481, CTL(7));
	put(&raw, 0x48b, CTL(8) | CTL(18));
	hv_caps_decode(&raw, parameter, off, &caps);
	assert_int_equal(find(&caps, "posted interrupts")->state, HV_CAP_OFF);
	assert_string_equal(find(&caps, "posted interrupts")->parameter, "enable_apicv");
	assert_int_equal(find(&caps, "APIC-register virtualization")->state, HV_CAP_OFF);
	assert_int_equal(find(&caps, "virtual-interrupt delivery")->state, HV_CAP_MISSING);
	assert_int_equal(find(&caps, "EPT-violation #VE")->state, HV_CAP_UNUSED);
}

static void decodes_svm(void **state)
{
	struct hv_caps_raw raw = {
		.kind = HV_CAPS_SVM, .svm_eax = 1, .svm_ebx = 32768, .svm_edx = 1 | 1u << 13};
	char off[] = "avic";
	struct hv_caps caps;
	(void)state;

	hv_caps_decode(&raw, parameter, off, &caps);
	assert_int_equal(caps.revision, 1);
	assert_int_equal(caps.asids, 32768);
	assert_int_equal(caps.ept_levels, 0);
	assert_int_equal(find(&caps, "nested paging (NPT)")->state, HV_CAP_USED);
	assert_int_equal(find(&caps, "AVIC")->state, HV_CAP_OFF);
	assert_int_equal(find(&caps, "decode assists")->state, HV_CAP_MISSING);
	raw.kind = HV_CAPS_NONE;
	hv_caps_decode(&raw, parameter, NULL, &caps);
	assert_int_equal(caps.count, 0);
}

static void reads_text(void **state)
{
	static const char *const bad[] = {
		"0x47f 1",
		"0x494 1",
		"0x480",
		"0x480 1 2",
		"svm 1 2",
		"svm 1 2 3\n0x480 1",
		"0x480 1\nsvm 1 2 3",
		"hello",
	};
	struct hv_caps_raw raw;
	unsigned line;
	(void)state;

	assert_int_equal(
		hv_caps_parse("# Skylake\n\n0x480 da0400000004 # basic\n48b 0x1\n", &raw, &line),
		0);
	assert_int_equal(raw.kind, HV_CAPS_VMX);
	assert_int_equal(raw.vmx[0], UINT64_C(0xda0400000004));
	assert_int_equal(raw.vmx[0xb], 1);
	assert_int_equal(hv_caps_parse("svm 1 10 0x2409", &raw, &line), 0);
	assert_int_equal(raw.kind, HV_CAPS_SVM);
	assert_int_equal(raw.svm_edx, 0x2409);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(hv_caps_parse(bad[i], &raw, &line), -EINVAL);
	assert_int_equal(hv_caps_parse("\n\n0x480 x", &raw, &line), -EINVAL);
	assert_int_equal(line, 3);
	assert_int_equal(hv_caps_parse("", &raw, &line), 0);
	assert_int_equal(raw.kind, HV_CAPS_NONE);
}

/* Names are what JSON readers look for: each once. */
static void names_are_unique(void **state)
{
	static const enum hv_caps_kind kinds[] = {HV_CAPS_VMX, HV_CAPS_SVM};
	struct hv_caps caps;
	(void)state;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct hv_caps_raw raw = {.kind = kinds[k]};

		hv_caps_decode(&raw, parameter, NULL, &caps);
		assert_true(caps.count > 10);
		for (size_t i = 0; i < caps.count; i++)
			assert_ptr_equal(find(&caps, caps.cap[i].name), &caps.cap[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_vmx),
		cmocka_unit_test(believes_true_controls),
		cmocka_unit_test(tells_what_is_switched_off),
		cmocka_unit_test(decodes_svm),
		cmocka_unit_test(reads_text),
		cmocka_unit_test(names_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
