/* SPDX-License-Identifier: BSD-3-Clause */
/* vm: making, running, ending and taking apart a whole machine, on an engine without hardware. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "hv-core/hv.h"
#include "hv-core/vm.h"
#include "tests/fakes/fake_engine.h"

struct fixture {
	struct hv_engine engine;
	struct hv_config config;
	struct hv_vm *vm;
	unsigned told; /* calls of on_end */
	enum hv_end told_end;
	uint8_t written[16];
	size_t writes;
	unsigned lens[16];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_engine_init(&f->engine);
	f->config = (struct hv_config){
		.name = "test",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 2,
		.ram = 16 * MIB,
	};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hv_vm_destroy(f->vm);
	close(f->config.engine_fd);
	fake_engine_finish(&f->engine);
	free(f);
	return 0;
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void on_end(void *opaque, enum hv_end end)
{
	struct fixture *f = opaque;

	f->told++;
	f->told_end = end;
}

static const struct hv_entry_state entry = {.mode = HV_ENTRY_LONG};

static void make(struct fixture *f)
{
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	hv_vm_on_end(f->vm, on_end, f);
	assert_int_equal(hv_vcpu_set_boot_entry(f->vm, &entry), 0);
}

static void test_make_and_destroy(void **state)
{
	struct fixture *f = *state;
	unsigned before = open_descriptors();

	make(f);
	assert_string_equal(hv_vm_name(f->vm), "test");
	assert_int_equal(hv_vm_cpus(f->vm), 2);
	assert_int_equal(f->engine.entries, 1);
	assert_int_equal(fake_last(&f->engine, FAKE_MAP)->size, 16 * MIB);
	hv_vm_destroy(f->vm);
	f->vm = NULL;
	assert_true(f->engine.destroyed);
	assert_int_equal(f->engine.vcpus, 0);
	assert_int_equal(open_descriptors(), before);
}

static void refuse(struct fixture *f, int err)
{
	unsigned before = open_descriptors();

	assert_int_equal(hv_vm_create(&f->config, &f->vm), err);
	assert_null(f->vm);
	assert_int_equal(f->engine.vcpus, 0);
	assert_int_equal(open_descriptors(), before);
}

static void test_bad_config(void **state)
{
	struct fixture *f = *state;

	f->config.cpus = 0;
	refuse(f, -EINVAL);
	f->config.cpus = HV_MAX_CPUS + 1;
	refuse(f, -EINVAL);
	f->config.cpus = 6;
	f->config.sockets = 4;
	refuse(f, -EINVAL);
	f->config.sockets = 0;
	f->config.threads = 4;
	refuse(f, -EINVAL);
	f->config.threads = 2;
	f->config.ram = 16 * MIB - 4096;
	refuse(f, -EINVAL);
	f->config.ram = 16 * MIB + 1;
	refuse(f, -EINVAL);
	f->config.ram = 17 * MIB;
	f->config.pages = HV_PAGES_2M;
	refuse(f, -EINVAL);
	assert_false(f->engine.destroyed); /* not even begun */
}

static void test_more_than_there_is(void **state)
{
	struct fixture *f = *state;

	f->config.ram = UINT64_C(1) << 50;
	refuse(f, -ENOMEM);
	assert_false(f->engine.destroyed);
}

static void test_engine_refuses(void **state)
{
	struct fixture *f = *state;

	f->engine.vcpu_limit = 1;
	refuse(f, -ENOSPC);
	assert_true(f->engine.destroyed);
	f->engine.vcpu_limit = 64;
	f->engine.map_result = -EEXIST;
	refuse(f, -EEXIST);
	f->engine.map_result = 0;
	f->engine.caps.max_vcpus = 1;
	refuse(f, -EINVAL);
	f->engine.caps.max_vcpus = 64;
	f->engine.caps.max_routes = HV_IOAPIC_PINS;
	refuse(f, -ENOTSUP);
}

