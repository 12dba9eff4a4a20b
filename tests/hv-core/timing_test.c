/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/timing.c: nothing is counted until somebody looks, and a trace is bounded.
 */
#include "hv-core/timing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "hv-core/vm.h"

static int setup(void **state)
{
	struct hv_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return -1;
	hv_timing_init(&vm->timing);
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct hv_vm *vm = *state;

	hv_timing_finish(&vm->timing);
	free(vm);
	return 0;
}

static void is_off_at_first(void **state)
{
	struct hv_vm *vm = *state;
	atomic_uint_fast64_t counter = 5;

	assert_false(hv_timing_get(vm));
	assert_int_equal(hv_timing_begin(&vm->timing), 0);
	hv_timing_add(&counter, 0);
	assert_int_equal(atomic_load(&counter), 5);
}

static void counts_time(void **state)
{
	struct hv_vm *vm = *state;
	const struct timespec nap = {.tv_nsec = 2000000};
	atomic_uint_fast64_t counter = 0;

	hv_timing_set(vm, true);
	uint64_t begin = hv_timing_begin(&vm->timing);
	assert_true(begin > 0);
	nanosleep(&nap, NULL);
	hv_timing_add(&counter, begin);
	assert_true(atomic_load(&counter) >= 2000000);
	hv_timing_set(vm, false);
	assert_int_equal(hv_timing_begin(&vm->timing), 0);
}

static void put(struct hv_vm *vm, uint64_t addr)
{
	const struct hv_trace_event event = {.addr = addr, .reason = HV_EXIT_IO_WRITE};

	hv_timing_trace(&vm->timing, &event);
}

static void keeps_the_last_events(void **state)
{
	struct hv_vm *vm = *state;
	struct hv_trace_event out[8];
	uint64_t lost = 99;

	put(vm, 0); /* nobody traces */
	assert_int_equal(hv_trace_start(vm, 4), 0);
	assert_int_equal(hv_trace_start(vm, 4), -EALREADY);
	assert_true(hv_timing_begin(&vm->timing) > 0);
	for (uint64_t i = 1; i <= 6; i++)
		put(vm, i);
	assert_int_equal(hv_trace_read(vm, out, 3, &lost), 3);
	assert_int_equal(lost, 2);
	assert_int_equal(out[0].addr, 3);
	assert_int_equal(out[2].addr, 5);
	put(vm, 7);
	assert_int_equal(hv_trace_read(vm, out, 8, &lost), 2);
	assert_int_equal(out[0].addr, 6);
	assert_int_equal(out[1].addr, 7);
	hv_trace_stop(vm);
	put(vm, 8);
	assert_int_equal(hv_trace_read(vm, out, 8, &lost), 0);
	assert_int_equal(hv_timing_begin(&vm->timing), 0);
	assert_int_equal(hv_trace_start(vm, 2), 0); /* again; the fixture frees it */
}

static void refuses_too_many(void **state)
{
	struct hv_vm *vm = *state;

	assert_int_equal(hv_trace_start(vm, 0), -EINVAL);
	assert_int_equal(hv_trace_start(vm, (size_t)1 << 40), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_off_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(counts_time, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_the_last_events, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_too_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
