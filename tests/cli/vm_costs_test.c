/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_costs_test: bare numbers become what they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/vm_costs.h"

static json_t *stat_of(void)
{
	return json_loads("{\"engine\": {\"pages_4k\": 3, \"pages_2m\": 2, \"pages_1g\": 0},"
			  " \"cpus\": [{\"engine\": {\"halt_exits\": 5, \"io_exits\": 0}},"
			  "            {\"engine\": {\"halt_exits\": 7, \"pf_taken\": 9}}]}",
			  0, NULL);
}

static json_int_t number(const json_t *object, const char *key)
{
	assert_non_null(json_object_get(object, key));
	return json_integer_value(json_object_get(object, key));
}

static void test_sums(void **state)
{
	json_t *stat = stat_of(), *numbers = vm_costs_numbers(stat);
	json_t *pages = vm_costs_pages(numbers);

	(void)state;
	assert_int_equal(number(numbers, "halt_exits"), 12);
	assert_int_equal(number(pages, "4k"), 3 * 4096);
	assert_int_equal(number(pages, "2m"), 4 << 20);
	assert_int_equal(number(pages, "1g"), 0);
	assert_null(vm_costs_polling(numbers));
	json_decref(pages);
	json_decref(numbers);
	json_decref(stat);
}

static void test_reasons(void **state)
{
	json_t *stat = stat_of(), *numbers = vm_costs_numbers(stat);
	json_t *vmx = vm_costs_reasons(numbers, HV_CAPS_VMX);
	json_t *svm = vm_costs_reasons(numbers, HV_CAPS_SVM);
	json_t *none = vm_costs_reasons(numbers, HV_CAPS_NONE);

	(void)state;
	assert_int_equal(json_array_size(vmx), 2); /* without zeros */
	assert_int_equal(json_array_size(svm), 2);
	assert_int_equal(json_array_size(none), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(vmx, 0), "reason")),
			    "HLT");
	assert_int_equal(number(json_array_get(vmx, 0), "count"), 12);
	assert_int_equal(number(json_array_get(svm, 0), "code"), 0x78);
	assert_string_equal(json_string_value(json_object_get(json_array_get(svm, 1), "reason")),
			    "VMEXIT_NPF");
	json_decref(vmx);
	json_decref(svm);
	json_decref(none);
	json_decref(numbers);
	json_decref(stat);
}

static void test_polling(void **state)
{
	json_t *numbers = json_loads("{\"halt_attempted_poll\": 10, \"halt_successful_poll\": 4,"
				     " \"halt_poll_fail_ns\": 600}",
				     0, NULL);
	json_t *polling = vm_costs_polling(numbers);

	(void)state;
	assert_int_equal(number(polling, "polls"), 10);
	assert_int_equal(number(polling, "good"), 4);
	assert_int_equal(number(polling, "vain_ns"), 600);
	json_decref(polling);
	json_decref(numbers);
}

static void test_irq_path(void **state)
{
	(void)state;
	assert_null(vm_costs_irq_path("none", NULL, true, 0));
	assert_string_equal(vm_costs_irq_path("intx", "IR-IO-APIC", true, 0), "emulated");
	assert_string_equal(vm_costs_irq_path("msi-x", "IR-PCI-MSIX-0000:01:10.0", true, 0),
			    "postable");
	/* What the host's handler took was not posted, whatever could have been. */
	assert_string_equal(vm_costs_irq_path("msi-x", "IR-PCI-MSIX-0000:01:10.0", true, 1),
			    "remapped");
	assert_string_equal(vm_costs_irq_path("msi-x", "IR-PCI-MSIX-0000:01:10.0", false, 0),
			    "remapped");
	assert_string_equal(vm_costs_irq_path("msi", "PCI-MSI", false, 0), "host");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_polling),
		cmocka_unit_test(test_irq_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
