/* SPDX-License-Identifier: BSD-3-Clause */
/* exit_trace_test: what the kernel writes about a histogram, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/exit_trace.h"

static void test_parse(void **state)
{
	static const char text[] =
		"# event histogram\n#\n# trigger info: hist:keys=isa,exit_reason:vals=hitcount:"
		"sort=hitcount:size=2048 if common_pid == 12 [active]\n#\n\n"
		"{ isa:          2, exit_reason:        120 } hitcount:          3\n"
		"{ isa:          2, exit_reason:       1024 } hitcount:      12345\n"
		"{ isa:          1, exit_reason: 4294967295 } hitcount:        700\n"
		"\nTotals:\n    Hits: 13048\n    Entries: 3\n    Dropped: 0\n";
	struct exit_trace_row rows[EXIT_TRACE_ROWS];

	(void)state;
	assert_int_equal(exit_trace_parse(text, rows), 3);
	assert_int_equal(rows[0].kind, HV_CAPS_SVM);
	assert_int_equal(rows[0].reason, 0x400);
	assert_int_equal(rows[0].count, 12345);
	assert_int_equal(rows[1].kind, HV_CAPS_VMX);
	assert_int_equal(rows[1].reason, UINT32_MAX);
	assert_int_equal(rows[2].count, 3);
}

static void test_other_text(void **state)
{
	struct exit_trace_row rows[EXIT_TRACE_ROWS];

	(void)state;
	assert_int_equal(exit_trace_parse("", rows), 0);
	assert_int_equal(exit_trace_parse("{ isa: x }\n{ exit_reason: 1 }", rows), 0);
}

static void test_no_tracefs(void **state)
{
	struct exit_trace_row rows[EXIT_TRACE_ROWS];
	const int thread = 1;

	(void)state;
	assert_true(exit_trace("/nonexistent", &thread, 1, 1, rows) < 0);
	assert_true(exit_trace("/nonexistent", &thread, 0, 1, rows) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_other_text),
		cmocka_unit_test(test_no_tracefs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
