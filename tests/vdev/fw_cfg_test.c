/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/fw_cfg.c: items, the directory, DMA, and requests that lead out of RAM. */
#include "vdev/fw_cfg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/fakes/fake_hv.h"

static struct vdev_fw_cfg *fw;

static int setup(void **state)
{
	struct hv_vm *vm = fake_hv_create();

	fake_hv_add_ram(vm);
	*state = vm;
	return vdev_fw_cfg_create(vm, &fw);
}

static int teardown(void **state)
{
	vdev_fw_cfg_destroy(fw);
	fake_hv_destroy(*state);
	return 0;
}

static void choose(struct hv_vm *vm, uint16_t key)
{
	fake_hv_write(vm, HV_PIO, 0x510, key, 2);
}

static uint8_t next(struct hv_vm *vm)
{
	return (uint8_t)fake_hv_read(vm, HV_PIO, 0x511, 1);
}

/* A DMA request at `at`; returns the control word afterwards. */
static uint32_t dma(struct hv_vm *vm, uint64_t at, uint32_t control, uint32_t len, uint64_t to)
{
	uint32_t words[2] = {htobe32(control), htobe32(len)};
	uint64_t address = htobe64(to);

	hv_mem_write(vm, at, words, sizeof(words));
	hv_mem_write(vm, at + 8, &address, sizeof(address));
	fake_hv_write(vm, HV_PIO, 0x514, htobe32((uint32_t)(at >> 32)), 4);
	fake_hv_write(vm, HV_PIO, 0x518, htobe32((uint32_t)at), 4);
	hv_mem_read(vm, at, words, 4);
	return be32toh(words[0]);
}

static void shows_itself(void **state)
{
	struct hv_vm *vm = *state;
	char text[5] = {0};

	choose(vm, FW_CFG_SIGNATURE);
	for (unsigned i = 0; i < 4; i++)
		text[i] = (char)next(vm);
	assert_string_equal(text, "QEMU");
	assert_int_equal(next(vm), 0); /* past its end */
	choose(vm, FW_CFG_ID);
	assert_int_equal(next(vm), 3);
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x514, 4), htobe32(0x51454d55));
	assert_int_equal(fake_hv_read(vm, HV_PIO, 0x518, 4), htobe32(0x20434647));
}

static void files_are_listed(void **state)
{
	struct hv_vm *vm = *state;
	uint8_t entry[64 + 4];

	assert_int_equal(vdev_fw_cfg_file(fw, "etc/one", "abc", 3), 0);
	assert_int_equal(vdev_fw_cfg_file(fw, "etc/one", "defg", 4), 0); /* replaced */
	choose(vm, FW_CFG_DIRECTORY);
	for (unsigned i = 0; i < sizeof(entry); i++)
		entry[i] = next(vm);
	assert_int_equal(entry[3], 1);
	assert_int_equal(entry[7], 4);
	assert_int_equal(entry[9], 0x20);
	assert_string_equal((const char *)entry + 12, "etc/one");
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 0x20 << 16 | 8 | 2, 6, FAKE_RAM_GPA + 100), 0);
	assert_memory_equal(hv_mem_ptr(vm, FAKE_RAM_GPA + 100, 6), "defg\0\0", 6);
}

static void skips(void **state)
{
	struct hv_vm *vm = *state;

	vdev_fw_cfg_file(fw, "x", "abcdef", 6);
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 0x20 << 16 | 8 | 4, 4, 0), 0);
	assert_int_equal(next(vm), 'e');
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 4, UINT32_MAX, 0), 0);
	assert_int_equal(next(vm), 0);
}

static void requests_stay_in_ram(void **state)
{
	struct hv_vm *vm = *state;
	uint64_t end = FAKE_RAM_GPA + FAKE_RAM;

	vdev_fw_cfg_file(fw, "x", "abcdef", 6);
	choose(vm, 0x20);
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 2, 8, end - 4), 1);
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 2, UINT32_MAX, FAKE_RAM_GPA), 1);
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 2, 8, UINT64_MAX - 3), 1);
	assert_int_equal(dma(vm, FAKE_RAM_GPA, 16, 4, FAKE_RAM_GPA), 1); /* writing */
	dma(vm, end - 8, 2, 8, FAKE_RAM_GPA); /* half a request: no answer, no harm */
	dma(vm, UINT64_MAX - 7, 2, 8, FAKE_RAM_GPA);
	assert_int_equal(next(vm), 'a');
}

static unsigned selected;

static void on_select(void *opaque)
{
	(void)opaque;
	selected++;
	vdev_fw_cfg_file(fw, "etc/late", "new", 3);
}

static void a_file_can_be_made_late(void **state)
{
	struct hv_vm *vm = *state;

	vdev_fw_cfg_file(fw, "etc/late", "older", 5);
	vdev_fw_cfg_on_select(fw, "etc/la", on_select, NULL);
	selected = 0;
	choose(vm, FW_CFG_SIGNATURE);
	assert_int_equal(selected, 0);
	choose(vm, 0x20);
	assert_int_equal(selected, 1);
	assert_int_equal(next(vm), 'n');
}

static void keys_that_are_none(void **state)
{
	struct hv_vm *vm = *state;

	for (unsigned key = 0; key <= 0xffff; key += 13) {
		choose(vm, (uint16_t)key);
		next(vm);
	}
	for (unsigned i = 0; i < FW_CFG_FILES; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(vdev_fw_cfg_file(fw, name, "", 0), 0);
	}
	assert_int_equal(vdev_fw_cfg_file(fw, "more", "", 0), -ENOSPC);
}

/* A reader in the middle of an item goes on there. */
static void is_saved_and_loaded(void **state)
{
	struct hv_vm *vm = *state;
	struct state *s = state_new();

	choose(vm, FW_CFG_SIGNATURE);
	assert_int_equal(next(vm), 'Q');
	vdev_fw_cfg_save(fw, s);
	vdev_fw_cfg_destroy(fw);
	assert_int_equal(vdev_fw_cfg_create(vm, &fw), 0);
	vdev_fw_cfg_load(fw, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(next(vm), 'E');
	state_free(s);
	s = state_new();
	state_put(s, "key", 0x4000);
	vdev_fw_cfg_load(fw, s);
	assert_int_equal(state_error(s), -ERANGE);
	state_free(s);
	choose(vm, FW_CFG_SIGNATURE);
	assert_int_equal(next(vm), 'Q');
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(shows_itself),	 T(files_are_listed),	     T(skips),
		T(requests_stay_in_ram), T(a_file_can_be_made_late), T(keys_that_are_none),
		T(is_saved_and_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
