/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_ring: the driver's side of a virtqueue, split or packed, in a fake's RAM.
 *
 * It keeps the rules of virtio 1.2, 2.7 and 2.8 and has its own view of both rings, so that a
 * device that breaks one is caught. A test that wants to break them itself writes into the areas.
 */
#ifndef TESTS_VDEV_GUEST_RING_H
#define TESTS_VDEV_GUEST_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/fakes/fake_hv.h"

#define GUEST_RING_MAX 256

struct guest_buf {
	uint64_t gpa;
	uint32_t len;
	bool writable;
};

struct guest_ring {
	struct hv_vm *vm;
	uint16_t size;
	bool packed, event_idx;
	bool careless; /* may give away the pages of the ring: what comes back then proves nothing
			*/
	uint64_t desc, driver, device; /* guest addresses of the areas */
	uint64_t table;		       /* and of room for indirect tables, one per chain */

	uint16_t next_avail, next_used;
	bool avail_wrap, used_wrap;
	uint16_t free_slots;
	uint16_t free_desc[GUEST_RING_MAX], free_ids; /* split: descriptors; packed: ids */
	uint16_t chain_len[GUEST_RING_MAX];	      /* by id */
	uint16_t chain_desc[GUEST_RING_MAX][GUEST_RING_MAX];
};

/* Bytes of guest memory that it takes from `gpa` on. */
#define GUEST_RING_BYTES 0x20000u

void guest_ring_init(struct guest_ring *ring, struct hv_vm *vm, bool packed, bool event_idx,
		     uint16_t size, uint64_t gpa);
/* Makes one chain available; its id, or -1 when the ring is full. */
int guest_ring_add(struct guest_ring *ring, const struct guest_buf *buf, unsigned count,
		   bool indirect);
/* Takes one used chain; its id, or -1 when there is none. */
int guest_ring_get(struct guest_ring *ring, uint32_t *written);
/* Whether the device wants to be told of the last `added` slots. */
bool guest_ring_kick_wanted(const struct guest_ring *ring, uint16_t added);
/* Interrupts: always, never, or (event index) at the slot after the next `ahead` used ones. */
void guest_ring_interrupts(struct guest_ring *ring, bool on);
void guest_ring_interrupt_after(struct guest_ring *ring, uint16_t ahead);

void *guest_ring_at(const struct guest_ring *ring, uint64_t gpa);

#endif
