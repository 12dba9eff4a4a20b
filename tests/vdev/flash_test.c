/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/flash.c: the commands that firmware uses, what reaches the file, and noise. */
#include "vdev/flash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fakes/fake_hv.h"

#define AT   UINT64_C(0xffc00000)
#define SIZE 16384u

struct board {
	struct hv_vm *vm;
	int fd;
	struct vdev_flash *flash;
};

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));
	static const char head[9] = {'v', 'a', 'r', 'i', 'a', 'b', 'l', 'e', 's'};
	uint8_t bytes[SIZE];

	memset(bytes, 0xff, sizeof(bytes));
	memcpy(bytes, head, sizeof(head));
	b->vm = fake_hv_create();
	b->fd = memfd_create("vars", MFD_CLOEXEC);
	assert_int_equal(pwrite(b->fd, bytes, SIZE, 0), SIZE);
	assert_int_equal(vdev_flash_create(b->vm, AT, SIZE, b->fd, "vars", &b->flash), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	vdev_flash_destroy(b->flash);
	close(b->fd);
	fake_hv_destroy(b->vm);
	free(b);
	return 0;
}

/* A guest's write, which the read-only memory slot turns into an exit. */
static void out(struct board *b, uint64_t offset, uint8_t value)
{
	for (unsigned i = 0; i < FAKE_REGIONS; i++) {
		const struct hv_region *r = &b->vm->region[i];

		if (r->used && r->space == HV_MMIO && r->base == AT)
			r->ops->write(r->opaque, offset, &value, 1);
	}
}

static uint8_t in(struct board *b, uint64_t offset)
{
	return (uint8_t)fake_hv_read(b->vm, HV_MMIO, AT + offset, 1);
}

static uint8_t kept(struct board *b, uint64_t offset)
{
	uint8_t value = 0;

	assert_int_equal(pread(b->fd, &value, 1, (off_t)offset), 1);
	return value;
}

static void is_memory_until_commanded(void **state)
{
	struct board *b = *state;

	assert_true(fake_hv_is_mapped(b->vm, AT));
	assert_int_equal(in(b, 0), 'v');
	out(b, 0, 0x70);
	assert_false(fake_hv_is_mapped(b->vm, AT));
	assert_int_equal(in(b, 5), 0x80);
	out(b, 0, 0xff);
	for (unsigned i = 0; i < 255; i++)
		assert_int_equal(in(b, 0), 'v');
	assert_false(fake_hv_is_mapped(b->vm, AT)); /* not for every few bytes that are written */
	in(b, 0);
	assert_true(fake_hv_is_mapped(b->vm, AT));
}

/* What OVMF does to tell an emulated flash chip from memory. */
static void a_cleared_status_is_zero(void **state)
{
	struct board *b = *state;

	out(b, 1, 0x50);
	assert_int_equal(in(b, 1), 'a');
	out(b, 1, 0x70);
	assert_int_equal(in(b, 1), 0);
	out(b, 1, 0x10);
	out(b, 1, 'a');
	assert_int_equal(in(b, 1), 0x80);
}

static struct state *saved(struct board *b)
{
	struct state *s = state_new();

	vdev_flash_save(b->flash, s);
	assert_int_equal(state_error(s), 0);
	return s;
}

/* Into another VM's chip, in the middle of a command, and its file with it. */
static void is_saved_and_loaded(void **state)
{
	struct board *b = *state;
	void *other;

	out(b, 4096, 0x10);
	out(b, 4096, 0x5a);
	out(b, 8192, 0x10); /* a byte is to follow */
	struct state *s = saved(b);
	setup(&other);
	struct board *o = other;
	out(o, 12288, 0x10);
	out(o, 12288, 0);
	vdev_flash_load(o->flash, s);
	assert_int_equal(state_error(s), 0);
	assert_false(fake_hv_is_mapped(o->vm, AT));
	out(o, 8192, 0x11);
	out(o, 0, 0xff);
	assert_int_equal(in(o, 0), 'v');
	assert_int_equal(in(o, 4096), 0x5a);
	assert_int_equal(in(o, 8192), 0x11);
	assert_int_equal(in(o, 12288), 0xff);
	assert_int_equal(kept(o, 4096), 0x5a);
	assert_int_equal(kept(o, 12288), 0xff);
	state_free(s);
	teardown(&other);
}

