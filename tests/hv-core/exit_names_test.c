/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/exit_names.c: some of each appendix, and what neither has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "hv-core/hv.h"

static void expect(enum hv_caps_kind kind, uint32_t code, const char *name)
{
	char text[HV_EXIT_NAME_MAX];

	assert_string_equal(hv_exit_code_name(kind, code, text), name);
}

static void names_vmx_reasons(void **state)
{
	(void)state;
	expect(HV_CAPS_VMX, 0, "exception or NMI");
	expect(HV_CAPS_VMX, 12, "HLT");
	expect(HV_CAPS_VMX, 30, "I/O instruction");
	expect(HV_CAPS_VMX, 48, "EPT violation");
	expect(HV_CAPS_VMX, 49, "EPT misconfiguration");
	expect(HV_CAPS_VMX, 52, "preemption timer expired");
	expect(HV_CAPS_VMX, 0x80000021, "entry failure: guest state");
	expect(HV_CAPS_VMX, 35, "reason 35"); /* the manual has a gap */
	expect(HV_CAPS_VMX, 9999, "reason 9999");
	expect(HV_CAPS_NONE, 12, "reason 12");
}

static void names_svm_codes(void **state)
{
	(void)state;
	expect(HV_CAPS_SVM, 0x03, "VMEXIT_CR3_READ");
	expect(HV_CAPS_SVM, 0x18, "VMEXIT_CR8_WRITE");
	expect(HV_CAPS_SVM, 0x37, "VMEXIT_DR7_WRITE");
	expect(HV_CAPS_SVM, 0x4e, "VMEXIT_EXCP14");
	expect(HV_CAPS_SVM, 0x60, "VMEXIT_INTR");
	expect(HV_CAPS_SVM, 0x78, "VMEXIT_HLT");
	expect(HV_CAPS_SVM, 0x7b, "VMEXIT_IOIO");
	expect(HV_CAPS_SVM, 0x94, "VMEXIT_CR4_WRITE_TRAP");
	expect(HV_CAPS_SVM, 0x400, "VMEXIT_NPF");
	expect(HV_CAPS_SVM, 0xffffffff, "VMEXIT_INVALID");
	expect(HV_CAPS_SVM, 0xb0, "code 0xb0");
	expect(HV_CAPS_SVM, 0x404, "code 0x404");
}

/* No name is cut, and every number's codes have names. */
static void names_fit(void **state)
{
	static const enum hv_caps_kind kinds[] = {HV_CAPS_VMX, HV_CAPS_SVM};
	char text[HV_EXIT_NAME_MAX];
	size_t count;
	const struct hv_exit_number *numbers = hv_exit_numbers(&count);
	(void)state;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (uint32_t code = 0; code < 0x500; code++)
			assert_true(strlen(hv_exit_code_name(kinds[k], code, text)) <
				    HV_EXIT_NAME_MAX - 1);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		assert_null(strstr(hv_exit_code_name(HV_CAPS_VMX, numbers[i].vmx, text), "reason"));
		assert_null(strstr(hv_exit_code_name(HV_CAPS_SVM, numbers[i].svm, text), "code"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_vmx_reasons),
		cmocka_unit_test(names_svm_codes),
		cmocka_unit_test(names_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
