/* SPDX-License-Identifier: BSD-3-Clause */
/* pci_config_test: masks, write-one-to-clear and the capability list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vdev/pci.h"

static void test_masks(void **state)
{
	static struct vdev_config c;

	(void)state;
	vdev_config_set(&c, 0x10, 4, 0x11223344);
	vdev_config_allow(&c, 0x10, 4, 0x00ffff00);
	vdev_config_write(&c, 0x10, 4, 0xaabbccdd);
	assert_int_equal(vdev_config_get(&c, 0x10, 4), 0x11bbcc44);
	vdev_config_write(&c, 0x12, 1, 0x55);
	assert_int_equal(vdev_config_get(&c, 0x10, 4), 0x1155cc44);
	assert_int_equal(vdev_config_get(&c, 0x12, 2), 0x1155);
}

static void test_write_one_clears(void **state)
{
	static struct vdev_config c;

	(void)state;
	vdev_config_set(&c, 6, 2, 0xff10);
	c.clear[7] = 0xf0;
	vdev_config_write(&c, 6, 2, 0x3000);
	assert_int_equal(vdev_config_get(&c, 6, 2), 0xcf10);
}

static void test_capability_list(void **state)
{
	static struct vdev_config c;

	(void)state;
	unsigned first = vdev_config_add_cap(&c, 0x01, 7);
	unsigned second = vdev_config_add_cap(&c, 0x05, 14);

	assert_int_equal(c.data[PCI_CAPABILITY_LIST], first);
	assert_int_equal(c.data[first + 1], second);
	assert_int_equal(c.data[second + 1], 0);
	assert_int_equal(second, first + 8);
	assert_true(c.data[PCI_STATUS] & PCI_STATUS_CAP_LIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_write_one_clears),
		cmocka_unit_test(test_capability_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
