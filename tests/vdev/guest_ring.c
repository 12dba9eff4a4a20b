/* SPDX-License-Identifier: BSD-3-Clause */
/* guest_ring: see guest_ring.h. */
#include "tests/vdev/guest_ring.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES 512u /* 32 entries */

void *guest_ring_at(const struct guest_ring *ring, uint64_t gpa)
{
	void *at = hv_mem_ptr(ring->vm, gpa, 2);

	if (!at)
		abort();
	return at;
}

void guest_ring_init(struct guest_ring *ring, struct hv_vm *vm, bool packed, bool event_idx,
		     uint16_t size, uint64_t gpa)
{
	*ring = (struct guest_ring){
		.vm = vm,
		.size = size,
		.packed = packed,
		.event_idx = event_idx,
		.desc = gpa,
		.driver = gpa + 0x4000,
		.device = gpa + 0x5000,
		.table = gpa + 0x8000,
		.avail_wrap = true,
		.used_wrap = true,
		.free_slots = size,
		.free_ids = size,
	};
	for (uint16_t i = 0; i < size; i++)
		ring->free_desc[i] = i;
	memset(guest_ring_at(ring, gpa), 0, 0x8000);
}

static uint16_t *word(const struct guest_ring *ring, uint64_t area, unsigned offset)
{
	return (uint16_t *)((uint8_t *)guest_ring_at(ring, area) + offset);
}

/* ---- split ---- */

static struct vring_desc *split_desc(const struct guest_ring *ring, unsigned i)
{
	return (struct vring_desc *)guest_ring_at(ring, ring->desc) + i;
}

static void chain_up(struct vring_desc *table, const uint16_t *index, const struct guest_buf *buf,
		     unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		table[index[i]] = (struct vring_desc){
			.addr = buf[i].gpa,
			.len = buf[i].len,
			.flags = (uint16_t)((buf[i].writable ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < count ? VRING_DESC_F_NEXT : 0)),
			.next = i + 1 < count ? index[i + 1] : 0,
		};
}

static int split_add(struct guest_ring *ring, const struct guest_buf *buf, unsigned count,
		     bool indirect)
{
	uint16_t slots = (uint16_t)(indirect ? 1 : count), order[32];

	for (uint16_t i = 0; i < 32; i++)
		order[i] = i;
	uint16_t *mine = &ring->free_desc[ring->free_slots - slots];
	uint16_t head = mine[0];
	uint64_t table = ring->table + head * TABLE_BYTES;

	if (indirect) {
		chain_up(guest_ring_at(ring, table), order, buf, count);
		*split_desc(ring, head) = (struct vring_desc){
			.addr = table, .len = 16 * count, .flags = VRING_DESC_F_INDIRECT};
	} else {
		chain_up(split_desc(ring, 0), mine, buf, count);
	}
	ring->chain_len[head] = slots;
	memcpy(ring->chain_desc[head], mine, slots * sizeof(*mine));
	ring->free_slots = (uint16_t)(ring->free_slots - slots);
	*word(ring, ring->driver, 4 + 2u * (ring->next_avail % ring->size)) = head;
	__atomic_store_n(word(ring, ring->driver, 2), ++ring->next_avail, __ATOMIC_RELEASE);
	return head;
}

/* The device gives back what it never had. */
static int never_had(const struct guest_ring *ring)
{
	if (!ring->careless)
		abort();
	return -1;
}

static int split_get(struct guest_ring *ring, uint32_t *written)
{
	if (__atomic_load_n(word(ring, ring->device, 2), __ATOMIC_ACQUIRE) == ring->next_used)
		return -1;
	const uint32_t *used = (const uint32_t *)(const void *)word(
		ring, ring->device, 4 + 8u * (ring->next_used % ring->size));
	uint32_t id = used[0];

	*written = used[1];
	if (id >= ring->size || !ring->chain_len[id])
		return never_had(ring);
	for (unsigned i = 0; i < ring->chain_len[id]; i++)
		ring->free_desc[ring->free_slots++] = ring->chain_desc[id][i];
	ring->chain_len[id] = 0;
	ring->next_used++;
	return (int)id;
}

/* ---- packed ---- */

static uint16_t avail_flags(bool wrap)
{
	return wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;
}

static struct vring_packed_desc *packed_desc(const struct guest_ring *ring, unsigned i)
{
	return (struct vring_packed_desc *)guest_ring_at(ring, ring->desc) + i;
}

static void advance(const struct guest_ring *ring, uint16_t *at, bool *wrap)
{
	if (++*at < ring->size)
		return;
	*at = 0;
	*wrap = !*wrap;
}

