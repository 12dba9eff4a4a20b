/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost_user_queues: queues handed over to a back-end and taken back; see vhost_user_link.h.
 *
 * A queue's position is asked for at a stop. From one that went without being asked it is what
 * guest memory tells, which is enough where requests are done in order, where none was under way,
 * or where the back-end kept notes.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/log.h"
#include "vdev/vhost_user_link.h"

#define MS	     UINT64_C(1000000) /* nanoseconds */
#define DRAIN_MS     10000u	       /* requests under way, at a stop */
#define INFLIGHT_MAX (UINT64_C(64) << 20)

/* ---- where the queues stand ---- */

static uint16_t load_idx(const void *area)
{
	/* flags, idx: both rings of 2.7 begin so */
	return __atomic_load_n((const uint16_t *)area + 1, __ATOMIC_ACQUIRE);
}

/* What guest memory tells of a split ring that somebody left: all that was given back is. Returns
 * whether that is all there is to know. */
static bool guess_position(struct vdev_vhost_user *vu, struct vdev_virtq *q)
{
	if (q->packed)
		return false; /* only who served it knows how long the used chains were */
	q->next_avail = q->next_used = load_idx(q->device_area);
	return vu->config.ordered || vu->inflight >= 0 || load_idx(q->driver_area) == q->next_used;
}

void vdev_vu_guess_positions(struct vdev_vhost_user *vu)
{
	for (unsigned i = 0; i < vu->queues; i++)
		if (vu->dev->queue[i].enabled && !guess_position(vu, &vu->dev->queue[i].vq))
			vu->unsure = true;
}

static uint32_t encode_base(const struct vdev_virtq *q)
{
	if (!q->packed)
		return q->next_avail;
	return (uint32_t)q->next_avail | (uint32_t)q->avail_wrap << 15 |
	       (uint32_t)q->next_used << 16 | (uint32_t)q->used_wrap << 31;
}

/* A packed ring's used position is told by some and not by others; with requests done in order it
 * is the same as the other one. */
static int decode_base(struct vdev_virtq *q, uint32_t base)
{
	if (!q->packed) {
		q->next_avail = (uint16_t)base;
		q->next_used = load_idx(q->device_area);
		return base > UINT16_MAX ? -EPROTO : 0;
	}
	if ((base & 0x7fff) >= q->size)
		return -EPROTO;
	q->next_avail = q->next_used = base & 0x7fff;
	q->avail_wrap = q->used_wrap = base >> 15 & 1;
	return 0;
}

/* ---- handing queues over ---- */

static struct vdev_vu_region region_of(const struct hv_ram_block *block)
{
	return (struct vdev_vu_region){
		.gpa = block->gpa,
		.size = block->size,
		.address = (uintptr_t)block->hva,
		.offset = block->offset,
	};
}

/* Once on a connection: RAM stays where it is. */
static int send_slots(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire,
		      const struct hv_ram_block *blocks, size_t count)
{
	uint64_t most = 0;
	int err = vdev_vu_agreed(vu, VU_PROTOCOL_SLOTS)
			  ? vdev_vu_ask(wire, VU_GET_MAX_MEM_SLOTS, &most)
			  : 0;

	if (!err && most < count) {
		if (!vu->complained)
			log_error(vu->name,
				  "the guest's memory is in %zu pieces, and the other end maps %u",
				  count, most ? (unsigned)most : VU_REGIONS);
		err = -E2BIG;
	}
	for (; !err && vu->slots < count; vu->slots++) {
		const struct vdev_vu_slot slot = {.region = region_of(&blocks[vu->slots])};

		err = vdev_vu_confirmed(wire, VU_ADD_MEM_REG,
					vdev_vu_agreed(vu, VU_PROTOCOL_REPLY_ACK), &slot,
					sizeof(slot), &blocks[vu->slots].fd, 1);
	}
	return err;
}

static int send_memory(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	const struct hv_ram_block *blocks;
	size_t count = hv_mem_blocks(vu->config.vm, &blocks);
	struct vdev_vu_memory table = {.count = (uint32_t)count};
	int fds[VU_REGIONS];

	if (count > VU_REGIONS)
		return send_slots(vu, wire, blocks, count);
	for (size_t i = 0; i < count; i++) {
		table.region[i] = region_of(&blocks[i]);
		fds[i] = blocks[i].fd;
	}
	return vdev_vu_confirmed(
		wire, VU_SET_MEM_TABLE, vdev_vu_agreed(vu, VU_PROTOCOL_REPLY_ACK), &table,
		offsetof(struct vdev_vu_memory, region) + count * sizeof(table.region[0]), fds,
		count);
}

