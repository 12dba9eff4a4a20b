/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_host_test: many devices on one root bus: buses, windows, shared interrupt lines, the end of
 * the bus, and accesses of any shape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

#include "tests/vdev/rig.h"

#define MANY 31u

struct crowd {
	struct rig rig;
	struct fake_vfio *vfio[MANY + 1];
};

static int add(struct crowd *crowd, unsigned i)
{
	static const struct fake_vfio_config vf = {.vectors = 3, .intx = true};
	struct vdev_vfio *dev;

	crowd->vfio[i] = fake_vfio_create(&crowd->rig.vm->log, &vf);
	struct vdev_vfio_config config = {.name = "one of many",
					  .device_fd = crowd->vfio[i]->given};
	return vdev_vfio_add(crowd->rig.machine, &config, &dev);
}

static int setup(void **state)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct rig *rig = &crowd->rig;

	rig->vm = fake_hv_create();
	assert_int_equal(loop_create(&rig->loop), 0);
	struct vdev_machine_config config = {.vm = rig->vm, .loop = rig->loop};
	assert_int_equal(vdev_machine_create(&config, &rig->machine), 0);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(add(crowd, i), 0);
	assert_int_equal(add(crowd, MANY), -ENOSPC);
	assert_int_equal(vdev_machine_finish(rig->machine), 0);
	*state = crowd;
	return 0;
}

static int teardown(void **state)
{
	struct crowd *crowd = *state;

	vdev_machine_destroy(crowd->rig.machine);
	for (unsigned i = 0; i <= MANY; i++)
		fake_vfio_destroy(crowd->vfio[i]);
	loop_destroy(crowd->rig.loop);
	fake_hv_destroy(crowd->rig.vm);
	free(crowd);
	return 0;
}

static void test_every_bus(void **state)
{
	struct crowd *crowd = *state;
	uint64_t last = 0;

	assert_int_equal(vdev_machine_acpi(crowd->rig.machine)->last_bus, MANY);
	for (unsigned bus = 1; bus <= MANY; bus++) {
		uint64_t low = rig_config(&crowd->rig, bus, 0, PCI_BASE_ADDRESS_0, 4) & ~15u;
		uint64_t high = rig_config(&crowd->rig, bus, 0, PCI_BASE_ADDRESS_1, 4);

		assert_int_equal(rig_config(&crowd->rig, bus, 0, 0, 4), 0x10ca8086);
		/* a bridge window each, so at least 1 MiB apart */
		assert_true((high << 32 | low) >= last + (bus > 1 ? 0x100000 : 0));
		last = high << 32 | low;
	}
}

static void decode(struct crowd *crowd, unsigned bus)
{
	rig_config_set(&crowd->rig, bus, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

/* Slots 1 and 9 share input 16: it is asserted as long as one of them is. */
static void test_shared_line(void **state)
{
	struct crowd *crowd = *state;
	struct hv_vm *vm = crowd->rig.vm;

	decode(crowd, 1);
	decode(crowd, 9);
	assert_int_equal(rig_config(&crowd->rig, 9, 0, PCI_INTERRUPT_LINE, 1), 16);
	fake_vfio_raise(crowd->vfio[0], 0, 0);
	fake_vfio_raise(crowd->vfio[8], 0, 0);
	rig_spin(&crowd->rig);
	assert_true(vm->level[16]);
	/* one leaves (its interrupt is turned off), the other still asks */
	rig_config_set(&crowd->rig, 1, 0, PCI_COMMAND, 2, 0);
	assert_true(vm->level[16]);
	fake_log_clear(&vm->log);
	fake_hv_eoi(vm, 16);
	assert_false(vm->level[16]);
	assert_string_equal(vm->log.text, "vfio unmask 0\n"); /* one of them, once */
}

static void test_any_shape(void **state)
{
	struct crowd *crowd = *state;
	struct hv_vm *vm = crowd->rig.vm;

	/* across two dwords, and across two functions */
	assert_int_equal(fake_hv_read(vm, HV_MMIO, 0xe0100000, 8) & 0xffffffff, 0x10ca8086);
	assert_int_equal(fake_hv_read(vm, HV_MMIO, 0xe0100001, 2), 0xca80);
	assert_int_equal(fake_hv_read(vm, HV_MMIO, 0xe0100ffe, 4) >> 16, 0xffff);
	fake_hv_write(vm, HV_MMIO, 0xe010003b, 0x0000000000005a00, 8); /* 3c is its byte 1 */
	assert_int_equal(rig_config(&crowd->rig, 1, 0, PCI_INTERRUPT_LINE, 1), 0x5a);
	/* beyond the last bus nobody answers */
	assert_int_equal(rig_config(&crowd->rig, MANY + 1, 0, 0, 4), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_bus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_shape, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
