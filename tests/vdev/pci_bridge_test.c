/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_bridge_test: what firmware leaves, and that routing follows the registers a guest writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/pci_regs.h>

#include "tests/vdev/rig.h"

static const struct fake_vfio_config vf = {.vectors = 3};

static void test_firmware(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	assert_int_equal(rig_config(rig, 0, 0, 0, 4), 0x00081b36);
	assert_int_equal(rig_config(rig, 0, 1, PCI_CLASS_DEVICE, 2), 0x0604);
	assert_int_equal(rig_config(rig, 0, 1, PCI_PRIMARY_BUS, 4), 0x00010100);
	assert_int_equal(rig_read(rig, 0, 4), 0x10ca8086);
	/* both BARs are 64-bit and prefetchable: inside the window, apart, none in the other one */
	uint64_t base = (uint64_t)rig_config(rig, 0, 1, PCI_PREF_BASE_UPPER32, 4) << 32 |
			(uint64_t)(rig_config(rig, 0, 1, PCI_PREF_MEMORY_BASE, 2) & 0xfff0) << 16;
	assert_int_equal(base, 0x1000000000);
	assert_int_equal(rig_bar(rig, 0), base);
	assert_int_equal(rig_bar(rig, 3), base + FAKE_BAR_SIZE);
	assert_true(rig_config(rig, 0, 1, PCI_MEMORY_BASE, 2) >
		    rig_config(rig, 0, 1, PCI_MEMORY_LIMIT, 2));
	const struct hv_acpi_config *acpi = vdev_machine_acpi(rig->machine);
	assert_int_equal(acpi->last_bus, 1);
	assert_int_equal(acpi->intx_count, 1);
	assert_int_equal(acpi->intx[0].gsi[0], 16);
	rig_destroy(rig);
}

static void test_absent_reads_ones(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	assert_int_equal(rig_config(rig, 0, 2, 0, 4), 0xffffffff);
	assert_int_equal(rig_config(rig, 1, 1, 0, 4), 0xffffffff);
	assert_int_equal(fake_hv_read(rig->vm, HV_MMIO, 0xe0101000, 4), 0xffffffff); /* fn 1 */
	rig_config_set(rig, 0, 31, 0x10, 4, 0);
	rig_destroy(rig);
}

static void test_bus_numbers(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	rig_config_set(rig, 0, 1, PCI_SECONDARY_BUS, 1, 7);
	assert_int_equal(rig_read(rig, 0, 4), 0xffffffff);
	rig_config_set(rig, 0, 1, PCI_SECONDARY_BUS, 1, 0);
	assert_int_equal(rig_config(rig, 0, 0, 0, 4), 0x00081b36);
	rig_config_set(rig, 0, 1, PCI_SECONDARY_BUS, 1, 1);
	assert_int_equal(rig_read(rig, 0, 4), 0x10ca8086);
	rig_destroy(rig);
}

static void test_windows(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	uint64_t bar = rig_bar(rig, 0);
	assert_false(fake_hv_is_mapped(rig->vm, bar));
	rig_decode(rig, true);
	assert_true(fake_hv_is_mapped(rig->vm, bar));
	/* the bridge stops forwarding, and starts again */
	rig_config_set(rig, 0, 1, PCI_COMMAND, 2, 0);
	assert_false(fake_hv_is_mapped(rig->vm, bar));
	rig_config_set(rig, 0, 1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(fake_hv_is_mapped(rig->vm, bar));
	/* the window goes away from under the BAR */
	rig_config_set(rig, 0, 1, PCI_PREF_BASE_UPPER32, 4, 0x11);
	assert_false(fake_hv_is_mapped(rig->vm, bar));
	/* a 32-bit window serves as well */
	rig_config_set(rig, 0, 1, PCI_MEMORY_BASE, 4, 0xd000d000);
	rig_bar_set(rig, 0, 0xd0000000);
	assert_true(fake_hv_is_mapped(rig->vm, 0xd0000000));
	rig_destroy(rig);
}

/* RAM and the platform's registers stay what they are, wherever a guest points its BARs. */
static void test_only_pci_space(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	rig_decode(rig, true);
	rig_config_set(rig, 0, 1, PCI_PREF_BASE_UPPER32, 4, 0);
	rig_config_set(rig, 0, 1, PCI_PREF_MEMORY_BASE, 4, 0xfff00000);
	rig_config_set(rig, 0, 1, PCI_PREF_LIMIT_UPPER32, 4, 0xffffffff);
	static const uint64_t wrong[] = {0x100000, 0xfee00000, 0xe0000000, 0xffffffffffffc000,
					 0x2000000000};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		rig_bar_set(rig, 0, wrong[i]);
		assert_int_equal(rig_bar(rig, 0), wrong[i]);
		assert_false(fake_hv_is_mapped(rig->vm, wrong[i]));
	}
	rig_bar_set(rig, 0, 0xc0000000);
	assert_true(fake_hv_is_mapped(rig->vm, 0xc0000000));
	rig_destroy(rig);
}

static void test_bus_reset(void **state)
{
	struct rig *rig = rig_create(&vf);

	(void)state;
	unsigned before = rig->vfio->resets;
	rig_decode(rig, true);
	rig_config_set(rig, 0, 1, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
	rig_config_set(rig, 0, 1, PCI_BRIDGE_CONTROL, 2, 0);
	assert_int_equal(rig->vfio->resets, before + 1);
	assert_int_equal(rig_read(rig, PCI_COMMAND, 2), 0);
	assert_int_equal(rig_bar(rig, 0), 0);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_firmware),       cmocka_unit_test(test_absent_reads_ones),
		cmocka_unit_test(test_bus_numbers),    cmocka_unit_test(test_windows),
		cmocka_unit_test(test_only_pci_space), cmocka_unit_test(test_bus_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
