/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq_split: split virtqueues (virtio 1.2, 2.7).
 *
 * Three areas: a table of descriptors, the available ring that the driver writes, the used ring
 * that we write. Ring indices run freely over 16 bits; a slot is index modulo size, a power of two.
 * Each ring ends in one more word: the index at which the other side wants to hear of something.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "vdev/virtq_ring.h"

/* 2.7.6 */
struct avail {
	uint16_t flags, idx;
	uint16_t ring[]; /* size entries, then used_event */
};

struct used_elem {
	uint32_t id, len;
};

/* 2.7.8 */
struct used {
	uint16_t flags, idx;
	struct used_elem ring[]; /* size entries, then avail_event */
};
_Static_assert(offsetof(struct avail, ring) == 4, "virtq_avail");
_Static_assert(offsetof(struct used, ring) == 4 && sizeof(struct used_elem) == 8, "virtq_used");

static uint16_t load(const uint16_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void store(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELAXED);
}

static void split_sizes(const struct vdev_virtq *q, uint64_t size[3])
{
	size[0] = UINT64_C(16) * q->size;
	size[1] = 6 + UINT64_C(2) * q->size;
	size[2] = 6 + UINT64_C(8) * q->size;
}

/* Pairs with the driver's write barrier before it moves the index. */
static uint16_t available(const struct vdev_virtq *q)
{
	const struct avail *avail = q->driver_area;

	return (uint16_t)(__atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) - q->next_avail);
}

static bool split_pending(const struct vdev_virtq *q)
{
	return available(q) != 0;
}

static struct vdev_desc read_desc(const struct vdev_virtq *q, uint16_t index)
{
	const uint64_t *at = (const uint64_t *)q->desc_area + 2 * index;
	uint64_t words[2] = {__atomic_load_n(&at[0], __ATOMIC_RELAXED),
			     __atomic_load_n(&at[1], __ATOMIC_RELAXED)};
	struct vdev_desc desc;

	memcpy(&desc, words, sizeof(desc));
	return desc;
}

static int walk_chain(struct vdev_walk *w, uint16_t head)
{
	struct vdev_virtq *q = w->q;
	uint16_t index = head;

	for (unsigned seen = 0;; seen++) {
		if (index >= q->size)
			return vdev_ring_broken(q, "a descriptor outside the table");
		if (seen == q->size)
			return vdev_ring_broken(q, "a chain that never ends");
		struct vdev_desc d = read_desc(q, index);
		bool next = d.flags & VRING_DESC_F_NEXT;
		bool indirect = d.flags & VRING_DESC_F_INDIRECT;

		if (next && indirect) /* 2.7.5.3.1 */
			return vdev_ring_broken(q, "an indirect descriptor with a next one");
		int err = indirect ? vdev_walk_indirect(w, d.addr, d.len)
				   : vdev_walk_add(w, d.addr, d.len, d.flags & VRING_DESC_F_WRITE);
		if (err < 0 || !next)
			return err;
		index = d.next;
	}
}

static int split_take(struct vdev_walk *w)
{
	struct vdev_virtq *q = w->q;
	const struct avail *avail = q->driver_area;
	uint16_t count = available(q);

	if (!count)
		return 0;
	if (count > q->size)
		return vdev_ring_broken(q, "the available index jumped");
	if (q->in_flight >= q->size)
		return vdev_ring_broken(q, "more chains than the queue can have");
	uint16_t head = load(&avail->ring[q->next_avail & (q->size - 1)]);
	int err = walk_chain(w, head);
	if (err < 0)
		return err;
	w->chain->id = head;
	w->chain->ndescs = 1;
	q->next_avail++;
	q->in_flight++;
	return 1;
}

static void split_untake(struct vdev_virtq *q, const struct vdev_virtq_chain *chain)
{
	(void)chain;
	q->next_avail--;
	q->in_flight--;
}

static void split_fill(struct vdev_virtq *q, const struct vdev_virtq_chain *chain, uint32_t written)
{
	struct used *used = q->device_area;

	used->ring[(q->next_used + q->filled) & (q->size - 1u)] =
		(struct used_elem){.id = chain->id, .len = written};
	q->filled++;
	q->in_flight--;
}

static void split_flush(struct vdev_virtq *q)
{
	struct used *used = q->device_area;

	q->next_used = (uint16_t)(q->next_used + q->filled);
	/* The elements before the index; pairs with the driver's read barrier after it. */
	__atomic_store_n(&used->idx, q->next_used, __ATOMIC_RELEASE);
}

static bool split_wanted(const struct vdev_virtq *q)
{
	const struct avail *avail = q->driver_area;

	if (!q->event_idx)
		return !(load(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	uint16_t old = (uint16_t)(q->next_used - q->unsignalled);
	return vring_need_event(load(&avail->ring[q->size]), q->next_used, old);
}

/* With an event index the driver is asked by an index that it has passed already. */
static void split_kick_off(struct vdev_virtq *q)
{
	struct used *used = q->device_area;

	if (!q->event_idx)
		store(&used->flags, VRING_USED_F_NO_NOTIFY);
}

static void split_kick_on(struct vdev_virtq *q)
{
	struct used *used = q->device_area;

	if (q->event_idx)
		store((uint16_t *)(void *)&used->ring[q->size], q->next_avail);
	else
		store(&used->flags, 0);
}

const struct vdev_ring_ops vdev_ring_split = {
	.sizes = split_sizes,
	.align = {16, 2, 4},
	.pending = split_pending,
	.take = split_take,
	.untake = split_untake,
	.fill = split_fill,
	.flush = split_flush,
	.wanted = split_wanted,
	.kick_off = split_kick_off,
	.kick_on = split_kick_on,
};
