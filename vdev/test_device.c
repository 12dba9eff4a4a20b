/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_device: a few places without a purpose of their own, where kernels that test a hypervisor,
 * by custom, expect them. Only beside an exit port.
 *
 *     port 0xe0      4 bytes that keep what is written
 *     port 0x2000    24 ports, one per I/O APIC input: writing 1 raises it, 0 lowers it
 *     0xff000000     64 KiB that keep what is written, reached by exits alone
 *     port 0x510     fw_cfg, with the numbers of CPUs and bytes of RAM
 */
#include "vdev/test_device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vdev/fw_cfg.h"

#define KEEP_PORT 0xe0u
#define KEEP_LEN  4u
#define WIRE_PORT 0x2000u
#define SPACE_AT  UINT64_C(0xff000000)
#define SPACE_LEN 0x10000u

struct vdev_test_device {
	struct hv_vm *vm;
	struct hv_region *keep_region, *wire_region, *space_region;
	struct vdev_fw_cfg *cfg;
	uint8_t keep[KEEP_LEN];
	uint8_t space[SPACE_LEN];
};

/* The bus passes only what lies inside a region. */
static void keep_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_test_device *t = opaque;

	memcpy(data, t->keep + offset, len);
}

static void keep_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_test_device *t = opaque;

	memcpy(t->keep + offset, data, len);
}

static void space_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_test_device *t = opaque;

	memcpy(data, t->space + offset, len);
}

static void space_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_test_device *t = opaque;

	memcpy(t->space + offset, data, len);
}

static void wire_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque, (void)offset;
	memset(data, 0, len);
}

static void wire_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	const struct vdev_test_device *t = opaque;
	const uint8_t *value = data;

	(void)len;
	if (offset < HV_IOAPIC_PINS)
		hv_irq_set(t->vm, (unsigned)offset, value[0] & 1);
}

static const struct hv_region_ops keep_ops = {.read = keep_read, .write = keep_write};
static const struct hv_region_ops space_ops = {.read = space_read, .write = space_write};
static const struct hv_region_ops wire_ops = {.read = wire_read, .write = wire_write};

/* A dword at the last wire must still be inside. */
#define WIRE_LEN (HV_IOAPIC_PINS + 3u)

/* What a kernel without an environment asks for. */
static int tell_machine(struct vdev_test_device *t)
{
	uint16_t cpus = (uint16_t)hv_vm_cpus(t->vm);
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(t->vm, &blocks);
	uint64_t ram = 0;
	int err = vdev_fw_cfg_create(t->vm, &t->cfg);

	for (size_t i = 0; i < count; i++)
		ram += blocks[i].size;
	if (!err)
		err = vdev_fw_cfg_item(t->cfg, FW_CFG_RAM_SIZE, &ram, sizeof(ram));
	if (!err)
		err = vdev_fw_cfg_item(t->cfg, FW_CFG_CPUS, &cpus, sizeof(cpus));
	return err ? err : vdev_fw_cfg_item(t->cfg, FW_CFG_MAX_CPUS, &cpus, sizeof(cpus));
}

int vdev_test_device_create(struct hv_vm *vm, struct vdev_test_device **out)
{
	struct vdev_test_device *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its test device");
	t->vm = vm;
	err = hv_bus_add(vm, HV_PIO, "test-keep", KEEP_PORT, KEEP_LEN, &keep_ops, t,
			 &t->keep_region);
	if (!err)
		err = hv_bus_add(vm, HV_PIO, "test-wire", WIRE_PORT, WIRE_LEN, &wire_ops, t,
				 &t->wire_region);
	if (!err)
		err = hv_bus_add(vm, HV_MMIO, "test-space", SPACE_AT, SPACE_LEN, &space_ops, t,
				 &t->space_region);
	if (!err)
		err = tell_machine(t);
	if (err) {
		vdev_test_device_destroy(t);
		return log_fail(err, hv_vm_name(vm), "no test device: %s", strerror(-err));
	}
	*out = t;
	return 0;
}

void vdev_test_device_destroy(struct vdev_test_device *t)
{
	if (!t)
		return;
	vdev_fw_cfg_destroy(t->cfg);
	hv_bus_remove(t->vm, t->keep_region);
	hv_bus_remove(t->vm, t->wire_region);
	hv_bus_remove(t->vm, t->space_region);
	free(t);
}
