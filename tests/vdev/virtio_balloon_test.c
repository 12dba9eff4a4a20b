/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_balloon_test: pages that are given away are gone, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/virtio_balloon.h>

#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio_balloon.h"

#define F(name) VDEV_FEATURE(VIRTIO_BALLOON_F_##name)
#define ALL	(VDEV_FEATURE(VIRTIO_F_VERSION_1) | F(STATS_VQ) | F(FREE_PAGE_HINT) | F(REPORTING))
#define PAGE	4096u
#define MESSAGE GUEST_DATA /* pages from the next one on are given away */

struct rig {
	struct guest_virtio g;
	struct vdev_balloon *balloon;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	guest_virtio_init(&rig->g);
	if (vdev_balloon_create(rig->g.vm, rig->g.loop, &rig->balloon) < 0)
		return -1;
	guest_virtio_attach(&rig->g, vdev_balloon_function(rig->balloon));
	memset(hv_mem_ptr(rig->g.vm, GUEST_DATA, 16 * PAGE), 0x77, 16 * PAGE);
	guest_bring_up(&rig->g, ALL, 5);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	guest_virtio_finish(&rig->g);
	free(rig);
	return 0;
}

static void tell(struct rig *rig, unsigned queue, const struct guest_buf *buf, unsigned count)
{
	uint32_t written;

	assert_true(guest_ring_add(&rig->g.ring[queue], buf, count, false) >= 0);
	guest_kick(&rig->g, queue);
	assert_true(guest_wait(&rig->g, queue, &written) >= 0);
}

static void tell_pages(struct rig *rig, unsigned queue, const uint32_t *pfn, unsigned count)
{
	struct guest_buf buf = {MESSAGE, count * 4, false};

	memcpy(hv_mem_ptr(rig->g.vm, MESSAGE, PAGE), pfn, 4 * (size_t)count);
	tell(rig, queue, &buf, 1);
}

/* First byte of page `i` behind the message. */
static uint8_t page(struct rig *rig, unsigned i)
{
	return *(uint8_t *)hv_mem_ptr(rig->g.vm, MESSAGE + (i + 1) * (uint64_t)PAGE, 1);
}

static struct vdev_balloon_stat stat_of(struct rig *rig)
{
	struct vdev_balloon_stat stat;

	hv_device_lock(rig->g.vm);
	vdev_balloon_fill_stat(rig->balloon, &stat);
	hv_device_unlock(rig->g.vm);
	return stat;
}

static void test_inflate(void **state)
{
	struct rig *rig = *state;
	const uint32_t base = MESSAGE / PAGE + 1;
	/* up, down, alone, twice, and where no RAM is */
	const uint32_t pfn[] = {base + 0, base + 1, base + 6, base + 5,	 base + 8,
				base + 8, 0,	    0xffffff, 0xffffffff};

	tell_pages(rig, 0, pfn, 9);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(page(rig, i), i < 2 || i == 5 || i == 6 || i == 8 ? 0 : 0x77);
	tell_pages(rig, 1, pfn, 3); /* deflating takes nothing */
	assert_int_equal(page(rig, 2), 0x77);
}

static void test_report(void **state)
{
	struct rig *rig = *state;
	struct guest_buf block[2] = {{MESSAGE + 2 * PAGE, 2 * PAGE, true},
				     {MESSAGE + 6 * PAGE + 100, 2 * PAGE, true}};

	tell(rig, 4, block, 2);
	for (unsigned i = 0; i < 15; i++) /* of the second only the one whole page */
		assert_int_equal(page(rig, i), i == 1 || i == 2 || i == 6 ? 0 : 0x77);
	assert_int_equal(stat_of(rig).reported, 4 * PAGE);
}

static void test_aim(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device, 4), 0);
	hv_device_lock(rig->g.vm);
	vdev_balloon_aim(rig->balloon, 10 * PAGE);
	hv_device_unlock(rig->g.vm);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device, 4), 10);
	guest_spin(&rig->g);
	assert_int_equal(guest_interrupts(&rig->g, 0), 1);
	fake_hv_write(rig->g.vm, HV_MMIO, rig->g.device + 4, 7, 4);
	assert_int_equal(stat_of(rig).actual, 7 * PAGE);
	assert_int_equal(stat_of(rig).wanted, 10 * PAGE);
	fake_hv_write(rig->g.vm, HV_MMIO, rig->g.device, 99, 4); /* read only */
	assert_int_equal(stat_of(rig).wanted, 10 * PAGE);
}

/* The driver's buffer stays with us until somebody wants to know. */
static void test_numbers(void **state)
{
	struct rig *rig = *state;
	struct virtio_balloon_stat numbers[3] = {
		{VIRTIO_BALLOON_S_MEMFREE, 1000}, {VIRTIO_BALLOON_S_MEMTOT, 2000}, {0xffff, 5}};
	struct guest_buf buf = {MESSAGE, sizeof(numbers), false};
	struct vdev_balloon_stat stat = {0};
	uint32_t written;

	memcpy(hv_mem_ptr(rig->g.vm, MESSAGE, PAGE), numbers, sizeof(numbers));
	assert_true(guest_ring_add(&rig->g.ring[2], &buf, 1, false) >= 0);
	guest_kick(&rig->g, 2);
	for (unsigned i = 0; i < 2000 && !stat.numbers; i++)
		stat = stat_of(rig);
	assert_true(stat.numbers);
	assert_int_equal(stat.free, 1000);
	assert_int_equal(stat.total, 2000);
	stat_of(rig);
	assert_true(guest_wait(&rig->g, 2, &written) >= 0);
	/* it is given back through a pause, too */
	assert_true(guest_ring_add(&rig->g.ring[2], &buf, 1, false) >= 0);
	guest_kick(&rig->g, 2);
	hv_device_lock(rig->g.vm);
	assert_int_equal(vdev_host_quiesce(rig->g.host), 0);
	struct state *s = state_new();
	vdev_host_save(rig->g.host, s);
	assert_int_equal(state_error(s), 0);
	state_free(s);
	vdev_host_resume(rig->g.host);
	hv_device_unlock(rig->g.vm);
	for (unsigned i = 0; i < 2000 && guest_ring_get(&rig->g.ring[2], &written) < 0; i++)
		stat_of(rig);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_inflate),
		TEST(test_report),
		TEST(test_aim),
		TEST(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
