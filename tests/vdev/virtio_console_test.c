/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_console_test: what is written comes out, what is typed gets in, however slow the other is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/vdev/guest_virtio.h"
#include "vdev/iothread.h"
#include "vdev/virtio_console.h"

#define V1 VDEV_FEATURE(VIRTIO_F_VERSION_1)

struct rig {
	struct guest_virtio g;
	struct vdev_iothread *thread;
	struct vdev_console *console;
	char out[64];
	size_t len;
	atomic_uint rooms;
};

static void out(void *opaque, const uint8_t *bytes, size_t len)
{
	struct rig *rig = opaque;

	if (rig->len + len > sizeof(rig->out))
		abort();
	memcpy(rig->out + rig->len, bytes, len);
	rig->len += len;
}

static void room(void *opaque)
{
	struct rig *rig = opaque;

	atomic_fetch_add(&rig->rooms, 1);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	guest_virtio_init(&rig->g);
	if (vdev_iothread_create(NULL, "test/console", &rig->thread) < 0)
		return -1;
	const struct vdev_console_config config = {.vm = rig->g.vm,
						   .loop = rig->g.loop,
						   .thread = rig->thread,
						   .out = out,
						   .room = room,
						   .opaque = rig};
	if (vdev_console_create(&config, &rig->console) < 0)
		return -1;
	guest_virtio_attach(&rig->g, vdev_console_function(rig->console));
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	guest_virtio_finish(&rig->g);
	vdev_iothread_destroy(rig->thread);
	free(rig);
	return 0;
}

static void test_out(void **state)
{
	struct rig *rig = *state;
	struct guest_buf buf[2] = {{GUEST_DATA, 6, false}, {GUEST_DATA + 100, 5, false}};
	uint32_t written;

	guest_bring_up(&rig->g, V1, 2);
	memcpy(hv_mem_ptr(rig->g.vm, GUEST_DATA, 6), "hello ", 6);
	memcpy(hv_mem_ptr(rig->g.vm, GUEST_DATA + 100, 5), "there", 5);
	assert_true(guest_ring_add(&rig->g.ring[1], buf, 2, false) >= 0);
	guest_kick(&rig->g, 1);
	assert_true(guest_wait(&rig->g, 1, &written) >= 0);
	assert_int_equal(rig->len, 11);
	assert_memory_equal(rig->out, "hello there", 11);
}

static void test_in(void **state)
{
	struct rig *rig = *state;
	struct guest_buf buf = {GUEST_DATA, 4, true};
	uint32_t written;

	/* typed before there is a driver */
	assert_int_equal(vdev_console_receive(rig->console, (const uint8_t *)"abcdef", 6), 6);
	guest_bring_up(&rig->g, V1, 2);
	assert_true(guest_ring_add(&rig->g.ring[0], &buf, 1, false) >= 0);
	guest_kick(&rig->g, 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 4);
	assert_memory_equal(hv_mem_ptr(rig->g.vm, GUEST_DATA, 4), "abcd", 4);
	assert_true(guest_ring_add(&rig->g.ring[0], &buf, 1, false) >= 0);
	guest_kick(&rig->g, 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	assert_int_equal(written, 2);
	assert_memory_equal(hv_mem_ptr(rig->g.vm, GUEST_DATA, 2), "ef", 2);
}

/* A guest that does not read: typing is refused at some point, and told when it may go on. */
static void test_full(void **state)
{
	struct rig *rig = *state;
	struct guest_buf buf = {GUEST_DATA, 1024, true};
	uint8_t many[3000] = {0};
	uint32_t written;

	guest_bring_up(&rig->g, V1, 2);
	assert_int_equal(vdev_console_receive(rig->console, many, 3000), 3000);
	assert_int_equal(vdev_console_receive(rig->console, many, 3000), 1096);
	assert_int_equal(vdev_console_receive(rig->console, many, 1), 0);
	assert_int_equal(rig->rooms, 0);
	assert_true(guest_ring_add(&rig->g.ring[0], &buf, 1, false) >= 0);
	guest_kick(&rig->g, 0);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
	for (unsigned i = 0; i < 2000 && !rig->rooms; i++)
		usleep(1000);
	assert_int_equal(rig->rooms, 1);
	assert_int_equal(vdev_console_receive(rig->console, many, 3000), 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {TEST(test_out), TEST(test_in), TEST(test_full)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
