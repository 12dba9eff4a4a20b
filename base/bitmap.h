/* SPDX-License-Identifier: BSD-3-Clause */
/* bitmap: a set of small numbers, and an allocator of the lowest free one. */
#ifndef BASE_BITMAP_H
#define BASE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

struct bitmap {
	uint64_t *words;
	unsigned bits;
};

int bitmap_init(struct bitmap *map, unsigned bits); /* all clear; -ENOMEM */
void bitmap_finish(struct bitmap *map);
bool bitmap_test(const struct bitmap *map, unsigned bit);
void bitmap_set(struct bitmap *map, unsigned bit);
void bitmap_clear(struct bitmap *map, unsigned bit);
/* Sets and returns the lowest clear bit >= first, or -ENOSPC. */
int bitmap_alloc(struct bitmap *map, unsigned first);
/* Same for `count` neighbours, starting at a multiple of `align` (a power of two). */
int bitmap_alloc_range(struct bitmap *map, unsigned first, unsigned count, unsigned align);

#endif
