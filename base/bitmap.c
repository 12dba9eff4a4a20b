/* SPDX-License-Identifier: BSD-3-Clause */
/* bitmap: see bitmap.h. */
#include "base/bitmap.h"

#include <errno.h>
#include <stdlib.h>

int bitmap_init(struct bitmap *map, unsigned bits)
{
	map->words = calloc((bits + 63) / 64, sizeof(*map->words));
	map->bits = bits;
	return map->words ? 0 : -ENOMEM;
}

void bitmap_finish(struct bitmap *map)
{
	free(map->words);
	*map = (struct bitmap){0};
}

bool bitmap_test(const struct bitmap *map, unsigned bit)
{
	return bit < map->bits && (map->words[bit / 64] >> (bit % 64) & 1);
}

void bitmap_set(struct bitmap *map, unsigned bit)
{
	if (bit < map->bits)
		map->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

void bitmap_clear(struct bitmap *map, unsigned bit)
{
	if (bit < map->bits)
		map->words[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static bool is_free(const struct bitmap *map, unsigned start, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (bitmap_test(map, start + i))
			return false;
	return true;
}

int bitmap_alloc_range(struct bitmap *map, unsigned first, unsigned count, unsigned align)
{
	for (unsigned at = (first + align - 1) / align * align;
	     count <= map->bits && at <= map->bits - count; at += align) {
		if (!is_free(map, at, count))
			continue;
		for (unsigned i = 0; i < count; i++)
			bitmap_set(map, at + i);
		return (int)at;
	}
	return -ENOSPC;
}

int bitmap_alloc(struct bitmap *map, unsigned first)
{
	return bitmap_alloc_range(map, first, 1, 1);
}
