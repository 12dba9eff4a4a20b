/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_pci: registers, negotiation, interrupts, resets, standing still; the device is the rng. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/iothread.h"
#include "vdev/virtio.h"
#include "vdev/virtio_rng.h"

#define V1	   VDEV_FEATURE(VIRTIO_F_VERSION_1)
#define PACKED	   (V1 | VDEV_FEATURE(VIRTIO_F_RING_PACKED))
#define EVENT_IDX  VDEV_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define RING_RESET VDEV_FEATURE(VIRTIO_F_RING_RESET)

struct rig {
	struct guest_virtio g;
	struct vdev_iothread *thread;
	struct vdev_function *fn;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	guest_virtio_init(&rig->g);
	if (vdev_iothread_create(NULL, "test/rng", &rig->thread) < 0 ||
	    vdev_rng_create(rig->g.vm, rig->g.loop, rig->thread, &rig->fn) < 0)
		return -1;
	guest_virtio_attach(&rig->g, rig->fn);
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

static uint8_t status(struct rig *rig)
{
	return (uint8_t)guest_common(&rig->g, VIRTIO_PCI_COMMON_STATUS, 1);
}

/* One buffer goes there and comes back full of something. */
static void expect_entropy(struct rig *rig)
{
	struct guest_buf buf = {GUEST_DATA, 64, true};
	uint8_t *data = hv_mem_ptr(rig->g.vm, GUEST_DATA, 64), zero[64] = {0};
	uint32_t written = 0;

	memset(data, 0, 64);
	int id = guest_ring_add(&rig->g.ring[0], &buf, 1, false);
	guest_kick(&rig->g, 0);
	assert_int_equal(guest_wait(&rig->g, 0, &written), id);
	assert_int_equal(written, 64);
	assert_memory_not_equal(data, zero, 64);
}

/* It comes after the buffer. */
static void expect_interrupt(struct rig *rig, unsigned vector)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < 1000 && !count; i++) {
		count = guest_interrupts(&rig->g, vector);
		usleep(count ? 0 : 100);
	}
	assert_int_equal(count, 1);
}

static void test_identity(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;

	assert_int_equal(guest_config(g, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(guest_config(g, PCI_DEVICE_ID, 2), 0x1040 + VIRTIO_ID_RNG);
	assert_true(guest_config(g, PCI_REVISION_ID, 1) >= 1);
	assert_true(g->common && g->notify && g->isr && !g->device && g->cap_cfg && g->cap_msix);
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_NUMQ, 2), 1);
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_SIZE, 2), 64);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
	assert_true(guest_offered(g) & V1);
	guest_common_set(g, VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_DF, 4), 0);
}

static void test_features(void **state)
{
	struct rig *rig = *state;

	assert_false(guest_negotiate(&rig->g, 0) & VIRTIO_CONFIG_S_FEATURES_OK);
	assert_false(guest_negotiate(&rig->g, V1 | 1) & VIRTIO_CONFIG_S_FEATURES_OK);
	guest_driver_ok(&rig->g); /* without FEATURES_OK it is none */
	assert_false(status(rig) & VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(guest_negotiate(&rig->g, PACKED) & VIRTIO_CONFIG_S_FEATURES_OK);
	guest_common_set(&rig->g, VIRTIO_PCI_COMMON_GF, 4, 0); /* too late */
	assert_int_equal(guest_common(&rig->g, VIRTIO_PCI_COMMON_GF, 4), PACKED >> 32);
	/* a driver clears no bit but all */
	guest_common_set(&rig->g, VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_true(status(rig) & VIRTIO_CONFIG_S_FEATURES_OK);
}

static void test_works(void **state)
{
	static const uint64_t features[] = {V1, V1 | EVENT_IDX, PACKED, PACKED | EVENT_IDX};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		guest_bring_up(&rig->g, features[i], 1);
		guest_interrupts(&rig->g, 1);
		assert_int_equal(guest_common(&rig->g, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
		expect_entropy(rig);
		if (!(features[i] & EVENT_IDX))
			expect_interrupt(rig, 1);
		assert_int_equal(guest_interrupts(&rig->g, 0), 0);
		for (unsigned n = 0; n < 40; n++)
			expect_entropy(rig);
	}
}

/* Made available before DRIVER_OK, kicked or not: served at start. */
static void test_early_buffers(void **state)
{
	struct rig *rig = *state;
	struct guest_buf buf = {GUEST_DATA, 16, true};
	uint32_t written;

	guest_negotiate(&rig->g, V1);
	guest_queue(&rig->g, 0, 16);
	guest_ring_add(&rig->g.ring[0], &buf, 1, false);
	usleep(2000);
	assert_int_equal(guest_ring_get(&rig->g.ring[0], &written), -1);
	guest_driver_ok(&rig->g);
	assert_true(guest_wait(&rig->g, 0, &written) >= 0);
}

static void test_masked(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	uint64_t pending = g->table + 0x800;

	guest_bring_up(g, V1, 1);
	fake_hv_write(g->vm, HV_MMIO, g->table + 16 + 12, 1, 4);
	expect_entropy(rig);
	for (unsigned i = 0; i < 1000 && !fake_hv_read(g->vm, HV_MMIO, pending, 4); i++)
		usleep(100); /* the interrupt comes after the buffer */
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, pending, 4), 2);
	assert_int_equal(guest_interrupts(g, 1), 0);
	fake_hv_write(g->vm, HV_MMIO, g->table + 16 + 12, 0, 4);
	assert_int_equal(guest_interrupts(g, 1), 1);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, pending, 4), 0);
	/* a message into memory instead of to a CPU never gets a route */
	fake_hv_write(g->vm, HV_MMIO, g->table + 16, 0x1000, 4);
	expect_entropy(rig);
	assert_int_equal(guest_interrupts(g, 1), 0);
}

