/* SPDX-License-Identifier: BSD-3-Clause */
/* power_test: sleep, reset, the power button, and pvpanic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/vdev/rig.h"

static int setup(void **state)
{
	*state = rig_create(NULL);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

static void out(struct rig *rig, unsigned port, unsigned value)
{
	fake_hv_write(rig->vm, HV_PIO, port, value, 1);
}

static void test_power_off(void **state)
{
	struct rig *rig = *state;
	unsigned port = vdev_machine_acpi(rig->machine)->sleep_port;

	out(rig, port, 5 << 2); /* type without the enable bit */
	out(rig, port, 0x20 | 3 << 2);
	assert_int_equal(rig->vm->end, HV_END_NONE);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, port + 1, 1), 0);
	out(rig, port, 0x20 | 5 << 2);
	assert_int_equal(rig->vm->end, HV_END_POWEROFF);
}

static void test_reset(void **state)
{
	struct rig *rig = *state;
	const struct hv_acpi_config *acpi = vdev_machine_acpi(rig->machine);

	out(rig, acpi->reset_port, acpi->reset_value ^ 0xff);
	assert_int_equal(rig->vm->end, HV_END_NONE);
	out(rig, acpi->reset_port, acpi->reset_value);
	assert_int_equal(rig->vm->end, HV_END_RESET);
}

static void test_button(void **state)
{
	struct rig *rig = *state;
	const struct hv_acpi_config *acpi = vdev_machine_acpi(rig->machine);

	assert_int_equal(vdev_power_button(rig->machine), 0);
	assert_int_equal(rig->vm->edges[acpi->event_gsi], 1);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, acpi->event_port, 4),
			 HV_ACPI_EVENT_POWER_BUTTON);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, acpi->event_port, 4), 0);
}

/* Where the tables say, for the guest to read alone. */
static void test_generation(void **state)
{
	struct rig *rig = *state;
	uint64_t gpa = vdev_machine_acpi(rig->machine)->generation;
	const uint8_t *id = NULL;

	assert_true(fake_hv_is_mapped(rig->vm, gpa));
	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		if (rig->vm->slot[i].used && rig->vm->slot[i].gpa == gpa) {
			id = rig->vm->slot[i].hva;
			assert_true(rig->vm->slot[i].read_only);
		}
	assert_non_null(id);
	assert_int_equal(id[0], 0x1d);
}

static void test_panic(void **state)
{
	struct rig *rig = *state;
	unsigned port = vdev_machine_acpi(rig->machine)->panic_port;

	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, port, 1), 3);
	out(rig, port, 2);
	assert_int_equal(rig->vm->end, HV_END_NONE);
	out(rig, port, 1);
	assert_int_equal(rig->vm->end, HV_END_PANIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_power_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_button, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panic, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