static void test_end_from_outside(void **state)
{
	struct fixture *f = *state;
	struct hv_vcpu_stat stat;

	make(f);
	assert_int_equal(hv_vm_start(f->vm), 0);
	hv_vm_end(f->vm, HV_END_NONE); /* no end at all */
	hv_vm_end(f->vm, HV_END_KILLED);
	hv_vm_end(f->vm, HV_END_CRASH); /* too late */
	assert_int_equal(hv_vm_wait(f->vm), HV_END_KILLED);
	assert_int_equal(f->told, 1);
	assert_int_equal(f->told_end, HV_END_KILLED);
	hv_stat_vcpu(f->vm, 1, &stat);
	assert_int_not_equal(stat.thread, 0);
	assert_true(stat.total <= 1);
}

static void test_end_before_start(void **state)
{
	struct fixture *f = *state;

	make(f);
	hv_vm_end(f->vm, HV_END_DEVICE);
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_wait(f->vm), HV_END_DEVICE);
	assert_int_equal(f->told, 1);
}

static void end_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque, (void)offset;
	memset(data, 0x77, len);
}

static void end_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct fixture *f = opaque;

	(void)offset, (void)data, (void)len;
	hv_vm_end(f->vm, HV_END_POWEROFF);
}

static const struct hv_region_ops end_ops = {end_read, end_write};

/* On the vCPU's own thread, with the device lock held. */
static void test_guest_turns_itself_off(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 1;
	struct hv_region *region;

	f->engine.script[0] =
		(struct hv_exit){.reason = HV_EXIT_IO_WRITE, .io = {0x600, 1, 1, &byte}};
	f->engine.scripted = 1;
	make(f);
	assert_int_equal(hv_bus_add(f->vm, HV_PIO, "power", 0x600, 2, &end_ops, f, &region), 0);
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_wait(f->vm), HV_END_POWEROFF);
	assert_int_equal(f->told, 1);
	hv_bus_remove(f->vm, region);
}

static void end_with(struct fixture *f, enum hv_exit_reason reason, enum hv_end end)
{
	f->engine.script[0] = (struct hv_exit){.reason = reason};
	f->engine.scripted = 1;
	make(f);
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_wait(f->vm), end);
	assert_int_equal(f->told, 1);
}

static void test_triple_fault(void **state)
{
	end_with(*state, HV_EXIT_SHUTDOWN, HV_END_TRIPLE_FAULT);
}

static void test_hardware_refuses(void **state)
{
	end_with(*state, HV_EXIT_FAIL_ENTRY, HV_END_CRASH);
}

static void test_engine_fails(void **state)
{
	struct fixture *f = *state;

	f->engine.run_result = -EFAULT;
	make(f);
	assert_int_equal(hv_vm_start(f->vm), 0);
	assert_int_equal(hv_vm_wait(f->vm), HV_END_CRASH);
}

static void test_destroy_while_running(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_int_equal(hv_vm_start(f->vm), 0);
	hv_vm_destroy(f->vm);
	f->vm = NULL;
	assert_int_equal(f->engine.vcpus, 0);
	assert_int_equal(f->told, 0); /* whoever destroys knows */
}

static void test_bad_pin(void **state)
{
	const int pins[] = {0, CPU_SETSIZE + 1};
	struct fixture *f = *state;

	f->config.pin = pins;
	make(f);
	assert_int_equal(hv_vm_start(f->vm), -EINVAL);
	assert_int_equal(f->told, 0);
}

/* ---- what exits do ---- */

static void note_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct fixture *f = opaque;

	f->lens[f->writes] = len;
	assert_true(offset + len <= sizeof(f->written));
	memcpy(f->written + offset, data, len);
	f->writes++;
}

static const struct hv_region_ops note_ops = {end_read, note_write};

static void dispatch(struct fixture *f, struct hv_exit exit)
{
	hv_exit_dispatch(&f->vm->vcpus[0], &exit);
}

/* A piece of an access across a page has any length; devices see those they know. */
static void test_odd_lengths(void **state)
{
	static uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct fixture *f = *state;
	struct hv_region *region;

	make(f);
	assert_int_equal(hv_bus_add(f->vm, HV_MMIO, "note", 0x9000, 16, &note_ops, f, &region), 0);
	dispatch(f, (struct hv_exit){.reason = HV_EXIT_MMIO_WRITE, .io = {0x9001, 7, 1, bytes}});
	assert_int_equal(f->writes, 3);
	assert_int_equal(f->lens[0], 4);
	assert_int_equal(f->lens[1], 2);
	assert_int_equal(f->lens[2], 1);
	assert_memory_equal(f->written + 1, bytes, 7);
	f->writes = 0;
	dispatch(f, (struct hv_exit){.reason = HV_EXIT_MMIO_WRITE, .io = {0x9000, 8, 1, bytes}});
	assert_int_equal(f->writes, 1);
	hv_bus_remove(f->vm, region);
}