static void test_no_vector(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;

	guest_bring_up(g, V1, 1);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, 2); /* not there */
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	expect_entropy(rig);
	assert_int_equal(guest_interrupts(g, 1), 0);
}

static void test_intx(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	unsigned gsi = vdev_host_intx_gsi(1, 0);

	guest_negotiate(g, V1);
	guest_queue(g, 0, 16);
	guest_driver_ok(g);
	expect_entropy(rig);
	for (unsigned i = 0; i < 20 && !g->vm->level[gsi]; i++)
		guest_spin(g);
	assert_true(g->vm->level[gsi]);
	assert_true(guest_config(g, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	guest_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
	assert_false(g->vm->level[gsi]);
	guest_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(g->vm->level[gsi]);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->isr, 1), 1);
	assert_false(g->vm->level[gsi]);
	assert_int_equal(fake_hv_read(g->vm, HV_MMIO, g->isr, 1), 0);
}

/* A broken ring: needs reset, told by the configuration interrupt; a reset makes all good. */
static void test_needs_reset(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	struct guest_buf bad = {0xdead0000, 64, true};

	guest_bring_up(g, V1, 1);
	guest_ring_add(&g->ring[0], &bad, 1, false);
	guest_kick(g, 0);
	for (unsigned i = 0; i < 50 && !(status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET); i++)
		guest_spin(g);
	assert_true(status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(guest_interrupts(g, 0), 1);
	guest_bring_up(g, V1, 1);
	assert_false(status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET);
	expect_entropy(rig);
}

/* Areas outside RAM are found when the driver says DRIVER_OK. */
static void test_bad_area(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;

	guest_negotiate(g, V1);
	g->ring[0].desc = 0;
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_SIZE, 2, 16);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0xfff00000);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	guest_driver_ok(g);
	assert_true(status(rig) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void test_bad_size(void **state)
{
	static const uint16_t bad[] = {0, 3, 128, 0xffff};
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;

	guest_negotiate(g, V1);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		guest_common_set(g, VIRTIO_PCI_COMMON_Q_SIZE, 2, bad[i]);
		guest_common_set(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	}
}

static void test_queue_reset(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;

	guest_bring_up(g, V1 | RING_RESET, 1);
	for (unsigned i = 0; i < 3; i++) {
		expect_entropy(rig);
		guest_common_set(g, VIRTIO_PCI_COMMON_Q_RESET, 2, 1);
		assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_RESET, 2), 0);
		assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
		guest_queue(g, 0, 16);
		expect_entropy(rig);
	}
}

