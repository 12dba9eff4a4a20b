/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/pm.c: the PM block, the power button, and three ways to reset. */
#include "vdev/pm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "tests/fakes/fake_hv.h"

static struct vdev_pm *pm;

static int setup(void **state)
{
	struct hv_vm *vm = fake_hv_create();

	*state = vm;
	return vdev_pm_create(vm, &pm);
}

static int teardown(void **state)
{
	vdev_pm_destroy(pm);
	fake_hv_destroy(*state);
	return 0;
}

static void the_button_raises_the_sci(void **state)
{
	struct hv_vm *vm = *state;

	vdev_pm_press(pm);
	assert_false(vm->level[VDEV_PM_SCI]); /* not enabled */
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x600, 2), 0x100);
	fake_hv_write(vm, HV_PIO, 0x602, 0x120, 2);
	assert_true(vm->level[VDEV_PM_SCI]);
	fake_hv_write(vm, HV_PIO, 0x600, 0x0ff, 2);
	assert_true(vm->level[VDEV_PM_SCI]);
	fake_hv_write(vm, HV_PIO, 0x600, 0x100, 2);
	assert_false(vm->level[VDEV_PM_SCI]);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x602, 2), 0x120);
}

/* A general-purpose event: status follows what is pending, and reading that takes it away. */
static void events_raise_the_sci(void **state)
{
	struct hv_vm *vm = *state;

	vdev_pm_raise(pm, HV_ACPI_EVENT_SLOT);
	assert_false(vm->level[VDEV_PM_SCI]); /* not enabled */
	fake_hv_write(vm, HV_PIO, 0x60d, 1 << HV_ACPI_GPE, 1);
	assert_true(vm->level[VDEV_PM_SCI]);
	fake_hv_write(vm, HV_PIO, 0x60c, 0xff, 1);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x60c, 2), 0x0404);
	assert_true(vm->level[VDEV_PM_SCI]);
	vdev_pm_raise(pm, HV_ACPI_EVENT_CPU);
	assert_int_equal(fake_hv_read(vm, HV_PIO, VDEV_PM_EVENT_PORT, 4),
			 HV_ACPI_EVENT_SLOT | HV_ACPI_EVENT_CPU);
	assert_false(vm->level[VDEV_PM_SCI]);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x60c, 1), 0);
	fake_hv_write(vm, HV_PIO, VDEV_PM_EVENT_PORT, 0xffffffff, 4);
	assert_int_equal(fake_hv_read(vm, HV_PIO, VDEV_PM_EVENT_PORT, 4), 0);
}

static void turns_off(void **state)
{
	struct hv_vm *vm = *state;

	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x604, 2), 1); /* SCI_EN */
	fake_hv_write(vm, HV_PIO, 0x604, 5 << 10, 2);
	fake_hv_write(vm, HV_PIO, 0x604, 1 << 13 | 3 << 10, 2);
	assert_int_equal(vm->end, HV_END_NONE);
	fake_hv_write(vm, HV_PIO, 0x604, 1 << 13 | 5 << 10, 2);
	assert_int_equal(vm->end, HV_END_POWEROFF);
}

static void the_timer_runs_and_is_not_written(void **state)
{
	struct hv_vm *vm = *state;
	const struct timespec nap = {.tv_nsec = 20000000};
	uint32_t before = (uint32_t)fake_hv_read(vm, HV_PIO, 0x608, 4);

	fake_hv_write(vm, HV_PIO, 0x608, 0xffffffff, 4);
	nanosleep(&nap, NULL);
	uint32_t after = (uint32_t)fake_hv_read(vm, HV_PIO, 0x608, 4);
	assert_in_range(after - before, 3579545 / 50, 3579545 * 5);
}

static void old_ways_to_reset(void **state)
{
	struct hv_vm *vm = *state;

	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x64, 1), 0xff);
	fake_hv_write(vm, HV_PIO, 0x64, 0xaa, 1);
	fake_hv_write(vm, HV_PIO, 0x92, 0x02, 1);
	vdev_pm_reset_write(vm, 0x02);
	assert_int_equal(vm->end, HV_END_NONE);
	fake_hv_write(vm, HV_PIO, 0x64, 0xfe, 1);
	assert_int_equal(vm->end, HV_END_RESET);
	vm->end = HV_END_NONE;
	fake_hv_write(vm, HV_PIO, 0x92, 0x03, 1);
	assert_int_equal(vm->end, HV_END_RESET);
	vm->end = HV_END_NONE;
	vdev_pm_reset_write(vm, 0x06);
	assert_int_equal(vm->end, HV_END_RESET);
}

/* Every length at every offset of the block, reading and writing. */
static void any_access(void **state)
{
	struct hv_vm *vm = *state;

	for (unsigned len = 1; len <= 8; len *= 2)
		for (unsigned at = 0; at + len <= 14; at++) {
			fake_hv_write(vm, HV_PIO, 0x600 + at, UINT64_C(0xdfdfdfdfdfdfdfdf), len);
			fake_hv_read(vm, HV_PIO, 0x600 + at, len);
		}
	assert_int_equal(vm->end, HV_END_NONE);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x604, 2) & ~0x1c06u, 1);
}

static void the_alarm_raises_the_sci(void **state)
{
	struct hv_vm *vm = *state;

	fake_hv_write(vm, HV_PIO, 0x602, 0x400, 2);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x602, 2), 0x400);
	vdev_pm_alarm(pm);
	assert_true(vm->level[VDEV_PM_SCI]);
	fake_hv_write(vm, HV_PIO, 0x600, 0x400, 2);
	assert_false(vm->level[VDEV_PM_SCI]);
}

/* The timer goes on from where it was: guests compare it with the TSC. */
static void is_saved_and_loaded(void **state)
{
	struct hv_vm *vm = *state;
	struct state *s = state_new();

	fake_hv_write(vm, HV_PIO, 0x602, 0x100, 2);
	vdev_pm_press(pm);
	fake_hv_age(vm, UINT64_C(1000000000000));
	uint32_t before = (uint32_t)fake_hv_read(vm, HV_PIO, 0x608, 4);
	vdev_pm_save(pm, s);
	vdev_pm_destroy(pm);
	assert_int_equal(vdev_pm_create(vm, &pm), 0);
	assert_true((uint32_t)fake_hv_read(vm, HV_PIO, 0x608, 4) < 3579545); /* a new one's */
	vdev_pm_load(pm, s);
	assert_int_equal(state_error(s), 0);
	assert_in_range((uint32_t)fake_hv_read(vm, HV_PIO, 0x608, 4) - before, 0, 30 * 3579545);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x600, 2), 0x100);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x602, 2), 0x100);
	state_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_button_raises_the_sci),	      T(events_raise_the_sci), T(turns_off),
		T(the_timer_runs_and_is_not_written), T(old_ways_to_reset),    T(any_access),
		T(the_alarm_raises_the_sci),	      T(is_saved_and_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
