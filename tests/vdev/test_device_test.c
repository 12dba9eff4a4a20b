/* SPDX-License-Identifier: BSD-3-Clause */
/* test_device_test: what is written is kept, and a wire is a wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/vdev/rig.h"
#include "vdev/test_device.h"

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

static void test_keeps(void **state)
{
	struct rig *rig = *state;
	struct vdev_test_device *t = NULL;

	assert_int_equal(vdev_test_device_create(rig->vm, &t), 0);
	fake_hv_write(rig->vm, HV_PIO, 0xe0, 0x12345678, 4);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, 0xe1, 2), 0x3456);
	fake_hv_write(rig->vm, HV_PIO, 0xe3, 0x99, 1);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, 0xe0, 4), 0x99345678);
	fake_hv_write(rig->vm, HV_MMIO, 0xff00fff8, 0x1122334455667788, 8);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, 0xff00fffc, 4), 0x11223344);
	vdev_test_device_destroy(t);
	vdev_test_device_destroy(NULL);
}

static void test_wires(void **state)
{
	struct rig *rig = *state;
	struct vdev_test_device *t = NULL;

	assert_int_equal(vdev_test_device_create(rig->vm, &t), 0);
	fake_hv_write(rig->vm, HV_PIO, 0x200b, 1, 4);
	fake_hv_write(rig->vm, HV_PIO, 0x200b, 0, 4);
	fake_hv_write(rig->vm, HV_PIO, 0x2000 + HV_IOAPIC_PINS - 1, 1, 4);
	fake_hv_write(rig->vm, HV_PIO, 0x2000 + HV_IOAPIC_PINS, 1, 1); /* past the last wire */
	assert_int_equal(rig->vm->edges[11], 1);
	assert_int_equal(rig->vm->edges[HV_IOAPIC_PINS - 1], 1);
	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, 0x200b, 1), 0);
	vdev_test_device_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wires, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