/* Through configuration space only (4.1.4.9). */
static void test_config_window(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	unsigned cap = g->cap_cfg;

	guest_config_set(g, cap + VIRTIO_PCI_CAP_BAR, 1, 0);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_NUMQ);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_LENGTH, 4, 2);
	assert_int_equal(guest_config(g, cap + 16, 4), 1);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_LENGTH, 4, 1);
	guest_config_set(g, cap + 16, 4, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(status(rig), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* outside the BAR, another BAR, an odd length: nothing */
	guest_config_set(g, cap + VIRTIO_PCI_CAP_OFFSET, 4, 0xfffffffc);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_LENGTH, 4, 4);
	guest_config_set(g, cap + 16, 4, 0);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_OFFSET, 4, VIRTIO_PCI_COMMON_STATUS);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_BAR, 1, 1);
	guest_config_set(g, cap + 16, 4, 0);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_BAR, 1, 0);
	guest_config_set(g, cap + VIRTIO_PCI_CAP_LENGTH, 4, 3);
	guest_config_set(g, cap + 16, 4, 0);
	assert_int_equal(status(rig), VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

static void test_function_reset(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	unsigned cap = guest_config(g, PCI_CAPABILITY_LIST, 1);
	uint32_t low = guest_config(g, PCI_BASE_ADDRESS_0, 4);
	uint32_t high = guest_config(g, PCI_BASE_ADDRESS_1, 4);

	guest_bring_up(g, V1, 1);
	expect_entropy(rig);
	assert_int_equal(guest_config(g, cap, 1), PCI_CAP_ID_EXP);
	guest_config_set(g, cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(guest_config(g, PCI_COMMAND, 2), 0);
	assert_int_equal(guest_common(g, VIRTIO_PCI_COMMON_STATUS, 1), 0xff); /* nowhere */
	assert_false(guest_config(g, g->cap_msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_ENABLE);
	guest_config_set(g, PCI_BASE_ADDRESS_0, 4, low);
	guest_config_set(g, PCI_BASE_ADDRESS_1, 4, high);
	guest_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	assert_int_equal(status(rig), 0);
	guest_bring_up(g, V1, 1);
	expect_entropy(rig);
}

/* The BAR moves while the queue runs: kicks follow. */
static void test_bar_moves(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	uint64_t by = 0x8000;

	guest_bring_up(g, V1, 1);
	expect_entropy(rig);
	guest_config_set(g, PCI_BASE_ADDRESS_0, 4,
			 guest_config(g, PCI_BASE_ADDRESS_0, 4) + (uint32_t)by);
	g->common += by;
	g->notify += by;
	g->table += by;
	assert_true(status(rig) & VIRTIO_CONFIG_S_DRIVER_OK);
	expect_entropy(rig);
}

static void test_quiesce(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	struct guest_buf buf = {GUEST_DATA, 16, true};
	uint32_t written;

	guest_bring_up(g, PACKED, 1);
	expect_entropy(rig);
	hv_device_lock(g->vm);
	assert_int_equal(rig->fn->ops->quiesce(rig->fn), 0);
	assert_int_equal(rig->fn->ops->quiesce(rig->fn), 0); /* twice is once */
	hv_device_unlock(g->vm);
	guest_ring_add(&g->ring[0], &buf, 1, false);
	guest_kick(g, 0);
	usleep(2000);
	assert_int_equal(guest_ring_get(&g->ring[0], &written), -1);
	hv_device_lock(g->vm);
	rig->fn->ops->resume(rig->fn);
	hv_device_unlock(g->vm);
	assert_true(guest_wait(g, 0, &written) >= 0);
}

/* Saved, reset, put back: driver and device go on where they were. */
static void test_saved(void **state)
{
	struct rig *rig = *state;
	struct guest_virtio *g = &rig->g;
	struct vdev_virtio *dev = vdev_virtio_of(rig->fn);
	struct state *s = state_new();

	guest_bring_up(g, PACKED, 1);
	for (unsigned i = 0; i < 23; i++)
		expect_entropy(rig);
	hv_device_lock(g->vm);
	rig->fn->ops->quiesce(rig->fn);
	assert_null(rig->fn->ops->unsavable(rig->fn));
	rig->fn->ops->save(rig->fn, s);
	vdev_virtio_reset(dev);
	assert_int_equal(dev->status, 0);
	assert_int_equal(rig->fn->ops->load(rig->fn, s), 0);
	rig->fn->ops->resume(rig->fn);
	hv_device_unlock(g->vm);
	for (unsigned i = 0; i < 23; i++)
		expect_entropy(rig);
	state_free(s);
}

/* A saved state that lies is refused, and the device stands. */
static void test_bad_state(void **state)
{
	struct rig *rig = *state;
	struct state *s = state_new();

	hv_device_lock(rig->g.vm);
	rig->fn->ops->quiesce(rig->fn);
	rig->fn->ops->save(rig->fn, s);
	state_put(s, "features", UINT64_MAX);
	assert_int_equal(rig->fn->ops->load(rig->fn, s), -EINVAL);
	hv_device_unlock(rig->g.vm);
	state_free(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_identity),	   TEST(test_features),	   TEST(test_works),
		TEST(test_early_buffers),  TEST(test_masked),	   TEST(test_no_vector),
		TEST(test_intx),	   TEST(test_needs_reset), TEST(test_bad_area),
		TEST(test_bad_size),	   TEST(test_queue_reset), TEST(test_config_window),
		TEST(test_function_reset), TEST(test_bar_moves),   TEST(test_quiesce),
		TEST(test_saved),	   TEST(test_bad_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
