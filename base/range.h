/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * range: an interval of addresses, both ends inclusive.
 *
 * Inclusive because the last byte of a 64-bit space has no exclusive end; whoever needs a size
 * has range_size(), which would overflow only for the whole space, and that is refused by name.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start;
	uint64_t last;
};

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start <= b.last && b.start <= a.last;
}

static inline bool range_contains(struct range outer, struct range inner)
{
	return outer.start <= inner.start && inner.last <= outer.last;
}

static inline uint64_t range_size(struct range r)
{
	return r.last - r.start + 1; /* 0 stands for 2^64 */
}

/* First place of `size` bytes, aligned, inside `window`, inside one of `usable` (sorted, disjoint;
 * count 0 = everything is usable), and outside every one of `taken`. 0 or -ENOSPC. */
int range_place(struct range window, const struct range *usable, size_t usable_count,
		const struct range *taken, size_t taken_count, uint64_t size, uint64_t align,
		uint64_t *start);

#endif
