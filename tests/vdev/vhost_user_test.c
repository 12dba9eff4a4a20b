/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user: disks and NICs that a back-end serves; a driver in the same process at one end, a
 * back-end in a thread at the other, which goes and comes back, and misbehaves.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/util.h"
#include "tests/fakes/fake_vhost_user.h"
#include "tests/vdev/guest_virtio.h"
#include "vdev/net_ctrl.h"
#include "vdev/virtio.h"
#include "vdev/virtio_blk_user.h"
#include "vdev/virtio_net_user.h"

#define V1	VDEV_FEATURE(VIRTIO_F_VERSION_1)
#define PACKED	VDEV_FEATURE(VIRTIO_F_RING_PACKED)
#define EVENT	VDEV_FEATURE(VIRTIO_RING_F_EVENT_IDX)
#define MQ	VDEV_FEATURE(VIRTIO_NET_F_MQ)
#define CTRL	VDEV_FEATURE(VIRTIO_NET_F_CTRL_VQ)
#define MRG	VDEV_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define HEADER	GUEST_DATA
#define STATUS	(GUEST_DATA + 0x800u)
#define BUFFER	(GUEST_DATA + 0x1000u)
#define AWAY_MS 5000u

struct rig {
	struct guest_virtio g;
	struct fake_vu vu;
	struct vdev_function *fn;
	char dir[32];
	int listener;
};

static struct rig *prepare(enum fake_vu_kind kind)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	char path[64];

	strcpy(rig->dir, "/tmp/sluice-vu-XXXXXX");
	if (!mkdtemp(rig->dir))
		abort();
	snprintf(path, sizeof(path), "%s/sock", rig->dir);
	fake_vu_init(&rig->vu, kind, path);
	guest_virtio_init(&rig->g);
	fake_hv_share_ram(rig->g.vm);
	rig->listener = -1;
	return rig;
}

static int add_disk(struct rig *rig, unsigned queues)
{
	const struct vdev_disk_config config = {
		.name = "disk test", .fd = -1, .socket = rig->vu.path, .queues = queues};
	int err = vdev_blk_user_create(rig->g.vm, rig->g.loop, &config, &rig->fn);

	if (!err)
		guest_virtio_attach(&rig->g, rig->fn);
	return err;
}

static int add_nic(struct rig *rig, unsigned pairs, bool packed)
{
	const struct vdev_net_config config = {.name = "net test",
					       .mac = {2, 0, 0, 0, 0, 1},
					       .mtu = 1500,
					       .pairs = pairs,
					       .socket = rig->vu.path,
					       .listener = rig->listener,
					       .packed = packed};
	int err = vdev_net_user_create(rig->g.vm, rig->g.loop, &config, &rig->fn);

	if (!err)
		guest_virtio_attach(&rig->g, rig->fn);
	return err;
}

static struct rig *disk_rig(unsigned queues)
{
	struct rig *rig = prepare(FAKE_VU_BLK);

	fake_vu_start(&rig->vu);
	assert_int_equal(add_disk(rig, queues), 0);
	return rig;
}

static void finish(struct rig *rig)
{
	guest_virtio_finish(&rig->g);
	fake_vu_stop(&rig->vu);
	close(rig->vu.stop);
	if (rig->listener >= 0)
		close(rig->listener);
	unlink(rig->vu.path);
	rmdir(rig->dir);
	free(rig);
}

static void *at(struct rig *rig, uint64_t gpa)
{
	return hv_mem_ptr(rig->g.vm, gpa, 1);
}