static int packed_add(struct guest_ring *ring, const struct guest_buf *buf, unsigned count,
		      bool indirect)
{
	uint16_t first = ring->next_avail, id = ring->free_desc[--ring->free_ids], first_flags = 0;
	uint64_t table = ring->table + id * TABLE_BYTES;
	struct guest_buf whole = {table, 16 * count, false};

	for (unsigned i = 0; indirect && i < count; i++)
		((struct vring_packed_desc *)guest_ring_at(ring, table))[i] =
			(struct vring_packed_desc){.addr = buf[i].gpa,
						   .len = buf[i].len,
						   .flags = buf[i].writable ? VRING_DESC_F_WRITE
									    : 0};
	ring->chain_len[id] = (uint16_t)(indirect ? 1 : count);
	for (unsigned i = 0; i < ring->chain_len[id]; i++) {
		struct vring_packed_desc *d = packed_desc(ring, ring->next_avail);
		const struct guest_buf *b = indirect ? &whole : &buf[i];
		uint16_t flags = (uint16_t)(avail_flags(ring->avail_wrap) |
					    (b->writable ? VRING_DESC_F_WRITE : 0) |
					    (indirect ? VRING_DESC_F_INDIRECT : 0) |
					    (i + 1u < ring->chain_len[id] ? VRING_DESC_F_NEXT : 0));

		d->addr = b->gpa;
		d->len = b->len;
		d->id = id;
		if (i)
			d->flags = flags;
		else
			first_flags = flags;
		advance(ring, &ring->next_avail, &ring->avail_wrap);
	}
	ring->free_slots = (uint16_t)(ring->free_slots - ring->chain_len[id]);
	__atomic_store_n(&packed_desc(ring, first)->flags, first_flags, __ATOMIC_RELEASE);
	return id;
}

static int packed_get(struct guest_ring *ring, uint32_t *written)
{
	struct vring_packed_desc *d = packed_desc(ring, ring->next_used);
	uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

	if (!!(flags & 1u << VRING_PACKED_DESC_F_AVAIL) != ring->used_wrap ||
	    !!(flags & 1u << VRING_PACKED_DESC_F_USED) != ring->used_wrap)
		return -1;
	uint16_t id = d->id; /* valid once the flags say so */
	*written = d->len;
	if (id >= ring->size || !ring->chain_len[id])
		return never_had(ring);
	for (unsigned i = 0; i < ring->chain_len[id]; i++)
		advance(ring, &ring->next_used, &ring->used_wrap);
	ring->free_slots = (uint16_t)(ring->free_slots + ring->chain_len[id]);
	ring->chain_len[id] = 0;
	ring->free_desc[ring->free_ids++] = id;
	return id;
}

/* ---- both ---- */

int guest_ring_add(struct guest_ring *ring, const struct guest_buf *buf, unsigned count,
		   bool indirect)
{
	if (ring->free_slots < (indirect ? 1 : count) || (indirect && count > 32))
		return -1;
	return ring->packed ? packed_add(ring, buf, count, indirect)
			    : split_add(ring, buf, count, indirect);
}

int guest_ring_get(struct guest_ring *ring, uint32_t *written)
{
	return ring->packed ? packed_get(ring, written) : split_get(ring, written);
}

bool guest_ring_kick_wanted(const struct guest_ring *ring, uint16_t added)
{
	uint16_t next = ring->next_avail, old = (uint16_t)(next - added);

	if (!ring->packed) {
		if (!ring->event_idx)
			return !(*word(ring, ring->device, 0) & VRING_USED_F_NO_NOTIFY);
		return vring_need_event(*word(ring, ring->device, 4 + 8u * ring->size), next, old);
	}
	uint16_t flags = *word(ring, ring->device, 2), off = *word(ring, ring->device, 0);
	bool wrap = off >> 15;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	off &= 0x7fff;
	if (wrap != ring->avail_wrap)
		off = (uint16_t)(off - ring->size);
	return vring_need_event(off, next, old);
}

void guest_ring_interrupts(struct guest_ring *ring, bool on)
{
	if (ring->packed)
		*word(ring, ring->driver, 2) =
			on ? VRING_PACKED_EVENT_FLAG_ENABLE : VRING_PACKED_EVENT_FLAG_DISABLE;
	else
		*word(ring, ring->driver, 0) = on ? 0 : VRING_AVAIL_F_NO_INTERRUPT;
}

void guest_ring_interrupt_after(struct guest_ring *ring, uint16_t ahead)
{
	if (!ring->packed) {
		*word(ring, ring->driver, 4 + 2u * ring->size) =
			(uint16_t)(ring->next_used + ahead);
		return;
	}
	uint16_t at = ring->next_used;
	bool wrap = ring->used_wrap;

	while (ahead--)
		advance(ring, &at, &wrap);
	*word(ring, ring->driver, 0) = (uint16_t)(at | wrap << 15);
	*word(ring, ring->driver, 2) = VRING_PACKED_EVENT_FLAG_DESC;
}
