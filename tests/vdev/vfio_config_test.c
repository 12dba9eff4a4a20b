/* SPDX-License-Identifier: BSD-3-Clause */
/* vfio_config_test: what of a device's configuration space the guest sees and changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

static int setup(void **state)
{
	static const struct fake_vfio_config vf = {.vectors = 3, .header_type = 0x80};

	*state = rig_create(&vf);
	return 0;
}

static int teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

static bool has_cap(struct rig *rig, unsigned id)
{
	unsigned at = rig_read(rig, PCI_CAPABILITY_LIST, 1);

	while (at && rig_read(rig, at, 1) != id)
		at = rig_read(rig, at + 1, 1);
	return at != 0;
}

static void test_capabilities(void **state)
{
	struct rig *rig = *state;

	assert_true(has_cap(rig, PCI_CAP_ID_PM));
	assert_true(has_cap(rig, PCI_CAP_ID_MSI));
	assert_true(has_cap(rig, PCI_CAP_ID_MSIX));
	assert_true(has_cap(rig, PCI_CAP_ID_EXP));
	assert_true(has_cap(rig, PCI_CAP_ID_VNDR));
	assert_false(has_cap(rig, PCI_CAP_ID_EA));
	assert_int_equal(rig_read(rig, 0x88, 4), 0);
	assert_int_equal(rig_read(rig, PCI_HEADER_TYPE, 1), 0); /* multifunction bit */
	/* an integrated endpoint becomes an ordinary one */
	assert_int_equal(rig_read(rig, FAKE_EXP + PCI_EXP_FLAGS, 2) & PCI_EXP_FLAGS_TYPE, 0);
}

static void test_extended_capabilities(void **state)
{
	struct rig *rig = *state;
	unsigned at = 0x100, ids[8] = {0}, count = 0;

	while (at && count < 8) {
		uint32_t header = rig_read(rig, at, 4);

		ids[count++] = PCI_EXT_CAP_ID(header);
		at = PCI_EXT_CAP_NEXT(header);
	}
	assert_int_equal(count, 3); /* a null one at the start, AER, serial number */
	assert_int_equal(ids[0], 0);
	assert_int_equal(ids[1], PCI_EXT_CAP_ID_ERR);
	assert_int_equal(ids[2], PCI_EXT_CAP_ID_DSN);
	assert_int_equal(rig_read(rig, 0x184, 4), 0);
	assert_int_equal(rig_read(rig, 0x144, 4), 0xdeadbeef);
	rig_write(rig, 0x184, 4, 0x1);
	assert_int_equal(fake_vfio_config_get(rig->vfio, 0x184, 4), 0xdeadbeef);
}

static void test_passed(void **state)
{
	struct rig *rig = *state;

	rig_write(rig, FAKE_VNDR + 4, 4, 0xcafe);
	assert_int_equal(fake_vfio_config_get(rig->vfio, FAKE_VNDR + 4, 4), 0xcafe);
	fake_vfio_config_set(rig->vfio, FAKE_VNDR + 4, 4, 0xbeef);
	assert_int_equal(rig_read(rig, FAKE_VNDR + 4, 4), 0xbeef);
	/* half ours, half the device's: id and link stay, the rest goes through */
	rig_write(rig, FAKE_VNDR, 4, 0xffffffff);
	assert_int_equal(rig_read(rig, FAKE_VNDR, 4), 0xffff0009);
}

static void test_ours(void **state)
{
	struct rig *rig = *state;

	rig_write(rig, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(rig_read(rig, PCI_VENDOR_ID, 4), 0x10ca8086);
	rig_write(rig, PCI_INTERRUPT_LINE, 1, 42);
	assert_int_equal(rig_read(rig, PCI_INTERRUPT_LINE, 1), 42);
	rig_write(rig, FAKE_PM + PCI_PM_CTRL, 2, 3);
	assert_int_equal(rig_read(rig, FAKE_PM + PCI_PM_CTRL, 2) & 3, 3);
	assert_int_equal(fake_vfio_config_get(rig->vfio, FAKE_PM + PCI_PM_CTRL, 2) & 3, 0);
	assert_int_equal(fake_vfio_config_get(rig->vfio, PCI_BASE_ADDRESS_0, 4), 0xfe00000c);
}

static void test_command(void **state)
{
	struct rig *rig = *state;
	unsigned on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	assert_int_equal(fake_vfio_config_get(rig->vfio, PCI_COMMAND, 2), 0);
	rig_write(rig, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(fake_vfio_config_get(rig->vfio, PCI_COMMAND, 2), 0x547);
	rig_write(rig, PCI_COMMAND, 4, on);
	assert_int_equal(fake_vfio_config_get(rig->vfio, PCI_COMMAND, 2), on);
	assert_int_equal(rig_read(rig, PCI_COMMAND, 2), on);
}

static void test_function_reset(void **state)
{
	struct rig *rig = *state;
	unsigned before = rig->vfio->resets;

	rig_decode(rig, true);
	rig_write(rig, FAKE_EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(rig->vfio->resets, before + 1);
	assert_int_equal(fake_vfio_config_get(rig->vfio, PCI_COMMAND, 2), 0);
	assert_int_equal(rig_bar(rig, 0), 0);
	/* not offered: the bit does nothing */
	fake_vfio_config_set(rig->vfio, FAKE_EXP + PCI_EXP_DEVCAP, 4, 0);
	rig_write(rig, FAKE_EXP + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(rig->vfio->resets, before + 1);
}

static void test_machine_reset(void **state)
{
	struct rig *rig = *state;
	uint64_t bar = rig_bar(rig, 0);

	rig_decode(rig, true);
	rig_bar_set(rig, 0, bar + 0x10000);
	rig_config_set(rig, 0, 1, PCI_SECONDARY_BUS, 1, 9);
	assert_int_equal(vdev_machine_reset(rig->machine), 0);
	assert_int_equal(rig_bar(rig, 0), bar);
	assert_int_equal(rig_read(rig, PCI_COMMAND, 2), 0);
	assert_false(fake_hv_is_mapped(rig->vm, bar + 0x10000));
}

static void test_bridge_refused(void **state)
{
	static const struct fake_vfio_config bridge = {.vectors = 3, .header_type = 1};
	struct rig *rig = *state;
	struct fake_vfio *vfio = fake_vfio_create(&rig->vm->log, &bridge);
	struct vdev_vfio_config config = {.name = "a bridge", .device_fd = vfio->given};
	struct vdev_vfio *dev;

	assert_int_equal(vdev_vfio_add(rig->machine, &config, &dev), -ENOTSUP);
	assert_int_equal(vdev_vfio_count(rig->machine), 1);
	fake_vfio_destroy(vfio);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extended_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_command, setup, teardown),
		cmocka_unit_test_setup_teardown(test_function_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_machine_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bridge_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