static void put_request(struct rig *rig, unsigned queue, unsigned n, uint32_t type, uint64_t sector)
{
	uint64_t header = HEADER + n * 16, status = STATUS + n;
	struct guest_buf buf[3] = {{header, 16, false},
				   {BUFFER + n * 512, 512, type == VIRTIO_BLK_T_IN},
				   {status, 1, true}};

	*(struct virtio_blk_outhdr *)at(rig, header) =
		(struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(uint8_t *)at(rig, status) = 0xaa;
	assert_true(guest_ring_add(&rig->g.ring[queue], buf, 3, false) >= 0);
	guest_kick(&rig->g, queue);
}

static uint8_t get_request(struct rig *rig, unsigned queue, unsigned n)
{
	uint32_t written;

	assert_true(guest_wait(&rig->g, queue, &written) >= 0);
	return *(uint8_t *)at(rig, STATUS + n);
}

static void write_and_read(struct rig *rig, unsigned queue, unsigned sector, uint8_t byte)
{
	memset(at(rig, BUFFER), byte, 512);
	put_request(rig, queue, 0, VIRTIO_BLK_T_OUT, sector);
	assert_int_equal(get_request(rig, queue, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->vu.disk[sector * 512 + 511], byte);
	put_request(rig, queue, 1, VIRTIO_BLK_T_IN, sector);
	assert_int_equal(get_request(rig, queue, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(((uint8_t *)at(rig, BUFFER + 512))[511], byte);
}

static struct vdev_disk_stat disk_stat(struct rig *rig)
{
	struct vdev_disk_stat stat = {0};

	hv_device_lock(rig->g.vm);
	assert_true(vdev_blk_user_stat(rig->fn, &stat));
	hv_device_unlock(rig->g.vm);
	return stat;
}

/* The front-end knows that nobody is there. */
static void wait_away(struct rig *rig)
{
	for (unsigned i = 0; i < AWAY_MS && !disk_stat(rig).away; i++)
		usleep(1000);
	assert_true(disk_stat(rig).away);
}

/* What is told comes after what is done. */
static void wait_event(struct rig *rig, const char *event)
{
	for (unsigned i = 0; i < AWAY_MS && strcmp(rig->g.vm->event, event); i++)
		usleep(1000);
	assert_string_equal(rig->g.vm->event, event);
}

static bool needs_reset(struct rig *rig)
{
	for (unsigned i = 0; i < 200; i++) {
		guest_spin(&rig->g);
		if (guest_common(&rig->g, VIRTIO_PCI_COMMON_STATUS, 1) &
		    VIRTIO_CONFIG_S_NEEDS_RESET)
			return true;
	}
	return false;
}

/* ---- disks ---- */

static void test_disk(void **state)
{
	struct rig *rig = disk_rig(2);
	(void)state;

	assert_int_equal(guest_config(&rig->g, 0, 4), 0x10421af4);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device, 8), FAKE_VU_SECTORS);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 34, 2), 2); /* queues */
	assert_int_equal(guest_offered(&rig->g) & PACKED, 0);
	guest_bring_up(&rig->g, V1, 2);
	write_and_read(rig, 0, 3, 0x5a);
	write_and_read(rig, 1, 4, 0xa5);
	assert_true(guest_interrupts(&rig->g, 1) > 0);
	assert_int_equal(rig->vu.regions, 3);
	assert_int_equal(rig->vu.set_features, V1 | VDEV_FEATURE(VU_F_PROTOCOL_FEATURES));
	assert_true(disk_stat(rig).elsewhere);
	assert_false(disk_stat(rig).away);
	finish(rig);
}

static void test_disk_event_index(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1 | EVENT, 1);
	for (unsigned i = 0; i < 40; i++) /* more than the ring has slots */
		write_and_read(rig, 0, i, (uint8_t)(i + 1));
	finish(rig);
}

static void test_disk_settings(void **state)
{
	struct rig *rig = disk_rig(8);
	(void)state;

	assert_int_equal(disk_stat(rig).queues, 4); /* the engine has no more */
	rig->vu.wce = 0;			    /* which nobody asked for */
	guest_bring_up(&rig->g, V1 | VDEV_FEATURE(VIRTIO_BLK_F_CONFIG_WCE), 1);
	assert_int_equal(rig->vu.wce, 1);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 32, 1), 1);
	fake_hv_write(rig->g.vm, HV_MMIO, rig->g.device + 32, 0, 1);
	assert_int_equal(rig->vu.wce, 0);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 32, 1), 0);
	/* the next one is told the same */
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	rig->vu.wce = 1;
	fake_vu_start(&rig->vu);
	write_and_read(rig, 0, 1, 1);
	assert_int_equal(rig->vu.wce, 0);
	/* a driver that knows no flushes gets writes that last */
	rig->vu.wce = 1;
	guest_bring_up(&rig->g, V1, 1);
	assert_int_equal(rig->vu.wce, 0);
	guest_bring_up(&rig->g, V1 | VDEV_FEATURE(VIRTIO_BLK_F_FLUSH), 1);
	assert_int_equal(rig->vu.wce, 1);
	finish(rig);
}

