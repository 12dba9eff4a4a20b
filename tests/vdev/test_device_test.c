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

/* A number of the host's byte order, from the port behind the selector. */
static uint64_t told(struct rig *rig, unsigned key, unsigned len)
{
	uint64_t value = 0;

	fake_hv_write(rig->vm, HV_PIO, 0x510, key, 2);
	for (unsigned i = 0; i < len; i++)
		value |= fake_hv_read(rig->vm, HV_PIO, 0x511, 1) << 8 * i;
	return value;
}

static void test_tells_the_machine(void **state)
{
	struct rig *rig = *state;
	struct vdev_test_device *t = NULL;
	const struct hv_ram_block *blocks;
	uint64_t ram = 0;

	assert_int_equal(vdev_test_device_create(rig->vm, &t), 0);
	for (size_t i = hv_mem_blocks(rig->vm, &blocks); i-- > 0;)
		ram += blocks[i].size;
	assert_int_equal(told(rig, 0, 4), 0x554d4551); /* "QEMU" */
	assert_int_equal(told(rig, 3, 8), ram);
	assert_int_equal(told(rig, 5, 2), hv_vm_cpus(rig->vm));
	vdev_test_device_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wires, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tells_the_machine, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