static uint16_t longest_queue(const struct vdev_vhost_user *vu)
{
	uint16_t size = 0;

	for (unsigned i = 0; i < vu->queues; i++)
		if (vu->dev->queue[i].enabled && vu->dev->queue[i].vq.size > size)
			size = vu->dev->queue[i].vq.size;
	return size;
}

/* The memory for notes is theirs to make and ours to keep; a later back-end goes on with it. */
static int send_inflight(struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	struct vdev_vu_inflight ask = {.queues = (uint16_t)vu->queues,
				       .queue_size = longest_queue(vu)};
	int err = 0;

	if (!vdev_vu_agreed(vu, VU_PROTOCOL_INFLIGHT))
		return 0;
	if (vu->inflight < 0) {
		err = vdev_vu_send(wire, VU_GET_INFLIGHT_FD, 0, &ask, sizeof(ask), NULL, 0);
		if (!err)
			err = vdev_vu_receive(wire, VU_GET_INFLIGHT_FD, &vu->notes, VU_INFLIGHT_MIN,
					      sizeof(vu->notes), NULL, &vu->inflight);
		if (!err &&
		    (vu->inflight < 0 || !vu->notes.size || vu->notes.size > INFLIGHT_MAX)) {
			io_close(&vu->inflight);
			err = -EPROTO;
		}
		vu->notes.queues = ask.queues;
		vu->notes.queue_size = ask.queue_size;
	}
	if (err)
		return err;
	return vdev_vu_send(wire, VU_SET_INFLIGHT_FD, 0, &vu->notes, sizeof(vu->notes),
			    &vu->inflight, 1);
}

static int send_fd(const struct vdev_vu_wire *wire, enum vdev_vu_request request, unsigned index,
		   int fd)
{
	uint64_t payload = index;

	return vdev_vu_send(wire, request, 0, &payload, sizeof(payload), &fd, 1);
}

/* A queue without an interrupt gets an eventfd that nobody hears: that there may be none is in the
 * specification, and breaks the queue in libvhost-user. */
static int send_call(const struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire,
		     unsigned index)
{
	int fd = atomic_load(&vu->dev->queue[index].vq.call_fd);

	return send_fd(wire, VU_SET_VRING_CALL, index, fd < 0 ? vu->nowhere : fd);
}

static int send_state(const struct vdev_vu_wire *wire, enum vdev_vu_request request, unsigned index,
		      uint32_t num)
{
	struct vdev_vu_state state = {.index = index, .num = num};

	return vdev_vu_send(wire, request, 0, &state, sizeof(state), NULL, 0);
}

/* The kick comes last: from it on requests are served, which there may be already. */
static int send_queue(const struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire,
		      unsigned index)
{
	const struct vdev_virtio_queue *q = &vu->dev->queue[index];
	struct vdev_vu_addr addr = {
		.index = index,
		.desc = (uintptr_t)q->vq.desc_area,
		.used = (uintptr_t)q->vq.device_area,
		.avail = (uintptr_t)q->vq.driver_area,
	};
	int err = send_state(wire, VU_SET_VRING_NUM, index, q->vq.size);

	if (!err)
		err = send_state(wire, VU_SET_VRING_BASE, index, encode_base(&q->vq));
	if (!err)
		err = vdev_vu_send(wire, VU_SET_VRING_ADDR, 0, &addr, sizeof(addr), NULL, 0);
	if (!err)
		err = send_call(vu, wire, index);
	return err ? err : send_fd(wire, VU_SET_VRING_KICK, index, q->kick_fd);
}

static int send_enables(const struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	int err = 0;

	if (!(vu->offered & VDEV_FEATURE(VU_F_PROTOCOL_FEATURES)))
		return 0; /* a queue is used once it was kicked */
	for (unsigned i = 0; i < vu->queues && !err; i++)
		if (vu->dev->queue[i].enabled)
			err = send_state(wire, VU_SET_VRING_ENABLE, i, i < vu->enabled);
	return err;
}

/* They have seen everything that was sent. */
static int settle(const struct vdev_vu_wire *wire)
{
	uint64_t ignored;

	return vdev_vu_ask(wire, VU_GET_FEATURES, &ignored);
}

static int send_mtu(const struct vdev_vhost_user *vu, const struct vdev_vu_wire *wire)
{
	uint64_t mtu = vu->config.mtu;

	return vdev_vu_confirmed(wire, VU_NET_SET_MTU, vdev_vu_agreed(vu, VU_PROTOCOL_REPLY_ACK),
				 &mtu, sizeof(mtu), NULL, 0);
}