/* Pause, resume, and the driver starting anew: where the queue stands is kept, or forgotten. */
static void test_disk_stops(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 1, 1);
	hv_device_lock(rig->g.vm);
	vdev_virtio_quiesce(rig->fn);
	assert_null(vdev_virtio_unsavable(rig->fn));
	hv_device_unlock(rig->g.vm);
	put_request(rig, 0, 0, VIRTIO_BLK_T_IN, 1);
	usleep(20000);
	assert_int_equal(*(uint8_t *)at(rig, STATUS), 0xaa);
	hv_device_lock(rig->g.vm);
	vdev_virtio_resume(rig->fn);
	hv_device_unlock(rig->g.vm);
	assert_int_equal(get_request(rig, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->vu.base[0], 2);
	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 2, 2);
	assert_int_equal(rig->vu.base[0], 0);
	finish(rig);
}

/* Requests wait for a back-end that went, and the guest notices nothing. */
static void test_disk_comes_back(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1, 1);
	for (unsigned i = 0; i < 3; i++) {
		write_and_read(rig, 0, i, (uint8_t)i);
		fake_vu_stop(&rig->vu);
		wait_away(rig);
		put_request(rig, 0, 0, VIRTIO_BLK_T_OUT, 9);
		usleep(20000);
		assert_int_equal(*(uint8_t *)at(rig, STATUS), 0xaa);
		fake_vu_start(&rig->vu);
		assert_int_equal(get_request(rig, 0, 0), VIRTIO_BLK_S_OK);
	}
	assert_int_equal(disk_stat(rig).connections, 4);
	wait_event(rig, "backend-back");
	finish(rig);
}

/* It dies with requests under way: the next one finds its notes and goes on from there. */
static void test_disk_notes(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 1, 1);
	atomic_store(&rig->vu.hold, true);
	put_request(rig, 0, 0, VIRTIO_BLK_T_OUT, 5);
	put_request(rig, 0, 1, VIRTIO_BLK_T_OUT, 6);
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	atomic_store(&rig->vu.hold, false);
	fake_vu_start(&rig->vu);
	assert_int_equal(get_request(rig, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(get_request(rig, 0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(rig->vu.notes, 2);   /* of the first one's two requests */
	assert_int_equal(rig->vu.base[0], 2); /* all that were answered */
	assert_false(needs_reset(rig));
	/* after a stop without doubt the notes are new ones */
	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 2, 2);
	assert_int_equal(rig->vu.notes, 0);
	finish(rig);
}

/* Without notes nobody can tell: the guest is told so, and a reset helps. */
static void test_disk_doubt(void **state)
{
	struct rig *rig = prepare(FAKE_VU_BLK);
	(void)state;

	rig->vu.protocol &= ~(UINT64_C(1) << VU_PROTOCOL_INFLIGHT);
	fake_vu_start(&rig->vu);
	assert_int_equal(add_disk(rig, 1), 0);
	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 1, 1);
	/* idle: no doubt */
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	fake_vu_start(&rig->vu);
	write_and_read(rig, 0, 2, 2);
	assert_false(needs_reset(rig));
	atomic_store(&rig->vu.hold, true);
	put_request(rig, 0, 0, VIRTIO_BLK_T_OUT, 5);
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	assert_true(needs_reset(rig));
	hv_device_lock(rig->g.vm);
	vdev_virtio_quiesce(rig->fn);
	assert_non_null(vdev_virtio_unsavable(rig->fn));
	vdev_virtio_resume(rig->fn);
	hv_device_unlock(rig->g.vm);
	atomic_store(&rig->vu.hold, false);
	fake_vu_start(&rig->vu);
	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 3, 3);
	finish(rig);
}

/* One that lacks what the driver uses is not used. */
static void test_disk_other_features(void **state)
{
	struct rig *rig = disk_rig(1);
	uint64_t offered = rig->vu.features;
	(void)state;

	guest_bring_up(&rig->g, V1 | EVENT, 1);
	write_and_read(rig, 0, 1, 1);
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	rig->vu.features &= ~EVENT;
	fake_vu_start(&rig->vu);
	put_request(rig, 0, 0, VIRTIO_BLK_T_IN, 1);
	usleep(100000);
	assert_int_equal(*(uint8_t *)at(rig, STATUS), 0xaa);
	fake_vu_stop(&rig->vu);
	rig->vu.features = offered;
	fake_vu_start(&rig->vu);
	assert_int_equal(get_request(rig, 0, 0), VIRTIO_BLK_S_OK);
	finish(rig);
}

static void test_disk_grows(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1, 1);
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	rig->vu.sectors = 128;
	fake_vu_start(&rig->vu);
	write_and_read(rig, 0, 1, 1);
	guest_spin(&rig->g);
	assert_int_equal(fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device, 8), 128);
	assert_true(guest_interrupts(&rig->g, 0) > 0);
	finish(rig);
}

