/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers behind a window: the window is into a file here, in place of /dev/mem. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/vtd.h"

#define BASE 0x3000

struct memory {
	char path[32];
	int fd;
};

static int setup(void **state)
{
	static struct memory memory;

	strcpy(memory.path, "/tmp/vtd-window-XXXXXX");
	memory.fd = mkstemp(memory.path);
	*state = &memory;
	return memory.fd < 0 || ftruncate(memory.fd, BASE + 8192) < 0;
}

static int teardown(void **state)
{
	struct memory *memory = *state;

	close(memory->fd);
	return unlink(memory->path);
}

static void registers(void **state)
{
	const struct memory *memory = *state;
	const uint64_t cap = UINT64_C(0x80d2038c222f0606);
	const uint32_t version = 0x10;
	struct vtd_window *window;
	struct vtd_io io;
	uint64_t value = 0;

	assert_int_equal(pwrite(memory->fd, &version, 4, BASE), 4);
	assert_int_equal(pwrite(memory->fd, &cap, 8, BASE + VTD_CAP), 8);
	assert_int_equal(vtd_window_open(memory->path, BASE, 4096, &window, &io), 0);
	assert_int_equal(io.read32(io.opaque, VTD_VER), version);
	assert_int_equal(io.read64(io.opaque, VTD_CAP), cap);
	io.write32(io.opaque, VTD_FECTL, 0x80000000);
	io.write64(io.opaque, VTD_RTADDR, UINT64_C(0x123456000));
	assert_int_equal(pread(memory->fd, &value, 4, BASE + VTD_FECTL), 4);
	assert_int_equal(value, 0x80000000);
	assert_int_equal(pread(memory->fd, &value, 8, BASE + VTD_RTADDR), 8);
	assert_int_equal(value, UINT64_C(0x123456000));
	vtd_window_close(window);
}

/* Capabilities say where some registers are; what they say may be nonsense. */
static void beyond_the_window(void **state)
{
	const struct memory *memory = *state;
	const uint64_t behind = UINT64_C(0x1122334455667788);
	struct vtd_window *window;
	struct vtd_io io;
	uint64_t value;

	assert_int_equal(pwrite(memory->fd, &behind, 8, BASE + 4096), 8);
	assert_int_equal(vtd_window_open(memory->path, BASE, 4096, &window, &io), 0);
	assert_int_equal(io.read32(io.opaque, 4096), UINT32_MAX);
	assert_int_equal(io.read32(io.opaque, 4093), UINT32_MAX);
	assert_int_equal(io.read32(io.opaque, 4092), 0);
	assert_int_equal(io.read64(io.opaque, 4096), UINT64_MAX);
	assert_int_equal(io.read64(io.opaque, 4089), UINT64_MAX);
	assert_int_equal(io.read64(io.opaque, 4088), 0);
	io.write32(io.opaque, 4096, 1);
	io.write32(io.opaque, 4094, 1);
	io.write64(io.opaque, 4096, 1);
	io.write64(io.opaque, 4092, UINT64_MAX);
	assert_int_equal(io.read64(io.opaque, 4088), 0);
	assert_int_equal(pread(memory->fd, &value, 8, BASE + 4096), 8);
	assert_int_equal(value, behind);
	vtd_window_close(window);
}

static void no_window(void **state)
{
	struct vtd_window *window;
	struct vtd_io io;

	(void)state;
	assert_int_equal(vtd_window_open("/nowhere/mem", BASE, 4096, &window, &io), -ENOENT);
	assert_int_equal(vtd_window_open("/dev/null", BASE, 4096, &window, &io), -ENODEV);
	vtd_window_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers, setup, teardown),
		cmocka_unit_test_setup_teardown(beyond_the_window, setup, teardown),
		cmocka_unit_test(no_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
