/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_mem_test: memory comes and goes as a driver asks for it, never more than it shall have,
 * and devices of the host reach what is in and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/virtio_mem.h>

#include "base/util.h"
#include "tests/fakes/fake_vfio.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/virtio_mem.h"

#define REQUEST	 GUEST_DATA
#define RESPONSE (GUEST_DATA + 64)
#define GPA	 ((uint64_t)FAKE_GROWTH_GPA)
#define BLOCK	 ((uint64_t)FAKE_BLOCK)

struct rig {
	struct guest_virtio g;
	struct vdev_iothread *thread;
	struct vdev_mem *mem;
	struct iommu_domain domain;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	guest_virtio_init(&rig->g);
	fake_hv_add_growth(rig->g.vm);
	rig->domain.log = &rig->g.vm->log;
	if (vdev_iothread_create(NULL, "test", &rig->thread) < 0 ||
	    vdev_mem_create(rig->g.vm, rig->g.loop, rig->thread, &rig->mem) < 0)
		return -1;
	guest_virtio_attach(&rig->g, vdev_mem_function(rig->mem));
	guest_bring_up(&rig->g, VDEV_FEATURE(VIRTIO_F_VERSION_1), 1);
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

static uint64_t config(struct rig *rig, unsigned offset)
{
	return fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + offset, 8);
}

#define CONFIG(rig, field) config(rig, offsetof(struct virtio_mem_config, field))

static int aim(struct rig *rig, uint64_t blocks)
{
	hv_device_lock(rig->g.vm);
	int err = vdev_mem_aim(rig->mem, blocks * BLOCK);
	hv_device_unlock(rig->g.vm);
	return err;
}

static int set_domain(struct rig *rig, bool on)
{
	hv_device_lock(rig->g.vm);
	int err = vdev_mem_set_domain(rig->mem, on ? &rig->domain : NULL);
	hv_device_unlock(rig->g.vm);
	return err;
}

static unsigned maps(const struct rig *rig)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_SLOTS; i++)
		n += rig->domain.map[i].used;
	return n;
}

static unsigned in(const struct rig *rig)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_GROWTH / FAKE_BLOCK; i++)
		n += rig->g.vm->grown[i];
	return n;
}

/* What the device answers to `len` bytes of request; its state, where it is asked for one. */
static uint16_t ask_bytes(struct rig *rig, const void *req, uint32_t len, uint16_t *state)
{
	struct guest_buf buf[2] = {{REQUEST, len, false}, {RESPONSE, 10, true}};
	struct virtio_mem_resp resp;
	uint32_t written;

	memcpy(hv_mem_ptr(rig->g.vm, REQUEST, len), req, len);
	assert_true(guest_ring_add(&rig->g.ring[0], buf, 2, false) >= 0);
	guest_kick(&rig->g, 0);
	while (guest_ring_get(&rig->g.ring[0], &written) < 0)
		guest_spin(&rig->g); /* the main loop does it */
	assert_int_equal(written, 10);
	memcpy(&resp, hv_mem_ptr(rig->g.vm, RESPONSE, sizeof(resp)), sizeof(resp));
	if (state)
		*state = resp.u.state.state;
	return resp.type;
}

static uint16_t ask(struct rig *rig, uint16_t type, uint64_t gpa, uint16_t blocks)
{
	struct virtio_mem_req req = {.type = type, .u.plug = {.addr = gpa, .nb_blocks = blocks}};

	return ask_bytes(rig, &req, sizeof(req), NULL);
}

static uint16_t state_of(struct rig *rig, uint64_t first, uint16_t blocks)
{
	struct virtio_mem_req req = {.type = VIRTIO_MEM_REQ_STATE,
				     .u.state = {.addr = GPA + first * BLOCK, .nb_blocks = blocks}};
	uint16_t state;

	assert_int_equal(ask_bytes(rig, &req, sizeof(req), &state), VIRTIO_MEM_RESP_ACK);
	return state;
}