static void test_private_memory(void **state)
{
	struct rig *rig = prepare(FAKE_VU_BLK);
	(void)state;

	fake_vu_start(&rig->vu);
	close(rig->g.vm->block[1].fd);
	rig->g.vm->block[1].fd = -1;
	assert_int_equal(add_disk(rig, 1), -ENOTSUP);
	finish(rig);
}

static const struct {
	enum vdev_vu_request at;
	enum fake_vu_fault fault;
} faults[] = {
	{VU_GET_FEATURES, FAKE_VU_WRONG},
	{VU_GET_FEATURES, FAKE_VU_SHORT},
	{VU_GET_FEATURES, FAKE_VU_HANGUP},
	{VU_GET_FEATURES, FAKE_VU_FDS},
	{VU_GET_PROTOCOL_FEATURES, FAKE_VU_LONG},
	{VU_GET_QUEUE_NUM, FAKE_VU_WRONG},
	{VU_GET_CONFIG, FAKE_VU_LONG},
	{VU_GET_CONFIG, FAKE_VU_HANGUP},
};

/* A back-end that is none is refused at once, by a deadline at the latest. */
static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct rig *rig = prepare(FAKE_VU_BLK);

		rig->vu.fault = faults[i].fault;
		atomic_store(&rig->vu.fault_at, faults[i].at);
		fake_vu_start(&rig->vu);
		uint64_t begin = deadline_now();
		assert_true(add_disk(rig, 1) < 0);
		assert_true(deadline_now() - begin < UINT64_C(30000000000));
		finish(rig);
	}
}

static const struct {
	enum vdev_vu_request at;
	enum fake_vu_fault fault;
} late_faults[] = {
	{VU_SET_MEM_TABLE, FAKE_VU_REFUSE}, {VU_SET_MEM_TABLE, FAKE_VU_WRONG},
	{VU_GET_INFLIGHT_FD, FAKE_VU_LONG}, {VU_GET_INFLIGHT_FD, FAKE_VU_HANGUP},
	{VU_GET_FEATURES, FAKE_VU_WRONG},
};

/* Whatever goes wrong later is tried again until it goes well. */
static void test_tried_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(late_faults); i++) {
		struct rig *rig = disk_rig(1);

		rig->vu.fault = late_faults[i].fault;
		atomic_store(&rig->vu.fault_at, late_faults[i].at);
		guest_bring_up(&rig->g, V1, 1);
		for (unsigned n = 0; n < 2000 && rig->vu.connections < 3; n++)
			usleep(1000);
		assert_true(rig->vu.connections >= 3);
		atomic_store(&rig->vu.fault_at, 0);
		write_and_read(rig, 0, 1, 7);
		finish(rig);
	}
}

/* The end of the device does not wait for one that says nothing. */
static void test_mute(void **state)
{
	struct rig *rig = disk_rig(1);
	(void)state;

	guest_bring_up(&rig->g, V1, 1);
	write_and_read(rig, 0, 1, 1);
	fake_vu_stop(&rig->vu);
	wait_away(rig);
	rig->vu.fault = FAKE_VU_MUTE;
	atomic_store(&rig->vu.fault_at, VU_GET_FEATURES);
	pthread_mutex_lock(&rig->vu.lock);
	fake_log_clear(&rig->vu.log);
	pthread_mutex_unlock(&rig->vu.lock);
	fake_vu_start(&rig->vu);
	assert_true(fake_vu_heard(&rig->vu, "1\n"));
	uint64_t begin = deadline_now();
	guest_virtio_finish(&rig->g);
	assert_true(deadline_now() - begin < UINT64_C(2000000000)); /* of the 5 it would wait */
	fake_vu_stop(&rig->vu);
	close(rig->vu.stop);
	rmdir(rig->dir);
	free(rig);
}

/* ---- NICs ---- */

static struct rig *nic_rig(unsigned pairs, bool packed)
{
	struct rig *rig = prepare(FAKE_VU_ECHO);

	fake_vu_start(&rig->vu);
	assert_int_equal(add_nic(rig, pairs, packed), 0);
	return rig;
}

