/* SPDX-License-Identifier: BSD-3-Clause */
/* exit_port_test: what a test kernel writes is what its VM ends with. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/vdev/rig.h"
#include "vdev/exit_port.h"

static struct vdev_exit_port *create(struct rig *rig)
{
	struct vdev_exit_port *e = NULL;

	assert_int_equal(vdev_exit_port_create(rig->vm, 0xf4, &e), 0);
	return e;
}

static void test_status(void **state)
{
	struct rig *rig = rig_create(NULL);
	struct vdev_exit_port *e = create(rig);
	(void)state;

	assert_int_equal(fake_hv_read(rig->vm, HV_PIO, 0xf4, 4), 0);
	assert_int_equal(rig->vm->end, HV_END_NONE);
	fake_hv_write(rig->vm, HV_PIO, 0xf4, 0x12, 4);
	assert_int_equal(rig->vm->end, HV_END_STATUS);
	assert_int_equal(vdev_exit_port_status(e), 0x25);
	fake_hv_write(rig->vm, HV_PIO, 0xf4, 0, 1); /* another CPU, too late */
	assert_int_equal(vdev_exit_port_status(e), 0x25);
	vdev_exit_port_destroy(e);
	rig_destroy(rig);
}

static void test_eight_bits(void **state)
{
	struct rig *rig = rig_create(NULL);
	struct vdev_exit_port *e = create(rig);
	(void)state;

	fake_hv_write(rig->vm, HV_PIO, 0xf4, 0x1ff, 2);
	assert_int_equal(vdev_exit_port_status(e), 0xff);
	vdev_exit_port_destroy(e);
	vdev_exit_port_destroy(NULL);
	assert_int_equal(vdev_exit_port_status(NULL), 0);
	rig_destroy(rig);
}

static void test_taken_port(void **state)
{
	struct rig *rig = rig_create(NULL);
	struct vdev_exit_port *e = NULL;
	(void)state;

	assert_true(vdev_exit_port_create(rig->vm, 0x3f8, &e) < 0); /* the serial port */
	assert_null(e);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_eight_bits),
		cmocka_unit_test(test_taken_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
