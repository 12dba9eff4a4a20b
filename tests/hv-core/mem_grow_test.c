/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_grow: blocks of RAM come and go: each is a slot of the engine, and nothing else of it is
 * there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "hv-core/hv.h"
#include "tests/fakes/fake_engine.h"

#define RAM   (16 * MIB)
#define MAX_  (32 * MIB)
#define BLOCK (2 * MIB)
#define GPA   (4 * GIB)

static struct hv_engine engine;

static struct hv_vm *make(struct hv_config config, int want)
{
	struct hv_vm *vm = NULL;

	fake_engine_init(&engine);
	config.name = "test";
	config.engine = &fake_engine_ops;
	config.engine_fd = fake_engine_fd(&engine);
	config.cpus = 1;
	config.ram = RAM;
	assert_int_equal(hv_vm_create(&config, &vm), want);
	close(config.engine_fd);
	return vm;
}

static void finish(struct hv_vm *vm)
{
	hv_vm_destroy(vm);
	fake_engine_finish(&engine);
}

static void test_size(void **state)
{
	(void)state;
	assert_int_equal(hv_mem_growth_size(RAM, 0), 0);
	assert_int_equal(hv_mem_growth_size(RAM, RAM), 0);
	assert_int_equal(hv_mem_growth_size(RAM, MAX_), RAM);
	assert_int_equal(hv_mem_growth_size(GIB, GIB + 512 * MIB + 4 * KIB), 512 * MIB);
	assert_int_equal(hv_mem_growth_size(GIB, 65 * GIB + MIB), 64 * GIB); /* blocks of 512 MiB */
}

static void test_none(void **state)
{
	struct hv_vm *vm = make((struct hv_config){0}, 0);
	const struct hv_ram_block *blocks;
	struct hv_mem_growth all;

	(void)state;
	assert_false(hv_mem_growth(vm, &all));
	assert_int_equal(hv_mem_blocks(vm, &blocks), 1);
	assert_int_equal(hv_mem_grow(vm, GPA, BLOCK), -EINVAL);
	assert_int_equal(hv_mem_grown(vm, 0, BLOCK), 0);
	assert_false(hv_mem_there(vm, 0, 1));
	finish(vm);
}

static void test_blocks(void **state)
{
	struct hv_vm *vm = make((struct hv_config){.ram_max = MAX_}, 0);
	const struct hv_ram_block *blocks;
	struct hv_mem_layout layout;
	struct hv_mem_growth all;

	(void)state;
	assert_true(hv_mem_growth(vm, &all));
	assert_int_equal(all.gpa, GPA);
	assert_int_equal(all.size, RAM);
	assert_int_equal(all.block, BLOCK);
	hv_mem_layout(vm, &layout);
	assert_true(layout.pci64.start > layout.grow.last);
	assert_int_equal(hv_mem_blocks(vm, &blocks), 2);
	assert_true(blocks[1].grows);
	size_t before = fake_count(&engine, FAKE_MAP);
	assert_null(hv_mem_ptr(vm, GPA, 1));
	assert_int_equal(hv_mem_grow(vm, GPA + BLOCK, 2 * BLOCK), 0);
	assert_int_equal(fake_count(&engine, FAKE_MAP), before + 2);
	assert_int_equal(fake_last(&engine, FAKE_MAP)->gpa, GPA + 2 * BLOCK);
	assert_int_equal(hv_mem_grown(vm, GPA, RAM), 2 * BLOCK);
	assert_int_equal(hv_mem_grow(vm, GPA, 2 * BLOCK), -EEXIST);
	assert_int_equal(hv_mem_grown(vm, GPA, BLOCK), 0); /* not the half of it either */
	assert_int_equal(hv_mem_write(vm, GPA + 2 * BLOCK - 2, "data", 4), 0);
	assert_int_equal(hv_mem_write(vm, GPA + BLOCK - 2, "data", 4), -EFAULT);
	assert_int_equal(hv_mem_shrink(vm, GPA + 2 * BLOCK, 2 * BLOCK), -ENOENT);
	assert_int_equal(hv_mem_shrink(vm, GPA + BLOCK, BLOCK), 0);
	assert_int_equal(fake_count(&engine, FAKE_UNMAP), 1);
	assert_null(hv_mem_ptr(vm, GPA + BLOCK, 1));
	/* what has gone out is lost */
	assert_int_equal(hv_mem_grow(vm, GPA + BLOCK, BLOCK), 0);
	assert_int_equal(*(uint8_t *)hv_mem_ptr(vm, GPA + 2 * BLOCK - 1, 1), 0);
	assert_int_equal(*(uint8_t *)hv_mem_ptr(vm, GPA + 2 * BLOCK, 1), 't');
	/* the engine takes no more: none of them is in */
	engine.map_result = -ENOMEM;
	assert_int_equal(hv_mem_grow(vm, GPA + 3 * BLOCK, 2 * BLOCK), -ENOMEM);
	assert_int_equal(hv_mem_grown(vm, GPA, RAM), 2 * BLOCK);
	finish(vm);
}

static void test_wrong(void **state)
{
	struct hv_vm *vm = make((struct hv_config){.ram_max = MAX_}, 0);

	(void)state;
	assert_int_equal(hv_mem_grow(vm, GPA, 0), -EINVAL);
	assert_int_equal(hv_mem_grow(vm, GPA, BLOCK - 1), -EINVAL);
	assert_int_equal(hv_mem_grow(vm, GPA + 1, BLOCK), -EINVAL);
	assert_int_equal(hv_mem_grow(vm, GPA - BLOCK, BLOCK), -EINVAL);
	assert_int_equal(hv_mem_grow(vm, GPA, RAM + BLOCK), -EINVAL);
	assert_int_equal(hv_mem_grow(vm, GPA + RAM, BLOCK), -EINVAL);
	assert_int_equal(hv_mem_shrink(vm, UINT64_MAX - BLOCK + 1, BLOCK), -EINVAL);
	assert_false(hv_mem_there(vm, GPA, UINT64_MAX));
	assert_false(hv_mem_there(vm, GPA - 1, 1));
	finish(vm);
	make((struct hv_config){.ram_max = MAX_, .share_ram = true}, -ENOTSUP);
	fake_engine_finish(&engine);
}

/* Saved memory is found behind the rest of it. */
static void test_saved(void **state)
{
	struct hv_ram_file file = {.fd = memfd_create("saved", MFD_CLOEXEC), .offset = 2 * MIB};

	(void)state;
	assert_int_equal(ftruncate(file.fd, (off_t)(2 * MIB + MAX_)), 0);
	assert_int_equal(pwrite(file.fd, "kept", 4, (off_t)(2 * MIB + RAM + 3 * BLOCK)), 4);
	struct hv_vm *vm = make((struct hv_config){.ram_max = MAX_, .ram_file = &file}, 0);
	assert_null(hv_mem_ptr(vm, GPA + 3 * BLOCK, 4));
	assert_int_equal(hv_mem_grow(vm, GPA + 3 * BLOCK, BLOCK), 0);
	assert_memory_equal(hv_mem_ptr(vm, GPA + 3 * BLOCK, 4), "kept", 4);
	finish(vm);
	close(file.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),   cmocka_unit_test(test_none),
		cmocka_unit_test(test_blocks), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