static void test_plug(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(CONFIG(rig, block_size), BLOCK);
	assert_int_equal(CONFIG(rig, addr), GPA);
	assert_int_equal(CONFIG(rig, region_size), FAKE_GROWTH);
	assert_int_equal(CONFIG(rig, requested_size), 0);
	assert_null(hv_mem_ptr(rig->g.vm, GPA, 1));
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA, 1), VIRTIO_MEM_RESP_NACK);
	assert_int_equal(aim(rig, 17), -EINVAL);
	guest_interrupts(&rig->g, 0);
	assert_int_equal(aim(rig, 6), 0);
	guest_spin(&rig->g);
	assert_int_equal(guest_interrupts(&rig->g, 0), 1); /* the configuration changed */
	assert_int_equal(CONFIG(rig, requested_size), 6 * BLOCK);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 2 * BLOCK, 4), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(CONFIG(rig, plugged_size), 4 * BLOCK);
	assert_non_null(hv_mem_ptr(rig->g.vm, GPA + 2 * BLOCK, 4 * BLOCK));
	assert_null(hv_mem_ptr(rig->g.vm, GPA + 2 * BLOCK - 1, 2));
	assert_int_equal(state_of(rig, 2, 4), VIRTIO_MEM_STATE_PLUGGED);
	assert_int_equal(state_of(rig, 6, 10), VIRTIO_MEM_STATE_UNPLUGGED);
	assert_int_equal(state_of(rig, 5, 2), VIRTIO_MEM_STATE_MIXED);
	/* no more than it shall have; nothing twice, and nothing half */
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 8 * BLOCK, 3), VIRTIO_MEM_RESP_NACK);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 5 * BLOCK, 2), VIRTIO_MEM_RESP_ERROR);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_UNPLUG, GPA + 5 * BLOCK, 2),
			 VIRTIO_MEM_RESP_ERROR);
	assert_int_equal(in(rig), 4);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_UNPLUG, GPA + 3 * BLOCK, 2), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(in(rig), 2);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(CONFIG(rig, plugged_size), 0);
}

/* What is in is mapped, in both orders; what goes out is not, before it is gone. */
static void test_domain(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(aim(rig, 16), 0);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA, 2), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(set_domain(rig, true), 0);
	assert_int_equal(maps(rig), 2);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 4 * BLOCK, 3), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(maps(rig), 5);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_UNPLUG, GPA + 4 * BLOCK, 1), VIRTIO_MEM_RESP_ACK);
	assert_int_equal(maps(rig), 4);
	assert_int_equal(set_domain(rig, false), 0);
	assert_int_equal(maps(rig), 0);
	assert_int_equal(in(rig), 4);
	/* the IOMMU takes no more: neither does the guest get it */
	assert_int_equal(set_domain(rig, true), 0);
	rig->domain.refuse_iova = GPA + 9 * BLOCK;
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 8 * BLOCK, 2), VIRTIO_MEM_RESP_BUSY);
	assert_int_equal(in(rig), 4);
	assert_int_equal(maps(rig), 4);
	assert_int_equal(set_domain(rig, false), 0);
	rig->domain.refuse_iova = GPA + 6 * BLOCK;
	assert_int_equal(set_domain(rig, true), -EFAULT);
	assert_int_equal(maps(rig), 0);
}

static void test_hostile(void **state)
{
	static const struct {
		uint64_t gpa;
		uint16_t blocks;
	} bad[] = {{GPA, 0},
		   {GPA + 1, 1},
		   {GPA - BLOCK, 1},
		   {GPA + FAKE_GROWTH, 1},
		   {GPA + FAKE_GROWTH - BLOCK, 2},
		   {GPA, 17},
		   {GPA, 0xffff},
		   {UINT64_MAX, 1},
		   {UINT64_MAX - BLOCK + 1, 0xffff},
		   {0, 1}};
	struct rig *rig = *state;

	assert_int_equal(aim(rig, 16), 0);
	for (uint16_t type = 0; type < 6; type++)
		for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
			assert_int_equal(ask(rig, type, bad[i].gpa, bad[i].blocks),
					 type == VIRTIO_MEM_REQ_UNPLUG_ALL ? VIRTIO_MEM_RESP_ACK
									   : VIRTIO_MEM_RESP_ERROR);
	assert_int_equal(ask_bytes(rig, "\0\0\0", 3, NULL), VIRTIO_MEM_RESP_ERROR); /* cut off */
	assert_int_equal(in(rig), 0);
	/* a ring in memory that is not there breaks the device, not us */
	guest_negotiate(&rig->g, VDEV_FEATURE(VIRTIO_F_VERSION_1));
	rig->g.ring[0].desc = GPA;
	assert_int_equal(aim(rig, 1), 0);
}

static void test_save(void **state)
{
	struct rig *rig = *state;
	struct state *s = state_new();

	assert_int_equal(aim(rig, 8), 0);
	assert_int_equal(ask(rig, VIRTIO_MEM_REQ_PLUG, GPA + 3 * BLOCK, 4), VIRTIO_MEM_RESP_ACK);
	hv_device_lock(rig->g.vm);
	assert_int_equal(vdev_host_quiesce(rig->g.host), 0);
	vdev_host_save(rig->g.host, s);
	assert_int_equal(state_error(s), 0);
	assert_int_equal(hv_mem_shrink(rig->g.vm, GPA + 3 * BLOCK, 4 * BLOCK), 0);
	assert_int_equal(vdev_host_load(rig->g.host, s), 0);
	vdev_host_resume(rig->g.host);
	hv_device_unlock(rig->g.vm);
	assert_int_equal(in(rig), 4);
	assert_int_equal(state_of(rig, 3, 4), VIRTIO_MEM_STATE_PLUGGED);
	assert_int_equal(CONFIG(rig, requested_size), 8 * BLOCK);
	state_free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plug),
		TEST(test_domain),
		TEST(test_hostile),
		TEST(test_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
