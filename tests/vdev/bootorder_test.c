/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/bootorder.c: disks before NICs, each by its root port. */
#include "vdev/bootorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/fakes/fake_hv.h"

static uint32_t config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

static void config_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	vdev_config_write(&fn->config, offset, len, value);
}

static void destroy(struct vdev_function *fn)
{
	free(fn);
}

static const struct vdev_function_ops ops = {
	.config_read = config_read,
	.config_write = config_write,
	.destroy = destroy,
};

static void add(struct vdev_host *host, uint32_t id, uint16_t class)
{
	struct vdev_function *fn = calloc(1, sizeof(*fn));

	fn->name = "test";
	fn->ops = &ops;
	vdev_config_set(&fn->config, PCI_VENDOR_ID, 4, id);
	vdev_config_set(&fn->config, PCI_CLASS_DEVICE, 2, class);
	assert_int_equal(vdev_host_add(host, fn), 0);
}

static void disks_come_first(void **state)
{
	struct hv_vm *vm = fake_hv_create();
	struct vdev_host *host;
	char *order;

	(void)state;
	assert_int_equal(vdev_host_create(vm, &host), 0);
	order = vdev_bootorder(host);
	assert_string_equal(order, "");
	free(order);
	add(host, 0x10411af4, 0x0200); /* virtio NIC */
	add(host, 0x10421af4, 0x0100); /* virtio disk */
	add(host, 0x10441af4, 0x00ff); /* virtio entropy: nothing to boot from */
	add(host, 0x58458086, 0x0108); /* NVMe, the host's */
	order = vdev_bootorder(host);
	assert_string_equal(order, "/pci@i0cf8/pci-bridge@2/scsi@0/disk@0,0\n"
				   "/pci@i0cf8/pci-bridge@4/pci8086,5845@0\n"
				   "/pci@i0cf8/pci-bridge@1/ethernet@0/ethernet-phy@0\n");
	free(order);
	vdev_host_destroy(host);
	fake_hv_destroy(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(disks_come_first)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