static void test_string_io(void **state)
{
	static uint8_t bytes[6] = "abcdef";
	struct fixture *f = *state;
	struct hv_region *region;

	make(f);
	assert_int_equal(hv_bus_add(f->vm, HV_PIO, "note", 0x3f8, 8, &note_ops, f, &region), 0);
	dispatch(f, (struct hv_exit){.reason = HV_EXIT_IO_WRITE, .io = {0x3f8, 2, 3, bytes}});
	assert_int_equal(f->writes, 3);
	assert_memory_equal(f->written, "ef", 2); /* all at the same port */
	dispatch(f, (struct hv_exit){.reason = HV_EXIT_IO_READ, .io = {0x3f8, 1, 6, bytes}});
	assert_memory_equal(bytes, "wwwwww", 6);
	hv_bus_remove(f->vm, region);
}

static void test_msr_policy(void **state)
{
	struct fixture *f = *state;
	struct hv_exit exit = {.reason = HV_EXIT_MSR_READ};
	bool error = false;

	make(f);
	exit.msr.index = 0x4b4d4f4f;
	exit.msr.error = &error;
	hv_exit_dispatch(&f->vm->vcpus[0], &exit);
	assert_true(error);
}

static void test_guest_memory(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[4] = {1, 2, 3, 4}, back[4] = {0};
	unsigned slot;

	make(f);
	assert_int_equal(hv_mem_write(f->vm, 16 * MIB - 4, bytes, 4), 0);
	assert_int_equal(hv_mem_read(f->vm, 16 * MIB - 4, back, 4), 0);
	assert_memory_equal(bytes, back, 4);
	assert_int_equal(hv_mem_write(f->vm, 16 * MIB - 3, bytes, 4), -EFAULT);
	assert_int_equal(hv_mem_read(f->vm, UINT64_MAX - 1, back, 4), -EFAULT);
	assert_null(hv_mem_ptr(f->vm, 0, UINT64_MAX));
	assert_non_null(hv_mem_ptr(f->vm, 0, 16 * MIB));
	struct hv_mem_watch watch = {0};
	assert_int_equal(hv_mem_prefault(f->vm, 2, &watch), 0);
	assert_int_equal(watch.done, 16 * MIB);
	watch.cancel = true;
	assert_int_equal(hv_mem_prefault(f->vm, 2, &watch), -ECANCELED);
	assert_int_equal(hv_mem_map_device(f->vm, 0xd0000000, 0, NULL, false, &slot), -EINVAL);
	assert_int_equal(hv_mem_map_device(f->vm, 0xd0000800, 4096, NULL, false, &slot), -EINVAL);
	assert_int_equal(hv_mem_map_device(f->vm, UINT64_MAX - 4095, 8192, NULL, false, &slot),
			 -EINVAL);
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(hv_mem_map_device(f->vm, 0xd0000000 + i * 4096ull, 4096, NULL,
						   false, &slot),
				 0);
	assert_int_equal(hv_mem_map_device(f->vm, 0xd1000000, 4096, NULL, false, &slot), -ENOSPC);
	hv_mem_unmap_device(f->vm, 3);
	assert_int_equal(hv_mem_map_device(f->vm, 0xd1000000, 4096, NULL, false, &slot), 0);
	assert_int_equal(slot, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_make_and_destroy),
		TEST(test_bad_config),
		TEST(test_more_than_there_is),
		TEST(test_engine_refuses),
		TEST(test_end_from_outside),
		TEST(test_end_before_start),
		TEST(test_guest_turns_itself_off),
		TEST(test_triple_fault),
		TEST(test_hardware_refuses),
		TEST(test_engine_fails),
		TEST(test_destroy_while_running),
		TEST(test_bad_pin),
		TEST(test_odd_lengths),
		TEST(test_string_io),
		TEST(test_msr_policy),
		TEST(test_guest_memory),
	};

	return cmocka_run_group_tests_name("hv-core/vm", tests, NULL, NULL);
}