static void a_state_of_another_chip_is_refused(void **state)
{
	struct board *b = *state;
	struct state *s = state_new();

	state_put(s, "size", SIZE * 2);
	state_put(s, "mode", 0xff);
	vdev_flash_load(b->flash, s);
	assert_int_equal(state_error(s), -EINVAL);
	assert_int_equal(in(b, 0), 'v');
	state_free(s);
	s = state_new();
	state_put(s, "size", SIZE);
	state_put(s, "mode", 3);
	vdev_flash_load(b->flash, s);
	assert_int_equal(state_error(s), -EINVAL);
	state_free(s);
}

static void programs_and_erases(void **state)
{
	struct board *b = *state;

	out(b, 4096, 0x10);
	out(b, 4096, 0x5a);
	assert_int_equal(in(b, 4096), 0x80); /* status */
	out(b, 4096, 0x40);
	out(b, 4096, 0xf0);
	out(b, 0, 0xff);
	assert_int_equal(in(b, 4096), 0x50); /* bits are only cleared */
	assert_int_equal(kept(b, 4096), 0x50);
	out(b, 4100, 0x20);
	out(b, 4100, 0xd0);
	out(b, 0, 0xff);
	assert_int_equal(in(b, 4096), 0xff);
	assert_int_equal(kept(b, 4096), 0xff);
	assert_int_equal(in(b, 0), 'v'); /* another block */
}

static void an_erase_must_be_confirmed(void **state)
{
	struct board *b = *state;

	out(b, 0, 0x20);
	out(b, 0, 0x11);
	assert_int_equal(in(b, 0), 0x80 | 0x20);
	out(b, 0, 0x50);
	assert_int_equal(in(b, 0), 'v');
}

static void programs_through_the_buffer(void **state)
{
	struct board *b = *state;

	out(b, 8192, 0xe8);
	assert_int_equal(in(b, 8192), 0x80);
	out(b, 8192, 2); /* three bytes */
	for (unsigned i = 0; i < 3; i++)
		out(b, 8192 + i, (uint8_t)('a' + i));
	out(b, 8192, 0xd0);
	out(b, 0, 0xff);
	assert_int_equal(kept(b, 8192), 'a');
	assert_int_equal(kept(b, 8194), 'c');
}

static void describes_itself(void **state)
{
	struct board *b = *state;

	out(b, 0x55, 0x98);
	assert_int_equal(in(b, 0x10), 'Q');
	assert_int_equal(in(b, 0x27), 14); /* 2^14 */
	assert_int_equal(in(b, 0x2d), 3);
	assert_int_equal(in(b, 0x2f), 16);
	out(b, 0, 0x90);
	assert_int_equal(in(b, 0), 0x89);
}

static void a_file_that_fails_is_told(void **state)
{
	struct board *b = *state;

	/* The descriptor becomes one that cannot be written. */
	int null = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(dup2(null, b->fd), b->fd);
	assert_int_equal(fcntl(b->fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	close(null);
	out(b, 100, 0x10);
	out(b, 100, 0);
	assert_int_equal(in(b, 100), 0x80 | 0x10);
}

static void garbage(void **state)
{
	struct board *b = *state;
	uint32_t seed = 5;

	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		out(b, (seed >> 8) % SIZE, (uint8_t)(seed >> 24));
		in(b, (seed >> 10) % SIZE);
	}
	out(b, 0, 0xff);
	out(b, 0, 0xff);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(is_memory_until_commanded),	T(a_cleared_status_is_zero),
		T(is_saved_and_loaded),		T(a_state_of_another_chip_is_refused),
		T(programs_and_erases),		T(an_erase_must_be_confirmed),
		T(programs_through_the_buffer), T(describes_itself),
		T(a_file_that_fails_is_told),	T(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
