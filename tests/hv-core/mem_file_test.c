/* SPDX-License-Identifier: BSD-3-Clause */
/* mem_file: RAM out of a file: shared until written, zero where the file has holes. */
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
#include "hv-core/mem.h"

#define RAM (16 * MIB)

struct fixture {
	struct hv_ram_file file;
	struct hv_config config;
	struct sysfs sys;
	struct hv_mem_back back;
};

static struct fixture f;

/* RAM's third megabyte has data, and its last byte; the file has more in front. */
static int setup(void **state)
{
	(void)state;
	f = (struct fixture){.file = {.fd = memfd_create("saved", MFD_CLOEXEC), .offset = 4 * MIB}};
	f.config = (struct hv_config){.ram = RAM, .pages = HV_PAGES_4K, .ram_file = &f.file};
	assert_int_equal(sysfs_open(&f.sys, "/sys"), 0);
	assert_int_equal(ftruncate(f.file.fd, 4 * MIB + RAM), 0);
	assert_int_equal(pwrite(f.file.fd, "head", 4, 0), 4);
	assert_int_equal(pwrite(f.file.fd, "three", 5, 4 * MIB + 3 * MIB), 5);
	assert_int_equal(pwrite(f.file.fd, "z", 1, 4 * MIB + RAM - 1), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hv_mem_unback(&f.back);
	sysfs_close(&f.sys);
	close(f.file.fd);
	return 0;
}

static void check_contents(void)
{
	const uint8_t *ram = f.back.hva;

	assert_memory_equal(ram + 3 * MIB, "three", 5);
	assert_int_equal(ram[RAM - 1], 'z');
	for (size_t i = 0; i < 2 * MIB; i++)
		assert_int_equal(ram[i], 0);
	for (size_t i = 4 * MIB; i < RAM - 1; i += 4 * KIB)
		assert_int_equal(ram[i], 0);
}

static void is_mapped(void **state)
{
	char byte;

	(void)state;
	assert_true(hv_mem_file_mapped(&f.config));
	assert_int_equal(hv_mem_back("vm test", &f.config, &f.sys, &f.back), 0);
	assert_non_null(strstr(f.back.text, "copy on write"));
	check_contents();
	memcpy((uint8_t *)f.back.hva + 3 * MIB, "THREE", 5);
	assert_int_equal(pread(f.file.fd, &byte, 1, 4 * MIB + 3 * MIB), 1);
	assert_int_equal(byte, 't'); /* what the guest writes stays its own */
}

/* What is written where the file has a hole is not the file's page cache: it stays a hole. */
static void holes_are_plain_memory(void **state)
{
	const volatile uint8_t *ram;

	(void)state;
	assert_int_equal(hv_mem_back("vm test", &f.config, &f.sys, &f.back), 0);
	ram = f.back.hva;
	for (size_t i = 4 * MIB; i < 14 * MIB; i += 4 * KIB)
		assert_int_equal(ram[i], 0); /* of a mapped memfd this would allocate */
	assert_true(lseek(f.file.fd, 4 * MIB + 4 * MIB, SEEK_DATA) >= (off_t)(4 * MIB + 14 * MIB));
}

static void shared_memory_is_copied(void **state)
{
	char byte;

	(void)state;
	f.config.share_ram = true;
	assert_false(hv_mem_file_mapped(&f.config));
	assert_int_equal(hv_mem_back("vm test", &f.config, &f.sys, &f.back), 0);
	assert_true(f.back.fd >= 0);
	check_contents();
	assert_int_equal(pread(f.back.fd, &byte, 1, 3 * MIB), 1);
	assert_int_equal(byte, 't');
}

static void a_short_file_is_refused(void **state)
{
	(void)state;
	f.config.share_ram = true;
	assert_int_equal(ftruncate(f.file.fd, 4 * MIB + 3 * MIB + 100), 0);
	assert_int_equal(hv_mem_back("vm test", &f.config, &f.sys, &f.back), -ENODATA);
	assert_null(f.back.map);
	f.file.offset = 4 * MIB + 4096;
	assert_int_equal(hv_mem_back("vm test", &f.config, &f.sys, &f.back), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_mapped),
		TEST(holes_are_plain_memory),
		TEST(shared_memory_is_copied),
		TEST(a_short_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
