/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtq_packed: packed virtqueues (virtio 1.2, 2.8).
 *
 * One ring of descriptors that both sides write: the driver makes them available in order, we
 * overwrite them with used ones, in order too, skipping as many slots as the chain had. Two flag
 * bits of a descriptor, compared with a wrap counter that flips at each turn, tell whose it is.
 * Event suppression (2.8.10) is one structure per direction.
 */
#include <linux/virtio_ring.h>
#include <string.h>

#include "vdev/virtq_ring.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

/* 2.8.14 */
struct event {
	uint16_t off_wrap, flags;
};
_Static_assert(sizeof(struct event) == 4, "pvirtq_event_suppress");
_Static_assert(sizeof(struct vring_packed_desc) == 16, "pvirtq_desc");

static struct vring_packed_desc *slot(const struct vdev_virtq *q, unsigned index)
{
	return (struct vring_packed_desc *)q->desc_area + index;
}

static void packed_sizes(const struct vdev_virtq *q, uint64_t size[3])
{
	size[0] = UINT64_C(16) * q->size;
	size[1] = size[2] = sizeof(struct event);
}

static bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & AVAIL) == wrap && !!(flags & USED) != wrap;
}

/* Pairs with the driver's write barrier before it writes the flags of a chain's first. */
static bool packed_pending(const struct vdev_virtq *q)
{
	return is_available(__atomic_load_n(&slot(q, q->next_avail)->flags, __ATOMIC_ACQUIRE),
			    q->avail_wrap);
}

static struct vring_packed_desc read_desc(const struct vdev_virtq *q, unsigned index)
{
	const uint64_t *at = (const uint64_t *)q->desc_area + 2 * index;
	uint64_t words[2] = {__atomic_load_n(&at[0], __ATOMIC_RELAXED),
			     __atomic_load_n(&at[1], __ATOMIC_RELAXED)};
	struct vring_packed_desc desc;

	memcpy(&desc, words, sizeof(desc));
	return desc;
}

/* Forward by n slots. */
static void advance(const struct vdev_virtq *q, uint16_t *index, bool *wrap, unsigned n)
{
	unsigned next = *index + n;

	if (next >= q->size) {
		next -= q->size;
		*wrap = !*wrap;
	}
	*index = (uint16_t)next;
}

static int walk_chain(struct vdev_walk *w)
{
	struct vdev_virtq *q = w->q;
	unsigned index = q->next_avail;

	for (uint16_t seen = 1;; seen++) {
		if (q->in_flight + seen > q->size)
			return vdev_ring_broken(q, "a chain longer than the ring has room for");
		struct vring_packed_desc d = read_desc(q, index);
		bool next = d.flags & VRING_DESC_F_NEXT;
		bool indirect = d.flags & VRING_DESC_F_INDIRECT;

		if (next && indirect)
			return vdev_ring_broken(q, "an indirect descriptor with a next one");
		int err = indirect ? vdev_walk_indirect(w, d.addr, d.len)
				   : vdev_walk_add(w, d.addr, d.len, d.flags & VRING_DESC_F_WRITE);
		if (err < 0)
			return err;
		w->chain->id = d.id; /* the last one's counts: 2.8.6 */
		w->chain->ndescs = seen;
		if (!next)
			return 0;
		index = index + 1 == q->size ? 0 : index + 1;
	}
}

static int packed_take(struct vdev_walk *w)
{
	struct vdev_virtq *q = w->q;

	if (!packed_pending(q))
		return 0;
	int err = walk_chain(w);
	if (err < 0)
		return err;
	advance(q, &q->next_avail, &q->avail_wrap, w->chain->ndescs);
	q->in_flight += w->chain->ndescs;
	return 1;
}

static void packed_untake(struct vdev_virtq *q, const struct vdev_virtq_chain *chain)
{
	if (q->next_avail < chain->ndescs)
		q->avail_wrap = !q->avail_wrap;
	q->next_avail =
		(uint16_t)(q->next_avail < chain->ndescs ? q->next_avail + q->size - chain->ndescs
							 : q->next_avail - chain->ndescs);
	q->in_flight -= chain->ndescs;
}

static uint16_t used_flags(bool wrap, uint32_t written)
{
	return (uint16_t)((wrap ? AVAIL | USED : 0) | (written ? (unsigned)VRING_DESC_F_WRITE : 0));
}

/* The first of a batch gets its flags in flush: the driver, which looks in order, sees none of the
 * others before. */
static void packed_fill(struct vdev_virtq *q, const struct vdev_virtq_chain *chain,
			uint32_t written)
{
	uint16_t index = q->next_used;
	bool wrap = q->used_wrap;

	advance(q, &index, &wrap, q->filled);
	struct vring_packed_desc *d = slot(q, index);
	d->id = chain->id;
	d->len = written;
	if (q->filled)
		__atomic_store_n(&d->flags, used_flags(wrap, written), __ATOMIC_RELEASE);
	else
		q->first_written = written;
	q->filled += chain->ndescs;
	q->in_flight -= chain->ndescs;
}

static void packed_flush(struct vdev_virtq *q)
{
	/* Id and length before the flags; pairs with the driver's read barrier after them. */
	__atomic_store_n(&slot(q, q->next_used)->flags, used_flags(q->used_wrap, q->first_written),
			 __ATOMIC_RELEASE);
	advance(q, &q->next_used, &q->used_wrap, q->filled);
}

static bool packed_wanted(const struct vdev_virtq *q)
{
	const struct event *event = q->driver_area;
	uint16_t flags = __atomic_load_n(&event->flags, __ATOMIC_RELAXED) & 3;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* The flags before the position; pairs with the driver writing them the other way round. */
	atomic_thread_fence(memory_order_acquire);
	uint16_t off_wrap = __atomic_load_n(&event->off_wrap, __ATOMIC_RELAXED);
	uint16_t off = off_wrap & 0x7fff;

	if ((off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR) != q->used_wrap)
		off = (uint16_t)(off - q->size);
	return vring_need_event(off, q->next_used, (uint16_t)(q->next_used - q->unsignalled));
}

static void packed_kick_off(struct vdev_virtq *q)
{
	struct event *event = q->device_area;

	__atomic_store_n(&event->flags, VRING_PACKED_EVENT_FLAG_DISABLE, __ATOMIC_RELAXED);
}

static void packed_kick_on(struct vdev_virtq *q)
{
	struct event *event = q->device_area;
	uint16_t wrap = (uint16_t)(q->avail_wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
	uint16_t flags =
		q->event_idx ? VRING_PACKED_EVENT_FLAG_DESC : VRING_PACKED_EVENT_FLAG_ENABLE;

	if (q->event_idx)
		__atomic_store_n(&event->off_wrap, (uint16_t)(q->next_avail | wrap),
				 __ATOMIC_RELAXED);
	__atomic_store_n(&event->flags, flags, __ATOMIC_RELEASE);
}

const struct vdev_ring_ops vdev_ring_packed = {
	.sizes = packed_sizes,
	.align = {16, 4, 4},
	.pending = packed_pending,
	.take = packed_take,
	.untake = packed_untake,
	.fill = packed_fill,
	.flush = packed_flush,
	.wanted = packed_wanted,
	.kick_off = packed_kick_off,
	.kick_on = packed_kick_on,
};