/* A frame goes out through a pair and comes back through it. */
static void echo(struct rig *rig, unsigned pair, uint8_t byte)
{
	struct guest_buf room = {BUFFER + 0x1000, 2048, true}, frame = {BUFFER, 12 + 100, false};
	uint32_t written;

	memset(at(rig, BUFFER), 0, 12);
	memset(at(rig, BUFFER + 12), byte, 100);
	assert_true(guest_ring_add(&rig->g.ring[2 * pair], &room, 1, false) >= 0);
	guest_kick(&rig->g, 2 * pair);
	assert_true(guest_ring_add(&rig->g.ring[2 * pair + 1], &frame, 1, false) >= 0);
	guest_kick(&rig->g, 2 * pair + 1);
	assert_true(guest_wait(&rig->g, 2 * pair + 1, &written) >= 0);
	assert_true(guest_wait(&rig->g, 2 * pair, &written) >= 0);
	assert_int_equal(written, 112);
	assert_int_equal(((uint8_t *)at(rig, BUFFER + 0x1000))[10], 1);
	assert_int_equal(((uint8_t *)at(rig, BUFFER + 0x1000))[111], byte);
}

static uint8_t control(struct rig *rig, unsigned queue, const void *message, uint32_t len)
{
	uint32_t written;

	memcpy(at(rig, HEADER), message, len);
	struct guest_buf buf[2] = {{HEADER, len, false}, {STATUS, 1, true}};
	assert_true(guest_ring_add(&rig->g.ring[queue], buf, 2, false) >= 0);
	guest_kick(&rig->g, queue);
	assert_true(guest_wait(&rig->g, queue, &written) >= 0);
	return *(uint8_t *)at(rig, STATUS);
}

static void nic_moves(bool packed)
{
	struct rig *rig = nic_rig(1, packed);

	assert_int_equal(guest_offered(&rig->g) & PACKED, packed ? PACKED : 0);
	guest_bring_up(&rig->g, V1 | MRG | (packed ? PACKED : 0), 2);
	for (unsigned i = 0; i < 40; i++) /* around the ring */
		echo(rig, 0, (uint8_t)i);
	/* stop and go: each position is told as it is */
	hv_device_lock(rig->g.vm);
	vdev_virtio_quiesce(rig->fn);
	vdev_virtio_resume(rig->fn);
	hv_device_unlock(rig->g.vm);
	for (unsigned i = 0; i < 40; i++)
		echo(rig, 0, (uint8_t)i);
	assert_int_equal(rig->vu.mtu, 1500);
	finish(rig);
}

static void test_nic(void **state)
{
	(void)state;
	nic_moves(false);
}

static void test_nic_packed(void **state)
{
	(void)state;
	nic_moves(true);
}

static void test_nic_pairs(void **state)
{
	static const uint8_t two[] = {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2, 0};
	static const uint8_t three[] = {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 3, 0};
	struct rig *rig = nic_rig(2, false);
	(void)state;

	guest_bring_up(&rig->g, V1 | MRG | MQ | CTRL, 5);
	echo(rig, 0, 1);
	assert_false(rig->vu.enabled[2]);
	assert_int_equal(control(rig, 4, three, sizeof(three)), VIRTIO_NET_ERR);
	assert_int_equal(control(rig, 4, two, sizeof(two)), VIRTIO_NET_OK);
	echo(rig, 1, 2);
	/* and after the switch was restarted */
	fake_vu_stop(&rig->vu);
	fake_vu_start(&rig->vu);
	echo(rig, 1, 3);
	echo(rig, 0, 4);
	finish(rig);
}

/* Memory in more pieces than a table holds, as of a VM with many nodes. */
static struct rig *many_pieces(unsigned slots_max)
{
	struct rig *rig = prepare(FAKE_VU_ECHO);
	struct hv_vm *vm = rig->g.vm;
	size_t first = vm->blocks;

	for (unsigned i = 0; i < 10; i++) {
		vm->block[vm->blocks++] =
			(struct hv_ram_block){.gpa = FAKE_RAM_GPA * 16 + i * UINT64_C(0x1000000),
					      .size = 0x10000,
					      .fd = -1};
	}
	for (size_t i = first; i < vm->blocks; i++) {
		struct hv_ram_block *b = &vm->block[i];

		b->fd = memfd_create("piece", MFD_CLOEXEC);
		if (b->fd < 0 || ftruncate(b->fd, (off_t)b->size) < 0)
			abort();
		b->hva = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	}
	rig->vu.slots_max = slots_max;
	rig->vu.protocol |= UINT64_C(1) << VU_PROTOCOL_SLOTS;
	fake_vu_start(&rig->vu);
	assert_int_equal(add_nic(rig, 1, false), 0);
	return rig;
}

