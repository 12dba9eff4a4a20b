/* SPDX-License-Identifier: BSD-3-Clause */
/* bus: regions found, not found, and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hv-core/vm.h"

struct device {
	uint64_t offset;
	unsigned len;
	unsigned reads, writes;
	uint8_t bytes[8];
};

static void device_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct device *device = opaque;

	device->offset = offset;
	device->len = len;
	device->reads++;
	memset(data, 0x5a, len);
}

static void device_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct device *device = opaque;

	device->offset = offset;
	device->len = len;
	device->writes++;
	memcpy(device->bytes, data, len);
}

static const struct hv_region_ops device_ops = {device_read, device_write};

static int setup(void **state)
{
	struct hv_vm *vm = calloc(1, sizeof(*vm));

	hv_bus_init(&vm->bus);
	*state = vm;
	return 0;
}

static int teardown(void **state)
{
	struct hv_vm *vm = *state;

	hv_bus_finish(&vm->bus);
	free(vm);
	return 0;
}

static int add(struct hv_vm *vm, enum hv_space space, uint64_t base, uint64_t size,
	       struct device *device, struct hv_region **out)
{
	return hv_bus_add(vm, space, "device", base, size, &device_ops, device, out);
}

static void test_offset_and_length(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region;
	uint32_t value = 0;

	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0x100, &device, &region), 0);
	hv_bus_read(&vm->bus, HV_MMIO, 0x10fc, &value, 4);
	assert_int_equal(value, 0x5a5a5a5a);
	assert_int_equal(device.offset, 0xfc);
	assert_int_equal(device.len, 4);
	value = 0x01020304;
	hv_bus_write(&vm->bus, HV_MMIO, 0x1003, &value, 2);
	assert_int_equal(device.offset, 3);
	assert_int_equal(device.bytes[0], 4);
	assert_int_equal(device.bytes[1], 3);
}

static void test_nobody_home(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region;
	uint64_t value = 0;

	hv_bus_read(&vm->bus, HV_PIO, 0x60, &value, 1);
	assert_int_equal(value, 0xff);
	assert_int_equal(add(vm, HV_PIO, 0x60, 4, &device, &region), 0);
	hv_bus_read(&vm->bus, HV_PIO, 0x5f, &value, 1);
	hv_bus_read(&vm->bus, HV_PIO, 0x64, &value, 1);
	/* The same address in the other space is another place. */
	value = 0;
	hv_bus_read(&vm->bus, HV_MMIO, 0x60, &value, 8);
	assert_true(value == UINT64_MAX);
	assert_int_equal(device.reads, 0);
}

static void test_crossing_the_end(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region, *neighbour;
	uint32_t value = 0;

	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0x10, &device, &region), 0);
	assert_int_equal(add(vm, HV_MMIO, 0x1010, 0x10, &device, &neighbour), 0);
	hv_bus_read(&vm->bus, HV_MMIO, 0x100e, &value, 4);
	assert_int_equal(value, UINT32_MAX);
	hv_bus_write(&vm->bus, HV_MMIO, 0x100e, &value, 4);
	hv_bus_read(&vm->bus, HV_MMIO, 0x0ffe, &value, 4);
	assert_int_equal(device.reads + device.writes, 0);
}

static void test_the_last_byte_of_the_space(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region;
	uint64_t value = 0;

	assert_int_equal(add(vm, HV_MMIO, UINT64_MAX - 7, 8, &device, &region), 0);
	hv_bus_read(&vm->bus, HV_MMIO, UINT64_MAX - 7, &value, 8);
	assert_int_equal(device.reads, 1);
	hv_bus_read(&vm->bus, HV_MMIO, UINT64_MAX, &value, 4); /* would wrap */
	assert_int_equal(device.reads, 1);
	hv_bus_read(&vm->bus, HV_MMIO, UINT64_MAX, &value, 1);
	assert_int_equal(device.reads, 2);
}

static void test_refused(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region, *other;

	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0, &device, &region), -EINVAL);
	assert_int_equal(add(vm, HV_MMIO, UINT64_MAX, 2, &device, &region), -EINVAL);
	assert_int_equal(add(vm, HV_PIO, 0xffff, 2, &device, &region), -EINVAL);
	assert_int_equal(add(vm, HV_PIO, 0xffff, 1, &device, &region), 0);
	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0x100, &device, &region), 0);
	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0x100, &device, &other), -EEXIST);
	assert_int_equal(add(vm, HV_MMIO, 0x10ff, 1, &device, &other), -EEXIST);
	assert_int_equal(add(vm, HV_MMIO, 0xfff, 2, &device, &other), -EEXIST);
	assert_int_equal(add(vm, HV_MMIO, 0, 0x10000, &device, &other), -EEXIST);
	assert_int_equal(add(vm, HV_MMIO, 0x1100, 0x100, &device, &other), 0);
}

/* Adds in an order that is not the addresses', removes every second, and looks at all. */
static void test_many(void **state)
{
	enum { COUNT = 101 };
	struct hv_vm *vm = *state;
	struct device device[COUNT] = {0};
	struct hv_region *region[COUNT];
	uint8_t value;

	for (unsigned i = 0; i < COUNT; i++) {
		unsigned n = i * 37 % COUNT;

		assert_int_equal(add(vm, HV_PIO, n * 16, 8, &device[n], &region[n]), 0);
	}
	for (unsigned n = 1; n < COUNT; n += 2)
		hv_bus_remove(vm, region[n]);
	for (unsigned n = 0; n < COUNT; n++) {
		hv_bus_read(&vm->bus, HV_PIO, n * 16 + 7, &value, 1);
		assert_int_equal(device[n].reads, n % 2 == 0);
	}
	assert_int_equal(add(vm, HV_PIO, 16, 8, &device[1], &region[1]), 0);
	hv_bus_read(&vm->bus, HV_PIO, 16, &value, 1);
	assert_int_equal(device[1].reads, 1);
}

static void test_statistics(void **state)
{
	struct hv_vm *vm = *state;
	struct device device = {0};
	struct hv_region *region;
	struct hv_region_stat *stat;
	size_t count;
	uint32_t value = 0;

	assert_int_equal(add(vm, HV_MMIO, 0x1000, 0x10, &device, &region), 0);
	hv_bus_read(&vm->bus, HV_MMIO, 0x1000, &value, 4);
	hv_bus_write(&vm->bus, HV_MMIO, 0x1000, &value, 4);
	hv_bus_write(&vm->bus, HV_MMIO, 0x1004, &value, 4);
	hv_bus_write(&vm->bus, HV_MMIO, 0x2000, &value, 4);
	hv_bus_read(&vm->bus, HV_PIO, 0x70, &value, 1);
	assert_int_equal(hv_stat_regions(vm, &stat, &count), 0);
	assert_int_equal(count, 3); /* unclaimed ports; the device; unclaimed memory */
	assert_string_equal(stat[0].name, "unclaimed");
	assert_int_equal(stat[0].space, HV_PIO);
	assert_int_equal(stat[0].reads, 1);
	assert_string_equal(stat[1].name, "device");
	assert_int_equal(stat[1].base, 0x1000);
	assert_int_equal(stat[1].size, 0x10);
	assert_int_equal(stat[1].reads, 1);
	assert_int_equal(stat[1].writes, 2);
	assert_int_equal(stat[2].writes, 1);
	free(stat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_offset_and_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_home, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crossing_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_last_byte_of_the_space, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_statistics, setup, teardown),
	};

	return cmocka_run_group_tests_name("hv-core/bus", tests, NULL, NULL);
}