/* What the driver took, but for what is no business of theirs. */
static uint64_t driver_features(const struct vdev_vhost_user *vu)
{
	return vu->dev->features &
	       ~(VDEV_FEATURE(VIRTIO_F_ACCESS_PLATFORM) | VDEV_FEATURE(VIRTIO_F_RING_RESET) |
		 (vu->config.ours & ~vu->offered));
}

static int check_features(struct vdev_vhost_user *vu, uint64_t wanted)
{
	if (!(wanted & ~vu->offered) && vu->queue_max >= vu->queues)
		return 0;
	if (!vu->complained)
		log_error(
			vu->name,
			"the back-end at %s cannot go on: it lacks features 0x%llx that the guest "
			"uses, or queues; start one that offers as much as the first",
			vu->path, (unsigned long long)(wanted & ~vu->offered));
	vu->complained = true;
	return -EOPNOTSUPP;
}

/* Whatever came before there was somebody to hear, in both directions. */
static void wake_all(const struct vdev_vhost_user *vu)
{
	for (unsigned i = 0; i < vu->queues; i++) {
		const struct vdev_virtio_queue *q = &vu->dev->queue[i];
		int call = atomic_load(&q->vq.call_fd);

		if (!q->enabled)
			continue;
		eventfd_write(q->kick_fd, 1);
		if (call >= 0)
			eventfd_write(call, 1);
	}
}

int vdev_vu_hand_over(struct vdev_vhost_user *vu)
{
	uint64_t wanted = driver_features(vu);
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);
	int err = check_features(vu, wanted);

	wire.cut = -1; /* half of it done would leave doubt about the requests */
	if (!err)
		err = vdev_vu_tell(&wire, VU_SET_FEATURES,
				   wanted | (vu->offered & VDEV_FEATURE(VU_F_PROTOCOL_FEATURES)));
	if (!err)
		err = send_memory(vu, &wire);
	if (!err && vu->config.mtu && vdev_vu_agreed(vu, VU_PROTOCOL_MTU))
		err = send_mtu(vu, &wire);
	if (!err)
		err = send_inflight(vu, &wire);
	if (!err)
		vu->serving = true; /* from the first queue on */
	for (unsigned i = 0; i < vu->queues && !err; i++)
		if (vu->dev->queue[i].enabled)
			err = send_queue(vu, &wire, i);
	if (!err)
		err = send_enables(vu, &wire);
	if (!err)
		err = settle(&wire);
	if (err)
		return err;
	wake_all(vu);
	return 0;
}

/* ---- taking them back ---- */

/* Whoever stops may still have requests under way that are answered in any order. */
static int drain(const struct vdev_vhost_user *vu)
{
	uint64_t deadline = deadline_now() + DRAIN_MS * MS;
	const struct timespec tick = {.tv_nsec = (long)MS};

	for (unsigned i = 0; i < vu->queues && !vu->config.ordered; i++) {
		const struct vdev_virtio_queue *q = &vu->dev->queue[i];
		struct pollfd gone = {.fd = vu->sock};

		while (q->enabled && load_idx(q->vq.device_area) != q->vq.next_avail) {
			if (deadline_now() > deadline)
				return -ETIMEDOUT;
			if (poll(&gone, 1, 0))
				return -ECONNRESET;
			nanosleep(&tick, NULL);
		}
		vu->dev->queue[i].vq.next_used = q->vq.next_avail;
	}
	return 0;
}

int vdev_vu_take_back(struct vdev_vhost_user *vu)
{
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);
	int err = 0;

	for (unsigned i = 0; i < vu->queues && !err; i++) {
		struct vdev_virtq *q = &vu->dev->queue[i].vq;
		struct vdev_vu_state state = {.index = i};

		if (!vu->dev->queue[i].enabled)
			continue;
		if (vu->offered & VDEV_FEATURE(VU_F_PROTOCOL_FEATURES))
			err = send_state(&wire, VU_SET_VRING_ENABLE, i, 0);
		if (!err)
			err = send_state(&wire, VU_GET_VRING_BASE, i, 0);
		if (!err)
			err = vdev_vu_receive(&wire, VU_GET_VRING_BASE, &state, sizeof(state),
					      sizeof(state), NULL, NULL);
		if (!err)
			err = state.index == i ? decode_base(q, state.num) : -EPROTO;
	}
	return err ? err : drain(vu);
}

/* ---- changes on the way ---- */

int vdev_vu_tell_enabled(struct vdev_vhost_user *vu)
{
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);
	int err = send_enables(vu, &wire);

	return err ? err : settle(&wire);
}

int vdev_vu_tell_call(struct vdev_vhost_user *vu, unsigned queue)
{
	struct vdev_vu_wire wire = vdev_vu_wire_of(vu);

	return send_call(vu, &wire, queue);
}