static void test_many_pieces(void **state)
{
	struct rig *rig = many_pieces(13);
	(void)state;

	guest_bring_up(&rig->g, V1 | MRG | CTRL, 3);
	echo(rig, 0, 1);
	assert_int_equal(rig->vu.slots, 13);
	assert_int_equal(rig->vu.regions, 0); /* no table beside them */
	/* A driver that starts again does not tell them twice; another back-end hears them all. */
	guest_bring_up(&rig->g, V1 | MRG | CTRL, 3);
	echo(rig, 0, 2);
	assert_int_equal(rig->vu.slots, 13);
	fake_vu_stop(&rig->vu);
	fake_vu_start(&rig->vu);
	echo(rig, 0, 3);
	assert_int_equal(rig->vu.slots, 13);
	finish(rig);
}

static void test_nic_too_many(void **state)
{
	struct rig *rig = prepare(FAKE_VU_ECHO);
	(void)state;

	fake_vu_start(&rig->vu);
	assert_int_equal(add_nic(rig, 3, false), -EINVAL); /* it has two */
	finish(rig);
}

static void link_becomes(struct rig *rig, unsigned up)
{
	uint64_t status = 2;

	for (unsigned i = 0; i < 400 && status != up; i++) {
		guest_spin(&rig->g);
		status = fake_hv_read(rig->g.vm, HV_MMIO, rig->g.device + 6, 2);
	}
	assert_int_equal(status, up);
}

static void test_nic_comes_back(void **state)
{
	struct rig *rig = nic_rig(1, false);
	struct guest_buf frame = {BUFFER, 112, false};
	uint32_t written;
	(void)state;

	guest_bring_up(&rig->g, V1 | MRG, 2);
	for (unsigned i = 0; i < 3; i++) {
		echo(rig, 0, (uint8_t)i);
		link_becomes(rig, 1);
		fake_vu_stop(&rig->vu);
		link_becomes(rig, 0);
		/* what is sent meanwhile goes out later; there is no room for it to come back */
		assert_true(guest_ring_add(&rig->g.ring[1], &frame, 1, false) >= 0);
		guest_kick(&rig->g, 1);
		fake_vu_start(&rig->vu);
		assert_true(guest_wait(&rig->g, 1, &written) >= 0);
	}
	link_becomes(rig, 1);
	finish(rig);
}

/* A packed ring that somebody left in the middle: only a reset helps. */
static void test_packed_in_doubt(void **state)
{
	struct rig *rig = nic_rig(1, true);
	(void)state;

	guest_bring_up(&rig->g, V1 | MRG | PACKED, 2);
	echo(rig, 0, 1);
	fake_vu_stop(&rig->vu);
	assert_true(needs_reset(rig));
	fake_vu_start(&rig->vu);
	guest_bring_up(&rig->g, V1 | MRG | PACKED, 2);
	echo(rig, 0, 2);
	finish(rig);
}

/* The switch calls us. */
static void test_listening(void **state)
{
	struct rig *rig = prepare(FAKE_VU_ECHO);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	(void)state;

	memcpy(name.sun_path, rig->vu.path, sizeof(name.sun_path));
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(rig->listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(rig->listener, 1), 0);
	rig->vu.connects = true;
	fake_vu_start(&rig->vu);
	assert_int_equal(add_nic(rig, 1, false), 0);
	guest_bring_up(&rig->g, V1 | MRG, 2);
	echo(rig, 0, 1);
	fake_vu_stop(&rig->vu);
	fake_vu_start(&rig->vu);
	echo(rig, 0, 2);
	finish(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_disk_event_index),
		cmocka_unit_test(test_disk_settings),
		cmocka_unit_test(test_disk_stops),
		cmocka_unit_test(test_disk_comes_back),
		cmocka_unit_test(test_disk_notes),
		cmocka_unit_test(test_disk_doubt),
		cmocka_unit_test(test_disk_other_features),
		cmocka_unit_test(test_disk_grows),
		cmocka_unit_test(test_private_memory),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tried_again),
		cmocka_unit_test(test_mute),
		cmocka_unit_test(test_nic),
		cmocka_unit_test(test_nic_packed),
		cmocka_unit_test(test_nic_pairs),
		cmocka_unit_test(test_many_pieces),
		cmocka_unit_test(test_nic_too_many),
		cmocka_unit_test(test_nic_comes_back),
		cmocka_unit_test(test_packed_in_doubt),
		cmocka_unit_test(test_listening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
